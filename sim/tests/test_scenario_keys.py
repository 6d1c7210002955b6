# SPDX-License-Identifier: BSD-2-Clause
"""The keys that the program knows, the manual page and the examples have to be the same."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from daemon_frontend import Connect, Run, Start
from scenario_support import CHECKOUT, SCENARIOS, host_of

BUILD = Path(os.environ.get("RPMSG_SIM", str(CHECKOUT / "build/dev/bin/rpmsg-sim"))).parents[1]


@pytest.fixture
def keys(run: Run) -> list[dict[str, Any]]:
    done = run("--list-scenario-keys=json")
    assert done.returncode == 0
    return list(json.loads(done.stdout))


def test_scenario_keys_are_all_in_the_manual_page(keys: list[dict[str, Any]]) -> None:
    page = (BUILD / "sim/man/rpmsg-scenario.5").read_text().replace("\\&", "").replace("\\", "")

    for key in keys:
        name = key["name"]
        if ".where." in name:  # said once, for all
            assert re.search(rf"\.where\.{name.rpartition('.')[2]}fR", page), name
        else:
            assert f"fB{name}fR (" in page, name


def test_scenario_keys_have_no_others_in_the_manual_page(keys: list[dict[str, Any]]) -> None:
    page = (BUILD / "sim/man/rpmsg-scenario.5").read_text().replace("\\&", "").replace("\\", "")
    part = page.split(".SH KEYS")[1].split(".SH LIMITS")[0]

    assert set(re.findall(r"^fB([a-z_.\[\]]+)fR \(", part, re.MULTILINE)) <= {
        key["name"] for key in keys
    }


def test_scenario_keys_are_printed_for_people(run: Run, keys: list[dict[str, Any]]) -> None:
    lines = run("--list-scenario-keys").stdout.splitlines()

    assert [line.split()[0] for line in lines] == [key["name"] for key in keys]
    assert all(key["help"] for key in keys)


def test_scenario_keys_of_actions_are_methods_and_their_parameters(
    start: Start, connect: Connect, keys: list[dict[str, Any]]
) -> None:
    names = {key["name"] for key in keys}
    methods = {method["name"]: method for method in connect(start()).call("help")["methods"]}
    acting = {name.split(".")[1] for name in names if re.fullmatch(r"actions\[\]\.\w+", name)}

    assert acting - set(methods) == {"when", "repeat"}
    assert {"announce", "send", "hold", "pace", "fault_set", "crash"} <= acting
    for method in acting & set(methods):
        for param in methods[method]["params"]:
            if param["name"] != "remote":
                assert f"actions[].{method}.{param['name']}" in names


def test_scenario_keys_of_where_are_members_of_events(
    start: Start, connect: Connect, keys: list[dict[str, Any]]
) -> None:
    """What an event really has is what a file may ask it for; seen on a live connection."""
    sim = start("--service", "a,addr=1024")
    control = connect(sim)
    control.call("events")
    host = host_of(sim)
    host.send(7, 1024, b"x")
    host.receive()
    host.close()
    while not any(event["type"] == "disconnected" for event in control.events):
        control.call("stats")
    known = {key["name"].rpartition(".")[2] for key in keys if ".where." in key["name"]}
    seen = {member for event in control.events for member in event}

    # Times, numbers of events and arrays of a session cannot be asked for.
    assert seen - known == {"seq", "time_ns", "type", "remote", "queues"}


def test_scenario_keys_of_the_examples_are_used_somewhere() -> None:
    text = "".join(path.read_text() for path in SCENARIOS.glob("*.yaml"))

    for key in ("profile", "features", "seed", "check", "scripts", "pace", "hold", "faults"):
        assert re.search(rf"^{key}:", text, re.MULTILINE), key
