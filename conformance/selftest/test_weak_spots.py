# SPDX-License-Identifier: BSD-2-Clause
"""Every weak spot has an answer that names cases which exist, and every fault has a case of the host's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rpmsg_conformance import coverage
from rpmsg_conformance.catalogue import Side
from rpmsg_conformance.hostile import NOT_THE_HOSTS

CONFORMANCE = Path(__file__).resolve().parents[1]
HOST = CONFORMANCE / "host"
FAULT_TABLE = CONFORMANCE.parent / "sim/remote/fault_table.h"

SPOTS = [f"W{number}" for number in range(1, 26)]
ANSWERS = ("shown", "not shown")


def rows() -> dict[str, list[str]]:
    """The rows of the table by their spot: what it is, answer, kernels, cases."""
    found: dict[str, list[str]] = {}
    for line in (HOST / "WEAK_SPOTS.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch(r"W\d+", cells[0]):
            assert cells[0] not in found, f"{cells[0]} has two rows"
            found[cells[0]] = cells[1:]
    return found


def test_weak_spots_are_all_answered() -> None:
    assert list(rows()) == SPOTS


@pytest.mark.parametrize("spot", SPOTS)
def test_weak_spot_names_existing_cases(spot: str) -> None:
    known = {case.case for case in coverage.find_cases(HOST, Side.HOST)}
    _, answer, kernels, cases = rows()[spot]
    assert answer in ANSWERS
    named = re.findall(r"`(test_\w+)`", cases)
    assert not set(named) - known
    if answer == "shown":
        assert named and kernels
    else:
        assert cases


def faults() -> list[str]:
    """Names of all faults of the simulator."""
    text = FAULT_TABLE.read_text(encoding="utf-8")
    return re.findall(r'X\([A-Z0-9_]+,\s*"([a-z0-9-]+)"', text)


def test_faults_are_found() -> None:
    assert len(faults()) > 60


@pytest.mark.parametrize("fault", faults())
def test_fault_has_a_hostile_case_or_a_reason(fault: str) -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in HOST.glob("test_hostile*.py"))
    used = re.search(rf'"{re.escape(fault)}[="]|--fault", f?"{re.escape(fault)}\b', sources)
    assert bool(used) != (fault in NOT_THE_HOSTS)
