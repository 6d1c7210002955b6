/* SPDX-License-Identifier: BSD-2-Clause */
/* Holding, order, delays and interrupts of both queues, on a clock of their own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "remote/pacing.h"
#include "support/remote_host.h"
#include "support/wire_view.h"

#define INPUT RPMSG_QUEUE_INPUT
#define OUTPUT RPMSG_QUEUE_OUTPUT
#define HOST_ADDR 500
#define ECHO_ADDR 1024
#define SINK_ADDR 1025
#define MS UINT64_C(1000000)

static struct remote_host host;

static int start_with_seed(uint64_t seed)
{
	const struct host_options options = {.num = {16, 16}, .config.seed = seed};

	host_setup(&host, &options);
	host_service(&host, "echo", "echo", ECHO_ADDR);
	host_service(&host, "sink", "sink", SINK_ADDR);
	host_attach(&host, HOST_WITHOUT_NS);
	host_run(&host);
	return 0;
}

static int setup(void **state)
{
	return start_with_seed(0);
}

static int teardown(void **state)
{
	host_expect_balance(&host);
	host_teardown(&host);
	return 0;
}

static const struct remote_queue_stats *stats(unsigned int queue)
{
	return &remote_get_stats(host.remote)->queues[queue];
}

static void pace(unsigned int queue, struct pace how)
{
	assert_int_equal(remote_pace(host.remote, queue, &how), 0);
}

/* Messages to the sink, which use the output queue only, or to the echo. */
static void send_to(uint32_t addr, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		uint8_t payload = (uint8_t)i;

		host_send(&host, HOST_ADDR, addr, &payload, 1);
	}
}

static void send_and_run(uint32_t addr, unsigned int count)
{
	send_to(addr, count);
	host_run(&host);
}

/* Let time go by as an owner would: to each deadline on the way. */
static void pass(uint64_t ns)
{
	uint64_t end = host.now + ns;

	while (remote_deadline(host.remote) <= end) {
		if (remote_deadline(host.remote) > host.now)
			host.now = remote_deadline(host.remote);
		host_run(&host);
	}
	host.now = end;
}

static uint16_t used(unsigned int queue)
{
	return wire_used_idx(&host, queue);
}

/* The heads of a queue in the order in which they came back, as numbers of the order in which
 * they were supplied. */
static void expect_order(unsigned int queue, uint32_t first, const uint8_t *order, uint32_t count)
{
	assert_int_equal(used(queue), first + count);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(wire_used(&host, queue, first + i).id,
				 wire_avail(&host, queue, first + order[i]));
}

/* ---- settings ----------------------------------------------------------------------------- */

static void test_pacing_names_are_those_of_the_options(void **state)
{
	assert_string_equal(pace_order_name(PACE_IN_ORDER), "in");
	assert_string_equal(pace_order_name(PACE_REVERSED), "reversed");
	assert_string_equal(pace_order_name(PACE_SHUFFLED), "shuffled");
	assert_string_equal(pace_order_name(PACE_ORDER_COUNT), "unknown");
	assert_string_equal(pace_interrupt_name(PACE_CALL_NORMAL), "normal");
	assert_string_equal(pace_interrupt_name(PACE_CALL_NEVER), "never");
	assert_string_equal(pace_interrupt_name(PACE_CALL_LATE), "late");
	assert_string_equal(pace_interrupt_name(PACE_CALL_SPURIOUS), "spurious");
	assert_string_equal(pace_interrupt_name(PACE_CALL_COUNT), "unknown");
}

static void test_pacing_that_makes_no_sense_is_refused(void **state)
{
	struct pace how = {.delay = 5};

	assert_int_equal(remote_pace(host.remote, 2, &how), -EINVAL);
	how = (struct pace){.order = PACE_ORDER_COUNT};
	assert_int_equal(remote_pace(host.remote, INPUT, &how), -EINVAL);
	how = (struct pace){.interrupt = PACE_CALL_COUNT};
	assert_int_equal(remote_pace(host.remote, INPUT, &how), -EINVAL);
	how = (struct pace){.delay = PACE_MAX_DELAY + 1};
	assert_int_equal(remote_pace(host.remote, INPUT, &how), -ERANGE);
	how = (struct pace){.interrupt_delay = PACE_MAX_DELAY + 1};
	assert_int_equal(remote_pace(host.remote, INPUT, &how), -ERANGE);
	how = (struct pace){.batch = 32769};
	assert_int_equal(remote_pace(host.remote, INPUT, &how), -ERANGE);
	assert_int_equal(remote_get_pace(host.remote, INPUT)->delay, 0);
	how = (struct pace){.every = 3, .batch = 32768, .delay = PACE_MAX_DELAY};
	assert_int_equal(remote_pace(host.remote, INPUT, &how), 0);
	assert_int_equal(remote_get_pace(host.remote, INPUT)->every, 3);
	assert_true(remote_get_pace(host.remote, INPUT)->delay == PACE_MAX_DELAY);
}

