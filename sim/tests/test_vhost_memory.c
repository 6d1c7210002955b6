/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory table, single regions, and what becomes of rings when memory changes. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/vhost_fixture.h"
#include "virtio/drvq.h"

#define PAGE UINT64_C(4096)
#define OWN_MAPS 1 /* the test's own mapping of fx->memory */

/* Region i of many small ones, one page each, not adjoining. */
static struct fx_region small_region(unsigned int i)
{
	return (struct fx_region){
		.guest = FX_GUEST + 2 * PAGE * i,
		.size = PAGE,
		.user = FX_USER + 2 * PAGE * i,
		.offset = PAGE * i,
	};
}

static void negotiated(struct fx *fx)
{
	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
}

/* One region that has to be refused, by both ways of giving it. */
static void refuse_region(struct fx *fx, struct fx_region region, enum violation what)
{
	int maps = fx_maps_of_memory();

	fx_table(fx, &region, 1);
	assert_refused(fx, what);
	fx_region(fx, VHOST_ADD_MEM_REG, &region, fx->memory);
	assert_refused(fx, what);
	assert_int_equal(fx->be.mem.count, 0);
	assert_int_equal(fx_maps_of_memory(), maps);
}

static void refuse_file(struct fx *fx, int fd)
{
	struct fx_region region = fx_whole_memory();

	fx_region(fx, VHOST_ADD_MEM_REG, &region, fd);
	assert_refused(fx, VIOLATION_VU_MEM_FD);
	assert_int_equal(fx->be.mem.count, 0);
}

/* table */

static void test_mem_table_of_one_region_is_mapped(void **state)
{
	struct fx *fx = *state;
	char bytes[6];

	negotiated(fx);
	memcpy(fx->host + 100, "hello", 6);
	fx_memory(fx);
	assert_int_equal(gmem_read(&fx->be.mem, FX_GUEST + 100, bytes, 6), 0);
	assert_string_equal(bytes, "hello");
	assert_int_equal(gmem_write(&fx->be.mem, FX_GUEST + 200, "there", 6), 0);
	assert_memory_equal(fx->host + 200, "there", 6);
}

static void test_mem_table_closes_its_descriptors(void **state)
{
	struct fx *fx = *state;
	int fds;

	negotiated(fx);
	fds = fx_open_fds();
	fx_memory(fx);
	assert_int_equal(fx_open_fds(), fds);
}

static void test_mem_table_of_eight_regions_is_mapped(void **state)
{
	struct fx *fx = *state;
	struct fx_region regions[VHOST_MAX_MEM_TABLE];
	uint8_t byte;

	negotiated(fx);
	for (unsigned int i = 0; i < VHOST_MAX_MEM_TABLE; i++) {
		regions[i] = small_region(i);
		fx->host[regions[i].offset + 7] = (uint8_t)(i + 1);
	}
	fx_table(fx, regions, VHOST_MAX_MEM_TABLE);
	assert_served(fx);
	for (unsigned int i = 0; i < VHOST_MAX_MEM_TABLE; i++) {
		assert_int_equal(gmem_read(&fx->be.mem, regions[i].guest + 7, &byte, 1), 0);
		assert_int_equal(byte, i + 1);
	}
}

static void send_table(struct fx *fx, uint32_t claimed, uint32_t size, unsigned int fd_count)
{
	uint8_t payload[VHOST_MAX_PAYLOAD] = {0};
	int fds[VHOST_MAX_FDS] = {0};

	vhost_put_u32(payload, claimed);
	for (unsigned int i = 0; i < fd_count; i++)
		fds[i] = fx->memory;
	fx_send(fx, VHOST_SET_MEM_TABLE, payload, size, fds, fd_count);
}

static void test_mem_table_of_more_than_eight_regions_is_refused(void **state)
{
	struct fx *fx = *state;

	negotiated(fx);
	send_table(fx, 9, 8 + 8 * 32, 8);
	assert_refused(fx, VIOLATION_VU_MEM_COUNT);
	send_table(fx, UINT32_MAX, 8 + 8 * 32, 8);
	assert_refused(fx, VIOLATION_VU_MEM_COUNT);
	send_table(fx, 9, 8 + 9 * 32, 8);
	assert_refused(fx, VIOLATION_VU_SIZE);
}

