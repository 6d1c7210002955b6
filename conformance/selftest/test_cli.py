# SPDX-License-Identifier: BSD-2-Clause
"""The command line: what it refuses, and the exit status of each way out."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CONFORMANCE

from rpmsg_conformance.cli import main

PROGRAM = CONFORMANCE / "rpmsg-conform"

BUNDLE = {
    "name": "fake",
    "arch": "arm",
    "kernel_release": "0",
    "qemu": "qemu-system-arm",
    "machine": [],
    "append": "",
    "memory_mb": 64,
    "device": "vhost-user-test-device-pci",
    "modules": [],
    "package": "linux-image-fake",
    "package_version": "1",
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle that looks right."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "guest.json").write_text(json.dumps(BUNDLE))
    (folder / "kernel").write_text("")
    (folder / "initramfs.cpio").write_text("")
    return folder


def write_program(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)
    return path


def host(*arguments: str | Path) -> int:
    """Run ``rpmsg-conform host`` in this process."""
    return main(["host", "--guest", "fake", *map(str, arguments)])


def test_cli_list_shows_requirements_and_cases(capsys: pytest.CaptureFixture[str]) -> None:
    assert host("--list", "--select", "UA-003") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("UA-003  must ")
    assert [line.strip() for line in lines[1:]] == [
        "test_userspace_second_open_is_ebusy",
        "test_userspace_second_open_of_a_created_endpoint_is_ebusy",
        "test_userspace_open_succeeds_again_after_close",
    ]


def test_cli_list_as_json_has_a_case_for_each_requirement(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert host("--list=json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert len({row["requirement"] for row in rows}) >= 25
    assert set(rows[0]) == {"case", "requirement", "level", "text"}


def test_cli_dry_run_says_why_a_case_does_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert host("--dry-run", "--level", "must", "--exclude", "HD") == 0
    text = capsys.readouterr().out
    assert "(not run: level should is not asked for)" in text
    assert "(not run: excluded by 'HD')" in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--select", "no-such-thing"], "--select 'no-such-thing': no case"),
        (["--exclude", "XX-001"], "--exclude 'XX-001': no case"),
        (["--baseline", "/does/not/exist"], "/does/not/exist: cannot be read"),
        (["--sim", "/does/not/exist"], "no rpmsg-sim found (/does/not/exist)"),
    ],
)
def test_cli_wrong_usage_is_one_line_and_status_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert host(*arguments) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--level", "musst"],
        ["--timeout-factor", "fast"],
        ["--timeout-factor", "nan"],
        ["--timeout-factor", "0"],
        ["--no-such-option"],
        ["--sele", "BF"],
    ],
)
def test_cli_unknown_values_and_options_are_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        host(*arguments)
    assert caught.value.code == 2


def test_cli_without_a_suite_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2


def test_cli_nothing_to_run_is_status_5(capsys: pytest.CaptureFixture[str]) -> None:
    assert host("--select", "UA", "--level", "observed") == 5
    assert "no case is left to run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda folder: (folder / "guest.json").unlink(), "guest.json: cannot be read"),
        (lambda folder: (folder / "guest.json").write_text("{"), "guest.json: not JSON"),
        (lambda folder: (folder / "guest.json").write_text("{}"), "'name' is missing"),
        (
            lambda folder: (folder / "guest.json").write_text(json.dumps({**BUNDLE, "slowness": 0.5})),
            "'slowness' is not a number from 1 to 100",
        ),
        (lambda folder: (folder / "kernel").unlink(), "there is no kernel"),
        (lambda folder: (folder / "initramfs.cpio").unlink(), "there is no initramfs.cpio"),
    ],
)
def test_cli_unusable_bundle_is_status_4(
    damage: object, complaint: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(damage)
    damage(bundle)
    assert host("--sim", "/bin/true", "--bundle", bundle) == 4
    assert complaint in capsys.readouterr().err


def test_cli_qemu_that_ends_at_once_is_status_4(
    bundle: Path, tmp_path: Path, simulator_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    qemu = write_program(
        tmp_path / "qemu",
        'for a; do case $a in file,id=console,path=*) echo "Kernel panic" >"${a##*path=}"; esac; done\n'
        "echo no such machine >&2; exit 1",
    )
    report = tmp_path / "report"
    status = host(
        "--sim", simulator_path, "--bundle", bundle, "--qemu", qemu, "--report", report,
        "--select", "UA-003",
    )
    assert status == 4
    text = capsys.readouterr().out
    assert "guest fake did not boot: QEMU exited with status 1, saying: no such machine" in text
    assert "    Kernel panic" in text
    assert f"whole console: {report}/guests/guest-1/console.log" in text
    assert json.loads((report / "report.json").read_text())["exit_code"] == 4


def test_cli_interrupted_boot_leaves_nothing(
    bundle: Path, tmp_path: Path, simulator_path: Path
) -> None:
    """Ctrl-C while QEMU says nothing: status 130, no process, the report says so."""
    qemu = write_program(tmp_path / "qemu", f"echo $$ >{tmp_path}/pid; exec sleep 1000")
    os.mkfifo(tmp_path / "pid")
    report = tmp_path / "report"
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    command: list[str | Path] = [PROGRAM, "host", "--guest", "fake", "--sim", simulator_path]
    command += ["--bundle", bundle, "--qemu", qemu, "--report", report, "--select", "UA-003"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    pidfd = os.pidfd_open(int((tmp_path / "pid").read_text()))
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT
    assert "interrupted by SIGINT" in output
    with pytest.raises(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, 0)
    os.close(pidfd)
    assert list(temporary.iterdir()) == []
    assert json.loads((report / "report.json").read_text())["interrupted"] == "SIGINT"


def test_cli_report_folder_keeps_what_is_not_ours(
    bundle: Path, tmp_path: Path, simulator_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    qemu = write_program(tmp_path / "qemu", "exit 1")
    report = tmp_path / "report"
    (report / "cases/old").mkdir(parents=True)
    (report / "notes.txt").write_text("mine")
    host("--sim", simulator_path, "--bundle", bundle, "--qemu", qemu, "--report", report,
         "--select", "UA-003")
    assert (report / "notes.txt").read_text() == "mine"
    assert not (report / "cases/old").exists()


@pytest.mark.parametrize("kind", ["link", "copy", "module"])
def test_cli_starts_from_anywhere(kind: str, tmp_path: Path) -> None:
    program = tmp_path / "rpmsg-conform"
    command: list[str | Path] = [program]
    if kind == "link":
        program.symlink_to(PROGRAM)
    elif kind == "copy":
        program.write_text(PROGRAM.read_text().replace("@RPMSG_CONFORMANCE_DIR@", str(CONFORMANCE)))
        program.chmod(0o755)
    else:
        command = [sys.executable, "-m", "rpmsg_conformance"]
    done = subprocess.run(
        [*command, "--version"],
        cwd=CONFORMANCE if kind == "module" else tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("rpmsg-conform ")


def test_cli_copy_without_a_checkout_says_so(tmp_path: Path) -> None:
    program = shutil.copy(PROGRAM, tmp_path / "rpmsg-conform")
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 2
    assert "package rpmsg_conformance is not in" in done.stderr
