/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/control.h"
#include "daemon/guard.h"
#include "daemon/instance.h"
#include "daemon/log.h"
#include "daemon/rpc.h"
#include "daemon/sandbox.h"
#include "daemon/scenario_run.h"
#include "remote/pacing.h"

/* What ends the program, cleanly. SIGHUP: the terminal went away. */
static const int signal_numbers[] = {SIGTERM, SIGINT, SIGHUP};

#define EXIT_USAGE 2

#define SIGNAL_COUNT (sizeof(signal_numbers) / sizeof(signal_numbers[0]))

struct daemon {
	const struct options *options;
	uv_loop_t loop;
	uv_signal_t signals[SIGNAL_COUNT];
	uv_async_t guard;
	struct registry registry;
	unsigned int serving; /* instances that a front-end can still come to */
	struct control control;
	struct rpc rpc;
	struct scenario **scenarios; /* one a remote, in their order, or NULL */
	unsigned int scenarios_left; /* that did not end yet */
	bool bad_scenario;
	bool loop_open, signals_open, guard_open, stopping;
};

static void stop(struct daemon *daemon)
{
	if (daemon->stopping)
		return;
	daemon->stopping = true;
	/* Judged while the remotes are as the host left them. */
	for (struct instance *i = daemon->registry.first; i; i = i->next) {
		if (i->scenario)
			scenario_run_stop(i->scenario);
	}
	for (struct instance *i = daemon->registry.first; i; i = i->next)
		instance_stop(i);
	control_stop(&daemon->control);
	recorder_close(&daemon->registry.recorder);
	if (daemon->guard_open)
		uv_close((uv_handle_t *)&daemon->guard, NULL);
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
	signal(SIGXFSZ, SIG_IGN); /* a capture at the limit of a file's size gets EFBIG */
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
	recorder_init(&daemon->registry.recorder, &daemon->loop);
	return catch_signals(daemon);
}

/* ---- scenarios -------------------------------------------------------------------------- */

static int begin_scenario(struct daemon *daemon, const struct scenario *scenario,
			  struct instance *instance)
{
	const struct options *options = daemon->options;
	struct scenario_error error = {0};
	struct scenario_run *run;
	int ret = scenario_run_begin(&run, scenario, instance, options->seed_given,
				     options->check_given, &error);

	if (ret) {
		log_error("%s", error.text[0] ? error.text : "out of memory");
		daemon->bad_scenario = true;
	}
	return ret;
}

static void on_scenario_ended(void *ctx)
{
	struct daemon *daemon = ctx;

	if (--daemon->scenarios_left == 0)
		stop(daemon);
}

static void start_scenarios(struct daemon *daemon)
{
	for (struct instance *i = daemon->registry.first; i; i = i->next) {
		if (!i->scenario)
			continue;
		daemon->scenarios_left++;
		scenario_run_start(i->scenario, &daemon->loop, on_scenario_ended, daemon);
	}
}

/* All files before anything is done: what is wrong with one leaves nothing behind. */
static int read_scenarios(struct daemon *daemon)
{
	const struct options *options = daemon->options;
	struct scenario_error error;
	int ret = 0;

	daemon->scenarios = calloc(options->remote_count, sizeof(*daemon->scenarios));
	if (!daemon->scenarios)
		return -ENOMEM;
	for (size_t i = 0; ret == 0 && i < options->remote_count; i++) {
		if (options->remotes[i].scenario)
			ret = scenario_read(options->remotes[i].scenario, &daemon->scenarios[i],
					    &error);
	}
	if (ret)
		fprintf(stderr, "rpmsg-sim: %s\n", error.text);
	return ret;
}

static void free_scenarios(struct daemon *daemon)
{
	for (size_t i = 0; daemon->scenarios && i < daemon->options->remote_count; i++)
		scenario_free(daemon->scenarios[i]);
	free(daemon->scenarios);
}

/* ---- remotes ---------------------------------------------------------------------------- */

