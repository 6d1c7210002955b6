/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a fault does not fire though its time has come: because it would break nothing, because
 * it cannot be, or because something has to happen first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "support/remote_host.h"
#include "support/wire_view.h"

#define INPUT RPMSG_QUEUE_INPUT
#define OUTPUT RPMSG_QUEUE_OUTPUT
#define HOST_ADDR 500
#define ECHO_ADDR 1024

static struct remote_host host;

static void set_up_with(const struct host_options *options)
{
	host_setup(&host, options);
	host_service(&host, "echo", "echo", ECHO_ADDR);
}

static int setup(void **state)
{
	set_up_with(NULL);
	return 0;
}

static int teardown(void **state)
{
	host_expect_balance(&host);
	host_teardown(&host);
	return 0;
}

static void set_argument(enum fault fault, uint32_t argument)
{
	const struct fault_setting setting = {
		.mode = FAULT_MODE_ALWAYS, .argument_set = true, .argument = argument};

	assert_int_equal(remote_fault_set(host.remote, fault, &setting), 0);
}

static void set(enum fault fault)
{
	const struct fault_setting setting = {.mode = FAULT_MODE_ALWAYS};

	assert_int_equal(remote_fault_set(host.remote, fault, &setting), 0);
}

static uint64_t fired(enum fault fault)
{
	struct fault_status status;

	assert_int_equal(remote_fault_status(host.remote, fault, &status), 0);
	return status.fired;
}

static void echo(const void *payload, uint32_t size)
{
	host_send(&host, HOST_ADDR, ECHO_ADDR, payload, size);
	host_run(&host);
}

/* ---- messages ----------------------------------------------------------------------------- */

static void test_fault_used_len_16_spares_a_message_without_payload(void **state)
{
	host_attach(&host, HOST_WITHOUT_NS);
	set(FAULT_USED_LEN_16);
	echo(NULL, 0);
	host_expect(&host, ECHO_ADDR, HOST_ADDR, NULL, 0);
	assert_int_equal(fired(FAULT_USED_LEN_16), 0);
	echo("x", 1);
	assert_int_equal(fired(FAULT_USED_LEN_16), 1);
}

static void test_fault_len_below_payload_spares_a_message_without_payload(void **state)
{
	host_attach(&host, HOST_WITHOUT_NS);
	set(FAULT_HDR_LEN_BELOW_PAYLOAD);
	echo(NULL, 0);
	assert_int_equal(fired(FAULT_HDR_LEN_BELOW_PAYLOAD), 0);
}

/* In a larger buffer 513 is a used length that a host may take. */
static void test_fault_used_len_513_needs_a_smaller_buffer(void **state)
{
	const struct host_options options = {.size = {1024, 512}};

	teardown(state);
	set_up_with(&options);
	host_attach(&host, HOST_WITHOUT_NS);
	set(FAULT_USED_LEN_513);
	echo("x", 1);
	host_expect(&host, ECHO_ADDR, HOST_ADDR, "x", 1);
	assert_int_equal(fired(FAULT_USED_LEN_513), 0);
}

/* The length of a message is 16 bits wide: nothing is above a buffer of 65552 bytes. */
static void test_fault_len_needs_a_buffer_that_it_can_be_above(void **state)
{
	const struct host_options options = {.num = {1, 1}, .size = {65552, 65552}};

	teardown(state);
	set_up_with(&options);
	host_attach(&host, HOST_WITHOUT_NS);
	set(FAULT_HDR_LEN_ABOVE_DESCRIPTOR);
	set(FAULT_HDR_LEN_ABOVE_BUFFER);
	echo("x", 1);
	host_expect(&host, ECHO_ADDR, HOST_ADDR, "x", 1);
	assert_int_equal(fired(FAULT_HDR_LEN_ABOVE_DESCRIPTOR), 0);
	assert_int_equal(fired(FAULT_HDR_LEN_ABOVE_BUFFER), 0);
}

static void test_fault_argument_says_how_far_above(void **state)
{
	host_attach(&host, HOST_WITHOUT_NS);
	set_argument(FAULT_HDR_LEN_ABOVE_USED, 1000);
	echo("x", 1);
	assert_int_equal(wire_get_le16(wire_buffer(&host, INPUT, 0) + 12), 1001);
	set_argument(FAULT_USED_LEN_ABOVE_DESCRIPTOR, 0x7fffffff);
	echo("x", 1);
	assert_int_equal(wire_used(&host, INPUT, 1).len, 512 + 0x7fffffffU);
}

