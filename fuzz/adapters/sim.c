/* SPDX-License-Identifier: BSD-2-Clause */
/* The simulator's own remote as an adapter: what one for another stack looks like. */
#include <stdlib.h>

#include "adapters/adapter.h"
#include "remote/remote.h"
#include "remote/service.h"
#include "virtio/virtq.h"

struct stack {
	struct gmem mem;
	struct virtq queues[ADAPTER_QUEUES];
	struct remote *remote;
	uint64_t now;
};

static uint64_t on_now(void *ctx)
{
	const struct stack *stack = ctx;

	return stack->now;
}

static void on_call(void *ctx, unsigned int queue)
{
}

static void on_broken(void *ctx, unsigned int queue)
{
}

static const struct remote_ops remote_ops = {
	.now = on_now, .call = on_call, .queue_broken = on_broken};

static int start_queues(struct stack *stack, const struct adapter_setup *setup)
{
	const struct gmem_region region = {
		.guest_addr = setup->memory_address,
		.size = setup->memory_size,
		.user_addr = setup->memory_address,
		.host = setup->memory,
	};
	int ret;

	gmem_init(&stack->mem);
	ret = gmem_add(&stack->mem, &region);
	for (int i = 0; ret == 0 && i < ADAPTER_QUEUES; i++) {
		const struct adapter_queue *queue = &setup->queues[i];
		const struct virtq_rings rings = {
			.desc = queue->desc, .avail = queue->avail, .used = queue->used};

		virtq_init(&stack->queues[i], i, NULL);
		ret = virtq_start(&stack->queues[i], &stack->mem, queue->entries, &rings, 0,
				  setup->features);
	}
	return ret;
}

static void fini(void *handle)
{
	struct stack *stack = handle;

	if (stack->remote != NULL)
		remote_detach(stack->remote);
	remote_free(stack->remote);
	for (int i = 0; i < ADAPTER_QUEUES; i++)
		(void)virtq_stop(&stack->queues[i]);
	free(stack);
}

static void *init(const struct adapter_setup *setup)
{
	const struct remote_config config = {
		.backlog = 32, .max_endpoints = 64, .max_queue = setup->queues[0].entries};
	struct stack *stack = calloc(1, sizeof(*stack));
	uint32_t addr = 1024;

	if (stack == NULL)
		return NULL;
	if (start_queues(stack, setup) != 0 ||
	    remote_new(&stack->remote, &config, &remote_ops, stack, NULL) != 0 ||
	    remote_announce(stack->remote, "echo", service_kind_find("echo"), NULL, &addr) != 0 ||
	    remote_attach(stack->remote, &stack->queues[0], &stack->queues[1], setup->features) !=
		    0) {
		fini(stack);
		return NULL;
	}
	return stack;
}

static void feed(void *handle, unsigned int queue)
{
	struct stack *stack = handle;

	remote_kick(stack->remote, queue, 1);
}

static void poll(void *handle, uint64_t ns)
{
	struct stack *stack = handle;

	stack->now = ns;
	while (remote_run(stack->remote, 64))
		;
}

const struct adapter adapter = {
	.name = "sim",
	.features = UINT64_C(1) << 32 | UINT64_C(1) << 0 | UINT64_C(1) << 29 | UINT64_C(1) << 28,
	.init = init,
	.feed = feed,
	.poll = poll,
	.fini = fini,
};
