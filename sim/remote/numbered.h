/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbered payloads, in which a receiver sees loss, doubling, reordering and damage.
 *
 *	offset 0	u64, little-endian on every link: sequence number, from 0
 *	offset 8 + i	u8: low byte of (sequence number + i)
 */
#ifndef REMOTE_NUMBERED_H
#define REMOTE_NUMBERED_H

#include <stdbool.h>
#include <stdint.h>

#define NUMBERED_MIN_SIZE 8

/**
 * numbered_fill() - write a payload
 * @bytes: payload
 * @size: its bytes, at least NUMBERED_MIN_SIZE
 * @number: sequence number
 */
void numbered_fill(void *bytes, uint32_t size, uint64_t number);

/**
 * numbered_check() - read a payload and judge its pattern
 * @bytes: payload
 * @size: its bytes
 * @number: set to the sequence number on success
 *
 * Return: true when it is what numbered_fill() writes for that number.
 */
bool numbered_check(const void *bytes, uint32_t size, uint64_t *number);

#endif /* REMOTE_NUMBERED_H */
