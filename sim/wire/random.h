/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one generator of everything random in the simulator, so that a seed repeats a run:
 * splitmix64. The state is a counter that advances by a fixed odd number, the output a mix of
 * it; every seed is good, 0 included, and the period is 2^64. Not for secrets.
 *
 * Source: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators",
 * OOPSLA 2014, section 5.
 */
#ifndef WIRE_RANDOM_H
#define WIRE_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

/**
 * random_init() - start a stream
 * @random: result
 * @seed: what the user chose
 * @stream: who draws from it: one number for each use, so that a choice which one of them
 *	makes more or less does not shift those of the others
 */
static inline void random_init(struct random *random, uint64_t seed, uint64_t stream)
{
	random->state = seed ^ stream * UINT64_C(0xd1342543de82ef95);
}

/**
 * random_next() - the next 64 bits
 * @random: stream
 *
 * Return: any value, each as likely as the other.
 */
static inline uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/**
 * random_below() - a number below a bound
 * @random: stream
 * @bound: 1 or more
 *
 * One draw, whatever comes; the bias is below @bound / 2^32.
 *
 * Return: 0 to @bound - 1.
 */
static inline uint32_t random_below(struct random *random, uint32_t bound)
{
	return (uint32_t)((random_next(random) >> 32) * bound >> 32);
}

#endif /* WIRE_RANDOM_H */
