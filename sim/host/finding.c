/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/finding.h"

static const struct finding_info table[] = {
#define FINDING_ROW(symbol, row_name, row_level, row_requirement, row_text)                        \
	[FINDING_##symbol] = {.name = (row_name),                                                  \
			      .level = FINDING_##row_level,                                        \
			      .requirement = (row_requirement),                                    \
			      .text = (row_text)},
	FINDING_TABLE(FINDING_ROW)
#undef FINDING_ROW
};

const struct finding_info *finding_info(enum finding what)
{
	return &table[what];
}

const char *finding_level_name(enum finding_level level)
{
	static const char *const names[] = {
		[FINDING_MUST] = "must", [FINDING_SHOULD] = "should", [FINDING_MAY] = "may"};

	return names[level];
}
