/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/events.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "vhost/vhost_proto.h"

static const char *const type_names[EVENT_TYPE_COUNT] = {
#define EVENT_NAME(symbol, name, text) [EVENT_##symbol] = (name),
	EVENT_TABLE(EVENT_NAME)
#undef EVENT_NAME
};

const char *event_type_name(enum event_type type)
{
	return type < EVENT_TYPE_COUNT ? type_names[type] : NULL;
}

void events_listen(struct events *events, struct events_listener *listener)
{
	struct events_listener **link = &events->listeners;

	while (*link)
		link = &(*link)->next;
	listener->next = NULL;
	*link = listener;
}

json_t *events_number(uint64_t value)
{
	if (value <= INT64_MAX)
		return json_integer((json_int_t)value);
	return json_sprintf("0x%" PRIx64, value);
}

/* U+FFFD in UTF-8, for what is not UTF-8. */
static const char replacement[] = "\xef\xbf\xbd";

json_t *events_text(const char *text)
{
	json_t *whole = json_string(text);
	char *clean;
	size_t at = 0;

	if (whole)
		return whole;
	clean = malloc(strlen(text) * (sizeof(replacement) - 1) + 1);
	if (!clean)
		return NULL;
	for (; *text; text++) {
		if ((unsigned char)*text < 0x80) {
			clean[at++] = *text;
			continue;
		}
		memcpy(clean + at, replacement, sizeof(replacement) - 1);
		at += sizeof(replacement) - 1;
	}
	whole = json_stringn(clean, at);
	free(clean);
	return whole;
}

json_t *events_bytes(struct events *events, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	if (size > sizeof(events->hex) / 2)
		size = sizeof(events->hex) / 2;
	for (size_t i = 0; i < size; i++) {
		events->hex[2 * i] = digits[bytes[i] >> 4];
		events->hex[2 * i + 1] = digits[bytes[i] & 0xf];
	}
	return json_stringn_nocheck(events->hex, 2 * size);
}

bool events_wanted(const struct events *events, uint32_t types)
{
	for (const struct events_listener *l = events->listeners; l; l = l->next) {
		if (l->wanted & types)
			return true;
	}
	return false;
}

/* Counts an event that somebody wants, and then its JSON is worth building. */
static bool begin(struct events *events, enum event_type type)
{
	if (!events_wanted(events, EVENT_BIT(type)))
		return false;
	events->seq++;
	return true;
}

/* Takes params over. Without memory for it the event is lost; its number shows the gap. */
static void publish(struct events *events, const char *remote, enum event_type type, json_t *params)
{
	json_t *notification;

	if (!params)
		return;
	json_object_set_new(params, "seq", events_number(events->seq));
	json_object_set_new(params, "time_ns", events_number(uv_hrtime()));
	json_object_set_new(params, "type", json_string(type_names[type]));
	json_object_set_new(params, "remote", json_string(remote));
	notification =
		json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", "event", "params", params);
	for (struct events_listener *l = events->listeners; notification && l; l = l->next) {
		if (l->wanted & EVENT_BIT(type))
			l->deliver(l->ctx, type, remote, notification);
	}
	json_decref(notification);
}

void events_connected(struct events *events, const char *remote)
{
	if (begin(events, EVENT_CONNECTED))
		publish(events, remote, EVENT_CONNECTED, json_object());
}

void events_disconnected(struct events *events, const char *remote, const char *reason)
{
	if (begin(events, EVENT_DISCONNECTED))
		publish(events, remote, EVENT_DISCONNECTED, json_pack("{s:s}", "reason", reason));
}

void events_features(struct events *events, const char *remote, uint64_t acked)
{
	if (begin(events, EVENT_FEATURES))
		publish(events, remote, EVENT_FEATURES,
			json_pack("{s:o}", "acked", events_number(acked)));
}

static json_t *status_names(uint8_t status)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} bits[] = {
		{VIRTIO_STATUS_ACKNOWLEDGE, "ACKNOWLEDGE"},
		{VIRTIO_STATUS_DRIVER, "DRIVER"},
		{VIRTIO_STATUS_DRIVER_OK, "DRIVER_OK"},
		{VIRTIO_STATUS_FEATURES_OK, "FEATURES_OK"},
		{VIRTIO_STATUS_NEEDS_RESET, "NEEDS_RESET"},
		{VIRTIO_STATUS_FAILED, "FAILED"},
	};
	json_t *names = json_array();

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		if (status & bits[i].bit)
			json_array_append_new(names, json_string(bits[i].name));
	}
	return names;
}

void events_status(struct events *events, const char *remote, uint8_t status)
{
	if (begin(events, EVENT_STATUS))
		publish(events, remote, EVENT_STATUS,
			json_pack("{s:i, s:o}", "status", status, "names", status_names(status)));
}

void events_queue(struct events *events, const char *remote, unsigned int queue, bool started,
		  uint32_t size, uint16_t avail_at_start)
{
	if (begin(events, EVENT_QUEUE))
		publish(events, remote, EVENT_QUEUE,
			json_pack("{s:i, s:s, s:i, s:i}", "queue", queue, "state",
				  started ? "started" : "stopped", "size", size, "avail_at_start",
				  avail_at_start));
}

