/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log lines on standard error, with monotonic times that compare with those of events.
 *
 * A level that is off costs one comparison: arguments are not evaluated. A line is written
 * only when standard error takes it at once; what a stuck reader makes us lose is counted.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_TRACE,
	LOG_LEVEL_COUNT
};

/* Lines above this level are not written. */
extern enum log_level log_threshold;

#define LOG_AT(level, ...)                                                                         \
	do {                                                                                       \
		if ((level) <= log_threshold)                                                      \
			log_write(level, __VA_ARGS__);                                             \
	} while (0)
#define log_error(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_trace(...) LOG_AT(LOG_LEVEL_TRACE, __VA_ARGS__)

/* At most LOG_LIMIT_LINES a second of one thing; see log_limit_pass(). */
#define LOG_LIMIT_LINES 10
#define LOG_LIMIT_WINDOW_NS UINT64_C(1000000000)

struct log_limit {
	uint64_t window; /* start of the running second; 0: none yet */
	uint64_t suppressed;
	uint32_t lines; /* let through in this second */
};

/**
 * log_write() - write one line, whatever the threshold; use the macros
 * @level: names the line
 * @format: printf format, without a newline
 */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * log_level_name() - name of a level, as --log-level takes it
 * @level: level
 *
 * Return: name, or NULL past the last.
 */
const char *log_level_name(enum log_level level);

/**
 * log_limit_pass() - may one more line of this thing be written?
 * @limit: state, zeroed at first
 * @now: monotonic time in nanoseconds
 * @suppressed: set to the lines left out since the last one that was let through
 *
 * Return: true when the line may be written; false when it was counted as suppressed.
 */
bool log_limit_pass(struct log_limit *limit, uint64_t now, uint64_t *suppressed);

#endif /* DAEMON_LOG_H */
