/* SPDX-License-Identifier: BSD-2-Clause */
#include "outside/trouble.h"

#include <ctype.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WORD 64

/* ---- what the process printed -------------------------------------------------------------- */

/* A word out of a text: letters, digits and what joins them in names. */
static const char *copy_word(char *to, const char *from, const char *joins)
{
	size_t size = 0;

	while (isalnum((unsigned char)*from) || (*from != '\0' && strchr(joins, *from) != NULL)) {
		if (size < WORD - 1)
			to[size++] = *from;
		from++;
	}
	to[size] = '\0';
	return from;
}

static void copy_line(char *to, size_t room, const char *from)
{
	size_t size = strcspn(from, "\n");

	snprintf(to, room, "%.*s", (int)(size < room ? size : room - 1), from);
}

/* For folders: small letters, digits and dashes. */
static void make_plain(char *name)
{
	char *to = name;

	for (const char *from = name; *from != '\0'; from++) {
		if (isalnum((unsigned char)*from))
			*to++ = (char)tolower((unsigned char)*from);
		else if (to != name && to[-1] != '-')
			*to++ = '-';
	}
	while (to != name && to[-1] == '-')
		to--;
	*to = '\0';
}

__attribute__((format(printf, 3, 4))) static bool
set(struct trouble *trouble, enum trouble_kind kind, const char *format, ...)
{
	va_list args;

	trouble->kind = kind;
	va_start(args, format);
	vsnprintf(trouble->base, sizeof(trouble->base), format, args);
	va_end(args);
	make_plain(trouble->base);
	return true;
}

/* Not where it went wrong, but what told so, or what it was done with. */
static bool is_of_runtime(const char *function, const char *place)
{
	return strncmp(function, "__", 2) == 0 || strstr(place, "anitizer") != NULL ||
	       strstr(place, "/libc.so") != NULL || strstr(place, "/sysdeps/") != NULL ||
	       strstr(place, "/asan/") != NULL;
}

/* The innermost function of a stack that is the program's own; without symbols its place. */
static void own_frame(char *to, const char *text)
{
	char place[256];

	to[0] = '\0';
	for (const char *at = strstr(text, "    #"); at != NULL; at = strstr(at + 1, "    #")) {
		const char *in = strstr(at, " in ");
		const char *slash;

		copy_line(place, sizeof(place), at);
		if (in == NULL || in > at + strlen(place)) {
			slash = strrchr(place, '/');
			copy_word(to, slash != NULL ? slash + 1 : place, "_+.");
			return;
		}
		copy_line(place, sizeof(place), copy_word(to, in + 4, "_"));
		if (!is_of_runtime(to, place))
			return;
		to[0] = '\0';
	}
}

static bool read_sanitizer(struct trouble *trouble, const char *text)
{
	static const struct {
		const char *title, *name;
	} tools[] = {
		{"ERROR: AddressSanitizer: ", "asan"},
		{"ERROR: HWAddressSanitizer: ", "hwasan"},
		{"WARNING: MemorySanitizer: ", "msan"},
		{"WARNING: ThreadSanitizer: ", "tsan"},
		{"ERROR: LeakSanitizer: ", "lsan"},
		{"ERROR: ThreadSanitizer: ", "tsan"},
		{"ERROR: UndefinedBehaviorSanitizer: ", "ubsan"},
	};
	char kind[WORD], frame[WORD];

	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
		const char *at = strstr(text, tools[i].title);

		if (at == NULL)
			continue;
		copy_line(trouble->what, sizeof(trouble->what), at);
		copy_word(kind, at + strlen(tools[i].title), "-");
		own_frame(frame, at);
		return set(trouble, TROUBLE_REPORT, "%s-%s-%s", tools[i].name, kind, frame);
	}
	return false;
}

/* Where the line begins that a place in a text lies in. */
static const char *line_start(const char *text, const char *at)
{
	while (at > text && at[-1] != '\n')
		at--;
	return at;
}

/* FILE:LINE, the file without its folders. */
static void copy_place(char *to, const char *line)
{
	const char *name = line;

	for (const char *at = line; *at != '\0' && *at != ':' && *at != '\n'; at++)
		if (*at == '/')
			name = at + 1;
	copy_word(to, name, "_.:-");
}

