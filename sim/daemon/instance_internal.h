/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of an instance share. Nothing else includes it. */
#ifndef DAEMON_INSTANCE_INTERNAL_H
#define DAEMON_INSTANCE_INTERNAL_H

#include "daemon/instance.h"

/* ---- instance_remote.c -------------------------------------------------------------------- */

extern const struct remote_ops instance_remote_ops;

/* Sink of the remote and of the back-end; ctx is the instance. */
void instance_on_violation(void *ctx, const struct violation_record *record);

/**
 * instance_log_suppressed() - tell what rate limits held back; they start anew
 * @instance: instance
 */
void instance_log_suppressed(struct instance *instance);

/**
 * instance_clock_start() - be ready to wake up at a time
 * @instance: instance with a loop
 *
 * Return: 0 or negative errno.
 */
int instance_clock_start(struct instance *instance);

/**
 * instance_clock_stop() - the opposite
 * @instance: instance, started or not
 */
void instance_clock_stop(struct instance *instance);

/* ---- instance_poll.c ---------------------------------------------------------------------- */

/**
 * instance_poll_turn() - a turn of the remote's that looks at its queues for a while
 * @instance: instance with a poll.longest
 *
 * Return: as remote_run().
 */
bool instance_poll_turn(struct instance *instance);

/* ---- instance_device.c -------------------------------------------------------------------- */

extern const struct backend_ops instance_backend_ops;

/**
 * instance_forget_kicks() - poll no kick descriptor any more
 * @instance: instance
 */
void instance_forget_kicks(struct instance *instance);

/* ---- instance.c --------------------------------------------------------------------------- */

/**
 * instance_disconnect() - end the session, and serve the next front-end if there may be one
 * @instance: instance
 * @reason: for the log and the event
 */
void instance_disconnect(struct instance *instance, const char *reason);

/**
 * instance_make_remote() - a remote that tells this instance
 * @instance: instance
 * @config: configuration
 * @remote: set on success
 *
 * Return: as remote_new().
 */
int instance_make_remote(struct instance *instance, const struct remote_config *config,
			 struct remote **remote);

/**
 * instance_renew_session() - offer what the remote offers now
 * @instance: instance without a front-end
 *
 * Return: 0, or -EINVAL for what cannot be served; then all is as before.
 */
int instance_renew_session(struct instance *instance);

#endif /* DAEMON_INSTANCE_INTERNAL_H */
