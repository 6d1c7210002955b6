/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of a remote, and the loop that moves messages. */
#include "remote/remote_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Messages out of the host between two looks at what waits to go into it. */
#define RECEIVE_BATCH 64

const char *remote_drop_name(enum remote_drop reason)
{
	static const char *const names[REMOTE_DROP_COUNT] = {
		[REMOTE_DROP_SHORT] = "short",
		[REMOTE_DROP_LENGTH] = "length",
		[REMOTE_DROP_NO_ENDPOINT] = "no-endpoint",
		[REMOTE_DROP_NS] = "ns",
		[REMOTE_DROP_SERVICE] = "service",
		[REMOTE_DROP_MEMORY] = "memory",
	};

	return (unsigned int)reason < REMOTE_DROP_COUNT ? names[reason] : "unknown";
}

uint64_t remote_default_features(void)
{
	return VIRTIO_BIT(RPMSG_F_NS) | VIRTIO_BIT(VIRTIO_F_VERSION_1) |
	       VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX);
}

/* ---- life -------------------------------------------------------------------------------- */

static int allocate(struct remote *remote)
{
	remote->message = malloc(REMOTE_MAX_MESSAGE);
	remote->scratch = malloc(REMOTE_MAX_PAYLOAD);
	remote->queues[RPMSG_QUEUE_OUTPUT].held = malloc(VRING_MAX_SIZE * sizeof(uint16_t));
	remote->host_channels = malloc(HOST_CHANNELS * sizeof(struct host_channel));
	if (remote->message == NULL || remote->scratch == NULL ||
	    remote->queues[RPMSG_QUEUE_OUTPUT].held == NULL || remote->host_channels == NULL)
		return -ENOMEM;
	if (endpoint_table_init(&remote->endpoints, remote->config.max_endpoints) != 0)
		return -ENOMEM;
	return backlog_init(&remote->backlog, remote->config.backlog);
}

uint64_t remote_offered_features(const struct remote *remote)
{
	return remote->config.offered;
}

int remote_new(struct remote **result, const struct remote_config *config,
	       const struct remote_ops *ops, void *ctx, const struct violation_sink *sink)
{
	struct remote *remote;

	if (config != NULL &&
	    (config->backlog > REMOTE_MAX_BACKLOG || config->max_endpoints > REMOTE_MAX_ENDPOINTS))
		return -EINVAL;
	remote = calloc(1, sizeof(*remote));
	if (remote == NULL)
		return -ENOMEM;
	remote->ops = ops;
	remote->ctx = ctx;
	remote->sink = sink;
	if (config != NULL)
		remote->config = *config;
	if (remote->config.backlog == 0)
		remote->config.backlog = REMOTE_DEFAULT_BACKLOG;
	if (remote->config.max_endpoints == 0)
		remote->config.max_endpoints = REMOTE_DEFAULT_ENDPOINTS;
	if (remote->config.offered == 0)
		remote->config.offered = remote_default_features();
	list_init(&remote->created);
	list_init(&remote->room_waiters);
	list_init(&remote->notices);
	for (unsigned int i = 0; i < NAME_BUCKETS; i++)
		list_init(&remote->names[i]);
	if (allocate(remote) != 0) {
		remote_free(remote);
		return -ENOMEM;
	}
	*result = remote;
	return 0;
}

void remote_free(struct remote *remote)
{
	if (remote == NULL)
		return;
	list_for_each_safe(node, after, &remote->created)
		free(list_entry(node, struct service_info, created));
	endpoint_table_fini(&remote->endpoints);
	timers_fini(&remote->timers);
	backlog_fini(&remote->backlog);
	free(remote->host_channels);
	free(remote->queues[RPMSG_QUEUE_OUTPUT].held);
	free(remote->scratch);
	free(remote->message);
	free(remote);
}

