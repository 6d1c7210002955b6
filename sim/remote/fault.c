/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of faults, which of them are set, and which are due. */
#include "remote/remote_priv.h"

#include <errno.h>
#include <string.h>

_Static_assert(FAULT_COUNT <= 128, "the number of a fault is looked for in two words");

struct fault_row {
	struct fault_info info;
	enum fault_place place;
};

static const struct fault_row rows[FAULT_COUNT] = {
#define FAULT_ROW(symbol, name, point, place, requirement, text, argument, value, maximum)         \
	[FAULT_##symbol] = {                                                                       \
		{name, FAULT_POINT_##point, requirement, text, argument, value, maximum},          \
		FAULT_PLACE_##place,                                                               \
	},
	FAULT_TABLE(FAULT_ROW)
#undef FAULT_ROW
};

const struct fault_info *fault_at(unsigned int index)
{
	return index < FAULT_COUNT ? &rows[index].info : NULL;
}

int fault_find(const char *name, enum fault *fault)
{
	for (unsigned int i = 0; i < FAULT_COUNT; i++) {
		if (strcmp(rows[i].info.name, name) == 0) {
			*fault = (enum fault)i;
			return 0;
		}
	}
	return -ENOENT;
}

/* For a fault of a ring the argument says which of the two places is meant. */
static enum fault_place place_of(enum fault fault, uint32_t argument)
{
	enum fault_place place = rows[fault].place;

	return place == FAULT_PLACE_RETURN_0 || place == FAULT_PLACE_PUBLISH_0
		       ? (enum fault_place)(place + argument)
		       : place;
}

/* ---- places ------------------------------------------------------------------------------- */

static enum fault next_due(const struct fault_set *set, enum fault_place place, unsigned int from)
{
	const struct fault_passes *passes = &set->places[place];

	for (unsigned int i = from; i < FAULT_COUNT; i++) {
		uint64_t word = passes->armed[i / 64] >> i % 64;

		if (word == 0) {
			i |= 63;
			continue;
		}
		i += (unsigned int)__builtin_ctzll(word);
		/* The pass was counted already. */
		if (set->states[i].due < passes->passed)
			return (enum fault)i;
	}
	return FAULT_COUNT;
}

enum fault fault_first(const struct fault_set *set, enum fault_place place)
{
	return next_due(set, place, 0);
}

enum fault fault_next(const struct fault_set *set, enum fault_place place, enum fault fault)
{
	return next_due(set, place, (unsigned int)fault + 1);
}

bool fault_is_active(const struct fault_set *set, enum fault fault)
{
	const struct fault_state *state = &set->states[fault];

	return state->mode != FAULT_MODE_OFF && state->due <= set->places[state->place].passed;
}

static void find_due(struct fault_set *set, enum fault_place place)
{
	struct fault_passes *passes = &set->places[place];

	passes->due = FAULT_NEVER;
	for (unsigned int i = 0; i < FAULT_COUNT; i++) {
		const struct fault_state *state = &set->states[i];

		if ((passes->armed[i / 64] >> i % 64 & 1) != 0 && state->due < passes->due)
			passes->due = state->due;
	}
}

static void disarm(struct fault_set *set, enum fault fault)
{
	struct fault_state *state = &set->states[fault];

	if (state->mode == FAULT_MODE_OFF)
		return;
	state->mode = FAULT_MODE_OFF;
	set->places[state->place].armed[fault / 64] &= ~(UINT64_C(1) << fault % 64);
	find_due(set, state->place);
}

static void arm(struct fault_set *set, enum fault fault, uint64_t after)
{
	struct fault_state *state = &set->states[fault];
	struct fault_passes *passes = &set->places[state->place];

	/* FAULT_NEVER itself is as far away as no pass can be. */
	if (__builtin_add_overflow(passes->passed, after, &state->due) || state->due == FAULT_NEVER)
		state->due = FAULT_NEVER - 1;
	passes->armed[fault / 64] |= UINT64_C(1) << fault % 64;
	find_due(set, state->place);
}

void fault_set_init(struct fault_set *set)
{
	memset(set, 0, sizeof(*set));
	for (unsigned int i = 0; i < FAULT_PLACE_COUNT; i++)
		set->places[i].due = FAULT_NEVER;
	for (unsigned int i = 0; i < FAULT_COUNT; i++) {
		set->states[i].argument = rows[i].info.default_argument;
		set->states[i].place = place_of((enum fault)i, set->states[i].argument);
	}
}

void fault_fired(struct remote *remote, enum fault fault, uint32_t queue, uint16_t desc_id)
{
	struct fault_state *state = &remote->faults.states[fault];
	const struct remote_event event = {
		.type = REMOTE_EVENT_FAULT,
		.fault = fault,
		.queue = queue,
		.desc_id = desc_id,
	};

	state->fired++;
	if (state->mode == FAULT_MODE_COUNT && --state->left == 0)
		disarm(&remote->faults, fault);
	if (remote->ops->event == NULL)
		return;
	receive_report(remote);
	remote->ops->event(remote->ctx, &event);
}

uint32_t fault_argument(const struct remote *remote, enum fault fault)
{
	return remote->faults.states[fault].argument;
}

/* ---- setting ------------------------------------------------------------------------------ */

static void switch_off(struct remote *remote, enum fault fault)
{
	disarm(&remote->faults, fault);
	fault_leave(remote, fault);
}

int remote_fault_set(struct remote *remote, enum fault fault, const struct fault_setting *setting)
{
	const struct fault_info *info = fault_at((unsigned int)fault);
	struct fault_state *state;

	if (info == NULL)
		return -ENOENT;
	state = &remote->faults.states[fault];
	switch (setting->mode) {
	case FAULT_MODE_OFF:
		switch_off(remote, fault);
		remote_finish_request(remote);
		return 0;
	case FAULT_MODE_COUNT:
		if (setting->count == 0)
			return -EINVAL;
		break;
	case FAULT_MODE_ALWAYS:
		break;
	default:
		return -EINVAL;
	}
	if (setting->argument_set && *info->argument == '\0')
		return -EINVAL;
	if (setting->argument_set && setting->argument > info->max_argument)
		return -ERANGE;

	switch_off(remote, fault);
	state->mode = setting->mode;
	state->left = setting->mode == FAULT_MODE_COUNT ? setting->count : 0;
	state->argument = setting->argument_set ? setting->argument : info->default_argument;
	state->place = place_of(fault, state->argument);
	arm(&remote->faults, fault, setting->after);
	fault_enter(remote, fault);
	remote_finish_request(remote);
	return 0;
}

void remote_fault_clear(struct remote *remote)
{
	for (unsigned int i = 0; i < FAULT_COUNT; i++)
		switch_off(remote, (enum fault)i);
	remote_finish_request(remote);
}

int remote_fault_status(const struct remote *remote, enum fault fault, struct fault_status *status)
{
	const struct fault_state *state;
	uint64_t passed;

	if (fault_at((unsigned int)fault) == NULL)
		return -ENOENT;
	state = &remote->faults.states[fault];
	passed = remote->faults.places[state->place].passed;
	*status = (struct fault_status){
		.mode = state->mode,
		.left = state->mode == FAULT_MODE_COUNT ? state->left : 0,
		.after = state->mode != FAULT_MODE_OFF && state->due > passed ? state->due - passed
									      : 0,
		.argument = state->argument,
		.fired = state->fired,
	};
	return 0;
}
