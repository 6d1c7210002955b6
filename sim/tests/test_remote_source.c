/* SPDX-License-Identifier: BSD-2-Clause */
/* The source service: its numbers, its pace on a virtual clock, and its patience. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/remote_host.h"

#include "remote/numbered.h"

#define HOST_ADDR 0x400
#define SOURCE_ADDR 1024
#define SECOND UINT64_C(1000000000)

static struct remote_host host;

static int setup(void **state)
{
	host_setup(&host, NULL);
	return 0;
}

static int teardown(void **state)
{
	host_teardown(&host);
	return 0;
}

static void add_source(uint32_t rate, uint32_t size, uint64_t messages)
{
	const struct service_params params = {.rate = rate, .size = size, .messages = messages};
	uint32_t addr = SOURCE_ADDR;

	assert_int_equal(
		remote_announce(host.remote, "source", service_kind_find("source"), &params, &addr),
		0);
}

/* A source whose host has said something to it. */
static void start(uint32_t rate, uint32_t size, uint64_t messages)
{
	add_source(rate, size, messages);
	host_attach(&host, HOST_WITHOUT_NS);
	host_send(&host, HOST_ADDR, SOURCE_ADDR, "go", 2);
}

/* Take what has come: numbers from *next on, undamaged. */
static uint32_t take(uint64_t *next, uint32_t size)
{
	static struct host_message message;
	uint32_t count = 0;
	uint64_t number;

	while (host_receive(&host, &message)) {
		assert_int_equal(message.hdr.src, SOURCE_ADDR);
		assert_int_equal(message.hdr.dst, HOST_ADDR);
		assert_int_equal(message.hdr.len, size);
		assert_true(numbered_check(message.payload, message.hdr.len, &number));
		assert_int_equal(number, *next);
		(*next)++;
		count++;
	}
	return count;
}

static void test_remote_source_is_silent_before_it_knows_a_peer(void **state)
{
	add_source(1000, 64, 0);
	host_attach(&host, HOST_WITHOUT_NS);
	host.now += SECOND;
	host_run(&host);
	host_expect_nothing(&host);
	assert_int_equal(remote_deadline(host.remote), REMOTE_NO_DEADLINE);
}

static void test_remote_source_sends_its_first_message_at_once(void **state)
{
	uint64_t next = 0;

	start(10, 64, 0);
	host_run(&host);
	assert_int_equal(take(&next, 64), 1);
}

static void test_remote_source_starts_when_the_host_announces_its_name(void **state)
{
	uint64_t next = 0;

	add_source(10, 64, 0);
	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	host_discard(&host);
	host_send_ns(&host, "source", HOST_ADDR, RPMSG_NS_CREATE);
	host_run(&host);
	assert_int_equal(take(&next, 64), 1);
}

static void test_remote_source_stops_when_the_host_destroys_the_channel(void **state)
{
	uint64_t next = 0;

	add_source(10, 64, 0);
	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	host_discard(&host);
	host_send_ns(&host, "source", HOST_ADDR, RPMSG_NS_CREATE);
	host_run(&host);
	host_send_ns(&host, "source", HOST_ADDR, RPMSG_NS_DESTROY);
	host.now += SECOND;
	host_run(&host);
	assert_true(take(&next, 64) <= 11);
	host.now += SECOND;
	host_run(&host);
	host_expect_nothing(&host);
	assert_int_equal(remote_deadline(host.remote), REMOTE_NO_DEADLINE);
}

static void test_remote_source_deadlines_are_exact_and_do_not_drift(void **state)
{
	uint64_t first = host.now, next = 0;

	start(3, 8, 0);
	host_run(&host);
	for (uint64_t i = 1; i <= 3000; i++) {
		/* A third of a second is no whole number of nanoseconds. */
		uint64_t due = first + i / 3 * SECOND + i % 3 * SECOND / 3;

		assert_int_equal(remote_deadline(host.remote), due);
		host.now = due - 1;
		host_run(&host);
		take(&next, 8);
		assert_int_equal(next, i);
		host.now = due;
		host_run(&host);
		assert_int_equal(take(&next, 8), 1);
		host_supply(&host, UINT32_MAX);
	}
}

static void test_remote_source_keeps_its_rate_when_it_is_called_late(void **state)
{
	uint64_t next = 0;

	start(1000, 64, 0);
	for (int i = 0; i < 1000; i++) {
		host_run(&host);
		take(&next, 64);
		host_supply(&host, UINT32_MAX);
		host.now += SECOND / 100; /* ten times too late */
	}
	assert_int_equal(next, 9991);
}