static void attach_queue(struct remote *remote, unsigned int index, struct virtq *vq)
{
	struct remote_queue *queue = &remote->queues[index];
	int count = virtq_avail_count(vq);

	queue->vq = vq;
	queue->broken = false;
	queue->held_first = 0;
	queue->held_count = 0;
	remote->stats.queues[index].avail_at_start =
		(uint16_t)(vq->last_avail + (count > 0 ? count : 0));
}

/* Something was asked for from outside: what it did is shown, and what it began goes on. */
static void finish_request(struct remote *remote)
{
	if (!remote->attached)
		return;
	queues_flush(remote);
	if (remote->ops->wake != NULL)
		remote->ops->wake(remote->ctx);
}

int remote_attach(struct remote *remote, struct virtq *input, struct virtq *output,
		  uint64_t features)
{
	if (remote->attached)
		return -EBUSY;
	attach_queue(remote, RPMSG_QUEUE_INPUT, input);
	attach_queue(remote, RPMSG_QUEUE_OUTPUT, output);
	remote->features = features;
	remote->order = rpmsg_order((features & VIRTIO_BIT(VIRTIO_F_VERSION_1)) != 0);
	remote->ns_on = (features & VIRTIO_BIT(RPMSG_F_NS)) != 0;
	remote->attached = true;
	remote->stats.sessions++;
	list_for_each(node, &remote->created)
		service_attach(remote, list_entry(node, struct service_info, created));
	finish_request(remote);
	return 0;
}

void remote_detach(struct remote *remote)
{
	if (!remote->attached)
		return;
	queue_release(remote, UINT32_MAX);
	emit_give_up(remote);
	queues_flush(remote);
	remote->attached = false;
	remote->host_channel_count = 0;
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		remote->queues[i].vq = NULL;
	list_for_each(node, &remote->created)
		service_detach(remote, list_entry(node, struct service_info, created));
}

/* ---- the loop ---------------------------------------------------------------------------- */

void remote_kick(struct remote *remote, unsigned int queue, uint64_t count)
{
	struct remote_event event = {.type = REMOTE_EVENT_KICK, .queue = queue};

	if (queue >= RPMSG_NUM_QUEUES)
		return;
	remote->stats.queues[queue].kicks += count;
	if (remote->ops->event != NULL)
		remote->ops->event(remote->ctx, &event);
}

static struct service *timer_service(struct timer *timer)
{
	return list_entry(timer, struct service_info, timer)->service;
}

/* The time, or 0 while nobody waits for any: asking may cost a system call. */
static uint64_t time_if_needed(const struct remote *remote)
{
	return timers_first(&remote->timers) != NULL ? remote->ops->now(remote->ctx) : 0;
}

static uint32_t run_timers(struct remote *remote, uint64_t now, uint32_t budget)
{
	struct timer *timer;
	uint32_t count = 0;

	while (count < budget && (timer = timers_first(&remote->timers)) != NULL &&
	       timer->when <= now) {
		struct service *service = timer_service(timer);

		timer_clear(&remote->timers, timer);
		if (service->kind->timer != NULL)
			service->kind->timer(service, now);
		service_returned(remote);
		count++;
	}
	return count;
}

static uint32_t run_room_waiters(struct remote *remote, uint32_t budget)
{
	uint32_t count = 0;

	while (count < budget && !list_empty(&remote->room_waiters) && emit_has_buffer(remote)) {
		struct service_info *info =
			list_entry(remote->room_waiters.next, struct service_info, room);

		list_remove(&info->room);
		if (info->kind->room != NULL)
			info->kind->room(info->service);
		service_returned(remote);
		count++;
	}
	return count;
}

static uint32_t run_receive(struct remote *remote, uint32_t budget)
{
	uint32_t count = 0;

	while (count < budget && emit_can_take_reply(remote) && receive_one(remote)) {
		count += 1 + remote->extra_cost;
		remote->extra_cost = 0;
	}
	return count;
}

static uint32_t run_pump(struct remote *remote, uint32_t budget)
{
	const struct remote_queue *queue = &remote->queues[RPMSG_QUEUE_INPUT];

	if (emit_waiting(remote) == 0 || queue->holding || !queue_usable(queue))
		return 0;
	return emit_pump(remote, budget);
}

