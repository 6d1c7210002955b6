# SPDX-License-Identifier: BSD-2-Clause
"""The target of ``rpmsg-conform host``: a Linux guest, booted when needed, replaced when damaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from rpmsg_conformance import capture, processes, sim_trace
from rpmsg_conformance.expect import Blocked, GuestDied, GuestWedged, NotApplicable
from rpmsg_conformance.expect import TargetUnreachable, Unmet
from rpmsg_conformance.guest import Bundle, Device, Guest
from rpmsg_conformance.kernel_log import Complaint, complaints
from rpmsg_conformance.link import Link
from rpmsg_conformance.results import CAPTURE, Evidence
from rpmsg_conformance.verdicts import Outcome


#: By how much deadlines grow at most on a machine that has much else to do.
MOST_PATIENCE = 4.0


def patience(load: float, processors: int) -> float:
    """What to multiply deadlines with on a machine of this load average: 1 while it has time for a run.

    A guest, its simulator and the suite take turns, so that together they are about one task of the load.
    """
    return min(MOST_PATIENCE, max(1.0, (load + 1) / processors))


@dataclass
class HostTarget:
    """Where links come from. Boots no guest before the first one is asked for.

    The first exchange over each new guest's first link is part of its boot: what the kernel says
    once in its life it has said before a case begins.
    """

    bundle: Bundle
    qemu: Path
    simulator: Path
    folder: Path
    """Each guest's files go into a folder of its own in here."""
    timeout_factor: float
    say: Callable[[str], None]
    """Tells the user what takes time."""
    role: str = ""
    """What this guest is for, when it is not the one that most cases run on."""
    find_module: Callable[[], Path] | None = None
    """Builds or finds the module of conformance/kmod; None for a guest that has no such thing."""
    module_parameters: str = ""
    """What that module is loaded with."""

    def __post_init__(self) -> None:
        self._module: Path | TargetUnreachable | None = None
        self._guest: Guest | None = None
        self._booted = 0
        self._ready = False
        self._kernel_log_mark: int | None = None
        self._last_words: list[str] = []
        self._others: list[HostTarget] = []
        self._cold_guests: list[Guest] = []
        #: The first link of the present case, once it has one.
        self.case_link: Link | None = None
        #: How many of its events belong to the case; those that follow are the suite's own doing.
        self.case_events: int | None = None
        self.boot_complaints: list[Complaint] = []
        """What the kernels complained of during boot and their first exchange."""
        self.known_complaints: list[tuple[str, str, str]] = []
        """What the baseline explains: requirement, case, and the complaint."""

    def another(self, role: str) -> HostTarget:
        """A further guest of the same kind, beside this one; it ends with this target."""
        other = replace(self, folder=self.folder / role.replace(" ", "-"), role=role)
        self._others.append(other)
        return other

    def begin_boot(self) -> None:
        """Start booting a guest, if there is none, without waiting for it."""
        if self._guest is not None and not self._guest.alive:
            self.discard("it had ended")
        if self._guest is None:
            self._booted += 1
            self._kernel_log_mark = None
            self._ready = False
            what = self.bundle.package or self.bundle.kernel
            role = f" ({self.role})" if self.role else ""
            self.say(f"booting {self.bundle.name}{role}: {what}")
            folder = self.folder / f"guest-{self._booted}"
            with processes.outliving():
                self._guest = Guest(self.bundle, self.qemu, folder, self.timeout_factor)

    @property
    def booted(self) -> bool:
        """Whether guest() would not have to wait for a boot."""
        if self._guest is None or not self._guest.alive:
            return False
        return self._ready or self._guest.agent.greeted

    @property
    def cold(self) -> bool:
        """Whether each link has a guest of its own, for want of hot-plug."""
        return not self.bundle.hot_plug

    def start_guest(self, device: Device) -> Guest:
        """A new guest that has ``device`` from the beginning. Raises TargetUnreachable."""
        self._booted += 1
        self._kernel_log_mark = None
        folder = self.folder / f"guest-{self._booted}"
        with processes.outliving():
            self._guest = Guest(self.bundle, self.qemu, folder, self.timeout_factor, device)
        self._cold_guests.append(self._guest)
        self._guest.await_boot()
        if self._booted == 1:
            self.say(
                f"Linux {self._guest.kernel_release} on QEMU {self._guest.qemu_version}, each device "
                f"in a guest of its own, the first up after {self._guest.boot_seconds:.1f} s"
            )
        self._ready = True
        return self._guest

    def guest(self) -> Guest:
        """A guest that lives; boots one if there is none.

        Raises TargetUnreachable, and Unmet, GuestDied or GuestWedged when its first exchange fails.
        """
        if self.cold:
            raise NotApplicable(
                f"each device of guest {self.bundle.name} has a guest of its own "
                f"(virtio-{self.bundle.transport}, no hot-plug)"
            )
        self.begin_boot()
        assert self._guest is not None
        if not self._ready:
            try:
                self._guest.await_boot()
            except BaseException:
                self._guest = None
                raise
            role = f" ({self.role})" if self.role else ""
            self.say(
                f"Linux {self._guest.kernel_release} on QEMU {self._guest.qemu_version}{role}, "
                f"up after {self._guest.boot_seconds:.1f} s"
            )
            self._ready = True
            self._first_exchange()
        return self._guest

    def discard(self, why: str) -> None:
        """End the guest; the next one that is asked for is a fresh one."""
        if self._guest is not None:
            if not self.cold:
                self.say(f"replacing the guest: {why}")
            self._last_words = self._guest.console_tail()
            self._guest.stop()
            self._guest = None

    def new_link(
        self,
        log: Path,
        vq_size: int = 256,
        services: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
        num_vqs: int = 2,
        plug: bool = True,
    ) -> Link:
        """Plug a fresh simulator into the guest, ``options`` on its command line; it logs to ``log``.

        Without ``plug`` that is left to the caller.
        """
        # A simulator may be there before the first guest, which has a folder of its own in it.
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            return Link(
                self.start_guest if self.cold else self.guest(),
                self.simulator,
                log,
                vq_size=vq_size,
                services=services,
                options=options,
                num_vqs=num_vqs,
                timeout_factor=self.timeout_factor,
                plug=plug,
            )
        except (GuestDied, GuestWedged, Unmet) as error:
            self.discard(str(error))
            raise

    def kernel_module(self) -> Path | None:
        """The module that calls the in-kernel API, for this kernel; None when there can be none.

        Raises Blocked when it cannot be had now.
        """
        if self._module is None and self.find_module is not None:
            try:
                self._module = self.find_module()
            except TargetUnreachable as error:
                self._module = error
        if isinstance(self._module, TargetUnreachable):
            raise Blocked(f"no kernel module for this guest: {self._module}")
        return self._module

    def kernel_log(self) -> list[str]:
        """Lines of the guest's kernel log since the last call; complaints in it are told at once."""
        if self._guest is None or not self.bundle.has_agent:
            return []
        lines, self._kernel_log_mark = self._guest.agent.dmesg(self._kernel_log_mark)
        with (self._guest.folder / "dmesg.txt").open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
        return lines

    def recent_log(self) -> list[str]:
        """What kernel_log() would return; it is returned by that all the same."""
        if self._guest is None:
            return []
        return self._guest.agent.dmesg(self._kernel_log_mark)[0]

    def console_tail(self) -> list[str]:
        """The last lines of the guest's console, also when it has ended."""
        return self._guest.console_tail() if self._guest is not None else self._last_words

    def evidence(self, outcome: Outcome, folder: Path | None) -> Evidence:
        """See pytest_plugin.Target: what the simulator of the case's link saw."""
        if self.case_link is None:
            return Evidence([])
        events = self.case_link.sim.history()
        late = events[self.case_events :] if self.case_events is not None else []
        if outcome is Outcome.UNMET and all(event.type != "violation" for event in late):
            events = events[: self.case_events]
        messages = sim_trace.lines(events)
        if not messages or folder is None:
            return Evidence(messages)
        capture.write(folder / CAPTURE, list(sim_trace.packets(events)))
        return Evidence(messages, CAPTURE)

    def sanity(self) -> str | None:
        """One exchange over a link of its own; None, or what went wrong.

        Raises TargetUnreachable when no guest can be booted.
        """
        try:
            if not self.cold:
                self.guest()
            self._exchange(self.folder / "sanity-sim.log")
        except (Unmet, GuestDied, GuestWedged) as error:
            self.discard("the sanity exchange failed")
            tail = "".join(f"\n    {line}" for line in self._last_words)
            return f"{error}\n  last lines of the console:{tail or ' (nothing)'}"
        return None

    def describe(self) -> dict[str, str]:
        """What was tested, for the report."""
        described = {
            "guest": self.bundle.name,
            "package": f"{self.bundle.package} {self.bundle.package_version}".strip(),
            "kernel": self.bundle.kernel_release,
            "arch": self.bundle.arch,
            "transport": f"virtio-{self.bundle.transport}",
        }
        if self._guest is not None and self._ready:
            described["kernel"] = self._guest.kernel_release
            described["qemu"] = self._guest.qemu_version
        return described

    def close(self) -> None:
        """End the guest, and those beside it."""
        for other in self._others:
            other.close()
        for guest in [*self._cold_guests, *([self._guest] if self._guest is not None else [])]:
            guest.stop()
        self._cold_guests.clear()
        self._guest = None

    def _exchange(self, log: Path) -> None:
        link = self.new_link(log)
        link.check_alive()
        link.end()
        if self.cold:
            self.discard("the exchange is over")

    def _first_exchange(self) -> None:
        """The exchange that belongs to the boot. Raises Unmet, GuestDied and GuestWedged."""
        try:
            self._exchange(self.folder / "boot-sim.log")
        except (Unmet, GuestDied, GuestWedged) as error:
            self.discard(f"its first exchange failed: {error}")
            raise
        self.boot_complaints += complaints(self.kernel_log())
