/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is found wrong with the host while it runs: rules on buffers, kicks, the start, and the
 * flow of announcements; those on single messages are in test_remote_malformed.c. And that the
 * register of violations and the catalogue of requirements agree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "remote/profile.h"
#include "support/remote_host.h"

#define INPUT RPMSG_QUEUE_INPUT
#define OUTPUT RPMSG_QUEUE_OUTPUT
#define HOST_ADDR 500
#define ECHO_ADDR 1024

static struct remote_host host;

static int start_with(const struct host_options *options)
{
	host_setup(&host, options);
	host_service(&host, "echo", "echo", ECHO_ADDR);
	return 0;
}

static int setup(void **state)
{
	return start_with(NULL);
}

static int teardown(void **state)
{
	host_expect_balance(&host);
	host_teardown(&host);
	return 0;
}

static void attach(uint64_t features)
{
	host_attach(&host, features);
	host_run(&host);
	host_discard(&host);
	host_supply(&host, UINT32_MAX);
	assert_int_equal(host.violation_count, 0);
}

static void echo(void)
{
	host_send(&host, HOST_ADDR, ECHO_ADDR, "abc", 3);
	host_run(&host);
}

static void expect(enum violation what, int queue, int32_t desc_id, uint64_t expected,
		   uint64_t seen)
{
	assert_int_equal(host.violations[what], 1);
	assert_int_equal(host.violation_count, 1);
	assert_int_equal(host.last_violation.queue, queue);
	assert_int_equal(host.last_violation.desc_id, desc_id);
	assert_int_equal(host.last_violation.expected, expected);
	assert_int_equal(host.last_violation.seen, seen);
}

/* ---- buffers ------------------------------------------------------------------------------ */

static void test_checker_sound_traffic_is_not_reported(void **state)
{
	attach(HOST_FEATURES);
	for (unsigned int i = 0; i < 100; i++) {
		echo();
		host_discard(&host);
		host_reclaim_all(&host);
		host_supply(&host, UINT32_MAX);
		remote_kick(host.remote, INPUT, 1);
		host_run(&host);
	}
	assert_int_equal(host.violation_count, 0);
}

static void test_checker_message_in_several_descriptors_is_reported(void **state)
{
	const uint32_t pieces[] = {16, 2, 1, 0};
	uint8_t bytes[19] = {0};

	attach(HOST_FEATURES);
	host_header(&host, bytes, HOST_ADDR, ECHO_ADDR, 3);
	host_send_pieces(&host, bytes, pieces, false);
	host_run(&host);
	expect(VIOLATION_BF_TX_CHAIN, OUTPUT, 0, 1, 3);
	assert_int_equal(remote_get_stats(host.remote)->delivered, 1);
}

/* A table with one entry is one descriptor. */
static void test_checker_message_in_a_table_of_one_is_sound(void **state)
{
	const uint32_t pieces[] = {16, 0};
	uint8_t bytes[16];

	attach(HOST_FEATURES);
	host_header(&host, bytes, HOST_ADDR, ECHO_ADDR, 0);
	host_send_pieces(&host, bytes, pieces, true);
	host_run(&host);
	assert_int_equal(host.violation_count, 0);
}

static void supply_another(const uint32_t *pieces)
{
	host_attach_bare(&host, HOST_WITHOUT_NS);
	host_supply(&host, 1);
	host_supply_pieces(&host, pieces);
	host.violation_count = 0; /* LC_INPUT_LATE */
	echo();
	assert_int_equal(host.violation_count, 0);
	echo();
}

static void test_checker_receive_buffer_in_several_descriptors_is_reported(void **state)
{
	const uint32_t pieces[] = {256, 256, 0};

	supply_another(pieces);
	expect(VIOLATION_BF_RX_CHAIN, INPUT, 1, 1, 2);
}

static void test_checker_receive_buffer_of_another_size_is_reported(void **state)
{
	const uint32_t pieces[] = {511, 0};

	supply_another(pieces);
	expect(VIOLATION_BF_RX_SIZE, INPUT, 1, 512, 511);
}

/* What a session had for its size is none of the next one's. */
static void test_checker_size_of_receive_buffers_is_the_sessions(void **state)
{
	const uint32_t pieces[] = {100, 0};

	attach(HOST_WITHOUT_NS);
	echo();
	host_detach(&host);
	host_attach_bare(&host, HOST_WITHOUT_NS);
	host_supply_pieces(&host, pieces);
	host.violation_count = 0;
	echo();
	assert_int_equal(host.violation_count, 0);
}

