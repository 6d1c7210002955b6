/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of a capture: messages, notes and violations into the writer of the daemon, and each
 * packet that it hands to the file out of a reader that knows sim/daemon/capture.h only as a text.
 * The file behind it is made once in a process and stays empty: an input costs no system call.
 *
 * Oracles: each packet says what was captured, field by field and byte by byte, in order; notes are
 * those that were made, up to where there is no room for more; times go up.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common/oracle.h"
#include "common/target.h"
#include "daemon/capture.h"
#include "daemon/capture_file.h"

#define MAX_PACKETS 4 /* of one operation: what waits before it, and its own */
#define NOTES_ROOM 1024
#define PACKET_ROOM (16 + NOTES_ROOM + 16 + REMOTE_MAX_PAYLOAD)

enum { OP_MESSAGE, OP_NOTE, OP_VIOLATION, OP_SETTLE, OP_COUNT };

static const struct oplist_op ops[OP_COUNT] = {
	[OP_MESSAGE] = {.name = "message",
			.tail = "payload",
			.fields = {{"kind", 1, OPLIST_CHOICE, 8},
				   {"flags", 1, OPLIST_CHOICE, 64},
				   {"queue", 1, OPLIST_CHOICE, 2},
				   {"descriptor", 2, OPLIST_INDEX, 0},
				   {"length", 4, OPLIST_LENGTH, 0},
				   {"used_len", 4, OPLIST_LENGTH, 0},
				   {"drop", 1, OPLIST_CHOICE, REMOTE_DROP_COUNT + 1},
				   {"remote", 1, OPLIST_CHOICE, 3}}},
	[OP_NOTE] = {.name = "note",
		     .tail = "text",
		     .fields = {{"type", 1, OPLIST_CHOICE, 8},
				{"queue", 1, OPLIST_CHOICE, 3},
				{"descriptor", 2, OPLIST_INDEX, 0},
				{"remote", 1, OPLIST_CHOICE, 3}}},
	[OP_VIOLATION] = {.name = "violation",
			  .fields = {{"what", 1, OPLIST_CHOICE, VIOLATION_COUNT},
				     {"queue", 1, OPLIST_CHOICE, 3},
				     {"descriptor", 2, OPLIST_INDEX, 0},
				     {"expected", 8, OPLIST_NUMBER, 0},
				     {"seen", 8, OPLIST_NUMBER, 0},
				     {"remote", 1, OPLIST_CHOICE, 3}}},
	[OP_SETTLE] = {.name = "settle"},
};

static const struct oplist_schema schema = {
	.name = "capture",
	.id = 6,
	.count = OP_COUNT,
	.ops = ops,
};

/* What a packet has to say. */
struct packet {
	unsigned int direction, queue, flags, descriptor;
	uint32_t length, used_len;
	const uint8_t *header, *payload; /* NULL: none */
	size_t payload_size, notes_size;
	uint8_t notes[NOTES_ROOM];
};

/* What the file was given. */
struct written {
	uint64_t time;
	size_t size;
	uint8_t bytes[PACKET_ROOM];
};

struct state {
	struct capture *capture;
	/* Of this operation, and the number of all. */
	struct packet packets[MAX_PACKETS];
	struct written written[MAX_PACKETS];
	size_t count, written_count;
	uint64_t packet_count, last_time;
	/* Notes that wait: what they are about, and they themselves. */
	struct capture_origin origin;
	uint8_t notes[NOTES_ROOM];
	size_t notes_size;
	uint64_t time;
};

static struct state *current; /* of whom the file has no idea */

static const char *const remotes[] = {NULL, "first", "second"};

/* ---- what is expected --------------------------------------------------------------------- */

static void expect_note(struct state *state, unsigned int type, const char *text)
{
	size_t size = strnlen(text, 255);

	if (state->notes_size + 2 + size > NOTES_ROOM)
		return;
	state->notes[state->notes_size] = (uint8_t)type;
	state->notes[state->notes_size + 1] = (uint8_t)size;
	memcpy(state->notes + state->notes_size + 2, text, size);
	state->notes_size += 2 + size;
}

static struct packet *expect_packet(struct state *state)
{
	struct packet *packet = &state->packets[state->count];

	ORACLE("packet-room", state->count++ < MAX_PACKETS, "more than %d packets at once",
	       MAX_PACKETS);
	/* All but the notes. */
	memset(packet, 0, offsetof(struct packet, notes));
	memcpy(packet->notes, state->notes, state->notes_size);
	packet->notes_size = state->notes_size;
	state->notes_size = 0;
	return packet;
}

