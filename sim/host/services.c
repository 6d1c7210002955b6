/* SPDX-License-Identifier: BSD-2-Clause */
/* rpmsg-host services: what the remote announces, until it has been quiet for a while. */
#include <inttypes.h>
#include <stdio.h>

#include "host/session.h"

static void print_channels(const struct session *session)
{
	const struct channels *channels = &session->host.channels;
	const struct channel *channel;
	char name[SESSION_NAME_TEXT];
	uint32_t position = 0;

	while ((channel = channels_next(channels, &position))) {
		session_name(name, channel->name);
		if (session->options->json)
			session_print(json_pack("{s:s, s:s, s:I}", "type", "channel", "name", name,
						"addr", (json_int_t)channel->addr));
		else
			printf("%-32s %" PRIu32 "\n", name, channel->addr);
	}
}

void command_services(struct session *session)
{
	const struct options *options = session->options;
	uint64_t start = host_now(), deadline = start + options->timeout, until;
	bool has_ns = host_has(&session->host, RPMSG_F_NS);
	json_t *summary;

	do {
		until = session->last_ns + options->quiet;
		if (until > deadline)
			until = deadline;
	} while (has_ns &&
		 (session_turn(session, until) > 0 ||
		  (!session_stopped(session) && !session->host.failed && host_now() < until)));

	print_channels(session);
	if (options->json) {
		summary = session_summary(session);
		json_object_set_new(summary, "channels",
				    json_integer(session->host.channels.count));
		json_object_set_new(summary, "name_service", json_boolean(has_ns));
		session_print(summary);
		return;
	}
	if (!has_ns)
		printf("the remote does not offer the name service (F_NS)\n");
	else if (session->host.channels.count == 0)
		printf("the remote announces nothing\n");
	session_print_findings(session);
}
