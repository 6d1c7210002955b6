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
#include <string.h>
#include <sys/socket.h>

#include "common/hostile.h"
#include "common/oracle.h"
#include "common/reads.h"
#include "common/target.h"
#include "common/world.h"
#include "host/host.h"
#include "wire/bytes.h"

#define MAX_ASLEEP 16
#define LOOK_NS 4000 /* between two looks at the clock of a host that polls */
#define NS_PER_MS UINT64_C(1000000)
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
			       {"what", 1, OPLIST_CHOICE, HOSTILE_LIE_KINDS},
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

struct state {
	struct host host;
	bool open, started;

	/* And what it does while the host sleeps, one at a time. */
	struct hostile device;
	const struct oplist_item *asleep[MAX_ASLEEP];
	unsigned int asleep_at, asleep_count, asleep_wanted;
	uint64_t asleep_ns;
};

/* ---- the device ---------------------------------------------------------------------------- */

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
		state->device.guilty = true;
	rpmsg_hdr_encode(&hdr, bytes, state->host.order);
	if (size != 0)
		memcpy(bytes + RPMSG_HDR_SIZE, tail, size);
	hostile_deliver(&state->device, bytes, RPMSG_HDR_SIZE + size, NULL);
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

	state->device.guilty = true;
	rpmsg_hdr_encode(&hdr, bytes, state->host.order);
	rpmsg_ns_encode("", (uint32_t)oplist_get(&schema, item, 1),
			(uint32_t)oplist_get(&schema, item, 2), bytes + RPMSG_HDR_SIZE,
			state->host.order);
	tail = oplist_tail(&schema, item, &size);
	if (size != 0)
		memcpy(bytes + RPMSG_HDR_SIZE, tail,
		       size < RPMSG_NAME_SIZE ? size : RPMSG_NAME_SIZE);
	hostile_deliver(&state->device, bytes, sizeof(bytes), NULL);
}

static void unasked(struct state *state, const struct oplist_item *item)
{
	const uint8_t *tail;
	size_t size;

	tail = oplist_tail(&schema, item, &size);
	hostile_say(&state->device, tail, size, (enum world_file)oplist_get(&schema, item, 1),
		    oplist_get(&schema, item, 0));
}