/* ---- holding ------------------------------------------------------------------------------ */

static void test_pacing_hold_of_the_next_answers_keeps_their_buffers(void **state)
{
	assert_int_equal(remote_hold(host.remote, INPUT, 2), 0);
	send_and_run(ECHO_ADDR, 3);
	/* They are written, and their buffers not returned; the third passes them. */
	expect_order(INPUT, 0, (const uint8_t[]){2}, 1);
	assert_int_equal(stats(INPUT)->held, 2);
	assert_int_equal(used(OUTPUT), 3);
	assert_memory_equal(wire_buffer(&host, INPUT, wire_avail(&host, INPUT, 1)) + 16, "\1", 1);
	assert_int_equal(remote_release(host.remote, INPUT, 0), 2);
	assert_int_equal(wire_used(&host, INPUT, 1).id, wire_avail(&host, INPUT, 0));
	assert_int_equal(wire_used(&host, INPUT, 2).id, wire_avail(&host, INPUT, 1));
	wire_expect_used(&host, INPUT, 2, wire_avail(&host, INPUT, 1), 17);
	assert_int_equal(stats(INPUT)->held, 0);
}

static void test_pacing_every_third_buffer_is_held(void **state)
{
	for (unsigned int queue = 0; queue < RPMSG_NUM_QUEUES; queue++) {
		pace(queue, (struct pace){.every = 3});
		send_and_run(ECHO_ADDR, 7);
		expect_order(queue, 0, (const uint8_t[]){0, 1, 3, 4, 6}, 5);
		assert_int_equal(stats(queue)->held, 2);
		assert_int_equal(remote_release(host.remote, queue, 1), 1);
		assert_int_equal(wire_used(&host, queue, 5).id, wire_avail(&host, queue, 2));
		assert_int_equal(remote_release(host.remote, queue, 0), 1);
		assert_int_equal(wire_used(&host, queue, 6).id, wire_avail(&host, queue, 5));
		/* It goes on counting, and holding. */
		host_detach(&host);
		pace(queue, (struct pace){0});
		host_attach(&host, HOST_WITHOUT_NS);
	}
}

static void test_pacing_every_first_buffer_is_all(void **state)
{
	pace(OUTPUT, (struct pace){.every = 1});
	send_and_run(SINK_ADDR, 4);
	assert_int_equal(used(OUTPUT), 0);
	assert_int_equal(remote_release(host.remote, OUTPUT, 0), 4);
	send_and_run(SINK_ADDR, 1);
	assert_int_equal(used(OUTPUT), 4);
}

static void test_pacing_release_of_answers_that_wait_comes_after_those_held(void **state)
{
	remote_hold(host.remote, INPUT, 1);
	send_and_run(ECHO_ADDR, 1);
	remote_hold(host.remote, INPUT, 0);
	send_and_run(ECHO_ADDR, 2);
	assert_int_equal(remote_get_stats(host.remote)->backlog, 2);
	assert_int_equal(remote_release(host.remote, INPUT, 2), 2);
	assert_int_equal(used(INPUT), 2);
	assert_int_equal(remote_get_stats(host.remote)->backlog, 1);
	assert_int_equal(remote_release(host.remote, INPUT, 0), 1);
	assert_int_equal(used(INPUT), 3);
}

static void test_pacing_hold_is_taken_back_by_release_of_all(void **state)
{
	remote_hold(host.remote, INPUT, 5);
	remote_release(host.remote, INPUT, 0);
	send_and_run(ECHO_ADDR, 1);
	assert_int_equal(used(INPUT), 1);
}

