/* SPDX-License-Identifier: BSD-2-Clause */
#include "outside/victim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whoever holds the pipe besides the back-end gets so long to let go of it. */
#define LAST_WORDS_MS 1000
#define OVERLAP 256 /* of what is searched, so that no line is missed that came in two pieces */
#define ENVIRONMENT_ROOM 64

/* ---- counters ----------------------------------------------------------------------------- */

static int make_coverage(struct victim *victim)
{
	char path[ENVIRONMENT_ROOM];
	void *at;

	victim->coverage_fd = memfd_create("rpmsg-fuzz-coverage", MFD_CLOEXEC);
	if (victim->coverage_fd < 0 || ftruncate(victim->coverage_fd, sizeof(struct coverage)) < 0)
		return -errno;
	at = mmap(NULL, sizeof(struct coverage), PROT_READ | PROT_WRITE, MAP_SHARED,
		  victim->coverage_fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	victim->coverage = at;
	/* A path, since shells and supervisors close descriptors that they do not know. */
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), victim->coverage_fd);
	return setenv(COVERAGE_VARIABLE, path, 1) < 0 ? -errno : 0;
}

static uint32_t given_out(const struct victim *victim)
{
	uint32_t count = __atomic_load_n(&victim->coverage->count, __ATOMIC_RELAXED);

	/* gcc's are spread, and nobody asks for them. */
	if (count < COVERAGE_HASHED)
		return COVERAGE_HASHED;
	return count < COVERAGE_COUNTERS ? count : COVERAGE_COUNTERS;
}

/* In the memory of that process. */
static struct iovec place_of(const struct coverage_range *range)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): an address that is not of this process */
	return (struct iovec){(void *)(uintptr_t)range->start, range->size};
}

/* The row of a range, where it has been copied to. */
static bool copy_range(struct victim *victim, unsigned int number, struct victim_counters *to)
{
	const struct coverage_range *range = &victim->coverage->range[number];
	struct iovec local, other = place_of(range);
	uint8_t *more;

	if (number >= COVERAGE_RANGES || __atomic_load_n(&range->set, __ATOMIC_ACQUIRE) == 0 ||
	    range->size == 0 || range->size > COVERAGE_COUNTERS)
		return false;
	if (range->size > victim->copied_room) {
		more = realloc(victim->copied, range->size);
		if (more == NULL)
			return false;
		victim->copied = more;
		victim->copied_room = range->size;
	}
	local = (struct iovec){victim->copied, range->size};
	if (process_vm_readv(range->process, &local, 1, &other, 1, 0) != (ssize_t)range->size) {
		if (errno == EPERM)
			victim->unreadable = true;
		return false;
	}
	*to = (struct victim_counters){victim->copied, range->size};
	return true;
}

bool victim_counters(struct victim *victim, unsigned int number, struct victim_counters *to)
{
	if (victim->coverage->magic != COVERAGE_MAGIC)
		return false;
	if (number == 0) {
		*to = (struct victim_counters){victim->coverage->counters, given_out(victim)};
		return true;
	}
	return copy_range(victim, number - 1, to);
}

void victim_clear_counters(struct victim *victim)
{
	struct victim_counters row;

	if (victim->coverage->magic != COVERAGE_MAGIC)
		return;
	memset(victim->coverage->counters, 0, given_out(victim));
	for (unsigned int i = 0; copy_range(victim, i, &row); i++) {
		const struct coverage_range *range = &victim->coverage->range[i];
		struct iovec local = {row.at, row.size};
		struct iovec other = place_of(range);

		memset(row.at, 0, row.size);
		(void)!process_vm_writev(range->process, &local, 1, &other, 1, 0);
	}
}

bool victim_is_counted(const struct victim *victim)
{
	return victim->coverage->magic == COVERAGE_MAGIC && !victim->unreadable;
}

/* ---- the process -------------------------------------------------------------------------- */

int victim_init(struct victim *victim, const char *command, const char *path, char *error,
		size_t size)
{
	int ret;

	memset(victim, 0, sizeof(*victim));
	victim->command = command;
	victim->path = path;
	victim->output_fd = victim->schedule_fd = victim->state_fd = -1;
	victim->output = calloc(1, VICTIM_OUTPUT + 1);
	ret = victim->output != NULL ? make_coverage(victim) : -ENOMEM;
	if (ret < 0)
		snprintf(error, size, "no memory for counters: %s", strerror(-ret));
	return ret;
}

int victim_start(struct victim *victim, char *error, size_t size)
{
	int ends[2], ret;

	if (victim->command == NULL || victim->running)
		return 0;
	victim->output_size = victim->output_seen = 0;
	victim->output[0] = '\0';
	/* Numbers are given anew, the same ones to the same program. */
	memset(victim->coverage, 0, offsetof(struct coverage, counters));
	if (pipe2(ends, O_CLOEXEC) < 0) {
		ret = -errno;
		snprintf(error, size, "cannot make a pipe: %s", strerror(-ret));
		return ret;
	}
	ret = launch_start(&victim->launch, victim->command, ends[1], error, size);
	close(ends[1]);
	if (ret < 0) {
		close(ends[0]);
		return ret;
	}
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	victim->output_fd = ends[0];
	victim->path = victim->launch.socket_path;
	victim->running = true;
	victim->starts++;
	return 0;
}

