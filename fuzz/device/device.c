/* SPDX-License-Identifier: BSD-2-Clause */
#include "device/device.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What lies in a buffer behind a message: nothing that a kernel had there before. */
#define FILLER 0xa5

#define FEATURES                                                                                   \
	(VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(RPMSG_F_NS) |                                 \
	 VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX))

static const char service[] = "rpmsg-raw";

uint64_t device_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ---- rings -------------------------------------------------------------------------------- */

struct virtq *device_ring(struct device *device, unsigned int queue)
{
	struct virtq *vq = &device->backend.queues[queue].vq;

	return vq->started && !vq->broken ? vq : NULL;
}

bool device_take(struct device *device, unsigned int queue, struct device_buffer *buffer)
{
	struct device_queue *own = &device->queues[queue];
	struct virtq *vq = device_ring(device, queue);
	const uint8_t *desc;
	uint64_t addr;

	if (vq == NULL || vring_load16_acquire(vq->rings.avail, VRING_IDX) == own->taken)
		return false;
	buffer->head = vring_load16(vq->rings.avail, vring_avail_entry(own->taken & (vq->num - 1)));
	own->taken++;
	/* Be kicked for the next one. */
	vring_store16(vq->rings.used, vring_avail_event(vq->num), own->taken);
	vring_fence();
	desc = (const uint8_t *)vq->rings.desc +
	       (size_t)(buffer->head & (vq->num - 1)) * VRING_DESC_SIZE;
	if (vring_load16(desc, 12) & VRING_DESC_F_INDIRECT) {
		desc = gmem_at(&device->backend.mem, vring_load64(desc, 0), VRING_DESC_SIZE);
		if (desc == NULL)
			return false;
	}
	addr = vring_load64(desc, 0);
	buffer->size = vring_load32(desc, 8);
	buffer->at = gmem_at(&device->backend.mem, addr, buffer->size);
	return buffer->at != NULL && buffer->size != 0;
}

void device_show(struct device *device, unsigned int queue, enum device_post post)
{
	struct device_queue *own = &device->queues[queue];
	struct virtq *vq = device_ring(device, queue);
	bool wanted;

	if (vq == NULL || post == POST_HIDDEN)
		return;
	vring_store16_release(vq->rings.used, VRING_IDX, own->used);
	vring_fence();
	if (device->backend.acked & VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX))
		wanted = vring_need_event(vring_load16(vq->rings.avail, vring_used_event(vq->num)),
					  own->used, own->judged);
	else
		wanted = !(vring_load16(vq->rings.avail, VRING_FLAGS) & VRING_AVAIL_F_NO_INTERRUPT);
	if (post != POST_SILENT)
		own->judged = own->used;
	if (post == POST_LOUD || (post == POST_LAWFUL && wanted))
		backend_call(&device->backend, queue);
}

void device_put(struct device *device, unsigned int queue, uint32_t id, uint32_t length,
		enum device_post post)
{
	struct device_queue *own = &device->queues[queue];
	struct virtq *vq = device_ring(device, queue);
	uint64_t entry;

	if (vq == NULL)
		return;
	entry = vring_used_entry(own->used & (vq->num - 1));
	vring_store32(vq->rings.used, entry, id);
	vring_store32(vq->rings.used, entry + 4, length);
	own->used++;
	device_show(device, queue, post);
}

void device_used(struct device *device, unsigned int queue, const struct device_buffer *buffer,
		 uint32_t length, enum device_post post)
{
	struct device_queue *own = &device->queues[queue];

	own->history[own->history_count++ % DEVICE_HISTORY] = *buffer;
	device_put(device, queue, buffer->head, length, post);
}

bool device_message(struct device *device, const struct rpmsg_hdr *hdr, const uint8_t *payload,
		    size_t size, uint32_t used_more, enum device_post post)
{
	uint8_t header[RPMSG_HDR_SIZE];
	struct device_buffer buffer;
	size_t room, head;

	if (!device_take(device, RPMSG_QUEUE_INPUT, &buffer))
		return false;
	memset(buffer.at, FILLER, buffer.size);
	rpmsg_hdr_encode(hdr, header,
			 rpmsg_order(device->backend.acked & VIRTIO_BIT(VIRTIO_F_VERSION_1)));
	head = buffer.size < sizeof(header) ? buffer.size : sizeof(header);
	memcpy(buffer.at, header, head);
	room = buffer.size - head;
	if (size > room)
		size = room;
	if (size != 0)
		memcpy(buffer.at + head, payload, size);
	device_used(device, RPMSG_QUEUE_INPUT, &buffer, (uint32_t)(head + size) + used_more, post);
	return true;
}

/* ---- a polite device ---------------------------------------------------------------------- */

void device_announce(struct device *device, uint32_t address)
{
	device->address = address;
	device->announcing = true;
	device->serving = true;
	/* Nothing that an attack has left unsaid is kept back any longer. */
	for (unsigned int queue = 0; queue < RPMSG_NUM_QUEUES; queue++)
		if (device->queues[queue].judged != device->queues[queue].used)
			device_show(device, queue, POST_LAWFUL);
	device_serve(device);
}

