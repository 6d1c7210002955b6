/* SPDX-License-Identifier: BSD-2-Clause */
/* Split virtqueue, driver side: each thing that a device can do wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/ring_fixture.h"

static struct ring ring;
static struct drvq_used used;

static const struct drvq_buf bufs[] = {{RING_LOW, 16}, {RING_LOW, 16}, {RING_LOW, 16}};

static int setup(void **state)
{
	ring_setup(&ring, 8, 0);
	return 0;
}

static int teardown(void **state)
{
	ring_teardown(&ring);
	return 0;
}

/* Make so many chains of one writable descriptor available; heads are 0, 1, 2, ... */
static void supply(int count)
{
	for (int i = 0; i < count; i++)
		assert_true(drvq_add(&ring.dq, bufs, 0, 1, NULL) >= 0);
	drvq_publish(&ring.dq);
}

static void assert_error(enum drvq_error_type type, uint64_t expected, uint64_t seen)
{
	const struct drvq_error *error = drvq_last_error(&ring.dq);

	assert_int_equal(drvq_get(&ring.dq, &used), -EPROTO);
	assert_string_equal(drvq_error_text(error->type), drvq_error_text(type));
	assert_int_equal(error->expected, expected);
	assert_int_equal(error->seen, seen);
}

static void test_drvq_used_index_ahead_of_what_is_outstanding(void **state)
{
	supply(3);
	ring_set_used_idx(&ring, 4);
	assert_error(DRVQ_USED_JUMP, 3, 4);
}

static void test_drvq_used_index_moves_while_nothing_is_outstanding(void **state)
{
	ring_set_used_idx(&ring, 1);
	assert_error(DRVQ_USED_JUMP, 0, 1);
}

static void test_drvq_used_index_counts_only_what_was_published(void **state)
{
	supply(1);
	assert_true(drvq_add(&ring.dq, bufs, 0, 1, NULL) >= 0);
	ring_set_used_idx(&ring, 2);
	assert_error(DRVQ_USED_JUMP, 1, 2);
}

static void test_drvq_used_index_steps_back(void **state)
{
	supply(3);
	ring_set_used(&ring, 0, 0, 0);
	ring_set_used_idx(&ring, 1);
	assert_int_equal(drvq_get(&ring.dq, &used), 1);
	ring_set_used_idx(&ring, 0);
	assert_error(DRVQ_USED_JUMP, 2, 65535);
}

static void test_drvq_used_id_just_out_of_range(void **state)
{
	supply(3);
	ring_set_used(&ring, 0, 8, 0);
	ring_set_used_idx(&ring, 1);
	assert_error(DRVQ_ID_RANGE, 8, 8);
}

static void test_drvq_used_id_is_not_cut_to_16_bits(void **state)
{
	supply(3);
	ring_set_used(&ring, 0, 0x10000, 0);
	ring_set_used_idx(&ring, 1);
	assert_error(DRVQ_ID_RANGE, 8, 0x10000);
}

static void test_drvq_used_id_that_was_never_available(void **state)
{
	supply(3);
	ring_set_used(&ring, 0, 5, 0);
	ring_set_used_idx(&ring, 1);
	assert_error(DRVQ_NOT_OUTSTANDING, 3, 5);
}

static void test_drvq_used_id_returned_twice(void **state)
{
	supply(3);
	ring_set_used(&ring, 0, 1, 0);
	ring_set_used(&ring, 1, 1, 0);
	ring_set_used_idx(&ring, 2);
	assert_int_equal(drvq_get(&ring.dq, &used), 1);
	assert_error(DRVQ_NOT_OUTSTANDING, 2, 1);
}

static void test_drvq_used_id_inside_a_chain_is_no_head(void **state)
{
	assert_int_equal(drvq_add(&ring.dq, bufs, 1, 2, NULL), 0);
	drvq_publish(&ring.dq);
	ring_set_used(&ring, 0, 1, 0);
	ring_set_used_idx(&ring, 1);
	assert_error(DRVQ_NOT_OUTSTANDING, 1, 1);
}

static void test_drvq_used_id_added_but_not_published(void **state)
{
	supply(2);
	assert_int_equal(drvq_add(&ring.dq, bufs, 0, 1, NULL), 2);
	ring_set_used(&ring, 0, 2, 0);
	ring_set_used_idx(&ring, 1);
	assert_error(DRVQ_NOT_OUTSTANDING, 2, 2);
}