static bool read_runtime_error(struct trouble *trouble, const char *text)
{
	const char *at = strstr(text, ": runtime error: ");
	char place[WORD];

	if (at == NULL)
		return false;
	at = line_start(text, at);
	copy_line(trouble->what, sizeof(trouble->what), at);
	copy_place(place, at);
	/* The column, too, is part of the place. */
	return set(trouble, TROUBLE_REPORT, "ubsan-%s", place);
}

static bool read_assertion(struct trouble *trouble, const char *text)
{
	const char *at = strstr(text, ": Assertion `");
	const char *place;
	char word[WORD];

	if (at == NULL)
		return false;
	at = line_start(text, at);
	copy_line(trouble->what, sizeof(trouble->what), at);
	/* "PROGRAM: FILE:LINE: FUNCTION: Assertion" */
	place = strstr(at, ": ");
	copy_place(word, place != NULL ? place + 2 : at);
	return set(trouble, TROUBLE_REPORT, "assert-%s", word);
}

static bool read_output(struct trouble *trouble, const char *text)
{
	return read_sanitizer(trouble, text) || read_runtime_error(trouble, text) ||
	       read_assertion(trouble, text);
}

/* ---- how it ended -------------------------------------------------------------------------- */

static bool read_end(struct trouble *trouble, struct victim *victim, bool may_exit)
{
	struct victim_end how;

	if (!victim_has_ended(victim, &how)) {
		/* Somebody else's: all that is known is that nobody listens any more. */
		snprintf(trouble->what, sizeof(trouble->what), "nobody listens at %s",
			 victim->path);
		return set(trouble, TROUBLE_EXIT, "gone");
	}
	if (how.signal != 0) {
		snprintf(trouble->what, sizeof(trouble->what), "ended by signal %d (%s)",
			 how.signal, strsignal(how.signal));
		return set(trouble, TROUBLE_SIGNAL, "sig%s", sigabbrev_np(how.signal));
	}
	if (may_exit || how.status == 0)
		return false;
	snprintf(trouble->what, sizeof(trouble->what), "ended with status %d", how.status);
	return set(trouble, TROUBLE_EXIT, "exit-%d", how.status);
}

bool trouble_of(struct trouble *trouble, const struct far_outcome *outcome, struct victim *victim,
		bool may_exit)
{
	memset(trouble, 0, sizeof(*trouble));
	trouble->op = outcome->op;
	/* Of a process that is over all that it printed has to be there first. */
	if (!victim_has_ended(victim, NULL))
		while (victim_read(victim))
			;
	if (read_output(trouble, victim_unread(victim)))
		return true;
	switch (outcome->state) {
	case LINE_ENDED:
		return read_end(trouble, victim, may_exit);
	case LINE_WEDGED:
		if (victim->command == NULL && !outcome->listening)
			return read_end(trouble, victim, may_exit);
		snprintf(trouble->what, sizeof(trouble->what), "it does not answer any more");
		return set(trouble, TROUBLE_WEDGE, "wedge");
	default:
		break;
	}
	if (outcome->breach.name == NULL)
		return false;
	snprintf(trouble->what, sizeof(trouble->what), "%s%s%s", outcome->breach.requirement,
		 outcome->breach.requirement[0] != '\0' ? ": " : "", outcome->breach.text);
	return set(trouble, TROUBLE_RULE, "rule-%s", outcome->breach.name);
}

bool trouble_is_same(const struct trouble *one, const struct trouble *two)
{
	return one->kind == two->kind && strcmp(one->base, two->base) == 0;
}

/* What made it: operations that only let time pass, look, or leave did not. */
static bool is_cause(uint8_t code)
{
	return code != SESSION_TURNS && code != SESSION_ADVANCE && code != SESSION_TAKE &&
	       code != SESSION_LEAVE && code != SESSION_CONNECT;
}

void trouble_name(char *to, const struct trouble *trouble, const struct oplist *list)
{
	unsigned int i = trouble->op < list->count ? trouble->op + 1 : list->count;

	snprintf(to, TROUBLE_NAME, "%.*s", TROUBLE_NAME - 1, trouble->base);
	if (trouble->kind == TROUBLE_REPORT || trouble->kind == TROUBLE_RULE)
		return;
	while (i > 1 && !is_cause(list->items[i - 1].code))
		i--;
	if (i > 0)
		snprintf(to, TROUBLE_NAME, "%.64s-%s", trouble->base,
			 session_schema.ops[list->items[i - 1].code].name);
}
