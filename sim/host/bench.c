/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpmsg-host bench: round trips, and one way in either direction. In the loops there is no
 * heap, no look at the clock that is not needed, and no system call while both sides have work.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "host/histogram.h"
#include "host/payload.h"
#include "host/sequence.h"
#include "host/session.h"

#define TIMES VRING_MAX_SIZE /* as many messages as can be on their way */
#define SINK_BATCH 32U

struct bench {
	struct session *session;
	struct host *host;
	uint32_t src, batch, window, size;
	uint64_t limit; /* messages, UINT64_MAX: none */
	uint64_t sent, damaged, answered;
	uint64_t start, end;   /* end: when the last one arrived */
	uint64_t turn_time;    /* when this turn took its first message, 0: not yet */
	bool short_of_buffers; /* and host_wait() told so */
	struct sequence sequence;
	struct histogram latency;
	uint64_t times[TIMES]; /* when a number was sent */
};

static struct bench bench;

/* receiving */

static void damaged(const struct host_message *message)
{
	bench.damaged++;
	host_find(bench.host, FINDING_PAYLOAD, message->desc_id, bench.size, message->hdr.len);
}

/* One look at the clock for all that arrives at once. */
static uint64_t arrival_time(void)
{
	if (bench.turn_time == 0)
		bench.turn_time = host_now();
	return bench.turn_time;
}

static void on_echo(void *ctx, const struct host_message *message)
{
	uint64_t number, now = arrival_time();

	if (message->hdr.src != bench.session->target)
		host_find(bench.host, FINDING_SRC_OTHER, message->desc_id, bench.session->target,
			  message->hdr.src);
	if (message->hdr.len != bench.size ||
	    !payload_check(message->payload, message->hdr.len, 0, &number)) {
		damaged(message);
		return;
	}
	switch (sequence_note(&bench.sequence, number, bench.sent)) {
	case SEQUENCE_NEW:
	case SEQUENCE_LATE:
		/* Older than all that can be on their way: its time was overwritten. */
		if (bench.sent - number <= TIMES)
			histogram_add(&bench.latency, now - bench.times[number % TIMES]);
		break;
	case SEQUENCE_IMPOSSIBLE:
		damaged(message);
		break;
	case SEQUENCE_DUPLICATE:
		break;
	}
}

static void on_source(void *ctx, const struct host_message *message)
{
	uint64_t number;

	if (message->hdr.len < PAYLOAD_NUMBER_SIZE ||
	    !payload_check(message->payload, message->hdr.len, 0, &number)) {
		damaged(message);
		return;
	}
	bench.end = arrival_time();
	if (bench.sequence.received == 0) {
		bench.start = bench.end;
		bench.size = message->hdr.len;
		sequence_init(&bench.sequence, number);
	}
	if (bench.sequence.received < bench.limit)
		sequence_note(&bench.sequence, number, UINT64_MAX);
}

/* A sink answers nothing: whatever else is behind the name takes time for it. */
static void on_answer(void *ctx, const struct host_message *message)
{
	bench.answered += message->hdr.src == bench.session->target;
}

/* sending */

/* Return: messages put into the ring, fewer than @count when buffers ran out; -1: it is over. */
static int send_batch(uint32_t count, uint64_t now)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		uint8_t *payload = host_begin(bench.host, bench.size);

		if (!payload)
			break;
		payload_fill(payload, bench.size, bench.sent);
		bench.times[bench.sent % TIMES] = now;
		if (host_commit(bench.host, bench.src, bench.session->target, bench.size) < 0)
			break;
		bench.sent++;
	}
	if (bench.host->failed || host_flush(bench.host) < 0) {
		session_fail(bench.session, "%s", host_error(bench.host));
		return -1;
	}
	return (int)i;
}

static uint32_t batch_left(void)
{
	uint64_t left = bench.limit - bench.sent;

	return left < bench.batch ? (uint32_t)left : bench.batch;
}

