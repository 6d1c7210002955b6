/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The front-end against back-ends that do not do what they should. Answers lie in the socket
 * before they are asked for: the front-end cannot tell, and no second thread is needed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/vhost_fixture.h"
#include "vhost/frontend.h"

#define PROTOCOL VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES)
#define REPLY (VHOST_VERSION | VHOST_FLAG_REPLY)

struct hostile {
	struct frontend fe;
	struct frontend_options options;
	int fd; /* the back-end's end */
	int fds_before;
	char directory[32];
};

static void attach(struct hostile *h)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	h->fd = fds[1];
	assert_int_equal(frontend_attach(&h->fe, fds[0], &h->options), 0);
}

static int hostile_setup(void **state)
{
	struct hostile *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	h->fds_before = fx_open_fds();
	h->options.timeout_ms = 30;
	strcpy(h->directory, "/tmp/vhost-test-XXXXXX");
	assert_non_null(mkdtemp(h->directory));
	h->fd = -1;
	attach(h);
	*state = h;
	return 0;
}

static int hostile_teardown(void **state)
{
	struct hostile *h = *state;

	frontend_close(&h->fe);
	if (h->fd >= 0)
		close(h->fd);
	assert_int_equal(rmdir(h->directory), 0);
	assert_int_equal(fx_open_fds(), h->fds_before);
	assert_int_equal(fx_maps_of("rpmsg-guest-memory"), 0);
	free(h);
	return 0;
}

static void answer_with(struct hostile *h, uint32_t request, uint32_t flags, const void *payload,
			uint32_t size, int fd)
{
	struct vhost_msg msg;

	vhost_msg_init(&msg, request, 0);
	msg.flags = flags;
	msg.size = size;
	memcpy(msg.payload, payload, size);
	msg.fds[0] = fd;
	msg.fd_count = fd >= 0 ? 1 : 0;
	assert_int_equal(vhost_write(h->fd, &msg), 0);
}

static void answer(struct hostile *h, uint32_t request, uint64_t value)
{
	answer_with(h, request, REPLY, &value, sizeof(value), -1);
}

/* What comes before the protocol features are settled. */
static void introduce(struct hostile *h, uint64_t features, uint64_t protocol)
{
	answer(h, VHOST_GET_FEATURES, features);
	if (features & PROTOCOL)
		answer(h, VHOST_GET_PROTOCOL_FEATURES, protocol);
}

static void assert_failed(struct hostile *h, int ret, int error, const char *text)
{
	assert_int_equal(ret, error);
	assert_string_equal(frontend_error(&h->fe), text);
}

/* connecting */

static void test_open_of_no_socket_tells_its_path(void **state)
{
	struct frontend fe;

	assert_int_equal(frontend_open(&fe, "/nonexistent/socket", NULL), -ENOENT);
	assert_string_equal(frontend_error(&fe),
			    "cannot connect to /nonexistent/socket: No such file or directory");
}

static void test_open_of_a_path_too_long_for_a_socket(void **state)
{
	struct frontend fe;
	char path[200];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(frontend_open(&fe, path, NULL), -ENAMETOOLONG);
	assert_non_null(strstr(frontend_error(&fe), "longer than 107 bytes"));
}

static int listener(struct hostile *h, struct sockaddr_un *addr, int backlog)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/socket", h->directory);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)addr, sizeof(*addr)), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void test_open_of_a_socket_that_nobody_listens_at(void **state)
{
	struct hostile *h = *state;
	struct sockaddr_un addr;
	struct frontend fe;
	int fd = listener(h, &addr, -1);

	assert_int_equal(frontend_open(&fe, addr.sun_path, NULL), -ECONNREFUSED);
	unlink(addr.sun_path);
	close(fd);
}

static void test_open_of_a_socket_that_nobody_accepts_at(void **state)
{
	struct hostile *h = *state;
	struct frontend fe[3];
	struct sockaddr_un addr;
	int fd = listener(h, &addr, 0);
	unsigned int opened = 0;
	int ret = 0;

	while (opened < 3 && (ret = frontend_open(&fe[opened], addr.sun_path, &h->options)) == 0)
		opened++;
	assert_int_equal(ret, -ETIMEDOUT);
	assert_non_null(strstr(frontend_error(&fe[opened]), "nobody accepted for 30 ms"));
	while (opened > 0)
		frontend_close(&fe[--opened]);
	unlink(addr.sun_path);
	close(fd);
}

