/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "rpmsg-ctl events": what happens in the daemon, one line each.
 */
#ifndef CTL_STREAM_H
#define CTL_STREAM_H

#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/options.h"

/**
 * stream_run() - subscribe, and print events until SIGINT or SIGTERM
 * @options: command line; its words are types of event, none: all
 * @client: connection
 *
 * Return: CTL_DONE after a signal; CTL_REFUSED; CTL_UNREACHABLE when the daemon has gone.
 */
enum ctl_exit stream_run(const struct options *options, struct client *client);

#endif /* CTL_STREAM_H */
