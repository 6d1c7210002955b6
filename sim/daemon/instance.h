/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One simulated remote with its vhost-user back-end and its socket, on the event loop.
 *
 * One front-end is served at a time; others wait in the backlog of the socket. The remote
 * runs in turns of bounded length on an idle handle, so that other instances and the control
 * socket are served in between however busy a host is.
 */
#ifndef DAEMON_INSTANCE_H
#define DAEMON_INSTANCE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "daemon/listener.h"
#include "daemon/log.h"
#include "daemon/registry.h"
#include "remote/remote.h"
#include "remote/service.h"
#include "vhost/backend.h"
#include "vhost/socket.h"
#include "virtio/spin.h"

/* Messages of the remote in one turn of the loop; vhost-user messages in one turn. */
#define INSTANCE_RUN_BUDGET 256
#define INSTANCE_REQUEST_BUDGET 32

struct instance_kick {
	struct instance *instance;
	unsigned int queue;
	int fd; /* our own duplicate: the back-end closes its one when it likes; -1: none */
	struct watch *watch;
};

/* Looking at the queues before sleeping; times in nanoseconds. */
struct instance_poll {
	struct spin spin;
	uint64_t last_work;
	uint64_t slept_at; /* 0: not yet */
	bool awake;
	bool looked; /* in vain, since the last work */
};

struct instance_ops {
	/* A front-end left and no other will come: --once, or a connected --fd. */
	void (*finished)(void *ctx, struct instance *instance);
};

#define INSTANCE_LIFE_BIT(what) (UINT32_C(1) << (what))

/* A service as it was asked for. */
struct instance_service {
	struct instance_service *next;
	char name[RPMSG_NAME_SIZE];
	const struct service_kind *kind;
	struct service_params params;
	uint32_t wanted; /* address; RPMSG_ADDR_ANY: a dynamic one */
	uint32_t addr;	 /* that it was given */
};

struct instance {
	const char *name;
	struct instance *next; /* in the registry */
	struct registry *registry;
	uv_loop_t *loop;
	const struct instance_ops *ops;
	void *ops_ctx;

	struct remote *remote;
	struct remote_config config; /* that the remote was made with; check may change later */
	struct instance_service *services;
	const struct script *scripts; /* that services may have (remote/script.h), by reference */
	size_t script_count;
	struct scenario_run *scenario; /* that goes on here (daemon/scenario_run.h), or NULL */
	struct backend backend;
	struct violation_sink sink;

	struct listener listener;
	int connected_fd; /* socket to serve instead of the listener's; -1: none */
	int fd;		  /* connection to the front-end; -1: none */
	struct watch *watch;
	struct vhost_reader reader;
	struct vhost_msg late_reply; /* while later is active in a session */
	struct instance_kick kicks[RPMSG_NUM_QUEUES];
	uint16_t avail_at_start[RPMSG_NUM_QUEUES]; /* avail.idx when the queue was started */

	uv_idle_t run;	  /* active while the remote has work */
	uv_timer_t later; /* for a late reply, or for being there again after a crash */
	struct instance_poll poll;
	uint64_t down_ms; /* how long it stays away when the session ends */
	int clock_fd;	  /* for remote_deadline() */
	struct watch *clock_watch;
	uint64_t wakeup_at;
	uint32_t life_asked; /* INSTANCE_LIFE_BIT() of what is to be done once nothing runs */
	bool once, handles_open;
	volatile sig_atomic_t memory_lost; /* the guard put zeroes in place of guest memory */

	uint64_t violations[VIOLATION_COUNT];
	struct log_limit violation_limits[VIOLATION_COUNT];
	struct log_limit fault_limits[FAULT_COUNT];
};

/**
 * instance_init() - make a remote that nobody can reach yet
 * @instance: instance; to be given to instance_free() when the return value is 0
 * @name: in log lines, events, captures; kept by reference
 * @config: of the remote; copied
 * @registry: where what happens is told; kept by reference. The caller adds the instance.
 *
 * Return: 0; -EINVAL for a configuration that cannot be served; another negative errno.
 */
int instance_init(struct instance *instance, const char *name, const struct remote_config *config,
		  struct registry *registry);

/**
 * instance_start() - begin to serve
 * @instance: instance whose listener has a socket, or that has a connected_fd
 * @loop: event loop
 * @once: serve one front-end
 * @ops: callbacks, kept by reference
 * @ops_ctx: passed to each
 *
 * Return: 0 or negative errno.
 */
int instance_start(struct instance *instance, uv_loop_t *loop, bool once,
		   const struct instance_ops *ops, void *ops_ctx);

/**
 * instance_poll() - look at the queues for a while before sleeping
 * @instance: instance
 * @longest: nanoseconds at the most; 0: sleep at once, as it does unless told otherwise
 * @eager: begin with that; else only where it has been seen to pay, and for one host at a time
 */
void instance_poll(struct instance *instance, uint64_t longest, bool eager);

/**
 * instance_schedule() - the remote may have work: run it in this turn of the loop
 * @instance: started instance
 *
 * To be called after every call of the remote's interface that makes it do something.
 */
void instance_schedule(struct instance *instance);

/**
 * instance_crash() - end the session as a remote that crashes, once everybody has returned
 * @instance: instance with a front-end
 * @down_ms: milliseconds before the next front-end is served
 */
void instance_crash(struct instance *instance, uint64_t down_ms);

/**
 * instance_announce() - make a service
 * @instance: instance
 * @service: template; copied
 * @addr: set to the address that it got
 *
 * Return: as remote_announce().
 */
int instance_announce(struct instance *instance, const struct instance_service *service,
		      uint32_t *addr);

/**
 * instance_withdraw() - take a service back
 * @instance: instance
 * @name: service
 * @addr: its address or RPMSG_ADDR_ANY, set to its address
 *
 * Return: as remote_withdraw().
 */
int instance_withdraw(struct instance *instance, const char *name, uint32_t *addr);

/**
 * instance_configure() - make the remote anew, with the same services, faults and pacing
 * @instance: instance without a front-end
 * @config: of the remote; copied
 *
 * Counters of the remote begin anew, those of violations do not; holding ends. Dynamic
 * addresses are given again, by the new configuration.
 *
 * Return: 0; -EBUSY with a front-end; -EINVAL for a configuration that cannot be served, or as
 * instance_announce(). What fails leaves the remote as it was.
 */
int instance_configure(struct instance *instance, const struct remote_config *config);

/**
 * instance_free_services() - forget what was asked for
 * @instance: instance
 */
void instance_free_services(struct instance *instance);

/**
 * instance_check_memory() - disconnect the front-end if its memory went away (daemon/guard.h)
 * @instance: instance
 */
void instance_check_memory(struct instance *instance);

/**
 * instance_stop() - end the session, stop listening, remove the socket file
 * @instance: instance; its memory has to stay until the loop has closed all handles
 */
void instance_stop(struct instance *instance);

/**
 * instance_free() - release what instance_init() made
 * @instance: stopped instance, its handles closed
 */
void instance_free(struct instance *instance);

/**
 * instance_connected() - is there a front-end?
 * @instance: instance
 *
 * Return: true while a connection is served.
 */
static inline bool instance_connected(const struct instance *instance)
{
	return instance->fd >= 0;
}

#endif /* DAEMON_INSTANCE_H */
