/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of a front-end into the vhost-user back-end, with descriptors of a world of their own
 * (common/world.h), a device above that serves its queues, and a shortage of memory now and then.
 *
 * Oracles: descriptors and mappings are those that the session holds, after each message; a ring
 * runs only when all that it needs was given and lies in mapped memory; callbacks come in order; a
 * request that is refused changes nothing; answers are those that the protocol has; a front-end
 * that made no mistake is blamed for nothing.
 */
#include <errno.h>
#include <string.h>

#include "common/oracle.h"
#include "common/target.h"
#include "common/world.h"
#include "vhost/backend.h"
#include "virtio/vring.h"

#define GUEST UINT64_C(0x40000000)
#define USER UINT64_C(0x7f0000000000)
#define MAX_REQUEST 48
#define QUEUES VHOST_NUM_QUEUES_MAX

/* Where the legal handshake puts a ring of up to 64 entries, in WORLD_RAM. */
#define RING_STRIDE 0x1000U
#define RING_AVAIL 0x400U
#define RING_USED 0x800U

enum {
	OP_RAW,
	OP_NUMBER,
	OP_STATE,
	OP_ADDRESS,
	OP_EVENT,
	OP_REGION,
	OP_TABLE,
	OP_CONFIG,
	OP_LOG,
	OP_HANDSHAKE,
	OP_RECONNECT,
	OP_MEMORY,
	OP_SIGNAL,
	OP_CLEAR_KICK,
	OP_CALL,
	OP_ERROR,
	OP_SERVE,
	OP_CONFIG_CHANGED,
	OP_NEEDS_RESET,
	OP_FAIL,
	OP_HOOK,
	OP_COUNT
};

