/* SPDX-License-Identifier: BSD-2-Clause */
#include "device/attack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

/* How long an operation waits for a buffer of the input queue. */
#define BUFFER_MS 5

enum {
	OP_MESSAGE,
	OP_RAW,
	OP_NAME_SERVICE,
	OP_REPEAT,
	OP_RETURN,
	OP_USED,
	OP_AGAIN,
	OP_INDEX,
	OP_REWRITE,
	OP_SCRIBBLE,
	OP_NOTIFY,
	OP_INTERRUPT,
	OP_CONFIG,
	OP_NEEDS_RESET,
	OP_SERVE,
	OP_WAIT,
	OP_USER,
	OP_OFFER,
	OP_COUNT
};

/* An operation that a plain zero makes well-formed, so that shrinking ends there. */
#define POST {"post", 1, OPLIST_CHOICE, POST_COUNT}
#define QUEUE {"queue", 1, OPLIST_CHOICE, RPMSG_NUM_QUEUES}

static const struct oplist_op ops[OP_COUNT] = {
	[OP_MESSAGE] = {.name = "message",
			.tail = "payload",
			.fields = {{"src", 4, OPLIST_ADDRESS, 0},
				   {"dst", 4, OPLIST_ADDRESS, 0},
				   {"reserved", 4, OPLIST_NUMBER, 0},
				   {"flags", 2, OPLIST_BITS, 0},
				   {"len_more", 2, OPLIST_LENGTH, 0},
				   {"used_more", 4, OPLIST_LENGTH, 0},
				   POST}},
	[OP_RAW] = {.name = "raw",
		    .tail = "message",
		    .fields = {{"used_len", 4, OPLIST_LENGTH, 0}, POST}},
	[OP_NAME_SERVICE] = {.name = "name_service",
			     .tail = "name",
			     .fields = {{"src", 4, OPLIST_ADDRESS, 0},
					{"address", 4, OPLIST_ADDRESS, 0},
					{"flags", 4, OPLIST_BITS, 0},
					{"used_more", 4, OPLIST_LENGTH, 0},
					POST}},
	/* The operation before, so many times more; addresses of announcements count up. */
	[OP_REPEAT] = {.name = "repeat", .fields = {{"times", 1, OPLIST_CHOICE, 64}}},
	[OP_RETURN] = {.name = "return",
		       .fields = {{"count", 1, OPLIST_COUNT, 0},
				  {"used_len", 4, OPLIST_LENGTH, 0},
				  POST}},
	[OP_USED] = {.name = "used",
		     .fields = {QUEUE,
				{"id", 4, OPLIST_INDEX, 0},
				{"length", 4, OPLIST_LENGTH, 0},
				POST}},
	[OP_AGAIN] = {.name = "again",
		      .fields = {QUEUE,
				 {"back", 1, OPLIST_CHOICE, DEVICE_HISTORY},
				 {"length", 4, OPLIST_LENGTH, 0},
				 POST}},
	[OP_INDEX] = {.name = "index", .fields = {QUEUE, {"step", 2, OPLIST_COUNT, 0}, POST}},
	[OP_REWRITE] = {.name = "rewrite",
			.tail = "bytes",
			.fields = {{"back", 1, OPLIST_CHOICE, DEVICE_HISTORY},
				   {"offset", 2, OPLIST_CHOICE, RPMSG_BUF_SIZE}}},
	[OP_SCRIBBLE] = {.name = "scribble",
			 .tail = "bytes",
			 .fields = {QUEUE,
				    {"part", 1, OPLIST_CHOICE, 3},
				    {"offset", 2, OPLIST_INDEX, 0}}},
	[OP_NOTIFY] = {.name = "notify",
		       .fields = {QUEUE,
				  {"flags", 2, OPLIST_BITS, 0},
				  {"event", 2, OPLIST_INDEX, 0}}},
	[OP_INTERRUPT] = {.name = "interrupt", .fields = {QUEUE, {"count", 1, OPLIST_CHOICE, 16}}},
	[OP_CONFIG] = {.name = "config",
		       .tail = "bytes",
		       .fields = {{"offset", 1, OPLIST_CHOICE, DEVICE_CONFIG}}},
	[OP_NEEDS_RESET] = {.name = "needs_reset"},
	[OP_SERVE] = {.name = "serve", .fields = {{"on", 1, OPLIST_CHOICE, 2}}},
	[OP_WAIT] = {.name = "wait", .fields = {{"ms", 1, OPLIST_CHOICE, 16}}},
	/* The guest's user space: fuzz/tools/host/user.py has the meaning of the numbers. */
	[OP_USER] = {.name = "user",
		     .fields = {{"what", 1, OPLIST_CHOICE, 8}, {"size", 2, OPLIST_LENGTH, 0}}},
	[OP_OFFER] = {.name = "offer", .fields = {{"without", 8, OPLIST_BITS, 0}}},
};

