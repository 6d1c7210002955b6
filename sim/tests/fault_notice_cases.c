/* SPDX-License-Identifier: BSD-2-Clause */
/* What each fault of the name service makes of the announcement of "echo" at 1024. */
#include "fault_case.h"

#include <stdio.h>
#include <string.h>

#define X28                                                                                        \
	'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x',  \
		'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x'
#define A27                                                                                        \
	0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5,  \
		0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5
#define FF8 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff

/* Name, address and flags as they stand in the message; its size. */
struct notice {
	uint8_t name[RPMSG_NAME_SIZE];
	uint8_t addr[4], flags[4];
	uint32_t size;
};

/* Announce another service, from whose announcement nothing else follows. */
static void pass_notice(void)
{
	static unsigned int number;
	char name[RPMSG_NAME_SIZE];

	snprintf(name, sizeof(name), "other%u", number++);
	host_service(&case_host, name, "sink", RPMSG_ADDR_ANY);
	host_run(&case_host);
}

static uint32_t put_notice(uint8_t *bytes, const struct notice *notice)
{
	memset(bytes, 0, RPMSG_HDR_SIZE + 496);
	host_header(&case_host, bytes, ECHO_ADDR, RPMSG_ADDR_NS, (uint16_t)notice->size);
	memcpy(bytes + RPMSG_HDR_SIZE, notice->name, RPMSG_NAME_SIZE);
	memcpy(bytes + RPMSG_HDR_SIZE + 32, notice->addr, 4);
	memcpy(bytes + RPMSG_HDR_SIZE + 36, notice->flags, 4);
	return RPMSG_HDR_SIZE + notice->size;
}

static const struct notice sound = {"echo", {0, 4}, {0}, RPMSG_NS_MSG_SIZE};

static void expect_notice(uint32_t n, const struct notice *notice)
{
	uint32_t head = wire_avail(&case_host, INPUT, n);
	uint8_t bytes[RPMSG_HDR_SIZE + 496];
	uint32_t size = put_notice(bytes, notice);

	wire_expect_bytes(&case_host, INPUT, head, bytes, size);
	wire_expect_used(&case_host, INPUT, n, head, size);
}

static void effect(const struct fault_case *c)
{
	uint8_t payload[RPMSG_HDR_SIZE + SIZE];
	uint32_t head;

	case_set(c->fault, 1, 0);
	host_attach(&case_host, HOST_FEATURES);
	host_run(&case_host);
	expect_notice(0, c->data);
	case_expect_event(0, c->fault, INPUT, wire_avail(&case_host, INPUT, 0));

	/* Messages are as they were, and so is the announcement to the next host. */
	case_set(c->fault, 0, 0);
	case_echo();
	head = wire_avail(&case_host, INPUT, 1);
	host_header(&case_host, payload, ECHO_ADDR, HOST_ADDR, SIZE);
	memcpy(payload + RPMSG_HDR_SIZE, PAYLOAD, SIZE);
	wire_expect_bytes(&case_host, INPUT, head, payload, sizeof(payload));
	wire_expect_used(&case_host, INPUT, 1, head, sizeof(payload));
	host_detach(&case_host);
	case_clear(c->fault);
	memset(case_host.memory, 0xee, case_host.mem.regions[0].size);
	host_attach(&case_host, HOST_FEATURES);
	host_run(&case_host);
	expect_notice(0, &sound);
	assert_int_equal(case_fired(c->fault), 1);
}

/* ---- flow --------------------------------------------------------------------------------- */

/* What follows the announcement, the same at once when set while a host is there. */
static void effect_of_following(const struct fault_case *c)
{
	case_set(c->fault, 1, 0);
	host_attach(&case_host, HOST_FEATURES);
	host_run(&case_host);
	expect_notice(0, &sound);
	expect_notice(1, c->data);
	assert_int_equal(wire_used_idx(&case_host, INPUT), 2);
	case_expect_event(0, c->fault, INPUT, REMOTE_NO_DESC);

	case_set(c->fault, 1, 0);
	host_run(&case_host);
	expect_notice(2, c->data);
	assert_int_equal(wire_used_idx(&case_host, INPUT), 3);
	assert_int_equal(case_fired(c->fault), 2);

	host_detach(&case_host);
	memset(case_host.memory, 0xee, case_host.mem.regions[0].size);
	host_attach(&case_host, HOST_FEATURES);
	host_run(&case_host);
	expect_notice(0, &sound);
	assert_int_equal(wire_used_idx(&case_host, INPUT), 1);
}

static void expect_flood(uint32_t number)
{
	char name[RPMSG_NAME_SIZE];

	snprintf(name, sizeof(name), "flood-%u", number);
	host_expect_ns(&case_host, name, 0x10000 + number, RPMSG_NS_CREATE);
}

/* As buffers come, each a channel of its own. */
static void effect_of_flood(const struct fault_case *c)
{
	case_set_argument(c->fault, 1, 40);
	host_attach(&case_host, HOST_FEATURES);
	host_run(&case_host);
	host_expect_ns(&case_host, "echo", ECHO_ADDR, RPMSG_NS_CREATE);
	for (uint32_t i = 0; i < 15; i++)
		expect_flood(i);
	host_expect_nothing(&case_host);
	for (uint32_t i = 15; i < 40; i++) {
		host_supply(&case_host, 1);
		host_run(&case_host);
		expect_flood(i);
	}
	host_supply(&case_host, UINT32_MAX);
	host_run(&case_host);
	host_expect_nothing(&case_host);
	assert_int_equal(case_fired(c->fault), 1);
}

