/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/numbered.h"

#include <string.h>

#include "wire/bytes.h"

/* Byte i is i modulo 256, so that 512 bytes of any payload follow each other in it. */
#define BYTES_4(n) (n), (n) + 1, (n) + 2, (n) + 3
#define BYTES_16(n) BYTES_4(n), BYTES_4((n) + 4), BYTES_4((n) + 8), BYTES_4((n) + 12)
#define BYTES_64(n) BYTES_16(n), BYTES_16((n) + 16), BYTES_16((n) + 32), BYTES_16((n) + 48)
#define BYTES_256 BYTES_64(0), BYTES_64(64), BYTES_64(128), BYTES_64(192)
#define PERIOD 256U
#define PIECE (2 * PERIOD) /* as much as most messages have */

static const uint8_t pattern[PIECE + PERIOD] = {BYTES_256, BYTES_256, BYTES_256};

static size_t piece(uint32_t left)
{
	return wire_unbounded(left < PIECE ? left : PIECE);
}

void numbered_fill(void *bytes, uint32_t size, uint64_t number)
{
	const uint8_t *from = pattern + number % PERIOD;
	uint8_t *out = bytes;

	wire_put_le64(out, number);
	for (uint32_t i = NUMBERED_MIN_SIZE; i < size; i += PIECE)
		memcpy(out + i, from, piece(size - i));
}

bool numbered_check(const void *bytes, uint32_t size, uint64_t *number)
{
	const uint8_t *in = bytes;
	uint64_t found;

	if (size < NUMBERED_MIN_SIZE)
		return false;
	found = wire_get_le64(in);
	for (uint32_t i = NUMBERED_MIN_SIZE; i < size; i += PIECE) {
		if (memcmp(in + i, pattern + found % PERIOD, piece(size - i)) != 0)
			return false;
	}
	*number = found;
	return true;
}
