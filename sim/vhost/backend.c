/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dispatch of requests, negotiation, device status, configuration space, reset.
 *
 * A mistake of the front-end closes the connection only when the rest of the stream can no
 * longer be followed: wrong version bits, a size above VHOST_MAX_PAYLOAD, an end inside a
 * message. Every other mistake is refused and the connection kept.
 */
#include "vhost/backend.h"

#include <errno.h>
#include <string.h>

#include "vhost/backend_internal.h"

/* How a request is answered apart from NEED_REPLY. */
enum reply_kind {
	REPLY_NONE,
	REPLY_BODY, /* always, and with no payload when refused */
	REPLY_LOG,  /* always; a number, as for NEED_REPLY */
};

struct request {
	backend_handler *handle;
	uint16_t size_min, size_max; /* payload bytes; the handler checks what lies between */
	uint8_t fds_min, fds_max;
	enum reply_kind reply;
	uint64_t needs; /* protocol features that have to be negotiated */
};

static backend_handler get_features, set_features, set_owner, reset_owner, get_protocol_features,
	set_protocol_features, get_queue_num, get_config, set_config, reset_device, set_status,
	get_status;

#define MEM_TABLE_MAX (VHOST_MEM_HDR_SIZE + VHOST_MAX_MEM_TABLE * VHOST_MEM_REGION_SIZE)
#define MEM_REG (VHOST_MEM_HDR_SIZE + VHOST_MEM_REGION_SIZE)
#define CONFIG_MAX (VHOST_CONFIG_HDR_SIZE + VHOST_CONFIG_MAX)
#define STATE VHOST_VRING_STATE_SIZE
#define ADDR VHOST_VRING_ADDR_SIZE
#define F_CONFIG VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIG)
#define F_SLOTS VIRTIO_BIT(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS)
#define F_STATUS VIRTIO_BIT(VHOST_PROTOCOL_F_STATUS)
#define F_LOG VIRTIO_BIT(VHOST_PROTOCOL_F_LOG_SHMFD)
#define F_REQUEST VIRTIO_BIT(VHOST_PROTOCOL_F_BACKEND_REQ)

/*
 * GET_QUEUE_NUM and RESET_DEVICE are legal as soon as the back-end offers their feature, so
 * that they need none to be acknowledged. REM_MEM_REG: "the back-end MAY accept messages with
 * one file descriptor", which old front-ends send.
 */
