# SPDX-License-Identifier: BSD-2-Clause
"""scripts/soak: the same seed does the same, and whatever goes wrong is noticed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rpmsg_conformance import processes
from rpmsg_conformance.soak.__main__ import main, run
from rpmsg_conformance.soak.counts import Stream, Totals
from rpmsg_conformance.soak.host_path import KINDS, HostPath
from rpmsg_conformance.soak.plan import Event, make_plan
from rpmsg_conformance.soak.report import Outcome
from rpmsg_conformance.soak.resources import LIMITS, WARM_LOOKS, Life, usage

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def programs() -> Path:
    """The folder of rpmsg-sim and rpmsg-host."""
    folder = Path(os.environ["RPMSG_SIM"]).parent if "RPMSG_SIM" in os.environ else None
    folder = folder or CHECKOUT / "build/dev/bin"
    assert (folder / "rpmsg-host").is_file(), f"{folder}/rpmsg-host is not built"
    return folder


@pytest.fixture
def guarded() -> Iterator[None]:
    """Nothing that was started outlives the test."""
    yield
    processes.clean_up()


def kind_named(name: str) -> Event:
    """An event at once, of a kind, for 20 ms if it lasts."""
    return Event(0.1, next(kind for kind in KINDS if kind.name == name), 1, 20)


def soak(
    programs: Path,
    folder: Path,
    *sim_options: str,
    plan: Sequence[Event] = (),
    seconds: float = 0.5,
) -> Outcome:
    """One short run through rpmsg-host."""
    return run(HostPath(programs, folder, 1, 5.0, sim_options), plan, seconds, 1, 5.0)


# ---- the plan ----


def test_soak_plan_of_a_seed_is_always_the_same() -> None:
    assert make_plan(KINDS, 60, 7, 1.0) == make_plan(KINDS, 60, 7, 1.0)
    assert make_plan(KINDS, 60, 7, 1.0) != make_plan(KINDS, 60, 8, 1.0)


def test_soak_plan_has_every_kind() -> None:
    assert {event.kind for event in make_plan(KINDS, 20, 3, 0.5)} == set(KINDS)


def test_soak_plan_ends_no_process_in_the_second_half() -> None:
    events = make_plan(KINDS, 100, 3, 0.5)

    assert any(event.kind.ends_process for event in events)
    assert not any(event.kind.ends_process for event in events if event.at >= 50)


def test_soak_plan_is_in_order_and_within_its_time() -> None:
    times = [event.at for event in make_plan(KINDS, 30, 3, 0.5)]

    assert times == sorted(times)
    assert 0 < times[0] and times[-1] < 30


# ---- what is wrong ----


@pytest.mark.parametrize("what", ["lost", "doubled", "reordered", "damaged"])
def test_soak_one_message_that_went_wrong_fails_the_run(what: str) -> None:
    received = 9 if what == "lost" else 10
    totals = Totals({"echo": Stream(sent=10, received=received, **{what: 1})})

    assert Outcome("x", 1, 1.0, 1.0, totals, [], {}).all_problems() == [f"echo: 1 {what}"]


def test_soak_messages_of_which_nothing_is_known_fail_the_run() -> None:
    totals = Totals({"echo": Stream(sent=10, received=8, in_flight=1)})

    assert Outcome("x", 1, 1.0, 1.0, totals, [], {}).all_problems() == [
        "echo: of 10 sent 1 are accounted for nowhere"
    ]


@pytest.mark.parametrize("what", ["late", "in_flight"])
def test_soak_what_is_no_loss_fails_nothing(what: str) -> None:
    received = 9 if what == "in_flight" else 10
    totals = Totals({"echo": Stream(sent=10, received=received, **{what: 1})})

    assert Outcome("x", 1, 1.0, 1.0, totals, [], {}).all_problems() == []


def test_soak_run_without_messages_fails() -> None:
    assert Outcome("x", 1, 1.0, 1.0, Totals(), [], {}).all_problems()


@pytest.mark.parametrize("what", ["private", "descriptors", "mappings"])
def test_soak_growth_above_the_limit_is_told(what: str) -> None:
    life = Life("a", os.getpid())
    for _ in range(WARM_LOOKS + 1):
        life.look()
    assert life.first is not None
    at_limit = getattr(life.first, what) + getattr(LIMITS, what)

    life.last = replace(life.first, **{what: at_limit})
    assert life.problems() == []
    life.last = replace(life.first, **{what: at_limit + 1})
    assert len(life.problems()) == 1 and what in life.problems()[0]


def test_soak_looks_at_descriptors_and_mappings() -> None:
    before = usage(os.getpid())
    read_end, write_end = os.pipe()
    after = usage(os.getpid())
    os.close(read_end)
    os.close(write_end)

    assert before is not None and after is not None
    assert after.descriptors == before.descriptors + 2
    assert after.mappings > 0 and after.private > 0


# ---- runs ----


def test_soak_of_a_good_remote_passes(programs: Path, tmp_path: Path, guarded: None) -> None:
    outcome = soak(programs, tmp_path)

    assert outcome.all_problems() == []
    echo, source = outcome.totals.stream("echo"), outcome.totals.stream("source")
    assert echo.sent == echo.received > 0
    assert source.received > 0


@pytest.mark.parametrize("name", [kind.name for kind in KINDS])
def test_soak_of_a_good_remote_survives(
    programs: Path, tmp_path: Path, guarded: None, name: str
) -> None:
    outcome = soak(programs, tmp_path, plan=[kind_named(name)])

    assert outcome.all_problems() == []
    assert outcome.events == {name: 1}


@pytest.mark.parametrize(
    ("options", "stream", "what"),
    [
        (("--fault", "used-len-0,once,after=2000"), ("echo", "source"), "lost"),
        (("--fault", "ring-not-returned=0,once,after=2000"), ("echo", "source"), "lost"),
        (("--fault", "ring-returns-another,count=9,after=2000"), ("echo", "source"), "doubled"),
        (("--pace", "0:order=reversed"), ("echo", "source"), "reordered"),
        (("--fault", "hdr-len-below-payload,once,after=2000"), ("echo", "source"), "damaged"),
    ],
)
def test_soak_planted_fault_is_noticed(
    programs: Path,
    tmp_path: Path,
    guarded: None,
    options: tuple[str, ...],
    stream: tuple[str, ...],
    what: str,
) -> None:
    outcome = soak(programs, tmp_path, *options)

    assert sum(getattr(outcome.totals.stream(name), what) for name in stream) > 0
    assert any(text.endswith(what) for text in outcome.all_problems())


def test_soak_break_that_nobody_planned_is_noticed(
    programs: Path, tmp_path: Path, guarded: None
) -> None:
    outcome = soak(programs, tmp_path, "--fault", "life-crash-at-first-message,once,after=2000")

    assert outcome.totals.problems() == []
    assert any("sessions ended as ['lost'" in text for text in outcome.all_problems())


def test_soak_tells_by_its_status(
    programs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--seconds", "0.6", "--seed", "1", "--folder", str(tmp_path)]
    common += ["--programs", str(programs), "--late", "5"]

    assert main(common) == 0
    assert "passed" in capsys.readouterr().out
    assert main([*common, "--sim-option=--fault=used-len-0,once,after=2000"]) == 1
    assert "WRONG: " in capsys.readouterr().out


def test_soak_that_is_ended_early_tells_what_it_has(programs: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-B", "-m", "rpmsg_conformance.soak", "--minutes", "5", "--seed", "1"]
    command += ["--folder", str(tmp_path), "--programs", str(programs)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT / "conformance"
    )
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            if " messages, " in line:
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()

    assert process.returncode == 1
    assert "WRONG: ended early by SIGINT" in rest
