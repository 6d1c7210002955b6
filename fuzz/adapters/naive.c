/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small remote that believes what it reads, kept so that it can be shown that fuzzing finds
 * what is wrong with it. It knows neither indirect descriptors nor chains, echoes to whoever
 * speaks to 1024, and remembers the last channel that the host announced.
 *
 * NAIVE_FAULT chooses the mistake:
 *   1  the length in a message's header is believed beyond the buffer that it came in
 *   2  the name in an announcement is copied without an end
 *   3  a buffer whose message is empty and to nobody is put into the used ring twice
 *   4  a channel that was never announced can be withdrawn
 *   5  a chain of descriptors is followed for as long as it goes on
 * Without it, or with 0, there is none that is known.
 */
#include <stdlib.h>
#include <string.h>

#include "adapters/adapter.h"

#ifndef NAIVE_FAULT
#define NAIVE_FAULT 0
#endif

#define HEADER 16
#define NAME 32
#define NAME_SERVICE 53
#define ECHO 1024
#define MAX_MESSAGE 512

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct used_entry {
	uint32_t id, len;
};

struct stack {
	struct adapter_setup setup;
	uint16_t last_avail[ADAPTER_QUEUES], used[ADAPTER_QUEUES];
	size_t name_length;
	char name[NAME];
	uint32_t *channel; /* its address, NULL: none is announced */
};

static uint16_t load16(const void *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint32_t load32(const void *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void store16(void *at, uint16_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void give_back(struct stack *stack, unsigned int queue, uint16_t head, uint32_t len)
{
	const struct adapter_queue *q = &stack->setup.queues[queue];
	const struct used_entry entry = {.id = head, .len = len};
	uint8_t *used = q->used;

	memcpy(used + 4 + (stack->used[queue] & (q->entries - 1)) * sizeof(entry), &entry,
	       sizeof(entry));
	store16(used + 2, ++stack->used[queue]);
}

/* The next buffer of a queue. Return: its first byte and *desc; NULL: there is none. */
static uint8_t *take(struct stack *stack, unsigned int queue, uint16_t *head, struct desc *desc)
{
	const struct adapter_queue *q = &stack->setup.queues[queue];
	const uint8_t *avail = q->avail;
	uint64_t offset;

	while (load16(avail + 2) != stack->last_avail[queue]) {
		*head = load16(avail + 4 +
			       (stack->last_avail[queue]++ & (q->entries - 1)) * sizeof(*head));
		memcpy(desc, (const uint8_t *)q->desc + (*head & (q->entries - 1)) * sizeof(*desc),
		       sizeof(*desc));
#if NAIVE_FAULT == 5
		while (desc->flags & 1)
			memcpy(desc,
			       (const uint8_t *)q->desc +
				       (desc->next & (q->entries - 1)) * sizeof(*desc),
			       sizeof(*desc));
#endif
		offset = desc->addr - stack->setup.memory_address;
		if (offset < stack->setup.memory_size &&
		    desc->len <= stack->setup.memory_size - offset)
			return stack->setup.memory + offset;
		give_back(stack, queue, *head, 0);
	}
	return NULL;
}

static void answer(struct stack *stack, uint32_t from, uint32_t to, const uint8_t *payload,
		   uint16_t size)
{
	uint8_t message[MAX_MESSAGE] = {0};
	struct desc desc;
	uint16_t head;
	uint8_t *room = take(stack, 0, &head, &desc);

	if (room == NULL)
		return;
	memcpy(message, &from, sizeof(from));
	memcpy(message + 4, &to, sizeof(to));
	store16(message + 12, size);
	memcpy(message + HEADER, payload, size);
	if (desc.len < HEADER + (uint32_t)size)
		size = 0;
	if (desc.len < HEADER) {
		give_back(stack, 0, head, 0);
		return;
	}
	store16(message + 12, size);
	memcpy(room, message, HEADER + (size_t)size);
	give_back(stack, 0, head, HEADER + (uint32_t)size);
}

static void remember(struct stack *stack, const uint8_t *payload, uint16_t size)
{
	if (size != NAME + 8)
		return;
	memcpy(stack->name, payload, NAME);
#if NAIVE_FAULT != 2
	stack->name[NAME - 1] = '\0';
#endif
	stack->name_length = strlen(stack->name);
	if (load32(payload + NAME + 4) == 0) {
		if (stack->channel == NULL)
			stack->channel = malloc(sizeof(*stack->channel));
		if (stack->channel != NULL)
			*stack->channel = load32(payload + NAME);
		return;
	}
#if NAIVE_FAULT != 4
	if (stack->channel == NULL)
		return;
#endif
	/* So that nobody finds it before it is gone. */
	*stack->channel = 0;
	free(stack->channel);
	stack->channel = NULL;
}

static void message(struct stack *stack, uint16_t head, const uint8_t *shared, uint32_t size)
{
	uint8_t *copy = malloc(size != 0 ? size : 1);
	uint32_t from, to;
	uint16_t len;

	if (copy == NULL)
		return;
	memcpy(copy, shared, size);
	if (size < HEADER)
		goto out;
	from = load32(copy);
	to = load32(copy + 4);
	len = load16(copy + 12);
#if NAIVE_FAULT != 1
	if (len > size - HEADER)
		goto out;
#endif
	if (len > MAX_MESSAGE - HEADER)
		goto out;
	if (to == ECHO)
		answer(stack, ECHO, from, copy + HEADER, len);
	else if (to == NAME_SERVICE)
		remember(stack, copy + HEADER, len);
#if NAIVE_FAULT == 3
	else if (len == 0)
		give_back(stack, 1, head, 0);
#endif
out:
	free(copy);
	give_back(stack, 1, head, 0);
}

static void *init(const struct adapter_setup *setup)
{
	struct stack *stack = calloc(1, sizeof(*stack));

	if (stack != NULL)
		stack->setup = *setup;
	return stack;
}

static void feed(void *handle, unsigned int queue)
{
}

static void poll(void *handle, uint64_t ns)
{
	struct stack *stack = handle;
	const uint8_t *shared;
	struct desc desc;
	uint16_t head;

	while ((shared = take(stack, 1, &head, &desc)) != NULL)
		message(stack, head, shared, desc.len);
}

static void fini(void *handle)
{
	struct stack *stack = handle;

	free(stack->channel);
	free(stack);
}

const struct adapter adapter = {
	.name = "naive",
	.features = UINT64_C(1) << 32 | UINT64_C(1) << 0,
	.init = init,
	.feed = feed,
	.poll = poll,
	.fini = fini,
};
