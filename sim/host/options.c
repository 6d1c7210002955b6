/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "host/host.h"
#include "host/payload.h"

#define NS_PER_SECOND 1e9
#define SECONDS_MAX 1e6

#define ON(command) (1U << COMMAND_##command)
#define EVERYWHERE ((1U << COMMAND_COUNT) - 1)

#define COUNT_MAX (UINT64_C(1) << 62)

struct parser {
	struct cli cli;
	struct options *options;
	bool has_command;
};

struct command_entry {
	const char *name, *arguments, *help;
	bool takes_target, needs_target;
};

static const struct command_entry commands[COMMAND_COUNT] = {
	[COMMAND_SERVICES] = {"services", "", "list the channels that the remote announces", false,
			      false},
	[COMMAND_PING] = {"ping", " NAME|ADDR", "measure round trips to a service that echoes",
			  true, true},
	[COMMAND_SEND] = {"send", " NAME|ADDR", "send messages", true, true},
	[COMMAND_LISTEN] = {"listen", " [NAME|ADDR]",
			    "show what arrives; with NAME or ADDR, what comes from there", true,
			    false},
	[COMMAND_BENCH] = {"bench", " NAME|ADDR", "measure rates and latencies", true, true},
	[COMMAND_SOAK] =
		{"soak", " NAME|ADDR",
		 "numbered messages to a service that echoes, one session after the other; "
		 "standard input says what to break",
		 true, true},
};

static int set_path(struct parser *, const struct cli_option *, const char *);
static int set_string(struct parser *, const struct cli_option *, const char *);
static int set_name(struct parser *, const struct cli_option *, const char *);
static int set_flag(struct parser *, const struct cli_option *, const char *);
static int set_u32(struct parser *, const struct cli_option *, const char *);
static int set_u64(struct parser *, const struct cli_option *, const char *);
static int set_seconds(struct parser *, const struct cli_option *, const char *);
static int set_mode(struct parser *, const struct cli_option *, const char *);
static int set_action(struct parser *, const struct cli_option *, const char *);

#define AT(member) offsetof(struct options, member)

