/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/methods.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/control.h"
#include "daemon/events.h"
#include "daemon/kinds.h"
#include "daemon/stats.h"

int method_fail(struct method_call *call, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(call->text, sizeof(call->text), format, args);
	va_end(args);
	call->code = code;
	return -1;
}

int method_refuse(struct method_call *call, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(call->text, sizeof(call->text), format, args);
	va_end(args);
	call->code = RPC_REFUSED;
	call->errno_name = strerrorname_np(-error);
	return -1;
}

/* A handler's last line: jansson gives NULL when there was no memory. */
static int answer(struct method_call *call, json_t *result)
{
	call->result = result;
	return result ? 0 : method_fail(call, RPC_INTERNAL_ERROR, "out of memory");
}

/* ---- announce, withdraw ----------------------------------------------------------------- */

enum { ANNOUNCE_NAME, ANNOUNCE_KIND, ANNOUNCE_ADDR };

struct search {
	uint32_t addr;
	bool announced;
};

static int find_announced(void *ctx, const struct remote_endpoint_info *info)
{
	struct search *search = ctx;

	if (info->addr != search->addr)
		return 0;
	search->announced = info->announced;
	return 1;
}

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
	struct search search = {0};
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
	search.addr = addr;
	remote_endpoints(call->instance->remote, find_announced, &search);
	return answer(call, json_pack("{s:s, s:I, s:b}", "name", name, "addr", (json_int_t)addr,
				      "announced", search.announced));
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
	return answer(call, json_pack("{s:s, s:I}", "name", name, "addr", (json_int_t)addr));
}

/* ---- send, hold, release ---------------------------------------------------------------- */

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
	return answer(call, json_pack("{s:b}", "queued", ret == 1));
}

enum { HOLD_QUEUE, HOLD_COUNT };

static int handle_hold(struct method_call *call)
{
	unsigned int queue = (unsigned int)call->args[HOLD_QUEUE].number;
	const struct method_arg *count = &call->args[HOLD_COUNT];
	int ret;

	if (count->given && queue == RPMSG_QUEUE_INPUT)
		return method_fail(call, RPC_INVALID_PARAMS,
				   "params.count: queue 0 can only be held as a whole");
	ret = remote_hold(call->instance->remote, queue, (uint32_t)count->number);
	if (ret)
		return method_refuse(call, ret, "cannot hold queue %u: %s", queue, strerror(-ret));
	return answer(call, json_pack("{s:i, s:b}", "queue", queue, "holding", true));
}

static int handle_release(struct method_call *call)
{
	unsigned int queue = (unsigned int)call->args[HOLD_QUEUE].number;
	int64_t released = remote_release(call->instance->remote, queue,
					  (uint32_t)call->args[HOLD_COUNT].number);

	if (released < 0)
		return method_refuse(call, (int)released, "cannot release queue %u: %s", queue,
				     strerror((int)-released));
	instance_schedule(call->instance);
	return answer(call, json_pack("{s:I}", "released", (json_int_t)released));
}

/* ---- stats, events, help ---------------------------------------------------------------- */

static int handle_stats(struct method_call *call)
{
	return answer(call, stats_json(call->instance));
}

static uint32_t event_bit(const char *name)
{
	for (enum event_type type = 0; type < EVENT_TYPE_COUNT; type++) {
		if (strcmp(event_type_name(type), name) == 0)
			return EVENT_BIT(type);
	}
	return 0;
}

enum { EVENTS_TYPES };

static int handle_events(struct method_call *call)
{
	const struct method_arg *arg = &call->args[EVENTS_TYPES];
	uint32_t types = arg->given ? 0 : EVENT_ALL;
	size_t index;
	json_t *name;

	json_array_foreach(arg->strings, index, name)
	{
		uint32_t bit = event_bit(json_string_value(name));

		if (!bit)
			return method_fail(call, RPC_INVALID_PARAMS,
					   "params.types[%zu]: there is no event type \"%s\"",
					   index, json_string_value(name));
		types |= bit;
	}
	call->subscribe(call->subscribe_ctx, types);
	return answer(call, json_pack("{s:b, s:o}", "subscribed", types != 0, "seq",
				      events_number(call->instance->events->seq)));
}

