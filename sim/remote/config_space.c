/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration space, and what it says of the size of buffers. */
#include "remote/remote_priv.h"

#include <errno.h>
#include <string.h>

static uint32_t advertised(const struct remote *remote, unsigned int queue)
{
	uint32_t size = remote->config.buffer_size[queue];

	return size != 0 ? size : RPMSG_BUF_SIZE;
}

void remote_config_reset(struct remote *remote)
{
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		remote->agreed_size[i] = advertised(remote, i);
	if (remote->layout != NULL)
		config_layout_fill(remote->layout, remote->agreed_size[RPMSG_QUEUE_INPUT],
				   remote->agreed_size[RPMSG_QUEUE_OUTPUT], remote->config_space);
}

uint32_t remote_buffer_size(const struct remote *remote, unsigned int queue)
{
	uint64_t bit;

	if (remote->layout == NULL)
		return remote->config.buffer_size[queue];
	bit = VIRTIO_BIT(remote->layout->sizes_bit);
	/* What was offered and not taken up leaves the usual size (Linux rpmsg_probe()). */
	if ((remote->config.offered & bit) != 0)
		return (remote->features & bit) != 0 ? remote->agreed_size[queue] : RPMSG_BUF_SIZE;
	return remote->config.buffer_size[queue];
}

uint32_t remote_config_size(const struct remote *remote)
{
	return remote->layout != NULL ? remote->layout->size : 0;
}

static bool is_inside(const struct remote *remote, uint32_t offset, uint32_t size)
{
	uint32_t room = remote_config_size(remote);

	return offset <= room && size <= room - offset;
}

int remote_config_read(const struct remote *remote, uint32_t offset, uint32_t size, uint8_t *to)
{
	if (!is_inside(remote, offset, size))
		return -EINVAL;
	memcpy(to, remote->config_space + offset, size);
	return 0;
}

static void tell_sizes(struct remote *remote)
{
	struct remote_event event = {
		.type = REMOTE_EVENT_CONFIG,
		.queue = REMOTE_NO_QUEUE,
		.desc_id = REMOTE_NO_DESC,
	};

	if (remote->ops->event == NULL)
		return;
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		event.buffer_size[i] = remote->agreed_size[i];
	remote->ops->event(remote->ctx, &event);
}

int remote_config_write(struct remote *remote, uint32_t offset, uint32_t size, const uint8_t *from)
{
	uint32_t to_host, to_remote;

	if (!is_inside(remote, offset, size))
		return -EINVAL;
	/* Nothing is inside of no configuration space, too. */
	if (remote->layout == NULL || !remote->layout->driver_writes)
		return -EACCES;
	memcpy(remote->config_space + offset, from, size);
	if (config_layout_read(remote->layout, remote->config_space, &to_host, &to_remote) == 0) {
		remote->agreed_size[RPMSG_QUEUE_INPUT] = to_host;
		remote->agreed_size[RPMSG_QUEUE_OUTPUT] = to_remote;
	}
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES && remote->attached; i++) {
		remote->queues[i].limit = remote_buffer_size(remote, i);
		remote->queues[i].first_size = remote->queues[i].limit;
	}
	tell_sizes(remote);
	return 0;
}