/* ---- order -------------------------------------------------------------------------------- */

static void test_pacing_reversed_turns_each_turn_around(void **state)
{
	for (unsigned int queue = 0; queue < RPMSG_NUM_QUEUES; queue++) {
		pace(queue, (struct pace){.order = PACE_REVERSED});
		send_and_run(ECHO_ADDR, 4);
		expect_order(queue, 0, (const uint8_t[]){3, 2, 1, 0}, 4);
		send_and_run(ECHO_ADDR, 3);
		expect_order(queue, 4, (const uint8_t[]){2, 1, 0}, 3);
		host_detach(&host);
		host_attach(&host, HOST_WITHOUT_NS);
		pace(queue, (struct pace){0});
	}
}

static void test_pacing_reversed_turns_a_release_around(void **state)
{
	pace(OUTPUT, (struct pace){.order = PACE_REVERSED});
	remote_hold(host.remote, OUTPUT, 0);
	send_and_run(SINK_ADDR, 5);
	assert_int_equal(remote_release(host.remote, OUTPUT, 3), 3);
	expect_order(OUTPUT, 0, (const uint8_t[]){2, 1, 0}, 3);
	assert_int_equal(remote_release(host.remote, OUTPUT, 0), 2);
	expect_order(OUTPUT, 3, (const uint8_t[]){1, 0}, 2);
}

/* The used length goes with its buffer. */
static void test_pacing_reversed_keeps_lengths_with_their_buffers(void **state)
{
	pace(INPUT, (struct pace){.order = PACE_REVERSED});
	host_send(&host, HOST_ADDR, ECHO_ADDR, "a", 1);
	host_send(&host, HOST_ADDR, ECHO_ADDR, "bcd", 3);
	host_run(&host);
	host_expect(&host, ECHO_ADDR, HOST_ADDR, "bcd", 3);
	host_expect(&host, ECHO_ADDR, HOST_ADDR, "a", 1);
}

static void shuffle(uint64_t seed, uint8_t *order)
{
	start_with_seed(seed);
	pace(OUTPUT, (struct pace){.order = PACE_SHUFFLED});
	send_and_run(SINK_ADDR, 16);
	assert_int_equal(used(OUTPUT), 16);
	for (uint32_t i = 0; i < 16; i++)
		order[i] = (uint8_t)wire_used(&host, OUTPUT, i).id;
	teardown(NULL);
}

static void test_pacing_shuffled_is_the_seeds(void **state)
{
	uint8_t first[16], again[16], other[16];
	uint32_t seen = 0;

	shuffle(1, first);
	shuffle(1, again);
	shuffle(2, other);
	assert_memory_equal(first, again, sizeof(first));
	assert_memory_not_equal(first, other, sizeof(first));
	for (uint32_t i = 0; i < 16; i++)
		seen |= 1U << first[i];
	assert_int_equal(seen, 0xffff);
}

/* ---- delay -------------------------------------------------------------------------------- */

static void test_pacing_delay_lets_each_buffer_come_back_later(void **state)
{
	for (unsigned int queue = 0; queue < RPMSG_NUM_QUEUES; queue++) {
		pace(queue, (struct pace){.delay = 10 * MS});
		send_and_run(ECHO_ADDR, 1);
		assert_int_equal(used(queue), 0);
		assert_true(remote_deadline(host.remote) == host.now + 10 * MS);
		pass(4 * MS);
		send_and_run(ECHO_ADDR, 1);
		pass(6 * MS - 1);
		assert_int_equal(used(queue), 0);
		pass(1);
		assert_int_equal(used(queue), 1);
		assert_int_equal(host.calls[queue], 1);
		pass(4 * MS);
		assert_int_equal(used(queue), 2);
		assert_true(remote_deadline(host.remote) == REMOTE_NO_DEADLINE);
		host_detach(&host);
		pace(queue, (struct pace){0});
		host.calls[INPUT] = 0;
		host.calls[OUTPUT] = 0;
		host_attach(&host, HOST_WITHOUT_NS);
	}
}

