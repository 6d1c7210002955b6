/* SPDX-License-Identifier: BSD-2-Clause */
#include "log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "sys.h"

static int log_fd = STDERR_FILENO;
static bool to_kernel;

void log_open_kernel(void)
{
	int fd = sys_keep_fd(open("/dev/kmsg", O_WRONLY | O_CLOEXEC));

	if (fd < 0)
		return;
	log_fd = fd;
	to_kernel = true;
}

void log_open_stderr(void)
{
	int fd = sys_keep_fd(dup(STDERR_FILENO));

	if (fd >= 0)
		log_fd = fd;
}

void log_line(enum log_level level, const char *format, ...)
{
	char text[512];
	size_t length;
	va_list args;

	if (!to_kernel && level > LOG_LEVEL_ERROR)
		return;
	length = (size_t)snprintf(text, sizeof(text),
				  to_kernel ? "<%d>rpmsg-agent: " : "rpmsg-agent: ", (int)level);
	va_start(args, format);
	vsnprintf(text + length, sizeof(text) - 1 - length, format, args);
	va_end(args);
	while (text[length])
		length++;
	text[length++] = '\n';
	/* One write a line: the kernel log makes a record of each write. */
	if (write(log_fd, text, length) < 0)
		return;
}
