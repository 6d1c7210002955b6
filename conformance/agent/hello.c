/* SPDX-License-Identifier: BSD-2-Clause */
#include "hello.h"

#include <sys/utsname.h>
#include <unistd.h>

#include "sys.h"

#define PROTOCOL_VERSION 1

static struct json_out failed_modules; /* objects, with commas */

void hello_module_failed(const char *path, int err)
{
	char number[SYS_ERRNO_NAME_SIZE];

	json_out_open(&failed_modules, NULL, '{');
	json_out_cstring(&failed_modules, "path", path);
	json_out_cstring(&failed_modules, "errno", sys_errno_name(-err, number));
	json_out_close(&failed_modules, '}');
}

void hello_put(struct json_out *out)
{
	struct utsname name;

	uname(&name);
	json_out_cstring(out, "hello", "rpmsg-agent");
	json_out_u64(out, "version", PROTOCOL_VERSION);
	json_out_cstring(out, "kernel", name.release);
	json_out_cstring(out, "machine", name.machine);
	json_out_cstring(out, "byte_order",
			 __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? "big" : "little");
	json_out_i64(out, "pid", getpid());
	json_out_u64(out, "time_ns", sys_now_ns());
	if (failed_modules.length) {
		json_out_open(out, "modules_failed", '[');
		json_out_raw(out, failed_modules.data, failed_modules.length);
		json_out_close(out, ']');
	}
}
