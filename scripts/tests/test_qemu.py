# SPDX-License-Identifier: BSD-2-Clause
"""scripts/qemu: how a QEMU is judged and which one is taken. QEMU is played by stand-ins."""

import subprocess
from pathlib import Path

import pytest
from conftest import Fake, Run

PROGRAM = "qemu-system-arm"
NAMES = "name \"vhost-user-blk-pci\", bus PCI\nname \"{device}\", bus PCI"


def qemu(device: str, answer: str) -> str:
    """Body of a QEMU that lists the device and answers so when told to create it."""
    listing = NAMES.format(device=device)
    return f"case \"$*\" in '-device help') echo '{listing}';; *) echo '{answer}' >&2; exit 1;; esac"


WILLING = qemu("vhost-user-test-device-pci", "-device x: vhost-user-base: missing chardev")
WILLING_OLD = qemu("vhost-user-device-pci", "-device x: vhost-user-device: missing chardev")
REFUSING = qemu("vhost-user-device-pci", "-device x: Parameter driver expects a pluggable device type")
LACKING = qemu("vhost-user-fs-pci", "-device x: not a valid device model name")


@pytest.fixture
def no_network(fake: Fake) -> None:
    """An apt that reaches nothing."""
    fake("apt-get", "echo 'E: Failed to fetch' >&2; exit 100")


@pytest.fixture
def private_copy(tmp_path: Path) -> Path:
    """A private copy in the cache, as an earlier run has left it."""
    architecture = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
    wrapper = tmp_path / f"cache/rpmsg-testbench/qemu/f1-{architecture}-11-0/bin/{PROGRAM}"
    wrapper.parent.mkdir(parents=True)
    wrapper.write_text("#!/bin/sh\n")
    wrapper.chmod(0o755)
    wrapper.with_name(f"{PROGRAM}.device").write_text("vhost-user-test-device-pci\n")
    return wrapper


@pytest.mark.parametrize("body", [WILLING, WILLING_OLD])
def test_qemu_in_path_that_creates_the_device_is_taken(run: Run, fake: Fake, body: str) -> None:
    program = fake(PROGRAM, body)
    done = run("qemu", PROGRAM)
    assert (done.returncode, done.stdout) == (0, f"{program}\n"), done.stderr


def test_qemu_device_name_is_the_one_that_this_qemu_has(run: Run, fake: Fake) -> None:
    fake(PROGRAM, WILLING_OLD)
    assert run("qemu", "--device", PROGRAM).stdout == "vhost-user-device-pci\n"


@pytest.mark.parametrize("body", [REFUSING, LACKING])
def test_qemu_in_path_that_cannot_is_passed_over(
    run: Run, fake: Fake, private_copy: Path, body: str
) -> None:
    fake(PROGRAM, body)
    assert run("qemu", PROGRAM).stdout == f"{private_copy}\n"


def test_qemu_override_that_refuses_is_an_error_with_its_reason(
    run: Run, fake: Fake, private_copy: Path
) -> None:
    program = fake(PROGRAM, REFUSING)
    done = run("qemu", PROGRAM, RPMSG_QEMU_DIR=str(program.parent))
    assert (done.returncode, done.stdout) == (1, "")
    assert "refuses to create vhost-user-device-pci" in done.stderr
    assert "pluggable device type" in done.stderr


def test_qemu_override_by_path_wins(run: Run, fake: Fake, private_copy: Path) -> None:
    program = fake("my-qemu", WILLING)
    assert run("qemu", PROGRAM, QEMU=str(program)).stdout == f"{program}\n"


def test_qemu_override_that_is_not_there_is_an_error(run: Run) -> None:
    done = run("qemu", PROGRAM, QEMU="/nowhere/qemu")
    assert done.returncode == 1
    assert "/nowhere/qemu cannot be used: not an executable file" in done.stderr


@pytest.mark.usefixtures("no_network")
def test_qemu_without_network_says_what_was_tried_and_leaves_nothing(
    run: Run, fake: Fake, tmp_path: Path
) -> None:
    program = fake(PROGRAM, LACKING)
    done = run("qemu", PROGRAM, RPMSG_DEBIAN_MIRROR="http://mirror.invalid/debian")
    assert (done.returncode, done.stdout) == (1, "")
    for part in (f"tried: {program}: its '-device help' lists neither", "tried: the cache", "needed: QEMU"):
        assert part in done.stderr
    assert [path.name for path in (tmp_path / "cache/rpmsg-testbench").iterdir()] == ["lock.qemu"]


@pytest.mark.usefixtures("no_network")
def test_qemu_without_network_takes_the_private_copy(run: Run, private_copy: Path) -> None:
    assert run("qemu", PROGRAM).stdout == f"{private_copy}\n"


def test_qemu_unknown_program_names_the_list(run: Run) -> None:
    done = run("qemu", "qemu-system-z80")
    assert done.returncode == 1
    assert "unknown program: qemu-system-z80" in done.stderr
