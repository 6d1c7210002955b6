# SPDX-License-Identifier: BSD-2-Clause
"""The build script of fuzzing services leaves in OUT what they expect; AFL++ runs the same targets."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from fuzz.tools.project import FUZZ, ROOT, Target, targets

from .conftest import Fuzz

attacking = pytest.mark.parametrize(
    "target", [pytest.param(t, id=t.name) for t in targets().values() if t.floors]
)
#: What programs of a service may load from the machine: it has no other library.
LIBC = re.compile(r"^\s*(linux-vdso|libc|libm|libdl|libpthread|librt|libresolv|/lib64/ld-linux)\b")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT after build.sh, in the environment that the services describe."""
    folder = tmp_path_factory.mktemp("service")
    for name in ("out", "work", "elsewhere"):
        (folder / name).mkdir()
    flags = "-O1 -fno-omit-frame-pointer -gline-tables-only -fsanitize=address -fsanitize=fuzzer-no-link"
    done = subprocess.run(
        [FUZZ / "oss-fuzz" / "build.sh"],
        cwd=folder / "elsewhere",
        env={
            "PATH": os.environ["PATH"],
            "CC": "clang",
            "CXX": "clang++",
            "CFLAGS": flags,
            "CXXFLAGS": flags,
            "LIB_FUZZING_ENGINE": "-fsanitize=fuzzer",
            "SANITIZER": "address",
            "FUZZING_ENGINE": "libfuzzer",
            "ARCHITECTURE": "x86_64",
            "SRC": str(ROOT.parent),
            "OUT": str(folder / "out"),
            "WORK": str(folder / "work"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder / "out"


def test_services_find_targets_with_names_that_they_allow(out: Path) -> None:
    programs = sorted(path.name for path in out.iterdir() if path.is_file() and os.access(path, os.X_OK))
    assert programs == sorted(f"fuzz_{t.name}" for t in targets().values() if t.floors)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", name) for name in programs)


@attacking
def test_services_need_no_library_but_those_beside_the_target(target: Target, out: Path) -> None:
    loaded = subprocess.run(["ldd", out / f"fuzz_{target.name}"], capture_output=True, text=True, check=True)
    others = [line for line in loaded.stdout.splitlines() if not LIBC.match(line)]
    assert [line for line in others if f"=> {out}/lib/" not in line] == []


@attacking
def test_services_get_seeds_as_zip(target: Target, out: Path) -> None:
    with zipfile.ZipFile(out / f"fuzz_{target.name}_seed_corpus.zip") as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted({path.name for path in target.inputs()})


@attacking
def test_services_get_options_that_name_files(target: Target, out: Path) -> None:
    options = configparser.ConfigParser()
    options.read(out / f"fuzz_{target.name}.options")
    section = options["libfuzzer"]
    assert section.getint("max_len") == target.longest
    assert (out / section["dict"]).read_text() == target.dictionary.read_text()


@attacking
def test_services_can_run_the_target_anywhere(target: Target, out: Path, tmp_path: Path) -> None:
    """Under another name, from another folder, with another library path, and nothing is written."""
    program = tmp_path / "renamed"
    shutil.copy(out / f"fuzz_{target.name}", program)
    (tmp_path / "lib").symlink_to(out / "lib")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [program, "-runs=100", f"-dict={out}/fuzz_{target.name}.dict"],
        cwd=elsewhere,
        env={"PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(elsewhere.iterdir()) == []


def test_services_files_of_clusterfuzzlite_call_the_same_script() -> None:
    folder = ROOT / ".clusterfuzzlite"
    assert sorted(path.name for path in folder.iterdir()) == ["Dockerfile", "build.sh", "project.yaml"]
    assert "fuzz/oss-fuzz/build.sh" in (folder / "build.sh").read_text()
    assert os.access(folder / "build.sh", os.X_OK)


def test_afl_runs_a_target(fuzz: Fuzz) -> None:
    if shutil.which("afl-fuzz") is None:
        pytest.fail("afl-fuzz is not installed: scripts/setup installs it")
    done = fuzz("run", "wire", "--engine", "afl", "--time", "60")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    stats = (ROOT / "build/fuzz-work/wire/afl/default/fuzzer_stats").read_text()
    [executions] = re.findall(r"^execs_done\s*: (\d+)", stats, re.MULTILINE)
    assert int(executions) > 1000
