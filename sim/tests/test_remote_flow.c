/* SPDX-License-Identifier: BSD-2-Clause */
/* Backpressure, holding and releasing, budgets, kicks and calls. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/remote_host.h"

#include "remote/numbered.h"

#define HOST_ADDR 0x400
#define ECHO_ADDR 1024
#define SINK_ADDR 2000

#define INPUT RPMSG_QUEUE_INPUT
#define OUTPUT RPMSG_QUEUE_OUTPUT

static struct remote_host host;

static void setup_with(const struct host_options *options)
{
	host_setup(&host, options);
	host_service(&host, "echo", "echo", ECHO_ADDR);
	host_service(&host, "sink", "sink", SINK_ADDR);
	host_attach(&host, HOST_WITHOUT_NS);
	host_run(&host);
}

static int setup(void **state)
{
	setup_with(NULL);
	return 0;
}

static int teardown(void **state)
{
	host_expect_balance(&host);
	host_teardown(&host);
	return 0;
}

static const struct remote_stats *stats(void)
{
	return remote_get_stats(host.remote);
}

static void send_number(uint32_t dst, uint64_t number, uint32_t size)
{
	uint8_t payload[RPMSG_MAX_PAYLOAD];

	numbered_fill(payload, size, number);
	host_send(&host, HOST_ADDR, dst, payload, size);
}

/* Fail the test unless the next message carries this number undamaged. */
static void expect_number(uint64_t number)
{
	static struct host_message message;
	uint64_t found;

	assert_true(host_receive(&host, &message));
	assert_true(numbered_check(message.payload, message.hdr.len, &found));
	assert_int_equal(found, number);
}

/* ---- backpressure ------------------------------------------------------------------------- */

/*
 * More messages than buffers, backlog and send ring together can hold: whatever the pace of
 * the host, each comes back exactly once and in order.
 */
static void check_nothing_is_lost(uint32_t in_steps, uint32_t out_steps, uint32_t total)
{
	uint64_t sent = 0, got = 0;
	uint32_t idle = 0;

	while (got < total && idle < 3) {
		uint64_t before = sent + got;

		for (uint32_t i = 0; i < in_steps && sent < total; i++) {
			if (host.free_count[OUTPUT] == 0)
				break;
			send_number(ECHO_ADDR, sent, 8 + (uint32_t)(sent * 37 % 489));
			sent++;
		}
		host_run(&host);
		host_reclaim_all(&host);
		for (uint32_t i = 0; i < out_steps; i++) {
			if (got == sent || host.free_count[INPUT] == host.options.num[INPUT])
				break;
			if (host.dq[INPUT].outstanding == 0)
				break;
			if (virtq_avail_count(&host.vq[INPUT]) == (int)host.dq[INPUT].outstanding)
				break;
			expect_number(got++);
		}
		host_supply(&host, out_steps);
		idle = sent + got == before ? idle + 1 : 0;
	}
	assert_int_equal(got, total);
	host_expect_nothing(&host);
	assert_int_equal(stats()->delivered, total);
	assert_int_equal(stats()->sent, total);
	assert_int_equal(stats()->send_failed, 0);
	assert_int_equal(stats()->backlog, 0);
}

static void test_remote_loses_nothing_when_the_host_reads_slowly(void **state)
{
	check_nothing_is_lost(16, 1, 3000);
}

static void test_remote_loses_nothing_when_the_host_sends_slowly(void **state)
{
	check_nothing_is_lost(1, 16, 3000);
}

static void test_remote_loses_nothing_through_a_small_backlog(void **state)
{
	const struct host_options options = {.config = {.backlog = 3}};

	host_teardown(&host);
	setup_with(&options);
	check_nothing_is_lost(16, 1, 1000);
}

static void test_remote_loses_nothing_through_rings_of_one_entry(void **state)
{
	const struct host_options options = {.num = {1, 1}, .config = {.backlog = 1}};

	host_teardown(&host);
	setup_with(&options);
	check_nothing_is_lost(1, 1, 70000); /* the ring's indices wrap */
}

static void test_remote_loses_nothing_through_large_and_unequal_rings(void **state)
{
	const struct host_options options = {.num = {4096, 64}};

	host_teardown(&host);
	setup_with(&options);
	check_nothing_is_lost(64, 5000, 10000);
}

