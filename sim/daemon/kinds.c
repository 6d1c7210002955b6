/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/kinds.h"

#include <stdio.h>
#include <string.h>

#include "remote/service.h"

const char *kinds_list(char *text, size_t size)
{
	const struct service_kind *kind;

	text[0] = '\0';
	for (unsigned int i = 0; (kind = service_kind_at(i)); i++) {
		size_t at = strlen(text);

		snprintf(text + at, size - at, "%s%s", i ? ", " : "", kind->name);
	}
	return text;
}
