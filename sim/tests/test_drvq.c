/* SPDX-License-Identifier: BSD-2-Clause */
/* Split virtqueue, driver side: layout, chains, kicks, interrupts, taking chains back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/ring_fixture.h"

#define TABLE (RING_LOW + 0x1000)

static struct ring ring;
static struct virtq_chain chain;
static struct drvq_used used;
static int cookies[8];

static const struct drvq_buf buf = {RING_LOW, 16};

static int setup(void **state)
{
	ring_setup(&ring, 8, VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC));
	return 0;
}

static int setup_event_idx(void **state)
{
	ring_setup(&ring, 8, VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX));
	return 0;
}

static int teardown(void **state)
{
	ring_teardown(&ring);
	return 0;
}

static uint16_t used_event(void)
{
	return vring_load16(ring.rings.avail, vring_used_event(ring.num));
}

static uint16_t avail_flags(void)
{
	return vring_load16(ring.rings.avail, VRING_FLAGS);
}

/* The device takes the next chain and gives it back. */
static bool device_uses(uint32_t len)
{
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_push(&ring.vq, chain.head, len), 0);
	return virtq_flush(&ring.vq);
}

/* Add and publish one buffer; whether a kick is wanted. */
static bool send_one(void)
{
	assert_true(drvq_add(&ring.dq, &buf, 1, 0, NULL) >= 0);
	return drvq_publish(&ring.dq);
}

/* Move all indices of both sides to this place, with traffic. */
static void run_to(uint16_t idx)
{
	while (ring.dq.avail_idx != idx) {
		send_one();
		device_uses(0);
		assert_int_equal(drvq_get(&ring.dq, &used), 1);
	}
	assert_int_equal(drvq_get(&ring.dq, &used), 0);
}

/* The same of an idle ring, at once. */
static void jump_to(uint16_t idx)
{
	assert_int_equal(ring.dq.free_count, ring.num);
	ring.dq.avail_idx = idx;
	ring.dq.last_used = idx;
	ring.dq.shadow_used = idx;
	ring_restart_at(&ring, idx);
}

static void test_drvq_layout_is_aligned_and_without_overlap(void **state)
{
	for (uint32_t num = 1; num <= VRING_MAX_SIZE; num *= 2) {
		struct drvq_layout layout;

		assert_int_equal(drvq_layout(&layout, num), 0);
		assert_int_equal(layout.desc, 0);
		assert_true(layout.avail >= 16 * num);
		assert_int_equal(layout.avail % 2, 0);
		assert_true(layout.used >= layout.avail + 6 + 2 * num);
		assert_int_equal(layout.used % 4, 0);
		assert_int_equal(layout.bytes, layout.used + 6 + 8 * num);
	}
}

static void test_drvq_layout_of_bad_size_is_refused(void **state)
{
	const uint32_t bad[] = {0, 3, 32769, 65536};
	struct drvq_layout layout;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(drvq_layout(&layout, bad[i]), -EINVAL);
}

static void test_drvq_start_on_misaligned_memory_is_refused(void **state)
{
	_Alignas(16) static uint8_t memory[1024];
	struct drvq_layout layout;
	struct drvq dq = {0};

	assert_int_equal(drvq_layout(&layout, 4), 0);
	assert_int_equal(drvq_start(&dq, memory + 8, &layout, 4, 0), -EINVAL);
	layout.used += 2;
	assert_int_equal(drvq_start(&dq, memory, &layout, 4, 0), -EINVAL);
}

static void test_drvq_start_of_started_queue_is_refused(void **state)
{
	assert_int_equal(drvq_start(&ring.dq, ring.memory, &ring.layout, 8, 0), -EBUSY);
}

