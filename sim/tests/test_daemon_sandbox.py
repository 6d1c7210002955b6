# SPDX-License-Identifier: BSD-2-Clause
"""What rpmsg-sim may ask of the kernel, and what happens to it when guest memory goes away."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from daemon_frontend import (
    DEADLINE_S,
    GET_FEATURES,
    INPUT,
    OUTPUT,
    SET_STATUS,
    STATUS_DRIVER_OK,
    Attach,
    Connect,
    FrontEnd,
    Host,
    Sim,
    Start,
)

SECCOMP_OFF, SECCOMP_FILTER = "0", "2"  # proc(5), Seccomp


def status(sim: Sim, name: str) -> str:
    lines = Path(f"/proc/{sim.process.pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(name + ":"))


# ---- system calls ----


def test_sandbox_is_entered_by_default_but_in_instrumented_builds(
    start: Start, instrumented: bool
) -> None:
    sim = start()

    assert status(sim, "NoNewPrivs") == "1"
    assert status(sim, "Seccomp") == (SECCOMP_OFF if instrumented else SECCOMP_FILTER)


def test_sandbox_off_leaves_all_calls_allowed(start: Start) -> None:
    assert status(start("--sandbox=off"), "Seccomp") == SECCOMP_OFF


def end_with_call(
    binary: str, folder: Path, call: str, *options: str
) -> subprocess.CompletedProcess[str]:
    """Start rpmsg-sim with daemon_forbidden.so, end it by SIGTERM, and wait for its end."""
    library = Path(binary).resolve().parents[1] / "tests/daemon_forbidden.so"
    assert library.exists(), f"{library} is not built"
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [binary, "--socket-path", str(folder / "s"), "--ready-fd", str(write_end), *options],
        env={**os.environ, "LD_PRELOAD": str(library), "FORBIDDEN": call},
        pass_fds=(write_end,),
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write_end)
    with os.fdopen(read_end, "rb") as ready:
        assert ready.read() == b"ready\n"
    process.terminate()
    _, log = process.communicate(timeout=DEADLINE_S)
    return subprocess.CompletedProcess(process.args, process.returncode, "", log)


@pytest.mark.parametrize("call", ["socket", "openat", "mmap", "execve"])
def test_sandbox_ends_the_program_at_another_call_and_names_it(
    binary: str, tmp_path: Path, instrumented: bool, call: str
) -> None:
    result = end_with_call(binary, tmp_path, call)

    if instrumented:
        assert result.returncode == 0
        return
    assert result.returncode == 1
    assert f"sandbox: the system call {call} is not allowed" in result.stderr


def test_sandbox_lets_files_be_opened_only_for_captures_that_may_come(
    binary: str, tmp_path: Path
) -> None:
    result = end_with_call(binary, tmp_path, "openat", "--control-path", str(tmp_path / "c"))

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("mode", ["log", "off"])
def test_sandbox_that_logs_or_is_off_lets_the_call_be_done(
    binary: str, tmp_path: Path, mode: str
) -> None:
    result = end_with_call(binary, tmp_path, "socket", f"--sandbox={mode}")

    assert result.returncode == 0
    assert "forbidden call: ending" in result.stderr


# ---- guest memory ----


def host_of(sim: Sim) -> Host:
    host = Host(FrontEnd(sim.socket_path))
    host.start()
    return host


def test_memory_of_the_guest_stays_out_of_core_dumps(start: Start, attach: Attach) -> None:
    sim = start()
    attach(sim)

    flags: list[str] = []
    inside = False
    for line in Path(f"/proc/{sim.process.pid}/smaps").read_text().splitlines():
        if "-" in line.split()[0] and ":" not in line.split()[0]:
            inside = "memfd:host" in line
        if inside and line.startswith("VmFlags:"):
            flags += line.split()[1:]

    assert "dd" in flags  # do not dump: madvise(2), MADV_DONTDUMP


def assert_survived(sim: Sim, host: Host) -> None:
    """The connection was closed, why was logged, and the next host is served."""
    assert host.front_end.closed_by_peer()
    assert "guest memory is gone" in sim.log_text()
    following = host_of(sim)
    following.receive_announcement()
    following.send(1024, 9, b"next")
    assert following.receive() == (9, 1024, b"next")
    following.close()


def test_memory_that_shrinks_under_a_ring_ends_the_connection_only(
    start: Start, connect: Connect
) -> None:
    sim = start("--service", "echo,addr=9")
    control = connect(sim)
    control.call("events", types=["violation", "disconnected"])
    host = host_of(sim)
    host.receive_announcement()

    os.ftruncate(host.memory_fd, 0)
    host.rings[OUTPUT].notify()

    assert_survived(sim, host)
    assert control.event("disconnected")["reason"] == "its memory went away"
    assert control.call("stats")["violations"] == {}
    host.close()


def test_memory_that_shrinks_under_a_message_ends_the_connection_only(start: Start) -> None:
    sim = start("--service", "echo,addr=9")
    host = host_of(sim)
    host.receive_announcement()
    ring = host.rings[OUTPUT]
    page = ring.buffers & ~0xFFF  # the rings lie below it
    ring.describe(0, Host.GUEST + page, 64, 0)

    ring.expose(0)
    os.ftruncate(host.memory_fd, page)
    ring.notify()

    assert_survived(sim, host)
    host.close()


def test_memory_that_is_gone_before_the_driver_is_ready_ends_the_connection_only(
    start: Start,
) -> None:
    sim = start("--service", "echo,addr=9")
    host = Host(FrontEnd(sim.socket_path))
    host.set_up()

    os.ftruncate(host.memory_fd, 0)
    host.front_end.send(SET_STATUS, struct.pack("<Q", STATUS_DRIVER_OK))

    assert_survived(sim, host)
    host.close()


def test_memory_that_shrinks_while_buffers_are_held_ends_the_connection_only(
    start: Start, connect: Connect
) -> None:
    sim = start("--service", "echo,addr=9")
    control, host = connect(sim), host_of(sim)
    host.receive_announcement()
    control.call("hold", queue=INPUT)
    control.call("hold", queue=OUTPUT)
    control.call("events", types=["message"])
    host.send(1024, 9, b"held")
    control.event("message")

    os.ftruncate(host.memory_fd, 0)
    control.call("release", queue=INPUT)

    control.call("release", queue=OUTPUT)
    assert_survived(sim, host)
    host.close()


def test_memory_of_one_remote_that_shrinks_leaves_the_others_alone(
    start: Start, tmp_path: Path
) -> None:
    sim = start(
        *["--remote", "a", "--socket-path", str(tmp_path / "sim.sock"), "--service", "e,addr=9"],
        *["--remote", "b", "--socket-path", str(tmp_path / "b.sock"), "--service", "e,addr=9"],
    )
    first, second = host_of(sim), Host(FrontEnd(tmp_path / "b.sock"))
    second.start()
    first.receive_announcement()
    second.receive_announcement()

    os.ftruncate(first.memory_fd, 0)
    first.rings[OUTPUT].notify()

    assert_survived(sim, first)
    second.send(1024, 9, b"alive")
    assert second.receive() == (9, 1024, b"alive")
    first.close()
    second.close()


def test_memory_file_shorter_than_its_region_is_refused_before_it_is_mapped(
    start: Start, connect: Connect
) -> None:
    sim = start()
    host = Host(FrontEnd(sim.socket_path))
    os.ftruncate(host.memory_fd, Host.MEMORY // 2)

    with pytest.raises(AssertionError, match="request 5 was refused"):
        host.start()

    assert connect(sim).call("stats")["violations"] == {"vu-mem-fd": 1}
    assert host.front_end.ask_u64(GET_FEATURES)
    host.close()
