/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readability of one descriptor on the event loop. A watch has memory of its own because
 * libuv gives a closed handle's memory back only in a later turn of the loop, while sessions
 * and kick descriptors come and go within one.
 */
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H

#include <uv.h>

struct watch;

/*
 * status: 0, -ENODATA after watch_hangup(), or another negative errno when the descriptor
 * cannot be polled any more.
 */
typedef void (*watch_fn)(void *ctx, int status);

/**
 * watch_new() - call back whenever a descriptor is readable or hung up
 * @watch: set on success
 * @loop: event loop
 * @fd: stays the caller's, has to stay open until watch_free(); made non-blocking
 * @readable: callback
 * @ctx: passed to it
 *
 * Return: 0, or negative errno (-EPERM for a file that cannot be polled).
 */
int watch_new(struct watch **watch, uv_loop_t *loop, int fd, watch_fn readable, void *ctx);

/**
 * watch_pause() - no callbacks until watch_resume()
 * @watch: watch
 */
void watch_pause(struct watch *watch);

/**
 * watch_hangup() - call back only when the other side has left, with -ENODATA
 * @watch: watch, until watch_resume()
 *
 * Return: 0 or negative errno.
 */
int watch_hangup(struct watch *watch);

/**
 * watch_resume() - the opposite of watch_pause() and watch_hangup()
 * @watch: watch
 *
 * Return: 0 or negative errno.
 */
int watch_resume(struct watch *watch);

/**
 * watch_free() - no callback from now on; the descriptor may be closed at once
 * @watch: watch or NULL
 */
void watch_free(struct watch *watch);

#endif /* DAEMON_WATCH_H */
