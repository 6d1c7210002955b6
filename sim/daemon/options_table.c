/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of options, and the setters of those that are a word or a number. */
#include <limits.h>
#include <string.h>
#include <sys/un.h>

#include "daemon/options_internal.h"
#include "daemon/recorder.h"

static int set_path(struct parser *parser, const struct option_entry *entry, const char *value,
		    const char **path)
{
	size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (*value == '\0')
		return options_refuse(parser, "--%s: the path is empty", entry->name);
	if (strlen(value) > max)
		return options_refuse(
			parser,
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

	if (!options_number(value, INT_MAX, &number))
		return options_refuse(parser, "--%s: \"%s\" is not the number of a descriptor",
				      entry->name, value);
	*fd = (int)number;
	return 0;
}

static int set_socket_path(struct parser *parser, const struct option_entry *entry,
			   const char *value)
{
	return set_path(parser, entry, value, &parser->remote->socket_path);
}

static int set_control_path(struct parser *parser, const struct option_entry *entry,
			    const char *value)
{
	return set_path(parser, entry, value, &parser->options->control_path);
}

static int set_capture(struct parser *parser, const struct option_entry *entry, const char *value)
{
	if (*value == '\0')
		return options_refuse(parser, "--%s: the path is empty", entry->name);
	if (strlen(value) > RECORDER_MAX_PATH)
		return options_refuse(parser, "--%s: a path has at most %d bytes", entry->name,
				      RECORDER_MAX_PATH);
	parser->options->capture = value;
	return 0;
}

static int set_fd(struct parser *parser, const struct option_entry *entry, const char *value)
{
	return set_descriptor(parser, entry, value, &parser->remote->fd);
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
	return options_refuse(parser, "--%s: \"%s\" is none of error, warn, info, debug and trace",
			      entry->name, value);
}

static int set_sandbox(struct parser *parser, const struct option_entry *entry, const char *value)
{
	for (enum sandbox_mode mode = 0; mode < SANDBOX_COUNT; mode++) {
		if (strcmp(sandbox_mode_name(mode), value) == 0) {
			parser->options->sandbox = mode;
			return 0;
		}
	}
	return options_refuse(parser, "--%s: \"%s\" is none of on, log and off", entry->name,
			      value);
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

const struct option_entry options_table[] = {
	{.name = "remote",
	 .value = "NAME",
	 .set = options_set_remote,
	 .repeatable = true,
	 .feature = true,
	 .help = "begin a remote of its own: the options of this group that follow, up to the next "
		 "--remote, belong to it; those before the first one belong to a remote called "
		 "\"remote\""},
	{.name = "socket-path",
	 .of_remote = true,
	 .value = "PATH",
	 .set = set_socket_path,
	 .help = "listen for a vhost-user front-end on this unix socket; "
		 "a stale socket file is taken over, a live one is not"},
	{.name = "fd",
	 .of_remote = true,
	 .value = "N",
	 .set = set_fd,
	 .help = "use this open unix socket instead: a listening one is served "
		 "like --socket-path, a connected one until it closes"},
	{.name = "service",
	 .of_remote = true,
	 .value = "NAME[=KIND][,addr=N][,count=N]",
	 .set = options_set_service,
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
	{.name = "capture",
	 .value = "FILE",
	 .set = set_capture,
	 .feature = true,
	 .help = "write every message of all remotes into this file, in libpcap format, for "
		 "Wireshark and tshark with rpmsg.lua; it is replaced when it exists"},
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
	{.name = "sandbox",
	 .value = "MODE",
	 .set = set_sandbox,
	 .feature = true,
	 .help = "system calls that serving does not need end the program (on), go into the "
		 "kernel's audit log (log), or are done (off); default: " SANDBOX_DEFAULT_TEXT},
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

const size_t options_table_size = sizeof(options_table) / sizeof(options_table[0]);
