/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A strict reader and a writer for the JSON that the agent protocol needs.
 *
 * Why not jansson, as in the rest of the project: the agent is a static program for five or more
 * architectures, and the cross toolchains of Debian carry a C library and nothing else. A request
 * is one object whose values are integers, strings, true, false, null, or arrays of those, so
 * the reader refuses everything deeper and every number that is not an integer of 64 bits: such a
 * reader has no recursion and loses no bit of an address.
 */
#ifndef AGENT_JSON_H
#define AGENT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_MAX_MEMBERS 32
#define JSON_MAX_ITEMS 256

enum json_type { JSON_NULL, JSON_BOOL, JSON_INTEGER, JSON_STRING, JSON_ARRAY };

struct json_value {
	enum json_type type;
	bool boolean;	    /* JSON_BOOL */
	bool negative;	    /* JSON_INTEGER: the value is -magnitude, which is then 1 to 2^63 */
	uint64_t magnitude; /* JSON_INTEGER */
	char *text;    /* JSON_STRING: UTF-8 without NUL, NUL-terminated, inside the parsed line */
	size_t length; /* JSON_STRING: bytes in text */
	struct json_value *items; /* JSON_ARRAY: scalars only */
	size_t count;		  /* JSON_ARRAY: number of items */
};

struct json_member {
	const char *key;
	struct json_value value;
};

struct json_object {
	size_t count;
	struct json_member members[JSON_MAX_MEMBERS];
};

struct json_error {
	const char *what; /* "expected a string", without the place */
	size_t offset;	  /* byte of the line, from 0 */
};

/**
 * json_parse() - read one object from one line
 * @line: the text, not NUL-terminated; changed in place, and must outlive @object
 * @length: bytes in @line
 * @object: filled in; on failure it holds the members that were complete before the fault.
 *	To be given to json_object_free() in both cases
 * @error: on failure, what is wrong and where
 *
 * Source of the rule: RFC 8259, narrowed as described at the top of this file; a key that occurs
 * twice and the character NUL are refused as well.
 *
 * Return: 0; -EINVAL when @line is not such an object; -ENOMEM.
 */
int json_parse(char *line, size_t length, struct json_object *object, struct json_error *error);

/**
 * json_object_free() - give back what json_parse() allocated
 * @object: may be partly filled in; is empty afterwards
 */
void json_object_free(struct json_object *object);

/**
 * json_find() - look a member up
 * @object: the object
 * @key: NUL-terminated
 *
 * Return: the value, or NULL when there is no such member.
 */
struct json_value *json_find(struct json_object *object, const char *key);

/*
 * A growing text. When memory runs out, @failed stays set and the later calls do nothing, so that
 * only the end of a reply has to look at it.
 */
struct json_out {
	char *data;
	size_t length;
	size_t capacity;
	bool failed;
};

/**
 * json_out_free() - give the text back
 * @out: is empty, and usable again, afterwards
 */
void json_out_free(struct json_out *out);

/**
 * json_out_raw() - append bytes that are JSON already
 * @out: the text
 * @data: what to append
 * @length: bytes in @data
 */
void json_out_raw(struct json_out *out, const char *data, size_t length);

/**
 * json_out_open() - begin an object or an array
 * @out: the text
 * @key: member name when inside an object, NULL inside an array and at the top
 * @bracket: '{' or '['
 *
 * Commas are placed by all json_out functions themselves.
 */
void json_out_open(struct json_out *out, const char *key, char bracket);

/**
 * json_out_close() - end what json_out_open() began
 * @out: the text
 * @bracket: '}' or ']'
 */
void json_out_close(struct json_out *out, char bracket);

/**
 * json_out_u64() - append an unsigned integer
 * @out: the text
 * @key: as in json_out_open()
 * @value: the integer
 */
void json_out_u64(struct json_out *out, const char *key, uint64_t value);

/**
 * json_out_i64() - append a signed integer
 * @out: the text
 * @key: as in json_out_open()
 * @value: the integer
 */
void json_out_i64(struct json_out *out, const char *key, int64_t value);

/**
 * json_out_bool() - append true or false
 * @out: the text
 * @key: as in json_out_open()
 * @value: which of them
 */
void json_out_bool(struct json_out *out, const char *key, bool value);

/**
 * json_out_null() - append null
 * @out: the text
 * @key: as in json_out_open()
 */
void json_out_null(struct json_out *out, const char *key);

/**
 * json_out_string() - append a string
 * @out: the text
 * @key: as in json_out_open()
 * @text: the bytes; those that are not UTF-8 become U+FFFD each, so that a line is always JSON
 * @length: bytes in @text
 *
 * Return: true when every byte was kept, false when some had to be replaced.
 */
bool json_out_string(struct json_out *out, const char *key, const char *text, size_t length);

/**
 * json_out_cstring() - append a NUL-terminated string, or null
 * @out: the text
 * @key: as in json_out_open()
 * @text: the string; NULL becomes null
 */
void json_out_cstring(struct json_out *out, const char *key, const char *text);

/**
 * json_out_json() - append a value that is JSON already
 * @out: the text
 * @key: as in json_out_open()
 * @text: the value
 * @length: bytes in @text
 */
void json_out_json(struct json_out *out, const char *key, const char *text, size_t length);

/**
 * json_out_hex() - append bytes as a string of lower-case hex digits
 * @out: the text
 * @key: as in json_out_open()
 * @data: the bytes
 * @length: how many
 */
void json_out_hex(struct json_out *out, const char *key, const void *data, size_t length);

#endif
