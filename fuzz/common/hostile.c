/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/hostile.h"

#include <string.h>
#include <unistd.h>

#include "common/oracle.h"
#include "common/reads.h"
#include "virtio/vring.h"
#include "wire/bytes.h"

/* ---- the connection ------------------------------------------------------------------------ */

static void say(struct hostile *device, const void *bytes, size_t size)
{
	if (size > sizeof(device->out) - device->out_size)
		size = sizeof(device->out) - device->out_size;
	memcpy(device->out + device->out_size, bytes, size);
	device->out_size += size;
}

static void attach_file(struct hostile *device, enum world_file file)
{
	int fd = world_open(file);

	if (fd < 0)
		return;
	if (device->out_fd_count < HOSTILE_MAX_FDS)
		device->out_fds[device->out_fd_count++] = fd;
	else
		close(fd);
}

/* The right answer to a request. Return: payload bytes, or -1: there is none. */
static int answer(struct hostile *device, uint32_t request, bool need_reply, uint8_t *to)
{
	switch (request) {
	case VHOST_GET_FEATURES:
		vhost_put_u64(to, device->features);
		return 8;
	case VHOST_GET_PROTOCOL_FEATURES:
		vhost_put_u64(to, device->protocol);
		return 8;
	case VHOST_GET_QUEUE_NUM:
		vhost_put_u64(to, RPMSG_NUM_QUEUES);
		return 8;
	case VHOST_GET_MAX_MEM_SLOTS:
		vhost_put_u64(to, 8);
		return 8;
	case VHOST_GET_STATUS:
		vhost_put_u64(to, device->status);
		return 8;
	case VHOST_GET_VRING_BASE:
		memcpy(to, device->in + VHOST_HDR_SIZE, 4);
		vhost_put_u32(to + 4, 0);
		return 8;
	case VHOST_GET_CONFIG:
		memcpy(to, device->in + VHOST_HDR_SIZE, VHOST_CONFIG_HDR_SIZE);
		memcpy(to + VHOST_CONFIG_HDR_SIZE, device->config, HOSTILE_CONFIG_SIZE);
		return VHOST_CONFIG_HDR_SIZE +
		       (int)(vhost_get_u32(to + 4) % (HOSTILE_CONFIG_SIZE + 1));
	default:
		vhost_put_u64(to, 0);
		return need_reply ? 8 : -1;
	}
}

static void tell_lie(struct hostile *device, const struct hostile_lie *lie, uint8_t *bytes,
		     uint32_t *size)
{
	uint32_t value = (uint32_t)lie->value;

	switch (lie->kind) {
	case HOSTILE_NO_ANSWER:
		*size = 0;
		break;
	case HOSTILE_OTHER_REQUEST:
		vhost_put_u32(bytes, value % 64);
		break;
	case HOSTILE_OTHER_FLAGS:
		vhost_put_u32(bytes + 4, vhost_get_u32(bytes + 4) ^ value);
		break;
	case HOSTILE_OTHER_SIZE:
		*size = VHOST_HDR_SIZE + value % (VHOST_MAX_PAYLOAD + 1);
		vhost_put_u32(bytes + 8, *size - VHOST_HDR_SIZE);
		break;
	case HOSTILE_OTHER_VALUE:
		vhost_put_u64(bytes + VHOST_HDR_SIZE, lie->value);
		break;
	case HOSTILE_DESCRIPTOR:
		attach_file(device, lie->file);
		break;
	default:
		vhost_put_u32(bytes + 8, value);
		break;
	}
}

