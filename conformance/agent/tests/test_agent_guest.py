# SPDX-License-Identifier: BSD-2-Clause
"""The agent as process 1 of Debian's armhf kernel in QEMU: one guest for the whole file."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import DEADLINE, ROOT, Connection, Message, find_program

sys.path.append(str(ROOT / "scripts"))

from guest_image import directory, regular, write_cpio  # noqa: E402

#: Seconds that a boot may take: about 4 on an idle machine.
BOOT_SECONDS = 180.0

MODULES = """\
# first a comment, then an empty line

/lib/modules/rpmsg_core.ko
/lib/modules/missing.ko  some=parameter
  /lib/modules/rpmsg_ns.ko
/lib/modules/rpmsg_char.ko not_a_parameter=1
"""


class Peer(Connection):
    """The far end of the virtio-serial port."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        stream = self.socket.makefile("rwb", buffering=0)
        super().__init__(stream, stream)  # type: ignore[arg-type]
        self._stream = stream

    def close(self) -> None:
        self._stream.close()
        self.socket.close()


@dataclass
class Guest:
    """A running guest and the peer that is connected to it now."""

    qemu: subprocess.Popen[bytes]
    console: Path
    port: Path
    peer: Peer
    hello: Message

    def reconnect(self) -> Peer:
        self.peer.close()
        self.peer = Peer(self.port)
        return self.peer