static const struct oplist_op ops[OP_COUNT] = {
	[OP_RAW] = {.name = "raw",
		    .tail = "payload",
		    .fields = {{"request", 1, OPLIST_CHOICE, MAX_REQUEST},
			       {"flags", 4, OPLIST_BITS, 0},
			       {"size_set", 1, OPLIST_CHOICE, 2},
			       {"size", 4, OPLIST_LENGTH, 0},
			       {"descriptors", 1, OPLIST_CHOICE, VHOST_MAX_FDS + 1},
			       {"files", 8, OPLIST_NUMBER, 0},
			       {"lost", 1, OPLIST_COUNT, 0}}},
	[OP_NUMBER] = {.name = "number",
		       .fields = {{"request", 1, OPLIST_CHOICE, MAX_REQUEST},
				  {"value", 8, OPLIST_BITS, 0},
				  {"need_reply", 1, OPLIST_CHOICE, 2}}},
	[OP_STATE] = {.name = "state",
		      .fields = {{"request", 1, OPLIST_CHOICE, MAX_REQUEST},
				 {"index", 4, OPLIST_COUNT, 0},
				 {"num", 4, OPLIST_INDEX, 0},
				 {"need_reply", 1, OPLIST_CHOICE, 2}}},
	[OP_ADDRESS] = {.name = "address",
			.fields = {{"index", 4, OPLIST_COUNT, 0},
				   {"flags", 4, OPLIST_COUNT, 0},
				   {"desc", 8, OPLIST_MEMORY, 0},
				   {"used", 8, OPLIST_MEMORY, 0},
				   {"avail", 8, OPLIST_MEMORY, 0},
				   {"log", 8, OPLIST_MEMORY, 0},
				   {"need_reply", 1, OPLIST_CHOICE, 2}}},
	[OP_EVENT] = {.name = "event",
		      .fields = {{"request", 1, OPLIST_CHOICE, 5},
				 {"value", 8, OPLIST_COUNT, 0},
				 {"file", 1, OPLIST_CHOICE, WORLD_FILE_COUNT + 1},
				 {"need_reply", 1, OPLIST_CHOICE, 2}}},
	[OP_REGION] = {.name = "region",
		       .fields = {{"what", 1, OPLIST_CHOICE, 4},
				  {"guest", 8, OPLIST_MEMORY, 0},
				  {"size", 8, OPLIST_LENGTH, 0},
				  {"user", 8, OPLIST_MEMORY, 0},
				  {"offset", 8, OPLIST_LENGTH, 0},
				  {"file", 1, OPLIST_CHOICE, WORLD_FILE_COUNT},
				  {"need_reply", 1, OPLIST_CHOICE, 2}}},
	[OP_TABLE] = {.name = "table", .fields = {{"need_reply", 1, OPLIST_CHOICE, 2}}},
	[OP_CONFIG] = {.name = "config",
		       .tail = "bytes",
		       .fields = {{"write", 1, OPLIST_CHOICE, 2},
				  {"offset", 4, OPLIST_LENGTH, 0},
				  {"size", 4, OPLIST_LENGTH, 0},
				  {"flags", 4, OPLIST_COUNT, 0},
				  {"need_reply", 1, OPLIST_CHOICE, 2}}},
	[OP_LOG] = {.name = "log",
		    .fields = {{"size", 8, OPLIST_LENGTH, 0},
			       {"offset", 8, OPLIST_LENGTH, 0},
			       {"file", 1, OPLIST_CHOICE, WORLD_FILE_COUNT}}},
	[OP_HANDSHAKE] = {.name = "handshake",
			  .fields = {{"features", 8, OPLIST_BITS, 0},
				     {"entries_log2", 1, OPLIST_CHOICE, 7},
				     {"slots", 1, OPLIST_CHOICE, 2},
				     {"status", 1, OPLIST_CHOICE, 2}}},
	[OP_RECONNECT] = {.name = "reconnect"},
	[OP_MEMORY] = {.name = "memory",
		       .tail = "bytes",
		       .fields = {{"offset", 2, OPLIST_CHOICE, WORLD_RAM_SIZE}}},
	[OP_SIGNAL] = {.name = "signal",
		       .fields = {{"file", 1, OPLIST_CHOICE, WORLD_FILE_COUNT},
				  {"count", 8, OPLIST_COUNT, 0}}},
	[OP_CLEAR_KICK] = {.name = "clear_kick", .fields = {{"queue", 1, OPLIST_CHOICE, QUEUES}}},
	[OP_CALL] = {.name = "call", .fields = {{"queue", 1, OPLIST_CHOICE, QUEUES}}},
	[OP_ERROR] = {.name = "error", .fields = {{"queue", 1, OPLIST_CHOICE, QUEUES}}},
	[OP_SERVE] = {.name = "serve", .fields = {{"queue", 1, OPLIST_CHOICE, QUEUES}}},
	[OP_CONFIG_CHANGED] = {.name = "config_changed"},
	[OP_NEEDS_RESET] = {.name = "needs_reset"},
	[OP_FAIL] = {.name = "fail", .fields = {{"after", 1, OPLIST_COUNT, 0}}},
	[OP_HOOK] = {.name = "hook",
		     .fields = {{"point", 1, OPLIST_CHOICE, 5}, {"delay", 8, OPLIST_TIME, 0}}},
};

static const struct oplist_schema schema = {
	.name = "vhost_user",
	.id = 4,
	.count = OP_COUNT,
	.ops = ops,
	.memory_start = GUEST,
	.memory_size = WORLD_RAM_SIZE,
};

struct state {
	struct backend be;
	struct violation_sink sink;
	bool started[QUEUES], ready;
	int polled[QUEUES]; /* kick descriptors as told, -1: none */
	uint8_t config[16];
	uint8_t staged[VHOST_MAX_MEM_TABLE][VHOST_MEM_REGION_SIZE];
	enum world_file staged_files[VHOST_MAX_MEM_TABLE];
	unsigned int staged_count;
	unsigned int crash_at; /* point + 1, 0: none */
	uint64_t delay;
	bool guilty; /* the front-end did something that may be refused */
};

/* ---- the device above --------------------------------------------------------------------- */

static void on_started(void *ctx, unsigned int queue)
{
	struct state *state = ctx;
	const struct backend_queue *q = &state->be.queues[queue];
	uint32_t num = q->vq.num;
	enum world_file file;
	size_t offset;

	ORACLE("started-twice", !state->started[queue], "queue %u", queue);
	ORACLE("started-early",
	       q->num_set && q->addr_set && q->kick_set && q->enabled && state->be.features_set,
	       "queue %u lacks something", queue);
	ORACLE("ring-outside-memory",
	       world_locate(q->vq.rings.desc, vring_desc_bytes(num), &file, &offset) &&
		       world_locate(q->vq.rings.avail, vring_avail_bytes(num), &file, &offset) &&
		       world_locate(q->vq.rings.used, vring_used_bytes(num), &file, &offset),
	       "queue %u of %u entries", queue, num);
	state->started[queue] = true;
}

