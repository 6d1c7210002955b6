/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer of the method "stats". */
#ifndef DAEMON_STATS_H
#define DAEMON_STATS_H

#include <jansson.h>

#include "daemon/instance.h"

/* Endpoints in one answer, so that it takes milliseconds: there may be 65536 of them. */
#define STATS_MAX_ENDPOINTS 4096

/**
 * stats_json() - state and counters of an instance
 * @instance: instance
 * @endpoints_from: the lowest address of which endpoints are listed
 *
 * Return: new object, or NULL without memory.
 */
json_t *stats_json(struct instance *instance, uint32_t endpoints_from);

#endif /* DAEMON_STATS_H */
