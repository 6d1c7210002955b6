/* SPDX-License-Identifier: BSD-2-Clause */
#include "virtio/virtq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/bytes.h"

/* VIRTIO 1.2, section 2.7.5: a chain is never longer than this many bytes in total. */
#define CHAIN_MAX_BYTES (UINT64_C(1) << 32)

static bool has_feature(const struct virtq *vq, unsigned int bit)
{
	return (vq->features & VIRTIO_BIT(bit)) != 0;
}

void virtq_log_used(struct virtq *vq, uint64_t offset, uint64_t size)
{
	gmem_mark_dirty(vq->mem, vq->rings.used_log_addr + offset, size);
}

static void log_used(struct virtq *vq, uint64_t offset, uint64_t size)
{
	if (vq->rings.used_logged)
		virtq_log_used(vq, offset, size);
}

static void put_avail_event(struct virtq *vq, uint16_t idx)
{
	uint64_t offset = vring_avail_event(vq->num);

	vring_store16(vq->rings.used, offset, idx);
	log_used(vq, offset, sizeof(uint16_t));
	vq->avail_event = idx;
	vq->kicks_asked++;
}

static void put_used_flags(struct virtq *vq, uint16_t flags)
{
	vring_store16(vq->rings.used, VRING_FLAGS, flags);
	log_used(vq, VRING_FLAGS, sizeof(uint16_t));
}

void virtq_init(struct virtq *vq, int index, const struct violation_sink *sink)
{
	memset(vq, 0, sizeof(*vq));
	vq->index = index;
	vq->sink = sink;
}

int virtq_start(struct virtq *vq, struct gmem *mem, uint32_t num, const struct virtq_rings *rings,
		uint16_t base, uint64_t features)
{
	if (!vring_size_is_valid(num))
		return -EINVAL;
	if (vq->started)
		return -EBUSY;

	vq->chain = calloc(num, sizeof(*vq->chain));
	vq->inflight = calloc(num, sizeof(*vq->inflight));
	if (vq->chain == NULL || vq->inflight == NULL) {
		free(vq->chain);
		free(vq->inflight);
		vq->chain = NULL;
		vq->inflight = NULL;
		return -ENOMEM;
	}

	vq->rings = *rings;
	vq->mem = mem;
	vq->features = features;
	vq->num = num;
	vq->inflight_count = 0;
	vq->last_avail = base;
	vq->shadow_avail = base;
	vq->used_idx = vring_load16(rings->used, VRING_IDX);
	vq->published = vq->used_idx;
	vq->signalled = vq->used_idx;
	vq->signalled_valid = false;
	vq->kicks_asked = 0;
	vq->broken = false;
	vq->started = true;
	vq->serving = num;
	/* An earlier session may have left the driver asked for silence. */
	virtq_set_notify(vq, true);
	return 0;
}

uint16_t virtq_stop(struct virtq *vq)
{
	if (vq->started) {
		free(vq->chain);
		free(vq->inflight);
		vq->chain = NULL;
		vq->inflight = NULL;
		vq->inflight_count = 0;
		vq->serving = 0;
		vq->started = false;
	}
	return vq->last_avail;
}

void virtq_move(struct virtq *vq, const struct virtq_rings *rings)
{
	vq->rings = *rings;
}

__attribute__((cold)) int virtq_break(struct virtq *vq, enum violation what, int32_t desc_id,
				      uint64_t expected, uint64_t seen)
{
	if (!vq->broken) {
		vq->broken = true;
		vq->serving = 0;
		violation_report(vq->sink, what, vq->index, desc_id, expected, seen);
	}
	return -EPROTO;
}

/*
 * Read avail.idx once. The acquire pairs with the driver's release of the same field: entries
 * and descriptors below the index that is seen here are seen too.
 */
static int read_avail_idx(struct virtq *vq)
{
	uint16_t idx = vring_load16_acquire(vq->rings.avail, VRING_IDX);
	uint32_t waiting = (uint16_t)(vq->shadow_avail - vq->last_avail);
	uint32_t moved = (uint16_t)(idx - vq->shadow_avail);

	/* A step back is a huge step forward here, and caught as well (2.7.6.1). */
	if (waiting + moved > vq->num)
		return virtq_break(vq, VIOLATION_VQ_AVAIL_JUMP, VIOLATION_NO_DESC, vq->num,
				   waiting + moved);
	vq->shadow_avail = idx;
	return (int)(waiting + moved);
}

int virtq_avail_count(struct virtq *vq)
{
	int count;

	if (vq->serving == 0)
		return vq->broken ? -EPROTO : 0;

	count = read_avail_idx(vq);
	if (count != 0 || !vq->notify_on || !has_feature(vq, VIRTIO_F_RING_EVENT_IDX) ||
	    vq->avail_event == vq->shadow_avail)
		return count;

	/*
	 * Nothing is left: from here on a kick is needed. Either the driver sees the new
	 * avail_event and kicks, or this side sees its new index: hence the fence.
	 */
	put_avail_event(vq, vq->shadow_avail);
	vring_fence();
	return read_avail_idx(vq);
}

