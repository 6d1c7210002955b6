/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/help.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "ctl/params.h"
#include "ctl/print.h"

#define COLUMN 18

/* Made from the manual page by CMake: METHOD("name", "text") a line. */
static const struct {
	const char *name;
	const char *text;
} offline[] = {
#define METHOD(name, text) {name, text},
#include "methods.inc"
#undef METHOD
};

/* Text of a member, safe to print; to be freed. */
static char *member(json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	return value ? print_scalar(NULL, value) : strdup("");
}

json_t *help_find(json_t *help, const char *name)
{
	json_t *method;
	size_t i;

	json_array_foreach(json_object_get(help, "methods"), i, method)
	{
		const char *known = json_string_value(json_object_get(method, "name"));

		if (known && params_same_name(known, name, strlen(name)))
			return method;
	}
	return NULL;
}

static void print_row(FILE *out, const char *name, const char *text)
{
	fprintf(out, "  %-*s", COLUMN - 3, name);
	if (strlen(name) > COLUMN - 3)
		fprintf(out, "\n%*s", COLUMN - 1, "");
	fputc(' ', out);
	cli_print_text(out, text, COLUMN);
}

static const char see_also[] = "\n\"rpmsg-ctl help METHOD\" lists the parameters of one, "
			       "rpmsg-control(7) explains them.\n";

/* Names only, or objects with a text to each. */
static void print_event_types(FILE *out, json_t *types)
{
	bool explained = json_is_object(json_array_get(types, 0));
	int at = 0;
	json_t *item;
	size_t i;

	fputs("\ntypes of event:\n", out);
	json_array_foreach(types, i, item)
	{
		char *name = json_is_string(item) ? print_scalar(NULL, item) : member(item, "name");
		char *text = member(item, "help");
		int length = name ? (int)strlen(name) : 0;

		if (explained && name && text) {
			print_row(out, name, text);
		} else if (at == 0 || at + 2 + length > CLI_WIDTH - 1) {
			at = fprintf(out, "%s  %s", at ? ",\n" : "", name ? name : "") - 1;
		} else {
			at += fprintf(out, ", %s", name ? name : "");
		}
		free(name);
		free(text);
	}
	if (at)
		fputc('\n', out);
}

void help_print(FILE *out, json_t *help)
{
	json_t *item;
	size_t i;

	fputs("methods:\n", out);
	json_array_foreach(json_object_get(help, "methods"), i, item)
	{
		char *name = member(item, "name"), *text = member(item, "help");

		if (name && text)
			print_row(out, name, text);
		free(name);
		free(text);
	}
	print_event_types(out, json_object_get(help, "events"));
	fputs(see_also, out);
}

/* "integer from 0 to 1", "string of 1 to 31 bytes". */
static void print_type(FILE *out, json_t *param)
{
	char *type = member(param, "type"), *min = member(param, "min"),
	     *max = member(param, "max");
	const char *kind = type ? type : "";

	fputs(kind, out);
	if (strcmp(kind, "integer") == 0)
		fprintf(out, " from %s to %s", min ? min : "?", max ? max : "?");
	else if (strcmp(kind, "string") == 0 || strcmp(kind, "hexadecimal") == 0)
		fprintf(out, ", %s to %s bytes", min ? min : "?", max ? max : "?");
	free(type);
	free(min);
	free(max);
}

void help_print_method(FILE *out, json_t *method)
{
	json_t *params = json_object_get(method, "params"), *param;
	char *name = member(method, "name"), *text = member(method, "help");
	size_t i;

	fprintf(out, "usage: rpmsg-ctl %s", name ? name : "");
	json_array_foreach(params, i, param)
	{
		bool required = json_is_true(json_object_get(param, "required"));
		char *key = member(param, "name");

		fprintf(out, required ? " %s=..." : " [%s=...]", key ? key : "");
		free(key);
	}
	fputs("\n\n", out);
	cli_print_text(out, text ? text : "", 0);
	if (json_array_size(params))
		fputc('\n', out);
	json_array_foreach(params, i, param)
	{
		char *key = member(param, "name"), *about = member(param, "help");

		if (key && about)
			print_row(out, key, about);
		fprintf(out, "%*s(", COLUMN, "");
		print_type(out, param);
		fputs(json_is_true(json_object_get(param, "required")) ? ", required)\n" : ")\n",
		      out);
		free(key);
		free(about);
	}
	free(name);
	free(text);
}

void help_print_offline(FILE *out, bool names)
{
	if (!names)
		fputs("methods:\n", out);
	for (size_t i = 0; i < sizeof(offline) / sizeof(offline[0]); i++) {
		if (names)
			fprintf(out, "%s\n", offline[i].name);
		else
			print_row(out, offline[i].name, offline[i].text);
	}
	if (!names)
		fputs(see_also, out);
}
