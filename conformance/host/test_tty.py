# SPDX-License-Identifier: BSD-2-Clause
"""Terminals over rpmsg: channels of the name rpmsg-tty."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect, expect_equal
from rpmsg_conformance.link import PAYLOAD_MAX, RPMSG_DEVICES, Link
from rpmsg_conformance.sim import SimulatorClient

TTY = "rpmsg-tty"
TTY_CLASS = "/sys/class/tty"

#: Terminals that the driver has at most.
TTY_MAX = 32

#: How often a terminal that has just appeared is tried; each takes a message to the guest and back.
OPEN_TRIES = 100

#: Seconds within which a thread that was told has to have come back.
SOON = 3.0


def terminals(agent: AgentClient) -> list[str]:
    """Names of the terminals there are, in order of their numbers."""
    names = [name for name in agent.entries(TTY_CLASS) if name.startswith("ttyRPMSG")]
    return sorted(names, key=lambda name: int(name[len("ttyRPMSG") :]))


def open_terminal(link: Link, path: str, *flags: str) -> int:
    """Open a terminal that has just appeared.

    Linux shows its node before it adds what serves it (tty_register_device_attr()), and tells nobody when
    that is there: for that moment open() fails with ENXIO. With one processor it is never seen.
    """
    for _ in range(OPEN_TRIES):
        reply = link.agent.try_call("open", path=path, flags=["rdwr", "nonblock"])
        if reply.ok:
            link.agent.close_fd(int(reply["fd"]))
        if reply.errno != "ENXIO":
            break
    return link.open(path, *flags)


class Terminal:
    """A terminal of the guest and the service at its other end."""

    def __init__(self, link: Link, kind: str = "sink") -> None:
        before = terminals(link.agent)
        self.link = link
        self.remote = int(link.sim.announce(TTY, kind)["addr"])
        self.device = f"{link.device}.{TTY}.-1.{self.remote}"
        link.agent.expect_path(f"{RPMSG_DEVICES}/{self.device}/driver")
        made = [name for name in terminals(link.agent) if name not in before]
        expect_equal("terminals made", len(made), 1)
        self.path = f"/dev/{made[0]}"
        link.agent.expect_path(self.path)
        self.local = int(link.agent.file_text(f"{RPMSG_DEVICES}/{self.device}/src"), 0)

    def open_raw(self, *flags: str) -> int:
        """The terminal opened, without any treatment of its bytes."""
        fd = open_terminal(self.link, self.path, *flags)
        self.link.agent.call("tty_raw", fd=fd)
        return fd

    def deliver(self, data: bytes) -> None:
        """Have the remote send a message to the terminal."""
        self.link.sim.send(src=self.remote, dst=self.local, data=data)


def read_bytes(agent: AgentClient, fd: int, count: int) -> bytes:
    """Read until ``count`` bytes have come: a terminal has no messages."""
    got = b""
    while len(got) < count:
        got += agent.receive(fd)
    return got


@pytest.fixture
def terminal(link: Link) -> Terminal:
    """A terminal whose other end answers nothing."""
    return Terminal(link)


@pytest.mark.requirement("UA-040")
def test_tty_channel_makes_a_terminal(link: Link, agent: AgentClient, terminal: Terminal) -> None:
    fd = terminal.open_raw()
    agent.write(fd, b"first words").expect_success()
    message = link.sim.wait_event("message", dst=terminal.remote)
    expect_equal("source", message["src"], terminal.local)
    expect_equal("message", message.payload, b"first words")


@pytest.mark.requirement("UA-040")
def test_tty_there_are_at_most_32(link: Link, agent: AgentClient) -> None:
    made = [int(link.sim.announce(TTY, "echo")["addr"]) for _ in range(TTY_MAX + 1)]
    # In order: once a channel announced after them is there, all of them were handled.
    marker = link.announce()
    assert marker.path
    expect_equal("terminals", len(terminals(agent)), TTY_MAX)
    # Each of the 32 works.
    for name in terminals(agent):
        fd = open_terminal(link, f"/dev/{name}")
        agent.call("tty_raw", fd=fd)
        agent.write(fd, name.encode()).expect_success()
        expect_equal(f"echo of {name}", read_bytes(agent, fd, len(name)), name.encode())
        link.close(fd)
    # And a number that was given back is used again.
    first = terminals(agent)[0]
    link.sim.withdraw(TTY, made[0])
    agent.expect_no_path(f"{RPMSG_DEVICES}/{link.device}.{TTY}.-1.{made[0]}")
    agent.expect_no_path(f"{TTY_CLASS}/{first}")
    expect_equal("terminals after one left", len(terminals(agent)), TTY_MAX - 1)
    link.sim.announce(TTY, "echo")
    assert link.announce().path
    expect_equal("terminals after one came", len(terminals(agent)), TTY_MAX)


@pytest.mark.requirement("UA-041")
@pytest.mark.parametrize("length", [PAYLOAD_MAX + 1, 1000, 3000])
def test_tty_long_write_is_sent_as_several_messages(
    length: int, link: Link, agent: AgentClient, terminal: Terminal
) -> None:
    text = bytes((number * 13 + 5) & 0xFF for number in range(length))
    fd = terminal.open_raw("rdwr")
    reply = agent.write(fd, text).expect_success()
    expect_equal("result of write()", reply["ret"], length)
    parts = -(-length // PAYLOAD_MAX)
    messages = link.sim.wait_events(parts, "message", dst=terminal.remote)
    expect_equal("bytes sent", b"".join(message.payload for message in messages), text)
    sizes = [len(message.payload) for message in messages]
    expect_equal("longest message", max(sizes), PAYLOAD_MAX)


@pytest.mark.requirement("UA-042")
@pytest.mark.device(vq_size=4)
def test_tty_write_without_a_buffer_does_not_block(
    link: Link, sim: SimulatorClient, agent: AgentClient, terminal: Terminal
) -> None:
    filler = link.announce(kind="sink")
    fd = terminal.open_raw("rdwr")
    sim.hold(1)
    link.exhaust(link.open(filler.path))
    reply = agent.write(fd, b"no room")
    expect(not reply.ok, expected="an errno", observed=reply.describe())
    expect(reply.seconds < 1.0, expected="at once", observed=f"after {reply.seconds:.2f} s")


@pytest.mark.requirement("UA-043")
def test_tty_message_without_payload_is_ignored(
    agent: AgentClient, terminal: Terminal
) -> None:
    fd = terminal.open_raw()
    terminal.deliver(b"")
    terminal.deliver(b"something")
    expect_equal("bytes read", read_bytes(agent, fd, 9), b"something")


@pytest.mark.requirement("UA-044")
@pytest.mark.parametrize("count", [1, 40])
def test_tty_data_before_open_does_no_harm(
    count: int, link: Link, agent: AgentClient, terminal: Terminal
) -> None:
    for number in range(count):
        terminal.deliver(bytes([65 + number % 26]) * PAYLOAD_MAX)
    link.sim.wait_events(count, "sent", dst=terminal.local)
    fd = terminal.open_raw()
    terminal.deliver(b"the end")
    got = b""
    while not got.endswith(b"the end"):
        got += agent.receive(fd)
    # What came before may have been dropped, whole or in part, but never be other bytes.
    early = b"".join(bytes([65 + number % 26]) * PAYLOAD_MAX for number in range(count))
    kept = got[: -len(b"the end")]
    expect(kept in early, expected="bytes that were sent", observed=f"{len(kept)} bytes")


@pytest.mark.requirement("UA-055")
def test_tty_raw_terminal_receives_every_byte_unchanged(
    agent: AgentClient, terminal: Terminal
) -> None:
    fd = terminal.open_raw()
    terminal.deliver(bytes(range(256)))
    expect_equal("bytes read", read_bytes(agent, fd, 256), bytes(range(256)))


@pytest.mark.requirement("UA-055")
def test_tty_raw_terminal_sends_every_byte_unchanged(
    link: Link, agent: AgentClient, terminal: Terminal
) -> None:
    fd = terminal.open_raw()
    agent.write(fd, bytes(range(256))).expect_success()
    sent = b""
    for message in link.sim.wait_events(1, "message", dst=terminal.remote):
        sent += message.payload
    expect_equal("bytes sent", sent, bytes(range(256)))


@pytest.mark.requirement("UA-055")
def test_tty_bytes_of_many_messages_stay_in_order(
    agent: AgentClient, terminal: Terminal
) -> None:
    fd = terminal.open_raw()
    sent = b"".join(b"%04d " % number for number in range(200))
    for start in range(0, len(sent), 50):
        terminal.deliver(sent[start : start + 50])
    expect_equal("bytes read", read_bytes(agent, fd, len(sent)), sent)


@pytest.mark.requirement("UA-056")
def test_tty_reader_wakes_when_the_channel_is_withdrawn(
    link: Link, agent: AgentClient, terminal: Terminal
) -> None:
    fd = terminal.open_raw("rdwr")
    reader = agent.begin("read", worker=1, fd=fd, len=16)
    link.sim.withdraw(TTY, terminal.remote)
    reply = reader.wait(SOON)
    expect(
        not reply.ok or reply["ret"] == 0,
        expected="an end of file or an errno",
        observed=reply.describe(),
    )
    agent.expect_no_path(terminal.path)


@pytest.mark.requirement("UA-056")
def test_tty_open_terminal_of_a_link_that_went_can_be_closed(
    link: Link, agent: AgentClient, terminal: Terminal
) -> None:
    fd = terminal.open_raw()
    link.unplug()
    agent.expect_no_path(terminal.path)
    expect(not agent.write(fd, b"x").ok, expected="an errno", observed="success")
    link.close(fd)


@pytest.mark.requirement("UA-056")
def test_tty_number_is_free_again_after_the_channel_went(
    link: Link, agent: AgentClient, terminal: Terminal
) -> None:
    link.sim.withdraw(TTY, terminal.remote)
    agent.expect_no_path(terminal.path)
    again = Terminal(link, "echo")
    expect_equal("terminal of the next channel", again.path, terminal.path)
    fd = again.open_raw()
    agent.write(fd, b"anew").expect_success()
    expect_equal("echo", read_bytes(agent, fd, 4), b"anew")
