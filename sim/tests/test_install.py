# SPDX-License-Identifier: BSD-2-Clause
"""What "cmake --install" and "cpack -G DEB" put where, and that it runs from there.

The build tree is the one that the environment variable BUILD_TREE names, as ctest sets it, else
build/dev of this checkout.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from daemon_frontend import DEADLINE_S

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD_TREE", CHECKOUT / "build/dev"))
CONFORMANCE = "share/rpmsg-testbench/conformance"

FILES = {
    "bin/rpmsg-conform",
    "bin/rpmsg-ctl",
    "bin/rpmsg-host",
    "bin/rpmsg-sim",
    "share/bash-completion/completions/rpmsg-ctl",
    "share/bash-completion/completions/rpmsg-host",
    "share/bash-completion/completions/rpmsg-sim",
    "share/doc/rpmsg-testbench/CHANGELOG.md",
    "share/doc/rpmsg-testbench/README.md",
    "share/doc/rpmsg-testbench/copyright",
    "share/man/man1/rpmsg-ctl.1",
    "share/man/man1/rpmsg-host.1",
    "share/man/man1/rpmsg-sim.1",
    "share/man/man5/rpmsg-scenario.5",
    "share/man/man7/rpmsg-control.7",
    "share/qemu/vhost-user/50-rpmsg-sim.json",
    "share/rpmsg-testbench/wireshark/rpmsg.lua",
}

#: Folders of the suite: everything in them goes along, except what Python leaves there and READMEs.
SUITE_FOLDERS = ("rpmsg_conformance", "host", "remote")
LEFT_OUT = {"__pycache__", ".pytest_cache", ".hypothesis", "README.md"}


def suite_files() -> set[str]:
    root = CHECKOUT / "conformance"
    tables = {f"{CONFORMANCE}/{path.name}" for path in root.glob("*.toml")}
    assert f"{CONFORMANCE}/requirements.toml" in tables
    return tables | {
        f"{CONFORMANCE}/{path.relative_to(root)}"
        for folder in SUITE_FOLDERS
        for path in (root / folder).rglob("*")
        if path.is_file() and not LEFT_OUT & set(path.relative_to(root).parts)
    }


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def execute(*command: object, **kwargs: object) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, **kwargs,
    )  # type: ignore[call-overload] # fmt: skip
    assert done.returncode == 0, done.stdout
    return str(done.stdout)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prefix /opt/testbench, inside a folder that is called its root."""
    root = tmp_path_factory.mktemp("root")
    execute("cmake", "--install", BUILD, "--prefix", "/opt/testbench",
            env=os.environ | {"DESTDIR": str(root)})  # fmt: skip
    return root / "opt/testbench"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Debian package. cpack works in a folder of the test's own."""
    folder = tmp_path_factory.mktemp("package")
    execute("cpack", "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", folder)
    (deb,) = folder.glob("*.deb")
    return deb


@pytest.fixture(scope="module")
def unpacked(package: Path) -> Path:
    execute("dpkg-deb", "-x", package, package.parent / "x")
    return package.parent / "x/usr"


def serves(sim: Path, tmp_path: Path) -> bool:
    """Does it start, listen, and leave cleanly?"""
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [sim, "--socket-path", tmp_path / "s", "--control-path", tmp_path / "c",
         "--ready-fd", str(write_end)],
        pass_fds=[write_end],
    )  # fmt: skip
    os.close(write_end)
    with os.fdopen(read_end, "rb") as ready:
        assert ready.read() == b"ready\n"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "s"))
    shown = execute(sim.parent / "rpmsg-ctl", "--control-path", tmp_path / "c", "stats")
    process.terminate()
    return process.wait(DEADLINE_S) == 0 and "endpoints" in shown


def test_install_puts_these_files_and_no_others(installed: Path) -> None:
    assert files_below(installed) == FILES | suite_files()


def test_install_sets_modes_as_each_file_needs(installed: Path) -> None:
    for name in FILES:
        mode = (installed / name).stat().st_mode & 0o777
        assert mode == (0o755 if name.startswith("bin/") else 0o644), name


@pytest.mark.parametrize("program", ["rpmsg-sim", "rpmsg-ctl", "rpmsg-host"])
def test_install_programs_run_from_there(installed: Path, program: str) -> None:
    assert re.fullmatch(rf"{program} \d+\.\d+\.\d+\n", execute(installed / "bin" / program, "--version"))


def test_install_names_where_it_will_be(installed: Path) -> None:
    descriptor = json.loads((installed / "share/qemu/vhost-user/50-rpmsg-sim.json").read_text())
    wrapper = (installed / "bin/rpmsg-conform").read_text()

    assert descriptor["binary"] == "/opt/testbench/bin/rpmsg-sim"
    assert f'CONFIGURED = "/opt/testbench/{CONFORMANCE}"' in wrapper


def test_install_conform_judges_a_remote_from_there(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    prefix = tmp_path_factory.mktemp("prefix")
    execute("cmake", "--install", BUILD, "--prefix", prefix)
    shutil.rmtree(prefix / "share/doc")

    shown = execute(
        prefix / "bin/rpmsg-conform", "remote", "--report", prefix / "report",
        "--launch", f"{prefix}/bin/rpmsg-sim --socket-path {{socket}} --service hello",
        cwd=prefix,
    )  # fmt: skip

    assert re.search(r"\b[1-9]\d* PASS\b", shown)
    assert (prefix / "report/report.json").exists()
    assert not list(prefix.rglob("__pycache__"))


def test_package_has_the_same_files(unpacked: Path) -> None:
    assert files_below(unpacked) == FILES | suite_files()


def test_package_runs_from_a_folder(unpacked: Path, tmp_path: Path) -> None:
    assert execute(unpacked / "bin/rpmsg-sim", "--version").startswith("rpmsg-sim ")
    assert serves(unpacked / "bin/rpmsg-sim", tmp_path)


def test_package_says_what_it_is_and_needs(package: Path) -> None:
    fields = execute("dpkg-deb", "-f", package)

    assert re.search(r"^Package: rpmsg-testbench$", fields, re.MULTILINE)
    assert re.search(r"^Section: devel$", fields, re.MULTILINE)
    for library in ("libc6", "libuv1", "libjansson4", "libpcap0.8", "libseccomp2"):
        assert re.search(rf"^Depends: .*\b{re.escape(library)}", fields, re.MULTILINE)


def test_package_names_where_it_will_be(unpacked: Path) -> None:
    descriptor = json.loads((unpacked / "share/qemu/vhost-user/50-rpmsg-sim.json").read_text())

    assert descriptor["binary"] == "/usr/bin/rpmsg-sim"
    assert f'CONFIGURED = "/usr/{CONFORMANCE}"' in (unpacked / "bin/rpmsg-conform").read_text()