static void try_announce(struct device *device)
{
	const struct rpmsg_hdr hdr = {
		.src = device->address, .dst = RPMSG_ADDR_NS, .len = RPMSG_NS_MSG_SIZE};
	uint8_t message[RPMSG_NS_MSG_SIZE];

	rpmsg_ns_encode(service, device->address, RPMSG_NS_CREATE, message,
			rpmsg_order(device->backend.acked & VIRTIO_BIT(VIRTIO_F_VERSION_1)));
	if (device_message(device, &hdr, message, sizeof(message), 0, POST_LAWFUL))
		device->announcing = false;
}

static void echo(struct device *device, const struct device_buffer *buffer)
{
	static uint8_t copy[DEVICE_BUFFER];
	size_t size = buffer->size < sizeof(copy) ? buffer->size : sizeof(copy);
	enum wire_order order = rpmsg_order(device->backend.acked & VIRTIO_BIT(VIRTIO_F_VERSION_1));
	struct rpmsg_hdr hdr, answer;

	memcpy(copy, buffer->at, size);
	if (rpmsg_hdr_decode(&hdr, copy, size, order) != 0 || hdr.len > size - RPMSG_HDR_SIZE ||
	    hdr.dst == RPMSG_ADDR_NS)
		return;
	answer = (struct rpmsg_hdr){.src = hdr.dst, .dst = hdr.src, .len = hdr.len};
	if (device_message(device, &answer, copy + RPMSG_HDR_SIZE, hdr.len, 0, POST_LAWFUL))
		device->echoed++;
}

void device_serve(struct device *device)
{
	struct device_buffer buffer;
	struct virtq *vq = device_ring(device, RPMSG_QUEUE_OUTPUT);

	if (!device->ready || vq == NULL)
		return;
	if (device->announcing)
		try_announce(device);
	/* A ring that an attack has written to must not keep this going for ever. */
	for (uint32_t left = vq->num; device->serving && left != 0; left--) {
		if (!device_take(device, RPMSG_QUEUE_OUTPUT, &buffer))
			break;
		device_used(device, RPMSG_QUEUE_OUTPUT, &buffer, 0, POST_LAWFUL);
		echo(device, &buffer);
	}
}

void device_kick(struct device *device, unsigned int queue)
{
	if (backend_clear_kick(&device->backend, queue) < 0)
		device->kicks[queue] = -1;
	device->kicked = true;
	device_serve(device);
}

/* ---- the back-end ------------------------------------------------------------------------- */

static void on_queue_started(void *ctx, unsigned int queue)
{
	struct device *device = ctx;
	const struct virtq *vq = &device->backend.queues[queue].vq;

	const uint16_t used = vring_load16(vq->rings.used, VRING_IDX);

	device->queues[queue] = (struct device_queue){
		.taken = device->backend.queues[queue].base, .used = used, .judged = used};
}

static void on_driver_ok(void *ctx)
{
	struct device *device = ctx;

	device->ready = true;
	printf("ready %u\n", device->number);
	device_serve(device);
}

static void on_driver_gone(void *ctx)
{
	struct device *device = ctx;

	device->ready = false;
}

static void on_kick_fd(void *ctx, unsigned int queue, int fd)
{
	struct device *device = ctx;

	device->kicks[queue] = fd;
}

static void on_kick(void *ctx, unsigned int queue)
{
	device_serve(ctx);
}

static int on_config_read(void *ctx, uint32_t offset, uint32_t size, uint8_t *to)
{
	const struct device *device = ctx;

	memcpy(to, device->config + offset, size);
	return 0;
}

static const struct backend_ops ops = {
	.queue_started = on_queue_started,
	.driver_ok = on_driver_ok,
	.driver_gone = on_driver_gone,
	.kick_fd = on_kick_fd,
	.kick = on_kick,
	.config_read = on_config_read,
};

static void hang_up(struct device *device)
{
	if (device->connection < 0)
		return;
	backend_fini(&device->backend);
	vhost_reader_fini(&device->reader);
	close(device->connection);
	device->connection = -1;
	device->ready = device->attacking = device->announcing = false;
	device->kicks[0] = device->kicks[1] = -1;
	printf("gone %u\n", device->number);
}

void device_init(struct device *device, unsigned int number, int listener)
{
	memset(device, 0, sizeof(*device));
	device->number = number;
	device->listener = listener;
	device->connection = -1;
	device->kicks[0] = device->kicks[1] = -1;
	vhost_reader_init(&device->reader);
}

void device_connected(struct device *device, int fd)
{
	const struct backend_offer offer = {
		.features = FEATURES & ~device->withheld,
		.num_queues = RPMSG_NUM_QUEUES,
		.config_size = DEVICE_CONFIG,
		.backend_requests = true,
	};

	hang_up(device);
	device->connection = fd;
	device->serving = true;
	device->echoed = 0;
	memset(device->queues, 0, sizeof(device->queues));
	/* Cannot fail for an offer that is always the same. */
	(void)backend_init(&device->backend, &offer, &ops, device, NULL);
}

bool device_readable(struct device *device)
{
	struct vhost_msg msg, reply;
	int ret = vhost_read(&device->reader, device->connection, &msg, NULL);

	if (ret == -EAGAIN)
		return true;
	if (ret == 1)
		ret = backend_handle(&device->backend, &msg, &reply);
	if (ret == 1)
		ret = vhost_write(device->connection, &reply);
	if (ret < 0)
		hang_up(device);
	return ret >= 0;
}
