/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/options.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/kinds.h"
#include "wire/checked.h"
#include "wire/rpmsg.h"

/* First descriptor that a service manager passes. */
#define LISTEN_FDS_START 3

struct parser {
	struct options *options;
	char *error;
	size_t size;
};

struct option_entry {
	const char *name;
	const char *value; /* what it takes, for --help; NULL: nothing */
	const char *help;
	int (*set)(struct parser *parser, const struct option_entry *entry, const char *value);
	bool repeatable;
	bool feature; /* listed by --print-capabilities */
};

static int set_socket_path(struct parser *, const struct option_entry *, const char *);
static int set_fd(struct parser *, const struct option_entry *, const char *);
static int set_service(struct parser *, const struct option_entry *, const char *);
static int set_control_path(struct parser *, const struct option_entry *, const char *);
static int set_ready_fd(struct parser *, const struct option_entry *, const char *);
static int set_log_level(struct parser *, const struct option_entry *, const char *);
static int set_once(struct parser *, const struct option_entry *, const char *);
static int set_print_capabilities(struct parser *, const struct option_entry *, const char *);
static int set_print_qemu_args(struct parser *, const struct option_entry *, const char *);
static int set_help(struct parser *, const struct option_entry *, const char *);
static int set_version(struct parser *, const struct option_entry *, const char *);

static const struct option_entry table[] = {
	{.name = "socket-path",
	 .value = "PATH",
	 .set = set_socket_path,
	 .help = "listen for a vhost-user front-end on this unix socket; "
		 "a stale socket file is taken over, a live one is not"},
	{.name = "fd",
	 .value = "N",
	 .set = set_fd,
	 .help = "use this open unix socket instead: a listening one is served "
		 "like --socket-path, a connected one until it closes"},
	{.name = "service",
	 .value = "NAME[=KIND][,addr=N][,count=N]",
	 .set = set_service,
	 .repeatable = true,
	 .feature = true,
	 .help = "announce a service of a kind listed below (default echo) at "
		 "an address (default: the lowest free one from 1024); count "
		 "makes several, at addr, addr+1, ...; may be given again"},
	{.name = "control-path",
	 .value = "PATH",
	 .set = set_control_path,
	 .feature = true,
	 .help = "JSON-RPC 2.0 on this unix socket, one object a line"},
	{.name = "ready-fd",
	 .value = "N",
	 .set = set_ready_fd,
	 .feature = true,
	 .help = "write \"ready\\n\" to this descriptor and close it once the "
		 "sockets listen"},
	{.name = "log-level",
	 .value = "LEVEL",
	 .set = set_log_level,
	 .feature = true,
	 .help = "error, warn, info (default), debug or trace; log lines go to "
		 "standard error"},
	{.name = "once",
	 .set = set_once,
	 .feature = true,
	 .help = "exit 0 after the first front-end has left, instead of serving "
		 "the next one"},
	{.name = "print-capabilities",
	 .set = set_print_capabilities,
	 .help = "print what this back-end can do as JSON and exit; all other "
		 "options are ignored"},
	{.name = "print-qemu-args",
	 .set = set_print_qemu_args,
	 .help = "print the QEMU options that attach a guest to --socket-path "
		 "and exit"},
	{.name = "help", .set = set_help, .help = "print this text and exit"},
	{.name = "version", .set = set_version, .help = "print the version and exit"},
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

/* Decimal or 0x hexadecimal, nothing before or after. */
static bool parse_number(const char *text, uint64_t max, uint64_t *number)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	char *end;

	if (!(*digits >= '0' && *digits <= '9') &&
	    !(hex && strchr("abcdefABCDEF", *digits) && *digits))
		return false;
	errno = 0;
	*number = strtoull(digits, &end, hex ? 16 : 10);
	return errno == 0 && *end == '\0' && *number <= max;
}

