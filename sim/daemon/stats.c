/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/stats.h"

#include "daemon/events.h"

static json_t *queue_json(struct instance *instance, unsigned int index)
{
	const struct remote_queue_stats *stats = &remote_get_stats(instance->remote)->queues[index];
	struct backend_queue *queue = &instance->backend.queues[index];
	int pending = 0;

	if (queue->vq.started && !queue->vq.broken)
		pending = virtq_avail_count(&queue->vq);
	if (pending < 0)
		instance_schedule(instance); /* it broke under our look: let the remote find out */
	return json_pack("{s:I, s:b, s:b, s:o, s:o, s:o, s:o, s:I, s:i, s:i}", "size",
			 (json_int_t)queue->num, "enabled", queue->enabled, "broken",
			 queue->vq.broken, "kicks", events_number(stats->kicks), "calls",
			 events_number(stats->calls), "popped", events_number(stats->popped),
			 "returned", events_number(stats->returned), "held",
			 (json_int_t)stats->held, "avail_at_start", instance->avail_at_start[index],
			 "avail_pending", pending > 0 ? pending : 0);
}

struct endpoint_list {
	json_t *array;
	uint32_t from;
	uint32_t total;
};

static int add_endpoint(void *ctx, const struct remote_endpoint_info *info)
{
	struct endpoint_list *list = ctx;
	json_t *peer;

	list->total++;
	if (info->addr < list->from || json_array_size(list->array) == STATS_MAX_ENDPOINTS)
		return 0;
	peer = info->peer == RPMSG_ADDR_ANY ? json_null() : json_integer(info->peer);
	return json_array_append_new(
		list->array,
		json_pack("{s:I, s:o, s:s, s:o, s:o, s:o, s:b}", "addr", (json_int_t)info->addr,
			  "name", events_text(info->name), "kind", info->kind, "received",
			  events_number(info->received), "sent", events_number(info->sent), "peer",
			  peer, "announced", info->announced));
}

static json_t *messages_json(const struct remote_stats *stats)
{
	json_t *dropped = json_object();

	for (int reason = 0; reason < REMOTE_DROP_COUNT; reason++) {
		if (stats->dropped[reason])
			json_object_set_new(dropped, remote_drop_name(reason),
					    events_number(stats->dropped[reason]));
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "received", events_number(stats->received),
			 "delivered", events_number(stats->delivered), "dropped", dropped, "sent",
			 events_number(stats->sent), "send_failed",
			 events_number(stats->send_failed));
}

static json_t *violations_json(const struct instance *instance)
{
	json_t *violations = json_object();

	for (int what = 0; what < VIOLATION_COUNT; what++) {
		if (instance->violations[what])
			json_object_set_new(violations, violation_name(what),
					    events_number(instance->violations[what]));
	}
	return violations;
}

/* Of those that ever fired. */
static json_t *faults_json(const struct instance *instance)
{
	json_t *faults = json_object();

	for (enum fault fault = 0; fault < FAULT_COUNT; fault++) {
		struct fault_status status = {0};

		remote_fault_status(instance->remote, fault, &status);
		if (status.fired)
			json_object_set_new(faults, fault_at(fault)->name,
					    events_number(status.fired));
	}
	return faults;
}

json_t *stats_json(struct instance *instance, uint32_t endpoints_from)
{
	const struct remote_stats *stats = remote_get_stats(instance->remote);
	const struct backend *backend = &instance->backend;
	struct endpoint_list list = {.array = json_array(), .from = endpoints_from};

	remote_endpoints(instance->remote, add_endpoint, &list);
	return json_pack(
		"{s:b, s:b, s:i, s:{s:o, s:o}, s:o, s:[o, o], s:o, s:I, s:o, s:o, s:o, s:I}",
		"connected", instance_connected(instance), "driver_ok", backend->driver_ok,
		"status", backend->status, "features", "offered",
		events_number(backend->offer.features), "acked", events_number(backend->acked),
		"sessions", events_number(stats->sessions), "queues",
		queue_json(instance, RPMSG_QUEUE_INPUT), queue_json(instance, RPMSG_QUEUE_OUTPUT),
		"endpoints", list.array, "endpoints_total", (json_int_t)list.total, "messages",
		messages_json(stats), "violations", violations_json(instance), "faults",
		faults_json(instance), "pending_sends", (json_int_t)stats->backlog);
}
