/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/scenario_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/rpc.h"
#include "daemon/scenario_tally.h"

#define NS_PER_MS UINT64_C(1000000)
#define STEPS_IN_A_TURN 64

/* A step and its trigger. */
struct progress {
	uint64_t seen;	/* events towards the next time */
	uint64_t fired; /* times that the trigger fired */
	uint64_t due;	/* times that the step has to be done now */
	uint64_t at;	/* time in nanoseconds at which it is due; 0: none */
};

struct scenario_run {
	const struct scenario *scenario;
	struct instance *instance;
	struct events_listener listener;
	struct rpc rpc;
	struct progress *progress;	/* one a step */
	struct scenario_tally *tallies; /* one an expectation */
	uv_timer_t later, end;		/* the next step that has a time; the end of time */
	void (*ended)(void *ctx);
	void *ended_ctx;
	uint32_t sessions;   /* front-ends that have left */
	unsigned int failed; /* steps and expectations */
	bool handles_open, settling, ending, judged, overdue;
};

/* ---- doing ------------------------------------------------------------------------------ */

static int call_once(struct scenario_run *run, const struct scenario_step *step, json_t *params,
		     struct scenario_error *error)
{
	struct method_call call = {.registry = run->instance->registry, .instance = run->instance};
	int ret = rpc_call(&run->rpc, &call, step->method, params);

	json_decref(call.result);
	return ret ? scenario_call_failed(run->scenario, step, &call, error) : 0;
}

/* One call, or for several instances of a service as many, each with its own address. */
static int do_step(struct scenario_run *run, const struct scenario_step *step,
		   struct scenario_error *error)
{
	json_int_t addr = json_integer_value(json_object_get(step->params, "addr"));
	json_t *params;
	int ret = 0;

	if (step->instances == 1)
		return call_once(run, step, step->params, error);
	params = json_copy(step->params);
	if (!params)
		return -ENOMEM;
	for (uint32_t i = 0; ret == 0 && i < step->instances; i++) {
		if (json_object_get(params, "addr"))
			json_object_set_new(params, "addr", json_integer(addr + i));
		ret = call_once(run, step, params, error);
	}
	json_decref(params);
	return ret;
}

static void do_triggered(struct scenario_run *run, const struct scenario_step *step)
{
	struct scenario_error error = {0};

	log_debug("%s: scenario: %s", run->instance->name, step->method->name);
	if (do_step(run, step, &error) == 0)
		return;
	run->failed++;
	log_error("%s", error.text[0] ? error.text : "out of memory");
}

/* ---- triggers --------------------------------------------------------------------------- */

static void arm_later(struct scenario_run *run);

static void fire(struct scenario_run *run, size_t index)
{
	const struct scenario_step *step = &run->scenario->steps[index];
	struct progress *progress = &run->progress[index];

	progress->fired++;
	if (!step->when.later || step->when.delay_ms == 0) {
		progress->due++;
		instance_schedule(run->instance);
		return;
	}
	/* One that fires again while its time runs is done once more when that is over. */
	if (!progress->at)
		progress->at = uv_hrtime() + step->when.delay_ms * NS_PER_MS;
	arm_later(run);
}

static void on_later(uv_timer_t *timer)
{
	struct scenario_run *run = timer->data;
	uint64_t now = uv_hrtime();

	for (size_t i = 0; i < run->scenario->step_count; i++) {
		struct progress *progress = &run->progress[i];

		if (!progress->at || progress->at > now)
			continue;
		progress->at = 0;
		progress->due++;
	}
	instance_schedule(run->instance);
	arm_later(run);
}

static void arm_later(struct scenario_run *run)
{
	uint64_t first = UINT64_MAX, now = uv_hrtime();

	for (size_t i = 0; i < run->scenario->step_count; i++) {
		if (run->progress[i].at && run->progress[i].at < first)
			first = run->progress[i].at;
	}
	if (!run->handles_open || first == UINT64_MAX)
		return;
	uv_update_time(run->later.loop);
	uv_timer_start(&run->later, on_later,
		       first > now ? (first - now + NS_PER_MS - 1) / NS_PER_MS : 0, 0);
}

