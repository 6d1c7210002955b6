/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages into the remote, in any dialect, with any services, pacing and faults, on rings that
 * are well formed (ring contents are what target virtqueue is for).
 *
 * Oracles: messages received = delivered + all of dropped; the ledger of common/rig.h as long as
 * no fault makes the remote lie; a host that did nothing wrong is blamed for nothing; a remote
 * that was left alone comes to rest; events tell what can be.
 */
#include <string.h>

#include "common/acts.h"
#include "common/oracle.h"
#include "common/rig.h"
#include "common/target.h"
#include "remote/profile.h"
#include "remote/remote.h"
#include "wire/checked.h"

#define START_TIME UINT64_C(1000000000)
#define MAX_TURNS 4096 /* of remote_run() before it is taken to be endless */
#define BACKLOG 32
#define MAX_CROWD 300
#define MAX_ENDPOINTS 64
#define RULE_STATES 4
#define RULE_PEER 1030

enum {
	OP_CONFIGURE,
	OP_ATTACH,
	OP_DETACH,
	OP_ANNOUNCE,
	OP_WITHDRAW,
	OP_MESSAGE,
	OP_BYTES,
	OP_NAME_SERVICE,
	OP_POST,
	OP_RUN,
	OP_ADVANCE,
	OP_TAKE,
	OP_HOLD,
	OP_RELEASE,
	OP_PACE,
	OP_FAULT,
	OP_SEND,
	OP_CONFIG_WRITE,
	OP_KICK,
	OP_RULE,
	OP_SERVE,
	OP_OPTIONS,
	OP_CROWD,
	OP_COUNT
};

static const struct oplist_op ops[OP_COUNT] = {
	[OP_CONFIGURE] = {.name = "configure",
			  .fields = {{"profile", 1, OPLIST_CHOICE, 6},
				     {"to_host_size", 4, OPLIST_LENGTH, 0},
				     {"to_remote_size", 4, OPLIST_LENGTH, 0},
				     {"seed", 4, OPLIST_NUMBER, 0}}},
	[OP_ATTACH] = {.name = "attach",
		       .fields = {{"without", 8, OPLIST_BITS, 0},
				  {"input_entries", 1, OPLIST_CHOICE, RIG_MAX_ENTRIES},
				  {"output_entries", 1, OPLIST_CHOICE, RIG_MAX_ENTRIES},
				  {"buffers", 1, OPLIST_COUNT, 0}}},
	[OP_DETACH] = {.name = "detach"},
	[OP_ANNOUNCE] = ACT_ANNOUNCE,
	[OP_WITHDRAW] = ACT_WITHDRAW,
	[OP_MESSAGE] = {.name = "message",
			.tail = "payload",
			.fields = {{"source", 4, OPLIST_ADDRESS, 0},
				   {"destination", 4, OPLIST_ADDRESS, 0},
				   {"pieces", 1, OPLIST_COUNT, 8}}},
	[OP_BYTES] = {.name = "bytes",
		      .tail = "message",
		      .fields = {{"pieces", 1, OPLIST_COUNT, 8}}},
	[OP_NAME_SERVICE] = {.name = "name_service",
			     .tail = "name",
			     .fields = {{"source", 4, OPLIST_ADDRESS, 0},
					{"address", 4, OPLIST_ADDRESS, 0},
					{"flags", 4, OPLIST_BITS, 0}}},
	[OP_POST] = {.name = "post",
		     .fields = {{"count", 1, OPLIST_COUNT, 0}, {"size", 4, OPLIST_LENGTH, 0}}},
	[OP_RUN] = {.name = "run", .fields = {{"budget", 1, OPLIST_COUNT, 0}}},
	[OP_ADVANCE] = {.name = "advance", .fields = {{"nanoseconds", 8, OPLIST_TIME, 0}}},
	[OP_TAKE] = {.name = "take", .fields = {{"queue", 1, OPLIST_CHOICE, 2}}},
	[OP_HOLD] = ACT_HOLD,
	[OP_RELEASE] = ACT_RELEASE,
	[OP_PACE] = ACT_PACE,
	[OP_FAULT] = ACT_FAULT,
	[OP_SEND] = ACT_SEND,
	[OP_CONFIG_WRITE] = {.name = "config_write",
			     .tail = "bytes",
			     .fields = {{"offset", 4, OPLIST_INDEX, 0}}},
	[OP_KICK] = {.name = "kick",
		     .fields = {{"queue", 1, OPLIST_CHOICE, 2}, {"count", 8, OPLIST_COUNT, 0}}},
	[OP_RULE] = {.name = "rule",
		     .tail = "text",
		     .fields = {{"match", 1, OPLIST_CHOICE, SCRIPT_MATCH_PEER + 1},
				{"then", 1, OPLIST_CHOICE, SCRIPT_THEN_DROP + 1},
				{"in_state", 1, OPLIST_CHOICE, RULE_STATES + 1},
				{"next_state", 1, OPLIST_CHOICE, RULE_STATES + 1},
				{"times", 1, OPLIST_COUNT, 0},
				{"count", 1, OPLIST_COUNT, 0},
				{"delay", 8, OPLIST_TIME, 0},
				{"flags", 1, OPLIST_CHOICE, 16}}},
	[OP_SERVE] = {.name = "serve", .fields = {{"budget", 1, OPLIST_COUNT, 0}}},
	[OP_OPTIONS] = {.name = "options",
			.fields = {{"offered_set", 1, OPLIST_CHOICE, 2},
				   {"offered", 8, OPLIST_BITS, 0},
				   {"layout", 1, OPLIST_CHOICE, 8},
				   {"check", 1, OPLIST_CHOICE, REMOTE_CHECK_STRICT + 1},
				   {"large", 1, OPLIST_CHOICE, 2},
				   {"listener", 1, OPLIST_CHOICE, 3}}},
	[OP_CROWD] = {.name = "crowd", .fields = {{"endpoints", 2, OPLIST_CHOICE, MAX_CROWD + 1}}},
};

