/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/remote_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define INPUT RPMSG_QUEUE_INPUT
#define OUTPUT RPMSG_QUEUE_OUTPUT
#define MAX_RUNS 1000000 /* of remote_run() before it is taken to be endless */

/* An indirect table for each buffer lies behind it. */
#define TABLE_BYTES (HOST_MAX_PIECES * VRING_DESC_SIZE)

/* ---- what the remote tells ---------------------------------------------------------------- */

static void log_bytes(struct remote_host *host, const void *bytes, size_t size)
{
	if (!host->options.log)
		return;
	if (host->log_size + size > host->log_room) {
		host->log_room = 2 * (host->log_size + size);
		host->log = realloc(host->log, host->log_room);
		assert_non_null(host->log);
	}
	if (size != 0)
		memcpy(host->log + host->log_size, bytes, size);
	host->log_size += size;
}

static void log_number(struct remote_host *host, uint64_t number)
{
	log_bytes(host, &number, sizeof(number));
}

static uint64_t on_now(void *ctx)
{
	struct remote_host *host = ctx;

	return host->now;
}

static void on_call(void *ctx, unsigned int queue)
{
	struct remote_host *host = ctx;

	host->calls[queue]++;
	log_number(host, 0xca11 + queue);
	if (host->on_call != NULL)
		host->on_call(host, queue);
}

static void on_broken(void *ctx, unsigned int queue)
{
	struct remote_host *host = ctx;

	host->broken[queue]++;
}

static void on_wake(void *ctx)
{
	struct remote_host *host = ctx;

	host->wakes++;
}

static void on_life(void *ctx, enum remote_life what)
{
	struct remote_host *host = ctx;

	host->lives[what]++;
	log_number(host, 0x11fe + what);
}

static void log_event(struct remote_host *host, const struct remote_event *event)
{
	if (event->type == REMOTE_EVENT_FAULT)
		log_number(host, event->fault);
	log_number(host, event->type);
	log_number(host, event->queue);
	log_number(host, event->hdr.src);
	log_number(host, event->hdr.dst);
	log_number(host, event->hdr.reserved);
	log_number(host, event->hdr.len);
	log_number(host, event->hdr.flags);
	log_number(host, event->desc_id);
	log_number(host, event->desc_len);
	log_number(host, event->desc_count);
	log_number(host, event->readable);
	log_number(host, event->writable);
	log_number(host, event->used_len);
	log_number(host, event->delivered);
	log_number(host, event->drop);
	log_number(host, event->to_host);
	log_bytes(host, event->payload, event->payload_size);
	if (event->ns != NULL)
		log_bytes(host, event->ns->name, sizeof(event->ns->name));
}

static void on_event(void *ctx, const struct remote_event *event)
{
	struct remote_host *host = ctx;

	log_event(host, event);
	if (host->event_count == HOST_MAX_EVENTS)
		return;
	host->events[host->event_count].event = *event;
	host->events[host->event_count].event.payload = NULL;
	host->events[host->event_count].event.ns = NULL;
	if (event->header != NULL) {
		memcpy(host->events[host->event_count].header, event->header, RPMSG_HDR_SIZE);
		host->events[host->event_count].event.header =
			host->events[host->event_count].header;
	}
	if (event->ns != NULL)
		host->events[host->event_count].ns = *event->ns;
	host->event_count++;
}

static void on_violation(void *ctx, const struct violation_record *record)
{
	struct remote_host *host = ctx;

	host->violations[record->what]++;
	host->violation_count++;
	host->last_violation = *record;
	log_number(host, 0x10000 + record->what);
	log_number(host, record->seen);
	if (host->on_violation != NULL)
		host->on_violation(host);
}

static bool on_quiet(void *ctx)
{
	const struct remote_host *host = ctx;

	return host->options.quiet;
}

static const struct remote_ops ops = {
	.quiet = on_quiet,
	.now = on_now,
	.call = on_call,
	.queue_broken = on_broken,
	.wake = on_wake,
	.event = on_event,
	.life = on_life,
};

/* ---- life --------------------------------------------------------------------------------- */

static uint64_t stride(const struct remote_host *host, unsigned int queue)
{
	return (host->options.size[queue] + TABLE_BYTES + 15) / 16 * 16;
}

static uint64_t area(const struct remote_host *host, unsigned int queue)
{
	return stride(host, queue) * host->options.num[queue];
}