static void test_options_that_are_impossible(void **state)
{
	static const struct frontend_options bad[] = {
		{.num = 3},
		{.num = 65536},
		{.num_queues = VHOST_NUM_QUEUES_MAX + 1},
		{.timeout_ms = -1},
		{.memory_size = UINT64_MAX},
	};
	struct frontend fe;

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		assert_int_equal(frontend_attach(&fe, fd, &bad[i]), -EINVAL);
		assert_string_not_equal(frontend_error(&fe), "");
	}
}

static void test_open_with_impossible_options(void **state)
{
	const struct frontend_options bad = {.num = 3};
	struct frontend fe;

	assert_int_equal(frontend_open(&fe, "/nonexistent/socket", &bad), -EINVAL);
	assert_string_equal(frontend_error(&fe),
			    "ring of 3 entries: a power of two from 1 to 32768 is possible");
}

static void test_options_that_are_not_given_have_defaults(void **state)
{
	struct hostile *h = *state;
	int fds[2];

	frontend_close(&h->fe);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	close(fds[1]);
	assert_int_equal(frontend_attach(&h->fe, fds[0], NULL), 0);
	assert_int_equal(h->fe.options.memory_size, 16 << 20);
	assert_int_equal(h->fe.options.num, 256);
	assert_int_equal(h->fe.options.num_queues, 2);
	assert_int_equal(h->fe.options.timeout_ms, 5000);
	assert_int_equal(h->fe.options.protocol,
			 FX_PROTOCOL & ~VIRTIO_BIT(VHOST_PROTOCOL_F_LOG_SHMFD));
}

/* the whole way */

#define ALL_PROTOCOL (FX_PROTOCOL & ~VIRTIO_BIT(VHOST_PROTOCOL_F_LOG_SHMFD))

/* A request of a session with all protocol features, and its answer if it has one. */
struct step {
	uint32_t request;
	enum {
		SILENT, /* before acknowledgements were negotiated */
		ACKED,
		NUMBER,
		VRING,
	} kind;
	uint64_t value; /* of the answer; of a vring state, its index */
	bool waited;	/* for what was acknowledged so far; for a number or vring it always is */
};

static const struct step steps[] = {
	{VHOST_SET_OWNER, SILENT, 0},
	{VHOST_GET_FEATURES, NUMBER, PROTOCOL | 1},
	{VHOST_GET_PROTOCOL_FEATURES, NUMBER, ALL_PROTOCOL},
	{VHOST_SET_PROTOCOL_FEATURES, SILENT, 0},
	{VHOST_GET_QUEUE_NUM, NUMBER, 2},
	{VHOST_GET_MAX_MEM_SLOTS, NUMBER, 8},
	{VHOST_SET_STATUS, ACKED, 0},
	{VHOST_SET_STATUS, ACKED, 0},
	{VHOST_SET_FEATURES, ACKED, 0},
	{VHOST_SET_STATUS, ACKED, 0},
	{VHOST_GET_STATUS, NUMBER, 11},
	{VHOST_ADD_MEM_REG, ACKED, 0, true},
	{VHOST_SET_VRING_CALL, ACKED, 0},
	{VHOST_SET_VRING_ERR, ACKED, 0},
	{VHOST_SET_VRING_NUM, ACKED, 0},
	{VHOST_SET_VRING_BASE, ACKED, 0},
	{VHOST_SET_VRING_ADDR, ACKED, 0},
	{VHOST_SET_VRING_KICK, ACKED, 0},
	{VHOST_SET_VRING_CALL, ACKED, 0},
	{VHOST_SET_VRING_ERR, ACKED, 0},
	{VHOST_SET_VRING_NUM, ACKED, 0},
	{VHOST_SET_VRING_BASE, ACKED, 0},
	{VHOST_SET_VRING_ADDR, ACKED, 0},
	{VHOST_SET_VRING_KICK, ACKED, 0},
	{VHOST_SET_VRING_ENABLE, ACKED, 0},
	{VHOST_SET_VRING_ENABLE, ACKED, 0},
	{VHOST_SET_STATUS, ACKED, 0, true},
	{VHOST_SET_VRING_ENABLE, ACKED, 0},
	{VHOST_SET_VRING_ENABLE, ACKED, 0},
	{VHOST_GET_VRING_BASE, VRING, 0},
	{VHOST_GET_VRING_BASE, VRING, 1},
	{VHOST_SET_STATUS, ACKED, 0, true},
};

#define NUM_STEPS (sizeof(steps) / sizeof(steps[0]))

