/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device may write of guest memory: the used rings of its queues, and what descriptors
 * call device-writable. While a device acts all else is compared with what it was before.
 *
 * Every descriptor counts that stood in a ring or in a table which a ring names, whether it was
 * made available or not, and every ring that was in use for a moment (CMake links virtq_start()
 * with --wrap): a little too much is allowed, and nothing that is right is blamed.
 */
#ifndef FUZZ_COMMON_OUTSIDE_H
#define FUZZ_COMMON_OUTSIDE_H

#include "vhost/backend.h"

/**
 * outside_begin() - a new input: nothing is known of memory
 */
void outside_begin(void);

/**
 * outside_touched() - somebody else than the device has written, or may have
 *
 * Without it memory is not copied again before the device acts.
 */
void outside_touched(void);

/**
 * outside_readable() - from now on the device is told to write into what it may only read, too
 */
void outside_readable(void);

/**
 * outside_before() - the device is going to do something
 * @be: its session, with WORLD_RAM as memory
 */
void outside_before(const struct backend *be);

/**
 * outside_after() - it has done it; ends the process when it wrote where it may not
 * @be: its session
 */
void outside_after(const struct backend *be);

#endif /* FUZZ_COMMON_OUTSIDE_H */
