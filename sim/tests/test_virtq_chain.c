/* SPDX-License-Identifier: BSD-2-Clause */
/* Split virtqueue, device side: every legal shape of a chain, and copying in and out of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/ring_fixture.h"

#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT

#define TABLE (RING_LOW + 0x1008) /* of indirect descriptors: 8-byte aligned at most */

static struct ring ring;
static struct virtq_chain chain;

static int setup(void **state)
{
	ring_setup(&ring, 8, VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC));
	return 0;
}

static int teardown(void **state)
{
	ring_teardown(&ring);
	return 0;
}

/* Pop one chain, which has to have these properties. */
static void assert_pops(uint16_t head, uint32_t descs, uint32_t readable_descs, uint32_t readable,
			uint32_t writable)
{
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(chain.head, head);
	assert_int_equal(chain.desc_count, descs);
	assert_int_equal(chain.readable_count, readable_descs);
	assert_int_equal(chain.readable, readable);
	assert_int_equal(chain.writable, writable);
	assert_int_equal(ring.report_count, 0);
}

static void assert_reads(uint64_t offset, size_t size, const char *expected)
{
	char bytes[64] = "";
	size_t length = strlen(expected);

	assert_true(size < sizeof(bytes));
	assert_int_equal(virtq_read(&ring.vq, &chain, offset, bytes, size), length);
	assert_memory_equal(bytes, expected, length + 1);
}

static void put(uint64_t guest_addr, const char *text)
{
	assert_int_equal(gmem_write(&ring.mem, guest_addr, text, strlen(text)), 0);
}

static void test_chain_of_one_readable(void **state)
{
	ring_offer_buffer(&ring, 5, RING_LOW, 100, false);
	assert_pops(5, 1, 1, 100, 0);
	assert_false(chain.indirect);
	assert_true(chain.descs[0].addr == RING_LOW);
	assert_int_equal(chain.descs[0].len, 100);
}

static void test_chain_of_one_writable(void **state)
{
	ring_offer_buffer(&ring, 5, RING_LOW, 100, true);
	assert_pops(5, 1, 0, 0, 100);
}

static void test_chain_of_three_readable(void **state)
{
	ring_put_desc(&ring, 6, RING_LOW, 1, NEXT, 0);
	ring_put_desc(&ring, 0, RING_LOW, 2, NEXT, 3);
	ring_put_desc(&ring, 3, RING_LOW, 4, 0, 7);
	ring_offer(&ring, 6);
	assert_pops(6, 3, 3, 7, 0);
}

static void test_chain_of_three_writable(void **state)
{
	ring_put_desc(&ring, 6, RING_LOW, 1, NEXT | WRITE, 0);
	ring_put_desc(&ring, 0, RING_LOW, 2, NEXT | WRITE, 3);
	ring_put_desc(&ring, 3, RING_LOW, 4, WRITE, 0);
	ring_offer(&ring, 6);
	assert_pops(6, 3, 0, 0, 7);
}

static void test_chain_of_readable_then_writable(void **state)
{
	ring_put_desc(&ring, 1, RING_LOW, 1, NEXT, 2);
	ring_put_desc(&ring, 2, RING_LOW, 2, NEXT, 3);
	ring_put_desc(&ring, 3, RING_LOW, 4, NEXT | WRITE, 4);
	ring_put_desc(&ring, 4, RING_LOW, 8, WRITE, 0);
	ring_offer(&ring, 1);
	assert_pops(1, 4, 2, 3, 12);
}

static void test_chain_as_long_as_the_queue(void **state)
{
	for (uint16_t i = 0; i < 8; i++)
		ring_put_desc(&ring, i, RING_LOW + i, 1, i < 7 ? NEXT : 0, (uint16_t)(i + 1));
	ring_offer(&ring, 0);
	assert_pops(0, 8, 8, 8, 0);
}

static void test_chain_of_32768_descriptors(void **state)
{
	struct ring big;

	ring_setup(&big, 32768, 0);
	for (uint32_t i = 0; i < 32768; i++)
		ring_put_desc(&big, (uint16_t)i, RING_LOW, 2, i < 32767 ? NEXT : 0,
			      (uint16_t)(i + 1));
	ring_offer(&big, 0);
	assert_int_equal(virtq_pop(&big.vq, &chain), 1);
	assert_int_equal(chain.desc_count, 32768);
	assert_int_equal(chain.readable, 65536);
	ring_teardown(&big);
}

static void test_chain_next_without_flag_is_ignored(void **state)
{
	ring_put_desc(&ring, 1, RING_LOW, 16, 0, 65535);
	ring_offer(&ring, 1);
	assert_pops(1, 1, 1, 16, 0);
}

static void test_chain_unknown_flags_are_ignored(void **state)
{
	ring_put_desc(&ring, 1, RING_LOW, 16, 0xfff8, 0);
	ring_offer(&ring, 1);
	assert_pops(1, 1, 1, 16, 0);
}

