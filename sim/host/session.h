/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all commands share: the connection, the channel that they talk to, signals, reports.
 */
#ifndef HOST_SESSION_H
#define HOST_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/host.h"
#include "host/launch.h"
#include "host/options.h"

/* Exit statuses. */
#define STATUS_OK 0
#define STATUS_FAILED 1
#define STATUS_USAGE 2
#define STATUS_UNREACHABLE 3

#define SESSION_NAME_TEXT (4 * RPMSG_NAME_SIZE + 1)

struct session {
	const struct options *options;
	struct host host;
	struct host_ops ops;
	struct launch launch;
	void *state; /* of the command */
	uint32_t target;
	char target_name[SESSION_NAME_TEXT]; /* as to be printed */
	uint64_t last_ns;		     /* when a channel was announced or withdrawn last */
	int status;			     /* exit status so far */
};

/**
 * session_open() - start the back-end if asked, connect, up to DRIVER_OK
 * @session: zeroed but for options, ops.unbound and ops.channel
 *
 * Return: 0; otherwise an exit status, the reason is printed. session_close() in either case.
 */
int session_open(struct session *session);

/**
 * session_close() - stop the rings, end the back-end
 * @session: session
 *
 * Return: exit status of the program.
 */
int session_close(struct session *session);

/**
 * session_find_target() - wait until the channel of the command line is known
 * @session: open session
 *
 * Return: 0 with target and target_name set; -1 with the reason printed.
 */
int session_find_target(struct session *session);

/**
 * session_find_channel() - the same for any channel
 * @session: open session
 * @name: name or address
 *
 * Return: as session_find_target().
 */
int session_find_channel(struct session *session, const char *name);

/**
 * session_reopen() - a new connection in place of the one that there is, up to DRIVER_OK
 * @session: opened session, its connection good or bad
 *
 * Tries for as long as --timeout says: the back-end may be starting anew. Endpoints are those of
 * a new host, none; what the remote did wrong before stays counted.
 *
 * Return: 0; otherwise negative errno, with the reason in host_error().
 */
int session_reopen(struct session *session);

/**
 * session_stopped() - is it time to end: a signal came, or standard output takes no more
 * @session: session
 *
 * Return: true when it is.
 */
bool session_stopped(const struct session *session);

/**
 * session_turn() - host_turn(), and host_wait() when there was nothing
 * @session: session
 * @deadline: host_now() time, or HOST_NO_DEADLINE
 *
 * Return: 1: something came, or may have; 0: the deadline passed or session_stopped(); -1: the
 * session is over, the reason is printed.
 */
int session_turn(struct session *session, uint64_t deadline);

/**
 * session_fail() - print what went wrong and have the program end with status 1
 * @session: session
 * @format: as for printf, one line without a full stop
 */
__attribute__((format(printf, 2, 3))) void session_fail(struct session *session, const char *format,
							...);

/**
 * session_print() - print one JSON object and give it up
 * @object: object, NULL when there was no memory
 */
void session_print(json_t *object);

/**
 * session_summary() - the object that ends a command's output
 * @session: session
 *
 * Return: object with type, command, target and what the remote did wrong; add to it and
 * session_print() it.
 */
json_t *session_summary(const struct session *session);

/**
 * session_print_findings() - what the remote did wrong, one line each, for people
 * @session: session
 */
void session_print_findings(const struct session *session);

/**
 * session_name() - a name that may hold any byte, for terminal and JSON
 * @text: SESSION_NAME_TEXT bytes, set: printable ASCII, all else as \xNN
 * @name: terminated, at most RPMSG_NAME_SIZE bytes
 *
 * Return: @text.
 */
const char *session_name(char *text, const char *name);

/* The commands; each returns when it is done or session_stopped(). */
void command_services(struct session *session);
void command_ping(struct session *session);
void command_send(struct session *session);
void command_listen(struct session *session);
void command_bench(struct session *session);
void command_soak(struct session *session);

/* What listen shows, from the beginning on; ctx is the session. */
void listen_message(void *ctx, const struct host_message *message);
void listen_channel(void *ctx, const char *name, uint32_t addr, bool announced);

#endif /* HOST_SESSION_H */
