/* SPDX-License-Identifier: BSD-2-Clause */
/* Dirty log: SET_LOG_BASE, SET_LOG_FD, what is marked and when. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/vhost_fixture.h"
#include "virtio/drvq.h"

#define PAGE UINT64_C(4096)
#define FX_LOGGED (FX_ACKED | VIRTIO_BIT(VHOST_F_LOG_ALL))

/* One bit a page from guest address 0 to the end of memory. */
#define LOG_BYTES ((FX_GUEST + FX_MEM_SIZE) / GMEM_LOG_PAGE / 8)

static bool page_is_dirty(int log, uint64_t offset, uint64_t guest)
{
	uint64_t page = guest / GMEM_LOG_PAGE;
	uint8_t byte;

	assert_int_equal(pread(log, &byte, 1, (off_t)(offset + page / 8)), 1);
	return byte >> page % 8 & 1;
}

static unsigned int dirty_pages(int log)
{
	uint8_t bytes[LOG_BYTES];
	unsigned int count = 0;

	assert_int_equal(pread(log, bytes, sizeof(bytes), 0), sizeof(bytes));
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		count += (unsigned int)__builtin_popcount(bytes[i]);
	return count;
}

static void write_guest(struct fx *fx, uint64_t guest)
{
	assert_int_equal(gmem_write(&fx->be.mem, guest, "x", 1), 0);
}

static void test_log_base_is_always_answered(void **state)
{
	struct fx *fx = *state;
	int log = fx_memfd(LOG_BYTES);

	fx_run(fx);
	fx->need_reply = false;
	fx_log_base(fx, LOG_BYTES, 0, log);
	assert_reply_u64(fx, 0);
	close(log);
}

static void test_log_base_refused_is_answered_with_a_number(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx->need_reply = false;
	fx_log_base(fx, 0, 0, fx->memory);
	assert_reported(fx, VIOLATION_VU_LOG);
	assert_reply_u64(fx, 1);
}

static void test_log_base_not_negotiated_is_refused_and_not_answered(void **state)
{
	struct fx *fx = *state;

	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL & ~VIRTIO_BIT(VHOST_PROTOCOL_F_LOG_SHMFD));
	fx->need_reply = false;
	fx_log_base(fx, LOG_BYTES, 0, fx->memory);
	assert_refused(fx, VIOLATION_VU_NOT_NEGOTIATED);
	assert_int_equal(fx->result, 0);
}

static void test_log_that_cannot_be_mapped_is_refused(void **state)
{
	struct fx *fx = *state;
	int log = fx_memfd(LOG_BYTES);
	static const struct {
		uint64_t size, offset;
	} bad[] = {
		{0, 0},
		{LOG_BYTES - 1, 0},	   /* too small for the memory */
		{LOG_BYTES + 1, 0},	   /* longer than the file */
		{LOG_BYTES, 1},		   /* the same by its offset */
		{LOG_BYTES, UINT64_MAX},   /* wraps */
		{UINT64_MAX, 0},	   /* never fits */
		{UINT64_MAX, 1},	   /* wraps */
		{LOG_BYTES, INT64_MAX},	   /* no file is that long */
		{INT64_MAX, INT64_MAX},	   /* nor that */
		{UINT64_C(1) << 63, 4096}, /* nor that */
	};

	fx_run(fx);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fx_log_base(fx, bad[i].size, bad[i].offset, log);
		assert_refused(fx, VIOLATION_VU_LOG);
		assert_null(fx->be.log);
	}
	fx_log_base(fx, LOG_BYTES, 0, fx->kick[0]);
	assert_refused(fx, VIOLATION_VU_LOG);
	close(log);
}

