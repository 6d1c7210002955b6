/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of rpmsg-bench share. One measurement is made by one run of the program. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* What to measure; which fields count depends on the measurement. */
struct bench_options {
	uint64_t duration;	 /* nanoseconds */
	uint64_t count;		 /* units instead of a duration; 0: by duration */
	uint32_t size;		 /* payload bytes */
	uint32_t batch;		 /* messages that are shown at once */
	uint32_t ring;		 /* entries of each ring */
	uint32_t endpoints;	 /* echoing ones, addressed uniformly */
	uint32_t faults;	 /* faults that are set and never due */
	bool check;		 /* judge what the host does */
	int cpus[2];		 /* of the first and the second process; -1: wherever */
	const char *socket_path; /* of a back-end that listens; NULL: none given */
	const char *file_path;	 /* that is written, and removed; NULL: none given */
};

/* What came of it. */
struct bench_result {
	uint64_t units;
	uint64_t total; /* nanoseconds for all of them */
	uint64_t p50;	/* nanoseconds of one, where each is timed; else 0 */
	uint64_t p99;
	uint64_t bytes; /* memory for each endpoint, where that is measured; else 0 */
};

struct bench_measurement {
	const char *name;
	const char *summary;
	/* Return: 0 or negative errno. */
	int (*run)(const struct bench_options *options, struct bench_result *result);
};

/* limits.c: between two processes */
int bench_eventfd(const struct bench_options *options, struct bench_result *result);
int bench_flag(const struct bench_options *options, struct bench_result *result);
int bench_ring(const struct bench_options *options, struct bench_result *result);
/* limits.c: in one thread */
int bench_memcpy(const struct bench_options *options, struct bench_result *result);
int bench_epoll(const struct bench_options *options, struct bench_result *result);
int bench_file(const struct bench_options *options, struct bench_result *result);
/* device.c: the remote, and a bare ring in its place, under the same driver */
int bench_device(const struct bench_options *options, struct bench_result *result);
int bench_bare(const struct bench_options *options, struct bench_result *result);
int bench_sink(const struct bench_options *options, struct bench_result *result);
int bench_announce(const struct bench_options *options, struct bench_result *result);
/* session.c: a host against a back-end in another process */
int bench_reconnect(const struct bench_options *options, struct bench_result *result);

/* Monotonic time in nanoseconds. */
static inline uint64_t bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/**
 * bench_pin() - run on one core from now on
 * @cpu: core, or -1 for no matter which; one that is not allowed is let be
 */
void bench_pin(int cpu);

#endif /* BENCH_BENCH_H */
