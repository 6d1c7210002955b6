/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "rpmsg-ctl watch": statistics again and again, on one screen, or block after block when
 * standard output is no terminal.
 */
#ifndef CTL_WATCH_H
#define CTL_WATCH_H

#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/options.h"

/**
 * watch_run() - show frames until q, SIGINT, SIGTERM or SIGHUP
 * @options: command line
 * @client: connection
 * @help: result of the method "help"
 *
 * Return: CTL_DONE; CTL_REFUSED; CTL_UNREACHABLE when the daemon has gone.
 */
enum ctl_exit watch_run(const struct options *options, struct client *client, json_t *help);

#endif /* CTL_WATCH_H */
