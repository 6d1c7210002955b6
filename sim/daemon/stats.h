/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer of the method "stats". */
#ifndef DAEMON_STATS_H
#define DAEMON_STATS_H

#include <jansson.h>

#include "daemon/instance.h"

/**
 * stats_json() - state and counters of an instance
 * @instance: instance
 *
 * Return: new object, or NULL without memory.
 */
json_t *stats_json(struct instance *instance);

#endif /* DAEMON_STATS_H */
