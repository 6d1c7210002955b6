/* SPDX-License-Identifier: BSD-2-Clause */
#include "virtio/drvq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* VIRTIO 1.2, section 2.7.5: a chain is never longer than this many bytes in total. */
#define CHAIN_MAX_BYTES (UINT64_C(1) << 32)

static bool has_feature(const struct drvq *dq, unsigned int bit)
{
	return (dq->features & VIRTIO_BIT(bit)) != 0;
}

static uint32_t ring_slot(const struct drvq *dq, uint16_t idx)
{
	return idx & (dq->num - 1);
}

static uint64_t align_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

int drvq_layout(struct drvq_layout *layout, uint32_t num)
{
	if (!vring_size_is_valid(num))
		return -EINVAL;

	layout->desc = 0;
	layout->avail = align_up(vring_desc_bytes(num), VRING_AVAIL_ALIGN);
	layout->used = align_up(layout->avail + vring_avail_bytes(num), VRING_USED_ALIGN);
	layout->bytes = layout->used + vring_used_bytes(num);
	return 0;
}

static bool is_aligned(const void *at, uintptr_t to)
{
	return (uintptr_t)at % to == 0;
}

int drvq_start(struct drvq *dq, void *memory, const struct drvq_layout *layout, uint32_t num,
	       uint64_t features)
{
	uint8_t *start = memory;

	if (!vring_size_is_valid(num) || !is_aligned(start + layout->desc, VRING_DESC_ALIGN) ||
	    !is_aligned(start + layout->avail, VRING_AVAIL_ALIGN) ||
	    !is_aligned(start + layout->used, VRING_USED_ALIGN))
		return -EINVAL;
	if (dq->slots != NULL)
		return -EBUSY;

	memset(dq, 0, sizeof(*dq));
	dq->slots = calloc(num, sizeof(*dq->slots));
	if (dq->slots == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < num; i++)
		dq->slots[i].next = (uint16_t)(i + 1);

	dq->desc = start + layout->desc;
	dq->avail = start + layout->avail;
	dq->used = start + layout->used;
	memset(dq->desc, 0, vring_desc_bytes(num));
	memset(dq->avail, 0, vring_avail_bytes(num));
	memset(dq->used, 0, vring_used_bytes(num));

	dq->features = features;
	dq->num = num;
	dq->free_count = num;
	drvq_set_call(dq, true);
	return 0;
}

void drvq_stop(struct drvq *dq)
{
	free(dq->slots);
	memset(dq, 0, sizeof(*dq));
}

static int drvq_break(struct drvq *dq, enum drvq_error_type type, uint64_t expected, uint64_t seen)
{
	dq->broken = true;
	dq->error.type = type;
	dq->error.expected = expected;
	dq->error.seen = seen;
	return -EPROTO;
}

static void put_desc(void *table, uint32_t i, const struct drvq_buf *buf, uint16_t flags,
		     uint16_t next)
{
	uint64_t at = (uint64_t)VRING_DESC_SIZE * i;

	vring_store64(table, at, buf->addr);
	vring_store64(table, at + 8, buf->len | (uint64_t)flags << 32 | (uint64_t)next << 48);
}

/* Flags of piece i of a chain. */
static uint16_t piece_flags(uint32_t i, uint32_t readable, uint32_t total)
{
	return (uint16_t)((i >= readable ? VRING_DESC_F_WRITE : 0) |
			  (i + 1 < total ? VRING_DESC_F_NEXT : 0));
}

/* What both ways to add have to ask first; *capacity is set to the writable bytes. */
static int check_bufs(const struct drvq *dq, const struct drvq_buf *bufs, uint32_t readable,
		      uint32_t writable, uint32_t *capacity)
{
	uint64_t total = 0, can_write = 0;

	if (dq->broken)
		return -EPROTO;
	if ((uint64_t)readable + writable == 0 || (uint64_t)readable + writable > dq->num)
		return -EINVAL;
	for (uint32_t i = 0; i < readable + writable; i++) {
		total += bufs[i].len;
		if (i >= readable)
			can_write += bufs[i].len;
	}
	if (total > CHAIN_MAX_BYTES)
		return -EINVAL;
	*capacity = can_write < UINT32_MAX ? (uint32_t)can_write : UINT32_MAX;
	return 0;
}

