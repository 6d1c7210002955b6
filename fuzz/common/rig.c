/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/rig.h"

#include <string.h>

#include "common/oracle.h"
#include "common/reads.h"

#define GUARD_BYTE 0xa5
#define FILL_BYTE 0xee
#define USER_ADDRESS UINT64_C(0x7f0000000000)
#define RING_BYTES (RIG_MAX_ENTRIES * (16 + 2 + 8) + 64) /* of the three parts, aligned */

/* All zero between inputs where it matters: a buffer is written whole before it is given away. */
static _Alignas(16) uint8_t memory[RIG_MEMORY_SIZE];
static _Alignas(16) uint8_t rings[RPMSG_NUM_QUEUES][RING_BYTES];
static uint8_t copies[RIG_MAX_ENTRIES][RIG_BUFFER_SIZE];

static uint8_t *buffer_at(unsigned int queue, uint32_t index)
{
	return memory + (size_t)(queue * RIG_MAX_ENTRIES + index) * RIG_STRIDE;
}

static uint64_t buffer_addr(unsigned int queue, uint32_t index)
{
	return RIG_MEMORY + (uint64_t)(queue * RIG_MAX_ENTRIES + index) * RIG_STRIDE;
}

static uint32_t power_below(uint32_t num)
{
	uint32_t power = 1;

	while (power * 2 <= num && power * 2 <= RIG_MAX_ENTRIES)
		power *= 2;
	return power;
}

static void start_queue(struct rig *rig, unsigned int index, uint32_t num,
			const struct violation_sink *sink)
{
	struct rig_queue *queue = &rig->queues[index];
	struct drvq_layout layout;
	struct virtq_rings parts = {0};

	memset(queue, 0, sizeof(*queue));
	queue->num = power_below(num);
	ORACLE("rig-layout", drvq_layout(&layout, queue->num) == 0 && layout.bytes <= RING_BYTES,
	       "no ring of %u entries", queue->num);
	ORACLE("rig-start",
	       drvq_start(&queue->dq, rings[index], &layout, queue->num, rig->features) == 0,
	       "cannot start the driver's end");
	parts.desc = rings[index] + layout.desc;
	parts.avail = rings[index] + layout.avail;
	parts.used = rings[index] + layout.used;
	virtq_init(&queue->vq, (int)index, sink);
	ORACLE("rig-start",
	       virtq_start(&queue->vq, &rig->mem, queue->num, &parts, 0, rig->features) == 0,
	       "cannot start the device's end");
}

void rig_start(struct rig *rig, const uint32_t *num, uint64_t features,
	       const struct violation_sink *sink)
{
	struct gmem_region region = {
		.guest_addr = RIG_MEMORY,
		.size = RIG_MEMORY_SIZE,
		.user_addr = USER_ADDRESS,
		.host = memory,
	};

	reads_watch(memory, sizeof(memory));
	gmem_init(&rig->mem);
	ORACLE("rig-memory", gmem_add(&rig->mem, &region) == 0, "cannot add the memory");
	rig->features = features;
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		start_queue(rig, i, num[i], sink);
	rig->started = true;
}

void rig_stop(struct rig *rig)
{
	if (!rig->started)
		return;
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		virtq_stop(&rig->queues[i].vq);
		drvq_stop(&rig->queues[i].dq);
	}
	rig->started = false;
}

void rig_expect_lies(struct rig *rig)
{
	rig->lies = true;
}

static struct rig_buffer *free_buffer(struct rig_queue *queue)
{
	for (uint32_t i = 0; i < queue->num; i++) {
		queue->buffers[i].index = i;
		if (!queue->buffers[i].out)
			return &queue->buffers[i];
	}
	return NULL;
}

static bool give(struct rig *rig, unsigned int index, struct rig_buffer *buffer,
		 const struct drvq_buf *bufs, uint32_t pieces)
{
	struct rig_queue *queue = &rig->queues[index];
	bool writable = index == RPMSG_QUEUE_INPUT;

	memset(buffer_at(index, buffer->index) + buffer->size, GUARD_BYTE, RIG_GUARD);
	if (drvq_add(&queue->dq, bufs, writable ? 0 : pieces, writable ? pieces : 0, buffer) < 0)
		return false;
	(void)drvq_publish(&queue->dq);
	reads_forget(buffer_at(index, buffer->index), buffer->size);
	buffer->out = true;
	return true;
}

