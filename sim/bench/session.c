/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions one after the other: connect, negotiate, DRIVER_OK, stop, close. */
#include "bench/bench.h"

#include <errno.h>
#include <stdio.h>

#include "host/host.h"

int bench_reconnect(const struct bench_options *options, struct bench_result *result)
{
	const struct host_options host_options = {.queue_size = options->ring, .timeout_ms = 5000};
	static const struct host_ops host_ops;
	static struct host host;
	uint64_t start = bench_now();
	int ret = options->socket_path == NULL ? -EDESTADDRREQ : 0;

	bench_pin(options->cpus[0]);
	while (ret == 0 && (options->count != 0 ? result->units < options->count
						: bench_now() - start < options->duration)) {
		ret = host_open(&host, options->socket_path, &host_options, &host_ops, NULL);
		if (ret == 0)
			ret = host_start(&host);
		if (ret == 0)
			ret = host_stop(&host);
		if (ret != 0)
			fprintf(stderr, "rpmsg-bench: %s\n", host_error(&host));
		host_close(&host);
		result->units++;
	}
	result->total = bench_now() - start;
	return ret;
}
