/* SPDX-License-Identifier: BSD-2-Clause */
#include "utf8.h"

size_t utf8_check(const char *text, size_t available)
{
	const unsigned char *bytes = (const unsigned char *)text;
	uint32_t code, smallest;
	size_t length;

	if (!available)
		return 0;
	if (bytes[0] < 0x80)
		return 1;
	if ((bytes[0] & 0xe0) == 0xc0) {
		length = 2;
		smallest = 0x80;
		code = bytes[0] & 0x1f;
	} else if ((bytes[0] & 0xf0) == 0xe0) {
		length = 3;
		smallest = 0x800;
		code = bytes[0] & 0x0f;
	} else if ((bytes[0] & 0xf8) == 0xf0) {
		length = 4;
		smallest = 0x10000;
		code = bytes[0] & 0x07;
	} else {
		return 0;
	}
	if (available < length)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (bytes[i] & 0x3f);
	}
	if (code < smallest || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return length;
}

size_t utf8_encode(uint32_t code, char *to)
{
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (char)(0xc0 | code >> 6);
		to[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		to[0] = (char)(0xe0 | code >> 12);
		to[1] = (char)(0x80 | (code >> 6 & 0x3f));
		to[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | code >> 18);
	to[1] = (char)(0x80 | (code >> 12 & 0x3f));
	to[2] = (char)(0x80 | (code >> 6 & 0x3f));
	to[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}