static void test_pacing_delay_that_shrinks_lets_none_overtake(void **state)
{
	pace(OUTPUT, (struct pace){.delay = 10 * MS});
	send_and_run(SINK_ADDR, 1);
	pace(OUTPUT, (struct pace){.delay = 1 * MS});
	send_and_run(SINK_ADDR, 1);
	pass(9 * MS);
	assert_int_equal(used(OUTPUT), 0);
	pass(1 * MS);
	expect_order(OUTPUT, 0, (const uint8_t[]){0, 1}, 2);
}

static void test_pacing_delay_that_is_taken_away_lets_go_at_once(void **state)
{
	pace(OUTPUT, (struct pace){.delay = 10 * MS});
	send_and_run(SINK_ADDR, 3);
	pace(OUTPUT, (struct pace){0});
	expect_order(OUTPUT, 0, (const uint8_t[]){0, 1, 2}, 3);
	assert_int_equal(host.calls[OUTPUT], 1);
	send_and_run(SINK_ADDR, 1);
	assert_int_equal(used(OUTPUT), 4);
}

static void test_pacing_delay_begins_with_the_release(void **state)
{
	pace(OUTPUT, (struct pace){.delay = 10 * MS});
	remote_hold(host.remote, OUTPUT, 0);
	send_and_run(SINK_ADDR, 1);
	pass(20 * MS);
	assert_int_equal(used(OUTPUT), 0);
	assert_int_equal(remote_release(host.remote, OUTPUT, 0), 1);
	pass(9 * MS);
	assert_int_equal(used(OUTPUT), 0);
	pass(1 * MS);
	assert_int_equal(used(OUTPUT), 1);
}

static void test_pacing_delay_and_order_go_together(void **state)
{
	pace(OUTPUT, (struct pace){.delay = 10 * MS, .order = PACE_REVERSED});
	send_and_run(SINK_ADDR, 3);
	pass(10 * MS);
	expect_order(OUTPUT, 0, (const uint8_t[]){2, 1, 0}, 3);
}

/* ---- interrupts --------------------------------------------------------------------------- */

static void test_pacing_never_calls(void **state)
{
	pace(OUTPUT, (struct pace){.interrupt = PACE_CALL_NEVER});
	send_and_run(ECHO_ADDR, 3);
	assert_int_equal(used(OUTPUT), 3);
	assert_int_equal(host.calls[OUTPUT], 0);
	assert_int_equal(host.calls[INPUT], 1);
	assert_int_equal(stats(OUTPUT)->calls, 0);
}

static void test_pacing_late_call_is_one_for_all_that_came_meanwhile(void **state)
{
	pace(INPUT, (struct pace){.interrupt = PACE_CALL_LATE, .interrupt_delay = 5 * MS});
	send_and_run(ECHO_ADDR, 1);
	assert_int_equal(used(INPUT), 1);
	assert_int_equal(host.calls[INPUT], 0);
	pass(3 * MS);
	send_and_run(ECHO_ADDR, 1);
	pass(2 * MS - 1);
	assert_int_equal(host.calls[INPUT], 0);
	pass(1);
	assert_int_equal(host.calls[INPUT], 1);
	pass(20 * MS);
	assert_int_equal(host.calls[INPUT], 1);
}

static void test_pacing_late_call_without_delay_never_comes(void **state)
{
	pace(INPUT, (struct pace){.interrupt = PACE_CALL_LATE});
	send_and_run(ECHO_ADDR, 1);
	pass(1000 * MS);
	assert_int_equal(host.calls[INPUT], 0);
}

static void test_pacing_late_call_that_is_taken_back_comes_at_once(void **state)
{
	pace(INPUT, (struct pace){.interrupt = PACE_CALL_LATE, .interrupt_delay = 5 * MS});
	send_and_run(ECHO_ADDR, 1);
	pace(INPUT, (struct pace){0});
	assert_int_equal(host.calls[INPUT], 1);
	pass(20 * MS);
	assert_int_equal(host.calls[INPUT], 1);
}

static void test_pacing_late_call_respects_a_host_that_wants_none(void **state)
{
	pace(INPUT, (struct pace){.interrupt = PACE_CALL_LATE, .interrupt_delay = 5 * MS});
	send_and_run(ECHO_ADDR, 1);
	pass(5 * MS);
	drvq_set_call(&host.dq[INPUT], false);
	send_and_run(ECHO_ADDR, 1);
	pass(20 * MS);
	assert_int_equal(host.calls[INPUT], 1);
}

