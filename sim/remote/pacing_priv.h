/* SPDX-License-Identifier: BSD-2-Clause */
/* What pacing is to the rest of the remote. Inside the remote only. */
#ifndef REMOTE_PACING_PRIV_H
#define REMOTE_PACING_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "remote/pacing.h"
#include "wire/random.h"

struct remote;

/* Streams of random numbers, one a use. */
#define RANDOM_PACE_0 1 /* and 2 for queue 1 */

#define NO_SLOT UINT32_MAX

/* A buffer that waits to go back, at the place of its head. */
struct returning {
	uint64_t due;
	uint32_t used_len;
	uint32_t next; /* head, or NO_SLOT */
};

/* First in, first out, through struct returning. */
struct return_list {
	uint32_t first, last; /* heads; NO_SLOT while empty */
	uint32_t count;
};

/* How a queue is paced. Each head is in one of the lists, or staged, or in none. */
struct pacing {
	struct pace pace;
	struct random random;
	bool on;	    /* buffers come here before they go back */
	bool calls_on;	    /* calls are decided here */
	uint32_t hold_next; /* buffers still to be held of a count */
	uint32_t every_count;
	struct returning *slots;    /* one an entry of the largest queue */
	struct return_list held;    /* until released */
	struct return_list delayed; /* until their time has come */
	uint16_t *staged;	    /* as many heads, which go back with this turn */
	uint32_t staged_count;
	uint64_t last_due;
	bool call_wanted;
	uint32_t since_call;  /* buffers published since the last call */
	uint64_t call_at;     /* REMOTE_NO_DEADLINE: no call is due */
	uint64_t spurious_at; /* the same */
};

/**
 * pacing_init(), pacing_fini() - make a queue that is not paced; free it
 * @pacing: result
 * @entries: of the largest queue
 * @seed: of what is random
 * @stream: its number
 *
 * Return: 0 or -ENOMEM.
 */
int pacing_init(struct pacing *pacing, uint32_t entries, uint64_t seed, uint64_t stream);
void pacing_fini(struct pacing *pacing);

/**
 * pacing_start() - a session begins: nothing is kept yet
 * @remote: attached remote
 */
void pacing_start(struct remote *remote);

/**
 * pacing_take() - a buffer is done with, on a queue that is paced
 * @remote: attached remote
 * @index: queue
 * @head: head of the popped chain
 * @used_len: bytes written into it
 */
void pacing_take(struct remote *remote, unsigned int index, uint16_t head, uint32_t used_len);

/**
 * pacing_stage() - put what goes back with this turn into the used ring
 * @remote: attached remote
 * @index: queue
 */
void pacing_stage(struct remote *remote, unsigned int index);

/**
 * pacing_call() - buffers were published: call the host, now or later
 * @remote: attached remote
 * @index: queue
 * @count: buffers
 * @wanted: the host wants to be called for them
 */
void pacing_call(struct remote *remote, unsigned int index, uint32_t count, bool wanted);

/**
 * pacing_run() - do what its time has come for
 * @remote: attached remote
 * @now: time
 *
 * Return: buffers that went back.
 */
uint32_t pacing_run(struct remote *remote, uint64_t now);

/**
 * pacing_deadline() - when pacing_run() has something to do
 * @remote: remote
 *
 * Return: time, or REMOTE_NO_DEADLINE.
 */
uint64_t pacing_deadline(const struct remote *remote);

/**
 * pacing_release() - let buffers that are held go back, oldest first
 * @remote: attached remote
 * @index: queue
 * @count: at the most
 *
 * Return: how many.
 */
uint32_t pacing_release(struct remote *remote, unsigned int index, uint32_t count);

/**
 * pacing_end() - the session ends: give back whatever is kept, now
 * @remote: attached remote
 */
void pacing_end(struct remote *remote);

/**
 * pacing_forget() - forget whatever is kept; its buffers never go back
 * @remote: remote
 * @index: queue
 */
void pacing_forget(struct remote *remote, unsigned int index);

/**
 * pacing_update() - what is held or paced has changed
 * @remote: remote
 * @index: queue
 */
void pacing_update(struct remote *remote, unsigned int index);

#endif /* REMOTE_PACING_PRIV_H */
