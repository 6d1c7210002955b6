/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a line to a reply. Each command is one entry of a table: its name, its arguments, the
 * function that carries it out. Everything about arguments (missing, unknown, wrong type, out of
 * range) is judged here from that table, so a handler only ever sees what it asked for.
 */
#ifndef AGENT_COMMAND_H
#define AGENT_COMMAND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

#define COMMAND_MAX_ARGUMENTS 6
#define COMMAND_MAX_WORKER 15

enum argument_type {
	ARGUMENT_NONE, /* ends the table */
	ARGUMENT_FD,   /* a descriptor number that is not one of the agent's own; -1 is allowed */
	ARGUMENT_U64,  /* 0 to max, or to 2^64-1 when max is 0 */
	ARGUMENT_I64,  /* -1 to max: a time in ms, -1 for no end */
	ARGUMENT_ADDRESS, /* of rpmsg: 0 to 2^32-1; -1 stands for the last, RPMSG_ADDR_ANY */
	ARGUMENT_BOOL,
	ARGUMENT_TEXT, /* at most max bytes, when max is not 0 */
	ARGUMENT_PATH,
	ARGUMENT_HEX,	  /* afterwards text and length are the bytes that the digits stood for */
	ARGUMENT_SIGNAL,  /* a number, or a name with or without SIG; afterwards the number */
	ARGUMENT_FDS,	  /* array of descriptors */
	ARGUMENT_TEXTS,	  /* array of strings */
	ARGUMENT_COMMAND, /* name of a command that may run in a child */
};

enum argument_need { REQUIRED, OPTIONAL };

struct argument {
	const char *name;
	enum argument_type type;
	enum argument_need need;
	uint64_t max;
};

struct call;

/* May run in a forked child: its handler takes no lock of the agent. */
#define COMMAND_IN_CHILD 1u
/* Member "worker" is whom it acts on; it runs in the main thread. */
#define COMMAND_AIMS_AT_WORKER 2u

struct command {
	const char *name;
	int (*run)(struct call *call); /* 0, or a negative errno; adds its results to call->out */
	unsigned int flags;	       /* COMMAND_... */
	struct argument arguments[COMMAND_MAX_ARGUMENTS];
};

/* A request while it is being carried out. */
struct call {
	char *line; /* owned; the request points into it */
	struct json_object request;
	const struct command *command;
	const struct command *inner; /* what `spawn` runs */
	uint64_t id;
	bool has_id;
	unsigned int worker;  /* that carries it out; 0: the main thread */
	unsigned int target;  /* worker that it acts on, when the command aims at one */
	unsigned int session; /* of the port */
	int malformed;	      /* 0, or -EINVAL when @error says what is wrong with the request */
	struct json_out out;  /* the reply */
	uint64_t t0;	      /* ns, 0: not taken */
	uint64_t t1;
	atomic_bool *in_call;	   /* true between t0 and t1, for whoever watches this thread */
	char error[512];	   /* what was tried, for a failure */
	void (*after_reply)(void); /* what must not happen before the reply is out */
	struct call *next;	   /* in the queue of a worker */
};

/* The tables, each ended by an entry without a name. */
extern const struct command command_file_table[];
extern const struct command command_path_table[];
extern const struct command command_rpmsg_table[];
extern const struct command command_kernel_table[];
extern const struct command command_system_table[];
extern const struct command command_process_table[];
extern const struct command command_traffic_table[];

/**
 * command_parse() - make a call of a line
 * @line: the text, not NUL-terminated; copied
 * @length: bytes
 * @session: of the port, for the reply
 *
 * Return: the call, to be given to command_run() even when it is malformed, and at last to
 * command_free(); NULL when memory is short.
 */
struct call *command_parse(const char *line, size_t length, unsigned int session);

/**
 * command_reject() - make a call that only answers that a line could not be read
 * @session: of the port
 * @what: what is wrong with the line
 *
 * Return: as command_parse().
 */
struct call *command_reject(unsigned int session, const char *what);

/**
 * command_run() - carry a call out and write its reply, with the newline, into call->out
 * @call: from command_parse()
 */
void command_run(struct call *call);

/**
 * command_free() - give a call back
 * @call: from command_parse()
 */
void command_free(struct call *call);

/**
 * command_list() - write the names of all commands and of their arguments
 * @out: where to, inside an object
 */
void command_list(struct json_out *out);

/**
 * command_begin() - take t0, right before the system call
 * @call: the call
 */
void command_begin(struct call *call);

/**
 * command_end() - take t1, right after the system call; keeps errno
 * @call: the call
 */
void command_end(struct call *call);

/**
 * command_fail() - note what was tried
 * @call: the call
 * @err: negative errno
 * @format: as for printf: "open /dev/rpmsg0"
 *
 * Return: @err.
 */
int command_fail(struct call *call, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Arguments, by the names in the command's table. command_u64(), command_i64() and command_fd()
 * return the given default, command_flag() false and the others NULL when an optional one is
 * not there.
 */
uint64_t command_u64(struct call *call, const char *name, uint64_t otherwise);
int64_t command_i64(struct call *call, const char *name, int64_t otherwise);
int command_fd(struct call *call);
bool command_flag(struct call *call, const char *name);
const char *command_text(struct call *call, const char *name);
struct json_value *command_value(struct call *call, const char *name);

#endif
