/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/control.h"
#include "daemon/instance.h"
#include "daemon/log.h"
#include "daemon/rpc.h"

/* What ends the program, cleanly. SIGHUP: the terminal went away. */
static const int signal_numbers[] = {SIGTERM, SIGINT, SIGHUP};

#define SIGNAL_COUNT (sizeof(signal_numbers) / sizeof(signal_numbers[0]))

/* An instance in the daemon's list. */
struct daemon_remote {
	struct instance instance;
	struct daemon_remote *next;
	int connected_fd; /* or -1: it has a listener */
};

struct daemon {
	const struct options *options;
	uv_loop_t loop;
	uv_signal_t signals[SIGNAL_COUNT];
	struct daemon_remote *remotes;
	unsigned int serving; /* instances that a front-end can still come to */
	struct control control;
	struct events events;
	struct rpc rpc;
	bool loop_open, signals_open, stopping;
};

static void stop(struct daemon *daemon)
{
	if (daemon->stopping)
		return;
	daemon->stopping = true;
	for (struct daemon_remote *remote = daemon->remotes; remote; remote = remote->next)
		instance_stop(&remote->instance);
	control_stop(&daemon->control);
	for (size_t i = 0; daemon->signals_open && i < SIGNAL_COUNT; i++)
		uv_close((uv_handle_t *)&daemon->signals[i], NULL);
}

static void on_finished(void *ctx, struct instance *instance)
{
	struct daemon *daemon = ctx;

	if (daemon->serving && --daemon->serving == 0)
		stop(daemon);
}

static const struct instance_ops instance_ops = {.finished = on_finished};

static void on_signal(uv_signal_t *handle, int number)
{
	log_info("%s: ending", strsignal(number));
	stop(handle->data);
}

/* nohup(1) starts programs with SIGHUP ignored, and means it. */
static bool hangup_is_ignored(void)
{
	struct sigaction action;

	return sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int catch_signals(struct daemon *daemon)
{
	bool nohup = hangup_is_ignored();

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < SIGNAL_COUNT; i++) {
		uv_signal_init(&daemon->loop, &daemon->signals[i]);
		daemon->signals[i].data = daemon;
	}
	daemon->signals_open = true;
	for (size_t i = 0; i < SIGNAL_COUNT; i++) {
		int ret;

		if (signal_numbers[i] == SIGHUP && nohup)
			continue;
		ret = uv_signal_start(&daemon->signals[i], on_signal, signal_numbers[i]);
		if (ret) {
			log_error("cannot handle signals: %s", uv_strerror(ret));
			return ret;
		}
	}
	return 0;
}

static int open_loop(struct daemon *daemon)
{
	int ret = uv_loop_init(&daemon->loop);

	if (ret) {
		log_error("cannot make an event loop: %s", uv_strerror(ret));
		return ret;
	}
	daemon->loop_open = true;
	return catch_signals(daemon);
}

/* Instances with a static address first: dynamic ones then find what is left. */
static int announce_services(struct instance *instance, const struct options *options, bool dynamic)
{
	for (size_t i = 0; i < options->service_count; i++) {
		const struct options_service *service = &options->services[i];

		if ((service->addr == RPMSG_ADDR_ANY) != dynamic)
			continue;
		for (uint32_t n = 0; n < service->count; n++) {
			uint32_t addr = dynamic ? RPMSG_ADDR_ANY : service->addr + n;
			int ret = remote_announce(instance->remote, service->name, service->kind,
						  NULL, &addr);

			if (ret) {
				log_error("--service %s: instance %u of %u: %s", service->text,
					  n + 1, service->count, strerror(-ret));
				return ret;
			}
			log_debug("%s: service %s (%s) at address %u", instance->name,
				  service->name, service->kind->name, addr);
		}
	}
	return 0;
}

static int add_remote(struct daemon *daemon, const char *name)
{
	struct daemon_remote *remote = calloc(1, sizeof(*remote));
	int ret = remote ? instance_init(&remote->instance, name, &daemon->events) : -ENOMEM;

	if (ret) {
		log_error("cannot make the remote: %s", strerror(-ret));
		free(remote);
		return ret;
	}
	remote->connected_fd = -1;
	remote->next = daemon->remotes;
	daemon->remotes = remote;
	daemon->rpc.instance = &remote->instance;
	ret = announce_services(&remote->instance, daemon->options, false);
	return ret ? ret : announce_services(&remote->instance, daemon->options, true);
}

