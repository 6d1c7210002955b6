/* SPDX-License-Identifier: BSD-2-Clause */
/* An instance as the owner of its remote: turns, time, and what is told of it. */
#include "daemon/instance_internal.h"

#include "daemon/scenario_run.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* How often a ring is looked at whose driver never kicks (SET_VRING_KICK without descriptor). */
#define POLLED_INTERVAL_NS UINT64_C(1000000)

#define NS_PER_SEC UINT64_C(1000000000)

/* ---- violations and faults ---------------------------------------------------------------- */

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

void instance_on_violation(void *ctx, const struct violation_record *record)
{
	struct instance *instance = ctx;

	if ((unsigned int)record->what >= VIOLATION_COUNT ||
	    instance->config.check == REMOTE_CHECK_OFF)
		return;
	/* What is said of zeroes that the guard put there says nothing of the host. */
	if (instance->memory_lost)
		return;
	instance->violations[record->what]++;
	log_violation(instance, record);
	events_violation(&instance->registry->events, instance->name, record);
	recorder_violation(&instance->registry->recorder, instance->name, record);
}

static void log_fault(struct instance *instance, const struct remote_event *event)
{
	const char *name = fault_at(event->fault)->name;
	uint64_t suppressed;
	char before[64] = "";

	if (log_threshold < LOG_LEVEL_INFO ||
	    !log_limit_pass(&instance->fault_limits[event->fault], uv_hrtime(), &suppressed))
		return;
	if (suppressed)
		snprintf(before, sizeof(before), " (%" PRIu64 " more were not shown)", suppressed);
	if (event->queue == REMOTE_NO_QUEUE)
		log_info("%s: fault %s%s", instance->name, name, before);
	else
		log_info("%s: fault %s, queue %u%s", instance->name, name, event->queue, before);
}

static void log_suppressed(struct instance *instance, struct log_limit *limit, const char *what,
			   const char *name)
{
	if (limit->suppressed)
		log_warn("%s: %s %s: %" PRIu64 " more were not shown", instance->name, what, name,
			 limit->suppressed);
	memset(limit, 0, sizeof(*limit));
}

