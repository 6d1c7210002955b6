# SPDX-License-Identifier: BSD-2-Clause
"""rpmsg-ctl watch: on a terminal of its own, and without one."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from ctl_support import Spawn, environment, next_line
from daemon_frontend import DEADLINE_S, Connect, FrontEnd, Host, Sim, Start

pytest_plugins = ("ctl_fixtures",)

HOME, END = "\x1b[H", "\x1b[J"
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


@dataclass
class Screen:
    """A terminal with rpmsg-ctl watch on it."""

    process: subprocess.Popen[bytes]
    master: int
    slave: int
    text: str = field(default="")

    def read_until(self, condition: Callable[[str], bool]) -> str:
        """All output so far, once it fits the condition."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition(self.text):
            assert time.monotonic() < deadline, repr(self.text[-2000:])
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 65536).decode("ascii")
        return self.text

    def frame(self) -> list[str]:
        """Lines of the next whole frame, without what a terminal obeys."""
        start = len(self.text)
        text = self.read_until(lambda text: text[start:].count(HOME) >= 2)
        frame = text[start:].split(HOME)[1]
        return re.sub(r"\x1b\[[0-9?]*[A-Za-z]", "", frame).split("\r\n")

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)


Watch = Callable[..., Screen]


@pytest.fixture
def watch(ctl: str) -> Iterator[Watch]:
    """Start rpmsg-ctl watch on a terminal of some size."""
    screens: list[Screen] = []

    def watch_it(sim: Sim, *args: str, rows: int = 24, columns: int = 80) -> Screen:
        master, slave = pty.openpty()
        screens.append(Screen(None, master, slave))  # type: ignore[arg-type]
        screens[-1].resize(rows, columns)
        screens[-1].process = subprocess.Popen(
            [ctl, "watch", "--interval", "0.1", *args],
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
            env=environment(sim.control_path),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
        )
        return screens[-1]

    yield watch_it
    for screen in screens:
        if screen.process.poll() is None:
            screen.process.kill()
        screen.process.communicate()
        os.close(screen.master)
        os.close(screen.slave)


@pytest.fixture
def busy(start: Start) -> Iterator[tuple[Sim, Host]]:
    """A simulator with a host that has sent some messages, good and bad."""
    sim = start("--service", "hello,addr=1024", "--service", "sunk=sink,addr=0xfffffff0")
    host = Host(FrontEnd(sim.socket_path))
    host.start()
    for dst in (1024, 1024, 4242):
        host.send(5, dst, b"x")
    yield sim, host
    host.close()


def line_with(lines: list[str], start: str) -> list[str]:
    return next(line for line in lines if line.startswith(start)).split()


def test_ctl_watch_shows_what_stats_say(
    busy: tuple[Sim, Host], watch: Watch, connect: Connect
) -> None:
    sim, _ = busy
    screen = watch(sim)
    screen.read_until(lambda text: "received 3" in text)
    frame = screen.frame()
    stats = connect(sim).call("stats")

    assert "driver ready" in frame[0]
    for number, direction in enumerate(("to host", "from host")):
        queue = stats["queues"][number]
        shown = line_with(frame, f"{number} {direction}")[3:]
        counters = ("size", "kicks", "calls", "popped", "returned", "held", "avail_pending")
        assert shown == [*(str(queue[name]) for name in counters), "on"]
    assert line_with(frame, "DROPPED") == ["DROPPED", "no-endpoint", "1"]
    assert line_with(frame, "VIOLATIONS") == ["VIOLATIONS", "none"]
    endpoint = line_with(frame, "      1024")
    assert endpoint == ["1024", "hello", "echo", "5", "2", "0", "2", "0"]


def test_ctl_watch_counts_what_is_held(
    busy: tuple[Sim, Host], watch: Watch, connect: Connect
) -> None:
    sim, host = busy
    connect(sim).call("hold", queue=1)
    host.send(5, 1024, b"x")
    host.send(5, 1024, b"x")
    screen = watch(sim)

    screen.read_until(lambda text: "received 5" in text)

    assert line_with(screen.frame(), "1 from host")[8] == "2"


def test_ctl_watch_shows_rates(busy: tuple[Sim, Host], watch: Watch) -> None:
    sim, host = busy
    screen = watch(sim)
    screen.read_until(lambda text: "received 3 (0/s)" in text)
    host.send(5, 1024, b"x")

    text = screen.read_until(lambda text: bool(re.search(r"received 4 \([0-9.]+/s\)", text)))

    rates = re.findall(r"received 4 \(([0-9.]+)/s\)", text)
    # One message in one interval of a tenth of a second, or of somewhat more under load.
    assert 0 < float(rates[0]) <= 12


