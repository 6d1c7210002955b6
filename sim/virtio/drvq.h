/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueue, driver side.
 *
 * Owns a ring: lays it out in memory that a device shares, makes buffers available, decides
 * whether the device wants a kick, and takes used entries back. The device is not trusted:
 * what the ring says is read once and checked against private notes (free list, outstanding
 * chains and their lengths), which lie outside shared memory. A device that breaks a rule is
 * described in struct drvq_error and the queue is broken until it is started again.
 *
 * One thread works on a queue at a time; the device may be another thread or process.
 *
 * Source: VIRTIO 1.2, section 2.7 "Split Virtqueues".
 */
#ifndef VIRTIO_DRVQ_H
#define VIRTIO_DRVQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtio/vring.h"

/* Where the parts of a ring lie, as byte offsets from its start. */
struct drvq_layout {
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
	uint64_t bytes; /* of the whole ring */
};

/* One piece of a chain: guest-physical address and length. */
struct drvq_buf {
	uint64_t addr;
	uint32_t len;
};

enum drvq_error_type {
	DRVQ_OK,
	DRVQ_USED_JUMP,	      /* used.idx: more than is outstanding, or a step back */
	DRVQ_ID_RANGE,	      /* id names a descriptor that does not exist */
	DRVQ_NOT_OUTSTANDING, /* id is not the head of a chain that the device has */
};

/* What the device did wrong. expected is the bound, seen what came. */
struct drvq_error {
	enum drvq_error_type type;
	uint64_t expected;
	uint64_t seen;
};

/*
 * A chain that came back. len is what the device said and may be above capacity: existing
 * rpmsg devices write the whole descriptor length even for device-readable buffers, so that
 * judging it is left to the caller. Never use it as a length without looking at capacity.
 */
struct drvq_used {
	void *cookie; /* as given to drvq_add() */
	uint32_t len;
	uint32_t capacity; /* bytes of the chain that the device may write */
	uint16_t head;
};

enum drvq_slot_state {
	DRVQ_SLOT_IDLE,	       /* no head of a chain */
	DRVQ_SLOT_ADDED,       /* added, not published */
	DRVQ_SLOT_OUTSTANDING, /* the device has it */
};

/* What this side knows of a descriptor; the first three are set in the head of a chain. */
struct drvq_slot {
	void *cookie;
	uint32_t capacity;
	uint16_t count;	       /* descriptors of the ring that the chain takes */
	uint16_t next;	       /* link in a chain or in the free list */
	uint16_t next_pending; /* next head that was added and not published */
	uint8_t state;	       /* enum drvq_slot_state */
};

struct drvq {
	void *desc, *avail, *used; /* shared with the device */
	struct drvq_slot *slots;   /* num entries */
	uint64_t features;
	uint32_t num;
	uint32_t free_count;
	uint32_t outstanding; /* chains that were published and not got back */
	uint32_t pending;     /* chains that were added and not published */
	uint16_t free_head;
	uint16_t first_pending, last_pending;
	uint16_t avail_idx; /* next entry to fill */
	uint16_t last_used;
	uint16_t shadow_used; /* used.idx as last read */
	uint16_t call_left;   /* entries to take until used_event lies behind (EVENT_IDX) */
	bool call_on;
	bool broken;
	struct drvq_error error;
};

/**
 * drvq_layout() - where the parts of a ring go when they follow each other
 * @layout: result; offsets are aligned when the ring's start is aligned to VRING_DESC_ALIGN
 * @num: entries, a power of two from 1 to VRING_MAX_SIZE
 *
 * Return: 0, or -EINVAL for a bad @num.
 */
int drvq_layout(struct drvq_layout *layout, uint32_t num);

/**
 * drvq_start() - make an empty ring
 * @dq: queue of zero bytes, or stopped
 * @memory: ring, shared with the device, its parts are cleared
 * @layout: where its parts are; any places will do that do not overlap and are aligned
 * @num: entries, a power of two from 1 to VRING_MAX_SIZE
 * @features: negotiated bits; RING_EVENT_IDX and RING_INDIRECT_DESC are looked at
 *
 * Interrupts are on. The notes of this side are allocated here and nowhere else.
 *
 * Return: 0; -EINVAL for a bad @num or misaligned parts; -EBUSY when started; -ENOMEM.
 */
