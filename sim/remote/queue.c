/* SPDX-License-Identifier: BSD-2-Clause */
/* Giving buffers back, holding them, and calling the host. */
#include "remote/remote_priv.h"

static REMOTE_COLD void report_returned(struct remote *remote, uint16_t head, uint32_t used_len)
{
	struct remote_event event = {
		.type = REMOTE_EVENT_RETURNED,
		.queue = RPMSG_QUEUE_OUTPUT,
		.desc_id = head,
		.used_len = used_len,
	};

	remote->ops->event(remote->ctx, &event);
}

bool queue_return(struct remote *remote, unsigned int index, uint16_t head, uint32_t used_len)
{
	if (virtq_push(remote->queues[index].vq, head, used_len) != 0)
		return false;
	remote->stats.queues[index].returned++;
	if (index == RPMSG_QUEUE_OUTPUT && remote->ops->event != NULL)
		report_returned(remote, head, used_len);
	return true;
}

void queue_done_with(struct remote *remote, uint16_t head)
{
	struct remote_queue *queue = &remote->queues[RPMSG_QUEUE_OUTPUT];

	if (!queue->holding) {
		queue_return(remote, RPMSG_QUEUE_OUTPUT, head, 0);
		return;
	}
	/* No more heads than entries of a ring are ever outstanding. */
	queue->held[(queue->held_first + queue->held_count) % VRING_MAX_SIZE] = head;
	queue->held_count++;
	remote->stats.queues[RPMSG_QUEUE_OUTPUT].held = queue->held_count;
	if (queue->hold_left != 0 && --queue->hold_left == 0)
		queue->holding = false;
}

uint32_t queue_release(struct remote *remote, uint32_t count)
{
	struct remote_queue *queue = &remote->queues[RPMSG_QUEUE_OUTPUT];
	uint32_t released = 0;

	while (released < count && queue->held_count != 0) {
		uint16_t head = queue->held[queue->held_first];

		if (!queue_return(remote, RPMSG_QUEUE_OUTPUT, head, 0))
			break;
		queue->held_first = (queue->held_first + 1) % VRING_MAX_SIZE;
		queue->held_count--;
		released++;
	}
	remote->stats.queues[RPMSG_QUEUE_OUTPUT].held = queue->held_count;
	return released;
}

static void flush(struct remote *remote, unsigned int index)
{
	struct remote_queue *queue = &remote->queues[index];

	if (virtq_flush(queue->vq)) {
		remote->stats.queues[index].calls++;
		remote->ops->call(remote->ctx, index);
	}
	if (!queue->vq->broken || queue->broken)
		return;

	/* Nothing comes back of a broken queue before the host resets the device. */
	queue->broken = true;
	queue->held_count = 0;
	remote->stats.queues[index].held = 0;
	if (index == RPMSG_QUEUE_INPUT)
		emit_give_up(remote);
	remote->ops->queue_broken(remote->ctx, index);
}

void queues_flush(struct remote *remote)
{
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		flush(remote, i);
}
