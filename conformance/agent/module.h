/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel modules. */
#ifndef AGENT_MODULE_H
#define AGENT_MODULE_H

/**
 * module_load() - insert a module
 * @path: file; one that ends in .xz, .gz or .zst is unpacked by the kernel
 * @parameters: "a=1 b=2", or ""
 *
 * Return: 0 or a negative errno.
 */
int module_load(const char *path, const char *parameters);

/**
 * module_unload() - remove a module
 * @name: of the module
 *
 * Return: 0 or a negative errno; -EWOULDBLOCK when it is in use.
 */
int module_unload(const char *name);

#endif
