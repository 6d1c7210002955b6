/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts that the remote is built from, each by itself. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "remote/backlog.h"
#include "remote/endpoint.h"
#include "remote/numbered.h"
#include "remote/timer.h"

/* ---- endpoint table ----------------------------------------------------------------------- */

static struct endpoint_table table;

static int table_setup(void **state)
{
	return endpoint_table_init(&table, 65536);
}

static int table_teardown(void **state)
{
	endpoint_table_fini(&table);
	return 0;
}

static struct service *bind_at(uint32_t addr)
{
	struct service *service;

	assert_int_equal(endpoint_bind(&table, addr, &service), 0);
	assert_int_equal(service->addr, addr);
	return service;
}

static void test_remote_table_without_endpoints_finds_nothing(void **state)
{
	assert_null(endpoint_find(&table, 0));
	assert_null(endpoint_find(&table, 1024));
	assert_null(endpoint_find(&table, RPMSG_ADDR_ANY));
}

static void test_remote_table_finds_what_was_bound_and_nothing_else(void **state)
{
	struct service *zero = bind_at(0), *high = bind_at(0xfffffffe);

	assert_ptr_equal(endpoint_find(&table, 0), zero);
	assert_ptr_equal(endpoint_find(&table, 0xfffffffe), high);
	assert_null(endpoint_find(&table, 1));
	assert_null(endpoint_find(&table, RPMSG_ADDR_ANY));
}

static void test_remote_table_new_endpoint_has_no_peer_and_no_counts(void **state)
{
	struct service *service = bind_at(1024);

	service->peer = 7;
	service->received = 9;
	endpoint_unbind(&table, service);
	service = bind_at(2000);
	assert_int_equal(service->peer, RPMSG_ADDR_ANY);
	assert_int_equal(service->received, 0);
}

static void test_remote_table_refuses_an_address_twice(void **state)
{
	struct service *service;

	bind_at(1024);
	assert_int_equal(endpoint_bind(&table, 1024, &service), -EADDRINUSE);
}

static void test_remote_table_refuses_more_than_its_maximum(void **state)
{
	struct service *service;

	endpoint_table_fini(&table);
	assert_int_equal(endpoint_table_init(&table, 2), 0);
	bind_at(1);
	bind_at(2);
	assert_int_equal(endpoint_bind(&table, 3, &service), -ENOSPC);
	endpoint_unbind(&table, endpoint_find(&table, 1));
	bind_at(3);
}

/* Addresses of the pattern that a reference keeps, through many random changes. */
static void test_remote_table_agrees_with_a_plain_array_under_random_changes(void **state)
{
	static bool bound[4096];
	uint32_t random = 1;

	memset(bound, 0, sizeof(bound));
	for (int i = 0; i < 200000; i++) {
		random = random * 1664525 + 1013904223;
		uint32_t n = random >> 20;
		uint32_t addr = n * 131072; /* steps that a weak hash would map together */

		if (bound[n])
			endpoint_unbind(&table, endpoint_find(&table, addr));
		else
			bind_at(addr);
		bound[n] = !bound[n];
	}
	for (uint32_t n = 0; n < 4096; n++) {
		struct service *service = endpoint_find(&table, n * 131072);

		if (bound[n])
			assert_int_equal(service->addr, n * 131072);
		else
			assert_null(service);
	}
}

static void test_remote_table_keeps_endpoints_in_their_place_while_it_grows(void **state)
{
	struct service *first = bind_at(1024);

	for (uint32_t i = 1; i < 65536; i++)
		bind_at(1024 + i);
	assert_ptr_equal(endpoint_find(&table, 1024), first);
	for (uint32_t i = 0; i < 65536; i++)
		assert_int_equal(endpoint_find(&table, 1024 + i)->addr, 1024 + i);
}

static void test_remote_table_gives_dynamic_addresses_from_1024_upwards(void **state)
{
	for (uint32_t i = 0; i < 300; i++) {
		assert_int_equal(endpoint_lowest_free(&table), 1024 + i);
		bind_at(1024 + i);
	}
}

