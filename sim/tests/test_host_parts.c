/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of rpmsg-host that need no remote: histogram, sequence, payload, channels. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "host/channels.h"
#include "host/finding.h"
#include "host/histogram.h"
#include "host/payload.h"
#include "host/sequence.h"
#include "wire/bytes.h"

/* ---- histogram ---- */

static struct histogram histogram;

static int clear_histogram(void **state)
{
	memset(&histogram, 0, sizeof(histogram));
	return 0;
}

static void test_histogram_of_nothing_is_zero(void **state)
{
	assert_int_equal(histogram_percentile(&histogram, 500), 0);
	assert_int_equal(histogram_percentile(&histogram, 1000), 0);
}

static void test_histogram_percentiles_of_1_to_100_are_exact(void **state)
{
	for (uint64_t i = 1; i <= 100; i++)
		histogram_add(&histogram, i);

	assert_int_equal(histogram_percentile(&histogram, 500), 50);
	assert_int_equal(histogram_percentile(&histogram, 900), 90);
	assert_int_equal(histogram_percentile(&histogram, 990), 99);
	assert_int_equal(histogram_percentile(&histogram, 999), 100);
	assert_int_equal(histogram.min, 1);
	assert_int_equal(histogram.max, 100);
	assert_int_equal(histogram.sum, 5050);
}

/* Each value lies in its bucket, and a bucket is no wider than 1/64 of it. */
static void test_histogram_error_is_below_two_percent(void **state)
{
	for (uint64_t value = 1; value < UINT64_C(1) << 39; value += value / 5 + 1) {
		uint64_t found;

		memset(&histogram, 0, sizeof(histogram));
		histogram_add(&histogram, value);
		histogram_add(&histogram, (UINT64_C(1) << 40) - 1);
		found = histogram_percentile(&histogram, 500);
		assert_true(found >= value);
		assert_true(found - value <= value / 64);
	}
}

static void test_histogram_takes_any_value(void **state)
{
	histogram_add(&histogram, 0);
	histogram_add(&histogram, UINT64_MAX);

	assert_int_equal(histogram_percentile(&histogram, 500), 0);
	assert_int_equal(histogram_percentile(&histogram, 1000), UINT64_MAX);
}

/* ---- sequence ---- */

static struct sequence sequence;

static int clear_sequence(void **state)
{
	sequence_init(&sequence, 0);
	return 0;
}

static void test_sequence_in_order_is_new_and_nothing_lost(void **state)
{
	for (uint64_t i = 0; i < 3 * SEQUENCE_WINDOW; i++)
		assert_int_equal(sequence_note(&sequence, i, UINT64_MAX), SEQUENCE_NEW);

	assert_int_equal(sequence_lost(&sequence, 3 * SEQUENCE_WINDOW), 0);
	assert_int_equal(sequence.late + sequence.duplicated + sequence.impossible, 0);
}

static void test_sequence_gap_is_lost(void **state)
{
	sequence_note(&sequence, 0, 10);
	sequence_note(&sequence, 4, 10);

	assert_int_equal(sequence_lost(&sequence, 5), 3);
	assert_int_equal(sequence_lost(&sequence, 10), 8);
}

static void test_sequence_overtaken_is_late_and_not_lost(void **state)
{
	sequence_note(&sequence, 0, 10);
	sequence_note(&sequence, 2, 10);

	assert_int_equal(sequence_note(&sequence, 1, 10), SEQUENCE_LATE);
	assert_int_equal(sequence_lost(&sequence, 3), 0);
	assert_int_equal(sequence.late, 1);
}

static void test_sequence_second_time_is_duplicate(void **state)
{
	sequence_note(&sequence, 0, 10);

	assert_int_equal(sequence_note(&sequence, 0, 10), SEQUENCE_DUPLICATE);
	assert_int_equal(sequence.received, 1);
	assert_int_equal(sequence.duplicated, 1);
}

