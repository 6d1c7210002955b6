/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device side of a virtqueue against a driver that writes what it likes: the layout is
 * legal, the contents of the ring, of descriptors and of tables come from the input.
 *
 * Oracles: a second, naive walk of the same memory agrees with each chain that was popped, and
 * finds fault with each that was refused; nothing is written outside the device-writable part of
 * a chain and the used ring; what stands in the used ring is what was pushed; no descriptor is
 * read twice for one chain.
 */
#include <errno.h>
#include <string.h>

#include "common/oracle.h"
#include "common/reads.h"
#include "common/target.h"
#include "virtio/virtq.h"
#include "wire/bytes.h"

#define MAX_ENTRIES ((size_t)64)
#define MAX_CHAINS 64 /* popped and not pushed */
#define MAX_PUSHED 64 /* entries between two looks at the used ring */

/* Three regions: two that adjoin in guest memory but not here, and one that lies by itself. */
#define FIRST_ADDR UINT64_C(0x40000000)
#define FIRST_SIZE 0x4000
#define SECOND_ADDR (FIRST_ADDR + FIRST_SIZE)
#define SECOND_SIZE 0x1000
#define THIRD_ADDR UINT64_C(0x50000000)
#define THIRD_SIZE 0x1000
#define MEMORY_SIZE (FIRST_SIZE + SECOND_SIZE + THIRD_SIZE)

#define DESC_OFFSET 0
#define AVAIL_OFFSET (MAX_ENTRIES * 16) /* size_t, as all offsets here */
#define USED_OFFSET (AVAIL_OFFSET + 256)
#define RING_SIZE (USED_OFFSET + 1024)

enum {
	OP_START,
	OP_STOP,
	OP_DESC,
	OP_AVAIL,
	OP_PUBLISH,
	OP_INDEX,
	OP_FLAGS,
	OP_BYTES,
	OP_TABLE,
	OP_POP,
	OP_READ,
	OP_WRITE,
	OP_PUSH,
	OP_UNPOP,
	OP_FLUSH,
	OP_NOTIFY,
	OP_LOOK,
	OP_RAW,
	OP_COUNT
};

static const struct oplist_op ops[OP_COUNT] = {
	[OP_START] = {.name = "start",
		      .fields = {{"entries_log2", 1, OPLIST_CHOICE, 7},
				 {"features", 1, OPLIST_CHOICE, 4},
				 {"base", 2, OPLIST_INDEX, 0}}},
	[OP_STOP] = {.name = "stop"},
	[OP_DESC] = {.name = "desc",
		     .fields = {{"index", 1, OPLIST_CHOICE, MAX_ENTRIES},
				{"address", 8, OPLIST_MEMORY, 0},
				{"length", 4, OPLIST_LENGTH, 0},
				{"flags", 2, OPLIST_CHOICE, 16},
				{"next", 2, OPLIST_INDEX, 0}}},
	[OP_AVAIL] = {.name = "avail",
		      .fields = {{"slot", 1, OPLIST_CHOICE, MAX_ENTRIES},
				 {"head", 2, OPLIST_INDEX, 0}}},
	[OP_PUBLISH] = {.name = "publish", .fields = {{"count", 1, OPLIST_COUNT, 0}}},
	[OP_INDEX] = {.name = "index", .fields = {{"value", 2, OPLIST_INDEX, 0}}},
	[OP_FLAGS] = {.name = "flags",
		      .fields = {{"flags", 2, OPLIST_BITS, 0}, {"used_event", 2, OPLIST_INDEX, 0}}},
	[OP_BYTES] = {.name = "bytes",
		      .tail = "bytes",
		      .fields = {{"offset", 2, OPLIST_CHOICE, MEMORY_SIZE}}},
	[OP_TABLE] = {.name = "table",
		      .fields = {{"offset", 2, OPLIST_CHOICE, MEMORY_SIZE},
				 {"address", 8, OPLIST_MEMORY, 0},
				 {"length", 4, OPLIST_LENGTH, 0},
				 {"flags", 2, OPLIST_CHOICE, 16},
				 {"next", 2, OPLIST_INDEX, 0}}},
	[OP_POP] = {.name = "pop"},
	[OP_READ] = {.name = "read",
		     .fields = {{"offset", 4, OPLIST_LENGTH, 0}, {"size", 2, OPLIST_LENGTH, 0}}},
	[OP_WRITE] = {.name = "write",
		      .fields = {{"offset", 4, OPLIST_LENGTH, 0}, {"size", 2, OPLIST_LENGTH, 0}}},
	[OP_PUSH] = {.name = "push",
		     .fields = {{"which", 1, OPLIST_COUNT, 0}, {"length", 4, OPLIST_LENGTH, 0}}},
	[OP_UNPOP] = {.name = "unpop"},
	[OP_FLUSH] = {.name = "flush"},
	[OP_NOTIFY] = {.name = "notify", .fields = {{"on", 1, OPLIST_CHOICE, 2}}},
	[OP_LOOK] = {.name = "look"},
	[OP_RAW] = {.name = "raw",
		    .fields = {{"id", 4, OPLIST_INDEX, 0}, {"length", 4, OPLIST_LENGTH, 0}}},
};

