/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names and numbers that come from people and from the other side, and the tables that they are
 * looked up in: profiles, layouts, features, kinds of services, violations; numbered payloads; and
 * the arithmetic on lengths of others.
 *
 * Oracles: what a name finds has that name, and every entry is found under its own; what is in no
 * table has a text all the same; a numbered payload is read as it was written, and not when a byte
 * was changed; checked sums and products are those of wider numbers.
 */
#include <errno.h>
#include <string.h>

#include "common/oracle.h"
#include "common/target.h"
#include "remote/numbered.h"
#include "remote/pacing.h"
#include "remote/profile.h"
#include "remote/remote.h"
#include "remote/service.h"
#include "wire/checked.h"
#include "wire/violation.h"

#define MAX_WORD 64

struct numbers {
	uint64_t a, b, c, d;
};

/* ---- tables ------------------------------------------------------------------------------- */

static void look_up(const char *word)
{
	const struct config_layout *layout = config_layout_find(word);
	const struct service_kind *kind = service_kind_find(word);
	const struct profile *profile = profile_find(word);
	int bit = feature_bit(word);

	ORACLE("feature-bit", bit < 64 && (bit >= 0 || bit == -ENOENT), "%s is bit %d", word, bit);
	ORACLE("profile-name", profile == NULL || strcmp(profile->name, word) == 0, "%s", word);
	ORACLE("layout-name", layout == NULL || strcmp(layout->name, word) == 0, "%s", word);
	ORACLE("kind-name", kind == NULL || strcmp(kind->name, word) == 0, "%s", word);
}

/* Entry number i of each table, if there is one. */
static void check_entry(unsigned int i)
{
	const struct config_layout *layout = config_layout_at(i);
	const struct service_kind *kind = service_kind_at(i);
	const struct profile *profile = profile_at(i);
	unsigned int bit = 0;
	const char *feature = feature_at(i, &bit);

	ORACLE("feature-name", feature == NULL || feature_bit(feature) == (int)bit, "bit %u", bit);
	ORACLE("profile-entry", profile == NULL || profile_find(profile->name) == profile,
	       "profile %u", i);
	ORACLE("layout-entry", layout == NULL || config_layout_find(layout->name) == layout,
	       "layout %u", i);
	ORACLE("kind-entry", kind == NULL || service_kind_find(kind->name) == kind, "kind %u", i);
	ORACLE("order-name", *pace_order_name((enum pace_order)i) != '\0', "order %u", i);
	ORACLE("interrupt-name", *pace_interrupt_name((enum pace_interrupt)i) != '\0',
	       "interrupt %u", i);
	ORACLE("drop-name", *remote_drop_name((enum remote_drop)i) != '\0', "reason %u", i);
}

static void check_violation(const struct numbers *numbers)
{
	enum violation what = (enum violation)(numbers->a % (VIOLATION_COUNT + 1));
	enum violation_level level = violation_level(what);
	bool known = what < VIOLATION_COUNT;
	uint64_t counts[VIOLATION_COUNT] = {0};

	ORACLE("violation-name",
	       known == (strcmp(violation_name(what), "unknown") != 0) &&
		       known == (*violation_text(what) != '\0') &&
		       known == (*violation_requirement(what) != '\0'),
	       "violation %d", (int)what);
	ORACLE("violation-level", strcmp(violation_level_name(level), "unknown") != 0,
	       "level of %s", violation_name(what));
	ORACLE("violation-level",
	       strcmp(violation_level_name(VIOLATION_LEVEL_COUNT), "unknown") == 0,
	       "a level that is none has a name");
	if (!known)
		return;
	counts[what] = numbers->b;
	ORACLE("violation-count",
	       violation_count_must(counts) == (level == VIOLATION_LEVEL_MUST ? numbers->b : 0),
	       "%s occurred, and breaks a MUST or does not", violation_name(what));
}

static void check_defaults(void)
{
	ORACLE("default-features", remote_default_features() == profile_at(0)->features,
	       "profile %s offers something else", profile_at(0)->name);
}

/* ---- numbers ------------------------------------------------------------------------------ */

static void check_sums(const struct numbers *n)
{
	typedef unsigned __int128 wide;
	uint32_t a32 = (uint32_t)n->a, b32 = (uint32_t)n->b, sum32 = 0;
	uint64_t result = 0;
	bool fits = checked_add64(n->a, n->b, &result);

	ORACLE("add64",
	       fits == ((wide)n->a + n->b <= UINT64_MAX) && (!fits || result == n->a + n->b),
	       "0x%llx + 0x%llx", (unsigned long long)n->a, (unsigned long long)n->b);
	fits = checked_mul64(n->a, n->b, &result);
	ORACLE("mul64",
	       fits == ((wide)n->a * n->b <= UINT64_MAX) && (!fits || result == n->a * n->b),
	       "0x%llx * 0x%llx", (unsigned long long)n->a, (unsigned long long)n->b);
	fits = checked_add32(a32, b32, &sum32);
	ORACLE("add32",
	       fits == ((uint64_t)a32 + b32 <= UINT32_MAX) && (!fits || sum32 == a32 + b32),
	       "0x%x + 0x%x", a32, b32);
	ORACLE("range64",
	       checked_range64(n->a, n->b, n->c, n->d) ==
		       (n->a >= n->c && (wide)n->a + n->b <= (wide)n->c + n->d),
	       "0x%llx bytes at 0x%llx, in 0x%llx at 0x%llx", (unsigned long long)n->b,
	       (unsigned long long)n->a, (unsigned long long)n->d, (unsigned long long)n->c);
}

static void check_numbered(const struct numbers *n, size_t size)
{
	uint8_t bytes[NUMBERED_MIN_SIZE + MAX_WORD];
	uint32_t used = NUMBERED_MIN_SIZE + (uint32_t)(size % (MAX_WORD + 1));
	uint64_t found;

	numbered_fill(bytes, used, n->a);
	ORACLE("numbered", numbered_check(bytes, used, &found) && found == n->a,
	       "%u bytes with number %llu", used, (unsigned long long)n->a);
	ORACLE("numbered-short", !numbered_check(bytes, NUMBERED_MIN_SIZE - 1, &found), "7 bytes");
	bytes[n->b % used] ^= 0x40;
	ORACLE("numbered-damaged", !numbered_check(bytes, used, &found) || found != n->a,
	       "%u bytes with number %llu, byte %llu changed", used, (unsigned long long)n->a,
	       (unsigned long long)n->b % used);
}

static int run(const uint8_t *data, size_t size)
{
	struct numbers numbers = {0};
	char word[MAX_WORD] = {0};

	if (size != 0) {
		memcpy(word, data, size < sizeof(word) ? size : sizeof(word) - 1);
		memcpy(&numbers, data, size < sizeof(numbers) ? size : sizeof(numbers));
	}
	look_up(word);
	check_entry((unsigned int)numbers.a % 32);
	check_violation(&numbers);
	check_defaults();
	check_sums(&numbers);
	check_numbered(&numbers, size);
	return 0;
}

const struct fuzz_target fuzz_target = {
	.name = "words",
	.summary = "names and numbers that are looked up in tables, and arithmetic on lengths",
	.run = run,
};
