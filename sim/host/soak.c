/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpmsg-host soak: numbered messages both ways, through one session after the other, for as long
 * as it is told. What to break, and when, comes line by line on standard input, so that whoever
 * breaks the remote, too, can tell what was asked for from what happened by itself.
 *
 * Numbers of the echoes go on from session to session: one of a former session that turned up
 * in a later one would be out of range. A source begins at 0 with each session.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "host/payload.h"
#include "host/sequence.h"
#include "host/soak.h"
#include "wire/random.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_SECOND UINT64_C(1000000000)

#define TIMES VRING_MAX_SIZE /* as many messages as can be on their way */
#define BATCH_MAX 32U
#define LOOK_NS (10 * NS_PER_MS) /* between two looks at standard input, the clock, the end */
#define PAUSE_MAX_MS 60000U
#define COMMAND_TEXT 64

struct soak {
	struct session *session;
	struct host *host;
	struct soak_result result;    /* of sessions that are over */
	struct sequence echo, source; /* of this session */
	uint64_t echo_damaged, source_damaged, late;
	uint64_t sent; /* numbers of echoes, in all sessions */
	uint32_t echo_src, source_src, source_target;
	uint32_t window, max_size;
	uint16_t source_size;	/* of this session's messages, 0: none has come yet */
	uint64_t broken_before; /* rings, when the session began */
	struct random random;
	uint64_t start, stop, next_look, next_progress, pause_until;
	uint64_t turn_time; /* when this turn took its first message, 0: not yet */
	uint64_t echo_progress, source_progress; /* when the stream moved last */
	bool asked;				 /* to end the session as said by end */
	enum soak_end end;
	bool input_over;
	char command[COMMAND_TEXT];
	size_t command_size;
	uint64_t times[TIMES]; /* when a number was sent */
};

static struct soak soak;

/* ---- receiving ------------------------------------------------------------------------- */

static uint64_t arrival_time(void)
{
	if (soak.turn_time == 0)
		soak.turn_time = host_now();
	return soak.turn_time;
}

/* Sizes change with the number, so that a payload of another number has another length, too. */
static uint32_t size_of(uint64_t number)
{
	uint32_t mixed = (uint32_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 32);

	return PAYLOAD_NUMBER_SIZE +
	       (uint32_t)((uint64_t)mixed * (soak.max_size - PAYLOAD_NUMBER_SIZE + 1) >> 32);
}

static void on_echo(void *ctx, const struct host_message *message)
{
	uint64_t number = 0, taken;

	if (message->hdr.src != soak.session->target)
		host_find(soak.host, FINDING_SRC_OTHER, message->desc_id, soak.session->target,
			  message->hdr.src);
	if (message->hdr.len < PAYLOAD_NUMBER_SIZE ||
	    !payload_check(message->payload, message->hdr.len, 0, &number) ||
	    message->hdr.len != size_of(number)) {
		soak.echo_damaged++;
		return;
	}
	switch (sequence_note(&soak.echo, number, soak.sent)) {
	case SEQUENCE_NEW:
	case SEQUENCE_LATE:
		soak.echo_progress = arrival_time();
		if (soak.sent - number > TIMES)
			break;
		taken = arrival_time() - soak.times[number % TIMES];
		histogram_add(&soak.result.latency, taken);
		soak.late += taken > soak.session->options->late;
		break;
	case SEQUENCE_IMPOSSIBLE:
		soak.echo_damaged++;
		break;
	case SEQUENCE_DUPLICATE:
		break;
	}
}

static void on_source(void *ctx, const struct host_message *message)
{
	uint64_t number;

	soak.source_progress = arrival_time();
	/* A source's are all of one size. One cut short would be right as far as it goes. */
	if (soak.source_size == 0)
		soak.source_size = message->hdr.len;
	if (message->hdr.len < PAYLOAD_NUMBER_SIZE || message->hdr.len != soak.source_size ||
	    !payload_check(message->payload, message->hdr.len, 0, &number))
		soak.source_damaged++;
	else
		sequence_note(&soak.source, number, UINT64_MAX);
}