static void test_fault_unbound_source_is_one_that_is_not_bound(void **state)
{
	host_service(&host, "a", "sink", 0x3fffff00);
	host_service(&host, "b", "sink", 0x3fffff01);
	host_attach(&host, HOST_WITHOUT_NS);
	set(FAULT_HDR_SRC_UNBOUND);
	echo("x", 1);
	assert_int_equal(wire_get_le32(wire_buffer(&host, INPUT, 0)), 0x3fffff02);
	set_argument(FAULT_HDR_SRC_UNBOUND, RPMSG_ADDR_NS);
	echo("x", 1);
	assert_int_equal(wire_get_le32(wire_buffer(&host, INPUT, 1)), 54);
}

static void test_fault_field_that_has_the_value_already_is_no_fault(void **state)
{
	const struct remote_message message = {.hdr = {.src = 7, .dst = 7, .flags = 0xa5a5}};

	host_attach(&host, HOST_WITHOUT_NS);
	set(FAULT_HDR_FLAGS);
	set(FAULT_HDR_DST_OWN);
	assert_int_equal(remote_send(host.remote, &message), 0);
	assert_int_equal(fired(FAULT_HDR_FLAGS), 0);
	assert_int_equal(fired(FAULT_HDR_DST_OWN), 0);
}

static void test_fault_of_a_message_that_waited_acts_when_it_goes(void **state)
{
	host_attach(&host, HOST_WITHOUT_NS);
	remote_hold(host.remote, INPUT, 0);
	echo("x", 1);
	set(FAULT_USED_LEN_0);
	assert_int_equal(fired(FAULT_USED_LEN_0), 0);
	remote_release(host.remote, INPUT, 0);
	wire_expect_used(&host, INPUT, 0, 0, 0);
	assert_int_equal(fired(FAULT_USED_LEN_0), 1);
}

/* Without VERSION_1 the order is the driver's own: there is no other to be wrong in. */
static void test_fault_big_endian_needs_a_link_of_fixed_order(void **state)
{
	host_attach(&host, HOST_WITHOUT_NS & ~VIRTIO_BIT(VIRTIO_F_VERSION_1));
	set(FAULT_ORDER_BIG_ENDIAN);
	echo("x", 1);
	host_expect(&host, ECHO_ADDR, HOST_ADDR, "x", 1);
	assert_int_equal(fired(FAULT_ORDER_BIG_ENDIAN), 0);
}

/* ---- name service ------------------------------------------------------------------------- */

static void test_fault_ns_len_496_needs_a_buffer_of_512(void **state)
{
	const struct host_options options = {.size = {511, 512}};

	teardown(state);
	set_up_with(&options);
	set(FAULT_NS_LEN_496);
	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	host_expect_ns(&host, "echo", ECHO_ADDR, RPMSG_NS_CREATE);
	assert_int_equal(fired(FAULT_NS_LEN_496), 0);
}

static void test_fault_ns_dirty_name_needs_room_behind_it(void **state)
{
	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	set(FAULT_NS_NAME_DIRTY);
	host_service(&host, "a-name-of-all-the-31-bytes-ther", "sink", RPMSG_ADDR_ANY);
	host_run(&host);
	assert_int_equal(fired(FAULT_NS_NAME_DIRTY), 0);
	host_service(&host, "a-name-of-only-30-bytes-to-fil", "sink", RPMSG_ADDR_ANY);
	host_run(&host);
	assert_int_equal(fired(FAULT_NS_NAME_DIRTY), 1);
}

static void test_fault_ns_unknown_flags_leave_the_known_one(void **state)
{
	uint32_t addr = ECHO_ADDR;

	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	set_argument(FAULT_NS_FLAGS_UNKNOWN, 0x10001 & ~1U);
	assert_int_equal(remote_withdraw(host.remote, "echo", &addr), 0);
	assert_int_equal(wire_get_le32(wire_buffer(&host, INPUT, 1) + 52), 0x10001);
}

