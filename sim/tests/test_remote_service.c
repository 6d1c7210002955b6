/* SPDX-License-Identifier: BSD-2-Clause */
/* What a kind of service may rely on, seen from a kind that the tests define. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/remote_host.h"

#define HOST_ADDR 0x400
#define ADDR 1024

static struct remote_host host;

/* What the probe is to do, and what was done with it. */
static struct {
	int refuse;	     /* what message() returns */
	bool answer;	     /* it sends something first */
	const char *retires; /* in which callback */
	uint32_t inits, attached, messages, timers, rooms, peers, detached;
	uint32_t last_peer;
	bool room_at_attach;
} probe;

struct probe_state {
	uint32_t messages;
	_Alignas(max_align_t) char aligned;
};

static void maybe_retire(struct service *service, const char *where)
{
	if (probe.retires != NULL && strcmp(probe.retires, where) == 0)
		service_retire(service);
}

static int probe_init(struct service *service, const struct service_params *params)
{
	struct probe_state *own = service_state(service);

	assert_int_equal(own->messages, 0);
	assert_int_equal((uintptr_t)&own->aligned % _Alignof(max_align_t), 0);
	own->messages = params->size;
	probe.inits++;
	return 0;
}

static void probe_attached(struct service *service)
{
	probe.attached++;
	probe.room_at_attach = service_room(service);
	assert_int_equal(service_peer(service), RPMSG_ADDR_ANY);
	maybe_retire(service, "attached");
}

static int probe_message(struct service *service, const struct rpmsg_hdr *hdr,
			 const uint8_t *payload, uint32_t size)
{
	struct probe_state *own = service_state(service);

	own->messages++;
	probe.messages++;
	assert_int_equal(service_addr(service), hdr->dst);
	assert_int_equal(service_peer(service), hdr->src);
	if (probe.answer)
		service_send(service, hdr->src, payload, size);
	if (size == 8)
		service_wake_at(service, wire_get_le64(payload));
	if (size == 4)
		service_wait_room(service);
	maybe_retire(service, "message");
	return probe.refuse;
}

static void probe_timer(struct service *service, uint64_t now)
{
	assert_int_equal(now, service_now(service));
	probe.timers++;
	maybe_retire(service, "timer");
}

static void probe_room(struct service *service)
{
	assert_true(service_room(service));
	probe.rooms++;
	maybe_retire(service, "room");
}

static void probe_peer_changed(struct service *service)
{
	probe.peers++;
	probe.last_peer = service_peer(service);
	maybe_retire(service, "peer");
}

static void probe_detached(struct service *service)
{
	assert_int_equal(service_peer(service), RPMSG_ADDR_ANY);
	assert_false(service_room(service));
	assert_int_equal(service_send(service, 1, "x", 1), -ENOTCONN);
	service_wake_at(service, 1);
	service_wait_room(service);
	probe.detached++;
}

static const struct service_kind probe_kind = {
	.name = "probe",
	.summary = "what the tests look through",
	.state_size = sizeof(struct probe_state),
	.init = probe_init,
	.attached = probe_attached,
	.message = probe_message,
	.timer = probe_timer,
	.room = probe_room,
	.peer_changed = probe_peer_changed,
	.detached = probe_detached,
};

/* A kind that reacts to nothing. */
static const struct service_kind mute_kind = {.name = "mute", .summary = "nothing at all"};

static void announce(const struct service_kind *kind)
{
	uint32_t addr = ADDR;

	assert_int_equal(remote_announce(host.remote, "probe", kind, NULL, &addr), 0);
}