static void start_with_sizes(uint32_t to_host, uint32_t to_remote)
{
	struct host_options options = {
		.config = {.profile = profile_find("linux-bufsz"),
			   .buffer_size = {to_host, to_remote}},
	};

	teardown(NULL);
	start_with(&options);
	host_attach(&host, remote_offered_features(host.remote) & ~VIRTIO_BIT(RPMSG_F_NS));
	host_run(&host);
}

static void test_checker_receive_buffer_of_a_size_not_agreed_on_is_reported(void **state)
{
	start_with_sizes(256, 512);
	echo();
	expect(VIOLATION_BF_RX_AGREED, INPUT, 0, 256, 512);
}

static void test_checker_message_above_the_size_agreed_on_is_reported(void **state)
{
	uint8_t payload[113] = {0};

	start_with_sizes(512, 128);
	host_send(&host, HOST_ADDR, 9, payload, 112);
	host_run(&host);
	assert_int_equal(host.violation_count, 0);
	host_send(&host, HOST_ADDR, 9, payload, 113);
	host_run(&host);
	expect(VIOLATION_BF_TX_SIZE, OUTPUT, 1, 128, 129);
}

/* ---- start, kicks ------------------------------------------------------------------------- */

static void test_checker_message_before_driver_ok_is_reported(void **state)
{
	host_attach(&host, HOST_WITHOUT_NS);
	remote_detach(host.remote);
	host_send(&host, HOST_ADDR, ECHO_ADDR, "abc", 3);
	assert_int_equal(
		remote_attach(host.remote, &host.vq[INPUT], &host.vq[OUTPUT], HOST_WITHOUT_NS), 0);
	expect(VIOLATION_LC_OUTPUT_EARLY, OUTPUT, VIOLATION_NO_DESC, 0, 1);
}

/* As a virtual machine that was stopped and continued has it. */
static void test_checker_queue_that_goes_on_may_hold_anything(void **state)
{
	attach(HOST_WITHOUT_NS);
	for (unsigned int i = 0; i < 16; i++)
		echo();
	remote_detach(host.remote);
	host_reclaim_all(&host);
	host_send(&host, HOST_ADDR, ECHO_ADDR, "abc", 3);
	assert_int_equal(
		remote_attach(host.remote, &host.vq[INPUT], &host.vq[OUTPUT], HOST_WITHOUT_NS), 0);
	assert_int_equal(host.violation_count, 0);
}

static void test_checker_start_without_receive_buffers_is_reported(void **state)
{
	host_attach_bare(&host, HOST_FEATURES);
	expect(VIOLATION_LC_INPUT_LATE, INPUT, VIOLATION_NO_DESC, 1, 0);
}

static void test_checker_kicks_that_nobody_asked_for_are_reported(void **state)
{
	attach(HOST_FEATURES);
	/* One a buffer, where one for all was asked for. */
	for (unsigned int i = 0; i < 16; i++) {
		host_send(&host, HOST_ADDR, 9, NULL, 0);
		remote_kick(host.remote, OUTPUT, 1);
	}
	assert_true(host.violations[VIOLATION_VQ_KICK_UNASKED] >= 10);
	assert_int_equal(host.violation_count, host.violations[VIOLATION_VQ_KICK_UNASKED]);
	assert_int_equal(host.last_violation.queue, OUTPUT);
	assert_int_equal(host.last_violation.seen, host.last_violation.expected + 1);
}

/* Without EVENT_IDX a kick may be under way when it is switched off. */
static void test_checker_kicks_are_not_judged_without_event_idx(void **state)
{
	attach(HOST_FEATURES & ~VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX));
	remote_kick(host.remote, OUTPUT, 1000);
	assert_int_equal(host.violation_count, 0);
}

/* ---- name service ------------------------------------------------------------------------- */

static void send_ns(uint32_t src, const char *name, uint32_t addr, uint32_t flags)
{
	uint8_t payload[RPMSG_NS_MSG_SIZE];

	rpmsg_ns_encode(name, addr, flags, payload, host_order(&host));
	host_send(&host, src, RPMSG_ADDR_NS, payload, sizeof(payload));
	host_run(&host);
}

