/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages into the host: at once when it has supplied a buffer, else once it has. */
#include "remote/remote_priv.h"

#include <errno.h>
#include <string.h>

#include "remote/numbered.h"

/* What a service sends. */
#define OUTGOING(service_, dst_, payload_, size_)                                                  \
	{                                                                                          \
		.hdr = {.src = (service_)->addr, .dst = (dst_), .len = (uint16_t)(size_)},         \
		.payload = (payload_),                                                             \
		.size = (size_),                                                                   \
		.service = (service_),                                                             \
	}

static __attribute__((noinline)) void report_sent(struct remote *remote, const struct outgoing *out,
						  enum wire_order order,
						  const struct virtq_chain *chain,
						  uint32_t used_len)
{
	uint8_t header[RPMSG_HDR_SIZE];
	struct remote_event event = {
		.type = REMOTE_EVENT_SENT,
		.queue = RPMSG_QUEUE_INPUT,
		.hdr = out->hdr,
		.header = header,
		.payload = out->payload,
		.payload_size = out->size,
		.desc_id = chain->head,
		.desc_len = chain->writable,
		.desc_count = chain->desc_count,
		.readable = chain->readable,
		.writable = chain->writable,
		.used_len = used_len,
		.indirect = chain->indirect,
		.to_host = true,
	};

	receive_report(remote);
	rpmsg_hdr_encode(&out->hdr, header, order);
	if (remote->telling)
		remote->ops->event(remote->ctx, &event);
	if (out->ns == NULL)
		return;
	event.type = REMOTE_EVENT_NS;
	event.ns = out->ns;
	remote->ops->event(remote->ctx, &event);
}

static __attribute__((noinline)) bool write_pieces(struct remote *remote,
						   const struct outgoing *out,
						   enum wire_order order,
						   const struct virtq_chain *chain)
{
	struct virtq *vq = remote->queues[RPMSG_QUEUE_INPUT].vq;
	uint8_t header[RPMSG_HDR_SIZE];

	rpmsg_hdr_encode(&out->hdr, header, order);
	if (virtq_write(vq, chain, 0, header, RPMSG_HDR_SIZE) != RPMSG_HDR_SIZE)
		return false;
	/* A message without payload may come without a place for it. */
	return out->size == 0 ||
	       virtq_write(vq, chain, RPMSG_HDR_SIZE, out->payload, out->size) == out->size;
}

static inline bool write_message(struct remote *remote, const struct outgoing *out,
				 enum wire_order order, const struct virtq_chain *chain)
{
	uint8_t *at = virtq_write_at(remote->queues[RPMSG_QUEUE_INPUT].vq, chain,
				     RPMSG_HDR_SIZE + out->size);

	if (at == NULL)
		return write_pieces(remote, out, order, chain);
	rpmsg_hdr_encode(&out->hdr, at, order);
	if (out->size != 0)
		memcpy(at + RPMSG_HDR_SIZE, out->payload, out->size);
	return true;
}

static void give_back_small(struct remote *remote, const struct virtq_chain *chain)
{
	remote->stats.queues[RPMSG_QUEUE_INPUT].popped++;
	checker_input_buffer(remote, chain);
	queue_return(remote, RPMSG_QUEUE_INPUT, chain->head, 0);
}

/*
 * Take the next buffer that can hold a header at least. One that cannot is of no use for any
 * message and goes back empty. A host that supplies nothing else, in a loop, is left after a
 * ring's worth.
 */
static int take_buffer(struct remote *remote, struct virtq_chain *chain)
{
	struct virtq *vq = remote->queues[RPMSG_QUEUE_INPUT].vq;
	int ret = 0;

	for (uint32_t i = 0; i < vq->num; i++) {
		ret = virtq_pop(vq, chain);
		if (ret != 1)
			return ret;
		if (chain->writable >= RPMSG_HDR_SIZE)
			return 1;
		give_back_small(remote, chain);
	}
	return 0;
}

static void count_sent(struct remote *remote, const struct outgoing *out)
{
	struct service *service = out->service;

	remote->stats.sent++;
	if (out->ns != NULL)
		return;
	if (service == NULL)
		service = endpoint_find(&remote->endpoints, out->hdr.src);
	if (service != NULL)
		service->sent++;
}

/* What a fault can make of a message. */
struct broken_message {
	struct outgoing out;
	struct rpmsg_ns_msg ns;
	uint8_t notice[FAULT_NOTICE_MAX];
};

