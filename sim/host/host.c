/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/host_internal.h"

/* Enough for the usual sizes; pages that are not used cost nothing. */
#define MEMORY_MIN (UINT64_C(64) << 20)
#define MEMORY_MAX (UINT64_C(8) << 30)
#define BUFFER_ALIGN 64U

/* Linux's F_BUFSZ; NuttX uses the same bit for something else. */
#define RPMSG_F_BUFSZ 1
#define BUFSZ_VERSION 1
#define BUFSZ_SIZE 11

int host_fail(struct host *host, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(host->error, sizeof(host->error), format, args);
	va_end(args);
	return error;
}

int host_fail_frontend(struct host *host, int error)
{
	if (error == -EINTR)
		return error;
	host->failed = true;
	return host_fail(host, error, "%s", frontend_error(&host->fe));
}

const char *host_error(const struct host *host)
{
	return host->error;
}

uint64_t host_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void host_find(struct host *host, enum finding what, int32_t desc_id, uint64_t expected,
	       uint64_t seen)
{
	struct finding_record record = {.what = what,
					.queue = desc_id == FINDING_NONE ? FINDING_NONE
									 : RPMSG_QUEUE_INPUT,
					.desc_id = desc_id,
					.expected = expected,
					.seen = seen};

	host->stats.findings[what]++;
	if (host->ops->finding)
		host->ops->finding(host->ctx, &record);
}

bool host_has(const struct host *host, unsigned int bit)
{
	return (host->fe.acked & VIRTIO_BIT(bit)) != 0;
}

static int set_options(struct host *host, const struct host_options *options)
{
	struct host_options *o = &host->options;

	*o = *options;
	if (o->queue_size == 0)
		o->queue_size = 256;
	if (o->buffers == 0)
		o->buffers = o->queue_size;
	if (o->buffers > o->queue_size)
		return host_fail(host, -EINVAL,
				 "%" PRIu32 " buffers do not fit rings of %" PRIu32
				 " entries: give fewer, or a larger --queue-size",
				 o->buffers, o->queue_size);
	if (o->buffer_size != 0 &&
	    (o->buffer_size <= RPMSG_HDR_SIZE || o->buffer_size > HOST_MAX_BUFFER))
		return host_fail(host, -EINVAL,
				 "buffers of %" PRIu32 " bytes: %d to %" PRIu32 " are possible",
				 o->buffer_size, RPMSG_HDR_SIZE + 1, HOST_MAX_BUFFER);
	return 0;
}

static uint64_t slot_size(uint32_t buffer_size)
{
	return ((uint64_t)buffer_size + BUFFER_ALIGN - 1) / BUFFER_ALIGN * BUFFER_ALIGN;
}

/* Bytes of guest memory that the options ask for, rings with room to spare. */
static uint64_t memory_size(const struct host_options *o)
{
	uint64_t size = o->buffer_size != 0 ? o->buffer_size : RPMSG_BUF_SIZE;
	uint64_t bytes = (uint64_t)RPMSG_NUM_QUEUES *
			 (o->buffers * slot_size((uint32_t)size) + UINT64_C(64) * o->queue_size);

	bytes += UINT64_C(1) << 20;
	return bytes < MEMORY_MIN ? MEMORY_MIN : bytes;
}

int host_open(struct host *host, const char *path, const struct host_options *options,
	      const struct host_ops *ops, void *ctx)
{
	struct frontend_options fe_options = {.num_queues = RPMSG_NUM_QUEUES};
	int ret;

	memset(host, 0, sizeof(*host));
	host->fe.fd = -1;
	host->ops = ops;
	host->ctx = ctx;
	channels_init(&host->channels);
	ret = set_options(host, options);
	if (ret < 0)
		return ret;
	fe_options.num = host->options.queue_size;
	fe_options.timeout_ms = host->options.timeout_ms;
	fe_options.memory_size = memory_size(&host->options);
	if (fe_options.memory_size > MEMORY_MAX)
		return host_fail(host, -EINVAL,
				 "%" PRIu32 " buffers of %" PRIu32 " bytes a direction are above "
				 "%" PRIu64 " MiB: give fewer, or smaller ones",
				 host->options.buffers, host->options.buffer_size,
				 MEMORY_MAX >> 20);
	ret = frontend_open(&host->fe, path, &fe_options);
	return ret < 0 ? host_fail_frontend(host, ret) : 0;
}

