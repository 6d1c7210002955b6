/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host for the simulated remote, in one thread and on a clock of its own: two rings with
 * both ends, guest memory with a buffer for each entry, and notes of all that the remote tells.
 */
#ifndef SUPPORT_REMOTE_HOST_H
#define SUPPORT_REMOTE_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "remote/remote.h"
#include "remote/service.h"
#include "virtio/drvq.h"
#include "virtio/virtq.h"

#define HOST_FEATURES                                                                              \
	(VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(RPMSG_F_NS) |                                 \
	 VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX))
#define HOST_WITHOUT_NS (HOST_FEATURES & ~VIRTIO_BIT(RPMSG_F_NS))

#define HOST_MEMORY UINT64_C(0x40000000) /* guest-physical start */
#define HOST_MAX_EVENTS 4096
#define HOST_MAX_PIECES 8
#define HOST_START_TIME UINT64_C(1000000000)

/* Zero fields stand for 16 entries and 512 bytes. */
struct host_options {
	uint32_t num[RPMSG_NUM_QUEUES];
	uint32_t size[RPMSG_NUM_QUEUES]; /* of each buffer */
	struct remote_config config;
	bool log;   /* keep host->log */
	bool quiet; /* nobody is told of single messages */
};

/* An event without its payload; what its header points to is kept here. */
struct host_event {
	struct remote_event event;
	uint8_t header[RPMSG_HDR_SIZE];
	struct rpmsg_ns_msg ns;
};

struct remote_host {
	struct remote *remote;
	struct host_options options;
	uint64_t features;
	uint64_t now;

	struct gmem mem;
	uint8_t *memory;
	struct virtq vq[RPMSG_NUM_QUEUES];
	struct drvq dq[RPMSG_NUM_QUEUES];
	uint8_t *rings[RPMSG_NUM_QUEUES];
	uint32_t *free[RPMSG_NUM_QUEUES]; /* stack of buffers that the host has */
	uint32_t free_count[RPMSG_NUM_QUEUES];

	uint64_t calls[RPMSG_NUM_QUEUES];
	uint64_t broken[RPMSG_NUM_QUEUES];
	uint64_t wakes;
	uint64_t lives[3]; /* by enum remote_life */
	struct violation_sink sink;
	uint64_t violations[VIOLATION_COUNT];
	uint64_t violation_count;
	struct violation_record last_violation;
	/* What a host does while the remote is at work. */
	void (*on_violation)(struct remote_host *host);
	void (*on_call)(struct remote_host *host, unsigned int queue);
	struct host_event *events;
	uint32_t event_count;
	uint8_t *log; /* everything that was told, byte for byte */
	size_t log_size, log_room;
};

/* A message that the remote sent, in private memory. */
struct host_message {
	struct rpmsg_hdr hdr;
	uint8_t bytes[RPMSG_HDR_SIZE + REMOTE_MAX_PAYLOAD]; /* header included */
	const uint8_t *payload;
	uint32_t used_len;
	uint32_t buffer;
};

/* A remote without services and a host that is not attached. */
void host_setup(struct remote_host *host, const struct host_options *options);
void host_teardown(struct remote_host *host);

/* Fresh rings, a buffer in each entry of queue 0, and remote_attach(). */
void host_attach(struct remote_host *host, uint64_t features);
/* The same without any buffer. */
void host_attach_bare(struct remote_host *host, uint64_t features);
/* remote_detach(), and the rings are stopped. */
void host_detach(struct remote_host *host);

/* remote_announce() that has to work; the address. addr may be RPMSG_ADDR_ANY. */
uint32_t host_service(struct remote_host *host, const char *name, const char *kind, uint32_t addr);

/* Make n buffers of queue 0 available, all that the host has for n = UINT32_MAX. */
void host_supply(struct remote_host *host, uint32_t n);
/* One whose pieces have these sizes, 0 ends; the buffer has to be large enough. */
void host_supply_pieces(struct remote_host *host, const uint32_t *sizes);

/* Put a message into queue 1; its head. */
uint16_t host_send(struct remote_host *host, uint32_t src, uint32_t dst, const void *payload,
		   uint32_t size);
/* Any bytes, in one descriptor of the same size. */
uint16_t host_send_bytes(struct remote_host *host, const void *bytes, uint32_t size);
/* Any bytes, in pieces of these sizes, 0 ends; an indirect table if asked for. */
uint16_t host_send_pieces(struct remote_host *host, const void *bytes, const uint32_t *sizes,
			  bool indirect);
/* A name-service message. */
void host_send_ns(struct remote_host *host, const char *name, uint32_t addr, uint32_t flags);
/* Byte order of the current session. */
enum wire_order host_order(const struct remote_host *host);
/* Header bytes for a message of size payload bytes. */
void host_header(const struct remote_host *host, uint8_t *bytes, uint32_t src, uint32_t dst,
		 uint16_t len);

/* remote_run() until it has nothing to do; fails the test when that never comes. */
void host_run(struct remote_host *host);

/* Take one message of queue 0; false when there is none. The host has its buffer then. */
bool host_receive(struct remote_host *host, struct host_message *message);
/* Take all messages of queue 0 and forget them; how many. */
uint32_t host_discard(struct remote_host *host);
/* Take one buffer of queue 1 back; -1 when none was returned, else its head. */
int host_reclaim(struct remote_host *host, uint32_t *used_len);
/* Take all of them; how many. */
uint32_t host_reclaim_all(struct remote_host *host);

/* Fail the test unless the next message is this one. */
void host_expect(struct remote_host *host, uint32_t src, uint32_t dst, const void *payload,
		 uint32_t size);
/* Fail the test unless the next message is this announcement. */
void host_expect_ns(struct remote_host *host, const char *name, uint32_t addr, uint32_t flags);
/* Fail the test if there is a message. */
void host_expect_nothing(struct remote_host *host);
/* Fail the test unless received = delivered + all of dropped. */
void host_expect_balance(struct remote_host *host);

/* The nth event of a type from 0, or NULL. */
const struct host_event *host_event(const struct remote_host *host, enum remote_event_type type,
				    uint32_t n);
uint32_t host_event_count(const struct remote_host *host, enum remote_event_type type);

/* What remote_endpoints() tells of one address; fails the test when it does not. */
struct remote_endpoint_info host_endpoint(struct remote_host *host, uint32_t addr);

#endif /* SUPPORT_REMOTE_HOST_H */
