/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "host/host.h"
#include "host/payload.h"

#define NS_PER_SECOND 1e9
#define SECONDS_MAX 1e6

#define ON(command) (1U << COMMAND_##command)
#define EVERYWHERE ((1U << COMMAND_COUNT) - 1)

#define COUNT_MAX (UINT64_C(1) << 62)

struct parser {
	struct options *options;
	char *error;
	size_t size;
	bool has_command;
};

struct option_entry {
	const char *name;
	const char *value; /* what it takes, for --help; NULL: nothing */
	const char *help;
	int (*set)(struct parser *parser, const struct option_entry *entry, const char *value);
	size_t offset; /* of the member that it sets */
	uint64_t min, max;
	unsigned int commands; /* that know it */
	char letter;	       /* short form, or 0 */
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
};

static int set_path(struct parser *, const struct option_entry *, const char *);
static int set_string(struct parser *, const struct option_entry *, const char *);
static int set_name(struct parser *, const struct option_entry *, const char *);
static int set_flag(struct parser *, const struct option_entry *, const char *);
static int set_u32(struct parser *, const struct option_entry *, const char *);
static int set_u64(struct parser *, const struct option_entry *, const char *);
static int set_seconds(struct parser *, const struct option_entry *, const char *);
static int set_mode(struct parser *, const struct option_entry *, const char *);
static int set_action(struct parser *, const struct option_entry *, const char *);

#define AT(member) offsetof(struct options, member)

