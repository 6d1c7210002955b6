/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/scenario_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MAX_KEYS 63 /* of one mapping, from 0: no record of the schema has as many */

/* ---- messages --------------------------------------------------------------------------- */

static void prepend(char path[SCENARIO_MAX_PATH], const struct scenario_node *node)
{
	char part[SCENARIO_MAX_PATH], rest[SCENARIO_MAX_PATH];
	bool dot = path[0] != '\0' && path[0] != '[';

	snprintf(rest, sizeof(rest), "%s", path);
	if (node->key)
		snprintf(part, sizeof(part), "%.64s%s", node->key, dot ? "." : "");
	else
		snprintf(part, sizeof(part), "[%u]%s", node->index, dot ? "." : "");
	if (strlen(part) + strlen(rest) < SCENARIO_MAX_PATH) {
		memcpy(path, part, strlen(part));
		memcpy(path + strlen(part), rest, strlen(rest) + 1);
	}
}

void scenario_text_path(const struct scenario_text *text, uint32_t node,
			char path[SCENARIO_MAX_PATH])
{
	path[0] = '\0';
	for (; node != 0 && node < text->count; node = text->nodes[node].parent)
		prepend(path, &text->nodes[node]);
}

static void set_key(struct scenario_error *error, const struct scenario_text *text, uint32_t node,
		    const char *key)
{
	size_t at;

	scenario_text_path(text, node, error->key);
	at = strlen(error->key);
	if (key)
		snprintf(error->key + at, sizeof(error->key) - at, "%s%.64s", at ? "." : "", key);
}

/* What a file says may be quoted in a message, which stays one line. */
static int tell_in_one_line(struct scenario_error *error)
{
	for (char *at = error->text; *at != '\0'; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	}
	return -EINVAL;
}

int scenario_fail(struct scenario_error *error, const struct scenario_text *text, uint32_t node,
		  const char *key, const char *format, ...)
{
	uint32_t inner =
		key && node < text->count ? scenario_text_key(text, node, key) : SCENARIO_NO_NODE;
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (inner != SCENARIO_NO_NODE) {
		node = inner;
		key = NULL;
	}
	set_key(error, text, node, key);
	error->line = node < text->count ? text->nodes[node].line : 0;
	if (error->line && error->key[0])
		snprintf(error->text, sizeof(error->text), "%s:%u: %s: %s", text->name, error->line,
			 error->key, what);
	else if (error->line)
		snprintf(error->text, sizeof(error->text), "%s:%u: %s", text->name, error->line,
			 what);
	else
		snprintf(error->text, sizeof(error->text), "%s: %s", text->name, what);
	return tell_in_one_line(error);
}

/* About a place that has no node. */
static int fail_at(struct scenario_error *error, const struct scenario_text *text,
		   const yaml_mark_t *mark, uint32_t parent, const char *what)
{
	error->line = (unsigned int)mark->line + 1;
	set_key(error, text, parent, NULL);
	snprintf(error->text, sizeof(error->text), "%s:%u: %s%s%s", text->name, error->line,
		 error->key, error->key[0] ? ": " : "", what);
	return tell_in_one_line(error);
}

/* ---- looking things up ------------------------------------------------------------------ */

uint32_t scenario_text_key(const struct scenario_text *text, uint32_t node, const char *key)
{
	uint32_t child = node < text->count ? text->nodes[node].child : SCENARIO_NO_NODE;

	while (child != SCENARIO_NO_NODE &&
	       !(text->nodes[child].key && strcmp(text->nodes[child].key, key) == 0))
		child = text->nodes[child].next;
	return child;
}

uint32_t scenario_text_entry(const struct scenario_text *text, uint32_t node, uint32_t index)
{
	uint32_t child = node < text->count ? text->nodes[node].child : SCENARIO_NO_NODE;

	while (child != SCENARIO_NO_NODE && text->nodes[child].index != index)
		child = text->nodes[child].next;
	return child;
}

uint32_t scenario_text_at(const struct scenario_text *text, unsigned int line, unsigned int column)
{
	for (uint32_t i = 0; i < text->count; i++) {
		if (text->nodes[i].value_line == line && text->nodes[i].value_column == column)
			return i;
	}
	return SCENARIO_NO_NODE;
}

