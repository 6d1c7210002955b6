/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/scenario.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/scenario_internal.h"
#include "daemon/scenario_schema.h"
#include "remote/profile.h"

uint64_t scenario_get_number(json_t *object, const char *key, uint64_t absent)
{
	json_t *value = json_object_get(object, key);

	return value ? (uint64_t)json_integer_value(value) : absent;
}

const char *scenario_get_text(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* ---- events ----------------------------------------------------------------------------- */

static uint32_t types_with(const char *member)
{
	static const struct {
		const char *name;
		uint32_t types;
	} members[] = {
#define MEMBER(name, types, text) {name, types},
		SCENARIO_FIELD_TABLE(MEMBER)
#undef MEMBER
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (strcmp(members[i].name, member) == 0)
			return members[i].types;
	}
	return 0;
}

/* Payloads are compared in hexadecimal: "text" becomes "data". */
static int replace_text(struct scenario_parser *parser, uint32_t node, json_t *where)
{
	const char *text = scenario_get_text(where, "text");
	size_t size = text ? strlen(text) : 0;
	char *hex;

	if (!text)
		return 0;
	if (json_object_get(where, "data"))
		return scenario_refuse(parser, node, "text", "excludes data: give one");
	hex = malloc(2 * size + 1);
	if (!hex)
		return -ENOMEM;
	hex[0] = '\0';
	for (size_t i = 0; i < size; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)text[i]);
	json_object_set_new(where, "data", json_string(hex));
	json_object_del(where, "text");
	free(hex);
	return 0;
}

int scenario_get_watch(struct scenario_parser *parser, uint32_t node, json_t *object,
		       struct scenario_watch *watch)
{
	const char *name = scenario_get_text(object, "event"), *key;
	json_t *where = json_object_get(object, "where"), *value;
	uint32_t where_node = scenario_text_key(&parser->scenario->text, node, "where");

	watch->where = where;
	for (watch->type = 0; strcmp(event_type_name(watch->type), name) != 0; watch->type++)
		;
	json_object_foreach(where, key, value)
	{
		if (!(types_with(key) & EVENT_BIT(watch->type)))
			return scenario_refuse(parser, where_node, key,
					       "the event %s has no such member", name);
	}
	return replace_text(parser, where_node, where);
}

static int read_when(struct scenario_parser *parser, uint32_t node, json_t *when,
		     struct scenario_trigger *trigger)
{
	bool messages = json_object_get(when, "messages") != NULL;
	bool event = json_object_get(when, "event") != NULL;

	trigger->later = json_object_get(when, "after_ms") != NULL;
	trigger->delay_ms = scenario_get_number(when, "after_ms", 0);
	trigger->count = scenario_get_number(when, messages ? "messages" : "count", 1);
	trigger->on_event = messages || event;
	if (messages && event)
		return scenario_refuse(parser, node, "messages", "excludes event: give one");
	if (!event && json_object_get(when, "where"))
		return scenario_refuse(parser, node, "where", "goes with event only");
	if (!event && json_object_get(when, "count"))
		return scenario_refuse(parser, node, "count", "goes with event only");
	if (!messages && !event && !trigger->later)
		return scenario_refuse(parser, node, NULL,
				       "says nothing: messages, event or after_ms is missing");
	trigger->event = (struct scenario_watch){.type = EVENT_MESSAGE};
	return event ? scenario_get_watch(parser, node, when, &trigger->event) : 0;
}

/* ---- steps ------------------------------------------------------------------------------ */

int scenario_call_failed(const struct scenario *scenario, const struct scenario_step *step,
			 const struct method_call *call, struct scenario_error *error)
{
	static const char prefix[] = "params.";
	const char *what = call->text;
	char key[64] = "";
	size_t length;

	if (strncmp(what, prefix, sizeof(prefix) - 1) == 0) {
		what += sizeof(prefix) - 1;
		length = strcspn(what, ":[ ");
		snprintf(key, sizeof(key), "%.*s", (int)length, what);
		what += strcspn(what, " ");
		what += *what == ' ';
	}
	return scenario_fail(error, &scenario->text, step->node, key[0] ? key : NULL, "%s", what);
}

