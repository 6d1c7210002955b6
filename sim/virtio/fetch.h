/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shared memory that is written soon: having it brought here while something else is done.
 *
 * A buffer that the other side has read lies in its core's cache, and a message is eight lines of
 * it. Stores become visible in order: while one of them waits for its line, those behind it fill
 * the processor's store buffer, and it stands still.
 */
#ifndef VIRTIO_FETCH_H
#define VIRTIO_FETCH_H

#include <stddef.h>
#include <stdint.h>

#define FETCH_LINE 64U

/* Of a longer message the rest follows by itself: processors see what is written in order. */
#define FETCH_MOST 512U

/* Messages that are written while a buffer comes. */
#define FETCH_DISTANCE 4U

/**
 * fetch_to_write() - have a buffer here, and for this core alone
 * @at: its first byte; neither read nor written
 * @size: bytes that will be written
 */
static inline void fetch_to_write(const uint8_t *at, size_t size)
{
	size_t end = size < FETCH_MOST ? size : FETCH_MOST;

	for (size_t i = 0; i < end; i += FETCH_LINE) {
#ifdef __x86_64__
		/* All of them have it; gcc would take another without being told so. */
		__asm__ volatile("prefetchw %0" : : "m"(at[i]));
#else
		__builtin_prefetch(at + i, 1);
#endif
	}
}

#endif /* VIRTIO_FETCH_H */