/* Put a chain of count descriptors, taken from the free list in order, into the ring. */
static int make_available(struct drvq *dq, uint32_t count, uint16_t after, uint32_t capacity,
			  void *cookie)
{
	uint16_t head = dq->free_head;
	struct drvq_slot *slot = &dq->slots[head];

	dq->free_head = after;
	dq->free_count -= count;
	slot->cookie = cookie;
	slot->capacity = capacity;
	/* 32768 fits; a queue has no more. */
	slot->count = (uint16_t)count;
	slot->state = DRVQ_SLOT_ADDED;

	if (dq->pending == 0)
		dq->first_pending = head;
	else
		dq->slots[dq->last_pending].next_pending = head;
	dq->last_pending = head;
	dq->pending++;

	vring_store16(dq->avail, vring_avail_entry(ring_slot(dq, dq->avail_idx)), head);
	dq->avail_idx++;
	return head;
}

int drvq_add(struct drvq *dq, const struct drvq_buf *bufs, uint32_t readable, uint32_t writable,
	     void *cookie)
{
	uint32_t total = readable + writable;
	uint16_t id = dq->free_head;
	uint32_t capacity;
	int err;

	err = check_bufs(dq, bufs, readable, writable, &capacity);
	if (err != 0)
		return err;
	if (total > dq->free_count)
		return -ENOSPC;

	for (uint32_t i = 0; i < total; i++) {
		uint16_t next = dq->slots[id].next;

		put_desc(dq->desc, id, &bufs[i], piece_flags(i, readable, total),
			 i + 1 < total ? next : 0);
		id = next;
	}
	return make_available(dq, total, id, capacity, cookie);
}

int drvq_add_indirect(struct drvq *dq, const struct drvq_buf *bufs, uint32_t readable,
		      uint32_t writable, void *table, uint64_t table_addr, void *cookie)
{
	uint32_t total = readable + writable;
	struct drvq_buf whole;
	uint32_t capacity;
	int err;

	err = check_bufs(dq, bufs, readable, writable, &capacity);
	if (err != 0)
		return err;
	if (!has_feature(dq, VIRTIO_F_RING_INDIRECT_DESC) || !is_aligned(table, VRING_DESC_ALIGN))
		return -EINVAL;
	if (dq->free_count == 0)
		return -ENOSPC;

	for (uint32_t i = 0; i < total; i++)
		put_desc(table, i, &bufs[i], piece_flags(i, readable, total),
			 i + 1 < total ? (uint16_t)(i + 1) : 0);
	whole.addr = table_addr;
	whole.len = total * VRING_DESC_SIZE;
	put_desc(dq->desc, dq->free_head, &whole, VRING_DESC_F_INDIRECT, 0);
	return make_available(dq, 1, dq->slots[dq->free_head].next, capacity, cookie);
}

bool drvq_publish(struct drvq *dq)
{
	uint16_t published = (uint16_t)(dq->avail_idx - dq->pending);
	uint16_t head = dq->first_pending;

	if (dq->pending == 0 || dq->broken)
		return false;

	for (uint32_t i = 0; i < dq->pending; i++) {
		dq->slots[head].state = DRVQ_SLOT_OUTSTANDING;
		head = dq->slots[head].next_pending;
	}
	dq->outstanding += dq->pending;
	dq->pending = 0;

	/* Release: entries, descriptors and buffers are visible before the index is. */
	vring_store16_release(dq->avail, VRING_IDX, dq->avail_idx);
	/* Either the device sees the new index, or this side sees that it wants a kick. */
	vring_fence();
	if (has_feature(dq, VIRTIO_F_RING_EVENT_IDX))
		return vring_need_event(vring_load16(dq->used, vring_avail_event(dq->num)),
					dq->avail_idx, published);
	return (vring_load16(dq->used, VRING_FLAGS) & VRING_USED_F_NO_NOTIFY) == 0;
}

