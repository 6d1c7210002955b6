// SPDX-License-Identifier: GPL-2.0
/*
 * The callback of every endpoint. It runs in whatever context the transport calls it: a thread with
 * remoteproc or forced interrupt threads, a hard interrupt with virtio-pci otherwise. Only what an
 * endpoint was told to do beside keeping the message sleeps.
 */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kapi.h"

/* A processor that spins in an interrupt does nothing else: never for long. */
#define SPIN_MS_MAX 50

static bool may_sleep(void)
{
	return !in_atomic() && !irqs_disabled();
}

static void hold(struct kapi_endpoint *endpoint)
{
	/*
	 * In a forced interrupt thread bottom halves are off, with PREEMPT_RT for everybody: in the
	 * meantime there is no agent that could tell us to go on, and no msleep() would end. A
	 * timer for the thread of an interrupt expires all the same.
	 */
	if (may_sleep())
		usleep_range(endpoint->hold_ms * 1000, endpoint->hold_ms * 1000 + 1000);
	else
		mdelay(min(endpoint->hold_ms, (unsigned int)SPIN_MS_MAX));
	kapi_event("what=held endpoint=%d", endpoint->id);
}

/**
 * kapi_destroy_later() - What KAPI_DESTROY_LATER leaves to a work queue.
 */
void kapi_destroy_later(struct work_struct *work)
{
	struct kapi_endpoint *endpoint = container_of(work, struct kapi_endpoint, work);
	struct kapi_endpoint *target = kapi_endpoint_find(endpoint->target);
	u64 duration_ns;

	if (target)
		kapi_endpoint_destroy(target, &duration_ns);
}

static int destroy(int id)
{
	struct kapi_endpoint *target = kapi_endpoint_find(id);
	u64 duration_ns;

	return target ? kapi_endpoint_destroy(target, &duration_ns) : -ENOENT;
}

static int act(struct kapi_endpoint *endpoint, void *data, int len, u32 src)
{
	switch (smp_load_acquire(&endpoint->action)) {
	case KAPI_ECHO:
		return rpmsg_sendto(endpoint->ept, data, len, src);
	case KAPI_TRY_ECHO:
		return rpmsg_trysendto(endpoint->ept, data, len, src);
	case KAPI_DESTROY:
		return destroy(endpoint->target);
	case KAPI_DESTROY_LATER:
		return schedule_work(&endpoint->work) ? 0 : -EALREADY;
	case KAPI_HOLD:
		hold(endpoint);
		return 0;
	case KAPI_KEEP:
		break;
	}
	return 0;
}

static struct kapi_message *note(const void *data, int len, u32 src)
{
	struct kapi_message *message;

	/* The length comes from the remote; what the core lets through is what is judged. */
	if (len < 0)
		return NULL;
	message = kmalloc(sizeof(*message) + len, GFP_ATOMIC);
	if (!message)
		return NULL;
	message->number = kapi_number();
	message->time_ns = ktime_get_ns();
	message->src = src;
	message->len = len;
	message->hardirq = in_hardirq();
	message->atomic = in_atomic();
	message->irqs_off = irqs_disabled();
	strscpy(message->task, current->comm, sizeof(message->task));
	strreplace(message->task, ' ', '_');
	memcpy(message->data, data, len);
	return message;
}

static void keep(struct kapi_endpoint *endpoint, struct kapi_message *message)
{
	unsigned long flags;

	spin_lock_irqsave(&endpoint->lock, flags);
	endpoint->inside = false;
	if (message && endpoint->kept < KAPI_MESSAGES_MAX) {
		list_add_tail(&message->node, &endpoint->messages);
		endpoint->kept++;
		message = NULL;
	} else {
		endpoint->lost++;
	}
	spin_unlock_irqrestore(&endpoint->lock, flags);
	kfree(message);
	wake_up_all(&endpoint->changed);
}

/**
 * kapi_callback() - What rpmsg calls for a message. Always 0.
 */
int kapi_callback(struct rpmsg_device *rpdev, void *data, int len, void *priv, u32 src)
{
	struct kapi_message *message = note(data, len, src);
	struct kapi_endpoint *endpoint = priv;
	unsigned long flags;
	int answer;

	if (!endpoint) {
		/* The channel's endpoint is there before the driver's probe has run. */
		kapi_event("what=early src=%u len=%d", src, len);
		kfree(message);
		return 0;
	}
	spin_lock_irqsave(&endpoint->lock, flags);
	endpoint->called++;
	endpoint->inside = true;
	if (endpoint->destroyed)
		endpoint->late++;
	spin_unlock_irqrestore(&endpoint->lock, flags);
	wake_up_all(&endpoint->changed);

	answer = act(endpoint, data, len, src);
	if (message) {
		message->answer = answer;
		message->channel_ok = rpdev == endpoint->channel->rpdev;
	}
	keep(endpoint, message);
	return 0;
}
