/* SPDX-License-Identifier: BSD-2-Clause */
/* The front-end against the back-end, each in its own thread. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/vhost_fixture.h"
#include "support/vhost_peer.h"
#include "vhost/frontend.h"

#define ALL_FEATURES UINT64_MAX
#define DEADLINE_MS 10000 /* nothing here takes that long unless it hangs */

struct pair {
	struct peer peer;
	struct frontend fe;
	struct frontend_options options;
	int fds_before;
	bool joined;
};

static int pair_setup(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	assert_non_null(pair);
	pair->fds_before = fx_open_fds();
	pair->options.timeout_ms = DEADLINE_MS;
	*state = pair;
	return 0;
}

static int pair_teardown(void **state)
{
	struct pair *pair = *state;

	frontend_close(&pair->fe);
	if (!pair->joined)
		peer_join(&pair->peer);
	assert_int_equal(pair->peer.violations, 0);
	assert_int_equal(fx_open_fds(), pair->fds_before);
	assert_int_equal(fx_maps_of("rpmsg-guest-memory"), 0);
	free(pair);
	return 0;
}

static void must(struct frontend *fe, int ret)
{
	if (ret < 0)
		fail_msg("%s: %s", strerror(-ret), frontend_error(fe));
}

static void connect_pair(struct pair *pair)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	peer_start(&pair->peer, fds[1]);
	must(&pair->fe, frontend_attach(&pair->fe, fds[0], &pair->options));
}

static void start_pair(struct pair *pair)
{
	must(&pair->fe, frontend_negotiate(&pair->fe, ALL_FEATURES, 0));
	must(&pair->fe, frontend_make_queues(&pair->fe));
	must(&pair->fe, frontend_start(&pair->fe));
}

/* A buffer for the answer, one with the text, and the text back. */
static void post(struct pair *pair, const char *text)
{
	struct frontend *fe = &pair->fe;
	uint64_t in_addr, out_addr;
	uint8_t *in = frontend_alloc(fe, 512, 16, &in_addr);
	uint8_t *out = frontend_alloc(fe, 512, 16, &out_addr);
	struct drvq_buf in_buf = {.addr = in_addr, .len = 512};
	struct drvq_buf out_buf = {.addr = out_addr, .len = (uint32_t)strlen(text)};

	assert_non_null(in);
	assert_non_null(out);
	memcpy(out, text, strlen(text));
	assert_true(drvq_add(&fe->queues[0].dq, &in_buf, 0, 1, in) >= 0);
	if (drvq_publish(&fe->queues[0].dq))
		must(fe, frontend_kick(fe, 0));
	assert_true(drvq_add(&fe->queues[1].dq, &out_buf, 1, 0, out) >= 0);
	if (drvq_publish(&fe->queues[1].dq))
		must(fe, frontend_kick(fe, 1));
}

static void take(struct pair *pair, const char *text)
{
	struct frontend *fe = &pair->fe;
	struct drvq_used used;
	int ret;

	while ((ret = drvq_get(&fe->queues[0].dq, &used)) == 0) {
		ret = frontend_wait(fe, DEADLINE_MS);
		must(fe, ret);
		assert_int_not_equal(ret, 0);
	}
	assert_int_equal(ret, 1);
	assert_int_equal(used.len, strlen(text));
	assert_memory_equal(used.cookie, text, strlen(text));
}

/* session */

static void test_frontend_exchanges_buffers_with_the_backend(void **state)
{
	struct pair *pair = *state;

	connect_pair(pair);
	start_pair(pair);
	for (unsigned int i = 0; i < 1000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "message %u", i);
		post(pair, text);
		take(pair, text);
		if (i % 50 == 49) { /* memory is given back as a whole */
			must(&pair->fe, frontend_stop(&pair->fe));
			start_pair(pair);
		}
	}
	frontend_close(&pair->fe);
	peer_join(&pair->peer);
	pair->joined = true;
	assert_int_equal(pair->peer.result, -ENODATA);
	assert_int_equal(pair->peer.echoed, 1000);
	assert_int_equal(pair->peer.driver_oks, 21);
	assert_int_equal(pair->peer.driver_gones, 21);
}

