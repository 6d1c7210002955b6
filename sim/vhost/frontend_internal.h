/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the front-end share: frontend_request.c (one message and its answer),
 * frontend.c (a session made of them).
 */
#ifndef VHOST_FRONTEND_INTERNAL_H
#define VHOST_FRONTEND_INTERNAL_H

#include "vhost/frontend.h"

/**
 * frontend_fail() - leave a text for frontend_error()
 * @fe: front-end
 * @error: negative errno
 * @format: as for printf, one line without a full stop
 *
 * Return: @error, so that a caller can return it.
 */
__attribute__((format(printf, 3, 4))) int frontend_fail(struct frontend *fe, int error,
							const char *format, ...);

/**
 * frontend_read() - read whatever message has arrived, without waiting
 * @fe: front-end
 * @what: what it was to be, for the text of an error
 * @msg: set when the return value is 1
 *
 * Return: 1; -EAGAIN when there is none; -EPIPE when the back-end closed the connection;
 * -EPROTO for one that cannot be followed; another negative errno.
 */
int frontend_read(struct frontend *fe, const char *what, struct vhost_msg *msg);

/**
 * frontend_now_ms() - monotonic time in milliseconds
 *
 * Return: time.
 */
int64_t frontend_now_ms(void);

/**
 * frontend_ask() - a request whose answer has a body
 * @fe: front-end
 * @msg: request
 * @size: payload bytes that the answer must have
 * @reply: set to the answer, which has no descriptors
 *
 * Return: 0; -EREMOTEIO when the answer is empty: the back-end refused; -EPROTO for another
 * size or descriptors; otherwise as frontend_request().
 */
int frontend_ask(struct frontend *fe, const struct vhost_msg *msg, uint32_t size,
		 struct vhost_msg *reply);

/**
 * frontend_ask_u64() - a request without payload, answered with a number
 * @fe: front-end
 * @request: request
 * @value: set to the answer
 *
 * Return: as frontend_ask().
 */
int frontend_ask_u64(struct frontend *fe, uint32_t request, uint64_t *value);

/**
 * frontend_settle() - read the acknowledgements that were sent ahead of, and end sending ahead
 * @fe: front-end
 * @ret: what has come of the requests so far
 *
 * All are read, so that the next answer is that of the next request.
 *
 * Return: the failure of the first request that failed, else @ret.
 */
int frontend_settle(struct frontend *fe, int ret);

/**
 * frontend_tell() - a request without an answer of its own
 * @fe: front-end
 * @msg: request; with REPLY_ACK its acknowledgement is asked and waited for, but read later by
 *	frontend_settle() or before the next answer while fe->ahead is set: then one wake-up of
 *	either side serves many requests
 *
 * Return: 0; -EREMOTEIO when it was refused; otherwise as frontend_request().
 */
int frontend_tell(struct frontend *fe, struct vhost_msg *msg);

/**
 * frontend_tell_bare() - the same without payload
 * @fe: front-end
 * @request: request
 *
 * Return: as frontend_tell().
 */
int frontend_tell_bare(struct frontend *fe, uint32_t request);

/**
 * frontend_tell_u64() - the same with one number
 * @fe: front-end
 * @request: request
 * @value: payload
 *
 * Return: as frontend_tell().
 */
int frontend_tell_u64(struct frontend *fe, uint32_t request, uint64_t value);

/**
 * frontend_tell_state() - the same with a vring state
 * @fe: front-end
 * @request: request
 * @index: virtqueue number
 * @num: what the request makes of it
 *
 * Return: as frontend_tell().
 */
int frontend_tell_state(struct frontend *fe, uint32_t request, uint32_t index, uint32_t num);

/**
 * frontend_tell_event() - the same with a queue's event descriptor
 * @fe: front-end
 * @request: SET_VRING_KICK, CALL or ERR
 * @index: virtqueue number
 * @fd: eventfd, which stays the caller's
 *
 * Return: as frontend_tell().
 */
int frontend_tell_event(struct frontend *fe, uint32_t request, unsigned int index, int fd);

/**
 * frontend_put_state() - a message with a vring state
 * @msg: set
 * @request: request
 * @index: virtqueue number
 * @num: what the request makes of it
 */
void frontend_put_state(struct vhost_msg *msg, uint32_t request, uint32_t index, uint32_t num);

static inline bool frontend_has(const struct frontend *fe, unsigned int protocol_feature)
{
	return fe->protocol_acked & VIRTIO_BIT(protocol_feature);
}

#endif /* VHOST_FRONTEND_INTERNAL_H */
