/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends numbered payloads (remote/numbered.h) to its peer, from 0 in each session, as soon as
 * it knows one. Message n of an uninterrupted run is due exactly n seconds divided by the rate
 * after the first; a caller that comes late finds all that is due. Without a buffer of the
 * host it waits, loses nothing, and starts counting time anew from the message that waited.
 */
#include "remote/services/kinds.h"

#include <errno.h>

#include "remote/numbered.h"

#define DEFAULT_SIZE 64
#define DEFAULT_RATE 100
#define AS_FAST_AS_POSSIBLE UINT32_MAX

#define NS_PER_SECOND UINT64_C(1000000000)

struct source {
	uint32_t size;
	uint32_t rate;
	uint64_t messages; /* 0: no end */
	uint64_t number;   /* of the next one */
	uint64_t second;   /* when the current second of sending began */
	uint32_t in_second;
	bool failed; /* its messages do not fit the host's buffers */
};

static int source_init(struct service *service, const struct service_params *params)
{
	struct source *source = service_state(service);

	source->size = params->size != 0 ? params->size : DEFAULT_SIZE;
	source->rate = params->rate != 0 ? params->rate : DEFAULT_RATE;
	source->messages = params->messages;
	return source->size >= NUMBERED_MIN_SIZE && source->size <= REMOTE_MAX_PAYLOAD ? 0
										       : -EINVAL;
}

static bool is_done(const struct service *service, const struct source *source)
{
	return source->failed || service_peer(service) == RPMSG_ADDR_ANY ||
	       (source->messages != 0 && source->number == source->messages);
}

static void start_second(struct source *source, uint64_t now)
{
	source->second = now;
	source->in_second = 0;
}

/* When the next message is due, counting from the start of the second without rounding twice. */
static uint64_t due_at(const struct source *source)
{
	return source->second + source->in_second * NS_PER_SECOND / source->rate;
}

static void send_one(struct service *service, struct source *source)
{
	int ret =
		service_send_numbered(service, service_peer(service), source->number, source->size);

	if (ret < 0) {
		source->failed = true;
		return;
	}
	source->number++;
	if (++source->in_second == source->rate)
		start_second(source, source->second + NS_PER_SECOND);
}

static void schedule(struct service *service, struct source *source)
{
	if (is_done(service, source))
		service_wake_at(service, REMOTE_NO_DEADLINE);
	else if (source->rate == AS_FAST_AS_POSSIBLE)
		service_wait_room(service);
	else
		service_wake_at(service, due_at(source));
}

static void source_timer(struct service *service, uint64_t now)
{
	struct source *source = service_state(service);

	if (is_done(service, source))
		return;
	if (!service_room(service)) {
		service_wait_room(service);
		return;
	}
	send_one(service, source);
	schedule(service, source);
}

static void source_room(struct service *service)
{
	struct source *source = service_state(service);

	if (is_done(service, source))
		return;
	if (source->rate != AS_FAST_AS_POSSIBLE)
		start_second(source, service_now(service));
	send_one(service, source);
	schedule(service, source);
}

static void source_peer_changed(struct service *service)
{
	struct source *source = service_state(service);

	start_second(source, service_now(service));
	schedule(service, source);
}

static void source_detached(struct service *service)
{
	struct source *source = service_state(service);

	source->number = 0;
	source->failed = false;
}

const struct service_kind service_source = {
	.name = "source",
	.summary = "sends numbered messages to whoever has sent it one",
	.state_size = sizeof(struct source),
	.init = source_init,
	.timer = source_timer,
	.room = source_room,
	.peer_changed = source_peer_changed,
	.detached = source_detached,
};
