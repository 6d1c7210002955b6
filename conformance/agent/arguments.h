/* SPDX-License-Identifier: BSD-2-Clause */
/* Judges the arguments of a request by the table of its command. */
#ifndef AGENT_ARGUMENTS_H
#define AGENT_ARGUMENTS_H

#include "command.h"

/**
 * arguments_check() - judge every member of a request, and convert those that need it
 * @request: the request
 * @command: its command
 * @inner: a second command that the request carries arguments for, or NULL
 * @error: where one sentence goes that names the argument
 * @size: room in @error
 *
 * Return: 0 or -EINVAL.
 */
int arguments_check(struct json_object *request, const struct command *command,
		    const struct command *inner, char *error, size_t size);

/**
 * arguments_list() - write the names of a command's arguments, optional ones with a '?' at the end
 * @out: where to, inside an object
 * @command: the command
 */
void arguments_list(struct json_out *out, const struct command *command);

#endif
