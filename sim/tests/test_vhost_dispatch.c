/* SPDX-License-Identifier: BSD-2-Clause */
/* Any request: framing, flags, sizes, descriptors, answers. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "support/vhost_fixture.h"

/* What the protocol says about each request, in the words of a test and not of backend.c. */
struct rule {
	uint32_t request;
	uint32_t size; /* of a payload that is well formed */
	unsigned int fds;
	bool has_body;	  /* answered in any case */
	bool more_fds_ok; /* one descriptor more is tolerated */
};

static const struct rule rules[] = {
	{VHOST_GET_FEATURES, 0, 0, true, false},
	{VHOST_SET_FEATURES, 8, 0, false, false},
	{VHOST_SET_OWNER, 0, 0, false, false},
	{VHOST_RESET_OWNER, 0, 0, false, false},
	{VHOST_SET_MEM_TABLE, 8 + 32, 1, false, false},
	{VHOST_SET_LOG_BASE, 16, 1, false, false},
	{VHOST_SET_VRING_NUM, 8, 0, false, false},
	{VHOST_SET_VRING_ADDR, 40, 0, false, false},
	{VHOST_SET_VRING_BASE, 8, 0, false, false},
	{VHOST_GET_VRING_BASE, 8, 0, true, false},
	{VHOST_SET_VRING_KICK, 8, 1, false, false},
	{VHOST_SET_VRING_CALL, 8, 1, false, false},
	{VHOST_SET_VRING_ERR, 8, 1, false, false},
	{VHOST_GET_PROTOCOL_FEATURES, 0, 0, true, false},
	{VHOST_SET_PROTOCOL_FEATURES, 8, 0, false, false},
	{VHOST_GET_QUEUE_NUM, 0, 0, true, false},
	{VHOST_SET_VRING_ENABLE, 8, 0, false, false},
	{VHOST_GET_CONFIG, 12, 0, true, false},
	{VHOST_SET_CONFIG, 12, 0, false, false},
	{VHOST_RESET_DEVICE, 0, 0, false, false},
	{VHOST_GET_MAX_MEM_SLOTS, 0, 0, true, false},
	{VHOST_ADD_MEM_REG, 40, 1, false, false},
	{VHOST_REM_MEM_REG, 40, 0, false, true},
	{VHOST_SET_STATUS, 8, 0, false, false},
	{VHOST_GET_STATUS, 0, 0, true, false},
};

#define NUM_RULES (sizeof(rules) / sizeof(rules[0]))

static const uint8_t zeros[VHOST_MAX_PAYLOAD];

/* A refusal of this request: with a body, one of no bytes; else a number that is not 0. */
static void assert_rule_refused(struct fx *fx, const struct rule *rule, enum violation what)
{
	if (!rule->has_body) {
		assert_refused(fx, what);
		return;
	}
	assert_reported(fx, what);
	assert_int_equal(fx->result, 1);
	assert_int_equal(fx->reply.size, 0);
}

static void send_with_fds(struct fx *fx, const struct rule *rule, uint32_t size,
			  unsigned int fd_count)
{
	int fds[VHOST_MAX_FDS];

	for (unsigned int i = 0; i < fd_count; i++)
		fds[i] = fx->memory;
	fx_send(fx, rule->request, zeros, size, fds, fd_count);
}

static void test_dispatch_every_request_is_covered_here(void **state)
{
#define COUNT_REQUEST(number, symbol) +1
	/* SET_LOG_FD and SET_BACKEND_REQ_FD have tests of their own: their payload is optional. */
	assert_int_equal(NUM_RULES, 0 VHOST_REQUESTS(COUNT_REQUEST) - 2);
#undef COUNT_REQUEST
}

static void test_dispatch_short_payload_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int i = 0; i < NUM_RULES; i++) {
		if (rules[i].size == 0)
			continue;
		send_with_fds(fx, &rules[i], rules[i].size - 1, rules[i].fds);
		assert_rule_refused(fx, &rules[i], VIOLATION_VU_SIZE);
	}
}

static void test_dispatch_missing_payload_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int i = 0; i < NUM_RULES; i++) {
		if (rules[i].size == 0)
			continue;
		send_with_fds(fx, &rules[i], 0, rules[i].fds);
		assert_rule_refused(fx, &rules[i], VIOLATION_VU_SIZE);
	}
}

static void test_dispatch_long_payload_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int i = 0; i < NUM_RULES; i++) {
		send_with_fds(fx, &rules[i], rules[i].size + 1, rules[i].fds);
		assert_rule_refused(fx, &rules[i], VIOLATION_VU_SIZE);
	}
}

