/* SPDX-License-Identifier: BSD-2-Clause */
/* What --help prints. */
#include <string.h>

#include "daemon/options_internal.h"
#include "remote/profile.h"

const char *options_feature(unsigned int index)
{
	for (size_t i = 0; i < options_table_size; i++) {
		if (options_table[i].groups & OPTION_FEATURE && index-- == 0)
			return options_table[i].name;
	}
	return NULL;
}

/* --remote stands at the head of what belongs to a remote. */
static bool is_about_a_remote(const struct cli_option *entry)
{
	return entry->groups & OPTION_OF_REMOTE || entry->set == options_set_remote;
}

static void print_options(FILE *out, bool about_a_remote)
{
	for (size_t i = 0; i < options_table_size; i++) {
		if (is_about_a_remote(&options_table[i]) == about_a_remote)
			cli_print_option(out, &options_table[i]);
	}
}

void options_print_help(FILE *out)
{
	const struct config_layout *layout;
	const struct service_kind *kind;
	const char *feature;
	unsigned int bit;

	fprintf(out, "usage: rpmsg-sim --socket-path PATH | --fd N [OPTION]...\n"
		     "       rpmsg-sim --remote NAME --socket-path PATH [OPTION]...\n"
		     "                 --remote NAME --socket-path PATH [OPTION]... ...\n"
		     "\n"
		     "A simulated remote processor: a vhost-user back-end for virtio device 7\n"
		     "(rpmsg).\n"
		     "\n"
		     "options of a remote:\n");
	print_options(out, true);
	fprintf(out, "\noptions of the program:\n");
	print_options(out, false);
	fprintf(out, "\nkinds of service:\n");
	for (unsigned int i = 0; (kind = service_kind_at(i)); i++) {
		fprintf(out, "  %-*s", CLI_COLUMN - 2, kind->name);
		cli_print_text(out, kind->summary, CLI_COLUMN);
	}
	fprintf(out, "\nlayouts of the configuration space:\n");
	for (unsigned int i = 0; (layout = config_layout_at(i)); i++) {
		fprintf(out, "  %-*s", CLI_COLUMN - 2, layout->name);
		cli_print_text(out, layout->summary, CLI_COLUMN);
	}
	fprintf(out, "\nfeatures:\n");
	for (unsigned int i = 0; (feature = feature_at(i, &bit)); i++)
		fprintf(out, "  %-*sbit %u\n", CLI_COLUMN - 2, feature, bit);
	fprintf(out,
		"\n"
		"Numbers are decimal, or hexadecimal with 0x. A listening socket passed by a\n"
		"service manager (LISTEN_FDS=1) is used when neither --socket-path nor --fd is\n"
		"given. Exit status: 0 done, 1 could not start or go on, or what was checked\n"
		"(--check=strict) did not hold, 2 wrong usage.\n");
}