bool rig_post(struct rig *rig, uint32_t size)
{
	struct rig_buffer *buffer = free_buffer(&rig->queues[RPMSG_QUEUE_INPUT]);
	struct drvq_buf buf;

	if (buffer == NULL)
		return false;
	buffer->size = size == 0 ? 1 : size < RIG_BUFFER_SIZE ? size : RIG_BUFFER_SIZE;
	memset(buffer_at(RPMSG_QUEUE_INPUT, buffer->index), FILL_BYTE, buffer->size);
	buf.addr = buffer_addr(RPMSG_QUEUE_INPUT, buffer->index);
	buf.len = buffer->size;
	return give(rig, RPMSG_QUEUE_INPUT, buffer, &buf, 1);
}

bool rig_send(struct rig *rig, const void *bytes, uint32_t size, uint32_t pieces)
{
	struct rig_buffer *buffer = free_buffer(&rig->queues[RPMSG_QUEUE_OUTPUT]);
	struct drvq_buf bufs[RIG_MAX_ENTRIES];
	uint32_t each;

	if (buffer == NULL)
		return false;
	buffer->size = size == 0 ? 1 : size;
	buffer_at(RPMSG_QUEUE_OUTPUT, buffer->index)[0] = 0;
	if (size != 0)
		memcpy(buffer_at(RPMSG_QUEUE_OUTPUT, buffer->index), bytes, size);
	memcpy(copies[buffer->index], buffer_at(RPMSG_QUEUE_OUTPUT, buffer->index), buffer->size);
	if (pieces > RIG_MAX_ENTRIES)
		pieces = RIG_MAX_ENTRIES;
	if (pieces > buffer->size)
		pieces = buffer->size;
	each = buffer->size / pieces;
	for (uint32_t i = 0; i < pieces; i++) {
		bufs[i].addr = buffer_addr(RPMSG_QUEUE_OUTPUT, buffer->index) + (uint64_t)i * each;
		bufs[i].len = i + 1 < pieces ? each : buffer->size - i * each;
	}
	return give(rig, RPMSG_QUEUE_OUTPUT, buffer, bufs, pieces);
}

static void check_bytes(const uint8_t *at, uint32_t count, uint8_t expected, const char *rule,
			const struct rig_buffer *buffer)
{
	for (uint32_t i = 0; i < count; i++)
		ORACLE(rule, at[i] == expected, "buffer %u of %u bytes: byte %u is 0x%02x",
		       buffer->index, buffer->size, i, at[i]);
}

static void check_received(const struct rig *rig, const struct rig_buffer *buffer, uint32_t used)
{
	const uint8_t *at = buffer_at(RPMSG_QUEUE_INPUT, buffer->index);

	check_bytes(at + buffer->size, RIG_GUARD, GUARD_BYTE, "write-behind-buffer", buffer);
	if (rig->lies)
		return;
	ORACLE("used-length", used <= buffer->size, "used length %u of a buffer of %u bytes", used,
	       buffer->size);
	check_bytes(at + used, buffer->size - used, FILL_BYTE, "write-behind-used-length", buffer);
}

static void check_sent(const struct rig *rig, const struct rig_buffer *buffer)
{
	const uint8_t *at = buffer_at(RPMSG_QUEUE_OUTPUT, buffer->index);

	check_bytes(at + buffer->size, RIG_GUARD, GUARD_BYTE, "write-behind-buffer", buffer);
	/* A device that returns another buffer than it means has this one given to it again. */
	if (rig->lies)
		return;
	ORACLE("read-twice", reads_most(at, buffer->size) <= 1,
	       "a byte of buffer %u, which the host may change, was read %u times", buffer->index,
	       reads_most(at, buffer->size));
	ORACLE("write-into-readable", memcmp(at, copies[buffer->index], buffer->size) == 0,
	       "the device wrote into device-readable buffer %u", buffer->index);
}

bool rig_take(struct rig *rig, unsigned int index, const uint8_t **bytes, uint32_t *used_len)
{
	struct rig_queue *queue = &rig->queues[index];
	struct rig_buffer *buffer;
	struct drvq_used used;
	int ret = drvq_get(&queue->dq, &used);

	if (ret < 0) {
		ORACLE("used-ring", rig->lies, "queue %u: %s (expected %llu, seen %llu)", index,
		       drvq_error_text(drvq_last_error(&queue->dq)->type),
		       (unsigned long long)drvq_last_error(&queue->dq)->expected,
		       (unsigned long long)drvq_last_error(&queue->dq)->seen);
	}
	if (ret <= 0)
		return false;
	buffer = used.cookie;
	ORACLE("returned-once", buffer->out, "buffer %u came back twice", buffer->index);
	buffer->out = false;
	if (index == RPMSG_QUEUE_INPUT)
		check_received(rig, buffer, used.len);
	else
		check_sent(rig, buffer);
	if (bytes != NULL)
		*bytes = buffer_at(index, buffer->index);
	if (used_len != NULL)
		*used_len = used.len;
	return true;
}