static void test_remote_source_ends_after_as_many_as_asked_for(void **state)
{
	uint64_t next = 0;

	start(UINT32_MAX, 8, 10);
	host_run(&host);
	assert_int_equal(take(&next, 8), 10);
	assert_int_equal(remote_deadline(host.remote), REMOTE_NO_DEADLINE);
	host_send(&host, HOST_ADDR, SOURCE_ADDR, "more", 4);
	host_run(&host);
	host_expect_nothing(&host);
}

static void test_remote_source_without_limit_is_as_fast_as_buffers_come(void **state)
{
	uint64_t next = 0;

	start(UINT32_MAX, 496, 0);
	for (int i = 0; i < 1000; i++) {
		host_run(&host);
		assert_int_equal(take(&next, 496), 16);
		assert_int_equal(remote_deadline(host.remote), REMOTE_NO_DEADLINE);
		host_supply(&host, UINT32_MAX);
	}
	assert_int_equal(remote_get_stats(host.remote)->backlog, 0);
}

static void test_remote_source_that_nobody_watches_sends_the_same(void **state)
{
	const struct host_options options = {.quiet = true};
	uint64_t next = 0;

	host_teardown(&host);
	host_setup(&host, &options);
	start(UINT32_MAX, 496, 0);
	for (int i = 0; i < 100; i++) {
		host_run(&host);
		assert_int_equal(take(&next, 496), 16);
		host_supply(&host, UINT32_MAX);
	}
	assert_int_equal(host_endpoint(&host, SOURCE_ADDR).sent, 1600);
}

static void test_remote_source_fills_buffers_in_pieces_as_any_other(void **state)
{
	const struct host_options options = {.quiet = true};
	const uint32_t pieces[] = {16, 100, 396, 0};
	uint64_t next = 0;

	host_teardown(&host);
	host_setup(&host, &options);
	add_source(UINT32_MAX, 496, 0);
	host_attach_bare(&host, HOST_WITHOUT_NS);
	host_supply(&host, 1);
	host_supply_pieces(&host, pieces);
	host_supply(&host, 1);
	host_send(&host, HOST_ADDR, SOURCE_ADDR, "go", 2);
	host_run(&host);
	assert_int_equal(take(&next, 496), 3);
}

static void test_remote_source_waits_for_buffers_and_loses_nothing(void **state)
{
	uint64_t next = 0;

	start(100, 64, 0);
	host_run(&host);
	host.now += 10 * SECOND;
	host_run(&host);
	assert_int_equal(take(&next, 64), 16);
	assert_int_equal(remote_deadline(host.remote), REMOTE_NO_DEADLINE);
	host.now += 10 * SECOND;
	host_run(&host);
	host_expect_nothing(&host);
	assert_int_equal(remote_get_stats(host.remote)->backlog, 0);
	host_supply(&host, UINT32_MAX);
	host_run(&host);
	assert_int_equal(take(&next, 64), 1);
	assert_int_equal(remote_deadline(host.remote), host.now + SECOND / 100);
}

