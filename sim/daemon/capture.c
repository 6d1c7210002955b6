// SPDX-License-Identifier: BSD-2-Clause
/* Capture files; the format is described in capture.h. */

#include "daemon/capture.h"

#include <errno.h>
#include <inttypes.h>
#include <pcap/dlt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/capture_file.h"
#include "wire/bytes.h"

#define NS_PER_SEC UINT64_C(1000000000)
#define NOTES_MAX 1024
#define SNAPLEN (CAPTURE_HDR_SIZE + NOTES_MAX + RPMSG_HDR_SIZE + REMOTE_MAX_PAYLOAD)

struct capture {
	struct capture_file file;
	uint64_t epoch_offset; /* real time minus monotonic time when the file was opened */
	uint64_t packets;
	uint32_t note_bytes;	      /* of notes that wait for their packet */
	struct capture_origin origin; /* of these notes */
	uint8_t notes[NOTES_MAX];
};

static uint64_t clock_now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

int capture_open(struct capture **capture, const char *path)
{
	struct capture *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return -ENOMEM;
	ret = capture_file_open(&c->file, path, DLT_USER0, SNAPLEN);
	if (ret) {
		free(c);
		return ret;
	}
	c->epoch_offset = clock_now(CLOCK_REALTIME) - clock_now(CLOCK_MONOTONIC);
	*capture = c;
	return 0;
}

int capture_flush(struct capture *capture)
{
	return capture_file_flush(&capture->file);
}

uint64_t capture_packets(const struct capture *capture)
{
	return capture->packets;
}

int capture_close(struct capture *capture)
{
	int ret;

	if (!capture)
		return 0;
	ret = capture_file_close(&capture->file);
	free(capture);
	return ret;
}

/* ---- packets ---------------------------------------------------------------------------- */

/* Begin a packet. Return: where its message goes, behind the notes that wait. */
static uint8_t *put_header(struct capture *capture, uint8_t direction, uint8_t queue, uint8_t flags,
			   uint16_t desc_id, uint32_t desc_len, uint32_t used_len)
{
	uint8_t *p = capture_file_room(&capture->file);

	p[0] = CAPTURE_VERSION;
	p[1] = direction;
	wire_put_le16(p + 2, (uint16_t)(CAPTURE_HDR_SIZE + capture->note_bytes));
	p[4] = queue;
	p[5] = flags;
	wire_put_le16(p + 6, desc_id);
	wire_put_le32(p + 8, desc_len);
	wire_put_le32(p + 12, used_len);
	memcpy(p + CAPTURE_HDR_SIZE, capture->notes, capture->note_bytes);
	return p + CAPTURE_HDR_SIZE + capture->note_bytes;
}

/* End the packet, which has so many bytes behind its notes. */
static void end_packet(struct capture *capture, uint32_t message, uint64_t now)
{
	capture_file_add(&capture->file, CAPTURE_HDR_SIZE + capture->note_bytes + message,
			 now + capture->epoch_offset);
	capture->packets++;
	capture->note_bytes = 0;
}

void capture_settle(struct capture *capture, uint64_t now)
{
	const struct capture_origin *origin = &capture->origin;

	if (!capture->note_bytes)
		return;
	put_header(
		capture, origin->queue == RPMSG_QUEUE_INPUT ? CAPTURE_TO_HOST : CAPTURE_TO_REMOTE,
		origin->queue < 0 ? CAPTURE_NO_QUEUE : (uint8_t)origin->queue, CAPTURE_F_NO_MESSAGE,
		origin->desc_id < 0 ? CAPTURE_NO_DESC : (uint16_t)origin->desc_id, 0, 0);
	end_packet(capture, 0, now);
}

static void add_note(struct capture *capture, uint8_t type, const char *text)
{
	size_t len = strlen(text);
	uint8_t *at;

	if (len > UINT8_MAX)
		len = UINT8_MAX;
	if (capture->note_bytes + 2 + len > NOTES_MAX)
		return;
	at = capture->notes + capture->note_bytes;
	at[0] = type;
	at[1] = (uint8_t)len;
	memcpy(at + 2, text, len); /* NOLINT(bugprone-not-null-terminated-result): has a length */
	capture->note_bytes += (uint32_t)(2 + len);
}

/* What is noted from here on is about origin. */
static void begin_notes(struct capture *capture, const struct capture_origin *origin, uint64_t now)
{
	const struct capture_origin *before = &capture->origin;

	if (capture->note_bytes && before->remote == origin->remote &&
	    before->queue == origin->queue && before->desc_id == origin->desc_id)
		return;
	capture_settle(capture, now);
	capture->origin = *origin;
	if (origin->remote)
		add_note(capture, CAPTURE_NOTE_REMOTE, origin->remote);
}

void capture_note(struct capture *capture, const struct capture_origin *origin, uint8_t type,
		  const char *text, uint64_t now)
{
	begin_notes(capture, origin, now);
	add_note(capture, type, text);
}

void capture_violation(struct capture *capture, const char *remote,
		       const struct violation_record *record, uint64_t now)
{
	struct capture_origin origin = {remote, record->queue, record->desc_id};
	char text[UINT8_MAX + 1];

	snprintf(text, sizeof(text), "%s %s expected=%" PRIu64 " seen=%" PRIu64,
		 violation_name(record->what), violation_requirement(record->what),
		 record->expected, record->seen);
	capture_note(capture, &origin, CAPTURE_NOTE_VIOLATION, text, now);
}

/* The message as it stood in the buffer. Returns its size. */
static uint32_t put_message(uint8_t *message, const struct remote_event *event)
{
	uint32_t header = event->header ? RPMSG_HDR_SIZE : 0;
	uint32_t size = event->payload_size;

	if (size > REMOTE_MAX_PAYLOAD)
		size = REMOTE_MAX_PAYLOAD;
	if (header)
		memcpy(message, event->header, header);
	if (size)
		memcpy(message + header, event->payload, size);
	return header + size;
}

void capture_message(struct capture *capture, const char *remote, const struct remote_event *event,
		     enum wire_order order, const struct remote_endpoint_info *service,
		     uint64_t now)
{
	struct capture_origin origin = {remote, (int)event->queue, event->desc_id};
	bool from_host = event->type == REMOTE_EVENT_MESSAGE;
	uint8_t flags = 0;
	uint8_t *at;

	if (!from_host && event->type != REMOTE_EVENT_SENT)
		return;
	begin_notes(capture, &origin, now);
	if (from_host && !event->delivered) {
		flags |= CAPTURE_F_DROPPED;
		add_note(capture, CAPTURE_NOTE_DROP, remote_drop_name(event->drop));
	}
	if (service) {
		add_note(capture, CAPTURE_NOTE_SERVICE, service->name);
		add_note(capture, CAPTURE_NOTE_KIND, service->kind);
	}
	if (order == WIRE_BIG_ENDIAN)
		flags |= CAPTURE_F_BIG_ENDIAN;
	if (event->indirect)
		flags |= CAPTURE_F_INDIRECT;
	at = put_header(capture, from_host ? CAPTURE_TO_REMOTE : CAPTURE_TO_HOST,
			(uint8_t)event->queue, flags, event->desc_id, event->desc_len,
			event->used_len);
	end_packet(capture, put_message(at, event), now);
}
