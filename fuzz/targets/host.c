/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host of rpmsg-host, front-end and driver side, against a device that says what it likes: in
 * answers of the back-end, in rings, in buffers, in interrupts; and the front-end by itself, with
 * options of all kinds. The device's side of the connection is a peer of common/world.h, and its
 * time passes only there.
 *
 * Oracles: what a callback is given is a message that lies within its buffer; a byte of a message
 * is read once; counters and free buffers add up; a device that did nothing wrong is blamed for
 * nothing, and the host starts on it; what fails says why; nothing is left open or mapped.
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/oracle.h"
#include "common/reads.h"
#include "common/target.h"
#include "common/world.h"
#include "host/host.h"
#include "virtio/vring.h"
#include "wire/bytes.h"

#define MAX_LIES 8
#define MAX_ASLEEP 16
#define LOOK_NS 4000 /* between two looks at the clock of a host that polls */
#define MAX_FDS 64
#define STREAM 8192
#define CONFIG_SIZE 16
#define NS_PER_MS UINT64_C(1000000)
#define MAX_ENTRIES 64
#define MAX_MEMORY (UINT64_C(32) << 20)

enum {
	OP_OFFER,
	OP_CONFIG,
	OP_LIE,
	OP_OPEN,
	OP_STOP,
	OP_CLOSE,
	OP_BIND,
	OP_SEND,
	OP_ANNOUNCE,
	OP_TURN,
	OP_WAIT,
	OP_DRAIN,
	OP_MESSAGE,
	OP_RAW,
	OP_NAME,
	OP_RETURN,
	OP_USED,
	OP_INDEX,
	OP_SCRIBBLE,
	OP_SIGNAL,
	OP_UNASKED,
	OP_HANG_UP,
	OP_FRONTEND,
	OP_CONFIG_SPACE,
	OP_ASLEEP,
	OP_COUNT
};

static const struct oplist_op ops[OP_COUNT] = {
	[OP_OFFER] = {.name = "offer",
		      .fields = {{"without", 8, OPLIST_BITS, 0},
				 {"protocol_without", 8, OPLIST_BITS, 0}}},
	[OP_CONFIG] = {.name = "config",
		       .fields = {{"version", 1, OPLIST_COUNT, 0},
				  {"size", 2, OPLIST_COUNT, 0},
				  {"to_host", 4, OPLIST_LENGTH, 0},
				  {"to_remote", 4, OPLIST_LENGTH, 0}}},
	[OP_LIE] = {.name = "lie",
		    .fields = {{"answer", 1, OPLIST_COUNT, 0},
			       {"what", 1, OPLIST_CHOICE, 7},
			       {"value", 8, OPLIST_BITS, 0},
			       {"file", 1, OPLIST_CHOICE, WORLD_FILE_COUNT}}},
	[OP_OPEN] = {.name = "open",
		     .fields = {{"entries_log2", 1, OPLIST_CHOICE, 7},
				{"buffers", 1, OPLIST_COUNT, 0},
				{"buffer_size", 2, OPLIST_LENGTH, 0},
				{"flags", 1, OPLIST_CHOICE, 32}}},
	[OP_STOP] = {.name = "stop"},
	[OP_CLOSE] = {.name = "close"},
	[OP_BIND] = {.name = "bind", .fields = {{"address", 4, OPLIST_ADDRESS, 0}}},
	[OP_SEND] = {.name = "send",
		     .tail = "payload",
		     .fields = {{"source", 4, OPLIST_ADDRESS, 0},
				{"destination", 4, OPLIST_ADDRESS, 0},
				{"ms", 1, OPLIST_COUNT, 0}}},
	[OP_ANNOUNCE] = {.name = "announce",
			 .fields = {{"address", 4, OPLIST_ADDRESS, 0},
				    {"create", 1, OPLIST_CHOICE, 2}}},
	[OP_TURN] = {.name = "turn"},
	[OP_WAIT] = {.name = "wait", .fields = {{"ms", 2, OPLIST_COUNT, 0}}},
	[OP_DRAIN] = {.name = "drain", .fields = {{"ms", 2, OPLIST_COUNT, 0}}},
	[OP_MESSAGE] = {.name = "message",
			.tail = "payload",
			.fields = {{"source", 4, OPLIST_ADDRESS, 0},
				   {"destination", 4, OPLIST_ADDRESS, 0}}},
	[OP_RAW] = {.name = "raw",
		    .tail = "message",
		    .fields = {{"used_len", 4, OPLIST_LENGTH, 0}}},
	[OP_NAME] = {.name = "name_service",
		     .tail = "name",
		     .fields = {{"source", 4, OPLIST_ADDRESS, 0},
				{"address", 4, OPLIST_ADDRESS, 0},
				{"flags", 4, OPLIST_BITS, 0}}},
	[OP_RETURN] = {.name = "return",
		       .fields = {{"count", 1, OPLIST_COUNT, 0}, {"used_len", 4, OPLIST_COUNT, 0}}},
	[OP_USED] = {.name = "used",
		     .fields = {{"queue", 1, OPLIST_CHOICE, 2},
				{"slot", 2, OPLIST_INDEX, 0},
				{"id", 4, OPLIST_INDEX, 0},
				{"length", 4, OPLIST_LENGTH, 0}}},
	[OP_INDEX] = {.name = "index",
		      .fields = {{"queue", 1, OPLIST_CHOICE, 2}, {"step", 2, OPLIST_COUNT, 0}}},
	[OP_SCRIBBLE] = {.name = "scribble",
			 .tail = "bytes",
			 .fields = {{"offset", 4, OPLIST_LENGTH, 0}}},
	[OP_SIGNAL] = {.name = "signal",
		       .fields = {{"queue", 1, OPLIST_CHOICE, 2}, {"error", 1, OPLIST_CHOICE, 2}}},
	[OP_UNASKED] = {.name = "unasked",
			.tail = "bytes",
			.fields = {{"descriptors", 1, OPLIST_CHOICE, 4},
				   {"file", 1, OPLIST_CHOICE, WORLD_FILE_COUNT}}},
	[OP_HANG_UP] = {.name = "hang_up"},
	[OP_FRONTEND] = {.name = "frontend",
			 .fields = {{"memory", 8, OPLIST_LENGTH, 0},
				    {"queues", 1, OPLIST_COUNT, 0},
				    {"entries", 4, OPLIST_INDEX, 0},
				    {"timeout_ms", 2, OPLIST_COUNT, 0},
				    {"needed", 8, OPLIST_BITS, 0},
				    {"protocol", 8, OPLIST_BITS, 0},
				    {"flags", 1, OPLIST_CHOICE, 32}}},
	[OP_CONFIG_SPACE] = {.name = "config_space",
			     .fields = {{"write", 1, OPLIST_CHOICE, 2},
					{"offset", 4, OPLIST_LENGTH, 0},
					{"size", 4, OPLIST_LENGTH, 0}}},
	[OP_ASLEEP] = {.name = "asleep",
		       .fields = {{"count", 1, OPLIST_CHOICE, MAX_ASLEEP + 1},
				  {"after_us", 2, OPLIST_COUNT, 0}}},
};

