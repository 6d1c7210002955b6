/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings as they are described: index, size, base, addresses. */
#include "support/vhost_fixture.h"

/* index */

static void test_queue_index_out_of_range_is_refused(void **state)
{
	struct fx *fx = *state;
	static const uint32_t requests[] = {VHOST_SET_VRING_NUM, VHOST_SET_VRING_BASE,
					    VHOST_SET_VRING_ENABLE};
	static const uint32_t indices[] = {FX_NUM_QUEUES, 255, 256, UINT32_MAX};
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int i = 0; i < 4; i++) {
		for (unsigned int r = 0; r < 3; r++) {
			fx_state(fx, requests[r], indices[i], 1);
			assert_refused(fx, VIOLATION_VU_QUEUE_INDEX);
		}
		fx_addr(fx, indices[i], &addr);
		assert_refused(fx, VIOLATION_VU_QUEUE_INDEX);
		fx_state(fx, VHOST_GET_VRING_BASE, indices[i], 0);
		assert_reported(fx, VIOLATION_VU_QUEUE_INDEX);
		assert_int_equal(fx->reply.size, 0);
	}
}

static void test_queue_index_out_of_range_of_a_descriptor_is_refused(void **state)
{
	struct fx *fx = *state;
	static const uint32_t requests[] = {VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL,
					    VHOST_SET_VRING_ERR};

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (unsigned int r = 0; r < 3; r++) {
		fx_event(fx, requests[r], FX_NUM_QUEUES, fx->kick[0]);
		assert_refused(fx, VIOLATION_VU_QUEUE_INDEX);
		fx_event(fx, requests[r], 255 | VHOST_VRING_NOFD, -1);
		assert_refused(fx, VIOLATION_VU_QUEUE_INDEX);
	}
}

/* A device of one queue has no second one, though there is room for it. */
static void test_queue_index_above_the_offer_is_refused(void **state)
{
	struct fx *fx = *state;

	backend_fini(&fx->be);
	fx->offer.num_queues = 1;
	assert_int_equal(backend_init(&fx->be, &fx->offer, &fx->ops, fx, &fx->sink), 0);
	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_state(fx, VHOST_SET_VRING_NUM, 1, FX_NUM);
	assert_refused(fx, VIOLATION_VU_QUEUE_INDEX);
}

/* size and base */

static void test_queue_size_of_each_power_of_two_is_accepted(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	for (uint32_t num = 1; num <= VRING_MAX_SIZE; num *= 2) {
		fx_state(fx, VHOST_SET_VRING_NUM, 0, num);
		assert_served(fx);
		assert_int_equal(fx->be.queues[0].num, num);
	}
}

static void test_queue_size_not_a_power_of_two_up_to_32768_is_refused(void **state)
{
	struct fx *fx = *state;
	static const uint32_t sizes[] = {0,	3,     65,    32767,	  32769,
					 65535, 65536, 65600, 0x80000000, UINT32_MAX};

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_state(fx, VHOST_SET_VRING_NUM, 0, FX_NUM);
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fx_state(fx, VHOST_SET_VRING_NUM, 0, sizes[i]);
		assert_refused(fx, VIOLATION_VU_QUEUE_SIZE);
		assert_int_equal(fx->be.queues[0].num, FX_NUM);
	}
}

static void test_queue_size_of_one_runs(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, 1);

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	fx_ring(fx, 0);
	fx_state(fx, VHOST_SET_VRING_NUM, 0, 1);
	fx_addr(fx, 0, &addr);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	assert_served(fx);
	assert_int_equal(fx->be.queues[0].vq.num, 1);
}

static void test_queue_size_of_32768_runs(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, VRING_MAX_SIZE);

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	fx_ring(fx, 0);
	fx_state(fx, VHOST_SET_VRING_NUM, 0, VRING_MAX_SIZE);
	fx_addr(fx, 0, &addr);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	assert_served(fx);
	assert_int_equal(fx->be.queues[0].vq.num, VRING_MAX_SIZE);
}

static void test_queue_base_of_65535_is_accepted(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_state(fx, VHOST_SET_VRING_BASE, 0, 65535);
	assert_served(fx);
	fx_state(fx, VHOST_GET_VRING_BASE, 0, 0);
	assert_int_equal(fx->reply.size, VHOST_VRING_STATE_SIZE);
	assert_int_equal(vhost_get_u32(fx->reply.payload), 0);
	assert_int_equal(vhost_get_u32(fx->reply.payload + 4), 65535);
}

static void test_queue_base_above_16_bits_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_state(fx, VHOST_SET_VRING_BASE, 0, 65536);
	assert_refused(fx, VIOLATION_VU_QUEUE_BASE);
	fx_state(fx, VHOST_SET_VRING_BASE, 0, UINT32_MAX);
	assert_refused(fx, VIOLATION_VU_QUEUE_BASE);
	assert_int_equal(fx->be.queues[0].base, 0);
}

/* addresses */

