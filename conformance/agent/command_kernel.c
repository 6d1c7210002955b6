/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands on the kernel itself: its modules and its log. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "command.h"
#include "module.h"
#include "sys.h"

/* A record is refused when it does not fit; the kernel's own limit is below this. */
#define RECORD_SIZE 8192
/* A reply stays below what a client can be expected to take as one line. */
#define DMESG_REPLY_MAX (4 * 1024 * 1024)

static int run_insmod(struct call *call)
{
	const char *path = command_text(call, "path");
	const char *parameters = command_text(call, "params");
	int err;

	command_begin(call);
	err = module_load(path, parameters ? parameters : "");
	command_end(call);
	return err ? command_fail(call, err, "insmod %s", path) : 0;
}

static int run_rmmod(struct call *call)
{
	const char *name = command_text(call, "name");
	int err;

	command_begin(call);
	err = module_unload(name);
	command_end(call);
	return err ? command_fail(call, err, "rmmod %s", name) : 0;
}

static int run_kmsg(struct call *call)
{
	struct json_value *text = command_value(call, "text");
	struct iovec line[] = {
		{.iov_base = text->text, .iov_len = text->length},
		/* Without it the record stays open, and unseen, until the next one. */
		{.iov_base = (char[]){'\n'}, .iov_len = 1},
	};
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	ssize_t ret;

	if (fd < 0)
		return command_fail(call, -errno, "open /dev/kmsg");
	command_begin(call);
	ret = writev(fd, line, 2);
	command_end(call);
	if (ret < 0)
		ret = command_fail(call, -errno, "write /dev/kmsg");
	close(fd);
	return ret < 0 ? (int)ret : 0;
}

/*
 * The log is read record by record and cannot be entered at a number, so the place where the last
 * `dmesg` stopped is kept: asking for what came since then costs only what came since then.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static uint64_t next_seq; /* of the record that log_fd gives next, or a later one */

static int seek_log(uint64_t since)
{
	if (log_fd < 0) {
		log_fd = sys_keep_fd(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
		next_seq = 0;
	} else if (since < next_seq) {
		next_seq = 0;
		return lseek(log_fd, 0, SEEK_SET) < 0 ? -errno : 0;
	}
	return log_fd < 0 ? log_fd : 0;
}

/* Text as the kernel had it: /dev/kmsg shows other than printable ASCII, and '\', as \xNN. */
static size_t unescape(char *text, size_t length)
{
	size_t to = 0;

	for (size_t from = 0; from < length; from++) {
		char digits[3] = {0};

		if (text[from] == '\\' && length - from >= 4 && text[from + 1] == 'x' &&
		    isxdigit((unsigned char)text[from + 2]) &&
		    isxdigit((unsigned char)text[from + 3])) {
			memcpy(digits, text + from + 2, 2);
			text[to++] = (char)strtoul(digits, NULL, 16);
			from += 3;
		} else {
			text[to++] = text[from];
		}
	}
	return to;
}

/* One record: "level+8*facility,sequence,microseconds,flags[,...];text" and lines of properties. */
static void put_record(struct json_out *out, char *record, uint64_t since)
{
	char *text = strchr(record, ';');
	uint64_t seq, time_us;
	unsigned int priority;
	size_t length;

	if (!text || sscanf(record, "%u,%" SCNu64 ",%" SCNu64, &priority, &seq, &time_us) != 3)
		return;
	next_seq = seq + 1;
	if (seq < since)
		return;
	text++;
	length = unescape(text, strcspn(text, "\n"));
	json_out_open(out, NULL, '{');
	json_out_u64(out, "seq", seq);
	json_out_u64(out, "time_us", time_us);
	json_out_u64(out, "level", priority & 7);
	json_out_string(out, "text", text, length);
	json_out_close(out, '}');
}

static int put_records(struct call *call, uint64_t since, bool *lost, bool *more)
{
	char record[RECORD_SIZE + 1];
	ssize_t length;

	for (;;) {
		if (call->out.length > DMESG_REPLY_MAX) {
			*more = true;
			return 0;
		}
		length = read(log_fd, record, RECORD_SIZE);
		if (length > 0) {
			record[length] = '\0';
			put_record(&call->out, record, since);
		} else if (length == 0 || errno == EAGAIN) {
			return 0;
		} else if (errno == EPIPE) {
			*lost = true;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
}

static int run_dmesg(struct call *call)
{
	uint64_t since = command_u64(call, "since", 0);
	bool lost = false, more = false;
	int err;

	pthread_mutex_lock(&lock);
	err = seek_log(since);
	if (!err) {
		json_out_open(&call->out, "lines", '[');
		err = put_records(call, since, &lost, &more);
		json_out_close(&call->out, ']');
	}
	json_out_u64(&call->out, "mark", next_seq > since ? next_seq : since);
	json_out_bool(&call->out, "lost", lost);
	json_out_bool(&call->out, "more", more);
	pthread_mutex_unlock(&lock);
	return err ? command_fail(call, err, "read /dev/kmsg") : 0;
}

const struct command command_kernel_table[] = {
	{"insmod",
	 run_insmod,
	 0,
	 {{"path", ARGUMENT_PATH, REQUIRED, 0}, {"params", ARGUMENT_TEXT, OPTIONAL, 0}}},
	{"rmmod", run_rmmod, 0, {{"name", ARGUMENT_TEXT, REQUIRED, 0}}},
	{"kmsg", run_kmsg, 0, {{"text", ARGUMENT_TEXT, REQUIRED, 0}}},
	{"dmesg", run_dmesg, 0, {{"since", ARGUMENT_U64, OPTIONAL, 0}}},
	{0},
};
