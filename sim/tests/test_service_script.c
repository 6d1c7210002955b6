/* SPDX-License-Identifier: BSD-2-Clause */
/* What a service that has a script answers, byte for byte, and when. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "remote/script.h"
#include "support/remote_host.h"

#define HOST_ADDR 0x401
#define SERVICE_ADDR 0x600
#define MS UINT64_C(1000000)

/* Members of every rule that does nothing special. */
#define STATES(in, next) .in_state = (in), .next_state = (next)
#define PEOPLE(sender, receiver) .from = (sender), .to = (receiver)
#define ANY_STATE STATES(SCRIPT_ANY_STATE, SCRIPT_ANY_STATE)
#define ANYBODY PEOPLE(RPMSG_ADDR_ANY, RPMSG_ADDR_ANY)
#define RULE ANY_STATE, ANYBODY, .count = 1
#define REPLY(text) .answer = true, .reply = (const uint8_t *)(text), .reply_size = sizeof(text) - 1
#define PATTERN(text) .pattern = (const uint8_t *)(text), .pattern_size = sizeof(text) - 1

static struct remote_host host;

static int setup(void **state)
{
	host_setup(&host, NULL);
	return 0;
}

static int teardown(void **state)
{
	host_expect_balance(&host);
	host_teardown(&host);
	return 0;
}

static int make(const struct script *script, bool peer_known)
{
	const struct service_params params = {
		.script = script, .peer_known = peer_known, .peer = HOST_ADDR};
	uint32_t addr = SERVICE_ADDR;

	return remote_announce(host.remote, "script", service_kind_find("script"), &params, &addr);
}

/* A service with these rules, and a host. */
static void serve(const struct script *script)
{
	assert_int_equal(make(script, false), 0);
	host_attach(&host, HOST_WITHOUT_NS);
}

static void say(const char *text)
{
	host_send(&host, HOST_ADDR, SERVICE_ADDR, text, (uint32_t)strlen(text));
	host_run(&host);
}

static void expect(const char *text)
{
	host_expect(&host, SERVICE_ADDR, HOST_ADDR, text, (uint32_t)strlen(text));
}

static void wait_for(uint64_t time)
{
	host.now += time;
	host_run(&host);
}

static void test_script_first_rule_that_fits_is_used(void **state)
{
	static const struct script_rule rules[] = {
		{RULE, .match = SCRIPT_MATCH_EXACT, PATTERN("ab"), REPLY("exact")},
		{RULE, .match = SCRIPT_MATCH_PREFIX, PATTERN("a"), REPLY("prefix")},
		{RULE, .match = SCRIPT_MATCH_LENGTH, .min = 3, .max = 3, REPLY("length")},
		{RULE, .match = SCRIPT_MATCH_ANY, .echo = true},
	};
	static const struct script script = {"s", rules, 4};

	serve(&script);
	say("ab");
	expect("exact");
	say("abc");
	expect("prefix");
	say("xyz");
	expect("length");
	say("");
	expect("");
	host_expect_nothing(&host);
}

static void test_script_without_a_rule_that_fits_is_silent(void **state)
{
	static const struct script_rule rules[] = {
		{RULE, .match = SCRIPT_MATCH_EXACT, PATTERN("a"), REPLY("b")},
	};
	static const struct script script = {"s", rules, 1};

	serve(&script);
	say("c");
	host_expect_nothing(&host);
	assert_int_equal(remote_get_stats(host.remote)->delivered, 1);
}

static void test_script_goes_from_state_to_state(void **state)
{
	static const struct script_rule rules[] = {
		{STATES(0, 1), ANYBODY, .count = 1, REPLY("zero")},
		{STATES(1, 0), ANYBODY, .count = 1, REPLY("one")},
	};
	static const struct script script = {"s", rules, 2};

	serve(&script);
	say("x");
	expect("zero");
	say("x");
	expect("one");
	say("x");
	expect("zero");
	host_detach(&host);
	host_attach(&host, HOST_WITHOUT_NS);
	say("x");
	expect("zero");
}

static void test_script_rule_is_used_up(void **state)
{
	static const struct script_rule rules[] = {
		{RULE, .times = 2, REPLY("few")},
		{RULE, REPLY("many")},
	};
	static const struct script script = {"s", rules, 2};

	serve(&script);
	say("1");
	say("2");
	say("3");
	expect("few");
	expect("few");
	expect("many");
}

