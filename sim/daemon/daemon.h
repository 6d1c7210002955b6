/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running program: event loop, signals, instances, control socket; from options to a
 * clean end.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "daemon/options.h"

/**
 * daemon_run() - serve until told to stop
 * @options: options of the action OPTIONS_SERVE
 *
 * Ends at SIGTERM, SIGINT and SIGHUP, or when no front-end can come any more (--once, connected
 * --fd). Socket files are removed in every case. What goes wrong is logged.
 *
 * Return: exit status: 0; 1 when it could not start or go on, or when something that it was to
 * judge did not hold; 2 for a scenario file that is wrong.
 */
int daemon_run(const struct options *options);

#endif /* DAEMON_DAEMON_H */
