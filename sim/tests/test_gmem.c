/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory: what is inside, what is not, and which pages the dirty log names. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "virtio/gmem.h"

#define PAGE GMEM_LOG_PAGE
#define SIZE (4 * PAGE)
#define LOW UINT64_C(0x1000000)
#define HIGH (LOW + SIZE)	       /* adjoins LOW for the guest */
#define FAR (HIGH + SIZE + PAGE)       /* a page of nothing lies before it */
#define LOW_USER UINT64_C(0x7f0000000) /* for the front-end they lie the other way round */
#define HIGH_USER UINT64_C(0x700000000)
#define FAR_USER UINT64_C(0x600000000)

struct memory {
	struct gmem mem;
	uint8_t *low, *high, *far;
};

static void add(struct gmem *mem, uint64_t guest, uint64_t user, uint8_t *host)
{
	const struct gmem_region region = {guest, SIZE, user, host};

	assert_int_equal(gmem_add(mem, &region), 0);
}

static int setup(void **state)
{
	struct memory *m = calloc(1, sizeof(*m));

	m->low = calloc(1, SIZE);
	m->high = calloc(1, SIZE);
	m->far = calloc(1, SIZE);
	gmem_init(&m->mem);
	add(&m->mem, FAR, FAR_USER, m->far);
	add(&m->mem, LOW, LOW_USER, m->low);
	add(&m->mem, HIGH, HIGH_USER, m->high);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct memory *m = *state;

	free(m->low);
	free(m->high);
	free(m->far);
	free(m);
	return 0;
}

static int add_region(struct gmem *mem, uint64_t guest, uint64_t size, uint64_t user)
{
	static uint8_t somewhere;
	const struct gmem_region region = {guest, size, user, &somewhere};

	return gmem_add(mem, &region);
}

static void test_gmem_empty_map_contains_nothing(void **state)
{
	struct gmem mem;
	uint8_t byte = 0;

	gmem_init(&mem);
	assert_null(gmem_at(&mem, 0, 1));
	assert_null(gmem_at_user(&mem, 0, 1));
	assert_false(gmem_contains(&mem, 0, 1));
	assert_int_equal(gmem_read(&mem, 0, &byte, 1), -EFAULT);
	assert_int_equal(gmem_write(&mem, 0, &byte, 1), -EFAULT);
}

static void test_gmem_add_empty_region_is_refused(void **state)
{
	struct gmem mem;

	gmem_init(&mem);
	assert_int_equal(add_region(&mem, PAGE, 0, PAGE), -EINVAL);
}

static void test_gmem_add_without_memory_is_refused(void **state)
{
	const struct gmem_region region = {PAGE, PAGE, PAGE, NULL};
	struct gmem mem;

	gmem_init(&mem);
	assert_int_equal(gmem_add(&mem, &region), -EINVAL);
}

static void test_gmem_add_guest_range_that_wraps_is_refused(void **state)
{
	struct gmem mem;

	gmem_init(&mem);
	assert_int_equal(add_region(&mem, UINT64_MAX - 1, 3, PAGE), -EINVAL);
}

static void test_gmem_add_user_range_that_wraps_is_refused(void **state)
{
	struct gmem mem;

	gmem_init(&mem);
	assert_int_equal(add_region(&mem, PAGE, 3, UINT64_MAX - 1), -EINVAL);
}

static void test_gmem_add_region_up_to_the_last_but_one_address(void **state)
{
	static uint8_t host[2];
	const struct gmem_region region = {UINT64_MAX - 2, 2, 0, host};
	struct gmem mem;

	gmem_init(&mem);
	assert_int_equal(gmem_add(&mem, &region), 0);
	assert_ptr_equal(gmem_at(&mem, UINT64_MAX - 1, 1), host + 1);
	assert_null(gmem_at(&mem, UINT64_MAX, 1));
}

static void test_gmem_add_overlap_by_one_byte_is_refused(void **state)
{
	struct gmem mem;

	gmem_init(&mem);
	assert_int_equal(add_region(&mem, 10 * PAGE, PAGE, 10 * PAGE), 0);
	assert_int_equal(add_region(&mem, 9 * PAGE, PAGE + 1, 20 * PAGE), -EEXIST);
	assert_int_equal(add_region(&mem, 11 * PAGE - 1, PAGE, 20 * PAGE), -EEXIST);
	assert_int_equal(mem.count, 1);
}

