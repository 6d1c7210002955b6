/* SPDX-License-Identifier: BSD-2-Clause */
/* Negotiation, ownership, device status, configuration space, reset. */
#include <errno.h>
#include <string.h>

#include "support/vhost_fixture.h"

/* features */

static void test_features_offer_adds_what_vhost_needs(void **state)
{
	struct fx *fx = *state;

	fx_bare(fx, VHOST_GET_FEATURES);
	assert_reply_u64(fx, FX_FEATURES | VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES) |
				     VIRTIO_BIT(VHOST_F_LOG_ALL));
}

static void test_features_choice_is_told(void **state)
{
	struct fx *fx = *state;

	fx_u64(fx, VHOST_SET_FEATURES, FX_ACKED);
	assert_served(fx);
	assert_int_equal(fx->be.acked, FX_ACKED);
	assert_events(fx, "features");
}

static void test_features_same_choice_again_is_not_told_again(void **state)
{
	struct fx *fx = *state;

	fx_u64(fx, VHOST_SET_FEATURES, 0);
	fx_u64(fx, VHOST_SET_FEATURES, 0);
	assert_served(fx);
	assert_events(fx, "features");
}

static void test_features_not_offered_are_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int bit = 0; bit < 64; bit++) {
		if ((FX_ACKED | VIRTIO_BIT(VHOST_F_LOG_ALL)) & VIRTIO_BIT(bit))
			continue;
		fx_u64(fx, VHOST_SET_FEATURES, FX_ACKED | VIRTIO_BIT(bit));
		assert_refused(fx, VIOLATION_VU_FEATURES);
		assert_int_equal(fx->be.acked, FX_ACKED);
	}
}

static void test_features_that_rings_depend_on_are_refused_while_one_runs(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_u64(fx, VHOST_SET_FEATURES, FX_ACKED & ~VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX));
	assert_refused(fx, VIOLATION_VU_OUT_OF_ORDER);
	assert_int_equal(fx->be.acked, FX_ACKED);
	assert_events(fx, "");
}

static void test_protocol_features_offer_is_complete(void **state)
{
	struct fx *fx = *state;

	fx_bare(fx, VHOST_GET_PROTOCOL_FEATURES);
	assert_reply_u64(fx, FX_PROTOCOL);
}

static void test_protocol_features_offer_lacks_config_without_a_space(void **state)
{
	struct fx *fx = *state;

	backend_fini(&fx->be);
	fx->offer.config_size = 0;
	assert_int_equal(backend_init(&fx->be, &fx->offer, &fx->ops, fx, &fx->sink), 0);
	fx_bare(fx, VHOST_GET_PROTOCOL_FEATURES);
	assert_reply_u64(fx, FX_PROTOCOL & ~VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIG));
}

static void test_protocol_features_not_offered_are_refused(void **state)
{
	struct fx *fx = *state;

	for (unsigned int bit = 0; bit < 64; bit++) {
		if (FX_PROTOCOL & VIRTIO_BIT(bit))
			continue;
		fx_u64(fx, VHOST_SET_PROTOCOL_FEATURES, VIRTIO_BIT(bit));
		assert_refused(fx, VIOLATION_VU_PROTOCOL_FEATURES);
		assert_int_equal(fx->be.protocol_acked, 0);
	}
}

static void test_protocol_features_are_fixed_while_a_ring_runs(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_u64(fx, VHOST_SET_PROTOCOL_FEATURES, FX_PROTOCOL & ~VIRTIO_BIT(VHOST_PROTOCOL_F_STATUS));
	assert_refused(fx, VIOLATION_VU_OUT_OF_ORDER);
	assert_int_equal(fx->be.protocol_acked, FX_PROTOCOL);
}

static void test_queue_num_is_the_number_of_queues(void **state)
{
	struct fx *fx = *state;

	fx_bare(fx, VHOST_GET_QUEUE_NUM);
	assert_reply_u64(fx, FX_NUM_QUEUES);
}

/* ownership */

static void test_owner_second_one_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_bare(fx, VHOST_SET_OWNER);
	assert_served(fx);
	fx_bare(fx, VHOST_SET_OWNER);
	assert_refused(fx, VIOLATION_VU_OUT_OF_ORDER);
}

