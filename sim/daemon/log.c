/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* A pipe that polls writable takes this much at once (POSIX PIPE_BUF is at least 512). */
#define LOG_LINE_MAX 2048

enum log_level log_threshold = LOG_LEVEL_INFO;

static const char *const level_names[LOG_LEVEL_COUNT] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn",	  [LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug", [LOG_LEVEL_TRACE] = "trace",
};

const char *log_level_name(enum log_level level)
{
	return level < LOG_LEVEL_COUNT ? level_names[level] : NULL;
}

/* Whoever reads our standard error may have stopped: never wait for that. */
static bool write_line(const char *line, size_t size)
{
	struct pollfd stderr_poll = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&stderr_poll, 1, 0) != 1 || !(stderr_poll.revents & POLLOUT))
		return false;
	return write(STDERR_FILENO, line, size) == (ssize_t)size;
}

void log_write(enum log_level level, const char *format, ...)
{
	static uint64_t lost;
	char line[LOG_LINE_MAX];
	struct timespec now;
	va_list args;
	int at, text;

	clock_gettime(CLOCK_MONOTONIC, &now);
	at = snprintf(line, sizeof(line), "[%lld.%06ld] rpmsg-sim %s: ", (long long)now.tv_sec,
		      now.tv_nsec / 1000, level_names[level]);
	if (lost)
		at += snprintf(line + at, sizeof(line) - (size_t)at,
			       "(%llu lines lost: standard error was full) ",
			       (unsigned long long)lost);

	va_start(args, format);
	text = vsnprintf(line + at, sizeof(line) - (size_t)at, format, args);
	va_end(args);
	if (text < 0)
		return;
	at += text;
	if (at > (int)sizeof(line) - 1)
		at = (int)sizeof(line) - 1;
	line[at++] = '\n';

	if (write_line(line, (size_t)at))
		lost = 0;
	else
		lost++;
}

bool log_limit_pass(struct log_limit *limit, uint64_t now, uint64_t *suppressed)
{
	if (!limit->window || now - limit->window >= LOG_LIMIT_WINDOW_NS) {
		limit->window = now;
		limit->lines = 0;
	}
	if (limit->lines >= LOG_LIMIT_LINES) {
		limit->suppressed++;
		return false;
	}
	limit->lines++;
	*suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}
