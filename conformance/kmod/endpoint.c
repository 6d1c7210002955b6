// SPDX-License-Identifier: GPL-2.0
/* Endpoints: created and destroyed by command; what they received. */
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kapi.h"

/* A callback that holds stops more than its own link; see hold() in callback.c. */
#define HOLD_MS_MAX 1000
/* How long a destruction waits for a callback to begin. */
#define INSIDE_MS 5000

/**
 * kapi_endpoint_new() - The record of an endpoint, in no list yet; `own` says whether it is the
 * channel's. Returns NULL without memory.
 */
struct kapi_endpoint *kapi_endpoint_new(struct kapi_channel *channel, bool own)
{
	struct kapi_endpoint *endpoint = kzalloc(sizeof(*endpoint), GFP_KERNEL);

	if (!endpoint)
		return NULL;
	endpoint->channel = channel;
	endpoint->own = own;
	endpoint->id = kapi_identifier();
	spin_lock_init(&endpoint->lock);
	INIT_LIST_HEAD(&endpoint->messages);
	init_waitqueue_head(&endpoint->changed);
	INIT_WORK(&endpoint->work, kapi_destroy_later);
	return endpoint;
}

/**
 * kapi_endpoint_free() - Forgets an endpoint that is destroyed, and its messages.
 */
void kapi_endpoint_free(struct kapi_endpoint *endpoint)
{
	struct kapi_message *message, *next;

	cancel_work_sync(&endpoint->work);
	list_for_each_entry_safe(message, next, &endpoint->messages, node) kfree(message);
	kfree(endpoint);
}

/**
 * kapi_endpoint_find() - The endpoint with this identifier, alive or not, or NULL. Records go only
 * with their driver, so that the caller may use it as long as nobody frees that.
 */
struct kapi_endpoint *kapi_endpoint_find(int id)
{
	struct kapi_endpoint *endpoint, *found = NULL;
	struct kapi_channel *channel;
	struct kapi_driver *driver;

	mutex_lock(&kapi_lock);
	list_for_each_entry(driver, kapi_drivers(),
			    node) list_for_each_entry(channel, &driver->channels, node)
		list_for_each_entry(endpoint, &channel->endpoints, node) if (endpoint->id == id)
			found = endpoint;
	mutex_unlock(&kapi_lock);
	return found;
}

/**
 * kapi_endpoint_get() - A living endpoint, kept from being destroyed by us until
 * kapi_endpoint_put(); NULL when there is none.
 */
struct kapi_endpoint *kapi_endpoint_get(int id)
{
	struct kapi_endpoint *endpoint = kapi_endpoint_find(id);

	if (!endpoint)
		return NULL;
	mutex_lock(&kapi_lock);
	if (endpoint->alive && endpoint->channel->bound) {
		endpoint->users++;
		endpoint->channel->users++;
	} else {
		endpoint = NULL;
	}
	mutex_unlock(&kapi_lock);
	return endpoint;
}

/**
 * kapi_endpoint_put() - Ends a use begun by kapi_endpoint_get().
 */
void kapi_endpoint_put(struct kapi_endpoint *endpoint)
{
	mutex_lock(&kapi_lock);
	endpoint->users--;
	endpoint->channel->users--;
	mutex_unlock(&kapi_lock);
	wake_up_all(&kapi_changed);
}

static bool unused(struct kapi_endpoint *endpoint)
{
	bool result;

	mutex_lock(&kapi_lock);
	result = !endpoint->users;
	mutex_unlock(&kapi_lock);
	return result;
}

static void mark_destroyed(struct kapi_endpoint *endpoint)
{
	spin_lock_irq(&endpoint->lock);
	endpoint->destroyed = true;
	spin_unlock_irq(&endpoint->lock);
}

/**
 * kapi_endpoint_destroy() - rpmsg_destroy_ept() on an endpoint that was created by command, once no
 * other command uses it. A callback that comes after this has returned is counted as late.
 *
 * Returns 0, -ENOENT when it is destroyed already, -EPERM for a channel's own; *duration_ns is set
 * to the time that the API took.
 */
