/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of faults; what its columns mean and what a fault is: remote/fault.h. */
#ifndef REMOTE_FAULT_TABLE_H
#define REMOTE_FAULT_TABLE_H

/*
 * X(symbol, name, point, place, requirement, text, argument, default, maximum)
 *
 * point	what kind of thing is broken: FAULT_POINT_*
 * place	what is counted for once, count and after: FAULT_PLACE_*
 * requirement	the one that the remote violates; where the letter of it allows what is done,
 *		the one that says how the host has to take it
 * argument	what the number after NAME= means; "" when there is none
 *
 * Where two faults change the same field of one message, the later of this list wins.
 */
#define FAULT_TABLE(X)                                                                             \
	FAULT_TABLE_HDR(X)                                                                         \
	FAULT_TABLE_USED(X)                                                                        \
	FAULT_TABLE_NS(X)                                                                          \
	FAULT_TABLE_RING(X)                                                                        \
	FAULT_TABLE_LIFE(X)

/* Messages into the host, announcements aside. */
#define FAULT_TABLE_HDR(X)                                                                         \
	X(HDR_LEN_ABOVE_DESCRIPTOR, "hdr-len-above-descriptor", HDR, MESSAGE, "HD-024",            \
	  "len is above what the descriptors hold; the used length is all of them", "bytes above", \
	  1, 65535)                                                                                \
	X(HDR_LEN_ABOVE_USED, "hdr-len-above-used", HDR, MESSAGE, "HD-024",                        \
	  "len is above used length - 16", "bytes above", 1, 65535)                                \
	X(HDR_LEN_ABOVE_BUFFER, "hdr-len-above-buffer", HDR, MESSAGE, "HD-024",                    \
	  "len is above any buffer", "len", 65535, 65535)                                          \
	X(HDR_LEN_BELOW_PAYLOAD, "hdr-len-below-payload", HDR, MESSAGE, "HD-024",                  \
	  "len is below the payload bytes that were written", "bytes below", 1, 65535)             \
	X(HDR_RESERVED, "hdr-reserved", HDR, MESSAGE, "HD-007", "reserved is not 0", "value",      \
	  0xa5a5a5a5, 0xffffffff)                                                                  \
	X(HDR_FLAGS, "hdr-flags", HDR, MESSAGE, "HD-008", "flags is not 0", "value", 0xa5a5,       \
	  0xffff)                                                                                  \
	X(HDR_SRC_ANY, "hdr-src-any", HDR, MESSAGE, "HD-005", "source is ANY", "", 0, 0)           \
	X(HDR_SRC_NS, "hdr-src-ns", HDR, MESSAGE, "HD-022", "source is 53, the name service", "",  \
	  0, 0)                                                                                    \
	X(HDR_SRC_UNBOUND, "hdr-src-unbound", HDR, MESSAGE, "HD-022",                              \
	  "source is an address that the remote has no endpoint at", "first address to try",       \
	  0x3fffff00, 0xfffffffe)                                                                  \
	X(HDR_SRC_OWN, "hdr-src-own", HDR, MESSAGE, "HD-022",                                      \
	  "source is the destination: the host seems to have sent it to itself", "", 0, 0)         \
	X(HDR_DST_ANY, "hdr-dst-any", HDR, MESSAGE, "HD-006", "destination is ANY", "", 0, 0)      \
	X(HDR_DST_NS, "hdr-dst-ns", HDR, MESSAGE, "EP-012",                                        \
	  "destination is 53: the name service gets a payload that is none of its own", "", 0, 0)  \
	X(HDR_DST_UNBOUND, "hdr-dst-unbound", HDR, MESSAGE, "EP-012",                              \
	  "destination is an address that the host never used", "address", 0x3fffff01, 0xfffffffe) \
	X(HDR_DST_OWN, "hdr-dst-own", HDR, MESSAGE, "EP-012",                                      \
	  "destination is the source: the remote's own address", "", 0, 0)                         \
	X(ORDER_BIG_ENDIAN, "order-big-endian", ORDER, ORDER, "HD-012",                            \
	  "header and announcement are big-endian on a little-endian link", "", 0, 0)