static void test_frontend_buffers_posted_before_the_start_are_served(void **state)
{
	struct pair *pair = *state;

	connect_pair(pair);
	must(&pair->fe, frontend_negotiate(&pair->fe, ALL_FEATURES, 0));
	must(&pair->fe, frontend_make_queues(&pair->fe));
	post(pair, "early");
	must(&pair->fe, frontend_start(&pair->fe));
	take(pair, "early");
}

static void test_frontend_acknowledges_what_is_wanted_and_offered(void **state)
{
	struct pair *pair = *state;
	const uint64_t wanted = VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(40);

	connect_pair(pair);
	must(&pair->fe, frontend_negotiate(&pair->fe, wanted, VIRTIO_BIT(0)));
	assert_int_equal(pair->fe.acked, VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(0) |
						 VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES));
}

static void test_frontend_needs_a_feature_that_is_not_offered(void **state)
{
	struct pair *pair = *state;

	connect_pair(pair);
	assert_int_equal(frontend_negotiate(&pair->fe, 0, VIRTIO_BIT(40)), -ENOTSUP);
	assert_non_null(strstr(frontend_error(&pair->fe), "0x10000000000 are missing"));
}

/* Each protocol feature less, one at a time, and none at all. */
static void test_frontend_works_without_each_protocol_feature(void **state)
{
	struct pair *pair = *state;
	static const unsigned int bits[] = {
		VHOST_PROTOCOL_F_MQ,	 VHOST_PROTOCOL_F_REPLY_ACK,
		VHOST_PROTOCOL_F_CONFIG, VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS,
		VHOST_PROTOCOL_F_STATUS, VHOST_PROTOCOL_F_RESET_DEVICE,
	};

	for (unsigned int i = 0; i <= sizeof(bits) / sizeof(bits[0]); i++) {
		bool none = i == sizeof(bits) / sizeof(bits[0]);

		memset(&pair->peer, 0, sizeof(pair->peer));
		pair->options.protocol = none ? VIRTIO_BIT(63) : ~VIRTIO_BIT(bits[i]);
		/* Log and others are no business of this side. */
		if (!none)
			pair->options.protocol &= FX_PROTOCOL;
		connect_pair(pair);
		start_pair(pair);
		assert_int_equal(pair->fe.protocol_acked,
				 pair->fe.protocol_offered & pair->options.protocol);
		post(pair, "hello");
		take(pair, "hello");
		must(&pair->fe, frontend_stop(&pair->fe));
		frontend_close(&pair->fe);
		peer_join(&pair->peer);
		assert_int_equal(pair->peer.violations, 0);
		assert_int_equal(pair->peer.driver_oks, 1);
	}
	pair->joined = true;
}

static void test_frontend_works_without_protocol_features(void **state)
{
	struct pair *pair = *state;

	pair->options.no_protocol_features = true;
	connect_pair(pair);
	start_pair(pair);
	assert_int_equal(pair->fe.acked & VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES), 0);
	post(pair, "hello");
	take(pair, "hello");
	must(&pair->fe, frontend_stop(&pair->fe));
}

static void test_frontend_works_with_rings_of_one_entry(void **state)
{
	struct pair *pair = *state;

	pair->options.num = 1;
	connect_pair(pair);
	start_pair(pair);
	post(pair, "hello");
	take(pair, "hello");
}

static void test_frontend_reads_the_status_that_it_set(void **state)
{
	struct pair *pair = *state;
	uint8_t status;

	connect_pair(pair);
	start_pair(pair);
	must(&pair->fe, frontend_get_status(&pair->fe, &status));
	assert_int_equal(status, FX_DRIVER_OK);
	must(&pair->fe, frontend_stop(&pair->fe));
	must(&pair->fe, frontend_get_status(&pair->fe, &status));
	assert_int_equal(status, 0);
}

static void test_frontend_learns_where_the_backend_stopped(void **state)
{
	struct pair *pair = *state;

	connect_pair(pair);
	start_pair(pair);
	post(pair, "one");
	take(pair, "one");
	post(pair, "two");
	take(pair, "two");
	must(&pair->fe, frontend_stop(&pair->fe));
	assert_int_equal(pair->fe.queues[0].base, 2);
	assert_int_equal(pair->fe.queues[1].base, 2);
}

