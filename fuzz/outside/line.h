/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The front-end's end of a connection to a back-end that is another process: bytes good and bad
 * with descriptors of every kind, answers, and how long one waits for them. What is waited for is
 * an event, never time alone.
 */
#ifndef FUZZ_OUTSIDE_LINE_H
#define FUZZ_OUTSIDE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/world.h"
#include "outside/victim.h"
#include "vhost/vhost_proto.h"

#define LINE_TRACE (UINT32_C(1) << 14)
#define LINE_KICKED 2	 /* events, from WORLD_EVENT_0 on */
#define LINE_ANSWER 4096 /* longest payload of an answer that is followed */

enum line_state {
	LINE_FINE,
	LINE_ENDED,  /* the process is over */
	LINE_WEDGED, /* it is there, and does not answer a new connection */
};

struct line {
	struct victim *victim;
	int limit_ms;	/* for a new connection to be answered */
	int fd;		/* -1: none */
	bool listening; /* somebody took the last connection */
	bool stuck;	/* an answer was waited for in vain */
	bool unsettled; /* something was sent or signalled since the last one */
	bool kicked;	/* so it was */
	uint64_t kicks[LINE_KICKED];
	bool abused; /* it was sent what it may refuse: set by whoever does so */

	int files[WORLD_FILE_COUNT], others[WORLD_FILE_COUNT]; /* the other end, or -1 */
	uint32_t used;					       /* files that were sent */
	uint8_t *memory;				       /* of WORLD_RAM */

	/* Where the bytes that were sent stand: inside a message nothing can be asked. */
	uint8_t header[VHOST_HDR_SIZE];
	uint32_t header_size, payload_left;
	bool lost;

	uint8_t answer[VHOST_HDR_SIZE + LINE_ANSWER];
	uint32_t answer_size;
	uint64_t answers, features_answers;
	uint64_t offered, protocol_offered;
	bool protocol_known;
	bool garbled; /* what came is no answer */

	/* What was seen of the back-end: where nothing else guides, this does. */
	uint8_t trace[LINE_TRACE];
	uint32_t context;
};

/**
 * line_init() - no connection yet
 * @line: set
 * @victim: who is at the other end; kept
 * @limit_ms: how long a new connection may take to be answered
 *
 * Return: 0, or negative errno when there is no memory or descriptor.
 */
int line_init(struct line *line, struct victim *victim, int limit_ms);

/**
 * line_fini() - give everything back
 * @line: line
 */
void line_fini(struct line *line);

/**
 * line_connect() - a new connection, on which a first question has been answered
 * @line: line without one
 * @limit_ms: how long that may take
 *
 * Return: how it went; a connection is there after LINE_FINE only.
 */
enum line_state line_connect(struct line *line, int limit_ms);

/**
 * line_leave() - close the connection
 * @line: line
 */
void line_leave(struct line *line);

/**
 * line_renew() - other files in place of those that were sent: nobody writes to these
 * @line: line
 *
 * Return: 0, or negative errno.
 */
int line_renew(struct line *line);

/**
 * line_stream() - send bytes
 * @line: line; without a connection nothing happens
 * @bytes: bytes
 * @size: how many
 * @files: descriptors that go with the first byte
 * @count: how many
 */
void line_stream(struct line *line, const void *bytes, size_t size, const enum world_file *files,
		 unsigned int count);

/**
 * line_message() - send one message
 * @line: line; without a connection nothing happens
 * @request: number
 * @flags: VHOST_FLAG_ bits besides the version
 * @payload: payload
 * @size: bytes, at most VHOST_MAX_PAYLOAD
 * @file: descriptor that goes with it, or WORLD_FILE_COUNT
 */
void line_message(struct line *line, uint32_t request, uint32_t flags, const void *payload,
		  uint32_t size, enum world_file file);

/**
 * line_read() - take what has been answered
 * @line: line
 */
void line_read(struct line *line);

/**
 * line_settle() - ask a question and wait for its answer: what was sent before has been served
 * @line: line
 *
 * Where that cannot be, it is not done.
 */
void line_settle(struct line *line);

/**
 * line_wait() - wait until something comes, or for so long
 * @line: line
 * @ms: milliseconds
 */
void line_wait(struct line *line, int ms);

/**
 * line_kick() - signal an event, never waiting
 * @line: line
 * @file: WORLD_EVENT_0 or the next
 * @count: added
 *
 * The back-end sees it with the next line_settle() or line_wait(), as nothing happens between
 * turns in targets/session.c.
 */
void line_kick(struct line *line, enum world_file file, uint64_t count);

/**
 * line_saw() - keep that something was seen
 * @line: line
 * @what: any number; together with the operation that is being carried out
 */
void line_saw(struct line *line, uint32_t what);

#endif /* FUZZ_OUTSIDE_LINE_H */
