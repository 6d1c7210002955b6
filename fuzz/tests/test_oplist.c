/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/oplist.h"

static const struct oplist_op ops[] = {
	{.name = "first",
	 .fields = {{"small", 1, OPLIST_CHOICE, 10}, {"large", 8, OPLIST_NUMBER, 0}}},
	{.name = "second", .tail = "bytes", .fields = {{"length", 2, OPLIST_LENGTH, 0}}},
	{.name = "third"},
};

static const struct oplist_schema schema = {.name = "test", .id = 9, .count = 3, .ops = ops};

static struct oplist list;

static const uint8_t good[] = {
	'r',  'p',  OPLIST_VERSION,
	9, /* header */
	0,    0,    9,
	0,    13,   1,
	2,    3,    4,
	5,    6,    7,
	8, /* first */
	1,    0,    4,
	0,    0xf0, 1,
	'h',  'i', /* second */
	2,    0,    0,
	0, /* third */
	0,    0,    3,
	0,    7,    0x11,
	0x22, /* first, cut short */
};

static void test_oplist_reads_what_the_bytes_say(void **state)
{
	const uint8_t *tail;
	size_t size;

	assert_int_equal(oplist_parse(&list, &schema, good, sizeof(good)), 0);
	assert_int_equal(list.count, 4);
	assert_int_equal(oplist_get(&schema, &list.items[0], 1), 0x0807060504030201);
	assert_int_equal(oplist_get(&schema, &list.items[1], 0), 0x1f0);
	tail = oplist_tail(&schema, &list.items[1], &size);
	assert_int_equal(size, 2);
	assert_memory_equal(tail, "hi", 2);
}

static void test_oplist_choice_is_below_its_bound(void **state)
{
	assert_int_equal(oplist_parse(&list, &schema, good, sizeof(good)), 0);
	assert_int_equal(oplist_get(&schema, &list.items[0], 0), 3);
}

static void test_oplist_short_body_reads_as_zero(void **state)
{
	size_t size;

	assert_int_equal(oplist_parse(&list, &schema, good, sizeof(good)), 0);
	assert_int_equal(oplist_get(&schema, &list.items[3], 1), 0x2211);
	oplist_tail(&schema, &list.items[3], &size);
	assert_int_equal(size, 0);
}

static void test_oplist_writes_what_it_read(void **state)
{
	uint8_t again[sizeof(good)];

	assert_int_equal(oplist_parse(&list, &schema, good, sizeof(good)), 0);
	assert_int_equal(oplist_write(&list, &schema, again, sizeof(again)), sizeof(good));
	assert_memory_equal(again, good, sizeof(good));
}

static void test_oplist_without_room_leaves_whole_operations_out(void **state)
{
	uint8_t again[sizeof(good)];

	assert_int_equal(oplist_parse(&list, &schema, good, sizeof(good)), 0);
	assert_int_equal(oplist_write(&list, &schema, again, 20), 17);
	assert_int_equal(oplist_write(&list, &schema, again, 3), 0);
	assert_int_equal(oplist_parse(&list, &schema, again, 17), 0);
	assert_int_equal(list.count, 1);
}

static void refuse(size_t at, uint8_t value, size_t size)
{
	uint8_t bad[sizeof(good)];

	memcpy(bad, good, sizeof(bad));
	bad[at] = value;
	assert_int_equal(oplist_parse(&list, &schema, bad, size), -EINVAL);
}

static void test_oplist_refuses_what_is_no_list(void **state)
{
	refuse(0, 'x', sizeof(good));
	refuse(2, OPLIST_VERSION + 1, sizeof(good)); /* another version */
	refuse(3, 8, sizeof(good));		     /* another target */
	refuse(4, 3, sizeof(good));		     /* no such operation */
	refuse(5, 1, sizeof(good));		     /* reserved */
	refuse(0, 'r', sizeof(good) - 1);	     /* cut off */
	refuse(0, 'r', 3);
}

static void test_oplist_has_a_limit(void **state)
{
	static uint8_t many[OPLIST_HEADER_SIZE + 4 * (OPLIST_MAX_ITEMS + 1)];

	memcpy(many, good, OPLIST_HEADER_SIZE);
	for (size_t i = OPLIST_HEADER_SIZE; i < sizeof(many); i += 4)
		many[i] = 2;
	assert_int_equal(oplist_parse(&list, &schema, many, sizeof(many) - 4), 0);
	assert_int_equal(oplist_parse(&list, &schema, many, sizeof(many)), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oplist_reads_what_the_bytes_say),
		cmocka_unit_test(test_oplist_choice_is_below_its_bound),
		cmocka_unit_test(test_oplist_short_body_reads_as_zero),
		cmocka_unit_test(test_oplist_writes_what_it_read),
		cmocka_unit_test(test_oplist_without_room_leaves_whole_operations_out),
		cmocka_unit_test(test_oplist_refuses_what_is_no_list),
		cmocka_unit_test(test_oplist_has_a_limit),
	};

	return cmocka_run_group_tests_name("oplist", tests, NULL, NULL);
}
