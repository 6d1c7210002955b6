/* SPDX-License-Identifier: BSD-2-Clause */
#include "outside/far.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/finding.h"
#include "virtio/vring.h"
#include "wire/bytes.h"

#define GUARD_BYTE 0xa5
#define FILL_BYTE 0xee
#define MAX_WAIT_MS 1 /* of an operation that lets time pass */
#define STATUS_DRIVER (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK)

static const struct oplist_schema *const schema = &session_schema;
static const enum world_file kick_files[] = {WORLD_EVENT_0, WORLD_EVENT_1};

/* ---- what the remote did wrong ------------------------------------------------------------ */

__attribute__((format(printf, 4, 5))) static void
breach(struct far *far, const char *name, const char *requirement, const char *format, ...)
{
	va_list args;

	if (far->breach.name != NULL)
		return;
	far->breach.name = name;
	far->breach.requirement = requirement;
	va_start(args, format);
	vsnprintf(far->breach.text, sizeof(far->breach.text), format, args);
	va_end(args);
}

static void find(struct far *far, enum finding what, uint64_t expected, uint64_t seen)
{
	const struct finding_info *info = finding_info(what);

	breach(far, info->name, info->requirement, "%s: bound %" PRIu64 ", seen %" PRIu64,
	       info->text, expected, seen);
}

static enum wire_order order(const struct far *far)
{
	return rpmsg_order((far->features & VIRTIO_BIT(VIRTIO_F_VERSION_1)) != 0);
}

/* Addresses that are worth sending to. */
static void learn(struct far *far, uint32_t addr)
{
	for (unsigned int i = 0; i < far->known_count; i++)
		if (far->known[i] == addr)
			return;
	if (far->known_count < FAR_KNOWN)
		far->known[far->known_count++] = addr;
}

static void judge_announcement(struct far *far, const uint8_t *payload, uint32_t size)
{
	struct rpmsg_ns_msg message;

	if ((far->features & VIRTIO_BIT(RPMSG_F_NS)) == 0) {
		if (size == RPMSG_NS_MSG_SIZE)
			find(far, FINDING_NS_NOT_NEGOTIATED, 0, RPMSG_ADDR_NS);
		return;
	}
	if (rpmsg_ns_decode(&message, payload, size, order(far)) != 0) {
		find(far, FINDING_NS_LENGTH, RPMSG_NS_MSG_SIZE, size);
		return;
	}
	if (!message.name_terminated)
		find(far, FINDING_NS_UNTERMINATED, 0, 0);
	learn(far, message.addr);
}

/* A message, of which each byte is read once. */
static void judge_message(struct far *far, const uint8_t *at, uint32_t used_len)
{
	uint8_t copy[STATION_BUFFER_SIZE];
	struct rpmsg_hdr hdr;

	if (used_len < RPMSG_HDR_SIZE || used_len > STATION_BUFFER_SIZE) {
		if (used_len < RPMSG_HDR_SIZE)
			find(far, FINDING_USED_LEN_SHORT, RPMSG_HDR_SIZE, used_len);
		else
			find(far, FINDING_USED_LEN_LONG, STATION_BUFFER_SIZE, used_len);
		return;
	}
	memcpy(copy, at, used_len);
	rpmsg_hdr_decode(&hdr, copy, RPMSG_HDR_SIZE, order(far));
	line_saw(&far->line, hdr.src << 8 ^ hdr.dst ^ (hdr.len != 0));
	if (hdr.len > used_len - RPMSG_HDR_SIZE) {
		find(far, FINDING_HDR_LEN, used_len - RPMSG_HDR_SIZE, hdr.len);
		return;
	}
	/* An answer to what has a wrong address may have one, too. */
	if (!far->guilty && hdr.src == RPMSG_ADDR_ANY)
		find(far, FINDING_SRC_ANY, 0, hdr.src);
	if (!far->guilty && hdr.dst == RPMSG_ADDR_ANY)
		find(far, FINDING_DST_ANY, 0, hdr.dst);
	if (!far->guilty && hdr.dst == RPMSG_ADDR_NS)
		judge_announcement(far, copy + RPMSG_HDR_SIZE, hdr.len);
}

