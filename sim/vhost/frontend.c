/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "vhost/frontend_internal.h"

#define DEFAULT_MEMORY (UINT64_C(16) << 20)
#define DEFAULT_NUM 256U
#define DEFAULT_TIMEOUT_MS 5000
#define DEFAULT_PROTOCOL                                                                           \
	(VIRTIO_BIT(VHOST_PROTOCOL_F_MQ) | VIRTIO_BIT(VHOST_PROTOCOL_F_REPLY_ACK) |                \
	 VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIG) | VIRTIO_BIT(VHOST_PROTOCOL_F_RESET_DEVICE) |         \
	 VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS) | VIRTIO_BIT(VHOST_PROTOCOL_F_STATUS))

#define RING_ALIGN 4096U

/* open and close */

static int set_options(struct frontend *fe, const struct frontend_options *options)
{
	static const struct frontend_options none;
	struct frontend_options *o = &fe->options;

	*o = options ? *options : none;
	if (o->memory_size == 0)
		o->memory_size = DEFAULT_MEMORY;
	if (o->protocol == 0)
		o->protocol = DEFAULT_PROTOCOL;
	if (o->num_queues == 0)
		o->num_queues = VHOST_NUM_QUEUES_MAX;
	if (o->num == 0)
		o->num = DEFAULT_NUM;
	if (o->timeout_ms == 0)
		o->timeout_ms = DEFAULT_TIMEOUT_MS;

	if (o->num_queues > VHOST_NUM_QUEUES_MAX)
		return frontend_fail(fe, -EINVAL, "%u queues are more than %d", o->num_queues,
				     VHOST_NUM_QUEUES_MAX);
	if (!vring_size_is_valid(o->num))
		return frontend_fail(fe, -EINVAL,
				     "ring of %" PRIu32
				     " entries: a power of two from 1 to %u is possible",
				     o->num, VRING_MAX_SIZE);
	if (o->timeout_ms < 0)
		return frontend_fail(fe, -EINVAL, "deadline of %d ms lies in the past",
				     o->timeout_ms);
	if (o->memory_size > INT64_MAX - FRONTEND_GUEST_ADDR)
		return frontend_fail(fe, -EINVAL,
				     "%" PRIu64 " bytes of guest memory are impossible",
				     o->memory_size);
	return 0;
}

