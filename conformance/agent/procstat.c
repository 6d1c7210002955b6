/* SPDX-License-Identifier: BSD-2-Clause */
#include "procstat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys.h"

int procstat_read(const char *path, struct procstat *status)
{
	char text[1024];
	ssize_t length = sys_read_text(path, text, sizeof(text));
	const char *fields;

	if (length < 0)
		return (int)length;
	/* The name in parentheses can hold anything, parentheses too: only the last one counts. */
	fields = strrchr(text, ')');
	if (!fields ||
	    sscanf(fields, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
		   &status->state, &status->utime, &status->stime) != 3)
		return -EPROTO;
	return 0;
}

void procstat_put(struct json_out *out, const struct procstat *status)
{
	json_out_string(out, "state", &status->state, 1);
	json_out_u64(out, "utime", status->utime);
	json_out_u64(out, "stime", status->stime);
	json_out_i64(out, "hz", sysconf(_SC_CLK_TCK));
}
