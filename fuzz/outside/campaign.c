/* SPDX-License-Identifier: BSD-2-Clause */
#include "outside/campaign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/session_ops.h"
#include "outside/corpus.h"
#include "outside/far.h"
#include "outside/findings.h"
#include "outside/shrink.h"
#include "outside/trouble.h"
#include "outside/victim.h"

#define START_LIMIT_MS 10000 /* for a back-end to begin, or to be started again by others */
#define START_ATTEMPTS 3
#define ALONE_ATTEMPTS 2
#define HISTORY 16 /* inputs before one that cannot be repeated alone */
#define FIRST 8	   /* inputs that are run before new ones are made */
#define MAX_NAMES 256
#define RESCAN_NS INT64_C(5000000000)

struct input {
	uint8_t data[CORPUS_LONGEST];
	size_t size;
};

struct campaign {
	const struct options *options;
	struct campaign_figures *figures;
	struct victim victim;
	struct far far;
	struct corpus corpus;
	bool connected;
	char error[256];
	int64_t end_ns, shrink_end_ns, rescan_ns;

	struct input history[HISTORY]; /* since the back-end was started */
	unsigned int history_count;
	char names[MAX_NAMES][TROUBLE_NAME]; /* of trouble that was looked into */
	unsigned int name_count;
};

volatile sig_atomic_t campaign_stop;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- one run ------------------------------------------------------------------------------ */

/* A back-end that runs and has answered. Return: 0, or -1 with the reason left. */
static int get_ready(struct campaign *c)
{
	int limit =
		c->options->limit_ms > START_LIMIT_MS ? (int)c->options->limit_ms : START_LIMIT_MS;

	for (unsigned int i = 0; i < START_ATTEMPTS && !c->connected && !campaign_stop; i++) {
		enum line_state state;

		if (victim_start(&c->victim, c->error, sizeof(c->error)) < 0)
			return -1;
		state = far_greet(&c->far, limit);
		c->connected = state == LINE_FINE;
		c->figures->starts = c->victim.starts;
		c->history_count = 0;
		if (c->connected)
			break;
		victim_kill(&c->victim);
		snprintf(c->error, sizeof(c->error), "%s",
			 state == LINE_ENDED	 ? "the back-end ended before it was asked anything"
			 : c->far.line.listening ? "the back-end does not answer GET_FEATURES"
						 : "nobody listens on the back-end's socket");
	}
	return c->connected ? 0 : -1;
}

static void drop_victim(struct campaign *c)
{
	line_leave(&c->far.line);
	victim_kill(&c->victim);
	c->connected = false;
}

/* Return: 1 with trouble set; 0: nothing; -1: the back-end cannot be started. */
static int attempt(struct campaign *c, const struct oplist *list, struct trouble *trouble)
{
	struct far_outcome outcome;
	bool found;

	if (get_ready(c) < 0)
		return -1;
	far_run(&c->far, list, &outcome);
	c->figures->runs++;
	found = trouble_of(trouble, &outcome, &c->victim, c->options->may_exit) &&
		!(trouble->kind == TROUBLE_RULE && c->options->no_rules);
	if (found || outcome.state != LINE_FINE)
		drop_victim(c);
	return found ? 1 : 0;
}

/* ---- findings ----------------------------------------------------------------------------- */

struct question {
	struct campaign *campaign;
	const struct trouble *wanted;
};

static int still_shows(void *ctx, const struct oplist *list)
{
	const struct question *question = ctx;
	struct campaign *c = question->campaign;
	struct trouble trouble;
	int ret;

	if (campaign_stop || now_ns() >= c->shrink_end_ns)
		return -1;
	ret = attempt(c, list, &trouble);
	if (ret <= 0)
		return ret;
	return trouble_is_same(&trouble, question->wanted) ? 1 : 0;
}

