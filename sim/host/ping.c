/* SPDX-License-Identifier: BSD-2-Clause */
/* rpmsg-host ping: numbered round trips, told as ping(8) tells them. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/payload.h"
#include "host/session.h"

/* Numbers whose answers can still be told apart. */
#define REMEMBERED 65536U

struct ping {
	struct session *session;
	uint32_t src;
	uint64_t start;
	uint64_t sent, received, duplicated, damaged, unsent;
	uint64_t checked; /* numbers below were answered or told as missing */
	uint64_t min, max;
	double sum, sum_of_squares;
	uint64_t times[REMEMBERED]; /* when a number was sent */
	bool answered[REMEMBERED];
};

static struct ping ping;

static bool is_answered(uint64_t number)
{
	return ping.answered[number % REMEMBERED];
}

static void print_answer(const struct host_message *message, uint64_t number, uint64_t rtt,
			 bool duplicate)
{
	const struct session *session = ping.session;

	if (session->options->json) {
		session_print(json_pack("{s:s, s:I, s:i, s:I, s:f, s:b}", "type", "reply", "seq",
					(json_int_t)number, "bytes", message->hdr.len, "src",
					(json_int_t)message->hdr.src, "time_us", (double)rtt / 1e3,
					"duplicate", duplicate));
		return;
	}
	printf("%u bytes from %" PRIu32 ": seq=%" PRIu64 " time=%.3f ms%s\n", message->hdr.len,
	       message->hdr.src, number, (double)rtt / 1e6, duplicate ? " (DUP!)" : "");
}

static void print_missing(const char *type, const char *text, uint64_t number)
{
	if (ping.session->options->json)
		session_print(json_pack("{s:s, s:I}", "type", type, "seq", (json_int_t)number));
	else
		printf("%s seq=%" PRIu64 "\n", text, number);
}

static void on_answer(void *ctx, const struct host_message *message)
{
	struct host *host = &ping.session->host;
	uint64_t now = host_now(), number, rtt;
	bool duplicate;

	if (message->hdr.src != ping.session->target)
		host_find(host, FINDING_SRC_OTHER, message->desc_id, ping.session->target,
			  message->hdr.src);
	if (message->hdr.len != ping.session->options->size ||
	    !payload_check(message->payload, message->hdr.len, ping.checked, &number) ||
	    number >= ping.sent || ping.sent - number > REMEMBERED) {
		ping.damaged++;
		host_find(host, FINDING_PAYLOAD, message->desc_id, ping.session->options->size,
			  message->hdr.len);
		return;
	}
	duplicate = is_answered(number);
	rtt = now - ping.times[number % REMEMBERED];
	print_answer(message, number, rtt, duplicate);
	if (duplicate) {
		ping.duplicated++;
		return;
	}
	ping.answered[number % REMEMBERED] = true;
	if (ping.received++ == 0 || rtt < ping.min)
		ping.min = rtt;
	if (rtt > ping.max)
		ping.max = rtt;
	ping.sum += (double)rtt;
	ping.sum_of_squares += (double)rtt * (double)rtt;
}

/* Return: false when the session is over. */
static bool send_one(struct session *session)
{
	const struct options *options = session->options;
	uint8_t payload[UINT16_MAX];
	uint64_t number = ping.sent;
	int ret;

	payload_fill(payload, options->size, number);
	ping.answered[number % REMEMBERED] = false;
	ping.times[number % REMEMBERED] = host_now();
	ret = host_try_send(&session->host, ping.src, session->target, payload, options->size);
	ping.sent++;
	if (ret == -EAGAIN) {
		ping.unsent++;
		print_missing("unsent", "the remote holds all send buffers:", number);
		return true;
	}
	if (ret == 0)
		ret = host_flush(&session->host);
	if (ret < 0)
		session_fail(session, "%s", host_error(&session->host));
	return ret == 0;
}

/* Tell what had its time; move on to the first number that may still be answered in time. */
static void check_answers(uint64_t now)
{
	uint64_t wait = ping.session->options->wait;

	if (ping.sent - ping.checked > REMEMBERED)
		ping.checked = ping.sent - REMEMBERED;
	for (; ping.checked < ping.sent; ping.checked++) {
		if (is_answered(ping.checked))
			continue;
		if (now - ping.times[ping.checked % REMEMBERED] < wait)
			return;
		print_missing("timeout", "no answer:", ping.checked);
	}
}

