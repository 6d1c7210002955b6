/* SPDX-License-Identifier: BSD-2-Clause */
#include "vhost/socket.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Linux puts at most this many descriptors into one message (SCM_MAX_FD, unix(7)). */
#define KERNEL_MAX_FDS 253

void vhost_reader_init(struct vhost_reader *reader)
{
	memset(reader, 0, sizeof(*reader));
	vhost_msg_init(&reader->msg, 0, 0);
}

void vhost_reader_fini(struct vhost_reader *reader)
{
	vhost_msg_close_fds(&reader->msg);
	vhost_reader_init(reader);
}

static void take_fd(struct vhost_reader *reader, int fd, bool first)
{
	struct vhost_msg *msg = &reader->msg;

	if (first && msg->fd_count < VHOST_MAX_FDS) {
		msg->fds[msg->fd_count++] = fd;
		return;
	}
	close(fd);
	msg->fds_lost++;
	reader->extra_fds++;
}

/* first: this receive began with the first byte of the message. */
static void take_fds(struct vhost_reader *reader, struct msghdr *mh, bool first)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0);
		     at += sizeof(int)) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
			take_fd(reader, fd, first);
		}
	}
	/* There is room for all that a sender can attach, so that some were cut off only when
	 * this process may open no more. */
	if (mh->msg_flags & MSG_CTRUNC) {
		reader->msg.fds_lost++;
		reader->extra_fds++;
	}
}

/* The header is complete: can what follows be told from the next message? */
static int take_header(struct vhost_reader *reader, const struct violation_sink *sink)
{
	struct vhost_msg *msg = &reader->msg;

	msg->request = vhost_get_u32(reader->header);
	msg->flags = vhost_get_u32(reader->header + 4);
	msg->size = vhost_get_u32(reader->header + 8);
	if ((msg->flags & VHOST_FLAG_VERSION_MASK) != VHOST_VERSION) {
		violation_report(sink, VIOLATION_VU_VERSION, VIOLATION_NO_QUEUE, VIOLATION_NO_DESC,
				 VHOST_VERSION, msg->flags & VHOST_FLAG_VERSION_MASK);
		return -EPROTO;
	}
	if (msg->size > VHOST_MAX_PAYLOAD) {
		violation_report(sink, VIOLATION_VU_SIZE, VIOLATION_NO_QUEUE, VIOLATION_NO_DESC,
				 VHOST_MAX_PAYLOAD, msg->size);
		return -EPROTO;
	}
	return 0;
}

/* Bytes that the message has, as far as is known. */
static uint32_t wanted(const struct vhost_reader *reader)
{
	return reader->have < VHOST_HDR_SIZE ? VHOST_HDR_SIZE : VHOST_HDR_SIZE + reader->msg.size;
}

static int64_t receive(struct vhost_reader *reader, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * KERNEL_MAX_FDS)];
	} control;
	bool in_header = reader->have < VHOST_HDR_SIZE;
	struct iovec iov = {
		.iov_base = in_header ? reader->header + reader->have
				      : reader->msg.payload + (reader->have - VHOST_HDR_SIZE),
		.iov_len = wanted(reader) - reader->have,
	};
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t got;

	do {
		got = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	take_fds(reader, &mh, reader->have == 0);
	return got;
}

int vhost_read(struct vhost_reader *reader, int fd, struct vhost_msg *msg,
	       const struct violation_sink *sink)
{
	if (reader->broken)
		return -EPROTO;
	while (reader->have < VHOST_HDR_SIZE || reader->have < wanted(reader)) {
		int64_t got = receive(reader, fd);

		if (got < 0)
			return (int)got;
		if (got == 0) {
			if (reader->have == 0)
				return -ENODATA;
			reader->broken = true;
			violation_report(sink, VIOLATION_VU_SHORT_MESSAGE, VIOLATION_NO_QUEUE,
					 VIOLATION_NO_DESC, wanted(reader), reader->have);
			return -EPROTO;
		}
		reader->have += (uint32_t)got;
		if (reader->have == VHOST_HDR_SIZE) {
			int ret = take_header(reader, sink);

			if (ret < 0) {
				reader->broken = true;
				return ret;
			}
		}
	}

	*msg = reader->msg;
	vhost_msg_init(&reader->msg, 0, 0);
	reader->have = 0;
	return 1;
}

int vhost_write(int fd, const struct vhost_msg *msg)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * VHOST_MAX_FDS)];
	} control;
	uint8_t bytes[VHOST_HDR_SIZE + VHOST_MAX_PAYLOAD];
	struct iovec iov = {.iov_base = bytes};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	if (msg->size > VHOST_MAX_PAYLOAD || msg->fd_count > VHOST_MAX_FDS)
		return -EINVAL;

	vhost_put_hdr(bytes, msg->request, msg->flags, msg->size);
	memcpy(bytes + VHOST_HDR_SIZE, msg->payload, msg->size);
	iov.iov_len = VHOST_HDR_SIZE + msg->size;

	if (msg->fd_count > 0) {
		size_t fd_bytes = sizeof(int) * msg->fd_count;
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		mh.msg_control = control.bytes;
		mh.msg_controllen = CMSG_SPACE(fd_bytes);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_bytes);
		memcpy(CMSG_DATA(c), msg->fds, fd_bytes);
	}

	while (iov.iov_len > 0) {
		ssize_t sent = sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		/* Descriptors went with the first byte; only bytes can be left. */
		mh.msg_control = NULL;
		mh.msg_controllen = 0;
		iov.iov_base = (uint8_t *)iov.iov_base + sent;
		iov.iov_len -= (size_t)sent;
	}
	return 0;
}
