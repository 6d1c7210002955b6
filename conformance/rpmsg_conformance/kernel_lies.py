# SPDX-License-Identifier: BSD-2-Clause
"""The cases of the in-kernel API are tested themselves: does each notice the mistake that it exists for?

One guest is booted with a module that lies about what the kernel's functions do
(conformance/kmod/lies.c), and each lie meets the cases that have to notice it. A lie that repairs a
mistake which the kernel really makes has to turn the case's verdict into PASS.

    scripts/kmod-lies [NAME...]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rpmsg_conformance import catalogue, host_fixtures, processes
from rpmsg_conformance.baseline import Baseline
from rpmsg_conformance.expect import Blocked, GuestDied, GuestWedged, TargetUnreachable, Unmet
from rpmsg_conformance.guest import load_bundle, run_script
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.kernel_api import load_module
from rpmsg_conformance.pytest_plugin import ConformPlugin, run_pytest
from rpmsg_conformance.suite_run import CHECKOUT, SUITES
from rpmsg_conformance.verdicts import Outcome, Verdict

PARAMETER: Final = "/sys/module/rpmsg_kapi/parameters/lie"

#: How a case ends that has noticed something.
NOTICED: Final = frozenset({Outcome.UNMET, Outcome.WEDGED, Outcome.DIED, Outcome.TIMEOUT})


@dataclass(frozen=True)
class Lie:
    """A mistake of the kernel, and the requirements that a case of each has to find broken by it."""

    name: str
    broken: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()


LIES: Final = (
    Lie("send-wrong-destination", ("KA-002", "KA-030", "KA-005", "KA-054", "KA-021")),
    Lie("send-channel-source", ("KA-032",)),
    Lie("sendto-ignores-destination", ("KA-003", "KA-031", "KA-024")),
    Lie("offchannel-ignores-source", ("KA-004", "KA-033")),
    Lie("send-does-not-wait", ("KA-005", "KA-023")),
    Lie("send-gives-up-early", ("KA-006", "KA-039")),
    Lie("trysend-eagain", ("KA-007", "KA-008", "KA-034")),
    Lie("trysend-dawdles", ("KA-007", "KA-008", "KA-034")),
    Lie("trysend-stays-refused", ("KA-037",)),
    Lie("long-message-cut", ("KA-018",)),
    Lie("long-message-einval", ("KA-018",)),
    Lie("mtu-refused", ("KA-035",)),
    Lie("mtu-too-big", ("KA-015",)),
    Lie("empty-message-refused", ("KA-036",)),
    Lie("any-accepted", ("KA-019",)),
    Lie("every-tenth-lost", ("KA-070",)),
    Lie("null-endpoint-accepted", ("KA-022",)),
    Lie("flow-control-accepted", ("KA-044",)),
    Lie("signal-honoured", repaired=("KA-038",)),
    Lie("create-ignores-address", ("KA-009", "KA-010")),
    Lie("taken-address-replaced", ("KA-010", "KA-046")),
    Lie("any-from-100", ("KA-011",)),
    Lie("any-never-again", ("KA-040",)),
    Lie("high-address-bound", repaired=("KA-045",)),
    Lie("messages-crossed", ("KA-017",)),
    Lie("destroy-does-nothing", ("KA-012", "KA-026", "KA-050", "KA-051")),
    Lie("destroy-does-not-wait", ("KA-041",)),
    Lie("callback-not-called", ("KA-016", "KA-053")),
    Lie("callback-wrong-source", ("KA-016", "KA-024", "KA-025")),
    Lie("callback-wrong-length", ("KA-025",)),
    Lie("callback-wrong-channel", ("KA-025",)),
    Lie("messages-swapped", ("KA-047",)),
    Lie("callback-atomic", ("KA-048",)),
    Lie("callback-after-unregister", ("KA-057",)),
    Lie("table-first-only", ("KA-013", "KA-014", "KA-055")),
    Lie("table-any-other", ("KA-052",)),
    Lie("callback-always", ("KA-060",)),
    Lie("probe-failure-ignored", ("KA-020", "KA-059")),
    Lie("remove-not-called", ("KA-014", "KA-056", "KA-058", "KA-069")),
    Lie("endpoint-gone-in-remove", ("KA-021",)),
    Lie("not-announced", ("KA-063", "KA-064", "KA-066")),
    Lie("announced-back", ("KA-065",)),
    Lie("stale-endpoint-cleared", repaired=("KA-061", "KA-071")),
    Lie("source-given-back", repaired=("KA-062",)),
)


def judge(target: HostTarget, lie: Lie, module: Path, report: Path) -> list[str]:
    """What is wrong with the cases that meet this lie; an empty list when they notice it."""
    # Further guests, of long waits, are booted while it is judged, and load the module themselves.
    target.module_parameters = f"lie={lie.name}"
    agent = target.guest().agent
    load_module(agent, module)
    agent.write_file(PARAMETER, lie.name).expect_success()
    wanted = [*lie.broken, *lie.repaired]
    plugin = ConformPlugin(
        catalogue=catalogue.load(SUITES / "requirements.toml"),
        select=wanted,
        exclude=[],
        levels=[],
        target=target,
        listener=None,
        load_baseline=lambda cases: Baseline(),
        repeat_command=[],
        report=report,
    )
    run_pytest(plugin, SUITES / "host", [host_fixtures])
    problems = [*plugin.harness, *([plugin.unreachable] if plugin.unreachable else [])]
    for requirement in wanted:
        results = plugin.results.get(requirement, [])
        outcomes = {result.outcome for result in results}
        if requirement in lie.repaired:
            # Some cases want another kernel, such as one with KASAN.
            verdicts = {result.verdict for result in results}
            if Verdict.PASS not in verdicts or verdicts - {Verdict.PASS, Verdict.SKIP}:
                problems.append(f"{requirement} is not judged as met")
        elif not outcomes & NOTICED:
            problems.append(f"{requirement} does not notice it")
        if Outcome.HARNESS in outcomes or Outcome.BLOCKED in outcomes:
            said = next(r for r in results if r.outcome in (Outcome.HARNESS, Outcome.BLOCKED))
            problems.append(f"{requirement}: {said.name}: {said.message}")
    return problems


def run(target: HostTarget, chosen: Sequence[Lie], module: Path, report: Path) -> int:
    """Judge the chosen lies one after the other; returns how many went unnoticed."""
    unnoticed = 0
    for lie in chosen:
        try:
            problems = judge(target, lie, module, report)
        except (Unmet, Blocked, GuestDied, GuestWedged) as error:
            problems = [f"the guest: {error}"]
            target.discard(str(error))
        unnoticed += bool(problems)
        met = ", ".join([*lie.broken, *lie.repaired])
        print(f"{'UNNOTICED' if problems else 'noticed  '} {lie.name:28} {met}", flush=True)
        for problem in problems:
            print(f"          {problem}", flush=True)
    return unnoticed


def main() -> int:
    """Run the program; returns its exit status: 1 when a lie went unnoticed."""
    parser = argparse.ArgumentParser(
        prog="kmod-lies", description="Test the cases of the in-kernel API with a kernel that lies."
    )
    parser.add_argument("--sim", metavar="PATH", type=Path, required=True, help="rpmsg-sim")
    parser.add_argument("--guest", metavar="NAME", default="debian-rt")
    parser.add_argument("--list", action="store_true", help="list the lies, and end")
    parser.add_argument("names", metavar="NAME", nargs="*", help="lies (default: all)")
    options = parser.parse_args()
    if options.list:
        for lie in LIES:
            print(f"{lie.name:28} {', '.join([*lie.broken, *lie.repaired])}")
        return 0
    unknown = set(options.names) - {lie.name for lie in LIES}
    if unknown:
        parser.error(f"no lie of that name: {', '.join(sorted(unknown))}")
    chosen = [lie for lie in LIES if lie.name in options.names or not options.names]
    with processes.guarded(), tempfile.TemporaryDirectory(prefix="kmod-lies-") as folder:
        module = run_script(CHECKOUT / "scripts/kmod", "--lies", options.guest)
        bundle = load_bundle(run_script(CHECKOUT / "scripts/guest", options.guest))
        target = HostTarget(
            bundle=bundle,
            qemu=run_script(CHECKOUT / "scripts/qemu", bundle.qemu),
            simulator=options.sim.absolute(),
            folder=Path(folder),
            timeout_factor=1.0,
            say=lambda text: print(f"-- {text}", flush=True),
            find_module=lambda: module,
        )
        try:
            unnoticed = run(target, chosen, module, Path(folder) / "report")
        except TargetUnreachable as error:
            print(f"kmod-lies: {error}", file=sys.stderr)
            return 4
        finally:
            target.close()
    print(f"{len(chosen) - unnoticed} of {len(chosen)} lies noticed")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