static void test_log_marks_pages_with_the_feature_only(void **state)
{
	struct fx *fx = *state;
	int log = fx_memfd(LOG_BYTES);

	fx_run(fx);
	fx_log_base(fx, LOG_BYTES, 0, log);
	assert_served(fx);
	write_guest(fx, FX_GUEST);
	assert_int_equal(dirty_pages(log), 0);

	fx_u64(fx, VHOST_SET_FEATURES, FX_LOGGED);
	assert_served(fx);
	write_guest(fx, FX_GUEST + 5 * PAGE);
	assert_true(page_is_dirty(log, 0, FX_GUEST + 5 * PAGE));
	assert_int_equal(dirty_pages(log), 1);

	fx_u64(fx, VHOST_SET_FEATURES, FX_ACKED);
	assert_served(fx);
	write_guest(fx, FX_GUEST);
	assert_int_equal(dirty_pages(log), 1);
	close(log);
}

static void test_log_at_an_offset_that_is_no_page_is_used(void **state)
{
	struct fx *fx = *state;
	int log = fx_memfd(LOG_BYTES + 100);

	fx_run(fx);
	fx_log_base(fx, LOG_BYTES, 100, log);
	fx_u64(fx, VHOST_SET_FEATURES, FX_LOGGED);
	assert_served(fx);
	write_guest(fx, FX_GUEST + FX_MEM_SIZE - 1);
	assert_true(page_is_dirty(log, 100, FX_GUEST + FX_MEM_SIZE - 1));
	close(log);
}

static void test_log_replaced_unmaps_the_one_before(void **state)
{
	struct fx *fx = *state;
	int first = fx_memfd(LOG_BYTES), second = fx_memfd(LOG_BYTES);
	int maps;

	fx_run(fx);
	fx_log_base(fx, LOG_BYTES, 0, first);
	fx_u64(fx, VHOST_SET_FEATURES, FX_LOGGED);
	maps = fx_maps_of_memory();
	fx_log_base(fx, LOG_BYTES, 0, second);
	assert_served(fx);
	assert_int_equal(fx_maps_of_memory(), maps);
	write_guest(fx, FX_GUEST);
	assert_int_equal(dirty_pages(first), 0);
	assert_int_equal(dirty_pages(second), 1);
	close(first);
	close(second);
}

static void test_log_goes_on_when_the_memory_table_is_replaced(void **state)
{
	struct fx *fx = *state;
	int log = fx_memfd(LOG_BYTES);

	fx_run(fx);
	fx_log_base(fx, LOG_BYTES, 0, log);
	fx_u64(fx, VHOST_SET_FEATURES, FX_LOGGED);
	fx_memory(fx);
	write_guest(fx, FX_GUEST);
	assert_int_equal(dirty_pages(log), 1);
	close(log);
}

static void test_log_too_small_for_added_memory_is_reported(void **state)
{
	struct fx *fx = *state;
	int log = fx_memfd(LOG_BYTES);
	struct fx_region more = {.guest = FX_GUEST + FX_MEM_SIZE + (1 << 20),
				 .size = 4096,
				 .user = FX_USER + FX_MEM_SIZE};

	fx_run(fx);
	fx_log_base(fx, LOG_BYTES, 0, log);
	fx_u64(fx, VHOST_SET_FEATURES, FX_LOGGED);
	fx_region(fx, VHOST_ADD_MEM_REG, &more, fx->memory);
	assert_reported(fx, VIOLATION_VU_LOG);
	assert_reply_u64(fx, 0);
	write_guest(fx, more.guest); /* beyond the log: nothing is written there */
	assert_int_equal(dirty_pages(log), 0);
	close(log);
}

static void test_log_ends_with_a_reset(void **state)
{
	struct fx *fx = *state;
	int log = fx_memfd(LOG_BYTES);

	fx_run(fx);
	fx_log_base(fx, LOG_BYTES, 0, log);
	fx_u64(fx, VHOST_SET_FEATURES, FX_LOGGED);
	fx_bare(fx, VHOST_RESET_DEVICE);
	write_guest(fx, FX_GUEST);
	assert_int_equal(dirty_pages(log), 0);
	close(log);
}

/* used ring */