static void test_remote_table_gives_the_lowest_free_dynamic_address(void **state)
{
	for (uint32_t i = 0; i < 300; i++)
		bind_at(1024 + i);
	endpoint_unbind(&table, endpoint_find(&table, 1300));
	endpoint_unbind(&table, endpoint_find(&table, 1030));
	assert_int_equal(endpoint_lowest_free(&table), 1030);
	bind_at(1030);
	assert_int_equal(endpoint_lowest_free(&table), 1300);
	bind_at(1300);
	assert_int_equal(endpoint_lowest_free(&table), 1324);
}

static void test_remote_table_dynamic_address_passes_over_static_ones(void **state)
{
	bind_at(1024);
	bind_at(1026);
	assert_int_equal(endpoint_lowest_free(&table), 1025);
	bind_at(1025);
	assert_int_equal(endpoint_lowest_free(&table), 1027);
}

static void test_remote_table_has_a_dynamic_address_for_the_last_endpoint(void **state)
{
	for (uint32_t i = 0; i < 65536; i++)
		bind_at(endpoint_lowest_free(&table));
	assert_int_equal(endpoint_lowest_free(&table), 1024 + 65536);
}

struct walked {
	uint32_t addr[8];
	uint32_t count;
	uint32_t stop_at;
};

static int note(void *ctx, const struct service *service)
{
	struct walked *walked = ctx;

	walked->addr[walked->count++] = service->addr;
	return walked->count == walked->stop_at ? 42 : 0;
}

static void test_remote_table_is_walked_by_ascending_address(void **state)
{
	const uint32_t sorted[] = {0, 53, 1024, 1025, 0x80000000, 0xfffffffe};
	struct walked walked = {0};

	bind_at(0x80000000);
	bind_at(1025);
	bind_at(0);
	bind_at(0xfffffffe);
	bind_at(1024);
	bind_at(53);
	assert_int_equal(endpoint_walk(&table, note, &walked), 0);
	assert_int_equal(walked.count, 6);
	assert_memory_equal(walked.addr, sorted, sizeof(sorted));
}

static void test_remote_table_without_endpoints_is_walked_at_once(void **state)
{
	struct walked walked = {0};

	assert_int_equal(endpoint_walk(&table, note, &walked), 0);
	assert_int_equal(walked.count, 0);
}

static void test_remote_table_walk_ends_when_asked_to(void **state)
{
	struct walked walked = {.stop_at = 2};

	for (uint32_t i = 0; i < 5; i++)
		bind_at(i);
	assert_int_equal(endpoint_walk(&table, note, &walked), 42);
	assert_int_equal(walked.count, 2);
}

/* ---- backlog ------------------------------------------------------------------------------ */

static struct backlog backlog;

static int backlog_setup(void **state)
{
	return backlog_init(&backlog, 4);
}

static int backlog_teardown(void **state)
{
	backlog_fini(&backlog);
	return 0;
}

static void add_record(uint32_t size, uint8_t fill)
{
	struct backlog_record *record = backlog_add(&backlog, size);

	assert_non_null(record);
	assert_int_equal(record->size, size);
	memset(record->payload, fill, size);
}

static void expect_record(uint32_t size, uint8_t fill)
{
	struct backlog_record *record = backlog_first(&backlog);

	assert_non_null(record);
	assert_int_equal(record->size, size);
	for (uint32_t i = 0; i < size; i++)
		assert_int_equal(record->payload[i], fill);
	backlog_remove_first(&backlog);
}

static void test_remote_backlog_gives_records_back_in_order(void **state)
{
	add_record(0, 1);
	add_record(1, 2);
	add_record(496, 3);
	expect_record(0, 1);
	expect_record(1, 2);
	expect_record(496, 3);
	assert_null(backlog_first(&backlog));
}

static void test_remote_backlog_takes_as_many_as_agreed(void **state)
{
	for (uint8_t i = 0; i < 4; i++) {
		assert_true(backlog_has_room(&backlog, 65535));
		add_record(496, i);
	}
	assert_false(backlog_has_room(&backlog, 0));
	assert_null(backlog_add(&backlog, 0));
}

static void test_remote_backlog_takes_a_largest_message_behind_usual_ones(void **state)
{
	for (uint8_t i = 0; i < 3; i++)
		add_record(496, i);
	add_record(65535, 3);
	for (uint8_t i = 0; i < 3; i++)
		expect_record(496, i);
	expect_record(65535, 3);
}

