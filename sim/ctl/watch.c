/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/help.h"
#include "ctl/signals.h"
#include "ctl/terminal.h"
#include "ctl/view.h"

struct watch {
	const struct options *options;
	struct client *client;
	struct terminal terminal;
	struct view view;
	json_t *params; /* of each request */
	bool has_faults;
	int64_t taken_ms; /* when view.stats was */
	bool over;
};

/* ---- taking and showing ----------------------------------------------------------------- */

/* Replaces *kept by a fresh result. */
static int ask(struct watch *watch, const char *method, json_t **kept)
{
	json_t *result = NULL;
	int ret = client_call(watch->client, method, watch->params, &result);

	if (ret)
		return ret;
	json_decref(*kept);
	*kept = result;
	return 0;
}

static int take(struct watch *watch)
{
	json_t *stats = NULL;
	int64_t now_ms;
	int ret = watch->has_faults ? ask(watch, "faults", &watch->view.faults) : 0;

	if (!ret)
		ret = ask(watch, "stats", &stats);
	if (ret)
		return ret;
	now_ms = client_now_ms();
	watch->view.elapsed = (double)(now_ms - watch->taken_ms) / 1000;
	watch->taken_ms = now_ms;
	json_decref(watch->view.before);
	watch->view.before = watch->view.stats;
	watch->view.stats = stats;
	return 0;
}

static void draw_screen(struct watch *watch)
{
	char *frame = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&frame, &size);
	int rows, columns;

	if (!memory)
		return;
	terminal_size(&rows, &columns);
	view_print(memory, &watch->view, rows, columns);
	fclose(memory);
	terminal_draw(frame, rows, columns);
	free(frame);
}

static void print_block(struct watch *watch)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm local;

	localtime_r(&now, &local);
	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &local);
	printf("---- %s\n", stamp);
	view_print(stdout, &watch->view, 0, 80);
	putchar('\n');
}

static void show(struct watch *watch)
{
	if (watch->options->json) {
		json_dumpf(watch->view.stats, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (watch->terminal.screen) {
		draw_screen(watch);
	} else {
		print_block(watch);
	}
	/* A reader that has gone ends this; the error is told by main(). */
	if (fflush(stdout))
		watch->over = true;
}

/* ---- waiting ---------------------------------------------------------------------------- */

/* Ctrl-Z: the shell gets its screen back until fg. */
static void suspend(struct watch *watch)
{
	terminal_leave(&watch->terminal);
	raise(SIGSTOP);
	terminal_enter(&watch->terminal);
}

static void take_signals(struct watch *watch)
{
	int number;

	while ((number = signals_next(watch->client->wake_fd))) {
		if (number == SIGTSTP)
			suspend(watch);
		else if (number != SIGWINCH)
			watch->over = true;
	}
	if (watch->terminal.entered && watch->view.stats && !watch->over)
		show(watch);
}

/* Until the time has come, the user wants to end, or the daemon says something unasked. */
static void pass_time(struct watch *watch, int64_t until_ms)
{
	int64_t left;

	while (!watch->over && (left = until_ms - client_now_ms()) > 0) {
		struct pollfd polls[] = {
			{.fd = watch->client->fd, .events = POLLIN},
			{.fd = watch->client->wake_fd, .events = POLLIN},
			{.fd = watch->terminal.keys ? STDIN_FILENO : -1, .events = POLLIN},
		};

		if (poll(polls, 3, (int)left) < 0 && errno != EINTR)
			return;
		if (polls[1].revents)
			take_signals(watch);
		if (polls[2].revents && terminal_quit_key(&watch->terminal))
			watch->over = true;
		if (polls[0].revents)
			return; /* gone, most likely: the next request finds out */
	}
}

static int turn(struct watch *watch)
{
	int64_t next_ms = client_now_ms();
	int ret;

	while (!watch->over) {
		ret = take(watch);
		if (ret == -EINTR) {
			take_signals(watch);
			continue;
		}
		if (ret)
			return ret;
		show(watch);
		next_ms += watch->options->interval_ms;
		if (next_ms < client_now_ms())
			next_ms = client_now_ms();
		pass_time(watch, next_ms);
	}
	return 0;
}

/* ---- start and end ---------------------------------------------------------------------- */

static void release(struct watch *watch)
{
	terminal_leave(&watch->terminal);
	json_decref(watch->params);
	json_decref(watch->view.stats);
	json_decref(watch->view.before);
	json_decref(watch->view.faults);
	close(watch->client->wake_fd);
	watch->client->wake_fd = -1;
}

enum ctl_exit watch_run(const struct options *options, struct client *client, json_t *help)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, 0};
	struct watch watch = {
		.options = options,
		.client = client,
		.view = {.path = options->control_path, .remote = options->remote},
		.has_faults = help_find(help, "faults") != NULL,
		.params = json_object(),
	};
	int ret;

	client->wake_fd = signals_open(numbers);
	if (client->wake_fd < 0) {
		json_decref(watch.params);
		return ctl_complain(CTL_REFUSED, "cannot take signals: %s",
				    strerror(-client->wake_fd));
	}
	if (options->remote)
		json_object_set_new(watch.params, "remote", json_string(options->remote));
	terminal_open(&watch.terminal);
	if (!options->json && watch.terminal.screen)
		terminal_enter(&watch.terminal);
	ret = turn(&watch);
	release(&watch);
	if (!ret)
		return CTL_DONE;
	return ctl_complain(ret > 0 ? CTL_REFUSED : CTL_UNREACHABLE, "%s", client->error);
}