static const struct oplist_schema schema = {
	.name = "host",
	.id = 8,
	.count = OP_COUNT,
	.ops = ops,
	.memory_start = FRONTEND_GUEST_ADDR,
	.memory_size = 0x100000,
};

struct lie {
	unsigned int answer, what;
	uint64_t value;
	enum world_file file;
};

struct state {
	struct host host;
	struct world_peer peer;
	bool open, started, guilty;

	/* The device: its end of the connection, and what it was given. */
	uint64_t features, protocol;
	uint8_t config[CONFIG_SIZE], status;
	struct lie lies[MAX_LIES];
	unsigned int lie_count, answers;
	uint8_t in[VHOST_HDR_SIZE + VHOST_MAX_PAYLOAD];
	size_t in_size;
	uint8_t out[STREAM];
	size_t out_at, out_size;
	int out_fds[MAX_FDS], held[MAX_FDS];
	unsigned int out_fd_count, held_count;
	int calls[RPMSG_NUM_QUEUES], errors[RPMSG_NUM_QUEUES];
	uint16_t last_avail[RPMSG_NUM_QUEUES], used[RPMSG_NUM_QUEUES];
	bool hung_up;

	/* What it does while the host sleeps, one at a time. */
	const struct oplist_item *asleep[MAX_ASLEEP];
	unsigned int asleep_at, asleep_count, asleep_wanted;
	uint64_t asleep_ns;

	bool rings_lie; /* a buffer may be returned as often as it likes */
	struct {
		const uint8_t *at;
		uint32_t size;
	} given[MAX_ENTRIES]; /* messages that the host may read, by head */
};

/* ---- the back-end's end of the connection -------------------------------------------------- */

static void say(struct state *state, const void *bytes, size_t size)
{
	if (size > sizeof(state->out) - state->out_size)
		size = sizeof(state->out) - state->out_size;
	memcpy(state->out + state->out_size, bytes, size);
	state->out_size += size;
}

static void attach_file(struct state *state, enum world_file file)
{
	int fd = world_open(file);

	if (fd < 0)
		return;
	if (state->out_fd_count < MAX_FDS)
		state->out_fds[state->out_fd_count++] = fd;
	else
		close(fd);
}

