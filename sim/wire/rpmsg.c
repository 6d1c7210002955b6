/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/rpmsg.h"

#include <errno.h>
#include <string.h>

/* Offsets in the name-service message; the name comes first. */
#define NS_ADDR 32
#define NS_FLAGS 36

int rpmsg_ns_decode(struct rpmsg_ns_msg *msg, const void *bytes, size_t size, enum wire_order order)
{
	const uint8_t *b = bytes;
	size_t name_len;

	if (size != RPMSG_NS_MSG_SIZE)
		return -EMSGSIZE;

	name_len = strnlen((const char *)b, RPMSG_NAME_SIZE);
	msg->name_terminated = name_len < RPMSG_NAME_SIZE;
	msg->name_padded = true;
	for (size_t i = name_len; i < RPMSG_NAME_SIZE; i++) {
		if (b[i] != 0)
			msg->name_padded = false;
	}

	memset(msg->name, 0, sizeof(msg->name));
	memcpy(msg->name, b, name_len);
	msg->addr = wire_get32(b + NS_ADDR, order);
	msg->flags = wire_get32(b + NS_FLAGS, order);
	return 0;
}

void rpmsg_ns_encode(const char *name, uint32_t addr, uint32_t flags, void *bytes,
		     enum wire_order order)
{
	uint8_t *b = bytes;

	memset(b, 0, RPMSG_NAME_SIZE);
	memcpy(b, name, strnlen(name, RPMSG_NAME_SIZE - 1));
	wire_put32(b + NS_ADDR, addr, order);
	wire_put32(b + NS_FLAGS, flags, order);
}
