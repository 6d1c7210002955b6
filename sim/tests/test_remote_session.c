/* SPDX-License-Identifier: BSD-2-Clause */
/* Hosts that come and go, at any moment; queues that break; very many endpoints. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/remote_host.h"

#include <time.h>

#define HOST_ADDR 0x400
#define ECHO_ADDR 1024

#define INPUT RPMSG_QUEUE_INPUT
#define OUTPUT RPMSG_QUEUE_OUTPUT

static struct remote_host host;

static int setup(void **state)
{
	host_setup(&host, NULL);
	host_service(&host, "echo", "echo", ECHO_ADDR);
	host_attach(&host, HOST_WITHOUT_NS);
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

static void expect_echo(void)
{
	host_send(&host, HOST_ADDR, ECHO_ADDR, "abc", 3);
	host_run(&host);
	host_expect(&host, ECHO_ADDR, HOST_ADDR, "abc", 3);
	assert_int_equal(host_reclaim_all(&host), 1);
}

/* ---- coming and going --------------------------------------------------------------------- */

static void test_remote_attached_twice_is_refused(void **state)
{
	assert_int_equal(
		remote_attach(host.remote, &host.vq[INPUT], &host.vq[OUTPUT], HOST_FEATURES),
		-EBUSY);
	expect_echo();
}

static void test_remote_detached_twice_is_harmless(void **state)
{
	remote_detach(host.remote);
	remote_detach(host.remote);
}

static void test_remote_serves_the_next_host_from_the_start(void **state)
{
	for (int i = 0; i < 20; i++) {
		expect_echo();
		host_detach(&host);
		host_attach(&host, HOST_WITHOUT_NS);
	}
	assert_int_equal(stats()->sessions, 21);
	assert_int_equal(stats()->received, 20);
}

static void test_remote_tells_how_many_buffers_lay_ready(void **state)
{
	assert_int_equal(stats()->queues[INPUT].avail_at_start, 16);
	assert_int_equal(stats()->queues[OUTPUT].avail_at_start, 0);
	host_detach(&host);
	host_attach_bare(&host, HOST_WITHOUT_NS);
	assert_int_equal(stats()->queues[INPUT].avail_at_start, 0);
}

static void test_remote_asks_to_be_run_after_attaching(void **state)
{
	assert_int_equal(host.wakes, 1);
}

static void test_remote_touches_no_queue_while_detached(void **state)
{
	struct virtq before[RPMSG_NUM_QUEUES];
	const struct remote_message message = {.hdr = {.src = 1, .dst = 2}};

	remote_detach(host.remote);
	memcpy(before, host.vq, sizeof(before));
	assert_false(remote_run(host.remote, 100));
	assert_int_equal(remote_send(host.remote, &message), -ENOTCONN);
	host_service(&host, "new", "echo", RPMSG_ADDR_ANY);
	assert_memory_equal(before, host.vq, sizeof(before));
}

static void test_remote_returns_held_buffers_when_the_host_goes(void **state)
{
	uint16_t heads[3];
	uint32_t used_len = 1;

	remote_hold(host.remote, OUTPUT, 0);
	for (int i = 0; i < 3; i++)
		heads[i] = host_send(&host, HOST_ADDR, 4711, "x", 1);
	host_run(&host);
	remote_detach(host.remote);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(host_reclaim(&host, &used_len), heads[i]);
		assert_int_equal(used_len, 0);
	}
	assert_int_equal(stats()->queues[OUTPUT].held, 0);
}

static void test_remote_gives_up_what_waits_when_the_host_goes(void **state)
{
	remote_hold(host.remote, INPUT, 0);
	for (int i = 0; i < 3; i++)
		host_send(&host, HOST_ADDR, ECHO_ADDR, "x", 1);
	host_run(&host);
	assert_int_equal(stats()->backlog, 3);
	host_detach(&host);
	assert_int_equal(stats()->backlog, 0);
	assert_int_equal(stats()->send_failed, 3);
	remote_release(host.remote, INPUT, 0);
	host_attach(&host, HOST_WITHOUT_NS);
	host_run(&host);
	host_expect_nothing(&host);
}

static void test_remote_forgets_peers_when_the_host_goes(void **state)
{
	expect_echo();
	assert_int_equal(host_endpoint(&host, ECHO_ADDR).peer, HOST_ADDR);
	host_detach(&host);
	assert_int_equal(host_endpoint(&host, ECHO_ADDR).peer, RPMSG_ADDR_ANY);
}