/* Return: 1: something came, or may have; 0: nothing until the deadline; -1: it is over. */
static int take(uint64_t deadline)
{
	int ret;

	bench.turn_time = 0;
	ret = host_turn(bench.host);
	if (ret == 0)
		ret = host_wait(bench.host, deadline);
	if (ret == -EINTR)
		return 1;
	if (ret < 0) {
		session_fail(bench.session, "%s", host_error(bench.host));
		return -1;
	}
	return ret > 0;
}

/* How far a run has come when nothing comes any more. */
static void stalled(const char *what)
{
	session_fail(bench.session, "%s for %.3g s: given up", what,
		     (double)bench.session->options->timeout / 1e9);
}

/* As many whole batches as the window has room for. Return: false when it is over. */
static bool fill_window(uint64_t received, uint64_t now)
{
	uint32_t count;

	while ((count = batch_left()) != 0 && bench.sent - received + count <= bench.window) {
		int sent = send_batch(count, now);

		if (sent < 0)
			return false;
		/* The answer may come before the buffer of the question does. */
		if (bench.short_of_buffers != ((uint32_t)sent < count)) {
			bench.short_of_buffers = !bench.short_of_buffers;
			host_wait_returned(bench.host, bench.short_of_buffers);
		}
		if (bench.short_of_buffers)
			break;
	}
	return true;
}

static void run_echo(void)
{
	const struct options *options = bench.session->options;
	uint64_t stop = options->duration ? bench.start + options->duration : HOST_NO_DEADLINE;
	uint64_t now = bench.start, progress = now, received = 0;
	bool sending = true;

	for (;;) {
		if (sending &&
		    (now >= stop || bench.sent == bench.limit || session_stopped(bench.session)))
			sending = false;
		if (!sending && (bench.sent == received || session_stopped(bench.session)))
			break;
		if (sending && !fill_window(received, now))
			break;
		if (take(progress + options->timeout) < 0)
			break;
		if (bench.sequence.received != received) {
			received = bench.sequence.received;
			now = progress = bench.turn_time;
		} else if (!bench.host->options.poll || bench.host->idle_turns == 0) {
			now = host_now();
			if (now >= progress + options->timeout) {
				stalled("the remote answered nothing");
				break;
			}
		}
	}
	bench.end = progress;
}

/* Have as many buffers back as a batch takes. Return: false when it is over. */
static bool wait_room(uint32_t most, uint64_t *progress)
{
	struct host *host = bench.host;
	uint64_t returned = host->stats.returned;
	bool waiting = false;

	while (host_outstanding(host) > most) {
		if (host_turn(host) < 0) {
			session_fail(bench.session, "%s", host_error(host));
			return false;
		}
		if (host->stats.returned != returned) {
			returned = host->stats.returned;
			waiting = false;
			host_wait_returned(host, 0);
			continue;
		}
		if (session_stopped(bench.session))
			return false;
		if (!waiting) {
			/* The end of all that have to come: one interrupt, not one for each. */
			host_wait_returned(host, host_outstanding(host) - most);
			*progress = host_now();
			waiting = true;
			continue;
		}
		if (take(*progress + bench.session->options->timeout) < 0)
			return false;
		if (host->stats.returned == returned &&
		    (!host->options.poll || host->idle_turns == 0) &&
		    host_now() >= *progress + bench.session->options->timeout) {
			stalled("the remote returned no send buffer");
			return false;
		}
	}
	if (waiting)
		host_wait_returned(host, 0);
	return true;
}

static void run_sink(void)
{
	const struct options *options = bench.session->options;
	uint64_t stop = options->duration ? bench.start + options->duration : HOST_NO_DEADLINE;
	uint64_t progress = bench.start;

	while (bench.sent < bench.limit && !session_stopped(bench.session) && host_now() < stop) {
		uint32_t count = batch_left();

		/* A window of several batches: wait for half of it, so that both sides have work.
		 */
		if (host_outstanding(bench.host) + count > bench.window) {
			if (host_turn(bench.host) < 0) {
				session_fail(bench.session, "%s", host_error(bench.host));
				break;
			}
			if (host_outstanding(bench.host) + count > bench.window &&
			    !wait_room((bench.window - count) / 2, &progress))
				break;
		}
		if (send_batch(count, 0) < 0)
			break;
	}
	if (!bench.host->failed)
		wait_room(0, &progress);
	bench.end = host_now();
}