static void test_owner_can_be_set_again_after_reset_owner(void **state)
{
	struct fx *fx = *state;

	fx_bare(fx, VHOST_SET_OWNER);
	fx_bare(fx, VHOST_RESET_OWNER);
	fx_bare(fx, VHOST_SET_OWNER);
	assert_served(fx);
}

static void test_reset_owner_disables_rings_and_keeps_the_rest(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_bare(fx, VHOST_RESET_OWNER);
	assert_served(fx);
	assert_events(fx, "driver_gone stopping:0 kick_fd:0:none stopping:1 kick_fd:1:none");
	assert_int_equal(fx->be.acked, FX_ACKED);
	assert_int_equal(fx->be.status, FX_DRIVER_OK);

	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 1, 1);
	assert_served(fx);
	assert_events(fx, "started:0 kick_fd:0:set kick:0 started:1 kick_fd:1:set driver_ok "
			  "kick:0 kick:1");
}

/* device status */

static void test_status_reads_back_what_was_set(void **state)
{
	struct fx *fx = *state;
	static const uint8_t steps[] = {1, 3, 11, 15};

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int i = 0; i < sizeof(steps); i++) {
		fx_u64(fx, VHOST_SET_STATUS, steps[i]);
		assert_served(fx);
		fx_bare(fx, VHOST_GET_STATUS);
		assert_reply_u64(fx, steps[i]);
	}
	assert_events(fx, "features status:0>1 status:1>3 status:3>11 status:11>15");
}

/* QEMU 11 sets FEATURES_OK right after SET_FEATURES, and the other bits when it starts. */
static void test_status_features_ok_before_acknowledge_is_accepted(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_u64(fx, VHOST_SET_STATUS, VIRTIO_STATUS_FEATURES_OK);
	assert_served(fx);
	fx_u64(fx, VHOST_SET_STATUS, FX_DRIVER_OK);
	assert_served(fx);
}

static void test_status_unknown_bits_are_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_u64(fx, VHOST_SET_STATUS, 3);
	assert_served(fx);
	for (unsigned int bit = 4; bit < 64; bit++) {
		if (bit == 7)
			continue; /* FAILED */
		fx_u64(fx, VHOST_SET_STATUS, VIRTIO_BIT(bit) | 3);
		assert_refused(fx, VIOLATION_VU_STATUS);
		assert_int_equal(fx->be.status, 3);
	}
}

static void test_status_bit_cleared_without_reset_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_u64(fx, VHOST_SET_STATUS, FX_DRIVER_OK & ~VIRTIO_STATUS_DRIVER_OK);
	assert_refused(fx, VIOLATION_VU_STATUS);
	assert_int_equal(fx->be.status, FX_DRIVER_OK);
	assert_events(fx, "");
}

static void test_status_features_ok_without_features_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_u64(fx, VHOST_SET_PROTOCOL_FEATURES, FX_PROTOCOL);
	fx_u64(fx, VHOST_SET_STATUS, 11);
	assert_refused(fx, VIOLATION_VU_STATUS);
	fx_bare(fx, VHOST_GET_STATUS);
	assert_reply_u64(fx, 0);
}

static void test_status_features_ok_after_refused_features_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_u64(fx, VHOST_SET_PROTOCOL_FEATURES, FX_PROTOCOL);
	fx_u64(fx, VHOST_SET_FEATURES, VIRTIO_BIT(63));
	assert_refused(fx, VIOLATION_VU_FEATURES);
	fx_u64(fx, VHOST_SET_STATUS, 11);
	assert_refused(fx, VIOLATION_VU_STATUS);
}

static void test_status_driver_ok_without_features_ok_is_refused_on_a_modern_device(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_u64(fx, VHOST_SET_STATUS, 7);
	assert_refused(fx, VIOLATION_VU_STATUS);
}

static void test_status_driver_ok_without_features_ok_is_accepted_on_a_legacy_one(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED & ~VIRTIO_BIT(VIRTIO_F_VERSION_1), FX_PROTOCOL);
	fx_u64(fx, VHOST_SET_STATUS, 7);
	assert_served(fx);
}

