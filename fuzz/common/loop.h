/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libuv's event loop as a model, over the descriptors and the time of common/world.h: what
 * sim/daemon calls of it ends here (CMake links with --wrap). One turn does what libuv does in
 * one: timers, idle handles, what is readable, then callbacks of closed handles.
 */
#ifndef FUZZ_COMMON_LOOP_H
#define FUZZ_COMMON_LOOP_H

#include <stdbool.h>

/**
 * loop_begin() - a loop without handles; after world_begin()
 */
void loop_begin(void);

/**
 * loop_turn() - one turn, without waiting
 *
 * Return: true when a callback was called.
 */
bool loop_turn(void);

/**
 * loop_end() - callbacks of closed handles; before world_end()
 *
 * Ends the process when a handle was not closed.
 */
void loop_end(void);

#endif /* FUZZ_COMMON_LOOP_H */
