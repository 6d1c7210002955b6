// SPDX-License-Identifier: BSD-2-Clause
/* Capture files; the format is described in capture.h. */

#include "daemon/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "wire/bytes.h"

#define NS_PER_SEC UINT64_C(1000000000)
#define NOTES_MAX 1024
/* Written at once: at 4 KiB, which is stdio's choice, every seventh message is a system call. */
#define BUFFER_SIZE (UINT32_C(256) << 10)
#define SNAPLEN (CAPTURE_HDR_SIZE + NOTES_MAX + RPMSG_HDR_SIZE + REMOTE_MAX_PAYLOAD)

struct capture {
	pcap_t *pcap;
	pcap_dumper_t *dumper;
	uint64_t epoch_offset; /* real time minus monotonic time when the file was opened */
	uint64_t packets;
	uint32_t notes;		      /* bytes of notes waiting behind the header in packet */
	struct capture_origin origin; /* of these notes */
	uint8_t packet[SNAPLEN];
	char buffer[BUFFER_SIZE]; /* of the file; untouched until it is needed */
};

static uint64_t clock_now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* ---- the file --------------------------------------------------------------------------- */

/* Truncated only once it is known to be a regular file. */
static int open_regular(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
	struct stat file;
	int ret = 0;

	if (fd < 0)
		return errno == ENXIO ? -EEXIST : -errno;
	if (fstat(fd, &file))
		ret = -errno;
	else if (!S_ISREG(file.st_mode))
		ret = -EEXIST;
	else if (ftruncate(fd, 0))
		ret = -errno;
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

static int open_dumper(struct capture *capture, const char *path)
{
	int fd = open_regular(path);
	FILE *file;

	if (fd < 0)
		return fd;
	file = fdopen(fd, "w");
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	setvbuf(file, capture->buffer, _IOFBF, sizeof(capture->buffer));
	capture->dumper = pcap_dump_fopen(capture->pcap, file);
	if (!capture->dumper)
		fclose(file);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Stream): pcap_dump_close() closes it */
	return capture->dumper ? 0 : -EIO;
}

int capture_open(struct capture **capture, const char *path)
{
	struct capture *c = calloc(1, sizeof(*c));
	int ret = -ENOMEM;

	if (!c)
		return -ENOMEM;
	c->pcap = pcap_open_dead_with_tstamp_precision(DLT_USER0, SNAPLEN,
						       PCAP_TSTAMP_PRECISION_NANO);
	if (c->pcap)
		ret = open_dumper(c, path);
	if (ret == 0) {
		c->epoch_offset = clock_now(CLOCK_REALTIME) - clock_now(CLOCK_MONOTONIC);
		*capture = c;
		return 0;
	}
	if (c->pcap)
		pcap_close(c->pcap);
	free(c);
	return ret;
}

int capture_flush(struct capture *capture)
{
	if (pcap_dump_flush(capture->dumper) || ferror(pcap_dump_file(capture->dumper)))
		return -EIO;
	return 0;
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
	ret = capture_flush(capture);
	pcap_dump_close(capture->dumper);
	pcap_close(capture->pcap);
	free(capture);
	return ret;
}

/* ---- packets ---------------------------------------------------------------------------- */

/* Write the first size bytes of the packet and start the next one. */
static void write_packet(struct capture *capture, uint32_t size, uint64_t now)
{
	uint64_t time = now + capture->epoch_offset;
	struct pcap_pkthdr header = {
		.ts =
			{
				.tv_sec = (time_t)(time / NS_PER_SEC),
				/* nanoseconds, since the file was opened with that precision */
				.tv_usec = (suseconds_t)(time % NS_PER_SEC),
			},
		.caplen = size,
		.len = size,
	};

	pcap_dump((u_char *)capture->dumper, &header, capture->packet);
	capture->packets++;
	capture->notes = 0;
}

static void put_header(struct capture *capture, uint8_t direction, uint8_t queue, uint8_t flags,
		       uint16_t desc_id)
{
	uint8_t *p = capture->packet;

	memset(p, 0, CAPTURE_HDR_SIZE);
	p[0] = CAPTURE_VERSION;
	p[1] = direction;
	wire_put_le16(p + 2, (uint16_t)(CAPTURE_HDR_SIZE + capture->notes));
	p[4] = queue;
	p[5] = flags;
	wire_put_le16(p + 6, desc_id);
}

void capture_settle(struct capture *capture, uint64_t now)
{
	const struct capture_origin *origin = &capture->origin;

	if (!capture->notes)
		return;
	put_header(
		capture, origin->queue == RPMSG_QUEUE_INPUT ? CAPTURE_TO_HOST : CAPTURE_TO_REMOTE,
		origin->queue < 0 ? CAPTURE_NO_QUEUE : (uint8_t)origin->queue, CAPTURE_F_NO_MESSAGE,
		origin->desc_id < 0 ? CAPTURE_NO_DESC : (uint16_t)origin->desc_id);
	write_packet(capture, CAPTURE_HDR_SIZE + capture->notes, now);
}

static void add_note(struct capture *capture, uint8_t type, const char *text)
{
	size_t len = strlen(text);
	uint8_t *at;

	if (len > UINT8_MAX)
		len = UINT8_MAX;
	if (capture->notes + 2 + len > NOTES_MAX)
		return;
	at = capture->packet + CAPTURE_HDR_SIZE + capture->notes;
	at[0] = type;
	at[1] = (uint8_t)len;
	memcpy(at + 2, text, len); /* NOLINT(bugprone-not-null-terminated-result): has a length */
	capture->notes += (uint32_t)(2 + len);
}

/* What is noted from here on is about origin. */
static void begin_notes(struct capture *capture, const struct capture_origin *origin, uint64_t now)
{
	const struct capture_origin *before = &capture->origin;

	if (capture->notes && before->remote == origin->remote && before->queue == origin->queue &&
	    before->desc_id == origin->desc_id)
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

/* The message behind the notes, as it stood in the buffer. Returns its size. */
static uint32_t put_message(struct capture *capture, const struct remote_event *event)
{
	uint8_t *message = capture->packet + CAPTURE_HDR_SIZE + capture->notes;
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
	put_header(capture, from_host ? CAPTURE_TO_REMOTE : CAPTURE_TO_HOST, (uint8_t)event->queue,
		   flags, event->desc_id);
	wire_put_le32(capture->packet + 8, event->desc_len);
	wire_put_le32(capture->packet + 12, event->used_len);
	write_packet(capture, CAPTURE_HDR_SIZE + capture->notes + put_message(capture, event), now);
}
