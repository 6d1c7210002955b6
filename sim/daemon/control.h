/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: JSON-RPC 2.0, one object a line, any number of clients up to a limit.
 *
 * No client can hold anything up: all together have so much time in a turn of the loop, each gets
 * a few lines served before it is another's turn, and one whose unread output grows too long is
 * disconnected.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "daemon/events.h"
#include "daemon/listener.h"
#include "remote/list.h"

#define CONTROL_MAX_LINE 65536	       /* bytes of a request, newline not counted */
#define CONTROL_MAX_DATA 32000	       /* bytes of a hexadecimal parameter: fits a line */
#define CONTROL_MAX_OUTPUT (16U << 20) /* bytes that a client may leave unread */
#define CONTROL_MAX_CLIENTS 64	       /* further ones wait in the backlog */
#define CONTROL_LINE_BUDGET 16	       /* requests of one client before it is another's turn */
#define CONTROL_TURN_NS 1000000	       /* for requests of all clients in one turn of the loop */

struct rpc;
struct control_client;

struct control {
	uv_loop_t *loop;
	struct events_listener events;
	struct rpc *rpc;
	struct listener listener;
	struct control_client *clients; /* list */
	unsigned int client_count;
	uint64_t clients_ever;	  /* numbers them, for log lines */
	struct list_node waiting; /* clients with lines left to serve */
	uv_idle_t turn;		  /* active when a request was served in this turn of the loop */
	uint64_t turn_ends;	  /* time from which on none is, while turn is active */
	bool handles_open;
};

/**
 * control_init() - a control socket that does not listen yet
 * @control: control
 * @events: delivered to subscribers
 * @rpc: serves requests; its subscribe callback is taken
 */
void control_init(struct control *control, struct events *events, struct rpc *rpc);

/**
 * control_start() - begin to serve
 * @control: control whose listener has a socket
 * @loop: event loop
 *
 * Return: 0 or negative errno.
 */
int control_start(struct control *control, uv_loop_t *loop);

/**
 * control_stop() - disconnect all clients, stop listening, remove the socket file
 * @control: control; its memory has to stay until the loop has closed all handles
 */
void control_stop(struct control *control);

#endif /* DAEMON_CONTROL_H */
