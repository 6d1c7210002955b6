# SPDX-License-Identifier: BSD-2-Clause
"""One warm guest and the devices beside it: rounds of plug, attack, probe and unplug.

Several devices go through a round side by side, since most of what it costs is waiting for one
another: requests to the guest's agent and to QEMU are sent without waiting for the one before.
Another device, the bystander, is plugged for as long as the guest lives, and never attacks.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rpmsg_conformance.expect import GuestDied, GuestWedged, Unmet
from rpmsg_conformance.guest import Bundle, Device, Guest, Plugged
from rpmsg_conformance.jsonlines import ConnectionLost
from rpmsg_conformance.kernel_log import complaints
from rpmsg_conformance.qmp import QmpError

from fuzz.tools.host.device import Devices
from fuzz.tools.host.known import PAYLOAD_MAX
from fuzz.tools.host.signature import as_log
from fuzz.tools.host.user import User

#: Entries of a ring. Few, so that a list of some operations goes round it.
RING = 16

#: Seconds, before scaling: for a channel to come, also where it need not, for the bystander to answer, for
#: an attack to be over, for the driver to be ready, and for a device to be removed.
CHANNEL_SECONDS = 2.0
DEAF_SECONDS = 0.1
BYSTANDER_SECONDS = 10.0
ATTACK_SECONDS = 10.0
READY_SECONDS = 1.0
REMOVE_SECONDS = 25.0

#: Lines of the console that are kept.
CONSOLE_LINES = 400

#: After so many seconds a kernel that watches for them complains of a task that hangs.
HUNG_FILE = "/proc/sys/kernel/hung_task_timeout_secs"
HUNG_SECONDS = 4

#: How a guest is lost. Where it is noticed that one hangs is chance, and goes into the detail only.
DIED = "guest died"
HANGS = "guest hangs"

#: What the bystander says.
ALIVE = b"alive?"


@dataclass
class Seen:
    """What became of one list."""

    skipped: int = 0  #: operations for which the guest gave no buffer
    refused: bool = False  #: its driver did not take the device
    deaf: bool = False  #: a fresh channel was not made, or does not answer
    leaked: int = 0  #: bytes of the longest message that is none


@dataclass
class Round:
    """What became of lists that were carried out side by side."""

    seen: list[Seen]
    log: list[str] = field(default_factory=list)  #: lines of the kernel's log
    lost: str | None = None  #: how the guest was lost, in a few words that go into a signature
    detail: str = ""
    seconds: dict[str, float] = field(default_factory=dict)  #: by phase


class Lost(Exception):
    """The guest is of no use any more."""

    def __init__(self, how: str, detail: str) -> None:
        super().__init__(f"{how}: {detail}")
        self.how = how
        self.detail = detail


class Rig:
    """A guest with ``width`` devices to attack, once boot() has returned."""

    def __init__(
        self, bundle: Bundle, qemu: Path, program: Path, folder: Path, width: int, factor: float = 1.0
    ) -> None:
        self.width = width
        self.folder = folder
        self._factor = factor
        folder.mkdir(parents=True, exist_ok=True)
        self.devices = Devices(program, width + 1, folder / "device.log")
        self.guest = _Guest(bundle, qemu, folder, max(factor, 1.0), ports=width + 1, transcript=False)
        self._serial = 0
        self._address = 0x100000
        self._mark: int | None = None
        self._bystander = -1
        self._watches = False
        self.user = User(self.guest.agent)

    def boot(self) -> None:
        """Wait for the guest, and plug the bystander. Raises TargetUnreachable, Lost."""
        self.guest.await_boot()
        self.guest.open_slots()
        self.guest.agent.scale_timeouts(self._factor)
        number = self.width
        self._plug([number])
        address = self._next_address()
        self.devices.ask("announce", number, address)
        path = self._channels([(number, address)], [5 * CHANNEL_SECONDS])[0]
        if path is None:
            raise Lost(HANGS, "the guest made none for the bystander, which is polite")
        self._bystander = self.guest.agent.open(path)
        reply = self.guest.agent.write_file(HUNG_FILE, str(HUNG_SECONDS))
        self._watches = reply.ok
        self._read_log()

    def speak_up(self) -> None:
        """Have the kernel write all of its log to the console, which takes long, and outlives it."""
        self.guest.agent.write_file("/proc/sys/kernel/printk", "8")

    def run(self, lists: Sequence[bytes], deaf: Sequence[bool]) -> Round:
        """One round for each of the lists, side by side; at most ``width`` of them.

        A link that may as well be ``deaf`` afterwards is not waited for long.
        """
        result = Round([Seen() for _ in lists])
        try:
            self._run(lists, deaf, result)
        except Lost as error:
            result.lost, result.detail = error.how, error.detail
        except (GuestDied, ConnectionLost) as error:
            result.lost, result.detail = DIED, str(error)
        except (GuestWedged, Unmet) as error:
            result.lost, result.detail = HANGS, str(error)
        except QmpError as error:
            result.lost, result.detail = "QEMU refuses", str(error)
        if result.lost is not None and not self.guest.alive:
            result.lost = DIED
        return result

    def last_words(self, wait: bool) -> list[str]:
        """What the console of a guest that was lost says, as lines of a kernel's log.

        With ``wait`` a kernel that looks for tasks that hang is given the time to find one.
        """
        started = len(self.guest.console_tail(CONSOLE_LINES))
        if wait and self._watches and self.guest.alive:
            deadline = time.monotonic() + 2.5 * HUNG_SECONDS
            while time.monotonic() < deadline:
                lines = self.guest.console_tail(CONSOLE_LINES)
                if any("Call Trace" in line for line in lines[started:]):
                    break
                if not self.guest.alive:
                    break
                time.sleep(0.25)
        return [as_log(line) for line in self.guest.console_tail(CONSOLE_LINES)]

    def stop(self) -> None:
        """End the guest and the devices."""
        self.guest.stop()
        self.devices.stop()

    def _run(self, lists: Sequence[bytes], deaf: Sequence[bool], result: Round) -> None:
        numbers = list(range(len(lists)))
        clock = _Clock(result.seconds)
        for number, data in zip(numbers, lists, strict=True):
            self.devices.forget(number)
            self.devices.ask("load", number, data.hex())
        plugged = self._plug(numbers)
        # The probe ran when the bus was scanned: what is not ready soon was refused.
        for number in numbers:
            result.seen[number].refused = not self.devices.await_word(number, "ready", READY_SECONDS * self._factor)
        live = [number for number in numbers if not result.seen[number].refused]
        clock.lap("plug")
        wanted = [(number, self._next_address()) for number in live]
        for number, address in wanted:
            self.devices.ask("announce", number, address)
        paths = dict(zip(live, self._channels(wanted, [CHANNEL_SECONDS] * len(wanted)), strict=True))
        self.user.begin(paths)
        clock.lap("channel")
        for number in live:
            self.devices.ask("start", number)
        for number in live:
            self._attack(number, result.seen[number])
        clock.lap("attack")
        for number, longest in self.user.read_all().items():
            result.seen[number].leaked = longest if longest > PAYLOAD_MAX else 0
        self._probe(live, deaf, result)
        self.user.end()
        clock.lap("probe")
        self._check_bystander()
        clock.lap("bystander")
        self._unplug(plugged)
        clock.lap("unplug")
        result.log = self._read_log()
        if complaints(result.log):
            # One that is still being written has an end, too.
            self.guest.agent.call("ping")
            result.log += self._read_log()
        clock.lap("log")

    def _attack(self, number: int, seen: Seen) -> None:
        deadline = time.monotonic() + ATTACK_SECONDS * self._factor
        while (left := deadline - time.monotonic()) > 0:
            words = self.devices.told(number, left)
            if words is None:
                break
            if words[0] == "user":
                self.user.act(number, int(words[1]), int(words[2]))
                self.devices.ask("answered", number)
            elif words[0] == "done":
                seen.skipped = int(words[1])
                return
            elif words[0] == "gone":
                raise Lost(DIED, f"QEMU let go of device {number} during the attack")
        raise Lost(HANGS, f"device {number} had not done its list in time")

    def _probe(self, numbers: Sequence[int], deaf: Sequence[bool], result: Round) -> None:
        """Whether a fresh channel comes and answers, on each link that was attacked."""
        wanted = [(number, self._next_address()) for number in numbers]
        for number, address in wanted:
            self.devices.ask("announce", number, address)
        agent = self.guest.agent
        seconds = [DEAF_SECONDS if deaf[number] else CHANNEL_SECONDS for number in numbers]
        paths = self._channels(wanted, seconds)
        opened = [
            (number, agent.submit("open", path=path, flags=["rdwr", "nonblock"]))
            for number, path in zip(numbers, paths, strict=True)
            if path is not None
        ]
        answered = []
        waits = []
        for number, pending in opened:
            reply = pending.wait()
            if reply.ok:
                fd = int(reply["fd"])
                agent.submit("write", fd=fd, data=ALIVE.hex())
                timeout = DEAF_SECONDS if deaf[number] else CHANNEL_SECONDS
                agent.submit("poll", fds=[fd], events=["in"], timeout_ms=self._ms(timeout))
                waits.append((number, agent.submit("read", fd=fd, len=70000)))
                agent.submit("close", fd=fd)
        for number, pending in waits:
            reply = pending.wait()
            if reply.ok and bytes.fromhex(reply["data"]) == ALIVE:
                answered.append(number)
        for number in numbers:
            result.seen[number].deaf = number not in answered

    def _check_bystander(self) -> None:
        agent = self.guest.agent
        self._serial += 1
        text = b"%s %d" % (ALIVE, self._serial)
        written = agent.submit("write", fd=self._bystander, data=text.hex())
        timeout = self._ms(BYSTANDER_SECONDS)
        agent.submit("poll", fds=[self._bystander], events=["in"], timeout_ms=timeout)
        read = agent.submit("read", fd=self._bystander, len=70000)
        reply = written.wait()
        if not reply.ok:
            raise Lost(HANGS, f"the bystander's channel: {reply.describe()}")
        reply = read.wait(10)
        if not reply.ok:
            raise Lost(HANGS, f"the bystander's channel: {reply.describe()}")
        if bytes.fromhex(reply["data"]) != text:
            raise Lost("another link gets other bytes", f"sent {text!r}, read {reply['data'][:200]}")

    def _plug(self, numbers: Sequence[int]) -> list[Plugged]:
        return self.guest.plug_all([(n, Device(self.devices.path(n), RING)) for n in numbers])

    def _unplug(self, plugged: Sequence[Plugged]) -> None:
        try:
            self.guest.unplug_all(plugged)
        except GuestWedged as error:
            raise Lost(HANGS, f"removal: {error}") from error

    def _next_address(self) -> int:
        self._address += 1
        return self._address

    def _ms(self, seconds: float) -> int:
        return int(seconds * 1000 * self._factor)

    def _channels(
        self, wanted: Sequence[tuple[int, int]], seconds: Sequence[float]
    ) -> list[str | None]:
        """Character devices of the channels to these addresses; None where none comes in time."""
        agent = self.guest.agent
        asked = [
            agent.submit(
                "wait_path",
                path=f"/sys/bus/rpmsg/devices/virtio*.rpmsg-raw.-1.{address}",
                glob=True,
                timeout_ms=self._ms(limit),
            )
            for (_, address), limit in zip(wanted, seconds, strict=True)
        ]
        # Once it is there the rest follows, whatever the link has become.
        limit = self._ms(CHANNEL_SECONDS)
        found = [pending.wait() for pending in asked]
        folders = [
            agent.submit("wait_path", path=f"{reply['path']}/rpmsg/rpmsg*", glob=True, timeout_ms=limit)
            if reply.ok
            else None
            for reply in found
        ]
        replies = [pending.wait() if pending is not None else None for pending in folders]
        paths = [
            "/dev/" + str(reply["path"]).rsplit("/", 1)[1] if reply is not None and reply.ok else None
            for reply in replies
        ]
        nodes = [
            agent.submit("wait_path", path=path, timeout_ms=limit) if path is not None else None
            for path in paths
        ]
        return [
            path if node is not None and node.wait().ok else None
            for path, node in zip(paths, nodes, strict=True)
        ]

    def _read_log(self) -> list[str]:
        lines, self._mark = self.guest.agent.dmesg(self._mark)
        return lines


class _Guest(Guest):
    """A guest whose devices come and go several at a time."""

    def open_slots(self) -> None:
        """Have the agent keep each slot's register open."""
        self._slots: list[int] = []
        self._offsets: list[int] = []
        self._off: list[bytes] = []
        self._on: list[bytes] = []
        self._behind: dict[int, list[str]] = {}
        for port in range(self._ports):
            offset, on, off = self.slot_control(port)
            self._slots.append(self.agent.open(f"{self.port_folder(port)}/config", "rdwr"))
            self._offsets.append(offset)
            self._on.append(on)
            self._off.append(off)

    def plug_all(self, devices: Sequence[tuple[int, Device]]) -> list[Plugged]:
        """Plug devices into ports of these numbers."""
        plugged = []
        for port, device in devices:
            number = self._next_device
            self._next_device += 1
            made = Plugged(port, f"rpmsg{number}", f"sim{number}")
            unix = {"type": "unix", "data": {"path": str(device.socket_path)}}
            backend = {"type": "socket", "data": {"addr": unix, "server": False}}
            self.qmp.execute("chardev-add", {"id": made.chardev, "backend": backend})
            self.qmp.execute(
                "device_add",
                {
                    "driver": self.bundle.device,
                    "id": made.id,
                    "bus": f"port{port}",
                    "chardev": made.chardev,
                    **device.options,
                },
            )
            plugged.append(made)
        for port, _ in devices:
            self._switch(port, self._on[port])
        scans = [
            self.agent.submit("file_write", path=self._rescan_file(port), data="1") for port, _ in devices
        ]
        for scan in scans:
            scan.wait().expect_success()
        for port, _ in devices:
            if port not in self._behind:
                self._behind[port] = self._devices_behind(port)
        return plugged

    def unplug_all(self, plugged: Sequence[Plugged]) -> None:
        """Have the guest remove these devices, and take them from QEMU."""
        removals = [
            self.agent.submit("file_write", path=f"/sys/bus/pci/devices/{name}/remove", data="1")
            for device in plugged
            for name in self._behind[device.port]
        ]
        for removal in removals:
            removal.wait(REMOVE_SECONDS)
        mark = self.qmp.mark()
        for device in plugged:
            self.qmp.execute("device_del", {"id": device.id})
            self._switch(device.port, self._off[device.port])
        for device in plugged:
            if self.qmp.wait_event("DEVICE_DELETED", REMOVE_SECONDS, mark, device=device.id) is None:
                raise GuestWedged(f"QEMU did not let go of {device.id}")
        for device in plugged:
            self.qmp.execute("chardev-remove", {"id": device.chardev})

    def _switch(self, port: int, value: bytes) -> None:
        self.agent.submit("write", fd=self._slots[port], data=value.hex(), offset=self._offsets[port])


class _Clock:
    """Adds up the time between laps."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self._seconds[name] = self._seconds.get(name, 0.0) + now - self._last
        self._last = now
