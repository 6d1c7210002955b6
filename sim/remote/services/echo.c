/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/services/kinds.h"

static int echo_message(struct service *service, const struct rpmsg_hdr *hdr,
			const uint8_t *payload, uint32_t size)
{
	return services_answer(service, hdr->src, payload, size);
}

const struct service_kind service_echo = {
	.name = "echo",
	.summary = "sends each message back to where it came from",
	.message = echo_message,
};