static const struct oplist_schema schema = {
	.name = "remote",
	.id = 1,
	.count = OP_COUNT,
	.ops = ops,
	.memory_start = RIG_MEMORY,
	.memory_size = RIG_MEMORY_SIZE,
};

struct state {
	struct rig rig;
	struct remote *remote;
	struct remote_config config;
	struct violation_sink sink;
	uint64_t features, now;
	bool attached, crashed;
	bool guilty; /* the host did something that may be blamed */
	bool large;  /* remotes are made as large as they are without an option */
	const struct remote_ops *ops;
	struct script script;
	struct script_rule rules[SCRIPT_RULES_MAX];
};

/* ---- the remote's owner ------------------------------------------------------------------- */

static uint64_t on_now(void *ctx)
{
	const struct state *state = ctx;

	return state->now;
}

static void on_call(void *ctx, unsigned int queue)
{
	ORACLE("call-queue", queue < RPMSG_NUM_QUEUES, "interrupt for queue %u", queue);
}

static void on_broken(void *ctx, unsigned int queue)
{
	const struct state *state = ctx;

	/* Rings are well formed here, whatever the messages are. */
	ORACLE("queue-broken", state->rig.lies, "queue %u of a well-formed ring is broken", queue);
}

static void on_life(void *ctx, enum remote_life what)
{
	struct state *state = ctx;

	if (what == REMOTE_LIFE_CRASH)
		state->crashed = true;
}

static void on_violation(void *ctx, const struct violation_record *record)
{
	const struct state *state = ctx;

	ORACLE("innocent-host", state->guilty, "%s (%s): expected %llu, seen %llu",
	       violation_name(record->what), violation_requirement(record->what),
	       (unsigned long long)record->expected, (unsigned long long)record->seen);
}

static void on_wake(void *ctx)
{
}

static bool on_quiet(void *ctx)
{
	return true;
}

