# SPDX-License-Identifier: BSD-2-Clause
"""Every fault of rpmsg-sim in turn, against a real kernel: does the *simulator* hold?

What the kernel makes of a fault is no verdict here; it may lose its link or die, and is replaced.
The simulator has to survive; every fault has to fire, and none that is off; its counts have to add
up, and to agree with what the guest and the events say; and with the fault cleared it has to serve
as if there had been none.

    python3 -m rpmsg_conformance.fault_run --sim build/dev/bin/rpmsg-sim [--fault NAME ...]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NoReturn

from rpmsg_conformance import processes
from rpmsg_conformance.expect import GuestDied, GuestWedged, TargetUnreachable, Unmet
from rpmsg_conformance.fault_exercise import Traffic, exercise, serve_once
from rpmsg_conformance.guest import load_bundle, run_script
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.link import Link
from rpmsg_conformance.sim import Event, RpcError, SimulatorError

CHECKOUT = Path(__file__).resolve().parents[2]

#: Seconds of traffic for each fault.
EXERCISE_SECONDS = 2.0

#: Here a guest is damaged on purpose, so that most waits that are long are in vain: they get this
#: part of what a case of the suite gets. For a boot that is a minute.
TIMEOUT_FACTOR = 0.5

#: Guests at once: while one boots after a fault that it did not survive, the other goes on.
JOBS = 2

NO_FAULT = "no fault"

#: Options without which a fault has no occasion.
CIRCUMSTANCES = {
    "ns-without-feature": ("--feature", "-ns"),
    "ns-before-driver-ok": ("--service", "early=sink"),
}

#: Faults that may keep written messages from being received: their rings or their life is broken.
TAKES_ALL = ("hdr-", "used-", "ns-", "order-")

GUEST_TROUBLE = (Unmet, GuestDied, GuestWedged)


@dataclass
class Outcome:
    """What one fault did."""

    fault: str
    fired: int = 0
    traffic: Traffic = field(default_factory=Traffic)
    guest: str = ""
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def list_faults(simulator: Path) -> list[str]:
    """Names of all faults that the simulator has."""
    listed = subprocess.run(
        [simulator, "--list-faults=json"], check=True, capture_output=True, text=True
    )
    return [str(row["name"]) for row in json.loads(listed.stdout)]


# --- judging the simulator ----------------------------------------------------------------------


def fired_wrongly(fault: str, faults: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is wrong with how often faults fired while only ``fault`` was on."""
    fired = {str(row["name"]): int(row["fired"]) for row in faults}
    problems = [
        f"{name} is off and fired {count} times"
        for name, count in fired.items()
        if count and name != fault
    ]
    if fault != NO_FAULT and not fired.get(fault):
        problems.append(f"{fault} did not fire: it was given no occasion")
    return problems


def waiting_behind_backlog(stats: Mapping[str, Any]) -> int:
    """Messages that the guest has written and the remote has not taken, for a good reason.

    While replies have no buffer to go into and their backlog is full, what the guest writes waits
    in its ring (BF-020): it is neither received nor lost.
    """
    return int(stats["queues"][1]["avail_pending"]) if stats["pending_sends"] else 0


def counted_wrongly(
    fault: str,
    stats: Mapping[str, Any],
    messages: Sequence[Event],
    traffic: Traffic,
    waiting: int = 0,
) -> list[str]:
    """What does not add up: statistics, the events "message", and what the guest has written.

    ``waiting`` messages were left in the guest's ring when it was taken away.
    """
    counts = stats["messages"]
    received, delivered = int(counts["received"]), int(counts["delivered"])
    dropped = sum(int(count) for count in counts["dropped"].values())
    told = sum(event["verdict"] == "delivered" for event in messages)
    problems = []
    if received != delivered + dropped:
        problems.append(f"received {received}, delivered {delivered} and dropped {dropped}")
    if (received, delivered) != (len(messages), told):
        problems.append(
            f"received {received}, delivered {delivered}; "
            f"by its events it is {len(messages)} and {told}"
        )
    if received > traffic.written:
        problems.append(f"received {received}, the guest has written {traffic.written}")
    if received + waiting < traffic.written and (
        fault == NO_FAULT or fault.startswith(TAKES_ALL)
    ):
        problems.append(
            f"received only {received}, {waiting} are waiting; "
            f"the guest has written {traffic.written}"
        )
    if fault == NO_FAULT and traffic.read != traffic.written + traffic.unasked:
        problems.append(
            f"{traffic.written} echoes and {traffic.unasked} messages are due, "
            f"{traffic.read} came"
        )
    return problems


# --- one fault ----------------------------------------------------------------------------------


