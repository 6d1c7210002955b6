/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods about how a remote behaves: faults, checks, configuration. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/events.h"
#include "daemon/methods.h"
#include "daemon/words.h"
#include "remote/fault.h"
#include "remote/profile.h"

#define WORD_MAX 64
#define WORDS_SIZE 512

/* ---- faults ----------------------------------------------------------------------------- */

static const char *mode_name(enum fault_mode mode)
{
	static const char *const names[] = {
		[FAULT_MODE_OFF] = "off",
		[FAULT_MODE_ALWAYS] = "always",
		[FAULT_MODE_COUNT] = "count",
	};

	return names[mode];
}

static json_t *fault_json(const struct instance *instance, enum fault fault)
{
	const struct fault_info *info = fault_at(fault);
	struct fault_status status = {0};
	json_t *json;

	remote_fault_status(instance->remote, fault, &status);
	json = json_pack("{s:s, s:s, s:o, s:s, s:s}", "name", info->name, "mode",
			 mode_name(status.mode), "fired", events_number(status.fired),
			 "requirement", info->requirement, "text", info->text);
	if (status.mode == FAULT_MODE_COUNT)
		json_object_set_new(json, "left", events_number(status.left));
	if (status.mode != FAULT_MODE_OFF && status.after)
		json_object_set_new(json, "after", events_number(status.after));
	if (info->argument[0]) {
		json_object_set_new(json, "argument", json_string(info->argument));
		json_object_set_new(json, "arg", json_integer(status.argument));
	}
	return json;
}

static int find_fault(struct method_call *call, const char *name, enum fault *fault)
{
	if (fault_find(name, fault) == 0)
		return 0;
	return method_fail(call, RPC_INVALID_PARAMS,
			   "params.name: there is no fault \"%s\": --list-faults has them", name);
}

enum { FAULT_NAME, FAULT_MODE, FAULT_COUNT_ARG, FAULT_ARG, FAULT_AFTER };

/* What the parameters ask for; "once" and no mode with a count mean what they say. */
static int read_setting(struct method_call *call, struct fault_setting *setting)
{
	const struct method_arg *args = call->args, *count = &args[FAULT_COUNT_ARG];
	const char *mode = args[FAULT_MODE].given ? args[FAULT_MODE].string
			   : count->given	  ? "count"
						  : "always";

	*setting = (struct fault_setting){
		.mode = strcmp(mode, "always") == 0 ? FAULT_MODE_ALWAYS : FAULT_MODE_COUNT,
		.count = strcmp(mode, "once") == 0 ? 1 : count->number,
		.after = args[FAULT_AFTER].number,
		.argument_set = args[FAULT_ARG].given,
		.argument = (uint32_t)args[FAULT_ARG].number,
	};
	if (strcmp(mode, "count") == 0 && !count->given)
		return method_fail(call, RPC_INVALID_PARAMS,
				   "params.count: is missing: mode \"count\" needs it");
	if (strcmp(mode, "count") != 0 && count->given)
		return method_fail(call, RPC_INVALID_PARAMS,
				   "params.count: goes with mode \"count\" only");
	return 0;
}

static int check_fault_set(struct method_call *call)
{
	const struct method_arg *arg = &call->args[FAULT_ARG];
	struct fault_setting setting;
	const struct fault_info *info;
	enum fault fault;

	if (find_fault(call, call->args[FAULT_NAME].string, &fault) || read_setting(call, &setting))
		return -1;
	info = fault_at(fault);
	if (arg->given && !info->argument[0])
		return method_fail(call, RPC_INVALID_PARAMS, "params.arg: %s takes no argument",
				   info->name);
	if (arg->given && arg->number > info->max_argument)
		return method_fail(call, RPC_INVALID_PARAMS,
				   "params.arg: has to be an integer from 0 to %" PRIu32 " (%s)",
				   info->max_argument, info->argument);
	return 0;
}

static int handle_fault_set(struct method_call *call)
{
	struct fault_setting setting;
	enum fault fault;
	int ret;

	if (find_fault(call, call->args[FAULT_NAME].string, &fault) || read_setting(call, &setting))
		return -1;
	ret = remote_fault_set(call->instance->remote, fault, &setting);
	if (ret)
		return method_refuse(call, ret, "cannot set %s: %s", fault_at(fault)->name,
				     strerror(-ret));
	instance_schedule(call->instance);
	return method_answer(call, fault_json(call->instance, fault));
}

