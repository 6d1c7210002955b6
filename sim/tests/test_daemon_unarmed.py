# SPDX-License-Identifier: BSD-2-Clause
"""A fault that is off, or whose time has not come, has no effect at all.

A session with a bit of everything is held in lock-step, so that it has one transcript: every used
entry, every byte of the buffers, the rings, the event log. It is the same byte for byte whether
rpmsg-sim knows of no fault, has all of them armed for much later, or had all of them and cleared
them. That a transcript shows a fault when it does fire is tested as well.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

from daemon_frontend import (
    GET_FEATURES,
    GET_PROTOCOL_FEATURES,
    INPUT,
    OUTPUT,
    SET_STATUS,
    Connect,
    Control,
    FrontEnd,
    Host,
    Run,
    Sim,
    Start,
    _os,
)

Transcript = list[Any]
Names = list[str]

#: Passes of its place that no session of this file comes near; the largest that is allowed.
MUCH_LATER = 4294967295

ECHO, SINK, SAMPLE, UNBOUND, OURS = 9, 10, 11, 77, 2000
SERVICES = (
    *("--service", f"an-echo=echo,addr={ECHO}"),
    *("--service", f"a-sink=sink,addr={SINK}"),
    *("--service", f"a-sample=client-sample,addr={SAMPLE}"),
)


@pytest.fixture
def faults(run: Run) -> Names:
    """Names of all faults."""
    names = [row["name"] for row in json.loads(run("--list-faults=json").stdout)]
    assert len(names) >= 45
    return names


class Session:
    """A host that writes down all that comes from the remote."""

    def __init__(self, sim: Sim, control: Control) -> None:
        self.control = control
        self.host = Host(FrontEnd(sim.socket_path))
        self.transcript: Transcript = []
        front_end = self.host.front_end
        for request in (GET_FEATURES, GET_PROTOCOL_FEATURES):
            self.transcript.append((request, front_end.ask_u64(request)))
        self.host.start()

    def arrive(self, count: int) -> None:
        """Write down ``count`` messages of the remote, bytes behind the used length included."""
        ring = self.host.rings[INPUT]
        while count:
            for index, length in ring.wait_used():
                at = ring.buffer(index)
                whole = bytes(self.host.memory[at : at + 512])
                self.transcript.append(("in", index, length, whole.hex()))
                ring.expose(index)
                count -= 1
            ring.notify()
        assert count == 0

    def send(self, dst: int, payload: bytes, length: int | None = None) -> None:
        """One message to the remote, and wait until its buffer is back."""
        self.host.send(OURS, dst, payload, length)
        self.returned()

    def returned(self) -> None:
        ring = self.host.rings[OUTPUT]
        while len(self.host.free) < ring.size:
            for index, length in ring.wait_used():
                at = ring.buffer(index)
                self.transcript.append(
                    ("out", index, length, bytes(self.host.memory[at : at + 512]).hex())
                )
                self.host.free.append(index)

    def end(self) -> None:
        """The rings as they lie in memory, and whether the remote called them broken."""
        for queue, ring in enumerate(self.host.rings):
            whole = bytearray(self.host.memory[ring.desc : ring.buffers])
            # Whether the remote wants a kick just now is a matter of time, not of faults: it looks at
            # the ring for a while before it sleeps, and says so in the used ring's first and last field.
            flags = ring.used - ring.desc
            for at in (flags, flags + 4 + 8 * ring.size):
                whole[at : at + 2] = bytes(2)
            self.transcript.append(("ring", queue, hashlib.sha256(whole).hexdigest()))
            _os.set_blocking(ring.err, False)
            with pytest.raises(BlockingIOError):
                _os.eventfd_read(ring.err)
        self.host.front_end.acked(SET_STATUS, struct.pack("<Q", 0))
        self.host.close()
        self.control.event("disconnected")


def traffic(session: Session) -> None:
    """Both directions, all sizes, name service, wrong messages, holding, in lock-step."""
    control = session.control
    session.arrive(3)  # the announcements
    for size in (0, 1, 2, 15, 16, 17, 255, 495, 496):
        session.send(ECHO, bytes((size + i) & 0xFF for i in range(size)))
        session.arrive(1)
        session.send(SINK, b"s" * size)
    session.send(SAMPLE, b"hello world!")
    session.arrive(1)
    session.send(UNBOUND, b"nobody")
    session.send(ECHO, b"too long a length", length=400)
    session.send(53, struct.pack("<32sII", b"ours", OURS, 0))
    session.send(53, b"no announcement")
    for number in range(4):
        control.call("announce", name=f"later-{number}", addr=100 + number)
        control.call("send", src=ECHO, dst=OURS, data="ab" * number)
        session.arrive(2)
    for number in range(4):
        control.call("withdraw", name=f"later-{number}")
        session.arrive(1)
    control.call("hold", queue=OUTPUT)
    for number in range(3):
        session.host.send(OURS, ECHO, bytes([number]))
        session.arrive(1)
    control.call("release", queue=OUTPUT)
    session.returned()
    control.call("hold", queue=INPUT)
    control.call("send", src=ECHO, dst=OURS, data="cd")
    control.call("release", queue=INPUT)
    session.arrive(1)


def without_times(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("time_ns", "seq")}


@pytest.fixture
def record(start: Start, connect: Connect) -> Callable[..., Transcript]:
    """The transcript of two sessions with one rpmsg-sim."""

    def record_it(*options: str, prepare: Callable[[Control], None] | None = None) -> Transcript:
        number = len(started)
        sim = start(*SERVICES, "--seed", "7", *options, name=f"sim{number}")
        started.append(sim)
        control = connect(sim)
        if prepare:
            prepare(control)
        watcher = connect(sim)
        types = control.call("help")["events"]
        # How many kicks are seen apart is a matter of time, not of faults.
        watcher.call("events", types=[t for t in types if t != "kick"])
        control.call("events", types=["disconnected"])
        transcript: Transcript = []
        for _ in range(2):
            session = Session(sim, control)
            traffic(session)
            transcript += session.transcript
            session.end()
            transcript += session.transcript[-2:]
        watcher.call("stats")
        return transcript + [without_times(event) for event in watcher.events]

    started: list[Sim] = []
    return record_it


def armed(names: Names, after: int) -> list[str]:
    return [word for name in names for word in ("--fault", f"{name},after={after}")]


@pytest.mark.parametrize("profile", ["linux", "openamp", "linux-bufsz"])
def test_unarmed_all_faults_for_much_later_change_no_byte(
    record: Callable[..., Transcript], faults: Names, profile: str
) -> None:
    without = record("--profile", profile)

    assert record("--profile", profile, *armed(faults, MUCH_LATER)) == without


def test_unarmed_all_faults_set_and_cleared_change_no_byte(
    record: Callable[..., Transcript], faults: Names
) -> None:
    def set_and_clear(control: Control) -> None:
        for name in faults:
            control.call("fault_set", name=name)
        control.call("fault_clear")

    assert record(prepare=set_and_clear) == record()


def test_unarmed_two_runs_of_one_seed_are_the_same(record: Callable[..., Transcript]) -> None:
    assert record() == record()


# One of each place whose effect leaves the session in step.
SEEN = ("hdr-reserved", "hdr-flags", "used-len-output", "ns-name-dirty", "ns-flags-unknown",
        "ring-write-readable")  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
def test_unarmed_fault_shows_in_the_transcript_from_its_time_on(
    record: Callable[..., Transcript], faults: Names, name: str
) -> None:
    others = [other for other in faults if other != name]
    without = record()

    late = record("--fault", f"{name},after=2", *armed(others, MUCH_LATER))

    first = next(i for i, (seen, plain) in enumerate(zip(late, without)) if seen != plain)
    same_kind = [entry for entry in without[:first] if entry[0] in ("in", "out")]
    assert len(same_kind) >= 2
    assert late[:first] == without[:first]
    assert late != without