static void expect_settled(struct state *state)
{
	struct packet *packet;

	if (state->notes_size == 0)
		return;
	packet = expect_packet(state);
	packet->flags = 0x08;
	packet->queue = state->origin.queue < 0 ? 0xff : (unsigned int)state->origin.queue;
	packet->descriptor =
		state->origin.desc_id < 0 ? 0xffff : (unsigned int)state->origin.desc_id;
	packet->direction = state->origin.queue == 0;
}

static void expect_origin(struct state *state, const struct capture_origin *origin)
{
	if (state->notes_size != 0 && state->origin.remote == origin->remote &&
	    state->origin.queue == origin->queue && state->origin.desc_id == origin->desc_id)
		return;
	expect_settled(state);
	state->origin = *origin;
	if (origin->remote != NULL)
		expect_note(state, 4, origin->remote);
}

/* ---- operations --------------------------------------------------------------------------- */

static struct capture_origin origin_of(const struct oplist_item *item, unsigned int field)
{
	uint64_t queue = oplist_get(&schema, item, field);
	uint64_t descriptor = oplist_get(&schema, item, field + 1);

	return (struct capture_origin){
		.queue = queue == 2 ? VIOLATION_NO_QUEUE : (int)queue,
		.desc_id = descriptor == 0xffff ? VIOLATION_NO_DESC : (int32_t)descriptor,
	};
}

