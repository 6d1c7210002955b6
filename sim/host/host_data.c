/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages: out of the ring into a private copy, judged, delivered, buffer posted again; and
 * the way back. Nothing here allocates, and a turn has an end however much the remote sends.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <string.h>

#include "host/host_internal.h"
#include "virtio/fetch.h"
#include "virtio/read_hook.h"
#include "wire/bytes.h"

#define NS_PER_MS UINT64_C(1000000)

/* Polling: turns without a message between two looks at the connection. */
#define IDLE_TURNS 4096U

/* At the rings, between two at the clock. */
#define LOOKS 16U

/*
 * Receive buffers are shown to the remote again once so many have gathered, or a quarter of
 * them all: it still has the others meanwhile, and is kicked that much less (VQ-035).
 */
#define POST_BATCH 64U

static struct drvq *in_queue(struct host *host)
{
	return &host->fe.queues[RPMSG_QUEUE_INPUT].dq;
}

static struct drvq *out_queue(struct host *host)
{
	return &host->fe.queues[RPMSG_QUEUE_OUTPUT].dq;
}

/* Where the remote finds a buffer of a pool. */
static uint64_t guest_addr(const struct host_pool *pool, const uint8_t *buffer)
{
	return pool->guest_addr + (uint64_t)(buffer - pool->memory);
}

/* A ring cannot be followed any more. */
static int ring_broken(struct host *host, unsigned int queue)
{
	static const enum finding findings[] = {
		[DRVQ_USED_JUMP] = FINDING_USED_JUMP,
		[DRVQ_ID_RANGE] = FINDING_USED_ID_RANGE,
		[DRVQ_NOT_OUTSTANDING] = FINDING_USED_ID_IDLE,
	};
	const struct drvq_error *error = drvq_last_error(&host->fe.queues[queue].dq);

	if (host->failed)
		return -EPROTO;
	host->failed = true;
	host_find(host, findings[error->type], FINDING_NONE, error->expected, error->seen);
	return host_fail(host, -EPROTO,
			 "the remote broke queue %u: %s (bound %" PRIu64 ", seen %" PRIu64
			 "); reset it before it is used again",
			 queue, drvq_error_text(error->type), error->expected, error->seen);
}

static int publish(struct host *host, unsigned int queue)
{
	int ret;

	if (!drvq_publish(&host->fe.queues[queue].dq))
		return 0;
	ret = frontend_kick(&host->fe, queue);
	return ret < 0 ? host_fail_frontend(host, ret) : 0;
}

/* receiving */

static int post(struct host *host, uint8_t *buffer)
{
	struct drvq_buf buf = {.addr = guest_addr(&host->in, buffer), .len = host->in.size};

	return drvq_add(in_queue(host), &buf, 0, 1, buffer);
}

int host_post_all(struct host *host)
{
	for (uint32_t i = 0; i < host->in.count; i++) {
		int ret = post(host, host->in.memory + i * host->in.distance);

		if (ret < 0)
			return host_fail(host, ret, "cannot post a receive buffer: %s",
					 strerror(-ret));
	}
	drvq_publish(in_queue(host));
	host->post_batch = host->in.count / 4 < POST_BATCH ? host->in.count / 4 : POST_BATCH;
	if (host->post_batch == 0)
		host->post_batch = 1;
	return 0;
}

/* What may be sent nevertheless, and is ignored (HD-013, HD-021). */
static void judge_header(struct host *host, const struct host_message *message)
{
	const struct rpmsg_hdr *hdr = &message->hdr;

	if (__builtin_expect((hdr->reserved | hdr->flags) != 0, 0)) {
		if (hdr->reserved)
			host_find(host, FINDING_RESERVED, message->desc_id, 0, hdr->reserved);
		if (hdr->flags)
			host_find(host, FINDING_FLAGS, message->desc_id, 0, hdr->flags);
	}
	if (__builtin_expect(hdr->src == RPMSG_ADDR_ANY, 0))
		host_find(host, FINDING_SRC_ANY, message->desc_id, 0, hdr->src);
}

