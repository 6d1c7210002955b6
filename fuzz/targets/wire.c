/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The codec of message headers and name-service messages. The first byte chooses the byte
 * order; what follows is decoded as a header, and as an announcement.
 *
 * Oracle: what decodes encodes to the same bytes, as far as they have a meaning.
 */
#include <string.h>

#include "common/oracle.h"
#include "common/target.h"
#include "wire/rpmsg.h"

static void check_header(const uint8_t *data, size_t size, enum wire_order order)
{
	uint8_t again[RPMSG_HDR_SIZE];
	struct rpmsg_hdr hdr;
	int ret = rpmsg_hdr_decode(&hdr, data, size, order);

	ORACLE("wire-header-size", (ret == 0) == (size >= RPMSG_HDR_SIZE),
	       "%zu bytes decoded as a header: %d", size, ret);
	if (ret != 0)
		return;
	rpmsg_hdr_encode(&hdr, again, order);
	ORACLE("wire-header-identity", memcmp(again, data, sizeof(again)) == 0,
	       "a header changed when it was decoded and encoded");
}

static void check_name(const uint8_t *data, const struct rpmsg_ns_msg *msg)
{
	const uint8_t *end = memchr(data, 0, RPMSG_NAME_SIZE);
	size_t length = end != NULL ? (size_t)(end - data) : RPMSG_NAME_SIZE;
	bool padded = true;

	for (size_t i = length; i < RPMSG_NAME_SIZE; i++)
		padded = padded && data[i] == 0;
	ORACLE("wire-name-terminated", msg->name_terminated == (end != NULL),
	       "a name of %zu bytes is told to be %sterminated", length,
	       msg->name_terminated ? "" : "un");
	ORACLE("wire-name-length",
	       strlen(msg->name) == length && memcmp(msg->name, data, length) == 0,
	       "a name of %zu bytes was read as one of %zu", length, strlen(msg->name));
	ORACLE("wire-name-padding", end == NULL || msg->name_padded == padded,
	       "padding is told to be %szero", msg->name_padded ? "" : "not ");
}

static void check_announcement(const uint8_t *data, size_t size, enum wire_order order)
{
	uint8_t again[RPMSG_NS_MSG_SIZE];
	struct rpmsg_ns_msg msg;
	int ret = rpmsg_ns_decode(&msg, data, size, order);

	ORACLE("wire-ns-size", (ret == 0) == (size == RPMSG_NS_MSG_SIZE),
	       "%zu bytes decoded as an announcement: %d", size, ret);
	if (ret != 0)
		return;
	check_name(data, &msg);
	rpmsg_ns_encode(msg.name, msg.addr, msg.flags, again, order);
	/* The encoder terminates and pads a name, which may have changed it. */
	if (msg.name_terminated && msg.name_padded)
		ORACLE("wire-ns-identity", memcmp(again, data, sizeof(again)) == 0,
		       "an announcement changed when it was decoded and encoded");
	else
		ORACLE("wire-ns-numbers",
		       memcmp(again + RPMSG_NAME_SIZE, data + RPMSG_NAME_SIZE,
			      RPMSG_NS_MSG_SIZE - RPMSG_NAME_SIZE) == 0,
		       "address or flags changed when they were decoded and encoded");
}

static int run(const uint8_t *data, size_t size)
{
	enum wire_order order;

	if (size == 0)
		return -1;
	order = data[0] & 1 ? WIRE_BIG_ENDIAN : WIRE_LITTLE_ENDIAN;
	check_header(data + 1, size - 1, order);
	check_announcement(data + 1, size - 1, order);
	return 0;
}

const struct fuzz_target fuzz_target = {
	.name = "wire",
	.summary = "decoding and encoding of message headers and announcements",
	.run = run,
};
