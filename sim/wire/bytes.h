/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Byte order: fixed and chosen integers at unaligned places in a byte buffer.
 *
 * The split ring of a VIRTIO 1.x device is little-endian. An rpmsg header follows the device
 * ("guest native" without VIRTIO_F_VERSION_1), so that its accessors take the order as an
 * argument. vhost-user messages are in the machine's own order: vhost/vhost_proto.h has theirs.
 */
#ifndef WIRE_BYTES_H
#define WIRE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum wire_order {
	WIRE_LITTLE_ENDIAN,
	WIRE_BIG_ENDIAN,
};

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define WIRE_NATIVE_ENDIAN WIRE_BIG_ENDIAN
#else
#define WIRE_NATIVE_ENDIAN WIRE_LITTLE_ENDIAN
#endif

static inline uint16_t wire_get_le16(const void *at)
{
	const uint8_t *b = at;

	return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t wire_get_le32(const void *at)
{
	const uint8_t *b = at;

	return (uint32_t)wire_get_le16(b) | (uint32_t)wire_get_le16(b + 2) << 16;
}

static inline uint64_t wire_get_le64(const void *at)
{
	const uint8_t *b = at;

	return (uint64_t)wire_get_le32(b) | (uint64_t)wire_get_le32(b + 4) << 32;
}

static inline void wire_put_le16(void *at, uint16_t value)
{
	uint8_t *b = at;

	b[0] = (uint8_t)value;
	b[1] = (uint8_t)(value >> 8);
}

static inline void wire_put_le32(void *at, uint32_t value)
{
	uint8_t *b = at;

	wire_put_le16(b, (uint16_t)value);
	wire_put_le16(b + 2, (uint16_t)(value >> 16));
}

static inline void wire_put_le64(void *at, uint64_t value)
{
	uint8_t *b = at;

	wire_put_le32(b, (uint32_t)value);
	wire_put_le32(b + 4, (uint32_t)(value >> 32));
}

static inline uint16_t wire_get16(const void *at, enum wire_order order)
{
	uint16_t v = wire_get_le16(at);

	return order == WIRE_LITTLE_ENDIAN ? v : __builtin_bswap16(v);
}

static inline uint32_t wire_get32(const void *at, enum wire_order order)
{
	uint32_t v = wire_get_le32(at);

	return order == WIRE_LITTLE_ENDIAN ? v : __builtin_bswap32(v);
}

static inline void wire_put16(void *at, uint16_t value, enum wire_order order)
{
	wire_put_le16(at, order == WIRE_LITTLE_ENDIAN ? value : __builtin_bswap16(value));
}

static inline void wire_put32(void *at, uint32_t value, enum wire_order order)
{
	wire_put_le32(at, order == WIRE_LITTLE_ENDIAN ? value : __builtin_bswap32(value));
}

/**
 * wire_unbounded() - a size, as one of which the compiler knows nothing
 * @size: bytes of a message, to be copied or compared
 *
 * Knowing a bound of it, gcc copies by a string instruction, which takes twice the time.
 *
 * Return: @size.
 */
static inline size_t wire_unbounded(size_t size)
{
	__asm__("" : "+r"(size));
	return size;
}

#endif /* WIRE_BYTES_H */