static void test_mem_table_of_another_length_than_its_count_is_refused(void **state)
{
	struct fx *fx = *state;

	negotiated(fx);
	send_table(fx, 2, 8 + 1 * 32, 2);
	assert_refused(fx, VIOLATION_VU_SIZE);
	send_table(fx, 1, 8 + 2 * 32, 1);
	assert_refused(fx, VIOLATION_VU_SIZE);
	send_table(fx, 1, 8 + 33, 1);
	assert_refused(fx, VIOLATION_VU_SIZE);
}

static void test_mem_table_with_another_number_of_descriptors_is_refused(void **state)
{
	struct fx *fx = *state;

	negotiated(fx);
	for (unsigned int fds = 0; fds <= VHOST_MAX_FDS; fds++) {
		if (fds == 2)
			continue;
		send_table(fx, 2, 8 + 2 * 32, fds);
		assert_refused(fx, VIOLATION_VU_FD_COUNT);
	}
}

static void test_mem_table_without_regions_unmaps_all(void **state)
{
	struct fx *fx = *state;

	negotiated(fx);
	fx_memory(fx);
	assert_int_equal(fx_maps_of_memory(), OWN_MAPS + 1);
	send_table(fx, 0, 8, 0);
	assert_served(fx);
	assert_int_equal(fx_maps_of_memory(), OWN_MAPS);
	assert_int_equal(fx->be.mem.count, 0);
}

static void test_mem_table_replaced_unmaps_the_one_before(void **state)
{
	struct fx *fx = *state;
	struct fx_region small = small_region(3);

	negotiated(fx);
	fx_memory(fx);
	fx_table(fx, &small, 1);
	assert_served(fx);
	assert_int_equal(fx->be.mem.count, 1);
	assert_int_equal(fx_maps_of_memory(), OWN_MAPS + 1);
	assert_null(gmem_at(&fx->be.mem, FX_GUEST, 1));
	assert_non_null(gmem_at(&fx->be.mem, small.guest, PAGE));
}

static void test_mem_table_refused_keeps_the_one_before(void **state)
{
	struct fx *fx = *state;
	struct fx_region regions[2] = {small_region(0), small_region(0)};

	fx_run(fx);
	fx_table(fx, regions, 2); /* the second one overlaps */
	assert_refused(fx, VIOLATION_VU_MEM_REGION);
	assert_int_equal(fx_maps_of_memory(), OWN_MAPS + 1);
	assert_non_null(gmem_at(&fx->be.mem, FX_GUEST, FX_MEM_SIZE));
	assert_true(fx->be.driver_ok);
	assert_events(fx, "");
}

/* regions */

static void test_mem_region_that_is_empty_is_refused(void **state)
{
	struct fx_region region = fx_whole_memory();

	negotiated(*state);
	region.size = 0;
	refuse_region(*state, region, VIOLATION_VU_MEM_REGION);
}

static void test_mem_region_that_wraps_in_guest_addresses_is_refused(void **state)
{
	struct fx_region region = fx_whole_memory();

	negotiated(*state);
	region.guest = UINT64_MAX - PAGE;
	refuse_region(*state, region, VIOLATION_VU_MEM_REGION);
	region.guest = UINT64_MAX;
	refuse_region(*state, region, VIOLATION_VU_MEM_REGION);
}

static void test_mem_region_that_wraps_in_user_addresses_is_refused(void **state)
{
	struct fx_region region = fx_whole_memory();

	negotiated(*state);
	region.user = UINT64_MAX - PAGE;
	refuse_region(*state, region, VIOLATION_VU_MEM_REGION);
}

/* What is impossible in itself is told before the file is looked at. */
static void test_mem_region_that_wraps_and_has_too_short_a_file_is_refused_for_itself(void **state)
{
	struct fx_region region = fx_whole_memory();

	negotiated(*state);
	region.size++;
	region.guest = UINT64_MAX - PAGE;
	refuse_region(*state, region, VIOLATION_VU_MEM_REGION);
	region.guest = FX_GUEST;
	region.user = UINT64_MAX - PAGE;
	refuse_region(*state, region, VIOLATION_VU_MEM_REGION);
}

