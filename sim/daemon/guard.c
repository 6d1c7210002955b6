/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/guard.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/instance.h"
#include "daemon/log.h"

/* A signal handler has no context: there is one guard a process. */
static struct registry *guarded;
static uv_async_t *guard_wakeup;

static bool holds(const struct backend_map *map, const void *address)
{
	uintptr_t start = (uintptr_t)map->at, at = (uintptr_t)address;

	return map->at && at >= start && at - start < map->size;
}

static const struct backend_map *find_map(const struct backend *backend, const void *address)
{
	for (unsigned int i = 0; i < backend->map_count; i++) {
		if (holds(&backend->maps[i], address))
			return &backend->maps[i];
	}
	return holds(&backend->log_map, address) ? &backend->log_map : NULL;
}

/*
 * Runs between two instructions of ours, one of which was reading or writing guest memory; it
 * is repeated when this returns. The lists of mappings are whole: whatever changes them does
 * not look at guest memory meanwhile.
 */
static bool put_zeroes_there(const void *address)
{
	for (struct instance *i = guarded->first; i; i = i->next) {
		const struct backend_map *map = find_map(&i->backend, address);

		if (!map)
			continue;
		/* All of it: a page of another size than ours cannot be replaced in parts. */
		if (mmap(map->at, map->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
			 0) == MAP_FAILED)
			return false;
		i->memory_lost = 1;
		uv_async_send(guard_wakeup);
		return true;
	}
	return false;
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
	int saved = errno;

	if (!put_zeroes_there(info->si_addr))
		signal(SIGBUS, SIG_DFL); /* and the repeated access ends the program */
	errno = saved;
}

static void on_wakeup(uv_async_t *wakeup)
{
	for (struct instance *i = guarded->first; i; i = i->next)
		instance_check_memory(i);
}

int guard_install(struct registry *registry, uv_loop_t *loop, uv_async_t *wakeup)
{
	struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
	int ret = uv_async_init(loop, wakeup, on_wakeup);

	if (ret)
		return ret;
	guarded = registry;
	guard_wakeup = wakeup;
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, &action, NULL)) {
		ret = -errno;
		log_error("cannot handle signals: %s", strerror(-ret));
	}
	return ret;
}
