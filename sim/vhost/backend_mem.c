/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory regions and the dirty log: descriptors become mappings, mappings a gmem. */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "vhost/backend_internal.h"
#include "wire/checked.h"

/* mappings */

/* No process of a 64-bit machine can map more: whoever asks for it asks for the impossible. */
#define MAPPABLE (UINT64_C(1) << 46)

/* Both ends of a mapping have to be multiples of this. */
static uint64_t map_alignment(int fd)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct statfs fs;

	if (fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC && (uint64_t)fs.f_bsize > page)
		return (uint64_t)fs.f_bsize;
	return page;
}

static void unmap(struct backend_map *map)
{
	if (map->at)
		munmap(map->at, map->size);
	map->at = NULL;
	map->size = 0;
}

/*
 * Map part of a file, shared. Access beyond a file's end would be a SIGBUS: only a regular
 * file (memfd and hugetlbfs included) that is long enough is taken.
 *
 * Return: 0 and *at the first byte of the part; BACKEND_REFUSED with a report of this name when
 * the file is not fit for it; -ENOMEM, which is nobody's mistake.
 */
static int map_file(struct backend *be, int fd, uint64_t offset, uint64_t size, enum violation what,
		    struct backend_map *map, uint8_t **at)
{
	struct stat st;
	uint64_t align, lead, file_size;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0)
		return backend_refuse(be, what, VIOLATION_NO_QUEUE, offset + size, 0);
	file_size = (uint64_t)st.st_size;
	if (!checked_range64(offset, size, 0, file_size))
		return backend_refuse(be, what, VIOLATION_NO_QUEUE, offset + size, file_size);

	/* Within a file's size, below 2^63: none of this can wrap. */
	align = map_alignment(fd);
	lead = offset % align;
	map->size = (lead + size + align - 1) / align * align;
	map->at = mmap(NULL, map->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       (off_t)(offset - lead));
	if (map->at == MAP_FAILED) {
		map->at = NULL;
		if (errno == ENOMEM && map->size < MAPPABLE)
			return -ENOMEM;
		return backend_refuse(be, what, VIOLATION_NO_QUEUE, offset + size, file_size);
	}
	/* A crash of this process should not dump the guest. */
	madvise(map->at, map->size, MADV_DONTDUMP);
	*at = (uint8_t *)map->at + lead;
	return 0;
}

/* memory table */

/* A table that is being put together beside the one in use. */
struct table {
	struct gmem mem;
	struct backend_map maps[GMEM_MAX_REGIONS];
	unsigned int map_count;
};

static void table_unmap(struct table *table)
{
	for (unsigned int i = 0; i < table->map_count; i++)
		unmap(&table->maps[i]);
	table->map_count = 0;
}

struct region {
	uint64_t guest_addr, size, user_addr, offset;
};

static struct region get_region(const uint8_t *at)
{
	return (struct region){
		.guest_addr = vhost_get_u64(at),
		.size = vhost_get_u64(at + 8),
		.user_addr = vhost_get_u64(at + 16),
		.offset = vhost_get_u64(at + 24),
	};
}

static int check_region(struct backend *be, const struct region *region)
{
	uint64_t end;

	if (region->size == 0)
		return backend_refuse(be, VIOLATION_VU_MEM_REGION, VIOLATION_NO_QUEUE, 1, 0);
	if (!checked_add64(region->guest_addr, region->size, &end))
		return backend_refuse(be, VIOLATION_VU_MEM_REGION, VIOLATION_NO_QUEUE, region->size,
				      region->guest_addr);
	if (!checked_add64(region->user_addr, region->size, &end))
		return backend_refuse(be, VIOLATION_VU_MEM_REGION, VIOLATION_NO_QUEUE, region->size,
				      region->user_addr);
	if (!checked_add64(region->offset, region->size, &end))
		return backend_refuse(be, VIOLATION_VU_MEM_REGION, VIOLATION_NO_QUEUE, region->size,
				      region->offset);
	return 0;
}

