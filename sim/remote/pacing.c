/* SPDX-License-Identifier: BSD-2-Clause */
/* When buffers go back to the host, in which order, and when it is called for them. */
#include "remote/remote_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *pace_order_name(enum pace_order order)
{
	static const char *const names[PACE_ORDER_COUNT] = {
		[PACE_IN_ORDER] = "in",
		[PACE_REVERSED] = "reversed",
		[PACE_SHUFFLED] = "shuffled",
	};

	return (unsigned int)order < PACE_ORDER_COUNT ? names[order] : "unknown";
}

const char *pace_interrupt_name(enum pace_interrupt interrupt)
{
	static const char *const names[PACE_CALL_COUNT] = {
		[PACE_CALL_NORMAL] = "normal",
		[PACE_CALL_NEVER] = "never",
		[PACE_CALL_LATE] = "late",
		[PACE_CALL_SPURIOUS] = "spurious",
	};

	return (unsigned int)interrupt < PACE_CALL_COUNT ? names[interrupt] : "unknown";
}

/* ---- lists of heads ----------------------------------------------------------------------- */

static void list_clear(struct return_list *list)
{
	*list = (struct return_list){.first = NO_SLOT, .last = NO_SLOT};
}

static void append(struct pacing *pacing, struct return_list *list, uint16_t head,
		   uint32_t used_len, uint64_t due)
{
	pacing->slots[head] = (struct returning){.due = due, .used_len = used_len, .next = NO_SLOT};
	if (list->count == 0)
		list->first = head;
	else
		pacing->slots[list->last].next = head;
	list->last = head;
	list->count++;
}

static uint16_t take_first(struct pacing *pacing, struct return_list *list)
{
	uint16_t head = (uint16_t)list->first;

	list->first = pacing->slots[head].next;
	list->count--;
	return head;
}

/* ---- life --------------------------------------------------------------------------------- */

int pacing_init(struct pacing *pacing, uint32_t entries, uint64_t seed, uint64_t stream)
{
	random_init(&pacing->random, seed, stream);
	list_clear(&pacing->held);
	list_clear(&pacing->delayed);
	pacing->call_at = REMOTE_NO_DEADLINE;
	pacing->spurious_at = REMOTE_NO_DEADLINE;
	pacing->slots = malloc(entries * sizeof(*pacing->slots));
	pacing->staged = malloc(entries * sizeof(*pacing->staged));
	return pacing->slots != NULL && pacing->staged != NULL ? 0 : -ENOMEM;
}

void pacing_fini(struct pacing *pacing)
{
	free(pacing->slots);
	free(pacing->staged);
}

static void count_held(struct remote *remote, unsigned int index)
{
	remote->stats.queues[index].held = remote->queues[index].pacing.held.count;
}

void pacing_forget(struct remote *remote, unsigned int index)
{
	struct pacing *pacing = &remote->queues[index].pacing;

	list_clear(&pacing->held);
	list_clear(&pacing->delayed);
	pacing->staged_count = 0;
	pacing->last_due = 0;
	pacing->call_wanted = false;
	pacing->since_call = 0;
	pacing->call_at = REMOTE_NO_DEADLINE;
	remote->queues[index].astray = false;
	count_held(remote, index);
}

static void start_spurious(struct remote *remote, struct pacing *pacing)
{
	pacing->spurious_at = REMOTE_NO_DEADLINE;
	if (pacing->pace.interrupt == PACE_CALL_SPURIOUS && pacing->pace.interrupt_delay != 0)
		pacing->spurious_at = remote->ops->now(remote->ctx) + pacing->pace.interrupt_delay;
}

void pacing_start(struct remote *remote)
{
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		struct pacing *pacing = &remote->queues[i].pacing;

		pacing_forget(remote, i);
		pacing->every_count = 0;
		start_spurious(remote, pacing);
	}
}

void pacing_update(struct remote *remote, unsigned int index)
{
	struct remote_queue *queue = &remote->queues[index];
	const struct pace *pace = &queue->pacing.pace;

	queue->pacing.on = pace->every != 0 || pace->delay != 0 || pace->order != PACE_IN_ORDER ||
			   queue->pacing.hold_next != 0 ||
			   (queue->holding && index == RPMSG_QUEUE_OUTPUT);
	queue->pacing.calls_on = pace->interrupt != PACE_CALL_NORMAL || pace->batch > 1;
}

/* ---- buffers ------------------------------------------------------------------------------ */

