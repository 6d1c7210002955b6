/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which faults are set, which of them are due where, and what they do there. Inside the remote
 * only.
 *
 * A place that no fault is set for costs one test. One for which faults are set that are not
 * due costs one more and a count, however many they are: what is compared is the pass at
 * which the first of them is due.
 */
#ifndef REMOTE_FAULT_PRIV_H
#define REMOTE_FAULT_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "remote/fault.h"
#include "virtio/virtq.h"
#include "wire/bytes.h"
#include "wire/rpmsg.h"

struct inbound;
struct outgoing;

/* See remote/fault.h. Those of a queue stand together, queue 0 first. */
enum fault_place {
	FAULT_PLACE_MESSAGE,
	FAULT_PLACE_NOTICE,
	FAULT_PLACE_ORDER,
	FAULT_PLACE_FOLLOW,
	FAULT_PLACE_EARLY,
	FAULT_PLACE_UNASKED,
	FAULT_PLACE_RETURN_0,
	FAULT_PLACE_RETURN_1,
	FAULT_PLACE_PUBLISH_0,
	FAULT_PLACE_PUBLISH_1,
	FAULT_PLACE_RECEIVE,
	FAULT_PLACE_KICK,
	FAULT_PLACE_CRASH_FEATURES,
	FAULT_PLACE_CRASH_MEMORY,
	FAULT_PLACE_CRASH_VRING,
	FAULT_PLACE_CRASH_DRIVER_OK,
	FAULT_PLACE_REPLY,
	FAULT_PLACE_ATTACH,
	FAULT_PLACE_COUNT
};

#define FAULT_NEVER UINT64_MAX
#define FAULT_WORDS ((FAULT_COUNT + 63) / 64)

struct fault_state {
	enum fault_mode mode;
	enum fault_place place;
	uint32_t argument;
	uint64_t left;
	uint64_t due; /* pass of its place, from which on it fires */
	uint64_t fired;
};

/* What all faults of a place have in common. */
struct fault_passes {
	uint64_t passed; /* while any was set */
	uint64_t due;	 /* the lowest of theirs */
	uint64_t armed[FAULT_WORDS];
};

struct fault_set {
	struct fault_passes places[FAULT_PLACE_COUNT];
	struct fault_state states[FAULT_COUNT];
};

/**
 * fault_due() - pass a place
 * @set: faults
 * @place: place
 *
 * Return: true when at least one fault is due there: look at them with fault_first().
 */
static inline bool fault_due(struct fault_set *set, enum fault_place place)
{
	struct fault_passes *passes = &set->places[place];

	return __builtin_expect(passes->due != FAULT_NEVER, 0) && passes->passed++ >= passes->due;
}

/**
 * fault_near() - would fault_due() say yes?
 * @set: faults
 * @place: place, which is not passed by this
 *
 * Return: true when it would.
 */
static inline bool fault_near(const struct fault_set *set, enum fault_place place)
{
	const struct fault_passes *passes = &set->places[place];

	return __builtin_expect(passes->due != FAULT_NEVER, 0) && passes->passed >= passes->due;
}

/**
 * fault_first(), fault_next() - the faults that are due at the pass just made, in table order
 * @set: faults
 * @place: place that fault_due() was true for
 * @fault: the one before
 *
 * Return: fault, or FAULT_COUNT when there is no other.
 */
enum fault fault_first(const struct fault_set *set, enum fault_place place);
enum fault fault_next(const struct fault_set *set, enum fault_place place, enum fault fault);

/**
 * fault_is_active() - is a fault set, and would it fire at its next pass?
 * @set: faults
 * @fault: fault
 *
 * Return: true when it would.
 */
bool fault_is_active(const struct fault_set *set, enum fault fault);

/**
 * fault_set_init() - no fault is set
 * @set: result
 */
void fault_set_init(struct fault_set *set);

/**
 * fault_fired() - count a firing and tell of it
 * @remote: remote
 * @fault: fault that is set
 * @queue: queue, or REMOTE_NO_QUEUE
 * @desc_id: head of the chain that it is about, or REMOTE_NO_DESC
 */
void fault_fired(struct remote *remote, enum fault fault, uint32_t queue, uint16_t desc_id);

/**
 * fault_argument() - the number behind NAME=
 * @remote: remote
 * @fault: fault
 *
 * Return: as it was set, or the default.
 */
