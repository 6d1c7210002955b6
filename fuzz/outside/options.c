/* SPDX-License-Identifier: BSD-2-Clause */
#include "outside/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

#define SECONDS_MAX 1e7
#define DEFAULT_LIMIT_MS 2000
#define DEFAULT_SHRINK 30

struct parser {
	struct cli cli;
	struct options *options;
};

static int set_path(struct parser *, const struct cli_option *, const char *);
static int set_text(struct parser *, const struct cli_option *, const char *);
static int set_flag(struct parser *, const struct cli_option *, const char *);
static int set_u32(struct parser *, const struct cli_option *, const char *);
static int set_u64(struct parser *, const struct cli_option *, const char *);
static int set_seconds(struct parser *, const struct cli_option *, const char *);
static int add_replay(struct parser *, const struct cli_option *, const char *);

#define AT(member) offsetof(struct options, member)

static const struct cli_option table[] = {
	{.name = "socket",
	 .value = "PATH",
	 .set = set_path,
	 .offset = AT(socket),
	 .help = "attack the back-end that listens there; whoever started it has to start it again "
		 "when it falls"},
	{.name = "launch",
	 .value = "CMD",
	 .set = set_text,
	 .offset = AT(launch),
	 .help = "start this shell command as the back-end, and again after each finding; "
		 "{socket} in it is replaced by the path on which it has to listen"},
	{.name = "seconds",
	 .value = "S",
	 .set = set_seconds,
	 .offset = AT(seconds),
	 .help = "stop after so long (default: 60 without --runs)"},
	{.name = "runs",
	 .value = "N",
	 .set = set_u64,
	 .offset = AT(runs),
	 .min = 1,
	 .max = UINT64_MAX,
	 .help = "stop after so many inputs"},
	{.name = "stop-after",
	 .value = "N",
	 .set = set_u32,
	 .offset = AT(stop_after),
	 .min = 1,
	 .max = UINT32_MAX,
	 .help = "stop after so many findings (of each job)"},
	{.name = "seed",
	 .value = "N",
	 .set = set_u64,
	 .offset = AT(seed),
	 .max = UINT64_MAX,
	 .help = "start of the random numbers (default: another one each time, which is told)"},
	{.name = "corpus",
	 .value = "DIR",
	 .set = set_text,
	 .offset = AT(corpus),
	 .help = "begin with the inputs of this folder, and keep new ones in it"},
	{.name = "no-seeds",
	 .set = set_flag,
	 .offset = AT(no_seeds),
	 .help = "do not begin with the inputs that come with the project"},
	{.name = "findings",
	 .value = "DIR",
	 .set = set_text,
	 .offset = AT(findings),
	 .help = "where findings are put (default: findings)"},
	{.name = "jobs",
	 .value = "N",
	 .set = set_u32,
	 .offset = AT(jobs),
	 .min = 1,
	 .max = 256,
	 .help = "as many back-ends side by side (default: 1)"},
	{.name = "limit",
	 .value = "MS",
	 .set = set_u32,
	 .offset = AT(limit_ms),
	 .min = 10,
	 .max = 600000,
	 .help = "a back-end that takes longer than this to answer a new connection is wedged "
		 "(default: 2000)"},
	{.name = "shrink",
	 .value = "S",
	 .set = set_seconds,
	 .offset = AT(shrink_seconds),
	 .help = "so long at the most to make the input of a finding short (default: 30)"},
	{.name = "may-exit",
	 .set = set_flag,
	 .offset = AT(may_exit),
	 .help = "the back-end may end when its front-end misbehaves, as long as no signal does "
		 "it"},
	{.name = "no-rules",
	 .set = set_flag,
	 .offset = AT(no_rules),
	 .help = "do not judge what the back-end says and does, only whether it survives"},
	{.name = "replay",
	 .value = "FILE",
	 .set = add_replay,
	 .repeatable = true,
	 .help = "run this input and stop; may be given again"},
	{.name = "help",
	 .letter = 'h',
	 .set = set_flag,
	 .offset = AT(help),
	 .help = "print this and leave"},
};

static void *member(struct parser *parser, const struct cli_option *option)
{
	return (char *)parser->options + option->offset;
}

static int set_text(struct parser *parser, const struct cli_option *option, const char *value)
{
	if (*value == '\0')
		return cli_refuse(&parser->cli.error, "--%s: it is empty", option->name);
	*(const char **)member(parser, option) = value;
	return 0;
}

static int set_path(struct parser *parser, const struct cli_option *option, const char *value)
{
	int ret = cli_socket_path(&parser->cli, option, value);

	return ret < 0 ? ret : set_text(parser, option, value);
}

