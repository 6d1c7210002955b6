/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbered messages to a service that echoes, for a while, and what became of them: for runs that
 * take so long that a request for each message would be most of the work.
 *
 *	offset 0	u64, little-endian: number
 *	offset 8 + i	u8: low byte of (number + i)
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "sys.h"

#define NUMBER_SIZE 8U
#define MESSAGE_MAX 496U /* what a buffer of 512 bytes holds besides the header */
#define WINDOW_MAX 256U
#define SEEN 8192U /* numbers that are remembered; a power of two, far above the window */
#define NS_PER_MS 1000000U

/* While writes find no buffer nothing says when there is one again. */
#define NO_BUFFER_MS 5

struct traffic {
	int fd;
	uint64_t first, sent, next; /* next: the one after the highest that came back */
	uint64_t received, doubled, reordered, damaged, late;
	uint64_t late_ns, max_ns;
	uint8_t seen[SEEN / 8];
	uint64_t times[SEEN];
};

/* Another length for each number, so that one payload is not taken for another. */
static uint32_t size_of(uint64_t number)
{
	return NUMBER_SIZE + (uint32_t)(number * 2654435761U) % (MESSAGE_MAX - NUMBER_SIZE + 1);
}

static void fill(uint8_t *bytes, uint32_t size, uint64_t number)
{
	for (uint32_t i = 0; i < NUMBER_SIZE; i++)
		bytes[i] = (uint8_t)(number >> 8 * i);
	for (uint32_t i = NUMBER_SIZE; i < size; i++)
		bytes[i] = (uint8_t)(number + i - NUMBER_SIZE);
}

static void forget(struct traffic *traffic, uint64_t number)
{
	traffic->seen[number % SEEN / 8] &= (uint8_t)~(1U << number % 8);
}

static void judge(struct traffic *traffic, const uint8_t *bytes, ssize_t size)
{
	uint8_t expected[MESSAGE_MAX];
	uint64_t number = 0, taken;
	uint8_t bit;

	for (uint32_t i = 0; size >= (ssize_t)NUMBER_SIZE && i < NUMBER_SIZE; i++)
		number |= (uint64_t)bytes[i] << 8 * i;
	if (size < (ssize_t)NUMBER_SIZE || number < traffic->first || number >= traffic->sent ||
	    size != (ssize_t)size_of(number)) {
		traffic->damaged++;
		return;
	}
	fill(expected, (uint32_t)size, number);
	if (memcmp(expected, bytes, (size_t)size) != 0) {
		traffic->damaged++;
		return;
	}
	bit = (uint8_t)(1U << number % 8);
	if (traffic->sent - number > SEEN || traffic->seen[number % SEEN / 8] & bit) {
		traffic->doubled++;
		return;
	}
	traffic->seen[number % SEEN / 8] |= bit;
	traffic->received++;
	if (number < traffic->next)
		traffic->reordered++;
	else
		traffic->next = number + 1;
	taken = sys_now_ns() - traffic->times[number % SEEN];
	traffic->late += taken > traffic->late_ns;
	if (taken > traffic->max_ns)
		traffic->max_ns = taken;
}

/* Return: 0, -EAGAIN when there is no buffer, or another negative errno. */
static int write_some(struct traffic *traffic, uint64_t window)
{
	uint8_t bytes[MESSAGE_MAX];

	while (traffic->sent - traffic->next < window) {
		uint32_t size = size_of(traffic->sent);
		ssize_t ret;

		fill(bytes, size, traffic->sent);
		forget(traffic, traffic->sent);
		traffic->times[traffic->sent % SEEN] = sys_now_ns();
		ret = write(traffic->fd, bytes, size);
		if (ret < 0)
			/* Linux says so when it has no buffer and may not wait. */
			return errno == ENOMEM ? -EAGAIN : -errno;
		traffic->sent++;
	}
	return 0;
}

