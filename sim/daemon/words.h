/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of the command line, the control socket and scenarios, and what they mean. */
#ifndef DAEMON_WORDS_H
#define DAEMON_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "remote/pacing.h"
#include "remote/remote.h"

/* Of a service that does not say its kind. */
#define WORDS_DEFAULT_KIND "echo"
/* Of one that needs the rules of a scenario file. */
#define WORDS_SCRIPT_KIND "script"

/*
 * Each gives the names of all there are, "a, b, c", for messages: what does not fit into size
 * bytes is left out. They return text.
 */
const char *words_kinds(char *text, size_t size);
const char *words_profiles(char *text, size_t size);
const char *words_layouts(char *text, size_t size);
const char *words_features(char *text, size_t size);

/* The meaning of a word; false when it has none. */
bool words_check(const char *word, enum remote_check *check);
bool words_pace_order(const char *word, enum pace_order *order);
bool words_pace_interrupt(const char *word, enum pace_interrupt *interrupt);

/* The word for a level of checking. */
const char *words_check_name(enum remote_check check);

/* Feature bits that are to be offered or not, whatever the profile says. */
struct words_features {
	uint64_t on, off;
};

/**
 * words_feature() - read "+NAME", "-NAME", "+BIT" or "-BIT"
 * @features: changed; of what is said of one bit the last counts
 * @word: word
 *
 * Return: 0; -EINVAL without a sign; -ENOENT for what is no feature; -EOPNOTSUPP for one that
 * no back-end of ours can serve, or that is its own matter.
 */
int words_feature(struct words_features *features, const char *word);

/**
 * words_apply_features() - let a configuration offer them
 * @features: features
 * @config: whose profile is set, or NULL for the default
 */
void words_apply_features(const struct words_features *features, struct remote_config *config);

#endif /* DAEMON_WORDS_H */