static void test_dispatch_longest_payload_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int i = 0; i < NUM_RULES; i++) {
		send_with_fds(fx, &rules[i], VHOST_MAX_PAYLOAD, rules[i].fds);
		assert_rule_refused(fx, &rules[i], VIOLATION_VU_SIZE);
	}
}

static void test_dispatch_missing_descriptor_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int i = 0; i < NUM_RULES; i++) {
		uint8_t payload[40] = {0};

		if (rules[i].fds == 0)
			continue;
		if (rules[i].request == VHOST_SET_MEM_TABLE)
			payload[0] = 1; /* region */
		fx_send(fx, rules[i].request, payload, rules[i].size, NULL, 0);
		assert_rule_refused(fx, &rules[i], VIOLATION_VU_FD_COUNT);
	}
}

static void test_dispatch_surplus_descriptor_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int i = 0; i < NUM_RULES; i++) {
		int fds[2] = {fx->memory, fx->memory};
		uint8_t payload[40] = {0};

		if (rules[i].more_fds_ok)
			continue;
		if (rules[i].request == VHOST_SET_MEM_TABLE)
			payload[0] = 1;
		fx_send(fx, rules[i].request, payload, rules[i].size, fds, rules[i].fds + 1);
		assert_rule_refused(fx, &rules[i], VIOLATION_VU_FD_COUNT);
	}
}

static void test_dispatch_most_descriptors_are_refused_and_closed(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int i = 0; i < NUM_RULES; i++) {
		int before = fx_open_fds();

		if (rules[i].request == VHOST_SET_MEM_TABLE)
			continue;
		send_with_fds(fx, &rules[i], rules[i].size, VHOST_MAX_FDS);
		assert_rule_refused(fx, &rules[i], VIOLATION_VU_FD_COUNT);
		assert_int_equal(fx_open_fds(), before);
	}
}

static void test_dispatch_lost_descriptor_is_refused(void **state)
{
	struct fx *fx = *state;
	struct vhost_msg msg;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	vhost_msg_init(&msg, VHOST_SET_OWNER, VHOST_FLAG_NEED_REPLY);
	msg.fds_lost = 1;
	fx_handle(fx, &msg);
	assert_refused(fx, VIOLATION_VU_FD_COUNT);
}

static void test_dispatch_surplus_descriptor_of_rem_mem_reg_is_closed(void **state)
{
	struct fx *fx = *state;
	struct fx_region whole = fx_whole_memory();
	int before;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	before = fx_open_fds();
	fx_region(fx, VHOST_REM_MEM_REG, &whole, fx->memory);
	assert_served(fx);
	assert_int_equal(fx_open_fds(), before);
}

static void test_dispatch_wrong_version_closes_connection(void **state)
{
	struct fx *fx = *state;
	static const uint32_t versions[] = {0, 2, 3};

	for (unsigned int i = 0; i < 3; i++) {
		struct vhost_msg msg;

		vhost_msg_init(&msg, VHOST_GET_FEATURES, 0);
		msg.flags = versions[i];
		fx_handle(fx, &msg);
		assert_int_equal(fx->result, -EPROTO);
		assert_reported(fx, VIOLATION_VU_VERSION);
	}
}

static void test_dispatch_wrong_version_closes_its_descriptors(void **state)
{
	struct fx *fx = *state;
	struct vhost_msg msg;

	vhost_msg_init(&msg, VHOST_SET_LOG_FD, 0);
	msg.flags = 0;
	msg.fds[0] = dup(fx->memory);
	msg.fd_count = 1;
	fx_handle(fx, &msg); /* teardown counts */
	assert_reported(fx, VIOLATION_VU_VERSION);
}

static void test_dispatch_size_above_limit_closes_connection(void **state)
{
	struct fx *fx = *state;
	struct vhost_msg msg;

	vhost_msg_init(&msg, VHOST_SET_FEATURES, 0);
	msg.size = VHOST_MAX_PAYLOAD + 1;
	fx_handle(fx, &msg);
	assert_int_equal(fx->result, -EPROTO);
	assert_reported(fx, VIOLATION_VU_SIZE);
}

static void test_dispatch_reply_flag_in_request_is_refused(void **state)
{
	struct fx *fx = *state;
	struct vhost_msg msg;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	vhost_msg_init(&msg, VHOST_RESET_OWNER, VHOST_FLAG_REPLY | VHOST_FLAG_NEED_REPLY);
	fx_handle(fx, &msg);
	assert_refused(fx, VIOLATION_VU_REPLY_FLAG);
	assert_true(fx->be.owned);
}

