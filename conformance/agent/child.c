/* SPDX-License-Identifier: BSD-2-Clause */
#include "child.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys.h"

#define CHILDREN_MAX 64
#define REAPER_STACK (64 * 1024)
#define RESULT_MAX (64 * 1024)

/*
 * Memory that child and agent share. A pipe would do for the result as well, but a child whose
 * result does not fit into it would never end.
 */
struct shared {
	atomic_bool in_call;
	size_t length;
	char result[RESULT_MAX];
};

struct child {
	pid_t pid; /* 0: this entry is free */
	bool ended;
	int status; /* as waitpid() gives it */
	struct shared *shared;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static struct child children[CHILDREN_MAX];

static struct child *find_entry(pid_t pid)
{
	for (int i = 0; i < CHILDREN_MAX; i++)
		if (children[i].pid == pid)
			return &children[i];
	return NULL;
}

static struct child *find_child(pid_t pid)
{
	return pid > 0 ? find_entry(pid) : NULL;
}

static void *reap(void *signals)
{
	for (;;) {
		int status;
		pid_t pid;

		sigwaitinfo(signals, NULL);
		pthread_mutex_lock(&lock);
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			struct child *child = find_child(pid);

			if (!child)
				continue;
			child->ended = true;
			child->status = status;
		}
		pthread_cond_broadcast(&ended);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

int child_init(void)
{
	static sigset_t signals;
	pthread_attr_t attributes;
	pthread_t thread;
	int err;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	err = pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (err)
		return -err;
	err = pthread_attr_init(&attributes);
	if (err)
		return -err;
	pthread_attr_setstacksize(&attributes, REAPER_STACK);
	err = pthread_create(&thread, &attributes, reap, &signals);
	pthread_attr_destroy(&attributes);
	return -err;
}

static void default_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	/* Fails for SIGKILL and SIGSTOP, which have no other anyway. */
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void be_child(struct call *call, struct shared *shared, pid_t parent)
{
	sys_close_kept_fds();
	default_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	call->command = call->inner;
	call->in_call = &shared->in_call;
	call->t0 = 0;
	command_run(call);
	if (call->out.length > RESULT_MAX) {
		json_out_free(&call->out);
		snprintf(call->error, sizeof(call->error), "result of more than %d bytes",
			 RESULT_MAX);
		call->malformed = -EMSGSIZE;
		command_run(call);
	}
	memcpy(shared->result, call->out.data, call->out.length);
	/* The end of the process is what tells the agent that the result is there. */
	shared->length = call->out.length;
	_exit(0);
}

int child_spawn(struct call *call, pid_t *pid)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t parent = getpid();
	struct child *child;
	sigset_t all, before;
	int err = -EAGAIN;

	if (shared == MAP_FAILED)
		return -errno;
	/* Held over fork(): the entry has to be there before the reaper can see the end. */
	pthread_mutex_lock(&lock);
	child = find_entry(0);
	if (child) {
		/* A signal for the child waits until the handlers of the agent's are gone there. */
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		command_begin(call);
		*pid = fork();
		if (*pid == 0)
			be_child(call, shared, parent);
		command_end(call);
		err = *pid < 0 ? -errno : 0;
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	if (!err)
		*child = (struct child){.pid = *pid, .shared = shared};
	pthread_mutex_unlock(&lock);
	if (err)
		munmap(shared, sizeof(*shared));
	return err;
}

int child_kill(pid_t pid, int signal)
{
	struct child *child;
	int err = -ESRCH;

	/* Under the lock the process cannot be reaped, nor its number given to another. */
	pthread_mutex_lock(&lock);
	child = find_child(pid);
	if (child && !child->ended)
		err = kill(pid, signal) < 0 ? -errno : 0;
	pthread_mutex_unlock(&lock);
	return err;
}

static void put_end(struct child *child, struct json_out *out)
{
	char name[16];

	json_out_i64(out, "pid", child->pid);
	json_out_bool(out, "exited", WIFEXITED(child->status));
	if (WIFEXITED(child->status))
		json_out_i64(out, "status", WEXITSTATUS(child->status));
	else
		json_out_null(out, "status");
	if (WIFSIGNALED(child->status)) {
		const char *abbreviation = sigabbrev_np(WTERMSIG(child->status));

		if (abbreviation)
			snprintf(name, sizeof(name), "SIG%.12s", abbreviation);
		else
			snprintf(name, sizeof(name), "%d", WTERMSIG(child->status));
		json_out_cstring(out, "signal", name);
	} else {
		json_out_null(out, "signal");
	}
	if (child->shared->length)
		json_out_json(out, "result", child->shared->result, child->shared->length - 1);
	else
		json_out_null(out, "result");
}

int child_wait(pid_t pid, int64_t timeout_ms, struct json_out *out)
{
	struct timespec deadline = sys_deadline(timeout_ms < 0 ? 0 : (uint64_t)timeout_ms);
	struct child *child;
	int err = 0;

	pthread_mutex_lock(&lock);
	for (;;) {
		child = find_child(pid);
		if (!child || child->ended || err)
			break;
		if (timeout_ms < 0)
			pthread_cond_wait(&ended, &lock);
		else
			err = -pthread_cond_clockwait(&ended, &lock, CLOCK_MONOTONIC, &deadline);
	}
	if (!child) {
		err = -ECHILD;
	} else if (child->ended) {
		err = 0;
		put_end(child, out);
		munmap(child->shared, sizeof(*child->shared));
		*child = (struct child){0};
	}
	pthread_mutex_unlock(&lock);
	return err;
}

bool child_in_call(pid_t pid, bool *in_call)
{
	struct child *child;

	pthread_mutex_lock(&lock);
	child = find_child(pid);
	if (child)
		*in_call = !child->ended && atomic_load(&child->shared->in_call);
	pthread_mutex_unlock(&lock);
	return child != NULL;
}
