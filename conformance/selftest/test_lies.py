# SPDX-License-Identifier: BSD-2-Clause
"""Lies reach what a case sees, and only while one is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rpmsg_conformance import lies

READ = {"id": 1, "ok": True, "ret": 2, "data": "6869", "t0": 0, "t1": 5}
AGAIN = {"id": 1, "ok": False, "errno": "EAGAIN", "errnum": 11, "error": "read 3"}


@pytest.fixture(autouse=True)
def truth_afterwards() -> Iterator[None]:
    yield
    lies.told = None


def told(name: str, command: str, reply: dict[str, Any]) -> dict[str, Any]:
    lies.told = name
    return lies.reply(command, reply)


def test_lies_without_one_everything_is_as_it_was() -> None:
    assert lies.reply("read", READ) is READ
    assert lies.event("message", {"src": 1}) == {"src": 1}


def test_lies_failure_becomes_a_success() -> None:
    seen = told("a call that failed succeeded", "read", AGAIN)
    assert seen["ok"] and "errno" not in seen
    assert not AGAIN["ok"]


def test_lies_success_becomes_a_failure() -> None:
    assert told("a call that succeeded failed", "read", READ)["errno"] == "EIO"


def test_lies_bytes_differ() -> None:
    assert told("other bytes were read", "read", READ)["data"] == "6868"


def test_lies_path_that_is_there_is_not() -> None:
    seen = told("paths that are there are not, and the other way round", "wait_path", {"ok": True})
    assert seen["errno"] == "ETIMEDOUT"


def test_lies_fields_of_a_message_differ() -> None:
    lies.told = "messages had other fields"
    seen = lies.event("message", {"src": 1, "data": "6869"})
    assert (seen["src"], seen["data"]) == (2, "6969")


def test_lies_commands_of_the_suite_itself_stay_true() -> None:
    assert told("a call that succeeded failed", "ping", {"ok": True})["ok"]


def test_lies_counters_grow_with_every_look() -> None:
    lies.told = "the simulator counted something else"
    looks = [lies.counters({"queues": [{"popped": 5}]})["queues"][0]["popped"] for _ in range(3)]
    assert looks[1] - looks[0] != 0 and looks[2] > looks[1]