static void test_drvq_start_clears_what_memory_held(void **state)
{
	uint8_t zero[VRING_DESC_SIZE * 8];

	drvq_stop(&ring.dq);
	memset(ring.memory, 0xff, ring.layout.bytes);
	assert_int_equal(drvq_start(&ring.dq, ring.memory, &ring.layout, 8, 0), 0);
	memset(zero, 0, sizeof(zero));
	assert_memory_equal(ring.rings.desc, zero, vring_desc_bytes(8));
	assert_memory_equal(ring.rings.avail, zero, vring_avail_bytes(8));
	assert_memory_equal(ring.rings.used, zero, vring_used_bytes(8));
}

static void test_drvq_add_writes_exact_descriptors(void **state)
{
	const struct drvq_buf bufs[] = {{0x1122334455667788, 0x99aabbcc}, {0x10, 0x20}};
	const uint8_t first[] = {0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
				 0xcc, 0xbb, 0xaa, 0x99, 0x01, 0x00, 0x01, 0x00};
	const uint8_t second[] = {0x10, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0x02, 0x00, 0, 0};

	assert_int_equal(drvq_add(&ring.dq, bufs, 1, 1, NULL), 0);
	assert_memory_equal(ring.rings.desc, first, sizeof(first));
	assert_memory_equal((uint8_t *)ring.rings.desc + 16, second, sizeof(second));
}

static void test_drvq_add_is_invisible_before_publish(void **state)
{
	assert_int_equal(drvq_add(&ring.dq, &buf, 1, 0, NULL), 0);
	assert_int_equal(virtq_avail_count(&ring.vq), 0);
	assert_true(drvq_publish(&ring.dq));
	assert_int_equal(virtq_avail_count(&ring.vq), 1);
}

static void test_drvq_chain_arrives_as_it_was_added(void **state)
{
	const struct drvq_buf bufs[] = {{RING_LOW, 1}, {RING_LOW + 1, 2}, {RING_HIGH, 4}};

	assert_int_equal(drvq_add(&ring.dq, bufs, 1, 2, NULL), 0);
	drvq_publish(&ring.dq);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(chain.desc_count, 3);
	assert_int_equal(chain.readable_count, 1);
	assert_int_equal(chain.readable, 1);
	assert_int_equal(chain.writable, 6);
	assert_true(chain.descs[2].addr == RING_HIGH);
}

static void test_drvq_add_without_pieces_is_refused(void **state)
{
	assert_int_equal(drvq_add(&ring.dq, &buf, 0, 0, NULL), -EINVAL);
}

static void test_drvq_add_more_pieces_than_the_queue_is_refused(void **state)
{
	struct drvq_buf bufs[9];

	for (size_t i = 0; i < 9; i++)
		bufs[i] = buf;
	assert_int_equal(drvq_add(&ring.dq, bufs, 9, 0, NULL), -EINVAL);
	assert_int_equal(drvq_add(&ring.dq, bufs, UINT32_MAX, 1, NULL), -EINVAL);
	assert_int_equal(drvq_add(&ring.dq, bufs, 8, 0, NULL), 0);
}

static void test_drvq_add_of_more_than_4_gib_is_refused(void **state)
{
	const struct drvq_buf bufs[] = {{0, UINT32_MAX}, {0, 2}};
	const struct drvq_buf legal[] = {{0, UINT32_MAX}, {0, 1}};

	assert_int_equal(drvq_add(&ring.dq, bufs, 1, 1, NULL), -EINVAL);
	assert_int_equal(drvq_add(&ring.dq, legal, 0, 2, NULL), 0);
}

static void test_drvq_add_to_a_full_queue_is_refused(void **state)
{
	for (int i = 0; i < 8; i++)
		assert_true(drvq_add(&ring.dq, &buf, 1, 0, NULL) >= 0);
	assert_int_equal(drvq_add(&ring.dq, &buf, 1, 0, NULL), -ENOSPC);
	drvq_publish(&ring.dq);
	device_uses(0);
	assert_int_equal(drvq_get(&ring.dq, &used), 1);
	assert_true(drvq_add(&ring.dq, &buf, 1, 0, NULL) >= 0);
	assert_int_equal(drvq_add(&ring.dq, &buf, 1, 0, NULL), -ENOSPC);
}

