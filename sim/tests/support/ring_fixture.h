/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtqueue with both ends in one process, for tests: guest memory of two regions that
 * adjoin in guest-physical addresses and nowhere else, a ring of exactly the bytes that it
 * needs, and helpers that write into the ring what no driver of ours would write.
 */
#ifndef SUPPORT_RING_FIXTURE_H
#define SUPPORT_RING_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio/drvq.h"
#include "virtio/gmem.h"
#include "virtio/virtq.h"

#define RING_REGION_SIZE 0x10000U
#define RING_LOW 0x40000000U			/* guest-physical start of the first region */
#define RING_HIGH (RING_LOW + RING_REGION_SIZE) /* of the second, which adjoins it */
#define RING_END (RING_HIGH + RING_REGION_SIZE) /* first byte that is no memory */
#define RING_LOW_USER UINT64_C(0x7f0000000000)	/* the front-end sees them apart */
#define RING_HIGH_USER UINT64_C(0x7f8000000000)

#define RING_INDEX 1 /* virtqueue number in reports */
#define RING_MAX_REPORTS 8

struct ring {
	struct gmem mem;
	struct virtq vq; /* device side */
	struct drvq dq;	 /* driver side */
	struct drvq_layout layout;
	struct virtq_rings rings;
	uint8_t *memory; /* of the ring: exactly layout.bytes, so that asan sees an overrun */
	uint8_t *low, *high;
	struct violation_sink sink;
	struct violation_record reports[RING_MAX_REPORTS];
	unsigned int report_count;
	uint32_t num;
	uint64_t features;
	uint16_t offered; /* avail.idx as the ring_offer functions wrote it */
};

/* Guest memory, an empty ring of num entries, driver and device started at index 0. */
void ring_setup(struct ring *ring, uint32_t num, uint64_t features);

void ring_teardown(struct ring *ring);

/* A new session of the device, all indices of the ring at base and nothing available. */
void ring_restart_at(struct ring *ring, uint16_t base);

/* Memory of this process behind a guest-physical address. */
uint8_t *ring_host(struct ring *ring, uint64_t guest_addr);

/* Write a descriptor of the ring. */
void ring_put_desc(struct ring *ring, uint16_t id, uint64_t addr, uint32_t len, uint16_t flags,
		   uint16_t next);

/* Write a descriptor into guest memory, as entry i of an indirect table at table. */
void ring_put_indirect(struct ring *ring, uint64_t table, uint16_t i, uint64_t addr, uint32_t len,
		       uint16_t flags, uint16_t next);

/* Put a head into the available ring and advance its index. */
void ring_offer(struct ring *ring, uint16_t head);

/* ring_put_desc() of one descriptor without flags but WRITE, and ring_offer(). */
void ring_offer_buffer(struct ring *ring, uint16_t id, uint64_t addr, uint32_t len, bool writable);

/* What stands in the ring. */
uint16_t ring_used_idx(const struct ring *ring);
uint16_t ring_used_flags(const struct ring *ring);
uint16_t ring_avail_event(const struct ring *ring);
uint32_t ring_used_id(const struct ring *ring, uint32_t slot);
uint32_t ring_used_len(const struct ring *ring, uint32_t slot);

/* What a hostile or an honest driver may write. */
void ring_set_avail_idx(struct ring *ring, uint16_t idx);
void ring_set_avail_flags(struct ring *ring, uint16_t flags);
void ring_set_used_event(struct ring *ring, uint16_t idx);

/* What a hostile or an honest device may write. */
void ring_set_used(struct ring *ring, uint32_t slot, uint32_t id, uint32_t len);
void ring_set_used_idx(struct ring *ring, uint16_t idx);
void ring_set_used_flags(struct ring *ring, uint16_t flags);
void ring_set_avail_event(struct ring *ring, uint16_t idx);

/*
 * Fail the test unless popping breaks the queue with exactly this report, and the queue stays
 * broken.
 */
void ring_assert_violation(struct ring *ring, enum violation what, int32_t desc_id,
			   uint64_t expected, uint64_t seen);

#endif /* SUPPORT_RING_FIXTURE_H */
