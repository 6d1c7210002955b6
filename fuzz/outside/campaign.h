/* SPDX-License-Identifier: BSD-2-Clause */
/* One back-end that is attacked until the time is over: what a job of rpmsg-fuzz remote does. */
#ifndef FUZZ_OUTSIDE_CAMPAIGN_H
#define FUZZ_OUTSIDE_CAMPAIGN_H

#include <signal.h>
#include <stdint.h>

#include "outside/options.h"

/* Exit statuses. */
#define STATUS_NOTHING 0
#define STATUS_FOUND 1
#define STATUS_USAGE 2

/* Figures of a job, which others may read meanwhile. */
struct campaign_figures {
	uint64_t runs, starts;
	uint64_t times;	   /* that trouble was met */
	uint64_t findings; /* that were new */
	uint64_t inputs, seen, reached;
	int counted; /* the back-end counts what it executes */
};

/* Set by a signal handler: end soon. */
extern volatile sig_atomic_t campaign_stop;

/**
 * campaign_run() - attack until time, runs or patience are over
 * @options: options
 * @job: number of this one; others make other inputs
 * @figures: kept up to date
 *
 * Findings are printed on standard output, what prevents the campaign on standard error.
 *
 * Return: an exit status.
 */
int campaign_run(const struct options *options, unsigned int job, struct campaign_figures *figures);

/**
 * campaign_replay() - run the inputs of --replay, each on a back-end that is started for it
 * @options: options
 *
 * Return: an exit status.
 */
int campaign_replay(const struct options *options);

#endif /* FUZZ_OUTSIDE_CAMPAIGN_H */
