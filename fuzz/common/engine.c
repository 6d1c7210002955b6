/* SPDX-License-Identifier: BSD-2-Clause */
/* The entry of every fuzzing engine that speaks libFuzzer's interface: libFuzzer, AFL++. */
#include <malloc.h>

#include "common/target.h"

/* More than a target has at a time. */
#define KEPT_BYTES (64 << 20)

int LLVMFuzzerInitialize(int *argc, char ***argv);
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

/*
 * What an input frees the next one takes. Given back to the kernel and asked for again, memory of
 * target session would take half as long as all that is done with it.
 */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)mallopt(M_MMAP_THRESHOLD, KEPT_BYTES / 2);
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
	(void)mallopt(M_TOP_PAD, KEPT_BYTES / 4);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_target.run(data, size);
}