/* A withdrawal is an announcement that others follow, but nothing to say twice. */
static void test_fault_ns_duplicate_is_of_a_create(void **state)
{
	uint32_t addr = ECHO_ADDR;

	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	host_discard(&host);
	assert_int_equal(remote_withdraw(host.remote, "echo", &addr), 0);
	set(FAULT_NS_DUPLICATE);
	host_run(&host);
	host_expect_ns(&host, "echo", ECHO_ADDR, RPMSG_NS_DESTROY);
	host_expect_nothing(&host);
	assert_int_equal(fired(FAULT_NS_DUPLICATE), 0);
}

static void test_fault_ns_that_follows_waits_for_the_next_announcement(void **state)
{
	uint32_t addr = ECHO_ADDR;

	assert_int_equal(remote_withdraw(host.remote, "echo", &addr), 0);
	host_attach(&host, HOST_FEATURES);
	set(FAULT_NS_DUPLICATE);
	host_run(&host);
	host_expect_nothing(&host);
	host_service(&host, "sink", "sink", 77);
	host_expect_ns(&host, "sink", 77, RPMSG_NS_CREATE);
	host_expect_ns(&host, "sink", 77, RPMSG_NS_CREATE);
	host_expect_nothing(&host);
}

static void test_fault_ns_that_follows_needs_the_feature(void **state)
{
	host_attach(&host, HOST_WITHOUT_NS);
	set(FAULT_NS_DESTROY_RPMSG_NS);
	set(FAULT_NS_WITHOUT_FEATURE);
	host_service(&host, "sink", "sink", 77);
	host_run(&host);
	host_expect_ns(&host, "sink", 77, RPMSG_NS_CREATE);
	host_expect_nothing(&host);
	assert_int_equal(fired(FAULT_NS_DESTROY_RPMSG_NS), 0);
}

/* What it has to say waits in its turn for a buffer, as all else does. */
static void test_fault_ns_that_follows_waits_for_buffers(void **state)
{
	host_attach_bare(&host, HOST_FEATURES);
	host_supply(&host, 1);
	set(FAULT_NS_DESTROY_ANY);
	host_run(&host);
	host_expect_ns(&host, "echo", ECHO_ADDR, RPMSG_NS_CREATE);
	host_expect_nothing(&host);
	assert_int_equal(remote_get_stats(host.remote)->backlog, 1);
	host_supply(&host, UINT32_MAX);
	host_run(&host);
	assert_int_equal(wire_get_le32(wire_buffer(&host, INPUT, 0) + 48), RPMSG_ADDR_ANY);
	assert_int_equal(fired(FAULT_NS_DESTROY_ANY), 1);
	/* It was told of like any announcement. */
	assert_int_equal(host_event_count(&host, REMOTE_EVENT_NS), 2);
	assert_int_equal(host_event(&host, REMOTE_EVENT_NS, 1)->ns.addr, RPMSG_ADDR_ANY);
}

/* Set twice it goes on from where it was; it ends with the session. */
static void test_fault_ns_flood_gives_way_to_messages(void **state)
{
	host_attach_bare(&host, HOST_FEATURES);
	host_run(&host);
	set_argument(FAULT_NS_FLOOD, 2);
	echo("x", 1);
	host_supply(&host, UINT32_MAX);
	host_run(&host);
	host_expect_ns(&host, "echo", ECHO_ADDR, RPMSG_NS_CREATE);
	host_expect(&host, ECHO_ADDR, HOST_ADDR, "x", 1);
	host_expect_ns(&host, "flood-0", 0x10000, RPMSG_NS_CREATE);
	host_expect_ns(&host, "flood-1", 0x10001, RPMSG_NS_CREATE);
}

static void test_fault_ns_flood_of_none_is_none(void **state)
{
	host_attach(&host, HOST_FEATURES);
	set_argument(FAULT_NS_FLOOD, 0);
	host_run(&host);
	assert_int_equal(fired(FAULT_NS_FLOOD), 0);
	assert_int_equal(host_discard(&host), 1);
}

static void test_fault_early_announcement_without_a_buffer_comes_later(void **state)
{
	struct virtq_rings rings;

	host_attach_bare(&host, HOST_FEATURES);
	remote_detach(host.remote);
	rings = host.vq[INPUT].rings;
	virtq_stop(&host.vq[INPUT]);
	assert_int_equal(virtq_start(&host.vq[INPUT], &host.mem, 16, &rings, 0, HOST_FEATURES), 0);
	set(FAULT_NS_BEFORE_DRIVER_OK);
	remote_queue_ready(host.remote, &host.vq[INPUT], HOST_FEATURES);
	assert_int_equal(wire_used_idx(&host, INPUT), 0);
	host_supply(&host, UINT32_MAX);
	assert_int_equal(
		remote_attach(host.remote, &host.vq[INPUT], &host.vq[OUTPUT], HOST_FEATURES), 0);
	host_run(&host);
	host_expect_ns(&host, "echo", ECHO_ADDR, RPMSG_NS_CREATE);
	host_expect_nothing(&host);
}