def tool(*command: str) -> str:
    """What one of the project's scripts prints."""
    done = subprocess.run([ROOT / "scripts" / command[0], *command[1:]], stdout=subprocess.PIPE,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, f"scripts/{' '.join(command)} failed, see above"
    return done.stdout.strip()


def wait_socket(path: Path, qemu: subprocess.Popen[bytes]) -> None:
    """Wait until QEMU listens; it says nothing when it does."""
    deadline = time.monotonic() + DEADLINE
    while not path.is_socket():
        assert qemu.poll() is None, "QEMU ended at once"
        assert time.monotonic() < deadline, "QEMU does not listen"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """Boots the guest with the list of modules above in the place of the bundle's own."""
    work = tmp_path_factory.mktemp("guest")
    agent = find_program("RPMSG_AGENT_ARMHF", "armhf")
    bundle = Path(tool("guest", "--agent", agent, "debian-rt"))
    description = json.loads((bundle / "guest.json").read_text(encoding="utf-8"))
    with (work / "initramfs").open("wb") as file:
        file.write((bundle / description["initramfs"]).read_bytes())
        # A second archive behind the first: the kernel unpacks one over the other.
        lists = [directory("etc"), directory("etc/rpmsg-agent")]
        write_cpio([*lists, regular("etc/rpmsg-agent/modules", MODULES.encode())], file)
    console, port = work / "console", work / "port"
    qemu = subprocess.Popen(
        [
            tool("qemu", description["qemu"]),
            *description["machine"],
            *("-m", f"{description['memory_mb']}M", "-nodefaults", "-display", "none"),
            *("-no-reboot", "-serial", f"file:{console}", "-append", description["append"]),
            *("-kernel", str(bundle / description["kernel"])),
            *("-initrd", str(work / "initramfs"), "-device", "virtio-serial-pci"),
            *("-chardev", f"socket,id=agent,path={port},server=on,wait=off"),
            *("-device", "virtserialport,chardev=agent,name=org.rpmsg-testbench.agent"),
        ],
        stdin=subprocess.DEVNULL,
    )
    peer = None
    try:
        wait_socket(port, qemu)
        peer = Peer(port)
        yield Guest(qemu, console, port, peer, wait_hello(peer, qemu, console))
    finally:
        qemu.kill()
        qemu.wait()
        if peer is not None:
            peer.close()


def wait_hello(peer: Peer, qemu: subprocess.Popen[bytes], console: Path) -> Message:
    """The agent's first message; fails with the console's tail."""
    deadline = time.monotonic() + BOOT_SECONDS
    while qemu.poll() is None and time.monotonic() < deadline:
        try:
            return peer.next_message()
        except TimeoutError:
            continue
        except EOFError:
            break
    tail = console.read_text(encoding="utf-8", errors="replace")[-2000:]
    pytest.fail(f"the guest did not come up:\n{tail}", pytrace=False)


def test_guest_agent_is_process_one(guest: Guest) -> None:
    assert (guest.hello["hello"], guest.hello["version"]) == ("rpmsg-agent", 1)
    assert guest.hello["pid"] == 1
    assert guest.hello["machine"] == "armv7l"


def test_guest_hello_names_modules_that_failed(guest: Guest) -> None:
    assert guest.hello["modules_failed"] == [
        {"path": "/lib/modules/missing.ko", "errno": "ENOENT"}
    ]
    text = [line["text"] for line in guest.peer.ok("dmesg")["lines"]]
    assert "rpmsg-agent: module /lib/modules/missing.ko: ENOENT" in text


def test_guest_modules_are_loaded_in_order_with_their_parameters(guest: Guest) -> None:
    modules = guest.peer.ok("sysfs_read", path="/proc/modules")["data"]
    # The newest stands first.
    assert [line.split()[0] for line in modules.splitlines()] == [
        "rpmsg_char", "rpmsg_ns", "rpmsg_core",
    ]  # fmt: skip
    text = [line["text"] for line in guest.peer.ok("dmesg")["lines"]]
    assert any("rpmsg_char: unknown parameter 'not_a_parameter' ignored" in x for x in text)


def test_guest_has_its_file_systems(guest: Guest) -> None:
    mounts = guest.peer.ok("sysfs_read", path="/proc/mounts")["data"]
    mounted = {tuple(line.split()[1:3]) for line in mounts.splitlines()}
    assert {
        ("/dev", "devtmpfs"), ("/proc", "proc"), ("/sys", "sysfs"),
        ("/sys/kernel/debug", "debugfs"),
    } <= mounted  # fmt: skip


def test_guest_agent_holds_standard_descriptors(guest: Guest) -> None:
    assert guest.peer.ok("readlink", path="/proc/1/fd/0")["target"] in ("/dev/null", "/dev/console")
    fd = guest.peer.ok("open", path="/dev/null")["fd"]
    assert fd >= 3
    guest.peer.ok("close", fd=fd)


def test_guest_module_can_be_removed_and_loaded_again(guest: Guest) -> None:
    guest.peer.ok("rmmod", name="rpmsg_char")
    assert guest.peer.fails("rmmod", name="rpmsg_char") == "ENOENT"
    assert guest.peer.fails("rmmod", name="rpmsg_core") == "EAGAIN"
    guest.peer.ok("insmod", path="/lib/modules/rpmsg_char.ko")
    assert guest.peer.fails("insmod", path="/lib/modules/rpmsg_char.ko") == "EEXIST"


def test_guest_bus_without_channels_is_an_empty_list(guest: Guest) -> None:
    assert guest.peer.ok("channels")["channels"] == []


def test_guest_lists_its_virtio_device(guest: Guest) -> None:
    assert guest.peer.ok("list", path="/sys/bus/virtio/devices")["entries"] == ["virtio0"]


def test_guest_log_is_told_from_a_mark(guest: Guest) -> None:
    mark = guest.peer.ok("dmesg")["mark"]
    guest.peer.ok("kmsg", text="<5>a mark")
    lines = guest.peer.ok("dmesg", since=mark)["lines"]
    assert [(line["level"], line["text"]) for line in lines if line["seq"] == mark] == [
        (5, "a mark")
    ]


def test_guest_write_of_two_gigabytes_reaches_the_kernel(guest: Guest) -> None:
    """On 32 bits a length of 2^31 is negative for the kernel, and one byte less is not."""
    fd = guest.peer.open("/dev/null", "wronly")
    assert guest.peer.fails("write", fd=fd, len=1 << 31) == "EINVAL"
    assert guest.peer.ok("write", fd=fd, len=(1 << 31) - 1)["ret"] == 0x7FFFF000
    guest.peer.ok("close", fd=fd)


def test_guest_peer_that_closes_and_opens_at_once_starts_afresh(guest: Guest) -> None:
    """The kernel may not even see the interruption, and an old reply may be on its way."""
    guest.peer.send("sleep", ms=50, worker=1)
    guest.peer.send_raw(b'{"id":5,"cmd":"pi')
    peer = guest.reconnect()
    peer.send_raw(b'\n{"id":1000000,"cmd":"hello","fresh":true}\n')
    before = []
    while (message := peer.next_message()).get("id") != 1000000:
        before.append(message)
    assert message["hello"] == "rpmsg-agent"
    # What stood in the way was at most the answer to the cut line, and a greeting.
    assert all("hello" in m or m["errno"] == "EINVAL" for m in before), before
    assert peer.ok("ping", worker=1)


def test_guest_peer_that_comes_back_is_greeted(guest: Guest) -> None:
    for pause in (0.05, 0.2, 1.0, 5.0):
        guest.peer.close()
        # The guest is told that the port closed at some time: nothing outside shows when.
        time.sleep(pause)
        guest.peer = Peer(guest.port)
        guest.peer.send_raw(b'{"id":1000000,"cmd":"ping"}\n')
        message = guest.peer.next_message()
        if message.get("hello") == "rpmsg-agent":
            assert guest.peer.next_message()["id"] == 1000000
            return
    pytest.fail("a peer that came back was never greeted")


def test_guest_agent_rests_while_nobody_is_connected(guest: Guest) -> None:
    before = guest.peer.ok("proc_stat", pid=1)
    guest.peer.close()
    time.sleep(1.0)
    guest.peer = Peer(guest.port)
    guest.peer.send_raw(b'\n{"id":1000000,"cmd":"hello","fresh":true}\n')
    while guest.peer.next_message().get("id") != 1000000:
        pass
    after = guest.peer.ok("proc_stat", pid=1)
    used = after["utime"] + after["stime"] - before["utime"] - before["stime"]
    assert used < before["hz"] // 2


def test_guest_powers_off_after_the_reply(guest: Guest) -> None:
    """The last one: it ends the guest."""
    assert guest.peer.ok("poweroff")
    assert guest.qemu.wait(DEADLINE) == 0
    assert "reboot: Power down" in guest.console.read_text(encoding="utf-8", errors="replace")
