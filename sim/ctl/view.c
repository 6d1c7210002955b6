/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/view.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/print.h"

#define NUMBER_SIZE 24
#define PLAIN_MAX 10000000 /* below, numbers are shown digit by digit: seven of them */
#define NAME_MIN 8	   /* columns that the name of an endpoint keeps on a narrow screen */
#define NAME_MAX_WIDTH 31

/* ---- numbers ---------------------------------------------------------------------------- */

/* Numbers from 2^63 on come as strings. */
static uint64_t number(json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	if (json_is_string(value))
		return strtoull(json_string_value(value), NULL, 0);
	return (uint64_t)json_integer_value(value);
}

static const char *scaled(char *text, double value)
{
	static const char units[] = "kMGTPE";
	size_t unit = 0;

	for (value /= 1000; value >= 999.95 && units[unit + 1]; unit++)
		value /= 1000;
	snprintf(text, NUMBER_SIZE, "%.1f%c", value, units[unit]);
	return text;
}

static const char *show_count(char *text, uint64_t value)
{
	if (value >= PLAIN_MAX)
		return scaled(text, (double)value);
	snprintf(text, NUMBER_SIZE, "%" PRIu64, value);
	return text;
}

/* Growth a second of a counter; "-" for one that is new or was started afresh. */
static const char *show_rate(char *text, const struct view *view, json_t *now, json_t *before,
			     const char *name)
{
	uint64_t new = number(now, name), old = number(before, name);
	double rate;

	if (!json_object_get(before, name) || new < old || view->elapsed <= 0)
		return "-";
	rate = (double)(new - old) / view->elapsed;
	if (rate >= 999999.5)
		return scaled(text, rate);
	snprintf(text, NUMBER_SIZE, rate > 0 && rate < 9.95 ? "%.1f" : "%.0f", rate);
	return text;
}

