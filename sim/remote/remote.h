/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simulated remote processor: endpoints, name service and services on two virtqueues.
 *
 * Knows nothing of sockets, JSON or the command line: it works on virtqueues over plain
 * memory, asks its owner for the time and tells it what happened, so that tests and fuzzers
 * can drive it in one thread with a clock of their own. The same configuration, seed, clock
 * and input give the same output.
 *
 * Data goes one way. Out of the host: remote_run() pops a buffer of the output queue, copies
 * it into private memory, decodes and judges the header, finds the endpoint, hands the
 * payload to its service and returns the buffer. Into the host: every message, whoever made
 * it, goes through one function that takes a buffer of the input queue, or waits in a bounded
 * backlog until the host supplies one; while the backlog is full the output queue is not
 * served, so that nothing is lost (BF-020).
 */
#ifndef REMOTE_REMOTE_H
#define REMOTE_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtio/virtq.h"
#include "wire/rpmsg.h"
#include "wire/violation.h"

#define REMOTE_MAX_PAYLOAD 65535 /* what a 16-bit length field can say */
#define REMOTE_NO_DEADLINE UINT64_MAX
#define REMOTE_MAX_BACKLOG (UINT32_C(1) << 20)
#define REMOTE_MAX_ENDPOINTS (UINT32_C(1) << 24)

struct remote;
struct service_kind; /* remote/service.h */

enum remote_drop {
	REMOTE_DROP_SHORT,	 /* no room for a header */
	REMOTE_DROP_LENGTH,	 /* header length above what the descriptors hold */
	REMOTE_DROP_NO_ENDPOINT, /* nobody listens at the destination */
	REMOTE_DROP_NS,		 /* malformed name-service message */
	REMOTE_DROP_SERVICE,	 /* the service refused it */
	REMOTE_DROP_MEMORY,	 /* guest memory went away */
	REMOTE_DROP_COUNT
};

/**
 * remote_drop_name() - stable name of a drop reason, for events and statistics
 * @reason: reason
 *
 * Return: name, "unknown" for a number out of range.
 */
const char *remote_drop_name(enum remote_drop reason);

enum remote_event_type {
	REMOTE_EVENT_MESSAGE,  /* host -> remote: hdr, payload, desc_*, delivered or drop */
	REMOTE_EVENT_SENT,     /* remote -> host: hdr, payload, desc_*, used_len */
	REMOTE_EVENT_RETURNED, /* a buffer of the output queue was returned: desc_id, used_len */
	REMOTE_EVENT_NS,       /* name-service message: ns, to_host */
	REMOTE_EVENT_KICK,     /* the host kicked: queue */
};

/* What happened; header, payload and ns are valid during the callback only. */
struct remote_event {
	enum remote_event_type type;
	unsigned int queue;
	struct rpmsg_hdr hdr;
	const uint8_t *header; /* RPMSG_HDR_SIZE bytes as in guest memory; NULL: there were less */
	const uint8_t *payload;
	uint32_t payload_size; /* bytes at payload: hdr.len, or what there was of it */
	uint16_t desc_id;
	uint32_t desc_len;   /* bytes of the chain in the direction of the queue */
	uint32_t desc_count; /* descriptors of the chain */
	uint32_t readable, writable;
	uint32_t used_len;
	bool indirect;
	bool delivered;
	enum remote_drop drop; /* when not delivered */
	const struct rpmsg_ns_msg *ns;
	bool to_host;
};

/*
 * None of these may call back into the remote. An event comes after what caused it: a message
 * before the replies to it, these before the return of its buffer.
 */
struct remote_ops {
	/* Monotonic time in nanoseconds. */
	uint64_t (*now)(void *ctx);
	/* Interrupt the host for a queue. */
	void (*call)(void *ctx, unsigned int queue);
	/* A queue is broken; called once a session and queue. */
	void (*queue_broken)(void *ctx, unsigned int queue);
	/* remote_run() has work again for a reason its owner cannot know. May be NULL. */
	void (*wake)(void *ctx);
	/* Something happened. May be NULL. */
	void (*event)(void *ctx, const struct remote_event *event);
};

struct remote_config {
	uint64_t seed;		/* of everything that is random */
	uint32_t backlog;	/* messages that may wait for a buffer; 0: the default, 1024 */
	uint32_t max_endpoints; /* 0: the default, 65536 */
	uint64_t offered;	/* device feature bits; 0: remote_default_features() */
};