static void test_remote_sources_share_buffers_fairly(void **state)
{
	const struct service_params params = {.rate = UINT32_MAX, .size = 8};
	static struct host_message message;
	uint32_t addr, counts[4] = {0};

	for (uint32_t i = 0; i < 4; i++) {
		addr = 1024 + i;
		assert_int_equal(remote_announce(host.remote, "source", service_kind_find("source"),
						 &params, &addr),
				 0);
	}
	host_attach(&host, HOST_WITHOUT_NS);
	for (uint32_t i = 0; i < 4; i++)
		host_send(&host, HOST_ADDR, 1024 + i, "go", 2);
	for (int i = 0; i < 100; i++) {
		host_run(&host);
		while (host_receive(&host, &message))
			counts[message.hdr.src - 1024]++;
		host_supply(&host, UINT32_MAX);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(counts[i], 400);
}

static void test_remote_source_does_not_keep_the_host_from_being_heard(void **state)
{
	const struct host_options options = {.num = {256, 256}};

	host_teardown(&host);
	host_setup(&host, &options);
	host_service(&host, "sink", "sink", 2000);
	start(UINT32_MAX, 8, 0);
	host_run(&host);
	host_discard(&host);
	host_supply(&host, UINT32_MAX);
	for (int i = 0; i < 100; i++)
		host_send(&host, HOST_ADDR, 2000, "x", 1);
	remote_run(host.remote, 128);
	assert_true(host_endpoint(&host, 2000).received >= 64);
}

static void test_remote_source_goes_to_the_peer_that_spoke_last(void **state)
{
	static struct host_message message;

	start(10, 8, 0);
	host_run(&host);
	host_discard(&host);
	host_send(&host, 999, SOURCE_ADDR, "me", 2);
	host_run(&host);
	host.now += SECOND / 10;
	host_run(&host);
	assert_true(host_receive(&host, &message));
	assert_int_equal(message.hdr.dst, 999);
}

static void test_remote_source_starts_from_0_with_each_host(void **state)
{
	uint64_t next = 0;

	start(UINT32_MAX, 8, 0);
	host_run(&host);
	take(&next, 8);
	host_detach(&host);
	assert_int_equal(remote_deadline(host.remote), REMOTE_NO_DEADLINE);
	host_attach(&host, HOST_WITHOUT_NS);
	host_run(&host);
	host_expect_nothing(&host);
	host_send(&host, HOST_ADDR, SOURCE_ADDR, "go", 2);
	host_run(&host);
	next = 0;
	assert_int_equal(take(&next, 8), 16);
}

static void test_remote_source_ends_when_its_messages_do_not_fit(void **state)
{
	start(UINT32_MAX, 497, 0);
	host_run(&host);
	host_expect_nothing(&host);
	assert_int_equal(remote_get_stats(host.remote)->send_failed, 1);
}

static void test_remote_source_tries_again_with_the_next_host(void **state)
{
	const struct host_options options = {.size = {600, 0}};
	const uint32_t small[] = {100, 0};
	uint64_t next = 0;

	host_teardown(&host);
	host_setup(&host, &options);
	add_source(UINT32_MAX, 497, 0);
	host_attach_bare(&host, HOST_WITHOUT_NS);
	host_supply_pieces(&host, small);
	host_send(&host, HOST_ADDR, SOURCE_ADDR, "go", 2);
	host_run(&host);
	assert_int_equal(remote_get_stats(host.remote)->send_failed, 1);
	host_detach(&host);
	host_attach(&host, HOST_WITHOUT_NS);
	host_send(&host, HOST_ADDR, SOURCE_ADDR, "go", 2);
	host_run(&host);
	assert_int_equal(take(&next, 497), 16);
}

static void test_remote_source_leaves_no_timer_when_the_host_goes(void **state)
{
	start(10, 8, 0);
	host_run(&host);
	assert_int_not_equal(remote_deadline(host.remote), REMOTE_NO_DEADLINE);
	host_detach(&host);
	assert_int_equal(remote_deadline(host.remote), REMOTE_NO_DEADLINE);
}

static void test_remote_run_with_timers_due_handles_no_more_than_its_budget(void **state)
{
	uint64_t next = 0;

	start(10, 8, 0);
	host_run(&host);
	take(&next, 8);
	host.now += SECOND;
	assert_true(remote_run(host.remote, 4));
	assert_int_equal(take(&next, 8), 4);
	assert_false(remote_run(host.remote, 6));
	assert_int_equal(take(&next, 8), 6);
}

static void test_remote_run_with_free_buffers_handles_no_more_than_its_budget(void **state)
{
	uint64_t next = 0;

	start(UINT32_MAX, 8, 0);
	host_run(&host);
	take(&next, 8);
	host_supply(&host, UINT32_MAX);
	assert_true(remote_run(host.remote, 4));
	assert_int_equal(take(&next, 8), 4);
	assert_false(remote_run(host.remote, 12));
	assert_int_equal(take(&next, 8), 12);
}

/* More timers than there is room for at first. */
static void test_remote_many_sources_keep_each_its_own_pace(void **state)
{
	static struct host_message message;
	uint32_t counts[100] = {0};
	uint64_t end = host.now + 10 * SECOND;

	for (uint32_t i = 0; i < 100; i++) {
		const struct service_params params = {.rate = i + 1, .size = 8};
		uint32_t addr = 1024 + i;

		assert_int_equal(remote_announce(host.remote, "source", service_kind_find("source"),
						 &params, &addr),
				 0);
	}
	host_attach(&host, HOST_WITHOUT_NS);
	for (uint32_t i = 0; i < 100; i++) {
		host_send(&host, HOST_ADDR, 1024 + i, "go", 2);
		host_run(&host);
		assert_int_equal(host_discard(&host), 1);
		host_supply(&host, UINT32_MAX);
		host_reclaim_all(&host);
	}
	while (remote_deadline(host.remote) <= end) {
		host.now = remote_deadline(host.remote);
		while (remote_run(host.remote, 10) || host.dq[RPMSG_QUEUE_INPUT].outstanding < 16) {
			while (host_receive(&host, &message))
				counts[message.hdr.src - 1024]++;
			host_supply(&host, UINT32_MAX);
		}
		while (host_receive(&host, &message))
			counts[message.hdr.src - 1024]++;
		host_supply(&host, UINT32_MAX);
	}
	for (uint32_t i = 0; i < 100; i++)
		assert_in_range(counts[i], 10 * (i + 1) - 1, 10 * (i + 1));
}

static void test_remote_withdrawn_source_leaves_no_timer(void **state)
{
	uint32_t addr = SOURCE_ADDR;

	start(10, 8, 0);
	host_run(&host);
	assert_int_not_equal(remote_deadline(host.remote), REMOTE_NO_DEADLINE);
	assert_int_equal(remote_withdraw(host.remote, "source", &addr), 0);
	assert_int_equal(remote_deadline(host.remote), REMOTE_NO_DEADLINE);
	host.now += SECOND;
	host_run(&host);
	host_discard(&host);
	host_expect_nothing(&host);
}

static void test_remote_withdrawn_source_that_waits_for_buffers_is_forgotten(void **state)
{
	uint32_t addr = SOURCE_ADDR;

	start(UINT32_MAX, 8, 0);
	host_run(&host);
	host_discard(&host);
	assert_int_equal(remote_withdraw(host.remote, "source", &addr), 0);
	host_supply(&host, UINT32_MAX);
	host_run(&host);
	host_expect_nothing(&host);
}

static void test_remote_source_refuses_sizes_without_room_for_a_number(void **state)
{
	const struct service_params params = {.size = 65536};
	uint32_t addr = RPMSG_ADDR_ANY;

	assert_int_equal(
		remote_announce(host.remote, "s", service_kind_find("source"), &params, &addr),
		-EINVAL);
}

static void test_remote_source_has_defaults(void **state)
{
	uint64_t next = 0;

	host_service(&host, "source", "source", SOURCE_ADDR);
	host_attach(&host, HOST_WITHOUT_NS);
	host_send(&host, HOST_ADDR, SOURCE_ADDR, "go", 2);
	host_run(&host);
	assert_int_equal(take(&next, 64), 1);
	assert_int_equal(remote_deadline(host.remote), host.now + SECOND / 100);
}

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_HOST(test_remote_source_is_silent_before_it_knows_a_peer),
		ON_HOST(test_remote_source_sends_its_first_message_at_once),
		ON_HOST(test_remote_source_starts_when_the_host_announces_its_name),
		ON_HOST(test_remote_source_stops_when_the_host_destroys_the_channel),
		ON_HOST(test_remote_source_deadlines_are_exact_and_do_not_drift),
		ON_HOST(test_remote_source_keeps_its_rate_when_it_is_called_late),
		ON_HOST(test_remote_source_ends_after_as_many_as_asked_for),
		ON_HOST(test_remote_source_without_limit_is_as_fast_as_buffers_come),
		ON_HOST(test_remote_source_that_nobody_watches_sends_the_same),
		ON_HOST(test_remote_source_fills_buffers_in_pieces_as_any_other),
		ON_HOST(test_remote_source_waits_for_buffers_and_loses_nothing),
		ON_HOST(test_remote_sources_share_buffers_fairly),
		ON_HOST(test_remote_source_does_not_keep_the_host_from_being_heard),
		ON_HOST(test_remote_source_goes_to_the_peer_that_spoke_last),
		ON_HOST(test_remote_source_starts_from_0_with_each_host),
		ON_HOST(test_remote_source_ends_when_its_messages_do_not_fit),
		ON_HOST(test_remote_source_tries_again_with_the_next_host),
		ON_HOST(test_remote_source_leaves_no_timer_when_the_host_goes),
		ON_HOST(test_remote_run_with_timers_due_handles_no_more_than_its_budget),
		ON_HOST(test_remote_run_with_free_buffers_handles_no_more_than_its_budget),
		ON_HOST(test_remote_many_sources_keep_each_its_own_pace),
		ON_HOST(test_remote_withdrawn_source_leaves_no_timer),
		ON_HOST(test_remote_withdrawn_source_that_waits_for_buffers_is_forgotten),
		ON_HOST(test_remote_source_refuses_sizes_without_room_for_a_number),
		ON_HOST(test_remote_source_has_defaults),
	};

	return cmocka_run_group_tests_name("remote_source", tests, NULL, NULL);
}
