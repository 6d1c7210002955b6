/* SPDX-License-Identifier: BSD-2-Clause */
#include "vhost/vhost_proto.h"

#include <unistd.h>

const char *vhost_request_name(uint32_t request)
{
	switch (request) {
#define VHOST_REQUEST_NAME(number, symbol)                                                         \
	case VHOST_##symbol:                                                                       \
		return #symbol;
		VHOST_REQUESTS(VHOST_REQUEST_NAME)
#undef VHOST_REQUEST_NAME
	}
	return "unknown";
}

void vhost_msg_init(struct vhost_msg *msg, uint32_t request, uint32_t flags)
{
	msg->request = request;
	msg->flags = flags | VHOST_VERSION;
	msg->size = 0;
	msg->fd_count = 0;
	msg->fds_lost = 0;
	for (unsigned int i = 0; i < VHOST_MAX_FDS; i++)
		msg->fds[i] = -1;
}

void vhost_msg_close_fds(struct vhost_msg *msg)
{
	for (unsigned int i = 0; i < msg->fd_count && i < VHOST_MAX_FDS; i++) {
		if (msg->fds[i] >= 0)
			close(msg->fds[i]);
		msg->fds[i] = -1;
	}
	msg->fd_count = 0;
}
