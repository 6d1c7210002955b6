/* SPDX-License-Identifier: BSD-2-Clause */
/* Kick, call and err descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/vhost_fixture.h"

static const uint32_t requests[] = {VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL,
				    VHOST_SET_VRING_ERR};

#define READ_END 0
#define WRITE_END 1

static void kick_through_pipe(struct fx *fx, int pipe_fds[2])
{
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	fx_run(fx);
	fx_event(fx, VHOST_SET_VRING_KICK, 0, pipe_fds[READ_END]);
	assert_served(fx);
}

static void call_through_pipe(struct fx *fx, int pipe_fds[2])
{
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
	fx_run(fx);
	fx_event(fx, VHOST_SET_VRING_CALL, 0, pipe_fds[WRITE_END]);
	assert_served(fx);
}

static void close_pipe(int pipe_fds[2])
{
	close(pipe_fds[READ_END]);
	close(pipe_fds[WRITE_END]);
}

/* what is taken */

static void test_event_of_another_kind_is_refused(void **state)
{
	struct fx *fx = *state;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fx_run(fx);
	for (unsigned int i = 0; i < 3; i++) {
		fx_event(fx, requests[i], 0, fx->memory);
		assert_refused(fx, VIOLATION_VU_NOT_EVENTFD);
		fx_event(fx, requests[i], 0, null);
		assert_refused(fx, VIOLATION_VU_NOT_EVENTFD);
		fx_event(fx, requests[i], 0, pair[0]);
		assert_refused(fx, VIOLATION_VU_NOT_EVENTFD);
	}
	assert_events(fx, "");
	close(null);
	close_pipe(pair);
}

static void test_event_pipe_in_the_wrong_direction_is_refused(void **state)
{
	struct fx *fx = *state;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	fx_run(fx);
	fx_event(fx, VHOST_SET_VRING_KICK, 0, fds[WRITE_END]);
	assert_refused(fx, VIOLATION_VU_NOT_EVENTFD);
	fx_event(fx, VHOST_SET_VRING_CALL, 0, fds[READ_END]);
	assert_refused(fx, VIOLATION_VU_NOT_EVENTFD);
	fx_event(fx, VHOST_SET_VRING_ERR, 0, fds[READ_END]);
	assert_refused(fx, VIOLATION_VU_NOT_EVENTFD);
	close_pipe(fds);
}

static void test_event_with_unknown_bits_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int i = 0; i < 3; i++) {
		for (unsigned int bit = 9; bit < 64; bit++) {
			fx_event(fx, requests[i], VIRTIO_BIT(bit), fx->kick[0]);
			assert_refused(fx, VIOLATION_VU_VALUE);
		}
	}
}

static void test_event_without_its_descriptor_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int i = 0; i < 3; i++) {
		fx_event(fx, requests[i], 0, -1);
		assert_refused(fx, VIOLATION_VU_FD_COUNT);
	}
}

static void test_event_with_a_descriptor_said_to_be_absent_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int i = 0; i < 3; i++) {
		fx_event(fx, requests[i], VHOST_VRING_NOFD, fx->kick[0]);
		assert_refused(fx, VIOLATION_VU_FD_COUNT);
	}
}

static void test_event_that_blocks_is_made_not_to(void **state)
{
	struct fx *fx = *state;
	int fd = eventfd(0, EFD_CLOEXEC);

	fx_run(fx);
	fx_event(fx, VHOST_SET_VRING_KICK, 0, fd);
	assert_served(fx);
	assert_int_equal(backend_clear_kick(&fx->be, 0), 0);
	close(fd);
}

/* kick */

static void test_kick_without_a_descriptor_makes_the_ring_polled(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	fx_ring(fx, 0);
	fx_event(fx, VHOST_SET_VRING_KICK, VHOST_VRING_NOFD, -1);
	fx->events[0] = '\0';
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	assert_served(fx);
	assert_events(fx, "started:0 kick_fd:0:none kick:0");
	assert_true(fx->be.queues[0].polled);
}

static void test_kick_descriptor_ends_polling(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_event(fx, VHOST_SET_VRING_KICK, VHOST_VRING_NOFD, -1);
	assert_served(fx);
	assert_events(fx, "kick_fd:0:none kick:0");
	assert_true(fx->be.queues[0].polled);
	fx_event(fx, VHOST_SET_VRING_KICK, 0, fx->kick[0]);
	assert_served(fx);
	assert_events(fx, "kick_fd:0:set kick:0");
	assert_false(fx->be.queues[0].polled);
}

