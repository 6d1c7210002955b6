/* SPDX-License-Identifier: BSD-2-Clause */
/* rpmsg-host soak: what it has counted, and how that is told. */
#ifndef HOST_SOAK_H
#define HOST_SOAK_H

#include <stdint.h>

#include "host/histogram.h"
#include "host/session.h"

/* How a session ended. */
enum soak_end {
	SOAK_FINISHED,	/* the run is over: all answers were waited for */
	SOAK_RECONNECT, /* asked for: all answers were waited for, then a new connection */
	SOAK_RESET,	/* asked for: the device was reset in the midst of the traffic */
	SOAK_DROP,	/* asked for: the connection was closed without a word */
	SOAK_LOST,	/* the remote ended the connection */
	SOAK_STALLED,	/* the remote went on no more */
	SOAK_BROKEN,	/* the remote broke a ring */
	SOAK_END_COUNT,
};

/*
 * Numbered messages of one stream. received counts each number once; lost are those that can
 * not be explained: gaps, and what was missing although it was waited for.
 */
struct soak_counts {
	uint64_t sent, received;
	uint64_t lost, doubled, reordered, damaged, late;
	uint64_t in_flight; /* not known to have arrived when a session was broken off */
};

struct soak_result {
	uint64_t sessions;	       /* that traffic went through */
	uint64_t ends[SOAK_END_COUNT]; /* of those that are over */
	struct soak_counts echo;       /* to a service that echoes, and back */
	struct soak_counts source;     /* from a service that sends by itself */
	struct histogram latency;      /* of the echoes */
};

/**
 * soak_messages() - messages that went over the link, either way
 * @result: counts
 *
 * Return: messages that were sent, and those that arrived.
 */
uint64_t soak_messages(const struct soak_result *result);

/**
 * soak_failed() - is something wrong with the counts
 * @result: counts
 *
 * Return: true when messages were lost, doubled, reordered or damaged, or a session ended
 * although nobody broke it.
 */
bool soak_failed(const struct soak_result *result);

/**
 * soak_print_progress() - how far it has come, one line
 * @session: session
 * @result: counts until now
 * @seconds: since the beginning
 */
void soak_print_progress(const struct session *session, const struct soak_result *result,
			 double seconds);

/**
 * soak_print_begin() - a session began: one line in JSON, nothing for people
 * @session: session
 * @result: counts until now
 */
void soak_print_begin(const struct session *session, const struct soak_result *result);

/**
 * soak_print_end() - a session that ended, one line
 * @session: session
 * @result: counts, that session included
 * @end: how it ended
 * @in_flight: messages that were on their way
 */
void soak_print_end(const struct session *session, const struct soak_result *result,
		    enum soak_end end, uint64_t in_flight);

/**
 * soak_print_summary() - the counts at the end
 * @session: session
 * @result: counts
 * @seconds: since the beginning
 */
void soak_print_summary(const struct session *session, const struct soak_result *result,
			double seconds);

#endif /* HOST_SOAK_H */