uint32_t fault_argument(const struct remote *remote, enum fault fault);

/**
 * fault_enter(), fault_leave() - a fault was set; it is about to be switched off
 * @remote: remote
 * @fault: fault
 */
void fault_enter(struct remote *remote, enum fault fault);
void fault_leave(struct remote *remote, enum fault fault);

/**
 * fault_order() - byte order of the message that is about to be written (ORDER)
 * @remote: remote
 * @chain: its buffer
 *
 * Return: the link's, or another.
 */
enum wire_order fault_order(struct remote *remote, const struct virtq_chain *chain);

/**
 * fault_message() - a message other than an announcement is about to be written (MESSAGE)
 * @remote: remote
 * @out: message; changed
 * @chain: its buffer
 * @used_len: changed
 */
void fault_message(struct remote *remote, struct outgoing *out, const struct virtq_chain *chain,
		   uint32_t *used_len);

#define FAULT_NOTICE_MAX 496

/**
 * fault_notice() - an announcement is about to be written (NOTICE)
 * @remote: remote
 * @bytes: its FAULT_NOTICE_MAX bytes, 0 behind the first 40; changed
 * @size: of it
 * @order: byte order of the message
 * @chain: its buffer
 *
 * Return: its size now.
 */
uint32_t fault_notice(struct remote *remote, uint8_t *bytes, uint32_t size, enum wire_order order,
		      const struct virtq_chain *chain);

/**
 * fault_follow() - an announcement was sent (FOLLOW)
 * @remote: remote with F_NS
 * @ns: announcement
 */
void fault_follow(struct remote *remote, const struct rpmsg_ns_msg *ns);

/**
 * fault_follow_now() - the same, set while a host is attached
 * @remote: attached remote
 * @fault: fault of the place FOLLOW
 */
void fault_follow_now(struct remote *remote, enum fault fault);

/**
 * fault_flood() - send what the fault ns-flood has still to send
 * @remote: attached remote
 * @budget: messages at the most
 *
 * Return: messages sent.
 */
uint32_t fault_flood(struct remote *remote, uint32_t budget);

/**
 * fault_unasked() - an announcement would be made, had F_NS been negotiated (UNASKED)
 * @remote: attached remote
 *
 * Return: true when it is to be made all the same.
 */
bool fault_unasked(struct remote *remote);

/**
 * fault_return() - a buffer is about to be put into the used ring (RETURN)
 * @remote: remote
 * @index: queue
 * @head: head of the popped chain
 * @used_len: bytes written into it
 *
 * Puts it there itself, or what it makes of it.
 *
 * Return: as queue_push().
 */
bool fault_return(struct remote *remote, unsigned int index, uint16_t head, uint32_t used_len);

/**
 * fault_put_astray() - put a buffer into the used ring that ring-returns-another has kept
 * @remote: remote
 * @index: queue that has one
 */
void fault_put_astray(struct remote *remote, unsigned int index);

/**
 * fault_publish() - used.idx is about to be shown (PUBLISH)
 * @remote: remote
 * @index: queue with entries that were not published
 *
 * Return: as virtq_flush().
 */
bool fault_publish(struct remote *remote, unsigned int index);

/**
 * fault_write_readable() - write to a buffer of the host that is device-readable
 * @remote: attached remote
 * @chain: popped last from the output queue
 *
 * Return: true when something was written.
 */
bool fault_write_readable(struct remote *remote, const struct virtq_chain *chain);

/**
 * fault_receive() - a message of the host was taken (RECEIVE)
 * @remote: attached remote
 * @in: message, in private memory
 *
 * Return: true when it is not to be handled, nor its buffer returned.
 */
bool fault_receive(struct remote *remote, struct inbound *in);

/**
 * fault_kick() - the host kicked (KICK)
 * @remote: remote
 * @queue: queue
 */
void fault_kick(struct remote *remote, unsigned int queue);

/**
 * fault_attach() - the driver has become ready (ATTACH)
 * @remote: attached remote
 */
void fault_attach(struct remote *remote);

/**
 * fault_restart() - fire life-reboot, and start again
 * @remote: attached remote all of whose announcements are out
 */
void fault_restart(struct remote *remote);

#endif /* REMOTE_FAULT_PRIV_H */
