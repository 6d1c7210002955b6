# SPDX-License-Identifier: BSD-2-Clause
"""Traffic of the conformance suite becomes inputs of target remote."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fuzz.tools import capture, corpus, oplist
from fuzz.tools.project import ROOT, Problem, Target, environment, schema, target

from .conftest import Fuzz

#: Announcements and messages of usual sizes: a few seconds.
CASES = ("NS-003", "NS-033", "HD-010", "EP-010")


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Capture of a run of `rpmsg-conform remote` against rpmsg-sim."""
    folder = tmp_path_factory.mktemp("traffic")
    subprocess.run([ROOT / "scripts/build", "dev"], check=True)
    file = folder / "capture.pcap"
    remote = f"{ROOT}/build/dev/bin/rpmsg-sim --socket-path {{socket}} --service echo --capture {file}"
    done = subprocess.run(
        [ROOT / "build/dev/bin/rpmsg-conform", "remote", "--launch", remote, "--report", folder / "report",
         "--select", *CASES],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return file


def test_convert_makes_lists_that_replay(traffic: Path, fuzz: Fuzz, tmp_path: Path, programs: Path) -> None:
    known = schema(programs, "remote")
    assert known is not None
    done = fuzz("convert", traffic, tmp_path / "lists")
    assert done.returncode == 0, done.stderr
    texts = sorted((tmp_path / "lists").glob("*.txt"))
    inputs = []
    for text in texts:
        items = oplist.parse(known, text.read_text(encoding="utf-8"))
        assert {item.operation.name for item in items} >= {"announce", "attach", "message", "run", "take"}
        inputs.append(text.with_suffix(".input"))
        inputs[-1].write_bytes(oplist.encode(known, items))
    ran = subprocess.run(
        [programs / "replay_remote", *inputs], capture_output=True, text=True, env=environment(), check=False
    )
    assert f"remote: {len(inputs)} inputs, none broke a rule" in ran.stdout


def test_convert_leaves_out_what_is_covered(traffic: Path, programs: Path) -> None:
    # The seeds conform-* came from a longer run of the same suite.
    known, remote = schema(programs, "remote"), target("remote")
    assert known is not None
    lists = {
        str(n): oplist.encode(known, oplist.parse(known, text)) for n, text in enumerate(capture.as_lists(traffic))
    }
    seed = (remote.corpus / "seed-echo").read_bytes()
    assert "again" not in corpus.adding(programs, remote, lists | {"again": seed})


def test_convert_of_what_is_new_is_refused_where_nothing_is_covered(tmp_path: Path) -> None:
    fake = tmp_path / "fuzz_remote"
    fake.write_text("#!/bin/sh\necho '#2 INITED cov: 0 ft: 0 corp: 1/1b' >&2\n")
    fake.chmod(0o755)
    with pytest.raises(Problem, match="cover nothing"):
        corpus.adding(tmp_path, Target("remote", 8192, ("remote",)), {"a": b"x"})
