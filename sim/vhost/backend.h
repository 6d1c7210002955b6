/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost-user back-end: one session with a front-end, as a state machine over messages.
 *
 * No socket is touched here: vhost/socket.h moves bytes and descriptors, so that tests and
 * fuzzers can hand messages straight to backend_handle(). The device above learns what it
 * needs through struct backend_ops and finds its queues in struct backend.
 *
 * When a ring runs: the front-end gave its size, addresses and a kick descriptor (or said
 * that it will not kick), acknowledged features, and enabled it. In which order these came
 * makes no difference. GET_VRING_BASE, disabling, a reset, and memory that no longer covers
 * the ring stop it. A ring that is started but disabled is left alone: its buffers wait.
 *
 * Source: QEMU docs/interop/vhost-user.rst, "Ring states" (text of QEMU 11).
 */
#ifndef VHOST_BACKEND_H
#define VHOST_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost/vhost_proto.h"
#include "virtio/gmem.h"
#include "virtio/virtq.h"
#include "wire/violation.h"

/* What the device above offers; constant during a session. */
struct backend_offer {
	uint64_t features; /* device and ring bits; F_PROTOCOL_FEATURES and F_LOG_ALL are added */
	unsigned int num_queues;
	/* Bytes of configuration space, at most VHOST_CONFIG_MAX; 0: F_CONFIG is not offered. */
	uint32_t config_size;
	/* F_BACKEND_REQ is offered: the front-end may give a channel for messages to it. */
	bool backend_requests;
};

/* Points of the handshake. */
enum backend_point {
	BACKEND_POINT_FEATURES,	 /* SET_FEATURES */
	BACKEND_POINT_MEMORY,	 /* SET_MEM_TABLE, ADD_MEM_REG */
	BACKEND_POINT_VRING,	 /* SET_VRING_ADDR */
	BACKEND_POINT_DRIVER_OK, /* every queue is started and the driver ready */
};

#define BACKEND_REPLY_NEVER UINT64_MAX

/* Where a device above that simulates faults takes part in the handshake. */
struct backend_hooks {
	/* A point is reached, before what belongs to it is done. True: end the session here. */
	bool (*crash)(void *ctx, enum backend_point point);
	/*
	 * A reply is ready. Return how many nanoseconds it is to be late, which whoever writes it
	 * to the socket has to see to, or BACKEND_REPLY_NEVER.
	 */
	uint64_t (*reply_delay)(void *ctx, uint32_t request);
};

/* What the device above is told. Any callback may be NULL. */
struct backend_ops {
	/* The driver's choice of features, vhost's own bits included; again when it changes. */
	void (*features)(void *ctx, uint64_t acked);
	/* Device status as the driver set it; with F_STATUS only. */
	void (*status)(void *ctx, uint8_t status, uint8_t before);
	/* queue's virtq was started or is about to be stopped (pushes are still possible). */
	void (*queue_started)(void *ctx, unsigned int queue);
	void (*queue_stopping)(void *ctx, unsigned int queue);
	/* Every queue is started and the driver is ready; the opposite before any of it ends. */
	void (*driver_ok)(void *ctx);
	void (*driver_gone)(void *ctx);
	/*
	 * Poll this descriptor for kicks from now on and the one before no more; -1: none. Owned
	 * by the back-end, which closes the former one after this call. Comes after
	 * queue_started and queue_stopping, and when a running ring gets another descriptor.
	 */
	void (*kick_fd)(void *ctx, unsigned int queue, int fd);
	/*
	 * A kick that must be assumed, so that buffers posted before are seen: the ring was
	 * started or got another kick descriptor, or driver_ok was called just before.
	 */
	void (*kick)(void *ctx, unsigned int queue);
	/* Device reset: RESET_DEVICE or status 0. Queues are stopped already. */
	void (*reset)(void *ctx);
	/* Configuration space; offset + size were checked. Return 0 or negative errno. */
	int (*config_read)(void *ctx, uint32_t offset, uint32_t size, uint8_t *to);
	int (*config_write)(void *ctx, uint32_t offset, uint32_t size, const uint8_t *from);
	/* Given the same ctx; NULL, or either of them NULL: none. */
	const struct backend_hooks *hooks;
};

/* An eventfd or pipe of the front-end, in one direction; fd -1: none. */
struct backend_event {
	int fd;
	bool pipe;
};

/* The front-end's view of one ring, kept while it is being set up. */
struct backend_queue {
	struct virtq vq;
	uint64_t desc_user, avail_user, used_user, log_guest;
	uint32_t num;
	uint16_t base;
	struct backend_event kick, call, err;
	bool num_set, addr_set, kick_set, enabled, used_logged;
	bool lost_memory; /* it stopped because of that, which was reported */
	bool polled;	  /* front-end gave no kick descriptor: it never kicks */
	bool kick_due;	  /* ops->kick follows when the message has been served */
	uint64_t calls;	  /* interrupts sent */
};

