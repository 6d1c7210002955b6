/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Driver and device side in a thread each, on one ring, with every payload verified at both
 * ends. A lost kick or call shows as a wait that times out; a missing barrier as a wrong byte
 * or, under the thread sanitizer, as a race.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/ring_fixture.h"

#if defined(__SANITIZE_THREAD__)
#define MESSAGES 20000U
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MESSAGES 20000U
#endif
#endif
#ifndef MESSAGES
#define MESSAGES 100000U /* the indices wrap once */
#endif

#define MAX_INFLIGHT 64U
#define SLOT_SIZE 1024U /* one message: request, reply and indirect table */
#define REPLY_AT 256U
#define TABLE_AT 512U
#define MAX_PAYLOAD 200U
#define DEADLINE_MS 20000

struct bell {
	int fd; /* eventfd; -1: the sides poll the ring */
	unsigned int rung;
};

struct stress {
	struct ring ring;
	struct bell kick, call;
	uint32_t messages;
	bool event_idx;
	const char *driver_failed;
	const char *device_failed;
	atomic_bool stop; /* one side failed: the other need not wait for it */
};

static void bell_ring(struct bell *bell)
{
	const uint64_t one = 1;

	bell->rung++;
	if (bell->fd >= 0 && write(bell->fd, &one, sizeof(one)) != sizeof(one))
		bell->rung--;
}

/* False when nobody rang in time. */
static bool bell_wait(struct bell *bell)
{
	struct pollfd ready = {.fd = bell->fd, .events = POLLIN};
	uint64_t count;

	if (bell->fd < 0) {
		sched_yield();
		return true;
	}
	return poll(&ready, 1, DEADLINE_MS) == 1 &&
	       read(bell->fd, &count, sizeof(count)) == sizeof(count);
}

/* Byte i of message n, and its length: anything that differs from its neighbours'. */
static uint8_t pattern(uint32_t n, uint32_t i)
{
	return (uint8_t)((n * 2654435761U + i * 40503U) >> 13);
}

static uint32_t payload_size(uint32_t n)
{
	return 4 + n * 7919U % (MAX_PAYLOAD - 4);
}

static void fill(uint8_t *bytes, uint32_t n)
{
	for (uint32_t i = 0; i < payload_size(n); i++)
		bytes[i] = pattern(n, i);
}

static bool matches(const uint8_t *bytes, uint32_t n)
{
	for (uint32_t i = 0; i < payload_size(n); i++) {
		if (bytes[i] != pattern(n, i))
			return false;
	}
	return true;
}

/* The reply to message n is the payload of this one. */
static uint32_t reply_to(uint32_t n)
{
	return n + 0x40000000U;
}

/* Make message n available in slot, as one of several shapes; false when the ring is full. */
static bool driver_send(struct stress *s, uint32_t slot, uint32_t n, uint32_t *slot_of)
{
	const uint64_t at = RING_LOW + slot * SLOT_SIZE;
	const uint32_t size = payload_size(n);
	const uint32_t half = size / 2;
	const struct drvq_buf bufs[] = {
		{at, half},
		{at + half, size - half},
		{at + REPLY_AT, payload_size(reply_to(n))},
	};
	uint8_t *memory = ring_host(&s->ring, at);
	int head;

	fill(memory, n);
	/* A ring of one takes only tables of one entry: a message without a reply. */
	if (s->ring.num < 4) {
		const struct drvq_buf whole = {at, size};

		head = n % 2 != 0 ? drvq_add(&s->ring.dq, &whole, 1, 0, slot_of)
				  : drvq_add_indirect(&s->ring.dq, &whole, 1, 0, memory + TABLE_AT,
						      at + TABLE_AT, slot_of);
	} else if (n % 3 == 0) {
		head = drvq_add_indirect(&s->ring.dq, bufs, 2, 1, memory + TABLE_AT, at + TABLE_AT,
					 slot_of);
	} else {
		head = drvq_add(&s->ring.dq, bufs, 2, 1, slot_of);
	}
	return head >= 0;
}

static bool driver_check(struct stress *s, const struct drvq_used *used, uint32_t slot, uint32_t n)
{
	const uint8_t *reply = ring_host(&s->ring, RING_LOW + slot * SLOT_SIZE + REPLY_AT);

	if (s->ring.num < 4)
		return used->len == 0 && used->capacity == 0;
	return used->len == payload_size(reply_to(n)) && used->capacity == used->len &&
	       matches(reply, reply_to(n));
}

