/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/session.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

#define NS_PER_MS UINT64_C(1000000)

/* Of each kind so many are told one by one; all are counted. */
#define FINDINGS_SHOWN 3

static volatile sig_atomic_t stopped, running;
static int wake_fd = -1;
static const struct launch *launched;

/* Before the session runs there is nothing to tell; then the first signal asks for it. */
static void on_signal(int number)
{
	const uint64_t one = 1;
	int saved = errno;

	if (running && !stopped) {
		stopped = 1;
		/* Ends a wait that began after the flag was looked at. */
		if (write(wake_fd, &one, sizeof(one)) < 0)
			running = 0;
		errno = saved;
		return;
	}
	if (launched)
		launch_abort(launched);
	signal(number, SIG_DFL);
	raise(number);
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGINT);
	sigaddset(&action.sa_mask, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

bool session_stopped(const struct session *session)
{
	return stopped || ferror(stdout);
}

void session_fail(struct session *session, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fflush(stdout);
	fprintf(stderr, "rpmsg-host: %s\n", text);
	session->status = STATUS_FAILED;
}

const char *session_name(char *text, const char *name)
{
	char *out = text;

	for (unsigned int i = 0; i < RPMSG_NAME_SIZE && name[i]; i++) {
		uint8_t byte = (uint8_t)name[i];

		if (byte >= ' ' && byte <= '~' && byte != '\\')
			*out++ = (char)byte;
		else
			out += sprintf(out, "\\x%02x", byte);
	}
	*out = '\0';
	return text;
}

/* reports */

void session_print(json_t *object)
{
	if (object && json_dumpf(object, stdout, JSON_COMPACT) == 0)
		fputc('\n', stdout);
	else
		fprintf(stderr, "rpmsg-host: cannot print a result: %s\n",
			object ? strerror(errno) : "out of memory");
	fflush(stdout);
	json_decref(object);
}

static void print_finding(const struct finding_record *record)
{
	const struct finding_info *info = finding_info(record->what);
	char where[64] = "";

	if (record->desc_id != FINDING_NONE)
		snprintf(where, sizeof(where), ", queue %d descriptor %" PRId32, record->queue,
			 record->desc_id);
	fflush(stdout);
	fprintf(stderr,
		"rpmsg-host: the remote: %s: %s (%s%s%s): expected %" PRIu64 ", seen %" PRIu64
		"%s\n",
		info->name, info->text, finding_level_name(info->level),
		*info->requirement ? ", " : "", info->requirement, record->expected, record->seen,
		where);
}

static void print_finding_json(const struct finding_record *record)
{
	const struct finding_info *info = finding_info(record->what);

	session_print(json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:I}", "type", "finding",
				"name", info->name, "level", finding_level_name(info->level),
				"requirement", info->requirement, "text", info->text, "queue",
				record->queue, "desc_id", record->desc_id, "expected",
				(json_int_t)record->expected, "seen", (json_int_t)record->seen));
}

static void on_finding(void *ctx, const struct finding_record *record)
{
	struct session *session = ctx;

	if (finding_info(record->what)->level == FINDING_MUST)
		session->status = STATUS_FAILED;
	/* What is allowed is counted only. */
	if (finding_info(record->what)->level == FINDING_MAY ||
	    session->host.stats.findings[record->what] > FINDINGS_SHOWN)
		return;
	if (session->options->json)
		print_finding_json(record);
	else
		print_finding(record);
}

static void on_channel(void *ctx, const char *name, uint32_t addr, bool announced)
{
	struct session *session = ctx;

	session->last_ns = host_now();
}

json_t *session_summary(const struct session *session)
{
	static const char *const names[] = {
		[COMMAND_SERVICES] = "services", [COMMAND_PING] = "ping",   [COMMAND_SEND] = "send",
		[COMMAND_LISTEN] = "listen",	 [COMMAND_BENCH] = "bench", [COMMAND_SOAK] = "soak",
	};
	json_t *findings = json_object();
	json_t *summary;

	for (enum finding i = 0; i < FINDING_COUNT; i++) {
		uint64_t count = session->host.stats.findings[i];

		if (count != 0)
			json_object_set_new(findings, finding_info(i)->name,
					    json_integer((json_int_t)count));
	}
	summary = json_pack("{s:s, s:s, s:o}", "type", "summary", "command",
			    names[session->options->command], "findings", findings);
	if (session->target_name[0] != '\0')
		json_object_update_new(summary,
				       json_pack("{s:s, s:I}", "target", session->target_name,
						 "addr", (json_int_t)session->target));
	if (session->host.failed)
		json_object_set_new(summary, "error", json_string(host_error(&session->host)));
	return summary;
}

