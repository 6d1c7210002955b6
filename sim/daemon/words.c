/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "remote/profile.h"
#include "remote/service.h"
#include "virtio/vring.h"

static void append(char *text, size_t size, const char *word)
{
	size_t at = strlen(text);

	snprintf(text + at, size - at, "%s%s", at ? ", " : "", word);
}

const char *words_kinds(char *text, size_t size)
{
	const struct service_kind *kind;

	text[0] = '\0';
	for (unsigned int i = 0; (kind = service_kind_at(i)); i++)
		append(text, size, kind->name);
	return text;
}

const char *words_profiles(char *text, size_t size)
{
	const struct profile *profile;

	text[0] = '\0';
	for (unsigned int i = 0; (profile = profile_at(i)); i++)
		append(text, size, profile->name);
	return text;
}

const char *words_layouts(char *text, size_t size)
{
	const struct config_layout *layout;

	text[0] = '\0';
	for (unsigned int i = 0; (layout = config_layout_at(i)); i++)
		append(text, size, layout->name);
	return text;
}

const char *words_features(char *text, size_t size)
{
	const char *name;
	unsigned int bit;

	text[0] = '\0';
	for (unsigned int i = 0; (name = feature_at(i, &bit)); i++)
		append(text, size, name);
	return text;
}

static const char *const check_names[] = {
	[REMOTE_CHECK_REPORT] = "report",
	[REMOTE_CHECK_OFF] = "off",
	[REMOTE_CHECK_STRICT] = "strict",
};

#define CHECK_COUNT (sizeof(check_names) / sizeof(check_names[0]))

const char *words_check_name(enum remote_check check)
{
	return (size_t)check < CHECK_COUNT ? check_names[check] : "unknown";
}

bool words_check(const char *word, enum remote_check *check)
{
	for (*check = 0; (size_t)*check < CHECK_COUNT; ++*check) {
		if (strcmp(check_names[*check], word) == 0)
			return true;
	}
	return false;
}

bool words_pace_order(const char *word, enum pace_order *order)
{
	for (*order = 0; *order < PACE_ORDER_COUNT; ++*order) {
		if (strcmp(pace_order_name(*order), word) == 0)
			return true;
	}
	return false;
}

bool words_pace_interrupt(const char *word, enum pace_interrupt *interrupt)
{
	for (*interrupt = 0; *interrupt < PACE_CALL_COUNT; ++*interrupt) {
		if (strcmp(pace_interrupt_name(*interrupt), word) == 0)
			return true;
	}
	return false;
}

/* ---- features --------------------------------------------------------------------------- */

#define VIRTIO_F_RING_PACKED 34

/* Bits of vhost-user, which the back-end adds, and rings that it cannot serve. */
static bool is_no_choice(int bit)
{
	return bit == VHOST_F_LOG_ALL || bit == VHOST_USER_F_PROTOCOL_FEATURES ||
	       bit == VIRTIO_F_ACCESS_PLATFORM || bit == VIRTIO_F_RING_PACKED;
}

int words_feature(struct words_features *features, const char *word)
{
	bool on = word[0] == '+';
	uint64_t mask;
	int bit;

	if (word[0] != '+' && word[0] != '-')
		return -EINVAL;
	bit = feature_bit(word + 1);
	if (bit < 0)
		return bit;
	if (on && is_no_choice(bit))
		return -EOPNOTSUPP;
	mask = VIRTIO_BIT(bit);
	features->on = on ? features->on | mask : features->on & ~mask;
	features->off = on ? features->off & ~mask : features->off | mask;
	return 0;
}

void words_apply_features(const struct words_features *features, struct remote_config *config)
{
	const struct profile *profile = config->profile ? config->profile : profile_at(0);

	config->offered = (profile->features | features->on) & ~features->off;
	config->offered_set = true;
}
