/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods about the life of a remote: reset, crash, and what it tells the driver of it. */
#include <errno.h>
#include <string.h>

#include "daemon/methods.h"
#include "remote/fault.h"

#define DOWN_MAX_MS 3600000

static int need_driver(struct method_call *call)
{
	return call->instance->backend.driver_ok
		       ? 0
		       : method_refuse(call, -ENOTCONN,
				       "no host is attached: its driver is not ready");
}

/* A fault of the life cycle that fires at once when a host is attached, and once. */
static int fire_once(struct method_call *call, enum fault fault)
{
	const struct fault_setting once = {.mode = FAULT_MODE_COUNT, .count = 1};
	int ret;

	if (need_driver(call))
		return -1;
	ret = remote_fault_set(call->instance->remote, fault, &once);
	if (ret)
		return method_refuse(call, ret, "%s", strerror(-ret));
	instance_schedule(call->instance);
	return method_answer(call, json_object());
}

static int handle_reset(struct method_call *call)
{
	return fire_once(call, FAULT_LIFE_REBOOT);
}

const struct method method_reset = {
	.name = "reset",
	.acts = true,
	.help = "the remote starts again and announces its services anew, as life-reboot does",
	.handle = handle_reset,
};

static int handle_config_change(struct method_call *call)
{
	return fire_once(call, FAULT_LIFE_CONFIG_CHANGE);
}

const struct method method_config_change = {
	.name = "config_change",
	.acts = true,
	.help = "the configuration changes and the driver is told, as life-config-change does",
	.handle = handle_config_change,
};

static int handle_needs_reset(struct method_call *call)
{
	return fire_once(call, FAULT_LIFE_NEEDS_RESET);
}

const struct method method_needs_reset = {
	.name = "needs_reset",
	.acts = true,
	.help = "NEEDS_RESET is set and the driver is told, as life-needs-reset does",
	.handle = handle_needs_reset,
};

enum { CRASH_DOWN };

static int handle_crash(struct method_call *call)
{
	if (!instance_connected(call->instance))
		return method_refuse(call, -ENOTCONN, "no front-end is connected");
	instance_crash(call->instance, call->args[CRASH_DOWN].number);
	return method_answer(call, json_object());
}

const struct method method_crash = {
	.name = "crash",
	.acts = true,
	.help = "end the connection with the front-end at once, buffers and all",
	.handle = handle_crash,
	.params = {[CRASH_DOWN] = {"down_ms", PARAM_NUMBER, 0, DOWN_MAX_MS, false,
				   "milliseconds before the next front-end is served", NULL}},
};