static void serve(struct hostile *device)
{
	uint32_t request = vhost_get_u32(device->in);
	bool need_reply = (vhost_get_u32(device->in + 4) & VHOST_FLAG_NEED_REPLY) != 0;
	uint8_t bytes[VHOST_HDR_SIZE + VHOST_MAX_PAYLOAD] = {0};
	int payload = answer(device, request, need_reply, bytes + VHOST_HDR_SIZE);
	uint32_t size;

	if (request == VHOST_SET_STATUS)
		device->status = device->in[VHOST_HDR_SIZE];
	if (payload < 0)
		return;
	vhost_put_hdr(bytes, request, VHOST_VERSION | VHOST_FLAG_REPLY, (uint32_t)payload);
	size = VHOST_HDR_SIZE + (uint32_t)payload;
	for (unsigned int i = 0; i < device->lie_count; i++)
		if (device->lies[i].answer == device->answers)
			tell_lie(device, &device->lies[i], bytes, &size);
	device->answers++;
	say(device, bytes, size);
}

static void keep(struct hostile *device, int fd)
{
	uint32_t request = vhost_get_u32(device->in);
	unsigned int queue = device->in[VHOST_HDR_SIZE] % RPMSG_NUM_QUEUES;

	if (request == VHOST_SET_VRING_CALL)
		device->calls[queue] = fd;
	else if (request == VHOST_SET_VRING_ERR)
		device->errors[queue] = fd;
	if (device->held_count < HOSTILE_MAX_FDS)
		device->held[device->held_count++] = fd;
	else
		close(fd);
}

/* The front-end sends each message whole. */
static void on_sent(void *ctx, const uint8_t *bytes, size_t size, const int *fds,
		    unsigned int count)
{
	struct hostile *device = ctx;

	ORACLE("request-size",
	       size >= VHOST_HDR_SIZE && size <= sizeof(device->in) &&
		       size == VHOST_HDR_SIZE + vhost_get_u32(bytes + 8),
	       "a request of %zu bytes", size);
	memcpy(device->in, bytes, size);
	for (unsigned int i = 0; i < count; i++)
		keep(device, fds[i]);
	if (!device->hung_up)
		serve(device);
}

static ssize_t on_receive(void *ctx, uint8_t *bytes, size_t room, int *fds, unsigned int room_fds,
			  unsigned int *count)
{
	struct hostile *device = ctx;
	size_t size = device->out_size - device->out_at;

	*count = 0;
	if (size == 0)
		return device->hung_up ? 0 : -1;
	if (size > room)
		size = room;
	while (*count < device->out_fd_count && *count < room_fds) {
		fds[*count] = device->out_fds[*count];
		(*count)++;
	}
	memmove(device->out_fds, device->out_fds + *count,
		(device->out_fd_count - *count) * sizeof(device->out_fds[0]));
	device->out_fd_count -= *count;
	memcpy(bytes, device->out + device->out_at, size);
	device->out_at += size;
	if (device->out_at == device->out_size)
		device->out_at = device->out_size = 0;
	return (ssize_t)size;
}

static bool on_readable(void *ctx)
{
	const struct hostile *device = ctx;

	return device->hung_up || device->out_at < device->out_size;
}

static bool on_gone(void *ctx)
{
	const struct hostile *device = ctx;

	return device->hung_up;
}

static bool on_connecting(void *ctx)
{
	return false;
}

static void on_event(void *ctx)
{
}

static bool on_wait(void *ctx)
{
	const struct hostile *device = ctx;

	return device->waited(device->ctx);
}

void hostile_lie(struct hostile *device, const struct hostile_lie *lie)
{
	if (device->lie_count == HOSTILE_MAX_LIES)
		return;
	device->guilty = true;
	device->lies[device->lie_count++] = *lie;
}

void hostile_say(struct hostile *device, const void *bytes, size_t size, enum world_file file,
		 uint64_t count)
{
	device->guilty = true;
	if (size == 0 || device->hung_up)
		return;
	while (count-- > 0)
		attach_file(device, file);
	say(device, bytes, size);
}

void hostile_hang_up(struct hostile *device)
{
	device->guilty = true;
	device->hung_up = true;
}

/* ---- the rings ----------------------------------------------------------------------------- */

void hostile_use(struct hostile *device, const struct frontend *fe)
{
	device->fe = fe;
}

