/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost-user front-end: the host's end of the connection, in a process, without QEMU.
 *
 * It owns guest memory (a memfd that it shares), the driver's side of the rings in it, and the
 * event descriptors; whoever is above posts buffers and takes them back through drvq. Calls
 * wait for the back-end, but never longer than the deadline of the options. The back-end is
 * not trusted: each answer is judged before it is used.
 *
 * The order of calls: frontend_open() or frontend_attach(), frontend_negotiate(),
 * frontend_make_queues(), then the first buffers, frontend_start(). After frontend_stop() it
 * goes on with frontend_negotiate(). Every call that fails leaves a text in
 * frontend_error(); after one that failed only frontend_close() is of use, unless it says so.
 *
 * Source: QEMU docs/interop/vhost-user.rst.
 */
#ifndef VHOST_FRONTEND_H
#define VHOST_FRONTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vhost/socket.h"
#include "vhost/vhost_proto.h"
#include "virtio/drvq.h"

/* Where guest memory starts: guest-physical, below 4 GiB as on most boards. */
#define FRONTEND_GUEST_ADDR UINT64_C(0x40000000)

#define FRONTEND_NO_LIMIT (-1)

/* A member that is 0 means the default. */
struct frontend_options {
	uint64_t memory_size;	 /* bytes of guest memory; 16 MiB */
	uint64_t protocol;	 /* protocol features to acknowledge when offered; all known ones */
	unsigned int num_queues; /* 2 */
	uint32_t num;		 /* entries of each ring; 256, the size that Linux gets of QEMU */
	/* Behave as if F_PROTOCOL_FEATURES did not exist, like the oldest front-ends. */
	bool no_protocol_features;
	int timeout_ms; /* how long a call waits for the back-end; 5000 */
};

struct frontend_queue {
	struct drvq dq;
	int kick_fd, call_fd, err_fd;
	uint64_t ring;	/* offset of the ring in memory */
	uint64_t kicks; /* sent */
	uint64_t calls; /* taken by frontend_wait() */
	uint16_t base;	/* where the back-end stood when it was stopped last */
};

/* So many messages and answers of theirs fit into any socket. */
#define FRONTEND_MAX_UNANSWERED 16

struct frontend {
	struct frontend_options options; /* without zeros */
	int fd;
	struct vhost_reader reader;
	struct violation_sink sink; /* what is wrong with an answer's framing */
	int memory_fd;
	uint8_t *memory;
	uint64_t memory_used; /* bytes given out */
	uint64_t offered, acked;
	uint64_t protocol_offered, protocol_acked;
	struct frontend_queue queues[VHOST_NUM_QUEUES_MAX];
	uint32_t unanswered[FRONTEND_MAX_UNANSWERED]; /* requests sent ahead of their answers */
	unsigned int unanswered_count;
	bool ahead; /* acknowledgements are read later: frontend_settle() */
	bool owner_set, memory_sent, running;
	char error[256];
};

/**
 * frontend_open() - connect to a back-end's listening socket
 * @fe: front-end
 * @path: socket
 * @options: NULL for the defaults
 *
 * Return: 0; -EINVAL for impossible options; -ENAMETOOLONG; -ETIMEDOUT when nobody accepts;
 * another negative errno of connect() or of making memory. On failure there is nothing to
 * close.
 */
int frontend_open(struct frontend *fe, const char *path, const struct frontend_options *options);

/**
 * frontend_attach() - use a connected socket
 * @fe: front-end
 * @fd: stream socket, taken over; closed also on failure
 * @options: NULL for the defaults
 *
 * Return: 0, or negative errno as frontend_open().
 */
int frontend_attach(struct frontend *fe, int fd, const struct frontend_options *options);

/**
 * frontend_close() - end everything: socket, memory, rings, descriptors
 * @fe: front-end that was opened; the text of the last error stays
 */
void frontend_close(struct frontend *fe);

/**
 * frontend_error() - what went wrong in the call that failed last
 * @fe: front-end
 *
 * Return: one line without a full stop; "" when nothing failed.
 */
const char *frontend_error(const struct frontend *fe);

/**
 * frontend_negotiate() - agree on features, up to FEATURES_OK
 * @fe: opened front-end
 * @wanted: device and ring bits to acknowledge when they are offered
 * @needed: bits without which there is no point in going on; part of @wanted or not
 *
 * The choice is in @fe->acked, the back-end's offer in @fe->offered. Protocol features are
 * settled once a connection, before everything else.
 *
 * Return: 0; -ENOTSUP when a needed bit is not offered or the back-end did not keep
 * FEATURES_OK; otherwise as frontend_request().
 */
