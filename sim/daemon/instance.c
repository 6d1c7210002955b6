/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* How often a ring is looked at whose driver never kicks (SET_VRING_KICK without descriptor). */
#define POLLED_INTERVAL_NS UINT64_C(1000000)

#define NS_PER_MS UINT64_C(1000000)

static const struct backend_ops backend_ops;

/* ---- violations ------------------------------------------------------------------------- */

static void log_violation(struct instance *instance, const struct violation_record *record)
{
	uint64_t suppressed;
	char where[64] = "", before[64] = "";
	int at = 0;

	if (log_threshold < LOG_LEVEL_WARN ||
	    !log_limit_pass(&instance->violation_limits[record->what], uv_hrtime(), &suppressed))
		return;
	if (record->queue != VIOLATION_NO_QUEUE)
		at = snprintf(where, sizeof(where), ", queue %d", record->queue);
	if (record->desc_id != VIOLATION_NO_DESC)
		snprintf(where + at, sizeof(where) - (size_t)at, ", descriptor %" PRId32,
			 record->desc_id);
	if (suppressed)
		snprintf(before, sizeof(before), " (%" PRIu64 " more were not shown)", suppressed);
	log_warn("%s: violation %s (%s): %s%s, expected %" PRIu64 ", seen %" PRIu64 "%s",
		 instance->name, violation_name(record->what), violation_requirement(record->what),
		 violation_text(record->what), where, record->expected, record->seen, before);
}

static void on_violation(void *ctx, const struct violation_record *record)
{
	struct instance *instance = ctx;

	/* What is said of zeroes that the guard put there says nothing of the host. */
	if ((unsigned int)record->what >= VIOLATION_COUNT || instance->memory_lost)
		return;
	instance->violations[record->what]++;
	log_violation(instance, record);
	events_violation(&instance->registry->events, instance->name, record);
	recorder_violation(&instance->registry->recorder, instance->name, record);
}

/* What the rate limit held back would otherwise be told only if more of it came. */
static void log_suppressed_violations(struct instance *instance)
{
	for (int what = 0; what < VIOLATION_COUNT; what++) {
		struct log_limit *limit = &instance->violation_limits[what];

		if (limit->suppressed)
			log_warn("%s: violation %s: %" PRIu64 " more were not shown",
				 instance->name, violation_name(what), limit->suppressed);
		memset(limit, 0, sizeof(*limit));
	}
}

/* ---- the remote's turns ----------------------------------------------------------------- */

static bool some_queue_is_polled(const struct instance *instance)
{
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		const struct backend_queue *queue = &instance->backend.queues[i];

		if (queue->polled && queue->vq.started && !queue->vq.broken)
			return true;
	}
	return false;
}

static void on_wakeup(uv_timer_t *timer)
{
	struct instance *instance = timer->data;

	instance->wakeup_at = REMOTE_NO_DEADLINE;
	instance_schedule(instance);
}

static void arm_wakeup(struct instance *instance)
{
	uint64_t deadline = remote_deadline(instance->remote);
	uint64_t now = uv_hrtime(), delay;

	if (some_queue_is_polled(instance) && deadline > now + POLLED_INTERVAL_NS)
		deadline = now + POLLED_INTERVAL_NS;
	if (deadline == instance->wakeup_at)
		return;
	instance->wakeup_at = deadline;
	if (deadline == REMOTE_NO_DEADLINE) {
		uv_timer_stop(&instance->wakeup);
		return;
	}
	/* Rounded up: a timer that fires early would only go round again. */
	delay = deadline > now ? deadline - now : 0;
	uv_update_time(instance->loop);
	uv_timer_start(&instance->wakeup, on_wakeup,
		       delay / NS_PER_MS + (delay % NS_PER_MS ? 1 : 0), 0);
}

static void on_run(uv_idle_t *idle)
{
	struct instance *instance = idle->data;

	if (!remote_run(instance->remote, INSTANCE_RUN_BUDGET))
		uv_idle_stop(&instance->run);
	recorder_settle(&instance->registry->recorder);
	arm_wakeup(instance);
	instance_check_memory(instance);
}

void instance_schedule(struct instance *instance)
{
	if (instance->handles_open && !uv_is_active((uv_handle_t *)&instance->run))
		uv_idle_start(&instance->run, on_run);
}