static const char *drive(struct stress *s)
{
	uint32_t message_in[MAX_INFLIGHT]; /* also the cookies: their address names the slot */
	uint32_t free_slots[MAX_INFLIGHT];
	uint32_t free_count = MAX_INFLIGHT;
	uint32_t sent = 0, returned = 0;
	struct drvq *dq = &s->ring.dq;

	for (uint32_t i = 0; i < MAX_INFLIGHT; i++)
		free_slots[i] = i;
	while (returned < s->messages) {
		struct drvq_used used;
		uint32_t batch = 1 + sent % 5;
		int got;

		while (batch-- > 0 && sent < s->messages && free_count > 0) {
			uint32_t slot = free_slots[free_count - 1];

			if (!driver_send(s, slot, sent, &message_in[slot]))
				break;
			message_in[slot] = sent;
			free_count--;
			sent++;
		}
		if (drvq_publish(dq))
			bell_ring(&s->kick);

		got = drvq_get(dq, &used);
		if (got < 0)
			return drvq_error_text(drvq_last_error(dq)->type);
		if (got == 0 && (sent == s->messages || dq->free_count < 3 || free_count == 0)) {
			if (atomic_load(&s->stop))
				return "the device gave up";
			if (!bell_wait(&s->call))
				return "a call was lost";
		}
		while (got > 0) {
			uint32_t slot = (uint32_t)((uint32_t *)used.cookie - message_in);

			if (!driver_check(s, &used, slot, message_in[slot]))
				return "a reply differs";
			free_slots[free_count++] = slot;
			returned++;
			/* Sometimes go on sending before everything was taken. */
			got = returned % 11 == 0 ? 0 : drvq_get(dq, &used);
		}
	}
	return NULL;
}

static const char *serve(struct stress *s)
{
	struct virtq *vq = &s->ring.vq;
	struct virtq_chain chain;
	uint32_t served = 0;

	while (served < s->messages) {
		uint8_t bytes[MAX_PAYLOAD];
		uint32_t used_len = 0;
		int got = virtq_pop(vq, &chain);

		if (got < 0)
			return violation_text(s->ring.reports[0].what);
		if (got == 0) {
			if (virtq_flush(vq))
				bell_ring(&s->call);
			/* With EVENT_IDX a pop of nothing has asked for the kick by itself. */
			if (!s->event_idx)
				virtq_set_notify(vq, true);
			if (s->event_idx || virtq_avail_count(vq) == 0) {
				if (atomic_load(&s->stop))
					return "the driver gave up";
				if (!bell_wait(&s->kick))
					return "a kick was lost";
			}
			if (!s->event_idx)
				virtq_set_notify(vq, false);
			continue;
		}

		if (chain.readable != payload_size(served) ||
		    virtq_read(vq, &chain, 0, bytes, sizeof(bytes)) != chain.readable ||
		    !matches(bytes, served))
			return "a message differs";
		if (chain.writable != 0) {
			used_len = payload_size(reply_to(served));
			fill(bytes, reply_to(served));
			if (virtq_write(vq, &chain, 0, bytes, used_len) != used_len)
				return "a reply does not fit";
		}
		if (virtq_push(vq, chain.head, used_len) != 0)
			return "a push was refused";
		served++;
		if (served % 7 == 0 && virtq_flush(vq))
			bell_ring(&s->call);
	}
	if (virtq_flush(vq))
		bell_ring(&s->call);
	return NULL;
}

static void *device_thread(void *ctx)
{
	struct stress *s = ctx;

	s->device_failed = serve(s);
	if (s->device_failed != NULL)
		atomic_store(&s->stop, true);
	return NULL;
}

static void run(uint32_t num, uint64_t features, bool sleeping)
{
	static struct stress s;
	pthread_t device;

	memset(&s, 0, sizeof(s));
	s.messages = MESSAGES;
	s.event_idx = (features & VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX)) != 0;
	s.kick.fd = sleeping ? eventfd(0, EFD_CLOEXEC) : -1;
	s.call.fd = sleeping ? eventfd(0, EFD_CLOEXEC) : -1;
	ring_setup(&s.ring, num, features | VIRTIO_BIT(VIRTIO_F_RING_INDIRECT_DESC));

	assert_int_equal(pthread_create(&device, NULL, device_thread, &s), 0);
	s.driver_failed = drive(&s);
	if (s.driver_failed != NULL) {
		atomic_store(&s.stop, true);
		bell_ring(&s.kick);
	}
	pthread_join(device, NULL);

	if (s.driver_failed != NULL || s.device_failed != NULL)
		fail_msg("driver: %s; device: %s", s.driver_failed ? s.driver_failed : "well",
			 s.device_failed ? s.device_failed : "well");
	print_message("ring of %u: %u messages, %u kicks, %u calls\n", num, s.messages, s.kick.rung,
		      s.call.rung);
	assert_int_equal(s.ring.report_count, 0);
	assert_int_equal(ring_used_idx(&s.ring), s.messages % 65536);
	ring_teardown(&s.ring);
	if (sleeping) {
		close(s.kick.fd);
		close(s.call.fd);
	}
}