static uint32_t used_len_of(const struct remote *remote, const struct outgoing *out,
			    const struct virtq_chain *chain)
{
	if (out->used_len_set)
		return out->used_len;
	return remote->profile->used_len == USED_LEN_WHOLE ? chain->writable
							   : RPMSG_HDR_SIZE + out->size;
}

/* An announcement is made anew, since its bytes depend on the order. */
static void break_notice(struct remote *remote, struct broken_message *broken,
			 const struct virtq_chain *chain, enum wire_order order, bool due)
{
	struct outgoing *out = &broken->out;

	memset(broken->notice, 0, sizeof(broken->notice));
	rpmsg_ns_encode(out->ns->name, out->ns->addr, out->ns->flags, broken->notice, order);
	if (due)
		out->size = fault_notice(remote, broken->notice, out->size, order, chain);
	out->hdr.len = (uint16_t)out->size;
	out->payload = broken->notice;
	/* What is told is what the host gets; one of another size tells it nothing. */
	out->ns = rpmsg_ns_decode(&broken->ns, out->payload, out->size, order) == 0 ? &broken->ns
										    : NULL;
}

/*
 * Write a message into the buffer that was taken for it, and give that to the host.
 * @out: message as it was asked for; @wire: as it goes out, which is the same without a fault
 */
static inline int put_into(struct remote *remote, const struct outgoing *out,
			   const struct outgoing *wire, enum wire_order order,
			   const struct virtq_chain *chain, uint32_t used_len)
{
	bool written = write_message(remote, wire, order, chain);

	if (!queue_return(remote, RPMSG_QUEUE_INPUT, chain->head, written ? used_len : 0) ||
	    !written) {
		remote->stats.send_failed++;
		return -EFAULT;
	}
	count_sent(remote, out);
	if (__builtin_expect(remote->telling || wire->ns != NULL, 0) && remote->ops->event != NULL)
		report_sent(remote, wire, order, chain, used_len);
	return 0;
}

/* The same for a message that faults, or habits of the profile, make another. */
static REMOTE_COLD int put_broken(struct remote *remote, const struct outgoing *out,
				  const struct virtq_chain *chain, bool due, bool order_due)
{
	enum wire_order order = order_due ? fault_order(remote, chain) : remote->order;
	uint32_t used_len = used_len_of(remote, out, chain);
	struct broken_message broken = {.out = *out};

	if (remote->profile->dirty_reserved && !out->raw)
		broken.out.hdr.reserved = (uint32_t)chain->head << 16;
	if (out->ns != NULL) {
		break_notice(remote, &broken, chain, order, due);
		used_len = used_len_of(remote, &broken.out, chain);
	} else if (due) {
		fault_message(remote, &broken.out, chain, &used_len);
	}
	return put_into(remote, out, &broken.out, order, chain, used_len);
}

/* put_message() from where there is a buffer that can hold a header at least. */
static int put_into_taken(struct remote *remote, const struct outgoing *out,
			  const struct virtq_chain *chain)
{
	struct remote_queue *queue = &remote->queues[RPMSG_QUEUE_INPUT];
	bool due, order_due;

	if (chain->writable < RPMSG_HDR_SIZE + out->size) {
		virtq_unpop(queue->vq, chain);
		remote->stats.send_failed++;
		return -EMSGSIZE;
	}

	remote->stats.queues[RPMSG_QUEUE_INPUT].popped++;
	if (queue->first_size == 0)
		queue->first_size = chain->writable;
	checker_input_buffer(remote, chain);
	order_due = fault_due(&remote->faults, FAULT_PLACE_ORDER);
	due = out->ns == NULL ? fault_due(&remote->faults, FAULT_PLACE_MESSAGE)
			      : !out->aside && fault_due(&remote->faults, FAULT_PLACE_NOTICE);
	if (__builtin_expect(due || order_due || remote->profile->dirty_reserved, 0))
		return put_broken(remote, out, chain, due, order_due);
	return put_into(remote, out, out, remote->order, chain, used_len_of(remote, out, chain));
}

/*
 * Fill one buffer of the input queue with one message: the only place where messages leave.
 *
 * Return: 0 when it was sent; -EAGAIN when there is no buffer; -EPROTO when the queue is
 * broken; -EMSGSIZE when the next buffer is too small for it, which stays where it is for a
 * shorter message, or when the size agreed on is; -EFAULT when the buffer's memory went away.
 * With the last two the message is given up.
 */
