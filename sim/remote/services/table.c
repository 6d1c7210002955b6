/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "remote/services/kinds.h"

static const struct service_kind *const kinds[] = {
	&service_echo,
	&service_sink,
	&service_source,
	&service_client_sample,
};

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

const struct service_kind *service_kind_at(unsigned int index)
{
	return index < KIND_COUNT ? kinds[index] : NULL;
}

const struct service_kind *service_kind_find(const char *name)
{
	for (unsigned int i = 0; i < KIND_COUNT; i++) {
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	}
	return NULL;
}
