/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/rig.h"

#include <string.h>

#include "common/oracle.h"
#include "common/reads.h"

#define USER_ADDRESS UINT64_C(0x7f0000000000)
#define RING_BYTES (RIG_MAX_ENTRIES * (16 + 2 + 8) + 64) /* of the three parts, aligned */

/* All zero between inputs where it matters: a buffer is written whole before it is given away. */
static _Alignas(16) uint8_t memory[RIG_MEMORY_SIZE];
static _Alignas(16) uint8_t rings[RPMSG_NUM_QUEUES][RING_BYTES];
static uint8_t copies[RIG_MAX_ENTRIES][RIG_BUFFER_SIZE];

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
	size_t first = (size_t)index * RIG_MAX_ENTRIES * RIG_STRIDE;
	const struct ledger_place place = {
		.at = memory + first,
		.guest = RIG_MEMORY + first,
		.stride = RIG_STRIDE,
		.room = RIG_BUFFER_SIZE,
		.guard = RIG_GUARD,
	};
	struct drvq_layout layout;
	struct virtq_rings parts = {0};

	num = power_below(num);
	ORACLE("rig-layout", drvq_layout(&layout, num) == 0 && layout.bytes <= RING_BYTES,
	       "no ring of %u entries", num);
	ledger_start(&queue->ledger, index, rings[index], &layout, num, rig->features, &place);
	parts.desc = rings[index] + layout.desc;
	parts.avail = rings[index] + layout.avail;
	parts.used = rings[index] + layout.used;
	virtq_init(&queue->vq, (int)index, sink);
	ORACLE("rig-start", virtq_start(&queue->vq, &rig->mem, num, &parts, 0, rig->features) == 0,
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
		ledger_stop(&rig->queues[i].ledger);
	}
	rig->started = false;
}

void rig_expect_lies(struct rig *rig)
{
	rig->lies = true;
}

static bool give(struct ledger *ledger, struct ledger_buffer *buffer, uint32_t pieces)
{
	if (!ledger_give(ledger, buffer, pieces, NULL))
		return false;
	reads_forget(ledger_at(ledger, buffer), buffer->size);
	return true;
}

bool rig_post(struct rig *rig, uint32_t size)
{
	struct ledger *ledger = &rig->queues[RPMSG_QUEUE_INPUT].ledger;
	struct ledger_buffer *buffer = ledger_find(ledger, size == 0 ? 1 : size);

	return buffer != NULL && give(ledger, buffer, 1);
}

bool rig_send(struct rig *rig, const void *bytes, uint32_t size, uint32_t pieces)
{
	struct ledger *ledger = &rig->queues[RPMSG_QUEUE_OUTPUT].ledger;
	struct ledger_buffer *buffer = ledger_find(ledger, size == 0 ? 1 : size);
	uint8_t *at;

	if (buffer == NULL)
		return false;
	at = ledger_at(ledger, buffer);
	at[0] = 0;
	if (size != 0)
		memcpy(at, bytes, buffer->size);
	memcpy(copies[buffer->index], at, buffer->size);
	return give(ledger, buffer, pieces);
}

static void check_sent(const struct ledger *ledger, const struct ledger_buffer *buffer)
{
	const uint8_t *at = ledger_at(ledger, buffer);

	ORACLE("read-twice", reads_most(at, buffer->size) <= 1,
	       "a byte of buffer %u, which the host may change, was read %u times", buffer->index,
	       reads_most(at, buffer->size));
	ORACLE("write-into-readable", memcmp(at, copies[buffer->index], buffer->size) == 0,
	       "the device wrote into device-readable buffer %u", buffer->index);
}

bool rig_take(struct rig *rig, unsigned int index, const uint8_t **bytes, uint32_t *used_len)
{
	struct ledger *ledger = &rig->queues[index].ledger;
	const struct ledger_buffer *buffer =
		ledger_take(ledger, rig->lies ? LEDGER_DEVICE_LIES : LEDGER_TRUST, used_len);

	if (buffer == NULL)
		return false;
	/* A device that returns another buffer than it means has this one given to it again. */
	if (index == RPMSG_QUEUE_OUTPUT && !rig->lies)
		check_sent(ledger, buffer);
	if (bytes != NULL)
		*bytes = ledger_at(ledger, buffer);
	return true;
}
