/* SPDX-License-Identifier: BSD-2-Clause */
#include "outside/line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_MS 2    /* between two attempts, when nobody tells when the next is worth it */
#define ABUSED_PART 4 /* of the limit: for an answer on a connection that was abused */
#define UNMEASURED_MS 20
#define ENOUGH_PART 4
#define FIRST_PAUSE_NS 50000
#define MAX_PAUSES 32	 /* some 25 ms in all */
#define MOST INT64_C(10) /* limits at the most, however little it runs */
#define MAX_SENT_FDS 16
#define LOST_ABOVE 65536 /* a payload of that size is not going to be sent */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void line_saw(struct line *line, uint32_t what)
{
	uint32_t hash = (line->context ^ what * UINT32_C(2654435761)) * UINT32_C(2246822519);
	uint8_t *at = &line->trace[(hash ^ hash >> 15) % LINE_TRACE];

	if (*at != UINT8_MAX)
		++*at;
}

/* ---- files -------------------------------------------------------------------------------- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int memory_of(size_t size, unsigned int flags)
{
	int fd = memfd_create("rpmsg-fuzz-memory", MFD_CLOEXEC | flags);

	/* Few machines keep huge pages ready; their size is what matters most. */
	if (fd < 0 && flags != 0)
		fd = memfd_create("rpmsg-fuzz-memory", MFD_CLOEXEC);
	if (fd >= 0 && ftruncate(fd, (off_t)size) < 0)
		close_fd(&fd);
	return fd;
}

static int make_ram(struct line *line)
{
	int fd = memory_of(WORLD_RAM_SIZE, 0);
	void *at;

	if (fd < 0)
		return -1;
	at = mmap(NULL, WORLD_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		close(fd);
		return -1;
	}
	if (line->memory != NULL)
		munmap(line->memory, WORLD_RAM_SIZE);
	line->memory = at;
	return fd;
}

static int make_pipe(enum world_file file, int *other)
{
	int ends[2];
	bool reads = file == WORLD_PIPE_READ;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	*other = ends[reads ? 1 : 0];
	(void)fcntl(*other, F_SETFL, O_NONBLOCK);
	return ends[reads ? 0 : 1];
}

static int make_socket(int *other)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	*other = ends[1];
	return ends[0];
}

