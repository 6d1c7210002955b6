/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings: what the front-end says about them, their start and stop, their descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "vhost/backend_internal.h"
#include "wire/checked.h"

static const struct backend_event no_event = {.fd = -1};

void backend_queue_init(struct backend *be, unsigned int index)
{
	struct backend_queue *q = &be->queues[index];

	virtq_init(&q->vq, (int)index, be->sink);
	q->kick = no_event;
	q->call = no_event;
	q->err = no_event;
}

void backend_queue_fini(struct backend *be, unsigned int index)
{
	struct backend_queue *q = &be->queues[index];

	backend_queue_reset(be, index);
	backend_close_event(&q->call);
	backend_close_event(&q->err);
}

/* start and stop */

/*
 * Where the three parts lie in this process. Both the address that the front-end gave and
 * the one that it is mapped at have to be aligned: a region may shift one against the other.
 */
static void *locate(struct gmem *mem, uint64_t user, uint64_t size, uint64_t align)
{
	void *at = gmem_at_user(mem, user, size);

	return user % align == 0 && (uintptr_t)at % align == 0 ? at : NULL;
}

bool backend_queue_covered(struct backend *be, unsigned int index, struct gmem *mem,
			   struct virtq_rings *rings)
{
	const struct backend_queue *q = &be->queues[index];

	rings->desc = locate(mem, q->desc_user, vring_desc_bytes(q->num), VRING_DESC_ALIGN);
	rings->avail = locate(mem, q->avail_user, vring_avail_bytes(q->num), VRING_AVAIL_ALIGN);
	rings->used = locate(mem, q->used_user, vring_used_bytes(q->num), VRING_USED_ALIGN);
	rings->used_log_addr = q->log_guest;
	rings->used_logged = q->used_logged;
	return rings->desc && rings->avail && rings->used;
}

static int refuse_address(struct backend *be, unsigned int index, const struct virtq_rings *rings)
{
	const struct backend_queue *q = &be->queues[index];
	uint64_t bytes = vring_used_bytes(q->num);
	uint64_t user = q->used_user;

	if (!rings->desc) {
		bytes = vring_desc_bytes(q->num);
		user = q->desc_user;
	} else if (!rings->avail) {
		bytes = vring_avail_bytes(q->num);
		user = q->avail_user;
	}
	return backend_refuse(be, VIOLATION_VU_RING_ADDRESS, (int)index, bytes, user);
}

int backend_queue_try_start(struct backend *be, unsigned int index, bool report)
{
	struct backend_queue *q = &be->queues[index];
	struct virtq_rings rings;
	int ret;

	if (q->vq.started || !be->features_set || !q->num_set || !q->addr_set || !q->kick_set ||
	    !q->enabled)
		return 0;
	/* A front-end may give memory last. */
	if (be->mem.count == 0)
		return 0;
	if (!backend_queue_covered(be, index, &be->mem, &rings))
		return report ? refuse_address(be, index, &rings) : BACKEND_REFUSED;

	ret = virtq_start(&q->vq, &be->mem, q->num, &rings, q->base, be->acked);
	if (ret < 0)
		return ret;
	q->kick_due = true;
	q->lost_memory = false;
	BACKEND_OP(be, queue_started, index);
	BACKEND_OP(be, kick_fd, index, q->kick.fd);
	return 0;
}

