/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KEY=VALUE of the command line as the parameters of a request, typed by what the daemon's
 * "help" says of the method.
 */
#ifndef CTL_PARAMS_H
#define CTL_PARAMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * params_build() - the parameters of a request
 * @method: the method's entry in the result of "help"
 * @args: words KEY=VALUE
 * @count: how many
 * @params: receives the object, a new reference
 * @error: receives one line that names the word and says what is wrong
 * @size: bytes at @error
 *
 * Ranges are left to the daemon, which says what they are.
 *
 * Return: 0; -EINVAL or -ENOMEM with @error set.
 */
int params_build(json_t *method, char **args, int count, json_t **params, char *error, size_t size);

/**
 * params_has() - has the method a parameter of this name?
 * @method: the method's entry in the result of "help"
 * @name: name
 *
 * Return: the parameter's entry, or NULL.
 */
json_t *params_has(json_t *method, const char *name);

/**
 * params_same_name() - are two names the same, "-" standing for "_"?
 * @known: name as the daemon writes it
 * @typed: name as a person did
 * @length: bytes at @typed
 *
 * Return: true when they are.
 */
bool params_same_name(const char *known, const char *typed, size_t length);

#endif /* CTL_PARAMS_H */
