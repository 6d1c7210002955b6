# SPDX-License-Identifier: BSD-2-Clause
"""``rpmsg-conform chardev`` over the standard input and output of a command, as on a board.

The board is a guest with a simulator for firmware, neither of which the suite knows of: it has the
agent's lines and nothing else. selftest/test_board.py has what goes wrong.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT

STANDIN = Path(__file__).resolve().parent / "board_standin.py"

#: One file that needs nothing but the agent, and one that also asks the simulator for messages.
REQUIREMENTS = ("UA-002", "UA-003", "UA-004", "UA-007", "UA-013", "UA-016")


def simulator() -> str:
    """The firmware: RPMSG_SIM, or the one of a build tree; or skip."""
    built = [ROOT / "build" / preset / "bin/rpmsg-sim" for preset in ("release", "dev")]
    for path in [os.environ.get("RPMSG_SIM", ""), *map(str, built)]:
        if os.access(path, os.X_OK) and Path(path).is_file():
            return path
    pytest.skip("no rpmsg-sim is built, and RPMSG_SIM names none")


@pytest.mark.parametrize("echo", ["rpmsg-raw", "my-echo"])
def test_agent_board_runs_the_rows_of_user_space_over_a_pipe(tmp_path: Path, echo: str) -> None:
    # Of another name Linux makes no character device: the cases get an endpoint of their own.
    words = [sys.executable, "-B", str(STANDIN), "--sim", simulator(), "--guest", "debian-rt"]
    words += ["--service", "sink=sink", "--service", f"{echo}=echo"]
    report = tmp_path / "report"
    done = subprocess.run(
        [
            *(str(ROOT / "conformance/rpmsg-conform"), "chardev", "--report", str(report)),
            *("--exec", shlex.join(words), "--echo", echo, "--timeout-factor", "6"),
            *("--select", *REQUIREMENTS),
        ],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((report / "report.json").read_text(encoding="utf-8"))
    assert found["target"]["arch"] == "armv7l"
    cases = {c["name"]: c for r in found["requirements"] for c in r["cases"]}
    passed = [name for name, case in cases.items() if case["verdict"] == "PASS"]
    skipped = {case["message"] for case in cases.values() if case["verdict"] == "SKIP"}
    assert "test_userspace_created_endpoint_carries_messages" in passed
    assert "test_userspace_second_open_is_ebusy" in passed
    assert "test_userspace_nonblocking_read_of_nothing_is_eagain" in passed
    assert "test_userspace_signal_ends_a_waiting_read" in passed
    assert "needs the simulator" in skipped
