/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a file of targets/ defines, and all that a program around it needs: the engine
 * (common/engine.c, with libFuzzer or AFL++) or a replay of files (common/replay.c, with any
 * compiler).
 */
#ifndef FUZZ_COMMON_TARGET_H
#define FUZZ_COMMON_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "common/oplist.h"

struct fuzz_target {
	const char *name;
	const char *summary; /* what is attacked, one line */
	/* Structure of the input; NULL: bytes. */
	const struct oplist_schema *schema;
	/*
	 * One input, from a clean state to a clean state. No threads, no sockets, no clock. Returns
	 * 0, or -1 when the input is not worth keeping. What must not happen ends the process:
	 * common/oracle.h.
	 */
	int (*run)(const uint8_t *data, size_t size);
};

extern const struct fuzz_target fuzz_target;

#endif /* FUZZ_COMMON_TARGET_H */
