/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE 65536UL

int64_t client_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((format(printf, 3, 4))) static int fail(struct client *client, int error,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(client->error, sizeof(client->error), format, args);
	va_end(args);
	return error;
}

/* ---- connecting ------------------------------------------------------------------------- */

static int fail_connect(struct client *client, int error)
{
	const char *path = client->path;
	struct stat status;

	switch (error) {
	case ENOENT:
		return fail(client, -error,
			    "cannot reach rpmsg-sim at %s: there is no such file; is it running, "
			    "with --control-path %s?",
			    path, path);
	case ECONNREFUSED:
		/* What is no socket refuses, too. */
		if (stat(path, &status) == 0 && S_ISSOCK(status.st_mode))
			return fail(client, -error,
				    "cannot reach rpmsg-sim at %s: nobody listens there; start it "
				    "again, it takes the old socket over",
				    path);
		/* fall through */
	case EPROTOTYPE:
		return fail(client, -error,
			    "cannot reach rpmsg-sim at %s: this is no control socket; give the "
			    "path that --control-path was given",
			    path);
	case EACCES:
	case EPERM:
		return fail(client, -error,
			    "cannot reach rpmsg-sim at %s: permission denied; run as the user that "
			    "started it",
			    path);
	case EAGAIN:
		return fail(client, -ETIMEDOUT,
			    "cannot reach rpmsg-sim at %s: it takes no connection; end other "
			    "clients, or look whether it hangs",
			    path);
	default:
		return fail(client, -error,
			    "cannot reach rpmsg-sim at %s: %s; give the path that --control-path "
			    "was given",
			    path, strerror(error));
	}
}

int client_open(struct client *client, const char *path, int timeout_ms)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval timeout = {.tv_sec = timeout_ms / 1000,
				  .tv_usec = timeout_ms % 1000 * 1000L};

	*client = (struct client){.path = path, .fd = -1, .wake_fd = -1, .timeout_ms = timeout_ms};
	if (strlen(path) >= sizeof(address.sun_path))
		return fail(client, -ENAMETOOLONG,
			    "cannot reach rpmsg-sim at %s: a socket's path has at most %zu bytes; "
			    "give one relative to the working directory",
			    path, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* The time-out of sending holds for connecting, too: a full backlog would block for ever.
	 */
	if (client->fd < 0 ||
	    setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)))
		return fail(client, -errno, "cannot open a socket: %s", strerror(errno));
	if (connect(client->fd, (const struct sockaddr *)&address, sizeof(address)))
		return fail_connect(client, errno);
	return 0;
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	free(client->buffer);
	client->buffer = NULL;
}

/* ---- lines ------------------------------------------------------------------------------ */

static int fail_gone(struct client *client)
{
	return fail(client, -ECONNRESET,
		    "rpmsg-sim at %s has closed the connection: it has ended, or this client was "
		    "too slow",
		    client->path);
}

/* Waits until the socket is readable. */
static int wait_readable(struct client *client, int64_t deadline_ms)
{
	struct pollfd polls[] = {{.fd = client->fd, .events = POLLIN},
				 {.fd = client->wake_fd, .events = POLLIN}};
	int ready;

	do {
		int64_t left = deadline_ms < 0 ? -1 : deadline_ms - client_now_ms();

		if (deadline_ms >= 0 && left < 0)
			left = 0;
		ready = poll(polls, 2, (int)left);
	} while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return fail(client, -errno, "cannot wait: %s", strerror(errno));
	if (ready == 0)
		return fail(client, -ETIMEDOUT,
			    "rpmsg-sim at %s gave no answer within %g s: it is busy or hangs; see "
			    "--timeout",
			    client->path, client->timeout_ms / 1000.0);
	if (polls[1].revents)
		return -EINTR;
	return 0;
}

static int read_more(struct client *client, int64_t deadline_ms)
{
	ssize_t got;
	int ret = wait_readable(client, deadline_ms);

	if (ret)
		return ret;
	if (client->start) {
		client->used -= client->start;
		memmove(client->buffer, client->buffer + client->start, client->used);
		client->start = 0;
	}
	if (client->size - client->used < READ_SIZE) {
		char *buffer = realloc(client->buffer, client->size + 2 * READ_SIZE);

		if (!buffer)
			return fail(client, -ENOMEM, "out of memory");
		client->buffer = buffer;
		client->size += 2 * READ_SIZE;
	}
	got = recv(client->fd, client->buffer + client->used, READ_SIZE, 0);
	if (got == 0 || (got < 0 && errno == ECONNRESET))
		return fail_gone(client);
	if (got < 0)
		return fail(client, -errno, "cannot read from %s: %s", client->path,
			    strerror(errno));
	client->used += (size_t)got;
	return 0;
}