static void test_remote_leaves_messages_with_the_host_while_it_cannot_answer(void **state)
{
	const struct host_options options = {.config = {.backlog = 5}};

	host_teardown(&host);
	setup_with(&options);
	host_detach(&host);
	host_attach_bare(&host, HOST_WITHOUT_NS);
	for (uint64_t i = 0; i < 16; i++)
		send_number(ECHO_ADDR, i, 8);
	host_run(&host);
	assert_int_equal(stats()->received, 5);
	assert_int_equal(stats()->backlog, 5);
	assert_int_equal(host_reclaim_all(&host), 5);
	assert_int_equal(virtq_avail_count(&host.vq[OUTPUT]), 11);
	host_supply(&host, 1);
	host_run(&host);
	assert_int_equal(stats()->received, 6);
	expect_number(0);
}

static void test_remote_backlog_takes_as_many_messages_as_configured(void **state)
{
	const struct remote_message message = {.hdr = {.src = 1, .dst = 2}};

	host_detach(&host);
	host_attach_bare(&host, HOST_WITHOUT_NS);
	for (int i = 0; i < 1024; i++)
		assert_int_equal(remote_send(host.remote, &message), 1);
	assert_int_equal(remote_send(host.remote, &message), -ENOBUFS);
	assert_int_equal(stats()->backlog, 1024);
	assert_int_equal(stats()->send_failed, 0);
}

static void test_remote_message_that_waited_counts_for_its_endpoint(void **state)
{
	const struct remote_message message = {.hdr = {.src = SINK_ADDR, .dst = 2}};

	remote_hold(host.remote, INPUT, 0);
	send_number(ECHO_ADDR, 0, 8);
	host_run(&host);
	assert_int_equal(host_endpoint(&host, ECHO_ADDR).sent, 0);
	assert_int_equal(remote_send(host.remote, &message), 1);
	remote_release(host.remote, INPUT, 0);
	assert_int_equal(remote_send(host.remote, &message), 0);
	assert_int_equal(host_endpoint(&host, ECHO_ADDR).sent, 1);
	assert_int_equal(host_endpoint(&host, SINK_ADDR).sent, 2);
}

static void test_remote_message_that_waited_keeps_its_header_and_used_length(void **state)
{
	const struct remote_message odd = {
		.hdr = {.src = 9, .dst = 8, .reserved = 7, .len = 6, .flags = 5},
		.used_len_set = true,
		.used_len = 8,
	};
	struct host_message got;

	remote_hold(host.remote, INPUT, 0);
	assert_int_equal(remote_send(host.remote, &odd), 1);
	remote_release(host.remote, INPUT, 0);
	assert_true(host_receive(&host, &got));
	assert_int_equal(got.used_len, 8);
	assert_int_equal(got.hdr.src, 9);
	assert_int_equal(got.hdr.dst, 8);
	assert_int_equal(got.hdr.reserved, 7);
	assert_int_equal(got.hdr.len, 6);
	assert_int_equal(got.hdr.flags, 5);
}

static void test_remote_message_that_waits_is_a_copy(void **state)
{
	uint8_t bytes[] = "abc";
	const struct remote_message message = {
		.hdr = {.src = 1, .dst = 2, .len = 3}, .payload = bytes, .size = 3};

	host_detach(&host);
	host_attach_bare(&host, HOST_WITHOUT_NS);
	assert_int_equal(remote_send(host.remote, &message), 1);
	memset(bytes, 0, sizeof(bytes));
	host_supply(&host, 1);
	host_run(&host);
	host_expect(&host, 1, 2, "abc", 3);
}

/* ---- holding ------------------------------------------------------------------------------ */

static void test_remote_held_buffers_stay_while_messages_are_served(void **state)
{
	assert_int_equal(remote_hold(host.remote, OUTPUT, 0), 0);
	for (uint64_t i = 0; i < 16; i++)
		send_number(ECHO_ADDR, i, 8);
	host_run(&host);
	assert_int_equal(stats()->delivered, 16);
	for (uint64_t i = 0; i < 16; i++)
		expect_number(i);
	assert_int_equal(host_reclaim_all(&host), 0);
	assert_int_equal(stats()->queues[OUTPUT].held, 16);
	assert_int_equal(stats()->queues[OUTPUT].returned, 0);
}