static void run_source(void)
{
	const struct options *options = bench.session->options;
	uint64_t stop = options->duration ? bench.start + options->duration : HOST_NO_DEADLINE;
	uint64_t now = bench.start, progress = now, received = 0;
	uint64_t until;

	/* A source sends to whoever has sent it something. */
	bench.size = PAYLOAD_NUMBER_SIZE;
	if (send_batch(1, now) < 0)
		return;
	while (now < stop && bench.sequence.received < bench.limit &&
	       !session_stopped(bench.session)) {
		until = progress + options->timeout;
		if (take(until < stop ? until : stop) < 0)
			return;
		if (bench.sequence.received != received) {
			received = bench.sequence.received;
			now = progress = bench.turn_time;
		} else if (!bench.host->options.poll || bench.host->idle_turns == 0) {
			now = host_now();
			if (now >= until && now < stop) {
				stalled("nothing arrived");
				return;
			}
		}
	}
}

/* results */

struct result {
	uint64_t messages, lost;
	double seconds, rate;
};

static struct result make_result(void)
{
	const struct sequence *sequence = &bench.sequence;
	uint64_t missing = host_outstanding(bench.host), counted;
	struct result result = {0};

	switch (bench.session->options->mode) {
	case BENCH_ECHO:
		result.messages = sequence->received;
		result.lost = sequence_lost(sequence, bench.sent);
		break;
	case BENCH_SINK:
		result.lost = missing < bench.sent ? missing : bench.sent;
		result.messages = bench.sent - result.lost;
		break;
	case BENCH_SOURCE:
		result.messages = sequence->received;
		result.lost = sequence_lost(sequence, sequence->next);
		break;
	}
	/* The clock of a source starts with its first message. */
	counted = result.messages;
	if (bench.session->options->mode == BENCH_SOURCE && counted != 0)
		counted--;
	result.seconds = bench.end > bench.start ? (double)(bench.end - bench.start) / 1e9 : 0;
	result.rate = result.seconds > 0 ? (double)counted / result.seconds : 0;
	return result;
}

static const char *mode_name(void)
{
	static const char *const names[] = {
		[BENCH_ECHO] = "echo", [BENCH_SINK] = "sink", [BENCH_SOURCE] = "source"};

	return names[bench.session->options->mode];
}

static double percentile_us(uint32_t per_mille)
{
	return (double)histogram_percentile(&bench.latency, per_mille) / 1e3;
}

static void print_result_json(const struct session *session, const struct result *result)
{
	const struct frontend_queue *queues = session->host.fe.queues;
	uint64_t kicks = queues[0].kicks + queues[1].kicks;
	uint64_t calls = queues[0].calls + queues[1].calls;
	json_t *summary = session_summary(session);
	json_t *latency = json_null();

	if (bench.latency.total != 0)
		latency = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "min",
				    (double)bench.latency.min / 1e3, "avg",
				    (double)bench.latency.sum / (double)bench.latency.total / 1e3,
				    "p50", percentile_us(500), "p90", percentile_us(900), "p99",
				    percentile_us(990), "p99.9", percentile_us(999), "max",
				    percentile_us(1000));
	json_object_update_new(
		summary,
		json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "mode", mode_name(),
			  "poll", session->options->poll, "bytes", (json_int_t)bench.size, "batch",
			  (json_int_t)bench.batch, "window", (json_int_t)bench.window, "sent",
			  (json_int_t)bench.sent, "messages", (json_int_t)result->messages,
			  "seconds", result->seconds, "per_second", result->rate));
	json_object_update_new(summary,
			       json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "lost",
					 (json_int_t)result->lost, "duplicated",
					 (json_int_t)bench.sequence.duplicated, "reordered",
					 (json_int_t)bench.sequence.late, "damaged",
					 (json_int_t)bench.damaged, "answered",
					 (json_int_t)bench.answered, "kicks", (json_int_t)kicks,
					 "calls", (json_int_t)calls, "latency_us", latency));
	session_print(summary);
}

