/* SPDX-License-Identifier: BSD-2-Clause */
/* Split virtqueue, device side: life of a session, pop, push, unpop, move. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/ring_fixture.h"

static struct ring ring;
static struct virtq_chain chain;

static int setup(void **state)
{
	ring_setup(&ring, 4, 0);
	return 0;
}

static int teardown(void **state)
{
	ring_teardown(&ring);
	return 0;
}

static int start(uint32_t num)
{
	return virtq_start(&ring.vq, &ring.mem, num, &ring.rings, 0, 0);
}

static void test_virtq_start_refuses_sizes_that_are_no_power_of_two(void **state)
{
	const uint32_t bad[] = {0, 3, 5, 32767, 32769, 65536, UINT32_MAX};

	virtq_stop(&ring.vq);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(start(bad[i]), -EINVAL);
	assert_false(ring.vq.started);
}

static void test_virtq_start_of_started_queue_is_refused(void **state)
{
	assert_int_equal(start(4), -EBUSY);
}

static void test_virtq_stopped_serves_nothing(void **state)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 16, false);
	virtq_stop(&ring.vq);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 0);
	assert_int_equal(virtq_avail_count(&ring.vq), 0);
	assert_int_equal(virtq_push(&ring.vq, 0, 0), -EINVAL);
	assert_int_equal(virtq_push_raw(&ring.vq, 0, 0), -EINVAL);
	assert_false(virtq_flush(&ring.vq));
}

static void test_virtq_stop_twice_is_harmless(void **state)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 16, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_stop(&ring.vq), 1);
	assert_int_equal(virtq_stop(&ring.vq), 1);
}

static void test_virtq_stop_does_not_publish_what_was_not_flushed(void **state)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 16, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_push(&ring.vq, 0, 0), 0);
	virtq_stop(&ring.vq);
	assert_int_equal(ring_used_idx(&ring), 0);
}

static void test_virtq_pop_of_empty_ring_gives_nothing(void **state)
{
	assert_int_equal(virtq_avail_count(&ring.vq), 0);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 0);
	assert_int_equal(ring.report_count, 0);
}

static void test_virtq_avail_count_counts_what_was_not_popped(void **state)
{
	ring_offer_buffer(&ring, 2, RING_LOW, 16, false);
	ring_offer_buffer(&ring, 0, RING_LOW, 16, false);
	ring_offer_buffer(&ring, 3, RING_LOW, 16, false);
	assert_int_equal(virtq_avail_count(&ring.vq), 3);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_avail_count(&ring.vq), 2);
}

static void test_virtq_avail_count_of_full_ring_is_its_size(void **state)
{
	for (uint16_t i = 0; i < 4; i++)
		ring_offer_buffer(&ring, i, RING_LOW, 16, false);
	assert_int_equal(virtq_avail_count(&ring.vq), 4);
}

static void test_virtq_pop_follows_the_available_ring_not_the_table(void **state)
{
	const uint16_t order[] = {2, 0, 3, 1};

	for (uint16_t i = 0; i < 4; i++)
		ring_offer_buffer(&ring, order[i], RING_LOW, 16, false);
	for (uint16_t i = 0; i < 4; i++) {
		assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
		assert_int_equal(chain.head, order[i]);
	}
	assert_int_equal(virtq_pop(&ring.vq, &chain), 0);
}

static void test_virtq_push_writes_id_and_length(void **state)
{
	ring_offer_buffer(&ring, 3, RING_LOW, 64, true);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_push(&ring.vq, chain.head, 0x01020304), 0);
	assert_int_equal(ring_used_id(&ring, 0), 3);
	assert_int_equal(ring_used_len(&ring, 0), 0x01020304);
}

/* A piece lies in the region of the buffer before it. */
static void find_region(void)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 64, true);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_push(&ring.vq, chain.head, 0), 0);
}