/* One mapping; what it serves may start at an offset inside. */
struct backend_map {
	void *at;
	uint64_t size;
};

struct backend {
	struct gmem mem;
	struct backend_queue queues[VHOST_NUM_QUEUES_MAX];
	struct backend_offer offer;
	const struct backend_ops *ops;
	void *ops_ctx;
	const struct violation_sink *sink;
	uint64_t acked;
	uint64_t protocol_acked;
	struct backend_map maps[GMEM_MAX_REGIONS]; /* one a region, in any order */
	unsigned int map_count;
	struct backend_map log_map;
	uint8_t *log; /* first byte of the dirty log, inside log_map; NULL: none given */
	uint64_t log_size;
	struct backend_event log_event; /* signalled when the log may have changed */
	int request_fd;			/* channel for messages to the front-end; -1: none given */
	uint64_t reply_delay;		/* of the reply handed out last, nanoseconds */
	uint8_t status;
	bool needs_reset; /* shown in the status until the driver resets the device */
	bool owned, features_set, protocol_features_set, driver_ok;
};

/**
 * backend_init() - a session that has seen no message yet
 * @be: session
 * @offer: what the device offers; copied
 * @ops: callbacks
 * @ops_ctx: passed to each
 * @sink: where violations go; may be NULL
 *
 * Return: 0, or -EINVAL for an offer that cannot be served: no or too many queues, a
 * configuration space that is too large or that @ops cannot read, packed rings, or an IOMMU.
 */
int backend_init(struct backend *be, const struct backend_offer *offer,
		 const struct backend_ops *ops, void *ops_ctx, const struct violation_sink *sink);

/**
 * backend_fini() - end a session: stops queues, unmaps memory, closes every descriptor
 * @be: session; may be initialised again afterwards
 */
void backend_fini(struct backend *be);

/**
 * backend_handle() - serve one message
 * @be: session
 * @msg: message; its descriptors are taken over or closed in every case, fd_count becomes 0
 * @reply: set to the answer when the return value is 1
 *
 * Return: 1 when @reply has to be sent, be->reply_delay nanoseconds from now, and no further
 * message served before; 0 when there is none; -EPROTO when the front-end broke the protocol
 * beyond repair and the connection has to be closed (the violation was reported);
 * -ECONNABORTED when a hook ends the session; another negative errno when this side failed
 * (-ENOMEM, ...).
 *
 * A request that is refused leaves the state as it was. When NEED_REPLY was negotiated and
 * set it answers non-zero; a request that always has an answer gets one with no payload, as
 * the protocol prescribes for GET_CONFIG, so that the front-end does not wait for ever. Which
 * mistake is refused and which closes the connection: sim/vhost/README.md.
 */
int backend_handle(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply);

/**
 * backend_call() - interrupt the driver for a queue
 * @be: session
 * @queue: virtqueue number
 *
 * Without a call descriptor, or while the queue is stopped, nothing happens. Never blocks,
 * and a front-end that closed its end of a pipe raises no signal.
 */
void backend_call(struct backend *be, unsigned int queue);

/**
 * backend_signal_error() - tell the front-end that a queue is broken
 * @be: session
 * @queue: virtqueue number
 */
void backend_signal_error(struct backend *be, unsigned int queue);

/**
 * backend_config_changed() - tell the driver that the configuration space has changed
 * @be: session
 *
 * Never blocks. No answer is asked for.
 *
 * Source: vhost-user.rst, "VHOST_USER_BACKEND_CONFIG_CHANGE_MSG".
 *
 * Return: 0; -ENOTCONN when the front-end gave no channel or did not acknowledge F_CONFIG;
 * another negative errno of the socket.
 */
int backend_config_changed(struct backend *be);

/**
 * backend_needs_reset() - set NEEDS_RESET in the device status, and tell the driver
 * @be: session
 *
 * Holds until the driver resets the device (VIRTIO 1.2, section 2.1.2). A driver that does
 * not poll learns of it by the notification of backend_config_changed().
 *
 * Return: as backend_config_changed(); the bit is set in any case.
 */
int backend_needs_reset(struct backend *be);

/**
 * backend_clear_kick() - empty a queue's kick descriptor after it polled readable
 * @be: session
 * @queue: virtqueue number
 *
 * Return: number of kicks that were waiting; 0 when none was; -EIO when the descriptor is
 * unusable (then it is not to be polled again).
 */
int64_t backend_clear_kick(struct backend *be, unsigned int queue);

#endif /* VHOST_BACKEND_H */
