/* SPDX-License-Identifier: BSD-2-Clause */
/* Every fault: its effect, when it fires, and that it has no effect while it does not. */
#include "fault_case.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct remote_host case_host;

static const struct fault_case *cases[FAULT_COUNT];

/* ---- for the cases ------------------------------------------------------------------------ */

void case_set(enum fault fault, uint64_t count, uint64_t after)
{
	const struct fault_setting setting = {
		.mode = count == 0 ? FAULT_MODE_ALWAYS : FAULT_MODE_COUNT,
		.count = count,
		.after = after,
	};

	assert_int_equal(remote_fault_set(case_host.remote, fault, &setting), 0);
}

void case_set_argument(enum fault fault, uint64_t count, uint32_t argument)
{
	const struct fault_setting setting = {
		.mode = count == 0 ? FAULT_MODE_ALWAYS : FAULT_MODE_COUNT,
		.count = count,
		.argument_set = true,
		.argument = argument,
	};

	assert_int_equal(remote_fault_set(case_host.remote, fault, &setting), 0);
}

void case_clear(enum fault fault)
{
	const struct fault_setting off = {.mode = FAULT_MODE_OFF};

	assert_int_equal(remote_fault_set(case_host.remote, fault, &off), 0);
}

uint64_t case_fired(enum fault fault)
{
	struct fault_status status;

	assert_int_equal(remote_fault_status(case_host.remote, fault, &status), 0);
	return status.fired;
}

void case_echo(void)
{
	host_send(&case_host, HOST_ADDR, ECHO_ADDR, PAYLOAD, SIZE);
	host_run(&case_host);
}

void case_expect_event(uint32_t n, enum fault fault, uint32_t queue, uint16_t desc_id)
{
	const struct host_event *event = host_event(&case_host, REMOTE_EVENT_FAULT, n);

	assert_non_null(event);
	assert_int_equal(event->event.fault, fault);
	assert_int_equal(event->event.queue, queue);
	assert_int_equal(event->event.desc_id, desc_id);
}

/* ---- the tests of each -------------------------------------------------------------------- */

static int setup(void **state)
{
	const struct host_options options = {.log = true};

	host_setup(&case_host, &options);
	host_service(&case_host, "echo", "echo", ECHO_ADDR);
	return 0;
}

static int teardown(void **state)
{
	host_expect_balance(&case_host);
	host_teardown(&case_host);
	return 0;
}

static void run_effect(void **state)
{
	const struct fault_case *c = *state;

	c->effect(c);
}

/* Set for once with one pass to go by: it fires at the second pass, and not at the third. */
static void run_once_after_one(void **state)
{
	const struct fault_case *c = *state;
	struct fault_status status;

	host_attach(&case_host, c->features);
	host_run(&case_host);
	case_set(c->fault, 1, 1);
	assert_int_equal(case_fired(c->fault), 0);
	c->pass();
	assert_int_equal(case_fired(c->fault), 0);
	assert_int_equal(remote_fault_status(case_host.remote, c->fault, &status), 0);
	assert_int_equal(status.mode, FAULT_MODE_COUNT);
	assert_int_equal(status.left, 1);
	assert_int_equal(status.after, 0);
	c->pass();
	assert_int_equal(case_fired(c->fault), 1);
	assert_int_equal(remote_fault_status(case_host.remote, c->fault, &status), 0);
	assert_int_equal(status.mode, FAULT_MODE_OFF);
	c->pass();
	assert_int_equal(case_fired(c->fault), 1);
	assert_int_equal(host_event_count(&case_host, REMOTE_EVENT_FAULT), 1);
}

/* ---- a session with all that a remote does, for comparison -------------------------------- */

static void some_time(void)
{
	case_host.now += 10000000;
	host_run(&case_host);
}

static void host_side(void)
{
	static struct host_message message;

	while (host_receive(&case_host, &message))
		;
	host_reclaim_all(&case_host);
	host_supply(&case_host, UINT32_MAX);
	remote_kick(case_host.remote, INPUT, 1);
	host_run(&case_host);
}