static void on_event(void *ctx, const struct remote_event *event)
{
	ORACLE("event", event->type <= REMOTE_EVENT_CONFIG, "an event of type %d", event->type);
	ORACLE("event-queue",
	       event->queue < RPMSG_NUM_QUEUES || event->queue == REMOTE_NO_QUEUE ||
		       event->type == REMOTE_EVENT_FAULT,
	       "queue %u", event->queue);
	ORACLE("event-name", (event->type == REMOTE_EVENT_NS) == (event->ns != NULL),
	       "type %d, and a name-service message or none", event->type);
	/* What is sent may have a header that lies, on purpose. */
	if (event->type != REMOTE_EVENT_MESSAGE)
		return;
	ORACLE("event-payload",
	       event->payload_size == 0 ||
		       (event->payload != NULL && event->payload_size <= event->hdr.len),
	       "%u bytes of a message of %u", event->payload_size, event->hdr.len);
	ORACLE("event-drop", event->delivered || event->drop < REMOTE_DROP_COUNT,
	       "dropped for reason %d", event->drop);
}

/* Nobody listens; somebody does; somebody does, but not to single messages. */
static const struct remote_ops remote_ops[] = {
	{.now = on_now, .call = on_call, .queue_broken = on_broken, .life = on_life},
	{.now = on_now,
	 .call = on_call,
	 .queue_broken = on_broken,
	 .wake = on_wake,
	 .event = on_event,
	 .life = on_life},
	{.now = on_now,
	 .call = on_call,
	 .queue_broken = on_broken,
	 .event = on_event,
	 .quiet = on_quiet,
	 .life = on_life},
};

/* ---- oracles ------------------------------------------------------------------------------ */

static void check_balance(const struct state *state)
{
	const struct remote_stats *stats = remote_get_stats(state->remote);
	uint64_t accounted = stats->delivered;

	for (unsigned int i = 0; i < REMOTE_DROP_COUNT; i++)
		accounted += stats->dropped[i];
	ORACLE("balance", stats->received == accounted,
	       "%llu messages were received, %llu delivered or dropped",
	       (unsigned long long)stats->received, (unsigned long long)accounted);
}

/* ---- operations --------------------------------------------------------------------------- */

static void detach(struct state *state)
{
	if (!state->attached)
		return;
	remote_detach(state->remote);
	for (unsigned int i = 0; i < RPMSG_NUM_QUEUES; i++)
		while (rig_take(&state->rig, i, NULL, NULL))
			;
	rig_stop(&state->rig);
	state->attached = state->crashed = false;
}

static void make_remote(struct state *state)
{
	int ret;

	detach(state);
	remote_free(state->remote);
	state->remote = NULL;
	state->config.backlog = state->large ? 0 : BACKLOG;
	state->config.max_endpoints = state->large ? 0 : MAX_ENDPOINTS;
	state->config.max_queue = state->large ? 0 : RIG_MAX_ENTRIES;
	ret = remote_new(&state->remote, &state->config, state->ops, state, &state->sink);
	if (ret != 0) {
		memset(state->config.buffer_size, 0, sizeof(state->config.buffer_size));
		ret = remote_new(&state->remote, &state->config, state->ops, state, &state->sink);
	}
	ORACLE("remote-new", ret == 0, "no remote: %d", ret);
}

static void attach(struct state *state, uint64_t without, const uint32_t *num, uint32_t buffers)
{
	bool lies = state->rig.lies;

	detach(state);
	memset(&state->rig, 0, sizeof(state->rig));
	state->rig.lies = lies;
	state->features = remote_offered_features(state->remote) & ~without;
	rig_start(&state->rig, num, state->features, &state->sink);
	/* Buffers of the usual size: what is agreed on is told after that; without any it is late.
	 */
	if (buffers == 0 || state->config.buffer_size[RPMSG_QUEUE_INPUT] != 0 ||
	    state->config.buffer_size[RPMSG_QUEUE_OUTPUT] != 0)
		state->guilty = true;
	for (uint32_t i = 0; i < buffers; i++) {
		uint32_t size = remote_buffer_size(state->remote, RPMSG_QUEUE_INPUT);

		if (!rig_post(&state->rig, size != 0 ? size : RPMSG_BUF_SIZE))
			break;
	}
	ORACLE("attach",
	       remote_attach(state->remote, &state->rig.queues[RPMSG_QUEUE_INPUT].vq,
			     &state->rig.queues[RPMSG_QUEUE_OUTPUT].vq, state->features) == 0,
	       "a detached remote refuses a host");
	state->attached = true;
}

