# SPDX-License-Identifier: BSD-2-Clause
"""Runs the scripts against stand-ins for the programs that they call; nothing is fetched."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SCRIPTS))

Run = Callable[..., subprocess.CompletedProcess[str]]
Fake = Callable[[str, str], Path]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """fake(NAME, BODY) puts a bash script NAME before everything else in PATH."""
    folder = tmp_path / "fakes"
    folder.mkdir()

    def write(name: str, body: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty cache of its own, no overrides and the fakes in PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RPMSG_", "QEMU"))}
    return kept | {
        "PATH": f"{tmp_path / 'fakes'}:/usr/bin:/bin",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """run(SCRIPT, ARGUMENT..., NAME=VALUE...) runs scripts/SCRIPT to its end."""

    def start(script: str, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPTS / script, *arguments],
            env=environment | extra,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return start
