# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the host suite's cases on a board: those that need more than an agent are skipped."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from rpmsg_conformance.board import NEEDS, Board, BoardLink
from rpmsg_conformance.expect import GuestDied, NotApplicable
from rpmsg_conformance.host_fixtures import (
    agent,
    case_folder,
    channel,
    endpoint,
    judge_behaviour,
    observe,
    write_lines,
)
from rpmsg_conformance.kernel_log import complaints
from rpmsg_conformance.long_waits import FIXTURES
from rpmsg_conformance.pytest_plugin import target_key

__all__ = ["agent", "case_folder", "channel", "endpoint", "observe"]

#: Fixtures that stand for the simulator, for a device of one's own, or for a guest of ours.
_OURS = {"sim", "new_link", "kernel", *FIXTURES}


@pytest.fixture(scope="session")
def host(pytestconfig: pytest.Config) -> Board:
    """The target."""
    target = pytestconfig.stash[target_key]
    assert isinstance(target, Board)
    return target


@pytest.fixture(autouse=True)
def only_what_a_board_can(request: pytest.FixtureRequest) -> None:
    """Skip a case before it begins that asks for more."""
    if request.node.get_closest_marker("destructive") is not None:
        raise NotApplicable(f"{NEEDS}: it may damage the kernel that it runs on")
    asked = _OURS & set(request.fixturenames)
    if asked or "host" in inspect.signature(request.function).parameters:
        raise NotApplicable(NEEDS)
    marker = request.node.get_closest_marker("device")
    if marker is not None:
        wanted = ", ".join(f"{name}={value}" for name, value in marker.kwargs.items())
        raise NotApplicable(f"{NEEDS}: a device with {wanted}")


@pytest.fixture
def link(request: pytest.FixtureRequest, host: Board, case_folder: Path) -> Iterator[BoardLink]:
    """The board's channels, shown to be alive after the case."""
    host.kernel_log()
    board_link = BoardLink(host)
    lost = False
    try:
        yield board_link
        board_link.check_alive()
    except GuestDied:
        lost = True
        raise
    finally:
        if not lost:
            board_link.end()
    log = host.kernel_log()
    write_lines(case_folder / "dmesg.txt", log)
    judge_behaviour(request, host, [], complaints(log))


@pytest.fixture
def new_link() -> None:
    """Not to be had."""
    raise NotApplicable(NEEDS)


@pytest.fixture
def sim() -> None:
    """Not to be had."""
    raise NotApplicable(NEEDS)


@pytest.fixture
def kernel() -> None:
    """Not to be had."""
    raise NotApplicable(NEEDS)
