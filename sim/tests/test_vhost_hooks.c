/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a device that simulates faults takes part in the session: points at which it ends it,
 * replies that are late or never come, NEEDS_RESET, and messages to the front-end.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/vhost_fixture.h"

#define REQUESTS VIRTIO_BIT(VHOST_PROTOCOL_F_BACKEND_REQ)

/* What the hooks do, and were asked. */
static struct {
	bool crash;
	enum backend_point point;
	unsigned int points[4];
	uint64_t delay;
	uint32_t delayed_request;
} hook;

static bool on_crash(void *ctx, enum backend_point point)
{
	hook.points[point]++;
	return hook.crash && hook.point == point;
}

static uint64_t on_reply_delay(void *ctx, uint32_t request)
{
	hook.delayed_request = request;
	return hook.delay;
}

static const struct backend_hooks hooks = {.crash = on_crash, .reply_delay = on_reply_delay};

static int setup(void **state)
{
	int ret = fx_setup(state);
	struct fx *fx = *state;

	memset(&hook, 0, sizeof(hook));
	fx->ops.hooks = &hooks;
	return ret;
}

/* A session whose device wants to send messages to the front-end. */
static void offer_requests(struct fx *fx)
{
	backend_fini(&fx->be);
	fx->offer.backend_requests = true;
	assert_int_equal(backend_init(&fx->be, &fx->offer, &fx->ops, fx, &fx->sink), 0);
}

/* ---- points ------------------------------------------------------------------------------- */

static void crash_at(enum backend_point point)
{
	hook.crash = true;
	hook.point = point;
}

static void test_hooks_crash_at_features_sets_none(void **state)
{
	struct fx *fx = *state;

	crash_at(BACKEND_POINT_FEATURES);
	fx_u64(fx, VHOST_SET_FEATURES, FX_ACKED);
	assert_int_equal(fx->result, -ECONNABORTED);
	assert_false(fx->be.features_set);
	assert_events(fx, "");
}

static void test_hooks_crash_at_memory_maps_none(void **state)
{
	struct fx *fx = *state;
	struct fx_region whole = fx_whole_memory();

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	crash_at(BACKEND_POINT_MEMORY);
	fx_table(fx, &whole, 1);
	assert_int_equal(fx->result, -ECONNABORTED);
	fx_region(fx, VHOST_ADD_MEM_REG, &whole, fx->memory);
	assert_int_equal(fx->result, -ECONNABORTED);
	assert_int_equal(fx->be.mem.count, 0);
	assert_int_equal(hook.points[BACKEND_POINT_MEMORY], 2);
}

static void test_hooks_crash_at_vring_starts_none(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	crash_at(BACKEND_POINT_VRING);
	fx_addr(fx, 0, &addr);
	assert_int_equal(fx->result, -ECONNABORTED);
	assert_false(fx->be.queues[0].addr_set);
}

static void test_hooks_crash_at_driver_ok_tells_the_device_nothing(void **state)
{
	struct fx *fx = *state;

	crash_at(BACKEND_POINT_DRIVER_OK);
	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_rings(fx);
	assert_int_equal(hook.points[BACKEND_POINT_DRIVER_OK], 0);
	fx_u64(fx, VHOST_SET_STATUS, FX_DRIVER_OK);
	assert_int_equal(fx->result, -ECONNABORTED);
	assert_false(fx->be.driver_ok);
	assert_null(strstr(fx->events, "driver_ok"));
}

static void test_hooks_that_let_all_pass_change_nothing(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	assert_int_equal(hook.points[BACKEND_POINT_FEATURES], 1);
	assert_int_equal(hook.points[BACKEND_POINT_MEMORY], 1);
	assert_int_equal(hook.points[BACKEND_POINT_VRING], 2);
	assert_int_equal(hook.points[BACKEND_POINT_DRIVER_OK], 1);
	assert_int_equal(fx->be.reply_delay, 0);
}

static void test_hooks_can_each_be_missing(void **state)
{
	static const struct backend_hooks none = {0};
	struct fx *fx = *state;

	fx->ops.hooks = &none;
	fx_run(fx);
}

/* ---- replies ------------------------------------------------------------------------------ */

