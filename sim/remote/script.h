/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of rules for services of the kind "script": what arrives, and what is done then. Who
 * makes such a table, and from what, is not known here.
 */
#ifndef REMOTE_SCRIPT_H
#define REMOTE_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/rpmsg.h"

#define SCRIPT_RULES_MAX 64
#define SCRIPT_STATES_MAX 64
#define SCRIPT_PENDING_MAX 32 /* rules of one service whose answers are still to be sent */

#define SCRIPT_ANY_STATE UINT16_MAX

enum script_match {
	SCRIPT_MATCH_ANY,
	SCRIPT_MATCH_EXACT,  /* the payload is the pattern */
	SCRIPT_MATCH_PREFIX, /* it begins with the pattern */
	SCRIPT_MATCH_LENGTH, /* it has min to max bytes */
	SCRIPT_MATCH_PEER,   /* no message: the peer became known */
};

enum script_then {
	SCRIPT_THEN_STAY,
	SCRIPT_THEN_WITHDRAW, /* once all answers are sent; the next session brings it back */
	SCRIPT_THEN_DROP,     /* the message is refused: no answer, and counted as dropped */
};

/* Of the rules of a script the first that fits is used. Patterns and replies by reference. */
struct script_rule {
	uint16_t in_state;   /* or SCRIPT_ANY_STATE */
	uint16_t next_state; /* or SCRIPT_ANY_STATE: as it is */
	enum script_match match;
	const uint8_t *pattern;
	uint32_t pattern_size;
	uint32_t min, max;
	uint32_t from;	/* only of this host address; RPMSG_ADDR_ANY: of all */
	uint32_t times; /* how often it fits in a session; 0: no end */

	bool echo;   /* the answer is the message; then count is 1 and delay 0 */
	bool answer; /* the answer is reply, reply_size bytes */
	const uint8_t *reply;
	uint32_t reply_size;
	uint32_t count; /* how many answers, at least 1 */
	uint64_t delay; /* nanoseconds before each of them */
	uint32_t to;	/* who gets them; RPMSG_ADDR_ANY: who sent the message */
	enum script_then then;
};

struct script {
	const char *name;
	const struct script_rule *rules;
	uint32_t rule_count; /* at most SCRIPT_RULES_MAX */
};

#endif /* REMOTE_SCRIPT_H */