/* Return: 0 with both sizes set, also when there is no such configuration. */
static int read_buffer_sizes(struct host *host)
{
	uint8_t config[BUFSZ_SIZE];
	uint16_t size;
	int ret;

	host->in.size = host->options.buffer_size;
	if (host->in.size == 0)
		host->in.size = RPMSG_BUF_SIZE;
	host->out.size = host->in.size;
	if (!host_has(host, RPMSG_F_BUFSZ))
		return 0;

	ret = frontend_get_config(&host->fe, 0, sizeof(config), config);
	if (ret < 0) {
		host_find(host, FINDING_CONFIG_BUFSZ, FINDING_NONE, sizeof(config), 0);
		return host_fail_frontend(host, ret);
	}
	size = wire_get16(config + 1, host->order);
	host->in.size = wire_get32(config + 3, host->order);
	host->out.size = wire_get32(config + 7, host->order);
	if (config[0] == BUFSZ_VERSION && size == BUFSZ_SIZE && host->in.size >= RPMSG_HDR_SIZE &&
	    host->out.size >= RPMSG_HDR_SIZE && host->in.size <= HOST_MAX_BUFFER &&
	    host->out.size <= HOST_MAX_BUFFER)
		return 0;
	host_find(host, FINDING_CONFIG_BUFSZ, FINDING_NONE, BUFSZ_VERSION, config[0]);
	return host_fail(host, -EBADMSG,
			 "feature bit 1 is offered, but the configuration says version %u, size "
			 "%u, buffers of %" PRIu32 " and %" PRIu32 " bytes; Linux asks for version "
			 "%d, size %d and %d to %" PRIu32 " bytes: with --no-bufsz the bit is "
			 "left alone",
			 config[0], size, host->in.size, host->out.size, BUFSZ_VERSION, BUFSZ_SIZE,
			 RPMSG_HDR_SIZE, HOST_MAX_BUFFER);
}

static int make_pool(struct host *host, struct host_pool *pool, uint32_t count)
{
	pool->count = count;
	pool->distance = slot_size(pool->size);
	pool->memory =
		frontend_alloc(&host->fe, pool->distance * count, BUFFER_ALIGN, &pool->guest_addr);
	return pool->memory ? 0 : -ENOSPC;
}

/* As many buffers as were asked for; fewer when the remote wants them larger than expected. */
static int make_buffers(struct host *host)
{
	uint64_t room = host->fe.options.memory_size - host->fe.memory_used - BUFFER_ALIGN;
	uint64_t pair = slot_size(host->in.size) + slot_size(host->out.size);
	uint32_t count = host->options.buffers;

	if (count > room / pair)
		count = (uint32_t)(room / pair);
	if (count == 0 || make_pool(host, &host->in, count) < 0 ||
	    make_pool(host, &host->out, count) < 0)
		return host_fail(host, -ENOSPC,
				 "buffers of %" PRIu32 " and %" PRIu32 " bytes do not fit %" PRIu64
				 " bytes of guest memory",
				 host->in.size, host->out.size, host->fe.options.memory_size);
	host->free_out = calloc(count, sizeof(*host->free_out));
	if (!host->free_out)
		return host_fail(host, -ENOMEM, "out of memory");
	/* The first one given out is the first in memory. */
	for (uint32_t i = 0; i < count; i++)
		host->free_out[i] = host->out.memory + (count - 1 - i) * host->out.distance;
	host->free_count = count;
	return 0;
}

static uint64_t wanted_features(const struct host_options *o)
{
	uint64_t wanted = VIRTIO_BIT(VIRTIO_F_VERSION_1);

	if (!o->no_name_service)
		wanted |= VIRTIO_BIT(RPMSG_F_NS);
	if (!o->no_bufsz && o->buffer_size == 0)
		wanted |= VIRTIO_BIT(RPMSG_F_BUFSZ);
	if (!o->no_event_idx)
		wanted |= VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX);
	if (!o->no_indirect)
		wanted |= VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC);
	return wanted;
}

int host_start(struct host *host)
{
	int ret = frontend_negotiate(&host->fe, wanted_features(&host->options), 0);

	if (ret < 0)
		return host_fail_frontend(host, ret);
	host->order = rpmsg_order(host_has(host, VIRTIO_F_VERSION_1));
	ret = read_buffer_sizes(host);
	if (ret < 0)
		return ret;
	ret = frontend_make_queues(&host->fe);
	if (ret < 0)
		return host_fail_frontend(host, ret);
	ret = make_buffers(host);
	if (ret == 0)
		ret = host_post_all(host);
	if (ret < 0)
		return ret;
	/* VQ-034: nobody waits for send buffers before they run out. */
	drvq_set_call(&host->fe.queues[RPMSG_QUEUE_OUTPUT].dq, false);
	if (host->options.poll || host->options.spin)
		drvq_set_call(&host->fe.queues[RPMSG_QUEUE_INPUT].dq, false);
	spin_init(&host->spin, SPIN_CAREFUL_NS, false);
	ret = frontend_start(&host->fe);
	return ret < 0 ? host_fail_frontend(host, ret) : 0;
}

