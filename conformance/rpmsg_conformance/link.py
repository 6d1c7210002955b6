# SPDX-License-Identifier: BSD-2-Clause
"""A link: one rpmsg-sim, plugged into a running guest as a device of its own."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rpmsg_conformance import processes
from rpmsg_conformance.agent import AgentClient, Pending, Reply
from rpmsg_conformance.expect import GuestDied, GuestWedged, Unmet, expect_equal
from rpmsg_conformance.guest import BOOT_SECONDS, UNPLUG_SECONDS, Device, Guest, Plugged
from rpmsg_conformance.qmp import QmpError
from rpmsg_conformance.sim import RpcError, Simulator, SimulatorError

RPMSG_DEVICES = "/sys/bus/rpmsg/devices"
VIRTIO_DRIVER = "/sys/bus/virtio/drivers/virtio_rpmsg_bus"
RPMSG_CLASS = "/sys/class/rpmsg"

#: Seconds for QEMU to notice the end of a back-end; there is no event to await.
CRASH_SECONDS = 20.0

#: Linux gives a character device to channels of this name by itself.
CHAR_CHANNEL = "rpmsg-raw"

#: How many write() of exhaust() the agent is told at once.
WRITES_AT_ONCE = 16

#: VIRTIO_RPMSG_F_NS: the remote announces its services.
RPMSG_F_NS = 1

#: Destination address that Linux prints for "any".
ADDRESS_ANY = 0xFFFFFFFF

#: Bytes of the default buffer, its header, and what is left for a payload (protocol, 1.7).
BUFFER_SIZE = 512
HEADER_SIZE = 16
PAYLOAD_MAX = BUFFER_SIZE - HEADER_SIZE

#: Linux allocates this many buffers a direction at most, however long the ring is.
LINUX_BUFFERS_MAX = 256


@dataclass(frozen=True)
class Channel:
    """A channel with a character device in the guest."""

    name: str
    remote: int
    """Address of the service on the simulated remote."""
    local: int
    """Address of the guest's endpoint."""
    device: str
    """Name on the guest's rpmsg bus."""
    path: str
    """Character device in the guest."""


#: Starts a guest that has the device from the beginning, and waits for its agent.
StartGuest = Callable[[Device], Guest]


