/* SPDX-License-Identifier: BSD-2-Clause */
/* The remotes of this process, and what they share: who is told what happens to them. */
#ifndef DAEMON_REGISTRY_H
#define DAEMON_REGISTRY_H

#include "daemon/events.h"
#include "daemon/recorder.h"

struct instance;

struct registry {
	struct instance *first; /* in the order of the command line, by instance->next */
	unsigned int count;
	unsigned int connected; /* of them: have a front-end */
	struct events events;
	struct recorder recorder;
};

/**
 * registry_add() - put an instance at the end
 * @registry: registry
 * @instance: instance; not freed by the registry
 */
void registry_add(struct registry *registry, struct instance *instance);

/**
 * registry_find() - look an instance up
 * @registry: registry
 * @name: its name
 *
 * Return: instance, or NULL.
 */
struct instance *registry_find(const struct registry *registry, const char *name);

#endif /* DAEMON_REGISTRY_H */