static const struct oplist_schema schema = {
	.name = "virtqueue",
	.id = 2,
	.count = OP_COUNT,
	.ops = ops,
	.memory_start = FIRST_ADDR,
	.memory_size = FIRST_SIZE + SECOND_SIZE,
};

static _Alignas(16) uint8_t ring[RING_SIZE];
static _Alignas(16) uint8_t memory[MEMORY_SIZE];
static uint8_t before[MEMORY_SIZE];
/* What an input wrote to memory, to be cleared after it: all of it would cost more. */
static size_t dirty_from, dirty_to;

struct pushed {
	uint32_t id, length;
};

struct state {
	struct gmem mem;
	struct virtq vq;
	struct violation_sink sink;
	uint64_t reports;
	enum violation reported;
	uint16_t avail_idx;
	uint16_t used_start, pushed_total;
	struct virtq_chain last;
	bool last_valid; /* the private descriptors are those of last */
	uint16_t heads[MAX_CHAINS];
	unsigned int head_count;
	struct pushed pushed[MAX_PUSHED];
	unsigned int pushed_count;
};

static void dirty(size_t offset, size_t size)
{
	if (size == 0)
		return;
	if (offset < dirty_from)
		dirty_from = offset;
	if (offset + size > dirty_to)
		dirty_to = offset + size;
}

/* ---- the naive walk ----------------------------------------------------------------------- */

/* Offset in memory[] of a guest-physical byte, MEMORY_SIZE when there is none. */
static size_t place(uint64_t addr)
{
	if (addr >= FIRST_ADDR && addr < SECOND_ADDR + SECOND_SIZE)
		return (size_t)(addr - FIRST_ADDR);
	if (addr >= THIRD_ADDR && addr < THIRD_ADDR + THIRD_SIZE)
		return (size_t)(addr - THIRD_ADDR) + FIRST_SIZE + SECOND_SIZE;
	return MEMORY_SIZE;
}

static bool is_memory(uint64_t addr, uint64_t size)
{
	/* Where nothing is asked for nothing has to be. */
	if (size == 0)
		return true;
	if (addr + size < addr)
		return false;
	return (addr >= FIRST_ADDR && addr + size <= SECOND_ADDR + SECOND_SIZE) ||
	       (addr >= THIRD_ADDR && addr + size <= THIRD_ADDR + THIRD_SIZE);
}

struct walk {
	bool good;
	bool indirect;
	uint32_t count, readable_count;
	uint64_t readable, writable;
	uint64_t table;
	uint32_t table_size;
	struct virtq_desc descs[MAX_ENTRIES];
};

static struct virtq_desc parse(const uint8_t *at)
{
	return (struct virtq_desc){
		.addr = wire_get_le64(at),
		.len = wire_get_le32(at + 8),
		.flags = wire_get_le16(at + 12),
		.next = wire_get_le16(at + 14),
	};
}

static struct virtq_desc table_entry(const struct walk *walk, uint16_t index)
{
	uint8_t bytes[16];

	/* Byte by byte, since two regions may share an entry. */
	for (unsigned int i = 0; i < 16; i++)
		bytes[i] = memory[place(walk->table + 16ULL * index + i)];
	return parse(bytes);
}

