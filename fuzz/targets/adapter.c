/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of a host into any stack that has an adapter (adapters/adapter.h), on rings that are
 * well formed.
 *
 * Oracles: the ledger of common/rig.h: a buffer comes back once and with a length that it has,
 * nothing is written behind a buffer, behind the used length or into one that may only be read;
 * what comes to the host is a message that lies within its buffer.
 */
#include <string.h>

#include "adapters/adapter.h"
#include "common/oracle.h"
#include "common/rig.h"
#include "common/target.h"

#define ENTRIES 16
#define START_TIME UINT64_C(1000000000)

enum {
	OP_POST,
	OP_MESSAGE,
	OP_LIE,
	OP_BYTES,
	OP_NAME,
	OP_POLL,
	OP_ADVANCE,
	OP_TAKE,
	OP_RESTART,
	OP_COUNT
};

static const struct oplist_op ops[OP_COUNT] = {
	[OP_POST] = {.name = "post",
		     .fields = {{"count", 1, OPLIST_COUNT, 0}, {"size", 4, OPLIST_LENGTH, 0}}},
	[OP_MESSAGE] = {.name = "message",
			.tail = "payload",
			.fields = {{"source", 4, OPLIST_ADDRESS, 0},
				   {"destination", 4, OPLIST_ADDRESS, 0}}},
	[OP_LIE] = {.name = "lie",
		    .tail = "payload",
		    .fields = {{"source", 4, OPLIST_ADDRESS, 0},
			       {"destination", 4, OPLIST_ADDRESS, 0},
			       {"reserved", 4, OPLIST_NUMBER, 0},
			       {"length", 2, OPLIST_LENGTH, 0},
			       {"flags", 2, OPLIST_BITS, 0}}},
	[OP_BYTES] = {.name = "bytes", .tail = "message"},
	[OP_NAME] = {.name = "name_service",
		     .tail = "name",
		     .fields = {{"source", 4, OPLIST_ADDRESS, 0},
				{"address", 4, OPLIST_ADDRESS, 0},
				{"flags", 4, OPLIST_BITS, 0}}},
	[OP_POLL] = {.name = "poll"},
	[OP_ADVANCE] = {.name = "advance", .fields = {{"nanoseconds", 8, OPLIST_TIME, 0}}},
	[OP_TAKE] = {.name = "take", .fields = {{"queue", 1, OPLIST_CHOICE, 2}}},
	[OP_RESTART] = {.name = "restart", .fields = {{"without", 8, OPLIST_BITS, 0}}},
};

static const struct oplist_schema schema = {
	.name = "adapter",
	.id = 7,
	.count = OP_COUNT,
	.ops = ops,
	.memory_start = RIG_MEMORY,
	.memory_size = RIG_MEMORY_SIZE,
};

struct state {
	struct rig rig;
	struct violation_sink sink;
	void *stack;
	uint64_t features, now;
};

static void start(struct state *state, uint64_t without)
{
	static const uint32_t num[] = {ENTRIES, ENTRIES};
	struct adapter_setup setup = {.memory_address = RIG_MEMORY, .memory_size = RIG_MEMORY_SIZE};

	/* Indirect tables are the rig's to refuse: it makes none. */
	state->features = adapter.features & ~without;
	memset(&state->rig, 0, sizeof(state->rig));
	rig_start(&state->rig, num, state->features, &state->sink);
	setup.features = state->features;
	setup.memory = gmem_at(&state->rig.mem, RIG_MEMORY, RIG_MEMORY_SIZE);
	for (unsigned int i = 0; i < ADAPTER_QUEUES; i++)
		setup.queues[i] = (struct adapter_queue){
			.entries = ENTRIES,
			.desc = state->rig.queues[i].vq.rings.desc,
			.avail = state->rig.queues[i].vq.rings.avail,
			.used = state->rig.queues[i].vq.rings.used,
		};
	state->stack = adapter.init(&setup);
	ORACLE("init", state->stack != NULL, "adapter %s makes no stack", adapter.name);
}

static enum wire_order order(const struct state *state)
{
	return rpmsg_order((state->features & VIRTIO_BIT(VIRTIO_F_VERSION_1)) != 0);
}

static void check_message(const struct state *state, const uint8_t *bytes, uint32_t size)
{
	struct rpmsg_hdr hdr;

	/* A stack may return a buffer unused. */
	if (size == 0)
		return;
	ORACLE("answer-header", size >= RPMSG_HDR_SIZE, "a message of %u bytes", size);
	rpmsg_hdr_decode(&hdr, bytes, RPMSG_HDR_SIZE, order(state));
	ORACLE("answer-length", hdr.len <= size - RPMSG_HDR_SIZE,
	       "a message of %u bytes says that it has %u", size, hdr.len);
}

static void take(struct state *state, unsigned int queue)
{
	const uint8_t *bytes;
	uint32_t size;

	while (rig_take(&state->rig, queue, &bytes, &size))
		if (queue == RPMSG_QUEUE_INPUT)
			check_message(state, bytes, size);
}

