/* SPDX-License-Identifier: BSD-2-Clause */
#include "virtio/gmem.h"

#include <errno.h>
#include <string.h>

#include "virtio/read_hook.h"
#include "wire/checked.h"

#ifdef TESTBENCH_READ_HOOK
/* For programs of a fuzzing build that watch nothing. */
__attribute__((weak)) void guest_read_hook(const void *at, size_t size)
{
}
#endif

/*
 * The regions are kept sorted by guest-physical address: a lookup is a binary search when the
 * last hit does not serve, and the region that may adjoin another one is its successor.
 */

void gmem_init(struct gmem *mem)
{
	memset(mem, 0, sizeof(*mem));
}

/* Half-open ranges that end below 2^64, both of them not empty. */
static bool ranges_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b ? b - a < a_size : a - b < b_size;
}

int gmem_add(struct gmem *mem, const struct gmem_region *region)
{
	unsigned int at = 0;
	uint64_t end;

	if (region->size == 0 || region->host == NULL ||
	    !checked_add64(region->guest_addr, region->size, &end) ||
	    !checked_add64(region->user_addr, region->size, &end) ||
	    !checked_add64((uintptr_t)region->host, region->size, &end))
		return -EINVAL;

	for (unsigned int i = 0; i < mem->count; i++) {
		const struct gmem_region *r = &mem->regions[i];

		if (ranges_overlap(r->guest_addr, r->size, region->guest_addr, region->size) ||
		    ranges_overlap(r->user_addr, r->size, region->user_addr, region->size))
			return -EEXIST;
		if (r->guest_addr < region->guest_addr)
			at = i + 1;
	}
	if (mem->count == GMEM_MAX_REGIONS)
		return -ENOSPC;

	memmove(&mem->regions[at + 1], &mem->regions[at],
		(mem->count - at) * sizeof(mem->regions[0]));
	mem->regions[at] = *region;
	mem->count++;
	return 0;
}

int gmem_remove(struct gmem *mem, uint64_t guest_addr, uint64_t user_addr, uint64_t size,
		struct gmem_region *removed)
{
	for (unsigned int i = 0; i < mem->count; i++) {
		const struct gmem_region *r = &mem->regions[i];

		if (r->guest_addr != guest_addr || r->user_addr != user_addr || r->size != size)
			continue;
		*removed = *r;
		mem->count--;
		memmove(&mem->regions[i], &mem->regions[i + 1],
			(mem->count - i) * sizeof(mem->regions[0]));
		memset(&mem->last, 0, sizeof(mem->last));
		return 0;
	}
	return -ENOENT;
}

static bool region_has(const struct gmem_region *region, uint64_t guest_addr)
{
	return guest_addr - region->guest_addr < region->size;
}

/* The region that holds one byte, or NULL; a hit is remembered for the next search. */
static const struct gmem_region *gmem_find(struct gmem *mem, uint64_t guest_addr)
{
	unsigned int low = 0, high = mem->count;

	if (region_has(&mem->last, guest_addr))
		return &mem->last;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;
		const struct gmem_region *r = &mem->regions[middle];

		if (guest_addr < r->guest_addr) {
			high = middle;
		} else if (region_has(r, guest_addr)) {
			mem->last = *r;
			return r;
		} else {
			low = middle + 1;
		}
	}
	return NULL;
}

void *gmem_at(struct gmem *mem, uint64_t guest_addr, uint64_t size)
{
	const struct gmem_region *r = gmem_find(mem, guest_addr);

	if (r == NULL || !checked_range64(guest_addr, size, r->guest_addr, r->size))
		return NULL;
	return r->host + (guest_addr - r->guest_addr);
}

void *gmem_at_user(struct gmem *mem, uint64_t user_addr, uint64_t size)
{
	for (unsigned int i = 0; i < mem->count; i++) {
		const struct gmem_region *r = &mem->regions[i];

		if (user_addr - r->user_addr < r->size &&
		    checked_range64(user_addr, size, r->user_addr, r->size))
			return r->host + (user_addr - r->user_addr);
	}
	return NULL;
}

/* One stretch of a range that lies in one region. */
struct gmem_piece {
	uint8_t *host;
	size_t size;
};