class Link:
    """A fresh simulator and its device in the guest, from plug to unplug."""

    def __init__(
        self,
        guest: Guest | StartGuest,
        program: Path,
        log: Path,
        vq_size: int = 256,
        services: Sequence[str] = (),
        options: Sequence[str] = (),
        num_vqs: int = 2,
        timeout_factor: float = 1.0,
        plug: bool = True,
    ) -> None:
        if isinstance(guest, Guest):
            self.guest = guest
        self._start_guest = None if isinstance(guest, Guest) else guest
        self.vq_size = vq_size
        self._num_vqs = num_vqs
        self._open: list[int] = []
        self._device: str | None = None
        self._plugged: Plugged | None = None
        self._exit_status: int | None = None
        self._dismissed = False
        self._unbound = False
        self._folder = processes.temporary_folder()
        self._simulator: Simulator | None = None
        try:
            self._simulator = Simulator(
                program, self._folder, log, services, options, timeout_factor=timeout_factor
            )
            self.sim = self._simulator.control
            if plug:
                self.plug()
        except BaseException:
            self._drop_simulator()
            raise

    @property
    def simulator(self) -> Simulator:
        """The process at the other end. Raises SimulatorError after end()."""
        if self._simulator is None:
            raise SimulatorError("the link has ended, and its simulator with it")
        return self._simulator

    @property
    def exit_status(self) -> int | None:
        """How the simulator's process ended; None before end(), and when it had to be killed."""
        return self._exit_status

    @property
    def agent(self) -> AgentClient:
        """The guest's agent."""
        return self.guest.agent

    @property
    def buffers(self) -> int:
        """Buffers a direction that a host of the Linux family has on this ring."""
        return min(self.vq_size, LINUX_BUFFERS_MAX)

    @property
    def device(self) -> str:
        """The device's name on the guest's virtio bus. Raises Unmet when its driver is not ready."""
        if self._device is None:
            self.sim.wait_event(
                "driver_ok", since=self._mark, expected="the guest's driver sets DRIVER_OK"
            )
            self._device = self.virtio_device
        return self._device

    @property
    def virtio_device(self) -> str:
        """The device's name on the guest's virtio bus, whatever has become of its driver. Unmet."""
        name = self.guest.virtio_device(self.plugged)
        if name is None:
            raise Unmet("the plugged device is on the guest's virtio bus", "it is not")
        return name

    @property
    def plugged(self) -> Plugged:
        """The device in QEMU. Raises SimulatorError while it is unplugged."""
        if self._plugged is None:
            raise SimulatorError("the device is unplugged")
        return self._plugged

    def plug(self, guest: Guest | None = None) -> None:
        """Plug a device of the simulator's into the guest again, after unplug() or removed().

        Or into another guest from now on; of the former nothing is expected any more. Raises
        SimulatorError when QEMU refuses, Unmet, GuestWedged and GuestDied.
        """
        if guest is not None and guest is not self.guest:
            self.guest, self._plugged, self._device, self._open = guest, None, None, []
        self._mark = self.sim.mark()
        device = Device(self.simulator.socket_path, self.vq_size, self._num_vqs)
        if self._start_guest is not None:
            self.guest = self._start_guest(device)
            self._plugged = self.guest.cold_device
            if not self.guest.bundle.has_agent:
                # Nobody else can say when it is up.
                self.sim.wait_event(
                    "driver_ok",
                    since=self._mark,
                    timeout=BOOT_SECONDS,
                    expected="the guest's driver sets DRIVER_OK",
                )
            return
        try:
            self._plugged = self.guest.plug(device)
        except QmpError as error:
            raise SimulatorError(f"{error}; rpmsg-sim: {self.simulator.log_tail()}") from error

    def unplug(self) -> None:
        """Have the guest remove the device, and take it from QEMU; the simulator stays.

        Open files stay open. Raises Unmet, GuestWedged and GuestDied.
        """
        if self._start_guest is not None:
            self.guest.remove_files(self.plugged)
        plugged, self._plugged, self._device = self.plugged, None, None
        self.guest.unplug(plugged)

    def begin_removal(self, worker: int) -> Pending:
        """Have the guest's kernel remove the device, in a worker of the agent: it may take long.

        The caller waits for it, and then calls removed().
        """
        paths = self.guest.remove_files(self.plugged)
        expect_equal("PCI devices behind the link's port", len(paths), 1)
        return self.agent.submit("file_write", worker=worker, path=paths[0], data="1")

    def removed(self) -> None:
        """Take the device from QEMU whose removal begin_removal() began and which has ended."""
        plugged, self._plugged, self._device = self.plugged, None, None
        self.guest.take_away(plugged)

    def forget_device(self) -> None:
        """The guest's driver starts anew: the next look at ``device`` waits for its DRIVER_OK."""
        self._mark, self._device = self.sim.mark(), None

    def unbind(self) -> None:
        """Take the virtio driver off the device, by the bus's own file. Raises Unmet."""
        name = self.device
        self.forget_device()
        self._unbound = True
        self.agent.write_file(f"{VIRTIO_DRIVER}/unbind", name).expect_success()

    def bind(self) -> None:
        """Give the virtio driver the device again. Raises Unmet."""
        self._unbound = False
        self.agent.write_file(f"{VIRTIO_DRIVER}/bind", self.virtio_device).expect_success()

    def crash(self) -> None:
        """End the simulator's connection without a word, and wait until QEMU has noticed."""
        self.sim.call("crash")
        deadline = time.monotonic() + CRASH_SECONDS
        while not self._back_end_gone():
            if time.monotonic() > deadline:
                raise SimulatorError(
                    f"QEMU did not notice within {CRASH_SECONDS:g} s that its back-end is gone"
                )
        # What QEMU puts off until its main loop is idle.
        for _ in range(3):
            self.guest.qmp.execute("query-status")

    def _back_end_gone(self) -> bool:
        """Whether QEMU has noticed that the simulator ended the connection."""
        chardevs = self.guest.qmp.execute("query-chardev")["value"]
        names = [c["filename"] for c in chardevs if c["label"] == self.plugged.chardev]
        return bool(names) and names[0].startswith("disconnected")

    def announce(
        self, name: str = CHAR_CHANNEL, kind: str = "echo", addr: int | None = None
    ) -> Channel:
        """Announce a service and wait for its character device in the guest. Raises Unmet."""
        remote = int(self.sim.announce(name, kind, addr)["addr"])
        return self.channel(name, remote)

    def channel(self, name: str, remote: int, timeout: float = 5.0) -> Channel:
        """The channel to the service ``name`` at address ``remote``, once the guest has it.

        Raises Unmet when it has none within ``timeout`` seconds, before scaling.
        """
        device = f"{self.device}.{name}.-1.{remote}"
        folder = f"{RPMSG_DEVICES}/{device}/rpmsg"
        if not self.agent.wait_path(folder, timeout=timeout):
            raise Unmet(
                f"a character device for channel {name} of address {remote}",
                f"no {folder}; channels: {self._channel_names()}",
            )
        node = self.only_entry(folder)
        local = int(self.agent.file_text(f"{RPMSG_DEVICES}/{device}/src"), 0)
        self.agent.expect_path(f"/dev/{node}")
        return Channel(name, remote, local, device, f"/dev/{node}")

    def open(self, path: str, *flags: str) -> int:
        """Open a file of the guest (default: rdwr and nonblock), closed at the link's end."""
        fd = self.agent.open(path, *flags)
        self._open.append(fd)
        return fd

    def close(self, fd: int) -> None:
        """Close a descriptor from open() early."""
        self._open.remove(fd)
        self.agent.close_fd(fd)

    def close_all(self) -> None:
        """Close what is open of open()."""
        for fd in self._open:
            self.agent.try_call("close", fd=fd)
        self._open.clear()

    def forget_files(self) -> None:
        """The agent has started anew: what it had open is gone."""
        self._open.clear()

    def exhaust(self, fd: int, limit: int = 2000) -> tuple[int, Reply]:
        """Write to a non-blocking descriptor until it fails, the remote keeping every buffer.

        Returns how many writes succeeded, and the first failure, once the remote has all the
        messages. Raises Unmet when ``limit`` succeed, or one after a failure.
        """
        mark = self.sim.mark()
        for first in range(0, limit, WRITES_AT_ONCE):
            numbers = range(first, first + WRITES_AT_ONCE)
            # Sent together, since each would wait for the answer to the one before otherwise.
            begun = [
                self.agent.submit("write", fd=fd, data=number.to_bytes(2, "little").hex())
                for number in numbers
            ]
            replies = [write.wait() for write in begun]
            failed = [not reply.ok for reply in replies]
            if not any(failed):
                continue
            count = failed.index(True)
            if not all(failed[count:]):
                raise Unmet("no write() succeeds after one that failed", replies[count].describe())
            self.sim.wait_events(first + count, "message", since=mark)
            return first + count, replies[count]
        raise Unmet("write() fails once the send buffers are used up", f"{limit} succeeded")

    def control_path(self) -> str:
        """The link's /dev/rpmsg_ctrlN. Raises Unmet when there is none."""
        found = [
            name
            for name in self.agent.entries(RPMSG_DEVICES)
            if name.startswith(f"{self.device}.rpmsg_ctrl.")
        ]
        if len(found) != 1:
            raise Unmet("one rpmsg_ctrl device on the link", f"{len(found)}: {found}")
        return "/dev/" + self.only_entry(f"{RPMSG_DEVICES}/{found[0]}/rpmsg")

    def create_endpoint(self, name: str, src: int, dst: int) -> str:
        """Create an endpoint through the control device; returns its name, rpmsgN."""
        before = set(self.agent.entries(RPMSG_CLASS))
        fd = self.open(self.control_path(), "rdwr")
        self.agent.call("rpmsg_create_ept", fd=fd, name=name, src=src, dst=dst)
        self.close(fd)
        made = [node for node in self.agent.entries(RPMSG_CLASS) if node not in before]
        if len(made) != 1 or not re.fullmatch(r"rpmsg\d+", made[0]):
            raise Unmet(f"one new rpmsgN in {RPMSG_CLASS}", f"new entries: {made}")
        self.agent.expect_path(f"/dev/{made[0]}")
        return made[0]

    def create_device(self, name: str, src: int, dst: int) -> Channel:
        """Create a channel through the control device; returns it with its character device."""
        fd = self.open(self.control_path(), "rdwr")
        self.agent.call("rpmsg_create_dev", fd=fd, name=name, src=src, dst=dst)
        self.close(fd)
        shown = [-1 if address == ADDRESS_ANY else address for address in (src, dst)]
        device = f"{self.device}.{name}.{shown[0]}.{shown[1]}"
        folder = f"{RPMSG_DEVICES}/{device}/rpmsg"
        self.agent.expect_path(folder)
        node = self.only_entry(folder)
        local = int(self.agent.file_text(f"{RPMSG_DEVICES}/{device}/src"), 0)
        self.agent.expect_path(f"/dev/{node}")
        return Channel(name, dst, local, device, f"/dev/{node}")

    def only_entry(self, folder: str) -> str:
        """The one name in a folder of the guest, which may be about to get it.

        Raises Unmet when it is not exactly one.
        """
        # A kernel with several processors shows the folder before what is in it.
        self.agent.wait_path(f"{folder}/*", glob=True)
        names = self.agent.entries(folder)
        if len(names) != 1:
            raise Unmet(f"one entry in {folder}", f"{len(names)}: {names}")
        return names[0]

    def check_alive(self) -> None:
        """Show that the guest and the link still serve: a ping, and one echo on a new channel.

        Buffers that the case held are given back first; a device that the case has unplugged is
        plugged again. Raises GuestWedged, GuestDied.
        """
        if not self.guest.bundle.has_agent:
            self._check_without_agent()
            return
        self.agent.call("ping")
        if self._dismissed:
            return
        try:
            if self._plugged is None:
                self.plug()
            elif self._unbound:
                self.bind()
            for queue in (0, 1):
                self.sim.release(queue)
            fd = self.open(self._echo_path())
            self.agent.write(fd, b"alive?").expect_success()
            echo = self.agent.receive(fd)
            self.close(fd)
            if echo != b"alive?":
                raise Unmet("the echo of 'alive?'", repr(echo))
        except Unmet as error:
            raise GuestWedged(f"after the case the link no longer serves: {error}") from error
        except RpcError as error:
            raise SimulatorError(str(error)) from error

    def _check_without_agent(self) -> None:
        """What the wire alone tells: the guest lives, and its driver still has the queues."""
        if not self.guest.alive:
            raise GuestDied(self.guest.describe_end())
        stopped = self.sim.events("queue", state="stopped")
        started = self.sim.events("queue", state="started")
        if len(stopped) >= len(started):
            raise GuestWedged("after the case the guest's driver does not use the device any more")

    def dismiss(self) -> None:
        """Take away a device that its driver refused; the link then counts as unharmed.

        A guest without hot-plug keeps it to its end. Raises Unmet, GuestWedged and GuestDied.
        """
        if self._start_guest is None:
            self.unplug()
        self._dismissed = True

    def _echo_path(self) -> str:
        """A new character device whose other end echoes."""
        assert self.device
        if self.sim.stats()["features"]["acked"] & RPMSG_F_NS:
            return self.announce().path
        remote = int(self.sim.announce(CHAR_CHANNEL)["addr"])
        return f"/dev/{self.create_endpoint('alive', ADDRESS_ANY, remote)}"

    def end(self) -> None:
        """Close what the case opened, unplug the device and end the simulator.

        The events stay readable. Raises Unmet, GuestWedged and GuestDied.
        """
        try:
            self.close_all()
            if self._start_guest is not None:
                self.let_go()
            elif self._plugged is not None:
                self.unplug()
            if self.simulator.running:
                self.sim.mark()
        finally:
            self._drop_simulator()

    def let_go(self) -> None:
        """Have the driver of a guest that was started for this link let go of its device.

        Such a guest does not outlive the simulator: QEMU ends with it. Raises Unmet, GuestWedged
        and GuestDied.
        """
        if self._plugged is None or not self.guest.bundle.has_agent:
            return
        name = self.virtio_device
        if self.agent.exists(f"{VIRTIO_DRIVER}/{name}"):
            path = f"{VIRTIO_DRIVER}/unbind"
            self.agent.call("file_write", UNPLUG_SECONDS, path=path, data=name)
        self._plugged = None

    def abandon(self) -> None:
        """End the simulator of a link whose guest is gone or beyond repair; the events stay."""
        if self.simulator.running:
            self.sim.mark()
        self._drop_simulator()

    def _channel_names(self) -> list[str]:
        return [str(channel["device"]) for channel in self.agent.channels(self.device)]

    def _drop_simulator(self) -> None:
        if self._simulator is not None:
            self._exit_status = self._simulator.stop()
            self._simulator = None
        processes.remove_folder(self._folder)
