/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/scenario_tally.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"

#define TEXT_SIZE 512

/* ---- events ----------------------------------------------------------------------------- */

static bool same_number(uint64_t number, const char *text)
{
	uint64_t wanted;

	return cli_number(text, UINT64_MAX, &wanted) && wanted == number;
}

/* Hexadecimal digits and numbers may be written in either way. */
static bool same_text(const char *value, const char *text)
{
	uint64_t number;

	if (strcasecmp(value, text) == 0)
		return true;
	return strncmp(value, "0x", 2) == 0 && cli_number(value, UINT64_MAX, &number) &&
	       same_number(number, text);
}

static bool same_value(const json_t *value, const char *text)
{
	size_t index;
	json_t *entry;

	if (json_is_integer(value))
		return same_number((uint64_t)json_integer_value(value), text);
	if (json_is_string(value))
		return same_text(json_string_value(value), text);
	json_array_foreach(value, index, entry)
	{
		if (same_value(entry, text))
			return true;
	}
	return false;
}

bool scenario_matches(const struct scenario_watch *watch, enum event_type type,
		      const json_t *params)
{
	const char *key;
	json_t *wanted;

	if (watch->type != type)
		return false;
	json_object_foreach(watch->where, key, wanted)
	{
		if (!same_value(json_object_get(params, key), json_string_value(wanted)))
			return false;
	}
	return true;
}

uint32_t scenario_tally_types(const struct scenario_expect *expect)
{
	uint32_t types = 0;

	if (expect->kind == SCENARIO_EXPECT_ECHO)
		return EVENT_BIT(EVENT_MESSAGE) | EVENT_BIT(EVENT_SENT);
	for (size_t i = 0; i < expect->event_count; i++)
		types |= EVENT_BIT(expect->events[i].type);
	return types;
}

/* ---- echoes ----------------------------------------------------------------------------- */

static uint64_t hash_of(const json_t *params, const char *partner)
{
	const char *data = json_string_value(json_object_get(params, "data"));
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

	hash = (hash ^ (uint64_t)json_integer_value(json_object_get(params, partner))) *
	       UINT64_C(1099511628211);
	for (; data && *data; data++)
		hash = (hash ^ (uint8_t)*data) * UINT64_C(1099511628211);
	return hash;
}

static void await_echo(struct scenario_tally *tally, uint64_t hash)
{
	if (tally->count == tally->room) {
		uint32_t room = tally->room ? 2 * tally->room : 64;
		uint64_t *waiting = calloc(room, sizeof(*waiting));

		if (!waiting) {
			tally->wrong++; /* never right, rather than right by accident */
			return;
		}
		for (uint32_t i = 0; i < tally->count; i++)
			waiting[i] = tally->waiting[(tally->first + i) % tally->room];
		free(tally->waiting);
		tally->waiting = waiting;
		tally->first = 0;
		tally->room = room;
	}
	tally->waiting[(tally->first + tally->count++) % tally->room] = hash;
}

static void take_echo(struct scenario_tally *tally, uint64_t hash)
{
	if (tally->count == 0 || tally->waiting[tally->first] != hash) {
		tally->wrong++;
		return;
	}
	tally->first = (tally->first + 1) % tally->room;
	tally->count--;
	tally->seen++;
}

static void tally_echo(struct scenario_tally *tally, const struct scenario_expect *expect,
		       enum event_type type, const json_t *params)
{
	const char *own = type == EVENT_MESSAGE ? "dst" : "src";
	const char *verdict = json_string_value(json_object_get(params, "verdict"));

	if ((uint64_t)json_integer_value(json_object_get(params, own)) != expect->addr)
		return;
	/* Announcements have the address of what they announce as their source. */
	if (type == EVENT_SENT &&
	    json_integer_value(json_object_get(params, "dst")) == RPMSG_ADDR_NS)
		return;
	if (type == EVENT_SENT)
		take_echo(tally, hash_of(params, "dst"));
	else if (type == EVENT_MESSAGE && verdict && strcmp(verdict, "delivered") == 0)
		await_echo(tally, hash_of(params, "src"));
}

void scenario_tally_event(struct scenario_tally *tally, const struct scenario_expect *expect,
			  enum event_type type, const json_t *params)
{
	switch (expect->kind) {
	case SCENARIO_EXPECT_ECHO:
		if (type == EVENT_MESSAGE || type == EVENT_SENT)
			tally_echo(tally, expect, type, params);
		break;
	case SCENARIO_EXPECT_EVENT:
		tally->seen += scenario_matches(&expect->events[0], type, params);
		break;
	case SCENARIO_EXPECT_SEQUENCE:
		tally->seen += tally->seen < expect->event_count &&
			       scenario_matches(&expect->events[tally->seen], type, params);
		break;
	default:
		break; /* counted elsewhere */
	}
}

void scenario_tally_free(struct scenario_tally *tally)
{
	free(tally->waiting);
}

/* ---- judging ---------------------------------------------------------------------------- */

