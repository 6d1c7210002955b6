/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An instance of the daemon with a front-end and a guest before it, on the models of
 * common/world.h and common/loop.h: all that rpmsg-sim does for one remote, its event loop
 * included, in one thread and without a system call.
 *
 * The front-end can do all that is right by itself (station_handshake() and what follows it), or
 * send any bytes. The guest keeps a ledger of its buffers (common/ledger.h), which judges as long
 * as it is not told that somebody lies.
 */
#ifndef FUZZ_COMMON_STATION_H
#define FUZZ_COMMON_STATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ledger.h"
#include "common/session_ops.h"
#include "common/world.h"
#include "daemon/instance.h"

#define STATION_STREAM 8192 /* bytes that were sent and not read */
#define STATION_FDS 64

struct station {
	struct registry registry;
	struct instance instance;
	struct world_peer peer;
	struct remote_config config;
	void (*violation)(void *ctx, const struct violation_record *record);
	void *violation_ctx;
	bool connecting, connected, left;

	uint8_t stream[STATION_STREAM];
	size_t stream_at, stream_size;
	struct {
		size_t at;
		int fd;
	} fds[STATION_FDS];
	unsigned int fd_at, fd_count;
	uint8_t answer[VHOST_HDR_SIZE + VHOST_MAX_PAYLOAD];
	size_t answer_size;
	uint64_t answers;

	uint8_t *memory;
	uint64_t features;
	bool ready; /* the guest has rings, handed over by a good handshake */
	bool lies;  /* the device, or the guest's memory, is not to be believed */
	struct ledger queues[RPMSG_NUM_QUEUES];
};

struct station_setup {
	uint64_t without; /* feature bits not to acknowledge */
	uint32_t entries_log2[RPMSG_NUM_QUEUES];
	uint32_t buffers; /* receive buffers from the start */
	bool slots, status, polled;
};

/**
 * station_begin() - a world with an instance that listens
 * @st: station; nothing of what it was before is left
 * @config: of the remote; NULL: the defaults with a backlog that is cheap to make
 * @violation: told of each; may be NULL
 * @ctx: passed to it
 */
void station_begin(struct station *st, const struct remote_config *config,
		   void (*violation)(void *ctx, const struct violation_record *record), void *ctx);

/**
 * station_end() - stop the instance and end the world: nothing may be left
 * @st: station
 */
void station_end(struct station *st);

/**
 * station_turns() - run the event loop
 * @st: station
 * @count: turns at the most
 *
 * Return: true when it is at rest.
 */
bool station_turns(struct station *st, unsigned int count);

/**
 * station_connect() - a front-end connects; one that is there leaves
 * @st: station
 *
 * Return: true when it was accepted.
 */
bool station_connect(struct station *st);

/**
 * station_leave() - the front-end closes the connection
 * @st: station
 */
void station_leave(struct station *st);

/**
 * station_stream() - bytes of the front-end, which are read when the loop runs
 * @st: station; without a connection nothing happens
 * @bytes: bytes
 * @size: how many; what does not fit is left out
 * @files: descriptors that go with the first byte
 * @count: how many
 */
void station_stream(struct station *st, const void *bytes, size_t size,
		    const enum world_file *files, unsigned int count);

/**
 * station_message() - one message, in the version that there is, and a turn to serve it
 * @st: station
 * @request: number
 * @flags: VHOST_FLAG_ bits besides the version
 * @payload: payload
 * @size: bytes
 * @file: descriptor that goes with it, or WORLD_FILE_COUNT
 *
 * Return: true while there is a connection.
 */
bool station_message(struct station *st, uint32_t request, uint32_t flags, const void *payload,
		     uint32_t size, enum world_file file);

/**
 * station_handshake() - a new front-end does all that is right, up to a driver that is ready
 * @st: station
 * @setup: how
 *
 * Return: true when the device is in use.
 */
bool station_handshake(struct station *st, const struct station_setup *setup);

/**
 * station_post() - make a receive buffer available, with a kick if the device wants one
 * @st: station
 *
 * Return: false when there is no ring or no entry is free.
 */
bool station_post(struct station *st);

/**
 * station_put() - make a message available, with a kick if the device wants one
 * @st: station
 * @bytes: message, header included
 * @size: bytes, 1 to STATION_BUFFER_SIZE
 *
 * Return: false when there is no ring or no entry is free.
 */
bool station_put(struct station *st, const void *bytes, uint32_t size);

/**
 * station_take() - take back what the device has used, and check it against the ledger
 * @st: station
 * @queue: virtqueue number
 *
 * Return: false when nothing came back.
 */
bool station_take(struct station *st, unsigned int queue);

/**
 * station_kick() - kick a queue whether it is asked for or not
 * @st: station
 * @queue: virtqueue number
 * @count: kicks
 */
void station_kick(struct station *st, unsigned int queue, uint64_t count);

/**
 * station_check() - descriptors and mappings are those that the instance holds; and what it
 * received was delivered or dropped
 * @st: station
 */
void station_check(const struct station *st);

#endif /* FUZZ_COMMON_STATION_H */
