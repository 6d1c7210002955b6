/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The name service, both ways: what the remote announces, and what the host does.
 *
 * Announcements are no messages in the backlog but marks on the services, so that any number
 * of services can be announced without memory for it; they keep their place in the order of
 * all that waits by a sequence number.
 */
#include "remote/remote_priv.h"

#include <string.h>

/* ---- to the host ------------------------------------------------------------------------- */

static void wait_in_line(struct remote *remote, struct service_info *info, enum notice_state state)
{
	info->notice_state = state;
	info->notice_seq = remote->out_seq++;
	list_add_tail(&remote->notices, &info->notice);
	remote->notice_count++;
	remote->stats.backlog = emit_waiting(remote);
}

static void leave_line(struct remote *remote, struct service_info *info, enum notice_state state)
{
	list_remove(&info->notice);
	remote->notice_count--;
	info->notice_state = state;
	remote->stats.backlog = emit_waiting(remote);
}

void nameservice_announce(struct remote *remote, struct service_info *info)
{
	/* One that is announced was so before DRIVER_OK. */
	if (info->notice_state == NOTICE_DONE || !queue_usable(&remote->queues[RPMSG_QUEUE_INPUT]))
		return;
	if (remote->ns_on ||
	    (fault_due(&remote->faults, FAULT_PLACE_UNASKED) && fault_unasked(remote)))
		wait_in_line(remote, info, NOTICE_CREATE);
}

void nameservice_destroy(struct remote *remote, struct service_info *info)
{
	if (info->notice_state == NOTICE_CREATE)
		leave_line(remote, info, NOTICE_NONE);
	else if (info->notice_state == NOTICE_DONE &&
		 queue_usable(&remote->queues[RPMSG_QUEUE_INPUT]))
		wait_in_line(remote, info, NOTICE_DESTROY);
	else
		info->notice_state = NOTICE_NONE;
}

struct service_info *nameservice_first(struct remote *remote, struct outgoing *out,
				       struct rpmsg_ns_msg *ns)
{
	struct service_info *info;

	if (list_empty(&remote->notices))
		return NULL;
	info = list_entry(remote->notices.next, struct service_info, notice);

	memset(ns, 0, sizeof(*ns));
	memcpy(ns->name, info->name, RPMSG_NAME_SIZE);
	ns->name_terminated = true;
	ns->name_padded = true;
	ns->addr = info->addr;
	ns->flags = info->notice_state == NOTICE_CREATE ? RPMSG_NS_CREATE : RPMSG_NS_DESTROY;

	*out = (struct outgoing){
		.hdr = {.src = info->addr, .dst = RPMSG_ADDR_NS, .len = RPMSG_NS_MSG_SIZE},
		.size = RPMSG_NS_MSG_SIZE,
		.ns = ns,
	};
	return info;
}

void nameservice_give_up(struct remote *remote)
{
	while (!list_empty(&remote->notices))
		nameservice_settle(remote,
				   list_entry(remote->notices.next, struct service_info, notice),
				   false);
}

void nameservice_settle(struct remote *remote, struct service_info *info, bool sent)
{
	bool created = info->notice_state == NOTICE_CREATE && sent;

	leave_line(remote, info, created ? NOTICE_DONE : NOTICE_NONE);
	if (!list_linked(&info->created))
		service_forget(remote, info);
}

/* ---- from the host ----------------------------------------------------------------------- */

/* Names compare as the 31 bytes that a service can have; a longer one never matches. */
static bool same_name(const char *a, const char *b)
{
	return strncmp(a, b, RPMSG_NAME_SIZE) == 0;
}

static struct host_channel *find_channel(struct remote *remote, const char *name, uint32_t addr)
{
	for (uint32_t i = 0; i < remote->host_channel_count; i++) {
		struct host_channel *channel = &remote->host_channels[i];

		if (channel->addr == addr && same_name(channel->name, name))
			return channel;
	}
	return NULL;
}

/* Work on long lists is paid for out of the run's budget. */
static void charge(struct remote *remote, uint32_t visited)
{
	remote->extra_cost += visited / 64;
}

/* A dialect of NuttX: whoever announces learns the peer's address from the answer. */
static void acknowledge(struct remote *remote, const struct service *service)
{
	emit_ns(remote, service->info->name, service->addr, RPMSG_NS_NUTTX_ACK, service->addr,
		false);
}

