/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A back-end that is started for one command and ended with it (--launch).
 */
#ifndef HOST_LAUNCH_H
#define HOST_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct launch {
	pid_t pid; /* 0: nothing was started */
	int pid_fd;
	char directory[64];
	char socket_path[80];
};

/**
 * launch_start() - start a shell command in a process group of its own
 * @launch: result
 * @command: each "{socket}" is replaced by the path of a socket in a new private directory
 * @output: descriptor that what it prints goes to; stays the caller's
 * @error: receives one line on failure
 * @size: bytes at @error
 *
 * Its standard input is empty. The process group keeps a Ctrl-C of the terminal from it, so that
 * statistics can still be taken.
 *
 * Return: 0, or negative errno with @error set.
 */
int launch_start(struct launch *launch, const char *command, int output, char *error, size_t size);

/**
 * launch_has_ended() - is the command over already?
 * @launch: started
 *
 * Return: true when it is.
 */
bool launch_has_ended(const struct launch *launch);

/**
 * launch_end() - ask it to end, insist after three seconds, remove its directory
 * @launch: started or not
 * @error: receives one line when the return value is negative
 * @size: bytes at @error
 *
 * Return: 0; -ECHILD when it ended by itself with a status other than 0, or by a signal other
 * than the one that asked for it; -ETIME when it had to be killed.
 */
int launch_end(struct launch *launch, char *error, size_t size);

/**
 * launch_abort() - kill it and remove its directory; safe in a signal handler
 * @launch: started or not
 */
void launch_abort(const struct launch *launch);

#endif /* HOST_LAUNCH_H */
