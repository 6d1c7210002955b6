/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the command lines of the programs have in common. A program's table of options is its
 * parser and its --help at once; what an option does is the program's own.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CLI_WIDTH 80  /* of --help */
#define CLI_COLUMN 24 /* where its texts begin */

/* Where a complaint goes: one line that says what is wrong and what would be right. */
struct cli_error {
	char *text;
	size_t size;
};

/* What a program knows while it reads its command line: it defines it, with a struct cli in it. */
struct parser;

struct cli_option {
	const char *name;
	const char *value; /* what it takes, for --help; NULL: nothing */
	const char *help;
	int (*set)(struct parser *parser, const struct cli_option *option, const char *value);
	size_t offset;	     /* for set: of the member that it sets */
	uint64_t min, max;   /* for set: of its number */
	unsigned int groups; /* bits, whose meaning is the program's */
	char letter;	     /* short form, or 0 */
	bool optional;	     /* the value is, and then stands behind '=' */
	bool repeatable;     /* may be given again */
};

/* A command line and how far it is read. */
struct cli {
	const struct cli_option *options;
	size_t option_count; /* at most 64 where cli_once() is used */
	char **argv;
	int argc;
	int at; /* the next argument */
	struct cli_error error;
};

/**
 * cli_refuse() - say what is wrong
 * @error: receives it
 * @format: printf format of one line
 *
 * Return: -EINVAL.
 */
int cli_refuse(const struct cli_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * cli_find() - an option by its name
 * @cli: command line
 * @name: without dashes; need not be terminated
 * @length: bytes of it
 *
 * Return: option, or NULL.
 */
const struct cli_option *cli_find(const struct cli *cli, const char *name, size_t length);

/**
 * cli_next_option() - take an option, and its value, off the command line
 * @cli: command line; what it is at begins with '-', and is not that alone
 * @option: set to the option
 * @value: set to its value, or NULL
 *
 * "--name", "--name=value", "--name value", and for an option with a letter also "-l",
 * "-lvalue" and "-l value".
 *
 * Return: 0; -EINVAL with the error set: no such option, a value missing or in excess.
 */
int cli_next_option(struct cli *cli, const struct cli_option **option, const char **value);

/**
 * cli_once() - refuse an option that was given before, unless it is repeatable
 * @cli: command line
 * @option: of its table
 * @given: one bit for each option of the table; changed
 *
 * Return: 0; -EINVAL with the error set.
 */
int cli_once(struct cli *cli, const struct cli_option *option, uint64_t *given);

/**
 * cli_given() - was an option given?
 * @cli: command line
 * @name: of an option of its table
 * @given: as cli_once() keeps it
 *
 * Return: true when it was.
 */
bool cli_given(const struct cli *cli, const char *name, uint64_t given);

/**
 * cli_number() - read a whole number, decimal or 0x hexadecimal
 * @text: nothing may stand before or after it; a leading zero means nothing
 * @max: largest that is allowed
 * @number: set on success
 *
 * Return: true when it is one.
 */
bool cli_number(const char *text, uint64_t max, uint64_t *number);

/**
 * cli_seconds() - read a number of seconds
 * @text: nothing may stand before or after it, no sign either
 * @seconds: set on success
 *
 * Return: true when it is one, and finite.
 */
bool cli_seconds(const char *text, double *seconds);

/**
 * cli_socket_path() - refuse what cannot be the path of a unix socket (unix(7))
 * @cli: command line
 * @option: that it was given to
 * @value: path
 *
 * Return: 0; -EINVAL with the error set: empty, or too long.
 */
int cli_socket_path(struct cli *cli, const struct cli_option *option, const char *value);

/**
 * cli_print_text() - words of a text in a column on the right, which ends at CLI_WIDTH
 * @out: stream
 * @text: words with single spaces between them
 * @column: where the column begins, and the cursor stands
 */
void cli_print_text(FILE *out, const char *text, size_t column);

/**
 * cli_print_row() - a name and, from CLI_COLUMN on, what it is
 * @out: stream
 * @name: with the blanks that are to stand before it
 * @text: as for cli_print_text()
 */
void cli_print_row(FILE *out, const char *name, const char *text);

/**
 * cli_print_option() - an option as --help shows it
 * @out: stream
 * @option: option
 */
void cli_print_option(FILE *out, const struct cli_option *option);

#endif /* CLI_CLI_H */
