# SPDX-License-Identifier: BSD-2-Clause
"""scripts/lib.sh: nothing outlives a script that is ended."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SCRIPTS

Bash = Callable[[str], subprocess.Popen[str]]


def hear_signals() -> None:
    """Undo what nohup and a shell's `&` leave behind: bash cannot trap what was ignored before."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def bash(environment: dict[str, str]) -> Bash:
    """bash(TEXT) starts a script that has sourced lib.sh and then runs TEXT."""

    def start(text: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["/bin/bash", "-c", f". {SCRIPTS}/lib.sh; {text}", "script"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=hear_signals,
        )

    return start


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def gone(pid: int) -> bool:
    """Whether a process of somebody else has ended, be it collected already or not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state in "ZX"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("ticks", ["", "TICK_SECONDS=60;"])
def test_lib_signal_ends_children_and_removes_work(
    bash: Bash, tmp_path: Path, number: signal.Signals, ticks: str
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    process = bash(
        f"cleanup_on_exit {work}; {ticks} run_group bash -c 'sleep 300 & echo $!; echo $$; wait'"
    )
    pids = [int(line(process)), int(line(process))]
    process.send_signal(number)
    assert process.wait(20) == 128 + number
    assert all(gone(pid) for pid in pids)
    assert not work.exists()


def test_lib_run_group_passes_the_status_on(bash: Bash) -> None:
    process = bash("run_group bash -c 'exit 7' || echo $?")
    assert line(process) == "7"
    process.wait(10)


def test_lib_run_group_with_ticks_passes_the_status_on(bash: Bash) -> None:
    process = bash("TICK_SECONDS=0.1; tick() { :; }; run_group bash -c 'sleep 0.5; exit 7' || echo $?")
    assert line(process) == "7"
    process.wait(10)


def test_lib_run_group_leaves_no_grandchild(bash: Bash) -> None:
    process = bash("run_group bash -c 'sleep 300 & echo $!'")
    pid = int(line(process))
    assert process.wait(20) == 0
    assert gone(pid)


def test_lib_lock_is_held_until_the_script_ends(bash: Bash, tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    first = bash(f"with_lock x; echo first; read -r _ <{go}")
    assert line(first) == "first"
    second = bash("with_lock x 2>&1; echo second")
    assert line(second) == "waiting for another run that prepares x"
    go.write_text("go\n")
    assert line(second) == "second"
    assert first.wait(10) == second.wait(10) == 0


def test_lib_lock_removes_what_an_interrupted_run_left(bash: Bash, tmp_path: Path) -> None:
    left = tmp_path / "cache/rpmsg-testbench/tmp.x.abc"
    left.mkdir(parents=True)
    assert bash("with_lock x").wait(10) == 0
    assert not left.exists()
