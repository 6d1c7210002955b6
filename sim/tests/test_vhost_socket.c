/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages and descriptors over a socket. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/vhost_fixture.h"
#include "vhost/socket.h"

#define OUR_END 0
#define THEIR_END 1

struct wire {
	struct fx *fx;
	struct vhost_reader reader;
	struct vhost_msg msg;
	int fds[2];
};

static int wire_setup(void **state)
{
	struct wire *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(fx_setup((void **)&w->fx), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, w->fds),
			 0);
	vhost_reader_init(&w->reader);
	vhost_msg_init(&w->msg, 0, 0);
	*state = w;
	return 0;
}

static void close_end(struct wire *w, int end)
{
	close(w->fds[end]);
	w->fds[end] = -1;
}

static int wire_teardown(void **state)
{
	struct wire *w = *state;
	void *fx = w->fx;

	vhost_reader_fini(&w->reader);
	vhost_msg_close_fds(&w->msg);
	for (int end = 0; end < 2; end++)
		if (w->fds[end] >= 0)
			close(w->fds[end]);
	free(w);
	return fx_teardown(&fx);
}

/* Any bytes with any descriptors, from the other end. */
static void send_bytes(struct wire *w, const void *bytes, size_t size, const int *fds,
		       unsigned int fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(253 * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = size};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd_count > 0) {
		struct cmsghdr *c;

		mh.msg_control = control.bytes;
		mh.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	}
	assert_int_equal(sendmsg(w->fds[THEIR_END], &mh, MSG_NOSIGNAL), size);
}

#define MESSAGE_SIZE (VHOST_HDR_SIZE + 8)

/* A message of eight payload bytes. */
static void put_message(uint8_t bytes[MESSAGE_SIZE], uint32_t request, uint64_t value)
{
	vhost_put_u32(bytes, request);
	vhost_put_u32(bytes + 4, VHOST_VERSION);
	vhost_put_u32(bytes + 8, 8);
	vhost_put_u64(bytes + VHOST_HDR_SIZE, value);
}

static int receive(struct wire *w)
{
	return vhost_read(&w->reader, w->fds[OUR_END], &w->msg, &w->fx->sink);
}

static void assert_message(struct wire *w, uint32_t request, uint64_t value)
{
	assert_int_equal(receive(w), 1);
	assert_int_equal(w->msg.request, request);
	assert_int_equal(w->msg.flags, VHOST_VERSION);
	assert_int_equal(w->msg.size, 8);
	assert_int_equal(vhost_get_u64(w->msg.payload), value);
}

/* reading */

static void test_read_of_nothing_waits(void **state)
{
	assert_int_equal(receive(*state), -EAGAIN);
}

static void test_read_never_waits_on_a_blocking_socket(void **state)
{
	struct wire *w = *state;

	assert_int_equal(fcntl(w->fds[OUR_END], F_SETFL, 0), 0);
	assert_int_equal(receive(w), -EAGAIN);
}

static void test_read_of_a_message(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[MESSAGE_SIZE];

	put_message(bytes, VHOST_SET_FEATURES, 0x1122334455667788);
	send_bytes(w, bytes, sizeof(bytes), NULL, 0);
	assert_message(w, VHOST_SET_FEATURES, 0x1122334455667788);
	assert_int_equal(w->msg.fd_count, 0);
	assert_int_equal(receive(w), -EAGAIN);
}

static void test_read_of_a_message_without_payload(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[MESSAGE_SIZE];

	put_message(bytes, VHOST_GET_FEATURES, 0);
	vhost_put_u32(bytes + 8, 0);
	send_bytes(w, bytes, VHOST_HDR_SIZE, NULL, 0);
	assert_int_equal(receive(w), 1);
	assert_int_equal(w->msg.size, 0);
}