static void on_stopping(void *ctx, unsigned int queue)
{
	struct state *state = ctx;

	ORACLE("stopped-twice", state->started[queue], "queue %u", queue);
	ORACLE("stopped-in-use", !state->ready, "queue %u stops and the driver is ready", queue);
	state->started[queue] = false;
}

static void on_ready(void *ctx)
{
	struct state *state = ctx;

	ORACLE("ready-early", !state->ready, "the driver is ready twice");
	for (unsigned int i = 0; i < QUEUES; i++)
		ORACLE("ready-early", state->started[i], "queue %u is not started", i);
	state->ready = true;
}

static void on_gone(void *ctx)
{
	struct state *state = ctx;

	ORACLE("gone-twice", state->ready, "a driver is gone that was not ready");
	state->ready = false;
}

static void on_kick_fd(void *ctx, unsigned int queue, int fd)
{
	struct state *state = ctx;

	ORACLE("kick-descriptor", fd < 0 || world_is_open(fd), "queue %u: a closed descriptor",
	       queue);
	state->polled[queue] = fd;
}

static void on_kick(void *ctx, unsigned int queue)
{
	const struct state *state = ctx;

	ORACLE("kick-stopped", state->started[queue], "queue %u is not started", queue);
}

static void on_reset(void *ctx)
{
	const struct state *state = ctx;

	ORACLE("reset-in-use", !state->ready && !state->started[0] && !state->started[1],
	       "a device is reset that is in use");
}

static int on_config_read(void *ctx, uint32_t offset, uint32_t size, uint8_t *to)
{
	const struct state *state = ctx;

	ORACLE("config-range",
	       offset <= sizeof(state->config) && size <= sizeof(state->config) - offset,
	       "%u bytes at %u", size, offset);
	memcpy(to, state->config + offset, size);
	return 0;
}

static int on_config_write(void *ctx, uint32_t offset, uint32_t size, const uint8_t *from)
{
	struct state *state = ctx;

	ORACLE("config-range",
	       offset <= sizeof(state->config) && size <= sizeof(state->config) - offset,
	       "%u bytes at %u", size, offset);
	memcpy(state->config + offset, from, size);
	return size == 3 ? -EINVAL : 0;
}

static bool on_point(void *ctx, enum backend_point point)
{
	const struct state *state = ctx;

	return state->crash_at == (unsigned int)point + 1;
}

static uint64_t on_delay(void *ctx, uint32_t request)
{
	const struct state *state = ctx;

	return state->delay;
}

static const struct backend_hooks hooks = {.crash = on_point, .reply_delay = on_delay};

static const struct backend_ops backend_ops = {
	.queue_started = on_started,
	.queue_stopping = on_stopping,
	.driver_ok = on_ready,
	.driver_gone = on_gone,
	.kick_fd = on_kick_fd,
	.kick = on_kick,
	.reset = on_reset,
	.config_read = on_config_read,
	.config_write = on_config_write,
	.hooks = &hooks,
};

static void on_violation(void *ctx, const struct violation_record *record)
{
	const struct state *state = ctx;

	ORACLE("innocent-front-end", state->guilty, "%s (%s): expected %llu, seen %llu",
	       violation_name(record->what), violation_requirement(record->what),
	       (unsigned long long)record->expected, (unsigned long long)record->seen);
}

static void connect_front_end(struct state *state)
{
	const struct backend_offer offer = {
		.features = VIRTIO_BIT(0) | VIRTIO_BIT(VIRTIO_F_VERSION_1) |
			    VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC) |
			    VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX),
		.num_queues = QUEUES,
		.config_size = sizeof(state->config),
		.backend_requests = true,
	};

	ORACLE("init", backend_init(&state->be, &offer, &backend_ops, state, &state->sink) == 0,
	       "no session");
	state->polled[0] = state->polled[1] = -1;
	state->staged_count = 0;
}

/* ---- oracles ------------------------------------------------------------------------------ */

static unsigned int count_event(const struct backend_event *event)
{
	if (event->fd < 0)
		return 0;
	ORACLE("stale-descriptor", world_is_open(event->fd), "the session holds a closed one");
	return 1;
}

