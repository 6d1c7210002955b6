/* SPDX-License-Identifier: BSD-2-Clause */
/* What each fault of the life cycle does, and what it asks of the remote's owner. */
#include "fault_case.h"

#include <string.h>

#define MS UINT64_C(1000000)

/* ---- while the front-end connects --------------------------------------------------------- */

static enum remote_point point_of(enum fault fault)
{
	switch (fault) {
	case FAULT_LIFE_CRASH_AT_FEATURES:
		return REMOTE_POINT_FEATURES;
	case FAULT_LIFE_CRASH_AT_MEMORY:
		return REMOTE_POINT_MEMORY;
	case FAULT_LIFE_CRASH_AT_VRING:
		return REMOTE_POINT_VRING;
	default:
		return REMOTE_POINT_DRIVER_OK;
	}
}

/* At its own point and at no other. */
static void effect_crash_at(const struct fault_case *c)
{
	case_set(c->fault, 2, 0);
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int point = 0; point < REMOTE_POINT_COUNT; point++)
			assert_int_equal(
				remote_crashes_at(case_host.remote, (enum remote_point)point),
				point == (unsigned int)point_of(c->fault));
	}
	assert_false(remote_crashes_at(case_host.remote, point_of(c->fault)));
	assert_false(remote_crashes_at(case_host.remote, REMOTE_POINT_COUNT));
	case_expect_event(1, c->fault, REMOTE_NO_QUEUE, REMOTE_NO_DESC);
}

static void pass_features(void)
{
	remote_crashes_at(case_host.remote, REMOTE_POINT_FEATURES);
}

static void pass_memory(void)
{
	remote_crashes_at(case_host.remote, REMOTE_POINT_MEMORY);
}

static void pass_vring(void)
{
	remote_crashes_at(case_host.remote, REMOTE_POINT_VRING);
}

static void pass_driver_ok(void)
{
	remote_crashes_at(case_host.remote, REMOTE_POINT_DRIVER_OK);
}

static void pass_reply(void)
{
	remote_reply_delay(case_host.remote);
}

static void effect_no_replies(const struct fault_case *c)
{
	case_set(c->fault, 2, 0);
	assert_true(remote_reply_delay(case_host.remote) == REMOTE_NO_DEADLINE);
	assert_true(remote_reply_delay(case_host.remote) == REMOTE_NO_DEADLINE);
	assert_int_equal(remote_reply_delay(case_host.remote), 0);
	case_expect_event(1, c->fault, REMOTE_NO_QUEUE, REMOTE_NO_DESC);
}

static void effect_slow_replies(const struct fault_case *c)
{
	case_set(c->fault, 1, 0);
	assert_int_equal(remote_reply_delay(case_host.remote), 100 * MS);
	assert_int_equal(remote_reply_delay(case_host.remote), 0);
	case_set_argument(c->fault, 0, 3600000);
	assert_int_equal(remote_reply_delay(case_host.remote), 3600000 * MS);
	case_set(FAULT_LIFE_NO_REPLIES, 0, 0);
	assert_true(remote_reply_delay(case_host.remote) == REMOTE_NO_DEADLINE);
}

/* ---- crash -------------------------------------------------------------------------------- */

static void pass_kick(void)
{
	remote_kick(case_host.remote, OUTPUT, 1);
}

static void pass_message(void)
{
	case_echo();
}

/* Nothing is touched any more, the end of the session included. */
static void expect_dead(void)
{
	const struct remote_message message = {.hdr = {.src = 1, .dst = 2}};
	uint16_t used[] = {wire_used_idx(&case_host, INPUT), wire_used_idx(&case_host, OUTPUT)};
	uint64_t calls = case_host.calls[INPUT] + case_host.calls[OUTPUT];

	case_echo();
	remote_send(case_host.remote, &message);
	remote_release(case_host.remote, OUTPUT, 0);
	assert_true(remote_deadline(case_host.remote) == REMOTE_NO_DEADLINE);
	remote_detach(case_host.remote);
	assert_int_equal(wire_used_idx(&case_host, INPUT), used[0]);
	assert_int_equal(wire_used_idx(&case_host, OUTPUT), used[1]);
	assert_int_equal(case_host.calls[INPUT] + case_host.calls[OUTPUT], calls);
}

static void expect_alive(void)
{
	host_detach(&case_host);
	host_attach(&case_host, HOST_WITHOUT_NS);
	case_echo();
	host_expect(&case_host, ECHO_ADDR, HOST_ADDR, PAYLOAD, SIZE);
	assert_int_equal(host_reclaim_all(&case_host), 1);
}

