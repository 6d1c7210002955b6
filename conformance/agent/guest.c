/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hello.h"
#include "log.h"
#include "module.h"
#include "sys.h"

#define MODULE_LIST "/etc/rpmsg-agent/modules"
#define MODULE_LIST_SIZE 16384

static bool is_init;

struct mount {
	const char *type;
	const char *target;
	bool optional; /* and its folder is the kernel's: it is not made */
};

static const struct mount mounts[] = {
	{"devtmpfs", "/dev", false},
	{"proc", "/proc", false},
	{"sysfs", "/sys", false},
	{"debugfs", "/sys/kernel/debug", true},
};

/* Descriptors 0 to 2 are not open when the image has no /dev/console. */
static void open_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static void mount_all(void)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		const struct mount *entry = &mounts[i];
		char number[SYS_ERRNO_NAME_SIZE];

		if (!entry->optional)
			mkdir(entry->target, 0755);
		if (mount(entry->type, entry->target, entry->type, 0, NULL) == 0 ||
		    errno == EBUSY || entry->optional)
			continue;
		log_line(LOG_LEVEL_ERROR, "mount %s on %s: %s", entry->type, entry->target,
			 sys_errno_name(errno, number));
	}
}

static void load_listed(char *line)
{
	char *parameters = line + strspn(line, " \t");
	char *path = strsep(&parameters, " \t");
	char number[SYS_ERRNO_NAME_SIZE];
	int err;

	if (!path[0] || path[0] == '#')
		return;
	err = module_load(path, parameters ? parameters : "");
	if (!err || err == -EEXIST)
		return;
	log_line(LOG_LEVEL_ERROR, "module %s: %s", path, sys_errno_name(-err, number));
	hello_module_failed(path, err);
}

static void load_modules(void)
{
	char *text = malloc(MODULE_LIST_SIZE);
	char *rest = text, *line;
	char number[SYS_ERRNO_NAME_SIZE];
	ssize_t length;

	if (!text)
		return;
	length = sys_read_text(MODULE_LIST, text, MODULE_LIST_SIZE);
	if (length < 0 && length != -ENOENT)
		log_line(LOG_LEVEL_ERROR, "read " MODULE_LIST ": %s",
			 sys_errno_name((int)-length, number));
	if (length == MODULE_LIST_SIZE - 1)
		log_line(LOG_LEVEL_ERROR,
			 MODULE_LIST " is longer than %d bytes: the rest is ignored",
			 MODULE_LIST_SIZE - 1);
	while (length > 0 && (line = strsep(&rest, "\n")))
		load_listed(line);
	free(text);
}

/*
 * Without this the kernel drops lines of a writer that says more than ten in five seconds. When its
 * command line has printk.devkmsg=on, this is refused and not needed.
 */
static void allow_every_log_line(void)
{
	int fd = open("/proc/sys/kernel/printk_devkmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "on\n", 3) < 0)
		errno = 0;
	close(fd);
}

void guest_setup(void)
{
	is_init = true;
	umask(022);
	/* First of all, so that there is a log that a failure can be written to. */
	mount_all();
	open_standard_fds();
	log_open_kernel();
	allow_every_log_line();
	log_line(LOG_LEVEL_INFO, "started");
	load_modules();
}

bool guest_is_init(void)
{
	return is_init;
}

static void end(int how)
{
	sync();
	reboot(how);
	/* A machine without a way to power off gets here, and is reset: the host's QEMU ends too.
	 */
	reboot(RB_AUTOBOOT);
	log_line(LOG_LEVEL_ERROR, "this machine can neither be powered off nor reset");
}

void guest_poweroff(void)
{
	end(RB_POWER_OFF);
}

void guest_reboot(void)
{
	end(RB_AUTOBOOT);
}
