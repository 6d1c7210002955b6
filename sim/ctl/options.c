/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/options.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/print.h"

#define TIMEOUT_MS 10000
#define INTERVAL_MS 1000
#define HELP_COLUMN 24

struct parser {
	struct options *options;
	char *error;
	size_t size;
};

struct option_entry {
	const char *name;
	const char *value; /* what it takes, for --help; NULL: nothing */
	const char *help;
	int (*set)(struct parser *parser, const char *value);
};

__attribute__((format(printf, 2, 3))) static int refuse(struct parser *parser, const char *format,
							...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(parser->error, parser->size, format, args);
	va_end(args);
	return -EINVAL;
}

static int set_control_path(struct parser *parser, const char *value)
{
	if (*value == '\0')
		return refuse(parser, "--control-path: the path is empty");
	parser->options->control_path = value;
	return 0;
}

static int set_remote(struct parser *parser, const char *value)
{
	if (*value == '\0')
		return refuse(parser, "--remote: the name is empty");
	parser->options->remote = value;
	return 0;
}

static int set_json(struct parser *parser, const char *value)
{
	parser->options->json = true;
	return 0;
}

static int set_names(struct parser *parser, const char *value)
{
	parser->options->names = true;
	return 0;
}

static int parse_seconds(struct parser *parser, const char *name, const char *value, int *ms)
{
	char *end;
	double seconds = strtod(value, &end);

	if (end == value || *end || !isfinite(seconds) || seconds < 0.1 || seconds > 86400)
		return refuse(parser, "--%s: \"%s\" is not a number of seconds from 0.1 to 86400",
			      name, value);
	*ms = (int)lround(seconds * 1000);
	return 0;
}

static int set_timeout(struct parser *parser, const char *value)
{
	return parse_seconds(parser, "timeout", value, &parser->options->timeout_ms);
}

static int set_interval(struct parser *parser, const char *value)
{
	return parse_seconds(parser, "interval", value, &parser->options->interval_ms);
}

static int set_help(struct parser *parser, const char *value)
{
	parser->options->help = true;
	return 0;
}

static int set_version(struct parser *parser, const char *value)
{
	parser->options->version = true;
	return 0;
}

static const struct option_entry table[] = {
	{"control-path", "PATH",
	 "the control socket, as given to rpmsg-sim --control-path; default: the environment "
	 "variable RPMSG_CONTROL",
	 set_control_path},
	{"remote", "NAME", "the remote to act on, when rpmsg-sim has several", set_remote},
	{"json", NULL, "print results and events as JSON, one a line", set_json},
	{"names", NULL,
	 "print only the names in a result, one a line; with help METHOD, those of its parameters",
	 set_names},
	{"timeout", "S", "give up when an answer takes longer than S seconds (default 10)",
	 set_timeout},
	{"interval", "S", "seconds between two frames of watch (default 1)", set_interval},
	{"help", NULL, "print this text and exit", set_help},
	{"version", NULL, "print the version and exit", set_version},
};

#define TABLE_SIZE (sizeof(table) / sizeof(table[0]))

static const struct option_entry *find_option(const char *name, size_t length)
{
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0)
			return &table[i];
	}
	return NULL;
}

static int parse_option(struct parser *parser, int argc, char **argv, int *at)
{
	const char *name = argv[*at] + 2, *value = NULL;
	size_t length = strcspn(name, "=");
	const struct option_entry *entry = find_option(name, length);

	if (!entry)
		return refuse(parser, "unknown option --%.*s: see --help", (int)length, name);
	if (name[length] == '=')
		value = name + length + 1;
	if (value && !entry->value)
		return refuse(parser, "--%s takes no value", entry->name);
	if (entry->value && !value) {
		if (*at + 1 >= argc)
			return refuse(parser, "--%s needs a value: %s", entry->name, entry->value);
		value = argv[++*at];
	}
	return entry->set(parser, value);
}

static void take_word(struct options *options, char *word)
{
	if (!options->command)
		options->command = word;
	else
		options->args[options->arg_count++] = word;
}

int options_parse(struct options *options, int argc, char **argv, char *error, size_t size)
{
	struct parser parser = {.options = options, .error = error, .size = size};
	const char *path = getenv("RPMSG_CONTROL");
	bool ended = false;
	int ret;

	*options = (struct options){.timeout_ms = TIMEOUT_MS, .interval_ms = INTERVAL_MS};
	options->args = calloc((size_t)argc + 1, sizeof(*options->args));
	if (!options->args) {
		refuse(&parser, "out of memory");
		return -ENOMEM;
	}
	for (int i = 1; i < argc; i++) {
		if (!ended && strcmp(argv[i], "--") == 0) {
			ended = true;
		} else if (!ended && strncmp(argv[i], "--", 2) == 0) {
			ret = parse_option(&parser, argc, argv, &i);
			if (ret)
				return ret;
			if (options->help || options->version)
				return 0;
		} else if (!ended && argv[i][0] == '-') {
			return refuse(&parser, "unknown option %s: see --help", argv[i]);
		} else {
			take_word(options, argv[i]);
		}
	}
	if (!options->control_path && path && *path)
		options->control_path = path;
	if (!options->command)
		return refuse(&parser, "give a command: see --help, or \"rpmsg-ctl help\"");
	if (options->json && options->names)
		return refuse(&parser, "--json and --names exclude each other: give one");
	return 0;
}

void options_free(struct options *options)
{
	free(options->args);
	options->args = NULL;
}

void options_print_help(FILE *out)
{
	char name[HELP_COLUMN + 1];

	fprintf(out, "usage: rpmsg-ctl [OPTION]... COMMAND [KEY=VALUE]...\n"
		     "\n"
		     "The control socket of rpmsg-sim from a shell.\n"
		     "\n");
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		snprintf(name, sizeof(name), "  --%s%s%s", table[i].name, table[i].value ? " " : "",
			 table[i].value ? table[i].value : "");
		fprintf(out, "%-*s", HELP_COLUMN, name);
		print_wrapped(out, table[i].help, HELP_COLUMN);
	}
	fprintf(out,
		"\n"
		"commands:\n"
		"  METHOD [KEY=VALUE]... call a method of the daemon and print its result\n"
		"  help [METHOD]         list the methods, or the parameters of one\n"
		"  events [TYPE]...      print what happens, one line each, until Ctrl-C\n"
		"  watch                 a live table of endpoints and queues; q ends it\n"
		"\n"
		"Numbers are decimal, or hexadecimal with 0x. Bytes are hexadecimal\n"
		"(data=48690a) or text (data=text:Hi). Lists are separated by commas. \"-\" may\n"
		"be written for \"_\" in names of methods and parameters.\n"
		"Exit status: 0 done, 1 the daemon refused, 2 wrong usage, 3 the daemon cannot\n"
		"be reached or has gone.\n");
}
