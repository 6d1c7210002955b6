/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Capture files: messages, notes and violations into the writer of the daemon, and out of the file
 * again by a reader that knows sim/daemon/capture.h only as a text.
 *
 * Oracles: the file is a capture of the announced kind; each packet says what was captured, field
 * by field and byte by byte, in order; notes are those that were made, up to where there is no room
 * for more.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/oracle.h"
#include "common/target.h"
#include "daemon/capture.h"

#define MAX_PACKETS (2 * OPLIST_MAX_ITEMS + 1)
#define NOTES_ROOM 1024

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
	uint8_t notes[NOTES_ROOM];
	size_t notes_size;
	const uint8_t *header, *payload; /* NULL: none */
	size_t payload_size;
};

struct state {
	struct capture *capture;
	struct packet packets[MAX_PACKETS];
	size_t count;
	/* Notes that wait: what they are about, and they themselves. */
	struct capture_origin origin;
	uint8_t notes[NOTES_ROOM];
	size_t notes_size;
	uint64_t time;
};

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
	struct packet *packet = &state->packets[state->count++];

	memset(packet, 0, sizeof(*packet));
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

struct file {
	const uint8_t *bytes;
	size_t size, at;
};

static const uint8_t *take(struct file *file, size_t size)
{
	const uint8_t *at = file->bytes + file->at;

	ORACLE("file-ends", size <= file->size - file->at, "inside something of %zu bytes", size);
	file->at += size;
	return at;
}

/* libpcap writes its own numbers in the order of this machine; the others are little-endian. */
static uint32_t native(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

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

static void check_file(const struct state *state, struct file *file)
{
	const uint8_t *at = take(file, 24);

	ORACLE("file-header", native(at) == 0xa1b23c4d && native(at + 20) == 147,
	       "magic 0x%x, link type %u", native(at), native(at + 20));
	for (size_t i = 0; i < state->count; i++) {
		uint32_t size;

		at = take(file, 16);
		size = native(at + 8);
		ORACLE("packet-frame", native(at + 4) < 1000000000 && native(at + 12) == size,
		       "packet %zu of %u bytes", i, size);
		check_packet(&state->packets[i], i, take(file, size), size);
	}
	ORACLE("file-rest", file->at == file->size, "%zu bytes after the last packet",
	       file->size - file->at);
}

static void read_back(const struct state *state, int fd)
{
	struct stat status;
	struct file file = {0};
	void *at;

	ORACLE("file", fstat(fd, &status) == 0, "no file");
	file.size = (size_t)status.st_size;
	at = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
	ORACLE("file", at != MAP_FAILED, "cannot be read");
	file.bytes = at;
	check_file(state, &file);
	munmap(at, file.size);
}

static int run(const uint8_t *data, size_t size)
{
	static struct oplist list;
	static struct state state;
	uint64_t packets;
	char path[32];
	int fd;

	if (oplist_parse(&list, &schema, data, size) != 0)
		return -1;
	state.count = state.notes_size = 0;
	state.time = 0;
	fd = memfd_create("fuzz-capture", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ORACLE("open", fd >= 0 && capture_open(&state.capture, path) == 0, "no capture");
	for (unsigned int i = 0; i < list.count; i++) {
		const struct oplist_item *item = &list.items[i];

		if (item->code == OP_MESSAGE) {
			message(&state, item);
		} else if (item->code == OP_NOTE) {
			note(&state, item);
		} else if (item->code == OP_VIOLATION) {
			violation(&state, item);
		} else {
			capture_settle(state.capture, ++state.time);
			expect_settled(&state);
		}
	}
	capture_settle(state.capture, ++state.time);
	expect_settled(&state);
	packets = capture_packets(state.capture);
	ORACLE("count", packets == state.count, "%llu packets, %zu are expected",
	       (unsigned long long)packets, state.count);
	ORACLE("close", capture_close(state.capture) == 0, "not everything was written");
	read_back(&state, fd);
	close(fd);
	return 0;
}

const struct fuzz_target fuzz_target = {
	.name = "capture",
	.summary = "capture files: what the daemon writes, against a reader of its own",
	.schema = &schema,
	.run = run,
};