static void test_mem_region_that_wraps_in_its_file_is_refused(void **state)
{
	struct fx_region region = fx_whole_memory();

	negotiated(*state);
	region.offset = UINT64_MAX - PAGE + 1;
	refuse_region(*state, region, VIOLATION_VU_MEM_REGION);
}

static void test_mem_region_of_a_size_that_wraps_everything_is_refused(void **state)
{
	struct fx_region region = fx_whole_memory();

	negotiated(*state);
	region.size = UINT64_MAX;
	refuse_region(*state, region, VIOLATION_VU_MEM_REGION);
	region.guest = 0;
	region.user = 0;
	refuse_region(*state, region, VIOLATION_VU_MEM_FD);
}

static void test_mem_region_longer_than_its_file_is_refused(void **state)
{
	struct fx_region region = fx_whole_memory();

	negotiated(*state);
	region.size = FX_MEM_SIZE + 1;
	refuse_region(*state, region, VIOLATION_VU_MEM_FD);
	region = fx_whole_memory();
	region.offset = 1;
	refuse_region(*state, region, VIOLATION_VU_MEM_FD);
	region.offset = FX_MEM_SIZE + PAGE;
	refuse_region(*state, region, VIOLATION_VU_MEM_FD);
	region.offset = INT64_MAX;
	refuse_region(*state, region, VIOLATION_VU_MEM_FD);
}

static void test_mem_region_up_to_the_last_byte_of_its_file_is_mapped(void **state)
{
	struct fx *fx = *state;
	struct fx_region region = {
		.guest = FX_GUEST, .size = 3, .user = FX_USER, .offset = FX_MEM_SIZE - 3};
	uint8_t byte;

	negotiated(fx);
	fx->host[FX_MEM_SIZE - 1] = 0x5a;
	fx_table(fx, &region, 1);
	assert_served(fx);
	assert_int_equal(gmem_read(&fx->be.mem, FX_GUEST + 2, &byte, 1), 0);
	assert_int_equal(byte, 0x5a);
}

static void test_mem_region_at_an_offset_that_is_no_page_is_mapped(void **state)
{
	struct fx *fx = *state;
	struct fx_region region = {
		.guest = FX_GUEST, .size = 3 * PAGE, .user = FX_USER, .offset = PAGE + 0x123};
	uint8_t byte;

	negotiated(fx);
	fx->host[PAGE + 0x123] = 0x5b;
	fx->host[4 * PAGE + 0x122] = 0x5c;
	fx_table(fx, &region, 1);
	assert_served(fx);
	assert_int_equal(gmem_read(&fx->be.mem, FX_GUEST, &byte, 1), 0);
	assert_int_equal(byte, 0x5b);
	assert_int_equal(gmem_read(&fx->be.mem, FX_GUEST + 3 * PAGE - 1, &byte, 1), 0);
	assert_int_equal(byte, 0x5c);
}

static void test_mem_regions_that_overlap_are_refused(void **state)
{
	struct fx *fx = *state;
	struct fx_region regions[2] = {small_region(0), small_region(1)};

	negotiated(fx);
	regions[1].guest = regions[0].guest + PAGE - 1;
	fx_table(fx, regions, 2);
	assert_refused(fx, VIOLATION_VU_MEM_REGION);
	regions[1] = small_region(1);
	regions[1].user = regions[0].user + PAGE - 1;
	fx_table(fx, regions, 2);
	assert_refused(fx, VIOLATION_VU_MEM_REGION);
	assert_int_equal(fx_maps_of_memory(), OWN_MAPS);
}

static void test_mem_regions_that_adjoin_are_mapped(void **state)
{
	struct fx *fx = *state;
	struct fx_region regions[2] = {small_region(0), small_region(1)};

	negotiated(fx);
	regions[1].guest = regions[0].guest + PAGE;
	regions[1].user = regions[0].user + PAGE;
	fx_table(fx, regions, 2);
	assert_served(fx);
	assert_true(gmem_contains(&fx->be.mem, FX_GUEST, 2 * PAGE));
}

