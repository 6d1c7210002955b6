/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the agent has to say to a person: in a guest through the kernel log, so that it stands among
 * the kernel's own lines on the console; on a board on standard error.
 */
#ifndef AGENT_LOG_H
#define AGENT_LOG_H

/* Levels of the kernel log: `quiet` on its command line shows errors only. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_INFO = 6 };

/**
 * log_open_kernel() - log to /dev/kmsg from now on, when it can be opened
 */
void log_open_kernel(void);

/**
 * log_open_stderr() - log to a private copy of standard error from now on
 */
void log_open_stderr(void);

/**
 * log_line() - say one line; never fails
 * @level: how much it matters; on standard error only errors are shown
 * @format: as for printf, without newline
 */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
