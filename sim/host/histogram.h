/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fixed histogram of times: each power of two is divided into 64, so that a percentile is
 * right to 1.6 %. Adding costs a few instructions and never allocates.
 */
#ifndef HOST_HISTOGRAM_H
#define HOST_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 6
#define HISTOGRAM_MAX_BITS 40 /* 18 minutes in nanoseconds; longer counts as that */
#define HISTOGRAM_BUCKETS ((HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

/* All zero at first. */
struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t total;
	uint64_t min, max, sum; /* exact */
};

/* Number of the bucket of a value below 2^HISTOGRAM_MAX_BITS. */
static inline uint32_t histogram_bucket(uint64_t value)
{
	uint32_t shift;

	if (value < 1U << HISTOGRAM_SUB_BITS)
		return (uint32_t)value;
	shift = 63 - (uint32_t)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
	return (shift << HISTOGRAM_SUB_BITS) + (uint32_t)(value >> shift);
}

/**
 * histogram_add() - count one value
 * @histogram: histogram
 * @value: nanoseconds
 */
static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
	const uint64_t limit = (UINT64_C(1) << HISTOGRAM_MAX_BITS) - 1;

	histogram->counts[histogram_bucket(value < limit ? value : limit)]++;
	if (histogram->total == 0 || value < histogram->min)
		histogram->min = value;
	if (value > histogram->max)
		histogram->max = value;
	histogram->sum += value;
	histogram->total++;
}

/**
 * histogram_percentile() - the value that a share of all values does not exceed
 * @histogram: histogram
 * @per_mille: share in thousandths, 1000 for the largest
 *
 * Return: nanoseconds, the upper end of a bucket and never above the maximum; 0 when nothing
 * was counted.
 */
uint64_t histogram_percentile(const struct histogram *histogram, uint32_t per_mille);

#endif /* HOST_HISTOGRAM_H */