/* Is there something that remote_run() would do if it were called again now? */
static bool work_left(struct remote *remote)
{
	struct remote_queue *input = &remote->queues[RPMSG_QUEUE_INPUT];
	struct remote_queue *output = &remote->queues[RPMSG_QUEUE_OUTPUT];
	const struct timer *timer = timers_first(&remote->timers);
	bool wants_buffer = emit_waiting(remote) != 0 || !list_empty(&remote->room_waiters);
	/* Looked at in any case: only then does the host kick for what it supplies next. */
	int supplied = virtq_avail_count(input->vq);
	int offered = virtq_avail_count(output->vq);

	return (supplied > 0 && wants_buffer && !input->holding) ||
	       (offered > 0 && emit_can_take_reply(remote)) ||
	       (timer != NULL && timer->when <= remote->ops->now(remote->ctx));
}

bool remote_run(struct remote *remote, unsigned int budget)
{
	uint32_t left = budget;
	uint32_t before;

	if (!remote->attached)
		return false;

	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		virtq_set_notify(remote->queues[i].vq, false);
	do {
		uint32_t batch;

		before = left;
		left -= run_pump(remote, left);
		left -= run_timers(remote, time_if_needed(remote), left);
		left -= run_room_waiters(remote, left < RECEIVE_BATCH ? left : RECEIVE_BATCH);
		batch = run_receive(remote, left < RECEIVE_BATCH ? left : RECEIVE_BATCH);
		left -= batch < left ? batch : left;
	} while (left != 0 && left != before);

	queues_flush(remote);
	if (left == 0 && work_left(remote))
		return true;

	/*
	 * Going to sleep. Looking once more after asking for kicks is what makes it safe: see
	 * virtq_set_notify(). The look before makes it a kick for every buffer from here on.
	 */
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		virtq_avail_count(remote->queues[i].vq);
		virtq_set_notify(remote->queues[i].vq, true);
	}
	if (work_left(remote))
		return true;
	queues_flush(remote);
	return false;
}

uint64_t remote_deadline(const struct remote *remote)
{
	const struct timer *timer = timers_first(&remote->timers);

	return timer != NULL ? timer->when : REMOTE_NO_DEADLINE;
}

/* ---- what its owner asks for -------------------------------------------------------------- */

int remote_announce(struct remote *remote, const char *name, const struct service_kind *kind,
		    const struct service_params *params, uint32_t *addr)
{
	size_t length = strnlen(name, RPMSG_NAME_SIZE);
	struct service *service;
	struct service_info *info;
	uint32_t wanted = *addr;
	int ret;

	if (length == 0 || length == RPMSG_NAME_SIZE || wanted == RPMSG_ADDR_NS)
		return -EINVAL;
	if (wanted == RPMSG_ADDR_ANY && kind->default_addr != 0 &&
	    endpoint_find(&remote->endpoints, kind->default_addr) == NULL)
		wanted = kind->default_addr;
	if (wanted == RPMSG_ADDR_ANY)
		wanted = endpoint_lowest_free(&remote->endpoints);
	ret = service_create(remote, name, kind, params, wanted, &service);
	if (ret != 0)
		return ret;
	*addr = wanted;
	info = service->info;
	if (remote->attached) {
		service_attach(remote, info);
		if (info->service != NULL && info->service->peer == RPMSG_ADDR_ANY)
			nameservice_match(remote, info->service);
		run_pump(remote, 1);
		finish_request(remote);
	}
	return 0;
}

