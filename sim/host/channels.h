/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The channels that a remote has announced and not withdrawn, in the order of announcement.
 */
#ifndef HOST_CHANNELS_H
#define HOST_CHANNELS_H

#include <stddef.h>
#include <stdint.h>

#include "wire/rpmsg.h"

/* A remote that announces more, withdrawn ones not counted, is not believed any more. */
#define CHANNELS_MAX (UINT32_C(1) << 17)

struct channel {
	char name[RPMSG_NAME_SIZE + 1];
	uint32_t addr;
	uint32_t next; /* in its bucket, or in the list of free entries */
	bool live;
};

struct channels {
	struct channel *entries;
	uint32_t *buckets;
	uint32_t count;	   /* live ones */
	uint32_t used;	   /* entries that were ever taken */
	uint32_t capacity; /* entries, and buckets: a power of two */
	uint32_t free;	   /* first free entry below used */
};

/**
 * channels_init() - no channel
 * @channels: table
 */
void channels_init(struct channels *channels);

/**
 * channels_free() - forget all
 * @channels: table; can be used again
 */
void channels_free(struct channels *channels);

/**
 * channels_add() - a channel was announced
 * @channels: table
 * @name: terminated, at most RPMSG_NAME_SIZE bytes
 * @addr: its address
 *
 * Return: 0; -EEXIST when name and address are there already; -ENOSPC above CHANNELS_MAX;
 * -ENOMEM.
 */
int channels_add(struct channels *channels, const char *name, uint32_t addr);

/**
 * channels_remove() - a channel was withdrawn
 * @channels: table
 * @name: terminated
 * @addr: its address
 *
 * Return: 0; -ENOENT.
 */
int channels_remove(struct channels *channels, const char *name, uint32_t addr);

/**
 * channels_find() - the first channel of a name
 * @channels: table
 * @name: terminated
 *
 * Return: channel, valid until the next change; NULL.
 */
const struct channel *channels_find(const struct channels *channels, const char *name);

/**
 * channels_next() - go through all
 * @channels: table, not changed meanwhile
 * @position: 0 at first, moved on
 *
 * Return: channel; NULL after the last.
 */
const struct channel *channels_next(const struct channels *channels, uint32_t *position);

#endif /* HOST_CHANNELS_H */
