# SPDX-License-Identifier: BSD-2-Clause
"""The Linux guest target: a bundle (kernel, initramfs, how to start them) and one running QEMU."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rpmsg_conformance import processes
from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import GuestDied, GuestWedged, NotApplicable, TargetUnreachable
from rpmsg_conformance.jsonlines import ConnectionLost
from rpmsg_conformance.qmp import QmpClient, QmpError
from rpmsg_conformance.tree_nodes import TreeNodes

AGENT_PORT = "org.rpmsg-testbench.agent"

#: Seconds from QEMU's start to the agent's first message, before scaling. A Debian armhf kernel
#: takes 12 s under TCG on two idle cores.
BOOT_SECONDS = 120.0

#: Lines of the guest's console that go with a message about its end.
CONSOLE_LINES = 20

#: Root ports: one for the case that runs, and room for links that live longer than a case.
PORTS = 4

#: PCI slot on bus 0 of the first root port; the ones below belong to the machine and the agent.
_FIRST_PORT_SLOT = 8

#: Seconds for the guest to remove a device. Linux may try, for up to 15 s, to send a DESTROY for
#: each channel that it had announced itself.
UNPLUG_SECONDS = 40.0

#: Stands for the port of a device that the guest was started with.
_COLD = -1

_VIRTIO_DEVICES = "/sys/bus/virtio/devices"

# PCI Express capability: its ID, the Slot Control register in it, and bits of that.
_CAPABILITY_EXPRESS = 0x10
_SLOT_CONTROL = 0x18
_POWER_OFF = 0x0400
_INDICATOR_MASK = 0x0300
_INDICATOR_ON = 0x0100
_INDICATOR_OFF = 0x0300


@dataclass(frozen=True)
class Bundle:
    """What scripts/guest prepared for one guest; the fields of guest.json."""

    folder: Path
    name: str
    arch: str
    kernel: Path
    initramfs: Path | None
    kernel_release: str
    qemu: str
    machine: tuple[str, ...]
    append: str
    memory_mb: int
    device: str
    modules: tuple[str, ...]
    package: str
    package_version: str
    transport: str = "pci"
    hot_plug: bool = True
    """Whether a device can come and go while the guest runs; if not, each device has a guest of its
    own, which has it from the beginning."""
    slots: str = "root-ports"
    """Where such a device comes: one of SLOTS."""
    devices_at_boot: bool = True
    """Whether it can have a device when it boots: its modules may be needed first."""
    has_agent: bool = True
    """Whether the suite's agent runs in it; if not, only what is seen on the wire can be judged."""
    checks: frozenset[str] = frozenset()
    """Those of KERNEL_CHECKS that its kernel has."""
    slowness: float = 1.0
    """What every deadline is multiplied with because of this kernel, besides --timeout-factor."""
    qemu_args: tuple[str, ...] = ()
    """Further arguments for QEMU, after all others."""

    @property
    def processors(self) -> int:
        """How many the guest has, as QEMU's -smp says."""
        words = (*self.machine, *self.qemu_args)
        given = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "-smp"]
        count = re.match(r"(?:cpus=)?(\d+)", given[-1]) if given else None
        return int(count.group(1)) if count else 1


#: Options by which a kernel notices its own mistakes: uses of freed memory, and sleeping where it must not.
KERNEL_CHECKS: Final = ("KASAN", "DEBUG_ATOMIC_SLEEP")

#: Places of a device that comes: behind root ports, or where a node of the device tree says (tree_nodes).
SLOTS: Final = ("root-ports", "device-tree")

#: The ways in which a guest can have its device.
TRANSPORTS: Final = ("pci", "mmio")

_BUNDLE_FIELDS: dict[str, type] = {
    "name": str,
    "arch": str,
    "kernel_release": str,
    "qemu": str,
    "machine": list,
    "append": str,
    "memory_mb": int,
    "device": str,
    "modules": list,
    "package": str,
    "package_version": str,
}


