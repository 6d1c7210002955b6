/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/rpmsg.h"

#include <errno.h>
#include <string.h>

/* Offsets in the message header. */
#define HDR_SRC 0
#define HDR_DST 4
#define HDR_RESERVED 8
#define HDR_LEN 12
#define HDR_FLAGS 14

/* Offsets in the name-service message; the name comes first. */
#define NS_ADDR 32
#define NS_FLAGS 36

int rpmsg_hdr_decode(struct rpmsg_hdr *hdr, const void *bytes, size_t size, enum wire_order order)
{
	const uint8_t *b = bytes;

	if (size < RPMSG_HDR_SIZE)
		return -EMSGSIZE;

	hdr->src = wire_get32(b + HDR_SRC, order);
	hdr->dst = wire_get32(b + HDR_DST, order);
	hdr->reserved = wire_get32(b + HDR_RESERVED, order);
	hdr->len = wire_get16(b + HDR_LEN, order);
	hdr->flags = wire_get16(b + HDR_FLAGS, order);
	return 0;
}

void rpmsg_hdr_encode(const struct rpmsg_hdr *hdr, void *bytes, enum wire_order order)
{
	uint8_t *b = bytes;

	wire_put32(b + HDR_SRC, hdr->src, order);
	wire_put32(b + HDR_DST, hdr->dst, order);
	wire_put32(b + HDR_RESERVED, hdr->reserved, order);
	wire_put16(b + HDR_LEN, hdr->len, order);
	wire_put16(b + HDR_FLAGS, hdr->flags, order);
}

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
