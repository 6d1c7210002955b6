/* SPDX-License-Identifier: BSD-2-Clause */
/* One message and its answer, within a deadline. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vhost/frontend_internal.h"

int frontend_fail(struct frontend *fe, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fe->error, sizeof(fe->error), format, args);
	va_end(args);
	return error;
}

const char *frontend_error(const struct frontend *fe)
{
	return fe->error;
}

/* waiting */

int64_t frontend_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Return: 0 when the socket is ready, -ETIMEDOUT, or another negative errno. */
static int wait_socket(struct frontend *fe, short events, int64_t deadline)
{
	struct pollfd poll_fd = {.fd = fe->fd, .events = events};

	for (;;) {
		int64_t left = deadline - frontend_now_ms();
		int ret = poll(&poll_fd, 1, left > 0 ? (int)left : 0);

		if (ret > 0)
			return 0;
		if (ret == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

/* requests */

static int send_request(struct frontend *fe, const struct vhost_msg *msg, int64_t deadline)
{
	const char *name = vhost_request_name(msg->request);
	int ret;

	/* A unix socket takes a message of this size whole or not at all. */
	while ((ret = vhost_write(fe->fd, msg)) == -EAGAIN) {
		ret = wait_socket(fe, POLLOUT, deadline);
		if (ret == -ETIMEDOUT)
			return frontend_fail(fe, ret, "back-end did not take %s for %d ms", name,
					     fe->options.timeout_ms);
		if (ret < 0)
			break;
	}
	if (ret == -EPIPE || ret == -ECONNRESET)
		return frontend_fail(fe, -EPIPE, "back-end closed the connection before %s", name);
	if (ret < 0)
		return frontend_fail(fe, ret, "cannot send %s: %s", name, strerror(-ret));
	return 0;
}

int frontend_read(struct frontend *fe, const char *what, struct vhost_msg *msg)
{
	int ret = vhost_read(&fe->reader, fe->fd, msg, &fe->sink);

	/* Of -EPROTO on_violation() in frontend.c left the text. */
	if (ret == 1 || ret == -EAGAIN || ret == -EPROTO)
		return ret;
	if (ret == -ENODATA || ret == -ECONNRESET)
		return frontend_fail(fe, -EPIPE, "back-end closed the connection instead of %s",
				     what);
	return frontend_fail(fe, ret, "cannot read %s: %s", what, strerror(-ret));
}

static int read_reply(struct frontend *fe, const char *name, struct vhost_msg *reply,
		      int64_t deadline)
{
	char what[64];
	int ret;

	snprintf(what, sizeof(what), "an answer to %s", name);
	while ((ret = frontend_read(fe, what, reply)) == -EAGAIN) {
		ret = wait_socket(fe, POLLIN, deadline);
		if (ret == -ETIMEDOUT)
			return frontend_fail(fe, ret, "back-end did not answer %s within %d ms",
					     name, fe->options.timeout_ms);
		if (ret < 0)
			return frontend_fail(fe, ret, "waiting for %s: %s", what, strerror(-ret));
	}
	return ret < 0 ? ret : 0;
}

/* An answer to the oldest request that has none yet. */
static int take_reply(struct frontend *fe, uint32_t request, struct vhost_msg *reply,
		      int64_t deadline)
{
	const uint32_t flags = VHOST_VERSION | VHOST_FLAG_REPLY;
	const char *name = vhost_request_name(request);
	int ret = read_reply(fe, name, reply, deadline);

	if (ret < 0)
		return ret;
	if (reply->request != request)
		ret = frontend_fail(fe, -EPROTO, "back-end answered %s with %s (%" PRIu32 ")", name,
				    vhost_request_name(reply->request), reply->request);
	else if (reply->flags != flags)
		ret = frontend_fail(fe, -EPROTO,
				    "back-end answered %s with flags 0x%" PRIx32
				    " instead of 0x%" PRIx32,
				    name, reply->flags, flags);
	if (ret < 0)
		vhost_msg_close_fds(reply);
	return ret;
}

/* Has an answer a payload of this size and no descriptors? */
static int check_reply(struct frontend *fe, uint32_t request, uint32_t size,
		       struct vhost_msg *reply)
{
	const char *name = vhost_request_name(request);

	if (reply->fd_count > 0 || reply->fds_lost > 0) {
		vhost_msg_close_fds(reply);
		return frontend_fail(fe, -EPROTO, "back-end answered %s with a descriptor", name);
	}
	/* The specification has it so for GET_CONFIG; others do it for all requests. */
	if (reply->size == 0 && size > 0)
		return frontend_fail(fe, -EREMOTEIO, "back-end refused %s", name);
	if (reply->size != size)
		return frontend_fail(fe, -EPROTO,
				     "back-end answered %s with %" PRIu32
				     " bytes instead of %" PRIu32,
				     name, reply->size, size);
	return 0;
}

static int check_acknowledgement(struct frontend *fe, uint32_t request, struct vhost_msg *reply)
{
	int ret = check_reply(fe, request, sizeof(uint64_t), reply);

	if (ret == 0 && vhost_get_u64(reply->payload) != 0)
		return frontend_fail(fe, -EREMOTEIO, "back-end refused %s",
				     vhost_request_name(request));
	return ret;
}

/*
 * All acknowledgements that are outstanding; of several that failed the first is told. *in_step is
 * set when each was answered, so that the next answer is one to the next request.
 */
static int read_acknowledgements(struct frontend *fe, bool *in_step)
{
	char first[sizeof(fe->error)];
	unsigned int count = fe->unanswered_count;
	int failure = 0;

	fe->unanswered_count = 0;
	*in_step = true;
	for (unsigned int i = 0; i < count && *in_step; i++) {
		int64_t deadline = frontend_now_ms() + fe->options.timeout_ms;
		struct vhost_msg reply;
		int ret = take_reply(fe, fe->unanswered[i], &reply, deadline);

		*in_step = ret == 0;
		if (ret == 0)
			ret = check_acknowledgement(fe, fe->unanswered[i], &reply);
		if (ret < 0 && failure == 0) {
			failure = ret;
			memcpy(first, fe->error, sizeof(first));
		}
	}
	if (failure < 0)
		memcpy(fe->error, first, sizeof(first));
	return failure;
}

int frontend_settle(struct frontend *fe, int ret)
{
	bool in_step;
	int failure = 0;

	fe->ahead = false;
	/* A connection that failed is not waited for once more. */
	if (ret == 0 || ret == -EREMOTEIO || ret == -ENOTSUP)
		failure = read_acknowledgements(fe, &in_step);
	fe->unanswered_count = 0;
	return failure < 0 ? failure : ret;
}

int frontend_request(struct frontend *fe, const struct vhost_msg *msg, struct vhost_msg *reply)
{
	int64_t deadline = frontend_now_ms() + fe->options.timeout_ms;
	int ret = send_request(fe, msg, deadline);
	char first[sizeof(fe->error)];
	bool in_step;
	int failure;

	if (ret < 0 || !reply)
		return ret;
	failure = read_acknowledgements(fe, &in_step);
	if (!in_step)
		return failure < 0 ? failure : -EPROTO;
	deadline = frontend_now_ms() + fe->options.timeout_ms;
	if (failure == 0)
		return take_reply(fe, msg->request, reply, deadline);
	memcpy(first, fe->error, sizeof(first));
	if (take_reply(fe, msg->request, reply, deadline) == 0)
		vhost_msg_close_fds(reply);
	memcpy(fe->error, first, sizeof(first));
	return failure;
}

/* A request whose answer has a payload of this size and no descriptors. */
int frontend_ask(struct frontend *fe, const struct vhost_msg *msg, uint32_t size,
		 struct vhost_msg *reply)
{
	int ret = frontend_request(fe, msg, reply);

	return ret < 0 ? ret : check_reply(fe, msg->request, size, reply);
}

int frontend_ask_u64(struct frontend *fe, uint32_t request, uint64_t *value)
{
	struct vhost_msg msg, reply;
	int ret;

	vhost_msg_init(&msg, request, 0);
	ret = frontend_ask(fe, &msg, sizeof(*value), &reply);
	if (ret == 0)
		*value = vhost_get_u64(reply.payload);
	return ret;
}

/* A request without an answer of its own; with REPLY_ACK its success is waited for. */
int frontend_tell(struct frontend *fe, struct vhost_msg *msg)
{
	struct vhost_msg reply;
	int ret;

	if (!frontend_has(fe, VHOST_PROTOCOL_F_REPLY_ACK))
		return frontend_request(fe, msg, NULL);
	msg->flags |= VHOST_FLAG_NEED_REPLY;
	if (fe->ahead && fe->unanswered_count < FRONTEND_MAX_UNANSWERED) {
		ret = frontend_request(fe, msg, NULL);
		if (ret == 0)
			fe->unanswered[fe->unanswered_count++] = msg->request;
		return ret;
	}
	ret = frontend_request(fe, msg, &reply);
	return ret < 0 ? ret : check_acknowledgement(fe, msg->request, &reply);
}

int frontend_tell_bare(struct frontend *fe, uint32_t request)
{
	struct vhost_msg msg;

	vhost_msg_init(&msg, request, 0);
	return frontend_tell(fe, &msg);
}

int frontend_tell_u64(struct frontend *fe, uint32_t request, uint64_t value)
{
	struct vhost_msg msg;

	vhost_msg_init(&msg, request, 0);
	vhost_put_u64(msg.payload, value);
	msg.size = sizeof(value);
	return frontend_tell(fe, &msg);
}

void frontend_put_state(struct vhost_msg *msg, uint32_t request, uint32_t index, uint32_t num)
{
	vhost_msg_init(msg, request, 0);
	vhost_put_u32(msg->payload, index);
	vhost_put_u32(msg->payload + 4, num);
	msg->size = VHOST_VRING_STATE_SIZE;
}

int frontend_tell_state(struct frontend *fe, uint32_t request, uint32_t index, uint32_t num)
{
	struct vhost_msg msg;

	frontend_put_state(&msg, request, index, num);
	return frontend_tell(fe, &msg);
}

int frontend_tell_event(struct frontend *fe, uint32_t request, unsigned int index, int fd)
{
	struct vhost_msg msg;

	vhost_msg_init(&msg, request, 0);
	vhost_put_u64(msg.payload, index);
	msg.size = sizeof(uint64_t);
	msg.fds[0] = fd;
	msg.fd_count = 1;
	return frontend_tell(fe, &msg);
}