static void check_holdings(const struct state *state)
{
	const struct backend *be = &state->be;
	unsigned int descriptors = count_event(&be->log_event);
	unsigned int mappings = be->map_count + (be->log_map.at != NULL);

	for (unsigned int i = 0; i < QUEUES; i++) {
		descriptors += count_event(&be->queues[i].kick);
		descriptors += count_event(&be->queues[i].call);
		descriptors += count_event(&be->queues[i].err);
		ORACLE("kick-descriptor",
		       !state->started[i] || state->polled[i] == be->queues[i].kick.fd,
		       "queue %u is polled for another descriptor than its own", i);
	}
	if (be->request_fd >= 0)
		descriptors++;
	ORACLE("descriptor-leak", descriptors == world_descriptors(),
	       "%u descriptors are open, the session holds %u", world_descriptors(), descriptors);
	ORACLE("mapping-leak", mappings == world_mappings(),
	       "there are %u mappings, the session holds %u", world_mappings(), mappings);
	ORACLE("regions", be->map_count == be->mem.count, "%u regions in %u mappings",
	       be->mem.count, be->map_count);
}

/* What a request that is refused leaves alone, each value as a number of its own. */
struct snapshot {
	uint64_t values[7 + QUEUES * 13 + GMEM_MAX_REGIONS * 4];
	unsigned int count;
};

static void note(struct snapshot *to, uint64_t value)
{
	to->values[to->count++] = value;
}

static void take_snapshot(const struct backend *be, struct snapshot *to)
{
	to->count = 0;
	note(to, be->acked);
	note(to, be->protocol_acked);
	note(to, be->log_size);
	note(to, (uint64_t)be->log_event.fd);
	note(to, (uint64_t)be->request_fd);
	note(to, be->status);
	note(to, be->mem.count);
	for (unsigned int i = 0; i < QUEUES; i++) {
		const struct backend_queue *q = &be->queues[i];

		note(to, q->desc_user);
		note(to, q->avail_user);
		note(to, q->used_user);
		note(to, q->log_guest);
		note(to, q->num);
		note(to, q->base);
		note(to, (uint64_t)q->kick.fd);
		note(to, (uint64_t)q->call.fd);
		note(to, (uint64_t)q->err.fd);
		note(to, q->num_set + 2U * q->addr_set);
		note(to, q->kick_set);
		note(to, q->enabled);
		note(to, q->vq.started);
	}
	for (unsigned int i = 0; i < be->mem.count; i++) {
		note(to, be->mem.regions[i].guest_addr);
		note(to, be->mem.regions[i].size);
		note(to, be->mem.regions[i].user_addr);
		note(to, (uintptr_t)be->mem.regions[i].host);
	}
}

static bool is_same(const struct snapshot *one, const struct snapshot *two)
{
	if (one->count != two->count)
		return false;
	for (unsigned int i = 0; i < one->count; i++)
		if (one->values[i] != two->values[i])
			return false;
	return true;
}

/* ---- messages ----------------------------------------------------------------------------- */

static void end(struct state *state)
{
	backend_fini(&state->be);
	ORACLE("descriptor-leak", world_descriptors() == 0, "%u are open after the session",
	       world_descriptors());
	ORACLE("mapping-leak", world_mappings() == 0, "there are %u after the session",
	       world_mappings());
	ORACLE("still-in-use", !state->ready && !state->started[0] && !state->started[1],
	       "the session is over and the device in use");
}

static bool always_answered(uint32_t request)
{
	return request == VHOST_GET_FEATURES || request == VHOST_GET_PROTOCOL_FEATURES ||
	       request == VHOST_GET_QUEUE_NUM || request == VHOST_GET_VRING_BASE ||
	       request == VHOST_GET_CONFIG || request == VHOST_GET_MAX_MEM_SLOTS ||
	       request == VHOST_GET_STATUS || request == VHOST_SET_LOG_BASE;
}