static void deliver(struct host *host, const struct host_message *message)
{
	const struct host_endpoint *endpoint = &host->endpoints[host->last_endpoint];
	uint32_t dst = message->hdr.dst;

	if (host->last_endpoint >= host->endpoint_count || endpoint->addr != dst) {
		endpoint = NULL;
		for (unsigned int i = 0; i < host->endpoint_count; i++) {
			if (host->endpoints[i].addr == dst) {
				host->last_endpoint = i;
				endpoint = &host->endpoints[i];
				break;
			}
		}
	}
	if (endpoint) {
		host->stats.delivered++;
		endpoint->receive(endpoint->ctx, message);
		return;
	}
	if (dst == RPMSG_ADDR_NS && host_has(host, RPMSG_F_NS)) {
		host_nameservice(host, message);
		return;
	}
	if (dst == RPMSG_ADDR_ANY)
		host_find(host, FINDING_DST_ANY, message->desc_id, 0, dst);
	else if (dst == RPMSG_ADDR_NS && message->hdr.len == RPMSG_NS_MSG_SIZE)
		host_find(host, FINDING_NS_NOT_NEGOTIATED, message->desc_id, 0, dst);
	else if (!host->ops->unbound)
		host_find(host, FINDING_DST_UNBOUND, message->desc_id, 0, dst);
	if (host->ops->unbound) {
		host->stats.delivered++;
		host->ops->unbound(host->ctx, message);
	}
}

