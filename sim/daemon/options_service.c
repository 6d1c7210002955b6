/* SPDX-License-Identifier: BSD-2-Clause */
/* The option --service. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/options_internal.h"
#include "wire/checked.h"
#include "wire/rpmsg.h"

/* A number of a service: where it goes, and what it may be. */
struct service_key {
	const char *name;
	uint64_t min, max;
	size_t offset; /* in struct options_service, of a uint32_t or a uint64_t */
	bool wide;
};

#define SERVICE_KEY(key, low, high, member)                                                        \
	{                                                                                          \
		.name = (key),                                                                     \
		.min = (low),                                                                      \
		.max = (high),                                                                     \
		.offset = offsetof(struct options_service, member),                                \
		.wide = sizeof(((struct options_service *)NULL)->member) == sizeof(uint64_t),      \
	}

static const struct service_key keys[] = {
	SERVICE_KEY("addr", 0, RPMSG_ADDR_ANY - 1, addr),
	SERVICE_KEY("count", 1, OPTIONS_SERVICE_COUNT_MAX, count),
	SERVICE_KEY("size", 1, REMOTE_MAX_PAYLOAD, params.size),
	SERVICE_KEY("rate", 1, UINT32_MAX, params.rate),
	SERVICE_KEY("messages", 1, UINT64_MAX, params.messages),
	SERVICE_KEY("peer", 0, RPMSG_ADDR_ANY - 1, params.peer),
};

static const struct service_key *find_key(const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

/* Addresses are written in hexadecimal, as everywhere. */
static int refuse_number(struct parser *parser, const struct options_service *service,
			 const struct service_key *key, const char *value)
{
	if (key->max >= RPMSG_ADDR_ANY - 1)
		return cli_refuse(&parser->cli.error,
				  "--service %s: %s \"%s\" is not a number from %" PRIu64
				  " to 0x%" PRIx64,
				  service->text, key->name, value, key->min, key->max);
	return cli_refuse(&parser->cli.error,
			  "--service %s: %s \"%s\" is not a number from %" PRIu64 " to %" PRIu64,
			  service->text, key->name, value, key->min, key->max);
}

/* One KEY=N, or KEY, after the name. */
static int set_service_key(struct parser *parser, struct options_service *service,
			   const struct option_setting *setting)
{
	const struct service_key *key = find_key(setting->key);
	void *at = key ? (char *)service + key->offset : NULL;
	uint64_t number;

	if (strcmp(setting->key, "quiet") == 0 && !setting->value) {
		service->params.quiet = true;
		return 0;
	}
	if (!key)
		return cli_refuse(&parser->cli.error,
				  "--service %s: \"%s\" is not known here: addr, count, size, "
				  "rate, messages, peer and quiet are",
				  service->text, setting->key);
	if (!setting->value || !cli_number(setting->value, key->max, &number) || number < key->min)
		return refuse_number(parser, service, key, setting->value ? setting->value : "");
	if (key->wide)
		memcpy(at, &number, sizeof(number));
	else
		memcpy(at, &(uint32_t){(uint32_t)number}, sizeof(uint32_t));
	service->params.peer_known |= strcmp(key->name, "peer") == 0;
	return 0;
}

/* Static addresses of two services may not meet; dynamic ones make room for them. */
static int check_service_addresses(struct parser *parser, const struct options_service *service)
{
	const struct options_remote *remote = parser->remote;
	uint32_t last;

	if (service->addr == RPMSG_ADDR_ANY)
		return 0;
	if (!checked_add32(service->addr, service->count - 1, &last) || last == RPMSG_ADDR_ANY)
		return cli_refuse(&parser->cli.error,
				  "--service %s: %" PRIu32 " instances from address %" PRIu32
				  " go beyond 0xfffffffe",
				  service->text, service->count, service->addr);
	if (service->addr <= RPMSG_ADDR_NS && last >= RPMSG_ADDR_NS)
		return cli_refuse(&parser->cli.error,
				  "--service %s: address %u belongs to the name service",
				  service->text, RPMSG_ADDR_NS);
	for (size_t i = 0; i < remote->service_count; i++) {
		const struct options_service *other = &remote->services[i];

		if (other->addr == RPMSG_ADDR_ANY || other->addr > last ||
		    other->addr + (other->count - 1) < service->addr)
			continue;
		return cli_refuse(
			&parser->cli.error,
			"--service %s: address %" PRIu32 " is taken by --service %s", service->text,
			other->addr > service->addr ? other->addr : service->addr, other->text);
	}
	return 0;
}

/* parts is a scratch copy of the value that is cut up. */
static int parse_service(struct parser *parser, struct options_service *service, char *parts)
{
	struct option_setting part;
	char kinds[512];
	int ret;

	options_next_setting(&parts, &part);
	if (*part.key == '\0' || strlen(part.key) >= sizeof(service->name))
		return cli_refuse(&parser->cli.error,
				  "--service %s: the name has to be 1 to %zu bytes long",
				  service->text, sizeof(service->name) - 1);
	snprintf(service->name, sizeof(service->name), "%s", part.key);
	service->kind_given = part.value != NULL;
	service->kind = service_kind_find(part.value ? part.value : WORDS_DEFAULT_KIND);
	if (!service->kind)
		return cli_refuse(&parser->cli.error,
				  "--service %s: there is no kind \"%s\"; kinds are %s",
				  service->text, part.value, words_kinds(kinds, sizeof(kinds)));

	if (strcmp(service->kind->name, WORDS_SCRIPT_KIND) == 0)
		return cli_refuse(&parser->cli.error,
				  "--service %s: the rules of a script stand in a scenario "
				  "file, where its service has to stand too: see --scenario",
				  service->text);

	service->addr = RPMSG_ADDR_ANY;
	service->count = 1;
	while (options_next_setting(&parts, &part)) {
		ret = set_service_key(parser, service, &part);
		if (ret)
			return ret;
	}
	return check_service_addresses(parser, service);
}

int options_set_service(struct parser *parser, const struct cli_option *entry, const char *value)
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
		cli_refuse(&parser->cli.error, "--%s: out of memory", entry->name);
	else
		ret = parse_service(parser, &service, parts);
	if (ret)
		free(service.text);
	else
		services[remote->service_count++] = service;
	free(parts);
	return ret;
}
