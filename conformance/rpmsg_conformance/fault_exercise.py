# SPDX-License-Identifier: BSD-2-Clause
"""A real kernel uses a link on which a fault is on, as much of it as there is left to use."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rpmsg_conformance.expect import Unmet, expect_equal
from rpmsg_conformance.link import CHAR_CHANNEL, PAYLOAD_MAX, Link
from rpmsg_conformance.sim import RpcError

#: Addresses of the service and, where no channel came about, of the guest's endpoint. They differ,
#: so that a fault which puts one in the place of the other has something to change.
SERVICE, ENDPOINT = 0x4D2, 0x500

#: Seconds for a channel to appear. The announcement is out before the wait begins.
CHANNEL_SECONDS = 2.0
#: Seconds for the answer to one command in a guest that may be damaged.
ANSWER_SECONDS = 3.0
#: Seconds for messages that the guest has written to arrive.
ARRIVAL_SECONDS = 5.0

SIZES = (0, 1, PAYLOAD_MAX - 1, PAYLOAD_MAX, 16)
UNASKED = 4


@dataclass
class Traffic:
    """What this side counted, which the simulator's own counts have to agree with."""

    written: int = 0
    """Messages that the guest's kernel took."""
    unasked: int = 0
    """Messages that the simulator was told to send."""
    read: int = 0
    """Messages that arrived in the guest."""
    trouble: str = ""
    """What did not work first; empty when all did."""

    def note(self, trouble: str) -> None:
        """Keep the first ``trouble``."""
        self.trouble = self.trouble or trouble


def exercise(link: Link, traffic: Traffic, seconds: float) -> None:
    """Messages of many sizes both ways, channels that come and go, for ``seconds``.

    Trouble that leaves the guest alive is noted, and what still works is used. Raises Unmet when
    nothing can be used, GuestWedged and GuestDied.
    """
    deadline = time.monotonic() + seconds
    # Whoever does not announce by himself is asked to; what it does to the guest shows at once.
    link.sim.announce(CHAR_CHANNEL, "echo", SERVICE)
    link.agent.call("ping", ANSWER_SECONDS)
    fd, local = _way(link, traffic)
    try:
        link.sim.announce("rpmsg-tty", "sink")
    except RpcError as error:
        traffic.note(str(error))
    round_number = 0
    while link.simulator.running and (round_number == 0 or time.monotonic() < deadline):
        _write_and_read(link, traffic, fd, local)
        _come_and_go(link, traffic, f"extra-{round_number}")
        round_number += 1
    _drain(link, traffic, fd)


def serve_once(link: Link, name_service: bool) -> None:
    """One echo over a new service, as if there had never been a fault.

    Over a channel that the guest has by itself, if the link has a ``name_service``. Raises Unmet,
    GuestWedged, GuestDied, SimulatorError and RpcError.
    """
    remote = int(link.sim.announce(CHAR_CHANNEL, "echo")["addr"])
    if name_service:
        path = link.channel(CHAR_CHANNEL, remote).path
    else:
        path = "/dev/" + link.create_endpoint("by-hand", ENDPOINT, remote)
    fd = link.open(path)
    link.agent.write(fd, b"alive?").expect_success()
    expect_equal("the echo", link.agent.receive(fd), b"alive?")


def _way(link: Link, traffic: Traffic) -> tuple[int, int]:
    """A descriptor to the service and the address behind it.

    Where the name service brings no channel, an endpoint is made by hand. Raises Unmet.
    """
    try:
        channel = link.channel(CHAR_CHANNEL, SERVICE, CHANNEL_SECONDS)
        return link.open(channel.path), channel.local
    except Unmet as error:
        link.agent.call("ping", ANSWER_SECONDS)
        traffic.note("no channel" if "character device" in error.expected else str(error))
        return link.open("/dev/" + link.create_endpoint("by-hand", ENDPOINT, SERVICE)), ENDPOINT


def _write_and_read(link: Link, traffic: Traffic, fd: int, local: int) -> None:
    for size in SIZES:
        reply = link.agent.try_call("write", ANSWER_SECONDS, fd=fd, data=(b"x" * size).hex())
        traffic.written += reply.ok
    for part in range(UNASKED):
        try:
            link.sim.send(src=SERVICE, dst=local, data=bytes([part]))
            traffic.unasked += 1
        except RpcError as error:
            traffic.note(str(error))
    for _ in range(len(SIZES) + UNASKED):
        traffic.read += link.agent.try_call("read", ANSWER_SECONDS, fd=fd, len=4096).ok


def _come_and_go(link: Link, traffic: Traffic, name: str) -> None:
    try:
        extra = link.sim.announce(name, "echo")
        link.sim.withdraw(extra["name"], extra["addr"])
    except RpcError as error:
        traffic.note(str(error))


def _drain(link: Link, traffic: Traffic, fd: int) -> None:
    """Let arrive what is on its way, in both directions."""
    try:
        link.sim.wait_events(traffic.written, "message", timeout=ARRIVAL_SECONDS)
    except Unmet:
        traffic.note("messages of the guest did not arrive")
    while link.agent.try_call("read", ANSWER_SECONDS, fd=fd, len=4096).ok:
        traffic.read += 1
