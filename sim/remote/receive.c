/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages out of the host: copied once, judged on the copy, handed to their service. */
#include "remote/remote_priv.h"

/* Copied at the first go: a whole message of the usual size, whatever its buffer's. */
#define FIRST_COPY RPMSG_BUF_SIZE

static void refuse(struct inbound *in, enum remote_drop drop)
{
	in->accepted = false;
	in->drop = drop;
}

/*
 * Bring a message into private memory. Every byte of guest memory is read once, so that what
 * the header said when it was checked is what is used.
 */
static void copy_in(struct remote *remote, struct inbound *in)
{
	struct virtq *vq = remote->queues[RPMSG_QUEUE_OUTPUT].vq;
	uint32_t readable = in->chain.readable;
	uint32_t first = readable < FIRST_COPY ? readable : FIRST_COPY;
	uint32_t whole;

	if (virtq_read(vq, &in->chain, 0, remote->message, first) != first) {
		refuse(in, REMOTE_DROP_MEMORY);
		return;
	}
	if (rpmsg_hdr_decode(&in->hdr, remote->message, first, remote->order) != 0) {
		refuse(in, REMOTE_DROP_SHORT);
		return;
	}
	in->accepted = true;
	whole = RPMSG_HDR_SIZE + in->hdr.len;
	if (whole > readable) {
		refuse(in, REMOTE_DROP_LENGTH);
		whole = readable;
	}
	if (whole > first && virtq_read(vq, &in->chain, first, remote->message + first,
					whole - first) != whole - first) {
		refuse(in, REMOTE_DROP_MEMORY);
		whole = first;
	}
	in->payload = remote->message + RPMSG_HDR_SIZE;
	in->size = whole - RPMSG_HDR_SIZE;
}

static void deliver(struct remote *remote, struct inbound *in)
{
	struct service *service = endpoint_find(&remote->endpoints, in->hdr.dst);
	int ret = 0;

	if (service == NULL) {
		refuse(in, REMOTE_DROP_NO_ENDPOINT);
		if (in->hdr.dst == RPMSG_ADDR_NS)
			nameservice_receive(remote, in);
		return;
	}

	if (in->hdr.src != service->peer && in->hdr.src != RPMSG_ADDR_ANY)
		service_set_peer(service, in->hdr.src);
	if (service->kind->message != NULL)
		ret = service->kind->message(service, &in->hdr, in->payload, in->size);
	/* Whoever has answered a message cannot say any more that it refused it. */
	if (ret < 0 && !in->answered)
		refuse(in, REMOTE_DROP_SERVICE);
	else
		service->received++;
	service_returned(remote);
}

static REMOTE_COLD void report_received(struct remote *remote, const struct inbound *in)
{
	struct remote_event event = {
		.type = REMOTE_EVENT_MESSAGE,
		.queue = RPMSG_QUEUE_OUTPUT,
		.hdr = in->hdr,
		.header = in->payload == remote->message ? NULL : remote->message,
		.payload = in->payload,
		.payload_size = in->size,
		.desc_id = in->chain.head,
		.desc_len = in->chain.readable,
		.desc_count = in->chain.desc_count,
		.readable = in->chain.readable,
		.writable = in->chain.writable,
		.indirect = in->chain.indirect,
		.delivered = in->accepted,
		.drop = in->drop,
	};
	remote->ops->event(remote->ctx, &event);
}

void receive_report(struct remote *remote)
{
	struct inbound *in = remote->current;

	if (in == NULL || in->reported)
		return;
	in->reported = true;
	if (remote->telling)
		report_received(remote, in);
}

bool receive_one(struct remote *remote)
{
	struct inbound in;

	if (virtq_pop(remote->queues[RPMSG_QUEUE_OUTPUT].vq, &in.chain) != 1)
		return false;
	in.hdr = (struct rpmsg_hdr){0};
	in.payload = remote->message;
	in.size = 0;
	in.accepted = false;
	in.answered = false;
	in.reported = false;
	in.drop = REMOTE_DROP_SHORT;
	remote->stats.queues[RPMSG_QUEUE_OUTPUT].popped++;
	remote->stats.received++;

	copy_in(remote, &in);
	checker_message(remote, &in);
	if (fault_due(&remote->faults, FAULT_PLACE_RECEIVE) && fault_receive(remote, &in)) {
		remote->current = NULL;
		remote->stats.dropped[in.drop]++;
		return true;
	}
	remote->current = &in;
	if (in.accepted)
		deliver(remote, &in);
	receive_report(remote);
	remote->current = NULL;

	if (in.accepted)
		remote->stats.delivered++;
	else
		remote->stats.dropped[in.drop]++;
	queue_return(remote, RPMSG_QUEUE_OUTPUT, in.chain.head,
		     remote->profile->used_len == USED_LEN_WHOLE ? in.chain.readable : 0);
	return true;
}
