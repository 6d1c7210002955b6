/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations on a session: a front-end, a guest, an owner, time. In this process they are carried
 * out by targets/session.c, against a back-end that is another process by outside/.
 */
#ifndef FUZZ_COMMON_SESSION_OPS_H
#define FUZZ_COMMON_SESSION_OPS_H

#include "common/oplist.h"

/* Guest memory, of which there are WORLD_RAM_SIZE bytes: the rings, buffers of both, nothing. */
#define STATION_GUEST UINT64_C(0x40000000) /* guest-physical start of WORLD_RAM */
#define STATION_USER UINT64_C(0x7f0000000000)
#define STATION_MAX_ENTRIES 16
#define STATION_BUFFER_SIZE 512
#define STATION_GUARD 64
#define STATION_STRIDE (STATION_BUFFER_SIZE + STATION_GUARD)
#define STATION_RING_STRIDE 0x800
#define STATION_BUFFERS 0x1000
#define STATION_FREE (STATION_BUFFERS + 2 * STATION_MAX_ENTRIES * STATION_STRIDE)

/* Front-end and guest come first: up to SESSION_WIRE_COUNT they need nothing but a socket. */
enum session_op {
	SESSION_CONNECT,
	SESSION_LEAVE,
	SESSION_HANDSHAKE,
	SESSION_REQUEST,
	SESSION_STREAM,
	SESSION_POST,
	SESSION_MESSAGE,
	SESSION_BYTES,
	SESSION_TAKE,
	SESSION_KICK,
	SESSION_TURNS,
	SESSION_ADVANCE,
	SESSION_DESC,
	SESSION_AVAIL,
	SESSION_INDEX,
	SESSION_WRITE,
	SESSION_WIRE_COUNT,
	SESSION_ANNOUNCE = SESSION_WIRE_COUNT,
	SESSION_WITHDRAW,
	SESSION_HOLD,
	SESSION_RELEASE,
	SESSION_PACE,
	SESSION_FAULT,
	SESSION_SEND,
	SESSION_CONFIGURE,
	SESSION_CRASH,
	SESSION_FAIL,
	SESSION_POLL,
	SESSION_COUNT
};

extern const struct oplist_schema session_schema;

#endif /* FUZZ_COMMON_SESSION_OPS_H */