static bool is(json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

/* ---- state and queues ------------------------------------------------------------------- */

static void print_state(FILE *out, const struct view *view)
{
	json_t *features = json_object_get(view->stats, "features");
	const char *state = is(view->stats, "driver_ok")   ? "driver ready"
			    : is(view->stats, "connected") ? "connected, driver not ready"
							   : "no front-end";

	/* The path last: it may be longer than a line. */
	fprintf(out, "rpmsg-sim%s%s: %s, control socket %s\n", view->remote ? ", remote " : "",
		view->remote ? view->remote : "", state, view->path);
	fprintf(out,
		"sessions %" PRIu64 "   status 0x%02" PRIx64 "   features 0x%" PRIx64
		" of 0x%" PRIx64 "\n\n",
		number(view->stats, "sessions"), number(view->stats, "status"),
		number(features, "acked"), number(features, "offered"));
}

static const char *queue_state(json_t *queue)
{
	if (is(queue, "broken"))
		return "BROKEN";
	return is(queue, "enabled") ? "on" : "off";
}

static void print_queues(FILE *out, const struct view *view)
{
	static const char *const directions[] = {"to host", "from host"};
	static const char *const counters[] = {"kicks",	   "calls", "popped",
					       "returned", "held",  "avail_pending"};
	json_t *queues = json_object_get(view->stats, "queues"), *queue;
	char text[NUMBER_SIZE];
	size_t i;

	fprintf(out, "%-11s %6s %8s %8s %8s %8s %8s %8s  %s\n", "QUEUE", "SIZE", "KICKS", "CALLS",
		"POPPED", "RETURNED", "HELD", "PENDING", "STATE");
	json_array_foreach(queues, i, queue)
	{
		fprintf(out, "%zu %-9s %6" PRIu64, i, i < 2 ? directions[i] : "",
			number(queue, "size"));
		for (size_t c = 0; c < sizeof(counters) / sizeof(counters[0]); c++)
			fprintf(out, " %8s", show_count(text, number(queue, counters[c])));
		fprintf(out, "  %s\n", queue_state(queue));
	}
	fputc('\n', out);
}

/* ---- messages, and what should not be -------------------------------------------------- */

/* Items of a list, in as many lines as it takes, aligned behind the title. */
struct list {
	FILE *out;
	const char *title;
	int columns;
	int at; /* 0: nothing printed yet */
};

static void list_add(struct list *list, const char *item)
{
	int length = (int)strlen(item);

	if (list->at == 0)
		list->at = fprintf(list->out, "%-11s %s", list->title, item);
	else if (list->at + 2 + length > list->columns)
		list->at = fprintf(list->out, "\n%-11s %s", "", item) - 1;
	else
		list->at += fprintf(list->out, "  %s", item);
}

static void list_end(struct list *list)
{
	if (list->at == 0)
		fprintf(list->out, "%-11s none", list->title);
	fputc('\n', list->out);
}

static void add_message_counter(struct list *list, const struct view *view, const char *name,
				bool rated)
{
	json_t *now = json_object_get(view->stats, "messages");
	json_t *before = json_object_get(view->before, "messages");
	char count[NUMBER_SIZE], rate[NUMBER_SIZE], item[3 * NUMBER_SIZE];

	if (!json_object_get(now, name))
		return;
	show_count(count, number(now, name));
	if (rated)
		snprintf(item, sizeof(item), "%s %s (%s/s)", name, count,
			 show_rate(rate, view, now, before, name));
	else
		snprintf(item, sizeof(item), "%s %s", name, count);
	list_add(list, item);
}

static void print_messages(FILE *out, const struct view *view, int columns)
{
	struct list list = {.out = out, .title = "MESSAGES", .columns = columns};
	char count[NUMBER_SIZE], item[2 * NUMBER_SIZE];

	add_message_counter(&list, view, "received", true);
	add_message_counter(&list, view, "delivered", false);
	add_message_counter(&list, view, "sent", true);
	add_message_counter(&list, view, "send_failed", false);
	snprintf(item, sizeof(item), "waiting %s",
		 show_count(count, number(view->stats, "pending_sends")));
	list_add(&list, item);
	list_end(&list);
}

static void print_counters(FILE *out, const char *title, json_t *counters, int columns)
{
	struct list list = {.out = out, .title = title, .columns = columns};
	char text[NUMBER_SIZE], item[256];
	const char *key;
	json_t *value;

	json_object_foreach(counters, key, value)
	{
		snprintf(item, sizeof(item), "%s %s", key, show_count(text, number(counters, key)));
		list_add(&list, item);
	}
	list_end(&list);
}

/* The array that a result is, or holds. */
static json_t *list_of(json_t *result, const char *name)
{
	return json_is_array(result) ? result : json_object_get(result, name);
}

/* Those that are on, and those that were and have fired. */
static void print_faults(FILE *out, json_t *faults, int columns)
{
	struct list list = {.out = out, .title = "FAULTS", .columns = columns};
	char count[NUMBER_SIZE], item[256];
	json_t *fault;
	size_t i;

	json_array_foreach(list_of(faults, "faults"), i, fault)
	{
		const char *mode = json_string_value(json_object_get(fault, "mode"));
		const char *name = json_string_value(json_object_get(fault, "name"));

		if (!mode || !name || (strcmp(mode, "off") == 0 && number(fault, "fired") == 0))
			continue;
		snprintf(item, sizeof(item), "%s (%s, fired %s)", name, mode,
			 show_count(count, number(fault, "fired")));
		list_add(&list, item);
	}
	list_end(&list);
}

/* ---- endpoints -------------------------------------------------------------------------- */

struct widths {
	int addr, name, kind, peer;
};

static int text_width(json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);
	char *text = value ? print_scalar(NULL, value) : NULL;
	int width = text ? (int)strlen(text) : 0;

	free(text);
	return width;
}

static void widen(int *width, int to)
{
	if (to > *width)
		*width = to;
}

#define COUNTERS_WIDTH (9 + 8 + 9 + 8)

static struct widths measure(json_t *endpoints, int columns)
{
	struct widths widths = {.addr = 7, .name = 4, .kind = 4, .peer = 4};
	json_t *endpoint;
	size_t i;
	int room;