/* One message as it is to be sent; nothing in it is judged. */
struct remote_message {
	struct rpmsg_hdr hdr;
	const uint8_t *payload;
	uint32_t size;	   /* bytes at payload */
	bool used_len_set; /* else: header + size */
	uint32_t used_len;
};

struct remote_queue_stats {
	uint64_t kicks, calls, popped, returned;
	uint32_t held;
	uint16_t avail_at_start;
};

struct remote_stats {
	struct remote_queue_stats queues[RPMSG_NUM_QUEUES];
	uint64_t sessions; /* remote_attach() calls */
	uint64_t received; /* messages out of the host = delivered + all of dropped */
	uint64_t delivered;
	uint64_t dropped[REMOTE_DROP_COUNT];
	uint64_t sent;	      /* messages into the host */
	uint64_t send_failed; /* given up: buffer too small, queue broken, backlog lost at reset */
	uint32_t backlog;     /* waiting now, announcements included */
};

struct remote_endpoint_info {
	uint32_t addr;
	uint32_t peer; /* host address learnt from its messages, RPMSG_ADDR_ANY before */
	const char *name;
	const char *kind;
	uint64_t received, sent; /* messages; sent: announcements aside */
	bool announced;		 /* in this session: the host got the CREATE */
};

/* What a service instance may be told when it is made; 0 and NULL mean the kind's default. */
struct service_params {
	uint32_t size;	   /* source: payload bytes of a message, at least 8; default 64 */
	uint32_t rate;	   /* source: messages a second, UINT32_MAX: as fast as buffers come;
			      default 100 */
	uint64_t messages; /* source: how many in a session; default: no end */
};

/**
 * remote_default_features() - device and ring bits that a remote offers by default
 *
 * Return: F_NS, VERSION_1, RING_INDIRECT_DESC and RING_EVENT_IDX.
 */
uint64_t remote_default_features(void);

/**
 * remote_offered_features() - device and ring bits that this remote offers
 * @remote: remote
 *
 * Return: bits of its configuration.
 */
uint64_t remote_offered_features(const struct remote *remote);

/**
 * remote_new() - make a remote that no host is attached to
 * @remote: set on success
 * @config: copied; NULL for the defaults
 * @ops: callbacks, kept by reference
 * @ctx: passed to each
 * @sink: where violations go; may be NULL
 *
 * All memory that the data path needs is allocated here or in remote_announce().
 *
 * Return: 0; -EINVAL when @config is above REMOTE_MAX_BACKLOG or REMOTE_MAX_ENDPOINTS; -ENOMEM.
 */
int remote_new(struct remote **remote, const struct remote_config *config,
	       const struct remote_ops *ops, void *ctx, const struct violation_sink *sink);

/**
 * remote_free() - the opposite of remote_new()
 * @remote: detached remote, or NULL
 */
void remote_free(struct remote *remote);

/**
 * remote_attach() - a host is ready: DRIVER_OK was set and both queues are started
 * @remote: detached remote
 * @input: queue 0, remote -> host
 * @output: queue 1, host -> remote
 * @features: negotiated bits
 *
 * Every service is announced anew if F_NS was negotiated (R3, R32), oldest first; the
 * announcements are sent by remote_run().
 *
 * Return: 0, or -EBUSY when attached already.
 */
int remote_attach(struct remote *remote, struct virtq *input, struct virtq *output,
		  uint64_t features);

/**
 * remote_detach() - the host is gone or about to reset
 * @remote: remote; one that is detached is left alone
 *
 * Held buffers are returned with length 0 while the queues still can take them; the backlog
 * is given up; peers are forgotten. Services stay, to be announced again, and so does what
 * remote_hold() asked for.
 */
void remote_detach(struct remote *remote);

/**
 * remote_kick() - the host kicked a queue
 * @remote: remote
 * @queue: virtqueue number
 * @count: kicks since the last call
 */
void remote_kick(struct remote *remote, unsigned int queue, uint64_t count);

/**
 * remote_run() - do what can be done now
 * @remote: remote
 * @budget: messages to handle at the most, both directions together; one that is received
 *	counts with the answer that its service gives at once
 *
 * Each queue is flushed, and the host called for it, once at the most.
 *
 * Return: true when work is left and it should be called again soon; false when nothing is
 * to do before the next kick, call of this interface, or remote_deadline().
 */
