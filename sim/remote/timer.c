/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/timer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int timers_reserve(struct timers *timers, uint32_t count)
{
	uint32_t room = timers->room != 0 ? timers->room : 16;
	struct timer **heap;

	if (count <= timers->room)
		return 0;
	while (room < count)
		room = room > UINT32_MAX / 2 ? UINT32_MAX : room * 2;
	heap = reallocarray(timers->heap, room, sizeof(struct timer *));
	if (heap == NULL)
		return -ENOMEM;
	timers->heap = heap;
	timers->room = room;
	return 0;
}

void timers_fini(struct timers *timers)
{
	free(timers->heap);
	memset(timers, 0, sizeof(*timers));
}

static bool is_before(const struct timer *a, const struct timer *b)
{
	return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static void put_at(struct timers *timers, uint32_t at, struct timer *timer)
{
	timers->heap[at] = timer;
	timer->at = at;
}

/* Find the place of a timer from an empty place of the heap on. */
static void settle(struct timers *timers, uint32_t at, struct timer *timer)
{
	while (at != 0 && is_before(timer, timers->heap[(at - 1) / 2])) {
		put_at(timers, at, timers->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < timers->count &&
		    is_before(timers->heap[child + 1], timers->heap[child]))
			child++;
		if (child >= timers->count || !is_before(timers->heap[child], timer))
			break;
		put_at(timers, at, timers->heap[child]);
		at = child;
	}
	put_at(timers, at, timer);
}

void timer_set(struct timers *timers, struct timer *timer, uint64_t when)
{
	uint32_t at = timer->at;

	timer->when = when;
	timer->order = timers->order++;
	if (at == TIMER_OFF)
		at = timers->count++;
	settle(timers, at, timer);
}

void timer_clear(struct timers *timers, struct timer *timer)
{
	uint32_t at = timer->at;
	struct timer *last;

	if (at == TIMER_OFF)
		return;
	timer->at = TIMER_OFF;
	last = timers->heap[--timers->count];
	if (last != timer)
		settle(timers, at, last);
}

struct timer *timers_first(const struct timers *timers)
{
	return timers->count != 0 ? timers->heap[0] : NULL;
}
