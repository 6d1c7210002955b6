/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of a capture: libpcap's format with nanoseconds, written by libpcap into a buffer, which
 * goes to the kernel in large blocks that begin where those of the file do. What is in the packets
 * is not known here.
 *
 * Most of what a capture costs is what write() costs, and most of that is looking for room on the
 * disk, page by page. So room is asked for ahead, in large pieces, and what was not needed is given
 * back at the end. The size of the file is always that of what was written.
 */
#ifndef DAEMON_CAPTURE_FILE_H
#define DAEMON_CAPTURE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#define CAPTURE_FILE_BLOCK (UINT32_C(256) << 10) /* bytes; stays in a core's own cache */

/* Room on the disk that is asked for ahead: as much as the file has, within these bounds. */
#define CAPTURE_FILE_AHEAD_MIN (UINT64_C(1) << 20)
#define CAPTURE_FILE_AHEAD_MAX (UINT64_C(64) << 20)

struct capture_file {
	int fd;
	bool failed;	 /* not everything could be written; nothing more is */
	bool asks_ahead; /* the file system is willing, and the disk not full */
	struct pcap *pcap;
	struct pcap_dumper *dumper; /* writes into buffer */
	uint32_t snaplen;	    /* bytes of packet */
	uint8_t *packet;	    /* the next one */
	uint8_t *buffer;	    /* of a block */
	uint32_t fill;		    /* bytes in it */
	uint64_t written;	    /* bytes before those of the buffer */
	uint64_t has_room; /* bytes that there is room for on the disk, as far as is known */
};

/**
 * capture_file_open() - start a file
 * @file: result; stays where it is until it is closed
 * @path: replaced when it exists; anything but a regular file is refused
 * @link_type: DLT_ number
 * @snaplen: bytes of the largest packet
 *
 * Return: 0; -EEXIST for what is there and no regular file; another negative errno.
 */
int capture_file_open(struct capture_file *file, const char *path, int link_type, uint32_t snaplen);

/**
 * capture_file_room() - where the next packet goes
 * @file: open file
 *
 * Return: room for @snaplen bytes.
 */
uint8_t *capture_file_room(struct capture_file *file);

/**
 * capture_file_add() - a packet stands there
 * @file: open file
 * @size: its bytes, @snaplen at the most
 * @time: nanoseconds since the epoch
 */
void capture_file_add(struct capture_file *file, uint32_t size, uint64_t time);

/**
 * capture_file_flush() - bring all packets so far into the file
 * @file: open file
 *
 * Return: 0, or -EIO when not everything could be written.
 */
int capture_file_flush(struct capture_file *file);

/**
 * capture_file_close() - the same, and close it
 * @file: open file
 *
 * Return: as capture_file_flush().
 */
int capture_file_close(struct capture_file *file);

#endif /* DAEMON_CAPTURE_FILE_H */
