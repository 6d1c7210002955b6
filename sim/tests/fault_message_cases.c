/* SPDX-License-Identifier: BSD-2-Clause */
/* What each fault of a message into the host makes of the echo of "fault". */
#include "fault_case.h"

#include <string.h>

#include "remote/profile.h"

#define DESCRIPTOR 512

/* The message on the wire: header fields, used length. */
struct broken {
	uint32_t src, dst, reserved;
	uint16_t len, flags;
	uint32_t used_len;
};

static void pass_message(void)
{
	case_echo();
}

static void expect_wire(uint32_t n, const struct broken *broken, enum wire_order order)
{
	uint8_t bytes[RPMSG_HDR_SIZE + SIZE];
	uint32_t head = wire_avail(&case_host, INPUT, n);

	wire_put32(bytes, broken->src, order);
	wire_put32(bytes + 4, broken->dst, order);
	wire_put32(bytes + 8, broken->reserved, order);
	wire_put16(bytes + 12, broken->len, order);
	wire_put16(bytes + 14, broken->flags, order);
	memcpy(bytes + RPMSG_HDR_SIZE, PAYLOAD, SIZE);
	wire_expect_bytes(&case_host, INPUT, head, bytes, sizeof(bytes));
	wire_expect_used(&case_host, INPUT, n, head, broken->used_len);
}

static const struct broken sound = {
	.src = ECHO_ADDR,
	.dst = HOST_ADDR,
	.len = SIZE,
	.used_len = RPMSG_HDR_SIZE + SIZE,
};

/* Two echoes with the fault, one without: bytes, used length and events of each. */
static void effect(const struct fault_case *c)
{
	const struct broken *broken = c->data;

	host_attach(&case_host, HOST_WITHOUT_NS);
	case_set(c->fault, 2, 0);
	for (uint32_t i = 0; i < 3; i++)
		case_echo();
	expect_wire(0, broken, WIRE_LITTLE_ENDIAN);
	expect_wire(1, broken, WIRE_LITTLE_ENDIAN);
	expect_wire(2, &sound, WIRE_LITTLE_ENDIAN);
	assert_int_equal(wire_used_idx(&case_host, INPUT), 3);
	assert_int_equal(wire_used_idx(&case_host, OUTPUT), 3);
	for (uint32_t i = 0; i < 2; i++)
		case_expect_event(i, c->fault, INPUT, wire_avail(&case_host, INPUT, i));
	assert_int_equal(case_fired(c->fault), 2);
}

/* Announcements are sent as ever. */
static void effect_and_announcement(const struct fault_case *c)
{
	case_set(c->fault, 0, 0);
	host_attach(&case_host, HOST_FEATURES);
	host_run(&case_host);
	host_expect_ns(&case_host, "echo", ECHO_ADDR, RPMSG_NS_CREATE);
	case_clear(c->fault);
	host_detach(&case_host);
	memset(case_host.memory, 0xee, case_host.mem.regions[0].size);
	effect(c);
}

static void effect_of_order(const struct fault_case *c)
{
	uint8_t ns[RPMSG_HDR_SIZE + RPMSG_NS_MSG_SIZE] = {0,  0, 4, 0, 0, 0, 0,
							  53, 0, 0, 0, 0, 0, 40};

	strcpy((char *)ns + RPMSG_HDR_SIZE, "echo");
	ns[RPMSG_HDR_SIZE + 34] = 4; /* 1024 */
	case_set(c->fault, 2, 0);
	host_attach(&case_host, HOST_FEATURES);
	host_run(&case_host);
	wire_expect_bytes(&case_host, INPUT, wire_avail(&case_host, INPUT, 0), ns, sizeof(ns));
	wire_expect_used(&case_host, INPUT, 0, wire_avail(&case_host, INPUT, 0), sizeof(ns));
	case_echo();
	case_echo();
	expect_wire(1, &sound, WIRE_BIG_ENDIAN);
	expect_wire(2, &sound, WIRE_LITTLE_ENDIAN);
	case_expect_event(1, c->fault, INPUT, wire_avail(&case_host, INPUT, 1));
}

#define HDR(symbol, ...)                                                                           \
	{                                                                                          \
		FAULT_##symbol, effect_and_announcement, pass_message, HOST_WITHOUT_NS,            \
			&(const struct broken)                                                     \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define USED(symbol, length) HDR(symbol, ECHO_ADDR, HOST_ADDR, 0, SIZE, 0, length)

const struct fault_case message_cases[] = {
	/*                            source      destination reserved    len    flags   used */
	HDR(HDR_LEN_ABOVE_DESCRIPTOR, ECHO_ADDR, HOST_ADDR, 0, DESCRIPTOR - 16 + 1, 0, DESCRIPTOR),
	HDR(HDR_LEN_ABOVE_USED, ECHO_ADDR, HOST_ADDR, 0, SIZE + 1, 0, 21),
	HDR(HDR_LEN_ABOVE_BUFFER, ECHO_ADDR, HOST_ADDR, 0, 65535, 0, 21),
	HDR(HDR_LEN_BELOW_PAYLOAD, ECHO_ADDR, HOST_ADDR, 0, SIZE - 1, 0, 21),
	HDR(HDR_RESERVED, ECHO_ADDR, HOST_ADDR, 0xa5a5a5a5, SIZE, 0, 21),
	HDR(HDR_FLAGS, ECHO_ADDR, HOST_ADDR, 0, SIZE, 0xa5a5, 21),
	HDR(HDR_SRC_ANY, 0xffffffff, HOST_ADDR, 0, SIZE, 0, 21),
	HDR(HDR_SRC_NS, 53, HOST_ADDR, 0, SIZE, 0, 21),
	HDR(HDR_SRC_UNBOUND, 0x3fffff00, HOST_ADDR, 0, SIZE, 0, 21),
	HDR(HDR_SRC_OWN, HOST_ADDR, HOST_ADDR, 0, SIZE, 0, 21),
	HDR(HDR_DST_ANY, ECHO_ADDR, 0xffffffff, 0, SIZE, 0, 21),
	HDR(HDR_DST_NS, ECHO_ADDR, 53, 0, SIZE, 0, 21),
	HDR(HDR_DST_UNBOUND, ECHO_ADDR, 0x3fffff01, 0, SIZE, 0, 21),
	HDR(HDR_DST_OWN, ECHO_ADDR, ECHO_ADDR, 0, SIZE, 0, 21),
	{FAULT_ORDER_BIG_ENDIAN, effect_of_order, pass_message, HOST_WITHOUT_NS, NULL},
	USED(USED_LEN_0, 0),
	USED(USED_LEN_8, 8),
	USED(USED_LEN_15, 15),
	USED(USED_LEN_16, 16),
	USED(USED_LEN_513, 513),
	USED(USED_LEN_65535, 65535),
	USED(USED_LEN_0XFFFFFFFF, 0xffffffff),
	USED(USED_LEN_ABOVE_DESCRIPTOR, DESCRIPTOR + 1),
	{0},
};
