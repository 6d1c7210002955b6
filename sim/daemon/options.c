/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/options.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/options_internal.h"

/* First descriptor that a service manager passes. */
#define LISTEN_FDS_START 3

bool options_next_setting(char **rest, struct option_setting *setting)
{
	setting->key = strsep(rest, ",");
	if (!setting->key)
		return false;
	setting->value = strchr(setting->key, '=');
	if (setting->value)
		*setting->value++ = '\0';
	return true;
}

/* ---- remotes ---------------------------------------------------------------------------- */

static struct options_remote *append_remote(struct parser *parser, const char *name)
{
	struct options *options = parser->options;
	struct options_remote *remotes = reallocarray(options->remotes, options->remote_count + 1,
						      sizeof(*options->remotes));

	if (!remotes) {
		cli_refuse(&parser->cli.error, "out of memory");
		return NULL;
	}
	options->remotes = remotes;
	parser->remote = &remotes[options->remote_count++];
	*parser->remote = (struct options_remote){.name = name, .fd = -1};
	return parser->remote;
}

/* The name stands in log lines, in JSON and in identifiers of QEMU. */
static bool is_remote_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t length = strspn(name, allowed);

	return length > 0 && length <= OPTIONS_REMOTE_NAME_MAX && name[length] == '\0';
}

int options_set_remote(struct parser *parser, const struct cli_option *entry, const char *value)
{
	struct options *options = parser->options;

	if (!is_remote_name(value))
		return cli_refuse(&parser->cli.error,
				  "--%s: \"%s\" is no name: 1 to %d letters, digits and ._-",
				  entry->name, value, OPTIONS_REMOTE_NAME_MAX);
	if (options->remote_count == 1 && !options->remotes[0].given &&
	    !options->remotes[0].named) {
		/* Nothing was asked of the one that needs no --remote: there is none. */
		options->remotes[0].name = value;
		options->remotes[0].named = true;
		return 0;
	}
	for (size_t i = 0; i < options->remote_count; i++) {
		if (strcmp(options->remotes[i].name, value) == 0)
			return cli_refuse(&parser->cli.error, "--%s: two remotes are called %s",
					  entry->name, value);
	}
	if (options->remote_count == OPTIONS_REMOTES_MAX)
		return cli_refuse(&parser->cli.error, "--%s %s: more than %d remotes", entry->name,
				  value, OPTIONS_REMOTES_MAX);
	if (!append_remote(parser, value))
		return -ENOMEM;
	parser->remote->named = true;
	return 0;
}

/* ---- what is wrong with options that are each right by themselves ------------------------ */

/* A service manager's socket, by the protocol of sd_listen_fds(3), when no option names one. */
static int use_listen_fds(struct parser *parser, struct options_remote *remote)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t for_whom, count;

	if (!pid || !fds || !cli_number(pid, INT_MAX, &for_whom) || for_whom != (uint64_t)getpid())
		return cli_refuse(&parser->cli.error,
				  "give --socket-path PATH or --fd N: see --help");
	if (!cli_number(fds, INT_MAX, &count) || count != 1)
		return cli_refuse(&parser->cli.error,
				  "LISTEN_FDS is \"%s\": one socket is expected", fds);
	remote->fd = LISTEN_FDS_START;
	return 0;
}

/* Is something given that a scenario file says? */
static bool has_dialect(const struct options_remote *remote)
{
	const struct remote_config *config = &remote->config;

	return config->profile || config->layout || config->buffer_size[RPMSG_QUEUE_INPUT] ||
	       remote->features.on || remote->features.off;
}

static int check_remote(struct parser *parser, struct options_remote *remote)
{
	const struct options *options = parser->options;
	const char *path = remote->socket_path;

	if (remote->scenario && has_dialect(remote))
		return cli_refuse(&parser->cli.error,
				  "--scenario excludes --profile, --feature, --config-layout "
				  "and --buffer-size: the file says that");
	if (path && remote->fd >= 0)
		return cli_refuse(&parser->cli.error,
				  "--socket-path and --fd exclude each other: give one");
	if (options->action == OPTIONS_PRINT_QEMU_ARGS && !path)
		return cli_refuse(&parser->cli.error, "--print-qemu-args needs --socket-path PATH: "
						      "that is where QEMU finds this back-end");
	if (path && options->control_path && strcmp(path, options->control_path) == 0)
		return cli_refuse(&parser->cli.error,
				  "--socket-path and --control-path are the same file, %s: "
				  "they need one each",
				  path);
	if (remote->fd >= 0 && remote->fd == options->ready_fd)
		return cli_refuse(&parser->cli.error,
				  "--fd and --ready-fd are the same descriptor, %d", remote->fd);
	if (path || remote->fd >= 0)
		return 0;
	if (options->remote_count == 1)
		return use_listen_fds(parser, remote);
	return cli_refuse(&parser->cli.error,
			  "remote %s has no socket: give --socket-path PATH or --fd N %s",
			  remote->name,
			  remote->named ? "after its --remote"
					: "with the options before the first --remote");
}

