/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages that wait for a buffer of the host: a first-in first-out ring of records of
 * varying size in one block of memory, allocated once.
 *
 * The block holds the agreed number of messages of the usual 512 bytes, and always one of
 * the largest size. Memory that was never used is never touched, and an empty ring starts
 * from its beginning again, so that a large block costs only what is needed of it.
 */
#ifndef REMOTE_BACKLOG_H
#define REMOTE_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/rpmsg.h"

/* One message; payload bytes follow it in the ring. */
struct backlog_record {
	uint64_t seq; /* order among everything that waits */
	struct rpmsg_hdr hdr;
	uint32_t size; /* payload bytes */
	uint32_t used_len;
	bool used_len_set;
	bool raw, aside; /* as in struct outgoing */
	uint8_t payload[];
};

struct backlog {
	uint8_t *bytes;
	size_t size;
	size_t head; /* oldest record */
	size_t tail; /* where the next one goes */
	size_t wrap; /* end of the records behind head, when tail lies before head */
	uint32_t count;
	uint32_t limit;
};

/**
 * backlog_init() - allocate
 * @backlog: result
 * @limit: messages that may wait, 1 to REMOTE_MAX_BACKLOG
 *
 * Return: 0 or -ENOMEM.
 */
int backlog_init(struct backlog *backlog, uint32_t limit);

/**
 * backlog_fini() - free
 * @backlog: initialised, or zero bytes
 */
void backlog_fini(struct backlog *backlog);

/**
 * backlog_clear() - forget all records
 * @backlog: ring
 */
void backlog_clear(struct backlog *backlog);

/**
 * backlog_has_room() - would backlog_add() take a message?
 * @backlog: ring
 * @payload_size: bytes
 *
 * Return: true when it would.
 */
bool backlog_has_room(const struct backlog *backlog, uint32_t payload_size);

/**
 * backlog_add() - append a record with room for its payload
 * @backlog: ring
 * @payload_size: bytes
 *
 * Return: record whose fields and payload are to be filled in, all but size; NULL when
 * there is no room.
 */
struct backlog_record *backlog_add(struct backlog *backlog, uint32_t payload_size);

/**
 * backlog_first() - oldest record
 * @backlog: ring
 *
 * Return: record, valid until it is removed; NULL when none waits.
 */
struct backlog_record *backlog_first(const struct backlog *backlog);

/**
 * backlog_remove_first() - take the oldest record out
 * @backlog: ring that is not empty
 */
void backlog_remove_first(struct backlog *backlog);

#endif /* REMOTE_BACKLOG_H */
