/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/wire_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UNTOUCHED 0xee /* what remote_host fills memory with */

static const uint8_t *part(const struct remote_host *host, unsigned int queue, bool used)
{
	struct drvq_layout layout;

	assert_int_equal(drvq_layout(&layout, host->options.num[queue]), 0);
	return host->rings[queue] + (used ? layout.used : layout.avail);
}

uint16_t wire_used_idx(const struct remote_host *host, unsigned int queue)
{
	return vring_load16(part(host, queue, true), VRING_IDX);
}

struct wire_used wire_used(const struct remote_host *host, unsigned int queue, uint32_t n)
{
	const uint8_t *used = part(host, queue, true);
	uint64_t at = vring_used_entry(n % host->options.num[queue]);

	return (struct wire_used){.id = vring_load32(used, at), .len = vring_load32(used, at + 4)};
}

uint16_t wire_avail(const struct remote_host *host, unsigned int queue, uint32_t n)
{
	return vring_load16(part(host, queue, false),
			    vring_avail_entry(n % host->options.num[queue]));
}

const uint8_t *wire_buffer(const struct remote_host *host, unsigned int queue, uint32_t id)
{
	assert_true(id < host->options.num[queue]);
	return host->memory +
	       (vring_load64(host->rings[queue], (uint64_t)VRING_DESC_SIZE * id) - HOST_MEMORY);
}

uint32_t wire_buffer_len(const struct remote_host *host, unsigned int queue, uint32_t id)
{
	assert_true(id < host->options.num[queue]);
	return vring_load32(host->rings[queue], (uint64_t)VRING_DESC_SIZE * id + 8);
}

uint8_t *wire_snapshot(const struct remote_host *host, size_t *size)
{
	size_t memory = host->mem.regions[0].size;
	struct drvq_layout layout;
	uint8_t *bytes;

	*size = memory;
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		assert_int_equal(drvq_layout(&layout, host->options.num[i]), 0);
		*size += layout.bytes;
	}
	bytes = malloc(*size);
	assert_non_null(bytes);
	memcpy(bytes, host->memory, memory);
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		drvq_layout(&layout, host->options.num[i]);
		memcpy(bytes + memory, host->rings[i], layout.bytes);
		memory += layout.bytes;
	}
	return bytes;
}

void wire_expect_bytes(const struct remote_host *host, unsigned int queue, uint32_t id,
		       const void *bytes, uint32_t size)
{
	const uint8_t *buffer = wire_buffer(host, queue, id);
	uint32_t room = wire_buffer_len(host, queue, id);

	assert_true(size <= room);
	assert_memory_equal(buffer, bytes, size);
	for (uint32_t i = size; i < room; i++)
		assert_int_equal(buffer[i], UNTOUCHED);
}

void wire_expect_used(const struct remote_host *host, unsigned int queue, uint32_t n, uint32_t id,
		      uint32_t len)
{
	struct wire_used used = wire_used(host, queue, n);

	assert_int_equal(used.id, id);
	assert_int_equal(used.len, len);
}
