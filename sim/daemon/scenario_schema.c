/* SPDX-License-Identifier: BSD-2-Clause */
/* The schema: tables of keys, made into one for libcyaml. */
#include "daemon/scenario_schema_internal.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/options.h"
#include "daemon/scenario.h"
#include "daemon/words.h"
#include "remote/pacing.h"
#include "remote/script.h"

#define NAME_MAX_BYTES (RPMSG_NAME_SIZE - 1)
#define ADDRESS_MAX (RPMSG_ADDR_ANY - 1)
#define DELAY_MAX_US (PACE_MAX_DELAY / 1000)
#define FIELD_MAX_BYTES UINT64_C(131070) /* the largest payload, in hexadecimal */
#define TIME_MAX_MS 86400000		 /* a day */
#define COUNT_MAX INT64_MAX

/* Shorthands for rows of the tables below. */
#define NUMBER(key, low, high, text)                                                               \
	{.name = (key), .type = PARAM_NUMBER, .min = (low), .max = (high), .help = (text)}
#define WORD(key, low, high, text)                                                                 \
	{.name = (key), .type = PARAM_STRING, .min = (low), .max = (high), .help = (text)}
#define CHOICE(key, words, text)                                                                   \
	{.name = (key),                                                                            \
	 .type = PARAM_STRING,                                                                     \
	 .min = 1,                                                                                 \
	 .max = 64,                                                                                \
	 .help = (text),                                                                           \
	 .choices = (words)}
#define FLAG(key, text) {.name = (key), .type = PARAM_BOOL, .max = 1, .help = (text)}
#define BYTES(key, text)                                                                           \
	{.name = (key), .type = PARAM_BYTES, .max = REMOTE_MAX_PAYLOAD, .help = (text)}
#define END {.name = NULL}

static const struct method_param top_first[] = {
	WORD("description", 0, 4096, "for people: it is printed when the scenario begins"),
	END,
};

static const struct method_param top_check[] = {
	CHOICE("check", "off|report|strict", "as --check, which wins over it"),
	END,
};

static const struct method_param service_count[] = {
	NUMBER("count", 1, OPTIONS_SERVICE_COUNT_MAX,
	       "so many of them, at addr, addr + 1, ...; absent: 1"),
	END,
};

static const struct method_param script_name[] = {
	{.name = "name",
	 .type = PARAM_STRING,
	 .min = 1,
	 .max = NAME_MAX_BYTES,
	 .required = true,
	 .help = "what services call it by"},
	END,
};

static const struct method_param rule_keys[] = {
	CHOICE("match", "any|exact|prefix|length|peer",
	       "which messages: all, those that are or begin with hex or text, those of min to max "
	       "bytes; peer: none, but that the peer becomes known. Absent: exact with hex or "
	       "text, "
	       "length with min or max, else any"),
	BYTES("hex", "the pattern, in hexadecimal"),
	WORD("text", 0, REMOTE_MAX_PAYLOAD, "the pattern, as text"),
	NUMBER("min", 0, REMOTE_MAX_PAYLOAD, "bytes of the message at least; absent: 0"),
	NUMBER("max", 0, REMOTE_MAX_PAYLOAD, "bytes of the message at most; absent: no limit"),
	NUMBER("from", 0, ADDRESS_MAX, "only messages of this address of the host"),
	WORD("in", 1, 31, "only in this state; absent: in each. The first state is start"),
	WORD("next", 1, 31, "state from now on; absent: as it is"),
	NUMBER("times", 1, UINT32_MAX, "how often the rule is used in a session; absent: always"),
	BYTES("reply_hex", "the answer, in hexadecimal"),
	WORD("reply_text", 0, REMOTE_MAX_PAYLOAD, "the answer, as text"),
	FLAG("echo", "the answer is the message itself"),
	NUMBER("count", 1, UINT32_MAX, "how many answers; absent: 1. Not with echo"),
	NUMBER("delay_us", 0, DELAY_MAX_US,
	       "microseconds before each answer; absent: 0. Not with echo"),
	NUMBER("to", 0, ADDRESS_MAX, "address that is answered; absent: the sender's"),
	CHOICE("then", "stay|withdraw|drop",
	       "what comes after it: nothing (stay, the default), the service withdraws itself "
	       "once "
	       "its answers are sent and is back in the next session, or the message is refused "
	       "and counted as dropped"),
	END,
};