/* ---- reading ---------------------------------------------------------------------------- */

struct reader {
	struct scenario_text *text;
	struct scenario_error *error;
	yaml_parser_t parser;
	uint32_t room;
	uint32_t last[SCENARIO_MAX_DEPTH + 1]; /* the last child so far of each that is open */
	uint32_t open[SCENARIO_MAX_DEPTH + 1]; /* the mapping or sequence at each depth */
	bool mapping[SCENARIO_MAX_DEPTH + 1];
	int depth;	       /* of what is open; -1: nothing is */
	char *key;	       /* that was read and has no value yet */
	unsigned int key_line; /* its line */
};

/* A node below what is open; SCENARIO_NO_NODE with *ret set when there cannot be one. */
static uint32_t add_node(struct reader *reader, const yaml_event_t *event, int *ret)
{
	struct scenario_text *text = reader->text;
	uint32_t at = text->count, *last;
	struct scenario_node *node;

	if (at == SCENARIO_MAX_NODES) {
		*ret = fail_at(reader->error, text, &event->start_mark, 0,
			       "there are too many keys and entries");
		return SCENARIO_NO_NODE;
	}
	if (at == reader->room) {
		uint32_t room = reader->room ? 2 * reader->room : 64;
		struct scenario_node *nodes = reallocarray(text->nodes, room, sizeof(*text->nodes));

		if (!nodes) {
			*ret = -ENOMEM;
			return SCENARIO_NO_NODE;
		}
		text->nodes = nodes;
		reader->room = room;
	}
	node = &text->nodes[text->count++];
	*node = (struct scenario_node){
		.child = SCENARIO_NO_NODE,
		.next = SCENARIO_NO_NODE,
		.key = reader->key,
		.line = reader->key ? reader->key_line : (unsigned int)event->start_mark.line + 1,
		.value_line = (unsigned int)event->start_mark.line + 1,
		.value_column = (unsigned int)event->start_mark.column + 1,
		.scalar = event->type == YAML_SCALAR_EVENT,
		.mapping = event->type == YAML_MAPPING_START_EVENT,
	};
	reader->key = NULL;
	if (reader->depth < 0)
		return at;
	node->parent = reader->open[reader->depth];
	last = &reader->last[reader->depth];
	if (*last == SCENARIO_NO_NODE) {
		text->nodes[node->parent].child = at;
	} else {
		text->nodes[*last].next = at;
		node->index = text->nodes[*last].index + 1;
	}
	*last = at;
	return at;
}

static int read_key(struct reader *reader, const yaml_event_t *event)
{
	uint32_t mapping = reader->open[reader->depth], last = reader->last[reader->depth];
	const char *key = (const char *)event->data.scalar.value;

	if (strlen(key) != event->data.scalar.length || event->data.scalar.length > 64)
		return fail_at(reader->error, reader->text, &event->start_mark, mapping,
			       "a key has at most 64 bytes, none of them 0");
	if (scenario_text_key(reader->text, mapping, key) != SCENARIO_NO_NODE)
		return fail_at(reader->error, reader->text, &event->start_mark,
			       scenario_text_key(reader->text, mapping, key), "is given twice");
	if (last != SCENARIO_NO_NODE && reader->text->nodes[last].index >= MAX_KEYS)
		return fail_at(reader->error, reader->text, &event->start_mark, mapping,
			       "a mapping has at most 64 keys");
	reader->key = strdup(key);
	reader->key_line = (unsigned int)event->start_mark.line + 1;
	return reader->key ? 0 : -ENOMEM;
}

static bool expects_key(const struct reader *reader)
{
	return reader->depth >= 0 && reader->mapping[reader->depth] && !reader->key;
}