static void test_virtq_peeked_piece_comes_again_unless_it_is_taken(void **state)
{
	struct virtq_piece piece;

	find_region();
	ring_offer_buffer(&ring, 3, RING_LOW, 64, true);
	assert_int_equal(virtq_peek_piece(&ring.vq, &chain, &piece), VIRTQ_PIECE);
	assert_int_equal(ring.vq.inflight_count, 0);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(chain.head, 3);
	assert_int_equal(chain.writable, 64);
}

static void test_virtq_used_piece_is_pushed_and_not_outstanding(void **state)
{
	struct virtq_piece piece = {0};

	find_region();
	ring_offer_buffer(&ring, 3, RING_LOW, 64, true);
	assert_int_equal(virtq_peek_piece(&ring.vq, &chain, &piece), VIRTQ_PIECE);
	virtq_use_piece(&ring.vq, &piece, 20);
	assert_int_equal(ring_used_id(&ring, 1), 3);
	assert_int_equal(ring_used_len(&ring, 1), 20);
	assert_int_equal(ring.vq.inflight_count, 0);
	assert_int_equal(virtq_push(&ring.vq, 3, 20), -EINVAL);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 0);
}

static void test_virtq_push_is_invisible_before_flush(void **state)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 64, true);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_push(&ring.vq, 0, 1), 0);
	assert_int_equal(ring_used_idx(&ring), 0);
	virtq_flush(&ring.vq);
	assert_int_equal(ring_used_idx(&ring), 1);
}

static void test_virtq_push_out_of_order_keeps_the_order_of_pushes(void **state)
{
	for (uint16_t i = 0; i < 3; i++) {
		ring_offer_buffer(&ring, i, RING_LOW, 64, true);
		assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	}
	assert_int_equal(virtq_push(&ring.vq, 2, 22), 0);
	assert_int_equal(virtq_push(&ring.vq, 0, 20), 0);
	assert_int_equal(virtq_push(&ring.vq, 1, 21), 0);
	virtq_flush(&ring.vq);
	assert_int_equal(ring_used_idx(&ring), 3);
	assert_int_equal(ring_used_id(&ring, 0), 2);
	assert_int_equal(ring_used_id(&ring, 1), 0);
	assert_int_equal(ring_used_len(&ring, 2), 21);
}

static void test_virtq_push_of_head_not_popped_is_refused(void **state)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 16, false);
	assert_int_equal(virtq_push(&ring.vq, 0, 0), -EINVAL);
	virtq_flush(&ring.vq);
	assert_int_equal(ring_used_idx(&ring), 0);
}

static void test_virtq_push_twice_is_refused(void **state)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 16, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_push(&ring.vq, 0, 0), 0);
	assert_int_equal(virtq_push(&ring.vq, 0, 0), -EINVAL);
	virtq_flush(&ring.vq);
	assert_int_equal(ring_used_idx(&ring), 1);
}

static void test_virtq_push_of_head_out_of_range_is_refused(void **state)
{
	assert_int_equal(virtq_push(&ring.vq, 4, 0), -EINVAL);
	assert_int_equal(virtq_push(&ring.vq, 65535, 0), -EINVAL);
}

static void test_virtq_push_raw_writes_anything(void **state)
{
	assert_int_equal(virtq_push_raw(&ring.vq, 0xfffffff0, 0xffffffff), 0);
	virtq_flush(&ring.vq);
	assert_int_equal(ring_used_idx(&ring), 1);
	assert_int_equal(ring_used_id(&ring, 0), 0xfffffff0);
	assert_int_equal(ring_used_len(&ring, 0), 0xffffffff);
}

static void test_virtq_push_raw_leaves_the_head_outstanding(void **state)
{
	ring_offer_buffer(&ring, 1, RING_LOW, 16, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_push_raw(&ring.vq, 1, 0), 0);
	assert_int_equal(ring.vq.inflight_count, 1);
	assert_int_equal(virtq_push(&ring.vq, 1, 0), 0);
}

