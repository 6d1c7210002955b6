/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpmsg-bench: one measurement in a process of its own, one line of JSON. scripts/bench runs it,
 * rpmsg-sim and rpmsg-host in turn; this program alone compares nothing.
 */
#include "bench/bench.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/vring.h"

#define EXIT_USAGE 2
#define NS_PER_SEC 1e9

static const struct bench_measurement measurements[] = {
	{"eventfd", "round trips over two eventfds, two processes", bench_eventfd},
	{"flag", "round trips over two polled words, two processes", bench_flag},
	{"ring", "slots of 512 bytes one way, two processes", bench_ring},
	{"memcpy", "copies of --size bytes", bench_memcpy},
	{"epoll", "wake-ups of an event loop that has nothing to do", bench_epoll},
	{"file", "records of --size bytes into --file, by the best way known", bench_file},
	{"bare", "echoes through two split rings without checks or dispatch", bench_bare},
	{"device", "echoes of the simulated remote, the device side alone", bench_device},
	{"sink", "messages into the simulated remote, the device side alone", bench_sink},
	{"reconnect", "sessions with the back-end at --socket-path, begin to end", bench_reconnect},
	{"announce", "channels announced by the simulated remote", bench_announce},
};

#define COUNT (sizeof(measurements) / sizeof(measurements[0]))

static int usage(FILE *out)
{
	fprintf(out, "usage: rpmsg-bench MEASUREMENT [OPTION]...\n\nmeasurements:\n");
	for (size_t i = 0; i < COUNT; i++)
		fprintf(out, "  %-10s %s\n", measurements[i].name, measurements[i].summary);
	fprintf(out, "\noptions:\n"
		     "  --seconds S    how long (default 0.2)\n"
		     "  --count N      so many units instead\n"
		     "  --size N       payload bytes (default 496)\n"
		     "  --batch N      messages shown at once (default 32)\n"
		     "  --ring N       entries of each ring (default 256)\n"
		     "  --endpoints N  that echo, addressed uniformly (default 1)\n"
		     "  --faults N     set that never fire (default 0)\n"
		     "  --no-check     judge nothing that the host does\n"
		     "  --socket-path PATH  where a back-end listens\n"
		     "  --file PATH    what is written, and removed in the end\n"
		     "  --cpus A,B     cores of the two processes (default: wherever)\n"
		     "  --help         print this text and exit\n");
	return out == stdout ? 0 : EXIT_USAGE;
}

static bool number(const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *value <= max;
}

static bool number32(const char *text, uint32_t max, uint32_t *value)
{
	uint64_t wide;

	if (!number(text, max, &wide))
		return false;
	*value = (uint32_t)wide;
	return *value != 0;
}

static bool seconds(const char *text, uint64_t *duration)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value > 0 && value < 86400))
		return false;
	*duration = (uint64_t)(value * NS_PER_SEC);
	return true;
}

static bool cpus(const char *text, int pair[2])
{
	char *end;

	pair[0] = (int)strtol(text, &end, 10);
	if (end == text || *end != ',')
		return false;
	text = end + 1;
	pair[1] = (int)strtol(text, &end, 10);
	return end != text && *end == '\0' && pair[0] >= 0 && pair[0] < 1024 && pair[1] >= 0 &&
	       pair[1] < 1024;
}

static bool take_option(struct bench_options *options, int option, const char *value)
{
	switch (option) {
	case 's':
		return seconds(value, &options->duration);
	case 'c':
		return number(value, UINT64_MAX, &options->count) && options->count != 0;
	case 'z':
		return number32(value, UINT16_MAX, &options->size);
	case 'b':
		return number32(value, VRING_MAX_SIZE, &options->batch);
	case 'r':
		return number32(value, VRING_MAX_SIZE, &options->ring) &&
		       vring_size_is_valid(options->ring);
	case 'e':
		return number32(value, UINT32_C(1) << 20, &options->endpoints);
	case 'f':
		return number32(value, 64, &options->faults);
	case 'n':
		options->check = false;
		return true;
	case 'S':
		options->socket_path = value;
		return true;
	case 'F':
		options->file_path = value;
		return true;
	case 'p':
		return cpus(value, options->cpus);
	default:
		return false;
	}
}

static const struct option long_options[] = {
	{"seconds", required_argument, NULL, 's'},
	{"count", required_argument, NULL, 'c'},
	{"size", required_argument, NULL, 'z'},
	{"batch", required_argument, NULL, 'b'},
	{"ring", required_argument, NULL, 'r'},
	{"endpoints", required_argument, NULL, 'e'},
	{"faults", required_argument, NULL, 'f'},
	{"no-check", no_argument, NULL, 'n'},
	{"cpus", required_argument, NULL, 'p'},
	{"socket-path", required_argument, NULL, 'S'},
	{"file", required_argument, NULL, 'F'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int run(const struct bench_measurement *measurement, const struct bench_options *options)
{
	struct bench_result result = {0};
	int ret = measurement->run(options, &result);

	if (ret != 0) {
		fprintf(stderr, "rpmsg-bench: %s: %s\n", measurement->name, strerror(-ret));
		return 1;
	}
	printf("{\"units\": %" PRIu64 ", \"ns\": %.3f, \"p50_ns\": %" PRIu64
	       ", \"p99_ns\": %" PRIu64 ", \"bytes\": %" PRIu64 "}\n",
	       result.units, (double)result.total / (double)result.units, result.p50, result.p99,
	       result.bytes);
	return 0;
}

int main(int argc, char **argv)
{
	struct bench_options options = {
		.duration = 200000000,
		.size = 496,
		.batch = 32,
		.ring = 256,
		.endpoints = 1,
		.check = true,
		.cpus = {-1, -1},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout);
		if (!take_option(&options, option, optarg)) {
			if (option != '?')
				fprintf(stderr, "rpmsg-bench: \"%s\" is no value of that option\n",
					optarg);
			return usage(stderr);
		}
	}
	for (size_t i = 0; optind == argc - 1 && i < COUNT; i++) {
		if (strcmp(measurements[i].name, argv[optind]) == 0)
			return run(&measurements[i], &options);
	}
	fprintf(stderr, "rpmsg-bench: give one of the measurements\n");
	return usage(stderr);
}
