# SPDX-License-Identifier: BSD-2-Clause
"""Commands on descriptors and on paths, with files, FIFOs and terminals in the place of devices."""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import pty
import struct
import termios
import threading
from collections.abc import Callable
from ctypes import CDLL, POINTER, Structure, byref, c_uint8, c_uint16, c_uint32, c_ulong, cast
from ctypes import c_char_p, get_errno
from pathlib import Path

import pytest

from conftest import Agent


def test_open_read_write_close(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "file"
    fd = agent.open(path, "rdwr", "creat", "excl")
    assert agent.ok("write", fd=fd, data="00ff10")["ret"] == 3
    agent.ok("close", fd=fd)
    assert path.read_bytes() == b"\x00\xff\x10"
    fd = agent.open(path, "rdonly")
    reply = agent.ok("read", fd=fd, len=100)
    assert (reply["ret"], reply["data"]) == (3, "00ff10")
    reply = agent.ok("read", fd=fd, len=100)
    assert (reply["ret"], reply["data"]) == (0, "")
    agent.ok("close", fd=fd)
    assert agent.fails("close", fd=fd) == "EBADF"


def test_open_without_flags_reads(agent: Agent, tmp_path: Path) -> None:
    fd = agent.ok("open", path=str(tmp_path))["fd"]
    assert agent.fails("write", fd=fd, data="00") == "EBADF"
    assert agent.fails("read", fd=fd, len=1) == "EISDIR"


def test_open_passes_each_flag_and_the_mode(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    assert agent.fails("open", path=str(path), flags=["rdwr", "creat", "excl"]) == "EEXIST"
    assert agent.fails("open", path=str(path), flags=["directory"]) == "ENOTDIR"
    fd = agent.open(path, "wronly", "append")
    agent.ok("write", fd=fd, data="21")
    assert path.read_bytes() == b"old!"
    agent.open(path, "wronly", "trunc")
    assert path.read_bytes() == b""
    agent.ok("open", path=str(tmp_path / "new"), flags=["rdwr", "creat"], mode=0o640)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_open_with_two_access_modes_is_refused(agent: Agent) -> None:
    assert agent.fails("open", path="/dev/null", flags=["rdonly", "rdwr"]) == "EINVAL"


def test_open_beyond_the_limit_is_emfile(agent: Agent) -> None:
    ids = [agent.send("open", path="/dev/null") for _ in range(1100)]
    replies = [agent.reply(i) for i in ids]
    assert replies[900]["ok"] is True
    assert replies[-1]["errno"] == "EMFILE"
    assert agent.ok("ping")


def test_read_of_a_bad_descriptor_is_ebadf(agent: Agent) -> None:
    assert agent.fails("read", fd=-1, len=1) == "EBADF"
    assert agent.fails("read", fd=700, len=1) == "EBADF"


def test_largest_read_and_write(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(512 * 1024))
    fd = agent.open(path)
    data = agent.ok("read", fd=fd, len=512 * 1024)["data"]
    assert data == path.read_bytes().hex()
    other = agent.open(tmp_path / "copy", "wronly", "creat")
    half = len(data) // 4 * 2 - 512
    agent.ok("write", fd=other, data=data[:half])
    agent.ok("write", fd=other, data=data[half:].upper()[:half])
    assert (tmp_path / "copy").read_bytes() == bytes.fromhex(data[: 2 * half])


def test_write_of_a_fill(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "file"
    fd = agent.open(path, "wronly", "creat")
    assert agent.ok("write", fd=fd, fill=0xA5, len=1000)["ret"] == 1000
    assert agent.ok("write", fd=fd, len=3)["ret"] == 3
    assert path.read_bytes() == b"\xa5" * 1000 + bytes(3)


def test_write_of_nothing_is_a_system_call(agent: Agent, tmp_path: Path) -> None:
    fd = agent.open(tmp_path / "file", "wronly", "creat")
    assert agent.ok("write", fd=fd, data="")["ret"] == 0
    assert agent.ok("write", fd=fd, fill=1, len=0)["ret"] == 0
    assert agent.fails("write", fd=700, data="") == "EBADF"


def test_write_of_two_gigabytes_needs_no_memory(agent: Agent) -> None:
    fd = agent.open("/dev/null", "wronly")
    assert agent.ok("write", fd=fd, len=1 << 31)["ret"] == 0x7FFFF000
    assert agent.fails("write", fd=fd, fill=1, len=1 << 31) == "EINVAL"


def test_write_of_data_and_fill_is_refused(agent: Agent) -> None:
    assert agent.fails("write", fd=1, data="00", fill=1, len=1) == "EINVAL"
    assert agent.fails("write", fd=1, data="00", bad_pointer=True) == "EINVAL"


def test_offset_leaves_the_position(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    fd = agent.open(path)
    assert agent.ok("write", fd=fd, data=b"ab".hex(), offset=4)["ret"] == 2
    assert bytes.fromhex(agent.ok("read", fd=fd, len=3, offset=3)["data"]) == b"3ab"
    assert bytes.fromhex(agent.ok("read", fd=fd, len=3)["data"]) == b"012"


@pytest.mark.parametrize("length", [1, 4096, 100_000])
def test_bad_pointer_is_efault(agent: Agent, tmp_path: Path, length: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * length)
    fd = agent.open(path)
    assert agent.fails("read", fd=fd, len=length, bad_pointer=True) == "EFAULT"
    assert agent.fails("write", fd=fd, len=length, bad_pointer=True) == "EFAULT"


def test_bad_pointer_of_an_ioctl_is_efault(agent: Agent, fifo: Path) -> None:
    fd = agent.open(fifo)
    assert agent.fails("ioctl", fd=fd, request=termios.FIONREAD, bad_pointer=True) == "EFAULT"


def test_ioctl_fills_its_data(agent: Agent, fifo: Path) -> None:
    fd = agent.open(fifo)
    agent.ok("write", fd=fd, len=77)
    reply = agent.ok("ioctl", fd=fd, request=termios.FIONREAD, data="00" * 4)
    assert (reply["ret"], reply["data"]) == (0, struct.pack("=i", 77).hex())


def test_ioctl_takes_its_data(agent: Agent) -> None:
    master, slave = pty.openpty()
    fd = agent.open(os.ttyname(slave), "rdwr")
    size = struct.pack("=HHHH", 24, 80, 0, 0)
    agent.ok("ioctl", fd=fd, request=termios.TIOCSWINSZ, data=size.hex())
    assert fcntl.ioctl(slave, termios.TIOCGWINSZ, bytes(8)) == size
    os.close(slave)
    os.close(master)


def test_ioctl_takes_a_plain_argument(agent: Agent) -> None:
    master, slave = pty.openpty()
    fd = agent.open(os.ttyname(slave), "rdwr")
    os.write(master, b"line\n")
    agent.ok("poll", fds=[fd], events=["in"], timeout_ms=5000)
    agent.ok("ioctl", fd=fd, request=termios.TCFLSH, arg=termios.TCIFLUSH)
    assert agent.ok("poll", fds=[fd], events=["in"], timeout_ms=0)["ret"] == 0
    os.close(slave)
    os.close(master)


def test_ioctl_that_is_unknown_is_enotty(agent: Agent, fifo: Path) -> None:
    reply = agent.call("ioctl", fd=agent.open(fifo), request=0xFFFFFFFF, arg=2**64 - 1)
    assert (reply["errno"], reply["errnum"]) == ("ENOTTY", 25)


def test_ioctl_takes_one_kind_of_argument(agent: Agent) -> None:
    assert agent.fails("ioctl", fd=1, request=1, arg=1, data="00") == "EINVAL"
    assert agent.fails("ioctl", fd=1, request=1, arg=1, bad_pointer=True) == "EINVAL"


def fail_ioctl(request: int, number: int) -> Callable[[], None]:
    """What a child runs before the agent: one ioctl fails with an errno of one's choice."""

    class Filter(Structure):
        _fields_ = [("code", c_uint16), ("jt", c_uint8), ("jf", c_uint8), ("k", c_uint32)]

    class Program(Structure):
        _fields_ = [("len", c_uint16), ("filter", POINTER(Filter))]

    load, equal, give = 0x20, 0x15, 0x06
    system_call = {"x86_64": 16, "aarch64": 29, "riscv64": 29}[platform.machine()]
    filters = (Filter * 6)(
        Filter(load, 0, 0, 0),  # seccomp_data.nr
        Filter(equal, 0, 3, system_call),
        Filter(load, 0, 0, 24),  # low half of the second argument
        Filter(equal, 0, 1, request),
        Filter(give, 0, 0, 0x00050000 | number),  # SECCOMP_RET_ERRNO
        Filter(give, 0, 0, 0x7FFF0000),  # SECCOMP_RET_ALLOW
    )
    program = Program(len(filters), cast(filters, POINTER(Filter)))
    libc = CDLL(None, use_errno=True)

    def apply() -> None:
        no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
        if libc.prctl(no_new_privileges, c_ulong(1), c_ulong(0), c_ulong(0), c_ulong(0)):
            raise OSError(get_errno(), "PR_SET_NO_NEW_PRIVS")
        if libc.prctl(set_seccomp, c_ulong(filter_mode), byref(program)):
            raise OSError(get_errno(), "PR_SET_SECCOMP")

    return apply


def test_errno_without_a_name_is_its_number(start: Callable[..., Agent], fifo: Path) -> None:
    agent = start(preexec_fn=fail_ioctl(0x1234, 512))
    reply = agent.call("ioctl", fd=agent.open(fifo), request=0x1234)
    assert (reply["errno"], reply["errnum"]) == ("512", 512)


def test_poll_tells_each_descriptor_apart(agent: Agent, fifo: Path, tmp_path: Path) -> None:
    fd = agent.open(fifo)
    reply = agent.ok("poll", fds=[fd, -1, 700], events=["in", "out"], timeout_ms=0)
    assert reply["ret"] == 2
    assert reply["revents"] == [["out"], [], ["nval"]]
    agent.ok("write", fd=fd, data="00")
    reply = agent.ok("poll", fds=[fd], events=["in", "out"], timeout_ms=-1)
    assert reply["revents"] == [["in", "out"]]


def test_poll_tells_a_hangup(agent: Agent, fifo: Path) -> None:
    fd = agent.open(fifo, "rdonly", "nonblock")
    writer = os.open(fifo, os.O_WRONLY)
    os.close(writer)
    assert agent.ok("poll", fds=[fd], events=["in"], timeout_ms=5000)["revents"] == [["hup"]]


def test_poll_times_out(agent: Agent, fifo: Path) -> None:
    reply = agent.ok("poll", fds=[agent.open(fifo)], events=["in"], timeout_ms=30)
    assert (reply["ret"], reply["revents"]) == (0, [[]])
    assert reply["t1"] - reply["t0"] >= 30_000_000


def test_poll_of_too_many_is_refused(agent: Agent) -> None:
    assert agent.fails("poll", fds=[-1] * 65, events=[], timeout_ms=0) == "EINVAL"
    assert agent.ok("poll", fds=[-1] * 64, events=[], timeout_ms=0)["ret"] == 0


def test_nonblock_can_be_set_and_cleared(agent: Agent, fifo: Path) -> None:
    fd = agent.open(fifo)
    agent.ok("fcntl_nonblock", fd=fd, on=True)
    assert agent.fails("read", fd=fd, len=1) == "EAGAIN"
    agent.ok("fcntl_nonblock", fd=fd, on=False)
    request_id = agent.send("read", fd=fd, len=1, worker=1)
    agent.wait_blocked(1)
    agent.ok("write", fd=fd, data="41")
    assert agent.reply(request_id)["data"] == "41"
    assert agent.fails("fcntl_nonblock", fd=700, on=True) == "EBADF"


def test_tty_raw_passes_bytes_as_they_are(agent: Agent, fifo: Path) -> None:
    master, slave = pty.openpty()
    fd = agent.open(os.ttyname(slave), "rdwr")
    agent.ok("tty_raw", fd=fd)
    os.write(master, b"\x03\x04\r")
    assert agent.ok("read", fd=fd, len=10)["data"] == "03040d"
    agent.ok("write", fd=fd, data=b"a\n".hex())
    assert os.read(master, 10) == b"a\n"
    assert agent.fails("tty_raw", fd=agent.open(fifo)) == "ENOTTY"
    os.close(slave)
    os.close(master)


@pytest.mark.parametrize("command", ["rpmsg_create_ept", "rpmsg_create_dev", "rpmsg_release_dev"])
def test_rpmsg_ioctl_on_something_else_is_enotty(
    agent: Agent, fifo: Path, command: str
) -> None:
    fd = agent.open(fifo)
    assert agent.fails(command, fd=fd, name="x" * 32, src=-1, dst=2**32 - 1) == "ENOTTY"
    assert agent.fails(command, fd=fd, name="") == "ENOTTY"
    assert agent.fails("rpmsg_destroy_ept", fd=fd) == "ENOTTY"


def test_channels_are_those_of_sysfs(agent: Agent) -> None:
    reply = agent.call("channels")
    devices = Path("/sys/bus/rpmsg/devices")
    if devices.exists():
        assert [c["device"] for c in reply["channels"]] == sorted(os.listdir(devices))
    else:
        assert reply["errno"] == "ENOENT"
        assert "is rpmsg_core loaded?" in reply["error"]


def test_sysfs_read_gives_text(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text('a "quoted" \\ tab\t line\nä\x7f\n', encoding="utf-8")
    reply = agent.ok("sysfs_read", path=str(path))
    assert reply["data"] == path.read_text(encoding="utf-8")
    assert "lossy" not in reply and "truncated" not in reply


def test_sysfs_read_of_bytes_is_still_json(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a\x00\xff\xc3b\xe2\x82")
    reply = agent.ok("sysfs_read", path=str(path))
    assert reply["data"] == "a\x00\ufffd\ufffdb\ufffd\ufffd"
    assert reply["lossy"] is True
    assert agent.ok("sysfs_read", path=str(path), hex=True)["data"] == path.read_bytes().hex()


def test_sysfs_read_ends_at_its_limit(agent: Agent) -> None:
    reply = agent.ok("sysfs_read", path="/dev/zero", hex=True)
    assert reply["truncated"] is True and len(reply["data"]) == 1024 * 1024


def test_sysfs_read_of_a_fifo_does_not_block(agent: Agent, fifo: Path) -> None:
    assert agent.ok("sysfs_read", path=str(fifo))["data"] == ""


def test_sysfs_read_tells_what_failed(agent: Agent, tmp_path: Path) -> None:
    assert agent.call("sysfs_read", path=f"{tmp_path}/no")["error"] == f"open {tmp_path}/no"
    assert agent.call("sysfs_read", path=str(tmp_path))["error"] == f"read {tmp_path}"


def test_file_write_replaces_what_was_there(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("something longer", encoding="utf-8")
    assert agent.ok("file_write", path=str(path), data="ä1")["ret"] == 3
    assert path.read_text(encoding="utf-8") == "ä1"


def test_file_write_does_not_create(agent: Agent, tmp_path: Path) -> None:
    assert agent.fails("file_write", path=str(tmp_path / "no"), data="1") == "ENOENT"
    assert not (tmp_path / "no").exists()


def test_file_write_tells_the_errno_of_the_write(agent: Agent) -> None:
    assert agent.fails("file_write", path="/dev/full", data="1") == "ENOSPC"


def test_list_is_sorted(agent: Agent, tmp_path: Path) -> None:
    for name in ("b", "a", ".hidden", "ü"):
        (tmp_path / name).touch()
    assert agent.ok("list", path=str(tmp_path))["entries"] == [".hidden", "a", "b", "ü"]
    assert agent.fails("list", path=str(tmp_path / "no")) == "ENOENT"
    assert agent.fails("list", path=str(tmp_path / "a")) == "ENOTDIR"


def test_readlink(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("../some/where")
    assert agent.ok("readlink", path=str(tmp_path / "link"))["target"] == "../some/where"
    assert agent.fails("readlink", path=str(tmp_path)) == "EINVAL"


def test_wait_path_that_is_there_returns_at_once(agent: Agent, tmp_path: Path) -> None:
    assert agent.ok("wait_path", path=str(tmp_path), timeout_ms=0)["path"] == str(tmp_path)
    agent.ok("wait_path", path=str(tmp_path / "no"), present=False, timeout_ms=0)


def test_wait_path_counts_a_dangling_link_as_there(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    agent.ok("wait_path", path=str(tmp_path / "link"), timeout_ms=0)


def test_wait_path_times_out(agent: Agent, tmp_path: Path) -> None:
    reply = agent.call("wait_path", path=str(tmp_path / "no"), timeout_ms=60)
    assert reply["errno"] == "ETIMEDOUT"
    assert 60_000_000 <= reply["t1"] - reply["t0"]
    assert agent.fails("wait_path", path=str(tmp_path), present=False, timeout_ms=5) == "ETIMEDOUT"


def test_wait_path_sees_a_file_come_and_go(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    request_id = agent.send("wait_path", path=str(path), worker=1)
    agent.wait_blocked(1)
    path.parent.mkdir()
    assert not agent.has_reply(request_id)
    path.touch()
    assert agent.reply(request_id)["ok"] is True
    request_id = agent.send("wait_path", path=str(path), present=False, worker=1)
    agent.wait_blocked(1)
    path.unlink()
    assert agent.reply(request_id)["ok"] is True


def test_wait_path_matches_a_pattern(agent: Agent, tmp_path: Path) -> None:
    pattern = str(tmp_path / "rpmsg[0-9]*")
    (tmp_path / "rpmsg_ctrl0").touch()
    request_id = agent.send("wait_path", path=pattern, glob=True, worker=1)
    agent.wait_blocked(1)
    threading.Thread(target=(tmp_path / "rpmsg0").touch).start()
    assert agent.reply(request_id)["path"] == str(tmp_path / "rpmsg0")
    assert agent.fails("wait_path", path=pattern, timeout_ms=0) == "ETIMEDOUT"


def test_wait_path_can_be_interrupted(agent: Agent, tmp_path: Path) -> None:
    request_id = agent.send("wait_path", path=str(tmp_path / "no"), worker=1)
    agent.wait_blocked(1)
    agent.ok("signal", worker=1)
    assert agent.reply(request_id)["errno"] == errno.errorcode[errno.EINTR]


def test_exchange_reads_again_what_it_wrote(agent: Agent, fifo: Path) -> None:
    # What is written to a FIFO that the same process reads comes back, as from a service that echoes.
    reply = agent.call("exchange", fd=agent.open(fifo, "rdwr"), count=1000, window=64)
    assert (reply["ok"], reply["ret"], reply["wrong"]) == (True, 1000, 0)


def test_exchange_counts_messages_that_are_not_the_expected_ones(
    agent: Agent, fifo: Path
) -> None:
    fd = agent.open(fifo, "rdwr")
    agent.call("write", fd=fd, data="ffffffff")
    reply = agent.call("exchange", fd=fd, count=8, window=4)
    assert (reply["ok"], reply["ret"], reply["wrong"]) == (True, 8, 8)


def test_traffic_counts_what_came_back(agent: Agent, fifo: Path) -> None:
    # A FIFO keeps no borders between messages, so there is one at a time.
    fd = agent.open(fifo, "rdwr", "nonblock")
    reply = agent.call("traffic", fd=fd, ms=50, first=1 << 40)
    assert reply["ok"] and reply["ended"] == "time"
    assert reply["sent"] == reply["received"] > 0
    for wrong in ("lost", "missing", "doubled", "reordered", "damaged"):
        assert reply[wrong] == 0, wrong


def test_traffic_counts_damage_and_gives_up(agent: Agent, fifo: Path) -> None:
    fd = agent.open(fifo, "rdwr", "nonblock")
    agent.call("write", fd=fd, data="ff")
    reply = agent.call("traffic", fd=fd, ms=5000, timeout_ms=100)
    assert (reply["sent"], reply["received"], reply["damaged"]) == (1, 0, 1)
    assert (reply["missing"], reply["ended"]) == (1, "ETIMEDOUT")


def test_traffic_tells_the_errno_that_ended_it(agent: Agent, fifo: Path) -> None:
    fd = agent.open(fifo, "rdonly", "nonblock")
    reply = agent.call("traffic", fd=fd, ms=5000)
    assert (reply["sent"], reply["ended"]) == (0, "EBADF")
