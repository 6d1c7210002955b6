/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults of the rings: what stands in the used ring, and what is written where it must not be. */
#include "remote/remote_priv.h"

#include <string.h>

#include "virtio/gmem.h"

/* Offset of what OpenAMP and rpmsg-lite write to in buffers that are the host's to write. */
#define HDR_RESERVED 8

/* ---- returning ---------------------------------------------------------------------------- */

/* How one buffer is going to stand in the used ring. */
struct entry {
	uint32_t id;
	uint32_t used_len;
	unsigned int times;
	bool skip; /* a slot before it */
	bool keep; /* for the next one */
};

/* The lowest descriptor that the host has to itself, as head at least; num when none is. */
static uint32_t idle_id(struct virtq *vq)
{
	uint64_t busy[VRING_MAX_SIZE / 64];
	int waiting = virtq_avail_count(vq);

	memset(busy, 0, sizeof(busy));
	for (int i = 0; i < waiting; i++) {
		uint16_t slot = (uint16_t)(vq->last_avail + i) & (uint16_t)(vq->num - 1);
		uint16_t head = vring_load16(vq->rings.avail, vring_avail_entry(slot));

		if (head < vq->num)
			busy[head / 64] |= UINT64_C(1) << head % 64;
	}
	for (uint32_t id = 0; id < vq->num; id++) {
		if (vq->inflight[id] == 0 && (busy[id / 64] >> id % 64 & 1) == 0)
			return id;
	}
	return vq->num;
}

static bool break_entry(struct remote *remote, unsigned int index, enum fault fault,
			struct entry *entry)
{
	struct virtq *vq = remote->queues[index].vq;
	struct virtq_chain other;

	switch (fault) {
	case FAULT_USED_LEN_OUTPUT:
		if (entry->used_len == fault_argument(remote, fault))
			return false;
		entry->used_len = fault_argument(remote, fault);
		return true;
	case FAULT_RING_USED_ID_RANGE:
		entry->id = vq->num;
		return true;
	case FAULT_RING_USED_ID_IDLE:
		entry->id = idle_id(vq);
		return entry->id != vq->num;
	case FAULT_RING_USED_ID_TWICE:
		entry->times = 2;
		return true;
	case FAULT_RING_USED_ENTRY_SKIPPED:
		entry->skip = true;
		return true;
	case FAULT_RING_NOT_RETURNED:
		entry->times = 0;
		return true;
	case FAULT_RING_RETURNS_ANOTHER:
		if (remote->queues[index].astray || virtq_pop(vq, &other) != 1)
			return false;
		remote->stats.queues[index].popped++;
		entry->id = other.head;
		entry->keep = true;
		return true;
	default:
		return false;
	}
}

/* An id of a chain that is out is put there as such, so that the host may supply it again. */
static bool put_entry(struct virtq *vq, uint32_t id, uint32_t used_len)
{
	if (id < vq->num && virtq_push(vq, (uint16_t)id, used_len) == 0)
		return true;
	return virtq_push_raw(vq, id, used_len) == 0;
}

void fault_put_astray(struct remote *remote, unsigned int index)
{
	struct remote_queue *queue = &remote->queues[index];

	queue->astray = false;
	if (virtq_push(queue->vq, queue->astray_head, queue->astray_len) == 0)
		queue_returned(remote, index, queue->astray_head, queue->astray_len);
}

bool fault_return(struct remote *remote, unsigned int index, uint16_t head, uint32_t used_len)
{
	const enum fault_place place = (enum fault_place)(FAULT_PLACE_RETURN_0 + index);
	struct remote_queue *queue = &remote->queues[index];
	struct entry entry = {.id = head, .used_len = used_len, .times = 1};
	bool was_astray = queue->astray;
	enum fault fault;

	if (!queue_usable(queue))
		return false;
	for (fault = fault_first(&remote->faults, place); fault != FAULT_COUNT;
	     fault = fault_next(&remote->faults, place, fault)) {
		struct entry before = entry;

		if (break_entry(remote, index, fault, &entry))
			fault_fired(remote, fault, index, head);
		else
			entry = before;
	}

	if (was_astray)
		fault_put_astray(remote, index);
	if (entry.skip)
		virtq_skip_used(queue->vq);
	for (unsigned int i = 0; i < entry.times; i++) {
		if (!put_entry(queue->vq, entry.id, entry.used_len))
			return false;
	}
	if (entry.times != 0)
		queue_returned(remote, index, (uint16_t)entry.id, entry.used_len);
	if (entry.keep) {
		queue->astray = true;
		queue->astray_head = head;
		queue->astray_len = entry.used_len;
	}
	return true;
}

bool fault_publish(struct remote *remote, unsigned int index)
{
	const enum fault_place place = (enum fault_place)(FAULT_PLACE_PUBLISH_0 + index);
	struct virtq *vq = remote->queues[index].vq;
	uint16_t shown = vq->used_idx;
	enum fault fault;

	for (fault = fault_first(&remote->faults, place); fault != FAULT_COUNT;
	     fault = fault_next(&remote->faults, place, fault)) {
		shown = fault == FAULT_RING_USED_IDX_AHEAD ? (uint16_t)(vq->used_idx + vq->num)
							   : (uint16_t)(vq->published - 1);
		fault_fired(remote, fault, index, REMOTE_NO_DESC);
	}
	return virtq_flush_as(vq, shown);
}

/* ---- buffers that are not the remote's to write ------------------------------------------- */

bool fault_write_readable(struct remote *remote, const struct virtq_chain *chain)
{
	struct virtq *vq = remote->queues[RPMSG_QUEUE_OUTPUT].vq;
	uint64_t offset = HDR_RESERVED;
	uint8_t bytes[sizeof(uint32_t)];
	uint32_t i = 0;

	wire_put32(bytes, fault_argument(remote, FAULT_RING_WRITE_READABLE), remote->order);
	while (i < chain->readable_count && offset >= chain->descs[i].len)
		offset -= chain->descs[i++].len;
	/* One that is cut inside the field is left alone. */
	return i < chain->readable_count && chain->descs[i].len - offset >= sizeof(bytes) &&
	       gmem_write(vq->mem, chain->descs[i].addr + offset, bytes, sizeof(bytes)) == 0;
}
