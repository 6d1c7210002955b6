/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sequence numbers as they arrive: what was lost, doubled or overtaken. Remembers the last
 * SEQUENCE_WINDOW numbers; one that is older than that counts as doubled.
 */
#ifndef HOST_SEQUENCE_H
#define HOST_SEQUENCE_H

#include <stdint.h>

#define SEQUENCE_WINDOW UINT64_C(65536) /* twice the largest ring */

enum sequence_verdict {
	SEQUENCE_NEW,	     /* the next one, or one after a gap */
	SEQUENCE_LATE,	     /* overtaken by a higher one, not seen before */
	SEQUENCE_DUPLICATE,  /* seen before */
	SEQUENCE_IMPOSSIBLE, /* above what has been sent */
};

/* All zero but next and limit at first. */
struct sequence {
	uint64_t next;	/* the one after the highest seen; at first the first number */
	uint64_t first; /* the same as next at first */
	uint64_t received, late, duplicated, impossible;
	uint8_t seen[SEQUENCE_WINDOW / 8];
};

/**
 * sequence_init() - nothing has arrived
 * @sequence: state
 * @first: lowest number that can arrive
 */
void sequence_init(struct sequence *sequence, uint64_t first);

/**
 * sequence_note() - a number arrived
 * @sequence: state
 * @number: it
 * @end: the one after the highest that can have been sent; UINT64_MAX when that is not known
 *
 * Return: what that means.
 */
enum sequence_verdict sequence_note(struct sequence *sequence, uint64_t number, uint64_t end);

/**
 * sequence_lost() - how many have not arrived
 * @sequence: state
 * @end: the one after the last that was sent
 *
 * Return: numbers from the first to @end that were not seen.
 */
uint64_t sequence_lost(const struct sequence *sequence, uint64_t end);

#endif /* HOST_SEQUENCE_H */
