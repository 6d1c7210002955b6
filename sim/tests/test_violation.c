/* SPDX-License-Identifier: BSD-2-Clause */
/* The register of violations and the way a report takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/violation.h"

struct seen {
	struct violation_record last;
	int count;
};

static void record(void *ctx, const struct violation_record *what)
{
	struct seen *seen = ctx;

	seen->last = *what;
	seen->count++;
}

static void test_violation_report_hands_every_field_to_the_sink(void **state)
{
	struct seen seen = {0};
	const struct violation_sink sink = {record, &seen};

	violation_report(&sink, VIOLATION_VQ_ADDRESS, 1, 77, UINT64_MAX, 42);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.last.what, VIOLATION_VQ_ADDRESS);
	assert_int_equal(seen.last.queue, 1);
	assert_int_equal(seen.last.desc_id, 77);
	assert_true(seen.last.expected == UINT64_MAX);
	assert_true(seen.last.seen == 42);
}

static void test_violation_report_without_sink_is_discarded(void **state)
{
	const struct violation_sink deaf = {NULL, NULL};

	violation_report(NULL, VIOLATION_HD_LEN, VIOLATION_NO_QUEUE, VIOLATION_NO_DESC, 0, 0);
	violation_report(&deaf, VIOLATION_HD_LEN, VIOLATION_NO_QUEUE, VIOLATION_NO_DESC, 0, 0);
}

static void test_violation_of_known_entry_has_its_words(void **state)
{
	assert_string_equal(violation_name(VIOLATION_VQ_LOOP), "vq-loop");
	assert_string_equal(violation_requirement(VIOLATION_VQ_LOOP), "VQ-004");
	assert_string_equal(violation_text(VIOLATION_VQ_LOOP),
			    "descriptor chain is longer than the queue size");
}

static void test_violation_first_and_last_entry_are_known(void **state)
{
	assert_string_equal(violation_name((enum violation)0), "vu-short-message");
	assert_string_not_equal(violation_name((enum violation)(VIOLATION_COUNT - 1)), "unknown");
}

static void test_violation_unknown_number_has_neutral_words(void **state)
{
	const int numbers[] = {VIOLATION_COUNT, VIOLATION_COUNT + 1000, -1};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		enum violation what = (enum violation)numbers[i];

		assert_string_equal(violation_name(what), "unknown");
		assert_string_equal(violation_requirement(what), "");
		assert_string_equal(violation_text(what), "");
	}
}

static void test_violation_names_are_unique_and_plain(void **state)
{
	for (int i = 0; i < VIOLATION_COUNT; i++) {
		const char *name = violation_name((enum violation)i);

		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"),
				 strlen(name));
		for (int j = i + 1; j < VIOLATION_COUNT; j++)
			assert_string_not_equal(name, violation_name((enum violation)j));
	}
}

static void test_violation_every_entry_has_requirement_and_text(void **state)
{
	for (int i = 0; i < VIOLATION_COUNT; i++) {
		const char *requirement = violation_requirement((enum violation)i);

		/* Two letters, a dash and three digits. */
		assert_int_equal(strlen(requirement), 6);
		assert_int_equal(requirement[2], '-');
		assert_int_equal(strspn(requirement + 3, "0123456789"), 3);
		assert_true(strlen(violation_text((enum violation)i)) > 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_violation_report_hands_every_field_to_the_sink),
		cmocka_unit_test(test_violation_report_without_sink_is_discarded),
		cmocka_unit_test(test_violation_of_known_entry_has_its_words),
		cmocka_unit_test(test_violation_first_and_last_entry_are_known),
		cmocka_unit_test(test_violation_unknown_number_has_neutral_words),
		cmocka_unit_test(test_violation_names_are_unique_and_plain),
		cmocka_unit_test(test_violation_every_entry_has_requirement_and_text),
	};

	return cmocka_run_group_tests_name("violation", tests, NULL, NULL);
}
