/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/watch.h"

#include <errno.h>
#include <stdlib.h>

struct watch {
	uv_poll_t poll;
	watch_fn readable;
	void *ctx;
};

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;

	if (status == 0 && (events & UV_DISCONNECT) && !(events & UV_READABLE))
		status = -ENODATA;
	watch->readable(watch->ctx, status);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

int watch_new(struct watch **watch, uv_loop_t *loop, int fd, watch_fn readable, void *ctx)
{
	struct watch *made = calloc(1, sizeof(*made));
	int ret;

	if (!made)
		return -ENOMEM;
	made->readable = readable;
	made->ctx = ctx;
	ret = uv_poll_init(loop, &made->poll, fd);
	if (ret) {
		free(made);
		return ret;
	}
	made->poll.data = made;
	ret = watch_resume(made);
	if (ret) {
		watch_free(made);
		return ret;
	}
	*watch = made;
	return 0;
}

void watch_pause(struct watch *watch)
{
	uv_poll_stop(&watch->poll);
}

int watch_hangup(struct watch *watch)
{
	return uv_poll_start(&watch->poll, UV_DISCONNECT, on_poll);
}

int watch_resume(struct watch *watch)
{
	return uv_poll_start(&watch->poll, UV_READABLE, on_poll);
}

void watch_free(struct watch *watch)
{
	if (watch)
		uv_close((uv_handle_t *)&watch->poll, on_closed);
}
