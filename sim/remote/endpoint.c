/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/endpoint.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BITS 6 /* 64 slots */
#define NO_NUMBER UINT32_MAX

_Static_assert(sizeof(struct service) + 2 * sizeof(struct endpoint_slot) <= 64,
	       "an endpoint takes more than 64 bytes of what messages touch");
_Static_assert(sizeof(struct endpoint_place) == ENDPOINT_LINE,
	       "a place is more than one cache line");

static uint32_t slot_count(const struct endpoint_table *table)
{
	return UINT32_C(1) << table->bits;
}

/*
 * Fibonacci hashing: neighbouring addresses, the usual case, are spread evenly, and a host
 * that asks for addresses in steps of the table's size finds no cluster to walk through.
 */
static uint32_t home_of(const struct endpoint_table *table, uint32_t addr)
{
	return addr * UINT32_C(0x9e3779b1) >> (32 - table->bits);
}

static struct endpoint_slot *new_slots(unsigned int bits)
{
	size_t bytes = sizeof(struct endpoint_slot) << bits;
	struct endpoint_slot *slots = aligned_alloc(ENDPOINT_LINE, bytes);

	if (slots != NULL)
		memset(slots, 0, bytes);
	return slots;
}

/* From the first byte of a cache line on, and not touched: that would make it resident. */
static int new_places(struct endpoint_table *table)
{
	uint8_t *memory = calloc(table->place_count + UINT32_C(1), ENDPOINT_LINE);
	size_t behind = (uintptr_t)memory % ENDPOINT_LINE;

	if (memory == NULL)
		return -ENOMEM;
	table->places_memory = memory;
	table->places = (void *)(memory + (behind != 0 ? ENDPOINT_LINE - behind : 0));
	return 0;
}

int endpoint_table_init(struct endpoint_table *table, uint32_t max)
{
	memset(table, 0, sizeof(*table));
	/*
	 * With max endpoints bound, one of the first max + 2 dynamic addresses is free, also when
	 * the name service's is among them.
	 */
	table->dynamic_words = (max + 1) / 64 + 1;
	table->place_count = table->dynamic_words * 64;
	table->first_dynamic = RPMSG_ADDR_FIRST_DYNAMIC;
	table->bits = FIRST_BITS;
	table->max = max;
	table->free = NO_NUMBER;
	table->slots = new_slots(table->bits);
	table->services = calloc(max, sizeof(*table->services));
	table->dynamic = calloc(table->dynamic_words, sizeof(*table->dynamic));
	if (new_places(table) != 0 || table->slots == NULL || table->services == NULL ||
	    table->dynamic == NULL) {
		endpoint_table_fini(table);
		return -ENOMEM;
	}
	return 0;
}

void endpoint_table_fini(struct endpoint_table *table)
{
	free(table->places_memory);
	free(table->slots);
	free(table->services);
	free(table->dynamic);
	memset(table, 0, sizeof(*table));
}

/* The slot that holds an address, or else the empty one where it would go. */
static uint32_t find_slot(const struct endpoint_table *table, uint32_t addr)
{
	uint32_t mask = slot_count(table) - 1;
	uint32_t at = home_of(table, addr);

	while (table->slots[at].number != 0 && table->slots[at].addr != addr)
		at = (at + 1) & mask;
	return at;
}

struct service *endpoint_find_slot(const struct endpoint_table *table, uint32_t addr)
{
	uint32_t number = table->slots[find_slot(table, addr)].number;

	return number != 0 ? &table->services[number - 1] : NULL;
}

/* ---- which dynamic addresses are free --------------------------------------------------- */

static bool has_place(const struct endpoint_table *table, uint32_t addr)
{
	return addr - table->first_dynamic < table->place_count;
}

static void mark_bound(struct endpoint_table *table, uint32_t addr)
{
	uint32_t bit = addr - table->first_dynamic;

	if (has_place(table, addr))
		table->dynamic[bit / 64] |= UINT64_C(1) << bit % 64;
}

void endpoint_table_base(struct endpoint_table *table, uint32_t first)
{
	table->first_dynamic = first;
	/* All places are zero: of those only the one of address 0 would seem to be bound. */
	if (first == 0)
		table->places[0].service.addr = RPMSG_ADDR_ANY;
	mark_bound(table, RPMSG_ADDR_NS);
}

static void mark_free(struct endpoint_table *table, uint32_t addr)
{
	uint32_t bit = addr - table->first_dynamic;

	if (!has_place(table, addr))
		return;
	table->dynamic[bit / 64] &= ~(UINT64_C(1) << bit % 64);
	if (bit / 64 < table->dynamic_hint)
		table->dynamic_hint = bit / 64;
}

