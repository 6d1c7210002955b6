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

#include "remote/fault.h"
#include "virtio/virtq.h"
#include "wire/rpmsg.h"
#include "wire/violation.h"

#define REMOTE_MAX_PAYLOAD 65535 /* what a 16-bit length field can say */
#define REMOTE_NO_DEADLINE UINT64_MAX
#define REMOTE_MAX_BACKLOG (UINT32_C(1) << 20)
#define REMOTE_MAX_ENDPOINTS (UINT32_C(1) << 24)

struct remote;
struct service_kind; /* remote/service.h */
struct script;	     /* remote/script.h */
struct profile;	     /* remote/profile.h */
struct config_layout;

enum remote_drop {
	REMOTE_DROP_SHORT,	 /* no room for a header */
	REMOTE_DROP_LENGTH,	 /* header length above what the descriptors hold */
	REMOTE_DROP_NO_ENDPOINT, /* nobody listens at the destination */
	REMOTE_DROP_NS,		 /* malformed name-service message */
	REMOTE_DROP_SERVICE,	 /* the service refused it */
	REMOTE_DROP_MEMORY,	 /* guest memory went away */
	REMOTE_DROP_FAULT,	 /* a fault ended the session with the message in hand */
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
	REMOTE_EVENT_FAULT,    /* a fault fired: fault, queue and desc_id where there are */
	REMOTE_EVENT_CONFIG,   /* the driver wrote the configuration: buffer_size[] in effect */
};

#define REMOTE_NO_QUEUE UINT32_MAX
#define REMOTE_NO_DESC UINT16_MAX /* no queue is larger than 32768 */

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
	enum fault fault;
	uint32_t buffer_size[RPMSG_NUM_QUEUES];
};

/* What a fault of the life cycle wants of the remote's owner. */
enum remote_life {
	REMOTE_LIFE_CRASH,	    /* end the connection with the front-end, at once */
	REMOTE_LIFE_CONFIG_CHANGED, /* tell the driver; remote_config_read() has changed */
	REMOTE_LIFE_NEEDS_RESET,    /* set NEEDS_RESET in the device status, tell the driver */
};

/* Points of the handshake at which a fault may end the connection. */
enum remote_point {
	REMOTE_POINT_FEATURES,	/* the front-end sets features */
	REMOTE_POINT_MEMORY,	/* it hands over memory */
	REMOTE_POINT_VRING,	/* it sets the address of a ring */
	REMOTE_POINT_DRIVER_OK, /* the driver is ready; before remote_attach() */
	REMOTE_POINT_COUNT
};

/* Is what the host does judged? Nothing else depends on it. */
enum remote_check {
	REMOTE_CHECK_REPORT, /* to the sink of remote_new() */
	REMOTE_CHECK_OFF,
	REMOTE_CHECK_STRICT, /* the same as REPORT here: it is for the owner to fail in the end */
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
	/*
	 * Is nobody interested in single messages? Asked at the start of remote_run(); after true
	 * MESSAGE, SENT and RETURNED are left out until it returns. NULL: somebody always is.
	 */
	bool (*quiet)(void *ctx);
	/*
	 * A fault of the life cycle fired; may be NULL. Whatever it takes is to be done once the
	 * remote has returned. After REMOTE_LIFE_CRASH the remote does nothing more before it is
	 * detached.
	 */
	void (*life)(void *ctx, enum remote_life what);
};

struct remote_config {
	uint64_t seed;		/* of everything that is random */
	uint32_t backlog;	/* messages that may wait for a buffer; 0: the default, 1024 */
	uint32_t max_endpoints; /* 0: the default, 65536 */
	uint32_t max_queue;	/* entries of the largest queue; 0: any that VIRTIO allows */
	/* Dialect; NULL: the first of the table, linux. Kept by reference. */
	const struct profile *profile;
	uint64_t offered; /* device feature bits; 0 unless offered_set: the profile's */
	bool offered_set;
	/* Layout of the configuration space; NULL: the profile's. Kept by reference. */
	const struct config_layout *layout;
	/*
	 * Bytes of the buffers of a queue, header included, PROFILE_MIN_BUFFER to
	 * PROFILE_MAX_BUFFER: what is advertised, and the most that is used on queue 0. 0: 512 is
	 * advertised, and without that buffers are used at the size that they have.
	 */
	uint32_t buffer_size[RPMSG_NUM_QUEUES];
	enum remote_check check;
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
	const struct script *script; /* script: its rules (remote/script.h), by reference */
	bool quiet;		     /* any kind: an endpoint that is not announced */
	bool peer_known; /* any kind: the host's endpoint is this one, so that the remote */
	uint32_t peer;	 /* can speak first; until the host speaks from another */
};

/**
 * remote_default_features() - device and ring bits that a remote offers by default
 *
 * Return: those of the profile "linux": F_NS, VERSION_1, RING_INDIRECT_DESC, RING_EVENT_IDX.
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
 * Return: 0; -EINVAL when @config is above REMOTE_MAX_BACKLOG, REMOTE_MAX_ENDPOINTS or
 * VRING_MAX_SIZE, or a buffer size is out of range; -ENOMEM.
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
 * Return: 0; -EBUSY when attached already; -EINVAL when a queue is above the configuration's
 * max_queue.
 */
