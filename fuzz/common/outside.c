/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/outside.h"

#include <string.h>

#include "common/oracle.h"
#include "common/world.h"
#include "virtio/vring.h"
#include "wire/bytes.h"

#define MAX_RINGS 32 /* of one look: more are not judged */
#define MAX_PIECES 64
#define BLOCK 1024 /* bytes that are compared at once */
#define BLOCKS (WORLD_RAM_SIZE / BLOCK)
#define MAX_TABLE 4096 /* entries of a table that are looked at */

/* Guest memory that is part of WORLD_RAM. */
struct piece {
	uint64_t guest, size;
	size_t offset;
};

struct ring {
	size_t desc, used;
	uint32_t num;
};

static uint8_t mirror[WORLD_RAM_SIZE];
static uint8_t allowed[WORLD_RAM_SIZE]; /* zero between two looks */
static size_t allowed_from, allowed_to;
static struct piece pieces[MAX_PIECES], dirty_log;
static unsigned int piece_count;
static struct ring rings[MAX_RINGS];
static unsigned int ring_count;
static bool stale, readable, lost, changed[BLOCKS];

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
int __wrap_virtq_start(struct virtq *vq, struct gmem *mem, uint32_t num,
		       const struct virtq_rings *parts, uint16_t base, uint64_t features);
int __real_virtq_start(struct virtq *vq, struct gmem *mem, uint32_t num,
		       const struct virtq_rings *parts, uint16_t base, uint64_t features);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static bool in_ram(const void *at, uint64_t size, size_t *offset)
{
	enum world_file file;

	return world_locate(at, (size_t)size, &file, offset) && file == WORLD_RAM;
}

static void add_piece(uint64_t guest, uint64_t size, size_t offset)
{
	for (unsigned int i = 0; i < piece_count; i++)
		if (pieces[i].guest == guest && pieces[i].size == size &&
		    pieces[i].offset == offset)
			return;
	if (piece_count < MAX_PIECES)
		pieces[piece_count++] = (struct piece){guest, size, offset};
	else
		lost = true;
}

static void collect_memory(const struct gmem *mem)
{
	size_t offset;

	for (unsigned int i = 0; i < mem->count; i++)
		if (in_ram(mem->regions[i].host, mem->regions[i].size, &offset))
			add_piece(mem->regions[i].guest_addr, mem->regions[i].size, offset);
}

static void collect_ring(const struct virtq *vq)
{
	size_t desc, used;

	if (!vq->started || !in_ram(vq->rings.used, vring_used_bytes(vq->num), &used))
		return;
	/* A table that lies elsewhere says nothing of this memory, and nothing is said. */
	if (!in_ram(vq->rings.desc, vring_desc_bytes(vq->num), &desc))
		desc = WORLD_RAM_SIZE;
	for (unsigned int i = 0; i < ring_count; i++)
		if (rings[i].desc == desc && rings[i].used == used && rings[i].num == vq->num)
			return;
	if (ring_count < MAX_RINGS)
		rings[ring_count++] = (struct ring){desc, used, vq->num};
	else
		lost = true;
}

/* Memory and rings as they are now. */
static void collect(const struct backend *be)
{
	size_t offset;

	collect_memory(&be->mem);
	for (unsigned int i = 0; i < VHOST_NUM_QUEUES_MAX; i++)
		collect_ring(&be->queues[i].vq);
	if (be->log_map.at != NULL && in_ram(be->log_map.at, be->log_map.size, &offset))
		dirty_log = (struct piece){0, be->log_map.size, offset};
}

int __wrap_virtq_start(struct virtq *vq, struct gmem *mem, uint32_t num,
		       const struct virtq_rings *parts, uint16_t base, uint64_t features)
{
	int ret = __real_virtq_start(vq, mem, num, parts, base, features);

	collect_memory(mem);
	collect_ring(vq);
	return ret;
}

void outside_begin(void)
{
	piece_count = ring_count = 0;
	dirty_log.size = 0;
	readable = lost = false;
	stale = true;
}

void outside_touched(void)
{
	stale = true;
}

void outside_readable(void)
{
	readable = true;
}

void outside_before(const struct backend *be)
{
	size_t size;

	piece_count = ring_count = 0;
	dirty_log.size = 0;
	lost = false;
	collect(be);
	if (stale)
		memcpy(mirror, world_memory(WORLD_RAM, &size), sizeof(mirror));
	stale = false;
}

static void allow(size_t offset, uint64_t size)
{
	if (offset >= WORLD_RAM_SIZE)
		return;
	if (size > WORLD_RAM_SIZE - offset)
		size = WORLD_RAM_SIZE - offset;
	if (size == 0)
		return;
	memset(allowed + offset, 1, size);
	if (offset < allowed_from)
		allowed_from = offset;
	if (offset + size > allowed_to)
		allowed_to = offset + size;
}

