/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/violation.h"

#include <stddef.h>

struct violation_entry {
	const char *name;
	const char *requirement;
	const char *text;
	enum violation_level level;
};

static const struct violation_entry entries[VIOLATION_COUNT] = {
#define VIOLATION_ENTRY(symbol, name, requirement, level, text)                                    \
	[VIOLATION_##symbol] = {name, requirement, text, VIOLATION_LEVEL_##level},
	VIOLATION_TABLE(VIOLATION_ENTRY)
#undef VIOLATION_ENTRY
};

static const struct violation_entry unknown = {"unknown", "", "", VIOLATION_LEVEL_MUST};

static const struct violation_entry *violation_entry(enum violation what)
{
	/* Through an unsigned number: whether the enum has a sign is up to the compiler. */
	unsigned int i = (unsigned int)what;

	return i < VIOLATION_COUNT ? &entries[i] : &unknown;
}

void violation_report(const struct violation_sink *sink, enum violation what, int queue,
		      int32_t desc_id, uint64_t expected, uint64_t seen)
{
	const struct violation_record record = {
		.what = what,
		.queue = queue,
		.desc_id = desc_id,
		.expected = expected,
		.seen = seen,
	};

	if (sink != NULL && sink->report != NULL)
		sink->report(sink->ctx, &record);
}

const char *violation_name(enum violation what)
{
	return violation_entry(what)->name;
}

const char *violation_requirement(enum violation what)
{
	return violation_entry(what)->requirement;
}

const char *violation_text(enum violation what)
{
	return violation_entry(what)->text;
}

enum violation_level violation_level(enum violation what)
{
	return violation_entry(what)->level;
}

const char *violation_level_name(enum violation_level level)
{
	static const char *const names[VIOLATION_LEVEL_COUNT] = {
		[VIOLATION_LEVEL_MUST] = "must",
		[VIOLATION_LEVEL_SHOULD] = "should",
	};

	return (unsigned int)level < VIOLATION_LEVEL_COUNT ? names[level] : "unknown";
}

uint64_t violation_count_must(const uint64_t *counts)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < VIOLATION_COUNT; i++) {
		if (violation_level((enum violation)i) == VIOLATION_LEVEL_MUST)
			sum += counts[i];
	}
	return sum;
}