def load_bundle(folder: Path, transport: str = "pci") -> Bundle:
    """Read the bundle in ``folder``. Raises TargetUnreachable with what is missing or wrong.

    Over virtio-mmio there is no hot-plug.
    """
    description = folder / "guest.json"
    try:
        fields: Any = json.loads(description.read_text(encoding="utf-8"))
    except OSError as error:
        raise TargetUnreachable(f"{description}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise TargetUnreachable(f"{description}: not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise TargetUnreachable(f"{description}: not a JSON object")
    for name, kind in _BUNDLE_FIELDS.items():
        if not isinstance(fields.get(name), kind):
            raise TargetUnreachable(f"{description}: '{name}' is missing or no {kind.__name__}")
    files = {"kernel": ["kernel"], "initramfs": ["initramfs.cpio", "initramfs.cpio.gz"]}
    found: dict[str, Path] = {}
    for what, names in files.items():
        present = [folder / name for name in names if (folder / name).is_file()]
        if not present:
            raise TargetUnreachable(f"{folder}: there is no {' or '.join(names)}")
        found[what] = present[0]
    known = {name: fields[name] for name in _BUNDLE_FIELDS}
    known["machine"] = tuple(str(argument) for argument in fields["machine"])
    # Optional ones are those that the suite can do without (Linux's samples).
    modules = [*fields["modules"], *fields.get("optional_modules", [])]
    known["modules"] = tuple(str(module) for module in modules)
    known["hot_plug"] = bool(fields.get("hot_plug", True))
    known["devices_at_boot"] = bool(fields.get("devices_at_boot", True))
    known["slots"] = str(fields.get("slots", SLOTS[0]))
    if known["slots"] not in SLOTS:
        raise TargetUnreachable(f"{description}: unknown kind of slots: {known['slots']}")
    config = fields.get("config")
    if isinstance(config, dict):
        known["checks"] = frozenset(name for name in KERNEL_CHECKS if config.get(name) == "y")
    known["slowness"] = _slowness(fields, description)
    if transport == "mmio":
        mmio = fields.get("mmio")
        if not isinstance(mmio, dict) or not isinstance(mmio.get("machine"), list):
            raise TargetUnreachable(f"{description}: guest {known['name']} has no virtio-mmio")
        known["machine"] = tuple(str(argument) for argument in mmio["machine"])
        known["device"] = str(known["device"]).removesuffix("-pci")
        known["hot_plug"] = False
    return Bundle(
        folder=folder,
        kernel=found["kernel"],
        initramfs=found["initramfs"],
        transport=transport,
        **known,
    )


def _slowness(fields: dict[str, Any], description: Path) -> float:
    """How much longer the guest may take, 1 if its description does not say. Raises TargetUnreachable."""
    value = fields.get("slowness", 1)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= 100:
        raise TargetUnreachable(f"{description}: 'slowness' is not a number from 1 to 100")
    return float(value)


def run_script(script: Path, *arguments: str) -> Path:
    """Run a script of the checkout that prints one path; its progress goes to our stderr.

    Raises TargetUnreachable when it fails (it has said why) or prints no existing path.
    """
    command = " ".join([str(script), *arguments])
    if not script.is_file():
        raise TargetUnreachable(f"{script} is not there; give the path by option instead")
    child = processes.spawn(
        [str(script), *arguments], name=script.name, stdout=subprocess.PIPE, stderr=2
    )
    assert child.process.stdout is not None
    with child.process.stdout as stream:
        output = stream.read().decode(errors="replace")
    status = child.process.wait()
    child.stop()
    if status != 0:
        raise TargetUnreachable(f"{command} failed with status {status}; see above")
    lines = output.split("\n")
    path = Path(lines[-2] if len(lines) > 1 else output)
    if not path.is_absolute() or not path.exists():
        raise TargetUnreachable(f"{command} printed no path: {output[:200]!r}")
    return path


@dataclass(frozen=True)
class Device:
    """An rpmsg device as QEMU makes it; its back-end listens at ``socket_path``."""

    socket_path: Path
    vq_size: int = 256
    num_vqs: int = 2

    @property
    def options(self) -> dict[str, int]:
        """Options of the generic vhost-user device."""
        return {"virtio-id": 7, "num_vqs": self.num_vqs, "vq_size": self.vq_size}


class Guest:
    """One running QEMU with a Linux that the agent answers for, once await_boot() has returned.

    Its files (console.log, qemu.log, agent.log) lie in ``folder``. With ``device`` it has that one
    from the beginning and can get no other; otherwise up to ``ports`` can be plugged at a time.
    Without ``transcript`` what the agent is asked is not written down.
    """

    def __init__(
        self,
        bundle: Bundle,
        qemu: Path,
        folder: Path,
        timeout_factor: float = 1.0,
        device: Device | None = None,
        ports: int = PORTS,
        transcript: bool = True,
    ) -> None:
        self.bundle = bundle
        self._ports = ports
        self.kernel_release = bundle.kernel_release
        self._cold_device = device
        self.folder = folder
        self.console_log = folder / "console.log"
        self._qemu_log = folder / "qemu.log"
        self._factor = timeout_factor
        self._free_ports = list(range(ports))
        self._slot_control: dict[int, tuple[int, int]] = {}
        self._rescan_files: dict[int, str] = {}
        self._tree = TreeNodes() if bundle.slots == "device-tree" else None
        self._next_device = 1
        folder.mkdir(parents=True, exist_ok=True)

        qmp_ours, qmp_theirs = socket.socketpair()
        agent_ours, agent_theirs = socket.socketpair()
        argv = self._command_line(qemu, qmp_theirs.fileno(), agent_theirs.fileno())
        (folder / "qemu.argv").write_text("\n".join(argv) + "\n", encoding="utf-8")
        self._started = time.monotonic()
        self.boot_seconds = 0.0
        try:
            with self._qemu_log.open("wb") as qemu_log:
                self._child = processes.spawn(
                    argv,
                    name="QEMU",
                    stdout=qemu_log,
                    stderr=qemu_log,
                    pass_fds=(qmp_theirs.fileno(), agent_theirs.fileno()),
                    death_signal=signal.SIGKILL,
                )
        except OSError as error:
            qmp_ours.close()
            agent_ours.close()
            raise TargetUnreachable(f"cannot start {qemu}: {error.strerror}") from error
        finally:
            qmp_theirs.close()
            agent_theirs.close()
        self.qmp = QmpClient(qmp_ours, timeout_factor)
        self._agent: AgentClient | None = None
        if bundle.has_agent:
            log = folder / "agent.log" if transcript else None
            self._agent = AgentClient(agent_ours, log, timeout_factor)
        else:
            agent_ours.close()

    @property
    def agent(self) -> AgentClient:
        """The agent in the guest. Raises NotApplicable when it has none."""
        if self._agent is None:
            raise NotApplicable("this takes an agent in the guest, and there is none (--no-agent)")
        return self._agent

    def await_boot(self) -> None:
        """Wait until the agent answers and the modules are loaded.

        Raises TargetUnreachable when the guest does not come up; it is stopped then.
        """
        try:
            self._await_boot()
        except BaseException:
            self.stop()
            raise
        self.boot_seconds = time.monotonic() - self._started

    def begin_reboot(self) -> None:
        """Have the guest start again, without waiting for it; its devices stay plugged."""
        try:
            self.qmp.execute("set-action", {"reboot": "reset"})
        except (QmpError, ConnectionLost) as error:
            raise GuestDied(f"{error}; {self.describe_end()}") from error
        self.agent.forget_hello()
        if self._tree is not None:
            self._tree.rebooting()
        self.agent.call("reboot")

    def await_reboot(self, timeout: float) -> None:
        """Wait until the agent answers again and the modules are loaded.

        Raises GuestWedged and GuestDied.
        """
        if self.agent.wait_hello(timeout) is None:
            raise GuestWedged(f"the guest did not start again within {timeout:g} s")
        self._load_modules()

    @property
    def alive(self) -> bool:
        """Whether QEMU runs and the agent's connection is up."""
        return self._child.running and (self._agent is None or self._agent.lost is None)

    @property
    def pid(self) -> int:
        """Process ID of QEMU."""
        return self._child.pid

    def stop(self) -> None:
        """End QEMU and close its connections."""
        if self._agent is not None:
            self._agent.close()
        self.qmp.close()
        self._child.stop()

    def console_tail(self, lines: int = CONSOLE_LINES) -> list[str]:
        """The last lines of the guest's console."""
        try:
            text = self.console_log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return text.replace("\r", "").splitlines()[-lines:]

    def describe_end(self) -> str:
        """How the guest ended, or that it still runs."""
        if self._agent is not None and self._agent.lost is not None:
            # The agent's connection goes a moment before QEMU can be reaped.
            self._child.wait(1.0)
        if self._child.running and self._agent is not None:
            return f"QEMU still runs, the agent's connection: {self._agent.lost or 'up'}"
        if self._child.running:
            return "QEMU still runs"
        return f"{self._child.describe_end()}{self._qemu_said()}"

    @property
    def cold_device(self) -> Plugged:
        """The device that the guest was started with."""
        assert self._cold_device is not None
        return Plugged(_COLD, "rpmsg0", "sim0")

    def plug(self, device: Device) -> Plugged:
        """Plug an rpmsg device whose back-end listens at ``socket_path``, and let the guest probe it.

        The kernel need not have a PCI hot-plug driver (Debian's armhf ones have none): the agent
        switches the slot on and has the bus scanned, during which the driver's probe runs.
        Raises QmpError when QEMU refuses, Unmet, GuestWedged and GuestDied.
        """
        if self._cold_device is not None:
            raise NotApplicable(_no_hot_plug(self.bundle))
        if not self._free_ports:
            raise QmpError(f"all {self._ports} root ports are in use")
        port = self._free_ports.pop(0)
        number = self._next_device
        self._next_device += 1
        plugged = Plugged(port, f"rpmsg{number}", f"sim{number}")
        unix = {"type": "unix", "data": {"path": str(device.socket_path)}}
        backend = {"type": "socket", "data": {"addr": unix, "server": False}}
        try:
            self.qmp.execute("chardev-add", {"id": plugged.chardev, "backend": backend})
            self.qmp.execute(
                "device_add",
                {
                    "driver": self.bundle.device,
                    "id": plugged.id,
                    **(self._tree.place(port) if self._tree else {"bus": f"port{port}"}),
                    "chardev": plugged.chardev,
                    **device.options,
                },
            )
        except QmpError:
            self._free_ports.append(port)
            raise
        except ConnectionLost as error:
            raise GuestDied(f"{error}; {self.describe_end()}") from error
        self._switch_slot(port, on=True)
        self.agent.call("file_write", path=self._rescan_file(port), data="1")
        return plugged

    def unplug(self, plugged: Plugged) -> None:
        """Have the guest remove the device, and take it from QEMU.

        Raises Unmet, GuestWedged when the guest does not let go of it, and GuestDied.
        """
        for path in self.remove_files(plugged):
            self.agent.call("file_write", UNPLUG_SECONDS, path=path, data="1")
        self.take_away(plugged)

    def remove_files(self, plugged: Plugged) -> list[str]:
        """The file in the guest by which its kernel removes the device; none when it is gone."""
        if plugged.port == _COLD:
            raise NotApplicable(_no_hot_plug(self.bundle))
        names = self._devices_behind(plugged.port)
        return [f"/sys/bus/pci/devices/{name}/remove" for name in names]

    def take_away(self, plugged: Plugged) -> None:
        """Take a device from QEMU that the guest's kernel has let go of.

        One that QEMU would keep all the same stays until the guest ends. Raises GuestWedged and
        GuestDied.
        """
        if self._tree is not None and not self._tree.lets_go(plugged.port):
            return
        mark = self.qmp.mark()
        try:
            self.qmp.execute("device_del", {"id": plugged.id})
            self._switch_slot(plugged.port, on=False)
            gone = self.qmp.wait_event("DEVICE_DELETED", UNPLUG_SECONDS, mark, device=plugged.id)
            if gone is None:
                raise GuestWedged(f"QEMU did not let go of {plugged.id}")
            self.qmp.execute("chardev-remove", {"id": plugged.chardev})
        except ConnectionLost as error:
            raise GuestDied(f"{error}; {self.describe_end()}") from error
        except QmpError as error:
            raise GuestWedged(f"unplugging {plugged.id}: {error}") from error
        self._free_ports.append(plugged.port)

    def virtio_device(self, plugged: Plugged) -> str | None:
        """The device's name on the guest's virtio bus, or None while it has none."""
        if plugged.port == _COLD and self._agent is None:
            return "virtio"
        if plugged.port == _COLD:
            for name in self.agent.entries(_VIRTIO_DEVICES):
                if int(self.agent.file_text(f"{_VIRTIO_DEVICES}/{name}/device"), 0) == 7:
                    return name
            return None
        for device in self._devices_behind(plugged.port):
            for name in self.agent.entries(f"/sys/bus/pci/devices/{device}"):
                if re.fullmatch(r"virtio\d+", name):
                    return name
        return None

    def _devices_behind(self, port: int) -> list[str]:
        """Addresses of the PCI devices behind a root port."""
        if self._tree is not None:
            return self._tree.devices(self.agent, port)
        names = self.agent.entries(self.port_folder(port))
        return [name for name in names if re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{2}:00\.0", name)]

    def _rescan_file(self, port: int) -> str:
        """The file by which the bus behind a root port is scanned: all buses would take longer."""
        if self._tree is not None:
            return "/sys/bus/pci/rescan"
        if port not in self._rescan_files:
            buses = f"{self.port_folder(port)}/pci_bus"
            names = self.agent.entries(buses)
            self._rescan_files[port] = (
                f"{buses}/{names[0]}/rescan" if names else "/sys/bus/pci/rescan"
            )
        return self._rescan_files[port]

    def _switch_slot(self, port: int, on: bool) -> None:
        """Switch a slot's power and indicator, as a hot-plug driver would (PCIe 7.5.3.10)."""
        if self._tree is not None:
            if on:
                self._tree.add(self.agent, port)
            return
        offset, value_on, value_off = self.slot_control(port)
        # The agent has no lseek: a descriptor that was read up to the register stands there.
        fd = self.agent.open(f"{self.port_folder(port)}/config", "rdwr")
        self.agent.read(fd, offset).expect_success()
        self.agent.write(fd, value_on if on else value_off).expect_success()
        self.agent.close_fd(fd)

    def slot_control(self, port: int) -> tuple[int, bytes, bytes]:
        """Offset of a slot's control register in its port's configuration space, and what switches
        the slot on and off. Raises Unmet, GuestWedged and GuestDied."""
        if port not in self._slot_control:
            fd = self.agent.open(f"{self.port_folder(port)}/config", "rdonly")
            config = bytes.fromhex(self.agent.read(fd, 256).expect_success()["data"])
            self.agent.close_fd(fd)
            offset = _slot_control_offset(config)
            self._slot_control[port] = offset, config[offset] | config[offset + 1] << 8
        offset, control = self._slot_control[port]
        control &= ~(_POWER_OFF | _INDICATOR_MASK)
        values = (control | _INDICATOR_ON, control | _POWER_OFF | _INDICATOR_OFF)
        return offset, values[0].to_bytes(2, "little"), values[1].to_bytes(2, "little")

    @staticmethod
    def port_folder(port: int) -> str:
        """Folder of a root port in the guest's sysfs."""
        return f"/sys/bus/pci/devices/0000:00:{_FIRST_PORT_SLOT + port:02x}.0"

    def _await_boot(self) -> None:
        try:
            self.qemu_version = self.qmp.handshake()
            if self._agent is None:
                return
            hello = self.agent.wait_hello(BOOT_SECONDS)
        except (ConnectionLost, GuestDied, QmpError) as error:
            self._child.wait(2.0)
            raise TargetUnreachable(self._boot_failure(self.describe_end())) from error
        if hello is None:
            limit = BOOT_SECONDS * self._factor
            raise TargetUnreachable(
                self._boot_failure(f"the agent did not report within {limit:g} s")
            )
        self.kernel_release = str(hello["kernel"])
        self._load_modules()

    def _load_modules(self) -> None:
        for module in self.bundle.modules:
            # The agent, as /init, has loaded some already.
            reply = self.agent.try_call("insmod", path=module, params="")
            if not reply.ok and reply.errno != "EEXIST":
                raise TargetUnreachable(self._boot_failure(f"{module}: {reply.describe()}"))

    def _boot_failure(self, reason: str) -> str:
        tail = self.console_tail()
        said = "".join(f"\n    {line}" for line in tail) or " (nothing)"
        return (
            f"guest {self.bundle.name} did not boot: {reason}\n"
            f"  last lines of its console:{said}\n"
            f"  whole console: {self.console_log}"
        )

    def _qemu_said(self) -> str:
        try:
            text = self._qemu_log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        lines = text.strip().splitlines()[-5:]
        return f", saying: {' | '.join(lines)}" if lines else ""

    def _command_line(self, qemu: Path, qmp_fd: int, agent_fd: int) -> list[str]:
        bundle = self.bundle
        argv = [str(qemu), *bundle.machine]
        argv += ["-nodefaults", "-display", "none", "-no-reboot", "-m", str(bundle.memory_mb)]
        argv += ["-object", f"memory-backend-memfd,id=mem,size={bundle.memory_mb}M,share=on"]
        argv += ["-machine", "memory-backend=mem"]
        argv += ["-kernel", str(bundle.kernel)]
        if bundle.initramfs is not None:
            argv += ["-initrd", str(bundle.initramfs)]
        if bundle.append:
            argv += ["-append", bundle.append]
        argv += ["-chardev", f"file,id=console,path={self.console_log}"]
        argv += ["-serial", "chardev:console"]
        argv += ["-chardev", f"socket,id=qmp,fd={qmp_fd}", "-mon", "chardev=qmp,mode=control"]
        if bundle.has_agent:
            serial = "virtio-serial-pci" if bundle.transport == "pci" else "virtio-serial-device"
            argv += ["-chardev", f"socket,id=agent,fd={agent_fd}", "-device", serial]
            argv += ["-device", f"virtserialport,chardev=agent,name={AGENT_PORT}"]
        if self._cold_device is None:
            ports = [] if self._tree is not None else _root_ports(self._ports)
            return [*argv, *ports, *bundle.qemu_args]
        device = self._cold_device
        options = "".join(f",{name}={value}" for name, value in device.options.items())
        argv += ["-chardev", f"socket,id=sim0,path={device.socket_path}"]
        argv += ["-device", f"{bundle.device},id=rpmsg0,chardev=sim0{options}"]
        return [*argv, *bundle.qemu_args]


@dataclass(frozen=True)
class Plugged:
    """A device that QEMU has: the number of its root port, and its IDs there."""

    port: int
    id: str
    chardev: str


def _root_ports(count: int) -> list[str]:
    argv: list[str] = []
    for port in range(count):
        argv += [
            "-device",
            f"pcie-root-port,id=port{port},chassis={port + 1},slot={port + 1},"
            f"addr={_FIRST_PORT_SLOT + port:#x}",
        ]
    return argv


def _no_hot_plug(bundle: Bundle) -> str:
    return f"guest {bundle.name} has no hot-plug over virtio-{bundle.transport}"


def _slot_control_offset(config: bytes) -> int:
    """Offset of the Slot Control register in a root port's configuration space."""
    offset = config[0x34] & 0xFC
    for _ in range(48):
        if offset == 0:
            break
        if config[offset] == _CAPABILITY_EXPRESS:
            return offset + _SLOT_CONTROL
        offset = config[offset + 1] & 0xFC
    raise ValueError("the root port has no PCI Express capability")
