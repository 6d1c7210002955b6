/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of captures, byte by byte: what is in them while they are written, and after the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/capture_file.h"

#define LINK_TYPE 147
#define SNAPLEN 70000U
#define HEADER 24U
#define RECORD 16U
#define NS_PER_SEC UINT64_C(1000000000)

struct fixture {
	char path[64];
	struct capture_file file;
	uint8_t *bytes; /* of the file, as last read */
	size_t size;
};

/* Linked with --wrap=fallocate: a file system need not know it. */
int __real_fallocate(int fd, int mode, off_t offset, off_t size);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t size);
static unsigned int asked;
static bool unwilling;

int __wrap_fallocate(int fd, int mode, off_t offset, off_t size)
{
	asked++;
	if (!unwilling)
		return __real_fallocate(fd, mode, offset, size);
	errno = EOPNOTSUPP;
	return -1;
}

static int set_up(void **state)
{
	struct fixture *fx = calloc(1, sizeof(*fx));
	int fd;

	assert_non_null(fx);
	strcpy(fx->path, "/tmp/test_capture_file.XXXXXX");
	fd = mkstemp(fx->path);
	assert_true(fd >= 0);
	close(fd);
	asked = 0;
	unwilling = false;
	*state = fx;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fx = *state;

	unlink(fx->path);
	free(fx->bytes);
	free(fx);
	return 0;
}

static void open_file(struct fixture *fx)
{
	assert_int_equal(capture_file_open(&fx->file, fx->path, LINK_TYPE, SNAPLEN), 0);
}

/* Packet number n, of a size and with bytes that follow from n. */
static uint32_t size_of(uint32_t number)
{
	return number % 7 == 6 ? SNAPLEN - number % 100 : 300 + number % 500;
}

static void add(struct fixture *fx, uint32_t first, uint32_t count)
{
	for (uint32_t n = first; n < first + count; n++) {
		memset(capture_file_room(&fx->file), (int)(n & 0xff), size_of(n));
		capture_file_add(&fx->file, size_of(n), n * NS_PER_SEC + n);
	}
}

static void read_file(struct fixture *fx)
{
	struct stat stat = {0};
	int fd = open(fx->path, O_RDONLY);

	assert_true(fd >= 0 && fstat(fd, &stat) == 0);
	free(fx->bytes);
	fx->size = (size_t)stat.st_size;
	fx->bytes = malloc(fx->size + 1);
	assert_non_null(fx->bytes);
	assert_int_equal(read(fd, fx->bytes, fx->size), fx->size);
	close(fd);
}

/* Return: whole packets in the file, each of which was seen to be as it was added. */
static uint32_t count_packets(struct fixture *fx, bool ends_whole)
{
	size_t at = HEADER;
	uint32_t n = 0;

	read_file(fx);
	while (at + RECORD <= fx->size) {
		uint32_t field[4];
		uint32_t size = size_of(n);

		memcpy(field, fx->bytes + at, sizeof(field));
		assert_int_equal(field[0], n);
		assert_int_equal(field[1], n);
		assert_int_equal(field[2], size);
		assert_int_equal(field[3], size);
		if (at + RECORD + size > fx->size)
			break;
		at += RECORD;
		for (uint32_t i = 0; i < size; i++)
			assert_int_equal(fx->bytes[at + i], n & 0xff);
		at += size;
		n++;
	}
	if (ends_whole)
		assert_int_equal(at, fx->size);
	return n;
}

static void test_file_begins_as_pcap_savefile_has_it(void **state)
{
	struct fixture *fx = *state;
	uint16_t version[2];
	uint32_t magic, rest[4];

	open_file(fx);
	read_file(fx); /* there from the start on */
	assert_int_equal(fx->size, HEADER);
	memcpy(&magic, fx->bytes, 4);
	memcpy(version, fx->bytes + 4, 4);
	memcpy(rest, fx->bytes + 8, 16);
	assert_int_equal(magic, 0xa1b23c4d);
	assert_int_equal(version[0], 2);
	assert_int_equal(version[1], 4);
	assert_int_equal(rest[0], 0);
	assert_int_equal(rest[1], 0);
	assert_int_equal(rest[2], SNAPLEN);
	assert_int_equal(rest[3], LINK_TYPE);
	assert_int_equal(capture_file_close(&fx->file), 0);
}

static void test_packets_of_many_blocks_are_all_there(void **state)
{
	struct fixture *fx = *state;

	open_file(fx);
	add(fx, 0, 500);
	assert_int_equal(capture_file_close(&fx->file), 0);
	assert_int_equal(count_packets(fx, true), 500);
	assert_true(fx->size / CAPTURE_FILE_BLOCK > 10);
}