/* Queue 0 runs, the driver has not said that it is ready. */
static void start_early(uint64_t features)
{
	struct virtq_rings rings;

	host_attach(&case_host, features);
	/* The fixture starts both rings with a host; here is one before. */
	rings = case_host.vq[INPUT].rings;
	remote_detach(case_host.remote);
	memset(rings.used, 0, vring_used_bytes(case_host.options.num[INPUT]));
	virtq_stop(&case_host.vq[INPUT]);
	assert_int_equal(virtq_start(&case_host.vq[INPUT], &case_host.mem,
				     case_host.options.num[INPUT], &rings, 0, features),
			 0);
	remote_queue_ready(case_host.remote, &case_host.vq[INPUT], features);
}

static void pass_early(void)
{
	host_detach(&case_host);
	start_early(HOST_FEATURES);
}

static void become_ready(void)
{
	assert_int_equal(remote_attach(case_host.remote, &case_host.vq[INPUT],
				       &case_host.vq[OUTPUT], HOST_FEATURES),
			 0);
	host_run(&case_host);
}

static void effect_of_early(const struct fault_case *c)
{
	case_set(c->fault, 1, 0);
	start_early(HOST_FEATURES);
	expect_notice(0, &sound);
	assert_int_equal(wire_used_idx(&case_host, INPUT), 1);
	assert_int_equal(case_host.calls[INPUT], 1);
	case_expect_event(0, c->fault, INPUT, REMOTE_NO_DESC);
	/* Once is enough: it is announced already. */
	become_ready();
	assert_int_equal(wire_used_idx(&case_host, INPUT), 1);
	assert_true(host_endpoint(&case_host, ECHO_ADDR).announced);
	host_detach(&case_host);

	start_early(HOST_FEATURES);
	assert_int_equal(wire_used_idx(&case_host, INPUT), 0);
	become_ready();
	assert_int_equal(wire_used_idx(&case_host, INPUT), 1);
}

static void pass_unasked(void)
{
	pass_notice();
}

static void effect_of_unasked(const struct fault_case *c)
{
	case_set(c->fault, 1, 0);
	host_attach(&case_host, HOST_WITHOUT_NS);
	host_run(&case_host);
	expect_notice(0, &sound);
	assert_int_equal(wire_used_idx(&case_host, INPUT), 1);
	case_expect_event(0, c->fault, INPUT, REMOTE_NO_DESC);
	pass_notice();
	assert_int_equal(wire_used_idx(&case_host, INPUT), 1);
}

#define NOTICE(symbol, ...)                                                                        \
	{                                                                                          \
		FAULT_##symbol, effect, pass_notice, HOST_FEATURES, &(const struct notice)         \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define FOLLOW(symbol, ...)                                                                        \
	{                                                                                          \
		FAULT_##symbol, effect_of_following, pass_notice, HOST_FEATURES,                   \
			&(const struct notice)                                                     \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

const struct fault_case notice_cases[] = {
	/* name, address, flags, bytes */
	NOTICE(NS_LEN_0, "echo", {0, 4}, {0}, 0),
	NOTICE(NS_LEN_1, "echo", {0, 4}, {0}, 1),
	NOTICE(NS_LEN_39, "echo", {0, 4}, {0}, 39),
	NOTICE(NS_LEN_41, "echo", {0, 4}, {0}, 41),
	NOTICE(NS_LEN_496, "echo", {0, 4}, {0}, 496),
	NOTICE(NS_NAME_UNTERMINATED, {'e', 'c', 'h', 'o', X28}, {0, 4}, {0}, 40),
	NOTICE(NS_NAME_EMPTY, "", {0, 4}, {0}, 40),
	NOTICE(NS_NAME_FF, {FF8, FF8, FF8, FF8}, {0, 4}, {0}, 40),
	NOTICE(NS_NAME_NOT_UTF8, {0xc3, '(', 'h', 'o'}, {0, 4}, {0}, 40),
	NOTICE(NS_NAME_DIRTY, {'e', 'c', 'h', 'o', 0, A27}, {0, 4}, {0}, 40),
	NOTICE(NS_ADDR_ANY, "echo", {0xff, 0xff, 0xff, 0xff}, {0}, 40),
	NOTICE(NS_ADDR_0, "echo", {0}, {0}, 40),
	NOTICE(NS_ADDR_53, "echo", {53}, {0}, 40),
	NOTICE(NS_ADDR_0X7FFFFFFF, "echo", {0xff, 0xff, 0xff, 0x7f}, {0}, 40),
	NOTICE(NS_ADDR_0X80000000, "echo", {0, 0, 0, 0x80}, {0}, 40),
	NOTICE(NS_FLAGS_UNKNOWN, "echo", {0, 4}, {0xfc, 0xff, 0xff, 0xff}, 40),
	NOTICE(NS_FLAGS_ACK, "echo", {0, 4}, {2}, 40),
	FOLLOW(NS_DUPLICATE, "echo", {0, 4}, {0}, 40),
	FOLLOW(NS_DESTROY_UNKNOWN, "no-such-channel", {0x02, 0xff, 0xff, 0x3f}, {1}, 40),
	FOLLOW(NS_DESTROY_RPMSG_NS, "rpmsg_ns", {53}, {1}, 40),
	FOLLOW(NS_DESTROY_RPMSG_CTRL, "rpmsg_ctrl", {0}, {1}, 40),
	FOLLOW(NS_DESTROY_ANY, "echo", {0xff, 0xff, 0xff, 0xff}, {1}, 40),
	{FAULT_NS_FLOOD, effect_of_flood, pass_notice, HOST_FEATURES, NULL},
	{FAULT_NS_BEFORE_DRIVER_OK, effect_of_early, pass_early, HOST_FEATURES, NULL},
	{FAULT_NS_WITHOUT_FEATURE, effect_of_unasked, pass_unasked, HOST_WITHOUT_NS, NULL},
	{0},
};
