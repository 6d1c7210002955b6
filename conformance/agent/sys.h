/* SPDX-License-Identifier: BSD-2-Clause */
/* Small things that every part of the agent needs from the system: time, names, descriptors. */
#ifndef AGENT_SYS_H
#define AGENT_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define SYS_ERRNO_NAME_SIZE 16

/**
 * sys_now_ns() - CLOCK_MONOTONIC
 *
 * Return: nanoseconds; in a guest, about those since the kernel started.
 */
uint64_t sys_now_ns(void);

/**
 * sys_deadline() - the moment some milliseconds from now, on CLOCK_MONOTONIC
 * @timeout_ms: milliseconds
 *
 * Return: the moment, for pthread_cond_clockwait() and its like.
 */
struct timespec sys_deadline(uint64_t timeout_ms);

/**
 * sys_remaining_ms() - milliseconds from now to a moment, rounded up, for poll()
 * @deadline_ns: the moment, in nanoseconds of CLOCK_MONOTONIC; UINT64_MAX: never
 *
 * Return: 0 when it has passed; -1 for never; at most INT_MAX.
 */
int sys_remaining_ms(uint64_t deadline_ns);

/**
 * sys_errno_name() - symbolic name of an errno
 * @err: the positive number; on some architectures not the one that x86 uses for this name
 * @buffer: used for the decimal number of one that has no name (512, ERESTARTSYS)
 *
 * Return: "EAGAIN", "512".
 */
const char *sys_errno_name(int err, char buffer[static SYS_ERRNO_NAME_SIZE]);

/**
 * sys_read_text() - read a small file whole
 * @path: the file
 * @text: where to; always NUL-terminated
 * @size: room, including the NUL; what does not fit is left out
 *
 * Return: bytes read, or a negative errno.
 */
ssize_t sys_read_text(const char *path, char *text, size_t size);

/**
 * sys_read_line() - as sys_read_text(), without the newline at the end
 * @path: the file
 * @text: where to
 * @size: room
 *
 * Return: bytes read, or a negative errno.
 */
ssize_t sys_read_line(const char *path, char *text, size_t size);

/**
 * sys_init_fds() - set the range apart that the agent's own descriptors live in
 *
 * The other side names descriptors by number, and may name any: the port, the log and so on are
 * kept where a command cannot reach them by mistake. To be called first.
 */
void sys_init_fds(void);

/**
 * sys_keep_fd() - move a descriptor of the agent's own out of reach of commands
 * @fd: what a system call returned: a descriptor, closed here, or -1 with its errno
 *
 * Return: the new descriptor (close-on-exec), or a negative errno.
 */
int sys_keep_fd(int fd);

/**
 * sys_fd_is_kept() - whether a number is in the range of the agent's own descriptors
 * @fd: the number
 *
 * Return: true when commands must not touch it.
 */
bool sys_fd_is_kept(int fd);

/**
 * sys_close_kept_fds() - close the agent's own descriptors, in a child that does not talk
 */
void sys_close_kept_fds(void);

#endif
