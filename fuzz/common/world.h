/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors, mappings and time as a model: the calls by which sim/vhost and sim/host speak to
 * the kernel end here (CMake links them with --wrap), as far as they are about descriptors of
 * this world. So a target needs no socket and no system call, leaves nothing behind, and every
 * descriptor and mapping is accounted for: one that is closed twice, used after it was closed,
 * mapped beyond its file or never given back breaks a rule.
 *
 * A number stands for a file as after dup(): flags, counters and contents belong to the file.
 * Numbers are not given twice in one input, so that a stale one is always told. What is mapped
 * is real memory, shared by all mappings of a file, that is made once in a process.
 */
#ifndef FUZZ_COMMON_WORLD_H
#define FUZZ_COMMON_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Files that there are in every world, by what a front-end may send. */
enum world_file {
	WORLD_RAM,	 /* memory, WORLD_RAM_SIZE bytes */
	WORLD_RAM_2,	 /* memory, half as much */
	WORLD_ODD,	 /* memory that ends inside a page */
	WORLD_HUGE,	 /* memory on huge pages, one of them */
	WORLD_EMPTY,	 /* memory without a byte */
	WORLD_EVENT_0,	 /* eventfd */
	WORLD_EVENT_1,	 /* eventfd */
	WORLD_EVENT_2,	 /* eventfd that blocks */
	WORLD_PIPE_READ, /* pipe */
	WORLD_PIPE_WRITE,
	WORLD_PIPE_DEAD, /* pipe that nobody reads any more */
	WORLD_SOCKET,
	WORLD_SOCKET_DEAD, /* socket whose other end is gone */
	WORLD_DEVICE,	   /* character device */
	WORLD_FOLDER,
	WORLD_FILE_COUNT
};

#define WORLD_RAM_SIZE ((size_t)32 * 1024)
#define WORLD_ODD_SIZE 5000
#define WORLD_HUGE_SIZE ((size_t)2 << 20)

/*
 * The other end of connections: of the socket that socket() and connect() make, and of those that
 * accept4() gives of a listening one. There is one connection at a time.
 */
struct world_peer {
	/* Bytes and descriptors that were sent; the descriptors are the peer's now. */
	void (*sent)(void *ctx, const uint8_t *bytes, size_t size, const int *fds,
		     unsigned int count);
	/*
	 * Bytes to be read now. Return: how many, at most room; 0: the connection is closed;
	 * -1: none now. Descriptors that come with them go to fds, at most room_fds.
	 */
	ssize_t (*receive)(void *ctx, uint8_t *bytes, size_t room, int *fds, unsigned int room_fds,
			   unsigned int *count);
	/* Is there something to be read, the end included? Has it left? Does it wait for accept4()?
	 */
	bool (*readable)(void *ctx);
	bool (*gone)(void *ctx);
	bool (*connecting)(void *ctx);
	/* accept4() gave a descriptor for it; and the last one of a connection was closed. */
	void (*accepted)(void *ctx);
	void (*closed)(void *ctx);
	/* Somebody waits: do something. Return: false when nothing will come of it. */
	bool (*wait)(void *ctx);
	void *ctx;
};

/**
 * world_begin() - a world without descriptors; its time begins anew
 * @peer: other end of connections, kept by reference; NULL: none can be made
 */
void world_begin(const struct world_peer *peer);

/**
 * world_end() - the opposite: nothing may be left
 *
 * Ends the process when a descriptor or mapping is. Memory is zero again afterwards.
 */
void world_end(void);

/**
 * world_open() - a descriptor, as one that was received
 * @file: what it stands for
 *
 * Return: number; -1 when there are too many.
 */
int world_open(enum world_file file);

/**
 * world_listen() - a listening socket, whose connections are those of the peer
 *
 * Return: number; -1 when there are too many.
 */
int world_listen(void);

/**
 * world_ready() - what poll() would find
 * @fd: open descriptor
 * @events: POLLIN, POLLOUT, POLLRDHUP
 *
 * Return: those that are there.
 */
short world_ready(int fd, short events);

/**
 * world_is_open() - is this a descriptor that was not closed?
 * @fd: number
 *
 * Return: true when it is.
 */
bool world_is_open(int fd);

/**
 * world_descriptors() - how many are open
 *
 * Return: count.
 */
unsigned int world_descriptors(void);

/**
 * world_mappings() - how many mappings there are
 *
 * Return: count.
 */
unsigned int world_mappings(void);

/**
 * world_was_mapped() - was there ever a mapping?
 *
 * Return: true when one was made since world_begin(), though it may be gone.
 */
bool world_was_mapped(void);

/**
 * world_memory() - contents of a file
 * @file: of memory
 * @size: set to its bytes
 *
 * Return: first byte, at an address that no mapping has.
 */
uint8_t *world_memory(enum world_file file, size_t *size);

/**
 * world_locate() - what a byte of a mapping is
 * @at: address
 * @size: bytes from there
 * @file: set to the file that is mapped there
 * @offset: set to where the byte lies in it
 *
 * Return: true when all of it lies within one mapping that there is, and within its file.
 */
bool world_locate(const void *at, size_t size, enum world_file *file, size_t *offset);

/**
 * world_signal() - what the other process does to an event: kick, or empty a call
 * @file: event or pipe
 * @count: added; 0 empties it
 */
void world_signal(enum world_file file, uint64_t count);

/**
 * world_events() - count of an event or bytes in a pipe
 * @file: event or pipe
 *
 * Return: count.
 */
uint64_t world_events(enum world_file file);

/**
 * world_fail() - have calls fail for want of something
 * @calls: how many calls that need memory or a number succeed before; UINT32_MAX: all
 */
void world_fail(uint32_t calls);

/**
 * world_failed() - did a call fail because of world_fail()?
 *
 * Return: true when one did since world_begin().
 */
bool world_failed(void);

/**
 * world_advance() - let time pass
 * @ns: nanoseconds
 */
void world_advance(uint64_t ns);

/**
 * world_tick() - have time pass by itself: whoever looks at the clock finds it later
 * @ns: nanoseconds from one look to the next; 0, as it is in a new world: none
 *
 * For code that waits by looking at the clock, which would never end otherwise.
 */
void world_tick(uint64_t ns);

/**
 * world_clock() - look at the clock
 *
 * Return: nanoseconds, as clock_gettime() shows them.
 */
uint64_t world_clock(void);

/**
 * world_now() - the time, without a look at the clock
 *
 * Return: nanoseconds.
 */
uint64_t world_now(void);

#endif /* FUZZ_COMMON_WORLD_H */
