// SPDX-License-Identifier: GPL-2.0
/*
 * Mistakes that a kernel could make, one at a time, and a few repairs of mistakes that Linux does
 * make: what the cases of the in-kernel API have to notice. Part of no module but the one that
 * scripts/kmod --lies builds; the table of conformance/rpmsg_conformance/kernel_lies.py says which
 * case notices what.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "kapi.h"

#define MTU 496

static char lie[32];
module_param_string(lie, lie, sizeof(lie), 0600);
MODULE_PARM_DESC(lie, "the mistake to make");

static bool lies(const char *name)
{
	return sysfs_streq(lie, name);
}

/* ---- sending ---- */

/* What all functions have in common. True when *result is what to return. */
static bool refuse(struct rpmsg_endpoint *ept, int *len, u32 *dst, int *result)
{
	if (!ept && lies("null-endpoint-accepted")) {
		*result = 0;
		return true;
	}
	if (*len > MTU && lies("long-message-cut"))
		*len = MTU;
	if (*len > MTU && lies("long-message-einval")) {
		*result = -EINVAL;
		return true;
	}
	if (*len == MTU && lies("mtu-refused")) {
		*result = -EMSGSIZE;
		return true;
	}
	if (!*len && lies("empty-message-refused")) {
		*result = -EINVAL;
		return true;
	}
	if (dst && *dst == RPMSG_ADDR_ANY && lies("any-accepted"))
		*dst = 5;
	return false;
}

/* What the functions that do not wait make of a result. */
static int tried(int result)
{
	static bool stuck;

	if (result != -ENOMEM)
		return stuck && lies("trysend-stays-refused") ? -ENOMEM : result;
	stuck = true;
	if (lies("trysend-eagain"))
		return -EAGAIN;
	if (lies("trysend-dawdles"))
		msleep(1500);
	return result;
}

/* Waits for a buffer in another way than the API does. True when it has sent, or given up. */
static bool wait_otherwise(struct rpmsg_endpoint *ept, void *data, int len, u32 dst, int *result)
{
	if (lies("send-does-not-wait")) {
		*result = rpmsg_trysendto(ept, data, len, dst);
		return true;
	}
	if (lies("send-gives-up-early")) {
		*result = rpmsg_trysendto(ept, data, len, dst);
		if (*result == -ENOMEM) {
			msleep(3000);
			*result = -ETIMEDOUT;
		}
		return true;
	}
	if (!lies("signal-honoured"))
		return false;
	while ((*result = rpmsg_trysendto(ept, data, len, dst)) == -ENOMEM) {
		if (msleep_interruptible(10)) {
			*result = -ERESTARTSYS;
			break;
		}
	}
	return true;
}

int lie_send(struct rpmsg_endpoint *ept, void *data, int len)
{
	static unsigned int number;
	int result;

	if (refuse(ept, &len, NULL, &result))
		return result;
	if (!ept)
		return rpmsg_send(ept, data, len);
	if (lies("send-wrong-destination"))
		return rpmsg_sendto(ept, data, len, ept->rpdev->dst ^ 1);
	if (lies("send-channel-source"))
		return rpmsg_send(ept->rpdev->ept, data, len);
	if (lies("every-tenth-lost") && ++number % 10 == 0)
		return 0;
	if (len <= MTU && wait_otherwise(ept, data, len, ept->rpdev->dst, &result))
		return result;
	return rpmsg_send(ept, data, len);
}

int lie_sendto(struct rpmsg_endpoint *ept, void *data, int len, u32 dst)
{
	int result;

	if (refuse(ept, &len, &dst, &result))
		return result;
	if (ept && lies("sendto-ignores-destination"))
		return rpmsg_send(ept, data, len);
	if (ept && len <= MTU && wait_otherwise(ept, data, len, dst, &result))
		return result;
	return rpmsg_sendto(ept, data, len, dst);
}

int lie_trysend(struct rpmsg_endpoint *ept, void *data, int len)
{
	int result;

	if (refuse(ept, &len, NULL, &result))
		return result;
	if (ept && lies("send-wrong-destination"))
		return tried(rpmsg_trysendto(ept, data, len, ept->rpdev->dst ^ 1));
	if (ept && lies("send-channel-source"))
		return tried(rpmsg_trysend(ept->rpdev->ept, data, len));
	return tried(rpmsg_trysend(ept, data, len));
}