#define EVENT_IDX VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX)

static void test_stress_polling(void **state)
{
	run(64, 0, false);
}

static void test_stress_polling_with_event_idx(void **state)
{
	run(64, EVENT_IDX, false);
}

static void test_stress_sleeping_loses_no_wakeup(void **state)
{
	run(64, 0, true);
}

static void test_stress_sleeping_with_event_idx_loses_no_wakeup(void **state)
{
	run(64, EVENT_IDX, true);
}

static void test_stress_small_ring_with_event_idx_loses_no_wakeup(void **state)
{
	run(4, EVENT_IDX, true);
}

static void test_stress_ring_of_one_loses_no_wakeup(void **state)
{
	run(1, EVENT_IDX, true);
}

static void test_stress_ring_of_one_polling(void **state)
{
	run(1, 0, false);
}

/*
 * The moment that loses wake-ups: one side publishes while the other goes to sleep. Either
 * the sleeper sees what was published, or the publisher sees that it has to wake. Both sides
 * do their one step at the same time, some hundred thousand times.
 */
struct meeting {
	struct ring ring;
	atomic_uint arrived;
	uint32_t rounds;
	bool kicks; /* the device sleeps; else the driver */
	bool event_idx;
	bool wake; /* what the publisher was told */
	/* Eighths of a step that the publisher begins later, the sleeper when negative. */
	int delay;
};

/* Both threads leave this at about the same time; step counts from 1 and up by 1. */
static void meet(struct meeting *m, uint32_t step)
{
	uint32_t spins = 0;

	atomic_fetch_add(&m->arrived, 1);
	while (atomic_load(&m->arrived) < 2 * step) {
		if (++spins % 1000 == 0)
			sched_yield();
	}
}

static void stagger(int steps)
{
	for (int i = 0; i < steps; i++)
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void *publisher(void *ctx)
{
	const struct drvq_buf buf = {RING_LOW, 16};
	struct meeting *m = ctx;

	for (uint32_t i = 0; i < m->rounds; i++) {
		if (m->kicks)
			drvq_add(&m->ring.dq, &buf, 1, 0, NULL);
		else
			virtq_push(&m->ring.vq, 0, 0);
		meet(m, 3 * i + 1);
		stagger(m->delay / 8 + (int)(i % 17));
		m->wake = m->kicks ? drvq_publish(&m->ring.dq) : virtq_flush(&m->ring.vq);
		meet(m, 3 * i + 2);
		/* The other thread, alone, makes the ring what it was before. */
		meet(m, 3 * i + 3);
	}
	return NULL;
}

/* The device looks for work, asking for a kick: whether it found some. */
static bool device_looks(struct meeting *m)
{
	struct virtq_chain chain;

	if (m->event_idx)
		return virtq_pop(&m->ring.vq, &chain) == 1;
	virtq_set_notify(&m->ring.vq, true);
	return virtq_avail_count(&m->ring.vq) == 1 && virtq_pop(&m->ring.vq, &chain) == 1;
}

/* The driver looks for used entries, asking for a call: whether it found one. */
static bool driver_looks(struct meeting *m)
{
	struct drvq_used used;

	if (!m->event_idx)
		drvq_set_call(&m->ring.dq, true);
	return drvq_get(&m->ring.dq, &used) == 1;
}

/* Give the one chain back to the driver, and ask for no kick. */
static void return_chain(struct meeting *m)
{
	struct drvq_used used;

	virtq_push(&m->ring.vq, 0, 0);
	virtq_flush(&m->ring.vq);
	drvq_get(&m->ring.dq, &used);
	if (!m->event_idx)
		virtq_set_notify(&m->ring.vq, false);
}

/* Give the one chain to the device, and ask for no call. */
static void lend_chain(struct meeting *m)
{
	const struct drvq_buf buf = {RING_LOW, 16};
	struct virtq_chain chain;

	drvq_add(&m->ring.dq, &buf, 1, 0, NULL);
	drvq_publish(&m->ring.dq);
	virtq_pop(&m->ring.vq, &chain);
	if (!m->event_idx)
		drvq_set_call(&m->ring.dq, false);
}

static void run_meeting(bool kicks, bool event_idx)
{
	static struct meeting m;
	uint32_t woken = 0, missed = 0, lost = 0;
	pthread_t thread;

	memset(&m, 0, sizeof(m));
	m.rounds = MESSAGES;
	m.kicks = kicks;
	m.event_idx = event_idx;
	/* Large enough that indices, flags and events do not share a line of the cache. */
	ring_setup(&m.ring, 64, event_idx ? VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX) : 0);
	if (!kicks)
		lend_chain(&m);
	assert_int_equal(pthread_create(&thread, NULL, publisher, &m), 0);
	for (uint32_t i = 0; i < m.rounds; i++) {
		bool found;

		meet(&m, 3 * i + 1);
		stagger((int)(i % 13) - m.delay / 8);
		found = kicks ? device_looks(&m) : driver_looks(&m);
		meet(&m, 3 * i + 2);
		woken += m.wake;
		/* Whoever was first begins later next time: so they keep meeting. */
		m.delay += found ? 1 : -1;
		missed += !found && !m.wake;
		if (!found)
			lost += kicks ? !device_looks(&m) : !driver_looks(&m);
		if (kicks)
			return_chain(&m);
		else
			lend_chain(&m);
		meet(&m, 3 * i + 3);
	}
	pthread_join(thread, NULL);
	print_message("%u rounds, woken in %u\n", m.rounds, woken);
	assert_int_equal(missed, 0);
	assert_int_equal(lost, 0);
	assert_int_equal(m.ring.report_count, 0);
	ring_teardown(&m.ring);
}

