/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods about the flow of buffers: hold, release, pace. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/methods.h"
#include "daemon/words.h"
#include "remote/pacing.h"

#define NS_PER_US UINT64_C(1000)
#define MAX_DELAY_US (PACE_MAX_DELAY / NS_PER_US)

#define QUEUE_PARAM                                                                                \
	{"queue", PARAM_NUMBER,                                                                    \
	 0,	  RPMSG_NUM_QUEUES - 1,                                                            \
	 true,	  "0: remote to host, 1: host to remote",                                          \
	 NULL}

/* ---- hold, release ---------------------------------------------------------------------- */

enum { HOLD_QUEUE, HOLD_COUNT, HOLD_EVERY };

static int set_pace(struct method_call *call, unsigned int queue, const struct pace *pace)
{
	int ret = remote_pace(call->instance->remote, queue, pace);

	if (ret == -ERANGE)
		return method_fail(call, RPC_INVALID_PARAMS,
				   "params.batch: no queue has so many buffers");
	if (ret)
		return method_refuse(call, ret, "cannot pace queue %u: %s", queue, strerror(-ret));
	instance_schedule(call->instance);
	return 0;
}

static int check_hold(struct method_call *call)
{
	if (call->args[HOLD_COUNT].given && call->args[HOLD_EVERY].given)
		return method_fail(call, RPC_INVALID_PARAMS,
				   "params.every: excludes params.count: give one");
	return 0;
}

static int handle_hold(struct method_call *call)
{
	unsigned int queue = (unsigned int)call->args[HOLD_QUEUE].number;
	const struct method_arg *count = &call->args[HOLD_COUNT], *every = &call->args[HOLD_EVERY];
	struct pace pace = *remote_get_pace(call->instance->remote, queue);
	int ret = 0;

	pace.every = (uint32_t)every->number;
	if (every->given && set_pace(call, queue, &pace))
		return -1;
	if (!every->given)
		ret = remote_hold(call->instance->remote, queue, (uint32_t)count->number);
	if (ret)
		return method_refuse(call, ret, "cannot hold queue %u: %s", queue, strerror(-ret));
	return method_answer(call, json_pack("{s:i, s:b}", "queue", queue, "holding", true));
}

const struct method method_hold = {
	.name = "hold",
	.acts = true,
	.help = "queue 1: keep the host's buffers; queue 0: send nothing, or keep what was written",
	.check = check_hold,
	.handle = handle_hold,
	.params =
		{
			[HOLD_QUEUE] = QUEUE_PARAM,
			[HOLD_COUNT] = {"count", PARAM_NUMBER, 1, UINT32_MAX, false,
					"only the next so many buffers", NULL},
			[HOLD_EVERY] = {"every", PARAM_NUMBER, 0, UINT32_MAX, false,
					"each such buffer from now on; 0: none any more", NULL},
		},
};

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

const struct method method_release = {
	.name = "release",
	.acts = true,
	.help = "return held buffers, oldest first; without count all, and hold no more",
	.handle = handle_release,
	.params =
		{
			[HOLD_QUEUE] = QUEUE_PARAM,
			[HOLD_COUNT] = {"count", PARAM_NUMBER, 1, UINT32_MAX, false, "how many",
					NULL},
		},
};

/* ---- pace ------------------------------------------------------------------------------- */

enum {
	PACE_QUEUE,
	PACE_EVERY,
	PACE_ORDER,
	PACE_DELAY,
	PACE_INTERRUPT,
	PACE_INTERRUPT_DELAY,
	PACE_BATCH
};

static int handle_pace(struct method_call *call)
{
	const struct method_arg *args = call->args;
	unsigned int queue = (unsigned int)args[PACE_QUEUE].number;
	struct pace pace = {
		.every = (uint32_t)args[PACE_EVERY].number,
		.batch = (uint32_t)args[PACE_BATCH].number,
		.delay = args[PACE_DELAY].number * NS_PER_US,
		.interrupt_delay = args[PACE_INTERRUPT_DELAY].number * NS_PER_US,
	};

	/* Both were checked against their choices. */
	if (args[PACE_ORDER].given)
		words_pace_order(args[PACE_ORDER].string, &pace.order);
	if (args[PACE_INTERRUPT].given)
		words_pace_interrupt(args[PACE_INTERRUPT].string, &pace.interrupt);
	if (set_pace(call, queue, &pace))
		return -1;
	return method_answer(
		call, json_pack("{s:i, s:I, s:s, s:I, s:s, s:I, s:I}", "queue", (int)queue, "every",
				(json_int_t)pace.every, "order", pace_order_name(pace.order),
				"delay_us", (json_int_t)(pace.delay / NS_PER_US), "interrupt",
				pace_interrupt_name(pace.interrupt), "interrupt_delay_us",
				(json_int_t)(pace.interrupt_delay / NS_PER_US), "batch",
				(json_int_t)pace.batch));
}

const struct method method_pace = {
	.name = "pace",
	.acts = true,
	.help = "when buffers of a queue go back, and when the host is interrupted; what is absent "
		"is not paced",
	.handle = handle_pace,
	.params =
		{
			[PACE_QUEUE] = QUEUE_PARAM,
			[PACE_EVERY] = {"every", PARAM_NUMBER, 0, UINT32_MAX, false,
					"hold each such buffer until it is released", NULL},
			[PACE_ORDER] = {"order", PARAM_STRING, 1, 16, false,
					"of buffers that go back together; absent: in",
					"in|reversed|shuffled"},
			[PACE_DELAY] = {"delay_us", PARAM_NUMBER, 0, MAX_DELAY_US, false,
					"microseconds that each buffer goes back late", NULL},
			[PACE_INTERRUPT] = {"interrupt", PARAM_STRING, 1, 16, false,
					    "when the host is interrupted; absent: normal",
					    "normal|never|late|spurious"},
			[PACE_INTERRUPT_DELAY] = {"interrupt_delay_us", PARAM_NUMBER, 0,
						  MAX_DELAY_US, false,
						  "microseconds: how late; how often spurious ones "
						  "come; how long a rest of a batch waits",
						  NULL},
			[PACE_BATCH] = {"batch", PARAM_NUMBER, 0, UINT32_MAX, false,
					"buffers for one interrupt", NULL},
		},
};
