/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/registry.h"

#include <string.h>

#include "daemon/instance.h"

void registry_add(struct registry *registry, struct instance *instance)
{
	struct instance **link = &registry->first;

	while (*link)
		link = &(*link)->next;
	*link = instance;
	registry->count++;
}

struct instance *registry_find(const struct registry *registry, const char *name)
{
	struct instance *instance = registry->first;

	while (instance && strcmp(instance->name, name) != 0)
		instance = instance->next;
	return instance;
}