static void test_remote_backlog_keeps_order_and_bytes_over_many_laps(void **state)
{
	uint32_t random = 1;
	uint32_t sizes[4];
	uint32_t first = 0, next = 0;

	for (int i = 0; i < 100000; i++) {
		uint32_t size;

		random = random * 1664525 + 1013904223;
		size = random >> 28 == 0 ? 65535 - (random >> 8 & 0xff) : random >> 8 & 0x1ff;
		if ((random >> 20 & 1) != 0 && backlog_has_room(&backlog, size)) {
			sizes[next % 4] = size;
			add_record(size, (uint8_t)next);
			next++;
		} else if (first != next) {
			expect_record(sizes[first % 4], (uint8_t)first);
			first++;
		}
		assert_int_equal(backlog.count, next - first);
	}
	assert_true(next > 10000);
}

static void test_remote_backlog_of_one_message_takes_any_size_again_and_again(void **state)
{
	backlog_fini(&backlog);
	assert_int_equal(backlog_init(&backlog, 1), 0);
	for (int i = 0; i < 100; i++) {
		add_record(65535, (uint8_t)i);
		assert_null(backlog_add(&backlog, 0));
		expect_record(65535, (uint8_t)i);
	}
}

static void test_remote_backlog_cleared_is_empty(void **state)
{
	add_record(100, 1);
	backlog_clear(&backlog);
	assert_null(backlog_first(&backlog));
	add_record(100, 2);
	expect_record(100, 2);
}

/* ---- timers ------------------------------------------------------------------------------- */

#define TIMERS 200

static struct timers timers;
static struct timer set[TIMERS];

static int timers_setup(void **state)
{
	memset(&timers, 0, sizeof(timers));
	for (int i = 0; i < TIMERS; i++)
		set[i] = (struct timer){.at = TIMER_OFF};
	return timers_reserve(&timers, TIMERS);
}

static int timers_teardown(void **state)
{
	timers_fini(&timers);
	return 0;
}

static struct timer *pop_timer(void)
{
	struct timer *first = timers_first(&timers);

	if (first != NULL)
		timer_clear(&timers, first);
	return first;
}

static void test_remote_timer_none_is_first_when_none_is_set(void **state)
{
	assert_null(timers_first(&timers));
}

static void test_remote_timer_earliest_comes_first(void **state)
{
	uint32_t random = 1;
	uint64_t before = 0;

	for (int i = 0; i < TIMERS; i++) {
		random = random * 1664525 + 1013904223;
		timer_set(&timers, &set[i], random);
	}
	for (int i = 0; i < TIMERS; i++) {
		struct timer *first = pop_timer();

		assert_true(first->when >= before);
		before = first->when;
	}
	assert_null(timers_first(&timers));
}

static void test_remote_timer_of_the_same_moment_come_in_order_of_setting(void **state)
{
	for (int i = 0; i < TIMERS; i++)
		timer_set(&timers, &set[TIMERS - 1 - i], 5);
	for (int i = 0; i < TIMERS; i++)
		assert_ptr_equal(pop_timer(), &set[TIMERS - 1 - i]);
}

static void test_remote_timer_set_anew_counts_once(void **state)
{
	timer_set(&timers, &set[0], 10);
	timer_set(&timers, &set[1], 20);
	timer_set(&timers, &set[0], 30);
	assert_ptr_equal(pop_timer(), &set[1]);
	assert_ptr_equal(pop_timer(), &set[0]);
	assert_null(pop_timer());
}

static void test_remote_timer_cleared_from_the_middle_does_not_disturb_the_rest(void **state)
{
	for (int i = 0; i < TIMERS; i++)
		timer_set(&timers, &set[i], (uint64_t)(i * 7919 % TIMERS));
	for (int i = 0; i < TIMERS; i += 3)
		timer_clear(&timers, &set[i]);
	timer_clear(&timers, &set[0]);
	for (uint64_t when = 0, n = 0; n < TIMERS - (TIMERS + 2) / 3; n++) {
		struct timer *first = pop_timer();

		assert_int_not_equal((first - set) % 3, 0);
		assert_true(first->when >= when);
		when = first->when;
	}
	assert_null(timers_first(&timers));
}

/* ---- numbered payloads --------------------------------------------------------------------- */

