/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost-user: message numbers, layouts, limits. Shared by the back-end and the front-end.
 * Source: QEMU docs/interop/vhost-user.rst (protocol version 1).
 */
#ifndef VHOST_PROTO_H
#define VHOST_PROTO_H

#include <stdint.h>

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

#define VHOST_VRING_INDEX_MASK 0xffU
#define VHOST_VRING_NOFD 0x100U

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

/* Protocol feature bit numbers. */
#define VHOST_PROTOCOL_F_MQ 0
#define VHOST_PROTOCOL_F_LOG_SHMFD 1
#define VHOST_PROTOCOL_F_REPLY_ACK 3
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
};

/**
 * vhost_request_name() - name of a request, for messages
 * @request: number
 *
 * Return: name without prefix, or "unknown".
 */
const char *vhost_request_name(uint32_t request);

#endif /* VHOST_PROTO_H */
