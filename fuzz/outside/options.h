/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of rpmsg-fuzz remote. */
#ifndef FUZZ_OUTSIDE_OPTIONS_H
#define FUZZ_OUTSIDE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_REPLAY 64 /* files */

struct options {
	const char *socket, *launch;
	const char *corpus;   /* NULL: none */
	const char *findings; /* folder */
	double seconds;	      /* 0: no limit */
	uint64_t runs;	      /* 0: no limit */
	uint64_t seed;
	bool seed_set;
	uint32_t jobs;
	uint32_t stop_after; /* findings; 0: no limit */
	uint32_t limit_ms;
	double shrink_seconds; /* for one finding */
	bool may_exit, no_rules, no_seeds, help;
	const char *replay[OPTIONS_REPLAY];
	unsigned int replay_count;
};

/**
 * options_parse() - read the command line
 * @options: set
 * @argc: as of main()
 * @argv: as of main()
 * @error: receives one line on failure
 * @size: bytes at @error
 *
 * Return: 0, or -EINVAL.
 */
int options_parse(struct options *options, int argc, char **argv, char *error, size_t size);

/**
 * options_print_help() - what --help prints
 */
void options_print_help(void);

#endif /* FUZZ_OUTSIDE_OPTIONS_H */
