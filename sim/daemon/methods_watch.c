/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods that look on: stats, events, captures. */
#include <errno.h>
#include <string.h>

#include "daemon/events.h"
#include "daemon/methods.h"
#include "daemon/stats.h"

enum { STATS_ENDPOINTS_FROM };

static int handle_stats(struct method_call *call)
{
	uint32_t from = (uint32_t)call->args[STATS_ENDPOINTS_FROM].number;

	return method_answer(call, stats_json(call->instance, from));
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
	call->subscribe(call->subscribe_ctx, types,
			call->remote_given ? call->instance->name : NULL);
	return method_answer(call, json_pack("{s:b, s:o}", "subscribed", types != 0, "seq",
					     events_number(call->registry->events.seq)));
}

const struct method method_stats = {
	.name = "stats",
	.help = "state and counters: connection, queues, endpoints, violations",
	.handle = handle_stats,
	.params = {[STATS_ENDPOINTS_FROM] = {"endpoints_from", PARAM_NUMBER, 0, UINT32_MAX, false,
					     "list endpoints from this address on, at most 4096 of "
					     "them; absent: from 0",
					     NULL}},
};

const struct method method_events = {
	.name = "events",
	.help = "be told on this connection what happens, to one remote or to all; an empty list "
		"ends it",
	.handle = handle_events,
	.params =
		{
			[EVENTS_TYPES] = {"types", PARAM_STRINGS, 0, EVENT_TYPE_COUNT, false,
					  "types of event; absent: all", NULL},
		},
};

/* ---- captures --------------------------------------------------------------------------- */

enum { CAPTURE_FILE };

static int handle_capture_start(struct method_call *call)
{
	struct recorder *recorder = &call->registry->recorder;
	const char *path = call->args[CAPTURE_FILE].string;
	int ret = recorder_start(recorder, path);

	if (ret == -EBUSY)
		return method_refuse(call, ret, "a capture into %s is running: stop it first",
				     recorder->path);
	if (ret == -EEXIST)
		return method_refuse(call, ret, "params.file: %s is there and no regular file",
				     path);
	if (ret)
		return method_refuse(call, ret, "params.file: cannot write %s: %s", path,
				     strerror(-ret));
	return method_answer(call, json_pack("{s:o}", "file", events_text(path)));
}

const struct method method_capture_start = {
	.name = "capture_start",
	.help = "write every message of all remotes into a file, for Wireshark and tshark",
	.handle = handle_capture_start,
	.global = true,
	.params =
		{
			[CAPTURE_FILE] = {"file", PARAM_STRING, 1, RECORDER_MAX_PATH, true,
					  "path, as the simulator sees it; replaced when it exists",
					  NULL},
		},
};

static int handle_capture_stop(struct method_call *call)
{
	struct recorder *recorder = &call->registry->recorder;
	uint64_t packets = 0;
	int ret = recorder_stop(recorder, &packets);

	if (ret == -ENOENT)
		return method_refuse(call, ret, "no capture is running");
	if (ret)
		return method_refuse(call, ret, "not everything could be written into %s",
				     recorder->path);
	return method_answer(call, json_pack("{s:o, s:o}", "file", events_text(recorder->path),
					     "packets", events_number(packets)));
}

const struct method method_capture_stop = {
	.name = "capture_stop",
	.help = "finish the capture that is running",
	.handle = handle_capture_stop,
	.global = true,
};
