/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON-RPC 2.0: one line in, at most one object out. Every member of a request is checked
 * against the table of methods before a handler sees it. Knows nothing of sockets.
 */
#ifndef DAEMON_RPC_H
#define DAEMON_RPC_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/control.h"
#include "daemon/registry.h"

#define RPC_MAX_DEPTH 16 /* brackets within brackets in one request */

struct rpc {
	struct registry *registry; /* that methods act on */
	/* Subscribe a client of rpc_serve(): as struct method_call. */
	void (*subscribe)(void *client, uint32_t types, const char *remote);
	uint8_t bytes[CONTROL_MAX_DATA]; /* of the parameter that is being decoded */
};

/**
 * rpc_serve() - serve one request
 * @rpc: target
 * @client: passed to rpc->subscribe
 * @line: request, without its newline
 * @size: bytes at @line
 *
 * A request that is refused changes nothing. One without id is a notification: it is served,
 * and answered only when it is no request at all.
 *
 * Return: new reference to the reply, or NULL when there is none.
 */
json_t *rpc_serve(struct rpc *rpc, void *client, const char *line, size_t size);

/**
 * rpc_error() - an error reply
 * @id: id of the request, or NULL when it is not known
 * @code: error code
 * @text: message; need not be UTF-8
 *
 * Return: new reference, or NULL without memory.
 */
json_t *rpc_error(json_t *id, int code, const char *text);

#endif /* DAEMON_RPC_H */