static int check_sockets_differ(struct parser *parser, const struct options_remote *remote)
{
	const struct options_remote *other = parser->options->remotes;

	for (; other < remote; other++) {
		if (remote->fd >= 0 && remote->fd == other->fd)
			return cli_refuse(&parser->cli.error,
					  "remotes %s and %s are given the same descriptor, %d",
					  other->name, remote->name, remote->fd);
		if (remote->socket_path && other->socket_path &&
		    strcmp(remote->socket_path, other->socket_path) == 0)
			return cli_refuse(&parser->cli.error,
					  "remotes %s and %s are given the same --socket-path, %s",
					  other->name, remote->name, remote->socket_path);
	}
	return 0;
}

static int check_together(struct parser *parser)
{
	struct options *options = parser->options;

	for (size_t i = 0; i < options->remote_count; i++) {
		struct options_remote *remote = &options->remotes[i];
		int ret = check_remote(parser, remote);

		if (ret == 0)
			ret = check_sockets_differ(parser, remote);
		if (ret)
			return ret;
	}
	return 0;
}

/* ---- the command line -------------------------------------------------------------------- */

static int parse_one(struct parser *parser)
{
	const char *arg = parser->cli.argv[parser->cli.at], *value = NULL;
	const struct cli_option *entry = NULL;
	int ret;

	if (strncmp(arg, "--", 2) != 0 || arg[2] == '\0' || arg[2] == '=')
		return cli_refuse(&parser->cli.error, "unexpected argument \"%s\": see --help",
				  arg);
	ret = cli_next_option(&parser->cli, &entry, &value);
	if (ret == 0)
		ret = cli_once(&parser->cli, entry,
			       entry->groups & OPTION_OF_REMOTE ? &parser->remote->given
								: &parser->options->given);
	return ret ? ret : entry->set(parser, entry, value);
}

/* These need no other option to be right. */
static bool prints_only(const struct options *options)
{
	return options->action != OPTIONS_SERVE && options->action != OPTIONS_PRINT_QEMU_ARGS;
}

static void complete_config(const struct options *options, struct options_remote *remote)
{
	remote->config.check = options->check;
	remote->config.seed = options->seed;
	words_apply_features(&remote->features, &remote->config);
}

int options_parse(struct options *options, int argc, char **argv, char *error, size_t size)
{
	struct parser parser = {.cli = {.options = options_table,
					.option_count = options_table_size,
					.argv = argv,
					.argc = argc,
					.at = 1,
					.error = {.text = error, .size = size}},
				.options = options};
	int ret;

	*options = (struct options){.action = OPTIONS_SERVE,
				    .ready_fd = -1,
				    .log_level = LOG_LEVEL_INFO,
				    .sandbox = SANDBOX_DEFAULT};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--print-capabilities") == 0) {
			options->action = OPTIONS_PRINT_CAPABILITIES;
			return 0;
		}
	}
	if (!append_remote(&parser, OPTIONS_REMOTE_DEFAULT))
		return -ENOMEM;
	while (parser.cli.at < argc) {
		ret = parse_one(&parser);
		if (ret)
			return ret;
		if (prints_only(options))
			return 0;
	}
	ret = check_together(&parser);
	for (size_t i = 0; i < options->remote_count; i++)
		complete_config(options, &options->remotes[i]);
	return ret;
}

static void free_remote(struct options_remote *remote)
{
	for (size_t i = 0; i < remote->service_count; i++)
		free(remote->services[i].text);
	free(remote->services);
	free(remote->faults);
}

void options_free(struct options *options)
{
	for (size_t i = 0; i < options->remote_count; i++)
		free_remote(&options->remotes[i]);
	free(options->remotes);
	options->remotes = NULL;
	options->remote_count = 0;
}
