/* SPDX-License-Identifier: BSD-2-Clause */
/* What each fault of the rings leaves in them. */
#include "fault_case.h"

#include <string.h>

#define NUM 16
#define USED_LEN (RPMSG_HDR_SIZE + SIZE)

static void pass_return(void)
{
	case_echo();
}

static void start(void)
{
	host_attach(&case_host, HOST_WITHOUT_NS);
	host_run(&case_host);
}

/* The fault for one buffer of a queue; its argument is the queue. */
static void set_for(const struct fault_case *c, unsigned int queue)
{
	case_set_argument(c->fault, 1, queue);
}

static uint32_t used_len(unsigned int queue)
{
	return queue == INPUT ? USED_LEN : 0;
}

static uint32_t head(unsigned int queue, uint32_t n)
{
	return wire_avail(&case_host, queue, n);
}

static void expect_sound(unsigned int queue, uint32_t slot, uint32_t n)
{
	wire_expect_used(&case_host, queue, slot, head(queue, n), used_len(queue));
}

static unsigned int other(unsigned int queue)
{
	return queue == INPUT ? OUTPUT : INPUT;
}

/* Run the effect on each of the two queues; the other one is as ever. */
static void on_each_queue(const struct fault_case *c, void (*effect)(unsigned int queue))
{
	for (unsigned int queue = 0; queue < RPMSG_NUM_QUEUES; queue++) {
		start();
		set_for(c, queue);
		case_echo();
		effect(queue);
		expect_sound(other(queue), 0, 0);
		case_expect_event(queue, c->fault, queue,
				  c->fault == FAULT_RING_USED_IDX_AHEAD ||
						  c->fault == FAULT_RING_USED_IDX_BACK
					  ? REMOTE_NO_DESC
					  : (uint16_t)head(queue, 0));
		host_detach(&case_host);
	}
	assert_int_equal(case_fired(c->fault), 2);
}

/* ---- ids ---------------------------------------------------------------------------------- */

static void expect_id_range(unsigned int queue)
{
	wire_expect_used(&case_host, queue, 0, NUM, used_len(queue));
	assert_int_equal(wire_used_idx(&case_host, queue), 1);
	case_echo();
	expect_sound(queue, 1, 1);
}

static void effect_id_range(const struct fault_case *c)
{
	on_each_queue(c, expect_id_range);
}

/* Nothing but the first message's buffer was ever supplied: any other id is idle. */
static void expect_id_idle(unsigned int queue)
{
	struct wire_used used = wire_used(&case_host, queue, 0);

	assert_true(used.id < NUM);
	assert_int_not_equal(used.id, head(queue, 0));
	assert_int_equal(used.id, 1);
	assert_int_equal(used.len, used_len(queue));
	assert_int_equal(wire_used_idx(&case_host, queue), 1);
}

static void effect_id_idle(const struct fault_case *c)
{
	for (unsigned int queue = 0; queue < RPMSG_NUM_QUEUES; queue++) {
		host_attach_bare(&case_host, HOST_WITHOUT_NS);
		host_supply(&case_host, 1);
		set_for(c, queue);
		case_echo();
		expect_id_idle(queue);
		expect_sound(other(queue), 0, 0);
		host_detach(&case_host);
	}
	assert_int_equal(case_fired(c->fault), 2);

	/* With all descriptors of the queue supplied there is none. */
	start();
	set_for(c, INPUT);
	case_echo();
	expect_sound(INPUT, 0, 0);
	assert_int_equal(case_fired(c->fault), 2);
}

static void expect_twice(unsigned int queue)
{
	expect_sound(queue, 0, 0);
	expect_sound(queue, 1, 0);
	assert_int_equal(wire_used_idx(&case_host, queue), 2);
	case_echo();
	expect_sound(queue, 2, 1);
	assert_int_equal(wire_used_idx(&case_host, queue), 3);
}

static void effect_id_twice(const struct fault_case *c)
{
	on_each_queue(c, expect_twice);
}

static void expect_skipped(unsigned int queue)
{
	/* What stood there before: a ring starts with zeros. */
	wire_expect_used(&case_host, queue, 0, 0, 0);
	expect_sound(queue, 1, 0);
	assert_int_equal(wire_used_idx(&case_host, queue), 2);
	case_echo();
	expect_sound(queue, 2, 1);
}

static void effect_skipped(const struct fault_case *c)
{
	on_each_queue(c, expect_skipped);
}

/* ---- index -------------------------------------------------------------------------------- */

static void expect_ahead(unsigned int queue)
{
	expect_sound(queue, 0, 0);
	assert_int_equal(wire_used_idx(&case_host, queue), 1 + NUM);
	case_echo();
	expect_sound(queue, 1, 1);
	assert_int_equal(wire_used_idx(&case_host, queue), 2);
}

static void effect_ahead(const struct fault_case *c)
{
	on_each_queue(c, expect_ahead);
}

static void expect_back(unsigned int queue)
{
	expect_sound(queue, 0, 0);
	assert_int_equal(wire_used_idx(&case_host, queue), 0xffff);
	case_echo();
	assert_int_equal(wire_used_idx(&case_host, queue), 2);
}

static void effect_back(const struct fault_case *c)
{
	on_each_queue(c, expect_back);
}

/* ---- buffers ------------------------------------------------------------------------------ */

