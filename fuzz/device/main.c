/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpmsg-fuzz-device: hostile devices for a guest's kernel, driven over standard input and output.
 *
 *	rpmsg-fuzz-device FOLDER COUNT	devices listen at FOLDER/0, FOLDER/1, ...
 *	rpmsg-fuzz-device --describe	the operations as JSON
 *
 * A line each way. Requests: load N HEX (an operation list, before the device is plugged),
 * announce N ADDRESS, start N, answered N, mutate SEED ROOM HEX, cross SEED ROOM HEX HEX. What is
 * told: ready N, gone N, user N WHAT SIZE, done N SKIPPED, input HEX, error TEXT.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/mutate.h"
#include "device/attack.h"
#include "wire/random.h"

#define MAX_DEVICES 16
#define LINE (4 * DEVICE_INPUT + 256)
#define TAKES_A_DEVICE "load announce start answered"

static struct device devices[MAX_DEVICES];
static unsigned int device_count;

/* ---- requests ----------------------------------------------------------------------------- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Return: bytes, or -1 when that is no HEX, or too long. */
static long from_hex(const char *text, uint8_t *to, size_t room)
{
	size_t size = 0;

	if (text == NULL)
		return -1;
	for (; text[0] != '\0'; text += 2) {
		int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);

		if (low < 0 || size == room)
			return -1;
		to[size++] = (uint8_t)(high << 4 | low);
	}
	return (long)size;
}

static void print_input(const uint8_t *data, size_t size)
{
	fputs("input ", stdout);
	for (size_t i = 0; i < size; i++)
		printf("%02x", data[i]);
	putchar('\n');
}

/* What libFuzzer does for the targets in process: a few bytes changed, or some more or fewer. */
static size_t mutate_some(uint8_t *data, size_t size, size_t room)
{
	static struct random random;
	static bool begun;
	size_t more;

	if (!begun)
		random_init(&random, 0, 0);
	begun = true;
	switch (random_below(&random, 4)) {
	case 0:
		more = random_below(&random, 1 + (uint32_t)(room - size));
		for (size_t i = 0; i < more; i++)
			data[size + i] = (uint8_t)random_next(&random);
		return size + more;
	case 1:
		return random_below(&random, 1 + (uint32_t)size);
	default:
		for (uint32_t left = 1 + random_below(&random, 4); size != 0 && left != 0; left--)
			data[random_below(&random, (uint32_t)size)] = (uint8_t)random_next(&random);
		return size;
	}
}

static void make(bool cross, char *rest)
{
	static uint8_t one[DEVICE_INPUT], two[DEVICE_INPUT], out[DEVICE_INPUT];
	const char *words[4];
	long first, second = 0;
	uint32_t seed;
	size_t room, size;

	for (unsigned int i = 0; i < 4; i++)
		words[i] = strtok_r(i == 0 ? rest : NULL, " ", &rest);
	first = from_hex(words[2], one, sizeof(one));
	if (cross)
		second = from_hex(words[3], two, sizeof(two));
	if (first < 0 || second < 0) {
		puts("error an input is no hex, or longer than an input may be");
		return;
	}
	seed = (uint32_t)strtoul(words[0], NULL, 0);
	room = strtoul(words[1], NULL, 0);
	if (room > sizeof(one))
		room = sizeof(one);
	if (cross) {
		size = mutate_cross(&attack_schema, one, (size_t)first, two, (size_t)second, out,
				    room, seed);
		print_input(out, size);
	} else {
		size = (size_t)first < room ? (size_t)first : room;
		size = mutate(&attack_schema, one, size, room, seed, mutate_some);
		print_input(one, size);
	}
}

static void to_device(struct device *device, const char *verb, const char *rest)
{
	if (strcmp(verb, "load") == 0) {
		long size = device->attacking
				    ? -1
				    : from_hex(rest, device->input, sizeof(device->input));

		if (size < 0 || attack_load(device, (size_t)size) < 0)
			printf("error %u: no operation list\n", device->number);
	} else if (strcmp(verb, "announce") == 0) {
		device_announce(device, rest != NULL ? (uint32_t)strtoul(rest, NULL, 0) : 0);
	} else if (strcmp(verb, "start") == 0) {
		attack_start(device);
	} else {
		attack_answered(device);
	}
}