static void test_remote_release_returns_the_oldest_first(void **state)
{
	uint16_t heads[6];

	remote_hold(host.remote, OUTPUT, 0);
	for (int i = 0; i < 6; i++)
		heads[i] = host_send(&host, HOST_ADDR, SINK_ADDR, "x", 1);
	host_run(&host);
	assert_int_equal(remote_release(host.remote, OUTPUT, 2), 2);
	assert_int_equal(host_reclaim(&host, NULL), heads[0]);
	assert_int_equal(host_reclaim(&host, NULL), heads[1]);
	assert_int_equal(host_reclaim(&host, NULL), -1);
	assert_int_equal(stats()->queues[OUTPUT].held, 4);
	assert_int_equal(remote_release(host.remote, OUTPUT, 100), 4);
	for (int i = 2; i < 6; i++)
		assert_int_equal(host_reclaim(&host, NULL), heads[i]);
	assert_int_equal(remote_release(host.remote, OUTPUT, 1), 0);
}

static void test_remote_release_of_some_goes_on_holding(void **state)
{
	remote_hold(host.remote, OUTPUT, 0);
	host_send(&host, HOST_ADDR, SINK_ADDR, "x", 1);
	host_run(&host);
	remote_release(host.remote, OUTPUT, 1);
	host_send(&host, HOST_ADDR, SINK_ADDR, "x", 1);
	host_run(&host);
	assert_int_equal(host_reclaim_all(&host), 1);
	assert_int_equal(stats()->queues[OUTPUT].held, 1);
}

static void test_remote_release_of_all_ends_holding(void **state)
{
	remote_hold(host.remote, OUTPUT, 0);
	host_send(&host, HOST_ADDR, SINK_ADDR, "x", 1);
	host_run(&host);
	assert_int_equal(remote_release(host.remote, OUTPUT, 0), 1);
	host_send(&host, HOST_ADDR, SINK_ADDR, "x", 1);
	host_run(&host);
	assert_int_equal(host_reclaim_all(&host), 2);
	assert_int_equal(stats()->queues[OUTPUT].held, 0);
}

static void test_remote_hold_of_a_count_holds_just_the_next(void **state)
{
	uint16_t heads[5];

	assert_int_equal(remote_hold(host.remote, OUTPUT, 2), 0);
	for (int i = 0; i < 5; i++)
		heads[i] = host_send(&host, HOST_ADDR, SINK_ADDR, "x", 1);
	host_run(&host);
	for (int i = 2; i < 5; i++)
		assert_int_equal(host_reclaim(&host, NULL), heads[i]);
	assert_int_equal(host_reclaim(&host, NULL), -1);
	assert_int_equal(remote_release(host.remote, OUTPUT, 0), 2);
	assert_int_equal(host_reclaim(&host, NULL), heads[0]);
	assert_int_equal(host_reclaim(&host, NULL), heads[1]);
}

static void test_remote_release_calls_the_host_once(void **state)
{
	remote_hold(host.remote, OUTPUT, 0);
	for (int i = 0; i < 5; i++)
		host_send(&host, HOST_ADDR, SINK_ADDR, "x", 1);
	host_run(&host);
	assert_int_equal(host.calls[OUTPUT], 0);
	remote_release(host.remote, OUTPUT, 0);
	assert_int_equal(host.calls[OUTPUT], 1);
}

static void test_remote_hold_of_the_whole_ring_and_around_its_end(void **state)
{
	uint16_t heads[16];

	for (int round = 0; round < 5000; round++) {
		remote_hold(host.remote, OUTPUT, 0);
		for (int i = 0; i < 16; i++)
			heads[i] = host_send(&host, HOST_ADDR, SINK_ADDR, "x", 1);
		host_run(&host);
		assert_int_equal(remote_release(host.remote, OUTPUT, 0), 16);
		for (int i = 0; i < 16; i++)
			assert_int_equal(host_reclaim(&host, NULL), heads[i]);
	}
}

static void test_remote_dropped_messages_are_held_like_others(void **state)
{
	remote_hold(host.remote, OUTPUT, 0);
	host_send(&host, HOST_ADDR, 4711, "x", 1);
	host_run(&host);
	assert_int_equal(host_reclaim_all(&host), 0);
	assert_int_equal(remote_release(host.remote, OUTPUT, 0), 1);
}