int backend_queues_try_start(struct backend *be, bool report)
{
	for (unsigned int i = 0; i < be->offer.num_queues; i++) {
		int ret = backend_queue_try_start(be, i, report && !be->queues[i].lost_memory);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static void stopping(struct backend *be, unsigned int index)
{
	backend_driver_gone(be);
	BACKEND_OP(be, queue_stopping, index);
	BACKEND_OP(be, kick_fd, index, -1);
}

void backend_queue_stop(struct backend *be, unsigned int index)
{
	struct backend_queue *q = &be->queues[index];

	if (!q->vq.started)
		return;
	stopping(be, index);
	q->base = virtq_stop(&q->vq);
	q->kick_due = false;
}

void backend_queue_lost_memory(struct backend *be, unsigned int index)
{
	struct backend_queue *q = &be->queues[index];

	stopping(be, index);
	virtq_break(&q->vq, VIOLATION_VQ_RING_MEMORY, VIOLATION_NO_DESC, vring_desc_bytes(q->num),
		    q->desc_user);
	backend_signal_error(be, index);
	q->base = virtq_stop(&q->vq);
	q->kick_due = false;
	q->lost_memory = true;
}

void backend_queue_reset(struct backend *be, unsigned int index)
{
	struct backend_queue *q = &be->queues[index];

	backend_queue_stop(be, index);
	backend_close_event(&q->kick);
	q->desc_user = 0;
	q->avail_user = 0;
	q->used_user = 0;
	q->log_guest = 0;
	q->num = 0;
	q->base = 0;
	q->num_set = false;
	q->addr_set = false;
	q->kick_set = false;
	q->enabled = false;
	q->used_logged = false;
	q->lost_memory = false;
	q->polled = false;
}

/* size, addresses, base */

/* Vring state: a queue and a number. Return: 0 or BACKEND_REFUSED. */
static int get_state(struct backend *be, const struct vhost_msg *msg, unsigned int *index,
		     uint32_t *num)
{
	*index = vhost_get_u32(msg->payload);
	*num = vhost_get_u32(msg->payload + 4);
	if (*index >= be->offer.num_queues)
		return backend_refuse(be, VIOLATION_VU_QUEUE_INDEX, VIOLATION_NO_QUEUE,
				      be->offer.num_queues, *index);
	return 0;
}

int backend_set_vring_num(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	struct backend_queue *q;
	unsigned int index;
	uint32_t num, num_before;
	bool set_before;
	int ret = get_state(be, msg, &index, &num);

	if (ret)
		return ret;
	q = &be->queues[index];
	if (num == 0 || num > VRING_MAX_SIZE || (num & (num - 1)))
		return backend_refuse(be, VIOLATION_VU_QUEUE_SIZE, (int)index, VRING_MAX_SIZE, num);
	if (q->vq.started)
		return backend_refuse(be, VIOLATION_VU_OUT_OF_ORDER, (int)index, q->num, num);

	num_before = q->num;
	set_before = q->num_set;
	q->num = num;
	q->num_set = true;
	ret = backend_queue_try_start(be, index, true);
	if (ret) {
		q->num = num_before;
		q->num_set = set_before;
	}
	return ret;
}

uint64_t backend_queue_log_bytes(const struct backend_queue *q)
{
	uint64_t last;

	if (!q->addr_set || !q->used_logged)
		return 0;
	if (!checked_add64(q->log_guest, vring_used_bytes(q->num) - 1, &last))
		return UINT64_MAX;
	return last / GMEM_LOG_PAGE / 8 + 1;
}

static bool same_ring(const struct backend_queue *a, const struct backend_queue *b)
{
	return a->desc_user == b->desc_user && a->avail_user == b->avail_user &&
	       a->used_user == b->used_user;
}

/* On a running ring only its logging may change, which migration does. */
int backend_set_vring_addr(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	unsigned int index = vhost_get_u32(msg->payload);
	uint32_t flags = vhost_get_u32(msg->payload + 4);
	struct backend_queue *q, before;
	struct virtq_rings rings;
	int ret = 0;

	if (index >= be->offer.num_queues)
		return backend_refuse(be, VIOLATION_VU_QUEUE_INDEX, VIOLATION_NO_QUEUE,
				      be->offer.num_queues, index);
	if (flags & ~VHOST_VRING_F_LOG)
		return backend_refuse(be, VIOLATION_VU_VALUE, (int)index, VHOST_VRING_F_LOG, flags);

	q = &be->queues[index];
	before = *q;
	q->desc_user = vhost_get_u64(msg->payload + 8);
	q->used_user = vhost_get_u64(msg->payload + 16);
	q->avail_user = vhost_get_u64(msg->payload + 24);
	q->log_guest = vhost_get_u64(msg->payload + 32);
	q->used_logged = flags & VHOST_VRING_F_LOG;
	q->addr_set = true;

	/* Without a size or memory the places cannot be judged yet, but alignment can. */
	rings = (struct virtq_rings){
		.desc = q->desc_user % VRING_DESC_ALIGN ? NULL : q,
		.avail = q->avail_user % VRING_AVAIL_ALIGN ? NULL : q,
		.used = q->used_user % VRING_USED_ALIGN ? NULL : q,
	};
	if (q->num_set && be->mem.count > 0)
		backend_queue_covered(be, index, &be->mem, &rings);
	if (!rings.desc || !rings.avail || !rings.used)
		ret = refuse_address(be, index, &rings);
	else if (q->num_set && be->log && backend_queue_log_bytes(q) > be->log_size)
		ret = backend_refuse(be, VIOLATION_VU_LOG, (int)index, backend_queue_log_bytes(q),
				     be->log_size);
	else if (q->vq.started && !same_ring(q, &before))
		ret = backend_refuse(be, VIOLATION_VU_OUT_OF_ORDER, (int)index, before.desc_user,
				     q->desc_user);
	else if (q->vq.started)
		virtq_move(&q->vq, &rings);
	else
		ret = backend_queue_try_start(be, index, true);
	if (ret) {
		q->desc_user = before.desc_user;
		q->used_user = before.used_user;
		q->avail_user = before.avail_user;
		q->log_guest = before.log_guest;
		q->used_logged = before.used_logged;
		q->addr_set = before.addr_set;
	}
	return ret;
}

int backend_set_vring_base(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	unsigned int index;
	uint32_t base;
	int ret = get_state(be, msg, &index, &base);

	if (ret)
		return ret;
	if (base > UINT16_MAX)
		return backend_refuse(be, VIOLATION_VU_QUEUE_BASE, (int)index, UINT16_MAX, base);
	if (be->queues[index].vq.started)
		return backend_refuse(be, VIOLATION_VU_OUT_OF_ORDER, (int)index, 0, base);
	be->queues[index].base = (uint16_t)base;
	return 0;
}

/* Stops the ring, which SET_VRING_KICK starts again ("Ring states"). */
int backend_get_vring_base(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	struct backend_queue *q;
	unsigned int index;
	uint32_t num;
	int ret = get_state(be, msg, &index, &num);

	if (ret)
		return ret;
	/* "num is reserved and must be set to 0": not a reason to leave the ring running. */
	if (num != 0)
		backend_refuse(be, VIOLATION_VU_VALUE, (int)index, 0, num);

	q = &be->queues[index];
	backend_queue_stop(be, index);
	backend_close_event(&q->kick);
	q->kick_set = false;
	q->polled = false;
	vhost_put_u32(reply->payload, index);
	vhost_put_u32(reply->payload + 4, q->base);
	reply->size = VHOST_VRING_STATE_SIZE;
	return 1;
}

int backend_set_vring_enable(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	struct backend_queue *q;
	unsigned int index;
	bool enabled_before;
	uint32_t enable;
	int ret = get_state(be, msg, &index, &enable);

	if (ret)
		return ret;
	if (enable > 1)
		return backend_refuse(be, VIOLATION_VU_VALUE, (int)index, 1, enable);
	/* Either way of negotiating will do: a front-end may enable before SET_FEATURES. */
	if (!be->protocol_features_set && !(be->acked & VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES)))
		return backend_refuse(be, VIOLATION_VU_NOT_NEGOTIATED, (int)index,
				      VIRTIO_BIT(VHOST_USER_F_PROTOCOL_FEATURES), be->acked);

	q = &be->queues[index];
	if (!enable) {
		backend_queue_stop(be, index);
		q->enabled = false;
		return 0;
	}
	enabled_before = q->enabled;
	q->enabled = true;
	ret = backend_queue_try_start(be, index, true);
	if (ret)
		q->enabled = enabled_before;
	return ret;
}

/* kick, call and err */

bool backend_take_event(struct backend_event *event, struct vhost_msg *msg, bool to_read)
{
	int fd = msg->fds[0];
	int flags = fcntl(fd, F_GETFL);
	int mode = flags & O_ACCMODE;
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0)
		return false;
	/* An eventfd is an anonymous inode: one without a file type. */
	if ((st.st_mode & S_IFMT) != 0 && !S_ISFIFO(st.st_mode))
		return false;
	if (mode != O_RDWR && mode != (to_read ? O_RDONLY : O_WRONLY))
		return false;
	if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return false;
	event->fd = fd;
	event->pipe = S_ISFIFO(st.st_mode);
	msg->fds[0] = -1;
	return true;
}

