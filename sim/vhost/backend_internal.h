/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the back-end share: backend.c (dispatch, negotiation, status,
 * configuration), backend_mem.c (memory and dirty log), backend_queue.c (rings).
 */
#ifndef VHOST_BACKEND_INTERNAL_H
#define VHOST_BACKEND_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost/backend.h"

/*
 * A handler returns 0 when the request was served, 1 when it also set the reply,
 * BACKEND_REFUSED when the front-end asked for something impossible (it was reported and the
 * state is as before), or a negative errno when this side failed.
 */
#define BACKEND_REFUSED 2

typedef int backend_handler(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply);

/* Call one of the optional callbacks of the device above. */
#define BACKEND_OP(be, op, ...)                                                                    \
	do {                                                                                       \
		if ((be)->ops && (be)->ops->op)                                                    \
			(be)->ops->op((be)->ops_ctx, ##__VA_ARGS__);                               \
	} while (0)

/**
 * backend_refuse() - report a violation
 * @be: session
 * @what: entry of the register
 * @queue: virtqueue number or VIOLATION_NO_QUEUE
 * @expected: bound or value that the rule asks for
 * @seen: value that came
 *
 * Return: BACKEND_REFUSED, so that a handler can return it.
 */
int backend_refuse(struct backend *be, enum violation what, int queue, uint64_t expected,
		   uint64_t seen);

/**
 * backend_reply_u64() - answer with one number
 * @reply: reply to the request that is being served
 * @value: its payload
 *
 * Return: 1, so that a handler can return it.
 */
int backend_reply_u64(struct vhost_msg *reply, uint64_t value);

/**
 * backend_driver_gone() - tell the device above, once, that the driver is no longer ready
 * @be: session
 */
void backend_driver_gone(struct backend *be);

/* backend_queue.c */

/**
 * backend_queue_init() - a queue of a session that has seen no message
 * @be: session
 * @index: virtqueue number
 */
void backend_queue_init(struct backend *be, unsigned int index);

/**
 * backend_queue_fini() - stop a queue and close all its descriptors
 * @be: session
 * @index: virtqueue number
 */
void backend_queue_fini(struct backend *be, unsigned int index);

/**
 * backend_queue_try_start() - start a ring if everything that it needs is there
 * @be: session
 * @index: virtqueue number
 * @report: its addresses being outside memory is a violation, not a reason to wait
 *
 * Return: 0 when it runs or something is missing; BACKEND_REFUSED when its addresses are
 * outside memory; -ENOMEM.
 */
int backend_queue_try_start(struct backend *be, unsigned int index, bool report);

/**
 * backend_queues_try_start() - the same for all queues
 * @be: session
 * @report: see above
 *
 * Return: 0, or -ENOMEM.
 */
int backend_queues_try_start(struct backend *be, bool report);

/**
 * backend_queue_stop() - stop a ring that runs; where it stood is kept as its base
 * @be: session
 * @index: virtqueue number
 */
void backend_queue_stop(struct backend *be, unsigned int index);

/**
 * backend_queue_reset() - stop a ring and forget what the front-end said about it
 * @be: session
 * @index: virtqueue number
 *
 * Call and err descriptors stay: front-ends give them once, before the first start.
 */
void backend_queue_reset(struct backend *be, unsigned int index);

/**
 * backend_queue_covered() - would a running ring still lie in memory?
 * @be: session
 * @index: virtqueue number
 * @mem: memory as it is going to be
 * @rings: set to the new places
 *
 * Return: true when every part lies in one region and is aligned.
 */
bool backend_queue_covered(struct backend *be, unsigned int index, struct gmem *mem,
			   struct virtq_rings *rings);

/**
 * backend_queue_lost_memory() - stop a ring whose memory is about to go, as broken
 * @be: session
 * @index: virtqueue number
 */
void backend_queue_lost_memory(struct backend *be, unsigned int index);

/**
 * backend_queue_log_bytes() - size that the dirty log needs for a queue's used ring
 * @q: queue
 *
 * Return: bytes; 0 when the used ring is not logged; UINT64_MAX when no log is large enough.
 */
uint64_t backend_queue_log_bytes(const struct backend_queue *q);

/**
 * backend_take_event() - take over a message's first descriptor as kick, call, err or log event
 * @event: set on success
 * @msg: message with a descriptor; on success it no longer owns it
 * @to_read: true for a kick
 *
 * The descriptor is made non-blocking.
 *
 * Source: vhost-user.rst, "Support for platforms other than Linux": an eventfd or a pipe.
 *
 * Return: true when it is of such a kind and open in the right direction.
 */
bool backend_take_event(struct backend_event *event, struct vhost_msg *msg, bool to_read);

/**
 * backend_close_event() - close an event's descriptor if there is one
 * @event: event; none afterwards
 */
void backend_close_event(struct backend_event *event);

/**
 * backend_signal() - write one event, without ever blocking or raising SIGPIPE
 * @event: event that the front-end reads
 *
 * Return: true when it was written or events were pending already.
 */
bool backend_signal(const struct backend_event *event);

backend_handler backend_set_vring_num, backend_set_vring_addr, backend_set_vring_base,
	backend_get_vring_base, backend_set_vring_kick, backend_set_vring_call,
	backend_set_vring_err, backend_set_vring_enable;

/* backend_request.c */

/**
 * backend_close_requests() - close the channel for messages to the front-end
 * @be: session
 */
void backend_close_requests(struct backend *be);

backend_handler backend_set_request_fd;

/* backend_mem.c */

/**
 * backend_mem_fini() - unmap everything
 * @be: session whose queues are stopped
 */
void backend_mem_fini(struct backend *be);

/**
 * backend_log_bytes() - size that the dirty log needs for a memory map
 * @mem: map
 *
 * Return: bytes.
 */
uint64_t backend_log_bytes(const struct gmem *mem);

/**
 * backend_log_update() - switch logging on or off as features and log descriptor say
 * @be: session
 */
void backend_log_update(struct backend *be);

backend_handler backend_set_mem_table, backend_add_mem_reg, backend_rem_mem_reg,
	backend_get_max_mem_slots, backend_set_log_base, backend_set_log_fd;

#endif /* VHOST_BACKEND_INTERNAL_H */