static void answer_step(struct hostile *h, const struct step *step)
{
	uint32_t vring[2] = {(uint32_t)step->value, 0};

	if (step->kind == VRING)
		answer_with(h, step->request, REPLY, vring, sizeof(vring), -1);
	else if (step->kind != SILENT)
		answer(h, step->request, step->value);
}

static void refuse_step(struct hostile *h, const struct step *step)
{
	if (step->kind == ACKED)
		answer(h, step->request, 1);
	else
		answer_with(h, step->request, REPLY, "", 0, -1);
}

static int whole_way(struct hostile *h)
{
	int ret = frontend_negotiate(&h->fe, 1, 0);

	if (ret == 0)
		ret = frontend_make_queues(&h->fe);
	if (ret == 0)
		ret = frontend_start(&h->fe);
	return ret < 0 ? ret : frontend_stop(&h->fe);
}

/* The front-end sent exactly these requests. */
static void assert_sent(struct hostile *h, const struct step *expected, unsigned int count)
{
	struct vhost_reader reader;
	struct vhost_msg msg;

	vhost_reader_init(&reader);
	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(vhost_read(&reader, h->fd, &msg, NULL), 1);
		assert_string_equal(vhost_request_name(msg.request),
				    vhost_request_name(expected[i].request));
		assert_int_equal(msg.flags,
				 VHOST_VERSION |
					 (expected[i].kind == ACKED ? VHOST_FLAG_NEED_REPLY : 0));
		vhost_msg_close_fds(&msg);
	}
	assert_int_equal(vhost_read(&reader, h->fd, &msg, NULL), -EAGAIN);
	vhost_reader_fini(&reader);
}

static void test_session_is_this_sequence_of_requests(void **state)
{
	struct hostile *h = *state;

	for (unsigned int i = 0; i < NUM_STEPS; i++)
		answer_step(h, &steps[i]);
	assert_int_equal(whole_way(h), 0);
	assert_sent(h, steps, NUM_STEPS);
}

/* Requests that are sent ahead of an answer: those up to the next one that is waited for. */
static unsigned int sent_ahead_of(unsigned int step)
{
	while (steps[step].kind == ACKED && !steps[step].waited)
		step++;
	return step + 1;
}

static void test_session_ends_at_the_request_that_is_refused(void **state)
{
	struct hostile *h = *state;

	for (unsigned int refused = 0; refused < NUM_STEPS; refused++) {
		char text[64];

		if (steps[refused].kind == SILENT)
			continue;
		frontend_close(&h->fe);
		close(h->fd);
		attach(h);
		for (unsigned int i = 0; i < refused; i++)
			answer_step(h, &steps[i]);
		refuse_step(h, &steps[refused]);
		snprintf(text, sizeof(text), "back-end refused %s",
			 vhost_request_name(steps[refused].request));
		assert_failed(h, whole_way(h), -EREMOTEIO, text);
		assert_sent(h, steps, sent_ahead_of(refused));
	}
}

/* The last request of a session that ends with a stop, or 0. */
static uint32_t last_request(struct hostile *h, uint64_t protocol)
{
	static const uint32_t vrings[2][2] = {{0, 0}, {1, 0}};
	struct vhost_reader reader;
	struct vhost_msg msg = {0};
	uint32_t last = 0;

	introduce(h, PROTOCOL, protocol);
	answer(h, VHOST_GET_FEATURES, 0);
	answer_with(h, VHOST_GET_VRING_BASE, REPLY, vrings[0], 8, -1);
	answer_with(h, VHOST_GET_VRING_BASE, REPLY, vrings[1], 8, -1);
	assert_int_equal(whole_way(h), 0);
	vhost_reader_init(&reader);
	while (vhost_read(&reader, h->fd, &msg, NULL) == 1) {
		last = msg.request;
		vhost_msg_close_fds(&msg);
	}
	vhost_reader_fini(&reader);
	return last;
}

static void test_stop_without_status_resets_the_device(void **state)
{
	assert_int_equal(last_request(*state, VIRTIO_BIT(VHOST_PROTOCOL_F_RESET_DEVICE)),
			 VHOST_RESET_DEVICE);
}

static void test_stop_without_any_way_to_reset_ends_with_the_rings(void **state)
{
	assert_int_equal(last_request(*state, 0), VHOST_GET_VRING_BASE);
}

/* answers */

static void test_answer_that_does_not_come(void **state)
{
	struct hostile *h = *state;

	assert_failed(h, frontend_negotiate(&h->fe, 0, 0), -ETIMEDOUT,
		      "back-end did not answer GET_FEATURES within 30 ms");
}