static void last_words(struct victim *victim)
{
	struct pollfd polled = {.fd = victim->output_fd, .events = POLLIN};

	while (victim->output_fd >= 0 && poll(&polled, 1, LAST_WORDS_MS) > 0)
		if (!victim_read(victim))
			break;
}

void victim_kill(struct victim *victim)
{
	char error[128];

	if (!victim->running)
		return;
	kill(-victim->launch.pid, SIGKILL);
	(void)launch_end(&victim->launch, error, sizeof(error));
	last_words(victim);
	close(victim->output_fd);
	victim->output_fd = -1;
	victim->running = false;
}

void victim_fini(struct victim *victim)
{
	victim_kill(victim);
	victim_identify(victim, 0);
	if (victim->coverage != NULL)
		munmap(victim->coverage, sizeof(*victim->coverage));
	if (victim->coverage_fd > 0)
		close(victim->coverage_fd);
	free(victim->copied);
	free(victim->output);
	memset(victim, 0, sizeof(*victim));
}

void victim_poll_fds(const struct victim *victim, struct pollfd *to)
{
	to[0] = (struct pollfd){.fd = victim->running ? victim->launch.pid_fd : -1,
				.events = POLLIN};
	to[1] = (struct pollfd){.fd = victim->output_fd, .events = POLLIN};
}

bool victim_read(struct victim *victim)
{
	ssize_t count;

	if (victim->output_fd < 0)
		return false;
	/* The first half is given up for what comes last. */
	if (victim->output_size == VICTIM_OUTPUT) {
		victim->output_size = VICTIM_OUTPUT / 2;
		victim->output_seen = 0;
		memmove(victim->output, victim->output + VICTIM_OUTPUT / 2, VICTIM_OUTPUT / 2);
	}
	count = read(victim->output_fd, victim->output + victim->output_size,
		     VICTIM_OUTPUT - victim->output_size);
	if (count <= 0)
		return false;
	for (ssize_t i = 0; i < count; i++)
		if (victim->output[victim->output_size + (size_t)i] == '\0')
			victim->output[victim->output_size + (size_t)i] = '?';
	victim->output_size += (size_t)count;
	victim->output[victim->output_size] = '\0';
	return true;
}

static void open_about(int *fd, pid_t process, const char *name)
{
	char path[ENVIRONMENT_ROOM];

	if (*fd >= 0)
		close(*fd);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)process, name);
	*fd = process != 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

void victim_identify(struct victim *victim, pid_t server)
{
	if (server == victim->server)
		return;
	victim->server = server;
	open_about(&victim->schedule_fd, server, "schedstat");
	open_about(&victim->state_fd, server, "stat");
}

/* Return: false when it cannot be read. */
static bool read_about(int fd, char *text, size_t room)
{
	ssize_t size = fd >= 0 ? pread(fd, text, room - 1, 0) : -1;

	if (size <= 0)
		return false;
	text[size] = '\0';
	return true;
}

struct victim_times victim_times(const struct victim *victim)
{
	unsigned long long ran, waited;
	char text[128];

	if (!read_about(victim->schedule_fd, text, sizeof(text)) ||
	    sscanf(text, "%llu %llu", &ran, &waited) != 2)
		return (struct victim_times){0};
	return (struct victim_times){.ran = ran / 1000000, .waited = waited / 1000000};
}

bool victim_sleeps(const struct victim *victim)
{
	char text[256];
	const char *name_end;

	if (!read_about(victim->state_fd, text, sizeof(text)))
		return false;
	name_end = strrchr(text, ')');
	return name_end != NULL && name_end[1] == ' ' && name_end[2] == 'S';
}

const char *victim_unread(struct victim *victim)
{
	size_t from = victim->output_seen > OVERLAP ? victim->output_seen - OVERLAP : 0;

	if (victim->output_seen == victim->output_size)
		return "";
	victim->output_seen = victim->output_size;
	return victim->output + from;
}

bool victim_has_ended(struct victim *victim, struct victim_end *how)
{
	siginfo_t info = {0};

	if (!victim->running ||
	    waitid(P_PID, (id_t)victim->launch.pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid == 0)
		return false;
	/* What the shell started, and whoever else holds the pipe. */
	kill(-victim->launch.pid, SIGKILL);
	last_words(victim);
	if (how == NULL)
		return true;
	*how = (struct victim_end){0};
	if (info.si_code != CLD_EXITED)
		how->signal = info.si_status;
	else if (info.si_status > 128 && info.si_status <= 128 + SIGRTMAX)
		how->signal = info.si_status - 128; /* as a shell tells it */
	else
		how->status = info.si_status;
	return true;
}
