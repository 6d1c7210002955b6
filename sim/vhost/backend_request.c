/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages from the back-end to the front-end, on a socket of their own. The one place of the
 * back-end that touches a socket: such a message comes from the device and answers no request.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vhost/backend_internal.h"
#include "vhost/socket.h"

void backend_close_requests(struct backend *be)
{
	if (be->request_fd >= 0)
		close(be->request_fd);
	be->request_fd = -1;
}

int backend_set_request_fd(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	int flags = fcntl(msg->fds[0], F_GETFL);
	struct stat st;

	/* It is never waited for. */
	if (flags < 0 || fstat(msg->fds[0], &st) < 0 || !S_ISSOCK(st.st_mode) ||
	    fcntl(msg->fds[0], F_SETFL, flags | O_NONBLOCK) < 0)
		return backend_refuse(be, VIOLATION_VU_NOT_EVENTFD, VIOLATION_NO_QUEUE, 0, 0);
	backend_close_requests(be);
	be->request_fd = msg->fds[0];
	msg->fds[0] = -1;
	return 0;
}

int backend_config_changed(struct backend *be)
{
	struct vhost_msg msg;

	if (be->request_fd < 0 || !(be->protocol_acked & VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIG)))
		return -ENOTCONN;
	vhost_msg_init(&msg, VHOST_BACKEND_CONFIG_CHANGE_MSG, 0);
	return vhost_write(be->request_fd, &msg);
}

int backend_needs_reset(struct backend *be)
{
	be->needs_reset = true;
	return backend_config_changed(be);
}
