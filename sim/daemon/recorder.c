/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/recorder.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/log.h"

static int finish(struct recorder *recorder, uint64_t *packets)
{
	int ret;

	capture_settle(recorder->capture, uv_hrtime());
	*packets = capture_packets(recorder->capture);
	ret = capture_close(recorder->capture);
	recorder->capture = NULL;
	uv_timer_stop(&recorder->flush);
	if (ret) {
		log_error("capture %s is incomplete: %s", recorder->path, strerror(-ret));
		recorder->failed = true;
	} else {
		log_info("capture %s: %" PRIu64 " packets", recorder->path, *packets);
	}
	return ret;
}

static void on_flush(uv_timer_t *timer)
{
	struct recorder *recorder = timer->data;
	uint64_t packets;

	/* Closing finds the same error again, and tells it. */
	if (capture_flush(recorder->capture))
		finish(recorder, &packets);
}

void recorder_init(struct recorder *recorder, uv_loop_t *loop)
{
	uv_timer_init(loop, &recorder->flush);
	recorder->flush.data = recorder;
	recorder->handle_open = true;
}

int recorder_start(struct recorder *recorder, const char *path)
{
	int ret;

	if (recorder->capture)
		return -EBUSY;
	if (strlen(path) > RECORDER_MAX_PATH)
		return -ENAMETOOLONG;
	ret = capture_open(&recorder->capture, path);
	if (ret)
		return ret;
	memcpy(recorder->path, path, strlen(path) + 1);
	uv_timer_start(&recorder->flush, on_flush, RECORDER_FLUSH_MS, RECORDER_FLUSH_MS);
	return 0;
}

int recorder_stop(struct recorder *recorder, uint64_t *packets)
{
	return recorder->capture ? finish(recorder, packets) : -ENOENT;
}

/* The clock is looked at once for several packets of a turn: that takes longer than a short one. */
static uint64_t packet_time(struct recorder *recorder)
{
	if (recorder->same_time != 0) {
		recorder->same_time--;
		return recorder->now;
	}
	if (recorder->in_turn)
		recorder->same_time = RECORDER_SAME_TIME - 1;
	recorder->now = uv_hrtime();
	return recorder->now;
}

void recorder_turn(struct recorder *recorder)
{
	recorder->in_turn = true;
	recorder->same_time = 0;
}

void recorder_close(struct recorder *recorder)
{
	uint64_t packets;

	if (recorder->capture)
		finish(recorder, &packets);
	if (recorder->handle_open)
		uv_close((uv_handle_t *)&recorder->flush, NULL);
	recorder->handle_open = false;
}

static const char *shown_name(const struct recorder *recorder, const char *remote)
{
	return recorder->several ? remote : NULL;
}

void recorder_message(struct recorder *recorder, const char *remote,
		      const struct remote_event *event, enum wire_order order,
		      const struct remote_endpoint_info *service)
{
	if (recorder->capture)
		capture_message(recorder->capture, shown_name(recorder, remote), event, order,
				service, packet_time(recorder));
}

void recorder_violation(struct recorder *recorder, const char *remote,
			const struct violation_record *record)
{
	if (recorder->capture)
		capture_violation(recorder->capture, shown_name(recorder, remote), record,
				  packet_time(recorder));
}

void recorder_fault(struct recorder *recorder, const char *remote, int queue, int32_t desc_id,
		    const char *name)
{
	struct capture_origin origin = {shown_name(recorder, remote), queue, desc_id};

	if (recorder->capture)
		capture_note(recorder->capture, &origin, CAPTURE_NOTE_FAULT, name,
			     packet_time(recorder));
}

void recorder_settle(struct recorder *recorder)
{
	if (recorder->capture)
		capture_settle(recorder->capture, packet_time(recorder));
	recorder->in_turn = false;
	recorder->same_time = 0;
}
