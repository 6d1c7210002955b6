/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory: the map from guest-physical and front-end addresses to memory of this
 * process, with bounds checks and the dirty log. Owns no mapping: whoever adds a region
 * maps it before and unmaps it after (sim/vhost does).
 */
#ifndef VIRTIO_GMEM_H
#define VIRTIO_GMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GMEM_MAX_REGIONS 64

/* Granularity of the dirty log: vhost-user specification, section "Migration". */
#define GMEM_LOG_PAGE 4096

struct gmem_region {
	uint64_t guest_addr; /* guest-physical start */
	uint64_t size;	     /* bytes, never 0 */
	uint64_t user_addr;  /* start in the front-end's address space (ring addresses) */
	uint8_t *host;	     /* start in this process */
};

struct gmem {
	struct gmem_region last; /* copy of the region hit last; size 0 when there is none */
	uint8_t *log;		 /* one bit a page, or NULL while nothing is logged */
	uint64_t log_size;	 /* bytes */
	unsigned int count;
	struct gmem_region regions[GMEM_MAX_REGIONS]; /* sorted by guest_addr */
};

/**
 * gmem_init() - make an empty map
 * @mem: map
 */
void gmem_init(struct gmem *mem);

/**
 * gmem_add() - add a region
 * @mem: map
 * @region: copied
 *
 * The position of other regions in the map may change: it is kept sorted.
 *
 * Return: 0; -EINVAL when empty, without memory, or when an end is at or beyond 2^64; -EEXIST
 * when it overlaps another region in guest-physical or front-end addresses; -ENOSPC when the
 * map is full.
 */
int gmem_add(struct gmem *mem, const struct gmem_region *region);

/**
 * gmem_remove() - take the region out that has exactly these values
 * @mem: map
 * @guest_addr: guest-physical start
 * @user_addr: front-end start
 * @size: bytes
 * @removed: set to the entry, so that the caller can unmap it
 *
 * Return: 0, or -ENOENT.
 */
int gmem_remove(struct gmem *mem, uint64_t guest_addr, uint64_t user_addr, uint64_t size,
		struct gmem_region *removed);

/**
 * gmem_hit() - does a guest-physical range lie in the region that was hit last?
 * @mem: map
 * @guest_addr: guest-physical start
 * @size: bytes
 *
 * In line, because nearly all accesses are served by it: a driver's buffers lie together.
 *
 * Return: true when it does, and then gmem_hit_at() has its address; false says nothing.
 */
static inline bool gmem_hit(const struct gmem *mem, uint64_t guest_addr, uint64_t size)
{
	uint64_t offset = guest_addr - mem->last.guest_addr;

	return offset < mem->last.size && size <= mem->last.size - offset;
}

/* Address in this process of what gmem_hit() said yes to. */
static inline uint8_t *gmem_hit_at(const struct gmem *mem, uint64_t guest_addr)
{
	return mem->last.host + (guest_addr - mem->last.guest_addr);
}

/**
 * gmem_at() - address in this process of a guest-physical range within one region
 * @mem: map
 * @guest_addr: guest-physical start
 * @size: bytes; 0 asks for the address alone, which has to be that of a byte of memory
 *
 * Return: pointer, or NULL when the range is not wholly inside one region.
 */
void *gmem_at(struct gmem *mem, uint64_t guest_addr, uint64_t size);

/**
 * gmem_at_user() - the same for an address of the front-end
 * @mem: map
 * @user_addr: front-end address, as in SET_VRING_ADDR
 * @size: bytes
 *
 * Return: pointer, or NULL when the range is not wholly inside one region.
 */
void *gmem_at_user(struct gmem *mem, uint64_t user_addr, uint64_t size);

/**
 * gmem_contains() - is a guest-physical range memory, even if it spans adjoining regions?
 * @mem: map
 * @guest_addr: guest-physical start
 * @size: bytes
 *
 * Return: true when every byte is, so always for no bytes; a range that wraps around 2^64
 * never is.
 */
bool gmem_contains(struct gmem *mem, uint64_t guest_addr, uint64_t size);

/**
 * gmem_read() - copy out of guest memory, across adjoining regions
 * @mem: map
 * @guest_addr: guest-physical start
 * @to: private memory
 * @size: bytes
 *
 * Each byte is read once, and not again when the caller looks at the copy.
 *
 * Return: 0, or -EFAULT when part of the range is no memory (then @to is unspecified).
 */
int gmem_read(struct gmem *mem, uint64_t guest_addr, void *to, size_t size);

/**
 * gmem_write() - copy into guest memory, across adjoining regions, marking pages dirty
 * @mem: map
 * @guest_addr: guest-physical start
 * @from: private memory
 * @size: bytes
 *
 * Return: 0, or -EFAULT when part of the range is no memory (then nothing is written).
 */
int gmem_write(struct gmem *mem, uint64_t guest_addr, const void *from, size_t size);

/**
 * gmem_set_log() - start or stop logging writes
 * @mem: map
 * @log: bitmap shared with the front-end, or NULL
 * @size: its bytes
 */
void gmem_set_log(struct gmem *mem, void *log, uint64_t size);

/**
 * gmem_mark_dirty() - log a write that was made through a pointer
 * @mem: map
 * @guest_addr: guest-physical start
 * @size: bytes
 *
 * Call it after the write: whoever sees the bit sees the bytes. Pages beyond the end of the
 * log are left out; VU-021 reports them when the log is set.
 */
void gmem_mark_dirty(struct gmem *mem, uint64_t guest_addr, uint64_t size);

#endif /* VIRTIO_GMEM_H */