static void test_fault_early_announcement_of_nothing_is_none(void **state)
{
	uint32_t addr = ECHO_ADDR;

	assert_int_equal(remote_withdraw(host.remote, "echo", &addr), 0);
	set(FAULT_NS_BEFORE_DRIVER_OK);
	remote_queue_ready(host.remote, &host.vq[INPUT], HOST_FEATURES);
	assert_int_equal(fired(FAULT_NS_BEFORE_DRIVER_OK), 0);
	host_service(&host, "echo", "echo", ECHO_ADDR);
	remote_queue_ready(host.remote, &host.vq[INPUT], HOST_WITHOUT_NS);
	assert_int_equal(fired(FAULT_NS_BEFORE_DRIVER_OK), 0);
}

/* ---- rings -------------------------------------------------------------------------------- */

static void test_fault_write_readable_spares_a_message_cut_inside_the_field(void **state)
{
	const uint32_t inside[] = {10, 7, 0}, before[] = {8, 9, 0};
	uint8_t bytes[17];

	host_attach(&host, HOST_WITHOUT_NS);
	set(FAULT_RING_WRITE_READABLE);
	host_header(&host, bytes, HOST_ADDR, ECHO_ADDR, 1);
	bytes[16] = 'x';
	host_send_pieces(&host, bytes, inside, false);
	host_run(&host);
	assert_int_equal(fired(FAULT_RING_WRITE_READABLE), 0);
	assert_memory_equal(wire_buffer(&host, OUTPUT, 0), bytes, sizeof(bytes));
	host_send_pieces(&host, bytes, before, true);
	host_run(&host);
	assert_int_equal(fired(FAULT_RING_WRITE_READABLE), 1);
	host_send_bytes(&host, bytes, 11);
	host_run(&host);
	assert_int_equal(fired(FAULT_RING_WRITE_READABLE), 1);
}

static void test_fault_another_needs_another_buffer(void **state)
{
	host_attach(&host, HOST_WITHOUT_NS);
	set_argument(FAULT_RING_RETURNS_ANOTHER, OUTPUT);
	echo("x", 1);
	assert_int_equal(fired(FAULT_RING_RETURNS_ANOTHER), 0);
	assert_int_equal(host_reclaim_all(&host), 1);
}

/* What was kept comes back at the end of the session at the latest. */
static void test_fault_another_is_kept_for_the_session(void **state)
{
	const struct fault_setting once = {.mode = FAULT_MODE_COUNT, .count = 1};

	host_attach(&host, HOST_WITHOUT_NS);
	assert_int_equal(remote_fault_set(host.remote, FAULT_RING_RETURNS_ANOTHER, &once), 0);
	echo("x", 1);
	assert_int_equal(wire_used_idx(&host, INPUT), 1);
	remote_detach(host.remote);
	assert_int_equal(wire_used_idx(&host, INPUT), 2);
	wire_expect_used(&host, INPUT, 1, 0, 17);
}

static void test_fault_of_one_queue_spares_the_other(void **state)
{
	host_attach(&host, HOST_WITHOUT_NS);
	set_argument(FAULT_RING_NOT_RETURNED, INPUT);
	set_argument(FAULT_RING_USED_IDX_BACK, INPUT);
	echo("x", 1);
	assert_int_equal(wire_used_idx(&host, OUTPUT), 1);
	assert_int_equal(wire_used_idx(&host, INPUT), 0);
	assert_int_equal(fired(FAULT_RING_NOT_RETURNED), 1);
	assert_int_equal(fired(FAULT_RING_USED_IDX_BACK), 0);
}

