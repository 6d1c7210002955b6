/* SPDX-License-Identifier: BSD-2-Clause */
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

static bool reserve(struct json_out *out, size_t more)
{
	size_t capacity = out->capacity ? out->capacity : 256;
	char *data;

	if (out->failed)
		return false;
	if (more > SIZE_MAX / 4 - out->length) {
		out->failed = true;
		return false;
	}
	while (capacity - out->length < more)
		capacity *= 2;
	if (capacity == out->capacity)
		return true;
	data = realloc(out->data, capacity);
	if (!data) {
		out->failed = true;
		return false;
	}
	out->data = data;
	out->capacity = capacity;
	return true;
}

void json_out_free(struct json_out *out)
{
	free(out->data);
	*out = (struct json_out){0};
}

void json_out_raw(struct json_out *out, const char *data, size_t length)
{
	if (!length || !reserve(out, length))
		return;
	memcpy(out->data + out->length, data, length);
	out->length += length;
}

/*
 * A value needs a comma before it unless it is the first of its kind or follows its key: what
 * stands last tells, since a complete value never ends in one of these characters.
 */
static void begin_value(struct json_out *out, const char *key)
{
	if (out->length && !strchr("{[:,", out->data[out->length - 1]))
		json_out_raw(out, ",", 1);
	if (!key)
		return;
	json_out_string(out, NULL, key, strlen(key));
	json_out_raw(out, ":", 1);
}

void json_out_open(struct json_out *out, const char *key, char bracket)
{
	begin_value(out, key);
	json_out_raw(out, &bracket, 1);
}

void json_out_close(struct json_out *out, char bracket)
{
	json_out_raw(out, &bracket, 1);
}

void json_out_u64(struct json_out *out, const char *key, uint64_t value)
{
	char text[24];

	begin_value(out, key);
	json_out_raw(out, text, (size_t)snprintf(text, sizeof(text), "%" PRIu64, value));
}

void json_out_i64(struct json_out *out, const char *key, int64_t value)
{
	char text[24];

	begin_value(out, key);
	json_out_raw(out, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, value));
}

void json_out_bool(struct json_out *out, const char *key, bool value)
{
	begin_value(out, key);
	json_out_raw(out, value ? "true" : "false", value ? 4 : 5);
}

void json_out_null(struct json_out *out, const char *key)
{
	begin_value(out, key);
	json_out_raw(out, "null", 4);
}

bool json_out_string(struct json_out *out, const char *key, const char *text, size_t length)
{
	bool exact = true;
	size_t bytes;
	char escape[8];

	begin_value(out, key);
	json_out_raw(out, "\"", 1);
	for (size_t i = 0; i < length; i += bytes) {
		unsigned char c = (unsigned char)text[i];

		bytes = utf8_check(text + i, length - i);
		if (!bytes) {
			bytes = 1;
			exact = false;
			json_out_raw(out, "\\ufffd", 6);
		} else if (c == '"' || c == '\\') {
			escape[0] = '\\';
			escape[1] = (char)c;
			json_out_raw(out, escape, 2);
		} else if (c < 0x20 || c == 0x7f) {
			json_out_raw(out, escape,
				     (size_t)snprintf(escape, sizeof(escape), "\\u%04x", c));
		} else {
			json_out_raw(out, text + i, bytes);
		}
	}
	json_out_raw(out, "\"", 1);
	return exact;
}

void json_out_cstring(struct json_out *out, const char *key, const char *text)
{
	if (text)
		json_out_string(out, key, text, strlen(text));
	else
		json_out_null(out, key);
}

void json_out_json(struct json_out *out, const char *key, const char *text, size_t length)
{
	begin_value(out, key);
	json_out_raw(out, text, length);
}

void json_out_hex(struct json_out *out, const char *key, const void *data, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = data;

	begin_value(out, key);
	if (length > SIZE_MAX / 4 || !reserve(out, 2 * length + 2)) {
		out->failed = true;
		return;
	}
	out->data[out->length++] = '"';
	for (size_t i = 0; i < length; i++) {
		out->data[out->length++] = digits[bytes[i] >> 4];
		out->data[out->length++] = digits[bytes[i] & 0xf];
	}
	out->data[out->length++] = '"';
}