/* The right answer to a request. Return: payload bytes, or -1: there is none. */
static int answer(struct state *state, uint32_t request, bool need_reply, uint8_t *to)
{
	switch (request) {
	case VHOST_GET_FEATURES:
		vhost_put_u64(to, state->features);
		return 8;
	case VHOST_GET_PROTOCOL_FEATURES:
		vhost_put_u64(to, state->protocol);
		return 8;
	case VHOST_GET_QUEUE_NUM:
		vhost_put_u64(to, RPMSG_NUM_QUEUES);
		return 8;
	case VHOST_GET_MAX_MEM_SLOTS:
		vhost_put_u64(to, 8);
		return 8;
	case VHOST_GET_STATUS:
		vhost_put_u64(to, state->status);
		return 8;
	case VHOST_GET_VRING_BASE:
		memcpy(to, state->in + VHOST_HDR_SIZE, 4);
		vhost_put_u32(to + 4, 0);
		return 8;
	case VHOST_GET_CONFIG:
		memcpy(to, state->in + VHOST_HDR_SIZE, VHOST_CONFIG_HDR_SIZE);
		memcpy(to + VHOST_CONFIG_HDR_SIZE, state->config, CONFIG_SIZE);
		return VHOST_CONFIG_HDR_SIZE + (int)(vhost_get_u32(to + 4) % (CONFIG_SIZE + 1));
	default:
		vhost_put_u64(to, 0);
		return need_reply ? 8 : -1;
	}
}

static void tell_lie(struct state *state, const struct lie *lie, uint8_t *bytes, uint32_t *size)
{
	uint32_t value = (uint32_t)lie->value;

	switch (lie->what) {
	case 0:
		*size = 0; /* no answer at all */
		break;
	case 1:
		vhost_put_u32(bytes, value % 64);
		break;
	case 2:
		vhost_put_u32(bytes + 4, vhost_get_u32(bytes + 4) ^ value);
		break;
	case 3:
		*size = VHOST_HDR_SIZE + value % (VHOST_MAX_PAYLOAD + 1);
		vhost_put_u32(bytes + 8, *size - VHOST_HDR_SIZE);
		break;
	case 4:
		vhost_put_u64(bytes + VHOST_HDR_SIZE, lie->value);
		break;
	case 5:
		attach_file(state, lie->file);
		break;
	default:
		vhost_put_u32(bytes + 8, value);
		break;
	}
}

static void serve(struct state *state)
{
	uint32_t request = vhost_get_u32(state->in);
	bool need_reply = (vhost_get_u32(state->in + 4) & VHOST_FLAG_NEED_REPLY) != 0;
	uint8_t bytes[VHOST_HDR_SIZE + VHOST_MAX_PAYLOAD] = {0};
	int payload = answer(state, request, need_reply, bytes + VHOST_HDR_SIZE);
	uint32_t size;

	if (request == VHOST_SET_STATUS)
		state->status = state->in[VHOST_HDR_SIZE];
	if (payload < 0)
		return;
	vhost_put_hdr(bytes, request, VHOST_VERSION | VHOST_FLAG_REPLY, (uint32_t)payload);
	size = VHOST_HDR_SIZE + (uint32_t)payload;
	for (unsigned int i = 0; i < state->lie_count; i++)
		if (state->lies[i].answer == state->answers)
			tell_lie(state, &state->lies[i], bytes, &size);
	state->answers++;
	say(state, bytes, size);
}

static void keep(struct state *state, int fd)
{
	uint32_t request = vhost_get_u32(state->in);
	unsigned int queue = state->in[VHOST_HDR_SIZE] % RPMSG_NUM_QUEUES;

	if (request == VHOST_SET_VRING_CALL)
		state->calls[queue] = fd;
	else if (request == VHOST_SET_VRING_ERR)
		state->errors[queue] = fd;
	if (state->held_count < MAX_FDS)
		state->held[state->held_count++] = fd;
	else
		close(fd);
}

/* The front-end sends each message whole. */
static void on_sent(void *ctx, const uint8_t *bytes, size_t size, const int *fds,
		    unsigned int count)
{
	struct state *state = ctx;

	ORACLE("request-size",
	       size >= VHOST_HDR_SIZE && size <= sizeof(state->in) &&
		       size == VHOST_HDR_SIZE + vhost_get_u32(bytes + 8),
	       "a request of %zu bytes", size);
	memcpy(state->in, bytes, size);
	for (unsigned int i = 0; i < count; i++)
		keep(state, fds[i]);
	if (!state->hung_up)
		serve(state);
}

static ssize_t on_receive(void *ctx, uint8_t *bytes, size_t room, int *fds, unsigned int room_fds,
			  unsigned int *count)
{
	struct state *state = ctx;
	size_t size = state->out_size - state->out_at;

	*count = 0;
	if (size == 0)
		return state->hung_up ? 0 : -1;
	if (size > room)
		size = room;
	while (*count < state->out_fd_count && *count < room_fds) {
		fds[*count] = state->out_fds[*count];
		(*count)++;
	}
	memmove(state->out_fds, state->out_fds + *count,
		(state->out_fd_count - *count) * sizeof(state->out_fds[0]));
	state->out_fd_count -= *count;
	memcpy(bytes, state->out + state->out_at, size);
	state->out_at += size;
	if (state->out_at == state->out_size)
		state->out_at = state->out_size = 0;
	return (ssize_t)size;
}

