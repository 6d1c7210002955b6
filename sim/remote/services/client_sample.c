/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Peer of the kernel's sample driver, Linux samples/rpmsg/rpmsg_client_sample.c, which sends
 * "hello world!" and answers each answer until it has had 100 of them. The firmware side
 * destroys its endpoint then.
 */
#include "remote/services/kinds.h"

#define SAMPLE_MESSAGES 100

struct client_sample {
	uint32_t answered;
};

static int client_sample_message(struct service *service, const struct rpmsg_hdr *hdr,
				 const uint8_t *payload, uint32_t size)
{
	struct client_sample *sample = service_state(service);
	int ret = services_answer(service, hdr->src, payload, size);

	if (ret != 0)
		return ret;
	if (++sample->answered == SAMPLE_MESSAGES)
		service_retire(service);
	return 0;
}

static void client_sample_detached(struct service *service)
{
	struct client_sample *sample = service_state(service);

	sample->answered = 0;
}

const struct service_kind service_client_sample = {
	.name = "client-sample",
	.channels = {"rpmsg-client-sample"},
	.summary = "answers 100 messages as the firmware of Linux' sample driver does, then leaves",
	.state_size = sizeof(struct client_sample),
	.message = client_sample_message,
	.detached = client_sample_detached,
};
