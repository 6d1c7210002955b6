/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is a target deterministic? Counters of the edges of its code, as an engine reads them, after
 * each of two runs of one input. Only in a build that is instrumented for an engine (FUZZ=ON).
 */
#ifndef FUZZ_COMMON_COUNTERS_H
#define FUZZ_COMMON_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "common/target.h"

/**
 * counters_size() - how many edges are counted
 *
 * Return: count; 0 in a build without instrumentation.
 */
size_t counters_size(void);

/**
 * counters_compare() - run an input twice
 * @target: target
 * @data: input
 * @size: bytes
 *
 * Return: edges that one of the runs passed more often than the other, 0 for a target that is
 * deterministic; -ENOMEM.
 */
long counters_compare(const struct fuzz_target *target, const uint8_t *data, size_t size);

#endif /* FUZZ_COMMON_COUNTERS_H */