/* On a back-end that has seen nothing else; with one more chance for what is a race. */
static bool shows_alone(struct campaign *c, const struct oplist *list, struct trouble *trouble)
{
	struct trouble seen;

	for (unsigned int i = 0; i < ALONE_ATTEMPTS && !campaign_stop; i++) {
		drop_victim(c);
		if (attempt(c, list, &seen) == 1 && trouble_is_same(&seen, trouble)) {
			*trouble = seen;
			return true;
		}
	}
	return false;
}

/* What ran since the back-end was started, as one list. */
static void join_history(const struct input *history, unsigned int count, struct oplist *list)
{
	static struct oplist part;

	list->count = 0;
	for (unsigned int i = 0; i < count; i++) {
		if (oplist_parse(&part, &session_schema, history[i].data, history[i].size) != 0 ||
		    part.count + 1 > OPLIST_MAX_ITEMS - list->count)
			continue;
		memcpy(&list->items[list->count], part.items, part.count * sizeof(part.items[0]));
		list->count += part.count;
		list->items[list->count++] = (struct oplist_item){.code = SESSION_LEAVE};
	}
}

static bool is_new_name(struct campaign *c, const char *name)
{
	for (unsigned int i = 0; i < c->name_count; i++)
		if (strcmp(c->names[i], name) == 0)
			return false;
	if (c->name_count < MAX_NAMES)
		snprintf(c->names[c->name_count++], TROUBLE_NAME, "%s", name);
	return true;
}

static void write_finding(struct campaign *c, const struct finding_files *found)
{
	struct finding_files files = *found;
	char name[TROUBLE_NAME];
	int ret;

	trouble_name(name, files.trouble, files.list);
	files.name = name;
	files.output = c->victim.output;
	(void)is_new_name(c, name);
	if (!findings_claim(c->options, name)) {
		/* By another job, or in an earlier campaign. */
		printf("again %s: %s\n", name, files.trouble->what);
		return;
	}
	c->figures->findings++;
	ret = findings_write(c->options, &files);
	if (ret < 0)
		fprintf(stderr, "rpmsg-fuzz remote: cannot write %s/%s: %s\n", c->options->findings,
			name, strerror(-ret));
	printf("found %s: %s\n  %u operations (found with %u)%s; again with %s/%s/repro\n", name,
	       files.trouble->what, files.list->count, files.operations,
	       files.repeatable ? "" : ", which do not show it alone", c->options->findings, name);
	fflush(stdout);
}

/* Look into trouble: repeat it, make it short, keep it. */
static void investigate(struct campaign *c, const struct oplist *found, struct trouble *trouble)
{
	static struct input history[HISTORY];
	static struct oplist list, shorter;
	unsigned int history_count = c->history_count;
	struct finding_files files = {
		.trouble = trouble, .list = &list, .operations = found->count};
	struct trouble shorter_trouble = *trouble;
	struct question question = {c, trouble};
	unsigned int name_count = c->name_count;
	char name[TROUBLE_NAME];

	c->figures->times++;
	trouble_name(name, trouble, found);
	if (!is_new_name(c, name))
		return;
	memcpy(history, c->history, sizeof(history));
	list = *found;
	files.repeatable = shows_alone(c, &list, trouble);
	if (!files.repeatable && history_count > 1) {
		join_history(history, history_count, &list);
		files.repeatable = shows_alone(c, &list, trouble);
		if (!files.repeatable)
			list = *found;
	}
	if (files.repeatable) {
		shorter = list;
		c->shrink_end_ns = now_ns() + (int64_t)(c->options->shrink_seconds * 1e9);
		shrink(&session_schema, &shorter, still_shows, &question);
		/* It may be that it took what one of the longer ones had left behind. */
		if (shows_alone(c, &shorter, &shorter_trouble)) {
			list = shorter;
			*trouble = shorter_trouble;
		} else {
			(void)shows_alone(c, &list, trouble);
		}
	}
	/* On a machine that was busy for a moment a back-end looks wedged that is not. */
	if (trouble->kind == TROUBLE_WEDGE && !files.repeatable) {
		printf("not kept, since it does not show again: %s, for %u ms\n", trouble->what,
		       c->options->limit_ms);
		c->figures->times--;
		c->name_count = name_count;
		return;
	}
	write_finding(c, &files);
}

