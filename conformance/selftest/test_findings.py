# SPDX-License-Identifier: BSD-2-Clause
"""The page of what was found in real kernels says what the baselines say."""

from __future__ import annotations

from pathlib import Path

from rpmsg_conformance import findings


def test_findings_page_is_that_of_the_baselines() -> None:
    assert findings.PAGE.read_text() == findings.page(findings.BASELINES), (
        "run python3 -m rpmsg_conformance.findings --write in conformance/"
    )


def test_findings_name_each_guest_that_has_one(tmp_path: Path) -> None:
    entry = '[[deviation]]\nrequirement = "UA-006"\nseen = "x"\nreason = "It is so."\n'
    (tmp_path / "one.toml").write_text(entry)
    (tmp_path / "two.toml").write_text(entry)
    text = findings.page(tmp_path)
    assert "guests: one, two" in text
    assert text.count("It is so.") == 1