/* Sealed, so that a back-end may rely on the length that it was told. */
static int make_memory(struct frontend *fe)
{
	void *at;

	fe->memory_fd = memfd_create("rpmsg-guest-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fe->memory_fd < 0 || ftruncate(fe->memory_fd, (off_t)fe->options.memory_size) < 0 ||
	    fcntl(fe->memory_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	at = mmap(NULL, fe->options.memory_size, PROT_READ | PROT_WRITE, MAP_SHARED, fe->memory_fd,
		  0);
	if (at == MAP_FAILED)
		return -errno;
	fe->memory = at;
	return 0;
}

static int make_event(int *fd)
{
	*fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return *fd < 0 ? -errno : 0;
}

static int make_parts(struct frontend *fe)
{
	int flags = fcntl(fe->fd, F_GETFL);
	int ret = make_memory(fe);

	for (unsigned int i = 0; ret == 0 && i < fe->options.num_queues; i++) {
		struct frontend_queue *q = &fe->queues[i];

		ret = make_event(&q->kick_fd);
		if (ret == 0)
			ret = make_event(&q->call_fd);
		if (ret == 0)
			ret = make_event(&q->err_fd);
	}
	if (ret == 0 && (flags < 0 || fcntl(fe->fd, F_SETFL, flags | O_NONBLOCK) < 0))
		ret = -errno;
	return ret < 0 ? frontend_fail(fe, ret, "cannot make guest memory and events: %s",
				       strerror(-ret))
		       : 0;
}

/* The reader names what is wrong with the framing of an answer as if it were a request. */
static void on_violation(void *ctx, const struct violation_record *record)
{
	struct frontend *fe = ctx;

	snprintf(fe->error, sizeof(fe->error), "answer of the back-end: %s",
		 violation_text(record->what));
}

static void init(struct frontend *fe)
{
	memset(fe, 0, sizeof(*fe));
	fe->fd = -1;
	fe->memory_fd = -1;
	fe->sink = (struct violation_sink){.report = on_violation, .ctx = fe};
	for (unsigned int i = 0; i < VHOST_NUM_QUEUES_MAX; i++) {
		fe->queues[i].kick_fd = -1;
		fe->queues[i].call_fd = -1;
		fe->queues[i].err_fd = -1;
	}
	vhost_reader_init(&fe->reader);
}

/* fd is -1 when connecting failed, with the text left already. */
static int attach(struct frontend *fe, int fd, int ret)
{
	fe->fd = fd;
	if (ret == 0)
		ret = make_parts(fe);
	if (ret < 0)
		frontend_close(fe);
	return ret;
}

int frontend_attach(struct frontend *fe, int fd, const struct frontend_options *options)
{
	init(fe);
	return attach(fe, fd, set_options(fe, options));
}

/* connect() of a unix socket waits while the listener's queue is full: try until the deadline. */
static int connect_until(struct frontend *fe, int fd, const struct sockaddr_un *addr)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	int64_t deadline = frontend_now_ms() + fe->options.timeout_ms;

	while (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return frontend_fail(fe, -errno, "cannot connect to %s: %s", addr->sun_path,
					     strerror(errno));
		if (frontend_now_ms() >= deadline)
			return frontend_fail(fe, -ETIMEDOUT,
					     "cannot connect to %s: nobody accepted for %d ms",
					     addr->sun_path, fe->options.timeout_ms);
		/* A full backlog cannot be polled for. */
		nanosleep(&pause, NULL);
	}
	return 0;
}

int frontend_open(struct frontend *fe, const char *path, const struct frontend_options *options)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int ret, fd;

	init(fe);
	ret = set_options(fe, options);
	if (ret < 0)
		return ret;
	if (strlen(path) >= sizeof(addr.sun_path))
		return frontend_fail(fe, -ENAMETOOLONG, "socket path is longer than %zu bytes: %s",
				     sizeof(addr.sun_path) - 1, path);
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return frontend_fail(fe, -errno, "cannot make a socket: %s", strerror(errno));
	return attach(fe, fd, connect_until(fe, fd, &addr));
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void frontend_close(struct frontend *fe)
{
	vhost_reader_fini(&fe->reader);
	close_fd(&fe->fd);
	for (unsigned int i = 0; i < VHOST_NUM_QUEUES_MAX; i++) {
		struct frontend_queue *q = &fe->queues[i];

		drvq_stop(&q->dq);
		close_fd(&q->kick_fd);
		close_fd(&q->call_fd);
		close_fd(&q->err_fd);
	}
	if (fe->memory)
		munmap(fe->memory, fe->options.memory_size);
	fe->memory = NULL;
	close_fd(&fe->memory_fd);
	fe->running = false;
}

/* negotiation */

/* Once a connection: owner, protocol features, limits of the back-end. */
static int introduce(struct frontend *fe)
{
	uint64_t value = 0;
	int ret;

	if (fe->owner_set)
		return 0;
	ret = frontend_tell_bare(fe, VHOST_SET_OWNER);
	if (ret == 0)
		ret = frontend_ask_u64(fe, VHOST_GET_FEATURES, &fe->offered);
	if (fe->options.no_protocol_features)
		fe->offered &= ~VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	if (ret == 0 && (fe->offered & VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES))) {
		ret = frontend_ask_u64(fe, VHOST_GET_PROTOCOL_FEATURES, &fe->protocol_offered);
		value = fe->protocol_offered & fe->options.protocol;
		if (ret == 0)
			ret = frontend_tell_u64(fe, VHOST_SET_PROTOCOL_FEATURES, value);
		if (ret == 0)
			fe->protocol_acked = value;
	}
	if (ret == 0 && frontend_has(fe, VHOST_PROTOCOL_F_MQ)) {
		ret = frontend_ask_u64(fe, VHOST_GET_QUEUE_NUM, &value);
		if (ret == 0 && value < fe->options.num_queues)
			ret = frontend_fail(fe, -ENOTSUP,
					    "back-end has %" PRIu64 " queues, %u are needed", value,
					    fe->options.num_queues);
	}
	if (ret == 0 && frontend_has(fe, VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS)) {
		ret = frontend_ask_u64(fe, VHOST_GET_MAX_MEM_SLOTS, &value);
		if (ret == 0 && value == 0)
			ret = frontend_fail(fe, -ENOTSUP, "back-end has no slot for guest memory");
	}
	fe->owner_set = ret == 0;
	return ret;
}