static void test_pacing_spurious_calls_come_at_their_rate(void **state)
{
	pace(INPUT, (struct pace){.interrupt = PACE_CALL_SPURIOUS, .interrupt_delay = 10 * MS});
	pass(35 * MS);
	assert_int_equal(host.calls[INPUT], 3);
	assert_int_equal(used(INPUT), 0);
	assert_int_equal(host.calls[OUTPUT], 0);
	send_and_run(ECHO_ADDR, 1);
	assert_int_equal(host.calls[INPUT], 4);
	pass(5 * MS);
	assert_int_equal(host.calls[INPUT], 5);
	/* One that is late comes once. */
	host.now += 95 * MS;
	host_run(&host);
	assert_int_equal(host.calls[INPUT], 6);
	assert_true(remote_deadline(host.remote) == host.now + 10 * MS);
	pace(INPUT, (struct pace){0});
	pass(50 * MS);
	assert_int_equal(host.calls[INPUT], 6);
}

static void test_pacing_spurious_calls_begin_with_the_session(void **state)
{
	host_detach(&host);
	pace(OUTPUT, (struct pace){.interrupt = PACE_CALL_SPURIOUS, .interrupt_delay = 10 * MS});
	assert_true(remote_deadline(host.remote) == REMOTE_NO_DEADLINE);
	host_attach(&host, HOST_WITHOUT_NS);
	pass(10 * MS);
	assert_int_equal(host.calls[OUTPUT], 1);
}

static void test_pacing_spurious_call_without_delay_doubles_each(void **state)
{
	pace(INPUT, (struct pace){.interrupt = PACE_CALL_SPURIOUS});
	send_and_run(ECHO_ADDR, 1);
	assert_int_equal(host.calls[INPUT], 2);
	host_discard(&host);
	send_and_run(ECHO_ADDR, 1);
	assert_int_equal(host.calls[INPUT], 4);
	pass(100 * MS);
	assert_int_equal(host.calls[INPUT], 4);
}

static void test_pacing_batch_calls_once_for_so_many(void **state)
{
	pace(INPUT, (struct pace){.batch = 3});
	for (unsigned int i = 1; i <= 7; i++) {
		send_and_run(ECHO_ADDR, 1);
		assert_int_equal(used(INPUT), i);
		assert_int_equal(host.calls[INPUT], i / 3);
		/* A host that has taken what came wants to hear of more. */
		if (i % 3 == 0)
			host_discard(&host);
	}
	pass(1000 * MS);
	assert_int_equal(host.calls[INPUT], 2);
}

static void test_pacing_batch_with_a_delay_waits_no_longer_for_the_rest(void **state)
{
	pace(INPUT, (struct pace){.batch = 3, .interrupt_delay = 5 * MS});
	send_and_run(ECHO_ADDR, 1);
	pass(4 * MS);
	send_and_run(ECHO_ADDR, 1);
	assert_int_equal(host.calls[INPUT], 0);
	pass(1 * MS);
	assert_int_equal(host.calls[INPUT], 1);
	/* The next batch begins. */
	host_discard(&host);
	send_and_run(ECHO_ADDR, 3);
	assert_int_equal(host.calls[INPUT], 2);
	pass(20 * MS);
	assert_int_equal(host.calls[INPUT], 2);
}

/* ---- sessions ----------------------------------------------------------------------------- */

static void test_pacing_end_of_session_returns_what_is_kept(void **state)
{
	pace(OUTPUT, (struct pace){.delay = 10 * MS, .every = 2});
	remote_hold(host.remote, INPUT, 1);
	send_and_run(ECHO_ADDR, 4);
	assert_int_equal(used(OUTPUT), 0);
	remote_detach(host.remote);
	/* Delayed ones first, then those held. */
	expect_order(OUTPUT, 0, (const uint8_t[]){0, 2, 1, 3}, 4);
	assert_int_equal(used(INPUT), 4);
	assert_int_equal(stats(OUTPUT)->held, 0);
}

static void test_pacing_end_of_session_keeps_the_order(void **state)
{
	pace(OUTPUT, (struct pace){.delay = 10 * MS, .order = PACE_REVERSED});
	send_and_run(SINK_ADDR, 3);
	remote_detach(host.remote);
	expect_order(OUTPUT, 0, (const uint8_t[]){2, 1, 0}, 3);
}

