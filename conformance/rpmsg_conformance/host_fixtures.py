# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the host suite (conformance/host): a link of its own for each case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import GuestDied, GuestWedged, Unmet
from rpmsg_conformance.host_target import HostTarget, complaints
from rpmsg_conformance.link import Channel, Link
from rpmsg_conformance.pytest_plugin import record_key, target_key
from rpmsg_conformance.sim import SimulatorClient


@pytest.fixture(scope="session")
def host(pytestconfig: pytest.Config) -> HostTarget:
    """The target: boots guests, makes links."""
    target = pytestconfig.stash[target_key]
    assert isinstance(target, HostTarget)
    return target


@pytest.fixture
def observe(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Call it with what was seen and is worth a line of the report, whatever the verdict."""
    record = request.node.stash[record_key]

    def note(text: str) -> None:
        record.notes.append(text)

    return note


@pytest.fixture
def case_folder(request: pytest.FixtureRequest) -> Path:
    """Folder for what the case leaves as evidence."""
    folder = request.node.stash[record_key].artefacts
    assert isinstance(folder, Path)
    return folder


@pytest.fixture
def link(request: pytest.FixtureRequest, host: HostTarget, case_folder: Path) -> Iterator[Link]:
    """A fresh simulator in a fresh device of the guest, shown to be alive after the case.

    @pytest.mark.device(vq_size=N, services=[...]) changes the device. Ends with GuestWedged or
    GuestDied when the guest does not serve any more; the next case then gets a fresh guest.
    """
    record = request.node.stash[record_key]
    marker = request.node.get_closest_marker("device")
    options = dict(marker.kwargs) if marker else {}
    options["services"] = tuple(options.get("services", ()))
    host.case_link = None
    host.guest()
    host.kernel_log()
    link = host.case_link = host.new_link(case_folder / "sim.log", **options)
    damage: Exception | None = None
    try:
        yield link
        link.check_alive()
        log = host.kernel_log()
        write_lines(case_folder / "dmesg.txt", log)
        record.notes += [f"kernel log: {line}" for line in complaints(log)]
    except (GuestDied, GuestWedged, Unmet) as error:
        damage = error
        raise
    finally:
        link.sim.write_events(case_folder / "events.jsonl")
        write_lines(case_folder / "console.txt", host.console_tail())
        end(link, host, damage)


def write_lines(path: Path, lines: list[str]) -> None:
    """Write lines of text as a file of evidence."""
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def end(link: Link, host: HostTarget, damage: Exception | None) -> None:
    """Take the link away; replace the guest when it is damaged or does not let go of it."""
    try:
        link.end()
    except (GuestDied, GuestWedged, Unmet) as error:
        host.discard(str(damage or error))
        if damage is None:
            raise
    else:
        if damage is not None:
            host.discard(str(damage))


@pytest.fixture
def sim(link: Link) -> SimulatorClient:
    """Control of the case's simulator."""
    return link.sim


@pytest.fixture
def agent(link: Link) -> AgentClient:
    """System calls in the guest."""
    return link.agent


@pytest.fixture
def channel(link: Link) -> Channel:
    """A channel with a character device, to a service that echoes."""
    return link.announce()


@pytest.fixture
def endpoint(link: Link, channel: Channel) -> int:
    """The character device of ``channel``, opened for reading and writing with O_NONBLOCK."""
    return link.open(channel.path)
