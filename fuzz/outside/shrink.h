/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes an operation list shorter that shows something: fewest operations, then plainest fields
 * and shortest bytes.
 */
#ifndef FUZZ_OUTSIDE_SHRINK_H
#define FUZZ_OUTSIDE_SHRINK_H

#include <stdbool.h>

#include "common/oplist.h"

/*
 * Does a list still show it? -1: there is no time to go on asking.
 */
typedef int shrink_fn(void *ctx, const struct oplist *list);

/**
 * shrink() - the shortest list that is found
 * @schema: what the list is for
 * @list: shows it; changed
 * @shows: asked of each shorter one
 * @ctx: passed to @shows
 *
 * Bodies that are changed lie in memory that lasts until the next call.
 */
void shrink(const struct oplist_schema *schema, struct oplist *list, shrink_fn *shows, void *ctx);

#endif /* FUZZ_OUTSIDE_SHRINK_H */
