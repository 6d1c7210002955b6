/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of a remote, and the loop that moves messages. */
#include "remote/remote_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/fetch.h"

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
		[REMOTE_DROP_FAULT] = "fault",
	};

	return (unsigned int)reason < REMOTE_DROP_COUNT ? names[reason] : "unknown";
}

uint64_t remote_default_features(void)
{
	return profile_at(0)->features;
}

/* ---- life -------------------------------------------------------------------------------- */

/* A message as a driver's buffers have it: from the first byte of a cache line on. */
static uint8_t *new_message(void)
{
	const size_t line = ENDPOINT_LINE;
	uint8_t *message = aligned_alloc(line, (REMOTE_MAX_MESSAGE + line - 1) / line * line);

	if (message != NULL)
		memset(message, 0, RPMSG_HDR_SIZE);
	return message;
}

static int allocate(struct remote *remote)
{
	remote->message = new_message();
	remote->scratch = new_message();
	remote->host_channels = malloc(HOST_CHANNELS * sizeof(struct host_channel));
	if (remote->message == NULL || remote->scratch == NULL || remote->host_channels == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		if (pacing_init(&remote->queues[i].pacing, remote->config.max_queue,
				remote->config.seed, RANDOM_PACE_0 + i) != 0)
			return -ENOMEM;
	}
	if (endpoint_table_init(&remote->endpoints, remote->config.max_endpoints) != 0)
		return -ENOMEM;
	endpoint_table_base(&remote->endpoints, remote->profile->first_dynamic);
	return backlog_init(&remote->backlog, remote->config.backlog);
}

uint64_t remote_offered_features(const struct remote *remote)
{
	return remote->config.offered;
}

static bool config_is_valid(const struct remote_config *config)
{
	if (config->backlog > REMOTE_MAX_BACKLOG || config->max_endpoints > REMOTE_MAX_ENDPOINTS ||
	    config->max_queue > VRING_MAX_SIZE)
		return false;
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		uint32_t size = config->buffer_size[i];

		if (size != 0 && (size < PROFILE_MIN_BUFFER || size > PROFILE_MAX_BUFFER))
			return false;
	}
	return true;
}

static void take_config(struct remote *remote, const struct remote_config *config)
{
	if (config != NULL)
		remote->config = *config;
	if (remote->config.backlog == 0)
		remote->config.backlog = REMOTE_DEFAULT_BACKLOG;
	if (remote->config.max_endpoints == 0)
		remote->config.max_endpoints = REMOTE_DEFAULT_ENDPOINTS;
	if (remote->config.max_queue == 0)
		remote->config.max_queue = VRING_MAX_SIZE;
	remote->profile = remote->config.profile != NULL ? remote->config.profile : profile_at(0);
	remote->layout =
		remote->config.layout != NULL ? remote->config.layout : remote->profile->layout;
	if (remote->config.offered == 0 && !remote->config.offered_set)
		remote->config.offered = remote->profile->features;
}

int remote_new(struct remote **result, const struct remote_config *config,
	       const struct remote_ops *ops, void *ctx, const struct violation_sink *sink)
{
	struct remote *remote;

	if (config != NULL && !config_is_valid(config))
		return -EINVAL;
	remote = calloc(1, sizeof(*remote));
	if (remote == NULL)
		return -ENOMEM;
	remote->ops = ops;
	remote->ctx = ctx;
	remote->sink = sink;
	remote->telling = ops->event != NULL;
	take_config(remote, config);
	remote_check_host(remote, remote->config.check);
	remote_config_reset(remote);
	fault_set_init(&remote->faults);
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
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		pacing_fini(&remote->queues[i].pacing);
	free(remote->host_channels);
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
	queue->kicks = 0;
	queue->limit = remote_buffer_size(remote, index);
	queue->first_size = queue->limit;
	queue->no_calls = index == RPMSG_QUEUE_OUTPUT && remote->profile->no_consumed_notify;
	remote->stats.queues[index].avail_at_start =
		(uint16_t)(vq->last_avail + (count > 0 ? count : 0));
}