int kapi_endpoint_destroy(struct kapi_endpoint *endpoint, u64 *duration_ns)
{
	bool alive;
	u64 begun;

	if (endpoint->own)
		return -EPERM;
	mutex_lock(&kapi_lock);
	alive = endpoint->alive;
	endpoint->alive = false;
	mutex_unlock(&kapi_lock);
	if (!alive)
		return -ENOENT;
	wait_event(kapi_changed, unused(endpoint));
	begun = ktime_get_ns();
	rpmsg_destroy_ept(endpoint->ept);
	*duration_ns = ktime_get_ns() - begun;
	mark_destroyed(endpoint);
	kapi_event("what=destroyed endpoint=%d", endpoint->id);
	return 0;
}

/**
 * kapi_endpoints_end() - Destroys what was created on a channel that is being unbound. Its own
 * endpoint is only not used any more: the core destroys it.
 */
void kapi_endpoints_end(struct kapi_channel *channel)
{
	struct kapi_endpoint *endpoint;
	u64 duration_ns;

	/* Nothing is added any more, and records stay: the list may be walked without the lock. */
	list_for_each_entry(endpoint, &channel->endpoints, node)
	{
		if (!endpoint->own) {
			kapi_endpoint_destroy(endpoint, &duration_ns);
			continue;
		}
		mutex_lock(&kapi_lock);
		endpoint->alive = false;
		mutex_unlock(&kapi_lock);
	}
}

static int read_settings(struct kapi_call *call, struct kapi_endpoint *endpoint)
{
	enum kapi_action action;
	int hold_ms, target;

	if (kapi_action(call, &action) || kapi_int(call, "hold_ms", 0, &hold_ms) ||
	    kapi_int(call, "target", 0, &target) || hold_ms < 0 || hold_ms > HOLD_MS_MAX)
		return -EINVAL;
	endpoint->hold_ms = hold_ms;
	endpoint->target = target;
	/* Last: a callback may run while this is done. */
	smp_store_release(&endpoint->action, action);
	return 0;
}

static int create(struct kapi_call *call, struct kapi_channel *channel, u32 addr)
{
	struct rpmsg_channel_info info = {.src = addr, .dst = RPMSG_ADDR_ANY};
	struct kapi_endpoint *endpoint = kapi_endpoint_new(channel, false);
	u64 begun;
	int err;

	if (!endpoint)
		return -ENOMEM;
	err = read_settings(call, endpoint);
	if (err)
		goto out;
	strscpy(info.name, channel->name, sizeof(info.name));
	begun = ktime_get_ns();
	endpoint->ept = rpmsg_create_ept(channel->rpdev, kapi_callback, endpoint, info);
	call->duration_ns = ktime_get_ns() - begun;
	if (!endpoint->ept) {
		kapi_say(call, "endpoint=0");
		goto out;
	}
	endpoint->addr = endpoint->ept->addr;
	mutex_lock(&kapi_lock);
	endpoint->alive = true;
	list_add_tail(&endpoint->node, &channel->endpoints);
	mutex_unlock(&kapi_lock);
	kapi_say(call, "endpoint=%d addr=%u", endpoint->id, endpoint->addr);
	return 0;
out:
	kapi_endpoint_free(endpoint);
	return err;
}

/**
 * kapi_run_endpoint_create() - endpoint_create channel=ID [addr=N|any] [settings]:
 * rpmsg_create_ept(). The reply says endpoint=0 when that returned NULL.
 *
 * The settings are those of kapi_run_endpoint_set().
 */
int kapi_run_endpoint_create(struct kapi_call *call)
{
	struct kapi_channel *channel;
	u32 addr;
	int err, id;

	if (kapi_int(call, "channel", 0, &id) || kapi_address(call, "addr", &addr))
		return -EINVAL;
	channel = kapi_channel_get(id);
	if (!channel)
		return -ENOENT;
	err = create(call, channel, addr);
	kapi_channel_put(channel);
	return err;
}

static struct kapi_endpoint *named(struct kapi_call *call)
{
	struct kapi_endpoint *endpoint;
	int id;

