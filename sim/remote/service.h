/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a service is to the remote: a few callbacks behind one table. Each kind lies in a file
 * of its own under services/ and is listed in services/table.c.
 *
 * A callback may use the functions below on its own instance and nothing else. Room for one
 * message of any size is there whenever message() is called; whoever sends more than that, or
 * on his own account, asks service_room() first.
 */
#ifndef REMOTE_SERVICE_H
#define REMOTE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "remote/remote.h"

#define SERVICE_CHANNELS 3 /* the last is NULL */

/* The endpoint that a service instance lives on; opaque to services. */
struct service;

struct service_kind {
	const char *name;
	const char *summary; /* one line, for --help */
	size_t state_size;   /* bytes of private state, zeroed before init() */
	/* Names that such services have in the field, for --help; the first is the usual one. */
	const char *channels[SERVICE_CHANNELS];
	/* Address that firmwares of this kind have, taken when it is free; 0: a dynamic one. */
	uint32_t default_addr;
	/* Instance made. Return 0 or negative errno; send nothing. May be NULL, like all below. */
	int (*init)(struct service *service, const struct service_params *params);
	/* A host attached, after the announcement was queued. */
	void (*attached)(struct service *service);
	/*
	 * A message arrived. payload is a private copy. Return 0, or negative errno to drop it,
	 * which is too late once something was sent.
	 */
	int (*message)(struct service *service, const struct rpmsg_hdr *hdr, const uint8_t *payload,
		       uint32_t size);
	/* service_wake_at() time has come. */
	void (*timer)(struct service *service, uint64_t now);
	/* After service_wait_room(): service_room() is true now. */
	void (*room)(struct service *service);
	/* service_peer() is known now, or is not any more. Called before message(). */
	void (*peer_changed)(struct service *service);
	/* Host detached; there is no peer and no timer any more, and nothing can be sent. */
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
/* Byte order of the link, for payloads that have one. */
enum wire_order service_order(const struct service *service);
/* REMOTE_MAX_PAYLOAD bytes to build a message in, until the callback returns. */
void *service_buffer(struct service *service);
/* Time in nanoseconds, on the remote's clock. */
uint64_t service_now(const struct service *service);

/**
 * service_send() - send from the service's own address
 * @service: instance
 * @dst: destination
 * @payload: copied
 * @size: bytes
 *
 * Return: as remote_send(); -EDESTADDRREQ when @dst is RPMSG_ADDR_ANY (R8).
 */
int service_send(struct service *service, uint32_t dst, const void *payload, uint32_t size);

/**
 * service_send_numbered() - the same with a payload of remote/numbered.h
 * @service: instance
 * @dst: destination
 * @number: sequence number
 * @size: bytes, at least NUMBERED_MIN_SIZE
 *
 * Return: as service_send().
 */
int service_send_numbered(struct service *service, uint32_t dst, uint64_t number, uint32_t size);

/**
 * service_room() - can service_send() take a message without filling the backlog?
 * @service: instance
 *
 * Return: true when a buffer of the host is free now.
 */
bool service_room(struct service *service);

/**
 * service_wait_room() - have room() called, once, as soon as service_room() is true
 * @service: instance
 *
 * Those who wait are called in the order of asking. Detaching ends the wait.
 */
void service_wait_room(struct service *service);

/**
 * service_wake_at() - have timer() called, once
 * @service: instance
 * @when: time in nanoseconds; REMOTE_NO_DEADLINE: not any more
 *
 * One time an instance: a new one takes the place of the old. Without a host there is none.
 */
void service_wake_at(struct service *service, uint64_t when);

/**
 * service_retire() - withdraw this service once the current callback has returned
 * @service: instance
 *
 * The next session brings it back with fresh state, as a firmware does that starts again; its
 * address may then be another if it was given away meanwhile. Not for init() and detached().
 */
void service_retire(struct service *service);

#endif /* REMOTE_SERVICE_H */