static uint64_t buffer_offset(const struct remote_host *host, unsigned int queue, uint32_t buffer)
{
	return (queue == OUTPUT ? area(host, INPUT) : 0) + buffer * stride(host, queue);
}

void host_setup(struct remote_host *host, const struct host_options *options)
{
	struct gmem_region region = {.guest_addr = HOST_MEMORY, .user_addr = 0x7f0000000000};

	memset(host, 0, sizeof(*host));
	if (options != NULL)
		host->options = *options;
	host->now = HOST_START_TIME;
	host->sink = (struct violation_sink){.report = on_violation, .ctx = host};
	host->events = calloc(HOST_MAX_EVENTS, sizeof(*host->events));
	assert_non_null(host->events);
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		if (host->options.num[i] == 0)
			host->options.num[i] = 16;
		if (host->options.size[i] == 0)
			host->options.size[i] = RPMSG_BUF_SIZE;
		host->free[i] = calloc(host->options.num[i], sizeof(uint32_t));
		assert_non_null(host->free[i]);
	}
	region.size = area(host, INPUT) + area(host, OUTPUT);
	host->memory = aligned_alloc(16, region.size);
	assert_non_null(host->memory);
	memset(host->memory, 0xee, region.size);
	region.host = host->memory;
	gmem_init(&host->mem);
	assert_int_equal(gmem_add(&host->mem, &region), 0);
	assert_int_equal(remote_new(&host->remote, &host->options.config, &ops, host, &host->sink),
			 0);
}

void host_teardown(struct remote_host *host)
{
	host_detach(host);
	remote_free(host->remote);
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		free(host->free[i]);
	free(host->memory);
	free(host->events);
	free(host->log);
	memset(host, 0, sizeof(*host));
}

static void start_ring(struct remote_host *host, unsigned int i)
{
	struct drvq_layout layout;
	struct virtq_rings rings = {0};

	assert_int_equal(drvq_layout(&layout, host->options.num[i]), 0);
	host->rings[i] = aligned_alloc(16, (layout.bytes + 15) / 16 * 16);
	assert_non_null(host->rings[i]);
	assert_int_equal(drvq_start(&host->dq[i], host->rings[i], &layout, host->options.num[i],
				    host->features),
			 0);
	rings.desc = host->rings[i] + layout.desc;
	rings.avail = host->rings[i] + layout.avail;
	rings.used = host->rings[i] + layout.used;
	virtq_init(&host->vq[i], (int)i, &host->sink);
	assert_int_equal(virtq_start(&host->vq[i], &host->mem, host->options.num[i], &rings, 0,
				     host->features),
			 0);
	host->free_count[i] = 0;
	for (uint32_t n = host->options.num[i]; n-- != 0;)
		host->free[i][host->free_count[i]++] = n;
}

void host_attach_bare(struct remote_host *host, uint64_t features)
{
	host->features = features;
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		start_ring(host, i);
	assert_int_equal(remote_attach(host->remote, &host->vq[INPUT], &host->vq[OUTPUT], features),
			 0);
}

void host_attach(struct remote_host *host, uint64_t features)
{
	host->features = features;
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		start_ring(host, i);
	host_supply(host, UINT32_MAX);
	assert_int_equal(remote_attach(host->remote, &host->vq[INPUT], &host->vq[OUTPUT], features),
			 0);
}

void host_detach(struct remote_host *host)
{
	remote_detach(host->remote);
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		virtq_stop(&host->vq[i]);
		drvq_stop(&host->dq[i]);
		free(host->rings[i]);
		host->rings[i] = NULL;
	}
}

uint32_t host_service(struct remote_host *host, const char *name, const char *kind, uint32_t addr)
{
	const struct service_kind *found = service_kind_find(kind);

	assert_non_null(found);
	assert_int_equal(remote_announce(host->remote, name, found, NULL, &addr), 0);
	return addr;
}

/* ---- buffers ------------------------------------------------------------------------------ */

static uint32_t take_free(struct remote_host *host, unsigned int queue)
{
	assert_int_not_equal(host->free_count[queue], 0);
	return host->free[queue][--host->free_count[queue]];
}

static void *cookie_of(uint32_t buffer)
{
	return (void *)((uintptr_t)buffer + 1);
}

