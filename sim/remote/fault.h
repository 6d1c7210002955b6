/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults: deliberate misbehaviour, switched on by name. A fault breaks exactly one thing; all
 * else stays as it was, so that a host which rejects it is known to have seen just that.
 *
 * Each fault belongs to a place (remote/fault_table.h) that the remote passes: a message into
 * the host, an announcement, a buffer that goes back, a request, ... Passes are counted from
 * when the fault is set; the first @after of them go by unharmed. From then on the fault
 * fires at each pass, or the @count next ones. A pass at which it would change nothing (used
 * length 16 for a message without payload) or cannot be (no other buffer is out) is left out,
 * and neither counts nor fires. Places:
 *
 *	MESSAGE		a message into the host has its buffer, announcements aside
 *	NOTICE		an announcement of a service has its buffer
 *	ORDER		either of the two
 *	FOLLOW		an announcement was sent. Set while a host is attached, such a fault
 *			fires once at once, too; for duplicate and destroy-any a service has to
 *			be announced. None of them fires without F_NS
 *	EARLY		queue 0 was started before DRIVER_OK; one firing is for all services
 *	UNASKED		a service would have been announced, had F_NS been negotiated
 *	RETURN		a buffer of the queue goes back. PUBLISH: the used index is shown
 *	RECEIVE		a message of the host was taken
 *	KICK		the host kicked a queue. life-silent is silent from when its passes are
 *			over until its count of kicks has come, or until it is cleared
 *	CRASH_*		the point of the handshake. REPLY: a vhost-user request is answered
 *	ATTACH		the driver became ready. Set while a host is attached, such a fault
 *			fires once at once, too
 *
 * Every firing is counted, and told by REMOTE_EVENT_FAULT before the event of what it broke.
 */
#ifndef REMOTE_FAULT_H
#define REMOTE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "remote/fault_table.h"

struct remote;

enum fault {
#define FAULT_ENUM(symbol, ...) FAULT_##symbol,
	FAULT_TABLE(FAULT_ENUM)
#undef FAULT_ENUM
		FAULT_COUNT
};

enum fault_point {
	FAULT_POINT_HDR,
	FAULT_POINT_USED,
	FAULT_POINT_NS,
	FAULT_POINT_RING,
	FAULT_POINT_RETURN,
	FAULT_POINT_ORDER,
	FAULT_POINT_LIFE,
};

/* A row of the table. */
struct fault_info {
	const char *name;
	enum fault_point point;
	const char *requirement; /* ID of conformance/requirements.toml */
	const char *text;	 /* what it breaks, one line */
	const char *argument;	 /* what its argument means; "" when it takes none */
	uint32_t default_argument, max_argument;
};

enum fault_mode {
	FAULT_MODE_OFF,
	FAULT_MODE_ALWAYS,
	FAULT_MODE_COUNT, /* "once" is a count of 1 */
};

struct fault_setting {
	enum fault_mode mode;
	uint64_t count; /* FAULT_MODE_COUNT: firings; at least 1 */
	uint64_t after; /* passes that go by first */
	bool argument_set;
	uint32_t argument; /* when argument_set; else the default */
};

struct fault_status {
	enum fault_mode mode;
	uint64_t left;	/* FAULT_MODE_COUNT: firings still to come */
	uint64_t after; /* passes still to go by */
	uint32_t argument;
	uint64_t fired; /* since remote_new() */
};

/**
 * fault_find() - look a fault up
 * @name: as on the command line
 * @fault: set on success
 *
 * Return: 0 or -ENOENT.
 */
int fault_find(const char *name, enum fault *fault);

/**
 * fault_at() - the faults one after the other
 * @index: from 0; a fault's number is its index
 *
 * Return: row of the table, NULL past the last.
 */
const struct fault_info *fault_at(unsigned int index);

/**
 * remote_fault_set() - switch a fault on, or off; in place of what it was set to before
 * @remote: remote, with a host or without
 * @fault: fault
 * @setting: what to do; FAULT_MODE_OFF takes nothing else into account
 *
 * Sessions begin and end without any effect on settings.
 *
 * Return: 0; -ENOENT for a number that is no fault; -EINVAL for an argument that the fault
 * does not take, an unknown mode, or a count of 0; -ERANGE for an argument above the maximum.
 */
int remote_fault_set(struct remote *remote, enum fault fault, const struct fault_setting *setting);

/**
 * remote_fault_clear() - switch all faults off
 * @remote: remote
 */
void remote_fault_clear(struct remote *remote);

/**
 * remote_fault_status() - how a fault is set, and what it did
 * @remote: remote
 * @fault: fault
 * @status: set
 *
 * Return: 0, or -ENOENT for a number that is no fault.
 */
int remote_fault_status(const struct remote *remote, enum fault fault, struct fault_status *status);

#endif /* REMOTE_FAULT_H */