static void message(struct state *state, const struct oplist_item *item)
{
	static const uint8_t header[RPMSG_HDR_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	static const struct remote_endpoint_info service = {.name = "a-name", .kind = "echo"};
	uint64_t flags = oplist_get(&schema, item, 1);
	struct remote_event event = {
		.type = (enum remote_event_type)oplist_get(&schema, item, 0),
		.queue = (unsigned int)oplist_get(&schema, item, 2),
		.desc_id = (uint16_t)oplist_get(&schema, item, 3),
		.desc_len = (uint32_t)oplist_get(&schema, item, 4),
		.used_len = (uint32_t)oplist_get(&schema, item, 5),
		.drop = (enum remote_drop)oplist_get(&schema, item, 6),
		.header = (flags & 1) != 0 ? header : NULL,
		.delivered = (flags & 2) != 0,
		.indirect = (flags & 4) != 0,
	};
	const char *remote = remotes[oplist_get(&schema, item, 7)];
	struct capture_origin origin = {remote, (int)event.queue, event.desc_id};
	enum wire_order order = (flags & 8) != 0 ? WIRE_BIG_ENDIAN : WIRE_LITTLE_ENDIAN;
	bool from_host = event.type == REMOTE_EVENT_MESSAGE;
	struct packet *packet;
	size_t size;

	event.payload = oplist_tail(&schema, item, &size);
	event.payload_size = (uint32_t)size;
	capture_message(state->capture, remote, &event, order, (flags & 16) != 0 ? &service : NULL,
			++state->time);
	if (!from_host && event.type != REMOTE_EVENT_SENT)
		return;
	expect_origin(state, &origin);
	if (from_host && !event.delivered)
		expect_note(state, 3, remote_drop_name(event.drop));
	if ((flags & 16) != 0) {
		expect_note(state, 5, service.name);
		expect_note(state, 6, service.kind);
	}
	packet = expect_packet(state);
	packet->direction = !from_host;
	packet->queue = event.queue;
	packet->descriptor = event.desc_id;
	packet->flags = (from_host && !event.delivered ? 0x01U : 0) |
			(order == WIRE_BIG_ENDIAN ? 0x02U : 0) | (event.indirect ? 0x04U : 0);
	packet->length = event.desc_len;
	packet->used_len = event.used_len;
	packet->header = event.header;
	packet->payload = event.payload;
	packet->payload_size = size;
}

static void note(struct state *state, const struct oplist_item *item)
{
	struct capture_origin origin = origin_of(item, 1);
	unsigned int type = (unsigned int)oplist_get(&schema, item, 0);
	const uint8_t *tail;
	char text[600];
	size_t size;

	origin.remote = remotes[oplist_get(&schema, item, 3)];
	tail = oplist_tail(&schema, item, &size);
	if (size >= sizeof(text))
		size = sizeof(text) - 1;
	memset(text, 0, sizeof(text));
	if (size != 0)
		memcpy(text, tail, size);
	capture_note(state->capture, &origin, (uint8_t)type, text, ++state->time);
	expect_origin(state, &origin);
	expect_note(state, type, text);
}

static void violation(struct state *state, const struct oplist_item *item)
{
	struct capture_origin origin = origin_of(item, 1);
	struct violation_record record = {
		.what = (enum violation)oplist_get(&schema, item, 0),
		.queue = origin.queue,
		.desc_id = origin.desc_id,
		.expected = oplist_get(&schema, item, 3),
		.seen = oplist_get(&schema, item, 4),
	};
	char text[256];

	origin.remote = remotes[oplist_get(&schema, item, 5)];
	capture_violation(state->capture, origin.remote, &record, ++state->time);
	snprintf(text, sizeof(text), "%s %s expected=%llu seen=%llu", violation_name(record.what),
		 violation_requirement(record.what), (unsigned long long)record.expected,
		 (unsigned long long)record.seen);
	expect_origin(state, &origin);
	expect_note(state, 1, text);
}

/* ---- the reader --------------------------------------------------------------------------- */

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
void __wrap_capture_file_add(struct capture_file *file, uint32_t size, uint64_t time);

void __wrap_capture_file_add(struct capture_file *file, uint32_t size, uint64_t time)
{
	struct written *to = &current->written[current->written_count];

	ORACLE("packet-room", current->written_count++ < MAX_PACKETS,
	       "more than %d packets at once", MAX_PACKETS);
	ORACLE("packet-frame", size <= PACKET_ROOM && size <= file->snaplen, "a packet of %u bytes",
	       size);
	to->time = time;
	to->size = size;
	memcpy(to->bytes, capture_file_room(file), size);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static unsigned int two(const uint8_t *at)
{
	return at[0] | (unsigned int)at[1] << 8;
}

static uint32_t four(const uint8_t *at)
{
	return two(at) | (uint32_t)two(at + 2) << 16;
}

static void check_packet(const struct packet *packet, size_t number, const uint8_t *at, size_t size)
{
	size_t header = packet->header != NULL ? 16 : 0;
	size_t start = 16 + packet->notes_size;

	ORACLE("packet-size", size == start + header + packet->payload_size,
	       "packet %zu has %zu bytes", number, size);
	ORACLE("packet-header",
	       at[0] == 1 && at[1] == packet->direction && two(at + 2) == start &&
		       at[4] == packet->queue && at[5] == packet->flags &&
		       two(at + 6) == packet->descriptor && four(at + 8) == packet->length &&
		       four(at + 12) == packet->used_len,
	       "packet %zu: version %u, direction %u, flags 0x%x", number, at[0], at[1], at[5]);
	ORACLE("packet-notes", memcmp(at + 16, packet->notes, packet->notes_size) == 0,
	       "notes of packet %zu", number);
	ORACLE("packet-message",
	       (header == 0 || memcmp(at + start, packet->header, header) == 0) &&
		       (packet->payload_size == 0 ||
			memcmp(at + start + header, packet->payload, packet->payload_size) == 0),
	       "message of packet %zu", number);
}

/* What one operation wrote is what it had to write. */
static void check_written(struct state *state)
{
	ORACLE("packet-count", state->written_count == state->count,
	       "%zu packets, %zu are expected", state->written_count, state->count);
	for (size_t i = 0; i < state->count; i++) {
		const struct written *written = &state->written[i];

		ORACLE("packet-time", written->time >= state->last_time, "time went back by %llu",
		       (unsigned long long)(state->last_time - written->time));
		state->last_time = written->time;
		check_packet(&state->packets[i], i, written->bytes, written->size);
	}
	state->packet_count += state->count;
	state->count = state->written_count = 0;
}

static void open_capture(struct state *state)
{
	int fd = memfd_create("fuzz-capture", MFD_CLOEXEC);
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ORACLE("open", fd >= 0 && capture_open(&state->capture, path) == 0, "no capture");
}

static void one_op(struct state *state, const struct oplist_item *item)
{
	switch (item->code) {
	case OP_MESSAGE:
		message(state, item);
		break;
	case OP_NOTE:
		note(state, item);
		break;
	case OP_VIOLATION:
		violation(state, item);
		break;
	default:
		capture_settle(state->capture, ++state->time);
		expect_settled(state);
		break;
	}
	check_written(state);
}

static int run(const uint8_t *data, size_t size)
{
	static const struct oplist_item settle = {.code = OP_SETTLE};
	static struct oplist list;
	static struct state state;
	uint64_t packets;

	if (oplist_parse(&list, &schema, data, size) != 0)
		return -1;
	current = &state;
	if (state.capture == NULL)
		open_capture(&state);
	state.packet_count = state.time = state.last_time = 0;
	packets = capture_packets(state.capture);
	for (unsigned int i = 0; i < list.count; i++)
		one_op(&state, &list.items[i]);
	one_op(&state, &settle);
	packets = capture_packets(state.capture) - packets;
	ORACLE("count", packets == state.packet_count, "%llu packets, %llu are expected",
	       (unsigned long long)packets, (unsigned long long)state.packet_count);
	return 0;
}

const struct fuzz_target fuzz_target = {
	.name = "capture",
	.summary = "packets of a capture: what the daemon writes, against a reader of its own",
	.schema = &schema,
	.run = run,
};
