# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the host suite (conformance/host): a link of its own for each case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import GuestDied, GuestWedged, Misbehaved, NotApplicable, Unmet
from rpmsg_conformance.host_target import HostTarget
from rpmsg_conformance.kernel_api import KernelApi, load_module
from rpmsg_conformance.kernel_log import Complaint, complaints, ends_lock_checker, fatal
from rpmsg_conformance.link import Channel, Link
from rpmsg_conformance.pytest_plugin import baseline_key, record_key, target_key
from rpmsg_conformance.sim import SimulatorClient, SimulatorError
from rpmsg_conformance.verdicts import Outcome


@pytest.fixture(scope="session")
def host(pytestconfig: pytest.Config) -> HostTarget:
    """The target: boots guests, makes links."""
    target = pytestconfig.stash[target_key]
    assert isinstance(target, HostTarget)
    return target


@pytest.fixture
def observe(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Call it with what was seen and is worth a line of the report, whatever the verdict."""
    record = request.node.stash[record_key]

    def note(text: str) -> None:
        record.notes.append(text)

    return note


@pytest.fixture(autouse=True)
def own_evidence(host: HostTarget) -> None:
    """No case shows the messages of another one."""
    host.case_link = host.case_events = None


@pytest.fixture
def case_folder(request: pytest.FixtureRequest) -> Path:
    """Folder for what the case leaves as evidence."""
    folder = request.node.stash[record_key].artefacts
    assert isinstance(folder, Path)
    return folder


#: Fixtures that are of no use without an agent in the guest.
NEEDS_AGENT = {"agent", "channel", "endpoint", "kernel", "with_agent"}


@pytest.fixture
def with_agent() -> None:
    """For cases that judge by the agent what they do to a device that no driver takes."""


class NewLink(Protocol):
    """new_link(vq_size=N, services=[...], options=[...], num_vqs=N): one more device."""

    def __call__(self, **options: Any) -> Link: ...


@pytest.fixture
def new_link(
    request: pytest.FixtureRequest, host: HostTarget, case_folder: Path
) -> Iterator[NewLink]:
    """Makes links, each a fresh simulator in a fresh device of the guest, shown to be alive after
    the case.

    Ends with GuestWedged or GuestDied when the guest does not serve any more; the next case then
    gets a fresh guest. Ends with Misbehaved when the host broke a rule that the simulator checks,
    or its kernel complained, unless the case is marked with tolerates("...").
    """
    if not host.bundle.has_agent and NEEDS_AGENT & set(request.fixturenames):
        raise NotApplicable("this takes an agent in the guest, and there is none (--no-agent)")
    if host.cold:
        host.discard("the next case has one of its own")
    else:
        host.guest()
    early = complaints(host.kernel_log())
    links: list[Link] = []

    def make(**options: Any) -> Link:
        if links and host.cold:
            raise NotApplicable(f"guest {host.bundle.name} can have only one device: no hot-plug")
        name = f"-{len(links) + 1}" if links else ""
        arguments = ("--check", "strict", *options.pop("options", ()))
        services = tuple(options.pop("services", ()))
        links.append(
            host.new_link(
                case_folder / f"sim{name}.log", services=services, options=arguments, **options
            )
        )
        host.case_link = links[0]
        return links[-1]

    destructive = request.node.get_closest_marker("destructive") is not None
    damage: Exception | None = None
    log: list[str] = []
    try:
        yield make
        host.case_events = len(links[0].sim.history()) if links else None
        if host.cold and request.node.stash[record_key].outcome is Outcome.SKIPPED:
            # Half of a case was done before it turned out to need hot-plug.
            damage = NotApplicable("the case was not done to its end")
        for link in links:
            if not destructive and damage is None:
                link.check_alive()
    except (GuestDied, GuestWedged, Unmet) as error:
        damage = error
        raise
    finally:
        if destructive and damage is None:
            log = log_after_damage(host, request.node.stash[record_key].outcome)
            damage = Unmet("", "the case was meant to damage it")
        elif damage is None and host.cold and links:
            links[0].let_go()
            log = host.kernel_log()
        for number, link in enumerate(links, start=1):
            suffix = f"-{number}" if number > 1 else ""
            try:
                end(link, host, damage)
            finally:
                link.sim.write_events(case_folder / f"events{suffix}.jsonl")
        if damage is None and not host.cold:
            log = host.kernel_log()
            found = complaints(log)
            last = fatal(found) or ends_lock_checker(found)
            if last is not None:
                host.discard(last.text)
        write_lines(case_folder / "dmesg.txt", log)
        write_lines(case_folder / "console.txt", host.console_tail())
    judge_behaviour(request, host, links, early + complaints(log))


@pytest.fixture
def link(request: pytest.FixtureRequest, new_link: NewLink) -> Link:
    """The case's device; @pytest.mark.device(vq_size=N, services=[...]) changes it."""
    marker = request.node.get_closest_marker("device")
    return new_link(**(dict(marker.kwargs) if marker else {}))


class Complaining(Protocol):
    """A target whose kernel's complaints are told."""

    known_complaints: list[tuple[str, str, str]]

    @property
    def say(self) -> Callable[[str], None]:
        """Tells the user."""


def judge_behaviour(
    request: pytest.FixtureRequest,
    host: Complaining,
    links: Sequence[Link],
    found: Sequence[Complaint],
) -> None:
    """Raise Misbehaved for what the checker and the guest's kernel reported during a case."""
    record = request.node.stash[record_key]
    baseline = request.config.stash[baseline_key]
    tolerated = [
        text for marker in request.node.iter_markers("tolerates") for text in marker.args
    ]
    wrong: list[str] = []
    for link in links:
        violations = [event.fields for event in link.sim.events("violation")]
        for fields in violations:
            text = (
                f"the host broke {fields['requirement']} ({fields['name']}): expected "
                f"{fields['expected']}, seen {fields['seen']}"
            )
            if not any(word in text for word in tolerated):
                wrong.append(text)
        if link.exit_status == 1 and not violations:
            raise SimulatorError("rpmsg-sim --check=strict failed, but told of no violation")
    for complaint in found:
        known = baseline.explain(complaint.text, complaint.trace)
        if known is not None:
            host.known_complaints.append((known.requirement, record.name, complaint.describe()))
            record.notes.append(f"known complaint of the kernel: {complaint.text}")
        elif any(word in complaint.describe() for word in tolerated):
            record.notes.append(f"the kernel complained, as it may: {complaint.text}")
        else:
            host.say(f"the guest's kernel complains: {complaint.text}")
            wrong.append(f"the kernel complained: {complaint.describe()}")
    if wrong:
        more = f" (and {len(wrong) - 4} more)" if len(wrong) > 4 else ""
        raise Misbehaved("; ".join(dict.fromkeys(wrong[:4])) + more)


def log_after_damage(host: HostTarget, outcome: Outcome) -> list[str]:
    """The kernel's log after a destructive case.

    Where the case has found what it was after, a guest that is too damaged to tell its log adds
    nothing to that: the console has what there is. Elsewhere GuestWedged and GuestDied say it.
    """
    try:
        return host.kernel_log()
    except (GuestDied, GuestWedged):
        if outcome is not Outcome.UNMET:
            raise
        return []


def write_lines(path: Path, lines: list[str]) -> None:
    """Write lines of text as a file of evidence."""
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def end(link: Link, host: HostTarget, damage: Exception | None) -> None:
    """Take the link away; replace the guest when it is damaged or does not let go of it."""
    if damage is not None:
        # A damaged guest might take its time; it is given up, and the devices with it.
        host.discard(str(damage))
        link.abandon()
        return
    try:
        link.end()
    except (GuestDied, GuestWedged, Unmet) as error:
        host.discard(str(error))
        raise


@pytest.fixture
def sim(link: Link) -> SimulatorClient:
    """Control of the case's simulator."""
    return link.sim


@pytest.fixture
def agent(link: Link) -> AgentClient:
    """System calls in the guest."""
    return link.agent


@pytest.fixture
def channel(link: Link) -> Channel:
    """A channel with a character device, to a service that echoes."""
    return link.announce()


@pytest.fixture
def endpoint(link: Link, channel: Channel) -> int:
    """The character device of ``channel``, opened for reading and writing with O_NONBLOCK."""
    return link.open(channel.path)


def open_kernel_api(host: HostTarget, link: Link) -> KernelApi:
    """The in-kernel API of the link's guest. Raises Blocked; skips where there can be none."""
    module = host.kernel_module()
    if module is None:
        pytest.skip(f"no module can be built for the kernel of {host.bundle.name}; --kmod names one")
    load_module(link.agent, module, host.module_parameters)
    api = KernelApi(link.agent, link.device)
    api.begin()
    return api


@pytest.fixture
def kernel(request: pytest.FixtureRequest, link: Link, host: HostTarget) -> Iterator[KernelApi]:
    """Calls of the in-kernel API; what the case made is taken away after it."""
    api = open_kernel_api(host, link)
    yield api
    if request.node.get_closest_marker("destructive") is None:
        api.end()
