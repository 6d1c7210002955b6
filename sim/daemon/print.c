/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/print.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/options.h"
#include "wire/rpmsg.h"

#define QUEUE_SIZE 256
#define MEMORY "256M"

int print_capabilities(FILE *out)
{
	json_t *features = json_array(), *capabilities;
	const char *feature;
	int ret;

	for (unsigned int i = 0; (feature = options_feature(i)); i++)
		json_array_append_new(features, json_string(feature));
	capabilities = json_pack("{s:s, s:o, s:s}", "type", "rpmsg", "features", features,
				 "version", TESTBENCH_VERSION);
	if (!capabilities)
		return -ENOMEM;
	ret = json_dumpf(capabilities, out, JSON_INDENT(2)) || fputc('\n', out) == EOF ||
	      fflush(out);
	json_decref(capabilities);
	return ret ? -EIO : 0;
}

/* A comma in an option's value is written twice (QEMU's manual, -blockdev and others). */
static void print_path(FILE *out, const char *path)
{
	for (; *path; path++) {
		if (*path == '\'')
			fputs("'\\''", out);
		else if (*path == ',')
			fputs(",,", out);
		else
			fputc(*path, out);
	}
}

static bool needs_quotes(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._-+:@%,=";

	return path[strspn(path, plain)] != '\0';
}

int print_qemu_args(FILE *out, FILE *notes, const char *socket_path)
{
	/* QEMU has a working directory of its own. */
	char *absolute = socket_path[0] == '/' ? NULL : realpath(".", NULL);
	const char *quote =
		needs_quotes(socket_path) || (absolute && needs_quotes(absolute)) ? "'" : "";

	if (strchr(socket_path, '\n'))
		return -EINVAL;
	fprintf(notes,
		"# Append this to the command line of QEMU 10.2 or newer, for example to\n"
		"#   qemu-system-x86_64 -machine q35 -kernel KERNEL\n"
		"# QEMU 8.1 and 8.2 call the device vhost-user-device-pci; on the virtio-mmio bus\n"
		"# it is vhost-user-test-device. The size after -m is that of the memory "
		"object.\n");
	fprintf(out,
		"-m %s -object memory-backend-memfd,id=rpmsg-mem,size=%s,share=on "
		"-machine memory-backend=rpmsg-mem -chardev %ssocket,id=rpmsg-sim,path=",
		MEMORY, MEMORY, quote);
	if (absolute) {
		print_path(out, absolute);
		fputc('/', out);
	}
	print_path(out, socket_path);
	fprintf(out,
		"%s -device vhost-user-test-device-pci,chardev=rpmsg-sim,virtio-id=%d,num_vqs=%d,"
		"vq_size=%d,config_size=0\n",
		quote, RPMSG_DEVICE_ID, RPMSG_NUM_QUEUES, QUEUE_SIZE);
	free(absolute);
	return 0;
}
