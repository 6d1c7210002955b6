/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon/log.h"

/* Numbers of system calls that a message may have to name; the largest is far below. */
#define CALLS_MAX 1024

static char *call_names[CALLS_MAX];

const char *sandbox_mode_name(enum sandbox_mode mode)
{
	static const char *const names[SANDBOX_COUNT] = {
		[SANDBOX_ON] = "on",
		[SANDBOX_LOG] = "log",
		[SANDBOX_OFF] = "off",
	};

	return mode < SANDBOX_COUNT ? names[mode] : NULL;
}

/* ---- what is allowed --------------------------------------------------------------------- */

/*
 * What strace(1) shows of the tests after "ready", and what the same library functions do on
 * other machines, when much memory is wanted, or when the program aborts.
 */
static const int always[] = {
	/* the loop; vDSO or not */
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_gettime64),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(timerfd_settime64),
	/* sockets that are open, their connections, and descriptors that come with messages */
	SCMP_SYS(accept4),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(read),
	SCMP_SYS(preadv2),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(fcntl),
	SCMP_SYS(fcntl64),
	/* descriptors of memory, before they are mapped; captures */
	SCMP_SYS(fstat),
	SCMP_SYS(fstat64),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(fstatfs),
	SCMP_SYS(fstatfs64),
	SCMP_SYS(lseek),
	SCMP_SYS(_llseek),
	SCMP_SYS(fallocate),
	SCMP_SYS(ftruncate),
	/* memory, beside allow_memory() */
	SCMP_SYS(munmap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(mremap),
	SCMP_SYS(sysinfo), /* qsort() asks how much there is */
	/* log lines, when standard error takes them */
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(restart_syscall),
	/* signals, and the end: sockets and their locks are removed */
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigreturn),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	/* an interrupt through a pipe whose reader has left: SIGPIPE is taken back */
	SCMP_SYS(rt_sigpending),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(rt_sigtimedwait_time64),
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield), /* --poll */
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	/* abort() */
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(tgkill),
};

/* Captures that are started later, and libuv's spare descriptor, which the first client makes. */
static const int for_files[] = {
	SCMP_SYS(open),
	SCMP_SYS(openat),
};

static int allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
	int ret = 0;

	/* A call that this machine does not have has a number below zero, and no rule. */
	for (size_t i = 0; ret == 0 && i < count; i++) {
		if (calls[i] >= 0)
			ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	}
	return ret;
}

/* Memory, ours and the front-end's, but nothing that can be executed. */
static int allow_memory(scmp_filter_ctx filter)
{
	static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect)};
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i] >= 0)
			ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1,
					       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	}
	return ret;
}

/* libuv makes descriptors non-blocking so. */
static int allow_fionbio(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, FIONBIO));
}

static int add_rules(scmp_filter_ctx filter, bool opens_files)
{
	int ret = allow(filter, always, sizeof(always) / sizeof(always[0]));

	if (ret == 0)
		ret = allow_memory(filter);
	if (ret == 0)
		ret = allow_fionbio(filter);
	if (ret == 0 && opens_files)
		ret = allow(filter, for_files, sizeof(for_files) / sizeof(for_files[0]));
	return ret;
}

/* ---- what is not ------------------------------------------------------------------------- */

/* Everything in here may be called in a signal handler. */
static void say(const char *text)
{
	if (text && write(STDERR_FILENO, text, strlen(text)) < 0)
		return; /* there is nobody to tell */
}

static void on_forbidden_call(int number, siginfo_t *info, void *context)
{
	int call = info->si_syscall;

	say("rpmsg-sim error: sandbox: the system call ");
	say(call >= 0 && call < CALLS_MAX && call_names[call] ? call_names[call] : "(unknown)");
	say(" is not allowed: ended. Please report this; --sandbox=off goes without.\n");
	_exit(1);
}

static int catch_forbidden_calls(void)
{
	struct sigaction action = {.sa_sigaction = on_forbidden_call, .sa_flags = SA_SIGINFO};
	sigset_t set;

	for (int i = 0; i < CALLS_MAX; i++)
		call_names[i] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);
	sigemptyset(&action.sa_mask);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	if (sigaction(SIGSYS, &action, NULL) || sigprocmask(SIG_UNBLOCK, &set, NULL))
		return -errno;
	return 0;
}

static int load_filter(enum sandbox_mode mode, bool opens_files)
{
	scmp_filter_ctx filter = seccomp_init(mode == SANDBOX_LOG ? SCMP_ACT_LOG : SCMP_ACT_TRAP);
	int ret;

	if (!filter)
		return -ENOMEM;
	ret = add_rules(filter, opens_files);
	if (ret == 0)
		ret = seccomp_load(filter);
	seccomp_release(filter);
	return ret;
}

int sandbox_enter(enum sandbox_mode mode, bool opens_files)
{
	int ret = 0;

	/* A program that a later mistake starts gets no rights from its file. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		ret = -errno;
	if (ret == 0 && mode == SANDBOX_ON)
		ret = catch_forbidden_calls();
	if (ret == 0 && mode != SANDBOX_OFF)
		ret = load_filter(mode, opens_files);
	if (ret)
		log_error("cannot enter the sandbox: %s; --sandbox=off goes without",
			  strerror(-ret));
	return ret;
}
