/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one frame of "watch" says. Knows nothing of terminals but their size.
 */
#ifndef CTL_VIEW_H
#define CTL_VIEW_H

#include <jansson.h>
#include <stdio.h>

struct view {
	const char *path;   /* control socket */
	const char *remote; /* or NULL */
	json_t *stats;	    /* result of "stats" */
	json_t *before;	    /* the one before, or NULL */
	double elapsed;	    /* seconds between the two */
	json_t *faults;	    /* result of "faults", or NULL when there is no such method */
};

/**
 * view_print() - one frame
 * @out: stream
 * @view: what is known
 * @rows: lines at most, 0: as many as it takes; what is left out is said in the last one
 * @columns: columns that are aimed at
 */
void view_print(FILE *out, const struct view *view, int rows, int columns);

#endif /* CTL_VIEW_H */