static bool waits(const struct scenario_run *run, size_t index)
{
	const struct scenario_step *step = &run->scenario->steps[index];

	return step->when.on_event && run->progress[index].fired < step->repeat;
}

static void trigger_steps(struct scenario_run *run, enum event_type type, const json_t *params)
{
	for (size_t i = 0; i < run->scenario->step_count; i++) {
		const struct scenario_trigger *when = &run->scenario->steps[i].when;
		struct progress *progress = &run->progress[i];

		if (!waits(run, i) || !scenario_matches(&when->event, type, params) ||
		    ++progress->seen < when->count)
			continue;
		progress->seen = 0;
		fire(run, i);
	}
}

unsigned int scenario_run_budget(const struct scenario_run *run)
{
	for (size_t i = 0; i < run->scenario->step_count; i++) {
		if (waits(run, i))
			return 1;
	}
	return 0;
}

/* ---- the end ---------------------------------------------------------------------------- */

static void judge(struct scenario_run *run)
{
	const struct scenario *scenario = run->scenario;
	struct scenario_error error;
	char seen[768];

	if (run->judged)
		return;
	run->judged = true;
	if (run->overdue) {
		run->failed++;
		scenario_fail(&error, &scenario->text, scenario->end_node, NULL,
			      "the scenario did not end within %" PRIu64 " ms",
			      scenario->deadline_ms);
		log_error("%s", error.text);
	}
	for (size_t i = 0; i < scenario->expect_count; i++) {
		const struct scenario_expect *expect = &scenario->expects[i];

		if (scenario_tally_holds(&run->tallies[i], expect, run->instance, seen,
					 sizeof(seen)))
			continue;
		run->failed++;
		scenario_fail(&error, &scenario->text, expect->node, NULL, "%s", seen);
		log_error("%s", error.text);
	}
	if (!run->failed)
		log_info("%s: all %zu expectations hold", scenario->name, scenario->expect_count);
}

static void on_end(uv_timer_t *timer)
{
	struct scenario_run *run = timer->data;

	judge(run);
	run->ended(run->ended_ctx);
}

/* Not from here: whoever tells us what happened is in the middle of it. */
static void end_soon(struct scenario_run *run)
{
	if (run->ending || !run->handles_open)
		return;
	run->ending = true;
	uv_timer_start(&run->end, on_end, 0, 0);
}

static void on_time(uv_timer_t *timer)
{
	struct scenario_run *run = timer->data;

	run->overdue = run->scenario->end != SCENARIO_END_TIME;
	on_end(timer);
}

static bool all_hold(const struct scenario_run *run)
{
	for (size_t i = 0; i < run->scenario->expect_count; i++) {
		if (!scenario_tally_holds(&run->tallies[i], &run->scenario->expects[i],
					  run->instance, NULL, 0))
			return false;
	}
	return true;
}

/* ---- what happens ----------------------------------------------------------------------- */

static void on_event(void *ctx, enum event_type type, const char *remote, json_t *notification)
{
	struct scenario_run *run = ctx;
	const json_t *params = json_object_get(notification, "params");

	if (remote != run->instance->name || run->judged)
		return;
	for (size_t i = 0; i < run->scenario->expect_count; i++)
		scenario_tally_event(&run->tallies[i], &run->scenario->expects[i], type, params);
	trigger_steps(run, type, params);
	if (type == EVENT_DISCONNECTED && ++run->sessions == run->scenario->sessions &&
	    run->scenario->end == SCENARIO_END_DISCONNECT)
		end_soon(run);
}

void scenario_run_settle(struct scenario_run *run)
{
	unsigned int left = STEPS_IN_A_TURN;

	/* What a step does may run the remote, and so come here again. */
	if (run->settling || run->judged)
		return;
	run->settling = true;
	for (size_t i = 0; i < run->scenario->step_count; i++) {
		while (run->progress[i].due && left) {
			run->progress[i].due--;
			left--;
			do_triggered(run, &run->scenario->steps[i]);
		}
	}
	run->settling = false;
	if (!left)
		instance_schedule(run->instance);
	if (run->scenario->end == SCENARIO_END_EXPECTATIONS && !run->ending && all_hold(run))
		end_soon(run);
}

/* ---- life ------------------------------------------------------------------------------- */