/*
 * The host has created a channel: the oldest service of that name gets it that has no peer, or
 * this one already.
 */
static void host_created(struct remote *remote, const struct rpmsg_ns_msg *ns)
{
	struct host_channel *channel = find_channel(remote, ns->name, ns->addr);
	uint32_t visited = remote->host_channel_count;

	if (channel == NULL && remote->host_channel_count < HOST_CHANNELS) {
		channel = &remote->host_channels[remote->host_channel_count++];
		memcpy(channel->name, ns->name, RPMSG_NAME_SIZE);
		channel->addr = ns->addr;
		channel->taken = false;
	}
	if (ns->addr == RPMSG_ADDR_ANY || (channel != NULL && channel->taken))
		return;
	list_for_each(node, service_bucket(remote, ns->name))
	{
		struct service_info *info = list_entry(node, struct service_info, named);

		visited++;
		if (!same_name(info->name, ns->name))
			continue;
		if (info->service->peer != RPMSG_ADDR_ANY && info->service->peer != ns->addr)
			continue;
		if (channel != NULL)
			channel->taken = true;
		service_set_peer(info->service, ns->addr);
		if (remote->ack_on && ns->flags == RPMSG_NS_CREATE)
			acknowledge(remote, info->service);
		service_returned(remote);
		break;
	}
	charge(remote, visited);
}

/* The host has destroyed a channel: whoever talks to it is without a peer. */
static void host_destroyed(struct remote *remote, const struct rpmsg_ns_msg *ns)
{
	struct host_channel *channel = find_channel(remote, ns->name, ns->addr);
	uint32_t visited = remote->host_channel_count;

	if (channel != NULL) {
		struct host_channel *end = remote->host_channels + --remote->host_channel_count;

		memmove(channel, channel + 1, (size_t)(end - channel) * sizeof(*channel));
	}
	list_for_each_safe(node, after, service_bucket(remote, ns->name))
	{
		struct service_info *info = list_entry(node, struct service_info, named);

		visited++;
		if (info->service->peer != ns->addr || !same_name(info->name, ns->name))
			continue;
		service_set_peer(info->service, RPMSG_ADDR_ANY);
		service_returned(remote);
	}
	charge(remote, visited);
}

void nameservice_receive(struct remote *remote, struct inbound *in)
{
	struct remote_event event = {.type = REMOTE_EVENT_NS, .queue = RPMSG_QUEUE_OUTPUT};
	struct rpmsg_ns_msg ns;
	bool decoded = rpmsg_ns_decode(&ns, in->payload, in->size, remote->order) == 0;

	checker_ns(remote, in, decoded ? &ns : NULL);
	/* Nobody's, as it was when it came here. */
	if (!remote->ns_on)
		return;
	if (!decoded || !ns.name_terminated) {
		in->drop = REMOTE_DROP_NS;
		return;
	}

	in->accepted = true;
	receive_report(remote);
	if (remote->ops->event != NULL) {
		event.hdr = in->hdr;
		event.header = remote->message;
		event.payload = in->payload;
		event.payload_size = in->size;
		event.desc_id = in->chain.head;
		event.ns = &ns;
		remote->ops->event(remote->ctx, &event);
	}
	checker_ns_flow(remote, in, &ns, find_channel(remote, ns.name, ns.addr) != NULL);
	/* Only this bit counts, as in Linux rpmsg_ns_cb(); others are the checker's. */
	if ((ns.flags & RPMSG_NS_DESTROY) != 0)
		host_destroyed(remote, &ns);
	else
		host_created(remote, &ns);
}

void nameservice_match(struct remote *remote, struct service *service)
{
	for (uint32_t i = 0; i < remote->host_channel_count; i++) {
		struct host_channel *channel = &remote->host_channels[i];

		if (channel->taken || channel->addr == RPMSG_ADDR_ANY ||
		    !same_name(channel->name, service->info->name))
			continue;
		channel->taken = true;
		service_set_peer(service, channel->addr);
		service_returned(remote);
		return;
	}
}

void nameservice_unmatch(struct remote *remote, const struct service *service)
{
	struct host_channel *channel = find_channel(remote, service->info->name, service->peer);

	if (channel != NULL)
		channel->taken = false;
}
