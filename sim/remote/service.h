/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a service is to the remote: a few callbacks behind one table. Each kind lies in a file
 * of its own under services/ and is listed in services/table.c.
 */
#ifndef REMOTE_SERVICE_H
#define REMOTE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "remote/remote.h"

/* The endpoint that a service instance lives on; opaque to services. */
struct service;

struct service_kind {
	const char *name;
	const char *summary; /* one line, for --help */
	size_t state_size;   /* bytes of private state, zeroed when the instance is made */
	/* Instance made. Return 0 or negative errno. May be NULL, like all that follow. */
	int (*init)(struct service *service, const struct service_params *params);
	/* A host attached, after the announcement was queued. */
	void (*attached)(struct service *service);
	/* A message arrived. payload is a private copy. Return 0, or negative errno to drop it. */
	int (*message)(struct service *service, const struct rpmsg_hdr *hdr, const uint8_t *payload,
		       uint32_t size);
	/* service_wake_at() time has come. */
	void (*timer)(struct service *service, uint64_t now);
	/* Host detached. */
	void (*detached)(struct service *service);
};

/**
 * service_kind_find() - look a kind up by name
 * @name: as on the command line
 *
 * Return: kind, or NULL.
 */
const struct service_kind *service_kind_find(const char *name);

/**
 * service_kind_at() - the kinds one after the other, for --help
 * @index: from 0
 *
 * Return: kind, or NULL past the last.
 */
const struct service_kind *service_kind_at(unsigned int index);

/* What a service may do. Private state, zeroed at first. */
void *service_state(struct service *service);
/* Own address; address of the peer that spoke last, RPMSG_ADDR_ANY before. */
uint32_t service_addr(const struct service *service);
uint32_t service_peer(const struct service *service);
/* Time in nanoseconds, on the remote's clock. */
uint64_t service_now(const struct service *service);

/**
 * service_send() - send from the service's own address
 * @service: instance
 * @dst: destination
 * @payload: copied
 * @size: bytes
 *
 * Return: as remote_send().
 */
int service_send(struct service *service, uint32_t dst, const void *payload, uint32_t size);

/**
 * service_room() - can service_send() take a message without filling the backlog?
 * @service: instance
 *
 * Return: true when a buffer of the host is free now.
 */
bool service_room(struct service *service);

/**
 * service_wake_at() - have timer() called
 * @service: instance
 * @when: time in nanoseconds; REMOTE_NO_DEADLINE: not any more
 */
void service_wake_at(struct service *service, uint64_t when);

/**
 * service_retire() - withdraw this service once the current callback has returned
 * @service: instance
 */
void service_retire(struct service *service);

#endif /* REMOTE_SERVICE_H */
