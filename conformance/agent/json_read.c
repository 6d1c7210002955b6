/* SPDX-License-Identifier: BSD-2-Clause */
#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

struct reader {
	char *text;
	size_t length;
	size_t at;
	struct json_error *error;
};

static int fail_at(struct reader *reader, size_t offset, const char *what)
{
	reader->error->what = what;
	reader->error->offset = offset;
	return -EINVAL;
}

static int fail(struct reader *reader, const char *what)
{
	return fail_at(reader, reader->at, what);
}

static void skip_blanks(struct reader *reader)
{
	while (reader->at < reader->length && strchr(" \t\r\n", reader->text[reader->at]) &&
	       reader->text[reader->at])
		reader->at++;
}

static bool accept(struct reader *reader, char wanted)
{
	if (reader->at == reader->length || reader->text[reader->at] != wanted)
		return false;
	reader->at++;
	return true;
}

static bool accept_word(struct reader *reader, const char *word)
{
	size_t length = strlen(word);

	if (reader->length - reader->at < length ||
	    memcmp(reader->text + reader->at, word, length) != 0)
		return false;
	reader->at += length;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The four digits after \u. */
static int read_code_unit(struct reader *reader, uint32_t *unit)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		int digit = -1;

		if (reader->at < reader->length)
			digit = hex_digit(reader->text[reader->at]);
		if (digit < 0)
			return fail(reader, "expected four hex digits after \\u");
		value = value << 4 | (uint32_t)digit;
		reader->at++;
	}
	*unit = value;
	return 0;
}