/* Whoever names a service as a kind, and gives none, has hardly an echo in mind. */
static void warn_of_default_kind(const struct instance *instance,
				 const struct options_service *service)
{
	const struct service_kind *named = service_kind_find(service->name);

	if (service->kind_given || !named || named == service->kind)
		return;
	log_warn("%s: service %s is of kind %s; for one of kind %s, --service %s=%s",
		 instance->name, service->name, service->kind->name, named->name, service->name,
		 named->name);
}

/* Instances with a static address first: dynamic ones then find what is left. */
static int announce_services(struct instance *instance, const struct options_remote *remote,
			     bool dynamic)
{
	for (size_t i = 0; i < remote->service_count; i++) {
		const struct options_service *service = &remote->services[i];
		struct instance_service made = {.kind = service->kind, .params = service->params};

		if ((service->addr == RPMSG_ADDR_ANY) != dynamic)
			continue;
		memcpy(made.name, service->name, sizeof(made.name));
		warn_of_default_kind(instance, service);
		for (uint32_t n = 0; n < service->count; n++) {
			uint32_t addr;
			int ret;

			made.wanted = dynamic ? RPMSG_ADDR_ANY : service->addr + n;
			ret = instance_announce(instance, &made, &addr);
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

static int set_behaviour(struct instance *instance, const struct options_remote *remote)
{
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < RPMSG_NUM_QUEUES; i++)
		ret = remote_pace(instance->remote, i, &remote->paces[i]);
	if (ret)
		log_error("%s: --pace: %s", instance->name, strerror(-ret));
	for (size_t i = 0; ret == 0 && i < remote->fault_count; i++) {
		const struct options_fault *fault = &remote->faults[i];

		ret = remote_fault_set(instance->remote, fault->fault, &fault->setting);
		if (ret)
			log_error("%s: --fault %s: %s", instance->name,
				  fault_at(fault->fault)->name, strerror(-ret));
	}
	return ret;
}

static int add_remote(struct daemon *daemon, size_t index)
{
	const struct options_remote *remote = &daemon->options->remotes[index];
	struct instance *instance = calloc(1, sizeof(*instance));
	int ret =
		instance ? instance_init(instance, remote->name, &remote->config, &daemon->registry)
			 : -ENOMEM;

	if (ret) {
		log_error("%s: cannot make the remote: %s", remote->name, strerror(-ret));
		free(instance);
		return ret;
	}
	registry_add(&daemon->registry, instance);
	ret = set_behaviour(instance, remote);
	if (ret == 0)
		ret = announce_services(instance, remote, false);
	if (ret == 0)
		ret = announce_services(instance, remote, true);
	if (ret == 0 && daemon->scenarios[index])
		ret = begin_scenario(daemon, daemon->scenarios[index], instance);
	return ret;
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

static int use_descriptor(struct instance *instance, int fd)
{
	int kind = listener_kind(fd);

	if (kind < 0) {
		log_error("descriptor %d cannot be served: %s", fd, why_not_usable(kind));
		return kind;
	}
	if (kind == 1)
		listener_adopt(&instance->listener, fd);
	else
		instance->connected_fd = fd;
	return 0;
}

/* All sockets first: what cannot be had is known before anybody is served. */
static int open_front_ends(struct daemon *daemon)
{
	const struct options_remote *remote = daemon->options->remotes;
	int ret = 0;

	for (struct instance *i = daemon->registry.first; ret == 0 && i; i = i->next, remote++) {
		if (remote->socket_path)
			ret = listener_bind(&i->listener, remote->socket_path);
		else
			ret = use_descriptor(i, remote->fd);
	}
	return ret;
}

static int start_front_ends(struct daemon *daemon)
{
	for (struct instance *i = daemon->registry.first; i; i = i->next) {
		int ret;

		if (daemon->options->poll_given)
			instance_poll(i, daemon->options->poll, true);
		else
			instance_poll(i, SPIN_CAREFUL_NS, false);
		ret = instance_start(i, &daemon->loop, daemon->options->once, &instance_ops,
				     daemon);

		if (ret) {
			log_error("%s: cannot serve: %s", i->name, strerror(-ret));
			return ret;
		}
		daemon->serving++;
	}
	return 0;
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

static int start_capture(struct daemon *daemon)
{
	const char *path = daemon->options->capture;
	int ret = recorder_start(&daemon->registry.recorder, path);

	if (ret == -EEXIST)
		log_error("--capture: %s is there and no regular file", path);
	else if (ret)
		log_error("--capture: cannot write %s: %s", path, strerror(-ret));
	return ret;
}

/* A front-end needs some twenty descriptors; the usual limit is for programs that use select(). */
static void allow_many_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int enter_sandbox(struct daemon *daemon)
{
	const struct options *options = daemon->options;

	/* Reads /dev/urandom, at the latest when the first object is made. */
	json_object_seed(0);
	return sandbox_enter(options->sandbox, options->control_path != NULL);
}

static int start(struct daemon *daemon)
{
	const struct options *options = daemon->options;
	int ret = open_loop(daemon);

	daemon->registry.recorder.several = options->remote_count > 1;
	if (options->remote_count > 1)
		allow_many_descriptors();
	for (size_t i = 0; ret == 0 && i < options->remote_count; i++)
		ret = add_remote(daemon, i);
	if (ret == 0)
		ret = open_front_ends(daemon);
	if (ret == 0 && options->capture)
		ret = start_capture(daemon);
	if (ret == 0 && options->control_path)
		ret = start_control(daemon);
	if (ret == 0)
		ret = start_front_ends(daemon);
	if (ret == 0)
		ret = guard_install(&daemon->registry, &daemon->loop, &daemon->guard);
	daemon->guard_open = ret == 0;
	if (ret == 0)
		ret = enter_sandbox(daemon);
	if (ret == 0)
		start_scenarios(daemon);
	if (ret == 0 && options->ready_fd >= 0)
		ret = tell_ready(options->ready_fd);
	return ret;
}

static void log_serving(const struct daemon *daemon)
{
	unsigned int remotes = daemon->registry.count;

	log_info("serving %u remote%s, seed %" PRIu64 "; %s", remotes, remotes == 1 ? "" : "s",
		 daemon->registry.first->config.seed,
		 daemon->options->once ? "ends after the first front-end"
				       : "one front-end at a time");
}

/* What --check=strict fails for. */
static bool broke_a_must(const struct registry *registry)
{
	uint64_t total = 0;

	for (const struct instance *i = registry->first; i; i = i->next) {
		uint64_t count = i->config.check == REMOTE_CHECK_STRICT
					 ? violation_count_must(i->violations)
					 : 0;

		if (count)
			log_error("%s: the host broke a MUST %" PRIu64 " times", i->name, count);
		total += count;
	}
	return total != 0;
}

static bool scenario_failed(const struct registry *registry)
{
	bool failed = false;

	for (const struct instance *i = registry->first; i; i = i->next)
		failed |= i->scenario && scenario_run_failed(i->scenario);
	return failed;
}

static void free_remotes(struct registry *registry)
{
	while (registry->first) {
		struct instance *instance = registry->first;

		registry->first = instance->next;
		instance_free(instance);
		scenario_run_free(instance->scenario);
		free(instance);
	}
}

int daemon_run(const struct options *options)
{
	/* On the heap for its size alone: there is one. */
	struct daemon *daemon = calloc(1, sizeof(*daemon));
	bool failed, bad;
	int ret;

	if (!daemon) {
		log_error("out of memory");
		return 1;
	}
	daemon->options = options;
	ret = read_scenarios(daemon);
	if (ret) {
		free_scenarios(daemon);
		free(daemon);
		return EXIT_USAGE;
	}
	daemon->rpc.registry = &daemon->registry;
	control_init(&daemon->control, &daemon->registry.events, &daemon->rpc);
	ret = start(daemon);
	if (ret)
		stop(daemon);
	else
		log_serving(daemon);
	if (daemon->loop_open) {
		uv_run(&daemon->loop, UV_RUN_DEFAULT);
		uv_loop_close(&daemon->loop);
	}
	failed = ret || daemon->registry.recorder.failed || broke_a_must(&daemon->registry) ||
		 scenario_failed(&daemon->registry);
	bad = daemon->bad_scenario;
	free_remotes(&daemon->registry);
	free_scenarios(daemon);
	free(daemon);
	return bad ? EXIT_USAGE : failed ? 1 : 0;
}
