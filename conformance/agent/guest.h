/* SPDX-License-Identifier: BSD-2-Clause */
/* The duties of process 1 in a guest that holds nothing but this program. */
#ifndef AGENT_GUEST_H
#define AGENT_GUEST_H

#include <stdbool.h>

/**
 * guest_setup() - mount what has to be there and load the modules that the image lists
 *
 * Nothing in it is fatal: what went wrong is in the kernel log and, for modules, in the hello.
 */
void guest_setup(void);

/**
 * guest_is_init() - whether guest_setup() was called: this process owns the machine
 */
bool guest_is_init(void);

/**
 * guest_poweroff() - power the machine off, or reset it when it cannot be powered off
 */
void guest_poweroff(void);

/**
 * guest_reboot() - reset the machine
 */
void guest_reboot(void);

#endif
