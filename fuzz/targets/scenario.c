/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reader of scenario files on any bytes.
 *
 * Oracles: a scenario, or one line that names the file; a scenario lies within its limits, and
 * each of its steps can be checked again as the control socket would.
 */
#include <errno.h>
#include <string.h>

#include "common/oracle.h"
#include "common/target.h"
#include "daemon/rpc.h"
#include "daemon/scenario.h"

#define NAME "fuzz.yaml"

static void check_steps(const struct scenario *scenario)
{
	static struct rpc rpc;

	for (size_t i = 0; i < scenario->step_count; i++) {
		const struct scenario_step *step = &scenario->steps[i];
		struct method_call call = {0};

		ORACLE("step", step->method != NULL && step->instances > 0 && step->repeat > 0,
		       "step %zu does nothing", i);
		ORACLE("step-parameters", rpc_check(&rpc, &call, step->method, step->params) == 0,
		       "step %zu, %s: %s", i, step->method->name, call.text);
	}
}

static int run(const uint8_t *data, size_t size)
{
	struct scenario *scenario = NULL;
	struct scenario_error error = {0};
	int ret;

	/* Where keys of objects lie decides what is looked at first. */
	json_object_seed(1);
	ret = scenario_parse((const char *)data, size, NAME, &scenario, &error);
	if (ret != 0) {
		ORACLE("error", ret == -EINVAL && scenario == NULL, "%d", ret);
		ORACLE("error-text",
		       strncmp(error.text, NAME ":", strlen(NAME) + 1) == 0 &&
			       strchr(error.text, '\n') == NULL,
		       "\"%s\"", error.text);
		return 0;
	}
	ORACLE("limits",
	       scenario->script_count <= SCENARIO_SCRIPTS_MAX &&
		       scenario->expect_count <= SCENARIO_EXPECTS_MAX,
	       "%zu scripts, %zu expectations", scenario->script_count, scenario->expect_count);
	check_steps(scenario);
	scenario_free(scenario);
	return 0;
}

const struct fuzz_target fuzz_target = {
	.name = "scenario",
	.summary = "the reader of scenario files on any bytes",
	.run = run,
};