void remote_finish_request(struct remote *remote)
{
	if (!remote->attached || remote->crashed)
		return;
	queues_flush(remote);
	if (remote->ops->wake != NULL)
		remote->ops->wake(remote->ctx);
}

static void negotiate(struct remote *remote, uint64_t features)
{
	remote->features = features;
	remote->order = rpmsg_order((features & VIRTIO_BIT(VIRTIO_F_VERSION_1)) != 0);
	remote->ns_on = (features & VIRTIO_BIT(RPMSG_F_NS)) != 0;
	remote->ack_on = remote->ns_on && remote->profile->ns_ack &&
			 (features & VIRTIO_BIT(RPMSG_F_NUTTX_ACK)) != 0;
}

static void announce_all(struct remote *remote)
{
	list_for_each(node, &remote->created)
		service_attach(remote, list_entry(node, struct service_info, created));
}

int remote_attach(struct remote *remote, struct virtq *input, struct virtq *output,
		  uint64_t features)
{
	if (remote->attached)
		return -EBUSY;
	if (input->num > remote->config.max_queue || output->num > remote->config.max_queue)
		return -EINVAL;
	negotiate(remote, features);
	attach_queue(remote, RPMSG_QUEUE_INPUT, input);
	attach_queue(remote, RPMSG_QUEUE_OUTPUT, output);
	pacing_start(remote);
	remote->attached = true;
	remote->deaf = fault_is_active(&remote->faults, FAULT_LIFE_SILENT);
	remote_update_mute(remote);
	remote->stats.sessions++;
	checker_attach(remote);
	announce_all(remote);
	if (fault_due(&remote->faults, FAULT_PLACE_ATTACH))
		fault_attach(remote);
	remote_finish_request(remote);
	return 0;
}

void remote_queue_ready(struct remote *remote, struct virtq *input, uint64_t features)
{
	struct remote_queue *queue = &remote->queues[RPMSG_QUEUE_INPUT];

	if (remote->attached || input->num > remote->config.max_queue ||
	    (features & VIRTIO_BIT(RPMSG_F_NS)) == 0 || list_empty(&remote->created) ||
	    !fault_due(&remote->faults, FAULT_PLACE_EARLY) ||
	    fault_first(&remote->faults, FAULT_PLACE_EARLY) == FAULT_COUNT)
		return;
	negotiate(remote, features);
	attach_queue(remote, RPMSG_QUEUE_INPUT, input);
	pacing_start(remote);
	remote->early = true;
	fault_fired(remote, FAULT_NS_BEFORE_DRIVER_OK, RPMSG_QUEUE_INPUT, REMOTE_NO_DESC);
	list_for_each(node, &remote->created)
	{
		struct service_info *info = list_entry(node, struct service_info, created);

		if (info->service != NULL)
			nameservice_announce(remote, info);
	}
	emit_pump(remote, UINT32_MAX);
	/* What found no buffer is announced again once the driver is ready. */
	nameservice_give_up(remote);
	remote->stats.backlog = 0;
	queue_flush_early(remote);
	queue->vq = NULL;
}

/* What a session leaves behind that is none of the next one's business. */
static void forget_session(struct remote *remote)
{
	remote->host_channel_count = 0;
	remote->flood_next = 0;
	remote->flood_end = 0;
	remote->restart_pending = false;
	list_for_each(node, &remote->created)
		service_detach(remote, list_entry(node, struct service_info, created));
}

/* Nothing can be sent any more, nor does a service have room. */
static void let_go_of_queues(struct remote *remote)
{
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		remote->queues[i].vq = NULL;
		pacing_forget(remote, i);
	}
}

void remote_detach(struct remote *remote)
{
	remote_config_reset(remote);
	/* Whoever has crashed returns nothing. */
	if (remote->attached && !remote->crashed)
		pacing_end(remote);
	if (remote->attached)
		emit_give_up(remote);
	if (remote->attached && !remote->crashed)
		queues_flush(remote);
	if (remote->attached || remote->early) {
		remote->attached = false;
		remote->early = false;
		let_go_of_queues(remote);
		forget_session(remote);
	}
	remote->crashed = false;
	remote->deaf = false;
	remote_update_mute(remote);
}