static void use_one_buffer(struct fx *fx)
{
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);
	struct drvq_layout layout = {
		.desc = addr.desc - FX_USER,
		.avail = addr.avail - FX_USER,
		.used = addr.used - FX_USER,
		.bytes = addr.used - FX_USER + vring_used_bytes(FX_NUM),
	};
	struct drvq_buf buf = {.addr = FX_GUEST + FX_BUFFERS, .len = 64};
	struct virtq *vq = &fx->be.queues[0].vq;
	struct drvq dq = {0};
	struct virtq_chain chain;

	assert_int_equal(drvq_start(&dq, fx->host, &layout, FX_NUM, FX_ACKED), 0);
	assert_true(drvq_add(&dq, &buf, 0, 1, &dq) >= 0);
	drvq_publish(&dq);
	assert_int_equal(virtq_pop(vq, &chain), 1);
	assert_int_equal(virtq_push(vq, chain.head, 0), 0);
	virtq_flush(vq);
	drvq_stop(&dq);
}

static void test_log_marks_the_used_ring_where_it_is_told_to(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);
	int log = fx_memfd(LOG_BYTES);

	fx_run(fx);
	fx_log_base(fx, LOG_BYTES, 0, log);
	fx_u64(fx, VHOST_SET_FEATURES, FX_LOGGED);
	addr.flags = VHOST_VRING_F_LOG;
	addr.log = FX_GUEST + 0x30000; /* not where the ring is, to tell one from the other */
	fx_addr(fx, 0, &addr);
	assert_served(fx);
	use_one_buffer(fx);
	assert_true(page_is_dirty(log, 0, addr.log));
	close(log);
}

static void test_log_leaves_the_used_ring_out_without_the_flag(void **state)
{
	struct fx *fx = *state;
	int log = fx_memfd(LOG_BYTES);

	fx_run(fx);
	fx_log_base(fx, LOG_BYTES, 0, log);
	fx_u64(fx, VHOST_SET_FEATURES, FX_LOGGED);
	use_one_buffer(fx);
	assert_int_equal(dirty_pages(log), 0);
	close(log);
}

static void test_log_address_of_a_used_ring_beyond_the_log_is_refused(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);
	int log = fx_memfd(LOG_BYTES);

	fx_run(fx);
	fx_log_base(fx, LOG_BYTES, 0, log);
	addr.flags = VHOST_VRING_F_LOG;
	addr.log = FX_GUEST + FX_MEM_SIZE - vring_used_bytes(FX_NUM) + 1;
	fx_addr(fx, 0, &addr);
	assert_refused(fx, VIOLATION_VU_LOG);
	addr.log = UINT64_MAX;
	fx_addr(fx, 0, &addr);
	assert_refused(fx, VIOLATION_VU_LOG);
	addr.log = FX_GUEST + FX_MEM_SIZE - vring_used_bytes(FX_NUM);
	fx_addr(fx, 0, &addr);
	assert_served(fx);
	close(log);
}

static void test_log_need_not_cover_a_used_ring_that_is_not_logged(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);
	int log = fx_memfd(LOG_BYTES);

	fx_run(fx);
	addr.log = UINT64_MAX;
	fx_addr(fx, 0, &addr);
	assert_served(fx);
	fx_log_base(fx, LOG_BYTES, 0, log);
	assert_served(fx);
	close(log);
}

static void test_log_that_does_not_cover_a_logged_used_ring_is_refused(void **state)
{
	struct fx *fx = *state;
	struct fx_addr addr = fx_ring_addr(0, FX_NUM);
	int log = fx_memfd(2 * LOG_BYTES);

	fx_run(fx);
	addr.flags = VHOST_VRING_F_LOG;
	addr.log = FX_GUEST + FX_MEM_SIZE; /* "might be outside the legal range" */
	fx_addr(fx, 0, &addr);
	assert_served(fx);
	fx_log_base(fx, LOG_BYTES, 0, log);
	assert_refused(fx, VIOLATION_VU_LOG);
	fx_log_base(fx, LOG_BYTES + 1, 0, log);
	assert_served(fx);
	addr.log = UINT64_MAX - 3;
	fx_addr(fx, 0, &addr);
	assert_refused(fx, VIOLATION_VU_LOG);
	close(log);
}

