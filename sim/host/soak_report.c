/* SPDX-License-Identifier: BSD-2-Clause */
/* rpmsg-host soak: progress, ends of sessions and the summary, for people and as JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "host/soak.h"

static const char *const end_names[SOAK_END_COUNT] = {
	[SOAK_FINISHED] = "finished", [SOAK_RECONNECT] = "reconnect", [SOAK_RESET] = "reset",
	[SOAK_DROP] = "drop",	      [SOAK_LOST] = "lost",	      [SOAK_STALLED] = "stalled",
	[SOAK_BROKEN] = "broken",
};

uint64_t soak_messages(const struct soak_result *result)
{
	return result->echo.sent + result->echo.received + result->source.received;
}

static bool counts_are_wrong(const struct soak_counts *counts)
{
	return (counts->lost | counts->doubled | counts->reordered | counts->damaged) != 0;
}

bool soak_failed(const struct soak_result *result)
{
	return counts_are_wrong(&result->echo) || counts_are_wrong(&result->source) ||
	       result->ends[SOAK_STALLED] != 0 || result->ends[SOAK_BROKEN] != 0;
}

static json_t *counts_object(const struct soak_counts *counts)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "sent",
			 (json_int_t)counts->sent, "received", (json_int_t)counts->received, "lost",
			 (json_int_t)counts->lost, "doubled", (json_int_t)counts->doubled,
			 "reordered", (json_int_t)counts->reordered, "damaged",
			 (json_int_t)counts->damaged, "late", (json_int_t)counts->late, "in_flight",
			 (json_int_t)counts->in_flight);
}

static double percentile_us(const struct soak_result *result, uint32_t per_mille)
{
	return (double)histogram_percentile(&result->latency, per_mille) / 1e3;
}

static json_t *result_object(const struct soak_result *result, double seconds)
{
	json_t *ends = json_object();

	for (enum soak_end end = 0; end < SOAK_END_COUNT; end++)
		json_object_set_new(ends, end_names[end],
				    json_integer((json_int_t)result->ends[end]));
	return json_pack("{s:f, s:I, s:I, s:o, s:o, s:o, s:{s:f, s:f, s:f, s:f}}", "seconds",
			 seconds, "messages", (json_int_t)soak_messages(result), "sessions",
			 (json_int_t)result->sessions, "ends", ends, "echo",
			 counts_object(&result->echo), "source", counts_object(&result->source),
			 "latency_us", "p50", percentile_us(result, 500), "p99",
			 percentile_us(result, 990), "p99.9", percentile_us(result, 999), "max",
			 percentile_us(result, 1000));
}

void soak_print_progress(const struct session *session, const struct soak_result *result,
			 double seconds)
{
	const struct soak_counts *echo = &result->echo, *source = &result->source;
	json_t *object;

	if (session->options->json) {
		object = result_object(result, seconds);
		json_object_set_new(object, "type", json_string("progress"));
		session_print(object);
		return;
	}
	printf("%.0f s: session %" PRIu64 ", %" PRIu64 " messages, %.0f a second; lost %" PRIu64
	       ", doubled %" PRIu64 ", reordered %" PRIu64 ", damaged %" PRIu64 ", late %" PRIu64
	       "; in flight at breaks %" PRIu64 "\n",
	       seconds, result->sessions, soak_messages(result),
	       seconds > 0 ? (double)soak_messages(result) / seconds : 0, echo->lost + source->lost,
	       echo->doubled + source->doubled, echo->reordered + source->reordered,
	       echo->damaged + source->damaged, echo->late, echo->in_flight);
}

void soak_print_begin(const struct session *session, const struct soak_result *result)
{
	if (session->options->json)
		session_print(json_pack("{s:s, s:I}", "type", "begin", "number",
					(json_int_t)result->sessions));
}

void soak_print_end(const struct session *session, const struct soak_result *result,
		    enum soak_end end, uint64_t in_flight)
{
	if (session->options->json)
		session_print(json_pack("{s:s, s:I, s:s, s:I}", "type", "session", "number",
					(json_int_t)result->sessions, "end", end_names[end],
					"in_flight", (json_int_t)in_flight));
	else if (end != SOAK_FINISHED)
		printf("session %" PRIu64 ": %s, %" PRIu64 " in flight\n", result->sessions,
		       end_names[end], in_flight);
}

void soak_print_summary(const struct session *session, const struct soak_result *result,
			double seconds)
{
	json_t *summary;

	if (session->options->json) {
		summary = session_summary(session);
		json_object_update_new(summary, result_object(result, seconds));
		session_print(summary);
		return;
	}
	soak_print_progress(session, result, seconds);
	printf("  latency    p50 %.2f, p99 %.2f, p99.9 %.2f, max %.2f us\n",
	       percentile_us(result, 500), percentile_us(result, 990), percentile_us(result, 999),
	       percentile_us(result, 1000));
	printf("  sessions   %" PRIu64, result->sessions);
	for (enum soak_end end = 0; end < SOAK_END_COUNT; end++) {
		if (result->ends[end] != 0)
			printf(", %s %" PRIu64, end_names[end], result->ends[end]);
	}
	printf("\n");
	session_print_findings(session);
}
