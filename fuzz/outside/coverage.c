/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * To be linked into a program that rpmsg-fuzz drives, so that it can see what an input reaches:
 * coverage.h. Needs nothing but libc, and does nothing when the variable is not set.
 */
#include "coverage.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the compiler's names */
#define HOOK __attribute__((visibility("default"), used))
void __sanitizer_cov_trace_pc_guard_init(uint32_t *start, uint32_t *stop);
void __sanitizer_cov_trace_pc_guard(uint32_t *guard);
void __sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *stop);
void __sanitizer_cov_pcs_init(const uintptr_t *start, const uintptr_t *stop);
void __sanitizer_cov_trace_pc(void);

static struct coverage *coverage;
static bool tried;

/* Called before main(), by whichever part of the program comes first. */
static struct coverage *attach(void)
{
	const char *path = getenv(COVERAGE_VARIABLE);
	void *at;
	int fd;

	if (tried)
		return coverage;
	tried = true;
	fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return NULL;
	at = mmap(NULL, sizeof(*coverage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return NULL;
	coverage = at;
	coverage->magic = COVERAGE_MAGIC;
	return coverage;
}

/* Counters for so many places. Return: number of the first; COVERAGE_COUNTERS: no room. */
static uint32_t reserve(struct coverage *at, uint32_t count)
{
	uint32_t first = __atomic_fetch_add(&at->count, count, __ATOMIC_RELAXED);

	if (first < COVERAGE_COUNTERS && count <= COVERAGE_COUNTERS - first)
		return first;
	__atomic_fetch_add(&at->missing, count, __ATOMIC_RELAXED);
	return COVERAGE_COUNTERS;
}

/* A guard is the number of its counter and one: 0 counts nothing. */
HOOK void __sanitizer_cov_trace_pc_guard_init(uint32_t *start, uint32_t *stop)
{
	struct coverage *at = attach();
	uint32_t first;

	if (at == NULL || start == stop || *start != 0)
		return;
	first = reserve(at, (uint32_t)(stop - start));
	if (first == COVERAGE_COUNTERS)
		return;
	while (start < stop)
		*start++ = ++first;
}

HOOK void __sanitizer_cov_trace_pc_guard(uint32_t *guard)
{
	if (*guard != 0)
		coverage->counters[*guard - 1]++;
}

HOOK void __sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *stop)
{
	struct coverage *at = attach();
	uint32_t number;

	if (at == NULL || start == stop)
		return;
	for (uint32_t i = 0; i < COVERAGE_RANGES && i < at->ranges; i++)
		if (at->range[i].start == (uintptr_t)start && at->range[i].process == getpid())
			return;
	number = __atomic_fetch_add(&at->ranges, 1, __ATOMIC_RELAXED);
	if (number >= COVERAGE_RANGES) {
		__atomic_fetch_add(&at->missing, (uint32_t)(stop - start), __ATOMIC_RELAXED);
		return;
	}
	at->range[number] = (struct coverage_range){
		.start = (uintptr_t)start,
		.size = (uint64_t)(stop - start),
		.process = getpid(),
	};
	__atomic_store_n(&at->range[number].set, 1, __ATOMIC_RELEASE);
}

/* Comes with the counters; where they are in the source is of no use here. */
HOOK void __sanitizer_cov_pcs_init(const uintptr_t *start, const uintptr_t *stop)
{
}

/* gcc says no number: places share counters, as their distance from this function has it. */
HOOK void __sanitizer_cov_trace_pc(void)
{
	uintptr_t pc = (uintptr_t)__builtin_return_address(0);
	uint32_t place = (uint32_t)(pc - (uintptr_t)__sanitizer_cov_trace_pc);

	if (coverage != NULL)
		coverage->counters[(place * UINT32_C(2654435761)) % COVERAGE_HASHED]++;
}

/* With trace-pc nothing else announces itself. */
__attribute__((constructor)) static void begin(void)
{
	(void)attach();
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