/* log event */

static void test_log_fd_is_signalled_with_interrupts_while_logging(void **state)
{
	struct fx *fx = *state;
	int log = fx_memfd(LOG_BYTES);

	fx_run(fx);
	fx_send(fx, VHOST_SET_LOG_FD, NULL, 0, &fx->err[1], 1);
	assert_served(fx);
	backend_call(&fx->be, 0);
	assert_int_equal(fx_count(fx->err[1]), 0);
	fx_log_base(fx, LOG_BYTES, 0, log);
	fx_u64(fx, VHOST_SET_FEATURES, FX_LOGGED);
	backend_call(&fx->be, 0);
	assert_int_equal(fx_count(fx->err[1]), 1);
	close(log);
}

static void test_log_fd_replaced_closes_the_one_before(void **state)
{
	struct fx *fx = *state;
	uint64_t value = 0;
	int fds;

	fx_run(fx);
	fx_send(fx, VHOST_SET_LOG_FD, NULL, 0, &fx->err[0], 1);
	fds = fx_open_fds();
	fx_send(fx, VHOST_SET_LOG_FD, &value, sizeof(value), &fx->err[1], 1);
	assert_served(fx);
	assert_int_equal(fx_open_fds(), fds);
}

static void test_log_fd_that_is_no_eventfd_is_refused(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	fx_send(fx, VHOST_SET_LOG_FD, NULL, 0, &fx->memory, 1);
	assert_refused(fx, VIOLATION_VU_NOT_EVENTFD);
	assert_int_equal(fx->be.log_event.fd, -1);
}

static void test_log_fd_with_the_wrong_shape_is_refused(void **state)
{
	struct fx *fx = *state;
	int two[2] = {fx->err[0], fx->err[1]};
	uint8_t payload[9] = {0};

	fx_run(fx);
	fx_send(fx, VHOST_SET_LOG_FD, NULL, 0, NULL, 0);
	assert_refused(fx, VIOLATION_VU_FD_COUNT);
	fx_send(fx, VHOST_SET_LOG_FD, NULL, 0, two, 2);
	assert_refused(fx, VIOLATION_VU_FD_COUNT);
	fx_send(fx, VHOST_SET_LOG_FD, payload, sizeof(payload), two, 1);
	assert_refused(fx, VIOLATION_VU_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fx_test(test_log_base_is_always_answered),
		fx_test(test_log_base_refused_is_answered_with_a_number),
		fx_test(test_log_base_not_negotiated_is_refused_and_not_answered),
		fx_test(test_log_that_cannot_be_mapped_is_refused),
		fx_test(test_log_marks_pages_with_the_feature_only),
		fx_test(test_log_at_an_offset_that_is_no_page_is_used),
		fx_test(test_log_replaced_unmaps_the_one_before),
		fx_test(test_log_goes_on_when_the_memory_table_is_replaced),
		fx_test(test_log_too_small_for_added_memory_is_reported),
		fx_test(test_log_ends_with_a_reset),
		fx_test(test_log_marks_the_used_ring_where_it_is_told_to),
		fx_test(test_log_leaves_the_used_ring_out_without_the_flag),
		fx_test(test_log_address_of_a_used_ring_beyond_the_log_is_refused),
		fx_test(test_log_need_not_cover_a_used_ring_that_is_not_logged),
		fx_test(test_log_that_does_not_cover_a_logged_used_ring_is_refused),
		fx_test(test_log_fd_is_signalled_with_interrupts_while_logging),
		fx_test(test_log_fd_replaced_closes_the_one_before),
		fx_test(test_log_fd_that_is_no_eventfd_is_refused),
		fx_test(test_log_fd_with_the_wrong_shape_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