/* Make one buffer available, cut into pieces. */
static uint16_t add(struct remote_host *host, unsigned int queue, uint32_t buffer,
		    const uint32_t *sizes, bool indirect)
{
	uint64_t offset = buffer_offset(host, queue, buffer);
	uint64_t table = offset + (host->options.size[queue] + 15) / 16 * 16;
	struct drvq_buf bufs[HOST_MAX_PIECES];
	uint32_t count = 0;
	uint64_t at = offset;
	uint32_t readable, writable;
	int head;

	for (; sizes[count] != 0; count++) {
		assert_true(count < HOST_MAX_PIECES);
		bufs[count] = (struct drvq_buf){.addr = HOST_MEMORY + at, .len = sizes[count]};
		at += sizes[count];
	}
	assert_true(at - offset <= host->options.size[queue]);
	readable = queue == OUTPUT ? count : 0;
	writable = queue == INPUT ? count : 0;
	if (indirect)
		head = drvq_add_indirect(&host->dq[queue], bufs, readable, writable,
					 host->memory + table, HOST_MEMORY + table,
					 cookie_of(buffer));
	else
		head = drvq_add(&host->dq[queue], bufs, readable, writable, cookie_of(buffer));
	assert_true(head >= 0);
	drvq_publish(&host->dq[queue]);
	return (uint16_t)head;
}

void host_supply_pieces(struct remote_host *host, const uint32_t *sizes)
{
	add(host, INPUT, take_free(host, INPUT), sizes, false);
}

void host_supply(struct remote_host *host, uint32_t n)
{
	const uint32_t sizes[] = {host->options.size[INPUT], 0};

	if (n > host->free_count[INPUT])
		n = host->free_count[INPUT];
	while (n-- != 0)
		host_supply_pieces(host, sizes);
}

uint16_t host_send_pieces(struct remote_host *host, const void *bytes, const uint32_t *sizes,
			  bool indirect)
{
	uint32_t buffer = take_free(host, OUTPUT);
	uint32_t total = 0;

	for (uint32_t i = 0; sizes[i] != 0; i++)
		total += sizes[i];
	assert_true(total <= host->options.size[OUTPUT]);
	memcpy(host->memory + buffer_offset(host, OUTPUT, buffer), bytes, total);
	return add(host, OUTPUT, buffer, sizes, indirect);
}

uint16_t host_send_bytes(struct remote_host *host, const void *bytes, uint32_t size)
{
	const uint32_t sizes[] = {size, 0};

	return host_send_pieces(host, bytes, sizes, false);
}

enum wire_order host_order(const struct remote_host *host)
{
	return rpmsg_order((host->features & VIRTIO_BIT(VIRTIO_F_VERSION_1)) != 0);
}

void host_header(const struct remote_host *host, uint8_t *bytes, uint32_t src, uint32_t dst,
		 uint16_t len)
{
	const struct rpmsg_hdr hdr = {.src = src, .dst = dst, .len = len};

	rpmsg_hdr_encode(&hdr, bytes, host_order(host));
}

uint16_t host_send(struct remote_host *host, uint32_t src, uint32_t dst, const void *payload,
		   uint32_t size)
{
	uint8_t *bytes = malloc(RPMSG_HDR_SIZE + size);
	uint16_t head;

	assert_non_null(bytes);
	host_header(host, bytes, src, dst, (uint16_t)size);
	if (size != 0)
		memcpy(bytes + RPMSG_HDR_SIZE, payload, size);
	head = host_send_bytes(host, bytes, RPMSG_HDR_SIZE + size);
	free(bytes);
	return head;
}

void host_send_ns(struct remote_host *host, const char *name, uint32_t addr, uint32_t flags)
{
	uint8_t payload[RPMSG_NS_MSG_SIZE];

	rpmsg_ns_encode(name, addr, flags, payload, host_order(host));
	host_send(host, addr, RPMSG_ADDR_NS, payload, sizeof(payload));
}

void host_run(struct remote_host *host)
{
	for (uint32_t i = 0; i < MAX_RUNS; i++) {
		if (!remote_run(host->remote, 64))
			return;
	}
	fail_msg("remote_run() always has more to do");
}

/* The buffer that a used entry gives back; false when there is none. */
static bool get(struct remote_host *host, unsigned int queue, struct drvq_used *used,
		uint32_t *buffer)
{
	int ret = drvq_get(&host->dq[queue], used);

	if (ret < 0)
		fail_msg("queue %u: %s", queue,
			 drvq_error_text(drvq_last_error(&host->dq[queue])->type));
	if (ret == 0)
		return false;
	/* Buffers that a test made available itself are none of the fixture's. */
	if (used->cookie == NULL) {
		*buffer = 0;
		return true;
	}
	*buffer = (uint32_t)(uintptr_t)used->cookie - 1;
	host->free[queue][host->free_count[queue]++] = *buffer;
	return true;
}