static void test_flush_between_packets_brings_all_of_them(void **state)
{
	struct fixture *fx = *state;

	open_file(fx);
	for (uint32_t n = 0; n < 60; n += 3) {
		add(fx, n, 3);
		assert_int_equal(capture_file_flush(&fx->file), 0);
		assert_int_equal(count_packets(fx, true), n + 3);
	}
	assert_int_equal(capture_file_close(&fx->file), 0);
	assert_int_equal(count_packets(fx, true), 60);
}

static void test_blocks_end_where_those_of_the_file_do(void **state)
{
	struct fixture *fx = *state;

	open_file(fx);
	add(fx, 0, 2);
	assert_int_equal(capture_file_flush(&fx->file), 0); /* somewhere within the first one */
	add(fx, 2, 100);
	read_file(fx);
	assert_true(fx->size > CAPTURE_FILE_BLOCK);
	assert_int_equal(fx->size % CAPTURE_FILE_BLOCK, 0);
	assert_int_equal(capture_file_close(&fx->file), 0);
	assert_int_equal(count_packets(fx, true), 102);
}

static void test_file_without_its_end_is_whole_packets_up_to_a_point(void **state)
{
	struct fixture *fx = *state;
	uint32_t count;
	pid_t child;
	int status;

	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (capture_file_open(&fx->file, fx->path, LINK_TYPE, SNAPLEN) != 0)
			_exit(1);
		add(fx, 0, 300);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	count = count_packets(fx, false);
	assert_true(count < 300);
	/* What is missing is less than a block and a packet. */
	assert_true(fx->size % CAPTURE_FILE_BLOCK == 0 && count > 200);
}

static void test_room_that_was_not_needed_is_given_back(void **state)
{
	struct fixture *fx = *state;
	struct stat stat_;

	open_file(fx);
	add(fx, 0, 500);
	assert_true(asked > 0);
	assert_int_equal(capture_file_close(&fx->file), 0);
	assert_int_equal(stat(fx->path, &stat_), 0);
	assert_true((uint64_t)stat_.st_blocks * 512 < (uint64_t)stat_.st_size + CAPTURE_FILE_BLOCK);
}

static void test_small_file_asks_for_no_room(void **state)
{
	struct fixture *fx = *state;

	open_file(fx);
	add(fx, 0, 5);
	assert_int_equal(capture_file_flush(&fx->file), 0);
	assert_int_equal(capture_file_close(&fx->file), 0);
	assert_int_equal(asked, 0);
}

static void test_file_system_that_gives_no_room_ahead_is_asked_once(void **state)
{
	struct fixture *fx = *state;

	unwilling = true;
	open_file(fx);
	add(fx, 0, 500);
	assert_int_equal(capture_file_close(&fx->file), 0);
	assert_int_equal(asked, 1);
	assert_int_equal(count_packets(fx, true), 500);
}

static void test_full_disk_is_told_and_what_was_before_stays(void **state)
{
	struct fixture *fx = *state;
	struct rlimit before, little = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	little.rlim_max = before.rlim_max;
	open_file(fx);
	add(fx, 0, 3);
	assert_int_equal(capture_file_flush(&fx->file), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	add(fx, 3, 50); /* goes on meanwhile, and nowhere */
	assert_int_equal(capture_file_flush(&fx->file), -EIO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	add(fx, 53, 50);
	assert_int_equal(capture_file_flush(&fx->file), -EIO);
	assert_int_equal(capture_file_close(&fx->file), -EIO);
	assert_true(count_packets(fx, false) >= 3);
	assert_int_equal(fx->size, 100000);
}

static void test_what_is_no_regular_file_is_refused(void **state)
{
	struct fixture *fx = *state;

	assert_int_equal(capture_file_open(&fx->file, "/tmp", LINK_TYPE, SNAPLEN), -EISDIR);
	assert_int_equal(capture_file_open(&fx->file, "/dev/null", LINK_TYPE, SNAPLEN), -EEXIST);
	assert_int_equal(capture_file_open(&fx->file, "/nowhere/file", LINK_TYPE, SNAPLEN),
			 -ENOENT);
	assert_int_equal(unlink(fx->path), 0);
	assert_int_equal(mkfifo(fx->path, 0600), 0);
	assert_int_equal(capture_file_open(&fx->file, fx->path, LINK_TYPE, SNAPLEN), -EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(test_file_begins_as_pcap_savefile_has_it),
		CASE(test_packets_of_many_blocks_are_all_there),
		CASE(test_flush_between_packets_brings_all_of_them),
		CASE(test_blocks_end_where_those_of_the_file_do),
		CASE(test_file_without_its_end_is_whole_packets_up_to_a_point),
		CASE(test_room_that_was_not_needed_is_given_back),
		CASE(test_small_file_asks_for_no_room),
		CASE(test_file_system_that_gives_no_room_ahead_is_asked_once),
		CASE(test_full_disk_is_told_and_what_was_before_stays),
		CASE(test_what_is_no_regular_file_is_refused),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
