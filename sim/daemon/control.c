/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/methods.h"
#include "daemon/rpc.h"

/* One line of output; an event is one for all that are subscribed. */
struct output {
	unsigned int refs;
	size_t size; /* newline included */
	char *text;
};

struct output_write {
	uv_write_t write;
	struct control_client *client;
	struct output *output;
};

struct control_client {
	struct control *control;
	struct control_client *next;
	uv_pipe_t pipe;
	uint64_t number;
	struct list_node waiting; /* in control->waiting: has a line that no turn had time for */
	uint32_t types;		  /* of events that it is subscribed to */
	const char *remote;	  /* whose events, by pointer; NULL: all */
	bool closing;		  /* uv_close() was called */
	bool ended;		  /* sends nothing more: close when all is served and written */
	size_t have;		  /* bytes at input */
	char input[CONTROL_MAX_LINE + 1];
};

static void close_client(struct control_client *client);

/* ---- output ----------------------------------------------------------------------------- */

static void drop_output(struct output *output)
{
	if (!output || --output->refs)
		return;
	free(output->text);
	free(output);
}

static struct output *make_output(const json_t *json)
{
	struct output *output = malloc(sizeof(*output));
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	if (!output || !text) {
		free(output);
		free(text);
		return NULL;
	}
	output->refs = 1;
	output->size = strlen(text) + 1;
	output->text = text;
	text[output->size - 1] = '\n'; /* nobody needs the terminator */
	return output;
}

static bool has_unwritten(const struct control_client *client)
{
	return uv_stream_get_write_queue_size((const uv_stream_t *)&client->pipe) > 0;
}

static void on_written(uv_write_t *write, int status)
{
	struct output_write *done = write->data;
	struct control_client *client = done->client;

	drop_output(done->output);
	free(done);
	if (client->closing)
		return;
	if (status || (client->ended && !has_unwritten(client)))
		close_client(client);
}

/* Queues a line; a client that does not read, or for which there is no memory, is closed. */
static void send_output(struct control_client *client, struct output *output)
{
	uv_stream_t *stream = (uv_stream_t *)&client->pipe;
	struct output_write *write;
	uv_buf_t buffer;

	if (client->closing)
		return;
	if (output && uv_stream_get_write_queue_size(stream) + output->size > CONTROL_MAX_OUTPUT) {
		log_warn("control client %llu does not read its %zu bytes: disconnected",
			 (unsigned long long)client->number,
			 uv_stream_get_write_queue_size(stream));
		close_client(client);
		return;
	}
	write = output ? malloc(sizeof(*write)) : NULL;
	if (!write) {
		log_error("control client %llu: no memory for an answer: disconnected",
			  (unsigned long long)client->number);
		close_client(client);
		return;
	}
	write->write.data = write;
	write->client = client;
	write->output = output;
	buffer = uv_buf_init(output->text, (unsigned int)output->size);
	if (uv_write(&write->write, stream, &buffer, 1, on_written)) {
		free(write);
		close_client(client);
		return;
	}
	output->refs++; /* dropped by on_written(), which is never called from uv_write() */
}

static void send_json(struct control_client *client, json_t *json)
{
	struct output *output = make_output(json);

	send_output(client, output);
	drop_output(output);
}

/* ---- events ----------------------------------------------------------------------------- */

static void deliver_event(void *ctx, enum event_type type, const char *remote, json_t *notification)
{
	struct control *control = ctx;
	struct output *output = make_output(notification);
	struct control_client *client, *next;

	for (client = control->clients; client; client = next) {
		next = client->next; /* a client that does not read leaves the list */
		if (client->types & EVENT_BIT(type) &&
		    (!client->remote || client->remote == remote))
			send_output(client, output);
	}
	drop_output(output);
}

static void update_wanted(struct control *control)
{
	uint32_t wanted = 0;

	for (struct control_client *client = control->clients; client; client = client->next)
		wanted |= client->types;
	control->events.wanted = wanted;
}

static void subscribe(void *ctx, uint32_t types, const char *remote)
{
	struct control_client *client = ctx;

	client->types = types;
	client->remote = remote;
	update_wanted(client->control);
}

/* ---- input ------------------------------------------------------------------------------ */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct control_client *client = handle->data;

	*buffer = uv_buf_init(client->input + client->have,
			      (unsigned int)(sizeof(client->input) - client->have));
}

static bool has_line(const struct control_client *client)
{
	return memchr(client->input, '\n', client->have);
}

static void refuse_long_line(struct control_client *client)
{
	json_t *reply;
	char text[96];

	snprintf(text, sizeof(text), "a request has at most %d bytes: disconnected",
		 CONTROL_MAX_LINE);
	reply = rpc_error(NULL, RPC_INVALID_REQUEST, text);
	client->have = 0;
	client->ended = true;
	send_json(client, reply);
	json_decref(reply);
}

static void on_turn(uv_idle_t *idle);

/*
 * Is there time left for a request in this turn of the loop? However many clients ask for
 * however much, the remotes have to have their turns.
 */
