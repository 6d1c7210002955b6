/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an rpmsg stack has to implement to become a fuzz target: four functions, in plain C, and
 * nothing of this project but this file.
 *
 * The stack is the virtio device ("remote"): it serves two split virtqueues in memory that it is
 * given, queue 0 from the remote to the host and queue 1 from the host to the remote. Memory is
 * at the same address for both sides, so that an address in a descriptor is a guest-physical one
 * that the stack translates by subtracting memory_address and adding memory.
 *
 * fuzz/targets/adapter.c is the host: it makes rings, posts buffers and messages out of an
 * operation list, polls, takes back what was used and judges it. Link it with the stack's adapter
 * and common/ (fuzz/README.md: "I want to fuzz my own remote").
 */
#ifndef FUZZ_ADAPTERS_ADAPTER_H
#define FUZZ_ADAPTERS_ADAPTER_H

#include <stddef.h>
#include <stdint.h>

#define ADAPTER_QUEUES 2

struct adapter_queue {
	uint32_t entries; /* a power of two */
	void *desc;	  /* descriptor table; 16 bytes an entry */
	void *avail;	  /* available ring */
	void *used;	  /* used ring */
};

struct adapter_setup {
	uint8_t *memory;	 /* guest memory, which holds buffers, not the rings */
	uint64_t memory_address; /* its guest-physical address */
	uint64_t memory_size;	 /* bytes */
	uint64_t features;	 /* negotiated bits, of those that the stack offers */
	struct adapter_queue queues[ADAPTER_QUEUES];
};

struct adapter {
	const char *name;
	uint64_t features; /* bits that the stack can serve, as VIRTIO numbers them */
	/*
	 * A fresh stack on these rings, with at least one endpoint, the first at an address that
	 * the stack likes: 1024 is what most inputs send to. Return: a handle, or NULL when it
	 * cannot be made; a target treats that as a bug.
	 */
	void *(*init)(const struct adapter_setup *setup);
	/* The host kicked: buffers were put into the available ring of this queue. */
	void (*feed)(void *stack, unsigned int queue);
	/*
	 * Do what can be done now, and return when nothing is left to do. Called after feed(), and
	 * at other times; ns is a clock that only goes forward.
	 */
	void (*poll)(void *stack, uint64_t ns);
	/* Free everything. The rings are not looked at any more afterwards. */
	void (*fini)(void *stack);
};

/* The one stack of the program. */
extern const struct adapter adapter;

#endif /* FUZZ_ADAPTERS_ADAPTER_H */
