/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver side of a virtqueue against a device that writes what it likes into the used ring.
 *
 * Oracles: a chain comes back once, and only if it was given away; its length and capacity are
 * those of the ring and of what was given; a device that broke no rule breaks no queue; free,
 * pending and outstanding descriptors add up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/oracle.h"
#include "common/target.h"
#include "virtio/drvq.h"
#include "wire/bytes.h"

#define MAX_ENTRIES 64
#define RING_SIZE 4096
#define MAX_PIECES 8

enum {
	OP_START,
	OP_ADD,
	OP_INDIRECT,
	OP_PUBLISH,
	OP_GET,
	OP_CALL,
	OP_CALL_AFTER,
	OP_ENTRY,
	OP_RETURN,
	OP_INDEX,
	OP_FLAGS,
	OP_COUNT
};

static const struct oplist_op ops[OP_COUNT] = {
	[OP_START] = {.name = "start",
		      .fields = {{"entries_log2", 1, OPLIST_CHOICE, 7},
				 {"features", 1, OPLIST_CHOICE, 4}}},
	[OP_ADD] = {.name = "add",
		    .fields = {{"readable", 1, OPLIST_CHOICE, MAX_PIECES},
			       {"writable", 1, OPLIST_CHOICE, MAX_PIECES},
			       {"length", 4, OPLIST_LENGTH, 0}}},
	[OP_INDIRECT] = {.name = "add_indirect",
			 .fields = {{"readable", 1, OPLIST_CHOICE, MAX_PIECES},
				    {"writable", 1, OPLIST_CHOICE, MAX_PIECES},
				    {"length", 4, OPLIST_LENGTH, 0}}},
	[OP_PUBLISH] = {.name = "publish"},
	[OP_GET] = {.name = "get"},
	[OP_CALL] = {.name = "call", .fields = {{"on", 1, OPLIST_CHOICE, 2}}},
	[OP_CALL_AFTER] = {.name = "call_after", .fields = {{"count", 2, OPLIST_COUNT, 0}}},
	[OP_ENTRY] = {.name = "entry",
		      .fields = {{"slot", 1, OPLIST_CHOICE, MAX_ENTRIES},
				 {"id", 4, OPLIST_INDEX, 0},
				 {"length", 4, OPLIST_LENGTH, 0}}},
	[OP_RETURN] = {.name = "return",
		       .fields = {{"which", 1, OPLIST_COUNT, 0}, {"length", 4, OPLIST_LENGTH, 0}}},
	[OP_INDEX] = {.name = "index", .fields = {{"value", 2, OPLIST_INDEX, 0}}},
	[OP_FLAGS] = {.name = "flags",
		      .fields = {{"flags", 2, OPLIST_BITS, 0},
				 {"avail_event", 2, OPLIST_INDEX, 0}}},
};

static const struct oplist_schema schema = {
	.name = "virtqueue_driver",
	.id = 3,
	.count = OP_COUNT,
	.ops = ops,
};

/* A chain as this test knows it; cookies point here. */
struct chain {
	bool added, published;
	uint16_t head;
	uint32_t capacity;
};

static _Alignas(16) uint8_t ring[RING_SIZE];
static _Alignas(16) uint8_t tables[MAX_ENTRIES][2 * MAX_PIECES * VRING_DESC_SIZE];

struct state {
	struct drvq dq;
	struct drvq_layout layout;
	struct chain chains[MAX_ENTRIES];
	bool lied; /* the device broke a rule, or may have */
	uint16_t used_idx;
};

static void start(struct state *state, const struct oplist_item *item)
{
	static const uint64_t features[] = {
		0,
		VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC),
		VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX),
		VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX),
	};
	uint32_t num = UINT32_C(1) << oplist_get(&schema, item, 0);

	drvq_stop(&state->dq);
	memset(state, 0, sizeof(*state));
	ORACLE("layout", drvq_layout(&state->layout, num) == 0 && state->layout.bytes <= RING_SIZE,
	       "no layout for %u entries", num);
	ORACLE("start",
	       drvq_start(&state->dq, ring, &state->layout, num,
			  features[oplist_get(&schema, item, 1)]) == 0,
	       "cannot start a queue of %u entries", num);
}

static void check_sums(const struct state *state)
{
	uint32_t used = 0;

	if (state->dq.num == 0 || state->dq.broken)
		return;
	for (uint32_t i = 0; i < state->dq.num; i++)
		if (state->dq.slots[i].state != DRVQ_SLOT_IDLE)
			used += state->dq.slots[i].count;
	ORACLE("descriptor-sum", used + state->dq.free_count == state->dq.num,
	       "%u descriptors in chains and %u free, of %u", used, state->dq.free_count,
	       state->dq.num);
}

static void add(struct state *state, const struct oplist_item *item, bool indirect)
{
	uint32_t readable = (uint32_t)oplist_get(&schema, item, 0);
	uint32_t writable = (uint32_t)oplist_get(&schema, item, 1);
	uint32_t length = (uint32_t)oplist_get(&schema, item, 2) % (UINT32_C(1) << 24);
	struct drvq_buf bufs[2 * MAX_PIECES];
	struct chain *chain = NULL;
	unsigned int i;
	int ret;

	for (i = 0; i < state->dq.num && chain == NULL; i++)
		if (!state->chains[i].added)
			chain = &state->chains[i];
	if (chain == NULL)
		return;
	for (unsigned int k = 0; k < readable + writable; k++)
		bufs[k] = (struct drvq_buf){.addr = 0x1000 * (uint64_t)k, .len = length};
	ret = indirect ? drvq_add_indirect(&state->dq, bufs, readable, writable, tables[i - 1],
					   0x100000, chain)
		       : drvq_add(&state->dq, bufs, readable, writable, chain);
	if (ret < 0)
		return;
	ORACLE("add-empty", readable + writable != 0, "a chain without a piece was added");
	*chain =
		(struct chain){.added = true, .head = (uint16_t)ret, .capacity = writable * length};
}

