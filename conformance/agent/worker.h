/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads for commands that may block. Each is created when it is first named, does its commands
 * in the order they came in, and lives as long as the agent.
 */
#ifndef AGENT_WORKER_H
#define AGENT_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"

/**
 * worker_init() - say what happens with a call that was carried out. To be called once, first
 * @answer: sends the reply and frees the call
 */
void worker_init(void (*answer)(struct call *call));

/**
 * worker_submit() - queue a call for the worker that it names
 * @call: belongs to the worker from now on, unless this fails
 *
 * Return: 0; -EAGAIN when the worker has too many waiting or no thread could be made.
 */
int worker_submit(struct call *call);

/**
 * worker_signal() - send a signal to one worker's thread, whose handler does nothing
 * @number: of the worker
 * @signal: one that does not end the process; see command_process.c
 * @restart: have the system call that it interrupts start again (SA_RESTART) where it can
 * @in_call: whether the worker was inside its system call just before
 *
 * Return: 0; -ESRCH when there is no such worker yet; another negative errno.
 */
int worker_signal(unsigned int number, int signal, bool restart, bool *in_call);

/**
 * worker_list() - write what each worker does, and the state that the kernel has for its thread
 * @out: where to, inside an object
 */
void worker_list(struct json_out *out);

/**
 * worker_wait_idle() - wait until no worker has anything to do
 * @timeout_ms: for at most so long
 */
void worker_wait_idle(uint64_t timeout_ms);

#endif