static void effect_crash_at_kick(const struct fault_case *c)
{
	host_attach(&case_host, HOST_WITHOUT_NS);
	case_set(c->fault, 1, 0);
	host_send(&case_host, HOST_ADDR, ECHO_ADDR, PAYLOAD, SIZE);
	remote_kick(case_host.remote, OUTPUT, 1);
	assert_int_equal(case_host.lives[REMOTE_LIFE_CRASH], 1);
	case_expect_event(0, c->fault, OUTPUT, REMOTE_NO_DESC);
	host_run(&case_host);
	assert_int_equal(wire_used_idx(&case_host, INPUT), 0);
	assert_int_equal(wire_used_idx(&case_host, OUTPUT), 0);
	expect_dead();
	expect_alive();
	assert_int_equal(case_host.lives[REMOTE_LIFE_CRASH], 1);
}

static void effect_crash_at_message(const struct fault_case *c)
{
	const struct host_event *message;

	host_attach(&case_host, HOST_WITHOUT_NS);
	case_set(c->fault, 1, 0);
	host_send(&case_host, HOST_ADDR, ECHO_ADDR, PAYLOAD, SIZE);
	host_send(&case_host, HOST_ADDR, ECHO_ADDR, PAYLOAD, SIZE);
	host_run(&case_host);
	assert_int_equal(case_host.lives[REMOTE_LIFE_CRASH], 1);
	case_expect_event(0, c->fault, OUTPUT, wire_avail(&case_host, OUTPUT, 0));
	message = host_event(&case_host, REMOTE_EVENT_MESSAGE, 0);
	assert_false(message->event.delivered);
	assert_int_equal(message->event.drop, REMOTE_DROP_FAULT);
	assert_null(host_event(&case_host, REMOTE_EVENT_MESSAGE, 1));
	assert_int_equal(wire_used_idx(&case_host, INPUT), 0);
	assert_int_equal(wire_used_idx(&case_host, OUTPUT), 0);
	expect_dead();
	expect_alive();
}

/* ---- silence ------------------------------------------------------------------------------ */

/* From when it is set until two kicks went unanswered; the third finds all that came. */
static void effect_silent(const struct fault_case *c)
{
	const struct remote_message message = {.hdr = {.src = 1, .dst = 2}};

	host_attach(&case_host, HOST_WITHOUT_NS);
	case_set(c->fault, 2, 0);
	case_echo();
	assert_int_equal(remote_send(case_host.remote, &message), 1);
	assert_true(remote_deadline(case_host.remote) == REMOTE_NO_DEADLINE);
	for (unsigned int i = 0; i < 2; i++) {
		remote_kick(case_host.remote, OUTPUT, 1);
		host_run(&case_host);
		assert_int_equal(wire_used_idx(&case_host, INPUT), 0);
		assert_int_equal(wire_used_idx(&case_host, OUTPUT), 0);
		case_expect_event(i, c->fault, OUTPUT, REMOTE_NO_DESC);
	}
	assert_int_equal(case_fired(c->fault), 2);
	remote_kick(case_host.remote, OUTPUT, 1);
	host_run(&case_host);
	host_expect(&case_host, 1, 2, NULL, 0);
	host_expect(&case_host, ECHO_ADDR, HOST_ADDR, PAYLOAD, SIZE);
	assert_int_equal(wire_used_idx(&case_host, OUTPUT), 1);

	/* Without an end it is silent to the next host, too; cleared, it goes on by itself. */
	host_detach(&case_host);
	case_set(c->fault, 0, 0);
	host_attach(&case_host, HOST_FEATURES);
	case_echo();
	remote_kick(case_host.remote, OUTPUT, 1);
	host_run(&case_host);
	assert_int_equal(wire_used_idx(&case_host, INPUT), 0);
	case_host.wakes = 0;
	case_clear(c->fault);
	assert_int_equal(case_host.wakes, 1);
	host_run(&case_host);
	host_expect_ns(&case_host, "echo", ECHO_ADDR, RPMSG_NS_CREATE);
	host_expect(&case_host, ECHO_ADDR, HOST_ADDR, PAYLOAD, SIZE);
}

/* ---- configuration, status ---------------------------------------------------------------- */

static void pass_attach(void)
{
	host_detach(&case_host);
	host_attach(&case_host, HOST_FEATURES);
	host_run(&case_host);
}

/* Asked for once when the driver gets ready, and once at once; the wire is as ever. */
static void asks_for(const struct fault_case *c, enum remote_life what)
{
	case_set(c->fault, 1, 0);
	assert_int_equal(case_host.lives[what], 0);
	host_attach(&case_host, HOST_FEATURES);
	assert_int_equal(case_host.lives[what], 1);
	case_expect_event(0, c->fault, REMOTE_NO_QUEUE, REMOTE_NO_DESC);
	case_set(c->fault, 1, 0);
	assert_int_equal(case_host.lives[what], 2);
	host_run(&case_host);
	host_expect_ns(&case_host, "echo", ECHO_ADDR, RPMSG_NS_CREATE);
	host_expect_nothing(&case_host);
	pass_attach();
	assert_int_equal(case_host.lives[what], 2);
}

