/* SPDX-License-Identifier: BSD-2-Clause */
/* The entry of every fuzzing engine that speaks libFuzzer's interface: libFuzzer, AFL++. */
#include "common/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_target.run(data, size);
}
