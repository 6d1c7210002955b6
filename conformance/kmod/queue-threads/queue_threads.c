// SPDX-License-Identifier: GPL-2.0
/*
 * Has the queues of rpmsg devices on virtio-pci served in threads of their interrupts that may
 * sleep, on a kernel without PREEMPT_RT: there the threads of its option threadirqs have bottom
 * halves off. To be loaded before such a device comes.
 */
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

/* Transport operations as virtio-pci has them, and with our find_vqs(). */
static const struct virtio_config_ops *theirs;
static struct virtio_config_ops ours;

/* Asks for an interrupt again, with its handler as its thread's. */
static int rethread(unsigned int irq, void *owner)
{
	struct irq_data *data = irq_get_irq_data(irq);
	irq_handler_t handler = NULL;
	struct irqaction *action;
	const char *name;

	if (!data)
		return -EINVAL;
	for (action = irq_data_to_desc(data)->action; action; action = action->next) {
		if (action->dev_id == owner)
			handler = action->handler;
	}
	if (!handler)
		return -ENOENT;
	name = free_irq(irq, owner);
	return request_threaded_irq(irq, NULL, handler, IRQF_SHARED | IRQF_ONESHOT, name, owner);
}

/*
 * Before DRIVER_OK no interrupt comes. QEMU's generic device has too few vectors for its queues, so
 * that they share the pin's interrupt, whose owner is what begins with the virtio device.
 */
static int find_vqs(struct virtio_device *vdev, unsigned int count, struct virtqueue *vqs[],
		    struct virtqueue_info infos[], struct irq_affinity *affinity)
{
	struct pci_dev *pci = to_pci_dev(vdev->dev.parent);
	int ret;

	ret = theirs->find_vqs(vdev, count, vqs, infos, affinity);
	if (ret)
		return ret;
	if (pci->msix_enabled) {
		dev_warn(&vdev->dev, "has vectors, whose interrupts stay as they are\n");
		return 0;
	}
	ret = rethread(pci->irq, vdev);
	if (ret)
		dev_err(&vdev->dev, "interrupt %u: %d\n", pci->irq, ret);
	return ret;
}

static int before_probe(struct notifier_block *block, unsigned long what, void *data)
{
	struct virtio_device *vdev = dev_to_virtio(data);

	if (what != BUS_NOTIFY_BIND_DRIVER || vdev->id.device != VIRTIO_ID_RPMSG ||
	    !vdev->dev.parent || !dev_is_pci(vdev->dev.parent) || vdev->config == &ours)
		return NOTIFY_DONE;
	theirs = vdev->config;
	ours = *theirs;
	ours.find_vqs = find_vqs;
	vdev->config = &ours;
	return NOTIFY_OK;
}

/* Only a driver knows the bus. This one is for no device. */
static const struct virtio_device_id no_devices[] = {{0}};

static int no_probe(struct virtio_device *vdev)
{
	return -ENODEV;
}

static struct virtio_driver bus_finder = {
	.driver.name = KBUILD_MODNAME,
	.id_table = no_devices,
	.probe = no_probe,
};

static struct notifier_block watcher = {.notifier_call = before_probe};

/* It cannot be unloaded: devices keep pointing to its operations. */
static int __init queue_threads_init(void)
{
	int ret = register_virtio_driver(&bus_finder);

	return ret ?: bus_register_notifier(bus_finder.driver.bus, &watcher);
}

module_init(queue_threads_init);

MODULE_DESCRIPTION("Queues of rpmsg devices served in interrupt threads that may sleep");
MODULE_LICENSE("GPL");