static enum wire_order order(const struct state *state)
{
	return rpmsg_order((state->features & VIRTIO_BIT(VIRTIO_F_VERSION_1)) != 0);
}

static void send_message(struct state *state, const struct rpmsg_hdr *hdr, const uint8_t *payload,
			 size_t size, uint32_t pieces)
{
	uint8_t bytes[RIG_BUFFER_SIZE];

	rpmsg_hdr_encode(hdr, bytes, order(state));
	if (size != 0)
		memcpy(bytes + RPMSG_HDR_SIZE, payload, size);
	(void)rig_send(&state->rig, bytes, (uint32_t)(RPMSG_HDR_SIZE + size), pieces);
}

static void host_message(struct state *state, const struct oplist_item *item)
{
	struct rpmsg_hdr hdr = {
		.src = (uint32_t)oplist_get(&schema, item, 0),
		.dst = (uint32_t)oplist_get(&schema, item, 1),
	};
	uint32_t pieces = 1 + (uint32_t)oplist_get(&schema, item, 2);
	const uint8_t *payload;
	size_t size;

	payload = oplist_tail(&schema, item, &size);
	if (size > RIG_BUFFER_SIZE - RPMSG_HDR_SIZE)
		size = RIG_BUFFER_SIZE - RPMSG_HDR_SIZE;
	hdr.len = (uint16_t)size;
	if (hdr.src == RPMSG_ADDR_ANY || hdr.dst == RPMSG_ADDR_ANY || hdr.dst == RPMSG_ADDR_NS ||
	    size > RPMSG_MAX_PAYLOAD || pieces != 1)
		state->guilty = true;
	send_message(state, &hdr, payload, size, pieces);
}

static void host_bytes(struct state *state, const struct oplist_item *item)
{
	const uint8_t *bytes;
	size_t size;

	bytes = oplist_tail(&schema, item, &size);
	state->guilty = true;
	(void)rig_send(&state->rig, bytes,
		       (uint32_t)(size < RIG_BUFFER_SIZE ? size : RIG_BUFFER_SIZE),
		       1 + (uint32_t)oplist_get(&schema, item, 0));
}

static void host_name_service(struct state *state, const struct oplist_item *item)
{
	struct rpmsg_hdr hdr = {
		.src = (uint32_t)oplist_get(&schema, item, 0),
		.dst = RPMSG_ADDR_NS,
		.len = RPMSG_NS_MSG_SIZE,
	};
	uint8_t payload[RPMSG_NS_MSG_SIZE];
	char name[RPMSG_NAME_SIZE];

	act_name(name, sizeof(name), &schema, item);
	rpmsg_ns_encode(name, (uint32_t)oplist_get(&schema, item, 1),
			(uint32_t)oplist_get(&schema, item, 2), payload, order(state));
	state->guilty = true;
	send_message(state, &hdr, payload, sizeof(payload), 1);
}

static void post(struct state *state, uint64_t count, uint32_t size)
{
	/* Every buffer is to be as large as the first one. */
	if (size != RPMSG_BUF_SIZE || state->config.profile != profile_at(0))
		state->guilty = true;
	for (uint64_t i = 0; i < count; i++)
		if (!rig_post(&state->rig, size))
			break;
}

static void set_fault(struct state *state, const struct oplist_item *item)
{
	/* What is no longer as the host knows it may make it look guilty, too. */
	rig_expect_lies(&state->rig);
	state->guilty = true;
	act_fault(state->remote, &schema, item);
}

