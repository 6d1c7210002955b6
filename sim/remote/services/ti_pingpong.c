/* SPDX-License-Identifier: BSD-2-Clause */
/* TI's "ti.ipc4.ping-pong" at the static address 13: each message comes back. */
#include "remote/services/kinds.h"

#define TI_PINGPONG_ADDR 13

static int ti_pingpong_message(struct service *service, const struct rpmsg_hdr *hdr,
			       const uint8_t *payload, uint32_t size)
{
	return services_answer(service, hdr->src, payload, size);
}

const struct service_kind service_ti_pingpong = {
	.name = "ti-pingpong",
	.summary = "sends each message back, as TI's ping-pong firmware does",
	.channels = {"ti.ipc4.ping-pong"},
	.default_addr = TI_PINGPONG_ADDR,
	.message = ti_pingpong_message,
};