bool client_has_line(const struct client *client)
{
	return client->used > client->start &&
	       memchr(client->buffer + client->start, '\n', client->used - client->start);
}

/* Waits for a whole line; *size is without its newline. */
static int wait_line(struct client *client, int64_t deadline_ms, size_t *size)
{
	size_t looked = 0;
	int ret;

	for (;;) {
		size_t have = client->used - client->start;
		const char *text = have > looked ? client->buffer + client->start : NULL;
		const char *end = text ? memchr(text + looked, '\n', have - looked) : NULL;

		if (end) {
			*size = (size_t)(end - text);
			return 0;
		}
		looked = have;
		if (looked > CLIENT_MAX_LINE)
			return fail(client, -EMSGSIZE,
				    "what answers at %s is no rpmsg-sim: its line has no end",
				    client->path);
		ret = read_more(client, deadline_ms);
		if (ret)
			return ret;
	}
}

int client_read(struct client *client, int timeout_ms, json_t **line)
{
	size_t size = 0;
	int ret = wait_line(client, timeout_ms < 0 ? -1 : client_now_ms() + timeout_ms, &size);

	if (ret)
		return ret;
	*line = json_loadb(client->buffer + client->start, size, 0, NULL);
	client->start += size + 1;
	if (json_is_object(*line))
		return 0;
	json_decref(*line);
	*line = NULL;
	return fail(client, -EPROTO,
		    "what answers at %s is no rpmsg-sim: its line is no JSON object", client->path);
}

static int write_line(struct client *client, const char *text, size_t size)
{
	while (size) {
		ssize_t sent = send(client->fd, text, size, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return fail_gone(client);
		if (sent < 0)
			return fail(client, -errno, "cannot write to %s: %s", client->path,
				    errno == EAGAIN ? "it takes no more" : strerror(errno));
		text += sent;
		size -= (size_t)sent;
	}
	return 0;
}

/* ---- requests --------------------------------------------------------------------------- */

static int send_request(struct client *client, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s, s:I, s:s, s:O*}", "jsonrpc", "2.0", "id", ++client->id,
				    "method", method, "params", params);
	char *text = json_dumps(request, JSON_COMPACT), *line = NULL;
	int length = text ? asprintf(&line, "%s\n", text) : -1;
	int ret;

	if (length < 0)
		ret = fail(client, -ENOMEM, "out of memory");
	else
		ret = write_line(client, line, (size_t)length);
	if (length >= 0)
		free(line);
	free(text);
	json_decref(request);
	return ret;
}

/* The daemon's message, and the errno behind it. */
static int fail_refused(struct client *client, json_t *error)
{
	const char *text = json_string_value(json_object_get(error, "message"));
	const char *name =
		json_string_value(json_object_get(json_object_get(error, "data"), "errno"));

	/* Here parameters are words of the command line, and params is unknown. */
	if (text && strncmp(text, "params.", strlen("params.")) == 0)
		text += strlen("params.");
	return fail(client, 1, "%s%s%s%s", text ? text : "refused, without a message",
		    name ? " (" : "", name ? name : "", name ? ")" : "");
}

static bool is_reply(const struct client *client, json_t *line)
{
	json_t *id = json_object_get(line, "id");

	/* id null: the daemon could make nothing of what we sent. */
	return id && !json_object_get(line, "method") &&
	       (json_is_null(id) || json_integer_value(id) == client->id);
}

int client_call(struct client *client, const char *method, json_t *params, json_t **result)
{
	int64_t deadline_ms = client_now_ms() + client->timeout_ms;
	json_t *line, *error;
	int ret = send_request(client, method, params);

	while (!ret) {
		int64_t left = deadline_ms - client_now_ms();

		ret = client_read(client, left > 0 ? (int)left : 0, &line);
		if (ret)
			break;
		if (!is_reply(client, line)) {
			json_decref(line);
			continue;
		}
		error = json_object_get(line, "error");
		*result = json_incref(json_object_get(line, "result"));
		if (error)
			ret = fail_refused(client, error);
		else if (!*result)
			ret = fail(client, -EPROTO,
				   "what answers at %s is no rpmsg-sim: a reply has no result",
				   client->path);
		json_decref(line);
		return ret;
	}
	return ret;
}