uint32_t endpoint_lowest_free(struct endpoint_table *table)
{
	uint32_t word = table->dynamic_hint;

	while (table->dynamic[word] == UINT64_MAX)
		word++;
	table->dynamic_hint = word;
	return table->first_dynamic + word * 64 + (uint32_t)__builtin_ctzll(~table->dynamic[word]);
}

/* ---- binding ---------------------------------------------------------------------------- */

static int grow(struct endpoint_table *table)
{
	struct endpoint_slot *old = table->slots;
	uint32_t old_count = slot_count(table);
	struct endpoint_slot *slots = new_slots(table->bits + 1);

	if (slots == NULL)
		return -ENOMEM;
	table->slots = slots;
	table->bits++;
	for (uint32_t i = 0; i < old_count; i++) {
		if (old[i].number != 0)
			slots[find_slot(table, old[i].addr)] = old[i];
	}
	free(old);
	return 0;
}

static int bind_slot(struct endpoint_table *table, uint32_t addr, struct service **service)
{
	uint32_t at, number;

	if (table->slots_used == slot_count(table) / 2 && grow(table) != 0)
		return -ENOMEM;
	number = table->free;
	if (number != NO_NUMBER)
		table->free = table->services[number].addr;
	else
		number = table->fresh++;
	at = find_slot(table, addr);
	table->slots[at].addr = addr;
	table->slots[at].number = number + 1;
	table->slots_used++;
	*service = &table->services[number];
	return 0;
}

int endpoint_bind(struct endpoint_table *table, uint32_t addr, struct service **service)
{
	assert(table->services != NULL); /* an initialised table */
	if (endpoint_find(table, addr) != NULL)
		return -EADDRINUSE;
	if (table->count == table->max)
		return -ENOSPC;
	if (has_place(table, addr))
		*service = &table->places[addr - table->first_dynamic].service;
	else if (bind_slot(table, addr, service) != 0)
		return -ENOMEM;

	memset(*service, 0, sizeof(**service));
	(*service)->addr = addr;
	(*service)->peer = RPMSG_ADDR_ANY;
	table->count++;
	mark_bound(table, addr);
	return 0;
}

static void unbind_slot(struct endpoint_table *table, struct service *service)
{
	uint32_t mask = slot_count(table) - 1;
	uint32_t hole = find_slot(table, service->addr);
	uint32_t number = (uint32_t)(service - table->services);

	/* Move up what would not be found any more behind the hole. */
	for (uint32_t at = (hole + 1) & mask; table->slots[at].number != 0; at = (at + 1) & mask) {
		uint32_t home = home_of(table, table->slots[at].addr);

		if (((at - home) & mask) >= ((at - hole) & mask)) {
			table->slots[hole] = table->slots[at];
			hole = at;
		}
	}
	table->slots[hole].number = 0;
	table->slots_used--;
	service->addr = table->free;
	table->free = number;
}

void endpoint_unbind(struct endpoint_table *table, struct service *service)
{
	uint32_t addr = service->addr;

	table->count--;
	mark_free(table, addr);
	if (has_place(table, addr))
		service->addr = ~addr;
	else
		unbind_slot(table, service);
}

/* ---- walking ---------------------------------------------------------------------------- */

static int compare_services(const void *a, const void *b)
{
	uint32_t left = (*(struct service *const *)a)->addr;
	uint32_t right = (*(struct service *const *)b)->addr;

	return left < right ? -1 : left > right;
}

/* All that are bound, in any order. Return: how many. */
static uint32_t collect(const struct endpoint_table *table, const struct service **services)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < slot_count(table); i++) {
		if (table->slots[i].number != 0)
			services[count++] = &table->services[table->slots[i].number - 1];
	}
	for (uint32_t word = 0; word < table->dynamic_words; word++) {
		for (uint64_t bits = table->dynamic[word]; bits != 0; bits &= bits - 1) {
			uint32_t place = word * 64 + (uint32_t)__builtin_ctzll(bits);
			const struct service *service = &table->places[place].service;

			/* The name service's address is taken without an endpoint. */
			if (service->addr == table->first_dynamic + place)
				services[count++] = service;
		}
	}
	return count;
}

int endpoint_walk(const struct endpoint_table *table,
		  int (*each)(void *ctx, const struct service *service), void *ctx)
{
	const struct service **services;
	uint32_t count;
	int ret = 0;

	if (table->count == 0)
		return 0;
	services = malloc(table->count * sizeof(*services));
	if (services == NULL)
		return -ENOMEM;
	count = collect(table, services);
	qsort(services, count, sizeof(*services), compare_services);
	for (uint32_t i = 0; i < count && ret == 0; i++)
		ret = each(ctx, services[i]);
	free(services);
	return ret;
}
