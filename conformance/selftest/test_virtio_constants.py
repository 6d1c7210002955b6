# SPDX-License-Identifier: BSD-2-Clause
"""The numbers of constants.py and those of the C headers: written down twice, and equal."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from virtio_programs import dump_program

from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio import messages as m
from rpmsg_conformance.virtio.constants import Feature, ProtocolFeature, Request, Status, bit

SIM = Path(__file__).resolve().parents[2] / "sim"
HEADERS = ("wire/rpmsg.h", "virtio/vring.h", "vhost/vhost_proto.h")

#: Limits of rpmsg-sim itself; no document gives them.
OWN = {"VHOST_MAX_PAYLOAD", "VHOST_NUM_QUEUES_MAX"}

EXPECTED = {
    "RPMSG_DEVICE_ID": c.DEVICE_ID,
    "RPMSG_QUEUE_INPUT": c.QUEUE_INPUT,
    "RPMSG_QUEUE_OUTPUT": c.QUEUE_OUTPUT,
    "RPMSG_NUM_QUEUES": c.QUEUES,
    "RPMSG_HDR_SIZE": c.RPMSG_HEADER_SIZE,
    "RPMSG_BUF_SIZE": c.BUFFER_SIZE,
    "RPMSG_MAX_PAYLOAD": c.MAX_PAYLOAD,
    "RPMSG_ADDR_ANY": c.ADDR_ANY,
    "RPMSG_ADDR_NS": c.ADDR_NS,
    "RPMSG_ADDR_FIRST_DYNAMIC": c.ADDR_FIRST_DYNAMIC,
    "RPMSG_NAME_SIZE": c.NAME_SIZE,
    "RPMSG_NS_MSG_SIZE": c.NS_SIZE,
    "RPMSG_NS_CREATE": c.NS_CREATE,
    "RPMSG_NS_DESTROY": c.NS_DESTROY,
    "RPMSG_F_NS": Feature.NS,
    "VRING_MAX_SIZE": c.MAX_RING_SIZE,
    "VRING_DESC_SIZE": c.DESC_SIZE,
    "VRING_DESC_ALIGN": c.DESC_ALIGN,
    "VRING_AVAIL_ALIGN": c.AVAIL_ALIGN,
    "VRING_USED_ALIGN": c.USED_ALIGN,
    "VRING_DESC_F_NEXT": c.DESC_F_NEXT,
    "VRING_DESC_F_WRITE": c.DESC_F_WRITE,
    "VRING_DESC_F_INDIRECT": c.DESC_F_INDIRECT,
    "VRING_AVAIL_F_NO_INTERRUPT": c.AVAIL_F_NO_INTERRUPT,
    "VRING_USED_F_NO_NOTIFY": c.USED_F_NO_NOTIFY,
    "VRING_FLAGS": 0,
    "VRING_IDX": 2,
    "VHOST_F_LOG_ALL": Feature.LOG_ALL,
    "VHOST_USER_F_PROTOCOL_FEATURES": Feature.PROTOCOL_FEATURES,
    "GMEM_LOG_PAGE": c.LOG_PAGE,
    "VHOST_HDR_SIZE": c.HEADER_SIZE,
    "VHOST_VERSION": c.VERSION,
    "VHOST_FLAG_VERSION_MASK": c.VERSION_MASK,
    "VHOST_FLAG_REPLY": c.REPLY,
    "VHOST_FLAG_NEED_REPLY": c.NEED_REPLY,
    "VHOST_MAX_FDS": c.MAX_FDS,
    "VHOST_MAX_MEM_TABLE": c.MAX_REGIONS,
    "VHOST_CONFIG_MAX": c.MAX_CONFIG_SIZE,
    "VHOST_VRING_INDEX_MASK": c.VRING_INDEX_MASK,
    "VHOST_VRING_NOFD": c.VRING_NO_FD,
    "VHOST_VRING_F_LOG": bit(c.VRING_F_LOG),
    "VHOST_VRING_ADDR_SIZE": m.VRING_ADDR.size,
    "VHOST_VRING_STATE_SIZE": m.VRING_STATE.size,
    "VHOST_MEM_HDR_SIZE": m.MEM_TABLE.size,
    "VHOST_MEM_REGION_SIZE": m.MEM_REGION.size,
    "VHOST_LOG_SIZE": m.LOG.size,
    "VHOST_CONFIG_HDR_SIZE": m.CONFIG.size,
    "VHOST_CONFIG_F_MIGRATION": c.CONFIG_F_MIGRATION,
    **{f"VIRTIO_STATUS_{status.name}": status for status in Status},
    **{f"VIRTIO_F_{feature.name}": feature for feature in Feature},
    **{f"VHOST_PROTOCOL_F_{feature.name}": feature for feature in ProtocolFeature},
    **{f"VHOST_{request.name}": request for request in Request},
    **{
        f"vring_{part}_bytes({1 << order})": function(1 << order)
        for order in range(16)
        for part, function in (
            ("desc", c.desc_bytes), ("avail", c.avail_bytes), ("used", c.used_bytes)
        )
    },
}


@pytest.fixture(scope="module")
def in_c() -> dict[str, int]:
    """Names and values of the C headers, as the compiler sees them."""
    output = subprocess.run(
        [dump_program("constants")], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    return {name: int(value) for name, value in (line.split() for line in output.splitlines())}


def test_constants_in_c_and_in_python_are_equal(in_c: dict[str, int]) -> None:
    shared = {name: value for name, value in in_c.items() if name not in OWN}
    assert shared == {name: int(EXPECTED[name]) for name in shared}


def test_constants_in_c_are_all_known_in_python(in_c: dict[str, int]) -> None:
    assert set(in_c) - OWN <= set(EXPECTED)


def test_constants_of_the_headers_are_all_compared(in_c: dict[str, int]) -> None:
    defined = set()
    for header in HEADERS:
        text = (SIM / header).read_text(encoding="utf-8")
        defined |= set(re.findall(r"^#define ([A-Z][A-Z0-9_]*) +[^\s\\]", text, re.MULTILINE))
    defined -= {"WIRE_NATIVE_ENDIAN"}
    assert len(defined) > 60
    assert defined <= set(in_c)


def test_constants_of_served_requests_are_all_compared(in_c: dict[str, int]) -> None:
    table = re.findall(r"X\((\d+), ([A-Z_]+)\)", (SIM / HEADERS[2]).read_text(encoding="utf-8"))
    assert len(table) > 20
    for number, symbol in table:
        assert in_c[f"VHOST_{symbol}"] == int(number) == Request[symbol]


def test_constants_buffer_is_header_and_payload() -> None:
    assert c.RPMSG_HEADER_SIZE + c.MAX_PAYLOAD == c.BUFFER_SIZE
    assert c.NAME_SIZE + 8 == c.NS_SIZE


def test_names_of_a_mask_are_words_and_numbers() -> None:
    assert c.names_of(bit(0) | bit(32) | bit(63), Feature) == "NS, VERSION_1, bit 63"
    assert c.names_of(5, Status, are_bits=False) == "ACKNOWLEDGE, DRIVER_OK"
    assert c.names_of(0, Feature) == "none"
