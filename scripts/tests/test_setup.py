# SPDX-License-Identifier: BSD-2-Clause
"""scripts/setup, with dpkg and apt played by stand-ins."""

from pathlib import Path

import pytest
from conftest import SCRIPTS, Fake, Run


@pytest.fixture
def packages() -> list[str]:
    """The first alternative of each line of the list."""
    lines = (SCRIPTS / "packages.txt").read_text().splitlines()
    return [line.split("#")[0].split()[0] for line in lines if line.split("#")[0].strip()]


@pytest.fixture
def installed(tmp_path: Path, packages: list[str], fake: Fake) -> Path:
    """The file that dpkg-query answers from; all packages are in it."""
    state = tmp_path / "installed"
    state.write_text("".join(f"{name} installed\n" for name in packages))
    fake("dpkg-query", f"cat {state}; exit 1")
    return state


def drop(state: Path, *names: str) -> None:
    kept = [line for line in state.read_text().splitlines(True) if line.split()[0] not in names]
    state.write_text("".join(kept))


def test_setup_with_all_packages_says_nothing(run: Run, installed: Path) -> None:
    done = run("setup")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_setup_without_root_prints_one_line_to_type(run: Run, installed: Path, fake: Fake) -> None:
    drop(installed, "scdoc", "cmake")
    fake("id", "echo 1000")
    fake("apt-get", "echo must not be called >&2; exit 9")
    done = run("setup")
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("sudo ")]
    assert lines == ["sudo apt-get install --no-install-recommends cmake scdoc"]


def test_setup_as_root_installs_exactly_what_is_missing(
    run: Run, installed: Path, fake: Fake, tmp_path: Path
) -> None:
    drop(installed, "scdoc")
    calls = tmp_path / "calls"
    fake("id", "echo 0")
    fake("apt-cache", "printf 'scdoc:\\n  Candidate: 1\\n'")
    fake("apt-get", f'echo "$DEBIAN_FRONTEND $*" >>{calls}; echo "scdoc installed" >>{installed}')
    done = run("setup")
    assert done.returncode == 0, done.stderr
    call = calls.read_text().splitlines()
    assert len(call) == 1
    assert call[0].startswith("noninteractive ")
    assert call[0].endswith(" install -y --no-install-recommends scdoc")


def test_setup_updates_the_lists_first_when_they_lack_a_package(
    run: Run, installed: Path, fake: Fake, tmp_path: Path
) -> None:
    drop(installed, "scdoc")
    calls = tmp_path / "calls"
    fake("id", "echo 0")
    fake("apt-cache", "true")
    fake("apt-get", f'echo "${{@: -1}}" >>{calls}; [ "${{@: -1}}" = update ] || echo scdoc installed >>{installed}')
    assert run("setup").returncode == 0
    assert calls.read_text().split() == ["update", "scdoc"]


def test_setup_is_content_with_an_alternative(run: Run, installed: Path) -> None:
    installed.write_text(installed.read_text().replace("clang-format-19 ", "clang-format "))
    assert run("setup").returncode == 0


def test_setup_takes_the_alternative_that_the_release_has(run: Run, installed: Path, fake: Fake) -> None:
    drop(installed, "clang-format-19")
    fake("id", "echo 1000")
    fake("apt-cache", "[ $2 = clang-format-19 ] || printf 'x:\\n  Candidate: 1\\n'")
    assert run("setup").stderr.splitlines()[-1].endswith(" clang-format")


def test_setup_fails_when_a_package_stays_missing(run: Run, installed: Path, fake: Fake) -> None:
    drop(installed, "scdoc")
    fake("id", "echo 0")
    fake("apt-cache", "printf 'scdoc:\\n  Candidate: 1\\n'")
    fake("apt-get", "true")
    done = run("setup")
    assert done.returncode == 1
    assert "still not installed: scdoc" in done.stderr


def test_setup_knows_a_package_that_was_removed_but_left_its_configuration(
    run: Run, installed: Path, fake: Fake
) -> None:
    installed.write_text(installed.read_text().replace("scdoc installed", "scdoc config-files"))
    fake("id", "echo 1000")
    done = run("setup")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(" scdoc")