/* files */

static void test_mem_fd_that_is_no_file_is_refused(void **state)
{
	struct fx *fx = *state;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
	int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int pair[2], pipe_fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	negotiated(fx);
	refuse_file(fx, fx->kick[0]);
	refuse_file(fx, null);
	refuse_file(fx, zero);
	refuse_file(fx, directory);
	refuse_file(fx, pair[0]);
	refuse_file(fx, pipe_fds[0]);
	close(null);
	close(zero);
	close(directory);
	close(pair[0]);
	close(pair[1]);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void test_mem_fd_that_cannot_be_written_is_refused(void **state)
{
	struct fx *fx = *state;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fx->memory);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	negotiated(fx);
	refuse_file(fx, fd);
	close(fd);
}

static void test_mem_fd_without_access_is_refused(void **state)
{
	struct fx *fx = *state;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fx->memory);
	fd = open(path, O_PATH | O_CLOEXEC);
	assert_true(fd >= 0);
	negotiated(fx);
	refuse_file(fx, fd);
	close(fd);
}

static void test_mem_fd_sealed_against_writing_is_refused(void **state)
{
	struct fx *fx = *state;
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, FX_MEM_SIZE), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	negotiated(fx);
	refuse_file(fx, fd);
	close(fd);
}

static void test_mem_fd_of_an_empty_file_is_refused(void **state)
{
	struct fx *fx = *state;
	int fd = fx_memfd(0);

	negotiated(fx);
	refuse_file(fx, fd);
	close(fd);
}

/* More than can be mapped, in a file that really is that long. */
static void test_mem_fd_too_large_to_map_is_refused(void **state)
{
	struct fx *fx = *state;
	struct fx_region huge = {.guest = 0, .size = UINT64_C(1) << 62, .user = 0};
	int fd = fx_memfd(huge.size);

	negotiated(fx);
	fx_region(fx, VHOST_ADD_MEM_REG, &huge, fd);
	assert_refused(fx, VIOLATION_VU_MEM_FD);
	close(fd);
}

/* single regions */

static void test_max_mem_slots_is_what_fits(void **state)
{
	struct fx *fx = *state;

	negotiated(fx);
	fx_bare(fx, VHOST_GET_MAX_MEM_SLOTS);
	assert_reply_u64(fx, GMEM_MAX_REGIONS);
}

static void test_add_mem_reg_up_to_the_slots_and_no_more(void **state)
{
	struct fx *fx = *state;
	struct fx_region region;

	negotiated(fx);
	for (unsigned int i = 0; i < GMEM_MAX_REGIONS; i++) {
		region = small_region(i);
		fx_region(fx, VHOST_ADD_MEM_REG, &region, fx->memory);
		assert_served(fx);
	}
	region = small_region(GMEM_MAX_REGIONS);
	fx_region(fx, VHOST_ADD_MEM_REG, &region, fx->memory);
	assert_refused(fx, VIOLATION_VU_MEM_COUNT);
	assert_int_equal(fx_maps_of_memory(), OWN_MAPS + GMEM_MAX_REGIONS);
}

static void test_add_mem_reg_that_overlaps_is_refused(void **state)
{
	struct fx *fx = *state;
	struct fx_region region = small_region(0);

	negotiated(fx);
	fx_memory(fx);
	fx_region(fx, VHOST_ADD_MEM_REG, &region, fx->memory);
	assert_refused(fx, VIOLATION_VU_MEM_REGION);
	assert_int_equal(fx->be.mem.count, 1);
	assert_int_equal(fx_maps_of_memory(), OWN_MAPS + 1);
}

