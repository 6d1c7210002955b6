# SPDX-License-Identifier: BSD-2-Clause
"""What is known of a guest is counted, and what kills it is left out."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from fuzz.tools import oplist
from fuzz.tools.host import judge, known
from fuzz.tools.host.device import schema_of
from fuzz.tools.host.rig import Round, Seen
from fuzz.tools.oplist import Item
from fuzz.tools.project import FUZZ, ROOT, Problem

ENTRY = """\
[[known]]
requirement = "NS-045"
signature = "^guest"
when = "withdraws-rpmsg_ns"
kills = true
note = "n"
"""


@pytest.fixture(scope="module")
def schema(device: Path) -> oplist.Schema:
    return schema_of(device)


def items(schema: oplist.Schema, text: str) -> list[Item]:
    return oplist.parse(schema, text)


@pytest.fixture
def listed(tmp_path: Path) -> known.Known:
    path = tmp_path / "known.toml"
    path.write_text(ENTRY)
    return known.load(path, "linux-6.12")


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ('name_service address=53 flags=1 name="rpmsg_ns"', "withdraws-rpmsg_ns"),
        ('message dst=53 payload="rpmsg_ns"+hex:00*24+hex:3500000001000000', "withdraws-rpmsg_ns"),
        ('name_service address=1024 name="rpmsg-client-sample"', "announces-rpmsg-client-sample"),
        ("raw used_len=15", "used-length-below-header"),
        ("message used_more=0xfffffff0", "used-length-below-header"),
        ("message len_more=1", "malformed-message"),
        ("message payload=hex:41*497", "malformed-message"),
        ("again queue=1", "ring-lie"),
        ("index step=65535", "used-index-jump"),
        ("offer without=1", "no-name-service"),
    ],
)
def test_shape_of_an_operation_is_seen(schema: oplist.Schema, text: str, shape: str) -> None:
    assert known.has(items(schema, text), shape)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ('name_service address=53 name="rpmsg_ns"', "withdraws-rpmsg_ns"),
        ('name_service address=54 flags=1 name="rpmsg_ns"', "withdraws-rpmsg_ns"),
        ("message payload=hex:41*496", "malformed-message"),
        ("index step=1", "used-index-jump"),
        ("raw used_len=16", "used-length-below-header"),
        ("offer without=2", "no-name-service"),
    ],
)
def test_shape_is_not_seen_where_it_is_not(schema: oplist.Schema, text: str, shape: str) -> None:
    assert not known.has(items(schema, text), shape)


def test_known_finding_needs_signature_and_shape(schema: oplist.Schema, listed: known.Known) -> None:
    withdrawal = items(schema, 'name_service address=53 flags=1 name="rpmsg_ns"')
    entry = listed.find("guest hangs", withdrawal)
    assert entry is not None and entry.requirement == "NS-045"
    assert listed.find("KASAN slab-use-after-free in f", withdrawal) is None
    assert listed.find("guest hangs", items(schema, "message")) is None


def test_known_killer_is_recognised_by_its_operation(schema: oplist.Schema, listed: known.Known) -> None:
    one, other = items(schema, 'name_service address=53 flags=1 name="rpmsg_ns"\nmessage')
    assert listed.deadly(one)
    assert not listed.deadly(other)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[known]]\nnote = ''", "entry 1: KeyError"),
        ("[[known]]\nsignature = '('\nnote = ''", "entry 1: error"),
        ("[[known]]\nsignature = 'x'\nnote = ''\nwhen = 'y'", "when = 'y': there are any, "),
        ("[[known]]\nsignature = 'x'\nnote = ''\nmore = 1", "entry 1: more"),
        ("[[", "known.toml: "),
    ],
)
def test_known_file_that_is_wrong_is_told_with_the_entry(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "known.toml"
    path.write_text(text)
    with pytest.raises(Problem, match=re.escape(said)):
        known.load(path, "linux-6.12")


def test_known_list_names_requirements_that_exist() -> None:
    catalogue = tomllib.loads((ROOT / "conformance" / "requirements.toml").read_text(encoding="utf-8"))
    there = {entry["id"] for entry in catalogue["requirement"]}
    listed = known.load(FUZZ / "known.toml", "linux-6.12").entries
    assert listed
    assert {entry.requirement for entry in listed if entry.requirement} <= there


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("again", []),
        ("offer without=1", []),
        ("message len_more=1", [judge.DEAF_MALFORMED]),
        ("message", [judge.DEAF]),
    ],
)
def test_deaf_link_counts_unless_the_device_spoilt_it(
    schema: oplist.Schema, text: str, expected: list[str]
) -> None:
    seen = Round([Seen(deaf=True)])
    assert list(judge.findings(seen, [items(schema, text)])) == expected


def test_loss_is_a_finding_beside_a_complaint_that_does_not_explain_it(schema: oplist.Schema) -> None:
    said = [
        "[ 1.0] <4> WARNING: CPU: 0 PID: 36 at kernel/rcu/tree_plugin.h:331 f+0x1/0x2",
        "[ 1.0] <4> ---[ end trace 0000000000000000 ]---",
    ]
    seen = Round([Seen()], log=said, lost="guest hangs")
    assert list(judge.findings(seen, [items(schema, "message")])) == ["WARNING in f", "guest hangs"]


def test_loss_is_called_by_what_the_kernel_said_of_it(schema: oplist.Schema) -> None:
    said = [
        "[ 1.0] <1> BUG: kernel NULL pointer dereference, address: 0",
        "[ 1.0] <1> RIP: 0010:f+0x1/0x2",
        "[ 1.0] <1> ---[ end trace 0000000000000000 ]---",
    ]
    seen = Round([Seen(), Seen()], log=said, lost="guest died")
    two = [items(schema, "message"), items(schema, "raw")]
    assert judge.findings(seen, two) == {"NULL dereference in f": [0, 1]}
    assert judge.findings(Round([Seen()], lost="guest died"), two[:1]) == {"guest died": [0]}
