/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The endpoints of a remote: address -> service instance, and which addresses are free.
 *
 * What every message touches is kept small. An endpoint with a dynamic address lies at the
 * place of its address, in one cache line of its own. Any other one is found through a slot of 8
 * bytes in an open-addressing table, eight of them to a cache line, and takes 48 bytes; with the
 * table at most half full these are 64 bytes an endpoint, too. All else lies in struct
 * service_info.
 */
#ifndef REMOTE_ENDPOINT_H
#define REMOTE_ENDPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "remote/remote.h"

#define ENDPOINT_LINE 64 /* bytes of a cache line */

struct service_info;

/* An endpoint, which is a service instance. Its place never changes while it is bound. */
struct service {
	struct remote *remote;
	const struct service_kind *kind;
	struct service_info *info;
	uint64_t received; /* messages delivered to it */
	uint64_t sent;	   /* messages of its address that the host got, announcements aside */
	uint32_t addr;	   /* while unbound: number of the next unbound one */
	uint32_t peer;	   /* RPMSG_ADDR_ANY while it knows none */
};

struct endpoint_slot {
	uint32_t addr;
	uint32_t number; /* of the service, plus 1; 0: slot is empty */
};

/* The place of a dynamic address. Its service has another address while none is bound there. */
struct endpoint_place {
	_Alignas(ENDPOINT_LINE) struct service service;
};

struct endpoint_table {
	struct endpoint_place *places; /* of dynamic addresses; untouched until first bound */
	uint32_t first_dynamic;
	uint32_t place_count;
	struct endpoint_slot *slots; /* a power of two of them */
	struct service *services;    /* without a place, max of them; untouched until first bound */
	void *places_memory;	     /* places is the first cache line in it */
	uint64_t *dynamic;	     /* one bit an address from first_dynamic: bound */
	unsigned int bits;	     /* log2 of the number of slots */
	uint32_t dynamic_words;
	uint32_t slots_used;
	uint32_t count;
	uint32_t max;
	uint32_t fresh;	       /* services below this number were bound at some time */
	uint32_t free;	       /* number of an unbound one of them, or UINT32_MAX */
	uint32_t dynamic_hint; /* no word before it has a free bit */
};

/**
 * endpoint_table_init() - make an empty table
 * @table: result
 * @max: endpoints at the most
 *
 * Return: 0 or -ENOMEM.
 */
int endpoint_table_init(struct endpoint_table *table, uint32_t max);

/**
 * endpoint_table_base() - where dynamic addresses start
 * @table: table that nothing was bound in yet
 * @first: lowest of them; RPMSG_ADDR_FIRST_DYNAMIC if this is never called
 *
 * RPMSG_ADDR_NS is never one of them.
 */
void endpoint_table_base(struct endpoint_table *table, uint32_t first);

/**
 * endpoint_table_fini() - free the table; service_info of the endpoints is the caller's
 * @table: initialised, or zero bytes
 */
void endpoint_table_fini(struct endpoint_table *table);

/**
 * endpoint_find_slot() - endpoint_find() for an address that has no place of its own
 * @table: table
 * @addr: any value
 *
 * Return: service, or NULL.
 */
struct service *endpoint_find_slot(const struct endpoint_table *table, uint32_t addr);

/**
 * endpoint_find() - who listens at an address?
 * @table: table
 * @addr: any value
 *
 * Return: service, or NULL.
 */
static inline struct service *endpoint_find(const struct endpoint_table *table, uint32_t addr)
{
	uint32_t place = addr - table->first_dynamic;
	struct service *service;

	if (__builtin_expect(place >= table->place_count, 0))
		return endpoint_find_slot(table, addr);
	service = &table->places[place].service;
	return service->addr == addr ? service : NULL;
}

/**
 * endpoint_fetch() - have an endpoint in the cache by the time that it is asked for
 * @table: table
 * @addr: any value, which need not be the right one
 */
static inline void endpoint_fetch(const struct endpoint_table *table, uint32_t addr)
{
	uint32_t place = addr - table->first_dynamic;

	if (place < table->place_count)
		__builtin_prefetch(&table->places[place], 1);
}

/**
 * endpoint_lowest_free() - lowest free dynamic address
 * @table: table
 *
 * Amortised constant time over announcements.
 *
 * Return: address, from the lowest dynamic one on.
 */
uint32_t endpoint_lowest_free(struct endpoint_table *table);

/**
 * endpoint_bind() - make an endpoint
 * @table: table
 * @addr: address, not RPMSG_ADDR_ANY
 * @service: set to it on success; all zero but its address and peer (RPMSG_ADDR_ANY)
 *
 * Return: 0; -EADDRINUSE; -ENOSPC when the table has its maximum; -ENOMEM.
 */
int endpoint_bind(struct endpoint_table *table, uint32_t addr, struct service **service);

/**
 * endpoint_unbind() - the opposite
 * @table: table
 * @service: bound endpoint, invalid afterwards
 */
void endpoint_unbind(struct endpoint_table *table, struct service *service);

/**
 * endpoint_walk() - go through all endpoints, by ascending address
 * @table: table
 * @each: called with each; a value other than 0 ends the walk
 * @ctx: passed to @each
 *
 * Return: 0, what @each returned, or -ENOMEM.
 */
int endpoint_walk(const struct endpoint_table *table,
		  int (*each)(void *ctx, const struct service *service), void *ctx);

#endif /* REMOTE_ENDPOINT_H */
