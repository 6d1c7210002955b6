/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mutation of operation lists: by whole operations and by fields, with values that the meaning
 * of a field makes interesting. An input that is no list is left to the engine's own mutation
 * of bytes.
 */
#ifndef FUZZ_COMMON_MUTATE_H
#define FUZZ_COMMON_MUTATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/oplist.h"

/* Mutates size bytes at data in place, to at most room; the new size. libFuzzer has one. */
typedef size_t mutate_bytes_fn(uint8_t *data, size_t size, size_t room);

/**
 * mutate() - change a list a little
 * @schema: what it is for
 * @data: input, changed in place
 * @size: bytes
 * @room: bytes at @data
 * @seed: the same seed makes the same change
 * @bytes: how tails, and inputs that are no list, are mutated
 *
 * One of: insert, delete, duplicate, move or swap operations, change a field, change a tail,
 * cut the list off. A list without operations gets one.
 *
 * Return: new size, at most @room.
 */
size_t mutate(const struct oplist_schema *schema, uint8_t *data, size_t size, size_t room,
	      uint32_t seed, mutate_bytes_fn *bytes);

/**
 * mutate_cross() - a list from the operations of two
 * @schema: what they are for
 * @one: first input
 * @one_size: bytes
 * @two: second input
 * @two_size: bytes
 * @to: result
 * @room: bytes at @to
 * @seed: the same seed makes the same choice
 *
 * A run of operations of the second is put into the first, in place of none or of some.
 *
 * Return: bytes at @to; 0 when either is no list.
 */
size_t mutate_cross(const struct oplist_schema *schema, const uint8_t *one, size_t one_size,
		    const uint8_t *two, size_t two_size, uint8_t *to, size_t room, uint32_t seed);

/**
 * mutate_value() - a value that is worth trying
 * @schema: whose memory it is
 * @field: what it is for
 * @random: any number
 *
 * Return: value that fits the field's width.
 */
uint64_t mutate_value(const struct oplist_schema *schema, const struct oplist_field *field,
		      uint64_t random);

#endif /* FUZZ_COMMON_MUTATE_H */
