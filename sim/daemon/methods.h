/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the control socket can do: one table of methods with their parameters, ranges and
 * texts. rpc.c checks requests against it and "help" prints it; rpmsg-ctl, scenarios and the
 * manual page go by that.
 *
 * A method lies in the methods_*.c of its subject and is listed in methods.c.
 */
#ifndef DAEMON_METHODS_H
#define DAEMON_METHODS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/instance.h"

#define METHOD_MAX_PARAMS 12

/* JSON-RPC 2.0 error codes; the last is ours, with the errno name in error.data.errno. */
#define RPC_PARSE_ERROR (-32700)
#define RPC_INVALID_REQUEST (-32600)
#define RPC_METHOD_NOT_FOUND (-32601)
#define RPC_INVALID_PARAMS (-32602)
#define RPC_INTERNAL_ERROR (-32603)
#define RPC_REFUSED (-32000)

enum param_type {
	PARAM_NUMBER,  /* integer from min to max */
	PARAM_STRING,  /* min to max bytes */
	PARAM_BYTES,   /* hexadecimal, min to max bytes */
	PARAM_STRINGS, /* array of strings, min to max of them */
	PARAM_BOOL,
};

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order that tables are read in */
struct method_param {
	const char *name; /* NULL ends the list */
	enum param_type type;
	uint64_t min, max;
	bool required;
	const char *help;
	const char *choices; /* of a string, "a|b|c"; NULL: any, or the handler knows */
};

/* A checked parameter. */
struct method_arg {
	bool given;
	uint64_t number; /* of a bool 0 or 1 */
	const char *string;
	const uint8_t *bytes;
	size_t size; /* of bytes */
	json_t *strings;
};

struct method_call {
	struct registry *registry;
	struct instance *instance; /* that the parameter "remote" names; absent: the first */
	bool remote_given;
	struct method_arg args[METHOD_MAX_PARAMS]; /* in the order of the method's params */
	/*
	 * Subscribe the caller to these types of event, and to no others; remote: name of the
	 * only remote whose events it wants, by pointer, or NULL.
	 */
	void (*subscribe)(void *ctx, uint32_t types, const char *remote);
	void *subscribe_ctx;

	json_t *result; /* set by a handler that returns 0 */
	int code;	/* set with text by one that does not */
	const char *errno_name;
	char text[512];
};

struct method {
	const char *name;
	const char *help;
	bool global; /* about the process: there is no parameter "remote" */
	bool acts;   /* does something to a remote: scenarios have it as an action */
	/*
	 * What can be said against checked parameters without looking at a remote: 0, or what
	 * method_fail() returns. Called before handle(), and when a scenario is read. May be NULL.
	 */
	int (*check)(struct method_call *call);
	/* Return 0 with call->result set, or what method_fail() and method_refuse() return. */
	int (*handle)(struct method_call *call);
	struct method_param params[METHOD_MAX_PARAMS + 1];
};

/**
 * method_find() - look a method up
 * @name: name
 *
 * Return: method, or NULL.
 */
const struct method *method_find(const char *name);

/**
 * method_at() - the methods one after the other
 * @index: from 0
 *
 * Return: method, or NULL past the last.
 */
const struct method *method_at(unsigned int index);

/**
 * method_fail() - answer with a JSON-RPC error
 * @call: call
 * @code: error code
 * @format: printf format of the message
 *
 * Return: -1.
 */
int method_fail(struct method_call *call, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * method_refuse() - answer that the remote would not do it
 * @call: call
 * @error: negative errno; its name becomes error.data.errno
 * @format: printf format of the message
 *
 * Return: -1.
 */
int method_refuse(struct method_call *call, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * method_answer() - a handler's last line
 * @call: call
 * @result: result, which is taken over; NULL means that there was no memory
 *
 * Return: 0 or -1.
 */
int method_answer(struct method_call *call, json_t *result);

/**
 * method_remote_param() - the parameter that all methods but the global ones have
 *
 * Return: its description.
 */
const struct method_param *method_remote_param(void);

extern const struct method method_announce;
extern const struct method method_withdraw;
extern const struct method method_endpoint_create;
extern const struct method method_endpoint_destroy;
extern const struct method method_send;
extern const struct method method_hold;
extern const struct method method_release;
extern const struct method method_pace;
extern const struct method method_fault_set;
extern const struct method method_fault_clear;
extern const struct method method_faults;
extern const struct method method_check;
extern const struct method method_config;
extern const struct method method_configure;
extern const struct method method_reset;
extern const struct method method_crash;
extern const struct method method_config_change;
extern const struct method method_needs_reset;
extern const struct method method_stats;
extern const struct method method_events;
extern const struct method method_capture_start;
extern const struct method method_capture_stop;

#endif /* DAEMON_METHODS_H */
