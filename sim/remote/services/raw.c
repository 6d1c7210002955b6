/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Peers of Linux' character devices: "rpmsg-raw" as Zephyr's sample answers it, with the
 * sender's address in front, and "rpmsg_chrdev" as TI's firmwares do, with the same bytes.
 */
#include "remote/services/kinds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int raw_message(struct service *service, const struct rpmsg_hdr *hdr, const uint8_t *payload,
		       uint32_t size)
{
	uint8_t *answer = service_buffer(service);
	int prefix = snprintf((char *)answer, REMOTE_MAX_PAYLOAD, "from ept 0x%04x: ", hdr->src);

	if (size > REMOTE_MAX_PAYLOAD - (uint32_t)prefix)
		return -EMSGSIZE;
	memcpy(answer + prefix, payload, size);
	return services_answer(service, hdr->src, answer, (uint32_t)prefix + size);
}

static int chrdev_message(struct service *service, const struct rpmsg_hdr *hdr,
			  const uint8_t *payload, uint32_t size)
{
	return services_answer(service, hdr->src, payload, size);
}

const struct service_kind service_raw = {
	.name = "raw",
	.summary = "answers \"from ept 0xADDR: \" and the bytes, as Zephyr's sample does",
	.channels = {"rpmsg-raw"},
	.message = raw_message,
};

const struct service_kind service_chrdev = {
	.name = "chrdev",
	.summary = "sends each message back, as TI's firmwares do",
	.channels = {"rpmsg_chrdev"},
	.message = chrdev_message,
};
