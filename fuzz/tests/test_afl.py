# SPDX-License-Identifier: BSD-2-Clause
"""The same targets under AFL++."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from fuzz.tools import engines, project
from fuzz.tools.project import ROOT, target

SECONDS = 10


@pytest.mark.parametrize("name", ["remote", "virtqueue"])
def test_afl_runs_a_target_and_finds_what_is_new(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run([ROOT / "scripts/build", "fuzz-afl", f"fuzz_{name}"], check=True)
    monkeypatch.setattr(project, "WORK", tmp_path)
    assert engines.run_afl(ROOT / "build/fuzz-afl/bin", target(name), SECONDS) == []
    stats = (tmp_path / name / "afl/default/fuzzer_stats").read_text(encoding="utf-8")
    numbers = {key: int(value) for key, value in re.findall(r"^(\w+)\s*: (\d+)$", stats, re.MULTILINE)}
    assert numbers["execs_done"] > len(target(name).inputs())
    assert numbers["edges_found"] > 0
