# SPDX-License-Identifier: BSD-2-Clause
"""Every fault of rpmsg-sim in turn, against a real kernel: does the *simulator* hold?

What the kernel makes of a fault is no verdict here; it may lose its link or die, and is replaced.
The simulator has to survive, its counts have to add up, and no fault that is off may have fired.

    python3 -m rpmsg_conformance.fault_run --sim build/dev/bin/rpmsg-sim [--fault NAME ...]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rpmsg_conformance import processes
from rpmsg_conformance.expect import GuestDied, GuestWedged, Unmet
from rpmsg_conformance.guest import load_bundle, run_script
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.link import PAYLOAD_MAX, Channel, Link
from rpmsg_conformance.sim import RpcError, SimulatorError

CHECKOUT = Path(__file__).resolve().parents[2]

#: Seconds of traffic for each fault, and for the answer to one command in a damaged guest.
EXERCISE_SECONDS = 1.0
ANSWER_SECONDS = 3.0

#: Options without which a fault has no occasion.
CIRCUMSTANCES = {"ns-without-feature": ("--feature", "-ns")}

#: What a guest may do to a run, and what a dead link makes of requests.
GUEST_TROUBLE = (Unmet, GuestDied, GuestWedged)


@dataclass
class Outcome:
    """What one fault did."""

    fault: str
    fired: int = 0
    guest: str = "served"
    problems: tuple[str, ...] = ()


def list_faults(simulator: Path) -> list[str]:
    """Names of all faults that the simulator has."""
    listed = subprocess.run(
        [simulator, "--list-faults=json"], check=True, capture_output=True, text=True
    )
    return [str(row["name"]) for row in json.loads(listed.stdout)]


def exercise(link: Link) -> None:
    """Messages of many sizes both ways, a channel that comes and goes; ends early on trouble."""
    deadline = time.monotonic() + EXERCISE_SECONDS
    channel = link.announce()
    fd = link.open(channel.path)
    link.sim.announce("rpmsg-tty", "sink")
    round_number = 0
    while time.monotonic() < deadline:
        for size in (0, 1, PAYLOAD_MAX - 1, PAYLOAD_MAX, 16):
            link.agent.try_call("write", ANSWER_SECONDS, fd=fd, data=(b"x" * size).hex())
        send_unasked(link, channel, round_number)
        for _ in range(8):
            link.agent.try_call("read", ANSWER_SECONDS, fd=fd, len=4096)
        extra = link.sim.announce(f"extra-{round_number}", "echo")
        link.sim.withdraw(extra["name"], extra["addr"])
        round_number += 1


def send_unasked(link: Link, channel: Channel, number: int) -> None:
    """A few messages that the host did not ask for; a full backlog is no trouble."""
    for part in range(4):
        link.sim.send(src=channel.remote, dst=channel.local, data=bytes([number & 0xFF, part]))


def judge(link: Link, fault: str | None) -> tuple[int, list[str]]:
    """How often ``fault`` fired, and what is wrong with the simulator."""
    if not link.simulator.running:
        return 0, [f"rpmsg-sim ended: {link.simulator.describe_end()}"]
    problems: list[str] = []
    stats: dict[str, Any] = link.sim.stats()
    messages = stats["messages"]
    accounted = messages["delivered"] + sum(messages["dropped"].values())
    if messages["received"] != accounted:
        problems.append(f"received {messages['received']}, delivered and dropped {accounted}")
    fired = 0
    for row in link.sim.call("faults")["faults"]:
        if row["name"] == fault:
            fired = int(row["fired"])
        elif row["fired"]:
            problems.append(f"{row['name']} is off and fired {row['fired']} times")
    return fired, problems


def run_fault(target: HostTarget, fault: str | None, folder: Path) -> Outcome:
    """Plug a simulator with one fault into the guest, and use it."""
    name = fault or "no fault"
    outcome = Outcome(name)
    options = ("--fault", fault, *CIRCUMSTANCES.get(fault, ())) if fault else ()
    target.guest()
    try:
        link = target.new_link(folder / f"{name.replace(' ', '-')}.log", options=options)
    except (*GUEST_TROUBLE, SimulatorError) as error:
        target.discard("it does not take the device")
        outcome.guest = f"did not take the device: {first_line(error)}"
        # QEMU waits for ever for a back-end that does not answer, which some faults make of it.
        if isinstance(error, SimulatorError) and "did not get ready" in str(error):
            outcome.problems = (first_line(error),)
        return outcome
    damaged = False
    try:
        try:
            exercise(link)
        except (*GUEST_TROUBLE, RpcError) as error:
            outcome.guest = first_line(error)
            damaged = isinstance(error, GuestDied | GuestWedged)
        outcome.fired, problems = judge(link, fault)
        if fault is None and outcome.guest != "served":
            problems.append(outcome.guest)
        outcome.problems = tuple(problems)
    except (SimulatorError, OSError, ValueError) as error:
        outcome.problems = (first_line(error),)
    finally:
        try:
            link.end()
        except GUEST_TROUBLE as error:
            outcome.guest = first_line(error)
            damaged = True
        if damaged:
            target.discard(outcome.guest)
    return outcome


def first_line(error: BaseException) -> str:
    """An exception in one line of a table."""
    return (str(error) or type(error).__name__).splitlines()[0][:100]


def main() -> int:
    """Run the faults that were asked for, all of them by default; 1 when the simulator failed."""
    parser = argparse.ArgumentParser(
        prog="fault_run", description="Every fault of rpmsg-sim in turn, against a real kernel."
    )
    parser.add_argument("--sim", type=Path, required=True, help="rpmsg-sim")
    parser.add_argument("--guest", default="debian-rt", help="as scripts/guest knows it")
    parser.add_argument("--fault", action="append", help="only this one; may be given again")
    options = parser.parse_args()
    simulator = options.sim.absolute()
    known = list_faults(simulator)
    for name in options.fault or ():
        if name not in known:
            parser.error(f"there is no fault {name}; see {simulator} --list-faults")

    with processes.guarded(), tempfile.TemporaryDirectory(prefix="rpmsg-faults-") as folder:
        return run(options.guest, simulator, options.fault or known, Path(folder))


def run(guest: str, simulator: Path, faults: Sequence[str], folder: Path) -> int:
    """Run ``faults``, and before and after them none; 1 when the simulator failed once."""
    bundle = load_bundle(run_script(CHECKOUT / "scripts/guest", guest))
    qemu = run_script(CHECKOUT / "scripts/qemu", bundle.qemu)
    target = HostTarget(
        bundle, qemu, simulator, folder, 1.0, lambda text: print(f"-- {text}", flush=True)
    )
    wanted: list[str | None] = [None, *faults, None]
    failed = 0
    try:
        for fault in wanted:
            begun = time.monotonic()
            outcome = run_fault(target, fault, folder)
            report(outcome, time.monotonic() - begun, expected=fault is not None)
            failed += bool(outcome.problems)
    finally:
        target.discard("done")
    print(f"{len(wanted) - failed} passed, {failed} failed")
    return 1 if failed else 0


def report(outcome: Outcome, seconds: float, *, expected: bool) -> None:
    """One line of the table, and one for each problem."""
    verdict = "FAIL" if outcome.problems else "ok"
    fired = f"fired {outcome.fired}" if outcome.fired or not expected else "did not fire"
    print(
        f"{verdict:5} {outcome.fault:28} {fired:14} {seconds:5.1f} s  guest: {outcome.guest}",
        flush=True,
    )
    for problem in outcome.problems:
        print(f"      {problem}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