static void test_remote_keeps_holding_over_a_reset(void **state)
{
	remote_hold(host.remote, OUTPUT, 0);
	host_detach(&host);
	host_attach(&host, HOST_WITHOUT_NS);
	host_send(&host, HOST_ADDR, ECHO_ADDR, "x", 1);
	host_run(&host);
	assert_int_equal(host_reclaim_all(&host), 0);
	assert_int_equal(stats()->queues[OUTPUT].held, 1);
}

static void test_remote_messages_in_native_order_without_version_1(void **state)
{
	host_detach(&host);
	host_attach(&host, HOST_WITHOUT_NS & ~VIRTIO_BIT(VIRTIO_F_VERSION_1));
	assert_int_equal(host_order(&host), WIRE_NATIVE_ENDIAN);
	expect_echo();
}

static void test_remote_survives_resets_at_random_moments(void **state)
{
	uint32_t random = 99;

	host_service(&host, "source", "source", 3000);
	host_service(&host, "sample", "client-sample", 3001);
	for (int i = 0; i < 20000; i++) {
		const uint32_t dst[] = {ECHO_ADDR, 3000, 3001, RPMSG_ADDR_NS};
		uint32_t addr;

		random = random * 1664525 + 1013904223;
		host.now += random >> 12;
		switch (random >> 24 & 15) {
		case 0:
			if (random >> 20 & 1) {
				host_detach(&host);
				host_attach(&host, HOST_FEATURES);
			}
			break;
		case 1:
			remote_hold(host.remote, random >> 20 & 1, 0);
			break;
		case 2:
			remote_release(host.remote, random >> 20 & 1, random >> 16 & 3);
			break;
		case 3:
			addr = 4000;
			remote_announce(host.remote, "extra", service_kind_find("source"), NULL,
					&addr);
			break;
		case 4:
			addr = RPMSG_ADDR_ANY;
			remote_withdraw(host.remote, "extra", &addr);
			break;
		case 5:
			if (host.free_count[OUTPUT] != 0)
				host_send_ns(&host, random >> 20 & 1 ? "extra" : "source",
					     random >> 16 & 7, random >> 19 & 1);
			break;
		case 6:
			host_supply(&host, random >> 16 & 15);
			break;
		case 7:
			host_discard(&host);
			host_reclaim_all(&host);
			break;
		case 8:
		case 9:
			remote_run(host.remote, random >> 16 & 15);
			break;
		default:
			if (host.free_count[OUTPUT] != 0)
				host_send(&host, random >> 16 & 7, dst[random >> 20 & 3],
					  "something of forty bytes, or thereabouts", 40);
			break;
		}
		host_expect_balance(&host);
		assert_int_equal(host.broken[INPUT] + host.broken[OUTPUT], 0);
	}
	assert_true(stats()->sessions > 100);
	assert_true(stats()->delivered > 1000);
	assert_true(stats()->sent > 1000);
}

/* ---- broken queues ------------------------------------------------------------------------ */

/* An available index that the ring cannot have. */
static void break_queue(unsigned int queue)
{
	vring_store16_release(host.vq[queue].rings.avail, VRING_IDX,
			      (uint16_t)(host.vq[queue].shadow_avail + 1000));
}

static void test_remote_broken_output_queue_is_told_once(void **state)
{
	break_queue(OUTPUT);
	host_run(&host);
	host_run(&host);
	assert_int_equal(host.broken[OUTPUT], 1);
	assert_int_equal(host.broken[INPUT], 0);
	assert_int_equal(host.violations[VIOLATION_VQ_AVAIL_JUMP], 1);
}

static void test_remote_sends_on_while_the_output_queue_is_broken(void **state)
{
	const struct remote_message message = {.hdr = {.src = 1, .dst = 2}};

	break_queue(OUTPUT);
	host_run(&host);
	assert_int_equal(remote_send(host.remote, &message), 0);
	host_expect(&host, 1, 2, NULL, 0);
}

static void test_remote_receives_on_while_the_input_queue_is_broken(void **state)
{
	break_queue(INPUT);
	host_run(&host);
	assert_int_equal(host.broken[INPUT], 1);
	for (int i = 0; i < 5; i++)
		host_send(&host, HOST_ADDR, ECHO_ADDR, "x", 1);
	host_run(&host);
	assert_int_equal(stats()->delivered, 5);
	assert_int_equal(stats()->send_failed, 5);
	assert_int_equal(host_reclaim_all(&host), 5);
	assert_int_equal(host.broken[INPUT], 1);
}