void backend_close_event(struct backend_event *event)
{
	if (event->fd >= 0)
		close(event->fd);
	*event = no_event;
}

/*
 * SET_VRING_KICK, CALL and ERR. Return: 0 and *event the descriptor, now the caller's, or none
 * when the front-end said so; BACKEND_REFUSED.
 */
static int get_event(struct backend *be, struct vhost_msg *msg, bool to_read, unsigned int *index,
		     struct backend_event *event)
{
	uint64_t value = vhost_get_u64(msg->payload);
	uint64_t known = VHOST_VRING_INDEX_MASK | VHOST_VRING_NOFD;
	unsigned int expected = value & VHOST_VRING_NOFD ? 0 : 1;

	*event = no_event;
	*index = value & VHOST_VRING_INDEX_MASK;
	if (value & ~known)
		return backend_refuse(be, VIOLATION_VU_VALUE, VIOLATION_NO_QUEUE, known, value);
	if (*index >= be->offer.num_queues)
		return backend_refuse(be, VIOLATION_VU_QUEUE_INDEX, VIOLATION_NO_QUEUE,
				      be->offer.num_queues, *index);
	if (msg->fd_count != expected)
		return backend_refuse(be, VIOLATION_VU_FD_COUNT, (int)*index, expected,
				      msg->fd_count);
	if (expected == 1 && !backend_take_event(event, msg, to_read))
		return backend_refuse(be, VIOLATION_VU_NOT_EVENTFD, (int)*index, 0, 0);
	return 0;
}

