/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON of the daemon as something to read: lines and tables, whatever its shape. Strings may
 * hold what a guest sent, so control characters and what is not ASCII never go out as they are.
 */
#ifndef CTL_PRINT_H
#define CTL_PRINT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/**
 * print_scalar() - text of a value that is neither object nor array
 * @name: the member that it is the value of: some are shown in hexadecimal; or NULL
 * @value: value
 *
 * null is "-", booleans are yes and no. An object or array comes as JSON.
 *
 * Return: text, to be freed; or NULL without memory.
 */
char *print_scalar(const char *name, json_t *value);

/**
 * print_clean() - text with nothing in it that a terminal obeys
 * @text: UTF-8
 *
 * Return: ASCII, to be freed, in which each control character is \xNN and each other foreign
 * character is "?"; or NULL without memory.
 */
char *print_clean(const char *text);

/**
 * print_result() - any result
 * @out: stream
 * @result: JSON
 *
 * A line for each scalar member, an indented part for each object, a table for each array of
 * objects.
 */
void print_result(FILE *out, json_t *result);

/**
 * print_names() - only the names in a result, one a line
 * @out: stream
 * @result: JSON: of each object in its arrays the member "name" is printed
 */
void print_names(FILE *out, json_t *result);

/**
 * print_event() - one event as a line
 * @out: stream
 * @params: params of the notification
 */
void print_event(FILE *out, json_t *params);

#endif /* CTL_PRINT_H */
