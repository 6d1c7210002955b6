/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking at the queues for a while before sleeping (--poll): a message that comes meanwhile
 * costs neither side a system call. How long is worth while is learnt from how long it then sleeps
 * until the host kicks: a sleep shorter than the longest wait doubles the next one, any other
 * halves it.
 */
#include <sched.h>

#include "daemon/instance_internal.h"

#define NS_PER_US UINT64_C(1000)

/* One turn of the event loop: others are served in between. */
#define SLICE_NS (20 * NS_PER_US)

/* What is not worth a wait. */
#define SHORTEST_NS NS_PER_US

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/* Would looking a little longer have saved the host's kick? */
static void woke_up(struct instance_poll *poll, uint64_t now)
{
	if (poll->slept_at == 0)
		return;
	if (now - poll->slept_at > poll->longest)
		poll->wait = poll->wait > SHORTEST_NS ? poll->wait / 2 : 0;
	else
		poll->wait = poll->wait > SHORTEST_NS ? 2 * poll->wait : 2 * SHORTEST_NS;
	if (poll->wait > poll->longest)
		poll->wait = poll->longest;
}

static bool to_be_interrupted(const struct instance *instance)
{
	return instance->memory_lost || instance->life_asked != 0;
}

void instance_poll(struct instance *instance, uint64_t longest)
{
	instance->poll = (struct instance_poll){.longest = longest, .wait = longest};
}

bool instance_poll_turn(struct instance *instance)
{
	struct instance_poll *poll = &instance->poll;
	uint64_t begun = uv_hrtime(), now = begun;

	if (!poll->awake) {
		woke_up(poll, now);
		poll->awake = true;
		poll->last_work = now;
	}
	do {
		if (remote_has_work(instance->remote)) {
			remote_serve(instance->remote, INSTANCE_RUN_BUDGET);
			now = uv_hrtime();
			poll->last_work = now;
		} else {
			relax();
			now = uv_hrtime();
		}
		if (now - poll->last_work >= poll->wait)
			break;
	} while (now - begun < SLICE_NS && !to_be_interrupted(instance));
	if (to_be_interrupted(instance))
		return true;
	if (now - poll->last_work < poll->wait) {
		/* The host may have nowhere else to run. */
		if (poll->last_work <= begun)
			sched_yield();
		return true;
	}

	/* In vain. What remote_run() finds nevertheless came in this moment. */
	if (remote_run(instance->remote, INSTANCE_RUN_BUDGET)) {
		poll->last_work = now;
		return true;
	}
	poll->slept_at = now;
	poll->awake = false;
	return false;
}