static int setup(void **state)
{
	memset(&probe, 0, sizeof(probe));
	host_setup(&host, NULL);
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

static void start(void)
{
	announce(&probe_kind);
	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	host_discard(&host);
	host_supply(&host, UINT32_MAX);
}

static void say(const void *payload, uint32_t size)
{
	host_send(&host, HOST_ADDR, ADDR, payload, size);
	host_run(&host);
	host_reclaim_all(&host);
}

static void test_remote_service_is_told_of_each_host(void **state)
{
	announce(&probe_kind);
	assert_int_equal(probe.inits, 1);
	for (uint32_t i = 1; i <= 3; i++) {
		host_attach(&host, HOST_FEATURES);
		assert_int_equal(probe.attached, i);
		host_detach(&host);
		assert_int_equal(probe.detached, i);
	}
	assert_int_equal(probe.inits, 1);
}

static void test_remote_service_made_while_a_host_is_there_is_told_of_it(void **state)
{
	host_attach(&host, HOST_FEATURES);
	announce(&probe_kind);
	assert_int_equal(probe.attached, 1);
	/* Its announcement goes before anything else that it sends. */
	assert_false(probe.room_at_attach);
}

static void test_remote_service_without_callbacks_is_served(void **state)
{
	announce(&mute_kind);
	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	host_discard(&host);
	say("x", 1);
	host_send_ns(&host, "probe", HOST_ADDR, RPMSG_NS_DESTROY);
	host_run(&host);
	host_detach(&host);
	assert_int_equal(stats()->delivered, 2);
}

static void test_remote_service_that_refuses_a_message_drops_it(void **state)
{
	start();
	probe.refuse = -EINVAL;
	say("x", 1);
	assert_int_equal(stats()->dropped[REMOTE_DROP_SERVICE], 1);
	assert_int_equal(host_endpoint(&host, ADDR).received, 0);
}

static void test_remote_service_that_has_answered_cannot_refuse(void **state)
{
	start();
	probe.refuse = -EINVAL;
	probe.answer = true;
	say("x", 1);
	assert_int_equal(stats()->delivered, 1);
	host_expect(&host, ADDR, HOST_ADDR, "x", 1);
	assert_true(host_event(&host, REMOTE_EVENT_MESSAGE, 0)->event.delivered);
}

static void test_remote_service_whose_answer_waits_cannot_refuse_either(void **state)
{
	start();
	remote_hold(host.remote, RPMSG_QUEUE_INPUT, 0);
	probe.refuse = -EINVAL;
	probe.answer = true;
	say("x", 1);
	assert_int_equal(stats()->delivered, 1);
	assert_true(host_event(&host, REMOTE_EVENT_MESSAGE, 0)->event.delivered);
}

static void test_remote_service_is_told_when_it_gets_and_loses_its_peer(void **state)
{
	start();
	say("x", 1);
	say("x", 1);
	assert_int_equal(probe.peers, 1);
	assert_int_equal(probe.last_peer, HOST_ADDR);
	host_send(&host, 77, ADDR, "x", 1);
	host_run(&host);
	assert_int_equal(probe.peers, 1);
	host_send_ns(&host, "probe", 77, RPMSG_NS_DESTROY);
	host_run(&host);
	assert_int_equal(probe.peers, 2);
	assert_int_equal(probe.last_peer, RPMSG_ADDR_ANY);
	host_send_ns(&host, "probe", 78, RPMSG_NS_CREATE);
	host_run(&host);
	assert_int_equal(probe.peers, 3);
	assert_int_equal(probe.last_peer, 78);
}

static void test_remote_service_timer_fires_once_at_its_time(void **state)
{
	uint8_t when[8];

	start();
	wire_put_le64(when, host.now + 1000);
	say(when, sizeof(when));
	assert_int_equal(remote_deadline(host.remote), host.now + 1000);
	host.now += 999;
	host_run(&host);
	assert_int_equal(probe.timers, 0);
	host.now += 1;
	host_run(&host);
	assert_int_equal(probe.timers, 1);
	host.now += 1000;
	host_run(&host);
	assert_int_equal(probe.timers, 1);
	assert_int_equal(remote_deadline(host.remote), REMOTE_NO_DEADLINE);
}

static void test_remote_service_timer_in_the_past_fires_at_once(void **state)
{
	uint8_t when[8] = {1};

	start();
	say(when, sizeof(when));
	assert_int_equal(probe.timers, 1);
}

static void test_remote_service_can_take_its_timer_back(void **state)
{
	uint8_t when[8];

	start();
	wire_put_le64(when, host.now + 1000);
	say(when, sizeof(when));
	memset(when, 0xff, sizeof(when)); /* REMOTE_NO_DEADLINE */
	say(when, sizeof(when));
	assert_int_equal(remote_deadline(host.remote), REMOTE_NO_DEADLINE);
}

static void test_remote_service_is_told_once_that_there_is_room(void **state)
{
	start();
	say("room", 4);
	assert_int_equal(probe.rooms, 1);
	host_run(&host);
	assert_int_equal(probe.rooms, 1);
}

static void test_remote_service_waits_for_room_until_nothing_waits_before_it(void **state)
{
	const struct remote_message message = {.hdr = {.src = 1, .dst = 2}};

	start();
	remote_hold(host.remote, RPMSG_QUEUE_INPUT, 0);
	remote_send(host.remote, &message);
	say("room", 4);
	assert_int_equal(probe.rooms, 0);
	remote_release(host.remote, RPMSG_QUEUE_INPUT, 0);
	host_run(&host);
	assert_int_equal(probe.rooms, 1);
	host_expect(&host, 1, 2, NULL, 0);
}

static void test_remote_service_wait_for_room_ends_with_the_host(void **state)
{
	start();
	remote_hold(host.remote, RPMSG_QUEUE_INPUT, 0);
	say("room", 4);
	host_detach(&host);
	remote_release(host.remote, RPMSG_QUEUE_INPUT, 0);
	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	assert_int_equal(probe.rooms, 0);
}

static void test_remote_service_timer_ends_with_the_host(void **state)
{
	uint8_t when[8];

	start();
	wire_put_le64(when, host.now + 1000);
	say(when, sizeof(when));
	host_detach(&host);
	host.now += 2000;
	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	assert_int_equal(probe.timers, 0);
}

/* Retired in the callback of that name: gone for this host, fresh for the next. */
static void expect_retired(void)
{
	struct remote_endpoint_info info;

	assert_false(remote_endpoint(host.remote, ADDR, &info));
	host_run(&host);
	host_send(&host, HOST_ADDR, ADDR, "x", 1);
	host_run(&host);
	assert_int_equal(stats()->dropped[REMOTE_DROP_NO_ENDPOINT], 1);
	assert_int_equal(remote_deadline(host.remote), REMOTE_NO_DEADLINE);
	probe.retires = NULL;
	host_detach(&host);
	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	assert_int_equal(probe.inits, 2);
	assert_true(host_endpoint(&host, ADDR).announced);
	assert_int_equal(host_endpoint(&host, ADDR).received, 0);
}

static void test_remote_service_can_retire_in_message(void **state)
{
	start();
	probe.retires = "message";
	say("x", 1);
	assert_int_equal(stats()->delivered, 1);
	host_expect_ns(&host, "probe", ADDR, RPMSG_NS_DESTROY);
	expect_retired();
}

static void test_remote_service_can_retire_when_attached(void **state)
{
	probe.retires = "attached";
	announce(&probe_kind);
	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	host_expect_nothing(&host);
	expect_retired();
}

static void test_remote_service_can_retire_while_it_is_announced(void **state)
{
	probe.retires = "attached";
	host_attach(&host, HOST_FEATURES);
	announce(&probe_kind);
	host_run(&host);
	host_expect_nothing(&host);
	expect_retired();
}

static void test_remote_service_can_retire_in_its_timer(void **state)
{
	uint8_t when[8];

	start();
	probe.retires = "timer";
	wire_put_le64(when, host.now + 1000);
	say(when, sizeof(when));
	host.now += 1000;
	host_run(&host);
	expect_retired();
}

static void test_remote_service_can_retire_when_there_is_room(void **state)
{
	start();
	probe.retires = "room";
	say("room", 4);
	expect_retired();
}

static void test_remote_service_can_retire_when_the_host_creates_its_channel(void **state)
{
	start();
	probe.retires = "peer";
	host_send_ns(&host, "probe", 77, RPMSG_NS_CREATE);
	host_run(&host);
	expect_retired();
}

static void test_remote_service_can_retire_when_the_host_destroys_its_channel(void **state)
{
	start();
	host_send_ns(&host, "probe", 77, RPMSG_NS_CREATE);
	host_run(&host);
	probe.retires = "peer";
	host_send_ns(&host, "probe", 77, RPMSG_NS_DESTROY);
	host_run(&host);
	expect_retired();
}

static void test_remote_service_can_retire_when_it_gets_a_remembered_peer(void **state)
{
	host_attach(&host, HOST_FEATURES);
	host_send_ns(&host, "probe", 77, RPMSG_NS_CREATE);
	host_run(&host);
	probe.retires = "peer";
	announce(&probe_kind);
	assert_int_equal(probe.last_peer, 77);
	expect_retired();
}

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_HOST(test_remote_service_is_told_of_each_host),
		ON_HOST(test_remote_service_made_while_a_host_is_there_is_told_of_it),
		ON_HOST(test_remote_service_without_callbacks_is_served),
		ON_HOST(test_remote_service_that_refuses_a_message_drops_it),
		ON_HOST(test_remote_service_that_has_answered_cannot_refuse),
		ON_HOST(test_remote_service_whose_answer_waits_cannot_refuse_either),
		ON_HOST(test_remote_service_is_told_when_it_gets_and_loses_its_peer),
		ON_HOST(test_remote_service_timer_fires_once_at_its_time),
		ON_HOST(test_remote_service_timer_in_the_past_fires_at_once),
		ON_HOST(test_remote_service_can_take_its_timer_back),
		ON_HOST(test_remote_service_is_told_once_that_there_is_room),
		ON_HOST(test_remote_service_waits_for_room_until_nothing_waits_before_it),
		ON_HOST(test_remote_service_wait_for_room_ends_with_the_host),
		ON_HOST(test_remote_service_timer_ends_with_the_host),
		ON_HOST(test_remote_service_can_retire_in_message),
		ON_HOST(test_remote_service_can_retire_when_attached),
		ON_HOST(test_remote_service_can_retire_while_it_is_announced),
		ON_HOST(test_remote_service_can_retire_in_its_timer),
		ON_HOST(test_remote_service_can_retire_when_there_is_room),
		ON_HOST(test_remote_service_can_retire_when_the_host_creates_its_channel),
		ON_HOST(test_remote_service_can_retire_when_the_host_destroys_its_channel),
		ON_HOST(test_remote_service_can_retire_when_it_gets_a_remembered_peer),
	};

	return cmocka_run_group_tests_name("remote_service", tests, NULL, NULL);
}
