/* SPDX-License-Identifier: BSD-2-Clause */
/* The same configuration, clock and input give the same bytes, events and calls. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/remote_host.h"

#define ROUNDS 4000

static struct remote_host host;

/* A long mixed scenario; what the remote told and sent, byte for byte. */
static void play(uint32_t seed, uint8_t **log, size_t *size)
{
	const struct host_options options = {.config = {.seed = 1}, .log = true};
	const uint32_t dst[] = {1024, 1025, 1026, RPMSG_ADDR_NS, 5, 1027, RPMSG_ADDR_ANY, 1028};
	const char *const kinds[] = {"echo", "sink", "source", "client-sample"};
	static struct host_message message;
	uint32_t random = seed;

	host_setup(&host, &options);
	for (int i = 0; i < 8; i++)
		host_service(&host, i < 4 ? "one" : "two", kinds[i % 4], RPMSG_ADDR_ANY);
	host_attach(&host, HOST_FEATURES);
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t bytes[RPMSG_BUF_SIZE];
		uint32_t addr = RPMSG_ADDR_ANY;
		uint32_t pick;

		random = random * 1664525 + 1013904223;
		pick = random >> 24;
		host.now += random >> 10;
		if (pick < 4) {
			host_detach(&host);
			host_attach(&host, HOST_FEATURES);
		} else if (pick < 8) {
			remote_hold(host.remote, pick & 1, 0);
		} else if (pick < 24) {
			remote_release(host.remote, pick & 1, pick & 2);
		} else if (pick < 32) {
			remote_announce(host.remote, "new", service_kind_find(kinds[pick & 3]),
					NULL, &addr);
		} else if (pick < 40) {
			remote_withdraw(host.remote, "new", &addr);
		} else if (host.free_count[RPMSG_QUEUE_OUTPUT] != 0) {
			memset(bytes, pick, sizeof(bytes));
			host_header(&host, bytes, random >> 16 & 7, dst[random >> 13 & 7],
				    (uint16_t)(random >> 4 & 63));
			host_send_bytes(&host, bytes, 16 + (random >> 5 & 127));
		}
		remote_run(host.remote, random >> 20 & 15);
		if ((random >> 8 & 3) == 0) {
			while (host_receive(&host, &message))
				;
			host_supply(&host, UINT32_MAX);
			host_reclaim_all(&host);
		}
	}
	*size = host.log_size;
	*log = malloc(host.log_size);
	assert_non_null(*log);
	memcpy(*log, host.log, host.log_size);
	host_teardown(&host);
}

static void test_remote_same_input_gives_same_bytes_and_events(void **state)
{
	uint8_t *first, *second;
	size_t first_size, second_size;
	void *disturbance = malloc(12345); /* other addresses the second time */

	play(1, &first, &first_size);
	free(disturbance);
	play(1, &second, &second_size);
	assert_true(first_size > 100000);
	assert_int_equal(first_size, second_size);
	assert_memory_equal(first, second, first_size);
	free(first);
	free(second);
}

static void test_remote_other_input_gives_other_bytes(void **state)
{
	uint8_t *first, *second;
	size_t first_size, second_size;

	play(1, &first, &first_size);
	play(2, &second, &second_size);
	assert_true(first_size != second_size || memcmp(first, second, first_size) != 0);
	free(first);
	free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remote_same_input_gives_same_bytes_and_events),
		cmocka_unit_test(test_remote_other_input_gives_other_bytes),
	};

	return cmocka_run_group_tests_name("remote_repeat", tests, NULL, NULL);
}