static void test_virtq_head_can_be_offered_again_after_push(void **state)
{
	for (uint16_t round = 0; round < 10; round++) {
		ring_offer_buffer(&ring, 1, RING_LOW, 16, false);
		assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
		assert_int_equal(virtq_push(&ring.vq, 1, 0), 0);
		virtq_flush(&ring.vq);
	}
	assert_int_equal(ring_used_idx(&ring), 10);
	assert_int_equal(ring.vq.inflight_count, 0);
}

static void test_virtq_unpop_makes_the_same_chain_come_again(void **state)
{
	ring_offer_buffer(&ring, 2, RING_LOW, 16, false);
	ring_offer_buffer(&ring, 1, RING_LOW, 16, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	virtq_unpop(&ring.vq, &chain);
	assert_int_equal(virtq_avail_count(&ring.vq), 2);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(chain.head, 2);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(chain.head, 1);
}

static void test_virtq_unpop_of_several_last_one_first(void **state)
{
	struct virtq_chain first, second;

	ring_offer_buffer(&ring, 2, RING_LOW, 16, false);
	ring_offer_buffer(&ring, 1, RING_LOW, 16, false);
	assert_int_equal(virtq_pop(&ring.vq, &first), 1);
	assert_int_equal(virtq_pop(&ring.vq, &second), 1);
	virtq_unpop(&ring.vq, &second);
	virtq_unpop(&ring.vq, &first);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(chain.head, 2);
}

static void test_virtq_unpop_is_seen_in_the_index_of_stop(void **state)
{
	ring_offer_buffer(&ring, 2, RING_LOW, 16, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	virtq_unpop(&ring.vq, &chain);
	assert_int_equal(virtq_stop(&ring.vq), 0);
}

static void test_virtq_unpop_of_pushed_chain_changes_nothing(void **state)
{
	ring_offer_buffer(&ring, 2, RING_LOW, 16, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_push(&ring.vq, 2, 0), 0);
	virtq_unpop(&ring.vq, &chain);
	assert_int_equal(virtq_avail_count(&ring.vq), 0);
}

static void test_virtq_start_at_base_goes_on_from_there(void **state)
{
	ring_restart_at(&ring, 1001);
	ring_offer_buffer(&ring, 3, RING_LOW, 16, true);
	assert_int_equal(virtq_avail_count(&ring.vq), 1);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(chain.head, 3);
	assert_int_equal(virtq_push(&ring.vq, 3, 7), 0);
	virtq_flush(&ring.vq);
	assert_int_equal(ring_used_id(&ring, 1001 % 4), 3);
	assert_int_equal(ring_used_idx(&ring), 1002);
	assert_int_equal(virtq_stop(&ring.vq), 1002);
}

static void test_virtq_start_takes_the_used_index_from_the_ring(void **state)
{
	virtq_stop(&ring.vq);
	ring_set_used_idx(&ring, 5);
	ring_set_avail_idx(&ring, 7);
	ring.offered = 7;
	/* Two chains of an earlier session were never given back: legal. */
	assert_int_equal(virtq_start(&ring.vq, &ring.mem, 4, &ring.rings, 7, 0), 0);
	ring_offer_buffer(&ring, 0, RING_LOW, 16, true);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_push(&ring.vq, 0, 0), 0);
	virtq_flush(&ring.vq);
	assert_int_equal(ring_used_idx(&ring), 6);
}

static void test_virtq_restart_forgets_what_was_outstanding(void **state)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 16, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	ring_restart_at(&ring, 0);
	assert_int_equal(virtq_push(&ring.vq, 0, 0), -EINVAL);
	ring_offer_buffer(&ring, 0, RING_LOW, 16, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
}

static void test_virtq_move_goes_on_in_the_new_place(void **state)
{
	struct virtq_rings moved = ring.rings;
	uint8_t *copy = NULL;

	assert_int_equal(posix_memalign((void **)&copy, VRING_DESC_ALIGN, ring.layout.bytes), 0);
	ring_offer_buffer(&ring, 0, RING_LOW, 16, false);
	ring_offer_buffer(&ring, 1, RING_LOW, 16, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_push(&ring.vq, 0, 0), 0);

	memcpy(copy, ring.memory, ring.layout.bytes);
	memset(ring.memory, 0xff, ring.layout.bytes);
	moved.desc = copy + ring.layout.desc;
	moved.avail = copy + ring.layout.avail;
	moved.used = copy + ring.layout.used;
	virtq_move(&ring.vq, &moved);

	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(chain.head, 1);
	virtq_flush(&ring.vq);
	assert_int_equal(vring_load16(moved.used, VRING_IDX), 1);
	assert_int_equal(ring_used_idx(&ring), 0xffff);
	virtq_stop(&ring.vq);
	free(copy);
}

static void test_virtq_without_event_idx_leaves_the_event_fields_alone(void **state)
{
	ring_set_avail_event(&ring, 0x5a5a);
	ring_offer_buffer(&ring, 0, RING_LOW, 16, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_push(&ring.vq, 0, 0), 0);
	virtq_flush(&ring.vq);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 0);
	virtq_set_notify(&ring.vq, false);
	virtq_set_notify(&ring.vq, true);
	assert_int_equal(ring_avail_event(&ring), 0x5a5a);
}

