/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver's end of a queue, with a buffer for each entry and an account of those that the device
 * has. Every buffer has guard bytes behind it, and one that the device may write is filled before;
 * what comes back is checked against that. common/rig.h and common/station.h have two each.
 */
#ifndef FUZZ_COMMON_LEDGER_H
#define FUZZ_COMMON_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio/drvq.h"

#define LEDGER_MAX_ENTRIES 32

struct ledger_buffer {
	uint32_t size;	/* bytes made available */
	uint32_t index; /* of the buffer */
	bool out;	/* the device has it */
};

/* Where buffers lie. */
struct ledger_place {
	uint8_t *at;		      /* the first one */
	uint64_t guest;		      /* its guest-physical address */
	uint32_t stride, room, guard; /* bytes: from one to the next, of each, and behind it */
};

struct ledger {
	struct drvq dq;
	uint32_t num;
	unsigned int queue; /* its number, for what is said */
	bool writable;	    /* by the device */
	struct ledger_place place;
	struct ledger_buffer buffers[LEDGER_MAX_ENTRIES];
};

/* Whom to believe of what comes back. */
enum ledger_trust {
	LEDGER_TRUST,	    /* everything is judged */
	LEDGER_DEVICE_LIES, /* all that can be is that it writes outside of its buffers */
	LEDGER_WILD	    /* nor does guest memory hold what was put there: nothing is */
};

/**
 * ledger_start() - an empty ring, and all buffers free
 * @ledger: ledger, of zero bytes or used before
 * @queue: virtqueue number
 * @ring: its memory
 * @layout: of the ring, as drvq_layout() tells it
 * @num: entries, at most LEDGER_MAX_ENTRIES
 * @features: negotiated bits
 * @place: where buffers lie
 */
void ledger_start(struct ledger *ledger, unsigned int queue, uint8_t *ring,
		  const struct drvq_layout *layout, uint32_t num, uint64_t features,
		  const struct ledger_place *place);

/**
 * ledger_stop() - nothing can be made available any more
 * @ledger: ledger
 */
void ledger_stop(struct ledger *ledger);

/**
 * ledger_at() - contents of a buffer
 * @ledger: ledger
 * @buffer: one of its own
 *
 * Return: first byte.
 */
uint8_t *ledger_at(const struct ledger *ledger, const struct ledger_buffer *buffer);

/**
 * ledger_find() - a buffer that the device does not have
 * @ledger: ledger
 * @size: bytes that it is to have, cut at what there is room for
 *
 * One that the device may write is filled.
 *
 * Return: buffer; NULL when all are out, or without a ring.
 */
struct ledger_buffer *ledger_find(struct ledger *ledger, uint32_t size);

/**
 * ledger_give() - make a buffer available
 * @ledger: ledger
 * @buffer: from ledger_find()
 * @pieces: descriptors that it is split into, at least 1
 * @kick: set when the device wants to be told; may be NULL
 *
 * Return: false when there are too few free descriptors.
 */
bool ledger_give(struct ledger *ledger, struct ledger_buffer *buffer, uint32_t pieces, bool *kick);

/**
 * ledger_take() - take one buffer back from the device, and check it
 * @ledger: ledger
 * @trust: what can be judged
 * @used_len: what the device says that it wrote; may be NULL
 *
 * Ends the process when a rule was broken.
 *
 * Return: buffer; NULL when none came back.
 */
struct ledger_buffer *ledger_take(struct ledger *ledger, enum ledger_trust trust,
				  uint32_t *used_len);

#endif /* FUZZ_COMMON_LEDGER_H */
