/* SPDX-License-Identifier: BSD-2-Clause */
#include "outside/shrink.h"

#include <string.h>

#define ARENA ((size_t)1 << 20)

static uint8_t arena[ARENA];
static size_t arena_used;

/* A list without so many items from one on. */
static void leave_out(struct oplist *to, const struct oplist *from, unsigned int at,
		      unsigned int count)
{
	to->count = from->count - count;
	memcpy(to->items, from->items, at * sizeof(from->items[0]));
	memcpy(&to->items[at], &from->items[at + count],
	       (from->count - at - count) * sizeof(from->items[0]));
}

/* Return: false when there is no time left. */
static bool fewer_items(struct oplist *list, shrink_fn *shows, void *ctx)
{
	static struct oplist trial;
	unsigned int size = list->count / 2 != 0 ? list->count / 2 : 1;

	for (;;) {
		/* From the end: what comes after the cause goes first. */
		unsigned int at = list->count;
		bool removed = false;

		while (at > 0) {
			unsigned int count = size < at ? size : at;
			int answer;

			at -= count;
			leave_out(&trial, list, at, count);
			answer = shows(ctx, &trial);
			if (answer < 0)
				return false;
			if (answer == 0)
				continue;
			*list = trial;
			removed = true;
		}
		if (size == 1 && !removed)
			return true;
		size = size > 1 ? size / 2 : 1;
	}
}

/* Try an item with another body; it stays when the list still shows it. */
static int try_body(struct oplist *list, unsigned int number, const uint8_t *body, uint16_t size,
		    shrink_fn *shows, void *ctx)
{
	struct oplist_item before = list->items[number];
	int answer;

	if (size > ARENA - arena_used)
		return -1;
	if (size != 0)
		memcpy(arena + arena_used, body, size);
	list->items[number].body = arena + arena_used;
	list->items[number].size = size;
	answer = shows(ctx, list);
	if (answer == 1)
		arena_used += size;
	else
		list->items[number] = before;
	return answer;
}

static bool plainer_fields(const struct oplist_schema *schema, struct oplist *list,
			   unsigned int number, shrink_fn *shows, void *ctx)
{
	static uint8_t body[OPLIST_MAX_BODY];
	const struct oplist_op *op = &schema->ops[list->items[number].code];
	size_t at = 0;

	for (unsigned int i = 0; i < oplist_fields(op); at += op->fields[i].width, i++) {
		const struct oplist_item *item = &list->items[number];

		if (oplist_get(schema, item, i) == 0 || at + op->fields[i].width > item->size)
			continue;
		memcpy(body, item->body, item->size);
		memset(body + at, 0, op->fields[i].width);
		if (try_body(list, number, body, item->size, shows, ctx) < 0)
			return false;
	}
	return true;
}

static bool shorter_tail(const struct oplist_schema *schema, struct oplist *list,
			 unsigned int number, shrink_fn *shows, void *ctx)
{
	size_t fields = oplist_fields_size(&schema->ops[list->items[number].code]);
	size_t cut = list->items[number].size;

	/* Half of what is left, then less, as long as that does. */
	for (cut = cut > fields ? cut - fields : 0; cut > 0;) {
		const struct oplist_item *item = &list->items[number];
		int answer = 0;

		if (item->size >= fields + cut)
			answer = try_body(list, number, item->body, (uint16_t)(item->size - cut),
					  shows, ctx);
		if (answer < 0)
			return false;
		if (answer == 0)
			cut /= 2;
	}
	return true;
}

void shrink(const struct oplist_schema *schema, struct oplist *list, shrink_fn *shows, void *ctx)
{
	arena_used = 0;
	if (!fewer_items(list, shows, ctx))
		return;
	for (unsigned int i = 0; i < list->count; i++)
		if (!shorter_tail(schema, list, i, shows, ctx) ||
		    !plainer_fields(schema, list, i, shows, ctx))
			return;
	/* An operation that has become plain may be one that is not needed any more. */
	(void)fewer_items(list, shows, ctx);
}
