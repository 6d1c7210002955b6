# SPDX-License-Identifier: BSD-2-Clause
"""Targets are deterministic, and a target that is not would be noticed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fuzz.tools.project import FUZZ, ROOT, Target, environment, targets

attacking = pytest.mark.parametrize(
    "target", [pytest.param(t, id=t.name) for t in targets().values() if t.floors]
)

UNSTEADY = """
#include "common/target.h"
static int before;
static int run(const uint8_t *data, size_t size)
{
	if (size != 0 && data[0] == 'u' && before++ % 2)
		return -1;
	return 0;
}
const struct fuzz_target fuzz_target = { .name = "unsteady", .summary = "", .run = run };
"""


@attacking
def test_target_covers_the_same_twice(target: Target, programs: Path) -> None:
    done = subprocess.run(
        [programs / f"replay_{target.name}", "--twice", *target.inputs()],
        capture_output=True,
        text=True,
        errors="replace",
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("data", "status"), [(b"steady", 0), (b"unsteady", 1)])
def test_target_that_remembers_is_noticed(data: bytes, status: int, tmp_path: Path) -> None:
    source, program, file = tmp_path / "unsteady.c", tmp_path / "unsteady", tmp_path / "input"
    source.write_text(UNSTEADY)
    file.write_bytes(data)
    common = [FUZZ / "common" / name for name in ("replay.c", "counters.c", "oplist.c")]
    subprocess.run(
        ["clang", "-D_GNU_SOURCE", "-fsanitize=address,fuzzer-no-link", f"-I{FUZZ}", f"-I{ROOT}/sim",
         "-o", program, source, *common],
        check=True,
    )  # fmt: skip
    done = subprocess.run([program, "--twice", file], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert ("more often in one run" in done.stderr) == bool(status)