static int make_file(struct line *line, enum world_file file, int *other)
{
	switch (file) {
	case WORLD_RAM:
		return make_ram(line);
	case WORLD_RAM_2:
		return memory_of(WORLD_RAM_SIZE / 2, 0);
	case WORLD_ODD:
		return memory_of(WORLD_ODD_SIZE, 0);
	case WORLD_HUGE:
		return memory_of(WORLD_HUGE_SIZE, MFD_HUGETLB);
	case WORLD_EMPTY:
		return memory_of(0, 0);
	case WORLD_EVENT_0:
	case WORLD_EVENT_1:
		return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	case WORLD_EVENT_2:
		return eventfd(0, EFD_CLOEXEC);
	case WORLD_PIPE_READ:
	case WORLD_PIPE_WRITE:
	case WORLD_PIPE_DEAD:
		return make_pipe(file, other);
	case WORLD_SOCKET:
	case WORLD_SOCKET_DEAD:
		return make_socket(other);
	case WORLD_DEVICE:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	default:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
}

int line_renew(struct line *line)
{
	for (unsigned int i = 0; i < WORLD_FILE_COUNT; i++) {
		if ((line->used & 1U << i) == 0)
			continue;
		close_fd(&line->others[i]);
		close_fd(&line->files[i]);
		line->files[i] = make_file(line, (enum world_file)i, &line->others[i]);
		if (line->files[i] < 0)
			return -errno;
		if (i == WORLD_PIPE_DEAD || i == WORLD_SOCKET_DEAD)
			close_fd(&line->others[i]);
	}
	line->used = 0;
	return 0;
}

int line_init(struct line *line, struct victim *victim, int limit_ms)
{
	memset(line, 0, sizeof(*line));
	line->victim = victim;
	line->limit_ms = limit_ms;
	line->fd = -1;
	for (unsigned int i = 0; i < WORLD_FILE_COUNT; i++)
		line->files[i] = line->others[i] = -1;
	line->used = (1U << WORLD_FILE_COUNT) - 1;
	return line_renew(line);
}

void line_fini(struct line *line)
{
	line_leave(line);
	for (unsigned int i = 0; i < WORLD_FILE_COUNT; i++) {
		close_fd(&line->files[i]);
		close_fd(&line->others[i]);
	}
	if (line->memory != NULL)
		munmap(line->memory, WORLD_RAM_SIZE);
	line->memory = NULL;
}

void line_kick(struct line *line, enum world_file file, uint64_t count)
{
	uint64_t *kicks = &line->kicks[file - WORLD_EVENT_0];

	*kicks += count < UINT64_MAX - 1 - *kicks ? count : UINT64_MAX - 1 - *kicks;
	line->unsettled = line->unsettled || count != 0;
}

/* What was kicked goes out at once, so that the back-end does the same each time. */
static void send_kicks(struct line *line)
{
	for (unsigned int i = 0; i < LINE_KICKED; i++) {
		unsigned int file = WORLD_EVENT_0 + i;

		if (line->kicks[i] == 0)
			continue;
		line->used |= 1U << file;
		/* One that is full says that nobody looks, which is no fault. */
		(void)!write(line->files[file], &line->kicks[i], sizeof(line->kicks[i]));
		line->kicks[i] = 0;
		line->kicked = true;
	}
}

/* ---- answers ------------------------------------------------------------------------------ */

void line_leave(struct line *line)
{
	close_fd(&line->fd);
	line->header_size = line->payload_left = 0;
	line->answer_size = 0;
	line->lost = line->stuck = line->garbled = line->unsettled = line->abused = false;
}

static void take_answer(struct line *line, uint32_t request, uint32_t size)
{
	const uint8_t *payload = line->answer + VHOST_HDR_SIZE;
	uint64_t number = size >= sizeof(number) ? vhost_get_u64(payload) : 0;

	line->answers++;
	line_saw(line, request << 16 ^ size << 4 ^ (number != 0));
	if (request == VHOST_GET_FEATURES && size == sizeof(number)) {
		line->features_answers++;
		line->offered = number;
	} else if (request == VHOST_GET_PROTOCOL_FEATURES && size == sizeof(number)) {
		line->protocol_offered = number;
		line->protocol_known = true;
	}
}

/* Answers out of the bytes that came, which may hold several and a part of one. */
static void take_bytes(struct line *line, const uint8_t *bytes, size_t size)
{
	while (size > 0 && !line->garbled) {
		uint32_t want = VHOST_HDR_SIZE, flags;
		size_t part;

		if (line->answer_size >= VHOST_HDR_SIZE)
			want += vhost_get_u32(line->answer + 8);
		part = want - line->answer_size < size ? want - line->answer_size : size;
		memcpy(line->answer + line->answer_size, bytes, part);
		line->answer_size += (uint32_t)part;
		bytes += part;
		size -= part;
		if (line->answer_size < VHOST_HDR_SIZE)
			continue;
		flags = vhost_get_u32(line->answer + 4);
		if ((flags & (VHOST_FLAG_VERSION_MASK | VHOST_FLAG_REPLY)) !=
			    (VHOST_VERSION | VHOST_FLAG_REPLY) ||
		    vhost_get_u32(line->answer + 8) > LINE_ANSWER) {
			line->garbled = true;
			break;
		}
		if (line->answer_size < VHOST_HDR_SIZE + vhost_get_u32(line->answer + 8))
			continue;
		take_answer(line, vhost_get_u32(line->answer), line->answer_size - VHOST_HDR_SIZE);
		line->answer_size = 0;
	}
}

static void close_received(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			close(fd);
		}
	}
}

