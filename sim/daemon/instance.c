/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "daemon/instance_internal.h"

#define NS_PER_MS UINT64_C(1000000)

/* ---- the connection --------------------------------------------------------------------- */

/*
 * The back-end's half of a session, ready for a front-end that may come. What it offers
 * follows from the remote's configuration.
 */
static int new_session(struct instance *instance)
{
	const struct backend_offer offer = {
		.features = remote_offered_features(instance->remote),
		.num_queues = RPMSG_NUM_QUEUES,
		.config_size = remote_config_size(instance->remote),
		.backend_requests = true,
	};

	vhost_reader_init(&instance->reader);
	return backend_init(&instance->backend, &offer, &instance_backend_ops, instance,
			    &instance->sink);
}

int instance_renew_session(struct instance *instance)
{
	struct backend before = instance->backend;
	int ret = new_session(instance);

	/* Without a front-end there is nothing in it that would have to be given back. */
	if (ret)
		instance->backend = before;
	return ret;
}

static int end_session(struct instance *instance, const char *reason)
{
	instance_log_suppressed(instance);
	log_info("%s: front-end disconnected: %s", instance->name, reason);
	remote_detach(instance->remote);
	backend_fini(&instance->backend);
	instance_forget_kicks(instance);
	uv_timer_stop(&instance->later);
	vhost_reader_fini(&instance->reader);
	watch_free(instance->watch);
	instance->watch = NULL;
	close(instance->fd);
	instance->fd = -1;
	instance->registry->connected--;
	instance->memory_lost = 0;
	instance->life_asked = 0;

	events_disconnected(&instance->registry->events, instance->name, reason);
	return new_session(instance);
}

/* After a crash the remote may need its time to be there again. */
static void on_up_again(uv_timer_t *timer)
{
	struct instance *instance = timer->data;

	listener_resume(&instance->listener);
}

void instance_disconnect(struct instance *instance, const char *reason)
{
	uint64_t down_ms = instance->down_ms;
	int ret = end_session(instance, reason);

	instance->down_ms = 0;
	if (ret)
		log_error("%s: cannot serve another front-end: %s", instance->name, strerror(-ret));
	if (ret || instance->once || instance->listener.fd < 0)
		instance->ops->finished(instance->ops_ctx, instance);
	else if (down_ms)
		uv_timer_start(&instance->later, on_up_again, down_ms, 0);
	else
		listener_resume(&instance->listener);
}

static void on_request(void *ctx, int status);

static void on_late_reply(uv_timer_t *timer)
{
	struct instance *instance = timer->data;
	int ret = vhost_write(instance->fd, &instance->late_reply);

	if (ret == 0)
		ret = watch_resume(instance->watch);
	if (ret)
		instance_disconnect(instance, strerror(-ret));
}

/* Nothing is served before the reply is out; only that the front-end leaves is noticed. */
static int reply_later(struct instance *instance, const struct vhost_msg *reply)
{
	uint64_t delay = instance->backend.reply_delay;

	instance->late_reply = *reply;
	uv_update_time(instance->loop);
	uv_timer_start(&instance->later, on_late_reply, (delay + NS_PER_MS - 1) / NS_PER_MS, 0);
	return watch_hangup(instance->watch);
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
	if (ret == 1 && instance->backend.reply_delay) {
		ret = reply_later(instance, &reply);
		return ret ? ret : -EAGAIN;
	}
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
	case -ECONNABORTED:
		return "the remote crashed";
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

	for (int i = 0; ret == 0 && i < INSTANCE_REQUEST_BUDGET; i++) {
		/* What ends the session first ends it before the next message. */
		if (instance->memory_lost || instance->life_asked)
			break;
		ret = serve_request(instance);
	}
	recorder_settle(&instance->registry->recorder);
	if (ret && ret != -EAGAIN)
		instance_disconnect(instance, disconnect_reason(ret));
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
	instance_disconnect(instance, "its memory went away");
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
	instance->registry->connected++;
	listener_pause(&instance->listener);
	log_info("%s: front-end connected", instance->name);
	events_connected(&instance->registry->events, instance->name);
}

/* ---- life ------------------------------------------------------------------------------- */

int instance_make_remote(struct instance *instance, const struct remote_config *config,
			 struct remote **remote)
{
	return remote_new(remote, config, &instance_remote_ops, instance, &instance->sink);
}

int instance_init(struct instance *instance, const char *name, const struct remote_config *config,
		  struct registry *registry)
{
	int ret;

	memset(instance, 0, sizeof(*instance));
	instance->name = name;
	instance->config = *config;
	instance->registry = registry;
	instance->fd = -1;
	instance->connected_fd = -1;
	instance->clock_fd = -1;
	instance->wakeup_at = REMOTE_NO_DEADLINE;
	instance->sink = (struct violation_sink){.report = instance_on_violation, .ctx = instance};
	listener_init(&instance->listener);
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		instance->kicks[i] =
			(struct instance_kick){.instance = instance, .queue = i, .fd = -1};

	ret = instance_make_remote(instance, config, &instance->remote);
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
	int ret;

	instance->loop = loop;
	instance->once = once;
	instance->ops = ops;
	instance->ops_ctx = ops_ctx;
	uv_idle_init(loop, &instance->run);
	uv_timer_init(loop, &instance->later);
	instance->run.data = instance;
	instance->later.data = instance;
	instance->handles_open = true;

	ret = instance_clock_start(instance);
	if (ret)
		return ret;
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
	instance_clock_stop(instance);
	if (instance->handles_open) {
		uv_close((uv_handle_t *)&instance->run, NULL);
		uv_close((uv_handle_t *)&instance->later, NULL);
	}
	instance->handles_open = false;
}

void instance_free(struct instance *instance)
{
	backend_fini(&instance->backend);
	vhost_reader_fini(&instance->reader);
	remote_free(instance->remote);
	instance_free_services(instance);
}