static void test_answer_that_stops_inside(void **state)
{
	struct hostile *h = *state;

	assert_int_equal(write(h->fd, "\1\0\0\0\5", 5), 5);
	assert_failed(h, frontend_negotiate(&h->fe, 0, 0), -ETIMEDOUT,
		      "back-end did not answer GET_FEATURES within 30 ms");
}

static void test_answer_of_a_closed_connection(void **state)
{
	struct hostile *h = *state;

	close(h->fd);
	h->fd = -1;
	assert_failed(h, frontend_negotiate(&h->fe, 0, 0), -EPIPE,
		      "back-end closed the connection before SET_OWNER");
}

static void test_answer_of_a_connection_that_is_closed_then(void **state)
{
	struct hostile *h = *state;

	assert_int_equal(shutdown(h->fd, SHUT_WR), 0);
	assert_failed(h, frontend_negotiate(&h->fe, 0, 0), -EPIPE,
		      "back-end closed the connection instead of an answer to GET_FEATURES");
}

static void test_answer_that_ends_with_the_connection(void **state)
{
	struct hostile *h = *state;

	assert_int_equal(write(h->fd, "\1\0\0\0\5", 5), 5);
	assert_int_equal(shutdown(h->fd, SHUT_WR), 0);
	assert_failed(h, frontend_negotiate(&h->fe, 0, 0), -EPROTO,
		      "answer of the back-end: message ends before its size field says");
}

static void test_answer_to_another_request(void **state)
{
	struct hostile *h = *state;

	answer(h, VHOST_GET_QUEUE_NUM, 2);
	assert_failed(h, frontend_negotiate(&h->fe, 0, 0), -EPROTO,
		      "back-end answered GET_FEATURES with GET_QUEUE_NUM (17)");
}

static void test_answer_without_the_reply_flag(void **state)
{
	struct hostile *h = *state;
	uint64_t features = 0;

	answer_with(h, VHOST_GET_FEATURES, VHOST_VERSION, &features, 8, -1);
	assert_failed(h, frontend_negotiate(&h->fe, 0, 0), -EPROTO,
		      "back-end answered GET_FEATURES with flags 0x1 instead of 0x5");
}

static void test_answer_of_another_version(void **state)
{
	struct hostile *h = *state;
	uint64_t features = 0;

	answer_with(h, VHOST_GET_FEATURES, VHOST_FLAG_REPLY | 2, &features, 8, -1);
	assert_failed(h, frontend_negotiate(&h->fe, 0, 0), -EPROTO,
		      "answer of the back-end: version bits are not 1");
}

static void test_answer_of_another_size(void **state)
{
	struct hostile *h = *state;

	answer_with(h, VHOST_GET_FEATURES, REPLY, "1234", 4, -1);
	assert_failed(h, frontend_negotiate(&h->fe, 0, 0), -EPROTO,
		      "back-end answered GET_FEATURES with 4 bytes instead of 8");
}

static void test_answer_without_a_payload_is_a_refusal(void **state)
{
	struct hostile *h = *state;

	answer_with(h, VHOST_GET_FEATURES, REPLY, "", 0, -1);
	assert_failed(h, frontend_negotiate(&h->fe, 0, 0), -EREMOTEIO,
		      "back-end refused GET_FEATURES");
}

static void test_answer_with_a_descriptor_closes_it(void **state)
{
	struct hostile *h = *state;
	uint64_t features = 0;
	int fds = fx_open_fds();

	answer_with(h, VHOST_GET_FEATURES, REPLY, &features, 8, h->fd);
	assert_failed(h, frontend_negotiate(&h->fe, 0, 0), -EPROTO,
		      "back-end answered GET_FEATURES with a descriptor");
	assert_int_equal(fx_open_fds(), fds);
}

static void test_answer_with_a_descriptor_to_another_request_closes_it(void **state)
{
	struct hostile *h = *state;
	uint64_t features = 0;
	int fds = fx_open_fds();

	answer_with(h, VHOST_GET_CONFIG, REPLY, &features, 8, h->fd);
	assert_int_equal(frontend_negotiate(&h->fe, 0, 0), -EPROTO);
	assert_int_equal(fx_open_fds(), fds);
}