void remote_restart(struct remote *remote, bool lose)
{
	if (lose) {
		for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
			pacing_forget(remote, i);
	} else {
		pacing_end(remote);
	}
	emit_give_up(remote);
	forget_session(remote);
	announce_all(remote);
}

/* ---- the loop ---------------------------------------------------------------------------- */

void remote_kick(struct remote *remote, unsigned int queue, uint64_t count)
{
	struct remote_event event = {.type = REMOTE_EVENT_KICK, .queue = queue};

	if (queue >= RPMSG_NUM_QUEUES)
		return;
	remote->stats.queues[queue].kicks += count;
	remote->queues[queue].kicks += (uint32_t)count;
	if (remote->ops->event != NULL)
		remote->ops->event(remote->ctx, &event);
	if (remote->attached && remote->checking)
		checker_kick(remote, queue);
	if (fault_due(&remote->faults, FAULT_PLACE_KICK)) {
		fault_kick(remote, queue);
	} else if (remote->deaf) {
		remote->deaf = false;
		remote_update_mute(remote);
	}
}

static struct service *timer_service(struct timer *timer)
{
	return list_entry(timer, struct service_info, timer)->service;
}

static uint64_t next_deadline(const struct remote *remote)
{
	const struct timer *timer = timers_first(&remote->timers);
	uint64_t paced = pacing_deadline(remote);

	return timer != NULL && timer->when < paced ? timer->when : paced;
}

