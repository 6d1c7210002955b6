/* SPDX-License-Identifier: BSD-2-Clause */
#include "arguments.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sys.h"

static bool is_fd(const struct json_value *value)
{
	if (value->type != JSON_INTEGER)
		return false;
	return value->negative ? value->magnitude == 1 : value->magnitude <= INT_MAX;
}

static bool is_own_fd(const struct json_value *value)
{
	return !value->negative && sys_fd_is_kept((int)value->magnitude);
}

static const char *check_fd(struct json_value *value)
{
	if (!is_fd(value))
		return "is not a descriptor";
	return is_own_fd(value) ? "is a descriptor of the agent's own" : NULL;
}

static const char *check_fds(struct json_value *value)
{
	if (value->type != JSON_ARRAY)
		return "is not an array of descriptors";
	for (size_t i = 0; i < value->count; i++) {
		const char *fault = check_fd(&value->items[i]);

		if (fault)
			return "is not an array of descriptors that a command may use";
	}
	return NULL;
}

static const char *check_texts(struct json_value *value)
{
	if (value->type != JSON_ARRAY)
		return "is not an array of strings";
	for (size_t i = 0; i < value->count; i++)
		if (value->items[i].type != JSON_STRING)
			return "is not an array of strings";
	return NULL;
}

static const char *check_u64(struct json_value *value, uint64_t max)
{
	if (value->type != JSON_INTEGER || value->negative)
		return "is not an unsigned integer";
	return max && value->magnitude > max ? "is out of range" : NULL;
}

static const char *check_i64(struct json_value *value, uint64_t max)
{
	if (value->type != JSON_INTEGER)
		return "is not an integer";
	if (value->negative ? value->magnitude > 1 : value->magnitude > max)
		return "is out of range";
	return NULL;
}

static const char *check_address(struct json_value *value)
{
	if (value->type != JSON_INTEGER)
		return "is not an address";
	if (value->negative ? value->magnitude > 1 : value->magnitude > UINT32_MAX)
		return "is not an address of 32 bits, or -1";
	if (value->negative) {
		value->negative = false;
		value->magnitude = UINT32_MAX;
	}
	return NULL;
}

static const char *check_text(struct json_value *value, uint64_t max)
{
	if (value->type != JSON_STRING)
		return "is not a string";
	return max && value->length > max ? "is too long" : NULL;
}

static const char *check_path(struct json_value *value)
{
	if (value->type != JSON_STRING || !value->length)
		return "is not a path";
	return value->length >= PATH_MAX ? "is too long for a path" : NULL;
}

static int digit_value(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) % 16 : -1;
}

static const char *check_hex(struct json_value *value)
{
	size_t bytes = value->length / 2;

	if (value->type != JSON_STRING)
		return "is not a string of hex digits";
	if (value->length % 2)
		return "has an odd number of hex digits";
	for (size_t i = 0; i < bytes; i++) {
		int high = digit_value(value->text[2 * i]);
		int low = digit_value(value->text[2 * i + 1]);

		if (high < 0 || low < 0)
			return "has a character that is no hex digit";
		value->text[i] = (char)(high << 4 | low);
	}
	value->length = bytes;
	return NULL;
}

/* Numbers of signals differ between architectures (MIPS), names do not. */
static const char *check_signal(struct json_value *value)
{
	if (value->type == JSON_INTEGER && !value->negative && value->magnitude < NSIG)
		return NULL;
	if (value->type == JSON_STRING) {
		const char *wanted = value->text;

		if (strncmp(wanted, "SIG", 3) == 0)
			wanted += 3;
		for (int number = 1; number < NSIG; number++) {
			const char *name = sigabbrev_np(number);

			if (name && strcmp(name, wanted) == 0) {
				*value = (struct json_value){.type = JSON_INTEGER,
							     .magnitude = (uint64_t)number};
				return NULL;
			}
		}
	}
	return "is neither the number nor the name of a signal";
}

static const char *check_value(const struct argument *argument, struct json_value *value)
{
	switch (argument->type) {
	case ARGUMENT_NONE:
		break;
	case ARGUMENT_FD:
		return check_fd(value);
	case ARGUMENT_U64:
		return check_u64(value, argument->max);
	case ARGUMENT_I64:
		return check_i64(value, argument->max);
	case ARGUMENT_ADDRESS:
		return check_address(value);
	case ARGUMENT_BOOL:
		return value->type == JSON_BOOL ? NULL : "is neither true nor false";
	case ARGUMENT_TEXT:
	case ARGUMENT_COMMAND:
		return check_text(value, argument->max);
	case ARGUMENT_PATH:
		return check_path(value);
	case ARGUMENT_HEX:
		return check_hex(value);
	case ARGUMENT_SIGNAL:
		return check_signal(value);
	case ARGUMENT_FDS:
		return check_fds(value);
	case ARGUMENT_TEXTS:
		return check_texts(value);
	}
	return "has no type";
}

static const struct argument *find_argument(const struct command *command, const char *name)
{
	for (int i = 0; command && i < COMMAND_MAX_ARGUMENTS; i++)
		if (command->arguments[i].name && strcmp(command->arguments[i].name, name) == 0)
			return &command->arguments[i];
	return NULL;
}

static const char *find_missing(struct json_object *request, const struct command *command)
{
	for (int i = 0; command && i < COMMAND_MAX_ARGUMENTS; i++) {
		const struct argument *argument = &command->arguments[i];

		if (argument->name && argument->need == REQUIRED &&
		    !json_find(request, argument->name))
			return argument->name;
	}
	return NULL;
}

static bool is_envelope(const char *key)
{
	return strcmp(key, "id") == 0 || strcmp(key, "cmd") == 0 || strcmp(key, "worker") == 0;
}

int arguments_check(struct json_object *request, const struct command *command,
		    const struct command *inner, char *error, size_t size)
{
	const char *missing = find_missing(request, command);

	if (!missing)
		missing = find_missing(request, inner);
	if (missing) {
		snprintf(error, size, "%s: argument \"%s\" is missing", command->name, missing);
		return -EINVAL;
	}
	for (size_t i = 0; i < request->count; i++) {
		struct json_member *member = &request->members[i];
		const struct argument *argument = find_argument(command, member->key);
		const char *fault;

		if (is_envelope(member->key))
			continue;
		if (!argument)
			argument = find_argument(inner, member->key);
		fault = argument ? check_value(argument, &member->value) : "is unknown";
		if (fault) {
			snprintf(error, size, "%s: argument \"%.64s\" %s", command->name,
				 member->key, fault);
			return -EINVAL;
		}
	}
	return 0;
}

void arguments_list(struct json_out *out, const struct command *command)
{
	json_out_open(out, "arguments", '[');
	for (int i = 0; i < COMMAND_MAX_ARGUMENTS && command->arguments[i].name; i++) {
		const struct argument *argument = &command->arguments[i];
		char name[32];

		snprintf(name, sizeof(name), "%s%s", argument->name,
			 argument->need == OPTIONAL ? "?" : "");
		json_out_cstring(out, NULL, name);
	}
	json_out_close(out, ']');
}