static void request(char *line)
{
	char *rest, *verb = strtok_r(line, " ", &rest);
	const char *number;
	unsigned long n;

	if (verb == NULL)
		return;
	if (strcmp(verb, "mutate") == 0 || strcmp(verb, "cross") == 0) {
		make(verb[0] == 'c', rest);
		return;
	}
	number = strtok_r(NULL, " ", &rest);
	n = number != NULL ? strtoul(number, NULL, 10) : device_count;
	if (strstr(TAKES_A_DEVICE, verb) == NULL || n >= device_count)
		printf("error no such request: %s %s\n", verb, number != NULL ? number : "");
	else
		to_device(&devices[n], verb, strtok_r(NULL, " ", &rest));
}

/* Return: false when there will be no more. */
static bool read_requests(void)
{
	static char buffer[LINE];
	static size_t used;
	ssize_t got = read(STDIN_FILENO, buffer + used, sizeof(buffer) - 1 - used);
	char *start = buffer, *end;

	if (got <= 0)
		return got < 0 && errno == EINTR;
	used += (size_t)got;
	while ((end = memchr(start, '\n', used - (size_t)(start - buffer))) != NULL) {
		*end = '\0';
		request(start);
		start = end + 1;
	}
	used -= (size_t)(start - buffer);
	if (used == sizeof(buffer) - 1) {
		puts("error a line is too long");
		return false;
	}
	memmove(buffer, start, used);
	return true;
}

/* ---- loop --------------------------------------------------------------------------------- */

/* Milliseconds until a wait is over; -1: there is none. */
static int until_wake(void)
{
	uint64_t now = device_now(), next = UINT64_MAX;

	for (unsigned int i = 0; i < device_count; i++)
		if (devices[i].attacking && devices[i].waiting && devices[i].wake_at < next)
			next = devices[i].wake_at;
	if (next == UINT64_MAX)
		return -1;
	return next <= now ? 0 : (int)((next - now) / UINT64_C(1000000)) + 1;
}

static void serve(struct device *device, const struct pollfd *fds)
{
	int fd;

	if (fds[0].revents != 0) {
		fd = accept4(device->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			device_connected(device, fd);
		return;
	}
	for (unsigned int queue = 0; queue < RPMSG_NUM_QUEUES; queue++)
		if (fds[2 + queue].revents != 0 && device->kicks[queue] == fds[2 + queue].fd)
			device_kick(device, queue);
	if (fds[1].revents != 0 && device->connection == fds[1].fd)
		(void)device_readable(device);
	attack_go(device);
}

static void loop(void)
{
	struct pollfd fds[1 + 4 * MAX_DEVICES];

	for (;;) {
		fds[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
		for (unsigned int i = 0; i < device_count; i++) {
			const struct device *device = &devices[i];
			struct pollfd *own = &fds[1 + 4 * i];

			own[0] = (struct pollfd){.fd = device->listener, .events = POLLIN};
			own[1] = (struct pollfd){.fd = device->connection, .events = POLLIN};
			own[2] = (struct pollfd){.fd = device->kicks[0], .events = POLLIN};
			own[3] = (struct pollfd){.fd = device->kicks[1], .events = POLLIN};
		}
		fflush(stdout);
		if (poll(fds, 1 + 4 * device_count, until_wake()) < 0 && errno != EINTR)
			return;
		for (unsigned int i = 0; i < device_count; i++)
			serve(&devices[i], &fds[1 + 4 * i]);
		if (fds[0].revents != 0 && !read_requests())
			return;
	}
}

static int listen_at(const char *folder, unsigned int number)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int size = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%u", folder, number);

	if (fd < 0)
		return -errno;
	if (size < 0 || (size_t)size >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0)
		return -errno;
	return fd;
}

int main(int argc, char **argv)
{
	unsigned long count;

	if (argc == 2 && strcmp(argv[1], "--describe") == 0) {
		fputs("{\"name\":\"guest\",", stdout);
		oplist_describe(&attack_schema, stdout);
		puts("}");
		return 0;
	}
	count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	if (count == 0 || count > MAX_DEVICES) {
		fprintf(stderr,
			"usage: rpmsg-fuzz-device FOLDER COUNT\n"
			"       rpmsg-fuzz-device --describe\n"
			"COUNT is 1 to %d\n",
			MAX_DEVICES);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	for (; device_count < count; device_count++) {
		int fd = listen_at(argv[1], device_count);

		if (fd < 0) {
			fprintf(stderr, "rpmsg-fuzz-device: %s/%u: %s\n", argv[1], device_count,
				strerror(-fd));
			return 1;
		}
		device_init(&devices[device_count], device_count, fd);
	}
	puts("listening");
	loop();
	return 0;
}
