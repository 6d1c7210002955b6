/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wake-up times of services: a binary heap by time, then by the order of setting, so that
 * what is due at the same moment always comes in the same order.
 */
#ifndef REMOTE_TIMER_H
#define REMOTE_TIMER_H

#include <stdint.h>

#include "remote/remote.h"

#define TIMER_OFF UINT32_MAX

/* Part of its owner; at is TIMER_OFF while it is not set. */
struct timer {
	uint64_t when; /* nanoseconds */
	uint64_t order;
	uint32_t at; /* place in the heap */
};

struct timers {
	struct timer **heap;
	uint32_t count;
	uint32_t room;
	uint64_t order;
};

/**
 * timers_reserve() - make room, so that timer_set() needs no memory
 * @timers: zero bytes at first
 * @count: timers that may be set at a time
 *
 * Return: 0 or -ENOMEM.
 */
int timers_reserve(struct timers *timers, uint32_t count);

/**
 * timers_fini() - free; timers that are set are forgotten
 * @timers: heap
 */
void timers_fini(struct timers *timers);

/**
 * timer_set() - set a timer, or set it anew
 * @timers: heap with room for it
 * @timer: timer
 * @when: time in nanoseconds
 */
void timer_set(struct timers *timers, struct timer *timer, uint64_t when);

/**
 * timer_clear() - do not fire
 * @timers: heap
 * @timer: timer, set or not
 */
void timer_clear(struct timers *timers, struct timer *timer);

/**
 * timers_first() - the timer that comes next
 * @timers: heap
 *
 * Return: timer, still set; NULL when there is none.
 */
struct timer *timers_first(const struct timers *timers);

#endif /* REMOTE_TIMER_H */
