/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods about services and messages. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/control.h"
#include "daemon/methods.h"
#include "daemon/words.h"
#include "remote/script.h"

#define ADDRESS_MAX (RPMSG_ADDR_ANY - 1)
#define NAME_MAX_BYTES (RPMSG_NAME_SIZE - 1)
#define MESSAGES_MAX INT64_MAX

/* ---- announce, endpoint_create ------------------------------------------------------------ */

/* The same for both but for what is required; quiet is the last. */
enum {
	SERVICE_NAME,
	SERVICE_KIND,
	SERVICE_ADDR,
	SERVICE_SIZE,
	SERVICE_RATE,
	SERVICE_MESSAGES,
	SERVICE_PEER,
	SERVICE_SCRIPT,
	SERVICE_QUIET
};

/* clang-format off */
#define SERVICE_PARAMS(name_required)                                                              \
	[SERVICE_NAME] = {"name", PARAM_STRING, 1, NAME_MAX_BYTES, name_required,                  \
			  "name of the service", NULL},                                            \
	[SERVICE_KIND] = {"kind", PARAM_STRING, 1, 64, false,                                      \
			  "what it does; absent: " WORDS_DEFAULT_KIND, NULL},                      \
	[SERVICE_ADDR] = {"addr", PARAM_NUMBER, 0, ADDRESS_MAX, false,                             \
			  "its address; absent: the kind's usual one, else the lowest free one",   \
			  NULL},                                                                   \
	[SERVICE_SIZE] = {"size", PARAM_NUMBER, 1, REMOTE_MAX_PAYLOAD, false,                      \
			  "of a source: bytes of a message; absent: 64", NULL},                    \
	[SERVICE_RATE] = {"rate", PARAM_NUMBER, 1, UINT32_MAX, false,                              \
			  "of a source: messages a second, 4294967295: as fast as buffers come; "  \
			  "absent: 100", NULL},                                                    \
	[SERVICE_MESSAGES] = {"messages", PARAM_NUMBER, 1, MESSAGES_MAX, false,                    \
			      "of a source: how many; absent: no end", NULL},                      \
	[SERVICE_PEER] = {"peer", PARAM_NUMBER, 0, ADDRESS_MAX, false,                             \
			  "address of the host that is known from the start, so that the service " \
			  "can speak first", NULL},                                                \
	[SERVICE_SCRIPT] = {"script", PARAM_STRING, 1, NAME_MAX_BYTES, false,                      \
			    "of a script: name of its rules in the scenario file", NULL}
/* clang-format on */

static int refuse_service(struct method_call *call, int error, const char *name, uint32_t addr)
{
	switch (error) {
	case -EADDRINUSE:
		return method_refuse(call, error, "params.addr: %" PRIu32 " is bound already",
				     addr);
	case -ENOSPC:
		return method_refuse(call, error, "there are as many endpoints as there may be");
	case -EINVAL:
		if (addr == RPMSG_ADDR_ANY)
			return method_fail(call, RPC_INVALID_PARAMS,
					   "params.size: %" PRIu64 " is not possible for the kind",
					   call->args[SERVICE_SIZE].number);
		return method_fail(call, RPC_INVALID_PARAMS,
				   "params.addr: %" PRIu32 " cannot be given to a service", addr);
	default:
		return method_refuse(call, error, "cannot make %s: %s", name, strerror(-error));
	}
}

static const struct service_kind *kind_of(const struct method_call *call)
{
	const struct method_arg *kind = &call->args[SERVICE_KIND];

	return service_kind_find(kind->given ? kind->string : WORDS_DEFAULT_KIND);
}

static int check_service(struct method_call *call)
{
	const struct method_arg *args = call->args;
	const struct service_kind *kind = kind_of(call);
	bool is_script = kind == service_kind_find(WORDS_SCRIPT_KIND);
	char kinds[512];

	if (!kind)
		return method_fail(call, RPC_INVALID_PARAMS,
				   "params.kind: there is no kind \"%s\"; kinds are %s",
				   args[SERVICE_KIND].string, words_kinds(kinds, sizeof(kinds)));
	if (is_script && !args[SERVICE_SCRIPT].given)
		return method_fail(call, RPC_INVALID_PARAMS,
				   "params.script: is missing: kind \"%s\" needs it", kind->name);
	if (!is_script && args[SERVICE_SCRIPT].given)
		return method_fail(call, RPC_INVALID_PARAMS,
				   "params.script: goes with kind \"" WORDS_SCRIPT_KIND "\" only");
	return 0;
}

static const struct script *find_script(const struct instance *instance, const char *name)
{
	for (size_t i = 0; i < instance->script_count; i++) {
		if (strcmp(instance->scripts[i].name, name) == 0)
			return &instance->scripts[i];
	}
	return NULL;
}

static int make_service(struct method_call *call, struct instance_service *service, uint32_t *addr)
{
	const struct method_arg *args = call->args;
	const char *script = args[SERVICE_SCRIPT].given ? args[SERVICE_SCRIPT].string : NULL;
	int ret;

	service->kind = kind_of(call);
	service->params.script = script ? find_script(call->instance, script) : NULL;
	if (script && !service->params.script)
		return method_fail(call, RPC_INVALID_PARAMS,
				   "params.script: no scenario of this remote has a script \"%s\"",
				   script);
	service->wanted =
		args[SERVICE_ADDR].given ? (uint32_t)args[SERVICE_ADDR].number : RPMSG_ADDR_ANY;
	service->params.size = (uint32_t)args[SERVICE_SIZE].number;
	service->params.rate = (uint32_t)args[SERVICE_RATE].number;
	service->params.messages = args[SERVICE_MESSAGES].number;
	service->params.peer_known = args[SERVICE_PEER].given;
	service->params.peer = (uint32_t)args[SERVICE_PEER].number;
	ret = instance_announce(call->instance, service, addr);
	return ret ? refuse_service(call, ret, service->name, service->wanted) : 0;
}