/* configuration space */

static void test_frontend_reads_and_writes_configuration(void **state)
{
	struct pair *pair = *state;
	uint8_t bytes[PEER_CONFIG_SIZE];

	memcpy(pair->peer.config, "ABCDEFGH", PEER_CONFIG_SIZE);
	connect_pair(pair);
	must(&pair->fe, frontend_negotiate(&pair->fe, ALL_FEATURES, 0));
	must(&pair->fe, frontend_get_config(&pair->fe, 0, PEER_CONFIG_SIZE, bytes));
	assert_memory_equal(bytes, "ABCDEFGH", PEER_CONFIG_SIZE);
	must(&pair->fe, frontend_set_config(&pair->fe, 6, 2, "xy"));
	must(&pair->fe, frontend_get_config(&pair->fe, 5, 3, bytes));
	assert_memory_equal(bytes, "Fxy", 3);
}

static void test_frontend_configuration_refused_leaves_the_connection_good(void **state)
{
	struct pair *pair = *state;
	uint8_t bytes[VHOST_CONFIG_MAX];

	connect_pair(pair);
	must(&pair->fe, frontend_negotiate(&pair->fe, ALL_FEATURES, 0));
	assert_int_equal(frontend_get_config(&pair->fe, 1, PEER_CONFIG_SIZE, bytes), -EREMOTEIO);
	assert_string_equal(frontend_error(&pair->fe), "back-end refused GET_CONFIG");
	assert_int_equal(frontend_set_config(&pair->fe, 1, PEER_CONFIG_SIZE, bytes), -EREMOTEIO);
	assert_string_equal(frontend_error(&pair->fe), "back-end refused SET_CONFIG");
	must(&pair->fe, frontend_get_config(&pair->fe, 0, 1, bytes));
	frontend_close(&pair->fe);
	peer_join(&pair->peer);
	pair->joined = true;
	assert_int_equal(pair->peer.violations, 2);
	pair->peer.violations = 0;
}

static void test_frontend_configuration_not_negotiated_is_not_asked_for(void **state)
{
	struct pair *pair = *state;
	uint8_t byte = 0;

	pair->options.no_protocol_features = true;
	connect_pair(pair);
	must(&pair->fe, frontend_negotiate(&pair->fe, ALL_FEATURES, 0));
	assert_int_equal(frontend_get_config(&pair->fe, 0, 1, &byte), -ENOTSUP);
	assert_int_equal(frontend_set_config(&pair->fe, 0, 1, &byte), -ENOTSUP);
	assert_int_equal(frontend_get_status(&pair->fe, &byte), -ENOTSUP);
}

static void test_frontend_configuration_above_the_limit_is_not_asked_for(void **state)
{
	struct pair *pair = *state;
	uint8_t bytes[VHOST_CONFIG_MAX + 1] = {0};

	connect_pair(pair);
	must(&pair->fe, frontend_negotiate(&pair->fe, ALL_FEATURES, 0));
	assert_int_equal(frontend_get_config(&pair->fe, 0, sizeof(bytes), bytes), -EINVAL);
	assert_int_equal(frontend_set_config(&pair->fe, 0, sizeof(bytes), bytes), -EINVAL);
}

/* waiting */

static void test_frontend_wait_ends_with_its_time(void **state)
{
	struct pair *pair = *state;

	connect_pair(pair);
	start_pair(pair);
	assert_int_equal(frontend_wait(&pair->fe, 0), 0);
	assert_int_equal(frontend_wait(&pair->fe, 5), 0);
}

static void test_frontend_wait_tells_that_a_ring_is_broken(void **state)
{
	struct pair *pair = *state;

	pair->peer.break_queue = true;
	connect_pair(pair);
	start_pair(pair);
	post(pair, "x");
	assert_int_equal(frontend_wait(&pair->fe, DEADLINE_MS), -EIO);
	assert_string_equal(frontend_error(&pair->fe), "back-end says that queue 1 is broken");
	frontend_close(&pair->fe);
	peer_join(&pair->peer);
	pair->joined = true;
	pair->peer.violations = 0; /* its own doing */
}

