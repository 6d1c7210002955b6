/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NuttX' rpmsg-ping: u32 command, u32 length, u64 cookie, data, all in the link's byte order.
 * The length counts the whole message. A ping is answered with the same bytes and the command
 * ACK; one that wants no answer is taken silently; one that wants its data looked at has to
 * consist of the check byte. The cookie is the sender's own pointer and goes back untouched.
 */
#include "remote/services/kinds.h"

#include <errno.h>
#include <string.h>

#define PING_HDR_SIZE 16
#define PING_CHECK_BYTE 0xee

enum ping_command {
	PING_SEND = 1,
	PING_SEND_CHECK = 2,
	PING_SEND_NOACK = 3,
	PING_ACK = 4,
};

static bool is_check_pattern(const uint8_t *data, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++) {
		if (data[i] != PING_CHECK_BYTE)
			return false;
	}
	return true;
}

static int nuttx_ping_message(struct service *service, const struct rpmsg_hdr *hdr,
			      const uint8_t *payload, uint32_t size)
{
	enum wire_order order = service_order(service);
	uint8_t *answer = service_buffer(service);
	uint32_t command;

	if (size < PING_HDR_SIZE || wire_get32(payload + 4, order) > size)
		return -EMSGSIZE;
	command = wire_get32(payload, order);
	switch (command) {
	case PING_SEND_CHECK:
		if (!is_check_pattern(payload + PING_HDR_SIZE, size - PING_HDR_SIZE))
			return -EBADMSG;
		break;
	case PING_SEND:
		break;
	case PING_SEND_NOACK:
		return 0;
	default:
		return -EINVAL;
	}
	memcpy(answer, payload, size);
	wire_put32(answer, PING_ACK, order);
	return services_answer(service, hdr->src, answer, size);
}

const struct service_kind service_nuttx_ping = {
	.name = "nuttx-ping",
	.summary = "answers NuttX' rpmsg-ping",
	.channels = {"rpmsg-ping"},
	.message = nuttx_ping_message,
};
