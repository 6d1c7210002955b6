/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the command line share. Nothing else includes it. */
#ifndef DAEMON_OPTIONS_INTERNAL_H
#define DAEMON_OPTIONS_INTERNAL_H

#include "cli/cli.h"
#include "daemon/options.h"

struct parser {
	struct cli cli;
	struct options *options;
	struct options_remote *remote; /* that options belong to now */
};

/* Groups of options. */
#define OPTION_OF_REMOTE 1U /* belongs to the --remote before it, else to the process */
#define OPTION_FEATURE 2U   /* listed by --print-capabilities */

extern const struct cli_option options_table[];
extern const size_t options_table_size;

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
int options_set_remote(struct parser *parser, const struct cli_option *entry, const char *value);
int options_set_service(struct parser *parser, const struct cli_option *entry, const char *value);
int options_set_fault(struct parser *parser, const struct cli_option *entry, const char *value);
int options_set_profile(struct parser *parser, const struct cli_option *entry, const char *value);
int options_set_layout(struct parser *parser, const struct cli_option *entry, const char *value);
int options_set_feature(struct parser *parser, const struct cli_option *entry, const char *value);
int options_set_buffer_size(struct parser *parser, const struct cli_option *entry,
			    const char *value);
int options_set_pace(struct parser *parser, const struct cli_option *entry, const char *value);

#endif /* DAEMON_OPTIONS_INTERNAL_H */