/* Only parameters of the method go to it. */
static json_t *params_of(const struct method *method, json_t *object)
{
	json_t *params = json_object();

	for (const struct method_param *param = method->params; param->name; param++) {
		json_t *value = json_object_get(object, param->name);

		if (value)
			json_object_set(params, param->name, value);
	}
	return params;
}

static bool has_script(const struct scenario *scenario, const char *name)
{
	for (size_t i = 0; i < scenario->script_count; i++) {
		if (strcmp(scenario->scripts[i].name, name) == 0)
			return true;
	}
	return false;
}

static int check_step(struct scenario_parser *parser, const struct scenario_step *step)
{
	const char *script = scenario_get_text(step->params, "script");
	struct method_call call = {0};

	if (rpc_check(&parser->rpc, &call, step->method, step->params))
		return scenario_call_failed(parser->scenario, step, &call, parser->error);
	if (script && !has_script(parser->scenario, script))
		return scenario_refuse(parser, step->node, "script",
				       "there is no script \"%s\" under scripts", script);
	return 0;
}

/* A step at the end of the list; object has the parameters, and perhaps more. */
static int add_step(struct scenario_parser *parser, const char *method, uint32_t node,
		    json_t *object, struct scenario_step **added)
{
	struct scenario *scenario = parser->scenario;
	struct scenario_step *step;

	if (scenario->step_count == scenario->step_room) {
		size_t room = scenario->step_room ? 2 * scenario->step_room : 16;
		struct scenario_step *steps =
			reallocarray(scenario->steps, room, sizeof(*scenario->steps));

		if (!steps)
			return -ENOMEM;
		scenario->steps = steps;
		scenario->step_room = room;
	}
	step = &scenario->steps[scenario->step_count++];
	*step = (struct scenario_step){
		.method = method_find(method), .node = node, .instances = 1, .repeat = 1};
	step->params = params_of(step->method, object);
	*added = step;
	return step->params ? check_step(parser, step) : -ENOMEM;
}

/* Where the entries of a key stand. */
static uint32_t entry_of(const struct scenario_parser *parser, const char *key, size_t index)
{
	const struct scenario_text *text = &parser->scenario->text;

	return scenario_text_entry(text, scenario_text_key(text, 0, key), (uint32_t)index);
}

/* Everything of a list is one call of the same method each, at the start. */
static int read_list(struct scenario_parser *parser, const char *key, const char *method)
{
	json_t *entry;
	size_t index;

	json_array_foreach(json_object_get(parser->scenario->root, key), index, entry)
	{
		struct scenario_step *step;
		int ret = add_step(parser, method, entry_of(parser, key, index), entry, &step);

		if (ret)
			return ret;
	}
	return 0;
}

/* Those with a static address first: dynamic ones then find what is left. */
static int read_services(struct scenario_parser *parser, bool dynamic)
{
	json_t *entry;
	size_t index;

	json_array_foreach(json_object_get(parser->scenario->root, "services"), index, entry)
	{
		uint32_t node = entry_of(parser, "services", index);
		uint64_t addr = scenario_get_number(entry, "addr", 0);
		struct scenario_step *step;
		int ret;

		if ((json_object_get(entry, "addr") == NULL) != dynamic)
			continue;
		ret = add_step(parser, "announce", node, entry, &step);
		if (ret)
			return ret;
		step->instances = (uint32_t)scenario_get_number(entry, "count", 1);
		if (addr + step->instances > RPMSG_ADDR_ANY)
			return scenario_refuse(parser, node, "count",
					       "the addresses go beyond 0xfffffffe");
	}
	return 0;
}

