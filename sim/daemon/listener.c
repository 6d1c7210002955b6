/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/log.h"

#define RETRY_MS 100

void listener_init(struct listener *listener)
{
	memset(listener, 0, sizeof(*listener));
	listener->fd = -1;
	listener->lock_fd = -1;
}

/*
 * The lock file goes away with the socket, so a lock taken on a file that its owner unlinked
 * meanwhile protects nothing: try again on the file that is there now.
 */
static int take_lock(struct listener *listener)
{
	struct stat held, there;
	int fd, ret;

	for (;;) {
		fd = open(listener->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0) {
			ret = -errno;
			log_error("cannot create %s: %s", listener->lock_path, strerror(-ret));
			return ret;
		}
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			ret = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
			close(fd);
			if (ret == -EADDRINUSE)
				log_error("%s is served by another process: stop it, or use "
					  "another path",
					  listener->path);
			else
				log_error("cannot lock %s: %s", listener->lock_path,
					  strerror(-ret));
			return ret;
		}
		if (fstat(fd, &held) == 0 && stat(listener->lock_path, &there) == 0 &&
		    held.st_dev == there.st_dev && held.st_ino == there.st_ino)
			break;
		close(fd);
	}
	listener->lock_fd = fd;
	return 0;
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return address;
}

/* Does anybody answer at the path? 0: nobody listens there. */
static int probe(const char *path)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	ret = connect(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : -EADDRINUSE;
	close(fd);
	if (ret == -ECONNREFUSED || ret == -ENOENT)
		return 0;
	/* A full backlog, or a socket of another type: somebody is there all the same. */
	return ret == -EAGAIN || ret == -EPROTOTYPE ? -EADDRINUSE : ret;
}

static int take_over(const char *path)
{
	struct stat there;
	int ret;

	if (lstat(path, &there)) {
		if (errno == ENOENT)
			return 0;
		ret = -errno;
		log_error("cannot look at %s: %s", path, strerror(-ret));
		return ret;
	}
	if (!S_ISSOCK(there.st_mode)) {
		log_error("%s exists and is not a socket: remove it, or use another path", path);
		return -EEXIST;
	}
	ret = probe(path);
	if (ret == -EADDRINUSE) {
		log_error("%s is served by another program: stop it, or use another path", path);
		return ret;
	}
	if (ret) {
		log_error("cannot tell whether %s is in use: %s", path, strerror(-ret));
		return ret;
	}
	if (unlink(path) && errno != ENOENT) {
		ret = -errno;
		log_error("cannot remove the stale socket %s: %s", path, strerror(-ret));
		return ret;
	}
	log_info("took over the stale socket %s", path);
	return 0;
}

static int bind_and_listen(struct listener *listener)
{
	struct sockaddr_un address = address_of(listener->path);
	struct stat made;
	mode_t mask;
	int ret;

	listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener->fd < 0) {
		ret = -errno;
		log_error("cannot make a socket for %s: %s", listener->path, strerror(-ret));
		return ret;
	}
	mask = umask(0177); /* mode 0600 from the first moment on */
	ret = bind(listener->fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	umask(mask);
	if (ret == 0 && lstat(listener->path, &made) == 0) {
		listener->device = made.st_dev;
		listener->inode = made.st_ino;
	}
	if (ret == 0 && listen(listener->fd, LISTENER_BACKLOG))
		ret = -errno;
	if (ret)
		log_error("cannot listen on %s: %s", listener->path, strerror(-ret));
	return ret;
}

int listener_bind(struct listener *listener, const char *path)
{
	int ret;

	listener->path = strdup(path);
	if (!listener->path || asprintf(&listener->lock_path, "%s.lock", path) < 0) {
		listener->lock_path = NULL;
		listener_close(listener);
		return -ENOMEM;
	}
	ret = take_lock(listener);
	if (ret == 0)
		ret = take_over(path);
	if (ret == 0)
		ret = bind_and_listen(listener);
	if (ret)
		listener_close(listener);
	return ret;
}

void listener_adopt(struct listener *listener, int fd)
{
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	listener->fd = fd;
}

static void resume_after_retry(uv_timer_t *timer)
{
	listener_resume(timer->data);
}

static void on_readable(void *ctx, int status)
{
	struct listener *listener = ctx;
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		listener->accepted(listener->ctx, fd);
		return;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	/* The connection stays in the backlog and would wake us again at once: wait. */
	log_warn("cannot accept a connection%s%s: %s; trying again in %d ms",
		 listener->path ? " on " : "", listener->path ? listener->path : "",
		 strerror(errno), RETRY_MS);
	listener_pause(listener);
	uv_timer_start(&listener->retry, resume_after_retry, RETRY_MS, 0);
}

int listener_start(struct listener *listener, uv_loop_t *loop, void (*accepted)(void *ctx, int fd),
		   void *ctx)
{
	int ret = uv_timer_init(loop, &listener->retry);

	if (ret)
		return ret;
	listener->retry.data = listener;
	listener->started = true;
	listener->accepted = accepted;
	listener->ctx = ctx;
	return watch_new(&listener->watch, loop, listener->fd, on_readable, listener);
}

void listener_pause(struct listener *listener)
{
	if (!listener->watch)
		return;
	watch_pause(listener->watch);
	uv_timer_stop(&listener->retry);
}

void listener_resume(struct listener *listener)
{
	if (listener->watch)
		watch_resume(listener->watch);
}

static void remove_socket_file(const struct listener *listener)
{
	struct stat there;

	if (listener->inode && lstat(listener->path, &there) == 0 &&
	    there.st_dev == listener->device && there.st_ino == listener->inode)
		unlink(listener->path);
}

void listener_close(struct listener *listener)
{
	watch_free(listener->watch);
	listener->watch = NULL;
	if (listener->started)
		uv_close((uv_handle_t *)&listener->retry, NULL);
	listener->started = false;

	if (listener->path)
		remove_socket_file(listener);
	if (listener->fd >= 0)
		close(listener->fd);
	if (listener->lock_fd >= 0 && listener->lock_path) {
		unlink(listener->lock_path); /* before the lock is let go */
		close(listener->lock_fd);
	}
	free(listener->path);
	free(listener->lock_path);
	listener->path = NULL;
	listener->lock_path = NULL;
	listener->fd = -1;
	listener->lock_fd = -1;
}

int listener_kind(int fd)
{
	int domain, type, listening;
	socklen_t size = sizeof(int);
	struct sockaddr_un peer;
	socklen_t peer_size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size))
		return -errno;
	if (domain != AF_UNIX)
		return -EAFNOSUPPORT;
	if (type != SOCK_STREAM)
		return -EPROTOTYPE;
	if (listening)
		return 1;
	if (getpeername(fd, (struct sockaddr *)&peer, &peer_size))
		return -errno;
	return 0;
}