static uint32_t wanted_types(const struct scenario *scenario)
{
	uint32_t types = EVENT_BIT(EVENT_DISCONNECTED);

	for (size_t i = 0; i < scenario->step_count; i++) {
		if (scenario->steps[i].when.on_event)
			types |= EVENT_BIT(scenario->steps[i].when.event.type);
	}
	for (size_t i = 0; i < scenario->expect_count; i++)
		types |= scenario_tally_types(&scenario->expects[i]);
	return types;
}

static bool is_at_start(const struct scenario_step *step)
{
	return !step->when.on_event && !step->when.later;
}

/* The command line knows better. */
static int do_start_step(struct scenario_run *run, const struct scenario_step *step,
			 bool seed_given, bool check_given, struct scenario_error *error)
{
	bool configures = step->node == 0 && strcmp(step->method->name, "configure") == 0;
	bool checks = step->node == 0 && strcmp(step->method->name, "check") == 0;

	if (checks && check_given)
		return 0;
	if (configures && seed_given)
		json_object_del(step->params, "seed");
	return do_step(run, step, error);
}

int scenario_run_begin(struct scenario_run **run, const struct scenario *scenario,
		       struct instance *instance, bool seed_given, bool check_given,
		       struct scenario_error *error)
{
	struct scenario_run *made = calloc(1, sizeof(*made));
	int ret = 0;

	if (!made)
		return -ENOMEM;
	made->scenario = scenario;
	made->instance = instance;
	made->rpc.registry = instance->registry;
	made->progress = calloc(scenario->step_count + 1, sizeof(*made->progress));
	made->tallies = calloc(scenario->expect_count + 1, sizeof(*made->tallies));
	if (!made->progress || !made->tallies)
		ret = -ENOMEM;
	instance->scripts = scenario->scripts;
	instance->script_count = scenario->script_count;
	for (size_t i = 0; ret == 0 && i < scenario->step_count; i++) {
		if (is_at_start(&scenario->steps[i]))
			ret = do_start_step(made, &scenario->steps[i], seed_given, check_given,
					    error);
	}
	if (ret) {
		scenario_run_free(made);
		return ret;
	}
	instance->scenario = made;
	made->listener = (struct events_listener){
		.wanted = wanted_types(scenario), .deliver = on_event, .ctx = made};
	events_listen(&instance->registry->events, &made->listener);
	*run = made;
	return 0;
}

void scenario_run_start(struct scenario_run *run, uv_loop_t *loop, void (*ended)(void *ctx),
			void *ctx)
{
	const struct scenario *scenario = run->scenario;
	const char *description = json_string_value(json_object_get(scenario->root, "description"));
	uint64_t now = uv_hrtime();

	run->ended = ended;
	run->ended_ctx = ctx;
	uv_timer_init(loop, &run->later);
	uv_timer_init(loop, &run->end);
	run->later.data = run;
	run->end.data = run;
	run->handles_open = true;
	log_info("%s: scenario %s%s%s", run->instance->name, scenario->name,
		 description ? ": " : "", description ? description : "");
	for (size_t i = 0; i < scenario->step_count; i++) {
		const struct scenario_trigger *when = &scenario->steps[i].when;

		if (!when->on_event && when->later)
			run->progress[i].at = now + when->delay_ms * NS_PER_MS + 1;
	}
	arm_later(run);
	uv_timer_start(&run->end, on_time,
		       scenario->end == SCENARIO_END_TIME ? scenario->end_after_ms
							  : scenario->deadline_ms,
		       0);
}

void scenario_run_stop(struct scenario_run *run)
{
	if (run->handles_open) {
		judge(run);
		uv_close((uv_handle_t *)&run->later, NULL);
		uv_close((uv_handle_t *)&run->end, NULL);
	}
	run->handles_open = false;
	run->judged = true;
}

bool scenario_run_failed(const struct scenario_run *run)
{
	return run->failed != 0;
}

void scenario_run_free(struct scenario_run *run)
{
	if (!run)
		return;
	for (size_t i = 0; run->tallies && i < run->scenario->expect_count; i++)
		scenario_tally_free(&run->tallies[i]);
	free(run->tallies);
	free(run->progress);
	free(run);
}
