/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/vhost_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMFD_NAME "vhost-test-memory"

/* what the back-end reports and tells */

static void on_violation(void *ctx, const struct violation_record *record)
{
	struct fx *fx = ctx;

	assert_true(fx->report_count < FX_MAX_REPORTS);
	fx->reports[fx->report_count++] = *record;
}

__attribute__((format(printf, 2, 3))) static void note(struct fx *fx, const char *format, ...)
{
	size_t have = strlen(fx->events);
	va_list args;

	if (have > 0)
		fx->events[have++] = ' ';
	va_start(args, format);
	vsnprintf(fx->events + have, sizeof(fx->events) - have, format, args);
	va_end(args);
	assert_true(strlen(fx->events) < sizeof(fx->events) - 1);
}

static void on_features(void *ctx, uint64_t acked)
{
	note(ctx, "features");
}

static void on_status(void *ctx, uint8_t status, uint8_t before)
{
	note(ctx, "status:%u>%u", before, status);
}

static void on_queue_started(void *ctx, unsigned int queue)
{
	note(ctx, "started:%u", queue);
}

/* "Pushes are still possible": the ring has to be there. */
static void on_queue_stopping(void *ctx, unsigned int queue)
{
	struct fx *fx = ctx;

	assert_true(fx->be.queues[queue].vq.started);
	virtq_flush(&fx->be.queues[queue].vq);
	note(ctx, "stopping:%u", queue);
}

static void on_driver_ok(void *ctx)
{
	note(ctx, "driver_ok");
}

static void on_driver_gone(void *ctx)
{
	note(ctx, "driver_gone");
}

static void on_kick_fd(void *ctx, unsigned int queue, int fd)
{
	assert_true(fd == -1 || fcntl(fd, F_GETFD) == FD_CLOEXEC || fcntl(fd, F_GETFD) == 0);
	note(ctx, "kick_fd:%u:%s", queue, fd < 0 ? "none" : "set");
}

static void on_kick(void *ctx, unsigned int queue)
{
	note(ctx, "kick:%u", queue);
}

static void on_reset(void *ctx)
{
	note(ctx, "reset");
}

static int on_config_read(void *ctx, uint32_t offset, uint32_t size, uint8_t *to)
{
	struct fx *fx = ctx;

	assert_true(offset <= FX_CONFIG_SIZE && size <= FX_CONFIG_SIZE - offset);
	memcpy(to, fx->config + offset, size);
	return fx->config_error;
}

static int on_config_write(void *ctx, uint32_t offset, uint32_t size, const uint8_t *from)
{
	struct fx *fx = ctx;

	assert_true(offset <= FX_CONFIG_SIZE && size <= FX_CONFIG_SIZE - offset);
	if (fx->config_error == 0)
		memcpy(fx->config + offset, from, size);
	return fx->config_error;
}

/* files and descriptors */