static bool is_to_be_held(struct remote *remote, unsigned int index)
{
	struct remote_queue *queue = &remote->queues[index];
	struct pacing *pacing = &queue->pacing;

	if (pacing->hold_next != 0) {
		if (--pacing->hold_next == 0)
			pacing_update(remote, index);
		return true;
	}
	if (pacing->pace.every != 0 && ++pacing->every_count >= pacing->pace.every) {
		pacing->every_count = 0;
		return true;
	}
	return queue->holding && index == RPMSG_QUEUE_OUTPUT;
}

/* With this turn, or at once where the order makes no difference. */
static void go_back_now(struct remote *remote, unsigned int index, uint16_t head, uint32_t used_len)
{
	struct pacing *pacing = &remote->queues[index].pacing;

	if (pacing->pace.order == PACE_IN_ORDER) {
		queue_push(remote, index, head, used_len);
		return;
	}
	pacing->slots[head].used_len = used_len;
	pacing->staged[pacing->staged_count++] = head;
}

static void go_back(struct remote *remote, unsigned int index, uint16_t head, uint32_t used_len)
{
	struct pacing *pacing = &remote->queues[index].pacing;
	uint64_t due;

	if (pacing->pace.delay == 0) {
		go_back_now(remote, index, head, used_len);
		return;
	}
	due = remote->ops->now(remote->ctx) + pacing->pace.delay;
	if (due < pacing->last_due)
		due = pacing->last_due;
	pacing->last_due = due;
	append(pacing, &pacing->delayed, head, used_len, due);
}

void pacing_take(struct remote *remote, unsigned int index, uint16_t head, uint32_t used_len)
{
	struct pacing *pacing = &remote->queues[index].pacing;

	if (!is_to_be_held(remote, index)) {
		go_back(remote, index, head, used_len);
		return;
	}
	append(pacing, &pacing->held, head, used_len, 0);
	count_held(remote, index);
}

uint32_t pacing_release(struct remote *remote, unsigned int index, uint32_t count)
{
	struct pacing *pacing = &remote->queues[index].pacing;
	uint32_t released = 0;

	for (; released < count && pacing->held.count != 0; released++) {
		uint16_t head = take_first(pacing, &pacing->held);

		go_back(remote, index, head, pacing->slots[head].used_len);
	}
	count_held(remote, index);
	return released;
}

static void swap_staged(struct pacing *pacing, uint32_t a, uint32_t b)
{
	uint16_t head = pacing->staged[a];

	pacing->staged[a] = pacing->staged[b];
	pacing->staged[b] = head;
}

void pacing_stage(struct remote *remote, unsigned int index)
{
	struct pacing *pacing = &remote->queues[index].pacing;
	uint32_t count = pacing->staged_count;

	if (pacing->pace.order == PACE_REVERSED) {
		for (uint32_t i = 0; i < count / 2; i++)
			swap_staged(pacing, i, count - 1 - i);
	} else if (pacing->pace.order == PACE_SHUFFLED) {
		for (uint32_t i = count; i > 1; i--)
			swap_staged(pacing, i - 1, random_below(&pacing->random, i));
	}
	pacing->staged_count = 0;
	for (uint32_t i = 0; i < count; i++)
		queue_push(remote, index, pacing->staged[i],
			   pacing->slots[pacing->staged[i]].used_len);
}

static uint32_t run_delayed(struct remote *remote, unsigned int index, uint64_t now)
{
	struct pacing *pacing = &remote->queues[index].pacing;
	uint32_t count = 0;

	for (; pacing->delayed.count != 0 && pacing->slots[pacing->delayed.first].due <= now;
	     count++) {
		uint16_t head = take_first(pacing, &pacing->delayed);

		go_back_now(remote, index, head, pacing->slots[head].used_len);
	}
	return count;
}

void pacing_end(struct remote *remote)
{
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		struct pacing *pacing = &remote->queues[i].pacing;

		run_delayed(remote, i, REMOTE_NO_DEADLINE);
		while (pacing->held.count != 0) {
			uint16_t head = take_first(pacing, &pacing->held);

			go_back_now(remote, i, head, pacing->slots[head].used_len);
		}
		if (pacing->staged_count != 0)
			pacing_stage(remote, i);
		if (remote->queues[i].astray)
			fault_put_astray(remote, i);
		count_held(remote, i);
	}
}

/* ---- calls -------------------------------------------------------------------------------- */

static void call(struct remote *remote, unsigned int index)
{
	remote->stats.queues[index].calls++;
	remote->ops->call(remote->ctx, index);
}