static int put_message(struct remote *remote, const struct outgoing *out)
{
	struct remote_queue *queue = &remote->queues[RPMSG_QUEUE_INPUT];
	struct virtq_chain chain;
	int ret;

	if (queue->limit != 0 && RPMSG_HDR_SIZE + out->size > queue->limit) {
		remote->stats.send_failed++;
		return -EMSGSIZE;
	}
	ret = take_buffer(remote, &chain);
	if (ret != 1)
		return ret == 0 ? -EAGAIN : ret;
	return put_into_taken(remote, out, &chain);
}

static int wait_for_buffer(struct remote *remote, const struct outgoing *out)
{
	struct backlog_record *record = backlog_add(&remote->backlog, out->size);

	if (record == NULL)
		return -ENOBUFS;
	record->seq = remote->out_seq++;
	record->hdr = out->hdr;
	record->used_len = out->used_len;
	record->used_len_set = out->used_len_set;
	record->raw = out->raw;
	record->aside = out->aside;
	if (out->size != 0)
		memcpy(record->payload, out->payload, out->size);
	remote->stats.backlog = emit_waiting(remote);
	return 1;
}

static int send_or_wait(struct remote *remote, const struct outgoing *out)
{
	struct remote_queue *queue = &remote->queues[RPMSG_QUEUE_INPUT];
	int ret;

	if (!remote->attached)
		return -ENOTCONN;
	if (out->size > REMOTE_MAX_PAYLOAD)
		return -EMSGSIZE;
	if (!queue->holding && !remote->muted && emit_waiting(remote) == 0) {
		ret = put_message(remote, out);
		if (ret == -EPROTO)
			remote->stats.send_failed++;
		if (ret != -EAGAIN)
			return ret;
	} else if (!queue_usable(queue)) {
		remote->stats.send_failed++;
		return -EPROTO;
	}
	return wait_for_buffer(remote, out);
}

/*
 * May a message go out as it is, unless its buffer is unusual? Each of these is looked at again
 * by whoever takes the long way.
 */
static inline bool is_plain(struct remote *remote, uint32_t size)
{
	const struct remote_queue *queue = &remote->queues[RPMSG_QUEUE_INPUT];
	const struct fault_set *faults = &remote->faults;

	return remote->attached && !queue->holding && !remote->muted && emit_waiting(remote) == 0 &&
	       size - 1 < REMOTE_MAX_PAYLOAD &&
	       (queue->limit == 0 || RPMSG_HDR_SIZE + size <= queue->limit) && !queue->pacing.on &&
	       !queue->astray && remote->order == WIRE_LITTLE_ENDIAN &&
	       !remote->profile->dirty_reserved && !fault_near(faults, FAULT_PLACE_MESSAGE) &&
	       !fault_near(faults, FAULT_PLACE_ORDER) && !fault_near(faults, FAULT_PLACE_RETURN_0);
}

static int emit_taken(struct remote *remote, const struct outgoing *out,
		      const struct virtq_chain *chain)
{
	int ret;

	if (chain->writable < RPMSG_HDR_SIZE) {
		give_back_small(remote, chain);
		return emit(remote, out);
	}
	ret = put_into_taken(remote, out, chain);
	if (ret >= 0)
		remote->answered = true;
	return ret;
}

/*
 * emit_plain() from where it turns out not to be: before a buffer was taken, with a chain, and with
 * a piece that is not as expected. All that needs memory of its own is here, so that emit_plain()
 * has none to set up and to guard.
 */
static REMOTE_COLD int emit_unplain(struct service *service, uint32_t dst, const void *payload,
				    uint32_t size)
{
	const struct outgoing out = OUTGOING(service, dst, payload, size);

	return emit(service->remote, &out);
}

static REMOTE_COLD int emit_rare(struct service *service, uint32_t dst, const void *payload,
				 uint32_t size)
{
	const struct outgoing out = OUTGOING(service, dst, payload, size);
	const struct virtq_chain chain = service->remote->rare;

	return emit_taken(service->remote, &out, &chain);
}

static REMOTE_COLD int emit_piece(struct service *service, uint32_t dst, const void *payload,
				  uint32_t size, struct virtq_piece piece)
{
	struct remote *remote = service->remote;
	struct virtq *vq = remote->queues[RPMSG_QUEUE_INPUT].vq;

	virtq_take(vq, piece.head);
	virtq_piece_chain(vq, &piece, &remote->rare);
	return emit_rare(service, dst, payload, size);
}

