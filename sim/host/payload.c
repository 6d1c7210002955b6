/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/payload.h"

#include <string.h>

#include "wire/bytes.h"

/* Byte i is i modulo 256, so that any pattern of 65535 bytes starts within the first 256. */
static uint8_t table[65536 + 256];

void payload_init(void)
{
	for (uint32_t i = 0; i < sizeof(table); i++)
		table[i] = (uint8_t)i;
}

void payload_fill(uint8_t *bytes, uint32_t size, uint64_t number)
{
	uint8_t whole[PAYLOAD_NUMBER_SIZE];

	if (size < PAYLOAD_NUMBER_SIZE) {
		wire_put_le64(whole, number);
		memcpy(bytes, whole, size);
		return;
	}
	wire_put_le64(bytes, number);
	memcpy(bytes + PAYLOAD_NUMBER_SIZE, table + (number & 0xff), size - PAYLOAD_NUMBER_SIZE);
}

bool payload_check(const uint8_t *bytes, uint32_t size, uint64_t lowest, uint64_t *number)
{
	uint8_t whole[PAYLOAD_NUMBER_SIZE] = {0};
	uint64_t mask;

	if (size >= PAYLOAD_NUMBER_SIZE) {
		*number = wire_get_le64(bytes);
		return memcmp(bytes + PAYLOAD_NUMBER_SIZE, table + (*number & 0xff),
			      size - PAYLOAD_NUMBER_SIZE) == 0;
	}
	memcpy(whole, bytes, size);
	mask = (UINT64_C(1) << (8 * size)) - 1;
	*number = lowest + ((wire_get_le64(whole) - lowest) & mask);
	return true;
}
