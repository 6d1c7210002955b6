/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "common/oracle.h"
#include "common/world.h"
#include "daemon/log.h"

#define MAX_HANDLES 64
#define NS_PER_MS UINT64_C(1000000)

enum kind { KIND_IDLE, KIND_TIMER, KIND_POLL };

struct handle {
	void *uv;
	enum kind kind;
	bool active, closing;
	int fd, events;
	uint64_t due, repeat; /* nanoseconds */
	uv_idle_cb idle;
	uv_timer_cb timer;
	uv_poll_cb poll;
	uv_close_cb closed;
};

static struct handle handles[MAX_HANDLES];
static unsigned int handle_count;
static bool loop_active;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
void __wrap_log_write(enum log_level level, const char *format, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);
uint64_t __wrap_uv_hrtime(void);
int __wrap_sched_yield(void);
void __wrap_uv_update_time(uv_loop_t *loop);
int __wrap_uv_idle_init(uv_loop_t *loop, uv_idle_t *idle);
int __wrap_uv_idle_start(uv_idle_t *idle, uv_idle_cb callback);
int __wrap_uv_idle_stop(uv_idle_t *idle);
int __wrap_uv_timer_init(uv_loop_t *loop, uv_timer_t *timer);
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb callback, uint64_t after, uint64_t repeat);
int __wrap_uv_timer_stop(uv_timer_t *timer);
int __wrap_uv_poll_init(uv_loop_t *loop, uv_poll_t *poll, int fd);
int __wrap_uv_poll_start(uv_poll_t *poll, int events, uv_poll_cb callback);
int __wrap_uv_poll_stop(uv_poll_t *poll);
int __wrap_uv_is_active(const uv_handle_t *handle);
void __wrap_uv_close(uv_handle_t *handle, uv_close_cb callback);

static struct handle *find(const void *uv)
{
	for (unsigned int i = 0; i < handle_count; i++)
		if (handles[i].uv == uv)
			return &handles[i];
	return NULL;
}

static struct handle *of(const void *uv)
{
	struct handle *handle = find(uv);

	ORACLE("loop-handle", handle != NULL && !handle->closing,
	       "a handle is used that was not made, or was closed");
	return handle;
}

static int make(void *uv, enum kind kind, int fd)
{
	ORACLE("loop-handle", find(uv) == NULL, "a handle is made twice");
	ORACLE("loop-handles", handle_count < MAX_HANDLES, "more than %d handles", MAX_HANDLES);
	handles[handle_count++] = (struct handle){.uv = uv, .kind = kind, .fd = fd};
	return 0;
}

/* Put together, since that may go wrong, and thrown away. */
void __wrap_log_write(enum log_level level, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
}

/* No input gets hold of a file. */
int __wrap_open(const char *path, int flags, ...)
{
	va_list args;
	unsigned int mode;

	va_start(args, flags);
	mode = va_arg(args, unsigned int);
	va_end(args);
	if (!loop_active)
		return __real_open(path, flags, mode);
	errno = EACCES;
	return -1;
}

uint64_t __wrap_uv_hrtime(void)
{
	return world_clock();
}

/* Nobody else is there to run. */
int __wrap_sched_yield(void)
{
	return 0;
}

void __wrap_uv_update_time(uv_loop_t *loop)
{
}

int __wrap_uv_idle_init(uv_loop_t *loop, uv_idle_t *idle)
{
	return make(idle, KIND_IDLE, -1);
}

int __wrap_uv_idle_start(uv_idle_t *idle, uv_idle_cb callback)
{
	struct handle *handle = of(idle);

	handle->idle = callback;
	handle->active = true;
	return 0;
}

int __wrap_uv_idle_stop(uv_idle_t *idle)
{
	of(idle)->active = false;
	return 0;
}

int __wrap_uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
	return make(timer, KIND_TIMER, -1);
}

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb callback, uint64_t after, uint64_t repeat)
{
	struct handle *handle = of(timer);

	handle->timer = callback;
	/* As libuv: a time beyond all is never reached. */
	handle->due = after < (UINT64_MAX - world_now()) / NS_PER_MS
			      ? world_now() + after * NS_PER_MS
			      : UINT64_MAX;
	handle->repeat = repeat * NS_PER_MS;
	handle->active = true;
	return 0;
}

int __wrap_uv_timer_stop(uv_timer_t *timer)
{
	of(timer)->active = false;
	return 0;
}

int __wrap_uv_poll_init(uv_loop_t *loop, uv_poll_t *poll, int fd)
{
	ORACLE("loop-poll", world_is_open(fd), "a closed descriptor is to be polled");
	return make(poll, KIND_POLL, fd);
}

int __wrap_uv_poll_start(uv_poll_t *poll, int events, uv_poll_cb callback)
{
	struct handle *handle = of(poll);

	handle->poll = callback;
	handle->events = events;
	handle->active = true;
	return 0;
}

int __wrap_uv_poll_stop(uv_poll_t *poll)
{
	of(poll)->active = false;
	return 0;
}

int __wrap_uv_is_active(const uv_handle_t *handle)
{
	return of(handle)->active;
}

void __wrap_uv_close(uv_handle_t *handle, uv_close_cb callback)
{
	struct handle *closed = of(handle);

	closed->active = false;
	closed->closing = true;
	closed->closed = callback;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static bool call_poll(const struct handle *handle)
{
	short asked = 0, found;
	int events = 0;

	ORACLE("loop-poll", world_is_open(handle->fd), "a closed descriptor is polled");
	if ((handle->events & UV_READABLE) != 0)
		asked |= POLLIN;
	if ((handle->events & UV_DISCONNECT) != 0)
		asked |= POLLRDHUP;
	found = world_ready(handle->fd, asked);
	if ((found & POLLIN) != 0)
		events |= UV_READABLE;
	if ((found & POLLRDHUP) != 0)
		events |= UV_DISCONNECT;
	if (events != 0)
		handle->poll(handle->uv, 0, events);
	return events != 0;
}

static bool call(struct handle *handle)
{
	switch (handle->kind) {
	case KIND_IDLE:
		handle->idle(handle->uv);
		return true;
	case KIND_TIMER:
		if (world_now() < handle->due)
			return false;
		handle->active = handle->repeat != 0;
		handle->due += handle->repeat;
		handle->timer(handle->uv);
		return true;
	default:
		return call_poll(handle);
	}
}

static void forget_closed(void)
{
	unsigned int i = 0;

	while (i < handle_count) {
		struct handle handle = handles[i];

		if (!handle.closing) {
			i++;
			continue;
		}
		/* What the callback makes or closes comes after those that are here. */
		memmove(&handles[i], &handles[i + 1], (--handle_count - i) * sizeof(struct handle));
		if (handle.closed != NULL)
			handle.closed(handle.uv);
	}
}

void loop_begin(void)
{
	handle_count = 0;
	loop_active = true;
}

bool loop_turn(void)
{
	static const enum kind order[] = {KIND_TIMER, KIND_IDLE, KIND_POLL};
	bool called = false;

	/* Handles stay where they are until the end of the turn; callbacks may make others. */
	for (unsigned int k = 0; k < 3; k++)
		for (unsigned int i = 0; i < handle_count; i++)
			if (handles[i].kind == order[k] && handles[i].active)
				called |= call(&handles[i]);
	forget_closed();
	return called;
}

void loop_end(void)
{
	loop_active = false;
	forget_closed();
	ORACLE("loop-handles", handle_count == 0, "%u handles were not closed", handle_count);
}
