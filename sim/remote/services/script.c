/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers by the rules of a table (remote/script.h): a firmware's protocol without the firmware.
 * The state, which is 0 at first, and what rules have been used for begin anew in each session.
 */
#include "remote/services/kinds.h"

#include <errno.h>
#include <string.h>

#include "remote/script.h"

/* Answers of one rule that are still to be sent, by due time, then in the order of asking. */
struct pending {
	uint64_t due;
	const struct script_rule *rule;
	uint32_t dst;
	uint32_t left;
};

struct script_state {
	const struct script *script;
	uint16_t state;
	bool leaving; /* withdraws itself when nothing is pending any more */
	uint32_t pending_count;
	struct pending pending[SCRIPT_PENDING_MAX];
	uint32_t used[SCRIPT_RULES_MAX];
};

static int script_init(struct service *service, const struct service_params *params)
{
	struct script_state *state = service_state(service);

	state->script = params->script;
	return params->script != NULL && params->script->rule_count <= SCRIPT_RULES_MAX ? 0
											: -EINVAL;
}

/* ---- which rule ------------------------------------------------------------------------- */

static bool begins_with(const struct script_rule *rule, const uint8_t *payload, uint32_t size)
{
	return size >= rule->pattern_size &&
	       (rule->pattern_size == 0 || memcmp(payload, rule->pattern, rule->pattern_size) == 0);
}

static bool fits(const struct script_rule *rule, uint32_t src, const uint8_t *payload,
		 uint32_t size)
{
	if (rule->from != RPMSG_ADDR_ANY && rule->from != src)
		return false;
	switch (rule->match) {
	case SCRIPT_MATCH_ANY:
		return true;
	case SCRIPT_MATCH_EXACT:
		return size == rule->pattern_size && begins_with(rule, payload, size);
	case SCRIPT_MATCH_PREFIX:
		return begins_with(rule, payload, size);
	case SCRIPT_MATCH_LENGTH:
		return size >= rule->min && size <= rule->max;
	case SCRIPT_MATCH_PEER:
		break;
	}
	return false;
}

/* It may be used now, and this use is counted. */
static bool take(struct script_state *state, const struct script_rule *rule)
{
	uint32_t *used = &state->used[rule - state->script->rules];

	if (rule->in_state != SCRIPT_ANY_STATE && rule->in_state != state->state)
		return false;
	if (rule->times != 0 && *used == rule->times)
		return false;
	*used += rule->times != 0;
	if (rule->next_state != SCRIPT_ANY_STATE)
		state->state = rule->next_state;
	return true;
}

/* ---- answers ---------------------------------------------------------------------------- */

static int ask(struct script_state *state, const struct pending *asked)
{
	uint32_t at = state->pending_count;

	if (at == SCRIPT_PENDING_MAX)
		return -ENOBUFS;
	for (; at > 0 && state->pending[at - 1].due > asked->due; at--)
		state->pending[at] = state->pending[at - 1];
	state->pending[at] = *asked;
	state->pending_count++;
	return 0;
}

/* One answer of the first that is pending; what is left of it comes after the same delay. */
static void send_first(struct service *service, struct script_state *state, uint64_t now)
{
	struct pending first = state->pending[0];

	memmove(state->pending, state->pending + 1, --state->pending_count * sizeof(first));
	/* What no buffer of the host can hold is given up, and counted there. */
	service_send(service, first.dst, first.rule->reply, first.rule->reply_size);
	first.due = now + first.rule->delay;
	if (--first.left != 0)
		ask(state, &first);
}

static void pump(struct service *service)
{
	struct script_state *state = service_state(service);
	uint64_t now = service_now(service);

	while (state->pending_count != 0 && state->pending[0].due <= now) {
		if (!service_room(service)) {
			service_wait_room(service);
			return;
		}
		send_first(service, state, now);
	}
	if (state->pending_count != 0)
		service_wake_at(service, state->pending[0].due);
	else if (state->leaving)
		service_retire(service);
}

static int answer(struct service *service, const struct script_rule *rule, uint32_t src)
{
	struct script_state *state = service_state(service);
	struct pending asked = {
		.due = service_now(service) + rule->delay,
		.rule = rule,
		.dst = rule->to != RPMSG_ADDR_ANY ? rule->to : src,
		.left = rule->count,
	};

	if (asked.dst == RPMSG_ADDR_ANY)
		return -EDESTADDRREQ;
	return ask(state, &asked);
}

static int script_message(struct service *service, const struct rpmsg_hdr *hdr,
			  const uint8_t *payload, uint32_t size)
{
	struct script_state *state = service_state(service);
	const struct script_rule *rule = state->script->rules;
	const struct script_rule *end = rule + state->script->rule_count;
	int ret = 0;

	while (rule < end && !(fits(rule, hdr->src, payload, size) && take(state, rule)))
		rule++;
	if (rule == end)
		return 0;
	if (rule->then == SCRIPT_THEN_DROP)
		return -EPERM;
	if (rule->echo)
		return services_answer(service, rule->to != RPMSG_ADDR_ANY ? rule->to : hdr->src,
				       payload, size);
	if (rule->answer)
		ret = answer(service, rule, hdr->src);
	if (rule->then == SCRIPT_THEN_WITHDRAW)
		state->leaving = true;
	pump(service);
	return ret;
}

static void script_timer(struct service *service, uint64_t now)
{
	pump(service);
}

static void script_peer_changed(struct service *service)
{
	struct script_state *state = service_state(service);
	uint32_t peer = service_peer(service);

	for (uint32_t i = 0; peer != RPMSG_ADDR_ANY && i < state->script->rule_count; i++) {
		const struct script_rule *rule = &state->script->rules[i];

		if (rule->match != SCRIPT_MATCH_PEER || !take(state, rule))
			continue;
		/* Nothing may be sent from here: the timer does it. */
		if (rule->answer && answer(service, rule, peer) == 0)
			service_wake_at(service, state->pending[0].due);
	}
}

static void script_detached(struct service *service)
{
	struct script_state *state = service_state(service);
	const struct script *script = state->script;

	memset(state, 0, sizeof(*state));
	state->script = script;
}

const struct service_kind service_script = {
	.name = "script",
	.summary = "answers by the rules of a scenario file",
	.state_size = sizeof(struct script_state),
	.init = script_init,
	.message = script_message,
	.timer = script_timer,
	.room = pump,
	.peer_changed = script_peer_changed,
	.detached = script_detached,
};