static void run(struct session *session)
{
	const struct options *options = session->options;
	uint64_t next = ping.start, now, deadline;
	bool sending = true, all_answered;

	while (!session_stopped(session)) {
		now = host_now();
		check_answers(now);
		all_answered = ping.checked == ping.sent;
		sending = options->count == 0 || ping.sent < options->count;
		if (!sending && all_answered)
			return;
		if (sending && now >= next && (options->interval != 0 || all_answered)) {
			if (!send_one(session))
				return;
			next += options->interval;
			/* After a pause of this program: no burst to make up for it. */
			if (next < now)
				next = now;
			continue;
		}
		deadline = sending && options->interval != 0 ? next : HOST_NO_DEADLINE;
		if (!all_answered) {
			uint64_t until = ping.times[ping.checked % REMEMBERED] + options->wait;

			if (until < deadline)
				deadline = until;
		}
		if (session_turn(session, deadline) < 0)
			return;
	}
}

static double deviation(void)
{
	double mean = ping.sum / (double)ping.received;
	double variance = ping.sum_of_squares / (double)ping.received - mean * mean;

	return variance > 0 ? sqrt(variance) : 0;
}

static void print_summary_json(const struct session *session, uint64_t lost, uint64_t elapsed)
{
	json_t *summary = session_summary(session);
	json_t *rtt = json_null();

	if (ping.received != 0)
		rtt = json_pack("{s:f, s:f, s:f, s:f}", "min", (double)ping.min / 1e3, "avg",
				ping.sum / (double)ping.received / 1e3, "max",
				(double)ping.max / 1e3, "mdev", deviation() / 1e3);
	json_object_update_new(
		summary,
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o}", "sent", (json_int_t)ping.sent,
			  "received", (json_int_t)ping.received, "lost", (json_int_t)lost,
			  "duplicated", (json_int_t)ping.duplicated, "damaged",
			  (json_int_t)ping.damaged, "unsent", (json_int_t)ping.unsent, "seconds",
			  (double)elapsed / 1e9, "rtt_us", rtt));
	session_print(summary);
}

static void print_summary(const struct session *session, uint64_t lost, uint64_t elapsed)
{
	printf("\n--- %s ping statistics ---\n", session->target_name);
	printf("%" PRIu64 " packets transmitted, %" PRIu64 " received, ", ping.sent, ping.received);
	if (ping.duplicated != 0)
		printf("+%" PRIu64 " duplicates, ", ping.duplicated);
	if (ping.damaged != 0)
		printf("+%" PRIu64 " damaged, ", ping.damaged);
	printf("%.4g%% packet loss, time %.0fms\n",
	       ping.sent != 0 ? 100.0 * (double)lost / (double)ping.sent : 0,
	       (double)elapsed / 1e6);
	if (ping.received != 0)
		printf("rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n", (double)ping.min / 1e6,
		       ping.sum / (double)ping.received / 1e6, (double)ping.max / 1e6,
		       deviation() / 1e6);
	session_print_findings(session);
}

void command_ping(struct session *session)
{
	const struct options *options = session->options;
	uint64_t lost, elapsed;

	ping.session = session;
	ping.src = RPMSG_ADDR_ANY;
	if (host_bind(&session->host, &ping.src, on_answer, NULL) < 0 ||
	    session_find_target(session) < 0)
		return;
	if (options->size > host_max_payload(&session->host)) {
		session_fail(session, "--size: a message to this remote holds %" PRIu32 " bytes",
			     host_max_payload(&session->host));
		session->status = STATUS_USAGE;
		return;
	}
	if (!options->json)
		printf("PING %s (%" PRIu32 ") %" PRIu32 " bytes of payload\n", session->target_name,
		       session->target, options->size);
	ping.start = host_now();
	run(session);
	elapsed = host_now() - ping.start;
	lost = ping.sent - ping.received;
	/* What is on its way when Ctrl-C comes is not lost, but was not received either. */
	if (lost != 0)
		session->status = STATUS_FAILED;
	if (options->json)
		print_summary_json(session, lost, elapsed);
	else
		print_summary(session, lost, elapsed);
}