/* Map one region and add it. Nothing was added when the return value is not 0. */
static int table_add(struct backend *be, struct table *table, const struct region *region, int fd)
{
	struct backend_map *map = &table->maps[table->map_count];
	struct gmem_region entry = {
		.guest_addr = region->guest_addr,
		.size = region->size,
		.user_addr = region->user_addr,
	};
	int ret = check_region(be, region);

	if (ret)
		return ret;
	if (table->map_count == GMEM_MAX_REGIONS)
		return backend_refuse(be, VIOLATION_VU_MEM_COUNT, VIOLATION_NO_QUEUE,
				      GMEM_MAX_REGIONS, GMEM_MAX_REGIONS + 1);
	ret = map_file(be, fd, region->offset, region->size, VIOLATION_VU_MEM_FD, map, &entry.host);
	if (ret)
		return ret;
	if (gmem_add(&table->mem, &entry) < 0) {
		unmap(map);
		return backend_refuse(be, VIOLATION_VU_MEM_REGION, VIOLATION_NO_QUEUE, region->size,
				      region->guest_addr);
	}
	table->map_count++;
	return 0;
}

/* Index of the mapping that a region lies in. */
static unsigned int find_map(const struct table *table, const struct gmem_region *region)
{
	unsigned int i;

	for (i = 0; i < table->map_count; i++)
		if (checked_range64((uintptr_t)region->host, region->size,
				    (uintptr_t)table->maps[i].at, table->maps[i].size))
			break;
	return i;
}

static void table_copy(struct table *table, const struct backend *be)
{
	table->mem = be->mem;
	memcpy(table->maps, be->maps, sizeof(table->maps));
	table->map_count = be->map_count;
}

/*
 * Put a table into use. Rings that it still holds go on where they are mapped now; the others
 * are stopped while the old mapping is still there, so that buffers can be given back.
 */
static void table_use(struct backend *be, struct table *table)
{
	bool moved[VHOST_NUM_QUEUES_MAX] = {false};
	struct virtq_rings rings[VHOST_NUM_QUEUES_MAX];

	for (unsigned int i = 0; i < be->offer.num_queues; i++) {
		if (!be->queues[i].vq.started)
			continue;
		moved[i] = backend_queue_covered(be, i, &table->mem, &rings[i]);
		if (!moved[i])
			backend_queue_lost_memory(be, i);
	}
	be->mem = table->mem;
	memcpy(be->maps, table->maps, sizeof(be->maps));
	be->map_count = table->map_count;
	for (unsigned int i = 0; i < be->offer.num_queues; i++)
		if (moved[i])
			virtq_move(&be->queues[i].vq, &rings[i]);

	/* The front-end enlarges the log before it adds memory; writes beyond it are not lost
	 * to this process, but to the migration. */
	if (be->mem.log && backend_log_bytes(&be->mem) > be->log_size)
		backend_refuse(be, VIOLATION_VU_LOG, VIOLATION_NO_QUEUE,
			       backend_log_bytes(&be->mem), be->log_size);
}

int backend_set_mem_table(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	uint32_t count = vhost_get_u32(msg->payload);
	struct table table = {.map_count = 0};
	struct table old;

	if (count > VHOST_MAX_MEM_TABLE)
		return backend_refuse(be, VIOLATION_VU_MEM_COUNT, VIOLATION_NO_QUEUE,
				      VHOST_MAX_MEM_TABLE, count);
	if (msg->size != VHOST_MEM_HDR_SIZE + count * VHOST_MEM_REGION_SIZE)
		return backend_refuse(be, VIOLATION_VU_SIZE, VIOLATION_NO_QUEUE,
				      VHOST_MEM_HDR_SIZE + count * VHOST_MEM_REGION_SIZE,
				      msg->size);
	if (msg->fd_count != count)
		return backend_refuse(be, VIOLATION_VU_FD_COUNT, VIOLATION_NO_QUEUE, count,
				      msg->fd_count);

	gmem_init(&table.mem);
	gmem_set_log(&table.mem, be->mem.log, be->mem.log_size);
	for (uint32_t i = 0; i < count; i++) {
		struct region region = get_region(msg->payload + VHOST_MEM_HDR_SIZE +
						  (size_t)i * VHOST_MEM_REGION_SIZE);
		int ret = table_add(be, &table, &region, msg->fds[i]);

		if (ret) {
			table_unmap(&table);
			return ret;
		}
	}
	table_copy(&old, be);
	table_use(be, &table);
	table_unmap(&old);
	return backend_queues_try_start(be, true);
}