const struct oplist_schema attack_schema = {
	.name = "guest",
	.id = 20,
	.count = OP_COUNT,
	.ops = ops,
};

static uint64_t get(const struct oplist_item *item, unsigned int field)
{
	return oplist_get(&attack_schema, item, field);
}

/* ---- operations; false: for want of a buffer ---------------------------------------------- */

static bool message(struct device *device, const struct oplist_item *item)
{
	size_t size;
	const uint8_t *tail = oplist_tail(&attack_schema, item, &size);
	const struct rpmsg_hdr hdr = {
		.src = (uint32_t)get(item, 0),
		.dst = (uint32_t)get(item, 1),
		.reserved = (uint32_t)get(item, 2),
		.flags = (uint16_t)get(item, 3),
		.len = (uint16_t)(size + get(item, 4)),
	};

	return device_message(device, &hdr, tail, size, (uint32_t)get(item, 5),
			      (enum device_post)get(item, 6));
}

static bool raw(struct device *device, const struct oplist_item *item)
{
	struct device_buffer buffer;
	const uint8_t *tail;
	size_t size;

	if (!device_take(device, RPMSG_QUEUE_INPUT, &buffer))
		return false;
	tail = oplist_tail(&attack_schema, item, &size);
	if (size > buffer.size)
		size = buffer.size;
	memset(buffer.at, 0, buffer.size);
	if (size != 0)
		memcpy(buffer.at, tail, size);
	device_used(device, RPMSG_QUEUE_INPUT, &buffer, (uint32_t)get(item, 0),
		    (enum device_post)get(item, 1));
	return true;
}

static bool name_service(struct device *device, const struct oplist_item *item, uint32_t more)
{
	const struct rpmsg_hdr hdr = {
		.src = (uint32_t)get(item, 0), .dst = RPMSG_ADDR_NS, .len = RPMSG_NS_MSG_SIZE};
	uint8_t bytes[RPMSG_NS_MSG_SIZE];
	size_t size;
	const uint8_t *tail = oplist_tail(&attack_schema, item, &size);

	rpmsg_ns_encode("", (uint32_t)get(item, 1) + more, (uint32_t)get(item, 2), bytes,
			rpmsg_order(device->backend.acked & VIRTIO_BIT(VIRTIO_F_VERSION_1)));
	if (size != 0)
		memcpy(bytes, tail, size < RPMSG_NAME_SIZE ? size : RPMSG_NAME_SIZE);
	return device_message(device, &hdr, bytes, sizeof(bytes), (uint32_t)get(item, 3),
			      (enum device_post)get(item, 4));
}

static void give_back(struct device *device, const struct oplist_item *item)
{
	struct device_buffer buffer;

	for (uint64_t left = get(item, 0); left != 0; left--) {
		if (!device_take(device, RPMSG_QUEUE_OUTPUT, &buffer))
			break;
		device_used(device, RPMSG_QUEUE_OUTPUT, &buffer, (uint32_t)get(item, 1),
			    (enum device_post)get(item, 2));
	}
}

