# SPDX-License-Identifier: BSD-2-Clause
"""The native agent on a pipe, as a board would run it."""

from __future__ import annotations

import itertools
import json
import os
import platform
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
#: Seconds within which the agent has to say something: far beyond what a busy machine needs.
DEADLINE = 30.0

Message = dict[str, Any]


class Connection:
    """To an agent. Lines are read as they come, so that nothing of a reply is hidden."""

    def __init__(self, reader: IO[bytes], writer: IO[bytes]) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._rest = b""
        self._replies: dict[int, Message] = {}

    def send_raw(self, data: bytes) -> None:
        """Write bytes as they are."""
        self._writer.write(data)
        self._writer.flush()

    def send(self, cmd: str, **arguments: Any) -> int:
        """Send a request; returns its ID."""
        request_id = next(self._ids)
        self.send_raw(json.dumps({"id": request_id, "cmd": cmd, **arguments}).encode() + b"\n")
        return request_id

    def next_line(self) -> bytes:
        """The next line, without its newline. Raises EOFError, TimeoutError."""
        fd = self._reader.fileno()
        deadline = time.monotonic() + DEADLINE
        while b"\n" not in self._rest:
            if not select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"nothing from the agent within {DEADLINE} s")
            data = os.read(fd, 1 << 20)
            if not data:
                raise EOFError(f"the agent ended; unfinished line: {self._rest!r}")
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    def next_message(self) -> Message:
        """The next line as an object."""
        message = json.loads(self.next_line())
        assert isinstance(message, dict)
        return message

    def reply(self, request_id: int) -> Message:
        """The reply with this ID; those of other requests are kept."""
        while request_id not in self._replies:
            message = self.next_message()
            assert isinstance(message["id"], int), message
            assert message["id"] not in self._replies, "two replies to one request"
            self._replies[message["id"]] = message
        return self._replies.pop(request_id)

    def has_reply(self, request_id: int) -> bool:
        """Whether the reply has come by the time that a ping is answered."""
        self.call("ping")
        return request_id in self._replies

    def call(self, cmd: str, **arguments: Any) -> Message:
        """Send a request and return its reply."""
        return self.reply(self.send(cmd, **arguments))

    def ok(self, cmd: str, **arguments: Any) -> Message:
        """Send a request that has to succeed."""
        reply = self.call(cmd, **arguments)
        assert reply["ok"] is True, reply
        return reply

    def fails(self, cmd: str, **arguments: Any) -> str:
        """Send a request that has to fail; returns the name of the errno."""
        reply = self.call(cmd, **arguments)
        assert reply["ok"] is False, reply
        return str(reply["errno"])

    def open(self, path: Path | str, *flags: str) -> int:
        """Open a file there (default: rdwr); returns its descriptor."""
        return int(self.ok("open", path=str(path), flags=list(flags or ("rdwr",)))["fd"])

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Ask again and again until a condition, which asks the agent, holds."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, "the condition was never met"

    def worker(self, number: int) -> Message:
        """What `workers` says about one of them."""
        listed = self.ok("workers")["workers"]
        return next((w for w in listed if w["worker"] == number), {})

    def wait_blocked(self, number: int) -> None:
        """Wait until a worker sleeps in its system call."""

        def blocked() -> bool:
            worker = self.worker(number)
            return bool(worker.get("in_call")) and worker.get("state") == "S"

        self.wait_until(blocked)


class Agent(Connection):
    """An agent that was started here, on a pair of pipes."""

    def __init__(self, command: list[str], **popen: Any) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **popen
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        super().__init__(self.process.stdout, self.process.stdin)
        self.hello = self.next_message()

    @property
    def pid(self) -> int:
        return self.process.pid

    def finish(self) -> int:
        """Close its input; returns its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(DEADLINE)

    def kill(self) -> None:
        """End it whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass


def find_program(variable: str, architecture: str) -> str:
    """Path of an agent: what the variable names, or the newest one of any build tree."""
    given = os.environ.get(variable)
    if given:
        path = Path(given).resolve()
        assert os.access(path, os.X_OK), f"{variable}={given} is not a program"
        return str(path)
    name = f"rpmsg-agent-{architecture}"
    built = sorted(ROOT.glob(f"build/*/bin/{name}"), key=lambda p: p.stat().st_mtime)
    if not built:
        pytest.fail(
            f"there is no build/*/bin/{name}: build it with scripts/build, or name one in "
            f"{variable}",
            pytrace=False,
        )
    return str(built[-1])


@pytest.fixture(scope="session")
def program() -> str:
    """The agent under test: the native one, or $RPMSG_AGENT."""
    return find_program("RPMSG_AGENT", platform.machine())


@pytest.fixture
def start(program: str) -> Iterator[Callable[..., Agent]]:
    """Starts agents; all of them are ended with the test."""
    started: list[Agent] = []

    def start_one(*arguments: str, **popen: Any) -> Agent:
        started.append(Agent([program, *arguments], **popen))
        return started[-1]

    yield start_one
    for agent in started:
        agent.kill()


@pytest.fixture
def agent(start: Callable[..., Agent]) -> Agent:
    """A fresh agent whose hello was read."""
    return start()


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A FIFO, in the place of a device whose reader blocks."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path
