/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/oracle.h"

#define FIRST_FD (1 << 20)
#define MAX_FDS 8192 /* numbers in one input */
#define MAX_FILES 64
#define MAX_MAPPINGS 128
#define PAGE 4096
#define START_TIME UINT64_C(1000000000)
#define PIPE_ROOM 65536
#define POLL_TURNS 1024 /* of a wait without end */

/* What a file is mapped at: aliases of one memory, each with a page behind it that is none. */
#define ALIASES 72
#define HUGE_ALIASES 12
#define HOST_SIZE ((size_t)64 << 20) /* what memfd_create() gives, mapped once */

enum kind {
	KIND_MEMORY,
	KIND_EVENT,
	KIND_TIMER,
	KIND_PIPE,
	KIND_SOCKET,
	KIND_LISTENER,
	KIND_DEVICE,
	KIND_FOLDER
};

struct file {
	size_t size;
	uint64_t count; /* of an event, bytes in a pipe, when a timer is due */
	enum kind kind;
	int flags; /* F_GETFL */
	unsigned int area, refs;
	bool dead; /* nobody at the other end */
	bool peer; /* a socket with the peer at its other end */
	bool dirty;
};

/* Memory of a file, for the life of the process. */
struct area {
	uint8_t *base; /* alias 0 is the target's own */
	size_t room;
	unsigned int aliases;
	bool used[ALIASES];
};

enum { AREA_RAM, AREA_RAM_2, AREA_ODD, AREA_HUGE, AREA_HOST, AREA_COUNT };

struct mapping {
	uint8_t *at;
	size_t size, offset;
	unsigned int file, alias;
};

static const struct file catalogue[WORLD_FILE_COUNT] = {
	[WORLD_RAM] = {.kind = KIND_MEMORY,
		       .flags = O_RDWR,
		       .size = WORLD_RAM_SIZE,
		       .area = AREA_RAM},
	[WORLD_RAM_2] = {.kind = KIND_MEMORY,
			 .flags = O_RDWR,
			 .size = WORLD_RAM_SIZE / 2,
			 .area = AREA_RAM_2},
	[WORLD_ODD] = {.kind = KIND_MEMORY,
		       .flags = O_RDWR,
		       .size = WORLD_ODD_SIZE,
		       .area = AREA_ODD},
	[WORLD_HUGE] = {.kind = KIND_MEMORY,
			.flags = O_RDWR,
			.size = WORLD_HUGE_SIZE,
			.area = AREA_HUGE},
	[WORLD_EMPTY] = {.kind = KIND_MEMORY, .flags = O_RDWR, .area = AREA_ODD},
	[WORLD_EVENT_0] = {.kind = KIND_EVENT, .flags = O_RDWR | O_NONBLOCK},
	[WORLD_EVENT_1] = {.kind = KIND_EVENT, .flags = O_RDWR | O_NONBLOCK},
	[WORLD_EVENT_2] = {.kind = KIND_EVENT, .flags = O_RDWR},
	[WORLD_PIPE_READ] = {.kind = KIND_PIPE, .flags = O_RDONLY},
	[WORLD_PIPE_WRITE] = {.kind = KIND_PIPE, .flags = O_WRONLY},
	[WORLD_PIPE_DEAD] = {.kind = KIND_PIPE, .flags = O_WRONLY, .dead = true},
	[WORLD_SOCKET] = {.kind = KIND_SOCKET, .flags = O_RDWR},
	[WORLD_SOCKET_DEAD] = {.kind = KIND_SOCKET, .flags = O_RDWR, .dead = true},
	[WORLD_DEVICE] = {.kind = KIND_DEVICE, .flags = O_RDWR},
	[WORLD_FOLDER] = {.kind = KIND_FOLDER, .flags = O_RDONLY},
};

