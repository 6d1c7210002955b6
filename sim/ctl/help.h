/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can be done: the daemon's own list of methods.
 */
#ifndef CTL_HELP_H
#define CTL_HELP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/**
 * help_find() - a method in the daemon's list
 * @help: result of the method "help"
 * @name: name, as a person wrote it
 *
 * Return: the method's entry, borrowed; or NULL.
 */
json_t *help_find(json_t *help, const char *name);

/**
 * help_print() - all methods with a line each, and the types of event
 * @out: stream
 * @help: result of the method "help"
 */
void help_print(FILE *out, json_t *help);

/**
 * help_print_method() - one method with its parameters
 * @out: stream
 * @method: entry of the method
 */
void help_print_method(FILE *out, json_t *method);

/**
 * help_print_offline() - the methods that this version's manual page has
 * @out: stream
 * @names: only their names
 *
 * For when no daemon can be asked.
 */
void help_print_offline(FILE *out, bool names);

#endif /* CTL_HELP_H */