static void test_gmem_add_region_around_another_is_refused(void **state)
{
	struct gmem mem;

	gmem_init(&mem);
	assert_int_equal(add_region(&mem, 10 * PAGE, PAGE, 10 * PAGE), 0);
	assert_int_equal(add_region(&mem, 9 * PAGE, 3 * PAGE, 20 * PAGE), -EEXIST);
	assert_int_equal(add_region(&mem, 10 * PAGE + 1, 1, 20 * PAGE), -EEXIST);
}

static void test_gmem_add_overlap_in_user_addresses_is_refused(void **state)
{
	struct gmem mem;

	gmem_init(&mem);
	assert_int_equal(add_region(&mem, 10 * PAGE, PAGE, 10 * PAGE), 0);
	assert_int_equal(add_region(&mem, 20 * PAGE, PAGE, 11 * PAGE - 1), -EEXIST);
}

static void test_gmem_add_to_a_full_map_is_refused(void **state)
{
	struct gmem mem;

	gmem_init(&mem);
	/* Last address first: the map has to sort them. */
	for (uint64_t i = GMEM_MAX_REGIONS; i > 0; i--)
		assert_int_equal(add_region(&mem, 2 * i * PAGE, PAGE, 2 * i * PAGE), 0);
	assert_int_equal(add_region(&mem, 1000 * PAGE, PAGE, 1000 * PAGE), -ENOSPC);
	assert_int_equal(mem.count, GMEM_MAX_REGIONS);
}

static void test_gmem_lookup_finds_each_of_64_regions(void **state)
{
	static uint8_t host[GMEM_MAX_REGIONS];
	struct gmem mem;

	gmem_init(&mem);
	for (unsigned int i = 0; i < GMEM_MAX_REGIONS; i++) {
		/* 37 and 64 have no common divisor: every place once, in a mixed order. */
		unsigned int place = i * 37 % GMEM_MAX_REGIONS;
		const struct gmem_region region = {2 * place, 1, 3 * place, &host[place]};

		assert_int_equal(gmem_add(&mem, &region), 0);
	}
	for (unsigned int i = 0; i < GMEM_MAX_REGIONS; i++) {
		assert_ptr_equal(gmem_at(&mem, 2 * i, 1), &host[i]);
		assert_ptr_equal(gmem_at_user(&mem, 3 * i, 1), &host[i]);
		assert_null(gmem_at(&mem, 2 * i + 1, 1));
	}
}

static void test_gmem_at_first_and_last_byte(void **state)
{
	struct memory *m = *state;

	assert_ptr_equal(gmem_at(&m->mem, LOW, 1), m->low);
	assert_ptr_equal(gmem_at(&m->mem, FAR + SIZE - 1, 1), m->far + SIZE - 1);
	assert_ptr_equal(gmem_at(&m->mem, LOW, SIZE), m->low);
}

static void test_gmem_at_byte_before_and_behind(void **state)
{
	struct memory *m = *state;

	assert_null(gmem_at(&m->mem, LOW - 1, 1));
	assert_null(gmem_at(&m->mem, FAR + SIZE, 1));
	assert_null(gmem_at(&m->mem, FAR, SIZE + 1));
}

static void test_gmem_at_never_spans_regions(void **state)
{
	struct memory *m = *state;

	assert_null(gmem_at(&m->mem, HIGH - 1, 2));
}

static void test_gmem_at_of_no_bytes_asks_for_the_address(void **state)
{
	struct memory *m = *state;

	assert_ptr_equal(gmem_at(&m->mem, FAR + SIZE - 1, 0), m->far + SIZE - 1);
	assert_null(gmem_at(&m->mem, FAR + SIZE, 0));
}

static void test_gmem_at_length_that_wraps(void **state)
{
	struct memory *m = *state;

	assert_null(gmem_at(&m->mem, LOW + 1, UINT64_MAX));
	assert_null(gmem_at_user(&m->mem, LOW_USER + 1, UINT64_MAX));
}

static void test_gmem_at_user_first_and_last_byte(void **state)
{
	struct memory *m = *state;

	assert_ptr_equal(gmem_at_user(&m->mem, HIGH_USER, SIZE), m->high);
	assert_ptr_equal(gmem_at_user(&m->mem, HIGH_USER + SIZE - 1, 1), m->high + SIZE - 1);
	assert_null(gmem_at_user(&m->mem, HIGH_USER + SIZE - 1, 2));
	assert_null(gmem_at_user(&m->mem, HIGH_USER - 1, 1));
	assert_null(gmem_at_user(&m->mem, LOW, 1));
}

