/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpmsg-host: the host of an rpmsg link in a process, against any vhost-user back-end.
 */
#include <stdio.h>

#include "host/payload.h"
#include "host/session.h"

/* Some hundred kilobytes, and there is one. */
static struct session session;

static void (*const commands[COMMAND_COUNT])(struct session *session) = {
	[COMMAND_SERVICES] = command_services, [COMMAND_PING] = command_ping,
	[COMMAND_SEND] = command_send,	       [COMMAND_LISTEN] = command_listen,
	[COMMAND_BENCH] = command_bench,       [COMMAND_SOAK] = command_soak,
};

static int print_and_leave(const struct options *options)
{
	if (options->command == COMMAND_HELP)
		options_print_help(stdout);
	else
		printf("rpmsg-host %s\n", TESTBENCH_VERSION);
	if (fflush(stdout) != 0) {
		perror("rpmsg-host: cannot print");
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

int main(int argc, char **argv)
{
	struct options options;
	char error[512];

	if (options_parse(&options, argc, argv, error, sizeof(error)) < 0) {
		fprintf(stderr, "rpmsg-host: %s\n", error);
		return STATUS_USAGE;
	}
	if (options.command >= COMMAND_COUNT)
		return print_and_leave(&options);
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	payload_init();
	session.options = &options;
	if (options.command == COMMAND_LISTEN) {
		session.ops.unbound = listen_message;
		session.ops.channel = listen_channel;
	}
	if (session_open(&session) == 0)
		commands[options.command](&session);
	return session_close(&session);
}