static void test_dispatch_reserved_flag_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int bit = 4; bit < 32; bit++) {
		struct vhost_msg msg;

		vhost_msg_init(&msg, VHOST_RESET_OWNER, 1U << bit | VHOST_FLAG_NEED_REPLY);
		fx_handle(fx, &msg);
		assert_refused(fx, VIOLATION_VU_REPLY_FLAG);
	}
	assert_true(fx->be.owned);
}

static const uint32_t unknown[] = {0, 19, 20, 22, 23, 26, 33, 35, 41, 45, 63, 64, 1000, UINT32_MAX};

static void test_dispatch_unknown_request_with_need_reply_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		fx_bare(fx, unknown[i]);
		assert_refused(fx, VIOLATION_VU_UNKNOWN_REQUEST);
	}
}

static void test_dispatch_unknown_request_without_need_reply_is_not_answered(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx->need_reply = false;
	for (unsigned int i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		fx_bare(fx, unknown[i]);
		assert_refused(fx, VIOLATION_VU_UNKNOWN_REQUEST);
		assert_int_equal(fx->result, 0);
	}
}

static void test_dispatch_unknown_request_closes_its_descriptors(void **state)
{
	struct fx *fx = *state;
	int fds[2] = {fx->memory, fx->kick[0]};

	fx_send(fx, 22, zeros, 0, fds, 2); /* teardown counts */
	assert_refused(fx, VIOLATION_VU_UNKNOWN_REQUEST);
}

static void test_dispatch_need_reply_is_answered_with_zero(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_bare(fx, VHOST_RESET_OWNER);
	assert_reply_u64(fx, 0);
}

static void test_dispatch_without_need_reply_is_not_answered(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx->need_reply = false;
	fx_bare(fx, VHOST_RESET_OWNER);
	assert_int_equal(fx->result, 0);
}

static void test_dispatch_need_reply_not_negotiated_is_reported_and_not_answered(void **state)
{
	struct fx *fx = *state;

	fx->need_reply = true;
	fx_bare(fx, VHOST_SET_OWNER);
	assert_int_equal(fx->result, 0);
	assert_reported(fx, VIOLATION_VU_NOT_NEGOTIATED);
	assert_true(fx->be.owned);
}

static void test_dispatch_set_protocol_features_may_ask_for_the_first_answer(void **state)
{
	struct fx *fx = *state;

	fx->need_reply = true;
	fx_u64(fx, VHOST_SET_PROTOCOL_FEATURES, VIRTIO_BIT(VHOST_PROTOCOL_F_REPLY_ACK));
	assert_reply_u64(fx, 0);
}

static void test_dispatch_set_protocol_features_that_ends_answers_is_answered(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_u64(fx, VHOST_SET_PROTOCOL_FEATURES, 0);
	assert_reply_u64(fx, 0);
}

static void test_dispatch_need_reply_does_not_change_a_request_with_a_body(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_bare(fx, VHOST_GET_QUEUE_NUM);
	assert_reply_u64(fx, FX_NUM_QUEUES);
}

static void test_dispatch_refused_request_with_a_body_gets_an_empty_one(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, 0);
	fx_bare(fx, VHOST_GET_STATUS);
	assert_int_equal(fx->result, 1);
	assert_int_equal(fx->reply.size, 0);
	assert_reported(fx, VIOLATION_VU_NOT_NEGOTIATED);
}

static void test_dispatch_request_of_a_protocol_feature_needs_it(void **state)
{
	struct fx *fx = *state;
	static const struct {
		uint32_t request;
		unsigned int bit;
	} needs[] = {
		{VHOST_SET_LOG_BASE, VHOST_PROTOCOL_F_LOG_SHMFD},
		{VHOST_GET_CONFIG, VHOST_PROTOCOL_F_CONFIG},
		{VHOST_SET_CONFIG, VHOST_PROTOCOL_F_CONFIG},
		{VHOST_GET_MAX_MEM_SLOTS, VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS},
		{VHOST_ADD_MEM_REG, VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS},
		{VHOST_REM_MEM_REG, VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS},
		{VHOST_SET_STATUS, VHOST_PROTOCOL_F_STATUS},
		{VHOST_GET_STATUS, VHOST_PROTOCOL_F_STATUS},
	};

	for (unsigned int i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		fx->need_reply = false;
		fx_u64(fx, VHOST_SET_PROTOCOL_FEATURES, FX_PROTOCOL & ~VIRTIO_BIT(needs[i].bit));
		assert_served(fx);
		fx_bare(fx, needs[i].request);
		assert_reported(fx, VIOLATION_VU_NOT_NEGOTIATED);
	}
}

