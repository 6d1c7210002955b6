/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/reads.h"

#include <stdint.h>
#include <string.h>

#include "common/oracle.h"
#include "virtio/read_hook.h"

static const uint8_t *watched;
static size_t watched_size;
static uint8_t counts[READS_MAX];

#ifdef TESTBENCH_READ_HOOK
void guest_read_hook(const void *at, size_t size)
{
	size_t offset = (size_t)((const uint8_t *)at - watched);

	if (offset >= watched_size)
		return;
	for (size_t i = 0; i < size && offset + i < watched_size; i++)
		if (counts[offset + i] != UINT8_MAX)
			counts[offset + i]++;
}
#endif

void reads_watch(const void *base, size_t size)
{
	ORACLE("reads-size", size <= READS_MAX, "%zu bytes cannot be watched", size);
	watched = base;
	watched_size = size;
}

void reads_forget(const void *at, size_t size)
{
	memset(counts + ((const uint8_t *)at - watched), 0, size);
}

unsigned int reads_most(const void *at, size_t size)
{
	const uint8_t *first = counts + ((const uint8_t *)at - watched);
	uint8_t most = 0;

	for (size_t i = 0; i < size; i++)
		if (first[i] > most)
			most = first[i];
	return most;
}