static int read_unicode_escape(struct reader *reader, char **to)
{
	size_t start = reader->at;
	uint32_t code, low;
	int err;

	err = read_code_unit(reader, &code);
	if (err)
		return err;
	if (code == 0)
		return fail_at(reader, start, "NUL in a string");
	if (code >= 0xdc00 && code <= 0xdfff)
		return fail_at(reader, start, "low surrogate without a high one");
	if (code >= 0xd800 && code <= 0xdbff) {
		if (!accept_word(reader, "\\u"))
			return fail(reader, "high surrogate without a low one");
		err = read_code_unit(reader, &low);
		if (err)
			return err;
		if (low < 0xdc00 || low > 0xdfff)
			return fail_at(reader, start, "high surrogate without a low one");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	*to += utf8_encode(code, *to);
	return 0;
}

static int read_escape(struct reader *reader, char **to)
{
	static const char names[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (accept(reader, 'u'))
		return read_unicode_escape(reader, to);
	if (reader->at == reader->length || !reader->text[reader->at])
		return fail(reader, "unknown escape");
	found = strchr(names, reader->text[reader->at]);
	if (!found)
		return fail(reader, "unknown escape");
	*(*to)++ = values[found - names];
	reader->at++;
	return 0;
}

/* Unescapes towards the front of the same bytes: no escape is shorter than what it stands for. */
static int read_string(struct reader *reader, char **text, size_t *length)
{
	char *to;
	int err;

	if (!accept(reader, '"'))
		return fail(reader, "expected a string");
	*text = to = reader->text + reader->at;
	for (;;) {
		unsigned char c;
		size_t bytes;

		if (reader->at == reader->length)
			return fail(reader, "string without an end");
		c = (unsigned char)reader->text[reader->at];
		if (c == '"')
			break;
		if (c < 0x20)
			return fail(reader, "control character in a string");
		if (c == '\\') {
			reader->at++;
			err = read_escape(reader, &to);
			if (err)
				return err;
			continue;
		}
		bytes = utf8_check(reader->text + reader->at, reader->length - reader->at);
		if (!bytes)
			return fail(reader, "not UTF-8");
		memmove(to, reader->text + reader->at, bytes);
		to += bytes;
		reader->at += bytes;
	}
	reader->at++;
	*to = '\0';
	*length = (size_t)(to - *text);
	return 0;
}

static int read_integer(struct reader *reader, struct json_value *value)
{
	size_t start = reader->at;
	bool negative = accept(reader, '-');
	size_t first = reader->at;
	uint64_t magnitude = 0;

	while (reader->at < reader->length) {
		char c = reader->text[reader->at];
		uint64_t digit = (uint64_t)(c - '0');

		if (c < '0' || c > '9')
			break;
		if (magnitude > (UINT64_MAX - digit) / 10)
			return fail_at(reader, start, "integer beyond 64 bits");
		magnitude = magnitude * 10 + digit;
		reader->at++;
	}
	if (reader->at == first)
		return fail_at(reader, start, "expected a value");
	if (reader->text[first] == '0' && reader->at - first > 1)
		return fail_at(reader, start, "integer with a leading zero");
	if (reader->at < reader->length && strchr(".eE", reader->text[reader->at]) &&
	    reader->text[reader->at])
		return fail_at(reader, start, "only integers are understood");
	if (negative && magnitude > (uint64_t)1 << 63)
		return fail_at(reader, start, "integer beyond 64 bits");
	value->type = JSON_INTEGER;
	value->negative = negative && magnitude;
	value->magnitude = magnitude;
	return 0;
}

static int read_scalar(struct reader *reader, struct json_value *value)
{
	if (reader->at == reader->length)
		return fail(reader, "expected a value");
	if (reader->text[reader->at] == '"') {
		value->type = JSON_STRING;
		return read_string(reader, &value->text, &value->length);
	}
	if (reader->text[reader->at] == '{' || reader->text[reader->at] == '[')
		return fail(reader, "nested too deeply (one object, with arrays of plain values)");
	if (accept_word(reader, "null")) {
		value->type = JSON_NULL;
		return 0;
	}
	if (accept_word(reader, "true")) {
		value->type = JSON_BOOL;
		value->boolean = true;
		return 0;
	}
	if (accept_word(reader, "false")) {
		value->type = JSON_BOOL;
		value->boolean = false;
		return 0;
	}
	return read_integer(reader, value);
}

static int read_array(struct reader *reader, struct json_value *value)
{
	int err;

	value->type = JSON_ARRAY;
	skip_blanks(reader);
	if (accept(reader, ']'))
		return 0;
	value->items = calloc(JSON_MAX_ITEMS, sizeof(*value->items));
	if (!value->items) {
		fail(reader, "out of memory");
		return -ENOMEM;
	}
	for (;;) {
		if (value->count == JSON_MAX_ITEMS)
			return fail(reader, "array with more than 256 values");
		skip_blanks(reader);
		err = read_scalar(reader, &value->items[value->count]);
		if (err)
			return err;
		value->count++;
		skip_blanks(reader);
		if (accept(reader, ']'))
			return 0;
		if (!accept(reader, ','))
			return fail(reader, "expected ',' or ']'");
	}
}

static int read_member(struct reader *reader, struct json_object *object)
{
	struct json_member *member = &object->members[object->count];
	size_t start = reader->at;
	size_t length;
	char *key;
	int err;

	if (object->count == JSON_MAX_MEMBERS)
		return fail(reader, "object with more than 32 members");
	err = read_string(reader, &key, &length);
	if (err)
		return err;
	if (json_find(object, key))
		return fail_at(reader, start, "member that is there already");
	skip_blanks(reader);
	if (!accept(reader, ':'))
		return fail(reader, "expected ':'");
	skip_blanks(reader);
	member->key = key;
	if (accept(reader, '['))
		err = read_array(reader, &member->value);
	else
		err = read_scalar(reader, &member->value);
	if (err) {
		free(member->value.items);
		*member = (struct json_member){0};
		return err;
	}
	object->count++;
	return 0;
}

int json_parse(char *line, size_t length, struct json_object *object, struct json_error *error)
{
	struct reader reader = {.text = line, .length = length, .error = error};
	int err;

	*object = (struct json_object){0};
	skip_blanks(&reader);
	if (!accept(&reader, '{'))
		return fail(&reader, "expected '{'");
	skip_blanks(&reader);
	if (!accept(&reader, '}')) {
		for (;;) {
			skip_blanks(&reader);
			err = read_member(&reader, object);
			if (err)
				return err;
			skip_blanks(&reader);
			if (accept(&reader, '}'))
				break;
			if (!accept(&reader, ','))
				return fail(&reader, "expected ',' or '}'");
		}
	}
	skip_blanks(&reader);
	if (reader.at != reader.length)
		return fail(&reader, "something follows the object");
	return 0;
}

void json_object_free(struct json_object *object)
{
	for (size_t i = 0; i < object->count; i++)
		free(object->members[i].value.items);
	object->count = 0;
}

struct json_value *json_find(struct json_object *object, const char *key)
{
	for (size_t i = 0; i < object->count; i++)
		if (strcmp(object->members[i].key, key) == 0)
			return &object->members[i].value;
	return NULL;
}