static void test_status_driver_ok_before_rings_run_waits_for_them(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	fx_ring(fx, 0);
	fx_ring(fx, 1);
	fx_u64(fx, VHOST_SET_STATUS, FX_DRIVER_OK);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	fx->events[0] = '\0';
	fx_state(fx, VHOST_SET_VRING_ENABLE, 1, 1);
	assert_served(fx);
	assert_events(fx, "started:1 kick_fd:1:set driver_ok kick:0 kick:1");
}

static void test_status_features_ok_alone_leaves_it_to_the_rings_as_qemu_does(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	fx_ring(fx, 0);
	fx_ring(fx, 1);
	fx_u64(fx, VHOST_SET_STATUS, VIRTIO_STATUS_FEATURES_OK);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	fx->events[0] = '\0';
	fx_state(fx, VHOST_SET_VRING_ENABLE, 1, 1);
	assert_served(fx);
	assert_events(fx, "started:1 kick_fd:1:set driver_ok kick:0 kick:1");
}

/* A driver that is heard has to say DRIVER_OK, whatever else it said before. */
static void test_status_without_driver_ok_keeps_the_driver_from_being_ready(void **state)
{
	static const uint8_t steps[] = {1, 3, 11};
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	for (unsigned int i = 0; i < FX_NUM_QUEUES; i++) {
		fx_ring(fx, i);
		fx_state(fx, VHOST_SET_VRING_ENABLE, i, 1);
	}
	assert_false(fx->be.driver_ok);
	for (unsigned int i = 0; i < sizeof(steps); i++) {
		fx_u64(fx, VHOST_SET_STATUS, steps[i]);
		assert_served(fx);
		assert_false(fx->be.driver_ok);
	}
	fx_u64(fx, VHOST_SET_STATUS, 15);
	assert_true(fx->be.driver_ok);
}

static void test_status_set_again_tells_nothing(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_u64(fx, VHOST_SET_STATUS, FX_DRIVER_OK);
	assert_served(fx);
	assert_events(fx, "");
}

static void test_status_zero_again_is_another_reset_without_a_change_of_status(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_u64(fx, VHOST_SET_STATUS, 0);
	fx->events[0] = '\0';
	fx_u64(fx, VHOST_SET_STATUS, 0);
	assert_served(fx);
	assert_events(fx, "reset");
}

static void test_status_failed_ends_the_driver(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_u64(fx, VHOST_SET_STATUS, FX_DRIVER_OK | VIRTIO_STATUS_FAILED);
	assert_served(fx);
	assert_events(fx, "driver_gone status:15>143");
}

static void test_status_zero_resets(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_u64(fx, VHOST_SET_STATUS, 0);
	assert_served(fx);
	assert_events(fx, "driver_gone stopping:0 kick_fd:0:none stopping:1 kick_fd:1:none "
			  "reset status:15>0");
	fx_bare(fx, VHOST_GET_STATUS);
	assert_reply_u64(fx, 0);
}

static void test_status_not_negotiated_makes_the_driver_ready_with_its_rings(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL & ~VIRTIO_BIT(VHOST_PROTOCOL_F_STATUS));
	fx_memory(fx);
	fx_ring(fx, 0);
	fx_ring(fx, 1);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	fx->events[0] = '\0';
	fx_state(fx, VHOST_SET_VRING_ENABLE, 1, 1);
	assert_served(fx);
	assert_events(fx, "started:1 kick_fd:1:set driver_ok kick:0 kick:1");
}

/* reset */

static void test_reset_device_stops_rings_and_forgets_them(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_bare(fx, VHOST_RESET_DEVICE);
	assert_served(fx);
	assert_events(fx, "driver_gone stopping:0 kick_fd:0:none stopping:1 kick_fd:1:none reset");
	assert_int_equal(fx->be.status, 0);
	assert_int_equal(fx->be.acked, 0);

	/* Nothing that is left starts a ring. */
	fx_u64(fx, VHOST_SET_FEATURES, FX_ACKED);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	fx_event(fx, VHOST_SET_VRING_KICK, 0, fx->kick[0]);
	assert_served(fx);
	assert_events(fx, "features");
}

static void test_reset_device_keeps_the_session(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_bare(fx, VHOST_RESET_DEVICE);
	assert_true(fx->be.owned);
	assert_int_equal(fx->be.protocol_acked, FX_PROTOCOL);
	assert_int_equal(fx->be.mem.count, 1);
	assert_true(fx->be.queues[0].call.fd >= 0);
	assert_true(fx->be.queues[0].err.fd >= 0);
}

