/* SPDX-License-Identifier: BSD-2-Clause */
/* What a host does wrong, one thing at a time: the violation, and what becomes of the message. */
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
#define PAYLOAD "payload"
#define SIZE 7

static struct remote_host host;

static int setup(void **state)
{
	host_setup(&host, NULL);
	host_service(&host, "echo", "echo", ECHO_ADDR);
	host_service(&host, "sink", "sink", 2000);
	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	host_discard(&host);
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

static void expect_violation(enum violation what, int queue, uint64_t expected, uint64_t seen)
{
	assert_int_equal(host.violations[what], 1);
	assert_int_equal(host.violation_count, 1);
	assert_int_equal(host.last_violation.queue, queue);
	assert_int_equal(host.last_violation.expected, expected);
	assert_int_equal(host.last_violation.seen, seen);
}

/* The last message was dropped for one reason, its buffer returned, and nothing answered. */
static void expect_dropped(enum remote_drop reason)
{
	const struct host_event *event = host_event(&host, REMOTE_EVENT_MESSAGE, 0);

	assert_int_equal(stats()->received, 1);
	assert_int_equal(stats()->dropped[reason], 1);
	assert_false(event->event.delivered);
	assert_int_equal(event->event.drop, reason);
	assert_int_equal(host_reclaim_all(&host), 1);
	host_expect_nothing(&host);
}

static void expect_delivered(void)
{
	assert_int_equal(stats()->received, 1);
	assert_int_equal(stats()->delivered, 1);
	assert_int_equal(host_reclaim_all(&host), 1);
}

/* A message to the echo service whose header was changed. */
static uint16_t send_changed(const struct rpmsg_hdr *hdr)
{
	uint8_t bytes[RPMSG_HDR_SIZE + SIZE];
	uint16_t head;

	rpmsg_hdr_encode(hdr, bytes, WIRE_LITTLE_ENDIAN);
	memcpy(bytes + RPMSG_HDR_SIZE, PAYLOAD, SIZE);
	head = host_send_bytes(&host, bytes, sizeof(bytes));
	host_run(&host);
	return head;
}

static void test_remote_message_shorter_than_a_header_is_dropped(void **state)
{
	uint8_t bytes[RPMSG_HDR_SIZE] = {0};

	host_send_bytes(&host, bytes, 15);
	host_run(&host);
	expect_violation(VIOLATION_HD_SHORT, RPMSG_QUEUE_OUTPUT, 16, 15);
	expect_dropped(REMOTE_DROP_SHORT);
}

static void test_remote_event_of_a_short_message_shows_nothing_of_the_one_before(void **state)
{
	const struct host_event *event;

	host_send(&host, HOST_ADDR, 2000, PAYLOAD, SIZE);
	host_run(&host);
	host_send_bytes(&host, "abcdefghijklmno", 15);
	host_run(&host);
	event = host_event(&host, REMOTE_EVENT_MESSAGE, 1);
	assert_int_equal(event->event.hdr.src, 0);
	assert_int_equal(event->event.hdr.dst, 0);
	assert_int_equal(event->event.hdr.len, 0);
	assert_int_equal(event->event.payload_size, 0);
	assert_null(event->event.header);
	assert_false(event->event.delivered);
	assert_int_equal(event->event.drop, REMOTE_DROP_SHORT);
}

static void test_remote_message_of_one_byte_is_dropped(void **state)
{
	host_send_bytes(&host, "", 1);
	host_run(&host);
	expect_violation(VIOLATION_HD_SHORT, RPMSG_QUEUE_OUTPUT, 16, 1);
	expect_dropped(REMOTE_DROP_SHORT);
}

static void test_remote_buffer_without_any_readable_byte_is_dropped(void **state)
{
	const struct drvq_buf buf = {.addr = HOST_MEMORY, .len = 64};

	assert_true(drvq_add(&host.dq[RPMSG_QUEUE_OUTPUT], &buf, 0, 1, NULL) >= 0);
	drvq_publish(&host.dq[RPMSG_QUEUE_OUTPUT]);
	host_run(&host);
	assert_int_equal(host.violations[VIOLATION_HD_SHORT], 1);
	assert_int_equal(host.violations[VIOLATION_BF_TX_WRITABLE], 1);
	assert_int_equal(stats()->dropped[REMOTE_DROP_SHORT], 1);
	assert_int_equal(stats()->queues[RPMSG_QUEUE_OUTPUT].returned, 1);
}

static void test_remote_length_one_above_the_descriptor_is_dropped(void **state)
{
	const struct rpmsg_hdr hdr = {.src = HOST_ADDR, .dst = ECHO_ADDR, .len = SIZE + 1};

	send_changed(&hdr);
	expect_violation(VIOLATION_HD_LEN, RPMSG_QUEUE_OUTPUT, SIZE, SIZE + 1);
	assert_int_equal(host_event(&host, REMOTE_EVENT_MESSAGE, 0)->event.payload_size, SIZE);
	expect_dropped(REMOTE_DROP_LENGTH);
}

static void test_remote_largest_length_in_a_small_buffer_is_dropped(void **state)
{
	const struct rpmsg_hdr hdr = {.src = HOST_ADDR, .dst = ECHO_ADDR, .len = 65535};

	send_changed(&hdr);
	expect_violation(VIOLATION_HD_LEN, RPMSG_QUEUE_OUTPUT, SIZE, 65535);
	expect_dropped(REMOTE_DROP_LENGTH);
}

static void test_remote_source_any_is_delivered_but_not_learnt(void **state)
{
	const struct rpmsg_hdr hdr = {.src = RPMSG_ADDR_ANY, .dst = 2000, .len = SIZE};

	send_changed(&hdr);
	expect_violation(VIOLATION_HD_SRC_ANY, RPMSG_QUEUE_OUTPUT, 0, RPMSG_ADDR_ANY);
	expect_delivered();
	assert_int_equal(host_endpoint(&host, 2000).peer, RPMSG_ADDR_ANY);
}

static void test_remote_source_any_does_not_displace_a_peer(void **state)
{
	const struct rpmsg_hdr hdr = {.src = RPMSG_ADDR_ANY, .dst = 2000, .len = SIZE};

	host_send(&host, HOST_ADDR, 2000, PAYLOAD, SIZE);
	send_changed(&hdr);
	assert_int_equal(host_endpoint(&host, 2000).peer, HOST_ADDR);
}

static void test_remote_echo_refuses_a_message_that_it_cannot_answer(void **state)
{
	const struct rpmsg_hdr hdr = {.src = RPMSG_ADDR_ANY, .dst = ECHO_ADDR, .len = SIZE};

	send_changed(&hdr);
	expect_violation(VIOLATION_HD_SRC_ANY, RPMSG_QUEUE_OUTPUT, 0, RPMSG_ADDR_ANY);
	expect_dropped(REMOTE_DROP_SERVICE);
}

static void test_remote_destination_any_is_dropped(void **state)
{
	const struct rpmsg_hdr hdr = {.src = HOST_ADDR, .dst = RPMSG_ADDR_ANY, .len = SIZE};

	send_changed(&hdr);
	expect_violation(VIOLATION_HD_DST_ANY, RPMSG_QUEUE_OUTPUT, 0, RPMSG_ADDR_ANY);
	expect_dropped(REMOTE_DROP_NO_ENDPOINT);
}

static void test_remote_reserved_field_set_is_reported_and_delivered(void **state)
{
	const struct rpmsg_hdr hdr = {
		.src = HOST_ADDR, .dst = ECHO_ADDR, .reserved = 0x12345678, .len = SIZE};

	send_changed(&hdr);
	expect_violation(VIOLATION_HD_RESERVED, RPMSG_QUEUE_OUTPUT, 0, 0x12345678);
	expect_delivered();
	host_expect(&host, ECHO_ADDR, HOST_ADDR, PAYLOAD, SIZE);
}

static void test_remote_flags_set_are_reported_and_delivered(void **state)
{
	const struct rpmsg_hdr hdr = {
		.src = HOST_ADDR, .dst = ECHO_ADDR, .len = SIZE, .flags = 0x8000};

	send_changed(&hdr);
	expect_violation(VIOLATION_HD_FLAGS, RPMSG_QUEUE_OUTPUT, 0, 0x8000);
	expect_delivered();
	host_expect(&host, ECHO_ADDR, HOST_ADDR, PAYLOAD, SIZE);
}

static void test_remote_violation_names_the_descriptor(void **state)
{
	const struct rpmsg_hdr hdr = {.src = HOST_ADDR, .dst = 2000, .flags = 1};
	const struct rpmsg_hdr good = {.src = HOST_ADDR, .dst = 2000};
	uint16_t head;

	send_changed(&good);
	head = send_changed(&hdr);
	assert_int_not_equal(head, 0);
	assert_int_equal(host.last_violation.desc_id, head);
}

static void test_remote_send_buffer_with_writable_part_is_reported_and_delivered(void **state)
{
	const struct drvq_buf bufs[] = {{.addr = HOST_MEMORY, .len = 16 + SIZE},
					{.addr = HOST_MEMORY + 64, .len = 100}};

	host_header(&host, host.memory, HOST_ADDR, 2000, SIZE);
	assert_true(drvq_add(&host.dq[RPMSG_QUEUE_OUTPUT], bufs, 1, 1, NULL) >= 0);
	drvq_publish(&host.dq[RPMSG_QUEUE_OUTPUT]);
	host_run(&host);
	expect_violation(VIOLATION_BF_TX_WRITABLE, RPMSG_QUEUE_OUTPUT, 0, 100);
	expect_delivered();
}

static void test_remote_several_violations_of_one_message_are_all_reported(void **state)
{
	const struct rpmsg_hdr hdr = {.src = RPMSG_ADDR_ANY,
				      .dst = RPMSG_ADDR_ANY,
				      .reserved = 1,
				      .len = 100,
				      .flags = 1};

	send_changed(&hdr);
	assert_int_equal(host.violation_count, 5);
	assert_int_equal(host.violations[VIOLATION_HD_LEN], 1);
	assert_int_equal(host.violations[VIOLATION_HD_SRC_ANY], 1);
	assert_int_equal(host.violations[VIOLATION_HD_DST_ANY], 1);
	assert_int_equal(host.violations[VIOLATION_HD_RESERVED], 1);
	assert_int_equal(host.violations[VIOLATION_HD_FLAGS], 1);
	expect_dropped(REMOTE_DROP_LENGTH);
}

/* ---- name service ------------------------------------------------------------------------- */

/* A name-service message of 40 bytes, or so many of them as size says. */
static void send_ns(const uint8_t *message, uint32_t size)
{
	/* From the address that it announces, 0. */
	host_send(&host, 0, RPMSG_ADDR_NS, message, size);
	host_run(&host);
}

static void test_remote_ns_message_of_wrong_length_is_dropped(void **state)
{
	const uint32_t sizes[] = {0, 1, 39, 41, 496};
	uint8_t message[496] = "name";

	for (unsigned int i = 0; i < 5; i++) {
		send_ns(message, sizes[i]);
		assert_int_equal(host.violations[VIOLATION_NS_LENGTH], i + 1);
		assert_int_equal(host.last_violation.expected, 40);
		assert_int_equal(host.last_violation.seen, sizes[i]);
		assert_int_equal(stats()->dropped[REMOTE_DROP_NS], i + 1);
	}
	assert_int_equal(host.violation_count, 5);
	assert_null(host_event(&host, REMOTE_EVENT_NS, 2)); /* but the remote's own two */
}

static void test_remote_ns_name_without_end_is_dropped(void **state)
{
	uint8_t message[RPMSG_NS_MSG_SIZE] = {0};

	memset(message, 'a', RPMSG_NAME_SIZE);
	send_ns(message, sizeof(message));
	expect_violation(VIOLATION_NS_UNTERMINATED, RPMSG_QUEUE_OUTPUT, 31, 32);
	assert_int_equal(stats()->dropped[REMOTE_DROP_NS], 1);
}

static void test_remote_ns_name_of_31_bytes_is_taken(void **state)
{
	uint8_t message[RPMSG_NS_MSG_SIZE] = {0};

	memset(message, 'a', RPMSG_NAME_SIZE - 1);
	send_ns(message, sizeof(message));
	assert_int_equal(host.violation_count, 0);
	assert_int_equal(stats()->delivered, 1);
}

static void test_remote_ns_dirty_bytes_behind_the_name_are_reported(void **state)
{
	uint8_t message[RPMSG_NS_MSG_SIZE] = "name";

	message[20] = 0xcc;
	send_ns(message, sizeof(message));
	expect_violation(VIOLATION_NS_PADDING, RPMSG_QUEUE_OUTPUT, 0, 1);
	assert_int_equal(stats()->delivered, 1);
}

static void test_remote_ns_unknown_flags_are_reported_and_bit_0_decides(void **state)
{
	const struct host_event *event;
	uint8_t message[RPMSG_NS_MSG_SIZE] = "name";

	wire_put_le32(message + 36, 2);
	send_ns(message, sizeof(message));
	expect_violation(VIOLATION_NS_FLAGS, RPMSG_QUEUE_OUTPUT, 1, 2);
	assert_int_equal(stats()->delivered, 1);
	event = host_event(&host, REMOTE_EVENT_NS, 2);
	assert_int_equal(event->ns.flags, 2);
}

static void test_remote_ns_message_without_the_feature_is_nobodys(void **state)
{
	uint8_t message[RPMSG_NS_MSG_SIZE] = "name";

	host_detach(&host);
	host_attach(&host, HOST_WITHOUT_NS);
	send_ns(message, sizeof(message));
	expect_violation(VIOLATION_NS_NOT_NEGOTIATED, RPMSG_QUEUE_OUTPUT, 0, RPMSG_ADDR_NS);
	expect_dropped(REMOTE_DROP_NO_ENDPOINT);
}

/* ---- receive buffers ---------------------------------------------------------------------- */

static void attach_without_buffers(void)
{
	host_detach(&host);
	host_attach_bare(&host, HOST_WITHOUT_NS);
	assert_int_equal(host.violations[VIOLATION_LC_INPUT_LATE], 1);
	host.violation_count = 0;
}

static void send_echo(void)
{
	host_send(&host, HOST_ADDR, ECHO_ADDR, PAYLOAD, SIZE);
	host_run(&host);
}

static void test_remote_receive_buffer_below_a_header_goes_back_empty(void **state)
{
	const uint32_t small[] = {15, 0};
	struct host_message message;

	attach_without_buffers();
	host_supply_pieces(&host, small);
	send_echo();
	expect_violation(VIOLATION_BF_RX_SMALL, RPMSG_QUEUE_INPUT, 16, 15);
	assert_true(host_receive(&host, &message));
	assert_int_equal(message.used_len, 0);
	host_expect_nothing(&host);
	host_supply(&host, 1);
	host_run(&host);
	host_expect(&host, ECHO_ADDR, HOST_ADDR, PAYLOAD, SIZE);
	assert_int_equal(stats()->send_failed, 0);
	assert_int_equal(stats()->queues[RPMSG_QUEUE_INPUT].popped, 4); /* two announcements */
	assert_int_equal(stats()->queues[RPMSG_QUEUE_INPUT].returned, 4);
}

static void test_remote_receive_buffer_of_a_header_takes_an_empty_message(void **state)
{
	const uint32_t sizes[] = {16, 0};
	struct host_message message;

	attach_without_buffers();
	host_supply_pieces(&host, sizes);
	host_send(&host, HOST_ADDR, ECHO_ADDR, NULL, 0);
	host_run(&host);
	assert_true(host_receive(&host, &message));
	assert_int_equal(message.used_len, 16);
	assert_int_equal(message.hdr.src, ECHO_ADDR);
	assert_int_equal(host.violation_count, 0);
}

static void test_remote_receive_buffer_that_just_fits_is_used(void **state)
{
	const uint32_t sizes[] = {16 + SIZE, 0};

	attach_without_buffers();
	host_supply_pieces(&host, sizes);
	send_echo();
	host_expect(&host, ECHO_ADDR, HOST_ADDR, PAYLOAD, SIZE);
	assert_int_equal(host.violation_count, 0);
}

static void test_remote_receive_buffer_one_byte_short_is_not_used(void **state)
{
	const uint32_t sizes[] = {16 + SIZE - 1, 0};

	attach_without_buffers();
	host_supply_pieces(&host, sizes);
	send_echo();
	host_expect_nothing(&host);
	assert_int_equal(stats()->send_failed, 1);
	assert_int_equal(stats()->queues[RPMSG_QUEUE_INPUT].popped, 2); /* announcements */
	assert_int_equal(virtq_avail_count(&host.vq[RPMSG_QUEUE_INPUT]), 1);
}

static void test_remote_receive_buffer_with_readable_part_is_reported_and_used(void **state)
{
	const struct drvq_buf bufs[] = {{.addr = HOST_MEMORY + 512, .len = 8},
					{.addr = HOST_MEMORY, .len = 100}};
	struct drvq_used used;

	attach_without_buffers();
	assert_true(drvq_add(&host.dq[RPMSG_QUEUE_INPUT], bufs, 1, 1, NULL) >= 0);
	drvq_publish(&host.dq[RPMSG_QUEUE_INPUT]);
	send_echo();
	expect_violation(VIOLATION_BF_RX_READABLE, RPMSG_QUEUE_INPUT, 0, 8);
	assert_int_equal(drvq_get(&host.dq[RPMSG_QUEUE_INPUT], &used), 1);
	assert_int_equal(used.len, 16 + SIZE);
	assert_memory_equal(host.memory + 16, PAYLOAD, SIZE);
	assert_int_equal(host.memory[512], 0xee);
}

static void test_remote_ring_full_of_useless_buffers_keeps_the_message(void **state)
{
	const uint32_t small[] = {1, 0};

	attach_without_buffers();
	for (int i = 0; i < 16; i++)
		host_supply_pieces(&host, small);
	send_echo();
	assert_int_equal(host.violations[VIOLATION_BF_RX_SMALL], 16);
	assert_int_equal(stats()->backlog, 1);
	assert_int_equal(host_discard(&host), 16);
}

/* Makes each useless buffer available again, without waiting for its return. */
static void offer_again(struct remote_host *of)
{
	struct virtq *vq = &of->vq[RPMSG_QUEUE_INPUT];
	uint16_t idx = vring_load16(vq->rings.avail, VRING_IDX);

	if (of->violation_count > 100000)
		fail_msg("the remote does not give up");
	if (of->last_violation.what != VIOLATION_BF_RX_SMALL)
		return;
	vring_store16(vq->rings.avail, vring_avail_entry(idx % 16),
		      (uint16_t)of->last_violation.desc_id);
	vring_store16_release(vq->rings.avail, VRING_IDX, (uint16_t)(idx + 1));
}

static void test_remote_endless_supply_of_useless_buffers_does_not_hold_it_up(void **state)
{
	const uint32_t small[] = {1, 0};

	attach_without_buffers();
	/* Two in turn: while one is looked at the other may be offered again. */
	host_supply_pieces(&host, small);
	host_supply_pieces(&host, small);
	host.on_violation = offer_again;
	host_send(&host, HOST_ADDR, 4711, PAYLOAD, SIZE);
	host_send(&host, HOST_ADDR, ECHO_ADDR, PAYLOAD, SIZE);
	host_send(&host, HOST_ADDR, 4711, PAYLOAD, SIZE);
	for (int i = 0; i < 10; i++)
		remote_run(host.remote, 10);
	assert_int_equal(stats()->received, 3);
	host.on_violation = NULL;
}

static void take_memory_away(struct remote_host *of)
{
	struct gmem_region removed;

	assert_int_equal(gmem_remove(&of->mem, HOST_MEMORY, UINT64_C(0x7f0000000000),
				     of->mem.regions[0].size, &removed),
			 0);
	of->on_violation = NULL;
}

static void test_remote_answer_whose_buffer_went_away_is_given_up(void **state)
{
	const struct remote_message message = {.hdr = {.src = 1, .dst = 2}};
	const struct drvq_buf bufs[] = {{.addr = HOST_MEMORY + 512, .len = 8},
					{.addr = HOST_MEMORY, .len = 100}};
	struct drvq_used used;

	attach_without_buffers();
	assert_true(drvq_add(&host.dq[RPMSG_QUEUE_INPUT], bufs, 1, 1, NULL) >= 0);
	drvq_publish(&host.dq[RPMSG_QUEUE_INPUT]);
	host.on_violation = take_memory_away;
	assert_int_equal(remote_send(host.remote, &message), -EFAULT);
	assert_int_equal(stats()->send_failed, 1);
	assert_int_equal(stats()->sent, 2); /* announcements */
	assert_int_equal(drvq_get(&host.dq[RPMSG_QUEUE_INPUT], &used), 1);
	assert_int_equal(used.len, 0);
}

static void test_remote_descriptor_outside_memory_breaks_the_queue(void **state)
{
	struct gmem_region removed;

	host_send(&host, HOST_ADDR, ECHO_ADDR, PAYLOAD, SIZE);
	assert_int_equal(gmem_remove(&host.mem, HOST_MEMORY, UINT64_C(0x7f0000000000),
				     host.mem.regions[0].size, &removed),
			 0);
	host_run(&host);
	expect_violation(VIOLATION_VQ_ADDRESS, RPMSG_QUEUE_OUTPUT, 16 + SIZE,
			 HOST_MEMORY + 16 * 640);
	assert_int_equal(host.broken[RPMSG_QUEUE_OUTPUT], 1);
	assert_int_equal(stats()->received, 0);
}

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_HOST(test_remote_message_shorter_than_a_header_is_dropped),
		ON_HOST(test_remote_event_of_a_short_message_shows_nothing_of_the_one_before),
		ON_HOST(test_remote_message_of_one_byte_is_dropped),
		ON_HOST(test_remote_buffer_without_any_readable_byte_is_dropped),
		ON_HOST(test_remote_length_one_above_the_descriptor_is_dropped),
		ON_HOST(test_remote_largest_length_in_a_small_buffer_is_dropped),
		ON_HOST(test_remote_source_any_is_delivered_but_not_learnt),
		ON_HOST(test_remote_source_any_does_not_displace_a_peer),
		ON_HOST(test_remote_echo_refuses_a_message_that_it_cannot_answer),
		ON_HOST(test_remote_destination_any_is_dropped),
		ON_HOST(test_remote_reserved_field_set_is_reported_and_delivered),
		ON_HOST(test_remote_flags_set_are_reported_and_delivered),
		ON_HOST(test_remote_violation_names_the_descriptor),
		ON_HOST(test_remote_send_buffer_with_writable_part_is_reported_and_delivered),
		ON_HOST(test_remote_several_violations_of_one_message_are_all_reported),
		ON_HOST(test_remote_ns_message_of_wrong_length_is_dropped),
		ON_HOST(test_remote_ns_name_without_end_is_dropped),
		ON_HOST(test_remote_ns_name_of_31_bytes_is_taken),
		ON_HOST(test_remote_ns_dirty_bytes_behind_the_name_are_reported),
		ON_HOST(test_remote_ns_unknown_flags_are_reported_and_bit_0_decides),
		ON_HOST(test_remote_ns_message_without_the_feature_is_nobodys),
		ON_HOST(test_remote_receive_buffer_below_a_header_goes_back_empty),
		ON_HOST(test_remote_receive_buffer_of_a_header_takes_an_empty_message),
		ON_HOST(test_remote_receive_buffer_that_just_fits_is_used),
		ON_HOST(test_remote_receive_buffer_one_byte_short_is_not_used),
		ON_HOST(test_remote_receive_buffer_with_readable_part_is_reported_and_used),
		ON_HOST(test_remote_ring_full_of_useless_buffers_keeps_the_message),
		ON_HOST(test_remote_endless_supply_of_useless_buffers_does_not_hold_it_up),
		ON_HOST(test_remote_answer_whose_buffer_went_away_is_given_up),
		ON_HOST(test_remote_descriptor_outside_memory_breaks_the_queue),
	};

	return cmocka_run_group_tests_name("remote_malformed", tests, NULL, NULL);
}
