/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A place for fuzz targets to watch reads of guest memory: what is read twice may have changed
 * in between. Nothing is left of it unless the build is for fuzzing.
 */
#ifndef VIRTIO_READ_HOOK_H
#define VIRTIO_READ_HOOK_H

#include <stddef.h>

#ifdef TESTBENCH_READ_HOOK
/**
 * guest_read_hook() - told of each read of ring or guest memory, before it
 * @at: first byte, in memory of this process
 * @size: bytes
 */
void guest_read_hook(const void *at, size_t size);
/* What is looked at early to have it in the cache by then would seem to be read twice. */
#define GUEST_READ_AHEAD 0
#else
#define GUEST_READ_AHEAD 1
static inline void guest_read_hook(const void *at, size_t size)
{
}
#endif

#endif /* VIRTIO_READ_HOOK_H */