	if (kapi_int(call, "endpoint", 0, &id))
		return ERR_PTR(-EINVAL);
	endpoint = kapi_endpoint_find(id);
	return endpoint ? endpoint : ERR_PTR(-ENOENT);
}

/**
 * kapi_run_endpoint_destroy() - endpoint_destroy endpoint=ID [inside=1]: rpmsg_destroy_ept(); with
 * inside=1 as soon as a callback runs. The reply says whether one did.
 */
int kapi_run_endpoint_destroy(struct kapi_call *call)
{
	struct kapi_endpoint *endpoint = named(call);
	unsigned int called;
	int wait;

	if (IS_ERR(endpoint))
		return PTR_ERR(endpoint);
	if (kapi_int(call, "inside", 0, &wait))
		return -EINVAL;
	/* Who comes too late for a callback that keeps its processor learns that it has been. */
	called = READ_ONCE(endpoint->called);
	if (wait)
		wait_event_interruptible_timeout(endpoint->changed,
						 READ_ONCE(endpoint->called) != called,
						 msecs_to_jiffies(INSIDE_MS));
	kapi_say(call, "inside=%d", READ_ONCE(endpoint->inside));
	return kapi_endpoint_destroy(endpoint, &call->duration_ns);
}

/**
 * kapi_run_endpoint_set() - endpoint_set endpoint=ID [action=NAME] [target=ID] [hold_ms=N]: what
 * callbacks do from now on; see enum kapi_action.
 */
int kapi_run_endpoint_set(struct kapi_call *call)
{
	struct kapi_endpoint *endpoint = named(call);

	return IS_ERR(endpoint) ? PTR_ERR(endpoint) : read_settings(call, endpoint);
}

/**
 * kapi_run_endpoint() - endpoint endpoint=ID: its counters, also when it is destroyed.
 */
int kapi_run_endpoint(struct kapi_call *call)
{
	struct kapi_endpoint *endpoint = named(call);

	if (IS_ERR(endpoint))
		return PTR_ERR(endpoint);
	spin_lock_irq(&endpoint->lock);
	kapi_say(call, "addr=%u destroyed=%d called=%u kept=%u lost=%u late=%u inside=%d",
		 endpoint->addr, endpoint->destroyed, endpoint->called, endpoint->kept,
		 endpoint->lost, endpoint->late, endpoint->inside);
	spin_unlock_irq(&endpoint->lock);
	return 0;
}

static struct kapi_message *take(struct kapi_endpoint *endpoint)
{
	struct kapi_message *message;

	spin_lock_irq(&endpoint->lock);
	message = list_first_entry_or_null(&endpoint->messages, struct kapi_message, node);
	if (message) {
		list_del(&message->node);
		endpoint->kept--;
	}
	spin_unlock_irq(&endpoint->lock);
	return message;
}

/**
 * kapi_run_receive() - receive endpoint=ID [timeout_ms=N]: the oldest message, also of an endpoint
 * that is destroyed. The result is -EAGAIN when none is there in time.
 */
int kapi_run_receive(struct kapi_call *call)
{
	struct kapi_endpoint *endpoint = named(call);
	struct kapi_message *message = NULL;
	int timeout_ms;

	if (IS_ERR(endpoint))
		return PTR_ERR(endpoint);
	if (kapi_int(call, "timeout_ms", 0, &timeout_ms))
		return -EINVAL;
	wait_event_interruptible_timeout(endpoint->changed, (message = take(endpoint)),
					 msecs_to_jiffies(timeout_ms));
	if (!message) {
		call->result = -EAGAIN;
		return 0;
	}
	kapi_say(call, "number=%llu time=%llu src=%u len=%d answer=%d", message->number,
		 message->time_ns, message->src, message->len, message->answer);
	kapi_say(call, "hardirq=%d atomic=%d irqs_off=%d channel=%d task=%s", message->hardirq,
		 message->atomic, message->irqs_off, message->channel_ok, message->task);
	kapi_say_bytes(call, "data", message->data, message->len);
	kfree(message);
	return 0;
}
