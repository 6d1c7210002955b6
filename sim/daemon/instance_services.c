/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The services of an instance as they were asked for, so that the remote can be made anew
 * with another configuration.
 */
#include "daemon/instance_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "remote/pacing.h"

int instance_announce(struct instance *instance, const struct instance_service *service,
		      uint32_t *addr)
{
	struct instance_service **link = &instance->services, *made = malloc(sizeof(*made));
	int ret;

	if (!made)
		return -ENOMEM;
	*made = *service;
	made->next = NULL;
	made->addr = made->wanted;
	ret = remote_announce(instance->remote, made->name, made->kind, &made->params, &made->addr);
	*addr = made->addr;
	if (ret) {
		free(made);
		return ret;
	}
	while (*link)
		link = &(*link)->next;
	*link = made;
	instance_schedule(instance);
	return 0;
}

/* A service that left and came back may have another address than the one it was given. */
static struct instance_service **find_service(struct instance *instance, const char *name,
					      uint32_t addr)
{
	struct instance_service **link, **named = NULL;

	for (link = &instance->services; *link; link = &(*link)->next) {
		if (strcmp((*link)->name, name) != 0)
			continue;
		if ((*link)->addr == addr)
			return link;
		named = link;
	}
	return named;
}

int instance_withdraw(struct instance *instance, const char *name, uint32_t *addr)
{
	struct instance_service **link, *service;
	int ret = remote_withdraw(instance->remote, name, addr);

	if (ret)
		return ret;
	link = find_service(instance, name, *addr);
	if (link) {
		service = *link;
		*link = service->next;
		free(service);
	}
	instance_schedule(instance);
	return 0;
}

void instance_free_services(struct instance *instance)
{
	while (instance->services) {
		struct instance_service *service = instance->services;

		instance->services = service->next;
		free(service);
	}
}

/* Those with a static address first: dynamic ones then find what is left. */
static int announce_all(const struct instance *instance, struct remote *remote, bool dynamic)
{
	for (const struct instance_service *s = instance->services; s; s = s->next) {
		uint32_t addr = s->wanted;
		int ret = 0;

		if ((s->wanted == RPMSG_ADDR_ANY) == dynamic)
			ret = remote_announce(remote, s->name, s->kind, &s->params, &addr);
		if (ret)
			return ret;
	}
	return 0;
}

/* Addresses as they are in the remote now. */
static int note_address(void *ctx, const struct remote_endpoint_info *info)
{
	struct instance *instance = ctx;

	for (struct instance_service *s = instance->services; s; s = s->next) {
		if (s->addr != RPMSG_ADDR_ANY || strcmp(s->name, info->name) != 0)
			continue;
		s->addr = info->addr;
		break;
	}
	return 0;
}

static void note_addresses(struct instance *instance)
{
	for (struct instance_service *s = instance->services; s; s = s->next)
		s->addr = s->wanted;
	remote_endpoints(instance->remote, note_address, instance);
}

static int copy_behaviour(const struct remote *from, struct remote *to)
{
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < RPMSG_NUM_QUEUES; i++)
		ret = remote_pace(to, i, remote_get_pace(from, i));
	for (unsigned int i = 0; ret == 0 && i < FAULT_COUNT; i++) {
		struct fault_status status = {0};
		struct fault_setting setting;

		remote_fault_status(from, i, &status);
		setting = (struct fault_setting){
			.mode = status.mode,
			.count = status.left,
			.after = status.after,
			.argument_set = fault_at(i)->argument[0] != '\0',
			.argument = status.argument,
		};
		if (status.mode != FAULT_MODE_OFF)
			ret = remote_fault_set(to, i, &setting);
	}
	return ret;
}

int instance_configure(struct instance *instance, const struct remote_config *config)
{
	struct remote *before = instance->remote, *remote = NULL;
	int ret;

	if (instance_connected(instance))
		return -EBUSY;
	ret = instance_make_remote(instance, config, &remote);
	if (ret == 0)
		ret = announce_all(instance, remote, false);
	if (ret == 0)
		ret = announce_all(instance, remote, true);
	if (ret == 0)
		ret = copy_behaviour(before, remote);
	if (ret == 0) {
		instance->remote = remote;
		ret = instance_renew_session(instance);
		if (ret)
			instance->remote = before;
	}
	if (ret) {
		remote_free(remote);
		return ret;
	}
	remote_free(before);
	instance->config = *config;
	note_addresses(instance);
	return 0;
}
