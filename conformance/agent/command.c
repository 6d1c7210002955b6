/* SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "sys.h"

static const struct command *const tables[] = {
	command_file_table,   command_path_table,    command_rpmsg_table,   command_kernel_table,
	command_system_table, command_process_table, command_traffic_table,
};

#define TABLE_COUNT (sizeof(tables) / sizeof(tables[0]))

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < TABLE_COUNT; i++)
		for (const struct command *command = tables[i]; command->name; command++)
			if (strcmp(command->name, name) == 0)
				return command;
	return NULL;
}

static int malformed(struct call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int malformed(struct call *call, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(call->error, sizeof(call->error), format, args);
	va_end(args);
	call->malformed = -EINVAL;
	return -EINVAL;
}

static int read_id(struct call *call)
{
	struct json_value *id = json_find(&call->request, "id");

	if (!id)
		return malformed(call, "member \"id\" is missing");
	if (id->type != JSON_INTEGER || id->negative)
		return malformed(call, "member \"id\" is not an unsigned integer");
	call->id = id->magnitude;
	call->has_id = true;
	return 0;
}

static int read_worker(struct call *call)
{
	struct json_value *worker = json_find(&call->request, "worker");

	if (!worker && (call->command->flags & COMMAND_AIMS_AT_WORKER))
		return malformed(call, "%s: argument \"worker\" is missing", call->command->name);
	if (!worker)
		return 0;
	if (worker->type != JSON_INTEGER || worker->negative || worker->magnitude < 1 ||
	    worker->magnitude > COMMAND_MAX_WORKER)
		return malformed(call, "member \"worker\" is not an integer from 1 to %d",
				 COMMAND_MAX_WORKER);
	if (call->command->flags & COMMAND_AIMS_AT_WORKER)
		call->target = (unsigned int)worker->magnitude;
	else
		call->worker = (unsigned int)worker->magnitude;
	return 0;
}

static int read_command(struct call *call)
{
	struct json_value *name = json_find(&call->request, "cmd");

	if (!name)
		return malformed(call, "member \"cmd\" is missing");
	if (name->type != JSON_STRING)
		return malformed(call, "member \"cmd\" is not a string");
	call->command = find_command(name->text);
	if (!call->command)
		return malformed(call, "unknown command \"%.64s\"", name->text);
	return 0;
}

/* The command that `spawn` is to run, found before the arguments are judged: they are shared. */
static int read_inner(struct call *call)
{
	struct json_value *name;

	for (const struct argument *argument = call->command->arguments;
	     argument < call->command->arguments + COMMAND_MAX_ARGUMENTS && argument->name;
	     argument++) {
		if (argument->type != ARGUMENT_COMMAND)
			continue;
		name = json_find(&call->request, argument->name);
		if (!name || name->type != JSON_STRING)
			return 0; /* judged with the other arguments */
		call->inner = find_command(name->text);
		if (!call->inner || !(call->inner->flags & COMMAND_IN_CHILD))
			return malformed(call,
					 "%s: argument \"%s\": no command for a child: \"%.64s\"",
					 call->command->name, argument->name, name->text);
	}
	return 0;
}

static struct call *new_call(unsigned int session)
{
	struct call *call = calloc(1, sizeof(*call));

	if (call)
		call->session = session;
	return call;
}

struct call *command_parse(const char *line, size_t length, unsigned int session)
{
	struct call *call = new_call(session);
	struct json_error error;
	int err;

	if (!call)
		return NULL;
	call->line = malloc(length + 1);
	if (!call->line) {
		command_free(call);
		return NULL;
	}
	memcpy(call->line, line, length);
	err = json_parse(call->line, length, &call->request, &error);
	if (err == -ENOMEM) {
		command_free(call);
		return NULL;
	}
	if (err) {
		/* An id that was read before the fault still says which request this was. */
		read_id(call);
		malformed(call, "malformed request: %s at byte %zu", error.what, error.offset);
		return call;
	}
	if (read_id(call) == 0 && read_command(call) == 0 && read_worker(call) == 0 &&
	    read_inner(call) == 0 &&
	    arguments_check(&call->request, call->command, call->inner, call->error,
			    sizeof(call->error)) != 0)
		call->malformed = -EINVAL;
	return call;
}

