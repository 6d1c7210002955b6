/* SPDX-License-Identifier: BSD-2-Clause */
/* The kinds of services, each defined in the file of its name; table.c lists them. */
#ifndef REMOTE_SERVICES_KINDS_H
#define REMOTE_SERVICES_KINDS_H

#include "remote/service.h"

extern const struct service_kind service_echo;
extern const struct service_kind service_sink;
extern const struct service_kind service_source;
extern const struct service_kind service_client_sample;
extern const struct service_kind service_tty;
extern const struct service_kind service_tty_zephyr;
extern const struct service_kind service_raw;
extern const struct service_kind service_chrdev;
extern const struct service_kind service_openamp_demo;
extern const struct service_kind service_matrix;
extern const struct service_kind service_nxp_pingpong;
extern const struct service_kind service_nxp_str_echo;
extern const struct service_kind service_ti_pingpong;
extern const struct service_kind service_st_sdb;
extern const struct service_kind service_nuttx_ping;
extern const struct service_kind service_script;

/**
 * services_answer() - send an answer from within message()
 * @service: instance
 * @dst: who is answered
 * @payload: copied
 * @size: bytes
 *
 * An answer that no buffer of the host can hold is given up, and counted there; the message
 * that it answers was delivered all the same.
 *
 * Return: 0, or -EDESTADDRREQ when @dst is no address, for message() to return.
 */
int services_answer(struct service *service, uint32_t dst, const void *payload, uint32_t size);

#endif /* REMOTE_SERVICES_KINDS_H */