static void test_sequence_number_never_sent_is_impossible(void **state)
{
	sequence_init(&sequence, 5);

	assert_int_equal(sequence_note(&sequence, 10, 10), SEQUENCE_IMPOSSIBLE);
	assert_int_equal(sequence_note(&sequence, 4, 10), SEQUENCE_IMPOSSIBLE);
	assert_int_equal(sequence.received, 0);
}

static void test_sequence_jump_beyond_the_window_forgets(void **state)
{
	sequence_note(&sequence, 1, UINT64_MAX);
	sequence_note(&sequence, 1 + SEQUENCE_WINDOW + 7, UINT64_MAX);

	/* The place of number 1 in the window belongs to this one now. */
	assert_int_equal(sequence_note(&sequence, 1 + SEQUENCE_WINDOW, UINT64_MAX), SEQUENCE_LATE);
	assert_int_equal(sequence_note(&sequence, 2, UINT64_MAX), SEQUENCE_DUPLICATE);
}

/* ---- payload ---- */

static void test_payload_is_number_then_pattern(void **state)
{
	static const uint8_t expected[] = {0xfe, 1, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0, 1};
	uint8_t bytes[sizeof(expected)];

	payload_fill(bytes, sizeof(bytes), 0x1fe);

	assert_memory_equal(bytes, expected, sizeof(expected));
}

static void test_payload_of_any_size_comes_back(void **state)
{
	static uint8_t bytes[65535];
	static const uint32_t sizes[] = {8, 9, 16, 496, 65535};
	uint64_t number;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		payload_fill(bytes, sizes[i], 0x123456789abcdefULL);
		assert_true(payload_check(bytes, sizes[i], 0, &number));
		assert_true(number == 0x123456789abcdefULL);
	}
}

static void test_payload_with_one_bit_wrong_is_refused(void **state)
{
	uint8_t bytes[64];
	uint64_t number;

	for (size_t i = PAYLOAD_NUMBER_SIZE; i < sizeof(bytes); i++) {
		payload_fill(bytes, sizeof(bytes), 77);
		bytes[i] ^= 0x10;
		assert_false(payload_check(bytes, sizeof(bytes), 0, &number));
	}
}

static void test_payload_short_number_is_completed_from_the_lowest(void **state)
{
	uint8_t bytes[1];
	uint64_t number;

	payload_fill(bytes, 1, 0x305);
	assert_true(payload_check(bytes, 1, 0x2f0, &number));
	assert_int_equal(number, 0x305);
	assert_true(payload_check(bytes, 0, 42, &number));
	assert_int_equal(number, 42);
}

/* ---- channels ---- */

static struct channels channels;

static int make_channels(void **state)
{
	channels_init(&channels);
	return 0;
}

static int free_channels(void **state)
{
	channels_free(&channels);
	return 0;
}

static void test_channels_are_found_by_name_in_order_of_announcement(void **state)
{
	assert_null(channels_find(&channels, "a"));
	assert_int_equal(channels_add(&channels, "a", 7), 0);
	assert_int_equal(channels_add(&channels, "a", 5), 0);

	assert_int_equal(channels_find(&channels, "a")->addr, 7);
	assert_int_equal(channels.count, 2);
}

static void test_channels_twice_is_refused(void **state)
{
	channels_add(&channels, "a", 7);

	assert_int_equal(channels_add(&channels, "a", 7), -EEXIST);
	assert_int_equal(channels.count, 1);
}

static void test_channels_unknown_cannot_be_removed(void **state)
{
	assert_int_equal(channels_remove(&channels, "a", 7), -ENOENT);
	channels_add(&channels, "a", 7);
	assert_int_equal(channels_remove(&channels, "a", 8), -ENOENT);
	assert_int_equal(channels_remove(&channels, "b", 7), -ENOENT);
	assert_int_equal(channels_remove(&channels, "a", 7), 0);
	assert_int_equal(channels_remove(&channels, "a", 7), -ENOENT);
	assert_null(channels_find(&channels, "a"));
}

