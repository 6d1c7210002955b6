/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the remote share. Nothing outside this folder includes it.
 *
 * There are two narrow places where anything leaves the remote: put_message() in emit.c,
 * which fills a buffer of the input queue from a struct outgoing, and queue_push() in queue.c,
 * through which every buffer of either queue goes back. Faults of messages and rings act there.
 * Between the two lies pacing.c, which may keep a buffer for a while.
 */
#ifndef REMOTE_REMOTE_PRIV_H
#define REMOTE_REMOTE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "remote/backlog.h"
#include "remote/endpoint.h"
#include "remote/fault_priv.h"
#include "remote/list.h"
#include "remote/pacing_priv.h"
#include "remote/profile.h"
#include "remote/remote.h"
#include "remote/service.h"
#include "remote/timer.h"

#define REMOTE_DEFAULT_BACKLOG 1024
#define REMOTE_DEFAULT_ENDPOINTS 65536
#define REMOTE_MAX_MESSAGE (RPMSG_HDR_SIZE + REMOTE_MAX_PAYLOAD)

/* Told or judged now and then: kept out of the way of each message. */
#define REMOTE_COLD __attribute__((noinline, cold))

#define NAME_BUCKETS 256   /* power of two */
#define HOST_CHANNELS 1024 /* announcements of the host that are remembered */

/* One queue of an attached host. */
struct remote_queue {
	struct virtq *vq;    /* NULL while detached */
	bool broken;	     /* the owner was told */
	bool holding;	     /* output: all buffers; input: messages, which wait in the backlog */
	bool no_calls;	     /* the profile never calls the host for it */
	uint32_t limit;	     /* size of a buffer as agreed; 0: as it comes */
	uint32_t kicks;	     /* in this session */
	uint32_t first_size; /* of the first buffer that the host supplied; 0: none yet */
	struct pacing pacing;
	/* What the fault ring-returns-another keeps: goes back with the next buffer. */
	bool astray;
	uint16_t astray_head;
	uint32_t astray_len;
};

/* How far an announcement of a service has come. */
enum notice_state {
	NOTICE_NONE,	/* the host knows nothing of it */
	NOTICE_CREATE,	/* CREATE waits for a buffer */
	NOTICE_DONE,	/* CREATE was sent */
	NOTICE_DESTROY, /* DESTROY waits for a buffer */
};

/*
 * What a service has apart from its struct service. It outlives that one in two cases: until
 * its DESTROY is sent, and when it retired, until the next session brings it back.
 */
struct service_info {
	struct service *service; /* NULL while it has no endpoint */
	const struct service_kind *kind;
	struct service_params params;
	struct list_node created; /* all that were announced and not withdrawn, by age */
	struct list_node named;	  /* bound ones whose names have the same hash, by age */
	struct list_node notice;  /* its CREATE or DESTROY waits */
	struct list_node room;	  /* waits for service_room() */
	uint64_t notice_seq;
	enum notice_state notice_state;
	struct timer timer;
	uint32_t addr;
	char name[RPMSG_NAME_SIZE];
	_Alignas(max_align_t) uint8_t state[];
};

/* A channel that the host announced. */
struct host_channel {
	char name[RPMSG_NAME_SIZE];
	uint32_t addr;
	bool taken; /* a service got it as its peer */
};

/* A message out of the host, in private memory. */
struct inbound {
	struct virtq_chain chain; /* its descs are not valid after the first pop that follows */
	struct rpmsg_hdr hdr;	  /* zero when there was none */
	const uint8_t *payload;
	uint32_t size; /* bytes at payload */
	bool accepted;
	bool reported;	       /* its event was raised */
	enum remote_drop drop; /* when not accepted */
};

/* A message into the host, before it has a buffer. Faults change these fields. */
struct outgoing {
	struct rpmsg_hdr hdr;
	const uint8_t *payload;
	uint32_t size;
	uint32_t used_len;
	bool used_len_set;
	bool raw;		 /* from remote_send(): its header is as it is meant to be */
	bool aside;		 /* name-service message that is no announcement of a service */
	struct service *service; /* whose message it is; NULL: look for it by hdr.src */
	const struct rpmsg_ns_msg *ns; /* when it is a name-service message of the remote */
};