static void test_remote_sends_nothing_while_the_input_queue_is_held(void **state)
{
	const struct remote_message message = {.hdr = {.src = 1, .dst = 2}};

	assert_int_equal(remote_hold(host.remote, INPUT, 0), 0);
	send_number(ECHO_ADDR, 0, 8);
	host_run(&host);
	assert_int_equal(remote_send(host.remote, &message), 1);
	host_expect_nothing(&host);
	assert_int_equal(stats()->delivered, 1);
	assert_int_equal(stats()->backlog, 2);
	assert_int_equal(remote_release(host.remote, INPUT, 0), 2);
	expect_number(0);
	host_expect(&host, 1, 2, NULL, 0);
}

static void test_remote_release_of_the_input_queue_lets_that_many_out(void **state)
{
	remote_hold(host.remote, INPUT, 0);
	for (uint64_t i = 0; i < 5; i++)
		send_number(ECHO_ADDR, i, 8);
	host_run(&host);
	assert_int_equal(remote_release(host.remote, INPUT, 2), 2);
	expect_number(0);
	expect_number(1);
	host_run(&host);
	host_expect_nothing(&host);
	assert_int_equal(remote_release(host.remote, INPUT, 0), 3);
	expect_number(2);
}

static void test_remote_hold_refuses_what_makes_no_sense(void **state)
{
	assert_int_equal(remote_hold(host.remote, 2, 0), -EINVAL);
	assert_int_equal(remote_release(host.remote, 2, 0), -EINVAL);
}

static void test_remote_hold_can_be_asked_for_before_a_host_comes(void **state)
{
	host_detach(&host);
	remote_hold(host.remote, OUTPUT, 0);
	host_attach(&host, HOST_WITHOUT_NS);
	host_send(&host, HOST_ADDR, SINK_ADDR, "x", 1);
	host_run(&host);
	assert_int_equal(host_reclaim_all(&host), 0);
	assert_int_equal(remote_release(host.remote, OUTPUT, 0), 1);
}

static void test_remote_release_without_a_host_returns_nothing(void **state)
{
	host_detach(&host);
	assert_int_equal(remote_release(host.remote, OUTPUT, 0), 0);
	assert_int_equal(remote_release(host.remote, INPUT, 0), 0);
}

/* ---- budget ------------------------------------------------------------------------------- */

static void test_remote_run_handles_no_more_than_its_budget(void **state)
{
	for (uint64_t i = 0; i < 16; i++)
		send_number(ECHO_ADDR, i, 8);
	assert_true(remote_run(host.remote, 5));
	assert_int_equal(stats()->received, 5);
	assert_true(remote_run(host.remote, 1));
	assert_int_equal(stats()->received, 6);
	assert_true(remote_run(host.remote, 0));
	assert_int_equal(stats()->received, 6);
	assert_false(remote_run(host.remote, 100));
	assert_int_equal(stats()->received, 16);
}

static void test_remote_run_with_the_last_of_its_budget_says_that_it_is_done(void **state)
{
	send_number(ECHO_ADDR, 0, 8);
	send_number(ECHO_ADDR, 1, 8);
	assert_false(remote_run(host.remote, 2));
}

static void test_remote_run_sends_no_more_of_its_backlog_than_its_budget(void **state)
{
	const struct remote_message message = {.hdr = {.src = 1, .dst = 2}};

	host_detach(&host);
	host_attach_bare(&host, HOST_WITHOUT_NS);
	for (int i = 0; i < 10; i++)
		remote_send(host.remote, &message);
	host_supply(&host, UINT32_MAX);
	assert_true(remote_run(host.remote, 4));
	assert_int_equal(host_discard(&host), 4);
	assert_false(remote_run(host.remote, 6));
	assert_int_equal(host_discard(&host), 6);
}

static void test_remote_run_handles_all_that_its_budget_allows(void **state)
{
	const struct host_options options = {.num = {256, 256}};

	host_teardown(&host);
	setup_with(&options);
	for (uint64_t i = 0; i < 200; i++)
		send_number(ECHO_ADDR, i, 8);
	assert_false(remote_run(host.remote, 200));
	assert_int_equal(stats()->received, 200);
	assert_int_equal(host.calls[INPUT], 1);
	assert_int_equal(host.calls[OUTPUT], 1);
}

static void test_remote_run_without_a_host_has_nothing_to_do(void **state)
{
	host_detach(&host);
	assert_false(remote_run(host.remote, 100));
}