static void check_reply(const struct state *state, const struct vhost_msg *asked,
			const struct vhost_msg *reply, const struct snapshot *before)
{
	static struct snapshot after;

	ORACLE("reply-header",
	       reply->request == asked->request &&
		       reply->flags == (VHOST_VERSION | VHOST_FLAG_REPLY) &&
		       reply->size <= VHOST_MAX_PAYLOAD && reply->fd_count == 0,
	       "request %u, flags 0x%x, %u bytes in answer to %u", reply->request, reply->flags,
	       reply->size, asked->request);
	ORACLE("reply-unasked",
	       always_answered(asked->request) || (asked->flags & VHOST_FLAG_NEED_REPLY) != 0,
	       "request %u is answered", asked->request);
	if (always_answered(asked->request) ? reply->size != 0 : vhost_get_u64(reply->payload) == 0)
		return;
	take_snapshot(&state->be, &after);
	ORACLE("refused-but-done", is_same(before, &after),
	       "request %u was refused and changed the session", asked->request);
}

static bool send(struct state *state, struct vhost_msg *msg)
{
	static struct snapshot before;
	static struct vhost_msg reply;
	struct vhost_msg asked;
	int ret;

	asked.request = msg->request;
	asked.flags = msg->flags;
	take_snapshot(&state->be, &before);
	ret = backend_handle(&state->be, msg, &reply);
	ORACLE("descriptors-kept", msg->fd_count == 0, "%u are left in the message", msg->fd_count);
	if (ret == 1) {
		check_reply(state, &asked, &reply, &before);
	} else if (ret != 0) {
		ORACLE("result",
		       ret == -EPROTO || (ret == -ECONNABORTED && state->crash_at != 0) ||
			       world_failed(),
		       "request %u: %d", asked.request, ret);
		end(state);
		connect_front_end(state);
	}
	check_holdings(state);
	return ret >= 0;
}

static void add_file(struct vhost_msg *msg, enum world_file file)
{
	int fd = world_open(file);

	if (fd >= 0 && msg->fd_count < VHOST_MAX_FDS)
		msg->fds[msg->fd_count++] = fd;
}

static uint32_t need_reply(const struct oplist_item *item, unsigned int field)
{
	return oplist_get(&schema, item, field) != 0 ? VHOST_FLAG_NEED_REPLY : 0;
}

static void raw(struct state *state, const struct oplist_item *item)
{
	uint64_t files = oplist_get(&schema, item, 5);
	uint64_t count = oplist_get(&schema, item, 4);
	struct vhost_msg msg;
	const uint8_t *tail;
	size_t size;

	vhost_msg_init(&msg, (uint32_t)oplist_get(&schema, item, 0), 0);
	msg.flags = VHOST_VERSION ^ (uint32_t)oplist_get(&schema, item, 1);
	tail = oplist_tail(&schema, item, &size);
	if (size > VHOST_MAX_PAYLOAD)
		size = VHOST_MAX_PAYLOAD;
	memset(msg.payload, 0, sizeof(msg.payload));
	if (size != 0)
		memcpy(msg.payload, tail, size);
	msg.size = (uint32_t)size;
	/* A reader of sockets knows how many bytes came: what is less is not possible. */
	if (oplist_get(&schema, item, 2) != 0)
		msg.size = (uint32_t)oplist_get(&schema, item, 3);
	for (uint64_t i = 0; i < count; i++, files >>= 8)
		add_file(&msg, (enum world_file)((files & 0xff) % WORLD_FILE_COUNT));
	msg.fds_lost = (uint32_t)oplist_get(&schema, item, 6);
	(void)send(state, &msg);
}

static bool send_number(struct state *state, uint32_t request, uint64_t value, uint32_t flags)
{
	struct vhost_msg msg;

	vhost_msg_init(&msg, request, flags);
	vhost_put_u64(msg.payload, value);
	msg.size = 8;
	return send(state, &msg);
}

static bool send_bare(struct state *state, uint32_t request, uint32_t flags)
{
	struct vhost_msg msg;

	vhost_msg_init(&msg, request, flags);
	return send(state, &msg);
}

static bool send_state(struct state *state, uint32_t request, uint32_t index, uint32_t num,
		       uint32_t flags)
{
	return send_number(state, request, index | (uint64_t)num << 32, flags);
}

