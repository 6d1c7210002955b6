/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of options, and the setters of those that are a word or a number. */
#include <limits.h>
#include <sched.h>
#include <string.h>

#include "daemon/options_internal.h"
#include "daemon/recorder.h"

#define NS_PER_US UINT64_C(1000)
#define DEFAULT_POLL_US 50U
#define MAX_POLL_US 1000000U

static int set_path(struct parser *parser, const struct cli_option *entry, const char *value,
		    const char **path)
{
	*path = value;
	return cli_socket_path(&parser->cli, entry, value);
}

static int set_descriptor(struct parser *parser, const struct cli_option *entry, const char *value,
			  int *fd)
{
	uint64_t number;

	if (!cli_number(value, INT_MAX, &number))
		return cli_refuse(&parser->cli.error,
				  "--%s: \"%s\" is not the number of a descriptor", entry->name,
				  value);
	*fd = (int)number;
	return 0;
}

static int set_socket_path(struct parser *parser, const struct cli_option *entry, const char *value)
{
	return set_path(parser, entry, value, &parser->remote->socket_path);
}

static int set_control_path(struct parser *parser, const struct cli_option *entry,
			    const char *value)
{
	return set_path(parser, entry, value, &parser->options->control_path);
}

static int set_capture(struct parser *parser, const struct cli_option *entry, const char *value)
{
	if (*value == '\0')
		return cli_refuse(&parser->cli.error, "--%s: the path is empty", entry->name);
	if (strlen(value) > RECORDER_MAX_PATH)
		return cli_refuse(&parser->cli.error, "--%s: a path has at most %d bytes",
				  entry->name, RECORDER_MAX_PATH);
	parser->options->capture = value;
	return 0;
}

static int set_fd(struct parser *parser, const struct cli_option *entry, const char *value)
{
	return set_descriptor(parser, entry, value, &parser->remote->fd);
}

static int set_ready_fd(struct parser *parser, const struct cli_option *entry, const char *value)
{
	return set_descriptor(parser, entry, value, &parser->options->ready_fd);
}

static int set_log_level(struct parser *parser, const struct cli_option *entry, const char *value)
{
	for (enum log_level level = 0; level < LOG_LEVEL_COUNT; level++) {
		if (strcmp(log_level_name(level), value) == 0) {
			parser->options->log_level = level;
			return 0;
		}
	}
	return cli_refuse(&parser->cli.error,
			  "--%s: \"%s\" is none of error, warn, info, debug and trace", entry->name,
			  value);
}

static int set_sandbox(struct parser *parser, const struct cli_option *entry, const char *value)
{
	for (enum sandbox_mode mode = 0; mode < SANDBOX_COUNT; mode++) {
		if (strcmp(sandbox_mode_name(mode), value) == 0) {
			parser->options->sandbox = mode;
			return 0;
		}
	}
	return cli_refuse(&parser->cli.error, "--%s: \"%s\" is none of on, log and off",
			  entry->name, value);
}

static int set_check(struct parser *parser, const struct cli_option *entry, const char *value)
{
	parser->options->check_given = true;
	if (words_check(value, &parser->options->check))
		return 0;
	return cli_refuse(&parser->cli.error, "--%s: \"%s\" is none of off, report and strict",
			  entry->name, value);
}

static int set_seed(struct parser *parser, const struct cli_option *entry, const char *value)
{
	parser->options->seed_given = true;
	if (cli_number(value, UINT64_MAX, &parser->options->seed))
		return 0;
	return cli_refuse(&parser->cli.error, "--%s: \"%s\" is not a number from 0 to 2^64 - 1",
			  entry->name, value);
}

/* On one core whoever polls keeps the host from running. */
static uint64_t default_poll(void)
{
	cpu_set_t cores;

	if (sched_getaffinity(0, sizeof(cores), &cores) == 0 && CPU_COUNT(&cores) == 1)
		return 0;
	return DEFAULT_POLL_US * NS_PER_US;
}

static int set_poll(struct parser *parser, const struct cli_option *entry, const char *value)
{
	uint64_t microseconds;

	parser->options->poll_given = true;
	if (!value) {
		parser->options->poll = default_poll();
		return 0;
	}
	if (!cli_number(value, MAX_POLL_US, &microseconds))
		return cli_refuse(&parser->cli.error,
				  "--%s: \"%s\" is not a number of microseconds from 0 to %u",
				  entry->name, value, MAX_POLL_US);
	parser->options->poll = microseconds * NS_PER_US;
	return 0;
}

