/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost-user: message numbers, layouts, limits. Shared by the back-end and the front-end.
 * Source: QEMU docs/interop/vhost-user.rst (protocol version 1).
 *
 * All numbers of a message are in the machine's own byte order ("Message Specification"):
 * both ends run on one machine. The accessors at the end read and write them unaligned.
 */
#ifndef VHOST_PROTO_H
#define VHOST_PROTO_H

#include <stdint.h>
#include <string.h>

#define VHOST_HDR_SIZE 12 /* u32 request, u32 flags, u32 size */
#define VHOST_VERSION 0x1U
#define VHOST_FLAG_VERSION_MASK 0x3U
#define VHOST_FLAG_REPLY 0x4U
#define VHOST_FLAG_NEED_REPLY 0x8U

#define VHOST_MAX_FDS 8
#define VHOST_MAX_MEM_TABLE 8  /* regions in one SET_MEM_TABLE */
#define VHOST_CONFIG_MAX 256   /* bytes of configuration space */
#define VHOST_MAX_PAYLOAD 1024 /* above any request that is served */
#define VHOST_NUM_QUEUES_MAX 2

/* Payloads: u64 of SET_VRING_KICK, CALL and ERR. */
#define VHOST_VRING_INDEX_MASK 0xffU
#define VHOST_VRING_NOFD 0x100U

/* SET_VRING_ADDR: u32 index, flags; u64 descriptor, used, available, log. */
#define VHOST_VRING_ADDR_SIZE 40
#define VHOST_VRING_F_LOG 0x1U

/* Vring state: u32 index, num. */
#define VHOST_VRING_STATE_SIZE 8

/* Memory: u32 regions, padding, then regions; a single region has a u64 of padding before. */
#define VHOST_MEM_HDR_SIZE 8
#define VHOST_MEM_REGION_SIZE 32 /* u64 guest address, size, user address, mmap offset */

/* SET_LOG_BASE: u64 size, offset. */
#define VHOST_LOG_SIZE 16

/* Configuration space: u32 offset, size, flags, then size bytes. */
#define VHOST_CONFIG_HDR_SIZE 12
#define VHOST_CONFIG_F_MIGRATION 1U

/* X(number, symbol) */
#define VHOST_REQUESTS(X)                                                                          \
	X(1, GET_FEATURES)                                                                         \
	X(2, SET_FEATURES)                                                                         \
	X(3, SET_OWNER)                                                                            \
	X(4, RESET_OWNER)                                                                          \
	X(5, SET_MEM_TABLE)                                                                        \
	X(6, SET_LOG_BASE)                                                                         \
	X(7, SET_LOG_FD)                                                                           \
	X(8, SET_VRING_NUM)                                                                        \
	X(9, SET_VRING_ADDR)                                                                       \
	X(10, SET_VRING_BASE)                                                                      \
	X(11, GET_VRING_BASE)                                                                      \
	X(12, SET_VRING_KICK)                                                                      \
	X(13, SET_VRING_CALL)                                                                      \
	X(14, SET_VRING_ERR)                                                                       \
	X(15, GET_PROTOCOL_FEATURES)                                                               \
	X(16, SET_PROTOCOL_FEATURES)                                                               \
	X(17, GET_QUEUE_NUM)                                                                       \
	X(18, SET_VRING_ENABLE)                                                                    \
	X(21, SET_BACKEND_REQ_FD)                                                                  \
	X(24, GET_CONFIG)                                                                          \
	X(25, SET_CONFIG)                                                                          \
	X(34, RESET_DEVICE)                                                                        \
	X(36, GET_MAX_MEM_SLOTS)                                                                   \
	X(37, ADD_MEM_REG)                                                                         \
	X(38, REM_MEM_REG)                                                                         \
	X(39, SET_STATUS)                                                                          \
	X(40, GET_STATUS)

enum vhost_request {
#define VHOST_REQUEST_ENUM(number, symbol) VHOST_##symbol = (number),
	VHOST_REQUESTS(VHOST_REQUEST_ENUM)
#undef VHOST_REQUEST_ENUM
};

/* From the back-end to the front-end, on the channel of SET_BACKEND_REQ_FD. */
enum vhost_backend_request {
	VHOST_BACKEND_CONFIG_CHANGE_MSG = 2,
};

/* Protocol feature bit numbers. */
#define VHOST_PROTOCOL_F_MQ 0
#define VHOST_PROTOCOL_F_LOG_SHMFD 1
#define VHOST_PROTOCOL_F_REPLY_ACK 3
#define VHOST_PROTOCOL_F_BACKEND_REQ 5
#define VHOST_PROTOCOL_F_CONFIG 9
#define VHOST_PROTOCOL_F_RESET_DEVICE 13
#define VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS 15
#define VHOST_PROTOCOL_F_STATUS 16

/* Device status bits, VIRTIO 1.2 section 2.1. */
#define VIRTIO_STATUS_ACKNOWLEDGE 1U
#define VIRTIO_STATUS_DRIVER 2U
#define VIRTIO_STATUS_DRIVER_OK 4U
#define VIRTIO_STATUS_FEATURES_OK 8U
#define VIRTIO_STATUS_NEEDS_RESET 64U
#define VIRTIO_STATUS_FAILED 128U

/* One message with its descriptors, as read from or to be written to a socket. */
struct vhost_msg {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* payload bytes */
	uint8_t payload[VHOST_MAX_PAYLOAD];
	int fds[VHOST_MAX_FDS];
	unsigned int fd_count;
	/* Descriptors that came with it and were closed on arrival: too many, too late, or cut
	 * off by the kernel. */
	uint32_t fds_lost;
};

/**
 * vhost_request_name() - name of a request, for messages
 * @request: number
 *
 * Return: name without prefix, or "unknown".
 */
const char *vhost_request_name(uint32_t request);

/**
 * vhost_msg_init() - an empty message without descriptors
 * @msg: message
 * @request: number
 * @flags: VHOST_FLAG_ bits; the version is added
 */
void vhost_msg_init(struct vhost_msg *msg, uint32_t request, uint32_t flags);

/**
 * vhost_msg_close_fds() - close the descriptors that a message still owns
 * @msg: message; fd_count is 0 afterwards
 *
 * An entry that was taken over is set to -1 by whoever took it.
 */
void vhost_msg_close_fds(struct vhost_msg *msg);

static inline uint32_t vhost_get_u32(const void *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint64_t vhost_get_u64(const void *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline void vhost_put_u32(void *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

static inline void vhost_put_u64(void *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

/**
 * vhost_put_hdr() - the header of a message
 * @at: set, VHOST_HDR_SIZE bytes
 * @request: number
 * @flags: with the version
 * @size: bytes of payload that follow it
 */
static inline void vhost_put_hdr(uint8_t *at, uint32_t request, uint32_t flags, uint32_t size)
{
	vhost_put_u32(at, request);
	vhost_put_u32(at + 4, flags);
	vhost_put_u32(at + 8, size);
}

#endif /* VHOST_PROTO_H */
