/* SPDX-License-Identifier: BSD-2-Clause */
/* Codec of the message header and the name-service message; integers in byte order. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/bytes.h"
#include "wire/checked.h"
#include "wire/rpmsg.h"

static const struct rpmsg_hdr sample_hdr = {
	.src = 0x01020304,
	.dst = 0x11121314,
	.reserved = 0x21222324,
	.len = 0x3132,
	.flags = 0x4142,
};

static const uint8_t sample_le[RPMSG_HDR_SIZE] = {
	0x04, 0x03, 0x02, 0x01, 0x14, 0x13, 0x12, 0x11,
	0x24, 0x23, 0x22, 0x21, 0x32, 0x31, 0x42, 0x41,
};

static const uint8_t sample_be[RPMSG_HDR_SIZE] = {
	0x01, 0x02, 0x03, 0x04, 0x11, 0x12, 0x13, 0x14,
	0x21, 0x22, 0x23, 0x24, 0x31, 0x32, 0x41, 0x42,
};

static void assert_hdr_equal(const struct rpmsg_hdr *a, const struct rpmsg_hdr *b)
{
	assert_int_equal(a->src, b->src);
	assert_int_equal(a->dst, b->dst);
	assert_int_equal(a->reserved, b->reserved);
	assert_int_equal(a->len, b->len);
	assert_int_equal(a->flags, b->flags);
}

static void test_hdr_encode_little_endian_gives_exact_bytes(void **state)
{
	uint8_t bytes[RPMSG_HDR_SIZE];

	rpmsg_hdr_encode(&sample_hdr, bytes, WIRE_LITTLE_ENDIAN);
	assert_memory_equal(bytes, sample_le, sizeof(bytes));
}

static void test_hdr_encode_big_endian_gives_exact_bytes(void **state)
{
	uint8_t bytes[RPMSG_HDR_SIZE];

	rpmsg_hdr_encode(&sample_hdr, bytes, WIRE_BIG_ENDIAN);
	assert_memory_equal(bytes, sample_be, sizeof(bytes));
}

static void test_hdr_decode_little_endian_reads_every_field(void **state)
{
	struct rpmsg_hdr hdr;

	assert_int_equal(rpmsg_hdr_decode(&hdr, sample_le, sizeof(sample_le), WIRE_LITTLE_ENDIAN),
			 0);
	assert_hdr_equal(&hdr, &sample_hdr);
}

static void test_hdr_decode_big_endian_reads_every_field(void **state)
{
	struct rpmsg_hdr hdr;

	assert_int_equal(rpmsg_hdr_decode(&hdr, sample_be, sizeof(sample_be), WIRE_BIG_ENDIAN), 0);
	assert_hdr_equal(&hdr, &sample_hdr);
}

static void test_hdr_of_extreme_values_survives_round_trip(void **state)
{
	const struct rpmsg_hdr all_ones = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT16_MAX,
					   UINT16_MAX};
	const struct rpmsg_hdr all_zeros = {0};
	uint8_t bytes[RPMSG_HDR_SIZE];
	struct rpmsg_hdr hdr;

	rpmsg_hdr_encode(&all_ones, bytes, WIRE_LITTLE_ENDIAN);
	assert_int_equal(rpmsg_hdr_decode(&hdr, bytes, sizeof(bytes), WIRE_LITTLE_ENDIAN), 0);
	assert_hdr_equal(&hdr, &all_ones);
	rpmsg_hdr_encode(&all_zeros, bytes, WIRE_LITTLE_ENDIAN);
	assert_int_equal(rpmsg_hdr_decode(&hdr, bytes, sizeof(bytes), WIRE_LITTLE_ENDIAN), 0);
	assert_hdr_equal(&hdr, &all_zeros);
}

static void test_hdr_decode_of_unaligned_bytes(void **state)
{
	uint8_t bytes[RPMSG_HDR_SIZE + 1];
	struct rpmsg_hdr hdr;

	memcpy(bytes + 1, sample_le, sizeof(sample_le));
	assert_int_equal(rpmsg_hdr_decode(&hdr, bytes + 1, RPMSG_HDR_SIZE, WIRE_LITTLE_ENDIAN), 0);
	assert_hdr_equal(&hdr, &sample_hdr);
}

static void test_hdr_decode_of_15_bytes_is_refused(void **state)
{
	struct rpmsg_hdr hdr;

	assert_int_equal(rpmsg_hdr_decode(&hdr, sample_le, 15, WIRE_LITTLE_ENDIAN), -EMSGSIZE);
}

static void test_hdr_decode_of_0_bytes_is_refused(void **state)
{
	struct rpmsg_hdr hdr;

	assert_int_equal(rpmsg_hdr_decode(&hdr, sample_le, 0, WIRE_LITTLE_ENDIAN), -EMSGSIZE);
}

static void test_hdr_decode_leaves_len_above_size_to_the_caller(void **state)
{
	struct rpmsg_hdr hdr;

	assert_int_equal(rpmsg_hdr_decode(&hdr, sample_le, RPMSG_HDR_SIZE, WIRE_LITTLE_ENDIAN), 0);
	assert_int_equal(hdr.len, 0x3132);
}

static void test_order_of_modern_link_is_little_endian(void **state)
{
	assert_int_equal(rpmsg_order(true), WIRE_LITTLE_ENDIAN);
}

static void test_order_of_legacy_link_is_that_of_the_machine(void **state)
{
	const uint16_t one = 1;
	uint8_t first;

	memcpy(&first, &one, 1);
	assert_int_equal(rpmsg_order(false), first == 1 ? WIRE_LITTLE_ENDIAN : WIRE_BIG_ENDIAN);
}

static void test_ns_encode_gives_exact_bytes(void **state)
{
	uint8_t expected[RPMSG_NS_MSG_SIZE] = "rpmsg-tty";
	uint8_t bytes[RPMSG_NS_MSG_SIZE];

	memcpy(expected + 32, "\x01\x04\x00\x00", 4);
	memcpy(expected + 36, "\x01\x00\x00\x00", 4);
	memset(bytes, 0xaa, sizeof(bytes));
	rpmsg_ns_encode("rpmsg-tty", 1025, RPMSG_NS_DESTROY, bytes, WIRE_LITTLE_ENDIAN);
	assert_memory_equal(bytes, expected, sizeof(bytes));
}

static void test_ns_encode_big_endian_gives_exact_bytes(void **state)
{
	uint8_t expected[RPMSG_NS_MSG_SIZE] = "x";
	uint8_t bytes[RPMSG_NS_MSG_SIZE];

	memcpy(expected + 32, "\x00\x00\x04\x01", 4);
	memcpy(expected + 36, "\x12\x34\x56\x78", 4);
	rpmsg_ns_encode("x", 1025, 0x12345678, bytes, WIRE_BIG_ENDIAN);
	assert_memory_equal(bytes, expected, sizeof(bytes));
}

static void test_ns_encode_of_31_characters_keeps_all(void **state)
{
	const char name[] = "0123456789abcdefghijklmnopqrstu";
	uint8_t bytes[RPMSG_NS_MSG_SIZE];

	assert_int_equal(strlen(name), 31);
	rpmsg_ns_encode(name, 0, 0, bytes, WIRE_LITTLE_ENDIAN);
	assert_memory_equal(bytes, name, 32);
}

static void test_ns_encode_of_32_characters_cuts_the_last(void **state)
{
	const char name[] = "0123456789abcdefghijklmnopqrstuv";
	uint8_t bytes[RPMSG_NS_MSG_SIZE];

	rpmsg_ns_encode(name, 0, 0, bytes, WIRE_LITTLE_ENDIAN);
	assert_memory_equal(bytes, name, 31);
	assert_int_equal(bytes[31], 0);
}

static void test_ns_decode_reads_every_field(void **state)
{
	uint8_t bytes[RPMSG_NS_MSG_SIZE];
	struct rpmsg_ns_msg msg;

	rpmsg_ns_encode("rpmsg-raw", 0xfffffffe, 0x80000001, bytes, WIRE_LITTLE_ENDIAN);
	assert_int_equal(rpmsg_ns_decode(&msg, bytes, sizeof(bytes), WIRE_LITTLE_ENDIAN), 0);
	assert_string_equal(msg.name, "rpmsg-raw");
	assert_int_equal(msg.addr, 0xfffffffe);
	assert_int_equal(msg.flags, 0x80000001);
	assert_true(msg.name_terminated);
	assert_true(msg.name_padded);
}

static void test_ns_decode_big_endian_reads_every_field(void **state)
{
	uint8_t bytes[RPMSG_NS_MSG_SIZE];
	struct rpmsg_ns_msg msg;

	rpmsg_ns_encode("rpmsg-raw", 53, RPMSG_NS_DESTROY, bytes, WIRE_BIG_ENDIAN);
	assert_int_equal(rpmsg_ns_decode(&msg, bytes, sizeof(bytes), WIRE_BIG_ENDIAN), 0);
	assert_string_equal(msg.name, "rpmsg-raw");
	assert_int_equal(msg.addr, 53);
	assert_int_equal(msg.flags, RPMSG_NS_DESTROY);
}

static void test_ns_decode_unterminated_name_is_terminated_and_told(void **state)
{
	uint8_t bytes[RPMSG_NS_MSG_SIZE];
	struct rpmsg_ns_msg msg;

	memset(bytes, 'n', sizeof(bytes));
	assert_int_equal(rpmsg_ns_decode(&msg, bytes, sizeof(bytes), WIRE_LITTLE_ENDIAN), 0);
	assert_false(msg.name_terminated);
	assert_true(msg.name_padded);
	assert_int_equal(strlen(msg.name), RPMSG_NAME_SIZE);
}

static void test_ns_decode_name_with_nul_in_the_last_byte_is_terminated(void **state)
{
	uint8_t bytes[RPMSG_NS_MSG_SIZE];
	struct rpmsg_ns_msg msg;

	memset(bytes, 'n', sizeof(bytes));
	bytes[31] = 0;
	assert_int_equal(rpmsg_ns_decode(&msg, bytes, sizeof(bytes), WIRE_LITTLE_ENDIAN), 0);
	assert_true(msg.name_terminated);
	assert_int_equal(strlen(msg.name), 31);
}

static void test_ns_decode_dirt_behind_the_nul_is_told(void **state)
{
	uint8_t bytes[RPMSG_NS_MSG_SIZE];
	struct rpmsg_ns_msg msg;

	rpmsg_ns_encode("echo", 1, 0, bytes, WIRE_LITTLE_ENDIAN);
	bytes[31] = 1;
	assert_int_equal(rpmsg_ns_decode(&msg, bytes, sizeof(bytes), WIRE_LITTLE_ENDIAN), 0);
	assert_true(msg.name_terminated);
	assert_false(msg.name_padded);
	assert_string_equal(msg.name, "echo");
}

static void test_ns_decode_empty_name(void **state)
{
	const uint8_t bytes[RPMSG_NS_MSG_SIZE] = {0};
	struct rpmsg_ns_msg msg;

	assert_int_equal(rpmsg_ns_decode(&msg, bytes, sizeof(bytes), WIRE_LITTLE_ENDIAN), 0);
	assert_string_equal(msg.name, "");
	assert_true(msg.name_terminated);
	assert_true(msg.name_padded);
}

static void test_ns_decode_of_39_bytes_is_refused(void **state)
{
	const uint8_t bytes[RPMSG_NS_MSG_SIZE] = {0};
	struct rpmsg_ns_msg msg;

	assert_int_equal(rpmsg_ns_decode(&msg, bytes, 39, WIRE_LITTLE_ENDIAN), -EMSGSIZE);
}

static void test_ns_decode_of_41_bytes_is_refused(void **state)
{
	const uint8_t bytes[RPMSG_NS_MSG_SIZE + 1] = {0};
	struct rpmsg_ns_msg msg;

	assert_int_equal(rpmsg_ns_decode(&msg, bytes, 41, WIRE_LITTLE_ENDIAN), -EMSGSIZE);
}

static void test_bytes_little_endian_integers_are_exact(void **state)
{
	uint8_t bytes[8];

	wire_put_le64(bytes, UINT64_C(0x0102030405060708));
	assert_memory_equal(bytes, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
	assert_true(wire_get_le64(bytes) == UINT64_C(0x0102030405060708));
	assert_int_equal(wire_get_le32(bytes), 0x05060708);
	assert_int_equal(wire_get_le16(bytes), 0x0708);
}

static void test_bytes_with_high_bits_do_not_sign_extend(void **state)
{
	const uint8_t bytes[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	assert_true(wire_get_le64(bytes) == UINT64_MAX);
	assert_true(wire_get_le32(bytes) == UINT32_MAX);
	assert_true(wire_get_le16(bytes) == UINT16_MAX);
}

static void test_checked_add_tells_a_wrap(void **state)
{
	uint64_t sum;

	assert_true(checked_add64(UINT64_MAX - 1, 1, &sum));
	assert_true(sum == UINT64_MAX);
	assert_false(checked_add64(UINT64_MAX, 1, &sum));
}

static void test_checked_range_at_its_edges(void **state)
{
	assert_true(checked_range64(100, 50, 100, 50));
	assert_true(checked_range64(150, 0, 100, 50));
	assert_false(checked_range64(100, 51, 100, 50));
	assert_false(checked_range64(99, 1, 100, 50));
	assert_false(checked_range64(151, 0, 100, 50));
}

static void test_checked_range_that_wraps_is_never_inside(void **state)
{
	assert_false(checked_range64(UINT64_MAX, 2, 0, UINT64_MAX));
	assert_false(checked_range64(10, UINT64_MAX, 0, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hdr_encode_little_endian_gives_exact_bytes),
		cmocka_unit_test(test_hdr_encode_big_endian_gives_exact_bytes),
		cmocka_unit_test(test_hdr_decode_little_endian_reads_every_field),
		cmocka_unit_test(test_hdr_decode_big_endian_reads_every_field),
		cmocka_unit_test(test_hdr_of_extreme_values_survives_round_trip),
		cmocka_unit_test(test_hdr_decode_of_unaligned_bytes),
		cmocka_unit_test(test_hdr_decode_of_15_bytes_is_refused),
		cmocka_unit_test(test_hdr_decode_of_0_bytes_is_refused),
		cmocka_unit_test(test_hdr_decode_leaves_len_above_size_to_the_caller),
		cmocka_unit_test(test_order_of_modern_link_is_little_endian),
		cmocka_unit_test(test_order_of_legacy_link_is_that_of_the_machine),
		cmocka_unit_test(test_ns_encode_gives_exact_bytes),
		cmocka_unit_test(test_ns_encode_big_endian_gives_exact_bytes),
		cmocka_unit_test(test_ns_encode_of_31_characters_keeps_all),
		cmocka_unit_test(test_ns_encode_of_32_characters_cuts_the_last),
		cmocka_unit_test(test_ns_decode_reads_every_field),
		cmocka_unit_test(test_ns_decode_big_endian_reads_every_field),
		cmocka_unit_test(test_ns_decode_unterminated_name_is_terminated_and_told),
		cmocka_unit_test(test_ns_decode_name_with_nul_in_the_last_byte_is_terminated),
		cmocka_unit_test(test_ns_decode_dirt_behind_the_nul_is_told),
		cmocka_unit_test(test_ns_decode_empty_name),
		cmocka_unit_test(test_ns_decode_of_39_bytes_is_refused),
		cmocka_unit_test(test_ns_decode_of_41_bytes_is_refused),
		cmocka_unit_test(test_bytes_little_endian_integers_are_exact),
		cmocka_unit_test(test_bytes_with_high_bits_do_not_sign_extend),
		cmocka_unit_test(test_checked_add_tells_a_wrap),
		cmocka_unit_test(test_checked_range_at_its_edges),
		cmocka_unit_test(test_checked_range_that_wraps_is_never_inside),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