/* ---- the guest ---------------------------------------------------------------------------- */

static uint8_t *buffer_at(const struct far *far, unsigned int queue, uint32_t index)
{
	return far->line.memory + STATION_BUFFERS +
	       (size_t)(queue * STATION_MAX_ENTRIES + index) * STATION_STRIDE;
}

static struct far_buffer *free_buffer(struct far *far, unsigned int index)
{
	struct far_queue *queue = &far->queues[index];

	if (!far->ready || queue->dq.num == 0)
		return NULL;
	for (uint32_t i = 0; i < queue->num; i++) {
		queue->buffers[i].index = (uint16_t)i;
		if (!queue->buffers[i].out)
			return &queue->buffers[i];
	}
	return NULL;
}

static bool give(struct far *far, unsigned int index, struct far_buffer *buffer)
{
	struct far_queue *queue = &far->queues[index];
	bool writable = index == RPMSG_QUEUE_INPUT;
	uint8_t *at = buffer_at(far, index, buffer->index);
	struct drvq_buf buf = {.addr = STATION_GUEST + (uint64_t)(at - far->line.memory),
			       .len = buffer->size};

	memset(at + buffer->size, GUARD_BYTE, STATION_STRIDE - buffer->size);
	if (drvq_add(&queue->dq, &buf, !writable, writable, buffer) < 0)
		return false;
	buffer->out = true;
	if (drvq_publish(&queue->dq))
		line_kick(&far->line, kick_files[index], 1);
	return true;
}

static bool post(struct far *far)
{
	struct far_buffer *buffer = free_buffer(far, RPMSG_QUEUE_INPUT);

	if (buffer == NULL)
		return false;
	buffer->size = STATION_BUFFER_SIZE;
	memset(buffer_at(far, RPMSG_QUEUE_INPUT, buffer->index), FILL_BYTE, buffer->size);
	return give(far, RPMSG_QUEUE_INPUT, buffer);
}

static void put(struct far *far, const uint8_t *bytes, size_t size)
{
	struct far_buffer *buffer = free_buffer(far, RPMSG_QUEUE_OUTPUT);

	if (buffer == NULL || size == 0)
		return;
	buffer->size = (uint32_t)(size < STATION_BUFFER_SIZE ? size : STATION_BUFFER_SIZE);
	memcpy(buffer->copy, bytes, buffer->size);
	memcpy(buffer_at(far, RPMSG_QUEUE_OUTPUT, buffer->index), bytes, buffer->size);
	(void)give(far, RPMSG_QUEUE_OUTPUT, buffer);
}

static void judge_buffer(struct far *far, unsigned int index, const struct far_buffer *buffer,
			 uint32_t used_len)
{
	const uint8_t *at = buffer_at(far, index, buffer->index);

	for (uint32_t i = buffer->size; i < STATION_STRIDE; i++)
		if (at[i] != GUARD_BYTE) {
			breach(far, "write-behind-buffer", "VQ-050",
			       "byte %u behind a buffer of queue %u is 0x%02x", i - buffer->size,
			       index, at[i]);
			return;
		}
	if (index == RPMSG_QUEUE_INPUT)
		judge_message(far, at, used_len);
	else if (memcmp(at, buffer->copy, buffer->size) != 0)
		breach(far, "write-readable", "VQ-050",
		       "a buffer of %u bytes that may only be read came back changed",
		       buffer->size);
}