void session_print_findings(const struct session *session)
{
	for (enum finding i = 0; i < FINDING_COUNT; i++) {
		const struct finding_info *info = finding_info(i);
		uint64_t count = session->host.stats.findings[i];

		if (count != 0)
			printf("remote: %s %" PRIu64 " (%s%s%s)\n", info->name, count,
			       finding_level_name(info->level), *info->requirement ? ", " : "",
			       info->requirement);
	}
}

/* connection */

static bool worth_trying_again(const struct session *session, int error, uint64_t deadline)
{
	const struct timespec pause = {.tv_nsec = 5 * NS_PER_MS};

	/* A launched back-end needs time until it listens, and says so in no general way. */
	if (session->launch.pid == 0 || (error != -ENOENT && error != -ECONNREFUSED) ||
	    launch_has_ended(&session->launch) || host_now() >= deadline)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

static const char *advice(const struct session *session, int error)
{
	if (session->launch.pid != 0)
		return launch_has_ended(&session->launch)
			       ? "the launched back-end has ended: look at what it printed"
			       : "does the launched back-end listen on {socket}?";
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
		return "start the back-end first, or give the path that it listens on";
	case -EACCES:
	case -EPERM:
		return "run as the user who started the back-end, or have it change the mode of "
		       "its socket";
	case -ETIMEDOUT:
		return "does another front-end use it, is it stopped? A larger --timeout waits "
		       "longer";
	default:
		return "is that a vhost-user back-end for an rpmsg device?";
	}
}

static struct host_options host_options(const struct options *options)
{
	return (struct host_options){
		.queue_size = options->queue_size,
		.buffers = options->buffers,
		.buffer_size = options->buffer_size,
		.no_bufsz = options->no_bufsz,
		.no_event_idx = options->no_event_idx,
		.no_indirect = options->no_indirect,
		.poll = options->poll,
		.spin = options->command == COMMAND_BENCH && !options->sleep,
		.timeout_ms = (int)((options->timeout + NS_PER_MS - 1) / NS_PER_MS),
	};
}

static int connect_host(struct session *session, const char *path)
{
	struct host_options wanted = host_options(session->options);
	uint64_t deadline = host_now() + session->options->timeout;
	int ret;

	do
		ret = host_open(&session->host, path, &wanted, &session->ops, session);
	while (ret < 0 && worth_trying_again(session, ret, deadline));
	if (ret == -EINVAL) {
		session_fail(session, "%s", host_error(&session->host));
		return session->status = STATUS_USAGE;
	}
	if (ret == 0)
		ret = host_start(&session->host);
	if (ret == 0)
		return 0;
	session_fail(session, "%s: %s", path, host_error(&session->host));
	/* A rule that was broken is no question of reaching it. */
	if (ret == -EBADMSG)
		return session->status;
	fprintf(stderr, "rpmsg-host: %s\n", advice(session, ret));
	return session->status = STATUS_UNREACHABLE;
}

int session_open(struct session *session)
{
	const struct options *options = session->options;
	const char *path = options->socket_path;
	char error[256];
	int ret;

	session->host.fe.fd = -1;
	session->ops.finding = on_finding;
	if (!session->ops.channel)
		session->ops.channel = on_channel;
	catch_signals();
	if (options->launch) {
		if (launch_start(&session->launch, options->launch, STDERR_FILENO, error,
				 sizeof(error)) < 0) {
			session_fail(session, "%s", error);
			return session->status = STATUS_UNREACHABLE;
		}
		launched = &session->launch;
		path = session->launch.socket_path;
	}
	ret = connect_host(session, path);
	if (ret != 0)
		return ret;
	session->last_ns = host_now();
	wake_fd = host_wake_fd(&session->host);
	running = 1;
	return 0;
}

static const char *socket_path(const struct session *session)
{
	return session->launch.pid != 0 ? session->launch.socket_path
					: session->options->socket_path;
}