static void test_checker_announcement_from_elsewhere_is_reported(void **state)
{
	attach(HOST_FEATURES);
	send_ns(601, "chan", 600, RPMSG_NS_CREATE);
	expect(VIOLATION_NS_SOURCE, OUTPUT, 0, 600, 601);
}

static void test_checker_announcement_of_any_is_reported(void **state)
{
	attach(HOST_FEATURES);
	send_ns(601, "chan", RPMSG_ADDR_ANY, RPMSG_NS_CREATE);
	expect(VIOLATION_NS_ADDR_ANY, OUTPUT, 0, 0, RPMSG_ADDR_ANY);
}

static void test_checker_announcement_made_twice_is_reported(void **state)
{
	attach(HOST_FEATURES);
	send_ns(600, "chan", 600, RPMSG_NS_CREATE);
	send_ns(601, "chan", 601, RPMSG_NS_CREATE);
	assert_int_equal(host.violation_count, 0);
	send_ns(600, "chan", 600, RPMSG_NS_CREATE);
	expect(VIOLATION_NS_DUPLICATE, OUTPUT, 2, 0, 600);
}

static void test_checker_withdrawal_of_what_was_not_announced_is_reported(void **state)
{
	attach(HOST_FEATURES);
	send_ns(600, "chan", 600, RPMSG_NS_CREATE);
	send_ns(600, "chan", 600, RPMSG_NS_DESTROY);
	send_ns(600, "chan", 600, RPMSG_NS_CREATE);
	send_ns(600, "chan", 600, RPMSG_NS_DESTROY);
	assert_int_equal(host.violation_count, 0);
	send_ns(600, "chan", 600, RPMSG_NS_DESTROY);
	expect(VIOLATION_NS_UNKNOWN, OUTPUT, 4, 0, 600);
}

/* ---- on and off --------------------------------------------------------------------------- */

/* As many mistakes as can be made without breaking a queue. */
static void misbehave(void)
{
	const struct rpmsg_hdr bad = {.src = RPMSG_ADDR_ANY,
				      .dst = RPMSG_ADDR_ANY,
				      .reserved = 1,
				      .len = 5000,
				      .flags = 1};
	const uint32_t pieces[] = {10, 7, 0}, small[] = {8, 0};
	uint8_t bytes[17] = {0};

	host_attach_bare(&host, HOST_WITHOUT_NS);
	host_supply_pieces(&host, small);
	host_supply_pieces(&host, pieces);
	rpmsg_hdr_encode(&bad, bytes, host_order(&host));
	host_send_pieces(&host, bytes, pieces, false);
	host_send_bytes(&host, bytes, 3);
	host_header(&host, bytes, HOST_ADDR, ECHO_ADDR, 1);
	host_send_bytes(&host, bytes, 17);
	host_send_ns(&host, "chan", 600, 77);
	remote_kick(host.remote, OUTPUT, 1000);
	host_run(&host);
}

static void test_checker_off_reports_nothing_and_changes_nothing(void **state)
{
	struct host_options options = {.log = true};
	struct remote_stats stats;

	teardown(state);
	start_with(&options);
	misbehave();
	assert_true(host.violation_count >= 10);
	stats = *remote_get_stats(host.remote);
	teardown(state);

	options.config.check = REMOTE_CHECK_OFF;
	start_with(&options);
	misbehave();
	assert_int_equal(host.violation_count, 0);
	assert_memory_equal(remote_get_stats(host.remote), &stats, sizeof(stats));
}

static void test_checker_can_be_switched_while_it_runs(void **state)
{
	attach(HOST_FEATURES);
	remote_check_host(host.remote, REMOTE_CHECK_OFF);
	send_ns(601, "chan", 600, RPMSG_NS_CREATE);
	assert_int_equal(host.violation_count, 0);
	remote_check_host(host.remote, REMOTE_CHECK_STRICT);
	send_ns(602, "chan", 601, RPMSG_NS_CREATE);
	assert_int_equal(host.violation_count, 1);
}

/* ---- the register ------------------------------------------------------------------------- */

