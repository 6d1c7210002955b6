/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rpmsg host: endpoints, name service and buffers on a vhost-user front-end, against any
 * back-end. What the Linux virtio_rpmsg_bus driver is to a kernel, in a process.
 *
 * The remote is not trusted. Each message is copied once out of shared memory and judged on
 * the copy; what breaks a rule is counted by name (host/finding.h), reported, and dropped where
 * it cannot be followed. A remote that breaks a ring ends the session.
 *
 * One thread. The order of calls: host_open(), host_start(), then host_turn(), host_send() and
 * host_wait() in a loop; host_close(). A call that fails leaves a text in host_error(). No call
 * after host_start() allocates, but for the table of announced channels.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/channels.h"
#include "host/finding.h"
#include "vhost/frontend.h"
#include "virtio/spin.h"
#include "wire/rpmsg.h"

#define HOST_MAX_ENDPOINTS 64
#define HOST_MAX_BUFFER (UINT32_C(1) << 20)
#define HOST_MAX_MESSAGE (RPMSG_HDR_SIZE + 65535)
#define HOST_NO_DEADLINE UINT64_MAX

/* A member that is 0 means the default. */
struct host_options {
	uint32_t queue_size;  /* entries of each ring; 256 */
	uint32_t buffers;     /* of each direction, at most queue_size; as many */
	uint32_t buffer_size; /* bytes of each buffer; 512, or what the configuration says */
	bool no_bufsz;	      /* do not acknowledge F_BUFSZ; nor is it with buffer_size */
	bool no_name_service;
	bool no_event_idx;
	bool no_indirect;
	bool poll;	/* look at the rings instead of waiting for interrupts */
	bool spin;	/* look for a while before waiting, where that has been seen to pay */
	int timeout_ms; /* for each answer of the back-end; 5000 */
};

/* A message from the remote, judged; valid during the callback only. */
struct host_message {
	struct rpmsg_hdr hdr;
	const uint8_t *payload; /* private copy of hdr.len bytes */
	uint32_t used_len;
	uint16_t desc_id;
};

struct host_ops {
	/* For addresses that no endpoint has. NULL: it is a finding. */
	void (*unbound)(void *ctx, const struct host_message *message);
	/* A channel was announced or withdrawn. May be NULL. */
	void (*channel)(void *ctx, const char *name, uint32_t addr, bool announced);
	/* The remote broke a rule. May be NULL. */
	void (*finding)(void *ctx, const struct finding_record *record);
};

/* Messages taken at once; and what is copied of each at first: a whole one of the usual size. */
#define HOST_TAKE 8U
#define HOST_FIRST_COPY RPMSG_BUF_SIZE

/* A used buffer that was taken, and private copies of its first bytes. */
struct host_taken {
	struct drvq_used used;
	uint32_t copied;
	uint8_t bytes[HOST_FIRST_COPY];
};

/* May use host_try_send() and host_flush(), and nothing that waits. */
typedef void host_receive_fn(void *ctx, const struct host_message *message);

struct host_endpoint {
	uint32_t addr;
	host_receive_fn *receive;
	void *ctx;
};

struct host_stats {
	uint64_t sent, received; /* messages; name service included */
	uint64_t delivered;	 /* to an endpoint or the unbound callback */
	uint64_t returned;	 /* send buffers that came back */
	uint64_t findings[FINDING_COUNT];
};

struct host_pool {
	uint8_t *memory; /* shared with the remote */
	uint64_t guest_addr;
	uint64_t distance; /* bytes from one buffer to the next */
	uint32_t size;	   /* of a buffer */
	uint32_t count;	   /* buffers */
};