static void test_read_of_the_longest_message(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[VHOST_HDR_SIZE + VHOST_MAX_PAYLOAD];

	memset(bytes, 0x77, sizeof(bytes));
	put_message(bytes, 1, 2);
	vhost_put_u32(bytes + 8, VHOST_MAX_PAYLOAD);
	send_bytes(w, bytes, sizeof(bytes), NULL, 0);
	assert_int_equal(receive(w), 1);
	assert_memory_equal(w->msg.payload, bytes + VHOST_HDR_SIZE, VHOST_MAX_PAYLOAD);
}

static void test_read_byte_by_byte(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[MESSAGE_SIZE];

	put_message(bytes, VHOST_SET_STATUS, 15);
	for (unsigned int i = 0; i + 1 < sizeof(bytes); i++) {
		send_bytes(w, bytes + i, 1, NULL, 0);
		assert_int_equal(receive(w), -EAGAIN);
	}
	send_bytes(w, bytes + sizeof(bytes) - 1, 1, NULL, 0);
	assert_message(w, VHOST_SET_STATUS, 15);
}

static void test_read_of_messages_sent_together_takes_one_at_a_time(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[3 * MESSAGE_SIZE];

	for (unsigned int i = 0; i < 3; i++)
		put_message(bytes + (size_t)i * MESSAGE_SIZE, 10 + i, i);
	send_bytes(w, bytes, sizeof(bytes), NULL, 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_message(w, 10 + i, i);
	assert_int_equal(receive(w), -EAGAIN);
}

static void test_read_of_messages_cut_at_any_place(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[2 * MESSAGE_SIZE];

	for (unsigned int cut = 1; cut < sizeof(bytes); cut++) {
		put_message(bytes, 1, cut);
		put_message(bytes + MESSAGE_SIZE, 2, cut);
		send_bytes(w, bytes, cut, NULL, 0);
		if (cut < MESSAGE_SIZE)
			assert_int_equal(receive(w), -EAGAIN);
		send_bytes(w, bytes + cut, sizeof(bytes) - cut, NULL, 0);
		assert_message(w, 1, cut);
		assert_message(w, 2, cut);
	}
}

static void test_read_of_a_wrong_version_is_a_protocol_error(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[MESSAGE_SIZE];

	put_message(bytes, 1, 0);
	vhost_put_u32(bytes + 4, 2);
	send_bytes(w, bytes, sizeof(bytes), NULL, 0);
	assert_int_equal(receive(w), -EPROTO);
	assert_reported(w->fx, VIOLATION_VU_VERSION);
}

static void test_read_of_a_size_above_the_limit_is_a_protocol_error(void **state)
{
	static const uint32_t sizes[] = {VHOST_MAX_PAYLOAD + 1, INT32_MAX, UINT32_MAX - 11,
					 UINT32_MAX};
	struct wire *w = *state;

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t bytes[MESSAGE_SIZE];

		put_message(bytes, 1, 0);
		vhost_put_u32(bytes + 8, sizes[i]);
		send_bytes(w, bytes, VHOST_HDR_SIZE, NULL, 0);
		vhost_reader_fini(&w->reader);
		assert_int_equal(receive(w), -EPROTO);
		assert_reported(w->fx, VIOLATION_VU_SIZE);
	}
}

static void test_read_after_a_protocol_error_reads_nothing_more(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[MESSAGE_SIZE];

	put_message(bytes, 1, 0);
	vhost_put_u32(bytes + 8, UINT32_MAX);
	for (unsigned int i = 0; i < 100; i++)
		send_bytes(w, bytes, sizeof(bytes), NULL, 0);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(receive(w), -EPROTO);
	assert_reported(w->fx, VIOLATION_VU_SIZE);
}

static void test_read_of_a_closed_socket_is_the_end(void **state)
{
	struct wire *w = *state;

	close_end(w, THEIR_END);
	assert_int_equal(receive(w), -ENODATA);
}

static void test_read_of_a_socket_closed_after_a_message(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[MESSAGE_SIZE];

	put_message(bytes, 1, 2);
	send_bytes(w, bytes, sizeof(bytes), NULL, 0);
	close_end(w, THEIR_END);
	assert_message(w, 1, 2);
	assert_int_equal(receive(w), -ENODATA);
}