static const struct option_entry table[] = {
	{.name = "socket-path",
	 .value = "PATH",
	 .commands = EVERYWHERE,
	 .set = set_path,
	 .offset = AT(socket_path),
	 .help = "the back-end's unix socket, where rpmsg-sim or another one listens"},
	{.name = "launch",
	 .value = "CMD",
	 .commands = EVERYWHERE,
	 .set = set_string,
	 .offset = AT(launch),
	 .help = "start this shell command as the back-end and end it afterwards; {socket} in it "
		 "is "
		 "replaced by the path on which it has to listen"},
	{.name = "json",
	 .commands = EVERYWHERE,
	 .set = set_flag,
	 .offset = AT(json),
	 .help = "print one JSON object a line, and nothing else, on standard output"},
	{.name = "timeout",
	 .value = "S",
	 .commands = EVERYWHERE,
	 .set = set_seconds,
	 .offset = AT(timeout),
	 .min = 1,
	 .help = "seconds to wait for the back-end, for a channel, or for a buffer (default 5)"},
	{.name = "queue-size",
	 .value = "N",
	 .commands = EVERYWHERE,
	 .set = set_u32,
	 .offset = AT(queue_size),
	 .min = 1,
	 .max = VRING_MAX_SIZE,
	 .help = "entries of each ring, a power of two (default 256)"},
	{.name = "buffers",
	 .value = "N",
	 .commands = EVERYWHERE,
	 .set = set_u32,
	 .offset = AT(buffers),
	 .min = 1,
	 .max = VRING_MAX_SIZE,
	 .help = "buffers of each direction (default: one for each entry)"},
	{.name = "buffer-size",
	 .value = "N",
	 .commands = EVERYWHERE,
	 .set = set_u32,
	 .offset = AT(buffer_size),
	 .min = RPMSG_HDR_SIZE + 1,
	 .max = HOST_MAX_BUFFER,
	 .help = "bytes of each buffer (default: what the configuration says with F_BUFSZ, else "
		 "512)"},
	{.name = "no-event-idx",
	 .commands = EVERYWHERE,
	 .set = set_flag,
	 .offset = AT(no_event_idx),
	 .help = "do not negotiate EVENT_IDX"},
	{.name = "no-indirect",
	 .commands = EVERYWHERE,
	 .set = set_flag,
	 .offset = AT(no_indirect),
	 .help = "do not negotiate INDIRECT_DESC"},
	{.name = "no-bufsz",
	 .commands = EVERYWHERE,
	 .set = set_flag,
	 .offset = AT(no_bufsz),
	 .help = "do not negotiate feature bit 1, F_BUFSZ of Linux"},
	{.name = "help",
	 .commands = EVERYWHERE,
	 .set = set_action,
	 .offset = COMMAND_HELP,
	 .help = "print this text and exit"},
	{.name = "version",
	 .commands = EVERYWHERE,
	 .set = set_action,
	 .offset = COMMAND_VERSION,
	 .help = "print the version and exit"},
	{.name = "quiet",
	 .value = "S",
	 .commands = ON(SERVICES),
	 .set = set_seconds,
	 .offset = AT(quiet),
	 .min = 1,
	 .help = "services: stop after so many seconds without a name-service message (default "
		 "0.3)"},
	{.letter = 'c',
	 .name = "count",
	 .value = "N",
	 .commands = ON(PING) | ON(SEND) | ON(LISTEN) | ON(BENCH),
	 .set = set_u64,
	 .offset = AT(count),
	 .min = 1,
	 .max = COUNT_MAX,
	 .help = "ping, send, listen, bench: stop after so many messages"},
	{.letter = 'i',
	 .name = "interval",
	 .value = "S",
	 .commands = ON(PING),
	 .set = set_seconds,
	 .offset = AT(interval),
	 .help = "ping: seconds from one to the next (default 1); 0: as answers come"},
	{.letter = 's',
	 .name = "size",
	 .value = "N",
	 .commands = ON(PING) | ON(BENCH),
	 .set = set_u32,
	 .offset = AT(size),
	 .max = UINT16_MAX,
	 .help = "ping: bytes of payload (default 56, from 0); bench: the same (default 16, from "
		 "8)"},
	{.letter = 'W',
	 .name = "wait",
	 .value = "S",
	 .commands = ON(PING),
	 .set = set_seconds,
	 .offset = AT(wait),
	 .min = 1,
	 .help = "ping: seconds to wait for an answer (default 1)"},
	{.name = "text",
	 .value = "T",
	 .commands = ON(SEND),
	 .set = set_string,
	 .offset = AT(text),
	 .help = "send: the payload is this text"},
	{.name = "hex",
	 .value = "H",
	 .commands = ON(SEND),
	 .set = set_string,
	 .offset = AT(hex),
	 .help = "send: the payload is this hexadecimal"},
	{.name = "file",
	 .value = "F",
	 .commands = ON(SEND),
	 .set = set_string,
	 .offset = AT(file),
	 .help = "send: the payload is in this file; - is standard input"},
	{.name = "src",
	 .value = "N",
	 .commands = ON(SEND),
	 .set = set_u32,
	 .offset = AT(src),
	 .max = RPMSG_ADDR_ANY - 1,
	 .help = "send: source address (default: a dynamic one, from 1024)"},
	{.name = "announce",
	 .value = "NAME",
	 .commands = ON(LISTEN),
	 .set = set_name,
	 .offset = AT(announce),
	 .help = "listen: announce a channel of this name, so that the remote learns where to "
		 "send"},
	{.name = "mode",
	 .value = "MODE",
	 .commands = ON(BENCH),
	 .set = set_mode,
	 .help = "bench: echo (round trips, default), sink (host to remote), source (remote to "
		 "host)"},
	{.name = "batch",
	 .value = "N",
	 .commands = ON(BENCH),
	 .set = set_u32,
	 .offset = AT(batch),
	 .min = 1,
	 .max = VRING_MAX_SIZE,
	 .help = "bench: messages that are shown to the remote at once (default: echo 1, "
		 "sink 32)"},
	{.name = "window",
	 .value = "N",
	 .commands = ON(BENCH),
	 .set = set_u32,
	 .offset = AT(window),
	 .min = 1,
	 .max = VRING_MAX_SIZE,
	 .help = "bench: messages on their way at the most (default: echo the batch, "
		 "sink all buffers)"},
	{.name = "seconds",
	 .value = "S",
	 .commands = ON(BENCH),
	 .set = set_seconds,
	 .offset = AT(duration),
	 .min = 1,
	 .help = "bench: how long (default 3, without --count)"},
	{.name = "poll",
	 .commands = ON(BENCH),
	 .set = set_flag,
	 .offset = AT(poll),
	 .help = "bench: look at the rings all the time instead of waiting for interrupts"},
};

