/* SPDX-License-Identifier: BSD-2-Clause */
/* The key "scripts" of a scenario file: rules as tables for the remote. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/scenario_internal.h"

#define NS_PER_US UINT64_C(1000)

/* Words of one script for its states, by number. */
struct states {
	const char *names[SCRIPT_STATES_MAX];
	uint16_t count;
};

static int find_state(struct scenario_parser *parser, uint32_t node, json_t *rule, const char *key,
		      struct states *states, uint16_t *state)
{
	const char *name = scenario_get_text(rule, key);

	*state = SCRIPT_ANY_STATE;
	if (!name)
		return 0;
	for (*state = 0; *state < states->count; ++*state) {
		if (strcmp(states->names[*state], name) == 0)
			return 0;
	}
	if (states->count == SCRIPT_STATES_MAX)
		return scenario_refuse(parser, node, key, "a script has at most %d states",
				       SCRIPT_STATES_MAX);
	states->names[states->count++] = name;
	return 0;
}

static uint8_t digit(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* Bytes that one of two keys gives; *bytes stays NULL when neither does. */
static int get_bytes(struct scenario_parser *parser, uint32_t node, json_t *rule, const char *hex,
		     const char *text, const uint8_t **bytes, uint32_t *size)
{
	const char *digits = scenario_get_text(rule, hex), *plain = scenario_get_text(rule, text);
	size_t length = digits ? strlen(digits) / 2 : plain ? strlen(plain) : 0;
	uint8_t *made;

	if (digits && plain)
		return scenario_refuse(parser, node, hex, "excludes %s: give one", text);
	if (!digits && !plain)
		return 0;
	made = malloc(length + 1);
	if (!made)
		return -ENOMEM;
	if (plain)
		memcpy(made, plain, length);
	for (size_t i = 0; digits && i < length; i++)
		made[i] = (uint8_t)(digit(digits[2 * i]) << 4 | digit(digits[2 * i + 1]));
	*bytes = made;
	*size = (uint32_t)length;
	return 0;
}

/* ---- matching --------------------------------------------------------------------------- */

static enum script_match match_of(json_t *rule, bool pattern, bool limits)
{
	static const char *const names[] = {
		[SCRIPT_MATCH_ANY] = "any",	  [SCRIPT_MATCH_EXACT] = "exact",
		[SCRIPT_MATCH_PREFIX] = "prefix", [SCRIPT_MATCH_LENGTH] = "length",
		[SCRIPT_MATCH_PEER] = "peer",
	};
	const char *word = scenario_get_text(rule, "match");

	if (!word)
		return pattern	? SCRIPT_MATCH_EXACT
		       : limits ? SCRIPT_MATCH_LENGTH
				: SCRIPT_MATCH_ANY;
	for (enum script_match match = 0; match <= SCRIPT_MATCH_PEER; match++) {
		if (strcmp(names[match], word) == 0)
			return match;
	}
	return SCRIPT_MATCH_ANY;
}

static int read_match(struct scenario_parser *parser, uint32_t node, json_t *rule,
		      struct script_rule *made)
{
	bool limits = json_object_get(rule, "min") || json_object_get(rule, "max");
	int ret = get_bytes(parser, node, rule, "hex", "text", &made->pattern, &made->pattern_size);
	bool by_pattern, pattern = made->pattern != NULL;

	if (ret)
		return ret;
	made->match = match_of(rule, pattern, limits);
	made->min = (uint32_t)scenario_get_number(rule, "min", 0);
	made->max = (uint32_t)scenario_get_number(rule, "max", UINT32_MAX);
	made->from = (uint32_t)scenario_get_number(rule, "from", RPMSG_ADDR_ANY);
	made->times = (uint32_t)scenario_get_number(rule, "times", 0);
	by_pattern = made->match == SCRIPT_MATCH_EXACT || made->match == SCRIPT_MATCH_PREFIX;
	if (by_pattern != pattern)
		return scenario_refuse(
			parser, node,
			by_pattern			 ? "match"
			: scenario_get_text(rule, "hex") ? "hex"
							 : "text",
			"exact and prefix go with hex or text, and nothing else does");
	if ((made->match == SCRIPT_MATCH_LENGTH) != limits)
		return scenario_refuse(parser, node,
				       limits ? json_object_get(rule, "min") ? "min" : "max"
					      : "match",
				       "length goes with min or max, and nothing else does");
	if (made->min > made->max)
		return scenario_refuse(parser, node, "min", "is more than max");
	if (made->match == SCRIPT_MATCH_PEER && made->from != RPMSG_ADDR_ANY)
		return scenario_refuse(parser, node, "from", "does not go with match: peer");
	return 0;
}

/* ---- answering -------------------------------------------------------------------------- */

static enum script_then then_of(json_t *rule)
{
	const char *word = scenario_get_text(rule, "then");

	if (word && strcmp(word, "withdraw") == 0)
		return SCRIPT_THEN_WITHDRAW;
	return word && strcmp(word, "drop") == 0 ? SCRIPT_THEN_DROP : SCRIPT_THEN_STAY;
}

static int check_answer(struct scenario_parser *parser, uint32_t node, json_t *rule,
			const struct script_rule *made)
{
	static const char *const of_answers[] = {"count", "delay_us", "to"};
	const char *reply = scenario_get_text(rule, "reply_hex") ? "reply_hex" : "reply_text";

	if (made->echo && made->answer)
		return scenario_refuse(parser, node, reply, "excludes echo: give one");
	for (size_t i = 0; i < 3; i++) {
		if (json_object_get(rule, of_answers[i]) && !made->answer &&
		    !(made->echo && i == 2))
			return scenario_refuse(parser, node, of_answers[i],
					       "goes with reply_hex or reply_text%s only",
					       i == 2 ? " or echo" : "");
	}
	if (made->match == SCRIPT_MATCH_PEER && made->echo)
		return scenario_refuse(parser, node, "echo",
				       "does not go with match: peer: there is no message");
	if (made->then == SCRIPT_THEN_DROP && (made->echo || made->answer))
		return scenario_refuse(parser, node, "then",
				       "a message that is dropped gets no answer");
	if (made->then != SCRIPT_THEN_STAY && made->match == SCRIPT_MATCH_PEER)
		return scenario_refuse(parser, node, "then", "does not go with match: peer");
	if (made->then == SCRIPT_THEN_WITHDRAW && made->echo)
		return scenario_refuse(parser, node, "then",
				       "withdraw does not go with echo: give the reply as bytes");
	return 0;
}

static int read_rule(struct scenario_parser *parser, uint32_t node, json_t *rule,
		     struct states *states, struct script_rule *made)
{
	int ret = read_match(parser, node, rule, made);

	if (ret == 0)
		ret = get_bytes(parser, node, rule, "reply_hex", "reply_text", &made->reply,
				&made->reply_size);
	made->answer = made->reply != NULL;
	made->echo = json_is_true(json_object_get(rule, "echo"));
	made->count = (uint32_t)scenario_get_number(rule, "count", 1);
	made->delay = scenario_get_number(rule, "delay_us", 0) * NS_PER_US;
	made->to = (uint32_t)scenario_get_number(rule, "to", RPMSG_ADDR_ANY);
	made->then = then_of(rule);
	if (ret == 0)
		ret = check_answer(parser, node, rule, made);
	if (ret == 0)
		ret = find_state(parser, node, rule, "next", states, &made->next_state);
	if (ret == 0)
		ret = find_state(parser, node, rule, "in", states, &made->in_state);
	return ret;
}

/* A state that no rule leads to is a word that was mistyped. */
static int check_states(struct scenario_parser *parser, uint32_t node, const struct script *script)
{
	for (uint32_t i = 0; i < script->rule_count; i++) {
		uint16_t state = script->rules[i].in_state;
		bool reached = state == 0 || state == SCRIPT_ANY_STATE;

		for (uint32_t j = 0; !reached && j < script->rule_count; j++)
			reached = script->rules[j].next_state == state;
		if (!reached)
			return scenario_refuse(
				parser, scenario_text_entry(&parser->scenario->text, node, i), "in",
				"no rule has this state as its next one");
	}
	return 0;
}

static int read_script(struct scenario_parser *parser, uint32_t node, json_t *object,
		       struct script *script)
{
	json_t *rules = json_object_get(object, "rules");
	const struct scenario_text *text = &parser->scenario->text;
	uint32_t rules_node = scenario_text_key(text, node, "rules");
	struct states states = {.names = {"start"}, .count = 1};
	struct script_rule *made = calloc(json_array_size(rules) + 1, sizeof(*made));
	int ret = 0;

	if (!made)
		return -ENOMEM;
	script->name = scenario_get_text(object, "name");
	script->rules = made;
	script->rule_count = (uint32_t)json_array_size(rules);
	for (const struct script *other = parser->scenario->scripts; other < script; other++) {
		if (strcmp(other->name, script->name) == 0)
			return scenario_refuse(parser, node, "name", "another script has the name");
	}
	for (uint32_t i = 0; ret == 0 && i < script->rule_count; i++)
		ret = read_rule(parser, scenario_text_entry(text, rules_node, i),
				json_array_get(rules, i), &states, &made[i]);
	return ret ? ret : check_states(parser, rules_node, script);
}

int scenario_read_scripts(struct scenario_parser *parser)
{
	struct scenario *scenario = parser->scenario;
	json_t *scripts = json_object_get(scenario->root, "scripts");
	uint32_t node = scenario_text_key(&scenario->text, 0, "scripts");
	size_t count = json_array_size(scripts);
	int ret = 0;

	scenario->scripts = calloc(count + 1, sizeof(*scenario->scripts));
	if (!scenario->scripts)
		return -ENOMEM;
	for (size_t i = 0; ret == 0 && i < count; i++) {
		scenario->script_count = i + 1;
		ret = read_script(parser, scenario_text_entry(&scenario->text, node, (uint32_t)i),
				  json_array_get(scripts, i), &scenario->scripts[i]);
	}
	return ret;
}

void scenario_free_scripts(struct scenario *scenario)
{
	for (size_t i = 0; i < scenario->script_count; i++) {
		const struct script *script = &scenario->scripts[i];

		for (uint32_t j = 0; script->rules && j < script->rule_count; j++) {
			free((void *)script->rules[j].pattern);
			free((void *)script->rules[j].reply);
		}
		free((void *)script->rules);
	}
	free(scenario->scripts);
}
