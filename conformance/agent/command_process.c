/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands on threads and processes of the agent. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "child.h"
#include "command.h"
#include "procstat.h"
#include "worker.h"

static int run_sleep(struct call *call)
{
	uint64_t ms = command_u64(call, "ms", 0);
	struct timespec time = {.tv_sec = (time_t)(ms / 1000),
				.tv_nsec = (long)(ms % 1000 * 1000000)};
	int err;

	command_begin(call);
	err = clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
	command_end(call);
	return err ? command_fail(call, -err, "sleep %u ms", (unsigned int)ms) : 0;
}

/*
 * Signals whose handler belongs to the agent, that cannot be handled, or that the processor raises
 * for a fault, which would then be raised again for ever.
 */
static bool is_refused(int number)
{
	static const int refused[] = {0,      SIGKILL, SIGSTOP, SIGCHLD, SIGSEGV, SIGBUS,
				      SIGILL, SIGFPE,  SIGTRAP, SIGSYS,	 SIGABRT};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (number == refused[i])
			return true;
	/* The C library keeps the first real-time signals for itself. */
	return number >= __SIGRTMIN && number < SIGRTMIN;
}

static int run_signal(struct call *call)
{
	int number = (int)command_u64(call, "sig", SIGUSR1);
	bool in_call = false;
	int err;

	if (is_refused(number))
		return command_fail(call, -EINVAL,
				    "signal: argument \"sig\": %d cannot be sent to a "
				    "thread without harm; use spawn and kill",
				    number);
	command_begin(call);
	err = worker_signal(call->target, number, command_flag(call, "restart"), &in_call);
	command_end(call);
	if (err)
		return command_fail(call, err, "signal to worker %u", call->target);
	json_out_bool(&call->out, "in_call", in_call);
	return 0;
}

static int run_workers(struct call *call)
{
	worker_list(&call->out);
	return 0;
}

static int run_spawn(struct call *call)
{
	pid_t pid;
	int err = child_spawn(call, &pid);

	if (err)
		return command_fail(call, err, "spawn");
	json_out_i64(&call->out, "pid", pid);
	return 0;
}

static int run_kill(struct call *call)
{
	pid_t pid = (pid_t)command_u64(call, "pid", 0);
	int number = (int)command_u64(call, "sig", SIGTERM);
	int err;

	command_begin(call);
	err = child_kill(pid, number);
	command_end(call);
	return err ? command_fail(call, err, "kill %d with %d", (int)pid, number) : 0;
}

static int run_wait(struct call *call)
{
	pid_t pid = (pid_t)command_u64(call, "pid", 0);
	int err;

	command_begin(call);
	err = child_wait(pid, command_i64(call, "timeout_ms", -1), &call->out);
	command_end(call);
	return err ? command_fail(call, err, "wait for %d", (int)pid) : 0;
}

static int run_proc_stat(struct call *call)
{
	pid_t pid = (pid_t)command_u64(call, "pid", 0);
	uint64_t tid = command_u64(call, "tid", 0);
	struct procstat status;
	bool in_call;
	char path[64];
	int err;

	if (tid)
		snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
	else
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	err = procstat_read(path, &status);
	if (err)
		return command_fail(call, err, "read %s", path);
	procstat_put(&call->out, &status);
	if (child_in_call(pid, &in_call))
		json_out_bool(&call->out, "in_call", in_call);
	return 0;
}

const struct command command_process_table[] = {
	{"sleep", run_sleep, COMMAND_IN_CHILD, {{"ms", ARGUMENT_U64, REQUIRED, UINT_MAX}}},
	{"signal",
	 run_signal,
	 COMMAND_AIMS_AT_WORKER,
	 {{"sig", ARGUMENT_SIGNAL, OPTIONAL, 0}, {"restart", ARGUMENT_BOOL, OPTIONAL, 0}}},
	{"workers", run_workers, 0, {{0}}},
	{"spawn", run_spawn, 0, {{"run", ARGUMENT_COMMAND, REQUIRED, 0}}},
	{"kill",
	 run_kill,
	 0,
	 {{"pid", ARGUMENT_U64, REQUIRED, INT_MAX}, {"sig", ARGUMENT_SIGNAL, OPTIONAL, 0}}},
	{"wait",
	 run_wait,
	 0,
	 {{"pid", ARGUMENT_U64, REQUIRED, INT_MAX},
	  {"timeout_ms", ARGUMENT_I64, OPTIONAL, INT_MAX}}},
	{"proc_stat",
	 run_proc_stat,
	 0,
	 {{"pid", ARGUMENT_U64, REQUIRED, INT_MAX}, {"tid", ARGUMENT_U64, OPTIONAL, INT_MAX}}},
	{0},
};
