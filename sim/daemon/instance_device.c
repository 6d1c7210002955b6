/* SPDX-License-Identifier: BSD-2-Clause */
/* An instance as the device behind its back-end: handshake, queues, kicks. */
#include "daemon/instance_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* ---- kicks ------------------------------------------------------------------------------ */

static void forget_kick(struct instance_kick *kick)
{
	watch_free(kick->watch);
	kick->watch = NULL;
	if (kick->fd >= 0)
		close(kick->fd);
	kick->fd = -1;
}

void instance_forget_kicks(struct instance *instance)
{
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		forget_kick(&instance->kicks[i]);
}

static void on_kick(void *ctx, int status)
{
	struct instance_kick *kick = ctx;
	struct instance *instance = kick->instance;
	int64_t count = status ? -EIO : backend_clear_kick(&instance->backend, kick->queue);

	if (count < 0) {
		log_warn("%s: queue %u: kick descriptor cannot be read any more", instance->name,
			 kick->queue);
		forget_kick(kick);
		return;
	}
	if (count > 0) {
		remote_kick(instance->remote, kick->queue, (uint64_t)count);
		instance_schedule(instance);
	}
}

static void backend_kick_fd(void *ctx, unsigned int queue, int fd)
{
	struct instance *instance = ctx;
	struct instance_kick *kick = &instance->kicks[queue];
	int ret;

	forget_kick(kick);
	if (fd < 0)
		return;
	kick->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	ret = kick->fd < 0 ? -errno
			   : watch_new(&kick->watch, instance->loop, kick->fd, on_kick, kick);
	if (ret) {
		log_error("%s: queue %u: cannot poll the kick descriptor: %s", instance->name,
			  queue, strerror(-ret));
		forget_kick(kick);
	}
}

/* ---- what the back-end tells ------------------------------------------------------------ */

static void backend_features(void *ctx, uint64_t acked)
{
	struct instance *instance = ctx;

	log_debug("%s: features acknowledged: 0x%" PRIx64, instance->name, acked);
	events_features(&instance->registry->events, instance->name, acked);
}

static void backend_status(void *ctx, uint8_t status, uint8_t before)
{
	struct instance *instance = ctx;

	log_debug("%s: device status 0x%02x, was 0x%02x", instance->name, status, before);
	events_status(&instance->registry->events, instance->name, status);
}

static void backend_queue_started(void *ctx, unsigned int queue)
{
	struct instance *instance = ctx;
	struct virtq *vq = &instance->backend.queues[queue].vq;
	uint16_t base = vq->last_avail;
	int count = virtq_avail_count(vq);

	instance->avail_at_start[queue] = (uint16_t)(base + (count > 0 ? count : 0));
	log_debug("%s: queue %u started: size %" PRIu32 ", avail.idx %u", instance->name, queue,
		  vq->num, instance->avail_at_start[queue]);
	events_queue(&instance->registry->events, instance->name, queue, true, vq->num,
		     instance->avail_at_start[queue]);
	if (queue == RPMSG_QUEUE_INPUT)
		remote_queue_ready(instance->remote, vq, instance->backend.acked);
}

static void backend_queue_stopping(void *ctx, unsigned int queue)
{
	struct instance *instance = ctx;

	/* It may have spoken before the driver was ready. */
	remote_detach(instance->remote);

	log_debug("%s: queue %u stopped", instance->name, queue);
	events_queue(&instance->registry->events, instance->name, queue, false,
		     instance->backend.queues[queue].vq.num, instance->avail_at_start[queue]);
}

static void backend_driver_ok(void *ctx)
{
	struct instance *instance = ctx;
	struct backend *backend = &instance->backend;
	int ret = remote_attach(instance->remote, &backend->queues[RPMSG_QUEUE_INPUT].vq,
				&backend->queues[RPMSG_QUEUE_OUTPUT].vq, backend->acked);

	if (ret) {
		log_error("%s: cannot attach the host: %s", instance->name, strerror(-ret));
		return;
	}
	log_info("%s: driver ready, features 0x%" PRIx64, instance->name, backend->acked);
	events_driver_ok(&instance->registry->events, instance->name,
			 remote_get_stats(instance->remote)->sessions, instance->avail_at_start);
	instance_schedule(instance);
}

static void backend_driver_gone(void *ctx)
{
	struct instance *instance = ctx;

	log_info("%s: driver gone", instance->name);
	remote_detach(instance->remote);
}

/* Nobody kicked, as far as is known: look at the queue, but count nothing. */
static void backend_assume_kick(void *ctx, unsigned int queue)
{
	instance_schedule(ctx);
}

static void backend_reset(void *ctx)
{
	struct instance *instance = ctx;

	log_debug("%s: device reset", instance->name);
	/* Also of a driver that never got ready: it may have written to the configuration. */
	remote_detach(instance->remote);
	events_reset(&instance->registry->events, instance->name);
}

static int backend_config_read(void *ctx, uint32_t offset, uint32_t size, uint8_t *to)
{
	struct instance *instance = ctx;

	return remote_config_read(instance->remote, offset, size, to);
}

static int backend_config_write(void *ctx, uint32_t offset, uint32_t size, const uint8_t *from)
{
	struct instance *instance = ctx;

	return remote_config_write(instance->remote, offset, size, from);
}

static bool backend_crash(void *ctx, enum backend_point point)
{
	static const enum remote_point points[] = {
		[BACKEND_POINT_FEATURES] = REMOTE_POINT_FEATURES,
		[BACKEND_POINT_MEMORY] = REMOTE_POINT_MEMORY,
		[BACKEND_POINT_VRING] = REMOTE_POINT_VRING,
		[BACKEND_POINT_DRIVER_OK] = REMOTE_POINT_DRIVER_OK,
	};
	struct instance *instance = ctx;

	return remote_crashes_at(instance->remote, points[point]);
}

static uint64_t backend_reply_delay(void *ctx, uint32_t request)
{
	struct instance *instance = ctx;
	uint64_t delay = remote_reply_delay(instance->remote);

	return delay == REMOTE_NO_DEADLINE ? BACKEND_REPLY_NEVER : delay;
}

static const struct backend_hooks backend_hooks = {
	.crash = backend_crash,
	.reply_delay = backend_reply_delay,
};

const struct backend_ops instance_backend_ops = {
	.features = backend_features,
	.status = backend_status,
	.queue_started = backend_queue_started,
	.queue_stopping = backend_queue_stopping,
	.driver_ok = backend_driver_ok,
	.driver_gone = backend_driver_gone,
	.kick_fd = backend_kick_fd,
	.kick = backend_assume_kick,
	.reset = backend_reset,
	.config_read = backend_config_read,
	.config_write = backend_config_write,
	.hooks = &backend_hooks,
};
