/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/station.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/oracle.h"
#include "daemon/instance_internal.h"

#define BACKLOG 16
#define MAX_ENDPOINTS 64
#define MAX_QUEUE 1024 /* as many as fit memory, so that a remote is made quickly */
#define MESSAGE_TURNS 4

static const enum world_file kick_files[] = {WORLD_EVENT_0, WORLD_EVENT_1};

/* ---- the front-end's end of the connection ------------------------------------------------ */

static void drop_stream(struct station *st)
{
	while (st->fd_at < st->fd_count)
		close(st->fds[st->fd_at++].fd);
	st->fd_at = st->fd_count = 0;
	st->stream_at = st->stream_size = 0;
	st->answer_size = 0;
}

/* Answers are whole messages, one after the other. */
static void on_sent(void *ctx, const uint8_t *bytes, size_t size, const int *fds,
		    unsigned int count)
{
	struct station *st = ctx;

	ORACLE("answer-descriptors", count == 0, "an answer with %u descriptors", count);
	for (size_t i = 0; i < size; i++) {
		uint32_t payload;

		st->answer[st->answer_size++] = bytes[i];
		if (st->answer_size < VHOST_HDR_SIZE)
			continue;
		payload = vhost_get_u32(st->answer + 8);
		ORACLE("answer-header",
		       payload <= VHOST_MAX_PAYLOAD &&
			       vhost_get_u32(st->answer + 4) == (VHOST_VERSION | VHOST_FLAG_REPLY),
		       "flags 0x%x, %u bytes", vhost_get_u32(st->answer + 4), payload);
		if (st->answer_size < VHOST_HDR_SIZE + payload)
			continue;
		st->answers++;
		st->answer_size = 0;
	}
}

static ssize_t on_receive(void *ctx, uint8_t *bytes, size_t room, int *fds, unsigned int room_fds,
			  unsigned int *count)
{
	struct station *st = ctx;
	size_t size = st->stream_size - st->stream_at;

	*count = 0;
	if (size == 0)
		return st->left ? 0 : -1;
	if (size > room)
		size = room;
	while (st->fd_at < st->fd_count && st->fds[st->fd_at].at == st->stream_at &&
	       *count < room_fds)
		fds[(*count)++] = st->fds[st->fd_at++].fd;
	/* As the kernel does: bytes that others come with are read for themselves. */
	if (st->fd_at < st->fd_count && st->fds[st->fd_at].at > st->stream_at &&
	    size > st->fds[st->fd_at].at - st->stream_at)
		size = st->fds[st->fd_at].at - st->stream_at;
	memcpy(bytes, st->stream + st->stream_at, size);
	st->stream_at += size;
	if (st->stream_at == st->stream_size && st->fd_at == st->fd_count)
		st->stream_at = st->stream_size = st->fd_at = st->fd_count = 0;
	return (ssize_t)size;
}

static bool on_readable(void *ctx)
{
	const struct station *st = ctx;

	return st->left || st->stream_at < st->stream_size;
}

static bool on_gone(void *ctx)
{
	const struct station *st = ctx;

	return st->left;
}

static bool on_connecting(void *ctx)
{
	const struct station *st = ctx;

	return st->connecting;
}

static void on_accepted(void *ctx)
{
	struct station *st = ctx;

	st->connecting = false;
	st->connected = true;
	st->left = false;
}

static void on_closed(void *ctx)
{
	struct station *st = ctx;

	st->connected = false;
	st->ready = false;
	drop_stream(st);
}

void station_stream(struct station *st, const void *bytes, size_t size,
		    const enum world_file *files, unsigned int count)
{
	if (!st->connected || st->left || size == 0)
		return;
	if (size > sizeof(st->stream) - st->stream_size)
		size = sizeof(st->stream) - st->stream_size;
	if (size == 0)
		return;
	for (unsigned int i = 0; i < count && st->fd_count < STATION_FDS; i++) {
		int fd = world_open(files[i]);

		if (fd < 0)
			break;
		st->fds[st->fd_count].at = st->stream_size;
		st->fds[st->fd_count++].fd = fd;
	}
	memcpy(st->stream + st->stream_size, bytes, size);
	st->stream_size += size;
}

