/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations of a session (common/session_ops.h) on a back-end that is another process: what
 * targets/session.c does in this one, over outside/line.h. Those of the remote's owner mean
 * nothing here and are left out.
 *
 * While the front-end and the guest do nothing wrong, what the remote does is judged by the rules
 * that rpmsg-host knows (host/finding.h).
 */
#ifndef FUZZ_OUTSIDE_FAR_H
#define FUZZ_OUTSIDE_FAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/oplist.h"
#include "common/session_ops.h"
#include "outside/line.h"
#include "virtio/drvq.h"
#include "wire/rpmsg.h"

#define FAR_KNOWN 16 /* addresses that the remote announced */

/* A rule that the remote broke. */
struct far_breach {
	const char *name; /* NULL: none */
	const char *requirement;
	char text[160];
};

struct far_buffer {
	uint32_t size;
	uint16_t index;
	bool out;
	uint8_t copy[STATION_BUFFER_SIZE]; /* of what the remote may only read */
};

struct far_queue {
	struct drvq dq;
	uint32_t num;
	struct far_buffer buffers[STATION_MAX_ENTRIES];
};

struct far {
	struct line line;
	struct far_queue queues[RPMSG_NUM_QUEUES];
	uint64_t features;
	bool fresh;  /* there is a connection that no operation has asked for yet */
	bool ready;  /* rings are handed over */
	bool lies;   /* the guest's memory is not what its bookkeeping says */
	bool guilty; /* the host sent what it may not */
	struct far_breach breach;
	uint32_t known[FAR_KNOWN]; /* kept from one run to the next */
	unsigned int known_count;
};

/* What became of a run. */
struct far_outcome {
	enum line_state state;
	bool listening;	 /* somebody took the last connection */
	unsigned int op; /* operation during which it was noticed; the count of them: afterwards */
	struct far_breach breach;
};

/**
 * far_init() - no run yet
 * @far: set
 * @victim: who is attacked
 * @limit_ms: how long a new connection may take to be answered
 *
 * Return: 0, or negative errno.
 */
int far_init(struct far *far, struct victim *victim, int limit_ms);

/**
 * far_fini() - give everything back
 * @far: far end
 */
void far_fini(struct far *far);

/**
 * far_greet() - have a connection ready for a run
 * @far: far end
 * @limit_ms: how long that may take
 *
 * Return: how it went.
 */
enum line_state far_greet(struct far *far, int limit_ms);

/**
 * far_run() - carry out a list, on a connection that is ready, and get the next one ready
 * @far: far end after far_greet() or a run that went well
 * @list: operations
 * @outcome: set
 *
 * What was seen is in far->line.trace.
 */
void far_run(struct far *far, const struct oplist *list, struct far_outcome *outcome);

#endif /* FUZZ_OUTSIDE_FAR_H */
