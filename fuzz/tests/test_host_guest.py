# SPDX-License-Identifier: BSD-2-Clause
"""rpmsg-fuzz host against a real kernel: it finds a killer and shrinks it, and goes on where there is none."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz.tools import oplist, project
from fuzz.tools.host.device import schema_of

#: host("--runs", "3"): rpmsg-fuzz host to its end.
Host = Callable[..., subprocess.CompletedProcess[str]]

GUEST = "debian-rt"

#: For a guest that does not answer, relative to what is usual; booting is given more.
PATIENCE = "0.4"

#: Among others one operation that stops the receive interrupt's thread for ever (NS-045).
KILLER = """\
message src=5 dst=1024 payload="before"
name_service address=53 flags=1 name="rpmsg_ns"
"""


@pytest.fixture
def host(device: Path, tmp_path: Path) -> Host:
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [project.FUZZ / "rpmsg-fuzz", "host", *arguments],
            capture_output=True,
            text=True,
            timeout=280,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"RPMSG_FUZZ_DEVICE": str(device)},
            cwd=tmp_path,
            check=False,
        )

    return run


@pytest.fixture
def nothing_known(tmp_path: Path) -> Path:
    path = tmp_path / "known.toml"
    path.write_text("# Everything is new.\n")
    return path


def test_host_finds_shrinks_and_reproduces_a_killer(
    host: Host, device: Path, tmp_path: Path, nothing_known: Path
) -> None:
    schema = schema_of(device)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "planted").write_bytes(oplist.encode(schema, oplist.parse(schema, KILLER)))
    done = host(
        *("--guest", GUEST, "--runs", "1", "--no-seeds", "--corpus", corpus),
        *("--findings", "findings", "--known", nothing_known, "--timeout-factor", PATIENCE),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    (found,) = (tmp_path / "findings").iterdir()
    assert {file.name for file in found.iterdir()} == {"input", "decoded.txt", "console.txt", "repro.txt"}
    (item,) = oplist.decode(schema, (found / "input").read_bytes())
    assert oplist.show(item) == 'name_service address=53 flags=1 name="rpmsg_ns"'
    assert oplist.show(item) in (found / "decoded.txt").read_text()

    command = (found / "repro.txt").read_text().splitlines()[-1].split()
    assert command[:2] == ["rpmsg-fuzz", "host"]
    again = host(*command[2:], "--timeout-factor", PATIENCE)
    assert again.returncode == 1, again.stdout + again.stderr
    assert f"seen: {found.name.replace('-', ' ')}" in again.stdout


def test_host_goes_on_with_one_guest_while_nothing_new_is_found(host: Host, tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    done = host(
        *("--guest", GUEST, "--runs", "12", "--seed", "1", "--avoid", "known"),
        *("--timeout-factor", "4", "--summary", summary),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(summary.read_text())
    assert (said["rounds"], said["guests"], said["new"]) == (12, 1, [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "the following arguments are required: --guest"),
        (("--guest", "nonesuch"), "no guest is called 'nonesuch': there are debian, "),
        (("--guest", GUEST, "--seconds", "0"), "argument --seconds: 0: a number of seconds above 0"),
        (("--guest", GUEST, "--seconds", "soon"), "argument --seconds: soon: a number of seconds above 0"),
        (("--guest", GUEST, "--runs", "-1"), "argument --runs: -1: a whole number above 0"),
        (("--guest", GUEST, "--devices", "13"), "argument --devices: 13: 1 to 12"),
        (("--guest", GUEST, "--known", "nowhere"), "nowhere: [Errno 2] No such file or directory: 'nowhere'"),
        (("--guest", GUEST, "--replay", "nowhere"), "nowhere: No such file or directory"),
        (("--guest", GUEST, "--replay", "known.toml"), "known.toml: no operation list: begins with"),
    ],
)
def test_host_command_line_that_is_wrong_gets_one_message(
    host: Host, nothing_known: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = host(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
