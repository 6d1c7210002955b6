/* SPDX-License-Identifier: BSD-2-Clause */
/* Options that say how a remote behaves: dialect, features, buffers, pacing, faults. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/options_internal.h"
#include "remote/fault.h"
#include "remote/profile.h"

#define NS_PER_US UINT64_C(1000)
#define MAX_DELAY_US (PACE_MAX_DELAY / NS_PER_US)
#define WORDS_SIZE 512

int options_set_profile(struct parser *parser, const struct cli_option *entry, const char *value)
{
	char names[WORDS_SIZE];

	parser->remote->config.profile = profile_find(value);
	if (!parser->remote->config.profile)
		return cli_refuse(&parser->cli.error,
				  "--%s: there is no profile \"%s\"; profiles are %s", entry->name,
				  value, words_profiles(names, sizeof(names)));
	return 0;
}

int options_set_layout(struct parser *parser, const struct cli_option *entry, const char *value)
{
	char names[WORDS_SIZE];

	parser->remote->config.layout = config_layout_find(value);
	if (!parser->remote->config.layout)
		return cli_refuse(&parser->cli.error,
				  "--%s: there is no layout \"%s\"; layouts are %s", entry->name,
				  value, words_layouts(names, sizeof(names)));
	return 0;
}

int options_set_feature(struct parser *parser, const struct cli_option *entry, const char *value)
{
	char names[WORDS_SIZE];
	int ret = words_feature(&parser->remote->features, value);

	if (ret == -EINVAL)
		return cli_refuse(&parser->cli.error, "--%s: \"%s\" begins with neither + nor -",
				  entry->name, value);
	if (ret == -EOPNOTSUPP)
		return cli_refuse(&parser->cli.error, "--%s: \"%s\" cannot be offered by choice",
				  entry->name, value);
	if (ret)
		return cli_refuse(&parser->cli.error,
				  "--%s: \"%s\" is no feature: a bit from 0 to 63, or one of %s",
				  entry->name, value, words_features(names, sizeof(names)));
	return 0;
}

static int parse_buffer_size(struct parser *parser, const struct cli_option *entry,
			     const char *text, uint32_t *size)
{
	uint64_t number;

	if (!cli_number(text, PROFILE_MAX_BUFFER, &number) || number < PROFILE_MIN_BUFFER)
		return cli_refuse(&parser->cli.error,
				  "--%s: \"%s\" is not a number of bytes from %d to %u",
				  entry->name, text, PROFILE_MIN_BUFFER, PROFILE_MAX_BUFFER);
	*size = (uint32_t)number;
	return 0;
}

int options_set_buffer_size(struct parser *parser, const struct cli_option *entry,
			    const char *value)
{
	uint32_t *sizes = parser->remote->config.buffer_size;
	char *parts = strdup(value), *rest = parts, *first;
	int ret;

	if (!parts)
		return cli_refuse(&parser->cli.error, "--%s: out of memory", entry->name);
	first = strsep(&rest, ",");
	ret = parse_buffer_size(parser, entry, first, &sizes[RPMSG_QUEUE_INPUT]);
	if (ret == 0)
		ret = parse_buffer_size(parser, entry, rest ? rest : first,
					&sizes[RPMSG_QUEUE_OUTPUT]);
	free(parts);
	return ret;
}

/* ---- pacing ----------------------------------------------------------------------------- */

static bool parse_u32(const char *text, uint32_t *number)
{
	uint64_t wide;

	if (!cli_number(text, UINT32_MAX, &wide))
		return false;
	*number = (uint32_t)wide;
	return true;
}

static bool parse_us(const char *text, uint64_t *nanoseconds)
{
	if (!cli_number(text, MAX_DELAY_US, nanoseconds))
		return false;
	*nanoseconds *= NS_PER_US;
	return true;
}

static bool set_pace_key(struct pace *pace, const char *key, const char *value)
{
	if (strcmp(key, "every") == 0)
		return parse_u32(value, &pace->every);
	if (strcmp(key, "batch") == 0)
		return parse_u32(value, &pace->batch);
	if (strcmp(key, "order") == 0)
		return words_pace_order(value, &pace->order);
	if (strcmp(key, "interrupt") == 0)
		return words_pace_interrupt(value, &pace->interrupt);
	if (strcmp(key, "delay_us") == 0)
		return parse_us(value, &pace->delay);
	if (strcmp(key, "interrupt_delay_us") == 0)
		return parse_us(value, &pace->interrupt_delay);
	return false;
}