static struct area areas[AREA_COUNT];
static struct file files[MAX_FILES];
static unsigned int file_count;
static int16_t fds[MAX_FDS]; /* file, or -1: closed */
static unsigned int fd_next, fd_open;
static struct mapping mappings[MAX_MAPPINGS];
static unsigned int mapping_count;
static const struct world_peer *peer;
static uint64_t now, tick;
static uint32_t calls_left;
static bool active, failed, was_mapped;

/* What --wrap makes of the calls: these are here, those of libc are the others. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
int __wrap_close(int fd);
int __real_close(int fd);
int __wrap_fcntl(int fd, int command, ...);
int __real_fcntl(int fd, int command, ...);
int __wrap_fstat(int fd, struct stat *to);
int __real_fstat(int fd, struct stat *to);
int __wrap_fstatfs(int fd, struct statfs *to);
int __real_fstatfs(int fd, struct statfs *to);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t size);
int __real_munmap(void *at, size_t size);
int __wrap_madvise(void *at, size_t size, int advice);
int __real_madvise(void *at, size_t size, int advice);
ssize_t __wrap_read(int fd, void *to, size_t size);
ssize_t __real_read(int fd, void *to, size_t size);
ssize_t __wrap___read_chk(int fd, void *to, size_t size, size_t room);
ssize_t __wrap_write(int fd, const void *from, size_t size);
ssize_t __real_write(int fd, const void *from, size_t size);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
int __wrap_poll(struct pollfd *polled, nfds_t count, int timeout);
int __real_poll(struct pollfd *polled, nfds_t count, int timeout);
int __wrap___poll_chk(struct pollfd *polled, nfds_t count, int timeout, size_t room);
int __wrap_memfd_create(const char *name, unsigned int flags);
int __real_memfd_create(const char *name, unsigned int flags);
int __wrap_ftruncate(int fd, off_t size);
int __real_ftruncate(int fd, off_t size);
int __wrap_eventfd(unsigned int count, int flags);
int __real_eventfd(unsigned int count, int flags);
int __wrap_eventfd_read(int fd, eventfd_t *to);
int __wrap_eventfd_write(int fd, eventfd_t value);
int __wrap_socket(int domain, int type, int protocol);
int __real_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __real_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __real_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_timerfd_create(clockid_t clock, int flags);
int __real_timerfd_create(clockid_t clock, int flags);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *to,
			   struct itimerspec *before);
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *to,
			   struct itimerspec *before);
int __wrap_clock_gettime(clockid_t clock, struct timespec *to);
int __real_clock_gettime(clockid_t clock, struct timespec *to);

/* ---- the world ---------------------------------------------------------------------------- */

