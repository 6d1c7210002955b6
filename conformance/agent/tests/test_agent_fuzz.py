# SPDX-License-Identifier: BSD-2-Clause
"""No line ends the agent, and each gets exactly one reply."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from conftest import Agent

#: Commands that harm nothing on the machine that runs the tests, whatever their arguments are.
HARMLESS = (
    "ping hello commands close read write poll fcntl_nonblock tty_raw rpmsg_create_ept "
    "rpmsg_create_dev rpmsg_release_dev rpmsg_destroy_ept channels list readlink uname meminfo "
    "interrupts workers spawn kill proc_stat signal"
).split()
NAMES = (
    "fd len offset bad_pointer data fill fds events timeout_ms on name src dst path match run pid "
    "tid sig restart present worker"
).split()

_sentinels = itertools.count(1 << 60)


@pytest.fixture(scope="module")
def fuzzed(program: str) -> Iterator[Agent]:
    """One agent for all lines of this module: damage shows in the later ones."""
    agent = Agent([program])
    yield agent
    assert agent.finish() == 0
    agent.kill()


def replies_to(agent: Agent, line: bytes) -> list[dict[str, Any]]:
    """All replies to one line: what comes before the reply to a ping after it."""
    sentinel = next(_sentinels)
    agent.send_raw(line + b'\n{"id":%d,"cmd":"ping"}\n' % sentinel)
    replies = []
    while (message := agent.next_message()).get("id") != sentinel:
        replies.append(message)
    return replies


fuzz = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@fuzz
@given(line=st.binary(min_size=1, max_size=200).filter(lambda x: b"\n" not in x))
@example(line=b"\x00")
@example(line=b'{"id":1,"cmd":"ping"}\x00')
@example(line=b'{"' + b"[" * 5000)
def test_bytes_get_one_reply(fuzzed: Agent, line: bytes) -> None:
    replies = replies_to(fuzzed, line)
    assert len(replies) == 1


json_like = st.lists(
    st.sampled_from(
        ['{', '}', '[', ']', ':', ',', '"', '"id"', '"cmd"', '"ping"', '"fd"', '0', '1', '-', '.5',
         'e9', '18446744073709551615', 'true', 'false', 'null', '\\', '\\u', '\\ud83d', '\\ude00',
         '00', ' ', '\t', 'é', '"read"', '"len"', '"data"', '"worker"']  # fmt: skip
    ),
    min_size=1,
    max_size=40,
).map(lambda parts: "".join(parts).encode())


@fuzz
@given(line=json_like)
def test_pieces_of_json_get_one_reply(fuzzed: Agent, line: bytes) -> None:
    assert len(replies_to(fuzzed, line)) == 1


scalar = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.integers(-1, 12)
    | st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=40)
    | st.sampled_from(["", "00ff", "in", "out", "ping", "read", "/", "/dev/null", "USR1"])
)
arguments = st.dictionaries(
    st.sampled_from(NAMES), scalar | st.lists(scalar, max_size=5), max_size=6
)


@fuzz
@given(
    cmd=st.sampled_from(HARMLESS), given_arguments=arguments, request_id=st.integers(0, 2**60 - 1),
    ascii_only=st.booleans(),
)  # fmt: skip
def test_request_with_any_arguments_gets_one_reply(
    fuzzed: Agent, cmd: str, given_arguments: dict[str, Any], request_id: int, ascii_only: bool
) -> None:
    given_arguments = dict(given_arguments)
    given_arguments["timeout_ms"] = 0
    if cmd != "poll":
        del given_arguments["timeout_ms"]
    # Without a peer a descriptor would block for ever; in a worker it would answer later.
    given_arguments.pop("worker", None)
    if given_arguments.get("fd") in (0, 1, 2):
        given_arguments["fd"] = 700
    request = {"id": request_id, "cmd": cmd, **given_arguments}
    replies = replies_to(fuzzed, json.dumps(request, ensure_ascii=ascii_only).encode())
    assert [r["id"] for r in replies] == [request_id]
    # This is JSON that the agent understands: if it is wrong, then not as JSON.
    assert not replies[0].get("error", "").startswith("malformed")


@fuzz
@given(
    path=st.text(
        st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=60
    ),
    ascii_only=st.booleans(),
)
def test_text_goes_in_and_out_unchanged(fuzzed: Agent, path: str, ascii_only: bool) -> None:
    path = "/nowhere/" + path
    request = {"id": 1, "cmd": "open", "path": path}
    line = json.dumps(request, ensure_ascii=ascii_only).encode()
    assume(b"\n" not in line)
    (reply,) = replies_to(fuzzed, line)
    assert reply["error"] == f"open {path}"


@fuzz
@given(
    position=st.integers(0, 200), replacement=st.binary(max_size=3), kept=st.integers(0, 4)
)
def test_damaged_request_gets_one_reply(
    fuzzed: Agent, position: int, replacement: bytes, kept: int
) -> None:
    assume(b"\n" not in replacement)
    line = (
        b'{"id":12,"cmd":"poll","fds":[-1,-1,700],"events":["in","out"],"timeout_ms":0}'
    )
    position %= len(line)
    damaged = line[:position] + replacement + line[position + kept :]
    assert len(replies_to(fuzzed, damaged)) == 1
