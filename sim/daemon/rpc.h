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
#include "daemon/methods.h"
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
 * rpc_check() - check parameters as far as that goes without a remote
 * @rpc: lends its memory: parameters in hexadecimal are valid until the next check
 * @call: zero bytes; its args are set, or else its code and text
 * @method: method
 * @params: object with the parameters, or NULL
 *
 * Return: 0, or -1; the text begins with "params.NAME: " when it is about one of them.
 */
int rpc_check(struct rpc *rpc, struct method_call *call, const struct method *method,
	      json_t *params);

/**
 * rpc_call() - call a method
 * @rpc: as for rpc_check()
 * @call: with its registry set, and the instance that is meant when @params names none (NULL:
 *	the first); then as the method's handler leaves it
 * @method: method
 * @params: object with the parameters, or NULL
 *
 * Return: 0 with call->result set, or -1 with its code and text.
 */
int rpc_call(struct rpc *rpc, struct method_call *call, const struct method *method,
	     json_t *params);

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