#define FAULT_TABLE_USED(X)                                                                        \
	X(USED_LEN_0, "used-len-0", USED, MESSAGE, "VQ-052", "used length is 0", "", 0, 0)         \
	X(USED_LEN_8, "used-len-8", USED, MESSAGE, "VQ-052", "used length is 8: half a header",    \
	  "", 0, 0)                                                                                \
	X(USED_LEN_15, "used-len-15", USED, MESSAGE, "VQ-052",                                     \
	  "used length is 15: one below a header", "", 0, 0)                                       \
	X(USED_LEN_16, "used-len-16", USED, MESSAGE, "VQ-052",                                     \
	  "used length is 16: a header, but not its payload", "", 0, 0)                            \
	X(USED_LEN_513, "used-len-513", USED, MESSAGE, "VQ-052",                                   \
	  "used length is 513: one above the usual buffer", "", 0, 0)                              \
	X(USED_LEN_65535, "used-len-65535", USED, MESSAGE, "VQ-052", "used length is 65535", "",   \
	  0, 0)                                                                                    \
	X(USED_LEN_0XFFFFFFFF, "used-len-0xffffffff", USED, MESSAGE, "VQ-052",                     \
	  "used length is 0xffffffff", "", 0, 0)                                                   \
	X(USED_LEN_ABOVE_DESCRIPTOR, "used-len-above-descriptor", USED, MESSAGE, "VQ-052",         \
	  "used length is above what the descriptors hold", "bytes above", 1, 0x7fffffff)          \
	X(USED_LEN_OUTPUT, "used-len-output", USED, RETURN_1, "VQ-053",                            \
	  "used length of a returned send buffer is not 0", "used length", 512, 0xffffffff)

