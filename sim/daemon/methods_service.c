/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods about services: announce, withdraw, send. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/control.h"
#include "daemon/kinds.h"
#include "daemon/methods.h"

#define ADDRESS_MAX (RPMSG_ADDR_ANY - 1)
#define NAME_MAX_BYTES (RPMSG_NAME_SIZE - 1)

/* ---- announce, withdraw ----------------------------------------------------------------- */

enum { ANNOUNCE_NAME, ANNOUNCE_KIND, ANNOUNCE_ADDR };

static int refuse_announce(struct method_call *call, int error, const char *name, uint32_t addr)
{
	switch (error) {
	case -EADDRINUSE:
		return method_refuse(call, error, "params.addr: %" PRIu32 " is bound already",
				     addr);
	case -ENOSPC:
		return method_refuse(call, error, "there are as many endpoints as there may be");
	case -EINVAL:
		return method_fail(call, RPC_INVALID_PARAMS,
				   "params.addr: %" PRIu32 " cannot be given to a service", addr);
	default:
		return method_refuse(call, error, "cannot announce %s: %s", name, strerror(-error));
	}
}

static int handle_announce(struct method_call *call)
{
	const char *name = call->args[ANNOUNCE_NAME].string;
	const struct method_arg *kind_arg = &call->args[ANNOUNCE_KIND];
	const struct method_arg *addr_arg = &call->args[ANNOUNCE_ADDR];
	const struct service_kind *kind =
		service_kind_find(kind_arg->given ? kind_arg->string : KINDS_DEFAULT);
	uint32_t addr = addr_arg->given ? (uint32_t)addr_arg->number : RPMSG_ADDR_ANY;
	struct remote_endpoint_info info;
	char kinds[256];
	int ret;

	if (!kind)
		return method_fail(call, RPC_INVALID_PARAMS,
				   "params.kind: there is no kind \"%s\"; kinds are %s",
				   kind_arg->string, kinds_list(kinds, sizeof(kinds)));
	ret = remote_announce(call->instance->remote, name, kind, NULL, &addr);
	if (ret)
		return refuse_announce(call, ret, name, addr);
	instance_schedule(call->instance);
	return method_answer(
		call,
		json_pack("{s:s, s:I, s:b}", "name", name, "addr", (json_int_t)addr, "announced",
			  remote_endpoint(call->instance->remote, addr, &info) && info.announced));
}

enum { WITHDRAW_NAME, WITHDRAW_ADDR };

static int handle_withdraw(struct method_call *call)
{
	const char *name = call->args[WITHDRAW_NAME].string;
	const struct method_arg *addr_arg = &call->args[WITHDRAW_ADDR];
	uint32_t addr = addr_arg->given ? (uint32_t)addr_arg->number : RPMSG_ADDR_ANY;
	int ret = remote_withdraw(call->instance->remote, name, &addr);

	if (ret == -ENOTUNIQ)
		return method_refuse(call, ret,
				     "params.addr: several services are named %s: say which", name);
	if (ret == -ENOENT && addr_arg->given)
		return method_refuse(call, ret, "no service named %s is at address %" PRIu32, name,
				     addr);
	if (ret == -ENOENT)
		return method_refuse(call, ret, "params.name: no service is named %s", name);
	if (ret)
		return method_refuse(call, ret, "cannot withdraw %s: %s", name, strerror(-ret));
	instance_schedule(call->instance);
	return method_answer(call, json_pack("{s:s, s:I}", "name", name, "addr", (json_int_t)addr));
}

const struct method method_announce = {
	.name = "announce",
	.help = "create a service and announce it; without a host, once there is one",
	.handle = handle_announce,
	.params =
		{
			[ANNOUNCE_NAME] = {"name", PARAM_STRING, 1, NAME_MAX_BYTES, true,
					   "name of the service"},
			[ANNOUNCE_KIND] = {"kind", PARAM_STRING, 1, 64, false,
					   "what it does; absent: " KINDS_DEFAULT},
			[ANNOUNCE_ADDR] = {"addr", PARAM_NUMBER, 0, ADDRESS_MAX, false,
					   "its address; absent: the lowest free one from "
					   "1024"},
		},
};

const struct method method_withdraw = {
	.name = "withdraw",
	.help = "take a service back and destroy its endpoint",
	.handle = handle_withdraw,
	.params =
		{
			[WITHDRAW_NAME] = {"name", PARAM_STRING, 1, NAME_MAX_BYTES, true,
					   "name of the service"},
			[WITHDRAW_ADDR] = {"addr", PARAM_NUMBER, 0, ADDRESS_MAX, false,
					   "its address, when several have the name"},
		},
};

/* ---- send ------------------------------------------------------------------------------- */

enum { SEND_SRC, SEND_DST, SEND_DATA, SEND_RESERVED, SEND_FLAGS, SEND_LEN, SEND_USED_LEN };

static int handle_send(struct method_call *call)
{
	const struct method_arg *args = call->args;
	struct remote_message message = {
		.hdr =
			{
				.src = (uint32_t)args[SEND_SRC].number,
				.dst = (uint32_t)args[SEND_DST].number,
				.reserved = (uint32_t)args[SEND_RESERVED].number,
				.flags = (uint16_t)args[SEND_FLAGS].number,
				.len = (uint16_t)(args[SEND_LEN].given ? args[SEND_LEN].number
								       : args[SEND_DATA].size),
			},
		.payload = args[SEND_DATA].bytes,
		.size = (uint32_t)args[SEND_DATA].size,
		.used_len_set = args[SEND_USED_LEN].given,
		.used_len = (uint32_t)args[SEND_USED_LEN].number,
	};
	int ret = remote_send(call->instance->remote, &message);

	if (ret == -ENOTCONN)
		return method_refuse(call, ret, "no host is attached: its driver is not ready");
	if (ret == -ENOBUFS)
		return method_refuse(call, ret,
				     "too many messages wait for a buffer of the host already");
	if (ret < 0)
		return method_refuse(call, ret, "cannot send: %s", strerror(-ret));
	instance_schedule(call->instance);
	return method_answer(call, json_pack("{s:b}", "queued", ret == 1));
}

const struct method method_send = {
	.name = "send",
	.help = "send one message to the host, whatever its fields say",
	.handle = handle_send,
	.params =
		{
			[SEND_SRC] = {"src", PARAM_NUMBER, 0, UINT32_MAX, true, "source address"},
			[SEND_DST] = {"dst", PARAM_NUMBER, 0, UINT32_MAX, true,
				      "destination address"},
			[SEND_DATA] = {"data", PARAM_BYTES, 0, CONTROL_MAX_DATA, true, "payload"},
			[SEND_RESERVED] = {"reserved", PARAM_NUMBER, 0, UINT32_MAX, false,
					   "header field; absent: 0"},
			[SEND_FLAGS] = {"flags", PARAM_NUMBER, 0, UINT16_MAX, false,
					"header field; absent: 0"},
			[SEND_LEN] = {"len", PARAM_NUMBER, 0, UINT16_MAX, false,
				      "header field; absent: the size of data"},
			[SEND_USED_LEN] = {"used_len", PARAM_NUMBER, 0, UINT32_MAX, false,
					   "length in the used ring; absent: header and "
					   "data"},
		},
};
