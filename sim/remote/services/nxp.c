/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NXP's demo firmwares, both at the static address 30:
 *
 * nxp-pingpong	peer of imx_rpmsg_pingpong: a text greeting, which has no answer, then a u32 in the
 *		link's byte order that each side increments; from 100 on there is no answer
 * nxp-str-echo	peer of imx_rpmsg_tty: text comes back, in pieces of at most 256 bytes
 */
#include "remote/services/kinds.h"

#include <errno.h>

#define NXP_ADDR 30
#define PINGPONG_LAST 100
#define STR_ECHO_PIECE 256

static int pingpong_message(struct service *service, const struct rpmsg_hdr *hdr,
			    const uint8_t *payload, uint32_t size)
{
	enum wire_order order = service_order(service);
	uint8_t answer[4];
	uint32_t counter;

	if (size != sizeof(answer))
		return 0;
	counter = wire_get32(payload, order);
	if (counter >= PINGPONG_LAST)
		return 0;
	wire_put32(answer, counter + 1, order);
	return services_answer(service, hdr->src, answer, sizeof(answer));
}

static int str_echo_message(struct service *service, const struct rpmsg_hdr *hdr,
			    const uint8_t *payload, uint32_t size)
{
	for (uint32_t at = 0; at < size; at += STR_ECHO_PIECE) {
		uint32_t piece = size - at < STR_ECHO_PIECE ? size - at : STR_ECHO_PIECE;
		int ret = services_answer(service, hdr->src, payload + at, piece);

		if (ret != 0)
			return ret;
	}
	return 0;
}

const struct service_kind service_nxp_pingpong = {
	.name = "nxp-pingpong",
	.summary = "increments a counter up to 100, as NXP's demo does",
	.default_addr = NXP_ADDR,
	.message = pingpong_message,
};

const struct service_kind service_nxp_str_echo = {
	.name = "nxp-str-echo",
	.summary = "sends text back in pieces of 256 bytes, as NXP's demo does",
	.channels = {"rpmsg-virtual-tty-channel", "rpmsg-virtual-tty-channel-1"},
	.default_addr = NXP_ADDR,
	.message = str_echo_message,
};