static void test_acknowledgement_that_is_not_zero_is_a_refusal(void **state)
{
	struct hostile *h = *state;

	introduce(h, PROTOCOL, VIRTIO_BIT(VHOST_PROTOCOL_F_REPLY_ACK));
	answer(h, VHOST_SET_FEATURES, 7);
	assert_failed(h, frontend_negotiate(&h->fe, 0, 0), -EREMOTEIO,
		      "back-end refused SET_FEATURES");
}

/* negotiation */

static void test_backend_with_too_few_queues(void **state)
{
	struct hostile *h = *state;

	introduce(h, PROTOCOL, VIRTIO_BIT(VHOST_PROTOCOL_F_MQ));
	answer(h, VHOST_GET_QUEUE_NUM, 1);
	assert_failed(h, frontend_negotiate(&h->fe, 0, 0), -ENOTSUP,
		      "back-end has 1 queues, 2 are needed");
}

static void test_backend_without_memory_slots(void **state)
{
	struct hostile *h = *state;

	introduce(h, PROTOCOL, VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS));
	answer(h, VHOST_GET_MAX_MEM_SLOTS, 0);
	assert_failed(h, frontend_negotiate(&h->fe, 0, 0), -ENOTSUP,
		      "back-end has no slot for guest memory");
}

static void test_backend_that_drops_features_ok(void **state)
{
	struct hostile *h = *state;

	introduce(h, PROTOCOL | 1, VIRTIO_BIT(VHOST_PROTOCOL_F_STATUS));
	answer(h, VHOST_GET_STATUS, 3);
	assert_failed(h, frontend_negotiate(&h->fe, 1, 0), -ENOTSUP,
		      "back-end does not accept features 0x40000001");
}

static void test_backend_with_a_status_of_more_than_8_bits(void **state)
{
	struct hostile *h = *state;

	introduce(h, PROTOCOL, VIRTIO_BIT(VHOST_PROTOCOL_F_STATUS));
	answer(h, VHOST_GET_STATUS, 0x10b);
	assert_failed(h, frontend_negotiate(&h->fe, 0, 0), -EPROTO,
		      "device status 0x10b has more than 8 bits");
}

static void test_backend_that_names_another_range_of_configuration(void **state)
{
	struct hostile *h = *state;
	uint32_t config[4] = {4, 4, 0, 0};
	uint32_t value;

	introduce(h, PROTOCOL, VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIG));
	assert_int_equal(frontend_negotiate(&h->fe, 0, 0), 0);
	answer_with(h, VHOST_GET_CONFIG, REPLY, config, sizeof(config), -1);
	assert_failed(h, frontend_get_config(&h->fe, 0, 4, &value), -EPROTO,
		      "back-end answered with 4 bytes of configuration at 4, asked for 4 at 0");
}

static void test_backend_that_answers_with_more_configuration(void **state)
{
	struct hostile *h = *state;
	uint32_t config[8] = {0, 20};
	uint32_t value;

	introduce(h, PROTOCOL, VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIG));
	assert_int_equal(frontend_negotiate(&h->fe, 0, 0), 0);
	answer_with(h, VHOST_GET_CONFIG, REPLY, config, sizeof(config), -1);
	assert_failed(h, frontend_get_config(&h->fe, 0, 4, &value), -EPROTO,
		      "back-end answered GET_CONFIG with 32 bytes instead of 16");
}

static void started(struct hostile *h)
{
	introduce(h, 0, 0);
	assert_int_equal(frontend_negotiate(&h->fe, 0, 0), 0);
	assert_int_equal(frontend_make_queues(&h->fe), 0);
	answer(h, VHOST_GET_FEATURES, 0); /* says that all before was served */
	assert_int_equal(frontend_start(&h->fe), 0);
}

static void test_backend_that_stops_at_an_impossible_index(void **state)
{
	struct hostile *h = *state;
	uint32_t vring[2] = {0, 65536};

	started(h);
	answer_with(h, VHOST_GET_VRING_BASE, REPLY, vring, sizeof(vring), -1);
	assert_failed(h, frontend_stop(&h->fe), -EPROTO,
		      "back-end stopped queue 0 at 65536 when told to stop 0");
}

static void test_backend_that_stops_another_queue(void **state)
{
	struct hostile *h = *state;
	uint32_t vring[2] = {1, 5};

	started(h);
	answer_with(h, VHOST_GET_VRING_BASE, REPLY, vring, sizeof(vring), -1);
	assert_failed(h, frontend_stop(&h->fe), -EPROTO,
		      "back-end stopped queue 1 at 5 when told to stop 0");
}

