/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading: libcyaml checks the file against the schema and takes it apart, values are checked
 * against type and range, and everything becomes one JSON value.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "daemon/scenario_schema_internal.h"

struct loader {
	const struct scenario_text *text;
	struct scenario_error *error;
	char message[256];	   /* first error that libcyaml logged */
	unsigned int line, column; /* of the innermost place of its backtrace */
};

/* ---- what libcyaml refuses -------------------------------------------------------------- */

/* First comes what is wrong, then the places from the innermost to the outermost. */
static void on_log(cyaml_log_t level, void *ctx, const char *format, va_list args)
{
	struct loader *loader = ctx;
	char line[256];
	const char *place;

	if (level < CYAML_LOG_ERROR)
		return;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	place = strstr(line, "(line: ");
	if (place && !loader->line)
		sscanf(place, "(line: %u, column: %u)", &loader->line, &loader->column);
	if (!place && !loader->message[0])
		snprintf(loader->message, sizeof(loader->message), "%s",
			 strncmp(line, "Load: ", 6) == 0 ? line + 6 : line);
}

/* What stands behind a prefix of the message, or NULL. */
static const char *said(const struct loader *loader, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(loader->message, prefix, length) == 0 ? loader->message + length : NULL;
}

static const struct schema_key *find_key(const struct schema_record *record, const char *name)
{
	for (unsigned int i = 0; record && i < record->count; i++) {
		if (strcmp(record->keys[i].param.name, name) == 0)
			return &record->keys[i];
	}
	return NULL;
}

static const struct schema_record *record_of(const struct schema *schema,
					     const struct scenario_text *text, uint32_t node)
{
	const struct scenario_node *at = &text->nodes[node];
	const struct schema_record *parent;
	const struct schema_key *key;

	if (node == 0)
		return schema->top;
	parent = record_of(schema, text, at->parent);
	if (!at->key)
		return parent;
	key = find_key(parent, at->key);
	return key ? key->of : NULL;
}

/*
 * The mapping that a message about a key means: libcyaml gives the place of what it read last,
 * which may be the value of the key before, or something in it.
 */
static uint32_t mapping_of(const struct loader *loader, const struct schema *schema, uint32_t node,
			   const char *key, bool missing)
{
	const struct scenario_text *text = loader->text;

	for (;; node = text->nodes[node].parent) {
		bool there = scenario_text_key(text, node, key) != SCENARIO_NO_NODE;
		bool known = find_key(record_of(schema, text, node), key) != NULL;

		if (node == 0 ||
		    (text->nodes[node].mapping && there != missing && known == missing))
			return node;
	}
}

static int refuse_key(struct loader *loader, const struct schema *schema, uint32_t node,
		      const char *key)
{
	const struct schema_record *record;
	char known[384] = "";

	node = mapping_of(loader, schema, node, key, false);
	record = record_of(schema, loader->text, node);
	for (unsigned int i = 0; record && i < record->count; i++) {
		size_t at = strlen(known);

		snprintf(known + at, sizeof(known) - at, "%s%s", at ? ", " : "",
			 record->keys[i].param.name);
	}
	return scenario_fail(loader->error, loader->text, node, key,
			     "there is no such key here; keys are %s", known[0] ? known : "none");
}

static int refuse(struct loader *loader, const struct schema *schema, cyaml_err_t error)
{
	const struct scenario_text *text = loader->text;
	uint32_t node = scenario_text_at(text, loader->line, loader->column);
	const char *rest;

	if (error == CYAML_ERR_OOM)
		return -ENOMEM;
	if (node == SCENARIO_NO_NODE)
		node = 0;
	rest = said(loader, "Unexpected key: ");
	if (rest)
		return refuse_key(loader, schema, node, rest);
	rest = said(loader, "Missing required mapping field: ");
	if (rest)
		return scenario_fail(loader->error, text,
				     mapping_of(loader, schema, node, rest, true), rest,
				     "is missing");
	if (said(loader, "Expecting MAPPING"))
		return scenario_fail(loader->error, text, node, NULL,
				     "has to be a mapping, KEY: VALUE; an empty one is {}");
	if (said(loader, "Expecting SEQUENCE"))
		return scenario_fail(loader->error, text, node, NULL,
				     "has to be a sequence: entries that begin with -");
	if (said(loader, "Expecting STRING"))
		return scenario_fail(loader->error, text, node, NULL,
				     "has to be one value, neither a mapping nor a sequence");
	if (said(loader, "Excessive entries"))
		return scenario_fail(loader->error, text, text->nodes[node].parent, NULL,
				     "has more entries than there may be");
	return scenario_fail(loader->error, text, node, NULL, "%s",
			     loader->message[0] ? loader->message : cyaml_strerror(error));
}

/* ---- values ----------------------------------------------------------------------------- */

static int bad_value(struct loader *loader, uint32_t node, const struct method_param *param,
		     const char *what)
{
	return scenario_fail(loader->error, loader->text, node, NULL,
			     "has to be %s %" PRIu64 " to %" PRIu64 "%s", what, param->min,
			     param->max, param->type == PARAM_NUMBER ? "" : " bytes");
}

static int read_number(struct loader *loader, uint32_t node, const struct method_param *param,
		       const char *text, json_t **value)
{
	uint64_t number;

	if (!cli_number(text, param->max < INT64_MAX ? param->max : INT64_MAX, &number) ||
	    number < param->min)
		return bad_value(loader, node, param, "a number from");
	*value = json_integer((json_int_t)number);
	return 0;
}

