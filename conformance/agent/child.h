/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes that carry out one command each, for cases that a thread cannot stand in for: a
 * signal that ends the sender, SIGKILL while it waits. And the reaping of every other orphan, which
 * is the duty of process 1.
 */
#ifndef AGENT_CHILD_H
#define AGENT_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "command.h"

/**
 * child_init() - start the thread that reaps. Before any other thread, since it blocks SIGCHLD
 *
 * Return: 0 or a negative errno.
 */
int child_init(void);

/**
 * child_spawn() - run call->inner with the arguments of the call in a new process
 * @call: the `spawn`
 * @pid: of the new process
 *
 * The child has every descriptor that commands opened and none of the agent's own, all signals at
 * their defaults, and dies with the agent.
 *
 * Return: 0; -EAGAIN when there are too many children whose end nobody has waited for; another
 * negative errno.
 */
int child_spawn(struct call *call, pid_t *pid);

/**
 * child_kill() - send a signal to a child that has not ended
 * @pid: from child_spawn()
 * @signal: number
 *
 * Return: 0; -ESRCH when it is no such child; another negative errno.
 */
int child_kill(pid_t pid, int signal);

/**
 * child_wait() - wait for the end of a child and write how it ended; it is forgotten then
 * @pid: from child_spawn()
 * @timeout_ms: -1: without end
 * @out: where to, inside an object
 *
 * Return: 0; -ECHILD when it is no such child; -ETIMEDOUT.
 */
int child_wait(pid_t pid, int64_t timeout_ms, struct json_out *out);

/**
 * child_in_call() - whether a child is inside its system call
 * @pid: any process
 * @in_call: the answer
 *
 * Return: true when @pid is a child, false when there is no answer.
 */
bool child_in_call(pid_t pid, bool *in_call);

#endif
