/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands in the rings and buffers of a struct remote_host, byte for byte, without a driver
 * that could object: for what no remote in its senses would write there.
 */
#ifndef SUPPORT_WIRE_VIEW_H
#define SUPPORT_WIRE_VIEW_H

#include "support/remote_host.h"

struct wire_used {
	uint32_t id;
	uint32_t len;
};

/* used.idx. */
uint16_t wire_used_idx(const struct remote_host *host, unsigned int queue);
/* The nth entry of the used ring since the host attached, from 0. */
struct wire_used wire_used(const struct remote_host *host, unsigned int queue, uint32_t n);
/* First byte of the buffer that a descriptor names, and how long the descriptor is. */
const uint8_t *wire_buffer(const struct remote_host *host, unsigned int queue, uint32_t id);
uint32_t wire_buffer_len(const struct remote_host *host, unsigned int queue, uint32_t id);
/* The head that stands in the nth entry of the available ring. */
uint16_t wire_avail(const struct remote_host *host, unsigned int queue, uint32_t n);

/* All that the host can see: guest memory and both rings. To be freed. */
uint8_t *wire_snapshot(const struct remote_host *host, size_t *size);

/* Fail the test unless a buffer starts with these bytes and holds nothing but 0xee behind. */
void wire_expect_bytes(const struct remote_host *host, unsigned int queue, uint32_t id,
		       const void *bytes, uint32_t size);
/* Fail the test unless the nth used entry is this one. */
void wire_expect_used(const struct remote_host *host, unsigned int queue, uint32_t n, uint32_t id,
		      uint32_t len);

#endif /* SUPPORT_WIRE_VIEW_H */
