/* SPDX-License-Identifier: BSD-2-Clause */
/* The kinds of services, each defined in the file of its name; table.c lists them. */
#ifndef REMOTE_SERVICES_KINDS_H
#define REMOTE_SERVICES_KINDS_H

#include "remote/service.h"

extern const struct service_kind service_echo;
extern const struct service_kind service_sink;
extern const struct service_kind service_source;
extern const struct service_kind service_client_sample;

#endif /* REMOTE_SERVICES_KINDS_H */
