/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Layout of the split virtqueue and the feature bits that concern it; shared by the device
 * side (virtq) and the driver side (drvq). Source: VIRTIO 1.2, section 2.7.
 */
#ifndef VIRTIO_VRING_H
#define VIRTIO_VRING_H

#include <stdint.h>

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

#endif /* VIRTIO_VRING_H */