static void test_remote_numbered_payload_has_the_documented_bytes(void **state)
{
	const uint8_t expected[] = {0xfe, 0x02, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0x00, 0x01};
	uint8_t bytes[sizeof(expected)];

	numbered_fill(bytes, sizeof(bytes), 0x2fe);
	assert_memory_equal(bytes, expected, sizeof(expected));
}

static void test_remote_numbered_payload_is_recognised(void **state)
{
	uint8_t bytes[65535];
	uint64_t number = 0;

	numbered_fill(bytes, sizeof(bytes), UINT64_C(0x123456789abcdef0));
	assert_true(numbered_check(bytes, sizeof(bytes), &number));
	assert_int_equal(number, UINT64_C(0x123456789abcdef0));
}

static void test_remote_numbered_payload_with_one_wrong_byte_is_refused(void **state)
{
	uint8_t bytes[64];
	uint64_t number;

	for (size_t i = 8; i < sizeof(bytes); i++) {
		numbered_fill(bytes, sizeof(bytes), 5);
		bytes[i] ^= 0x10;
		assert_false(numbered_check(bytes, sizeof(bytes), &number));
	}
}

static void test_remote_numbered_payload_without_a_number_is_refused(void **state)
{
	uint8_t bytes[8] = {0};
	uint64_t number;

	assert_false(numbered_check(bytes, 7, &number));
	assert_true(numbered_check(bytes, 8, &number));
}

#define ON_TABLE(test) cmocka_unit_test_setup_teardown(test, table_setup, table_teardown)
#define ON_BACKLOG(test) cmocka_unit_test_setup_teardown(test, backlog_setup, backlog_teardown)
#define ON_TIMERS(test) cmocka_unit_test_setup_teardown(test, timers_setup, timers_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_TABLE(test_remote_table_without_endpoints_finds_nothing),
		ON_TABLE(test_remote_table_finds_what_was_bound_and_nothing_else),
		ON_TABLE(test_remote_table_new_endpoint_has_no_peer_and_no_counts),
		ON_TABLE(test_remote_table_refuses_an_address_twice),
		ON_TABLE(test_remote_table_refuses_more_than_its_maximum),
		ON_TABLE(test_remote_table_agrees_with_a_plain_array_under_random_changes),
		ON_TABLE(test_remote_table_keeps_endpoints_in_their_place_while_it_grows),
		ON_TABLE(test_remote_table_gives_dynamic_addresses_from_1024_upwards),
		ON_TABLE(test_remote_table_gives_the_lowest_free_dynamic_address),
		ON_TABLE(test_remote_table_dynamic_address_passes_over_static_ones),
		ON_TABLE(test_remote_table_has_a_dynamic_address_for_the_last_endpoint),
		ON_TABLE(test_remote_table_is_walked_by_ascending_address),
		ON_TABLE(test_remote_table_without_endpoints_is_walked_at_once),
		ON_TABLE(test_remote_table_walk_ends_when_asked_to),
		ON_BACKLOG(test_remote_backlog_gives_records_back_in_order),
		ON_BACKLOG(test_remote_backlog_takes_as_many_as_agreed),
		ON_BACKLOG(test_remote_backlog_takes_a_largest_message_behind_usual_ones),
		ON_BACKLOG(test_remote_backlog_keeps_order_and_bytes_over_many_laps),
		ON_BACKLOG(test_remote_backlog_of_one_message_takes_any_size_again_and_again),
		ON_BACKLOG(test_remote_backlog_cleared_is_empty),
		ON_TIMERS(test_remote_timer_none_is_first_when_none_is_set),
		ON_TIMERS(test_remote_timer_earliest_comes_first),
		ON_TIMERS(test_remote_timer_of_the_same_moment_come_in_order_of_setting),
		ON_TIMERS(test_remote_timer_set_anew_counts_once),
		ON_TIMERS(test_remote_timer_cleared_from_the_middle_does_not_disturb_the_rest),
		cmocka_unit_test(test_remote_numbered_payload_has_the_documented_bytes),
		cmocka_unit_test(test_remote_numbered_payload_is_recognised),
		cmocka_unit_test(test_remote_numbered_payload_with_one_wrong_byte_is_refused),
		cmocka_unit_test(test_remote_numbered_payload_without_a_number_is_refused),
	};

	return cmocka_run_group_tests_name("remote_parts", tests, NULL, NULL);
}
