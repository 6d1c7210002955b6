/* SPDX-License-Identifier: BSD-2-Clause */
/* What an operation list has a device do. */
#ifndef FUZZ_DEVICE_ATTACK_H
#define FUZZ_DEVICE_ATTACK_H

#include "device/device.h"

extern const struct oplist_schema attack_schema;

/**
 * attack_load() - the list that attack_start() will carry out
 * @device: device without an attack under way; what it withholds takes effect when a front-end
 *	connects
 * @size: bytes at device->input
 *
 * Return: 0, or -EINVAL when that is no operation list.
 */
int attack_load(struct device *device, size_t size);

/**
 * attack_start() - begin with the first operation
 * @device: device whose driver is ready
 */
void attack_start(struct device *device);

/**
 * attack_go() - carry out operations until one has to wait or the list is over
 * @device: device
 *
 * Says on standard output "user NUMBER WHAT SIZE" where user space of the guest is to do
 * something, and waits for the next attack_answered(); "done NUMBER SKIPPED" at the end.
 */
void attack_go(struct device *device);

/**
 * attack_answered() - user space of the guest has done what was asked
 * @device: device
 */
void attack_answered(struct device *device);

#endif /* FUZZ_DEVICE_ATTACK_H */
