# SPDX-License-Identifier: BSD-2-Clause
"""What several files of cases share: above all the one long wait, done beside everything else."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import Pending, Reply
from rpmsg_conformance.expect import GuestDied, Unmet
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.link import Link
from rpmsg_conformance.sim import SimulatorError

#: Seconds within which a write() that gives up after 15 s has to be back, whatever it returns.
GIVE_UP_LIMIT = 40.0

#: Worker of the guest's agent that the long wait occupies; cases use the low numbers.
WORKER = 15


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
        except (Unmet, GuestDied, SimulatorError):
            # It starts again, and reports, where a case asks for its result.
            pass


@pytest.fixture(scope="session")
def given_up(patient_write: PatientWrite) -> Reply:
    """How a blocking write() ended that never got a buffer."""
    return patient_write.result()
