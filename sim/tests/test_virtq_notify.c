/* SPDX-License-Identifier: BSD-2-Clause */
/* Split virtqueue, device side: when the driver is asked for kicks, and when it is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/ring_fixture.h"

static struct ring ring;
static struct virtq_chain chain;

static int setup_plain(void **state)
{
	ring_setup(&ring, 8, 0);
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

static void offer(uint16_t count)
{
	for (uint16_t i = 0; i < count; i++)
		ring_offer_buffer(&ring, ring.offered & 7, RING_LOW, 16, false);
}

static void pop(uint16_t count)
{
	for (uint16_t i = 0; i < count; i++)
		assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
}

/* Push so many entries at once; the answer is that of virtq_flush(). */
static bool use(uint16_t count)
{
	for (uint16_t i = 0; i < count; i++)
		assert_int_equal(virtq_push_raw(&ring.vq, 0, 0), 0);
	return virtq_flush(&ring.vq);
}

static void test_call_plain_is_wanted_by_default(void **state)
{
	assert_true(use(1));
	assert_true(use(3));
}

static void test_call_plain_nothing_pushed_means_no_call(void **state)
{
	assert_false(virtq_flush(&ring.vq));
	assert_true(use(1));
	assert_false(virtq_flush(&ring.vq));
}

static void test_call_plain_no_interrupt_suppresses(void **state)
{
	ring_set_avail_flags(&ring, VRING_AVAIL_F_NO_INTERRUPT);
	assert_false(use(1));
	assert_int_equal(ring_used_idx(&ring), 1);
	ring_set_avail_flags(&ring, 0);
	assert_true(use(1));
}

static void test_call_plain_other_flags_are_ignored(void **state)
{
	ring_set_avail_flags(&ring, 0xfffe);
	assert_true(use(1));
}

static void test_call_plain_used_event_is_ignored(void **state)
{
	ring_set_used_event(&ring, 1000);
	assert_true(use(1));
	assert_true(use(1));
}

static void test_notify_plain_off_and_on_set_the_flag(void **state)
{
	assert_int_equal(ring_used_flags(&ring), 0);
	virtq_set_notify(&ring.vq, false);
	assert_int_equal(ring_used_flags(&ring), VRING_USED_F_NO_NOTIFY);
	virtq_set_notify(&ring.vq, true);
	assert_int_equal(ring_used_flags(&ring), 0);
}

static void test_notify_plain_start_clears_a_flag_left_behind(void **state)
{
	virtq_set_notify(&ring.vq, false);
	ring_restart_at(&ring, 0);
	assert_int_equal(ring_used_flags(&ring), 0);
}

static void test_notify_plain_stopped_queue_is_not_touched(void **state)
{
	virtq_stop(&ring.vq);
	virtq_set_notify(&ring.vq, false);
	assert_int_equal(ring_used_flags(&ring), 0);
}

static void test_call_event_first_flush_of_a_session_calls(void **state)
{
	ring_set_used_event(&ring, 1000);
	assert_true(use(1));
	assert_false(use(1));
	ring_restart_at(&ring, 2);
	assert_true(use(1));
}

/* From base, publish count entries at once: a call exactly for base <= event < base + count. */
static void assert_calls_at_boundaries(uint16_t base, uint16_t count)
{
	for (int distance = -10; distance <= 20; distance++) {
		ring_restart_at(&ring, (uint16_t)(base - 1));
		use(1);
		ring_set_used_event(&ring, (uint16_t)(base + distance));
		assert_int_equal(use(count), distance >= 0 && distance < count);
		assert_int_equal(ring_used_idx(&ring), (uint16_t)(base + count));
	}
}

static void test_call_event_at_exact_boundaries(void **state)
{
	assert_calls_at_boundaries(100, 1);
	assert_calls_at_boundaries(100, 2);
	assert_calls_at_boundaries(100, 8);
}

static void test_call_event_at_exact_boundaries_across_the_wrap(void **state)
{
	assert_calls_at_boundaries(65535, 1);
	assert_calls_at_boundaries(65534, 2);
	assert_calls_at_boundaries(65533, 8);
	assert_calls_at_boundaries(0, 1);
}

static void test_call_event_calls_once_for_one_event(void **state)
{
	use(1);
	ring_set_used_event(&ring, 2);
	assert_false(use(1));
	assert_true(use(1));
	assert_false(use(1));
	assert_false(use(1));
}

static void test_call_event_never_moved_calls_again_after_a_whole_turn(void **state)
{
	uint32_t calls = 0;

	use(1);
	ring_set_used_event(&ring, 0);
	for (uint32_t i = 0; i < 65536; i++)
		calls += use(1);
	assert_int_equal(calls, 1);
}

static void test_call_event_nothing_pushed_means_no_call(void **state)
{
	use(1);
	ring_set_used_event(&ring, 1);
	assert_false(virtq_flush(&ring.vq));
	assert_true(use(1));
}

static void test_call_event_ignores_no_interrupt(void **state)
{
	use(1);
	ring_set_used_event(&ring, 1);
	ring_set_avail_flags(&ring, VRING_AVAIL_F_NO_INTERRUPT);
	assert_true(use(1));
}

static void test_notify_event_start_asks_for_the_first_entry(void **state)
{
	ring_set_avail_event(&ring, 0x5a5a);
	ring_restart_at(&ring, 65535);
	assert_int_equal(ring_avail_event(&ring), 65535);
}