/* Contents of announcements, then their flow. */
#define FAULT_TABLE_NS(X)                                                                          \
	X(NS_LEN_0, "ns-len-0", NS, NOTICE, "NS-003", "announcement without payload", "", 0, 0)    \
	X(NS_LEN_1, "ns-len-1", NS, NOTICE, "NS-003", "announcement of 1 byte", "", 0, 0)          \
	X(NS_LEN_39, "ns-len-39", NS, NOTICE, "NS-003", "announcement of 39 bytes", "", 0, 0)      \
	X(NS_LEN_41, "ns-len-41", NS, NOTICE, "NS-003", "announcement of 41 bytes", "", 0, 0)      \
	X(NS_LEN_496, "ns-len-496", NS, NOTICE, "NS-003",                                          \
	  "announcement of 496 bytes: it fills the usual buffer", "", 0, 0)                        \
	X(NS_NAME_UNTERMINATED, "ns-name-unterminated", NS, NOTICE, "NS-004",                      \
	  "name without NUL: the service's, filled up with 'x'", "", 0, 0)                         \
	X(NS_NAME_EMPTY, "ns-name-empty", NS, NOTICE, "NS-009", "name is empty", "", 0, 0)         \
	X(NS_NAME_FF, "ns-name-ff", NS, NOTICE, "NS-004", "name is 32 bytes of 0xff", "", 0, 0)    \
	X(NS_NAME_NOT_UTF8, "ns-name-not-utf8", NS, NOTICE, "NS-001",                              \
	  "name begins with bytes that are no UTF-8", "", 0, 0)                                    \
	X(NS_NAME_DIRTY, "ns-name-dirty", NS, NOTICE, "NS-005",                                    \
	  "bytes of the name after its NUL are not 0", "", 0, 0)                                   \
	X(NS_ADDR_ANY, "ns-addr-any", NS, NOTICE, "NS-012", "address is ANY", "", 0, 0)            \
	X(NS_ADDR_0, "ns-addr-0", NS, NOTICE, "NS-013", "address is 0", "", 0, 0)                  \
	X(NS_ADDR_53, "ns-addr-53", NS, NOTICE, "EP-015", "address is 53, the name service", "",   \
	  0, 0)                                                                                    \
	X(NS_ADDR_0X7FFFFFFF, "ns-addr-0x7fffffff", NS, NOTICE, "NS-001",                          \
	  "address is 0x7fffffff, where no endpoint is", "", 0, 0)                                 \
	X(NS_ADDR_0X80000000, "ns-addr-0x80000000", NS, NOTICE, "NS-001",                          \
	  "address is 0x80000000: no endpoint, and negative as an int", "", 0, 0)                  \
	X(NS_FLAGS_UNKNOWN, "ns-flags-unknown", NS, NOTICE, "NS-006",                              \
	  "unknown flag bits beside the known one", "bits", 0xfffffffc, 0xfffffffe)                \
	X(NS_FLAGS_ACK, "ns-flags-ack", NS, NOTICE, "NS-006",                                      \
	  "flags is 2, NuttX's acknowledgement", "", 0, 0)                                         \
	X(NS_DUPLICATE, "ns-duplicate", NS, FOLLOW, "NS-031", "CREATE is sent twice", "", 0, 0)    \
	X(NS_DESTROY_UNKNOWN, "ns-destroy-unknown", NS, FOLLOW, "NS-014",                          \
	  "DESTROY of a channel that never was", "address", 0x3fffff02, 0xffffffff)                \
	X(NS_DESTROY_RPMSG_NS, "ns-destroy-rpmsg-ns", NS, FOLLOW, "NS-016",                        \
	  "DESTROY of the host's own \"rpmsg_ns\"", "address", 53, 0xffffffff)                     \
	X(NS_DESTROY_RPMSG_CTRL, "ns-destroy-rpmsg-ctrl", NS, FOLLOW, "NS-016",                    \
	  "DESTROY of the host's own \"rpmsg_ctrl\"", "address", 0, 0xffffffff)                    \
	X(NS_DESTROY_ANY, "ns-destroy-any", NS, FOLLOW, "NS-015",                                  \
	  "DESTROY of an announced name with address ANY", "", 0, 0)                               \
	X(NS_FLOOD, "ns-flood", NS, FOLLOW, "NS-031", "CREATE of many channels that do not exist", \
	  "channels", 1000, 1000000)                                                               \
	X(NS_BEFORE_DRIVER_OK, "ns-before-driver-ok", NS, EARLY, "LC-010",                         \
	  "announcements are sent before DRIVER_OK", "", 0, 0)                                     \
	X(NS_WITHOUT_FEATURE, "ns-without-feature", NS, UNASKED, "NS-007",                         \
	  "announcements are sent though F_NS was not negotiated", "", 0, 0)

/* Rings; the argument is the queue. */
#define FAULT_TABLE_RING(X)                                                                        \
	X(RING_USED_ID_RANGE, "ring-used-id-range", RING, RETURN_0, "VQ-051",                      \
	  "used id is the queue size, which no descriptor has", "queue", 0, 1)                     \
	X(RING_USED_ID_IDLE, "ring-used-id-idle", RING, RETURN_0, "VQ-051",                        \
	  "used id is a descriptor that the host has not made available", "queue", 1, 1)           \
	X(RING_USED_ID_TWICE, "ring-used-id-twice", RING, RETURN_0, "VQ-051",                      \
	  "used entry stands in the ring twice", "queue", 0, 1)                                    \
	X(RING_USED_ENTRY_SKIPPED, "ring-used-entry-skipped", RING, RETURN_0, "VQ-065",            \
	  "a used entry before is shown without having been written", "queue", 0, 1)               \
	X(RING_USED_IDX_AHEAD, "ring-used-idx-ahead", RING, PUBLISH_0, "VQ-065",                   \
	  "used index is ahead by the queue size", "queue", 0, 1)                                  \
	X(RING_USED_IDX_BACK, "ring-used-idx-back", RING, PUBLISH_0, "VQ-051",                     \
	  "used index goes back by one", "queue", 0, 1)                                            \
	X(RING_WRITE_READABLE, "ring-write-readable", RING, RECEIVE, "VQ-060",                     \
	  "the reserved field of a send buffer is written to", "value", 0xa5a5a5a5, 0xffffffff)    \
	X(RING_NOT_RETURNED, "ring-not-returned", RETURN, RETURN_0, "VQ-051",                      \
	  "a buffer never comes back", "queue", 1, 1)                                              \
	X(RING_RETURNS_ANOTHER, "ring-returns-another", RETURN, RETURN_0, "VQ-067",                \
	  "a buffer that was not used comes back, and the used one with the next", "queue", 0, 1)

