/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/ring_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/bytes.h"

static void record(void *ctx, const struct violation_record *what)
{
	struct ring *ring = ctx;

	if (ring->report_count < RING_MAX_REPORTS)
		ring->reports[ring->report_count] = *what;
	ring->report_count++;
}

static void *aligned_zero(size_t alignment, size_t size)
{
	void *at = NULL;

	assert_int_equal(posix_memalign(&at, alignment, size), 0);
	memset(at, 0, size);
	return at;
}

void ring_setup(struct ring *ring, uint32_t num, uint64_t features)
{
	struct gmem_region low = {RING_LOW, RING_REGION_SIZE, RING_LOW_USER, NULL};
	struct gmem_region high = {RING_HIGH, RING_REGION_SIZE, RING_HIGH_USER, NULL};

	memset(ring, 0, sizeof(*ring));
	ring->sink.report = record;
	ring->sink.ctx = ring;
	ring->num = num;
	ring->features = features;

	low.host = ring->low = aligned_zero(GMEM_LOG_PAGE, RING_REGION_SIZE);
	high.host = ring->high = aligned_zero(GMEM_LOG_PAGE, RING_REGION_SIZE);
	gmem_init(&ring->mem);
	assert_int_equal(gmem_add(&ring->mem, &low), 0);
	assert_int_equal(gmem_add(&ring->mem, &high), 0);

	assert_int_equal(drvq_layout(&ring->layout, num), 0);
	ring->memory = aligned_zero(VRING_DESC_ALIGN, ring->layout.bytes);
	assert_int_equal(drvq_start(&ring->dq, ring->memory, &ring->layout, num, features), 0);
	ring->rings.desc = ring->memory + ring->layout.desc;
	ring->rings.avail = ring->memory + ring->layout.avail;
	ring->rings.used = ring->memory + ring->layout.used;

	virtq_init(&ring->vq, RING_INDEX, &ring->sink);
	assert_int_equal(virtq_start(&ring->vq, &ring->mem, num, &ring->rings, 0, features), 0);
}

void ring_teardown(struct ring *ring)
{
	virtq_stop(&ring->vq);
	drvq_stop(&ring->dq);
	free(ring->memory);
	free(ring->low);
	free(ring->high);
}

void ring_restart_at(struct ring *ring, uint16_t base)
{
	virtq_stop(&ring->vq);
	ring_set_avail_idx(ring, base);
	ring_set_used_idx(ring, base);
	ring->offered = base;
	ring->report_count = 0;
	assert_int_equal(
		virtq_start(&ring->vq, &ring->mem, ring->num, &ring->rings, base, ring->features),
		0);
}

uint8_t *ring_host(struct ring *ring, uint64_t guest_addr)
{
	assert_in_range(guest_addr, RING_LOW, RING_END - 1);
	return guest_addr < RING_HIGH ? ring->low + (guest_addr - RING_LOW)
				      : ring->high + (guest_addr - RING_HIGH);
}

static void put_raw_desc(uint8_t *at, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	wire_put_le64(at, addr);
	wire_put_le32(at + 8, len);
	wire_put_le16(at + 12, flags);
	wire_put_le16(at + 14, next);
}

void ring_put_desc(struct ring *ring, uint16_t id, uint64_t addr, uint32_t len, uint16_t flags,
		   uint16_t next)
{
	put_raw_desc((uint8_t *)ring->rings.desc + (size_t)VRING_DESC_SIZE * id, addr, len, flags,
		     next);
}

void ring_put_indirect(struct ring *ring, uint64_t table, uint16_t i, uint64_t addr, uint32_t len,
		       uint16_t flags, uint16_t next)
{
	uint8_t raw[VRING_DESC_SIZE];

	put_raw_desc(raw, addr, len, flags, next);
	assert_int_equal(
		gmem_write(&ring->mem, table + (uint64_t)VRING_DESC_SIZE * i, raw, sizeof(raw)), 0);
}

void ring_offer(struct ring *ring, uint16_t head)
{
	vring_store16(ring->rings.avail, vring_avail_entry(ring->offered & (ring->num - 1)), head);
	ring->offered++;
	ring_set_avail_idx(ring, ring->offered);
}

void ring_offer_buffer(struct ring *ring, uint16_t id, uint64_t addr, uint32_t len, bool writable)
{
	ring_put_desc(ring, id, addr, len, writable ? VRING_DESC_F_WRITE : 0, 0);
	ring_offer(ring, id);
}

uint16_t ring_used_idx(const struct ring *ring)
{
	return vring_load16_acquire(ring->rings.used, VRING_IDX);
}

uint16_t ring_used_flags(const struct ring *ring)
{
	return vring_load16(ring->rings.used, VRING_FLAGS);
}

uint16_t ring_avail_event(const struct ring *ring)
{
	return vring_load16(ring->rings.used, vring_avail_event(ring->num));
}

uint32_t ring_used_id(const struct ring *ring, uint32_t slot)
{
	return vring_load32(ring->rings.used, vring_used_entry(slot));
}

uint32_t ring_used_len(const struct ring *ring, uint32_t slot)
{
	return vring_load32(ring->rings.used, vring_used_entry(slot) + 4);
}

void ring_set_avail_idx(struct ring *ring, uint16_t idx)
{
	vring_store16_release(ring->rings.avail, VRING_IDX, idx);
}

void ring_set_avail_flags(struct ring *ring, uint16_t flags)
{
	vring_store16(ring->rings.avail, VRING_FLAGS, flags);
}

void ring_set_used_event(struct ring *ring, uint16_t idx)
{
	vring_store16(ring->rings.avail, vring_used_event(ring->num), idx);
}

void ring_set_used(struct ring *ring, uint32_t slot, uint32_t id, uint32_t len)
{
	vring_store32(ring->rings.used, vring_used_entry(slot), id);
	vring_store32(ring->rings.used, vring_used_entry(slot) + 4, len);
}

void ring_set_used_idx(struct ring *ring, uint16_t idx)
{
	vring_store16_release(ring->rings.used, VRING_IDX, idx);
}

void ring_set_used_flags(struct ring *ring, uint16_t flags)
{
	vring_store16(ring->rings.used, VRING_FLAGS, flags);
}

void ring_set_avail_event(struct ring *ring, uint16_t idx)
{
	vring_store16(ring->rings.used, vring_avail_event(ring->num), idx);
}

void ring_assert_violation(struct ring *ring, enum violation what, int32_t desc_id,
			   uint64_t expected, uint64_t seen)
{
	const struct violation_record *report = &ring->reports[0];
	struct virtq_chain chain;

	assert_int_equal(virtq_pop(&ring->vq, &chain), -EPROTO);
	assert_int_equal(ring->report_count, 1);
	assert_string_equal(violation_name(report->what), violation_name(what));
	assert_int_equal(report->queue, RING_INDEX);
	assert_int_equal(report->desc_id, desc_id);
	assert_int_equal(report->expected, expected);
	assert_int_equal(report->seen, seen);

	assert_true(ring->vq.broken);
	assert_int_equal(virtq_pop(&ring->vq, &chain), -EPROTO);
	assert_int_equal(ring->report_count, 1);
}
