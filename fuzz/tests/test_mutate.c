/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/mutate.h"

#define ROOM 4096
#define ROUNDS 20000

static const struct oplist_op ops[] = {
	{.name = "first",
	 .fields = {{"small", 1, OPLIST_CHOICE, 10}, {"large", 8, OPLIST_MEMORY, 0}}},
	{.name = "second", .tail = "bytes", .fields = {{"length", 2, OPLIST_LENGTH, 0}}},
	{.name = "third"},
	{.name = "fourth", .fields = {{"address", 4, OPLIST_ADDRESS, 0}}},
};

static const struct oplist_schema schema = {
	.name = "test",
	.id = 9,
	.count = 4,
	.ops = ops,
	.memory_start = 0x1000,
	.memory_size = 0x1000,
};

static struct oplist list;
static unsigned int byte_calls;

/* Stands for the engine's own mutation: another byte, and one more if there is room. */
static size_t other_bytes(uint8_t *data, size_t size, size_t room)
{
	byte_calls++;
	if (size != 0)
		data[byte_calls % size]++;
	if (size < room)
		data[size++] = (uint8_t)byte_calls;
	return size;
}

static size_t grow(uint8_t *data, uint32_t seed, unsigned int rounds)
{
	size_t size = 0;

	for (unsigned int i = 0; i < rounds; i++)
		size = mutate(&schema, data, size, ROOM, seed + i, other_bytes);
	return size;
}

static void test_mutate_makes_lists_of_nothing(void **state)
{
	uint8_t data[ROOM];
	size_t size = mutate(&schema, data, 0, ROOM, 1, other_bytes);

	assert_int_equal(oplist_parse(&list, &schema, data, size), 0);
	assert_true(list.count > 0);
}

static void test_mutate_is_repeatable(void **state)
{
	uint8_t one[ROOM], two[ROOM];
	size_t size;

	byte_calls = 0;
	size = grow(one, 7, 500);
	byte_calls = 0;
	assert_int_equal(grow(two, 7, 500), size);
	assert_memory_equal(one, two, size);
}

static void test_mutate_keeps_to_the_room(void **state)
{
	uint8_t data[64 + 1];
	size_t size = 0;

	data[64] = 0x5a;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		size = mutate(&schema, data, size, 64, i, other_bytes);
		assert_true(size <= 64);
		assert_int_equal(data[64], 0x5a);
	}
}

/* Nearly all results are lists again; now and then the engine has its way with the bytes. */
static void test_mutate_keeps_lists_lists(void **state)
{
	unsigned int lists = 0;
	uint8_t data[ROOM];
	size_t size = 0;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		size = mutate(&schema, data, size, ROOM, i, other_bytes);
		if (oplist_parse(&list, &schema, data, size) == 0) {
			uint8_t again[ROOM];

			lists++;
			assert_int_equal(oplist_write(&list, &schema, again, ROOM), size);
			assert_memory_equal(again, data, size);
		}
	}
	assert_in_range(lists, ROUNDS * 8 / 10, ROUNDS - 1);
}

static void test_mutate_makes_every_operation(void **state)
{
	bool seen[4] = {false};
	uint8_t data[ROOM];

	for (uint32_t seed = 0; seed < 200; seed++) {
		size_t size = grow(data, seed * 100, 5);

		if (oplist_parse(&list, &schema, data, size) != 0)
			continue;
		for (unsigned int i = 0; i < list.count; i++)
			seen[list.items[i].code] = true;
	}
	assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
}

static void test_mutate_leaves_other_bytes_to_the_engine(void **state)
{
	uint8_t data[ROOM] = "this is no operation list";

	byte_calls = 0;
	for (uint32_t i = 0; i < 64 && byte_calls == 0; i++)
		(void)mutate(&schema, data, 25, ROOM, i, other_bytes);
	assert_true(byte_calls > 0);
}

static void test_mutate_values_fit_their_field(void **state)
{
	static const struct oplist_field field = {"address", 4, OPLIST_ADDRESS, 0};
	bool any = false;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		uint64_t value = mutate_value(&schema, &field, i * UINT64_C(0x9e3779b97f4a7c15));

		assert_true(value <= UINT32_MAX);
		any = any || value == UINT32_MAX;
	}
	assert_true(any);
}

static void test_mutate_cross_has_operations_of_both(void **state)
{
	static const uint8_t one[] = {'r', 'p', OPLIST_VERSION, 9, 2, 0, 0, 0, 2, 0, 0, 0};
	static const uint8_t two[] = {'r', 'p', OPLIST_VERSION, 9, 3, 0, 0, 0};
	bool both = false;
	uint8_t out[ROOM];

	for (uint32_t seed = 0; seed < 100; seed++) {
		size_t size =
			mutate_cross(&schema, one, sizeof(one), two, sizeof(two), out, ROOM, seed);
		bool third = false, fourth = false;

		assert_int_equal(oplist_parse(&list, &schema, out, size), 0);
		for (unsigned int i = 0; i < list.count; i++) {
			third = third || list.items[i].code == 2;
			fourth = fourth || list.items[i].code == 3;
		}
		assert_true(fourth);
		both = both || third;
	}
	assert_true(both);
}

static void test_mutate_cross_refuses_other_bytes(void **state)
{
	static const uint8_t one[] = {'r', 'p', OPLIST_VERSION, 9, 2, 0, 0, 0};
	uint8_t out[ROOM];

	assert_int_equal(mutate_cross(&schema, one, sizeof(one), one, 5, out, ROOM, 1), 0);
	assert_int_equal(mutate_cross(&schema, one, 5, one, sizeof(one), out, ROOM, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutate_makes_lists_of_nothing),
		cmocka_unit_test(test_mutate_is_repeatable),
		cmocka_unit_test(test_mutate_keeps_to_the_room),
		cmocka_unit_test(test_mutate_keeps_lists_lists),
		cmocka_unit_test(test_mutate_makes_every_operation),
		cmocka_unit_test(test_mutate_leaves_other_bytes_to_the_engine),
		cmocka_unit_test(test_mutate_values_fit_their_field),
		cmocka_unit_test(test_mutate_cross_has_operations_of_both),
		cmocka_unit_test(test_mutate_cross_refuses_other_bytes),
	};

	return cmocka_run_group_tests_name("mutate", tests, NULL, NULL);
}