static int read_faults(struct scenario_parser *parser)
{
	json_t *entry;
	size_t index;

	json_array_foreach(json_object_get(parser->scenario->root, "faults"), index, entry)
	{
		uint32_t node = entry_of(parser, "faults", index);
		json_t *when = json_object_get(entry, "when");
		struct scenario_step *step;
		int ret = add_step(parser, "fault_set", node, entry, &step);

		if (ret == 0 && when)
			ret = read_when(parser,
					scenario_text_key(&parser->scenario->text, node, "when"),
					when, &step->when);
		if (ret)
			return ret;
	}
	return 0;
}

/* The one method of an action, or NULL with the error set. */
static const struct method *method_of(struct scenario_parser *parser, uint32_t node, json_t *action)
{
	const struct method *found = NULL, *method;

	for (unsigned int i = 0; (method = method_at(i)); i++) {
		if (!method->acts || !json_object_get(action, method->name))
			continue;
		if (found) {
			scenario_refuse(parser, node, method->name,
					"an action is one method: %s stands there too",
					found->name);
			return NULL;
		}
		found = method;
	}
	if (!found)
		scenario_refuse(parser, node, NULL,
				"does nothing: a method is missing, send for example");
	return found;
}

static int read_action(struct scenario_parser *parser, uint32_t node, json_t *action)
{
	const struct scenario_text *text = &parser->scenario->text;
	const struct method *method = method_of(parser, node, action);
	json_t *when = json_object_get(action, "when");
	struct scenario_step *step;
	int ret;

	if (!method)
		return -EINVAL;
	ret = add_step(parser, method->name, scenario_text_key(text, node, method->name),
		       json_object_get(action, method->name), &step);
	if (ret)
		return ret;
	step->repeat = scenario_get_number(action, "repeat", 1);
	if (when)
		ret = read_when(parser, scenario_text_key(text, node, "when"), when, &step->when);
	if (ret == 0 && step->repeat > 1 && !step->when.on_event)
		ret = scenario_refuse(parser, node, "repeat",
				      "goes with a trigger that can come again: messages or event");
	return ret;
}

static int read_actions(struct scenario_parser *parser)
{
	json_t *entry;
	size_t index;

	json_array_foreach(json_object_get(parser->scenario->root, "actions"), index, entry)
	{
		int ret = read_action(parser, entry_of(parser, "actions", index), entry);

		if (ret)
			return ret;
	}
	return 0;
}

/* What the remote is: one call of configure, and one of check. */
static int read_configuration(struct scenario_parser *parser)
{
	struct scenario *scenario = parser->scenario;
	json_t *check = json_object_get(scenario->root, "check"), *level;
	const char *profile = scenario_get_text(scenario->root, "profile");
	const char *layout = scenario_get_text(scenario->root, "layout");
	struct scenario_step *step;
	int ret = add_step(parser, "configure", 0, scenario->root, &step);

	scenario->profile = profile ? profile_find(profile) : NULL;
	scenario->layout = layout ? config_layout_find(layout) : NULL;
	if (ret || !check)
		return ret;
	level = json_pack("{s:O}", "level", check);
	ret = add_step(parser, "check", 0, level, &step);
	json_decref(level);
	return ret;
}

/* ---- the end ---------------------------------------------------------------------------- */

static int read_end(struct scenario_parser *parser)
{
	struct scenario *scenario = parser->scenario;
	json_t *end = json_object_get(scenario->root, "end");
	uint32_t node = scenario_text_key(&scenario->text, 0, "end");
	const char *on = scenario_get_text(end, "on");

	scenario->end_node = end ? node : 0;
	if (on && strcmp(on, "expectations") == 0)
		scenario->end = SCENARIO_END_EXPECTATIONS;
	else if (on && strcmp(on, "time") == 0)
		scenario->end = SCENARIO_END_TIME;
	scenario->deadline_ms = scenario_get_number(end, "deadline_ms", SCENARIO_DEADLINE_MS);
	scenario->end_after_ms = scenario_get_number(end, "after_ms", 0);
	scenario->sessions = (uint32_t)scenario_get_number(end, "sessions", 1);
	if ((scenario->end == SCENARIO_END_TIME) != (scenario->end_after_ms != 0))
		return scenario_refuse(parser, node, scenario->end_after_ms ? "after_ms" : "on",
				       "time and after_ms need each other");
	if (scenario->end == SCENARIO_END_TIME && scenario->end_after_ms > scenario->deadline_ms)
		return scenario_refuse(parser, node, "after_ms", "is later than deadline_ms");
	if (scenario->end != SCENARIO_END_DISCONNECT && json_object_get(end, "sessions"))
		return scenario_refuse(parser, node, "sessions", "goes with on: disconnect only");
	if (scenario->end == SCENARIO_END_EXPECTATIONS && scenario->expect_count == 0)
		return scenario_refuse(parser, node, "on", "there is nothing under expect");
	return 0;
}

