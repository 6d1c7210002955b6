/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings as they run: start, enabling, what cannot change meanwhile, stop. */
#include <errno.h>
#include <string.h>

#include "support/vhost_fixture.h"
#include "virtio/drvq.h"

/* start */

/* Linked with --wrap=calloc: what virtq_start() allocates can be made to fail. */
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
static bool no_memory;

void *__wrap_calloc(size_t count, size_t size)
{
	return no_memory ? NULL : __real_calloc(count, size);
}

static void test_start_without_memory_of_this_process_is_its_own_failure(void **state)
{
	struct fx *fx = *state;
	int fds;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	fx_ring(fx, 0);
	fx_state(fx, VHOST_GET_VRING_BASE, 0, 0);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	fds = fx_open_fds();
	fx->events[0] = '\0';
	no_memory = true;
	fx_event(fx, VHOST_SET_VRING_KICK, 0, fx->kick[0]);
	no_memory = false;
	assert_int_equal(fx->result, -ENOMEM);
	assert_false(fx->be.queues[0].vq.started);
	assert_false(fx->be.queues[0].kick_set);
	assert_int_equal(fx_open_fds(), fds);
	assert_events(fx, "");
}

static void test_start_of_many_without_memory_of_this_process_is_its_own_failure(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	fx_ring(fx, 0);
	no_memory = true;
	fx_u64(fx, VHOST_SET_FEATURES, FX_FEATURES);
	no_memory = false;
	assert_int_equal(fx->result, -ENOMEM);
	assert_false(fx->be.queues[0].vq.started);
}

#define STEPS 6

static void do_step(struct fx *fx, unsigned int step)
{
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);
	struct fx_region whole = fx_whole_memory();

	switch (step) {
	case 0:
		fx_u64(fx, VHOST_SET_FEATURES, FX_ACKED);
		break;
	case 1:
		fx_table(fx, &whole, 1);
		break;
	case 2:
		fx_state(fx, VHOST_SET_VRING_NUM, 0, FX_NUM);
		break;
	case 3:
		fx_addr(fx, 0, &addr);
		break;
	case 4:
		fx_event(fx, VHOST_SET_VRING_KICK, 0, fx->kick[0]);
		break;
	case 5:
		fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
		break;
	}
}

static void try_order(struct fx *fx, const unsigned int *order)
{
	fx->need_reply = false;
	backend_fini(&fx->be);
	assert_int_equal(backend_init(&fx->be, &fx->offer, &fx->ops, fx, &fx->sink), 0);
	fx_u64(fx, VHOST_SET_PROTOCOL_FEATURES, FX_PROTOCOL);
	fx->need_reply = true;
	for (unsigned int i = 0; i < STEPS; i++) {
		assert_false(fx->be.queues[0].vq.started);
		fx->events[0] = '\0';
		do_step(fx, order[i]);
		assert_served(fx);
	}
	assert_events(fx, order[STEPS - 1] == 0 ? "features started:0 kick_fd:0:set kick:0"
						: "started:0 kick_fd:0:set kick:0");
	backend_fini(&fx->be);
	fx->events[0] = '\0';
}

/* All permutations of order[at...]. */
static void try_orders(struct fx *fx, unsigned int *order, unsigned int at)
{
	if (at == STEPS) {
		try_order(fx, order);
		return;
	}
	for (unsigned int i = at; i < STEPS; i++) {
		unsigned int held = order[at];

		order[at] = order[i];
		order[i] = held;
		try_orders(fx, order, at + 1);
		order[i] = order[at];
		order[at] = held;
	}
}

static void test_start_happens_with_the_last_step_whatever_their_order(void **state)
{
	unsigned int order[STEPS] = {0, 1, 2, 3, 4, 5};

	try_orders(*state, order, 0);
}

static void test_start_of_all_rings_and_driver_ok_is_told_in_this_order(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	fx_ring(fx, 0);
	fx_ring(fx, 1);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 1, 1);
	fx_u64(fx, VHOST_SET_STATUS, FX_DRIVER_OK);
	assert_served(fx);
	assert_events(fx, "features started:0 kick_fd:0:set kick:0 started:1 kick_fd:1:set kick:1 "
			  "status:0>15 driver_ok kick:0 kick:1");
}

static void test_start_without_protocol_features_needs_no_enabling(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_FEATURES, 0);
	fx_memory(fx);
	fx_ring(fx, 0);
	assert_true(fx->be.queues[0].vq.started);
	fx_ring(fx, 1);
	assert_true(fx->be.driver_ok);
}

static void test_features_without_protocol_features_enable_all_rings(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	fx_ring(fx, 0);
	assert_false(fx->be.queues[0].vq.started);
	fx_u64(fx, VHOST_SET_FEATURES, FX_FEATURES);
	assert_served(fx);
	assert_true(fx->be.queues[0].vq.started);
	assert_true(fx->be.queues[1].enabled);
}

