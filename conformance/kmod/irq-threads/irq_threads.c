// SPDX-License-Identifier: GPL-2.0
/*
 * Has the interrupts of virtio devices handled in threads, on a kernel whose option threadirqs does
 * not do it: on 32-bit ARM Linux parses that option before jump labels work, so that nothing comes
 * of it. To be loaded before the drivers of virtio.
 */
#include <linux/interrupt.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/string.h>

/* What request_threaded_irq() was called with, where 32-bit ARM's calling convention puts it. */
#define ARGUMENT_HANDLER(regs) ((regs)->ARM_r1)
#define ARGUMENT_THREAD_FN(regs) ((regs)->ARM_r2)
#define ARGUMENT_FLAGS(regs) ((regs)->ARM_r3)
#define ARGUMENT_NAME(regs) (*(const char **)(regs)->ARM_sp)

/* A device's own name, virtio7: then its handler serves the queues. */
static bool is_virtio_device(const char *name)
{
	static const char prefix[] = "virtio";
	size_t digits;

	if (!name || strncmp(name, prefix, sizeof(prefix) - 1))
		return false;
	name += sizeof(prefix) - 1;
	digits = strspn(name, "0123456789");
	return digits && !name[digits];
}

static int before_request(struct kprobe *probe, struct pt_regs *regs)
{
	if (ARGUMENT_THREAD_FN(regs) || !ARGUMENT_HANDLER(regs) ||
	    !is_virtio_device(ARGUMENT_NAME(regs)))
		return 0;
	ARGUMENT_THREAD_FN(regs) = ARGUMENT_HANDLER(regs);
	ARGUMENT_HANDLER(regs) = 0;
	ARGUMENT_FLAGS(regs) |= IRQF_ONESHOT;
	return 0;
}

static struct kprobe request_probe = {
	.symbol_name = "request_threaded_irq",
	.pre_handler = before_request,
};

static int __init irq_threads_init(void)
{
	return register_kprobe(&request_probe);
}

static void __exit irq_threads_exit(void)
{
	unregister_kprobe(&request_probe);
}

module_init(irq_threads_init);
module_exit(irq_threads_exit);

MODULE_DESCRIPTION("Interrupts of virtio devices in threads, whatever the command line says");
MODULE_LICENSE("GPL");
