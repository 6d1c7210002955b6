// SPDX-License-Identifier: GPL-2.0
/* Functions of the API that take an endpoint: the six that send, and what can be asked of it. */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#if __has_include(<linux/hex.h>)
#include <linux/hex.h> /* part of kernel.h before Linux 6.4 */
#endif

#include "kapi.h"

/* A payload as a command gives it; longer than any buffer, so that its refusal can be seen. */
#define PAYLOAD_MAX 65536

struct payload {
	u8 *data;
	int len;
};

/* data=HEX, or len=N of a pattern that shows shifts and cuts, or nothing: an empty message. */
static int read_payload(struct kapi_call *call, struct payload *payload)
{
	const char *hex = kapi_text(call, "data");
	int i, len = hex ? strlen(hex) / 2 : 0;

	if (kapi_int(call, "len", len, &len) || len < 0 || len > PAYLOAD_MAX)
		return -EINVAL;
	payload->len = len;
	payload->data = kmalloc(len + 1, GFP_KERNEL);
	if (!payload->data)
		return -ENOMEM;
	for (i = 0; i < len; i++)
		payload->data[i] = i * 7 + i / 256;
	if (hex && (strlen(hex) != 2 * (size_t)len || hex2bin(payload->data, hex, len))) {
		kfree(payload->data);
		return -EINVAL;
	}
	return 0;
}

static int offchannel(struct kapi_call *call, struct rpmsg_endpoint *ept, struct payload *payload,
		      u32 dst)
{
#ifdef KAPI_HAS_OFFCHANNEL
	u32 src;

	if (kapi_address(call, "src", &src))
		return -EINVAL;
	if (call->words[0][0] == 't')
		KAPI_MEASURE(call,
			     rpmsg_trysend_offchannel(ept, src, dst, payload->data, payload->len));
	else
		KAPI_MEASURE(call,
			     rpmsg_send_offchannel(ept, src, dst, payload->data, payload->len));
	return 0;
#else
	return -ENOSYS;
#endif
}

static int send(struct kapi_call *call, struct rpmsg_endpoint *ept, struct payload *payload)
{
	const char *verb = call->words[0];
	u32 dst;

	if (kapi_address(call, "dst", &dst))
		return -EINVAL;
	if (!strcmp(verb, "send"))
		KAPI_MEASURE(call, rpmsg_send(ept, payload->data, payload->len));
	else if (!strcmp(verb, "sendto"))
		KAPI_MEASURE(call, rpmsg_sendto(ept, payload->data, payload->len, dst));
	else if (!strcmp(verb, "trysend"))
		KAPI_MEASURE(call, rpmsg_trysend(ept, payload->data, payload->len));
	else if (!strcmp(verb, "trysendto"))
		KAPI_MEASURE(call, rpmsg_trysendto(ept, payload->data, payload->len, dst));
	else
		return offchannel(call, ept, payload, dst);
	return 0;
}

/* The endpoint that a command names; endpoint=null stands for the pointer NULL. */
static int get(struct kapi_call *call, struct kapi_endpoint **endpoint)
{
	const char *text = kapi_text(call, "endpoint");
	int id;

	*endpoint = NULL;
	if (text && !strcmp(text, "null"))
		return 0;
	if (kapi_int(call, "endpoint", 0, &id))
		return -EINVAL;
	*endpoint = kapi_endpoint_get(id);
	return *endpoint ? 0 : -ENOENT;
}

static void put(struct kapi_endpoint *endpoint)
{
	if (endpoint)
		kapi_endpoint_put(endpoint);
}

/**
 * kapi_run_send() - VERB endpoint=ID|null [data=HEX | len=N] [dst=N|any] [src=N|any]: the function
 * rpmsg_VERB(), of send, sendto, trysend, trysendto, send_offchannel and trysend_offchannel.
 */
int kapi_run_send(struct kapi_call *call)
{
	struct kapi_endpoint *endpoint;
	struct payload payload;
	int err;

	err = read_payload(call, &payload);
	if (err)
		return err;
	err = get(call, &endpoint);
	if (!err) {
		err = send(call, endpoint ? endpoint->ept : NULL, &payload);
		put(endpoint);
	}
	kfree(payload.data);
	return err;
}

/**
 * kapi_run_mtu() - get_mtu endpoint=ID|null: rpmsg_get_mtu().
 */
int kapi_run_mtu(struct kapi_call *call)
{
	struct kapi_endpoint *endpoint;
	int err;

	err = get(call, &endpoint);
	if (err)
		return err;
	KAPI_MEASURE(call, rpmsg_get_mtu(endpoint ? endpoint->ept : NULL));
	put(endpoint);
	return 0;
}

/**
 * kapi_run_poll() - poll endpoint=ID|null: rpmsg_poll() as it is at this moment; it waits for
 * nothing.
 */
int kapi_run_poll(struct kapi_call *call)
{
	struct kapi_endpoint *endpoint;
	int err;

	err = get(call, &endpoint);
	if (err)
		return err;
	KAPI_MEASURE(call,
		     (__force long)rpmsg_poll(endpoint ? endpoint->ept : NULL, call->file, NULL));
	put(endpoint);
	return 0;
}

/**
 * kapi_run_flow_control() - set_flow_control endpoint=ID pause=0|1 [dst=N|any]:
 * rpmsg_set_flow_control().
 */
int kapi_run_flow_control(struct kapi_call *call)
{
#ifdef KAPI_HAS_FLOW_CONTROL
	struct kapi_endpoint *endpoint;
	int err, pause;
	u32 dst;

	if (kapi_int(call, "pause", 0, &pause) || kapi_address(call, "dst", &dst))
		return -EINVAL;
	err = get(call, &endpoint);
	if (err)
		return err;
	KAPI_MEASURE(call, rpmsg_set_flow_control(endpoint ? endpoint->ept : NULL, pause, dst));
	put(endpoint);
	return 0;
#else
	return -ENOSYS;
#endif
}