static int set_path(struct parser *parser, const struct option_entry *entry, const char *value,
		    const char **path)
{
	size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (*value == '\0')
		return refuse(parser, "--%s: the path is empty", entry->name);
	if (strlen(value) > max)
		return refuse(parser,
			      "--%s: the path is %zu bytes long, a unix socket's has at most %zu: "
			      "use a shorter one, or one relative to the working directory",
			      entry->name, strlen(value), max);
	*path = value;
	return 0;
}

static int set_descriptor(struct parser *parser, const struct option_entry *entry,
			  const char *value, int *fd)
{
	uint64_t number;

	if (!parse_number(value, INT_MAX, &number))
		return refuse(parser, "--%s: \"%s\" is not the number of a descriptor", entry->name,
			      value);
	*fd = (int)number;
	return 0;
}

static int set_socket_path(struct parser *parser, const struct option_entry *entry,
			   const char *value)
{
	return set_path(parser, entry, value, &parser->options->socket_path);
}

static int set_control_path(struct parser *parser, const struct option_entry *entry,
			    const char *value)
{
	return set_path(parser, entry, value, &parser->options->control_path);
}

static int set_fd(struct parser *parser, const struct option_entry *entry, const char *value)
{
	return set_descriptor(parser, entry, value, &parser->options->fd);
}

static int set_ready_fd(struct parser *parser, const struct option_entry *entry, const char *value)
{
	return set_descriptor(parser, entry, value, &parser->options->ready_fd);
}

static int set_log_level(struct parser *parser, const struct option_entry *entry, const char *value)
{
	for (enum log_level level = 0; level < LOG_LEVEL_COUNT; level++) {
		if (strcmp(log_level_name(level), value) == 0) {
			parser->options->log_level = level;
			return 0;
		}
	}
	return refuse(parser, "--%s: \"%s\" is none of error, warn, info, debug and trace",
		      entry->name, value);
}

static int set_once(struct parser *parser, const struct option_entry *entry, const char *value)
{
	parser->options->once = true;
	return 0;
}

static int set_print_capabilities(struct parser *parser, const struct option_entry *entry,
				  const char *value)
{
	parser->options->action = OPTIONS_PRINT_CAPABILITIES;
	return 0;
}

static int set_print_qemu_args(struct parser *parser, const struct option_entry *entry,
			       const char *value)
{
	parser->options->action = OPTIONS_PRINT_QEMU_ARGS;
	return 0;
}

static int set_help(struct parser *parser, const struct option_entry *entry, const char *value)
{
	parser->options->action = OPTIONS_PRINT_HELP;
	return 0;
}

static int set_version(struct parser *parser, const struct option_entry *entry, const char *value)
{
	parser->options->action = OPTIONS_PRINT_VERSION;
	return 0;
}

/* One KEY=N after the name; text is the whole service, for messages. */
static int set_service_key(struct parser *parser, struct options_service *service, char *setting)
{
	char *value = strchr(setting, '=');
	uint64_t number;

	if (!value)
		return refuse(parser, "--service %s: \"%s\" is not addr=N or count=N",
			      service->text, setting);
	*value++ = '\0';
	if (strcmp(setting, "addr") == 0) {
		if (!parse_number(value, RPMSG_ADDR_ANY - 1, &number))
			return refuse(parser,
				      "--service %s: addr \"%s\" is not a number from 0 to "
				      "0xfffffffe",
				      service->text, value);
		service->addr = (uint32_t)number;
		return 0;
	}
	if (strcmp(setting, "count") == 0) {
		if (!parse_number(value, OPTIONS_SERVICE_COUNT_MAX, &number) || number == 0)
			return refuse(parser,
				      "--service %s: count \"%s\" is not a number from 1 to %u",
				      service->text, value, OPTIONS_SERVICE_COUNT_MAX);
		service->count = (uint32_t)number;
		return 0;
	}
	return refuse(parser, "--service %s: \"%s\" is not known here: addr and count are",
		      service->text, setting);
}