bool remote_run(struct remote *remote, unsigned int budget);

/**
 * remote_deadline() - when remote_run() has to be called without a kick
 * @remote: remote
 *
 * Return: time on the clock of remote_ops.now, or REMOTE_NO_DEADLINE.
 */
uint64_t remote_deadline(const struct remote *remote);

/**
 * remote_announce() - create a service endpoint and announce it
 * @remote: remote
 * @name: 1 to 31 bytes
 * @kind: service, from service_kind_find()
 * @params: copied; NULL for the kind's defaults
 * @addr: RPMSG_ADDR_ANY for the kind's usual address if it is free, else the lowest free one
 *        from 1024; set to the address given
 *
 * With a host attached the CREATE is sent at once when nothing waits before it and a buffer
 * is there. A channel of the same name that the host announced earlier, and that no other
 * service took, becomes the peer.
 *
 * Return: 0; -EINVAL for a bad name or address (ANY aside, 53 is not given away: R40) or for
 * parameters that the kind cannot have; -EADDRINUSE when the address is bound; -ENOSPC when
 * there are too many; -ENOMEM.
 */
int remote_announce(struct remote *remote, const char *name, const struct service_kind *kind,
		    const struct service_params *params, uint32_t *addr);

/**
 * remote_withdraw() - take a service back and destroy its endpoint
 * @remote: remote
 * @name: service
 * @addr: its address, or RPMSG_ADDR_ANY when only one has the name; set to the address
 *
 * DESTROY is sent, or waits for a buffer; neither it nor the CREATE is, when that one still
 * waits. What the service sent before goes first.
 *
 * Return: 0; -ENOENT when there is none; -ENOTUNIQ when ANY fits several.
 */
int remote_withdraw(struct remote *remote, const char *name, uint32_t *addr);

/**
 * remote_send() - send one message, or put it into the backlog
 * @remote: remote
 * @message: copied
 *
 * Return: 0 when it was sent, 1 when it waits for a buffer; -ENOTCONN without a host;
 * -EMSGSIZE when @size is above REMOTE_MAX_PAYLOAD or the host's next buffer is too small for
 * it; -ENOBUFS when the backlog is full; -EPROTO when the input queue is broken; -EFAULT when
 * the buffer's memory went away.
 */
int remote_send(struct remote *remote, const struct remote_message *message);

/**
 * remote_hold() - keep buffers of a queue from the host
 * @remote: remote
 * @queue: RPMSG_QUEUE_OUTPUT: messages are handled, their buffers not returned;
 *         RPMSG_QUEUE_INPUT: no buffer is used, so that nothing is sent
 * @count: only the next @count buffers; 0: until released. Output queue only.
 *
 * Possible without a host too, for the next one.
 *
 * Return: 0; -EINVAL for a queue that does not exist or a count on the input queue.
 */
int remote_hold(struct remote *remote, unsigned int queue, uint32_t count);

/**
 * remote_release() - give held buffers back, oldest first
 * @remote: remote
 * @queue: virtqueue number
 * @count: how many; 0: all, and stop holding. On the input queue, where what is held back
 *	are messages: how many of those that wait may go out
 *
 * Return: buffers returned; -EINVAL for a queue that does not exist.
 */
int64_t remote_release(struct remote *remote, unsigned int queue, uint32_t count);

/**
 * remote_get_stats() - counters since remote_new()
 * @remote: remote
 *
 * Return: counters, valid as long as the remote.
 */
const struct remote_stats *remote_get_stats(const struct remote *remote);

/**
 * remote_endpoints() - go through all endpoints, by ascending address
 * @remote: remote
 * @each: called with each; a value other than 0 ends the walk
 * @ctx: passed to @each
 *
 * Return: 0, what @each returned, or -ENOMEM.
 */
int remote_endpoints(const struct remote *remote,
		     int (*each)(void *ctx, const struct remote_endpoint_info *info), void *ctx);

/**
 * remote_endpoint() - what is bound to an address?
 * @remote: remote
 * @addr: address
 * @info: set when the return value is true; its names are valid until the service is withdrawn
 *
 * Return: true when something is.
 */
bool remote_endpoint(const struct remote *remote, uint32_t addr, struct remote_endpoint_info *info);

#endif /* REMOTE_REMOTE_H */