bool station_turns(struct station *st, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (!loop_turn())
			return true;
	return false;
}

bool station_connect(struct station *st)
{
	station_leave(st);
	st->connecting = true;
	for (unsigned int i = 0; i < MESSAGE_TURNS && !st->connected; i++)
		loop_turn();
	return st->connected;
}

void station_leave(struct station *st)
{
	st->ready = false;
	if (!st->connected)
		return;
	st->left = true;
	for (unsigned int i = 0; i < 4 * MESSAGE_TURNS && st->connected; i++)
		loop_turn();
}

bool station_message(struct station *st, uint32_t request, uint32_t flags, const void *payload,
		     uint32_t size, enum world_file file)
{
	uint8_t bytes[VHOST_HDR_SIZE + VHOST_MAX_PAYLOAD];

	if (!st->connected)
		return false;
	if (size > VHOST_MAX_PAYLOAD)
		size = VHOST_MAX_PAYLOAD;
	vhost_put_hdr(bytes, request, VHOST_VERSION | flags, size);
	if (size != 0)
		memcpy(bytes + VHOST_HDR_SIZE, payload, size);
	station_stream(st, bytes, VHOST_HDR_SIZE + size, &file, file < WORLD_FILE_COUNT);
	for (unsigned int i = 0; i < MESSAGE_TURNS && st->stream_at < st->stream_size; i++)
		loop_turn();
	return st->connected;
}

/* ---- a good front-end --------------------------------------------------------------------- */

static bool tell_u64(struct station *st, uint32_t request, uint64_t value)
{
	return station_message(st, request, 0, &value, sizeof(value), WORLD_FILE_COUNT);
}

static bool tell_event(struct station *st, uint32_t request, uint64_t value, enum world_file file)
{
	return station_message(st, request, 0, &value, sizeof(value), file);
}

static bool ask(struct station *st, uint32_t request)
{
	return station_message(st, request, 0, NULL, 0, WORLD_FILE_COUNT);
}

static bool send_memory(struct station *st, bool slots)
{
	const uint64_t region[] = {!slots, STATION_GUEST, WORLD_RAM_SIZE, STATION_USER, 0};

	return station_message(st, slots ? VHOST_ADD_MEM_REG : VHOST_SET_MEM_TABLE, 0, region,
			       sizeof(region), WORLD_RAM);
}

static bool send_ring(struct station *st, unsigned int index, bool polled)
{
	const struct ledger *queue = &st->queues[index];
	const uint8_t *memory = st->memory;
	uint64_t at[5] = {index, STATION_USER + (uint64_t)((uint8_t *)queue->dq.desc - memory),
			  STATION_USER + (uint64_t)((uint8_t *)queue->dq.used - memory),
			  STATION_USER + (uint64_t)((uint8_t *)queue->dq.avail - memory),
			  STATION_GUEST + (uint64_t)((uint8_t *)queue->dq.used - memory)};

	return tell_event(st, VHOST_SET_VRING_CALL, index, WORLD_EVENT_2) &&
	       tell_event(st, VHOST_SET_VRING_ERR, index, WORLD_PIPE_WRITE) &&
	       tell_u64(st, VHOST_SET_VRING_NUM, index | (uint64_t)queue->num << 32) &&
	       tell_u64(st, VHOST_SET_VRING_BASE, index) &&
	       station_message(st, VHOST_SET_VRING_ADDR, 0, at, sizeof(at), WORLD_FILE_COUNT) &&
	       tell_event(st, VHOST_SET_VRING_KICK, index | (polled ? VHOST_VRING_NOFD : 0),
			  polled ? WORLD_FILE_COUNT : kick_files[index]) &&
	       tell_u64(st, VHOST_SET_VRING_ENABLE, index | UINT64_C(1) << 32);
}