static void test_ring_address_misaligned_is_refused(void **state)
{
	struct fx *fx = *state;
	static const struct {
		uint64_t desc, avail, used;
	} shifts[] = {
		{1, 0, 0}, {4, 0, 0}, {8, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, 2},
	};

	fx_sized_queue(fx);
	for (unsigned int i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
		struct fx_addr addr = fx_ring_addr(0, FX_NUM);

		addr.desc += shifts[i].desc;
		addr.avail += shifts[i].avail;
		addr.used += shifts[i].used;
		fx_addr(fx, 0, &addr);
		assert_refused(fx, VIOLATION_VU_RING_ADDRESS);
		assert_false(fx->be.queues[0].addr_set);
	}
}

static void test_ring_address_misaligned_is_refused_before_memory_is_known(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	addr.used += 2;
	fx_addr(fx, 0, &addr);
	assert_refused(fx, VIOLATION_VU_RING_ADDRESS);
}

static void test_ring_address_outside_memory_is_refused(void **state)
{
	struct fx *fx = *state;
	const uint64_t end = FX_USER + FX_MEM_SIZE;
	const uint64_t bad[][3] = {
		/* each part: before memory, reaching past its end, behind it, around 2^64 */
		{FX_USER - 16, 0, 0}, {end - vring_desc_bytes(FX_NUM) + 16, 0, 0},
		{end, 0, 0},	      {UINT64_MAX - 15, 0, 0},
		{0, FX_USER - 2, 0},  {0, end - vring_avail_bytes(FX_NUM) + 2, 0},
		{0, end, 0},	      {0, UINT64_MAX - 1, 0},
		{0, 0, FX_USER - 4},  {0, 0, (end - vring_used_bytes(FX_NUM) + 4) & ~UINT64_C(3)},
		{0, 0, end},	      {0, 0, UINT64_MAX - 3},
	};

	fx_sized_queue(fx);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fx_addr addr = fx_ring_addr(0, FX_NUM);

		addr.desc = bad[i][0] ? bad[i][0] : addr.desc;
		addr.avail = bad[i][1] ? bad[i][1] : addr.avail;
		addr.used = bad[i][2] ? bad[i][2] : addr.used;
		fx_addr(fx, 0, &addr);
		assert_refused(fx, VIOLATION_VU_RING_ADDRESS);
	}
}

static void test_ring_address_refused_is_named_in_the_report(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);

	fx_sized_queue(fx);
	addr.used = 0x1000;
	fx_addr(fx, 0, &addr);
	assert_int_equal(fx->reports[0].queue, 0);
	assert_int_equal(fx->reports[0].expected, vring_used_bytes(FX_NUM));
	assert_int_equal(fx->reports[0].seen, 0x1000);
	assert_refused(fx, VIOLATION_VU_RING_ADDRESS);
	addr.avail = 0x2000;
	fx_addr(fx, 0, &addr);
	assert_int_equal(fx->reports[0].expected, vring_avail_bytes(FX_NUM));
	assert_int_equal(fx->reports[0].seen, 0x2000);
	assert_refused(fx, VIOLATION_VU_RING_ADDRESS);
	addr.desc = 0x3000;
	fx_addr(fx, 0, &addr);
	assert_int_equal(fx->reports[0].expected, vring_desc_bytes(FX_NUM));
	assert_int_equal(fx->reports[0].seen, 0x3000);
	assert_refused(fx, VIOLATION_VU_RING_ADDRESS);
}

static void test_ring_address_up_to_the_last_byte_is_accepted(void **state)
{
	struct fx *fx = *state;
	const uint64_t end = FX_USER + FX_MEM_SIZE;
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);

	fx_sized_queue(fx);
	addr.desc = end - vring_desc_bytes(FX_NUM);
	fx_addr(fx, 0, &addr);
	assert_served(fx);
	addr = fx_ring_addr(0, FX_NUM);
	addr.avail = end - vring_avail_bytes(FX_NUM);
	fx_addr(fx, 0, &addr);
	assert_served(fx);
	addr = fx_ring_addr(0, FX_NUM);
	addr.used = (end - vring_used_bytes(FX_NUM)) & ~UINT64_C(3);
	fx_addr(fx, 0, &addr);
	assert_served(fx);
}

static void test_ring_address_refused_keeps_the_one_before(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);

	fx_sized_queue(fx);
	fx_addr(fx, 0, &addr);
	addr.desc = 16;
	fx_addr(fx, 0, &addr);
	assert_refused(fx, VIOLATION_VU_RING_ADDRESS);
	assert_int_equal(fx->be.queues[0].desc_user, fx_ring_addr(0, FX_NUM).desc);
	assert_true(fx->be.queues[0].addr_set);
}