/* ---- where front-ends come from --------------------------------------------------------- */

static const char *why_not_usable(int error)
{
	switch (error) {
	case -EBADF:
		return "it is not open";
	case -ENOTSOCK:
		return "it is not a socket";
	case -EAFNOSUPPORT:
		return "it is not a unix socket";
	case -EPROTOTYPE:
		return "it is not a stream socket";
	case -ENOTCONN:
		return "it neither listens nor is connected";
	default:
		return strerror(-error);
	}
}

static int use_descriptor(struct daemon_remote *remote, int fd)
{
	int kind = listener_kind(fd);

	if (kind < 0) {
		log_error("descriptor %d cannot be served: %s", fd, why_not_usable(kind));
		return kind;
	}
	if (kind == 1)
		listener_adopt(&remote->instance.listener, fd);
	else
		remote->connected_fd = fd;
	return 0;
}

static int open_front_end(struct daemon *daemon, struct daemon_remote *remote)
{
	const struct options *options = daemon->options;

	if (options->socket_path)
		return listener_bind(&remote->instance.listener, options->socket_path);
	return use_descriptor(remote, options->fd);
}

static int start_front_end(struct daemon *daemon, struct daemon_remote *remote)
{
	int ret = instance_start(&remote->instance, &daemon->loop, remote->connected_fd,
				 daemon->options->once, &instance_ops, daemon);

	if (ret)
		log_error("%s: cannot serve: %s", remote->instance.name, strerror(-ret));
	else
		daemon->serving++;
	return ret;
}

static int start_control(struct daemon *daemon)
{
	int ret = listener_bind(&daemon->control.listener, daemon->options->control_path);

	if (ret)
		return ret;
	ret = control_start(&daemon->control, &daemon->loop);
	if (ret)
		log_error("cannot serve the control socket: %s", strerror(-ret));
	return ret;
}

static int tell_ready(int fd)
{
	static const char ready[] = "ready\n";
	int ret = 0;

	if (write(fd, ready, sizeof(ready) - 1) != (ssize_t)sizeof(ready) - 1) {
		ret = -errno;
		log_error("--ready-fd %d: cannot write: %s", fd, strerror(-ret));
	}
	/* Whoever reads until the end is not kept waiting; the standard streams stay. */
	if (fd > STDERR_FILENO)
		close(fd);
	return ret;
}

static int start(struct daemon *daemon)
{
	const struct options *options = daemon->options;
	int ret = open_loop(daemon);

	if (ret == 0)
		ret = add_remote(daemon, "remote");
	if (ret == 0)
		ret = open_front_end(daemon, daemon->remotes);
	if (ret == 0 && options->control_path)
		ret = start_control(daemon);
	if (ret == 0)
		ret = start_front_end(daemon, daemon->remotes);
	if (ret == 0 && options->ready_fd >= 0)
		ret = tell_ready(options->ready_fd);
	return ret;
}

int daemon_run(const struct options *options)
{
	/* On the heap for its size alone: there is one. */
	struct daemon *daemon = calloc(1, sizeof(*daemon));
	int ret;

	if (!daemon) {
		log_error("out of memory");
		return 1;
	}
	daemon->options = options;
	control_init(&daemon->control, &daemon->events, &daemon->rpc);
	ret = start(daemon);
	if (ret)
		stop(daemon);
	else
		log_info("serving; %s", options->once ? "ends after the first front-end"
						      : "one front-end at a time");
	if (daemon->loop_open) {
		uv_run(&daemon->loop, UV_RUN_DEFAULT);
		uv_loop_close(&daemon->loop);
	}
	while (daemon->remotes) {
		struct daemon_remote *remote = daemon->remotes;

		daemon->remotes = remote->next;
		instance_free(&remote->instance);
		free(remote);
	}
	free(daemon);
	return ret ? 1 : 0;
}
