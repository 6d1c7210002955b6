/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rpmsg message header and the name-service message: bytes <-> structs.
 *
 * There is no normative text; sources are Linux drivers/rpmsg/virtio_rpmsg_bus.c (header),
 * include/linux/rpmsg/ns.h (name service), include/linux/rpmsg/byteorder.h.
 */
#ifndef WIRE_RPMSG_H
#define WIRE_RPMSG_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/bytes.h"

#define RPMSG_DEVICE_ID 7 /* VIRTIO 1.2, section 5 (device types) */

#define RPMSG_QUEUE_INPUT 0  /* remote -> host; the host's receive queue */
#define RPMSG_QUEUE_OUTPUT 1 /* host -> remote; the host's send queue */
#define RPMSG_NUM_QUEUES 2

#define RPMSG_HDR_SIZE 16
#define RPMSG_BUF_SIZE 512
#define RPMSG_MAX_PAYLOAD (RPMSG_BUF_SIZE - RPMSG_HDR_SIZE)

#define RPMSG_ADDR_ANY 0xffffffffU
#define RPMSG_ADDR_NS 53U
#define RPMSG_ADDR_FIRST_DYNAMIC 1024U

#define RPMSG_NAME_SIZE 32 /* NUL included */
#define RPMSG_NS_MSG_SIZE 40

#define RPMSG_NS_CREATE 0U
#define RPMSG_NS_DESTROY 1U

#define RPMSG_F_NS 0 /* feature bit number */

/* Where the fields of a header are; golden messages tell whether that is right. */
enum rpmsg_hdr_offset {
	RPMSG_HDR_SRC = 0,
	RPMSG_HDR_DST = 4,
	RPMSG_HDR_RESERVED = 8,
	RPMSG_HDR_LEN = 12,
	RPMSG_HDR_FLAGS = 14,
};

struct rpmsg_hdr {
	uint32_t src;
	uint32_t dst;
	uint32_t reserved;
	uint16_t len; /* payload bytes, header not counted */
	uint16_t flags;
};

struct rpmsg_ns_msg {
	char name[RPMSG_NAME_SIZE + 1]; /* always terminated here, whatever the wire said */
	bool name_terminated;		/* a NUL stood within the 32 bytes on the wire */
	bool name_padded;		/* all bytes after the first NUL were zero */
	uint32_t addr;
	uint32_t flags;
};

/**
 * rpmsg_order() - byte order of headers and name-service messages on a link
 * @version_1: VIRTIO_F_VERSION_1 was negotiated
 *
 * Source: Linux include/linux/rpmsg/byteorder.h; HD-002.
 *
 * Return: little-endian on a modern link, the machine's own order on a legacy one.
 */
static inline enum wire_order rpmsg_order(bool version_1)
{
	return version_1 ? WIRE_LITTLE_ENDIAN : WIRE_NATIVE_ENDIAN;
}

/**
 * rpmsg_hdr_decode() - read a message header
 * @hdr: result
 * @bytes: private copy of the message's first bytes
 * @size: how many bytes there are
 * @order: byte order of the link
 *
 * Only the size of the header itself is checked; what the fields say is the caller's to judge.
 *
 * Return: 0, or -EMSGSIZE when @size is below RPMSG_HDR_SIZE.
 */
static inline int rpmsg_hdr_decode(struct rpmsg_hdr *hdr, const void *bytes, size_t size,
				   enum wire_order order)
{
	const uint8_t *b = bytes;

	if (size < RPMSG_HDR_SIZE)
		return -EMSGSIZE;

	hdr->src = wire_get32(b + RPMSG_HDR_SRC, order);
	hdr->dst = wire_get32(b + RPMSG_HDR_DST, order);
	hdr->reserved = wire_get32(b + RPMSG_HDR_RESERVED, order);
	hdr->len = wire_get16(b + RPMSG_HDR_LEN, order);
	hdr->flags = wire_get16(b + RPMSG_HDR_FLAGS, order);
	return 0;
}

/**
 * rpmsg_hdr_encode() - write a message header
 * @hdr: any values, none is judged
 * @bytes: room for RPMSG_HDR_SIZE bytes
 * @order: byte order of the link
 */
static inline void rpmsg_hdr_encode(const struct rpmsg_hdr *hdr, void *bytes, enum wire_order order)
{
	uint8_t *b = bytes;

	wire_put32(b + RPMSG_HDR_SRC, hdr->src, order);
	wire_put32(b + RPMSG_HDR_DST, hdr->dst, order);
	wire_put32(b + RPMSG_HDR_RESERVED, hdr->reserved, order);
	wire_put16(b + RPMSG_HDR_LEN, hdr->len, order);
	wire_put16(b + RPMSG_HDR_FLAGS, hdr->flags, order);
}

/**
 * rpmsg_ns_decode() - read a name-service message
 * @msg: result; the name is terminated and the two name_ flags tell what the wire held
 * @bytes: private copy of the payload
 * @size: payload bytes
 * @order: byte order of the link
 *
 * Source: Linux drivers/rpmsg/rpmsg_ns.c, rpmsg_ns_cb().
 *
 * Return: 0, or -EMSGSIZE when @size is not exactly RPMSG_NS_MSG_SIZE.
 */
int rpmsg_ns_decode(struct rpmsg_ns_msg *msg, const void *bytes, size_t size,
		    enum wire_order order);

/**
 * rpmsg_ns_encode() - write a name-service message
 * @name: at most 31 characters are used; the rest of the field is zero
 * @addr: the announcing side's endpoint
 * @flags: RPMSG_NS_CREATE, RPMSG_NS_DESTROY, or any other value for a test
 * @bytes: room for RPMSG_NS_MSG_SIZE bytes
 * @order: byte order of the link
 */
void rpmsg_ns_encode(const char *name, uint32_t addr, uint32_t flags, void *bytes,
		     enum wire_order order);

#endif /* WIRE_RPMSG_H */