static bool send_address(struct state *state, uint64_t index_flags, const uint64_t *at,
			 uint32_t flags)
{
	struct vhost_msg msg;

	vhost_msg_init(&msg, VHOST_SET_VRING_ADDR, flags);
	vhost_put_u64(msg.payload, index_flags);
	for (unsigned int i = 0; i < 4; i++)
		vhost_put_u64(msg.payload + 8 + (size_t)i * 8, at[i]);
	msg.size = VHOST_VRING_ADDR_SIZE;
	return send(state, &msg);
}

static void address(struct state *state, const struct oplist_item *item)
{
	uint64_t at[4];

	/* Guest addresses as the mutator knows them; the ring's are those of the front-end. */
	for (unsigned int i = 0; i < 4; i++)
		at[i] = oplist_get(&schema, item, 2 + i) + (i < 3 ? USER - GUEST : 0);
	(void)send_address(state,
			   (oplist_get(&schema, item, 0) & UINT32_MAX) |
				   oplist_get(&schema, item, 1) << 32,
			   at, need_reply(item, 6));
}

static bool send_event(struct state *state, uint32_t request, uint64_t value, unsigned int file,
		       uint32_t flags)
{
	struct vhost_msg msg;

	vhost_msg_init(&msg, request, flags);
	vhost_put_u64(msg.payload, value);
	msg.size = 8;
	if (file < WORLD_FILE_COUNT)
		add_file(&msg, (enum world_file)file);
	return send(state, &msg);
}

static void put_region(uint8_t *to, uint64_t guest, uint64_t size, uint64_t user, uint64_t offset)
{
	vhost_put_u64(to, guest);
	vhost_put_u64(to + 8, size);
	vhost_put_u64(to + 16, user);
	vhost_put_u64(to + 24, offset);
}

static bool send_region(struct state *state, uint32_t request, const uint8_t *region,
			enum world_file file, uint32_t flags)
{
	struct vhost_msg msg;

	vhost_msg_init(&msg, request, flags);
	vhost_put_u64(msg.payload, request == VHOST_SET_MEM_TABLE);
	memcpy(msg.payload + VHOST_MEM_HDR_SIZE, region, VHOST_MEM_REGION_SIZE);
	msg.size = VHOST_MEM_HDR_SIZE + VHOST_MEM_REGION_SIZE;
	add_file(&msg, file);
	return send(state, &msg);
}

static void region(struct state *state, const struct oplist_item *item)
{
	static const uint32_t requests[] = {VHOST_ADD_MEM_REG, VHOST_REM_MEM_REG};
	enum world_file file = (enum world_file)oplist_get(&schema, item, 5);
	uint64_t what = oplist_get(&schema, item, 0);
	uint8_t bytes[VHOST_MEM_REGION_SIZE];

	put_region(bytes, oplist_get(&schema, item, 1), oplist_get(&schema, item, 2),
		   oplist_get(&schema, item, 3) + USER - GUEST, oplist_get(&schema, item, 4));
	if (what < 2) {
		(void)send_region(state, requests[what], bytes, file, need_reply(item, 6));
		return;
	}
	if (state->staged_count == VHOST_MAX_MEM_TABLE)
		return;
	memcpy(state->staged[state->staged_count], bytes, sizeof(bytes));
	state->staged_files[state->staged_count++] = file;
}

static void table(struct state *state, uint32_t flags)
{
	struct vhost_msg msg;

	vhost_msg_init(&msg, VHOST_SET_MEM_TABLE, flags);
	vhost_put_u64(msg.payload, state->staged_count);
	memcpy(msg.payload + VHOST_MEM_HDR_SIZE, state->staged, sizeof(state->staged));
	msg.size = VHOST_MEM_HDR_SIZE + state->staged_count * VHOST_MEM_REGION_SIZE;
	for (unsigned int i = 0; i < state->staged_count; i++)
		add_file(&msg, state->staged_files[i]);
	state->staged_count = 0;
	(void)send(state, &msg);
}

