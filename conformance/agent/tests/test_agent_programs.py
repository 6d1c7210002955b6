# SPDX-License-Identifier: BSD-2-Clause
"""The programs that the build makes for boards: static, and for the machine that their name says."""

from __future__ import annotations

import platform
import shutil
import struct
from pathlib import Path

import pytest

from conftest import ROOT

#: e_machine of <elf.h>, bytes of an address, byte order, and the compiler whose absence explains
#: why there is no such program.
PROGRAMS = {
    "x86_64": (62, 8, "<", "x86_64-linux-gnu-gcc"),
    "armhf": (40, 4, "<", "arm-linux-gnueabihf-gcc"),
    "arm64": (183, 8, "<", "aarch64-linux-gnu-gcc"),
    "riscv64": (243, 8, "<", "riscv64-linux-gnu-gcc"),
    "ppc64": (21, 8, ">", "powerpc64-linux-gnu-gcc"),
}

PT_DYNAMIC, PT_INTERP = 2, 3
ET_EXEC = 2


def program(arch: str) -> Path:
    """The program of a build tree; skips when it cannot be built here."""
    for preset in ("release", "dev"):
        path = ROOT / "build" / preset / "bin" / f"rpmsg-agent-{arch}"
        if path.exists():
            return path
    compiler = PROGRAMS[arch][3]
    native = arch == platform.machine()
    if not native and shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    pytest.fail(f"rpmsg-agent-{arch} is not built, though {compiler} is there: scripts/build release")


@pytest.mark.parametrize("arch", PROGRAMS)
def test_agent_program_is_static_and_for_its_machine(arch: str) -> None:
    data = program(arch).read_bytes()
    machine, size, order, _ = PROGRAMS[arch]
    assert data[:4] == b"\x7fELF"
    assert (data[4], data[5]) == (size // 4, 1 if order == "<" else 2)
    kind, seen = struct.unpack_from(f"{order}HH", data, 16)
    assert (kind, seen) == (ET_EXEC, machine)
    wide = size == 8
    table = struct.unpack_from(order + ("Q" if wide else "I"), data, 32 if wide else 28)[0]
    entry, count = struct.unpack_from(f"{order}HH", data, 54 if wide else 42)
    assert count > 0
    segments = {struct.unpack_from(f"{order}I", data, table + n * entry)[0] for n in range(count)}
    assert not segments & {PT_DYNAMIC, PT_INTERP}
