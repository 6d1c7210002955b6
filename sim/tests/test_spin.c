/* SPDX-License-Identifier: BSD-2-Clause */
/* How long it is looked at a ring before sleeping, as learnt from what came of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "virtio/spin.h"

#define LONGEST UINT64_C(50000)

static struct spin spin;

static int careful(void **state)
{
	spin_init(&spin, LONGEST, false);
	return 0;
}

static int eager(void **state)
{
	spin_init(&spin, LONGEST, true);
	return 0;
}

static void sleep_shortly(uint32_t times)
{
	for (uint32_t i = 0; i < times; i++)
		spin_slept(&spin, LONGEST / 10);
}

/* Return: short sleeps until it looks again. */
static uint32_t sleeps_until_it_looks(void)
{
	uint32_t count = 0;

	while (spin.wait == 0 && count < 2 * SPIN_REST_MAX) {
		sleep_shortly(1);
		count++;
	}
	return count;
}

static void test_spin_careful_does_not_look_at_first(void **state)
{
	assert_int_equal(spin.wait, 0);
	sleep_shortly(SPIN_EVIDENCE - 1);
	assert_int_equal(spin.wait, 0);
}

static void test_spin_careful_looks_after_short_sleeps_in_a_row(void **state)
{
	sleep_shortly(SPIN_EVIDENCE);
	assert_int_equal(spin.wait, LONGEST);
}

static void test_spin_careful_never_looks_between_long_sleeps(void **state)
{
	for (int i = 0; i < 100; i++) {
		sleep_shortly(SPIN_EVIDENCE - 1);
		spin_slept(&spin, 2 * LONGEST);
		assert_int_equal(spin.wait, 0);
	}
}

static void test_spin_careful_ends_with_a_long_sleep(void **state)
{
	sleep_shortly(SPIN_EVIDENCE);
	spin_slept(&spin, 2 * LONGEST);
	assert_int_equal(spin.wait, 0);
}

static void test_spin_careful_puts_up_with_a_look_in_vain(void **state)
{
	sleep_shortly(SPIN_EVIDENCE);
	for (int i = 0; i < 100; i++) {
		spin_missed(&spin);
		assert_int_equal(spin.wait, LONGEST);
		spin_hit(&spin);
	}
}

static void test_spin_careful_rests_for_longer_each_time_that_it_looks_in_vain(void **state)
{
	uint32_t before = 0;

	for (int i = 0; i < 40; i++) {
		uint32_t count;

		while (spin.wait != 0)
			spin_missed(&spin);
		count = sleeps_until_it_looks();
		assert_true(count >= before);
		assert_true(count <= SPIN_REST_MAX);
		before = count;
	}
	assert_int_equal(before, SPIN_REST_MAX);
}

static void test_spin_careful_forgets_what_was_in_vain_with_a_hit(void **state)
{
	for (int i = 0; i < 40; i++)
		spin_missed(&spin);
	sleeps_until_it_looks();
	spin_hit(&spin);
	spin_missed(&spin);
	assert_int_equal(spin.wait, LONGEST);
}

static void test_spin_without_a_time_never_looks(void **state)
{
	spin_init(&spin, 0, false);
	for (int i = 0; i < 100; i++)
		spin_slept(&spin, 0);
	assert_int_equal(spin.wait, 0);
	spin_init(&spin, 0, true);
	for (int i = 0; i < 100; i++)
		spin_slept(&spin, 0);
	assert_int_equal(spin.wait, 0);
}

static void test_spin_eager_looks_from_the_start_and_however_often_in_vain(void **state)
{
	assert_int_equal(spin.wait, LONGEST);
	for (int i = 0; i < 100; i++)
		spin_missed(&spin);
	assert_int_equal(spin.wait, LONGEST);
}

static void test_spin_eager_halves_with_a_long_sleep_and_doubles_with_a_short_one(void **state)
{
	spin_slept(&spin, 2 * LONGEST);
	assert_int_equal(spin.wait, LONGEST / 2);
	for (int i = 0; i < 20; i++)
		spin_slept(&spin, 2 * LONGEST);
	assert_int_equal(spin.wait, 0);
	sleep_shortly(1);
	assert_int_equal(spin.wait, 2 * SPIN_SHORTEST_NS);
	sleep_shortly(20);
	assert_int_equal(spin.wait, LONGEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_spin_careful_does_not_look_at_first, careful),
		cmocka_unit_test_setup(test_spin_careful_looks_after_short_sleeps_in_a_row,
				       careful),
		cmocka_unit_test_setup(test_spin_careful_never_looks_between_long_sleeps, careful),
		cmocka_unit_test_setup(test_spin_careful_ends_with_a_long_sleep, careful),
		cmocka_unit_test_setup(test_spin_careful_puts_up_with_a_look_in_vain, careful),
		cmocka_unit_test_setup(
			test_spin_careful_rests_for_longer_each_time_that_it_looks_in_vain,
			careful),
		cmocka_unit_test_setup(test_spin_careful_forgets_what_was_in_vain_with_a_hit,
				       careful),
		cmocka_unit_test(test_spin_without_a_time_never_looks),
		cmocka_unit_test_setup(
			test_spin_eager_looks_from_the_start_and_however_often_in_vain, eager),
		cmocka_unit_test_setup(
			test_spin_eager_halves_with_a_long_sleep_and_doubles_with_a_short_one,
			eager),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
