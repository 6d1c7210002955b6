/* SPDX-License-Identifier: BSD-2-Clause */
/* The generator of random numbers: its numbers, its streams, its range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/random.h"

/* The first outputs of splitmix64 for this seed, as its author's program prints them. */
static void test_random_numbers_are_those_of_splitmix64(void **state)
{
	static const uint64_t expected[] = {
		UINT64_C(6457827717110365317),	UINT64_C(3203168211198807973),
		UINT64_C(9817491932198370423),	UINT64_C(4593380528125082431),
		UINT64_C(16408922859458223821),
	};
	struct random random;

	random_init(&random, 1234567, 0);
	for (unsigned int i = 0; i < 5; i++)
		assert_true(random_next(&random) == expected[i]);
}

static void test_random_streams_of_a_seed_differ(void **state)
{
	struct random a, b, c;

	random_init(&a, 0, 1);
	random_init(&b, 0, 2);
	random_init(&c, 1, 1);
	for (unsigned int i = 0; i < 100; i++) {
		uint64_t first = random_next(&a);

		assert_true(first != random_next(&b));
		assert_true(first != random_next(&c));
	}
}

static void test_random_below_stays_below_and_reaches_all(void **state)
{
	uint32_t seen[7] = {0};
	struct random random;

	random_init(&random, 42, 0);
	for (unsigned int i = 0; i < 7000; i++) {
		uint32_t number = random_below(&random, 7);

		assert_true(number < 7);
		seen[number]++;
	}
	for (unsigned int i = 0; i < 7; i++)
		assert_in_range(seen[i], 800, 1200);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(random_below(&random, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_numbers_are_those_of_splitmix64),
		cmocka_unit_test(test_random_streams_of_a_seed_differ),
		cmocka_unit_test(test_random_below_stays_below_and_reaches_all),
	};

	return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
