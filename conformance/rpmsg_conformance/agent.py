# SPDX-License-Identifier: BSD-2-Clause
"""Client of the guest agent (conformance/agent): system calls in the guest, one JSON line each."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from rpmsg_conformance import ioctl_numbers, lies
from rpmsg_conformance.expect import GuestDied, GuestWedged, Unmet, shorten
from rpmsg_conformance.jsonlines import ConnectionLost, JsonLineConnection

PROTOCOL_VERSION = 1

#: How often a thread is looked at that is about to sleep.
SLEEP_LOOKS = 2000

#: How many messages of a series the agent is asked for at once.
READS_AT_ONCE = 8

#: Seconds within which a command that does not block has to be answered.
REPLY_SECONDS = 15.0

#: The same for an agent that has left a command without an answer, and was silent since.
SILENT_SECONDS = 1.0


class AgentProtocolError(Exception):
    """The agent answered with something that is not in its protocol: the suite's own fault."""


class Reply:
    """What the guest answered to one command: either its result, or an errno."""

    def __init__(self, command: str, message: dict[str, Any]) -> None:
        self.command = command
        self.message = message
        self.ok = bool(message.get("ok"))

    def __getitem__(self, name: str) -> Any:
        try:
            return self.message[name]
        except KeyError:
            raise AgentProtocolError(f"{self.command}: the reply has no '{name}'") from None

    @property
    def errno(self) -> str | None:
        """Name of the errno, its number in digits when it has no name; None for a success."""
        return None if self.ok else str(self["errno"])

    @property
    def seconds(self) -> float:
        """Duration of the system call in the guest."""
        return float(self["t1"] - self["t0"]) / 1e9

    def describe(self) -> str:
        """The outcome in words."""
        if self.ok:
            shown = {
                k: v for k, v in self.message.items() if k not in ("id", "ok", "t0", "t1")
            }
            return f"{self.command} succeeded {shorten(json.dumps(shown))}"
        return f"{self.command} failed with errno {self.errno}: {self.message.get('error', '')}"

    def expect_success(self) -> Reply:
        """This reply, if it is a success. Raises Unmet."""
        if not self.ok:
            raise Unmet(f"{self.command} succeeds", self.describe())
        return self

    def expect_errno(self, *names: str) -> Reply:
        """This reply, if it failed with one of these errno names. Raises Unmet."""
        if self.errno not in names:
            raise Unmet(f"{self.command} fails with {' or '.join(names)}", self.describe())
        return self


class Pending:
    """A command that was sent and whose answer may come later."""

    def __init__(self, client: AgentClient, request_id: int, command: str) -> None:
        self._client = client
        self._id = request_id
        self.command = command

    def poll(self) -> Reply | None:
        """The answer if it has come, without waiting."""
        return self._client.take_reply(self._id, self.command)

    def wait(self, timeout: float = REPLY_SECONDS) -> Reply:
        """The answer; ``timeout`` in seconds, before scaling. Raises GuestWedged, GuestDied."""
        return self._client.wait_reply(self._id, self.command, timeout)


