/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table for people: an array of objects, the members' names as its head.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <jansson.h>
#include <stdio.h>

/**
 * table_print() - print an array of objects
 * @out: stream
 * @array: objects; a member that one lacks is left empty
 * @indent: columns before each line
 *
 * Numbers stand on the right of their column, everything else on the left.
 */
void table_print(FILE *out, json_t *array, int indent);

#endif /* CTL_TABLE_H */