/* ---- counting -------------------------------------------------------------------------- */

/* Echoes that have not come back, but may: lost ones before the last that did are not. */
static uint64_t on_their_way(void)
{
	return soak.sent - soak.echo.next;
}

/* Add what this session has brought so far; what is on its way is nothing of that yet. */
static void add_session(struct soak_result *result)
{
	const struct sequence *echo = &soak.echo, *source = &soak.source;

	result->echo.sent = soak.sent;
	result->echo.received += echo->received;
	result->echo.lost += sequence_lost(echo, echo->next);
	result->echo.doubled += echo->duplicated;
	result->echo.reordered += echo->late;
	result->echo.damaged += soak.echo_damaged;
	result->echo.late += soak.late;
	result->source.received += source->received;
	result->source.lost += sequence_lost(source, source->next);
	result->source.doubled += source->duplicated;
	result->source.reordered += source->late;
	result->source.damaged += soak.source_damaged;
}

/* How often the remote broke a ring, in all sessions. */
static uint64_t broken_rings(void)
{
	const uint64_t *findings = soak.host->stats.findings;

	return findings[FINDING_USED_JUMP] + findings[FINDING_USED_ID_RANGE] +
	       findings[FINDING_USED_ID_IDLE];
}

static void begin_session(void)
{
	sequence_init(&soak.echo, soak.sent);
	sequence_init(&soak.source, 0);
	soak.source_size = 0;
	soak.echo_damaged = soak.source_damaged = soak.late = 0;
	soak.asked = false;
	soak.echo_progress = soak.source_progress = host_now();
	soak.result.sessions++;
	soak.broken_before = broken_rings();
	soak_print_begin(soak.session, &soak.result);
}

static double seconds_gone(void)
{
	return (double)(host_now() - soak.start) / 1e9;
}

static void end_session(enum soak_end end)
{
	uint64_t left = on_their_way();
	bool broken_off = end == SOAK_RESET || end == SOAK_DROP || end == SOAK_LOST;

	add_session(&soak.result);
	*(broken_off ? &soak.result.echo.in_flight : &soak.result.echo.lost) += left;
	soak.result.ends[end]++;
	soak_print_end(soak.session, &soak.result, end, left);
	if (soak_failed(&soak.result))
		soak.session->status = STATUS_FAILED;
	/* Nothing of it may count a second time. */
	sequence_init(&soak.echo, soak.sent);
	sequence_init(&soak.source, 0);
	soak.echo_damaged = soak.source_damaged = soak.late = 0;
}

static void print_progress(void)
{
	/* With a histogram in it: too large for a stack. */
	static struct soak_result now;

	now = soak.result;
	add_session(&now);
	soak_print_progress(soak.session, &now, seconds_gone());
}

/* ---- what to do ------------------------------------------------------------------------- */

static void ask(enum soak_end end)
{
	/* The end of all is not to be taken back. */
	if (soak.asked && soak.end == SOAK_FINISHED)
		return;
	soak.asked = true;
	soak.end = end;
	soak.echo_progress = host_now();
}

static void obey(const char *text)
{
	uint64_t number;

	if (strcmp(text, "reconnect") == 0)
		ask(SOAK_RECONNECT);
	else if (strcmp(text, "reset") == 0)
		ask(SOAK_RESET);
	else if (strcmp(text, "drop") == 0)
		ask(SOAK_DROP);
	else if (strcmp(text, "end") == 0)
		ask(SOAK_FINISHED);
	else if (strncmp(text, "pause ", 6) == 0 && cli_number(text + 6, PAUSE_MAX_MS, &number))
		soak.pause_until = host_now() + number * NS_PER_MS;
	else
		fprintf(stderr,
			"rpmsg-host: standard input: \"%s\" is none of reconnect, reset, drop, end "
			"and pause MS\n",
			text);
}