/* Return: 0 when nothing more is there now, or a negative errno. */
static int read_all(struct traffic *traffic)
{
	uint8_t bytes[MESSAGE_MAX + NUMBER_SIZE];

	for (;;) {
		ssize_t ret = read(traffic->fd, bytes, sizeof(bytes));

		if (ret < 0)
			return errno == EAGAIN ? 0 : -errno;
		judge(traffic, bytes, ret);
	}
}

/* Return: 0 when all came back; -ETIMEDOUT; another negative errno that ended it. */
static int exchange_for(struct traffic *traffic, uint64_t window, uint64_t ns, uint64_t timeout_ns)
{
	uint64_t stop = sys_now_ns() + ns, progress = sys_now_ns();

	for (;;) {
		struct pollfd input = {.fd = traffic->fd, .events = POLLIN};
		uint64_t now = sys_now_ns(), before = traffic->received;
		int ret = now < stop ? write_some(traffic, window) : 0;
		int wait_ms = (int)(timeout_ns / NS_PER_MS);

		if (ret < 0 && ret != -EAGAIN)
			return ret;
		if (traffic->sent == traffic->next) {
			if (now >= stop)
				return 0;
			wait_ms = NO_BUFFER_MS;
		}
		if (ret == -EAGAIN)
			wait_ms = NO_BUFFER_MS;
		if (poll(&input, 1, wait_ms) < 0 && errno != EINTR)
			return -errno;
		ret = read_all(traffic);
		if (ret < 0)
			return ret;
		if (traffic->received != before)
			progress = sys_now_ns();
		else if (sys_now_ns() > progress + timeout_ns)
			return -ETIMEDOUT;
	}
}

static void report(struct json_out *out, const struct traffic *traffic, int err)
{
	char name[SYS_ERRNO_NAME_SIZE];

	json_out_u64(out, "sent", traffic->sent - traffic->first);
	json_out_u64(out, "received", traffic->received);
	/* Overtaken for good by one that came back; and those of which none did so far. */
	json_out_u64(out, "lost", traffic->next - traffic->first - traffic->received);
	json_out_u64(out, "missing", traffic->sent - traffic->next);
	json_out_u64(out, "doubled", traffic->doubled);
	json_out_u64(out, "reordered", traffic->reordered);
	json_out_u64(out, "damaged", traffic->damaged);
	json_out_u64(out, "late", traffic->late);
	json_out_u64(out, "max_us", traffic->max_ns / 1000);
	json_out_cstring(out, "ended", err ? sys_errno_name(-err, name) : "time");
}

static int run_traffic(struct call *call)
{
	uint64_t window = command_u64(call, "window", 1);
	uint64_t ns = command_u64(call, "ms", 0) * NS_PER_MS;
	uint64_t timeout_ns = command_u64(call, "timeout_ms", 5000) * NS_PER_MS;
	struct traffic *traffic;
	int err;

	if (window == 0)
		return command_fail(call, -EINVAL, "traffic: argument \"window\" is 0");
	/* Too large for the stack of a worker. */
	traffic = calloc(1, sizeof(*traffic));
	if (!traffic)
		return command_fail(call, -ENOMEM, "traffic");
	traffic->fd = command_fd(call);
	traffic->first = command_u64(call, "first", 0);
	traffic->sent = traffic->next = traffic->first;
	traffic->late_ns = command_u64(call, "late_ms", 1000) * NS_PER_MS;
	command_begin(call);
	err = exchange_for(traffic, window, ns, timeout_ns);
	command_end(call);
	report(&call->out, traffic, err);
	free(traffic);
	return 0;
}

const struct command command_traffic_table[] = {
	{"traffic",
	 run_traffic,
	 0,
	 {{"fd", ARGUMENT_FD, REQUIRED, 0},
	  {"ms", ARGUMENT_U64, REQUIRED, INT32_MAX},
	  {"first", ARGUMENT_U64, OPTIONAL, 0},
	  {"window", ARGUMENT_U64, OPTIONAL, WINDOW_MAX},
	  {"timeout_ms", ARGUMENT_U64, OPTIONAL, INT32_MAX},
	  {"late_ms", ARGUMENT_U64, OPTIONAL, INT32_MAX}}},
	{0},
};
