# SPDX-License-Identifier: BSD-2-Clause
"""Where the small C programs are that show what sim/ makes of something (sim/tests/*_dump.c)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def dump_program(name: str) -> Path:
    """Path of NAME_dump: from NAME_DUMP, or from the build tree of RPMSG_SIM; else skip."""
    path = os.environ.get(f"{name.upper()}_DUMP")
    if path:
        return Path(path)
    simulator = os.environ.get("RPMSG_SIM")
    if simulator:
        built = Path(simulator).resolve().parents[1] / "tests" / f"{name}_dump"
        if built.exists():
            return built
    pytest.skip(f"neither {name.upper()}_DUMP nor the build tree of RPMSG_SIM names {name}_dump")
