# SPDX-License-Identifier: BSD-2-Clause
"""Inputs are made as small as the fault allows, and no smaller."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.tools import oplist
from fuzz.tools.oplist import Field, Item, Operation, Schema
from fuzz.tools.shrink import fewest, shrink

GO = Operation(0, "go", "tail", (Field("speed", 2, "number", 0), Field("way", 1, "number", 0)))
STOP = Operation(1, "stop", "", ())
SCHEMA = Schema(200, (GO, STOP))


@pytest.fixture
def replay(tmp_path: Path) -> Path:
    """A target that breaks rule `planted` when it reads 'BAD', and `other` when it reads 'WORSE'."""
    program = tmp_path / "replay"
    program.write_text(
        "#!/bin/bash\n"
        'grep -aq WORSE "$1" && { echo "x.c:1: oracle other: w" >&2; kill -ABRT $$; }\n'
        'grep -aq BAD "$1" && { echo "x.c:1: oracle planted: b" >&2; kill -ABRT $$; }\n'
        "exit 0\n"
    )
    program.chmod(0o755)
    return program


def test_fewest_keeps_what_is_needed() -> None:
    assert fewest(range(100), lambda left: {3, 57, 99} <= set(left)) == [3, 57, 99]


def test_fewest_of_what_always_fails_is_nothing() -> None:
    assert fewest(range(9), lambda _: True) == []


def test_shrink_of_bytes_keeps_the_fault(replay: Path) -> None:
    assert shrink(replay, None, b"much before BAD and after") == (b"BAD", "planted")


def test_shrink_of_operations_leaves_out_what_does_not_matter(replay: Path) -> None:
    items = [Item(STOP, ()), Item(GO, (500, 3), b"BAD and more"), Item(GO, (1, 1)), Item(STOP, ())]
    small, rule = shrink(replay, SCHEMA, oplist.encode(SCHEMA, items))
    assert rule == "planted"
    assert oplist.decode(SCHEMA, small) == [Item(GO, (0, 0), b"BAD")]


def test_shrink_does_not_slip_to_another_fault(replay: Path) -> None:
    assert shrink(replay, None, b"BAD..WORSE..BAD")[1] == "other"


def test_shrink_of_an_input_without_a_fault_is_refused(replay: Path) -> None:
    with pytest.raises(ValueError, match="breaks no rule"):
        shrink(replay, None, b"good")
