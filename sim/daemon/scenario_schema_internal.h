/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the schema share. Nothing else includes it. */
#ifndef DAEMON_SCENARIO_SCHEMA_INTERNAL_H
#define DAEMON_SCENARIO_SCHEMA_INTERNAL_H

#include <cyaml/cyaml.h>
#include <inttypes.h>

#include "daemon/methods.h"
#include "daemon/scenario_schema.h"

#define SCHEMA_KEYS_MAX 48
#define SCHEMA_RECORDS_MAX 40

struct schema_record;

struct schema_key {
	struct method_param param; /* its name, type and range; of a list, max entries */
	struct schema_record *of;  /* a mapping, or a sequence of them; NULL: a value */
	bool list;
};

/*
 * One mapping. libcyaml loads it as an array of pointers, one a key and NULL for those that
 * are absent, followed by as many counts of entries.
 */
struct schema_record {
	unsigned int count;
	struct schema_key keys[SCHEMA_KEYS_MAX];
	cyaml_schema_field_t fields[SCHEMA_KEYS_MAX + 1];
	cyaml_schema_value_t value;
};

struct schema {
	struct schema_record *top;
	unsigned int used;
	struct schema_record records[SCHEMA_RECORDS_MAX];
};

static inline size_t schema_slot(const struct schema_record *record, unsigned int key)
{
	return key * sizeof(void *);
}

static inline size_t schema_count(const struct schema_record *record, unsigned int key)
{
	return record->count * sizeof(void *) + key * sizeof(uint32_t);
}

/* Never 0: libcyaml has to allocate something. */
static inline size_t schema_size(const struct schema_record *record)
{
	size_t size = record->count * (sizeof(void *) + sizeof(uint32_t));

	return (size + sizeof(void *)) / sizeof(void *) * sizeof(void *);
}

/**
 * schema_build() - make the schema of scenario files
 * @schema: zero bytes
 */
void schema_build(struct schema *schema);

#endif /* DAEMON_SCENARIO_SCHEMA_INTERNAL_H */