/* ---- kicks and calls ---------------------------------------------------------------------- */

static void test_remote_calls_once_a_queue_and_batch(void **state)
{
	for (uint64_t i = 0; i < 10; i++)
		send_number(ECHO_ADDR, i, 8);
	assert_false(remote_run(host.remote, 100));
	assert_int_equal(host.calls[INPUT], 1);
	assert_int_equal(host.calls[OUTPUT], 1);
	assert_int_equal(stats()->queues[INPUT].calls, 1);
	assert_int_equal(stats()->queues[OUTPUT].calls, 1);
}

static void test_remote_calls_only_for_the_queue_that_moved(void **state)
{
	send_number(SINK_ADDR, 0, 8);
	host_run(&host);
	assert_int_equal(host.calls[INPUT], 0);
	assert_int_equal(host.calls[OUTPUT], 1);
}

/* With both ways of telling a device not to call. */
static void check_calls_can_be_switched_off(uint64_t features)
{
	host_detach(&host);
	host_attach(&host, features);
	host_run(&host);
	send_number(ECHO_ADDR, 0, 8);
	host_run(&host);
	host_discard(&host);
	host_reclaim_all(&host);
	host.calls[INPUT] = host.calls[OUTPUT] = 0;
	drvq_set_call(&host.dq[INPUT], false);
	drvq_set_call(&host.dq[OUTPUT], false);
	send_number(ECHO_ADDR, 1, 8);
	host_run(&host);
	assert_int_equal(host.calls[INPUT], 0);
	assert_int_equal(host.calls[OUTPUT], 0);
	expect_number(1);
}

static void test_remote_calls_can_be_switched_off_with_event_idx(void **state)
{
	check_calls_can_be_switched_off(HOST_WITHOUT_NS);
}

static void test_remote_calls_can_be_switched_off_with_flags(void **state)
{
	check_calls_can_be_switched_off(HOST_WITHOUT_NS & ~VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX));
}

/* Make one buffer available without the fixture: does the device want a kick for it? */
static bool next_wants_kick(unsigned int queue)
{
	const struct drvq_buf buf = {.addr = HOST_MEMORY, .len = 64};

	host_header(&host, host.memory, HOST_ADDR, SINK_ADDR, 0);
	assert_true(drvq_add(&host.dq[queue], &buf, queue == OUTPUT, queue == INPUT, NULL) >= 0);
	return drvq_publish(&host.dq[queue]);
}

static void check_kicks(uint64_t features)
{
	host_detach(&host);
	host_attach_bare(&host, features);
	for (unsigned int queue = 0; queue < RPMSG_NUM_QUEUES; queue++) {
		host_run(&host);
		for (int i = 0; i < 5; i++) {
			assert_true(next_wants_kick(queue));
			host_run(&host);
		}
	}
}

static void test_remote_asks_for_kicks_before_it_sleeps_with_event_idx(void **state)
{
	check_kicks(HOST_WITHOUT_NS);
}

static void test_remote_asks_for_kicks_before_it_sleeps_with_flags(void **state)
{
	check_kicks(HOST_WITHOUT_NS & ~VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX));
}

/* Sends one more while the remote wants no kicks: this one comes without. */
static void send_when_called(struct remote_host *of, unsigned int queue)
{
	if (queue == OUTPUT) {
		of->on_call = NULL;
		assert_false(next_wants_kick(OUTPUT));
	}
}

static void check_message_without_kick_is_found(uint64_t features)
{
	host_detach(&host);
	host_attach(&host, features);
	host_run(&host);
	send_number(SINK_ADDR, 0, 8);
	host.on_call = send_when_called;
	assert_true(remote_run(host.remote, 100));
	assert_int_equal(stats()->received, 1);
	assert_false(remote_run(host.remote, 100));
	assert_int_equal(stats()->received, 2);
}

static void test_remote_finds_what_came_before_it_asked_for_kicks_with_event_idx(void **state)
{
	check_message_without_kick_is_found(HOST_WITHOUT_NS);
}

static void test_remote_finds_what_came_before_it_asked_for_kicks_with_flags(void **state)
{
	check_message_without_kick_is_found(HOST_WITHOUT_NS & ~VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX));
}