static void test_backend_that_never_shows_that_it_started(void **state)
{
	struct hostile *h = *state;

	introduce(h, 0, 0);
	assert_int_equal(frontend_negotiate(&h->fe, 0, 0), 0);
	assert_int_equal(frontend_make_queues(&h->fe), 0);
	assert_failed(h, frontend_start(&h->fe), -ETIMEDOUT,
		      "back-end did not answer GET_FEATURES within 30 ms");
}

static void test_backend_that_reads_nothing(void **state)
{
	struct hostile *h = *state;
	struct vhost_msg msg;
	int ret = 0;

	vhost_msg_init(&msg, VHOST_SET_OWNER, 0);
	for (unsigned int i = 0; i < 100000 && ret == 0; i++)
		ret = frontend_request(&h->fe, &msg, NULL);
	assert_failed(h, ret, -ETIMEDOUT, "back-end did not take SET_OWNER for 30 ms");
}

/* while it runs */

static void test_backend_that_sends_what_nobody_asked_for(void **state)
{
	struct hostile *h = *state;

	started(h);
	answer(h, VHOST_GET_STATUS, 1);
	assert_failed(h, frontend_wait(&h->fe, 1000), -EPROTO,
		      "back-end sent GET_STATUS (40) without being asked");
}

static void test_backend_that_closes_while_it_runs(void **state)
{
	struct hostile *h = *state;

	started(h);
	close(h->fd);
	h->fd = -1;
	assert_failed(h, frontend_wait(&h->fe, 1000), -EPIPE,
		      "back-end closed the connection instead of an interrupt");
}

static void test_backend_that_calls_and_closes_is_heard_first(void **state)
{
	struct hostile *h = *state;

	started(h);
	eventfd_write(h->fe.queues[1].call_fd, 3);
	close(h->fd);
	h->fd = -1;
	assert_int_equal(frontend_wait(&h->fe, 1000), 1 << 1);
	assert_int_equal(h->fe.queues[1].calls, 3);
	assert_int_equal(frontend_wait(&h->fe, 1000), -EPIPE);
}

#define hostile_test(name) cmocka_unit_test_setup_teardown(name, hostile_setup, hostile_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		hostile_test(test_open_of_no_socket_tells_its_path),
		hostile_test(test_open_of_a_path_too_long_for_a_socket),
		hostile_test(test_open_of_a_socket_that_nobody_listens_at),
		hostile_test(test_open_of_a_socket_that_nobody_accepts_at),
		hostile_test(test_options_that_are_impossible),
		hostile_test(test_open_with_impossible_options),
		hostile_test(test_options_that_are_not_given_have_defaults),
		hostile_test(test_session_is_this_sequence_of_requests),
		hostile_test(test_session_ends_at_the_request_that_is_refused),
		hostile_test(test_stop_without_status_resets_the_device),
		hostile_test(test_stop_without_any_way_to_reset_ends_with_the_rings),
		hostile_test(test_answer_that_does_not_come),
		hostile_test(test_answer_that_stops_inside),
		hostile_test(test_answer_of_a_closed_connection),
		hostile_test(test_answer_of_a_connection_that_is_closed_then),
		hostile_test(test_answer_that_ends_with_the_connection),
		hostile_test(test_answer_to_another_request),
		hostile_test(test_answer_without_the_reply_flag),
		hostile_test(test_answer_of_another_version),
		hostile_test(test_answer_of_another_size),
		hostile_test(test_answer_without_a_payload_is_a_refusal),
		hostile_test(test_answer_with_a_descriptor_closes_it),
		hostile_test(test_answer_with_a_descriptor_to_another_request_closes_it),
		hostile_test(test_acknowledgement_that_is_not_zero_is_a_refusal),
		hostile_test(test_backend_with_too_few_queues),
		hostile_test(test_backend_without_memory_slots),
		hostile_test(test_backend_that_drops_features_ok),
		hostile_test(test_backend_with_a_status_of_more_than_8_bits),
		hostile_test(test_backend_that_names_another_range_of_configuration),
		hostile_test(test_backend_that_answers_with_more_configuration),
		hostile_test(test_backend_that_stops_at_an_impossible_index),
		hostile_test(test_backend_that_stops_another_queue),
		hostile_test(test_backend_that_never_shows_that_it_started),
		hostile_test(test_backend_that_reads_nothing),
		hostile_test(test_backend_that_sends_what_nobody_asked_for),
		hostile_test(test_backend_that_closes_while_it_runs),
		hostile_test(test_backend_that_calls_and_closes_is_heard_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
