// SPDX-License-Identifier: GPL-2.0
/* rpmsg drivers: made, registered and unregistered by command; their probe and remove. */
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kapi.h"

static LIST_HEAD(drivers);

static struct kapi_driver *of_device(struct rpmsg_device *rpdev)
{
	struct device_driver *generic = READ_ONCE(rpdev->dev.driver);

	return container_of(generic, struct kapi_driver, drv.drv);
}

static void stand_in_destroyed(struct rpmsg_endpoint *ept)
{
	kapi_event("what=destroyed_again device=%s", dev_name(&ept->rpdev->dev));
	ept->rpdev->ept = NULL;
}

/*
 * An endpoint in the place of one that is freed already. Of the operations of an endpoint, which
 * rpmsg keeps to itself, the first one destroys it, and nobody calls another one of this.
 */
static struct rpmsg_endpoint *stand_in(struct rpmsg_device *rpdev)
{
	static const struct {
		void (*destroy_ept)(struct rpmsg_endpoint *ept);
		void (*more[15])(void);
	} operations = {.destroy_ept = stand_in_destroyed};
	static struct rpmsg_endpoint endpoint = {.ops = (const void *)&operations};

	endpoint.rpdev = rpdev;
	return &endpoint;
}

static int kapi_probe(struct rpmsg_device *rpdev)
{
	struct kapi_driver *driver = of_device(rpdev);
	/* Without a callback the core creates no endpoint: what is there is of an earlier binding.
	 */
	bool stale = !driver->drv.callback && rpdev->ept;
	struct kapi_channel *channel;
	int sent = 0;

	if (stale && driver->leaves_stale != KAPI_LEAVES_ITSELF)
		rpdev->ept = driver->leaves_stale == KAPI_LEAVES_STAND_IN ? stand_in(rpdev) : NULL;
	channel = kapi_channel_new(driver, rpdev, stale ? NULL : rpdev->ept);
	if (!channel)
		return -ENOMEM;
	if (driver->probe_sends)
		sent = rpmsg_send(rpdev->ept, "probe", 5);
	if (driver->probe_announces)
		rpdev->announce = true;
	kapi_event("what=probe driver=%d channel=%d name=%s dst=%u src=%u endpoint=%d stale=%d "
		   "sent=%d device=%s",
		   driver->id, channel->id, rpdev->id.name, rpdev->dst, rpdev->src,
		   channel->ept ? channel->ept->id : 0, stale, sent, dev_name(&rpdev->dev));
	if (driver->probe_result)
		kapi_channel_unbind(channel);
	else
		wake_up_all(&kapi_changed);
	return driver->probe_result;
}

static void kapi_remove(struct rpmsg_device *rpdev)
{
	struct kapi_channel *channel = dev_get_drvdata(&rpdev->dev);
	int sent = 0;

	/* A driver may still send here: its endpoint goes after this returns. */
	if (channel->driver->probe_sends && rpdev->ept)
		sent = rpmsg_trysend(rpdev->ept, "remove", 6);
	kapi_event("what=remove driver=%d channel=%d sent=%d", channel->driver->id, channel->id,
		   sent);
	kapi_channel_unbind(channel);
	kapi_event("what=removed driver=%d channel=%d", channel->driver->id, channel->id);
}

/* Finds a driver that no other command works on, and claims it. */
static struct kapi_driver *claim(struct kapi_call *call)
{
	struct kapi_driver *driver, *found = ERR_PTR(-ENOENT);
	int id;

	if (kapi_int(call, "driver", 0, &id))
		return ERR_PTR(-EINVAL);
	mutex_lock(&kapi_lock);
	list_for_each_entry(driver, &drivers, node)
	{
		if (driver->id != id)
			continue;
		found = driver->busy ? ERR_PTR(-EBUSY) : driver;
		driver->busy = true;
		break;
	}
	mutex_unlock(&kapi_lock);
	return found;
}

static void let_go(struct kapi_driver *driver)
{
	mutex_lock(&kapi_lock);
	driver->busy = false;
	mutex_unlock(&kapi_lock);
}

static int fill_table(struct kapi_driver *driver, const char *names)
{
	unsigned int i;

	for (i = 0; i < KAPI_NAMES && *names; i++) {
		size_t length = strcspn(names, ",");

		if (!length || length >= RPMSG_NAME_SIZE)
			return -EINVAL;
		memcpy(driver->table[i].name, names, length);
		names += length;
		names += *names == ',';
	}
	return *names || !i ? -EINVAL : 0;
}

