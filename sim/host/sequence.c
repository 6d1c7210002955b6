/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/sequence.h"

#include <stdbool.h>
#include <string.h>

static bool test_and_set(struct sequence *sequence, uint64_t number)
{
	uint8_t *byte = &sequence->seen[number % SEQUENCE_WINDOW / 8];
	uint8_t bit = (uint8_t)(1U << number % 8);
	bool was = *byte & bit;

	*byte |= bit;
	return was;
}

static void forget(struct sequence *sequence, uint64_t from, uint64_t to)
{
	if (to - from >= SEQUENCE_WINDOW) {
		memset(sequence->seen, 0, sizeof(sequence->seen));
		return;
	}
	for (; from != to; from++)
		sequence->seen[from % SEQUENCE_WINDOW / 8] &= (uint8_t)~(1U << from % 8);
}

void sequence_init(struct sequence *sequence, uint64_t first)
{
	memset(sequence, 0, sizeof(*sequence));
	sequence->first = first;
	sequence->next = first;
}

enum sequence_verdict sequence_note(struct sequence *sequence, uint64_t number, uint64_t end)
{
	if (number >= end || number < sequence->first) {
		sequence->impossible++;
		return SEQUENCE_IMPOSSIBLE;
	}
	if (number >= sequence->next) {
		forget(sequence, sequence->next, number + 1);
		sequence->next = number + 1;
		test_and_set(sequence, number);
		sequence->received++;
		return SEQUENCE_NEW;
	}
	if (sequence->next - number > SEQUENCE_WINDOW || test_and_set(sequence, number)) {
		sequence->duplicated++;
		return SEQUENCE_DUPLICATE;
	}
	sequence->received++;
	sequence->late++;
	return SEQUENCE_LATE;
}

uint64_t sequence_lost(const struct sequence *sequence, uint64_t end)
{
	return end - sequence->first - sequence->received;
}
