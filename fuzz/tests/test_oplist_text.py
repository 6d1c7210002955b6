# SPDX-License-Identifier: BSD-2-Clause
"""Operation lists as text: what is written is what is read, and mistakes are told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.tools import oplist
from fuzz.tools.oplist import Field, Item, Operation, Schema

SEND = Operation(0, "send", "payload", (Field("to", 4, "address", 0), Field("count", 1, "choice", 8)))
STOP = Operation(1, "stop", "", ())
SCHEMA = Schema(200, (SEND, STOP))

sends = st.builds(
    lambda to, count, tail: Item(SEND, (to, count), tail),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 7),
    st.binary(max_size=40),
)
lists = st.lists(st.one_of(sends, st.just(Item(STOP, ()))), max_size=10)


@given(lists)
@settings(max_examples=200, deadline=None)
def test_oplist_decoded_is_what_was_encoded(items: list[Item]) -> None:
    assert oplist.decode(SCHEMA, oplist.encode(SCHEMA, items)) == items


@given(lists)
@settings(max_examples=200, deadline=None)
def test_oplist_text_means_the_same_list(items: list[Item]) -> None:
    text = "\n".join(map(oplist.show, items))
    assert oplist.parse(SCHEMA, text) == items


@given(st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_oplist_of_any_bytes_is_decoded_or_refused(data: bytes) -> None:
    try:
        items = oplist.decode(SCHEMA, SCHEMA.header + data)
    except ValueError:
        return
    assert oplist.decode(SCHEMA, oplist.encode(SCHEMA, items)) == items


def test_oplist_with_a_short_body_reads_zeros() -> None:
    assert oplist.decode(SCHEMA, SCHEMA.header + bytes((0, 0, 2, 0, 7, 1))) == [Item(SEND, (0x107, 0))]


def test_oplist_tail_may_be_joined_and_repeated() -> None:
    [item] = oplist.parse(SCHEMA, 'send payload="a # b"+hex:00ff*2 # comment')
    assert item.tail == b"a # b\x00\xff\x00\xff"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("go", "line 1: no operation 'go': there are send, stop"),
        ("\nsend where=1", "line 2: send has no 'where': it has to, count, payload"),
        ("send to=0x100000000", "line 1: to=0x100000000: the field has 4 bytes"),
        ("send to", "line 1: to: expected NAME=VALUE"),
        ("send payload=abc", 'line 1: abc: expected "text" or hex:00ff'),
        ('send payload="abc', 'a string does not end: "abc'),
    ],
)
def test_oplist_text_with_a_mistake_is_told(text: str, told: str) -> None:
    with pytest.raises(ValueError) as error:
        oplist.parse(SCHEMA, text)
    assert told in str(error.value)


def test_oplist_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 2"):
        oplist.schema_from({"version": 2, "id": 1, "ops": []})