static void walk_chain(const struct state *state, struct walk *walk, uint16_t head)
{
	struct virtq_desc desc;

	memset(walk, 0, offsetof(struct walk, descs));
	if (head >= state->vq.num)
		return;
	desc = parse(ring + DESC_OFFSET + 16 * (size_t)head);
	while (walk->count < state->vq.num) {
		if ((desc.flags & VRING_DESC_F_INDIRECT) != 0) {
			if ((state->vq.features & VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC)) == 0 ||
			    walk->indirect || (desc.flags & VRING_DESC_F_NEXT) != 0 ||
			    desc.len == 0 || desc.len % 16 != 0 || !is_memory(desc.addr, desc.len))
				return;
			walk->indirect = true;
			walk->table = desc.addr;
			walk->table_size = desc.len;
			desc = table_entry(walk, 0);
			continue;
		}
		if ((desc.flags & VRING_DESC_F_WRITE) != 0) {
			walk->writable += desc.len;
		} else if (walk->readable_count != walk->count) {
			return;
		} else {
			walk->readable += desc.len;
			walk->readable_count++;
		}
		if (!is_memory(desc.addr, desc.len))
			return;
		walk->descs[walk->count++] = desc;
		if ((desc.flags & VRING_DESC_F_NEXT) == 0) {
			walk->good = walk->readable + walk->writable <= UINT64_C(1) << 32;
			return;
		}
		if (desc.next >= (walk->indirect ? walk->table_size / 16 : state->vq.num))
			return;
		desc = walk->indirect ? table_entry(walk, desc.next)
				      : parse(ring + DESC_OFFSET + 16 * (size_t)desc.next);
	}
}

static bool is_out(const struct state *state, uint16_t head)
{
	for (unsigned int i = 0; i < state->head_count; i++)
		if (state->heads[i] == head)
			return true;
	return false;
}

/* ---- oracles ------------------------------------------------------------------------------ */

static uint16_t next_head(const struct state *state)
{
	uint32_t slot = state->vq.last_avail & (state->vq.num - 1);

	return wire_get_le16(ring + AVAIL_OFFSET + vring_avail_entry(slot));
}

static void check_popped(const struct state *state, const struct virtq_chain *chain,
			 const struct walk *walk)
{
	ORACLE("popped-bad-chain", walk->good, "a chain that breaks a rule was popped, head %u",
	       chain->head);
	ORACLE("popped-twice", !is_out(state, chain->head), "head %u is out already", chain->head);
	ORACLE("chain-counts",
	       chain->desc_count == walk->count && chain->readable_count == walk->readable_count &&
		       chain->indirect == walk->indirect,
	       "head %u: %u descriptors, %u readable; there are %u and %u", chain->head,
	       chain->desc_count, chain->readable_count, walk->count, walk->readable_count);
	ORACLE("chain-bytes",
	       chain->readable == walk->readable && chain->writable == walk->writable,
	       "head %u: %u and %u bytes; there are %llu and %llu", chain->head, chain->readable,
	       chain->writable, (unsigned long long)walk->readable,
	       (unsigned long long)walk->writable);
	for (uint32_t i = 0; i < walk->count; i++)
		ORACLE("chain-descriptor",
		       chain->descs[i].addr == walk->descs[i].addr &&
			       chain->descs[i].len == walk->descs[i].len,
		       "head %u: descriptor %u of the chain is another", chain->head, i);
	if (!walk->indirect)
		ORACLE("read-twice", reads_most(ring + DESC_OFFSET, 16 * MAX_ENTRIES) <= 1,
		       "a descriptor was read twice for one chain");
}

/* The queue is broken now: by what, and was it the driver? */
static void check_refused(const struct state *state, uint64_t reports, uint16_t head, bool waiting,
			  const struct walk *walk)
{
	ORACLE("broken-untold", state->reports == reports + 1, "%llu reports of a broken queue",
	       (unsigned long long)(state->reports - reports));
	if (state->reported == VIOLATION_VQ_AVAIL_JUMP)
		return;
	ORACLE("innocent-driver",
	       waiting && (head >= state->vq.num || is_out(state, head) || !walk->good),
	       "%s: but head %u is a good chain", violation_name(state->reported), head);
}

