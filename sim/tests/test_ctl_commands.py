# SPDX-License-Identifier: BSD-2-Clause
"""rpmsg-ctl against a running rpmsg-sim: commands, parameters, what is printed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ctl_support import Ctl, Impostor, reply
from daemon_frontend import Connect, FrontEnd, Host, Start

pytest_plugins = ("ctl_fixtures",)

HELP = {
    "methods": [
        {
            "name": "odd_one",
            "help": "takes one parameter of each type",
            "params": [
                {"name": name, "type": kind, "required": False, "min": 0, "max": 9, "help": "x"}
                for name, kind in (
                    ("a_number", "integer"),
                    ("a_string", "string"),
                    ("some_bytes", "hexadecimal"),
                    ("a_list", "array of strings"),
                    ("a_switch", "boolean"),
                    ("from_the_future", "object"),
                )
            ],
        }
    ],
    "events": ["one", "two"],
}


def test_ctl_command_is_the_method_and_does_what_it_says(
    start: Start, run_ctl: Ctl, connect: Connect
) -> None:
    sim = start()

    done = run_ctl(sim.control_path, "announce", "name=hello", "kind=sink", "addr=0x401")

    assert (done.returncode, done.stderr) == (0, "")
    endpoint = connect(sim).call("stats")["endpoints"][0]
    assert (endpoint["name"], endpoint["kind"], endpoint["addr"]) == ("hello", "sink", 0x401)


@pytest.mark.parametrize("data", ["data=48692b", "data=text:Hi+"])
def test_ctl_bytes_arrive_at_the_host(start: Start, run_ctl: Ctl, data: str) -> None:
    sim = start()
    host = Host(FrontEnd(sim.socket_path))
    host.start()

    done = run_ctl(sim.control_path, "send", "src=7", "dst=8", data)

    assert done.returncode == 0
    assert host.receive() == (7, 8, b"Hi+")
    host.close()


@pytest.mark.parametrize("where", ["option", "option_equals", "environment"])
def test_ctl_path_comes_from_option_or_environment(
    start: Start, run_ctl: Ctl, where: str
) -> None:
    path = str(start().control_path)
    environment = path if where == "environment" else None
    args = {"option": ["--control-path", path], "option_equals": [f"--control-path={path}"]}

    done = run_ctl(environment, *args.get(where, []), "stats")

    assert done.returncode == 0


def test_ctl_option_wins_over_environment(start: Start, run_ctl: Ctl) -> None:
    done = run_ctl("/nowhere", "stats", "--control-path", str(start().control_path))

    assert done.returncode == 0


def test_ctl_json_is_the_result_on_one_line(start: Start, run_ctl: Ctl, connect: Connect) -> None:
    sim = start("--service", "hello")

    done = run_ctl(sim.control_path, "--json", "stats")

    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout) == connect(sim).call("stats")


def test_ctl_stats_are_lines_and_tables(start: Start, run_ctl: Ctl) -> None:
    out = run_ctl(start("--service", "hello=sink").control_path, "stats").stdout

    assert re.search(r"^connected +no$", out, re.MULTILINE)
    assert re.search(r"^ +addr +name +kind ", out, re.MULTILINE)
    assert re.search(r"^ +1024 +hello +sink ", out, re.MULTILINE)
    assert re.search(r"^violations +none$", out, re.MULTILINE)
    assert re.search(r"^ +offered +0x[0-9a-f]+$", out, re.MULTILINE)


def test_ctl_help_lists_every_method_of_the_daemon(
    start: Start, run_ctl: Ctl, connect: Connect
) -> None:
    sim = start()
    shown = connect(sim).call("help")

    out = run_ctl(sim.control_path, "help").stdout

    for method in shown["methods"]:
        assert re.search(rf"^  {method['name']}\b", out, re.MULTILINE)
    assert all(len(line) <= 90 for line in out.splitlines())


def test_ctl_help_of_a_method_shows_each_parameter(
    start: Start, run_ctl: Ctl, connect: Connect
) -> None:
    sim = start()
    methods = {m["name"]: m for m in connect(sim).call("help")["methods"]}

    out = run_ctl(sim.control_path, "help", "send").stdout

    assert out.startswith("usage: rpmsg-ctl send src=... dst=... data=... [")
    for param in methods["send"]["params"]:
        assert re.search(rf"^  {param['name']} +{re.escape(param['help'][:20])}", out, re.MULTILINE)


def test_ctl_help_without_a_daemon_lists_the_same_methods(
    start: Start, run_ctl: Ctl, connect: Connect
) -> None:
    methods = [method["name"] for method in connect(start()).call("help")["methods"]]

    done = run_ctl(None, "--names", "help")

    assert (done.returncode, done.stdout.split()) == (0, methods)


def test_ctl_names_are_those_in_the_result(start: Start, run_ctl: Ctl) -> None:
    path = start("--service", "b", "--service", "a").control_path

    assert run_ctl(path, "--names", "stats").stdout.split() == ["b", "a"]
    assert run_ctl(path, "--names", "help", "withdraw").stdout.split()[:2] == ["name", "addr"]


@pytest.fixture
def asked(impostor: Impostor, run_ctl: Ctl) -> Any:
    """The parameters that a daemon with a method of every type of parameter gets."""
    got: list[Any] = []

    def answer(request: dict[str, Any]) -> bytes:
        if request["method"] == "odd_one":
            got.append(request.get("params"))
        return reply(request, HELP if request["method"] == "help" else {})

    def ask(*words: str, command: str = "odd_one") -> Any:
        done = run_ctl(impostor(answer), command, *words)
        assert done.returncode == 0, done.stderr
        return got[-1]

    return ask


PARAMETERS = {
    "integer": ("a_number=12", {"a_number": 12}),
    "integer_hexadecimal": ("a_number=0xff", {"a_number": 255}),
    "integer_leading_zero_is_decimal": ("a_number=010", {"a_number": 10}),
    "integer_negative": ("a_number=-1", {"a_number": -1}),
    "string": ("a_string=12", {"a_string": "12"}),
    "string_with_equals": ("a_string=b=c", {"a_string": "b=c"}),
    "string_empty": ("a_string=", {"a_string": ""}),
    "bytes": ("some_bytes=0aFF", {"some_bytes": "0aFF"}),
    "bytes_text": ("some_bytes=text:0a,=", {"some_bytes": "30612c3d"}),
    "bytes_text_utf8": ("some_bytes=text:\xe4", {"some_bytes": "c3a4"}),
    "bytes_none": ("some_bytes=", {"some_bytes": ""}),
    "list": ("a_list=x,y", {"a_list": ["x", "y"]}),
    "list_of_one": ("a_list=x", {"a_list": ["x"]}),
    "list_empty": ("a_list=", {"a_list": []}),
    "boolean_yes": ("a_switch=yes", {"a_switch": True}),
    "boolean_off": ("a_switch=off", {"a_switch": False}),
    "unknown_type_json": ('from_the_future={"a":1}', {"from_the_future": {"a": 1}}),
    "unknown_type_text": ("from_the_future=abc", {"from_the_future": "abc"}),
    "dash_in_name": ("a-number=1", {"a_number": 1}),
}


@pytest.mark.parametrize("word, params", PARAMETERS.values(), ids=PARAMETERS.keys())
def test_ctl_parameter_has_the_type_that_help_tells(
    asked: Any, word: str, params: dict[str, Any]
) -> None:
    assert asked(word) == params


def test_ctl_method_may_be_written_with_a_dash(asked: Any) -> None:
    assert asked(command="odd-one") == {}


def test_ctl_word_after_two_dashes_is_no_option(asked: Any) -> None:
    assert asked("--", "a_number=1") == {"a_number": 1}


def test_ctl_control_characters_never_reach_the_terminal(
    impostor: Impostor, run_ctl: Ctl
) -> None:
    evil = "\x1b]0;x\x07\n\u202e"

    def answer(request: dict[str, Any]) -> bytes:
        return reply(request, HELP if request["method"] == "help" else {"rows": [{"name": evil}]})

    out = run_ctl(impostor(answer), "odd_one").stdout

    assert "\\x1b]0;x\\x07\\x0a?" in out
    assert set(out) <= set(map(chr, range(32, 127))) | {"\n"}


def test_ctl_remote_is_named_in_the_request(start: Start, run_ctl: Ctl) -> None:
    path = start("--service", "hello").control_path

    assert run_ctl(path, "--remote", "remote", "--names", "stats").stdout == "hello\n"
    refused = run_ctl(path, "--remote", "nobody", "stats")
    assert refused.returncode == 1 and "nobody" in refused.stderr


def test_ctl_prints_its_version_and_help(run_ctl: Ctl) -> None:
    assert re.fullmatch(r"rpmsg-ctl \d+\.\d+\.\d+\n", run_ctl(None, "--version").stdout)
    shown = run_ctl(None, "--help")
    assert shown.returncode == 0
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())