static bool take(struct far *far, unsigned int index)
{
	static const enum finding findings[] = {
		[DRVQ_USED_JUMP] = FINDING_USED_JUMP,
		[DRVQ_ID_RANGE] = FINDING_USED_ID_RANGE,
		[DRVQ_NOT_OUTSTANDING] = FINDING_USED_ID_IDLE,
	};
	struct far_queue *queue = &far->queues[index];
	const struct drvq_error *error;
	struct far_buffer *buffer;
	struct drvq_used used;
	int ret;

	if (!far->ready || queue->dq.num == 0 || queue->dq.broken)
		return false;
	ret = drvq_get(&queue->dq, &used);
	if (ret < 0 && !far->lies) {
		error = drvq_last_error(&queue->dq);
		find(far, findings[error->type], error->expected, error->seen);
	}
	if (ret <= 0)
		return false;
	line_saw(&far->line, 16 + index);
	buffer = used.cookie;
	buffer->out = false;
	if (!far->lies)
		judge_buffer(far, index, buffer, used.len);
	return true;
}

/* Neither rings nor buffers are as this side's bookkeeping has them. */
static void go_wild(struct far *far)
{
	far->guilty = far->lies = true;
}

/* ---- a good front-end --------------------------------------------------------------------- */

static void tell_u64(struct far *far, uint32_t request, uint64_t value)
{
	line_message(&far->line, request, 0, &value, sizeof(value), WORLD_FILE_COUNT);
}

static void tell_event(struct far *far, uint32_t request, uint64_t value, enum world_file file)
{
	line_message(&far->line, request, 0, &value, sizeof(value), file);
}

static void ask(struct far *far, uint32_t request)
{
	line_message(&far->line, request, 0, NULL, 0, WORLD_FILE_COUNT);
}

static void send_memory(struct far *far, bool slots)
{
	const uint64_t region[] = {!slots, STATION_GUEST, WORLD_RAM_SIZE, STATION_USER, 0};

	line_message(&far->line, slots ? VHOST_ADD_MEM_REG : VHOST_SET_MEM_TABLE, 0, region,
		     sizeof(region), WORLD_RAM);
}

static uint64_t user(const struct far *far, const void *at)
{
	return STATION_USER + (uint64_t)((const uint8_t *)at - far->line.memory);
}

static void send_ring(struct far *far, unsigned int index, bool polled)
{
	const struct drvq *dq = &far->queues[index].dq;
	const uint64_t at[] = {index, user(far, dq->desc), user(far, dq->used),
			       user(far, dq->avail),
			       user(far, dq->used) - STATION_USER + STATION_GUEST};

	tell_event(far, VHOST_SET_VRING_CALL, index, WORLD_EVENT_2);
	tell_event(far, VHOST_SET_VRING_ERR, index, WORLD_PIPE_WRITE);
	tell_u64(far, VHOST_SET_VRING_NUM, index | (uint64_t)far->queues[index].num << 32);
	tell_u64(far, VHOST_SET_VRING_BASE, index);
	line_message(&far->line, VHOST_SET_VRING_ADDR, 0, at, sizeof(at), WORLD_FILE_COUNT);
	tell_event(far, VHOST_SET_VRING_KICK, index | (polled ? VHOST_VRING_NOFD : 0),
		   polled ? WORLD_FILE_COUNT : kick_files[index]);
	if ((far->line.offered & VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES)) != 0)
		tell_u64(far, VHOST_SET_VRING_ENABLE, index | UINT64_C(1) << 32);
}

static void make_ring(struct far *far, unsigned int index, uint32_t num)
{
	struct far_queue *queue = &far->queues[index];
	struct drvq_layout layout;

	drvq_stop(&queue->dq);
	for (unsigned int i = 0; i < STATION_MAX_ENTRIES; i++)
		queue->buffers[i].out = false;
	queue->num = num;
	/* Cannot fail but for want of memory; then there is no ring, as its size of 0 says. */
	if (drvq_layout(&layout, num) == 0)
		(void)drvq_start(&queue->dq, far->line.memory + (size_t)index * STATION_RING_STRIDE,
				 &layout, num, far->features);
}

