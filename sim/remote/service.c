/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of a service instance, and what it may ask of the remote. */
#include "remote/remote_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct list_node *service_bucket(struct remote *remote, const char *name)
{
	uint32_t hash = UINT32_C(2166136261); /* FNV-1a */

	for (const char *c = name; *c != '\0'; c++)
		hash = (hash ^ (uint8_t)*c) * UINT32_C(16777619);
	return &remote->names[hash % NAME_BUCKETS];
}

/* ---- life -------------------------------------------------------------------------------- */

/* Give an info a fresh endpoint and fresh state. */
static int bind_info(struct remote *remote, struct service_info *info, uint32_t addr)
{
	struct service *service;
	int ret = endpoint_bind(&remote->endpoints, addr, &service);

	if (ret != 0)
		return ret;
	service->remote = remote;
	service->kind = info->kind;
	service->info = info;
	info->service = service;
	info->addr = addr;
	memset(info->state, 0, info->kind->state_size);
	if (info->kind->init != NULL)
		ret = info->kind->init(service, &info->params);
	if (ret != 0) {
		endpoint_unbind(&remote->endpoints, service);
		info->service = NULL;
		return ret;
	}
	list_add_tail(service_bucket(remote, info->name), &info->named);
	return 0;
}

int service_create(struct remote *remote, const char *name, const struct service_kind *kind,
		   const struct service_params *params, uint32_t addr, struct service **service)
{
	struct service_info *info;
	int ret;

	if (timers_reserve(&remote->timers, remote->service_count + 1) != 0)
		return -ENOMEM;
	info = calloc(1, sizeof(*info) + kind->state_size);
	if (info == NULL)
		return -ENOMEM;
	info->kind = kind;
	info->timer.at = TIMER_OFF;
	strncpy(info->name, name, RPMSG_NAME_SIZE - 1);
	if (params != NULL)
		info->params = *params;
	ret = bind_info(remote, info, addr);
	if (ret != 0) {
		free(info);
		return ret;
	}
	list_add_tail(&remote->created, &info->created);
	remote->service_count++;
	*service = info->service;
	return 0;
}

uint32_t service_lowest_free(struct remote *remote)
{
	const struct profile *profile = remote->profile;
	uint32_t addr = endpoint_lowest_free(&remote->endpoints);

	if (profile->dynamic_count != 0 && addr - profile->first_dynamic >= profile->dynamic_count)
		return RPMSG_ADDR_ANY;
	return addr;
}

void service_forget(struct remote *remote, struct service_info *info)
{
	if (list_linked(&info->created)) {
		list_remove(&info->created);
		remote->service_count--;
	}
	if (info->notice_state != NOTICE_DESTROY)
		free(info);
}

void service_remove(struct remote *remote, struct service *service, bool for_good)
{
	struct service_info *info = service->info;

	nameservice_unmatch(remote, service);
	timer_clear(&remote->timers, &info->timer);
	list_remove(&info->room);
	list_remove(&info->named);
	endpoint_unbind(&remote->endpoints, service);
	info->service = NULL;
	nameservice_destroy(remote, info);
	if (for_good)
		service_forget(remote, info);
}

void service_attach(struct remote *remote, struct service_info *info)
{
	if (info->service == NULL) {
		uint32_t addr = info->addr;

		if (endpoint_find(&remote->endpoints, addr) != NULL)
			addr = service_lowest_free(remote);
		if (addr == RPMSG_ADDR_ANY || bind_info(remote, info, addr) != 0)
			return;
	}
	if (!info->params.quiet)
		nameservice_announce(remote, info);
	if (info->params.peer_known)
		service_set_peer(info->service, info->params.peer);
	if (info->kind->attached != NULL)
		info->kind->attached(info->service);
	service_returned(remote);
}

void service_detach(struct remote *remote, struct service_info *info)
{
	timer_clear(&remote->timers, &info->timer);
	list_remove(&info->room);
	info->notice_state = NOTICE_NONE;
	if (info->service == NULL)
		return;
	info->service->peer = RPMSG_ADDR_ANY;
	if (info->kind->detached != NULL)
		info->kind->detached(info->service);
	remote->retiring = NULL;
}

void service_set_peer(struct service *service, uint32_t peer)
{
	bool was_known = service->peer != RPMSG_ADDR_ANY;

	service->peer = peer;
	if (was_known != (peer != RPMSG_ADDR_ANY) && service->kind->peer_changed != NULL)
		service->kind->peer_changed(service);
}

/* ---- what a service may do --------------------------------------------------------------- */

void *service_state(struct service *service)
{
	return service->info->state;
}

uint32_t service_addr(const struct service *service)
{
	return service->addr;
}

uint32_t service_peer(const struct service *service)
{
	return service->peer;
}

enum wire_order service_order(const struct service *service)
{
	return service->remote->order;
}

void *service_buffer(struct service *service)
{
	return service->remote->scratch + RPMSG_HDR_SIZE;
}

uint64_t service_now(const struct service *service)
{
	const struct remote *remote = service->remote;

	return remote->ops->now(remote->ctx);
}

int service_send(struct service *service, uint32_t dst, const void *payload, uint32_t size)
{
	return dst != RPMSG_ADDR_ANY ? emit_plain(service, dst, payload, size) : -EDESTADDRREQ;
}

int service_send_numbered(struct service *service, uint32_t dst, uint64_t number, uint32_t size)
{
	return dst != RPMSG_ADDR_ANY ? emit_numbered(service, dst, number, size) : -EDESTADDRREQ;
}

bool service_room(struct service *service)
{
	return emit_has_buffer(service->remote);
}

void service_wait_room(struct service *service)
{
	struct service_info *info = service->info;

	if (service->remote->attached && !list_linked(&info->room))
		list_add_tail(&service->remote->room_waiters, &info->room);
}

void service_wake_at(struct service *service, uint64_t when)
{
	struct remote *remote = service->remote;

	if (when == REMOTE_NO_DEADLINE || !remote->attached)
		timer_clear(&remote->timers, &service->info->timer);
	else
		timer_set(&remote->timers, &service->info->timer, when);
}

void service_retire(struct service *service)
{
	service->remote->retiring = service;
}