static void test_virtq_write_marks_only_pages_written_to_dirty(void **state)
{
	uint8_t log[RING_END / GMEM_LOG_PAGE / 8 + 1] = {0};
	uint64_t page = (RING_HIGH - 1) / GMEM_LOG_PAGE;

	gmem_set_log(&ring.mem, log, sizeof(log));
	ring_offer_buffer(&ring, 0, RING_HIGH - 1, 2, true);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_write(&ring.vq, &chain, 0, "x", 1), 1);
	assert_true(log[page / 8] >> page % 8 & 1);
	page++;
	assert_false(log[page / 8] >> page % 8 & 1);
}

static void test_virtq_write_marks_a_buffer_of_one_region_dirty(void **state)
{
	uint8_t log[RING_END / GMEM_LOG_PAGE / 8 + 1] = {0};
	uint64_t page = RING_LOW / GMEM_LOG_PAGE + 1;

	ring_offer_buffer(&ring, 0, RING_LOW, 2 * GMEM_LOG_PAGE, true);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	gmem_set_log(&ring.mem, log, sizeof(log));
	assert_int_equal(virtq_write(&ring.vq, &chain, GMEM_LOG_PAGE, "x", 1), 1);
	assert_int_equal(log[page / 8], 1 << page % 8);
}

static void test_virtq_used_ring_is_logged_where_asked(void **state)
{
	/* The border of two pages goes through entry 0, between its id and its length. */
	const uint64_t at = 8 * GMEM_LOG_PAGE - vring_used_entry(0) - 4;
	uint8_t log[2] = {0};

	virtq_stop(&ring.vq);
	gmem_set_log(&ring.mem, log, sizeof(log));
	ring.rings.used_logged = true;
	ring.rings.used_log_addr = at;
	assert_int_equal(virtq_start(&ring.vq, &ring.mem, 4, &ring.rings, 1, 0), 0);
	log[0] = log[1] = 0;

	assert_int_equal(virtq_push_raw(&ring.vq, 0, 0), 0);
	assert_int_equal(log[0], 0x80);
	assert_int_equal(log[1], 0x01);
	log[0] = log[1] = 0;
	virtq_flush(&ring.vq);
	assert_int_equal(log[0], 0x80); /* the index */
	assert_int_equal(log[1], 0x00);
}

static void test_virtq_used_ring_is_not_logged_unasked(void **state)
{
	uint8_t log[2] = {0};

	gmem_set_log(&ring.mem, log, sizeof(log));
	assert_int_equal(virtq_push_raw(&ring.vq, 0, 0), 0);
	virtq_flush(&ring.vq);
	assert_int_equal(log[0] | log[1], 0);
}

