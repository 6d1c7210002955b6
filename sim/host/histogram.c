/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/histogram.h"

/* Largest value that falls into a bucket. */
static uint64_t bucket_end(uint32_t bucket)
{
	uint32_t shift;
	uint64_t start;

	if (bucket < 2U << HISTOGRAM_SUB_BITS)
		return bucket;
	shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
	start = (bucket & ((1U << HISTOGRAM_SUB_BITS) - 1)) + (1U << HISTOGRAM_SUB_BITS);
	return ((start + 1) << shift) - 1;
}

uint64_t histogram_percentile(const struct histogram *histogram, uint32_t per_mille)
{
	/* Whole thousands first, so that no product wraps. */
	uint64_t rank = histogram->total / 1000 * per_mille +
			(histogram->total % 1000 * per_mille + 999) / 1000;
	uint64_t seen = 0;

	if (per_mille >= 1000)
		return histogram->max;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->counts[i];
		if (seen != 0 && seen >= rank)
			return bucket_end(i) < histogram->max ? bucket_end(i) : histogram->max;
	}
	return 0;
}
