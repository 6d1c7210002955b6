/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueue, device side.
 *
 * Everything in the rings and in descriptors belongs to the driver and may change at any
 * moment: each index and descriptor is read once, into the queue's own memory, and checked
 * there. A driver that breaks a rule is reported through the violation sink and the queue is
 * marked broken, which lasts until it is started again; a broken queue pops nothing and
 * publishes nothing, and the process goes on.
 *
 * What expected and seen mean in the reports of this floor; desc_id is a descriptor of the
 * ring, for a fault inside an indirect table the one that refers to the table:
 *
 *	VQ_AVAIL_JUMP		queue size / entries waiting if avail.idx were believed
 *	VQ_HEAD_RANGE		queue size / head
 *	VQ_NEXT_RANGE		entries of the table / next
 *	VQ_LOOP			queue size / descriptors that the chain has at least
 *	VQ_ADDRESS		length / address of the range that is not memory
 *	VQ_ORDER		VRING_DESC_F_WRITE / flags
 *	VQ_INDIRECT_OFF, _NESTED	0 / flags
 *	VQ_INDIRECT_NEXT	VRING_DESC_F_INDIRECT / flags
 *	VQ_INDIRECT_SIZE	size of an entry / length of the table
 *	VQ_INFLIGHT		0 / head
 *	VQ_TOTAL_LENGTH		4 GiB / bytes so far
 *
 * Source: VIRTIO 1.2, section 2.7 "Split Virtqueues".
 */
#ifndef VIRTIO_VIRTQ_H
#define VIRTIO_VIRTQ_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "virtio/gmem.h"
#include "virtio/vring.h"
#include "wire/bytes.h"
#include "wire/violation.h"

/* One descriptor as it was read: a private copy, address and length checked. */
struct virtq_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

/*
 * A popped chain. Readable descriptors come first. The descs array lies in the queue and is
 * valid until the next virtq_pop() of that queue; head and the counts are all that is needed
 * to give the chain back later.
 */
struct virtq_chain {
	const struct virtq_desc *descs;
	/*
	 * The driver's bytes where the chain is one descriptor in one region, else NULL. For use
	 * at once, with nothing in between that may change the memory map.
	 */
	uint8_t *at;
	uint32_t desc_count; /* readable and writable; of an indirect table, its entries */
	uint32_t readable_count;
	uint32_t readable; /* bytes; UINT32_MAX also stands for 4 GiB, which is legal */
	uint32_t writable; /* bytes; the same */
	uint16_t head;
	bool indirect;
};

/* Where the parts of a ring lie in this process, and where the used ring is logged. */
struct virtq_rings {
	void *desc;
	void *avail;
	void *used;
	uint64_t used_log_addr; /* guest-physical address for the dirty log */
	bool used_logged;
};

struct virtq {
	struct virtq_rings rings;
	struct gmem *mem;
	const struct violation_sink *sink;
	struct virtq_desc *chain; /* private copies of the chain popped last, num entries */
	uint8_t *inflight;	  /* for each head: popped and not given back */
	uint64_t features;
	uint32_t num;
	uint32_t serving; /* num while started and not broken, else 0: one test for all */
	uint32_t inflight_count;
	int index; /* virtqueue number, for reports */
	uint16_t last_avail;
	uint16_t shadow_avail; /* avail.idx as last read */
	uint16_t used_idx;     /* next entry to fill */
	uint16_t published;    /* used.idx as the driver sees it */
	uint16_t signalled;    /* published when calling the driver was last judged */
	uint16_t avail_event;  /* as last written (EVENT_IDX) */
	uint32_t kicks_asked;  /* times that it was written */
	bool signalled_valid;
	bool notify_on; /* the driver is asked for kicks */
	bool started;
	bool broken;
};

/**
 * virtq_init() - prepare a queue that is not started
 * @vq: queue
 * @index: virtqueue number, for reports
 * @sink: where violations go; may be NULL
 */