static void test_rem_mem_reg_that_is_unknown_is_refused(void **state)
{
	struct fx *fx = *state;
	struct fx_region region = fx_whole_memory();

	negotiated(fx);
	fx_region(fx, VHOST_REM_MEM_REG, &region, -1);
	assert_refused(fx, VIOLATION_VU_MEM_UNKNOWN);
	fx_memory(fx);
	region.guest++;
	fx_region(fx, VHOST_REM_MEM_REG, &region, -1);
	assert_refused(fx, VIOLATION_VU_MEM_UNKNOWN);
	region = fx_whole_memory();
	region.user++;
	fx_region(fx, VHOST_REM_MEM_REG, &region, -1);
	assert_refused(fx, VIOLATION_VU_MEM_UNKNOWN);
	region = fx_whole_memory();
	region.size--;
	fx_region(fx, VHOST_REM_MEM_REG, &region, -1);
	assert_refused(fx, VIOLATION_VU_MEM_UNKNOWN);
	assert_int_equal(fx->be.mem.count, 1);
}

static void test_rem_mem_reg_ignores_the_offset(void **state)
{
	struct fx *fx = *state;
	struct fx_region region = fx_whole_memory();

	negotiated(fx);
	fx_memory(fx);
	region.offset = 0x777;
	fx_region(fx, VHOST_REM_MEM_REG, &region, -1);
	assert_served(fx);
	assert_int_equal(fx_maps_of_memory(), OWN_MAPS);
}

/* In an order that is neither that of the addresses nor that of their coming. */
static void test_rem_mem_reg_unmaps_that_region_and_no_other(void **state)
{
	struct fx *fx = *state;
	static const unsigned int added[] = {4, 1, 3, 0, 2};
	static const unsigned int removed[] = {3, 4, 0, 2, 1};
	bool there[5] = {false};

	negotiated(fx);
	for (unsigned int i = 0; i < 5; i++) {
		struct fx_region region = small_region(added[i]);

		fx->host[region.offset] = (uint8_t)(0x10 + added[i]);
		fx_region(fx, VHOST_ADD_MEM_REG, &region, fx->memory);
		assert_served(fx);
		there[i] = true;
	}
	for (unsigned int i = 0; i < 5; i++) {
		struct fx_region region = small_region(removed[i]);

		fx_region(fx, VHOST_REM_MEM_REG, &region, -1);
		assert_served(fx);
		there[removed[i]] = false;
		assert_int_equal(fx_maps_of_memory(), OWN_MAPS + 4 - i);
		for (unsigned int r = 0; r < 5; r++) {
			uint8_t *at = gmem_at(&fx->be.mem, small_region(r).guest, PAGE);

			assert_int_equal(at != NULL, there[r]);
			if (at)
				assert_int_equal(*at, 0x10 + r);
		}
	}
}

/* memory under a running ring */

/* One buffer there and back. */
static void exchange(struct fx *fx, struct drvq *dq, unsigned int queue)
{
	struct virtq *vq = &fx->be.queues[queue].vq;
	struct drvq_buf buf = {.addr = FX_GUEST + FX_BUFFERS, .len = 64};
	struct virtq_chain chain;
	struct drvq_used used;

	assert_true(drvq_add(dq, &buf, 0, 1, dq) >= 0);
	drvq_publish(dq);
	assert_int_equal(virtq_pop(vq, &chain), 1);
	assert_int_equal(virtq_write(vq, &chain, 0, "data", 4), 4);
	assert_int_equal(virtq_push(vq, chain.head, 4), 0);
	virtq_flush(vq);
	assert_int_equal(drvq_get(dq, &used), 1);
	assert_int_equal(used.len, 4);
	assert_memory_equal(fx->host + FX_BUFFERS, "data", 4);
	memset(fx->host + FX_BUFFERS, 0, 4);
}

static void test_ring_goes_on_when_the_same_memory_is_given_again(void **state)
{
	struct fx *fx = *state;
	void *before;
	struct drvq dq;

	fx_start_driver(fx, &dq, 0);
	fx_run(fx);
	exchange(fx, &dq, 0);
	before = fx->be.queues[0].vq.rings.desc;
	fx_memory(fx);
	assert_events(fx, "");
	assert_ptr_not_equal(fx->be.queues[0].vq.rings.desc, before);
	exchange(fx, &dq, 0);
	drvq_stop(&dq);
}