static uint64_t counter_value(const struct instance *instance, unsigned int counter)
{
	const struct remote_stats *stats = remote_get_stats(instance->remote);
	uint64_t dropped = 0;

	switch (counter) {
	case SCENARIO_RECEIVED:
		return stats->received;
	case SCENARIO_DELIVERED:
		return stats->delivered;
	case SCENARIO_DROPPED:
		for (unsigned int i = 0; i < REMOTE_DROP_COUNT; i++)
			dropped += stats->dropped[i];
		return dropped;
	case SCENARIO_SENT:
		return stats->sent;
	case SCENARIO_SEND_FAILED:
		return stats->send_failed;
	case SCENARIO_SESSIONS:
		return stats->sessions;
	default:
		return stats->dropped[counter - SCENARIO_DROPPED_REASON];
	}
}

static uint64_t violations(const struct instance *instance, int violation)
{
	uint64_t total = 0;

	for (int i = 0; i < VIOLATION_COUNT; i++)
		total += violation == SCENARIO_ANY_VIOLATION || violation == i
				 ? instance->violations[i]
				 : 0;
	return total;
}

static uint64_t fired(const struct instance *instance, enum fault fault)
{
	struct fault_status status = {0};

	remote_fault_status(instance->remote, fault, &status);
	return status.fired;
}

/* How often, and in words what it is about. */
static uint64_t measure(const struct scenario_tally *tally, const struct scenario_expect *expect,
			const struct instance *instance, char *what, size_t size)
{
	char *where;

	switch (expect->kind) {
	case SCENARIO_EXPECT_COUNTER:
		scenario_counter_name(expect->counter, what, size);
		return counter_value(instance, expect->counter);
	case SCENARIO_EXPECT_VIOLATION:
		snprintf(what, size, "violation %s",
			 expect->violation == SCENARIO_ANY_VIOLATION
				 ? "of any rule"
				 : violation_name(expect->violation));
		return violations(instance, expect->violation);
	case SCENARIO_EXPECT_FAULT:
		snprintf(what, size, "fault %s", fault_at(expect->fault)->name);
		return fired(instance, expect->fault);
	case SCENARIO_EXPECT_ECHO:
		snprintf(what, size, "messages echoed by %" PRIu32, expect->addr);
		return tally->seen;
	default:
		break;
	}
	where = expect->events[0].where ? json_dumps(expect->events[0].where, JSON_COMPACT) : NULL;
	snprintf(what, size, "event %s%s%.300s", event_type_name(expect->events[0].type),
		 where ? " " : "", where ? where : "");
	free(where);
	return tally->seen;
}

/* The violation that came most often, for a message. */
static void add_worst(const struct instance *instance, char *seen, size_t size)
{
	int worst = 0;
	size_t at = strlen(seen);

	for (int i = 1; i < VIOLATION_COUNT; i++) {
		if (instance->violations[i] > instance->violations[worst])
			worst = i;
	}
	if (instance->violations[worst])
		snprintf(seen + at, size - at, ", %s for one", violation_name(worst));
}

static void say_bounds(const struct scenario_expect *expect, char *text, size_t size)
{
	if (expect->min == expect->max)
		snprintf(text, size, "exactly %" PRIu64, expect->min);
	else if (expect->max == UINT64_MAX)
		snprintf(text, size, "at least %" PRIu64, expect->min);
	else
		snprintf(text, size, "%" PRIu64 " to %" PRIu64, expect->min, expect->max);
}

static bool sequence_holds(const struct scenario_tally *tally, const struct scenario_expect *expect,
			   char *seen, size_t size)
{
	const struct scenario_watch *next = &expect->events[tally->seen];

	if (tally->seen == expect->event_count)
		return true;
	if (seen)
		snprintf(seen, size,
			 "sequence: expected %zu events in order, seen %" PRIu64
			 "; event %s (entry %" PRIu64 ") did not follow",
			 expect->event_count, tally->seen, event_type_name(next->type),
			 tally->seen);
	return false;
}

bool scenario_tally_holds(const struct scenario_tally *tally, const struct scenario_expect *expect,
			  const struct instance *instance, char *seen, size_t size)
{
	char what[TEXT_SIZE], bounds[64];
	uint64_t count;
	size_t at;

	if (expect->kind == SCENARIO_EXPECT_SEQUENCE)
		return sequence_holds(tally, expect, seen, size);
	count = measure(tally, expect, instance, what, sizeof(what));
	if (count >= expect->min && count <= expect->max && tally->wrong == 0)
		return true;
	if (!seen)
		return false;
	say_bounds(expect, bounds, sizeof(bounds));
	snprintf(seen, size, "%s: expected %s, seen %" PRIu64, what, bounds, count);
	at = strlen(seen);
	if (tally->wrong)
		snprintf(seen + at, size - at, ", and %" PRIu64 " that were not echoes",
			 tally->wrong);
	if (expect->kind == SCENARIO_EXPECT_VIOLATION &&
	    expect->violation == SCENARIO_ANY_VIOLATION)
		add_worst(instance, seen, size);
	return false;
}
