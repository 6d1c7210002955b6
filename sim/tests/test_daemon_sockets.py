# SPDX-License-Identifier: BSD-2-Clause
"""Where rpmsg-sim listens, what it does with socket files, how it starts and ends."""

from __future__ import annotations

import os
import resource
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from daemon_frontend import DEADLINE_S, GET_FEATURES, F_NS, FrontEnd, Run, Start


def serves(path: Path) -> bool:
    front_end = FrontEnd(path)
    features = front_end.ask_u64(GET_FEATURES)
    front_end.close()
    return bool(features & F_NS)


def listening_socket(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    sock.listen(4)
    return sock


def test_sockets_ready_fd_says_ready_once_the_sockets_listen(start: Start) -> None:
    sim = start()  # asserts that the descriptor said "ready" and was closed

    assert serves(sim.socket_path)


def test_sockets_files_belong_to_the_user_alone(start: Start) -> None:
    sim = start()

    for path in (sim.socket_path, sim.control_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_sockets_signal_ends_with_status_0_and_removes_the_files(start: Start, number: int) -> None:
    sim = start()

    assert sim.stop(number) == 0
    assert not list(sim.socket_path.parent.glob("*.sock*"))
    assert not list(sim.socket_path.parent.glob("*.ctl*"))


def test_sockets_stale_file_is_taken_over(start: Start, tmp_path: Path) -> None:
    listening_socket(tmp_path / "sim.sock").close()
    listening_socket(tmp_path / "sim.ctl").close()

    sim = start()

    assert serves(sim.socket_path)
    assert f"took over the stale socket {sim.socket_path}" in sim.log_text()


def test_sockets_file_of_a_killed_simulator_is_taken_over(
    binary: str, start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "sim.sock"
    read_end, write_end = os.pipe()
    victim = subprocess.Popen(
        [binary, "--socket-path", str(path), "--ready-fd", str(write_end)],
        pass_fds=(write_end,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    with os.fdopen(read_end, "rb") as ready:
        assert ready.read() == b"ready\n"
    victim.kill()
    victim.wait(DEADLINE_S)
    assert path.exists()

    assert serves(start().socket_path)


def test_sockets_path_of_a_running_simulator_is_refused(start: Start, run: Run) -> None:
    sim = start()

    result = run("--socket-path", str(sim.socket_path))

    assert result.returncode == 1
    assert f"{sim.socket_path} is served by another process" in result.stderr
    assert serves(sim.socket_path)


def test_sockets_control_path_in_use_is_refused_and_nothing_is_left(
    start: Start, run: Run, tmp_path: Path
) -> None:
    sim = start()

    result = run("--socket-path", str(tmp_path / "b"), "--control-path", str(sim.control_path))

    assert result.returncode == 1
    assert f"{sim.control_path} is served by another process" in result.stderr
    assert not list(tmp_path.glob("b*"))


def test_sockets_path_of_another_program_is_refused_and_left_alone(
    run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "other.sock"
    other = listening_socket(path)

    result = run("--socket-path", str(path))

    assert result.returncode == 1
    assert f"{path} is served by another program" in result.stderr
    assert path.exists() and not path.with_name("other.sock.lock").exists()
    other.close()


def test_sockets_ordinary_file_is_refused_and_left_alone(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")

    result = run("--socket-path", str(path))

    assert result.returncode == 1
    assert f"{path} exists and is not a socket" in result.stderr
    assert path.read_text() == "data"


def test_sockets_missing_directory_is_named(run: Run, tmp_path: Path) -> None:
    result = run("--socket-path", str(tmp_path / "none" / "sock"))

    assert result.returncode == 1
    assert f"{tmp_path}/none/sock" in result.stderr
    assert "No such file or directory" in result.stderr


def test_sockets_file_that_somebody_replaced_is_not_removed(start: Start) -> None:
    sim = start()
    sim.socket_path.unlink()
    other = listening_socket(sim.socket_path)

    sim.stop()

    assert sim.socket_path.exists()
    other.close()


def test_sockets_listening_fd_serves_one_front_end_after_the_other(
    start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "given.sock"
    listener = listening_socket(path)
    fd = listener.fileno()

    start("--fd", str(fd), pass_fds=(fd,))

    assert serves(path) and serves(path)
    listener.close()


def test_sockets_connected_fd_is_served_until_it_closes(start: Start) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    sim = start("--fd", str(theirs.fileno()), pass_fds=(theirs.fileno(),))
    theirs.close()
    front_end = FrontEnd(sock=ours)

    assert front_end.ask_u64(GET_FEATURES) & F_NS
    front_end.close()

    assert sim.process.wait(DEADLINE_S) == 0


def unusable_descriptor(kind: str) -> int:
    if kind == "file":
        return os.open("/dev/null", os.O_RDONLY)
    family, sort = {
        "internet": (socket.AF_INET, socket.SOCK_STREAM),
        "datagram": (socket.AF_UNIX, socket.SOCK_DGRAM),
        "unconnected": (socket.AF_UNIX, socket.SOCK_STREAM),
    }[kind]
    return socket.socket(family, sort).detach()


@pytest.mark.parametrize(
    "kind, reason",
    [
        ("file", "it is not a socket"),
        ("internet", "it is not a unix socket"),
        ("datagram", "it is not a stream socket"),
        ("unconnected", "it neither listens nor is connected"),
    ],
)
def test_sockets_unusable_fd_is_refused_with_its_reason(run: Run, kind: str, reason: str) -> None:
    fd = unusable_descriptor(kind)

    result = run("--fd", str(fd), pass_fds=(fd,))

    os.close(fd)
    assert result.returncode == 1
    assert f"descriptor {fd} cannot be served: {reason}" in result.stderr


def test_sockets_closed_fd_is_refused(run: Run) -> None:
    result = run("--fd", "99")

    assert result.returncode == 1
    assert "descriptor 99 cannot be served: it is not open" in result.stderr


def test_sockets_closed_ready_fd_is_refused_and_nothing_is_left(run: Run, tmp_path: Path) -> None:
    result = run("--socket-path", str(tmp_path / "a"), "--ready-fd", "99")

    assert result.returncode == 1
    assert "--ready-fd 99: cannot write" in result.stderr
    assert not list(tmp_path.iterdir())


# A service manager's part of sd_listen_fds(3): the socket becomes descriptor 3 of the program.
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""


def test_sockets_listen_fds_of_a_service_manager_is_served(binary: str, tmp_path: Path) -> None:
    path = tmp_path / "activated.sock"
    listener = listening_socket(path)
    command = [sys.executable, "-c", ACTIVATE, str(listener.fileno()), "1", binary]
    process = subprocess.Popen(
        command, pass_fds=(3, listener.fileno()), stderr=subprocess.DEVNULL
    )
    listener.close()

    assert serves(path)

    process.terminate()
    assert process.wait(DEADLINE_S) == 0
    assert path.exists()  # it belongs to the service manager


def test_sockets_listen_fds_with_two_sockets_is_refused(binary: str, tmp_path: Path) -> None:
    listener = listening_socket(tmp_path / "activated.sock")

    result = subprocess.run(
        [sys.executable, "-c", ACTIVATE, str(listener.fileno()), "2", binary],
        pass_fds=(listener.fileno(),),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )

    listener.close()
    assert result.returncode == 2
    assert 'LISTEN_FDS is "2": one socket is expected' in result.stderr


def test_sockets_once_ends_after_the_first_front_end(start: Start) -> None:
    sim = start("--once")

    assert serves(sim.socket_path)

    assert sim.process.wait(DEADLINE_S) == 0
    assert not sim.socket_path.exists()


def test_sockets_second_front_end_waits_until_the_first_has_left(start: Start) -> None:
    sim = start()
    first = FrontEnd(sim.socket_path)
    first.ask_u64(GET_FEATURES)
    second = FrontEnd(sim.socket_path)
    second.send(GET_FEATURES)

    second.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        second.reply()
    first.close()
    second.sock.settimeout(DEADLINE_S)

    assert second.reply()
    second.close()


def test_sockets_hundred_reconnects_are_served(start: Start) -> None:
    sim = start()
    before = len(os.listdir(f"/proc/{sim.process.pid}/fd"))

    assert all(serves(sim.socket_path) for _ in range(100))

    FrontEnd(sim.socket_path).ask_u64(GET_FEATURES)  # the one before is gone for certain
    assert len(os.listdir(f"/proc/{sim.process.pid}/fd")) <= before + 1


def test_sockets_running_out_of_descriptors_does_not_end_the_service(start: Start) -> None:
    sim = start()
    used = {int(fd) for fd in os.listdir(f"/proc/{sim.process.pid}/fd")}
    free = next(fd for fd in range(len(used) + 1) if fd not in used)
    limits = resource.prlimit(sim.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(sim.process.pid, resource.RLIMIT_NOFILE, (free, limits[1]))
    front_end = FrontEnd(sim.socket_path)
    front_end.send(GET_FEATURES)
    front_end.sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        front_end.reply()

    resource.prlimit(sim.process.pid, resource.RLIMIT_NOFILE, limits)
    front_end.sock.settimeout(DEADLINE_S)

    assert front_end.reply()
    assert "cannot accept a connection" in sim.log_text()
    front_end.close()


def test_sockets_hangup_under_nohup_is_ignored(start: Start) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        sim = start()
    finally:
        signal.signal(signal.SIGHUP, before)

    sim.process.send_signal(signal.SIGHUP)

    assert serves(sim.socket_path)


def test_sockets_stuck_reader_of_standard_error_does_not_stop_the_service(
    binary: str, tmp_path: Path
) -> None:
    path = tmp_path / "sim.sock"
    ready, log = os.pipe(), os.pipe()
    process = subprocess.Popen(
        [binary, "--socket-path", str(path), "--log-level", "trace", "--ready-fd", str(ready[1])],
        pass_fds=(ready[1],),
        stderr=log[1],
    )
    os.close(ready[1])
    assert os.read(ready[0], 6) == b"ready\n"
    front_end = FrontEnd(path)

    for _ in range(5000):  # a line each: several times what a pipe holds
        assert front_end.ask_u64(GET_FEATURES)

    os.read(log[0], 1 << 20)  # somebody reads again
    front_end.close()
    assert serves(path)
    process.terminate()
    assert process.wait(DEADLINE_S) == 0
    os.close(log[1])
    assert b"lines lost: standard error was full" in os.read(log[0], 1 << 20)
    os.close(ready[0])
    os.close(log[0])
