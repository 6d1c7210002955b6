/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's announcements that a device came, changed or went. */
#ifndef AGENT_UEVENT_H
#define AGENT_UEVENT_H

/**
 * uevent_open() - begin to listen
 *
 * What is announced between this call and a poll() is kept, so that "listen, look, wait" misses
 * nothing. Source: Documentation/core-api/kobject.rst of Linux, "Uevents"; netlink(7).
 *
 * Return: a non-blocking descriptor that is readable after an announcement, or a negative errno.
 */
int uevent_open(void);

/**
 * uevent_drain() - throw away what was announced so far
 * @fd: from uevent_open()
 */
void uevent_drain(int fd);

#endif