static void stop(struct state *state)
{
	adapter.poll(state->stack, state->now);
	take(state, RPMSG_QUEUE_INPUT);
	take(state, RPMSG_QUEUE_OUTPUT);
	adapter.fini(state->stack);
	rig_stop(&state->rig);
}

static void send(struct state *state, const void *bytes, size_t size)
{
	if (rig_send(&state->rig, bytes, (uint32_t)size, 1))
		adapter.feed(state->stack, RPMSG_QUEUE_OUTPUT);
}

/* A message of RPMSG_BUF_SIZE at most, as hosts send it. */
static void send_message(struct state *state, const struct rpmsg_hdr *hdr, const uint8_t *payload,
			 size_t size)
{
	uint8_t bytes[RPMSG_BUF_SIZE];

	if (size > sizeof(bytes) - RPMSG_HDR_SIZE)
		size = sizeof(bytes) - RPMSG_HDR_SIZE;
	rpmsg_hdr_encode(hdr, bytes, order(state));
	if (size != 0)
		memcpy(bytes + RPMSG_HDR_SIZE, payload, size);
	send(state, bytes, RPMSG_HDR_SIZE + size);
}

static void name_service(struct state *state, const struct oplist_item *item)
{
	struct rpmsg_hdr hdr = {
		.src = (uint32_t)oplist_get(&schema, item, 0),
		.dst = RPMSG_ADDR_NS,
		.len = RPMSG_NS_MSG_SIZE,
	};
	uint8_t payload[RPMSG_NS_MSG_SIZE];
	const uint8_t *tail;
	size_t size;

	/* The name is any 32 bytes, whether they end or not. */
	rpmsg_ns_encode("", (uint32_t)oplist_get(&schema, item, 1),
			(uint32_t)oplist_get(&schema, item, 2), payload, order(state));
	tail = oplist_tail(&schema, item, &size);
	if (size != 0)
		memcpy(payload, tail, size < RPMSG_NAME_SIZE ? size : RPMSG_NAME_SIZE);
	send_message(state, &hdr, payload, sizeof(payload));
}

static void host_message(struct state *state, const struct oplist_item *item)
{
	struct rpmsg_hdr hdr = {
		.src = (uint32_t)oplist_get(&schema, item, 0),
		.dst = (uint32_t)oplist_get(&schema, item, 1),
	};
	const uint8_t *tail;
	size_t size;

	tail = oplist_tail(&schema, item, &size);
	if (size > RPMSG_MAX_PAYLOAD)
		size = RPMSG_MAX_PAYLOAD;
	hdr.len = (uint16_t)size;
	if (item->code == OP_LIE) {
		hdr.reserved = (uint32_t)oplist_get(&schema, item, 2);
		hdr.len = (uint16_t)oplist_get(&schema, item, 3);
		hdr.flags = (uint16_t)oplist_get(&schema, item, 4);
	}
	send_message(state, &hdr, tail, size);
}

static void post(struct state *state, const struct oplist_item *item)
{
	uint64_t count = oplist_get(&schema, item, 0);
	bool posted = false;

	while (count-- > 0 && rig_post(&state->rig, (uint32_t)oplist_get(&schema, item, 1)))
		posted = true;
	if (posted)
		adapter.feed(state->stack, RPMSG_QUEUE_INPUT);
}

static void one_op(struct state *state, const struct oplist_item *item)
{
	const uint8_t *tail;
	size_t size;

	switch (item->code) {
	case OP_POST:
		post(state, item);
		break;
	case OP_MESSAGE:
	case OP_LIE:
		host_message(state, item);
		break;
	case OP_BYTES:
		tail = oplist_tail(&schema, item, &size);
		if (size != 0)
			send(state, tail, size < RPMSG_BUF_SIZE ? size : RPMSG_BUF_SIZE);
		break;
	case OP_NAME:
		name_service(state, item);
		break;
	case OP_ADVANCE:
		if (oplist_get(&schema, item, 0) < UINT64_MAX / 4 - state->now)
			state->now += oplist_get(&schema, item, 0);
		break;
	case OP_POLL:
		adapter.poll(state->stack, state->now);
		break;
	case OP_TAKE:
		take(state, (unsigned int)oplist_get(&schema, item, 0));
		break;
	default:
		stop(state);
		start(state, oplist_get(&schema, item, 0));
		break;
	}
}

static int run(const uint8_t *data, size_t size)
{
	static struct oplist list;
	static struct state state;

	if (oplist_parse(&list, &schema, data, size) != 0)
		return -1;
	memset(&state, 0, sizeof(state));
	state.now = START_TIME;
	start(&state, 0);
	for (unsigned int i = 0; i < list.count; i++)
		one_op(&state, &list.items[i]);
	stop(&state);
	return 0;
}

const struct fuzz_target fuzz_target = {
	.name = "adapter",
	.summary = "messages of a host into a stack that has an adapter",
	.schema = &schema,
	.run = run,
};
