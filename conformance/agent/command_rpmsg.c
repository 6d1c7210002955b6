/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands that know what rpmsg is: the ioctls of its character devices, and the bus in sysfs. */
#include <dirent.h>
#include <errno.h>
#include <linux/rpmsg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "command.h"
#include "sys.h"

#define RPMSG_DEVICES "/sys/bus/rpmsg/devices"

/* Headers older than Linux 5.18 lack these two. */
#ifndef RPMSG_CREATE_DEV_IOCTL
#define RPMSG_CREATE_DEV_IOCTL _IOW(0xb5, 0x3, struct rpmsg_endpoint_info)
#endif
#ifndef RPMSG_RELEASE_DEV_IOCTL
#define RPMSG_RELEASE_DEV_IOCTL _IOW(0xb5, 0x4, struct rpmsg_endpoint_info)
#endif

_Static_assert(sizeof(struct rpmsg_endpoint_info) == 40, "the size is part of the ioctl's number");

static int endpoint_ioctl(struct call *call, unsigned long request)
{
	struct json_value *name = command_value(call, "name");
	struct rpmsg_endpoint_info info = {
		.src = (uint32_t)command_u64(call, "src", UINT32_MAX),
		.dst = (uint32_t)command_u64(call, "dst", UINT32_MAX),
	};
	int fd = command_fd(call);
	int ret;

	/* All 32 bytes may be used, without a NUL: what the kernel then does is a case. */
	memcpy(info.name, name->text, name->length);
	command_begin(call);
	ret = ioctl(fd, request, &info);
	command_end(call);
	if (ret < 0)
		return command_fail(call, -errno, "%s %d \"%s\"", call->command->name, fd,
				    name->text);
	json_out_i64(&call->out, "ret", ret);
	return 0;
}

static int run_create_ept(struct call *call)
{
	return endpoint_ioctl(call, RPMSG_CREATE_EPT_IOCTL);
}

static int run_create_dev(struct call *call)
{
	return endpoint_ioctl(call, RPMSG_CREATE_DEV_IOCTL);
}

static int run_release_dev(struct call *call)
{
	return endpoint_ioctl(call, RPMSG_RELEASE_DEV_IOCTL);
}

static int run_destroy_ept(struct call *call)
{
	int fd = command_fd(call);
	int ret;

	command_begin(call);
	ret = ioctl(fd, RPMSG_DESTROY_EPT_IOCTL);
	command_end(call);
	if (ret < 0)
		return command_fail(call, -errno, "rpmsg_destroy_ept %d", fd);
	json_out_i64(&call->out, "ret", ret);
	return 0;
}

static int read_attribute(const char *device, const char *attribute, char *text, size_t size)
{
	char path[sizeof(RPMSG_DEVICES) + 256 + 16];
	ssize_t length;

	snprintf(path, sizeof(path), RPMSG_DEVICES "/%s/%s", device, attribute);
	length = sys_read_line(path, text, size);
	return length < 0 ? (int)length : 0;
}

static void put_driver(struct json_out *out, const char *device)
{
	char path[sizeof(RPMSG_DEVICES) + 256 + 16];
	char target[256];
	const char *last;
	ssize_t length;

	snprintf(path, sizeof(path), RPMSG_DEVICES "/%s/driver", device);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0) {
		json_out_null(out, "driver");
		return;
	}
	target[length] = '\0';
	last = strrchr(target, '/');
	json_out_cstring(out, "driver", last ? last + 1 : target);
}

static void put_channel(struct json_out *out, const char *device)
{
	char name[64], src[32], dst[32];

	/* A channel can go while it is looked at: then it is not there. */
	if (read_attribute(device, "name", name, sizeof(name)) < 0 ||
	    read_attribute(device, "src", src, sizeof(src)) < 0 ||
	    read_attribute(device, "dst", dst, sizeof(dst)) < 0)
		return;
	json_out_open(out, NULL, '{');
	json_out_cstring(out, "device", device);
	json_out_cstring(out, "name", name);
	json_out_u64(out, "src", (uint32_t)strtoull(src, NULL, 0));
	json_out_u64(out, "dst", (uint32_t)strtoull(dst, NULL, 0));
	put_driver(out, device);
	json_out_close(out, '}');
}

