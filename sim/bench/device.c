/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device side in one thread: a driver fills rings, then the simulated remote, or a bare ring
 * in its place, has its turn. The clock runs during that turn only.
 *
 * bench_device_turn() is what callgrind counts (--toggle-collect).
 */
#include "bench/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "remote/endpoint.h"
#include "remote/remote.h"
#include "remote/service.h"
#include "virtio/drvq.h"
#include "virtio/virtq.h"

#define INPUT RPMSG_QUEUE_INPUT
#define OUTPUT RPMSG_QUEUE_OUTPUT
#define FEATURES                                                                                   \
	(VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(RPMSG_F_NS) |                                 \
	 VIRTIO_BIT(VIRTIO_F_RING_EVENT_IDX))
#define GUEST_ADDR UINT64_C(0x40000000)
#define TURNS_MAX (UINT32_C(1) << 20)
#define PAGE 4096
#define HOST_ADDR 2000
#define ADDRESSES 65536U /* drawn beforehand, power of two */

struct bench_device;

void bench_device_turn(struct bench_device *bench);

struct bench_device {
	const struct bench_options *options;
	uint32_t batch;
	uint32_t stride; /* from one buffer to the next */
	uint32_t message_size;
	uint8_t *buffers; /* of the input queue, then of the output queue */
	uint8_t *rings[RPMSG_NUM_QUEUES];
	struct drvq dq[RPMSG_NUM_QUEUES];
	uint32_t *free; /* buffers of the output queue that the driver has */
	uint32_t free_count;
	uint32_t *addresses;
	uint32_t next_address;

	void (*turn)(struct bench_device *bench);
	struct gmem mem;
	struct virtq vq[RPMSG_NUM_QUEUES];
	struct virtq_rings shared[RPMSG_NUM_QUEUES];
	struct remote *remote;
	struct violation_sink sink;
	uint64_t violations;
	uint64_t announced;

	uint64_t messages; /* that went into the remote, and came back for an echo */
	uint64_t total;	   /* nanoseconds of turns */
	uint32_t *turns;   /* nanoseconds of each; beyond TURNS_MAX the oldest are overwritten */
	uint64_t turn_count;

	/* the bare ring */
	uint16_t last_avail[RPMSG_NUM_QUEUES];
	uint16_t used_idx[RPMSG_NUM_QUEUES];
	uint8_t copy[65552];
};

/* ---- the driver ------------------------------------------------------------------------------ */

static uint64_t guest_addr(const struct bench_device *bench, const uint8_t *buffer)
{
	return GUEST_ADDR + (uint64_t)(buffer - bench->buffers);
}

static uint8_t *out_buffer(const struct bench_device *bench, uint32_t index)
{
	return bench->buffers + (uint64_t)bench->stride * (bench->options->ring + index);
}

static int post(struct bench_device *bench, uint8_t *buffer)
{
	struct drvq_buf buf = {.addr = guest_addr(bench, buffer), .len = bench->stride};

	return drvq_add(&bench->dq[INPUT], &buf, 0, 1, buffer);
}

static void send_batch(struct bench_device *bench)
{
	for (uint32_t i = 0; i < bench->batch; i++) {
		uint8_t *buffer = out_buffer(bench, bench->free[--bench->free_count]);
		struct drvq_buf buf = {.addr = guest_addr(bench, buffer),
				       .len = bench->message_size};
		struct rpmsg_hdr hdr = {
			.src = HOST_ADDR,
			.dst = bench->addresses[bench->next_address++ % ADDRESSES],
			.len = (uint16_t)bench->options->size,
		};

		rpmsg_hdr_encode(&hdr, buffer, WIRE_LITTLE_ENDIAN);
		drvq_add(&bench->dq[OUTPUT], &buf, 1, 0, buffer);
	}
	drvq_publish(&bench->dq[OUTPUT]);
}

/* Have everything back. Return: messages that came. */
static uint32_t collect(struct bench_device *bench)
{
	struct drvq_used used;
	uint32_t count = 0;

	while (drvq_get(&bench->dq[OUTPUT], &used) == 1)
		bench->free[bench->free_count++] =
			(uint32_t)(((uint8_t *)used.cookie - out_buffer(bench, 0)) / bench->stride);
	while (drvq_get(&bench->dq[INPUT], &used) == 1) {
		count++;
		post(bench, used.cookie);
	}
	if (count != 0)
		drvq_publish(&bench->dq[INPUT]);
	return count;
}

