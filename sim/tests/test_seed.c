/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same seed, options and input give the same bytes in guest memory and rings, the same
 * events, calls and violations, with faults and pacing that come and go; another seed gives
 * another order where the order is random.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "remote/pacing.h"
#include "remote/profile.h"
#include "support/remote_host.h"
#include "support/wire_view.h"
#include "wire/random.h"

#define ROUNDS 3000
#define SCRIPT_SEED 7 /* what the host and the operator do */

static struct remote_host host;
static struct random script;

struct blob {
	uint8_t *bytes;
	size_t size;
};

static void append(struct blob *blob, const void *bytes, size_t size)
{
	blob->bytes = realloc(blob->bytes, blob->size + size);
	assert_non_null(blob->bytes);
	memcpy(blob->bytes + blob->size, bytes, size);
	blob->size += size;
}

static uint32_t pick(uint32_t bound)
{
	return random_below(&script, bound);
}

/* All but those that make a strict driver give up. */
static void set_some_fault(void)
{
	struct fault_setting setting = {
		.mode = pick(4) == 0 ? FAULT_MODE_ALWAYS : FAULT_MODE_COUNT,
		.count = 1 + pick(3),
		.after = pick(4),
	};
	enum fault fault = (enum fault)pick(FAULT_COUNT);
	enum fault_point point = fault_at(fault)->point;

	if (point == FAULT_POINT_RING || point == FAULT_POINT_RETURN)
		fault = FAULT_RING_WRITE_READABLE;
	assert_int_equal(remote_fault_set(host.remote, fault, &setting), 0);
}

static void set_some_pace(void)
{
	const struct pace pace = {
		.every = pick(3) == 0 ? 1 + pick(5) : 0,
		.batch = pick(4),
		.order = (enum pace_order)pick(PACE_ORDER_COUNT),
		.interrupt = (enum pace_interrupt)pick(PACE_CALL_COUNT),
		.delay = pick(2) * pick(1000000),
		.interrupt_delay = pick(2) * (1 + pick(1000000)),
	};

	assert_int_equal(remote_pace(host.remote, pick(2), &pace), 0);
}

static void send_something(void)
{
	static const uint32_t dst[] = {1024, 1025, 1026, 1027, RPMSG_ADDR_NS, 5};
	uint8_t bytes[RPMSG_BUF_SIZE];

	if (host.free_count[RPMSG_QUEUE_OUTPUT] == 0)
		return;
	memset(bytes, (int)pick(256), sizeof(bytes));
	host_header(&host, bytes, 600 + pick(4), dst[pick(6)], (uint16_t)pick(100));
	host_send_bytes(&host, bytes, 16 + pick(110));
	remote_kick(host.remote, RPMSG_QUEUE_OUTPUT, 1);
}

static void announce_something(void)
{
	uint32_t addr = RPMSG_ADDR_ANY;

	if (pick(2) == 0)
		remote_announce(host.remote, "new", service_kind_find("echo"), NULL, &addr);
	else
		remote_withdraw(host.remote, "new", &addr);
	if (host.free_count[RPMSG_QUEUE_OUTPUT] != 0)
		host_send_ns(&host, "echo", 600 + pick(3), pick(2));
}

static void next_session(struct blob *blob)
{
	size_t size;
	uint8_t *wire;

	remote_detach(host.remote);
	wire = wire_snapshot(&host, &size);
	append(blob, wire, size);
	free(wire);
	host_detach(&host);
	host_attach(&host, pick(4) == 0 ? HOST_WITHOUT_NS : HOST_FEATURES);
}

static void step(struct blob *blob)
{
	static struct host_message message;
	uint32_t what = pick(100);

	host.now += pick(2000000);
	if (what < 2)
		next_session(blob);
	else if (what < 8)
		set_some_fault();
	else if (what < 10)
		remote_fault_clear(host.remote);
	else if (what < 14)
		set_some_pace();
	else if (what < 18)
		remote_hold(host.remote, pick(2), pick(3));
	else if (what < 28)
		remote_release(host.remote, pick(2), pick(4));
	else if (what < 34)
		announce_something();
	else
		send_something();
	remote_run(host.remote, pick(20));
	if (pick(3) == 0) {
		while (host_receive(&host, &message))
			;
		host_supply(&host, UINT32_MAX);
		host_reclaim_all(&host);
	}
}

static struct blob play(uint64_t seed, const char *profile)
{
	const struct host_options options = {
		.config = {.seed = seed, .profile = profile_find(profile)}, .log = true};
	struct blob blob = {0};

	random_init(&script, SCRIPT_SEED, 0);
	host_setup(&host, &options);
	host_service(&host, "echo", "echo", 1024);
	host_service(&host, "echo", "echo", 1025);
	host_service(&host, "sink", "sink", 1026);
	host_service(&host, "numbers", "source", 1027);
	host_attach(&host, HOST_FEATURES);
	for (unsigned int i = 0; i < ROUNDS; i++)
		step(&blob);
	next_session(&blob);
	append(&blob, host.log, host.log_size);
	host_expect_balance(&host);
	host_teardown(&host);
	return blob;
}

static void test_seed_same_seed_same_bytes_and_events(void **state)
{
	for (unsigned int i = 0; profile_at(i) != NULL; i++) {
		void *disturbance = malloc(12345); /* other addresses the second time */
		struct blob first = play(1, profile_at(i)->name), second;

		free(disturbance);
		second = play(1, profile_at(i)->name);
		assert_true(first.size > 100000);
		assert_int_equal(first.size, second.size);
		assert_memory_equal(first.bytes, second.bytes, first.size);
		free(first.bytes);
		free(second.bytes);
	}
}

static void test_seed_other_seed_other_order(void **state)
{
	struct blob first = play(1, "linux"), second = play(2, "linux");

	assert_true(first.size != second.size ||
		    memcmp(first.bytes, second.bytes, first.size) != 0);
	free(first.bytes);
	free(second.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seed_same_seed_same_bytes_and_events),
		cmocka_unit_test(test_seed_other_seed_other_order),
	};

	return cmocka_run_group_tests_name("seed", tests, NULL, NULL);
}