/* ---- what the remote asks for ----------------------------------------------------------- */

static uint64_t remote_now(void *ctx)
{
	return uv_hrtime();
}

static void remote_call(void *ctx, unsigned int queue)
{
	struct instance *instance = ctx;

	backend_call(&instance->backend, queue);
}

static void remote_queue_broken(void *ctx, unsigned int queue)
{
	struct instance *instance = ctx;

	log_warn("%s: queue %u is broken; it stays so until the driver resets the device",
		 instance->name, queue);
	backend_signal_error(&instance->backend, queue);
}

static void remote_wake(void *ctx)
{
	instance_schedule(ctx);
}

static void record_message(struct instance *instance, const struct remote_event *event)
{
	uint32_t addr = event->type == REMOTE_EVENT_SENT ? event->hdr.src : event->hdr.dst;
	struct remote_endpoint_info service;
	bool found = remote_endpoint(instance->remote, addr, &service);

	recorder_message(
		&instance->registry->recorder, instance->name, event,
		rpmsg_order((instance->backend.acked & VIRTIO_BIT(VIRTIO_F_VERSION_1)) != 0),
		found ? &service : NULL);
}

static void remote_event(void *ctx, const struct remote_event *event)
{
	struct instance *instance = ctx;

	if (instance->registry->recorder.capture &&
	    (event->type == REMOTE_EVENT_MESSAGE || event->type == REMOTE_EVENT_SENT))
		record_message(instance, event);
	events_remote(&instance->registry->events, instance->name, event);
}

static const struct remote_ops remote_ops = {
	.now = remote_now,
	.call = remote_call,
	.queue_broken = remote_queue_broken,
	.wake = remote_wake,
	.event = remote_event,
};

/* ---- kicks ------------------------------------------------------------------------------ */

static void forget_kick(struct instance_kick *kick)
{
	watch_free(kick->watch);
	kick->watch = NULL;
	if (kick->fd >= 0)
		close(kick->fd);
	kick->fd = -1;
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
}

static void backend_queue_stopping(void *ctx, unsigned int queue)
{
	struct instance *instance = ctx;

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
	events_reset(&instance->registry->events, instance->name);
}

static const struct backend_ops backend_ops = {
	.features = backend_features,
	.status = backend_status,
	.queue_started = backend_queue_started,
	.queue_stopping = backend_queue_stopping,
	.driver_ok = backend_driver_ok,
	.driver_gone = backend_driver_gone,
	.kick_fd = backend_kick_fd,
	.kick = backend_assume_kick,
	.reset = backend_reset,
};

/* ---- the connection --------------------------------------------------------------------- */

/* The back-end's half of a session, ready for a front-end that may come. */
static int new_session(struct instance *instance)
{
	vhost_reader_init(&instance->reader);
	return backend_init(&instance->backend, &instance->offer, &backend_ops, instance,
			    &instance->sink);
}

static int end_session(struct instance *instance, const char *reason)
{
	log_suppressed_violations(instance);
	log_info("%s: front-end disconnected: %s", instance->name, reason);
	remote_detach(instance->remote);
	backend_fini(&instance->backend);
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		forget_kick(&instance->kicks[i]);
	vhost_reader_fini(&instance->reader);
	watch_free(instance->watch);
	instance->watch = NULL;
	close(instance->fd);
	instance->fd = -1;
	instance->memory_lost = 0;

	events_disconnected(&instance->registry->events, instance->name, reason);
	return new_session(instance);
}

static void disconnect(struct instance *instance, const char *reason)
{
	int ret = end_session(instance, reason);

	if (ret)
		log_error("%s: cannot serve another front-end: %s", instance->name, strerror(-ret));
	if (ret || instance->once || instance->listener.fd < 0)
		instance->ops->finished(instance->ops_ctx, instance);
	else
		listener_resume(&instance->listener);
}

