/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The back-end that is attacked: a process that is started and ended here, or one that somebody
 * else looks after. What it prints is kept, whether it has ended can be waited for, and what it
 * executes is read when it was built with coverage.c.
 */
#ifndef FUZZ_OUTSIDE_VICTIM_H
#define FUZZ_OUTSIDE_VICTIM_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/launch.h"
#include "outside/coverage.h"

#define VICTIM_OUTPUT ((size_t)256 << 10)
#define VICTIM_POLLED 2 /* descriptors of victim_poll_fds() */

struct victim {
	const char *command; /* NULL: somebody else's, listening at path */
	const char *path;
	struct launch launch;
	bool running;
	int output_fd;
	char *output; /* terminated; what it printed since it was started, the end of it */
	size_t output_size, output_seen;
	unsigned int starts;
	pid_t server; /* who listens: the command may be a shell that started it */
	int schedule_fd, state_fd;

	struct coverage *coverage;
	int coverage_fd;
	uint8_t *copied; /* counters that were read out of the process */
	size_t copied_room;
	bool unreadable; /* they could not be */
};

/* How a process ended. */
struct victim_end {
	int signal; /* 0: none */
	int status; /* exit status when no signal ended it */
};

/**
 * victim_init() - nothing is started yet
 * @victim: set
 * @command: shell command that starts it, with {socket}; NULL: none
 * @path: socket where it listens; NULL with @command
 * @error: receives one line on failure
 * @size: bytes at @error
 *
 * Return: 0, or negative errno.
 */
int victim_init(struct victim *victim, const char *command, const char *path, char *error,
		size_t size);

/**
 * victim_start() - start it, unless it runs or is somebody else's
 * @victim: victim
 * @error: receives one line on failure
 * @size: bytes at @error
 *
 * Its socket need not be there yet.
 *
 * Return: 0, or negative errno.
 */
int victim_start(struct victim *victim, char *error, size_t size);

/**
 * victim_kill() - end it at once; what it printed stays
 * @victim: victim
 */
void victim_kill(struct victim *victim);

/**
 * victim_fini() - end it, and give everything back
 * @victim: victim
 */
void victim_fini(struct victim *victim);

/**
 * victim_poll_fds() - what is to be polled while something is awaited of it
 * @victim: victim
 * @to: VICTIM_POLLED entries, set
 */
void victim_poll_fds(const struct victim *victim, struct pollfd *to);

/**
 * victim_read() - take what it has printed
 * @victim: victim
 *
 * Return: true when there was something.
 */
bool victim_read(struct victim *victim);

/**
 * victim_identify() - this is the process that listens
 * @victim: victim
 * @server: process
 */
void victim_identify(struct victim *victim, pid_t server);

/* Milliseconds in the life of a process. */
struct victim_times {
	uint64_t ran;	 /* on a processor */
	uint64_t waited; /* for one */
};

/**
 * victim_times() - how much of a processor it had
 * @victim: victim
 *
 * Source: Linux Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat.
 *
 * Return: times, of its first thread; zero when they are not known.
 */
struct victim_times victim_times(const struct victim *victim);

/**
 * victim_sleeps() - does its first thread wait for something to happen?
 * @victim: victim
 *
 * Return: true when it does; false when it runs, or could, or that is not known.
 */
bool victim_sleeps(const struct victim *victim);

/**
 * victim_unread() - what it has printed since the last call, and a little before
 * @victim: victim
 *
 * Return: text; "" when there is nothing new.
 */
const char *victim_unread(struct victim *victim);

/**
 * victim_has_ended() - is it over?
 * @victim: victim
 * @how: set when it is; may be NULL
 *
 * What it printed last has then been read.
 *
 * Return: true when it is; false for one that is somebody else's.
 */
bool victim_has_ended(struct victim *victim, struct victim_end *how);

/* A row of counters. */
struct victim_counters {
	uint8_t *at; /* may be cleared, which is what victim_counted() is for */
	size_t size;
};

/**
 * victim_counters() - what it has executed since victim_clear_counters()
 * @victim: victim
 * @number: 0 and up
 * @to: set
 *
 * Return: false when there is no row of that number.
 */
bool victim_counters(struct victim *victim, unsigned int number, struct victim_counters *to);

/**
 * victim_clear_counters() - count from zero
 * @victim: victim
 */
void victim_clear_counters(struct victim *victim);

/**
 * victim_is_counted() - was it built with coverage.c, and can be read?
 * @victim: running victim
 *
 * Return: true when it was.
 */
bool victim_is_counted(const struct victim *victim);

#endif /* FUZZ_OUTSIDE_VICTIM_H */