/* ---- the simulated remote ----------------------------------------------------------------------
 */

static uint64_t on_now(void *ctx)
{
	return bench_now();
}

static void on_call(void *ctx, unsigned int queue)
{
}

static void on_broken(void *ctx, unsigned int queue)
{
	fprintf(stderr, "rpmsg-bench: queue %u broke\n", queue);
	abort();
}

static void on_event(void *ctx, const struct remote_event *event)
{
	struct bench_device *bench = ctx;

	bench->announced += event->type == REMOTE_EVENT_NS;
}

static void on_violation(void *ctx, const struct violation_record *record)
{
	struct bench_device *bench = ctx;

	bench->violations++;
}

/* As in rpmsg-sim while nobody is subscribed to messages. */
static bool on_quiet(void *ctx)
{
	return true;
}

static const struct remote_ops ops = {
	.quiet = on_quiet,
	.now = on_now,
	.call = on_call,
	.queue_broken = on_broken,
	.event = on_event,
};

static void run_remote(struct bench_device *bench)
{
	remote_run(bench->remote, UINT32_MAX);
}

static int set_faults(struct bench_device *bench)
{
	const struct fault_setting never = {.mode = FAULT_MODE_ALWAYS, .after = UINT64_MAX / 2};
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < bench->options->faults && i < FAULT_COUNT; i++)
		ret = remote_fault_set(bench->remote, (enum fault)i, &never);
	return ret;
}

static int make_remote(struct bench_device *bench, const char *kind)
{
	const struct remote_config config = {
		.check = bench->options->check ? REMOTE_CHECK_REPORT : REMOTE_CHECK_OFF,
		.max_endpoints = bench->options->endpoints,
		.buffer_size = {bench->stride, bench->stride},
	};
	uint32_t *addresses = calloc(bench->options->endpoints, sizeof(*addresses));
	uint32_t draw = 1;
	int ret = addresses == NULL ? -ENOMEM : 0;

	bench->sink = (struct violation_sink){.report = on_violation, .ctx = bench};
	if (ret == 0)
		ret = remote_new(&bench->remote, &config, &ops, bench, &bench->sink);
	for (uint32_t i = 0; ret == 0 && i < bench->options->endpoints; i++) {
		addresses[i] = RPMSG_ADDR_ANY;
		ret = remote_announce(bench->remote, "bench", service_kind_find(kind), NULL,
				      &addresses[i]);
	}
	if (ret == 0)
		ret = set_faults(bench);
	for (uint32_t i = 0; ret == 0 && i < ADDRESSES; i++) {
		draw = draw * 1664525U + 1013904223U;
		bench->addresses[i] = addresses[((uint64_t)draw * bench->options->endpoints) >> 32];
	}
	free(addresses);
	bench->turn = run_remote;
	return ret;
}

static int attach_remote(struct bench_device *bench)
{
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		int ret;

		virtq_init(&bench->vq[i], (int)i, &bench->sink);
		ret = virtq_start(&bench->vq[i], &bench->mem, bench->options->ring,
				  &bench->shared[i], 0, FEATURES);
		if (ret != 0)
			return ret;
	}
	return remote_attach(bench->remote, &bench->vq[INPUT], &bench->vq[OUTPUT], FEATURES);
}

/* ---- a bare ring in its place
 * -------------------------------------------------------------------- */

static uint8_t *bare_pop(struct bench_device *bench, unsigned int queue, uint16_t *head)
{
	const struct virtq_rings *rings = &bench->shared[queue];
	uint32_t mask = bench->options->ring - 1;
	uint64_t addr;

	*head = vring_load16(rings->avail, vring_avail_entry(bench->last_avail[queue]++ & mask));
	addr = vring_load64(rings->desc, (uint64_t)VRING_DESC_SIZE * *head);
	return bench->buffers + (addr - GUEST_ADDR);
}

static void bare_push(struct bench_device *bench, unsigned int queue, uint16_t head, uint32_t len)
{
	const struct virtq_rings *rings = &bench->shared[queue];
	uint64_t at = vring_used_entry(bench->used_idx[queue]++ & (bench->options->ring - 1));

	vring_store32(rings->used, at, head);
	vring_store32(rings->used, at + 4, len);
}

