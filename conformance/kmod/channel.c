// SPDX-License-Identifier: GPL-2.0
/* Channels that a driver of ours was probed for. */
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kapi.h"

/**
 * kapi_channel_new() - The record of a new binding, with that of its endpoint `ept` if it has one.
 *
 * Called in probe. Returns NULL without memory.
 */
struct kapi_channel *kapi_channel_new(struct kapi_driver *driver, struct rpmsg_device *rpdev,
				      struct rpmsg_endpoint *ept)
{
	struct kapi_channel *channel = kzalloc(sizeof(*channel), GFP_KERNEL);
	struct kapi_endpoint *own = NULL;

	if (!channel)
		return NULL;
	INIT_LIST_HEAD(&channel->endpoints);
	channel->driver = driver;
	channel->id = kapi_identifier();
	channel->rpdev = rpdev;
	channel->src = rpdev->src;
	channel->dst = rpdev->dst;
	strscpy(channel->name, rpdev->id.name, sizeof(channel->name));
	strscpy(channel->device, dev_name(&rpdev->dev), sizeof(channel->device));
	if (ept) {
		own = kapi_endpoint_new(channel, true);
		if (!own) {
			kfree(channel);
			return NULL;
		}
		own->ept = ept;
		own->addr = ept->addr;
		own->alive = true;
		channel->ept = own;
		/* From here on the callback knows whose message it has. */
		ept->priv = own;
	}
	dev_set_drvdata(&rpdev->dev, channel);
	mutex_lock(&kapi_lock);
	channel->bound = true;
	if (own)
		list_add_tail(&own->node, &channel->endpoints);
	list_add_tail(&channel->node, &driver->channels);
	mutex_unlock(&kapi_lock);
	return channel;
}

static bool unused(struct kapi_channel *channel)
{
	bool result;

	mutex_lock(&kapi_lock);
	result = !channel->users;
	mutex_unlock(&kapi_lock);
	return result;
}

/**
 * kapi_channel_unbind() - Ends the binding as a driver has to: lets calls that use the channel end,
 * begins no new one, and destroys the endpoints that the driver has created.
 */
void kapi_channel_unbind(struct kapi_channel *channel)
{
	mutex_lock(&kapi_lock);
	channel->bound = false;
	mutex_unlock(&kapi_lock);
	wait_event(kapi_changed, unused(channel));
	kapi_endpoints_end(channel);
	channel->rpdev = NULL;
}

/**
 * kapi_channel_get() - The bound channel with this identifier, kept from being unbound until
 * kapi_channel_put(); NULL when there is none.
 */
struct kapi_channel *kapi_channel_get(int id)
{
	struct kapi_channel *channel, *found = NULL;
	struct kapi_driver *driver;

	mutex_lock(&kapi_lock);
	list_for_each_entry(driver, kapi_drivers(), node)
		list_for_each_entry(channel, &driver->channels,
				    node) if (channel->id == id && channel->bound) found = channel;
	if (found)
		found->users++;
	mutex_unlock(&kapi_lock);
	return found;
}

/**
 * kapi_channel_put() - Ends a use begun by kapi_channel_get().
 */
void kapi_channel_put(struct kapi_channel *channel)
{
	mutex_lock(&kapi_lock);
	channel->users--;
	mutex_unlock(&kapi_lock);
	wake_up_all(&kapi_changed);
}

/**
 * kapi_channels_free() - Forgets the channels of a driver that is not registered any more.
 */
void kapi_channels_free(struct kapi_driver *driver)
{
	struct kapi_endpoint *endpoint, *next_endpoint;
	struct kapi_channel *channel, *next;

	list_for_each_entry_safe(channel, next, &driver->channels, node)
	{
		list_for_each_entry_safe(endpoint, next_endpoint, &channel->endpoints, node)
			kapi_endpoint_free(endpoint);
		kfree(channel);
	}
}

static struct kapi_channel *find(int driver_id, const char *name, const char *device, s64 dst)
{
	struct kapi_channel *channel, *found = NULL;
	struct kapi_driver *driver;

	mutex_lock(&kapi_lock);
	list_for_each_entry(driver, kapi_drivers(), node)
	{
		if (driver_id && driver->id != driver_id)
			continue;
		list_for_each_entry(channel, &driver->channels, node)
		{
			if (!channel->bound || (name && strcmp(channel->name, name)) ||
			    (device && strncmp(channel->device, device, strlen(device))) ||
			    (dst >= 0 && channel->dst != dst))
				continue;
			found = channel;
		}
	}
	mutex_unlock(&kapi_lock);
	return found;
}

/**
 * kapi_run_channel() - channel [driver=ID] [name=NAME] [dst=N] [device=PREFIX] [timeout_ms=N]:
 * waits until a channel like that is bound. The result is -ETIMEDOUT when none is in time.
 */
int kapi_run_channel(struct kapi_call *call)
{
	const char *device = kapi_text(call, "device");
	const char *name = kapi_text(call, "name");
	struct kapi_channel *channel = NULL;
	int driver, timeout_ms;
	s64 dst;

	if (kapi_int(call, "driver", 0, &driver) || kapi_s64(call, "dst", -1, &dst) ||
	    kapi_int(call, "timeout_ms", 0, &timeout_ms))
		return -EINVAL;
	wait_event_interruptible_timeout(kapi_changed, (channel = find(driver, name, device, dst)),
					 msecs_to_jiffies(timeout_ms));
	if (!channel) {
		call->result = -ETIMEDOUT;
		return 0;
	}
	kapi_say(call, "channel=%d driver=%d endpoint=%d name=%s device=%s src=%u dst=%u",
		 channel->id, channel->driver->id, channel->ept ? channel->ept->id : 0,
		 channel->name, channel->device, channel->src, channel->dst);
	return 0;
}