static const struct request requests[] = {
	[VHOST_GET_FEATURES] = {get_features, 0, 0, 0, 0, REPLY_BODY, 0},
	[VHOST_SET_FEATURES] = {set_features, 8, 8, 0, 0, REPLY_NONE, 0},
	[VHOST_SET_OWNER] = {set_owner, 0, 0, 0, 0, REPLY_NONE, 0},
	[VHOST_RESET_OWNER] = {reset_owner, 0, 0, 0, 0, REPLY_NONE, 0},
	[VHOST_SET_MEM_TABLE] = {backend_set_mem_table, VHOST_MEM_HDR_SIZE, MEM_TABLE_MAX, 0,
				 VHOST_MAX_FDS, REPLY_NONE, 0},
	[VHOST_SET_LOG_BASE] = {backend_set_log_base, VHOST_LOG_SIZE, VHOST_LOG_SIZE, 1, 1,
				REPLY_LOG, F_LOG},
	[VHOST_SET_LOG_FD] = {backend_set_log_fd, 0, 8, 1, 1, REPLY_NONE, 0},
	[VHOST_SET_VRING_NUM] = {backend_set_vring_num, STATE, STATE, 0, 0, REPLY_NONE, 0},
	[VHOST_SET_VRING_ADDR] = {backend_set_vring_addr, ADDR, ADDR, 0, 0, REPLY_NONE, 0},
	[VHOST_SET_VRING_BASE] = {backend_set_vring_base, STATE, STATE, 0, 0, REPLY_NONE, 0},
	[VHOST_GET_VRING_BASE] = {backend_get_vring_base, STATE, STATE, 0, 0, REPLY_BODY, 0},
	[VHOST_SET_VRING_KICK] = {backend_set_vring_kick, 8, 8, 0, 1, REPLY_NONE, 0},
	[VHOST_SET_VRING_CALL] = {backend_set_vring_call, 8, 8, 0, 1, REPLY_NONE, 0},
	[VHOST_SET_VRING_ERR] = {backend_set_vring_err, 8, 8, 0, 1, REPLY_NONE, 0},
	[VHOST_GET_PROTOCOL_FEATURES] = {get_protocol_features, 0, 0, 0, 0, REPLY_BODY, 0},
	[VHOST_SET_PROTOCOL_FEATURES] = {set_protocol_features, 8, 8, 0, 0, REPLY_NONE, 0},
	[VHOST_GET_QUEUE_NUM] = {get_queue_num, 0, 0, 0, 0, REPLY_BODY, 0},
	[VHOST_SET_VRING_ENABLE] = {backend_set_vring_enable, STATE, STATE, 0, 0, REPLY_NONE, 0},
	[VHOST_SET_BACKEND_REQ_FD] = {backend_set_request_fd, 0, 8, 1, 1, REPLY_NONE, F_REQUEST},
	[VHOST_GET_CONFIG] = {get_config, VHOST_CONFIG_HDR_SIZE, CONFIG_MAX, 0, 0, REPLY_BODY,
			      F_CONFIG},
	[VHOST_SET_CONFIG] = {set_config, VHOST_CONFIG_HDR_SIZE, CONFIG_MAX, 0, 0, REPLY_NONE,
			      F_CONFIG},
	[VHOST_RESET_DEVICE] = {reset_device, 0, 0, 0, 0, REPLY_NONE, 0},
	[VHOST_GET_MAX_MEM_SLOTS] = {backend_get_max_mem_slots, 0, 0, 0, 0, REPLY_BODY, F_SLOTS},
	[VHOST_ADD_MEM_REG] = {backend_add_mem_reg, MEM_REG, MEM_REG, 1, 1, REPLY_NONE, F_SLOTS},
	[VHOST_REM_MEM_REG] = {backend_rem_mem_reg, MEM_REG, MEM_REG, 0, 1, REPLY_NONE, F_SLOTS},
	[VHOST_SET_STATUS] = {set_status, 8, 8, 0, 0, REPLY_NONE, F_STATUS},
	[VHOST_GET_STATUS] = {get_status, 0, 0, 0, 0, REPLY_BODY, F_STATUS},
};

/* Bits that only a later transport or ring layout could serve. */
#define VIRTIO_F_RING_PACKED 34
#define UNSERVED (VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM) | VIRTIO_BIT(VIRTIO_F_RING_PACKED))

/* Added to what the device above offers. */
#define VHOST_FEATURES (VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES) | VIRTIO_BIT(VHOST_F_LOG_ALL))

int backend_refuse(struct backend *be, enum violation what, int queue, uint64_t expected,
		   uint64_t seen)
{
	violation_report(be->sink, what, queue, VIOLATION_NO_DESC, expected, seen);
	return BACKEND_REFUSED;
}

static int refuse(struct backend *be, enum violation what, uint64_t expected, uint64_t seen)
{
	return backend_refuse(be, what, VIOLATION_NO_QUEUE, expected, seen);
}

int backend_reply_u64(struct vhost_msg *reply, uint64_t value)
{
	vhost_put_u64(reply->payload, value);
	reply->size = sizeof(value);
	return 1;
}

