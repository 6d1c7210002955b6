/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What may stand in a scenario file: the keys of each mapping, with type, range and text, in
 * the form that parameters of methods have. The methods that act on a remote are part of it as
 * they are, so that a new method, or a new parameter, needs nothing here.
 */
#ifndef DAEMON_SCENARIO_SCHEMA_H
#define DAEMON_SCENARIO_SCHEMA_H

#include <jansson.h>
#include <stdio.h>

#include "daemon/scenario_text.h"

/**
 * scenario_load() - check a file against the schema and give its values
 * @text: of the file, from scenario_text_read()
 * @bytes: contents of the file
 * @size: bytes
 * @root: set on success to a new reference: the file as JSON. Mappings are objects, sequences
 *	arrays; numbers are integers, in range; bytes are hexadecimal; what is required is there
 *	and nothing that has no place in a scenario
 * @error: set when the return value is -EINVAL
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int scenario_load(const struct scenario_text *text, const char *bytes, size_t size, json_t **root,
		  struct scenario_error *error);

/**
 * scenario_keys() - every key that a scenario may have
 *
 * Return: new reference to an array of objects: name ("actions[].send.dst"), type, help,
 * required; NULL without memory.
 */
json_t *scenario_keys(void);

#endif /* DAEMON_SCENARIO_SCHEMA_H */
