/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sandbox: once everything is set up, the system calls that serving needs, and no others.
 * What a front-end or a client of the control socket may make of a mistake in this program
 * then ends at the kernel: no new sockets, no programs, no executable memory.
 */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include <stdbool.h>

enum sandbox_mode {
	SANDBOX_ON,  /* another call ends the program, which names it on standard error */
	SANDBOX_LOG, /* another call is done, and noted in the kernel's audit log */
	SANDBOX_OFF,
	SANDBOX_COUNT
};

/* Sanitizers and coverage make calls of their own, whenever they like. */
#ifdef TESTBENCH_INSTRUMENTED
#define SANDBOX_DEFAULT SANDBOX_OFF
#define SANDBOX_DEFAULT_TEXT "off in this build, which is instrumented"
#else
#define SANDBOX_DEFAULT SANDBOX_ON
#define SANDBOX_DEFAULT_TEXT "on"
#endif

/**
 * sandbox_mode_name() - name of a mode, as --sandbox takes it
 * @mode: mode
 *
 * Return: name, or NULL past the last.
 */
const char *sandbox_mode_name(enum sandbox_mode mode);

/**
 * sandbox_enter() - allow nothing but serving from now on; there is no way back
 * @mode: how
 * @opens_files: there is a control socket: captures may be started later
 *
 * What is wrong is logged. For the whole thread, and those that it starts.
 *
 * Return: 0 or negative errno.
 */
int sandbox_enter(enum sandbox_mode mode, bool opens_files);

#endif /* DAEMON_SANDBOX_H */