/* Protocol features that are acknowledged; the back-end is asked for its own only once. */
static uint64_t protocol(struct far *far, bool slots, bool status)
{
	uint64_t wanted = VIRTIO_BIT(VHOST_PROTOCOL_F_REPLY_ACK) |
			  VIRTIO_BIT(VHOST_PROTOCOL_F_RESET_DEVICE) |
			  VIRTIO_BIT(VHOST_PROTOCOL_F_MQ) | VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIG);

	ask(far, VHOST_GET_PROTOCOL_FEATURES);
	if (!far->line.protocol_known)
		line_settle(&far->line);
	if (slots)
		wanted |= VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
	if (status)
		wanted |= VIRTIO_BIT(VHOST_PROTOCOL_F_STATUS);
	return wanted & far->line.protocol_offered;
}

static bool reconnect(struct far *far, enum line_state *state)
{
	far->ready = false;
	if (far->fresh) {
		far->fresh = false;
		return true;
	}
	line_settle(&far->line);
	*state = line_connect(&far->line, far->line.limit_ms);
	return *state == LINE_FINE;
}

static void handshake(struct far *far, const struct oplist_item *item, enum line_state *state)
{
	uint64_t flags = oplist_get(schema, item, 4), acked = 0;
	uint64_t buffers = oplist_get(schema, item, 3);
	bool status = (flags & 2) != 0, slots = (flags & 1) != 0;

	if (!reconnect(far, state))
		return;
	far->lies = false;
	ask(far, VHOST_SET_OWNER);
	if ((far->line.offered & VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES)) != 0) {
		acked = protocol(far, slots, status);
		tell_u64(far, VHOST_SET_PROTOCOL_FEATURES, acked);
	}
	/* Packed rings and an IOMMU are not for this guest. */
	far->features = far->line.offered & ~oplist_get(schema, item, 0) &
			(VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX) |
			 VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC) | UINT32_C(0xffffff));
	tell_u64(far, VHOST_SET_FEATURES,
		 far->features | (far->line.offered & VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES)));
	send_memory(far, (acked & VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS)) != 0);
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		make_ring(far, i, UINT32_C(1) << oplist_get(schema, item, 1 + i));
	far->ready = true;
	while (buffers-- > 0 && post(far))
		;
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		send_ring(far, i, (flags & 4) != 0);
	if ((acked & VIRTIO_BIT(VHOST_PROTOCOL_F_STATUS)) != 0) {
		tell_u64(far, VHOST_SET_STATUS, STATUS_DRIVER);
		tell_u64(far, VHOST_SET_STATUS, STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK);
	}
	/* "front-ends SHOULD inject a kick after VHOST_USER_SET_VRING_KICK" */
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES && (flags & 4) == 0; i++)
		line_kick(&far->line, kick_files[i], 1);
	line_settle(&far->line);
}

/* ---- operations --------------------------------------------------------------------------- */

static void request(struct far *far, const struct oplist_item *item)
{
	uint32_t flags = (uint32_t)oplist_get(schema, item, 1) & ~VHOST_FLAG_VERSION_MASK;
	uint8_t payload[VHOST_MAX_PAYLOAD];
	const uint8_t *tail;
	size_t size;

	tail = oplist_tail(schema, item, &size);
	if (size > sizeof(payload) - 8)
		size = sizeof(payload) - 8;
	vhost_put_u32(payload, (uint32_t)oplist_get(schema, item, 3));
	vhost_put_u32(payload + 4, (uint32_t)oplist_get(schema, item, 4));
	if (size != 0)
		memcpy(payload + 8, tail, size);
	go_wild(far);
	line_message(&far->line, (uint32_t)oplist_get(schema, item, 0), flags, payload,
		     (uint32_t)size + 8, (enum world_file)oplist_get(schema, item, 2));
}

