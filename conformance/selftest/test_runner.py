# SPDX-License-Identifier: BSD-2-Clause
"""The runner with cases that go wrong in every way: what is said, and that the next case is fine.

Each run is one of ``rpmsg-conform remote`` with a suite made for the test, against a real rpmsg-sim.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import CONFORMANCE

from rpmsg_conformance import processes, suite_run
from rpmsg_conformance.cli import main

HEAD = """
import os, signal, subprocess, sys, threading
import pytest
from rpmsg_conformance import processes
from rpmsg_conformance.expect import expect
must = pytest.mark.requirement("HD-002")
should = pytest.mark.requirement("HD-007")
"""

#: The case after the bad one: it finds a remote that serves, or it fails.
NEXT = """
@pytest.mark.requirement("HD-024")
def test_next(host): host.check()
"""

Report = dict[str, Any]
Runner = Callable[..., tuple[int, Report]]


@pytest.fixture
def runner(
    tmp_path: Path, simulator_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Runner:
    """runner(source, option, ...): exit status and report of a suite that consists of ``source``
    and test_next. ``launch`` is the command of the remote."""
    suites = tmp_path / "suites"
    (suites / "remote").mkdir(parents=True)
    (suites / "pyproject.toml").write_text("")
    shutil.copy(CONFORMANCE / "uncovered.toml", suites)
    monkeypatch.setattr(suite_run, "SUITES", suites)

    def run(source: str, *options: str, launch: str | None = None) -> tuple[int, Report]:
        # A name of its own: modules are imported into this process.
        module = f"test_suite_{tmp_path.name}.py"
        (suites / "remote" / module).write_text(HEAD + textwrap.dedent(source) + NEXT)
        command = launch or f"{simulator_path} --socket-path {{socket}} --service echo"
        report = tmp_path / "report"
        status = main(
            ["remote", "--launch", command, "--report", str(report), "--timeout-factor", "0.5",
             *options]
        )
        content: Report = json.loads((report / "report.json").read_text())
        return status, content

    return run


def cases(report: Report) -> dict[str, Report]:
    """The cases of a report by name."""
    return {case["name"]: case for r in report["requirements"] for case in r["cases"]}


@pytest.mark.parametrize(
    ("source", "status", "verdict", "says"),
    [
        ("@must\ndef test_it(host): host.check()", 0, "PASS", ""),
        ("@must\ndef test_it(host): expect(False, expected='a', observed='b')", 1, "FAIL",
         "expected a; observed b"),
        ("@should\ndef test_it(host): expect(False, expected='a', observed='b')", 0, "WARN",
         "expected a; observed b"),
        ("@must\n@pytest.mark.deadline(1)\ndef test_it(host): threading.Event().wait(60)", 1,
         "TIMEOUT", "did not end within its 0.5 s"),
        ("@must\ndef test_it(host, remote): os.kill(remote.pid, signal.SIGSEGV); host.check()", 1,
         "DIED", "the remote ended: rpmsg-sim was ended by SIGSEGV"),
        ("@must\ndef test_it(host, remote): os.kill(remote.pid, signal.SIGSTOP)", 1, "WEDGED",
         "the remote lives, but"),
        ("@must\ndef test_it(host): subprocess.Popen(['sleep', '1000'])", 3, "HARNESS",
         "the case left a process behind: sleep 1000"),
        ("@pytest.fixture\ndef bad(): raise RuntimeError('no set-up')\n"
         "@must\ndef test_it(bad): pass", 3, "HARNESS", "RuntimeError: no set-up"),
        ("@pytest.fixture\ndef bad():\n    yield\n    raise RuntimeError('no teardown')\n"
         "@must\ndef test_it(bad, host): pass", 3, "HARNESS", "RuntimeError: no teardown"),
        ("@pytest.fixture\ndef bad(): expect(False, expected='a', observed='b')\n"
         "@must\ndef test_it(bad): pass", 1, "BLOCKED", "prerequisite not met"),
    ],
)
def test_runner_case_that_goes_wrong_is_told_and_the_next_one_is_fine(
    source: str, status: int, verdict: str, says: str, runner: Runner
) -> None:
    seen, report = runner(source + "\n")
    found = cases(report)
    assert (found["test_it"]["verdict"], says in found["test_it"]["message"]) == (verdict, True)
    assert found["test_next"]["verdict"] == "PASS"
    assert (seen, report["exit_code"]) == (status, status)
    assert processes.strays() == []


def test_runner_garbage_on_the_output_does_no_harm(
    runner: Runner, capfd: pytest.CaptureFixture[str]
) -> None:
    status, report = runner(
        """
        @must
        def test_it(host):
            os.write(1, bytes(range(256)))
            os.write(2, b"\\xff\\xfe\\n")
            print("\\x1b[2J")
            host.check()
        """
    )
    assert status == 0
    assert cases(report)["test_it"]["verdict"] == "PASS"
    capfd.readouterr()


def test_runner_garbage_in_a_message_is_readable_in_every_report(
    runner: Runner, tmp_path: Path
) -> None:
    import xml.etree.ElementTree as ElementTree

    status, report = runner(
        """
        @must
        def test_it(host):
            expect(False, expected="\\x00\\x1b[31m\\ud800</script>", observed="\\u202e]]>")
        """
    )
    assert status == 1
    ElementTree.parse(tmp_path / "report/junit.xml")
    assert "\x1b" not in (tmp_path / "report/index.html").read_text()


def test_runner_descriptor_left_open_is_noted(runner: Runner) -> None:
    status, report = runner(
        """
        @must
        def test_it(host): os.open("/dev/zero", os.O_RDONLY)
        @should
        def test_clean(host, connect): connect().check()
        """
    )
    assert status == 0
    found = cases(report)
    [note] = found["test_it"]["notes"]
    assert note.startswith("the case left descriptor ") and note.endswith("open: /dev/zero")
    assert found["test_clean"]["notes"] == found["test_next"]["notes"] == []
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}") == "/dev/zero":
                os.close(int(name))
        except OSError:
            pass


def test_runner_dead_remote_leaves_its_last_words_and_status(
    runner: Runner, tmp_path: Path, simulator_path: Path
) -> None:
    program = tmp_path / "firmware"
    program.write_text(
        f'#!/bin/bash\n{simulator_path} --socket-path "$1" --service echo &\n'
        "trap 'kill -9 $!; echo assertion failed: ring >&2; exit 42' USR1\nwait\n"
    )
    program.chmod(0o755)
    status, report = runner(
        "@must\ndef test_it(host, remote):\n    os.kill(remote.pid, signal.SIGUSR1)\n"
        "    remote._child.wait(10)\n    host.check()\n",
        launch=f"{program} {{socket}}",
    )
    assert status == 1
    case = cases(report)["test_it"]
    assert case["verdict"] == "DIED"
    assert "firmware exited with status 42" in case["message"]
    assert case["console"][-1] == "assertion failed: ring"
    assert cases(report)["test_next"]["verdict"] == "PASS"
    assert report["target"]["starts"] == "2"


def test_runner_children_of_the_remote_go_with_it(
    runner: Runner, tmp_path: Path, simulator_path: Path
) -> None:
    program = tmp_path / "firmware"
    program.write_text(
        f"#!/bin/bash\nsleep 1000 & echo $! >{tmp_path}/pid\n"
        f'exec {simulator_path} --socket-path "$1" --service echo\n'
    )
    program.chmod(0o755)
    status, _ = runner("", launch=f"{program} {{socket}}")
    assert status == 0
    pid = int((tmp_path / "pid").read_text())
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    # Killed already, but perhaps not yet reaped by whoever inherited it.
    assert select.select([pidfd], [], [], 10)[0]
    os.close(pidfd)


def test_runner_should_fails_the_run_with_strict_only(runner: Runner) -> None:
    source = "@should\ndef test_it(host): expect(False, expected='a', observed='b')\n"
    assert runner(source)[0] == 0
    assert runner(source, "--strict")[0] == 1


def test_runner_level_leaves_the_others_out(runner: Runner) -> None:
    source = "@should\ndef test_it(host): expect(False, expected='a', observed='b')\n"
    status, report = runner(source, "--strict", "--level", "must")
    assert status == 0
    assert list(cases(report)) == ["test_next"]
    assert report["counts"]["cases_left_out"] == 1


def test_runner_deadline_follows_the_timeout_factor(runner: Runner) -> None:
    source = "@must\n@pytest.mark.deadline(0.5)\ndef test_it(): threading.Event().wait(0.3)\n"
    assert cases(runner(source)[1])["test_it"]["verdict"] == "TIMEOUT"
    # The last one given counts.
    assert cases(runner(source, "--timeout-factor", "4")[1])["test_it"]["verdict"] == "PASS"


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_runner_interruption_leaves_nothing_and_tells_what_was_done(
    jobs: str, tmp_path: Path, simulator_path: Path
) -> None:
    """Ctrl-C in the middle of the suite: 130, no process, no socket, a report."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    program = tmp_path / "firmware"
    program.write_text(
        f"#!/bin/bash\necho $$ >>{tmp_path}/pids\necho >{tmp_path}/started\n"
        f'exec {simulator_path} --socket-path "$1" --service echo\n'
    )
    program.chmod(0o755)
    os.mkfifo(tmp_path / "started")
    # Open for both: two that write at once are not one end of file, and nobody waits for a reader.
    started = os.open(tmp_path / "started", os.O_RDWR)
    command = [sys.executable, str(CONFORMANCE / "rpmsg-conform"), "remote", "-n", jobs]
    command += ["--launch", f"{program} {{socket}}", "--report", str(tmp_path / "report")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    for _ in range(int(jobs)):
        assert os.read(started, 1) == b"\n"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    os.close(started)
    assert process.returncode == 128 + signal.SIGINT, output
    assert "interrupted by SIGINT" in output
    for pid in (tmp_path / "pids").read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
    assert list(temporary.iterdir()) == []
    assert json.loads((tmp_path / "report/report.json").read_text())["interrupted"] == "SIGINT"
