/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/ledger.h"

#include <string.h>

#include "common/oracle.h"

#define GUARD_BYTE 0xa5
#define FILL_BYTE 0xee

void ledger_start(struct ledger *ledger, unsigned int queue, uint8_t *ring,
		  const struct drvq_layout *layout, uint32_t num, uint64_t features,
		  const struct ledger_place *place)
{
	memset(ledger, 0, sizeof(*ledger));
	ledger->queue = queue;
	ledger->writable = queue == 0;
	ledger->num = num;
	ledger->place = *place;
	for (uint32_t i = 0; i < num; i++)
		ledger->buffers[i].index = i;
	ORACLE("ledger-start",
	       num <= LEDGER_MAX_ENTRIES &&
		       drvq_start(&ledger->dq, ring, layout, num, features) == 0,
	       "no ring of %u entries", num);
}

void ledger_stop(struct ledger *ledger)
{
	drvq_stop(&ledger->dq);
}

uint8_t *ledger_at(const struct ledger *ledger, const struct ledger_buffer *buffer)
{
	return ledger->place.at + (size_t)buffer->index * ledger->place.stride;
}

struct ledger_buffer *ledger_find(struct ledger *ledger, uint32_t size)
{
	struct ledger_buffer *buffer = NULL;

	for (uint32_t i = 0; ledger->dq.num != 0 && i < ledger->num && buffer == NULL; i++)
		if (!ledger->buffers[i].out)
			buffer = &ledger->buffers[i];
	if (buffer == NULL)
		return NULL;
	buffer->size = size < ledger->place.room ? size : ledger->place.room;
	if (ledger->writable)
		memset(ledger_at(ledger, buffer), FILL_BYTE, buffer->size);
	return buffer;
}

bool ledger_give(struct ledger *ledger, struct ledger_buffer *buffer, uint32_t pieces, bool *kick)
{
	uint64_t addr = ledger->place.guest + (uint64_t)buffer->index * ledger->place.stride;
	struct drvq_buf bufs[LEDGER_MAX_ENTRIES];
	uint32_t each;
	bool wanted;

	if (pieces > LEDGER_MAX_ENTRIES)
		pieces = LEDGER_MAX_ENTRIES;
	if (pieces > buffer->size)
		pieces = buffer->size;
	each = buffer->size / pieces;
	for (uint32_t i = 0; i < pieces; i++) {
		bufs[i].addr = addr + (uint64_t)i * each;
		bufs[i].len = i + 1 < pieces ? each : buffer->size - i * each;
	}
	memset(ledger_at(ledger, buffer) + buffer->size, GUARD_BYTE, ledger->place.guard);
	if (drvq_add(&ledger->dq, bufs, ledger->writable ? 0 : pieces,
		     ledger->writable ? pieces : 0, buffer) < 0)
		return false;
	buffer->out = true;
	wanted = drvq_publish(&ledger->dq);
	if (kick != NULL)
		*kick = wanted;
	return true;
}

static void check_bytes(const struct ledger_buffer *buffer, const uint8_t *at, uint32_t count,
			uint8_t expected, const char *rule)
{
	if (count == 0 || (at[0] == expected && memcmp(at, at + 1, count - 1) == 0))
		return;
	for (uint32_t i = 0; i < count; i++)
		ORACLE(rule, at[i] == expected, "buffer %u of %u bytes: byte %u is 0x%02x",
		       buffer->index, buffer->size, i, at[i]);
}

static void check(const struct ledger *ledger, const struct ledger_buffer *buffer,
		  enum ledger_trust trust, uint32_t used)
{
	const uint8_t *at = ledger_at(ledger, buffer);

	if (trust == LEDGER_WILD)
		return;
	check_bytes(buffer, at + buffer->size, ledger->place.guard, GUARD_BYTE,
		    "write-behind-buffer");
	if (trust != LEDGER_TRUST || !ledger->writable)
		return;
	ORACLE("used-length", used <= buffer->size, "used length %u of a buffer of %u bytes", used,
	       buffer->size);
	check_bytes(buffer, at + used, buffer->size - used, FILL_BYTE, "write-behind-used-length");
}

struct ledger_buffer *ledger_take(struct ledger *ledger, enum ledger_trust trust,
				  uint32_t *used_len)
{
	struct ledger_buffer *buffer;
	struct drvq_used used;
	int ret;

	if (ledger->dq.num == 0)
		return NULL;
	ret = drvq_get(&ledger->dq, &used);
	if (ret < 0) {
		ORACLE("used-ring", trust != LEDGER_TRUST,
		       "queue %u: %s (expected %llu, seen %llu)", ledger->queue,
		       drvq_error_text(drvq_last_error(&ledger->dq)->type),
		       (unsigned long long)drvq_last_error(&ledger->dq)->expected,
		       (unsigned long long)drvq_last_error(&ledger->dq)->seen);
	}
	if (ret <= 0)
		return NULL;
	buffer = used.cookie;
	ORACLE("returned-once", buffer->out, "buffer %u came back twice", buffer->index);
	buffer->out = false;
	check(ledger, buffer, trust, used.len);
	if (used_len != NULL)
		*used_len = used.len;
	return buffer;
}
