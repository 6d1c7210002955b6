/* SPDX-License-Identifier: BSD-2-Clause */
/* What was seen so far of what one expectation is about. */
#ifndef DAEMON_SCENARIO_TALLY_H
#define DAEMON_SCENARIO_TALLY_H

#include "daemon/instance.h"
#include "daemon/scenario.h"

struct scenario_tally {
	uint64_t seen;	   /* events; right echoes; events of a sequence that came in turn */
	uint64_t wrong;	   /* echoes */
	uint64_t *waiting; /* ring of hashes of messages whose echoes are still to come */
	uint32_t first, count, room;
};

/**
 * scenario_matches() - is an event what is waited for?
 * @watch: what is waited for
 * @type: of the event
 * @params: its members
 *
 * Return: true when it is.
 */
bool scenario_matches(const struct scenario_watch *watch, enum event_type type,
		      const json_t *params);

/**
 * scenario_tally_types() - which events an expectation has to be told of
 * @expect: expectation
 *
 * Return: types, by EVENT_BIT().
 */
uint32_t scenario_tally_types(const struct scenario_expect *expect);

/**
 * scenario_tally_event() - count an event
 * @tally: zero bytes at first
 * @expect: expectation
 * @type: of the event
 * @params: its members
 */
void scenario_tally_event(struct scenario_tally *tally, const struct scenario_expect *expect,
			  enum event_type type, const json_t *params);

/**
 * scenario_tally_holds() - does an expectation hold now?
 * @tally: tally
 * @expect: expectation
 * @instance: whose counters are looked at
 * @seen: NULL, or where is said, when it does not, what was expected and what was seen
 * @size: bytes at @seen
 *
 * Return: true when it holds.
 */
bool scenario_tally_holds(const struct scenario_tally *tally, const struct scenario_expect *expect,
			  const struct instance *instance, char *seen, size_t size);

/**
 * scenario_tally_free() - free what counting took
 * @tally: tally
 */
void scenario_tally_free(struct scenario_tally *tally);

#endif /* DAEMON_SCENARIO_TALLY_H */
