/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/numbered.h"

#include "wire/bytes.h"

void numbered_fill(void *bytes, uint32_t size, uint64_t number)
{
	uint8_t *out = bytes;

	wire_put_le64(out, number);
	for (uint32_t i = NUMBERED_MIN_SIZE; i < size; i++)
		out[i] = (uint8_t)(number + i - NUMBERED_MIN_SIZE);
}

bool numbered_check(const void *bytes, uint32_t size, uint64_t *number)
{
	const uint8_t *in = bytes;
	uint64_t found;

	if (size < NUMBERED_MIN_SIZE)
		return false;
	found = wire_get_le64(in);
	for (uint32_t i = NUMBERED_MIN_SIZE; i < size; i++) {
		if (in[i] != (uint8_t)(found + i - NUMBERED_MIN_SIZE))
			return false;
	}
	*number = found;
	return true;
}
