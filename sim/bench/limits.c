/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the machine can do at the best: each of these is the least that has to happen for what
 * the simulator does, with nothing else around it.
 */
#include "bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE 64
#define SLOTS 256U
#define SLOT_SIZE 512U
#define HEADER_SIZE 16U
#define TIMES_MAX (UINT32_C(1) << 20)
#define CLOCK_EVERY 1024U
#define FILE_PAGE 4096
#define FILE_BLOCK (256 << 10)
#define FILE_AHEAD (64 << 20)
/* Turns of a polling loop after which the other process may have nowhere to run. */
#define SPINS 4096U

void bench_pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* What is copied counts as used: without that the compiler leaves the copy out. */
static inline void use(const void *at)
{
	__asm__ volatile("" : : "r"(at) : "memory");
}

static void *shared(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* The second process: 0 in it, its number in the first, or negative errno. */
static pid_t start_second(const struct bench_options *options)
{
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		bench_pin(options->cpus[1]);
	} else {
		bench_pin(options->cpus[0]);
	}
	return child;
}

static void end_second(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static bool goes_on(const struct bench_options *options, uint64_t units, uint64_t start)
{
	return options->count != 0 ? units < options->count
				   : bench_now() - start < options->duration;
}

/* ---- round trips, each of them timed ------------------------------------------------------- */

struct times {
	uint32_t *each; /* nanoseconds; beyond TIMES_MAX the oldest are overwritten */
	uint64_t count;
};

static int compare_times(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

/* One look at the clock a round trip, as rpmsg-host has it. */
static int time_round_trips(const struct bench_options *options, struct bench_result *result,
			    int (*trip)(void *ctx), void *ctx)
{
	struct times times = {.each = malloc(TIMES_MAX * sizeof(*times.each))};
	uint64_t start = bench_now(), before = start, now = start;
	uint64_t kept;
	int ret = 0;

	if (times.each == NULL)
		return -ENOMEM;
	while (ret == 0 && (options->count != 0 ? times.count < options->count
						: now - start < options->duration)) {
		ret = trip(ctx);
		now = bench_now();
		times.each[times.count++ % TIMES_MAX] = (uint32_t)(now - before);
		before = now;
	}
	kept = times.count < TIMES_MAX ? times.count : TIMES_MAX;
	qsort(times.each, kept, sizeof(*times.each), compare_times);
	result->units = times.count;
	result->total = now - start;
	result->p50 = times.each[kept / 2];
	result->p99 = times.each[kept * 99 / 100];
	free(times.each);
	return ret;
}

struct events {
	int there, back;
};

static int pass_on(int to)
{
	const uint64_t one = 1;

	return write(to, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

static int wait_for(int from)
{
	uint64_t count;

	return read(from, &count, sizeof(count)) == sizeof(count) ? 0 : -errno;
}

static int event_trip(void *ctx)
{
	const struct events *events = ctx;
	int ret = pass_on(events->there);

	return ret == 0 ? wait_for(events->back) : ret;
}

static _Noreturn void answer_events(const struct events *events)
{
	while (wait_for(events->there) == 0 && pass_on(events->back) == 0)
		;
	_exit(1);
}

int bench_eventfd(const struct bench_options *options, struct bench_result *result)
{
	struct events events = {.there = eventfd(0, 0), .back = eventfd(0, 0)};
	pid_t child;
	int ret;

	if (events.there < 0 || events.back < 0)
		return -errno;
	child = start_second(options);
	if (child < 0)
		return child;
	if (child == 0)
		answer_events(&events);
	ret = time_round_trips(options, result, event_trip, &events);
	end_second(child);
	return ret;
}

struct flags {
	_Alignas(LINE) uint32_t there;
	_Alignas(LINE) uint32_t back;
};

static void wait_until(const uint32_t *flag, uint32_t value)
{
	for (uint32_t spins = 1; __atomic_load_n(flag, __ATOMIC_ACQUIRE) != value; spins++) {
		if (spins % SPINS == 0)
			sched_yield();
	}
}

static int flag_trip(void *ctx)
{
	struct flags *flags = ctx;
	uint32_t next = flags->there + 1;

	__atomic_store_n(&flags->there, next, __ATOMIC_RELEASE);
	wait_until(&flags->back, next);
	return 0;
}

static _Noreturn void answer_flags(struct flags *flags)
{
	for (uint32_t next = 1;; next++) {
		wait_until(&flags->there, next);
		__atomic_store_n(&flags->back, next, __ATOMIC_RELEASE);
	}
}

int bench_flag(const struct bench_options *options, struct bench_result *result)
{
	struct flags *flags = shared(sizeof(*flags));
	pid_t child;
	int ret;

	if (flags == NULL)
		return -ENOMEM;
	child = start_second(options);
	if (child < 0)
		return child;
	if (child == 0)
		answer_flags(flags);
	ret = time_round_trips(options, result, flag_trip, flags);
	end_second(child);
	return ret;
}

/* ---- one way ------------------------------------------------------------------------------- */

struct one_way {
	_Alignas(LINE) uint32_t filled; /* slots, counted by who fills them */
	_Alignas(LINE) uint32_t taken;	/* the same by who takes them */
	_Alignas(LINE) uint8_t slots[SLOTS][SLOT_SIZE];
};

/* Takes for ever: every slot is copied, header first, as a message would be. */
static _Noreturn void take_slots(struct one_way *ring)
{
	static uint8_t copy[SLOT_SIZE];
	uint32_t taken = 0, filled = 0, spins = 0;

	for (;;) {
		while (taken != filled) {
			memcpy(copy, ring->slots[taken % SLOTS], SLOT_SIZE);
			use(copy);
			taken++;
		}
		__atomic_store_n(&ring->taken, taken, __ATOMIC_RELEASE);
		filled = __atomic_load_n(&ring->filled, __ATOMIC_ACQUIRE);
		if (taken == filled && ++spins % SPINS == 0)
			sched_yield();
	}
}

static void fill_batch(struct one_way *ring, const uint8_t *message, uint32_t *filled,
		       uint32_t batch, uint32_t size)
{
	uint32_t spins = 0;

	while (*filled + batch - __atomic_load_n(&ring->taken, __ATOMIC_ACQUIRE) > SLOTS) {
		if (++spins % SPINS == 0)
			sched_yield();
	}
	for (uint32_t i = 0; i < batch; i++)
		memcpy(ring->slots[(*filled)++ % SLOTS], message, HEADER_SIZE + size);
	__atomic_store_n(&ring->filled, *filled, __ATOMIC_RELEASE);
}

int bench_ring(const struct bench_options *options, struct bench_result *result)
{
	uint32_t batch = options->batch < SLOTS ? options->batch : SLOTS;
	static uint8_t message[SLOT_SIZE];
	struct one_way *ring = shared(sizeof(*ring));
	uint64_t start, units = 0;
	uint32_t filled = 0;
	pid_t child;

	if (options->size > SLOT_SIZE - HEADER_SIZE)
		return -EINVAL;
	if (ring == NULL)
		return -ENOMEM;
	child = start_second(options);
	if (child < 0)
		return child;
	if (child == 0)
		take_slots(ring);
	start = bench_now();
	while (goes_on(options, units, start)) {
		for (uint32_t i = 0; i < CLOCK_EVERY; i += batch, units += batch)
			fill_batch(ring, message, &filled, batch, options->size);
	}
	/* What was not taken was not carried. */
	wait_until(&ring->taken, filled);
	result->units = units;
	result->total = bench_now() - start;
	end_second(child);
	return 0;
}

/* ---- one thread ------------------------------------------------------------------------------ */

int bench_memcpy(const struct bench_options *options, struct bench_result *result)
{
	static uint8_t from[SLOTS][SLOT_SIZE], to[SLOT_SIZE];
	uint64_t start, units = 0;

	if (options->size > SLOT_SIZE)
		return -EINVAL;
	bench_pin(options->cpus[0]);
	start = bench_now();
	while (goes_on(options, units, start)) {
		for (uint32_t i = 0; i < CLOCK_EVERY; i++, units++) {
			size_t size = options->size;

			/* Of a size that the compiler does not know, as that of a message. */
			__asm__ volatile("" : "+r"(size) : : "memory");
			memcpy(to, from[i % SLOTS], size);
			use(to);
		}
	}
	result->units = units;
	result->total = bench_now() - start;
	return 0;
}

/*
 * Records into a file, already made and in a core's own cache: what the kernel needs to take the
 * bytes. Of the ways that were tried, write() in blocks of whole pages is the fastest where it is
 * told beforehand how much will come; a mapping of the file takes a fault for each page.
 */
static int fill_file(const struct bench_options *options, struct bench_result *result, int fd)
{
	static _Alignas(FILE_PAGE) uint8_t block[FILE_BLOCK];
	uint64_t start = bench_now(), bytes = 0;

	memset(block, 0x5a, sizeof(block));
	while (goes_on(options, bytes / options->size, start)) {
		/* Not every file system does it, nor has to. */
		if (bytes % FILE_AHEAD == 0)
			(void)!fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)bytes, FILE_AHEAD);
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			return errno != 0 ? -errno : -EIO;
		bytes += sizeof(block);
	}
	result->units = bytes / options->size;
	result->total = bench_now() - start;
	return 0;
}

int bench_file(const struct bench_options *options, struct bench_result *result)
{
	int fd, ret;

	if (options->file_path == NULL)
		return -EDESTADDRREQ;
	bench_pin(options->cpus[1]);
	fd = open(options->file_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ret = fill_file(options, result, fd);
	close(fd);
	unlink(options->file_path);
	return ret;
}

/* A wake-up without a message: a descriptor is written, waited for and read. */
int bench_epoll(const struct bench_options *options, struct bench_result *result)
{
	int events = eventfd(0, EFD_NONBLOCK), epoll = epoll_create1(0);
	struct epoll_event wanted = {.events = EPOLLIN}, got;
	uint64_t start, units = 0;
	int ret = 0;

	bench_pin(options->cpus[0]);
	if (events < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, events, &wanted) != 0)
		return -errno;
	start = bench_now();
	while (ret == 0 && goes_on(options, units, start)) {
		ret = pass_on(events);
		if (ret == 0 && epoll_wait(epoll, &got, 1, -1) != 1)
			ret = -errno;
		if (ret == 0)
			ret = wait_for(events);
		units++;
	}
	result->units = units;
	result->total = bench_now() - start;
	close(epoll);
	close(events);
	return ret;
}