/* The time, or 0 while nobody waits for any: asking may cost a system call. */
static uint64_t time_if_needed(const struct remote *remote)
{
	return next_deadline(remote) != REMOTE_NO_DEADLINE ? remote->ops->now(remote->ctx) : 0;
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

/* A sender fills one buffer after the other: those that it will have soon are fetched meanwhile. */
static void fetch_buffer(struct remote *remote)
{
	const struct remote_queue *queue = &remote->queues[RPMSG_QUEUE_INPUT];
	const uint8_t *soon = virtq_ahead(queue->vq, FETCH_DISTANCE, RPMSG_HDR_SIZE);

	if (soon != NULL)
		fetch_to_write(soon, queue->first_size);
}

static uint32_t run_room_waiters(struct remote *remote, uint32_t budget)
{
	uint32_t count = 0;

	while (count < budget && !list_empty(&remote->room_waiters) && emit_has_buffer(remote)) {
		struct service_info *info =
			list_entry(remote->room_waiters.next, struct service_info, room);

		fetch_buffer(remote);
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

	while (count < budget && !remote->muted && emit_can_take_reply(remote) &&
	       receive_one(remote)) {
		count += 1 + remote->extra_cost;
		remote->extra_cost = 0;
	}
	return count;
}

static uint32_t run_pump(struct remote *remote, uint32_t budget)
{
	const struct remote_queue *queue = &remote->queues[RPMSG_QUEUE_INPUT];
	uint32_t count = 0;

	if (queue->holding || remote->muted || !queue_usable(queue))
		return 0;
	if (emit_waiting(remote) != 0)
		count = emit_pump(remote, budget);
	if (remote->flood_next != remote->flood_end)
		count += fault_flood(remote, budget - count);
	return count;
}

/* Is there something that remote_run() would do if it were called again now? */
static bool work_left(struct remote *remote)
{
	struct remote_queue *input = &remote->queues[RPMSG_QUEUE_INPUT];
	struct remote_queue *output = &remote->queues[RPMSG_QUEUE_OUTPUT];
	uint64_t deadline = next_deadline(remote);
	bool wants_buffer = emit_waiting(remote) != 0 || !list_empty(&remote->room_waiters) ||
			    remote->flood_next != remote->flood_end;
	/* Looked at in any case: only then does the host kick for what it supplies next. */
	int supplied = virtq_avail_count(input->vq);
	int offered = virtq_avail_count(output->vq);

	return (supplied > 0 && wants_buffer && !input->holding) ||
	       (offered > 0 && emit_can_take_reply(remote)) ||
	       (deadline != REMOTE_NO_DEADLINE && deadline <= remote->ops->now(remote->ctx));
}

/*
 * Show the host what is done while there is more to do: it can work on that meanwhile. What a queue
 * is paced with goes back at the end of the turn.
 */
static void show_progress(struct remote *remote)
{
	if (!remote->muted && remote->queues[RPMSG_QUEUE_INPUT].pacing.staged_count == 0 &&
	    remote->queues[RPMSG_QUEUE_OUTPUT].pacing.staged_count == 0)
		queues_flush(remote);
}

static void run(struct remote *remote, uint32_t *left)
{
	uint32_t before;

	do {
		uint64_t now = time_if_needed(remote);
		uint32_t batch;

		before = *left;
		*left -= run_pump(remote, *left);
		if (now != 0)
			pacing_run(remote, now);
		*left -= run_timers(remote, now, *left);
		*left -= run_room_waiters(remote, *left < RECEIVE_BATCH ? *left : RECEIVE_BATCH);
		batch = run_receive(remote, *left < RECEIVE_BATCH ? *left : RECEIVE_BATCH);
		*left -= batch < *left ? batch : *left;
		if (remote->restart_pending && remote->notice_count == 0) {
			fault_restart(remote);
			*left -= *left != 0;
		}
		/* After fewer there is nothing left to do, and the turn ends anyway. */
		if (before - *left >= RECEIVE_BATCH)
			show_progress(remote);
	} while (*left != 0 && *left != before && !remote->muted);
}

/* Serve without asking for kicks. Return: budget that is left. */
static uint32_t serve(struct remote *remote, uint32_t budget)
{
	bool telling = remote->telling;
	uint32_t left = budget;

	if (remote->ops->quiet != NULL && remote->ops->quiet(remote->ctx))
		remote->telling = false;
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		virtq_set_notify(remote->queues[i].vq, false);
	run(remote, &left);
	remote->telling = telling;
	if (!remote->crashed)
		queues_flush(remote);
	return left;
}

bool remote_run(struct remote *remote, unsigned int budget)
{
	uint32_t left;

	if (!remote->attached || remote->muted)
		return false;
	left = serve(remote, budget);
	if (remote->crashed)
		return false;
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

void remote_serve(struct remote *remote, unsigned int budget)
{
	if (remote->attached && !remote->muted)
		serve(remote, budget);
}

bool remote_has_work(struct remote *remote)
{
	return remote->attached && !remote->muted && work_left(remote);
}

uint64_t remote_deadline(const struct remote *remote)
{
	return remote->attached && !remote->muted ? next_deadline(remote) : REMOTE_NO_DEADLINE;
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
		wanted = service_lowest_free(remote);
	if (wanted == RPMSG_ADDR_ANY)
		return -ENOSPC;
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
		remote_finish_request(remote);
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
		remote_finish_request(remote);
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
		.raw = true,
	};
	int ret = emit(remote, &out);

	remote_finish_request(remote);
	return ret;
}

int remote_hold(struct remote *remote, unsigned int queue, uint32_t count)
{
	if (queue >= RPMSG_NUM_QUEUES)
		return -EINVAL;
	remote->queues[queue].holding = count == 0;
	remote->queues[queue].pacing.hold_next = count;
	pacing_update(remote, queue);
	return 0;
}

int64_t remote_release(struct remote *remote, unsigned int queue, uint32_t count)
{
	uint32_t released = 0;

	if (queue >= RPMSG_NUM_QUEUES)
		return -EINVAL;
	if (count == 0) {
		remote->queues[queue].holding = false;
		remote->queues[queue].pacing.hold_next = 0;
		pacing_update(remote, queue);
	}
	if (!remote->attached || remote->muted)
		return 0;
	if (count == 0)
		count = remote->queues[queue].vq->num;
	released = pacing_release(remote, queue, count);
	if (queue == RPMSG_QUEUE_INPUT && queue_usable(&remote->queues[queue]))
		released += emit_pump(remote, count - released);
	remote_finish_request(remote);
	return released;
}

void remote_check_host(struct remote *remote, enum remote_check check)
{
	remote->config.check = check;
	remote->checking = check != REMOTE_CHECK_OFF && remote->sink != NULL;
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