static void stream(struct far *far, const struct oplist_item *item)
{
	unsigned int count = (unsigned int)oplist_get(schema, item, 0);
	uint64_t numbers = oplist_get(schema, item, 1);
	enum world_file files[10];
	const uint8_t *tail;
	size_t size;

	for (unsigned int i = 0; i < count; i++, numbers = numbers >> 5 | numbers << 59)
		files[i] = (enum world_file)((numbers & 0xff) % WORLD_FILE_COUNT);
	tail = oplist_tail(schema, item, &size);
	go_wild(far);
	line_stream(&far->line, tail, size, files, count);
}

static void message(struct far *far, const struct oplist_item *item)
{
	struct rpmsg_hdr hdr = {
		.src = (uint32_t)oplist_get(schema, item, 0),
		.dst = (uint32_t)oplist_get(schema, item, 1),
	};
	uint8_t bytes[STATION_BUFFER_SIZE];
	const uint8_t *tail;
	size_t size;

	tail = oplist_tail(schema, item, &size);
	if (size > sizeof(bytes) - RPMSG_HDR_SIZE)
		size = sizeof(bytes) - RPMSG_HDR_SIZE;
	hdr.len = (uint16_t)size;
	if (hdr.src == RPMSG_ADDR_ANY || hdr.src == RPMSG_ADDR_NS || hdr.dst == RPMSG_ADDR_ANY ||
	    hdr.dst == RPMSG_ADDR_NS)
		far->guilty = true;
	rpmsg_hdr_encode(&hdr, bytes, order(far));
	if (size != 0)
		memcpy(bytes + RPMSG_HDR_SIZE, tail, size);
	put(far, bytes, RPMSG_HDR_SIZE + size);
}

static void write_ring(struct far *far, const struct oplist_item *item)
{
	const struct drvq *dq = &far->queues[oplist_get(schema, item, 0)].dq;
	uint8_t *at;

	go_wild(far);
	if (!far->ready || dq->num == 0)
		return;
	switch (item->code) {
	case SESSION_DESC:
		at = (uint8_t *)dq->desc +
		     (oplist_get(schema, item, 1) & (dq->num - 1)) * VRING_DESC_SIZE;
		wire_put_le64(at, oplist_get(schema, item, 2));
		wire_put_le32(at + 8, (uint32_t)oplist_get(schema, item, 3));
		wire_put_le16(at + 12, (uint16_t)oplist_get(schema, item, 4));
		wire_put_le16(at + 14, (uint16_t)oplist_get(schema, item, 5));
		break;
	case SESSION_AVAIL:
		at = (uint8_t *)dq->avail +
		     vring_avail_entry((uint32_t)oplist_get(schema, item, 1) & (dq->num - 1));
		wire_put_le16(at, (uint16_t)oplist_get(schema, item, 2));
		break;
	default:
		at = dq->avail;
		wire_put_le16(at + VRING_IDX, (uint16_t)(wire_get_le16(at + VRING_IDX) +
							 oplist_get(schema, item, 1)));
		wire_put_le16(at + VRING_FLAGS, (uint16_t)oplist_get(schema, item, 2));
		break;
	}
}

static void write_memory(struct far *far, const struct oplist_item *item)
{
	uint64_t offset = oplist_get(schema, item, 0);
	const uint8_t *tail;
	size_t size;

	tail = oplist_tail(schema, item, &size);
	if (size > WORLD_RAM_SIZE - offset)
		size = WORLD_RAM_SIZE - offset;
	go_wild(far);
	/* What was written is to be renewed though nobody may have it. */
	far->line.used |= 1U << WORLD_RAM;
	if (size != 0)
		memcpy(far->line.memory + offset, tail, size);
}