/* Out of memory that the remote can write to. */
static void copy_shared(uint8_t *to, const uint8_t *shared, uint32_t size)
{
	guest_read_hook(shared, size);
	memcpy(to, shared, wire_unbounded(size));
	/* The copy is what gets judged: forbid the compiler to go back to its source. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void copy_first(struct host_taken *taken)
{
	const struct drvq_used *used = &taken->used;

	taken->copied = used->len < used->capacity ? used->len : used->capacity;
	if (taken->copied > HOST_FIRST_COPY)
		taken->copied = HOST_FIRST_COPY;
	copy_shared(taken->bytes, used->cookie, taken->copied);
}

/*
 * Used buffers are taken several at a time, and the first bytes of all of them copied, before the
 * first is looked at: what the remote wrote comes from its core's cache, and so it comes together,
 * and what judges the copies finds them made.
 *
 * Return: how many; negative errno when the ring broke before the first.
 */
static int take_some(struct host *host)
{
	uint32_t most = host->post_batch < HOST_TAKE ? host->post_batch : HOST_TAKE;
	uint32_t count = 0;
	int ret = 0;

	while (count < most && (ret = drvq_get(in_queue(host), &host->taken[count].used)) == 1)
		copy_first(&host->taken[count++]);
	return count != 0 ? (int)count : ret;
}

/*
 * One used buffer. Each byte of it is read once: the first ones, with the header, then what that
 * says, which was bounded by then; the remote can write to it all the while.
 *
 * Source: Linux drivers/rpmsg/virtio_rpmsg_bus.c, rpmsg_recv_single(); HD-015 to HD-017.
 */
static void receive(struct host *host, const struct host_taken *taken)
{
	const struct drvq_used *used = &taken->used;
	const uint8_t *shared = used->cookie;
	struct host_message message = {.used_len = used->len, .desc_id = used->head};
	uint32_t whole;

	host->stats.received++;
	if (used->len < RPMSG_HDR_SIZE) {
		host_find(host, FINDING_USED_LEN_SHORT, used->head, RPMSG_HDR_SIZE, used->len);
		return;
	}
	if (used->len > used->capacity) {
		host_find(host, FINDING_USED_LEN_LONG, used->head, used->capacity, used->len);
		return;
	}
	rpmsg_hdr_decode(&message.hdr, taken->bytes, RPMSG_HDR_SIZE, host->order);
	if (message.hdr.len > used->len - RPMSG_HDR_SIZE) {
		host_find(host, FINDING_HDR_LEN, used->head, used->len - RPMSG_HDR_SIZE,
			  message.hdr.len);
		return;
	}
	whole = RPMSG_HDR_SIZE + message.hdr.len;
	message.payload = taken->bytes + RPMSG_HDR_SIZE;
	if (whole > taken->copied) {
		memcpy(host->copy, taken->bytes, taken->copied);
		copy_shared(host->copy + taken->copied, shared + taken->copied,
			    whole - taken->copied);
		message.payload = host->copy + RPMSG_HDR_SIZE;
	}
	judge_header(host, &message);
	deliver(host, &message);
}

/* sending */

/* Return: 0, or -EPROTO. */
static int take_returned(struct host *host)
{
	struct drvq_used used;
	int ret;

	while ((ret = drvq_get(out_queue(host), &used)) == 1) {
		host->free_out[host->free_count++] = used.cookie;
		host->stats.returned++;
		if (__builtin_expect(used.len != 0, 0))
			host_find(host, FINDING_TX_USED_LEN, FINDING_NONE, 0, used.len);
	}
	return ret < 0 ? ring_broken(host, RPMSG_QUEUE_OUTPUT) : 0;
}

uint8_t *host_begin(struct host *host, uint32_t size)
{
	if (size > host_max_payload(host) || host->failed)
		return NULL;
	if (host->free_count == 0 && (take_returned(host) < 0 || host->free_count == 0))
		return NULL;
	if (host->free_count > FETCH_DISTANCE)
		fetch_to_write(host->free_out[host->free_count - 1 - FETCH_DISTANCE],
			       RPMSG_HDR_SIZE + size);
	return host->free_out[host->free_count - 1] + RPMSG_HDR_SIZE;
}

int host_commit(struct host *host, uint32_t src, uint32_t dst, uint32_t size)
{
	struct rpmsg_hdr hdr = {.src = src, .dst = dst, .len = (uint16_t)size};
	uint8_t *buffer = host->free_out[host->free_count - 1];
	struct drvq_buf buf = {.addr = guest_addr(&host->out, buffer),
			       .len = RPMSG_HDR_SIZE + size};

	rpmsg_hdr_encode(&hdr, buffer, host->order);
	/* As many buffers as entries at the most: only a broken ring refuses one. */
	if (drvq_add(out_queue(host), &buf, 1, 0, buffer) < 0)
		return ring_broken(host, RPMSG_QUEUE_OUTPUT);
	host->free_count--;
	host->stats.sent++;
	return 0;
}

int host_try_send(struct host *host, uint32_t src, uint32_t dst, const void *payload, uint32_t size)
{
	uint8_t *shared;

	if (size > host_max_payload(host))
		return host_fail(host, -EMSGSIZE,
				 "%" PRIu32 " bytes do not fit: a message to "
				 "this remote holds %" PRIu32,
				 size, host_max_payload(host));
	if (src == RPMSG_ADDR_ANY || dst == RPMSG_ADDR_ANY)
		return host_fail(host, -EINVAL, "address 0xffffffff cannot stand in a message");
	shared = host_begin(host, size);
	/* Without a text for a lack of buffers: whoever polls comes here all the time. */
	if (!shared)
		return host->failed ? -EPROTO : -EAGAIN;
	if (size != 0)
		memcpy(shared, payload, size);
	return host_commit(host, src, dst, size);
}

int host_flush(struct host *host)
{
	return publish(host, RPMSG_QUEUE_OUTPUT);
}

static int wait_or_time_out(struct host *host, uint64_t deadline)
{
	int ret = host_wait(host, deadline);

	return ret != 0 ? ret : -ETIMEDOUT;
}

int host_send(struct host *host, uint32_t src, uint32_t dst, const void *payload, uint32_t size,
	      uint64_t deadline)
{
	int ret = host_try_send(host, src, dst, payload, size);

	if (ret == -EAGAIN) {
		/* All of them: what a callback sent was perhaps not shown yet. */
		ret = host_flush(host);
		if (ret < 0)
			return ret;
		host_wait_returned(host, 1);
		do {
			ret = host_turn(host);
			if (ret == 0 && host->free_count == 0)
				ret = wait_or_time_out(host, deadline);
		} while (ret >= 0 && host->free_count == 0);
		host_wait_returned(host, 0);
		if (ret == -ETIMEDOUT)
			return host_fail(host, ret,
					 "the remote did not return one of %" PRIu32
					 " send buffers in time",
					 host->out.count);
		if (ret >= 0)
			ret = host_try_send(host, src, dst, payload, size);
	}
	return ret < 0 ? ret : host_flush(host);
}

int host_drain(struct host *host, uint64_t deadline)
{
	int ret;

	host_wait_returned(host, 1);
	do {
		ret = host_turn(host);
		if (ret == 0 && host_outstanding(host) != 0)
			ret = wait_or_time_out(host, deadline);
	} while (ret >= 0 && host_outstanding(host) != 0);
	host_wait_returned(host, 0);
	return ret < 0 ? ret : 0;
}

uint32_t host_outstanding(const struct host *host)
{
	return host->out.count - host->free_count;
}

void host_wait_returned(struct host *host, uint32_t count)
{
	host->wait_returned = count != 0;
	host->call_at = (uint16_t)(out_queue(host)->last_used + count);
	/* Who looks first asks for interrupts only when that was in vain. */
	if (host->options.poll || host->options.spin)
		return;
	if (count != 0)
		drvq_set_call_after(out_queue(host), (uint16_t)count);
	else
		drvq_set_call(out_queue(host), false);
}

/* both */

int host_turn(struct host *host)
{
	uint32_t taken = 0;
	int ret = 0;

	while (taken < host->in.count) {
		ret = take_some(host);
		if (ret <= 0)
			break;
		for (int i = 0; i < ret; i++) {
			receive(host, &host->taken[i]);
			/* The entry of the buffer is free again, so that there is one for it. */
			post(host, host->taken[i].used.cookie);
		}
		taken += (uint32_t)ret;
		if (in_queue(host)->pending >= host->post_batch &&
		    publish(host, RPMSG_QUEUE_INPUT) < 0)
			return -EPIPE;
	}
	if (ret < 0)
		return ring_broken(host, RPMSG_QUEUE_INPUT);
	if (host->free_count < host->out.count) {
		uint32_t before = host->free_count;

		ret = take_returned(host);
		if (ret < 0)
			return ret;
		/* Whoever waits for them must not go to sleep now. */
		if (host->wait_returned)
			taken += host->free_count - before;
	}
	if (taken > 0)
		host->idle_turns = 0;
	return (int)taken;
}

/* Milliseconds to wait, rounded up: too late is better than once too often. */
static int wait_ms(uint64_t deadline)
{
	uint64_t now = host_now(), ms;

	if (deadline == HOST_NO_DEADLINE)
		return FRONTEND_NO_LIMIT;
	if (now >= deadline)
		return 0;
	ms = (deadline - now + NS_PER_MS - 1) / NS_PER_MS;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

static bool something_came(const struct host *host)
{
	const struct frontend_queue *queues = host->fe.queues;

	return drvq_may_get(&queues[RPMSG_QUEUE_INPUT].dq) ||
	       (host->wait_returned && drvq_may_get(&queues[RPMSG_QUEUE_OUTPUT].dq));
}

/* Look at the rings for as long as that has paid. Return: true when something came. */
static bool look_for_a_while(struct host *host, uint64_t now)
{
	uint64_t end = now + host->spin.wait;

	if (host->spin.wait == 0)
		return something_came(host);
	do {
		for (unsigned int i = 0; i < LOOKS; i++) {
			if (something_came(host)) {
				spin_hit(&host->spin);
				return true;
			}
			spin_relax();
		}
	} while (host_now() < end);
	spin_missed(&host->spin);
	return false;
}

static void ask_for_calls(struct host *host)
{
	uint16_t left = (uint16_t)(host->call_at - out_queue(host)->last_used);

	drvq_set_call(in_queue(host), true);
	if (host->wait_returned)
		drvq_set_call_after(out_queue(host), left - 1U < VRING_MAX_SIZE ? left : 1);
}

static void ask_for_no_calls(struct host *host)
{
	drvq_set_call(in_queue(host), false);
	if (host->wait_returned)
		drvq_set_call(out_queue(host), false);
}

/*
 * Interrupts are off, but while this side sleeps. Whether they were wanted just before is not
 * known to the remote, so that it is looked once more after they were asked for.
 */
static int look_and_sleep(struct host *host, uint64_t deadline)
{
	uint64_t now = host_now();
	int ret;

	if (look_for_a_while(host, now))
		return 1;
	ask_for_calls(host);
	now = host_now();
	ret = something_came(host) ? 1 : frontend_wait(&host->fe, wait_ms(deadline));
	if (ret >= 0)
		spin_slept(&host->spin, host_now() - now);
	ask_for_no_calls(host);
	return ret < 0 ? host_fail_frontend(host, ret) : ret != 0;
}

int host_wait(struct host *host, uint64_t deadline)
{
	int ret;

	if (host->failed)
		return -EPROTO;
	if (host->options.spin && !host->options.poll)
		return look_and_sleep(host, deadline);
	if (host->options.poll && ++host->idle_turns < IDLE_TURNS)
		return 1;
	host->idle_turns = 0;
	ret = frontend_wait(&host->fe, host->options.poll ? 0 : wait_ms(deadline));
	if (ret < 0)
		return host_fail_frontend(host, ret);
	if (host->options.poll) {
		/* The remote may have nowhere else to run. */
		sched_yield();
		return deadline == HOST_NO_DEADLINE || host_now() < deadline;
	}
	return ret != 0;
}
