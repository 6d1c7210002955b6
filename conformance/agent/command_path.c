/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands on a path: sysfs, debugfs, /dev. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "sys.h"
#include "uevent.h"

#define FILE_MAX (512 * 1024)

/*
 * How long wait_path lets pass before it looks again without having been told. Just after an event
 * it looks soon, since sysfs goes after the uevent that says so, then less and less often.
 */
#define LOOK_FIRST_MS 1
#define LOOK_LAST_MS 100
#define LOOK_UNTOLD_MS 20

static ssize_t read_whole(struct call *call, int fd, char *text)
{
	size_t length = 0;
	ssize_t got = 1;

	command_begin(call);
	while (got > 0 && length < FILE_MAX) {
		got = read(fd, text + length, FILE_MAX - length);
		if (got > 0)
			length += (size_t)got;
		else if (got < 0 && errno == EINTR)
			got = 1;
	}
	command_end(call);
	return got < 0 ? -errno : (ssize_t)length;
}

static int run_sysfs_read(struct call *call)
{
	const char *path = command_text(call, "path");
	/* Non-blocking: a FIFO in this place must not stop the main thread for ever. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t length;
	char *text;

	if (fd < 0)
		return command_fail(call, -errno, "open %s", path);
	text = malloc(FILE_MAX);
	length = text ? read_whole(call, fd, text) : -ENOMEM;
	close(fd);
	if (length < 0) {
		command_fail(call, 0, "read %s", path);
	} else if (command_flag(call, "hex")) {
		json_out_hex(&call->out, "data", text, (size_t)length);
	} else {
		bool exact = json_out_string(&call->out, "data", text, (size_t)length);

		if (!exact)
			json_out_bool(&call->out, "lossy", true);
	}
	if (length == FILE_MAX)
		json_out_bool(&call->out, "truncated", true);
	free(text);
	return length < 0 ? (int)length : 0;
}

static int run_file_write(struct call *call)
{
	struct json_value *data = command_value(call, "data");
	const char *path = command_text(call, "path");
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t ret;

	if (fd < 0)
		return command_fail(call, -errno, "open %s", path);
	/* One write: an attribute of sysfs takes each write as a value of its own. */
	command_begin(call);
	ret = write(fd, data->text, data->length);
	command_end(call);
	if (ret < 0)
		ret = command_fail(call, -errno, "write %s", path);
	else
		json_out_i64(&call->out, "ret", ret);
	close(fd);
	return ret < 0 ? (int)ret : 0;
}