static void session(uint64_t features)
{
	uint32_t source, other = RPMSG_ADDR_ANY;

	host_attach(&case_host, features);
	host_run(&case_host);
	host_side();
	source = host_service(&case_host, "numbers", "source", RPMSG_ADDR_ANY);
	host_send(&case_host, HOST_ADDR, source, NULL, 0);
	for (unsigned int i = 0; i < 8; i++) {
		case_echo();
		some_time();
		host_side();
	}
	if ((features & VIRTIO_BIT(RPMSG_F_NS)) != 0) {
		host_send_ns(&case_host, "echo", 600, RPMSG_NS_CREATE);
		host_send_ns(&case_host, "echo", 600, RPMSG_NS_DESTROY);
	}
	host_send(&case_host, HOST_ADDR, 9999, PAYLOAD, SIZE);
	host_run(&case_host);
	remote_hold(case_host.remote, OUTPUT, 0);
	case_echo();
	remote_release(case_host.remote, OUTPUT, 0);
	host_side();
	assert_int_equal(remote_withdraw(case_host.remote, "numbers", &source), 0);
	assert_int_equal(
		remote_announce(case_host.remote, "sink", service_kind_find("sink"), NULL, &other),
		0);
	host_side();
	remote_crashes_at(case_host.remote, REMOTE_POINT_FEATURES);
	assert_int_equal(remote_reply_delay(case_host.remote), 0);
	assert_int_equal(remote_withdraw(case_host.remote, "sink", &other), 0);
	host_side();
}

struct record {
	uint8_t *log, *wire;
	size_t log_size, wire_size;
};

static struct record baseline;

static void record_free(struct record *record)
{
	free(record->log);
	free(record->wire);
	*record = (struct record){0};
}

/* Two sessions; the log is that of both, the wire that of the second. */
static void sessions(struct record *record)
{
	session(HOST_FEATURES);
	host_detach(&case_host);
	session(HOST_WITHOUT_NS);
	record->wire = wire_snapshot(&case_host, &record->wire_size);
	record->log = malloc(case_host.log_size);
	assert_non_null(record->log);
	record->log_size = case_host.log_size;
	memcpy(record->log, case_host.log, case_host.log_size);
}

static void expect_baseline(void)
{
	struct record now = {0};

	sessions(&now);
	assert_int_equal(now.log_size, baseline.log_size);
	assert_memory_equal(now.log, baseline.log, now.log_size);
	assert_int_equal(now.wire_size, baseline.wire_size);
	assert_memory_equal(now.wire, baseline.wire, now.wire_size);
	record_free(&now);
}

static void run_not_due(void **state)
{
	const struct fault_case *c = *state;

	case_set(c->fault, 0, UINT64_MAX);
	expect_baseline();
	assert_int_equal(case_fired(c->fault), 0);
}

static void run_cleared(void **state)
{
	const struct fault_case *c = *state;

	case_set(c->fault, 0, 0);
	case_clear(c->fault);
	expect_baseline();
	assert_int_equal(case_fired(c->fault), 0);
}

static int make_baseline(void **state)
{
	setup(state);
	sessions(&baseline);
	return teardown(state);
}

static int free_baseline(void **state)
{
	record_free(&baseline);
	return 0;
}

/* ---- the table, and setting --------------------------------------------------------------- */

static void test_fault_list_is_long_enough_and_well_formed(void **state)
{
	assert_true(FAULT_COUNT >= 45);
	assert_null(fault_at(FAULT_COUNT));
	for (unsigned int i = 0; i < FAULT_COUNT; i++) {
		const struct fault_info *info = fault_at(i);
		enum fault found;

		assert_int_equal(strspn(info->name, "abcdefghijklmnopqrstuvwxyz0123456789-"),
				 strlen(info->name));
		assert_int_equal(strlen(info->requirement), 6);
		assert_int_equal(info->requirement[2], '-');
		assert_true(strlen(info->text) > 10 && strlen(info->text) < 100);
		assert_true(info->default_argument <= info->max_argument);
		assert_int_equal(*info->argument == '\0', info->max_argument == 0);
		assert_int_equal(fault_find(info->name, &found), 0);
		assert_int_equal(found, i);
	}
}

static void test_fault_every_one_has_a_case(void **state)
{
	for (unsigned int i = 0; i < FAULT_COUNT; i++) {
		if (cases[i] == NULL)
			fail_msg("%s has no case", fault_at(i)->name);
	}
}

static void test_fault_name_that_is_none_is_not_found(void **state)
{
	enum fault fault;

	assert_int_equal(fault_find("hdr-len", &fault), -ENOENT);
	assert_int_equal(fault_find("", &fault), -ENOENT);
}

