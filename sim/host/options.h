/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of rpmsg-host: one table is parser and --help at once.
 */
#ifndef HOST_OPTIONS_H
#define HOST_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum command {
	COMMAND_SERVICES,
	COMMAND_PING,
	COMMAND_SEND,
	COMMAND_LISTEN,
	COMMAND_BENCH,
	COMMAND_SOAK,
	COMMAND_COUNT,
	COMMAND_HELP,
	COMMAND_VERSION,
};

enum bench_mode {
	BENCH_ECHO,
	BENCH_SINK,
	BENCH_SOURCE,
};

/* Times are nanoseconds. Members that only some commands use have their command's default. */
struct options {
	enum command command;
	const char *target; /* name or address; or NULL */
	const char *socket_path, *launch;
	bool json, poll, sleep;
	bool no_event_idx, no_indirect, no_bufsz;
	uint64_t timeout;
	uint32_t queue_size, buffers, buffer_size; /* 0: default */
	uint64_t quiet;
	uint64_t count; /* 0: no end */
	uint64_t interval, wait;
	uint32_t size;
	const char *text, *hex, *file;
	uint32_t src; /* RPMSG_ADDR_ANY: a dynamic one */
	const char *announce;
	enum bench_mode mode;
	uint32_t batch, window; /* 0: default */
	uint64_t duration;
	const char *source; /* channel of a source; or NULL */
	uint64_t seed, late;
	uint64_t given; /* one bit a table entry */
};

/**
 * options_parse() - read the command line
 * @options: result
 * @argc: as main() got it
 * @argv: as main() got it; strings are used in place and have to stay
 * @error: receives one line that says what is wrong and what would be right
 * @size: bytes at @error
 *
 * Return: 0; -EINVAL with @error set.
 */
int options_parse(struct options *options, int argc, char **argv, char *error, size_t size);

/**
 * options_print_help() - usage, every command, every option with its text
 * @out: stream
 */
void options_print_help(FILE *out);

#endif /* HOST_OPTIONS_H */