static void test_read_of_a_socket_closed_inside_a_message_is_a_protocol_error(void **state)
{
	struct wire *w = *state;

	for (unsigned int cut = 1; cut < MESSAGE_SIZE; cut++) {
		uint8_t bytes[MESSAGE_SIZE];

		put_message(bytes, 1, 2);
		send_bytes(w, bytes, cut, NULL, 0);
		close_end(w, THEIR_END);
		assert_int_equal(receive(w), -EPROTO);
		assert_reported(w->fx, VIOLATION_VU_SHORT_MESSAGE);

		close_end(w, OUR_END);
		vhost_reader_fini(&w->reader);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->fds), 0);
	}
}

/* descriptors */

static void test_read_takes_descriptors_with_the_message(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[MESSAGE_SIZE];
	int sent[3] = {w->fx->memory, w->fx->kick[0], w->fx->call[0]};

	put_message(bytes, 1, 2);
	send_bytes(w, bytes, sizeof(bytes), sent, 3);
	assert_message(w, 1, 2);
	assert_int_equal(w->msg.fd_count, 3);
	assert_int_equal(w->msg.fds_lost, 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(fcntl(w->msg.fds[i], F_GETFD), FD_CLOEXEC);
}

static void test_read_takes_descriptors_with_a_first_byte_that_comes_alone(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[MESSAGE_SIZE];

	put_message(bytes, 1, 2);
	send_bytes(w, bytes, 1, &w->fx->memory, 1);
	assert_int_equal(receive(w), -EAGAIN);
	send_bytes(w, bytes + 1, sizeof(bytes) - 1, NULL, 0);
	assert_message(w, 1, 2);
	assert_int_equal(w->msg.fd_count, 1);
}

static void test_read_takes_as_many_descriptors_as_a_message_may_have(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[MESSAGE_SIZE];
	int fds[VHOST_MAX_FDS];

	for (unsigned int i = 0; i < VHOST_MAX_FDS; i++)
		fds[i] = w->fx->memory;
	put_message(bytes, 1, 2);
	send_bytes(w, bytes, sizeof(bytes), fds, VHOST_MAX_FDS);
	assert_message(w, 1, 2);
	assert_int_equal(w->msg.fd_count, VHOST_MAX_FDS);
	assert_int_equal(w->msg.fds_lost, 0);
}

static void test_read_closes_and_counts_surplus_descriptors(void **state)
{
	static const unsigned int counts[] = {VHOST_MAX_FDS + 1, 16, 253};
	struct wire *w = *state;
	uint32_t extra = 0;

	for (unsigned int i = 0; i < 3; i++) {
		int fds[253], open_before = fx_open_fds();
		uint8_t bytes[MESSAGE_SIZE];

		for (unsigned int f = 0; f < counts[i]; f++)
			fds[f] = w->fx->memory;
		put_message(bytes, 1, 2);
		send_bytes(w, bytes, sizeof(bytes), fds, counts[i]);
		assert_message(w, 1, 2);
		assert_int_equal(w->msg.fd_count, VHOST_MAX_FDS);
		assert_int_equal(w->msg.fds_lost, counts[i] - VHOST_MAX_FDS);
		extra += counts[i] - VHOST_MAX_FDS;
		assert_int_equal(w->reader.extra_fds, extra);
		vhost_msg_close_fds(&w->msg);
		assert_int_equal(fx_open_fds(), open_before);
	}
}

static void test_read_closes_descriptors_that_come_inside_a_message(void **state)
{
	struct wire *w = *state;
	int open_before = fx_open_fds();

	for (unsigned int cut = 1; cut < MESSAGE_SIZE; cut++) {
		uint8_t bytes[MESSAGE_SIZE];

		put_message(bytes, 1, cut);
		send_bytes(w, bytes, cut, NULL, 0);
		assert_int_equal(receive(w), -EAGAIN);
		send_bytes(w, bytes + cut, sizeof(bytes) - cut, &w->fx->memory, 1);
		assert_message(w, 1, cut);
		assert_int_equal(w->msg.fd_count, 0);
		assert_int_equal(w->msg.fds_lost, 1);
		assert_int_equal(fx_open_fds(), open_before);
	}
}

static void test_read_takes_no_other_ancillary_data_for_descriptors(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[MESSAGE_SIZE];
	int on = 1;

	assert_int_equal(setsockopt(w->fds[OUR_END], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	put_message(bytes, 1, 2);
	send_bytes(w, bytes, sizeof(bytes), &w->fx->memory, 1);
	assert_message(w, 1, 2);
	assert_int_equal(w->msg.fd_count, 1);
	assert_int_equal(w->msg.fds_lost, 0);
}

static void test_read_gives_each_message_its_own_descriptors(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[MESSAGE_SIZE];

	put_message(bytes, 1, 1);
	send_bytes(w, bytes, sizeof(bytes), &w->fx->memory, 1);
	put_message(bytes, 2, 2);
	send_bytes(w, bytes, sizeof(bytes), NULL, 0);
	put_message(bytes, 3, 3);
	send_bytes(w, bytes, sizeof(bytes), w->fx->kick, 2);
	assert_message(w, 1, 1);
	assert_int_equal(w->msg.fd_count, 1);
	vhost_msg_close_fds(&w->msg);
	assert_message(w, 2, 2);
	assert_int_equal(w->msg.fd_count, 0);
	assert_message(w, 3, 3);
	assert_int_equal(w->msg.fd_count, 2);
}

static void test_read_of_an_unfinished_message_closes_its_descriptors_at_the_end(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[MESSAGE_SIZE];
	int open_before = fx_open_fds();

	put_message(bytes, 1, 1);
	send_bytes(w, bytes, 5, w->fx->kick, 2);
	assert_int_equal(receive(w), -EAGAIN);
	assert_int_equal(fx_open_fds(), open_before + 2);
	vhost_reader_fini(&w->reader);
	assert_int_equal(fx_open_fds(), open_before);
}

/* The kernel drops what a process may not open, and says so. */
static void test_read_counts_descriptors_that_the_process_limit_cut_off(void **state)
{
	struct wire *w = *state;
	struct rlimit before, limit;
	uint8_t bytes[MESSAGE_SIZE];
	int ret;

	put_message(bytes, 1, 2);
	send_bytes(w, bytes, sizeof(bytes), w->fx->kick, 2);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ret = receive(w);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(ret, 1);
	assert_int_equal(w->msg.fd_count, 0);
	assert_int_equal(w->msg.fds_lost, 1);
}

/* writing */

static void test_write_then_read_gives_the_same_message(void **state)
{
	struct wire *w = *state;
	struct vhost_msg msg;

	vhost_msg_init(&msg, VHOST_SET_MEM_TABLE, VHOST_FLAG_NEED_REPLY);
	msg.size = 100;
	memset(msg.payload, 0x42, msg.size);
	msg.fds[0] = w->fx->memory;
	msg.fds[1] = w->fx->kick[0];
	msg.fd_count = 2;
	assert_int_equal(vhost_write(w->fds[THEIR_END], &msg), 0);
	assert_int_equal(receive(w), 1);
	assert_int_equal(w->msg.request, VHOST_SET_MEM_TABLE);
	assert_int_equal(w->msg.flags, VHOST_VERSION | VHOST_FLAG_NEED_REPLY);
	assert_int_equal(w->msg.size, 100);
	assert_memory_equal(w->msg.payload, msg.payload, 100);
	assert_int_equal(w->msg.fd_count, 2);
	assert_true(fcntl(w->fx->memory, F_GETFD) >= 0); /* still the sender's */
}

static void test_write_to_a_closed_socket_raises_no_signal(void **state)
{
	struct wire *w = *state;
	struct vhost_msg msg;

	close_end(w, THEIR_END);
	vhost_msg_init(&msg, 1, VHOST_FLAG_REPLY);
	assert_int_equal(vhost_write(w->fds[OUR_END], &msg), -EPIPE);
}

static void test_write_to_a_front_end_that_does_not_read_gives_up(void **state)
{
	struct wire *w = *state;
	struct vhost_msg msg;
	int ret = 0;

	vhost_msg_init(&msg, 1, VHOST_FLAG_REPLY);
	for (unsigned int i = 0; i < 100000 && ret == 0; i++)
		ret = vhost_write(w->fds[OUR_END], &msg);
	assert_int_equal(ret, -EAGAIN);
}

static void test_write_of_a_message_above_the_limits_is_refused(void **state)
{
	struct wire *w = *state;
	struct vhost_msg msg;

	vhost_msg_init(&msg, 1, 0);
	msg.size = VHOST_MAX_PAYLOAD + 1;
	assert_int_equal(vhost_write(w->fds[OUR_END], &msg), -EINVAL);
	msg.size = 0;
	msg.fd_count = VHOST_MAX_FDS + 1;
	assert_int_equal(vhost_write(w->fds[OUR_END], &msg), -EINVAL);
}

/* both ends */

/* What the daemon does with each message. */
static int serve(struct wire *w)
{
	struct vhost_msg reply;
	int ret = receive(w);

	if (ret != 1)
		return ret;
	ret = backend_handle(&w->fx->be, &w->msg, &reply);
	return ret == 1 ? vhost_write(w->fds[OUR_END], &reply) : ret;
}

static void test_session_request_is_answered_over_the_socket(void **state)
{
	struct wire *w = *state;
	struct vhost_msg msg;
	struct vhost_reader reader;

	vhost_msg_init(&msg, VHOST_GET_FEATURES, 0);
	assert_int_equal(vhost_write(w->fds[THEIR_END], &msg), 0);
	assert_int_equal(serve(w), 0);
	vhost_reader_init(&reader);
	assert_int_equal(vhost_read(&reader, w->fds[THEIR_END], &msg, NULL), 1);
	assert_int_equal(msg.request, VHOST_GET_FEATURES);
	assert_int_equal(msg.flags, VHOST_VERSION | VHOST_FLAG_REPLY);
	assert_int_equal(msg.size, 8);
}

static void test_session_memory_and_kick_work_over_the_socket(void **state)
{
	struct wire *w = *state;
	uint8_t payload[VHOST_MEM_HDR_SIZE + VHOST_MEM_REGION_SIZE] = {1};
	struct vhost_msg msg;

	vhost_put_u64(payload + 8, FX_GUEST);
	vhost_put_u64(payload + 16, FX_MEM_SIZE);
	vhost_put_u64(payload + 24, FX_USER);
	vhost_msg_init(&msg, VHOST_SET_MEM_TABLE, 0);
	memcpy(msg.payload, payload, sizeof(payload));
	msg.size = sizeof(payload);
	msg.fds[0] = w->fx->memory;
	msg.fd_count = 1;
	assert_int_equal(vhost_write(w->fds[THEIR_END], &msg), 0);
	assert_int_equal(serve(w), 0);
	assert_int_equal(w->fx->be.mem.count, 1);

	vhost_msg_init(&msg, VHOST_SET_VRING_KICK, 0);
	vhost_put_u64(msg.payload, 0);
	msg.size = 8;
	msg.fds[0] = w->fx->kick[0];
	msg.fd_count = 1;
	assert_int_equal(vhost_write(w->fds[THEIR_END], &msg), 0);
	assert_int_equal(serve(w), 0);
	assert_true(w->fx->be.queues[0].kick_set);
}

static void test_session_surplus_descriptors_refuse_the_request(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[VHOST_HDR_SIZE + VHOST_MEM_HDR_SIZE + 8 * VHOST_MEM_REGION_SIZE] = {0};
	int fds[VHOST_MAX_FDS + 1];

	/* Eight regions and nine descriptors: the ninth must not go unnoticed. */
	vhost_put_u32(bytes, VHOST_SET_MEM_TABLE);
	vhost_put_u32(bytes + 4, VHOST_VERSION);
	vhost_put_u32(bytes + 8, sizeof(bytes) - VHOST_HDR_SIZE);
	vhost_put_u32(bytes + VHOST_HDR_SIZE, 8);
	for (unsigned int i = 0; i <= VHOST_MAX_FDS; i++)
		fds[i] = w->fx->memory;
	for (unsigned int i = 0; i < 8; i++) {
		uint8_t *region = bytes + VHOST_HDR_SIZE + VHOST_MEM_HDR_SIZE +
				  (size_t)i * VHOST_MEM_REGION_SIZE;

		vhost_put_u64(region, FX_GUEST + UINT64_C(4096) * i);
		vhost_put_u64(region + 8, 4096);
		vhost_put_u64(region + 16, FX_USER + UINT64_C(4096) * i);
	}
	send_bytes(w, bytes, sizeof(bytes), fds, VHOST_MAX_FDS + 1);
	assert_int_equal(serve(w), 0);
	assert_reported(w->fx, VIOLATION_VU_FD_COUNT);
	assert_int_equal(w->fx->be.mem.count, 0);
}

static void test_session_goes_on_after_a_refused_request(void **state)
{
	struct wire *w = *state;
	uint8_t bytes[MESSAGE_SIZE];

	put_message(bytes, 99, 0);
	send_bytes(w, bytes, sizeof(bytes), w->fx->kick, 2);
	put_message(bytes, VHOST_SET_FEATURES, FX_ACKED);
	send_bytes(w, bytes, sizeof(bytes), NULL, 0);
	assert_int_equal(serve(w), 0);
	assert_reported(w->fx, VIOLATION_VU_UNKNOWN_REQUEST);
	assert_int_equal(serve(w), 0);
	assert_int_equal(w->fx->be.acked, FX_ACKED);
}

#define wire_test(name) cmocka_unit_test_setup_teardown(name, wire_setup, wire_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		wire_test(test_read_of_nothing_waits),
		wire_test(test_read_never_waits_on_a_blocking_socket),
		wire_test(test_read_of_a_message),
		wire_test(test_read_of_a_message_without_payload),
		wire_test(test_read_of_the_longest_message),
		wire_test(test_read_byte_by_byte),
		wire_test(test_read_of_messages_sent_together_takes_one_at_a_time),
		wire_test(test_read_of_messages_cut_at_any_place),
		wire_test(test_read_of_a_wrong_version_is_a_protocol_error),
		wire_test(test_read_of_a_size_above_the_limit_is_a_protocol_error),
		wire_test(test_read_after_a_protocol_error_reads_nothing_more),
		wire_test(test_read_of_a_closed_socket_is_the_end),
		wire_test(test_read_of_a_socket_closed_after_a_message),
		wire_test(test_read_of_a_socket_closed_inside_a_message_is_a_protocol_error),
		wire_test(test_read_takes_descriptors_with_the_message),
		wire_test(test_read_takes_descriptors_with_a_first_byte_that_comes_alone),
		wire_test(test_read_takes_as_many_descriptors_as_a_message_may_have),
		wire_test(test_read_closes_and_counts_surplus_descriptors),
		wire_test(test_read_closes_descriptors_that_come_inside_a_message),
		wire_test(test_read_takes_no_other_ancillary_data_for_descriptors),
		wire_test(test_read_gives_each_message_its_own_descriptors),
		wire_test(test_read_of_an_unfinished_message_closes_its_descriptors_at_the_end),
		wire_test(test_read_counts_descriptors_that_the_process_limit_cut_off),
		wire_test(test_write_then_read_gives_the_same_message),
		wire_test(test_write_to_a_closed_socket_raises_no_signal),
		wire_test(test_write_to_a_front_end_that_does_not_read_gives_up),
		wire_test(test_write_of_a_message_above_the_limits_is_refused),
		wire_test(test_session_request_is_answered_over_the_socket),
		wire_test(test_session_memory_and_kick_work_over_the_socket),
		wire_test(test_session_surplus_descriptors_refuse_the_request),
		wire_test(test_session_goes_on_after_a_refused_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
