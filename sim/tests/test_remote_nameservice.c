/* SPDX-License-Identifier: BSD-2-Clause */
/* Announcements of the remote, and what it makes of those of the host. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/remote_host.h"

static struct remote_host host;

static int setup(void **state)
{
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

static void attach_and_run(void)
{
	host_attach(&host, HOST_FEATURES);
	host_run(&host);
}

static int withdraw(const char *name, uint32_t addr)
{
	return remote_withdraw(host.remote, name, &addr);
}

static int announce(const char *name, uint32_t addr)
{
	return remote_announce(host.remote, name, service_kind_find("echo"), NULL, &addr);
}

/* ---- to the host -------------------------------------------------------------------------- */

static void test_remote_announcement_bytes_on_the_wire(void **state)
{
	const uint8_t expected[] = {
		0x00, 0x04, 0x00, 0x00, /* source */
		0x35, 0x00, 0x00, 0x00, /* 53 */
		0x00, 0x00, 0x00, 0x00, /* reserved */
		0x28, 0x00, 0x00, 0x00, /* 40, flags */
		'r',  'p',  'm',  's',	'g', '-', 't', 't', 'y', 0, 0, 0, 0, 0, 0, 0, /* name */
		0,    0,    0,	  0,	0,   0,	  0,   0,   0,	 0, 0, 0, 0, 0, 0, 0,
		0x00, 0x04, 0x00, 0x00, /* address */
		0x00, 0x00, 0x00, 0x00, /* CREATE */
	};
	struct host_message message;

	host_service(&host, "rpmsg-tty", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	assert_true(host_receive(&host, &message));
	assert_int_equal(message.used_len, sizeof(expected));
	assert_memory_equal(message.bytes, expected, sizeof(expected));
	host_expect_nothing(&host);
}

static void test_remote_withdrawal_bytes_on_the_wire(void **state)
{
	const uint8_t expected[] = {
		0x00, 0x04, 0x00, 0x00, 0x35, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x28, 0x00,
		0x00, 0x00, 'x',  0,	0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,
		0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,
		0,    0,    0,	  0,	0,    0,    0x00, 0x04, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
	};
	struct host_message message;

	host_service(&host, "x", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	host_discard(&host);
	assert_int_equal(withdraw("x", RPMSG_ADDR_ANY), 0);
	assert_true(host_receive(&host, &message));
	assert_int_equal(message.used_len, sizeof(expected));
	assert_memory_equal(message.bytes, expected, sizeof(expected));
}

static void test_remote_announces_nothing_before_it_is_attached(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	assert_false(remote_run(host.remote, 100));
	assert_false(host_endpoint(&host, 1024).announced);
	assert_int_equal(stats()->sent, 0);
}

static void test_remote_announces_all_services_by_age_after_attaching(void **state)
{
	host_service(&host, "first", "echo", 5000);
	host_service(&host, "second", "sink", RPMSG_ADDR_ANY);
	host_service(&host, "third", "echo", 7);
	attach_and_run();
	host_expect_ns(&host, "first", 5000, RPMSG_NS_CREATE);
	host_expect_ns(&host, "second", 1024, RPMSG_NS_CREATE);
	host_expect_ns(&host, "third", 7, RPMSG_NS_CREATE);
	host_expect_nothing(&host);
	assert_true(host_endpoint(&host, 7).announced);
}

static void test_remote_announces_again_to_each_new_host(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	host_expect_ns(&host, "a", 1024, RPMSG_NS_CREATE);
	host_detach(&host);
	assert_false(host_endpoint(&host, 1024).announced);
	attach_and_run();
	host_expect_ns(&host, "a", 1024, RPMSG_NS_CREATE);
	assert_int_equal(stats()->sessions, 2);
}

static void test_remote_announces_at_once_when_a_host_is_there(void **state)
{
	attach_and_run();
	host_service(&host, "late", "echo", RPMSG_ADDR_ANY);
	assert_true(host_endpoint(&host, 1024).announced);
	assert_int_equal(host.calls[RPMSG_QUEUE_INPUT], 1);
	host_expect_ns(&host, "late", 1024, RPMSG_NS_CREATE);
}

static void test_remote_announces_nothing_without_the_feature(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	host_attach(&host, HOST_WITHOUT_NS);
	host_run(&host);
	host_service(&host, "b", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(withdraw("b", RPMSG_ADDR_ANY), 0);
	host_run(&host);
	host_expect_nothing(&host);
	assert_false(host_endpoint(&host, 1024).announced);
	host_send(&host, 5, 1024, "x", 1);
	host_run(&host);
	host_expect(&host, 1024, 5, "x", 1);
}

static void test_remote_announcement_waits_for_a_buffer(void **state)
{
	host_attach_bare(&host, HOST_FEATURES);
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	assert_false(host_endpoint(&host, 1024).announced);
	assert_int_equal(stats()->backlog, 1);
	host_supply(&host, 1);
	host_run(&host);
	host_expect_ns(&host, "a", 1024, RPMSG_NS_CREATE);
	assert_int_equal(stats()->backlog, 0);
}

static void test_remote_announcements_and_messages_keep_their_order_while_they_wait(void **state)
{
	const struct remote_message message = {
		.hdr = {.src = 1, .dst = 2, .len = 1}, .payload = (const uint8_t *)"m", .size = 1};

	host_attach_bare(&host, HOST_FEATURES);
	assert_int_equal(remote_send(host.remote, &message), 1);
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(remote_send(host.remote, &message), 1);
	host_service(&host, "b", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(stats()->backlog, 4);
	host_supply(&host, UINT32_MAX);
	host_run(&host);
	host_expect(&host, 1, 2, "m", 1);
	host_expect_ns(&host, "a", 1024, RPMSG_NS_CREATE);
	host_expect(&host, 1, 2, "m", 1);
	host_expect_ns(&host, "b", 1025, RPMSG_NS_CREATE);
	host_expect_nothing(&host);
}

static void test_remote_announcement_that_fits_no_buffer_is_given_up(void **state)
{
	const uint32_t sizes[] = {55, 0};

	host_attach_bare(&host, HOST_FEATURES);
	host_supply_pieces(&host, sizes);
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	assert_false(host_endpoint(&host, 1024).announced);
	assert_int_equal(stats()->send_failed, 1);
	assert_int_equal(stats()->backlog, 0);
	/* So there is nothing to take back either. */
	assert_int_equal(withdraw("a", RPMSG_ADDR_ANY), 0);
	assert_int_equal(stats()->send_failed, 1);
}

static void test_remote_withdrawal_goes_behind_what_the_service_sent(void **state)
{
	attach_and_run();
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	host_discard(&host);
	assert_int_equal(remote_hold(host.remote, RPMSG_QUEUE_INPUT, 0), 0);
	host_send(&host, 5, 1024, "x", 1);
	host_run(&host);
	assert_int_equal(withdraw("a", RPMSG_ADDR_ANY), 0);
	host_service(&host, "a", "echo", 1024);
	remote_release(host.remote, RPMSG_QUEUE_INPUT, 0);
	host_expect(&host, 1024, 5, "x", 1);
	host_expect_ns(&host, "a", 1024, RPMSG_NS_DESTROY);
	host_expect_ns(&host, "a", 1024, RPMSG_NS_CREATE);
	host_expect_nothing(&host);
}

static void test_remote_withdrawal_of_what_the_host_never_saw_sends_nothing(void **state)
{
	host_attach_bare(&host, HOST_FEATURES);
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(withdraw("a", RPMSG_ADDR_ANY), 0);
	host_supply(&host, UINT32_MAX);
	host_run(&host);
	host_expect_nothing(&host);
	assert_int_equal(stats()->backlog, 0);
}

static void test_remote_withdrawn_service_is_gone(void **state)
{
	attach_and_run();
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(withdraw("a", RPMSG_ADDR_ANY), 0);
	host_discard(&host);
	host_send(&host, 5, 1024, "x", 1);
	host_run(&host);
	assert_int_equal(stats()->dropped[REMOTE_DROP_NO_ENDPOINT], 1);
	host_detach(&host);
	attach_and_run();
	host_expect_nothing(&host);
}

static void test_remote_withdrawn_while_detached_is_not_announced_again(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	host_service(&host, "b", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	host_detach(&host);
	assert_int_equal(withdraw("a", 1024), 0);
	host_service(&host, "c", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	host_expect_ns(&host, "b", 1025, RPMSG_NS_CREATE);
	host_expect_ns(&host, "c", 1024, RPMSG_NS_CREATE);
	host_expect_nothing(&host);
}

static void test_remote_withdrawal_that_still_waits_at_reset_is_given_up(void **state)
{
	attach_and_run();
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	remote_hold(host.remote, RPMSG_QUEUE_INPUT, 0);
	assert_int_equal(withdraw("a", RPMSG_ADDR_ANY), 0);
	assert_int_equal(stats()->backlog, 1);
	host_detach(&host);
	assert_int_equal(stats()->backlog, 0);
	assert_int_equal(stats()->send_failed, 1);
	remote_release(host.remote, RPMSG_QUEUE_INPUT, 0);
	attach_and_run();
	host_expect_nothing(&host);
}

static void test_remote_withdraw_names_what_it_withdrew(void **state)
{
	uint32_t addr = RPMSG_ADDR_ANY;

	host_service(&host, "a", "echo", 4000);
	assert_int_equal(remote_withdraw(host.remote, "a", &addr), 0);
	assert_int_equal(addr, 4000);
}

static void test_remote_withdraw_of_unknown_service_is_refused(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(withdraw("b", RPMSG_ADDR_ANY), -ENOENT);
	assert_int_equal(withdraw("a", 1025), -ENOENT);
	assert_int_equal(withdraw("b", 1024), -ENOENT);
	assert_int_equal(withdraw("", RPMSG_ADDR_ANY), -ENOENT);
	assert_int_equal(host_endpoint(&host, 1024).addr, 1024);
}

static void test_remote_withdraw_of_one_of_several_needs_the_address(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(withdraw("a", RPMSG_ADDR_ANY), -ENOTUNIQ);
	assert_int_equal(withdraw("a", 1025), 0);
	assert_int_equal(withdraw("a", RPMSG_ADDR_ANY), 0);
}

static void test_remote_announce_refuses_bad_names(void **state)
{
	assert_int_equal(announce("", RPMSG_ADDR_ANY), -EINVAL);
	assert_int_equal(announce("12345678901234567890123456789012", RPMSG_ADDR_ANY), -EINVAL);
	assert_int_equal(announce("1234567890123456789012345678901", RPMSG_ADDR_ANY), 0);
}

static void test_remote_announce_refuses_the_name_service_address(void **state)
{
	assert_int_equal(announce("a", RPMSG_ADDR_NS), -EINVAL);
}

static void test_remote_announce_refuses_an_address_that_is_bound(void **state)
{
	uint32_t addr = 100;

	host_service(&host, "a", "echo", 100);
	assert_int_equal(announce("b", 100), -EADDRINUSE);
	assert_int_equal(announce("b", RPMSG_ADDR_ANY), 0);
	assert_int_equal(remote_withdraw(host.remote, "a", &addr), 0);
	assert_int_equal(announce("b", 100), 0);
}

static void test_remote_announce_refuses_parameters_that_the_kind_cannot_have(void **state)
{
	const struct service_params params = {.size = 7};
	uint32_t addr = RPMSG_ADDR_ANY;

	attach_and_run();
	assert_int_equal(
		remote_announce(host.remote, "a", service_kind_find("source"), &params, &addr),
		-EINVAL);
	assert_int_equal(addr, RPMSG_ADDR_ANY);
	host_run(&host);
	host_expect_nothing(&host);
	assert_int_equal(announce("b", 1024), 0);
}

static void test_remote_retired_service_is_withdrawn_and_comes_back_with_the_next_host(void **state)
{
	host_service(&host, "sample", "client-sample", RPMSG_ADDR_ANY);
	host_service(&host, "after", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	host_discard(&host);
	for (int i = 0; i < 100; i++) {
		host_send(&host, 5, 1024, "hello", 5);
		host_run(&host);
		host_expect(&host, 1024, 5, "hello", 5);
		host_supply(&host, UINT32_MAX);
		host_reclaim_all(&host);
	}
	host_run(&host);
	host_expect_ns(&host, "sample", 1024, RPMSG_NS_DESTROY);
	host_detach(&host);
	attach_and_run();
	host_expect_ns(&host, "sample", 1024, RPMSG_NS_CREATE);
	host_expect_ns(&host, "after", 1025, RPMSG_NS_CREATE);
	host_expect_nothing(&host);
	assert_int_equal(host_endpoint(&host, 1024).received, 0);
}

static void retire_sample(void)
{
	host_service(&host, "sample", "client-sample", RPMSG_ADDR_ANY);
	attach_and_run();
	for (int i = 0; i < 100; i++) {
		host_send(&host, 5, 1024, "hello", 5);
		host_run(&host);
		host_discard(&host);
		host_supply(&host, UINT32_MAX);
		host_reclaim_all(&host);
	}
	host_run(&host);
	host_discard(&host);
}

static void test_remote_retired_service_can_be_withdrawn_for_good(void **state)
{
	retire_sample();
	assert_int_equal(withdraw("sample", 1025), -ENOENT);
	assert_int_equal(withdraw("samplf", RPMSG_ADDR_ANY), -ENOENT);
	assert_int_equal(withdraw("sample", 1024), 0);
	assert_int_equal(withdraw("sample", RPMSG_ADDR_ANY), -ENOENT);
	host_detach(&host);
	attach_and_run();
	host_expect_nothing(&host);
}

static void test_remote_retired_service_moves_when_its_address_was_given_away(void **state)
{
	retire_sample();
	host_service(&host, "new", "echo", 1024);
	host_detach(&host);
	attach_and_run();
	host_expect_ns(&host, "sample", 1025, RPMSG_NS_CREATE);
	host_expect_ns(&host, "new", 1024, RPMSG_NS_CREATE);
}

static void test_remote_sample_begins_to_count_anew_with_each_host(void **state)
{
	host_service(&host, "sample", "client-sample", RPMSG_ADDR_ANY);
	for (int session = 0; session < 3; session++) {
		attach_and_run();
		host_discard(&host);
		for (int i = 0; i < 60; i++) {
			host_send(&host, 5, 1024, "hello", 5);
			host_run(&host);
			host_expect(&host, 1024, 5, "hello", 5);
			host_supply(&host, UINT32_MAX);
			host_reclaim_all(&host);
		}
		host_detach(&host);
	}
}

static void test_remote_events_tell_its_own_announcements(void **state)
{
	const struct host_event *event;

	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	withdraw("a", RPMSG_ADDR_ANY);
	assert_int_equal(host_event_count(&host, REMOTE_EVENT_SENT), 2);
	assert_int_equal(host_event_count(&host, REMOTE_EVENT_NS), 2);
	event = host_event(&host, REMOTE_EVENT_NS, 0);
	assert_true(event->event.to_host);
	assert_string_equal(event->ns.name, "a");
	assert_int_equal(event->ns.addr, 1024);
	assert_int_equal(event->ns.flags, RPMSG_NS_CREATE);
	assert_true(event->ns.name_terminated);
	assert_true(event->ns.name_padded);
	event = host_event(&host, REMOTE_EVENT_NS, 1);
	assert_int_equal(event->ns.flags, RPMSG_NS_DESTROY);
}

static void test_remote_announcements_do_not_count_as_messages_of_the_endpoint(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	assert_int_equal(host_endpoint(&host, 1024).sent, 0);
	assert_int_equal(stats()->sent, 1);
}

/* ---- from the host ------------------------------------------------------------------------ */

static uint32_t peer_of(uint32_t addr)
{
	return host_endpoint(&host, addr).peer;
}

static void host_announces(const char *name, uint32_t addr, uint32_t flags)
{
	host_send_ns(&host, name, addr, flags);
	host_run(&host);
	host_reclaim_all(&host);
}

static void test_remote_service_gets_the_channel_of_its_name_as_peer(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	host_announces("a", 0x500, RPMSG_NS_CREATE);
	assert_int_equal(peer_of(1024), 0x500);
	assert_int_equal(stats()->delivered, 1);
}

static void test_remote_event_tells_what_the_host_announced(void **state)
{
	const struct host_event *event;

	attach_and_run();
	host_announces("chan", 0x500, RPMSG_NS_CREATE);
	assert_int_equal(host.events[0].event.type, REMOTE_EVENT_MESSAGE);
	assert_true(host.events[0].event.delivered);
	event = host_event(&host, REMOTE_EVENT_NS, 0);
	assert_false(event->event.to_host);
	assert_string_equal(event->ns.name, "chan");
	assert_int_equal(event->ns.addr, 0x500);
	assert_int_equal(event->ns.flags, RPMSG_NS_CREATE);
	assert_int_equal(event->event.queue, RPMSG_QUEUE_OUTPUT);
	assert_int_equal(event->event.hdr.src, 0x500);
	assert_int_equal(event->event.hdr.dst, RPMSG_ADDR_NS);
	assert_memory_equal(event->event.header, host.events[0].header, RPMSG_HDR_SIZE);
	assert_int_equal(event->event.payload_size, RPMSG_NS_MSG_SIZE);
	assert_int_equal(event->event.desc_id, host.events[0].event.desc_id);
}

static void test_remote_channel_of_another_name_changes_nothing(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	host_announces("b", 0x500, RPMSG_NS_CREATE);
	assert_int_equal(peer_of(1024), RPMSG_ADDR_ANY);
}

static void test_remote_channel_does_not_displace_a_peer(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	host_send(&host, 77, 1024, "x", 1);
	host_run(&host);
	host_announces("a", 0x500, RPMSG_NS_CREATE);
	assert_int_equal(peer_of(1024), 77);
}

static void test_remote_several_channels_of_a_name_go_to_several_services(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	host_announces("a", 0x500, RPMSG_NS_CREATE);
	host_announces("a", 0x500, RPMSG_NS_CREATE);
	assert_int_equal(peer_of(1025), RPMSG_ADDR_ANY);
	host_announces("a", 0x501, RPMSG_NS_CREATE);
	assert_int_equal(peer_of(1024), 0x500);
	assert_int_equal(peer_of(1025), 0x501);
}

static void test_remote_channel_is_remembered_for_a_service_that_comes_later(void **state)
{
	attach_and_run();
	host_announces("a", 0x500, RPMSG_NS_CREATE);
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(peer_of(1024), 0x500);
	assert_int_equal(peer_of(1025), RPMSG_ADDR_ANY);
}

static void test_remote_channel_is_free_again_when_its_service_is_withdrawn(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	host_announces("a", 0x500, RPMSG_NS_CREATE);
	assert_int_equal(withdraw("a", RPMSG_ADDR_ANY), 0);
	host_service(&host, "a", "echo", 3000);
	assert_int_equal(peer_of(3000), 0x500);
}

static void test_remote_destroyed_channel_leaves_its_service_without_peer(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	host_service(&host, "b", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	host_announces("a", 0x500, RPMSG_NS_CREATE);
	host_announces("b", 0x501, RPMSG_NS_CREATE);
	host_announces("a", 0x500, RPMSG_NS_DESTROY);
	assert_int_equal(peer_of(1024), RPMSG_ADDR_ANY);
	assert_int_equal(peer_of(1025), 0x501);
}

static void test_remote_destroyed_channel_is_forgotten(void **state)
{
	attach_and_run();
	host_announces("a", 0x500, RPMSG_NS_CREATE);
	host_announces("a", 0x500, RPMSG_NS_DESTROY);
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(peer_of(1024), RPMSG_ADDR_ANY);
}

static void test_remote_other_channels_are_remembered_when_one_is_forgotten(void **state)
{
	attach_and_run();
	host_announces("a", 0x500, RPMSG_NS_CREATE);
	host_announces("b", 0x501, RPMSG_NS_CREATE);
	host_announces("c", 0x502, RPMSG_NS_CREATE);
	host_announces("a", 0x500, RPMSG_NS_DESTROY);
	host_service(&host, "c", "echo", RPMSG_ADDR_ANY);
	host_service(&host, "b", "echo", RPMSG_ADDR_ANY);
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(peer_of(1024), 0x502);
	assert_int_equal(peer_of(1025), 0x501);
	assert_int_equal(peer_of(1026), RPMSG_ADDR_ANY);
}

static void test_remote_channel_that_came_later_is_forgotten_too(void **state)
{
	attach_and_run();
	host_announces("a", 0x500, RPMSG_NS_CREATE);
	host_announces("b", 0x501, RPMSG_NS_CREATE);
	host_announces("b", 0x501, RPMSG_NS_CREATE); /* no second one */
	host_announces("b", 0x501, RPMSG_NS_DESTROY);
	host_service(&host, "b", "echo", RPMSG_ADDR_ANY);
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(peer_of(1024), RPMSG_ADDR_ANY);
	assert_int_equal(peer_of(1025), 0x500);
}

static void test_remote_search_among_many_services_is_paid_for_out_of_the_budget(void **state)
{
	const uint32_t flags[] = {RPMSG_NS_CREATE, RPMSG_NS_DESTROY};

	for (int i = 0; i < 6400; i++)
		host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	host_attach(&host, HOST_FEATURES);
	for (int i = 0; i < 500; i++) {
		host_run(&host);
		host_discard(&host);
		host_supply(&host, UINT32_MAX);
	}
	assert_int_equal(stats()->backlog, 0);
	for (uint32_t i = 0; i < 6400; i++)
		host_announces("a", i, RPMSG_NS_CREATE);
	/* With all of them taken, each message of that name looks at 6400 services. */
	for (int i = 0; i < 2; i++) {
		uint64_t before = stats()->received;

		for (int n = 0; n < 4; n++)
			host_send_ns(&host, "a", 0x12340, flags[i]);
		assert_true(remote_run(host.remote, 150));
		assert_int_equal(stats()->received, before + 2);
		host_run(&host);
		assert_int_equal(stats()->received, before + 4);
		host_reclaim_all(&host);
	}
}

static void test_remote_destroy_of_unknown_channel_is_harmless(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	host_announces("a", 0x500, RPMSG_NS_CREATE);
	host_announces("a", 0x501, RPMSG_NS_DESTROY);
	host_announces("b", 0x500, RPMSG_NS_DESTROY);
	assert_int_equal(peer_of(1024), 0x500);
	assert_int_equal(stats()->delivered, 3);
}

static void test_remote_channel_with_address_any_is_nobodys_peer(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	host_announces("a", RPMSG_ADDR_ANY, RPMSG_NS_CREATE);
	assert_int_equal(peer_of(1024), RPMSG_ADDR_ANY);
	host_announces("a", 9, RPMSG_NS_CREATE);
	assert_int_equal(peer_of(1024), 9);
}

static void test_remote_channels_are_forgotten_with_their_host(void **state)
{
	host_service(&host, "a", "echo", RPMSG_ADDR_ANY);
	attach_and_run();
	host_announces("a", 0x500, RPMSG_NS_CREATE);
	host_announces("b", 0x501, RPMSG_NS_CREATE);
	host_detach(&host);
	attach_and_run();
	assert_int_equal(peer_of(1024), RPMSG_ADDR_ANY);
	host_service(&host, "b", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(peer_of(1025), RPMSG_ADDR_ANY);
}

static void test_remote_survives_more_channels_than_it_remembers(void **state)
{
	char name[RPMSG_NAME_SIZE];

	attach_and_run();
	for (uint32_t i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "channel-%u", i);
		host_announces(name, i, RPMSG_NS_CREATE);
	}
	assert_int_equal(stats()->delivered, 3000);
	host_service(&host, "channel-7", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(peer_of(1024), 7);
	/* Forgotten, but still matched at the moment it comes. */
	host_service(&host, "channel-2999", "echo", RPMSG_ADDR_ANY);
	assert_int_equal(peer_of(1025), RPMSG_ADDR_ANY);
	host_announces("channel-2999", 2999, RPMSG_NS_CREATE);
	assert_int_equal(peer_of(1025), 2999);
}

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_HOST(test_remote_announcement_bytes_on_the_wire),
		ON_HOST(test_remote_withdrawal_bytes_on_the_wire),
		ON_HOST(test_remote_announces_nothing_before_it_is_attached),
		ON_HOST(test_remote_announces_all_services_by_age_after_attaching),
		ON_HOST(test_remote_announces_again_to_each_new_host),
		ON_HOST(test_remote_announces_at_once_when_a_host_is_there),
		ON_HOST(test_remote_announces_nothing_without_the_feature),
		ON_HOST(test_remote_announcement_waits_for_a_buffer),
		ON_HOST(test_remote_announcements_and_messages_keep_their_order_while_they_wait),
		ON_HOST(test_remote_announcement_that_fits_no_buffer_is_given_up),
		ON_HOST(test_remote_withdrawal_goes_behind_what_the_service_sent),
		ON_HOST(test_remote_withdrawal_of_what_the_host_never_saw_sends_nothing),
		ON_HOST(test_remote_withdrawn_service_is_gone),
		ON_HOST(test_remote_withdrawn_while_detached_is_not_announced_again),
		ON_HOST(test_remote_withdrawal_that_still_waits_at_reset_is_given_up),
		ON_HOST(test_remote_withdraw_names_what_it_withdrew),
		ON_HOST(test_remote_withdraw_of_unknown_service_is_refused),
		ON_HOST(test_remote_withdraw_of_one_of_several_needs_the_address),
		ON_HOST(test_remote_announce_refuses_bad_names),
		ON_HOST(test_remote_announce_refuses_the_name_service_address),
		ON_HOST(test_remote_announce_refuses_an_address_that_is_bound),
		ON_HOST(test_remote_announce_refuses_parameters_that_the_kind_cannot_have),
		ON_HOST(test_remote_retired_service_is_withdrawn_and_comes_back_with_the_next_host),
		ON_HOST(test_remote_retired_service_can_be_withdrawn_for_good),
		ON_HOST(test_remote_retired_service_moves_when_its_address_was_given_away),
		ON_HOST(test_remote_sample_begins_to_count_anew_with_each_host),
		ON_HOST(test_remote_events_tell_its_own_announcements),
		ON_HOST(test_remote_announcements_do_not_count_as_messages_of_the_endpoint),
		ON_HOST(test_remote_service_gets_the_channel_of_its_name_as_peer),
		ON_HOST(test_remote_event_tells_what_the_host_announced),
		ON_HOST(test_remote_channel_of_another_name_changes_nothing),
		ON_HOST(test_remote_channel_does_not_displace_a_peer),
		ON_HOST(test_remote_several_channels_of_a_name_go_to_several_services),
		ON_HOST(test_remote_channel_is_remembered_for_a_service_that_comes_later),
		ON_HOST(test_remote_channel_is_free_again_when_its_service_is_withdrawn),
		ON_HOST(test_remote_destroyed_channel_leaves_its_service_without_peer),
		ON_HOST(test_remote_destroyed_channel_is_forgotten),
		ON_HOST(test_remote_other_channels_are_remembered_when_one_is_forgotten),
		ON_HOST(test_remote_channel_that_came_later_is_forgotten_too),
		ON_HOST(test_remote_search_among_many_services_is_paid_for_out_of_the_budget),
		ON_HOST(test_remote_destroy_of_unknown_channel_is_harmless),
		ON_HOST(test_remote_channel_with_address_any_is_nobodys_peer),
		ON_HOST(test_remote_channels_are_forgotten_with_their_host),
		ON_HOST(test_remote_survives_more_channels_than_it_remembers),
	};

	return cmocka_run_group_tests_name("remote_nameservice", tests, NULL, NULL);
}