static void test_gmem_contains_across_adjoining_regions(void **state)
{
	struct memory *m = *state;

	assert_true(gmem_contains(&m->mem, HIGH - 1, 2));
	assert_true(gmem_contains(&m->mem, LOW, 2 * SIZE));
	assert_false(gmem_contains(&m->mem, LOW, 2 * SIZE + 1));
}

static void test_gmem_contains_not_across_a_gap(void **state)
{
	struct memory *m = *state;

	assert_false(gmem_contains(&m->mem, HIGH, SIZE + PAGE + 1));
	assert_false(gmem_contains(&m->mem, HIGH + SIZE, 1));
	assert_false(gmem_contains(&m->mem, FAR - 1, 2));
}

static void test_gmem_contains_no_bytes_anywhere(void **state)
{
	struct memory *m = *state;

	assert_true(gmem_contains(&m->mem, 0, 0));
	assert_true(gmem_contains(&m->mem, UINT64_MAX, 0));
}

static void test_gmem_contains_range_that_wraps_never(void **state)
{
	struct memory *m = *state;

	assert_false(gmem_contains(&m->mem, LOW, UINT64_MAX - LOW + 1));
	assert_false(gmem_contains(&m->mem, LOW, UINT64_MAX));
	assert_false(gmem_contains(&m->mem, UINT64_MAX, 1));
	assert_false(gmem_contains(&m->mem, UINT64_MAX, UINT64_MAX));
}

static void test_gmem_write_across_regions_reaches_both(void **state)
{
	struct memory *m = *state;

	assert_int_equal(gmem_write(&m->mem, HIGH - 2, "abcd", 4), 0);
	assert_memory_equal(m->low + SIZE - 2, "ab", 2);
	assert_memory_equal(m->high, "cd", 2);
}

static void test_gmem_read_across_regions_joins_both(void **state)
{
	struct memory *m = *state;
	char text[5] = "";

	memcpy(m->low + SIZE - 3, "wxy", 3);
	memcpy(m->high, "z", 1);
	assert_int_equal(gmem_read(&m->mem, HIGH - 3, text, 4), 0);
	assert_string_equal(text, "wxyz");
}

static void test_gmem_write_that_ends_outside_changes_nothing(void **state)
{
	struct memory *m = *state;

	assert_int_equal(gmem_write(&m->mem, HIGH + SIZE - 2, "abc", 3), -EFAULT);
	assert_memory_equal(m->high + SIZE - 2, "\0\0", 2);
}

static void test_gmem_read_that_ends_outside_is_refused(void **state)
{
	struct memory *m = *state;
	char text[3];

	assert_int_equal(gmem_read(&m->mem, HIGH + SIZE - 2, text, 3), -EFAULT);
	assert_int_equal(gmem_read(&m->mem, LOW - 1, text, 2), -EFAULT);
}

static void test_gmem_remove_gives_the_entry_back(void **state)
{
	struct memory *m = *state;
	struct gmem_region removed;

	assert_int_equal(gmem_remove(&m->mem, HIGH, HIGH_USER, SIZE, &removed), 0);
	assert_ptr_equal(removed.host, m->high);
	assert_null(gmem_at(&m->mem, HIGH, 1));
	assert_false(gmem_contains(&m->mem, HIGH - 1, 2));
	assert_non_null(gmem_at(&m->mem, LOW, 1));
	assert_non_null(gmem_at(&m->mem, FAR, 1));
}

static void test_gmem_remove_after_a_hit_forgets_it(void **state)
{
	struct memory *m = *state;
	struct gmem_region removed;

	assert_non_null(gmem_at(&m->mem, FAR, 1));
	assert_int_equal(gmem_remove(&m->mem, FAR, FAR_USER, SIZE, &removed), 0);
	assert_null(gmem_at(&m->mem, FAR, 1));
}

static void test_gmem_remove_needs_all_three_values(void **state)
{
	struct memory *m = *state;
	struct gmem_region removed;

	assert_int_equal(gmem_remove(&m->mem, HIGH + 1, HIGH_USER, SIZE, &removed), -ENOENT);
	assert_int_equal(gmem_remove(&m->mem, HIGH, HIGH_USER + 1, SIZE, &removed), -ENOENT);
	assert_int_equal(gmem_remove(&m->mem, HIGH, HIGH_USER, SIZE - 1, &removed), -ENOENT);
	assert_int_equal(m->mem.count, 3);
}