static void test_dispatch_name_of_each_request_is_known(void **state)
{
	assert_string_equal(vhost_request_name(VHOST_SET_MEM_TABLE), "SET_MEM_TABLE");
	assert_string_equal(vhost_request_name(VHOST_GET_STATUS), "GET_STATUS");
	for (unsigned int i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_string_equal(vhost_request_name(unknown[i]), "unknown");
}

static void test_init_offer_that_cannot_be_served_is_refused(void **state)
{
	struct fx *fx = *state;
	struct backend be;
	struct backend_offer offer = fx->offer;

	offer.num_queues = 0;
	assert_int_equal(backend_init(&be, &offer, &fx->ops, fx, NULL), -EINVAL);
	offer.num_queues = VHOST_NUM_QUEUES_MAX + 1;
	assert_int_equal(backend_init(&be, &offer, &fx->ops, fx, NULL), -EINVAL);
	offer = fx->offer;
	offer.config_size = VHOST_CONFIG_MAX + 1;
	assert_int_equal(backend_init(&be, &offer, &fx->ops, fx, NULL), -EINVAL);
	offer = fx->offer;
	offer.features |= VIRTIO_BIT(34); /* RING_PACKED */
	assert_int_equal(backend_init(&be, &offer, &fx->ops, fx, NULL), -EINVAL);
	offer = fx->offer;
	offer.features |= VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM);
	assert_int_equal(backend_init(&be, &offer, &fx->ops, fx, NULL), -EINVAL);
	assert_int_equal(backend_init(&be, &fx->offer, NULL, NULL, NULL), -EINVAL);
}

static void test_init_without_callbacks_and_sink_serves(void **state)
{
	struct fx *fx = *state;

	backend_fini(&fx->be);
	fx->offer.config_size = 0;
	assert_int_equal(backend_init(&fx->be, &fx->offer, NULL, NULL, NULL), 0);
	fx_run(fx);
	fx_bare(fx, UINT32_MAX);
	assert_reply_u64(fx, 1);
	fx_bare(fx, VHOST_RESET_DEVICE);
	assert_served(fx);
}

static void test_fini_can_be_followed_by_another_session(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	backend_fini(&fx->be);
	assert_int_equal(backend_init(&fx->be, &fx->offer, &fx->ops, fx, &fx->sink), 0);
	fx->need_reply = false;
	fx_run(fx);
}

static void test_fini_tells_that_the_driver_is_gone_before_queues_stop(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	backend_fini(&fx->be);
	assert_events(fx, "driver_gone stopping:0 kick_fd:0:none stopping:1 kick_fd:1:none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fx_test(test_dispatch_every_request_is_covered_here),
		fx_test(test_dispatch_short_payload_is_refused),
		fx_test(test_dispatch_missing_payload_is_refused),
		fx_test(test_dispatch_long_payload_is_refused),
		fx_test(test_dispatch_longest_payload_is_refused),
		fx_test(test_dispatch_missing_descriptor_is_refused),
		fx_test(test_dispatch_surplus_descriptor_is_refused),
		fx_test(test_dispatch_most_descriptors_are_refused_and_closed),
		fx_test(test_dispatch_lost_descriptor_is_refused),
		fx_test(test_dispatch_surplus_descriptor_of_rem_mem_reg_is_closed),
		fx_test(test_dispatch_wrong_version_closes_connection),
		fx_test(test_dispatch_wrong_version_closes_its_descriptors),
		fx_test(test_dispatch_size_above_limit_closes_connection),
		fx_test(test_dispatch_reply_flag_in_request_is_refused),
		fx_test(test_dispatch_reserved_flag_is_refused),
		fx_test(test_dispatch_unknown_request_with_need_reply_is_refused),
		fx_test(test_dispatch_unknown_request_without_need_reply_is_not_answered),
		fx_test(test_dispatch_unknown_request_closes_its_descriptors),
		fx_test(test_dispatch_need_reply_is_answered_with_zero),
		fx_test(test_dispatch_without_need_reply_is_not_answered),
		fx_test(test_dispatch_need_reply_not_negotiated_is_reported_and_not_answered),
		fx_test(test_dispatch_set_protocol_features_may_ask_for_the_first_answer),
		fx_test(test_dispatch_set_protocol_features_that_ends_answers_is_answered),
		fx_test(test_dispatch_need_reply_does_not_change_a_request_with_a_body),
		fx_test(test_dispatch_refused_request_with_a_body_gets_an_empty_one),
		fx_test(test_dispatch_request_of_a_protocol_feature_needs_it),
		fx_test(test_dispatch_name_of_each_request_is_known),
		fx_test(test_init_offer_that_cannot_be_served_is_refused),
		fx_test(test_init_without_callbacks_and_sink_serves),
		fx_test(test_fini_can_be_followed_by_another_session),
		fx_test(test_fini_tells_that_the_driver_is_gone_before_queues_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