static void test_hooks_reply_may_be_late(void **state)
{
	struct fx *fx = *state;

	hook.delay = 1234567;
	fx_bare(fx, VHOST_GET_FEATURES);
	assert_int_equal(fx->result, 1);
	assert_int_equal(fx->be.reply_delay, 1234567);
	assert_int_equal(hook.delayed_request, VHOST_GET_FEATURES);
	hook.delay = 0;
	fx_bare(fx, VHOST_GET_FEATURES);
	assert_int_equal(fx->be.reply_delay, 0);
}

static void test_hooks_reply_may_never_come(void **state)
{
	struct fx *fx = *state;

	hook.delay = BACKEND_REPLY_NEVER;
	fx_bare(fx, VHOST_GET_FEATURES);
	assert_int_equal(fx->result, 0);
}

static void test_hooks_request_without_reply_is_not_asked_about(void **state)
{
	struct fx *fx = *state;

	fx_bare(fx, VHOST_SET_OWNER);
	assert_int_equal(hook.delayed_request, 0);
}

/* ---- messages to the front-end ------------------------------------------------------------ */

static void open_channel(struct fx *fx, int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	fx_send(fx, VHOST_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1);
	assert_served(fx);
}

static void close_channel(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

/* The whole message: request 2, version 1, no payload. */
static void expect_config_change(int fd)
{
	uint8_t bytes[64];

	assert_int_equal(read(fd, bytes, sizeof(bytes)), VHOST_HDR_SIZE);
	assert_int_equal(vhost_get_u32(bytes), 2);
	assert_int_equal(vhost_get_u32(bytes + 4), 1);
	assert_int_equal(vhost_get_u32(bytes + 8), 0);
}

static void test_hooks_requests_are_offered_when_the_device_wants_them(void **state)
{
	struct fx *fx = *state;

	fx_bare(fx, VHOST_GET_PROTOCOL_FEATURES);
	assert_reply_u64(fx, FX_PROTOCOL);
	offer_requests(fx);
	fx_bare(fx, VHOST_GET_PROTOCOL_FEATURES);
	assert_reply_u64(fx, FX_PROTOCOL | REQUESTS);
}

static void test_hooks_config_change_is_told_on_the_channel(void **state)
{
	struct fx *fx = *state;
	int pair[2];

	offer_requests(fx);
	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL | REQUESTS);
	assert_int_equal(backend_config_changed(&fx->be), -ENOTCONN);
	open_channel(fx, pair);
	assert_int_equal(backend_config_changed(&fx->be), 0);
	expect_config_change(pair[0]);
	assert_int_equal(read(pair[0], pair, 1), -1);
	close_channel(pair);
}

static void test_hooks_channel_given_again_takes_the_place_of_the_first(void **state)
{
	struct fx *fx = *state;
	int first[2], second[2];

	offer_requests(fx);
	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL | REQUESTS);
	open_channel(fx, first);
	open_channel(fx, second);
	assert_int_equal(backend_config_changed(&fx->be), 0);
	expect_config_change(second[0]);
	close(first[1]);
	/* Nobody else has the other end any more. */
	assert_int_equal(read(first[0], second, 1), 0);
	close(first[0]);
	close(second[0]);
	close(second[1]);
}

static void test_hooks_config_change_needs_the_feature(void **state)
{
	struct fx *fx = *state;
	int pair[2];

	offer_requests(fx);
	fx_negotiate(fx, FX_ACKED, (FX_PROTOCOL | REQUESTS) & ~VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIG));
	open_channel(fx, pair);
	assert_int_equal(backend_config_changed(&fx->be), -ENOTCONN);
	close_channel(pair);
}

static void test_hooks_channel_that_was_not_negotiated_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_send(fx, VHOST_SET_BACKEND_REQ_FD, NULL, 0, &fx->memory, 1);
	assert_refused(fx, VIOLATION_VU_NOT_NEGOTIATED);
}

