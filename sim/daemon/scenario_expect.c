/* SPDX-License-Identifier: BSD-2-Clause */
/* The key "expect" of a scenario file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/scenario_internal.h"

static const char *const counter_names[] = {
	[SCENARIO_RECEIVED] = "received",	[SCENARIO_DELIVERED] = "delivered",
	[SCENARIO_DROPPED] = "dropped",		[SCENARIO_SENT] = "sent",
	[SCENARIO_SEND_FAILED] = "send_failed", [SCENARIO_SESSIONS] = "sessions",
};

const char *scenario_counter_name(unsigned int counter, char *text, size_t size)
{
	if (counter >= SCENARIO_DROPPED_REASON + REMOTE_DROP_COUNT)
		return NULL;
	if (counter < SCENARIO_DROPPED_REASON)
		snprintf(text, size, "%s", counter_names[counter]);
	else
		snprintf(text, size, "dropped-%s",
			 remote_drop_name(counter - SCENARIO_DROPPED_REASON));
	return text;
}

static int read_counter(struct scenario_parser *parser, uint32_t node, const char *name,
			struct scenario_expect *expect)
{
	char text[64], known[256] = "";

	expect->kind = SCENARIO_EXPECT_COUNTER;
	for (expect->counter = 0; scenario_counter_name(expect->counter, text, sizeof(text));
	     expect->counter++) {
		size_t at = strlen(known);

		if (strcmp(text, name) == 0)
			return 0;
		snprintf(known + at, sizeof(known) - at, "%s%s", at ? ", " : "", text);
	}
	return scenario_refuse(parser, node, "counter",
			       "there is no counter \"%s\"; counters are %s", name, known);
}

static int read_violation(struct scenario_parser *parser, uint32_t node, const char *name,
			  struct scenario_expect *expect)
{
	expect->kind = SCENARIO_EXPECT_VIOLATION;
	expect->violation = SCENARIO_ANY_VIOLATION;
	if (strcmp(name, "any") == 0 || strcmp(name, "none") == 0)
		return 0;
	for (expect->violation = 0; expect->violation < VIOLATION_COUNT; expect->violation++) {
		if (strcmp(violation_name(expect->violation), name) == 0)
			return 0;
	}
	return scenario_refuse(parser, node, "violation",
			       "there is no rule \"%s\": any, none or the name of one in the log",
			       name);
}

static int read_fault(struct scenario_parser *parser, uint32_t node, const char *name,
		      struct scenario_expect *expect)
{
	expect->kind = SCENARIO_EXPECT_FAULT;
	return fault_find(name, &expect->fault)
		       ? scenario_refuse(parser, node, "fault",
					 "there is no fault \"%s\": --list-faults has them", name)
		       : 0;
}

static int allocate(struct scenario_expect *expect, enum scenario_expect_kind kind, size_t count)
{
	expect->kind = kind;
	expect->event_count = count;
	expect->events = calloc(count + 1, sizeof(*expect->events));
	return expect->events ? 0 : -ENOMEM;
}

static int read_announced(struct scenario_parser *parser, json_t *entry, const char *name,
			  struct scenario_expect *expect)
{
	json_t *where = json_pack("{s:s, s:s, s:s}", "direction", "from-host", "action", "create",
				  "name", name);
	int ret = allocate(expect, SCENARIO_EXPECT_EVENT, 1);

	/* It lives as long as the file does. */
	if (!where || json_object_set_new(entry, "where", where))
		ret = -ENOMEM;
	if (ret == 0)
		expect->events[0] = (struct scenario_watch){.type = EVENT_NS, .where = where};
	return ret;
}

static int read_sequence(struct scenario_parser *parser, uint32_t node, json_t *sequence,
			 struct scenario_expect *expect)
{
	const struct scenario_text *text = &parser->scenario->text;
	uint32_t list = scenario_text_key(text, node, "sequence");
	int ret = allocate(expect, SCENARIO_EXPECT_SEQUENCE, json_array_size(sequence));

	if (ret == 0 && expect->event_count == 0)
		return scenario_refuse(parser, node, "sequence", "is empty");
	for (uint32_t i = 0; ret == 0 && i < expect->event_count; i++)
		ret = scenario_get_watch(parser, scenario_text_entry(text, list, i),
					 json_array_get(sequence, i), &expect->events[i]);
	return ret;
}