/* ---- the file --------------------------------------------------------------------------- */

static int parse(struct scenario_parser *parser, const char *bytes, size_t size)
{
	struct scenario *scenario = parser->scenario;
	int ret = scenario_text_read(&scenario->text, scenario->name, bytes, size, parser->error);

	if (ret == 0)
		ret = scenario_load(&scenario->text, bytes, size, &scenario->root, parser->error);
	if (ret == 0)
		ret = scenario_read_scripts(parser);
	if (ret == 0)
		ret = read_configuration(parser);
	if (ret == 0)
		ret = read_services(parser, false);
	if (ret == 0)
		ret = read_services(parser, true);
	if (ret == 0)
		ret = read_list(parser, "pace", "pace");
	if (ret == 0)
		ret = read_list(parser, "hold", "hold");
	if (ret == 0)
		ret = read_faults(parser);
	if (ret == 0)
		ret = read_actions(parser);
	if (ret == 0)
		ret = scenario_read_expects(parser);
	return ret ? ret : read_end(parser);
}

int scenario_parse(const char *bytes, size_t size, const char *name, struct scenario **scenario,
		   struct scenario_error *error)
{
	struct scenario_parser *parser = calloc(1, sizeof(*parser));
	struct scenario *made = calloc(1, sizeof(*made));
	int ret = -ENOMEM;

	memset(error, 0, sizeof(*error));
	if (made)
		made->name = strdup(name);
	if (parser && made && made->name) {
		parser->scenario = made;
		parser->error = error;
		ret = parse(parser, bytes, size);
	}
	if (ret == -ENOMEM)
		snprintf(error->text, sizeof(error->text), "%s: out of memory", name);
	free(parser);
	if (ret)
		scenario_free(made);
	else
		*scenario = made;
	return ret;
}

/* One byte more than there may be, so that a file that is too long shows. */
static int read_file(FILE *file, char **bytes, size_t *size)
{
	*bytes = malloc(SCENARIO_MAX_BYTES + 1);
	if (!*bytes)
		return -ENOMEM;
	*size = fread(*bytes, 1, SCENARIO_MAX_BYTES + 1, file);
	return ferror(file) ? -errno : 0;
}

int scenario_read(const char *path, struct scenario **scenario, struct scenario_error *error)
{
	FILE *file = fopen(path, "rbe");
	char *bytes = NULL;
	size_t size = 0;
	int ret = file ? read_file(file, &bytes, &size) : -errno;

	memset(error, 0, sizeof(*error));
	if (file)
		fclose(file);
	if (ret)
		snprintf(error->text, sizeof(error->text), "%s: cannot be read: %s", path,
			 strerror(-ret));
	else
		ret = scenario_parse(bytes, size, path, scenario, error);
	free(bytes);
	return ret;
}

void scenario_free(struct scenario *scenario)
{
	if (!scenario)
		return;
	for (size_t i = 0; i < scenario->step_count; i++)
		json_decref(scenario->steps[i].params);
	for (size_t i = 0; i < scenario->expect_count; i++)
		free(scenario->expects[i].events);
	free(scenario->steps);
	free(scenario->expects);
	scenario_free_scripts(scenario);
	json_decref(scenario->root);
	scenario_text_free(&scenario->text);
	free(scenario->name);
	free(scenario);
}