void line_read(struct line *line)
{
	uint8_t bytes[4096];
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(MAX_SENT_FDS * sizeof(int))];
	} control;

	while (line->fd >= 0) {
		struct iovec part = {bytes, sizeof(bytes)};
		struct msghdr message = {.msg_iov = &part,
					 .msg_iovlen = 1,
					 .msg_control = control.room,
					 .msg_controllen = sizeof(control.room)};
		ssize_t count = recvmsg(line->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (count < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (count <= 0) {
			line_saw(line, 1);
			line_leave(line);
			return;
		}
		close_received(&message);
		take_bytes(line, bytes, (size_t)count);
		if ((size_t)count < sizeof(bytes))
			return;
	}
}

/* Wait for what the back-end does. */
static void wait_any(struct line *line, short events, int64_t until)
{
	struct pollfd polled[1 + VICTIM_POLLED];
	int64_t left = until - now_ms();

	polled[0] = (struct pollfd){.fd = line->fd, .events = events};
	victim_poll_fds(line->victim, polled + 1);
	if (poll(polled, 1 + VICTIM_POLLED, left > 0 ? (int)left : 0) <= 0)
		return;
	if (polled[0].revents != 0)
		line_read(line);
	if (polled[2].revents != 0)
		(void)victim_read(line->victim);
	/* One that is over may have left an answer behind, which has been read by now. */
	if (polled[0].revents == 0 && polled[1].revents != 0) {
		line_saw(line, 2);
		line_leave(line);
	}
}

/*
 * A limit on what the back-end takes. The time in which it waits for a processor is not its own,
 * on a machine that has more to do.
 */
struct patience {
	int64_t start, until, most;
	uint64_t enough; /* milliseconds on a processor: more is not needed for an answer */
	struct victim_times first, last;
	bool measured;
};

static struct patience patience(int ms)
{
	int64_t now = now_ms();

	return (struct patience){.start = now,
				 .until = now + ms,
				 .most = now + MOST * ms,
				 .enough = (uint64_t)ms / ENOUGH_PART};
}

/* The limit is reached: was the back-end kept from answering? Then it gets more. */
static bool is_excused(struct line *line, struct patience *patience, int64_t now)
{
	struct victim_times times = victim_times(line->victim);
	uint64_t waited = times.waited - patience->last.waited;

	if (!patience->measured || now >= patience->most || waited == 0 ||
	    times.waited < patience->last.waited ||
	    times.ran - patience->first.ran >= patience->enough)
		return false;
	patience->until = now + (int64_t)waited;
	patience->last = times;
	return true;
}

/* Return: false when the time is over. */
static bool wait_within(struct line *line, short events, struct patience *patience)
{
	int64_t now = now_ms(), first = patience->start + UNMEASURED_MS;

	/* Most answers come so soon that it is not worth looking. */
	if (!patience->measured && now >= first) {
		patience->first = patience->last = victim_times(line->victim);
		patience->measured = true;
	}
	if (now >= patience->until && !is_excused(line, patience, now))
		return false;
	wait_any(line, events,
		 !patience->measured && first < patience->until ? first : patience->until);
	return true;
}

void line_wait(struct line *line, int ms)
{
	send_kicks(line);
	if (line->fd >= 0)
		wait_any(line, POLLIN, now_ms() + ms);
}

/* ---- sending ------------------------------------------------------------------------------ */

/* Follow what is sent, to know whether it ends between two messages. */
static void follow(struct line *line, const uint8_t *bytes, size_t size)
{
	while (size > 0 && !line->lost) {
		size_t part;

		if (line->header_size < VHOST_HDR_SIZE) {
			part = VHOST_HDR_SIZE - line->header_size;
			part = part < size ? part : size;
			memcpy(line->header + line->header_size, bytes, part);
			line->header_size += (uint32_t)part;
			if (line->header_size == VHOST_HDR_SIZE)
				line->payload_left = vhost_get_u32(line->header + 8);
			line->lost = line->payload_left > LOST_ABOVE;
		} else {
			part = line->payload_left < size ? line->payload_left : size;
			line->payload_left -= (uint32_t)part;
		}
		if (line->header_size == VHOST_HDR_SIZE && line->payload_left == 0)
			line->header_size = 0;
		bytes += part;
		size -= part;
	}
}

static bool is_between_messages(const struct line *line)
{
	return !line->lost && line->header_size == 0;
}

static void put_files(struct line *line, struct msghdr *message, uint8_t *room,
		      const enum world_file *files, unsigned int count)
{
	struct cmsghdr *c;

	if (count > MAX_SENT_FDS)
		count = MAX_SENT_FDS;
	message->msg_control = room;
	message->msg_controllen = CMSG_SPACE(count * sizeof(int));
	c = CMSG_FIRSTHDR(message);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(count * sizeof(int));
	for (unsigned int i = 0; i < count; i++) {
		memcpy(CMSG_DATA(c) + i * sizeof(int), &line->files[files[i]], sizeof(int));
		line->used |= 1U << files[i];
	}
}

/* What got nonsense may leave it unanswered, and nothing is wrong with that. */
static int in_connection(const struct line *line)
{
	return line->abused ? line->limit_ms / ABUSED_PART : line->limit_ms;
}

void line_stream(struct line *line, const void *bytes, size_t size, const enum world_file *files,
		 unsigned int count)
{
	struct patience limit = patience(in_connection(line));
	const uint8_t *at = bytes;
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(MAX_SENT_FDS * sizeof(int))];
	} control = {0};

	while (line->fd >= 0 && size > 0 && !line->stuck) {
		struct iovec part = {(void *)at, size};
		struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
		ssize_t sent;

		if (count > 0)
			put_files(line, &message, control.room, files, count);
		sent = sendmsg(line->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		line->unsettled = true;
		if (sent > 0) {
			follow(line, at, (size_t)sent);
			at += sent;
			size -= (size_t)sent;
			count = 0;
		} else if (sent < 0 && errno == EAGAIN) {
			line->stuck = !wait_within(line, POLLIN | POLLOUT, &limit);
		} else if (sent < 0 && errno != EINTR) {
			/* What it answered before it closed is still there. */
			line_read(line);
			if (line->fd >= 0)
				line_leave(line);
		}
	}
}

