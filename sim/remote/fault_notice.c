/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults of the name service: contents of announcements, and announcements too many. */
#include "remote/remote_priv.h"

#include <stdio.h>
#include <string.h>

/* Offsets in the name-service message. */
#define NS_ADDR 32
#define NS_FLAGS 36

#define UNKNOWN_CHANNEL "no-such-channel"
#define FLOOD_NAME "flood-%u"
#define FLOOD_ADDR UINT32_C(0x10000)

/* ---- contents ----------------------------------------------------------------------------- */

static uint32_t wanted_size(enum fault fault)
{
	switch (fault) {
	case FAULT_NS_LEN_0:
		return 0;
	case FAULT_NS_LEN_1:
		return 1;
	case FAULT_NS_LEN_39:
		return RPMSG_NS_MSG_SIZE - 1;
	case FAULT_NS_LEN_41:
		return RPMSG_NS_MSG_SIZE + 1;
	case FAULT_NS_LEN_496:
		return FAULT_NOTICE_MAX;
	default:
		return UINT32_MAX;
	}
}

static bool break_size(const struct remote *remote, uint32_t *size, enum fault fault,
		       const struct virtq_chain *chain)
{
	uint32_t limit = remote->queues[RPMSG_QUEUE_INPUT].limit;
	uint32_t wanted = wanted_size(fault);

	if (wanted == UINT32_MAX || RPMSG_HDR_SIZE + wanted > chain->writable ||
	    (limit != 0 && RPMSG_HDR_SIZE + wanted > limit))
		return false;
	*size = wanted;
	return true;
}

static bool put32(uint8_t *at, uint32_t value, enum wire_order order)
{
	bool changes = wire_get32(at, order) != value;

	wire_put32(at, value, order);
	return changes;
}

static bool break_notice(const struct remote *remote, uint8_t *bytes, enum fault fault,
			 enum wire_order order)
{
	size_t length = strnlen((const char *)bytes, RPMSG_NAME_SIZE);
	uint32_t flags = wire_get32(bytes + NS_FLAGS, order);

	switch (fault) {
	case FAULT_NS_NAME_UNTERMINATED:
		memset(bytes + length, 'x', RPMSG_NAME_SIZE - length);
		return true;
	case FAULT_NS_NAME_EMPTY:
		memset(bytes, 0, RPMSG_NAME_SIZE);
		return true;
	case FAULT_NS_NAME_FF:
		memset(bytes, 0xff, RPMSG_NAME_SIZE);
		return true;
	case FAULT_NS_NAME_NOT_UTF8:
		/* The first of two bytes, without the second. */
		bytes[0] = 0xc3;
		bytes[1] = '(';
		return true;
	case FAULT_NS_NAME_DIRTY:
		if (length + 1 >= RPMSG_NAME_SIZE)
			return false;
		memset(bytes + length + 1, 0xa5, RPMSG_NAME_SIZE - length - 1);
		return true;
	case FAULT_NS_ADDR_ANY:
		return put32(bytes + NS_ADDR, RPMSG_ADDR_ANY, order);
	case FAULT_NS_ADDR_0:
		return put32(bytes + NS_ADDR, 0, order);
	case FAULT_NS_ADDR_53:
		return put32(bytes + NS_ADDR, RPMSG_ADDR_NS, order);
	case FAULT_NS_ADDR_0X7FFFFFFF:
		return put32(bytes + NS_ADDR, 0x7fffffff, order);
	case FAULT_NS_ADDR_0X80000000:
		return put32(bytes + NS_ADDR, 0x80000000, order);
	case FAULT_NS_FLAGS_UNKNOWN:
		/* What the known bit says stays. */
		flags |= fault_argument(remote, fault) & ~RPMSG_NS_DESTROY;
		return put32(bytes + NS_FLAGS, flags, order);
	case FAULT_NS_FLAGS_ACK:
		return put32(bytes + NS_FLAGS, RPMSG_NS_NUTTX_ACK, order);
	default:
		return false;
	}
}

uint32_t fault_notice(struct remote *remote, uint8_t *bytes, uint32_t size, enum wire_order order,
		      const struct virtq_chain *chain)
{
	enum fault fault = fault_first(&remote->faults, FAULT_PLACE_NOTICE);

	for (; fault != FAULT_COUNT;
	     fault = fault_next(&remote->faults, FAULT_PLACE_NOTICE, fault)) {
		if (break_size(remote, &size, fault, chain) ||
		    break_notice(remote, bytes, fault, order))
			fault_fired(remote, fault, RPMSG_QUEUE_INPUT, chain->head);
	}
	return size;
}

/* ---- flow --------------------------------------------------------------------------------- */