static uint64_t protocol_offer(const struct backend *be)
{
	uint64_t offer = VIRTIO_BIT(VHOST_PROTOCOL_F_MQ) | VIRTIO_BIT(VHOST_PROTOCOL_F_REPLY_ACK) |
			 VIRTIO_BIT(VHOST_PROTOCOL_F_RESET_DEVICE) | F_LOG | F_SLOTS | F_STATUS;

	if (be->offer.config_size > 0)
		offer |= F_CONFIG;
	return be->offer.backend_requests ? offer | F_REQUEST : offer;
}

/* driver_ok and driver_gone */

static bool driver_ready(const struct backend *be)
{
	for (unsigned int i = 0; i < be->offer.num_queues; i++)
		if (!be->queues[i].vq.started)
			return false;
	if (!(be->protocol_acked & F_STATUS))
		return true;
	/*
	 * Only a front-end that passes the driver's status on says so by it. QEMU's generic device
	 * (vhost-user-test-device of 11.1) acknowledges F_STATUS, sets FEATURES_OK by itself and
	 * nothing else, and starts the rings when the driver sets DRIVER_OK.
	 */
	if (be->status == VIRTIO_STATUS_FEATURES_OK)
		return true;
	return (be->status & VIRTIO_STATUS_DRIVER_OK) && !(be->status & VIRTIO_STATUS_FAILED);
}

void backend_driver_gone(struct backend *be)
{
	if (!be->driver_ok)
		return;
	be->driver_ok = false;
	BACKEND_OP(be, driver_gone);
}

static const struct backend_hooks no_hooks;

static const struct backend_hooks *hooks_of(const struct backend *be)
{
	return be->ops && be->ops->hooks ? be->ops->hooks : &no_hooks;
}

static bool crashes_at(const struct backend *be, enum backend_point point)
{
	const struct backend_hooks *hooks = hooks_of(be);

	return hooks->crash && hooks->crash(be->ops_ctx, point);
}

/*
 * At the end of each message: tell the device above what has become true. Return: 0, or
 * -ECONNABORTED when a hook ends the session.
 */
static int settle(struct backend *be)
{
	if (!be->driver_ok && driver_ready(be)) {
		if (crashes_at(be, BACKEND_POINT_DRIVER_OK))
			return -ECONNABORTED;
		be->driver_ok = true;
		BACKEND_OP(be, driver_ok);
		for (unsigned int i = 0; i < be->offer.num_queues; i++)
			be->queues[i].kick_due = true;
	}
	for (unsigned int i = 0; i < be->offer.num_queues; i++) {
		struct backend_queue *q = &be->queues[i];

		if (q->kick_due && q->vq.started)
			BACKEND_OP(be, kick, i);
		q->kick_due = false;
	}
	return 0;
}

/* negotiation */

static int get_features(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	return backend_reply_u64(reply, be->offer.features | VHOST_FEATURES);
}

static bool any_started(const struct backend *be)
{
	for (unsigned int i = 0; i < be->offer.num_queues; i++)
		if (be->queues[i].vq.started)
			return true;
	return false;
}

static int set_features(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	uint64_t offered = be->offer.features | VHOST_FEATURES;
	uint64_t acked = vhost_get_u64(msg->payload);
	bool changed = !be->features_set || acked != be->acked;

	if (acked & ~offered)
		return refuse(be, VIOLATION_VU_FEATURES, offered, acked);
	/* Migration switches logging while rings run; all else is settled when they start. */
	if (any_started(be) && ((acked ^ be->acked) & ~VIRTIO_BIT(VHOST_F_LOG_ALL)))
		return refuse(be, VIOLATION_VU_OUT_OF_ORDER, be->acked, acked);

	be->acked = acked;
	be->features_set = true;
	backend_log_update(be);
	/* "Ring states": without the bit all rings are enabled at once; it disables none. */
	if (!(acked & VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES)))
		for (unsigned int i = 0; i < be->offer.num_queues; i++)
			be->queues[i].enabled = true;
	if (changed)
		BACKEND_OP(be, features, acked);
	return backend_queues_try_start(be, true);
}

static int get_protocol_features(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	return backend_reply_u64(reply, protocol_offer(be));
}