static void test_script_answers_several_times_each_after_the_delay(void **state)
{
	static const struct script_rule rules[] = {
		{ANY_STATE, ANYBODY, .count = 2, .delay = 5 * MS, REPLY("late")},
	};
	static const struct script script = {"s", rules, 1};

	serve(&script);
	say("x");
	host_expect_nothing(&host);
	assert_int_equal(remote_deadline(host.remote), host.now + 5 * MS);
	wait_for(5 * MS);
	expect("late");
	host_expect_nothing(&host);
	wait_for(5 * MS);
	expect("late");
	wait_for(50 * MS);
	host_expect_nothing(&host);
}

static void test_script_waits_for_buffers_and_loses_nothing(void **state)
{
	static const struct script_rule rules[] = {
		{ANY_STATE, ANYBODY, .count = 40, REPLY("many")},
	};
	static const struct script script = {"s", rules, 1};
	uint32_t received = 0, some;

	serve(&script);
	say("x");
	while ((some = host_discard(&host)) != 0) {
		received += some;
		host_supply(&host, UINT32_MAX);
		host_run(&host);
	}
	assert_int_equal(received, 40);
	assert_int_equal(remote_get_stats(host.remote)->send_failed, 0);
}

static void test_script_drops_and_what_is_too_much_to_keep(void **state)
{
	static const struct script_rule rules[] = {
		{RULE, .match = SCRIPT_MATCH_EXACT, PATTERN("no"), .then = SCRIPT_THEN_DROP},
		{RULE, .delay = MS, REPLY("late")},
	};
	static const struct script script = {"s", rules, 2};

	serve(&script);
	say("no");
	assert_int_equal(remote_get_stats(host.remote)->dropped[REMOTE_DROP_SERVICE], 1);
	for (int i = 0; i <= SCRIPT_PENDING_MAX; i++) {
		say("x");
		host_reclaim_all(&host);
	}
	assert_int_equal(remote_get_stats(host.remote)->dropped[REMOTE_DROP_SERVICE], 2);
	host_detach(&host);
	host_attach(&host, HOST_WITHOUT_NS);
	wait_for(50 * MS);
	host_expect_nothing(&host); /* answers of another session are forgotten */
}

static void test_script_withdraws_once_all_is_said(void **state)
{
	static const struct script_rule rules[] = {
		{RULE, .delay = MS, REPLY("bye"), .then = SCRIPT_THEN_WITHDRAW},
	};
	static const struct script script = {"s", rules, 1};

	assert_int_equal(make(&script, false), 0);
	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	host_expect_ns(&host, "script", SERVICE_ADDR, 0);
	say("x");
	host_expect_nothing(&host);
	wait_for(MS);
	expect("bye");
	host_expect_ns(&host, "script", SERVICE_ADDR, RPMSG_NS_DESTROY);
}

static void test_script_speaks_first_to_a_peer_that_it_knows(void **state)
{
	static const struct script_rule rules[] = {
		{RULE, .match = SCRIPT_MATCH_PEER, REPLY("hello")},
	};
	static const struct script script = {"s", rules, 1};

	assert_int_equal(make(&script, true), 0);
	host_attach(&host, HOST_WITHOUT_NS);
	host_run(&host);
	expect("hello");
	host_expect_nothing(&host);
}

static void test_script_answers_somebody_else(void **state)
{
	static const struct script_rule rules[] = {
		{ANY_STATE, PEOPLE(HOST_ADDR + 1, RPMSG_ADDR_ANY), .count = 1, REPLY("wrong one")},
		{ANY_STATE, PEOPLE(RPMSG_ADDR_ANY, 77), .count = 1, REPLY("there")},
	};
	static const struct script script = {"s", rules, 2};

	serve(&script);
	say("x");
	host_expect(&host, SERVICE_ADDR, 77, "there", 5);
	host_expect_nothing(&host);
}

static void test_script_is_needed(void **state)
{
	assert_int_equal(make(NULL, false), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_script_first_rule_that_fits_is_used),
		TEST(test_script_without_a_rule_that_fits_is_silent),
		TEST(test_script_goes_from_state_to_state),
		TEST(test_script_rule_is_used_up),
		TEST(test_script_answers_several_times_each_after_the_delay),
		TEST(test_script_waits_for_buffers_and_loses_nothing),
		TEST(test_script_drops_and_what_is_too_much_to_keep),
		TEST(test_script_withdraws_once_all_is_said),
		TEST(test_script_speaks_first_to_a_peer_that_it_knows),
		TEST(test_script_answers_somebody_else),
		TEST(test_script_is_needed),
	};

	return cmocka_run_group_tests_name("service_script", tests, NULL, NULL);
}
