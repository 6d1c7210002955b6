# SPDX-License-Identifier: BSD-2-Clause
"""Golden messages against the C code: sim/tests/golden_dump.c shows what it makes of each."""

from __future__ import annotations

import subprocess
from typing import cast

import pytest
import virtio_golden
from virtio_programs import dump_program

from rpmsg_conformance.virtio.golden import Golden

Dump = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def dump() -> Dump:
    """What the C code printed of each message, by the message's name."""
    lines = "".join(
        f"{m.format} {m.order.value} {m.data.hex() or '-'}\n" for m in virtio_golden.ALL
    )
    output = subprocess.run(
        [dump_program("golden")],
        input=lines,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.splitlines()
    assert len(output) == len(virtio_golden.ALL)
    return {
        message.name: {key: value for key, _, value in (p.partition("=") for p in line.split())}
        for message, line in zip(virtio_golden.ALL, output, strict=True)
    }


@pytest.mark.parametrize("message", virtio_golden.of("header", "packet"), ids=virtio_golden.name)
def test_golden_header_in_c(dump: Dump, message: Golden) -> None:
    seen = dump[message.name]
    if "SHORT" in virtio_golden.oddities(message):
        assert seen == {"refused": "1"}
        return
    names = ("src", "dst", "reserved", "len", "flags")
    assert {n: int(seen[n]) for n in names} == {n: message.decode[n] for n in names}
    assert seen["again"] == message.data[:16].hex()


@pytest.mark.parametrize("message", virtio_golden.of("ns"), ids=virtio_golden.name)
def test_golden_ns_in_c(dump: Dump, message: Golden) -> None:
    seen, odd = dump[message.name], virtio_golden.oddities(message)
    if "NS_SIZE" in odd:
        assert seen == {"refused": "1"}
        return
    assert bytes.fromhex(seen["name"]) == cast(str, message.decode["name"]).encode("latin-1")
    assert int(seen["addr"]) == message.decode["addr"]
    assert int(seen["flags"]) == message.decode["flags"]
    assert seen["terminated"] == str(int("NS_UNTERMINATED" not in odd))
    assert seen["padded"] == str(int("NS_PADDING" not in odd))
    if not odd & {"NS_UNTERMINATED", "NS_PADDING"}:
        assert seen["again"] == message.data.hex()


#: Where the field of a vring state goes.
_STATE = {
    "SET_VRING_NUM": "num",
    "SET_VRING_BASE": "base",
    "GET_VRING_BASE": None,
    "SET_VRING_ENABLE": "enabled",
}


def _regions(seen: dict[str, str]) -> set[tuple[object, ...]]:
    listed = [seen[f"region{number}"].split(",") for number in range(int(seen["regions"]))]
    return {tuple(int(value) for value in region) for region in listed}


@pytest.mark.parametrize("message", virtio_golden.of("vhost-user"), ids=virtio_golden.name)
def test_golden_vhost_message_in_c(dump: Dump, message: Golden) -> None:
    seen, expected = dump[message.name], message.decode
    request = str(expected["request"])
    for name in ("version", "reply", "need_reply", "size"):
        assert int(seen[name]) == int(cast(int, expected[name])), name
    assert seen["request"] == request
    assert "closed" not in seen
    if expected["need_reply"]:
        assert seen["answer"] == "00" * 8
    if request == "SET_VRING_CALL":
        assert (seen["queue"], seen["call_fd"]) == ("1", "0")
    elif "u64" in expected:
        assert int(seen["u64"]) == expected["u64"]
    elif request in _STATE:
        assert int(seen["queue"]) == expected["queue"]
        field = _STATE[request]
        if field is not None:
            assert int(seen[field]) == expected["num"]
    elif request == "SET_VRING_ADDR":
        for name in ("queue", "descriptor", "used", "available", "log"):
            assert int(seen[name]) == expected[name], name
    elif request == "SET_MEM_TABLE":
        names = ("guest_addr", "size", "user_addr")
        count = cast(int, expected["regions"])
        table = {tuple(expected[f"region{number}.{n}"] for n in names) for number in range(count)}
        assert _regions(seen) == table
    elif request == "ADD_MEM_REG":
        added = tuple(expected[n] for n in ("guest_addr", "region_size", "user_addr"))
        assert added in _regions(seen)
    elif request == "SET_CONFIG":
        assert int(seen["offset"]) == expected["offset"]
        assert int(seen["bytes"]) == expected["bytes"]
        assert bytes.fromhex(seen["contents"]) == expected["contents"]
    else:
        assert int(cast(int, expected["size"])) == 0
