/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device may write of guest memory: the used rings of its queues, and what descriptors
 * call device-writable. Around each turn of a device all else is compared.
 *
 * Every descriptor counts that stood in a ring or in a table which a ring names, whether it was
 * made available or not: a little too much is allowed, and nothing that is right is blamed.
 */
#ifndef FUZZ_COMMON_OUTSIDE_H
#define FUZZ_COMMON_OUTSIDE_H

#include "vhost/backend.h"

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
