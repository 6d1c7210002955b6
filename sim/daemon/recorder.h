/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The capture that is running, if one is: at most one a process, for all its remotes.
 *
 * Packets are brought into the file at the latest RECORDER_FLUSH_MS after they happened, so
 * that a reader can follow. A disk that is full ends the capture and not the service.
 */
#ifndef DAEMON_RECORDER_H
#define DAEMON_RECORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "daemon/capture.h"

#define RECORDER_FLUSH_MS 200
#define RECORDER_MAX_PATH 4095
#define RECORDER_SAME_TIME 16U /* packets of a turn that have the time of the first of them */

struct recorder {
	struct capture *capture; /* NULL: none runs */
	char path[RECORDER_MAX_PATH + 1];
	bool several; /* remotes in this process: packets name theirs */
	bool failed;  /* a capture was not written to its end */
	bool handle_open;
	bool in_turn;	    /* between recorder_turn() and recorder_settle() */
	uint32_t same_time; /* packets that still have the time now */
	uint64_t now;
	uv_timer_t flush;
};

/**
 * recorder_init() - no capture runs
 * @recorder: recorder; zeroed
 * @loop: event loop
 */
void recorder_init(struct recorder *recorder, uv_loop_t *loop);

/**
 * recorder_start() - start a capture
 * @recorder: recorder
 * @path: at most RECORDER_MAX_PATH bytes; replaced when it exists
 *
 * Return: 0; -EBUSY when one runs; -ENAMETOOLONG; as capture_open().
 */
int recorder_start(struct recorder *recorder, const char *path);

/**
 * recorder_stop() - finish the capture
 * @recorder: recorder
 * @packets: set to the number of packets in the file
 *
 * Return: 0; -ENOENT when none runs; -EIO when not everything could be written.
 */
int recorder_stop(struct recorder *recorder, uint64_t *packets);

/**
 * recorder_close() - finish the capture if one runs, and let go of the loop
 * @recorder: recorder; its memory has to stay until the loop has closed all handles
 */
void recorder_close(struct recorder *recorder);

/**
 * recorder_turn() - a remote is about to handle what waits, without a pause
 * @recorder: recorder
 *
 * Until recorder_settle(), or the next of these, RECORDER_SAME_TIME packets in a row have the time
 * of the first. All others have their own.
 */
void recorder_turn(struct recorder *recorder);

/**
 * recorder_message() - a message went through
 * @recorder: recorder
 * @remote: name of the remote
 * @event: event; only those of messages are recorded
 * @order: byte order of the link
 * @service: the service at the remote's end, or NULL
 */
void recorder_message(struct recorder *recorder, const char *remote,
		      const struct remote_event *event, enum wire_order order,
		      const struct remote_endpoint_info *service);

/**
 * recorder_violation() - the host broke a rule
 * @recorder: recorder
 * @remote: name of the remote
 * @record: occurrence
 */
void recorder_violation(struct recorder *recorder, const char *remote,
			const struct violation_record *record);

/**
 * recorder_fault() - a fault fired
 * @recorder: recorder
 * @remote: name of the remote
 * @queue: or VIOLATION_NO_QUEUE
 * @desc_id: or VIOLATION_NO_DESC
 * @name: of the fault
 */
void recorder_fault(struct recorder *recorder, const char *remote, int queue, int32_t desc_id,
		    const char *name);

/**
 * recorder_settle() - nothing more will come that the notes so far can be about
 * @recorder: recorder
 *
 * To be called when a remote's turn, or a vhost-user message, is over.
 */
void recorder_settle(struct recorder *recorder);

#endif /* DAEMON_RECORDER_H */