static void test_ring_goes_on_when_its_region_is_cut_smaller_around_it(void **state)
{
	struct fx *fx = *state;
	struct fx_region regions[3];
	struct drvq dq;

	fx_start_driver(fx, &dq, 1);
	fx_run(fx);
	/* Queue 0, queue 1 and the buffers come to lie in three mappings. */
	for (unsigned int i = 0; i < 3; i++)
		regions[i] = (struct fx_region){
			.guest = FX_GUEST + i * FX_RING_ROOM,
			.size = i < 2 ? FX_RING_ROOM : FX_MEM_SIZE - FX_BUFFERS,
			.user = FX_USER + i * FX_RING_ROOM,
			.offset = i * FX_RING_ROOM,
		};
	fx_table(fx, regions, 3);
	assert_served(fx);
	assert_events(fx, "");
	exchange(fx, &dq, 1);
	drvq_stop(&dq);
}

/* Queue 1 loses its memory; the table itself is served. */
static void keep_only_first_ring(struct fx *fx)
{
	struct fx_region region = {.guest = FX_GUEST, .size = FX_RING_ROOM, .user = FX_USER};

	fx_table(fx, &region, 1);
	assert_int_equal(fx->reports[0].queue, 1);
	assert_reported(fx, VIOLATION_VQ_RING_MEMORY);
	assert_reply_u64(fx, 0);
}

static void test_ring_whose_memory_goes_is_stopped_as_broken(void **state)
{
	struct fx *fx = *state;

	fx_run(fx);
	keep_only_first_ring(fx);
	assert_events(fx, "driver_gone stopping:1 kick_fd:1:none");
	assert_int_equal(fx_count(fx->err[1]), 1);
	assert_int_equal(fx_count(fx->err[0]), 0);
	assert_true(fx->be.queues[0].vq.started);
	assert_false(fx->be.queues[1].vq.started);
}

static void test_ring_whose_memory_comes_back_goes_on(void **state)
{
	struct fx *fx = *state;
	struct drvq dq;

	fx_start_driver(fx, &dq, 1);
	fx_run(fx);
	exchange(fx, &dq, 1);
	keep_only_first_ring(fx);
	fx->events[0] = '\0';
	fx_memory(fx);
	assert_events(fx, "started:1 kick_fd:1:set driver_ok kick:0 kick:1");
	exchange(fx, &dq, 1);
	drvq_stop(&dq);
}

static void test_ring_whose_region_is_removed_is_stopped_as_broken(void **state)
{
	struct fx *fx = *state;
	struct fx_region whole = fx_whole_memory();

	fx_run(fx);
	fx_region(fx, VHOST_REM_MEM_REG, &whole, -1);
	assert_int_equal(fx->report_count, 2);
	assert_int_equal(fx->reports[0].what, VIOLATION_VQ_RING_MEMORY);
	assert_int_equal(fx->reports[1].what, VIOLATION_VQ_RING_MEMORY);
	fx->report_count = 0;
	assert_events(fx, "driver_gone stopping:0 kick_fd:0:none stopping:1 kick_fd:1:none");
	assert_int_equal(fx_maps_of_memory(), OWN_MAPS);
}

/* A front-end that resizes a region removes it and adds it again. */
static void test_ring_whose_region_is_added_again_goes_on(void **state)
{
	struct fx *fx = *state;
	struct fx_region whole = fx_whole_memory();
	struct drvq dq;

	fx_start_driver(fx, &dq, 0);
	fx_run(fx);
	exchange(fx, &dq, 0);
	fx_region(fx, VHOST_REM_MEM_REG, &whole, -1);
	fx->report_count = 0;
	fx->events[0] = '\0';
	fx_region(fx, VHOST_ADD_MEM_REG, &whole, fx->memory);
	assert_served(fx);
	assert_events(fx,
		      "started:0 kick_fd:0:set started:1 kick_fd:1:set driver_ok kick:0 kick:1");
	exchange(fx, &dq, 0);
	drvq_stop(&dq);
}

