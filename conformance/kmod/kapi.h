/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the module share: its objects, and one call of a command. */
#ifndef RPMSG_KAPI_H
#define RPMSG_KAPI_H

#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/rpmsg.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

/* Names in the table of a driver. */
#define KAPI_NAMES 4
/* Longest line of a command, its end included. */
#define KAPI_LINE_MAX 4096
/* Longest reply. */
#define KAPI_REPLY_MAX 16384
/* Messages kept for one endpoint; later ones are only counted. */
#define KAPI_MESSAGES_MAX 1024
/* Events kept; later ones are only counted. */
#define KAPI_EVENTS_MAX 4096
/* Words of a command, the verb included. */
#define KAPI_WORDS_MAX 16

/* What a callback does beside keeping the message. */
enum kapi_action {
	KAPI_KEEP,
	KAPI_ECHO,	    /* rpmsg_sendto() its sender */
	KAPI_TRY_ECHO,	    /* rpmsg_trysendto() its sender */
	KAPI_DESTROY,	    /* rpmsg_destroy_ept() the endpoint `target` */
	KAPI_DESTROY_LATER, /* the same, from a work queue */
	KAPI_HOLD,	    /* takes hold_ms to return */
};

/* What a driver leaves in place of an endpoint that an earlier one has left. */
enum kapi_leaves {
	KAPI_LEAVES_NOTHING,
	KAPI_LEAVES_STAND_IN,
	KAPI_LEAVES_ITSELF,
};

/* A driver of ours. It outlives its registrations; freed by its command only. */
struct kapi_driver {
	struct list_head node;
	struct list_head channels;
	int id;
	bool registered;
	bool busy;
	struct rpmsg_driver drv;
	struct rpmsg_device_id table[KAPI_NAMES + 1];
	char name[32];
	/* What its probe does. */
	int probe_result;
	bool probe_sends;
	bool probe_announces;
	enum kapi_leaves leaves_stale;
};

/* One binding of a driver to a channel. The record stays when the binding has ended. */
struct kapi_channel {
	struct list_head node;
	struct list_head endpoints;
	struct kapi_driver *driver;
	int id;
	/* Under kapi_lock: whether rpdev may be used, and by how many calls it is. */
	bool bound;
	unsigned int users;
	struct rpmsg_device *rpdev;
	struct kapi_endpoint *ept;
	/* Copies, for what is asked after the end. */
	char name[RPMSG_NAME_SIZE];
	char device[64];
	u32 src;
	u32 dst;
};

/* One endpoint, the channel's own or one made by command. The record stays when it is destroyed. */
struct kapi_endpoint {
	struct list_head node;
	struct kapi_channel *channel;
	int id;
	u32 addr;
	bool own; /* the channel's: the core creates and destroys it */
	/* Under kapi_lock: as for channels. */
	bool alive;
	unsigned int users;
	struct rpmsg_endpoint *ept;

	enum kapi_action action;
	int target;
	unsigned int hold_ms;
	struct work_struct work;

	/* Under `lock`, which callbacks in interrupts take. */
	spinlock_t lock;
	struct list_head messages;
	unsigned int kept;
	unsigned int called;
	unsigned int lost;
	unsigned int late; /* calls after the end of rpmsg_destroy_ept() */
	bool destroyed;
	bool inside; /* a callback runs */
	wait_queue_head_t changed;
};

/* A received message, and in what context it came. */
struct kapi_message {
	struct list_head node;
	u64 number; /* place in the order of all messages and events */
	u64 time_ns;
	u32 src;
	int len;
	int answer; /* what the callback's action returned */
	bool hardirq;
	bool atomic;
	bool irqs_off;
	bool channel_ok; /* the callback was given the channel that it belongs to */
	char task[16];
	u8 data[];
};

/* One run of a command. */
struct kapi_call {
	struct file *file;
	char *words[KAPI_WORDS_MAX];
	unsigned int word_count;
	/* The reply: result of the function of the API, how long it took, and more words. */
	long result;
	u64 duration_ns;
	char *more;
	size_t used;
	size_t size;
};

