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

	if (in->chain.writable != 0)
		report_output(remote, in, VIOLATION_BF_TX_WRITABLE, 0, in->chain.writable);
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
	if ((ns->flags & ~RPMSG_NS_DESTROY) != 0)
		report_output(remote, in, VIOLATION_NS_FLAGS, RPMSG_NS_DESTROY, ns->flags);
}

void checker_buffer_details(struct remote *remote, const struct virtq_chain *chain)
{
	if (chain->readable != 0)
		violation_report(remote->sink, VIOLATION_BF_RX_READABLE, RPMSG_QUEUE_INPUT,
				 chain->head, 0, chain->readable);
	if (chain->writable < RPMSG_HDR_SIZE)
		violation_report(remote->sink, VIOLATION_BF_RX_SMALL, RPMSG_QUEUE_INPUT,
				 chain->head, RPMSG_HDR_SIZE, chain->writable);
}
