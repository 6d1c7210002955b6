/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line-by-line connection with the side that gives commands: a virtio-serial port, another
 * character device, or standard input and output. There is one, so its state is not handed around.
 */
#ifndef AGENT_PORT_H
#define AGENT_PORT_H

#include <stddef.h>
#include <stdint.h>

/* Longest request, without its newline, in bytes. */
#define PORT_LINE_MAX ((size_t)1 << 20)

/* What port_next_line() found. */
enum port_event {
	PORT_LINE,	   /* a line */
	PORT_TOO_LONG,	   /* a line of more than PORT_LINE_MAX bytes was skipped */
	PORT_UNTERMINATED, /* the stream ended within a line */
	PORT_END,	   /* the stream ended and will not come back */
	PORT_NEW_PEER,	   /* the stream ended, and somebody opened the other end again */
};

/**
 * port_open_stdio() - talk on standard input and output
 *
 * Their numbers are given to /dev/null, so that no command can write into the protocol.
 *
 * Return: 0 or a negative errno.
 */
int port_open_stdio(void);

/**
 * port_open_path() - talk on a device, a pty, a socket's file or a FIFO
 * @path: the file; a terminal is put into raw mode
 *
 * Return: 0 or a negative errno.
 */
int port_open_path(const char *path);

/**
 * port_open_virtio() - wait for a virtio-serial port, then talk on it
 * @name: of the port, as the command line of QEMU gives it
 * @timeout_ms: how long to wait for it; UINT64_MAX: without end
 *
 * Return: 0, -ETIMEDOUT, or another negative errno.
 */
int port_open_virtio(const char *name, uint64_t timeout_ms);

/**
 * port_wait_peer() - wait until somebody has opened the other end
 *
 * Return: 0, or a negative errno when the port is gone.
 */
int port_wait_peer(void);

/**
 * port_next_line() - wait for the next line. For the main thread only
 * @line: with PORT_LINE: its first byte; may be changed, valid until the next call
 * @length: with PORT_LINE: its bytes, without the newline
 *
 * Return: an enum port_event, or a negative errno when the port is gone.
 */
int port_next_line(char **line, size_t *length);

/**
 * port_session() - number of the peer that is connected, from 0
 *
 * Return: the number that port_send() compares.
 */
unsigned int port_session(void);

/**
 * port_new_session() - take it that another peer is connected now
 *
 * For a peer that says so: a virtio-serial port that is closed and opened again at once, or
 * brought back by a snapshot, looks as if nothing had happened.
 *
 * Return: the number of the new session.
 */
unsigned int port_new_session(void);

/**
 * port_send() - send one line whole, whatever other threads send meanwhile
 * @session: the peer that it is for; the line is dropped when this one has gone
 * @line: the bytes, which end in a newline
 * @length: how many
 *
 * Return: 0, or a negative errno when the line was not, or not wholly, sent.
 */
int port_send(unsigned int session, const char *line, size_t length);

/**
 * port_send_before_poweroff() - let the later port_send() return only when the other side has it
 */
void port_send_before_poweroff(void);

#endif