static bool is_choice(const char *choices, const char *word)
{
	size_t length = strlen(word), part;

	for (; *choices; choices += part + (choices[part] == '|')) {
		part = strcspn(choices, "|");
		if (part == length && memcmp(choices, word, length) == 0)
			return true;
	}
	return false;
}

static int read_string(struct loader *loader, uint32_t node, const struct method_param *param,
		       const char *text, json_t **value)
{
	size_t length = strlen(text);

	if (param->choices && !is_choice(param->choices, text))
		return scenario_fail(loader->error, loader->text, node, NULL,
				     "\"%.64s\" is not one of %s", text, param->choices);
	if (length < param->min || length > param->max)
		return bad_value(loader, node, param, "a text of");
	*value = json_string(text); /* libyaml lets nothing pass that is not UTF-8 */
	return 0;
}

static int read_bytes(struct loader *loader, uint32_t node, const struct method_param *param,
		      const char *text, json_t **value)
{
	size_t length = strlen(text);

	if (length % 2 || strspn(text, "0123456789abcdefABCDEF") != length)
		return scenario_fail(loader->error, loader->text, node, NULL,
				     "has to be hexadecimal digits, two a byte");
	if (length / 2 < param->min || length / 2 > param->max)
		return bad_value(loader, node, param, "hexadecimal digits for");
	*value = json_string(text);
	return 0;
}

static int read_bool(struct loader *loader, uint32_t node, const char *text, json_t **value)
{
	bool yes = strcmp(text, "true") == 0;

	if (!yes && strcmp(text, "false") != 0)
		return scenario_fail(loader->error, loader->text, node, NULL,
				     "has to be true or false");
	*value = json_boolean(yes);
	return 0;
}

static int read_value(struct loader *loader, uint32_t node, const struct method_param *param,
		      const char *text, json_t **value)
{
	switch (param->type) {
	case PARAM_NUMBER:
		return read_number(loader, node, param, text, value);
	case PARAM_STRING:
		return read_string(loader, node, param, text, value);
	case PARAM_BYTES:
		return read_bytes(loader, node, param, text, value);
	case PARAM_BOOL:
		return read_bool(loader, node, text, value);
	case PARAM_STRINGS:
		break; /* has no text of its own */
	}
	return -EINVAL;
}

static int read_record(struct loader *loader, uint32_t node, const struct schema_record *record,
		       const char *data, json_t **value);

static int read_strings(struct loader *loader, char *const *strings, uint32_t count, json_t **value)
{
	*value = json_array();
	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(*value, json_string(strings[i]));
	return 0;
}

static int read_records(struct loader *loader, uint32_t node, const struct schema_record *of,
			const char *data, uint32_t count, json_t **value)
{
	int ret = 0;

	*value = json_array();
	for (uint32_t i = 0; ret == 0 && i < count; i++) {
		json_t *entry = NULL;

		ret = read_record(loader, scenario_text_entry(loader->text, node, i), of,
				  data + i * (size_t)of->value.data_size, &entry);
		json_array_append_new(*value, entry);
	}
	return ret;
}

static int read_record(struct loader *loader, uint32_t node, const struct schema_record *record,
		       const char *data, json_t **value)
{
	int ret = 0;

	*value = json_object();
	for (unsigned int i = 0; ret == 0 && i < record->count; i++) {
		const struct schema_key *key = &record->keys[i];
		uint32_t inner = scenario_text_key(loader->text, node, key->param.name), count;
		json_t *member = NULL;
		void *slot;

		memcpy(&slot, data + schema_slot(record, i), sizeof(slot));
		memcpy(&count, data + schema_count(record, i), sizeof(count));
		if (inner == SCENARIO_NO_NODE)
			continue;
		if (key->list)
			ret = read_records(loader, inner, key->of, slot, count, &member);
		else if (key->of)
			ret = read_record(loader, inner, key->of, slot, &member);
		else if (key->param.type == PARAM_STRINGS)
			ret = read_strings(loader, slot, count, &member);
		else
			ret = read_value(loader, inner, &key->param, slot ? slot : "", &member);
		json_object_set_new(*value, key->param.name, member);
	}
	return ret;
}

/* ---- loading ---------------------------------------------------------------------------- */

static int load(struct loader *loader, const struct schema *schema, const char *bytes, size_t size,
		json_t **root)
{
	const cyaml_config_t config = {
		.log_fn = on_log,
		.log_ctx = loader,
		.log_level = CYAML_LOG_ERROR,
		.mem_fn = cyaml_mem,
		.flags = CYAML_CFG_DEFAULT,
	};
	cyaml_data_t *data = NULL;
	cyaml_err_t error = cyaml_load_data((const uint8_t *)bytes, size, &config,
					    &schema->top->value, &data, NULL);
	int ret;

	if (error != CYAML_OK)
		return refuse(loader, schema, error);
	if (!data)
		return scenario_fail(loader->error, loader->text, 0, NULL,
				     "a scenario is a mapping: there is none");
	ret = read_record(loader, 0, schema->top, data, root);
	cyaml_free(&config, &schema->top->value, data, 0);
	return ret;
}

int scenario_load(const struct scenario_text *text, const char *bytes, size_t size, json_t **root,
		  struct scenario_error *error)
{
	struct loader loader = {.text = text, .error = error};
	struct schema *schema = calloc(1, sizeof(*schema));
	int ret;

	*root = NULL;
	if (!schema)
		return -ENOMEM;
	schema_build(schema);
	ret = load(&loader, schema, bytes, size, root);
	free(schema);
	if (ret) {
		json_decref(*root);
		*root = NULL;
	}
	return ret;
}