static void test_remote_gives_up_what_waits_for_a_queue_that_breaks(void **state)
{
	remote_hold(host.remote, INPUT, 0);
	for (int i = 0; i < 5; i++)
		host_send(&host, HOST_ADDR, ECHO_ADDR, "x", 1);
	host_service(&host, "late", "echo", RPMSG_ADDR_ANY);
	host_run(&host);
	break_queue(INPUT);
	host_run(&host);
	assert_int_equal(stats()->backlog, 0);
	assert_int_equal(stats()->send_failed, 5);
}

static void test_remote_refuses_to_send_on_a_broken_queue(void **state)
{
	const struct remote_message message = {.hdr = {.src = 1, .dst = 2}};

	break_queue(INPUT);
	host_run(&host);
	assert_int_equal(remote_send(host.remote, &message), -EPROTO);
	assert_int_equal(stats()->send_failed, 1);
}

static void test_remote_refuses_to_send_on_a_broken_queue_that_is_held(void **state)
{
	const struct remote_message message = {.hdr = {.src = 1, .dst = 2}};

	break_queue(INPUT);
	host_run(&host);
	remote_hold(host.remote, INPUT, 0);
	assert_int_equal(remote_send(host.remote, &message), -EPROTO);
	assert_int_equal(stats()->send_failed, 1);
	assert_int_equal(stats()->backlog, 0);
}

