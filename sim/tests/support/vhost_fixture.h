/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A back-end without a socket, for tests: messages go straight to backend_handle(), and what
 * it reports, answers and tells the device above is kept to be looked at.
 *
 * Every test starts with a session that has seen no message and ends with the proof that no
 * descriptor and no mapping of guest memory is left.
 */
#ifndef SUPPORT_VHOST_FIXTURE_H
#define SUPPORT_VHOST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vhost/backend.h"
#include "virtio/drvq.h"

#define FX_NUM_QUEUES 2
#define FX_NUM 64 /* entries of a ring */
#define FX_CONFIG_SIZE 16
#define FX_FEATURES                                                                                \
	(VIRTIO_BIT(0) | VIRTIO_BIT(VIRTIO_F_VERSION_1) |                                          \
	 VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX))
#define FX_ACKED (FX_FEATURES | VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES))
#define FX_PROTOCOL                                                                                \
	(VIRTIO_BIT(VHOST_PROTOCOL_F_MQ) | VIRTIO_BIT(VHOST_PROTOCOL_F_LOG_SHMFD) |                \
	 VIRTIO_BIT(VHOST_PROTOCOL_F_REPLY_ACK) | VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIG) |            \
	 VIRTIO_BIT(VHOST_PROTOCOL_F_RESET_DEVICE) |                                               \
	 VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS) | VIRTIO_BIT(VHOST_PROTOCOL_F_STATUS))
#define FX_DRIVER_OK                                                                               \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK |            \
	 VIRTIO_STATUS_DRIVER_OK)

/* One region at offset 0 of the memory file; ring i starts at i * FX_RING_ROOM inside it. */
#define FX_MEM_SIZE UINT64_C(0x400000)
#define FX_GUEST UINT64_C(0x40000000)
#define FX_USER UINT64_C(0x7f0000000000)
#define FX_RING_ROOM UINT64_C(0x100000)
#define FX_BUFFERS (FX_NUM_QUEUES * FX_RING_ROOM) /* first byte that no ring takes */

#define FX_MAX_REPORTS 32

struct fx_region {
	uint64_t guest, size, user, offset;
};

struct fx_addr {
	uint64_t desc, used, avail, log;
	uint32_t flags;
};

struct fx {
	struct backend be;
	struct backend_offer offer;
	struct backend_ops ops;
	struct violation_sink sink;
	struct violation_record reports[FX_MAX_REPORTS];
	unsigned int report_count;
	char events[2048]; /* callbacks in their order, separated by a blank */
	bool need_reply;   /* of the messages to come */
	int result;	   /* of the message handled last */
	struct vhost_msg reply;
	int memory;    /* memfd */
	uint8_t *host; /* the test's own mapping of it */
	int kick[FX_NUM_QUEUES], call[FX_NUM_QUEUES], err[FX_NUM_QUEUES];
	uint8_t config[FX_CONFIG_SIZE];
	int config_error; /* what the configuration callbacks return */
	int fds_before;
};

/* cmocka fixture functions; the state is a struct fx. */
int fx_setup(void **state);
int fx_teardown(void **state);
#define fx_test(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

/* Files and descriptors */
int fx_memfd(uint64_t size);
int fx_open_fds(void);		  /* how many this process has */
int fx_maps_of(const char *name); /* mappings of memfds of that name in this process */
int fx_maps_of_memory(void);	  /* the same for any fx_memfd() */
uint64_t fx_count(int eventfd);

/* Messages; descriptors are duplicated, so that the test keeps its own. */
void fx_handle(struct fx *fx, struct vhost_msg *msg);
void fx_send(struct fx *fx, uint32_t request, const void *payload, uint32_t size, const int *fds,
	     unsigned int fd_count);
void fx_bare(struct fx *fx, uint32_t request);
void fx_u64(struct fx *fx, uint32_t request, uint64_t value);
void fx_state(struct fx *fx, uint32_t request, uint32_t index, uint32_t num);
void fx_event(struct fx *fx, uint32_t request, uint64_t value, int fd); /* fd -1: none sent */
void fx_addr(struct fx *fx, uint32_t index, const struct fx_addr *addr);
void fx_table(struct fx *fx, const struct fx_region *regions, unsigned int count);
void fx_region(struct fx *fx, uint32_t request, const struct fx_region *region, int fd);
void fx_config(struct fx *fx, uint32_t request, uint32_t offset, uint32_t size, uint32_t flags,
	       const void *bytes);
void fx_log_base(struct fx *fx, uint64_t size, uint64_t offset, int fd);

/* Longer ways, each step of which has to succeed. */
struct fx_addr fx_ring_addr(unsigned int index, uint32_t num);
struct fx_region fx_whole_memory(void);
void fx_negotiate(struct fx *fx, uint64_t features, uint64_t protocol_features);
void fx_memory(struct fx *fx);
void fx_ring(struct fx *fx, unsigned int index); /* all but SET_VRING_ENABLE */
void fx_sized_queue(struct fx *fx);		 /* memory, and the size of queue 0 */
void fx_rings(struct fx *fx);			 /* memory and all rings, enabled */
void fx_run(struct fx *fx);			 /* up to DRIVER_OK; the events are forgotten */

/* A driver for a queue, sharing the test's own mapping of memory. */
void fx_start_driver(struct fx *fx, struct drvq *dq, unsigned int queue);

/* The request handled last was served: no violation, and acknowledged with 0 if asked for. */
#define assert_served(fx) fx_assert_served(fx, __FILE__, __LINE__)
void fx_assert_served(struct fx *fx, const char *file, int line);

/* It was refused with this violation and no other, the connection kept. Forgets the report. */
#define assert_refused(fx, what) fx_assert_refused(fx, what, __FILE__, __LINE__)
void fx_assert_refused(struct fx *fx, enum violation what, const char *file, int line);

/* Exactly this was reported since the last look. */
#define assert_reported(fx, what) fx_assert_reported(fx, what, __FILE__, __LINE__)
void fx_assert_reported(struct fx *fx, enum violation what, const char *file, int line);

/* The device above was told exactly this since the last look. */
#define assert_events(fx, text) fx_assert_events(fx, text, __FILE__, __LINE__)
void fx_assert_events(struct fx *fx, const char *text, const char *file, int line);

/* The reply is one number. */
#define assert_reply_u64(fx, value) fx_assert_reply_u64(fx, value, __FILE__, __LINE__)
void fx_assert_reply_u64(struct fx *fx, uint64_t value, const char *file, int line);

#endif /* SUPPORT_VHOST_FIXTURE_H */