static const struct cli_option table[] = {
	{.name = "socket-path",
	 .value = "PATH",
	 .groups = EVERYWHERE,
	 .set = set_path,
	 .offset = AT(socket_path),
	 .help = "the back-end's unix socket, where rpmsg-sim or another one listens"},
	{.name = "launch",
	 .value = "CMD",
	 .groups = EVERYWHERE,
	 .set = set_string,
	 .offset = AT(launch),
	 .help = "start this shell command as the back-end and end it afterwards; {socket} in it "
		 "is "
		 "replaced by the path on which it has to listen"},
	{.name = "json",
	 .groups = EVERYWHERE,
	 .set = set_flag,
	 .offset = AT(json),
	 .help = "print one JSON object a line, and nothing else, on standard output"},
	{.name = "timeout",
	 .value = "S",
	 .groups = EVERYWHERE,
	 .set = set_seconds,
	 .offset = AT(timeout),
	 .min = 1,
	 .help = "seconds to wait for the back-end, for a channel, or for a buffer (default 5)"},
	{.name = "queue-size",
	 .value = "N",
	 .groups = EVERYWHERE,
	 .set = set_u32,
	 .offset = AT(queue_size),
	 .min = 1,
	 .max = VRING_MAX_SIZE,
	 .help = "entries of each ring, a power of two (default 256)"},
	{.name = "buffers",
	 .value = "N",
	 .groups = EVERYWHERE,
	 .set = set_u32,
	 .offset = AT(buffers),
	 .min = 1,
	 .max = VRING_MAX_SIZE,
	 .help = "buffers of each direction (default: one for each entry)"},
	{.name = "buffer-size",
	 .value = "N",
	 .groups = EVERYWHERE,
	 .set = set_u32,
	 .offset = AT(buffer_size),
	 .min = RPMSG_HDR_SIZE + 1,
	 .max = HOST_MAX_BUFFER,
	 .help = "bytes of each buffer (default: what the configuration says with F_BUFSZ, else "
		 "512)"},
	{.name = "no-event-idx",
	 .groups = EVERYWHERE,
	 .set = set_flag,
	 .offset = AT(no_event_idx),
	 .help = "do not negotiate EVENT_IDX"},
	{.name = "no-indirect",
	 .groups = EVERYWHERE,
	 .set = set_flag,
	 .offset = AT(no_indirect),
	 .help = "do not negotiate INDIRECT_DESC"},
	{.name = "no-bufsz",
	 .groups = EVERYWHERE,
	 .set = set_flag,
	 .offset = AT(no_bufsz),
	 .help = "do not negotiate feature bit 1, F_BUFSZ of Linux"},
	{.name = "help",
	 .groups = EVERYWHERE,
	 .set = set_action,
	 .offset = COMMAND_HELP,
	 .help = "print this text and exit"},
	{.name = "version",
	 .groups = EVERYWHERE,
	 .set = set_action,
	 .offset = COMMAND_VERSION,
	 .help = "print the version and exit"},
	{.name = "quiet",
	 .value = "S",
	 .groups = ON(SERVICES),
	 .set = set_seconds,
	 .offset = AT(quiet),
	 .min = 1,
	 .help = "services: stop after so many seconds without a name-service message (default "
		 "0.3)"},
	{.letter = 'c',
	 .name = "count",
	 .value = "N",
	 .groups = ON(PING) | ON(SEND) | ON(LISTEN) | ON(BENCH),
	 .set = set_u64,
	 .offset = AT(count),
	 .min = 1,
	 .max = COUNT_MAX,
	 .help = "ping, send, listen, bench: stop after so many messages"},
	{.letter = 'i',
	 .name = "interval",
	 .value = "S",
	 .groups = ON(PING),
	 .set = set_seconds,
	 .offset = AT(interval),
	 .help = "ping: seconds from one to the next (default 1); 0: as answers come"},
	{.letter = 's',
	 .name = "size",
	 .value = "N",
	 .groups = ON(PING) | ON(BENCH),
	 .set = set_u32,
	 .offset = AT(size),
	 .max = UINT16_MAX,
	 .help = "ping: bytes of payload (default 56, from 0); bench: the same (default 16, from "
		 "8)"},
	{.letter = 'W',
	 .name = "wait",
	 .value = "S",
	 .groups = ON(PING),
	 .set = set_seconds,
	 .offset = AT(wait),
	 .min = 1,
	 .help = "ping: seconds to wait for an answer (default 1)"},
	{.name = "text",
	 .value = "T",
	 .groups = ON(SEND),
	 .set = set_string,
	 .offset = AT(text),
	 .help = "send: the payload is this text"},
	{.name = "hex",
	 .value = "H",
	 .groups = ON(SEND),
	 .set = set_string,
	 .offset = AT(hex),
	 .help = "send: the payload is this hexadecimal"},
	{.name = "file",
	 .value = "F",
	 .groups = ON(SEND),
	 .set = set_string,
	 .offset = AT(file),
	 .help = "send: the payload is in this file; - is standard input"},
	{.name = "src",
	 .value = "N",
	 .groups = ON(SEND),
	 .set = set_u32,
	 .offset = AT(src),
	 .max = RPMSG_ADDR_ANY - 1,
	 .help = "send: source address (default: a dynamic one, from 1024)"},
	{.name = "announce",
	 .value = "NAME",
	 .groups = ON(LISTEN),
	 .set = set_name,
	 .offset = AT(announce),
	 .help = "listen: announce a channel of this name, so that the remote learns where to "
		 "send"},
	{.name = "mode",
	 .value = "MODE",
	 .groups = ON(BENCH),
	 .set = set_mode,
	 .help = "bench: echo (round trips, default), sink (host to remote), source (remote to "
		 "host)"},
	{.name = "batch",
	 .value = "N",
	 .groups = ON(BENCH),
	 .set = set_u32,
	 .offset = AT(batch),
	 .min = 1,
	 .max = VRING_MAX_SIZE,
	 .help = "bench: messages that are shown to the remote at once (default: echo 1, "
		 "sink 32)"},
	{.name = "window",
	 .value = "N",
	 .groups = ON(BENCH) | ON(SOAK),
	 .set = set_u32,
	 .offset = AT(window),
	 .min = 1,
	 .max = VRING_MAX_SIZE,
	 .help = "bench, soak: messages on their way at the most (default: echo the batch, "
		 "sink all buffers, soak half of them)"},
	{.name = "seconds",
	 .value = "S",
	 .groups = ON(BENCH) | ON(SOAK),
	 .set = set_seconds,
	 .offset = AT(duration),
	 .min = 1,
	 .help = "bench, soak: how long (default of bench 3, without --count; of soak until it is "
		 "told to end)"},
	{.name = "poll",
	 .groups = ON(BENCH) | ON(SOAK),
	 .set = set_flag,
	 .offset = AT(poll),
	 .help = "bench, soak: look at the rings all the time instead of waiting for interrupts"},
	{.name = "source",
	 .value = "NAME",
	 .groups = ON(SOAK),
	 .set = set_string,
	 .offset = AT(source),
	 .help = "soak: name or address of a service that sends numbered messages by itself, as "
		 "those of the kind source do"},
	{.name = "late",
	 .value = "S",
	 .groups = ON(SOAK),
	 .set = set_seconds,
	 .offset = AT(late),
	 .min = 1,
	 .help = "soak: an echo that takes longer counts as late (default 1)"},
	{.name = "seed",
	 .value = "N",
	 .groups = ON(SOAK),
	 .set = set_u64,
	 .offset = AT(seed),
	 .max = UINT64_MAX,
	 .help = "soak: seed of the sizes of batches (default 0)"},
	{.name = "sleep",
	 .groups = ON(BENCH),
	 .set = set_flag,
	 .offset = AT(sleep),
	 .help = "bench: wait for interrupts as soon as there is nothing; the default looks at the "
		 "rings for up to 50 us before, where the remote has answered at once several "
		 "times in a row"},
};