#define EVENT_CHOICE(symbol, name, text) "|" name
static const char event_choices[] = "" EVENT_TABLE(EVENT_CHOICE);

static const struct method_param when_keys[] = {
	NUMBER("messages", 1, COUNT_MAX,
	       "once so many messages came from the host; the same as event message and count"),
	CHOICE("event", event_choices + 1, "once this happened"),
	NUMBER("count", 1, COUNT_MAX, "so many times; absent: 1"),
	NUMBER("after_ms", 0, TIME_MAX_MS,
	       "milliseconds after that; without an event, after the simulator was ready"),
	END,
};

/* Text, whatever the type in the event: it is compared with what a person would write. */
#define FIELD(key, member, text) WORD(key, 0, FIELD_MAX_BYTES, text),
static const struct method_param where_keys[] = {
	SCENARIO_FIELD_TABLE(FIELD) END,
};

static const struct method_param action_first[] = {
	NUMBER("repeat", 1, COUNT_MAX,
	       "how often it is done, its trigger counting anew each time; absent: 1"),
	END,
};

static const struct method_param expect_keys[] = {
	WORD("counter", 1, 64,
	     "a counter of the remote: received, delivered, dropped, dropped-REASON, sent, "
	     "send_failed or sessions"),
	WORD("violation", 1, 64,
	     "how often the host broke this rule; any: all of them; none: that it broke none"),
	WORD("fault", 1, 64, "how often this fault fired"),
	WORD("announced", 1, NAME_MAX_BYTES, "how often the host announced a channel of this name"),
	NUMBER("echo", 0, ADDRESS_MAX,
	       "how many messages to this address came back from it to their sender, each with "
	       "the same bytes and in the same order; one that differs is never right"),
	CHOICE("event", event_choices + 1, "how often this happened"),
	NUMBER("exactly", 0, COUNT_MAX, "so many times"),
	NUMBER("at_least", 0, COUNT_MAX,
	       "so many times or more often; absent, with the two others: 1"),
	NUMBER("at_most", 0, COUNT_MAX, "so many times or less often"),
	END,
};

static const struct method_param sequence_event[] = {
	{.name = "event",
	 .type = PARAM_STRING,
	 .min = 1,
	 .max = 64,
	 .required = true,
	 .help = "what happens next",
	 .choices = event_choices + 1},
	END,
};

static const struct method_param end_keys[] = {
	CHOICE("on", "disconnect|expectations|time",
	       "the front-end left (the default), all expectations hold, or after_ms is over"),
	NUMBER("after_ms", 1, TIME_MAX_MS, "with time: milliseconds after the simulator was ready"),
	NUMBER("sessions", 1, UINT32_MAX,
	       "with disconnect: the front-end that leaves is the so manieth; absent: 1"),
	NUMBER("deadline_ms", 1, TIME_MAX_MS,
	       "milliseconds after which it has failed when it did not end before; absent: 600000"),
	END,
};

/* ---- building --------------------------------------------------------------------------- */

static struct schema_record *new_record(struct schema *schema)
{
	struct schema_record *record = &schema->records[schema->used++];

	record->value = (cyaml_schema_value_t){.type = CYAML_MAPPING, .flags = CYAML_FLAG_DEFAULT};
	record->value.mapping.fields = record->fields;
	return record;
}

static struct schema_key *add_key(struct schema_record *record, const struct method_param *param)
{
	struct schema_key *key = &record->keys[record->count++];

	key->param = *param;
	return key;
}

