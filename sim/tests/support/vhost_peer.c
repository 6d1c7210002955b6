/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/vhost_peer.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vhost/socket.h"

static void on_violation(void *ctx, const struct violation_record *record)
{
	struct peer *peer = ctx;

	peer->violations++;
}

/* Give a buffer of queue 1 back and its contents to a buffer of queue 0. */
static void echo(struct peer *peer, const struct virtq_chain *out)
{
	struct virtq *to = &peer->be.queues[0].vq, *from = &peer->be.queues[1].vq;
	uint8_t bytes[512];
	int64_t size = virtq_read(from, out, 0, bytes, sizeof(bytes));
	struct virtq_chain in;

	if (size >= 0 && virtq_pop(to, &in) == 1) {
		virtq_write(to, &in, 0, bytes, (size_t)size);
		virtq_push(to, in.head, (uint32_t)size);
		if (virtq_flush(to))
			backend_call(&peer->be, 0);
		peer->echoed++;
	}
	virtq_push(from, out->head, 0);
	if (virtq_flush(from))
		backend_call(&peer->be, 1);
}

static void serve_queue(struct peer *peer)
{
	struct virtq *vq = &peer->be.queues[1].vq;
	struct virtq_chain chain;

	if (!peer->be.driver_ok)
		return;
	while (virtq_pop(vq, &chain) == 1) {
		if (peer->vanish) {
			peer->result = -ECANCELED;
			return;
		}
		if (peer->break_queue) {
			virtq_break(vq, VIOLATION_VQ_LOOP, VIOLATION_NO_DESC, 0, 0);
			backend_signal_error(&peer->be, 1);
			return;
		}
		echo(peer, &chain);
	}
}

static void on_driver_ok(void *ctx)
{
	struct peer *peer = ctx;

	peer->driver_oks++;
}

static void on_driver_gone(void *ctx)
{
	struct peer *peer = ctx;

	peer->driver_gones++;
}

static void on_kick_fd(void *ctx, unsigned int queue, int fd)
{
	struct peer *peer = ctx;

	peer->kick_fds[queue] = fd;
}

static void on_kick(void *ctx, unsigned int queue)
{
	serve_queue(ctx);
}

static int on_config_read(void *ctx, uint32_t offset, uint32_t size, uint8_t *to)
{
	struct peer *peer = ctx;

	memcpy(to, peer->config + offset, size);
	return 0;
}

static int on_config_write(void *ctx, uint32_t offset, uint32_t size, const uint8_t *from)
{
	struct peer *peer = ctx;

	memcpy(peer->config + offset, from, size);
	return 0;
}

static const struct backend_ops ops = {
	.driver_ok = on_driver_ok,
	.driver_gone = on_driver_gone,
	.kick_fd = on_kick_fd,
	.kick = on_kick,
	.config_read = on_config_read,
	.config_write = on_config_write,
};

static int serve_message(struct peer *peer, struct vhost_reader *reader,
			 const struct violation_sink *sink)
{
	struct vhost_msg msg, reply;
	int ret = vhost_read(reader, peer->fd, &msg, sink);

	if (ret != 1)
		return ret == -EAGAIN ? 0 : ret;
	ret = backend_handle(&peer->be, &msg, &reply);
	return ret == 1 ? vhost_write(peer->fd, &reply) : ret;
}

static void *run(void *arg)
{
	struct peer *peer = arg;
	struct violation_sink sink = {.report = on_violation, .ctx = peer};
	struct backend_offer offer = {
		.features = PEER_FEATURES,
		.num_queues = VHOST_NUM_QUEUES_MAX,
		.config_size = PEER_CONFIG_SIZE,
	};
	struct vhost_reader reader;

	vhost_reader_init(&reader);
	peer->result = backend_init(&peer->be, &offer, &ops, peer, &sink);
	while (peer->result == 0) {
		struct pollfd poll_fds[1 + VHOST_NUM_QUEUES_MAX] = {
			{.fd = peer->fd, .events = POLLIN},
		};

		for (unsigned int i = 0; i < VHOST_NUM_QUEUES_MAX; i++)
			poll_fds[1 + i] = (struct pollfd){
				.fd = peer->kick_fds[i],
				.events = POLLIN,
			};
		if (poll(poll_fds, 1 + VHOST_NUM_QUEUES_MAX, -1) < 0)
			continue;
		for (unsigned int i = 0; i < VHOST_NUM_QUEUES_MAX; i++)
			if (poll_fds[1 + i].revents && backend_clear_kick(&peer->be, i) > 0)
				serve_queue(peer);
		if (poll_fds[0].revents && peer->result == 0)
			peer->result = serve_message(peer, &reader, &sink);
	}
	backend_fini(&peer->be);
	vhost_reader_fini(&reader);
	close(peer->fd);
	return NULL;
}

void peer_start(struct peer *peer, int fd)
{
	peer->fd = fd;
	for (unsigned int i = 0; i < VHOST_NUM_QUEUES_MAX; i++)
		peer->kick_fds[i] = -1;
	assert_int_equal(pthread_create(&peer->thread, NULL, run, peer), 0);
}

void peer_join(struct peer *peer)
{
	assert_int_equal(pthread_join(peer->thread, NULL), 0);
}