static int set_protocol_features(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	uint64_t acked = vhost_get_u64(msg->payload);

	if (acked & ~protocol_offer(be))
		return refuse(be, VIOLATION_VU_PROTOCOL_FEATURES, protocol_offer(be), acked);
	if (any_started(be) && acked != be->protocol_acked)
		return refuse(be, VIOLATION_VU_OUT_OF_ORDER, be->protocol_acked, acked);
	be->protocol_acked = acked;
	be->protocol_features_set = true;
	return 0;
}

static int get_queue_num(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	return backend_reply_u64(reply, be->offer.num_queues);
}

/* ownership, reset, status */

static int set_owner(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	if (be->owned)
		return refuse(be, VIOLATION_VU_OUT_OF_ORDER, 0, 1);
	be->owned = true;
	return 0;
}

/* Deprecated: "either ignore this message, or use it to disable all rings". */
static int reset_owner(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	be->owned = false;
	backend_driver_gone(be);
	for (unsigned int i = 0; i < be->offer.num_queues; i++) {
		backend_queue_stop(be, i);
		be->queues[i].enabled = false;
	}
	return 0;
}

/*
 * Memory, log, protocol features, call and err descriptors belong to the session and not to
 * the device: QEMU sends them once and relies on them after a reset.
 */
static void reset(struct backend *be)
{
	backend_driver_gone(be);
	for (unsigned int i = 0; i < be->offer.num_queues; i++)
		backend_queue_reset(be, i);
	be->status = 0;
	be->needs_reset = false;
	be->acked = 0;
	be->features_set = false;
	backend_log_update(be);
	BACKEND_OP(be, reset);
}

static int reset_device(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	reset(be);
	return 0;
}

/* VIRTIO 1.2, section 2.1: what a driver may write after what. */
static bool status_possible(const struct backend *be, uint64_t status, uint64_t *expected)
{
	uint64_t driver_bits = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
			       VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_FEATURES_OK |
			       VIRTIO_STATUS_FAILED;

	*expected = driver_bits | be->status;
	if (status & ~*expected)
		return false;
	/* "The driver MUST NOT clear a device status bit", except all of them by a reset. */
	*expected = be->status;
	if (be->status & ~status)
		return false;
	/* FEATURES_OK has no meaning before a choice was accepted, and reads back as clear. */
	*expected = status & ~(uint64_t)VIRTIO_STATUS_FEATURES_OK;
	if ((status & VIRTIO_STATUS_FEATURES_OK) && !be->features_set)
		return false;
	*expected = status | VIRTIO_STATUS_FEATURES_OK;
	return !(status & VIRTIO_STATUS_DRIVER_OK) || (status & VIRTIO_STATUS_FEATURES_OK) ||
	       !(be->acked & VIRTIO_BIT(VIRTIO_F_VERSION_1));
}

static int set_status(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	uint64_t status = vhost_get_u64(msg->payload);
	uint8_t before = be->status;
	uint64_t expected;

	if (status == 0) {
		reset(be);
		if (before != 0)
			BACKEND_OP(be, status, 0, before);
		return 0;
	}
	/* A driver that adds a bit to what it read. */
	if (be->needs_reset)
		status &= ~(uint64_t)VIRTIO_STATUS_NEEDS_RESET;
	if (!status_possible(be, status, &expected))
		return refuse(be, VIOLATION_VU_STATUS, expected, status);
	if (status & VIRTIO_STATUS_FAILED)
		backend_driver_gone(be);
	be->status = (uint8_t)status;
	if (be->status != before)
		BACKEND_OP(be, status, be->status, before);
	return 0;
}

static int get_status(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	return backend_reply_u64(reply,
				 be->status | (be->needs_reset ? VIRTIO_STATUS_NEEDS_RESET : 0));
}

/* configuration space */

