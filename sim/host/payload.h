/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbered payloads by table look-up: the same bytes as remote/numbered.h makes and checks one
 * by one, at the cost of a copy and of a comparison. Shorter ones hold the low bytes of the
 * number only.
 */
#ifndef HOST_PAYLOAD_H
#define HOST_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#define PAYLOAD_NUMBER_SIZE 8 /* from here on the whole number is in it */

/**
 * payload_init() - fill the table; once, before all else
 */
void payload_init(void);

/**
 * payload_fill() - write a payload
 * @bytes: room for it
 * @size: bytes, up to 65535
 * @number: sequence number
 */
void payload_fill(uint8_t *bytes, uint32_t size, uint64_t number);

/**
 * payload_check() - read a payload and judge its pattern
 * @bytes: payload
 * @size: its bytes
 * @lowest: the lowest number that it may have, to complete a short one
 * @number: set on success
 *
 * Return: true when payload_fill() writes it for that number.
 */
bool payload_check(const uint8_t *bytes, uint32_t size, uint64_t lowest, uint64_t *number);

#endif /* HOST_PAYLOAD_H */