static void config_write(struct state *state, const struct oplist_item *item)
{
	uint32_t offset = (uint32_t)oplist_get(&schema, item, 0);
	uint32_t room = remote_config_size(state->remote);
	const uint8_t *bytes;
	uint8_t back[CONFIG_MAX_SIZE];
	size_t size;

	bytes = oplist_tail(&schema, item, &size);
	state->guilty = true;
	/* The range is for the caller to check: sim/vhost does. */
	if (offset > room || size > room - offset)
		return;
	(void)remote_config_write(state->remote, offset, (uint32_t)size, bytes);
	ORACLE("config-read", remote_config_read(state->remote, 0, room, back) == 0,
	       "the configuration space cannot be read");
}

static void configure(struct state *state, const struct oplist_item *item)
{
	state->config = (struct remote_config){
		.profile = profile_at((unsigned int)oplist_get(&schema, item, 0)),
		.buffer_size = {(uint32_t)oplist_get(&schema, item, 1),
				(uint32_t)oplist_get(&schema, item, 2)},
		.seed = oplist_get(&schema, item, 3),
	};
	make_remote(state);
}

static void set_options(struct state *state, const struct oplist_item *item)
{
	state->config.offered_set = oplist_get(&schema, item, 0) != 0;
	state->config.offered = state->config.offered_set ? oplist_get(&schema, item, 1) : 0;
	state->config.layout = config_layout_at((unsigned int)oplist_get(&schema, item, 2));
	state->config.check = (enum remote_check)oplist_get(&schema, item, 3);
	state->large = oplist_get(&schema, item, 4) != 0;
	state->ops = &remote_ops[oplist_get(&schema, item, 5)];
	/* A dialect of one's own may not be what a host goes by. */
	state->guilty = true;
	make_remote(state);
}

/* Rules are only added: services that use them go on to. */
static void add_rule(struct state *state, const struct oplist_item *item)
{
	struct script_rule *rule = &state->rules[state->script.rule_count];
	uint64_t in = oplist_get(&schema, item, 2), next = oplist_get(&schema, item, 3);
	uint64_t flags = oplist_get(&schema, item, 7);
	const uint8_t *tail;
	size_t size;

	if (state->script.rule_count == SCRIPT_RULES_MAX)
		return;
	tail = oplist_tail(&schema, item, &size);
	if (size > RPMSG_MAX_PAYLOAD)
		size = RPMSG_MAX_PAYLOAD;
	*rule = (struct script_rule){
		.in_state = in < RULE_STATES ? (uint16_t)in : SCRIPT_ANY_STATE,
		.next_state = next < RULE_STATES ? (uint16_t)next : SCRIPT_ANY_STATE,
		.match = (enum script_match)oplist_get(&schema, item, 0),
		.pattern = tail,
		.pattern_size = (uint32_t)size / 2,
		.min = (uint32_t)oplist_get(&schema, item, 5),
		.max = (uint32_t)size,
		.from = (flags & 4) != 0 ? RULE_PEER : RPMSG_ADDR_ANY,
		.times = (uint32_t)oplist_get(&schema, item, 4),
		.echo = (flags & 1) != 0,
		.answer = (flags & 3) == 2,
		.reply = tail,
		.reply_size = (uint32_t)size,
		.count = 1,
		.to = (flags & 8) != 0 ? RULE_PEER : RPMSG_ADDR_ANY,
		.then = (enum script_then)oplist_get(&schema, item, 1),
	};
	if (rule->answer) {
		rule->count += (uint32_t)oplist_get(&schema, item, 5);
		rule->delay = oplist_get(&schema, item, 6) >> 1;
	}
	state->script.rule_count++;
}

/* Endpoints that nobody is told of; with many of them messages are looked at ahead. */
static void add_crowd(struct state *state, uint64_t count)
{
	const struct service_params params = {.quiet = true};
	const struct service_kind *echo = service_kind_find("echo");

	while (count-- > 0) {
		uint32_t addr = RPMSG_ADDR_ANY;

		if (remote_announce(state->remote, "one-of-many", echo, &params, &addr) != 0)
			break;
	}
}

static void settle(struct state *state)
{
	unsigned int turns = 0;

	while (turns < MAX_TURNS && remote_run(state->remote, 64))
		turns++;
	ORACLE("rest", turns < MAX_TURNS, "the remote is not at rest after %u turns", turns);
}

