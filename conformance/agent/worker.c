/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "procstat.h"
#include "sys.h"

#define WORKER_STACK (256 * 1024)
#define WORKER_QUEUE_MAX 1024

struct worker {
	pthread_t thread;
	bool started;
	pid_t tid;
	pthread_cond_t wake;
	struct call *first;
	struct call *last;
	unsigned int queued;
	struct call *current;
	atomic_bool in_call;
};

/* Guards all workers; never held during a call. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static struct worker workers[COMMAND_MAX_WORKER + 1]; /* by number; 0 is the main thread */
static unsigned int pending;			      /* calls queued and running, of all workers */
static void (*answer_call)(struct call *call);

static void ignore_signal(int signal)
{
	(void)signal;
}

void worker_init(void (*answer)(struct call *call))
{
	answer_call = answer;
	for (unsigned int i = 0; i <= COMMAND_MAX_WORKER; i++)
		pthread_cond_init(&workers[i].wake, NULL);
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	pthread_mutex_lock(&lock);
	worker->tid = gettid();
	for (;;) {
		struct call *call;

		while (!worker->first)
			pthread_cond_wait(&worker->wake, &lock);
		call = worker->first;
		worker->first = call->next;
		worker->queued--;
		worker->current = call;
		pthread_mutex_unlock(&lock);

		command_run(call);

		/* The reply is what a peer waits for: after it, the worker has to look free. */
		pthread_mutex_lock(&lock);
		worker->current = NULL;
		pthread_mutex_unlock(&lock);
		answer_call(call);

		pthread_mutex_lock(&lock);
		if (--pending == 0)
			pthread_cond_broadcast(&idle);
	}
	return NULL;
}

static int start(struct worker *worker)
{
	pthread_attr_t attributes;
	int err = pthread_attr_init(&attributes);

	if (err)
		return -EAGAIN;
	pthread_attr_setstacksize(&attributes, WORKER_STACK);
	err = pthread_create(&worker->thread, &attributes, work, worker);
	pthread_attr_destroy(&attributes);
	if (err)
		return -EAGAIN;
	worker->started = true;
	return 0;
}

int worker_submit(struct call *call)
{
	struct worker *worker = &workers[call->worker];
	int err = 0;

	pthread_mutex_lock(&lock);
	if (worker->queued == WORKER_QUEUE_MAX)
		err = -EAGAIN;
	else if (!worker->started)
		err = start(worker);
	if (!err) {
		call->in_call = &worker->in_call;
		call->next = NULL;
		if (worker->first)
			worker->last->next = call;
		else
			worker->first = call;
		worker->last = call;
		worker->queued++;
		pending++;
		pthread_cond_signal(&worker->wake);
	}
	pthread_mutex_unlock(&lock);
	return err;
}

int worker_signal(unsigned int number, int signal, bool restart, bool *in_call)
{
	struct sigaction action = {.sa_handler = ignore_signal,
				   .sa_flags = restart ? SA_RESTART : 0};
	struct worker *worker = &workers[number];
	int err = 0;

	pthread_mutex_lock(&lock);
	if (!worker->started)
		err = -ESRCH;
	else if (sigaction(signal, &action, NULL) < 0)
		err = -errno;
	if (!err) {
		*in_call = atomic_load(&worker->in_call);
		err = -pthread_kill(worker->thread, signal);
	}
	pthread_mutex_unlock(&lock);
	return err;
}

static void put_worker(struct json_out *out, unsigned int number)
{
	struct worker *worker = &workers[number];
	struct procstat status;
	char path[64];

	json_out_open(out, NULL, '{');
	json_out_u64(out, "worker", number);
	json_out_u64(out, "tid", (uint64_t)worker->tid);
	json_out_bool(out, "busy", worker->current != NULL);
	json_out_bool(out, "in_call", atomic_load(&worker->in_call));
	json_out_u64(out, "queued", worker->queued);
	json_out_cstring(out, "cmd", worker->current ? worker->current->command->name : NULL);
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)worker->tid);
	if (procstat_read(path, &status) == 0)
		procstat_put(out, &status);
	json_out_close(out, '}');
}

void worker_list(struct json_out *out)
{
	pthread_mutex_lock(&lock);
	json_out_open(out, "workers", '[');
	for (unsigned int i = 1; i <= COMMAND_MAX_WORKER; i++)
		if (workers[i].started)
			put_worker(out, i);
	json_out_close(out, ']');
	pthread_mutex_unlock(&lock);
}

void worker_wait_idle(uint64_t timeout_ms)
{
	struct timespec deadline = sys_deadline(timeout_ms);

	pthread_mutex_lock(&lock);
	while (pending &&
	       pthread_cond_clockwait(&idle, &lock, CLOCK_MONOTONIC, &deadline) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&lock);
}