/* A buffer that was used before; NULL: there were not so many. */
static const struct device_buffer *earlier(const struct device *device, unsigned int queue,
					   uint64_t back)
{
	const struct device_queue *own = &device->queues[queue];

	if (back >= own->history_count)
		return NULL;
	return &own->history[(own->history_count - 1 - back) % DEVICE_HISTORY];
}

static void again(struct device *device, const struct oplist_item *item)
{
	unsigned int queue = (unsigned int)get(item, 0);
	const struct device_buffer *buffer = earlier(device, queue, get(item, 1));

	if (buffer != NULL)
		device_put(device, queue, buffer->head, (uint32_t)get(item, 2),
			   (enum device_post)get(item, 3));
}

static void jump(struct device *device, const struct oplist_item *item)
{
	unsigned int queue = (unsigned int)get(item, 0);
	struct device_queue *own = &device->queues[queue];

	own->used = (uint16_t)(own->used + get(item, 1));
	device_show(device, queue, (enum device_post)get(item, 2));
}

static void rewrite(struct device *device, const struct oplist_item *item)
{
	const struct device_buffer *buffer = earlier(device, RPMSG_QUEUE_INPUT, get(item, 0));
	uint64_t offset = get(item, 1);
	const uint8_t *tail;
	size_t size;

	tail = oplist_tail(&attack_schema, item, &size);
	/* The buffer may be gone from memory since: only a started queue has any. */
	if (buffer == NULL || device_ring(device, RPMSG_QUEUE_INPUT) == NULL || size == 0 ||
	    offset >= buffer->size)
		return;
	memcpy(buffer->at + offset, tail,
	       size < buffer->size - offset ? size : buffer->size - offset);
}

static void scribble(struct device *device, const struct oplist_item *item)
{
	struct virtq *vq = device_ring(device, (unsigned int)get(item, 0));
	uint64_t offset = get(item, 2), bytes;
	const uint8_t *tail;
	size_t size;
	uint8_t *part;

	tail = oplist_tail(&attack_schema, item, &size);
	if (vq == NULL || size == 0)
		return;
	switch (get(item, 1)) {
	case 0:
		part = vq->rings.used;
		bytes = vring_used_bytes(vq->num);
		break;
	case 1:
		part = vq->rings.avail;
		bytes = vring_avail_bytes(vq->num);
		break;
	default:
		part = vq->rings.desc;
		bytes = vring_desc_bytes(vq->num);
		break;
	}
	offset %= bytes;
	memcpy(part + offset, tail, size < bytes - offset ? size : bytes - offset);
}

static void notify(struct device *device, const struct oplist_item *item)
{
	struct virtq *vq = device_ring(device, (unsigned int)get(item, 0));

	if (vq == NULL)
		return;
	vring_store16(vq->rings.used, VRING_FLAGS, (uint16_t)get(item, 1));
	vring_store16(vq->rings.used, vring_avail_event(vq->num), (uint16_t)get(item, 2));
}

static void config(struct device *device, const struct oplist_item *item)
{
	uint64_t offset = get(item, 0);
	const uint8_t *tail;
	size_t size;

	tail = oplist_tail(&attack_schema, item, &size);
	if (size > DEVICE_CONFIG - offset)
		size = DEVICE_CONFIG - offset;
	if (size != 0)
		memcpy(device->config + offset, tail, size);
	(void)backend_config_changed(&device->backend);
}

static void wait_ms(struct device *device, uint64_t ms)
{
	device->waiting = true;
	device->kicked = false;
	device->wake_at = device_now() + ms * NS_PER_MS;
}

