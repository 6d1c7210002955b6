# SPDX-License-Identifier: BSD-2-Clause
"""What takes a kernel 15 s and more, done in a guest of its own beside all other cases.

Each wait is started as soon as that guest is up and asked for after the last case, so that a run
does not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rpmsg_conformance import processes
from rpmsg_conformance.agent import Pending, Reply
from rpmsg_conformance.expect import Blocked, GuestDied, GuestWedged, NotApplicable
from rpmsg_conformance.expect import TargetUnreachable, Unmet, expect_equal
from rpmsg_conformance.host_fixtures import open_kernel_api
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.kernel_api import KernelApi, PendingResult, Result
from rpmsg_conformance.link import VIRTIO_DRIVER, Link
from rpmsg_conformance.sim import SimulatorError

#: Seconds within which what gives up after 15 s has to be back, whatever it returns.
GIVE_UP_LIMIT = 40.0

#: Seconds for a guest to start again.
REBOOT_LIMIT = 120.0

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

#: Every link of a long wait is watched as those of cases are.
STRICT = ("--check", "strict")


class LongWait(Protocol):
    """Something that is started early and asked for late."""

    def start(self) -> None:
        """Start it; does nothing if it is under way."""

    def ready(self) -> bool:
        """Whether finish() would not have to wait."""

    def finish(self) -> None:
        """Wait for its end and take its link away; does nothing the second time."""


class PatientWrite:
    """A blocking write() while the remote keeps every send buffer."""

    WORKER = 15

    def __init__(self, host: HostTarget) -> None:
        self._host = host
        self._link: Link | None = None
        self._pending: Pending | None = None
        self._reply: Reply | None = None

    def start(self) -> None:
        if self._pending is not None:
            return
        log = self._host.folder / "patient-write-sim.log"
        self._link = link = self._host.new_link(log, vq_size=64, options=STRICT)
        self._pending = block_a_writer(link, self.WORKER)

    def ready(self) -> bool:
        if self._reply is None and self._pending is not None:
            self._reply = self._pending.poll()
        return self._reply is not None

    def finish(self) -> None:
        self.result()

    def result(self) -> Reply:
        """The write's result."""
        self.start()
        assert self._pending is not None
        if not self.ready():
            self._reply = self._pending.wait(GIVE_UP_LIMIT)
        if self._link is not None:
            link, self._link = self._link, None
            link.check_alive()
            link.end()
        assert self._reply is not None
        return self._reply


def block_a_writer(link: Link, worker: int, lost: bool = False) -> Pending:
    """A write() on a descriptor of its own that waits: the remote keeps every send buffer.

    Buffers that are ``lost`` do not even come back when the device is reset.
    """
    filler, other = link.announce(kind="sink"), link.announce(kind="sink")
    filler_fd, waiting = link.open(filler.path), link.open(other.path, "rdwr")
    keep_send_buffers(link, lost)
    link.exhaust(filler_fd)
    return link.agent.begin("write", worker=worker, fd=waiting, data="00")


def keep_send_buffers(link: Link, lost: bool) -> None:
    """Have the remote keep every send buffer from now on, or lose it."""
    if lost:
        link.sim.call("fault_set", name="ring-not-returned", mode="always")
    else:
        link.sim.hold(1)


class PatientSenders:
    """The functions of the in-kernel API that wait 15 s, all at once."""

    #: Workers of the agent that they occupy.
    WORKERS = {"send": 12, "sendto": 13, "send_offchannel": 14}

    def __init__(self, host: HostTarget) -> None:
        self._host = host
        self._link: Link | None = None
        self._kernel: KernelApi | None = None
        self._pending: dict[str, PendingResult] = {}
        self._results: dict[str, Result] | None = None

    def start(self) -> None:
        if self._pending:
            return
        log = self._host.folder / "patient-senders-sim.log"
        self._link = link = self._host.new_link(log, vq_size=32, options=STRICT)
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

    def ready(self) -> bool:
        return bool(self._pending) and all([p.poll() for p in self._pending.values()])

    def finish(self) -> None:
        self.results()

    def results(self) -> dict[str, Result]:
        """Their results by name of the function."""
        if self._results is None:
            self.start()
            assert self._link is not None and self._kernel is not None
            self._results = {v: p.wait(GIVE_UP_LIMIT) for v, p in self._pending.items()}
            self._link.check_alive()
            self._kernel.end()
            self._link.end()
        return self._results

    def _verbs(self, kernel: KernelApi) -> list[str]:
        has = kernel.features()["offchannel"]
        return [verb for verb in self.WORKERS if has or not verb.endswith("offchannel")]


@dataclass(frozen=True)
class Removal:
    """How long a link took to go, and a writer on it to notice."""

    seconds: float
    """Duration of the driver's removal."""
    writer_seconds: float | None
    """From the begin of the removal to the end of the write() that waited, if there was one."""
    writer: Reply | None


