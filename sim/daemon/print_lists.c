/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists for people and for programs: faults, profiles, keys of scenarios. */
#include "daemon/print.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

#include "daemon/events.h"
#include "daemon/scenario_schema.h"
#include "remote/fault.h"
#include "remote/profile.h"

static int print_json(FILE *out, json_t *json)
{
	int ret;

	if (!json)
		return -ENOMEM;
	ret = json_dumpf(json, out, JSON_INDENT(2)) || fputc('\n', out) == EOF;
	json_decref(json);
	return ret ? -EIO : 0;
}

/* ---- faults ----------------------------------------------------------------------------- */

static const char *point_name(enum fault_point point)
{
	static const char *const names[] = {
		[FAULT_POINT_HDR] = "hdr",	 [FAULT_POINT_USED] = "used",
		[FAULT_POINT_NS] = "ns",	 [FAULT_POINT_RING] = "ring",
		[FAULT_POINT_RETURN] = "return", [FAULT_POINT_ORDER] = "order",
		[FAULT_POINT_LIFE] = "life",
	};

	return names[point];
}

static json_t *fault_json(const struct fault_info *info)
{
	json_t *fault = json_pack("{s:s, s:s, s:s, s:s}", "name", info->name, "point",
				  point_name(info->point), "requirement", info->requirement, "text",
				  info->text);

	if (info->argument[0])
		json_object_set_new(fault, "argument",
				    json_pack("{s:s, s:I, s:I}", "means", info->argument, "default",
					      (json_int_t)info->default_argument, "max",
					      (json_int_t)info->max_argument));
	return fault;
}

int print_faults(FILE *out, bool json)
{
	json_t *faults = json ? json_array() : NULL;
	const struct fault_info *info;

	for (unsigned int i = 0; (info = fault_at(i)); i++) {
		if (json) {
			json_array_append_new(faults, fault_json(info));
			continue;
		}
		fprintf(out, "%-28s %-7s %s", info->name, info->requirement, info->text);
		if (info->argument[0])
			fprintf(out,
				info->default_argument > UINT16_MAX ? " (=%s, default 0x%" PRIx32
								      ")"
								    : " (=%s, default %" PRIu32 ")",
				info->argument, info->default_argument);
		fputc('\n', out);
	}
	return json ? print_json(out, faults) : 0;
}

/* ---- profiles --------------------------------------------------------------------------- */

static json_t *profile_json(const struct profile *profile)
{
	const struct config_layout *layout = profile->layout;

	return json_pack("{s:s, s:s, s:o, s:o, s:i, s:I, s:I}", "name", profile->name, "text",
			 profile->summary, "features", events_number(profile->features), "layout",
			 layout ? json_string(layout->name) : json_null(), "config_size",
			 layout ? layout->size : 0, "first_dynamic",
			 (json_int_t)profile->first_dynamic, "dynamic_count",
			 (json_int_t)profile->dynamic_count);
}

int print_profiles(FILE *out, bool json)
{
	json_t *profiles = json ? json_array() : NULL;
	const struct profile *profile;

	for (unsigned int i = 0; (profile = profile_at(i)); i++) {
		if (json)
			json_array_append_new(profiles, profile_json(profile));
		else
			fprintf(out, "%-16s %s\n", profile->name, profile->summary);
	}
	return json ? print_json(out, profiles) : 0;
}

/* ---- scenarios -------------------------------------------------------------------------- */

int print_scenario_keys(FILE *out, bool json)
{
	json_t *keys = scenario_keys(), *key;
	size_t index;

	if (!keys || json)
		return print_json(out, keys);
	json_array_foreach(keys, index, key)
	{
		fprintf(out, "%-36s %s\n", json_string_value(json_object_get(key, "name")),
			json_string_value(json_object_get(key, "help")));
	}
	json_decref(keys);
	return 0;
}
