/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/print.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/table.h"

#define INDENT 2
#define MAX_DEPTH 16   /* of results; what lies deeper is shown as JSON */
#define EVENT_BYTES 32 /* of data in the line of an event */

/* ---- values ----------------------------------------------------------------------------- */

char *print_clean(const char *text)
{
	char *clean = malloc(4 * strlen(text) + 1), *at = clean;

	if (!clean)
		return NULL;
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte < 0x20 || byte == 0x7f)
			at += sprintf(at, "\\x%02x", byte);
		else if (byte < 0x80)
			*at++ = (char)byte;
		else if (byte >= 0xc0) /* of a longer character only the first byte counts */
			*at++ = '?';
	}
	*at = '\0';
	return clean;
}

/* Bit masks mean nothing to anybody in decimal. */
static bool is_mask(const char *name)
{
	static const char *const masks[] = {"offered", "acked", "features"};

	for (size_t i = 0; name && i < sizeof(masks) / sizeof(masks[0]); i++) {
		if (strcmp(masks[i], name) == 0)
			return true;
	}
	return false;
}

char *print_scalar(const char *name, json_t *value)
{
	char *text = NULL, *json;

	switch (json_typeof(value)) {
	case JSON_STRING:
		return print_clean(json_string_value(value));
	case JSON_INTEGER:
		if (asprintf(&text, is_mask(name) ? "0x%" PRIx64 : "%" PRId64,
			     (int64_t)json_integer_value(value)) < 0)
			return NULL;
		return text;
	case JSON_REAL:
		return asprintf(&text, "%g", json_real_value(value)) < 0 ? NULL : text;
	case JSON_TRUE:
		return strdup("yes");
	case JSON_FALSE:
		return strdup("no");
	case JSON_NULL:
		return strdup("-");
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
	json = json_dumps(value, JSON_COMPACT);
	text = json ? print_clean(json) : NULL;
	free(json);
	return text;
}

/* ---- results ---------------------------------------------------------------------------- */

static bool is_empty(json_t *value)
{
	return (json_is_object(value) && json_object_size(value) == 0) ||
	       (json_is_array(value) && json_array_size(value) == 0);
}

static bool is_table(json_t *value)
{
	return json_is_array(value) && json_is_object(json_array_get(value, 0));
}

/* Elements of an array of scalars, with commas. */
static void print_list(FILE *out, const char *name, json_t *array)
{
	json_t *value;
	size_t i;

	json_array_foreach(array, i, value)
	{
		char *text = print_scalar(name, value);

		fprintf(out, "%s%s", i ? ", " : "", text ? text : "");
		free(text);
	}
	fputc('\n', out);
}

static void print_text(FILE *out, const char *name, json_t *value)
{
	char *text = print_scalar(name, value);

	fprintf(out, "%s\n", text ? text : "");
	free(text);
}

static int name_width(json_t *object)
{
	const char *key;
	json_t *value;
	int width = 0;

	json_object_foreach(object, key, value)
	{
		bool part = (json_is_object(value) || is_table(value)) && !is_empty(value);

		if (!part && (int)strlen(key) > width)
			width = (int)strlen(key);
	}
	return width;
}

static void print_object(FILE *out, json_t *object, int depth)
{
	int indent = depth * INDENT, width = name_width(object);
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		char *name = print_clean(key);
		bool part = (json_is_object(value) || is_table(value)) && !is_empty(value) &&
			    depth < MAX_DEPTH;

		fprintf(out, "%*s%s", indent, "", name ? name : "");
		if (part)
			fputs(":\n", out);
		else
			fprintf(out, "%*s", width - (int)strlen(name ? name : "") + INDENT, "");
		if (is_empty(value))
			fputs("none\n", out);
		else if (part && json_is_object(value))
			print_object(out, value, depth + 1);
		else if (part)
			table_print(out, value, indent + INDENT);
		else if (json_is_array(value))
			print_list(out, key, value);
		else
			print_text(out, key, value);
		free(name);
	}
}

void print_result(FILE *out, json_t *result)
{
	if (is_empty(result))
		return;
	if (json_is_object(result))
		print_object(out, result, 0);
	else if (is_table(result))
		table_print(out, result, 0);
	else if (json_is_array(result))
		print_list(out, NULL, result);
	else
		print_text(out, NULL, result);
}

static void print_name(FILE *out, json_t *item)
{
	json_t *name = json_is_string(item) ? item : json_object_get(item, "name");

	if (json_is_string(name))
		print_text(out, NULL, name);
}

void print_names(FILE *out, json_t *result)
{
	const char *key;
	json_t *value, *item;
	size_t i;

	json_array_foreach(result, i, item)
	{
		print_name(out, item);
	}
	json_object_foreach(result, key, value)
	{
		json_array_foreach(value, i, item)
		{
			if (json_is_object(item))
				print_name(out, item);
		}
	}
}

/* ---- events ----------------------------------------------------------------------------- */

static void print_data(FILE *out, const char *hex)
{
	size_t size = strlen(hex) / 2;

	fprintf(out, " data=%.*s", 2 * EVENT_BYTES, hex);
	if (size > EVENT_BYTES)
		fprintf(out, "...(%zu bytes)", size);
}

void print_event(FILE *out, json_t *params)
{
	json_int_t time_ns = json_integer_value(json_object_get(params, "time_ns"));
	json_t *type = json_object_get(params, "type");
	const char *key;
	json_t *value;
	char *text = print_scalar(NULL, type ? type : params);

	fprintf(out, "%" PRId64 ".%06" PRId64 " %-12s", (int64_t)(time_ns / 1000000000),
		(int64_t)(time_ns % 1000000000 / 1000), text ? text : "");
	free(text);
	json_object_foreach(params, key, value)
	{
		if (strcmp(key, "time_ns") == 0 || strcmp(key, "type") == 0 ||
		    strcmp(key, "seq") == 0)
			continue;
		if (strcmp(key, "data") == 0 && json_is_string(value)) {
			text = print_clean(json_string_value(value));
			print_data(out, text ? text : "");
		} else {
			text = print_scalar(key, value);
			fprintf(out, " %s=%s", key, text ? text : "");
		}
		free(text);
	}
	fputc('\n', out);
}