static bool on_readable(void *ctx)
{
	const struct state *state = ctx;

	return state->hung_up || state->out_at < state->out_size;
}

static bool on_gone(void *ctx)
{
	const struct state *state = ctx;

	return state->hung_up;
}

static bool on_connecting(void *ctx)
{
	return false;
}

static void on_event(void *ctx)
{
}

/* ---- the device at its rings --------------------------------------------------------------- */

/* The next buffer that the host made available. Return: where it is; NULL: none, or no memory. */
static uint8_t *take(struct state *state, unsigned int queue, uint16_t *head, uint32_t *len)
{
	const struct drvq *dq = &state->host.fe.queues[queue].dq;
	const uint8_t *avail = dq->avail, *desc;
	uint64_t offset;

	if (!state->started || dq->num == 0 ||
	    wire_get_le16(avail + VRING_IDX) == state->last_avail[queue])
		return NULL;
	*head = wire_get_le16(avail +
			      vring_avail_entry(state->last_avail[queue]++ & (dq->num - 1)));
	desc = (const uint8_t *)dq->desc + (size_t)(*head & (dq->num - 1)) * VRING_DESC_SIZE;
	offset = wire_get_le64(desc) - FRONTEND_GUEST_ADDR;
	*len = wire_get_le32(desc + 8);
	if (offset >= state->host.fe.options.memory_size ||
	    *len > state->host.fe.options.memory_size - offset)
		return NULL;
	return state->host.fe.memory + offset;
}

static void signal_fd(const struct state *state, int fd)
{
	const uint64_t one = 1;

	if (fd >= 0 && world_is_open(fd))
		(void)!write(fd, &one, sizeof(one));
}

static void push(struct state *state, unsigned int queue, uint32_t id, uint32_t len)
{
	const struct drvq *dq = &state->host.fe.queues[queue].dq;
	uint8_t *used = dq->used;
	uint8_t *entry = used + vring_used_entry(state->used[queue] & (dq->num - 1));

	wire_put_le32(entry, id);
	wire_put_le32(entry + 4, len);
	wire_put_le16(used + VRING_IDX, ++state->used[queue]);
	signal_fd(state, state->calls[queue]);
}

/* The host has read a message: by then, or not at all. */
static void check_reads(const struct state *state, unsigned int head)
{
	const uint8_t *at = state->given[head].at;
	uint32_t size = state->given[head].size;

	if (size == 0 || state->rings_lie)
		return;
	ORACLE("read-twice", reads_most(at, size) <= 1,
	       "a byte of buffer %u, which the device may change, was read %u times", head,
	       reads_most(at, size));
}

static void give(struct state *state, unsigned int head, const uint8_t *at, uint32_t size)
{
	const uint8_t *watched = state->host.fe.memory;

	if (at < watched || (size_t)(at - watched) + size > READS_MAX)
		size = 0;
	if (size != 0)
		reads_forget(at, size);
	state->given[head].at = at;
	state->given[head].size = size;
}

static void deliver(struct state *state, const void *bytes, size_t size, const uint32_t *used_len)
{
	uint32_t len = 0;
	uint16_t head;
	uint8_t *at = take(state, RPMSG_QUEUE_INPUT, &head, &len);

	if (at == NULL)
		return;
	/* What does not fit is another message than the one that was meant. */
	if (size > len) {
		size = len;
		state->guilty = true;
	}
	check_reads(state, head % MAX_ENTRIES);
	give(state, head % MAX_ENTRIES, at, len);
	if (size != 0)
		memcpy(at, bytes, size);
	push(state, RPMSG_QUEUE_INPUT, head, used_len != NULL ? *used_len : (uint32_t)size);
}

static bool is_bound(const struct state *state, uint32_t addr)
{
	for (unsigned int i = 0; i < state->host.endpoint_count; i++)
		if (state->host.endpoints[i].addr == addr)
			return true;
	return false;
}

static void message(struct state *state, const struct oplist_item *item)
{
	struct rpmsg_hdr hdr = {
		.src = (uint32_t)oplist_get(&schema, item, 0),
		.dst = (uint32_t)oplist_get(&schema, item, 1),
	};
	uint8_t bytes[4096];
	const uint8_t *tail;
	size_t size;

	tail = oplist_tail(&schema, item, &size);
	if (size > sizeof(bytes) - RPMSG_HDR_SIZE)
		size = sizeof(bytes) - RPMSG_HDR_SIZE;
	hdr.len = (uint16_t)size;
	if (hdr.src == RPMSG_ADDR_ANY || !is_bound(state, hdr.dst))
		state->guilty = true;
	rpmsg_hdr_encode(&hdr, bytes, state->host.order);
	if (size != 0)
		memcpy(bytes + RPMSG_HDR_SIZE, tail, size);
	deliver(state, bytes, RPMSG_HDR_SIZE + size, NULL);
}

