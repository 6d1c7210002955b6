/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands on the machine as a whole. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "command.h"
#include "guest.h"
#include "hello.h"
#include "port.h"
#include "sys.h"

/* /proc/interrupts has a line per interrupt and a column per processor. */
#define INTERRUPTS_SIZE (256 * 1024)

static int run_ping(struct call *call)
{
	(void)call;
	return 0;
}

static int run_hello(struct call *call)
{
	if (command_flag(call, "fresh"))
		call->session = port_new_session();
	hello_put(&call->out);
	return 0;
}

static int run_commands(struct call *call)
{
	command_list(&call->out);
	return 0;
}

static int run_uname(struct call *call)
{
	struct utsname name;

	if (uname(&name) < 0)
		return command_fail(call, -errno, "uname");
	json_out_cstring(&call->out, "sysname", name.sysname);
	json_out_cstring(&call->out, "nodename", name.nodename);
	json_out_cstring(&call->out, "release", name.release);
	json_out_cstring(&call->out, "version", name.version);
	json_out_cstring(&call->out, "machine", name.machine);
	return 0;
}

static int run_meminfo(struct call *call)
{
	static const char *const wanted[] = {"MemTotal",     "MemFree",	   "MemAvailable", "Slab",
					     "SReclaimable", "SUnreclaim", "KernelStack"};
	char text[8192];
	ssize_t length = sys_read_text("/proc/meminfo", text, sizeof(text));
	char *rest = text, *line;

	if (length < 0)
		return command_fail(call, (int)length, "read /proc/meminfo");
	while ((line = strsep(&rest, "\n"))) {
		char *value = strchr(line, ':');

		if (!value)
			continue;
		*value++ = '\0';
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
			if (strcmp(line, wanted[i]) == 0)
				json_out_u64(&call->out, line, strtoull(value, NULL, 10));
	}
	json_out_cstring(&call->out, "unit", "kB");
	return 0;
}

/* " 45:   10   0   GICv2  36 Level   virtio0": the name, a count a processor, the rest. */
static void put_interrupt(struct json_out *out, char *line, int processors)
{
	char *name = line + strspn(line, " ");
	char *at = strchr(name, ':');
	uint64_t total = 0;

	if (!at)
		return;
	*at++ = '\0';
	json_out_open(out, NULL, '{');
	json_out_cstring(out, "irq", name);
	json_out_open(out, "counts", '[');
	for (int i = 0; i < processors; i++) {
		char *end;
		uint64_t count = strtoull(at, &end, 10);

		if (end == at)
			break;
		json_out_u64(out, NULL, count);
		total += count;
		at = end;
	}
	json_out_close(out, ']');
	json_out_u64(out, "total", total);
	json_out_cstring(out, "text", at + strspn(at, " "));
	json_out_close(out, '}');
}

/* The head has one word for each processor. */
static int count_processors(char *head)
{
	int count = 0;

	for (; (head = strstr(head, "CPU")); head += 3)
		count++;
	return count;
}

static int run_interrupts(struct call *call)
{
	const char *match = command_text(call, "match");
	char *text = malloc(INTERRUPTS_SIZE);
	char *rest = text, *line;
	ssize_t length;
	int processors;

	if (!text)
		return command_fail(call, -ENOMEM, "interrupts");
	length = sys_read_text("/proc/interrupts", text, INTERRUPTS_SIZE);
	if (length < 0) {
		free(text);
		return command_fail(call, (int)length, "read /proc/interrupts");
	}
	line = strsep(&rest, "\n");
	processors = count_processors(line);
	json_out_open(&call->out, "lines", '[');
	while ((line = strsep(&rest, "\n")))
		if (!match || strstr(line, match))
			put_interrupt(&call->out, line, processors);
	json_out_close(&call->out, ']');
	free(text);
	return 0;
}

static int end_guest(struct call *call, void (*how)(void))
{
	if (!guest_is_init())
		return command_fail(call, -EPERM, "%s: only a guest's process 1 does this",
				    call->command->name);
	call->after_reply = how;
	return 0;
}

static int run_poweroff(struct call *call)
{
	return end_guest(call, guest_poweroff);
}

static int run_reboot(struct call *call)
{
	return end_guest(call, guest_reboot);
}

const struct command command_system_table[] = {
	{"ping", run_ping, COMMAND_IN_CHILD, {{0}}},
	{"hello", run_hello, 0, {{"fresh", ARGUMENT_BOOL, OPTIONAL, 0}}},
	{"commands", run_commands, 0, {{0}}},
	{"uname", run_uname, 0, {{0}}},
	{"meminfo", run_meminfo, 0, {{0}}},
	{"interrupts", run_interrupts, 0, {{"match", ARGUMENT_TEXT, OPTIONAL, 0}}},
	{"poweroff", run_poweroff, 0, {{0}}},
	{"reboot", run_reboot, 0, {{0}}},
	{0},
};
