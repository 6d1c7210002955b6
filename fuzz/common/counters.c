/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/counters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of common/replay.c and the targets: one range for each program and shared library. */
#define MAX_RANGES 16

static struct range {
	uint8_t *start, *end;
} ranges[MAX_RANGES];
static unsigned int range_count;

/* What counts must not be counted itself. */
#if defined(__clang__)
#define UNCOUNTED __attribute__((no_sanitize("coverage")))
#else
#define UNCOUNTED
#endif

/* Called by code that -fsanitize=fuzzer-no-link makes, before main(). */
void __sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *end);

UNCOUNTED __attribute__((visibility("default"))) void
__sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *end)
{
	if (range_count < MAX_RANGES && start != end)
		ranges[range_count++] = (struct range){.start = start, .end = end};
}

UNCOUNTED size_t counters_size(void)
{
	size_t size = 0;

	for (unsigned int i = 0; i < range_count; i++)
		size += (size_t)(ranges[i].end - ranges[i].start);
	return size;
}

UNCOUNTED static void clear(void)
{
	for (unsigned int i = 0; i < range_count; i++)
		memset(ranges[i].start, 0, (size_t)(ranges[i].end - ranges[i].start));
}

UNCOUNTED static void save(uint8_t *to)
{
	for (unsigned int i = 0; i < range_count; i++) {
		size_t size = (size_t)(ranges[i].end - ranges[i].start);

		memcpy(to, ranges[i].start, size);
		to += size;
	}
}

UNCOUNTED long counters_compare(const struct fuzz_target *target, const uint8_t *data, size_t size)
{
	size_t room = counters_size();
	uint8_t *first = malloc(2 * room + 1);
	uint8_t *second = first + room;
	long differ = 0;

	if (first == NULL)
		return -ENOMEM;
	clear();
	(void)target->run(data, size);
	save(first);
	clear();
	(void)target->run(data, size);
	save(second);
	for (size_t i = 0; i < room; i++)
		differ += first[i] != second[i];
	free(first);
	return differ;
}
