# SPDX-License-Identifier: BSD-2-Clause
"""What the guest's user space does while its links are attacked.

Races between a hostile device and system calls are where a kernel's lifetimes break. Descriptors do
not block, so that the agent is never held up for long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rpmsg_conformance.agent import AgentClient, Pending

#: By the number in operation `user`.
ACTIONS = ("open", "close", "write", "read", "poll", "create", "destroy", "control")

#: Descriptors of one link that user space holds at a time.
OPEN_MAX = 8

#: Bytes of a read: more than any message has.
READ_MAX = 70000

#: Messages that are read from a descriptor after an attack.
READS = 4

#: Bytes written at most.
WRITE_MAX = 4096

#: Address that means any, as the agent takes it.
ANY = -1


@dataclass
class _Link:
    path: str
    fds: list[int] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)


class User:
    """System calls of the agent on the links of a round."""

    def __init__(self, agent: AgentClient) -> None:
        self._agent = agent
        self._links: dict[int, _Link] = {}
        self._longest: dict[int, int] = {}

    def begin(self, paths: Mapping[int, str | None]) -> None:
        """Open the channel of each link that has one."""
        self._links = {number: _Link(path) for number, path in paths.items() if path is not None}
        self._longest = dict.fromkeys(self._links, 0)
        pending = {number: self._open(link.path) for number, link in self._links.items()}
        for number, answer in pending.items():
            reply = answer.wait()
            if reply.ok:
                self._links[number].fds.append(int(reply["fd"]))

    def act(self, number: int, what: int, size: int) -> None:
        """Do one thing on a link, and wait until it is done."""
        link = self._links.get(number)
        if link is None:
            return
        action = ACTIONS[what % len(ACTIONS)]
        if action == "open":
            if len(link.fds) < OPEN_MAX:
                reply = self._open(link.path).wait()
                if reply.ok:
                    link.fds.append(int(reply["fd"]))
            return
        if not link.fds:
            return
        fd = link.fds[-1]
        if action == "close":
            link.fds.pop()
            self._agent.try_call("close", fd=fd)
        elif action == "write":
            data = bytes([size & 0xFF]) * min(size, WRITE_MAX)
            self._agent.write(fd, data)
        elif action == "read":
            self._read(number, self._agent.submit("read", fd=fd, len=READ_MAX))
        elif action == "poll":
            self._agent.try_call("poll", fds=[fd], events=["in", "out"], timeout_ms=size % 8)
        elif action == "create":
            self._agent.try_call("rpmsg_create_ept", fd=fd, name="fuzz", src=ANY, dst=size)
        elif action == "destroy":
            self._agent.try_call("rpmsg_destroy_ept", fd=fd)
        else:
            self._control(size)

    def read_all(self) -> dict[int, int]:
        """Bytes of the longest message that was read on each link."""
        reads = [
            (number, self._agent.submit("read", fd=fd, len=READ_MAX))
            for number, link in self._links.items()
            for fd in link.fds[:1]
            for _ in range(READS)
        ]
        for number, pending in reads:
            self._read(number, pending)
        return self._longest

    def end(self) -> None:
        """Close what is open."""
        for link in self._links.values():
            for fd in link.fds:
                self._agent.submit("close", fd=fd)
        self._links = {}

    def _open(self, path: str) -> Pending:
        return self._agent.submit("open", path=path, flags=["rdwr", "nonblock"])

    def _read(self, number: int, pending: Pending) -> None:
        reply = pending.wait()
        if reply.ok:
            self._longest[number] = max(self._longest[number], int(reply["ret"]))

    def _control(self, size: int) -> None:
        """Make an endpoint through whichever control device comes first, with an address that counts."""
        found = self._agent.try_call("wait_path", path="/dev/rpmsg_ctrl*", glob=True, timeout_ms=0)
        if not found.ok:
            return
        reply = self._agent.try_call("open", path=str(found["path"]), flags=["rdwr"])
        if reply.ok:
            fd = int(reply["fd"])
            self._agent.try_call("rpmsg_create_ept", fd=fd, name="fuzz", src=ANY, dst=size)
            self._agent.try_call("close", fd=fd)