/* As QEMU does it: memory, call and err are not sent again. */
static void test_reset_device_then_the_same_rings_run_again(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_bare(fx, VHOST_RESET_DEVICE);
	fx->events[0] = '\0';
	fx_u64(fx, VHOST_SET_FEATURES, FX_ACKED);
	for (unsigned int i = 0; i < FX_NUM_QUEUES; i++) {
		struct fx_addr addr = fx_ring_addr(i, FX_NUM);

		fx_state(fx, VHOST_SET_VRING_NUM, i, FX_NUM);
		fx_state(fx, VHOST_SET_VRING_BASE, i, 0);
		fx_addr(fx, i, &addr);
		fx_event(fx, VHOST_SET_VRING_KICK, i, fx->kick[i]);
		fx_state(fx, VHOST_SET_VRING_ENABLE, i, 1);
		assert_served(fx);
	}
	fx_u64(fx, VHOST_SET_STATUS, FX_DRIVER_OK);
	assert_served(fx);
	assert_true(fx->be.driver_ok);
}

static void test_reset_device_before_anything_is_served(void **state)
{
	struct fx *fx = *state;

	fx_bare(fx, VHOST_RESET_DEVICE);
	assert_served(fx);
	assert_events(fx, "reset");
}

/* configuration space */

static void test_config_read_of_the_whole_space(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_config(fx, VHOST_GET_CONFIG, 0, FX_CONFIG_SIZE, 0, NULL);
	assert_int_equal(fx->result, 1);
	assert_int_equal(fx->reply.size, VHOST_CONFIG_HDR_SIZE + FX_CONFIG_SIZE);
	assert_int_equal(vhost_get_u32(fx->reply.payload + 4), FX_CONFIG_SIZE);
	assert_memory_equal(fx->reply.payload + VHOST_CONFIG_HDR_SIZE, fx->config, FX_CONFIG_SIZE);
}

static void test_config_read_of_a_part(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_config(fx, VHOST_GET_CONFIG, FX_CONFIG_SIZE - 3, 3, 0, NULL);
	assert_int_equal(fx->reply.size, VHOST_CONFIG_HDR_SIZE + 3);
	assert_memory_equal(fx->reply.payload + VHOST_CONFIG_HDR_SIZE,
			    fx->config + FX_CONFIG_SIZE - 3, 3);
}

static void test_config_read_that_fails_gets_an_empty_reply(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx->config_error = -EIO;
	fx_config(fx, VHOST_GET_CONFIG, 0, 4, 0, NULL);
	assert_int_equal(fx->result, 1);
	assert_int_equal(fx->reply.size, 0);
}

static const struct {
	uint32_t offset, size;
} outside[] = {
	{0, FX_CONFIG_SIZE + 1}, {1, FX_CONFIG_SIZE}, {FX_CONFIG_SIZE, 1},
	{FX_CONFIG_SIZE + 1, 0}, {UINT32_MAX, 1},     {UINT32_MAX - 3, 8},
	{0, VHOST_CONFIG_MAX},
};

static void test_config_read_outside_gets_an_empty_reply(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		fx_config(fx, VHOST_GET_CONFIG, outside[i].offset, outside[i].size, 0, NULL);
		assert_int_equal(fx->result, 1);
		assert_int_equal(fx->reply.size, 0);
		assert_reported(fx, VIOLATION_VU_CONFIG);
	}
}

static void test_config_size_beyond_its_own_message_is_refused(void **state)
{
	struct fx *fx = *state;
	uint8_t payload[VHOST_CONFIG_HDR_SIZE + 4] = {0};

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	vhost_put_u32(payload + 4, 8);
	fx_send(fx, VHOST_SET_CONFIG, payload, sizeof(payload), NULL, 0);
	assert_refused(fx, VIOLATION_VU_SIZE);
	vhost_put_u32(payload + 4, UINT32_MAX);
	fx_send(fx, VHOST_SET_CONFIG, payload, sizeof(payload), NULL, 0);
	assert_refused(fx, VIOLATION_VU_CONFIG);
}

static void test_config_write_changes_the_space(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_config(fx, VHOST_SET_CONFIG, 2, 3, 0, "abc");
	assert_served(fx);
	assert_memory_equal(fx->config,
			    "\xc0\xc1"
			    "abc\xc5",
			    6);
}

