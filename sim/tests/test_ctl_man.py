# SPDX-License-Identifier: BSD-2-Clause
"""The manual pages say what the programs do, all of it and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from daemon_frontend import Connect, Start

pytest_plugins = ("ctl_fixtures",)

PAGES = Path(os.environ.get("MAN_PAGES", Path(__file__).resolve().parents[2] / "build/dev/sim/man"))
PROGRAMS = Path(os.environ.get("RPMSG_CTL", PAGES.parents[1] / "bin/rpmsg-ctl")).parent


def roff(page: str) -> str:
    """Source of a built page, with what roff writes for a hyphen and an underscore undone."""
    return (PAGES / page).read_text().replace("\\-", "-").replace("\\_", "_")


def pages() -> list[str]:
    return sorted(path.name for path in PAGES.glob("rpmsg-*.[1-9]"))


@pytest.mark.parametrize(
    "program", [p for p in ("rpmsg-sim", "rpmsg-ctl", "rpmsg-host") if (PROGRAMS / p).exists()]
)
def test_man_page_has_every_option_of_the_help_and_no_other(program: str) -> None:
    shown = subprocess.run([PROGRAMS / program, "--help"], capture_output=True, text=True).stdout
    in_help = set(re.findall(r"^  (?:-\w, )?(--[a-z][a-z0-9-]*)", shown, re.MULTILINE))

    options = roff(f"{program}.1").split("\n.SH OPTIONS\n")[1].split("\n.SH ")[0]
    entries = re.findall(
        r"^(?:\\fB-\w\\fR, )?\\fB(--[a-z][a-z0-9-]*)\\fR", options, re.MULTILINE
    )
    in_page = set(entries)

    assert in_help and in_page == in_help
    assert len(entries) == len(in_page)


def test_man_page_mentions_no_option_that_there_is_not() -> None:
    known = set(re.findall(r"--[a-z][a-z0-9-]*", "".join(
        subprocess.run([path, "--help"], capture_output=True, text=True).stdout
        for path in PROGRAMS.glob("rpmsg-*") if path.name in ("rpmsg-sim", "rpmsg-ctl", "rpmsg-host")
    )))  # fmt: skip

    for page in pages():
        assert set(re.findall(r"--[a-z][a-z0-9-]+", roff(page))) <= known, page


def test_man_page_of_the_control_socket_has_every_method(start: Start, connect: Connect) -> None:
    shown = connect(start()).call("help")

    in_page = re.findall(r"^\.SS (\w+)$", roff("rpmsg-control.7"), re.MULTILINE)

    assert in_page == [method["name"] for method in shown["methods"]]


def test_man_page_of_the_control_socket_has_every_parameter(
    start: Start, connect: Connect
) -> None:
    parts = re.split(r"^\.SS (\w+)$", roff("rpmsg-control.7"), flags=re.MULTILINE)
    by_method = dict(zip(parts[1::2], parts[2::2], strict=True))

    for method in connect(start()).call("help")["methods"]:
        for param in method["params"]:
            if param["name"] != "remote":  # said once, for all
                assert f"\\fB{param['name']}\\fR (" in by_method[method["name"]]


def test_man_page_of_the_control_socket_has_every_type_of_event(
    start: Start, connect: Connect
) -> None:
    page = roff("rpmsg-control.7")

    for event in connect(start()).call("help")["events"]:
        assert re.search(rf"\b{event if isinstance(event, str) else event['name']}\b", page)


@pytest.mark.skipif(not shutil.which("groff"), reason="needs groff-base")
@pytest.mark.parametrize("page", pages())
def test_man_page_has_nothing_that_man_complains_about(page: str) -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", str(PAGES / page)], capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout) > 1000


def test_man_pages_are_these() -> None:
    assert pages() == [
        "rpmsg-control.7",
        "rpmsg-ctl.1",
        "rpmsg-host.1",
        "rpmsg-scenario.5",
        "rpmsg-sim.1",
    ]
