/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files that read scenarios share. Nothing else includes it. */
#ifndef DAEMON_SCENARIO_INTERNAL_H
#define DAEMON_SCENARIO_INTERNAL_H

#include "daemon/rpc.h"
#include "daemon/scenario.h"

struct scenario_parser {
	struct scenario *scenario;
	struct scenario_error *error;
	struct rpc rpc; /* lends its memory to rpc_check() */
};

/* scenario_fail() of a parser. */
#define scenario_refuse(parser, node, key, ...)                                                    \
	scenario_fail((parser)->error, &(parser)->scenario->text, node, key, __VA_ARGS__)

/**
 * scenario_get_number() - a number of an object that may be absent
 * @object: object of the file
 * @key: key
 * @absent: what it is then
 *
 * Return: number.
 */
uint64_t scenario_get_number(json_t *object, const char *key, uint64_t absent);

/**
 * scenario_get_text() - a text of an object
 * @object: object of the file
 * @key: key
 *
 * Return: text, borrowed; NULL when it is absent.
 */
const char *scenario_get_text(json_t *object, const char *key);

/**
 * scenario_get_watch() - read "event" and "where"
 * @parser: parser
 * @node: mapping that has them
 * @object: the same
 * @watch: set
 *
 * Return: 0 or -EINVAL.
 */
int scenario_get_watch(struct scenario_parser *parser, uint32_t node, json_t *object,
		       struct scenario_watch *watch);

/**
 * scenario_read_scripts() - read "scripts"
 * @parser: parser
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int scenario_read_scripts(struct scenario_parser *parser);

/**
 * scenario_free_scripts() - free what scenario_read_scripts() made
 * @scenario: scenario
 */
void scenario_free_scripts(struct scenario *scenario);

/**
 * scenario_read_expects() - read "expect"
 * @parser: parser
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int scenario_read_expects(struct scenario_parser *parser);

#endif /* DAEMON_SCENARIO_INTERNAL_H */
