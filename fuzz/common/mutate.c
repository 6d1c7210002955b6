/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/mutate.h"

#include <string.h>

#include "wire/random.h"
#include "wire/rpmsg.h"

#define STREAM 0x6d757461 /* of random numbers */
#define NEW_TAIL 64	  /* bytes of the tail of a new operation, at the most */

/* Bodies that differ from those of the input, one after the other. */
struct scratch {
	size_t used;
	uint8_t bytes[2 * OPLIST_MAX_BODY];
};

static uint8_t scratch_out[1 << 20];

/* ---- values ------------------------------------------------------------------------------- */

static const uint64_t lengths[] = {0,	 1,    4,     8,     12,	 15,	     16,
				   17,	 39,   40,    41,    255,	 256,	     495,
				   496,	 497,  511,   512,   513,	 1024,	     2048,
				   4095, 4096, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff};
static const uint64_t addresses[] = {0,	   1,	       52,	   53,	       54,
				     127,  128,	       1023,	   1024,       1025,
				     1026, 0x7fffffff, 0x80000000, 0xfffffffe, RPMSG_ADDR_ANY};
static const uint64_t indices[] = {0,  1,   2,	 3,   7,     8,	    15,	   16,	  17,	     63,
				   64, 255, 256, 257, 32767, 32768, 65534, 65535, 0xffffffff};
static const uint64_t counts[] = {0, 1, 2, 3, 4, 8, 15, 16, 17, 64, 0xffffffff};
static const uint64_t times[] = {0,	   1,	       1000,	    1000000,
				 10000000, 1000000000, 15000000000, 3600000000000};
static const uint64_t numbers[] = {0,	       1,	   2,	      0x7f,	 0x80,
				   0xff,       0x7fff,	   0x8000,    0xffff,	 0x7fffffff,
				   0x80000000, 0xffffffff, INT64_MAX, UINT64_MAX};

#define PICK(table, random) ((table)[(random) % (sizeof(table) / sizeof((table)[0]))])

static uint64_t memory_value(const struct oplist_schema *schema, uint64_t random)
{
	uint64_t start = schema->memory_start, size = schema->memory_size;
	uint64_t near = random >> 8 & 31;

	switch (random % 6) {
	case 0:
		return start + near;
	case 1:
		return start + size - near;
	case 2:
		return start + size + near;
	case 3:
		return UINT64_MAX - near;
	case 4:
		return size != 0 ? start + ((random >> 16) % size & ~UINT64_C(15)) : start;
	default:
		return start - near;
	}
}

static uint64_t bits_value(uint64_t random)
{
	uint64_t value = 0;

	/* Most bits that mean anything are low, or are ring features from 28 to 40. */
	for (unsigned int i = 0; i < 1 + random % 3; i++) {
		unsigned int bit = random >> (8 + 8 * i) & 63;

		value |= UINT64_C(1) << (random >> (40 + i) & 1 ? bit : bit % 6);
	}
	return value;
}

static uint64_t truncated(uint64_t value, unsigned int width)
{
	return width == 8 ? value : value & ((UINT64_C(1) << 8 * width) - 1);
}

uint64_t mutate_value(const struct oplist_schema *schema, const struct oplist_field *field,
		      uint64_t random)
{
	uint64_t rest = random >> 4;
	uint64_t value;

	/* Now and then anything at all, so that no table keeps a value out. */
	if (random % 16 == 0)
		return truncated(rest * UINT64_C(0x9e3779b97f4a7c15), field->width);
	switch (field->role) {
	case OPLIST_CHOICE:
		value = field->bound != 0 ? rest % field->bound : rest;
		break;
	case OPLIST_COUNT:
		value = PICK(counts, rest);
		break;
	case OPLIST_INDEX:
		value = PICK(indices, rest);
		break;
	case OPLIST_LENGTH:
		value = PICK(lengths, rest);
		break;
	case OPLIST_ADDRESS:
		value = PICK(addresses, rest);
		break;
	case OPLIST_MEMORY:
		value = memory_value(schema, rest);
		break;
	case OPLIST_BITS:
		value = bits_value(rest);
		break;
	case OPLIST_TIME:
		value = PICK(times, rest);
		break;
	default:
		value = PICK(numbers, rest);
		break;
	}
	return truncated(value, field->width);
}

/* ---- operations --------------------------------------------------------------------------- */

