/* SPDX-License-Identifier: BSD-2-Clause */
#include "remote/profile.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "virtio/vring.h"
#include "wire/bytes.h"
#include "wire/rpmsg.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* ---- layouts of the configuration space --------------------------------------------------- */

/* What the two name fields of NuttX say. */
#define HOST_NAME "host"
#define REMOTE_NAME "remote"

static const struct config_layout layouts[] = {
	{
		.name = "linux",
		.summary = "Linux, merged in September 2026: 11 bytes, remote's send size first",
		.size = 11,
		.version = 1,
		.sizes_bit = RPMSG_F_BUFSZ,
		.fields = {{CONFIG_VERSION, 0, 1},
			   {CONFIG_SIZE, 1, 2},
			   {CONFIG_TO_HOST, 3, 4},
			   {CONFIG_TO_REMOTE, 7, 4}},
	},
	{
		.name = "openamp",
		.summary = "OpenAMP pull request 684: 11 bytes, host's send size first",
		.size = 11,
		.version = 1,
		.driver_writes = true,
		.sizes_bit = RPMSG_F_BUFSZ,
		.fields = {{CONFIG_VERSION, 0, 1},
			   {CONFIG_SIZE, 1, 2},
			   {CONFIG_TO_REMOTE, 3, 4},
			   {CONFIG_TO_HOST, 7, 4}},
	},
	{
		/* Superseded; that the alignment comes before the sizes is inferred from 13 bytes.
		 */
		.name = "linux-aligned",
		.summary = "Linux patch of July 2026 (v5): 13 bytes, with an alignment",
		.size = 13,
		.version = 1,
		.align = 4,
		.sizes_bit = RPMSG_F_BUFSZ,
		.fields = {{CONFIG_VERSION, 0, 1},
			   {CONFIG_SIZE, 1, 2},
			   {CONFIG_ALIGN, 3, 2},
			   {CONFIG_TO_HOST, 5, 4},
			   {CONFIG_TO_REMOTE, 9, 4}},
	},
	{
		.name = "nuttx",
		.summary = "NuttX since patch 0019: 64 bytes, names at 24 and 32",
		.size = 64,
		.sizes_bit = RPMSG_F_NUTTX_BUFSZ,
		.fields = {{CONFIG_TO_REMOTE, 0, 4},
			   {CONFIG_TO_HOST, 4, 4},
			   {CONFIG_HOST_NAME, 24, 8},
			   {CONFIG_REMOTE_NAME, 32, 8}},
	},
	{
		.name = "nuttx-old",
		.summary = "NuttX before patch 0019: 64 bytes, names at 8 and 16",
		.size = 64,
		.sizes_bit = RPMSG_F_NUTTX_BUFSZ,
		.fields = {{CONFIG_TO_REMOTE, 0, 4},
			   {CONFIG_TO_HOST, 4, 4},
			   {CONFIG_HOST_NAME, 8, 8},
			   {CONFIG_REMOTE_NAME, 16, 8}},
	},
};

#define LAYOUT_LINUX (&layouts[0])
#define LAYOUT_OPENAMP (&layouts[1])
#define LAYOUT_NUTTX (&layouts[3])

const struct config_layout *config_layout_at(unsigned int index)
{
	return index < COUNT(layouts) ? &layouts[index] : NULL;
}

const struct config_layout *config_layout_find(const char *name)
{
	for (size_t i = 0; i < COUNT(layouts); i++) {
		if (strcmp(layouts[i].name, name) == 0)
			return &layouts[i];
	}
	return NULL;
}

static void put_number(uint8_t *at, unsigned int width, uint32_t value)
{
	for (unsigned int i = 0; i < width; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get_number(const uint8_t *at, unsigned int width)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < width; i++)
		value |= (uint32_t)at[i] << 8 * i;
	return value;
}

void config_layout_fill(const struct config_layout *layout, uint32_t to_host, uint32_t to_remote,
			uint8_t *bytes)
{
	memset(bytes, 0, CONFIG_MAX_SIZE);
	for (const struct config_field *field = layout->fields; field->kind != CONFIG_NONE;
	     field++) {
		uint8_t *at = bytes + field->offset;

		switch (field->kind) {
		case CONFIG_VERSION:
			put_number(at, field->width, layout->version);
			break;
		case CONFIG_SIZE:
			put_number(at, field->width, layout->size);
			break;
		case CONFIG_ALIGN:
			put_number(at, field->width, layout->align);
			break;
		case CONFIG_TO_HOST:
			put_number(at, field->width, to_host);
			break;
		case CONFIG_TO_REMOTE:
			put_number(at, field->width, to_remote);
			break;
		case CONFIG_HOST_NAME:
			memcpy(at, HOST_NAME, sizeof(HOST_NAME) - 1);
			break;
		case CONFIG_REMOTE_NAME:
			memcpy(at, REMOTE_NAME, sizeof(REMOTE_NAME) - 1);
			break;
		case CONFIG_NONE:
			break;
		}
	}
}

static bool is_buffer_size(uint32_t size)
{
	return size >= PROFILE_MIN_BUFFER && size <= PROFILE_MAX_BUFFER;
}