int drvq_start(struct drvq *dq, void *memory, const struct drvq_layout *layout, uint32_t num,
	       uint64_t features);

/**
 * drvq_stop() - forget everything, outstanding chains included; the ring is not touched
 * @dq: started queue, or one of zero bytes
 */
void drvq_stop(struct drvq *dq);

/**
 * drvq_add() - make a chain of descriptors, not visible before drvq_publish()
 * @dq: started queue
 * @bufs: device-readable pieces, then device-writable ones
 * @readable: number of readable pieces
 * @writable: number of writable pieces
 * @cookie: handed back by drvq_get()
 *
 * Return: head; -EINVAL without a piece or for more than 4 GiB in all; -ENOSPC when too few
 * descriptors are free; -EPROTO when the queue is broken.
 */
int drvq_add(struct drvq *dq, const struct drvq_buf *bufs, uint32_t readable, uint32_t writable,
	     void *cookie);

/**
 * drvq_add_indirect() - the same through a table, which takes one descriptor of the ring
 * @dq: started queue with RING_INDIRECT_DESC
 * @bufs: device-readable pieces, then device-writable ones
 * @readable: number of readable pieces
 * @writable: number of writable pieces
 * @table: room for one VRING_DESC_SIZE a piece, aligned to VRING_DESC_ALIGN, in memory that the
 *	device sees; belongs to the device until the chain comes back
 * @table_addr: its guest-physical address
 * @cookie: handed back by drvq_get()
 *
 * Return: as drvq_add(); also -EINVAL without the feature or for more pieces than the queue
 * has entries (VIRTIO 1.2, section 2.7.5.3.1).
 */
int drvq_add_indirect(struct drvq *dq, const struct drvq_buf *bufs, uint32_t readable,
		      uint32_t writable, void *table, uint64_t table_addr, void *cookie);

/**
 * drvq_publish() - show the device what was added
 * @dq: started queue
 *
 * Return: true when the device wants a kick for it: NO_NOTIFY or avail_event are looked at
 * once, after a full barrier (VIRTIO 1.2, section 2.7.13.4).
 */
bool drvq_publish(struct drvq *dq);

/**
 * drvq_get() - take a chain back
 * @dq: started queue
 * @used: result
 *
 * When nothing is left and interrupts are on, the device is asked for a call and the ring is
 * looked at once more, so that after 0 it is safe to sleep.
 *
 * Return: 1 when @used is set; 0 when nothing came back; -EPROTO when the queue is or becomes
 * broken (see drvq_last_error()).
 */
int drvq_get(struct drvq *dq, struct drvq_used *used);

/**
 * drvq_may_get() - is there perhaps something for drvq_get()?
 * @dq: started queue
 *
 * One look at the ring, which asks for no call and judges nothing.
 *
 * Return: false when drvq_get() would have returned 0.
 */
static inline bool drvq_may_get(const struct drvq *dq)
{
	return dq->broken || dq->last_used != dq->shadow_used ||
	       vring_load16(dq->used, VRING_IDX) != dq->last_used;
}

/**
 * drvq_set_call() - ask the device for interrupts, or for none
 * @dq: started queue
 * @on: false while polling
 *
 * After switching on, call drvq_get() until it returns 0 before going to sleep (VIRTIO 1.2,
 * section 2.7.7): an entry used before the device saw the request comes without a call.
 */
void drvq_set_call(struct drvq *dq, bool on);

/**
 * drvq_set_call_after() - interrupts on, but only after so many further used entries
 * @dq: started queue
 * @count: used entries from the last one taken, 1 for the next, at most as many as are or
 *	will be outstanding; without RING_EVENT_IDX the device calls for each all the same
 *
 * Holds once; then each is called for again.
 */
void drvq_set_call_after(struct drvq *dq, uint16_t count);

/**
 * drvq_last_error() - why a queue is broken
 * @dq: queue
 *
 * Return: description; its type is DRVQ_OK while the queue is not broken.
 */
const struct drvq_error *drvq_last_error(const struct drvq *dq);

/**
 * drvq_error_text() - one line that says what a device did wrong
 * @type: kind
 *
 * Return: text; "" for DRVQ_OK and unknown numbers.
 */
const char *drvq_error_text(enum drvq_error_type type);

#endif /* VIRTIO_DRVQ_H */