/* What a rate limit holds back would otherwise be told only if more of it came. */
void instance_log_suppressed(struct instance *instance)
{
	for (int i = 0; i < VIOLATION_COUNT; i++)
		if (instance->violation_limits[i].window != 0)
			log_suppressed(instance, &instance->violation_limits[i], "violation",
				       violation_name(i));
	for (unsigned int i = 0; i < FAULT_COUNT; i++)
		if (instance->fault_limits[i].window != 0)
			log_suppressed(instance, &instance->fault_limits[i], "fault",
				       fault_at(i)->name);
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

static void on_wakeup(void *ctx, int status)
{
	struct instance *instance = ctx;
	uint64_t expired;

	if (read(instance->clock_fd, &expired, sizeof(expired)) != (ssize_t)sizeof(expired))
		return;
	instance->wakeup_at = REMOTE_NO_DEADLINE;
	instance_schedule(instance);
}

int instance_clock_start(struct instance *instance)
{
	instance->clock_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (instance->clock_fd < 0)
		return -errno;
	return watch_new(&instance->clock_watch, instance->loop, instance->clock_fd, on_wakeup,
			 instance);
}

void instance_clock_stop(struct instance *instance)
{
	watch_free(instance->clock_watch);
	instance->clock_watch = NULL;
	if (instance->clock_fd >= 0)
		close(instance->clock_fd);
	instance->clock_fd = -1;
}

/* Of the kernel's own, since those of the loop know milliseconds only. */
static void arm_wakeup(struct instance *instance)
{
	uint64_t deadline = remote_deadline(instance->remote);
	struct itimerspec timer = {0};

	if (some_queue_is_polled(instance)) {
		uint64_t soon = uv_hrtime() + POLLED_INTERVAL_NS;

		deadline = deadline < soon ? deadline : soon;
	}
	if (deadline == instance->wakeup_at)
		return;
	instance->wakeup_at = deadline;
	if (deadline != REMOTE_NO_DEADLINE) {
		deadline += deadline == 0; /* 0 would mean never */
		timer.it_value.tv_sec = (time_t)(deadline / NS_PER_SEC);
		timer.it_value.tv_nsec = (long)(deadline % NS_PER_SEC);
	}
	timerfd_settime(instance->clock_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

/* What faults of the life cycle asked for, now that the remote has returned. */
static void live_on(struct instance *instance)
{
	uint32_t asked = instance->life_asked;
	struct backend *backend = &instance->backend;
	int ret = 0;

	instance->life_asked = 0;
	if (!instance_connected(instance))
		return;
	if (asked & INSTANCE_LIFE_BIT(REMOTE_LIFE_CONFIG_CHANGED))
		ret = backend_config_changed(backend);
	if (asked & INSTANCE_LIFE_BIT(REMOTE_LIFE_NEEDS_RESET))
		ret = backend_needs_reset(backend);
	if (ret)
		log_warn("%s: the front-end cannot be told that the configuration changed: %s",
			 instance->name,
			 ret == -ENOTCONN ? "it did not give a channel for that, or there is no "
					    "configuration"
					  : strerror(-ret));
	if (asked & INSTANCE_LIFE_BIT(REMOTE_LIFE_CRASH))
		instance_disconnect(instance, "the remote crashed");
}

static void on_run(uv_idle_t *idle)
{
	struct instance *instance = idle->data;
	unsigned int budget = 0;
	bool again;

	recorder_turn(&instance->registry->recorder);
	if (instance->scenario) {
		scenario_run_settle(instance->scenario);
		budget = scenario_run_budget(instance->scenario);
	}
	/* A budget of a scenario's has it step between two messages: no polling then. */
	if (instance->poll.spin.longest && budget == 0 && instance_connected(instance))
		again = instance_poll_turn(instance);
	else
		again = remote_run(instance->remote, budget ? budget : INSTANCE_RUN_BUDGET);
	if (!again)
		uv_idle_stop(&instance->run);
	recorder_settle(&instance->registry->recorder);
	if (instance->scenario)
		scenario_run_settle(instance->scenario);
	arm_wakeup(instance);
	if (instance->life_asked)
		live_on(instance);
	instance_check_memory(instance);
}

void instance_schedule(struct instance *instance)
{
	if (instance->handles_open && !uv_is_active((uv_handle_t *)&instance->run))
		uv_idle_start(&instance->run, on_run);
}

void instance_crash(struct instance *instance, uint64_t down_ms)
{
	instance->down_ms = down_ms;
	remote_crash(instance->remote);
	instance->life_asked |= INSTANCE_LIFE_BIT(REMOTE_LIFE_CRASH);
	instance_schedule(instance);
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

static void record_fault(struct instance *instance, const struct remote_event *event)
{
	log_fault(instance, event);
	recorder_fault(&instance->registry->recorder, instance->name,
		       event->queue == REMOTE_NO_QUEUE ? VIOLATION_NO_QUEUE : (int)event->queue,
		       event->desc_id == REMOTE_NO_DESC ? VIOLATION_NO_DESC : event->desc_id,
		       fault_at(event->fault)->name);
}

static void remote_event(void *ctx, const struct remote_event *event)
{
	struct instance *instance = ctx;

	if (instance->registry->recorder.capture &&
	    (event->type == REMOTE_EVENT_MESSAGE || event->type == REMOTE_EVENT_SENT))
		record_message(instance, event);
	if (event->type == REMOTE_EVENT_FAULT)
		record_fault(instance, event);
	events_remote(&instance->registry->events, instance->name, event);
}

/* Single messages interest a capture, and whoever is subscribed to them. */
static bool remote_quiet(void *ctx)
{
	const struct instance *instance = ctx;
	const uint32_t messages =
		EVENT_BIT(EVENT_MESSAGE) | EVENT_BIT(EVENT_SENT) | EVENT_BIT(EVENT_RETURNED);

	return !instance->registry->recorder.capture &&
	       !events_wanted(&instance->registry->events, messages);
}

static void remote_life(void *ctx, enum remote_life what)
{
	struct instance *instance = ctx;

	instance->life_asked |= INSTANCE_LIFE_BIT(what);
	instance_schedule(instance);
}

const struct remote_ops instance_remote_ops = {
	.now = remote_now,
	.call = remote_call,
	.queue_broken = remote_queue_broken,
	.wake = remote_wake,
	.event = remote_event,
	.quiet = remote_quiet,
	.life = remote_life,
};