static void test_virtq_break_is_reported_once_and_lasts(void **state)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 16, false);
	ring_offer_buffer(&ring, 1, RING_LOW, 16, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_break(&ring.vq, VIOLATION_VQ_RING_MEMORY, -1, 1, 2), -EPROTO);
	assert_int_equal(virtq_break(&ring.vq, VIOLATION_VQ_LOOP, -1, 1, 2), -EPROTO);
	assert_int_equal(ring.report_count, 1);
	assert_int_equal(ring.reports[0].what, VIOLATION_VQ_RING_MEMORY);
	assert_int_equal(virtq_pop(&ring.vq, &chain), -EPROTO);
	assert_int_equal(virtq_avail_count(&ring.vq), -EPROTO);
	assert_int_equal(virtq_push(&ring.vq, 0, 0), -EPROTO);
	assert_int_equal(virtq_push_raw(&ring.vq, 0, 0), -EPROTO);
}

static void test_virtq_broken_queue_publishes_nothing(void **state)
{
	ring_offer_buffer(&ring, 0, RING_LOW, 16, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_push(&ring.vq, 0, 0), 0);
	virtq_break(&ring.vq, VIOLATION_VQ_RING_MEMORY, -1, 1, 2);
	assert_false(virtq_flush(&ring.vq));
	virtq_set_notify(&ring.vq, false);
	assert_int_equal(ring_used_idx(&ring), 0);
	assert_int_equal(ring_used_flags(&ring), 0);
}

static void test_virtq_broken_queue_works_again_after_restart(void **state)
{
	virtq_break(&ring.vq, VIOLATION_VQ_RING_MEMORY, -1, 1, 2);
	ring_restart_at(&ring, 0);
	ring_offer_buffer(&ring, 0, RING_LOW, 16, false);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_push(&ring.vq, 0, 0), 0);
	assert_true(virtq_flush(&ring.vq));
}

/* Offer, pop, push and flush one buffer so often that every index wraps around 2^16. */
static void run_past_the_wrap(uint32_t num)
{
	struct drvq_used used;
	const struct drvq_buf buf = {RING_LOW, 4};
	struct ring r;

	ring_setup(&r, num, 0);
	for (uint32_t i = 0; i < 65536 + 3; i++) {
		assert_int_equal(drvq_add(&r.dq, &buf, 0, 1, &r), i % num);
		drvq_publish(&r.dq);
		assert_int_equal(virtq_pop(&r.vq, &chain), 1);
		assert_int_equal(chain.head, i % num);
		assert_int_equal(virtq_push(&r.vq, chain.head, i), 0);
		assert_true(virtq_flush(&r.vq));
		assert_int_equal(drvq_get(&r.dq, &used), 1);
		assert_int_equal(used.len, i);
		/* The free list is a stack: take the next descriptor instead. */
		r.dq.free_head = (uint16_t)((i + 1) % num);
		r.dq.slots[i % num].next = (uint16_t)((i + 1) % num);
	}
	assert_int_equal(ring_used_idx(&r), 3);
	assert_int_equal(r.report_count, 0);
	ring_teardown(&r);
}

static void test_virtq_of_size_1_wraps_its_index(void **state)
{
	run_past_the_wrap(1);
}

static void test_virtq_of_size_2_wraps_its_index(void **state)
{
	run_past_the_wrap(2);
}

static void test_virtq_of_size_32768_wraps_its_index(void **state)
{
	run_past_the_wrap(32768);
}

