/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/stream.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "ctl/print.h"
#include "ctl/signals.h"

static json_t *subscription(const struct options *options)
{
	json_t *params = json_object(), *types = json_array();

	for (int i = 0; i < options->arg_count; i++)
		json_array_append_new(types, json_string(options->args[i]));
	if (options->arg_count)
		json_object_set(params, "types", types);
	if (options->remote)
		json_object_set_new(params, "remote", json_string(options->remote));
	json_decref(types);
	return params;
}

static int subscribe(const struct options *options, struct client *client)
{
	json_t *params = subscription(options), *result = NULL;
	int ret = client_call(client, "events", params, &result);

	json_decref(params);
	json_decref(result);
	return ret;
}

static void print_line(const struct options *options, json_t *line)
{
	json_t *params = json_object_get(line, "params");

	if (!params)
		return;
	if (options->json) {
		json_dumpf(params, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		print_event(stdout, params);
	}
}

static int follow(const struct options *options, struct client *client)
{
	json_t *line;
	int ret;

	for (;;) {
		/* Somebody may be waiting for what is printed; but not a write a line. */
		if (!client_has_line(client) && fflush(stdout))
			return 0;
		ret = client_read(client, CLIENT_NO_DEADLINE, &line);
		if (ret)
			return ret;
		print_line(options, line);
		json_decref(line);
	}
}

enum ctl_exit stream_run(const struct options *options, struct client *client)
{
	static const int numbers[] = {SIGINT, SIGTERM, 0};
	int ret;

	client->wake_fd = signals_open(numbers);
	if (client->wake_fd < 0)
		return ctl_complain(CTL_REFUSED, "cannot take signals: %s",
				    strerror(-client->wake_fd));
	ret = subscribe(options, client);
	if (!ret)
		ret = follow(options, client);
	fflush(stdout);
	close(client->wake_fd);
	client->wake_fd = -1;
	if (ret == 0 || ret == -EINTR)
		return CTL_DONE;
	return ctl_complain(ret > 0 ? CTL_REFUSED : CTL_UNREACHABLE, "%s", client->error);
}
