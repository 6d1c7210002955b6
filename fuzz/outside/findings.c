/* SPDX-License-Identifier: BSD-2-Clause */
#include "outside/findings.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/session_ops.h"

static FILE *open_file(const struct options *options, const char *name, const char *file)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/%s", options->findings, name, file);
	return fopen(path, "we");
}

bool findings_claim(const struct options *options, const char *name)
{
	char path[PATH_MAX];

	(void)mkdir(options->findings, 0777);
	snprintf(path, sizeof(path), "%s/%s", options->findings, name);
	return mkdir(path, 0777) == 0;
}

/* For a shell: in single quotes. */
static void print_quoted(FILE *to, const char *text)
{
	fputc('\'', to);
	for (; *text != '\0'; text++)
		if (*text == '\'')
			fputs("'\\''", to);
		else
			fputc(*text, to);
	fputc('\'', to);
}

/* From where it was started: a path in the command may be relative. */
static void print_command(FILE *to, const struct options *options, const char *program)
{
	char folder[PATH_MAX];

	fputs("input=$(realpath \"$(dirname \"$0\")\")/input\n", to);
	if (getcwd(folder, sizeof(folder)) != NULL) {
		fputs("cd ", to);
		print_quoted(to, folder);
		fputs(" || exit 2\n", to);
	}
	fputs("exec ", to);
	print_quoted(to, program);
	fputs(options->launch != NULL ? " --launch " : " --socket ", to);
	print_quoted(to, options->launch != NULL ? options->launch : options->socket);
	fprintf(to, " --limit %u%s%s --replay \"$input\"\n", options->limit_ms,
		options->may_exit ? " --may-exit" : "", options->no_rules ? " --no-rules" : "");
}

static void write_decoded(FILE *to, const struct finding_files *files)
{
	fprintf(to, "# %s\n# %s\n# %u operations, found with %u\n", files->name,
		files->trouble->what, files->list->count, files->operations);
	if (!files->repeatable)
		fputs("# This list alone does not show it again: it may take what ran before it.\n",
		      to);
	oplist_print(files->list, &session_schema, to);
}

static int finish(FILE *file)
{
	bool bad = ferror(file) != 0;

	return fclose(file) != 0 || bad ? -EIO : 0;
}

int findings_write(const struct options *options, const struct finding_files *files)
{
	static uint8_t data[FINDINGS_LONGEST];
	size_t size = oplist_write(files->list, &session_schema, data, sizeof(data));
	char program[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	FILE *file = open_file(options, files->name, "input");
	int ret = -errno;

	if (file == NULL)
		return ret;
	(void)!fwrite(data, 1, size, file);
	ret = finish(file);
	file = open_file(options, files->name, "decoded.txt");
	if (file == NULL)
		return -errno;
	write_decoded(file, files);
	ret = finish(file) < 0 ? -EIO : ret;
	file = open_file(options, files->name, "stderr.txt");
	if (file == NULL)
		return -errno;
	fputs(files->output, file);
	ret = finish(file) < 0 ? -EIO : ret;
	file = open_file(options, files->name, "repro");
	if (file == NULL)
		return -errno;
	program[length > 0 ? length : 0] = '\0';
	fprintf(file, "#!/bin/sh\n# Shows %s again: %s\n", files->name, files->trouble->what);
	print_command(file, options, program);
	(void)fchmod(fileno(file), 0755);
	return finish(file) < 0 ? -EIO : ret;
}
