/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Profiles: the dialects of rpmsg remotes in the field, each a row of a table: what it offers,
 * how its configuration space is laid out, and how it differs on the wire where the de-facto
 * standard (Linux) leaves room or is not kept.
 *
 * A standard for buffer sizes is still being made, so that layouts of the configuration are a
 * table of their own. Buffers belong to the host: what a remote can do about their size is to
 * advertise one, to send no more than that, and to expect it of the host.
 */
#ifndef REMOTE_PROFILE_H
#define REMOTE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#define PROFILE_MIN_BUFFER 17 /* a header and one byte */
#define PROFILE_MAX_BUFFER (UINT32_C(1) << 20)

/* Feature bits beside F_NS (wire/rpmsg.h). Bit 1 is two things at once in the field. */
#define RPMSG_F_BUFSZ 1		/* Linux since 2026, OpenAMP pull request 684 */
#define RPMSG_F_NUTTX_ACK 1	/* name service acknowledges */
#define RPMSG_F_NUTTX_BUFSZ 2	/* buffer sizes in the configuration */
#define RPMSG_F_NUTTX_CPUNAME 3 /* processor names in the configuration */

#define RPMSG_NS_NUTTX_ACK 2U /* flag of a name-service message: CREATE was seen */

#define CONFIG_MAX_SIZE 64
#define CONFIG_MAX_FIELDS 8

/* What a field of the configuration space holds. All are little-endian. */
enum config_field_kind {
	CONFIG_NONE, /* ends the list */
	CONFIG_VERSION,
	CONFIG_SIZE,	  /* of the whole structure */
	CONFIG_ALIGN,	  /* alignment of buffers */
	CONFIG_TO_HOST,	  /* bytes of a buffer of queue 0 */
	CONFIG_TO_REMOTE, /* bytes of a buffer of queue 1 */
	CONFIG_HOST_NAME,
	CONFIG_REMOTE_NAME,
};

struct config_field {
	enum config_field_kind kind;
	uint8_t offset, width;
};

/* What the configuration space looks like. */
struct config_layout {
	const char *name;
	const char *summary;
	uint8_t size; /* bytes */
	uint8_t version;
	uint8_t align;
	uint8_t sizes_bit;  /* feature that makes the two sizes valid */
	bool driver_writes; /* the driver may set the sizes (OpenAMP) */
	struct config_field fields[CONFIG_MAX_FIELDS];
};

enum used_len_policy {
	USED_LEN_EXACT, /* bytes written: header and payload; 0 on queue 1 */
	USED_LEN_WHOLE, /* all that the descriptors hold, on both queues */
};

struct profile {
	const char *name;
	const char *summary;
	uint64_t features;		    /* offered, ring features included */
	const struct config_layout *layout; /* NULL: no configuration space */
	uint32_t first_dynamic;		    /* lowest address given away */
	uint32_t dynamic_count;		    /* how many are, at a time; 0: as many as there are */
	enum used_len_policy used_len;
	bool dirty_reserved;	 /* reserved holds the descriptor id in its upper half */
	bool no_consumed_notify; /* the host is never called for queue 1 */
	bool ns_ack;		 /* CREATE of the host is acknowledged, with the feature */
};

/**
 * profile_find() - look a profile up
 * @name: as on the command line
 *
 * Return: profile, or NULL.
 */
const struct profile *profile_find(const char *name);

/**
 * profile_at() - the profiles one after the other; the first is the default
 * @index: from 0
 *
 * Return: profile, NULL past the last.
 */
const struct profile *profile_at(unsigned int index);

/**
 * config_layout_find(), config_layout_at() - the same for layouts of the configuration
 */
const struct config_layout *config_layout_find(const char *name);
const struct config_layout *config_layout_at(unsigned int index);

/**
 * config_layout_fill() - make the contents of a configuration space
 * @layout: layout
 * @to_host: bytes of a buffer of queue 0
 * @to_remote: bytes of a buffer of queue 1
 * @bytes: CONFIG_MAX_SIZE bytes; set, and 0 where the layout has nothing
 */
void config_layout_fill(const struct config_layout *layout, uint32_t to_host, uint32_t to_remote,
			uint8_t *bytes);

/**
 * config_layout_read() - the sizes that a configuration space says
 * @layout: layout
 * @bytes: CONFIG_MAX_SIZE bytes
 * @to_host: set
 * @to_remote: set
 *
 * Return: 0; -EINVAL when version or size are not the layout's; -ERANGE for a buffer size
 * below PROFILE_MIN_BUFFER or above PROFILE_MAX_BUFFER.
 */
int config_layout_read(const struct config_layout *layout, const uint8_t *bytes, uint32_t *to_host,
		       uint32_t *to_remote);

/**
 * config_layout_change() - let a configuration space say something else
 * @layout: layout
 * @bytes: CONFIG_MAX_SIZE bytes; the size of buffers of queue 0 becomes one larger
 */
void config_layout_change(const struct config_layout *layout, uint8_t *bytes);

/**
 * feature_bit() - the bit that a name or a number means
 * @name: "ns", "bufsz", "nuttx-ack", "nuttx-bufsz", "nuttx-cpuname", "indirect-desc",
 *	"event-idx", "version-1", ..., or a decimal number from 0 to 63
 *
 * Return: bit number; -ENOENT.
 */
int feature_bit(const char *name);

/**
 * feature_at() - the names of features one after the other, for --help
 * @index: from 0
 * @bit: set to its number
 *
 * Return: name, NULL past the last.
 */
const char *feature_at(unsigned int index, unsigned int *bit);

#endif /* REMOTE_PROFILE_H */