void virtq_init(struct virtq *vq, int index, const struct violation_sink *sink);

/**
 * virtq_start() - begin to serve a ring
 * @vq: initialised queue that is not started
 * @mem: guest memory; has to outlive the session
 * @num: entries, a power of two from 1 to VRING_MAX_SIZE
 * @rings: parts of the ring, in memory of this process; sizes and alignment were checked
 * @base: avail index to go on from; the used index is read from the ring
 * @features: negotiated bits
 *
 * Allocates the scratch chain and the in-flight map: the only allocation of a queue's life.
 *
 * Return: 0; -EINVAL for a bad @num; -EBUSY when started; -ENOMEM.
 */
int virtq_start(struct virtq *vq, struct gmem *mem, uint32_t num, const struct virtq_rings *rings,
		uint16_t base, uint64_t features);

/**
 * virtq_stop() - stop serving; memory of the ring is not touched afterwards
 * @vq: queue; one that is not started is left alone
 *
 * What was pushed and not flushed is never published.
 *
 * Return: avail index from which a later session would go on.
 */
uint16_t virtq_stop(struct virtq *vq);

/**
 * virtq_move() - the ring is mapped at other addresses now (memory table changed)
 * @vq: started queue
 * @rings: new places of the same ring
 */
void virtq_move(struct virtq *vq, const struct virtq_rings *rings);

/**
 * virtq_break() - mark a queue broken and report why
 * @vq: queue
 * @what: reason
 * @desc_id: descriptor or VIOLATION_NO_DESC
 * @expected: what the rule asks for
 * @seen: what was found
 *
 * Only the first reason is reported: nothing that a broken queue says counts any more.
 *
 * Return: -EPROTO, so that a caller can return it.
 */
int virtq_break(struct virtq *vq, enum violation what, int32_t desc_id, uint64_t expected,
		uint64_t seen);

/**
 * virtq_avail_count() - entries that the driver has made available and that were not popped
 * @vq: started queue
 *
 * Reads avail.idx afresh and judges it (VQ-001). When the count is 0 and notifications are
 * on, the driver is guaranteed to kick for the next entry; while entries wait, further ones
 * may come without a kick, since the driver may take it that they will be found.
 *
 * Return: count; 0 when not started; -EPROTO when the queue is or becomes broken.
 */
int virtq_avail_count(struct virtq *vq);

/*
 * What follows up to virtq_write() is in line because every message takes this way; what is rare
 * on it is a function at its end, so that little has to be saved for it.
 */
int virtq_pop_chain(struct virtq *vq, struct virtq_chain *chain, uint16_t head);
void virtq_refuse_head(struct virtq *vq, uint16_t head);
int64_t virtq_read_pieces(struct virtq *vq, const struct virtq_chain *chain, uint64_t offset,
			  void *to, size_t size);
void virtq_log_used(struct virtq *vq, uint64_t offset, uint64_t size);

static inline struct virtq_desc virtq_load_desc(const struct virtq *vq, uint16_t id)
{
	uint64_t at = (uint64_t)VRING_DESC_SIZE * id;
	uint64_t word = vring_load64(vq->rings.desc, at + 8);

	return (struct virtq_desc){
		.addr = vring_load64(vq->rings.desc, at),
		.len = (uint32_t)word,
		.flags = (uint16_t)(word >> 32),
		.next = (uint16_t)(word >> 48),
	};
}

static inline void virtq_take(struct virtq *vq, uint16_t head)
{
	vq->inflight[head] = 1;
	vq->inflight_count++;
	vq->last_avail++;
}

/* A popped chain of one descriptor in one region: the shape that rpmsg drivers use. */
struct virtq_piece {
	uint8_t *at; /* the driver's bytes; see struct virtq_chain */
	uint32_t len;
	uint16_t head;
	bool writable; /* by the device, and not readable */
};

#define VIRTQ_PIECE 2