static const struct drvq *ring_of(const struct hostile *device, unsigned int queue)
{
	const struct drvq *dq = device->fe != NULL ? &device->fe->queues[queue].dq : NULL;

	return dq != NULL && dq->num != 0 ? dq : NULL;
}

/* The next buffer that the host made available. Return: where it is; NULL: none, or no memory. */
static uint8_t *take(struct hostile *device, unsigned int queue, uint16_t *head, uint32_t *len)
{
	const struct drvq *dq = ring_of(device, queue);
	const uint8_t *avail, *desc;
	uint64_t offset;

	if (dq == NULL)
		return NULL;
	avail = dq->avail;
	if (wire_get_le16(avail + VRING_IDX) == device->last_avail[queue])
		return NULL;
	*head = wire_get_le16(avail +
			      vring_avail_entry(device->last_avail[queue]++ & (dq->num - 1)));
	desc = (const uint8_t *)dq->desc + (size_t)(*head & (dq->num - 1)) * VRING_DESC_SIZE;
	offset = wire_get_le64(desc) - FRONTEND_GUEST_ADDR;
	*len = wire_get_le32(desc + 8);
	if (offset >= device->fe->options.memory_size ||
	    *len > device->fe->options.memory_size - offset)
		return NULL;
	return device->fe->memory + offset;
}

static void signal_fd(const struct hostile *device, int fd)
{
	const uint64_t one = 1;

	if (fd >= 0 && world_is_open(fd))
		(void)!write(fd, &one, sizeof(one));
}

static void push(struct hostile *device, unsigned int queue, uint32_t id, uint32_t len)
{
	const struct drvq *dq = &device->fe->queues[queue].dq;
	uint8_t *used = dq->used;
	uint8_t *entry = used + vring_used_entry(device->used[queue] & (dq->num - 1));

	wire_put_le32(entry, id);
	wire_put_le32(entry + 4, len);
	wire_put_le16(used + VRING_IDX, ++device->used[queue]);
	signal_fd(device, device->calls[queue]);
}

/* The host has read a message: by then, or not at all. */
static void check_reads(const struct hostile *device, unsigned int head)
{
	const uint8_t *at = device->given[head].at;
	uint32_t size = device->given[head].size;

	if (size == 0 || device->rings_lie)
		return;
	ORACLE("read-twice", reads_most(at, size) <= 1,
	       "a byte of buffer %u, which the device may change, was read %u times", head,
	       reads_most(at, size));
}

static void give(struct hostile *device, unsigned int head, const uint8_t *at, uint32_t size)
{
	const uint8_t *watched = device->fe->memory;

	if (at < watched || (size_t)(at - watched) + size > READS_MAX)
		size = 0;
	if (size != 0)
		reads_forget(at, size);
	device->given[head].at = at;
	device->given[head].size = size;
}

void hostile_deliver(struct hostile *device, const void *bytes, size_t size,
		     const uint32_t *used_len)
{
	uint32_t len = 0;
	uint16_t head;
	uint8_t *at = take(device, RPMSG_QUEUE_INPUT, &head, &len);

	if (at == NULL)
		return;
	/* What does not fit is another message than the one that was meant. */
	if (size > len) {
		size = len;
		device->guilty = true;
	}
	check_reads(device, head % HOSTILE_MAX_ENTRIES);
	give(device, head % HOSTILE_MAX_ENTRIES, at, len);
	if (size != 0)
		memcpy(at, bytes, size);
	push(device, RPMSG_QUEUE_INPUT, head, used_len != NULL ? *used_len : (uint32_t)size);
}

void hostile_return(struct hostile *device, uint64_t count, uint32_t used_len)
{
	uint16_t head;
	uint32_t len;

	if (used_len != 0)
		device->guilty = true;
	while (count-- > 0 && take(device, RPMSG_QUEUE_OUTPUT, &head, &len) != NULL)
		push(device, RPMSG_QUEUE_OUTPUT, head, used_len);
}