static void test_gmem_removed_place_can_be_taken_again(void **state)
{
	struct memory *m = *state;
	struct gmem_region removed;

	assert_int_equal(gmem_remove(&m->mem, HIGH, HIGH_USER, SIZE, &removed), 0);
	assert_int_equal(gmem_add(&m->mem, &removed), 0);
	assert_ptr_equal(gmem_at(&m->mem, HIGH, SIZE), m->high);
}

/* The page of a guest address in a log that begins at address 0. */
static int logged(const uint8_t *log, uint64_t guest_addr)
{
	uint64_t page = guest_addr / PAGE;

	return log[page / 8] >> page % 8 & 1;
}

#define LOG_BYTES ((FAR + SIZE) / PAGE / 8 + 1)

static unsigned int bits_set(const uint8_t *log, size_t size)
{
	unsigned int bits = 0;

	for (size_t i = 0; i < size; i++)
		bits += (unsigned int)__builtin_popcount(log[i]);
	return bits;
}

static void test_gmem_log_names_the_page_of_one_byte(void **state)
{
	struct memory *m = *state;
	uint8_t log[LOG_BYTES] = {0};

	gmem_set_log(&m->mem, log, sizeof(log));
	assert_int_equal(gmem_write(&m->mem, LOW + PAGE - 1, "x", 1), 0);
	assert_true(logged(log, LOW));
	assert_int_equal(bits_set(log, sizeof(log)), 1);
}

static void test_gmem_log_names_both_pages_of_a_border(void **state)
{
	struct memory *m = *state;
	uint8_t log[LOG_BYTES] = {0};

	gmem_set_log(&m->mem, log, sizeof(log));
	assert_int_equal(gmem_write(&m->mem, HIGH - 1, "xy", 2), 0);
	assert_true(logged(log, HIGH - 1));
	assert_true(logged(log, HIGH));
	assert_int_equal(bits_set(log, sizeof(log)), 2);
}

static void test_gmem_log_names_every_page_of_a_long_range(void **state)
{
	struct memory *m = *state;
	uint8_t log[LOG_BYTES] = {0};

	gmem_set_log(&m->mem, log, sizeof(log));
	gmem_mark_dirty(&m->mem, LOW + 1, 7 * PAGE);
	assert_int_equal(bits_set(log, sizeof(log)), 8);
	assert_false(logged(log, LOW - 1));
	assert_false(logged(log, LOW + 8 * PAGE));
}

static void test_gmem_log_keeps_bits_of_others(void **state)
{
	struct memory *m = *state;
	uint8_t log[LOG_BYTES];

	memset(log, 0xfe, sizeof(log));
	gmem_set_log(&m->mem, log, sizeof(log));
	gmem_mark_dirty(&m->mem, 0, 1);
	assert_int_equal(log[0], 0xff);
	assert_int_equal(log[1], 0xfe);
}

static void test_gmem_log_reads_are_not_logged(void **state)
{
	struct memory *m = *state;
	uint8_t log[LOG_BYTES] = {0};
	char byte;

	gmem_set_log(&m->mem, log, sizeof(log));
	assert_int_equal(gmem_read(&m->mem, LOW, &byte, 1), 0);
	assert_int_equal(bits_set(log, sizeof(log)), 0);
}

static void test_gmem_log_of_no_bytes_marks_nothing(void **state)
{
	struct memory *m = *state;
	uint8_t log[LOG_BYTES] = {0};

	gmem_set_log(&m->mem, log, sizeof(log));
	gmem_mark_dirty(&m->mem, LOW, 0);
	assert_int_equal(bits_set(log, sizeof(log)), 0);
}

static void test_gmem_log_too_small_is_not_overrun(void **state)
{
	struct memory *m = *state;
	uint8_t log[3] = {0, 0, 0x5a};

	gmem_set_log(&m->mem, log, 2);
	gmem_mark_dirty(&m->mem, 14 * PAGE, 10 * PAGE);
	gmem_mark_dirty(&m->mem, 16 * PAGE, 1);
	gmem_mark_dirty(&m->mem, UINT64_MAX, UINT64_MAX);
	assert_int_equal(log[0], 0);
	assert_int_equal(log[1], 0xc0);
	assert_int_equal(log[2], 0x5a);
}

