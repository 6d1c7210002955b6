/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests of the control socket, a line each, to an instance without sockets. A line that begins
 * with '@' is for this program: "@attach" has a good host attach, "@leave" makes it go, "@message"
 * has it send one to address 1024, "@turn" lets the event loop run, "@time" lets a second pass.
 *
 * Oracles: an answer is JSON-RPC 2.0 and can be written down; a request that is no request, or has
 * a parameter that is none, changes nothing; those of common/station.h.
 */
#include <string.h>

#include "common/loop.h"
#include "common/oracle.h"
#include "common/station.h"
#include "common/target.h"
#include "daemon/rpc.h"
#include "daemon/stats.h"

#define MAX_LINES 32

struct state {
	struct station st;
	struct rpc rpc;
	struct events_listener listener;
};

static void check_writable(json_t *json, const char *what)
{
	char *text = json_dumps(json, JSON_COMPACT);

	ORACLE("answer-text", text != NULL, "%s cannot be written down", what);
	free(text);
}

static void deliver(void *ctx, enum event_type type, const char *remote, json_t *notification)
{
	check_writable(notification, "an event");
}

static void subscribe(void *client, uint32_t types, const char *remote)
{
	struct state *state = client;

	state->listener.wanted = types;
}

/* Was nothing done? Of what the remote would not do that is not sure. */
static bool is_no_request(json_t *reply)
{
	json_int_t code =
		json_integer_value(json_object_get(json_object_get(reply, "error"), "code"));

	return code == RPC_PARSE_ERROR || code == RPC_INVALID_REQUEST ||
	       code == RPC_METHOD_NOT_FOUND || code == RPC_INVALID_PARAMS;
}

static void check_answer(json_t *reply)
{
	const char *version = json_string_value(json_object_get(reply, "jsonrpc"));
	json_t *error = json_object_get(reply, "error");
	json_t *result = json_object_get(reply, "result");

	ORACLE("answer", version != NULL && strcmp(version, "2.0") == 0 && (!error != !result),
	       "an answer is no JSON-RPC");
	ORACLE("answer-error",
	       error == NULL || (json_is_integer(json_object_get(error, "code")) &&
				 json_is_string(json_object_get(error, "message"))),
	       "an error without code or message");
	check_writable(reply, "an answer");
}

static void serve(struct state *state, const char *line, size_t size)
{
	json_t *before = stats_json(&state->st.instance, 0), *reply;

	reply = rpc_serve(&state->rpc, state, line, size);
	if (reply != NULL) {
		check_answer(reply);
		if (is_no_request(reply)) {
			json_t *after = stats_json(&state->st.instance, 0);

			ORACLE("refused-but-done", json_equal(before, after),
			       "a request that is none changed the remote");
			json_decref(after);
		}
	}
	json_decref(reply);
	json_decref(before);
}

static bool is_word(const char *line, size_t size, const char *word)
{
	return size == strlen(word) && memcmp(line, word, size) == 0;
}

static void one_line(struct state *state, const char *line, size_t size)
{
	static const struct station_setup setup = {
		.entries_log2 = {3, 3}, .buffers = 8, .status = true};
	static const uint8_t message[] = {0, 4, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 'h', 'i'};

	if (is_word(line, size, "@attach"))
		(void)station_handshake(&state->st, &setup);
	else if (is_word(line, size, "@leave"))
		station_leave(&state->st);
	else if (is_word(line, size, "@message"))
		(void)station_put(&state->st, message, sizeof(message));
	else if (is_word(line, size, "@turn"))
		(void)station_turns(&state->st, 8);
	else if (is_word(line, size, "@time"))
		world_advance(UINT64_C(1000000000));
	else
		serve(state, line, size);
}

static int run(const uint8_t *data, size_t size)
{
	static struct state state;
	const char *at = (const char *)data, *end = at + size;

	json_object_seed(1);
	station_begin(&state.st, NULL, NULL, NULL);
	state.rpc.registry = &state.st.registry;
	state.rpc.subscribe = subscribe;
	state.listener = (struct events_listener){.deliver = deliver};
	events_listen(&state.st.registry.events, &state.listener);
	for (unsigned int i = 0; i < MAX_LINES && at < end; i++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (stop == NULL)
			stop = end;
		one_line(&state, at, (size_t)(stop - at));
		at = stop + 1;
		station_check(&state.st);
	}
	(void)station_turns(&state.st, 64);
	station_check(&state.st);
	station_end(&state.st);
	return 0;
}

const struct fuzz_target fuzz_target = {
	.name = "control",
	.summary = "requests of the control socket to an instance without sockets",
	.run = run,
};
