/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command line of rpmsg-ctl: one table says what each option is called, what it takes and
 * what it is for; the parser and --help both read that table.
 */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct options {
	const char *control_path; /* --control-path, else $RPMSG_CONTROL, else NULL */
	const char *remote;	  /* or NULL */
	bool json;
	bool names;
	int timeout_ms;
	int interval_ms;
	bool help;
	bool version;
	const char *command; /* or NULL */
	char **args;	     /* what follows it; strings of argv, in an array of ours */
	int arg_count;
};

/**
 * options_parse() - read the command line
 * @options: result, to be given to options_free() in every case
 * @argc: as main() got it
 * @argv: as main() got it; strings are used in place and have to stay
 * @error: receives one line that says what is wrong and what would be right
 * @size: bytes at @error
 *
 * Options may stand before and after the command; "--" ends them.
 *
 * Return: 0; -EINVAL or -ENOMEM with @error set.
 */
int options_parse(struct options *options, int argc, char **argv, char *error, size_t size);

/**
 * options_free() - release what options_parse() allocated
 * @options: options
 */
void options_free(struct options *options);

/**
 * options_print_help() - usage and every option with its text
 * @out: stream
 */
void options_print_help(FILE *out);

#endif /* CTL_OPTIONS_H */