int host_stop(struct host *host)
{
	int ret;

	if (host->failed || !host->fe.running)
		return 0;
	ret = frontend_stop(&host->fe);
	return ret < 0 ? host_fail_frontend(host, ret) : 0;
}

void host_close(struct host *host)
{
	/* Options that were refused never opened it. */
	if (host->fe.fd >= 0)
		frontend_close(&host->fe);
	free(host->free_out);
	host->free_out = NULL;
	channels_free(&host->channels);
}

static const struct host_endpoint *find_endpoint(const struct host *host, uint32_t addr)
{
	for (unsigned int i = 0; i < host->endpoint_count; i++) {
		if (host->endpoints[i].addr == addr)
			return &host->endpoints[i];
	}
	return NULL;
}

int host_bind(struct host *host, uint32_t *addr, host_receive_fn *receive, void *ctx)
{
	uint32_t at = *addr;

	if (host->endpoint_count == HOST_MAX_ENDPOINTS)
		return host_fail(host, -ENOSPC, "there are %d endpoints already",
				 HOST_MAX_ENDPOINTS);
	if (at == RPMSG_ADDR_ANY) {
		for (at = RPMSG_ADDR_FIRST_DYNAMIC; find_endpoint(host, at); at++)
			;
	} else if (at == RPMSG_ADDR_NS || find_endpoint(host, at)) {
		return host_fail(host, -EADDRINUSE, "address %" PRIu32 " is taken%s", at,
				 at == RPMSG_ADDR_NS ? " by the name service" : "");
	}
	host->endpoints[host->endpoint_count++] =
		(struct host_endpoint){.addr = at, .receive = receive, .ctx = ctx};
	*addr = at;
	return 0;
}

uint32_t host_max_payload(const struct host *host)
{
	uint32_t room = host->out.size - RPMSG_HDR_SIZE;

	return room < UINT16_MAX ? room : UINT16_MAX;
}

int host_wake_fd(const struct host *host)
{
	return host->fe.queues[RPMSG_QUEUE_INPUT].call_fd;
}

/* name service */

int host_announce(struct host *host, const char *name, uint32_t addr, bool create,
		  uint64_t deadline)
{
	uint8_t message[RPMSG_NS_MSG_SIZE];

	if (!host_has(host, RPMSG_F_NS))
		return host_fail(host, -EOPNOTSUPP,
				 "the name service (F_NS) was not negotiated: nothing can be "
				 "announced");
	rpmsg_ns_encode(name, addr, create ? RPMSG_NS_CREATE : RPMSG_NS_DESTROY, message,
			host->order);
	return host_send(host, addr, RPMSG_ADDR_NS, message, sizeof(message), deadline);
}

static void judge_announcement(struct host *host, const struct rpmsg_ns_msg *ns, int32_t desc_id)
{
	if (!ns->name_terminated)
		host_find(host, FINDING_NS_UNTERMINATED, desc_id, RPMSG_NAME_SIZE - 1,
			  RPMSG_NAME_SIZE);
	else if (!ns->name_padded)
		host_find(host, FINDING_NS_PADDING, desc_id, 0, 1);
	if (ns->flags & ~RPMSG_NS_DESTROY)
		host_find(host, FINDING_NS_FLAGS, desc_id, RPMSG_NS_DESTROY, ns->flags);
	if (ns->name[0] == '\0')
		host_find(host, FINDING_NS_NAME_EMPTY, desc_id, 1, 0);
}

void host_nameservice(struct host *host, const struct host_message *message)
{
	struct rpmsg_ns_msg ns;
	bool create;
	int ret;

	if (rpmsg_ns_decode(&ns, message->payload, message->hdr.len, host->order) < 0) {
		host_find(host, FINDING_NS_LENGTH, message->desc_id, RPMSG_NS_MSG_SIZE,
			  message->hdr.len);
		return;
	}
	judge_announcement(host, &ns, message->desc_id);
	if (ns.addr == RPMSG_ADDR_ANY) {
		host_find(host, FINDING_NS_ADDR_ANY, message->desc_id, 0, ns.addr);
		return;
	}
	create = !(ns.flags & RPMSG_NS_DESTROY);
	ret = create ? channels_add(&host->channels, ns.name, ns.addr)
		     : channels_remove(&host->channels, ns.name, ns.addr);
	if (ret == -EEXIST)
		host_find(host, FINDING_NS_TWICE, message->desc_id, 1, 2);
	else if (ret == -ENOENT)
		host_find(host, FINDING_NS_UNKNOWN, message->desc_id, 1, 0);
	else if (ret == 0 && host->ops->channel)
		host->ops->channel(host->ctx, ns.name, ns.addr, create);
}
