/* SPDX-License-Identifier: BSD-2-Clause */
/* What rpmsg-sim tells about itself to programs: capabilities and QEMU's options. */
#ifndef DAEMON_PRINT_H
#define DAEMON_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "daemon/options.h"

/**
 * print_capabilities() - JSON by QEMU's conventions for back-end programs
 * @out: stream
 *
 * Source: QEMU docs/interop/vhost-user.json, VHostUserBackendCapabilities: type "rpmsg" is
 * one of its types; a feature is, as for the types that have some, the name of an option.
 *
 * Return: 0, or -ENOMEM or -EIO.
 */
int print_capabilities(FILE *out);

/**
 * print_qemu_args() - options of QEMU that attach a guest to the remotes, on one line
 * @out: stream for the options
 * @notes: stream for remarks, each line starting with #
 * @options: whose remotes have a socket path each
 *
 * Return: 0, or -EINVAL for a path that cannot stand in an option of QEMU.
 */
int print_qemu_args(FILE *out, FILE *notes, const struct options *options);

/**
 * print_faults() - every fault: name, requirement, what it breaks, argument
 * @out: stream
 * @json: as a JSON array
 *
 * Return: 0, or -ENOMEM or -EIO.
 */
int print_faults(FILE *out, bool json);

/**
 * print_profiles() - every profile: name, what it is
 * @out: stream
 * @json: as a JSON array
 *
 * Return: 0, or -ENOMEM or -EIO.
 */
int print_profiles(FILE *out, bool json);

/**
 * print_scenario_keys() - every key of a scenario file
 * @out: stream
 * @json: as a JSON array
 *
 * Return: 0, or -ENOMEM or -EIO.
 */
int print_scenario_keys(FILE *out, bool json);

#endif /* DAEMON_PRINT_H */
