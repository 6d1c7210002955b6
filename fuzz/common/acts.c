/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/acts.h"

#include <string.h>

#include "remote/fault.h"

void act_name(char *name, size_t room, const struct oplist_schema *schema,
	      const struct oplist_item *item)
{
	const uint8_t *tail;
	size_t size;

	tail = oplist_tail(schema, item, &size);
	if (size >= room)
		size = room - 1;
	memset(name, 0, room);
	if (size != 0)
		memcpy(name, tail, size);
}

void act_service(const struct oplist_schema *schema, const struct oplist_item *item,
		 struct act_service *to)
{
	uint64_t flags = oplist_get(schema, item, 6);

	act_name(to->name, sizeof(to->name), schema, item);
	to->kind = service_kind_at(oplist_get(schema, item, 0) & 31);
	to->addr = (uint32_t)oplist_get(schema, item, 1);
	to->params = (struct service_params){
		.size = (uint32_t)oplist_get(schema, item, 2),
		.rate = (uint32_t)oplist_get(schema, item, 3),
		.messages = oplist_get(schema, item, 4),
		.peer = (uint32_t)oplist_get(schema, item, 5),
		.quiet = (flags & 1) != 0,
		.peer_known = (flags & 2) != 0,
	};
	to->defaults = (flags & 4) != 0;
}

void act_announce(struct remote *remote, const struct oplist_schema *schema,
		  const struct oplist_item *item, const struct script *script)
{
	struct act_service service;

	act_service(schema, item, &service);
	service.params.script = script;
	if (service.kind != NULL)
		(void)remote_announce(remote, service.name, service.kind,
				      service.defaults ? NULL : &service.params, &service.addr);
}

void act_withdraw(struct remote *remote, const struct oplist_schema *schema,
		  const struct oplist_item *item)
{
	uint32_t addr = (uint32_t)oplist_get(schema, item, 0);
	char name[ACT_NAME_SIZE];

	act_name(name, sizeof(name), schema, item);
	(void)remote_withdraw(remote, name, &addr);
}

void act_hold(struct remote *remote, const struct oplist_schema *schema,
	      const struct oplist_item *item)
{
	(void)remote_hold(remote, (unsigned int)oplist_get(schema, item, 0),
			  (uint32_t)oplist_get(schema, item, 1));
}

void act_release(struct remote *remote, const struct oplist_schema *schema,
		 const struct oplist_item *item)
{
	(void)remote_release(remote, (unsigned int)oplist_get(schema, item, 0),
			     (uint32_t)oplist_get(schema, item, 1));
}

void act_pace(struct remote *remote, const struct oplist_schema *schema,
	      const struct oplist_item *item)
{
	struct pace pace = {
		.every = (uint32_t)oplist_get(schema, item, 1),
		.batch = (uint32_t)oplist_get(schema, item, 2),
		.order = (enum pace_order)oplist_get(schema, item, 3),
		.interrupt = (enum pace_interrupt)oplist_get(schema, item, 4),
		.delay = oplist_get(schema, item, 5),
		.interrupt_delay = oplist_get(schema, item, 6),
	};

	(void)remote_pace(remote, (unsigned int)oplist_get(schema, item, 0), &pace);
}

void act_fault(struct remote *remote, const struct oplist_schema *schema,
	       const struct oplist_item *item)
{
	static const enum fault_mode modes[] = {FAULT_MODE_OFF, FAULT_MODE_ALWAYS,
						FAULT_MODE_COUNT};
	struct fault_setting setting = {
		.mode = modes[oplist_get(schema, item, 1)],
		.count = oplist_get(schema, item, 2),
		.after = oplist_get(schema, item, 3),
		.argument_set = oplist_get(schema, item, 4) != 0,
		.argument = (uint32_t)oplist_get(schema, item, 5),
	};

	(void)remote_fault_set(remote, (enum fault)oplist_get(schema, item, 0), &setting);
}

bool act_send(struct remote *remote, const struct oplist_schema *schema,
	      const struct oplist_item *item)
{
	struct remote_message message = {
		.hdr = {.src = (uint32_t)oplist_get(schema, item, 0),
			.dst = (uint32_t)oplist_get(schema, item, 1),
			.len = (uint16_t)oplist_get(schema, item, 2),
			.flags = (uint16_t)oplist_get(schema, item, 3)},
		.used_len = (uint32_t)oplist_get(schema, item, 4),
		.used_len_set = oplist_get(schema, item, 5) != 0,
	};
	size_t size;

	message.payload = oplist_tail(schema, item, &size);
	message.size = (uint32_t)size;
	(void)remote_send(remote, &message);
	return message.used_len_set;
}