/* What is possible for each key, for a message. */
static const char pace_keys[] =
	"every=N, batch=N, order=in|reversed|shuffled, delay_us=N, "
	"interrupt=normal|never|late|spurious and interrupt_delay_us=N (at most an hour)";

int options_set_pace(struct parser *parser, const struct cli_option *entry, const char *value)
{
	bool queue_ok = (value[0] == '0' || value[0] == '1') && value[1] == ':';
	struct pace *pace = &parser->remote->paces[value[0] == '1'];
	char *parts = strdup(value), *rest = queue_ok && parts ? parts + 2 : NULL;
	struct option_setting setting;
	int ret = 0;

	if (!parts)
		return cli_refuse(&parser->cli.error, "--%s: out of memory", entry->name);
	if (!queue_ok)
		ret = cli_refuse(&parser->cli.error,
				 "--%s %s: has to begin with 0: or 1:, the queue", entry->name,
				 value);
	while (ret == 0 && options_next_setting(&rest, &setting)) {
		if (!setting.value || !set_pace_key(pace, setting.key, setting.value))
			ret = cli_refuse(&parser->cli.error,
					 "--%s %s: \"%s%s%s\" is not possible: %s are", entry->name,
					 value, setting.key, setting.value ? "=" : "",
					 setting.value ? setting.value : "", pace_keys);
	}
	free(parts);
	return ret;
}

/* ---- faults ----------------------------------------------------------------------------- */

static int parse_argument(struct parser *parser, const char *value, struct options_fault *fault,
			  const char *text)
{
	const struct fault_info *info = fault_at(fault->fault);
	uint64_t number;

	if (info->argument[0] == '\0')
		return cli_refuse(&parser->cli.error, "--fault %s: %s takes no argument", value,
				  info->name);
	if (!cli_number(text, info->max_argument, &number))
		return cli_refuse(&parser->cli.error,
				  "--fault %s: \"%s\" is not a number from 0 to %" PRIu32 " (%s)",
				  value, text, info->max_argument, info->argument);
	fault->setting.argument_set = true;
	fault->setting.argument = (uint32_t)number;
	return 0;
}

static int parse_fault_key(struct parser *parser, const char *value, struct fault_setting *setting,
			   const struct option_setting *part)
{
	bool is_count = strcmp(part->key, "count") == 0, is_after = strcmp(part->key, "after") == 0;

	if (strcmp(part->key, "once") == 0 && !part->value) {
		setting->mode = FAULT_MODE_COUNT;
		setting->count = 1;
		return 0;
	}
	if (is_count && part->value && cli_number(part->value, UINT32_MAX, &setting->count) &&
	    setting->count) {
		setting->mode = FAULT_MODE_COUNT;
		return 0;
	}
	if (is_after && part->value && cli_number(part->value, UINT32_MAX, &setting->after))
		return 0;
	return cli_refuse(&parser->cli.error,
			  "--fault %s: \"%s%s%s\" is not possible: once, count=N (1 to "
			  "4294967295) and after=N (0 to 4294967295) are",
			  value, part->key, part->value ? "=" : "", part->value ? part->value : "");
}

/* parts is a scratch copy of the value that is cut up. */
static int parse_fault(struct parser *parser, const char *value, char *parts,
		       struct options_fault *fault)
{
	struct option_setting part;
	int ret = 0;

	fault->setting = (struct fault_setting){.mode = FAULT_MODE_ALWAYS};
	options_next_setting(&parts, &part);
	if (fault_find(part.key, &fault->fault))
		return cli_refuse(&parser->cli.error,
				  "--fault: there is no fault \"%s\": --list-faults has them",
				  part.key);
	if (part.value)
		ret = parse_argument(parser, value, fault, part.value);
	while (ret == 0 && options_next_setting(&parts, &part))
		ret = parse_fault_key(parser, value, &fault->setting, &part);
	return ret;
}

int options_set_fault(struct parser *parser, const struct cli_option *entry, const char *value)
{
	struct options_remote *remote = parser->remote;
	struct options_fault *faults =
		reallocarray(remote->faults, remote->fault_count + 1, sizeof(*faults));
	char *parts = strdup(value);
	int ret;

	if (faults)
		remote->faults = faults;
	if (!faults || !parts)
		ret = cli_refuse(&parser->cli.error, "--%s: out of memory", entry->name);
	else
		ret = parse_fault(parser, value, parts, &faults[remote->fault_count]);
	if (ret == 0)
		remote->fault_count++;
	free(parts);
	return ret;
}