struct host {
	struct frontend fe;
	struct host_options options;
	const struct host_ops *ops;
	void *ctx;
	enum wire_order order;
	struct host_pool in, out;
	uint8_t **free_out; /* stack of free send buffers */
	uint32_t free_count;
	uint32_t post_batch; /* receive buffers that are shown to the remote at once, 1 at least */
	uint32_t idle_turns; /* polling: since something came */
	struct host_endpoint endpoints[HOST_MAX_ENDPOINTS];
	unsigned int endpoint_count, last_endpoint;
	struct channels channels;
	struct host_stats stats;
	bool wait_returned;
	uint16_t call_at; /* used entry of the output queue that ends the wait for send buffers */
	struct spin spin;
	bool failed; /* connection or ring is of no more use */
	char error[320];
	struct host_taken taken[HOST_TAKE];
	uint8_t copy[HOST_MAX_MESSAGE]; /* of a message that is longer */
};

/**
 * host_open() - connect to a back-end
 * @host: host, of any content
 * @path: its listening socket
 * @options: copied
 * @ops: callbacks, kept by reference
 * @ctx: passed to each
 *
 * Return: 0; -EINVAL for impossible options; otherwise as frontend_open(). Call host_close()
 * in either case.
 */
int host_open(struct host *host, const char *path, const struct host_options *options,
	      const struct host_ops *ops, void *ctx);

/**
 * host_start() - negotiate, post the receive buffers, up to DRIVER_OK
 * @host: opened host
 *
 * Asked for when offered: VERSION_1, F_NS, EVENT_IDX, INDIRECT_DESC, and bit 1 as Linux's
 * F_BUFSZ: {u8 version 1, le16 size 11, le32 bytes of a buffer of queue 0, le32 of queue 1}.
 *
 * Source: Linux drivers/rpmsg/virtio_rpmsg_bus.c, rpmsg_probe(), and in 7.3
 * rpmsg_virtio_get_buf_size(); BF-007, BF-009, FT-005.
 *
 * Return: 0; -EBADMSG for a configuration that is not Linux's (also a finding); -ENOSPC when
 * buffers do not fit guest memory; otherwise as frontend_request().
 */
int host_start(struct host *host);

/**
 * host_stop() - stop the rings and reset the device, if that is still possible
 * @host: started host
 *
 * Return: 0; negative errno when the back-end did not do its part.
 */
int host_stop(struct host *host);

/**
 * host_close() - give everything back
 * @host: host that host_open() was called for; its text of the last error stays
 */
void host_close(struct host *host);

/**
 * host_error() - what went wrong in the call that failed last
 * @host: host
 *
 * Return: one line without a full stop.
 */
const char *host_error(const struct host *host);

/**
 * host_bind() - make an endpoint
 * @host: host
 * @addr: address; RPMSG_ADDR_ANY: the lowest free one from 1024; set to the address
 * @receive: called by host_turn() with each message to it
 * @ctx: passed to @receive
 *
 * Return: 0; -EADDRINUSE; -ENOSPC with HOST_MAX_ENDPOINTS bound.
 */
int host_bind(struct host *host, uint32_t *addr, host_receive_fn *receive, void *ctx);

/**
 * host_max_payload() - bytes of payload that one message to the remote holds
 * @host: started host
 *
 * Return: bytes.
 */
uint32_t host_max_payload(const struct host *host);

/**
 * host_begin() - take a send buffer, to write a payload right into it
 * @host: started host
 * @size: bytes of payload
 *
 * The remote can read and write it already, so do not read it back. host_commit() has to
 * follow before anything else is sent.
 *
 * Return: room for @size bytes; NULL when the remote holds all buffers, @size is above
 * host_max_payload(), or the session is over.
 */
uint8_t *host_begin(struct host *host, uint32_t size);

/**
 * host_commit() - put the buffer of host_begin() into the ring, as host_try_send() does
 * @host: host
 * @src: source address, not ANY
 * @dst: destination address, not ANY
 * @size: as given to host_begin()
 *
 * Return: 0; -EPROTO when the session is over.
 */
int host_commit(struct host *host, uint32_t src, uint32_t dst, uint32_t size);

/**
 * host_try_send() - put a message into the ring, not shown to the remote before host_flush()
 * @host: started host
 * @src: source address
 * @dst: destination address
 * @payload: copied
 * @size: bytes
 *
 * Return: 0; -EAGAIN when the remote holds all buffers; -EMSGSIZE above host_max_payload();
 * -EINVAL when an address is ANY (HD-005, HD-006); -EPROTO or -EPIPE when the session is over.
 */