static void check_used(struct state *state)
{
	uint16_t idx = wire_get_le16(ring + USED_OFFSET + VRING_IDX);
	uint16_t at = (uint16_t)(state->used_start + state->pushed_total - state->pushed_count);

	ORACLE("used-index", idx == (uint16_t)(state->used_start + state->pushed_total),
	       "used.idx is %u after %u entries from %u", idx, state->pushed_total,
	       state->used_start);
	for (unsigned int i = 0; i < state->pushed_count; i++, at++) {
		const uint8_t *entry =
			ring + USED_OFFSET + vring_used_entry(at & (state->vq.num - 1));

		/* More entries than the ring has went over earlier ones. */
		if (state->pushed_count - i > state->vq.num)
			continue;
		ORACLE("used-entry",
		       wire_get_le32(entry) == state->pushed[i].id &&
			       wire_get_le32(entry + 4) == state->pushed[i].length,
		       "used entry %u is not what was pushed", at);
	}
	state->pushed_count = 0;
}

static void on_violation(void *ctx, const struct violation_record *record)
{
	struct state *state = ctx;

	state->reports++;
	state->reported = record->what;
}

/* ---- operations --------------------------------------------------------------------------- */

static void stop(struct state *state)
{
	(void)virtq_stop(&state->vq);
	state->head_count = state->pushed_count = 0;
	state->last_valid = false;
}

static void start(struct state *state, const struct oplist_item *item)
{
	static const uint64_t features[] = {
		0,
		VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC),
		VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX),
		VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX),
	};
	struct virtq_rings rings = {
		.desc = ring + DESC_OFFSET,
		.avail = ring + AVAIL_OFFSET,
		.used = ring + USED_OFFSET,
	};
	uint32_t num = UINT32_C(1) << oplist_get(&schema, item, 0);
	uint16_t base = (uint16_t)oplist_get(&schema, item, 2);

	stop(state);
	virtq_init(&state->vq, 0, &state->sink);
	state->used_start = wire_get_le16(ring + USED_OFFSET + VRING_IDX);
	state->avail_idx = base;
	wire_put_le16(ring + AVAIL_OFFSET + VRING_IDX, base);
	ORACLE("start",
	       virtq_start(&state->vq, &state->mem, num, &rings, base,
			   features[oplist_get(&schema, item, 1)]) == 0,
	       "cannot start a queue of %u entries", num);
	state->pushed_total = 0;
}

static void put_desc(uint8_t *at, const struct oplist_item *item)
{
	wire_put_le64(at, oplist_get(&schema, item, 1));
	wire_put_le32(at + 8, (uint32_t)oplist_get(&schema, item, 2));
	wire_put_le16(at + 12, (uint16_t)oplist_get(&schema, item, 3));
	wire_put_le16(at + 14, (uint16_t)oplist_get(&schema, item, 4));
}

static void put_bytes(size_t offset, const uint8_t *bytes, size_t size)
{
	if (size > MEMORY_SIZE - offset)
		size = MEMORY_SIZE - offset;
	if (size != 0)
		memcpy(memory + offset, bytes, size);
	dirty(offset, size);
}

static void pop(struct state *state)
{
	static struct walk walk;
	uint64_t reports = state->reports;
	struct virtq_chain chain;
	bool was_broken = state->vq.broken;
	/* An index that was seen before counts, even if the driver took it back. */
	bool waiting = state->vq.shadow_avail != state->vq.last_avail ||
		       state->avail_idx != state->vq.last_avail;
	uint16_t head;
	int ret;

	if (!state->vq.started || state->head_count == MAX_CHAINS)
		return;
	head = next_head(state);
	walk_chain(state, &walk, head);
	reads_watch(ring, sizeof(ring));
	reads_forget(ring, sizeof(ring));
	state->last_valid = false;
	ret = virtq_pop(&state->vq, &chain);
	if (was_broken) {
		ORACLE("broken-serves", ret == -EPROTO, "a broken queue pops: %d", ret);
	} else if (ret == 1) {
		check_popped(state, &chain, &walk);
		state->heads[state->head_count++] = chain.head;
		state->last = chain;
		state->last_valid = true;
	} else if (ret == 0) {
		ORACLE("pop-missed", !waiting, "an available chain was not popped");
	} else {
		ORACLE("pop-error", ret == -EPROTO, "pop returned %d", ret);
		check_refused(state, reports, head, waiting, &walk);
	}
}

