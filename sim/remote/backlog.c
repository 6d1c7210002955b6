/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/backlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "remote/remote.h"

#define RECORD_ALIGN _Alignof(struct backlog_record)

/* A record never wraps around the end of the block. */
static size_t record_bytes(uint32_t payload_size)
{
	size_t bytes = sizeof(struct backlog_record) + payload_size;

	return (bytes + RECORD_ALIGN - 1) & ~(RECORD_ALIGN - 1);
}

int backlog_init(struct backlog *backlog, uint32_t limit)
{
	size_t size;

	memset(backlog, 0, sizeof(*backlog));
	/*
	 * Free space is in two pieces at most. Twice the largest record on top makes one of them
	 * large enough for any message as long as those that wait are of the usual size.
	 */
	size = limit * record_bytes(RPMSG_MAX_PAYLOAD) + 2 * record_bytes(REMOTE_MAX_PAYLOAD);
	backlog->bytes = malloc(size);
	if (backlog->bytes == NULL)
		return -ENOMEM;
	backlog->size = size;
	backlog->limit = limit;
	return 0;
}

void backlog_fini(struct backlog *backlog)
{
	free(backlog->bytes);
	memset(backlog, 0, sizeof(*backlog));
}

void backlog_clear(struct backlog *backlog)
{
	backlog->head = 0;
	backlog->tail = 0;
	backlog->wrap = 0;
	backlog->count = 0;
}

/* Where a record of so many bytes would go; SIZE_MAX when nowhere. */
static size_t find_place(const struct backlog *backlog, size_t bytes)
{
	if (backlog->count == backlog->limit)
		return SIZE_MAX;
	if (backlog->count != 0 && backlog->tail <= backlog->head)
		return backlog->head - backlog->tail >= bytes ? backlog->tail : SIZE_MAX;
	if (backlog->size - backlog->tail >= bytes)
		return backlog->tail;
	return backlog->head >= bytes ? 0 : SIZE_MAX;
}

bool backlog_has_room(const struct backlog *backlog, uint32_t payload_size)
{
	return find_place(backlog, record_bytes(payload_size)) != SIZE_MAX;
}

struct backlog_record *backlog_add(struct backlog *backlog, uint32_t payload_size)
{
	size_t bytes = record_bytes(payload_size);
	size_t place = find_place(backlog, bytes);
	struct backlog_record *record;

	if (place == SIZE_MAX)
		return NULL;
	if (place != backlog->tail)
		backlog->wrap = backlog->tail;
	backlog->tail = place + bytes;
	backlog->count++;
	record = (void *)(backlog->bytes + place);
	record->size = payload_size;
	return record;
}

struct backlog_record *backlog_first(const struct backlog *backlog)
{
	return backlog->count != 0 ? (void *)(backlog->bytes + backlog->head) : NULL;
}

void backlog_remove_first(struct backlog *backlog)
{
	backlog->head += record_bytes(backlog_first(backlog)->size);
	backlog->count--;
	if (backlog->count == 0)
		backlog_clear(backlog);
	else if (backlog->head == backlog->wrap && backlog->tail <= backlog->head)
		backlog->head = 0;
}
