/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scenario files: what a remote is, what happens to it and when, and what has to hold in the
 * end. Reading one needs no remote and no event loop; scenario_run.h carries it out.
 *
 * A scenario is about one remote. Everything that it does is a method of the control socket
 * (daemon/methods.h), called when its trigger fires.
 */
#ifndef DAEMON_SCENARIO_H
#define DAEMON_SCENARIO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/events.h"
#include "daemon/methods.h"
#include "daemon/scenario_text.h"
#include "remote/remote.h"
#include "remote/script.h"

#define SCENARIO_SCRIPTS_MAX 64
#define SCENARIO_SERVICES_MAX 1024
#define SCENARIO_STEPS_MAX 256 /* of faults, and of actions */
#define SCENARIO_EXPECTS_MAX 256
#define SCENARIO_SEQUENCE_MAX 64

#define SCENARIO_DEADLINE_MS 600000 /* unless the file says something else */

/*
 * Members of events that can be asked for: X(name, types of event that have it, text). "text" is
 * "data" as a person writes it.
 */
#define SCENARIO_OF(event) EVENT_BIT(EVENT_##event)
#define SCENARIO_OF_MESSAGES (SCENARIO_OF(MESSAGE) | SCENARIO_OF(SENT))
/* clang-format off */
#define SCENARIO_FIELD_TABLE(X)                                                                    \
	X("src", SCENARIO_OF_MESSAGES, "of message and sent: source address")                      \
	X("dst", SCENARIO_OF_MESSAGES, "of message and sent: destination address")                 \
	X("reserved", SCENARIO_OF_MESSAGES, "of message and sent: header field")                   \
	X("len", SCENARIO_OF_MESSAGES, "of message and sent: header field")                        \
	X("flags", SCENARIO_OF_MESSAGES, "of message and sent: header field")                      \
	X("data", SCENARIO_OF_MESSAGES, "of message and sent: payload in hexadecimal")             \
	X("text", SCENARIO_OF_MESSAGES, "of message and sent: payload as text")                    \
	X("header", SCENARIO_OF_MESSAGES, "of message and sent: its bytes in hexadecimal")         \
	X("desc_len", SCENARIO_OF_MESSAGES, "of message and sent: bytes of the buffer")            \
	X("desc_count", SCENARIO_OF_MESSAGES, "of message and sent: descriptors of the buffer")    \
	X("readable", SCENARIO_OF_MESSAGES, "of message and sent: readable bytes of the buffer")   \
	X("writable", SCENARIO_OF_MESSAGES, "of message and sent: writable bytes of the buffer")   \
	X("verdict", SCENARIO_OF(MESSAGE), "of message: delivered or dropped")                     \
	X("reason", SCENARIO_OF(MESSAGE) | SCENARIO_OF(DISCONNECTED),                              \
	  "of message: why it was dropped; of disconnected: why it left")                          \
	X("used_len", SCENARIO_OF(SENT) | SCENARIO_OF(RETURNED),                                   \
	  "of sent and returned: length in the used ring")                                         \
	X("desc_id",                                                                               \
	  SCENARIO_OF_MESSAGES | SCENARIO_OF(RETURNED) | SCENARIO_OF(FAULT) |                      \
		  SCENARIO_OF(VIOLATION),                                                          \
	  "of message, sent, returned, fault and violation: descriptor")                           \
	X("queue",                                                                                 \
	  SCENARIO_OF(QUEUE) | SCENARIO_OF(KICK) | SCENARIO_OF(RETURNED) | SCENARIO_OF(FAULT) |    \
		  SCENARIO_OF(VIOLATION),                                                          \
	  "of queue, kick, returned, fault and violation: 0 or 1")                                 \
	X("state", SCENARIO_OF(QUEUE), "of queue: started or stopped")                             \
	X("size", SCENARIO_OF(QUEUE), "of queue: its entries")                                     \
	X("avail_at_start", SCENARIO_OF(QUEUE), "of queue: buffers that were posted before")       \
	X("acked", SCENARIO_OF(FEATURES), "of features: bits that the driver acknowledged")        \
	X("status", SCENARIO_OF(STATUS), "of status: the device status")                           \
	X("names", SCENARIO_OF(STATUS), "of status: one of its bits, DRIVER_OK for example")       \
	X("session", SCENARIO_OF(DRIVER_OK), "of driver_ok: number of the session, from 1")        \
	X("action", SCENARIO_OF(NS), "of ns: create or destroy")                                   \
	X("name", SCENARIO_OF(NS) | SCENARIO_OF(VIOLATION),                                        \
	  "of ns: of the channel; of violation: of the rule")                                      \
	X("addr", SCENARIO_OF(NS), "of ns: address of the channel")                                \
	X("direction", SCENARIO_OF(NS), "of ns: to-host or from-host")                             \
	X("to_host", SCENARIO_OF(CONFIG), "of config: bytes of a buffer")                          \
	X("to_remote", SCENARIO_OF(CONFIG), "of config: bytes of a buffer")                        \
	X("fault", SCENARIO_OF(FAULT), "of fault: its name")                                       \
	X("requirement", SCENARIO_OF(VIOLATION), "of violation: requirement")                      \
	X("level", SCENARIO_OF(VIOLATION), "of violation: must or should")                         \
	X("expected", SCENARIO_OF(VIOLATION), "of violation: what would have been right")          \
	X("seen", SCENARIO_OF(VIOLATION), "of violation: what was there")