static void read_chain(struct state *state, const struct oplist_item *item)
{
	uint8_t out[4096];
	uint64_t offset = oplist_get(&schema, item, 0);
	size_t size = oplist_get(&schema, item, 1) % sizeof(out);
	uint64_t all = state->last.readable;
	uint64_t expected = offset >= all ? 0 : all - offset < size ? all - offset : size;
	int64_t ret;

	if (!state->last_valid)
		return;
	ret = virtq_read(&state->vq, &state->last, offset, out, size);
	ORACLE("read-size", ret >= 0 && (uint64_t)ret == expected,
	       "%zu bytes from %llu of %llu: %lld read", size, (unsigned long long)offset,
	       (unsigned long long)all, (long long)ret);
}

/* Take what a chain may be written out of what has to be as it was. */
static void forgive(const struct virtq_chain *chain)
{
	for (uint32_t i = chain->readable_count; i < chain->desc_count; i++)
		for (uint32_t k = 0; k < chain->descs[i].len; k++) {
			size_t at = place(chain->descs[i].addr + k);

			before[at] = memory[at];
		}
}

static void write_chain(struct state *state, const struct oplist_item *item)
{
	static uint8_t bytes[4096];
	uint64_t offset = oplist_get(&schema, item, 0);
	size_t size = oplist_get(&schema, item, 1) % sizeof(bytes);
	uint64_t all = state->last.writable;
	uint64_t expected = offset >= all ? 0 : all - offset < size ? all - offset : size;
	int64_t ret;

	if (!state->last_valid)
		return;
	memset(bytes, 0x77, size);
	memcpy(before, memory, sizeof(before));
	ret = virtq_write(&state->vq, &state->last, offset, bytes, size);
	ORACLE("write-size", ret >= 0 && (uint64_t)ret == expected,
	       "%zu bytes at %llu of %llu: %lld written", size, (unsigned long long)offset,
	       (unsigned long long)all, (long long)ret);
	if (ret == 0)
		return;
	dirty(0, MEMORY_SIZE);
	forgive(&state->last);
	ORACLE("write-outside", memcmp(before, memory, sizeof(before)) == 0,
	       "memory outside the writable part of the chain was written");
}

static void note_pushed(struct state *state, uint32_t id, uint32_t length)
{
	if (state->pushed_count == MAX_PUSHED) {
		memmove(state->pushed, state->pushed + 1,
			sizeof(state->pushed) - sizeof(struct pushed));
		state->pushed_count--;
	}
	state->pushed[state->pushed_count++] = (struct pushed){.id = id, .length = length};
	state->pushed_total++;
}

/* A chain is no longer out. Others may have moved since it was popped. */
static void forget_head(struct state *state, uint16_t head)
{
	for (unsigned int i = 0; i < state->head_count; i++) {
		if (state->heads[i] == head) {
			state->heads[i] = state->heads[--state->head_count];
			return;
		}
	}
}

static void push(struct state *state, const struct oplist_item *item)
{
	uint64_t which = oplist_get(&schema, item, 0);
	uint32_t length = (uint32_t)oplist_get(&schema, item, 1);
	uint16_t head;
	int ret;

	if (!state->vq.started)
		return;
	if (state->head_count == 0) {
		ret = virtq_push(&state->vq, (uint16_t)which, length);
		ORACLE("push-unpopped", ret < 0, "head %llu was pushed without being out",
		       (unsigned long long)which);
		return;
	}
	which %= state->head_count;
	head = state->heads[which];
	ret = virtq_push(&state->vq, head, length);
	if (state->vq.broken) {
		ORACLE("broken-pushes", ret == -EPROTO, "a broken queue pushes: %d", ret);
		return;
	}
	ORACLE("push", ret == 0, "head %u is out and cannot be pushed: %d", head, ret);
	forget_head(state, head);
	if (head == state->last.head)
		state->last_valid = false;
	note_pushed(state, head, length);
}

static void flush(struct state *state)
{
	if (!state->vq.started)
		return;
	(void)virtq_flush(&state->vq);
	if (!state->vq.broken)
		check_used(state);
}