/*
 * Read used.idx once. The acquire pairs with the device's release of the same field: entries
 * and buffer contents below the index that is seen here are seen too.
 */
static int read_used_idx(struct drvq *dq)
{
	uint16_t idx = vring_load16_acquire(dq->used, VRING_IDX);
	uint32_t moved = (uint16_t)(idx - dq->last_used);

	if (moved > dq->outstanding)
		return drvq_break(dq, DRVQ_USED_JUMP, dq->outstanding, moved);
	dq->shadow_used = idx;
	return moved != 0;
}

static void put_used_event(struct drvq *dq, uint16_t idx)
{
	vring_store16(dq->avail, vring_used_event(dq->num), idx);
}

/* Look whether there is an entry to take; ask for a call when there is none. */
static int look_for_used(struct drvq *dq)
{
	int found = read_used_idx(dq);

	if (found != 0 || !dq->call_on || !has_feature(dq, VIRTIO_F_RING_EVENT_IDX) ||
	    dq->call_left != 0)
		return found;

	put_used_event(dq, dq->last_used);
	dq->call_left = 1;
	vring_fence();
	return read_used_idx(dq);
}

static void free_chain(struct drvq *dq, uint16_t head)
{
	struct drvq_slot *slot = &dq->slots[head];
	uint16_t tail = head;

	for (uint32_t i = 1; i < slot->count; i++)
		tail = dq->slots[tail].next;
	dq->slots[tail].next = dq->free_head;
	dq->free_head = head;
	dq->free_count += slot->count;
	slot->state = DRVQ_SLOT_IDLE;
}

int drvq_get(struct drvq *dq, struct drvq_used *used)
{
	const struct drvq_slot *slot;
	uint32_t id, len;
	uint64_t at;

	if (dq->broken)
		return -EPROTO;
	if (dq->last_used == dq->shadow_used) {
		int found = look_for_used(dq);

		if (found <= 0)
			return found;
	}

	at = vring_used_entry(ring_slot(dq, dq->last_used));
	id = vring_load32(dq->used, at);
	len = vring_load32(dq->used, at + 4);
	if (id >= dq->num)
		return drvq_break(dq, DRVQ_ID_RANGE, dq->num, id);
	slot = &dq->slots[id];
	if (slot->state != DRVQ_SLOT_OUTSTANDING)
		return drvq_break(dq, DRVQ_NOT_OUTSTANDING, dq->outstanding, id);

	used->cookie = slot->cookie;
	used->len = len;
	used->capacity = slot->capacity;
	used->head = (uint16_t)id;
	free_chain(dq, (uint16_t)id);
	dq->outstanding--;
	dq->last_used++;
	if (dq->call_left != 0)
		dq->call_left--;
	return 1;
}

void drvq_set_call(struct drvq *dq, bool on)
{
	if (on) {
		drvq_set_call_after(dq, 1);
		return;
	}
	dq->call_on = false;
	if (has_feature(dq, VIRTIO_F_RING_EVENT_IDX))
		put_used_event(dq, (uint16_t)(dq->last_used - 1));
	else
		vring_store16(dq->avail, VRING_FLAGS, VRING_AVAIL_F_NO_INTERRUPT);
}

void drvq_set_call_after(struct drvq *dq, uint16_t count)
{
	dq->call_on = true;
	dq->call_left = count;
	if (has_feature(dq, VIRTIO_F_RING_EVENT_IDX))
		put_used_event(dq, (uint16_t)(dq->last_used + count - 1));
	else
		vring_store16(dq->avail, VRING_FLAGS, 0);
	vring_fence();
}

const struct drvq_error *drvq_last_error(const struct drvq *dq)
{
	return &dq->error;
}

const char *drvq_error_text(enum drvq_error_type type)
{
	switch (type) {
	case DRVQ_USED_JUMP:
		return "used.idx moved by more than is outstanding";
	case DRVQ_ID_RANGE:
		return "used ring names a descriptor that does not exist";
	case DRVQ_NOT_OUTSTANDING:
		return "used ring names a chain that the device does not have";
	case DRVQ_OK:
		break;
	}
	return "";
}
