/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything at once: an instance of the daemon (backend, remote, event loop, connection) with a
 * front-end that sends messages good and bad, a guest that writes rings and memory, kicks, resets
 * and reconnects, an owner who asks for what a control socket can ask for, and time.
 *
 * Oracles: those of common/station.h (descriptors, mappings, account of messages, the guest's
 * ledger while nobody lies) and common/outside.h (nothing is written outside device-writable
 * descriptors and used rings); a host that did nothing wrong is blamed for nothing; what is left
 * alone comes to rest.
 */
#include <string.h>

#include "common/acts.h"
#include "common/loop.h"
#include "common/oracle.h"
#include "common/outside.h"
#include "common/session_ops.h"
#include "common/station.h"
#include "common/target.h"
#include "remote/profile.h"
#include "virtio/vring.h"
#include "wire/bytes.h"

#define MAX_TURNS 4096
#define LOOK_NS 4000 /* between two looks at the clock of one that polls */

struct state {
	struct station st;
	bool guilty; /* the host may be blamed */
};

static void on_violation(void *ctx, const struct violation_record *record)
{
	const struct state *state = ctx;

	ORACLE("innocent-host", state->guilty, "%s (%s): queue %d, expected %llu, seen %llu",
	       violation_name(record->what), violation_requirement(record->what), record->queue,
	       (unsigned long long)record->expected, (unsigned long long)record->seen);
}

/* The device is about to do something, and has done it. */
static void before(const struct state *state)
{
	outside_before(&state->st.instance.backend);
}

static void after(const struct state *state)
{
	outside_after(&state->st.instance.backend);
}

/* ---- the guest ---------------------------------------------------------------------------- */

/* Neither rings nor buffers are as the guest's own bookkeeping has them. */
static void go_wild(struct state *state)
{
	state->guilty = true;
	state->st.lies = true;
}

static void handshake(struct state *state, const struct oplist_item *item)
{
	uint64_t flags = oplist_get(&session_schema, item, 4);
	struct station_setup setup = {
		.without = oplist_get(&session_schema, item, 0),
		.entries_log2 = {(uint32_t)oplist_get(&session_schema, item, 1),
				 (uint32_t)oplist_get(&session_schema, item, 2)},
		.buffers = (uint32_t)oplist_get(&session_schema, item, 3),
		.slots = (flags & 1) != 0,
		.status = (flags & 2) != 0,
		.polled = (flags & 4) != 0,
	};

	/* Without any receive buffer a host is late. */
	if (setup.buffers == 0)
		state->guilty = true;
	/* The guest makes its rings anew during a handshake; before that it only looks on. */
	before(state);
	station_leave(&state->st);
	after(state);
	(void)station_handshake(&state->st, &setup);
}

static void request(struct state *state, const struct oplist_item *item)
{
	uint32_t flags = (uint32_t)oplist_get(&session_schema, item, 1) & ~VHOST_FLAG_VERSION_MASK;
	uint8_t payload[VHOST_MAX_PAYLOAD];
	const uint8_t *tail;
	size_t size;

	tail = oplist_tail(&session_schema, item, &size);
	if (size > sizeof(payload) - 8)
		size = sizeof(payload) - 8;
	vhost_put_u32(payload, (uint32_t)oplist_get(&session_schema, item, 3));
	vhost_put_u32(payload + 4, (uint32_t)oplist_get(&session_schema, item, 4));
	if (size != 0)
		memcpy(payload + 8, tail, size);
	go_wild(state);
	(void)station_message(&state->st, (uint32_t)oplist_get(&session_schema, item, 0), flags,
			      payload, (uint32_t)size + 8,
			      (enum world_file)oplist_get(&session_schema, item, 2));
}

static void stream(struct state *state, const struct oplist_item *item)
{
	unsigned int count = (unsigned int)oplist_get(&session_schema, item, 0);
	uint64_t numbers = oplist_get(&session_schema, item, 1);
	enum world_file files[10];
	const uint8_t *tail;
	size_t size;

	for (unsigned int i = 0; i < count; i++, numbers = numbers >> 5 | numbers << 59)
		files[i] = (enum world_file)((numbers & 0xff) % WORLD_FILE_COUNT);
	tail = oplist_tail(&session_schema, item, &size);
	go_wild(state);
	station_stream(&state->st, tail, size, files, count);
}

static enum wire_order order(const struct state *state)
{
	return rpmsg_order((state->st.features & VIRTIO_BIT(VIRTIO_F_VERSION_1)) != 0);
}