static void name_service(struct state *state, const struct oplist_item *item)
{
	struct rpmsg_hdr hdr = {
		.src = (uint32_t)oplist_get(&schema, item, 0),
		.dst = RPMSG_ADDR_NS,
		.len = RPMSG_NS_MSG_SIZE,
	};
	uint8_t bytes[RPMSG_HDR_SIZE + RPMSG_NS_MSG_SIZE];
	const uint8_t *tail;
	size_t size;

	state->guilty = true;
	rpmsg_hdr_encode(&hdr, bytes, state->host.order);
	rpmsg_ns_encode("", (uint32_t)oplist_get(&schema, item, 1),
			(uint32_t)oplist_get(&schema, item, 2), bytes + RPMSG_HDR_SIZE,
			state->host.order);
	tail = oplist_tail(&schema, item, &size);
	if (size != 0)
		memcpy(bytes + RPMSG_HDR_SIZE, tail,
		       size < RPMSG_NAME_SIZE ? size : RPMSG_NAME_SIZE);
	deliver(state, bytes, sizeof(bytes), NULL);
}

static void give_back(struct state *state, const struct oplist_item *item)
{
	uint64_t count = oplist_get(&schema, item, 0);
	uint32_t used_len = (uint32_t)oplist_get(&schema, item, 1), len;
	uint16_t head;

	if (used_len != 0)
		state->guilty = true;
	while (count-- > 0 && take(state, RPMSG_QUEUE_OUTPUT, &head, &len) != NULL)
		push(state, RPMSG_QUEUE_OUTPUT, head, used_len);
}

static void write_ring(struct state *state, const struct oplist_item *item)
{
	unsigned int queue = (unsigned int)oplist_get(&schema, item, 0);
	const struct drvq *dq = &state->host.fe.queues[queue].dq;
	uint8_t *used = dq->used, *entry;

	state->guilty = state->rings_lie = true;
	if (!state->started || dq->num == 0)
		return;
	if (item->code == OP_INDEX) {
		state->used[queue] = (uint16_t)(state->used[queue] + oplist_get(&schema, item, 1));
		wire_put_le16(used + VRING_IDX, state->used[queue]);
		return;
	}
	entry = used + vring_used_entry((uint32_t)oplist_get(&schema, item, 1) & (dq->num - 1));
	wire_put_le32(entry, (uint32_t)oplist_get(&schema, item, 2));
	wire_put_le32(entry + 4, (uint32_t)oplist_get(&schema, item, 3));
}

static void scribble(struct state *state, const struct oplist_item *item)
{
	uint64_t offset = oplist_get(&schema, item, 0);
	const uint8_t *tail;
	size_t size;

	state->guilty = state->rings_lie = true;
	tail = oplist_tail(&schema, item, &size);
	if (!state->started || size == 0 || offset >= state->host.fe.memory_used ||
	    size > state->host.fe.memory_used - offset)
		return;
	memcpy(state->host.fe.memory + offset, tail, size);
}

static void unasked(struct state *state, const struct oplist_item *item)
{
	uint64_t count = oplist_get(&schema, item, 0);
	const uint8_t *tail;
	size_t size;

	state->guilty = true;
	tail = oplist_tail(&schema, item, &size);
	if (size == 0 || state->hung_up)
		return;
	while (count-- > 0)
		attach_file(state, (enum world_file)oplist_get(&schema, item, 1));
	say(state, tail, size);
}

static void device_op(struct state *state, const struct oplist_item *item)
{
	uint64_t first = oplist_get(&schema, item, 0);
	uint32_t used_len = (uint32_t)first;
	const uint8_t *tail;
	size_t size;

	switch (item->code) {
	case OP_MESSAGE:
		message(state, item);
		break;
	case OP_RAW:
		state->guilty = true;
		tail = oplist_tail(&schema, item, &size);
		deliver(state, tail, size, &used_len);
		break;
	case OP_NAME:
		name_service(state, item);
		break;
	case OP_RETURN:
		give_back(state, item);
		break;
	case OP_USED:
	case OP_INDEX:
		write_ring(state, item);
		break;
	case OP_SCRIBBLE:
		scribble(state, item);
		break;
	case OP_SIGNAL:
		state->guilty = true;
		signal_fd(state, oplist_get(&schema, item, 1) != 0 ? state->errors[first]
								   : state->calls[first]);
		break;
	case OP_UNASKED:
		unasked(state, item);
		break;
	default:
		state->guilty = true;
		state->hung_up = true;
		break;
	}
}

