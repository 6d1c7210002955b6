/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command line of rpmsg-sim: one table says what each option is called, what it takes and
 * what it is for; the parser and --help both read that table.
 *
 * Options that belong to a remote go to the one whose --remote stands before them. Those
 * before the first --remote make a remote of their own, called "remote".
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/log.h"
#include "daemon/sandbox.h"
#include "daemon/words.h"
#include "remote/pacing.h"
#include "remote/remote.h"
#include "remote/service.h"

#define OPTIONS_SERVICE_COUNT_MAX 65536U /* instances of one --service */
#define OPTIONS_REMOTES_MAX 256		 /* --remote */
#define OPTIONS_REMOTE_NAME_MAX 31	 /* bytes of a remote's name */
#define OPTIONS_REMOTE_DEFAULT "remote"	 /* name of the one that needs no --remote */

enum options_action {
	OPTIONS_SERVE,
	OPTIONS_PRINT_CAPABILITIES,
	OPTIONS_PRINT_QEMU_ARGS,
	OPTIONS_PRINT_HELP,
	OPTIONS_PRINT_VERSION,
	OPTIONS_LIST_FAULTS,
	OPTIONS_LIST_PROFILES,
	OPTIONS_LIST_SCENARIO_KEYS,
};

/* One --service. */
struct options_service {
	char *text; /* as given, for messages */
	char name[RPMSG_NAME_SIZE];
	const struct service_kind *kind;
	bool kind_given; /* else it is the default */
	struct service_params params;
	uint32_t addr; /* RPMSG_ADDR_ANY: dynamic */
	uint32_t count;
};

/* One --fault. */
struct options_fault {
	enum fault fault;
	struct fault_setting setting;
};

/* What belongs to one remote: the options after its --remote. */
struct options_remote {
	const char *name;
	const char *socket_path; /* or NULL */
	int fd;			 /* or -1 */
	struct options_service *services;
	size_t service_count;
	struct options_fault *faults;
	size_t fault_count;
	struct remote_config config; /* complete once all options are read */
	struct words_features features;
	struct pace paces[RPMSG_NUM_QUEUES];
	const char *scenario; /* path, or NULL */
	bool named;	      /* by --remote */
	uint64_t given;	      /* one bit a table entry */
};

struct options {
	enum options_action action;
	const char *control_path; /* or NULL */
	const char *capture;	  /* or NULL */
	int ready_fd;		  /* or -1 */
	enum log_level log_level;
	enum sandbox_mode sandbox;
	enum remote_check check;
	uint64_t seed;
	bool seed_given, check_given; /* then they win over what scenarios say */
	uint64_t poll; /* nanoseconds that queues are looked at before sleeping; 0: at once */
	bool poll_given;
	bool once;
	bool json;			/* what is listed */
	struct options_remote *remotes; /* at least one, in the order given */
	size_t remote_count;
	uint64_t given; /* one bit a table entry */
};

/**
 * options_parse() - read the command line
 * @options: result, to be given to options_free() in every case
 * @argc: as main() got it
 * @argv: as main() got it; strings are used in place and have to stay
 * @error: receives one line that says what is wrong and what would be right
 * @size: bytes at @error
 *
 * --print-capabilities wins over everything else, also over mistakes: QEMU's conventions for
 * back-end programs (docs/interop/vhost-user.rst) ask for that.
 *
 * Return: 0; -EINVAL with @error set; -ENOMEM with @error set.
 */
int options_parse(struct options *options, int argc, char **argv, char *error, size_t size);

/**
 * options_free() - release what options_parse() allocated
 * @options: options
 */
void options_free(struct options *options);

/**
 * options_print_help() - usage, every option with its text, every kind of service
 * @out: stream
 */
void options_print_help(FILE *out);

/**
 * options_feature() - names of options that --print-capabilities lists as features
 * @index: from 0
 *
 * Return: name without dashes, or NULL past the last.
 */
const char *options_feature(unsigned int index);

#endif /* DAEMON_OPTIONS_H */
