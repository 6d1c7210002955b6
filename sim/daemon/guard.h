/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory that goes away: whoever gave us a file to map may make it shorter afterwards,
 * and the next access to what is gone raises SIGBUS. The signal is survived: zeroes take the
 * place of the mapping, and the connection that it came over is closed.
 */
#ifndef DAEMON_GUARD_H
#define DAEMON_GUARD_H

#include <uv.h>

#include "daemon/registry.h"

/**
 * guard_install() - watch over the memory of all instances from now on; once a process
 * @registry: the instances
 * @loop: event loop
 * @wakeup: handle for the guard's use, to be closed like any other at the end
 *
 * What is wrong is logged. SIGBUS for memory that no front-end gave us ends the program as it
 * always did.
 *
 * Return: 0 or negative errno.
 */
int guard_install(struct registry *registry, uv_loop_t *loop, uv_async_t *wakeup);

#endif /* DAEMON_GUARD_H */