static void test_fault_on_a_broken_queue_does_nothing(void **state)
{
	host_attach(&host, HOST_WITHOUT_NS);
	remote_hold(host.remote, OUTPUT, 0);
	echo("x", 1);
	set_argument(FAULT_RING_USED_ID_TWICE, OUTPUT);
	virtq_break(&host.vq[OUTPUT], VIOLATION_VQ_LOOP, 0, 0, 0);
	remote_release(host.remote, OUTPUT, 0);
	assert_int_equal(fired(FAULT_RING_USED_ID_TWICE), 0);
	assert_int_equal(wire_used_idx(&host, OUTPUT), 0);
}

/* ---- life cycle --------------------------------------------------------------------------- */

static void test_fault_silence_begins_when_its_kicks_are_over(void **state)
{
	const struct fault_setting setting = {.mode = FAULT_MODE_COUNT, .count = 1, .after = 1};

	host_attach(&host, HOST_WITHOUT_NS);
	assert_int_equal(remote_fault_set(host.remote, FAULT_LIFE_SILENT, &setting), 0);
	for (unsigned int i = 0; i < 3; i++) {
		host_send(&host, HOST_ADDR, ECHO_ADDR, "x", 1);
		remote_kick(host.remote, OUTPUT, 1);
		host_run(&host);
		assert_int_equal(wire_used_idx(&host, OUTPUT), i == 0 ? 1 : i == 1 ? 1 : 3);
	}
}

/* A remote without services has nothing to announce and can start again all the same. */
static void test_fault_reboot_without_services_is_one(void **state)
{
	uint32_t addr = ECHO_ADDR;

	assert_int_equal(remote_withdraw(host.remote, "echo", &addr), 0);
	set(FAULT_LIFE_REBOOT);
	host_attach(&host, HOST_FEATURES);
	host_run(&host);
	assert_int_equal(fired(FAULT_LIFE_REBOOT), 1);
}

static void test_fault_reboot_that_is_cleared_in_time_is_none(void **state)
{
	host_attach(&host, HOST_FEATURES);
	set(FAULT_LIFE_REBOOT);
	remote_fault_clear(host.remote);
	host_run(&host);
	assert_int_equal(fired(FAULT_LIFE_REBOOT), 0);
	assert_int_equal(host_discard(&host), 1);
}

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_HOST(test_fault_used_len_16_spares_a_message_without_payload),
		ON_HOST(test_fault_len_below_payload_spares_a_message_without_payload),
		ON_HOST(test_fault_used_len_513_needs_a_smaller_buffer),
		ON_HOST(test_fault_len_needs_a_buffer_that_it_can_be_above),
		ON_HOST(test_fault_argument_says_how_far_above),
		ON_HOST(test_fault_unbound_source_is_one_that_is_not_bound),
		ON_HOST(test_fault_field_that_has_the_value_already_is_no_fault),
		ON_HOST(test_fault_of_a_message_that_waited_acts_when_it_goes),
		ON_HOST(test_fault_big_endian_needs_a_link_of_fixed_order),
		ON_HOST(test_fault_ns_len_496_needs_a_buffer_of_512),
		ON_HOST(test_fault_ns_dirty_name_needs_room_behind_it),
		ON_HOST(test_fault_ns_unknown_flags_leave_the_known_one),
		ON_HOST(test_fault_ns_duplicate_is_of_a_create),
		ON_HOST(test_fault_ns_that_follows_waits_for_the_next_announcement),
		ON_HOST(test_fault_ns_that_follows_needs_the_feature),
		ON_HOST(test_fault_ns_that_follows_waits_for_buffers),
		ON_HOST(test_fault_ns_flood_gives_way_to_messages),
		ON_HOST(test_fault_ns_flood_of_none_is_none),
		ON_HOST(test_fault_early_announcement_without_a_buffer_comes_later),
		ON_HOST(test_fault_early_announcement_of_nothing_is_none),
		ON_HOST(test_fault_write_readable_spares_a_message_cut_inside_the_field),
		ON_HOST(test_fault_another_needs_another_buffer),
		ON_HOST(test_fault_another_is_kept_for_the_session),
		ON_HOST(test_fault_of_one_queue_spares_the_other),
		ON_HOST(test_fault_on_a_broken_queue_does_nothing),
		ON_HOST(test_fault_silence_begins_when_its_kicks_are_over),
		ON_HOST(test_fault_reboot_without_services_is_one),
		ON_HOST(test_fault_reboot_that_is_cleared_in_time_is_none),
	};

	return cmocka_run_group_tests_name("fault_limits", tests, NULL, NULL);
}
