/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A target without an engine, for any compiler: runs files, all files of folders, runs each twice
 * and compares coverage, prints them as readable operations, or describes the target.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/counters.h"
#include "common/target.h"

#define INPUT_LIMIT (1 << 20)

enum what { WHAT_RUN, WHAT_DECODE, WHAT_TWICE };

static unsigned int unsteady; /* inputs of which two runs differed */

static uint8_t *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(INPUT_LIMIT + 1);

	if (file == NULL || data == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	*size = fread(data, 1, INPUT_LIMIT + 1, file);
	if (ferror(file) != 0 || *size > INPUT_LIMIT) {
		fprintf(stderr, "%s: %s\n", path,
			*size > INPUT_LIMIT ? "larger than an input may be, 1 MiB" : "cannot read");
		exit(2);
	}
	fclose(file);
	return data;
}

static void run_twice(const char *path, const uint8_t *data, size_t size)
{
	long differ = counters_compare(&fuzz_target, data, size);

	if (differ == 0)
		return;
	fprintf(stderr, "%s %s: %ld edges were passed more often in one run than in the other\n",
		fuzz_target.name, path, differ);
	unsteady++;
}

static unsigned int run_file(const char *path, enum what what)
{
	static struct oplist list;
	size_t size;
	uint8_t *data = read_file(path, &size);

	if (what == WHAT_TWICE) {
		run_twice(path, data, size);
	} else if (what == WHAT_RUN) {
		/* Said before, so that the last line names the file that ends the process. */
		printf("%s %s\n", fuzz_target.name, path);
		fflush(stdout);
		fuzz_target.run(data, size);
	} else if (fuzz_target.schema == NULL) {
		for (size_t i = 0; i < size; i++)
			printf("%02x%s", data[i], i % 16 == 15 || i + 1 == size ? "\n" : " ");
	} else if (oplist_parse(&list, fuzz_target.schema, data, size) != 0) {
		fprintf(stderr, "%s: no operation list of target %s; %u operations read\n", path,
			fuzz_target.name, list.count);
		oplist_print(&list, fuzz_target.schema, stdout);
	} else {
		oplist_print(&list, fuzz_target.schema, stdout);
	}
	free(data);
	return 1;
}

static unsigned int run_path(const char *path, enum what what)
{
	struct dirent **entries;
	unsigned int files = 0;
	struct stat status;
	int count;

	if (stat(path, &status) != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	if (!S_ISDIR(status.st_mode))
		return run_file(path, what);
	count = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char inner[4096];

		if (entries[i]->d_name[0] != '.') {
			snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
			files += run_path(inner, what);
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return files;
}

/* The target as JSON, for tools that make and read inputs. */
static void describe(void)
{
	printf("{\"name\":\"%s\",\"summary\":\"%s\"", fuzz_target.name, fuzz_target.summary);
	if (fuzz_target.schema != NULL) {
		putchar(',');
		oplist_describe(fuzz_target.schema, stdout);
	}
	printf("}\n");
}

/* Inputs of the command line, or of what was named there. */
static unsigned int run_all(char **paths, enum what what)
{
	unsigned int files = 0;

	for (; *paths != NULL; paths++)
		files += run_path(*paths, what);
	return files;
}

int main(int argc, char **argv)
{
	enum what what = WHAT_RUN;
	unsigned int files;

	if (argc == 2 && strcmp(argv[1], "--describe") == 0) {
		describe();
		return 0;
	}
	if (argc > 1 && strcmp(argv[1], "--decode") == 0)
		what = WHAT_DECODE;
	else if (argc > 1 && strcmp(argv[1], "--twice") == 0)
		what = WHAT_TWICE;
	if (argc < 2 + (what != WHAT_RUN) || (argv[1][0] == '-' && what == WHAT_RUN)) {
		fprintf(stderr,
			"usage: %s [--decode|--twice] FILE|FOLDER...\n       %s --describe\n",
			argv[0], argv[0]);
		return 2;
	}
	if (what == WHAT_TWICE && counters_size() == 0) {
		fprintf(stderr, "%s: this build counts no coverage; use preset fuzz\n", argv[0]);
		return 2;
	}
	/* What a target sets up once in a process is no difference between two inputs. */
	if (what == WHAT_TWICE)
		(void)run_all(argv + 2, WHAT_RUN);
	files = run_all(argv + 1 + (what != WHAT_RUN), what);
	/* A replay of nothing shows nothing. */
	if (files == 0) {
		fprintf(stderr, "%s: there is no file in what was named\n", argv[0]);
		return 2;
	}
	if (what == WHAT_RUN)
		printf("%s: %u inputs, none broke a rule\n", fuzz_target.name, files);
	else if (what == WHAT_TWICE && unsteady == 0)
		printf("%s: %u inputs, each covered the same twice\n", fuzz_target.name, files);
	return unsteady != 0;
}
