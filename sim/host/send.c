/* SPDX-License-Identifier: BSD-2-Clause */
/* rpmsg-host send: messages to an endpoint, until the remote has taken them all. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/session.h"

static uint8_t payload[UINT16_MAX + 1];

static void usage(struct session *session, const char *text, const char *what)
{
	session_fail(session, text, what);
	session->status = STATUS_USAGE;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Blanks and colons may stand between bytes. Return: bytes, or -EINVAL, -EMSGSIZE. */
static int read_hex(const char *text)
{
	int size = 0;

	while (*text) {
		int high, low;

		if (*text == ' ' || *text == ':') {
			text++;
			continue;
		}
		high = digit_value(text[0]);
		low = high < 0 ? -1 : digit_value(text[1]);
		if (low < 0)
			return -EINVAL;
		if (size > UINT16_MAX)
			return -EMSGSIZE;
		payload[size++] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return size;
}

static int read_file(const char *path)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	ssize_t got = fd < 0 ? -1 : 1;
	int error;

	while (got > 0 && size < sizeof(payload)) {
		got = read(fd, payload + size, sizeof(payload) - size);
		if (got > 0)
			size += (size_t)got;
	}
	error = errno;
	if (fd > STDIN_FILENO)
		close(fd);
	return got < 0 ? -error : (int)size;
}

/* Return: bytes of payload; negative with the reason printed. */
static int read_payload(struct session *session)
{
	const struct options *options = session->options;
	int size;

	if (options->text) {
		size = (int)strnlen(options->text, sizeof(payload));
		memcpy(payload, options->text, (size_t)size);
	} else if (options->hex) {
		size = read_hex(options->hex);
		if (size == -EINVAL)
			usage(session, "--hex: \"%s\" is not pairs of hexadecimal digits",
			      options->hex);
		else if (size < 0)
			usage(session, "--hex: that is more than a message holds%s", "");
	} else {
		size = read_file(options->file);
		if (size < 0)
			session_fail(session, "--file: cannot read %s: %s", options->file,
				     strerror(-size));
	}
	return size;
}

/* Replies have nowhere to be shown; listen does that. */
static void on_reply(void *ctx, const struct host_message *message)
{
	uint64_t *replies = ctx;

	(*replies)++;
}

/* Wait until every buffer came back. Return: buffers that did not. */
static uint32_t wait_taken(struct session *session, uint64_t deadline)
{
	struct host *host = &session->host;

	if (host->failed)
		return host_outstanding(host);
	host_wait_returned(host, 1);
	while (host_outstanding(host) != 0 && session_turn(session, deadline) > 0)
		;
	host_wait_returned(host, 0);
	return host_outstanding(host);
}

static void report(struct session *session, uint64_t sent, uint64_t taken, uint32_t src, int size)
{
	json_t *summary;

	if (session->options->json) {
		summary = session_summary(session);
		json_object_update_new(summary,
				       json_pack("{s:I, s:I, s:I, s:i}", "sent", (json_int_t)sent,
						 "returned", (json_int_t)taken, "src",
						 (json_int_t)src, "bytes", size));
		session_print(summary);
		return;
	}
	printf("sent %" PRIu64 " of %d bytes from %" PRIu32 " to %" PRIu32 ", %" PRIu64
	       " taken by the remote\n",
	       sent, size, src, session->target, taken);
	session_print_findings(session);
}

void command_send(struct session *session)
{
	const struct options *options = session->options;
	struct host *host = &session->host;
	uint64_t replies = 0, sent = 0;
	uint32_t src = options->src, left;
	int size = read_payload(session), ret = 0;

	if (size < 0)
		return;
	if (host_bind(host, &src, on_reply, &replies) < 0) {
		session_fail(session, "--src: %s", host_error(host));
		return;
	}
	if (session_find_target(session) < 0)
		return;
	if ((uint32_t)size > host_max_payload(host)) {
		session_fail(session,
			     "the payload has %d bytes or more, a message to this remote "
			     "holds %" PRIu32,
			     size, host_max_payload(host));
		session->status = STATUS_USAGE;
		return;
	}
	while (ret == 0 && sent < options->count && !session_stopped(session)) {
		ret = host_send(host, src, session->target, payload, (uint32_t)size,
				host_now() + options->timeout);
		if (ret == 0)
			sent++;
	}
	if (ret < 0 && ret != -EINTR)
		session_fail(session, "%s", host_error(host));
	left = wait_taken(session, host_now() + options->timeout);
	if (left != 0)
		session_fail(session,
			     "the remote did not return %" PRIu32 " of %" PRIu64
			     " send buffers in time",
			     left, sent);
	report(session, sent, sent - left, src, size);
}