struct remote {
	const struct remote_ops *ops;
	void *ctx;
	const struct violation_sink *sink;
	bool checking;
	bool telling; /* of single messages: there is a callback, and somebody listens */
	struct remote_config config;
	const struct profile *profile;
	const struct config_layout *layout; /* NULL: no configuration space */
	uint8_t config_space[CONFIG_MAX_SIZE];
	uint32_t agreed_size[RPMSG_NUM_QUEUES]; /* what it says, or said when it was valid */
	struct remote_stats stats;

	/* the session */
	struct remote_queue queues[RPMSG_NUM_QUEUES];
	uint64_t features;
	enum wire_order order;
	bool attached;
	bool ns_on;  /* F_NS was negotiated */
	bool ack_on; /* announcements are acknowledged (NuttX) */
	bool early;  /* announced before DRIVER_OK, by a fault */
	struct host_channel *host_channels;
	uint32_t host_channel_count;

	/* services */
	struct endpoint_table endpoints;
	struct timers timers;
	struct list_node created;
	struct list_node names[NAME_BUCKETS];
	struct list_node room_waiters;
	struct service *retiring; /* service_retire() was called in the current callback */
	uint32_t service_count;	  /* with and without an endpoint */

	/* faults */
	struct fault_set faults;
	bool muted;	      /* does nothing: crashed, or silent */
	bool crashed;	      /* until it is detached */
	bool deaf;	      /* the last kick found it silent */
	bool restart_pending; /* once all announcements are out */
	uint32_t flood_next, flood_end;

	/* what waits for buffers: notices and backlog, merged by seq */
	struct list_node notices;
	uint32_t notice_count;
	struct backlog backlog;
	uint64_t out_seq;

	/* the message that is being handled */
	uint8_t *message;	 /* REMOTE_MAX_MESSAGE bytes */
	uint8_t *scratch;	 /* as many; services have all but the place of a header */
	struct virtq_chain rare; /* popped last from the input queue, where it was no piece */
	struct inbound *current; /* NULL also while nobody is told of single messages */
	bool answered;		 /* its service has sent something */
	uint16_t fetched;	 /* where fetching of endpoints goes on in the output queue */
	uint32_t extra_cost;	 /* work of the current run that counts as messages */
};

/* ---- queue.c: giving buffers back, holding, calls ---------------------------------------- */

/* True while buffers can be taken from a queue. */
static inline bool queue_usable(const struct remote_queue *queue)
{
	return queue->vq != NULL && !queue->vq->broken;
}

/* Of two places of faults that stand together, queue 0's first. */
static inline enum fault_place fault_place_of(enum fault_place first, unsigned int index)
{
	return (enum fault_place)(first + index);
}

/**
 * queue_report_returned() - tell that a buffer of the output queue went back
 * @remote: remote that tells of single messages
 * @head: its head
 * @used_len: used length that the host sees
 */
void queue_report_returned(struct remote *remote, uint16_t head, uint32_t used_len) REMOTE_COLD;

/**
 * queue_returned() - count and tell that a buffer went back
 * @remote: remote
 * @index: queue
 * @head: its head
 * @used_len: used length that the host sees
 */
static inline void queue_returned(struct remote *remote, unsigned int index, uint16_t head,
				  uint32_t used_len)
{
	remote->stats.queues[index].returned++;
	if (index == RPMSG_QUEUE_OUTPUT && __builtin_expect(remote->telling, 0))
		queue_report_returned(remote, head, used_len);
}

/**
 * queue_push() - put one buffer into the used ring; visible after queues_flush()
 * @remote: remote
 * @index: queue with a virtq
 * @head: head of the popped chain
 * @used_len: bytes written into it
 *
 * The only place where buffers go back, and where faults of the used ring act.
 *
 * Return: true when it was put there.
 */