#define FAULT_TABLE_LIFE(X)                                                                        \
	X(LIFE_CRASH_AT_FEATURES, "life-crash-at-features", LIFE, CRASH_FEATURES, "LC-006",        \
	  "the connection ends when the front-end sets features", "", 0, 0)                        \
	X(LIFE_CRASH_AT_MEMORY, "life-crash-at-memory", LIFE, CRASH_MEMORY, "LC-006",              \
	  "the connection ends when the front-end hands over memory", "", 0, 0)                    \
	X(LIFE_CRASH_AT_VRING, "life-crash-at-vring", LIFE, CRASH_VRING, "LC-006",                 \
	  "the connection ends when the front-end sets the address of a ring", "", 0, 0)           \
	X(LIFE_CRASH_AT_DRIVER_OK, "life-crash-at-driver-ok", LIFE, CRASH_DRIVER_OK, "LC-006",     \
	  "the connection ends when the driver is ready", "", 0, 0)                                \
	X(LIFE_CRASH_AT_FIRST_KICK, "life-crash-at-first-kick", LIFE, KICK, "LC-006",              \
	  "the connection ends at a kick", "", 0, 0)                                               \
	X(LIFE_CRASH_AT_FIRST_MESSAGE, "life-crash-at-first-message", LIFE, RECEIVE, "LC-006",     \
	  "the connection ends when a message was taken, its buffer not returned", "", 0, 0)       \
	X(LIFE_SILENT, "life-silent", LIFE, KICK, "VQ-051",                                        \
	  "nothing is taken, returned or sent, whoever kicks", "", 0, 0)                           \
	X(LIFE_NO_REPLIES, "life-no-replies", LIFE, REPLY, "VU-031",                               \
	  "a vhost-user request gets no reply", "", 0, 0)                                          \
	X(LIFE_SLOW_REPLIES, "life-slow-replies", LIFE, REPLY, "VU-031",                           \
	  "the reply to a vhost-user request comes late", "milliseconds", 100, 3600000)            \
	X(LIFE_CONFIG_CHANGE, "life-config-change", LIFE, ATTACH, "FT-004",                        \
	  "the configuration changes while the driver uses the device", "", 0, 0)                  \
	X(LIFE_NEEDS_RESET, "life-needs-reset", LIFE, ATTACH, "LC-005",                            \
	  "NEEDS_RESET is set while the driver uses the device", "", 0, 0)                         \
	X(LIFE_RESET_IN_FLIGHT, "life-reset-in-flight", LIFE, RECEIVE, "VQ-051",                   \
	  "the remote starts again with a message in its hands, whose buffer never comes back",    \
	  "", 0, 0)                                                                                \
	X(LIFE_REBOOT, "life-reboot", LIFE, ATTACH, "NS-031",                                      \
	  "the remote starts again and announces its services anew, with no reset by the host",    \
	  "", 0, 0)

#endif /* REMOTE_FAULT_TABLE_H */