static int set_list(struct parser *parser, const struct cli_option *entry, const char *value,
		    enum options_action action)
{
	if (value && strcmp(value, "json") != 0)
		return cli_refuse(&parser->cli.error, "--%s: \"%s\" is no form of a list: json is",
				  entry->name, value);
	parser->options->json = value != NULL;
	parser->options->action = action;
	return 0;
}

static int set_list_faults(struct parser *parser, const struct cli_option *entry, const char *value)
{
	return set_list(parser, entry, value, OPTIONS_LIST_FAULTS);
}

static int set_list_profiles(struct parser *parser, const struct cli_option *entry,
			     const char *value)
{
	return set_list(parser, entry, value, OPTIONS_LIST_PROFILES);
}

static int set_list_scenario_keys(struct parser *parser, const struct cli_option *entry,
				  const char *value)
{
	return set_list(parser, entry, value, OPTIONS_LIST_SCENARIO_KEYS);
}

static int set_scenario(struct parser *parser, const struct cli_option *entry, const char *value)
{
	if (*value == '\0')
		return cli_refuse(&parser->cli.error, "--%s: the path is empty", entry->name);
	parser->remote->scenario = value;
	return 0;
}

static int set_once(struct parser *parser, const struct cli_option *entry, const char *value)
{
	parser->options->once = true;
	return 0;
}

static int set_print_capabilities(struct parser *parser, const struct cli_option *entry,
				  const char *value)
{
	parser->options->action = OPTIONS_PRINT_CAPABILITIES;
	return 0;
}

static int set_print_qemu_args(struct parser *parser, const struct cli_option *entry,
			       const char *value)
{
	parser->options->action = OPTIONS_PRINT_QEMU_ARGS;
	return 0;
}

static int set_help(struct parser *parser, const struct cli_option *entry, const char *value)
{
	parser->options->action = OPTIONS_PRINT_HELP;
	return 0;
}

static int set_version(struct parser *parser, const struct cli_option *entry, const char *value)
{
	parser->options->action = OPTIONS_PRINT_VERSION;
	return 0;
}

