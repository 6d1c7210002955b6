/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults of the life cycle: crash, silence, start again, configuration, needs-reset. */
#include "remote/remote_priv.h"

#define NS_PER_MS UINT64_C(1000000)

static void ask(struct remote *remote, enum remote_life what)
{
	if (remote->ops->life != NULL)
		remote->ops->life(remote->ctx, what);
}

static void crash(struct remote *remote)
{
	remote->crashed = true;
	remote_update_mute(remote);
	ask(remote, REMOTE_LIFE_CRASH);
}

void remote_update_mute(struct remote *remote)
{
	remote->muted = remote->crashed || remote->deaf;
}

/* ---- while a host is attached ------------------------------------------------------------- */

/* A message in the hands of a remote that is no more. */
static void lose(struct inbound *in)
{
	in->accepted = false;
	in->drop = REMOTE_DROP_FAULT;
}

bool fault_receive(struct remote *remote, struct inbound *in)
{
	enum fault fault = fault_first(&remote->faults, FAULT_PLACE_RECEIVE);
	bool crashes = false, restarts = false;

	for (; fault != FAULT_COUNT;
	     fault = fault_next(&remote->faults, FAULT_PLACE_RECEIVE, fault)) {
		if (fault == FAULT_RING_WRITE_READABLE && !fault_write_readable(remote, &in->chain))
			continue;
		crashes |= fault == FAULT_LIFE_CRASH_AT_FIRST_MESSAGE;
		restarts |= fault == FAULT_LIFE_RESET_IN_FLIGHT;
		if (crashes || restarts)
			lose(in);
		fault_fired(remote, fault, RPMSG_QUEUE_OUTPUT, in->chain.head);
	}
	if (!crashes && !restarts)
		return false;
	/* Not before: a firing is told before the message that it broke. */
	remote->current = in;
	receive_report(remote);
	if (crashes)
		crash(remote);
	else
		remote_restart(remote, true);
	return true;
}

void fault_kick(struct remote *remote, unsigned int queue)
{
	enum fault fault = fault_first(&remote->faults, FAULT_PLACE_KICK);

	remote->deaf = false;
	for (; fault != FAULT_COUNT; fault = fault_next(&remote->faults, FAULT_PLACE_KICK, fault)) {
		fault_fired(remote, fault, queue, REMOTE_NO_DESC);
		if (fault == FAULT_LIFE_SILENT)
			remote->deaf = true;
		else
			crash(remote);
	}
	remote_update_mute(remote);
}

static void change_config(struct remote *remote)
{
	fault_fired(remote, FAULT_LIFE_CONFIG_CHANGE, REMOTE_NO_QUEUE, REMOTE_NO_DESC);
	if (remote->layout != NULL)
		config_layout_change(remote->layout, remote->config_space);
	ask(remote, REMOTE_LIFE_CONFIG_CHANGED);
}

static void fire_attached(struct remote *remote, enum fault fault)
{
	switch (fault) {
	case FAULT_LIFE_CONFIG_CHANGE:
		change_config(remote);
		break;
	case FAULT_LIFE_NEEDS_RESET:
		fault_fired(remote, fault, REMOTE_NO_QUEUE, REMOTE_NO_DESC);
		ask(remote, REMOTE_LIFE_NEEDS_RESET);
		break;
	case FAULT_LIFE_REBOOT:
		remote->restart_pending = true;
		break;
	default:
		break;
	}
}

void fault_attach(struct remote *remote)
{
	enum fault fault = fault_first(&remote->faults, FAULT_PLACE_ATTACH);

	for (; fault != FAULT_COUNT; fault = fault_next(&remote->faults, FAULT_PLACE_ATTACH, fault))
		fire_attached(remote, fault);
}

void fault_restart(struct remote *remote)
{
	remote->restart_pending = false;
	if (remote->faults.states[FAULT_LIFE_REBOOT].mode == FAULT_MODE_OFF)
		return;
	fault_fired(remote, FAULT_LIFE_REBOOT, REMOTE_NO_QUEUE, REMOTE_NO_DESC);
	remote_restart(remote, false);
}

/* ---- while it connects -------------------------------------------------------------------- */

bool remote_crashes_at(struct remote *remote, enum remote_point point)
{
	static const enum fault faults[REMOTE_POINT_COUNT] = {
		[REMOTE_POINT_FEATURES] = FAULT_LIFE_CRASH_AT_FEATURES,
		[REMOTE_POINT_MEMORY] = FAULT_LIFE_CRASH_AT_MEMORY,
		[REMOTE_POINT_VRING] = FAULT_LIFE_CRASH_AT_VRING,
		[REMOTE_POINT_DRIVER_OK] = FAULT_LIFE_CRASH_AT_DRIVER_OK,
	};

	if ((unsigned int)point >= REMOTE_POINT_COUNT ||
	    !fault_due(&remote->faults, remote->faults.states[faults[point]].place))
		return false;
	fault_fired(remote, faults[point], REMOTE_NO_QUEUE, REMOTE_NO_DESC);
	return true;
}

uint64_t remote_reply_delay(struct remote *remote)
{
	enum fault fault;
	uint64_t delay = 0;

	if (!fault_due(&remote->faults, FAULT_PLACE_REPLY))
		return 0;
	for (fault = fault_first(&remote->faults, FAULT_PLACE_REPLY); fault != FAULT_COUNT;
	     fault = fault_next(&remote->faults, FAULT_PLACE_REPLY, fault)) {
		fault_fired(remote, fault, REMOTE_NO_QUEUE, REMOTE_NO_DESC);
		if (fault == FAULT_LIFE_NO_REPLIES)
			delay = REMOTE_NO_DEADLINE;
		else if (delay != REMOTE_NO_DEADLINE)
			delay = fault_argument(remote, fault) * NS_PER_MS;
	}
	return delay;
}

void remote_crash(struct remote *remote)
{
	if (remote->attached && !remote->crashed)
		crash(remote);
}

/* ---- set and cleared ---------------------------------------------------------------------- */

void fault_enter(struct remote *remote, enum fault fault)
{
	const struct fault_state *state = &remote->faults.states[fault];

	if (!remote->attached || !fault_is_active(&remote->faults, fault))
		return;
	if (fault == FAULT_LIFE_SILENT) {
		remote->deaf = true;
		remote_update_mute(remote);
	}
	if (state->place == FAULT_PLACE_ATTACH)
		fire_attached(remote, fault);
	else if (state->place == FAULT_PLACE_FOLLOW)
		fault_follow_now(remote, fault);
}

void fault_leave(struct remote *remote, enum fault fault)
{
	if (fault == FAULT_LIFE_SILENT)
		remote->deaf = false;
	if (fault == FAULT_LIFE_REBOOT)
		remote->restart_pending = false;
	remote_update_mute(remote);
}
