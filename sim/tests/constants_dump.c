/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints "NAME value" for every number of the protocols that the headers of sim/ define, so that
 * conformance/selftest/test_virtio_constants.py can compare them with its own. That test also reads
 * the headers, and fails when one of their names is missing here.
 */
#include <inttypes.h>
#include <stdio.h>

#include "vhost/vhost_proto.h"
#include "virtio/gmem.h"
#include "virtio/vring.h"
#include "wire/rpmsg.h"

#define SHOW(name) printf("%s %" PRIu64 "\n", #name, (uint64_t)(name))
#define SHOW_REQUEST(number, symbol) SHOW(VHOST_##symbol);

static void show_wire(void)
{
	SHOW(RPMSG_DEVICE_ID);
	SHOW(RPMSG_QUEUE_INPUT);
	SHOW(RPMSG_QUEUE_OUTPUT);
	SHOW(RPMSG_NUM_QUEUES);
	SHOW(RPMSG_HDR_SIZE);
	SHOW(RPMSG_BUF_SIZE);
	SHOW(RPMSG_MAX_PAYLOAD);
	SHOW(RPMSG_ADDR_ANY);
	SHOW(RPMSG_ADDR_NS);
	SHOW(RPMSG_ADDR_FIRST_DYNAMIC);
	SHOW(RPMSG_NAME_SIZE);
	SHOW(RPMSG_NS_MSG_SIZE);
	SHOW(RPMSG_NS_CREATE);
	SHOW(RPMSG_NS_DESTROY);
	SHOW(RPMSG_F_NS);
}

static void show_virtio(void)
{
	SHOW(VRING_MAX_SIZE);
	SHOW(VRING_DESC_SIZE);
	SHOW(VRING_DESC_ALIGN);
	SHOW(VRING_AVAIL_ALIGN);
	SHOW(VRING_USED_ALIGN);
	SHOW(VRING_DESC_F_NEXT);
	SHOW(VRING_DESC_F_WRITE);
	SHOW(VRING_DESC_F_INDIRECT);
	SHOW(VRING_AVAIL_F_NO_INTERRUPT);
	SHOW(VRING_USED_F_NO_NOTIFY);
	SHOW(VRING_FLAGS);
	SHOW(VRING_IDX);
	SHOW(VIRTIO_F_NOTIFY_ON_EMPTY);
	SHOW(VHOST_F_LOG_ALL);
	SHOW(VIRTIO_F_RING_INDIRECT_DESC);
	SHOW(VIRTIO_F_RING_EVENT_IDX);
	SHOW(VHOST_USER_F_PROTOCOL_FEATURES);
	SHOW(VIRTIO_F_VERSION_1);
	SHOW(VIRTIO_F_ACCESS_PLATFORM);
	SHOW(GMEM_LOG_PAGE);
	for (uint32_t num = 1; num <= VRING_MAX_SIZE; num *= 2) {
		printf("vring_desc_bytes(%" PRIu32 ") %" PRIu64 "\n", num, vring_desc_bytes(num));
		printf("vring_avail_bytes(%" PRIu32 ") %" PRIu64 "\n", num, vring_avail_bytes(num));
		printf("vring_used_bytes(%" PRIu32 ") %" PRIu64 "\n", num, vring_used_bytes(num));
	}
}

static void show_vhost(void)
{
	SHOW(VHOST_HDR_SIZE);
	SHOW(VHOST_VERSION);
	SHOW(VHOST_FLAG_VERSION_MASK);
	SHOW(VHOST_FLAG_REPLY);
	SHOW(VHOST_FLAG_NEED_REPLY);
	SHOW(VHOST_MAX_FDS);
	SHOW(VHOST_MAX_MEM_TABLE);
	SHOW(VHOST_CONFIG_MAX);
	SHOW(VHOST_MAX_PAYLOAD);
	SHOW(VHOST_NUM_QUEUES_MAX);
	SHOW(VHOST_VRING_INDEX_MASK);
	SHOW(VHOST_VRING_NOFD);
	SHOW(VHOST_VRING_ADDR_SIZE);
	SHOW(VHOST_VRING_F_LOG);
	SHOW(VHOST_VRING_STATE_SIZE);
	SHOW(VHOST_MEM_HDR_SIZE);
	SHOW(VHOST_MEM_REGION_SIZE);
	SHOW(VHOST_LOG_SIZE);
	SHOW(VHOST_CONFIG_HDR_SIZE);
	SHOW(VHOST_CONFIG_F_MIGRATION);
	VHOST_REQUESTS(SHOW_REQUEST)
	SHOW(VHOST_PROTOCOL_F_MQ);
	SHOW(VHOST_PROTOCOL_F_LOG_SHMFD);
	SHOW(VHOST_PROTOCOL_F_REPLY_ACK);
	SHOW(VHOST_PROTOCOL_F_CONFIG);
	SHOW(VHOST_PROTOCOL_F_RESET_DEVICE);
	SHOW(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
	SHOW(VHOST_PROTOCOL_F_STATUS);
	SHOW(VIRTIO_STATUS_ACKNOWLEDGE);
	SHOW(VIRTIO_STATUS_DRIVER);
	SHOW(VIRTIO_STATUS_DRIVER_OK);
	SHOW(VIRTIO_STATUS_FEATURES_OK);
	SHOW(VIRTIO_STATUS_NEEDS_RESET);
	SHOW(VIRTIO_STATUS_FAILED);
}

int main(void)
{
	show_wire();
	show_virtio();
	show_vhost();
	return 0;
}
