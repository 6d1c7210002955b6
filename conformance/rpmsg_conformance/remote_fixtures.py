# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the remote suite (conformance/remote): connections of its own for each case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from rpmsg_conformance.expect import TargetDied, TargetUnreachable, TargetWedged
from rpmsg_conformance.pytest_plugin import record_key, seed_key, target_key
from rpmsg_conformance.remote_host import EchoService, RemoteHost
from rpmsg_conformance.remote_target import RemoteTarget
from rpmsg_conformance.virtio.config import Config


class Connect(Protocol):
    """connect(config): a host whose device runs and whose echo service was announced."""

    def __call__(self, config: Config | None = None) -> RemoteHost: ...


Observe = Callable[[str], None]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Call the case; what the peer did to it becomes a statement about the remote."""
    target = pyfuncitem.config.stash[target_key]
    assert isinstance(target, RemoteTarget)
    names = pyfuncitem._fixtureinfo.argnames
    with target.judging():
        try:
            pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
        finally:
            target.trace.end_case()
    return True


@pytest.fixture(scope="session")
def remote(pytestconfig: pytest.Config) -> RemoteTarget:
    """The target: starts the remote, opens connections."""
    target = pytestconfig.stash[target_key]
    assert isinstance(target, RemoteTarget)
    return target


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """What random choices of a case begin with."""
    return pytestconfig.stash[seed_key]


@pytest.fixture
def observe(request: pytest.FixtureRequest) -> Observe:
    """Call it with what was seen and is worth a line of the report, whatever the verdict."""
    record = request.node.stash[record_key]

    def note(text: str) -> None:
        record.notes.append(text)

    return note


@pytest.fixture(autouse=True)
def served_afterwards(
    request: pytest.FixtureRequest, remote: RemoteTarget
) -> Iterator[None]:
    """After each case a well-formed exchange has to succeed on a new connection: silence proves
    nothing. Ends with TargetDied or TargetWedged otherwise. What the remote did against the rules
    beyond what the case judges is noted."""
    record = request.node.stash[record_key]
    remote.damaged = False
    remote.trace.clear()
    yield
    if remote.damaged:
        return
    seen = dict.fromkeys(
        entry.kind.value for host in remote.hosts for entry in host.anomalies
    )
    if not request.node.get_closest_marker("provokes"):
        record.notes += [f"seen besides: {text}" for text in seen]
    try:
        remote.check_alive()
    except (TargetDied, TargetWedged, TargetUnreachable):
        raise
    finally:
        remote.close_hosts()


@pytest.fixture
def echo(remote: RemoteTarget) -> EchoService:
    """The service that echoes; without one the case is BLOCKED."""
    return remote.need_echo()


@pytest.fixture
def open_host(remote: RemoteTarget) -> Connect:
    """open_host(config): a host on a connection on which nothing was said yet."""

    def make(config: Config | None = None) -> RemoteHost:
        with remote.judging():
            return remote.open(config)

    return make


@pytest.fixture
def connect(remote: RemoteTarget) -> Connect:
    """connect(config): a host whose device runs and whose echo service was announced.

    For use in the case itself: what the peer does then is judged as part of it.
    """
    return remote.connect


@pytest.fixture
def host(remote: RemoteTarget, echo: EchoService) -> RemoteHost:
    """A host as usual, its device running."""
    with remote.judging():
        return remote.connect()