static void device_op(struct state *state, const struct oplist_item *item)
{
	uint64_t first = oplist_get(&schema, item, 0);
	struct hostile *device = &state->device;
	uint32_t used_len = (uint32_t)first;
	const uint8_t *tail;
	size_t size;

	switch (item->code) {
	case OP_MESSAGE:
		message(state, item);
		break;
	case OP_RAW:
		device->guilty = true;
		tail = oplist_tail(&schema, item, &size);
		hostile_deliver(device, tail, size, &used_len);
		break;
	case OP_NAME:
		name_service(state, item);
		break;
	case OP_RETURN:
		hostile_return(device, first, (uint32_t)oplist_get(&schema, item, 1));
		break;
	case OP_USED:
		hostile_put_used(device, (unsigned int)first,
				 (uint32_t)oplist_get(&schema, item, 1),
				 (uint32_t)oplist_get(&schema, item, 2),
				 (uint32_t)oplist_get(&schema, item, 3));
		break;
	case OP_INDEX:
		hostile_step(device, (unsigned int)first, (uint16_t)oplist_get(&schema, item, 1));
		break;
	case OP_SCRIBBLE:
		tail = oplist_tail(&schema, item, &size);
		hostile_scribble(device, first, tail, size);
		break;
	case OP_SIGNAL:
		hostile_signal(device, (unsigned int)first, oplist_get(&schema, item, 1) != 0);
		break;
	case OP_UNASKED:
		unasked(state, item);
		break;
	default:
		hostile_hang_up(device);
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
static bool on_waited(void *ctx)
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

static bool lies_in(const uint8_t *payload, size_t size, const uint8_t *memory, size_t bytes)
{
	return payload >= memory && size <= bytes && payload - memory <= (ptrdiff_t)(bytes - size);
}

/* In the copy of one of the messages that were taken together, or in that of a longer one. */
static bool is_private(const struct host *host, const uint8_t *payload, size_t size)
{
	bool found = lies_in(payload, size, host->copy, sizeof(host->copy));

	for (unsigned int i = 0; i < HOST_TAKE; i++)
		found |= lies_in(payload, size, host->taken[i].bytes, sizeof(host->taken[i].bytes));
	return found;
}

static void on_message(void *ctx, const struct host_message *received)
{
	const struct state *state = ctx;
	const struct host *host = &state->host;

	ORACLE("message-outside-buffer",
	       received->used_len <= host->in.size &&
		       received->hdr.len + (uint32_t)RPMSG_HDR_SIZE <= received->used_len,
	       "%u bytes of %u in a buffer of %u", received->hdr.len, received->used_len,
	       host->in.size);
	ORACLE("message-shared", is_private(host, received->payload, received->hdr.len),
	       "a payload that is no private copy");
}

static void on_finding(void *ctx, const struct finding_record *record)
{
	const struct state *state = ctx;

	ORACLE("innocent-device", state->device.guilty, "%s: expected %llu, seen %llu",
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
	if (state->open)
		host_close(&state->host);
	state->open = state->started = false;
	hostile_close(&state->device);
	ORACLE("descriptor-leak", world_descriptors() == 0, "%u are open", world_descriptors());
	ORACLE("mapping-leak", world_mappings() == 0, "there are %u", world_mappings());
}

static void new_connection(struct state *state)
{
	close_host(state);
	hostile_renew(&state->device);
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
		hostile_use(&state->device, &state->host.fe);
	if (ret == 0)
		reads_watch(state->host.fe.memory, state->host.fe.options.memory_size < READS_MAX
							   ? state->host.fe.options.memory_size
							   : READS_MAX);
	ORACLE("innocent-device-start", ret == 0 || state->device.guilty, "%d: %s", ret,
	       host_error(&state->host));
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
		ret = frontend_get_config(fe, 0, HOSTILE_CONFIG_SIZE, bytes);
	if (ret == 0 && (flags & 8) != 0)
		ret = frontend_set_config(fe, 0, HOSTILE_CONFIG_SIZE, bytes);
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
	state->device.guilty = true;
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
	if (size > HOSTILE_CONFIG_SIZE)
		state->device.guilty = true;
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
	state->device.features &= ~oplist_get(&schema, item, 0);
	state->device.protocol &= ~oplist_get(&schema, item, 1);
	/* A host may refuse what lacks something. */
	state->device.guilty = true;
}

static void configure(struct state *state, const struct oplist_item *item)
{
	state->device.config[0] = (uint8_t)oplist_get(&schema, item, 0);
	wire_put_le16(state->device.config + 1, (uint16_t)oplist_get(&schema, item, 1));
	wire_put_le32(state->device.config + 3, (uint32_t)oplist_get(&schema, item, 2));
	wire_put_le32(state->device.config + 7, (uint32_t)oplist_get(&schema, item, 3));
	state->device.guilty = true;
}

static void add_lie(struct state *state, const struct oplist_item *item)
{
	const struct hostile_lie lie = {
		.answer = (unsigned int)oplist_get(&schema, item, 0),
		.kind = (enum hostile_lie_kind)oplist_get(&schema, item, 1),
		.value = oplist_get(&schema, item, 2),
		.file = (enum world_file)oplist_get(&schema, item, 3),
	};

	hostile_lie(&state->device, &lie);
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
		hostile_use(&state->device, NULL);
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

static int run(const uint8_t *data, size_t size)
{
	static struct oplist list;
	static struct state state;

	if (oplist_parse(&list, &schema, data, size) != 0)
		return -1;
	/* All but the host, which is made when it is opened. */
	state.open = state.started = false;
	state.asleep_at = state.asleep_count = state.asleep_wanted = 0;
	hostile_init(&state.device, on_waited, &state);
	world_begin(&state.device.peer);
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