static int check_config(struct backend *be, const struct vhost_msg *msg, uint32_t *offset,
			uint32_t *size)
{
	*offset = vhost_get_u32(msg->payload);
	*size = vhost_get_u32(msg->payload + 4);

	if (*offset > be->offer.config_size || *size > be->offer.config_size - *offset)
		return refuse(be, VIOLATION_VU_CONFIG, be->offer.config_size,
			      (uint64_t)*offset + *size);
	if (msg->size != VHOST_CONFIG_HDR_SIZE + *size)
		return refuse(be, VIOLATION_VU_SIZE, VHOST_CONFIG_HDR_SIZE + *size, msg->size);
	return 0;
}

static int get_config(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	uint32_t offset, size;
	int ret = check_config(be, msg, &offset, &size);

	if (ret)
		return ret;
	memcpy(reply->payload, msg->payload, VHOST_CONFIG_HDR_SIZE);
	ret = be->ops->config_read(be->ops_ctx, offset, size,
				   reply->payload + VHOST_CONFIG_HDR_SIZE);
	/* "uses zero length of payload to indicate an error" */
	reply->size = ret < 0 ? 0 : msg->size;
	return 1;
}

static int set_config(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	uint32_t flags = vhost_get_u32(msg->payload + 8);
	uint32_t offset, size;
	int ret = check_config(be, msg, &offset, &size);

	if (ret)
		return ret;
	if (flags & ~VHOST_CONFIG_F_MIGRATION)
		return refuse(be, VIOLATION_VU_VALUE, VHOST_CONFIG_F_MIGRATION, flags);
	if (!be->ops->config_write ||
	    be->ops->config_write(be->ops_ctx, offset, size, msg->payload + VHOST_CONFIG_HDR_SIZE) <
		    0)
		return refuse(be, VIOLATION_VU_CONFIG, 0, offset);
	return 0;
}

/* session */

int backend_init(struct backend *be, const struct backend_offer *offer,
		 const struct backend_ops *ops, void *ops_ctx, const struct violation_sink *sink)
{
	if (offer->num_queues == 0 || offer->num_queues > VHOST_NUM_QUEUES_MAX ||
	    offer->config_size > VHOST_CONFIG_MAX || (offer->features & UNSERVED))
		return -EINVAL;
	if (offer->config_size > 0 && (!ops || !ops->config_read))
		return -EINVAL;

	memset(be, 0, sizeof(*be));
	be->offer = *offer;
	be->ops = ops;
	be->ops_ctx = ops_ctx;
	be->sink = sink;
	be->log_event.fd = -1;
	be->request_fd = -1;
	gmem_init(&be->mem);
	for (unsigned int i = 0; i < VHOST_NUM_QUEUES_MAX; i++)
		backend_queue_init(be, i);
	return 0;
}

void backend_fini(struct backend *be)
{
	backend_driver_gone(be);
	for (unsigned int i = 0; i < VHOST_NUM_QUEUES_MAX; i++)
		backend_queue_fini(be, i);
	backend_mem_fini(be);
	backend_close_requests(be);
}

/* dispatch */

static const struct request *find_request(uint32_t number)
{
	if (number >= sizeof(requests) / sizeof(requests[0]) || !requests[number].handle)
		return NULL;
	return &requests[number];
}

static int serve(struct backend *be, const struct request *request, struct vhost_msg *msg,
		 struct vhost_msg *reply)
{
	uint32_t reserved = msg->flags & ~(VHOST_FLAG_VERSION_MASK | VHOST_FLAG_NEED_REPLY);

