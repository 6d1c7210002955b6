/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a run found, if anything: which kind of trouble it is, and a name by which the same one is
 * known again.
 */
#ifndef FUZZ_OUTSIDE_TROUBLE_H
#define FUZZ_OUTSIDE_TROUBLE_H

#include <stdbool.h>
#include <stddef.h>

#include "outside/far.h"
#include "outside/victim.h"

#define TROUBLE_NAME 96

enum trouble_kind {
	TROUBLE_NONE,
	TROUBLE_REPORT, /* of a sanitizer, or of an assertion */
	TROUBLE_SIGNAL, /* that ended the process */
	TROUBLE_EXIT,	/* it ended by itself, though nobody asked it to */
	TROUBLE_WEDGE,	/* it is there, and answers no new connection */
	TROUBLE_RULE,	/* it goes on, and did what a remote may not do */
};

struct trouble {
	enum trouble_kind kind;
	char base[TROUBLE_NAME]; /* equal for two runs that show the same */
	char what[256];		 /* one line */
	unsigned int op;	 /* as in struct far_outcome */
};

/**
 * trouble_of() - what a run has shown
 * @trouble: set
 * @outcome: of the run
 * @victim: it, not yet started anew
 * @may_exit: the process may end by itself as long as no signal does it
 *
 * A process that ends with status 0 when its front-end has left is not in trouble.
 *
 * Return: true when there is trouble.
 */
bool trouble_of(struct trouble *trouble, const struct far_outcome *outcome, struct victim *victim,
		bool may_exit);

/**
 * trouble_name() - name of a finding, fit for a folder
 * @to: TROUBLE_NAME bytes
 * @trouble: trouble
 * @list: input that showed it: what no report names is named by an operation
 */
void trouble_name(char *to, const struct trouble *trouble, const struct oplist *list);

/**
 * trouble_is_same() - do two runs show the same?
 * @one: trouble or none
 * @two: the other
 *
 * Return: true when they do.
 */
bool trouble_is_same(const struct trouble *one, const struct trouble *two);

#endif /* FUZZ_OUTSIDE_TROUBLE_H */
