/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection to the control socket: JSON-RPC 2.0, one object a line. Every wait has an end:
 * a deadline, or a descriptor that interrupts it.
 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_NO_DEADLINE (-1)
#define CLIENT_MAX_LINE (32UL * 1024 * 1024) /* of the daemon */

struct client {
	const char *path;
	int fd;
	int wake_fd;	/* a wait returns -EINTR once it is readable; -1: none */
	int timeout_ms; /* for each answer */
	json_int_t id;
	char *buffer;
	size_t size, start, used; /* what was read and not handed out: from start to used */
	char error[1024];
};

/**
 * client_open() - connect
 * @client: result, to be given to client_close() in every case
 * @path: the daemon's control socket; has to stay
 * @timeout_ms: how long to wait for the connection and for each answer, in milliseconds
 *
 * Return: 0; negative errno with client->error set to one line with path, reason and remedy.
 */
int client_open(struct client *client, const char *path, int timeout_ms);

/**
 * client_close() - close the connection and release memory
 * @client: client
 */
void client_close(struct client *client);

/**
 * client_call() - send a request and wait for its reply
 * @client: client
 * @method: name of the method
 * @params: parameters, or NULL; a borrowed reference
 * @result: receives the result, a new reference
 *
 * Return: 0; 1 when the daemon refused, with its message in client->error; negative errno
 * with client->error set; -EINTR when client->wake_fd became readable.
 */
int client_call(struct client *client, const char *method, json_t *params, json_t **result);

/**
 * client_read() - wait for one line of the daemon
 * @client: client
 * @timeout_ms: milliseconds, or CLIENT_NO_DEADLINE
 * @line: receives the object, a new reference
 *
 * Return: 0; negative errno with client->error set, -ECONNRESET when the daemon has gone;
 * -EINTR when client->wake_fd became readable.
 */
int client_read(struct client *client, int timeout_ms, json_t **line);

/**
 * client_has_line() - would client_read() return without waiting?
 * @client: client
 *
 * Return: true when it would.
 */
bool client_has_line(const struct client *client);

/**
 * client_now_ms() - monotonic time
 *
 * Return: milliseconds.
 */
int64_t client_now_ms(void);

#endif /* CTL_CLIENT_H */
