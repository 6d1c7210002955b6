/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/params.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define TEXT_PREFIX "text:"

struct builder {
	json_t *method;
	struct cli_error error;
};

static const char *member(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

bool params_same_name(const char *known, const char *typed, size_t length)
{
	if (strlen(known) != length)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (known[i] != typed[i] && !(known[i] == '_' && typed[i] == '-'))
			return false;
	}
	return true;
}

static json_t *find(json_t *method, const char *name, size_t length)
{
	json_t *param;
	size_t i;

	json_array_foreach(json_object_get(method, "params"), i, param)
	{
		if (params_same_name(member(param, "name"), name, length))
			return param;
	}
	return NULL;
}

json_t *params_has(json_t *method, const char *name)
{
	return find(method, name, strlen(name));
}

/* ---- values ----------------------------------------------------------------------------- */

static int make_number(struct builder *builder, const char *word, const char *value, json_t **made)
{
	const char *digits = value + (*value == '-');
	bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
	long long number;
	char *end;

	/* Not octal: a leading zero means nothing on the daemon's command line either. */
	errno = 0;
	number = strtoll(value, &end, hex ? 16 : 10);
	if (*digits < '0' || *digits > '9' || *end)
		return cli_refuse(&builder->error, "%s: \"%s\" is not a number", word, value);
	if (errno)
		return cli_refuse(&builder->error, "%s: the number is out of range", word);
	*made = json_integer(number);
	return 0;
}

static int make_boolean(struct builder *builder, const char *word, const char *value, json_t **made)
{
	static const char *const yes[] = {"true", "yes", "on", "1"};
	static const char *const no[] = {"false", "no", "off", "0"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcmp(value, yes[i]) == 0)
			*made = json_true();
		if (strcmp(value, no[i]) == 0)
			*made = json_false();
	}
	return *made ? 0
		     : cli_refuse(&builder->error, "%s: \"%s\" is neither true nor false", word,
				  value);
}

static int make_string(struct builder *builder, const char *word, const char *value, json_t **made)
{
	*made = json_string(value);
	return *made ? 0 : cli_refuse(&builder->error, "%s: the value is not UTF-8", word);
}

static int make_bytes(struct builder *builder, const char *word, const char *value, json_t **made)
{
	static const char digits[] = "0123456789abcdef";
	size_t length = strlen(value);
	char *hex;

	if (strncmp(value, TEXT_PREFIX, strlen(TEXT_PREFIX)) != 0) {
		if (length % 2 || value[strspn(value, "0123456789abcdefABCDEF")])
			return cli_refuse(&builder->error,
					  "%s: bytes are pairs of hexadecimal digits, or text:...",
					  word);
		return make_string(builder, word, value, made);
	}
	value += strlen(TEXT_PREFIX);
	length -= strlen(TEXT_PREFIX);
	hex = malloc(2 * length + 1);
	if (!hex)
		return cli_refuse(&builder->error, "out of memory");
	for (size_t i = 0; i < length; i++) {
		hex[2 * i] = digits[(unsigned char)value[i] >> 4];
		hex[2 * i + 1] = digits[(unsigned char)value[i] & 0xf];
	}
	*made = json_stringn_nocheck(hex, 2 * length);
	free(hex);
	return 0;
}

static int make_list(struct builder *builder, const char *word, const char *value, json_t **made)
{
	*made = json_array();
	while (*value) {
		size_t length = strcspn(value, ",");

		if (json_array_append_new(*made, json_stringn(value, length)))
			return cli_refuse(&builder->error, "%s: the value is not UTF-8", word);
		value += length + (value[length] == ',');
	}
	return 0;
}

/* Of a type that this program does not know: JSON when it is some, else a string. */
static int make_any(struct builder *builder, const char *word, const char *value, json_t **made)
{
	*made = json_loads(value, JSON_DECODE_ANY, NULL);
	return *made ? 0 : make_string(builder, word, value, made);
}

static int make_value(struct builder *builder, const char *type, const char *word,
		      const char *value, json_t **made)
{
	static const struct {
		const char *type;
		int (*make)(struct builder *, const char *, const char *, json_t **);
	} makers[] = {
		{"integer", make_number},	 {"boolean", make_boolean},
		{"string", make_string},	 {"hexadecimal", make_bytes},
		{"array of strings", make_list},
	};

	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
		if (strcmp(makers[i].type, type) == 0)
			return makers[i].make(builder, word, value, made);
	}
	return make_any(builder, word, value, made);
}

/* ---- words ------------------------------------------------------------------------------ */

/* " it has name, kind" for messages. */
static const char *list_params(json_t *method, char *text, size_t size)
{
	json_t *param;
	size_t i, at;

	snprintf(text, size, "it takes none");
	json_array_foreach(json_object_get(method, "params"), i, param)
	{
		at = i ? strlen(text) : 0;
		snprintf(text + at, size - at, "%s%s", i ? ", " : "it takes ",
			 member(param, "name"));
	}
	return text;
}

static int add_word(struct builder *builder, json_t *params, const char *word)
{
	const char *value = strchr(word, '='), *name;
	json_t *param = value ? find(builder->method, word, (size_t)(value - word)) : NULL;
	json_t *made = NULL;
	char known[256];
	int ret;

	if (!value)
		return cli_refuse(&builder->error, "%s: write KEY=VALUE; of %s, %s", word,
				  member(builder->method, "name"),
				  list_params(builder->method, known, sizeof(known)));
	if (!param)
		return cli_refuse(&builder->error, "%s: %s has no such parameter; %s", word,
				  member(builder->method, "name"),
				  list_params(builder->method, known, sizeof(known)));
	name = member(param, "name");
	if (json_object_get(params, name))
		return cli_refuse(&builder->error, "%s: %s is given twice: give it once", word,
				  name);
	ret = make_value(builder, member(param, "type"), word, value + 1, &made);
	if (ret) {
		json_decref(made);
		return ret;
	}
	return json_object_set_new(params, name, made)
		       ? cli_refuse(&builder->error, "out of memory")
		       : 0;
}

static int check_required(struct builder *builder, json_t *params)
{
	json_t *param;
	size_t i;

	json_array_foreach(json_object_get(builder->method, "params"), i, param)
	{
		const char *name = member(param, "name");

		if (json_is_true(json_object_get(param, "required")) &&
		    !json_object_get(params, name))
			return cli_refuse(&builder->error, "%s needs %s=...: %s",
					  member(builder->method, "name"), name,
					  member(param, "help"));
	}
	return 0;
}

int params_build(json_t *method, char **args, int count, json_t **params, char *error, size_t size)
{
	struct builder builder = {.method = method, .error = {.text = error, .size = size}};
	json_t *object = json_object();
	int ret = 0;

	for (int i = 0; i < count && !ret; i++)
		ret = add_word(&builder, object, args[i]);
	if (!ret)
		ret = check_required(&builder, object);
	if (ret) {
		json_decref(object);
		return ret;
	}
	*params = object;
	return 0;
}