def test_ctl_watch_shows_faults_that_are_on_or_have_fired(start: Start, watch: Watch) -> None:
    sim = start(
        *("--service", "hello,addr=1024", "--fault", "hdr-flags", "--fault", "hdr-reserved,once"),
        *("--fault", "ring-not-returned,after=100"),
    )
    screen = watch(sim, columns=60)
    screen.read_until(lambda text: "hdr-flags (always, fired 0)" in text)
    host = Host(FrontEnd(sim.socket_path))
    host.start()
    host.receive_announcement()
    host.send(5, 1024, b"x")
    host.receive()

    screen.read_until(lambda text: "hdr-flags (always, fired 1)" in text)
    frame = screen.frame()
    host.close()

    first = next(i for i, line in enumerate(frame) if line.startswith("FAULTS"))
    assert [line.split(maxsplit=1) for line in frame[first : first + 1]] == [
        ["FAULTS", "hdr-reserved (off, fired 1)"]
    ]
    assert [line.strip() for line in frame[first + 1 : first + 3]] == [
        "hdr-flags (always, fired 1)",
        "ring-not-returned (always, fired 0)",
    ]
    assert frame[first + 3] == ""


def test_ctl_watch_without_faults_says_none(start: Start, watch: Watch) -> None:
    assert line_with(watch(start()).frame(), "FAULTS") == ["FAULTS", "none"]


@pytest.mark.parametrize("rows, columns", [(24, 80), (40, 120), (10, 40), (3, 20), (1, 1)])
def test_ctl_watch_fits_the_window(
    start: Start, watch: Watch, rows: int, columns: int
) -> None:
    screen = watch(start("--service", "a-name-that-is-rather-long-123,count=50"), rows=rows,
                   columns=columns)  # fmt: skip

    frame = screen.frame()

    assert len(frame) <= rows
    assert all(len(line) <= columns for line in frame)


def test_ctl_watch_says_how_many_endpoints_are_not_shown(start: Start, watch: Watch) -> None:
    frame = watch(start("--service", "hello,count=50")).frame()

    shown = sum(" hello " in line for line in frame)
    assert frame[-1] == f"and {50 - shown} endpoints more: enlarge the window"


def test_ctl_watch_follows_the_windows_size(start: Start, watch: Watch) -> None:
    screen = watch(start("--service", "hello,count=30"), "--interval", "60", rows=20)
    screen.read_until(lambda text: "enlarge the window" in text)

    screen.resize(60, 80)

    text = screen.read_until(lambda text: text.count(END) >= 2)
    assert len(re.findall(" hello ", text.split(END)[1])) == 30


@pytest.mark.parametrize("end", ["q", "ctrl_c", "sigterm", "sighup"])
def test_ctl_watch_gives_the_terminal_back(start: Start, watch: Watch, end: str) -> None:
    screen = watch(start())
    before = termios.tcgetattr(screen.slave)
    screen.frame()
    during = termios.tcgetattr(screen.slave)
    signals = {"sigterm": signal.SIGTERM, "sighup": signal.SIGHUP}

    if end in signals:
        screen.process.send_signal(signals[end])
    else:
        screen.press({"q": b"q", "ctrl_c": b"\x03"}[end])

    assert screen.process.wait(DEADLINE_S) == 0
    text = screen.read_until(lambda text: LEAVE in text)
    assert text.startswith(ENTER + HIDE) and text.endswith(SHOW + LEAVE)
    assert not during[3] & termios.ECHO
    after = termios.tcgetattr(screen.slave)
    assert after[3] & (termios.ECHO | termios.ICANON) == termios.ECHO | termios.ICANON
    assert before[0] == after[0] and before[1] == after[1]


def test_ctl_watch_leaves_the_screen_before_it_complains(start: Start, watch: Watch) -> None:
    sim = start()
    screen = watch(sim)
    screen.frame()

    sim.stop()

    assert screen.process.wait(DEADLINE_S) == 3
    assert screen.read_until(lambda text: LEAVE in text).endswith(SHOW + LEAVE)
    assert screen.process.stderr
    assert b"has closed the connection" in screen.process.stderr.read()


def test_ctl_watch_without_a_terminal_prints_blocks(start: Start, spawn_ctl: Spawn) -> None:
    sim = start("--service", "hello,count=50")
    process = spawn_ctl(sim.control_path, "watch", "--interval", "0.1")
    lines: list[str] = []
    while sum(line.startswith("---- ") for line in lines) < 3:
        lines.append(next_line(process))

    process.send_signal(signal.SIGINT)

    assert process.wait(DEADLINE_S) == 0
    text = "".join(lines)
    assert "\x1b" not in text
    assert len(re.findall(" hello ", text)) == 100


def test_ctl_watch_as_json_is_stats_line_by_line(start: Start, spawn_ctl: Spawn) -> None:
    process = spawn_ctl(start().control_path, "--json", "watch", "--interval", "0.1")

    for _ in range(2):
        assert json.loads(next_line(process))["connected"] is False
