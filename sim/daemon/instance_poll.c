/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking at the queues for a while before sleeping: a message that comes meanwhile costs neither
 * side a system call. How long is worth while is learnt (virtio/spin.h), eagerly with --poll.
 */
#include <sched.h>

#include "daemon/instance_internal.h"

/* One turn of the event loop: others are served in between. */
#define SLICE_NS UINT64_C(20000)

static bool to_be_interrupted(const struct instance *instance)
{
	return instance->memory_lost || instance->life_asked != 0;
}

void instance_poll(struct instance *instance, uint64_t longest, bool eager)
{
	instance->poll = (struct instance_poll){.slept_at = 0};
	spin_init(&instance->poll.spin, longest, eager);
}

/* Who was not asked to poll does not let other hosts wait for it. */
static uint64_t worth_while(const struct instance *instance)
{
	const struct spin *spin = &instance->poll.spin;

	return spin->eager || instance->registry->connected == 1 ? spin->wait : 0;
}

static bool turn_without_looking(struct instance *instance)
{
	struct instance_poll *poll = &instance->poll;

	if (remote_run(instance->remote, INSTANCE_RUN_BUDGET))
		return true;
	poll->slept_at = uv_hrtime();
	poll->awake = false;
	return false;
}

bool instance_poll_turn(struct instance *instance)
{
	struct instance_poll *poll = &instance->poll;
	uint64_t begun = 0, now, wait;

	if (!poll->awake) {
		begun = uv_hrtime();
		if (poll->slept_at != 0)
			spin_slept(&poll->spin, begun - poll->slept_at);
		poll->awake = true;
		poll->last_work = begun;
	}
	wait = worth_while(instance);
	if (wait == 0)
		return turn_without_looking(instance);
	if (begun == 0)
		begun = uv_hrtime();
	do {
		if (remote_has_work(instance->remote)) {
			recorder_turn(&instance->registry->recorder);
			remote_serve(instance->remote, INSTANCE_RUN_BUDGET);
			now = uv_hrtime();
			poll->last_work = now;
			if (poll->looked)
				spin_hit(&poll->spin);
			poll->looked = false;
		} else {
			poll->looked = true;
			spin_relax();
			now = uv_hrtime();
		}
		if (now - poll->last_work >= wait)
			break;
	} while (now - begun < SLICE_NS && !to_be_interrupted(instance));
	if (to_be_interrupted(instance))
		return true;
	if (now - poll->last_work < wait) {
		/* The host may have nowhere else to run; who is careful sleeps for that. */
		if (poll->spin.eager && poll->last_work <= begun)
			sched_yield();
		return true;
	}

	/* What remote_run() finds nevertheless came in this moment. */
	spin_missed(&poll->spin);
	poll->looked = false;
	recorder_turn(&instance->registry->recorder);
	if (remote_run(instance->remote, INSTANCE_RUN_BUDGET)) {
		poll->last_work = now;
		return true;
	}
	poll->slept_at = now;
	poll->awake = false;
	return false;
}
