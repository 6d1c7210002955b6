/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The back-end at work in a thread of its own, for tests of the front-end: it serves one
 * connection until that ends, and sends each buffer of queue 1 back through queue 0.
 */
#ifndef SUPPORT_VHOST_PEER_H
#define SUPPORT_VHOST_PEER_H

#include <pthread.h>
#include <stdbool.h>

#include "vhost/backend.h"

#define PEER_CONFIG_SIZE 8
#define PEER_FEATURES                                                                              \
	(VIRTIO_BIT(0) | VIRTIO_BIT(VIRTIO_F_VERSION_1) |                                          \
	 VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX))

struct peer {
	pthread_t thread;
	struct backend be;
	int fd;
	int kick_fds[VHOST_NUM_QUEUES_MAX];
	uint8_t config[PEER_CONFIG_SIZE];
	bool break_queue; /* set before the start: break queue 1 at its first buffer */
	bool vanish;	  /* set before the start: close the connection at the first buffer */
	/* Results, to be read after peer_join(). */
	unsigned int violations, driver_oks, driver_gones, echoed;
	int result; /* why the connection ended */
};

/* Serve a connected socket, which is taken over. */
void peer_start(struct peer *peer, int fd);

/* Wait for the end of a connection whose other end is closed. */
void peer_join(struct peer *peer);

#endif /* SUPPORT_VHOST_PEER_H */
