# SPDX-License-Identifier: BSD-2-Clause
"""Nothing is left behind, however the program ends."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import CONFORMANCE

from rpmsg_conformance import processes

#: Starts three children (one ignores SIGTERM, one has a child of its own) and a folder with a socket,
#: says where they are, and waits to be ended.
PROGRAM = """
import signal, socket, subprocess, sys
from rpmsg_conformance import processes
processes.GRACE_SECONDS = 0.3
try:
    with processes.guarded():
        folder = processes.temporary_folder()
        socket.socket(socket.AF_UNIX).bind(str(folder / "a.sock"))
        commands = (
            "echo $$; exec sleep 1000",
            "trap '' TERM; echo $$; while :; do sleep 1000; done",
            "sleep 1000 & echo $!; wait",
        )
        pids = []
        for command in commands:
            child = processes.spawn(["sh", "-c", command], name="x", stdout=subprocess.PIPE)
            pids += [str(child.pid), child.process.stdout.readline().decode().strip()]
        print(folder, *pids, flush=True)
        {ending}
except processes.Interrupted as error:
    sys.exit(100 + error.number)
"""

#: Not pause(): a signal that comes just before it would be waited for again, for ever.
WAIT = "while True: signal.sigtimedwait([], 0.1)"


class Program:
    """The program above, and what it said that it started."""

    def __init__(self, ending: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(ending=ending)],
            stdout=subprocess.PIPE,
            cwd=CONFORMANCE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        folder, *pids = self.process.stdout.readline().split()
        self.folder = Path(folder)
        self.children = [os.pidfd_open(pid) for pid in {int(pid) for pid in pids}]

    def expect_all_gone(self) -> None:
        """Every child ends; the wait is for the end itself."""
        for pidfd in self.children:
            assert select.select([pidfd], [], [], 10)[0], "a child is still running"

    def close(self) -> None:
        for pidfd in self.children:
            try:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            except ProcessLookupError:
                pass
            os.close(pidfd)
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    started: list[Program] = []
    yield started
    for program in started:
        program.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_processes_signal_leaves_nothing(
    number: signal.Signals, programs: list[Program]
) -> None:
    program = Program(WAIT)
    programs.append(program)
    program.process.send_signal(number)
    assert program.process.wait(20) == 100 + number
    program.expect_all_gone()
    assert not program.folder.exists()


@pytest.mark.parametrize(
    ("ending", "status"), [("pass", 0), ("raise RuntimeError", 1), ("sys.exit(7)", 7)]
)
def test_processes_other_ends_leave_nothing(
    ending: str, status: int, programs: list[Program]
) -> None:
    program = Program(ending)
    programs.append(program)
    assert program.process.wait(20) == status
    program.expect_all_gone()
    assert not program.folder.exists()


def test_processes_second_signal_does_not_stop_the_cleaning_up(programs: list[Program]) -> None:
    program = Program(WAIT)
    programs.append(program)
    for _ in range(5):
        program.process.send_signal(signal.SIGINT)
    assert program.process.wait(20) == 100 + signal.SIGINT
    program.expect_all_gone()
    assert not program.folder.exists()


def test_processes_direct_children_go_when_the_program_is_killed(programs: list[Program]) -> None:
    program = Program(
        "p = processes.spawn(['sleep', '1000'], name='y')\n"
        "        print(p.pid, flush=True)\n"
        "        signal.pause()"
    )
    programs.append(program)
    assert program.process.stdout is not None
    pidfd = os.pidfd_open(int(program.process.stdout.readline()))
    program.process.kill()
    assert select.select([pidfd], [], [], 10)[0], "the child is still running"
    os.close(pidfd)


def test_processes_signal_while_a_child_is_made_is_obeyed_once_it_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A signal between the child's start and its registration: the child must not be forgotten."""
    started: list[int] = []
    popen = subprocess.Popen

    def interrupted(*arguments: Any, **options: Any) -> Any:
        process = popen(*arguments, **options)
        started.append(process.pid)
        os.kill(os.getpid(), signal.SIGINT)
        return process

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(processes.Interrupted), processes.guarded():
        processes.spawn(["sleep", "1000"], name="x")
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


def test_processes_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with processes.guarded():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_processes_child_tells_how_it_ended() -> None:
    child = processes.spawn(["sh", "-c", "exit 3"], name="a program")
    assert child.wait(10) == 3
    assert child.describe_end() == "a program exited with status 3"
    child.stop()
    child = processes.spawn(["sleep", "1000"], name="a program")
    assert child.wait(0.0) is None
    child.stop()
    assert child.describe_end() == "a program was ended by SIGTERM"


def test_processes_are_started_by_the_main_thread_only() -> None:
    raised: list[Exception] = []

    def start() -> None:
        try:
            processes.spawn(["true"], name="x")
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert len(raised) == 1


def test_processes_program_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        processes.spawn(["/does/not/exist"], name="x")


def test_processes_folder_fits_sockets_even_under_a_long_tmpdir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    folder = processes.temporary_folder()
    assert len(str(folder / "control.sock")) < 108
    processes.remove_folder(folder)
    assert not folder.exists()
    assert list(deep.iterdir()) == []