static void test_remote_announcements_that_wait_for_a_queue_that_breaks_are_given_up(void **state)
{
	host_detach(&host);
	host_attach_bare(&host, HOST_FEATURES);
	host_service(&host, "second", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(stats()->backlog, 2);
	break_queue(INPUT);
	host_run(&host);
	assert_int_equal(stats()->backlog, 0);
	assert_int_equal(stats()->send_failed, 2);
	assert_false(host_endpoint(&host, ECHO_ADDR).announced);
	assert_false(host_endpoint(&host, ECHO_ADDR + 1).announced);
}

static void test_remote_announces_nothing_on_a_broken_queue(void **state)
{
	host_detach(&host);
	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	break_queue(INPUT);
	host_run(&host);
	host_service(&host, "late", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(stats()->backlog, 0);
	assert_false(host_endpoint(&host, ECHO_ADDR + 1).announced);
}

static void test_remote_buffers_held_of_a_queue_that_breaks_are_not_returned(void **state)
{
	remote_hold(host.remote, OUTPUT, 0);
	host_send(&host, HOST_ADDR, ECHO_ADDR, "x", 1);
	host_run(&host);
	break_queue(OUTPUT);
	host_run(&host);
	assert_int_equal(stats()->queues[OUTPUT].held, 0);
	assert_int_equal(remote_release(host.remote, OUTPUT, 0), 0);
	assert_int_equal(stats()->queues[OUTPUT].returned, 0);
}

static void test_remote_both_queues_broken_is_quiet(void **state)
{
	break_queue(INPUT);
	break_queue(OUTPUT);
	host_run(&host);
	assert_false(remote_run(host.remote, 100));
	assert_int_equal(host.broken[INPUT], 1);
	assert_int_equal(host.broken[OUTPUT], 1);
}

static void test_remote_broken_queue_is_whole_again_with_the_next_host(void **state)
{
	break_queue(INPUT);
	break_queue(OUTPUT);
	host_run(&host);
	host_detach(&host);
	host_attach(&host, HOST_WITHOUT_NS);
	expect_echo();
	break_queue(OUTPUT);
	host_run(&host);
	assert_int_equal(host.broken[OUTPUT], 2);
}

static void test_remote_queue_that_breaks_at_attaching_is_told(void **state)
{
	host_detach(&host);
	host_attach(&host, HOST_WITHOUT_NS);
	break_queue(OUTPUT);
	remote_detach(host.remote);
	assert_int_equal(
		remote_attach(host.remote, &host.vq[INPUT], &host.vq[OUTPUT], HOST_WITHOUT_NS), 0);
	assert_int_equal(host.broken[OUTPUT], 1);
	assert_int_equal(stats()->queues[OUTPUT].avail_at_start, 0);
}

/* ---- very many endpoints ------------------------------------------------------------------ */

#define MANY 65536

static int setup_many(void **state)
{
	const struct host_options options = {.num = {256, 256}};

	host_setup(&host, &options);
	return 0;
}

static void test_remote_65536_channels_are_announced_by_age_and_reached(void **state)
{
	struct host_message message;
	struct rpmsg_ns_msg ns;
	uint32_t next = 0;

	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(host_service(&host, "many", "echo", RPMSG_ADDR_ANY), 1024 + i);
	host_attach(&host, HOST_FEATURES);
	assert_int_equal(stats()->backlog, MANY);
	while (next < MANY) {
		host_run(&host);
		while (host_receive(&host, &message)) {
			assert_int_equal(message.hdr.src, 1024 + next);
			assert_int_equal(rpmsg_ns_decode(&ns, message.payload, message.hdr.len,
							 WIRE_LITTLE_ENDIAN),
					 0);
			assert_int_equal(ns.addr, 1024 + next);
			assert_string_equal(ns.name, "many");
			next++;
		}
		host_supply(&host, UINT32_MAX);
	}
	for (uint32_t i = 0; i < MANY; i += 997) {
		host_send(&host, i, 1024 + i, &i, sizeof(i));
		host_run(&host);
		host_expect(&host, 1024 + i, i, &i, sizeof(i));
		host_supply(&host, UINT32_MAX);
		host_reclaim_all(&host);
	}
	assert_int_equal(host_endpoint(&host, 1024 + MANY - 1).addr, 1024 + MANY - 1);
}

static void test_remote_announces_no_more_than_its_maximum(void **state)
{
	const struct host_options options = {.config = {.max_endpoints = 3}};
	uint32_t addr = RPMSG_ADDR_ANY;

	host_teardown(&host);
	host_setup(&host, &options);
	for (int i = 0; i < 3; i++)
		host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(remote_announce(host.remote, "a", service_kind_find("echo"), NULL, &addr),
			 -ENOSPC);
	addr = 1025;
	assert_int_equal(remote_withdraw(host.remote, "a", &addr), 0);
	assert_int_equal(host_service(&host, "a", "echo", RPMSG_ADDR_ANY), 1025);
}

static double announce_seconds(uint32_t count)
{
	struct timespec from, to;

	host_setup(&host, NULL);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (uint32_t i = 0; i < count; i++)
		host_service(&host, "many", "echo", RPMSG_ADDR_ANY);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	host_teardown(&host);
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* Sixteen times as many: quadratic growth would take 256 times as long. */
static void test_remote_announcing_grows_linearly(void **state)
{
	double few, many;

	host_teardown(&host);
	few = announce_seconds(MANY / 16);
	many = announce_seconds(MANY);
	host_setup(&host, NULL);
	assert_true(many < 100 * few + 0.05);
}

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define ON_MANY(test) cmocka_unit_test_setup_teardown(test, setup_many, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_HOST(test_remote_attached_twice_is_refused),
		ON_HOST(test_remote_detached_twice_is_harmless),
		ON_HOST(test_remote_serves_the_next_host_from_the_start),
		ON_HOST(test_remote_tells_how_many_buffers_lay_ready),
		ON_HOST(test_remote_asks_to_be_run_after_attaching),
		ON_HOST(test_remote_touches_no_queue_while_detached),
		ON_HOST(test_remote_returns_held_buffers_when_the_host_goes),
		ON_HOST(test_remote_gives_up_what_waits_when_the_host_goes),
		ON_HOST(test_remote_forgets_peers_when_the_host_goes),
		ON_HOST(test_remote_keeps_holding_over_a_reset),
		ON_HOST(test_remote_messages_in_native_order_without_version_1),
		ON_HOST(test_remote_survives_resets_at_random_moments),
		ON_HOST(test_remote_broken_output_queue_is_told_once),
		ON_HOST(test_remote_sends_on_while_the_output_queue_is_broken),
		ON_HOST(test_remote_receives_on_while_the_input_queue_is_broken),
		ON_HOST(test_remote_gives_up_what_waits_for_a_queue_that_breaks),
		ON_HOST(test_remote_refuses_to_send_on_a_broken_queue),
		ON_HOST(test_remote_refuses_to_send_on_a_broken_queue_that_is_held),
		ON_HOST(test_remote_announcements_that_wait_for_a_queue_that_breaks_are_given_up),
		ON_HOST(test_remote_announces_nothing_on_a_broken_queue),
		ON_HOST(test_remote_buffers_held_of_a_queue_that_breaks_are_not_returned),
		ON_HOST(test_remote_both_queues_broken_is_quiet),
		ON_HOST(test_remote_broken_queue_is_whole_again_with_the_next_host),
		ON_HOST(test_remote_queue_that_breaks_at_attaching_is_told),
		ON_MANY(test_remote_65536_channels_are_announced_by_age_and_reached),
		ON_MANY(test_remote_announces_no_more_than_its_maximum),
		ON_MANY(test_remote_announcing_grows_linearly),
	};

	return cmocka_run_group_tests_name("remote_session", tests, NULL, NULL);
}