/* Echoes every message: both copies, both rings, the barriers, and nothing else. */
static void run_bare(struct bench_device *bench)
{
	uint16_t idx = vring_load16_acquire(bench->shared[OUTPUT].avail, VRING_IDX);

	while (bench->last_avail[OUTPUT] != idx) {
		size_t size = bench->message_size;
		uint16_t out, in;

		/* Of a size that the compiler does not know. */
		__asm__ volatile("" : "+r"(size));
		memcpy(bench->copy, bare_pop(bench, OUTPUT, &out), size);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		memcpy(bare_pop(bench, INPUT, &in), bench->copy, size);
		bare_push(bench, INPUT, in, bench->message_size);
		bare_push(bench, OUTPUT, out, 0);
	}
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		vring_store16_release(bench->shared[i].used, VRING_IDX, bench->used_idx[i]);
		vring_fence();
	}
}

/* ---- what is measured ------------------------------------------------------------------------ */

static int start_rings(struct bench_device *bench)
{
	uint32_t num = bench->options->ring;
	struct drvq_layout layout;
	int ret = drvq_layout(&layout, num);

	for (unsigned int i = 0; ret == 0 && i < RPMSG_NUM_QUEUES; i++) {
		struct virtq_rings *rings = &bench->shared[i];

		bench->rings[i] = aligned_alloc(PAGE, (layout.bytes + PAGE - 1) / PAGE * PAGE);
		if (bench->rings[i] == NULL)
			return -ENOMEM;
		ret = drvq_start(&bench->dq[i], bench->rings[i], &layout, num, FEATURES);
		drvq_set_call(&bench->dq[i], false);
		rings->desc = bench->rings[i] + layout.desc;
		rings->avail = bench->rings[i] + layout.avail;
		rings->used = bench->rings[i] + layout.used;
	}
	return ret;
}

static int set_up(struct bench_device *bench, const struct bench_options *options)
{
	uint64_t bytes;
	struct gmem_region region = {.guest_addr = GUEST_ADDR, .user_addr = GUEST_ADDR};
	int ret;

	bench->options = options;
	bench->batch = options->batch < options->ring ? options->batch : options->ring;
	bench->message_size = RPMSG_HDR_SIZE + options->size;
	bench->stride = bench->message_size > RPMSG_BUF_SIZE ? (bench->message_size + 63) / 64 * 64
							     : RPMSG_BUF_SIZE;
	bytes = (uint64_t)2 * options->ring * bench->stride;
	bytes = (bytes + PAGE - 1) / PAGE * PAGE;
	bench->buffers = aligned_alloc(PAGE, bytes);
	bench->free = calloc(options->ring, sizeof(*bench->free));
	bench->addresses = calloc(ADDRESSES, sizeof(*bench->addresses));
	bench->turns = calloc(TURNS_MAX, sizeof(*bench->turns));
	if (bench->buffers == NULL || bench->free == NULL || bench->addresses == NULL ||
	    bench->turns == NULL)
		return -ENOMEM;
	memset(bench->buffers, 0x5a, bytes);
	region.host = bench->buffers;
	region.size = bytes;
	gmem_init(&bench->mem);
	ret = gmem_add(&bench->mem, &region);
	if (ret == 0)
		ret = start_rings(bench);
	for (uint32_t i = 0; ret == 0 && i < options->ring; i++) {
		bench->free[bench->free_count++] = options->ring - 1 - i;
		ret = post(bench, bench->buffers + (uint64_t)i * bench->stride) < 0 ? -EIO : 0;
	}
	drvq_publish(&bench->dq[INPUT]);
	return ret;
}

static void tear_down(struct bench_device *bench)
{
	if (bench->remote != NULL)
		remote_detach(bench->remote);
	remote_free(bench->remote);
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		virtq_stop(&bench->vq[i]);
		drvq_stop(&bench->dq[i]);
		free(bench->rings[i]);
	}
	free(bench->turns);
	free(bench->addresses);
	free(bench->free);
	free(bench->buffers);
}

__attribute__((noinline)) void bench_device_turn(struct bench_device *bench)
{
	bench->turn(bench);
}

static void timed_turn(struct bench_device *bench)
{
	uint64_t start = bench_now(), taken;

	bench_device_turn(bench);
	taken = bench_now() - start;
	bench->total += taken;
	bench->turns[bench->turn_count++ % TURNS_MAX] = (uint32_t)taken;
}