/* A table in guest memory need not be aligned, nor lie in one region. */
static int load_indirect(struct virtq *vq, uint64_t table, uint16_t id, struct virtq_desc *desc)
{
	uint8_t raw[VRING_DESC_SIZE];
	int err = gmem_read(vq->mem, table + (uint64_t)VRING_DESC_SIZE * id, raw, sizeof(raw));

	if (err != 0)
		return err;
	desc->addr = wire_get_le64(raw);
	desc->len = wire_get_le32(raw + 8);
	desc->flags = wire_get_le16(raw + 12);
	desc->next = wire_get_le16(raw + 14);
	return 0;
}

/* Judge a descriptor that refers to a table; on success its address is that of the table. */
static int check_indirect(struct virtq *vq, const struct virtq_desc *desc, int32_t id, bool nested)
{
	if (!has_feature(vq, VIRTIO_F_RING_INDIRECT_DESC))
		return virtq_break(vq, VIOLATION_VQ_INDIRECT_OFF, id, 0, desc->flags);
	if (nested)
		return virtq_break(vq, VIOLATION_VQ_INDIRECT_NESTED, id, 0, desc->flags);
	if ((desc->flags & VRING_DESC_F_NEXT) != 0)
		return virtq_break(vq, VIOLATION_VQ_INDIRECT_NEXT, id, VRING_DESC_F_INDIRECT,
				   desc->flags);
	if (desc->len == 0 || desc->len % VRING_DESC_SIZE != 0)
		return virtq_break(vq, VIOLATION_VQ_INDIRECT_SIZE, id, VRING_DESC_SIZE, desc->len);
	if (!gmem_contains(vq->mem, desc->addr, desc->len))
		return virtq_break(vq, VIOLATION_VQ_ADDRESS, id, desc->len, desc->addr);
	return 0;
}

