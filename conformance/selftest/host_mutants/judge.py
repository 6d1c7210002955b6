# SPDX-License-Identifier: BSD-2-Clause
"""Run one mutant against an rpmsg-sim of its own, and say what the checker made of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from host_mutants.table import Mutant, Stage

from rpmsg_conformance import processes
from rpmsg_conformance.expect import Unmet
from rpmsg_conformance.sim import Simulator
from rpmsg_conformance.virtio.config import Config
from rpmsg_conformance.virtio.host import Host

ECHO = 1024


@dataclass
class Finding:
    """What came of one mutant: each violation with requirement and level, and what is wrong."""

    mutant: Mutant
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One row of the table."""
        level = "MUST" if self.mutant.must else "SHOULD"
        seen = ", ".join(f"{name} {requirement}" for name, requirement, _ in self.seen) or "nothing"
        verdict = "; ".join(self.problems) or "caught"
        return (
            f"{self.mutant.violation:27} {self.mutant.requirement} {level:6} "
            f"{self.mutant.text:75} {seen:42} {verdict}"
        )


HEAD = f"{'mutant':27} {'breaks':13} {'how':75} {'the checker saw':42} verdict"


def _well_behaved(path: Path) -> None:
    with Host.connect(path, Config(ring_sizes=(16, 16))) as host:
        host.wait_for_channel("echo", ECHO)
        for number in range(3):
            host.echo(ECHO, b"%d" % number)
        host.drain()
        host.disconnect()


def _start(program: Path, folder: Path, options: Iterable[str]) -> Simulator:
    return Simulator(
        program,
        folder,
        folder / "sim.log",
        ["echo"],
        ["--check=strict", "--log-level", "error", *options],
    )


def judge(program: Path, mutant: Mutant) -> Finding:
    """Let ``mutant`` make its mistake, and compare what is reported with what it states."""
    finding = Finding(mutant)
    wrong = finding.problems
    folder = processes.temporary_folder()
    try:
        sim = _start(program, folder, mutant.options)
        try:
            host = mutant.mistake(Stage(sim.socket_path, sim.control, ECHO))
            try:
                sim.control.wait_event("violation", timeout=5)
            except Unmet:
                wrong.append("the checker said nothing")
            if host is not None:
                host.close()
            sim.control.wait_event("disconnected", timeout=5)
            after = sim.control.mark()
            _well_behaved(sim.socket_path)
            counted = set(sim.control.stats()["violations"])
            late = sim.control.events("violation", since=after)
            events = sim.control.events("violation")
        finally:
            status = sim.stop()
    finally:
        processes.remove_folder(folder)
    for event in events:
        entry = (str(event["name"]), str(event["requirement"]), str(event["level"]))
        if entry not in finding.seen:
            finding.seen.append(entry)
    if late:
        wrong.append(f"a host without a mistake was blamed: {late[0]['name']}")
    _compare(finding, counted)
    if status != int(mutant.must):
        wrong.append(f"--check=strict ended with status {status}")
    return finding


def _compare(finding: Finding, counted: set[str]) -> None:
    mutant, wrong = finding.mutant, finding.problems
    level = "must" if mutant.must else "should"
    names = {name for name, _, _ in finding.seen}
    if (mutant.violation, mutant.requirement, level) not in finding.seen:
        wrong.append("not reported as stated")
    for name in sorted(names - {mutant.violation, *mutant.also}):
        wrong.append(f"blamed for {name}, too")
    for name in sorted(set(mutant.also) - names):
        wrong.append(f"not blamed for {name}, which its entry states")
    if counted != names:
        wrong.append(f"the statistics count {', '.join(sorted(counted)) or 'nothing'}")


def judge_without_mistake(program: Path) -> Finding:
    """The same with a host that makes no mistake: nothing is reported, and the status is 0."""
    nothing = Mutant("(none)", "", False, "no mistake", lambda stage: None)
    finding = Finding(nothing)
    folder = processes.temporary_folder()
    try:
        sim = _start(program, folder, ())
        try:
            for _ in range(2):
                _well_behaved(sim.socket_path)
            for event in sim.control.events("violation"):
                entry = (str(event["name"]), str(event["requirement"]), str(event["level"]))
                finding.seen.append(entry)
                finding.problems.append(f"blamed for {event['name']}")
            if sim.control.stats()["violations"]:
                finding.problems.append("the statistics count violations")
        finally:
            status = sim.stop()
    finally:
        processes.remove_folder(folder)
    if status != 0:
        finding.problems.append(f"--check=strict ended with status {status}")
    return finding