/* Tell of a message that went out so, in a capture for instance. */
static __attribute__((noinline)) void report_plain(struct service *service, uint32_t dst,
						   const void *payload, uint32_t size,
						   struct virtq_piece piece, uint32_t used_len)
{
	const struct outgoing out = OUTGOING(service, dst, payload, size);
	struct remote *remote = service->remote;
	struct virtq_chain chain;

	virtq_piece_chain(remote->queues[RPMSG_QUEUE_INPUT].vq, &piece, &chain);
	report_sent(remote, &out, remote->order, &chain, used_len);
}

/*
 * Copy a payload to where it goes, behind the place of its header. The remote's own messages have
 * such a place, too: copying that as well, to be overwritten, makes it whole cache lines.
 */
static inline void copy_payload(const struct remote *remote, uint8_t *to, const uint8_t *payload,
				size_t size)
{
	bool own = payload == remote->message + RPMSG_HDR_SIZE ||
		   payload == remote->scratch + RPMSG_HDR_SIZE;
	uint32_t before = own ? RPMSG_HDR_SIZE : 0;

	memcpy(to + RPMSG_HDR_SIZE - before, payload - before, wire_unbounded(before + size));
}

static REMOTE_COLD const void *make_numbered(struct remote *remote, uint64_t number, uint32_t size)
{
	uint8_t *made = remote->scratch + RPMSG_HDR_SIZE;

	numbered_fill(made, size, number);
	return made;
}

/* The payload in private memory, for who has to look at it. */
static inline const void *in_private(struct remote *remote, const void *payload, bool is_numbered,
				     uint64_t number, uint32_t size)
{
	return is_numbered ? make_numbered(remote, number, size) : payload;
}

/*
 * emit_plain(), and emit_numbered() while nobody is told of single messages: one of them has a
 * payload, the other a number. In one function, and in line, since for each it is known which.
 */
static inline __attribute__((always_inline)) int emit_body(struct service *service, uint32_t dst,
							   const void *payload, bool is_numbered,
							   uint64_t number, uint32_t size)
{
	struct remote *remote = service->remote;
	struct remote_queue *queue = &remote->queues[RPMSG_QUEUE_INPUT];
	uint32_t whole = RPMSG_HDR_SIZE + size;
	struct virtq *vq = queue->vq;
	struct virtq_piece piece;
	uint32_t used_len;
	int ret;

	if (__builtin_expect(!is_plain(remote, size), 0)) {
		payload = in_private(remote, payload, is_numbered, number, size);
		return emit_unplain(service, dst, payload, size);
	}
	ret = virtq_peek_piece(vq, &remote->rare, &piece);
	if (__builtin_expect(ret != VIRTQ_PIECE, 0)) {
		payload = in_private(remote, payload, is_numbered, number, size);
		return ret > 0 ? emit_rare(service, dst, payload, size)
			       : emit_unplain(service, dst, payload, size);
	}
	/* Of the size that all have, there is nothing to judge in a piece. */
	if (__builtin_expect(!piece.writable || piece.len < whole ||
				     piece.len != queue->first_size || vq->mem->log != NULL,
			     0)) {
		payload = in_private(remote, payload, is_numbered, number, size);
		return emit_piece(service, dst, payload, size, piece);
	}

	remote->stats.queues[RPMSG_QUEUE_INPUT].popped++;
	/* None is due there, as is_plain() saw; it counts as passed. */
	fault_due(&remote->faults, FAULT_PLACE_ORDER);
	fault_due(&remote->faults, FAULT_PLACE_MESSAGE);
	fault_due(&remote->faults, FAULT_PLACE_RETURN_0);
	if (is_numbered)
		numbered_fill(piece.at + RPMSG_HDR_SIZE, size, number);
	else
		copy_payload(remote, piece.at, payload, size);
	/* rpmsg_hdr_encode(), in two pieces: source and destination, length. */
	wire_put_le64(piece.at + RPMSG_HDR_SRC, service->addr | (uint64_t)dst << 32);
	wire_put_le64(piece.at + RPMSG_HDR_RESERVED, (uint64_t)size << 32);
	used_len = remote->profile->used_len == USED_LEN_WHOLE ? piece.len : whole;
	virtq_use_piece(vq, &piece, used_len);
	remote->stats.queues[RPMSG_QUEUE_INPUT].returned++;
	remote->stats.sent++;
	service->sent++;
	remote->answered = true;
	if (!is_numbered && __builtin_expect(remote->telling, 0))
		report_plain(service, dst, payload, size, piece, used_len);
	return 0;
}

