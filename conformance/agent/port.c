/* SPDX-License-Identifier: BSD-2-Clause */
#include "port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "sys.h"
#include "uevent.h"

#define VIRTIO_PORTS "/sys/class/virtio-ports"
#define RECHECK_MS 200

static int in_fd = -1;
static int out_fd = -1;
/* The other end can be closed and opened again: virtio-serial and other non-terminal devices. */
static bool reopens;

static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint session; /* changes under out_lock */
static bool cut_line;	    /* under out_lock: the last line was not sent to its end */

/* Main thread only. One byte more than a line may have, for its newline. */
static char *buffer;
static size_t filled;	/* bytes in buffer */
static size_t taken;	/* of them, those handed out already */
static size_t searched; /* of them, those known to hold no newline after taken */
static bool skipping;	/* inside a line that is too long */

static int set_port(int in, int out)
{
	if (!buffer)
		buffer = malloc(PORT_LINE_MAX + 1);
	if (!buffer || in < 0 || out < 0)
		return !buffer ? -ENOMEM : in < 0 ? in : out;
	in_fd = in;
	out_fd = out;
	filled = taken = searched = 0;
	skipping = false;
	return 0;
}

static void close_port(void)
{
	if (out_fd >= 0 && out_fd != in_fd)
		close(out_fd);
	if (in_fd >= 0)
		close(in_fd);
	in_fd = out_fd = -1;
}

int port_open_stdio(void)
{
	int in = sys_keep_fd(dup(STDIN_FILENO));
	int out = sys_keep_fd(dup(STDOUT_FILENO));
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		if (null > STDERR_FILENO)
			close(null);
	}
	return set_port(in, out);
}

static void make_raw(int fd)
{
	struct termios settings;

	if (tcgetattr(fd, &settings) < 0)
		return;
	cfmakeraw(&settings);
	tcsetattr(fd, TCSANOW, &settings);
}

int port_open_path(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0)
		return -errno;
	fd = sys_keep_fd(fd);
	if (fd < 0)
		return fd;
	reopens = fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && !isatty(fd);
	make_raw(fd);
	return set_port(fd, fd);
}

/* Path of the port with this name; false while there is none. */
static bool find_virtio_port(const char *name, char *path, size_t size)
{
	DIR *folder = opendir(VIRTIO_PORTS);
	struct dirent *entry;
	bool found = false;

	if (!folder)
		return false;
	while (!found && (entry = readdir(folder))) {
		char attribute[sizeof(VIRTIO_PORTS) + 256 + 8];
		char text[256];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(attribute, sizeof(attribute), VIRTIO_PORTS "/%s/name", entry->d_name);
		if (sys_read_line(attribute, text, sizeof(text)) < 0 || strcmp(text, name) != 0)
			continue;
		snprintf(path, size, "/dev/%s", entry->d_name);
		found = true;
	}
	closedir(folder);
	return found;
}

int port_open_virtio(const char *name, uint64_t timeout_ms)
{
	uint64_t deadline = UINT64_MAX;
	int events = uevent_open();
	int err;

	if (timeout_ms != UINT64_MAX)
		deadline = sys_now_ns() + timeout_ms * 1000000;
	close_port();
	for (;;) {
		struct pollfd wait = {.fd = events, .events = POLLIN};
		int remaining = sys_remaining_ms(deadline);
		char path[256 + 8];

		if (find_virtio_port(name, path, sizeof(path))) {
			err = port_open_path(path);
			/* The node may follow its entry in sysfs, or just be gone again. */
			if (err != -ENOENT && err != -ENXIO && err != -ENODEV)
				break;
		}
		err = -ETIMEDOUT;
		if (!remaining)
			break;
		/* The limit is for a kernel without uevents, and for names set without one. */
		if (remaining < 0 || remaining > RECHECK_MS)
			remaining = RECHECK_MS;
		poll(&wait, 1, remaining);
		uevent_drain(events);
	}
	if (events >= 0)
		close(events);
	return err;
}

