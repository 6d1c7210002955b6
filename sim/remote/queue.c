/* SPDX-License-Identifier: BSD-2-Clause */
/* Giving buffers back, and calling the host for them. */
#include "remote/remote_priv.h"

void queue_report_returned(struct remote *remote, uint16_t head, uint32_t used_len)
{
	struct remote_event event = {
		.type = REMOTE_EVENT_RETURNED,
		.queue = RPMSG_QUEUE_OUTPUT,
		.desc_id = head,
		.used_len = used_len,
	};

	remote->ops->event(remote->ctx, &event);
}

static void flush(struct remote *remote, unsigned int index)
{
	struct remote_queue *queue = &remote->queues[index];
	uint32_t count;
	bool wanted;

	if (queue->pacing.staged_count != 0)
		pacing_stage(remote, index);
	count = (uint16_t)(queue->vq->used_idx - queue->vq->published);
	if (count != 0 && fault_due(&remote->faults, fault_place_of(FAULT_PLACE_PUBLISH_0, index)))
		wanted = fault_publish(remote, index);
	else
		wanted = virtq_flush(queue->vq);
	wanted = wanted && !queue->no_calls;
	if (__builtin_expect(queue->pacing.calls_on, 0)) {
		pacing_call(remote, index, count, wanted);
	} else if (wanted) {
		remote->stats.queues[index].calls++;
		remote->ops->call(remote->ctx, index);
	}
	if (!queue->vq->broken || queue->broken)
		return;

	/* Nothing comes back of a broken queue before the host resets the device. */
	queue->broken = true;
	pacing_forget(remote, index);
	if (index == RPMSG_QUEUE_INPUT)
		emit_give_up(remote);
	remote->ops->queue_broken(remote->ctx, index);
}

void queues_flush(struct remote *remote)
{
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		flush(remote, i);
}

void queue_flush_early(struct remote *remote)
{
	flush(remote, RPMSG_QUEUE_INPUT);
}
