/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a program that is fuzzed from outside counts what it executes: memory that it shares with
 * rpmsg-fuzz. The environment variable names a file to map.
 *
 * coverage.c is the program's end; link it into a program that was compiled with one of
 *	clang -fsanitize-coverage=trace-pc-guard
 *	clang -fsanitize-coverage=inline-8bit-counters
 *	gcc -fsanitize-coverage=trace-pc
 * and compile it without any of them.
 */
#ifndef FUZZ_OUTSIDE_COVERAGE_H
#define FUZZ_OUTSIDE_COVERAGE_H

#include <stdint.h>

#define COVERAGE_VARIABLE "RPMSG_FUZZ_COVERAGE"
#define COVERAGE_MAGIC 0x56435052U /* "RPCV" */
#define COVERAGE_COUNTERS (UINT32_C(1) << 18)
#define COVERAGE_HASHED (UINT32_C(1) << 16) /* counters that gcc's program counters share */
#define COVERAGE_RANGES 32

/*
 * Counters of inline-8bit-counters stay where the compiler put them, in the program's own memory,
 * and are read there: the program only says where they are.
 */
struct coverage_range {
	uint64_t start, size;
	int32_t process;
	uint32_t set; /* the others are valid */
};

struct coverage {
	uint32_t magic;	  /* COVERAGE_MAGIC once a program has mapped it */
	uint32_t count;	  /* of counters that are given out */
	uint32_t ranges;  /* likewise */
	uint32_t missing; /* counters for which there was no room */
	struct coverage_range range[COVERAGE_RANGES];
	uint8_t counters[COVERAGE_COUNTERS];
};

#endif /* FUZZ_OUTSIDE_COVERAGE_H */
