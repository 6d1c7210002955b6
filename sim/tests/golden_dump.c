/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the C code makes of golden messages (fixtures/README.md). Reads one message a line,
 *
 *	FORMAT ORDER HEX		FORMAT header, packet, ns or vhost-user; HEX - for no byte
 *
 * and answers each with one line of KEY=VALUE: numbers in decimal, bytes in hexadecimal. Started
 * and compared by conformance/selftest/test_virtio_golden_c.py.
 *
 * rpmsg formats go through the decoder, and what it found through the encoder ("again"). All
 * vhost-user messages go through one back-end, like a session; what is printed of them is the
 * state that they leave behind, since that is what a misread field would damage.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vhost/backend.h"
#include "vhost/socket.h"
#include "wire/rpmsg.h"

#define MAX_BYTES 2048
#define REGION_FILE_SIZE (1 << 20)

struct config_write {
	uint32_t offset, size;
	uint8_t data[VHOST_CONFIG_MAX];
};

static void die(const char *what)
{
	fprintf(stderr, "golden_dump: %s\n", what);
	exit(1);
}

static void put_hex(const char *key, const void *bytes, size_t size)
{
	printf("%s=", key);
	for (size_t i = 0; i < size; i++)
		printf("%02x", ((const uint8_t *)bytes)[i]);
	putchar(' ');
}

static void put_number(const char *key, uint64_t value)
{
	printf("%s=%" PRIu64 " ", key, value);
}

static size_t get_hex(const char *text, uint8_t *bytes)
{
	size_t size = 0;
	unsigned int byte;

	if (strcmp(text, "-") == 0)
		return 0;
	for (; text[0] && text[1]; text += 2) {
		if (size == MAX_BYTES || sscanf(text, "%2x", &byte) != 1)
			die("bad or too many digits");
		bytes[size++] = (uint8_t)byte;
	}
	if (text[0])
		die("odd number of digits");
	return size;
}

/* rpmsg */

static void dump_header(const uint8_t *bytes, size_t size, enum wire_order order)
{
	uint8_t again[RPMSG_HDR_SIZE];
	struct rpmsg_hdr hdr;

	if (rpmsg_hdr_decode(&hdr, bytes, size, order) != 0) {
		put_number("refused", 1);
		return;
	}
	put_number("src", hdr.src);
	put_number("dst", hdr.dst);
	put_number("reserved", hdr.reserved);
	put_number("len", hdr.len);
	put_number("flags", hdr.flags);
	rpmsg_hdr_encode(&hdr, again, order);
	put_hex("again", again, sizeof(again));
}

static void dump_ns(const uint8_t *bytes, size_t size, enum wire_order order)
{
	uint8_t again[RPMSG_NS_MSG_SIZE];
	struct rpmsg_ns_msg msg;

	if (rpmsg_ns_decode(&msg, bytes, size, order) != 0) {
		put_number("refused", 1);
		return;
	}
	put_hex("name", msg.name, strlen(msg.name));
	put_number("addr", msg.addr);
	put_number("flags", msg.flags);
	put_number("terminated", msg.name_terminated);
	put_number("padded", msg.name_padded);
	rpmsg_ns_encode(msg.name, msg.addr, msg.flags, again, order);
	put_hex("again", again, sizeof(again));
}

/* vhost-user */

static int config_read(void *ctx, uint32_t offset, uint32_t size, uint8_t *to)
{
	memset(to, 0, size);
	return 0;
}

static int config_write(void *ctx, uint32_t offset, uint32_t size, const uint8_t *from)
{
	struct config_write *write = ctx;

	write->offset = offset;
	write->size = size;
	memcpy(write->data, from, size);
	return 0;
}

static const struct backend_ops ops = {
	.config_read = config_read,
	.config_write = config_write,
};

static int memory_fd(void)
{
	int fd = memfd_create("golden", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, REGION_FILE_SIZE) < 0)
		die("no memory descriptor");
	return fd;
}

/* The descriptors that come with a request: the bytes do not hold them. */
static void add_fds(struct vhost_msg *msg)
{
	unsigned int count = 0;

	if (msg->request == VHOST_ADD_MEM_REG)
		count = 1;
	else if (msg->request == VHOST_SET_MEM_TABLE)
		count = vhost_get_u32(msg->payload);
	for (unsigned int i = 0; i < count && i < VHOST_MAX_FDS; i++)
		msg->fds[msg->fd_count++] = memory_fd();
}

