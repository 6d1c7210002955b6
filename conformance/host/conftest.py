# SPDX-License-Identifier: BSD-2-Clause
"""What several files of cases share: above all the one long wait, done beside everything else."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import Pending, Reply
from rpmsg_conformance.expect import Blocked, GuestDied, GuestWedged, NotApplicable
from rpmsg_conformance.expect import TargetUnreachable, Unmet
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.host_fixtures import open_kernel_api
from rpmsg_conformance.kernel_api import KernelApi, KernelChannel, PendingResult, Result
from rpmsg_conformance.link import Link
from rpmsg_conformance.sim import SimulatorError

#: Seconds within which a write() that gives up after 15 s has to be back, whatever it returns.
GIVE_UP_LIMIT = 40.0

#: Worker of the guest's agent that the long wait occupies; cases use the low numbers.
WORKER = 15

#: What may keep a long wait from starting early.
START_TROUBLE = (
    Unmet,
    Blocked,
    NotApplicable,
    GuestDied,
    GuestWedged,
    TargetUnreachable,
    SimulatorError,
)


class PatientWrite:
    """A blocking write() while the remote keeps every send buffer, on a link of its own.

    It is started before the first case and asked for after the last one, so that a run does not
    wait for it. A guest that is replaced in between takes it along; then it starts again.
    """

    def __init__(self, host: HostTarget) -> None:
        self._host = host
        self._link: Link | None = None
        self._pending: Pending | None = None
        self._reply: Reply | None = None

    def start(self) -> None:
        """Start the write; does nothing if it is under way."""
        if self._pending is not None:
            return
        log = self._host.folder / "patient-write-sim.log"
        self._link = link = self._host.new_link(log, vq_size=64)
        filler, blocking = link.announce(kind="sink"), link.announce(kind="sink")
        filler_fd, blocking_fd = link.open(filler.path), link.open(blocking.path, "rdwr")
        link.sim.hold(1)
        link.exhaust(filler_fd)
        self._pending = link.agent.submit("write", worker=WORKER, fd=blocking_fd, data="00")

    def result(self) -> Reply:
        """The write's result, once it is there."""
        if self._reply is None:
            try:
                self._reply = self._wait()
            except GuestDied:
                # Some case's doing, not this one's, unless it happens again.
                self._pending = None
                self._reply = self._wait()
        return self._reply

    def _wait(self) -> Reply:
        self.start()
        assert self._link is not None and self._pending is not None
        reply = self._pending.wait(GIVE_UP_LIMIT)
        self._link.check_alive()
        self._link.end()
        return reply


@pytest.fixture(scope="session")
def patient_write(host: HostTarget) -> PatientWrite:
    """The long wait, started by start_patient_write if a case of this run asks for it."""
    return PatientWrite(host)


@pytest.fixture(scope="session", autouse=True)
def start_patient_write(request: pytest.FixtureRequest, patient_write: PatientWrite) -> None:
    """Start the long wait before the first case."""
    wanted = any(
        "given_up" in item.fixturenames
        for item in request.session.items
        if isinstance(item, pytest.Function)
    )
    if wanted:
        try:
            patient_write.start()
        except START_TROUBLE:
            # It starts again, and reports, where a case asks for its result.
            pass


@pytest.fixture(scope="session")
def given_up(patient_write: PatientWrite) -> Reply:
    """How a blocking write() ended that never got a buffer."""
    return patient_write.result()


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


class PatientSenders:
    """The functions of the in-kernel API that wait 15 s, all at once, on a link of their own.

    As PatientWrite: started before the first case, asked for after the last one.
    """

    #: Workers of the agent that they occupy.
    WORKERS = {"send": 12, "sendto": 13, "send_offchannel": 14}

    def __init__(self, host: HostTarget) -> None:
        self._host = host
        self._link: Link | None = None
        self._kernel: KernelApi | None = None
        self._pending: dict[str, PendingResult] = {}
        self._results: dict[str, Result] | None = None

    def start(self) -> None:
        """Start them; does nothing if they are under way."""
        if self._pending:
            return
        log = self._host.folder / "patient-senders-sim.log"
        self._link = link = self._host.new_link(log, vq_size=32)
        self._kernel = kernel = open_kernel_api(self._host, link)
        remote = int(link.sim.announce("kapi-patient", "sink")["addr"])
        channel = kernel.channel(kernel.new_driver("kapi-patient"), "kapi-patient", remote)
        assert channel.ept is not None
        # Each on an endpoint of its own: what one of them holds stops no other.
        endpoints = {verb: kernel.create(channel) for verb in self._verbs(kernel)}
        link.sim.hold(1)
        while not kernel.call("trysend", endpoint=channel.ept.id, data=b"fill").ret:
            pass
        for verb, endpoint in endpoints.items():
            words = {"src": 5, "dst": 6} if verb.endswith("offchannel") else {"dst": 6}
            self._pending[verb] = kernel.submit(
                verb, worker=self.WORKERS[verb], endpoint=endpoint.id, data=b"patient", **words
            )

    def _verbs(self, kernel: KernelApi) -> list[str]:
        has = kernel.features()["offchannel"]
        return [verb for verb in self.WORKERS if has or not verb.endswith("offchannel")]

    def results(self) -> dict[str, Result]:
        """Their results by name of the function, once they are there."""
        if self._results is None:
            try:
                self._results = self._wait()
            except GuestDied:
                # Some case's doing, not theirs, unless it happens again.
                self._pending.clear()
                self._results = self._wait()
        return self._results

    def _wait(self) -> dict[str, Result]:
        self.start()
        assert self._link is not None and self._kernel is not None
        results = {verb: pending.wait(GIVE_UP_LIMIT) for verb, pending in self._pending.items()}
        self._link.check_alive()
        self._kernel.end()
        self._link.end()
        return results


@pytest.fixture(scope="session")
def patient_senders(host: HostTarget) -> PatientSenders:
    """The long waits, started by start_patient_senders if a case of this run asks for them."""
    return PatientSenders(host)


@pytest.fixture(scope="session", autouse=True)
def start_patient_senders(
    request: pytest.FixtureRequest, patient_senders: PatientSenders
) -> None:
    """Start the long waits before the first case."""
    wanted = any(
        "senders_given_up" in item.fixturenames
        for item in request.session.items
        if isinstance(item, pytest.Function)
    )
    if wanted:
        try:
            patient_senders.start()
        except (*START_TROUBLE, pytest.skip.Exception):
            # They start again, and report, where a case asks for their results.
            pass


@pytest.fixture(scope="session")
def senders_given_up(patient_senders: PatientSenders) -> dict[str, Result]:
    """How the blocking functions of the in-kernel API ended that never got a buffer, by name."""
    return patient_senders.results()