static void test_gmem_log_of_a_range_that_wraps_ends_with_the_log(void **state)
{
	struct memory *m = *state;
	uint8_t log[2] = {0};

	gmem_set_log(&m->mem, log, sizeof(log));
	gmem_mark_dirty(&m->mem, 14 * PAGE, UINT64_MAX);
	assert_int_equal(log[0], 0);
	assert_int_equal(log[1], 0xc0);
}

static void test_gmem_log_last_bit_of_a_log_is_used(void **state)
{
	struct memory *m = *state;
	uint8_t log[2] = {0};

	gmem_set_log(&m->mem, log, sizeof(log));
	gmem_mark_dirty(&m->mem, 15 * PAGE + 5, 1);
	assert_int_equal(log[1], 0x80);
}

static void test_gmem_log_switched_off_is_left_alone(void **state)
{
	struct memory *m = *state;
	uint8_t log[LOG_BYTES] = {0};

	gmem_set_log(&m->mem, log, sizeof(log));
	gmem_set_log(&m->mem, NULL, 0);
	assert_int_equal(gmem_write(&m->mem, LOW, "x", 1), 0);
	assert_int_equal(bits_set(log, sizeof(log)), 0);
}

int main(void)
{
#define WITH_MEMORY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gmem_empty_map_contains_nothing),
		cmocka_unit_test(test_gmem_add_empty_region_is_refused),
		cmocka_unit_test(test_gmem_add_without_memory_is_refused),
		cmocka_unit_test(test_gmem_add_guest_range_that_wraps_is_refused),
		cmocka_unit_test(test_gmem_add_user_range_that_wraps_is_refused),
		cmocka_unit_test(test_gmem_add_region_up_to_the_last_but_one_address),
		cmocka_unit_test(test_gmem_add_overlap_by_one_byte_is_refused),
		cmocka_unit_test(test_gmem_add_region_around_another_is_refused),
		cmocka_unit_test(test_gmem_add_overlap_in_user_addresses_is_refused),
		cmocka_unit_test(test_gmem_add_to_a_full_map_is_refused),
		cmocka_unit_test(test_gmem_lookup_finds_each_of_64_regions),
		WITH_MEMORY(test_gmem_at_first_and_last_byte),
		WITH_MEMORY(test_gmem_at_byte_before_and_behind),
		WITH_MEMORY(test_gmem_at_never_spans_regions),
		WITH_MEMORY(test_gmem_at_of_no_bytes_asks_for_the_address),
		WITH_MEMORY(test_gmem_at_length_that_wraps),
		WITH_MEMORY(test_gmem_at_user_first_and_last_byte),
		WITH_MEMORY(test_gmem_contains_across_adjoining_regions),
		WITH_MEMORY(test_gmem_contains_not_across_a_gap),
		WITH_MEMORY(test_gmem_contains_no_bytes_anywhere),
		WITH_MEMORY(test_gmem_contains_range_that_wraps_never),
		WITH_MEMORY(test_gmem_write_across_regions_reaches_both),
		WITH_MEMORY(test_gmem_read_across_regions_joins_both),
		WITH_MEMORY(test_gmem_write_that_ends_outside_changes_nothing),
		WITH_MEMORY(test_gmem_read_that_ends_outside_is_refused),
		WITH_MEMORY(test_gmem_remove_gives_the_entry_back),
		WITH_MEMORY(test_gmem_remove_after_a_hit_forgets_it),
		WITH_MEMORY(test_gmem_remove_needs_all_three_values),
		WITH_MEMORY(test_gmem_removed_place_can_be_taken_again),
		WITH_MEMORY(test_gmem_log_names_the_page_of_one_byte),
		WITH_MEMORY(test_gmem_log_names_both_pages_of_a_border),
		WITH_MEMORY(test_gmem_log_names_every_page_of_a_long_range),
		WITH_MEMORY(test_gmem_log_keeps_bits_of_others),
		WITH_MEMORY(test_gmem_log_reads_are_not_logged),
		WITH_MEMORY(test_gmem_log_of_no_bytes_marks_nothing),
		WITH_MEMORY(test_gmem_log_too_small_is_not_overrun),
		WITH_MEMORY(test_gmem_log_of_a_range_that_wraps_ends_with_the_log),
		WITH_MEMORY(test_gmem_log_last_bit_of_a_log_is_used),
		WITH_MEMORY(test_gmem_log_switched_off_is_left_alone),
	};

	return cmocka_run_group_tests_name("gmem", tests, NULL, NULL);
}