/* The two halves adjoin for the front-end, but not in this process. */
static void test_ring_address_across_two_regions_is_refused(void **state)
{
	struct fx *fx = *state;
	struct fx_region halves[2] = {
		{.guest = FX_GUEST, .size = FX_MEM_SIZE / 2, .user = FX_USER},
		{.guest = FX_GUEST + FX_MEM_SIZE / 2,
		 .size = FX_MEM_SIZE / 2,
		 .user = FX_USER + FX_MEM_SIZE / 2,
		 .offset = FX_MEM_SIZE / 2},
	};
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_table(fx, halves, 2);
	assert_served(fx);
	fx_state(fx, VHOST_SET_VRING_NUM, 0, FX_NUM);
	addr.desc = FX_USER + FX_MEM_SIZE / 2 - 16;
	fx_addr(fx, 0, &addr);
	assert_refused(fx, VIOLATION_VU_RING_ADDRESS);
}

/* Aligned for the front-end, misaligned where it is mapped. */
static void test_ring_address_of_a_shifted_region_is_refused(void **state)
{
	struct fx *fx = *state;
	struct fx_region shifted = {
		.guest = FX_GUEST, .size = FX_MEM_SIZE - 8, .user = FX_USER, .offset = 8};
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_table(fx, &shifted, 1);
	assert_served(fx);
	fx_state(fx, VHOST_SET_VRING_NUM, 0, FX_NUM);
	fx_addr(fx, 0, &addr);
	assert_refused(fx, VIOLATION_VU_RING_ADDRESS);
}

static void test_ring_address_with_unknown_flags_is_refused(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);

	fx_sized_queue(fx);
	addr.flags = 2;
	fx_addr(fx, 0, &addr);
	assert_refused(fx, VIOLATION_VU_VALUE);
}

/* Nothing could be judged before; now the ring would start, and cannot. */
static void test_ring_address_found_wrong_at_the_kick_refuses_the_kick(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);
	int fds;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	addr.desc = 16;
	fx_addr(fx, 0, &addr);
	fx_state(fx, VHOST_SET_VRING_NUM, 0, FX_NUM);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	assert_served(fx);
	fds = fx_open_fds();
	fx_event(fx, VHOST_SET_VRING_KICK, 0, fx->kick[0]);
	assert_refused(fx, VIOLATION_VU_RING_ADDRESS);
	assert_false(fx->be.queues[0].kick_set);
	assert_int_equal(fx_open_fds(), fds);
}

static void test_ring_address_found_wrong_when_enabled_refuses_that(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	addr.used = 0;
	fx_addr(fx, 0, &addr);
	fx_state(fx, VHOST_SET_VRING_NUM, 0, FX_NUM);
	fx_event(fx, VHOST_SET_VRING_KICK, 0, fx->kick[0]);
	assert_served(fx);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	assert_refused(fx, VIOLATION_VU_RING_ADDRESS);
	assert_false(fx->be.queues[0].enabled);
}

static void test_ring_address_found_wrong_by_its_size_refuses_the_size(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	addr.desc = FX_USER + FX_MEM_SIZE - vring_desc_bytes(FX_NUM);
	fx_addr(fx, 0, &addr);
	fx_event(fx, VHOST_SET_VRING_KICK, 0, fx->kick[0]);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	assert_served(fx);
	fx_state(fx, VHOST_SET_VRING_NUM, 0, 2 * FX_NUM);
	assert_refused(fx, VIOLATION_VU_RING_ADDRESS);
	assert_false(fx->be.queues[0].num_set);
	fx_state(fx, VHOST_SET_VRING_NUM, 0, FX_NUM);
	assert_served(fx);
	assert_true(fx->be.queues[0].vq.started);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fx_test(test_queue_index_out_of_range_is_refused),
		fx_test(test_queue_index_out_of_range_of_a_descriptor_is_refused),
		fx_test(test_queue_index_above_the_offer_is_refused),
		fx_test(test_queue_size_of_each_power_of_two_is_accepted),
		fx_test(test_queue_size_not_a_power_of_two_up_to_32768_is_refused),
		fx_test(test_queue_size_of_one_runs),
		fx_test(test_queue_size_of_32768_runs),
		fx_test(test_queue_base_of_65535_is_accepted),
		fx_test(test_queue_base_above_16_bits_is_refused),
		fx_test(test_ring_address_misaligned_is_refused),
		fx_test(test_ring_address_misaligned_is_refused_before_memory_is_known),
		fx_test(test_ring_address_outside_memory_is_refused),
		fx_test(test_ring_address_refused_is_named_in_the_report),
		fx_test(test_ring_address_up_to_the_last_byte_is_accepted),
		fx_test(test_ring_address_refused_keeps_the_one_before),
		fx_test(test_ring_address_across_two_regions_is_refused),
		fx_test(test_ring_address_of_a_shifted_region_is_refused),
		fx_test(test_ring_address_with_unknown_flags_is_refused),
		fx_test(test_ring_address_found_wrong_at_the_kick_refuses_the_kick),
		fx_test(test_ring_address_found_wrong_when_enabled_refuses_that),
		fx_test(test_ring_address_found_wrong_by_its_size_refuses_the_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