/* Is there something to say, and would it get out or wait for its buffer? */
static bool can_say(const struct remote *remote, enum fault fault, const struct rpmsg_ns_msg *after)
{
	uint32_t argument = fault_argument(remote, fault);

	switch (fault) {
	case FAULT_NS_FLOOD:
		return argument != 0 && argument < UINT32_MAX - FLOOD_ADDR - remote->flood_end;
	case FAULT_NS_DUPLICATE:
		if (after == NULL || after->flags != RPMSG_NS_CREATE)
			return false;
		break;
	case FAULT_NS_DESTROY_ANY:
		if (after == NULL)
			return false;
		break;
	default:
		break;
	}
	return queue_usable(&remote->queues[RPMSG_QUEUE_INPUT]) &&
	       backlog_has_room(&remote->backlog, RPMSG_NS_MSG_SIZE);
}

/* @now: right behind the announcement, where its buffer was; else in its turn. */
static void say(struct remote *remote, enum fault fault, const struct rpmsg_ns_msg *after, bool now)
{
	uint32_t argument = fault_argument(remote, fault);
	/* Without any announcement the message needs a source all the same. */
	uint32_t src = after != NULL ? after->addr : RPMSG_ADDR_FIRST_DYNAMIC;

	switch (fault) {
	case FAULT_NS_DUPLICATE:
		if (after != NULL)
			emit_ns(remote, after->name, after->addr, after->flags, src, now);
		break;
	case FAULT_NS_DESTROY_UNKNOWN:
		emit_ns(remote, UNKNOWN_CHANNEL, argument, RPMSG_NS_DESTROY, src, now);
		break;
	case FAULT_NS_DESTROY_RPMSG_NS:
		emit_ns(remote, "rpmsg_ns", argument, RPMSG_NS_DESTROY, src, now);
		break;
	case FAULT_NS_DESTROY_RPMSG_CTRL:
		emit_ns(remote, "rpmsg_ctrl", argument, RPMSG_NS_DESTROY, src, now);
		break;
	case FAULT_NS_DESTROY_ANY:
		emit_ns(remote, after->name, RPMSG_ADDR_ANY, RPMSG_NS_DESTROY, src, now);
		break;
	case FAULT_NS_FLOOD:
		/* Goes out as buffers come and nothing else waits. */
		remote->flood_end += argument;
		break;
	default:
		break;
	}
}

static void fire(struct remote *remote, enum fault fault, const struct rpmsg_ns_msg *after,
		 bool now)
{
	if (!can_say(remote, fault, after))
		return;
	fault_fired(remote, fault, RPMSG_QUEUE_INPUT, REMOTE_NO_DESC);
	say(remote, fault, after, now);
}

void fault_follow(struct remote *remote, const struct rpmsg_ns_msg *ns)
{
	enum fault fault = fault_first(&remote->faults, FAULT_PLACE_FOLLOW);

	for (; fault != FAULT_COUNT; fault = fault_next(&remote->faults, FAULT_PLACE_FOLLOW, fault))
		fire(remote, fault, ns, true);
}

void fault_follow_now(struct remote *remote, enum fault fault)
{
	struct rpmsg_ns_msg ns = {.flags = RPMSG_NS_CREATE};
	bool found = false;

	if (!remote->ns_on)
		return;
	list_for_each(node, &remote->created)
	{
		const struct service_info *info = list_entry(node, struct service_info, created);

		if (info->notice_state != NOTICE_DONE)
			continue;
		memcpy(ns.name, info->name, RPMSG_NAME_SIZE);
		ns.addr = info->addr;
		found = true;
		break;
	}
	fire(remote, fault, found ? &ns : NULL, false);
}

uint32_t fault_flood(struct remote *remote, uint32_t budget)
{
	uint32_t count = 0;

	for (; count < budget && remote->flood_next != remote->flood_end && emit_has_buffer(remote);
	     count++) {
		uint32_t addr = FLOOD_ADDR + remote->flood_next;
		char name[RPMSG_NAME_SIZE];

		snprintf(name, sizeof(name), FLOOD_NAME, remote->flood_next);
		if (emit_ns(remote, name, addr, RPMSG_NS_CREATE, addr, true) < 0) {
			/* No buffer will do, or none does now: trying for ever is no flood. */
			remote->flood_next = remote->flood_end;
			break;
		}
		remote->flood_next++;
	}
	return count;
}

bool fault_unasked(struct remote *remote)
{
	if (fault_first(&remote->faults, FAULT_PLACE_UNASKED) == FAULT_COUNT)
		return false;
	fault_fired(remote, FAULT_NS_WITHOUT_FEATURE, RPMSG_QUEUE_INPUT, REMOTE_NO_DESC);
	return true;
}
