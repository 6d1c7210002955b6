/* SPDX-License-Identifier: BSD-2-Clause */
/* UTF-8, as far as the reader and the writer of JSON need it. Source: RFC 3629, sections 3 and 4.
 */
#ifndef AGENT_UTF8_H
#define AGENT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/**
 * utf8_check() - length of the character at the front of a text
 * @text: the bytes
 * @available: how many there are
 *
 * Return: 1 to 4 bytes; 0 when they are not the shortest form of a character that may be encoded.
 */
size_t utf8_check(const char *text, size_t available);

/**
 * utf8_encode() - encode one character
 * @code: its code point, at most 0x10ffff and not a surrogate
 * @to: room for 4 bytes
 *
 * Return: the number of bytes written.
 */
size_t utf8_encode(uint32_t code, char *to);

#endif