#define TABLE_SIZE (sizeof(table) / sizeof(table[0]))

static void *member(struct parser *parser, const struct cli_option *entry)
{
	return (char *)parser->options + entry->offset;
}

static int set_string(struct parser *parser, const struct cli_option *entry, const char *value)
{
	*(const char **)member(parser, entry) = value;
	return 0;
}

static int set_path(struct parser *parser, const struct cli_option *entry, const char *value)
{
	int ret = cli_socket_path(&parser->cli, entry, value);

	return ret ? ret : set_string(parser, entry, value);
}

static int set_name(struct parser *parser, const struct cli_option *entry, const char *value)
{
	if (*value == '\0' || strlen(value) >= RPMSG_NAME_SIZE)
		return cli_refuse(&parser->cli.error,
				  "--%s: a name has 1 to %d bytes, \"%s\" has %zu", entry->name,
				  RPMSG_NAME_SIZE - 1, value, strlen(value));
	return set_string(parser, entry, value);
}

static int set_flag(struct parser *parser, const struct cli_option *entry, const char *value)
{
	*(bool *)member(parser, entry) = true;
	return 0;
}

static int parse_number(struct parser *parser, const struct cli_option *entry, const char *value,
			uint64_t *number)
{
	if (!cli_number(value, entry->max, number) || *number < entry->min)
		return cli_refuse(&parser->cli.error,
				  "--%s: \"%s\" is not a number from %" PRIu64 " to %" PRIu64,
				  entry->name, value, entry->min, entry->max);
	return 0;
}

static int set_u32(struct parser *parser, const struct cli_option *entry, const char *value)
{
	uint64_t number = 0;
	int ret = parse_number(parser, entry, value, &number);

	if (ret == 0)
		*(uint32_t *)member(parser, entry) = (uint32_t)number;
	return ret;
}

static int set_u64(struct parser *parser, const struct cli_option *entry, const char *value)
{
	return parse_number(parser, entry, value, member(parser, entry));
}

