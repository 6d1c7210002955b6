/* SPDX-License-Identifier: BSD-2-Clause */
/* What /proc says about a process or a thread. */
#ifndef AGENT_PROCSTAT_H
#define AGENT_PROCSTAT_H

#include <stdint.h>

#include "json.h"

struct procstat {
	char state;	/* R, S, D, Z, ... of proc(5) */
	uint64_t utime; /* ticks of 1/hz s */
	uint64_t stime;
};

/**
 * procstat_read() - read one stat file
 * @path: "/proc/PID/stat" or "/proc/PID/task/TID/stat"
 * @status: filled in
 *
 * Source of the format: proc(5).
 *
 * Return: 0; -EPROTO when the file is not as it should be; another negative errno.
 */
int procstat_read(const char *path, struct procstat *status);

/**
 * procstat_put() - write state, utime, stime and hz
 * @out: where to, inside an object
 * @status: from procstat_read()
 */
void procstat_put(struct json_out *out, const struct procstat *status);

#endif
