/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages out of the host: copied once, judged on the copy, handed to their service. */
#include "remote/remote_priv.h"

/* Copied at the first go: a whole message of the usual size, whatever its buffer's. */
#define FIRST_COPY RPMSG_BUF_SIZE

/* Endpoints that surely stay in the cache; and messages that are handled while one comes. */
#define FETCH_AHEAD_FROM 256
#define FETCH_DISTANCE 4

static void refuse(struct inbound *in, enum remote_drop drop)
{
	in->accepted = false;
	in->drop = drop;
}

/*
 * Bring a message into private memory. Every byte of guest memory is read once, so that what
 * the header said when it was checked is what is used.
 */
static inline void copy_in(struct remote *remote, struct inbound *in)
{
	struct virtq *vq = remote->queues[RPMSG_QUEUE_OUTPUT].vq;
	uint32_t readable = in->chain.readable;
	uint32_t first = readable < FIRST_COPY ? readable : FIRST_COPY;
	uint32_t whole;

	if (__builtin_expect(virtq_read_start(vq, &in->chain, remote->message, first) != first,
			     0)) {
		refuse(in, REMOTE_DROP_MEMORY);
		return;
	}
	if (__builtin_expect(rpmsg_hdr_decode(&in->hdr, remote->message, first, remote->order) != 0,
			     0)) {
		refuse(in, REMOTE_DROP_SHORT);
		return;
	}
	in->accepted = true;
	whole = RPMSG_HDR_SIZE + in->hdr.len;
	if (__builtin_expect(whole > readable, 0)) {
		refuse(in, REMOTE_DROP_LENGTH);
		whole = readable;
	}
	if (__builtin_expect(whole > first, 0) &&
	    virtq_read(vq, &in->chain, first, remote->message + first, whole - first) !=
		    whole - first) {
		refuse(in, REMOTE_DROP_MEMORY);
		whole = first;
	}
	in->payload = remote->message + RPMSG_HDR_SIZE;
	in->size = whole - RPMSG_HDR_SIZE;
}

static inline void deliver(struct remote *remote, struct inbound *in)
{
	struct service *service = endpoint_find(&remote->endpoints, in->hdr.dst);
	int ret = 0;

	if (__builtin_expect(service == NULL, 0)) {
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

/*
 * With many endpoints those of the next messages are not in the cache: have them brought there
 * while this one is handled. What is read for that is a hint, and read anew when it counts.
 */
static void fetch_ahead(struct remote *remote)
{
	const struct virtq *vq = remote->queues[RPMSG_QUEUE_OUTPUT].vq;
	const uint8_t *later = virtq_ahead(vq, 2 * FETCH_DISTANCE, RPMSG_HDR_SIZE);
	const uint8_t *soon = virtq_ahead(vq, FETCH_DISTANCE, RPMSG_HDR_SIZE);

	if (later != NULL)
		__builtin_prefetch(later);
	if (soon != NULL)
		endpoint_fetch(&remote->endpoints, wire_get32(soon + RPMSG_HDR_DST, remote->order));
}

bool receive_one(struct remote *remote)
{
	struct inbound in;

	if (virtq_pop(remote->queues[RPMSG_QUEUE_OUTPUT].vq, &in.chain) != 1)
		return false;
	if (remote->endpoints.count > FETCH_AHEAD_FROM)
		fetch_ahead(remote);
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
	if (__builtin_expect(remote->telling, 0))
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
