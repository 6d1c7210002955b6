/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One rpmsg device that can do anything to its rings: a vhost-user back-end whose input queue,
 * output queue and interrupts are in the hands of an operation list (device/attack.h). What it
 * does between lists is polite: it announces a service and sends back what it is sent.
 */
#ifndef FUZZ_DEVICE_DEVICE_H
#define FUZZ_DEVICE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/oplist.h"
#include "vhost/backend.h"
#include "vhost/socket.h"
#include "wire/rpmsg.h"

#define DEVICE_HISTORY 16   /* used entries of a queue that can be used again */
#define DEVICE_INPUT 65536  /* bytes of an operation list */
#define DEVICE_CONFIG 16    /* bytes of configuration space */
#define DEVICE_BUFFER 65536 /* bytes of a message that is echoed */

/* How a used entry is shown to the driver. */
enum device_post {
	POST_LAWFUL, /* with an interrupt if the driver wants one */
	POST_LOUD,   /* with an interrupt, wanted or not */
	POST_SILENT, /* without an interrupt */
	POST_HIDDEN, /* not shown: used.idx stays */
	POST_COUNT
};

/* A buffer that the driver made available. */
struct device_buffer {
	uint8_t *at;
	uint32_t size;
	uint16_t head;
};

struct device_queue {
	uint16_t taken;	 /* next entry of the available ring */
	uint16_t used;	 /* next entry of the used ring */
	uint16_t judged; /* used when it was last decided whether to interrupt */
	struct device_buffer history[DEVICE_HISTORY];
	unsigned int history_count; /* ever used */
};

struct device {
	unsigned int number;
	int listener, connection; /* -1: none */
	struct vhost_reader reader;
	struct backend backend;
	int kicks[RPMSG_NUM_QUEUES];
	struct device_queue queues[RPMSG_NUM_QUEUES];
	uint8_t config[DEVICE_CONFIG];
	uint64_t withheld; /* features that are not offered */
	bool ready;	   /* the driver is */
	bool kicked;	   /* since somebody asked */
	bool serving;	   /* buffers of the output queue are returned, messages sent back */
	bool announcing;   /* as soon as there is a buffer */
	uint32_t address;  /* of the service that is announced */
	uint64_t echoed;

	/* The attack that is under way. */
	uint8_t input[DEVICE_INPUT];
	struct oplist list;
	bool attacking, waiting, asking;
	unsigned int at;	   /* next operation */
	unsigned int repeats_left; /* of the operation before it */
	uint64_t wake_at;	   /* end of a wait, nanoseconds */
	uint32_t skipped;	   /* operations for which there was no buffer */
};

/**
 * device_init() - a device that nobody has connected to
 * @device: device
 * @number: for what is said of it
 * @listener: listening socket
 */
void device_init(struct device *device, unsigned int number, int listener);

/**
 * device_connected() - a front-end is there
 * @device: device
 * @fd: its connection; one that was there before is closed
 */
void device_connected(struct device *device, int fd);

/**
 * device_readable() - serve one message of the front-end
 * @device: device with a connection
 *
 * Return: false when the connection is over; it is closed then.
 */
bool device_readable(struct device *device);

/**
 * device_kick() - the driver has kicked a queue
 * @device: device
 * @queue: virtqueue number
 */
void device_kick(struct device *device, unsigned int queue);

/**
 * device_serve() - do what a polite device does: return, send back, announce
 * @device: device
 */
void device_serve(struct device *device);

/**
 * device_ring() - a queue's ring
 * @device: device
 * @queue: virtqueue number
 *
 * Return: the started queue; NULL when it is not started.
 */
struct virtq *device_ring(struct device *device, unsigned int queue);

/**
 * device_take() - the next buffer that the driver made available
 * @device: device
 * @queue: virtqueue number
 * @buffer: result
 *
 * Return: false when there is none, or it does not lie in memory.
 */
bool device_take(struct device *device, unsigned int queue, struct device_buffer *buffer);

/**
 * device_put() - write an entry of the used ring
 * @device: device
 * @queue: virtqueue number
 * @id: any
 * @length: any
 * @post: how it is shown
 */
void device_put(struct device *device, unsigned int queue, uint32_t id, uint32_t length,
		enum device_post post);

/**
 * device_used() - device_put() of a buffer, which is remembered
 * @device: device
 * @queue: virtqueue number
 * @buffer: buffer
 * @length: any
 * @post: how it is shown
 */
void device_used(struct device *device, unsigned int queue, const struct device_buffer *buffer,
		 uint32_t length, enum device_post post);

/**
 * device_show() - show the driver used.idx as it is
 * @device: device
 * @queue: virtqueue number
 * @post: how
 */
void device_show(struct device *device, unsigned int queue, enum device_post post);

/**
 * device_message() - send one message
 * @device: device
 * @hdr: its header, in which any length may stand
 * @payload: bytes after it
 * @size: their number
 * @used_more: added to the right used length
 * @post: how it is shown
 *
 * What does not fit the buffer is left out.
 *
 * Return: false when there is no buffer.
 */
bool device_message(struct device *device, const struct rpmsg_hdr *hdr, const uint8_t *payload,
		    size_t size, uint32_t used_more, enum device_post post);

/**
 * device_announce() - announce service "rpmsg-raw" as soon as there is a buffer
 * @device: device
 * @address: its address
 */
void device_announce(struct device *device, uint32_t address);

/**
 * device_now() - monotonic time
 *
 * Return: nanoseconds.
 */
uint64_t device_now(void);

#endif /* FUZZ_DEVICE_DEVICE_H */