const struct method method_fault_set = {
	.name = "fault_set",
	.acts = true,
	.help = "misbehave from now on, in one way; --list-faults tells what each means",
	.check = check_fault_set,
	.handle = handle_fault_set,
	.params =
		{
			[FAULT_NAME] = {"name", PARAM_STRING, 1, WORD_MAX, true, "of the fault",
					NULL},
			[FAULT_MODE] = {"mode", PARAM_STRING, 1, 16, false,
					"how often; absent: count if one is given, else always",
					"always|once|count"},
			[FAULT_COUNT_ARG] = {"count", PARAM_NUMBER, 1, UINT32_MAX, false,
					     "how many times", NULL},
			[FAULT_ARG] = {"arg", PARAM_NUMBER, 0, UINT32_MAX, false,
				       "argument, where the fault takes one", NULL},
			[FAULT_AFTER] = {"after", PARAM_NUMBER, 0, UINT32_MAX, false,
					 "passes of its place that go by first", NULL},
		},
};

static int check_fault_clear(struct method_call *call)
{
	enum fault fault;

	return call->args[FAULT_NAME].given
		       ? find_fault(call, call->args[FAULT_NAME].string, &fault)
		       : 0;
}

static int handle_fault_clear(struct method_call *call)
{
	const struct fault_setting off = {.mode = FAULT_MODE_OFF};
	enum fault fault;

	if (!call->args[FAULT_NAME].given) {
		remote_fault_clear(call->instance->remote);
	} else {
		fault_find(call->args[FAULT_NAME].string, &fault); /* it is there: checked */
		remote_fault_set(call->instance->remote, fault, &off);
	}
	instance_schedule(call->instance);
	return method_answer(call, json_object());
}

const struct method method_fault_clear = {
	.name = "fault_clear",
	.acts = true,
	.help = "behave again, in one respect or in all",
	.check = check_fault_clear,
	.handle = handle_fault_clear,
	.params = {[FAULT_NAME] = {"name", PARAM_STRING, 1, WORD_MAX, false,
				   "of the fault; absent: all", NULL}},
};

static int handle_faults(struct method_call *call)
{
	json_t *faults = json_array();

	for (enum fault fault = 0; fault < FAULT_COUNT; fault++)
		json_array_append_new(faults, fault_json(call->instance, fault));
	return method_answer(call, json_pack("{s:o}", "faults", faults));
}

const struct method method_faults = {
	.name = "faults",
	.help = "every fault: how it is set, how often it fired, what it breaks",
	.handle = handle_faults,
};

/* ---- checks ----------------------------------------------------------------------------- */

enum { CHECK_LEVEL };

static int handle_check(struct method_call *call)
{
	struct instance *instance = call->instance;

	words_check(call->args[CHECK_LEVEL].string, &instance->config.check);
	remote_check_host(instance->remote, instance->config.check);
	return method_answer(call,
			     json_pack("{s:s}", "level", words_check_name(instance->config.check)));
}

const struct method method_check = {
	.name = "check",
	.acts = true,
	.help = "judge what the host does from now on, or do not; as --check",
	.handle = handle_check,
	.params = {[CHECK_LEVEL] = {"level", PARAM_STRING, 1, 16, true, "how",
				    "off|report|strict"}},
};

/* ---- configuration ---------------------------------------------------------------------- */

static json_t *config_json(const struct instance *instance)
{
	const struct remote_config *config = &instance->config;
	const struct profile *profile = config->profile ? config->profile : profile_at(0);
	const struct config_layout *layout = config->layout ? config->layout : profile->layout;
	const struct remote *remote = instance->remote;

	return json_pack("{s:s, s:o, s:o, s:I, s:I, s:o, s:s}", "profile", profile->name,
			 "features", events_number(remote_offered_features(remote)), "layout",
			 layout ? json_string(layout->name) : json_null(), "buffer_size_in",
			 (json_int_t)remote_buffer_size(remote, RPMSG_QUEUE_INPUT),
			 "buffer_size_out",
			 (json_int_t)remote_buffer_size(remote, RPMSG_QUEUE_OUTPUT), "seed",
			 events_number(config->seed), "check", words_check_name(config->check));
}

static int handle_config(struct method_call *call)
{
	return method_answer(call, config_json(call->instance));
}

const struct method method_config = {
	.name = "config",
	.help = "how the remote is configured: dialect, features, sizes, seed, check",
	.handle = handle_config,
};

enum {
	CONFIGURE_PROFILE,
	CONFIGURE_FEATURES,
	CONFIGURE_LAYOUT,
	CONFIGURE_SIZE_IN,
	CONFIGURE_SIZE_OUT,
	CONFIGURE_SEED
};