/* A ring to be written by hand: nothing of it holds any more. */
static uint8_t *used_ring(struct hostile *device, unsigned int queue, uint32_t *num)
{
	const struct drvq *dq = ring_of(device, queue);

	device->guilty = device->rings_lie = true;
	if (dq == NULL)
		return NULL;
	*num = dq->num;
	return dq->used;
}

void hostile_put_used(struct hostile *device, unsigned int queue, uint32_t slot, uint32_t id,
		      uint32_t len)
{
	uint32_t num = 0;
	uint8_t *used = used_ring(device, queue, &num), *entry;

	if (used == NULL)
		return;
	entry = used + vring_used_entry(slot & (num - 1));
	wire_put_le32(entry, id);
	wire_put_le32(entry + 4, len);
}

void hostile_step(struct hostile *device, unsigned int queue, uint16_t step)
{
	uint32_t num = 0;
	uint8_t *used = used_ring(device, queue, &num);

	if (used == NULL)
		return;
	device->used[queue] = (uint16_t)(device->used[queue] + step);
	wire_put_le16(used + VRING_IDX, device->used[queue]);
}

void hostile_scribble(struct hostile *device, uint64_t offset, const void *bytes, size_t size)
{
	device->guilty = device->rings_lie = true;
	if (device->fe == NULL || size == 0 || offset >= device->fe->memory_used ||
	    size > device->fe->memory_used - offset)
		return;
	memcpy(device->fe->memory + offset, bytes, size);
}

void hostile_signal(struct hostile *device, unsigned int queue, bool error)
{
	device->guilty = true;
	signal_fd(device, error ? device->errors[queue] : device->calls[queue]);
}

/* ---- life ---------------------------------------------------------------------------------- */

void hostile_renew(struct hostile *device)
{
	device->out_at = device->out_size = 0;
	device->answers = 0;
	device->hung_up = device->rings_lie = false;
	device->status = 0;
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		device->calls[i] = device->errors[i] = -1;
		device->last_avail[i] = device->used[i] = 0;
	}
}

void hostile_init(struct hostile *device, bool (*waited)(void *ctx), void *ctx)
{
	memset(device, 0, sizeof(*device));
	device->peer = (struct world_peer){
		.sent = on_sent,
		.receive = on_receive,
		.readable = on_readable,
		.gone = on_gone,
		.connecting = on_connecting,
		.accepted = on_event,
		.closed = on_event,
		.wait = on_wait,
		.ctx = device,
	};
	device->waited = waited;
	device->ctx = ctx;
	device->features = VIRTIO_BIT(RPMSG_F_NS) | VIRTIO_BIT(1) | VIRTIO_BIT(VIRTIO_F_VERSION_1) |
			   VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC) |
			   VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX) |
			   VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	device->protocol =
		VIRTIO_BIT(VHOST_PROTOCOL_F_MQ) | VIRTIO_BIT(VHOST_PROTOCOL_F_REPLY_ACK) |
		VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIG) | VIRTIO_BIT(VHOST_PROTOCOL_F_RESET_DEVICE) |
		VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS) |
		VIRTIO_BIT(VHOST_PROTOCOL_F_STATUS);
	device->config[0] = 1;
	wire_put_le16(device->config + 1, 11);
	wire_put_le32(device->config + 3, RPMSG_BUF_SIZE);
	wire_put_le32(device->config + 7, RPMSG_BUF_SIZE);
	hostile_renew(device);
}

void hostile_close(struct hostile *device)
{
	for (unsigned int i = 0; i < HOSTILE_MAX_ENTRIES; i++)
		check_reads(device, i);
	memset(device->given, 0, sizeof(device->given));
	device->fe = NULL;
	for (unsigned int i = 0; i < device->held_count; i++)
		close(device->held[i]);
	for (unsigned int i = 0; i < device->out_fd_count; i++)
		close(device->out_fds[i]);
	device->held_count = device->out_fd_count = 0;
}