static void test_drvq_add_chain_longer_than_what_is_free_is_refused(void **state)
{
	const struct drvq_buf bufs[] = {buf, buf, buf};

	for (int i = 0; i < 6; i++)
		assert_true(drvq_add(&ring.dq, &buf, 1, 0, NULL) >= 0);
	assert_int_equal(drvq_add(&ring.dq, bufs, 3, 0, NULL), -ENOSPC);
	assert_true(drvq_add(&ring.dq, bufs, 2, 0, NULL) >= 0);
}

static void test_drvq_get_hands_the_cookie_length_and_capacity_back(void **state)
{
	const struct drvq_buf bufs[] = {{RING_LOW, 10}, {RING_LOW, 20}, {RING_LOW, 30}};

	assert_int_equal(drvq_add(&ring.dq, bufs, 1, 2, &cookies[3]), 0);
	drvq_publish(&ring.dq);
	device_uses(17);
	assert_int_equal(drvq_get(&ring.dq, &used), 1);
	assert_ptr_equal(used.cookie, &cookies[3]);
	assert_int_equal(used.len, 17);
	assert_int_equal(used.capacity, 50);
	assert_int_equal(used.head, 0);
	assert_int_equal(drvq_get(&ring.dq, &used), 0);
}

static void test_drvq_get_before_anything_was_used(void **state)
{
	assert_int_equal(drvq_get(&ring.dq, &used), 0);
	send_one();
	assert_int_equal(drvq_get(&ring.dq, &used), 0);
}

static void test_drvq_get_follows_the_order_of_the_device(void **state)
{
	const uint16_t order[] = {2, 0, 1};

	for (int i = 0; i < 3; i++)
		assert_int_equal(drvq_add(&ring.dq, &buf, 1, 0, &cookies[i]), i);
	drvq_publish(&ring.dq);
	for (int i = 0; i < 3; i++)
		assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(virtq_push(&ring.vq, order[i], 0), 0);
	virtq_flush(&ring.vq);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(drvq_get(&ring.dq, &used), 1);
		assert_ptr_equal(used.cookie, &cookies[order[i]]);
	}
}

static void test_drvq_get_length_above_capacity_is_for_the_caller_to_judge(void **state)
{
	send_one();
	device_uses(512);
	assert_int_equal(drvq_get(&ring.dq, &used), 1);
	assert_int_equal(used.len, 512);
	assert_int_equal(used.capacity, 0);
}

static void test_drvq_returned_chain_frees_each_descriptor_once(void **state)
{
	const struct drvq_buf bufs[] = {buf, buf, buf, buf, buf};
	bool taken[8] = {false};

	assert_int_equal(drvq_add(&ring.dq, bufs, 3, 0, NULL), 0);
	assert_int_equal(drvq_add(&ring.dq, bufs, 5, 0, NULL), 3);
	drvq_publish(&ring.dq);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(virtq_push(&ring.vq, 0, 0), 0);
	assert_int_equal(virtq_push(&ring.vq, 3, 0), 0);
	virtq_flush(&ring.vq);
	assert_int_equal(drvq_get(&ring.dq, &used), 1);
	assert_int_equal(drvq_get(&ring.dq, &used), 1);

	for (int i = 0; i < 8; i++) {
		int head = drvq_add(&ring.dq, &buf, 1, 0, NULL);

		assert_in_range(head, 0, 7);
		assert_false(taken[head]);
		taken[head] = true;
	}
	assert_int_equal(drvq_add(&ring.dq, &buf, 1, 0, NULL), -ENOSPC);
}