static void test_notify_event_flags_stay_zero(void **state)
{
	virtq_set_notify(&ring.vq, false);
	assert_int_equal(ring_used_flags(&ring), 0);
}

static void test_notify_event_follows_when_the_ring_is_drained(void **state)
{
	offer(3);
	pop(3);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 0);
	assert_int_equal(ring_avail_event(&ring), 3);
}

static void test_notify_event_follows_across_the_wrap(void **state)
{
	ring_restart_at(&ring, 65534);
	offer(3);
	pop(3);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 0);
	assert_int_equal(ring_avail_event(&ring), 1);
}

static void test_notify_event_count_of_an_empty_ring_asks_too(void **state)
{
	offer(2);
	pop(2);
	assert_int_equal(ring_avail_event(&ring), 0);
	assert_int_equal(virtq_avail_count(&ring.vq), 0);
	assert_int_equal(ring_avail_event(&ring), 2);
}

static void test_notify_event_stays_while_entries_wait(void **state)
{
	offer(3);
	pop(1);
	assert_int_equal(virtq_avail_count(&ring.vq), 2);
	assert_int_equal(ring_avail_event(&ring), 0);
}

static void test_notify_event_switched_off_stays_where_it_was(void **state)
{
	virtq_set_notify(&ring.vq, false);
	offer(3);
	pop(3);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 0);
	assert_int_equal(ring_avail_event(&ring), 0);
}

static void test_notify_event_switched_on_asks_for_what_was_not_seen(void **state)
{
	virtq_set_notify(&ring.vq, false);
	offer(3);
	pop(1);
	virtq_set_notify(&ring.vq, true);
	assert_int_equal(ring_avail_event(&ring), 3);
}

static void test_notify_event_entry_offered_before_switching_on_is_found(void **state)
{
	virtq_set_notify(&ring.vq, false);
	offer(1);
	virtq_set_notify(&ring.vq, true);
	assert_int_equal(virtq_avail_count(&ring.vq), 1);
}

static void test_notify_event_is_logged_with_the_used_ring(void **state)
{
	const uint64_t at = 8 * GMEM_LOG_PAGE - vring_avail_event(8);
	uint8_t log[2] = {0};

	gmem_set_log(&ring.mem, log, sizeof(log));
	virtq_stop(&ring.vq);
	ring.rings.used_logged = true;
	ring.rings.used_log_addr = at;
	ring_restart_at(&ring, 0);
	assert_int_equal(log[1], 0x01);
	assert_int_equal(log[0], 0x00);
}

/* The driver's own view: it kicks for the entry that the device waits for, and for no other. */
static void test_notify_event_makes_the_driver_kick_only_after_a_drain(void **state)
{
	const struct drvq_buf buf = {RING_LOW, 16};

	assert_int_equal(drvq_add(&ring.dq, &buf, 1, 0, NULL), 0);
	assert_true(drvq_publish(&ring.dq));
	assert_int_equal(drvq_add(&ring.dq, &buf, 1, 0, NULL), 1);
	assert_false(drvq_publish(&ring.dq));
	pop(2);
	assert_int_equal(drvq_add(&ring.dq, &buf, 1, 0, NULL), 2);
	assert_false(drvq_publish(&ring.dq));
	pop(1);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 0);
	assert_int_equal(drvq_add(&ring.dq, &buf, 1, 0, NULL), 3);
	assert_true(drvq_publish(&ring.dq));
}

int main(void)
{
#define PLAIN(test) cmocka_unit_test_setup_teardown(test, setup_plain, teardown)
#define EVENT(test) cmocka_unit_test_setup_teardown(test, setup_event_idx, teardown)
	const struct CMUnitTest tests[] = {
		PLAIN(test_call_plain_is_wanted_by_default),
		PLAIN(test_call_plain_nothing_pushed_means_no_call),
		PLAIN(test_call_plain_no_interrupt_suppresses),
		PLAIN(test_call_plain_other_flags_are_ignored),
		PLAIN(test_call_plain_used_event_is_ignored),
		PLAIN(test_notify_plain_off_and_on_set_the_flag),
		PLAIN(test_notify_plain_start_clears_a_flag_left_behind),
		PLAIN(test_notify_plain_stopped_queue_is_not_touched),
		EVENT(test_call_event_first_flush_of_a_session_calls),
		EVENT(test_call_event_at_exact_boundaries),
		EVENT(test_call_event_at_exact_boundaries_across_the_wrap),
		EVENT(test_call_event_calls_once_for_one_event),
		EVENT(test_call_event_never_moved_calls_again_after_a_whole_turn),
		EVENT(test_call_event_nothing_pushed_means_no_call),
		EVENT(test_call_event_ignores_no_interrupt),
		EVENT(test_notify_event_start_asks_for_the_first_entry),
		EVENT(test_notify_event_flags_stay_zero),
		EVENT(test_notify_event_follows_when_the_ring_is_drained),
		EVENT(test_notify_event_follows_across_the_wrap),
		EVENT(test_notify_event_count_of_an_empty_ring_asks_too),
		EVENT(test_notify_event_stays_while_entries_wait),
		EVENT(test_notify_event_switched_off_stays_where_it_was),
		EVENT(test_notify_event_switched_on_asks_for_what_was_not_seen),
		EVENT(test_notify_event_entry_offered_before_switching_on_is_found),
		EVENT(test_notify_event_is_logged_with_the_used_ring),
		EVENT(test_notify_event_makes_the_driver_kick_only_after_a_drain),
	};

	return cmocka_run_group_tests_name("virtq_notify", tests, NULL, NULL);
}
