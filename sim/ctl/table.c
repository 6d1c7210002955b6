/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/print.h"

#define MAX_COLUMNS 32
#define GAP 2

struct column {
	const char *name; /* of the first object that has it */
	int width;
	bool numbers; /* nothing else stands in it */
};

struct table {
	struct column columns[MAX_COLUMNS];
	size_t count;
};

static struct column *find_column(struct table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++) {
		if (strcmp(table->columns[i].name, name) == 0)
			return &table->columns[i];
	}
	if (table->count == MAX_COLUMNS)
		return NULL;
	table->columns[table->count] =
		(struct column){.name = name, .width = (int)strlen(name), .numbers = true};
	return &table->columns[table->count++];
}

static void measure(struct table *table, json_t *row)
{
	const char *key;
	json_t *value;

	json_object_foreach(row, key, value)
	{
		struct column *column = find_column(table, key);
		char *text = column ? print_scalar(key, value) : NULL;

		if (text && (int)strlen(text) > column->width)
			column->width = (int)strlen(text);
		if (column && !json_is_number(value) && !json_is_null(value))
			column->numbers = false;
		free(text);
	}
}

static void print_cell(FILE *out, const struct column *column, const char *text, bool last)
{
	if (column->numbers)
		fprintf(out, "%*s", column->width, text);
	else if (last)
		fputs(text, out);
	else
		fprintf(out, "%-*s", column->width, text);
	if (last)
		fputc('\n', out);
	else
		fprintf(out, "%*s", GAP, "");
}

void table_print(FILE *out, json_t *array, int indent)
{
	struct table table = {0};
	json_t *row;
	size_t i;

	json_array_foreach(array, i, row)
	{
		measure(&table, row);
	}
	if (table.count == 0)
		return;
	fprintf(out, "%*s", indent, "");
	for (size_t c = 0; c < table.count; c++)
		print_cell(out, &table.columns[c], table.columns[c].name, c + 1 == table.count);
	json_array_foreach(array, i, row)
	{
		fprintf(out, "%*s", indent, "");
		for (size_t c = 0; c < table.count; c++) {
			const char *name = table.columns[c].name;
			json_t *value = json_object_get(row, name);
			char *text = value ? print_scalar(name, value) : NULL;

			print_cell(out, &table.columns[c], text ? text : "", c + 1 == table.count);
			free(text);
		}
	}
}
