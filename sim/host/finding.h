/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a remote can do wrong, as a host sees it: one entry each, with the name that reports and
 * statistics use. The counterpart of wire/violation.h, which lists what a host can do wrong.
 */
#ifndef HOST_FINDING_H
#define HOST_FINDING_H

#include <stdint.h>

enum finding_level {
	FINDING_MUST,
	FINDING_SHOULD,
	FINDING_MAY, /* allowed, worth counting */
};

/*
 * X(symbol, name, level, requirement, text)
 *
 * The requirement is an ID of conformance/requirements.toml, "" where none says it. Names
 * never change their meaning once released.
 */
#define FINDING_TABLE(X)                                                                           \
	/* rings; after these three the queue is broken */                                         \
	X(USED_JUMP, "used-idx-jump", MUST, "VQ-051",                                              \
	  "used.idx moved by more than is outstanding")                                            \
	X(USED_ID_RANGE, "used-id-range", MUST, "VQ-050",                                          \
	  "used ring names a descriptor that does not exist")                                      \
	X(USED_ID_IDLE, "used-id-not-outstanding", MUST, "VQ-051",                                 \
	  "used ring names a descriptor that the remote does not have")                            \
	X(TX_USED_LEN, "tx-used-len", MAY, "VQ-053",                                               \
	  "a send buffer came back with a used length that is not 0")                              \
	/* lengths */                                                                              \
	X(USED_LEN_SHORT, "used-len-short", MUST, "VQ-052", "used length is below a header's 16")  \
	X(USED_LEN_LONG, "used-len-long", MUST, "VQ-052", "used length is above the buffer")       \
	X(HDR_LEN, "hdr-len", MUST, "HD-024", "header length is above the used length less 16")    \
	/* header */                                                                               \
	X(SRC_ANY, "hdr-src-any", MUST, "HD-005", "source address is ANY")                         \
	X(DST_ANY, "hdr-dst-any", MUST, "HD-006", "destination address is ANY")                    \
	X(SRC_OTHER, "hdr-src-other", MUST, "HD-022",                                              \
	  "answer comes from an address that was not asked")                                       \
	X(RESERVED, "hdr-reserved", SHOULD, "HD-007", "reserved field is not zero")                \
	X(FLAGS, "hdr-flags", SHOULD, "HD-008", "flags field is not zero")                         \
	X(DST_UNBOUND, "hdr-dst-unbound", SHOULD, "EP-012",                                        \
	  "destination is an address that this host does not have")                                \
	/* name service */                                                                         \
	X(NS_LENGTH, "ns-length", MUST, "NS-003", "name-service message is not 40 bytes")          \
	X(NS_UNTERMINATED, "ns-unterminated", MUST, "NS-004",                                      \
	  "name is not NUL-terminated within 32 bytes")                                            \
	X(NS_PADDING, "ns-padding", SHOULD, "NS-005", "bytes after the name's NUL are not zero")   \
	X(NS_FLAGS, "ns-flags", SHOULD, "NS-006", "unknown flag bits in a name-service message")   \
	X(NS_NOT_NEGOTIATED, "ns-not-negotiated", MUST, "NS-007",                                  \
	  "name-service message without F_NS")                                                     \
	X(NS_NAME_EMPTY, "ns-name-empty", MAY, "NS-009", "announced name is empty")                \
	X(NS_ADDR_ANY, "ns-addr-any", SHOULD, "NS-012", "announced address is ANY")                \
	X(NS_TWICE, "ns-twice", SHOULD, "NS-031", "channel is announced that was announced")       \
	X(NS_UNKNOWN, "ns-unknown", MAY, "NS-014", "channel is withdrawn that was not announced")  \
	/* configuration space */                                                                  \
	X(CONFIG_BUFSZ, "config-bufsz", MUST, "FT-005",                                            \
	  "configuration is not the one that goes with feature bit 1")                             \
	/* payloads of services that answer with what they got, or number what they send */        \
	X(PAYLOAD, "payload", MUST, "", "payload is not the one that was expected")

enum finding {
#define FINDING_ENUM(symbol, name, level, requirement, text) FINDING_##symbol,
	FINDING_TABLE(FINDING_ENUM)
#undef FINDING_ENUM
		FINDING_COUNT
};

#define FINDING_NONE (-1)

/* One occurrence. expected and seen are numbers whose meaning the entry's text gives. */
struct finding_record {
	enum finding what;
	int queue;	 /* or FINDING_NONE */
	int32_t desc_id; /* or FINDING_NONE */
	uint64_t expected;
	uint64_t seen;
};

/* An entry of the table. */
struct finding_info {
	const char *name;
	enum finding_level level;
	const char *requirement;
	const char *text;
};

/**
 * finding_info() - what the table says of an entry
 * @what: entry, below FINDING_COUNT
 *
 * Return: its row.
 */
const struct finding_info *finding_info(enum finding what);

/**
 * finding_level_name() - a level as the catalogue writes it
 * @level: level
 *
 * Return: "must", "should" or "may".
 */
const char *finding_level_name(enum finding_level level);

#endif /* HOST_FINDING_H */