static void test_stress_call_is_not_missed_by_driver_going_to_sleep(void **state)
{
	run_meeting(false, false);
}

static void test_stress_call_event_is_not_missed_by_driver_going_to_sleep(void **state)
{
	run_meeting(false, true);
}

static void test_stress_kick_is_not_missed_by_device_going_to_sleep(void **state)
{
	run_meeting(true, false);
}

static void test_stress_kick_event_is_not_missed_by_device_going_to_sleep(void **state)
{
	run_meeting(true, true);
}

struct flipper {
	struct ring ring;
	atomic_bool stop;
};

/* A driver that changes a descriptor all the time: small and legal, huge and not. */
static void *flip(void *ctx)
{
	struct flipper *f = ctx;
	const uint64_t legal = 16, huge = UINT32_MAX;

	while (!atomic_load_explicit(&f->stop, memory_order_relaxed)) {
		vring_store64(f->ring.rings.desc, 8, huge);
		vring_store64(f->ring.rings.desc, 8, legal);
	}
	return NULL;
}

static void test_stress_descriptor_that_changes_is_used_as_it_was_checked(void **state)
{
	static struct flipper f;
	uint32_t legal = 0, broken = 0;
	pthread_t thread;

	memset(&f, 0, sizeof(f));
	ring_setup(&f.ring, 1, 0);
	ring_put_desc(&f.ring, 0, RING_LOW, 16, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, flip, &f), 0);
	/* On one busy core the other thread may not run for long: until both were seen. */
	for (uint32_t i = 0; i < MESSAGES || ((legal == 0 || broken == 0) && i < 1000 * MESSAGES);
	     i++) {
		struct virtq_chain chain;

		ring_restart_at(&f.ring, 0);
		ring_offer(&f.ring, 0);
		if (virtq_pop(&f.ring.vq, &chain) == 1) {
			assert_int_equal(chain.readable, 16);
			assert_int_equal(chain.descs[0].len, 16);
			legal++;
		} else {
			assert_int_equal(f.ring.reports[0].what, VIOLATION_VQ_ADDRESS);
			assert_int_equal(f.ring.reports[0].expected, UINT32_MAX);
			broken++;
		}
	}
	atomic_store(&f.stop, true);
	pthread_join(thread, NULL);
	print_message("%u legal, %u broken\n", legal, broken);
	assert_true(legal != 0 && broken != 0);
	ring_teardown(&f.ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stress_polling),
		cmocka_unit_test(test_stress_polling_with_event_idx),
		cmocka_unit_test(test_stress_sleeping_loses_no_wakeup),
		cmocka_unit_test(test_stress_sleeping_with_event_idx_loses_no_wakeup),
		cmocka_unit_test(test_stress_small_ring_with_event_idx_loses_no_wakeup),
		cmocka_unit_test(test_stress_ring_of_one_loses_no_wakeup),
		cmocka_unit_test(test_stress_ring_of_one_polling),
		cmocka_unit_test(test_stress_call_is_not_missed_by_driver_going_to_sleep),
		cmocka_unit_test(test_stress_call_event_is_not_missed_by_driver_going_to_sleep),
		cmocka_unit_test(test_stress_kick_is_not_missed_by_device_going_to_sleep),
		cmocka_unit_test(test_stress_kick_event_is_not_missed_by_device_going_to_sleep),
		cmocka_unit_test(test_stress_descriptor_that_changes_is_used_as_it_was_checked),
	};

	return cmocka_run_group_tests_name("virtq_stress", tests, NULL, NULL);
}
