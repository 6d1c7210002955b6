/* SPDX-License-Identifier: BSD-2-Clause */
/* Split virtqueue, device side: each thing that a driver can do wrong, by name. */
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

#define TABLE (RING_LOW + 0x1000)
#define NONE VIOLATION_NO_DESC

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

static void test_hostile_avail_index_ahead_by_more_than_the_size(void **state)
{
	ring_set_avail_idx(&ring, 9);
	ring_assert_violation(&ring, VIOLATION_VQ_AVAIL_JUMP, NONE, 8, 9);
}

static void test_hostile_avail_index_ahead_by_exactly_the_size_is_legal(void **state)
{
	ring_set_avail_idx(&ring, 8);
	assert_int_equal(virtq_avail_count(&ring.vq), 8);
}

static void test_hostile_avail_index_behind_what_was_popped(void **state)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 1, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	ring_set_avail_idx(&ring, 0);
	ring_assert_violation(&ring, VIOLATION_VQ_AVAIL_JUMP, NONE, 8, 65535);
}

static void test_hostile_avail_index_behind_what_was_seen(void **state)
{
	for (uint16_t i = 0; i < 3; i++)
		ring_offer_buffer(&ring, i, RING_LOW, 1, false);
	assert_int_equal(virtq_avail_count(&ring.vq), 3);
	ring_set_avail_idx(&ring, 2);
	assert_int_equal(virtq_avail_count(&ring.vq), -EPROTO);
	assert_int_equal(ring.report_count, 1);
	assert_int_equal(ring.reports[0].what, VIOLATION_VQ_AVAIL_JUMP);
}

static void test_hostile_avail_index_ahead_of_what_waits(void **state)
{
	for (uint16_t i = 0; i < 5; i++)
		ring_offer_buffer(&ring, i, RING_LOW, 1, false);
	assert_int_equal(virtq_avail_count(&ring.vq), 5);
	/* Four more would be legal for an empty queue, but five wait already. */
	ring_set_avail_idx(&ring, 9);
	assert_int_equal(virtq_avail_count(&ring.vq), -EPROTO);
	assert_int_equal(ring.reports[0].seen, 9);
}

static void test_hostile_avail_index_jump_across_the_wrap(void **state)
{
	ring_restart_at(&ring, 65530);
	ring_set_avail_idx(&ring, 3);
	ring_assert_violation(&ring, VIOLATION_VQ_AVAIL_JUMP, NONE, 8, 9);
}

static void test_hostile_avail_index_jump_in_a_queue_of_32768(void **state)
{
	struct ring big;

	ring_setup(&big, 32768, 0);
	ring_set_avail_idx(&big, 32769);
	ring_assert_violation(&big, VIOLATION_VQ_AVAIL_JUMP, NONE, 32768, 32769);
	ring_teardown(&big);
}

static void test_hostile_head_just_out_of_range(void **state)
{
	ring_offer(&ring, 8);
	ring_assert_violation(&ring, VIOLATION_VQ_HEAD_RANGE, 8, 8, 8);
}

static void test_hostile_head_far_out_of_range(void **state)
{
	ring_offer(&ring, 65535);
	ring_assert_violation(&ring, VIOLATION_VQ_HEAD_RANGE, 65535, 8, 65535);
}