static void publish(struct state *state)
{
	(void)drvq_publish(&state->dq);
	for (unsigned int i = 0; i < MAX_ENTRIES; i++)
		state->chains[i].published = state->chains[i].added;
}

static void get(struct state *state)
{
	struct drvq_used used = {0};
	bool waiting = state->used_idx != state->dq.last_used;
	bool was_broken = state->dq.broken;
	struct chain *chain;
	int ret = drvq_get(&state->dq, &used);

	if (ret < 0) {
		ORACLE("innocent-device", state->lied, "%s",
		       drvq_error_text(drvq_last_error(&state->dq)->type));
		return;
	}
	ORACLE("broken-serves", !was_broken, "a broken queue gives a chain");
	ORACLE("get-missed", ret == 1 || !waiting, "a used chain was not taken");
	if (ret == 0)
		return;
	chain = used.cookie;
	ORACLE("returned-once",
	       chain >= state->chains && chain < state->chains + MAX_ENTRIES && chain->added &&
		       chain->published,
	       "head %u came back and is not outstanding", used.head);
	ORACLE("returned-chain", chain->head == used.head && chain->capacity == used.capacity,
	       "head %u of capacity %u came back as %u of %u", chain->head, chain->capacity,
	       used.head, used.capacity);
	chain->added = chain->published = false;
}

/* Write a used entry that is right, for a chain that is out. */
static void give_back(struct state *state, const struct oplist_item *item)
{
	uint64_t which = oplist_get(&schema, item, 0) % MAX_ENTRIES;
	uint8_t *used = ring + state->layout.used;

	for (unsigned int i = 0; i < MAX_ENTRIES; i++) {
		struct chain *chain = &state->chains[(which + i) % MAX_ENTRIES];
		uint32_t slot = state->used_idx & (state->dq.num - 1);

		if (!chain->published)
			continue;
		/* The same one again would be a lie, and the ring may still hold it. */
		for (uint16_t k = state->dq.last_used; k != state->used_idx; k++)
			if (wire_get_le32(used + vring_used_entry(k & (state->dq.num - 1))) ==
			    chain->head)
				state->lied = true;
		wire_put_le32(used + vring_used_entry(slot), chain->head);
		wire_put_le32(used + vring_used_entry(slot) + 4,
			      (uint32_t)oplist_get(&schema, item, 1));
		state->used_idx++;
		wire_put_le16(used + VRING_IDX, state->used_idx);
		return;
	}
}

static void device_op(struct state *state, const struct oplist_item *item)
{
	uint8_t *used = ring + state->layout.used;
	uint64_t first = oplist_get(&schema, item, 0);

	switch (item->code) {
	case OP_ENTRY:
		state->lied = true;
		first &= state->dq.num - 1;
		wire_put_le32(used + vring_used_entry((uint32_t)first),
			      (uint32_t)oplist_get(&schema, item, 1));
		wire_put_le32(used + vring_used_entry((uint32_t)first) + 4,
			      (uint32_t)oplist_get(&schema, item, 2));
		break;
	case OP_RETURN:
		give_back(state, item);
		break;
	case OP_INDEX:
		state->lied = true;
		state->used_idx = (uint16_t)first;
		wire_put_le16(used + VRING_IDX, state->used_idx);
		break;
	default:
		wire_put_le16(used + VRING_FLAGS, (uint16_t)first);
		wire_put_le16(used + vring_avail_event(state->dq.num),
			      (uint16_t)oplist_get(&schema, item, 1));
		break;
	}
}

static void driver_op(struct state *state, const struct oplist_item *item)
{
	switch (item->code) {
	case OP_ADD:
		add(state, item, false);
		break;
	case OP_INDIRECT:
		add(state, item, true);
		break;
	case OP_PUBLISH:
		publish(state);
		break;
	case OP_GET:
		get(state);
		break;
	case OP_CALL:
		drvq_set_call(&state->dq, oplist_get(&schema, item, 0) != 0);
		break;
	default:
		drvq_set_call_after(&state->dq, (uint16_t)oplist_get(&schema, item, 0));
		break;
	}
}

static int run(const uint8_t *data, size_t size)
{
	static const uint8_t body[] = {4, 3};
	static const struct oplist_item first = {.code = OP_START, .size = 2, .body = body};
	static struct oplist list;
	static struct state state;

	if (oplist_parse(&list, &schema, data, size) != 0)
		return -1;
	memset(&state, 0, sizeof(state));
	start(&state, &first);
	for (unsigned int i = 0; i < list.count; i++) {
		const struct oplist_item *item = &list.items[i];

		if (item->code == OP_START)
			start(&state, item);
		else if (item->code < OP_ENTRY)
			driver_op(&state, item);
		else
			device_op(&state, item);
		check_sums(&state);
	}
	drvq_stop(&state.dq);
	return 0;
}

const struct fuzz_target fuzz_target = {
	.name = "virtqueue_driver",
	.summary = "the driver side of a virtqueue against a device that writes what it likes",
	.schema = &schema,
	.run = run,
};
