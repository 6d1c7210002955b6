// SPDX-License-Identifier: BSD-2-Clause
/* Files of captures: libpcap writes, into blocks of ours. */

#include "daemon/capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS_PER_SEC UINT64_C(1000000000)
#define PAGE 4096U

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

/* The buffer goes into the file. */
static void put_out(struct capture_file *file)
{
	uint32_t done = 0;

	ask_ahead(file, file->written + file->fill);
	while (done < file->fill && !file->failed) {
		ssize_t ret = write(file->fd, file->buffer + done, file->fill - done);

		if (ret > 0)
			done += (uint32_t)ret;
		else if (ret == 0 || errno != EINTR)
			file->failed = true;
	}
	file->written += done;
	file->fill = 0;
}

/*
 * What libpcap's stream has to write. A block ends where one of the file does: what begins and ends
 * there is kept by the kernel as one large piece, and copied as one. Anything else takes twice the
 * time.
 */
static ssize_t take(void *cookie, const char *bytes, size_t size)
{
	struct capture_file *file = cookie;
	size_t taken = 0;

	while (taken < size && !file->failed) {
		size_t left =
			CAPTURE_FILE_BLOCK - (file->written + file->fill) % CAPTURE_FILE_BLOCK;
		size_t part = size - taken < left ? size - taken : left;

		memcpy(file->buffer + file->fill, bytes + taken, part);
		file->fill += (uint32_t)part;
		taken += part;
		if (part == left)
			put_out(file);
	}
	return file->failed ? 0 : (ssize_t)size;
}

/* The stream is libpcap's then, which closes it. */
static int open_dumper(struct capture_file *file)
{
	FILE *stream = fopencookie(file, "w", (cookie_io_functions_t){.write = take});

	if (!stream)
		return -ENOMEM;
	/* The blocks are buffer enough. */
	setvbuf(stream, NULL, _IONBF, 0);
	file->dumper = pcap_dump_fopen(file->pcap, stream);
	if (!file->dumper)
		fclose(stream);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Stream): pcap_dump_close() closes it */
	return file->dumper ? capture_file_flush(file) : -EIO;
}

static void release(struct capture_file *file)
{
	if (file->dumper)
		pcap_dump_close(file->dumper);
	if (file->pcap)
		pcap_close(file->pcap);
	free(file->packet);
	free(file->buffer);
}

int capture_file_open(struct capture_file *file, const char *path, int link_type, uint32_t snaplen)
{
	int ret = -ENOMEM;

	*file = (struct capture_file){.asks_ahead = true, .snaplen = snaplen};
	/* As it lies in the file: from the start of a page on. Untouched until it is needed. */
	file->buffer = aligned_alloc(PAGE, CAPTURE_FILE_BLOCK);
	file->packet = malloc(snaplen);
	file->pcap = pcap_open_dead_with_tstamp_precision(link_type, (int)snaplen,
							  PCAP_TSTAMP_PRECISION_NANO);
	if (file->buffer && file->packet && file->pcap)
		ret = file->fd = open_regular(path);
	if (ret >= 0) {
		ret = open_dumper(file);
		if (ret == 0)
			return 0;
		close(file->fd);
	}
	release(file);
	return ret;
}

uint8_t *capture_file_room(struct capture_file *file)
{
	return file->packet;
}

void capture_file_add(struct capture_file *file, uint32_t size, uint64_t time)
{
	const struct pcap_pkthdr header = {
		.ts =
			{
				.tv_sec = (time_t)(time / NS_PER_SEC),
				/* nanoseconds, since the file was opened with that precision */
				.tv_usec = (suseconds_t)(time % NS_PER_SEC),
			},
		.caplen = size,
		.len = size,
	};

	if (!file->failed)
		pcap_dump((u_char *)file->dumper, &header, file->packet);
}

int capture_file_flush(struct capture_file *file)
{
	if (!file->failed && file->fill != 0)
		put_out(file);
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
	release(file);
	return ret;
}
