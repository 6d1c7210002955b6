# SPDX-License-Identifier: BSD-2-Clause
"""``rpmsg-conform remote``: what it refuses, exit statuses, and peers that are no remotes."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import CONFORMANCE

from rpmsg_conformance.cli import main

PEER = CONFORMANCE / "selftest/remote_peer.py"

Remote = Callable[..., int]


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """remote(option, ...): exit status of ``rpmsg-conform remote`` in this process."""

    def run(*arguments: object) -> int:
        return main(["remote", "--report", str(tmp_path / "report"), *map(str, arguments)])

    return run


@pytest.fixture
def report(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """report(): the report of the last run."""

    def read() -> dict[str, Any]:
        content: dict[str, Any] = json.loads((tmp_path / "report/report.json").read_text())
        return content

    return read


@pytest.fixture
def launch(simulator_path: Path) -> str:
    """What starts a remote with an echo service."""
    return f"{shlex.quote(str(simulator_path))} --socket-path {{socket}} --service echo"


def verdicts(report: dict[str, Any]) -> Counter[str]:
    """How often each verdict was given to a case."""
    return Counter(case["verdict"] for r in report["requirements"] for case in r["cases"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give --socket PATH or --launch"),
        (["--launch", "true"], "write {socket}"),
        (["--launch", "no-such-program {socket}"], "no program 'no-such-program'"),
        (["--launch", "'open {socket}"], "No closing quotation"),
        (["--launch", " "], "the command is empty"),
        (["--socket", "/x", "-n", "2"], "-n needs --launch"),
        (["--socket", "/x", "--select", "XX-1"], "--select 'XX-1'"),
        (["--socket", "/x", "--exclude", "test_nothing"], "--exclude 'test_nothing'"),
        (["--socket", "/x", "--baseline", "/no/such/file"], "cannot be read"),
    ],
)
def test_remote_cli_wrong_usage_is_told(
    arguments: list[str], says: str, remote: Remote, capsys: pytest.CaptureFixture[str]
) -> None:
    assert remote(*arguments) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--profile", "no-such-profile"],
        ["--level", "perhaps"],
        ["--timeout-factor", "0"],
        ["--seed", "-1"],
        ["--echo-addr", "0xffffffff"],
        ["-n", "0"],
        ["--echo", "a", "--echo-addr", "1"],
        ["--socket", "/x", "--launch", "true {socket}"],
    ],
)
def test_remote_cli_wrong_values_are_refused(arguments: list[str], remote: Remote) -> None:
    with pytest.raises(SystemExit) as ended:
        remote(*arguments)
    assert ended.value.code == 2


def test_remote_cli_nobody_listening_is_unreachable(remote: Remote, tmp_path: Path) -> None:
    assert remote("--socket", tmp_path / "nobody.sock", "--select", "FT-003") == 4


def test_remote_cli_nothing_left_to_run_is_an_error(remote: Remote) -> None:
    assert remote("--socket", "/x", "--select", "VU*", "--level", "may") == 5


def test_remote_cli_list_and_dry_run_need_no_remote(
    remote: Remote, capsys: pytest.CaptureFixture[str]
) -> None:
    assert remote("--list=json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) > 1000
    assert remote("--dry-run", "--profile", "rpmsg-lite-static", "--exclude", "VU") == 0
    text = capsys.readouterr().out
    assert "(skipped: profile rpmsg-lite-static does not have this requirement)" in text
    assert "(not run: excluded by 'VU')" in text


@pytest.mark.parametrize("mode", ["null", "close", "mute", "exit", "leave", "babble"])
def test_remote_cli_peer_that_is_no_remote_passes_nothing(
    mode: str, remote: Remote, report: Callable[[], dict[str, Any]]
) -> None:
    command = f"{sys.executable} {PEER} {{socket}} {mode}"
    # The whole suite: there is no case that such a peer could pass.
    assert remote("--launch", command, "--timeout-factor", "0.1") == 4
    content = report()
    assert content["unreachable"]
    seen = verdicts(content)
    assert set(seen) == {"BLOCKED"}
    assert seen["BLOCKED"] > 1000


def test_remote_cli_end_before_listening_is_told_with_last_words(
    remote: Remote, report: Callable[[], dict[str, Any]]
) -> None:
    command = f"{sys.executable} {PEER} {{socket}} exit"
    assert remote("--launch", command, "--select", "FT-003") == 4
    assert "exited with status 3" in report()["unreachable"]
    assert "no licence for this board" in report()["unreachable"]


def test_remote_cli_profile_skips_what_it_does_not_have(
    remote: Remote, launch: str, report: Callable[[], dict[str, Any]]
) -> None:
    options = ("--launch", launch, "--profile", "rpmsg-lite-static", "--select", "NS-003", "FT-003")
    assert remote(*options) == 0
    assert verdicts(report()) == {"SKIP": 1, "PASS": 1}


def test_remote_cli_without_an_echo_service_says_what_is_blocked(
    remote: Remote, simulator_path: Path, report: Callable[[], dict[str, Any]]
) -> None:
    command = f"{simulator_path} --socket-path {{socket}} --service drain=sink"
    options = ("--timeout-factor", "0.2", "--select", "HD-024", "VU-007", "VU-030")
    assert remote("--launch", command, *options) == 1
    cases = {c["name"]: c for r in report()["requirements"] for c in r["cases"]}
    blocked = cases["test_header_len_is_the_payload_sent[0]"]
    assert blocked["verdict"] == "BLOCKED"
    assert "announced: 'drain' at 1024" in blocked["message"]
    # What needs no echo is judged all the same.
    assert cases["test_requests_impossible_queue_size_is_refused[fresh-0-0]"]["verdict"] == "PASS"


def test_remote_cli_echo_may_be_named(
    remote: Remote, simulator_path: Path, report: Callable[[], dict[str, Any]]
) -> None:
    command = f"{simulator_path} --socket-path {{socket}} --service a=sink --service b=echo,addr=99"
    assert remote("--launch", command, "--echo", "b", "--select", "HD-024") == 0
    assert report()["target"]["echo"] == "b at 0x63"
    assert remote("--launch", command, "--echo-addr", "0x63", "--select", "HD-024") == 0
    assert remote("--launch", command, "--select", "HD-024") == 0
    assert report()["target"]["echo"] == "b at 0x63"
    assert remote("--launch", command, "--echo", "c", "--select", "HD-024") == 1


def test_remote_cli_same_seed_gives_the_same_order(
    remote: Remote, launch: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def order(seed: int) -> list[str]:
        assert remote(
            "--launch", launch, "--select", "BF-022", "-v", "--shuffle", "--seed", seed
        ) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"-- seed {seed}"
        return [line.split()[1] for line in lines if line.startswith("   PASS")]

    first = order(1)
    assert len(first) == 24
    assert order(1) == first
    assert order(2) != first


def test_remote_cli_groups_on_instances_of_their_own(
    remote: Remote, launch: str, report: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    assert remote("--launch", launch, "-n", "3", "--select", "HD", "EP", "NS") == 0
    content = report()
    assert content["harness"] == content["sanity"] == []
    assert content["counts"]["run"] >= 25
    logs = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.glob("report/worker-*/remote/*"))
    assert len(logs) == 3


def test_remote_cli_baseline_explains_and_goes_stale(
    remote: Remote, launch: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = tmp_path / "known.toml"
    known.write_text(
        '[[deviation]]\nrequirement = "FT-003"\nseen = "features 0x"\nreason = "an old device"\n'
    )
    for jobs in (1, 2):
        options = ("--baseline", known, "--select", "FT-003", "FT-001", "-n", jobs)
        assert remote("--launch", launch, *options) == 1
        assert f"{known}:1: delete the [[deviation]]" in capsys.readouterr().out