#define TABLE_SIZE (sizeof(table) / sizeof(table[0]))

__attribute__((format(printf, 2, 3))) static int refuse(struct parser *parser, const char *format,
							...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(parser->error, parser->size, format, args);
	va_end(args);
	return -EINVAL;
}

bool options_number(const char *text, uint64_t max, uint64_t *number)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	char *end;

	if (*digits == '\0' || !strchr(hex ? "0123456789abcdefABCDEF" : "0123456789", *digits))
		return false;
	errno = 0;
	*number = strtoull(digits, &end, hex ? 16 : 10);
	return errno == 0 && *end == '\0' && *number <= max;
}

static void *member(struct parser *parser, const struct option_entry *entry)
{
	return (char *)parser->options + entry->offset;
}

static int set_string(struct parser *parser, const struct option_entry *entry, const char *value)
{
	*(const char **)member(parser, entry) = value;
	return 0;
}

static int set_path(struct parser *parser, const struct option_entry *entry, const char *value)
{
	size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (*value == '\0')
		return refuse(parser, "--%s: the path is empty", entry->name);
	if (strlen(value) > max)
		return refuse(parser,
			      "--%s: the path is %zu bytes long, a unix socket's has at most %zu: "
			      "use a shorter one, or one relative to the working directory",
			      entry->name, strlen(value), max);
	return set_string(parser, entry, value);
}

static int set_name(struct parser *parser, const struct option_entry *entry, const char *value)
{
	if (*value == '\0' || strlen(value) >= RPMSG_NAME_SIZE)
		return refuse(parser, "--%s: a name has 1 to %d bytes, \"%s\" has %zu", entry->name,
			      RPMSG_NAME_SIZE - 1, value, strlen(value));
	return set_string(parser, entry, value);
}

static int set_flag(struct parser *parser, const struct option_entry *entry, const char *value)
{
	*(bool *)member(parser, entry) = true;
	return 0;
}

static int parse_number(struct parser *parser, const struct option_entry *entry, const char *value,
			uint64_t *number)
{
	if (!options_number(value, entry->max, number) || *number < entry->min)
		return refuse(parser, "--%s: \"%s\" is not a number from %" PRIu64 " to %" PRIu64,
			      entry->name, value, entry->min, entry->max);
	return 0;
}

static int set_u32(struct parser *parser, const struct option_entry *entry, const char *value)
{
	uint64_t number = 0;
	int ret = parse_number(parser, entry, value, &number);

	if (ret == 0)
		*(uint32_t *)member(parser, entry) = (uint32_t)number;
	return ret;
}

static int set_u64(struct parser *parser, const struct option_entry *entry, const char *value)
{
	return parse_number(parser, entry, value, member(parser, entry));
}

/* min of the entry is 1 when 0 makes no sense. */
static int set_seconds(struct parser *parser, const struct option_entry *entry, const char *value)
{
	char *end;
	double seconds = strtod(value, &end);

	/* Digits first: strtod also takes signs, blanks, "inf" and "nan". */
	if (!strchr("0123456789.", *value) || *value == '\0' || end == value || *end != '\0' ||
	    !(seconds <= SECONDS_MAX) || (entry->min != 0 && seconds < 1 / NS_PER_SECOND))
		return refuse(parser, "--%s: \"%s\" is not a number of seconds %s 0 to %.0f",
			      entry->name, value, entry->min != 0 ? "above" : "from", SECONDS_MAX);
	*(uint64_t *)member(parser, entry) = (uint64_t)(seconds * NS_PER_SECOND);
	return 0;
}

static int set_mode(struct parser *parser, const struct option_entry *entry, const char *value)
{
	static const char *const names[] = {
		[BENCH_ECHO] = "echo", [BENCH_SINK] = "sink", [BENCH_SOURCE] = "source"};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], value) == 0) {
			parser->options->mode = (enum bench_mode)i;
			return 0;
		}
	}
	return refuse(parser, "--%s: \"%s\" is none of echo, sink and source", entry->name, value);
}

