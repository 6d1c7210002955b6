/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A listening unix socket: made at a path, under a lock and with mode 0600, or adopted from
 * whoever started us; and the connections that it brings.
 */
#ifndef DAEMON_LISTENER_H
#define DAEMON_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include "daemon/watch.h"

#define LISTENER_BACKLOG 64

struct listener {
	int fd;	     /* -1: none */
	int lock_fd; /* -1: an adopted socket */
	char *path;  /* NULL: an adopted socket */
	char *lock_path;
	dev_t device; /* of the socket file, to remove none but our own */
	ino_t inode;
	struct watch *watch;
	uv_timer_t retry; /* after running out of descriptors */
	bool started;
	void (*accepted)(void *ctx, int fd);
	void *ctx;
};

/**
 * listener_init() - a listener without a socket
 * @listener: listener
 */
void listener_init(struct listener *listener);

/**
 * listener_bind() - create a socket file and listen
 * @listener: listener without a socket
 * @path: at most 107 bytes
 *
 * PATH.lock is held for as long as the socket exists, so that two programs never take over
 * the same path. A socket file that nobody listens on is replaced; one that somebody does,
 * and a file that is no socket, are left alone. What is wrong is logged, with the path.
 *
 * Return: 0; -EADDRINUSE when the path is served by another program; -EEXIST when it is not
 * a socket; another negative errno.
 */
int listener_bind(struct listener *listener, const char *path);

/**
 * listener_adopt() - use a socket that listens already
 * @listener: listener without a socket
 * @fd: listening unix stream socket; becomes the listener's
 */
void listener_adopt(struct listener *listener, int fd);

/**
 * listener_start() - begin to accept
 * @listener: listener with a socket
 * @loop: event loop
 * @accepted: called with each connection, non-blocking and close-on-exec, which it then owns
 * @ctx: passed to @accepted
 *
 * Return: 0 or negative errno.
 */
int listener_start(struct listener *listener, uv_loop_t *loop, void (*accepted)(void *ctx, int fd),
		   void *ctx);

/**
 * listener_pause() - leave further connections in the backlog
 * @listener: started listener
 */
void listener_pause(struct listener *listener);

/**
 * listener_resume() - the opposite of listener_pause()
 * @listener: started listener
 */
void listener_resume(struct listener *listener);

/**
 * listener_close() - stop listening and remove the socket file and its lock
 * @listener: listener; its memory has to stay until the loop has closed all handles
 */
void listener_close(struct listener *listener);

/**
 * listener_kind() - what kind of socket is an inherited descriptor?
 * @fd: descriptor
 *
 * Return: 1 for a listening unix stream socket, 0 for a connected one; -EBADF when it is not
 * open; -ENOTSOCK, -EAFNOSUPPORT, -EPROTOTYPE (not a stream) or -ENOTCONN when it is neither.
 */
int listener_kind(int fd);

#endif /* DAEMON_LISTENER_H */