static int read_scalar(struct reader *reader, const yaml_event_t *event)
{
	int ret = 0;

	if (expects_key(reader))
		return read_key(reader, event);
	if (event->data.scalar.length > SCENARIO_MAX_SCALAR ||
	    strlen((const char *)event->data.scalar.value) != event->data.scalar.length) {
		uint32_t node = add_node(reader, event, &ret);

		return ret ? ret
			   : scenario_fail(reader->error, reader->text, node, NULL,
					   "a value has at most %d bytes, none of them 0",
					   SCENARIO_MAX_SCALAR);
	}
	add_node(reader, event, &ret);
	return ret;
}

static int open_collection(struct reader *reader, const yaml_event_t *event, bool mapping)
{
	int ret = 0;
	uint32_t node;

	if (expects_key(reader))
		return fail_at(reader->error, reader->text, &event->start_mark,
			       reader->open[reader->depth], "a key has to be a word");
	if (reader->depth == SCENARIO_MAX_DEPTH)
		return fail_at(reader->error, reader->text, &event->start_mark,
			       reader->open[reader->depth],
			       "mappings and sequences are too deep within each other");
	node = add_node(reader, event, &ret);
	if (ret)
		return ret;
	reader->depth++;
	reader->open[reader->depth] = node;
	reader->last[reader->depth] = SCENARIO_NO_NODE;
	reader->mapping[reader->depth] = mapping;
	return 0;
}

/* Whoever writes them gets what they do not expect: nothing here needs them. */
static bool is_not_served(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return true;
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor || event->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor || event->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor || event->data.mapping_start.tag;
	default:
		return false;
	}
}

static int read_event(struct reader *reader, const yaml_event_t *event)
{
	uint32_t open = reader->depth < 0 ? 0 : reader->open[reader->depth];

	if (is_not_served(event))
		return fail_at(reader->error, reader->text, &event->start_mark, open,
			       "anchors, aliases and tags are not served");
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return reader->text->count
			       ? fail_at(reader->error, reader->text, &event->start_mark, 0,
					 "a file has one document")
			       : 0;
	case YAML_SCALAR_EVENT:
		return read_scalar(reader, event);
	case YAML_SEQUENCE_START_EVENT:
		return open_collection(reader, event, false);
	case YAML_MAPPING_START_EVENT:
		return open_collection(reader, event, true);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		reader->depth--;
		return 0;
	default:
		return 0;
	}
}

static int syntax_error(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	uint32_t open = reader->depth < 0 ? 0 : reader->open[reader->depth];
	char what[256];

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	snprintf(what, sizeof(what), "this is no YAML: %s%s%s",
		 parser->problem ? parser->problem : "it cannot be read",
		 parser->context ? ", " : "", parser->context ? parser->context : "");
	return fail_at(reader->error, reader->text, &parser->problem_mark, open, what);
}

static int read_events(struct reader *reader)
{
	yaml_event_t event;
	bool done = false;
	int ret = 0;

	while (ret == 0 && !done) {
		if (!yaml_parser_parse(&reader->parser, &event))
			return syntax_error(reader);
		done = event.type == YAML_STREAM_END_EVENT;
		ret = read_event(reader, &event);
		yaml_event_delete(&event);
	}
	return ret;
}

int scenario_text_read(struct scenario_text *text, const char *name, const char *bytes, size_t size,
		       struct scenario_error *error)
{
	struct reader reader = {.text = text, .error = error, .depth = -1};
	int ret;

	memset(text, 0, sizeof(*text));
	text->name = name;
	if (size > SCENARIO_MAX_BYTES)
		return scenario_fail(error, text, SCENARIO_NO_NODE, NULL,
				     "a scenario has at most %u bytes", SCENARIO_MAX_BYTES);
	if (!yaml_parser_initialize(&reader.parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)bytes, size);
	ret = read_events(&reader);
	yaml_parser_delete(&reader.parser);
	free(reader.key);
	if (ret == 0 && (text->count == 0 || text->nodes[0].scalar))
		ret = scenario_fail(error, text, text->count ? 0 : SCENARIO_NO_NODE, NULL,
				    "a scenario is a mapping: there is none");
	return ret;
}

void scenario_text_free(struct scenario_text *text)
{
	for (uint32_t i = 0; i < text->count; i++)
		free(text->nodes[i].key);
	free(text->nodes);
	text->nodes = NULL;
	text->count = 0;
}
