# SPDX-License-Identifier: BSD-2-Clause
"""Golden messages against the Python codec, and the reader of their files."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import virtio_golden

from rpmsg_conformance.virtio import codec, golden, messages
from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.codec import Order
from rpmsg_conformance.virtio.constants import Request
from rpmsg_conformance.virtio.golden import Golden, GoldenError
from rpmsg_conformance.virtio.messages import MemoryRegion, VringAddr, VringState


@pytest.mark.parametrize("message", virtio_golden.ALL, ids=virtio_golden.name)
def test_golden_decodes_to_what_it_says(message: Golden) -> None:
    assert virtio_golden.decode(message) == message.decode


@pytest.mark.parametrize("message", virtio_golden.of("header"), ids=virtio_golden.name)
def test_golden_header_is_what_encoding_its_fields_gives(message: Golden) -> None:
    fields = cast(dict[str, int], message.decode)
    assert codec.Header(**fields).encode(message.order) == message.data


_CANONICAL_NS = [
    m
    for m in virtio_golden.of("ns")
    if not {"NS_SIZE", "NS_PADDING"} & virtio_golden.oddities(m)
]


@pytest.mark.parametrize("message", _CANONICAL_NS, ids=virtio_golden.name)
def test_golden_ns_is_what_encoding_its_fields_gives(message: Golden) -> None:
    name, addr, flags = (message.decode[key] for key in ("name", "addr", "flags"))
    assert isinstance(name, str) and isinstance(addr, int) and isinstance(flags, int)
    assert codec.encode_ns(name, addr, flags, message.order) == message.data


def _encode_request(fields: dict[str, int]) -> bytes:
    request = Request[str(fields["request"])]
    region_names = ("guest_addr", "size", "user_addr", "mmap_offset")
    if "u64" in fields:
        return messages.U64.pack(fields["u64"])
    if "num" in fields:
        return VringState(fields["queue"], fields["num"]).encode()
    if "descriptor" in fields:
        return VringAddr(**{name: fields[name] for name in VringAddr._fields}).encode()
    if "regions" in fields:
        return messages.encode_mem_table(
            [
                MemoryRegion(*(fields[f"region{number}.{name}"] for name in region_names))
                for number in range(fields["regions"])
            ]
        )
    if "region_size" in fields:
        region = MemoryRegion(
            fields["guest_addr"], fields["region_size"], fields["user_addr"], fields["mmap_offset"]
        )
        return messages.encode_single_region(region)
    if "contents" in fields:
        contents = cast(bytes, fields["contents"])
        return messages.encode_config(fields["offset"], contents, fields["config_flags"])
    assert request in (Request.SET_OWNER, Request.GET_FEATURES)
    return b""


@pytest.mark.parametrize("message", virtio_golden.of("vhost-user"), ids=virtio_golden.name)
def test_golden_vhost_message_is_what_encoding_its_fields_gives(message: Golden) -> None:
    fields = cast(dict[str, int], message.decode)
    flags = fields["version"] | (c.NEED_REPLY if fields["need_reply"] else 0)
    payload = _encode_request(fields)
    number = Request[str(fields["request"])]
    assert messages.encode_message(number, payload, flags=flags) == message.data


def test_golden_messages_cover_both_orders_of_each_rpmsg_format() -> None:
    seen = {(m.format, m.order) for m in virtio_golden.ALL}
    assert {(f, o) for f in ("header", "packet", "ns") for o in Order} <= seen


def test_golden_messages_cover_every_oddity() -> None:
    seen: set[str] = set()
    for message in virtio_golden.ALL:
        seen |= virtio_golden.oddities(message)
    assert seen == {oddity.name for oddity in codec.Oddity}


VALID = """\
message x   # a comment
about Something # else
format ns
order big
hex
  00 ff*2   # three bytes
decode
  a = "with # inside"
  b = 0x10
  c = true
  d = hex:0a0b
  e = hex:5a*3
  f = none
  g = ONE, TWO
  h = hex:
"""


def test_reader_understands_every_kind_of_value(tmp_path: Path) -> None:
    path = tmp_path / "x.msg"
    path.write_text(VALID)
    (message,) = golden.load(path)
    assert (message.name, message.about, message.format) == ("x", "Something", "ns")
    assert (message.order, message.data) == (Order.BIG, b"\x00\xff\xff")
    assert message.where == f"{path}:1"
    assert message.decode == {
        "a": "with # inside", "b": 16, "c": True, "d": b"\x0a\x0b", "e": b"ZZZ",
        "f": frozenset(), "g": frozenset(("ONE", "TWO")), "h": b"",
    }


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("message x", "massage x", 1, "expected 'message' and a value"),
        ("about Something", "", 3, "expected 'about' and a value"),
        ("format ns", "format tcp", 3, "format 'tcp' is none of"),
        ("order big", "order middle", 4, "neither little nor big"),
        ("hex\n", "hex 00\n", 5, "expected 'hex' alone"),
        ("00 ff*2", "0 ff*2", 6, "'0' is neither two hexadecimal digits nor XX*N"),
        ("00 ff*2", "00 ff*", 6, "'ff*' is neither"),
        ("b = 0x10", "b 0x10", 9, "expected KEY = VALUE"),
        ("b = 0x10", "a = 0x10", 9, "key 'a' stands here twice"),
        ("b = 0x10", "b = word", 9, "'word' is no value"),
        ("b = 0x10", 'b = "open', 9, "is no value"),
        ("d = hex:0a0b", "d = hex:0a0", 11, "'0' is neither"),
    ],
)
def test_reader_names_the_line_of_a_mistake(
    tmp_path: Path, old: str, new: str, line: int, what: str
) -> None:
    path = tmp_path / "x.msg"
    path.write_text(VALID.replace(old, new, 1))
    with pytest.raises(GoldenError) as caught:
        golden.load(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert what in str(caught.value)


@pytest.mark.parametrize("lines", [0, 1, 4])
def test_reader_refuses_a_file_that_ends_early(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "x.msg"
    path.write_text("".join(VALID.splitlines(keepends=True)[:lines]))
    with pytest.raises(GoldenError, match="ends where|no message found"):
        golden.load(path)


def test_reader_refuses_a_message_without_expectations(tmp_path: Path) -> None:
    path = tmp_path / "x.msg"
    path.write_text(VALID[: VALID.index("  a =")])
    with pytest.raises(GoldenError, match="'decode' lists nothing"):
        golden.load(path)


def test_reader_refuses_a_name_used_twice_in_any_file(tmp_path: Path) -> None:
    for name in ("a.msg", "b.msg"):
        (tmp_path / name).write_text(VALID)
    with pytest.raises(GoldenError, match="is the name of a message at"):
        golden.load(tmp_path)