	json_array_foreach(endpoints, i, endpoint)
	{
		widen(&widths.addr, text_width(endpoint, "addr"));
		widen(&widths.name, text_width(endpoint, "name"));
		widen(&widths.kind, text_width(endpoint, "kind"));
		widen(&widths.peer, text_width(endpoint, "peer"));
	}
	room = columns - widths.addr - widths.kind - widths.peer - 3 - COUNTERS_WIDTH;
	if (widths.name > room)
		widths.name = room > NAME_MIN ? room : NAME_MIN;
	if (widths.name > NAME_MAX_WIDTH)
		widths.name = NAME_MAX_WIDTH;
	return widths;
}

static json_t *endpoint_before(const struct view *view, json_t *endpoint)
{
	json_t *other;
	size_t i;

	json_array_foreach(json_object_get(view->before, "endpoints"), i, other)
	{
		if (number(other, "addr") == number(endpoint, "addr"))
			return other;
	}
	return NULL;
}

/* Text of a member, in a field; what does not fit ends in '~'. */
static void print_field(FILE *out, json_t *object, const char *name, int width, bool right)
{
	json_t *value = json_object_get(object, name);
	char *text = value ? print_scalar(NULL, value) : NULL;
	int length = text ? (int)strlen(text) : 0;

	if (length > width)
		fprintf(out, "%.*s~", width - 1, text);
	else
		fprintf(out, right ? "%*s" : "%-*s", width, text ? text : "");
	free(text);
}

static void print_endpoint(FILE *out, const struct view *view, json_t *endpoint,
			   const struct widths *widths)
{
	json_t *before = endpoint_before(view, endpoint);
	char text[NUMBER_SIZE];

	print_field(out, endpoint, "addr", widths->addr, true);
	fputc(' ', out);
	print_field(out, endpoint, "name", widths->name, false);
	fputc(' ', out);
	print_field(out, endpoint, "kind", widths->kind, false);
	fputc(' ', out);
	print_field(out, endpoint, "peer", widths->peer, true);
	fprintf(out, " %8s", show_count(text, number(endpoint, "received")));
	fprintf(out, " %7s", show_rate(text, view, endpoint, before, "received"));
	fprintf(out, " %8s", show_count(text, number(endpoint, "sent")));
	fprintf(out, " %7s\n", show_rate(text, view, endpoint, before, "sent"));
}

static int count_lines(const char *text)
{
	int lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

/* rows: that are left, or a negative number for no limit. */
static void print_endpoints(FILE *out, const struct view *view, int rows, int columns)
{
	json_t *endpoints = json_object_get(view->stats, "endpoints"), *endpoint;
	struct widths widths = measure(endpoints, columns);
	size_t i, count = json_array_size(endpoints), shown = count;

	if (rows >= 0 && count + 1 > (size_t)rows)
		shown = rows > 2 ? (size_t)rows - 2 : 0;
	fprintf(out, "%*s %-*s %-*s %*s %8s %7s %8s %7s\n", widths.addr, "ADDRESS", widths.name,
		"NAME", widths.kind, "KIND", widths.peer, "PEER", "RECEIVED", "RATE/S", "SENT",
		"RATE/S");
	json_array_foreach(endpoints, i, endpoint)
	{
		if (i < shown)
			print_endpoint(out, view, endpoint, &widths);
	}
	if (shown < count)
		fprintf(out, "and %zu endpoints more: enlarge the window\n", count - shown);
	else if (count == 0)
		fputs("no endpoints\n", out);
}

void view_print(FILE *out, const struct view *view, int rows, int columns)
{
	json_t *messages = json_object_get(view->stats, "messages");
	char *head = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&head, &size);
	int left;

	if (!memory)
		return;
	print_state(memory, view);
	print_queues(memory, view);
	print_messages(memory, view, columns);
	print_counters(memory, "DROPPED", json_object_get(messages, "dropped"), columns);
	print_counters(memory, "VIOLATIONS", json_object_get(view->stats, "violations"), columns);
	if (view->faults)
		print_faults(memory, view->faults, columns);
	fputc('\n', memory);
	fclose(memory);
	left = rows - count_lines(head);
	fputs(head, out);
	free(head);
	print_endpoints(out, view, rows ? (left > 0 ? left : 0) : -1, columns);
}