static void test_frontend_wait_tells_that_the_backend_went_away(void **state)
{
	struct pair *pair = *state;

	pair->peer.vanish = true;
	connect_pair(pair);
	start_pair(pair);
	post(pair, "x");
	assert_int_equal(frontend_wait(&pair->fe, DEADLINE_MS), -EPIPE);
	assert_non_null(strstr(frontend_error(&pair->fe), "closed the connection"));
}

static void on_alarm(int number)
{
}

static void test_frontend_wait_ends_with_a_signal(void **state)
{
	struct pair *pair = *state;
	struct sigaction action = {.sa_handler = on_alarm}, before;
	sigset_t alarm_signal;

	/* Only this thread is to be interrupted. */
	sigemptyset(&alarm_signal);
	sigaddset(&alarm_signal, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm_signal, NULL);
	connect_pair(pair);
	pthread_sigmask(SIG_UNBLOCK, &alarm_signal, NULL);
	start_pair(pair);
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
	ualarm(20000, 20000);
	assert_int_equal(frontend_wait(&pair->fe, FRONTEND_NO_LIMIT), -EINTR);
	ualarm(0, 0);
	sigaction(SIGALRM, &before, NULL);
}

/* memory */

static void test_frontend_memory_is_given_out_aligned_until_it_ends(void **state)
{
	struct pair *pair = *state;
	uint64_t first, second;

	pair->options.memory_size = 1 << 20;
	connect_pair(pair);
	must(&pair->fe, frontend_negotiate(&pair->fe, ALL_FEATURES, 0));
	must(&pair->fe, frontend_make_queues(&pair->fe));
	assert_non_null(frontend_alloc(&pair->fe, 1, 1, &first));
	assert_non_null(frontend_alloc(&pair->fe, 100, 64, &second));
	assert_int_equal(second % 64, 0);
	assert_true(second > first);
	assert_null(frontend_alloc(&pair->fe, 1 << 20, 1, &first));
	assert_null(frontend_alloc(&pair->fe, UINT64_MAX, 1, &first));
	assert_non_null(frontend_alloc(&pair->fe, 4096, 4096, &first));
}

static void test_frontend_memory_too_small_for_its_rings_is_told(void **state)
{
	struct pair *pair = *state;

	pair->options.memory_size = 8192;
	connect_pair(pair);
	must(&pair->fe, frontend_negotiate(&pair->fe, ALL_FEATURES, 0));
	assert_int_equal(frontend_make_queues(&pair->fe), -ENOSPC);
	assert_non_null(strstr(frontend_error(&pair->fe), "8192 bytes of guest memory"));
}

#define pair_test(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		pair_test(test_frontend_exchanges_buffers_with_the_backend),
		pair_test(test_frontend_buffers_posted_before_the_start_are_served),
		pair_test(test_frontend_acknowledges_what_is_wanted_and_offered),
		pair_test(test_frontend_needs_a_feature_that_is_not_offered),
		pair_test(test_frontend_works_without_each_protocol_feature),
		pair_test(test_frontend_works_without_protocol_features),
		pair_test(test_frontend_works_with_rings_of_one_entry),
		pair_test(test_frontend_reads_the_status_that_it_set),
		pair_test(test_frontend_learns_where_the_backend_stopped),
		pair_test(test_frontend_reads_and_writes_configuration),
		pair_test(test_frontend_configuration_refused_leaves_the_connection_good),
		pair_test(test_frontend_configuration_not_negotiated_is_not_asked_for),
		pair_test(test_frontend_configuration_above_the_limit_is_not_asked_for),
		pair_test(test_frontend_wait_ends_with_its_time),
		pair_test(test_frontend_wait_tells_that_a_ring_is_broken),
		pair_test(test_frontend_wait_tells_that_the_backend_went_away),
		pair_test(test_frontend_wait_ends_with_a_signal),
		pair_test(test_frontend_memory_is_given_out_aligned_until_it_ends),
		pair_test(test_frontend_memory_too_small_for_its_rings_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
