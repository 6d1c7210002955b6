/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vhost-user back-end around a stack that has an adapter (adapters/adapter.h), as small as can
 * be: one front-end at a time, one poll(). With adapters/naive.c it is what the tests of
 * rpmsg-fuzz remote attack.
 *
 * Usage: PROGRAM SOCKET
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "adapters/adapter.h"
#include "vhost/backend.h"
#include "vhost/socket.h"

struct device {
	struct backend be;
	void *stack;
	int kick_fds[ADAPTER_QUEUES];
	uint16_t used[ADAPTER_QUEUES]; /* used index when the driver was called last */
};

static uint16_t used_index(const struct device *device, unsigned int queue)
{
	uint16_t index;

	memcpy(&index, (const uint8_t *)device->be.queues[queue].vq.rings.used + 2, sizeof(index));
	return index;
}

static void serve(struct device *device)
{
	if (device->stack == NULL)
		return;
	adapter.poll(device->stack, 0);
	for (unsigned int i = 0; i < ADAPTER_QUEUES; i++) {
		if (used_index(device, i) == device->used[i])
			continue;
		device->used[i] = used_index(device, i);
		backend_call(&device->be, i);
	}
}

static void on_driver_ok(void *ctx)
{
	struct device *device = ctx;
	const struct gmem_region *region = &device->be.mem.regions[0];
	struct adapter_setup setup = {
		.memory = region->host,
		.memory_address = region->guest_addr,
		.memory_size = region->size,
		.features = device->be.acked,
	};

	for (unsigned int i = 0; i < ADAPTER_QUEUES; i++) {
		const struct virtq *vq = &device->be.queues[i].vq;

		setup.queues[i] = (struct adapter_queue){
			vq->num,
			vq->rings.desc,
			vq->rings.avail,
			vq->rings.used,
		};
		device->used[i] = used_index(device, i);
	}
	device->stack = adapter.init(&setup);
}

static void on_driver_gone(void *ctx)
{
	struct device *device = ctx;

	if (device->stack != NULL)
		adapter.fini(device->stack);
	device->stack = NULL;
}

static void on_kick_fd(void *ctx, unsigned int queue, int fd)
{
	struct device *device = ctx;

	device->kick_fds[queue] = fd;
}

static void on_kick(void *ctx, unsigned int queue)
{
	struct device *device = ctx;

	if (device->stack == NULL)
		return;
	adapter.feed(device->stack, queue);
	serve(device);
}

static const struct backend_ops ops = {
	.driver_ok = on_driver_ok,
	.driver_gone = on_driver_gone,
	.kick_fd = on_kick_fd,
	.kick = on_kick,
};

/* Return: false when the connection is to be closed. */
static bool take_messages(struct device *device, struct vhost_reader *reader, int fd)
{
	struct vhost_msg message, reply;
	int ret;

	while ((ret = vhost_read(reader, fd, &message, NULL)) == 1) {
		ret = backend_handle(&device->be, &message, &reply);
		if (ret < 0 || (ret == 1 && vhost_write(fd, &reply) < 0))
			return false;
	}
	return ret == -EAGAIN;
}

static void serve_connection(int fd)
{
	static struct device device;
	const struct backend_offer offer = {.features = adapter.features,
					    .num_queues = ADAPTER_QUEUES};
	struct vhost_reader reader;
	bool open = true;

	memset(&device, 0, sizeof(device));
	device.kick_fds[0] = device.kick_fds[1] = -1;
	vhost_reader_init(&reader);
	if (backend_init(&device.be, &offer, &ops, &device, NULL) < 0)
		open = false;
	while (open) {
		struct pollfd polled[1 + ADAPTER_QUEUES] = {{.fd = fd, .events = POLLIN}};

		for (unsigned int i = 0; i < ADAPTER_QUEUES; i++)
			polled[1 + i] = (struct pollfd){device.kick_fds[i], POLLIN, 0};
		if (poll(polled, 1 + ADAPTER_QUEUES, -1) < 0)
			break;
		for (unsigned int i = 0; i < ADAPTER_QUEUES; i++) {
			if (polled[1 + i].revents == 0)
				continue;
			if (backend_clear_kick(&device.be, i) < 0)
				device.kick_fds[i] = -1;
			else
				on_kick(&device, i);
		}
		if (polled[0].revents != 0)
			open = take_messages(&device, &reader, fd);
	}
	vhost_reader_fini(&reader);
	backend_fini(&device.be);
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener, fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path)) {
		fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
		return 2;
	}
	memcpy(address.sun_path, argv[1], strlen(argv[1]));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 8) < 0) {
		perror(argv[1]);
		return 2;
	}
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		serve_connection(fd);
	perror("accept");
	return 2;
}