static void test_drvq_broken_queue_stays_broken(void **state)
{
	supply(3);
	ring_set_used_idx(&ring, 4);
	assert_int_equal(drvq_get(&ring.dq, &used), -EPROTO);
	ring_set_used_idx(&ring, 1);
	assert_int_equal(drvq_get(&ring.dq, &used), -EPROTO);
	assert_int_equal(drvq_add(&ring.dq, bufs, 0, 1, NULL), -EPROTO);
	assert_false(drvq_publish(&ring.dq));
	assert_int_equal(drvq_last_error(&ring.dq)->type, DRVQ_USED_JUMP);
}

static void test_drvq_broken_queue_works_again_after_restart(void **state)
{
	supply(3);
	ring_set_used_idx(&ring, 4);
	assert_int_equal(drvq_get(&ring.dq, &used), -EPROTO);
	drvq_stop(&ring.dq);
	assert_int_equal(drvq_start(&ring.dq, ring.memory, &ring.layout, 8, 0), 0);
	assert_int_equal(drvq_last_error(&ring.dq)->type, DRVQ_OK);
	supply(1);
	ring_set_used(&ring, 0, 0, 9);
	ring_set_used_idx(&ring, 1);
	assert_int_equal(drvq_get(&ring.dq, &used), 1);
	assert_int_equal(used.len, 9);
}

static void test_drvq_descriptors_scribbled_on_do_not_lead_astray(void **state)
{
	assert_int_equal(drvq_add(&ring.dq, bufs, 1, 2, NULL), 0);
	drvq_publish(&ring.dq);
	/* Links of the chain, as a device could fake them. */
	memset(ring.rings.desc, 0xff, vring_desc_bytes(8));
	ring_set_used(&ring, 0, 0, 0);
	ring_set_used_idx(&ring, 1);
	assert_int_equal(drvq_get(&ring.dq, &used), 1);
	assert_int_equal(ring.dq.free_count, 8);
	for (int i = 0; i < 8; i++)
		assert_in_range(drvq_add(&ring.dq, bufs, 0, 1, NULL), 0, 7);
}

static void test_drvq_available_ring_scribbled_on_is_written_afresh(void **state)
{
	struct virtq_chain chain;

	memset((uint8_t *)ring.rings.avail + 4, 0xff, 16);
	vring_store16(ring.rings.avail, VRING_IDX, 77);
	supply(2);
	assert_int_equal(virtq_pop(&ring.vq, &chain), 1);
	assert_int_equal(chain.head, 0);
	assert_int_equal(virtq_avail_count(&ring.vq), 1);
}

static void test_drvq_error_texts_differ(void **state)
{
	const enum drvq_error_type types[] = {DRVQ_USED_JUMP, DRVQ_ID_RANGE, DRVQ_NOT_OUTSTANDING,
					      DRVQ_OK};

	for (int i = 0; i < 4; i++) {
		for (int j = i + 1; j < 4; j++)
			assert_string_not_equal(drvq_error_text(types[i]),
						drvq_error_text(types[j]));
	}
}

int main(void)
{
#define WITH_RING(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_RING(test_drvq_used_index_ahead_of_what_is_outstanding),
		WITH_RING(test_drvq_used_index_moves_while_nothing_is_outstanding),
		WITH_RING(test_drvq_used_index_counts_only_what_was_published),
		WITH_RING(test_drvq_used_index_steps_back),
		WITH_RING(test_drvq_used_id_just_out_of_range),
		WITH_RING(test_drvq_used_id_is_not_cut_to_16_bits),
		WITH_RING(test_drvq_used_id_that_was_never_available),
		WITH_RING(test_drvq_used_id_returned_twice),
		WITH_RING(test_drvq_used_id_inside_a_chain_is_no_head),
		WITH_RING(test_drvq_used_id_added_but_not_published),
		WITH_RING(test_drvq_broken_queue_stays_broken),
		WITH_RING(test_drvq_broken_queue_works_again_after_restart),
		WITH_RING(test_drvq_descriptors_scribbled_on_do_not_lead_astray),
		WITH_RING(test_drvq_available_ring_scribbled_on_is_written_afresh),
		cmocka_unit_test(test_drvq_error_texts_differ),
	};

	return cmocka_run_group_tests_name("drvq_hostile", tests, NULL, NULL);
}