int fx_memfd(uint64_t size)
{
	int fd = memfd_create(MEMFD_NAME, MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

int fx_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

int fx_maps_of(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int count = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		count += strstr(line, name) != NULL;
	fclose(maps);
	return count;
}

int fx_maps_of_memory(void)
{
	return fx_maps_of(MEMFD_NAME);
}

uint64_t fx_count(int eventfd)
{
	uint64_t count = 0;

	if (read(eventfd, &count, sizeof(count)) < 0)
		assert_int_equal(errno, EAGAIN);
	return count;
}

static int new_event(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

int fx_setup(void **state)
{
	int fds_before = fx_open_fds();
	struct fx *fx = calloc(1, sizeof(*fx));

	assert_non_null(fx);
	fx->fds_before = fds_before;
	fx->sink = (struct violation_sink){.report = on_violation, .ctx = fx};
	fx->offer = (struct backend_offer){
		.features = FX_FEATURES,
		.num_queues = FX_NUM_QUEUES,
		.config_size = FX_CONFIG_SIZE,
	};
	fx->ops = (struct backend_ops){
		.features = on_features,
		.status = on_status,
		.queue_started = on_queue_started,
		.queue_stopping = on_queue_stopping,
		.driver_ok = on_driver_ok,
		.driver_gone = on_driver_gone,
		.kick_fd = on_kick_fd,
		.kick = on_kick,
		.reset = on_reset,
		.config_read = on_config_read,
		.config_write = on_config_write,
	};
	for (unsigned int i = 0; i < FX_CONFIG_SIZE; i++)
		fx->config[i] = (uint8_t)(0xc0 + i);
	for (unsigned int i = 0; i < FX_NUM_QUEUES; i++) {
		fx->kick[i] = new_event();
		fx->call[i] = new_event();
		fx->err[i] = new_event();
	}
	fx->memory = fx_memfd(FX_MEM_SIZE);
	fx->host = mmap(NULL, FX_MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fx->memory, 0);
	assert_ptr_not_equal(fx->host, MAP_FAILED);
	assert_int_equal(backend_init(&fx->be, &fx->offer, &fx->ops, fx, &fx->sink), 0);
	*state = fx;
	return 0;
}

int fx_teardown(void **state)
{
	struct fx *fx = *state;

	backend_fini(&fx->be);
	munmap(fx->host, FX_MEM_SIZE);
	close(fx->memory);
	for (unsigned int i = 0; i < FX_NUM_QUEUES; i++) {
		close(fx->kick[i]);
		close(fx->call[i]);
		close(fx->err[i]);
	}
	assert_int_equal(fx->report_count, 0); /* each was looked at */
	assert_int_equal(fx_open_fds(), fx->fds_before);
	assert_int_equal(fx_maps_of_memory(), 0);
	free(fx);
	return 0;
}

/* messages */

void fx_handle(struct fx *fx, struct vhost_msg *msg)
{
	memset(&fx->reply, 0xa5, sizeof(fx->reply));
	fx->result = backend_handle(&fx->be, msg, &fx->reply);
	assert_int_equal(msg->fd_count, 0);
	if (fx->result == 1) {
		assert_int_equal(fx->reply.request, msg->request);
		assert_int_equal(fx->reply.flags, VHOST_VERSION | VHOST_FLAG_REPLY);
		assert_int_equal(fx->reply.fd_count, 0);
	}
}

void fx_send(struct fx *fx, uint32_t request, const void *payload, uint32_t size, const int *fds,
	     unsigned int fd_count)
{
	struct vhost_msg msg;

	vhost_msg_init(&msg, request, fx->need_reply ? VHOST_FLAG_NEED_REPLY : 0);
	msg.size = size;
	if (size > 0)
		memcpy(msg.payload, payload, size);
	for (unsigned int i = 0; i < fd_count; i++) {
		msg.fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		assert_true(msg.fds[i] >= 0);
	}
	msg.fd_count = fd_count;
	fx_handle(fx, &msg);
}

void fx_bare(struct fx *fx, uint32_t request)
{
	fx_send(fx, request, NULL, 0, NULL, 0);
}

void fx_u64(struct fx *fx, uint32_t request, uint64_t value)
{
	fx_send(fx, request, &value, sizeof(value), NULL, 0);
}

void fx_state(struct fx *fx, uint32_t request, uint32_t index, uint32_t num)
{
	uint32_t state[2] = {index, num};

	fx_send(fx, request, state, sizeof(state), NULL, 0);
}

void fx_event(struct fx *fx, uint32_t request, uint64_t value, int fd)
{
	fx_send(fx, request, &value, sizeof(value), &fd, fd < 0 ? 0 : 1);
}

void fx_addr(struct fx *fx, uint32_t index, const struct fx_addr *addr)
{
	uint8_t payload[VHOST_VRING_ADDR_SIZE];

	vhost_put_u32(payload, index);
	vhost_put_u32(payload + 4, addr->flags);
	vhost_put_u64(payload + 8, addr->desc);
	vhost_put_u64(payload + 16, addr->used);
	vhost_put_u64(payload + 24, addr->avail);
	vhost_put_u64(payload + 32, addr->log);
	fx_send(fx, VHOST_SET_VRING_ADDR, payload, sizeof(payload), NULL, 0);
}

static void put_region(uint8_t *at, const struct fx_region *region)
{
	vhost_put_u64(at, region->guest);
	vhost_put_u64(at + 8, region->size);
	vhost_put_u64(at + 16, region->user);
	vhost_put_u64(at + 24, region->offset);
}

void fx_table(struct fx *fx, const struct fx_region *regions, unsigned int count)
{
	uint8_t payload[VHOST_MEM_HDR_SIZE + VHOST_MAX_MEM_TABLE * VHOST_MEM_REGION_SIZE] = {0};
	int fds[VHOST_MAX_MEM_TABLE];

	vhost_put_u32(payload, count);
	for (unsigned int i = 0; i < count; i++) {
		put_region(payload + VHOST_MEM_HDR_SIZE + (size_t)i * VHOST_MEM_REGION_SIZE,
			   &regions[i]);
		fds[i] = fx->memory;
	}
	fx_send(fx, VHOST_SET_MEM_TABLE, payload,
		VHOST_MEM_HDR_SIZE + count * VHOST_MEM_REGION_SIZE, fds, count);
}

void fx_region(struct fx *fx, uint32_t request, const struct fx_region *region, int fd)
{
	uint8_t payload[VHOST_MEM_HDR_SIZE + VHOST_MEM_REGION_SIZE] = {0};

	put_region(payload + VHOST_MEM_HDR_SIZE, region);
	fx_send(fx, request, payload, sizeof(payload), &fd, fd < 0 ? 0 : 1);
}

void fx_config(struct fx *fx, uint32_t request, uint32_t offset, uint32_t size, uint32_t flags,
	       const void *bytes)
{
	uint8_t payload[VHOST_CONFIG_HDR_SIZE + VHOST_CONFIG_MAX] = {0};

	vhost_put_u32(payload, offset);
	vhost_put_u32(payload + 4, size);
	vhost_put_u32(payload + 8, flags);
	if (bytes)
		memcpy(payload + VHOST_CONFIG_HDR_SIZE, bytes, size);
	fx_send(fx, request, payload, VHOST_CONFIG_HDR_SIZE + size, NULL, 0);
}

void fx_log_base(struct fx *fx, uint64_t size, uint64_t offset, int fd)
{
	uint64_t payload[2] = {size, offset};

	fx_send(fx, VHOST_SET_LOG_BASE, payload, sizeof(payload), &fd, fd < 0 ? 0 : 1);
}

/* longer ways */

struct fx_addr fx_ring_addr(unsigned int index, uint32_t num)
{
	uint64_t start = FX_USER + index * FX_RING_ROOM;
	uint64_t avail = start + vring_desc_bytes(num);
	uint64_t used = (avail + vring_avail_bytes(num) + 3) & ~UINT64_C(3);

	return (struct fx_addr){
		.desc = start,
		.avail = avail,
		.used = used,
		.log = used - FX_USER + FX_GUEST,
	};
}

struct fx_region fx_whole_memory(void)
{
	return (struct fx_region){.guest = FX_GUEST, .size = FX_MEM_SIZE, .user = FX_USER};
}

void fx_negotiate(struct fx *fx, uint64_t features, uint64_t protocol_features)
{
	fx_bare(fx, VHOST_SET_OWNER);
	assert_served(fx);
	if (protocol_features) {
		fx_u64(fx, VHOST_SET_PROTOCOL_FEATURES, protocol_features);
		assert_served(fx);
	}
	fx->need_reply = protocol_features & VIRTIO_BIT(VHOST_PROTOCOL_F_REPLY_ACK);
	fx_u64(fx, VHOST_SET_FEATURES, features);
	assert_served(fx);
}

void fx_memory(struct fx *fx)
{
	struct fx_region whole = fx_whole_memory();

	fx_table(fx, &whole, 1);
	assert_served(fx);
}

void fx_ring(struct fx *fx, unsigned int index)
{
	struct fx_addr addr = fx_ring_addr(index, FX_NUM);

	fx_event(fx, VHOST_SET_VRING_CALL, index, fx->call[index]);
	assert_served(fx);
	fx_event(fx, VHOST_SET_VRING_ERR, index, fx->err[index]);
	assert_served(fx);
	fx_state(fx, VHOST_SET_VRING_NUM, index, FX_NUM);
	assert_served(fx);
	fx_state(fx, VHOST_SET_VRING_BASE, index, 0);
	assert_served(fx);
	fx_addr(fx, index, &addr);
	assert_served(fx);
	fx_event(fx, VHOST_SET_VRING_KICK, index, fx->kick[index]);
	assert_served(fx);
}

void fx_sized_queue(struct fx *fx)
{
	fx_negotiate(fx, FX_ACKED, FX_PROTOCOL);
	fx_memory(fx);
	fx_state(fx, VHOST_SET_VRING_NUM, 0, FX_NUM);
	assert_served(fx);
}

void fx_rings(struct fx *fx)
{
	fx_memory(fx);
	for (unsigned int i = 0; i < FX_NUM_QUEUES; i++) {
		fx_ring(fx, i);
		fx_state(fx, VHOST_SET_VRING_ENABLE, i, 1);
		assert_served(fx);
	}
}

void fx_start_driver(struct fx *fx, struct drvq *dq, unsigned int queue)
{
	struct fx_addr addr = fx_ring_addr(queue, FX_NUM);
	struct drvq_layout layout = {
		.desc = addr.desc - FX_USER,
		.avail = addr.avail - FX_USER,
		.used = addr.used - FX_USER,
		.bytes = addr.used - FX_USER + vring_used_bytes(FX_NUM),
	};

	memset(dq, 0, sizeof(*dq));
	assert_int_equal(drvq_start(dq, fx->host, &layout, FX_NUM, FX_ACKED), 0);
}

void fx_run(struct fx *fx)
{
	uint64_t protocol = FX_PROTOCOL;

	if (fx->offer.config_size == 0)
		protocol &= ~VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIG);
	fx_negotiate(fx, FX_ACKED, protocol);
	fx_rings(fx);
	fx_u64(fx, VHOST_SET_STATUS, FX_DRIVER_OK);
	assert_served(fx);
	assert_true(fx->be.driver_ok);
	fx->events[0] = '\0';
}

/* judgements */

void fx_assert_reported(struct fx *fx, enum violation what, const char *file, int line)
{
	_assert_int_equal(fx->report_count, 1, file, line);
	_assert_string_equal(violation_name(fx->reports[0].what), violation_name(what), file, line);
	fx->report_count = 0;
}

void fx_assert_served(struct fx *fx, const char *file, int line)
{
	if (fx->report_count > 0)
		_assert_string_equal(violation_name(fx->reports[0].what), "none", file, line);
	_assert_int_equal(fx->result, fx->need_reply, file, line);
	if (fx->need_reply)
		fx_assert_reply_u64(fx, 0, file, line);
}

void fx_assert_refused(struct fx *fx, enum violation what, const char *file, int line)
{
	fx_assert_reported(fx, what, file, line);
	_assert_int_equal(fx->result, fx->need_reply, file, line);
	if (fx->need_reply)
		fx_assert_reply_u64(fx, 1, file, line);
}

void fx_assert_events(struct fx *fx, const char *text, const char *file, int line)
{
	_assert_string_equal(fx->events, text, file, line);
	fx->events[0] = '\0';
}

void fx_assert_reply_u64(struct fx *fx, uint64_t value, const char *file, int line)
{
	_assert_int_equal(fx->result, 1, file, line);
	_assert_int_equal(fx->reply.size, sizeof(value), file, line);
	_assert_int_equal(vhost_get_u64(fx->reply.payload), value, file, line);
}
