# SPDX-License-Identifier: BSD-2-Clause
"""Where the small C programs are that show what sim/ makes of something (sim/tests/*_dump.c)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


BUILD = Path(__file__).resolve().parents[2] / "build"


def dump_program(name: str) -> Path:
    """Path of NAME_dump: NAME_DUMP, or in the build tree of RPMSG_SIM or of a preset; or skip."""
    given = os.environ.get(f"{name.upper()}_DUMP")
    if given:
        return Path(given)
    simulator = os.environ.get("RPMSG_SIM")
    trees = [Path(simulator).resolve().parents[1]] if simulator else []
    for tree in (*trees, BUILD / "release", BUILD / "dev"):
        built = tree / "tests" / f"{name}_dump"
        if built.exists():
            return built
    pytest.skip(f"no {name}_dump is built, and {name.upper()}_DUMP names none")