def run_fault(target: HostTarget, fault: str, folder: Path, seconds: float) -> Outcome:
    """Plug a simulator with one fault into the guest, use it, clear the fault and use it again."""
    outcome = Outcome(fault)
    begun = time.monotonic()
    options = ("--fault", fault) if fault != NO_FAULT else ()
    link = target.new_link(
        folder / f"{fault.replace(' ', '-')}.log",
        options=(*options, *CIRCUMSTANCES.get(fault, ())),
        plug=False,
    )
    try:
        _use(target, link, outcome, seconds)
        if link.simulator.running:
            faults = link.sim.call("faults")["faults"]
            outcome.fired = sum(int(row["fired"]) for row in faults if row["name"] == fault)
            outcome.problems += fired_wrongly(fault, faults)
            waiting = waiting_behind_backlog(link.sim.stats())
            link.sim.call("fault_clear")
            _serve_again(target, link, outcome)
        if link.simulator.running:
            if link.sim.call("faults")["faults"] != [{**row, "mode": "off"} for row in faults]:
                outcome.problems.append(f"{fault} fired after it was cleared")
            outcome.problems += counted_wrongly(
                fault, link.sim.stats(), link.sim.events("message"), outcome.traffic, waiting
            )
        else:
            outcome.problems.append(f"rpmsg-sim ended: {link.simulator.describe_end()}")
    except (SimulatorError, RpcError, OSError, ValueError, KeyError) as error:
        outcome.problems.append(f"rpmsg-sim: {first_line(error)}; {link.simulator.describe_end()}")
    finally:
        _end(target, link)
    outcome.seconds = time.monotonic() - begun
    return outcome


def _use(target: HostTarget, link: Link, outcome: Outcome, seconds: float) -> None:
    """The fault is on: whatever the guest does is told, and is right unless there is no fault."""
    traffic = outcome.traffic
    try:
        link.plug()
        exercise(link, traffic, seconds)
        link.close_all()
        outcome.guest = f"served, but: {traffic.trouble}" if traffic.trouble else "served"
    except RpcError as error:
        outcome.guest = f"link lost: {first_line(error)}"
    except Unmet as error:
        outcome.guest = f"unusable: {first_line(error)}"
    except (GuestDied, GuestWedged, SimulatorError) as error:
        if isinstance(error, SimulatorError) and not link.simulator.running:
            raise
        reason = first_line(error)
        if not link.guest.alive:
            # Of what QEMU says only the last line.
            reason = re.sub(r"saying: .* \| ", "saying: ", link.guest.describe_end())
        outcome.guest = f"replaced: {reason}"
        target.discard(reason)
    if outcome.fault == NO_FAULT and outcome.guest != "served":
        outcome.problems.append(outcome.guest)


def _serve_again(target: HostTarget, link: Link, outcome: Outcome) -> None:
    """The fault is off: the same simulator serves a guest, a fresh one if this one was damaged."""
    name_service = "-ns" not in CIRCUMSTANCES.get(outcome.fault, ())
    reason = ""
    for _ in ("the guest that had the fault", "a fresh one"):
        try:
            guest = target.guest()
            if guest is link.guest:
                link.close_all()
                link.unplug()
            link.plug(guest)
            serve_once(link, name_service)
            outcome.traffic.written += 1
            outcome.traffic.read += 1
            return
        except (*GUEST_TROUBLE, SimulatorError, RpcError) as error:
            if not link.simulator.running:
                return
            reason = first_line(error)
            target.discard(f"with the fault off: {reason}")
    outcome.problems.append(f"does not serve with the fault off: {reason}")


def _end(target: HostTarget, link: Link) -> None:
    try:
        link.end()
    except GUEST_TROUBLE as error:
        target.discard(first_line(error))


def first_line(error: BaseException) -> str:
    """An exception in one line of a table."""
    return (str(error) or type(error).__name__).splitlines()[0][:160]


# --- all of them --------------------------------------------------------------------------------


def run(outcomes: Iterable[Outcome], faults: Sequence[str], say: Callable[[str], None]) -> int:
    """Print the table of ``outcomes`` as they come; ``faults`` are those that have to be in it.

    Returns 1 when the simulator failed once, when a fault is missing, or when there is none.
    """
    done = []
    say(line("fault", "fired", "seconds", "written", "read", "simulator", "guest"))
    for outcome in outcomes:
        done.append(outcome)
        say(row(outcome))
        for problem in outcome.problems:
            say(f"      {outcome.fault}: {problem}")
    missing = set(faults) - {outcome.fault for outcome in done}
    if missing:
        say(f"not run: {', '.join(sorted(missing))}")
    say(summary(done))
    return 1 if missing or not faults or any(outcome.problems for outcome in done) else 0


def line(*columns: str) -> str:
    """A line of the table; numbers stand on the right."""
    fault, fired, seconds, written, read, simulator, guest = columns
    return (
        f"{fault:26} {fired:>6} {seconds:>7} {written:>7} {read:>5}  {simulator:9}  {guest}"
    ).rstrip()


def row(outcome: Outcome) -> str:
    """The line of one fault."""
    return line(
        outcome.fault,
        str(outcome.fired),
        f"{outcome.seconds:.1f}",
        str(outcome.traffic.written),
        str(outcome.traffic.read),
        "FAIL" if outcome.problems else "ok",
        outcome.guest,
    )