static int describe(struct kapi_call *call, struct kapi_driver *driver)
{
	const char *names = kapi_text(call, "names");
	int callback, sends, announces, leaves_stale;

	if (!names || fill_table(driver, names) || kapi_int(call, "callback", 1, &callback) ||
	    kapi_int(call, "sends", 0, &sends) || kapi_int(call, "announces", 0, &announces) ||
	    kapi_int(call, "leaves_stale", 0, &leaves_stale) ||
	    leaves_stale < KAPI_LEAVES_NOTHING || leaves_stale > KAPI_LEAVES_ITSELF ||
	    kapi_int(call, "probe", 0, &driver->probe_result))
		return -EINVAL;
	driver->probe_sends = sends;
	driver->probe_announces = announces;
	driver->leaves_stale = (enum kapi_leaves)leaves_stale;
	snprintf(driver->name, sizeof(driver->name), "rpmsg_kapi_%d", driver->id);
	driver->drv.drv.name = driver->name;
	driver->drv.id_table = driver->table;
	driver->drv.probe = kapi_probe;
	driver->drv.remove = kapi_remove;
	driver->drv.callback = callback ? kapi_callback : NULL;
	return 0;
}

/**
 * kapi_run_driver_new() - driver_new names=A[,B...] [callback=0] [probe=ERRNO] [sends=1]
 * [announces=1] [leaves_stale=1|2]: makes a driver, which is not registered by that.
 *
 * With sends=1 its probe and remove send on the channel, with announces=1 its probe asks the core
 * to announce the channel, with leaves_stale=1 it leaves an endpoint in
 * place if an earlier driver has left one: a stand-in, whose destruction is an event; with 2 it
 * leaves what it found, which is freed memory: for a kernel that tells of its use, and may not
 * survive it.
 */
int kapi_run_driver_new(struct kapi_call *call)
{
	struct kapi_driver *driver = kzalloc(sizeof(*driver), GFP_KERNEL);
	int err;

	if (!driver)
		return -ENOMEM;
	INIT_LIST_HEAD(&driver->channels);
	driver->id = kapi_identifier();
	err = describe(call, driver);
	if (err) {
		kfree(driver);
		return err;
	}
	mutex_lock(&kapi_lock);
	list_add_tail(&driver->node, &drivers);
	mutex_unlock(&kapi_lock);
	kapi_say(call, "driver=%d", driver->id);
	return 0;
}

/**
 * kapi_run_driver_register() - driver_register driver=ID: register_rpmsg_driver().
 */
int kapi_run_driver_register(struct kapi_call *call)
{
	struct kapi_driver *driver = claim(call);

	if (IS_ERR(driver))
		return PTR_ERR(driver);
	if (driver->registered) {
		let_go(driver);
		return -EALREADY;
	}
	KAPI_MEASURE(call, register_rpmsg_driver(&driver->drv));
	driver->registered = !call->result;
	let_go(driver);
	return 0;
}

static void unregister(struct kapi_driver *driver)
{
	struct kapi_channel *channel;

	unregister_rpmsg_driver(&driver->drv);
	driver->registered = false;
	mutex_lock(&kapi_lock);
	list_for_each_entry(channel, &driver->channels, node)
	{
		if (!channel->ept)
			continue;
		/* By now the core has destroyed it: no call may come any more. */
		spin_lock_irq(&channel->ept->lock);
		channel->ept->destroyed = true;
		spin_unlock_irq(&channel->ept->lock);
	}
	mutex_unlock(&kapi_lock);
}

/**
 * kapi_run_driver_unregister() - driver_unregister driver=ID: unregister_rpmsg_driver().
 */
int kapi_run_driver_unregister(struct kapi_call *call)
{
	struct kapi_driver *driver = claim(call);
	u64 begun = ktime_get_ns();

	if (IS_ERR(driver))
		return PTR_ERR(driver);
	if (!driver->registered) {
		let_go(driver);
		return -EALREADY;
	}
	unregister(driver);
	call->duration_ns = ktime_get_ns() - begun;
	let_go(driver);
	return 0;
}

static void free_driver(struct kapi_driver *driver)
{
	if (driver->registered)
		unregister(driver);
	mutex_lock(&kapi_lock);
	list_del(&driver->node);
	mutex_unlock(&kapi_lock);
	kapi_channels_free(driver);
	kfree(driver);
}

/**
 * kapi_run_driver_free() - driver_free driver=ID: unregisters it when it is registered, and forgets
 * it with its channels, their endpoints and messages.
 */
int kapi_run_driver_free(struct kapi_call *call)
{
	struct kapi_driver *driver = claim(call);

	if (IS_ERR(driver))
		return PTR_ERR(driver);
	free_driver(driver);
	return 0;
}

/**
 * kapi_free_drivers() - Forgets all. For the module's end, when no command can run any more.
 */
void kapi_free_drivers(void)
{
	struct kapi_driver *driver, *next;

	list_for_each_entry_safe(driver, next, &drivers, node) free_driver(driver);
}

/**
 * kapi_drivers() - The list of all drivers, guarded by kapi_lock.
 */
struct list_head *kapi_drivers(void)
{
	return &drivers;
}
