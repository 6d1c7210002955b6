# SPDX-License-Identifier: BSD-2-Clause
"""Several guests in one run: each has a run of its own, and none stops another."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import CONFORMANCE

from rpmsg_conformance.host_guests import without_options, worst_status

PROGRAM = CONFORMANCE / "rpmsg-conform"


def test_guests_command_line_of_each_has_the_other_options() -> None:
    given = ["host", "--guest", "a,b", "-n", "2", "--report=x", "-v", "-n3", "--select", "UA"]
    assert without_options(given, "--guest", "--report", "-n") == ["host", "-v", "--select", "UA"]


@pytest.mark.parametrize(
    ("each", "whole"),
    [([0, 0], 0), ([0, 1], 1), ([1, 4], 4), ([4, 3], 3), ([0, 5], 0), ([5, 5], 5), ([0, -9], 3)],
)
def test_guests_exit_status_is_the_worst(each: list[int], whole: int) -> None:
    assert worst_status(each) == whole


def test_guests_one_that_cannot_be_had_stops_no_other(tmp_path: Path) -> None:
    done = subprocess.run(
        [PROGRAM, "host", "--guest", "no-such,nor-this", "-n", "2", "--report", tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 4, done.stderr
    first, second = done.stdout.index("==== guest no-such"), done.stdout.index("==== guest nor-this")
    assert first < second
    for name in ("no-such", "nor-this"):
        assert "unknown guest" in (tmp_path / name / "output.txt").read_text()
        assert f"guest {name}: no report" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--guest", "a,b", "--bundle", "x"], "--bundle is for one guest"),
        (["--guest", "a,,b"], "an empty name"),
        (["--guest", "a,a"], "there twice"),
        (["--guest", "a,b", "--list"], "name one"),
    ],
)
def test_guests_what_cannot_be_for_several_is_refused(
    arguments: list[str], complaint: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [PROGRAM, "host", *arguments, "--report", tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert complaint in done.stderr
