/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long to look at a ring before sleeping for a notification. A wake-up costs more than the
 * other side's whole work on a batch, but looking in vain costs a core: so it is learnt what pays.
 *
 * An eager one was asked for. It starts with the longest look; a sleep shorter than that doubles
 * the next look, any other halves it.
 *
 * A careful one starts with no look at all. It begins after several short sleeps in a row, of which
 * a look would have saved each; where looks are in vain nevertheless, as on one core that both
 * sides share, it rests for more sleeps each time. Whoever sleeps long never pays anything.
 */
#ifndef VIRTIO_SPIN_H
#define VIRTIO_SPIN_H

#include <stdbool.h>
#include <stdint.h>

/* Of a careful one, in nanoseconds: several wake-ups' worth. */
#define SPIN_CAREFUL_NS UINT64_C(50000)

/* What is not worth a look. */
#define SPIN_SHORTEST_NS UINT64_C(1000)

/* Short sleeps in a row before a careful one begins. */
#define SPIN_EVIDENCE 8U

/* Looks in vain, one after the other, that are put up with; then the rest grows up to the most. */
#define SPIN_PATIENCE 2U
#define SPIN_REST_MAX 4096U

struct spin {
	uint64_t longest; /* nanoseconds; 0: never */
	uint64_t wait;	  /* nanoseconds that are worth while at present */
	uint32_t short_sleeps;
	uint32_t misses; /* in a row */
	uint32_t rest;	 /* sleeps until the next try */
	bool eager;
};

static inline void spin_init(struct spin *spin, uint64_t longest, bool eager)
{
	*spin = (struct spin){.longest = longest, .wait = eager ? longest : 0, .eager = eager};
}

/**
 * spin_slept() - this side was woken by a notification
 * @spin: state
 * @duration: nanoseconds that it slept
 */
static inline void spin_slept(struct spin *spin, uint64_t duration)
{
	bool was_short = duration <= spin->longest;

	if (!spin->eager) {
		if (spin->rest != 0)
			spin->rest--;
		spin->short_sleeps = was_short ? spin->short_sleeps + 1 : 0;
		if (spin->short_sleeps >= SPIN_EVIDENCE && spin->rest == 0)
			spin->wait = spin->longest;
		else if (!was_short)
			spin->wait = 0;
		return;
	}
	if (!was_short)
		spin->wait = spin->wait > SPIN_SHORTEST_NS ? spin->wait / 2 : 0;
	else
		spin->wait = spin->wait > SPIN_SHORTEST_NS ? 2 * spin->wait : 2 * SPIN_SHORTEST_NS;
	if (spin->wait > spin->longest)
		spin->wait = spin->longest;
}

/* What a look was for came. */
static inline void spin_hit(struct spin *spin)
{
	spin->misses = 0;
}

/* It did not. */
static inline void spin_missed(struct spin *spin)
{
	if (spin->eager)
		return;
	if (spin->misses < 31)
		spin->misses++;
	if (spin->misses < SPIN_PATIENCE)
		return;
	spin->rest = spin->misses < 12 ? UINT32_C(1) << spin->misses : SPIN_REST_MAX;
	spin->wait = 0;
	spin->short_sleeps = 0;
}

/* Between two looks. */
static inline void spin_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
	__asm__ volatile("yield" : : : "memory");
#endif
}

#endif /* VIRTIO_SPIN_H */