static void dump_regions(const struct backend *be)
{
	put_number("regions", be->mem.count);
	for (unsigned int i = 0; i < be->mem.count; i++) {
		const struct gmem_region *region = &be->mem.regions[i];

		printf("region%u=%" PRIu64 ",%" PRIu64 ",%" PRIu64 " ", i, region->guest_addr,
		       region->size, region->user_addr);
	}
}

static void dump_queue(const struct backend *be, unsigned int number)
{
	const struct backend_queue *q = &be->queues[number];

	put_number("queue", number);
	put_number("num", q->num);
	put_number("base", q->base);
	put_number("descriptor", q->desc_user);
	put_number("used", q->used_user);
	put_number("available", q->avail_user);
	put_number("log", q->log_guest);
	put_number("enabled", q->enabled);
	put_number("call_fd", q->call.fd >= 0);
}

static void dump_state(const struct backend *be, const struct config_write *config,
		       const struct vhost_msg *msg)
{
	switch (msg->request) {
	case VHOST_SET_FEATURES:
		put_number("u64", be->acked);
		break;
	case VHOST_SET_PROTOCOL_FEATURES:
		put_number("u64", be->protocol_acked);
		break;
	case VHOST_SET_STATUS:
		put_number("u64", be->status);
		break;
	case VHOST_SET_MEM_TABLE:
	case VHOST_ADD_MEM_REG:
		dump_regions(be);
		break;
	case VHOST_SET_CONFIG:
		put_number("offset", config->offset);
		put_number("bytes", config->size);
		put_hex("contents", config->data, config->size);
		break;
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_BASE:
	case VHOST_GET_VRING_BASE:
	case VHOST_SET_VRING_ADDR:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ENABLE:
		dump_queue(be, vhost_get_u32(msg->payload) & VHOST_VRING_INDEX_MASK);
		break;
	}
}

static void dump_vhost(struct backend *be, const struct config_write *config, const uint8_t *bytes,
		       size_t size)
{
	struct vhost_reader reader;
	struct vhost_msg msg, reply;
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    write(pair[0], bytes, size) != (ssize_t)size)
		die("no socket");
	close(pair[0]);
	vhost_reader_init(&reader);
	ret = vhost_read(&reader, pair[1], &msg, NULL);
	vhost_reader_fini(&reader);
	close(pair[1]);
	if (ret != 1) {
		put_number("unreadable", (uint64_t)-ret);
		return;
	}
	printf("request=%s ", vhost_request_name(msg.request));
	put_number("version", msg.flags & VHOST_FLAG_VERSION_MASK);
	put_number("reply", (msg.flags & VHOST_FLAG_REPLY) != 0);
	put_number("need_reply", (msg.flags & VHOST_FLAG_NEED_REPLY) != 0);
	put_number("size", msg.size);

	add_fds(&msg);
	ret = backend_handle(be, &msg, &reply);
	if (ret < 0)
		put_number("closed", (uint64_t)-ret);
	if (ret == 1)
		put_hex("answer", reply.payload, reply.size);
	dump_state(be, config, &msg);
}

int main(void)
{
	static const struct backend_offer offer = {
		.features = VIRTIO_BIT(RPMSG_F_NS) | VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC) |
			    VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX) | VIRTIO_BIT(VIRTIO_F_VERSION_1),
		.num_queues = RPMSG_NUM_QUEUES,
		.config_size = 64,
	};
	static struct config_write config;
	static char line[2 * MAX_BYTES + 64], hex[sizeof(line)];
	static struct backend be;
	char format[16], order_name[16];
	uint8_t bytes[MAX_BYTES];

	if (backend_init(&be, &offer, &ops, &config, NULL) != 0)
		die("no back-end");
	while (fgets(line, sizeof(line), stdin)) {
		enum wire_order order;
		size_t size;

		if (sscanf(line, "%15s %15s %s", format, order_name, hex) != 3)
			die("a line is not FORMAT ORDER HEX");
		size = get_hex(hex, bytes);
		order = strcmp(order_name, "big") == 0 ? WIRE_BIG_ENDIAN : WIRE_LITTLE_ENDIAN;
		if (strcmp(format, "header") == 0 || strcmp(format, "packet") == 0)
			dump_header(bytes, size, order);
		else if (strcmp(format, "ns") == 0)
			dump_ns(bytes, size, order);
		else if (strcmp(format, "vhost-user") == 0)
			dump_vhost(&be, &config, bytes, size);
		else
			die("unknown format");
		putchar('\n');
	}
	backend_fini(&be);
	return 0;
}
