/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/print.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/options.h"
#include "remote/profile.h"
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

/* One remote's chardev and device; id is what QEMU calls the chardev. */
static int print_device(FILE *out, const char *id, const struct options_remote *remote)
{
	const struct config_layout *layout = remote->config.layout;
	const struct profile *profile = remote->config.profile;
	const char *socket_path = remote->socket_path;
	/* QEMU has a working directory of its own. */
	char *absolute = socket_path[0] == '/' ? NULL : realpath(".", NULL);
	const char *quote =
		needs_quotes(socket_path) || (absolute && needs_quotes(absolute)) ? "'" : "";

	if (!layout && profile)
		layout = profile->layout;
	if (strchr(socket_path, '\n')) {
		free(absolute);
		return -EINVAL;
	}
	fprintf(out, " -chardev %ssocket,id=%s,path=", quote, id);
	if (absolute) {
		print_path(out, absolute);
		fputc('/', out);
	}
	print_path(out, socket_path);
	fprintf(out,
		"%s -device vhost-user-test-device-pci,chardev=%s,virtio-id=%d,num_vqs=%d,"
		"vq_size=%d,config_size=%d",
		quote, id, RPMSG_DEVICE_ID, RPMSG_NUM_QUEUES, QUEUE_SIZE,
		layout ? layout->size : 0);
	free(absolute);
	return 0;
}

int print_qemu_args(FILE *out, FILE *notes, const struct options *options)
{
	int ret = 0;

	fprintf(notes,
		"# Append this to the command line of QEMU 10.2 or newer, for example to\n"
		"#   qemu-system-x86_64 -machine q35 -kernel KERNEL\n"
		"# QEMU 8.1 and 8.2 call the device vhost-user-device-pci; on the virtio-mmio bus\n"
		"# it is vhost-user-test-device. The size after -m is that of the memory "
		"object.\n");
	fprintf(out,
		"-m %s -object memory-backend-memfd,id=rpmsg-mem,size=%s,share=on "
		"-machine memory-backend=rpmsg-mem",
		MEMORY, MEMORY);
	for (size_t i = 0; ret == 0 && i < options->remote_count; i++) {
		const struct options_remote *remote = &options->remotes[i];
		char id[OPTIONS_REMOTE_NAME_MAX + sizeof("rpmsg-")];

		snprintf(id, sizeof(id), "rpmsg-%s", remote->named ? remote->name : "sim");
		ret = print_device(out, id, remote);
	}
	fputc('\n', out);
	return ret;
}
