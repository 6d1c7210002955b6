/* SPDX-License-Identifier: BSD-2-Clause */
/* The kinds of service in words, for messages. */
#ifndef DAEMON_KINDS_H
#define DAEMON_KINDS_H

#include <stddef.h>

/* Of a service that does not say its kind. */
#define KINDS_DEFAULT "echo"

/**
 * kinds_list() - names of all kinds
 * @text: receives "echo, sink, ..."; what does not fit is left out
 * @size: bytes at @text
 *
 * Return: @text.
 */
const char *kinds_list(char *text, size_t size);

#endif /* DAEMON_KINDS_H */