/* The part of a guest-physical range that lies in a piece: 0 when there is none. */
static uint64_t within(const struct piece *piece, uint64_t addr, uint64_t size, size_t *offset)
{
	uint64_t skip = addr < piece->guest ? piece->guest - addr : 0;
	uint64_t inside;

	if (skip >= size || addr + skip - piece->guest >= piece->size)
		return 0;
	inside = addr + skip - piece->guest;
	*offset = piece->offset + inside;
	return size - skip < piece->size - inside ? size - skip : piece->size - inside;
}

static void allow_table(const uint8_t *bytes, uint64_t addr, uint64_t size);

/* A descriptor among bytes, those of memory before the device acted or after. */
static void allow_desc(const uint8_t *bytes, const uint8_t *at, bool in_table)
{
	uint64_t addr = wire_get_le64(at);
	uint32_t len = wire_get_le32(at + 8);
	uint16_t flags = wire_get_le16(at + 12);
	size_t offset = 0;

	for (unsigned int i = 0; i < piece_count; i++) {
		uint64_t size = within(&pieces[i], addr, len, &offset);

		if ((flags & VRING_DESC_F_INDIRECT) == 0 &&
		    (readable || (flags & VRING_DESC_F_WRITE) != 0))
			allow(offset, size);
		else if ((flags & VRING_DESC_F_INDIRECT) != 0 && !in_table && size != 0)
			allow_table(bytes, addr, len);
	}
}

/* An entry may lie in two pieces that adjoin, so each is read byte by byte. */
static void allow_table(const uint8_t *bytes, uint64_t addr, uint64_t size)
{
	uint64_t count = size / VRING_DESC_SIZE;

	for (uint64_t i = 0; i < count && i < MAX_TABLE; i++) {
		uint8_t entry[VRING_DESC_SIZE] = {0};
		size_t offset = 0;

		for (unsigned int b = 0; b < VRING_DESC_SIZE; b++)
			for (unsigned int p = 0; p < piece_count; p++)
				if (within(&pieces[p], addr + i * VRING_DESC_SIZE + b, 1,
					   &offset) != 0)
					entry[b] = bytes[offset];
		allow_desc(bytes, entry, true);
	}
}

static bool is_other_memory_in_use(void)
{
	for (unsigned int i = 0; i < ring_count; i++)
		if (rings[i].desc == WORLD_RAM_SIZE)
			return true;
	return false;
}

static bool is_changed(const uint8_t *memory, size_t block)
{
	return memcmp(memory + block * BLOCK, mirror + block * BLOCK, BLOCK) != 0;
}

/* The first change that is not allowed, or the end of memory. */
static size_t find_breach(const uint8_t *memory)
{
	for (size_t block = 0; block < BLOCKS; block++)
		for (size_t i = block * BLOCK; changed[block] && i < (block + 1) * BLOCK; i++)
			if (memory[i] != mirror[i] && !allowed[i])
				return i;
	return WORLD_RAM_SIZE;
}

static void judge(const uint8_t *memory)
{
	size_t breach;

	if (lost || is_other_memory_in_use())
		return;
	allowed_from = WORLD_RAM_SIZE;
	allowed_to = 0;
	allow(dirty_log.offset, dirty_log.size);
	for (unsigned int i = 0; i < ring_count; i++) {
		allow(rings[i].used, vring_used_bytes(rings[i].num));
		/* A device may have been given its own table to write to. */
		for (size_t d = 0; d < vring_desc_bytes(rings[i].num); d += VRING_DESC_SIZE) {
			allow_desc(mirror, mirror + rings[i].desc + d, false);
			if (memcmp(mirror + rings[i].desc + d, memory + rings[i].desc + d,
				   VRING_DESC_SIZE) != 0)
				allow_desc(memory, memory + rings[i].desc + d, false);
		}
	}
	breach = find_breach(memory);
	ORACLE("write-outside", breach == WORLD_RAM_SIZE,
	       "byte 0x%zx of memory was 0x%02x and is 0x%02x", breach, mirror[breach],
	       memory[breach]);
	if (allowed_to > allowed_from)
		memset(allowed + allowed_from, 0, allowed_to - allowed_from);
}

void outside_after(const struct backend *be)
{
	size_t size;
	const uint8_t *memory = world_memory(WORLD_RAM, &size);

	/* As after most of what a device does: it has no memory yet, or has not written to it. */
	if (!world_was_mapped() || memcmp(memory, mirror, sizeof(mirror)) == 0)
		return;
	for (size_t block = 0; block < BLOCKS; block++)
		changed[block] = is_changed(memory, block);
	collect(be);
	judge(memory);
	for (size_t block = 0; block < BLOCKS; block++)
		if (changed[block])
			memcpy(mirror + block * BLOCK, memory + block * BLOCK, BLOCK);
}