/* The next operations of the device are for when the host sleeps. */
static void fall_asleep(struct state *state, const struct oplist_item *item)
{
	state->asleep_wanted = (unsigned int)oplist_get(&schema, item, 0);
	state->asleep_ns = oplist_get(&schema, item, 1) * 1000;
}

static void act_or_keep(struct state *state, const struct oplist_item *item)
{
	if (state->asleep_wanted == 0) {
		device_op(state, item);
		return;
	}
	state->asleep_wanted--;
	if (state->asleep_count < MAX_ASLEEP)
		state->asleep[state->asleep_count++] = item;
}

/* Besides that, all was done before the host waits. */
static bool on_wait(void *ctx)
{
	struct state *state = ctx;

	if (state->asleep_at == state->asleep_count) {
		state->asleep_at = state->asleep_count = 0;
		return false;
	}
	world_advance(state->asleep_ns);
	device_op(state, state->asleep[state->asleep_at++]);
	return true;
}

/* ---- the host ------------------------------------------------------------------------------ */

static void on_message(void *ctx, const struct host_message *received)
{
	const struct state *state = ctx;
	const struct host *host = &state->host;

	ORACLE("message-outside-buffer",
	       received->used_len <= host->in.size &&
		       received->hdr.len + (uint32_t)RPMSG_HDR_SIZE <= received->used_len,
	       "%u bytes of %u in a buffer of %u", received->hdr.len, received->used_len,
	       host->in.size);
	ORACLE("message-shared",
	       received->payload >= host->copy &&
		       received->payload + received->hdr.len <= host->copy + sizeof(host->copy),
	       "a payload that is no private copy");
}

static void on_finding(void *ctx, const struct finding_record *record)
{
	const struct state *state = ctx;

	ORACLE("innocent-device", state->guilty, "%s: expected %llu, seen %llu",
	       finding_info(record->what)->name, (unsigned long long)record->expected,
	       (unsigned long long)record->seen);
}

static const struct host_ops host_ops = {.finding = on_finding};

static void check(const struct state *state)
{
	const struct host *host = &state->host;

	if (!state->started)
		return;
	ORACLE("buffers", host->free_count <= host->out.count, "%u of %u are free",
	       host->free_count, host->out.count);
	ORACLE("returned", host->stats.returned <= host->stats.sent, "%llu of %llu came back",
	       (unsigned long long)host->stats.returned, (unsigned long long)host->stats.sent);
	ORACLE("outstanding",
	       host->stats.sent - host->stats.returned == host_outstanding(host) || host->failed,
	       "%llu were sent, %llu came back, %u are out", (unsigned long long)host->stats.sent,
	       (unsigned long long)host->stats.returned, host_outstanding(host));
	ORACLE("delivered", host->stats.delivered <= host->stats.received, "%llu of %llu",
	       (unsigned long long)host->stats.delivered, (unsigned long long)host->stats.received);
}

static void close_host(struct state *state)
{
	state->asleep_at = state->asleep_count = state->asleep_wanted = 0;
	for (unsigned int i = 0; i < MAX_ENTRIES; i++)
		check_reads(state, i);
	memset(state->given, 0, sizeof(state->given));
	if (state->open)
		host_close(&state->host);
	state->open = state->started = false;
	for (unsigned int i = 0; i < state->held_count; i++)
		close(state->held[i]);
	for (unsigned int i = 0; i < state->out_fd_count; i++)
		close(state->out_fds[i]);
	state->held_count = state->out_fd_count = 0;
	ORACLE("descriptor-leak", world_descriptors() == 0, "%u are open", world_descriptors());
	ORACLE("mapping-leak", world_mappings() == 0, "there are %u", world_mappings());
}

static void new_connection(struct state *state)
{
	close_host(state);
	state->out_at = state->out_size = 0;
	state->answers = 0;
	state->hung_up = state->rings_lie = false;
	state->status = 0;
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		state->calls[i] = state->errors[i] = -1;
		state->last_avail[i] = state->used[i] = 0;
	}
}

static void open_host(struct state *state, const struct oplist_item *item)
{
	uint64_t flags = oplist_get(&schema, item, 3);
	struct host_options options = {
		.queue_size = UINT32_C(1) << oplist_get(&schema, item, 0),
		.buffers = (uint32_t)oplist_get(&schema, item, 1),
		.buffer_size = (uint32_t)oplist_get(&schema, item, 2),
		.no_bufsz = (flags & 1) != 0,
		.no_name_service = (flags & 2) != 0,
		.no_event_idx = (flags & 4) != 0,
		.no_indirect = (flags & 8) != 0,
		/* Not .poll: there is nobody else to run, and it would look for all of the time. */
		.spin = (flags & 16) != 0,
		.timeout_ms = 100,
	};
	int ret;

	new_connection(state);
	world_tick(options.spin ? LOOK_NS : 0);
	state->open = true;
	if (host_open(&state->host, "/device", &options, &host_ops, state) < 0)
		return;
	ret = host_start(&state->host);
	state->started = ret == 0;
	if (ret == 0)
		reads_watch(state->host.fe.memory, state->host.fe.options.memory_size < READS_MAX
							   ? state->host.fe.options.memory_size
							   : READS_MAX);
	ORACLE("innocent-device-start", ret == 0 || state->guilty || state->lie_count != 0,
	       "%d: %s", ret, host_error(&state->host));
}

