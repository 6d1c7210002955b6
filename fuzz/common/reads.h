/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How often a byte of guest memory was read: what is read twice may have been another the
 * second time, whatever was checked the first. Counts only in a build with the hook of
 * virtio/read_hook.h (FUZZ=ON); elsewhere every count is 0.
 */
#ifndef FUZZ_COMMON_READS_H
#define FUZZ_COMMON_READS_H

#include <stddef.h>

#define READS_MAX ((size_t)256 * 1024)

/**
 * reads_watch() - count reads of this memory from now on, and of no other
 * @base: memory
 * @size: bytes, at most READS_MAX
 *
 * Counts of before stay, so that to watch the same memory again costs nothing.
 */
void reads_watch(const void *base, size_t size);

/**
 * reads_forget() - set counts to 0
 * @at: first byte, watched
 * @size: bytes
 */
void reads_forget(const void *at, size_t size);

/**
 * reads_most() - the highest count
 * @at: first byte, watched
 * @size: bytes
 *
 * Return: how often the byte was read that was read most often, 255 at the most.
 */
unsigned int reads_most(const void *at, size_t size);

#endif /* FUZZ_COMMON_READS_H */