static void test_checker_counts_what_broke_a_must(void **state)
{
	uint64_t counts[VIOLATION_COUNT] = {0};

	assert_int_equal(violation_count_must(counts), 0);
	counts[VIOLATION_HD_RESERVED] = 5;
	counts[VIOLATION_VQ_KICK_UNASKED] = 5;
	assert_int_equal(violation_count_must(counts), 0);
	counts[VIOLATION_HD_LEN] = 2;
	counts[VIOLATION_VU_VERSION] = 3;
	assert_int_equal(violation_count_must(counts), 5);
}

static void test_checker_levels_have_names(void **state)
{
	assert_string_equal(violation_level_name(VIOLATION_LEVEL_MUST), "must");
	assert_string_equal(violation_level_name(VIOLATION_LEVEL_SHOULD), "should");
	assert_string_equal(violation_level_name(VIOLATION_LEVEL_COUNT), "unknown");
	assert_int_equal(violation_level(VIOLATION_COUNT), VIOLATION_LEVEL_MUST);
}

/* The level of a requirement in the catalogue; fails when it has none of that ID. */
static bool is_must_in_catalogue(const char *id)
{
	FILE *catalogue = fopen(CATALOGUE, "re");
	char line[512], wanted[32];
	bool found = false, must = false;

	assert_non_null(catalogue);
	snprintf(wanted, sizeof(wanted), "id = \"%s\"\n", id);
	while (fgets(line, sizeof(line), catalogue) != NULL) {
		if (strcmp(line, wanted) == 0) {
			found = true;
		} else if (found && strncmp(line, "level = ", 8) == 0) {
			must = strcmp(line, "level = \"must\"\n") == 0;
			break;
		}
	}
	fclose(catalogue);
	if (!found)
		fail_msg("the catalogue has no %s", id);
	return must;
}

/* What breaks a MUST here is one there; a lower level here is a choice. */
static void test_checker_levels_are_not_above_the_catalogues(void **state)
{
	for (unsigned int i = 0; i < VIOLATION_COUNT; i++) {
		enum violation what = (enum violation)i;
		bool must = is_must_in_catalogue(violation_requirement(what));

		if (violation_level(what) == VIOLATION_LEVEL_MUST && !must)
			fail_msg("%s is a must, %s is not", violation_name(what),
				 violation_requirement(what));
	}
}

static void test_fault_requirements_are_in_the_catalogue(void **state)
{
	for (unsigned int i = 0; i < FAULT_COUNT; i++)
		is_must_in_catalogue(fault_at(i)->requirement);
}

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_HOST(test_checker_sound_traffic_is_not_reported),
		ON_HOST(test_checker_message_in_several_descriptors_is_reported),
		ON_HOST(test_checker_message_in_a_table_of_one_is_sound),
		ON_HOST(test_checker_receive_buffer_in_several_descriptors_is_reported),
		ON_HOST(test_checker_receive_buffer_of_another_size_is_reported),
		ON_HOST(test_checker_size_of_receive_buffers_is_the_sessions),
		ON_HOST(test_checker_receive_buffer_of_a_size_not_agreed_on_is_reported),
		ON_HOST(test_checker_message_above_the_size_agreed_on_is_reported),
		ON_HOST(test_checker_message_before_driver_ok_is_reported),
		ON_HOST(test_checker_queue_that_goes_on_may_hold_anything),
		ON_HOST(test_checker_start_without_receive_buffers_is_reported),
		ON_HOST(test_checker_kicks_that_nobody_asked_for_are_reported),
		ON_HOST(test_checker_kicks_are_not_judged_without_event_idx),
		ON_HOST(test_checker_announcement_from_elsewhere_is_reported),
		ON_HOST(test_checker_announcement_of_any_is_reported),
		ON_HOST(test_checker_announcement_made_twice_is_reported),
		ON_HOST(test_checker_withdrawal_of_what_was_not_announced_is_reported),
		ON_HOST(test_checker_off_reports_nothing_and_changes_nothing),
		ON_HOST(test_checker_can_be_switched_while_it_runs),
		cmocka_unit_test(test_checker_counts_what_broke_a_must),
		cmocka_unit_test(test_checker_levels_have_names),
		cmocka_unit_test(test_checker_levels_are_not_above_the_catalogues),
		cmocka_unit_test(test_fault_requirements_are_in_the_catalogue),
	};

	return cmocka_run_group_tests_name("checker", tests, NULL, NULL);
}
