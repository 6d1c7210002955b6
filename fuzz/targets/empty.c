/* SPDX-License-Identifier: BSD-2-Clause */
/* Nothing: what an engine costs by itself, to measure the others by. */
#include "common/target.h"

static int run(const uint8_t *data, size_t size)
{
	return 0;
}

const struct fuzz_target fuzz_target = {
	.name = "empty",
	.summary = "nothing; the rate that no target can be above",
	.run = run,
};