static void test_remote_wants_no_kicks_while_work_is_left(void **state)
{
	host_detach(&host);
	host_attach(&host, HOST_WITHOUT_NS & ~VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX));
	host_run(&host);
	assert_true(next_wants_kick(OUTPUT));
	assert_true(next_wants_kick(OUTPUT));
	assert_true(next_wants_kick(OUTPUT));
	assert_true(remote_run(host.remote, 1));
	assert_false(next_wants_kick(OUTPUT));
	assert_false(remote_run(host.remote, 100));
	assert_int_equal(stats()->received, 4);
	assert_true(next_wants_kick(OUTPUT));
}

static void test_remote_counts_kicks_and_tells_them(void **state)
{
	uint32_t before = host_event_count(&host, REMOTE_EVENT_KICK);

	remote_kick(host.remote, INPUT, 1);
	remote_kick(host.remote, OUTPUT, 3);
	remote_kick(host.remote, 7, 1);
	assert_int_equal(stats()->queues[INPUT].kicks, 1);
	assert_int_equal(stats()->queues[OUTPUT].kicks, 3);
	assert_int_equal(host_event_count(&host, REMOTE_EVENT_KICK), before + 2);
	assert_int_equal(host_event(&host, REMOTE_EVENT_KICK, before + 1)->event.queue, OUTPUT);
}

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_HOST(test_remote_loses_nothing_when_the_host_reads_slowly),
		ON_HOST(test_remote_loses_nothing_when_the_host_sends_slowly),
		ON_HOST(test_remote_loses_nothing_through_a_small_backlog),
		ON_HOST(test_remote_loses_nothing_through_rings_of_one_entry),
		ON_HOST(test_remote_loses_nothing_through_large_and_unequal_rings),
		ON_HOST(test_remote_leaves_messages_with_the_host_while_it_cannot_answer),
		ON_HOST(test_remote_backlog_takes_as_many_messages_as_configured),
		ON_HOST(test_remote_message_that_waited_counts_for_its_endpoint),
		ON_HOST(test_remote_message_that_waited_keeps_its_header_and_used_length),
		ON_HOST(test_remote_message_that_waits_is_a_copy),
		ON_HOST(test_remote_held_buffers_stay_while_messages_are_served),
		ON_HOST(test_remote_release_returns_the_oldest_first),
		ON_HOST(test_remote_release_of_some_goes_on_holding),
		ON_HOST(test_remote_release_of_all_ends_holding),
		ON_HOST(test_remote_hold_of_a_count_holds_just_the_next),
		ON_HOST(test_remote_release_calls_the_host_once),
		ON_HOST(test_remote_hold_of_the_whole_ring_and_around_its_end),
		ON_HOST(test_remote_dropped_messages_are_held_like_others),
		ON_HOST(test_remote_sends_nothing_while_the_input_queue_is_held),
		ON_HOST(test_remote_release_of_the_input_queue_lets_that_many_out),
		ON_HOST(test_remote_hold_refuses_what_makes_no_sense),
		ON_HOST(test_remote_hold_can_be_asked_for_before_a_host_comes),
		ON_HOST(test_remote_release_without_a_host_returns_nothing),
		ON_HOST(test_remote_run_handles_no_more_than_its_budget),
		ON_HOST(test_remote_run_with_the_last_of_its_budget_says_that_it_is_done),
		ON_HOST(test_remote_run_sends_no_more_of_its_backlog_than_its_budget),
		ON_HOST(test_remote_run_handles_all_that_its_budget_allows),
		ON_HOST(test_remote_run_without_a_host_has_nothing_to_do),
		ON_HOST(test_remote_calls_once_a_queue_and_batch),
		ON_HOST(test_remote_calls_only_for_the_queue_that_moved),
		ON_HOST(test_remote_calls_can_be_switched_off_with_event_idx),
		ON_HOST(test_remote_calls_can_be_switched_off_with_flags),
		ON_HOST(test_remote_asks_for_kicks_before_it_sleeps_with_event_idx),
		ON_HOST(test_remote_asks_for_kicks_before_it_sleeps_with_flags),
		ON_HOST(test_remote_finds_what_came_before_it_asked_for_kicks_with_event_idx),
		ON_HOST(test_remote_finds_what_came_before_it_asked_for_kicks_with_flags),
		ON_HOST(test_remote_wants_no_kicks_while_work_is_left),
		ON_HOST(test_remote_counts_kicks_and_tells_them),
	};

	return cmocka_run_group_tests_name("remote_flow", tests, NULL, NULL);
}
