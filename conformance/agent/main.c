/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpmsg-agent: carries out system calls for a conformance suite that runs elsewhere. As a guest's
 * process 1 it brings the guest up and talks on a virtio-serial port; on a board it talks on
 * standard input and output or on a device.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "command.h"
#include "guest.h"
#include "hello.h"
#include "log.h"
#include "port.h"
#include "sys.h"
#include "worker.h"

#ifndef AGENT_VERSION
#define AGENT_VERSION "unknown"
#endif

#define VIRTIO_PORT_NAME "org.rpmsg-testbench.agent"
#define VIRTIO_PORT_TIMEOUT_MS 60000
/* For workers that are about to answer when the requests end. */
#define LAST_REPLIES_MS 1000

static const char usage[] =
	"Usage: rpmsg-agent [--port PATH | --stdio]\n"
	"Carries out rpmsg-conform's commands, one JSON object a line.\n"
	"\n"
	"  --port PATH   talk on this device instead of standard input and output\n"
	"  --stdio       talk on standard input and output even as process 1 (in a container)\n"
	"  --help        show this text\n"
	"  --version     show the version\n"
	"\n"
	"As process 1 without an option it takes the machine to be a guest of its own: it mounts\n"
	"/dev, /proc and /sys, loads the modules listed in /etc/rpmsg-agent/modules (a path a "
	"line,\n"
	"parameters after a blank) and talks on the virtio-serial port " VIRTIO_PORT_NAME ".\n";

struct options {
	const char *port;
	bool stdio;
};

static const char no_memory[] =
	"{\"id\":null,\"ok\":false,\"errno\":\"ENOMEM\",\"errnum\":12,\"error\":\"request\"}\n";

static void send_hello(void)
{
	struct json_out out = {0};

	json_out_open(&out, NULL, '{');
	hello_put(&out);
	json_out_close(&out, '}');
	json_out_raw(&out, "\n", 1);
	if (!out.failed)
		port_send(port_session(), out.data, out.length);
	json_out_free(&out);
}

static void answer(struct call *call)
{
	if (call->after_reply)
		port_send_before_poweroff();
	if (call->out.failed)
		port_send(call->session, no_memory, sizeof(no_memory) - 1);
	else
		port_send(call->session, call->out.data, call->out.length);
	if (call->after_reply)
		call->after_reply();
	command_free(call);
}

static void carry_out(struct call *call)
{
	static atomic_bool main_in_call;

	if (!call) {
		port_send(port_session(), no_memory, sizeof(no_memory) - 1);
		return;
	}
	if (!call->malformed && call->worker && worker_submit(call) == 0)
		return;
	if (!call->malformed && call->worker) {
		call->malformed = command_fail(call, -EAGAIN,
					       "worker %u has too much to do, or there "
					       "is no memory for it",
					       call->worker);
	}
	call->in_call = &main_in_call;
	command_run(call);
	answer(call);
}

/* Returns when the stream is over: 0, or a negative errno when the port broke. */
static int serve(void)
{
	char *line;
	size_t length;
	int event;

	for (;;) {
		event = port_next_line(&line, &length);
		switch (event) {
		case PORT_LINE:
			/* An empty one lets a peer that comes anew end what was cut off before. */
			if (length)
				carry_out(command_parse(line, length, port_session()));
			break;
		case PORT_TOO_LONG:
			carry_out(
				command_reject(port_session(), "line of more than 1048576 bytes"));
			break;
		case PORT_UNTERMINATED:
			carry_out(command_reject(port_session(), "the last line has no newline"));
			break;
		case PORT_NEW_PEER:
			send_hello();
			break;
		case PORT_END:
			return 0;
		default:
			return event;
		}
	}
}

static int start_threads(void)
{
	signal(SIGPIPE, SIG_IGN);
	worker_init(answer);
	return child_init();
}

static _Noreturn void run_guest(void)
{
	char number[SYS_ERRNO_NAME_SIZE];
	uint64_t timeout_ms = VIRTIO_PORT_TIMEOUT_MS;
	int err;

	sys_init_fds();
	guest_setup();
	err = start_threads();
	for (;;) {
		if (!err)
			err = port_open_virtio(VIRTIO_PORT_NAME, timeout_ms);
		if (!err)
			err = port_wait_peer();
		if (err && err != -ENODEV)
			break;
		if (!err) {
			send_hello();
			err = serve();
		}
		/* The port was unplugged, perhaps to be plugged again. */
		log_line(LOG_LEVEL_INFO, "port lost: %s", sys_errno_name(-err, number));
		timeout_ms = UINT64_MAX;
		err = 0;
	}
	log_line(LOG_LEVEL_ERROR, "virtio-serial port " VIRTIO_PORT_NAME ": %s; powering off",
		 sys_errno_name(-err, number));
	guest_poweroff();
	/* Process 1 must not end. */
	for (;;)
		pause();
}

static int run_board(const struct options *options)
{
	char number[SYS_ERRNO_NAME_SIZE];
	const char *name = options->port ? options->port : "standard input and output";
	int err;

	sys_init_fds();
	log_open_stderr();
	err = start_threads();
	if (!err)
		err = options->port ? port_open_path(options->port) : port_open_stdio();
	if (!err)
		err = port_wait_peer();
	if (!err) {
		send_hello();
		err = serve();
	}
	if (err) {
		log_line(LOG_LEVEL_ERROR, "%s: %s", name, sys_errno_name(-err, number));
		return EXIT_FAILURE;
	}
	worker_wait_idle(LAST_REPLIES_MS);
	return EXIT_SUCCESS;
}

static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{"port", required_argument, NULL, 'p'},
		{"stdio", no_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'p':
			options->port = optarg;
			break;
		case 's':
			options->stdio = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		case 'v':
			puts("rpmsg-agent " AGENT_VERSION);
			exit(EXIT_SUCCESS);
		default:
			fputs("Try rpmsg-agent --help.\n", stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "rpmsg-agent: unexpected argument '%s'. Try rpmsg-agent --help.\n",
			argv[optind]);
		exit(2);
	}
	if (options->port && options->stdio) {
		fputs("rpmsg-agent: --port and --stdio exclude each other.\n", stderr);
		exit(2);
	}
}

/*
 * The kernel hands words of its own command line to process 1, so there nothing but a first
 * word that is one of our options is taken for one.
 */
static bool is_guest_init(int argc, char **argv)
{
	return getpid() == 1 && !(argc > 1 && strncmp(argv[1], "--", 2) == 0);
}

int main(int argc, char **argv)
{
	struct options options = {0};

	if (is_guest_init(argc, argv))
		run_guest();
	parse_options(argc, argv, &options);
	return run_board(&options);
}
