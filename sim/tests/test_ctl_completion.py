# SPDX-License-Identifier: BSD-2-Clause
"""Completion for bash: what the Tab key offers, with the built programs."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon_frontend import DEADLINE_S, Run, Start

COMPLETION = Path(__file__).resolve().parents[1] / "packaging" / "completion.bash"

# As readline does it: which function belongs to the program is asked of bash, COMP_WORDS is left
# out, since the functions read the line.
SCRIPT = r"""
source "$1"
name=${2%% *}
spec=$(complete -p "${name##*/}") || exit 3
spec=${spec#*-F }
COMP_LINE=$2 COMP_POINT=${3:-${#2}} COMP_TYPE=9 COMP_KEY=9
"${spec%% *}"
printf '%s\n' "${COMPREPLY[@]}"
"""

pytest_plugins = ("ctl_fixtures",)

Complete = Callable[[str], list[str]]


@pytest.fixture
def complete(binary: str, ctl: str, tmp_path: Path) -> Complete:
    """What is offered at the end of a line; SIM and CTL in it stand for the built programs."""

    def complete_it(line: str) -> list[str]:
        done = subprocess.run(
            ["bash", "--norc", "-c", SCRIPT, "bash", str(COMPLETION),
             line.replace("SIM", binary, 1).replace("CTL", ctl, 1)],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            cwd=tmp_path,
            env={key: value for key, value in os.environ.items() if key != "RPMSG_CONTROL"},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    return complete_it


def test_completion_belongs_to_each_program() -> None:
    done = subprocess.run(
        ["bash", "--norc", "-c", f"source {COMPLETION}; complete -p rpmsg-sim rpmsg-ctl rpmsg-host"],
        capture_output=True,
        text=True,
    )

    assert done.stdout.count("complete -F") == 3, done.stderr


def test_completion_of_sim_offers_every_option(complete: Complete, run: Run) -> None:
    documented = re.findall(r"^  (--[a-z-]+)", run("--help").stdout, re.MULTILINE)

    assert complete("SIM ") == documented
    assert complete("SIM --print-") == [o for o in documented if o.startswith("--print-")]


@pytest.mark.parametrize("line", ["SIM --service hello=", "SIM --service=hello="])
def test_completion_of_sim_offers_kinds_of_service(complete: Complete, line: str) -> None:
    assert {"echo", "sink", "client-sample"} <= set(complete(line))
    assert complete(f"{line}client") == ["client-sample"]


def test_completion_of_sim_offers_nothing_for_a_services_name(complete: Complete) -> None:
    assert complete("SIM --service ") == []


def test_completion_of_sim_offers_log_levels(complete: Complete) -> None:
    assert complete("SIM --log-level ") == ["error", "warn", "info", "debug", "trace"]
    assert complete("SIM --log-level=w") == ["warn"]


def test_completion_of_sim_offers_files_for_a_path(complete: Complete, tmp_path: Path) -> None:
    (tmp_path / "some.sock").touch()

    assert complete("SIM --socket-path so") == ["some.sock"]
    assert complete("SIM --socket-path=so") == ["some.sock"]
    assert complete("SIM --scenario so") == ["some.sock"]


@pytest.mark.parametrize(
    "option, lister", [("--fault", "--list-faults"), ("--profile", "--list-profiles")]
)
def test_completion_of_sim_offers_names_that_the_program_lists(
    complete: Complete, run: Run, option: str, lister: str
) -> None:
    listed = run(f"{lister}=json").stdout

    offered = complete(f"SIM {option} ")

    assert len(offered) > 3
    assert offered == re.findall(r'"name": *"([^"]+)"', listed)


def test_completion_of_ctl_offers_methods_of_the_daemon(complete: Complete, start: Start) -> None:
    sim = start()

    offered = complete(f"CTL --control-path {sim.control_path} ")

    assert {"announce", "send", "stats", "events", "watch", "help"} <= set(offered)
    assert complete(f"CTL --control-path={sim.control_path} ann") == ["announce"]


def test_completion_of_ctl_offers_methods_without_a_daemon(complete: Complete) -> None:
    assert {"announce", "send", "watch"} <= set(complete("CTL "))


def test_completion_of_ctl_offers_parameters_of_a_method(complete: Complete, start: Start) -> None:
    ctl = f"CTL --control-path {start().control_path}"

    assert complete(f"{ctl} send us") == ["used_len="]
    assert {"name=", "kind=", "addr="} <= set(complete(f"{ctl} announce "))


def test_completion_of_ctl_offers_values(complete: Complete, start: Start) -> None:
    ctl = f"CTL --control-path {start('--service', 'hello', '--service', 'other').control_path}"

    assert complete(f"{ctl} announce name=x kind=client") == ["client-sample"]
    assert complete(f"{ctl} withdraw name=") == ["hello", "other"]


def test_completion_of_ctl_offers_types_of_event(complete: Complete, start: Start) -> None:
    ctl = f"CTL --control-path {start().control_path}"

    assert {"connected", "violation", "ns"} <= set(complete(f"{ctl} events "))
    assert complete(f"{ctl} events driver") == ["driver_ok"]


def test_completion_of_ctl_offers_its_options(complete: Complete) -> None:
    assert complete("CTL --t") == ["--timeout"]
