/* SPDX-License-Identifier: BSD-2-Clause */
#include "uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#define UEVENT_GROUP_KERNEL 1

int uevent_open(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = UEVENT_GROUP_KERNEL};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);
	int err;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

void uevent_drain(int fd)
{
	char ignored[64];

	/* ENOBUFS says that some were lost: whoever listens looks again in any case. */
	while (recv(fd, ignored, sizeof(ignored), 0) >= 0 || errno == ENOBUFS || errno == EINTR)
		;
}