static int read_names(struct method_call *call, struct remote_config *config)
{
	const struct method_arg *args = call->args;
	char names[WORDS_SIZE];

	if (args[CONFIGURE_PROFILE].given) {
		config->profile = profile_find(args[CONFIGURE_PROFILE].string);
		config->layout = NULL;
		if (!config->profile)
			return method_fail(call, RPC_INVALID_PARAMS,
					   "params.profile: there is no profile \"%s\"; profiles "
					   "are %s",
					   args[CONFIGURE_PROFILE].string,
					   words_profiles(names, sizeof(names)));
	}
	if (args[CONFIGURE_LAYOUT].given) {
		config->layout = config_layout_find(args[CONFIGURE_LAYOUT].string);
		if (!config->layout)
			return method_fail(call, RPC_INVALID_PARAMS,
					   "params.layout: there is no layout \"%s\"; layouts are "
					   "%s",
					   args[CONFIGURE_LAYOUT].string,
					   words_layouts(names, sizeof(names)));
	}
	return 0;
}

/* They are counted from the profile, whose own are offered where nothing else is said. */
static int read_features(struct method_call *call, struct remote_config *config)
{
	const struct method_arg *arg = &call->args[CONFIGURE_FEATURES];
	struct words_features features = {0};
	char names[WORDS_SIZE];
	size_t index;
	json_t *word;

	json_array_foreach(arg->strings, index, word)
	{
		int ret = words_feature(&features, json_string_value(word));

		if (ret == -EOPNOTSUPP)
			return method_fail(call, RPC_INVALID_PARAMS,
					   "params.features[%zu]: \"%s\" cannot be offered by "
					   "choice",
					   index, json_string_value(word));
		if (ret)
			return method_fail(call, RPC_INVALID_PARAMS,
					   "params.features[%zu]: \"%s\" is not + or - and a bit "
					   "from 0 to 63, or one of %s",
					   index, json_string_value(word),
					   words_features(names, sizeof(names)));
	}
	if (arg->given || call->args[CONFIGURE_PROFILE].given)
		words_apply_features(&features, config);
	return 0;
}

static int check_configure(struct method_call *call)
{
	struct remote_config config = {0};

	return read_names(call, &config) || read_features(call, &config) ? -1 : 0;
}

static int handle_configure(struct method_call *call)
{
	const struct method_arg *args = call->args;
	struct remote_config config = call->instance->config;
	int ret;

	if (read_names(call, &config) || read_features(call, &config))
		return -1;
	if (args[CONFIGURE_SIZE_IN].given)
		config.buffer_size[RPMSG_QUEUE_INPUT] = (uint32_t)args[CONFIGURE_SIZE_IN].number;
	if (args[CONFIGURE_SIZE_OUT].given)
		config.buffer_size[RPMSG_QUEUE_OUTPUT] = (uint32_t)args[CONFIGURE_SIZE_OUT].number;
	if (args[CONFIGURE_SEED].given)
		config.seed = args[CONFIGURE_SEED].number;
	ret = instance_configure(call->instance, &config);
	if (ret == -EBUSY)
		return method_refuse(call, ret,
				     "a front-end is connected: what is offered cannot "
				     "change under it");
	if (ret)
		return method_refuse(call, ret, "cannot be configured like that: %s",
				     strerror(-ret));
	return method_answer(call, config_json(call->instance));
}

const struct method method_configure = {
	.name = "configure",
	.acts = true,
	.help = "another dialect for the next front-end; counters of the remote begin anew, and "
		"what is absent stays as it is",
	.check = check_configure,
	.handle = handle_configure,
	.params =
		{
			[CONFIGURE_PROFILE] = {"profile", PARAM_STRING, 1, WORD_MAX, false,
					       "dialect, with its features and layout", NULL},
			[CONFIGURE_FEATURES] = {"features", PARAM_STRINGS, 0, 64, false,
						"\"+NAME\", \"-NAME\": what differs from the "
						"profile",
						NULL},
			[CONFIGURE_LAYOUT] = {"layout", PARAM_STRING, 1, WORD_MAX, false,
					      "of the configuration space", NULL},
			[CONFIGURE_SIZE_IN] = {"buffer_size_in", PARAM_NUMBER, PROFILE_MIN_BUFFER,
					       PROFILE_MAX_BUFFER, false,
					       "bytes of a buffer, remote to host", NULL},
			[CONFIGURE_SIZE_OUT] = {"buffer_size_out", PARAM_NUMBER, PROFILE_MIN_BUFFER,
						PROFILE_MAX_BUFFER, false,
						"bytes of a buffer, host to remote", NULL},
			[CONFIGURE_SEED] = {"seed", PARAM_NUMBER, 0, INT64_MAX, false,
					    "of all that is random", NULL},
		},
};