int frontend_negotiate(struct frontend *fe, uint64_t wanted, uint64_t needed);

/**
 * frontend_make_queues() - lay out empty rings, to which buffers can be posted
 * @fe: negotiated front-end
 *
 * Everything that frontend_alloc() gave out before is void.
 *
 * Return: 0; -ENOSPC when memory is too small for the rings; -ENOMEM.
 */
int frontend_make_queues(struct frontend *fe);

/**
 * frontend_alloc() - take a piece of guest memory, for buffers or indirect tables
 * @fe: front-end with queues
 * @size: bytes
 * @align: power of two
 * @guest_addr: set to its guest-physical address
 *
 * Given back all at once by frontend_make_queues().
 *
 * Return: its address in this process, or NULL when too little is left.
 */
void *frontend_alloc(struct frontend *fe, uint64_t size, uint64_t align, uint64_t *guest_addr);

/**
 * frontend_start() - hand memory and rings to the back-end, up to DRIVER_OK
 * @fe: front-end with queues
 *
 * Return: 0; otherwise as frontend_request().
 */
int frontend_start(struct frontend *fe);

/**
 * frontend_stop() - stop the rings and reset the device, as a driver does that is unloaded
 * @fe: started front-end
 *
 * What the back-end used before it stopped can still be taken out of the rings.
 *
 * Return: 0; -EPROTO when the back-end names an impossible index; otherwise as
 * frontend_request().
 */
int frontend_stop(struct frontend *fe);

/**
 * frontend_kick() - tell the back-end that buffers were published
 * @fe: started front-end
 * @queue: virtqueue number
 *
 * Return: 0, or negative errno.
 */
int frontend_kick(struct frontend *fe, unsigned int queue);

/**
 * frontend_wait() - wait for an interrupt
 * @fe: started front-end
 * @timeout_ms: milliseconds, 0 only looks; FRONTEND_NO_LIMIT
 *
 * Takes all interrupts that are there.
 *
 * Return: one bit for each queue that was called, 0 when the time is over; -EINTR after a
 * signal; -EPIPE when the back-end closed the connection; -EIO when it signalled that a ring
 * is broken; -EPROTO when it sent what nobody asked for.
 */
int frontend_wait(struct frontend *fe, int timeout_ms);

/**
 * frontend_get_config() - read configuration space
 * @fe: negotiated front-end
 * @offset: first byte
 * @size: bytes, at most VHOST_CONFIG_MAX
 * @to: result
 *
 * Return: 0; -ENOTSUP without F_CONFIG; -EINVAL for more than VHOST_CONFIG_MAX; -EREMOTEIO
 * when the back-end refuses (the connection is good for more); otherwise as
 * frontend_request().
 */
int frontend_get_config(struct frontend *fe, uint32_t offset, uint32_t size, void *to);

/**
 * frontend_set_config() - write configuration space
 * @fe: negotiated front-end
 * @offset: first byte
 * @size: bytes, at most VHOST_CONFIG_MAX
 * @from: what to write
 *
 * Return: as frontend_get_config(). Without REPLY_ACK a refusal is not seen.
 */
int frontend_set_config(struct frontend *fe, uint32_t offset, uint32_t size, const void *from);

/**
 * frontend_get_status() - read the device status
 * @fe: negotiated front-end
 * @status: result, VIRTIO_STATUS_ bits
 *
 * Return: 0; -ENOTSUP without F_STATUS; -EPROTO for a value above 255; otherwise as
 * frontend_request().
 */
int frontend_get_status(struct frontend *fe, uint8_t *status);

/**
 * frontend_request() - send any message and wait for its answer
 * @fe: opened front-end
 * @msg: request as it is to be sent, nothing in it is judged; descriptors stay the caller's
 * @reply: the answer, its descriptors now the caller's; NULL: none is waited for
 *
 * Judged are request number, flags and that the answer can be followed; not its payload.
 *
 * Return: 0; -ETIMEDOUT; -EPIPE when the back-end closed the connection; -EPROTO for an
 * answer that cannot be one to this request; another negative errno of the socket.
 */
int frontend_request(struct frontend *fe, const struct vhost_msg *msg, struct vhost_msg *reply);

#endif /* VHOST_FRONTEND_H */
