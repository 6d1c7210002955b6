/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/services/kinds.h"

#include <errno.h>

/* An answer that no buffer of the host can hold is given up, and counted there. */
static int echo_message(struct service *service, const struct rpmsg_hdr *hdr,
			const uint8_t *payload, uint32_t size)
{
	int ret = service_send(service, hdr->src, payload, size);

	return ret == -EDESTADDRREQ ? ret : 0;
}

const struct service_kind service_echo = {
	.name = "echo",
	.summary = "sends each message back to where it came from",
	.message = echo_message,
};