/* The one service that a name, and an address or ANY, mean. */
static int find_service(struct remote *remote, const char *name, uint32_t addr,
			struct service_info **found)
{
	*found = NULL;
	if (addr != RPMSG_ADDR_ANY) {
		struct service *service = endpoint_find(&remote->endpoints, addr);

		if (service != NULL && strcmp(service->info->name, name) == 0) {
			*found = service->info;
			return 0;
		}
	} else {
		list_for_each(node, service_bucket(remote, name))
		{
			struct service_info *info = list_entry(node, struct service_info, named);

			if (strcmp(info->name, name) != 0)
				continue;
			if (*found != NULL)
				return -ENOTUNIQ;
			*found = info;
		}
		if (*found != NULL)
			return 0;
	}
	/* One that retired: it has no endpoint, but would come back. */
	list_for_each(node, &remote->created)
	{
		struct service_info *info = list_entry(node, struct service_info, created);

		if (info->service != NULL || strcmp(info->name, name) != 0 ||
		    (addr != RPMSG_ADDR_ANY && addr != info->addr))
			continue;
		if (*found != NULL)
			return -ENOTUNIQ;
		*found = info;
	}
	return *found != NULL ? 0 : -ENOENT;
}

int remote_withdraw(struct remote *remote, const char *name, uint32_t *addr)
{
	struct service_info *info;
	int ret = find_service(remote, name, *addr, &info);

	if (ret != 0)
		return ret;
	*addr = info->addr;
	if (info->service != NULL)
		service_remove(remote, info->service, true);
	else
		service_forget(remote, info);
	if (remote->attached) {
		run_pump(remote, 1);
		finish_request(remote);
	}
	return 0;
}

int remote_send(struct remote *remote, const struct remote_message *message)
{
	const struct outgoing out = {
		.hdr = message->hdr,
		.payload = message->payload,
		.size = message->size,
		.used_len = message->used_len,
		.used_len_set = message->used_len_set,
	};
	int ret = emit(remote, &out);

	finish_request(remote);
	return ret;
}

int remote_hold(struct remote *remote, unsigned int queue, uint32_t count)
{
	if (queue >= RPMSG_NUM_QUEUES || (queue == RPMSG_QUEUE_INPUT && count != 0))
		return -EINVAL;
	remote->queues[queue].holding = true;
	remote->queues[queue].hold_left = count;
	return 0;
}

int64_t remote_release(struct remote *remote, unsigned int queue, uint32_t count)
{
	uint32_t released = 0;

	if (queue >= RPMSG_NUM_QUEUES)
		return -EINVAL;
	if (count == 0)
		remote->queues[queue].holding = false;
	if (!remote->attached)
		return 0;
	if (count == 0)
		count = remote->queues[queue].vq->num;
	if (queue == RPMSG_QUEUE_OUTPUT)
		released = queue_release(remote, count);
	else if (queue_usable(&remote->queues[queue]))
		released = emit_pump(remote, count);
	finish_request(remote);
	return released;
}

/* ---- what it tells ------------------------------------------------------------------------ */

const struct remote_stats *remote_get_stats(const struct remote *remote)
{
	return &remote->stats;
}

struct walk {
	int (*each)(void *ctx, const struct remote_endpoint_info *info);
	void *ctx;
};

static struct remote_endpoint_info endpoint_info(const struct service *service)
{
	return (struct remote_endpoint_info){
		.addr = service->addr,
		.peer = service->peer,
		.name = service->info->name,
		.kind = service->kind->name,
		.received = service->received,
		.sent = service->sent,
		.announced = service->info->notice_state == NOTICE_DONE,
	};
}

static int tell_endpoint(void *ctx, const struct service *service)
{
	const struct walk *walk = ctx;
	const struct remote_endpoint_info info = endpoint_info(service);

	return walk->each(walk->ctx, &info);
}

int remote_endpoints(const struct remote *remote,
		     int (*each)(void *ctx, const struct remote_endpoint_info *info), void *ctx)
{
	struct walk walk = {.each = each, .ctx = ctx};

	return endpoint_walk(&remote->endpoints, tell_endpoint, &walk);
}

bool remote_endpoint(const struct remote *remote, uint32_t addr, struct remote_endpoint_info *info)
{
	const struct service *service = endpoint_find(&remote->endpoints, addr);

	if (service != NULL)
		*info = endpoint_info(service);
	return service != NULL;
}