/* What it does to the contents is test_profile's. */
static void effect_config_change(const struct fault_case *c)
{
	asks_for(c, REMOTE_LIFE_CONFIG_CHANGED);
}

static void effect_needs_reset(const struct fault_case *c)
{
	asks_for(c, REMOTE_LIFE_NEEDS_RESET);
}

/* ---- start again -------------------------------------------------------------------------- */

static void effect_reset_in_flight(const struct fault_case *c)
{
	host_attach(&case_host, HOST_FEATURES);
	host_run(&case_host);
	host_expect_ns(&case_host, "echo", ECHO_ADDR, RPMSG_NS_CREATE);
	remote_hold(case_host.remote, OUTPUT, 1);
	case_echo();
	host_expect(&case_host, ECHO_ADDR, HOST_ADDR, PAYLOAD, SIZE);

	case_set(c->fault, 1, 0);
	case_echo();
	/* Neither of the two comes back, there is no answer, and all begins anew. */
	assert_int_equal(wire_used_idx(&case_host, OUTPUT), 0);
	host_expect_ns(&case_host, "echo", ECHO_ADDR, RPMSG_NS_CREATE);
	host_expect_nothing(&case_host);
	assert_int_equal(host_endpoint(&case_host, ECHO_ADDR).peer, RPMSG_ADDR_ANY);
	case_expect_event(0, c->fault, OUTPUT, wire_avail(&case_host, OUTPUT, 1));
	assert_int_equal(remote_get_stats(case_host.remote)->dropped[REMOTE_DROP_FAULT], 1);

	case_echo();
	host_expect(&case_host, ECHO_ADDR, HOST_ADDR, PAYLOAD, SIZE);
	assert_int_equal(wire_used_idx(&case_host, OUTPUT), 1);
	wire_expect_used(&case_host, OUTPUT, 0, wire_avail(&case_host, OUTPUT, 2), 0);
	host_detach(&case_host);
}

static void effect_reboot(const struct fault_case *c)
{
	case_set(c->fault, 1, 0);
	host_attach(&case_host, HOST_FEATURES);
	host_run(&case_host);
	host_expect_ns(&case_host, "echo", ECHO_ADDR, RPMSG_NS_CREATE);
	host_expect_ns(&case_host, "echo", ECHO_ADDR, RPMSG_NS_CREATE);
	host_expect_nothing(&case_host);
	case_expect_event(0, c->fault, REMOTE_NO_QUEUE, REMOTE_NO_DESC);

	/* In mid-session: what is held comes back, peers are forgotten. */
	remote_hold(case_host.remote, OUTPUT, 1);
	case_echo();
	host_expect(&case_host, ECHO_ADDR, HOST_ADDR, PAYLOAD, SIZE);
	case_set(c->fault, 1, 0);
	host_run(&case_host);
	wire_expect_used(&case_host, OUTPUT, 0, wire_avail(&case_host, OUTPUT, 0), 0);
	host_expect_ns(&case_host, "echo", ECHO_ADDR, RPMSG_NS_CREATE);
	host_expect_nothing(&case_host);
	assert_int_equal(host_endpoint(&case_host, ECHO_ADDR).peer, RPMSG_ADDR_ANY);
	assert_int_equal(case_fired(c->fault), 2);
}

#define LIFE(symbol, effect, pass) {FAULT_LIFE_##symbol, effect, pass, HOST_FEATURES, NULL}

const struct fault_case life_cases[] = {
	LIFE(CRASH_AT_FEATURES, effect_crash_at, pass_features),
	LIFE(CRASH_AT_MEMORY, effect_crash_at, pass_memory),
	LIFE(CRASH_AT_VRING, effect_crash_at, pass_vring),
	LIFE(CRASH_AT_DRIVER_OK, effect_crash_at, pass_driver_ok),
	LIFE(CRASH_AT_FIRST_KICK, effect_crash_at_kick, pass_kick),
	LIFE(CRASH_AT_FIRST_MESSAGE, effect_crash_at_message, pass_message),
	LIFE(SILENT, effect_silent, pass_kick),
	LIFE(NO_REPLIES, effect_no_replies, pass_reply),
	LIFE(SLOW_REPLIES, effect_slow_replies, pass_reply),
	LIFE(CONFIG_CHANGE, effect_config_change, pass_attach),
	LIFE(NEEDS_RESET, effect_needs_reset, pass_attach),
	LIFE(RESET_IN_FLIGHT, effect_reset_in_flight, pass_message),
	LIFE(REBOOT, effect_reboot, pass_attach),
	{0},
};