struct call *command_reject(unsigned int session, const char *what)
{
	struct call *call = new_call(session);

	if (call)
		malformed(call, "malformed request: %s", what);
	return call;
}

void command_free(struct call *call)
{
	json_out_free(&call->out);
	json_object_free(&call->request);
	free(call->line);
	free(call);
}

static void begin_reply(struct call *call, bool ok)
{
	call->out.length = 0;
	json_out_open(&call->out, NULL, '{');
	if (call->has_id)
		json_out_u64(&call->out, "id", call->id);
	else
		json_out_null(&call->out, "id");
	json_out_bool(&call->out, "ok", ok);
}

static void end_reply(struct call *call, int err)
{
	char number[SYS_ERRNO_NAME_SIZE];

	if (err) {
		begin_reply(call, false);
		json_out_cstring(&call->out, "errno", sys_errno_name(-err, number));
		json_out_i64(&call->out, "errnum", -err);
		json_out_cstring(&call->out, "error",
				 call->error[0] ? call->error : call->command->name);
	}
	if (!call->malformed) {
		json_out_u64(&call->out, "t0", call->t0);
		json_out_u64(&call->out, "t1", call->t1);
	}
	json_out_close(&call->out, '}');
	json_out_raw(&call->out, "\n", 1);
}

void command_run(struct call *call)
{
	uint64_t start = sys_now_ns();
	int err = call->malformed;

	begin_reply(call, true);
	if (!err)
		err = call->command->run(call);
	if (!call->t0) {
		call->t0 = start;
		call->t1 = sys_now_ns();
	}
	end_reply(call, err);
	if (call->out.failed) {
		/* A short reply in the place of the long one that there was no memory for. */
		json_out_free(&call->out);
		snprintf(call->error, sizeof(call->error), "no memory for the reply");
		end_reply(call, -ENOMEM);
	}
}

void command_list(struct json_out *out)
{
	json_out_open(out, "commands", '[');
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		for (const struct command *command = tables[i]; command->name; command++) {
			json_out_open(out, NULL, '{');
			json_out_cstring(out, "name", command->name);
			arguments_list(out, command);
			json_out_close(out, '}');
		}
	}
	json_out_close(out, ']');
}

void command_begin(struct call *call)
{
	atomic_store(call->in_call, true);
	call->t0 = sys_now_ns();
}

void command_end(struct call *call)
{
	int kept = errno;

	call->t1 = sys_now_ns();
	atomic_store(call->in_call, false);
	errno = kept;
}

int command_fail(struct call *call, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(call->error, sizeof(call->error), format, args);
	va_end(args);
	return err;
}

struct json_value *command_value(struct call *call, const char *name)
{
	return json_find(&call->request, name);
}

uint64_t command_u64(struct call *call, const char *name, uint64_t otherwise)
{
	struct json_value *value = command_value(call, name);

	return value ? value->magnitude : otherwise;
}

int64_t command_i64(struct call *call, const char *name, int64_t otherwise)
{
	struct json_value *value = command_value(call, name);

	if (!value)
		return otherwise;
	return value->negative ? -(int64_t)value->magnitude : (int64_t)value->magnitude;
}

int command_fd(struct call *call)
{
	return (int)command_i64(call, "fd", -1);
}

bool command_flag(struct call *call, const char *name)
{
	struct json_value *value = command_value(call, name);

	return value && value->boolean;
}

const char *command_text(struct call *call, const char *name)
{
	struct json_value *value = command_value(call, name);

	return value ? value->text : NULL;
}