/* One message; 0, or negative errno when the connection has to end. */
static int serve_request(struct instance *instance)
{
	struct vhost_msg request, reply;
	int ret = vhost_read(&instance->reader, instance->fd, &request, &instance->sink);

	if (ret != 1)
		return ret ? ret : -EIO;
	log_trace("%s: %s, %" PRIu32 " bytes, %u descriptors", instance->name,
		  vhost_request_name(request.request), request.size, request.fd_count);
	ret = backend_handle(&instance->backend, &request, &reply);
	if (ret == 1)
		ret = vhost_write(instance->fd, &reply);
	/* A socket that does not take a reply belongs to a front-end that reads none. */
	return ret == -EAGAIN ? -ENOBUFS : ret;
}

static const char *disconnect_reason(int error)
{
	switch (error) {
	case -ENODATA:
		return "it closed the connection";
	case -EPROTO:
		return "it broke the vhost-user protocol";
	case -ENOBUFS:
		return "it does not read its replies";
	default:
		return strerror(-error);
	}
}

static void on_request(void *ctx, int status)
{
	struct instance *instance = ctx;
	int ret = status;

	for (int i = 0; ret == 0 && !instance->memory_lost && i < INSTANCE_REQUEST_BUDGET; i++)
		ret = serve_request(instance);
	recorder_settle(&instance->registry->recorder);
	if (ret && ret != -EAGAIN)
		disconnect(instance, disconnect_reason(ret));
	else
		instance_check_memory(instance);
}

void instance_check_memory(struct instance *instance)
{
	if (!instance->memory_lost || !instance_connected(instance))
		return;
	log_warn("%s: guest memory is gone: the front-end made its file shorter, or it cannot be "
		 "read any more",
		 instance->name);
	disconnect(instance, "its memory went away");
}

static void on_connection(void *ctx, int fd)
{
	struct instance *instance = ctx;
	int ret = watch_new(&instance->watch, instance->loop, fd, on_request, instance);

	if (ret) {
		log_error("%s: cannot poll the connection: %s", instance->name, strerror(-ret));
		close(fd);
		return;
	}
	instance->fd = fd;
	listener_pause(&instance->listener);
	log_info("%s: front-end connected", instance->name);
	events_connected(&instance->registry->events, instance->name);
}

/* ---- life ------------------------------------------------------------------------------- */

int instance_init(struct instance *instance, const char *name, struct registry *registry)
{
	struct remote_config config = {0};
	int ret;

	memset(instance, 0, sizeof(*instance));
	instance->name = name;
	instance->registry = registry;
	instance->fd = -1;
	instance->connected_fd = -1;
	instance->wakeup_at = REMOTE_NO_DEADLINE;
	instance->sink = (struct violation_sink){.report = on_violation, .ctx = instance};
	instance->offer = (struct backend_offer){
		.features = remote_default_features(),
		.num_queues = RPMSG_NUM_QUEUES,
	};
	listener_init(&instance->listener);
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		instance->kicks[i] =
			(struct instance_kick){.instance = instance, .queue = i, .fd = -1};

	ret = remote_new(&instance->remote, &config, &remote_ops, instance, &instance->sink);
	if (ret)
		return ret;
	ret = new_session(instance);
	if (ret)
		remote_free(instance->remote);
	return ret;
}

int instance_start(struct instance *instance, uv_loop_t *loop, bool once,
		   const struct instance_ops *ops, void *ops_ctx)
{
	instance->loop = loop;
	instance->once = once;
	instance->ops = ops;
	instance->ops_ctx = ops_ctx;
	uv_idle_init(loop, &instance->run);
	uv_timer_init(loop, &instance->wakeup);
	instance->run.data = instance;
	instance->wakeup.data = instance;
	instance->handles_open = true;

	if (instance->connected_fd < 0)
		return listener_start(&instance->listener, loop, on_connection, instance);
	fcntl(instance->connected_fd, F_SETFD, FD_CLOEXEC);
	on_connection(instance, instance->connected_fd);
	return instance_connected(instance) ? 0 : -EINVAL;
}

void instance_stop(struct instance *instance)
{
	if (instance_connected(instance))
		end_session(instance, "rpmsg-sim ends");
	listener_close(&instance->listener);
	if (instance->handles_open) {
		uv_close((uv_handle_t *)&instance->run, NULL);
		uv_close((uv_handle_t *)&instance->wakeup, NULL);
	}
	instance->handles_open = false;
}

void instance_free(struct instance *instance)
{
	backend_fini(&instance->backend);
	vhost_reader_fini(&instance->reader);
	remote_free(instance->remote);
}
