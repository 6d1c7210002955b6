/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations on a remote that several targets have: what its owner asks of it, as a control
 * socket does. A target puts the rows into its table of operations and calls the functions with
 * items of them.
 */
#ifndef FUZZ_COMMON_ACTS_H
#define FUZZ_COMMON_ACTS_H

#include "common/oplist.h"
#include "remote/pacing.h"
#include "remote/remote.h"
#include "remote/script.h"
#include "remote/service.h"

#define ACT_NAME_SIZE 64

#define ACT_ANNOUNCE                                                                               \
	{                                                                                          \
		.name = "announce", .tail = "name", .fields = {                                    \
			{"kind", 1, OPLIST_CHOICE, 0},                                             \
			{"address", 4, OPLIST_ADDRESS, 0},                                         \
			{"size", 4, OPLIST_LENGTH, 0},                                             \
			{"rate", 4, OPLIST_NUMBER, 0},                                             \
			{"messages", 2, OPLIST_COUNT, 0},                                          \
			{"peer", 4, OPLIST_ADDRESS, 0},                                            \
			{"flags", 1, OPLIST_BITS, 0}                                               \
		}                                                                                  \
	}
#define ACT_WITHDRAW                                                                               \
	{                                                                                          \
		.name = "withdraw", .tail = "name", .fields = {                                    \
			{"address", 4, OPLIST_ADDRESS, 0}                                          \
		}                                                                                  \
	}
#define ACT_HOLD                                                                                   \
	{                                                                                          \
		.name = "hold", .fields = {                                                        \
			{"queue", 1, OPLIST_CHOICE, 3},                                            \
			{"count", 4, OPLIST_COUNT, 0}                                              \
		}                                                                                  \
	}
#define ACT_RELEASE                                                                                \
	{                                                                                          \
		.name = "release", .fields = {                                                     \
			{"queue", 1, OPLIST_CHOICE, 3},                                            \
			{"count", 4, OPLIST_COUNT, 0}                                              \
		}                                                                                  \
	}
#define ACT_PACE                                                                                   \
	{                                                                                          \
		.name = "pace", .fields = {                                                        \
			{"queue", 1, OPLIST_CHOICE, 3},                                            \
			{"every", 4, OPLIST_COUNT, 0},                                             \
			{"batch", 4, OPLIST_COUNT, 0},                                             \
			{"order", 1, OPLIST_CHOICE, PACE_ORDER_COUNT + 1},                         \
			{"interrupt", 1, OPLIST_CHOICE, PACE_CALL_COUNT + 1},                      \
			{"delay", 8, OPLIST_TIME, 0},                                              \
			{"interrupt_delay", 8, OPLIST_TIME, 0}                                     \
		}                                                                                  \
	}
#define ACT_FAULT                                                                                  \
	{                                                                                          \
		.name = "fault", .fields = {                                                       \
			{"fault", 1, OPLIST_CHOICE, FAULT_COUNT + 1},                              \
			{"mode", 1, OPLIST_CHOICE, 3},                                             \
			{"count", 2, OPLIST_COUNT, 0},                                             \
			{"after", 2, OPLIST_COUNT, 0},                                             \
			{"argument_set", 1, OPLIST_CHOICE, 2},                                     \
			{"argument", 4, OPLIST_NUMBER, 0}                                          \
		}                                                                                  \
	}
#define ACT_SEND                                                                                   \
	{                                                                                          \
		.name = "send", .tail = "payload", .fields = {                                     \
			{"source", 4, OPLIST_ADDRESS, 0},                                          \
			{"destination", 4, OPLIST_ADDRESS, 0},                                     \
			{"length", 2, OPLIST_LENGTH, 0},                                           \
			{"flags", 2, OPLIST_BITS, 0},                                              \
			{"used_len", 4, OPLIST_LENGTH, 0},                                         \
			{"used_len_set", 1, OPLIST_CHOICE, 2}                                      \
		}                                                                                  \
	}

/* What an announcement asks for. */
struct act_service {
	char name[ACT_NAME_SIZE];
	const struct service_kind *kind; /* NULL: none of that number */
	struct service_params params;
	bool defaults; /* no parameters are given */
	uint32_t addr;
};

/**
 * act_name() - a name out of an operation's tail
 * @name: set, terminated
 * @room: bytes at @name
 * @schema: schema
 * @item: operation
 */
void act_name(char *name, size_t room, const struct oplist_schema *schema,
	      const struct oplist_item *item);

/**
 * act_service() - read an ACT_ANNOUNCE
 * @schema: schema
 * @item: operation
 * @to: set
 */
void act_service(const struct oplist_schema *schema, const struct oplist_item *item,
		 struct act_service *to);

/**
 * act_announce() - carry out an ACT_ANNOUNCE
 * @remote: remote
 * @schema: schema
 * @item: operation
 * @script: rules of a service of kind "script", kept by reference; NULL: there is none
 */
void act_announce(struct remote *remote, const struct oplist_schema *schema,
		  const struct oplist_item *item, const struct script *script);

/**
 * act_withdraw() - carry out an ACT_WITHDRAW
 * @remote: remote
 * @schema: schema
 * @item: operation
 */
void act_withdraw(struct remote *remote, const struct oplist_schema *schema,
		  const struct oplist_item *item);

/**
 * act_hold() - carry out an ACT_HOLD
 * @remote: remote
 * @schema: schema
 * @item: operation
 */
void act_hold(struct remote *remote, const struct oplist_schema *schema,
	      const struct oplist_item *item);

/**
 * act_release() - carry out an ACT_RELEASE
 * @remote: remote
 * @schema: schema
 * @item: operation
 */
void act_release(struct remote *remote, const struct oplist_schema *schema,
		 const struct oplist_item *item);

/**
 * act_pace() - carry out an ACT_PACE
 * @remote: remote
 * @schema: schema
 * @item: operation
 */
void act_pace(struct remote *remote, const struct oplist_schema *schema,
	      const struct oplist_item *item);

/**
 * act_fault() - carry out an ACT_FAULT
 * @remote: remote
 * @schema: schema
 * @item: operation
 */
void act_fault(struct remote *remote, const struct oplist_schema *schema,
	       const struct oplist_item *item);

/**
 * act_send() - carry out an ACT_SEND
 * @remote: remote
 * @schema: schema
 * @item: operation
 *
 * Return: true when the used length that was asked for may be a lie.
 */
bool act_send(struct remote *remote, const struct oplist_schema *schema,
	      const struct oplist_item *item);

#endif /* FUZZ_COMMON_ACTS_H */
