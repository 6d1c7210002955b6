/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device that does as it is told, right or wrong: the back-end's end of a connection, which
 * answers requests and lies in the answers that it was told to lie in, and the device's end of
 * the rings, as far as a front-end in this process has handed them over. It serves while the
 * front-end sends, in one thread (common/world.h).
 *
 * As long as `guilty` is not set it did nothing wrong. It judges one thing by itself: of what it
 * gave to be read, no byte is read twice.
 */
#ifndef FUZZ_COMMON_HOSTILE_H
#define FUZZ_COMMON_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/world.h"
#include "vhost/frontend.h"
#include "vhost/vhost_proto.h"
#include "wire/rpmsg.h"

#define HOSTILE_CONFIG_SIZE 16
#define HOSTILE_MAX_LIES 8
#define HOSTILE_MAX_FDS 64
#define HOSTILE_MAX_ENTRIES 64
#define HOSTILE_STREAM 8192

/* In which answer of a connection, counted from 0, and how. */
struct hostile_lie {
	unsigned int answer;
	enum hostile_lie_kind {
		HOSTILE_NO_ANSWER,
		HOSTILE_OTHER_REQUEST,
		HOSTILE_OTHER_FLAGS, /* value: bits that are turned over */
		HOSTILE_OTHER_SIZE,  /* of the payload, which has that size, too */
		HOSTILE_OTHER_VALUE,
		HOSTILE_DESCRIPTOR, /* one that nobody asked for */
		HOSTILE_FALSE_SIZE, /* which the payload does not have */
		HOSTILE_LIE_KINDS
	} kind;
	uint64_t value;
	enum world_file file;
};

struct hostile {
	struct world_peer peer;
	/* Called when the other side waits; see world_peer.wait. */
	bool (*waited)(void *ctx);
	void *ctx;
	bool guilty;

	/* The connection. */
	uint64_t features, protocol; /* that are offered */
	uint8_t config[HOSTILE_CONFIG_SIZE], status;
	struct hostile_lie lies[HOSTILE_MAX_LIES];
	unsigned int lie_count, answers;
	uint8_t in[VHOST_HDR_SIZE + VHOST_MAX_PAYLOAD];
	uint8_t out[HOSTILE_STREAM];
	size_t out_at, out_size;
	int out_fds[HOSTILE_MAX_FDS], held[HOSTILE_MAX_FDS];
	unsigned int out_fd_count, held_count;
	bool hung_up;

	/* The rings. */
	const struct frontend *fe; /* whose they are; NULL: there are none */
	int calls[RPMSG_NUM_QUEUES], errors[RPMSG_NUM_QUEUES];
	uint16_t last_avail[RPMSG_NUM_QUEUES], used[RPMSG_NUM_QUEUES];
	bool rings_lie; /* a buffer may be returned as often as it likes */
	struct {
		const uint8_t *at;
		uint32_t size;
	} given[HOSTILE_MAX_ENTRIES]; /* messages that the other side may read, by head */
};

/**
 * hostile_init() - a device that offers what a good one does, and will tell no lie
 * @device: device
 * @waited: called when the other side waits: do something, or return false
 * @ctx: passed to it
 *
 * Its @peer is for world_begin().
 */
void hostile_init(struct hostile *device, bool (*waited)(void *ctx), void *ctx);

/**
 * hostile_renew() - before another connection: all but what is offered and lied is as at first
 * @device: device, closed
 */
void hostile_renew(struct hostile *device);

/**
 * hostile_close() - give up the connection and all descriptors
 * @device: device
 *
 * The front-end has closed its own end before that. Ends the process when a message was read twice.
 */
void hostile_close(struct hostile *device);

/**
 * hostile_lie() - tell a lie
 * @device: device
 * @lie: which; beyond HOSTILE_MAX_LIES it is left out
 */
void hostile_lie(struct hostile *device, const struct hostile_lie *lie);

/**
 * hostile_say() - send bytes that nobody asked for
 * @device: device
 * @bytes: bytes
 * @size: how many; 0: nothing is sent
 * @file: descriptor that goes with them
 * @count: how many times
 */
void hostile_say(struct hostile *device, const void *bytes, size_t size, enum world_file file,
		 uint64_t count);

/**
 * hostile_hang_up() - close the connection, and answer no more
 * @device: device
 */
void hostile_hang_up(struct hostile *device);

/**
 * hostile_use() - rings are there, or there are none any more
 * @device: device
 * @fe: front-end that has started, kept by reference; NULL: none
 */
void hostile_use(struct hostile *device, const struct frontend *fe);

/**
 * hostile_deliver() - put a message into the next receive buffer, if there is one
 * @device: device
 * @bytes: message
 * @size: bytes; what does not fit is cut, and is a lie
 * @used_len: what is said to be written; NULL: what is
 */
void hostile_deliver(struct hostile *device, const void *bytes, size_t size,
		     const uint32_t *used_len);

/**
 * hostile_return() - give send buffers back, in order
 * @device: device
 * @count: how many, at the most
 * @used_len: what is said to be written; anything but 0 is a lie
 */
void hostile_return(struct hostile *device, uint64_t count, uint32_t used_len);

/**
 * hostile_put_used() - write an entry of a used ring by hand
 * @device: device
 * @queue: virtqueue number
 * @slot: entry, modulo the size of the ring
 * @id: its first half
 * @len: its second
 */
void hostile_put_used(struct hostile *device, unsigned int queue, uint32_t slot, uint32_t id,
		      uint32_t len);

/**
 * hostile_step() - move the index of a used ring, whatever its entries are
 * @device: device
 * @queue: virtqueue number
 * @step: entries forward, modulo 65536
 */
void hostile_step(struct hostile *device, unsigned int queue, uint16_t step);

/**
 * hostile_scribble() - write into the memory that is shared
 * @device: device
 * @offset: from its start; beyond what is in use nothing is written
 * @bytes: bytes
 * @size: how many
 */
void hostile_scribble(struct hostile *device, uint64_t offset, const void *bytes, size_t size);

/**
 * hostile_signal() - interrupt for nothing
 * @device: device
 * @queue: virtqueue number
 * @error: by the descriptor for errors
 */
void hostile_signal(struct hostile *device, unsigned int queue, bool error);

#endif /* FUZZ_COMMON_HOSTILE_H */