/**
 * virtq_peek_piece() - look at the next chain, and leave it there when it is one descriptor
 * @vq: started queue
 * @chain: result for any other chain, which is popped
 * @piece: result for these; virtq_take() pops it, virtq_use_piece() gives it back
 *
 * Return: VIRTQ_PIECE when @piece is set; otherwise as virtq_pop().
 */
static inline int virtq_peek_piece(struct virtq *vq, struct virtq_chain *chain,
				   struct virtq_piece *piece)
{
	struct virtq_desc desc;
	uint16_t head;

	if (__builtin_expect(vq->serving == 0 || vq->last_avail == vq->shadow_avail, 0)) {
		int count = virtq_avail_count(vq);

		if (count <= 0)
			return count;
	}

	head = vring_load16(vq->rings.avail, vring_avail_entry(vq->last_avail & (vq->serving - 1)));
	if (__builtin_expect(head >= vq->serving || vq->inflight[head] != 0, 0)) {
		virtq_refuse_head(vq, head);
		return -EPROTO;
	}

	desc = virtq_load_desc(vq, head);
	*vq->chain = desc;
	if (__builtin_expect((desc.flags & (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT)) != 0 ||
				     !gmem_hit(vq->mem, desc.addr, desc.len),
			     0))
		return virtq_pop_chain(vq, chain, head) < 0 ? -EPROTO : 1;

	piece->at = gmem_hit_at(vq->mem, desc.addr);
	piece->len = desc.len;
	piece->head = head;
	piece->writable = (desc.flags & VRING_DESC_F_WRITE) != 0;
	return VIRTQ_PIECE;
}

/**
 * virtq_pop_piece() - virtq_pop() for who prefers chains of one descriptor
 * @vq: started queue
 * @chain: result for any other chain
 * @piece: result for these
 *
 * Return: VIRTQ_PIECE when @piece is set; otherwise as virtq_pop().
 */
static inline int virtq_pop_piece(struct virtq *vq, struct virtq_chain *chain,
				  struct virtq_piece *piece)
{
	int ret = virtq_peek_piece(vq, chain, piece);

	if (ret == VIRTQ_PIECE)
		virtq_take(vq, piece->head);
	return ret;
}

/**
 * virtq_piece_chain() - a piece as what virtq_pop() would have made of it
 * @vq: queue that it was popped from, before its next pop
 * @piece: piece
 * @chain: set
 */
static inline void virtq_piece_chain(const struct virtq *vq, const struct virtq_piece *piece,
				     struct virtq_chain *chain)
{
	*chain = (struct virtq_chain){
		.descs = vq->chain,
		.at = piece->at,
		.desc_count = 1,
		.readable_count = !piece->writable,
		.readable = piece->writable ? 0 : piece->len,
		.writable = piece->writable ? piece->len : 0,
		.head = piece->head,
	};
}

/**
 * virtq_pop() - take the next chain
 * @vq: started queue
 * @chain: result
 *
 * Work is bounded by the queue size whatever the chain looks like; every address is checked
 * against guest memory (VQ-002 to VQ-012). With RING_INDIRECT_DESC the last descriptor of a
 * chain may refer to one table. The table itself may have any number of entries, but a chain
 * of more than the queue's size is VQ_LOOP there as it is in the ring (2.7.5.3.1). A
 * descriptor without bytes is legal, wherever it points. After 0 the next entry is announced
 * by a kick as virtq_avail_count() says.
 *
 * Return: 1 when @chain is set; 0 when nothing is available or the queue is not started;
 * -EPROTO when the queue is or becomes broken.
 */
static inline int virtq_pop(struct virtq *vq, struct virtq_chain *chain)
{
	struct virtq_piece piece;
	int ret = virtq_pop_piece(vq, chain, &piece);

	if (ret != VIRTQ_PIECE)
		return ret;
	virtq_piece_chain(vq, &piece, chain);
	return 1;
}

