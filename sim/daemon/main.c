/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpmsg-sim: a simulated remote processor as a vhost-user back-end.
 *
 * Order of the start: options; what only prints, and out; logging; signals; remote and its
 * services; sockets; readiness; serving.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/options.h"
#include "daemon/print.h"
#include "daemon/scenario.h"

#define EXIT_USAGE 2

/* QEMU has to know the size of the configuration, and that may be the scenario's to say. */
static bool know_scenarios(struct options *options)
{
	for (size_t i = 0; i < options->remote_count; i++) {
		struct options_remote *remote = &options->remotes[i];
		struct scenario_error error;
		struct scenario *scenario;

		if (!remote->scenario)
			continue;
		if (scenario_read(remote->scenario, &scenario, &error)) {
			fprintf(stderr, "rpmsg-sim: %s\n", error.text);
			return false;
		}
		remote->config.profile = scenario->profile;
		remote->config.layout = scenario->layout;
		scenario_free(scenario);
	}
	return true;
}

static int act(struct options *options)
{
	int ret = 0;

	switch (options->action) {
	case OPTIONS_SERVE:
		log_threshold = options->log_level;
		return daemon_run(options);
	case OPTIONS_PRINT_CAPABILITIES:
		ret = print_capabilities(stdout);
		break;
	case OPTIONS_PRINT_QEMU_ARGS:
		if (!know_scenarios(options))
			return EXIT_USAGE;
		ret = print_qemu_args(stdout, stderr, options);
		break;
	case OPTIONS_LIST_FAULTS:
		ret = print_faults(stdout, options->json);
		break;
	case OPTIONS_LIST_PROFILES:
		ret = print_profiles(stdout, options->json);
		break;
	case OPTIONS_LIST_SCENARIO_KEYS:
		ret = print_scenario_keys(stdout, options->json);
		break;
	case OPTIONS_PRINT_HELP:
		options_print_help(stdout);
		break;
	case OPTIONS_PRINT_VERSION:
		printf("rpmsg-sim %s\n", TESTBENCH_VERSION);
		break;
	}
	if (ret || fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "rpmsg-sim: cannot print: %s\n",
			ret ? strerror(-ret) : "standard output takes no more");
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options options;
	char error[512];
	int status = EXIT_USAGE;

	if (options_parse(&options, argc, argv, error, sizeof(error)))
		fprintf(stderr, "rpmsg-sim: %s\n", error);
	else
		status = act(&options);
	options_free(&options);
	return status;
}
