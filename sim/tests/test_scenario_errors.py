# SPDX-License-Identifier: BSD-2-Clause
"""Files that are no scenarios: exit status 2, and one line that names file, line and key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from daemon_frontend import Run
from scenario_support import SCENARIOS

DEEP = "a: " + "{a: " * 20 + "1" + "}" * 20 + "\n"

#: Name of the case: text of the file, line, key, and what the message says of them.
BAD: dict[str, tuple[str, int, str, str]] = {
    # no YAML, or more of it than is served
    "bracket": ("seed: [1\nservices: []\n", 2, "seed", "this is no YAML"),
    "colon": ("a: b: c\n", 1, "", "this is no YAML"),
    "tab": ("services:\n\t- name: a\n", 2, "", "this is no YAML"),
    "not_utf8": ("description: \udcff\n", 1, "", "this is no YAML"),
    "documents": ("seed: 1\n---\nseed: 2\n", 2, "", "a file has one document"),
    "anchor": ("seed: &a 1\n", 1, "", "anchors, aliases and tags are not served"),
    "tag": ("seed: !!int 1\n", 1, "", "anchors, aliases and tags are not served"),
    "twice": ("seed: 1\nseed: 2\n", 2, "seed", "is given twice"),
    "complex_key": ("? [a]\n: b\n", 1, "", "a key has to be a word"),
    "deep": (DEEP, 1, "a" + ".a" * 11, "too deep"),
    "sequence": ("- 1\n", 1, "", "has to be a mapping"),
    # keys
    "unknown_key": ("seed: 1\nservics: []\n", 2, "servics", "there is no such key here; keys are"),
    "unknown_key_of_service": (
        "services:\n  - name: a\n    kid: echo\n", 3, "services[0].kid", "there is no such key",
    ),
    "unknown_key_after_list": (
        "services:\n  - {name: a}\naddr: 1\n", 3, "addr", "there is no such key here",
    ),
    "missing_key": ("services:\n  - kind: echo\n", 2, "services[0].name", "is missing"),
    "missing_parameter": (
        "actions:\n  - when: {messages: 1}\n    send: {src: 1, dst: 2}\n",
        3, "actions[0].send.data", "is missing",
    ),
    # types and ranges
    "no_sequence": ("seed: 1\nservices: 4\n", 2, "services", "has to be a sequence"),
    "no_mapping": ("services: [1]\n", 1, "services[0]", "has to be a mapping"),
    "no_value": ("services:\n  - name: [a]\n", 2, "services[0].name", "has to be one value"),
    "empty_action": ("actions:\n  - reset:\n", 2, "actions[0].reset", "an empty one is {}"),
    "no_number": (
        "seed: 1\nend:\n  deadline_ms: soon\n", 3, "end.deadline_ms",
        "has to be a number from 1 to 86400000",
    ),
    "negative": (
        "services:\n  - name: a\n    addr: -1\n", 3, "services[0].addr",
        "has to be a number from 0 to 4294967294",
    ),
    "address_any": (
        "services:\n  - name: a\n    addr: 0xffffffff\n", 3, "services[0].addr", "from 0 to",
    ),
    "huge": ("seed: 99999999999999999999999\n", 1, "seed", "has to be a number from 0 to"),
    "long_name": (
        "services:\n  - {name: 01234567890123456789012345678901}\n", 2, "services[0].name",
        "has to be a text of 1 to 31 bytes",
    ),
    "no_boolean": (
        "services:\n  - name: a\n    quiet: maybe\n", 3, "services[0].quiet", "true or false",
    ),
    "no_hexadecimal": (
        "actions:\n  - when: {messages: 1}\n    send: {src: 1, dst: 2, data: 0g}\n",
        3, "actions[0].send.data", "has to be hexadecimal digits, two a byte",
    ),
    "odd_hexadecimal": (
        "scripts:\n  - name: s\n    rules:\n      - hex: abc\n", 4, "scripts[0].rules[0].hex",
        "two a byte",
    ),
    "no_choice": (
        "end:\n  on: sometimes\n", 2, "end.on",
        '"sometimes" is not one of disconnect|expectations|time',
    ),
    "too_many": ("hold: [{queue: 0}, {queue: 1}, {queue: 1}]\n", 1, "hold", "more entries than"),
    # names
    "kind": (
        "services:\n  - name: a\n    kind: ekko\n", 3, "services[0].kind",
        'there is no kind "ekko"; kinds are echo',
    ),
    "fault": (
        "seed: 1\nfaults:\n  - name: nix\n", 3, "faults[0].name",
        'there is no fault "nix": --list-faults has them',
    ),
    "profile": ("profile: vxworks\n", 1, "profile", 'there is no profile "vxworks"; profiles are'),
    "layout": ("layout: x\n", 1, "layout", 'there is no layout "x"'),
    "feature": ("features: [+foo]\n", 1, "features", '"+foo" is not + or - and a bit'),
    "event": (
        "expect:\n  - event: mesage\n", 2, "expect[0].event", '"mesage" is not one of connected|',
    ),
    "member": (
        "expect:\n  - event: kick\n    where:\n      name: x\n", 4, "expect[0].where.name",
        "the event kick has no such member",
    ),
    "counter": (
        "expect:\n  - counter: losses\n", 2, "expect[0].counter",
        'there is no counter "losses"; counters are received',
    ),
    "violation": ("expect:\n  - violation: x\n", 2, "expect[0].violation", 'no rule "x"'),
    "expected_fault": ("expect:\n  - fault: x\n", 2, "expect[0].fault", 'no fault "x"'),
    "script": (
        "services:\n  - {name: x, kind: script, script: y}\n", 2, "services[0].script",
        'there is no script "y" under scripts',
    ),
    "script_of_later": (
        "actions:\n  - when: {messages: 1}\n    announce: {name: x, kind: script, script: y}\n",
        3, "actions[0].announce.script", 'there is no script "y"',
    ),
    "state": (
        "scripts:\n  - name: s\n    rules:\n      - {in: strat, echo: true}\n", 4,
        "scripts[0].rules[0].in", "no rule has this state as its next one",
    ),
    "script_name": (
        "scripts:\n  - {name: s, rules: []}\n  - {name: s, rules: []}\n", 3, "scripts[1].name",
        "another script has the name",
    ),
    # what does not go together
    "fault_count": (
        "faults:\n  - {name: hdr-flags, mode: count}\n", 2, "faults[0].count", "is missing",
    ),
    "fault_argument": (
        "faults:\n  - {name: hdr-src-any, arg: 3}\n", 2, "faults[0].arg", "takes no argument",
    ),
    "fault_argument_range": (
        "faults:\n  - {name: ring-not-returned, arg: 2}\n", 2, "faults[0].arg",
        "has to be an integer from 0 to 1",
    ),
    "script_missing": (
        "services:\n  - {name: x, kind: script}\n", 2, "services[0].script", "needs it",
    ),
    "script_of_echo": (
        "scripts: [{name: s, rules: []}]\nservices:\n  - {name: x, script: s}\n", 3,
        "services[0].script", "goes with kind",
    ),
    "hold": (
        "hold:\n  - {queue: 0, count: 1, every: 2}\n", 2, "hold[0].every", "excludes params.count",
    ),
    "two_methods": (
        "actions:\n  - reset: {}\n    crash: {}\n", 3, "actions[0].crash", "reset stands there too",
    ),
    "no_method": ("actions:\n  - when: {messages: 3}\n", 2, "actions[0]", "does nothing"),
    "two_triggers": (
        "actions:\n  - when: {messages: 3, event: kick}\n    reset: {}\n", 2,
        "actions[0].when.messages", "excludes event",
    ),
    "no_trigger": (
        "actions:\n  - when: {}\n    reset: {}\n", 2, "actions[0].when", "says nothing",
    ),
    "where_alone": (
        "actions:\n  - when: {messages: 3, where: {src: 1}}\n    reset: {}\n", 2,
        "actions[0].when.where", "goes with event only",
    ),
    "repeat": (
        "actions:\n  - repeat: 3\n    announce: {name: a}\n", 2, "actions[0].repeat",
        "goes with a trigger",
    ),
    "text_and_data": (
        "expect:\n  - event: sent\n    where: {text: a, data: 61}\n", 3, "expect[0].where.text",
        "excludes data",
    ),
    "two_expectations": (
        "expect:\n  - counter: sent\n    fault: hdr-flags\n", 3, "expect[0].fault",
        "counter stands there too",
    ),
    "no_expectation": ("expect:\n  - exactly: 3\n", 2, "expect[0]", "expects nothing"),
    "bounds": (
        "expect:\n  - {counter: sent, exactly: 3, at_most: 4}\n", 2, "expect[0].at_most",
        "excludes exactly",
    ),
    "bounds_order": (
        "expect:\n  - {counter: sent, at_least: 5, at_most: 4}\n", 2, "expect[0].at_least",
        "is more than at_most",
    ),
    "bounds_of_none": (
        "expect:\n  - {violation: none, at_most: 4}\n", 2, "expect[0].at_most", "does not go with",
    ),
    "empty_sequence": ("expect:\n  - sequence: []\n", 2, "expect[0].sequence", "is empty"),
    "rule_pattern": (
        "scripts:\n  - name: s\n    rules:\n      - match: exact\n", 4,
        "scripts[0].rules[0].match", "go with hex or text",
    ),
    "rule_length": (
        "scripts:\n  - name: s\n    rules:\n      - {text: a, min: 1}\n", 4,
        "scripts[0].rules[0].min", "length goes with min or max",
    ),
    "rule_echo": (
        "scripts:\n  - name: s\n    rules:\n      - {echo: true, reply_text: a}\n", 4,
        "scripts[0].rules[0].reply_text", "excludes echo",
    ),
    "rule_delay": (
        "scripts:\n  - name: s\n    rules:\n      - {echo: true, delay_us: 1}\n", 4,
        "scripts[0].rules[0].delay_us", "goes with reply_hex or reply_text only",
    ),
    "rule_drop": (
        "scripts:\n  - name: s\n    rules:\n      - {then: drop, reply_text: a}\n", 4,
        "scripts[0].rules[0].then", "gets no answer",
    ),
    "end_time": ("end: {on: time}\n", 1, "end.on", "need each other"),
    "end_sessions": (
        "end: {on: time, after_ms: 1, sessions: 2}\n", 1, "end.sessions", "disconnect only",
    ),
    "end_nothing": ("end: {on: expectations}\n", 1, "end.on", "nothing under expect"),
    "count_beyond": (
        "services:\n  - {name: a, addr: 0xfffffff0, count: 16}\n", 2, "services[0].count",
        "go beyond 0xfffffffe",
    ),
    # what the remote refuses at the start
    "address_taken": (
        "services:\n  - {name: a, addr: 5}\n  - {name: b, addr: 5}\n", 3, "services[1].addr",
        "5 is bound already",
    ),
    "address_of_name_service": (
        "services:\n  - {name: a, addr: 53}\n", 2, "services[0].addr", "cannot be given",
    ),
    "source_size": (
        "services:\n  - {name: a, kind: source, size: 4}\n", 2, "services[0].size",
        "is not possible for the kind",
    ),
    "no_host_yet": ("actions:\n  - reset: {}\n", 2, "actions[0].reset", "no host is attached"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_scenario_error_names_file_line_and_key(name: str, run: Run, tmp_path: Path) -> None:
    text, line, key, what = BAD[name]
    path = tmp_path / "bad.yaml"
    path.write_text(text, errors="surrogateescape")

    done = run("--socket-path", str(tmp_path / "s"), "--scenario", str(path))

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    place = f"{path}:{line}: {key}: " if key else f"{path}:{line}: "
    assert re.match(rf"(rpmsg-sim:|\[[0-9.]+\] rpmsg-sim error:) {re.escape(place)}", done.stderr)
    assert what in done.stderr.split(place, 1)[1]
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_scenario_error_names_an_empty_file(text: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)

    done = run("--socket-path", str(tmp_path / "s"), "--scenario", str(path))

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"{path}" in done.stderr and "mapping" in done.stderr


def test_scenario_error_names_a_file_that_is_not_there(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "nowhere.yaml"

    done = run("--socket-path", str(tmp_path / "s"), "--scenario", str(path))

    assert done.returncode == 2
    assert done.stderr == f"rpmsg-sim: {path}: cannot be read: No such file or directory\n"


def test_scenario_error_names_a_folder(run: Run, tmp_path: Path) -> None:
    done = run("--socket-path", str(tmp_path / "s"), "--scenario", str(tmp_path))

    assert done.returncode == 2
    assert done.stderr == f"rpmsg-sim: {tmp_path}: cannot be read: Is a directory\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        pytest.param("# " + "x" * (1 << 20) + "\n", "at most 1048576 bytes", id="bytes"),
        pytest.param(
            "features: [" + "a, " * 70000 + "a]\n", "too many keys and entries", id="nodes"
        ),
        pytest.param("description: " + "x" * 131073 + "\n", "at most 131072 bytes", id="value"),
        pytest.param("a" * 65 + ": 1\n", "a key has at most 64 bytes", id="key"),
        pytest.param(
            "".join(f"k{n}: 1\n" for n in range(65)), "at most 64 keys", id="keys"
        ),
    ],
)  # fmt: skip
def test_scenario_error_beyond_a_limit(text: str, what: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)

    done = run("--socket-path", str(tmp_path / "s"), "--scenario", str(path))

    assert done.returncode == 2 and what in done.stderr, done.stderr[:500]
    assert len(done.stderr) < 1000


@pytest.mark.parametrize(
    "option", [("--profile", "nuttx"), ("--feature", "-ns"), ("--buffer-size", "100")]
)
def test_scenario_excludes_options_that_the_file_has_keys_for(
    option: tuple[str, str], run: Run, tmp_path: Path
) -> None:
    path = str(SCENARIOS / "echo.yaml")

    done = run("--socket-path", str(tmp_path / "s"), "--scenario", path, *option)

    assert done.returncode == 2
    assert done.stderr.startswith("rpmsg-sim: --scenario excludes --profile")


def test_scenario_kind_script_is_for_scenarios_only(run: Run, tmp_path: Path) -> None:
    done = run("--socket-path", str(tmp_path / "s"), "--service", "a=script")

    assert done.returncode == 2
    assert "the rules of a script stand in a scenario file" in done.stderr