int backend_add_mem_reg(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	struct region region = get_region(msg->payload + VHOST_MEM_HDR_SIZE);
	struct table table;
	int ret;

	table_copy(&table, be);
	ret = table_add(be, &table, &region, msg->fds[0]);
	if (ret)
		return ret;
	table_use(be, &table);
	/* More regions may follow: a ring that is not covered yet waits for them. */
	return backend_queues_try_start(be, false);
}

int backend_rem_mem_reg(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	struct region region = get_region(msg->payload + VHOST_MEM_HDR_SIZE);
	struct gmem_region removed;
	struct backend_map map;
	struct table table;
	unsigned int i;

	table_copy(&table, be);
	if (gmem_remove(&table.mem, region.guest_addr, region.user_addr, region.size, &removed) < 0)
		return backend_refuse(be, VIOLATION_VU_MEM_UNKNOWN, VIOLATION_NO_QUEUE, region.size,
				      region.guest_addr);
	i = find_map(&table, &removed);
	if (i == table.map_count)
		return -ENOENT;
	map = table.maps[i];
	table.maps[i] = table.maps[--table.map_count];
	table_use(be, &table);
	unmap(&map);
	return 0;
}

int backend_get_max_mem_slots(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	return backend_reply_u64(reply, GMEM_MAX_REGIONS);
}

/* dirty log */

uint64_t backend_log_bytes(const struct gmem *mem)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < mem->count; i++) {
		const struct gmem_region *region = &mem->regions[i];
		uint64_t last = region->guest_addr + (region->size - 1);
		uint64_t need = last / GMEM_LOG_PAGE / 8 + 1;

		if (need > bytes)
			bytes = need;
	}
	return bytes;
}

void backend_log_update(struct backend *be)
{
	bool on = be->log && (be->acked & VIRTIO_BIT(VHOST_F_LOG_ALL));

	gmem_set_log(&be->mem, on ? be->log : NULL, on ? be->log_size : 0);
}

int backend_set_log_base(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	uint64_t size = vhost_get_u64(msg->payload);
	uint64_t offset = vhost_get_u64(msg->payload + 8);
	uint64_t need = backend_log_bytes(&be->mem);
	struct backend_map map = {0};
	uint8_t *log = NULL;
	int ret;

	for (unsigned int i = 0; i < be->offer.num_queues; i++) {
		uint64_t ring = backend_queue_log_bytes(&be->queues[i]);

		if (ring > need)
			need = ring;
	}
	if (size == 0 || size < need)
		return backend_refuse(be, VIOLATION_VU_LOG, VIOLATION_NO_QUEUE, need, size);
	ret = map_file(be, msg->fds[0], offset, size, VIOLATION_VU_LOG, &map, &log);
	if (ret)
		return ret;

	unmap(&be->log_map);
	be->log_map = map;
	be->log = log;
	be->log_size = size;
	backend_log_update(be);
	return 0;
}

int backend_set_log_fd(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	struct backend_event event;

	if (!backend_take_event(&event, msg, false))
		return backend_refuse(be, VIOLATION_VU_NOT_EVENTFD, VIOLATION_NO_QUEUE, 0, 0);
	backend_close_event(&be->log_event);
	be->log_event = event;
	return 0;
}

void backend_mem_fini(struct backend *be)
{
	for (unsigned int i = 0; i < be->map_count; i++)
		unmap(&be->maps[i]);
	be->map_count = 0;
	unmap(&be->log_map);
	be->log = NULL;
	be->log_size = 0;
	backend_close_event(&be->log_event);
	gmem_init(&be->mem);
}