/* Does a range lie inside one descriptor, and that part in the region hit last? */
static inline bool virtq_is_plain(const struct virtq *vq, const struct virtq_desc *desc,
				  uint64_t offset, size_t size)
{
	return offset <= desc->len && size <= desc->len - offset &&
	       gmem_hit(vq->mem, desc->addr + offset, size);
}

/**
 * virtq_read() - copy bytes out of the device-readable part of a chain
 * @vq: queue that the chain was popped from, before its next pop
 * @chain: chain
 * @offset: first byte, counted over all readable descriptors
 * @to: private memory
 * @size: bytes
 *
 * Return: bytes copied, fewer than @size at the end of the chain; -EFAULT when memory went
 * away since the pop.
 */
static inline int64_t virtq_read(struct virtq *vq, const struct virtq_chain *chain, uint64_t offset,
				 void *to, size_t size)
{
	const struct virtq_desc *first = chain->descs;

	if (chain->readable_count == 0 || !virtq_is_plain(vq, first, offset, size))
		return virtq_read_pieces(vq, chain, offset, to, size);
	guest_read_hook(gmem_hit_at(vq->mem, first->addr + offset), size);
	memcpy(to, gmem_hit_at(vq->mem, first->addr + offset), wire_unbounded(size));
	/* The copy is what gets checked: forbid the compiler to go back to its source. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return (int64_t)size;
}

/**
 * virtq_piece_read() - copy bytes out of a piece that was popped just now
 * @piece: piece
 * @offset: first byte
 * @to: private memory
 * @size: bytes, within the piece; each is read once
 */
static inline void virtq_piece_read(const struct virtq_piece *piece, uint32_t offset, void *to,
				    size_t size)
{
	guest_read_hook(piece->at + offset, size);
	memcpy(to, piece->at + offset, wire_unbounded(size));
	/* The copy is what gets checked: forbid the compiler to go back to its source. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/**
 * virtq_ahead() - where a message lies that will be popped soon
 * @vq: started queue
 * @distance: entries from the next one to pop
 * @size: bytes that are looked at
 *
 * For prefetching and nothing else: nothing of it was judged, and all of it may be another by the
 * time that it is popped.
 *
 * Return: address of at least @size bytes of guest memory; NULL when nothing is known there.
 */
static inline const uint8_t *virtq_ahead(const struct virtq *vq, uint16_t distance, uint32_t size)
{
	uint16_t idx = (uint16_t)(vq->last_avail + distance);
	uint64_t addr;
	uint16_t head;

	if (!GUEST_READ_AHEAD || vq->serving == 0 ||
	    (uint16_t)(vq->shadow_avail - vq->last_avail) <= distance)
		return NULL;
	head = vring_load16(vq->rings.avail, vring_avail_entry(idx & (vq->serving - 1)));
	if (head >= vq->serving)
		return NULL;
	addr = vring_load64(vq->rings.desc, (uint64_t)VRING_DESC_SIZE * head);
	return gmem_hit(vq->mem, addr, size) ? gmem_hit_at(vq->mem, addr) : NULL;
}

/**
 * virtq_write_at() - where a message can be written in one piece
 * @vq: queue that the chain was popped from, with nothing in between
 * @chain: chain
 * @size: bytes from the start of its device-writable part
 *
 * For writing only: what lies there is the driver's, and may change at any moment.
 *
 * Return: address, or NULL when it takes virtq_write(): several pieces, a region that was not hit
 * last, or a dirty log.
 */
static inline uint8_t *virtq_write_at(const struct virtq *vq, const struct virtq_chain *chain,
				      size_t size)
{
	return size <= chain->writable && vq->mem->log == NULL ? chain->at : NULL;
}

static inline void virtq_put_used(struct virtq *vq, uint32_t id, uint32_t used_len)
{
	uint64_t offset = vring_used_entry(vq->used_idx & (vq->serving - 1));
	void *used = vq->rings.used;

	vring_store32(used, offset, id);
	vring_store32(used, offset + 4, used_len);
	if (__builtin_expect(vq->rings.used_logged, 0))
		virtq_log_used(vq, offset, 8);
	vq->used_idx++;
}

/**
 * virtq_use_piece() - take a piece and push it, which nobody can have seen outstanding in between
 * @vq: queue of which it was peeked, with nothing in between
 * @piece: piece
 * @used_len: bytes written into it
 */
static inline void virtq_use_piece(struct virtq *vq, const struct virtq_piece *piece,
				   uint32_t used_len)
{
	vq->last_avail++;
	virtq_put_used(vq, piece->head, used_len);
}

/**
 * virtq_push() - put a chain into the used ring; the driver sees it after virtq_flush()
 * @vq: queue
 * @head: head of a popped chain
 * @used_len: bytes written into its device-writable part
 *
 * Return: 0; -EINVAL when @head is not outstanding or the queue not started (a bug of the
 * caller: nothing is written); -EPROTO when the queue is broken.
 */
static inline int virtq_push(struct virtq *vq, uint16_t head, uint32_t used_len)
{
	if (__builtin_expect(head >= vq->serving || vq->inflight[head] == 0, 0))
		return vq->broken ? -EPROTO : -EINVAL;

	vq->inflight[head] = 0;
	vq->inflight_count--;
	virtq_put_used(vq, head, used_len);
	return 0;
}

/**
 * virtq_write() - copy bytes into the device-writable part of a chain
 * @vq: queue that the chain was popped from, before its next pop
 * @chain: chain
 * @offset: first byte, counted over all writable descriptors
 * @from: private memory
 * @size: bytes
 *
 * Return: bytes copied, fewer than @size at the end of the chain; -EFAULT.
 */
int64_t virtq_write(struct virtq *vq, const struct virtq_chain *chain, uint64_t offset,
		    const void *from, size_t size);

/**
 * virtq_push_raw() - put any id and length into the used ring (faults only)
 * @vq: queue
 * @id: le32 id field, unchecked
 * @used_len: le32 len field, unchecked
 *
 * The in-flight map is not changed.
 *
 * Return: 0; -EINVAL when not started; -EPROTO when the queue is broken.
 */
int virtq_push_raw(struct virtq *vq, uint32_t id, uint32_t used_len);

/**
 * virtq_unpop() - give the chain popped last back to the driver's side of the ring
 * @vq: queue
 * @chain: the chain popped last, not pushed
 *
 * The next virtq_pop() reads and judges it afresh. No kick announces it. Several chains can
 * be given back, the one popped last first.
 */
void virtq_unpop(struct virtq *vq, const struct virtq_chain *chain);

/**
 * virtq_flush() - publish what was pushed
 * @vq: queue
 *
 * Return: true when the driver wants to be called for it: NO_INTERRUPT or used_event are
 * looked at once, after a full barrier (VIRTIO 1.2, section 2.7.7). With EVENT_IDX the first
 * answer of a session is always true. False when nothing was pushed or the queue is broken.
 */
bool virtq_flush(struct virtq *vq);

/**
 * virtq_skip_used() - count an entry of the used ring that nothing was written to (faults only)
 * @vq: started queue
 */
void virtq_skip_used(struct virtq *vq);

/**
 * virtq_flush_as() - publish what was pushed, but show another index (faults only)
 * @vq: queue
 * @idx: what the driver sees as used.idx until the next flush
 *
 * Return: as virtq_flush(), which goes by the true index.
 */
bool virtq_flush_as(struct virtq *vq, uint16_t idx);

/**
 * virtq_set_notify() - ask the driver for kicks, or for none
 * @vq: started queue
 * @on: true before going to sleep, false while polling
 *
 * After switching on, look at virtq_avail_count() once more: a buffer made available before
 * the driver saw the request comes without a kick (VIRTIO 1.2, section 2.7.10).
 */
void virtq_set_notify(struct virtq *vq, bool on);

#endif /* VIRTIO_VIRTQ_H */