/* min of the entry is 1 when 0 makes no sense. */
static int set_seconds(struct parser *parser, const struct cli_option *entry, const char *value)
{
	double seconds;

	if (!cli_seconds(value, &seconds) || seconds > SECONDS_MAX ||
	    (entry->min != 0 && seconds < 1 / NS_PER_SECOND))
		return cli_refuse(
			&parser->cli.error, "--%s: \"%s\" is not a number of seconds %s 0 to %.0f",
			entry->name, value, entry->min != 0 ? "above" : "from", SECONDS_MAX);
	*(uint64_t *)member(parser, entry) = (uint64_t)(seconds * NS_PER_SECOND);
	return 0;
}

static int set_mode(struct parser *parser, const struct cli_option *entry, const char *value)
{
	static const char *const names[] = {
		[BENCH_ECHO] = "echo", [BENCH_SINK] = "sink", [BENCH_SOURCE] = "source"};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], value) == 0) {
			parser->options->mode = (enum bench_mode)i;
			return 0;
		}
	}
	return cli_refuse(&parser->cli.error, "--%s: \"%s\" is none of echo, sink and source",
			  entry->name, value);
}

static int set_action(struct parser *parser, const struct cli_option *entry, const char *value)
{
	parser->options->command = (enum command)entry->offset;
	return 0;
}

static bool given(const struct parser *parser, const char *name)
{
	return cli_given(&parser->cli, name, parser->options->given);
}

static int parse_positional(struct parser *parser, const char *arg)
{
	struct options *options = parser->options;

	if (!parser->has_command) {
		for (unsigned int i = 0; i < COMMAND_COUNT; i++) {
			if (strcmp(commands[i].name, arg) == 0) {
				options->command = (enum command)i;
				parser->has_command = true;
				return 0;
			}
		}
		return cli_refuse(
			&parser->cli.error,
			"there is no command \"%s\": services, ping, send, listen, bench and "
			"soak are; see --help",
			arg);
	}
	if (options->target || !commands[options->command].takes_target)
		return cli_refuse(&parser->cli.error, "unexpected argument \"%s\": see --help",
				  arg);
	if (*arg == '\0')
		return cli_refuse(&parser->cli.error, "the name of the channel is empty");
	options->target = arg;
	return 0;
}

static int parse_option(struct parser *parser)
{
	const struct cli_option *entry = NULL;
	const char *value = NULL;
	int ret = cli_next_option(&parser->cli, &entry, &value);

	if (ret == 0)
		ret = cli_once(&parser->cli, entry, &parser->options->given);
	return ret ? ret : entry->set(parser, entry, value);
}

static int check_send(struct parser *parser)
{
	const struct options *options = parser->options;
	int payloads = !!options->text + !!options->hex + !!options->file;

	if (payloads != 1)
		return cli_refuse(&parser->cli.error,
				  "send needs one of --text, --hex and --file, %s",
				  payloads == 0 ? "none is given" : "several are given");
	if (options->src == RPMSG_ADDR_NS)
		return cli_refuse(&parser->cli.error,
				  "--src: address %u belongs to the name service", RPMSG_ADDR_NS);
	return 0;
}

static int check_bench(struct parser *parser)
{
	struct options *options = parser->options;

	if (options->size < PAYLOAD_NUMBER_SIZE)
		return cli_refuse(&parser->cli.error,
				  "--size: bench numbers its messages, which takes %d bytes",
				  PAYLOAD_NUMBER_SIZE);
	if (given(parser, "count") && given(parser, "seconds"))
		return cli_refuse(&parser->cli.error,
				  "--count and --seconds exclude each other: give one");
	if (options->window != 0 && options->batch > options->window)
		return cli_refuse(&parser->cli.error,
				  "--batch %" PRIu32 " is above --window %" PRIu32
				  ": a batch could never be sent",
				  options->batch, options->window);
	return 0;
}

