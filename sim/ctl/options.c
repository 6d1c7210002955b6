/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define TIMEOUT_MS 10000
#define INTERVAL_MS 1000

struct parser {
	struct cli cli;
	struct options *options;
};

static int set_control_path(struct parser *parser, const struct cli_option *entry,
			    const char *value)
{
	if (*value == '\0')
		return cli_refuse(&parser->cli.error, "--control-path: the path is empty");
	parser->options->control_path = value;
	return 0;
}

static int set_remote(struct parser *parser, const struct cli_option *entry, const char *value)
{
	if (*value == '\0')
		return cli_refuse(&parser->cli.error, "--remote: the name is empty");
	parser->options->remote = value;
	return 0;
}

static int set_json(struct parser *parser, const struct cli_option *entry, const char *value)
{
	parser->options->json = true;
	return 0;
}

static int set_names(struct parser *parser, const struct cli_option *entry, const char *value)
{
	parser->options->names = true;
	return 0;
}

static int parse_seconds(struct parser *parser, const struct cli_option *entry, const char *value,
			 int *ms)
{
	double seconds;

	if (!cli_seconds(value, &seconds) || seconds < 0.1 || seconds > 86400)
		return cli_refuse(&parser->cli.error,
				  "--%s: \"%s\" is not a number of seconds from 0.1 to 86400",
				  entry->name, value);
	*ms = (int)lround(seconds * 1000);
	return 0;
}

static int set_timeout(struct parser *parser, const struct cli_option *entry, const char *value)
{
	return parse_seconds(parser, entry, value, &parser->options->timeout_ms);
}

static int set_interval(struct parser *parser, const struct cli_option *entry, const char *value)
{
	return parse_seconds(parser, entry, value, &parser->options->interval_ms);
}

static int set_help(struct parser *parser, const struct cli_option *entry, const char *value)
{
	parser->options->help = true;
	return 0;
}

static int set_version(struct parser *parser, const struct cli_option *entry, const char *value)
{
	parser->options->version = true;
	return 0;
}

static const struct cli_option table[] = {
	{.name = "control-path",
	 .value = "PATH",
	 .set = set_control_path,
	 .help = "the control socket, as given to rpmsg-sim --control-path; default: the "
		 "environment variable RPMSG_CONTROL"},
	{.name = "remote",
	 .value = "NAME",
	 .set = set_remote,
	 .help = "the remote to act on, when rpmsg-sim has several"},
	{.name = "json", .set = set_json, .help = "print results and events as JSON, one a line"},
	{.name = "names",
	 .set = set_names,
	 .help = "print only the names in a result, one a line; with help METHOD, those of its "
		 "parameters"},
	{.name = "timeout",
	 .value = "S",
	 .set = set_timeout,
	 .help = "give up when an answer takes longer than S seconds (default 10)"},
	{.name = "interval",
	 .value = "S",
	 .set = set_interval,
	 .help = "seconds between two frames of watch (default 1)"},
	{.name = "help", .set = set_help, .help = "print this text and exit"},
	{.name = "version", .set = set_version, .help = "print the version and exit"},
};

#define TABLE_SIZE (sizeof(table) / sizeof(table[0]))

static void take_word(struct options *options, char *word)
{
	if (!options->command)
		options->command = word;
	else
		options->args[options->arg_count++] = word;
}

/* Options stand anywhere, the last of a kind counts; behind "--" are words only. */
static int parse_all(struct parser *parser)
{
	struct options *options = parser->options;
	struct cli *cli = &parser->cli;
	const struct cli_option *entry = NULL;
	const char *value = NULL;
	bool ended = false;
	int ret;

	while (cli->at < cli->argc) {
		char *arg = cli->argv[cli->at];

		if (!ended && strcmp(arg, "--") == 0) {
			ended = true;
			cli->at++;
		} else if (!ended && strncmp(arg, "--", 2) == 0) {
			ret = cli_next_option(cli, &entry, &value);
			if (ret == 0)
				ret = entry->set(parser, entry, value);
			if (ret || options->help || options->version)
				return ret;
		} else if (!ended && arg[0] == '-') {
			return cli_refuse(&cli->error, "unknown option %s: see --help", arg);
		} else {
			take_word(options, arg);
			cli->at++;
		}
	}
	if (!options->command)
		return cli_refuse(&cli->error, "give a command: see --help, or \"rpmsg-ctl help\"");
	if (options->json && options->names)
		return cli_refuse(&cli->error, "--json and --names exclude each other: give one");
	return 0;
}

int options_parse(struct options *options, int argc, char **argv, char *error, size_t size)
{
	struct parser parser = {.cli = {.options = table,
					.option_count = TABLE_SIZE,
					.argv = argv,
					.argc = argc,
					.at = 1,
					.error = {.text = error, .size = size}},
				.options = options};
	const char *path = getenv("RPMSG_CONTROL");

	*options = (struct options){.timeout_ms = TIMEOUT_MS,
				    .interval_ms = INTERVAL_MS,
				    .control_path = path && *path ? path : NULL};
	options->args = calloc((size_t)argc + 1, sizeof(*options->args));
	if (!options->args) {
		cli_refuse(&parser.cli.error, "out of memory");
		return -ENOMEM;
	}
	return parse_all(&parser);
}

void options_free(struct options *options)
{
	free(options->args);
	options->args = NULL;
}

void options_print_help(FILE *out)
{
	fprintf(out, "usage: rpmsg-ctl [OPTION]... COMMAND [KEY=VALUE]...\n"
		     "\n"
		     "The control socket of rpmsg-sim from a shell.\n"
		     "\n");
	for (size_t i = 0; i < TABLE_SIZE; i++)
		cli_print_option(out, &table[i]);
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