static void test_config_write_for_migration_is_accepted(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_config(fx, VHOST_SET_CONFIG, 0, 1, VHOST_CONFIG_F_MIGRATION, "x");
	assert_served(fx);
}

static void test_config_write_with_unknown_flags_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_config(fx, VHOST_SET_CONFIG, 0, 1, 2, "x");
	assert_refused(fx, VIOLATION_VU_VALUE);
	assert_int_equal(fx->config[0], 0xc0);
}

static void test_config_write_outside_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		fx_config(fx, VHOST_SET_CONFIG, outside[i].offset, outside[i].size, 0, NULL);
		assert_refused(fx, VIOLATION_VU_CONFIG);
	}
}

static void test_config_write_that_the_device_refuses_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx->config_error = -EPERM;
	fx_config(fx, VHOST_SET_CONFIG, 0, 1, 0, "x");
	assert_refused(fx, VIOLATION_VU_CONFIG);
}

static void test_config_write_to_a_device_without_a_callback_is_refused(void **state)
{
	struct fx *fx = *state;

	fx->ops.config_write = NULL;
	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_config(fx, VHOST_SET_CONFIG, 0, 1, 0, "x");
	assert_refused(fx, VIOLATION_VU_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fx_test(test_features_offer_adds_what_vhost_needs),
		fx_test(test_features_choice_is_told),
		fx_test(test_features_same_choice_again_is_not_told_again),
		fx_test(test_features_not_offered_are_refused),
		fx_test(test_features_that_rings_depend_on_are_refused_while_one_runs),
		fx_test(test_protocol_features_offer_is_complete),
		fx_test(test_protocol_features_offer_lacks_config_without_a_space),
		fx_test(test_protocol_features_not_offered_are_refused),
		fx_test(test_protocol_features_are_fixed_while_a_ring_runs),
		fx_test(test_queue_num_is_the_number_of_queues),
		fx_test(test_owner_second_one_is_refused),
		fx_test(test_owner_can_be_set_again_after_reset_owner),
		fx_test(test_reset_owner_disables_rings_and_keeps_the_rest),
		fx_test(test_status_reads_back_what_was_set),
		fx_test(test_status_features_ok_before_acknowledge_is_accepted),
		fx_test(test_status_unknown_bits_are_refused),
		fx_test(test_status_bit_cleared_without_reset_is_refused),
		fx_test(test_status_features_ok_without_features_is_refused),
		fx_test(test_status_features_ok_after_refused_features_is_refused),
		fx_test(test_status_driver_ok_without_features_ok_is_refused_on_a_modern_device),
		fx_test(test_status_driver_ok_without_features_ok_is_accepted_on_a_legacy_one),
		fx_test(test_status_driver_ok_before_rings_run_waits_for_them),
		fx_test(test_status_features_ok_alone_leaves_it_to_the_rings_as_qemu_does),
		fx_test(test_status_without_driver_ok_keeps_the_driver_from_being_ready),
		fx_test(test_status_set_again_tells_nothing),
		fx_test(test_status_zero_again_is_another_reset_without_a_change_of_status),
		fx_test(test_status_failed_ends_the_driver),
		fx_test(test_status_zero_resets),
		fx_test(test_status_not_negotiated_makes_the_driver_ready_with_its_rings),
		fx_test(test_reset_device_stops_rings_and_forgets_them),
		fx_test(test_reset_device_keeps_the_session),
		fx_test(test_reset_device_then_the_same_rings_run_again),
		fx_test(test_reset_device_before_anything_is_served),
		fx_test(test_config_read_of_the_whole_space),
		fx_test(test_config_read_of_a_part),
		fx_test(test_config_read_that_fails_gets_an_empty_reply),
		fx_test(test_config_read_outside_gets_an_empty_reply),
		fx_test(test_config_size_beyond_its_own_message_is_refused),
		fx_test(test_config_write_changes_the_space),
		fx_test(test_config_write_for_migration_is_accepted),
		fx_test(test_config_write_with_unknown_flags_is_refused),
		fx_test(test_config_write_outside_is_refused),
		fx_test(test_config_write_that_the_device_refuses_is_refused),
		fx_test(test_config_write_to_a_device_without_a_callback_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