static void test_fault_setting_that_makes_no_sense_is_refused(void **state)
{
	struct fault_setting setting = {.mode = FAULT_MODE_COUNT};
	struct fault_status status;

	assert_int_equal(remote_fault_set(case_host.remote, FAULT_USED_LEN_0, &setting), -EINVAL);
	setting = (struct fault_setting){.mode = (enum fault_mode)7};
	assert_int_equal(remote_fault_set(case_host.remote, FAULT_USED_LEN_0, &setting), -EINVAL);
	setting = (struct fault_setting){.mode = FAULT_MODE_ALWAYS, .argument_set = true};
	assert_int_equal(remote_fault_set(case_host.remote, FAULT_USED_LEN_0, &setting), -EINVAL);
	setting.argument = 2;
	assert_int_equal(remote_fault_set(case_host.remote, FAULT_RING_USED_ID_RANGE, &setting),
			 -ERANGE);
	assert_int_equal(remote_fault_set(case_host.remote, FAULT_COUNT, &setting), -ENOENT);
	assert_int_equal(remote_fault_status(case_host.remote, FAULT_COUNT, &status), -ENOENT);
	assert_int_equal(remote_fault_status(case_host.remote, FAULT_RING_USED_ID_RANGE, &status),
			 0);
	assert_int_equal(status.mode, FAULT_MODE_OFF);
}

static void test_fault_status_tells_what_was_set(void **state)
{
	const struct fault_setting setting = {
		.mode = FAULT_MODE_COUNT,
		.count = 3,
		.after = 7,
		.argument_set = true,
		.argument = 0x1234,
	};
	struct fault_status status;

	assert_int_equal(remote_fault_set(case_host.remote, FAULT_HDR_FLAGS, &setting), 0);
	assert_int_equal(remote_fault_status(case_host.remote, FAULT_HDR_FLAGS, &status), 0);
	assert_int_equal(status.mode, FAULT_MODE_COUNT);
	assert_int_equal(status.left, 3);
	assert_int_equal(status.after, 7);
	assert_int_equal(status.argument, 0x1234);
	assert_int_equal(status.fired, 0);
}

static void test_fault_count_fires_that_often_after_what_goes_by(void **state)
{
	host_attach(&case_host, HOST_WITHOUT_NS);
	case_set(FAULT_HDR_FLAGS, 2, 1);
	for (unsigned int i = 0; i < 5; i++)
		case_echo();
	for (uint32_t i = 0; i < 5; i++) {
		uint32_t id = wire_used(&case_host, INPUT, i).id;

		assert_int_equal(wire_get_le16(wire_buffer(&case_host, INPUT, id) + 14),
				 i == 1 || i == 2 ? 0xa5a5 : 0);
	}
	assert_int_equal(case_fired(FAULT_HDR_FLAGS), 2);
}

static void test_fault_set_anew_starts_anew(void **state)
{
	host_attach(&case_host, HOST_WITHOUT_NS);
	case_set(FAULT_HDR_FLAGS, 1, 0);
	case_echo();
	case_set(FAULT_HDR_FLAGS, 1, 1);
	case_echo();
	assert_int_equal(case_fired(FAULT_HDR_FLAGS), 1);
	case_echo();
	assert_int_equal(case_fired(FAULT_HDR_FLAGS), 2);
}

static void test_fault_lasts_over_sessions(void **state)
{
	case_set(FAULT_HDR_FLAGS, 3, 0);
	for (unsigned int i = 0; i < 4; i++) {
		host_attach(&case_host, HOST_WITHOUT_NS);
		case_echo();
		host_detach(&case_host);
	}
	assert_int_equal(case_fired(FAULT_HDR_FLAGS), 3);
}

static void test_fault_clear_switches_all_off(void **state)
{
	host_attach(&case_host, HOST_WITHOUT_NS);
	case_set(FAULT_HDR_FLAGS, 0, 0);
	case_set(FAULT_USED_LEN_0, 0, 0);
	remote_fault_clear(case_host.remote);
	case_echo();
	host_expect(&case_host, ECHO_ADDR, HOST_ADDR, PAYLOAD, SIZE);
}

/* Both at once, each with its own effect. */
static void test_fault_of_header_and_of_used_length_go_together(void **state)
{
	uint8_t header[RPMSG_HDR_SIZE];

	host_attach(&case_host, HOST_WITHOUT_NS);
	case_set(FAULT_HDR_FLAGS, 0, 0);
	case_set(FAULT_USED_LEN_8, 0, 0);
	case_echo();
	host_header(&case_host, header, ECHO_ADDR, HOST_ADDR, SIZE);
	wire_put_le16(header + 14, 0xa5a5);
	assert_memory_equal(wire_buffer(&case_host, INPUT, wire_avail(&case_host, INPUT, 0)),
			    header, sizeof(header));
	wire_expect_used(&case_host, INPUT, 0, wire_avail(&case_host, INPUT, 0), 8);
}

