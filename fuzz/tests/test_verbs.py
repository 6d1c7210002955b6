# SPDX-License-Identifier: BSD-2-Clause
"""scripts/fuzz as a person uses it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fuzz.tools import capture, oplist, repro
from fuzz.tools.project import ROOT, Problem, environment, schema, target, targets

from .conftest import Fuzz

REGRESS = ROOT / "fuzz/regress/remote/config-write-without-space"


def test_verb_list_names_every_target(fuzz: Fuzz) -> None:
    lines = fuzz("list").stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(targets())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "nosuch"), "no target is called 'nosuch': there are empty, wire"),
        (("decode", "/nonexistent"), "/nonexistent: there is no such file"),
        (("decode", "/etc/hostname"), "whose input is it?"),
        (("build", "--engine", "afl", "--sanitizer", "coverage"), "is not built with sanitizer coverage"),
        (("regress", REGRESS, "--name", "Bad Name"), "a name has lower-case letters"),
    ],
)
def test_verb_with_bad_input_tells_it_in_one_line(
    fuzz: Fuzz, arguments: tuple[str | Path, ...], told: str
) -> None:
    done = fuzz(*arguments)
    assert done.returncode == 2
    assert told in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_verb_decode_prints_what_encode_reads(fuzz: Fuzz, tmp_path: Path, programs: Path) -> None:
    known = schema(programs, "remote")
    assert known is not None
    text = tmp_path / "text"
    text.write_text(fuzz("decode", REGRESS).stdout)
    assert fuzz("encode", "remote", text, tmp_path / "again").returncode == 0
    again = oplist.decode(known, (tmp_path / "again").read_bytes())
    assert list(map(oplist.show, again)) == list(map(oplist.show, oplist.decode(known, REGRESS.read_bytes())))


def test_verb_replay_runs_what_is_committed(fuzz: Fuzz) -> None:
    done = fuzz("replay", "remote")
    assert done.returncode == 0
    assert f"remote: {len(target('remote').inputs())} inputs, none broke a rule" in done.stdout


def test_verb_repro_prints_a_program_that_runs(programs: Path, tmp_path: Path) -> None:
    remote = target("remote")
    text = repro.c_test(remote, schema(programs, "remote"), REGRESS.read_bytes(), "x", programs.parent)
    (tmp_path / "repro.c").write_text(text)
    command = repro.link_command(remote, programs.parent)
    assert command.count("../../repro") == 2
    command = command.replace("../../repro", str(tmp_path / "repro"))
    subprocess.run(["bash", "-c", command], cwd=programs.parent, check=True)
    subprocess.run([tmp_path / "repro"], env=environment(), check=True)


def test_verb_repro_prints_a_case_that_python_reads(fuzz: Fuzz) -> None:
    seed = target("remote").corpus / "seed-echo"
    done = fuzz("repro", "--case", seed)
    compile(done.stdout, "case", "exec")
    assert "host.send(0x401, 0x400, b'hello')" in done.stdout


def test_verb_repro_of_a_ring_as_a_case_is_refused(fuzz: Fuzz) -> None:
    done = fuzz("repro", "--case", target("virtqueue").inputs()[0])
    assert done.returncode == 2
    assert "no host can do" in done.stderr


def test_verb_coverage_counts_lines(fuzz: Fuzz) -> None:
    done = fuzz("coverage", "--text", "wire")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("wire ")]
    [wire] = [row for row in rows if row[2] == "wire"]
    assert float(wire[3]) > 40
    assert "never called" in done.stdout


def test_verb_rate_has_a_row_for_each_target(fuzz: Fuzz) -> None:
    done = fuzz("rate", "empty", "wire", "--time", "1")
    assert done.returncode == 0, done.stdout
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines()}
    assert rows["empty"][3] == "1.00"
    assert int(rows["wire"][2]) > 0


def test_capture_that_is_none_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"text")
    with pytest.raises(Problem, match="no capture of rpmsg-sim"):
        capture.as_lists(file)