static void make_ring(struct station *st, unsigned int index, uint32_t num)
{
	size_t first = STATION_BUFFERS + (size_t)index * STATION_MAX_ENTRIES * STATION_STRIDE;
	const struct ledger_place place = {
		.at = st->memory + first,
		.guest = STATION_GUEST + first,
		.stride = STATION_STRIDE,
		.room = STATION_BUFFER_SIZE,
		.guard = STATION_GUARD,
	};
	struct drvq_layout layout;

	ledger_stop(&st->queues[index]);
	ORACLE("station-ring",
	       drvq_layout(&layout, num) == 0 && layout.bytes <= STATION_RING_STRIDE,
	       "no ring of %u entries", num);
	ledger_start(&st->queues[index], index, st->memory + (size_t)index * STATION_RING_STRIDE,
		     &layout, num, st->features, &place);
}

bool station_handshake(struct station *st, const struct station_setup *setup)
{
	uint64_t offered = remote_offered_features(st->instance.remote);
	uint64_t protocol = VIRTIO_BIT(VHOST_PROTOCOL_F_REPLY_ACK) |
			    VIRTIO_BIT(VHOST_PROTOCOL_F_RESET_DEVICE) |
			    VIRTIO_BIT(VHOST_PROTOCOL_F_MQ);
	size_t size;
	bool good;

	if (!station_connect(st))
		return false;
	st->memory = world_memory(WORLD_RAM, &size);
	for (unsigned int i = 0; i < 2; i++)
		world_signal(kick_files[i], 0);
	st->features = offered & ~setup->without;
	if (setup->slots)
		protocol |= VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
	if (setup->status)
		protocol |= VIRTIO_BIT(VHOST_PROTOCOL_F_STATUS);
	if (remote_config_size(st->instance.remote) != 0)
		protocol |= VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIG);
	good = ask(st, VHOST_SET_OWNER) && ask(st, VHOST_GET_FEATURES) &&
	       ask(st, VHOST_GET_PROTOCOL_FEATURES) &&
	       tell_u64(st, VHOST_SET_PROTOCOL_FEATURES, protocol) &&
	       tell_u64(st, VHOST_SET_FEATURES,
			st->features | VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES)) &&
	       send_memory(st, setup->slots);
	for (unsigned int i = 0; good && i < RPMSG_NUM_QUEUES; i++)
		make_ring(st, i, UINT32_C(1) << setup->entries_log2[i]);
	st->ready = good;
	for (uint32_t i = 0; good && i < setup->buffers; i++)
		if (!station_post(st))
			break;
	for (unsigned int i = 0; good && i < RPMSG_NUM_QUEUES; i++) {
		world_signal(kick_files[i], 0);
		good = send_ring(st, i, setup->polled);
	}
	if (good && setup->status)
		good = tell_u64(st, VHOST_SET_STATUS, 11) && tell_u64(st, VHOST_SET_STATUS, 15);
	st->ready = good && st->connected;
	return st->ready && st->instance.backend.driver_ok;
}

/* ---- the guest ---------------------------------------------------------------------------- */

static bool give(struct station *st, unsigned int index, struct ledger_buffer *buffer)
{
	bool kick = false;

	if (!ledger_give(&st->queues[index], buffer, 1, &kick))
		return false;
	if (kick)
		world_signal(kick_files[index], 1);
	return true;
}

bool station_post(struct station *st)
{
	struct ledger_buffer *buffer = NULL;

	if (st->ready)
		buffer = ledger_find(&st->queues[RPMSG_QUEUE_INPUT], STATION_BUFFER_SIZE);
	return buffer != NULL && give(st, RPMSG_QUEUE_INPUT, buffer);
}

bool station_put(struct station *st, const void *bytes, uint32_t size)
{
	struct ledger *ledger = &st->queues[RPMSG_QUEUE_OUTPUT];
	struct ledger_buffer *buffer = st->ready ? ledger_find(ledger, size) : NULL;

	if (buffer == NULL)
		return false;
	memcpy(ledger_at(ledger, buffer), bytes, buffer->size);
	return give(st, RPMSG_QUEUE_OUTPUT, buffer);
}

bool station_take(struct station *st, unsigned int index)
{
	return st->ready &&
	       ledger_take(&st->queues[index], st->lies ? LEDGER_WILD : LEDGER_TRUST, NULL) != NULL;
}