int host_try_send(struct host *host, uint32_t src, uint32_t dst, const void *payload,
		  uint32_t size);

/**
 * host_flush() - show the remote what was sent, and kick it if it wants that
 * @host: started host
 *
 * Return: 0, or negative errno.
 */
int host_flush(struct host *host);

/**
 * host_send() - send one message, waiting for a buffer if need be
 * @host: started host; not from a callback
 * @src: source address
 * @dst: destination address
 * @payload: copied
 * @size: bytes
 * @deadline: host_now() time until which it may wait
 *
 * Messages that arrive meanwhile are delivered.
 *
 * Return: as host_try_send(), but -ETIMEDOUT instead of -EAGAIN; -EINTR after a signal.
 */
int host_send(struct host *host, uint32_t src, uint32_t dst, const void *payload, uint32_t size,
	      uint64_t deadline);

/**
 * host_announce() - announce or withdraw a channel of this host
 * @host: started host; not from a callback
 * @name: at most 31 bytes
 * @addr: bound endpoint
 * @create: false withdraws
 * @deadline: as for host_send()
 *
 * Source: Linux drivers/rpmsg/virtio_rpmsg_bus.c, virtio_rpmsg_announce_create(); NS-018,
 * NS-021.
 *
 * Return: -EOPNOTSUPP without F_NS; otherwise as host_send().
 */
int host_announce(struct host *host, const char *name, uint32_t addr, bool create,
		  uint64_t deadline);

/**
 * host_turn() - take what the remote has used, deliver messages, post their buffers again
 * @host: started host
 *
 * At most one ring of messages a call.
 *
 * Return: messages taken, and send buffers that came back if host_wait_returned() is on;
 * -EPROTO when the remote broke a ring; -EPIPE.
 */
int host_turn(struct host *host);

/**
 * host_wait() - wait until a turn may find something
 * @host: started host; the last host_turn() returned 0
 * @deadline: host_now() time, or HOST_NO_DEADLINE
 *
 * With polling it returns at once, having looked at the connection now and then.
 *
 * Return: 1: there may be something; 0: the deadline has passed; -EINTR after a signal; -EPIPE
 * and others when the connection or a ring is broken.
 */
int host_wait(struct host *host, uint64_t deadline);

/**
 * host_wait_returned() - have host_wait() wake for returned send buffers too, or not any more
 * @host: started host
 * @count: once so many more came back, at most host_outstanding(); 0: not any more
 *
 * To be followed by host_turn() before host_wait().
 */
void host_wait_returned(struct host *host, uint32_t count);

/**
 * host_drain() - wait until the remote has returned all send buffers
 * @host: started host; not from a callback
 * @deadline: host_now() time
 *
 * Return: 0; -ETIMEDOUT; -EINTR after a signal; another negative errno when the session is over.
 */
int host_drain(struct host *host, uint64_t deadline);

/**
 * host_outstanding() - send buffers that the remote has not returned
 * @host: started host
 *
 * Return: buffers, as of the last host_turn().
 */
uint32_t host_outstanding(const struct host *host);

/**
 * host_wake_fd() - an eventfd that ends host_wait(), for a signal handler to write to
 * @host: opened host
 *
 * Return: descriptor, the host's.
 */
int host_wake_fd(const struct host *host);

/**
 * host_find() - count and report something that the remote did wrong
 * @host: host
 * @what: entry of the register
 * @desc_id: descriptor of queue 0 or FINDING_NONE
 * @expected: bound or value that the rule asks for
 * @seen: value that came
 */
void host_find(struct host *host, enum finding what, int32_t desc_id, uint64_t expected,
	       uint64_t seen);

/**
 * host_has() - was a feature negotiated?
 * @host: started host
 * @bit: feature bit number
 *
 * Return: true when it was.
 */
bool host_has(const struct host *host, unsigned int bit);

/**
 * host_now() - monotonic time in nanoseconds
 *
 * Return: time.
 */
uint64_t host_now(void);

#endif /* HOST_HOST_H */