static int skip_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int run_list(struct call *call)
{
	const char *path = command_text(call, "path");
	struct dirent **entries;
	int count = scandir(path, &entries, skip_dots, alphasort);

	if (count < 0)
		return command_fail(call, -errno, "list %s", path);
	json_out_open(&call->out, "entries", '[');
	for (int i = 0; i < count; i++) {
		json_out_cstring(&call->out, NULL, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	json_out_close(&call->out, ']');
	return 0;
}

static int run_readlink(struct call *call)
{
	const char *path = command_text(call, "path");
	char target[PATH_MAX];
	ssize_t length;

	command_begin(call);
	length = readlink(path, target, sizeof(target));
	command_end(call);
	if (length < 0)
		return command_fail(call, -errno, "readlink %s", path);
	json_out_string(&call->out, "target", target, (size_t)length);
	return 0;
}

/* Splits a path into the folder and the last component. */
static void split_path(const char *path, char *folder, const char **last)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;

	*last = slash ? slash + 1 : path;
	if (!slash) {
		strcpy(folder, ".");
		return;
	}
	if (!length)
		length = 1;
	memcpy(folder, path, length);
	folder[length] = '\0';
}

/* Whether there is such a path; found: which one it is. */
static bool path_exists(const char *path, bool pattern, char found[static PATH_MAX])
{
	char folder[PATH_MAX];
	struct dirent **entries;
	struct stat status;
	const char *last;
	bool exists = false;
	int count;

	if (!pattern) {
		snprintf(found, PATH_MAX, "%s", path);
		return lstat(path, &status) == 0;
	}
	split_path(path, folder, &last);
	count = scandir(folder, &entries, skip_dots, alphasort);
	if (count < 0)
		return false;
	for (int i = 0; i < count; i++) {
		if (!exists && fnmatch(last, entries[i]->d_name, FNM_PERIOD) == 0) {
			int length = snprintf(found, PATH_MAX, "%s/%s", folder, entries[i]->d_name);

			exists = length < PATH_MAX;
		}
		free(entries[i]);
	}
	free(entries);
	return exists;
}

/*
 * Has inotify watch the nearest folder of a path that exists. It sees files and the nodes of
 * devtmpfs; for what the kernel does in sysfs there are the uevents.
 */
static int watch_folder(int notify, const char *path)
{
	char folder[PATH_MAX], parent[PATH_MAX];
	const char *ignored;
	int watch;

	split_path(path, folder, &ignored);
	for (;;) {
		watch = inotify_add_watch(notify, folder,
					  IN_CREATE | IN_DELETE | IN_MOVE | IN_DELETE_SELF |
						  IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR);
		if (watch >= 0 || strcmp(folder, "/") == 0 || strcmp(folder, ".") == 0)
			return watch;
		split_path(folder, parent, &ignored);
		memcpy(folder, parent, sizeof(folder));
	}
}

static void drain(int fd)
{
	char ignored[4096];

	while (read(fd, ignored, sizeof(ignored)) > 0)
		;
}

/*
 * What tells this thread that something changed: uevents and inotify, or a negative errno. Both
 * stay open, since Linux ends an inotify descriptor only after a grace period, some 40 ms with one
 * slow processor.
 */
static _Thread_local struct {
	bool open;
	int events;
	int notify;
} listener;

static void listen_for_changes(void)
{
	if (!listener.open) {
		listener.events = uevent_open();
		listener.notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		listener.open = true;
	}
	/* What came since the last wait. */
	if (listener.events >= 0)
		uevent_drain(listener.events);
	if (listener.notify >= 0)
		drain(listener.notify);
}

static int wait_for_path(struct call *call, char found[static PATH_MAX])
{
	const char *path = command_text(call, "path");
	bool present = !command_value(call, "present") || command_flag(call, "present");
	bool pattern = command_flag(call, "glob");
	int64_t timeout_ms = command_i64(call, "timeout_ms", -1);
	uint64_t deadline = UINT64_MAX;
	int look_ms = LOOK_FIRST_MS;
	int events, notify, last_ms;

	/* Most are there already. */
	if (path_exists(path, pattern, found) == present)
		return 0;
	if (!timeout_ms)
		return -ETIMEDOUT;
	listen_for_changes();
	events = listener.events;
	notify = listener.notify;
	last_ms = events < 0 && notify < 0 ? LOOK_UNTOLD_MS : LOOK_LAST_MS;
	if (timeout_ms >= 0)
		deadline = sys_now_ns() + (uint64_t)timeout_ms * 1000000;
	for (;;) {
		struct pollfd wait[] = {
			{.fd = events, .events = POLLIN},
			{.fd = notify, .events = POLLIN},
		};
		int watch = notify < 0 ? -1 : watch_folder(notify, path);
		bool done = path_exists(path, pattern, found) == present;
		int remaining = sys_remaining_ms(deadline);
		int told = 0;

		if (remaining < 0 || remaining > look_ms)
			remaining = look_ms;
		if (!done && remaining)
			told = poll(wait, 2, remaining);
		if (watch >= 0)
			inotify_rm_watch(notify, watch);
		if (done)
			return 0;
		if (!remaining)
			return -ETIMEDOUT;
		if (told < 0 && errno == EINTR)
			return -EINTR;
		look_ms = told > 0 ? LOOK_FIRST_MS : look_ms * 2;
		if (look_ms > last_ms)
			look_ms = last_ms;
		if (wait[0].revents)
			uevent_drain(events);
		if (notify >= 0)
			drain(notify);
	}
}

static int run_wait_path(struct call *call)
{
	char found[PATH_MAX];
	int err;

	command_begin(call);
	err = wait_for_path(call, found);
	command_end(call);
	if (err)
		return command_fail(call, err, "wait_path %s", command_text(call, "path"));
	if (!command_value(call, "present") || command_flag(call, "present"))
		json_out_cstring(&call->out, "path", found);
	return 0;
}

const struct command command_path_table[] = {
	{"sysfs_read",
	 run_sysfs_read,
	 0,
	 {{"path", ARGUMENT_PATH, REQUIRED, 0}, {"hex", ARGUMENT_BOOL, OPTIONAL, 0}}},
	{"file_write",
	 run_file_write,
	 0,
	 {{"path", ARGUMENT_PATH, REQUIRED, 0}, {"data", ARGUMENT_TEXT, REQUIRED, 0}}},
	{"list", run_list, 0, {{"path", ARGUMENT_PATH, REQUIRED, 0}}},
	{"readlink", run_readlink, 0, {{"path", ARGUMENT_PATH, REQUIRED, 0}}},
	{"wait_path",
	 run_wait_path,
	 0,
	 {{"path", ARGUMENT_PATH, REQUIRED, 0},
	  {"present", ARGUMENT_BOOL, OPTIONAL, 0},
	  {"glob", ARGUMENT_BOOL, OPTIONAL, 0},
	  {"timeout_ms", ARGUMENT_I64, OPTIONAL, INT_MAX}}},
	{0},
};
