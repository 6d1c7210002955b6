/* SPDX-License-Identifier: BSD-2-Clause */
/* rpmsg-host listen: what arrives, as tcpdump -X shows it. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "host/session.h"

#define DUMP_WIDTH 16

static uint64_t shown;

/* Time of day with microseconds; text has room for 16 bytes. */
static double time_of_day(char *text)
{
	struct timespec now;
	struct tm local;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &local);
	snprintf(text, 16, "%02u:%02u:%02u.%06u", (unsigned int)local.tm_hour % 100,
		 (unsigned int)local.tm_min % 100, (unsigned int)local.tm_sec % 100,
		 (unsigned int)(now.tv_nsec / 1000) % 1000000);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void dump(const uint8_t *bytes, uint32_t size)
{
	for (uint32_t line = 0; line < size; line += DUMP_WIDTH) {
		printf("\t0x%04x: ", line);
		for (uint32_t i = line; i < line + DUMP_WIDTH; i++) {
			if (i % 2 == 0)
				putchar(' ');
			if (i < size)
				printf("%02x", bytes[i]);
			else
				fputs("  ", stdout);
		}
		fputs("  ", stdout);
		for (uint32_t i = line; i < size && i < line + DUMP_WIDTH; i++)
			putchar(bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '.');
		putchar('\n');
	}
}

static void print_json(const struct host_message *message, double when)
{
	static char hex[2 * UINT16_MAX + 1];
	const struct rpmsg_hdr *hdr = &message->hdr;
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < hdr->len; i++) {
		hex[2 * i] = digits[message->payload[i] >> 4];
		hex[2 * i + 1] = digits[message->payload[i] & 15];
	}
	hex[2 * (size_t)hdr->len] = '\0';
	session_print(json_pack("{s:s, s:f, s:I, s:I, s:i, s:I, s:i, s:I, s:s}", "type", "message",
				"time", when, "src", (json_int_t)hdr->src, "dst",
				(json_int_t)hdr->dst, "len", hdr->len, "reserved",
				(json_int_t)hdr->reserved, "flags", hdr->flags, "used_len",
				(json_int_t)message->used_len, "data", hex));
}

static bool is_enough(const struct session *session)
{
	return session->options->count != 0 && shown >= session->options->count;
}

void listen_message(void *ctx, const struct host_message *message)
{
	const struct session *session = ctx;
	const struct rpmsg_hdr *hdr = &message->hdr;
	char clock[16];
	double when = time_of_day(clock);

	if (is_enough(session))
		return;
	/* Until the channel is known nothing can come from it. */
	if (session->options->target &&
	    (session->target_name[0] == '\0' || hdr->src != session->target))
		return;
	shown++;
	if (session->options->json) {
		print_json(message, when);
		return;
	}
	printf("%s %" PRIu32 " > %" PRIu32 ": length %u", clock, hdr->src, hdr->dst, hdr->len);
	if (hdr->flags)
		printf(", flags 0x%x", hdr->flags);
	if (hdr->reserved)
		printf(", reserved 0x%" PRIx32, hdr->reserved);
	putchar('\n');
	dump(message->payload, hdr->len);
}

void listen_channel(void *ctx, const char *name, uint32_t addr, bool announced)
{
	const struct session *session = ctx;
	char text[SESSION_NAME_TEXT], clock[16];
	double when = time_of_day(clock);

	session_name(text, name);
	if (session->options->json)
		session_print(json_pack("{s:s, s:f, s:s, s:I}", "type",
					announced ? "announced" : "withdrawn", "time", when, "name",
					text, "addr", (json_int_t)addr));
	else
		printf("%s %s %s at %" PRIu32 "\n", clock, text,
		       announced ? "announced" : "withdrawn", addr);
}

/* Return: false with the reason printed. */
static bool announce(struct session *session, uint32_t addr, bool create)
{
	int ret = host_announce(&session->host, session->options->announce, addr, create,
				host_now() + session->options->timeout);

	if (ret < 0)
		session_fail(session, "--announce: %s", host_error(&session->host));
	return ret == 0;
}

static void report(struct session *session)
{
	json_t *summary;

	if (session->options->json) {
		summary = session_summary(session);
		json_object_set_new(summary, "messages", json_integer((json_int_t)shown));
		session_print(summary);
		return;
	}
	printf("%" PRIu64 " messages\n", shown);
	session_print_findings(session);
}

void command_listen(struct session *session)
{
	const struct options *options = session->options;
	uint32_t addr = RPMSG_ADDR_ANY;
	bool announced = false;
	int ret = 1;

	if (options->announce) {
		host_bind(&session->host, &addr, listen_message, session);
		announced = announce(session, addr, true);
		if (!announced)
			return;
	}
	if (options->target && session_find_target(session) < 0)
		ret = -1;
	while (ret >= 0 && !session_stopped(session) && !is_enough(session))
		ret = session_turn(session, HOST_NO_DEADLINE);
	/* NS-019: who goes withdraws; what the remote has not read when it is stopped is lost. */
	if (announced && !session->host.failed && announce(session, addr, false))
		host_drain(&session->host, host_now() + options->timeout);
	report(session);
}
