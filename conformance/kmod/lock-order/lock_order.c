// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps the kernel's lock checker from asking whether a lock may be waited for where it is taken.
 * It ends with its first report, and virtio_rpmsg_bus gives it one with the first message: a mutex
 * in the interrupt's thread. With this module it goes on, and sees in which order locks are taken.
 */
#include <linux/kprobes.h>
#include <linux/lockdep.h>
#include <linux/module.h>

/*
 * The outer type of a lock says where it may be taken, and is its inner one unless it has one of
 * its own; the inner one says what may be taken under it: here everything.
 */
static void allow_all(u8 *outer, u8 *inner)
{
	/* Nobody asks about locks without a type. */
	if (!*inner)
		return;
	if (!*outer)
		*outer = *inner;
	*inner = LD_WAIT_SLEEP;
}

/* The types are copied from the lock to its class at first use. */
static int before_acquire(struct kprobe *probe, struct pt_regs *regs)
{
	struct lockdep_map *lock = (struct lockdep_map *)regs_get_kernel_argument(regs, 0);
	unsigned int i;

	allow_all(&lock->wait_type_outer, &lock->wait_type_inner);
	for (i = 0; i < NR_LOCKDEP_CACHING_CLASSES; i++) {
		struct lock_class *class = lock->class_cache[i];

		if (class)
			allow_all(&class->wait_type_outer, &class->wait_type_inner);
	}
	return 0;
}

static struct kprobe acquire_probe = {
	.symbol_name = "lock_acquire",
	.pre_handler = before_acquire,
};

static int __init lock_order_init(void)
{
	return register_kprobe(&acquire_probe);
}

static void __exit lock_order_exit(void)
{
	unregister_kprobe(&acquire_probe);
}

module_init(lock_order_init);
module_exit(lock_order_exit);

MODULE_DESCRIPTION("The lock checker goes on after the first message of rpmsg");
MODULE_LICENSE("GPL");