/* Guards every list, the identifiers, and who uses what; never held over a call of the API. */
extern struct mutex kapi_lock;
/* Woken when a channel is bound, or something is not used any more. */
extern wait_queue_head_t kapi_changed;

/* Calls a function of the API, and notes its result and duration. */
#define KAPI_MEASURE(call, expression)                                                             \
	do {                                                                                       \
		u64 begun = ktime_get_ns();                                                        \
		(call)->result = (expression);                                                     \
		(call)->duration_ns = ktime_get_ns() - begun;                                      \
	} while (0)

/* ---- module.c ---- */
u64 kapi_number(void);
int kapi_identifier(void);
void kapi_event(const char *format, ...) __printf(1, 2);
int kapi_run_events(struct kapi_call *call);
int kapi_run_features(struct kapi_call *call);

/* ---- call.c ---- */
int kapi_parse(struct kapi_call *call, char *line);
int kapi_run(struct kapi_call *call);
const char *kapi_text(struct kapi_call *call, const char *name);
int kapi_s64(struct kapi_call *call, const char *name, s64 absent, s64 *value);
int kapi_int(struct kapi_call *call, const char *name, int absent, int *value);
int kapi_address(struct kapi_call *call, const char *name, u32 *value);
int kapi_action(struct kapi_call *call, enum kapi_action *action);
void kapi_say(struct kapi_call *call, const char *format, ...) __printf(2, 3);
void kapi_say_bytes(struct kapi_call *call, const char *name, const u8 *data, size_t len);

/* ---- driver.c ---- */
int kapi_run_driver_new(struct kapi_call *call);
int kapi_run_driver_register(struct kapi_call *call);
int kapi_run_driver_unregister(struct kapi_call *call);
int kapi_run_driver_free(struct kapi_call *call);
void kapi_free_drivers(void);

/* ---- channel.c ---- */
struct kapi_channel *kapi_channel_new(struct kapi_driver *driver, struct rpmsg_device *rpdev,
				      struct rpmsg_endpoint *ept);
void kapi_channel_unbind(struct kapi_channel *channel);
struct kapi_channel *kapi_channel_get(int id);
void kapi_channel_put(struct kapi_channel *channel);
void kapi_channels_free(struct kapi_driver *driver);
struct list_head *kapi_drivers(void);
int kapi_run_channel(struct kapi_call *call);

/* ---- endpoint.c ---- */
struct kapi_endpoint *kapi_endpoint_new(struct kapi_channel *channel, bool own);
void kapi_endpoint_free(struct kapi_endpoint *endpoint);
void kapi_endpoints_end(struct kapi_channel *channel);
struct kapi_endpoint *kapi_endpoint_get(int id);
void kapi_endpoint_put(struct kapi_endpoint *endpoint);
struct kapi_endpoint *kapi_endpoint_find(int id);
int kapi_endpoint_destroy(struct kapi_endpoint *endpoint, u64 *duration_ns);
int kapi_run_endpoint_create(struct kapi_call *call);
int kapi_run_endpoint_destroy(struct kapi_call *call);
int kapi_run_endpoint_set(struct kapi_call *call);
int kapi_run_endpoint(struct kapi_call *call);
int kapi_run_receive(struct kapi_call *call);

/* ---- callback.c ---- */
int kapi_callback(struct rpmsg_device *rpdev, void *data, int len, void *priv, u32 src);
void kapi_destroy_later(struct work_struct *work);

/* ---- send.c ---- */
int kapi_run_send(struct kapi_call *call);
int kapi_run_mtu(struct kapi_call *call);
int kapi_run_poll(struct kapi_call *call);
int kapi_run_flow_control(struct kapi_call *call);

/* ---- device.c ---- */
int kapi_device_register(void);
void kapi_device_unregister(void);

#endif