int config_layout_read(const struct config_layout *layout, const uint8_t *bytes, uint32_t *to_host,
		       uint32_t *to_remote)
{
	*to_host = 0;
	*to_remote = 0;
	for (const struct config_field *field = layout->fields; field->kind != CONFIG_NONE;
	     field++) {
		uint32_t value;

		if (field->width > sizeof(value))
			continue;
		value = get_number(bytes + field->offset, field->width);
		if (field->kind == CONFIG_TO_HOST)
			*to_host = value;
		else if (field->kind == CONFIG_TO_REMOTE)
			*to_remote = value;
		else if ((field->kind == CONFIG_VERSION && value != layout->version) ||
			 (field->kind == CONFIG_SIZE && value != layout->size))
			return -EINVAL;
	}
	return is_buffer_size(*to_host) && is_buffer_size(*to_remote) ? 0 : -ERANGE;
}

void config_layout_change(const struct config_layout *layout, uint8_t *bytes)
{
	for (const struct config_field *field = layout->fields; field->kind != CONFIG_NONE;
	     field++) {
		uint8_t *at = bytes + field->offset;

		if (field->kind == CONFIG_TO_HOST)
			put_number(at, field->width, get_number(at, field->width) + 1);
	}
}

/* ---- profiles ----------------------------------------------------------------------------- */

#define BIT(n) VIRTIO_BIT(n)
#define MODERN (BIT(RPMSG_F_NS) | BIT(VIRTIO_F_VERSION_1))
#define RINGS (BIT(VIRTIO_F_RING_INDIRECT_DESC) | BIT(VIRTIO_F_RING_EVENT_IDX))

/* Endpoint bitmap of OpenAMP: RPMSG_ADDR_BMP_SIZE. */
#define OPENAMP_ADDRESSES 128

static const struct profile profiles[] = {
	{
		.name = "linux",
		.summary = "what Linux expects: name service, buffers as the host supplies them",
		.features = MODERN | RINGS,
		.first_dynamic = RPMSG_ADDR_FIRST_DYNAMIC,
	},
	{
		.name = "linux-bufsz",
		.summary = "linux with buffer sizes in the configuration (feature bit 1)",
		.features = MODERN | RINGS | BIT(RPMSG_F_BUFSZ),
		.layout = LAYOUT_LINUX,
		.first_dynamic = RPMSG_ADDR_FIRST_DYNAMIC,
	},
	{
		.name = "openamp-bufsz",
		.summary = "openamp with the same bit, and the two sizes in the other order",
		.features = MODERN | BIT(RPMSG_F_BUFSZ),
		.layout = LAYOUT_OPENAMP,
		.first_dynamic = RPMSG_ADDR_FIRST_DYNAMIC,
		.dynamic_count = OPENAMP_ADDRESSES,
		.used_len = USED_LEN_WHOLE,
	},
	{
		.name = "nuttx",
		.summary = "NuttX: its bits 1 to 3, its configuration, acknowledged announcements",
		.features = MODERN | BIT(RPMSG_F_NUTTX_ACK) | BIT(RPMSG_F_NUTTX_BUFSZ) |
			    BIT(RPMSG_F_NUTTX_CPUNAME),
		.layout = LAYOUT_NUTTX,
		.first_dynamic = RPMSG_ADDR_FIRST_DYNAMIC,
		.dynamic_count = OPENAMP_ADDRESSES,
		.used_len = USED_LEN_WHOLE,
		.ns_ack = true,
	},
	{
		.name = "rpmsg-lite",
		.summary =
			"rpmsg-lite: addresses from 1, dirty reserved field, no call for queue 1",
		.features = MODERN,
		.first_dynamic = 1,
		.used_len = USED_LEN_WHOLE,
		.dirty_reserved = true,
		.no_consumed_notify = true,
	},
	{
		.name = "openamp",
		.summary = "OpenAMP: 128 addresses, used length is the whole descriptor",
		.features = MODERN,
		.first_dynamic = RPMSG_ADDR_FIRST_DYNAMIC,
		.dynamic_count = OPENAMP_ADDRESSES,
		.used_len = USED_LEN_WHOLE,
	},
};

const struct profile *profile_at(unsigned int index)
{
	return index < COUNT(profiles) ? &profiles[index] : NULL;
}

const struct profile *profile_find(const char *name)
{
	for (size_t i = 0; i < COUNT(profiles); i++) {
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	}
	return NULL;
}

/* ---- names of features -------------------------------------------------------------------- */

struct feature {
	const char *name;
	unsigned int bit;
};

static const struct feature features[] = {
	{"ns", RPMSG_F_NS},
	{"bufsz", RPMSG_F_BUFSZ},
	{"nuttx-ack", RPMSG_F_NUTTX_ACK},
	{"nuttx-bufsz", RPMSG_F_NUTTX_BUFSZ},
	{"nuttx-cpuname", RPMSG_F_NUTTX_CPUNAME},
	{"notify-on-empty", VIRTIO_F_NOTIFY_ON_EMPTY},
	{"any-layout", 27},
	{"indirect-desc", VIRTIO_F_RING_INDIRECT_DESC},
	{"event-idx", VIRTIO_F_RING_EVENT_IDX},
	{"version-1", VIRTIO_F_VERSION_1},
	{"in-order", 35},
};

const char *feature_at(unsigned int index, unsigned int *bit)
{
	if (index >= COUNT(features))
		return NULL;
	*bit = features[index].bit;
	return features[index].name;
}

int feature_bit(const char *name)
{
	int bit = 0;

	for (size_t i = 0; i < COUNT(features); i++) {
		if (strcmp(features[i].name, name) == 0)
			return (int)features[i].bit;
	}
	if (*name == '\0')
		return -ENOENT;
	for (; *name != '\0'; name++) {
		if (*name < '0' || *name > '9')
			return -ENOENT;
		bit = bit * 10 + (*name - '0');
		if (bit > 63)
			return -ENOENT;
	}
	return bit;
}