static void test_drvq_indirect_writes_exact_entries(void **state)
{
	const struct drvq_buf bufs[] = {{RING_LOW, 1}, {RING_LOW, 2}, {RING_LOW, 4}};
	const uint8_t last[] = {0, 0, 0, 0x40, 0, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0};
	uint8_t *table = ring_host(&ring, TABLE);

	assert_int_equal(drvq_add_indirect(&ring.dq, bufs, 2, 1, table, TABLE, NULL), 0);
	assert_int_equal(ring.dq.free_count, 7);
	assert_memory_equal(table + 32, last, sizeof(last));
	assert_int_equal(table[12], VRING_DESC_F_NEXT);
	assert_int_equal(table[14], 1);
	drvq_publish(&ring.dq);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_true(chain.indirect);
	assert_int_equal(chain.readable, 3);
	assert_int_equal(chain.writable, 4);
}

static void test_drvq_indirect_chain_comes_back(void **state)
{
	const struct drvq_buf bufs[] = {{RING_LOW, 1}, {RING_LOW, 2}};

	drvq_add_indirect(&ring.dq, bufs, 1, 1, ring_host(&ring, TABLE), TABLE, &cookies[1]);
	drvq_publish(&ring.dq);
	device_uses(2);
	assert_int_equal(drvq_get(&ring.dq, &used), 1);
	assert_ptr_equal(used.cookie, &cookies[1]);
	assert_int_equal(used.capacity, 2);
	assert_int_equal(ring.dq.free_count, 8);
}

static void test_drvq_indirect_without_the_feature_is_refused(void **state)
{
	drvq_stop(&ring.dq);
	assert_int_equal(drvq_start(&ring.dq, ring.memory, &ring.layout, 8, 0), 0);
	assert_int_equal(
		drvq_add_indirect(&ring.dq, &buf, 1, 0, ring_host(&ring, TABLE), TABLE, NULL),
		-EINVAL);
}

static void test_drvq_indirect_longer_than_the_queue_is_refused(void **state)
{
	struct drvq_buf bufs[9];

	for (size_t i = 0; i < 9; i++)
		bufs[i] = buf;
	assert_int_equal(
		drvq_add_indirect(&ring.dq, bufs, 9, 0, ring_host(&ring, TABLE), TABLE, NULL),
		-EINVAL);
}

static void test_drvq_indirect_in_a_full_queue_is_refused(void **state)
{
	for (int i = 0; i < 8; i++)
		assert_true(drvq_add(&ring.dq, &buf, 1, 0, NULL) >= 0);
	assert_int_equal(
		drvq_add_indirect(&ring.dq, &buf, 1, 0, ring_host(&ring, TABLE), TABLE, NULL),
		-ENOSPC);
}

static void test_drvq_publish_of_nothing_wants_no_kick(void **state)
{
	assert_false(drvq_publish(&ring.dq));
	assert_true(send_one());
	assert_false(drvq_publish(&ring.dq));
}

static void test_drvq_kick_plain_follows_no_notify(void **state)
{
	ring_set_used_flags(&ring, VRING_USED_F_NO_NOTIFY);
	assert_false(send_one());
	ring_set_used_flags(&ring, 0);
	assert_true(send_one());
}

static void test_drvq_call_plain_sets_no_interrupt(void **state)
{
	assert_int_equal(avail_flags(), 0);
	drvq_set_call(&ring.dq, false);
	assert_int_equal(avail_flags(), VRING_AVAIL_F_NO_INTERRUPT);
	drvq_set_call(&ring.dq, true);
	assert_int_equal(avail_flags(), 0);
}

/* From base, publish count chains at once: a kick exactly for base <= event < base + count. */
static void assert_kicks_at_boundaries(uint16_t base, uint16_t count)
{
	for (int distance = -10; distance <= 20; distance++) {
		jump_to(base);
		ring_set_avail_event(&ring, (uint16_t)(base + distance));
		for (uint16_t i = 0; i < count; i++)
			assert_true(drvq_add(&ring.dq, &buf, 1, 0, NULL) >= 0);
		assert_int_equal(drvq_publish(&ring.dq), distance >= 0 && distance < count);
		for (uint16_t i = 0; i < count; i++) {
			device_uses(0);
			assert_int_equal(drvq_get(&ring.dq, &used), 1);
		}
	}
}