static const char *type_name(enum param_type type)
{
	static const char *const names[] = {
		[PARAM_NUMBER] = "integer",
		[PARAM_STRING] = "string",
		[PARAM_BYTES] = "hexadecimal",
		[PARAM_STRINGS] = "array of strings",
	};

	return names[type];
}

static json_t *help_params(const struct method *method)
{
	json_t *params = json_array();

	for (const struct method_param *param = method->params; param->name; param++)
		json_array_append_new(
			params, json_pack("{s:s, s:s, s:b, s:o, s:o, s:s}", "name", param->name,
					  "type", type_name(param->type), "required",
					  param->required, "min", events_number(param->min), "max",
					  events_number(param->max), "help", param->help));
	return params;
}

static int handle_help(struct method_call *call)
{
	json_t *methods = json_array(), *types = json_array();
	const struct method *method;

	for (unsigned int i = 0; (method = method_at(i)); i++)
		json_array_append_new(methods,
				      json_pack("{s:s, s:s, s:o}", "name", method->name, "help",
						method->help, "params", help_params(method)));
	for (enum event_type type = 0; type < EVENT_TYPE_COUNT; type++)
		json_array_append_new(types, json_string(event_type_name(type)));
	return answer(call, json_pack("{s:o, s:o}", "methods", methods, "events", types));
}

/* ---- the table -------------------------------------------------------------------------- */

#define ADDRESS_MAX (RPMSG_ADDR_ANY - 1)
#define NAME_MAX_BYTES (RPMSG_NAME_SIZE - 1)

static const struct method methods[] = {
	{
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
	},
	{
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
	},
	{
		.name = "send",
		.help = "send one message to the host, whatever its fields say",
		.handle = handle_send,
		.params =
			{
				[SEND_SRC] = {"src", PARAM_NUMBER, 0, UINT32_MAX, true,
					      "source address"},
				[SEND_DST] = {"dst", PARAM_NUMBER, 0, UINT32_MAX, true,
					      "destination address"},
				[SEND_DATA] = {"data", PARAM_BYTES, 0, CONTROL_MAX_DATA, true,
					       "payload"},
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
	},
	{
		.name = "hold",
		.help = "queue 1: keep the host's buffers; queue 0: send nothing",
		.handle = handle_hold,
		.params =
			{
				[HOLD_QUEUE] = {"queue", PARAM_NUMBER, 0, RPMSG_NUM_QUEUES - 1,
						true, "0: remote to host, 1: host to remote"},
				[HOLD_COUNT] = {"count", PARAM_NUMBER, 1, UINT32_MAX, false,
						"only the next so many buffers; queue 1 only"},
			},
	},
	{
		.name = "release",
		.help = "return held buffers, oldest first; without count all, and hold no more",
		.handle = handle_release,
		.params =
			{
				[HOLD_QUEUE] = {"queue", PARAM_NUMBER, 0, RPMSG_NUM_QUEUES - 1,
						true, "0: remote to host, 1: host to remote"},
				[HOLD_COUNT] = {"count", PARAM_NUMBER, 1, UINT32_MAX, false,
						"how many"},
			},
	},
	{
		.name = "stats",
		.help = "state and counters: connection, queues, endpoints, violations",
		.handle = handle_stats,
	},
	{
		.name = "events",
		.help = "be told on this connection what happens; an empty list ends it",
		.handle = handle_events,
		.params =
			{
				[EVENTS_TYPES] = {"types", PARAM_STRINGS,
						  0, EVENT_TYPE_COUNT, false,
						  "types of event; absent: all"},
			},
	},
	{
		.name = "help",
		.help = "this list of methods, with their parameters, and of event types",
		.handle = handle_help,
	},
};

const struct method *method_at(unsigned int index)
{
	return index < sizeof(methods) / sizeof(methods[0]) ? &methods[index] : NULL;
}

const struct method *method_find(const char *name)
{
	const struct method *method;

	for (unsigned int i = 0; (method = method_at(i)); i++) {
		if (strcmp(method->name, name) == 0)
			return method;
	}
	return NULL;
}