static void config(struct state *state, const struct oplist_item *item)
{
	uint32_t size = (uint32_t)oplist_get(&schema, item, 2);
	struct vhost_msg msg;
	const uint8_t *tail;
	size_t bytes;

	vhost_msg_init(&msg,
		       oplist_get(&schema, item, 0) != 0 ? VHOST_SET_CONFIG : VHOST_GET_CONFIG,
		       need_reply(item, 4));
	memset(msg.payload, 0, sizeof(msg.payload));
	vhost_put_u32(msg.payload, (uint32_t)oplist_get(&schema, item, 1));
	vhost_put_u32(msg.payload + 4, size);
	vhost_put_u32(msg.payload + 8, (uint32_t)oplist_get(&schema, item, 3));
	tail = oplist_tail(&schema, item, &bytes);
	if (bytes > VHOST_CONFIG_MAX)
		bytes = VHOST_CONFIG_MAX;
	if (bytes != 0)
		memcpy(msg.payload + VHOST_CONFIG_HDR_SIZE, tail, bytes);
	msg.size = VHOST_CONFIG_HDR_SIZE + (size <= VHOST_CONFIG_MAX ? size : 0);
	(void)send(state, &msg);
}

static void dirty_log(struct state *state, const struct oplist_item *item)
{
	struct vhost_msg msg;

	vhost_msg_init(&msg, VHOST_SET_LOG_BASE, 0);
	vhost_put_u64(msg.payload, oplist_get(&schema, item, 0));
	vhost_put_u64(msg.payload + 8, oplist_get(&schema, item, 1));
	msg.size = VHOST_LOG_SIZE;
	add_file(&msg, (enum world_file)oplist_get(&schema, item, 2));
	(void)send(state, &msg);
}

/* All that a good front-end does, on a connection of its own. */
static void handshake(struct state *state, const struct oplist_item *item)
{
	const uint64_t ring_bits = VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	uint64_t features = (state->be.offer.features & ~oplist_get(&schema, item, 0)) | ring_bits;
	uint64_t protocol =
		VIRTIO_BIT(VHOST_PROTOCOL_F_REPLY_ACK) | VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIG) |
		VIRTIO_BIT(VHOST_PROTOCOL_F_BACKEND_REQ) |
		VIRTIO_BIT(VHOST_PROTOCOL_F_RESET_DEVICE) | VIRTIO_BIT(VHOST_PROTOCOL_F_LOG_SHMFD);
	uint32_t num = UINT32_C(1) << oplist_get(&schema, item, 1);
	bool slots = oplist_get(&schema, item, 2) != 0;
	bool status = oplist_get(&schema, item, 3) != 0;
	uint8_t bytes[VHOST_MEM_REGION_SIZE];
	bool good, was_guilty = state->guilty;

	if (slots)
		protocol |= VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
	if (status)
		protocol |= VIRTIO_BIT(VHOST_PROTOCOL_F_STATUS);
	end(state);
	connect_front_end(state);
	state->guilty = state->crash_at != 0;
	put_region(bytes, GUEST, WORLD_RAM_SIZE, USER, 0);
	good = send_bare(state, VHOST_GET_FEATURES, 0) && send_bare(state, VHOST_SET_OWNER, 0) &&
	       send_bare(state, VHOST_GET_PROTOCOL_FEATURES, 0) &&
	       send_number(state, VHOST_SET_PROTOCOL_FEATURES, protocol, 0) &&
	       send_number(state, VHOST_SET_FEATURES, features, VHOST_FLAG_NEED_REPLY) &&
	       send_region(state, slots ? VHOST_ADD_MEM_REG : VHOST_SET_MEM_TABLE, bytes, WORLD_RAM,
			   VHOST_FLAG_NEED_REPLY);
	for (unsigned int i = 0; good && i < QUEUES; i++) {
		uint64_t ring = USER + (uint64_t)i * RING_STRIDE;
		const uint64_t at[] = {ring, ring + RING_USED, ring + RING_AVAIL,
				       GUEST + (uint64_t)i * RING_STRIDE + RING_USED};

		good = send_event(state, VHOST_SET_VRING_CALL, i, WORLD_EVENT_1, 0) &&
		       send_event(state, VHOST_SET_VRING_ERR, i, WORLD_EVENT_2, 0) &&
		       send_state(state, VHOST_SET_VRING_NUM, i, num, 0) &&
		       send_state(state, VHOST_SET_VRING_BASE, i, 0, 0) &&
		       send_address(state, i, at, 0) &&
		       send_event(state, VHOST_SET_VRING_KICK, i, WORLD_EVENT_0, 0) &&
		       send_state(state, VHOST_SET_VRING_ENABLE, i, 1, VHOST_FLAG_NEED_REPLY);
	}
	if (good && status)
		good = send_number(state, VHOST_SET_STATUS, 11, 0) &&
		       send_number(state, VHOST_SET_STATUS, 15, 0);
	ORACLE("good-front-end", state->ready || !good || world_failed(),
	       "a front-end that did all is not ready");
	state->guilty = was_guilty || !good;
}