/*
 * The first stretch of [guest_addr, guest_addr + size), which is not empty and was seen not
 * to wrap. False when its first byte is no memory.
 */
static bool gmem_piece(struct gmem *mem, uint64_t guest_addr, uint64_t size,
		       struct gmem_piece *piece)
{
	const struct gmem_region *r = gmem_find(mem, guest_addr);
	uint64_t offset, room;

	if (r == NULL)
		return false;
	offset = guest_addr - r->guest_addr;
	room = r->size - offset;
	piece->host = r->host + offset;
	piece->size = size < room ? size : room;
	return true;
}

bool gmem_contains(struct gmem *mem, uint64_t guest_addr, uint64_t size)
{
	struct gmem_piece piece;
	uint64_t end;

	if (gmem_hit(mem, guest_addr, size))
		return true;
	if (!checked_add64(guest_addr, size, &end))
		return false;
	while (size != 0) {
		if (!gmem_piece(mem, guest_addr, size, &piece))
			return false;
		guest_addr += piece.size;
		size -= piece.size;
	}
	return true;
}

/* gmem_read() over several regions, or over one that was not the last hit. */
static int read_pieces(struct gmem *mem, uint64_t guest_addr, uint8_t *out, size_t size)
{
	struct gmem_piece piece;
	uint64_t end;

	if (!checked_add64(guest_addr, size, &end))
		return -EFAULT;
	while (size != 0) {
		if (!gmem_piece(mem, guest_addr, size, &piece))
			return -EFAULT;
		guest_read_hook(piece.host, piece.size);
		memcpy(out, piece.host, piece.size);
		out += piece.size;
		guest_addr += piece.size;
		size -= piece.size;
	}
	return 0;
}

int gmem_read(struct gmem *mem, uint64_t guest_addr, void *to, size_t size)
{
	int err = 0;

	if (gmem_hit(mem, guest_addr, size)) {
		guest_read_hook(gmem_hit_at(mem, guest_addr), size);
		memcpy(to, gmem_hit_at(mem, guest_addr), size);
	} else {
		err = read_pieces(mem, guest_addr, to, size);
	}
	/* The copy is what gets checked: forbid the compiler to go back to its source. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return err;
}

/* gmem_write() over several regions, or over one that was not the last hit. */
static int write_pieces(struct gmem *mem, uint64_t guest_addr, const uint8_t *in, size_t size)
{
	struct gmem_piece piece;

	if (!gmem_contains(mem, guest_addr, size))
		return -EFAULT;
	while (size != 0) {
		if (!gmem_piece(mem, guest_addr, size, &piece))
			return -EFAULT;
		memcpy(piece.host, in, piece.size);
		in += piece.size;
		guest_addr += piece.size;
		size -= piece.size;
	}
	return 0;
}

int gmem_write(struct gmem *mem, uint64_t guest_addr, const void *from, size_t size)
{
	int err = 0;

	if (gmem_hit(mem, guest_addr, size))
		memcpy(gmem_hit_at(mem, guest_addr), from, size);
	else
		err = write_pieces(mem, guest_addr, from, size);
	if (err == 0 && mem->log != NULL)
		gmem_mark_dirty(mem, guest_addr, size);
	return err;
}

void gmem_set_log(struct gmem *mem, void *log, uint64_t size)
{
	mem->log = size != 0 ? log : NULL;
	mem->log_size = mem->log != NULL ? size : 0;
}

void gmem_mark_dirty(struct gmem *mem, uint64_t guest_addr, uint64_t size)
{
	uint64_t last, page, end_page;

	if (mem->log == NULL || size == 0)
		return;
	if (!checked_add64(guest_addr, size - 1, &last))
		last = UINT64_MAX;
	end_page = last / GMEM_LOG_PAGE + 1;
	if (end_page / 8 >= mem->log_size)
		end_page = mem->log_size * 8;

	for (page = guest_addr / GMEM_LOG_PAGE; page < end_page; page++) {
		/*
		 * The front-end clears bits at the same time. Release: whoever sees the bit
		 * also sees the bytes that were written before it was set.
		 */
		__atomic_fetch_or(&mem->log[page / 8], (uint8_t)(1U << page % 8), __ATOMIC_RELEASE);
	}
}
