/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Layout of the split virtqueue and the feature bits that concern it; shared by the device
 * side (virtq) and the driver side (drvq). Source: VIRTIO 1.2, section 2.7.
 */
#ifndef VIRTIO_VRING_H
#define VIRTIO_VRING_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtio/read_hook.h"

#define VRING_MAX_SIZE 32768U

#define VRING_DESC_SIZE 16U /* le64 addr, le32 len, le16 flags, le16 next */
#define VRING_DESC_ALIGN 16U
#define VRING_AVAIL_ALIGN 2U
#define VRING_USED_ALIGN 4U

#define VRING_DESC_F_NEXT 1U
#define VRING_DESC_F_WRITE 2U
#define VRING_DESC_F_INDIRECT 4U

#define VRING_AVAIL_F_NO_INTERRUPT 1U
#define VRING_USED_F_NO_NOTIFY 1U

/* Feature bit numbers, VIRTIO 1.2 section 6; bit 26 and 30 belong to vhost. */
#define VIRTIO_F_NOTIFY_ON_EMPTY 24
#define VHOST_F_LOG_ALL 26
#define VIRTIO_F_RING_INDIRECT_DESC 28
#define VIRTIO_F_RING_EVENT_IDX 29
#define VHOST_USER_F_PROTOCOL_FEATURES 30
#define VIRTIO_F_VERSION_1 32
#define VIRTIO_F_ACCESS_PLATFORM 33

#define VIRTIO_BIT(n) (UINT64_C(1) << (n))

/* Bytes of each part for a queue of num entries, event index included. */
static inline uint64_t vring_desc_bytes(uint32_t num)
{
	return (uint64_t)VRING_DESC_SIZE * num;
}

static inline uint64_t vring_avail_bytes(uint32_t num)
{
	return 4 + (uint64_t)2 * num + 2;
}

static inline uint64_t vring_used_bytes(uint32_t num)
{
	return 4 + (uint64_t)8 * num + 2;
}

/* Where things lie inside the available and the used part. */
static inline uint64_t vring_avail_entry(uint32_t slot)
{
	return 4 + (uint64_t)2 * slot;
}

static inline uint64_t vring_used_entry(uint32_t slot)
{
	return 4 + (uint64_t)8 * slot;
}

#define VRING_FLAGS 0U /* both parts: le16 */
#define VRING_IDX 2U   /* both parts: le16 */

/* used_event stands behind the available ring, avail_event behind the used ring. */
static inline uint64_t vring_used_event(uint32_t num)
{
	return vring_avail_entry(num);
}

static inline uint64_t vring_avail_event(uint32_t num)
{
	return vring_used_entry(num);
}

static inline bool vring_size_is_valid(uint32_t num)
{
	return num != 0 && num <= VRING_MAX_SIZE && (num & (num - 1)) == 0;
}

/*
 * Does moving an index from old_idx to new_idx step over event? All three wrap at 2^16.
 * Source: VIRTIO 1.2, section 2.7.7.1 and 2.7.10.1.
 */
static inline bool vring_need_event(uint16_t event, uint16_t new_idx, uint16_t old_idx)
{
	return (uint16_t)(new_idx - event - 1) < (uint16_t)(new_idx - old_idx);
}

/*
 * Access to fields that the other side reads or writes at the same time. Each call is exactly
 * one load or store, which the compiler may neither repeat nor split: what was checked is what
 * is used. Offsets are multiples of the field's size given the alignments above.
 *
 * The rings of a legacy device are in guest order, which differs from little-endian only for
 * a big-endian guest; those are not served.
 */
static inline uint16_t vring_load16(const void *part, uint64_t offset)
{
	const void *at = (const uint8_t *)part + offset;

	guest_read_hook(at, 2);
	return le16toh(__atomic_load_n((const uint16_t *)at, __ATOMIC_RELAXED));
}

static inline uint16_t vring_load16_acquire(const void *part, uint64_t offset)
{
	const void *at = (const uint8_t *)part + offset;

	guest_read_hook(at, 2);
	return le16toh(__atomic_load_n((const uint16_t *)at, __ATOMIC_ACQUIRE));
}

static inline uint32_t vring_load32(const void *part, uint64_t offset)
{
	const void *at = (const uint8_t *)part + offset;

	guest_read_hook(at, 4);
	return le32toh(__atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED));
}

static inline uint64_t vring_load64(const void *part, uint64_t offset)
{
	const void *at = (const uint8_t *)part + offset;

	guest_read_hook(at, 8);
	return le64toh(__atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED));
}

static inline void vring_store16(void *part, uint64_t offset, uint16_t value)
{
	void *at = (uint8_t *)part + offset;

	__atomic_store_n((uint16_t *)at, htole16(value), __ATOMIC_RELAXED);
}

static inline void vring_store16_release(void *part, uint64_t offset, uint16_t value)
{
	void *at = (uint8_t *)part + offset;

	__atomic_store_n((uint16_t *)at, htole16(value), __ATOMIC_RELEASE);
}

static inline void vring_store32(void *part, uint64_t offset, uint32_t value)
{
	void *at = (uint8_t *)part + offset;

	__atomic_store_n((uint32_t *)at, htole32(value), __ATOMIC_RELAXED);
}

static inline void vring_store64(void *part, uint64_t offset, uint64_t value)
{
	void *at = (uint8_t *)part + offset;

	__atomic_store_n((uint64_t *)at, htole64(value), __ATOMIC_RELAXED);
}

/*
 * Full barrier between a store and a later load of another field: the one order that neither
 * acquire nor release gives, and that both x86 and arm64 break without it.
 */
static inline void vring_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif /* VIRTIO_VRING_H */