static int handle_announce(struct method_call *call)
{
	struct instance_service service = {.params.quiet = call->args[SERVICE_QUIET].number};
	struct remote_endpoint_info info;
	uint32_t addr = RPMSG_ADDR_ANY;

	snprintf(service.name, sizeof(service.name), "%s", call->args[SERVICE_NAME].string);
	if (make_service(call, &service, &addr))
		return -1;
	return method_answer(call, json_pack("{s:s, s:I, s:b}", "name", service.name, "addr",
					     (json_int_t)addr, "announced",
					     remote_endpoint(call->instance->remote, addr, &info) &&
						     info.announced));
}

const struct method method_announce = {
	.name = "announce",
	.acts = true,
	.help = "create a service and announce it; without a host, once there is one",
	.check = check_service,
	.handle = handle_announce,
	.params =
		{
			SERVICE_PARAMS(true),
			[SERVICE_QUIET] = {"quiet", PARAM_BOOL, 0, 1, false,
					   "create it, but do not announce it", NULL},
		},
};

static int handle_endpoint_create(struct method_call *call)
{
	struct instance_service service = {.params.quiet = true};
	uint32_t addr = RPMSG_ADDR_ANY;

	snprintf(service.name, sizeof(service.name), "%s",
		 call->args[SERVICE_NAME].given ? call->args[SERVICE_NAME].string : "endpoint");
	if (make_service(call, &service, &addr))
		return -1;
	return method_answer(
		call, json_pack("{s:s, s:I}", "name", service.name, "addr", (json_int_t)addr));
}

const struct method method_endpoint_create = {
	.name = "endpoint_create",
	.acts = true,
	.help = "create an endpoint with a service on it that is not announced",
	.check = check_service,
	.handle = handle_endpoint_create,
	.params = {SERVICE_PARAMS(false)},
};

/* ---- withdraw, endpoint_destroy ----------------------------------------------------------- */

enum { WITHDRAW_NAME, WITHDRAW_ADDR };

static int handle_withdraw(struct method_call *call)
{
	const char *name = call->args[WITHDRAW_NAME].string;
	const struct method_arg *addr_arg = &call->args[WITHDRAW_ADDR];
	uint32_t addr = addr_arg->given ? (uint32_t)addr_arg->number : RPMSG_ADDR_ANY;
	int ret = instance_withdraw(call->instance, name, &addr);

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
	return method_answer(call, json_pack("{s:s, s:I}", "name", name, "addr", (json_int_t)addr));
}

const struct method method_withdraw = {
	.name = "withdraw",
	.acts = true,
	.help = "take a service back and destroy its endpoint",
	.handle = handle_withdraw,
	.params =
		{
			[WITHDRAW_NAME] = {"name", PARAM_STRING, 1, NAME_MAX_BYTES, true,
					   "name of the service", NULL},
			[WITHDRAW_ADDR] = {"addr", PARAM_NUMBER, 0, ADDRESS_MAX, false,
					   "its address, when several have the name", NULL},
		},
};

enum { DESTROY_ADDR };

static int handle_endpoint_destroy(struct method_call *call)
{
	uint32_t addr = (uint32_t)call->args[DESTROY_ADDR].number;
	struct remote_endpoint_info info;
	char name[RPMSG_NAME_SIZE];
	int ret = -ENOENT;

	if (remote_endpoint(call->instance->remote, addr, &info)) {
		snprintf(name, sizeof(name), "%s", info.name);
		ret = instance_withdraw(call->instance, name, &addr);
	}
	if (ret)
		return method_refuse(call, ret, "params.addr: there is no endpoint at %" PRIu32,
				     addr);
	return method_answer(call, json_pack("{s:s, s:I}", "name", name, "addr", (json_int_t)addr));
}

const struct method method_endpoint_destroy = {
	.name = "endpoint_destroy",
	.acts = true,
	.help = "destroy the endpoint at an address; what was announced is withdrawn",
	.handle = handle_endpoint_destroy,
	.params = {[DESTROY_ADDR] = {"addr", PARAM_NUMBER, 0, ADDRESS_MAX, true, "its address",
				     NULL}},
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
	.acts = true,
	.help = "send one message to the host, whatever its fields say",
	.handle = handle_send,
	.params =
		{
			[SEND_SRC] = {"src", PARAM_NUMBER, 0, UINT32_MAX, true, "source address",
				      NULL},
			[SEND_DST] = {"dst", PARAM_NUMBER, 0, UINT32_MAX, true,
				      "destination address", NULL},
			[SEND_DATA] = {"data", PARAM_BYTES, 0, CONTROL_MAX_DATA, true, "payload",
				       NULL},
			[SEND_RESERVED] = {"reserved", PARAM_NUMBER, 0, UINT32_MAX, false,
					   "header field; absent: 0", NULL},
			[SEND_FLAGS] = {"flags", PARAM_NUMBER, 0, UINT16_MAX, false,
					"header field; absent: 0", NULL},
			[SEND_LEN] = {"len", PARAM_NUMBER, 0, UINT16_MAX, false,
				      "header field; absent: the size of data", NULL},
			[SEND_USED_LEN] = {"used_len", PARAM_NUMBER, 0, UINT32_MAX, false,
					   "length in the used ring; absent: header and "
					   "data",
					   NULL},
		},
};