static void add_keys(struct schema_record *record, const struct method_param *params)
{
	for (; params->name; params++)
		add_key(record, params);
}

static void add_record(struct schema_record *record, const char *name, const char *help,
		       struct schema_record *of)
{
	add_key(record, &(struct method_param){.name = name, .help = help})->of = of;
}

static void add_records(struct schema_record *record, const char *name, const char *help,
			uint64_t max, struct schema_record *of)
{
	struct schema_key *key =
		add_key(record, &(struct method_param){.name = name, .help = help, .max = max});

	key->of = of;
	key->list = true;
}

static const cyaml_schema_value_t string_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED)};

/* Slot i of a record is a pointer to what key i has, NULL when it is absent. */
static void describe(struct schema_record *record, unsigned int i)
{
	const struct schema_key *key = &record->keys[i];
	cyaml_schema_field_t *field = &record->fields[i];
	bool list = key->list || key->param.type == PARAM_STRINGS;

	*field = (cyaml_schema_field_t){
		.key = key->param.name,
		.data_offset = (uint32_t)schema_slot(record, i),
		.count_offset = list ? (uint32_t)schema_count(record, i) : 0,
		.count_size = list ? sizeof(uint32_t) : 0,
	};
	/* Flags of libcyaml are bits, though their type is an enumeration. */
	field->value.flags = CYAML_FLAG_POINTER;
	if (!key->param.required)
		field->value.flags |= CYAML_FLAG_OPTIONAL; /* NOLINT(*-EnumCastOutOfRange) */
	if (list) {
		field->value.type = CYAML_SEQUENCE;
		field->value.data_size = key->of ? key->of->value.data_size : sizeof(char *);
		field->value.sequence.entry = key->of ? &key->of->value : &string_entry;
		field->value.sequence.max = (uint32_t)key->param.max;
	} else if (key->of) {
		field->value.type = CYAML_MAPPING;
		field->value.data_size = key->of->value.data_size;
		field->value.mapping.fields = key->of->fields;
	} else {
		/* Numbers and booleans too: libcyaml takes -1 for a large one and "maybe" for true.
		 */
		field->value.type = CYAML_STRING;
		field->value.data_size = sizeof(char *);
		field->value.string.max = CYAML_UNLIMITED;
	}
}

/* Once all its keys are there, and the records in it are finished. */
static struct schema_record *finish(struct schema_record *record)
{
	record->value.data_size = (uint32_t)schema_size(record);
	for (unsigned int i = 0; i < record->count; i++)
		describe(record, i);
	return record;
}

static struct schema_record *method_record(struct schema *schema, const char *name)
{
	struct schema_record *record = new_record(schema);

	add_keys(record, method_find(name)->params);
	return record;
}

static struct schema_record *simple_record(struct schema *schema, const struct method_param *params)
{
	struct schema_record *record = new_record(schema);

	add_keys(record, params);
	return finish(record);
}

static struct schema_record *when_record(struct schema *schema, struct schema_record *where)
{
	struct schema_record *record = new_record(schema);

	add_keys(record, when_keys);
	add_record(record, "where", "only if these members of the event are so", where);
	return finish(record);
}

static struct schema_record *script_record(struct schema *schema)
{
	struct schema_record *record = new_record(schema);

	add_keys(record, script_name);
	add_records(record, "rules", "of which the first that fits is used", SCRIPT_RULES_MAX,
		    simple_record(schema, rule_keys));
	record->keys[record->count - 1].param.required = true;
	return finish(record);
}

static struct schema_record *service_record(struct schema *schema)
{
	struct schema_record *record = method_record(schema, "announce");

	add_keys(record, service_count);
	return finish(record);
}

static struct schema_record *fault_record(struct schema *schema, struct schema_record *when)
{
	struct schema_record *record = method_record(schema, "fault_set");

	add_record(record, "when", "when it is set; absent: at start", when);
	return finish(record);
}

static struct schema_record *action_record(struct schema *schema, struct schema_record *when)
{
	struct schema_record *record = new_record(schema);
	const struct method *method;