static int skip_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int run_channels(struct call *call)
{
	struct dirent **entries;
	int count = scandir(RPMSG_DEVICES, &entries, skip_hidden, alphasort);

	if (count < 0)
		return command_fail(call, -errno, "list " RPMSG_DEVICES " (is rpmsg_core loaded?)");
	json_out_open(&call->out, "channels", '[');
	for (int i = 0; i < count; i++) {
		put_channel(&call->out, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	json_out_close(&call->out, ']');
	return 0;
}

/* Messages of an exchange are their own numbers; how many may be under way at once. */
#define EXCHANGE_SIZE sizeof(uint32_t)
#define EXCHANGE_WINDOW 256

static int send_numbers(int fd, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = first + i;
		ssize_t ret = write(fd, &number, EXCHANGE_SIZE);

		if (ret != EXCHANGE_SIZE)
			return ret < 0 ? -errno : -EIO;
	}
	return 0;
}

static int receive_numbers(int fd, uint32_t first, uint32_t count, uint64_t *wrong)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = ~(first + i);
		ssize_t ret = read(fd, &number, EXCHANGE_SIZE);

		if (ret < 0)
			return -errno;
		*wrong += ret != EXCHANGE_SIZE || number != first + i;
	}
	return 0;
}

/* Many messages to a service that echoes, without a request for each. */
static int run_exchange(struct call *call)
{
	uint32_t count = (uint32_t)command_u64(call, "count", 0);
	uint32_t window = (uint32_t)command_u64(call, "window", 1);
	int fd = command_fd(call);
	uint64_t wrong = 0;
	uint32_t done = 0;
	int err = 0;

	if (window == 0)
		return command_fail(call, -EINVAL, "exchange: argument \"window\" is 0");
	command_begin(call);
	while (done < count && !err) {
		uint32_t part = count - done < window ? count - done : window;

		err = send_numbers(fd, done, part);
		if (!err)
			err = receive_numbers(fd, done, part, &wrong);
		if (!err)
			done += part;
	}
	command_end(call);
	if (err)
		return command_fail(call, err, "exchange %d after %u messages", fd, done);
	json_out_u64(&call->out, "ret", done);
	json_out_u64(&call->out, "wrong", wrong);
	return 0;
}

const struct command command_rpmsg_table[] = {
	{"rpmsg_create_ept",
	 run_create_ept,
	 COMMAND_IN_CHILD,
	 {{"fd", ARGUMENT_FD, REQUIRED, 0},
	  {"name", ARGUMENT_TEXT, REQUIRED, 32},
	  {"src", ARGUMENT_ADDRESS, OPTIONAL, 0},
	  {"dst", ARGUMENT_ADDRESS, OPTIONAL, 0}}},
	{"rpmsg_create_dev",
	 run_create_dev,
	 COMMAND_IN_CHILD,
	 {{"fd", ARGUMENT_FD, REQUIRED, 0},
	  {"name", ARGUMENT_TEXT, REQUIRED, 32},
	  {"src", ARGUMENT_ADDRESS, OPTIONAL, 0},
	  {"dst", ARGUMENT_ADDRESS, OPTIONAL, 0}}},
	{"rpmsg_release_dev",
	 run_release_dev,
	 COMMAND_IN_CHILD,
	 {{"fd", ARGUMENT_FD, REQUIRED, 0},
	  {"name", ARGUMENT_TEXT, REQUIRED, 32},
	  {"src", ARGUMENT_ADDRESS, OPTIONAL, 0},
	  {"dst", ARGUMENT_ADDRESS, OPTIONAL, 0}}},
	{"rpmsg_destroy_ept",
	 run_destroy_ept,
	 COMMAND_IN_CHILD,
	 {{"fd", ARGUMENT_FD, REQUIRED, 0}}},
	{"channels", run_channels, 0, {{0}}},
	{"exchange",
	 run_exchange,
	 COMMAND_IN_CHILD,
	 {{"fd", ARGUMENT_FD, REQUIRED, 0},
	  {"count", ARGUMENT_U64, REQUIRED, INT32_MAX},
	  {"window", ARGUMENT_U64, OPTIONAL, EXCHANGE_WINDOW}}},
	{0},
};
