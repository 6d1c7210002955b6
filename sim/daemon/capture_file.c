// SPDX-License-Identifier: BSD-2-Clause
/* Files of captures; the format is that of pcap-savefile(5). */

#include "daemon/capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC_NANOSECONDS UINT32_C(0xa1b23c4d)
#define MAJOR 2
#define MINOR 4

#define NS_PER_SEC UINT64_C(1000000000)
#define PAGE 4096U

struct file_header {
	uint32_t magic; /* whose order of bytes is that of all fields */
	uint16_t major, minor;
	uint32_t zone, accuracy; /* not in use: 0 */
	uint32_t snaplen;
	uint32_t link_type;
};

struct record_header {
	uint32_t seconds, nanoseconds;
	uint32_t captured, size;
};

_Static_assert(sizeof(struct file_header) == 24 && sizeof(struct record_header) == 16,
	       "pcap-savefile(5)");

/* Truncated only once it is known to be a regular file. */
static int open_regular(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
	struct stat file;
	int ret = 0;

	if (fd < 0)
		return errno == ENXIO ? -EEXIST : -errno;
	if (fstat(fd, &file))
		ret = -errno;
	else if (!S_ISREG(file.st_mode))
		ret = -EEXIST;
	else if (ftruncate(fd, 0))
		ret = -errno;
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

int capture_file_open(struct capture_file *file, const char *path, uint32_t link_type,
		      uint32_t snaplen)
{
	const struct file_header header = {
		.magic = MAGIC_NANOSECONDS,
		.major = MAJOR,
		.minor = MINOR,
		.snaplen = snaplen,
		.link_type = link_type,
	};
	size_t room = CAPTURE_FILE_BLOCK + sizeof(struct record_header) + snaplen;

	*file = (struct capture_file){.snaplen = snaplen, .asks_ahead = true};
	/* As it lies in the file: from the start of a page on. Untouched until it is needed. */
	file->buffer = aligned_alloc(PAGE, (room + PAGE - 1) / PAGE * PAGE);
	if (!file->buffer)
		return -ENOMEM;
	file->fd = open_regular(path);
	if (file->fd < 0) {
		free(file->buffer);
		return file->fd;
	}
	memcpy(file->buffer, &header, sizeof(header));
	file->fill = sizeof(header);
	if (capture_file_flush(file) == 0)
		return 0;
	close(file->fd);
	free(file->buffer);
	return -EIO;
}

/* It is a favour that is asked: without it the blocks are found one by one. */
static void ask_ahead(struct capture_file *file, uint64_t end)
{
	uint64_t ahead = end;

	if (!file->asks_ahead || end <= file->has_room || end < CAPTURE_FILE_BLOCK)
		return;
	if (ahead < CAPTURE_FILE_AHEAD_MIN)
		ahead = CAPTURE_FILE_AHEAD_MIN;
	if (ahead > CAPTURE_FILE_AHEAD_MAX)
		ahead = CAPTURE_FILE_AHEAD_MAX;
	if (fallocate(file->fd, FALLOC_FL_KEEP_SIZE, (off_t)file->written,
		      (off_t)(end + ahead - file->written)) == 0)
		file->has_room = end + ahead;
	else
		file->asks_ahead = false;
}

/* The first bytes of the buffer go into the file, the others to its start. */
static void put_out(struct capture_file *file, uint32_t size)
{
	uint32_t done = 0;

	ask_ahead(file, file->written + size);
	while (done < size && !file->failed) {
		ssize_t ret = write(file->fd, file->buffer + done, size - done);

		if (ret > 0)
			done += (uint32_t)ret;
		else if (ret == 0 || errno != EINTR)
			file->failed = true;
	}
	file->written += done;
	file->fill -= size;
	memmove(file->buffer, file->buffer + size, file->fill);
}

uint8_t *capture_file_room(struct capture_file *file)
{
	return file->buffer + file->fill + sizeof(struct record_header);
}

void capture_file_add(struct capture_file *file, uint32_t size, uint64_t time)
{
	const struct record_header header = {
		.seconds = (uint32_t)(time / NS_PER_SEC),
		.nanoseconds = (uint32_t)(time % NS_PER_SEC),
		.captured = size,
		.size = size,
	};
	uint32_t past;

	if (file->failed)
		return;
	memcpy(file->buffer + file->fill, &header, sizeof(header));
	file->fill += (uint32_t)sizeof(header) + size;
	/*
	 * Up to where a block of the file ends: what begins and ends there is kept by the kernel as
	 * one large piece, and copied as one. Anything else takes twice the time.
	 */
	past = (uint32_t)((file->written + file->fill) % CAPTURE_FILE_BLOCK);
	if (past < file->fill)
		put_out(file, file->fill - past);
}

int capture_file_flush(struct capture_file *file)
{
	if (!file->failed && file->fill != 0)
		put_out(file, file->fill);
	return file->failed ? -EIO : 0;
}

int capture_file_close(struct capture_file *file)
{
	int ret = capture_file_flush(file);

	/* What was asked for and not needed, which lies behind the end. */
	if (file->has_room > file->written && ftruncate(file->fd, (off_t)file->written))
		ret = -EIO;
	if (close(file->fd))
		ret = -EIO;
	free(file->buffer);
	return ret;
}