int frontend_get_status(struct frontend *fe, uint8_t *status)
{
	uint64_t value;
	int ret;

	if (!frontend_has(fe, VHOST_PROTOCOL_F_STATUS))
		return frontend_fail(fe, -ENOTSUP, "device status was not negotiated");
	ret = frontend_ask_u64(fe, VHOST_GET_STATUS, &value);
	if (ret < 0)
		return ret;
	if (value > UINT8_MAX)
		return frontend_fail(fe, -EPROTO,
				     "device status 0x%" PRIx64 " has more than 8 bits", value);
	*status = (uint8_t)value;
	return 0;
}

/* VIRTIO 1.2, section 3.1.1: nothing of it without F_STATUS. */
static int set_status(struct frontend *fe, uint8_t status)
{
	if (!frontend_has(fe, VHOST_PROTOCOL_F_STATUS))
		return 0;
	return frontend_tell_u64(fe, VHOST_SET_STATUS, status);
}

static int confirm_features(struct frontend *fe)
{
	uint8_t status = 0;
	int ret;

	if (!frontend_has(fe, VHOST_PROTOCOL_F_STATUS))
		return 0;
	ret = set_status(fe, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
				     VIRTIO_STATUS_FEATURES_OK);
	if (ret == 0)
		ret = frontend_get_status(fe, &status);
	if (ret == 0 && !(status & VIRTIO_STATUS_FEATURES_OK))
		return frontend_fail(fe, -ENOTSUP, "back-end does not accept features 0x%" PRIx64,
				     fe->acked);
	return ret;
}

