/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/channels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NO_ENTRY UINT32_MAX
#define FIRST_CAPACITY 64

/* FNV-1a over name and address: a remote chooses both, so a bad spread is its own loss. */
static uint32_t bucket_of(const struct channels *channels, const char *name, uint32_t addr)
{
	uint32_t hash = 2166136261U;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619U;
	for (int i = 0; i < 4; i++)
		hash = (hash ^ (addr >> (8 * i) & 0xff)) * 16777619U;
	return hash & (channels->capacity - 1);
}

void channels_init(struct channels *channels)
{
	memset(channels, 0, sizeof(*channels));
	channels->free = NO_ENTRY;
}

void channels_free(struct channels *channels)
{
	free(channels->entries);
	free(channels->buckets);
	channels_init(channels);
}

static bool is_same(const struct channel *channel, const char *name, uint32_t addr)
{
	return channel->addr == addr && strcmp(channel->name, name) == 0;
}

/* Where the number of the entry stands, or where NO_ENTRY ends its bucket; there are buckets. */
static uint32_t *find_link(struct channels *channels, const char *name, uint32_t addr)
{
	uint32_t *link = &channels->buckets[bucket_of(channels, name, addr)];

	while (*link != NO_ENTRY && !is_same(&channels->entries[*link], name, addr))
		link = &channels->entries[*link].next;
	return link;
}

static int grow(struct channels *channels)
{
	uint32_t capacity = channels->capacity != 0 ? 2 * channels->capacity : FIRST_CAPACITY;
	struct channel *entries;
	uint32_t *buckets;

	if (capacity > CHANNELS_MAX)
		return -ENOSPC;
	entries = reallocarray(channels->entries, capacity, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	channels->entries = entries;
	buckets = reallocarray(channels->buckets, capacity, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	channels->buckets = buckets;
	channels->capacity = capacity;
	/* Called when no entry is free, so that all of them are live. */
	memset(buckets, 0xff, (size_t)capacity * sizeof(*buckets));
	for (uint32_t i = 0; i < channels->used; i++) {
		uint32_t bucket = bucket_of(channels, entries[i].name, entries[i].addr);

		entries[i].next = buckets[bucket];
		buckets[bucket] = i;
	}
	return 0;
}

int channels_add(struct channels *channels, const char *name, uint32_t addr)
{
	struct channel *channel;
	uint32_t index, *link;
	int ret;

	if (channels->capacity != 0 && *find_link(channels, name, addr) != NO_ENTRY)
		return -EEXIST;
	if (channels->free == NO_ENTRY && channels->used == channels->capacity) {
		ret = grow(channels);
		if (ret < 0)
			return ret;
	}
	index = channels->free;
	if (index != NO_ENTRY)
		channels->free = channels->entries[index].next;
	else
		index = channels->used++;

	channel = &channels->entries[index];
	memset(channel, 0, sizeof(*channel));
	memcpy(channel->name, name, strnlen(name, RPMSG_NAME_SIZE));
	channel->addr = addr;
	channel->live = true;
	link = &channels->buckets[bucket_of(channels, channel->name, addr)];
	channel->next = *link;
	*link = index;
	channels->count++;
	return 0;
}

int channels_remove(struct channels *channels, const char *name, uint32_t addr)
{
	uint32_t index, *link;

	if (channels->capacity == 0)
		return -ENOENT;
	link = find_link(channels, name, addr);
	index = *link;
	if (index == NO_ENTRY)
		return -ENOENT;
	*link = channels->entries[index].next;
	channels->entries[index].live = false;
	channels->entries[index].next = channels->free;
	channels->free = index;
	channels->count--;
	return 0;
}

const struct channel *channels_next(const struct channels *channels, uint32_t *position)
{
	while (*position < channels->used) {
		const struct channel *channel = &channels->entries[(*position)++];

		if (channel->live)
			return channel;
	}
	return NULL;
}

const struct channel *channels_find(const struct channels *channels, const char *name)
{
	const struct channel *channel;
	uint32_t position = 0;

	while ((channel = channels_next(channels, &position))) {
		if (strcmp(channel->name, name) == 0)
			return channel;
	}
	return NULL;
}