static void effect_write_readable(const struct fault_case *c)
{
	uint8_t bytes[USED_LEN];

	start();
	case_set(c->fault, 1, 0);
	case_echo();
	host_header(&case_host, bytes, HOST_ADDR, ECHO_ADDR, SIZE);
	wire_put_le32(bytes + 8, 0xa5a5a5a5);
	memcpy(bytes + RPMSG_HDR_SIZE, PAYLOAD, SIZE);
	wire_expect_bytes(&case_host, OUTPUT, head(OUTPUT, 0), bytes, sizeof(bytes));
	expect_sound(OUTPUT, 0, 0);
	/* It was read before it was written to. */
	host_expect(&case_host, ECHO_ADDR, HOST_ADDR, PAYLOAD, SIZE);
	case_expect_event(0, c->fault, OUTPUT, (uint16_t)head(OUTPUT, 0));

	case_echo();
	wire_put_le32(bytes + 8, 0);
	wire_expect_bytes(&case_host, OUTPUT, head(OUTPUT, 1), bytes, sizeof(bytes));
}

static void expect_not_returned(unsigned int queue)
{
	assert_int_equal(wire_used_idx(&case_host, queue), 0);
	case_echo();
	expect_sound(queue, 0, 1);
	assert_int_equal(wire_used_idx(&case_host, queue), 1);
}

static void effect_not_returned(const struct fault_case *c)
{
	on_each_queue(c, expect_not_returned);
}

/*
 * On the input queue the message lies in the first buffer, and the second comes back for it:
 * unwritten. The first follows with the next message.
 */
static void effect_another_input(const struct fault_case *c)
{
	uint8_t bytes[USED_LEN];

	start();
	set_for(c, INPUT);
	case_echo();
	host_header(&case_host, bytes, ECHO_ADDR, HOST_ADDR, SIZE);
	memcpy(bytes + RPMSG_HDR_SIZE, PAYLOAD, SIZE);
	wire_expect_bytes(&case_host, INPUT, head(INPUT, 0), bytes, sizeof(bytes));
	wire_expect_bytes(&case_host, INPUT, head(INPUT, 1), NULL, 0);
	expect_sound(INPUT, 0, 1);
	assert_int_equal(wire_used_idx(&case_host, INPUT), 1);
	case_expect_event(0, c->fault, INPUT, (uint16_t)head(INPUT, 0));
	case_echo();
	expect_sound(INPUT, 1, 0);
	expect_sound(INPUT, 2, 2);
	assert_int_equal(wire_used_idx(&case_host, INPUT), 3);
	host_detach(&case_host);
}

/* On the output queue the other buffer's message is never read. */
static void effect_another_output(const struct fault_case *c)
{
	start();
	set_for(c, OUTPUT);
	host_send(&case_host, HOST_ADDR, ECHO_ADDR, "first", 5);
	host_send(&case_host, HOST_ADDR, ECHO_ADDR, "second", 6);
	host_run(&case_host);
	expect_sound(OUTPUT, 0, 1);
	assert_int_equal(wire_used_idx(&case_host, OUTPUT), 1);
	host_expect(&case_host, ECHO_ADDR, HOST_ADDR, "first", 5);
	host_expect_nothing(&case_host);
	host_send(&case_host, HOST_ADDR, ECHO_ADDR, "third", 5);
	host_run(&case_host);
	expect_sound(OUTPUT, 1, 0);
	expect_sound(OUTPUT, 2, 2);
	host_expect(&case_host, ECHO_ADDR, HOST_ADDR, "third", 5);
}

static void effect_another(const struct fault_case *c)
{
	effect_another_input(c);
	effect_another_output(c);
}

static void effect_used_len_output(const struct fault_case *c)
{
	start();
	case_set(c->fault, 1, 0);
	case_echo();
	case_echo();
	wire_expect_used(&case_host, OUTPUT, 0, head(OUTPUT, 0), 512);
	expect_sound(OUTPUT, 1, 1);
	expect_sound(INPUT, 0, 0);
	case_expect_event(0, c->fault, OUTPUT, (uint16_t)head(OUTPUT, 0));
	assert_int_equal(host_event(&case_host, REMOTE_EVENT_RETURNED, 0)->event.used_len, 512);
}

const struct fault_case ring_cases[] = {
	{FAULT_USED_LEN_OUTPUT, effect_used_len_output, pass_return, HOST_WITHOUT_NS, NULL},
	{FAULT_RING_USED_ID_RANGE, effect_id_range, pass_return, HOST_WITHOUT_NS, NULL},
	{FAULT_RING_USED_ID_IDLE, effect_id_idle, pass_return, HOST_WITHOUT_NS, NULL},
	{FAULT_RING_USED_ID_TWICE, effect_id_twice, pass_return, HOST_WITHOUT_NS, NULL},
	{FAULT_RING_USED_ENTRY_SKIPPED, effect_skipped, pass_return, HOST_WITHOUT_NS, NULL},
	{FAULT_RING_USED_IDX_AHEAD, effect_ahead, pass_return, HOST_WITHOUT_NS, NULL},
	{FAULT_RING_USED_IDX_BACK, effect_back, pass_return, HOST_WITHOUT_NS, NULL},
	{FAULT_RING_WRITE_READABLE, effect_write_readable, pass_return, HOST_WITHOUT_NS, NULL},
	{FAULT_RING_NOT_RETURNED, effect_not_returned, pass_return, HOST_WITHOUT_NS, NULL},
	{FAULT_RING_RETURNS_ANOTHER, effect_another, pass_return, HOST_WITHOUT_NS, NULL},
	{0},
};