static void test_chain_descriptor_without_bytes_may_point_anywhere(void **state)
{
	ring_put_desc(&ring, 1, 0, 0, NEXT, 2);
	ring_put_desc(&ring, 2, RING_LOW, 5, NEXT, 3);
	ring_put_desc(&ring, 3, UINT64_MAX, 0, 0, 0);
	ring_offer(&ring, 1);
	put(RING_LOW, "hello");
	assert_pops(1, 3, 3, 5, 0);
	assert_reads(0, 10, "hello");
}

static void test_chain_buffer_of_first_and_last_byte_of_memory(void **state)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 1, false);
	ring_offer_buffer(&ring, 1, RING_END - 1, 1, false);
	assert_pops(0, 1, 1, 1, 0);
	assert_pops(1, 1, 1, 1, 0);
}

static void test_chain_buffer_across_a_region_border(void **state)
{
	ring_offer_buffer(&ring, 0, RING_HIGH - 3, 6, false);
	put(RING_HIGH - 3, "abcdef");
	assert_pops(0, 1, 1, 6, 0);
	assert_reads(0, 6, "abcdef");
}

static void test_chain_buffer_over_all_memory(void **state)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 2 * RING_REGION_SIZE, true);
	assert_pops(0, 1, 0, 0, 2 * RING_REGION_SIZE);
}

static void test_chain_indirect_readable_then_writable(void **state)
{
	ring_put_indirect(&ring, TABLE, 0, RING_LOW, 1, NEXT, 1);
	ring_put_indirect(&ring, TABLE, 1, RING_LOW, 2, NEXT | WRITE, 2);
	ring_put_indirect(&ring, TABLE, 2, RING_LOW, 4, WRITE, 0);
	ring_put_desc(&ring, 4, TABLE, 3 * VRING_DESC_SIZE, INDIRECT, 0);
	ring_offer(&ring, 4);
	assert_pops(4, 3, 1, 1, 6);
	assert_true(chain.indirect);
}

static void test_chain_indirect_of_one_entry(void **state)
{
	ring_put_indirect(&ring, TABLE, 0, RING_LOW, 9, WRITE, 0);
	ring_put_desc(&ring, 4, TABLE, VRING_DESC_SIZE, INDIRECT, 0);
	ring_offer(&ring, 4);
	assert_pops(4, 1, 0, 0, 9);
}

static void test_chain_indirect_follows_next_not_the_order_of_entries(void **state)
{
	ring_put_indirect(&ring, TABLE, 0, RING_LOW, 1, NEXT, 3);
	ring_put_indirect(&ring, TABLE, 3, RING_LOW, 2, NEXT, 1);
	ring_put_indirect(&ring, TABLE, 1, RING_LOW, 4, 0, 0);
	ring_put_desc(&ring, 0, TABLE, 4 * VRING_DESC_SIZE, INDIRECT, 0);
	ring_offer(&ring, 0);
	assert_pops(0, 3, 3, 7, 0);
	assert_int_equal(chain.descs[1].len, 2);
}

static void test_chain_indirect_write_flag_of_the_reference_is_ignored(void **state)
{
	ring_put_indirect(&ring, TABLE, 0, RING_LOW, 9, 0, 0);
	ring_put_desc(&ring, 4, TABLE, VRING_DESC_SIZE, INDIRECT | WRITE, 0);
	ring_offer(&ring, 4);
	assert_pops(4, 1, 1, 9, 0);
}

static void test_chain_direct_descriptors_before_a_table(void **state)
{
	ring_put_desc(&ring, 1, RING_LOW, 1, NEXT, 2);
	ring_put_desc(&ring, 2, TABLE, 2 * VRING_DESC_SIZE, INDIRECT, 0);
	ring_put_indirect(&ring, TABLE, 0, RING_LOW, 2, NEXT, 1);
	ring_put_indirect(&ring, TABLE, 1, RING_LOW, 4, WRITE, 0);
	ring_offer(&ring, 1);
	assert_pops(1, 3, 2, 3, 4);
	assert_true(chain.indirect);
}

static void test_chain_indirect_table_across_a_region_border(void **state)
{
	/* The border goes through the middle of entry 0. */
	const uint64_t table = RING_HIGH - 8;

	ring_put_indirect(&ring, table, 0, RING_LOW, 3, NEXT, 1);
	ring_put_indirect(&ring, table, 1, RING_LOW, 5, 0, 0);
	ring_put_desc(&ring, 0, table, 2 * VRING_DESC_SIZE, INDIRECT, 0);
	ring_offer(&ring, 0);
	assert_pops(0, 2, 2, 8, 0);
}