int lie_trysendto(struct rpmsg_endpoint *ept, void *data, int len, u32 dst)
{
	int result;

	if (refuse(ept, &len, &dst, &result))
		return result;
	if (ept && lies("sendto-ignores-destination"))
		return tried(rpmsg_trysend(ept, data, len));
	return tried(rpmsg_trysendto(ept, data, len, dst));
}

#ifdef KAPI_HAS_OFFCHANNEL
int lie_send_offchannel(struct rpmsg_endpoint *ept, u32 src, u32 dst, void *data, int len)
{
	int result;

	if (refuse(ept, &len, &dst, &result))
		return result;
	if (lies("offchannel-ignores-source"))
		return rpmsg_sendto(ept, data, len, dst);
	if (src == RPMSG_ADDR_ANY && lies("any-accepted"))
		src = 6;
	if (len <= MTU && src != RPMSG_ADDR_ANY && wait_otherwise(ept, data, len, dst, &result))
		return result;
	return rpmsg_send_offchannel(ept, src, dst, data, len);
}

int lie_trysend_offchannel(struct rpmsg_endpoint *ept, u32 src, u32 dst, void *data, int len)
{
	int result;

	if (refuse(ept, &len, &dst, &result))
		return result;
	if (lies("offchannel-ignores-source"))
		return tried(rpmsg_trysendto(ept, data, len, dst));
	if (src == RPMSG_ADDR_ANY && lies("any-accepted"))
		src = 6;
	return tried(rpmsg_trysend_offchannel(ept, src, dst, data, len));
}
#endif

/* ---- receiving ---- */

/* The message that `messages-swapped` holds back. */
static struct {
	u8 data[MTU];
	int len;
	u32 src;
	void *priv;
	bool full;
} held;

/* The default endpoint of the channel that was removed last, for the callback that comes too late.
 */
static struct kapi_endpoint *removed;

static int lie_callback(struct rpmsg_device *rpdev, void *data, int len, void *priv, u32 src)
{
	if (lies("callback-not-called"))
		return 0;
	if (lies("callback-wrong-source"))
		src++;
	if (lies("callback-wrong-length") && len)
		len--;
	if (lies("callback-wrong-channel"))
		rpdev = NULL;
	if (lies("messages-swapped") && len <= MTU && !held.full) {
		memcpy(held.data, data, len);
		held.len = len;
		held.src = src;
		held.priv = priv;
		held.full = true;
		return 0;
	}
	if (lies("callback-atomic"))
		preempt_disable();
	kapi_callback(rpdev, data, len, priv, src);
	if (lies("callback-atomic"))
		preempt_enable();
	if (held.full) {
		held.full = false;
		kapi_callback(rpdev, held.data, held.len, held.priv, held.src);
	}
	return 0;
}

/* ---- endpoints ---- */

/* The lowest free address from 100. */
static struct rpmsg_endpoint *create_low(struct rpmsg_device *rpdev, void *priv,
					 struct rpmsg_channel_info info)
{
	struct rpmsg_endpoint *ept = NULL;

	for (info.src = 100; !ept && info.src < 1000; info.src++)
		ept = rpmsg_create_ept(rpdev, lie_callback, priv, info);
	return ept;
}

struct rpmsg_endpoint *lie_create_ept(struct rpmsg_device *rpdev, rpmsg_rx_cb_t cb, void *priv,
				      struct rpmsg_channel_info info)
{
	static struct rpmsg_device *channel;
	static void *other;
	static u32 next = 2000;
	struct rpmsg_endpoint *ept;

	if (lies("create-ignores-address"))
		info.src = RPMSG_ADDR_ANY;
	if (info.src == RPMSG_ADDR_ANY && lies("any-from-100"))
		return create_low(rpdev, priv, info);
	if (info.src == RPMSG_ADDR_ANY && lies("any-never-again"))
		info.src = next++;
	if (info.src != RPMSG_ADDR_ANY && lies("high-address-bound"))
		info.src &= ~BIT(31);
	/* What was created on an earlier channel may be gone. */
	if (lies("messages-crossed") && channel == rpdev)
		swap(priv, other);
	else
		other = priv;
	channel = rpdev;
	ept = rpmsg_create_ept(rpdev, lie_callback, priv, info);
	if (!ept && lies("taken-address-replaced")) {
		info.src = RPMSG_ADDR_ANY;
		ept = rpmsg_create_ept(rpdev, lie_callback, priv, info);
	}
	return ept;
}