static void test_drvq_kick_event_at_exact_boundaries(void **state)
{
	assert_kicks_at_boundaries(100, 1);
	assert_kicks_at_boundaries(100, 2);
	assert_kicks_at_boundaries(100, 8);
}

static void test_drvq_kick_event_at_exact_boundaries_across_the_wrap(void **state)
{
	assert_kicks_at_boundaries(65535, 1);
	assert_kicks_at_boundaries(65533, 8);
}

static void test_drvq_kick_event_ignores_no_notify(void **state)
{
	ring_set_used_flags(&ring, VRING_USED_F_NO_NOTIFY);
	assert_true(send_one());
}

static void test_drvq_call_event_asks_for_the_next_entry_when_drained(void **state)
{
	send_one();
	send_one();
	device_uses(0);
	assert_int_equal(used_event(), 0);
	assert_int_equal(drvq_get(&ring.dq, &used), 1);
	assert_int_equal(drvq_get(&ring.dq, &used), 0);
	assert_int_equal(used_event(), 1);
	assert_true(device_uses(0));
}

static void test_drvq_call_event_follows_across_the_wrap(void **state)
{
	run_to(65535);
	assert_int_equal(used_event(), 65535);
	run_to(0);
	assert_int_equal(used_event(), 0);
}

static void test_drvq_call_event_switched_off_is_not_called(void **state)
{
	send_one();
	device_uses(0);
	assert_int_equal(drvq_get(&ring.dq, &used), 1);
	drvq_set_call(&ring.dq, false);
	for (int i = 0; i < 20; i++) {
		send_one();
		assert_false(device_uses(0));
		assert_int_equal(drvq_get(&ring.dq, &used), 1);
		assert_int_equal(drvq_get(&ring.dq, &used), 0);
	}
	assert_int_equal(avail_flags(), 0);
}

static void test_drvq_call_event_switched_on_again_is_called(void **state)
{
	run_to(5);
	drvq_set_call(&ring.dq, false);
	run_to(9);
	drvq_set_call(&ring.dq, true);
	send_one();
	assert_true(device_uses(0));
}

static void test_drvq_call_after_three_entries(void **state)
{
	run_to(4);
	for (int i = 0; i < 5; i++)
		send_one();
	drvq_set_call_after(&ring.dq, 3);
	assert_false(device_uses(0));
	assert_int_equal(drvq_get(&ring.dq, &used), 1);
	assert_int_equal(drvq_get(&ring.dq, &used), 0);
	assert_false(device_uses(0));
	assert_true(device_uses(0));
	/* It holds once: after a drain the next entry is called for. */
	assert_int_equal(drvq_get(&ring.dq, &used), 1);
	assert_int_equal(drvq_get(&ring.dq, &used), 1);
	assert_int_equal(drvq_get(&ring.dq, &used), 0);
	assert_true(device_uses(0));
}

static void test_drvq_of_size_1_turns_around(void **state)
{
	struct ring one;

	ring_setup(&one, 1, VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX));
	for (uint32_t i = 0; i < 70000; i++) {
		assert_int_equal(drvq_add(&one.dq, &buf, 0, 1, NULL), 0);
		assert_true(drvq_publish(&one.dq));
		assert_int_equal(virtq_pop(&one.vq, &chain), 1);
		assert_int_equal(virtq_push(&one.vq, 0, i), 0);
		assert_true(virtq_flush(&one.vq));
		assert_int_equal(virtq_pop(&one.vq, &chain), 0);
		assert_int_equal(drvq_get(&one.dq, &used), 1);
		assert_int_equal(used.len, i);
		assert_int_equal(drvq_get(&one.dq, &used), 0);
	}
	ring_teardown(&one);
}