static void test_features_with_protocol_features_disable_no_ring(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_u64(fx, VHOST_SET_FEATURES, FX_ACKED);
	assert_served(fx);
	assert_events(fx, "");
	assert_true(fx->be.queues[0].enabled);
}

/* enable */

static void test_enable_not_negotiated_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_FEATURES, 0);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	assert_refused(fx, VIOLATION_VU_NOT_NEGOTIATED);
}

static void test_enable_with_another_number_than_0_and_1_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 2);
	assert_refused(fx, VIOLATION_VU_VALUE);
	assert_true(fx->be.queues[0].enabled);
	assert_events(fx, "");
}

static void test_enable_of_a_running_ring_changes_nothing(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	assert_served(fx);
	assert_events(fx, "");
}

static void test_disable_stops_the_ring_and_enable_goes_on(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 1, 0);
	assert_served(fx);
	assert_events(fx, "driver_gone stopping:1 kick_fd:1:none");
	fx_state(fx, VHOST_SET_VRING_ENABLE, 1, 1);
	assert_served(fx);
	assert_events(fx, "started:1 kick_fd:1:set driver_ok kick:0 kick:1");
}

/* what cannot change while a ring runs */

static void test_enable_refused_again_leaves_a_ring_enabled(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);
	struct fx_region elsewhere = fx_whole_memory();

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_addr(fx, 0, &addr);
	fx_state(fx, VHOST_SET_VRING_NUM, 0, FX_NUM);
	fx_event(fx, VHOST_SET_VRING_KICK, 0, fx->kick[0]);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	elsewhere.user += UINT64_C(1) << 40;
	fx_region(fx, VHOST_ADD_MEM_REG, &elsewhere, fx->memory);
	assert_served(fx);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	assert_refused(fx, VIOLATION_VU_RING_ADDRESS);
	assert_true(fx->be.queues[0].enabled);
}

static void test_running_ring_refuses_another_size(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_state(fx, VHOST_SET_VRING_NUM, 0, 2);
	assert_refused(fx, VIOLATION_VU_OUT_OF_ORDER);
	assert_int_equal(fx->be.queues[0].num, FX_NUM);
}

static void test_running_ring_refuses_another_base(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_state(fx, VHOST_SET_VRING_BASE, 0, 7);
	assert_refused(fx, VIOLATION_VU_OUT_OF_ORDER);
}

static void test_running_ring_refuses_other_addresses(void **state)
{
	struct fx *fx = *state;
	struct fx_addr other = fx_ring_addr(1, FX_NUM);

	fx_run(fx);
	fx_addr(fx, 0, &other);
	assert_refused(fx, VIOLATION_VU_OUT_OF_ORDER);
	assert_int_equal(fx->be.queues[0].desc_user, fx_ring_addr(0, FX_NUM).desc);
}

static void test_running_ring_accepts_its_own_addresses(void **state)
{
	struct fx *fx = *state;
	struct fx_addr same = fx_ring_addr(0, FX_NUM);

	fx_run(fx);
	fx_addr(fx, 0, &same);
	assert_served(fx);
	assert_events(fx, "");
}

/* stop */

static void post(struct drvq *dq, unsigned int count)
{
	struct drvq_buf buf = {.addr = FX_GUEST + FX_BUFFERS, .len = 512};

	for (unsigned int i = 0; i < count; i++)
		assert_true(drvq_add(dq, &buf, 0, 1, dq) >= 0);
	drvq_publish(dq);
}

static void pop_and_push(struct fx *fx, unsigned int count)
{
	struct virtq *vq = &fx->be.queues[0].vq;
	struct virtq_chain chain;

	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(virtq_pop(vq, &chain), 1);
		assert_int_equal(virtq_push(vq, chain.head, 0), 0);
	}
	virtq_flush(vq);
}

static uint32_t get_base(struct fx *fx)
{
	fx_state(fx, VHOST_GET_VRING_BASE, 0, 0);
	assert_int_equal(fx->result, 1);
	assert_int_equal(fx->reply.size, VHOST_VRING_STATE_SIZE);
	return vhost_get_u32(fx->reply.payload + 4);
}

static void test_get_vring_base_stops_the_ring(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	assert_int_equal(get_base(fx), 0);
	assert_events(fx, "driver_gone stopping:0 kick_fd:0:none");
	assert_false(fx->be.queues[0].vq.started);
	assert_true(fx->be.queues[1].vq.started);
}

static void test_get_vring_base_returns_where_the_ring_stood(void **state)
{
	struct fx *fx = *state;
	struct drvq dq;

	fx_run(fx);
	fx_start_driver(fx, &dq, 0);
	post(&dq, 5);
	pop_and_push(fx, 3);
	assert_int_equal(get_base(fx), 3);
	drvq_stop(&dq);
}

static void test_get_vring_base_of_a_ring_that_never_ran_returns_its_base(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_state(fx, VHOST_SET_VRING_BASE, 0, 1234);
	assert_int_equal(get_base(fx), 1234);
	assert_events(fx, "features");
}