void events_driver_ok(struct events *events, const char *remote, uint64_t session,
		      const uint16_t avail_at_start[RPMSG_NUM_QUEUES])
{
	if (begin(events, EVENT_DRIVER_OK))
		publish(events, remote, EVENT_DRIVER_OK,
			json_pack("{s:o, s:[i, i]}", "session", events_number(session), "queues",
				  avail_at_start[RPMSG_QUEUE_INPUT],
				  avail_at_start[RPMSG_QUEUE_OUTPUT]));
}

void events_reset(struct events *events, const char *remote)
{
	if (begin(events, EVENT_RESET))
		publish(events, remote, EVENT_RESET, json_object());
}

/* Of a queue or a descriptor; below 0: there is none. */
static json_t *number_or_null(int number)
{
	return number < 0 ? json_null() : json_integer(number);
}

void events_violation(struct events *events, const char *remote,
		      const struct violation_record *record)
{
	if (!begin(events, EVENT_VIOLATION))
		return;
	publish(events, remote, EVENT_VIOLATION,
		json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "name",
			  violation_name(record->what), "requirement",
			  violation_requirement(record->what), "level",
			  violation_level_name(violation_level(record->what)), "queue",
			  number_or_null(record->queue), "desc_id", number_or_null(record->desc_id),
			  "expected", events_number(record->expected), "seen",
			  events_number(record->seen)));
}

/* Members that a message has in both directions. */
static json_t *message_members(struct events *events, const struct remote_event *event)
{
	json_t *header =
		event->header ? events_bytes(events, event->header, RPMSG_HDR_SIZE) : json_null();

	return json_pack("{s:o, s:I, s:I, s:I, s:i, s:i, s:o, s:i, s:I, s:I, s:I, s:I}", "header",
			 header, "src", (json_int_t)event->hdr.src, "dst",
			 (json_int_t)event->hdr.dst, "reserved", (json_int_t)event->hdr.reserved,
			 "len", event->hdr.len, "flags", event->hdr.flags, "data",
			 events_bytes(events, event->payload, event->payload_size), "desc_id",
			 event->desc_id, "desc_len", (json_int_t)event->desc_len, "desc_count",
			 (json_int_t)event->desc_count, "readable", (json_int_t)event->readable,
			 "writable", (json_int_t)event->writable);
}

static json_t *received_members(struct events *events, const struct remote_event *event)
{
	json_t *members = message_members(events, event);

	json_object_set_new(members, "verdict",
			    json_string(event->delivered ? "delivered" : "dropped"));
	if (!event->delivered)
		json_object_set_new(members, "reason", json_string(remote_drop_name(event->drop)));
	return members;
}

static json_t *sent_members(struct events *events, const struct remote_event *event)
{
	json_t *members = message_members(events, event);

	json_object_set_new(members, "used_len", json_integer((json_int_t)event->used_len));
	return members;
}

/* Of the flags only bit 0 says something on a standard link; NS-006 reports the others. */
static json_t *ns_members(const struct remote_event *event)
{
	return json_pack("{s:s, s:o, s:I, s:s}", "action",
			 event->ns->flags & RPMSG_NS_DESTROY ? "destroy" : "create", "name",
			 events_text(event->ns->name), "addr", (json_int_t)event->ns->addr,
			 "direction", event->to_host ? "to-host" : "from-host");
}

static json_t *fault_members(const struct remote_event *event)
{
	return json_pack("{s:s, s:o, s:o}", "fault", fault_at(event->fault)->name, "queue",
			 number_or_null(event->queue == REMOTE_NO_QUEUE ? -1 : (int)event->queue),
			 "desc_id",
			 number_or_null(event->desc_id == REMOTE_NO_DESC ? -1 : event->desc_id));
}

void events_remote(struct events *events, const char *remote, const struct remote_event *event)
{
	switch (event->type) {
	case REMOTE_EVENT_MESSAGE:
		if (begin(events, EVENT_MESSAGE))
			publish(events, remote, EVENT_MESSAGE, received_members(events, event));
		break;
	case REMOTE_EVENT_SENT:
		if (begin(events, EVENT_SENT))
			publish(events, remote, EVENT_SENT, sent_members(events, event));
		break;
	case REMOTE_EVENT_RETURNED:
		if (begin(events, EVENT_RETURNED))
			publish(events, remote, EVENT_RETURNED,
				json_pack("{s:i, s:i, s:I}", "queue", event->queue, "desc_id",
					  event->desc_id, "used_len", (json_int_t)event->used_len));
		break;
	case REMOTE_EVENT_NS:
		if (begin(events, EVENT_NS))
			publish(events, remote, EVENT_NS, ns_members(event));
		break;
	case REMOTE_EVENT_KICK:
		if (begin(events, EVENT_KICK))
			publish(events, remote, EVENT_KICK,
				json_pack("{s:i}", "queue", event->queue));
		break;
	case REMOTE_EVENT_FAULT:
		if (begin(events, EVENT_FAULT))
			publish(events, remote, EVENT_FAULT, fault_members(event));
		break;
	case REMOTE_EVENT_CONFIG:
		if (begin(events, EVENT_CONFIG))
			publish(events, remote, EVENT_CONFIG,
				json_pack("{s:I, s:I}", "to_host",
					  (json_int_t)event->buffer_size[RPMSG_QUEUE_INPUT],
					  "to_remote",
					  (json_int_t)event->buffer_size[RPMSG_QUEUE_OUTPUT]));
		break;
	}
}