class AgentClient:
    """One connection to an agent.

    Commands without a worker are run by the agent at once and in order; a command with a worker
    (1 to 15) runs in that thread of the agent, so that one that blocks does not stop the others.
    """

    def __init__(
        self, sock: socket.socket, transcript: Path | None = None, timeout_factor: float = 1.0
    ) -> None:
        self._factor = timeout_factor
        self._ids = itertools.count(1)
        self._hello: dict[str, Any] | None = None
        self._silent = False
        self._replies: dict[int, dict[str, Any]] = {}
        self._nonblocking: set[int] = set()
        """Descriptors on which no read() waits."""
        self._transcript = transcript.open("w", encoding="utf-8") if transcript else None
        self._started = time.monotonic()
        self._connection = JsonLineConnection(sock, "guest agent", self._receive)

    def wait_hello(self, timeout: float) -> dict[str, Any] | None:
        """The agent's first message, or None when it does not come within ``timeout`` seconds."""
        try:
            hello = self._connection.wait_for(lambda: self._hello, timeout * self._factor)
        except ConnectionLost as error:
            raise GuestDied(str(error)) from error
        if hello is not None and hello.get("version") != PROTOCOL_VERSION:
            raise AgentProtocolError(
                f"the agent speaks version {hello.get('version')} of its protocol, "
                f"this program {PROTOCOL_VERSION}: take the agent of this build"
            )
        return hello

    @property
    def greeted(self) -> bool:
        """Whether the agent has sent its first message, since forget_hello() if that was called."""
        return self._hello is not None

    def forget_hello(self) -> None:
        """The agent is about to start anew: the next hello is another one's."""
        self._hello = None

    def scale_timeouts(self, factor: float) -> None:
        """Scale all timeouts by another factor from now on."""
        self._factor = factor

    def submit(self, command: str, worker: int | None = None, **params: Any) -> Pending:
        """Send a command without waiting for its answer. Raises GuestDied."""
        request_id = next(self._ids)
        request: dict[str, Any] = {"id": request_id, "cmd": command, **params}
        if worker is not None:
            request["worker"] = worker
        if command in ("close", "fcntl_nonblock"):
            self._nonblocking.discard(params["fd"])
        self._record(">", request)
        try:
            self._connection.send(request)
        except ConnectionLost as error:
            raise GuestDied(f"{command}: {error}") from error
        return Pending(self, request_id, command)

    def try_call(self, command: str, timeout: float = REPLY_SECONDS, **params: Any) -> Reply:
        """Run a command and return its answer, a success or an errno."""
        return self.submit(command, **params).wait(timeout)

    def call(self, command: str, timeout: float = REPLY_SECONDS, **params: Any) -> Reply:
        """Run a command that has to succeed. Raises Unmet when the guest reports an errno."""
        return self.try_call(command, timeout, **params).expect_success()

    def open(self, path: str, *flags: str) -> int:
        """Open a file of the guest (default: rdwr and nonblock); returns its descriptor there."""
        wanted = flags or ("rdwr", "nonblock")
        fd = int(self.call("open", path=path, flags=list(wanted))["fd"])
        if "nonblock" in wanted:
            self._nonblocking.add(fd)
        return fd

    def close_fd(self, fd: int) -> None:
        """Close a descriptor of the guest."""
        self.call("close", fd=fd)

    def write(self, fd: int, data: bytes) -> Reply:
        """write(2) in the guest."""
        return self.try_call("write", fd=fd, data=data.hex())

    def read(self, fd: int, length: int = 512) -> Reply:
        """read(2) in the guest."""
        return self.try_call("read", fd=fd, len=length)

    def begin(self, command: str, worker: int, **params: Any) -> Pending:
        """Start a call that has to wait, and return once its thread sleeps in the kernel.

        Raises Unmet when the call ends instead.
        """
        pending = self.submit(command, worker=worker, **params)
        for _ in range(SLEEP_LOOKS):
            early = pending.poll()
            if early is not None:
                raise Unmet(f"{command} waits", early.describe())
            if self.asleep(worker):
                return pending
        raise Unmet(f"{command} sleeps in the kernel", "it neither sleeps nor ends")

    def asleep(self, worker: int) -> bool:
        """Whether a worker's thread sleeps in the system call of its command."""
        state = self.worker_state(worker)
        return bool(state.get("in_call")) and state.get("state") in ("S", "D")

    def worker_state(self, worker: int) -> dict[str, Any]:
        """What the agent says of one of its workers; empty when it was never used."""
        for state in self.call("workers")["workers"]:
            if state["worker"] == worker:
                return dict(state)
        return {}

    def signal(self, worker: int, restart: bool = False) -> None:
        """Send a signal that is handled to a worker, with or without SA_RESTART."""
        reply = self.call("signal", worker=worker, restart=restart)
        if not reply["in_call"]:
            raise AgentProtocolError(f"worker {worker} was in no system call when signalled")

    def poll_now(self, fd: int, *events: str) -> list[str]:
        """Names of the events that poll() reports at once for a descriptor."""
        reply = self.call("poll", fds=[fd], events=list(events or ("in", "out")), timeout_ms=0)
        return sorted(str(name) for name in reply["revents"][0])

    @property
    def byte_order(self) -> Literal["little", "big"]:
        """Of the integers in structs that are given to the guest's kernel."""
        return "big" if (self._hello or {}).get("byte_order") == "big" else "little"

    def scaled_ms(self, seconds: float) -> int:
        """A time for the guest to wait, in ms, as much longer as all deadlines are."""
        return int(seconds * self._factor * 1000)

    def ioctl_number(self, usual: int) -> int:
        """The guest's number of an ioctl that has the number ``usual`` on most machines."""
        return ioctl_numbers.on_machine(usual, str((self._hello or {}).get("machine")))

    def ioctl(self, fd: int, request: int, **params: Any) -> Reply:
        """ioctl(2) with ``arg`` (a number), ``data`` (hex) or ``bad_pointer``.

        ``request`` as on most machines.
        """
        return self.try_call("ioctl", fd=fd, request=self.ioctl_number(request), **params)

    def poll_in(self, fd: int, timeout: float) -> bool:
        """Wait in the guest until the descriptor is readable; ``timeout`` in seconds."""
        reply = self._submit_poll_in(fd, timeout).wait(timeout + REPLY_SECONDS)
        return bool(reply.expect_success()["ret"])

    def _submit_poll_in(self, fd: int, timeout: float) -> Pending:
        milliseconds = int(timeout * self._factor * 1000)
        return self.submit("poll", fds=[fd], events=["in"], timeout_ms=milliseconds)

    def receive(self, fd: int, timeout: float = 5.0) -> bytes:
        """Wait for a message and read it. Raises Unmet when none comes within ``timeout``."""
        wait = self._submit_poll_in(fd, timeout)
        # The agent does one after the other; told both at once it need not wait for this side.
        early = self.submit("read", fd=fd, len=512) if fd in self._nonblocking else None
        came = bool(wait.wait(timeout + REPLY_SECONDS).expect_success()["ret"])
        read = early.wait() if early is not None else None
        if not came:
            raise Unmet(
                "a message arrives in the guest", f"none within {timeout * self._factor:g} s"
            )
        return bytes.fromhex((read or self.read(fd)).expect_success()["data"])

    def receive_all(self, fd: int, count: int, timeout: float = 5.0) -> list[bytes]:
        """Wait for so many messages and read them. Raises Unmet when one takes above ``timeout``."""
        if fd not in self._nonblocking:
            return [self.receive(fd, timeout) for _ in range(count)]
        got: list[bytes] = []
        while len(got) < count:
            # As in receive(), and some of them together.
            begun = [
                (self._submit_poll_in(fd, timeout), self.submit("read", fd=fd, len=512))
                for _ in range(min(READS_AT_ONCE, count - len(got)))
            ]
            for wait, read in begun:
                came = wait.wait(timeout + REPLY_SECONDS).expect_success()["ret"]
                reply = read.wait()
                if not came:
                    raise Unmet(
                        f"{count} messages arrive in the guest",
                        f"{len(got)}, and none within {timeout * self._factor:g} s more",
                    )
                got.append(bytes.fromhex(reply.expect_success()["data"]))
        return got

    def wait_path(
        self, path: str, present: bool = True, timeout: float = 5.0, glob: bool = False
    ) -> bool:
        """Wait in the guest until a path exists, or until it does not (``present`` False).

        With ``glob`` the last component is a pattern, and any match will do.
        """
        reply = self.try_call(
            "wait_path",
            timeout + REPLY_SECONDS,
            path=path,
            present=present,
            glob=glob,
            timeout_ms=int(timeout * self._factor * 1000),
        )
        if reply.errno == "ETIMEDOUT":
            return False
        reply.expect_success()
        return True

    def expect_path(self, path: str, timeout: float = 5.0) -> None:
        """Wait in the guest until a path exists. Raises Unmet."""
        if not self.wait_path(path, True, timeout):
            raise Unmet(f"{path} appears", f"not there after {timeout * self._factor:g} s")

    def expect_no_path(self, path: str, timeout: float = 5.0) -> None:
        """Wait in the guest until a path does not exist. Raises Unmet."""
        if not self.wait_path(path, False, timeout):
            raise Unmet(f"{path} disappears", f"still there after {timeout * self._factor:g} s")

    def entries(self, path: str) -> list[str]:
        """Names in a folder of the guest; an empty list when the folder does not exist."""
        reply = self.try_call("list", path=path)
        if reply.errno == "ENOENT":
            return []
        return sorted(reply.expect_success()["entries"])

    def exists(self, path: str) -> bool:
        """Whether a path exists in the guest."""
        return self.wait_path(path, timeout=0.0)

    def file_text(self, path: str) -> str:
        """Content of a sysfs file of the guest, without the newline at its end."""
        return str(self.call("sysfs_read", path=path)["data"]).rstrip("\n")

    def write_file(self, path: str, text: str) -> Reply:
        """Write a text into a file of the guest."""
        return self.try_call("file_write", path=path, data=text)

    def channels(self, device: str) -> list[dict[str, Any]]:
        """The channels on one virtio device, as sysfs shows them."""
        listed: Sequence[dict[str, Any]] = self.call("channels")["channels"]
        return [c for c in listed if str(c["device"]).startswith(device + ".")]

    def dmesg(self, since: int | None = None) -> tuple[list[str], int]:
        """Lines of the kernel log from the mark ``since`` on, and the mark of its end."""
        reply = self.call("dmesg", **({} if since is None else {"since": since}))
        lines = [
            f"[{line['time_us'] / 1e6:12.6f}] <{line['level']}> {line['text']}"
            for line in reply["lines"]
        ]
        return lines, int(reply["mark"])

    @property
    def lost(self) -> str | None:
        """Why the connection is over, or None."""
        return self._connection.lost

    def take_reply(self, request_id: int, command: str) -> Reply | None:
        """The answer with this ID if it has come."""
        with self._connection.changed:
            message = self._replies.pop(request_id, None)
        return None if message is None else Reply(command, lies.reply(command, message))

    def wait_reply(self, request_id: int, command: str, timeout: float) -> Reply:
        """See Pending.wait()."""
        scaled = (min(timeout, SILENT_SECONDS) if self._silent else timeout) * self._factor
        try:
            message = self._connection.wait_for(
                lambda: self._replies.pop(request_id, None), scaled
            )
        except ConnectionLost as error:
            raise GuestDied(f"{command}: {error}") from error
        if message is None:
            self._silent = True
            raise GuestWedged(f"{command}: the guest agent did not answer within {scaled:g} s")
        return Reply(command, lies.reply(command, message))

    def close(self) -> None:
        """Close the connection and the transcript."""
        self._connection.close()
        if self._transcript is not None:
            self._transcript.close()
            self._transcript = None

    def _receive(self, message: dict[str, Any]) -> None:
        self._record("<", message)
        self._silent = False
        if "hello" in message:
            self._hello = message
        elif isinstance(message.get("id"), int):
            self._replies[message["id"]] = message
        else:
            raise ValueError(f"an answer without an ID: {str(message)[:120]}")

    def _record(self, direction: str, message: dict[str, Any]) -> None:
        if self._transcript is not None:
            seconds = time.monotonic() - self._started
            self._transcript.write(f"{seconds:10.6f} {direction} {json.dumps(message)}\n")
            self._transcript.flush()