static void test_pacing_lasts_over_sessions_and_forgets_what_was_kept(void **state)
{
	pace(OUTPUT, (struct pace){.delay = 10 * MS});
	send_and_run(SINK_ADDR, 3);
	host_detach(&host);
	host_attach(&host, HOST_WITHOUT_NS);
	pass(20 * MS);
	assert_int_equal(used(OUTPUT), 0);
	send_and_run(SINK_ADDR, 1);
	assert_int_equal(used(OUTPUT), 0);
	pass(10 * MS);
	assert_int_equal(used(OUTPUT), 1);
}

static void test_pacing_of_a_queue_that_breaks_is_forgotten(void **state)
{
	pace(OUTPUT, (struct pace){.delay = 10 * MS, .every = 2});
	send_and_run(SINK_ADDR, 4);
	virtq_break(&host.vq[OUTPUT], VIOLATION_VQ_LOOP, 0, 0, 0);
	host_run(&host);
	assert_int_equal(host.broken[OUTPUT], 1);
	assert_int_equal(stats(OUTPUT)->held, 0);
	assert_true(remote_deadline(host.remote) == REMOTE_NO_DEADLINE);
}

/* A ring full of delayed buffers, around its end many times. */
static void test_pacing_delay_holds_a_whole_ring(void **state)
{
	pace(OUTPUT, (struct pace){.delay = 10 * MS, .order = PACE_SHUFFLED});
	for (unsigned int round = 0; round < 5000; round++) {
		send_and_run(SINK_ADDR, 16);
		assert_int_equal(host_reclaim_all(&host), 0);
		pass(10 * MS);
		assert_int_equal(host_reclaim_all(&host), 16);
	}
}

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pacing_names_are_those_of_the_options),
		cmocka_unit_test(test_pacing_shuffled_is_the_seeds),
		ON_HOST(test_pacing_that_makes_no_sense_is_refused),
		ON_HOST(test_pacing_hold_of_the_next_answers_keeps_their_buffers),
		ON_HOST(test_pacing_every_third_buffer_is_held),
		ON_HOST(test_pacing_every_first_buffer_is_all),
		ON_HOST(test_pacing_release_of_answers_that_wait_comes_after_those_held),
		ON_HOST(test_pacing_hold_is_taken_back_by_release_of_all),
		ON_HOST(test_pacing_reversed_turns_each_turn_around),
		ON_HOST(test_pacing_reversed_turns_a_release_around),
		ON_HOST(test_pacing_reversed_keeps_lengths_with_their_buffers),
		ON_HOST(test_pacing_delay_lets_each_buffer_come_back_later),
		ON_HOST(test_pacing_delay_that_shrinks_lets_none_overtake),
		ON_HOST(test_pacing_delay_that_is_taken_away_lets_go_at_once),
		ON_HOST(test_pacing_delay_begins_with_the_release),
		ON_HOST(test_pacing_delay_and_order_go_together),
		ON_HOST(test_pacing_never_calls),
		ON_HOST(test_pacing_late_call_is_one_for_all_that_came_meanwhile),
		ON_HOST(test_pacing_late_call_without_delay_never_comes),
		ON_HOST(test_pacing_late_call_that_is_taken_back_comes_at_once),
		ON_HOST(test_pacing_late_call_respects_a_host_that_wants_none),
		ON_HOST(test_pacing_spurious_calls_come_at_their_rate),
		ON_HOST(test_pacing_spurious_calls_begin_with_the_session),
		ON_HOST(test_pacing_spurious_call_without_delay_doubles_each),
		ON_HOST(test_pacing_batch_calls_once_for_so_many),
		ON_HOST(test_pacing_batch_with_a_delay_waits_no_longer_for_the_rest),
		ON_HOST(test_pacing_end_of_session_returns_what_is_kept),
		ON_HOST(test_pacing_end_of_session_keeps_the_order),
		ON_HOST(test_pacing_lasts_over_sessions_and_forgets_what_was_kept),
		ON_HOST(test_pacing_of_a_queue_that_breaks_is_forgotten),
		ON_HOST(test_pacing_delay_holds_a_whole_ring),
	};

	return cmocka_run_group_tests_name("pacing", tests, NULL, NULL);
}
