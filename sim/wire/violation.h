/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The register of violations: everything that the other side can do wrong has one entry
 * here, with the name that logs, events and statistics use. The lowest floor holds it
 * because every floor above reports through it.
 */
#ifndef WIRE_VIOLATION_H
#define WIRE_VIOLATION_H

#include <stdint.h>

/*
 * X(symbol, name, requirement, text)
 *
 * The requirement is an ID of conformance/requirements.toml where one exists; names never
 * change their meaning once released.
 */
#define VIOLATION_TABLE(X)                                                                         \
	/* vhost-user messages from the front-end */                                               \
	X(VU_SHORT_MESSAGE, "vu-short-message", "VU-001",                                          \
	  "message ends before its size field says")                                               \
	X(VU_SIZE, "vu-payload-size", "VU-002", "payload size does not fit the request")           \
	X(VU_VERSION, "vu-version", "VU-003", "version bits are not 1")                            \
	X(VU_UNKNOWN_REQUEST, "vu-unknown-request", "VU-004", "request number is not known")       \
	X(VU_FD_COUNT, "vu-fd-count", "VU-005", "number of descriptors does not fit the request")  \
	X(VU_QUEUE_INDEX, "vu-queue-index", "VU-006", "queue index out of range")                  \
	X(VU_QUEUE_SIZE, "vu-queue-size", "VU-007",                                                \
	  "queue size is not a power of two in 1..32768")                                          \
	X(VU_QUEUE_BASE, "vu-queue-base", "VU-008", "ring base does not fit 16 bits")              \
	X(VU_RING_ADDRESS, "vu-ring-address", "VU-009",                                            \
	  "ring address outside memory or misaligned")                                             \
	X(VU_FEATURES, "vu-features", "VU-010", "feature acknowledged that was not offered")       \
	X(VU_PROTOCOL_FEATURES, "vu-protocol-features", "VU-011", "protocol feature not offered")  \
	X(VU_MEM_REGION, "vu-mem-region", "VU-012", "memory region is empty, wraps or overlaps")   \
	X(VU_MEM_COUNT, "vu-mem-count", "VU-013", "too many memory regions")                       \
	X(VU_MEM_FD, "vu-mem-fd", "VU-014", "memory descriptor cannot back its region")            \
	X(VU_MEM_UNKNOWN, "vu-mem-unknown", "VU-015", "region to remove does not exist")           \
	X(VU_CONFIG, "vu-config", "VU-016", "configuration access out of range")                   \
	X(VU_NOT_NEGOTIATED, "vu-not-negotiated", "VU-017",                                        \
	  "request needs a feature not negotiated")                                                \
	X(VU_STATUS, "vu-status", "VU-018", "device status bits are impossible")                   \
	X(VU_OUT_OF_ORDER, "vu-out-of-order", "VU-019", "request is not legal at this point")      \
	X(VU_NOT_EVENTFD, "vu-not-eventfd", "VU-020", "kick, call or err descriptor is unusable")  \
	X(VU_LOG, "vu-log", "VU-021", "dirty log is too small or cannot be mapped")                \
	X(VU_REPLY_FLAG, "vu-reply-flag", "VU-022",                                                \
	  "reply or reserved flag bits set in a request")                                          \
	X(VU_VALUE, "vu-value", "VU-023", "field holds a value that the request does not define")  \
	/* split virtqueue, by the driver */                                                       \
	X(VQ_AVAIL_JUMP, "vq-avail-jump", "VQ-001", "avail.idx moved by more than the queue size") \
	X(VQ_HEAD_RANGE, "vq-head-range", "VQ-002",                                                \
	  "avail ring names a descriptor that does not exist")                                     \
	X(VQ_NEXT_RANGE, "vq-next-range", "VQ-003", "next names a descriptor that does not exist") \
	X(VQ_LOOP, "vq-loop", "VQ-004", "descriptor chain is longer than the queue size")          \
	X(VQ_ADDRESS, "vq-address", "VQ-005", "descriptor points outside guest memory")            \
	X(VQ_ORDER, "vq-order", "VQ-006",                                                          \
	  "device-readable descriptor after a device-writable one")                                \
	X(VQ_INDIRECT_OFF, "vq-indirect-not-negotiated", "VQ-007",                                 \
	  "INDIRECT flag without the feature")                                                     \
	X(VQ_INDIRECT_SIZE, "vq-indirect-size", "VQ-008",                                          \
	  "indirect table is empty or not whole entries")                                          \
	X(VQ_INDIRECT_NESTED, "vq-indirect-nested", "VQ-009", "INDIRECT inside an indirect table") \
	X(VQ_INDIRECT_NEXT, "vq-indirect-next", "VQ-010", "INDIRECT together with NEXT")           \
	X(VQ_INFLIGHT, "vq-inflight", "VQ-011", "descriptor made available while still in use")    \
	X(VQ_TOTAL_LENGTH, "vq-total-length", "VQ-012", "chain describes more than 4 GiB")         \
	X(VQ_RING_MEMORY, "vq-ring-memory", "VQ-013", "ring itself is no longer in guest memory")  \
	/* messages from the host */                                                               \
	X(HD_SHORT, "hd-short", "HD-010", "message shorter than its header")                       \
	X(HD_LEN, "hd-len", "HD-003", "header length is above what the descriptors hold")          \
	X(HD_SRC_ANY, "hd-src-any", "HD-005", "source address is ANY")                             \
	X(HD_DST_ANY, "hd-dst-any", "HD-006", "destination address is ANY")                        \
	X(HD_RESERVED, "hd-reserved", "HD-007", "reserved field is not zero")                      \
	X(HD_FLAGS, "hd-flags", "HD-008", "flags field is not zero")                               \
	X(BF_TX_WRITABLE, "bf-tx-writable", "BF-010", "send buffer has device-writable parts")     \
	X(BF_RX_READABLE, "bf-rx-readable", "BF-011", "receive buffer has device-readable parts")  \
	X(BF_RX_SMALL, "bf-rx-small", "BF-012", "receive buffer cannot hold a header")             \
	X(NS_LENGTH, "ns-length", "NS-003", "name-service message is not 40 bytes")                \
	X(NS_UNTERMINATED, "ns-unterminated", "NS-004",                                            \
	  "name is not NUL-terminated within 32 bytes")                                            \
	X(NS_PADDING, "ns-padding", "NS-005", "bytes after the name's NUL are not zero")           \
	X(NS_FLAGS, "ns-flags", "NS-006", "unknown flag bits in a name-service message")           \
	X(NS_NOT_NEGOTIATED, "ns-not-negotiated", "NS-007", "name-service message without F_NS")