int emit_plain(struct service *service, uint32_t dst, const void *payload, uint32_t size)
{
	return emit_body(service, dst, payload, false, 0, size);
}

int emit_numbered(struct service *service, uint32_t dst, uint64_t number, uint32_t size)
{
	struct remote *remote = service->remote;

	if (remote->telling)
		return emit_plain(service, dst, make_numbered(remote, number, size), size);
	return emit_body(service, dst, NULL, true, number, size);
}

int emit(struct remote *remote, const struct outgoing *out)
{
	int ret = send_or_wait(remote, out);

	if (ret >= 0)
		remote->answered = true;
	return ret;
}

static int pump_notice(struct remote *remote, struct service_info *info, const struct outgoing *out)
{
	const struct rpmsg_ns_msg *ns = out->ns;
	uint8_t bytes[RPMSG_NS_MSG_SIZE];
	struct outgoing encoded = *out;
	int ret;

	rpmsg_ns_encode(ns->name, ns->addr, ns->flags, bytes, remote->order);
	encoded.payload = bytes;
	ret = put_message(remote, &encoded);
	if (ret == -EAGAIN || ret == -EPROTO)
		return ret;
	nameservice_settle(remote, info, ret == 0);
	if (ret == 0 && remote->ns_on && fault_due(&remote->faults, FAULT_PLACE_FOLLOW))
		fault_follow(remote, ns);
	return ret;
}

static int pump_record(struct remote *remote, const struct backlog_record *record)
{
	struct rpmsg_ns_msg ns;
	struct outgoing out = {
		.hdr = record->hdr,
		.payload = record->payload,
		.size = record->size,
		.used_len = record->used_len,
		.used_len_set = record->used_len_set,
		.raw = record->raw,
		.aside = record->aside,
	};
	int ret;

	if (out.aside && rpmsg_ns_decode(&ns, out.payload, out.size, remote->order) == 0)
		out.ns = &ns;
	ret = put_message(remote, &out);
	if (ret != -EAGAIN && ret != -EPROTO)
		backlog_remove_first(&remote->backlog);
	return ret;
}

/* Send the oldest of what waits; as put_message(), and -ENOENT when nothing waits. */
static int pump_one(struct remote *remote)
{
	const struct backlog_record *record = backlog_first(&remote->backlog);
	struct outgoing out;
	struct rpmsg_ns_msg ns;
	struct service_info *info = nameservice_first(remote, &out, &ns);

	if (info != NULL && (record == NULL || info->notice_seq < record->seq))
		return pump_notice(remote, info, &out);
	return record != NULL ? pump_record(remote, record) : -ENOENT;
}

int emit_ns(struct remote *remote, const char *name, uint32_t addr, uint32_t flags, uint32_t src,
	    bool now)
{
	uint8_t bytes[RPMSG_NS_MSG_SIZE];
	struct rpmsg_ns_msg ns;
	const struct outgoing out = {
		.hdr = {.src = src, .dst = RPMSG_ADDR_NS, .len = RPMSG_NS_MSG_SIZE},
		.payload = bytes,
		.size = RPMSG_NS_MSG_SIZE,
		.aside = true,
		.ns = &ns,
	};
	int ret;

	rpmsg_ns_encode(name, addr, flags, bytes, remote->order);
	rpmsg_ns_decode(&ns, bytes, sizeof(bytes), remote->order);
	if (!now)
		return send_or_wait(remote, &out);
	ret = put_message(remote, &out);
	return ret == -EAGAIN ? wait_for_buffer(remote, &out) : ret;
}

uint32_t emit_pump(struct remote *remote, uint32_t budget)
{
	uint32_t count = 0;

	while (count < budget && emit_waiting(remote) != 0) {
		int ret = pump_one(remote);

		if (ret == -EAGAIN || ret == -EPROTO)
			break;
		count++;
	}
	remote->stats.backlog = emit_waiting(remote);
	return count;
}

bool emit_has_buffer(struct remote *remote)
{
	struct remote_queue *queue = &remote->queues[RPMSG_QUEUE_INPUT];

	/* What was seen already needs no other look at the ring. */
	return queue_usable(queue) && !queue->holding && emit_waiting(remote) == 0 &&
	       (queue->vq->shadow_avail != queue->vq->last_avail ||
		virtq_avail_count(queue->vq) > 0);
}

void emit_give_up(struct remote *remote)
{
	remote->stats.send_failed += emit_waiting(remote);
	backlog_clear(&remote->backlog);
	nameservice_give_up(remote);
	remote->stats.backlog = 0;
}
