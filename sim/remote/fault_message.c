/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults in the header and the used length of messages into the host, and their byte order. */
#include "remote/remote_priv.h"

#define HDR_MAX_LEN UINT16_MAX

/* A header length; false when the field cannot say it. */
static bool set_len(struct outgoing *out, int64_t len)
{
	if (len < 0 || len > HDR_MAX_LEN || len == out->hdr.len)
		return false;
	out->hdr.len = (uint16_t)len;
	return true;
}

static bool set_field(uint32_t *field, uint32_t value)
{
	bool changes = *field != value;

	*field = value;
	return changes;
}

static bool set_flags(struct outgoing *out, uint32_t flags)
{
	bool changes = out->hdr.flags != flags;

	out->hdr.flags = (uint16_t)flags;
	return changes;
}

/* A used length that a host may take is no fault (VQ-052). */
static bool set_used_len(const struct outgoing *out, const struct virtq_chain *chain,
			 uint32_t *used_len, uint64_t value)
{
	if (value > UINT32_MAX ||
	    (value >= RPMSG_HDR_SIZE + (uint64_t)out->size && value <= chain->writable))
		return false;
	*used_len = (uint32_t)value;
	return true;
}

static uint32_t unbound(const struct remote *remote, uint32_t addr)
{
	while (addr == RPMSG_ADDR_ANY || addr == RPMSG_ADDR_NS ||
	       endpoint_find(&remote->endpoints, addr) != NULL)
		addr++;
	return addr;
}

static bool break_len(struct outgoing *out, enum fault fault, uint32_t argument,
		      const struct virtq_chain *chain, uint32_t *used_len)
{
	switch (fault) {
	case FAULT_HDR_LEN_ABOVE_DESCRIPTOR:
		if (!set_len(out, (int64_t)chain->writable - RPMSG_HDR_SIZE + argument))
			return false;
		*used_len = chain->writable;
		return true;
	case FAULT_HDR_LEN_ABOVE_USED:
		return set_len(out, (int64_t)*used_len - RPMSG_HDR_SIZE + argument);
	case FAULT_HDR_LEN_ABOVE_BUFFER:
		return argument > chain->writable - RPMSG_HDR_SIZE && set_len(out, argument);
	case FAULT_HDR_LEN_BELOW_PAYLOAD:
		return set_len(out, (int64_t)out->size - argument);
	default:
		return false;
	}
}

static bool break_message(const struct remote *remote, struct outgoing *out, enum fault fault,
			  const struct virtq_chain *chain, uint32_t *used_len)
{
	uint32_t argument = fault_argument(remote, fault);

	switch (fault) {
	case FAULT_HDR_RESERVED:
		return set_field(&out->hdr.reserved, argument);
	case FAULT_HDR_FLAGS:
		return set_flags(out, argument);
	case FAULT_HDR_SRC_ANY:
		return set_field(&out->hdr.src, RPMSG_ADDR_ANY);
	case FAULT_HDR_SRC_NS:
		return set_field(&out->hdr.src, RPMSG_ADDR_NS);
	case FAULT_HDR_SRC_UNBOUND:
		return set_field(&out->hdr.src, unbound(remote, argument));
	case FAULT_HDR_SRC_OWN:
		return set_field(&out->hdr.src, out->hdr.dst);
	case FAULT_HDR_DST_ANY:
		return set_field(&out->hdr.dst, RPMSG_ADDR_ANY);
	case FAULT_HDR_DST_NS:
		return set_field(&out->hdr.dst, RPMSG_ADDR_NS);
	case FAULT_HDR_DST_UNBOUND:
		return set_field(&out->hdr.dst, argument);
	case FAULT_HDR_DST_OWN:
		return set_field(&out->hdr.dst, out->hdr.src);
	case FAULT_USED_LEN_0:
		return set_used_len(out, chain, used_len, 0);
	case FAULT_USED_LEN_8:
		return set_used_len(out, chain, used_len, RPMSG_HDR_SIZE / 2);
	case FAULT_USED_LEN_15:
		return set_used_len(out, chain, used_len, RPMSG_HDR_SIZE - 1);
	case FAULT_USED_LEN_16:
		return set_used_len(out, chain, used_len, RPMSG_HDR_SIZE);
	case FAULT_USED_LEN_513:
		return set_used_len(out, chain, used_len, RPMSG_BUF_SIZE + 1);
	case FAULT_USED_LEN_65535:
		return set_used_len(out, chain, used_len, UINT16_MAX);
	case FAULT_USED_LEN_0XFFFFFFFF:
		return set_used_len(out, chain, used_len, UINT32_MAX);
	case FAULT_USED_LEN_ABOVE_DESCRIPTOR:
		return set_used_len(out, chain, used_len, (uint64_t)chain->writable + argument);
	default:
		return break_len(out, fault, argument, chain, used_len);
	}
}

void fault_message(struct remote *remote, struct outgoing *out, const struct virtq_chain *chain,
		   uint32_t *used_len)
{
	enum fault fault = fault_first(&remote->faults, FAULT_PLACE_MESSAGE);

	for (; fault != FAULT_COUNT;
	     fault = fault_next(&remote->faults, FAULT_PLACE_MESSAGE, fault)) {
		if (break_message(remote, out, fault, chain, used_len))
			fault_fired(remote, fault, RPMSG_QUEUE_INPUT, chain->head);
	}
}

enum wire_order fault_order(struct remote *remote, const struct virtq_chain *chain)
{
	/* Without VERSION_1 the order is the driver's own, whatever it is. */
	if ((remote->features & VIRTIO_BIT(VIRTIO_F_VERSION_1)) == 0 ||
	    fault_first(&remote->faults, FAULT_PLACE_ORDER) == FAULT_COUNT)
		return remote->order;
	fault_fired(remote, FAULT_ORDER_BIG_ENDIAN, RPMSG_QUEUE_INPUT, chain->head);
	return WIRE_BIG_ENDIAN;
}
