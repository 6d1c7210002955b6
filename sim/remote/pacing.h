/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pacing: when buffers go back to the host, in which order, and when it is interrupted for
 * them. On the output queue a buffer goes back when its message was handled, on the input
 * queue when a message was written into it; what follows is the same for both.
 *
 * Buffers that go back together are those of one release, or of one turn of the remote
 * (remote_run()); an order other than the natural one holds among them. A delay is counted
 * from when the buffer would have gone back, and never lets one overtake another.
 *
 * Interrupts. For a batch of N the host is called only after N buffers came back since its
 * last call; a rest below N waits for more, or for the interrupt delay to pass if one is set,
 * counted from the first of them. A late interrupt comes the delay after the normal one would
 * have come, and buffers that come back meanwhile share it. Spurious interrupts come on top
 * of the normal ones: one each delay for as long as a host is attached, or without a delay
 * one more after each, whether the host wants to be called or not. Normal and late ones
 * respect what the host asked for (NO_INTERRUPT, used_event).
 *
 * All that takes time goes by remote_ops.now and remote_deadline(). Holding (remote_hold())
 * comes before pacing: a buffer that is held starts its delay when it is released.
 */
#ifndef REMOTE_PACING_H
#define REMOTE_PACING_H

#include <stdint.h>

struct remote;

enum pace_order {
	PACE_IN_ORDER,
	PACE_REVERSED,
	PACE_SHUFFLED, /* by the remote's seed */
	PACE_ORDER_COUNT
};

enum pace_interrupt {
	PACE_CALL_NORMAL,
	PACE_CALL_NEVER,
	PACE_CALL_LATE,
	PACE_CALL_SPURIOUS,
	PACE_CALL_COUNT
};

#define PACE_MAX_DELAY (UINT64_C(3600) * 1000000000)

/* One queue; all zero is no pacing. */
struct pace {
	uint32_t every; /* hold each such buffer until remote_release(); 0: none */
	uint32_t batch; /* buffers for one interrupt; 0 and 1: no batches */
	enum pace_order order;
	enum pace_interrupt interrupt;
	uint64_t delay;		  /* of each buffer, nanoseconds */
	uint64_t interrupt_delay; /* nanoseconds */
};

/**
 * pace_order_name(), pace_interrupt_name() - stable names for options, control and events
 * @order, @interrupt: value
 *
 * Return: "in", "reversed", "shuffled"; "normal", "never", "late", "spurious"; "unknown".
 */
const char *pace_order_name(enum pace_order order);
const char *pace_interrupt_name(enum pace_interrupt interrupt);

/**
 * remote_pace() - pace a queue from now on
 * @remote: remote, with a host or without
 * @queue: virtqueue number
 * @pace: copied
 *
 * What waits for a delay or an interrupt that is taken away goes on at once.
 *
 * Return: 0; -EINVAL for a queue or a value that does not exist; -ERANGE for a delay above
 * PACE_MAX_DELAY or a batch above the largest queue.
 */
int remote_pace(struct remote *remote, unsigned int queue, const struct pace *pace);

/**
 * remote_get_pace() - how a queue is paced
 * @remote: remote
 * @queue: virtqueue number, valid
 *
 * Return: pace, valid as long as the remote.
 */
const struct pace *remote_get_pace(const struct remote *remote, unsigned int queue);

#endif /* REMOTE_PACING_H */