int backend_set_vring_kick(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	struct backend_event event, event_before;
	bool set_before, polled_before;
	struct backend_queue *q;
	unsigned int index;
	int ret = get_event(be, msg, true, &index, &event);

	if (ret)
		return ret;
	q = &be->queues[index];
	event_before = q->kick;
	set_before = q->kick_set;
	polled_before = q->polled;
	q->kick = event;
	q->kick_set = true;
	q->polled = event.fd < 0;
	if (q->vq.started) {
		BACKEND_OP(be, kick_fd, index, event.fd);
		q->kick_due = true;
	} else {
		ret = backend_queue_try_start(be, index, true);
	}
	if (ret) {
		q->kick = event_before;
		q->kick_set = set_before;
		q->polled = polled_before;
		backend_close_event(&event);
		return ret;
	}
	backend_close_event(&event_before);
	return 0;
}

int backend_set_vring_call(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	struct backend_event event;
	unsigned int index;
	int ret = get_event(be, msg, false, &index, &event);

	if (ret)
		return ret;
	backend_close_event(&be->queues[index].call);
	be->queues[index].call = event;
	return 0;
}

int backend_set_vring_err(struct backend *be, struct vhost_msg *msg, struct vhost_msg *reply)
{
	struct backend_event event;
	unsigned int index;
	int ret = get_event(be, msg, false, &index, &event);

	if (ret)
		return ret;
	backend_close_event(&be->queues[index].err);
	be->queues[index].err = event;
	return 0;
}

/* A pipe whose other end is gone raises SIGPIPE: keep it from this thread and take it back. */
static ssize_t write_pipe(int fd, const void *bytes, size_t size)
{
	const struct timespec at_once = {0};
	sigset_t pipe_signal, before, pending;
	ssize_t ret;
	int saved;

	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
	ret = write(fd, bytes, size);
	saved = errno;
	if (ret < 0 && saved == EPIPE && !sigismember(&pending, SIGPIPE))
		sigtimedwait(&pipe_signal, NULL, &at_once);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return ret;
}

/* The flag is one with the front-end's descriptor of the same file, where it may be cleared. */
static void keep_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && !(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

bool backend_signal(const struct backend_event *event)
{
	const uint64_t one = 1;
	ssize_t ret;

	if (event->fd < 0)
		return false;
	keep_nonblocking(event->fd);
	do {
		ret = event->pipe ? write_pipe(event->fd, &one, sizeof(one))
				  : write(event->fd, &one, sizeof(one));
	} while (ret < 0 && errno == EINTR);
	/* A full counter or pipe: the other side has events to take already. */
	return ret >= 0 || errno == EAGAIN;
}

void backend_call(struct backend *be, unsigned int queue)
{
	struct backend_queue *q = &be->queues[queue];

	/* "Suspended device state": no notification while the ring is stopped. */
	if (!q->vq.started)
		return;
	if (be->mem.log)
		backend_signal(&be->log_event);
	if (backend_signal(&q->call))
		q->calls++;
}

void backend_signal_error(struct backend *be, unsigned int queue)
{
	backend_signal(&be->queues[queue].err);
}

static ssize_t read_pipe(int fd, uint64_t *events, size_t size)
{
	keep_nonblocking(fd);
	return read(fd, events, size);
}

/* Without waiting, whatever the file's flags say; Linux before 5.8 cannot do that with one call. */
static ssize_t read_event(int fd, uint64_t *count)
{
	const struct iovec iov = {.iov_base = count, .iov_len = sizeof(*count)};
	ssize_t got = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);

	return got < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)
		       ? read_pipe(fd, count, sizeof(*count))
		       : got;
}

int64_t backend_clear_kick(struct backend *be, unsigned int queue)
{
	const struct backend_event *kick = &be->queues[queue].kick;
	uint64_t events[64]; /* a pipe holds one a kick; the rest wait for the next call */
	ssize_t got;

	if (kick->fd < 0)
		return -EIO;
	do {
		got = kick->pipe ? read_pipe(kick->fd, events, sizeof(events))
				 : read_event(kick->fd, events);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? 0 : -EIO;
	if (kick->pipe && got > 0)
		return (got + 7) / 8;
	if (got != sizeof(events[0]))
		return -EIO;
	return events[0] > INT64_MAX ? INT64_MAX : (int64_t)events[0];
}