int port_wait_peer(void)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
	struct pollfd now = {.fd = out_fd, .events = POLLOUT};
	int events, err = 0;

	if (!reopens)
		return 0;
	/*
	 * A port whose other end is closed is readable (end of stream) and hung up all the time,
	 * so poll() would spin. Edge-triggered, a waiter is woken only when something changes.
	 */
	events = epoll_create1(EPOLL_CLOEXEC);
	if (events < 0)
		return -errno;
	if (epoll_ctl(events, EPOLL_CTL_ADD, in_fd, &event) < 0)
		err = -errno;
	while (!err) {
		if (poll(&now, 1, 0) < 0 && errno != EINTR)
			err = -errno;
		if (!(now.revents & POLLHUP) || err)
			break;
		/* A device that is gone for good looks the same to poll(). No byte is taken here.
		 */
		if (read(in_fd, buffer, 0) < 0 && errno != EAGAIN && errno != EINTR)
			err = -errno;
		else if (epoll_wait(events, &event, 1, -1) < 0 && errno != EINTR)
			err = -errno;
	}
	close(events);
	return err;
}

static int end_of_stream(void)
{
	bool within_line = filled > taken || skipping;
	int err;

	filled = taken = searched = 0;
	skipping = false;
	if (!reopens)
		return within_line ? PORT_UNTERMINATED : PORT_END;
	port_new_session();
	err = port_wait_peer();
	return err ? err : PORT_NEW_PEER;
}

/* Waits for bytes. Returns how many came, 0 at the end of the stream, or a negative errno. */
static ssize_t read_more(void)
{
	struct pollfd wait = {.fd = in_fd, .events = POLLIN};
	ssize_t got;

	if (taken && filled > taken)
		memmove(buffer, buffer + taken, filled - taken);
	filled -= taken;
	searched -= taken;
	taken = 0;
	for (;;) {
		got = read(in_fd, buffer + filled, PORT_LINE_MAX + 1 - filled);
		if (got >= 0)
			break;
		if (errno == EAGAIN)
			poll(&wait, 1, -1);
		else if (errno != EINTR)
			return -errno;
	}
	filled += (size_t)got;
	return got;
}

int port_next_line(char **line, size_t *length)
{
	for (;;) {
		char *newline = NULL;
		bool skipped = skipping;
		ssize_t got;

		if (filled > searched)
			newline = memchr(buffer + searched, '\n', filled - searched);
		if (newline) {
			*line = buffer + taken;
			*length = (size_t)(newline - *line);
			taken = searched = (size_t)(newline - buffer) + 1;
			skipping = false;
			return skipped ? PORT_TOO_LONG : PORT_LINE;
		}
		searched = filled;
		if (filled - taken > PORT_LINE_MAX)
			skipping = true;
		if (skipping)
			taken = filled;
		got = read_more();
		if (got < 0)
			return (int)got;
		if (got == 0)
			return end_of_stream();
	}
}

unsigned int port_session(void)
{
	return atomic_load(&session);
}

unsigned int port_new_session(void)
{
	unsigned int number;

	/* Under the lock, so that what the old peer is being sent is either whole or not begun. */
	pthread_mutex_lock(&out_lock);
	number = atomic_fetch_add(&session, 1) + 1;
	pthread_mutex_unlock(&out_lock);
	return number;
}

static int write_all(const char *data, size_t length, size_t *written)
{
	struct pollfd wait = {.fd = out_fd, .events = POLLOUT};
	ssize_t ret;

	*written = 0;
	while (*written < length) {
		ret = write(out_fd, data + *written, length - *written);
		if (ret >= 0) {
			*written += (size_t)ret;
		} else if (errno == EAGAIN) {
			poll(&wait, 1, -1);
			/* Closed at the other end: nobody will make room. */
			if (wait.revents & (POLLHUP | POLLERR))
				return -EPIPE;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int port_send(unsigned int for_session, const char *line, size_t length)
{
	size_t written;
	int err = 0;

	pthread_mutex_lock(&out_lock);
	if (for_session != atomic_load(&session))
		err = -EPIPE;
	/* The new peer must not take what was cut off before it came for the front of a line. */
	if (!err && cut_line)
		err = write_all("\n", 1, &written);
	if (!err) {
		err = write_all(line, length, &written);
		cut_line = err && written;
	}
	pthread_mutex_unlock(&out_lock);
	return err;
}

void port_send_before_poweroff(void)
{
	int flags;

	/*
	 * A blocking write() on virtio-serial comes back when the host has taken the buffer; a
	 * non-blocking one may be overtaken by the power going off.
	 */
	pthread_mutex_lock(&out_lock);
	flags = fcntl(out_fd, F_GETFL);
	if (flags >= 0)
		fcntl(out_fd, F_SETFL, flags & ~O_NONBLOCK);
	pthread_mutex_unlock(&out_lock);
}