/* What is wrong with options that are each right by themselves. */
static int check_together(struct parser *parser)
{
	struct options *options = parser->options;
	const struct command_entry *command = &commands[options->command];

	for (size_t i = 0; i < TABLE_SIZE; i++) {
		if (options->given & UINT64_C(1) << i &&
		    !(table[i].groups & 1U << options->command))
			return cli_refuse(&parser->cli.error,
					  "--%s is not an option of %s: see --help", table[i].name,
					  command->name);
	}
	if (command->needs_target && !options->target)
		return cli_refuse(&parser->cli.error,
				  "%s needs the name or the address of a channel: \"rpmsg-host ... "
				  "services\" lists them",
				  command->name);
	if (!options->socket_path == !options->launch)
		return cli_refuse(&parser->cli.error,
				  options->launch
					  ? "--socket-path and --launch exclude each other: "
					    "give one"
					  : "give --socket-path PATH or --launch CMD: see "
					    "--help");
	if (options->launch && !strstr(options->launch, "{socket}"))
		return cli_refuse(&parser->cli.error,
				  "--launch: {socket} is not in the command, so that it cannot "
				  "know where to listen");
	if (options->queue_size & (options->queue_size - 1))
		return cli_refuse(&parser->cli.error,
				  "--queue-size: %" PRIu32 " is not a power of two",
				  options->queue_size);
	if (options->buffers > (options->queue_size != 0 ? options->queue_size : 256))
		return cli_refuse(&parser->cli.error,
				  "--buffers: %" PRIu32 " do not fit the rings: give a larger "
				  "--queue-size",
				  options->buffers);
	if (options->command == COMMAND_SEND)
		return check_send(parser);
	if (options->command == COMMAND_BENCH)
		return check_bench(parser);
	return 0;
}

static void set_defaults(struct parser *parser)
{
	struct options *options = parser->options;
	const uint64_t second = (uint64_t)NS_PER_SECOND;

	if (!given(parser, "size"))
		options->size = options->command == COMMAND_BENCH ? 16 : 56;
	if (options->command == COMMAND_SEND && !given(parser, "count"))
		options->count = 1;
	if (options->command == COMMAND_BENCH && !given(parser, "count") &&
	    !given(parser, "seconds"))
		options->duration = 3 * second;
}

/* Options first and last, words between them, and behind "--" words only. */
static int parse_all(struct parser *parser)
{
	struct cli *cli = &parser->cli;
	bool only_positional = false;
	int ret;

	while (cli->at < cli->argc) {
		const char *arg = cli->argv[cli->at];

		if (!only_positional && strcmp(arg, "--") == 0) {
			only_positional = true;
			cli->at++;
			continue;
		}
		if (!only_positional && arg[0] == '-' && arg[1] != '\0')
			ret = parse_option(parser);
		else
			ret = parse_positional(parser, cli->argv[cli->at++]);
		if (ret < 0)
			return ret;
		if (given(parser, "help") || given(parser, "version"))
			return 0;
	}
	if (!parser->has_command)
		return cli_refuse(&cli->error, "no command is given: services, ping, send, listen, "
					       "bench or soak; see --help");
	set_defaults(parser);
	return check_together(parser);
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
	const uint64_t second = (uint64_t)NS_PER_SECOND;

	*options = (struct options){
		.command = COMMAND_COUNT,
		.timeout = 5 * second,
		.quiet = 3 * second / 10,
		.interval = second,
		.wait = second,
		.late = second,
		.src = RPMSG_ADDR_ANY,
	};
	return parse_all(&parser);
}

void options_print_help(FILE *out)
{
	char name[80];

	fprintf(out,
		"usage: rpmsg-host --socket-path PATH | --launch CMD [OPTION]... COMMAND\n"
		"\n"
		"The host of an rpmsg link in a process: a vhost-user front-end that drives any\n"
		"back-end for virtio device 7 (rpmsg).\n"
		"\n"
		"commands:\n");
	for (unsigned int i = 0; i < COMMAND_COUNT; i++) {
		snprintf(name, sizeof(name), "  %s%s", commands[i].name, commands[i].arguments);
		cli_print_row(out, name, commands[i].help);
	}
	fprintf(out, "\noptions:\n");
	for (size_t i = 0; i < TABLE_SIZE; i++)
		cli_print_option(out, &table[i]);
	fprintf(out,
		"\n"
		"Numbers are decimal, or hexadecimal with 0x; a channel whose name is a number is\n"
		"found by its address. Ctrl-C ends a command with the statistics so far.\n"
		"Exit status: 0 done, 1 something was lost, the remote broke a rule that is a\n"
		"MUST, or the connection was lost, 2 wrong usage, 3 cannot reach the back-end.\n");
}