static void message(struct state *state, const struct oplist_item *item)
{
	struct rpmsg_hdr hdr = {
		.src = (uint32_t)oplist_get(&session_schema, item, 0),
		.dst = (uint32_t)oplist_get(&session_schema, item, 1),
	};
	uint8_t bytes[STATION_BUFFER_SIZE];
	const uint8_t *tail;
	size_t size;

	tail = oplist_tail(&session_schema, item, &size);
	if (size > sizeof(bytes) - RPMSG_HDR_SIZE)
		size = sizeof(bytes) - RPMSG_HDR_SIZE;
	hdr.len = (uint16_t)size;
	if (hdr.src == RPMSG_ADDR_ANY || hdr.dst == RPMSG_ADDR_ANY || hdr.dst == RPMSG_ADDR_NS)
		state->guilty = true;
	rpmsg_hdr_encode(&hdr, bytes, order(state));
	if (size != 0)
		memcpy(bytes + RPMSG_HDR_SIZE, tail, size);
	(void)station_put(&state->st, bytes, (uint32_t)(RPMSG_HDR_SIZE + size));
}

static void put_bytes(struct state *state, const struct oplist_item *item)
{
	const uint8_t *tail;
	size_t size;

	tail = oplist_tail(&session_schema, item, &size);
	if (size == 0)
		return;
	state->guilty = true;
	(void)station_put(&state->st, tail,
			  (uint32_t)(size < STATION_BUFFER_SIZE ? size : STATION_BUFFER_SIZE));
}

static void write_ring(struct state *state, const struct oplist_item *item)
{
	const struct drvq *dq = &state->st.queues[oplist_get(&session_schema, item, 0)].dq;
	uint8_t *at;

	go_wild(state);
	if (!state->st.ready || dq->num == 0)
		return;
	switch (item->code) {
	case SESSION_DESC:
		at = (uint8_t *)dq->desc +
		     (oplist_get(&session_schema, item, 1) & (dq->num - 1)) * VRING_DESC_SIZE;
		wire_put_le64(at, oplist_get(&session_schema, item, 2));
		wire_put_le32(at + 8, (uint32_t)oplist_get(&session_schema, item, 3));
		wire_put_le16(at + 12, (uint16_t)oplist_get(&session_schema, item, 4));
		wire_put_le16(at + 14, (uint16_t)oplist_get(&session_schema, item, 5));
		break;
	case SESSION_AVAIL:
		at = (uint8_t *)dq->avail +
		     vring_avail_entry((uint32_t)oplist_get(&session_schema, item, 1) &
				       (dq->num - 1));
		wire_put_le16(at, (uint16_t)oplist_get(&session_schema, item, 2));
		break;
	default:
		at = dq->avail;
		wire_put_le16(at + VRING_IDX, (uint16_t)(wire_get_le16(at + VRING_IDX) +
							 oplist_get(&session_schema, item, 1)));
		wire_put_le16(at + VRING_FLAGS, (uint16_t)oplist_get(&session_schema, item, 2));
		break;
	}
}

static void write_memory(struct state *state, const struct oplist_item *item)
{
	uint64_t offset = oplist_get(&session_schema, item, 0);
	const uint8_t *tail;
	size_t size;

	tail = oplist_tail(&session_schema, item, &size);
	if (size > WORLD_RAM_SIZE - offset)
		size = WORLD_RAM_SIZE - offset;
	go_wild(state);
	if (size != 0)
		memcpy(state->st.memory + offset, tail, size);
}

/* ---- the owner ---------------------------------------------------------------------------- */

static void announce(struct state *state, const struct oplist_item *item)
{
	struct instance_service service = {0};
	struct act_service asked;
	uint32_t addr;

	act_service(&session_schema, item, &asked);
	if (asked.kind == NULL || asked.name[RPMSG_NAME_SIZE - 1] != '\0')
		return;
	memcpy(service.name, asked.name, sizeof(service.name));
	service.kind = asked.kind;
	if (!asked.defaults)
		service.params = asked.params;
	service.wanted = asked.addr;
	(void)instance_announce(&state->st.instance, &service, &addr);
}

static void withdraw(struct state *state, const struct oplist_item *item)
{
	uint32_t addr = (uint32_t)oplist_get(&session_schema, item, 0);
	char name[ACT_NAME_SIZE];

	act_name(name, sizeof(name), &session_schema, item);
	(void)instance_withdraw(&state->st.instance, name, &addr);
}

static void configure(struct state *state, const struct oplist_item *item)
{
	struct remote_config config = state->st.config;

	config.profile = profile_at((unsigned int)oplist_get(&session_schema, item, 0));
	config.buffer_size[0] = (uint32_t)oplist_get(&session_schema, item, 1);
	config.buffer_size[1] = (uint32_t)oplist_get(&session_schema, item, 2);
	config.seed = oplist_get(&session_schema, item, 3);
	/* The guest's buffers are of the usual size. */
	if (config.buffer_size[0] != 0 || config.buffer_size[1] != 0 ||
	    config.profile != profile_at(0))
		state->guilty = true;
	(void)instance_configure(&state->st.instance, &config);
}

/* From now on it looks at the queues for a while before it sleeps. */
static void poll_queues(struct state *state, const struct oplist_item *item)
{
	world_tick(LOOK_NS);
	instance_poll(&state->st.instance, oplist_get(&session_schema, item, 0) * 1000,
		      oplist_get(&session_schema, item, 1) != 0);
}

