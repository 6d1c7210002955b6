/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operation lists: what a structured fuzz input is made of.
 *
 * An input is a header of four bytes ('r', 'p', version, number of the schema) and a row of
 * operations, each a byte that says which, a byte of zero, a little-endian 16-bit size and a
 * body of that size. What a body holds is said by a schema: fields of fixed width, all of them
 * little-endian, and then, for an operation that has one, a tail of bytes. A body that is too
 * short reads as zero where it ends, and one that is too long is no error, so that nearly every
 * mutation still means something.
 */
#ifndef FUZZ_COMMON_OPLIST_H
#define FUZZ_COMMON_OPLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPLIST_VERSION 1
#define OPLIST_HEADER_SIZE 4
#define OPLIST_ITEM_HEADER_SIZE 4
#define OPLIST_MAX_ITEMS 512
#define OPLIST_MAX_BODY UINT16_MAX
#define OPLIST_MAX_FIELDS 8

/* What a field means, and so which values are worth trying. */
enum oplist_role {
	OPLIST_NUMBER,	/* any number */
	OPLIST_CHOICE,	/* below oplist_field.bound */
	OPLIST_COUNT,	/* small numbers, and one that is not */
	OPLIST_INDEX,	/* of a ring or a table: around powers of two */
	OPLIST_LENGTH,	/* around the sizes of headers, announcements and buffers */
	OPLIST_ADDRESS, /* of an endpoint */
	OPLIST_MEMORY,	/* guest-physical: around the ends of regions, and of 2^64 */
	OPLIST_BITS,	/* features and flags: one or few of them */
	OPLIST_TIME,	/* nanoseconds */
	OPLIST_ROLE_COUNT
};

struct oplist_field {
	const char *name;
	uint8_t width; /* bytes: 1, 2, 4 or 8 */
	enum oplist_role role;
	uint32_t bound; /* OPLIST_CHOICE: the reader takes the value modulo this; 0: as it is */
};

struct oplist_op {
	const char *name;
	const char *tail; /* what the bytes after the fields are, NULL: there are none */
	struct oplist_field fields[OPLIST_MAX_FIELDS]; /* ends at the first without a name */
};

/* All operations of a target. A number once given is not given to another operation. */
struct oplist_schema {
	const char *name;
	uint8_t id;
	unsigned int count;
	const struct oplist_op *ops;
	/* Where guest memory lies, for OPLIST_MEMORY. */
	uint64_t memory_start, memory_size;
};

struct oplist_item {
	uint8_t code;
	uint16_t size;
	const uint8_t *body;
};

struct oplist {
	unsigned int count;
	struct oplist_item items[OPLIST_MAX_ITEMS];
};

/**
 * oplist_parse() - take an input apart
 * @list: result; refers to @data
 * @schema: what the input has to be for
 * @data: input
 * @size: bytes
 *
 * Return: 0; -EINVAL when the header is not that of the schema, the last operation is cut off,
 * one does not exist, or there are more than OPLIST_MAX_ITEMS.
 */
int oplist_parse(struct oplist *list, const struct oplist_schema *schema, const uint8_t *data,
		 size_t size);

/**
 * oplist_write() - put a list together; the opposite of oplist_parse()
 * @list: list
 * @schema: its schema
 * @to: room; may not be what @list refers to
 * @room: bytes
 *
 * Return: bytes written; 0 when there is no room for even the header. Operations that do not
 * fit are left out, and all after them.
 */
size_t oplist_write(const struct oplist *list, const struct oplist_schema *schema, uint8_t *to,
		    size_t room);

/**
 * oplist_get() - value of a field
 * @schema: schema
 * @item: operation
 * @field: number of the field
 *
 * Return: value; bytes that the body does not have are 0. Below the bound if there is one.
 */
uint64_t oplist_get(const struct oplist_schema *schema, const struct oplist_item *item,
		    unsigned int field);

/**
 * oplist_tail() - bytes after the fields
 * @schema: schema
 * @item: operation
 * @size: set to their number
 *
 * Return: first byte; not to be read when @size is 0.
 */
const uint8_t *oplist_tail(const struct oplist_schema *schema, const struct oplist_item *item,
			   size_t *size);

/**
 * oplist_fields() - number of fields of an operation
 * @op: operation
 *
 * Return: 0 to OPLIST_MAX_FIELDS.
 */
unsigned int oplist_fields(const struct oplist_op *op);

/**
 * oplist_fields_size() - bytes of all fields of an operation
 * @op: operation
 *
 * Return: bytes before the tail.
 */
size_t oplist_fields_size(const struct oplist_op *op);

/**
 * oplist_print() - a list as text, one operation a line
 * @list: list
 * @schema: its schema
 * @to: stream
 */
void oplist_print(const struct oplist *list, const struct oplist_schema *schema, FILE *to);

/**
 * oplist_describe() - a schema as members of a JSON object, on one line, for tools
 * @schema: schema
 * @to: stream
 */
void oplist_describe(const struct oplist_schema *schema, FILE *to);

#endif /* FUZZ_COMMON_OPLIST_H */
