/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A scenario that goes on: its steps are done when their triggers fire, and what happens to the
 * remote is counted against its expectations.
 *
 * A trigger stops the remote between two messages: while a step waits for an event, the remote
 * handles one message in a turn, and what the step does comes before the next one. The same
 * input so gives the same output, however fast it comes.
 */
#ifndef DAEMON_SCENARIO_RUN_H
#define DAEMON_SCENARIO_RUN_H

#include <uv.h>

#include "daemon/instance.h"
#include "daemon/scenario.h"

struct scenario_run;

/**
 * scenario_run_begin() - make an instance what the file says, and listen to what happens to it
 * @run: set on success, for scenario_run_free(); the instance refers to it
 * @scenario: kept by reference
 * @instance: of a registry, not started
 * @seed_given: the seed of the instance wins over that of the file
 * @check_given: the same for check
 * @error: set when the return value is -EINVAL
 *
 * What the file wants at once is done here: -EINVAL when the remote refuses it.
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int scenario_run_begin(struct scenario_run **run, const struct scenario *scenario,
		       struct instance *instance, bool seed_given, bool check_given,
		       struct scenario_error *error);

/**
 * scenario_run_start() - time begins
 * @run: run
 * @loop: event loop
 * @ended: called once, from the loop, when the scenario has come to its end
 * @ctx: passed to @ended
 */
void scenario_run_start(struct scenario_run *run, uv_loop_t *loop, void (*ended)(void *ctx),
			void *ctx);

/**
 * scenario_run_settle() - do what triggers ask for; for the instance, while the remote rests
 * @run: run
 */
void scenario_run_settle(struct scenario_run *run);

/**
 * scenario_run_budget() - how many messages the remote may handle before it rests
 * @run: run
 *
 * Return: messages, or 0 when the scenario does not care.
 */
unsigned int scenario_run_budget(const struct scenario_run *run);

/**
 * scenario_run_stop() - judge, if that was not done, and log what did not hold
 * @run: run; its memory has to stay until the loop has closed all handles
 */
void scenario_run_stop(struct scenario_run *run);

/**
 * scenario_run_failed() - how did it end?
 * @run: stopped run
 *
 * Return: true when something did not hold.
 */
bool scenario_run_failed(const struct scenario_run *run);

/**
 * scenario_run_free() - free
 * @run: stopped run, its handles closed, or NULL
 */
void scenario_run_free(struct scenario_run *run);

#endif /* DAEMON_SCENARIO_RUN_H */