static void test_chain_indirect_as_long_as_the_queue(void **state)
{
	for (uint16_t i = 0; i < 8; i++)
		ring_put_indirect(&ring, TABLE, i, RING_LOW, 1, i < 7 ? NEXT : 0,
				  (uint16_t)(i + 1));
	ring_put_desc(&ring, 0, TABLE, 8 * VRING_DESC_SIZE, INDIRECT, 0);
	ring_offer(&ring, 0);
	assert_pops(0, 8, 8, 8, 0);
}

static void test_chain_indirect_table_longer_than_the_queue_may_hold_a_short_chain(void **state)
{
	ring_put_indirect(&ring, TABLE, 0, RING_LOW, 1, NEXT, 99);
	ring_put_indirect(&ring, TABLE, 99, RING_LOW, 2, 0, 0);
	ring_put_desc(&ring, 0, TABLE, 100 * VRING_DESC_SIZE, INDIRECT, 0);
	ring_offer(&ring, 0);
	assert_pops(0, 2, 2, 3, 0);
}

static void test_chain_indirect_in_a_queue_of_one(void **state)
{
	struct ring one;

	ring_setup(&one, 1, VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC));
	ring_put_indirect(&one, TABLE, 0, RING_LOW, 7, WRITE, 0);
	ring_put_desc(&one, 0, TABLE, VRING_DESC_SIZE, INDIRECT, 0);
	ring_offer(&one, 0);
	assert_int_equal(virtq_pop(&one.vq, &chain), 1);
	assert_int_equal(chain.writable, 7);
	ring_teardown(&one);
}

static void test_chain_descriptors_are_private_copies(void **state)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 5, false);
	put(RING_LOW, "right");
	put(RING_LOW + 100, "wrong");
	assert_pops(0, 1, 1, 5, 0);
	ring_put_desc(&ring, 0, RING_LOW + 100, 1000, 0, 0);
	assert_reads(0, 20, "right");
}

/* "ab" + "" + "cde" + "f" in the readable part, then 3 + 4 writable bytes. */
static void offer_mixed(void)
{
	put(RING_LOW, "ab");
	put(RING_LOW + 100, "cde");
	put(RING_LOW + 200, "f");
	ring_put_desc(&ring, 0, RING_LOW, 2, NEXT, 1);
	ring_put_desc(&ring, 1, RING_LOW, 0, NEXT, 2);
	ring_put_desc(&ring, 2, RING_LOW + 100, 3, NEXT, 3);
	ring_put_desc(&ring, 3, RING_LOW + 200, 1, NEXT, 4);
	ring_put_desc(&ring, 4, RING_LOW + 300, 3, NEXT | WRITE, 5);
	ring_put_desc(&ring, 5, RING_HIGH - 2, 4, WRITE, 0);
	ring_offer(&ring, 0);
	assert_pops(0, 6, 4, 6, 7);
}

static void test_chain_read_joins_descriptors(void **state)
{
	offer_mixed();
	assert_reads(0, 6, "abcdef");
}

static void test_chain_read_from_any_offset(void **state)
{
	offer_mixed();
	assert_reads(1, 3, "bcd");
	assert_reads(2, 3, "cde");
	assert_reads(4, 2, "ef");
	assert_reads(5, 1, "f");
}

static void test_chain_read_ends_at_the_readable_part(void **state)
{
	offer_mixed();
	assert_reads(0, 40, "abcdef");
	assert_reads(3, 40, "def");
}

static void test_chain_read_behind_the_end_gives_nothing(void **state)
{
	offer_mixed();
	assert_reads(6, 10, "");
	assert_reads(UINT64_MAX, 10, "");
}

static void test_chain_read_of_no_bytes(void **state)
{
	offer_mixed();
	assert_reads(0, 0, "");
}

static void test_chain_write_splits_over_descriptors(void **state)
{
	offer_mixed();
	assert_int_equal(virtq_write(&ring.vq, &chain, 0, "1234567", 7), 7);
	assert_memory_equal(ring_host(&ring, RING_LOW + 300), "123\0", 4);
	assert_memory_equal(ring_host(&ring, RING_HIGH - 2), "45", 2);
	assert_memory_equal(ring_host(&ring, RING_HIGH), "67\0", 3);
}

static void test_chain_write_from_any_offset(void **state)
{
	offer_mixed();
	assert_int_equal(virtq_write(&ring.vq, &chain, 2, "xyz", 3), 3);
	assert_memory_equal(ring_host(&ring, RING_LOW + 300), "\0\0x\0", 4);
	assert_memory_equal(ring_host(&ring, RING_HIGH - 2), "yz", 2);
	assert_memory_equal(ring_host(&ring, RING_HIGH), "\0", 1);
}

