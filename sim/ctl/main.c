/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpmsg-ctl: the control socket of rpmsg-sim from a shell. Which methods there are, and of what
 * type their parameters are, is asked from the daemon each time.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/help.h"
#include "ctl/options.h"
#include "ctl/params.h"
#include "ctl/print.h"
#include "ctl/stream.h"
#include "ctl/watch.h"

enum ctl_exit ctl_complain(enum ctl_exit status, const char *format, ...)
{
	char text[2048], *clean;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	clean = print_clean(text);
	fprintf(stderr, "rpmsg-ctl: %s\n", clean ? clean : "out of memory");
	free(clean);
	return status;
}

/* What a call that failed means. */
static enum ctl_exit failed(const struct client *client, int ret)
{
	return ctl_complain(ret > 0 ? CTL_REFUSED : CTL_UNREACHABLE, "%s", client->error);
}

static void print_answer(const struct options *options, json_t *result)
{
	if (options->names) {
		print_names(stdout, result);
	} else if (options->json) {
		json_dumpf(result, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
		putchar('\n');
	} else {
		print_result(stdout, result);
	}
}

static enum ctl_exit unknown_method(const char *name)
{
	return ctl_complain(CTL_USAGE, "there is no command \"%s\": \"rpmsg-ctl help\" lists them",
			    name);
}

/* ---- commands --------------------------------------------------------------------------- */

static enum ctl_exit run_help(const struct options *options, json_t *help)
{
	json_t *method;

	if (options->arg_count > 1)
		return ctl_complain(CTL_USAGE, "help takes one method at most");
	if (options->arg_count == 0) {
		if (options->names)
			print_names(stdout, json_object_get(help, "methods"));
		else if (options->json)
			print_answer(options, help);
		else
			help_print(stdout, help);
		return CTL_DONE;
	}
	method = help_find(help, options->args[0]);
	if (!method)
		return unknown_method(options->args[0]);
	if (options->names)
		print_names(stdout, json_object_get(method, "params"));
	else if (options->json)
		print_answer(options, method);
	else
		help_print_method(stdout, method);
	return CTL_DONE;
}

static enum ctl_exit run_method(const struct options *options, struct client *client, json_t *help)
{
	json_t *method = help_find(help, options->command), *params = NULL, *result = NULL;
	char error[1024];
	int ret;

	if (!method)
		return unknown_method(options->command);
	if (options->remote && !params_has(method, "remote"))
		return ctl_complain(CTL_USAGE, "%s is about no single remote: leave --remote away",
				    options->command);
	if (params_build(method, options->args, options->arg_count, &params, error, sizeof(error)))
		return ctl_complain(CTL_USAGE, "%s", error);
	if (options->remote)
		json_object_set_new(params, "remote", json_string(options->remote));
	ret = client_call(client, json_string_value(json_object_get(method, "name")), params,
			  &result);
	json_decref(params);
	if (ret)
		return failed(client, ret);
	print_answer(options, result);
	json_decref(result);
	return CTL_DONE;
}

static enum ctl_exit run_connected(const struct options *options, struct client *client)
{
	enum ctl_exit status;
	json_t *help = NULL;
	int ret;

	if (strcmp(options->command, "events") == 0)
		return stream_run(options, client);
	ret = client_call(client, "help", NULL, &help);
	if (ret)
		return failed(client, ret);
	if (strcmp(options->command, "help") == 0)
		status = run_help(options, help);
	else if (strcmp(options->command, "watch") == 0)
		status = watch_run(options, client, help);
	else
		status = run_method(options, client, help);
	json_decref(help);
	return status;
}

static enum ctl_exit run(const struct options *options)
{
	bool list = strcmp(options->command, "help") == 0 && options->arg_count == 0;
	struct client client;
	enum ctl_exit status;

	if (strcmp(options->command, "watch") == 0 && options->arg_count)
		return ctl_complain(CTL_USAGE, "watch takes options only, not \"%s\"",
				    options->args[0]);
	if (!options->control_path) {
		if (!list || options->json)
			return ctl_complain(CTL_USAGE, "where is rpmsg-sim? give --control-path "
						       "PATH, or set RPMSG_CONTROL");
		help_print_offline(stdout, options->names);
		return CTL_DONE;
	}
	if (client_open(&client, options->control_path, options->timeout_ms)) {
		status = failed(&client, -1);
		if (list && !options->json)
			help_print_offline(stdout, options->names);
	} else {
		status = run_connected(options, &client);
	}
	client_close(&client);
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	enum ctl_exit status = CTL_DONE;
	char error[512];

	if (options_parse(&options, argc, argv, error, sizeof(error)))
		status = ctl_complain(CTL_USAGE, "%s", error);
	else if (options.help)
		options_print_help(stdout);
	else if (options.version)
		printf("rpmsg-ctl %s\n", TESTBENCH_VERSION);
	else
		status = run(&options);
	options_free(&options);
	if ((fflush(stdout) || ferror(stdout)) && status == CTL_DONE)
		status = ctl_complain(CTL_REFUSED, "cannot print: standard output takes no more");
	return (int)status;
}
