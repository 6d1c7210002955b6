// SPDX-License-Identifier: GPL-2.0
/* From a line of text to a command with its arguments, and the text of its reply. */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "kapi.h"

static const struct {
	const char *verb;
	int (*run)(struct kapi_call *call);
} commands[] = {
	{"features", kapi_run_features},
	{"events", kapi_run_events},
	{"driver_new", kapi_run_driver_new},
	{"driver_register", kapi_run_driver_register},
	{"driver_unregister", kapi_run_driver_unregister},
	{"driver_free", kapi_run_driver_free},
	{"channel", kapi_run_channel},
	{"endpoint_create", kapi_run_endpoint_create},
	{"endpoint_destroy", kapi_run_endpoint_destroy},
	{"endpoint_set", kapi_run_endpoint_set},
	{"endpoint", kapi_run_endpoint},
	{"receive", kapi_run_receive},
	{"send", kapi_run_send},
	{"sendto", kapi_run_send},
	{"trysend", kapi_run_send},
	{"trysendto", kapi_run_send},
	{"send_offchannel", kapi_run_send},
	{"trysend_offchannel", kapi_run_send},
	{"get_mtu", kapi_run_mtu},
	{"poll", kapi_run_poll},
	{"set_flow_control", kapi_run_flow_control},
};

static const char *const actions[] = {
	[KAPI_KEEP] = "keep",
	[KAPI_ECHO] = "echo",
	[KAPI_TRY_ECHO] = "tryecho",
	[KAPI_DESTROY] = "destroy",
	[KAPI_DESTROY_LATER] = "destroy_later",
	[KAPI_HOLD] = "hold",
};

/**
 * kapi_parse() - Splits a line at its blanks; the words stay in the line.
 *
 * Returns 0, -EINVAL for a line without a word, -E2BIG for one with too many.
 */
int kapi_parse(struct kapi_call *call, char *line)
{
	char *word;

	call->word_count = 0;
	while ((word = strsep(&line, " \n"))) {
		if (!*word)
			continue;
		if (call->word_count == KAPI_WORDS_MAX)
			return -E2BIG;
		call->words[call->word_count++] = word;
	}
	return call->word_count ? 0 : -EINVAL;
}

/**
 * kapi_run() - Runs the command whose verb is the first word.
 *
 * Returns 0 when the API was called, whatever that returned (it is in the reply), -ENOSYS for an
 * unknown verb or one that this kernel's API lacks, -EINVAL for a wrong argument, -ENOENT for an
 * identifier that stands for nothing (any more), and what else a command says.
 */
int kapi_run(struct kapi_call *call)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].verb, call->words[0]))
			return commands[i].run(call);
	return -ENOSYS;
}

/**
 * kapi_text() - Value of the word NAME=VALUE of a command, or NULL.
 */
const char *kapi_text(struct kapi_call *call, const char *name)
{
	size_t length = strlen(name);
	unsigned int i;

	for (i = 1; i < call->word_count; i++)
		if (!strncmp(call->words[i], name, length) && call->words[i][length] == '=')
			return call->words[i] + length + 1;
	return NULL;
}

/**
 * kapi_s64() - A number, decimal or with 0x; `absent` when there is none. 0 or -EINVAL.
 */
int kapi_s64(struct kapi_call *call, const char *name, s64 absent, s64 *value)
{
	const char *text = kapi_text(call, name);

	*value = absent;
	return text && kstrtos64(text, 0, value) ? -EINVAL : 0;
}

/**
 * kapi_int() - The same for what has to fit an int.
 */
int kapi_int(struct kapi_call *call, const char *name, int absent, int *value)
{
	s64 wide;

	if (kapi_s64(call, name, absent, &wide) || wide < INT_MIN || wide > INT_MAX)
		return -EINVAL;
	*value = wide;
	return 0;
}

/**
 * kapi_address() - An rpmsg address; `any`, and none at all, stand for RPMSG_ADDR_ANY.
 */
int kapi_address(struct kapi_call *call, const char *name, u32 *value)
{
	const char *text = kapi_text(call, name);

	*value = RPMSG_ADDR_ANY;
	if (!text || !strcmp(text, "any"))
		return 0;
	return kstrtou32(text, 0, value) ? -EINVAL : 0;
}

/**
 * kapi_action() - The word action=NAME; what a callback does without it is to keep the message.
 */
int kapi_action(struct kapi_call *call, enum kapi_action *action)
{
	const char *text = kapi_text(call, "action");
	unsigned int i;

	*action = KAPI_KEEP;
	if (!text)
		return 0;
	for (i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(actions[i], text))
			continue;
		*action = i;
		return 0;
	}
	return -EINVAL;
}

/**
 * kapi_say() - Appends to the reply; what does not fit is cut.
 */
void kapi_say(struct kapi_call *call, const char *format, ...)
{
	va_list arguments;

	if (call->used && call->used + 1 < call->size && format[0] != '\n')
		call->more[call->used++] = ' ';
	va_start(arguments, format);
	call->used +=
		vscnprintf(call->more + call->used, call->size - call->used, format, arguments);
	va_end(arguments);
}

/**
 * kapi_say_bytes() - Appends NAME=HEXADECIMAL to the reply.
 */
void kapi_say_bytes(struct kapi_call *call, const char *name, const u8 *data, size_t len)
{
	size_t i;

	kapi_say(call, "%s=", name);
	for (i = 0; i < len && call->used + 3 <= call->size; i++)
		call->used += scnprintf(call->more + call->used, call->size - call->used, "%02x",
					data[i]);
}