static void driver_op(struct state *state, const struct oplist_item *item)
{
	size_t size;
	const uint8_t *tail = oplist_tail(&schema, item, &size);
	uint64_t first = oplist_get(&schema, item, 0);
	uint8_t entry[16];

	switch (item->code) {
	case OP_DESC:
		put_desc(ring + DESC_OFFSET + 16 * first, item);
		break;
	case OP_AVAIL:
		wire_put_le16(ring + AVAIL_OFFSET + vring_avail_entry((uint32_t)first),
			      (uint16_t)oplist_get(&schema, item, 1));
		break;
	case OP_PUBLISH:
		state->avail_idx = (uint16_t)(state->avail_idx + first);
		wire_put_le16(ring + AVAIL_OFFSET + VRING_IDX, state->avail_idx);
		break;
	case OP_INDEX:
		state->avail_idx = (uint16_t)first;
		wire_put_le16(ring + AVAIL_OFFSET + VRING_IDX, state->avail_idx);
		break;
	case OP_FLAGS:
		wire_put_le16(ring + AVAIL_OFFSET + VRING_FLAGS, (uint16_t)first);
		if (state->vq.started)
			wire_put_le16(ring + AVAIL_OFFSET + vring_used_event(state->vq.num),
				      (uint16_t)oplist_get(&schema, item, 1));
		break;
	case OP_BYTES:
		put_bytes(first, tail, size);
		break;
	default:
		put_desc(entry, item);
		put_bytes(first, entry, sizeof(entry));
		break;
	}
}

static void device_op(struct state *state, const struct oplist_item *item)
{
	switch (item->code) {
	case OP_POP:
		pop(state);
		break;
	case OP_READ:
		read_chain(state, item);
		break;
	case OP_WRITE:
		write_chain(state, item);
		break;
	case OP_PUSH:
		push(state, item);
		break;
	case OP_UNPOP:
		if (state->last_valid && !state->vq.broken) {
			virtq_unpop(&state->vq, &state->last);
			forget_head(state, state->last.head);
			state->last_valid = false;
		}
		break;
	case OP_FLUSH:
		flush(state);
		break;
	case OP_NOTIFY:
		if (state->vq.started)
			virtq_set_notify(&state->vq, oplist_get(&schema, item, 0) != 0);
		break;
	case OP_LOOK:
		(void)virtq_avail_count(&state->vq);
		break;
	default:
		if (virtq_push_raw(&state->vq, (uint32_t)oplist_get(&schema, item, 0),
				   (uint32_t)oplist_get(&schema, item, 1)) == 0)
			note_pushed(state, (uint32_t)oplist_get(&schema, item, 0),
				    (uint32_t)oplist_get(&schema, item, 1));
		break;
	}
}

static void add_region(struct gmem *mem, uint64_t addr, uint64_t size, size_t offset)
{
	struct gmem_region region = {
		.guest_addr = addr,
		.size = size,
		.user_addr = addr,
		.host = memory + offset,
	};

	ORACLE("region", gmem_add(mem, &region) == 0, "cannot add a region");
}

static int run(const uint8_t *data, size_t size)
{
	static struct oplist list;
	static struct state state;

	if (oplist_parse(&list, &schema, data, size) != 0)
		return -1;
	memset(&state, 0, sizeof(state));
	memset(ring, 0, sizeof(ring));
	dirty_from = MEMORY_SIZE;
	dirty_to = 0;
	state.sink = (struct violation_sink){.report = on_violation, .ctx = &state};
	gmem_init(&state.mem);
	add_region(&state.mem, FIRST_ADDR, FIRST_SIZE, 0);
	add_region(&state.mem, SECOND_ADDR, SECOND_SIZE, FIRST_SIZE);
	add_region(&state.mem, THIRD_ADDR, THIRD_SIZE, FIRST_SIZE + SECOND_SIZE);
	virtq_init(&state.vq, 0, &state.sink);
	for (unsigned int i = 0; i < list.count; i++) {
		const struct oplist_item *item = &list.items[i];

		if (item->code == OP_START)
			start(&state, item);
		else if (item->code == OP_STOP)
			stop(&state);
		else if (item->code < OP_POP)
			driver_op(&state, item);
		else
			device_op(&state, item);
	}
	(void)virtq_stop(&state.vq);
	if (dirty_to > dirty_from)
		memset(memory + dirty_from, 0, dirty_to - dirty_from);
	return 0;
}

const struct fuzz_target fuzz_target = {
	.name = "virtqueue",
	.summary = "the device side of a virtqueue against a driver that writes what it likes",
	.schema = &schema,
	.run = run,
};