int session_reopen(struct session *session)
{
	const struct timespec pause = {.tv_nsec = NS_PER_MS};
	const struct host_options wanted = host_options(session->options);
	uint64_t findings[FINDING_COUNT], deadline = host_now() + session->options->timeout;
	int ret;

	memcpy(findings, session->host.stats.findings, sizeof(findings));
	/* A signal must not write to a descriptor that is another one by then. */
	wake_fd = -1;
	for (;;) {
		host_close(&session->host);
		ret = host_open(&session->host, socket_path(session), &wanted, &session->ops,
				session);
		if (ret == 0)
			ret = host_start(&session->host);
		if (ret == 0 || session_stopped(session) || host_now() >= deadline)
			break;
		nanosleep(&pause, NULL);
	}
	for (enum finding i = 0; i < FINDING_COUNT; i++)
		session->host.stats.findings[i] += findings[i];
	session->last_ns = host_now();
	if (ret == 0)
		wake_fd = host_wake_fd(&session->host);
	return ret;
}

int session_close(struct session *session)
{
	char error[256];

	running = 0;
	if (host_stop(&session->host) < 0)
		session_fail(session, "at the end: %s", host_error(&session->host));
	host_close(&session->host);
	launched = NULL;
	if (launch_end(&session->launch, error, sizeof(error)) < 0 &&
	    session->status != STATUS_UNREACHABLE)
		session_fail(session, "%s", error);
	if (fflush(stdout) != 0 || ferror(stdout))
		session_fail(session, "standard output takes no more");
	return session->status;
}

int session_turn(struct session *session, uint64_t deadline)
{
	int ret = host_turn(&session->host);

	if (ret == 0 && session_stopped(session))
		return 0;
	if (ret == 0)
		ret = host_wait(&session->host, deadline);
	if (ret == -EINTR)
		return !session_stopped(session);
	if (ret < 0) {
		session_fail(session, "%s", host_error(&session->host));
		return -1;
	}
	return ret > 0;
}

/* the other end */

/* "a, b and 3 more" of what was announced. */
static void list_channels(const struct session *session, char *text, size_t size)
{
	const struct channels *channels = &session->host.channels;
	const struct channel *channel;
	char name[SESSION_NAME_TEXT];
	uint32_t position = 0, count = 0;
	size_t at = 0;

	snprintf(text, size, "nothing was");
	while (at < size / 2 && (channel = channels_next(channels, &position))) {
		at += (size_t)snprintf(text + at, size - at, "%s%s", count != 0 ? ", " : "",
				       session_name(name, channel->name));
		count++;
	}
	if (count < channels->count)
		snprintf(text + at, size - at, " and %" PRIu32 " more were",
			 channels->count - count);
	else if (count != 0)
		snprintf(text + at, size - at, count == 1 ? " was" : " were");
}

int session_find_target(struct session *session)
{
	return session_find_channel(session, session->options->target);
}

int session_find_channel(struct session *session, const char *name)
{
	uint64_t deadline = host_now() + session->options->timeout, number;
	const struct channel *channel = NULL;
	char announced[512];
	int ret = 1;

	if (cli_number(name, RPMSG_ADDR_ANY - 1, &number)) {
		session->target = (uint32_t)number;
		snprintf(session->target_name, sizeof(session->target_name), "%" PRIu64, number);
		return 0;
	}
	if (!host_has(&session->host, RPMSG_F_NS)) {
		session_fail(session,
			     "the remote does not offer the name service (F_NS): give the address "
			     "of the endpoint instead of \"%s\"",
			     name);
		return -1;
	}
	while (ret > 0) {
		channel = channels_find(&session->host.channels, name);
		if (channel)
			break;
		ret = session_turn(session, deadline);
	}
	if (ret < 0)
		return -1;
	if (!channel) {
		list_channels(session, announced, sizeof(announced));
		if (stopped)
			session_fail(session, "interrupted before \"%s\" was announced", name);
		else
			session_fail(session,
				     "no channel \"%s\" was announced within %.3g s; %s: "
				     "check the name, or wait longer with --timeout",
				     name, (double)session->options->timeout / 1e9, announced);
		return -1;
	}
	session->target = channel->addr;
	session_name(session->target_name, channel->name);
	return 0;
}
