/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost-user messages over a connected unix socket, with descriptors. Non-blocking: a reader
 * keeps what has arrived so far, so that a front-end that sends byte by byte, or stops in
 * the middle, holds nothing up.
 */
#ifndef VHOST_SOCKET_H
#define VHOST_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost/vhost_proto.h"
#include "wire/violation.h"

struct vhost_reader {
	struct vhost_msg msg;
	uint8_t header[VHOST_HDR_SIZE];
	uint32_t have;	    /* bytes of header and payload so far */
	uint32_t extra_fds; /* descriptors closed on arrival since the reader was made */
	bool broken;	    /* -EPROTO was returned: nothing after that can be told apart */
};

/**
 * vhost_reader_init() - no byte read yet
 * @reader: reader
 */
void vhost_reader_init(struct vhost_reader *reader);

/**
 * vhost_reader_fini() - close descriptors of a message that was never finished
 * @reader: reader
 */
void vhost_reader_fini(struct vhost_reader *reader);

/**
 * vhost_read() - read from a socket until one message is complete
 * @reader: reader
 * @fd: stream socket; never waited for, whether it is blocking or not
 * @msg: set, with its descriptors, when the return value is 1
 * @sink: where violations go; may be NULL
 *
 * No byte of the next message is read. Descriptors are taken from the first receive of a
 * message only; any that come later, above VHOST_MAX_FDS, or did not fit this process's
 * limit, are closed and counted in the message's fds_lost, and the back-end refuses it.
 *
 * Source: vhost-user.rst, "Communication" (where ancillary data belongs).
 *
 * Return: 1 when @msg is complete; -EAGAIN when more has to arrive; -ENODATA when the
 * front-end closed between messages; -EPROTO when it closed inside one or sent a header
 * that cannot be followed (reported; and again at each further call); another negative
 * errno from the socket.
 */
int vhost_read(struct vhost_reader *reader, int fd, struct vhost_msg *msg,
	       const struct violation_sink *sink);

/**
 * vhost_write() - send one message
 * @fd: socket
 * @msg: message; its descriptors stay open
 *
 * Return: 0 when the whole message was handed over; -EINVAL for a message above the limits;
 * another negative errno. A message is far below a socket's buffer, so one that does not fit
 * (-EAGAIN) means a front-end that does not read its replies. After an error the stream may
 * be torn: close it.
 */
int vhost_write(int fd, const struct vhost_msg *msg);

#endif /* VHOST_SOCKET_H */
