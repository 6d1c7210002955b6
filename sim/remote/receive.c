/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages out of the host: copied once, judged on the copy, handed to their service. */
#include "remote/remote_priv.h"

/* Copied at the first go: a whole message of the usual size, whatever its buffer's. */
#define FIRST_COPY RPMSG_BUF_SIZE

/* Endpoints that surely stay in the cache; and messages that are handled while one comes. */
#define FETCH_AHEAD_FROM 256
#define ENDPOINTS_AHEAD 8

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
	if (__builtin_expect(rpmsg_hdr_decode(&in->hdr, remote->message, first, remote->order) != 0,
			     0)) {
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

static inline int hand_to(struct remote *remote, struct service *service,
			  const struct rpmsg_hdr *hdr, const uint8_t *payload, uint32_t size)
{
	int ret = 0;

	remote->answered = false;
	if (hdr->src != service->peer && hdr->src != RPMSG_ADDR_ANY)
		service_set_peer(service, hdr->src);
	if (service->kind->message != NULL)
		ret = service->kind->message(service, hdr, payload, size);
	/* Whoever has answered a message cannot say any more that it refused it. */
	if (ret >= 0 || remote->answered) {
		service->received++;
		ret = 0;
	}
	service_returned(remote);
	return ret;
}

static void deliver(struct remote *remote, struct inbound *in)
{
	struct service *service = endpoint_find(&remote->endpoints, in->hdr.dst);

	if (service == NULL) {
		refuse(in, REMOTE_DROP_NO_ENDPOINT);
		if (in->hdr.dst == RPMSG_ADDR_NS)
			nameservice_receive(remote, in);
	} else if (hand_to(remote, service, &in->hdr, in->payload, in->size) < 0) {
		refuse(in, REMOTE_DROP_SERVICE);
	}
}

static __attribute__((noinline)) void report_received(struct remote *remote,
						      const struct inbound *in)
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
static __attribute__((noinline)) void fetch_ahead(struct remote *remote)
{
	const struct virtq *vq = remote->queues[RPMSG_QUEUE_OUTPUT].vq;
	uint16_t from = vq->last_avail;
	uint16_t end = (uint16_t)(from + ENDPOINTS_AHEAD);

	/* One for each message; several where the host has shown new ones. */
	if ((uint16_t)(remote->fetched - from) > ENDPOINTS_AHEAD)
		remote->fetched = from;
	for (; remote->fetched != end; remote->fetched++) {
		const uint8_t *soon =
			virtq_ahead(vq, (uint16_t)(remote->fetched - from), RPMSG_HDR_SIZE);

		if (soon == NULL)
			break;
		endpoint_fetch(&remote->endpoints, wire_get32(soon + RPMSG_HDR_DST, remote->order));
	}
}

static inline void give_back(struct remote *remote, uint16_t head, uint32_t readable)
{
	queue_return(remote, RPMSG_QUEUE_OUTPUT, head,
		     remote->profile->used_len == USED_LEN_WHOLE ? readable : 0);
}

/* Handle what was copied, and give its buffer back. */
static __attribute__((noinline)) void handle(struct remote *remote, struct inbound *in)
{
	checker_message(remote, in);
	if (fault_due(&remote->faults, FAULT_PLACE_RECEIVE) && fault_receive(remote, in)) {
		remote->current = NULL;
		remote->stats.dropped[in->drop]++;
		return;
	}
	remote->current = in;
	if (in->accepted)
		deliver(remote, in);
	receive_report(remote);
	remote->current = NULL;

	if (in->accepted)
		remote->stats.delivered++;
	else
		remote->stats.dropped[in->drop]++;
	give_back(remote, in->chain.head, in->chain.readable);
}

static __attribute__((noinline)) void receive_chain(struct remote *remote,
						    const struct virtq_chain *chain)
{
	struct inbound in = {.chain = *chain, .payload = remote->message};

	copy_in(remote, &in);
	handle(remote, &in);
}

/* The same of a piece of which the header was copied and what it says is in hdr. */
static __attribute__((noinline)) void handle_piece(struct remote *remote,
						   const struct virtq_piece *piece,
						   const struct rpmsg_hdr *hdr, uint32_t copied)
{
	struct inbound in = {
		.hdr = *hdr, .payload = remote->message + RPMSG_HDR_SIZE, .accepted = true};
	uint32_t whole = RPMSG_HDR_SIZE + hdr->len;

	virtq_piece_chain(remote->queues[RPMSG_QUEUE_OUTPUT].vq, piece, &in.chain);
	if (whole > piece->len) {
		refuse(&in, REMOTE_DROP_LENGTH);
		whole = piece->len;
	}
	if (whole > copied)
		virtq_piece_read(piece, copied, remote->message + copied, whole - copied);
	in.size = whole - RPMSG_HDR_SIZE;
	handle(remote, &in);
}

/* Would the checker have nothing to say of a header, and of the one buffer that it came in? */
static inline bool passes_check(const struct remote *remote, const struct rpmsg_hdr *hdr,
				uint32_t readable)
{
	uint32_t limit = remote->queues[RPMSG_QUEUE_OUTPUT].limit;

	return !remote->checking ||
	       (hdr->src != RPMSG_ADDR_ANY && hdr->dst != RPMSG_ADDR_ANY &&
		(hdr->reserved | hdr->flags) == 0 && (limit == 0 || readable <= limit));
}

/*
 * The shortest way, which nearly all messages take: of one piece and the usual size, with nothing
 * to find fault with, for an endpoint that is there, while nobody wants to be told of it. Whatever
 * else it is goes on as any message does, with what was read of it.
 */
static inline void receive_piece(struct remote *remote, const struct virtq_piece *piece)
{
	uint32_t first = piece->len < FIRST_COPY ? piece->len : FIRST_COPY;
	uint8_t *message = remote->message;
	struct service *service;
	struct rpmsg_hdr hdr;

	virtq_piece_read(piece, 0, message, first);
	rpmsg_hdr_decode(&hdr, message, RPMSG_HDR_SIZE, remote->order);
	service = endpoint_find(&remote->endpoints, hdr.dst);
	if (__builtin_expect(service == NULL || RPMSG_HDR_SIZE + (uint32_t)hdr.len > first ||
				     !passes_check(remote, &hdr, piece->len) || remote->telling ||
				     fault_near(&remote->faults, FAULT_PLACE_RECEIVE),
			     0)) {
		handle_piece(remote, piece, &hdr, first);
		return;
	}
	fault_due(&remote->faults, FAULT_PLACE_RECEIVE); /* not due, but passed */
	if (hand_to(remote, service, &hdr, message + RPMSG_HDR_SIZE, hdr.len) == 0)
		remote->stats.delivered++;
	else
		remote->stats.dropped[REMOTE_DROP_SERVICE]++;
	give_back(remote, piece->head, piece->len);
}

bool receive_one(struct remote *remote)
{
	struct virtq *vq = remote->queues[RPMSG_QUEUE_OUTPUT].vq;
	struct virtq_piece piece;
	struct virtq_chain chain;
	int ret = virtq_pop_piece(vq, &chain, &piece);

	if (ret <= 0)
		return false;
	if (remote->endpoints.count > FETCH_AHEAD_FROM)
		fetch_ahead(remote);
	remote->stats.queues[RPMSG_QUEUE_OUTPUT].popped++;
	remote->stats.received++;
	if (__builtin_expect(ret == VIRTQ_PIECE && !piece.writable && piece.len >= RPMSG_HDR_SIZE,
			     1)) {
		receive_piece(remote, &piece);
		return true;
	}
	if (ret == VIRTQ_PIECE)
		virtq_piece_chain(vq, &piece, &chain);
	receive_chain(remote, &chain);
	return true;
}
