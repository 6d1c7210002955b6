# SPDX-License-Identifier: BSD-2-Clause
"""The run of all faults: a simulator that breaks, or lies about its counts, is caught."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rpmsg_conformance import fault_run
from rpmsg_conformance.expect import GuestDied, Unmet
from rpmsg_conformance.fault_exercise import Traffic
from rpmsg_conformance.fault_run import (
    NO_FAULT,
    Outcome,
    counted_wrongly,
    fired_wrongly,
    waiting_behind_backlog,
)
from rpmsg_conformance.sim import Event

FAULT = "hdr-flags"


def stats(received: int, delivered: int, **dropped: int) -> dict[str, Any]:
    return {
        "messages": {"received": received, "delivered": delivered, "dropped": dropped},
        "queues": [{"avail_pending": 0}, {"avail_pending": 0}],
        "pending_sends": 0,
    }


def messages(delivered: int, dropped: int = 0) -> list[Event]:
    verdicts = ["delivered"] * delivered + ["dropped"] * dropped
    return [Event(n, n, "message", {"verdict": v}) for n, v in enumerate(verdicts)]


# ---- counts ----


def test_counts_that_add_up_are_right() -> None:
    traffic = Traffic(written=5, unasked=2, read=7)

    assert counted_wrongly(NO_FAULT, stats(5, 4, no_endpoint=1), messages(4, 1), traffic) == []


@pytest.mark.parametrize(
    "claimed, seen, traffic, complaint",
    [
        (stats(5, 4), messages(4, 1), Traffic(5, 0, 5), "received 5, delivered 4 and dropped 0"),
        (stats(4, 4), messages(5), Traffic(5, 0, 5), "by its events it is 5 and 5"),
        (stats(5, 5), messages(4, 1), Traffic(5, 0, 5), "by its events it is 5 and 4"),
        (stats(6, 6), messages(6), Traffic(5, 0, 5), "received 6, the guest has written 5"),
        (stats(4, 4), messages(4), Traffic(5, 0, 5), "received only 4, 0 are waiting"),
        (stats(0, 0), messages(0), Traffic(5, 0, 5), "received only 0, 0 are waiting"),
        (stats(5, 5), messages(5), Traffic(5, 2, 6), "5 echoes and 2 messages are due, 6 came"),
    ],
)
def test_counts_that_lie_are_caught(
    claimed: dict[str, Any], seen: list[Event], traffic: Traffic, complaint: str
) -> None:
    problems = counted_wrongly(NO_FAULT, claimed, seen, traffic)

    assert any(complaint in problem for problem in problems), problems


def test_counts_of_a_fault_in_headers_do_not_excuse_lost_messages() -> None:
    assert counted_wrongly(FAULT, stats(4, 4), messages(4), Traffic(written=5))


def test_counts_of_messages_that_were_left_in_the_ring_are_not_missing() -> None:
    assert counted_wrongly(FAULT, stats(4, 4), messages(4), Traffic(written=5), waiting=1) == []


@pytest.mark.parametrize("backlog, waiting", [(1024, 3), (0, 0)])
def test_counts_messages_wait_only_behind_a_backlog(backlog: int, waiting: int) -> None:
    queues = [{"avail_pending": 7}, {"avail_pending": 3}]

    assert waiting_behind_backlog({"queues": queues, "pending_sends": backlog}) == waiting


def test_counts_of_a_fault_in_the_ring_may_leave_messages_unreceived() -> None:
    assert counted_wrongly("ring-not-returned", stats(4, 4), messages(4), Traffic(5)) == []


def test_counts_of_a_fault_may_leave_messages_unread() -> None:
    assert counted_wrongly(FAULT, stats(5, 5), messages(5), Traffic(written=5, read=1)) == []


# ---- what fired ----


def rows(**fired: int) -> list[dict[str, Any]]:
    return [{"name": n.replace("_", "-"), "fired": count} for n, count in fired.items()]


def test_fired_alone_is_right() -> None:
    assert fired_wrongly(FAULT, rows(hdr_flags=3, hdr_reserved=0)) == []


def test_fired_while_off_is_caught() -> None:
    assert fired_wrongly(FAULT, rows(hdr_flags=3, hdr_reserved=1)) == [
        "hdr-reserved is off and fired 1 times"
    ]
    assert fired_wrongly(NO_FAULT, rows(hdr_flags=3)) == ["hdr-flags is off and fired 3 times"]


def test_fired_never_is_caught() -> None:
    assert fired_wrongly(FAULT, rows(hdr_flags=0))[0].startswith("hdr-flags did not fire")
    assert fired_wrongly(FAULT, rows())[0].startswith("hdr-flags did not fire")


# ---- one fault, with a simulator and a guest made for the test ----


class Sim:
    """A simulator that is honest, but for what a test changes."""

    def __init__(self) -> None:
        self.fired = {FAULT: 3, "hdr-reserved": 0}
        self.fired_after_clear = 0
        self.stats_claimed = stats(6, 6)
        self.mode = "always"

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        if method == "fault_clear":
            self.mode = "off"
            self.fired[FAULT] += self.fired_after_clear
        return {
            "faults": [
                {"name": name, "fired": fired, "mode": self.mode if name == FAULT else "off"}
                for name, fired in self.fired.items()
            ]
        }

    def stats(self) -> dict[str, Any]:
        return self.stats_claimed

    def events(self, type: str) -> list[Event]:
        return messages(6)


class Bench:
    """Target, guest and link in one."""

    def __init__(self) -> None:
        self.sim = Sim()
        self.simulator = SimpleNamespace(running=True, describe_end=lambda: "it was killed")
        self.guest_now = SimpleNamespace(alive=True, describe_end=lambda: "QEMU was killed")
        self.discarded: list[str] = []
        self.plugs = 0
        self.ended = False
        self.link = SimpleNamespace(
            sim=self.sim,
            simulator=self.simulator,
            guest=self.guest_now,
            plug=self.plug,
            unplug=lambda: None,
            close_all=lambda: None,
            end=self.end,
        )

    def plug(self, guest: Any = None) -> None:
        self.plugs += 1

    def end(self) -> None:
        self.ended = True

    def guest(self) -> Any:
        return self.guest_now

    def new_link(self, *_: Any, **__: Any) -> Any:
        return self.link

    def discard(self, why: str) -> None:
        self.discarded.append(why)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    def use(link: Any, traffic: Traffic, seconds: float) -> None:
        traffic.written += 5

    monkeypatch.setattr(fault_run, "exercise", use)
    monkeypatch.setattr(fault_run, "serve_once", lambda link, name_service: None)
    return Bench()


def run_fault(bench: Bench, tmp_path: Path) -> Outcome:
    outcome = fault_run.run_fault(bench, FAULT, tmp_path, 0.0)  # type: ignore[arg-type]
    assert bench.ended
    return outcome


def test_fault_of_an_honest_simulator_has_no_problem(bench: Bench, tmp_path: Path) -> None:
    outcome = run_fault(bench, tmp_path)

    assert (outcome.problems, outcome.fired, outcome.guest) == ([], 3, "served")
    assert bench.plugs == 2


def test_fault_of_a_simulator_with_wrong_statistics_is_caught(
    bench: Bench, tmp_path: Path
) -> None:
    bench.sim.stats_claimed = stats(6, 5)

    assert "received 6, delivered 5 and dropped 0" in run_fault(bench, tmp_path).problems


def test_fault_that_ends_the_simulator_is_caught(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(link: Any, traffic: Traffic, seconds: float) -> None:
        bench.simulator.running = False
        raise Unmet("a channel", "none")

    monkeypatch.setattr(fault_run, "exercise", crash)

    assert run_fault(bench, tmp_path).problems == ["rpmsg-sim ended: it was killed"]


def test_fault_that_fires_when_cleared_is_caught(bench: Bench, tmp_path: Path) -> None:
    bench.sim.fired_after_clear = 1

    assert run_fault(bench, tmp_path).problems == [f"{FAULT} fired after it was cleared"]


def test_fault_that_ends_the_guest_is_no_problem_of_the_simulator(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(link: Any, traffic: Traffic, seconds: float) -> None:
        bench.guest_now.alive = False
        traffic.written += 5
        raise GuestDied("gone")

    monkeypatch.setattr(fault_run, "exercise", die)

    outcome = run_fault(bench, tmp_path)

    assert (outcome.problems, outcome.guest) == ([], "replaced: QEMU was killed")
    assert bench.discarded == ["QEMU was killed"]


def test_fault_after_which_no_guest_is_served_is_caught(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(link: Any, name_service: bool) -> None:
        raise Unmet("an echo", "none")

    monkeypatch.setattr(fault_run, "serve_once", refuse)

    problems = run_fault(bench, tmp_path).problems

    assert "does not serve with the fault off: expected an echo; observed none" in problems
    assert len(bench.discarded) == 2


# ---- all of them ----


def table(outcomes: list[Outcome], faults: list[str]) -> tuple[int, str]:
    said: list[str] = []
    return fault_run.run(outcomes, faults, said.append), "\n".join(said)


def test_run_without_problems_is_0() -> None:
    status, text = table([Outcome(NO_FAULT), Outcome(FAULT, fired=2, guest="served")], [FAULT])

    assert status == 0
    assert "1 faults, 1 fired" in text
    assert text.endswith("simulator: 2 passed, 0 failed")


def test_run_with_a_problem_is_1_and_says_which() -> None:
    status, text = table([Outcome(FAULT, problems=["it lied"])], [FAULT])

    assert status == 1
    assert "FAIL" in text and "hdr-flags: it lied" in text and "failed: hdr-flags" in text


def test_run_with_a_problem_without_a_fault_is_1() -> None:
    assert table([Outcome(NO_FAULT, problems=["x"]), Outcome(FAULT)], [FAULT])[0] == 1


def test_run_of_nothing_is_1() -> None:
    status, text = table([Outcome(NO_FAULT)], [])

    assert status == 1
    assert "no fault was run" in text


def test_run_that_left_a_fault_out_is_1() -> None:
    status, text = table([Outcome(FAULT)], [FAULT, "hdr-reserved"])

    assert status == 1
    assert "not run: hdr-reserved" in text


# ---- workers ----


def in_workers(
    names: list[str], jobs: int, work: Callable[[int], Iterator[Callable[[str], Outcome]]]
) -> list[Outcome]:
    return list(fault_run.spread(names, jobs, work))


def test_workers_run_every_name_once() -> None:
    def work(number: int) -> Iterator[Callable[[str], Outcome]]:
        yield lambda name: Outcome(name, guest=str(os.getpid()))

    outcomes = in_workers(["a", "b", "c", "d"], 2, work)

    assert sorted(outcome.fault for outcome in outcomes) == ["a", "b", "c", "d"]
    assert str(os.getpid()) not in {outcome.guest for outcome in outcomes}


def test_workers_that_end_early_leave_the_rest_to_the_others() -> None:
    def work(number: int) -> Iterator[Callable[[str], Outcome]]:
        def one(name: str) -> Outcome:
            if name == "b":
                os._exit(1)
            return Outcome(name)

        yield one

    outcomes = in_workers(["a", "b", "c", "d"], 2, work)

    assert sorted(outcome.fault for outcome in outcomes) == ["a", "c", "d"]