static void test_get_vring_base_with_a_number_is_reported_and_stops_the_ring(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_state(fx, VHOST_GET_VRING_BASE, 0, 9);
	assert_reported(fx, VIOLATION_VU_VALUE);
	assert_int_equal(fx->reply.size, VHOST_VRING_STATE_SIZE);
	assert_false(fx->be.queues[0].vq.started);
}

static void test_stopped_ring_is_not_started_by_enabling(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	get_base(fx);
	fx->events[0] = '\0';
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 0);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	assert_served(fx);
	assert_events(fx, "");
}

static void test_stopped_ring_goes_on_where_it_stood_with_another_kick_descriptor(void **state)
{
	struct fx *fx = *state;
	struct drvq_used used;
	struct drvq dq;

	fx_run(fx);
	fx_start_driver(fx, &dq, 0);
	post(&dq, 5);
	pop_and_push(fx, 3);
	get_base(fx);
	fx->events[0] = '\0';
	fx_event(fx, VHOST_SET_VRING_KICK, 0, fx->kick[0]);
	assert_served(fx);
	assert_events(fx, "started:0 kick_fd:0:set driver_ok kick:0 kick:1");
	pop_and_push(fx, 2);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(drvq_get(&dq, &used), 1);
	assert_int_equal(drvq_get(&dq, &used), 0);
	drvq_stop(&dq);
}

static void test_stopped_ring_starts_at_the_base_that_is_set(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	get_base(fx);
	fx_state(fx, VHOST_SET_VRING_BASE, 0, 42);
	fx_event(fx, VHOST_SET_VRING_KICK, 0, fx->kick[0]);
	assert_served(fx);
	assert_int_equal(fx->be.queues[0].vq.last_avail, 42);
}

static void test_disabled_ring_keeps_where_it_stood(void **state)
{
	struct fx *fx = *state;
	struct drvq dq;

	fx_run(fx);
	fx_start_driver(fx, &dq, 0);
	post(&dq, 5);
	pop_and_push(fx, 3);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 0);
	assert_int_equal(get_base(fx), 3);
	drvq_stop(&dq);
}

static void test_buffers_posted_before_the_start_are_seen(void **state)
{
	struct fx *fx = *state;
	struct drvq dq;

	fx_start_driver(fx, &dq, 0);
	post(&dq, 2);
	fx_run(fx);
	assert_int_equal(virtq_avail_count(&fx->be.queues[0].vq), 2);
	drvq_stop(&dq);
}

/* A ring whose contents are nonsense breaks its queue; messages are served on. */
static void test_broken_ring_leaves_the_session_alone(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);
	struct virtq_chain chain;

	fx_run(fx);
	memset(fx->host + (addr.avail - FX_USER), 0xff, 4);
	assert_true(virtq_pop(&fx->be.queues[0].vq, &chain) < 0);
	assert_reported(fx, VIOLATION_VQ_AVAIL_JUMP);
	get_base(fx);
	fx_bare(fx, VHOST_GET_QUEUE_NUM);
	assert_reply_u64(fx, FX_NUM_QUEUES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fx_test(test_start_without_memory_of_this_process_is_its_own_failure),
		fx_test(test_start_of_many_without_memory_of_this_process_is_its_own_failure),
		fx_test(test_start_happens_with_the_last_step_whatever_their_order),
		fx_test(test_start_of_all_rings_and_driver_ok_is_told_in_this_order),
		fx_test(test_start_without_protocol_features_needs_no_enabling),
		fx_test(test_features_without_protocol_features_enable_all_rings),
		fx_test(test_features_with_protocol_features_disable_no_ring),
		fx_test(test_enable_not_negotiated_is_refused),
		fx_test(test_enable_with_another_number_than_0_and_1_is_refused),
		fx_test(test_enable_of_a_running_ring_changes_nothing),
		fx_test(test_disable_stops_the_ring_and_enable_goes_on),
		fx_test(test_enable_refused_again_leaves_a_ring_enabled),
		fx_test(test_running_ring_refuses_another_size),
		fx_test(test_running_ring_refuses_another_base),
		fx_test(test_running_ring_refuses_other_addresses),
		fx_test(test_running_ring_accepts_its_own_addresses),
		fx_test(test_get_vring_base_stops_the_ring),
		fx_test(test_get_vring_base_returns_where_the_ring_stood),
		fx_test(test_get_vring_base_of_a_ring_that_never_ran_returns_its_base),
		fx_test(test_get_vring_base_with_a_number_is_reported_and_stops_the_ring),
		fx_test(test_stopped_ring_is_not_started_by_enabling),
		fx_test(test_stopped_ring_goes_on_where_it_stood_with_another_kick_descriptor),
		fx_test(test_stopped_ring_starts_at_the_base_that_is_set),
		fx_test(test_disabled_ring_keeps_where_it_stood),
		fx_test(test_buffers_posted_before_the_start_are_seen),
		fx_test(test_broken_ring_leaves_the_session_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