static void print_result(const struct session *session, const struct result *result)
{
	const struct frontend_queue *queues = session->host.fe.queues;
	uint64_t kicks = queues[0].kicks + queues[1].kicks;
	uint64_t calls = queues[0].calls + queues[1].calls;

	printf("%s %s (%" PRIu32 "): %" PRIu32 " bytes, batch %" PRIu32 ", window %" PRIu32
	       ", %s\n",
	       mode_name(), session->target_name, session->target, bench.size, bench.batch,
	       bench.window, session->options->poll ? "polled" : "notified");
	printf("  %-10s %" PRIu64 " in %.3f s: %.0f a second, %.1f MB/s of payload\n",
	       session->options->mode == BENCH_ECHO ? "round trips" : "messages", result->messages,
	       result->seconds, result->rate, result->rate * bench.size / 1e6);
	if (bench.latency.total != 0)
		printf("  latency    p50 %.2f, p90 %.2f, p99 %.2f, p99.9 %.2f, max %.2f us\n",
		       percentile_us(500), percentile_us(900), percentile_us(990),
		       percentile_us(999), percentile_us(1000));
	printf("  lost %" PRIu64 ", duplicated %" PRIu64 ", reordered %" PRIu64 ", damaged %" PRIu64
	       "; %" PRIu64 " kicks, %" PRIu64 " interrupts\n",
	       result->lost, bench.sequence.duplicated, bench.sequence.late, bench.damaged, kicks,
	       calls);
	if (bench.answered != 0)
		printf("  %" PRIu64
		       " messages came back: %s is no sink, and its answers took time\n",
		       bench.answered, session->target_name);
	session_print_findings(session);
}

static host_receive_fn *const receivers[] = {
	[BENCH_ECHO] = on_echo, [BENCH_SINK] = on_answer, [BENCH_SOURCE] = on_source};

/* Return: false with the reason printed. */
static bool set_up(struct session *session)
{
	const struct options *options = session->options;
	bool echo = options->mode == BENCH_ECHO;
	uint32_t buffers = session->host.out.count;

	bench.session = session;
	bench.host = &session->host;
	bench.size = options->size;
	bench.limit = options->count != 0 ? options->count : UINT64_MAX;
	if (options->size > host_max_payload(&session->host)) {
		session_fail(session, "--size: a message to this remote holds %" PRIu32 " bytes",
			     host_max_payload(&session->host));
		session->status = STATUS_USAGE;
		return false;
	}
	bench.batch = options->batch;
	if (bench.batch == 0)
		bench.batch = echo ? 1 : SINK_BATCH;
	bench.window = options->window;
	if (bench.window == 0)
		bench.window = echo ? bench.batch : buffers;
	if (options->batch > buffers || options->window > buffers) {
		session_fail(session,
			     "--batch and --window: there are %" PRIu32
			     " buffers: give fewer, or a larger --queue-size",
			     buffers);
		session->status = STATUS_USAGE;
		return false;
	}
	/* A default that is too large for this ring, or for the window. */
	if (bench.batch > bench.window)
		bench.batch = bench.window;
	bench.src = RPMSG_ADDR_ANY;
	return host_bind(&session->host, &bench.src, receivers[options->mode], NULL) == 0;
}

void command_bench(struct session *session)
{
	struct result result;

	if (!set_up(session) || session_find_target(session) < 0)
		return;
	bench.start = bench.end = host_now();
	switch (session->options->mode) {
	case BENCH_ECHO:
		run_echo();
		break;
	case BENCH_SINK:
		run_sink();
		break;
	case BENCH_SOURCE:
		run_source();
		break;
	}
	result = make_result();
	if (result.lost != 0 || bench.sequence.duplicated != 0)
		session->status = STATUS_FAILED;
	if (session->options->json)
		print_result_json(session, &result);
	else
		print_result(session, &result);
}