static void test_chain_write_ends_at_the_writable_part(void **state)
{
	offer_mixed();
	assert_int_equal(virtq_write(&ring.vq, &chain, 0, "123456789", 9), 7);
	assert_memory_equal(ring_host(&ring, RING_HIGH), "67\0\0", 4);
	assert_int_equal(virtq_write(&ring.vq, &chain, 7, "x", 1), 0);
}

static void test_chain_write_never_touches_the_readable_part(void **state)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 4, false);
	assert_pops(0, 1, 1, 4, 0);
	assert_int_equal(virtq_write(&ring.vq, &chain, 0, "evil", 4), 0);
	assert_memory_equal(ring_host(&ring, RING_LOW), "\0\0\0\0", 4);
}

static void test_chain_read_never_sees_the_writable_part(void **state)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 4, true);
	put(RING_LOW, "dirt");
	assert_pops(0, 1, 0, 0, 4);
	assert_reads(0, 4, "");
}

static void test_chain_copy_after_memory_went_away_is_refused(void **state)
{
	struct gmem_region removed;
	char byte = 0;

	ring_put_desc(&ring, 0, RING_LOW, 4, NEXT, 1);
	ring_put_desc(&ring, 1, RING_LOW, 4, WRITE, 0);
	ring_offer(&ring, 0);
	assert_pops(0, 2, 1, 4, 4);
	assert_int_equal(
		gmem_remove(&ring.mem, RING_LOW, RING_LOW_USER, RING_REGION_SIZE, &removed), 0);
	assert_int_equal(virtq_read(&ring.vq, &chain, 0, &byte, 1), -EFAULT);
	assert_int_equal(virtq_write(&ring.vq, &chain, 0, &byte, 1), -EFAULT);
}

static void test_chain_of_exactly_4_gib_is_legal(void **state)
{
	/* Four times the same GiB; nothing of it is ever touched. */
	static uint8_t anything;
	const struct gmem_region gib = {UINT64_C(1) << 40, UINT64_C(1) << 30, UINT64_C(1) << 40,
					&anything};

	assert_int_equal(gmem_add(&ring.mem, &gib), 0);
	for (uint16_t i = 0; i < 4; i++)
		ring_put_desc(&ring, i, gib.guest_addr, 1U << 30, i < 3 ? NEXT : 0,
			      (uint16_t)(i + 1));
	ring_offer(&ring, 0);
	assert_pops(0, 4, 4, UINT32_MAX, 0);
}

int main(void)
{
#define WITH_RING(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_RING(test_chain_of_one_readable),
		WITH_RING(test_chain_of_one_writable),
		WITH_RING(test_chain_of_three_readable),
		WITH_RING(test_chain_of_three_writable),
		WITH_RING(test_chain_of_readable_then_writable),
		WITH_RING(test_chain_as_long_as_the_queue),
		WITH_RING(test_chain_of_32768_descriptors),
		WITH_RING(test_chain_next_without_flag_is_ignored),
		WITH_RING(test_chain_unknown_flags_are_ignored),
		WITH_RING(test_chain_descriptor_without_bytes_may_point_anywhere),
		WITH_RING(test_chain_buffer_of_first_and_last_byte_of_memory),
		WITH_RING(test_chain_buffer_across_a_region_border),
		WITH_RING(test_chain_buffer_over_all_memory),
		WITH_RING(test_chain_indirect_readable_then_writable),
		WITH_RING(test_chain_indirect_of_one_entry),
		WITH_RING(test_chain_indirect_follows_next_not_the_order_of_entries),
		WITH_RING(test_chain_indirect_write_flag_of_the_reference_is_ignored),
		WITH_RING(test_chain_direct_descriptors_before_a_table),
		WITH_RING(test_chain_indirect_table_across_a_region_border),
		WITH_RING(test_chain_indirect_as_long_as_the_queue),
		WITH_RING(test_chain_indirect_table_longer_than_the_queue_may_hold_a_short_chain),
		WITH_RING(test_chain_indirect_in_a_queue_of_one),
		WITH_RING(test_chain_descriptors_are_private_copies),
		WITH_RING(test_chain_read_joins_descriptors),
		WITH_RING(test_chain_read_from_any_offset),
		WITH_RING(test_chain_read_ends_at_the_readable_part),
		WITH_RING(test_chain_read_behind_the_end_gives_nothing),
		WITH_RING(test_chain_read_of_no_bytes),
		WITH_RING(test_chain_write_splits_over_descriptors),
		WITH_RING(test_chain_write_from_any_offset),
		WITH_RING(test_chain_write_ends_at_the_writable_part),
		WITH_RING(test_chain_write_never_touches_the_readable_part),
		WITH_RING(test_chain_read_never_sees_the_writable_part),
		WITH_RING(test_chain_copy_after_memory_went_away_is_refused),
		WITH_RING(test_chain_of_exactly_4_gib_is_legal),
	};

	return cmocka_run_group_tests_name("virtq_chain", tests, NULL, NULL);
}