static void test_fault_is_told_before_what_it_broke_and_after_its_cause(void **state)
{
	static const enum remote_event_type order[] = {
		REMOTE_EVENT_MESSAGE,
		REMOTE_EVENT_FAULT,
		REMOTE_EVENT_SENT,
		REMOTE_EVENT_RETURNED,
	};

	host_attach(&case_host, HOST_WITHOUT_NS);
	case_set(FAULT_HDR_FLAGS, 0, 0);
	case_host.event_count = 0;
	case_echo();
	assert_int_equal(case_host.event_count, 4);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(case_host.events[i].event.type, order[i]);
	assert_int_equal(case_host.events[2].event.hdr.flags, 0xa5a5);
}

static void test_fault_all_set_and_none_due_leave_the_wire_untouched(void **state)
{
	for (unsigned int i = 0; i < FAULT_COUNT; i++)
		case_set((enum fault)i, 0, UINT64_MAX);
	expect_baseline();
}

/* Whatever is broken, the remote goes on, and its statistics add up. */
static void test_fault_all_at_once_are_survived(void **state)
{
	for (unsigned int i = 0; i < FAULT_COUNT; i++) {
		if (i != FAULT_LIFE_SILENT)
			case_set((enum fault)i, 0, 0);
	}
	for (unsigned int i = 0; i < 3; i++) {
		host_attach(&case_host, HOST_FEATURES);
		for (unsigned int n = 0; n < 8; n++)
			case_echo();
		remote_kick(case_host.remote, OUTPUT, 1);
		host_detach(&case_host);
	}
}

/* ---- running them ------------------------------------------------------------------------- */

static void collect(const struct fault_case *table)
{
	for (; table->effect != NULL; table++)
		cases[table->fault] = table;
}

static char *name_of(const char *what, const struct fault_case *c)
{
	char *name;

	if (asprintf(&name, "%s: %s", fault_at(c->fault)->name, what) < 0)
		abort();
	return name;
}

#define EACH(function, text)                                                                       \
	(struct CMUnitTest)                                                                        \
	{                                                                                          \
		.name = name_of(text, cases[i]), .test_func = (function), .setup_func = setup,     \
		.teardown_func = teardown, .initial_state = (void *)cases[i]                       \
	}
#define ONE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static int run_each(void)
{
	struct CMUnitTest tests[4 * FAULT_COUNT];
	size_t count = 0;
	int failed;

	for (unsigned int i = 0; i < FAULT_COUNT; i++) {
		if (cases[i] == NULL)
			continue;
		tests[count++] = EACH(run_effect, "has its effect on the wire");
		tests[count++] = EACH(run_once_after_one, "fires once after one pass");
		tests[count++] = EACH(run_not_due, "not due, it changes nothing");
		tests[count++] = EACH(run_cleared, "cleared, it changes nothing");
	}
	failed = _cmocka_run_group_tests("fault", tests, count, make_baseline, free_baseline);
	for (size_t i = 0; i < count; i++)
		free((char *)tests[i].name);
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fault_list_is_long_enough_and_well_formed),
		cmocka_unit_test(test_fault_every_one_has_a_case),
		cmocka_unit_test(test_fault_name_that_is_none_is_not_found),
		ONE(test_fault_setting_that_makes_no_sense_is_refused),
		ONE(test_fault_status_tells_what_was_set),
		ONE(test_fault_count_fires_that_often_after_what_goes_by),
		ONE(test_fault_set_anew_starts_anew),
		ONE(test_fault_lasts_over_sessions),
		ONE(test_fault_clear_switches_all_off),
		ONE(test_fault_of_header_and_of_used_length_go_together),
		ONE(test_fault_is_told_before_what_it_broke_and_after_its_cause),
		ONE(test_fault_all_set_and_none_due_leave_the_wire_untouched),
		ONE(test_fault_all_at_once_are_survived),
	};
	int failed;

	collect(message_cases);
	collect(notice_cases);
	collect(ring_cases);
	collect(life_cases);
	failed = run_each();
	return failed +
	       cmocka_run_group_tests_name("fault_table", tests, make_baseline, free_baseline);
}