/* A body to write to: a copy of the operation's, with all of its fields. NULL: no room. */
static uint8_t *own_body(const struct oplist_schema *schema, struct oplist_item *item,
			 size_t tail_room, struct scratch *scratch)
{
	size_t fields = oplist_fields_size(&schema->ops[item->code]);
	size_t size = item->size > fields ? item->size : fields;
	size_t need = size + tail_room;
	uint8_t *body = scratch->bytes + scratch->used;

	if (size > OPLIST_MAX_BODY || sizeof(scratch->bytes) - scratch->used < need)
		return NULL;
	memset(body, 0, need);
	if (item->size != 0)
		memcpy(body, item->body, item->size);
	scratch->used += need;
	item->body = body;
	item->size = (uint16_t)size;
	return body;
}

static void put_field(const struct oplist_op *op, uint8_t *body, unsigned int field, uint64_t value)
{
	size_t at = 0;

	for (unsigned int i = 0; i < field; i++)
		at += op->fields[i].width;
	for (unsigned int i = 0; i < op->fields[field].width; i++)
		body[at + i] = (uint8_t)(value >> (8 * i));
}

static void change_field(const struct oplist_schema *schema, struct oplist_item *item,
			 struct scratch *scratch, struct random *random)
{
	const struct oplist_op *op = &schema->ops[item->code];
	unsigned int fields = oplist_fields(op);
	unsigned int field;
	uint64_t value;
	uint8_t *body;

	if (fields == 0)
		return;
	body = own_body(schema, item, 0, scratch);
	if (body == NULL)
		return;
	field = random_below(random, fields);
	value = oplist_get(schema, item, field);
	/* A step away from what is there finds bounds that no table has. */
	switch (random_below(random, 4)) {
	case 0:
		value += random_below(random, 9) - 4U;
		break;
	case 1:
		value ^= UINT64_C(1) << random_below(random, 8U * op->fields[field].width);
		break;
	default:
		value = mutate_value(schema, &op->fields[field], random_next(random));
		break;
	}
	put_field(op, body, field, value);
}

static void change_tail(const struct oplist_schema *schema, struct oplist_item *item,
			struct scratch *scratch, struct random *random, mutate_bytes_fn *bytes)
{
	size_t fields = oplist_fields_size(&schema->ops[item->code]);
	size_t room, tail;
	uint8_t *body;

	room = PICK(lengths, random_next(random)) % 1024;
	body = own_body(schema, item, room, scratch);
	if (body == NULL)
		return;
	tail = item->size - fields;
	if (tail + room == 0)
		return;
	tail = bytes(body + fields, tail, tail + room);
	if (fields + tail <= OPLIST_MAX_BODY)
		item->size = (uint16_t)(fields + tail);
}

static void make_item(const struct oplist_schema *schema, struct oplist_item *item,
		      struct scratch *scratch, struct random *random)
{
	const struct oplist_op *op;
	size_t tail = 0;
	uint8_t *body;

	*item = (struct oplist_item){.code = (uint8_t)random_below(random, schema->count)};
	op = &schema->ops[item->code];
	if (op->tail != NULL)
		tail = random_below(random, NEW_TAIL);
	body = own_body(schema, item, tail, scratch);
	if (body == NULL)
		return;
	for (unsigned int i = 0; i < oplist_fields(op); i++)
		put_field(op, body, i, mutate_value(schema, &op->fields[i], random_next(random)));
	for (size_t i = 0; i < tail; i++)
		body[item->size + i] = (uint8_t)random_next(random);
	item->size = (uint16_t)(item->size + tail);
}

/* ---- lists -------------------------------------------------------------------------------- */

/* Make room for so many items at a place; how many there is room for. */
static unsigned int open_gap(struct oplist *list, unsigned int at, unsigned int count)
{
	if (count > OPLIST_MAX_ITEMS - list->count)
		count = OPLIST_MAX_ITEMS - list->count;
	memmove(&list->items[at + count], &list->items[at],
		(list->count - at) * sizeof(list->items[0]));
	list->count += count;
	return count;
}

static void remove_run(struct oplist *list, unsigned int at, unsigned int count)
{
	memmove(&list->items[at], &list->items[at + count],
		(list->count - at - count) * sizeof(list->items[0]));
	list->count -= count;
}

static void insert_new(const struct oplist_schema *schema, struct oplist *list,
		       struct scratch *scratch, struct random *random)
{
	unsigned int at = random_below(random, list->count + 1);
	struct oplist_item item;