static void test_kick_descriptor_of_a_running_ring_can_be_replaced(void **state)
{
	struct fx *fx = *state;
	int fds;

	fx_run(fx);
	fds = fx_open_fds();
	fx_event(fx, VHOST_SET_VRING_KICK, 0, fx->kick[1]);
	assert_served(fx);
	assert_events(fx, "kick_fd:0:set kick:0");
	assert_int_equal(fx_open_fds(), fds);
	eventfd_write(fx->kick[1], 1);
	assert_int_equal(backend_clear_kick(&fx->be, 0), 1);
}

static void test_kick_descriptor_refused_keeps_the_one_before(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_event(fx, VHOST_SET_VRING_KICK, 0, fx->memory);
	assert_refused(fx, VIOLATION_VU_NOT_EVENTFD);
	eventfd_write(fx->kick[0], 2);
	assert_int_equal(backend_clear_kick(&fx->be, 0), 2);
}

static void test_kicks_are_counted_and_cleared(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	assert_int_equal(backend_clear_kick(&fx->be, 0), 0);
	eventfd_write(fx->kick[0], 1);
	eventfd_write(fx->kick[0], 4);
	assert_int_equal(backend_clear_kick(&fx->be, 0), 5);
	assert_int_equal(backend_clear_kick(&fx->be, 0), 0);
}

static void test_kicks_beyond_counting_are_as_many_as_can_be(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	eventfd_write(fx->kick[0], UINT64_MAX - 1);
	assert_true(backend_clear_kick(&fx->be, 0) == INT64_MAX);
}

static void test_kicks_through_a_pipe_are_counted(void **state)
{
	struct fx *fx = *state;
	const uint64_t events[3] = {0};
	int fds[2];

	kick_through_pipe(fx, fds);
	assert_int_equal(backend_clear_kick(&fx->be, 0), 0);
	assert_int_equal(write(fds[WRITE_END], events, sizeof(events)), sizeof(events));
	assert_int_equal(backend_clear_kick(&fx->be, 0), 3);
	assert_int_equal(backend_clear_kick(&fx->be, 0), 0);
	close_pipe(fds);
}

static void test_kicks_through_a_full_pipe_take_bounded_work_each(void **state)
{
	struct fx *fx = *state;
	uint8_t flood[8192] = {0};
	int64_t sum = 0, count;
	int fds[2];

	kick_through_pipe(fx, fds);
	assert_int_equal(write(fds[WRITE_END], flood, sizeof(flood)), sizeof(flood));
	while ((count = backend_clear_kick(&fx->be, 0)) > 0) {
		assert_true(count <= 64);
		sum += count;
	}
	assert_int_equal(sum, sizeof(flood) / 8);
	close_pipe(fds);
}

static void test_kick_pipe_closed_by_the_front_end_is_an_error(void **state)
{
	struct fx *fx = *state;
	int fds[2];

	kick_through_pipe(fx, fds);
	close(fds[WRITE_END]);
	assert_int_equal(backend_clear_kick(&fx->be, 0), -EIO);
	close(fds[READ_END]);
}

static void test_kick_of_a_queue_without_a_descriptor_is_an_error(void **state)
{
	struct fx *fx = *state;

	assert_int_equal(backend_clear_kick(&fx->be, 0), -EIO);
}

/* call */

static void test_call_interrupts_the_driver(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	backend_call(&fx->be, 1);
	backend_call(&fx->be, 1);
	assert_int_equal(fx_count(fx->call[1]), 2);
	assert_int_equal(fx_count(fx->call[0]), 0);
	assert_int_equal(fx->be.queues[1].calls, 2);
}

static void test_call_without_a_descriptor_does_nothing(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_event(fx, VHOST_SET_VRING_CALL, VHOST_VRING_NOFD, -1);
	assert_served(fx);
	backend_call(&fx->be, 0);
	assert_int_equal(fx_count(fx->call[0]), 0);
	assert_int_equal(fx->be.queues[0].calls, 0);
}

static void test_call_of_a_stopped_ring_does_nothing(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_state(fx, VHOST_GET_VRING_BASE, 0, 0);
	backend_call(&fx->be, 0);
	assert_int_equal(fx_count(fx->call[0]), 0);
}