/* One operation, for the more-th time. Return: false: a buffer is wanting. */
static bool one_op(struct device *device, const struct oplist_item *item, uint32_t more)
{
	switch (item->code) {
	case OP_MESSAGE:
		return message(device, item);
	case OP_RAW:
		return raw(device, item);
	case OP_NAME_SERVICE:
		return name_service(device, item, more);
	case OP_RETURN:
		give_back(device, item);
		break;
	case OP_USED:
		device_put(device, (unsigned int)get(item, 0), (uint32_t)get(item, 1),
			   (uint32_t)get(item, 2), (enum device_post)get(item, 3));
		break;
	case OP_AGAIN:
		again(device, item);
		break;
	case OP_INDEX:
		jump(device, item);
		break;
	case OP_REWRITE:
		rewrite(device, item);
		break;
	case OP_SCRIBBLE:
		scribble(device, item);
		break;
	case OP_NOTIFY:
		notify(device, item);
		break;
	case OP_INTERRUPT:
		for (uint64_t left = 1 + get(item, 1); left != 0; left--)
			backend_call(&device->backend, (unsigned int)get(item, 0));
		break;
	case OP_CONFIG:
		config(device, item);
		break;
	case OP_NEEDS_RESET:
		(void)backend_needs_reset(&device->backend);
		break;
	case OP_SERVE:
		device->serving = get(item, 0) != 0;
		device_serve(device);
		break;
	case OP_WAIT:
		wait_ms(device, 1 + get(item, 0));
		break;
	case OP_USER:
		device->asking = true;
		printf("user %u %u %u\n", device->number, (unsigned int)get(item, 0),
		       (unsigned int)get(item, 1));
		break;
	default:
		break;
	}
	return true;
}

/* ---- lists -------------------------------------------------------------------------------- */

int attack_load(struct device *device, size_t size)
{
	int ret = oplist_parse(&device->list, &attack_schema, device->input, size);

	device->withheld = 0;
	memset(device->config, 0, sizeof(device->config));
	if (ret < 0)
		device->list.count = 0;
	for (unsigned int i = 0; i < device->list.count; i++)
		if (device->list.items[i].code == OP_OFFER)
			device->withheld |= get(&device->list.items[i], 0);
	/* Without them QEMU makes no device at all. */
	device->withheld &=
		~(VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES) | VIRTIO_BIT(VIRTIO_F_VERSION_1));
	return ret;
}

void attack_start(struct device *device)
{
	device->at = 0;
	device->repeats_left = 0;
	device->skipped = 0;
	device->attacking = true;
	device->waiting = device->asking = false;
	attack_go(device);
}

void attack_answered(struct device *device)
{
	device->asking = false;
	attack_go(device);
}

/*
 * The operation that is due, and which repetition of it. NULL: the list is over. One that
 * says how often the one before is done again stands for that one.
 */
static const struct oplist_item *due(struct device *device, uint32_t *more)
{
	const struct oplist_item *items = device->list.items;

	*more = 0;
	while (device->at < device->list.count) {
		const struct oplist_item *item = &items[device->at];

		if (item->code != OP_REPEAT)
			return item;
		if (device->at != 0 && items[device->at - 1].code <= OP_NAME_SERVICE &&
		    device->repeats_left < get(item, 0)) {
			*more = device->repeats_left + 1;
			return &items[device->at - 1];
		}
		device->repeats_left = 0;
		device->at++;
	}
	return NULL;
}

static void advance(struct device *device, uint32_t more)
{
	if (more != 0)
		device->repeats_left++;
	else
		device->at++;
}

void attack_go(struct device *device)
{
	const struct oplist_item *item;
	bool waited = device->waiting;
	uint32_t more;

	if (!device->attacking || device->asking)
		return;
	if (device->waiting && !device->kicked && device_now() < device->wake_at)
		return;
	device->waiting = false;
	while (device->ready && !device->waiting && !device->asking) {
		item = due(device, &more);
		if (item == NULL)
			break;
		if (one_op(device, item, more)) {
			advance(device, more);
		} else if (waited) {
			/* In vain: the guest gives no buffers any more, at least not for now. */
			device->skipped++;
			advance(device, more);
		} else {
			wait_ms(device, BUFFER_MS);
		}
		waited = false;
	}
	if (device->waiting || device->asking)
		return;
	device->attacking = false;
	printf("done %u %u\n", device->number, device->skipped);
}