static inline bool queue_push(struct remote *remote, unsigned int index, uint16_t head,
			      uint32_t used_len)
{
	struct remote_queue *queue = &remote->queues[index];

	if (fault_due(&remote->faults, fault_place_of(FAULT_PLACE_RETURN_0, index)) ||
	    __builtin_expect(queue->astray, 0))
		return fault_return(remote, index, head, used_len);
	if (virtq_push(queue->vq, head, used_len) != 0)
		return false;
	queue_returned(remote, index, head, used_len);
	return true;
}

/**
 * queue_return() - a buffer is done with: give it back, or keep it as pacing has it
 * @remote: attached remote
 * @index: queue
 * @head: head of the popped chain
 * @used_len: bytes written into it
 *
 * Return: true when it was taken over.
 */
static inline bool queue_return(struct remote *remote, unsigned int index, uint16_t head,
				uint32_t used_len)
{
	if (__builtin_expect(!remote->queues[index].pacing.on, 1))
		return queue_push(remote, index, head, used_len);
	pacing_take(remote, index, head, used_len);
	return true;
}

/**
 * queues_flush() - publish what was returned and call the host where it wants to be
 * @remote: attached remote
 *
 * Also tells the owner of a queue that broke, and gives up what waits for a broken one.
 */
void queues_flush(struct remote *remote);

/**
 * queue_flush_early() - the same for queue 0 alone, before a host is attached
 * @remote: remote whose queue 0 has a virtq
 */
void queue_flush_early(struct remote *remote);

/* ---- checker.c: what the host does wrong; reports, and decides nothing ------------------- */

/**
 * checker_message_details() - judge a message in which something is wrong
 * @remote: remote
 * @in: message
 */
void checker_message_details(struct remote *remote, const struct inbound *in) REMOTE_COLD;

/**
 * checker_message() - judge a message
 * @remote: remote
 * @in: message
 */
static inline void checker_message(struct remote *remote, const struct inbound *in)
{
	const struct rpmsg_hdr *hdr = &in->hdr;
	uint32_t limit = remote->queues[RPMSG_QUEUE_OUTPUT].limit;

	if (!remote->checking)
		return;

	/* The length first: in a message too short for it the header is all zero. */
	if (in->chain.readable < RPMSG_HDR_SIZE + (uint32_t)hdr->len || in->chain.writable != 0 ||
	    hdr->src == RPMSG_ADDR_ANY || hdr->dst == RPMSG_ADDR_ANY ||
	    (hdr->reserved | hdr->flags) != 0 || in->chain.desc_count != 1 ||
	    (limit != 0 && in->chain.readable > limit))
		checker_message_details(remote, in);
}

/**
 * checker_ns() - judge a message to the name service
 * @remote: remote
 * @in: message
 * @ns: decoded, or NULL when its length is wrong
 */
void checker_ns(struct remote *remote, const struct inbound *in, const struct rpmsg_ns_msg *ns);

/**
 * checker_ns_flow() - judge an announcement by those before it
 * @remote: remote
 * @in: message
 * @ns: decoded
 * @known: the host announced this channel, and has not withdrawn it
 */
void checker_ns_flow(struct remote *remote, const struct inbound *in, const struct rpmsg_ns_msg *ns,
		     bool known);

/**
 * checker_buffer_details() - judge a buffer of the input queue in which something is wrong
 * @remote: remote
 * @chain: popped from the input queue
 */
void checker_buffer_details(struct remote *remote, const struct virtq_chain *chain) REMOTE_COLD;

/**
 * checker_input_buffer() - judge a buffer that the host supplied
 * @remote: remote
 * @chain: popped from the input queue
 */
static inline void checker_input_buffer(struct remote *remote, const struct virtq_chain *chain)
{
	if (remote->checking &&
	    (chain->readable != 0 || chain->writable < RPMSG_HDR_SIZE || chain->desc_count != 1 ||
	     chain->writable != remote->queues[RPMSG_QUEUE_INPUT].first_size))
		checker_buffer_details(remote, chain);
}

/**
 * checker_attach() - judge how the host starts
 * @remote: remote that is being attached
 */
void checker_attach(struct remote *remote);

/**
 * checker_kick() - judge a kick
 * @remote: attached remote
 * @queue: queue
 */
void checker_kick(struct remote *remote, unsigned int queue);

/* ---- receive.c: messages out of the host -------------------------------------------------- */