/* Static addresses of two services may not meet; dynamic ones make room for them. */
static int check_service_addresses(struct parser *parser, const struct options_service *service)
{
	const struct options *options = parser->options;
	uint32_t last;

	if (service->addr == RPMSG_ADDR_ANY)
		return 0;
	if (!checked_add32(service->addr, service->count - 1, &last) || last == RPMSG_ADDR_ANY)
		return refuse(parser,
			      "--service %s: %" PRIu32 " instances from address %" PRIu32
			      " go beyond 0xfffffffe",
			      service->text, service->count, service->addr);
	if (service->addr <= RPMSG_ADDR_NS && last >= RPMSG_ADDR_NS)
		return refuse(parser, "--service %s: address %u belongs to the name service",
			      service->text, RPMSG_ADDR_NS);
	for (size_t i = 0; i < options->service_count; i++) {
		const struct options_service *other = &options->services[i];

		if (other->addr == RPMSG_ADDR_ANY || other->addr > last ||
		    other->addr + (other->count - 1) < service->addr)
			continue;
		return refuse(parser, "--service %s: address %" PRIu32 " is taken by --service %s",
			      service->text,
			      other->addr > service->addr ? other->addr : service->addr,
			      other->text);
	}
	return 0;
}

/* parts is a scratch copy of the value that is cut up. */
static int parse_service(struct parser *parser, struct options_service *service, char *parts)
{
	char *settings = parts, *name = strsep(&settings, ",");
	char *kind = strchr(name, '=');
	char *setting, kinds[256];
	int ret;

	if (kind)
		*kind++ = '\0';
	if (*name == '\0' || strlen(name) >= sizeof(service->name))
		return refuse(parser, "--service %s: the name has to be 1 to %zu bytes long",
			      service->text, sizeof(service->name) - 1);
	snprintf(service->name, sizeof(service->name), "%s", name);
	service->kind = service_kind_find(kind ? kind : KINDS_DEFAULT);
	if (!service->kind)
		return refuse(parser, "--service %s: there is no kind \"%s\"; kinds are %s",
			      service->text, kind, kinds_list(kinds, sizeof(kinds)));

	service->addr = RPMSG_ADDR_ANY;
	service->count = 1;
	while ((setting = strsep(&settings, ","))) {
		ret = set_service_key(parser, service, setting);
		if (ret)
			return ret;
	}
	return check_service_addresses(parser, service);
}

static int set_service(struct parser *parser, const struct option_entry *entry, const char *value)
{
	struct options *options = parser->options;
	struct options_service *services, service = {0};
	char *parts = strdup(value);
	int ret = -ENOMEM;

	service.text = strdup(value);
	services = reallocarray(options->services, options->service_count + 1, sizeof(service));
	if (services)
		options->services = services;
	if (!services || !parts || !service.text)
		refuse(parser, "--%s: out of memory", entry->name);
	else
		ret = parse_service(parser, &service, parts);
	if (ret)
		free(service.text);
	else
		services[options->service_count++] = service;
	free(parts);
	return ret;
}

static const struct option_entry *find_option(const char *name, size_t length)
{
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0)
			return &table[i];
	}
	return NULL;
}

static bool given(const struct options *options, const char *name)
{
	const struct option_entry *entry = find_option(name, strlen(name));

	return entry && options->given & UINT64_C(1) << (entry - table);
}

/* A service manager's socket, by the protocol of sd_listen_fds(3), when no option names one. */
static int use_listen_fds(struct parser *parser)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t for_whom, count;

	if (!pid || !fds || !parse_number(pid, INT_MAX, &for_whom) ||
	    for_whom != (uint64_t)getpid())
		return refuse(parser, "give --socket-path PATH or --fd N: see --help");
	if (!parse_number(fds, INT_MAX, &count) || count != 1)
		return refuse(parser, "LISTEN_FDS is \"%s\": one socket is expected", fds);
	parser->options->fd = LISTEN_FDS_START;
	return 0;
}

