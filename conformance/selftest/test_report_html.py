# SPDX-License-Identifier: BSD-2-Clause
"""The page of a run says what the report says, shows failures first, and trusts nobody's text."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeRun
from page_reader import Page

from rpmsg_conformance import pages, report_html, report_json
from rpmsg_conformance.baseline import Deviation
from rpmsg_conformance.catalogue import Catalogue
from rpmsg_conformance.results import NotRun, RunResult
from rpmsg_conformance.verdicts import Verdict

#: What a target, a kernel or a file name may hold, and a page must only ever show.
HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><svg onload=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "]]><!--",
    "&lt;b&gt;",
]


def shown(run: RunResult) -> Page:
    return Page(report_html.as_page(report_json.as_object("host", run)))


def hostile_run(make_run: MakeRun, text: str) -> RunResult:
    """A run in which everything that comes from outside is ``text``."""
    run = make_run(
        {"BF-001": [Verdict.DIED], "BF-002": [Verdict.XFAIL]},
        target={"guest": text, text: text},
        sanity=[text],
        harness=[text],
        unreachable=text,
        interrupted=text,
        command=text,
        profile=text,
    )
    for case in run.cases:
        case.name = case.message = case.expected = case.observed = case.repeat = text
        case.traceback = text
        case.notes, case.console, case.messages = [text], [text], [text]
        case.artefacts = Path(text.replace("/", "_"))
        case.deviation = Deviation("BF-002", text, text, 1, None, text, text, None)
    return run


@pytest.mark.parametrize("text", HOSTILE)
def test_report_html_hostile_text_adds_no_element(text: str, make_run: MakeRun) -> None:
    harmless, hostile = (shown(hostile_run(make_run, t)) for t in ("harmless", text))
    assert [e.tag for e in hostile.elements] == [e.tag for e in harmless.elements]


@pytest.mark.parametrize("text", HOSTILE)
def test_report_html_hostile_text_adds_no_attribute(text: str, make_run: MakeRun) -> None:
    harmless, hostile = (shown(hostile_run(make_run, t)) for t in ("harmless", text))
    assert [set(e.attributes) for e in hostile.elements] == [
        set(e.attributes) for e in harmless.elements
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_report_html_hostile_text_is_shown_as_it_is(text: str, make_run: MakeRun) -> None:
    [heading] = shown(hostile_run(make_run, text)).find("h1")
    assert heading.text == text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\x1b[2Jb", "a<U+001B>[2Jb"),
        ("a\0b", "a<U+0000>b"),
        ("txt\u202egpj", "txt<U+202E>gpj"),
        ("half \ud800 pair", "half <U+D800> pair"),
        ("zero\u200bwidth", "zero<U+200B>width"),
    ],
)
def test_report_html_unseen_characters_become_visible(
    text: str, seen: str, make_run: MakeRun
) -> None:
    [heading] = shown(make_run({}, target={"guest": text})).find("h1")
    assert heading.text == seen


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", " javascript:x", "//host/x", "http://[x"]
)
def test_report_html_link_of_another_scheme_is_only_text(link: str, make_run: MakeRun) -> None:
    run = make_run({"BF-002": [Verdict.XFAIL]})
    run.cases[0].deviation = Deviation("BF-002", "s", "why", 1, None, None, link, None)
    page = shown(run)
    assert all(element.attributes.get("href", "#").startswith("#") for element in page.find("a"))
    assert any(link in element.text for element in page.find("p", "deviation"))


@pytest.mark.parametrize("name", ["../../etc", "/etc", "a/../../b"])
def test_report_html_evidence_outside_of_the_report_is_only_text(
    name: str, make_run: MakeRun
) -> None:
    report = report_json.as_object("host", make_run({"BF-001": [Verdict.FAIL]}))
    report["requirements"][0]["cases"][0].update(artefacts=name, files=["passwd"])
    page = Page(report_html.as_page(report))
    assert all(element.attributes.get("href", "#").startswith("#") for element in page.find("a"))


def test_report_html_evidence_is_linked_beside_the_page(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run({"BF-001": [Verdict.FAIL]}, report=tmp_path)
    folder = run.cases[0].artefacts = tmp_path / "cases" / "a case"
    folder.mkdir(parents=True)
    (folder / "capture.pcap").touch()
    assert "./cases/a%20case/capture.pcap" in [
        element.attributes["href"] for element in shown(run).find("a")
    ]


def test_report_html_needs_nothing_from_elsewhere(make_run: MakeRun) -> None:
    page = shown(make_run({"BF-001": [Verdict.FAIL, Verdict.PASS]}))
    for element in page.elements:
        assert element.tag not in ("link", "img", "iframe", "object", "base")
        assert not {"src", "srcset", "style", "action"} & set(element.attributes)
    for sheet in page.find("style"):
        assert "url(" not in sheet.text and "@import" not in sheet.text


@pytest.mark.parametrize(("tag", "directive"), [("script", "script-src"), ("style", "style-src")])
def test_report_html_policy_allows_only_its_own_text(
    tag: str, directive: str, make_run: MakeRun
) -> None:
    page = shown(make_run({"BF-001": [Verdict.PASS]}))
    [policy] = [
        element.attributes["content"]
        for element in page.find("meta")
        if element.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    [own] = page.find(tag)
    digest = base64.b64encode(hashlib.sha256(own.text.encode()).digest()).decode()
    assert f"{directive} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")


def test_report_html_failures_come_first_and_unfolded(make_run: MakeRun) -> None:
    run = make_run(
        {"BF-001": [Verdict.PASS], "BF-002": [Verdict.WARN], "NS-001": [Verdict.DIED]}
    )
    entries = shown(run).find("details", "requirement")
    assert [(e.attributes["id"], "open" in e.attributes) for e in entries] == [
        ("NS-001", True),
        ("BF-002", True),
        ("BF-001", False),
    ]


def test_report_html_worst_case_of_a_requirement_comes_first(make_run: MakeRun) -> None:
    chips = shown(make_run({"BF-001": [Verdict.WARN, Verdict.PASS, Verdict.FAIL]})).find("h4")
    assert [chip.text.split()[0] for chip in chips] == ["FAIL", "WARN"]


def test_report_html_passed_cases_are_listed_with_what_was_seen(make_run: MakeRun) -> None:
    run = make_run({"BF-001": [Verdict.PASS, Verdict.FAIL, Verdict.PASS]})
    run.cases[0].notes = ["refused", "closed"]
    rows = [row.text for row in shown(run).find("tr") if "test_bf_001" in row.text]
    assert rows == ["test_bf_001_0refused; closed250 ms", "test_bf_001_2250 ms"]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_report_html_every_verdict_has_its_chip(verdict: Verdict, make_run: MakeRun) -> None:
    page = shown(make_run({"BF-001": [verdict]}))
    assert {chip.text for chip in page.find("span", "chip")} == {str(verdict)}


def test_report_html_failure_shows_all_evidence(make_run: MakeRun) -> None:
    run = make_run({"BF-001": [Verdict.FAIL]})
    case = run.cases[0]
    case.expected, case.observed = "EMSGSIZE or EINVAL", "success"
    case.messages, case.console = ["<- len 497"], ["a kernel line"]
    case.notes, case.repeat = ["a note"], "rpmsg-conform host --select test_x"
    [entry] = shown(run).find("details", "requirement")
    for text in ("EMSGSIZE or EINVAL", "success", "<- len 497", "a kernel line", "a note"):
        assert text in entry.text
    assert "rpmsg-conform host --select test_x" in entry.text


def test_report_html_repeat_command_is_one_text_to_copy(make_run: MakeRun) -> None:
    run = make_run({"BF-001": [Verdict.FAIL]})
    run.cases[0].repeat = "rpmsg-conform host --guest x --sim '/a b/-c' --select 'test_x[a -b]'"
    [command] = [e for e in shown(run).find("code") if "pre" in e.inside]
    assert command.text == run.cases[0].repeat


def test_report_html_summary_has_the_denominators(
    make_run: MakeRun, small_catalogue: Catalogue
) -> None:
    left = [
        NotRun(small_catalogue["NS-001"], True, "not selected"),
        NotRun(small_catalogue["NS-002"], False, "nobody wrote one"),
    ]
    run = make_run(
        {"BF-001": [Verdict.PASS], "BF-002": [Verdict.SKIP]}, not_run=left, excluded=1
    )
    page = shown(run)
    [funnel] = page.find("p", "funnel")
    catalogue, covered, ran, judged, cases, left_out = 4, 3, 2, 1, 2, 1
    numbers = [int(number) for number in re.findall(r"\d+", funnel.text)]
    assert numbers == [catalogue, covered, ran, judged, cases, left_out]
    [total] = page.find("tr", "total")
    passed, failed, other, no_case = 1, 0, 1, 1
    row = [catalogue, covered, judged, passed, failed, other, no_case]
    assert total.text == "all" + "".join(map(str, row))


def test_report_html_requirement_without_verdict_says_why(
    make_run: MakeRun, small_catalogue: Catalogue
) -> None:
    left = [NotRun(small_catalogue["NS-001"], False, "needs a thing that is not there")]
    [rest] = shown(make_run({"BF-001": [Verdict.PASS]}, not_run=left)).find("details", "rest")
    assert "NS-001" in rest.text and "needs a thing that is not there" in rest.text


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "Passed"),
        ({"harness": ["boom"]}, "Suite fault"),
        ({"unreachable": "no socket"}, "Unreachable"),
        ({"sanity": ["no echo"]}, "Failed"),
        ({"interrupted": "signal 2"}, "Interrupted"),
    ],
)
def test_report_html_headline_says_how_the_run_ended(
    fields: dict[str, Any], word: str, make_run: MakeRun
) -> None:
    [headline] = shown(make_run({"BF-001": [Verdict.PASS]}, **fields)).find("p", "headline")
    assert headline.text.split("\n")[0].startswith(word)


def test_report_html_of_nothing_says_so(make_run: MakeRun) -> None:
    [headline] = shown(make_run({})).find("p", "headline")
    assert headline.text.startswith("Nothing run")


def test_report_html_without_script_everything_is_there(make_run: MakeRun) -> None:
    page = shown(make_run({"BF-001": [Verdict.PASS], "BF-002": [Verdict.WARN]}))
    hidden = [element.tag for element in page.elements if "hidden" in element.attributes]
    assert hidden == ["form"], "only what needs the script is hidden until it runs"


def test_report_html_ids_are_unique(make_run: MakeRun, small_catalogue: Catalogue) -> None:
    left = [NotRun(small_catalogue["NS-001"], False, "none")]
    run = make_run({"BF-001": [Verdict.FAIL], "BF-002": [Verdict.PASS]}, not_run=left)
    ids = [e.attributes["id"] for e in shown(run).elements if "id" in e.attributes]
    assert sorted(ids) == sorted(set(ids))


def test_report_html_table_cells_have_headers(make_run: MakeRun) -> None:
    page = shown(make_run({"BF-001": [Verdict.PASS]}))
    assert page.find("th") and all("scope" in e.attributes for e in page.find("th"))


# --- colours ------------------------------------------------------------------------------------


def palettes() -> dict[str, dict[str, str]]:
    """The variables of each scheme, as (light, dark, print); the later ones add to the first."""
    sheet = (pages.TEMPLATES / "style.css").read_text()
    found = [dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{3,6})", b)) for b in _roots(sheet)]
    light, dark, paper = found
    return {"light": light, "dark": light | dark, "print": light | paper}


def _roots(sheet: str) -> list[str]:
    return re.findall(r":root\s*\{([^}]*)\}", sheet)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    weights = (0.2126, 0.7152, 0.0722)
    return float(sum(w * c for w, c in zip(weights, linear, strict=True)))


_PAIRS = [
    *itertools.product(("ink", "soft", "link"), ("paper", "card", "code")),
    *((name, f"{name}-paper") for name in ("good", "bad", "warn", "info", "mute")),
    ("bad", "card"),
]


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
@pytest.mark.parametrize(("front", "back"), _PAIRS)
def test_report_html_text_has_contrast(front: str, back: str, scheme: str) -> None:
    palette = palettes()[scheme]
    values = sorted(luminance(palette[name]) for name in (front, back))
    assert (values[1] + 0.05) / (values[0] + 0.05) >= 4.5, "WCAG 2.2, 1.4.3"