static void test_hooks_channel_that_is_no_socket_is_refused(void **state)
{
	struct fx *fx = *state;

	offer_requests(fx);
	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL | REQUESTS);
	fx_send(fx, VHOST_SET_BACKEND_REQ_FD, NULL, 0, &fx->memory, 1);
	assert_refused(fx, VIOLATION_VU_NOT_EVENTFD);
	assert_int_equal(fx->be.request_fd, -1);
	fx_bare(fx, VHOST_SET_BACKEND_REQ_FD);
	assert_refused(fx, VIOLATION_VU_FD_COUNT);
}

/* A front-end that does not read, or is gone, holds nothing up and raises no signal. */
static void test_hooks_channel_that_nobody_reads_does_not_block(void **state)
{
	struct fx *fx = *state;
	int pair[2], ret = 0;

	offer_requests(fx);
	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL | REQUESTS);
	open_channel(fx, pair);
	for (unsigned int i = 0; i < 1000000 && ret == 0; i++)
		ret = backend_config_changed(&fx->be);
	assert_int_equal(ret, -EAGAIN);
	close_channel(pair);
	assert_int_equal(backend_config_changed(&fx->be), -EPIPE);
}

static void test_hooks_needs_reset_stays_until_the_device_is_reset(void **state)
{
	const uint64_t needs = VIRTIO_STATUS_NEEDS_RESET;
	struct fx *fx = *state;
	int pair[2];

	offer_requests(fx);
	fx_run(fx);
	fx_bare(fx, VHOST_GET_STATUS);
	assert_reply_u64(fx, FX_DRIVER_OK);
	assert_int_equal(backend_needs_reset(&fx->be), -ENOTCONN);
	fx_bare(fx, VHOST_GET_STATUS);
	assert_reply_u64(fx, FX_DRIVER_OK | needs);
	/* A driver may write what it read, or what it wrote before. */
	fx_u64(fx, VHOST_SET_STATUS, FX_DRIVER_OK | needs);
	assert_served(fx);
	fx_u64(fx, VHOST_SET_STATUS, FX_DRIVER_OK);
	assert_served(fx);
	fx_bare(fx, VHOST_GET_STATUS);
	assert_reply_u64(fx, FX_DRIVER_OK | needs);
	assert_true(fx->be.driver_ok);

	fx_u64(fx, VHOST_SET_STATUS, 0);
	assert_served(fx);
	fx_bare(fx, VHOST_GET_STATUS);
	assert_reply_u64(fx, 0);
	fx_u64(fx, VHOST_SET_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | needs);
	assert_refused(fx, VIOLATION_VU_STATUS);
	fx_u64(fx, VHOST_SET_PROTOCOL_FEATURES, FX_PROTOCOL | REQUESTS);
	assert_served(fx);
	open_channel(fx, pair);
	assert_int_equal(backend_needs_reset(&fx->be), 0);
	expect_config_change(pair[0]);
	close_channel(pair);
}

#define ON_FX(test) cmocka_unit_test_setup_teardown(test, setup, fx_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_FX(test_hooks_crash_at_features_sets_none),
		ON_FX(test_hooks_crash_at_memory_maps_none),
		ON_FX(test_hooks_crash_at_vring_starts_none),
		ON_FX(test_hooks_crash_at_driver_ok_tells_the_device_nothing),
		ON_FX(test_hooks_that_let_all_pass_change_nothing),
		ON_FX(test_hooks_can_each_be_missing),
		ON_FX(test_hooks_reply_may_be_late),
		ON_FX(test_hooks_reply_may_never_come),
		ON_FX(test_hooks_request_without_reply_is_not_asked_about),
		ON_FX(test_hooks_requests_are_offered_when_the_device_wants_them),
		ON_FX(test_hooks_config_change_is_told_on_the_channel),
		ON_FX(test_hooks_channel_given_again_takes_the_place_of_the_first),
		ON_FX(test_hooks_config_change_needs_the_feature),
		ON_FX(test_hooks_channel_that_was_not_negotiated_is_refused),
		ON_FX(test_hooks_channel_that_is_no_socket_is_refused),
		ON_FX(test_hooks_channel_that_nobody_reads_does_not_block),
		ON_FX(test_hooks_needs_reset_stays_until_the_device_is_reset),
	};

	return cmocka_run_group_tests_name("vhost_hooks", tests, NULL, NULL);
}