/* clang-format on */

/* What is waited for. where is an object of texts by member, or NULL; borrowed. */
struct scenario_watch {
	enum event_type type;
	json_t *where;
};

struct scenario_trigger {
	bool on_event; /* else at start */
	struct scenario_watch event;
	uint64_t count; /* so many times, at least 1 */
	bool later;	/* and delay_ms after that */
	uint64_t delay_ms;
};

/* A call of a method. */
struct scenario_step {
	const struct method *method;
	json_t *params;	    /* owned */
	uint32_t node;	    /* where its parameters stand */
	uint32_t instances; /* of an announcement: how many, at addresses one after the other */
	uint64_t repeat;    /* how often, at least 1 */
	struct scenario_trigger when;
};

enum scenario_expect_kind {
	SCENARIO_EXPECT_COUNTER,
	SCENARIO_EXPECT_VIOLATION,
	SCENARIO_EXPECT_FAULT,
	SCENARIO_EXPECT_ECHO,
	SCENARIO_EXPECT_EVENT,
	SCENARIO_EXPECT_SEQUENCE,
};

#define SCENARIO_ANY_VIOLATION VIOLATION_COUNT

enum scenario_counter {
	SCENARIO_RECEIVED,
	SCENARIO_DELIVERED,
	SCENARIO_DROPPED,
	SCENARIO_SENT,
	SCENARIO_SEND_FAILED,
	SCENARIO_SESSIONS,
	SCENARIO_DROPPED_REASON, /* + enum remote_drop */
};

struct scenario_expect {
	enum scenario_expect_kind kind;
	uint32_t node;
	uint64_t min, max; /* how often; not of a sequence */
	unsigned int counter;
	int violation; /* or SCENARIO_ANY_VIOLATION */
	enum fault fault;
	uint32_t addr;		       /* of an echo */
	struct scenario_watch *events; /* one, or those of the sequence; owned */
	size_t event_count;
};

enum scenario_end {
	SCENARIO_END_DISCONNECT,
	SCENARIO_END_EXPECTATIONS,
	SCENARIO_END_TIME,
};

struct scenario {
	struct scenario_text text;
	char *name;
	json_t *root;
	/* Of the remote, for who asks before there is one; NULL: the file does not say. */
	const struct profile *profile;
	const struct config_layout *layout;
	struct script *scripts;
	size_t script_count;
	struct scenario_step *steps; /* in the order in which they are done when at once */
	size_t step_count, step_room;
	struct scenario_expect *expects;
	size_t expect_count;
	enum scenario_end end;
	uint32_t end_node; /* or 0 */
	uint64_t end_after_ms, deadline_ms;
	uint32_t sessions; /* front-ends that have to leave */
	bool has_seed, has_check;
};

/**
 * scenario_parse() - read a scenario from memory
 * @bytes: contents of the file; need not be terminated
 * @size: bytes
 * @name: of the file, for messages; copied
 * @scenario: set on success, for scenario_free()
 * @error: set when the return value is not 0: what is wrong, in one line with file, line and key
 *
 * Everything that can be said without a remote is said here: syntax, keys, types, ranges, names
 * of kinds, faults, profiles, features, scripts, states and events, and what excludes what.
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int scenario_parse(const char *bytes, size_t size, const char *name, struct scenario **scenario,
		   struct scenario_error *error);

/**
 * scenario_read() - read a scenario from a file
 * @path: file
 * @scenario: as scenario_parse()
 * @error: as scenario_parse()
 *
 * Return: as scenario_parse(), or another negative errno when the file cannot be read.
 */
int scenario_read(const char *path, struct scenario **scenario, struct scenario_error *error);

/**
 * scenario_free() - the opposite of scenario_parse()
 * @scenario: scenario whose scripts no service has any more, or NULL
 */
void scenario_free(struct scenario *scenario);

/**
 * scenario_counter_name() - name of a counter, as "counter" takes it
 * @counter: enum scenario_counter, or SCENARIO_DROPPED_REASON and an enum remote_drop
 * @text: where it is put together
 * @size: bytes at @text
 *
 * Return: @text, or NULL past the last.
 */
const char *scenario_counter_name(unsigned int counter, char *text, size_t size);

/**
 * scenario_call_failed() - turn what a method said into a message about a step
 * @scenario: scenario
 * @step: of it
 * @call: that failed
 * @error: set
 *
 * Return: -EINVAL.
 */
int scenario_call_failed(const struct scenario *scenario, const struct scenario_step *step,
			 const struct method_call *call, struct scenario_error *error);

#endif /* DAEMON_SCENARIO_H */