/* What an entry may be about, and the one that this one is about. */
static const char *const subjects[] = {"counter", "violation", "fault",	  "announced",
				       "echo",	  "event",     "sequence"};

#define SUBJECT_COUNT (sizeof(subjects) / sizeof(subjects[0]))

static int find_subject(struct scenario_parser *parser, uint32_t node, json_t *entry,
			const char **subject)
{
	*subject = NULL;
	for (size_t i = 0; i < SUBJECT_COUNT; i++) {
		if (!json_object_get(entry, subjects[i]))
			continue;
		if (*subject)
			return scenario_refuse(parser, node, subjects[i],
					       "an entry says one thing: %s stands there too",
					       *subject);
		*subject = subjects[i];
	}
	return *subject ? 0
			: scenario_refuse(parser, node, NULL,
					  "expects nothing: counter, violation, fault, announced, "
					  "echo, event or sequence is missing");
}

static int read_bounds(struct scenario_parser *parser, uint32_t node, json_t *entry,
		       const char *subject, struct scenario_expect *expect)
{
	static const char *const bounds[] = {"exactly", "at_least", "at_most"};
	const char *violation = scenario_get_text(entry, "violation");
	bool unbounded =
		strcmp(subject, "sequence") == 0 || (violation && strcmp(violation, "none") == 0);
	bool exactly = json_object_get(entry, "exactly") != NULL;

	for (size_t i = 0; i < 3; i++) {
		if (!json_object_get(entry, bounds[i]))
			continue;
		if (unbounded)
			return scenario_refuse(parser, node, bounds[i], "does not go with %s",
					       violation ? "none" : subject);
		if (exactly && i > 0)
			return scenario_refuse(parser, node, bounds[i], "excludes exactly");
	}
	expect->min =
		scenario_get_number(entry, "at_least", json_object_get(entry, "at_most") ? 0 : 1);
	expect->max = scenario_get_number(entry, "at_most", UINT64_MAX);
	if (exactly)
		expect->min = expect->max = scenario_get_number(entry, "exactly", 0);
	if (unbounded)
		expect->min = expect->max = 0;
	if (expect->min > expect->max)
		return scenario_refuse(parser, node, "at_least", "is more than at_most");
	return 0;
}

static int read_expect(struct scenario_parser *parser, uint32_t node, json_t *entry,
		       struct scenario_expect *expect)
{
	const char *subject, *name;
	int ret = find_subject(parser, node, entry, &subject);

	expect->node = node;
	if (ret == 0)
		ret = read_bounds(parser, node, entry, subject, expect);
	if (ret)
		return ret;
	if (strcmp(subject, "event") != 0 && json_object_get(entry, "where"))
		return scenario_refuse(parser, node, "where", "goes with event only");
	name = scenario_get_text(entry, subject);
	switch (subject[0]) {
	case 'c':
		return read_counter(parser, node, name, expect);
	case 'v':
		return read_violation(parser, node, name, expect);
	case 'f':
		return read_fault(parser, node, name, expect);
	case 'a':
		return read_announced(parser, entry, name, expect);
	case 's':
		return read_sequence(parser, node, json_object_get(entry, subject), expect);
	default:
		break;
	}
	if (strcmp(subject, "echo") == 0) {
		expect->kind = SCENARIO_EXPECT_ECHO;
		expect->addr = (uint32_t)scenario_get_number(entry, "echo", 0);
		return 0;
	}
	ret = allocate(expect, SCENARIO_EXPECT_EVENT, 1);
	return ret ? ret : scenario_get_watch(parser, node, entry, &expect->events[0]);
}

int scenario_read_expects(struct scenario_parser *parser)
{
	struct scenario *scenario = parser->scenario;
	json_t *expects = json_object_get(scenario->root, "expect");
	uint32_t node = scenario_text_key(&scenario->text, 0, "expect");
	size_t count = json_array_size(expects);
	int ret = 0;

	scenario->expects = calloc(count + 1, sizeof(*scenario->expects));
	if (!scenario->expects)
		return -ENOMEM;
	for (size_t i = 0; ret == 0 && i < count; i++) {
		scenario->expect_count = i + 1;
		ret = read_expect(parser, scenario_text_entry(&scenario->text, node, (uint32_t)i),
				  json_array_get(expects, i), &scenario->expects[i]);
	}
	return ret;
}
