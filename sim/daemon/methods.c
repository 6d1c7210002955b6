/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/methods.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/events.h"

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

int method_answer(struct method_call *call, json_t *result)
{
	call->result = result;
	return result ? 0 : method_fail(call, RPC_INTERNAL_ERROR, "out of memory");
}

/* ---- remotes ---------------------------------------------------------------------------- */

#define REMOTE_NAME_BYTES 31

const struct method_param *method_remote_param(void)
{
	static const struct method_param param = {
		.name = "remote",
		.type = PARAM_STRING,
		.min = 1,
		.max = REMOTE_NAME_BYTES,
		.help = "name of the remote; absent: the first",
	};

	return &param;
}

static json_t *remote_json(const struct instance *instance)
{
	const char *path = instance->listener.path;

	return json_pack("{s:s, s:o, s:b, s:b}", "name", instance->name, "socket_path",
			 path ? events_text(path) : json_null(), "connected",
			 instance_connected(instance), "driver_ok", instance->backend.driver_ok);
}

static int handle_remotes(struct method_call *call)
{
	json_t *remotes = json_array();

	for (struct instance *i = call->registry->first; i; i = i->next)
		json_array_append_new(remotes, remote_json(i));
	return method_answer(call, json_pack("{s:o}", "remotes", remotes));
}

static const struct method method_remotes = {
	.name = "remotes",
	.help = "the remotes of this process, and whether they are in use",
	.handle = handle_remotes,
	.global = true,
};

/* ---- help ------------------------------------------------------------------------------- */

static const char *type_name(enum param_type type)
{
	static const char *const names[] = {
		[PARAM_NUMBER] = "integer",    [PARAM_STRING] = "string",
		[PARAM_BYTES] = "hexadecimal", [PARAM_STRINGS] = "array of strings",
		[PARAM_BOOL] = "boolean",
	};

	return names[type];
}

/* "a|b|c" as an array. */
static json_t *choices_json(const char *choices)
{
	json_t *array = json_array();

	for (size_t length; *choices; choices += length + (choices[length] == '|')) {
		length = strcspn(choices, "|");
		json_array_append_new(array, json_stringn(choices, length));
	}
	return array;
}

static json_t *help_param(const struct method_param *param)
{
	json_t *json = json_pack("{s:s, s:s, s:b, s:o, s:o, s:s}", "name", param->name, "type",
				 type_name(param->type), "required", param->required, "min",
				 events_number(param->min), "max", events_number(param->max),
				 "help", param->help);

	if (param->choices)
		json_object_set_new(json, "choices", choices_json(param->choices));
	return json;
}

static json_t *help_params(const struct method *method)
{
	json_t *params = json_array();

	for (const struct method_param *param = method->params; param->name; param++)
		json_array_append_new(params, help_param(param));
	if (!method->global)
		json_array_append_new(params, help_param(method_remote_param()));
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
	return method_answer(call, json_pack("{s:o, s:o}", "methods", methods, "events", types));
}

static const struct method method_help = {
	.name = "help",
	.help = "this list of methods, with their parameters, and of event types",
	.handle = handle_help,
	.global = true,
};

/* ---- the table -------------------------------------------------------------------------- */

static const struct method *const methods[] = {
	/* services and messages */
	&method_announce,
	&method_withdraw,
	&method_endpoint_create,
	&method_endpoint_destroy,
	&method_send,
	/* buffers */
	&method_hold,
	&method_release,
	&method_pace,
	/* misbehaviour and dialect */
	&method_fault_set,
	&method_fault_clear,
	&method_faults,
	&method_check,
	&method_config,
	&method_configure,
	/* life */
	&method_reset,
	&method_crash,
	&method_config_change,
	&method_needs_reset,
	/* looking on */
	&method_stats,
	&method_events,
	&method_capture_start,
	&method_capture_stop,
	&method_remotes,
	&method_help,
};

const struct method *method_at(unsigned int index)
{
	return index < sizeof(methods) / sizeof(methods[0]) ? methods[index] : NULL;
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