static void test_call_with_a_full_counter_does_not_block(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	eventfd_write(fx->call[0], UINT64_MAX - 1);
	backend_call(&fx->be, 0);
	assert_true(fx_count(fx->call[0]) == UINT64_MAX - 1);
	assert_int_equal(fx->be.queues[0].calls, 1);
}

static void test_call_through_a_pipe_writes_eight_bytes(void **state)
{
	struct fx *fx = *state;
	uint8_t bytes[64];
	int fds[2];

	call_through_pipe(fx, fds);
	backend_call(&fx->be, 0);
	assert_int_equal(read(fds[READ_END], bytes, sizeof(bytes)), 8);
	close_pipe(fds);
}

static void test_call_through_a_full_pipe_does_not_block(void **state)
{
	struct fx *fx = *state;
	const uint8_t bytes[4096] = {0};
	int fds[2];

	call_through_pipe(fx, fds);
	while (write(fds[WRITE_END], bytes, sizeof(bytes)) > 0)
		;
	backend_call(&fx->be, 0);
	close_pipe(fds);
}

/* SIGPIPE would end the process, and with it the test. */
static void test_call_through_a_pipe_that_nobody_reads_raises_no_signal(void **state)
{
	struct fx *fx = *state;
	int fds[2];

	call_through_pipe(fx, fds);
	close(fds[READ_END]);
	backend_call(&fx->be, 0);
	assert_int_equal(fx->be.queues[0].calls, 0);
	close(fds[WRITE_END]);
}

static void test_call_descriptor_replaced_closes_the_one_before(void **state)
{
	struct fx *fx = *state;
	int fds;

	fx_run(fx);
	fds = fx_open_fds();
	fx_event(fx, VHOST_SET_VRING_CALL, 0, fx->call[1]);
	assert_served(fx);
	assert_int_equal(fx_open_fds(), fds);
	backend_call(&fx->be, 0);
	assert_int_equal(fx_count(fx->call[1]), 1);
}

/* err */

static void test_error_is_signalled(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	backend_signal_error(&fx->be, 1);
	assert_int_equal(fx_count(fx->err[1]), 1);
	assert_int_equal(fx_count(fx->err[0]), 0);
}

static void test_error_without_a_descriptor_does_nothing(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_event(fx, VHOST_SET_VRING_ERR, VHOST_VRING_NOFD, -1);
	assert_served(fx);
	backend_signal_error(&fx->be, 0);
	assert_int_equal(fx_count(fx->err[0]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fx_test(test_event_of_another_kind_is_refused),
		fx_test(test_event_pipe_in_the_wrong_direction_is_refused),
		fx_test(test_event_with_unknown_bits_is_refused),
		fx_test(test_event_without_its_descriptor_is_refused),
		fx_test(test_event_with_a_descriptor_said_to_be_absent_is_refused),
		fx_test(test_event_that_blocks_is_made_not_to),
		fx_test(test_kick_without_a_descriptor_makes_the_ring_polled),
		fx_test(test_kick_descriptor_ends_polling),
		fx_test(test_kick_descriptor_of_a_running_ring_can_be_replaced),
		fx_test(test_kick_descriptor_refused_keeps_the_one_before),
		fx_test(test_kicks_are_counted_and_cleared),
		fx_test(test_kicks_beyond_counting_are_as_many_as_can_be),
		fx_test(test_kicks_through_a_pipe_are_counted),
		fx_test(test_kicks_through_a_full_pipe_take_bounded_work_each),
		fx_test(test_kick_pipe_closed_by_the_front_end_is_an_error),
		fx_test(test_kick_of_a_queue_without_a_descriptor_is_an_error),
		fx_test(test_call_interrupts_the_driver),
		fx_test(test_call_without_a_descriptor_does_nothing),
		fx_test(test_call_of_a_stopped_ring_does_nothing),
		fx_test(test_call_with_a_full_counter_does_not_block),
		fx_test(test_call_through_a_pipe_writes_eight_bytes),
		fx_test(test_call_through_a_full_pipe_does_not_block),
		fx_test(test_call_through_a_pipe_that_nobody_reads_raises_no_signal),
		fx_test(test_call_descriptor_replaced_closes_the_one_before),
		fx_test(test_error_is_signalled),
		fx_test(test_error_without_a_descriptor_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
