/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the host share: host.c (a session), host_data.c (messages). */
#ifndef HOST_HOST_INTERNAL_H
#define HOST_HOST_INTERNAL_H

#include "host/host.h"

/**
 * host_fail() - leave a text for host_error()
 * @host: host
 * @error: negative errno
 * @format: as for printf, one line without a full stop
 *
 * Return: @error, so that a caller can return it.
 */
__attribute__((format(printf, 3, 4))) int host_fail(struct host *host, int error,
						    const char *format, ...);

/**
 * host_fail_frontend() - the same with the text of the front-end
 * @host: host
 * @error: negative errno that a call of the front-end returned
 *
 * Return: @error. The session is over but for -EINTR.
 */
int host_fail_frontend(struct host *host, int error);

/**
 * host_post_all() - make every receive buffer available
 * @host: host with queues and buffers
 *
 * Return: 0, or as drvq_add().
 */
int host_post_all(struct host *host);

/**
 * host_nameservice() - handle a message to the name service
 * @host: host
 * @message: judged message to address 53
 */
void host_nameservice(struct host *host, const struct host_message *message);

#endif /* HOST_HOST_INTERNAL_H */