static int set_flag(struct parser *parser, const struct cli_option *option, const char *value)
{
	*(bool *)member(parser, option) = true;
	return 0;
}

static int number(struct parser *parser, const struct cli_option *option, const char *value,
		  uint64_t *to)
{
	if (!cli_number(value, option->max, to) || *to < option->min)
		return cli_refuse(&parser->cli.error,
				  "--%s: %s is no whole number from %llu to %llu", option->name,
				  value, (unsigned long long)option->min,
				  (unsigned long long)option->max);
	return 0;
}

static int set_u32(struct parser *parser, const struct cli_option *option, const char *value)
{
	uint64_t to = 0;
	int ret = number(parser, option, value, &to);

	if (ret == 0)
		*(uint32_t *)member(parser, option) = (uint32_t)to;
	return ret;
}

static int set_u64(struct parser *parser, const struct cli_option *option, const char *value)
{
	if (strcmp(option->name, "seed") == 0)
		parser->options->seed_set = true;
	return number(parser, option, value, member(parser, option));
}

static int set_seconds(struct parser *parser, const struct cli_option *option, const char *value)
{
	double *to = member(parser, option);

	if (!cli_seconds(value, to) || *to <= 0 || *to > SECONDS_MAX)
		return cli_refuse(&parser->cli.error,
				  "--%s: %s is no number of seconds above 0 and up to %.0f",
				  option->name, value, SECONDS_MAX);
	return 0;
}

static int add_replay(struct parser *parser, const struct cli_option *option, const char *value)
{
	struct options *options = parser->options;

	if (options->replay_count == OPTIONS_REPLAY)
		return cli_refuse(&parser->cli.error, "--replay: more than %d files",
				  OPTIONS_REPLAY);
	options->replay[options->replay_count++] = value;
	return 0;
}

static int read_all(struct parser *parser)
{
	const struct cli_option *option = NULL;
	struct cli *cli = &parser->cli;
	const char *value = NULL;
	uint64_t given = 0;
	int ret = 0;

	while (ret == 0 && cli->at < cli->argc) {
		if (cli->argv[cli->at][0] != '-' || cli->argv[cli->at][1] == '\0')
			return cli_refuse(&cli->error, "%s: there are only options here",
					  cli->argv[cli->at]);
		ret = cli_next_option(cli, &option, &value);
		if (ret == 0)
			ret = cli_once(cli, option, &given);
		if (ret == 0)
			ret = option->set(parser, option, value);
	}
	return ret;
}

/* What does not go together. */
static int judge(const struct options *options, const struct cli_error *error)
{
	if (options->help)
		return 0;
	if ((options->socket == NULL) == (options->launch == NULL))
		return cli_refuse(error, options->socket == NULL
						 ? "which back-end? Use --launch 'CMD {socket}', "
						   "or --socket PATH for one that runs"
						 : "--socket and --launch exclude each other");
	if (options->launch != NULL && strstr(options->launch, "{socket}") == NULL)
		return cli_refuse(error, "--launch: nothing in the command says {socket}, so the "
					 "back-end does not know where to listen");
	if (options->socket != NULL && options->jobs > 1)
		return cli_refuse(error, "--jobs: several jobs need a back-end each: use --launch");
	return 0;
}

int options_parse(struct options *options, int argc, char **argv, char *error, size_t size)
{
	struct parser parser = {
		.cli = {.options = table,
			.option_count = sizeof(table) / sizeof(table[0]),
			.argv = argv,
			.argc = argc,
			.at = 1,
			.error = {error, size}},
		.options = options,
	};
	int ret;

	*options = (struct options){
		.findings = "findings",
		.jobs = 1,
		.limit_ms = DEFAULT_LIMIT_MS,
		.shrink_seconds = DEFAULT_SHRINK,
	};
	ret = read_all(&parser);
	if (ret == 0)
		ret = judge(options, &parser.cli.error);
	if (ret == 0 && options->seconds == 0 && options->runs == 0)
		options->seconds = 60;
	return ret;
}

void options_print_help(void)
{
	puts("Usage: rpmsg-fuzz remote --launch 'CMD {socket}' | --socket PATH [OPTION...]\n"
	     "\n"
	     "Attacks a vhost-user back-end for virtio device 7 from outside: messages of the\n"
	     "front-end, rings and memory of the guest, good and bad. What makes it die, stop\n"
	     "answering or break a rule, and what its sanitizers report, is made short and put\n"
	     "into a folder. Linked with fuzz/outside/coverage.c it guides the search.\n");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		cli_print_option(stdout, &table[i]);
	puts("\nThe status is 0 when nothing was found, 1 when something was, 2 when the command "
	     "line\n"
	     "is wrong or the back-end cannot be reached.");
}
