/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inputs worth going on from, new ones made of them, and what has been seen so far.
 */
#ifndef FUZZ_OUTSIDE_CORPUS_H
#define FUZZ_OUTSIDE_CORPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "outside/far.h"
#include "outside/victim.h"

#define CORPUS_LONGEST 8192 /* bytes of an input */
#define CORPUS_MOST 16384   /* inputs */
#define CORPUS_ROWS 8	    /* of counters, of a back-end with coverage */

struct corpus_input {
	uint8_t *data;
	size_t size;
};

struct corpus {
	const char *folder; /* where new ones are kept, NULL: nowhere */
	struct corpus_input *inputs;
	unsigned int count;
	unsigned int ready; /* of them have been run: new ones are made of these */
	uint64_t *names;    /* of files that were read or written, sorted by nothing */
	unsigned int name_count;
	uint64_t random;
	uint8_t trace[LINE_TRACE]; /* by bits: how often, in powers of two */
	uint8_t *rows[CORPUS_ROWS];
	size_t row_sizes[CORPUS_ROWS];
	unsigned int seen, reached; /* different things, and counters */
};

/**
 * corpus_init() - nothing was seen yet
 * @corpus: set
 * @folder: where inputs are read from and kept, NULL: nowhere
 * @seed: the same seed makes the same inputs of the same corpus
 *
 * Return: 0 or -ENOMEM.
 */
int corpus_init(struct corpus *corpus, const char *folder, uint64_t seed);

/**
 * corpus_fini() - free everything
 * @corpus: corpus
 */
void corpus_fini(struct corpus *corpus);

/**
 * corpus_read() - add what is in a folder and was not read before
 * @corpus: corpus
 * @folder: folder
 *
 * Files that are no operation lists of a session are left out.
 *
 * Return: inputs added; negative errno when the folder cannot be read.
 */
int corpus_read(struct corpus *corpus, const char *folder);

/**
 * corpus_add() - add an input
 * @corpus: corpus
 * @data: copied
 * @size: bytes
 * @write: into the folder, too
 *
 * What only the remote's owner could do is left out.
 *
 * Return: true when it is a list, and was added.
 */
bool corpus_add(struct corpus *corpus, const uint8_t *data, size_t size, bool write);

/**
 * corpus_add_builtin() - add a few inputs that any remote understands
 * @corpus: corpus
 */
void corpus_add_builtin(struct corpus *corpus);

/**
 * corpus_sort() - put short inputs first
 * @corpus: corpus of which none is ready
 */
void corpus_sort(struct corpus *corpus);

/**
 * corpus_make() - a new input from those that there are
 * @corpus: corpus of which at least one is ready
 * @far: whose known addresses are of use
 * @to: CORPUS_LONGEST bytes
 *
 * Return: bytes.
 */
size_t corpus_make(struct corpus *corpus, const struct far *far, uint8_t *to);

/**
 * corpus_judge() - has a run shown what none has before?
 * @corpus: corpus; remembers it
 * @far: after the run
 * @victim: its counters count
 *
 * Return: true when it has.
 */
bool corpus_judge(struct corpus *corpus, const struct far *far, struct victim *victim);

#endif /* FUZZ_OUTSIDE_CORPUS_H */
