/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/outside.h"

#include <string.h>

#include "common/oracle.h"
#include "common/world.h"
#include "virtio/vring.h"
#include "wire/bytes.h"

#define MAX_RINGS (2 * VHOST_NUM_QUEUES_MAX)
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

static uint64_t mirror[WORLD_RAM_SIZE / 8];
static uint8_t allowed[WORLD_RAM_SIZE]; /* zero between two looks */
static size_t allowed_from, allowed_to;
static struct piece pieces[2 * GMEM_MAX_REGIONS];
static unsigned int piece_count;
static struct ring rings[MAX_RINGS];
static unsigned int ring_count;

static bool in_ram(const void *at, uint64_t size, size_t *offset)
{
	enum world_file file;

	return world_locate(at, (size_t)size, &file, offset) && file == WORLD_RAM;
}

/* Memory and rings as they are now. */
static void collect(const struct backend *be)
{
	size_t offset, used;

	for (unsigned int i = 0; i < be->mem.count && piece_count < 2 * GMEM_MAX_REGIONS; i++) {
		const struct gmem_region *region = &be->mem.regions[i];

		if (in_ram(region->host, region->size, &offset))
			pieces[piece_count++] =
				(struct piece){region->guest_addr, region->size, offset};
	}
	for (unsigned int i = 0; i < VHOST_NUM_QUEUES_MAX; i++) {
		const struct virtq *vq = &be->queues[i].vq;

		if (!vq->started || !in_ram(vq->rings.used, vring_used_bytes(vq->num), &used))
			continue;
		/* A table that lies elsewhere says nothing of this memory, and nothing is said. */
		if (!in_ram(vq->rings.desc, vring_desc_bytes(vq->num), &offset))
			offset = WORLD_RAM_SIZE;
		rings[ring_count++] = (struct ring){offset, used, vq->num};
	}
}

void outside_before(const struct backend *be)
{
	size_t size;

	piece_count = ring_count = 0;
	collect(be);
	memcpy(mirror, world_memory(WORLD_RAM, &size), sizeof(mirror));
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

static void allow_table(const struct piece *piece, uint64_t addr, uint64_t size);

static void allow_desc(const uint8_t *at, bool in_table)
{
	uint64_t addr = wire_get_le64(at);
	uint32_t len = wire_get_le32(at + 8);
	uint16_t flags = wire_get_le16(at + 12);
	size_t offset = 0;

	for (unsigned int i = 0; i < piece_count; i++) {
		uint64_t size = within(&pieces[i], addr, len, &offset);

		if ((flags & VRING_DESC_F_INDIRECT) == 0 && (flags & VRING_DESC_F_WRITE) != 0)
			allow(offset, size);
		else if ((flags & VRING_DESC_F_INDIRECT) != 0 && !in_table && size != 0)
			allow_table(&pieces[i], addr, len);
	}
}

/* An entry may lie in two pieces that adjoin, so each is read byte by byte. */
static void allow_table(const struct piece *piece, uint64_t addr, uint64_t size)
{
	const uint8_t *bytes = (const uint8_t *)mirror;
	uint64_t count = size / VRING_DESC_SIZE;

	for (uint64_t i = 0; i < count && i < MAX_TABLE; i++) {
		uint8_t entry[VRING_DESC_SIZE] = {0};
		size_t offset = 0;

		for (unsigned int b = 0; b < VRING_DESC_SIZE; b++)
			for (unsigned int p = 0; p < piece_count; p++)
				if (within(&pieces[p], addr + i * VRING_DESC_SIZE + b, 1,
					   &offset) != 0)
					entry[b] = bytes[offset];
		allow_desc(entry, true);
	}
}

static bool is_other_memory_in_use(void)
{
	for (unsigned int i = 0; i < ring_count; i++)
		if (rings[i].desc == WORLD_RAM_SIZE)
			return true;
	return false;
}

/* The first change from a byte on that is not allowed, or the end of memory. */
static size_t find_breach(const uint8_t *memory)
{
	const uint64_t *words = (const uint64_t *)memory;
	const uint8_t *bytes = (const uint8_t *)mirror;

	for (size_t w = 0; w < WORLD_RAM_SIZE / 8; w++) {
		if (words[w] == mirror[w])
			continue;
		for (size_t i = 8 * w; i < 8 * w + 8; i++)
			if (memory[i] != bytes[i] && !allowed[i])
				return i;
	}
	return WORLD_RAM_SIZE;
}

static void judge(const uint8_t *memory)
{
	const uint8_t *bytes = (const uint8_t *)mirror;
	size_t breach;

	if (is_other_memory_in_use())
		return;
	allowed_from = WORLD_RAM_SIZE;
	allowed_to = 0;
	for (unsigned int i = 0; i < ring_count; i++) {
		allow(rings[i].used, vring_used_bytes(rings[i].num));
		for (uint32_t d = 0; d < rings[i].num; d++)
			allow_desc(bytes + rings[i].desc + (size_t)d * VRING_DESC_SIZE, false);
	}
	breach = find_breach(memory);
	ORACLE("write-outside", breach == WORLD_RAM_SIZE,
	       "byte 0x%zx of memory was 0x%02x and is 0x%02x", breach, bytes[breach],
	       memory[breach]);
	if (allowed_to > allowed_from)
		memset(allowed + allowed_from, 0, allowed_to - allowed_from);
}

static bool is_changed(const uint64_t *memory)
{
	uint64_t changed = 0;

	for (size_t i = 0; i < WORLD_RAM_SIZE / 8 && changed == 0; i += 64) {
		for (size_t k = 0; k < 64; k++)
			changed |= memory[i + k] ^ mirror[i + k];
	}
	return changed != 0;
}

void outside_after(const struct backend *be)
{
	size_t size;
	const uint8_t *memory = world_memory(WORLD_RAM, &size);

	if (!is_changed((const uint64_t *)memory))
		return;
	collect(be);
	judge(memory);
}