static void take_input(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n') {
			soak.command[soak.command_size] = '\0';
			soak.command_size = 0;
			obey(soak.command);
		} else if (soak.command_size < COMMAND_TEXT - 1) {
			soak.command[soak.command_size++] = bytes[i];
		}
	}
}

/* Commands that have come. @wait_ms: for the first of them. */
static void look_at_input(int wait_ms)
{
	struct pollfd input = {.fd = soak.input_over ? -1 : STDIN_FILENO, .events = POLLIN};
	char bytes[256];
	ssize_t got;

	if (poll(&input, 1, wait_ms) <= 0)
		return;
	got = read(STDIN_FILENO, bytes, sizeof(bytes));
	if (got > 0)
		take_input(bytes, (size_t)got);
	else if (got == 0 || errno != EINTR)
		soak.input_over = true;
}

static void look_around(uint64_t now)
{
	soak.next_look = now + LOOK_NS;
	look_at_input(0);
	if (session_stopped(soak.session) || now >= soak.stop)
		ask(SOAK_FINISHED);
	if (now >= soak.next_progress) {
		soak.next_progress = now + NS_PER_SECOND;
		print_progress();
	}
}

/* A host that is busy with something else. */
static void pause_if_asked(void)
{
	uint64_t now = host_now();

	while (now < soak.pause_until && !session_stopped(soak.session)) {
		look_at_input((int)((soak.pause_until - now) / NS_PER_MS) + 1);
		now = host_now();
	}
	/* What came meanwhile was not the remote's delay. */
	soak.echo_progress = soak.source_progress = now;
	soak.pause_until = 0;
}

/* ---- traffic ---------------------------------------------------------------------------- */

/* Return: false when the ring or the connection is broken. */
static bool send_batch(uint32_t count)
{
	uint64_t now = host_now();

	for (uint32_t i = 0; i < count; i++) {
		uint32_t size = size_of(soak.sent);
		uint8_t *payload = host_begin(soak.host, size);

		if (!payload)
			break;
		payload_fill(payload, size, soak.sent);
		soak.times[soak.sent % TIMES] = now;
		if (host_commit(soak.host, soak.echo_src, soak.session->target, size) < 0)
			break;
		soak.sent++;
	}
	return !soak.host->failed && host_flush(soak.host) == 0;
}

static bool fill_window(void)
{
	while (on_their_way() < soak.window) {
		uint64_t room = soak.window - on_their_way(), before = soak.sent;
		uint32_t count = 1 + random_below(&soak.random, BATCH_MAX);

		if (!send_batch(room < count ? (uint32_t)room : count))
			return false;
		if (soak.sent == before)
			break;
	}
	return true;
}

static enum soak_end why_it_failed(void)
{
	return broken_rings() != soak.broken_before ? SOAK_BROKEN : SOAK_LOST;
}

/* Nothing has come for too long of what has to. */
static bool is_stalled(uint64_t now)
{
	const struct options *options = soak.session->options;

	if (on_their_way() == 0)
		soak.echo_progress = now;
	if (now >= soak.echo_progress + options->timeout) {
		session_fail(soak.session, "no echo came for %.3g s, with %" PRIu64 " on their way",
			     (double)options->timeout / 1e9, on_their_way());
		return true;
	}
	if (!options->source || soak.asked || now < soak.source_progress + options->timeout)
		return false;
	session_fail(soak.session, "nothing came from %s for %.3g s", options->source,
		     (double)options->timeout / 1e9);
	return true;
}

/* Has the session come to its end? Return: true with soak.end set. */
static bool is_over(uint64_t now)
{
	bool wait_for_all = soak.end == SOAK_RECONNECT || soak.end == SOAK_FINISHED;

	if (soak.asked && (!wait_for_all || on_their_way() == 0))
		return true;
	if (!is_stalled(now))
		return false;
	/* One that has to end anyway does that, whatever is missing. */
	if (!soak.asked)
		soak.end = SOAK_STALLED;
	return true;
}

