# SPDX-License-Identifier: BSD-2-Clause
"""Every number of vhost-user, of the split ring and of rpmsg, written from the specifications.

Nothing here is derived from the C headers of sim/: selftest/test_virtio_constants.py compares both.

Sources: QEMU docs/interop/vhost-user.rst (protocol version 1); VIRTIO 1.2, sections 2.1 (status),
2.7 (split virtqueues), 6 (feature bits); for rpmsg, which has no normative text, Linux
drivers/rpmsg/virtio_rpmsg_bus.c, include/linux/rpmsg/ns.h and include/linux/rpmsg.h.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

# --- vhost-user -------------------------------------------------------------------------------

#: Bytes of a message header: u32 request, u32 flags, u32 size.
HEADER_SIZE: Final = 12

#: Bits of the header's flags field.
VERSION: Final = 0x1
VERSION_MASK: Final = 0x3
REPLY: Final = 0x4
NEED_REPLY: Final = 0x8

#: Most descriptors that one message carries, and most regions in a SET_MEM_TABLE.
MAX_FDS: Final = 8
MAX_REGIONS: Final = 8

#: Bytes of the configuration space that a message can carry (QEMU's limit; not in the document).
MAX_CONFIG_SIZE: Final = 256

#: SET_VRING_KICK, _CALL, _ERR: bits 0 to 7 are the queue; bit 8 says that no descriptor comes.
VRING_INDEX_MASK: Final = 0xFF
VRING_NO_FD: Final = 0x100

#: SET_VRING_ADDR flags, bit number: log writes to the used ring.
VRING_F_LOG: Final = 0

#: GET_CONFIG and SET_CONFIG flags: on behalf of a migration, not of the driver.
CONFIG_F_MIGRATION: Final = 1

#: Bytes that one bit of the dirty log stands for.
LOG_PAGE: Final = 0x1000


class Request(IntEnum):
    """Front-end message types."""

    GET_FEATURES = 1
    SET_FEATURES = 2
    SET_OWNER = 3
    RESET_OWNER = 4
    SET_MEM_TABLE = 5
    SET_LOG_BASE = 6
    SET_LOG_FD = 7
    SET_VRING_NUM = 8
    SET_VRING_ADDR = 9
    SET_VRING_BASE = 10
    GET_VRING_BASE = 11
    SET_VRING_KICK = 12
    SET_VRING_CALL = 13
    SET_VRING_ERR = 14
    GET_PROTOCOL_FEATURES = 15
    SET_PROTOCOL_FEATURES = 16
    GET_QUEUE_NUM = 17
    SET_VRING_ENABLE = 18
    SEND_RARP = 19
    NET_SET_MTU = 20
    SET_BACKEND_REQ_FD = 21
    IOTLB_MSG = 22
    SET_VRING_ENDIAN = 23
    GET_CONFIG = 24
    SET_CONFIG = 25
    CREATE_CRYPTO_SESSION = 26
    CLOSE_CRYPTO_SESSION = 27
    POSTCOPY_ADVISE = 28
    POSTCOPY_LISTEN = 29
    POSTCOPY_END = 30
    GET_INFLIGHT_FD = 31
    SET_INFLIGHT_FD = 32
    GPU_SET_SOCKET = 33
    RESET_DEVICE = 34
    VRING_KICK = 35
    GET_MAX_MEM_SLOTS = 36
    ADD_MEM_REG = 37
    REM_MEM_REG = 38
    SET_STATUS = 39
    GET_STATUS = 40


class ProtocolFeature(IntEnum):
    """Bit numbers of GET_PROTOCOL_FEATURES and SET_PROTOCOL_FEATURES."""

    MQ = 0
    LOG_SHMFD = 1
    RARP = 2
    REPLY_ACK = 3
    MTU = 4
    BACKEND_REQ = 5
    CROSS_ENDIAN = 6
    CRYPTO_SESSION = 7
    PAGEFAULT = 8
    CONFIG = 9
    BACKEND_SEND_FD = 10
    HOST_NOTIFIER = 11
    INFLIGHT_SHMFD = 12
    RESET_DEVICE = 13
    INBAND_NOTIFICATIONS = 14
    CONFIGURE_MEM_SLOTS = 15
    STATUS = 16


# --- virtio -----------------------------------------------------------------------------------


class Feature(IntEnum):
    """Bit numbers of GET_FEATURES and SET_FEATURES."""

    NS = 0
    NOTIFY_ON_EMPTY = 24
    LOG_ALL = 26
    RING_INDIRECT_DESC = 28
    RING_EVENT_IDX = 29
    PROTOCOL_FEATURES = 30
    VERSION_1 = 32
    ACCESS_PLATFORM = 33
    RING_PACKED = 34
    IN_ORDER = 35
    ORDER_PLATFORM = 36
    SR_IOV = 37
    NOTIFICATION_DATA = 38
    NOTIF_CONFIG_DATA = 39
    RING_RESET = 40


class Status(IntEnum):
    """Bits of the device status field (values, not bit numbers)."""

    ACKNOWLEDGE = 1
    DRIVER = 2
    DRIVER_OK = 4
    FEATURES_OK = 8
    NEEDS_RESET = 64
    FAILED = 128


#: Device type: rpmsg.
DEVICE_ID: Final = 7

#: Ring sizes: a power of two, at most this.
MAX_RING_SIZE: Final = 32768

#: Descriptor: le64 addr, le32 len, le16 flags, le16 next.
DESC_SIZE: Final = 16
DESC_F_NEXT: Final = 1
DESC_F_WRITE: Final = 2
DESC_F_INDIRECT: Final = 4

#: Alignment of the three parts.
DESC_ALIGN: Final = 16
AVAIL_ALIGN: Final = 2
USED_ALIGN: Final = 4

AVAIL_F_NO_INTERRUPT: Final = 1
USED_F_NO_NOTIFY: Final = 1


def bit(number: int) -> int:
    """The mask with only this bit set."""
    return 1 << number


def desc_bytes(size: int) -> int:
    """Bytes of the descriptor table of a ring of ``size`` entries."""
    return DESC_SIZE * size


def avail_bytes(size: int) -> int:
    """Bytes of the available ring: flags, idx, ``size`` entries, used_event."""
    return 2 + 2 + 2 * size + 2


def used_bytes(size: int) -> int:
    """Bytes of the used ring: flags, idx, ``size`` entries (id, len), avail_event."""
    return 2 + 2 + 8 * size + 2


# --- rpmsg ------------------------------------------------------------------------------------

#: The two queues; named as the host (the driver) sees them.
QUEUE_INPUT: Final = 0
QUEUE_OUTPUT: Final = 1
QUEUES: Final = 2

#: Message header: u32 src, u32 dst, u32 reserved, u16 len, u16 flags.
RPMSG_HEADER_SIZE: Final = 16
BUFFER_SIZE: Final = 512
MAX_PAYLOAD: Final = 496

ADDR_ANY: Final = 0xFFFFFFFF
ADDR_NS: Final = 53
ADDR_FIRST_DYNAMIC: Final = 1024

#: Name-service message: name with NUL, u32 addr, u32 flags.
NAME_SIZE: Final = 32
NS_SIZE: Final = 40
NS_CREATE: Final = 0
NS_DESTROY: Final = 1


def names_of(value: int, kind: type[IntEnum], *, are_bits: bool = True) -> str:
    """The set bits of a mask in words, for messages: known names, and numbers for the rest."""
    names = []
    for number in range(value.bit_length()):
        if value >> number & 1:
            member = number if are_bits else 1 << number
            known = next((m.name for m in kind if m == member), None)
            names.append(known or f"bit {number}")
    return ", ".join(names) or "none"