static int set_action(struct parser *parser, const struct option_entry *entry, const char *value)
{
	parser->options->command = (enum command)entry->offset;
	return 0;
}

static const struct option_entry *find_option(const char *name, size_t length)
{
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0)
			return &table[i];
	}
	return NULL;
}

static const struct option_entry *find_letter(char letter)
{
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		if (letter != '\0' && table[i].letter == letter)
			return &table[i];
	}
	return NULL;
}

static bool given(const struct options *options, const char *name)
{
	const struct option_entry *entry = find_option(name, strlen(name));

	return entry && options->given & UINT64_C(1) << (entry - table);
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
		return refuse(parser,
			      "there is no command \"%s\": services, ping, send, listen and bench "
			      "are; see --help",
			      arg);
	}
	if (options->target || !commands[options->command].takes_target)
		return refuse(parser, "unexpected argument \"%s\": see --help", arg);
	if (*arg == '\0')
		return refuse(parser, "the name of the channel is empty");
	options->target = arg;
	return 0;
}

static int parse_option(struct parser *parser, int argc, char **argv, int *at)
{
	const char *arg = argv[*at], *value = NULL;
	const struct option_entry *entry;
	uint64_t bit;

	if (arg[1] == '-') {
		size_t length = strcspn(arg + 2, "=");

		entry = find_option(arg + 2, length);
		if (!entry)
			return refuse(parser, "unknown option --%.*s: see --help", (int)length,
				      arg + 2);
		if (arg[2 + length] == '=')
			value = arg + 3 + length;
	} else {
		entry = find_letter(arg[1]);
		if (!entry)
			return refuse(parser, "unknown option -%c: see --help", arg[1]);
		if (arg[2] != '\0')
			value = arg + 2;
	}
	if (value && !entry->value)
		return refuse(parser, "--%s takes no value", entry->name);
	if (entry->value && !value) {
		if (*at + 1 >= argc)
			return refuse(parser, "--%s needs a value: %s", entry->name, entry->value);
		value = argv[++*at];
	}
	bit = UINT64_C(1) << (entry - table);
	if (parser->options->given & bit)
		return refuse(parser, "--%s is given twice: give it once", entry->name);
	parser->options->given |= bit;
	return entry->set(parser, entry, value);
}

static int check_send(struct parser *parser)
{
	const struct options *options = parser->options;
	int payloads = !!options->text + !!options->hex + !!options->file;

	if (payloads != 1)
		return refuse(parser, "send needs one of --text, --hex and --file, %s",
			      payloads == 0 ? "none is given" : "several are given");
	if (options->src == RPMSG_ADDR_NS)
		return refuse(parser, "--src: address %u belongs to the name service",
			      RPMSG_ADDR_NS);
	return 0;
}

static int check_bench(struct parser *parser)
{
	struct options *options = parser->options;

	if (options->size < PAYLOAD_NUMBER_SIZE)
		return refuse(parser, "--size: bench numbers its messages, which takes %d bytes",
			      PAYLOAD_NUMBER_SIZE);
	if (given(options, "count") && given(options, "seconds"))
		return refuse(parser, "--count and --seconds exclude each other: give one");
	if (options->window != 0 && options->batch > options->window)
		return refuse(parser,
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
		    !(table[i].commands & 1U << options->command))
			return refuse(parser, "--%s is not an option of %s: see --help",
				      table[i].name, command->name);
	}
	if (command->needs_target && !options->target)
		return refuse(parser,
			      "%s needs the name or the address of a channel: \"rpmsg-host ... "
			      "services\" lists them",
			      command->name);
	if (!options->socket_path == !options->launch)
		return refuse(parser, options->launch
					      ? "--socket-path and --launch exclude each other: "
						"give one"
					      : "give --socket-path PATH or --launch CMD: see "
						"--help");
	if (options->launch && !strstr(options->launch, "{socket}"))
		return refuse(parser, "--launch: {socket} is not in the command, so that it cannot "
				      "know where to listen");
	if (options->queue_size & (options->queue_size - 1))
		return refuse(parser, "--queue-size: %" PRIu32 " is not a power of two",
			      options->queue_size);
	if (options->buffers > (options->queue_size != 0 ? options->queue_size : 256))
		return refuse(parser,
			      "--buffers: %" PRIu32 " do not fit the rings: give a larger "
			      "--queue-size",
			      options->buffers);
	if (options->command == COMMAND_SEND)
		return check_send(parser);
	if (options->command == COMMAND_BENCH)
		return check_bench(parser);
	return 0;
}

