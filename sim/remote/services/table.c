/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "remote/services/kinds.h"

static const struct service_kind *const kinds[] = {
	&service_echo,	       &service_sink,	    &service_source,	   &service_client_sample,
	&service_tty,	       &service_tty_zephyr, &service_raw,	   &service_chrdev,
	&service_openamp_demo, &service_matrix,	    &service_nxp_pingpong, &service_nxp_str_echo,
	&service_ti_pingpong,  &service_st_sdb,	    &service_nuttx_ping,   &service_script,
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

int services_answer(struct service *service, uint32_t dst, const void *payload, uint32_t size)
{
	int ret = service_send(service, dst, payload, size);

	return ret == -EDESTADDRREQ ? ret : 0;
}
