# SPDX-License-Identifier: BSD-2-Clause
"""What cases of the remote suite do to a remote, and which verdicts come of it."""

from __future__ import annotations

import gc
import itertools
import os
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import entry

from rpmsg_conformance import catalogue, remote_fixtures
from rpmsg_conformance.baseline import Baseline
from rpmsg_conformance.expect import TargetDied, TargetUnreachable
from rpmsg_conformance.pytest_plugin import ConformPlugin, run_pytest
from rpmsg_conformance.remote_target import RemoteTarget
from rpmsg_conformance.results import CaseResult
from rpmsg_conformance.sim import Simulator

HEAD = """
import os, signal
import pytest
from rpmsg_conformance.virtio.config import Config
from rpmsg_conformance.virtio.constants import Feature
from rpmsg_conformance.virtio.errors import *
must = pytest.mark.requirement("BF-001")

def append(remote, text):
    with remote.log_path.open("a") as log:
        log.write(text)
"""

_serial = itertools.count()

Run = Callable[[str], list[CaseResult]]


@pytest.fixture
def target(simulator_path: Path, tmp_path: Path) -> Iterator[RemoteTarget]:
    """An rpmsg-sim with an echo service, started by the target."""
    command = [str(simulator_path), "--socket-path", "{socket}", "--service", "echo"]
    made = RemoteTarget(
        socket=None, launch=command, echo_name=None, echo_addr=None, folder=tmp_path / "remote",
        timeout_factor=0.5,
    )
    yield made
    made.close()


@pytest.fixture
def run(tmp_path: Path, target: RemoteTarget) -> Run:
    """run(source): the results of a suite that consists of this source, in its order."""

    def start(source: str) -> list[CaseResult]:
        number = next(_serial)
        suite = tmp_path / f"suite{number}"
        suite.mkdir()
        (tmp_path / "pyproject.toml").write_text("")
        (tmp_path / "small.toml").write_text(entry("BF-001", "must", "A must."))
        (suite / f"test_of_remotes_{number}.py").write_text(HEAD + textwrap.dedent(source))
        plugin = ConformPlugin(
            catalogue=catalogue.load(tmp_path / "small.toml"),
            select=(),
            exclude=(),
            levels=(),
            target=target,
            listener=None,
            load_baseline=lambda cases: Baseline(),
            repeat_command=["rpmsg-conform", "remote"],
            report=tmp_path / "report",
        )
        run_pytest(plugin, suite, [remote_fixtures])
        assert plugin.harness == []
        assert plugin.sanity == []
        assert plugin.unreachable is None
        return [result for results in plugin.results.values() for result in results]

    return start


@pytest.mark.parametrize(
    ("body", "verdict", "says"),
    [
        ("host.check()", "PASS", ""),
        ("raise PeerTimeout('nothing came')", "FAIL", "an answer in time; observed nothing came"),
        ("raise PeerClosed('it hung up')", "FAIL", "the connection to stay open"),
        ("raise ReplyMalformed('nonsense')", "FAIL", "a well-formed reply"),
        ("raise RingBroken('a jump')", "FAIL", "a used ring that can be followed"),
        ("host.session.frontend.set_vring_num(0, 3)", "FAIL", "the request to be accepted"),
        ("host.close(); connect(Config().with_features(Feature.RING_PACKED))", "SKIP", "RING_PACKED"),
        ("os.kill(remote.pid, signal.SIGKILL); host.check()", "DIED", "ended by SIGKILL"),
        ("os.kill(remote.pid, signal.SIGABRT)", "DIED", "ended by SIGABRT"),
        ("os.kill(remote.pid, signal.SIGKILL); connect()", "DIED", "ended by SIGKILL"),
        ("remote.timeout_factor = 0.2; os.kill(remote.pid, signal.SIGSTOP); host.check()", "WEDGED", "no message from"),
        ("remote.timeout_factor = 0.2; os.kill(remote.pid, signal.SIGSTOP)", "WEDGED", "the remote lives, but"),
        ("append(remote, '==1==ERROR: AddressSanitizer: x\\n')", "DIED",
         "ERROR: AddressSanitizer: x"),
        ("append(remote, 'a.c:1:2: runtime error: shift\\n')", "DIED",
         "runtime error: shift"),
        ("host.anything_that_does_not_exist()", "HARNESS", "AttributeError"),
    ],
)
def test_remote_target_end_of_a_case_decides(
    body: str, verdict: str, says: str, run: Run
) -> None:
    first, second = run(
        f"""
        @must
        def test_first(host, connect, remote):
            {body}

        @must
        def test_second(host):
            host.check()
        """
    )
    assert (first.verdict, says in first.message) == (verdict, True), first.message
    # Whatever the first did, the second finds a remote that serves.
    assert second.verdict == "PASS"


def test_remote_target_starts_again_only_after_damage(run: Run, target: RemoteTarget) -> None:
    run("@must\ndef test_it(host): host.check()\n")
    assert target.starts == 1
    run("@must\ndef test_it(remote): os.kill(remote.pid, signal.SIGSEGV)\n")
    assert target.starts == 2


def test_remote_target_keeps_the_last_words_of_a_dead_remote(run: Run) -> None:
    [result] = run(
        """
        @must
        def test_it(host, remote):
            with remote.log_path.open("a") as log:
                log.write("panic: out of cheese\\n")
            os.kill(remote.pid, signal.SIGKILL)
            host.check()
        """
    )
    assert result.console[-1] == "panic: out of cheese"


def test_remote_target_that_was_not_started_here_dies_for_good(
    simulator_path: Path, socket_folder: Path, tmp_path: Path
) -> None:
    simulator = Simulator(simulator_path, socket_folder, tmp_path / "sim.log", ["echo"])
    target = RemoteTarget(
        socket=simulator.socket_path, launch=None, echo_name=None, echo_addr=None, folder=None
    )
    assert target.sanity() is None
    os.kill(simulator.pid, 9)
    with pytest.raises(TargetDied, match="cannot be reached any more"):
        target.check_alive()
    with pytest.raises(TargetUnreachable):
        target.connect()
    simulator.stop()


def test_remote_target_notes_what_else_is_wrong(run: Run) -> None:
    [result] = run(
        """
        from rpmsg_conformance.virtio.anomaly import Kind

        @must
        def test_it(host):
            host.log.record(Kind.USED_TWICE, 0, 1, "once", "twice")
        """
    )
    assert result.verdict == "PASS"
    assert result.notes == [
        "seen besides: used entry returns a buffer that was returned already"
    ]


def test_remote_target_leaves_nothing_open(run: Run, target: RemoteTarget) -> None:
    run("@must\ndef test_it(host): host.check()\n")
    target.close()
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    run("@must\ndef test_it(host, connect): host.close(); connect().check()\n")
    target.close()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