static void set_defaults(struct options *options)
{
	const uint64_t second = (uint64_t)NS_PER_SECOND;

	if (!given(options, "size"))
		options->size = options->command == COMMAND_BENCH ? 16 : 56;
	if (options->command == COMMAND_SEND && !given(options, "count"))
		options->count = 1;
	if (options->command == COMMAND_BENCH && !given(options, "count") &&
	    !given(options, "seconds"))
		options->duration = 3 * second;
}

int options_parse(struct options *options, int argc, char **argv, char *error, size_t size)
{
	struct parser parser = {.options = options, .error = error, .size = size};
	const uint64_t second = (uint64_t)NS_PER_SECOND;
	bool only_positional = false;
	int ret;

	*options = (struct options){
		.command = COMMAND_COUNT,
		.timeout = 5 * second,
		.quiet = 3 * second / 10,
		.interval = second,
		.wait = second,
		.src = RPMSG_ADDR_ANY,
	};
	for (int i = 1; i < argc; i++) {
		if (!only_positional && strcmp(argv[i], "--") == 0) {
			only_positional = true;
			continue;
		}
		if (!only_positional && argv[i][0] == '-' && argv[i][1] != '\0')
			ret = parse_option(&parser, argc, argv, &i);
		else
			ret = parse_positional(&parser, argv[i]);
		if (ret < 0)
			return ret;
		if (given(options, "help") || given(options, "version"))
			return 0;
	}
	if (!parser.has_command)
		return refuse(&parser, "no command is given: services, ping, send, listen or "
				       "bench; see --help");
	set_defaults(options);
	return check_together(&parser);
}

#define HELP_WIDTH 80
#define HELP_COLUMN 24

/* Words of a text in the right-hand column; the cursor stands at its start. */
static void print_text(FILE *out, const char *text)
{
	size_t length, at = HELP_COLUMN;

	for (; *text; text += length + (text[length] == ' ')) {
		length = strcspn(text, " ");
		if (at > HELP_COLUMN && at + 1 + length > HELP_WIDTH) {
			fprintf(out, "\n%*s", HELP_COLUMN, "");
			at = HELP_COLUMN;
		}
		at += (size_t)fprintf(out, "%s%.*s", at > HELP_COLUMN ? " " : "", (int)length,
				      text);
	}
	fputc('\n', out);
}

static void print_row(FILE *out, const char *name, const char *text)
{
	if (strlen(name) < HELP_COLUMN)
		fprintf(out, "%-*s", HELP_COLUMN, name);
	else
		fprintf(out, "%s\n%*s", name, HELP_COLUMN, "");
	print_text(out, text);
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
		print_row(out, name, commands[i].help);
	}
	fprintf(out, "\noptions:\n");
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		const struct option_entry *entry = &table[i];
		char letter[] = {'-', entry->letter, ',', ' ', '\0'};

		snprintf(name, sizeof(name), "  %s--%s%s%s", entry->letter ? letter : "",
			 entry->name, entry->value ? " " : "", entry->value ? entry->value : "");
		print_row(out, name, entry->help);
	}
	fprintf(out,
		"\n"
		"Numbers are decimal, or hexadecimal with 0x; a channel whose name is a number is\n"
		"found by its address. Ctrl-C ends a command with the statistics so far.\n"
		"Exit status: 0 done, 1 something was lost, the remote broke a rule that is a\n"
		"MUST, or the connection was lost, 2 wrong usage, 3 cannot reach the back-end.\n");
}