static int compare_turns(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

/*
 * Nanoseconds of all turns, had each taken as long as the median: a turn is short, and one in
 * which the kernel ran something else says nothing of the device.
 */
static uint64_t median_total(struct bench_device *bench)
{
	uint64_t kept = bench->turn_count < TURNS_MAX ? bench->turn_count : TURNS_MAX;

	if (kept == 0)
		return 0;
	qsort(bench->turns, kept, sizeof(*bench->turns), compare_turns);
	return bench->turns[kept / 2] * bench->turn_count;
}

static bool goes_on(const struct bench_device *bench, uint64_t start)
{
	return bench->options->count != 0 ? bench->messages < bench->options->count
					  : bench_now() - start < bench->options->duration;
}

/* Return: 0, or -EIO when the device did not do its work. */
static int one_turn(struct bench_device *bench, bool echo)
{
	uint32_t came;

	send_batch(bench);
	timed_turn(bench);
	came = collect(bench);
	if (bench->free_count != bench->options->ring || came != (echo ? bench->batch : 0))
		return -EIO;
	bench->messages += bench->batch;
	return 0;
}

static int measure(struct bench_device *bench, bool echo)
{
	uint64_t start = bench_now();
	int ret = 0;

	while (ret == 0 && goes_on(bench, start))
		ret = one_turn(bench, echo);
	return ret == 0 && bench->violations != 0 ? -EPROTO : ret;
}

/* Announcements first, so that what is measured is messages alone. */
static void take_announcements(struct bench_device *bench)
{
	while (bench->announced < bench->options->endpoints) {
		timed_turn(bench);
		collect(bench);
	}
}

static int run_messages(const struct bench_options *options, struct bench_result *result,
			const char *kind)
{
	static struct bench_device bench;
	bool echo = kind == NULL || strcmp(kind, "echo") == 0;
	int ret = set_up(&bench, options);

	bench_pin(options->cpus[0]);
	if (ret == 0 && kind == NULL)
		bench.turn = run_bare;
	if (ret == 0 && kind != NULL)
		ret = make_remote(&bench, kind);
	if (ret == 0 && kind != NULL) {
		ret = attach_remote(&bench);
		if (ret == 0)
			take_announcements(&bench);
	}
	/* Every endpoint learns its peer from its first message: that is not of interest here. */
	while (ret == 0 && kind != NULL && options->endpoints > 1 && bench.next_address < ADDRESSES)
		ret = one_turn(&bench, echo);
	bench.turn_count = 0;
	bench.messages = 0;
	if (ret == 0)
		ret = measure(&bench, echo);
	result->units = bench.messages;
	result->total = median_total(&bench);
	tear_down(&bench);
	return ret;
}

int bench_device(const struct bench_options *options, struct bench_result *result)
{
	return run_messages(options, result, "echo");
}

int bench_sink(const struct bench_options *options, struct bench_result *result)
{
	return run_messages(options, result, "sink");
}

int bench_bare(const struct bench_options *options, struct bench_result *result)
{
	return run_messages(options, result, NULL);
}

/* ---- announcements, and the memory of endpoints -------------------------------------------------
 */

/* Memory of its own: the programs and libraries that are mapped get resident as they are run. */
static uint64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long long pages = 0, mapped = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%*u %llu %llu", &pages, &mapped) != 2)
		pages = mapped;
	fclose(file);
	return (pages - mapped) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* What the table of endpoints takes for each of them; names and parameters lie elsewhere. */
static uint64_t bytes_each(uint32_t count)
{
	struct endpoint_table table;
	struct service *service;
	uint64_t before, after;

	if (count == 0 || endpoint_table_init(&table, count) != 0)
		return 0;
	endpoint_table_base(&table, RPMSG_ADDR_FIRST_DYNAMIC);
	before = resident_bytes();
	for (uint32_t i = 0; i < count; i++) {
		if (endpoint_bind(&table, endpoint_lowest_free(&table), &service) != 0)
			break;
	}
	after = resident_bytes();
	endpoint_table_fini(&table);
	return after > before ? (after - before) / count : 0;
}

int bench_announce(const struct bench_options *options, struct bench_result *result)
{
	static struct bench_device bench;
	int ret = set_up(&bench, options);

	bench_pin(options->cpus[0]);
	result->bytes = bytes_each(options->endpoints);
	if (ret == 0)
		ret = make_remote(&bench, "echo");
	if (ret == 0)
		ret = attach_remote(&bench);
	if (ret == 0)
		take_announcements(&bench);
	result->units = bench.announced;
	result->total = bench.total;
	tear_down(&bench);
	return ret;
}
