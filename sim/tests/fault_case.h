/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One case for each fault: what it does on the wire, byte for byte, and what makes it pass its
 * place once. test_fault.c runs them, and fails when a fault has none.
 */
#ifndef TESTS_FAULT_CASE_H
#define TESTS_FAULT_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/remote_host.h"
#include "support/wire_view.h"

#define INPUT RPMSG_QUEUE_INPUT
#define OUTPUT RPMSG_QUEUE_OUTPUT
#define HOST_ADDR 500
#define ECHO_ADDR 1024
#define PAYLOAD "fault"
#define SIZE 5 /* of the payload */

struct fault_case {
	enum fault fault;
	/* The whole test of what it does, on case_host, to which no host is attached yet. */
	void (*effect)(const struct fault_case *c);
	/* Pass the fault's place once. */
	void (*pass)(void);
	/* Features of the session in which pass() works. */
	uint64_t features;
	const void *data; /* for effect() */
};

/* A remote with an echo service "echo" at ECHO_ADDR. */
extern struct remote_host case_host;

/* Tables that end with a case without effect(). */
extern const struct fault_case message_cases[], notice_cases[], ring_cases[], life_cases[];

/* Set a fault; count 0: always. */
void case_set(enum fault fault, uint64_t count, uint64_t after);
void case_set_argument(enum fault fault, uint64_t count, uint32_t argument);
void case_clear(enum fault fault);
uint64_t case_fired(enum fault fault);

/* Send the payload to the echo service and let the remote run. */
void case_echo(void);

/* Fail unless the nth FAULT event, from 0, is this one. */
void case_expect_event(uint32_t n, enum fault fault, uint32_t queue, uint16_t desc_id);

#endif /* TESTS_FAULT_CASE_H */