static bool has_time(struct control *control)
{
	uint64_t now = uv_hrtime();

	if (!uv_is_active((uv_handle_t *)&control->turn)) {
		control->turn_ends = now + CONTROL_TURN_NS;
		uv_idle_start(&control->turn, on_turn);
	}
	return now < control->turn_ends;
}

/* Serves some of the lines that have arrived; what is left moves to the front. */
static void serve_lines(struct control_client *client)
{
	struct control *control = client->control;
	size_t at = 0;

	for (int i = 0; i < CONTROL_LINE_BUDGET && !client->closing && has_time(control); i++) {
		const char *line = client->input + at;
		const char *end = memchr(line, '\n', client->have - at);
		json_t *reply;

		if (!end)
			break;
		reply = rpc_serve(control->rpc, client, line, (size_t)(end - line));
		if (reply)
			send_json(client, reply);
		json_decref(reply);
		at += (size_t)(end - line) + 1;
	}
	memmove(client->input, client->input + at, client->have - at);
	client->have -= at;
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);

/* One turn of a client: serve, then read on, wait for the next turn, or end. */
static void take_turn(struct control_client *client)
{
	uv_stream_t *stream = (uv_stream_t *)&client->pipe;

	serve_lines(client);
	if (client->closing)
		return;
	if (has_line(client)) {
		uv_read_stop(stream);
		list_add_tail(&client->control->waiting, &client->waiting);
		return;
	}
	if (client->have == sizeof(client->input))
		refuse_long_line(client);
	if (client->closing)
		return;
	if (!client->ended)
		uv_read_start(stream, on_alloc, on_read);
	else if (has_unwritten(client))
		uv_read_stop(stream);
	else
		close_client(client);
}

/*
 * The next turn of the loop: those who wait are served one after the other, so that none of them
 * waits for ever.
 */
static void on_turn(uv_idle_t *idle)
{
	struct control *control = idle->data;
	uint64_t now = uv_hrtime();

	if (list_empty(&control->waiting)) {
		uv_idle_stop(idle);
		return;
	}
	control->turn_ends = now + CONTROL_TURN_NS;
	do {
		struct control_client *client =
			list_entry(control->waiting.next, struct control_client, waiting);

		list_remove(&client->waiting);
		take_turn(client);
	} while (!list_empty(&control->waiting) && uv_hrtime() < control->turn_ends);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	struct control_client *client = stream->data;

	if (size == 0)
		return;
	if (size < 0 && size != UV_EOF) {
		close_client(client);
		return;
	}
	if (size > 0)
		client->have += (size_t)size;
	else
		client->ended = true; /* it may still read what it has asked for */
	take_turn(client);
}

/* ---- clients ---------------------------------------------------------------------------- */

static void on_client_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void close_client(struct control_client *client)
{
	struct control *control = client->control;
	struct control_client **link = &control->clients;

	if (client->closing)
		return;
	client->closing = true;
	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	list_remove(&client->waiting);
	update_wanted(control);
	log_debug("control client %llu disconnected", (unsigned long long)client->number);
	uv_close((uv_handle_t *)&client->pipe, on_client_closed);
	if (control->client_count-- == CONTROL_MAX_CLIENTS)
		listener_resume(&control->listener);
}

static void on_client(void *ctx, int fd)
{
	struct control *control = ctx;
	struct control_client *client = calloc(1, sizeof(*client));
	int ret;

	if (!client || uv_pipe_init(control->loop, &client->pipe, 0)) {
		log_error("no memory for a control client");
		free(client);
		close(fd);
		return;
	}
	client->control = control;
	client->number = ++control->clients_ever;
	client->pipe.data = client;
	client->next = control->clients;
	control->clients = client;
	if (++control->client_count == CONTROL_MAX_CLIENTS) {
		log_warn("%d control clients: others have to wait", CONTROL_MAX_CLIENTS);
		listener_pause(&control->listener);
	}
	log_debug("control client %llu connected", (unsigned long long)client->number);

	ret = uv_pipe_open(&client->pipe, fd);
	if (ret)
		close(fd);
	else
		ret = uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read);
	if (ret)
		close_client(client);
}

/* ---- life ------------------------------------------------------------------------------- */

void control_init(struct control *control, struct events *events, struct rpc *rpc)
{
	memset(control, 0, sizeof(*control));
	list_init(&control->waiting);
	control->rpc = rpc;
	listener_init(&control->listener);
	control->events.deliver = deliver_event;
	control->events.ctx = control;
	events_listen(events, &control->events);
	rpc->subscribe = subscribe;
}

int control_start(struct control *control, uv_loop_t *loop)
{
	control->loop = loop;
	uv_idle_init(loop, &control->turn);
	control->turn.data = control;
	control->handles_open = true;
	return listener_start(&control->listener, loop, on_client, control);
}

void control_stop(struct control *control)
{
	listener_close(&control->listener);
	while (control->clients)
		close_client(control->clients);
	if (control->handles_open)
		uv_close((uv_handle_t *)&control->turn, NULL);
	control->handles_open = false;
}