/* Operations that need a host. */
static void attached_op(struct state *state, const struct oplist_item *item)
{
	switch (item->code) {
	case OP_MESSAGE:
		host_message(state, item);
		break;
	case OP_BYTES:
		host_bytes(state, item);
		break;
	case OP_NAME_SERVICE:
		host_name_service(state, item);
		break;
	case OP_POST:
		post(state, oplist_get(&schema, item, 0), (uint32_t)oplist_get(&schema, item, 1));
		break;
	case OP_TAKE:
		while (rig_take(&state->rig, (unsigned int)oplist_get(&schema, item, 0), NULL,
				NULL))
			;
		break;
	case OP_KICK:
		/* Kicks that nobody asked for are told. */
		state->guilty = true;
		remote_kick(state->remote, (unsigned int)oplist_get(&schema, item, 0),
			    oplist_get(&schema, item, 1));
		break;
	default:
		break;
	}
}

static void one_op(struct state *state, const struct oplist_item *item)
{
	switch (item->code) {
	case OP_CONFIGURE:
		configure(state, item);
		break;
	case OP_ATTACH:
		attach(state, oplist_get(&schema, item, 0),
		       (uint32_t[]){1 + (uint32_t)oplist_get(&schema, item, 1),
				    1 + (uint32_t)oplist_get(&schema, item, 2)},
		       (uint32_t)oplist_get(&schema, item, 3));
		break;
	case OP_DETACH:
		detach(state);
		break;
	case OP_ANNOUNCE:
		act_announce(state->remote, &schema, item, &state->script);
		break;
	case OP_WITHDRAW:
		act_withdraw(state->remote, &schema, item);
		break;
	case OP_RUN:
		(void)remote_run(state->remote, (unsigned int)oplist_get(&schema, item, 0));
		break;
	case OP_ADVANCE:
		if (!checked_add64(state->now, oplist_get(&schema, item, 0) >> 1, &state->now))
			state->now = UINT64_MAX / 2;
		break;
	case OP_HOLD:
		act_hold(state->remote, &schema, item);
		break;
	case OP_RELEASE:
		act_release(state->remote, &schema, item);
		break;
	case OP_PACE:
		act_pace(state->remote, &schema, item);
		break;
	case OP_FAULT:
		set_fault(state, item);
		break;
	case OP_SEND:
		/* A used length that was asked for may be a lie. */
		if (oplist_get(&schema, item, 5) != 0)
			rig_expect_lies(&state->rig);
		(void)act_send(state->remote, &schema, item);
		break;
	case OP_CONFIG_WRITE:
		config_write(state, item);
		break;
	case OP_RULE:
		add_rule(state, item);
		break;
	case OP_SERVE:
		if (remote_has_work(state->remote))
			remote_serve(state->remote, (unsigned int)oplist_get(&schema, item, 0));
		break;
	case OP_OPTIONS:
		set_options(state, item);
		break;
	case OP_CROWD:
		add_crowd(state, oplist_get(&schema, item, 0));
		break;
	default:
		if (state->attached)
			attached_op(state, item);
		break;
	}
}

static int run(const uint8_t *data, size_t size)
{
	static struct oplist list;
	static struct state state;

	if (oplist_parse(&list, &schema, data, size) != 0)
		return -1;
	memset(&state, 0, sizeof(state));
	state.now = START_TIME;
	state.sink = (struct violation_sink){.report = on_violation, .ctx = &state};
	state.ops = &remote_ops[0];
	state.script = (struct script){.name = "rules", .rules = state.rules};
	make_remote(&state);
	for (unsigned int i = 0; i < list.count; i++) {
		one_op(&state, &list.items[i]);
		if (state.crashed)
			detach(&state);
		check_balance(&state);
	}
	settle(&state);
	detach(&state);
	check_balance(&state);
	remote_free(state.remote);
	return 0;
}

const struct fuzz_target fuzz_target = {
	.name = "remote",
	.summary = "messages of a host into the remote, with services, dialects, pacing and faults",
	.schema = &schema,
	.run = run,
};
