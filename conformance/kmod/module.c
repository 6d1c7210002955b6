// SPDX-License-Identifier: GPL-2.0
/* Start and end of the module, and the order of all that happens in it. */
#include <linux/atomic.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/version.h>

#include "kapi.h"

struct kapi_record {
	struct list_head node;
	u64 number;
	u64 time_ns;
	char text[];
};

DEFINE_MUTEX(kapi_lock);
DECLARE_WAIT_QUEUE_HEAD(kapi_changed);

static atomic64_t last_number = ATOMIC64_INIT(0);
static atomic_t last_identifier = ATOMIC_INIT(0);

static DEFINE_SPINLOCK(record_lock);
static LIST_HEAD(records);
static unsigned int record_count;
static unsigned int record_lost;

/**
 * kapi_number() - The next place in the order of all messages and events.
 */
u64 kapi_number(void)
{
	return atomic64_inc_return(&last_number);
}

/**
 * kapi_identifier() - A number that no driver, channel or endpoint had before.
 */
int kapi_identifier(void)
{
	return atomic_inc_return(&last_identifier);
}

/**
 * kapi_event() - Notes that something happened, as words like `what=probe channel=3`.
 *
 * May be called in any context. When memory or room is short the event is only counted.
 */
void kapi_event(const char *format, ...)
{
	struct kapi_record *record;
	unsigned long flags;
	va_list arguments;
	char text[192];
	int length;

	va_start(arguments, format);
	length = vscnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);

	record = kmalloc(sizeof(*record) + length + 1, GFP_ATOMIC);
	spin_lock_irqsave(&record_lock, flags);
	if (record && record_count < KAPI_EVENTS_MAX) {
		memcpy(record->text, text, length + 1);
		record->number = kapi_number();
		record->time_ns = ktime_get_ns();
		list_add_tail(&record->node, &records);
		record_count++;
		record = NULL;
	} else {
		record_lost++;
	}
	spin_unlock_irqrestore(&record_lock, flags);
	kfree(record);
}

static void forget_events(u64 up_to)
{
	struct kapi_record *record, *next;
	unsigned long flags;
	LIST_HEAD(old);

	spin_lock_irqsave(&record_lock, flags);
	list_for_each_entry_safe(record, next, &records, node)
	{
		if (record->number > up_to)
			break;
		list_move_tail(&record->node, &old);
		record_count--;
	}
	spin_unlock_irqrestore(&record_lock, flags);
	list_for_each_entry_safe(record, next, &old, node) kfree(record);
}

/**
 * kapi_run_events() - events [since=NUMBER]: those after that number, a line each; earlier ones are
 * forgotten. What does not fit into the reply comes with the next call.
 */
int kapi_run_events(struct kapi_call *call)
{
	struct kapi_record *record;
	unsigned long flags;
	s64 since;
	int err;

	err = kapi_s64(call, "since", 0, &since);
	if (err)
		return err;
	forget_events(since);
	spin_lock_irqsave(&record_lock, flags);
	kapi_say(call, "last=%lld lost=%u", (s64)atomic64_read(&last_number), record_lost);
	list_for_each_entry(record, &records, node)
	{
		if (call->used + sizeof(*record) + strlen(record->text) + 64 > call->size)
			break;
		kapi_say(call, "\nnumber=%llu time=%llu %s", record->number, record->time_ns,
			 record->text);
	}
	spin_unlock_irqrestore(&record_lock, flags);
	return 0;
}

/**
 * kapi_run_features() - features: what this kernel's API has.
 */
int kapi_run_features(struct kapi_call *call)
{
	kapi_say(call, "version=%d offchannel=%d flow_control=%d rt=%d", LINUX_VERSION_CODE,
		 IS_ENABLED(KAPI_HAS_OFFCHANNEL), IS_ENABLED(KAPI_HAS_FLOW_CONTROL),
		 IS_ENABLED(CONFIG_PREEMPT_RT));
	return 0;
}

static int __init kapi_init(void)
{
	return kapi_device_register();
}

static void __exit kapi_exit(void)
{
	kapi_device_unregister();
	kapi_free_drivers();
	forget_events(U64_MAX);
}

module_init(kapi_init);
module_exit(kapi_exit);

MODULE_DESCRIPTION("Calls the in-kernel rpmsg API as a test says");
MODULE_AUTHOR("rpmsg-testbench");
MODULE_LICENSE("GPL");