def summary(outcomes: Sequence[Outcome]) -> str:
    """What it came to, in two lines."""
    faults = [outcome for outcome in outcomes if outcome.fault != NO_FAULT]
    failed = [outcome.fault for outcome in outcomes if outcome.problems]
    lost = sum(outcome.guest.startswith("replaced") for outcome in faults)
    written = sum(outcome.traffic.written for outcome in outcomes)
    read = sum(outcome.traffic.read for outcome in outcomes)
    lines = [
        f"{len(faults)} faults, {sum(o.fired > 0 for o in faults)} fired; the guest wrote "
        f"{written} messages and read {read}; it was lost {lost} times",
        f"simulator: {len(outcomes) - len(failed)} passed, {len(failed)} failed",
    ]
    if failed:
        lines.insert(1, "failed: " + ", ".join(dict.fromkeys(failed)))
    if not faults:
        lines.append("no fault was run: that shows nothing")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the faults that were asked for, all of them by default; 1 when the simulator failed."""
    parser = argparse.ArgumentParser(
        prog="fault_run", description="Every fault of rpmsg-sim in turn, against a real kernel."
    )
    parser.add_argument("--sim", type=Path, required=True, help="rpmsg-sim")
    parser.add_argument("--guest", default="debian-rt", help="as scripts/guest knows it")
    parser.add_argument("--fault", action="append", help="only this one; may be given again")
    parser.add_argument(
        "--seconds", type=float, default=EXERCISE_SECONDS, help="of traffic for each fault"
    )
    parser.add_argument(
        "--jobs", type=int, default=JOBS, help=f"guests at once, default {JOBS}"
    )
    parser.add_argument(
        "--timeout-factor",
        type=float,
        default=TIMEOUT_FACTOR,
        help=f"stretches every wait, default {TIMEOUT_FACTOR}; 1 on a slow machine",
    )
    options = parser.parse_args(arguments)
    simulator = options.sim.absolute()
    try:
        known = list_faults(simulator)
    except (OSError, subprocess.CalledProcessError, ValueError, KeyError) as error:
        parser.error(f"{simulator} does not list its faults: {error}")
    for name in options.fault or ():
        if name not in known:
            parser.error(f"there is no fault {name}; see {simulator} --list-faults")

    with processes.guarded(), tempfile.TemporaryDirectory(prefix="rpmsg-faults-") as folder:
        try:
            return run_guests(options, simulator, options.fault or known, Path(folder))
        except TargetUnreachable as error:
            print(f"fault_run: {error}", file=sys.stderr)
            return 1


def run_guests(
    options: argparse.Namespace, simulator: Path, faults: Sequence[str], folder: Path
) -> int:
    """See run(), with guests and real simulators. Raises TargetUnreachable."""

    def say(text: str) -> None:
        print(text, flush=True)

    bundle = load_bundle(run_script(CHECKOUT / "scripts/guest", options.guest))
    qemu = run_script(CHECKOUT / "scripts/qemu", bundle.qemu)

    def work(number: int) -> Iterator[Callable[[str], Outcome]]:
        mine = folder / f"worker-{number}"
        mine.mkdir()
        factor = options.timeout_factor
        target = HostTarget(bundle, qemu, simulator, mine, factor, lambda text: say(f"-- {text}"))
        try:
            yield lambda fault: run_fault(target, fault, mine, options.seconds)
        finally:
            target.close()

    # Those that cost a guest first: at the end one worker would wait for the other's boot.
    ordered = sorted(faults, key=lambda name: not name.startswith("life-"))
    return run(spread([NO_FAULT, *ordered, NO_FAULT], options.jobs, work), faults, say)


def spread(
    names: Sequence[str], jobs: int, work: Callable[[int], Iterator[Callable[[str], Outcome]]]
) -> Iterator[Outcome]:
    """Outcomes of ``names``, as they come from ``jobs`` forks of this process.

    ``work`` is a generator of one function: what runs a name, once in each fork. One that ends
    early leaves its name without an outcome; the others go on.
    """
    left = list(reversed(names))
    pipes: list[Connection] = []
    pids = []
    sys.stdout.flush()
    try:
        for number in range(min(jobs, len(names))):
            ours, theirs = Pipe()
            pids.append(os.fork())
            if pids[-1] == 0:
                for pipe in (*pipes, ours):
                    pipe.close()
                _worker(theirs, work(number))
            theirs.close()
            ours.send(left.pop())
            pipes.append(ours)
        while pipes:
            for ready in wait(pipes):
                assert isinstance(ready, Connection)
                try:
                    outcome = ready.recv()
                    ready.send(left.pop() if left else None)
                except (EOFError, OSError):
                    pipes.remove(ready)
                else:
                    yield outcome
    except BaseException:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        raise
    finally:
        for pid in pids:
            os.waitpid(pid, 0)


def _worker(pipe: Connection, work: Iterator[Callable[[str], Outcome]]) -> NoReturn:
    """The whole life of a fork: runs the names that it is sent, until None is."""
    status = 1
    try:
        for run_one in work:
            while name := pipe.recv():
                pipe.send(run_one(name))
        status = 0
    except (KeyboardInterrupt, EOFError):
        pass
    except TargetUnreachable as error:
        print(f"fault_run: {error}", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        processes.clean_up()
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
