/* SPDX-License-Identifier: BSD-2-Clause */
/* The option --service. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/kinds.h"
#include "daemon/options_internal.h"
#include "wire/checked.h"
#include "wire/rpmsg.h"

/* One KEY=N after the name; text is the whole service, for messages. */
static int set_service_key(struct parser *parser, struct options_service *service, char *setting)
{
	char *value = strchr(setting, '=');
	uint64_t number;

	if (!value)
		return options_refuse(parser, "--service %s: \"%s\" is not addr=N or count=N",
				      service->text, setting);
	*value++ = '\0';
	if (strcmp(setting, "addr") == 0) {
		if (!options_number(value, RPMSG_ADDR_ANY - 1, &number))
			return options_refuse(parser,
					      "--service %s: addr \"%s\" is not a number from 0 to "
					      "0xfffffffe",
					      service->text, value);
		service->addr = (uint32_t)number;
		return 0;
	}
	if (strcmp(setting, "count") == 0) {
		if (!options_number(value, OPTIONS_SERVICE_COUNT_MAX, &number) || number == 0)
			return options_refuse(
				parser, "--service %s: count \"%s\" is not a number from 1 to %u",
				service->text, value, OPTIONS_SERVICE_COUNT_MAX);
		service->count = (uint32_t)number;
		return 0;
	}
	return options_refuse(parser, "--service %s: \"%s\" is not known here: addr and count are",
			      service->text, setting);
}

/* Static addresses of two services may not meet; dynamic ones make room for them. */
static int check_service_addresses(struct parser *parser, const struct options_service *service)
{
	const struct options_remote *remote = parser->remote;
	uint32_t last;

	if (service->addr == RPMSG_ADDR_ANY)
		return 0;
	if (!checked_add32(service->addr, service->count - 1, &last) || last == RPMSG_ADDR_ANY)
		return options_refuse(parser,
				      "--service %s: %" PRIu32 " instances from address %" PRIu32
				      " go beyond 0xfffffffe",
				      service->text, service->count, service->addr);
	if (service->addr <= RPMSG_ADDR_NS && last >= RPMSG_ADDR_NS)
		return options_refuse(parser,
				      "--service %s: address %u belongs to the name service",
				      service->text, RPMSG_ADDR_NS);
	for (size_t i = 0; i < remote->service_count; i++) {
		const struct options_service *other = &remote->services[i];

		if (other->addr == RPMSG_ADDR_ANY || other->addr > last ||
		    other->addr + (other->count - 1) < service->addr)
			continue;
		return options_refuse(
			parser, "--service %s: address %" PRIu32 " is taken by --service %s",
			service->text, other->addr > service->addr ? other->addr : service->addr,
			other->text);
	}
	return 0;
}

/* parts is a scratch copy of the value that is cut up. */
static int parse_service(struct parser *parser, struct options_service *service, char *parts)
{
	char *settings = parts, *name = strsep(&settings, ",");
	char *kind = strchr(name, '=');
	char *setting, kinds[256];
	int ret;

	if (kind)
		*kind++ = '\0';
	if (*name == '\0' || strlen(name) >= sizeof(service->name))
		return options_refuse(parser,
				      "--service %s: the name has to be 1 to %zu bytes long",
				      service->text, sizeof(service->name) - 1);
	snprintf(service->name, sizeof(service->name), "%s", name);
	service->kind = service_kind_find(kind ? kind : KINDS_DEFAULT);
	if (!service->kind)
		return options_refuse(parser, "--service %s: there is no kind \"%s\"; kinds are %s",
				      service->text, kind, kinds_list(kinds, sizeof(kinds)));

	service->addr = RPMSG_ADDR_ANY;
	service->count = 1;
	while ((setting = strsep(&settings, ","))) {
		ret = set_service_key(parser, service, setting);
		if (ret)
			return ret;
	}
	return check_service_addresses(parser, service);
}

int options_set_service(struct parser *parser, const struct option_entry *entry, const char *value)
{
	struct options_remote *remote = parser->remote;
	struct options_service *services, service = {0};
	char *parts = strdup(value);
	int ret = -ENOMEM;

	service.text = strdup(value);
	services = reallocarray(remote->services, remote->service_count + 1, sizeof(service));
	if (services)
		remote->services = services;
	if (!services || !parts || !service.text)
		options_refuse(parser, "--%s: out of memory", entry->name);
	else
		ret = parse_service(parser, &service, parts);
	if (ret)
		free(service.text);
	else
		services[remote->service_count++] = service;
	free(parts);
	return ret;
}