bool host_receive(struct remote_host *host, struct host_message *message)
{
	struct drvq_used used;
	const uint8_t *bytes;
	uint32_t size;

	if (!get(host, INPUT, &used, &message->buffer))
		return false;
	bytes = host->memory + buffer_offset(host, INPUT, message->buffer);
	size = host->options.size[INPUT] < sizeof(message->bytes) ? host->options.size[INPUT]
								  : sizeof(message->bytes);
	memset(message->bytes, 0, RPMSG_HDR_SIZE);
	memcpy(message->bytes, bytes, size);
	rpmsg_hdr_decode(&message->hdr, message->bytes, RPMSG_HDR_SIZE, host_order(host));
	message->payload = message->bytes + RPMSG_HDR_SIZE;
	message->used_len = used.len;
	log_bytes(host, bytes, used.len < size ? used.len : size);
	return true;
}

uint32_t host_discard(struct remote_host *host)
{
	struct drvq_used used;
	uint32_t buffer, count = 0;

	while (get(host, INPUT, &used, &buffer))
		count++;
	return count;
}

int host_reclaim(struct remote_host *host, uint32_t *used_len)
{
	struct drvq_used used;
	uint32_t buffer;

	if (!get(host, OUTPUT, &used, &buffer))
		return -1;
	if (used_len != NULL)
		*used_len = used.len;
	return used.head;
}

uint32_t host_reclaim_all(struct remote_host *host)
{
	uint32_t count = 0;

	while (host_reclaim(host, NULL) >= 0)
		count++;
	return count;
}

/* ---- expectations ------------------------------------------------------------------------- */

void host_expect(struct remote_host *host, uint32_t src, uint32_t dst, const void *payload,
		 uint32_t size)
{
	static struct host_message message;
	uint8_t header[RPMSG_HDR_SIZE];

	assert_true(host_receive(host, &message));
	host_header(host, header, src, dst, (uint16_t)size);
	assert_memory_equal(message.bytes, header, sizeof(header));
	assert_int_equal(message.used_len, RPMSG_HDR_SIZE + size);
	if (size != 0)
		assert_memory_equal(message.payload, payload, size);
}

void host_expect_ns(struct remote_host *host, const char *name, uint32_t addr, uint32_t flags)
{
	uint8_t payload[RPMSG_NS_MSG_SIZE] = {0};

	memcpy(payload, name, strlen(name));
	wire_put_le32(payload + RPMSG_NAME_SIZE, addr);
	wire_put_le32(payload + RPMSG_NAME_SIZE + 4, flags);
	host_expect(host, addr, RPMSG_ADDR_NS, payload, sizeof(payload));
}

void host_expect_nothing(struct remote_host *host)
{
	static struct host_message message;

	assert_false(host_receive(host, &message));
}

void host_expect_balance(struct remote_host *host)
{
	const struct remote_stats *stats = remote_get_stats(host->remote);
	uint64_t sum = stats->delivered;

	for (unsigned int i = 0; i < REMOTE_DROP_COUNT; i++)
		sum += stats->dropped[i];
	assert_int_equal(stats->received, sum);
}

const struct host_event *host_event(const struct remote_host *host, enum remote_event_type type,
				    uint32_t n)
{
	for (uint32_t i = 0; i < host->event_count; i++) {
		if (host->events[i].event.type == type && n-- == 0)
			return &host->events[i];
	}
	return NULL;
}

uint32_t host_event_count(const struct remote_host *host, enum remote_event_type type)
{
	uint32_t count = 0;

	while (host_event(host, type, count) != NULL)
		count++;
	return count;
}

struct search {
	uint32_t addr;
	struct remote_endpoint_info found;
};

static int look_at(void *ctx, const struct remote_endpoint_info *info)
{
	struct search *search = ctx;

	if (info->addr != search->addr)
		return 0;
	search->found = *info;
	return 1;
}

struct remote_endpoint_info host_endpoint(struct remote_host *host, uint32_t addr)
{
	struct search search = {.addr = addr};

	assert_int_equal(remote_endpoints(host->remote, look_at, &search), 1);
	return search.found;
}