static void owner_op(struct state *state, const struct oplist_item *item)
{
	struct instance *instance = &state->st.instance;

	switch (item->code) {
	case SESSION_ANNOUNCE:
		announce(state, item);
		break;
	case SESSION_WITHDRAW:
		withdraw(state, item);
		break;
	case SESSION_HOLD:
		act_hold(instance->remote, &session_schema, item);
		break;
	case SESSION_RELEASE:
		act_release(instance->remote, &session_schema, item);
		break;
	case SESSION_PACE:
		act_pace(instance->remote, &session_schema, item);
		break;
	case SESSION_FAULT:
		go_wild(state);
		if (oplist_get(&session_schema, item, 0) == FAULT_RING_WRITE_READABLE)
			outside_readable();
		act_fault(instance->remote, &session_schema, item);
		break;
	case SESSION_SEND:
		if (oplist_get(&session_schema, item, 5) != 0)
			state->st.lies = true;
		(void)act_send(instance->remote, &session_schema, item);
		break;
	case SESSION_CONFIGURE:
		configure(state, item);
		break;
	case SESSION_POLL:
		poll_queues(state, item);
		break;
	default:
		instance_crash(instance, oplist_get(&session_schema, item, 0));
		break;
	}
	instance_schedule(instance);
}

static void one_op(struct state *state, const struct oplist_item *item)
{
	struct station *st = &state->st;
	uint64_t first = oplist_get(&session_schema, item, 0);

	switch (item->code) {
	case SESSION_CONNECT:
		(void)station_connect(st);
		break;
	case SESSION_LEAVE:
		station_leave(st);
		break;
	case SESSION_HANDSHAKE:
		handshake(state, item);
		break;
	case SESSION_REQUEST:
		request(state, item);
		break;
	case SESSION_STREAM:
		stream(state, item);
		break;
	case SESSION_POST:
		while (first-- > 0 && station_post(st))
			;
		break;
	case SESSION_MESSAGE:
		message(state, item);
		break;
	case SESSION_BYTES:
		put_bytes(state, item);
		break;
	case SESSION_TAKE:
		while (station_take(st, (unsigned int)first))
			;
		break;
	case SESSION_KICK:
		/* Kicks that nobody asked for are told. */
		state->guilty = true;
		station_kick(st, (unsigned int)first, oplist_get(&session_schema, item, 1));
		break;
	case SESSION_TURNS:
		(void)station_turns(st, (unsigned int)first);
		break;
	case SESSION_ADVANCE:
		world_advance(oplist_get(&session_schema, item, 0));
		break;
	case SESSION_DESC:
	case SESSION_AVAIL:
	case SESSION_INDEX:
		write_ring(state, item);
		break;
	case SESSION_WRITE:
		write_memory(state, item);
		break;
	case SESSION_FAIL:
		/* A device that cannot go on leaves the host with what it has. */
		go_wild(state);
		world_fail((uint32_t)first);
		break;
	default:
		owner_op(state, item);
		break;
	}
}

/* Operations in which the guest writes its own memory, and the device does nothing. */
static bool is_of_guest(uint8_t code)
{
	return code == SESSION_HANDSHAKE || code == SESSION_POST || code == SESSION_MESSAGE ||
	       code == SESSION_BYTES || code == SESSION_TAKE ||
	       (code >= SESSION_DESC && code <= SESSION_WRITE);
}

/* Operations in which neither does. */
static bool is_of_nobody(uint8_t code)
{
	return code == SESSION_STREAM || code == SESSION_KICK || code == SESSION_ADVANCE ||
	       code == SESSION_FAIL;
}

static void watched_op(struct state *state, const struct oplist_item *item)
{
	if (is_of_guest(item->code)) {
		one_op(state, item);
		outside_touched();
	} else if (is_of_nobody(item->code)) {
		one_op(state, item);
	} else {
		before(state);
		one_op(state, item);
		after(state);
	}
}

static int run(const uint8_t *data, size_t size)
{
	static struct oplist list;
	static struct state state;

	if (oplist_parse(&list, &session_schema, data, size) != 0)
		return -1;
	state.guilty = false;
	station_begin(&state.st, NULL, on_violation, &state);
	outside_begin();
	for (unsigned int i = 0; i < list.count; i++) {
		watched_op(&state, &list.items[i]);
		station_check(&state.st);
	}
	before(&state);
	/* Where time goes on by itself, what has a time of its own to do never comes to rest. */
	instance_poll(&state.st.instance, 0, false);
	world_tick(0);
	ORACLE("rest", station_turns(&state.st, MAX_TURNS), "not at rest after %d turns",
	       MAX_TURNS);
	after(&state);
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		while (station_take(&state.st, i))
			;
	station_check(&state.st);
	station_end(&state.st);
	return 0;
}

const struct fuzz_target fuzz_target = {
	.name = "session",
	.summary = "an instance of the daemon: front-end, guest memory, owner, time",
	.schema = &session_schema,
	.run = run,
};