static void make_area(struct area *area, size_t room, unsigned int aliases)
{
	int fd = __real_memfd_create("fuzz-world", MFD_CLOEXEC);
	size_t stride = room + PAGE;
	uint8_t *at = __real_mmap(NULL, stride * aliases + PAGE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ORACLE("world-memory",
	       fd >= 0 && at != MAP_FAILED && __real_ftruncate(fd, (off_t)room) == 0,
	       "no memory for a world: %s", strerror(errno));
	area->base = at + PAGE;
	area->room = room;
	area->aliases = aliases;
	for (unsigned int i = 0; i < aliases; i++)
		ORACLE("world-memory",
		       __real_mmap(area->base + stride * i, room, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED,
		       "cannot map memory of a world: %s", strerror(errno));
	area->used[0] = true;
	__real_close(fd);
}

static void make_areas(void)
{
	make_area(&areas[AREA_RAM], WORLD_RAM_SIZE, ALIASES);
	make_area(&areas[AREA_RAM_2], WORLD_RAM_SIZE / 2, ALIASES);
	make_area(&areas[AREA_ODD], (size_t)2 * PAGE, ALIASES);
	make_area(&areas[AREA_HUGE], WORLD_HUGE_SIZE, HUGE_ALIASES);
	make_area(&areas[AREA_HOST], HOST_SIZE, 2);
}

void world_begin(const struct world_peer *other)
{
	if (areas[0].base == NULL)
		make_areas();
	memcpy(files, catalogue, sizeof(catalogue));
	file_count = WORLD_FILE_COUNT;
	fd_next = fd_open = 0;
	mapping_count = 0;
	peer = other;
	now = START_TIME;
	tick = 0;
	calls_left = UINT32_MAX;
	failed = was_mapped = false;
	active = true;
}

static void clean(const struct file *file)
{
	/* Of a file as large as that only the pages that were touched. */
	if (file->area == AREA_HUGE || file->area == AREA_HOST)
		__real_madvise(areas[file->area].base, areas[file->area].room, MADV_REMOVE);
	else
		memset(areas[file->area].base, 0, areas[file->area].room);
}

void world_end(void)
{
	ORACLE("descriptor-leak", fd_open == 0, "%u descriptors were not closed", fd_open);
	ORACLE("mapping-leak", mapping_count == 0, "%u mappings are left", mapping_count);
	for (unsigned int i = 0; i < file_count; i++)
		if (files[i].kind == KIND_MEMORY && files[i].dirty)
			clean(&files[i]);
	active = false;
}

/* Is there a want of something now? */
static bool want(void)
{
	if (calls_left == UINT32_MAX)
		return false;
	if (calls_left-- > 0)
		return false;
	calls_left = UINT32_MAX;
	failed = true;
	return true;
}

static int give_number(unsigned int file)
{
	if (fd_next == MAX_FDS) {
		failed = true;
		errno = EMFILE;
		return -1;
	}
	files[file].refs++;
	fds[fd_next] = (int16_t)file;
	fd_open++;
	return FIRST_FD + (int)fd_next++;
}

int world_open(enum world_file file)
{
	return give_number(file);
}

/* A file that a call makes. */
static int make_file(const struct file *file)
{
	unsigned int number = WORLD_FILE_COUNT;

	/* One that nobody has any more, if it is not mapped. */
	while (number < file_count &&
	       (files[number].refs != 0 || files[number].kind == KIND_MEMORY))
		number++;
	if (number == MAX_FILES || want()) {
		failed = true;
		errno = EMFILE;
		return -1;
	}
	if (number == file_count)
		file_count++;
	files[number] = *file;
	return give_number(number);
}

static bool is_ours(int fd)
{
	return fd >= FIRST_FD && fd < FIRST_FD + MAX_FDS;
}

bool world_is_open(int fd)
{
	return is_ours(fd) && (unsigned int)(fd - FIRST_FD) < fd_next && fds[fd - FIRST_FD] >= 0;
}

static struct file *file_of(int fd, const char *call)
{
	ORACLE("closed-descriptor", active && world_is_open(fd),
	       "%s() of descriptor %d, which is closed", call, fd - FIRST_FD);
	return &files[fds[fd - FIRST_FD]];
}

unsigned int world_descriptors(void)
{
	return fd_open;
}

unsigned int world_mappings(void)
{
	return mapping_count;
}

bool world_was_mapped(void)
{
	return was_mapped;
}

uint8_t *world_memory(enum world_file file, size_t *size)
{
	files[file].dirty = true;
	*size = files[file].size;
	return areas[files[file].area].base;
}

bool world_locate(const void *at, size_t size, enum world_file *file, size_t *offset)
{
	for (unsigned int i = 0; i < mapping_count; i++) {
		const struct mapping *m = &mappings[i];
		size_t inside = (size_t)((const uint8_t *)at - m->at);

		if ((const uint8_t *)at < m->at || inside > m->size || size > m->size - inside ||
		    m->offset + inside + size > files[m->file].size)
			continue;
		*file = m->file;
		*offset = m->offset + inside;
		return true;
	}
	return false;
}

void world_signal(enum world_file file, uint64_t count)
{
	if (count == 0)
		files[file].count = 0;
	else if (files[file].count <= UINT64_MAX - 1 - count)
		files[file].count += count;
	if (files[file].kind == KIND_PIPE && files[file].count > PIPE_ROOM)
		files[file].count = PIPE_ROOM;
}

uint64_t world_events(enum world_file file)
{
	return files[file].count;
}

void world_fail(uint32_t calls)
{
	calls_left = calls;
}

bool world_failed(void)
{
	return failed;
}

void world_advance(uint64_t ns)
{
	if (ns < INT64_MAX / 2 - now)
		now += ns;
}

void world_tick(uint64_t ns)
{
	tick = ns;
}

uint64_t world_clock(void)
{
	uint64_t seen = now;

	world_advance(tick);
	return seen;
}

uint64_t world_now(void)
{
	return now;
}

/* ---- numbers ------------------------------------------------------------------------------ */

int __wrap_close(int fd)
{
	struct file *file;

	if (!is_ours(fd))
		return __real_close(fd);
	file = file_of(fd, "close");
	fds[fd - FIRST_FD] = -1;
	fd_open--;
	if (--file->refs == 0 && file->peer && peer != NULL)
		peer->closed(peer->ctx);
	return 0;
}

int __wrap_fcntl(int fd, int command, ...)
{
	struct file *file;
	va_list args;
	long value;

	va_start(args, command);
	value = va_arg(args, long);
	va_end(args);
	if (!is_ours(fd))
		return __real_fcntl(fd, command, value);
	file = file_of(fd, "fcntl");
	switch (command) {
	case F_GETFL:
		return file->flags;
	case F_SETFL:
		file->flags = (file->flags & O_ACCMODE) | ((int)value & O_NONBLOCK);
		return 0;
	case F_DUPFD_CLOEXEC:
		if (!want())
			return give_number((unsigned int)fds[fd - FIRST_FD]);
		errno = EMFILE;
		return -1;
	default:
		return 0;
	}
}

int __wrap_fstat(int fd, struct stat *to)
{
	static const mode_t modes[] = {
		[KIND_TIMER] = 0,	 [KIND_LISTENER] = S_IFSOCK, [KIND_MEMORY] = S_IFREG,
		[KIND_EVENT] = 0,	 [KIND_PIPE] = S_IFIFO,	     [KIND_SOCKET] = S_IFSOCK,
		[KIND_DEVICE] = S_IFCHR, [KIND_FOLDER] = S_IFDIR,
	};
	const struct file *file;

	if (!is_ours(fd))
		return __real_fstat(fd, to);
	file = file_of(fd, "fstat");
	memset(to, 0, sizeof(*to));
	to->st_mode = modes[file->kind] | 0600;
	to->st_size = (off_t)file->size;
	return 0;
}

int __wrap_fstatfs(int fd, struct statfs *to)
{
	const struct file *file;

	if (!is_ours(fd))
		return __real_fstatfs(fd, to);
	file = file_of(fd, "fstatfs");
	memset(to, 0, sizeof(*to));
	to->f_type = file->area == AREA_HUGE ? HUGETLBFS_MAGIC : TMPFS_MAGIC;
	to->f_bsize = file->area == AREA_HUGE ? (long)WORLD_HUGE_SIZE : PAGE;
	return 0;
}

/* ---- mappings ----------------------------------------------------------------------------- */

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	struct mapping *mapping = &mappings[mapping_count];
	struct area *area;
	struct file *file;
	size_t align, end;

	if (!is_ours(fd))
		return __real_mmap(at, size, protection, flags, fd, offset);
	file = file_of(fd, "mmap");
	ORACLE("mapped-what-is-no-memory", file->kind == KIND_MEMORY, "a descriptor of kind %d",
	       (int)file->kind);
	align = file->area == AREA_HUGE ? WORLD_HUGE_SIZE : PAGE;
	end = (file->size + align - 1) / align * align;
	ORACLE("mapping-alignment", offset >= 0 && offset % align == 0 && size > 0,
	       "%zu bytes at %lld", size, (long long)offset);
	ORACLE("mapped-beyond-file", (size_t)offset <= end && size <= end - (size_t)offset,
	       "%zu bytes at %lld of a file of %zu", size, (long long)offset, file->size);
	area = &areas[file->area];
	mapping->alias = 0;
	while (mapping->alias < area->aliases && area->used[mapping->alias])
		mapping->alias++;
	if (mapping_count == MAX_MAPPINGS || mapping->alias == area->aliases || want()) {
		failed = true;
		errno = ENOMEM;
		return MAP_FAILED;
	}
	mapping_count++;
	area->used[mapping->alias] = true;
	mapping->at = area->base + (area->room + PAGE) * mapping->alias + offset;
	mapping->size = size;
	mapping->offset = (size_t)offset;
	mapping->file = (unsigned int)fds[fd - FIRST_FD];
	file->dirty = was_mapped = true;
	return mapping->at;
}

static bool is_in_area(const uint8_t *at)
{
	for (unsigned int i = 0; i < AREA_COUNT; i++)
		if (areas[i].base != NULL && at >= areas[i].base &&
		    at < areas[i].base + (areas[i].room + PAGE) * areas[i].aliases)
			return true;
	return false;
}

int __wrap_munmap(void *at, size_t size)
{
	unsigned int i;

	if (!is_in_area(at))
		return __real_munmap(at, size);
	for (i = 0; i < mapping_count; i++)
		if (mappings[i].at == at && mappings[i].size == size)
			break;
	ORACLE("unmapped-twice", i < mapping_count, "%zu bytes are unmapped that are not mapped",
	       size);
	areas[files[mappings[i].file].area].used[mappings[i].alias] = false;
	mappings[i] = mappings[--mapping_count];
	return 0;
}

int __wrap_madvise(void *at, size_t size, int advice)
{
	return is_in_area(at) ? 0 : __real_madvise(at, size, advice);
}

int __wrap_memfd_create(const char *name, unsigned int flags)
{
	const struct file file = {.kind = KIND_MEMORY, .flags = O_RDWR, .area = AREA_HOST};

	return active ? make_file(&file) : __real_memfd_create(name, flags);
}

int __wrap_ftruncate(int fd, off_t size)
{
	if (!is_ours(fd))
		return __real_ftruncate(fd, size);
	ORACLE("world-memory", size >= 0 && (size_t)size <= HOST_SIZE, "a file of %lld bytes",
	       (long long)size);
	file_of(fd, "ftruncate")->size = (size_t)size;
	return 0;
}

/* ---- events ------------------------------------------------------------------------------- */

int __wrap_eventfd(unsigned int count, int flags)
{
	const struct file file = {
		.kind = KIND_EVENT, .flags = O_RDWR | (flags & O_NONBLOCK), .count = count};

	return active ? make_file(&file) : __real_eventfd(count, flags);
}

static ssize_t again(const struct file *file)
{
	ORACLE("blocks", (file->flags & O_NONBLOCK) != 0, "a call that would wait for ever");
	errno = EAGAIN;
	return -1;
}

ssize_t __wrap_read(int fd, void *to, size_t size)
{
	struct file *file;

	if (!is_ours(fd))
		return __real_read(fd, to, size);
	file = file_of(fd, "read");
	if (file->kind == KIND_EVENT && size >= sizeof(file->count)) {
		if (file->count == 0)
			return again(file);
		memcpy(to, &file->count, sizeof(file->count));
		file->count = 0;
		return sizeof(file->count);
	}
	if (file->kind == KIND_TIMER && size >= sizeof(uint64_t)) {
		const uint64_t once = 1;

		if (file->count == 0 || now < file->count)
			return again(file);
		memcpy(to, &once, sizeof(once));
		file->count = 0;
		return sizeof(once);
	}
	if (file->kind == KIND_PIPE && (file->flags & O_ACCMODE) == O_RDONLY) {
		if (file->count == 0 && !file->dead)
			return again(file);
		if (size > file->count)
			size = file->count;
		memset(to, 0x55, size);
		file->count -= size;
		return (ssize_t)size;
	}
	errno = EINVAL;
	return -1;
}

ssize_t __wrap___read_chk(int fd, void *to, size_t size, size_t room)
{
	return __wrap_read(fd, to, size);
}

ssize_t __wrap_write(int fd, const void *from, size_t size)
{
	struct file *file;
	uint64_t add;

	if (!is_ours(fd))
		return __real_write(fd, from, size);
	file = file_of(fd, "write");
	if (file->kind == KIND_EVENT && size >= sizeof(add)) {
		memcpy(&add, from, sizeof(add));
		if (add > UINT64_MAX - 1 - file->count)
			return again(file);
		file->count += add;
		return sizeof(add);
	}
	if (file->kind == KIND_PIPE && (file->flags & O_ACCMODE) == O_WRONLY) {
		if (file->dead) {
			errno = EPIPE;
			return -1;
		}
		if (size > PIPE_ROOM - file->count)
			return again(file);
		file->count += size;
		return (ssize_t)size;
	}
	errno = EINVAL;
	return -1;
}

int __wrap_eventfd_read(int fd, eventfd_t *to)
{
	return __wrap_read(fd, to, sizeof(*to)) == sizeof(*to) ? 0 : -1;
}

int __wrap_eventfd_write(int fd, eventfd_t value)
{
	return __wrap_write(fd, &value, sizeof(value)) == sizeof(value) ? 0 : -1;
}

/* ---- sockets ------------------------------------------------------------------------------ */

int __wrap_socket(int domain, int type, int protocol)
{
	const struct file file = {.kind = KIND_SOCKET, .flags = O_RDWR | O_NONBLOCK, .peer = true};

	return active ? make_file(&file) : __real_socket(domain, type, protocol);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
	if (!is_ours(fd))
		return __real_connect(fd, address, size);
	if (file_of(fd, "connect")->peer && peer != NULL)
		return 0;
	errno = ECONNREFUSED;
	return -1;
}

static struct file *socket_of(int fd, const char *call)
{
	struct file *file = file_of(fd, call);

	ORACLE("socket", file->kind == KIND_SOCKET, "%s() of no socket", call);
	return file;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	int sent[8] = {0};
	unsigned int count = 0;
	struct file *file;

	if (!is_ours(fd))
		return __real_sendmsg(fd, message, flags);
	file = socket_of(fd, "sendmsg");
	ORACLE("signal", (flags & MSG_NOSIGNAL) != 0, "SIGPIPE is not kept off");
	if (file->dead || (file->peer && peer == NULL)) {
		errno = EPIPE;
		return -1;
	}
	if (message->msg_control != NULL) {
		const struct cmsghdr *control = CMSG_FIRSTHDR(message);

		count = (unsigned int)((control->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		ORACLE("descriptor-count", count <= 8, "%u descriptors are sent", count);
		for (unsigned int i = 0; i < count; i++) {
			int original;

			memcpy(&original, CMSG_DATA(control) + i * sizeof(int), sizeof(original));
			file_of(original, "sendmsg");
			sent[i] = give_number((unsigned int)fds[original - FIRST_FD]);
		}
	}
	if (file->peer) {
		peer->sent(peer->ctx, message->msg_iov->iov_base, message->msg_iov->iov_len, sent,
			   count);
	} else {
		for (unsigned int i = 0; i < count; i++)
			__wrap_close(sent[i]);
		file->count += message->msg_iov->iov_len;
		if (file->count > PIPE_ROOM) {
			file->count = PIPE_ROOM;
			errno = EAGAIN;
			return -1;
		}
	}
	return (ssize_t)message->msg_iov->iov_len;
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
	unsigned int count = 0;
	int got[8];
	struct file *file;
	ssize_t size;

	if (!is_ours(fd))
		return __real_recvmsg(fd, message, flags);
	file = socket_of(fd, "recvmsg");
	if (!file->peer || peer == NULL)
		return 0;
	size = peer->receive(peer->ctx, message->msg_iov->iov_base, message->msg_iov->iov_len, got,
			     8, &count);
	message->msg_flags = 0;
	if (size < 0) {
		message->msg_controllen = 0;
		errno = EAGAIN;
		return -1;
	}
	if (count != 0) {
		struct cmsghdr *control = CMSG_FIRSTHDR(message);

		control->cmsg_level = SOL_SOCKET;
		control->cmsg_type = SCM_RIGHTS;
		control->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(control), got, sizeof(int) * count);
		message->msg_controllen = CMSG_SPACE(sizeof(int) * count);
	} else {
		message->msg_controllen = 0;
	}
	return size;
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	const struct file made = {.kind = KIND_SOCKET, .flags = O_RDWR | O_NONBLOCK, .peer = true};
	int number;

	if (!is_ours(fd))
		return __real_accept4(fd, address, size, flags);
	ORACLE("socket", file_of(fd, "accept4")->kind == KIND_LISTENER, "accept4() of no listener");
	if (peer == NULL || !peer->connecting(peer->ctx)) {
		errno = EAGAIN;
		return -1;
	}
	number = make_file(&made);
	if (number >= 0)
		peer->accepted(peer->ctx);
	return number;
}

int world_listen(void)
{
	const struct file file = {.kind = KIND_LISTENER, .flags = O_RDWR | O_NONBLOCK};

	return make_file(&file);
}

short world_ready(int fd, short events)
{
	const struct file *file = file_of(fd, "poll");
	short found = 0;

	switch (file->kind) {
	case KIND_SOCKET:
		if (!file->peer)
			return events & POLLOUT;
		if (peer->readable(peer->ctx))
			found |= POLLIN;
		if (peer->gone(peer->ctx))
			found |= POLLRDHUP;
		found |= POLLOUT;
		break;
	case KIND_LISTENER:
		found = peer != NULL && peer->connecting(peer->ctx) ? POLLIN : 0;
		break;
	case KIND_TIMER:
		found = file->count != 0 && now >= file->count ? POLLIN : 0;
		break;
	default:
		found = file->count != 0 ? POLLIN : 0;
		break;
	}
	return found & events;
}

int __wrap_poll(struct pollfd *polled, nfds_t count, int timeout)
{
	if (count == 0 || !is_ours(polled[0].fd))
		return __real_poll(polled, count, timeout);
	for (unsigned int turn = 0; turn < POLL_TURNS; turn++) {
		int found = 0;

		for (nfds_t i = 0; i < count; i++) {
			polled[i].revents = world_ready(polled[i].fd, polled[i].events);
			found += polled[i].revents != 0;
		}
		if (found != 0 || timeout == 0)
			return found;
		if (!peer->wait(peer->ctx))
			break;
	}
	/* A wait without end would be one now: it ends as after a signal. */
	if (timeout < 0) {
		errno = EINTR;
		return -1;
	}
	world_advance((uint64_t)timeout * 1000000);
	return 0;
}

/* What poll() is in a build with checked calls of libc. */
int __wrap___poll_chk(struct pollfd *polled, nfds_t count, int timeout, size_t room)
{
	return __wrap_poll(polled, count, timeout);
}

int __wrap_timerfd_create(clockid_t clock, int flags)
{
	const struct file file = {.kind = KIND_TIMER, .flags = O_RDWR | O_NONBLOCK};

	return active ? make_file(&file) : __real_timerfd_create(clock, flags);
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *to,
			   struct itimerspec *before)
{
	if (!is_ours(fd))
		return __real_timerfd_settime(fd, flags, to, before);
	ORACLE("timer",
	       to->it_value.tv_sec >= 0 && to->it_value.tv_nsec >= 0 &&
		       to->it_value.tv_nsec < 1000000000,
	       "an impossible time");
	file_of(fd, "timerfd_settime")->count =
		(uint64_t)to->it_value.tv_sec * 1000000000 + (uint64_t)to->it_value.tv_nsec;
	return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *to)
{
	uint64_t seen;

	if (!active)
		return __real_clock_gettime(clock, to);
	seen = world_clock();
	to->tv_sec = (time_t)(seen / 1000000000);
	to->tv_nsec = (long)(seen % 1000000000);
	return 0;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
