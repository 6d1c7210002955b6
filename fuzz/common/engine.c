/* SPDX-License-Identifier: BSD-2-Clause */
/* The entry of every fuzzing engine that speaks libFuzzer's interface: libFuzzer, AFL++. */
#include "common/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/*
 * Freed memory is kept for the length of some inputs, which is all that can be said of one. The
 * usual 256 MiB would make each input work on fresh pages.
 */
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=8";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_target.run(data, size);
}
