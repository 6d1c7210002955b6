/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpmsg-fuzz remote: attacks a vhost-user back-end from outside.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "outside/campaign.h"
#include "outside/options.h"

static pid_t jobs[256];
static unsigned int job_count;

static void on_signal(int number)
{
	campaign_stop = 1;
	for (unsigned int i = 0; i < job_count; i++)
		kill(jobs[i], SIGTERM);
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void summary(const struct options *options, const struct campaign_figures *figures,
		    double seconds)
{
	struct campaign_figures sum = {0};

	for (unsigned int i = 0; i < options->jobs; i++) {
		sum.runs += figures[i].runs;
		sum.starts += figures[i].starts;
		sum.times += figures[i].times;
		sum.findings += figures[i].findings;
		sum.counted += figures[i].counted;
		/* Jobs see much the same. */
		if (figures[i].inputs > sum.inputs)
			sum.inputs = figures[i].inputs;
		if (figures[i].seen > sum.seen)
			sum.seen = figures[i].seen;
		if (figures[i].reached > sum.reached)
			sum.reached = figures[i].reached;
	}
	printf("%llu inputs in %.1f s, %.0f a second; %llu starts; corpus of %llu\n",
	       (unsigned long long)sum.runs, seconds, (double)sum.runs / seconds,
	       (unsigned long long)sum.starts, (unsigned long long)sum.inputs);
	if (sum.counted != 0)
		printf("coverage: %llu counters reached\n", (unsigned long long)sum.reached);
	else
		printf("no coverage (fuzz/outside/README.md): guided by what it answers, %llu "
		       "different things\n",
		       (unsigned long long)sum.seen);
	printf("%llu new findings in %s; trouble %llu times\n", (unsigned long long)sum.findings,
	       options->findings, (unsigned long long)sum.times);
}

static int run_jobs(const struct options *options, struct campaign_figures *figures)
{
	int status = STATUS_NOTHING, how;
	pid_t parent = getpid();

	for (unsigned int i = 0; i < options->jobs; i++) {
		pid_t child = fork();

		if (child == 0) {
			job_count = 0;
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			if (getppid() != parent)
				_exit(STATUS_USAGE);
			how = campaign_run(options, i, &figures[i]);
			fflush(stdout);
			_exit(how);
		}
		if (child < 0) {
			perror("rpmsg-fuzz remote: cannot start a job");
			on_signal(SIGTERM);
			status = STATUS_USAGE;
			break;
		}
		jobs[job_count++] = child;
	}
	for (unsigned int i = 0; i < job_count; i++) {
		while (waitpid(jobs[i], &how, 0) < 0)
			;
		/* What one has found counts, whatever became of the others. */
		how = WIFEXITED(how) ? WEXITSTATUS(how) : STATUS_USAGE;
		if (status == STATUS_NOTHING || how == STATUS_FOUND)
			status = how;
	}
	job_count = 0;
	return status;
}

static int fuzz(struct options *options)
{
	struct campaign_figures *figures;
	double start;
	int status;

	if (!options->seed_set)
		(void)!getrandom(&options->seed, sizeof(uint32_t), 0);
	figures = mmap(NULL, sizeof(*figures) * options->jobs, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (figures == MAP_FAILED) {
		perror("rpmsg-fuzz remote: no memory");
		return STATUS_USAGE;
	}
	printf("seed %llu\n", (unsigned long long)options->seed);
	fflush(stdout);
	start = now();
	status = options->jobs > 1 ? run_jobs(options, figures) : campaign_run(options, 0, figures);
	if (status != STATUS_USAGE)
		summary(options, figures, now() - start);
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	char error[512];

	if (options_parse(&options, argc, argv, error, sizeof(error)) < 0) {
		fprintf(stderr, "rpmsg-fuzz remote: %s\n", error);
		return STATUS_USAGE;
	}
	if (options.help) {
		options_print_help();
		return 0;
	}
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	catch_signals();
	return options.replay_count != 0 ? campaign_replay(&options) : fuzz(&options);
}
