/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands that are one system call on a descriptor. All of them may run in a child. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "command.h"
#include "sys.h"

/* So that the reply, in hex, is of the size that a request may have. */
#define READ_MAX (512 * 1024)
/* Above this a buffer to write from is never touched: the guest has less memory than that. */
#define FILL_MAX (16 * 1024 * 1024)
#define WRITE_MAX ((uint64_t)1 << 31)
#define POLL_MAX 64
/* The number of an ioctl can carry a size of 14 bits; the kernel may write that much. */
#define IOCTL_SIZE_MAX (1 << 14)

struct name {
	const char *name;
	int value;
};

static const struct name open_flags[] = {
	{"rdonly", O_RDONLY},	  {"wronly", O_WRONLY},
	{"rdwr", O_RDWR},	  {"nonblock", O_NONBLOCK},
	{"append", O_APPEND},	  {"creat", O_CREAT},
	{"excl", O_EXCL},	  {"trunc", O_TRUNC},
	{"sync", O_SYNC},	  {"directory", O_DIRECTORY},
	{"nofollow", O_NOFOLLOW}, {"noctty", O_NOCTTY},
	{"cloexec", O_CLOEXEC},	  {NULL, 0},
};

static const struct name poll_events[] = {
	{"in", POLLIN},		{"pri", POLLPRI},	{"out", POLLOUT},
	{"rdnorm", POLLRDNORM}, {"rdband", POLLRDBAND}, {"wrnorm", POLLWRNORM},
	{"wrband", POLLWRBAND}, {"err", POLLERR},	{"hup", POLLHUP},
	{"nval", POLLNVAL},	{"rdhup", POLLRDHUP},	{NULL, 0},
};

static int find_name(const struct name *names, const char *wanted)
{
	for (; names->name; names++)
		if (strcmp(names->name, wanted) == 0)
			return names->value;
	return -1;
}

