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
 * X(symbol, name, requirement, level, text)
 *
 * The requirement is an ID of conformance/requirements.toml, the level MUST or SHOULD: that of
 * the requirement, or a lower one where what is seen is less than certain or less than harmful.
 * Names never change their meaning once released.
 */
#define VIOLATION_TABLE(X)                                                                         \
	/* vhost-user messages from the front-end */                                               \
	X(VU_SHORT_MESSAGE, "vu-short-message", "VU-001", MUST,                                    \
	  "message ends before its size field says")                                               \
	X(VU_SIZE, "vu-payload-size", "VU-002", MUST, "payload size does not fit the request")     \
	X(VU_VERSION, "vu-version", "VU-003", MUST, "version bits are not 1")                      \
	X(VU_UNKNOWN_REQUEST, "vu-unknown-request", "VU-004", MUST, "request number is not known") \
	X(VU_FD_COUNT, "vu-fd-count", "VU-005", MUST,                                              \
	  "number of descriptors does not fit the request")                                        \
	X(VU_QUEUE_INDEX, "vu-queue-index", "VU-006", MUST, "queue index out of range")            \
	X(VU_QUEUE_SIZE, "vu-queue-size", "VU-007", MUST,                                          \
	  "queue size is not a power of two in 1..32768")                                          \
	X(VU_QUEUE_BASE, "vu-queue-base", "VU-008", MUST, "ring base does not fit 16 bits")        \
	X(VU_RING_ADDRESS, "vu-ring-address", "VU-009", MUST,                                      \
	  "ring address outside memory or misaligned")                                             \
	X(VU_FEATURES, "vu-features", "VU-010", MUST, "feature acknowledged that was not offered") \
	X(VU_PROTOCOL_FEATURES, "vu-protocol-features", "VU-011", MUST,                            \
	  "protocol feature not offered")                                                          \
	X(VU_MEM_REGION, "vu-mem-region", "VU-012", MUST,                                          \
	  "memory region is empty, wraps or overlaps")                                             \
	X(VU_MEM_COUNT, "vu-mem-count", "VU-013", MUST, "too many memory regions")                 \
	X(VU_MEM_FD, "vu-mem-fd", "VU-014", MUST, "memory descriptor cannot back its region")      \
	X(VU_MEM_UNKNOWN, "vu-mem-unknown", "VU-015", MUST, "region to remove does not exist")     \
	X(VU_CONFIG, "vu-config", "VU-016", MUST, "configuration access out of range")             \
	X(VU_NOT_NEGOTIATED, "vu-not-negotiated", "VU-017", MUST,                                  \
	  "request needs a feature not negotiated")                                                \
	X(VU_STATUS, "vu-status", "VU-018", SHOULD, "device status bits are impossible")           \
	X(VU_OUT_OF_ORDER, "vu-out-of-order", "VU-019", MUST,                                      \
	  "request is not legal at this point")                                                    \
	X(VU_NOT_EVENTFD, "vu-not-eventfd", "VU-020", MUST,                                        \
	  "kick, call, err or request descriptor is unusable")                                     \
	X(VU_LOG, "vu-log", "VU-021", MUST, "dirty log is too small or cannot be mapped")          \
	X(VU_REPLY_FLAG, "vu-reply-flag", "VU-022", SHOULD,                                        \
	  "reply or reserved flag bits set in a request")                                          \
	X(VU_VALUE, "vu-value", "VU-023", MUST,                                                    \
	  "field holds a value that the request does not define")                                  \
	/* split virtqueue, by the driver */                                                       \
	X(VQ_AVAIL_JUMP, "vq-avail-jump", "VQ-001", SHOULD,                                        \
	  "avail.idx moved by more than the queue size")                                           \
	X(VQ_HEAD_RANGE, "vq-head-range", "VQ-002", MUST,                                          \
	  "avail ring names a descriptor that does not exist")                                     \
	X(VQ_NEXT_RANGE, "vq-next-range", "VQ-003", MUST,                                          \
	  "next names a descriptor that does not exist")                                           \
	X(VQ_LOOP, "vq-loop", "VQ-004", MUST, "descriptor chain is longer than the queue size")    \
	X(VQ_ADDRESS, "vq-address", "VQ-005", MUST, "descriptor points outside guest memory")      \
	X(VQ_ORDER, "vq-order", "VQ-006", MUST,                                                    \
	  "device-readable descriptor after a device-writable one")                                \
	X(VQ_INDIRECT_OFF, "vq-indirect-not-negotiated", "VQ-007", MUST,                           \
	  "INDIRECT flag without the feature")                                                     \
	X(VQ_INDIRECT_SIZE, "vq-indirect-size", "VQ-008", MUST,                                    \
	  "indirect table is empty or not whole entries")                                          \
	X(VQ_INDIRECT_NESTED, "vq-indirect-nested", "VQ-009", MUST,                                \
	  "INDIRECT inside an indirect table")                                                     \
	X(VQ_INDIRECT_NEXT, "vq-indirect-next", "VQ-010", MUST, "INDIRECT together with NEXT")     \
	X(VQ_INFLIGHT, "vq-inflight", "VQ-011", MUST,                                              \
	  "descriptor made available while still in use")                                          \
	X(VQ_TOTAL_LENGTH, "vq-total-length", "VQ-012", SHOULD, "chain describes more than 4 GiB") \
	X(VQ_RING_MEMORY, "vq-ring-memory", "VQ-013", MUST,                                        \
	  "ring itself is no longer in guest memory")                                              \
	/* messages from the host */                                                               \
	X(HD_SHORT, "hd-short", "HD-010", MUST, "message shorter than its header")                 \
	X(HD_LEN, "hd-len", "HD-003", MUST, "header length is above what the descriptors hold")    \
	X(HD_SRC_ANY, "hd-src-any", "HD-005", MUST, "source address is ANY")                       \
	X(HD_DST_ANY, "hd-dst-any", "HD-006", MUST, "destination address is ANY")                  \
	X(HD_RESERVED, "hd-reserved", "HD-007", SHOULD, "reserved field is not zero")              \
	X(HD_FLAGS, "hd-flags", "HD-008", SHOULD, "flags field is not zero")                       \
	X(BF_TX_WRITABLE, "bf-tx-writable", "BF-010", MUST,                                        \
	  "send buffer has device-writable parts")                                                 \
	X(BF_RX_READABLE, "bf-rx-readable", "BF-011", SHOULD,                                      \
	  "receive buffer has device-readable parts")                                              \
	X(BF_RX_SMALL, "bf-rx-small", "BF-012", MUST, "receive buffer cannot hold a header")       \
	X(NS_LENGTH, "ns-length", "NS-003", MUST, "name-service message is not 40 bytes")          \
	X(NS_UNTERMINATED, "ns-unterminated", "NS-004", MUST,                                      \
	  "name is not NUL-terminated within 32 bytes")                                            \
	X(NS_PADDING, "ns-padding", "NS-005", SHOULD, "bytes after the name's NUL are not zero")   \
	X(NS_FLAGS, "ns-flags", "NS-006", SHOULD, "unknown flag bits in a name-service message")   \
	X(NS_NOT_NEGOTIATED, "ns-not-negotiated", "NS-007", MUST,                                  \
	  "name-service message without F_NS")                                                     \
	X(NS_SOURCE, "ns-source", "NS-021", SHOULD,                                                \
	  "announcement does not come from the endpoint that it names")                            \
	X(NS_ADDR_ANY, "ns-addr-any", "NS-018", SHOULD, "announced address is ANY")                \
	X(NS_DUPLICATE, "ns-duplicate", "NS-019", SHOULD,                                          \
	  "channel is announced again without having been withdrawn")                              \
	X(NS_UNKNOWN, "ns-unknown", "NS-019", SHOULD,                                              \
	  "channel is withdrawn that was not announced")                                           \
	/* buffers, kicks and order of the host's start */                                         \
	X(BF_TX_CHAIN, "bf-tx-chain", "BF-010", SHOULD, "message is in several descriptors")       \
	X(BF_TX_SIZE, "bf-tx-size", "BF-007", MUST,                                                \
	  "message is larger than the buffer size agreed on")                                      \
	X(BF_RX_CHAIN, "bf-rx-chain", "BF-011", SHOULD,                                            \
	  "receive buffer is in several descriptors")                                              \
	X(BF_RX_SIZE, "bf-rx-size", "BF-011", SHOULD,                                              \
	  "receive buffer is not of the size of the first one")                                    \
	X(BF_RX_AGREED, "bf-rx-agreed-size", "BF-007", MUST,                                       \
	  "receive buffer is not of the size agreed on")                                           \
	X(VQ_KICK_UNASKED, "vq-kick-unasked", "VQ-028", SHOULD,                                    \
	  "kicks that the device did not ask for")                                                 \
	X(LC_OUTPUT_EARLY, "lc-output-early", "LC-002", MUST,                                      \
	  "buffer is on queue 1 before DRIVER_OK")                                                 \
	X(LC_INPUT_LATE, "lc-input-late", "LC-001", SHOULD,                                        \
	  "no receive buffer is on queue 0 at DRIVER_OK")

enum violation {
#define VIOLATION_ENUM(symbol, name, requirement, level, text) VIOLATION_##symbol,
	VIOLATION_TABLE(VIOLATION_ENUM)
#undef VIOLATION_ENUM
		VIOLATION_COUNT
};

enum violation_level { VIOLATION_LEVEL_MUST, VIOLATION_LEVEL_SHOULD, VIOLATION_LEVEL_COUNT };

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
 * violation_level() - how grave an entry is
 * @what: entry
 *
 * Return: level; VIOLATION_LEVEL_MUST for an unknown number.
 */
enum violation_level violation_level(enum violation what);

/**
 * violation_level_name() - name of a level, for logs and events
 * @level: level
 *
 * Return: "must", "should"; "unknown".
 */
const char *violation_level_name(enum violation_level level);

/**
 * violation_count_must() - how many occurrences broke a MUST
 * @counts: VIOLATION_COUNT counters, one an entry
 *
 * Return: sum. What --check=strict goes by.
 */
uint64_t violation_count_must(const uint64_t *counts);

/**
 * violation_text() - one line that says what is wrong
 * @what: entry
 *
 * Return: text; "" for an unknown number.
 */
const char *violation_text(enum violation what);

#endif /* WIRE_VIOLATION_H */