static void test_ring_waits_for_the_region_that_covers_it(void **state)
{
	struct fx *fx = *state;
	struct fx_region first = {.guest = FX_GUEST + FX_BUFFERS,
				  .size = PAGE,
				  .user = FX_USER + FX_BUFFERS,
				  .offset = FX_BUFFERS};
	struct fx_region second = {.guest = FX_GUEST, .size = FX_BUFFERS, .user = FX_USER};

	negotiated(fx);
	fx_ring(fx, 0);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 0, 1);
	fx->events[0] = '\0';
	fx_region(fx, VHOST_ADD_MEM_REG, &first, fx->memory);
	assert_served(fx);
	assert_events(fx, "");
	fx_region(fx, VHOST_ADD_MEM_REG, &second, fx->memory);
	assert_served(fx);
	assert_events(fx, "started:0 kick_fd:0:set kick:0");
}

/* A table is complete: a ring that is outside will not come to be inside. */
static void test_ring_outside_a_whole_table_is_reported(void **state)
{
	struct fx *fx = *state;
	struct fx_region elsewhere = small_region(0);

	negotiated(fx);
	fx_ring(fx, 1);
	fx_state(fx, VHOST_SET_VRING_ENABLE, 1, 1);
	fx_table(fx, &elsewhere, 1);
	assert_int_equal(fx->reports[0].queue, 1);
	assert_reported(fx, VIOLATION_VU_RING_ADDRESS);
	assert_reply_u64(fx, 0); /* the table itself is in use */
	assert_false(fx->be.queues[1].vq.started);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fx_test(test_mem_table_of_one_region_is_mapped),
		fx_test(test_mem_table_closes_its_descriptors),
		fx_test(test_mem_table_of_eight_regions_is_mapped),
		fx_test(test_mem_table_of_more_than_eight_regions_is_refused),
		fx_test(test_mem_table_of_another_length_than_its_count_is_refused),
		fx_test(test_mem_table_with_another_number_of_descriptors_is_refused),
		fx_test(test_mem_table_without_regions_unmaps_all),
		fx_test(test_mem_table_replaced_unmaps_the_one_before),
		fx_test(test_mem_table_refused_keeps_the_one_before),
		fx_test(test_mem_region_that_is_empty_is_refused),
		fx_test(test_mem_region_that_wraps_in_guest_addresses_is_refused),
		fx_test(test_mem_region_that_wraps_in_user_addresses_is_refused),
		fx_test(test_mem_region_that_wraps_and_has_too_short_a_file_is_refused_for_itself),
		fx_test(test_mem_region_that_wraps_in_its_file_is_refused),
		fx_test(test_mem_region_of_a_size_that_wraps_everything_is_refused),
		fx_test(test_mem_region_longer_than_its_file_is_refused),
		fx_test(test_mem_region_up_to_the_last_byte_of_its_file_is_mapped),
		fx_test(test_mem_region_at_an_offset_that_is_no_page_is_mapped),
		fx_test(test_mem_regions_that_overlap_are_refused),
		fx_test(test_mem_regions_that_adjoin_are_mapped),
		fx_test(test_mem_fd_that_is_no_file_is_refused),
		fx_test(test_mem_fd_that_cannot_be_written_is_refused),
		fx_test(test_mem_fd_without_access_is_refused),
		fx_test(test_mem_fd_sealed_against_writing_is_refused),
		fx_test(test_mem_fd_of_an_empty_file_is_refused),
		fx_test(test_mem_fd_too_large_to_map_is_refused),
		fx_test(test_max_mem_slots_is_what_fits),
		fx_test(test_add_mem_reg_up_to_the_slots_and_no_more),
		fx_test(test_add_mem_reg_that_overlaps_is_refused),
		fx_test(test_rem_mem_reg_that_is_unknown_is_refused),
		fx_test(test_rem_mem_reg_ignores_the_offset),
		fx_test(test_rem_mem_reg_unmaps_that_region_and_no_other),
		fx_test(test_ring_goes_on_when_the_same_memory_is_given_again),
		fx_test(test_ring_goes_on_when_its_region_is_cut_smaller_around_it),
		fx_test(test_ring_whose_memory_goes_is_stopped_as_broken),
		fx_test(test_ring_whose_memory_comes_back_goes_on),
		fx_test(test_ring_whose_region_is_removed_is_stopped_as_broken),
		fx_test(test_ring_whose_region_is_added_again_goes_on),
		fx_test(test_ring_waits_for_the_region_that_covers_it),
		fx_test(test_ring_outside_a_whole_table_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
