/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic on lengths and addresses that the other side supplied: every sum and product
 * of foreign numbers goes through these, so that none can wrap unnoticed.
 */
#ifndef WIRE_CHECKED_H
#define WIRE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

/* True and *sum set when a + b fits; false, *sum unspecified, when it wraps. */
static inline bool checked_add64(uint64_t a, uint64_t b, uint64_t *sum)
{
	return !__builtin_add_overflow(a, b, sum);
}

static inline bool checked_add32(uint32_t a, uint32_t b, uint32_t *sum)
{
	return !__builtin_add_overflow(a, b, sum);
}

static inline bool checked_mul64(uint64_t a, uint64_t b, uint64_t *product)
{
	return !__builtin_mul_overflow(a, b, product);
}

/* True when [start, start + size) does not wrap and lies within [base, base + length). */
static inline bool checked_range64(uint64_t start, uint64_t size, uint64_t base, uint64_t length)
{
	return start >= base && start - base <= length && size <= length - (start - base);
}

#endif /* WIRE_CHECKED_H */