/**
 * receive_one() - take the next message, handle it and return or hold its buffer
 * @remote: attached remote
 *
 * Return: true when there was one.
 */
bool receive_one(struct remote *remote);

/**
 * receive_report() - raise the event of the message that is being handled, once
 * @remote: remote
 *
 * Called before anything that the message causes is told, so that causes come first.
 */
void receive_report(struct remote *remote);

/* ---- emit.c: messages into the host ------------------------------------------------------- */

/**
 * emit() - send a message, or let it wait for a buffer
 * @remote: remote
 * @out: message; payload is copied
 *
 * Return: as remote_send().
 */
int emit(struct remote *remote, const struct outgoing *out);

/**
 * emit_plain() - the same for what a service sends, by the shortest way that will do
 * @service: sender
 * @dst: destination
 * @payload: copied
 * @size: its bytes
 *
 * Return: as remote_send().
 */
int emit_plain(struct service *service, uint32_t dst, const void *payload, uint32_t size);

/**
 * emit_numbered() - the same for a numbered payload (remote/numbered.h), made where it goes
 * @service: sender
 * @dst: destination
 * @number: sequence number
 * @size: bytes of the payload, at least NUMBERED_MIN_SIZE
 *
 * Made anywhere else it would be copied while the stores that made it are on their way, behind
 * those of earlier messages that wait for the host's cache lines.
 *
 * Return: as remote_send().
 */
int emit_numbered(struct service *service, uint32_t dst, uint64_t number, uint32_t size);

/**
 * emit_ns() - send a name-service message that is no announcement of a service
 * @remote: remote
 * @name: name
 * @addr: address in it
 * @flags: flags in it
 * @src: source of the message
 * @now: before what waits; it is known that a buffer was there just now
 *
 * Return: as remote_send().
 */
int emit_ns(struct remote *remote, const char *name, uint32_t addr, uint32_t flags, uint32_t src,
	    bool now);

/**
 * emit_pump() - send what waits
 * @remote: attached remote
 * @budget: messages at the most
 *
 * Return: messages sent or given up.
 */
uint32_t emit_pump(struct remote *remote, uint32_t budget);

/**
 * emit_waiting() - how many messages wait for a buffer, announcements included
 * @remote: remote
 *
 * Return: count.
 */
static inline uint32_t emit_waiting(const struct remote *remote)
{
	return remote->notice_count + remote->backlog.count;
}

/**
 * emit_can_take_reply() - is there room for one more message of any size?
 * @remote: attached remote
 *
 * Return: true when there is, or when it would be given up at once since the queue is broken.
 */
static inline bool emit_can_take_reply(const struct remote *remote)
{
	return remote->backlog.count == 0 ||
	       backlog_has_room(&remote->backlog, REMOTE_MAX_PAYLOAD) ||
	       !queue_usable(&remote->queues[RPMSG_QUEUE_INPUT]);
}

/**
 * emit_has_buffer() - would a message be sent at once?
 * @remote: remote
 *
 * Return: true when nothing waits before it and the host has supplied a buffer.
 */
bool emit_has_buffer(struct remote *remote);

/**
 * emit_give_up() - forget what waits; it counts as failed
 * @remote: remote
 */
void emit_give_up(struct remote *remote);

/* ---- nameservice.c ------------------------------------------------------------------------ */

/**
 * nameservice_announce() - let a CREATE for a bound service wait for its buffer
 * @remote: attached remote
 * @info: service
 */
void nameservice_announce(struct remote *remote, struct service_info *info);

/**
 * nameservice_destroy() - let a DESTROY wait, or forget a CREATE that was not sent
 * @remote: remote
 * @info: service without an endpoint; freed once nothing needs it any more
 */
void nameservice_destroy(struct remote *remote, struct service_info *info);

/**
 * nameservice_first() - the notice that waits longest
 * @remote: remote
 * @out: set, but for payload
 * @ns: set; @out refers to it
 *
 * Return: service, or NULL when none waits.
 */
struct service_info *nameservice_first(struct remote *remote, struct outgoing *out,
				       struct rpmsg_ns_msg *ns);