enum violation {
#define VIOLATION_ENUM(symbol, name, requirement, text) VIOLATION_##symbol,
	VIOLATION_TABLE(VIOLATION_ENUM)
#undef VIOLATION_ENUM
		VIOLATION_COUNT
};

#define VIOLATION_NO_QUEUE (-1)
#define VIOLATION_NO_DESC (-1)

/* One occurrence. expected and seen are numbers whose meaning the entry's text gives. */
struct violation_record {
	enum violation what;
	int queue;	 /* or VIOLATION_NO_QUEUE */
	int32_t desc_id; /* or VIOLATION_NO_DESC */
	uint64_t expected;
	uint64_t seen;
};

/* Where a floor reports what it found. The callee copies the record. */
struct violation_sink {
	void (*report)(void *ctx, const struct violation_record *record);
	void *ctx;
};

/**
 * violation_report() - hand one occurrence to a sink
 * @sink: NULL or a sink without a callback discards it
 * @what: entry of the register
 * @queue: virtqueue number or VIOLATION_NO_QUEUE
 * @desc_id: descriptor or VIOLATION_NO_DESC
 * @expected: bound or value that the rule asks for
 * @seen: value that came
 */
void violation_report(const struct violation_sink *sink, enum violation what, int queue,
		      int32_t desc_id, uint64_t expected, uint64_t seen);

/**
 * violation_name() - stable name of an entry, for logs, events and statistics
 * @what: entry
 *
 * Return: name; "unknown" for a number that is not in the register.
 */
const char *violation_name(enum violation what);

/**
 * violation_requirement() - requirement ID that an entry breaks
 * @what: entry
 *
 * Return: ID of conformance/requirements.toml; "" for an unknown number.
 */
const char *violation_requirement(enum violation what);

/**
 * violation_text() - one line that says what is wrong
 * @what: entry
 *
 * Return: text; "" for an unknown number.
 */
const char *violation_text(enum violation what);

#endif /* WIRE_VIOLATION_H */