static void test_drvq_of_size_32768_full_at_once(void **state)
{
	struct ring big;

	ring_setup(&big, 32768, 0);
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 32768; i++)
			assert_true(drvq_add(&big.dq, &buf, 1, 0, NULL) >= 0);
		assert_int_equal(drvq_add(&big.dq, &buf, 1, 0, NULL), -ENOSPC);
		drvq_publish(&big.dq);
		for (uint32_t i = 0; i < 32768; i++) {
			assert_int_equal(virtq_pop(&big.vq, &chain), 1);
			assert_int_equal(virtq_push(&big.vq, chain.head, 0), 0);
		}
		virtq_flush(&big.vq);
		for (uint32_t i = 0; i < 32768; i++)
			assert_int_equal(drvq_get(&big.dq, &used), 1);
		assert_int_equal(drvq_get(&big.dq, &used), 0);
	}
	assert_int_equal(big.report_count, 0);
	ring_teardown(&big);
}

int main(void)
{
#define PLAIN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define EVENT(test) cmocka_unit_test_setup_teardown(test, setup_event_idx, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drvq_layout_is_aligned_and_without_overlap),
		cmocka_unit_test(test_drvq_layout_of_bad_size_is_refused),
		cmocka_unit_test(test_drvq_start_on_misaligned_memory_is_refused),
		PLAIN(test_drvq_start_of_started_queue_is_refused),
		PLAIN(test_drvq_start_clears_what_memory_held),
		PLAIN(test_drvq_add_writes_exact_descriptors),
		PLAIN(test_drvq_add_is_invisible_before_publish),
		PLAIN(test_drvq_chain_arrives_as_it_was_added),
		PLAIN(test_drvq_add_without_pieces_is_refused),
		PLAIN(test_drvq_add_more_pieces_than_the_queue_is_refused),
		PLAIN(test_drvq_add_of_more_than_4_gib_is_refused),
		PLAIN(test_drvq_add_to_a_full_queue_is_refused),
		PLAIN(test_drvq_add_chain_longer_than_what_is_free_is_refused),
		PLAIN(test_drvq_get_hands_the_cookie_length_and_capacity_back),
		PLAIN(test_drvq_get_before_anything_was_used),
		PLAIN(test_drvq_get_follows_the_order_of_the_device),
		PLAIN(test_drvq_get_length_above_capacity_is_for_the_caller_to_judge),
		PLAIN(test_drvq_returned_chain_frees_each_descriptor_once),
		PLAIN(test_drvq_indirect_writes_exact_entries),
		PLAIN(test_drvq_indirect_chain_comes_back),
		PLAIN(test_drvq_indirect_without_the_feature_is_refused),
		PLAIN(test_drvq_indirect_longer_than_the_queue_is_refused),
		PLAIN(test_drvq_indirect_in_a_full_queue_is_refused),
		PLAIN(test_drvq_publish_of_nothing_wants_no_kick),
		PLAIN(test_drvq_kick_plain_follows_no_notify),
		PLAIN(test_drvq_call_plain_sets_no_interrupt),
		EVENT(test_drvq_kick_event_at_exact_boundaries),
		EVENT(test_drvq_kick_event_at_exact_boundaries_across_the_wrap),
		EVENT(test_drvq_kick_event_ignores_no_notify),
		EVENT(test_drvq_call_event_asks_for_the_next_entry_when_drained),
		EVENT(test_drvq_call_event_follows_across_the_wrap),
		EVENT(test_drvq_call_event_switched_off_is_not_called),
		EVENT(test_drvq_call_event_switched_on_again_is_called),
		EVENT(test_drvq_call_after_three_entries),
		cmocka_unit_test(test_drvq_of_size_1_turns_around),
		cmocka_unit_test(test_drvq_of_size_32768_full_at_once),
	};

	return cmocka_run_group_tests_name("drvq", tests, NULL, NULL);
}
