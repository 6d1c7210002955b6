# SPDX-License-Identifier: BSD-2-Clause
"""What several files of cases share: above all the long waits, done beside everything else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rpmsg_conformance.agent import Reply
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.kernel_api import KernelApi, KernelChannel, Result
from rpmsg_conformance.link import Link
from rpmsg_conformance.long_waits import FIXTURES, START_TROUBLE, Beside, Removal


@pytest.fixture(scope="session", autouse=True)
def beside(request: pytest.FixtureRequest, host: HostTarget) -> Beside:
    """The guest of the long waits; it boots at once if a case of this run asks for one of them."""
    asked = {
        name
        for item in request.session.items
        if isinstance(item, pytest.Function)
        for name in item.fixturenames
    }
    other = Beside(host)
    try:
        other.want([make(other) for name, make in FIXTURES.items() if name in asked])
    except START_TROUBLE:
        # It boots again, and reports, where a case asks for a result.
        pass
    return other


@pytest.fixture(autouse=True)
def go_on_beside(beside: Beside) -> Iterator[None]:
    """Before each case: what can be started or finished in the guest beside."""
    beside.step()
    yield


@pytest.fixture(scope="session")
def given_up(beside: Beside) -> Reply:
    """How a blocking write() ended that never got a buffer."""
    return beside.write.result()


@pytest.fixture(scope="session")
def senders_given_up(beside: Beside) -> dict[str, Result]:
    """How the blocking functions of the in-kernel API ended that never got a buffer, by name."""
    return beside.senders.results()


@pytest.fixture(scope="session")
def removal_with_writer(beside: Beside) -> Removal:
    """How a link went on which a write() waited for a buffer."""
    return beside.removal_with_writer.result()


@pytest.fixture(scope="session")
def removal_with_announcement(beside: Beside) -> Removal:
    """How a link went with a channel that the host had announced, and no send buffer left."""
    return beside.removal_with_announcement.result()


@pytest.fixture
def rebooted(beside: Beside) -> Beside:
    """The guest beside, ready to start again or already on its way."""
    beside.complete(beside.reboot)
    return beside


@pytest.fixture
def bound(link: Link, kernel: KernelApi) -> KernelChannel:
    """A channel of which a driver of the kernel module has taken hold; its remote is silent."""
    remote = int(link.sim.announce("kapi-first", "sink")["addr"])
    return kernel.channel(kernel.new_driver("kapi-first"), "kapi-first", remote)


@pytest.fixture
def second(link: Link, kernel: KernelApi) -> KernelChannel:
    """One more."""
    remote = int(link.sim.announce("kapi-second", "sink")["addr"])
    return kernel.channel(kernel.new_driver("kapi-second"), "kapi-second", remote)