const struct cli_option options_table[] = {
	{.name = "remote",
	 .value = "NAME",
	 .set = options_set_remote,
	 .repeatable = true,
	 .groups = OPTION_FEATURE,
	 .help = "begin a remote of its own: the options of this group that follow, up to the next "
		 "--remote, belong to it; those before the first one belong to a remote called "
		 "\"remote\""},
	{.name = "socket-path",
	 .groups = OPTION_OF_REMOTE,
	 .value = "PATH",
	 .set = set_socket_path,
	 .help = "listen for a vhost-user front-end on this unix socket; "
		 "a stale socket file is taken over, a live one is not"},
	{.name = "fd",
	 .groups = OPTION_OF_REMOTE,
	 .value = "N",
	 .set = set_fd,
	 .help = "use this open unix socket instead: a listening one is served "
		 "like --socket-path, a connected one until it closes"},
	{.name = "service",
	 .groups = OPTION_OF_REMOTE | OPTION_FEATURE,
	 .value = "NAME[=KIND][,KEY=N]...",
	 .set = options_set_service,
	 .repeatable = true,
	 .help = "announce a service of a kind listed below (default echo). Keys: addr "
		 "(default: the kind's usual address, else the lowest free one), count makes "
		 "several, at addr, addr+1, ...; size, rate and messages are a source's; peer is "
		 "an address of the host that is known from the start, so that the remote can "
		 "speak first; quiet makes an endpoint that is not announced. May be given again"},
	{.name = "profile",
	 .groups = OPTION_OF_REMOTE | OPTION_FEATURE,
	 .value = "NAME",
	 .set = options_set_profile,
	 .help = "dialect: one of those that --list-profiles prints; default: linux"},
	{.name = "feature",
	 .groups = OPTION_OF_REMOTE | OPTION_FEATURE,
	 .value = "+NAME|-NAME",
	 .set = options_set_feature,
	 .repeatable = true,
	 .help = "offer a feature listed below, or do not, whatever the profile says; NAME may be "
		 "a bit's number. May be given again"},
	{.name = "config-layout",
	 .groups = OPTION_OF_REMOTE | OPTION_FEATURE,
	 .value = "NAME",
	 .set = options_set_layout,
	 .help = "layout of the configuration space, listed below, in place of the profile's"},
	{.name = "buffer-size",
	 .groups = OPTION_OF_REMOTE | OPTION_FEATURE,
	 .value = "IN[,OUT]",
	 .set = options_set_buffer_size,
	 .help = "bytes of a buffer that the configuration says and that are used at most: "
		 "remote to host, and host to remote if that is different; 17 to 1048576"},
	{.name = "pace",
	 .groups = OPTION_OF_REMOTE | OPTION_FEATURE,
	 .value = "QUEUE:KEY=VALUE[,...]",
	 .set = options_set_pace,
	 .repeatable = true,
	 .help = "when buffers of queue 0 (remote to host) or 1 go back. Keys: every=N holds "
		 "each Nth until it is released; order=in|reversed|shuffled; delay_us=N; "
		 "interrupt=normal|never|late|spurious; interrupt_delay_us=N; batch=N buffers "
		 "for one interrupt. May be given again"},
	{.name = "fault",
	 .groups = OPTION_OF_REMOTE | OPTION_FEATURE,
	 .value = "NAME[=ARG][,once][,count=N][,after=N]",
	 .set = options_set_fault,
	 .repeatable = true,
	 .help = "misbehave in one of the ways that --list-faults prints: always, once, or N "
		 "times, after N passes of its place. May be given again"},
	{.name = "scenario",
	 .groups = OPTION_OF_REMOTE | OPTION_FEATURE,
	 .value = "FILE",
	 .set = set_scenario,
	 .help = "be and do what this YAML file says, rpmsg-scenario(5), and exit when it ends: 0 "
		 "when all that it expects held, 1 when not, 2 when the file is wrong. It takes "
		 "the place of --profile, --feature, --config-layout and --buffer-size; with "
		 "several remotes each may have one, and the last to end ends the program"},
	{.name = "control-path",
	 .value = "PATH",
	 .set = set_control_path,
	 .groups = OPTION_FEATURE,
	 .help = "JSON-RPC 2.0 on this unix socket, one object a line"},
	{.name = "capture",
	 .value = "FILE",
	 .set = set_capture,
	 .groups = OPTION_FEATURE,
	 .help = "write every message of all remotes into this file, in libpcap format, for "
		 "Wireshark and tshark with rpmsg.lua; it is replaced when it exists"},
	{.name = "ready-fd",
	 .value = "N",
	 .set = set_ready_fd,
	 .groups = OPTION_FEATURE,
	 .help = "write \"ready\\n\" to this descriptor and close it once the "
		 "sockets listen"},
	{.name = "log-level",
	 .value = "LEVEL",
	 .set = set_log_level,
	 .groups = OPTION_FEATURE,
	 .help = "error, warn, info (default), debug or trace; log lines go to "
		 "standard error"},
	{.name = "check",
	 .value = "LEVEL",
	 .set = set_check,
	 .groups = OPTION_FEATURE,
	 .help = "report what hosts do wrong (report, the default), fail with status 1 in the end "
		 "when one broke a MUST (strict), or judge nothing (off)"},
	{.name = "seed",
	 .value = "N",
	 .set = set_seed,
	 .groups = OPTION_FEATURE,
	 .help = "of all that is random; the same seed and the same input give the same output; "
		 "default 0"},
	{.name = "sandbox",
	 .value = "MODE",
	 .set = set_sandbox,
	 .groups = OPTION_FEATURE,
	 .help = "system calls that serving does not need end the program (on), go into the "
		 "kernel's audit log (log), or are done (off); default: " SANDBOX_DEFAULT_TEXT},
	{.name = "poll",
	 .value = "US",
	 .optional = true,
	 .set = set_poll,
	 .groups = OPTION_FEATURE,
	 .help = "look at the queues for up to so many microseconds before sleeping (50 without a "
		 "number, but 0 on one core), less while that is in vain: faster when the host "
		 "polls too, at the price of a core; 0: never. Default: up to 50, where a single "
		 "host has kicked again at once several times in a row"},
	{.name = "once",
	 .set = set_once,
	 .groups = OPTION_FEATURE,
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
	{.name = "list-faults",
	 .value = "json",
	 .optional = true,
	 .set = set_list_faults,
	 .help = "print every fault, the requirement that it violates and what it breaks, and "
		 "exit"},
	{.name = "list-profiles",
	 .value = "json",
	 .optional = true,
	 .set = set_list_profiles,
	 .help = "print every profile and what it is, and exit"},
	{.name = "list-scenario-keys",
	 .value = "json",
	 .optional = true,
	 .set = set_list_scenario_keys,
	 .help = "print every key that a scenario file may have, and exit"},
	{.name = "help", .set = set_help, .help = "print this text and exit"},
	{.name = "version", .set = set_version, .help = "print the version and exit"},
};

const size_t options_table_size = sizeof(options_table) / sizeof(options_table[0]);