/* From one end of a front-end's life to the other; Return: 0, or what failed. */
static int live(struct frontend *fe, const struct oplist_item *item)
{
	uint64_t flags = oplist_get(&schema, item, 6), guest_addr;
	uint8_t bytes[VHOST_CONFIG_MAX] = {0}, status = 0;
	int ret = frontend_negotiate(fe, UINT64_MAX >> 1, oplist_get(&schema, item, 4));

	if (ret == 0)
		ret = frontend_make_queues(fe);
	if (ret != 0)
		return ret;
	(void)frontend_alloc(fe, oplist_get(&schema, item, 0) / 2, 16, &guest_addr);
	(void)frontend_alloc(fe, oplist_get(&schema, item, 0), 4096, &guest_addr);
	ret = frontend_start(fe);
	if (ret == 0 && (flags & 4) != 0)
		ret = frontend_get_config(fe, 0, CONFIG_SIZE, bytes);
	if (ret == 0 && (flags & 8) != 0)
		ret = frontend_set_config(fe, 0, CONFIG_SIZE, bytes);
	if (ret == 0 && (flags & 16) != 0)
		ret = frontend_get_status(fe, &status);
	if (ret == 0)
		ret = frontend_kick(fe, 0);
	if (ret == 0)
		ret = frontend_wait(fe, 1);
	return ret >= 0 ? frontend_stop(fe) : ret;
}

/* A front-end without a host above it, with options of its own. */
static void frontend(struct state *state, const struct oplist_item *item)
{
	static const char long_path[] = "/a/path/that/is/longer/than/a/socket/address/has/room/for"
					"/which/is/one/hundred/and/eight/bytes/with/its/last/0";
	static struct frontend fe;
	uint64_t flags = oplist_get(&schema, item, 6);
	const struct frontend_options options = {
		.memory_size = oplist_get(&schema, item, 0),
		.num_queues = (unsigned int)oplist_get(&schema, item, 1),
		.num = (uint32_t)oplist_get(&schema, item, 2),
		.timeout_ms = (int16_t)oplist_get(&schema, item, 3),
		.protocol = oplist_get(&schema, item, 5),
		.no_protocol_features = (flags & 2) != 0,
	};
	int ret, fd;

	/* Of a world there is so much memory, and not more. */
	if (options.memory_size > MAX_MEMORY)
		return;
	new_connection(state);
	state->guilty = true;
	if ((flags & 1) != 0) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		ret = fd < 0 ? -1 : frontend_attach(&fe, fd, &options);
	} else {
		ret = frontend_open(
			&fe, (flags & 4) != 0 && options.num_queues == 1 ? long_path : "/device",
			&options);
	}
	if (ret == 0) {
		ret = live(&fe, item);
		frontend_close(&fe);
	}
	ORACLE("error-text", ret >= 0 || ret == -1 || *frontend_error(&fe) != '\0',
	       "%d, and nothing is said", ret);
	close_host(state);
}

static void config_space(struct state *state, const struct oplist_item *item)
{
	static uint8_t bytes[VHOST_CONFIG_MAX];
	uint32_t offset = (uint32_t)oplist_get(&schema, item, 1);
	uint32_t size = (uint32_t)oplist_get(&schema, item, 2);

	/* The back-end here has so much of it. */
	if (size > CONFIG_SIZE)
		state->guilty = true;
	if (oplist_get(&schema, item, 0) != 0)
		(void)frontend_set_config(&state->host.fe, offset, size, bytes);
	else
		(void)frontend_get_config(&state->host.fe, offset, size, bytes);
}

static void send_message(struct state *state, const struct oplist_item *item)
{
	const uint8_t *tail;
	size_t size;

	tail = oplist_tail(&schema, item, &size);
	(void)host_send(&state->host, (uint32_t)oplist_get(&schema, item, 0),
			(uint32_t)oplist_get(&schema, item, 1), tail, (uint32_t)size,
			host_now() + oplist_get(&schema, item, 2) * NS_PER_MS);
}

static void offer(struct state *state, const struct oplist_item *item)
{
	state->features &= ~oplist_get(&schema, item, 0);
	state->protocol &= ~oplist_get(&schema, item, 1);
	/* A host may refuse what lacks something. */
	state->guilty = true;
}

