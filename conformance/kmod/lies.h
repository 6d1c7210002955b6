/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Included before everything else, in a module that is built to test the suite: the API as a kernel
 * with one mistake would offer it. Which one is the parameter `lie`; lies.c has them all.
 */
#ifndef RPMSG_KAPI_LIES_H
#define RPMSG_KAPI_LIES_H

#include <linux/rpmsg.h>

int lie_send(struct rpmsg_endpoint *ept, void *data, int len);
int lie_sendto(struct rpmsg_endpoint *ept, void *data, int len, u32 dst);
int lie_trysend(struct rpmsg_endpoint *ept, void *data, int len);
int lie_trysendto(struct rpmsg_endpoint *ept, void *data, int len, u32 dst);
int lie_send_offchannel(struct rpmsg_endpoint *ept, u32 src, u32 dst, void *data, int len);
int lie_trysend_offchannel(struct rpmsg_endpoint *ept, u32 src, u32 dst, void *data, int len);
struct rpmsg_endpoint *lie_create_ept(struct rpmsg_device *rpdev, rpmsg_rx_cb_t cb, void *priv,
				      struct rpmsg_channel_info info);
void lie_destroy_ept(struct rpmsg_endpoint *ept);
ssize_t lie_get_mtu(struct rpmsg_endpoint *ept);
int lie_set_flow_control(struct rpmsg_endpoint *ept, bool pause, u32 dst);
int lie_register_driver(struct rpmsg_driver *driver);
void lie_unregister_driver(struct rpmsg_driver *driver);

#ifndef KAPI_LIES_THEMSELVES
#define rpmsg_send lie_send
#define rpmsg_sendto lie_sendto
#define rpmsg_trysend lie_trysend
#define rpmsg_trysendto lie_trysendto
#define rpmsg_send_offchannel lie_send_offchannel
#define rpmsg_trysend_offchannel lie_trysend_offchannel
#define rpmsg_create_ept lie_create_ept
#define rpmsg_destroy_ept lie_destroy_ept
#define rpmsg_get_mtu lie_get_mtu
#define rpmsg_set_flow_control lie_set_flow_control
#undef register_rpmsg_driver
#define register_rpmsg_driver lie_register_driver
#define unregister_rpmsg_driver lie_unregister_driver
#endif

#endif
