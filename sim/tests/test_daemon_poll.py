# SPDX-License-Identifier: BSD-2-Clause
"""--poll: queues are looked at for a while before sleeping, and kicks are not asked for meanwhile."""

from __future__ import annotations

import select
import struct
from pathlib import Path

import pytest

from daemon_frontend import DEADLINE_S, OUTPUT, Attach, Connect, Host, Run, Sim, Start, _os

ECHO, OURS = 9, 2000
SERVICE = ("--service", f"an-echo=echo,addr={ECHO}")
#: Longer than any test takes.
LONG = "--poll=1000000"


def asks_for_kicks(host: Host) -> bool:
    """Without EVENT_IDX: flags of the used ring."""
    ring = host.rings[OUTPUT]
    return struct.unpack_from("<H", host.memory, ring.used)[0] == 0


def echo(host: Host, payload: bytes) -> None:
    host.send(OURS, ECHO, payload)
    assert host.receive() == (ECHO, OURS, payload)


def send_without_kick(host: Host, payload: bytes) -> None:
    kicks = host.rings[OUTPUT].kick
    host.rings[OUTPUT].kick = _os.eventfd(0, _os.EFD_CLOEXEC)  # nobody listens to this one
    host.send(OURS, ECHO, payload)
    host.rings[OUTPUT].kick = kicks


def started(start: Start, attach: Attach, *options: str) -> tuple[Sim, Host]:
    sim = start(*SERVICE, *options)
    host = attach(sim)
    assert host.receive_announcement()[0] == "an-echo"
    return sim, host


def wait_for_sleep(host: Host) -> None:
    ready = select.poll()
    for _ in range(int(DEADLINE_S * 100)):
        if asks_for_kicks(host):
            return
        ready.poll(10)
    pytest.fail("it still looks at the queues")


def test_poll_finds_a_message_without_a_kick(start: Start, attach: Attach) -> None:
    _, host = started(start, attach, LONG)
    echo(host, b"kicked")

    assert not asks_for_kicks(host)
    send_without_kick(host, b"not kicked")
    assert host.receive() == (ECHO, OURS, b"not kicked")


def test_poll_sleeps_in_the_end_and_wakes_up_again(start: Start, attach: Attach) -> None:
    _, host = started(start, attach, "--poll=1000")
    for number in range(20):
        echo(host, b"%d" % number)
        wait_for_sleep(host)


def test_poll_is_off_by_default(start: Start, attach: Attach) -> None:
    _, host = started(start, attach)
    echo(host, b"one")

    wait_for_sleep(host)


def test_poll_serves_the_control_socket_meanwhile(
    start: Start, attach: Attach, connect: Connect
) -> None:
    sim, host = started(start, attach, LONG)
    echo(host, b"one")

    assert not asks_for_kicks(host)
    assert connect(sim).call("stats")["messages"]["received"] == 1


def test_poll_leaves_once_the_front_end_is_gone(start: Start, attach: Attach) -> None:
    sim, host = started(start, attach, LONG)
    echo(host, b"one")
    host.front_end.close()
    again = attach(sim)

    assert again.receive_announcement()[0] == "an-echo"
    echo(again, b"two")


def test_poll_with_a_number_that_is_none(run: Run, tmp_path: Path) -> None:
    done = run("--socket-path", str(tmp_path / "s"), "--poll=soon")

    assert done.returncode == 2
    assert '--poll: "soon" is not a number of microseconds from 0 to 1000000' in done.stderr
