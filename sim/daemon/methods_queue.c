/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods about the flow of buffers: hold, release. */
#include <string.h>

#include "daemon/methods.h"

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
	return method_answer(call, json_pack("{s:i, s:b}", "queue", queue, "holding", true));
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
	return method_answer(call, json_pack("{s:I}", "released", (json_int_t)released));
}

const struct method method_hold = {
	.name = "hold",
	.help = "queue 1: keep the host's buffers; queue 0: send nothing",
	.handle = handle_hold,
	.params =
		{
			[HOLD_QUEUE] = {"queue", PARAM_NUMBER, 0, RPMSG_NUM_QUEUES - 1, true,
					"0: remote to host, 1: host to remote"},
			[HOLD_COUNT] = {"count", PARAM_NUMBER, 1, UINT32_MAX, false,
					"only the next so many buffers; queue 1 only"},
		},
};

const struct method method_release = {
	.name = "release",
	.help = "return held buffers, oldest first; without count all, and hold no more",
	.handle = handle_release,
	.params =
		{
			[HOLD_QUEUE] = {"queue", PARAM_NUMBER, 0, RPMSG_NUM_QUEUES - 1, true,
					"0: remote to host, 1: host to remote"},
			[HOLD_COUNT] = {"count", PARAM_NUMBER, 1, UINT32_MAX, false, "how many"},
		},
};