int frontend_negotiate(struct frontend *fe, uint64_t wanted, uint64_t needed)
{
	const uint64_t protocol = VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	int ret = introduce(fe);

	if (ret < 0)
		return ret;
	if (needed & ~fe->offered)
		return frontend_fail(fe, -ENOTSUP,
				     "back-end offers features 0x%" PRIx64 ", 0x%" PRIx64
				     " are missing",
				     fe->offered, needed & ~fe->offered);
	fe->acked = fe->offered & (wanted | needed | protocol);

	fe->ahead = true;
	ret = set_status(fe, VIRTIO_STATUS_ACKNOWLEDGE);
	if (ret == 0)
		ret = set_status(fe, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
	if (ret == 0)
		ret = frontend_tell_u64(fe, VHOST_SET_FEATURES, fe->acked);
	if (ret == 0)
		ret = confirm_features(fe);
	return frontend_settle(fe, ret);
}

/* memory and rings */

void *frontend_alloc(struct frontend *fe, uint64_t size, uint64_t align, uint64_t *guest_addr)
{
	uint64_t at = (fe->memory_used + align - 1) & ~(align - 1);

	if (at > fe->options.memory_size || size > fe->options.memory_size - at)
		return NULL;
	fe->memory_used = at + size;
	*guest_addr = FRONTEND_GUEST_ADDR + at;
	return fe->memory + at;
}

int frontend_make_queues(struct frontend *fe)
{
	struct drvq_layout layout;

	drvq_layout(&layout, fe->options.num);
	fe->memory_used = 0;
	for (unsigned int i = 0; i < fe->options.num_queues; i++) {
		struct frontend_queue *q = &fe->queues[i];
		uint64_t guest_addr;
		void *at = frontend_alloc(fe, layout.bytes, RING_ALIGN, &guest_addr);
		int ret;

		if (!at)
			return frontend_fail(
				fe, -ENOSPC,
				"%" PRIu64 " bytes of guest memory do not hold %u rings of "
				"%" PRIu32 " entries",
				fe->options.memory_size, fe->options.num_queues, fe->options.num);
		q->ring = guest_addr - FRONTEND_GUEST_ADDR;
		drvq_stop(&q->dq);
		ret = drvq_start(&q->dq, at, &layout, fe->options.num, fe->acked);
		if (ret < 0)
			return frontend_fail(fe, ret, "cannot make ring %u: %s", i, strerror(-ret));
	}
	return 0;
}

/* One region: a back-end with memory slots gets it as QEMU gives it, others get a table. */
static int send_memory(struct frontend *fe)
{
	bool slots = frontend_has(fe, VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
	struct vhost_msg msg;
	uint8_t *region = msg.payload + VHOST_MEM_HDR_SIZE;
	int ret;

	if (fe->memory_sent)
		return 0;
	vhost_msg_init(&msg, slots ? VHOST_ADD_MEM_REG : VHOST_SET_MEM_TABLE, 0);
	vhost_put_u64(msg.payload, 0);
	if (!slots)
		vhost_put_u32(msg.payload, 1);
	vhost_put_u64(region, FRONTEND_GUEST_ADDR);
	vhost_put_u64(region + 8, fe->options.memory_size);
	vhost_put_u64(region + 16, (uintptr_t)fe->memory);
	vhost_put_u64(region + 24, 0);
	msg.size = VHOST_MEM_HDR_SIZE + VHOST_MEM_REGION_SIZE;
	msg.fds[0] = fe->memory_fd;
	msg.fd_count = 1;
	ret = frontend_tell(fe, &msg);
	fe->memory_sent = ret == 0;
	return ret;
}

static int send_ring_address(struct frontend *fe, unsigned int index)
{
	struct frontend_queue *q = &fe->queues[index];
	uint64_t used_guest = FRONTEND_GUEST_ADDR + ((uint8_t *)q->dq.used - fe->memory);
	struct vhost_msg msg;

	vhost_msg_init(&msg, VHOST_SET_VRING_ADDR, 0);
	vhost_put_u32(msg.payload, index);
	vhost_put_u32(msg.payload + 4, 0);
	vhost_put_u64(msg.payload + 8, (uintptr_t)q->dq.desc);
	vhost_put_u64(msg.payload + 16, (uintptr_t)q->dq.used);
	vhost_put_u64(msg.payload + 24, (uintptr_t)q->dq.avail);
	vhost_put_u64(msg.payload + 32, used_guest);
	msg.size = VHOST_VRING_ADDR_SIZE;
	return frontend_tell(fe, &msg);
}

static int send_ring(struct frontend *fe, unsigned int index)
{
	struct frontend_queue *q = &fe->queues[index];
	int ret = frontend_tell_event(fe, VHOST_SET_VRING_CALL, index, q->call_fd);

	if (ret == 0)
		ret = frontend_tell_event(fe, VHOST_SET_VRING_ERR, index, q->err_fd);
	if (ret == 0)
		ret = frontend_tell_state(fe, VHOST_SET_VRING_NUM, index, fe->options.num);
	if (ret == 0)
		ret = frontend_tell_state(fe, VHOST_SET_VRING_BASE, index, 0);
	if (ret == 0)
		ret = send_ring_address(fe, index);
	if (ret == 0)
		ret = frontend_tell_event(fe, VHOST_SET_VRING_KICK, index, q->kick_fd);
	return ret;
}

static int enable_rings(struct frontend *fe, bool enable)
{
	int ret = 0;

	/* Without the bit rings are enabled from the start and cannot be disabled. */
	if (!(fe->acked & VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES)))
		return 0;
	for (unsigned int i = 0; ret == 0 && i < fe->options.num_queues; i++)
		ret = frontend_tell_state(fe, VHOST_SET_VRING_ENABLE, i, enable);
	return ret;
}

int frontend_start(struct frontend *fe)
{
	uint64_t features;
	int ret = send_memory(fe);

	fe->ahead = true;
	for (unsigned int i = 0; ret == 0 && i < fe->options.num_queues; i++)
		ret = send_ring(fe, i);
	if (ret == 0)
		ret = enable_rings(fe, true);
	if (ret == 0)
		ret = set_status(fe, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
					     VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
	/* Where nothing is acknowledged, an answer to this says that all before was served. */
	if (ret == 0 && !frontend_has(fe, VHOST_PROTOCOL_F_REPLY_ACK))
		ret = frontend_ask_u64(fe, VHOST_GET_FEATURES, &features);
	ret = frontend_settle(fe, ret);
	/* "front-ends SHOULD inject a kick after VHOST_USER_SET_VRING_KICK" */
	for (unsigned int i = 0; ret == 0 && i < fe->options.num_queues; i++)
		ret = frontend_kick(fe, i);
	fe->running = ret == 0;
	return ret;
}

static int stop_ring(struct frontend *fe, unsigned int index)
{
	struct vhost_msg msg, reply;
	uint32_t base;
	int ret;

	frontend_put_state(&msg, VHOST_GET_VRING_BASE, index, 0);
	ret = frontend_ask(fe, &msg, VHOST_VRING_STATE_SIZE, &reply);
	if (ret < 0)
		return ret;
	base = vhost_get_u32(reply.payload + 4);
	if (vhost_get_u32(reply.payload) != index || base > UINT16_MAX)
		return frontend_fail(fe, -EPROTO,
				     "back-end stopped queue %" PRIu32 " at %" PRIu32
				     " when told to stop %u",
				     vhost_get_u32(reply.payload), base, index);
	fe->queues[index].base = (uint16_t)base;
	return 0;
}

/* The driver's reset, in the way that this back-end hears of it. */
static int reset(struct frontend *fe)
{
	if (frontend_has(fe, VHOST_PROTOCOL_F_STATUS))
		return set_status(fe, 0);
	if (frontend_has(fe, VHOST_PROTOCOL_F_RESET_DEVICE))
		return frontend_tell_bare(fe, VHOST_RESET_DEVICE);
	return 0;
}

int frontend_stop(struct frontend *fe)
{
	int ret;

	fe->ahead = true;
	ret = enable_rings(fe, false);
	for (unsigned int i = 0; ret == 0 && i < fe->options.num_queues; i++)
		ret = stop_ring(fe, i);
	if (ret == 0)
		ret = reset(fe);
	fe->running = false;
	return frontend_settle(fe, ret);
}

/* data path */

int frontend_kick(struct frontend *fe, unsigned int queue)
{
	struct frontend_queue *q = &fe->queues[queue];

	/* EAGAIN: a counter that is full has been seen by nobody, but will be. */
	if (eventfd_write(q->kick_fd, 1) < 0 && errno != EAGAIN)
		return frontend_fail(fe, -errno, "cannot kick queue %u: %s", queue,
				     strerror(errno));
	q->kicks++;
	return 0;
}

/* Return: number of events that an eventfd held. */
static uint64_t take_events(int fd)
{
	eventfd_t events = 0;

	return eventfd_read(fd, &events) < 0 ? 0 : events;
}

/* The socket is readable although nothing was asked. */
static int unexpected(struct frontend *fe)
{
	struct vhost_msg msg;
	int ret = frontend_read(fe, "an interrupt", &msg);

	if (ret == 1) {
		vhost_msg_close_fds(&msg);
		return frontend_fail(fe, -EPROTO,
				     "back-end sent %s (%" PRIu32 ") without being asked",
				     vhost_request_name(msg.request), msg.request);
	}
	return ret == -EAGAIN ? 0 : ret;
}

int frontend_wait(struct frontend *fe, int timeout_ms)
{
	struct pollfd poll_fds[1 + 2 * VHOST_NUM_QUEUES_MAX];
	unsigned int count = fe->options.num_queues;
	int called = 0, ret;

	poll_fds[0] = (struct pollfd){.fd = fe->fd, .events = POLLIN};
	for (unsigned int i = 0; i < count; i++) {
		poll_fds[1 + i] = (struct pollfd){.fd = fe->queues[i].call_fd, .events = POLLIN};
		poll_fds[1 + count + i] =
			(struct pollfd){.fd = fe->queues[i].err_fd, .events = POLLIN};
	}
	ret = poll(poll_fds, 1 + 2 * count, timeout_ms);
	if (ret < 0)
		return frontend_fail(fe, -errno, "waiting for an interrupt: %s", strerror(errno));

	for (unsigned int i = 0; i < count; i++) {
		uint64_t calls = poll_fds[1 + i].revents ? take_events(fe->queues[i].call_fd) : 0;

		fe->queues[i].calls += calls;
		if (calls > 0)
			called |= 1 << i;
	}
	/* What was used before the connection or a ring broke is still worth taking. */
	if (called)
		return called;
	for (unsigned int i = 0; i < count; i++)
		if (poll_fds[1 + count + i].revents && take_events(fe->queues[i].err_fd) > 0)
			return frontend_fail(fe, -EIO, "back-end says that queue %u is broken", i);
	return poll_fds[0].revents ? unexpected(fe) : 0;
}

/* configuration space */

static int start_config(struct frontend *fe, struct vhost_msg *msg, uint32_t request,
			uint32_t offset, uint32_t size)
{
	if (!frontend_has(fe, VHOST_PROTOCOL_F_CONFIG))
		return frontend_fail(fe, -ENOTSUP, "configuration space was not negotiated");
	if (size > VHOST_CONFIG_MAX)
		return frontend_fail(fe, -EINVAL,
				     "%" PRIu32 " bytes of configuration space are above %d", size,
				     VHOST_CONFIG_MAX);
	vhost_msg_init(msg, request, 0);
	vhost_put_u32(msg->payload, offset);
	vhost_put_u32(msg->payload + 4, size);
	vhost_put_u32(msg->payload + 8, 0);
	memset(msg->payload + VHOST_CONFIG_HDR_SIZE, 0, size);
	msg->size = VHOST_CONFIG_HDR_SIZE + size;
	return 0;
}

int frontend_get_config(struct frontend *fe, uint32_t offset, uint32_t size, void *to)
{
	struct vhost_msg msg, reply;
	int ret = start_config(fe, &msg, VHOST_GET_CONFIG, offset, size);

	if (ret == 0)
		ret = frontend_ask(fe, &msg, VHOST_CONFIG_HDR_SIZE + size, &reply);
	if (ret < 0)
		return ret;
	if (vhost_get_u32(reply.payload) != offset || vhost_get_u32(reply.payload + 4) != size)
		return frontend_fail(fe, -EPROTO,
				     "back-end answered with %" PRIu32 " bytes of configuration at "
				     "%" PRIu32 ", asked for %" PRIu32 " at %" PRIu32,
				     vhost_get_u32(reply.payload + 4), vhost_get_u32(reply.payload),
				     size, offset);
	memcpy(to, reply.payload + VHOST_CONFIG_HDR_SIZE, size);
	return 0;
}

int frontend_set_config(struct frontend *fe, uint32_t offset, uint32_t size, const void *from)
{
	struct vhost_msg msg;
	int ret = start_config(fe, &msg, VHOST_SET_CONFIG, offset, size);

	if (ret < 0)
		return ret;
	memcpy(msg.payload + VHOST_CONFIG_HDR_SIZE, from, size);
	return frontend_tell(fe, &msg);
}
