/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens, as JSON notifications. Each event gets a sequence number; its JSON is built
 * only when somebody is subscribed to its type.
 */
#ifndef DAEMON_EVENTS_H
#define DAEMON_EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "remote/remote.h"
#include "wire/violation.h"

/* X(symbol, name, text) */
#define EVENT_TABLE(X)                                                                             \
	X(CONNECTED, "connected", "a front-end connected")                                         \
	X(DISCONNECTED, "disconnected", "the front-end left: reason")                              \
	X(FEATURES, "features", "the driver acknowledged features: acked")                         \
	X(STATUS, "status", "the driver set the device status: status, names")                     \
	X(QUEUE, "queue", "a queue was started or stopped: queue, state, size, avail_at_start")    \
	X(DRIVER_OK, "driver_ok", "the driver is ready: session, queues")                          \
	X(RESET, "reset", "the device was reset")                                                  \
	X(KICK, "kick", "the host kicked: queue")                                                  \
	X(MESSAGE, "message", "host to remote: header, data, descriptor, verdict")                 \
	X(SENT, "sent", "remote to host: header, data, descriptor, used_len")                      \
	X(NS, "ns", "name-service message: action, name, addr, direction")                         \
	X(RETURNED, "returned", "a buffer of queue 1 was returned: desc_id, used_len")             \
	X(CONFIG, "config", "the driver wrote the configuration: to_host, to_remote")              \
	X(FAULT, "fault", "a fault fired: fault, queue, desc_id")                                  \
	X(VIOLATION, "violation",                                                                  \
	  "the host broke a rule: name, requirement, level, expected, "                            \
	  "seen")

enum event_type {
#define EVENT_ENUM(symbol, name, text) EVENT_##symbol,
	EVENT_TABLE(EVENT_ENUM)
#undef EVENT_ENUM
		EVENT_TYPE_COUNT
};

#define EVENT_BIT(type) (UINT32_C(1) << (type))
#define EVENT_ALL (EVENT_BIT(EVENT_TYPE_COUNT) - 1)

/* Somebody who is told of events: the control socket, a scenario. */
struct events_listener {
	struct events_listener *next;
	uint32_t wanted; /* types that it is told of, by EVENT_BIT(); its owner changes it */
	/*
	 * One notification, for everybody subscribed to its type; a borrowed reference. remote
	 * is the very pointer that the caller of events_...() gave.
	 */
	void (*deliver)(void *ctx, enum event_type type, const char *remote, json_t *notification);
	void *ctx;
};

struct events {
	uint64_t seq; /* of the event last told; what nobody is subscribed to does not count */
	struct events_listener *listeners;
	char hex[2 * REMOTE_MAX_PAYLOAD]; /* scratch for payloads */
};

/**
 * events_wanted() - does anybody listen to any of these types?
 * @events: events
 * @types: by EVENT_BIT()
 *
 * Return: true when somebody does.
 */
bool events_wanted(const struct events *events, uint32_t types);

/**
 * events_listen() - tell somebody too
 * @events: events
 * @listener: with deliver, ctx and wanted set; kept by reference for good
 */
void events_listen(struct events *events, struct events_listener *listener);

/**
 * event_type_name() - name of a type, as the method "events" takes it
 * @type: type
 *
 * Return: name, or NULL past the last.
 */
const char *event_type_name(enum event_type type);

/*
 * One function an event: the arguments are the members, remote is the name of the remote that
 * it happened to. events_remote() covers what a remote tells its owner: message, sent,
 * returned, ns, kick, fault, config.
 */
void events_connected(struct events *events, const char *remote);
void events_disconnected(struct events *events, const char *remote, const char *reason);
void events_features(struct events *events, const char *remote, uint64_t acked);
void events_status(struct events *events, const char *remote, uint8_t status);
void events_queue(struct events *events, const char *remote, unsigned int queue, bool started,
		  uint32_t size, uint16_t avail_at_start);
void events_driver_ok(struct events *events, const char *remote, uint64_t session,
		      const uint16_t avail_at_start[RPMSG_NUM_QUEUES]);
void events_reset(struct events *events, const char *remote);
void events_remote(struct events *events, const char *remote, const struct remote_event *event);
void events_violation(struct events *events, const char *remote,
		      const struct violation_record *record);

/**
 * events_number() - a 64-bit number as JSON
 * @value: number
 *
 * Return: an integer; from 2^63 on, which jansson's integers do not reach, a string "0x...".
 */
json_t *events_number(uint64_t value);

/**
 * events_text() - bytes from outside as a JSON string
 * @text: terminated; need not be UTF-8
 *
 * Return: the string; of one that is not UTF-8, each byte above 0x7f became U+FFFD.
 */
json_t *events_text(const char *text);

/**
 * events_bytes() - bytes as a JSON string of lower-case hexadecimal
 * @events: lends its scratch memory
 * @bytes: data
 * @size: at most REMOTE_MAX_PAYLOAD
 *
 * Return: string.
 */
json_t *events_bytes(struct events *events, const uint8_t *bytes, size_t size);

#endif /* DAEMON_EVENTS_H */