static uint32_t clip32(uint64_t bytes)
{
	return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

/*
 * Follow a chain whose first descriptor lies in vq->chain[0]: any number of descriptors of
 * the ring, the last of which may refer to one table (2.7.5.3.2). Each is read once, and no
 * more of them than the queue has entries, so that a loop ends as a chain that is too long.
 */
static int walk_chain(struct virtq *vq, struct virtq_chain *chain)
{
	struct virtq_desc *desc = vq->chain;
	uint64_t readable = 0, writable = 0;
	uint64_t table = 0;
	uint32_t entries = vq->num; /* what next may name */
	uint32_t readable_count = 0;
	uint32_t count = 0;
	int32_t id = chain->head; /* in the ring's own table, for reports */
	uint16_t next;
	int err;

	for (;;) {
		if ((desc->flags & VRING_DESC_F_INDIRECT) != 0) {
			/* WRITE is to be ignored here (2.7.5.3.2). */
			err = check_indirect(vq, desc, id, chain->indirect);
			if (err != 0)
				return err;
			table = desc->addr;
			entries = desc->len / VRING_DESC_SIZE;
			chain->indirect = true;
			if (load_indirect(vq, table, 0, desc) != 0)
				return virtq_break(vq, VIOLATION_VQ_ADDRESS, id, VRING_DESC_SIZE,
						   table);
			continue;
		}

		if ((desc->flags & VRING_DESC_F_WRITE) != 0) {
			writable += desc->len;
		} else {
			if (readable_count != count)
				return virtq_break(vq, VIOLATION_VQ_ORDER, id, VRING_DESC_F_WRITE,
						   desc->flags);
			readable += desc->len;
			readable_count++;
		}
		count++;
		if (!gmem_contains(vq->mem, desc->addr, desc->len))
			return virtq_break(vq, VIOLATION_VQ_ADDRESS, id, desc->len, desc->addr);
		if (readable + writable > CHAIN_MAX_BYTES)
			return virtq_break(vq, VIOLATION_VQ_TOTAL_LENGTH, id, CHAIN_MAX_BYTES,
					   readable + writable);

		if ((desc->flags & VRING_DESC_F_NEXT) == 0)
			break;
		next = desc->next;
		if (next >= entries)
			return virtq_break(vq, VIOLATION_VQ_NEXT_RANGE, id, entries, next);
		if (count == vq->num)
			return virtq_break(vq, VIOLATION_VQ_LOOP, id, vq->num, count + 1);
		desc++;
		if (!chain->indirect) {
			*desc = virtq_load_desc(vq, next);
			id = next;
		} else if (load_indirect(vq, table, next, desc) != 0) {
			return virtq_break(vq, VIOLATION_VQ_ADDRESS, id, VRING_DESC_SIZE,
					   table + (uint64_t)VRING_DESC_SIZE * next);
		}
	}

	chain->desc_count = count;
	chain->readable_count = readable_count;
	/* Exactly 4 GiB is legal, and one more than the type holds. */
	chain->readable = clip32(readable);
	chain->writable = clip32(writable);
	return 0;
}

int virtq_pop_chain(struct virtq *vq, struct virtq_chain *chain, uint16_t head)
{
	int err;

	chain->descs = vq->chain;
	chain->at = NULL;
	chain->head = head;
	chain->indirect = false;
	err = walk_chain(vq, chain);
	if (err != 0)
		return err;
	virtq_take(vq, head);
	return 1;
}

__attribute__((cold)) void virtq_refuse_head(struct virtq *vq, uint16_t head)
{
	if (head >= vq->num)
		virtq_break(vq, VIOLATION_VQ_HEAD_RANGE, head, vq->num, head);
	else
		virtq_break(vq, VIOLATION_VQ_INFLIGHT, head, 0, head);
}

/*
 * Copying a range of bytes that is counted over several descriptors. Descriptors before the
 * range are stepped over; what is left of the offset then applies to the first one only.
 */
static __attribute__((noinline)) int64_t copy_out(struct gmem *mem, const struct virtq_desc *desc,
						  const struct virtq_desc *end, uint64_t offset,
						  uint8_t *to, size_t size)
{
	size_t done = 0;

	for (; desc < end && offset >= desc->len; desc++)
		offset -= desc->len;
	for (; desc < end && done < size; desc++) {
		size_t room = desc->len - (size_t)offset;
		size_t part = size - done < room ? size - done : room;

		if (gmem_read(mem, desc->addr + offset, to + done, part) != 0)
			return -EFAULT;
		done += part;
		offset = 0;
	}
	return (int64_t)done;
}

static __attribute__((noinline)) int64_t copy_in(struct gmem *mem, const struct virtq_desc *desc,
						 const struct virtq_desc *end, uint64_t offset,
						 const uint8_t *from, size_t size)
{
	size_t done = 0;

	for (; desc < end && offset >= desc->len; desc++)
		offset -= desc->len;
	for (; desc < end && done < size; desc++) {
		size_t room = desc->len - (size_t)offset;
		size_t part = size - done < room ? size - done : room;

		if (gmem_write(mem, desc->addr + offset, from + done, part) != 0)
			return -EFAULT;
		done += part;
		offset = 0;
	}
	return (int64_t)done;
}

int64_t virtq_read_pieces(struct virtq *vq, const struct virtq_chain *chain, uint64_t offset,
			  void *to, size_t size)
{
	const struct virtq_desc *first = chain->descs;

	return copy_out(vq->mem, first, first + chain->readable_count, offset, to, size);
}

int64_t virtq_write(struct virtq *vq, const struct virtq_chain *chain, uint64_t offset,
		    const void *from, size_t size)
{
	const struct virtq_desc *first = chain->descs + chain->readable_count;
	const struct virtq_desc *end = chain->descs + chain->desc_count;

	if (first == end || vq->mem->log != NULL || !virtq_is_plain(vq, first, offset, size))
		return copy_in(vq->mem, first, end, offset, from, size);
	memcpy(gmem_hit_at(vq->mem, first->addr + offset), from, size);
	return (int64_t)size;
}

int virtq_push_raw(struct virtq *vq, uint32_t id, uint32_t used_len)
{
	if (vq->serving == 0)
		return vq->broken ? -EPROTO : -EINVAL;

	virtq_put_used(vq, id, used_len);
	return 0;
}

void virtq_unpop(struct virtq *vq, const struct virtq_chain *chain)
{
	if (!vq->started || chain->head >= vq->num || vq->inflight[chain->head] == 0)
		return;

	vq->inflight[chain->head] = 0;
	vq->inflight_count--;
	vq->last_avail--;
}

void virtq_skip_used(struct virtq *vq)
{
	vq->used_idx++;
}

static inline bool flush(struct virtq *vq, uint16_t idx)
{
	uint16_t signalled;
	bool valid;

	if (vq->serving == 0 || vq->published == vq->used_idx)
		return false;

	/* Release: the entries and the buffers they name are visible before the index is. */
	vring_store16_release(vq->rings.used, VRING_IDX, idx);
	log_used(vq, VRING_IDX, sizeof(uint16_t));
	vq->published = vq->used_idx;

	/* Either the driver sees the new index, or this side sees that it wants a call. */
	vring_fence();
	if (!has_feature(vq, VIRTIO_F_RING_EVENT_IDX))
		return (vring_load16(vq->rings.avail, VRING_FLAGS) & VRING_AVAIL_F_NO_INTERRUPT) ==
		       0;

	signalled = vq->signalled;
	valid = vq->signalled_valid;
	vq->signalled = vq->published;
	vq->signalled_valid = true;
	if (!valid)
		return true;
	return vring_need_event(vring_load16(vq->rings.avail, vring_used_event(vq->num)),
				vq->published, signalled);
}

bool virtq_flush(struct virtq *vq)
{
	return flush(vq, vq->used_idx);
}

bool virtq_flush_as(struct virtq *vq, uint16_t idx)
{
	return flush(vq, idx);
}

void virtq_set_notify(struct virtq *vq, bool on)
{
	vq->notify_on = on;
	if (vq->serving == 0)
		return;

	if (!has_feature(vq, VIRTIO_F_RING_EVENT_IDX))
		put_used_flags(vq, on ? 0 : VRING_USED_F_NO_NOTIFY);
	else if (on)
		put_avail_event(vq, vq->shadow_avail);
	if (on)
		vring_fence();
}
