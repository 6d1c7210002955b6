/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the command line share. Nothing else includes it. */
#ifndef DAEMON_OPTIONS_INTERNAL_H
#define DAEMON_OPTIONS_INTERNAL_H

#include "daemon/options.h"

struct parser {
	struct options *options;
	struct options_remote *remote; /* that options belong to now */
	char *error;
	size_t size;
};

struct option_entry {
	const char *name;
	const char *value; /* what it takes, for --help; NULL: nothing */
	const char *help;
	int (*set)(struct parser *parser, const struct option_entry *entry, const char *value);
	bool optional;	/* the value is, and then stands behind '=' */
	bool of_remote; /* belongs to the --remote before it, else to the process */
	bool repeatable;
	bool feature; /* listed by --print-capabilities */
};

extern const struct option_entry options_table[];
extern const size_t options_table_size;

/**
 * options_refuse() - say what is wrong
 * @parser: parser
 * @format: printf format of one line
 *
 * Return: -EINVAL.
 */
int options_refuse(struct parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * options_number() - read a whole number, decimal or 0x hexadecimal
 * @text: nothing may stand before or after it
 * @max: largest that is allowed
 * @number: set on success
 *
 * Return: true when it is one.
 */
bool options_number(const char *text, uint64_t max, uint64_t *number);

/* What stands after a comma of an option's value: KEY or KEY=VALUE. */
struct option_setting {
	char *key;
	char *value; /* NULL: none */
};

/**
 * options_next_setting() - cut the next setting off
 * @rest: what is left of the value; changed
 * @setting: set
 *
 * Return: true when there was one.
 */
bool options_next_setting(char **rest, struct option_setting *setting);

/* Setters that have a file of their own. */
int options_set_remote(struct parser *parser, const struct option_entry *entry, const char *value);
int options_set_service(struct parser *parser, const struct option_entry *entry, const char *value);
int options_set_fault(struct parser *parser, const struct option_entry *entry, const char *value);
int options_set_profile(struct parser *parser, const struct option_entry *entry, const char *value);
int options_set_layout(struct parser *parser, const struct option_entry *entry, const char *value);
int options_set_feature(struct parser *parser, const struct option_entry *entry, const char *value);
int options_set_buffer_size(struct parser *parser, const struct option_entry *entry,
			    const char *value);
int options_set_pace(struct parser *parser, const struct option_entry *entry, const char *value);

#endif /* DAEMON_OPTIONS_INTERNAL_H */