	add_record(record, "when", "when it is done; absent: at start", when);
	add_keys(record, action_first);
	for (unsigned int i = 0; (method = method_at(i)); i++) {
		if (method->acts)
			add_record(record, method->name, method->help,
				   finish(method_record(schema, method->name)));
	}
	return finish(record);
}

static struct schema_record *expect_record(struct schema *schema, struct schema_record *where)
{
	struct schema_record *step = new_record(schema), *record = new_record(schema);

	add_keys(step, sequence_event);
	add_record(step, "where", "only if these members of the event are so", where);
	finish(step);
	add_keys(record, expect_keys);
	add_record(record, "where", "with event: only if these members of it are so", where);
	add_records(record, "sequence", "that these events happened in this order, others between",
		    SCENARIO_SEQUENCE_MAX, step);
	return finish(record);
}

void schema_build(struct schema *schema)
{
	struct schema_record *top = new_record(schema);
	struct schema_record *where = simple_record(schema, where_keys);
	struct schema_record *when = when_record(schema, where);

	schema->top = top;
	add_keys(top, top_first);
	add_keys(top, method_find("configure")->params);
	add_keys(top, top_check);
	add_records(top, "scripts", "rules of services of the kind script", SCENARIO_SCRIPTS_MAX,
		    script_record(schema));
	add_records(top, "services", "announced from the start", SCENARIO_SERVICES_MAX,
		    service_record(schema));
	add_records(top, "pace", "how the two queues are paced from the start", 2,
		    finish(method_record(schema, "pace")));
	add_records(top, "hold", "what is held from the start", 2,
		    finish(method_record(schema, "hold")));
	add_records(top, "faults", "what is wrong, and from when on", SCENARIO_STEPS_MAX,
		    fault_record(schema, when));
	add_records(top, "actions", "what is done, and when; each entry has one of the methods",
		    SCENARIO_STEPS_MAX, action_record(schema, when));
	add_records(top, "expect", "what has to hold in the end; each entry says one thing",
		    SCENARIO_EXPECTS_MAX, expect_record(schema, where));
	add_record(top, "end", "when the scenario ends", simple_record(schema, end_keys));
	finish(top);
	top->value.flags = CYAML_FLAG_POINTER;
}

/* ---- the list of keys ------------------------------------------------------------------- */

static const char *type_text(const struct schema_key *key, char *text, size_t size)
{
	const struct method_param *param = &key->param;

	if (key->of)
		return key->list ? "sequence" : "mapping";
	switch (param->type) {
	case PARAM_NUMBER:
		snprintf(text, size, "%" PRIu64 " to %" PRIu64, param->min, param->max);
		return text;
	case PARAM_STRING:
		return param->choices ? param->choices : "text";
	case PARAM_BYTES:
		return "hexadecimal";
	case PARAM_STRINGS:
		return "sequence of texts";
	case PARAM_BOOL:
		return "true or false";
	}
	return "";
}

static void list_record(json_t *list, const struct schema_record *record, const char *prefix)
{
	char name[SCENARIO_MAX_PATH], type[64];

	for (unsigned int i = 0; i < record->count; i++) {
		const struct schema_key *key = &record->keys[i];

		snprintf(name, sizeof(name), "%s%s%s", prefix, key->param.name,
			 key->list ? "[]" : "");
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:b, s:s}", "name", name, "type",
						type_text(key, type, sizeof(type)), "required",
						key->param.required, "help", key->param.help));
		if (!key->of)
			continue;
		snprintf(name, sizeof(name), "%s%s%s.", prefix, key->param.name,
			 key->list ? "[]" : "");
		list_record(list, key->of, name);
	}
}

json_t *scenario_keys(void)
{
	struct schema *schema = calloc(1, sizeof(*schema));
	json_t *list = json_array();

	if (schema) {
		schema_build(schema);
		list_record(list, schema->top, "");
	}
	free(schema);
	return list;
}
