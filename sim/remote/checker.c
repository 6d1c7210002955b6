/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the host does wrong. Nothing is decided here: a message is dropped for reasons of its
 * own (receive.c), so that judging can be switched off without any effect but silence.
 *
 * What expected and seen mean: for lengths, the bound and what came; for addresses, fields
 * and flags that have to be something else, 0 and what came.
 */
#include "remote/remote_priv.h"

static void report_output(struct remote *remote, const struct inbound *in, enum violation what,
			  uint64_t expected, uint64_t seen)
{
	violation_report(remote->sink, what, RPMSG_QUEUE_OUTPUT, in->chain.head, expected, seen);
}

void checker_message_details(struct remote *remote, const struct inbound *in)
{
	const struct rpmsg_hdr *hdr = &in->hdr;
	uint32_t limit = remote->queues[RPMSG_QUEUE_OUTPUT].limit;

	if (in->chain.writable != 0)
		report_output(remote, in, VIOLATION_BF_TX_WRITABLE, 0, in->chain.writable);
	if (in->chain.readable_count > 1)
		report_output(remote, in, VIOLATION_BF_TX_CHAIN, 1, in->chain.readable_count);
	if (limit != 0 && in->chain.readable > limit)
		report_output(remote, in, VIOLATION_BF_TX_SIZE, limit, in->chain.readable);
	if (in->chain.readable < RPMSG_HDR_SIZE) {
		report_output(remote, in, VIOLATION_HD_SHORT, RPMSG_HDR_SIZE, in->chain.readable);
		return;
	}
	if (hdr->len > in->chain.readable - RPMSG_HDR_SIZE)
		report_output(remote, in, VIOLATION_HD_LEN, in->chain.readable - RPMSG_HDR_SIZE,
			      hdr->len);
	if (hdr->src == RPMSG_ADDR_ANY)
		report_output(remote, in, VIOLATION_HD_SRC_ANY, 0, hdr->src);
	if (hdr->dst == RPMSG_ADDR_ANY)
		report_output(remote, in, VIOLATION_HD_DST_ANY, 0, hdr->dst);
	if (hdr->reserved != 0)
		report_output(remote, in, VIOLATION_HD_RESERVED, 0, hdr->reserved);
	if (hdr->flags != 0)
		report_output(remote, in, VIOLATION_HD_FLAGS, 0, hdr->flags);
}

void checker_ns(struct remote *remote, const struct inbound *in, const struct rpmsg_ns_msg *ns)
{
	uint32_t known = RPMSG_NS_DESTROY | (remote->ack_on ? RPMSG_NS_NUTTX_ACK : 0);

	if (!remote->checking)
		return;
	if (!remote->ns_on)
		report_output(remote, in, VIOLATION_NS_NOT_NEGOTIATED, 0, RPMSG_ADDR_NS);
	if (ns == NULL) {
		report_output(remote, in, VIOLATION_NS_LENGTH, RPMSG_NS_MSG_SIZE, in->size);
		return;
	}
	if (!ns->name_terminated)
		report_output(remote, in, VIOLATION_NS_UNTERMINATED, RPMSG_NAME_SIZE - 1,
			      RPMSG_NAME_SIZE);
	else if (!ns->name_padded)
		report_output(remote, in, VIOLATION_NS_PADDING, 0, 1);
	if ((ns->flags & ~known) != 0)
		report_output(remote, in, VIOLATION_NS_FLAGS, known, ns->flags);
	if (ns->addr == RPMSG_ADDR_ANY)
		report_output(remote, in, VIOLATION_NS_ADDR_ANY, 0, ns->addr);
	else if (in->hdr.src != ns->addr)
		report_output(remote, in, VIOLATION_NS_SOURCE, ns->addr, in->hdr.src);
}

void checker_ns_flow(struct remote *remote, const struct inbound *in, const struct rpmsg_ns_msg *ns,
		     bool known)
{
	bool destroys = (ns->flags & RPMSG_NS_DESTROY) != 0;

	/* Beyond what is remembered nothing can be said. */
	if (!remote->checking || remote->host_channel_count == HOST_CHANNELS)
		return;
	if (destroys && !known)
		report_output(remote, in, VIOLATION_NS_UNKNOWN, 0, ns->addr);
	else if (ns->flags == RPMSG_NS_CREATE && known)
		report_output(remote, in, VIOLATION_NS_DUPLICATE, 0, ns->addr);
}

static void report_input(struct remote *remote, const struct virtq_chain *chain,
			 enum violation what, uint64_t expected, uint64_t seen)
{
	violation_report(remote->sink, what, RPMSG_QUEUE_INPUT, chain->head, expected, seen);
}

void checker_buffer_details(struct remote *remote, const struct virtq_chain *chain)
{
	const struct remote_queue *queue = &remote->queues[RPMSG_QUEUE_INPUT];

	if (chain->readable != 0)
		report_input(remote, chain, VIOLATION_BF_RX_READABLE, 0, chain->readable);
	if (chain->desc_count - chain->readable_count > 1)
		report_input(remote, chain, VIOLATION_BF_RX_CHAIN, 1,
			     chain->desc_count - chain->readable_count);
	if (chain->writable < RPMSG_HDR_SIZE)
		report_input(remote, chain, VIOLATION_BF_RX_SMALL, RPMSG_HDR_SIZE, chain->writable);
	else if (chain->writable != queue->first_size)
		report_input(remote, chain,
			     queue->limit != 0 ? VIOLATION_BF_RX_AGREED : VIOLATION_BF_RX_SIZE,
			     queue->first_size, chain->writable);
}

void checker_attach(struct remote *remote)
{
	const struct remote_queue *queue = remote->queues;
	const struct remote_queue_stats *stats = remote->stats.queues;

	if (!remote->checking)
		return;
	/* A ring that goes on from where it stopped may hold anything. */
	if (queue[RPMSG_QUEUE_OUTPUT].vq->last_avail == 0 &&
	    stats[RPMSG_QUEUE_OUTPUT].avail_at_start != 0)
		violation_report(remote->sink, VIOLATION_LC_OUTPUT_EARLY, RPMSG_QUEUE_OUTPUT,
				 VIOLATION_NO_DESC, 0, stats[RPMSG_QUEUE_OUTPUT].avail_at_start);
	if (queue[RPMSG_QUEUE_INPUT].vq->last_avail == 0 &&
	    stats[RPMSG_QUEUE_INPUT].avail_at_start == 0)
		violation_report(remote->sink, VIOLATION_LC_INPUT_LATE, RPMSG_QUEUE_INPUT,
				 VIOLATION_NO_DESC, 1, 0);
}

/*
 * With EVENT_IDX each kick answers one value of avail_event, which is crossed once in 65536
 * buffers. Whoever starts a ring may kick it once more (QEMU does so when it takes over the
 * descriptor). Without EVENT_IDX a kick may be on its way whenever it is switched off.
 */
void checker_kick(struct remote *remote, unsigned int index)
{
	struct remote_queue *queue = &remote->queues[index];
	uint64_t asked;

	if ((remote->features & VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX)) == 0)
		return;
	asked = queue->vq->kicks_asked + 2 + remote->stats.queues[index].popped / 65536;
	if (queue->kicks <= asked)
		return;
	violation_report(remote->sink, VIOLATION_VQ_KICK_UNASKED, (int)index, VIOLATION_NO_DESC,
			 asked, queue->kicks);
	/* Those are told now. */
	queue->kicks = (uint32_t)asked;
}