static void call_for_all(struct remote *remote, unsigned int index)
{
	struct pacing *pacing = &remote->queues[index].pacing;

	pacing->call_wanted = false;
	pacing->since_call = 0;
	pacing->call_at = REMOTE_NO_DEADLINE;
	call(remote, index);
	if (pacing->pace.interrupt == PACE_CALL_SPURIOUS && pacing->pace.interrupt_delay == 0)
		call(remote, index);
}

void pacing_call(struct remote *remote, unsigned int index, uint32_t count, bool wanted)
{
	struct pacing *pacing = &remote->queues[index].pacing;
	const struct pace *pace = &pacing->pace;
	bool wait;

	if (pace->interrupt == PACE_CALL_NEVER)
		return;
	pacing->since_call += count;
	pacing->call_wanted |= wanted;
	if (!pacing->call_wanted)
		return;
	if (pace->batch > 1)
		wait = pacing->since_call < pace->batch;
	else
		wait = pace->interrupt == PACE_CALL_LATE;
	if (!wait)
		call_for_all(remote, index);
	else if (pacing->call_at == REMOTE_NO_DEADLINE && pace->interrupt_delay != 0 &&
		 pace->interrupt != PACE_CALL_SPURIOUS)
		pacing->call_at = remote->ops->now(remote->ctx) + pace->interrupt_delay;
}

static void run_calls(struct remote *remote, unsigned int index, uint64_t now)
{
	struct pacing *pacing = &remote->queues[index].pacing;

	if (pacing->call_at <= now)
		call_for_all(remote, index);
	if (pacing->spurious_at > now)
		return;
	/* One that comes late comes once. */
	pacing->spurious_at += pacing->pace.interrupt_delay;
	if (pacing->spurious_at <= now)
		pacing->spurious_at = now + pacing->pace.interrupt_delay;
	call(remote, index);
}

/* ---- time --------------------------------------------------------------------------------- */

uint32_t pacing_run(struct remote *remote, uint64_t now)
{
	uint32_t count = 0;

	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		count += run_delayed(remote, i, now);
		run_calls(remote, i, now);
	}
	return count;
}

uint64_t pacing_deadline(const struct remote *remote)
{
	uint64_t deadline = REMOTE_NO_DEADLINE;

	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++) {
		const struct pacing *pacing = &remote->queues[i].pacing;

		if (!pacing->on && !pacing->calls_on)
			continue;
		if (pacing->delayed.count != 0 &&
		    pacing->slots[pacing->delayed.first].due < deadline)
			deadline = pacing->slots[pacing->delayed.first].due;
		if (pacing->call_at < deadline)
			deadline = pacing->call_at;
		if (pacing->spurious_at < deadline)
			deadline = pacing->spurious_at;
	}
	return deadline;
}

/* ---- settings ----------------------------------------------------------------------------- */

/* What waited for a time that is none any more. */
static void catch_up(struct remote *remote, unsigned int index)
{
	struct pacing *pacing = &remote->queues[index].pacing;
	bool wanted = pacing->call_wanted;

	if (pacing->pace.delay == 0) {
		run_delayed(remote, index, REMOTE_NO_DEADLINE);
		pacing->last_due = 0;
	}
	pacing->call_wanted = false;
	pacing->since_call = 0;
	pacing->call_at = REMOTE_NO_DEADLINE;
	if (wanted && pacing->pace.interrupt != PACE_CALL_NEVER)
		call(remote, index);
	start_spurious(remote, pacing);
}

int remote_pace(struct remote *remote, unsigned int queue, const struct pace *pace)
{
	struct pacing *pacing;

	if (queue >= RPMSG_NUM_QUEUES || (unsigned int)pace->order >= PACE_ORDER_COUNT ||
	    (unsigned int)pace->interrupt >= PACE_CALL_COUNT)
		return -EINVAL;
	if (pace->delay > PACE_MAX_DELAY || pace->interrupt_delay > PACE_MAX_DELAY ||
	    pace->batch > VRING_MAX_SIZE)
		return -ERANGE;

	pacing = &remote->queues[queue].pacing;
	if (remote->attached)
		pacing_stage(remote, queue);
	pacing->pace = *pace;
	pacing->every_count = 0;
	pacing_update(remote, queue);
	if (remote->attached) {
		catch_up(remote, queue);
		remote_finish_request(remote);
	}
	return 0;
}

const struct pace *remote_get_pace(const struct remote *remote, unsigned int queue)
{
	return &remote->queues[queue].pacing.pace;
}