/* ---- the campaign ------------------------------------------------------------------------- */

static void remember(struct campaign *c, const uint8_t *data, size_t size)
{
	struct input *input;

	if (c->history_count == HISTORY) {
		memmove(&c->history[0], &c->history[1], (HISTORY - 1) * sizeof(c->history[0]));
		c->history_count--;
	}
	input = &c->history[c->history_count++];
	memcpy(input->data, data, size);
	input->size = size;
}

/* Return: 0, or -1 when it cannot go on. */
static int one_input(struct campaign *c, const uint8_t *data, size_t size, bool is_seed)
{
	static struct oplist list;
	struct trouble trouble;
	int ret;

	if (oplist_parse(&list, &session_schema, data, size) != 0)
		return 0;
	if (get_ready(c) < 0)
		return -1;
	remember(c, data, size);
	ret = attempt(c, &list, &trouble);
	if (ret == 1) {
		investigate(c, &list, &trouble);
		return 0;
	}
	if (ret == 0 && corpus_judge(&c->corpus, &c->far, &c->victim) && !is_seed)
		(void)corpus_add(&c->corpus, data, size, true);
	c->figures->inputs = c->corpus.count;
	c->figures->seen = c->corpus.seen;
	c->figures->reached = c->corpus.reached;
	c->figures->counted = victim_is_counted(&c->victim);
	return ret;
}

static bool is_over(const struct campaign *c)
{
	if (c->options->stop_after != 0 && c->figures->findings >= c->options->stop_after)
		return true;
	return campaign_stop || (c->end_ns != 0 && now_ns() >= c->end_ns) ||
	       (c->options->runs != 0 && c->figures->runs >= c->options->runs);
}

/* Inputs that others have made are run in turn with new ones. */
static int attack(struct campaign *c)
{
	static uint8_t data[CORPUS_LONGEST];
	struct corpus *corpus = &c->corpus;

	for (uint64_t turn = 0; !is_over(c); turn++) {
		unsigned int before = corpus->count;

		if (corpus->ready < before && (turn % 2 == 0 || corpus->ready < FIRST)) {
			const struct corpus_input *seed = &corpus->inputs[corpus->ready++];

			if (one_input(c, seed->data, seed->size, true) < 0)
				return -1;
			continue;
		}
		if (one_input(c, data, corpus_make(corpus, &c->far, data), false) < 0)
			return -1;
		/* One that was kept has been run; it changes places with one that has not. */
		if (corpus->count > before) {
			struct corpus_input kept = corpus->inputs[before];

			corpus->inputs[before] = corpus->inputs[corpus->ready];
			corpus->inputs[corpus->ready++] = kept;
		}
		if (c->options->jobs > 1 && c->options->corpus != NULL &&
		    now_ns() >= c->rescan_ns) {
			(void)corpus_read(corpus, c->options->corpus);
			c->rescan_ns = now_ns() + RESCAN_NS;
		}
	}
	return 0;
}

/* Where to begin. Return: 0, or -1 with the reason left. */
static int read_corpus(struct campaign *c)
{
	const struct options *options = c->options;
	int ret;

	if (options->corpus != NULL) {
		(void)mkdir(options->corpus, 0777);
		ret = corpus_read(&c->corpus, options->corpus);
		if (ret < 0) {
			snprintf(c->error, sizeof(c->error), "--corpus: %.100s: %s",
				 options->corpus, strerror(-ret));
			return -1;
		}
	}
	/* Not there once it is installed. */
	if (!options->no_seeds)
		(void)corpus_read(&c->corpus, FUZZ_SEEDS);
	corpus_add_builtin(&c->corpus);
	corpus_sort(&c->corpus);
	return 0;
}

static int begin(struct campaign *c, const struct options *options, unsigned int job,
		 struct campaign_figures *figures)
{
	int ret;

