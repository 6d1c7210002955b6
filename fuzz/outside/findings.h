/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was found, in a folder: for each finding one of its own with the input, what it is, what
 * the back-end printed, and a script that shows it again.
 */
#ifndef FUZZ_OUTSIDE_FINDINGS_H
#define FUZZ_OUTSIDE_FINDINGS_H

#include <stdbool.h>

#include "outside/options.h"
#include "outside/trouble.h"

#define FINDINGS_LONGEST ((size_t)256 << 10) /* bytes of an input that is written */

struct finding_files {
	const struct trouble *trouble;
	const char *name;
	const struct oplist *list;
	unsigned int operations; /* before it was made shorter */
	const char *output;	 /* of the back-end */
	bool repeatable; /* the list alone shows it, on a back-end that was started for it */
};

/**
 * findings_claim() - make the folder of a finding
 * @options: options
 * @name: finding
 *
 * Return: true when this call made it; false when it was there, or cannot be made.
 */
bool findings_claim(const struct options *options, const char *name);

/**
 * findings_write() - put everything into the folder
 * @options: options
 * @files: what to write
 *
 * Return: 0, or negative errno: the folder is incomplete.
 */
int findings_write(const struct options *options, const struct finding_files *files);

#endif /* FUZZ_OUTSIDE_FINDINGS_H */