static void test_channels_name_of_32_bytes_is_kept_whole(void **state)
{
	const char *name = "0123456789abcdef0123456789abcdef";

	channels_add(&channels, name, 1);
	assert_string_equal(channels_find(&channels, name)->name, name);
	assert_int_equal(channels_add(&channels, name, 1), -EEXIST);
}

static void test_channels_ten_thousand_come_and_go(void **state)
{
	uint32_t position = 0, seen = 0;
	char name[16];

	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 10000; i++) {
			snprintf(name, sizeof(name), "n%u", i % 100);
			assert_int_equal(channels_add(&channels, name, i), 0);
		}
		assert_int_equal(channels.count, 10000);
		for (uint32_t i = 0; i < 10000; i += 1 + round) {
			snprintf(name, sizeof(name), "n%u", i % 100);
			assert_int_equal(channels_remove(&channels, name, i), 0);
		}
	}
	assert_int_equal(channels.used, 10000);
	while (channels_next(&channels, &position))
		seen++;
	assert_int_equal(seen, 5000);
}

static void test_channels_have_an_end(void **state)
{
	for (uint32_t i = 0; i < CHANNELS_MAX; i++)
		assert_int_equal(channels_add(&channels, "x", i), 0);
	assert_int_equal(channels_add(&channels, "x", CHANNELS_MAX), -ENOSPC);
	channels_remove(&channels, "x", 3);
	assert_int_equal(channels_add(&channels, "x", CHANNELS_MAX), 0);
}

/* ---- findings ---- */

static void test_finding_names_are_unique(void **state)
{
	for (enum finding i = 0; i < FINDING_COUNT; i++) {
		assert_true(finding_info(i)->name[0] != '\0' && finding_info(i)->text[0] != '\0');
		for (enum finding j = 0; j < i; j++)
			assert_string_not_equal(finding_info(i)->name, finding_info(j)->name);
	}
}

#define HISTOGRAM_TEST(test) cmocka_unit_test_setup(test, clear_histogram)
#define SEQUENCE_TEST(test) cmocka_unit_test_setup(test, clear_sequence)
#define CHANNELS_TEST(test) cmocka_unit_test_setup_teardown(test, make_channels, free_channels)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HISTOGRAM_TEST(test_histogram_of_nothing_is_zero),
		HISTOGRAM_TEST(test_histogram_percentiles_of_1_to_100_are_exact),
		HISTOGRAM_TEST(test_histogram_error_is_below_two_percent),
		HISTOGRAM_TEST(test_histogram_takes_any_value),
		SEQUENCE_TEST(test_sequence_in_order_is_new_and_nothing_lost),
		SEQUENCE_TEST(test_sequence_gap_is_lost),
		SEQUENCE_TEST(test_sequence_overtaken_is_late_and_not_lost),
		SEQUENCE_TEST(test_sequence_second_time_is_duplicate),
		SEQUENCE_TEST(test_sequence_number_never_sent_is_impossible),
		SEQUENCE_TEST(test_sequence_jump_beyond_the_window_forgets),
		cmocka_unit_test(test_payload_is_number_then_pattern),
		cmocka_unit_test(test_payload_of_any_size_comes_back),
		cmocka_unit_test(test_payload_with_one_bit_wrong_is_refused),
		cmocka_unit_test(test_payload_short_number_is_completed_from_the_lowest),
		CHANNELS_TEST(test_channels_are_found_by_name_in_order_of_announcement),
		CHANNELS_TEST(test_channels_twice_is_refused),
		CHANNELS_TEST(test_channels_unknown_cannot_be_removed),
		CHANNELS_TEST(test_channels_name_of_32_bytes_is_kept_whole),
		CHANNELS_TEST(test_channels_ten_thousand_come_and_go),
		CHANNELS_TEST(test_channels_have_an_end),
		cmocka_unit_test(test_finding_names_are_unique),
	};

	payload_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