int remote_attach(struct remote *remote, struct virtq *input, struct virtq *output,
		  uint64_t features);

/**
 * remote_queue_ready() - queue 0 was started, but the driver is not ready yet
 * @remote: detached remote
 * @input: queue 0
 * @features: negotiated bits
 *
 * For the fault ns-before-driver-ok, and without effect otherwise. To be called for each
 * start of queue 0; if remote_attach() does not follow, remote_detach() before it stops.
 */
void remote_queue_ready(struct remote *remote, struct virtq *input, uint64_t features);

/**
 * remote_detach() - the host is gone or about to reset
 * @remote: remote; without a host only what its driver wrote to the configuration is forgotten
 *
 * Held buffers are returned with length 0 while the queues still can take them; the backlog
 * is given up; peers are forgotten. Services stay, to be announced again, and so do faults and
 * what remote_hold() and remote_pace() asked for. The configuration space is as it was again.
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
 * remote_serve() - remote_run() for an owner that looks at the queues itself
 * @remote: remote
 * @budget: as for remote_run()
 *
 * Kicks are not asked for: before its owner goes to sleep it has to call remote_run() once more.
 */
void remote_serve(struct remote *remote, unsigned int budget);

/**
 * remote_has_work() - would remote_serve() find anything to do?
 * @remote: remote
 *
 * A look at both rings, and at the clock while somebody waits for a time; no kick is asked for.
 *
 * Return: true when it would; false also while a fault keeps it from doing anything.
 */
bool remote_has_work(struct remote *remote);

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
 *         RPMSG_QUEUE_INPUT: without a count no buffer is used, so that messages wait in the
 *         backlog; with one, messages are written into their buffers and these not returned
 * @count: only the next @count buffers; 0: until released
 *
 * Possible without a host too, for the next one. To hold one in so many: remote/pacing.h.
 *
 * Return: 0; -EINVAL for a queue that does not exist.
 */
int remote_hold(struct remote *remote, unsigned int queue, uint32_t count);

/**
 * remote_release() - give held buffers back, the oldest of them, in the order of pacing.h
 * @remote: remote
 * @queue: virtqueue number
 * @count: how many; 0: all, and stop holding. On the input queue messages that wait in the
 *	backlog count too, after the buffers that are held
 *
 * Return: buffers that go back, now or after the delay of pacing.h; -EINVAL for a queue that
 * does not exist.
 */
int64_t remote_release(struct remote *remote, unsigned int queue, uint32_t count);

/**
 * remote_check_host() - judge what the host does from now on, or do not
 * @remote: remote
 * @check: how
 */
void remote_check_host(struct remote *remote, enum remote_check check);

/**
 * remote_buffer_size() - size of the buffers of a queue as both sides are said to know it
 * @remote: remote
 * @queue: virtqueue number, valid
 *
 * Return: bytes, header included; 0 when the host's buffers are taken as they come.
 */
uint32_t remote_buffer_size(const struct remote *remote, unsigned int queue);

/**
 * remote_config_size() - bytes of the configuration space
 * @remote: remote
 *
 * Return: bytes; 0: there is none.
 */
uint32_t remote_config_size(const struct remote *remote);

/**
 * remote_config_read() - what the driver reads of the configuration space
 * @remote: remote
 * @offset: first byte
 * @size: bytes; with @offset at most remote_config_size()
 * @to: set
 *
 * Return: 0, or -EINVAL when out of range.
 */
int remote_config_read(const struct remote *remote, uint32_t offset, uint32_t size, uint8_t *to);

/**
 * remote_config_write() - the driver writes the configuration space
 * @remote: remote
 * @offset: first byte
 * @size: bytes; with @offset at most remote_config_size()
 * @from: bytes
 *
 * Only a layout whose driver sets the sizes takes writes (openamp-bufsz): the bytes are kept,
 * and read back, until the driver is gone; sizes that are valid are used from then on, and
 * others not (R42; OpenAMP pull request 684, rpmsg_init_vdev_with_config()).
 *
 * Return: 0; -EINVAL when out of range; -EACCES when the layout takes no writes.
 */
int remote_config_write(struct remote *remote, uint32_t offset, uint32_t size, const uint8_t *from);

/**
 * remote_crashes_at() - a point of the handshake is reached
 * @remote: remote
 * @point: which one
 *
 * Return: true when a fault has it that the connection ends here, the request unanswered.
 */
bool remote_crashes_at(struct remote *remote, enum remote_point point);

/**
 * remote_crash() - what the faults life-crash-... do, at once and without any being set
 * @remote: remote; without a host it is left alone
 */
void remote_crash(struct remote *remote);

/**
 * remote_reply_delay() - a vhost-user request is about to be answered
 * @remote: remote
 *
 * Return: nanoseconds that the reply is to be late; REMOTE_NO_DEADLINE: it is not to be sent.
 */
uint64_t remote_reply_delay(struct remote *remote);

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
