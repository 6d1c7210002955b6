# SPDX-License-Identifier: BSD-2-Clause
"""A Linux guest in QEMU with its agent, against rpmsg-sim."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rpmsg_conformance.agent import Pending, Reply
from rpmsg_conformance.expect import GuestDied, GuestWedged, TargetUnreachable, Unmet
from rpmsg_conformance.guest import BOOT_SECONDS, Bundle, Guest
from rpmsg_conformance.link import CHAR_CHANNEL, Link
from rpmsg_conformance.sim import RpcError, SimulatorError
from rpmsg_conformance.soak.counts import Totals
from rpmsg_conformance.soak.path import LinkPath, SoakFailure
from rpmsg_conformance.soak.plan import Event, Kind
from rpmsg_conformance.soak.resources import LIMITS, Usage

#: What is done to the link; those below reboot leave the guest's kernel running.
KINDS = (
    Kind("hold", 4, queue=True, milliseconds=(5, 200), seconds=0.3),
    Kind("withdraw", 3, seconds=0.5),
    Kind("unbind", 3, seconds=0.8),
    Kind("unplug", 3, seconds=1.0),
    Kind("crash", 3, seconds=1.0),
    Kind("kill-remote", 2, ends_process=True, seconds=1.5),
    Kind("reboot", 1, seconds=15.0),
)

#: For runs that are over before a guest has rebooted twice.
SHORT_KINDS = tuple(kind for kind in KINDS if kind.name != "reboot")
REBOOT_FROM_SECONDS = 90.0

#: Messages on their way; a guest has 256 buffers.
WINDOW = 64

#: Milliseconds of traffic in one request to the agent, and until it is broken into.
TURN_MS = 300
BREAK_INTO_SECONDS = 0.05

#: Milliseconds without an echo after which the agent gives up; longer than any hold.
SILENT_MS = 5000

#: Seconds for an answer of the agent beyond what it was asked to do.
PATIENCE = 60.0

#: MiB that QEMU may keep of translated code, and how much more private memory (KiB) it may have at the
#: end: a guest that starts again is translated again, until that room is full.
TRANSLATED_MIB = 32
QEMU_LIMITS = Usage(rss=0, private=(TRANSLATED_MIB + 16) * 1024, descriptors=2, mappings=16)

#: Guests' parts of /proc/meminfo that go into the report, in kB.
MEMINFO = ("MemFree", "Slab")

GUEST_TROUBLE = (Unmet, GuestDied, GuestWedged, TargetUnreachable, SimulatorError, RpcError)


def with_bounded_translation(bundle: Bundle) -> Bundle:
    """The same guest in a QEMU whose translated code has a bound."""
    machine = [f"tcg,tb-size={TRANSLATED_MIB}" if word == "tcg" else word for word in bundle.machine]
    return replace(bundle, machine=tuple(machine))


class GuestPath(LinkPath):
    """The path through a Linux guest."""

    gap = (0.5, 5.0)

    def __init__(
        self,
        bundle: Bundle,
        qemu: Path,
        programs: Path,
        folder: Path,
        seconds: float,
        seed: int,
        late: float,
        sim_options: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.name = f"guest {bundle.name}"
        self.kinds = KINDS if seconds >= REBOOT_FROM_SECONDS else SHORT_KINDS
        self._bundle = with_bounded_translation(bundle)
        self._qemu = qemu
        self._programs = programs
        self._folder = folder
        self._options = ("--log-level", "error", "--seed", str(seed % 2**32), *sim_options)
        self._late_ms = int(late * 1000)
        self._totals = Totals()
        self._next = 0
        self._guest: Guest | None = None
        self._link: Link | None = None
        self._remote = 0
        self._fd = -1
        self._max_us = 0
        self._meminfo: list[dict[str, int]] = []

    @property
    def guest(self) -> Guest:
        """The guest that runs."""
        assert self._guest is not None
        return self._guest

    @property
    def link(self) -> Link:
        """Its link."""
        assert self._link is not None
        return self._link

    def start(self) -> None:
        """See LinkPath."""
        self._guest = Guest(self._bundle, self._qemu, self._folder / "guest")
        self._guest.await_boot()
        self.notes["guest"] = self._guest.kernel_release
        self.notes["boot_seconds"] = round(self._guest.boot_seconds, 1)
        self.born("qemu", self._guest.pid, QEMU_LIMITS)
        self._checked("start", self._new_link)
        self._note_memory()

    def wait(self, until: float) -> None:
        """See LinkPath; in turns of TURN_MS."""
        while time.monotonic() < until:
            left = int((until - time.monotonic()) * 1000)
            self._checked("traffic", lambda: self._account(self._traffic(min(TURN_MS, left + 1))))

    def totals(self) -> Totals:
        """See LinkPath."""
        return self._totals

    def do(self, event: Event) -> None:
        """See LinkPath."""
        name = event.kind.name.replace("-", "_")
        action: Callable[[Event], None] = getattr(self, f"_do_{name}")
        self._checked(event.kind.name, lambda: action(event))

    def finish(self) -> None:
        """See LinkPath."""
        self._checked("end", lambda: self._account(self._traffic(1)))
        self._note_memory()
        self.notes["echo_max_ms"] = round(self._max_us / 1000, 1)
        self.notes["guest_memory_kb"] = {
            name: [entry.get(name, 0) for entry in self._meminfo] for name in MEMINFO
        }
        link, self._link = self.link, None
        self._checked("end", link.end)
        if link.exit_status != 0:
            self.problems.append(f"rpmsg-sim ended with status {link.exit_status}")

    def close(self) -> None:
        """See LinkPath."""
        if self._link is not None:
            self._link.abandon()
        if self._guest is not None:
            self._guest.stop()

    # ---- what is done ----

    def _do_hold(self, event: Event) -> None:
        pending = self._traffic(TURN_MS + event.milliseconds)
        self._run_for(BREAK_INTO_SECONDS)
        self.link.sim.hold(event.queue)
        self._run_for(event.milliseconds / 1e3)
        self.link.sim.release(event.queue)
        self._account(pending)

    def _do_withdraw(self, event: Event) -> None:
        def act() -> None:
            self.link.sim.withdraw(CHAR_CHANNEL, self._remote)

        self._break_into(act)
        self.link.close_all()
        self._announce()

    def _do_unbind(self, event: Event) -> None:
        self._break_into(self.link.unbind)
        self.link.close_all()
        self.link.bind()
        self._open_again()

    def _do_unplug(self, event: Event) -> None:
        self._break_into(self.link.unplug)
        self.link.close_all()
        self.link.plug()
        self._open_again()

    def _do_crash(self, event: Event) -> None:
        def act() -> None:
            self.link.crash()
            self.link.unplug()

        self._break_into(act)
        self.link.close_all()
        self.link.plug()
        self._open_again()

    def _do_kill_remote(self, event: Event) -> None:
        def act() -> None:
            os.kill(self.link.simulator.pid, signal.SIGKILL)
            self.link.unplug()

        self._break_into(act)
        self.link.close_all()
        self.link.abandon()
        self._link = None
        self._new_link()

    def _do_reboot(self, event: Event) -> None:
        pending = self._traffic(TURN_MS)
        self._run_for(BREAK_INTO_SECONDS)
        self.link.forget_device()
        self.guest.begin_reboot()
        self.guest.await_reboot(BOOT_SECONDS)
        # The turn that it broke into told nobody how far it came: its numbers are left out.
        del pending
        self._next += 1 << 32
        self.link.forget_files()
        self._open_again()
        self._note_memory()

    # ---- parts of it ----

    def _new_link(self) -> None:
        log = self._folder / "rpmsg-sim.log"
        program = self._programs / "rpmsg-sim"
        self._link = Link(self.guest, program, log, options=self._options, plug=False)
        # Thousands of messages a second are more than a control socket should have to tell.
        self._link.sim.subscribe_to_little()
        self.born("rpmsg-sim", self._link.simulator.pid)
        self._link.plug()
        self._announce()

    def _announce(self) -> None:
        channel = self.link.announce()
        self._remote = channel.remote
        self._fd = self.link.open(channel.path)

    def _open_again(self) -> None:
        """The channel of the service that stayed, on a device that is new to the guest."""
        channel = self.link.channel(CHAR_CHANNEL, self._remote, timeout=20.0)
        self._fd = self.link.open(channel.path)

    def _traffic(self, ms: int) -> Pending:
        return self.link.agent.submit(
            "traffic",
            worker=1,
            fd=self._fd,
            ms=ms,
            first=self._next,
            window=WINDOW,
            timeout_ms=SILENT_MS,
            late_ms=self._late_ms,
        )

    def _run_for(self, seconds: float) -> None:
        """Let the traffic run: how long is part of the plan, and nothing tells when it is over."""
        time.sleep(seconds)

    def _break_into(self, act: Callable[[], None]) -> None:
        pending = self._traffic(2 * TURN_MS)
        self._run_for(BREAK_INTO_SECONDS)
        act()
        self._account(pending, broken_off=True)

    def _account(self, pending: Pending, broken_off: bool = False) -> None:
        reply = pending.wait(PATIENCE).expect_success()
        missing, ended = int(reply["missing"]), str(reply["ended"])
        self._next += int(reply["sent"])
        self._max_us = max(self._max_us, int(reply["max_us"]))
        counts = {name: int(reply[name]) for name in _COUNTS}
        counts["in_flight" if broken_off else "lost"] = missing + (
            0 if broken_off else counts["lost"]
        )
        self._totals.add({"echo": counts})
        if ended != "time" and not broken_off:
            self.problems.append(f"traffic ended with {ended}, {missing} echoes missing")
            if ended != "ETIMEDOUT":
                raise SoakFailure(f"the guest's channel is gone ({ended}), and nobody broke it")

    def _note_memory(self) -> None:
        reply: Reply = self.guest.agent.call("meminfo")
        self._meminfo.append({name: int(reply[name]) for name in MEMINFO})

    def _checked(self, what: str, action: Callable[[], object]) -> None:
        try:
            action()
        except GUEST_TROUBLE as error:
            if isinstance(error, TargetUnreachable):
                raise
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise SoakFailure(f"{what}: {reason}; {self.guest.describe_end()}") from error


_COUNTS = ("sent", "received", "lost", "doubled", "reordered", "damaged", "late")
