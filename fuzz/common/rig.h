/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host on plain memory for targets: two rings with both ends, and a ledger of each
 * (common/ledger.h). What the device may only read is compared with a copy when it comes back.
 *
 * A rule that the device breaks ends the process, unless the rig was told that the device lies
 * on purpose (rig_expect_lies()).
 */
#ifndef FUZZ_COMMON_RIG_H
#define FUZZ_COMMON_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ledger.h"
#include "virtio/gmem.h"
#include "virtio/virtq.h"
#include "wire/rpmsg.h"
#include "wire/violation.h"

#define RIG_MAX_ENTRIES LEDGER_MAX_ENTRIES
#define RIG_BUFFER_SIZE 2048
#define RIG_GUARD 64
#define RIG_MEMORY UINT64_C(0x40000000) /* guest-physical start */
#define RIG_STRIDE (RIG_BUFFER_SIZE + RIG_GUARD)
#define RIG_MEMORY_SIZE (UINT64_C(2) * RIG_MAX_ENTRIES * RIG_STRIDE)

struct rig_queue {
	struct virtq vq;      /* the device's end */
	struct ledger ledger; /* the host's */
};

struct rig {
	struct gmem mem;
	struct rig_queue queues[RPMSG_NUM_QUEUES];
	uint64_t features;
	bool started, lies;
};

/**
 * rig_start() - fresh rings without a buffer
 * @rig: rig of zero bytes, or stopped
 * @num: entries of each ring, 1 to RIG_MAX_ENTRIES; rounded down to a power of two
 * @features: negotiated bits
 * @sink: where violations of the host go; kept by reference
 */
void rig_start(struct rig *rig, const uint32_t *num, uint64_t features,
	       const struct violation_sink *sink);

/**
 * rig_stop() - stop both ends; memory is forgotten
 * @rig: rig
 */
void rig_stop(struct rig *rig);

/**
 * rig_expect_lies() - the device breaks rules on purpose from now on
 * @rig: rig
 *
 * What remains is that nothing is written outside device-writable buffers.
 */
void rig_expect_lies(struct rig *rig);

/**
 * rig_post() - make one receive buffer available
 * @rig: started rig
 * @size: bytes, cut at RIG_BUFFER_SIZE; 0 becomes 1
 *
 * Return: false when all entries are in use.
 */
bool rig_post(struct rig *rig, uint32_t size);

/**
 * rig_send() - make one message available to the device
 * @rig: started rig
 * @bytes: message, header included
 * @size: bytes, at most RIG_BUFFER_SIZE; 0 becomes 1
 * @pieces: descriptors that it is split into, at least 1
 *
 * Return: false when there are too few free descriptors or no buffer.
 */
bool rig_send(struct rig *rig, const void *bytes, uint32_t size, uint32_t pieces);

/**
 * rig_take() - take one buffer back from the device and check it against the ledger
 * @rig: started rig
 * @queue: virtqueue number
 * @bytes: set to what it holds, valid until the next rig_post(); may be NULL
 * @used_len: what the device says that it wrote; may be NULL
 *
 * Return: false when none came back.
 */
bool rig_take(struct rig *rig, unsigned int queue, const uint8_t **bytes, uint32_t *used_len);

#endif /* FUZZ_COMMON_RIG_H */
