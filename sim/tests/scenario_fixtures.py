# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the tests about scenarios."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon_frontend import Sim, Start
from scenario_support import SCENARIOS, Play


@pytest.fixture
def play(start: Start, tmp_path: Path) -> Play:
    """Start rpmsg-sim with a scenario: a name of fixtures/scenarios, or the text of one."""

    def play_it(scenario: str, *args: str, name: str = "sim") -> Sim:
        path = SCENARIOS / f"{scenario}.yaml"
        if "\n" in scenario:
            path = tmp_path / f"{name}.yaml"
            path.write_text(scenario)
        return start("--scenario", str(path), *args, name=name)

    return play_it
