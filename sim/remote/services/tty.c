/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Terminals over rpmsg: raw bytes, no framing. Linux drivers/tty/rpmsg_tty.c binds to
 * "rpmsg-tty", older vendor kernels to "rpmsg-tty-channel". A plain terminal sends each byte
 * back; Zephyr's sample answers with "TTY n: " and the bytes, n being the number of the
 * terminal, which here is how many dynamic addresses it lies above the first.
 */
#include "remote/services/kinds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int tty_message(struct service *service, const struct rpmsg_hdr *hdr, const uint8_t *payload,
		       uint32_t size)
{
	return services_answer(service, hdr->src, payload, size);
}

static int tty_zephyr_message(struct service *service, const struct rpmsg_hdr *hdr,
			      const uint8_t *payload, uint32_t size)
{
	uint8_t *answer = service_buffer(service);
	uint32_t addr = service_addr(service);
	unsigned int number = addr < RPMSG_ADDR_FIRST_DYNAMIC ? 0 : addr - RPMSG_ADDR_FIRST_DYNAMIC;
	int prefix = snprintf((char *)answer, REMOTE_MAX_PAYLOAD, "TTY %u: ", number);

	if (size > REMOTE_MAX_PAYLOAD - (uint32_t)prefix)
		return -EMSGSIZE;
	memcpy(answer + prefix, payload, size);
	return services_answer(service, hdr->src, answer, (uint32_t)prefix + size);
}

const struct service_kind service_tty = {
	.name = "tty",
	.summary = "a terminal that sends each byte back",
	.channels = {"rpmsg-tty", "rpmsg-tty-channel"},
	.message = tty_message,
};

const struct service_kind service_tty_zephyr = {
	.name = "tty-zephyr",
	.summary = "a terminal that answers \"TTY n: \" and the bytes, as Zephyr's sample does",
	.message = tty_zephyr_message,
};