/* ---- the device at work ------------------------------------------------------------------- */

static void serve(struct state *state, unsigned int queue)
{
	struct virtq *vq = &state->be.queues[queue].vq;
	struct virtq_chain chain;

	state->guilty = true;
	if (!vq->started || virtq_pop(vq, &chain) != 1)
		return;
	(void)virtq_write(vq, &chain, 0, "answer", 6);
	(void)virtq_push(vq, chain.head, chain.writable < 6 ? chain.writable : 6);
	if (virtq_flush(vq))
		backend_call(&state->be, queue);
}

static void put_memory(const struct oplist_item *item)
{
	uint64_t offset = oplist_get(&schema, item, 0);
	const uint8_t *tail;
	size_t size, room;
	uint8_t *memory = world_memory(WORLD_RAM, &room);

	tail = oplist_tail(&schema, item, &size);
	if (size > room - offset)
		size = room - offset;
	if (size != 0)
		memcpy(memory + offset, tail, size);
}

static void one_op(struct state *state, const struct oplist_item *item)
{
	static const uint32_t events[] = {VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL,
					  VHOST_SET_VRING_ERR, VHOST_SET_LOG_FD,
					  VHOST_SET_BACKEND_REQ_FD};
	uint64_t first = oplist_get(&schema, item, 0);

	if (item->code < OP_HANDSHAKE)
		state->guilty = true;
	switch (item->code) {
	case OP_RAW:
		raw(state, item);
		break;
	case OP_NUMBER:
		(void)send_number(state, (uint32_t)first, oplist_get(&schema, item, 1),
				  need_reply(item, 2));
		break;
	case OP_STATE:
		(void)send_state(state, (uint32_t)first, (uint32_t)oplist_get(&schema, item, 1),
				 (uint32_t)oplist_get(&schema, item, 2), need_reply(item, 3));
		break;
	case OP_ADDRESS:
		address(state, item);
		break;
	case OP_EVENT:
		(void)send_event(state, events[first], oplist_get(&schema, item, 1),
				 (unsigned int)oplist_get(&schema, item, 2), need_reply(item, 3));
		break;
	case OP_REGION:
		region(state, item);
		break;
	case OP_TABLE:
		table(state, need_reply(item, 0));
		break;
	case OP_CONFIG:
		config(state, item);
		break;
	case OP_LOG:
		dirty_log(state, item);
		break;
	case OP_HANDSHAKE:
		handshake(state, item);
		break;
	case OP_RECONNECT:
		end(state);
		connect_front_end(state);
		break;
	case OP_MEMORY:
		put_memory(item);
		break;
	case OP_SIGNAL:
		world_signal((enum world_file)first, oplist_get(&schema, item, 1));
		break;
	case OP_CLEAR_KICK:
		(void)backend_clear_kick(&state->be, (unsigned int)first);
		break;
	case OP_CALL:
		backend_call(&state->be, (unsigned int)first);
		break;
	case OP_ERROR:
		backend_signal_error(&state->be, (unsigned int)first);
		break;
	case OP_SERVE:
		serve(state, (unsigned int)first);
		break;
	case OP_CONFIG_CHANGED:
		(void)backend_config_changed(&state->be);
		break;
	case OP_NEEDS_RESET:
		(void)backend_needs_reset(&state->be);
		break;
	case OP_FAIL:
		world_fail((uint32_t)first);
		break;
	default:
		state->crash_at = (unsigned int)first;
		state->delay = oplist_get(&schema, item, 1);
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
	state.sink = (struct violation_sink){.report = on_violation, .ctx = &state};
	world_begin(NULL);
	connect_front_end(&state);
	for (unsigned int i = 0; i < list.count; i++) {
		one_op(&state, &list.items[i]);
		check_holdings(&state);
	}
	end(&state);
	world_end();
	return 0;
}

const struct fuzz_target fuzz_target = {
	.name = "vhost_user",
	.summary = "messages of a front-end into the vhost-user back-end, descriptors included",
	.schema = &schema,
	.run = run,
};