	make_item(schema, &item, scratch, random);
	if (item.body != NULL && open_gap(list, at, 1) == 1)
		list->items[at] = item;
}

/* Put a copy of a run, or the run itself, somewhere else. */
static void copy_run(struct oplist *list, struct random *random, bool move)
{
	struct oplist_item run[16];
	unsigned int from = random_below(random, list->count);
	unsigned int count = 1 + random_below(random, 16);
	unsigned int at;

	if (count > list->count - from)
		count = list->count - from;
	memcpy(run, &list->items[from], count * sizeof(run[0]));
	if (move)
		remove_run(list, from, count);
	at = random_below(random, list->count + 1);
	count = open_gap(list, at, count);
	memcpy(&list->items[at], run, count * sizeof(run[0]));
}

static void swap_two(struct oplist *list, struct random *random)
{
	unsigned int a = random_below(random, list->count);
	unsigned int b = random_below(random, list->count);
	struct oplist_item item = list->items[a];

	list->items[a] = list->items[b];
	list->items[b] = item;
}

static void delete_run(struct oplist *list, struct random *random)
{
	unsigned int at = random_below(random, list->count);
	unsigned int most = list->count - at;
	unsigned int count = 1 + random_below(random, most < 4 ? most : 4);

	remove_run(list, at, count);
}

static void change_list(const struct oplist_schema *schema, struct oplist *list,
			struct scratch *scratch, struct random *random, mutate_bytes_fn *bytes)
{
	unsigned int choice = random_below(random, 20);
	struct oplist_item *item;

	if (list->count == 0) {
		insert_new(schema, list, scratch, random);
		return;
	}
	item = &list->items[random_below(random, list->count)];
	if (choice < 6)
		change_field(schema, item, scratch, random);
	else if (choice < 10)
		insert_new(schema, list, scratch, random);
	else if (choice < 13 && schema->ops[item->code].tail != NULL)
		change_tail(schema, item, scratch, random, bytes);
	else if (choice < 15)
		delete_run(list, random);
	else if (choice < 17)
		copy_run(list, random, false);
	else if (choice < 18)
		copy_run(list, random, true);
	else if (choice < 19)
		swap_two(list, random);
	else
		list->count = 1 + random_below(random, list->count);
}

size_t mutate(const struct oplist_schema *schema, uint8_t *data, size_t size, size_t room,
	      uint32_t seed, mutate_bytes_fn *bytes)
{
	static struct scratch scratch;
	static struct oplist list;
	struct random random;
	size_t done;

	random_init(&random, seed, STREAM);
	if (room < OPLIST_HEADER_SIZE + OPLIST_ITEM_HEADER_SIZE || room > sizeof(scratch_out))
		return bytes(data, size, room);
	/* What is no list becomes one now and then; else the engine has it. */
	if (oplist_parse(&list, schema, data, size) != 0) {
		if (size > OPLIST_HEADER_SIZE && random_below(&random, 4) != 0)
			return bytes(data, size, room);
		list.count = 0;
	} else if (random_below(&random, 64) == 0) {
		return bytes(data, size, room);
	}
	scratch.used = 0;
	for (unsigned int i = 0; i < 1 + random_below(&random, 3); i++)
		change_list(schema, &list, &scratch, &random, bytes);
	done = oplist_write(&list, schema, scratch_out, room);
	memcpy(data, scratch_out, done);
	return done;
}

size_t mutate_cross(const struct oplist_schema *schema, const uint8_t *one, size_t one_size,
		    const uint8_t *two, size_t two_size, uint8_t *to, size_t room, uint32_t seed)
{
	static struct oplist first, second;
	struct random random;
	unsigned int from, count, at, out;

	random_init(&random, seed, STREAM + 1);
	if (oplist_parse(&first, schema, one, one_size) != 0 ||
	    oplist_parse(&second, schema, two, two_size) != 0 || second.count == 0)
		return 0;
	from = random_below(&random, second.count);
	count = 1 + random_below(&random, second.count - from);
	at = random_below(&random, first.count + 1);
	out = random_below(&random, first.count - at + 1);
	if (random_below(&random, 2) == 0)
		remove_run(&first, at, out);
	count = open_gap(&first, at, count);
	memcpy(&first.items[at], &second.items[from], count * sizeof(first.items[0]));
	return oplist_write(&first, schema, to, room);
}