static void test_hostile_head_already_in_flight(void **state)
{
	ring_offer_buffer(&ring, 3, RING_LOW, 1, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	ring_offer(&ring, 3);
	ring_assert_violation(&ring, VIOLATION_VQ_INFLIGHT, 3, 0, 3);
}

static void test_hostile_head_offered_twice_at_once(void **state)
{
	ring_offer_buffer(&ring, 3, RING_LOW, 1, false);
	ring_offer(&ring, 3);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	ring_assert_violation(&ring, VIOLATION_VQ_INFLIGHT, 3, 0, 3);
}

static void test_hostile_next_out_of_range(void **state)
{
	ring_put_desc(&ring, 2, RING_LOW, 1, NEXT, 8);
	ring_offer(&ring, 2);
	ring_assert_violation(&ring, VIOLATION_VQ_NEXT_RANGE, 2, 8, 8);
}

static void test_hostile_next_out_of_range_in_the_middle(void **state)
{
	ring_put_desc(&ring, 2, RING_LOW, 1, NEXT, 5);
	ring_put_desc(&ring, 5, RING_LOW, 1, NEXT, 65535);
	ring_offer(&ring, 2);
	ring_assert_violation(&ring, VIOLATION_VQ_NEXT_RANGE, 5, 8, 65535);
}

static void test_hostile_loop_of_one(void **state)
{
	ring_put_desc(&ring, 2, RING_LOW, 1, NEXT, 2);
	ring_offer(&ring, 2);
	ring_assert_violation(&ring, VIOLATION_VQ_LOOP, 2, 8, 9);
}

static void test_hostile_loop_of_two_behind_a_start(void **state)
{
	ring_put_desc(&ring, 0, RING_LOW, 1, NEXT, 1);
	ring_put_desc(&ring, 1, RING_LOW, 1, NEXT | WRITE, 2);
	ring_put_desc(&ring, 2, RING_LOW, 1, NEXT | WRITE, 1);
	ring_offer(&ring, 0);
	/* 0 1 2 1 2 1 2 1, and then 2 would be the ninth. */
	ring_assert_violation(&ring, VIOLATION_VQ_LOOP, 1, 8, 9);
}

static void test_hostile_loop_through_a_whole_queue_of_32768_ends(void **state)
{
	struct ring big;

	ring_setup(&big, 32768, 0);
	for (uint32_t i = 0; i < 32768; i++)
		ring_put_desc(&big, (uint16_t)i, RING_LOW, 1, NEXT, (uint16_t)((i + 1) % 32768));
	ring_offer(&big, 0);
	ring_assert_violation(&big, VIOLATION_VQ_LOOP, 32767, 32768, 32769);
	ring_teardown(&big);
}

static void test_hostile_loop_in_a_queue_of_one(void **state)
{
	struct ring one;

	ring_setup(&one, 1, 0);
	ring_put_desc(&one, 0, RING_LOW, 1, NEXT, 0);
	ring_offer(&one, 0);
	ring_assert_violation(&one, VIOLATION_VQ_LOOP, 0, 1, 2);
	ring_teardown(&one);
}

static void test_hostile_address_of_nothing(void **state)
{
	ring_offer_buffer(&ring, 1, 0, 1, false);
	ring_assert_violation(&ring, VIOLATION_VQ_ADDRESS, 1, 1, 0);
}

static void test_hostile_address_one_byte_before_memory(void **state)
{
	ring_offer_buffer(&ring, 1, RING_LOW - 1, 2, false);
	ring_assert_violation(&ring, VIOLATION_VQ_ADDRESS, 1, 2, RING_LOW - 1);
}

static void test_hostile_length_one_byte_beyond_memory(void **state)
{
	ring_offer_buffer(&ring, 1, RING_END - 16, 17, true);
	ring_assert_violation(&ring, VIOLATION_VQ_ADDRESS, 1, 17, RING_END - 16);
}

static void test_hostile_length_of_4_gib_less_one(void **state)
{
	ring_offer_buffer(&ring, 1, RING_LOW, UINT32_MAX, true);
	ring_assert_violation(&ring, VIOLATION_VQ_ADDRESS, 1, UINT32_MAX, RING_LOW);
}

static void test_hostile_address_plus_length_wraps(void **state)
{
	ring_offer_buffer(&ring, 1, UINT64_MAX - 15, 0x40000020, false);
	ring_assert_violation(&ring, VIOLATION_VQ_ADDRESS, 1, 0x40000020, UINT64_MAX - 15);
}

static void test_hostile_address_in_a_later_descriptor(void **state)
{
	ring_put_desc(&ring, 0, RING_LOW, 16, NEXT, 7);
	ring_put_desc(&ring, 7, RING_END, 16, WRITE, 0);
	ring_offer(&ring, 0);
	ring_assert_violation(&ring, VIOLATION_VQ_ADDRESS, 7, 16, RING_END);
}

static void test_hostile_readable_after_writable(void **state)
{
	ring_put_desc(&ring, 0, RING_LOW, 16, NEXT | WRITE, 1);
	ring_put_desc(&ring, 1, RING_LOW, 16, 0, 0);
	ring_offer(&ring, 0);
	ring_assert_violation(&ring, VIOLATION_VQ_ORDER, 1, WRITE, 0);
}

static void test_hostile_readable_between_writables(void **state)
{
	ring_put_desc(&ring, 0, RING_LOW, 16, NEXT, 1);
	ring_put_desc(&ring, 1, RING_LOW, 16, NEXT | WRITE, 2);
	ring_put_desc(&ring, 2, RING_LOW, 16, NEXT, 3);
	ring_put_desc(&ring, 3, RING_LOW, 16, WRITE, 0);
	ring_offer(&ring, 0);
	ring_assert_violation(&ring, VIOLATION_VQ_ORDER, 2, WRITE, NEXT);
}

static void test_hostile_chain_of_more_than_4_gib(void **state)
{
	static uint8_t anything;
	const struct gmem_region gib = {UINT64_C(1) << 40, UINT64_C(1) << 30, UINT64_C(1) << 40,
					&anything};

	assert_int_equal(gmem_add(&ring.mem, &gib), 0);
	for (uint16_t i = 0; i < 4; i++)
		ring_put_desc(&ring, i, gib.guest_addr, 1U << 30, NEXT, (uint16_t)(i + 1));
	/* Bytes of both directions count together. */
	ring_put_desc(&ring, 4, RING_LOW, 1, WRITE, 0);
	ring_offer(&ring, 0);
	ring_assert_violation(&ring, VIOLATION_VQ_TOTAL_LENGTH, 4, UINT64_C(1) << 32,
			      (UINT64_C(1) << 32) + 1);
}

static void test_hostile_indirect_not_negotiated(void **state)
{
	struct ring plain;

	ring_setup(&plain, 8, 0);
	ring_put_indirect(&plain, TABLE, 0, RING_LOW, 1, 0, 0);
	ring_put_desc(&plain, 1, TABLE, VRING_DESC_SIZE, INDIRECT, 0);
	ring_offer(&plain, 1);
	ring_assert_violation(&plain, VIOLATION_VQ_INDIRECT_OFF, 1, 0, INDIRECT);
	ring_teardown(&plain);
}

static void test_hostile_indirect_together_with_next(void **state)
{
	ring_put_indirect(&ring, TABLE, 0, RING_LOW, 1, 0, 0);
	ring_put_desc(&ring, 1, TABLE, VRING_DESC_SIZE, INDIRECT | NEXT, 2);
	ring_offer(&ring, 1);
	ring_assert_violation(&ring, VIOLATION_VQ_INDIRECT_NEXT, 1, INDIRECT, INDIRECT | NEXT);
}

static void test_hostile_indirect_table_of_no_bytes(void **state)
{
	ring_put_desc(&ring, 1, TABLE, 0, INDIRECT, 0);
	ring_offer(&ring, 1);
	ring_assert_violation(&ring, VIOLATION_VQ_INDIRECT_SIZE, 1, VRING_DESC_SIZE, 0);
}

static void test_hostile_indirect_table_of_part_of_an_entry(void **state)
{
	ring_put_desc(&ring, 1, TABLE, 15, INDIRECT, 0);
	ring_offer(&ring, 1);
	ring_assert_violation(&ring, VIOLATION_VQ_INDIRECT_SIZE, 1, VRING_DESC_SIZE, 15);
}

static void test_hostile_indirect_table_of_one_and_a_half_entries(void **state)
{
	ring_put_desc(&ring, 1, TABLE, 24, INDIRECT, 0);
	ring_offer(&ring, 1);
	ring_assert_violation(&ring, VIOLATION_VQ_INDIRECT_SIZE, 1, VRING_DESC_SIZE, 24);
}

static void test_hostile_indirect_table_outside_memory(void **state)
{
	ring_put_desc(&ring, 1, RING_END - 16, 32, INDIRECT, 0);
	ring_offer(&ring, 1);
	ring_assert_violation(&ring, VIOLATION_VQ_ADDRESS, 1, 32, RING_END - 16);
}

static void test_hostile_indirect_table_that_wraps(void **state)
{
	ring_put_desc(&ring, 1, UINT64_MAX - 15, 64, INDIRECT, 0);
	ring_offer(&ring, 1);
	ring_assert_violation(&ring, VIOLATION_VQ_ADDRESS, 1, 64, UINT64_MAX - 15);
}

static void test_hostile_indirect_inside_a_table(void **state)
{
	ring_put_indirect(&ring, TABLE, 0, RING_LOW, 1, NEXT, 1);
	ring_put_indirect(&ring, TABLE, 1, TABLE, VRING_DESC_SIZE, INDIRECT, 0);
	ring_put_desc(&ring, 1, TABLE, 2 * VRING_DESC_SIZE, INDIRECT, 0);
	ring_offer(&ring, 1);
	ring_assert_violation(&ring, VIOLATION_VQ_INDIRECT_NESTED, 1, 0, INDIRECT);
}

static void test_hostile_indirect_table_that_holds_itself(void **state)
{
	ring_put_indirect(&ring, TABLE, 0, TABLE, VRING_DESC_SIZE, INDIRECT, 0);
	ring_put_desc(&ring, 1, TABLE, VRING_DESC_SIZE, INDIRECT, 0);
	ring_offer(&ring, 1);
	ring_assert_violation(&ring, VIOLATION_VQ_INDIRECT_NESTED, 1, 0, INDIRECT);
}

static void test_hostile_indirect_next_out_of_the_table(void **state)
{
	/* 2 is a descriptor of the ring, but no entry of this table. */
	ring_put_indirect(&ring, TABLE, 0, RING_LOW, 1, NEXT, 2);
	ring_put_desc(&ring, 1, TABLE, 2 * VRING_DESC_SIZE, INDIRECT, 0);
	ring_offer(&ring, 1);
	ring_assert_violation(&ring, VIOLATION_VQ_NEXT_RANGE, 1, 2, 2);
}

static void test_hostile_indirect_loop(void **state)
{
	ring_put_indirect(&ring, TABLE, 0, RING_LOW, 1, NEXT, 1);
	ring_put_indirect(&ring, TABLE, 1, RING_LOW, 1, NEXT, 0);
	ring_put_desc(&ring, 1, TABLE, 2 * VRING_DESC_SIZE, INDIRECT, 0);
	ring_offer(&ring, 1);
	ring_assert_violation(&ring, VIOLATION_VQ_LOOP, 1, 8, 9);
}

static void test_hostile_indirect_chain_longer_than_the_queue(void **state)
{
	for (uint16_t i = 0; i < 9; i++)
		ring_put_indirect(&ring, TABLE, i, RING_LOW, 1, i < 8 ? NEXT : 0,
				  (uint16_t)(i + 1));
	ring_put_desc(&ring, 1, TABLE, 9 * VRING_DESC_SIZE, INDIRECT, 0);
	ring_offer(&ring, 1);
	ring_assert_violation(&ring, VIOLATION_VQ_LOOP, 1, 8, 9);
}

static void test_hostile_direct_and_indirect_longer_than_the_queue(void **state)
{
	ring_put_desc(&ring, 0, RING_LOW, 1, NEXT, 1);
	ring_put_desc(&ring, 1, TABLE, 8 * VRING_DESC_SIZE, INDIRECT, 0);
	for (uint16_t i = 0; i < 8; i++)
		ring_put_indirect(&ring, TABLE, i, RING_LOW, 1, i < 7 ? NEXT : 0,
				  (uint16_t)(i + 1));
	ring_offer(&ring, 0);
	ring_assert_violation(&ring, VIOLATION_VQ_LOOP, 1, 8, 9);
}

static void test_hostile_indirect_entry_outside_memory(void **state)
{
	ring_put_indirect(&ring, TABLE, 0, RING_LOW, 1, NEXT, 1);
	ring_put_indirect(&ring, TABLE, 1, RING_END - 1, 2, 0, 0);
	ring_put_desc(&ring, 1, TABLE, 2 * VRING_DESC_SIZE, INDIRECT, 0);
	ring_offer(&ring, 1);
	ring_assert_violation(&ring, VIOLATION_VQ_ADDRESS, 1, 2, RING_END - 1);
}

static void test_hostile_indirect_readable_after_direct_writable(void **state)
{
	ring_put_desc(&ring, 0, RING_LOW, 1, NEXT | WRITE, 1);
	ring_put_desc(&ring, 1, TABLE, VRING_DESC_SIZE, INDIRECT, 0);
	ring_put_indirect(&ring, TABLE, 0, RING_LOW, 1, 0, 0);
	ring_offer(&ring, 0);
	ring_assert_violation(&ring, VIOLATION_VQ_ORDER, 1, WRITE, 0);
}

static void test_hostile_chain_leaves_nothing_in_flight(void **state)
{
	ring_put_desc(&ring, 2, RING_LOW, 1, NEXT, 8);
	ring_offer(&ring, 2);
	assert_int_equal(virtq_pop(&ring.vq, &chain), -EPROTO);
	assert_int_equal(ring.vq.inflight_count, 0);
	assert_int_equal(virtq_stop(&ring.vq), 0);
}

static void test_hostile_driver_does_not_spoil_the_next_session(void **state)
{
	ring_offer(&ring, 8);
	assert_int_equal(virtq_pop(&ring.vq, &chain), -EPROTO);
	ring_restart_at(&ring, 0);
	ring_offer_buffer(&ring, 0, RING_LOW, 1, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(ring.report_count, 0);
}

int main(void)
{
#define WITH_RING(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_RING(test_hostile_avail_index_ahead_by_more_than_the_size),
		WITH_RING(test_hostile_avail_index_ahead_by_exactly_the_size_is_legal),
		WITH_RING(test_hostile_avail_index_behind_what_was_popped),
		WITH_RING(test_hostile_avail_index_behind_what_was_seen),
		WITH_RING(test_hostile_avail_index_ahead_of_what_waits),
		WITH_RING(test_hostile_avail_index_jump_across_the_wrap),
		WITH_RING(test_hostile_avail_index_jump_in_a_queue_of_32768),
		WITH_RING(test_hostile_head_just_out_of_range),
		WITH_RING(test_hostile_head_far_out_of_range),
		WITH_RING(test_hostile_head_already_in_flight),
		WITH_RING(test_hostile_head_offered_twice_at_once),
		WITH_RING(test_hostile_next_out_of_range),
		WITH_RING(test_hostile_next_out_of_range_in_the_middle),
		WITH_RING(test_hostile_loop_of_one),
		WITH_RING(test_hostile_loop_of_two_behind_a_start),
		WITH_RING(test_hostile_loop_through_a_whole_queue_of_32768_ends),
		WITH_RING(test_hostile_loop_in_a_queue_of_one),
		WITH_RING(test_hostile_address_of_nothing),
		WITH_RING(test_hostile_address_one_byte_before_memory),
		WITH_RING(test_hostile_length_one_byte_beyond_memory),
		WITH_RING(test_hostile_length_of_4_gib_less_one),
		WITH_RING(test_hostile_address_plus_length_wraps),
		WITH_RING(test_hostile_address_in_a_later_descriptor),
		WITH_RING(test_hostile_readable_after_writable),
		WITH_RING(test_hostile_readable_between_writables),
		WITH_RING(test_hostile_chain_of_more_than_4_gib),
		WITH_RING(test_hostile_indirect_not_negotiated),
		WITH_RING(test_hostile_indirect_together_with_next),
		WITH_RING(test_hostile_indirect_table_of_no_bytes),
		WITH_RING(test_hostile_indirect_table_of_part_of_an_entry),
		WITH_RING(test_hostile_indirect_table_of_one_and_a_half_entries),
		WITH_RING(test_hostile_indirect_table_outside_memory),
		WITH_RING(test_hostile_indirect_table_that_wraps),
		WITH_RING(test_hostile_indirect_inside_a_table),
		WITH_RING(test_hostile_indirect_table_that_holds_itself),
		WITH_RING(test_hostile_indirect_next_out_of_the_table),
		WITH_RING(test_hostile_indirect_loop),
		WITH_RING(test_hostile_indirect_chain_longer_than_the_queue),
		WITH_RING(test_hostile_direct_and_indirect_longer_than_the_queue),
		WITH_RING(test_hostile_indirect_entry_outside_memory),
		WITH_RING(test_hostile_indirect_readable_after_direct_writable),
		WITH_RING(test_hostile_chain_leaves_nothing_in_flight),
		WITH_RING(test_hostile_driver_does_not_spoil_the_next_session),
	};

	return cmocka_run_group_tests_name("virtq_hostile", tests, NULL, NULL);
}
