/* SPDX-License-Identifier: BSD-2-Clause */
/* Well-formed messages: from the host through an endpoint to a service, and its answers. */
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
#define ECHO_ADDR 1024

static struct remote_host host;
static uint8_t payload[REMOTE_MAX_PAYLOAD];

static void setup_with(const struct host_options *options)
{
	host_setup(&host, options);
	host_service(&host, "echo", "echo", ECHO_ADDR);
	host_attach(&host, HOST_WITHOUT_NS);
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + 1);
}

static int setup(void **state)
{
	setup_with(NULL);
	return 0;
}

/* One message of 64 KiB in each buffer. */
static int setup_large(void **state)
{
	const struct host_options options = {
		.size = {RPMSG_HDR_SIZE + REMOTE_MAX_PAYLOAD, RPMSG_HDR_SIZE + REMOTE_MAX_PAYLOAD},
	};

	setup_with(&options);
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

static void check_echo(uint32_t size)
{
	host_send(&host, HOST_ADDR, ECHO_ADDR, payload, size);
	host_run(&host);
	host_expect(&host, ECHO_ADDR, HOST_ADDR, payload, size);
	host_expect_nothing(&host);
	assert_int_equal(host_reclaim_all(&host), 1);
	assert_int_equal(stats()->delivered, 1);
	assert_int_equal(stats()->sent, 1);
	assert_int_equal(host.violation_count, 0);
}

static void test_remote_echo_of_no_bytes(void **state)
{
	check_echo(0);
}

static void test_remote_echo_of_one_byte(void **state)
{
	check_echo(1);
}

static void test_remote_echo_one_below_the_limit(void **state)
{
	check_echo(495);
}

static void test_remote_echo_that_fills_the_buffer(void **state)
{
	check_echo(496);
}

static void test_remote_echo_of_the_largest_message(void **state)
{
	check_echo(REMOTE_MAX_PAYLOAD);
}

static void test_remote_echo_bytes_on_the_wire(void **state)
{
	const uint8_t expected[] = {
		0x00, 0x04, 0x00, 0x00, /* source: 1024 */
		0x44, 0x33, 0x22, 0x11, /* destination */
		0x00, 0x00, 0x00, 0x00, /* reserved */
		0x02, 0x00, 0x00, 0x00, /* length, flags */
		'h',  'i',
	};
	struct host_message message;

	host_send(&host, 0x11223344, ECHO_ADDR, "hi", 2);
	host_run(&host);
	assert_true(host_receive(&host, &message));
	assert_int_equal(message.used_len, sizeof(expected));
	assert_memory_equal(message.bytes, expected, sizeof(expected));
}

static void test_remote_answer_writes_nothing_behind_the_message(void **state)
{
	struct host_message message;

	host_send(&host, HOST_ADDR, ECHO_ADDR, payload, 10);
	host_run(&host);
	assert_true(host_receive(&host, &message));
	for (size_t i = 26; i < RPMSG_BUF_SIZE; i++)
		assert_int_equal(message.bytes[i], 0xee);
}

static void test_remote_message_leaves_the_host_buffer_as_it_was(void **state)
{
	uint8_t before[RPMSG_BUF_SIZE];
	const uint8_t *buffer = host.memory + (size_t)(512 + 128) * 16; /* queue 1, buffer 0 */

	host_send(&host, HOST_ADDR, ECHO_ADDR, payload, 300);
	memcpy(before, buffer, sizeof(before));
	host_run(&host);
	assert_memory_equal(buffer, before, sizeof(before));
}

static void
test_remote_echo_one_above_the_limit_is_taken_but_its_answer_fits_no_buffer(void **state)
{
	const struct host_options options = {.size = {512, 1024}};

	host_teardown(&host);
	setup_with(&options);
	host_send(&host, HOST_ADDR, ECHO_ADDR, payload, 497);
	host_run(&host);
	host_expect_nothing(&host);
	assert_int_equal(stats()->delivered, 1);
	assert_int_equal(stats()->send_failed, 1);
	assert_int_equal(stats()->sent, 0);
	assert_int_equal(host_reclaim_all(&host), 1);
}

static void test_remote_buffer_too_small_for_one_message_serves_the_next(void **state)
{
	const struct host_options options = {.size = {512, 1024}};

	host_teardown(&host);
	setup_with(&options);
	host_send(&host, HOST_ADDR, ECHO_ADDR, payload, 497);
	host_send(&host, HOST_ADDR, ECHO_ADDR, payload, 496);
	host_run(&host);
	host_expect(&host, ECHO_ADDR, HOST_ADDR, payload, 496);
	host_expect_nothing(&host);
	/* None of the other 15 was lost on the way. */
	for (int i = 0; i < 15; i++) {
		host_reclaim_all(&host);
		host_send(&host, HOST_ADDR, ECHO_ADDR, payload, 1);
		host_run(&host);
	}
	assert_int_equal(host_discard(&host), 15);
}

static void test_remote_send_buffer_is_returned_with_length_0(void **state)
{
	uint32_t used_len = 1;
	uint16_t head = host_send(&host, HOST_ADDR, ECHO_ADDR, payload, 100);

	host_run(&host);
	assert_int_equal(host_reclaim(&host, &used_len), head);
	assert_int_equal(used_len, 0);
}

static void test_remote_message_in_several_descriptors_is_gathered(void **state)
{
	const uint32_t sizes[] = {1, 15, 7, 100, 9, 0};
	uint8_t bytes[RPMSG_HDR_SIZE + 116];

	host_header(&host, bytes, HOST_ADDR, ECHO_ADDR, 116);
	memcpy(bytes + RPMSG_HDR_SIZE, payload, 116);
	host_send_pieces(&host, bytes, sizes, false);
	host_run(&host);
	host_expect(&host, ECHO_ADDR, HOST_ADDR, payload, 116);
	assert_int_equal(host_event(&host, REMOTE_EVENT_MESSAGE, 0)->event.desc_count, 5);
}

static void test_remote_message_in_an_indirect_table_is_gathered(void **state)
{
	const uint32_t sizes[] = {20, 30, 0};
	uint8_t bytes[RPMSG_HDR_SIZE + 34];

	host_header(&host, bytes, HOST_ADDR, ECHO_ADDR, 34);
	memcpy(bytes + RPMSG_HDR_SIZE, payload, 34);
	host_send_pieces(&host, bytes, sizes, true);
	host_run(&host);
	host_expect(&host, ECHO_ADDR, HOST_ADDR, payload, 34);
	assert_true(host_event(&host, REMOTE_EVENT_MESSAGE, 0)->event.indirect);
}

static void test_remote_answer_is_spread_over_several_descriptors(void **state)
{
	const uint32_t sizes[] = {3, 20, 1, 200, 0};

	host_detach(&host);
	host_attach_bare(&host, HOST_WITHOUT_NS);
	host_supply_pieces(&host, sizes);
	host_send(&host, HOST_ADDR, ECHO_ADDR, payload, 208);
	host_run(&host);
	host_expect(&host, ECHO_ADDR, HOST_ADDR, payload, 208);
}

static void test_remote_message_shorter_than_its_buffer_is_legal(void **state)
{
	uint8_t bytes[RPMSG_BUF_SIZE];

	memset(bytes, 0xaa, sizeof(bytes));
	host_header(&host, bytes, HOST_ADDR, ECHO_ADDR, 5);
	memcpy(bytes + RPMSG_HDR_SIZE, payload, 5);
	host_send_bytes(&host, bytes, sizeof(bytes));
	host_run(&host);
	host_expect(&host, ECHO_ADDR, HOST_ADDR, payload, 5);
	assert_int_equal(host.violation_count, 0);
}

static void test_remote_message_to_nobody_is_dropped_and_its_buffer_returned(void **state)
{
	uint16_t head = host_send(&host, HOST_ADDR, 4711, payload, 5);

	host_run(&host);
	assert_int_equal(stats()->dropped[REMOTE_DROP_NO_ENDPOINT], 1);
	assert_int_equal(stats()->delivered, 0);
	assert_int_equal(host_reclaim(&host, NULL), head);
	host_expect_nothing(&host);
	assert_int_equal(host.violation_count, 0);
}

static void test_remote_messages_of_one_batch_reach_each_their_own(void **state)
{
	host_service(&host, "other", "echo", 2000);
	host_send(&host, 1, 2000, "a", 1);
	host_send(&host, 2, ECHO_ADDR, "b", 1);
	host_send(&host, 3, 999, "x", 1);
	host_send(&host, 4, 2000, "c", 1);
	host_run(&host);
	host_expect(&host, 2000, 1, "a", 1);
	host_expect(&host, ECHO_ADDR, 2, "b", 1);
	host_expect(&host, 2000, 4, "c", 1);
	assert_int_equal(host_endpoint(&host, 2000).received, 2);
	assert_int_equal(host_endpoint(&host, 2000).sent, 2);
	assert_int_equal(host_endpoint(&host, ECHO_ADDR).received, 1);
}

static void test_remote_endpoint_address_0_and_the_highest_can_be_used(void **state)
{
	host_service(&host, "zero", "echo", 0);
	host_service(&host, "high", "echo", 0xfffffffe);
	host_send(&host, 1, 0, "a", 1);
	host_send(&host, 0, 0xfffffffe, "b", 1);
	host_run(&host);
	host_expect(&host, 0, 1, "a", 1);
	host_expect(&host, 0xfffffffe, 0, "b", 1);
}

static void test_remote_peer_is_whoever_spoke_last(void **state)
{
	assert_int_equal(host_endpoint(&host, ECHO_ADDR).peer, RPMSG_ADDR_ANY);
	host_send(&host, 100, ECHO_ADDR, "a", 1);
	host_run(&host);
	assert_int_equal(host_endpoint(&host, ECHO_ADDR).peer, 100);
	host_send(&host, 200, ECHO_ADDR, "a", 1);
	host_run(&host);
	assert_int_equal(host_endpoint(&host, ECHO_ADDR).peer, 200);
}

static void test_remote_sink_takes_all_and_answers_none(void **state)
{
	host_service(&host, "sink", "sink", 3000);
	for (int i = 0; i < 10; i++)
		host_send(&host, HOST_ADDR, 3000, payload, 496);
	host_run(&host);
	host_expect_nothing(&host);
	assert_int_equal(host_endpoint(&host, 3000).received, 10);
	assert_int_equal(host_reclaim_all(&host), 10);
}

static void test_remote_client_sample_answers_100_messages_and_leaves(void **state)
{
	host_service(&host, "rpmsg-client-sample", "client-sample", 3000);
	for (int i = 0; i < 101; i++) {
		host_send(&host, HOST_ADDR, 3000, "hello world!", 12);
		host_run(&host);
		host_reclaim_all(&host);
		host_supply(&host, UINT32_MAX);
		if (i < 100)
			host_expect(&host, 3000, HOST_ADDR, "hello world!", 12);
	}
	host_expect_nothing(&host);
	assert_int_equal(stats()->delivered, 100);
	assert_int_equal(stats()->dropped[REMOTE_DROP_NO_ENDPOINT], 1);
}

static void test_remote_events_tell_a_message_before_its_answer_and_the_return(void **state)
{
	uint16_t head = host_send(&host, HOST_ADDR, ECHO_ADDR, payload, 30);
	const struct remote_event *event;
	uint8_t header[RPMSG_HDR_SIZE];

	host_run(&host);
	assert_int_equal(host.event_count, 3);
	event = &host.events[0].event;
	assert_int_equal(event->type, REMOTE_EVENT_MESSAGE);
	assert_int_equal(event->queue, RPMSG_QUEUE_OUTPUT);
	assert_true(event->delivered);
	assert_int_equal(event->hdr.src, HOST_ADDR);
	assert_int_equal(event->hdr.dst, ECHO_ADDR);
	host_header(&host, header, HOST_ADDR, ECHO_ADDR, 30);
	assert_memory_equal(event->header, header, sizeof(header));
	assert_int_equal(event->payload_size, 30);
	assert_int_equal(event->desc_id, head);
	assert_int_equal(event->desc_len, 46);
	assert_int_equal(event->readable, 46);
	assert_int_equal(event->writable, 0);
	event = &host.events[1].event;
	assert_int_equal(event->type, REMOTE_EVENT_SENT);
	assert_int_equal(event->queue, RPMSG_QUEUE_INPUT);
	assert_int_equal(event->hdr.src, ECHO_ADDR);
	assert_int_equal(event->hdr.dst, HOST_ADDR);
	host_header(&host, header, ECHO_ADDR, HOST_ADDR, 30);
	assert_memory_equal(event->header, header, sizeof(header));
	assert_int_equal(event->payload_size, 30);
	assert_int_equal(event->desc_len, 512);
	assert_int_equal(event->used_len, 46);
	event = &host.events[2].event;
	assert_int_equal(event->type, REMOTE_EVENT_RETURNED);
	assert_int_equal(event->desc_id, head);
	assert_int_equal(event->used_len, 0);
}

static void test_remote_send_puts_any_header_on_the_wire(void **state)
{
	const struct remote_message message = {
		.hdr = {.src = 9,
			.dst = RPMSG_ADDR_ANY,
			.reserved = 0xdeadbeef,
			.len = 999,
			.flags = 0x8001},
		.payload = (const uint8_t *)"abc",
		.size = 3,
		.used_len_set = true,
		.used_len = 0xffffffff,
	};
	struct host_message got;

	assert_int_equal(remote_send(host.remote, &message), 0);
	assert_true(host_receive(&host, &got));
	assert_int_equal(got.hdr.src, 9);
	assert_int_equal(got.hdr.dst, RPMSG_ADDR_ANY);
	assert_int_equal(got.hdr.reserved, 0xdeadbeef);
	assert_int_equal(got.hdr.len, 999);
	assert_int_equal(got.hdr.flags, 0x8001);
	assert_memory_equal(got.payload, "abc", 3);
	assert_int_equal(got.used_len, 0xffffffff);
}

static void test_remote_send_calls_the_host_at_once(void **state)
{
	const struct remote_message message = {.hdr = {.src = 9, .dst = 8}};

	assert_int_equal(remote_send(host.remote, &message), 0);
	assert_int_equal(host.calls[RPMSG_QUEUE_INPUT], 1);
	assert_int_equal(host.wakes, 2); /* attached, and this */
}

static void test_remote_send_of_too_much_is_refused(void **state)
{
	const struct remote_message message = {.payload = payload, .size = 65536};

	assert_int_equal(remote_send(host.remote, &message), -EMSGSIZE);
	assert_int_equal(stats()->send_failed, 0);
}

static void test_remote_statistics_add_up_over_a_mixture(void **state)
{
	uint32_t random = 7;

	host_service(&host, "sink", "sink", 3000);
	for (int i = 0; i < 3000; i++) {
		const uint32_t dst[] = {ECHO_ADDR, 3000, 5, RPMSG_ADDR_NS, RPMSG_ADDR_ANY, 3000};
		uint8_t bytes[RPMSG_BUF_SIZE] = {0};
		uint32_t size;

		random = random * 1664525 + 1013904223;
		size = 1 + (random >> 16) % 511;
		host_header(&host, bytes, random >> 4 & 0xfff, dst[random >> 28 & 3],
			    (uint16_t)(random >> 10 & 0x1ff));
		host_send_bytes(&host, bytes, size);
		host_run(&host);
		assert_int_equal(host_reclaim_all(&host), 1);
		host_discard(&host);
		host_supply(&host, UINT32_MAX);
	}
	assert_int_equal(stats()->received, 3000);
	assert_true(stats()->delivered > 100);
	assert_true(stats()->dropped[REMOTE_DROP_SHORT] > 10);
	assert_true(stats()->dropped[REMOTE_DROP_LENGTH] > 100);
	assert_true(stats()->dropped[REMOTE_DROP_NO_ENDPOINT] > 100);
	host_expect_balance(&host);
	assert_int_equal(stats()->queues[RPMSG_QUEUE_OUTPUT].popped, 3000);
	assert_int_equal(stats()->queues[RPMSG_QUEUE_OUTPUT].returned, 3000);
	assert_int_equal(stats()->queues[RPMSG_QUEUE_INPUT].popped, stats()->sent);
	assert_int_equal(stats()->queues[RPMSG_QUEUE_INPUT].returned, stats()->sent);
}

static void test_remote_new_refuses_a_configuration_beyond_its_limits(void **state)
{
	const struct remote_config backlog = {.backlog = REMOTE_MAX_BACKLOG + 1};
	const struct remote_config endpoints = {.max_endpoints = REMOTE_MAX_ENDPOINTS + 1};
	const struct remote_ops none = {0};
	struct remote *remote;

	assert_int_equal(remote_new(&remote, &backlog, &none, NULL, NULL), -EINVAL);
	assert_int_equal(remote_new(&remote, &endpoints, &none, NULL, NULL), -EINVAL);
}

static void test_remote_offers_the_default_features_or_those_configured(void **state)
{
	const struct host_options options = {.config = {.offered = VIRTIO_BIT(5)}};

	host_setup(&host, NULL);
	assert_int_equal(remote_offered_features(host.remote), remote_default_features());
	assert_int_equal(remote_default_features(), HOST_FEATURES);
	host_teardown(&host);
	host_setup(&host, &options);
	assert_int_equal(remote_offered_features(host.remote), VIRTIO_BIT(5));
	host_teardown(&host);
}

static void test_remote_drop_reasons_have_names(void **state)
{
	for (unsigned int i = 0; i < REMOTE_DROP_COUNT; i++)
		assert_string_not_equal(remote_drop_name(i), "unknown");
	assert_string_equal(remote_drop_name(REMOTE_DROP_COUNT), "unknown");
}

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_HOST(test_remote_echo_of_no_bytes),
		ON_HOST(test_remote_echo_of_one_byte),
		ON_HOST(test_remote_echo_one_below_the_limit),
		ON_HOST(test_remote_echo_that_fills_the_buffer),
		cmocka_unit_test_setup_teardown(test_remote_echo_of_the_largest_message,
						setup_large, teardown),
		ON_HOST(test_remote_echo_bytes_on_the_wire),
		ON_HOST(test_remote_answer_writes_nothing_behind_the_message),
		ON_HOST(test_remote_message_leaves_the_host_buffer_as_it_was),
		ON_HOST(test_remote_echo_one_above_the_limit_is_taken_but_its_answer_fits_no_buffer),
		ON_HOST(test_remote_buffer_too_small_for_one_message_serves_the_next),
		ON_HOST(test_remote_send_buffer_is_returned_with_length_0),
		ON_HOST(test_remote_message_in_several_descriptors_is_gathered),
		ON_HOST(test_remote_message_in_an_indirect_table_is_gathered),
		ON_HOST(test_remote_answer_is_spread_over_several_descriptors),
		ON_HOST(test_remote_message_shorter_than_its_buffer_is_legal),
		ON_HOST(test_remote_message_to_nobody_is_dropped_and_its_buffer_returned),
		ON_HOST(test_remote_messages_of_one_batch_reach_each_their_own),
		ON_HOST(test_remote_endpoint_address_0_and_the_highest_can_be_used),
		ON_HOST(test_remote_peer_is_whoever_spoke_last),
		ON_HOST(test_remote_sink_takes_all_and_answers_none),
		ON_HOST(test_remote_client_sample_answers_100_messages_and_leaves),
		ON_HOST(test_remote_events_tell_a_message_before_its_answer_and_the_return),
		ON_HOST(test_remote_send_puts_any_header_on_the_wire),
		ON_HOST(test_remote_send_calls_the_host_at_once),
		ON_HOST(test_remote_send_of_too_much_is_refused),
		ON_HOST(test_remote_statistics_add_up_over_a_mixture),
		cmocka_unit_test(test_remote_new_refuses_a_configuration_beyond_its_limits),
		cmocka_unit_test(test_remote_offers_the_default_features_or_those_configured),
		cmocka_unit_test(test_remote_drop_reasons_have_names),
	};

	return cmocka_run_group_tests_name("remote_message", tests, NULL, NULL);
}