struct late {
	struct work_struct work;
	struct rpmsg_endpoint *ept;
};

static void destroy_late(struct work_struct *work)
{
	struct late *late = container_of(work, struct late, work);

	rpmsg_destroy_ept(late->ept);
	kfree(late);
}

void lie_destroy_ept(struct rpmsg_endpoint *ept)
{
	struct late *late;

	if (lies("destroy-does-nothing"))
		return;
	if (!lies("destroy-does-not-wait")) {
		rpmsg_destroy_ept(ept);
		return;
	}
	late = kzalloc(sizeof(*late), GFP_KERNEL);
	if (!late)
		return;
	INIT_WORK(&late->work, destroy_late);
	late->ept = ept;
	schedule_work(&late->work);
}

ssize_t lie_get_mtu(struct rpmsg_endpoint *ept)
{
	if (!ept && lies("null-endpoint-accepted"))
		return 0;
	return lies("mtu-too-big") ? 512 : rpmsg_get_mtu(ept);
}

#ifdef KAPI_HAS_FLOW_CONTROL
int lie_set_flow_control(struct rpmsg_endpoint *ept, bool pause, u32 dst)
{
	return lies("flow-control-accepted") ? 0 : rpmsg_set_flow_control(ept, pause, dst);
}
#endif

/* ---- drivers ---- */

/* Only one driver at a time lies about these: the last one that was registered. */
static int (*true_probe)(struct rpmsg_device *rpdev);
static void (*true_remove)(struct rpmsg_device *rpdev);

static int lie_probe(struct rpmsg_device *rpdev)
{
	struct rpmsg_driver *driver = container_of(rpdev->dev.driver, struct rpmsg_driver, drv);
	int result;

	if (lies("stale-endpoint-cleared") && !driver->callback)
		rpdev->ept = NULL;
	if (lies("announced-back"))
		rpdev->announce = true;
	result = true_probe(rpdev);
	if (lies("not-announced"))
		rpdev->announce = false;
	if (lies("probe-failure-ignored"))
		return 0;
	return result;
}

static void lie_remove(struct rpmsg_device *rpdev)
{
	struct rpmsg_endpoint *ept = rpdev->ept;

	if (lies("remove-not-called"))
		return;
	removed = ept ? ept->priv : NULL;
	if (lies("endpoint-gone-in-remove"))
		rpdev->ept = NULL;
	true_remove(rpdev);
	rpdev->ept = ept;
	if (lies("source-given-back"))
		rpdev->src = RPMSG_ADDR_ANY;
}

int lie_register_driver(struct rpmsg_driver *driver)
{
	/* The table is the caller's own, and has room for KAPI_NAMES and an end. */
	struct rpmsg_device_id *table = (struct rpmsg_device_id *)driver->id_table;

	if (driver->probe != lie_probe) {
		true_probe = driver->probe;
		true_remove = driver->remove;
		driver->probe = lie_probe;
		driver->remove = lie_remove;
	}
	if (driver->callback)
		driver->callback = lie_callback;
	if (lies("callback-always"))
		driver->callback = lie_callback;
	if (lies("table-first-only"))
		memset(&table[1], 0, (KAPI_NAMES - 1) * sizeof(*table));
	if (lies("table-any-other"))
		strscpy(table[1].name, "other", sizeof(table[1].name));
	return register_rpmsg_driver(driver);
}

void lie_unregister_driver(struct rpmsg_driver *driver)
{
	removed = NULL;
	unregister_rpmsg_driver(driver);
	if (!lies("callback-after-unregister") || !removed)
		return;
	/* The caller is about to note this, and a call from a thread beside it might come before
	 * that. */
	removed->destroyed = true;
	kapi_callback(NULL, "late", 4, removed, 1);
}