/* What is wrong with options that are each right by themselves. */
static int check_together(struct parser *parser)
{
	struct options *options = parser->options;

	if (options->socket_path && options->fd >= 0)
		return refuse(parser, "--socket-path and --fd exclude each other: give one");
	if (options->action == OPTIONS_PRINT_QEMU_ARGS && !options->socket_path)
		return refuse(parser, "--print-qemu-args needs --socket-path PATH: "
				      "that is where QEMU finds this back-end");
	if (options->socket_path && options->control_path &&
	    strcmp(options->socket_path, options->control_path) == 0)
		return refuse(parser,
			      "--socket-path and --control-path are the same file, %s: "
			      "they need one each",
			      options->socket_path);
	if (options->fd >= 0 && options->fd == options->ready_fd)
		return refuse(parser, "--fd and --ready-fd are the same descriptor, %d",
			      options->fd);
	if (!options->socket_path && options->fd < 0)
		return use_listen_fds(parser);
	return 0;
}

static int parse_one(struct parser *parser, int argc, char **argv, int *at)
{
	const char *arg = argv[*at], *value = NULL, *name = arg + 2;
	size_t length = strcspn(name, "=");
	const struct option_entry *entry;
	uint64_t bit;

	if (strncmp(arg, "--", 2) != 0 || length == 0)
		return refuse(parser, "unexpected argument \"%s\": see --help", arg);
	entry = find_option(name, length);
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

	bit = UINT64_C(1) << (entry - table);
	if (parser->options->given & bit && !entry->repeatable)
		return refuse(parser, "--%s is given twice: give it once", entry->name);
	parser->options->given |= bit;
	return entry->set(parser, entry, value);
}

int options_parse(struct options *options, int argc, char **argv, char *error, size_t size)
{
	struct parser parser = {.options = options, .error = error, .size = size};
	int ret;

	*options = (struct options){
		.action = OPTIONS_SERVE, .fd = -1, .ready_fd = -1, .log_level = LOG_LEVEL_INFO};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--print-capabilities") == 0) {
			options->action = OPTIONS_PRINT_CAPABILITIES;
			return 0;
		}
	}
	for (int i = 1; i < argc; i++) {
		ret = parse_one(&parser, argc, argv, &i);
		if (ret)
			return ret;
		if (given(options, "help") || given(options, "version"))
			return 0;
	}
	return check_together(&parser);
}

void options_free(struct options *options)
{
	for (size_t i = 0; i < options->service_count; i++)
		free(options->services[i].text);
	free(options->services);
	options->services = NULL;
	options->service_count = 0;
}

const char *options_feature(unsigned int index)
{
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		if (table[i].feature && index-- == 0)
			return table[i].name;
	}
	return NULL;
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

void options_print_help(FILE *out)
{
	const struct service_kind *kind;
	char name[80];

	fprintf(out, "usage: rpmsg-sim --socket-path PATH | --fd N [OPTION]...\n"
		     "\n"
		     "A simulated remote processor: a vhost-user back-end for virtio device 7\n"
		     "(rpmsg).\n"
		     "\n");
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		snprintf(name, sizeof(name), "  --%s%s%s", table[i].name, table[i].value ? " " : "",
			 table[i].value ? table[i].value : "");
		if (strlen(name) < HELP_COLUMN)
			fprintf(out, "%-*s", HELP_COLUMN, name);
		else
			fprintf(out, "%s\n%*s", name, HELP_COLUMN, "");
		print_text(out, table[i].help);
	}
	fprintf(out, "\nkinds of service:\n");
	for (unsigned int i = 0; (kind = service_kind_at(i)); i++) {
		fprintf(out, "  %-*s", HELP_COLUMN - 2, kind->name);
		print_text(out, kind->summary);
	}
	fprintf(out,
		"\n"
		"Numbers are decimal, or hexadecimal with 0x. A listening socket passed by a\n"
		"service manager (LISTEN_FDS=1) is used when neither --socket-path nor --fd is\n"
		"given. Exit status: 0 done, 1 could not start or go on, 2 wrong usage.\n");
}