/* A mapping as a buffer: either plain memory, or pages that fault at every touch. */
static void *map_buffer(size_t size, int protection)
{
	void *at = mmap(NULL, size ? size : 1, protection,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static void unmap_buffer(void *at, size_t size)
{
	munmap(at, size ? size : 1);
}

static int run_open(struct call *call)
{
	struct json_value *names = command_value(call, "flags");
	const char *path = command_text(call, "path");
	int flags = O_CLOEXEC | O_NOCTTY;
	int modes = 0;
	int fd;

	for (size_t i = 0; names && i < names->count; i++) {
		int value = find_name(open_flags, names->items[i].text);

		if (value < 0)
			return command_fail(call, -EINVAL, "open: unknown flag \"%.64s\"",
					    names->items[i].text);
		modes += value == O_RDONLY || value == O_WRONLY || value == O_RDWR;
		flags |= value;
	}
	if (modes > 1)
		return command_fail(call, -EINVAL,
				    "open: \"flags\" has more than one of rdonly, wronly, rdwr");
	command_begin(call);
	fd = open(path, flags, (mode_t)command_u64(call, "mode", 0600));
	command_end(call);
	if (fd < 0)
		return command_fail(call, -errno, "open %s", path);
	if (sys_fd_is_kept(fd)) {
		close(fd);
		return command_fail(call, -EMFILE, "open %s", path);
	}
	json_out_i64(&call->out, "fd", fd);
	return 0;
}

static int run_close(struct call *call)
{
	int fd = command_fd(call);
	int ret;

	command_begin(call);
	ret = close(fd);
	command_end(call);
	return ret < 0 ? command_fail(call, -errno, "close %d", fd) : 0;
}

static ssize_t read_at(struct call *call, void *buffer, size_t length)
{
	int fd = command_fd(call);
	ssize_t ret;

	if (command_value(call, "offset")) {
		off_t offset = (off_t)command_u64(call, "offset", 0);

		command_begin(call);
		ret = pread(fd, buffer, length, offset);
	} else {
		command_begin(call);
		ret = read(fd, buffer, length);
	}
	command_end(call);
	return ret;
}

static ssize_t write_at(struct call *call, const void *buffer, size_t length)
{
	int fd = command_fd(call);
	ssize_t ret;

	if (command_value(call, "offset")) {
		off_t offset = (off_t)command_u64(call, "offset", 0);

		command_begin(call);
		ret = pwrite(fd, buffer, length, offset);
	} else {
		command_begin(call);
		ret = write(fd, buffer, length);
	}
	command_end(call);
	return ret;
}

static int run_read(struct call *call)
{
	size_t length = (size_t)command_u64(call, "len", 0);
	bool bad = command_flag(call, "bad_pointer");
	void *buffer = map_buffer(length, bad ? PROT_NONE : PROT_READ | PROT_WRITE);
	ssize_t ret;

	if (!buffer)
		return command_fail(call, -ENOMEM, "read: buffer of %zu bytes", length);
	ret = read_at(call, buffer, length);
	if (ret < 0) {
		command_fail(call, 0, "read %d", command_fd(call));
		ret = -errno;
	} else {
		json_out_i64(&call->out, "ret", ret);
		if (!bad)
			json_out_hex(&call->out, "data", buffer, (size_t)ret);
	}
	unmap_buffer(buffer, length);
	return ret < 0 ? (int)ret : 0;
}

/* The memory that a write without "data" is made from. */
static void *make_fill(struct call *call, size_t length)
{
	int fill = (int)command_u64(call, "fill", 0);
	void *buffer;

	if (command_flag(call, "bad_pointer"))
		return map_buffer(length, PROT_NONE);
	if (!fill)
		return map_buffer(length, PROT_READ);
	buffer = map_buffer(length, PROT_READ | PROT_WRITE);
	if (buffer)
		memset(buffer, fill, length);
	return buffer;
}

static int run_write(struct call *call)
{
	struct json_value *data = command_value(call, "data");
	size_t length = (size_t)command_u64(call, "len", 0);
	void *fill = NULL;
	ssize_t ret;

	if (data && (command_value(call, "fill") || command_value(call, "len") ||
		     command_flag(call, "bad_pointer")))
		return command_fail(call, -EINVAL,
				    "write: \"data\" excludes \"fill\", \"len\" and "
				    "\"bad_pointer\"");
	if (!data && !command_value(call, "len"))
		return command_fail(call, -EINVAL,
				    "write: argument \"data\" or \"len\" is missing");
	if (length > FILL_MAX && command_u64(call, "fill", 0))
		return command_fail(call, -EINVAL,
				    "write: argument \"fill\" has to be 0 above %d bytes",
				    FILL_MAX);
	if (!data) {
		fill = make_fill(call, length);
		if (!fill)
			return command_fail(call, -ENOMEM, "write: buffer of %zu bytes", length);
	}
	ret = data ? write_at(call, data->text, data->length) : write_at(call, fill, length);
	if (ret < 0) {
		command_fail(call, 0, "write %d", command_fd(call));
		ret = -errno;
	} else {
		json_out_i64(&call->out, "ret", ret);
	}
	if (fill)
		unmap_buffer(fill, length);
	return ret < 0 ? (int)ret : 0;
}

static void put_events(struct json_out *out, short events)
{
	json_out_open(out, NULL, '[');
	for (const struct name *name = poll_events; name->name; name++)
		if (events & name->value)
			json_out_cstring(out, NULL, name->name);
	json_out_close(out, ']');
}

static int run_poll(struct call *call)
{
	struct json_value *fds = command_value(call, "fds");
	struct json_value *names = command_value(call, "events");
	int timeout = (int)command_i64(call, "timeout_ms", -1);
	struct pollfd polled[POLL_MAX];
	int events = 0;
	int ret;

	if (fds->count > POLL_MAX)
		return command_fail(call, -EINVAL,
				    "poll: argument \"fds\" has more than %d entries", POLL_MAX);
	for (size_t i = 0; i < names->count; i++) {
		int value = find_name(poll_events, names->items[i].text);

		if (value < 0)
			return command_fail(call, -EINVAL, "poll: unknown event \"%.64s\"",
					    names->items[i].text);
		events |= value;
	}
	for (size_t i = 0; i < fds->count; i++) {
		polled[i].fd = fds->items[i].negative ? -1 : (int)fds->items[i].magnitude;
		polled[i].events = (short)events;
		polled[i].revents = 0;
	}
	command_begin(call);
	ret = poll(polled, fds->count, timeout);
	command_end(call);
	if (ret < 0)
		return command_fail(call, -errno, "poll");
	json_out_i64(&call->out, "ret", ret);
	json_out_open(&call->out, "revents", '[');
	for (size_t i = 0; i < fds->count; i++)
		put_events(&call->out, polled[i].revents);
	json_out_close(&call->out, ']');
	return 0;
}

static int do_ioctl(struct call *call, unsigned long argument)
{
	int fd = command_fd(call);
	unsigned long request = (unsigned long)command_u64(call, "request", 0);
	int ret;

	command_begin(call);
	ret = ioctl(fd, request, argument);
	command_end(call);
	if (ret < 0)
		return command_fail(call, -errno, "ioctl %d 0x%lx", fd, request);
	json_out_i64(&call->out, "ret", ret);
	return 0;
}

static int ioctl_with_data(struct call *call, const struct json_value *data)
{
	unsigned char *buffer = calloc(1, data->length + IOCTL_SIZE_MAX);
	int err;

	if (!buffer)
		return command_fail(call, -ENOMEM, "ioctl: buffer of %zu bytes", data->length);
	memcpy(buffer, data->text, data->length);
	err = do_ioctl(call, (unsigned long)(uintptr_t)buffer);
	if (!err)
		json_out_hex(&call->out, "data", buffer, data->length);
	free(buffer);
	return err;
}

static int run_ioctl(struct call *call)
{
	struct json_value *data = command_value(call, "data");
	uint64_t argument = command_u64(call, "arg", 0);
	bool bad = command_flag(call, "bad_pointer");
	void *page;
	int err;

	if ((data != NULL) + (command_value(call, "arg") != NULL) + bad > 1)
		return command_fail(
			call, -EINVAL,
			"ioctl: only one of \"arg\", \"data\" and \"bad_pointer\" can be given");
	if (argument > ULONG_MAX)
		return command_fail(call, -EINVAL, "ioctl: argument \"arg\" is beyond a long");
	if (data)
		return ioctl_with_data(call, data);
	if (!bad)
		return do_ioctl(call, (unsigned long)argument);
	page = map_buffer(IOCTL_SIZE_MAX, PROT_NONE);
	if (!page)
		return command_fail(call, -ENOMEM, "ioctl: page for the bad pointer");
	err = do_ioctl(call, (unsigned long)(uintptr_t)page);
	unmap_buffer(page, IOCTL_SIZE_MAX);
	return err;
}

static int run_fcntl_nonblock(struct call *call)
{
	int fd = command_fd(call);
	bool on = command_flag(call, "on");
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0) {
		command_begin(call);
		flags = fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
		command_end(call);
	}
	return flags < 0 ? command_fail(call, -errno, "fcntl_nonblock %d", fd) : 0;
}

static int run_tty_raw(struct call *call)
{
	struct termios settings;
	int fd = command_fd(call);
	int ret = tcgetattr(fd, &settings);

	if (ret == 0) {
		cfmakeraw(&settings);
		command_begin(call);
		ret = tcsetattr(fd, TCSANOW, &settings);
		command_end(call);
	}
	return ret < 0 ? command_fail(call, -errno, "tty_raw %d", fd) : 0;
}

const struct command command_file_table[] = {
	{"open",
	 run_open,
	 COMMAND_IN_CHILD,
	 {{"path", ARGUMENT_PATH, REQUIRED, 0},
	  {"flags", ARGUMENT_TEXTS, OPTIONAL, 0},
	  {"mode", ARGUMENT_U64, OPTIONAL, 07777}}},
	{"close", run_close, COMMAND_IN_CHILD, {{"fd", ARGUMENT_FD, REQUIRED, 0}}},
	{"read",
	 run_read,
	 COMMAND_IN_CHILD,
	 {{"fd", ARGUMENT_FD, REQUIRED, 0},
	  {"len", ARGUMENT_U64, REQUIRED, READ_MAX},
	  {"offset", ARGUMENT_U64, OPTIONAL, INT64_MAX},
	  {"bad_pointer", ARGUMENT_BOOL, OPTIONAL, 0}}},
	{"write",
	 run_write,
	 COMMAND_IN_CHILD,
	 {{"fd", ARGUMENT_FD, REQUIRED, 0},
	  {"data", ARGUMENT_HEX, OPTIONAL, 0},
	  {"fill", ARGUMENT_U64, OPTIONAL, UCHAR_MAX},
	  {"len", ARGUMENT_U64, OPTIONAL, WRITE_MAX},
	  {"offset", ARGUMENT_U64, OPTIONAL, INT64_MAX},
	  {"bad_pointer", ARGUMENT_BOOL, OPTIONAL, 0}}},
	{"poll",
	 run_poll,
	 COMMAND_IN_CHILD,
	 {{"fds", ARGUMENT_FDS, REQUIRED, 0},
	  {"events", ARGUMENT_TEXTS, REQUIRED, 0},
	  {"timeout_ms", ARGUMENT_I64, OPTIONAL, INT_MAX}}},
	{"ioctl",
	 run_ioctl,
	 COMMAND_IN_CHILD,
	 {{"fd", ARGUMENT_FD, REQUIRED, 0},
	  {"request", ARGUMENT_U64, REQUIRED, UINT32_MAX},
	  {"arg", ARGUMENT_U64, OPTIONAL, 0},
	  {"data", ARGUMENT_HEX, OPTIONAL, 0},
	  {"bad_pointer", ARGUMENT_BOOL, OPTIONAL, 0}}},
	{"fcntl_nonblock",
	 run_fcntl_nonblock,
	 COMMAND_IN_CHILD,
	 {{"fd", ARGUMENT_FD, REQUIRED, 0}, {"on", ARGUMENT_BOOL, REQUIRED, 0}}},
	{"tty_raw", run_tty_raw, COMMAND_IN_CHILD, {{"fd", ARGUMENT_FD, REQUIRED, 0}}},
	{0},
};
