# SPDX-License-Identifier: BSD-2-Clause
"""rpmsg-fuzz remote: what is planted is found, made short and shown again; nothing else is found."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz.tools.project import ROOT

#: remote(ARGUMENT...): rpmsg-fuzz remote to its end, its findings in a folder of the test.
Remote = Callable[..., subprocess.CompletedProcess[str]]

#: A fault of adapters/naive.c each: how the finding's name begins, and the operations that are enough.
PLANTED = {
    "crash": ("sigsegv-", 4),
    "wedge": ("wedge-", 8),
    "report": ("asan-heap-buffer-overflow-", 4),
    "rule": ("rule-used-", 4),
}


@pytest.fixture(scope="session")
def released() -> Path:
    """Folder of the programs as they are installed."""
    subprocess.run([ROOT / "scripts" / "build", "release"], check=True)
    return ROOT / "build" / "release" / "bin"


@pytest.fixture
def remote(released: Path, tmp_path: Path) -> Remote:
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [released / "rpmsg-fuzz", "remote", "--findings", tmp_path / "findings", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=200,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    return run


def sim(programs: Path) -> str:
    """Command that starts the simulator."""
    return f"exec {programs / 'rpmsg-sim'} --socket-path {{socket}} --service echo"


def reached(done: subprocess.CompletedProcess[str]) -> int:
    """Counters, from the last lines of a run."""
    match = re.search(r"^coverage: (\d+) counters reached$", done.stdout, re.MULTILINE)
    assert match is not None, done.stdout + done.stderr
    return int(match[1])


@pytest.mark.parametrize("fault", PLANTED)
def test_remote_outside_planted_fault(fault: str, released: Path, remote: Remote, tmp_path: Path) -> None:
    begins, enough = PLANTED[fault]
    done = remote(
        "--launch", f"exec {released / f'fuzz_naive_{fault}'} {{socket}}", "--seconds", "60",
        "--stop-after", "1", "--seed", "1", "--limit", "500" if fault == "wedge" else "5000", "--shrink", "8",
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    (finding,) = (tmp_path / "findings").iterdir()
    assert finding.name.startswith(begins)
    operations = [line for line in (finding / "decoded.txt").read_text().splitlines() if line[0] != "#"]
    assert len(operations) <= enough, "\n".join(operations)
    assert (finding / "stderr.txt").exists()

    again = subprocess.run([finding / "repro"], capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 1, again.stdout + again.stderr
    assert finding.name in again.stdout


@pytest.mark.parametrize("build", ["released", "programs"])
def test_remote_outside_finds_nothing_in_the_simulator(
    build: str, remote: Remote, request: pytest.FixtureRequest
) -> None:
    done = remote(
        "--launch", sim(request.getfixturevalue(build)), "--seconds", "4", "--seed", "1", "--limit", "10000"
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_remote_outside_coverage_reaches_more_than_its_seeds(
    programs: Path, remote: Remote, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus"
    common = ("--launch", sim(programs), "--no-seeds", "--seed", "1")
    seeds = remote(*common, "--runs", "5")
    grown = remote(*common, "--seconds", "4", "--corpus", corpus)
    assert reached(grown) > reached(seeds) > 0
    # What it kept shows the same again.
    assert list(corpus.iterdir())
    assert reached(remote(*common, "--runs", "200", "--corpus", corpus)) > reached(seeds)


def test_remote_outside_coverage_of_this_compiler(released: Path, remote: Remote) -> None:
    command = f"exec {released / 'fuzz_naive_counted'} {{socket}}"
    few = remote("--launch", command, "--no-seeds", "--runs", "1", "--seed", "1")
    many = remote("--launch", command, "--no-seeds", "--seconds", "2", "--seed", "1")
    assert reached(many) > reached(few) > 0


def test_remote_outside_says_when_there_is_no_coverage(released: Path, remote: Remote) -> None:
    done = remote("--launch", f"exec {released / 'fuzz_naive_none'} {{socket}}", "--runs", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no coverage" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "which back-end?"),
        (("--launch", "x {socket}", "--socket", "/tmp/x"), "exclude each other"),
        (("--launch", "x"), "{socket}"),
        (("--socket", "/tmp/x", "--jobs", "2"), "--jobs"),
        (("--launch", "x {socket}", "--seconds", "0"), "--seconds"),
        (("--launch", "x {socket}", "--runs", "many"), "--runs"),
        (("--launch", "x {socket}", "--nonsense"), "--nonsense"),
        (("--launch", "x {socket}", "input"), "input"),
        (("--launch", "exit 3 # {socket}",), "ended before it was asked"),
        (("--launch", "x {socket}", "--replay", "/nonexistent"), "/nonexistent"),
    ],
)  # fmt: skip
def test_remote_outside_bad_command_line(arguments: tuple[str, ...], complaint: str, remote: Remote) -> None:
    done = remote(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    (message,) = done.stderr.splitlines()
    assert message.startswith("rpmsg-fuzz remote: ")
    assert complaint in message


@pytest.mark.parametrize(("arguments", "complaint"), [((), "a command is missing"), (("x",), "'x'")])
def test_rpmsg_fuzz_bad_command(arguments: tuple[str, ...], complaint: str, released: Path) -> None:
    done = subprocess.run(
        [released / "rpmsg-fuzz", *arguments], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 2
    (message,) = done.stderr.splitlines()
    assert complaint in message
