/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/oplist.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "wire/bytes.h"

#define SHOWN_TAIL 64 /* bytes of a tail that are printed */

int oplist_parse(struct oplist *list, const struct oplist_schema *schema, const uint8_t *data,
		 size_t size)
{
	size_t at = OPLIST_HEADER_SIZE;

	list->count = 0;
	if (size < OPLIST_HEADER_SIZE || data[0] != 'r' || data[1] != 'p' ||
	    data[2] != OPLIST_VERSION || data[3] != schema->id)
		return -EINVAL;
	while (at != size) {
		struct oplist_item *item = &list->items[list->count];

		if (list->count == OPLIST_MAX_ITEMS || size - at < OPLIST_ITEM_HEADER_SIZE)
			return -EINVAL;
		item->code = data[at];
		item->size = wire_get_le16(data + at + 2);
		if (data[at + 1] != 0 || item->code >= schema->count)
			return -EINVAL;
		at += OPLIST_ITEM_HEADER_SIZE;
		if (item->size > size - at)
			return -EINVAL;
		item->body = data + at;
		at += item->size;
		list->count++;
	}
	return 0;
}

size_t oplist_write(const struct oplist *list, const struct oplist_schema *schema, uint8_t *to,
		    size_t room)
{
	size_t at = OPLIST_HEADER_SIZE;

	if (room < OPLIST_HEADER_SIZE)
		return 0;
	to[0] = 'r';
	to[1] = 'p';
	to[2] = OPLIST_VERSION;
	to[3] = schema->id;
	for (unsigned int i = 0; i < list->count; i++) {
		const struct oplist_item *item = &list->items[i];

		if (room - at < OPLIST_ITEM_HEADER_SIZE + (size_t)item->size)
			break;
		to[at] = item->code;
		to[at + 1] = 0;
		wire_put_le16(to + at + 2, item->size);
		if (item->size != 0)
			memcpy(to + at + OPLIST_ITEM_HEADER_SIZE, item->body, item->size);
		at += OPLIST_ITEM_HEADER_SIZE + (size_t)item->size;
	}
	return at;
}

unsigned int oplist_fields(const struct oplist_op *op)
{
	unsigned int count = 0;

	while (count < OPLIST_MAX_FIELDS && op->fields[count].name != NULL)
		count++;
	return count;
}

size_t oplist_fields_size(const struct oplist_op *op)
{
	size_t size = 0;

	for (unsigned int i = 0; i < oplist_fields(op); i++)
		size += op->fields[i].width;
	return size;
}

uint64_t oplist_get(const struct oplist_schema *schema, const struct oplist_item *item,
		    unsigned int field)
{
	const struct oplist_field *fields = schema->ops[item->code].fields;
	uint64_t value = 0;
	size_t at = 0;

	for (unsigned int i = 0; i < field; i++)
		at += fields[i].width;
	for (unsigned int i = 0; i < fields[field].width && at + i < item->size; i++)
		value |= (uint64_t)item->body[at + i] << (8 * i);
	return fields[field].bound != 0 ? value % fields[field].bound : value;
}

const uint8_t *oplist_tail(const struct oplist_schema *schema, const struct oplist_item *item,
			   size_t *size)
{
	size_t fields = oplist_fields_size(&schema->ops[item->code]);

	*size = item->size > fields ? item->size - fields : 0;
	return *size != 0 ? item->body + fields : item->body;
}

static void print_tail(const char *name, const uint8_t *tail, size_t size, FILE *to)
{
	bool text = size != 0;

	for (size_t i = 0; i < size; i++)
		text = text && isprint(tail[i]) && tail[i] != '"' && tail[i] != '\\';
	fprintf(to, " %s[%zu]=", name, size);
	if (text) {
		fprintf(to, "\"%.*s\"", (int)size, (const char *)tail);
		return;
	}
	for (size_t i = 0; i < size && i < SHOWN_TAIL; i++)
		fprintf(to, "%02x", tail[i]);
	if (size > SHOWN_TAIL)
		fputs("...", to);
}

void oplist_print(const struct oplist *list, const struct oplist_schema *schema, FILE *to)
{
	for (unsigned int i = 0; i < list->count; i++) {
		const struct oplist_item *item = &list->items[i];
		const struct oplist_op *op = &schema->ops[item->code];
		const uint8_t *tail;
		size_t size;

		fprintf(to, "%3u %s", i, op->name);
		for (unsigned int field = 0; field < oplist_fields(op); field++) {
			uint64_t value = oplist_get(schema, item, field);

			fprintf(to, value < 65536 ? " %s=%" PRIu64 : " %s=0x%" PRIx64,
				op->fields[field].name, value);
		}
		tail = oplist_tail(schema, item, &size);
		if (op->tail != NULL)
			print_tail(op->tail, tail, size, to);
		fputc('\n', to);
	}
}

static const char *const roles[OPLIST_ROLE_COUNT] = {
	[OPLIST_NUMBER] = "number", [OPLIST_CHOICE] = "choice", [OPLIST_COUNT] = "count",
	[OPLIST_INDEX] = "index",   [OPLIST_LENGTH] = "length", [OPLIST_ADDRESS] = "address",
	[OPLIST_MEMORY] = "memory", [OPLIST_BITS] = "bits",	[OPLIST_TIME] = "time",
};

void oplist_describe(const struct oplist_schema *schema, FILE *to)
{
	fprintf(to, "\"version\":%d,\"id\":%d,\"ops\":[", OPLIST_VERSION, schema->id);
	for (unsigned int i = 0; i < schema->count; i++) {
		const struct oplist_op *op = &schema->ops[i];

		fprintf(to, "%s{\"name\":\"%s\",\"tail\":\"%s\",\"fields\":[", i != 0 ? "," : "",
			op->name, op->tail != NULL ? op->tail : "");
		for (unsigned int f = 0; f < oplist_fields(op); f++)
			fprintf(to, "%s{\"name\":\"%s\",\"width\":%d,\"role\":\"%s\",\"bound\":%u}",
				f != 0 ? "," : "", op->fields[f].name, op->fields[f].width,
				roles[op->fields[f].role], op->fields[f].bound);
		fputs("]}", to);
	}
	fputc(']', to);
}
