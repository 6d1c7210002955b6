/* SPDX-License-Identifier: BSD-2-Clause */
/* The line that the agent introduces itself with. */
#ifndef AGENT_HELLO_H
#define AGENT_HELLO_H

#include "json.h"

/**
 * hello_module_failed() - have every later hello tell that a module could not be loaded
 * @path: of the module
 * @err: negative errno
 */
void hello_module_failed(const char *path, int err);

/**
 * hello_put() - write the members of the hello
 * @out: where to, inside an object
 */
void hello_put(struct json_out *out);

#endif