	if (reserved)
		return refuse(be, VIOLATION_VU_REPLY_FLAG, 0, reserved);
	if (!request)
		return refuse(be, VIOLATION_VU_UNKNOWN_REQUEST, 0, msg->request);
	if (request->needs & ~be->protocol_acked)
		return refuse(be, VIOLATION_VU_NOT_NEGOTIATED, request->needs, be->protocol_acked);
	if (msg->size < request->size_min || msg->size > request->size_max)
		return refuse(be, VIOLATION_VU_SIZE,
			      msg->size < request->size_min ? request->size_min : request->size_max,
			      msg->size);
	if (msg->fds_lost || msg->fd_count < request->fds_min || msg->fd_count > request->fds_max)
		return refuse(be, VIOLATION_VU_FD_COUNT,
			      msg->fd_count < request->fds_min ? request->fds_min
							       : request->fds_max,
			      (uint64_t)msg->fd_count + msg->fds_lost);
	return request->handle(be, msg, reply);
}

static bool acks(const struct backend *be)
{
	return be->protocol_acked & VIRTIO_BIT(VHOST_PROTOCOL_F_REPLY_ACK);
}

/* Return: 1 when the request is answered, 0 when it is not. */
static int answer(const struct backend *be, const struct request *request, bool need_reply,
		  int result, struct vhost_msg *reply)
{
	/* The handler set the body; one that refuses leaves it empty. */
	if (request && request->reply == REPLY_BODY)
		return 1;
	if (need_reply || (request && request->reply == REPLY_LOG && (be->protocol_acked & F_LOG)))
		return backend_reply_u64(reply, result == BACKEND_REFUSED);
	return 0;
}

static bool crashes_before(const struct backend *be, uint32_t request)
{
	switch (request) {
	case VHOST_SET_FEATURES:
		return crashes_at(be, BACKEND_POINT_FEATURES);
	case VHOST_SET_MEM_TABLE:
	case VHOST_ADD_MEM_REG:
		return crashes_at(be, BACKEND_POINT_MEMORY);
	case VHOST_SET_VRING_ADDR:
		return crashes_at(be, BACKEND_POINT_VRING);
	default:
		return false;
	}
}

/* Return: 1 when the reply is to be sent, then or later; 0 when it is not. */
static int time_reply(struct backend *be, uint32_t request)
{
	const struct backend_hooks *hooks = hooks_of(be);

	be->reply_delay = hooks->reply_delay ? hooks->reply_delay(be->ops_ctx, request) : 0;
	return be->reply_delay != BACKEND_REPLY_NEVER;
}

int backend_handle(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	const struct request *request = find_request(msg->request);
	bool need_reply = msg->flags & VHOST_FLAG_NEED_REPLY;
	bool acked_before = acks(be);
	int ret;

	/* vhost_read() lets neither through; a caller without a socket may. */
	if ((msg->flags & VHOST_FLAG_VERSION_MASK) != VHOST_VERSION) {
		refuse(be, VIOLATION_VU_VERSION, VHOST_VERSION,
		       msg->flags & VHOST_FLAG_VERSION_MASK);
		ret = -EPROTO;
		goto out;
	}
	if (msg->size > VHOST_MAX_PAYLOAD) {
		refuse(be, VIOLATION_VU_SIZE, VHOST_MAX_PAYLOAD, msg->size);
		ret = -EPROTO;
		goto out;
	}

	if (crashes_before(be, msg->request)) {
		ret = -ECONNABORTED;
		goto out;
	}
	vhost_msg_init(reply, msg->request, VHOST_FLAG_REPLY);
	ret = serve(be, request, msg, reply);
	if (ret < 0)
		goto out;
	if (settle(be) < 0) {
		ret = -ECONNABORTED;
		goto out;
	}
	/* The first acknowledgement may be that of SET_PROTOCOL_FEATURES itself. */
	if (need_reply && !acked_before && !acks(be)) {
		refuse(be, VIOLATION_VU_NOT_NEGOTIATED, VIRTIO_BIT(VHOST_PROTOCOL_F_REPLY_ACK),
		       be->protocol_acked);
		need_reply = false;
	}
	ret = answer(be, request, need_reply, ret, reply);
	if (ret == 1)
		ret = time_reply(be, msg->request);
out:
	vhost_msg_close_fds(msg);
	return ret;
}
