/* SPDX-License-Identifier: BSD-2-Clause */
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000u
#define NS_PER_MS 1000000u

/* The agent holds the two ends of its port, the log and the kernel log: a few, with room to grow.
 */
#define KEPT_FDS 16

static int kept_from = 1024 - KEPT_FDS;

uint64_t sys_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

struct timespec sys_deadline(uint64_t timeout_ms)
{
	struct timespec moment;

	clock_gettime(CLOCK_MONOTONIC, &moment);
	moment.tv_sec += (time_t)(timeout_ms / 1000);
	moment.tv_nsec += (long)(timeout_ms % 1000 * NS_PER_MS);
	if (moment.tv_nsec >= (long)NS_PER_SECOND) {
		moment.tv_nsec -= (long)NS_PER_SECOND;
		moment.tv_sec++;
	}
	return moment;
}

int sys_remaining_ms(uint64_t deadline_ns)
{
	uint64_t now = sys_now_ns();
	uint64_t ms;

	if (deadline_ns == UINT64_MAX)
		return -1;
	if (now >= deadline_ns)
		return 0;
	ms = (deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

const char *sys_errno_name(int err, char buffer[static SYS_ERRNO_NAME_SIZE])
{
	const char *name = strerrorname_np(err);

	if (name)
		return name;
	snprintf(buffer, SYS_ERRNO_NAME_SIZE, "%d", err);
	return buffer;
}

ssize_t sys_read_text(const char *path, char *text, size_t size)
{
	/* Non-blocking, so that a pipe or a device in the place of a file stops nothing. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t length = 0;
	ssize_t got = 0;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	while (length < size - 1) {
		got = read(fd, text + length, size - 1 - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	if (got < 0)
		got = -errno;
	close(fd);
	text[length] = '\0';
	return got < 0 ? got : (ssize_t)length;
}

ssize_t sys_read_line(const char *path, char *text, size_t size)
{
	ssize_t length = sys_read_text(path, text, size);

	if (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
	return length;
}

void sys_init_fds(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1024)
		kept_from = (int)limit.rlim_cur - KEPT_FDS;
	if (kept_from < 8)
		kept_from = 8;
}

int sys_keep_fd(int fd)
{
	int kept;

	if (fd < 0)
		return -errno;
	kept = fcntl(fd, F_DUPFD_CLOEXEC, kept_from);
	if (kept < 0)
		kept = -errno;
	close(fd);
	return kept;
}

bool sys_fd_is_kept(int fd)
{
	return fd >= kept_from && fd < kept_from + KEPT_FDS;
}

void sys_close_kept_fds(void)
{
	for (int fd = kept_from; fd < kept_from + KEPT_FDS; fd++)
		close(fd);
}