static void configure(struct state *state, const struct oplist_item *item)
{
	state->config[0] = (uint8_t)oplist_get(&schema, item, 0);
	wire_put_le16(state->config + 1, (uint16_t)oplist_get(&schema, item, 1));
	wire_put_le32(state->config + 3, (uint32_t)oplist_get(&schema, item, 2));
	wire_put_le32(state->config + 7, (uint32_t)oplist_get(&schema, item, 3));
	state->guilty = true;
}

static void add_lie(struct state *state, const struct oplist_item *item)
{
	if (state->lie_count == MAX_LIES)
		return;
	state->guilty = true;
	state->lies[state->lie_count++] = (struct lie){
		.answer = (unsigned int)oplist_get(&schema, item, 0),
		.what = (unsigned int)oplist_get(&schema, item, 1),
		.value = oplist_get(&schema, item, 2),
		.file = (enum world_file)oplist_get(&schema, item, 3),
	};
}

static void bind_endpoint(struct state *state, const struct oplist_item *item)
{
	uint32_t addr = (uint32_t)oplist_get(&schema, item, 0);

	(void)host_bind(&state->host, &addr, on_message, state);
}

static void host_op(struct state *state, const struct oplist_item *item)
{
	uint64_t first = oplist_get(&schema, item, 0);
	struct host *host = &state->host;

	switch (item->code) {
	case OP_STOP:
		(void)host_stop(host);
		state->started = false;
		break;
	case OP_BIND:
		bind_endpoint(state, item);
		break;
	case OP_SEND:
		send_message(state, item);
		break;
	case OP_ANNOUNCE:
		(void)host_announce(host, "a-channel", (uint32_t)first,
				    oplist_get(&schema, item, 1) != 0, host_now() + NS_PER_MS);
		break;
	case OP_TURN:
		(void)host_turn(host);
		break;
	case OP_WAIT:
		(void)host_wait(host, host_now() + first * NS_PER_MS);
		break;
	default:
		(void)host_drain(host, host_now() + first * NS_PER_MS);
		break;
	}
}

static void one_op(struct state *state, const struct oplist_item *item)
{
	switch (item->code) {
	case OP_OFFER:
		offer(state, item);
		break;
	case OP_CONFIG:
		configure(state, item);
		break;
	case OP_LIE:
		add_lie(state, item);
		break;
	case OP_OPEN:
		open_host(state, item);
		break;
	case OP_CLOSE:
		close_host(state);
		break;
	case OP_FRONTEND:
		frontend(state, item);
		break;
	case OP_ASLEEP:
		fall_asleep(state, item);
		break;
	case OP_CONFIG_SPACE:
		if (state->started)
			config_space(state, item);
		break;
	default:
		if (state->open && item->code >= OP_MESSAGE)
			act_or_keep(state, item);
		else if (state->started)
			host_op(state, item);
		break;
	}
}

static void init(struct state *state)
{
	/* All but the host, which is made when it is opened. */
	memset((uint8_t *)state + sizeof(state->host), 0, sizeof(*state) - sizeof(state->host));
	state->peer = (struct world_peer){
		.sent = on_sent,
		.receive = on_receive,
		.readable = on_readable,
		.gone = on_gone,
		.connecting = on_connecting,
		.accepted = on_event,
		.closed = on_event,
		.wait = on_wait,
		.ctx = state,
	};
	state->features = VIRTIO_BIT(RPMSG_F_NS) | VIRTIO_BIT(1) | VIRTIO_BIT(VIRTIO_F_VERSION_1) |
			  VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC) |
			  VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX) |
			  VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	state->protocol = VIRTIO_BIT(VHOST_PROTOCOL_F_MQ) | VIRTIO_BIT(VHOST_PROTOCOL_F_REPLY_ACK) |
			  VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIG) |
			  VIRTIO_BIT(VHOST_PROTOCOL_F_RESET_DEVICE) |
			  VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS) |
			  VIRTIO_BIT(VHOST_PROTOCOL_F_STATUS);
	state->config[0] = 1;
	wire_put_le16(state->config + 1, 11);
	wire_put_le32(state->config + 3, RPMSG_BUF_SIZE);
	wire_put_le32(state->config + 7, RPMSG_BUF_SIZE);
}

static int run(const uint8_t *data, size_t size)
{
	static struct oplist list;
	static struct state state;

	if (oplist_parse(&list, &schema, data, size) != 0)
		return -1;
	init(&state);
	world_begin(&state.peer);
	for (unsigned int i = 0; i < list.count; i++) {
		one_op(&state, &list.items[i]);
		check(&state);
	}
	close_host(&state);
	world_end();
	return 0;
}

const struct fuzz_target fuzz_target = {
	.name = "host",
	.summary = "the host of rpmsg-host against a device that says what it likes",
	.schema = &schema,
	.run = run,
};