	c->options = options;
	c->figures = figures;
	ret = victim_init(&c->victim, options->launch, options->socket, c->error, sizeof(c->error));
	if (ret == 0)
		ret = far_init(&c->far, &c->victim, (int)options->limit_ms);
	if (ret == 0)
		ret = corpus_init(&c->corpus, options->corpus, options->seed + job);
	if (ret < 0 && c->error[0] == '\0')
		snprintf(c->error, sizeof(c->error), "cannot begin: %s", strerror(-ret));
	return ret;
}

static void end(struct campaign *c)
{
	far_fini(&c->far);
	victim_fini(&c->victim);
	corpus_fini(&c->corpus);
}

/* With what the back-end printed: most often that is the reason. */
static void complain(struct campaign *c)
{
	fprintf(stderr, "rpmsg-fuzz remote: %s\n", c->error);
	if (c->victim.output != NULL && c->victim.output_size != 0)
		fprintf(stderr, "what it printed:\n%s", c->victim.output);
}

static struct campaign *make(void)
{
	struct campaign *c = calloc(1, sizeof(*c));

	if (c == NULL)
		fputs("rpmsg-fuzz remote: no memory\n", stderr);
	return c;
}

int campaign_run(const struct options *options, unsigned int job, struct campaign_figures *figures)
{
	struct campaign *c = make();
	int ret;

	if (c == NULL)
		return STATUS_USAGE;
	ret = begin(c, options, job, figures);
	if (ret == 0)
		ret = read_corpus(c);
	if (ret == 0)
		ret = get_ready(c);
	if (ret == 0) {
		if (options->seconds != 0)
			c->end_ns = now_ns() + (int64_t)(options->seconds * 1e9);
		ret = attack(c);
	}
	if (ret < 0 && !campaign_stop)
		complain(c);
	end(c);
	free(c);
	if (figures->times != 0)
		return STATUS_FOUND;
	return ret < 0 && !campaign_stop ? STATUS_USAGE : STATUS_NOTHING;
}

/* ---- replay ------------------------------------------------------------------------------- */

/* Return: bytes; 0 with the reason printed. */
static size_t read_input(const char *path, uint8_t *data, struct oplist *list)
{
	FILE *file = fopen(path, "re");
	size_t size;

	if (file == NULL) {
		fprintf(stderr, "rpmsg-fuzz remote: %s: %s\n", path, strerror(errno));
		return 0;
	}
	size = fread(data, 1, FINDINGS_LONGEST, file);
	fclose(file);
	if (oplist_parse(list, &session_schema, data, size) == 0)
		return size;
	fprintf(stderr, "rpmsg-fuzz remote: %s is no operation list of target session\n", path);
	return 0;
}

static int replay_one(struct campaign *c, const char *path)
{
	static uint8_t data[FINDINGS_LONGEST];
	static struct oplist list;
	struct trouble trouble;
	char name[TROUBLE_NAME];
	int ret = 0;

	if (read_input(path, data, &list) == 0)
		return STATUS_USAGE;
	for (unsigned int i = 0; i < ALONE_ATTEMPTS && ret == 0; i++) {
		drop_victim(c);
		ret = attempt(c, &list, &trouble);
	}
	if (ret < 0) {
		complain(c);
		return STATUS_USAGE;
	}
	if (ret == 0) {
		printf("%s: nothing\n", path);
		return STATUS_NOTHING;
	}
	trouble_name(name, &trouble, &list);
	printf("%s: %s: %s\n%s", path, name, trouble.what, c->victim.output);
	return STATUS_FOUND;
}

int campaign_replay(const struct options *options)
{
	struct campaign_figures figures = {0};
	struct campaign *c = make();
	int status = STATUS_NOTHING;

	if (c == NULL)
		return STATUS_USAGE;
	if (begin(c, options, 0, &figures) < 0) {
		complain(c);
		status = STATUS_USAGE;
	}
	for (unsigned int i = 0; i < options->replay_count && status != STATUS_USAGE; i++) {
		int one = replay_one(c, options->replay[i]);

		status = one > status ? one : status;
	}
	end(c);
	free(c);
	return status;
}
