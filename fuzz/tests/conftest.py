# SPDX-License-Identifier: BSD-2-Clause
"""Tests of scripts/fuzz and of what is committed; they build preset fuzz once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz.tools import project

#: fuzz("list"): scripts/fuzz to its end.
Fuzz = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def programs() -> Path:
    """Folder of fuzz_NAME and replay_NAME, with sanitizers."""
    return project.build("libfuzzer", "address")


@pytest.fixture(scope="session")
def device(programs: Path) -> Path:
    """rpmsg-fuzz-device, with sanitizers."""
    return programs / "rpmsg-fuzz-device"


@pytest.fixture(scope="session")
def fuzz() -> Fuzz:
    """fuzz(ARGUMENT...) runs scripts/fuzz."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [project.ROOT / "scripts" / "fuzz", *arguments],
            capture_output=True,
            text=True,
            timeout=280,
            stdin=subprocess.DEVNULL,
            env=os.environ,
            check=False,
        )

    return run