void line_message(struct line *line, uint32_t request, uint32_t flags, const void *payload,
		  uint32_t size, enum world_file file)
{
	uint8_t bytes[VHOST_HDR_SIZE + VHOST_MAX_PAYLOAD];

	vhost_put_hdr(bytes, request, VHOST_VERSION | flags, size);
	if (size != 0)
		memcpy(bytes + VHOST_HDR_SIZE, payload, size);
	line_stream(line, bytes, VHOST_HDR_SIZE + size, &file, file < WORLD_FILE_COUNT);
}

/* Ask for the features, and wait. Return: false when no answer came in time. */
static bool ask(struct line *line, struct patience *limit)
{
	uint64_t before;

	line_read(line);
	before = line->features_answers;
	line_message(line, VHOST_GET_FEATURES, 0, NULL, 0, WORLD_FILE_COUNT);
	while (line->fd >= 0 && !line->garbled && line->features_answers == before)
		if (!wait_within(line, POLLIN, limit))
			break;
	return line->features_answers != before;
}

/* Kicks that the back-end has not read yet. */
static bool are_kicks_pending(const struct line *line)
{
	struct pollfd polled[] = {{.fd = line->files[WORLD_EVENT_0], .events = POLLIN},
				  {.fd = line->files[WORLD_EVENT_1], .events = POLLIN}};

	return line->kicked && poll(polled, 2, 0) > 0;
}

/*
 * Let the back-end read its kicks. Nothing tells that it has, but for the counters; one that sleeps
 * with kicks before it does not look at them. Return: false when it does not read them.
 */
static bool give_way(const struct line *line)
{
	struct timespec pause = {.tv_nsec = FIRST_PAUSE_NS};
	unsigned int asleep = 0;

	for (unsigned int i = 0; i < MAX_PAUSES && asleep < 2; i++) {
		nanosleep(&pause, NULL);
		if (!are_kicks_pending(line))
			return true;
		asleep = victim_sleeps(line->victim) ? asleep + 1 : 0;
		pause.tv_nsec += FIRST_PAUSE_NS;
	}
	return false;
}

/*
 * A back-end that reads messages until there are none answers before it looks for kicks: the
 * question that counts is one that is asked after they were read.
 */
void line_settle(struct line *line)
{
	struct patience limit = patience(in_connection(line));
	bool pending = line->unsettled;

	send_kicks(line);
	if (line->fd < 0 || line->stuck || line->garbled || !is_between_messages(line))
		return;
	while (pending && line->fd >= 0 && !line->stuck) {
		pending = are_kicks_pending(line);
		line->stuck = !ask(line, &limit) && line->fd >= 0;
		if (pending && !give_way(line))
			break;
	}
	if (line->stuck)
		line_saw(line, 3);
	line->unsettled = line->kicked = false;
}

/* ---- connecting --------------------------------------------------------------------------- */

static bool dial(struct line *line)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, line->victim->path, strlen(line->victim->path) + 1);
	line->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (line->fd < 0)
		return false;
	if (connect(line->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return true;
	close_fd(&line->fd);
	return false;
}

/* Who listens: what it is kept waiting for is looked up by that. */
static void identify(struct line *line)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	if (getsockopt(line->fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0)
		victim_identify(line->victim, who.pid);
}

enum line_state line_connect(struct line *line, int limit_ms)
{
	struct patience limit = patience(limit_ms);

	line_leave(line);
	memset(line->kicks, 0, sizeof(line->kicks));
	line->context = 0;
	for (;;) {
		line->listening = dial(line);
		if (line->listening)
			identify(line);
		if (line->listening && ask(line, &limit))
			return LINE_FINE;
		line_leave(line);
		if (victim_has_ended(line->victim, NULL))
			return LINE_ENDED;
		if (now_ms() >= limit.until)
			return LINE_WEDGED;
		wait_any(line, 0, now_ms() + PAUSE_MS);
	}
}