static void test_virtq_of_size_32768_full_at_once(void **state)
{
	struct ring r;

	ring_setup(&r, 32768, 0);
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 32768; i++)
			ring_offer_buffer(&r, (uint16_t)i, RING_LOW + i, 1, false);
		assert_int_equal(virtq_avail_count(&r.vq), 32768);
		for (uint32_t i = 0; i < 32768; i++) {
			assert_int_equal(virtq_pop(&r.vq, &chain), 1);
			assert_int_equal(chain.head, i);
		}
		assert_int_equal(virtq_pop(&r.vq, &chain), 0);
		for (uint32_t i = 0; i < 32768; i++)
			assert_int_equal(virtq_push(&r.vq, (uint16_t)i, 0), 0);
		virtq_flush(&r.vq);
		assert_int_equal(ring_used_idx(&r), (uint16_t)((round + 1) * 32768));
	}
	ring_teardown(&r);
}

int main(void)
{
#define WITH_RING(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_RING(test_virtq_start_refuses_sizes_that_are_no_power_of_two),
		WITH_RING(test_virtq_start_of_started_queue_is_refused),
		WITH_RING(test_virtq_stopped_serves_nothing),
		WITH_RING(test_virtq_stop_twice_is_harmless),
		WITH_RING(test_virtq_stop_does_not_publish_what_was_not_flushed),
		WITH_RING(test_virtq_pop_of_empty_ring_gives_nothing),
		WITH_RING(test_virtq_avail_count_counts_what_was_not_popped),
		WITH_RING(test_virtq_avail_count_of_full_ring_is_its_size),
		WITH_RING(test_virtq_pop_follows_the_available_ring_not_the_table),
		WITH_RING(test_virtq_push_writes_id_and_length),
		WITH_RING(test_virtq_peeked_piece_comes_again_unless_it_is_taken),
		WITH_RING(test_virtq_used_piece_is_pushed_and_not_outstanding),
		WITH_RING(test_virtq_push_is_invisible_before_flush),
		WITH_RING(test_virtq_push_out_of_order_keeps_the_order_of_pushes),
		WITH_RING(test_virtq_push_of_head_not_popped_is_refused),
		WITH_RING(test_virtq_push_twice_is_refused),
		WITH_RING(test_virtq_push_of_head_out_of_range_is_refused),
		WITH_RING(test_virtq_push_raw_writes_anything),
		WITH_RING(test_virtq_push_raw_leaves_the_head_outstanding),
		WITH_RING(test_virtq_head_can_be_offered_again_after_push),
		WITH_RING(test_virtq_unpop_makes_the_same_chain_come_again),
		WITH_RING(test_virtq_unpop_of_several_last_one_first),
		WITH_RING(test_virtq_unpop_is_seen_in_the_index_of_stop),
		WITH_RING(test_virtq_unpop_of_pushed_chain_changes_nothing),
		WITH_RING(test_virtq_start_at_base_goes_on_from_there),
		WITH_RING(test_virtq_start_takes_the_used_index_from_the_ring),
		WITH_RING(test_virtq_restart_forgets_what_was_outstanding),
		WITH_RING(test_virtq_move_goes_on_in_the_new_place),
		WITH_RING(test_virtq_without_event_idx_leaves_the_event_fields_alone),
		WITH_RING(test_virtq_write_marks_only_pages_written_to_dirty),
		WITH_RING(test_virtq_write_marks_a_buffer_of_one_region_dirty),
		WITH_RING(test_virtq_used_ring_is_logged_where_asked),
		WITH_RING(test_virtq_used_ring_is_not_logged_unasked),
		WITH_RING(test_virtq_break_is_reported_once_and_lasts),
		WITH_RING(test_virtq_broken_queue_publishes_nothing),
		WITH_RING(test_virtq_broken_queue_works_again_after_restart),
		cmocka_unit_test(test_virtq_of_size_1_wraps_its_index),
		cmocka_unit_test(test_virtq_of_size_2_wraps_its_index),
		cmocka_unit_test(test_virtq_of_size_32768_wraps_its_index),
		cmocka_unit_test(test_virtq_of_size_32768_full_at_once),
	};

	return cmocka_run_group_tests_name("virtq", tests, NULL, NULL);
}