class PatientRemoval:
    """The driver is taken off a device while the remote keeps every send buffer.

    Either with a write() that waits for one, or with a channel that the host has announced and
    would withdraw.
    """

    WRITER, REMOVER = 10, 11

    def __init__(self, host: HostTarget, announced: bool) -> None:
        self._host = host
        self._announced = announced
        self._link: Link | None = None
        self._writer: Pending | None = None
        self._removal: Pending | None = None
        self._replies: dict[str, Reply] = {}
        self._result: Removal | None = None

    def start(self) -> None:
        if self._removal is not None:
            return
        # Each of the two has workers of its own.
        writer, remover = (8, 9) if self._announced else (self.WRITER, self.REMOVER)
        log = self._host.folder / f"removal-{'announced' if self._announced else 'writer'}-sim.log"
        self._link = link = self._host.new_link(log, vq_size=16, options=STRICT)
        if self._announced:
            sink = link.announce(kind="sink")
            link.create_device("rpmsg-raw", 0x990, sink.remote)
            filler = link.open(sink.path)
            keep_send_buffers(link, lost=True)
            link.exhaust(filler)
        else:
            self._writer = block_a_writer(link, writer, lost=True)
        name = link.device
        link.forget_device()
        self._removal = link.agent.submit(
            "file_write", worker=remover, path=f"{VIRTIO_DRIVER}/unbind", data=name
        )

    def ready(self) -> bool:
        waiting = {"writer": self._writer, "removal": self._removal}
        for name, pending in waiting.items():
            if pending is not None and name not in self._replies:
                reply = pending.poll()
                if reply is None:
                    return False
                self._replies[name] = reply
        return self._removal is not None

    def finish(self) -> None:
        self.result()

    def result(self) -> Removal:
        """How long it took. Raises GuestWedged when it does not end."""
        if self._result is not None:
            return self._result
        self.start()
        assert self._removal is not None and self._link is not None
        waiting = {"writer": self._writer, "removal": self._removal}
        for name, pending in waiting.items():
            if pending is not None and name not in self._replies:
                self._replies[name] = pending.wait(GIVE_UP_LIMIT)
        removal = self._replies["removal"].expect_success()
        writer = self._replies.get("writer")
        noticed = None if writer is None else float(writer["t1"] - removal["t0"]) / 1e9
        self._link.sim.call("fault_clear")
        self._link.bind()
        self._link.check_alive()
        self._link.end()
        self._result = Removal(removal.seconds, noticed, writer)
        return self._result


class Reboot:
    """The guest starts again with a device in it, which it then has from its boot on."""

    def __init__(self, host: HostTarget) -> None:
        self._host = host
        self._link: Link | None = None
        self._outcome: Exception | None = None
        self._done = False

    def start(self) -> None:
        if self._link is not None:
            return
        if not self._host.bundle.devices_at_boot:
            raise NotApplicable(
                f"guest {self._host.bundle.name} must load a module before it has a device, and after a "
                "start with one that comes too late"
            )
        log = self._host.folder / "reboot-sim.log"
        self._link = link = self._host.new_link(log, options=STRICT)
        link.announce(addr=1024)
        link.sim.wait_event("driver_ok")
        link.forget_device()
        link.guest.begin_reboot()

    def ready(self) -> bool:
        return self._link is not None and self._link.guest.agent.greeted

    def finish(self) -> None:
        try:
            self.result()
        except Exception as error:  # told where a case asks for it
            self._outcome = error

    def result(self) -> Link:
        """The link, after the guest started again and has used it. Raises what went wrong."""
        if self._outcome is not None:
            raise self._outcome
        self.start()
        assert self._link is not None
        if not self._done:
            link = self._link
            link.guest.await_reboot(REBOOT_LIMIT)
            ready = link.sim.wait_events(2, "driver_ok", timeout=20.0)[-1]
            expect_equal("buffers at the second DRIVER_OK", ready["queues"], [link.buffers, 0])
            channel = link.channel("rpmsg-raw", 1024)
            fd = link.open(channel.path)
            link.agent.write(fd, b"started again").expect_success()
            expect_equal("echo", link.agent.receive(fd), b"started again")
            link.check_alive()
            link.end()
            self._done = True
        return self._link


class Beside:
    """The guest of the long waits, and which of them a run wants."""

    def __init__(self, host: HostTarget) -> None:
        # Without hot-plug every link has a guest of its own anyway.
        self.host = host if host.cold else host.another("long waits")
        self.write = PatientWrite(self.host)
        self.senders = PatientSenders(self.host)
        self.removal_with_writer = PatientRemoval(self.host, announced=False)
        self.removal_with_announcement = PatientRemoval(self.host, announced=True)
        self.reboot = Reboot(self.host)
        self._wanted: list[LongWait] = []
        self._started: list[LongWait] = []
        self._unfinished: list[LongWait] = []

    def want(self, waits: list[LongWait]) -> None:
        """Boot the guest for these, in this order; the last ones may need the first ones' end."""
        self._wanted = waits
        if waits and not self.host.cold:
            self.host.begin_boot()

    def step(self) -> None:
        """Start what can be started and finish what has ended, without waiting for anything."""
        if not self._wanted and not self._unfinished:
            return
        if self.host.cold or not self.host.booted:
            return
        try:
            self._step()
        except START_TROUBLE:
            # It starts again, and reports, where a case asks for its result.
            self._wanted.clear()
            self._unfinished.clear()

    def _step(self) -> None:
        for wait in list(self._unfinished):
            if wait.ready():
                self._unfinished.remove(wait)
                wait.finish()
        for wait in list(self._wanted):
            # A guest that starts again takes everything along that is under way.
            if wait is self.reboot and (self._unfinished or self._wanted[0] is not wait):
                continue
            self._wanted.remove(wait)
            with processes.outliving():
                wait.start()
            self._unfinished.append(wait)

    def complete(self, wait: LongWait) -> None:
        """Finish what has to be over before ``wait`` may start."""
        if wait is self.reboot:
            for other in [*self._unfinished, *self._wanted]:
                if other is not wait:
                    other.finish()


Wanted = Callable[[Beside], LongWait]

#: Names of the fixtures of conformance/host that need a long wait, in the order of their start.
FIXTURES: dict[str, Wanted] = {
    "senders_given_up": lambda beside: beside.senders,
    "given_up": lambda beside: beside.write,
    "removal_with_writer": lambda beside: beside.removal_with_writer,
    "removal_with_announcement": lambda beside: beside.removal_with_announcement,
    "rebooted": lambda beside: beside.reboot,
}