static void one_op(struct far *far, const struct oplist_item *item, enum line_state *state)
{
	struct line *line = &far->line;
	uint64_t first = oplist_get(schema, item, 0);
	const uint8_t *tail;
	size_t size;

	switch (item->code) {
	case SESSION_CONNECT:
		(void)reconnect(far, state);
		break;
	case SESSION_LEAVE:
		if (!far->fresh) {
			line_settle(line);
			line_leave(line);
		}
		far->ready = false;
		break;
	case SESSION_HANDSHAKE:
		handshake(far, item, state);
		break;
	case SESSION_REQUEST:
	case SESSION_STREAM:
		if (far->fresh)
			break;
		line->abused = true;
		if (item->code == SESSION_REQUEST)
			request(far, item);
		else
			stream(far, item);
		line_read(line);
		break;
	case SESSION_POST:
		while (first-- > 0 && post(far))
			;
		break;
	case SESSION_MESSAGE:
		message(far, item);
		break;
	case SESSION_BYTES:
		far->guilty = true;
		tail = oplist_tail(schema, item, &size);
		put(far, tail, size);
		break;
	case SESSION_TAKE:
		while (take(far, (unsigned int)first))
			;
		break;
	case SESSION_KICK:
		line_kick(line, kick_files[first], oplist_get(schema, item, 1));
		break;
	case SESSION_TURNS:
		if (first != 0)
			line_settle(line);
		break;
	case SESSION_ADVANCE:
		if (line->unsettled)
			line_wait(line, MAX_WAIT_MS);
		break;
	case SESSION_DESC:
	case SESSION_AVAIL:
	case SESSION_INDEX:
		write_ring(far, item);
		break;
	case SESSION_WRITE:
		write_memory(far, item);
		break;
	default:
		break; /* of the remote's owner */
	}
}

/* ---- runs --------------------------------------------------------------------------------- */

int far_init(struct far *far, struct victim *victim, int limit_ms)
{
	memset(far, 0, sizeof(*far));
	return line_init(&far->line, victim, limit_ms);
}

void far_fini(struct far *far)
{
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		drvq_stop(&far->queues[i].dq);
	line_fini(&far->line);
}

enum line_state far_greet(struct far *far, int limit_ms)
{
	enum line_state state = line_connect(&far->line, limit_ms);

	far->fresh = state == LINE_FINE;
	return state;
}

void far_run(struct far *far, const struct oplist *list, struct far_outcome *outcome)
{
	enum line_state state = LINE_FINE;
	unsigned int i, closed = OPLIST_MAX_ITEMS;
	bool stuck;

	memset(far->line.trace, 0, sizeof(far->line.trace));
	memset(&far->breach, 0, sizeof(far->breach));
	far->line.protocol_known = false;
	far->ready = far->lies = far->guilty = false;
	for (i = 0; i < list->count; i++) {
		bool there = far->line.fd >= 0;

		far->line.context = (uint32_t)list->items[i].code + 1;
		one_op(far, &list->items[i], &state);
		/* A connection that is closed may mean that the process is over, or soon will be.
		 */
		if (there && far->line.fd < 0 && list->items[i].code != SESSION_LEAVE) {
			closed = i;
			if (state == LINE_FINE && victim_has_ended(far->line.victim, NULL))
				state = LINE_ENDED;
		}
		if (state != LINE_FINE || far->breach.name != NULL)
			break;
	}
	far->line.context = 0;
	if (state == LINE_FINE && !far->fresh)
		line_settle(&far->line);
	for (unsigned int q = 0; state == LINE_FINE && q < RPMSG_NUM_QUEUES; q++)
		while (take(far, q))
			;
	stuck = far->line.stuck && !far->line.abused;
	outcome->op = i;
	outcome->breach = far->breach;
	far->ready = false;
	if (state == LINE_FINE && !far->fresh) {
		line_leave(&far->line);
		(void)line_renew(&far->line);
		/* It had its time already. */
		state = far_greet(far, stuck ? far->line.limit_ms / 2 : far->line.limit_ms);
	}
	(void)line_renew(&far->line);
	if (state == LINE_ENDED && i == list->count && closed < i)
		outcome->op = closed;
	outcome->state = state;
	outcome->listening = far->line.listening;
}