/* Return: how the session ended. */
static enum soak_end run_session(void)
{
	struct host *host = soak.host;
	uint64_t now = host_now();

	for (;;) {
		int ret;

		if (now >= soak.next_look) {
			look_around(now);
			if (soak.pause_until != 0)
				pause_if_asked();
		}
		if (is_over(now))
			return soak.end;
		if (!soak.asked && !fill_window())
			return why_it_failed();
		soak.turn_time = 0;
		ret = host_turn(host);
		if (ret == 0)
			ret = host_wait(host, soak.next_look);
		if (ret < 0 && ret != -EINTR)
			return why_it_failed();
		now = soak.turn_time != 0 ? soak.turn_time : host_now();
	}
}

/* ---- sessions --------------------------------------------------------------------------- */

/* Return: false with the reason printed. */
static bool set_up_session(void)
{
	struct session *session = soak.session;
	const struct options *options = session->options;
	uint32_t buffers = session->host.out.count;
	const char *target = options->target;

	soak.host = &session->host;
	soak.max_size = host_max_payload(soak.host);
	if (soak.max_size < PAYLOAD_NUMBER_SIZE) {
		session_fail(session,
			     "a message to this remote holds %" PRIu32 " bytes, too few "
			     "for a number",
			     soak.max_size);
		return false;
	}
	soak.window = options->window != 0 ? options->window : buffers / 2;
	if (soak.window > buffers)
		soak.window = buffers;
	if (soak.window == 0)
		soak.window = 1;
	soak.echo_src = soak.source_src = RPMSG_ADDR_ANY;
	if (host_bind(soak.host, &soak.echo_src, on_echo, NULL) < 0 ||
	    host_bind(soak.host, &soak.source_src, on_source, NULL) < 0)
		return false;
	if (options->source) {
		if (session_find_channel(session, options->source) < 0)
			return false;
		soak.source_target = session->target;
	}
	return session_find_channel(session, target) == 0;
}

/* A source sends to whoever has sent it something. */
static bool start_source(void)
{
	uint8_t payload[PAYLOAD_NUMBER_SIZE];

	if (!soak.session->options->source)
		return true;
	payload_fill(payload, sizeof(payload), 0);
	return host_try_send(soak.host, soak.source_src, soak.source_target, payload,
			     sizeof(payload)) == 0 &&
	       host_flush(soak.host) == 0;
}

/* What the remote had put into the ring before the session ended still counts as arrived. */
static void gather(void)
{
	soak.turn_time = 0;
	while (host_turn(soak.host) > 0)
		;
}

static void leave(enum soak_end end)
{
	bool stopped = end == SOAK_FINISHED || end == SOAK_RECONNECT || end == SOAK_RESET;

	if (stopped && host_stop(soak.host) < 0)
		end = SOAK_LOST;
	if (end != SOAK_DROP && end != SOAK_BROKEN)
		gather();
	end_session(end);
}

/* Return: false when there is no session any more. */
static bool next_session(void)
{
	if (session_reopen(soak.session) == 0)
		return true;
	if (!session_stopped(soak.session))
		session_fail(soak.session, "no new session: %s", host_error(&soak.session->host));
	return false;
}

void command_soak(struct session *session)
{
	const struct options *options = session->options;
	enum soak_end end;

	soak.session = session;
	random_init(&soak.random, options->seed, 0);
	soak.start = host_now();
	soak.stop = options->duration != 0 ? soak.start + options->duration : HOST_NO_DEADLINE;
	soak.next_progress = soak.start + NS_PER_SECOND;
	do {
		int status = session->status;

		if (!set_up_session()) {
			if (!session->host.failed)
				break;
			/* One that is just being killed does not get as far as to announce. */
			session->status = status;
			end = SOAK_LOST;
			continue;
		}
		begin_session();
		end = start_source() ? run_session() : why_it_failed();
		leave(end);
	} while (end != SOAK_FINISHED && !session_stopped(session) && next_session());
	soak_print_summary(session, &soak.result, seconds_gone());
}