/**
 * nameservice_give_up() - forget all notices that wait
 * @remote: remote
 */
void nameservice_give_up(struct remote *remote);

/**
 * nameservice_settle() - the notice of a service was sent or given up
 * @remote: remote
 * @info: service; may be freed
 * @sent: whether the host got it
 */
void nameservice_settle(struct remote *remote, struct service_info *info, bool sent);

/**
 * nameservice_receive() - handle a message to the name service
 * @remote: attached remote
 * @in: message; its verdict is set
 */
void nameservice_receive(struct remote *remote, struct inbound *in);

/**
 * nameservice_match() - give a new service the peer that the host announced for its name
 * @remote: attached remote
 * @service: service without peer
 */
void nameservice_match(struct remote *remote, struct service *service);

/**
 * nameservice_unmatch() - a service goes away: its announced peer may serve another
 * @remote: remote
 * @service: service, still bound
 */
void nameservice_unmatch(struct remote *remote, const struct service *service);

/* ---- service.c: life of an instance ------------------------------------------------------- */

/**
 * service_create() - make an instance and bind its endpoint
 * @remote: remote
 * @name: valid name
 * @kind: kind
 * @params: or NULL
 * @addr: address
 * @service: set on success
 *
 * Return: 0, or negative errno of memory, of endpoint_bind() or of the kind.
 */
int service_create(struct remote *remote, const char *name, const struct service_kind *kind,
		   const struct service_params *params, uint32_t addr, struct service **service);

/**
 * service_lowest_free() - an address for a service that asks for any
 * @remote: remote
 *
 * Return: address; RPMSG_ADDR_ANY when the profile has no more of them.
 */
uint32_t service_lowest_free(struct remote *remote);

/**
 * service_remove() - unbind an instance and let the host know
 * @remote: remote
 * @service: bound service, invalid afterwards
 * @for_good: false when the next session is to bring it back
 */
void service_remove(struct remote *remote, struct service *service, bool for_good);

/**
 * service_forget() - free a service that has no endpoint, unless its DESTROY waits
 * @remote: remote
 * @info: service
 */
void service_forget(struct remote *remote, struct service_info *info);

/**
 * service_attach() - a host attached: bind again if retired, announce, tell the service
 * @remote: attached remote
 * @info: service
 */
void service_attach(struct remote *remote, struct service_info *info);

/**
 * service_detach() - the host is gone: forget timer and peer, tell the service
 * @remote: remote
 * @info: service
 */
void service_detach(struct remote *remote, struct service_info *info);

/**
 * service_set_peer() - the service has another peer now
 * @service: service
 * @peer: address, or RPMSG_ADDR_ANY for none
 */
void service_set_peer(struct service *service, uint32_t peer);

/**
 * service_returned() - a callback of a service has returned: do what it asked for
 * @remote: remote
 */
static inline void service_returned(struct remote *remote)
{
	struct service *service = remote->retiring;

	if (__builtin_expect(service == NULL, 1))
		return;
	remote->retiring = NULL;
	service_remove(remote, service, false);
}

/**
 * service_bucket() - list of the bound services whose names hash alike
 * @remote: remote
 * @name: name
 *
 * Return: head of a list of service_info.named.
 */
struct list_node *service_bucket(struct remote *remote, const char *name);

/* ---- remote.c ----------------------------------------------------------------------------- */

/**
 * remote_finish_request() - something was asked for from outside
 * @remote: remote
 *
 * What it did is shown, and what it began goes on.
 */
void remote_finish_request(struct remote *remote);

/**
 * remote_config_reset() - let the configuration space say what it said at first
 * @remote: remote
 */
void remote_config_reset(struct remote *remote);

/**
 * remote_restart() - start again within a session, as a processor does that is reset
 * @remote: attached remote
 * @lose: buffers that are held never go back, instead of at once
 *
 * What waits is given up, peers are forgotten, services are announced anew.
 */
void remote_restart(struct remote *remote, bool lose);

/**
 * remote_update_mute() - find out whether faults keep the remote from doing anything
 * @remote: remote
 */
void remote_update_mute(struct remote *remote);

#endif /* REMOTE_REMOTE_PRIV_H */
