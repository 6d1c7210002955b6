/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Capture files: every message with where and how it travelled, for Wireshark and tshark.
 *
 * libpcap format with nanosecond times, link type USER0 (147). Each packet is a pseudo-header,
 * little-endian whatever the link's byte order, and the message as it stood in the buffer:
 *
 *   offset size
 *   0      1    version: 1
 *   1      1    direction: 0 host to remote, 1 remote to host
 *   2      2    length of the pseudo-header, notes included: the message starts there
 *   4      1    queue
 *   5      1    flags: CAPTURE_F_*
 *   6      2    descriptor id (head of the chain)
 *   8      4    bytes of the chain in the direction of the queue
 *   12     4    used length; of a message from the host, 0 unless a fault changed it
 *   16     ..   notes: u8 type (CAPTURE_NOTE_*), u8 length, text without NUL
 *
 * A reader skips notes that it does not know. What belongs to no message, a violation of a
 * ring or of the vhost-user protocol for example, is a packet with CAPTURE_F_NO_MESSAGE that
 * ends after its notes; its queue is CAPTURE_NO_QUEUE and its descriptor id CAPTURE_NO_DESC
 * where there is none. scripts/wireshark/rpmsg.lua reads all of it.
 */
#ifndef DAEMON_CAPTURE_H
#define DAEMON_CAPTURE_H

#include <stdint.h>

#include "remote/remote.h"
#include "wire/violation.h"

#define CAPTURE_VERSION 1
#define CAPTURE_HDR_SIZE 16

#define CAPTURE_TO_REMOTE 0
#define CAPTURE_TO_HOST 1

#define CAPTURE_NO_QUEUE 0xff
#define CAPTURE_NO_DESC 0xffff

#define CAPTURE_F_DROPPED 0x01	  /* the remote did not deliver it */
#define CAPTURE_F_BIG_ENDIAN 0x02 /* byte order of the message */
#define CAPTURE_F_INDIRECT 0x04	  /* the chain was an indirect table */
#define CAPTURE_F_NO_MESSAGE 0x08 /* notes only */

#define CAPTURE_NOTE_VIOLATION 1 /* "name REQUIREMENT expected=N seen=N" */
#define CAPTURE_NOTE_FAULT 2	 /* name of the fault that changed it */
#define CAPTURE_NOTE_DROP 3	 /* why it was not delivered */
#define CAPTURE_NOTE_REMOTE 4	 /* which remote, where a process has several */
#define CAPTURE_NOTE_SERVICE 5	 /* name of the service at the remote's end */
#define CAPTURE_NOTE_KIND 6	 /* and its kind */
#define CAPTURE_NOTE_TEXT 7	 /* what else happened, in words; rpmsg-conform writes it */

struct capture;

/* What a note is about: notes on a message are made before the message is captured. */
struct capture_origin {
	const char *remote; /* name, or NULL in a process with one; compared as a pointer */
	int queue;	    /* or VIOLATION_NO_QUEUE */
	int32_t desc_id;    /* or VIOLATION_NO_DESC */
};

/**
 * capture_open() - start a capture file
 * @capture: set on success
 * @path: replaced when it exists; anything but a regular file is refused, since writing to a
 *	pipe or a terminal could make us wait for whoever reads it
 *
 * Return: 0; -EEXIST for what is there and no regular file; another negative errno.
 */
int capture_open(struct capture **capture, const char *path);

/**
 * capture_note() - say something about what is captured next
 * @capture: file
 * @origin: what it is about; notes on something else are written first
 * @type: CAPTURE_NOTE_*
 * @text: at most 255 bytes are kept; what does not fit into the notes is left out
 * @now: as in capture_message()
 */
void capture_note(struct capture *capture, const struct capture_origin *origin, uint8_t type,
		  const char *text, uint64_t now);

/**
 * capture_violation() - note a violation
 * @capture: file
 * @remote: whose host it was, as in struct capture_origin
 * @record: occurrence
 * @now: as in capture_message()
 */
void capture_violation(struct capture *capture, const char *remote,
		       const struct violation_record *record, uint64_t now);

/**
 * capture_message() - write a message, with the notes on it
 * @capture: file
 * @remote: as in struct capture_origin
 * @event: REMOTE_EVENT_MESSAGE or REMOTE_EVENT_SENT; others are left out
 * @order: byte order of the link
 * @service: the service at the remote's end, or NULL
 * @now: monotonic time in nanoseconds; the file holds it as time since the epoch
 */
void capture_message(struct capture *capture, const char *remote, const struct remote_event *event,
		     enum wire_order order, const struct remote_endpoint_info *service,
		     uint64_t now);

/**
 * capture_settle() - write notes that belong to no message as a packet of their own
 * @capture: file; without pending notes nothing is written
 * @now: as in capture_message()
 *
 * To be called when a message that the notes are about can come no more.
 */
void capture_settle(struct capture *capture, uint64_t now);

/**
 * capture_flush() - bring all packets so far into the file
 * @capture: file
 *
 * Return: 0, or -EIO when not everything could be written.
 */
int capture_flush(struct capture *capture);

/**
 * capture_packets() - how many packets were written
 * @capture: file
 *
 * Return: count.
 */
uint64_t capture_packets(const struct capture *capture);

/**
 * capture_close() - finish the file
 * @capture: file, or NULL
 *
 * Return: 0, or -EIO when not everything could be written.
 */
int capture_close(struct capture *capture);

#endif /* DAEMON_CAPTURE_H */