void station_kick(struct station *st, unsigned int queue, uint64_t count)
{
	world_signal(kick_files[queue], count);
}

/* ---- the instance ------------------------------------------------------------------------- */

static void on_violation(void *ctx, const struct violation_record *record)
{
	struct station *st = ctx;

	if (st->violation != NULL)
		st->violation(st->violation_ctx, record);
	instance_on_violation(&st->instance, record);
}

static void on_finished(void *ctx, struct instance *instance)
{
	ORACLE("finished", world_failed(), "the instance takes no other front-end");
}

static const struct instance_ops instance_ops = {.finished = on_finished};

/* All but what is room for a text: that is most of it. */
static void clear(struct station *st)
{
	size_t room = offsetof(struct station, registry.events.hex);
	size_t rest = room + sizeof(st->registry.events.hex);

	memset(st, 0, room);
	memset((uint8_t *)st + rest, 0, sizeof(*st) - rest);
}

void station_begin(struct station *st, const struct remote_config *config,
		   void (*violation)(void *ctx, const struct violation_record *record), void *ctx)
{
	size_t size;

	clear(st);
	log_threshold = LOG_LEVEL_ERROR;
	st->peer = (struct world_peer){
		.sent = on_sent,
		.receive = on_receive,
		.readable = on_readable,
		.gone = on_gone,
		.connecting = on_connecting,
		.accepted = on_accepted,
		.closed = on_closed,
		.ctx = st,
	};
	world_begin(&st->peer);
	loop_begin();
	st->memory = world_memory(WORLD_RAM, &size);
	st->violation = violation;
	st->violation_ctx = ctx;
	if (config != NULL)
		st->config = *config;
	st->config.backlog = BACKLOG;
	st->config.max_endpoints = MAX_ENDPOINTS;
	st->config.max_queue = MAX_QUEUE;
	ORACLE("instance", instance_init(&st->instance, "fuzz", &st->config, &st->registry) == 0,
	       "no instance");
	registry_add(&st->registry, &st->instance);
	st->instance.sink = (struct violation_sink){.report = on_violation, .ctx = st};
	listener_adopt(&st->instance.listener, world_listen());
	ORACLE("instance", instance_start(&st->instance, NULL, false, &instance_ops, st) == 0,
	       "the instance does not start");
}

void station_end(struct station *st)
{
	world_fail(UINT32_MAX);
	instance_stop(&st->instance);
	(void)loop_turn();
	drop_stream(st);
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		ledger_stop(&st->queues[i]);
	loop_end();
	instance_free(&st->instance);
	world_end();
}

static unsigned int count_fd(int fd)
{
	if (fd < 0)
		return 0;
	ORACLE("stale-descriptor", world_is_open(fd), "the instance holds a closed one");
	return 1;
}

void station_check(const struct station *st)
{
	const struct instance *instance = &st->instance;
	const struct backend *be = &instance->backend;
	const struct remote_stats *stats = remote_get_stats(instance->remote);
	unsigned int held = count_fd(be->log_event.fd) + count_fd(be->request_fd) +
			    count_fd(instance->fd) + count_fd(instance->clock_fd) +
			    count_fd(instance->listener.fd);
	unsigned int mapped = be->map_count + (be->log_map.at != NULL);
	uint64_t accounted = stats->delivered;

	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		held += count_fd(be->queues[i].kick.fd) + count_fd(be->queues[i].call.fd) +
			count_fd(be->queues[i].err.fd) + count_fd(instance->kicks[i].fd);
	held += st->fd_count - st->fd_at + instance->reader.msg.fd_count;
	ORACLE("descriptor-leak", held == world_descriptors(), "%u are open, %u are held",
	       world_descriptors(), held);
	ORACLE("mapping-leak", mapped == world_mappings(), "there are %u, %u are held",
	       world_mappings(), mapped);
	for (unsigned int i = 0; i < REMOTE_DROP_COUNT; i++)
		accounted += stats->dropped[i];
	ORACLE("balance", stats->received == accounted,
	       "%llu messages were received, %llu delivered or dropped",
	       (unsigned long long)stats->received, (unsigned long long)accounted);
}
