# SPDX-License-Identifier: BSD-2-Clause
"""rpmsg-sim: starting one, and the client of its control socket (JSON-RPC 2.0, one a line)."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rpmsg_conformance import lies, processes
from rpmsg_conformance.expect import Unmet
from rpmsg_conformance.jsonlines import ConnectionLost, JsonLineConnection

#: Seconds within which rpmsg-sim has to listen, and to answer a request.
START_SECONDS = 10.0
REPLY_SECONDS = 10.0

#: Seconds an event may take when the guest has to do something for it.
EVENT_SECONDS = 10.0


class SimulatorError(Exception):
    """rpmsg-sim did not start, ended, or did not answer: the suite's own fault."""


class RpcError(Exception):
    """rpmsg-sim refused a request."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.code = code


@dataclass(frozen=True)
class Event:
    """One notification of the control socket."""

    seq: int
    time_ns: int
    type: str
    fields: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        try:
            return self.fields[name]
        except KeyError:
            raise SimulatorError(f"event {self.type} has no field '{name}'") from None

    def matches(self, fields: Mapping[str, Any]) -> bool:
        """Whether all of ``fields`` have these values here."""
        return all(self.fields.get(name) == value for name, value in fields.items())

    @property
    def payload(self) -> bytes:
        """The message's bytes after the header (events ``message`` and ``sent``)."""
        return bytes.fromhex(self["data"])

    @property
    def header(self) -> bytes:
        """The message's header as it lay in guest memory (events ``message`` and ``sent``)."""
        return bytes.fromhex(self["header"])

    def brief(self) -> str:
        """The event in a few words, for messages."""
        shown = {k: v for k, v in self.fields.items() if k not in ("data", "header")}
        return f"{self.type} {json.dumps(shown, separators=(',', ':'))}"


class SimulatorClient:
    """Client of one control socket, with every event since the subscription."""

    def __init__(self, path: Path, timeout_factor: float = 1.0) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(str(path))
        except OSError as error:
            sock.close()
            raise SimulatorError(f"control socket {path}: {error.strerror}") from error
        self._factor = timeout_factor
        self._events: list[Event] = []
        self._replies: dict[int, dict[str, Any]] = {}
        self._next_id = 1
        self._connection = JsonLineConnection(sock, "rpmsg-sim control socket", self._receive)

    def close(self) -> None:
        """Close the connection; the events stay readable."""
        self._connection.close()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call ``method`` and return its result. Raises RpcError and SimulatorError."""
        request_id = self._next_id
        self._next_id += 1
        request = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        try:
            self._connection.send(request)
            reply = self._connection.wait_for(
                lambda: self._replies.pop(request_id, None), REPLY_SECONDS * self._factor
            )
        except ConnectionLost as error:
            raise SimulatorError(f"{method}: {error}") from error
        if reply is None:
            raise SimulatorError(f"{method}: no reply within {REPLY_SECONDS * self._factor:g} s")
        if "error" in reply:
            error_object = reply["error"]
            raise RpcError(method, int(error_object["code"]), str(error_object["message"]))
        result = reply.get("result")
        if not isinstance(result, dict):
            raise SimulatorError(f"{method}: the reply holds neither result nor error")
        return result

    def subscribe(self, types: Sequence[str] | None = None) -> None:
        """Receive events from now on: those of ``types``, or all."""
        if types is None:
            self.call("events")
        else:
            self.call("events", types=list(types))

    def subscribe_to_little(self) -> None:
        """Receive no more events but those that cases cannot do without, for very many messages."""
        self.subscribe([])
        self.subscribe(["connected", "disconnected", "driver_ok", "violation", "reset"])

    def announce(self, name: str, kind: str = "echo", addr: int | None = None) -> dict[str, Any]:
        """Create a service endpoint and announce it to the host."""
        params: dict[str, Any] = {"name": name, "kind": kind}
        if addr is not None:
            params["addr"] = addr
        return self.call("announce", **params)

    def withdraw(self, name: str, addr: int | None = None) -> dict[str, Any]:
        """Withdraw a service and remove its endpoint."""
        return self.call("withdraw", name=name, **({} if addr is None else {"addr": addr}))

    def send(self, *, src: int, dst: int, data: bytes, **overrides: int) -> bool:
        """Send one message to the host; ``overrides`` are header fields and the used length.

        Returns False when it was sent at once and True when it waits for a buffer.
        """
        result = self.call("send", src=src, dst=dst, data=data.hex(), **overrides)
        return bool(result["queued"])

    def hold(self, queue: int, count: int | None = None) -> None:
        """Stop returning buffers of queue 1, or stop taking buffers of queue 0."""
        self.call("hold", queue=queue, **({} if count is None else {"count": count}))

    def release(self, queue: int, count: int | None = None) -> int:
        """Return the ``count`` oldest held buffers, or all and stop holding; returns how many."""
        result = self.call("release", queue=queue, **({} if count is None else {"count": count}))
        return int(result["released"])

    def stats(self) -> dict[str, Any]:
        """Counters and state."""
        return lies.counters(self.call("stats"))

    def mark(self) -> int:
        """A position behind every event that has happened, for events() and wait_event()."""
        self._catch_up()
        with self._connection.changed:
            return len(self._events)

    def events(self, type: str | None = None, since: int = 0, **fields: Any) -> list[Event]:
        """All events that have happened after ``since``, of this type and with these values."""
        self._catch_up()
        found = [e for e in self._seen(since) if type in (None, e.type) and e.matches(fields)]
        return [] if lies.told == lies.NO_EVENTS else [_as_told(event) for event in found]

    def wait_event(
        self,
        type: str,
        *,
        since: int = 0,
        timeout: float = EVENT_SECONDS,
        where: Callable[[Event], bool] | None = None,
        expected: str | None = None,
        **fields: Any,
    ) -> Event:
        """The first event after ``since`` that fits; waits for it if it has not happened yet.

        ``timeout`` is in seconds, before scaling. Raises Unmet when it passes (the target did not
        do what the event shows; ``expected`` says it in words) and SimulatorError.
        """
        return self.wait_events(
            1, type, since=since, timeout=timeout, where=where, expected=expected, **fields
        )[0]

    def wait_events(
        self,
        count: int,
        type: str,
        *,
        since: int = 0,
        timeout: float = EVENT_SECONDS,
        where: Callable[[Event], bool] | None = None,
        expected: str | None = None,
        **fields: Any,
    ) -> list[Event]:
        """The first ``count`` events after ``since`` that fit; see wait_event()."""
        found: list[Event] = []
        position = since

        def enough() -> list[Event] | None:
            nonlocal position
            for event in self._events[position:]:
                if event.type == type and event.matches(fields) and (not where or where(event)):
                    found.append(event)
            position = len(self._events)
            return found[:count] if len(found) >= count else None

        scaled = timeout * self._factor
        try:
            result = self._connection.wait_for(enough, scaled)
        except ConnectionLost as error:
            raise SimulatorError(f"waiting for {type}: {error}") from error
        if result is None:
            last = [event.brief() for event in self._seen(since)[-5:]]
            wanted = expected or f"event {type} {dict(fields) or ''}".rstrip()
            raise Unmet(
                wanted if count == 1 else f"{count} times {wanted}",
                f"{len(found)} within {scaled:g} s; last events: {'; '.join(last) or 'none'}",
            )
        return [_as_told(event) for event in result]

    def history(self) -> list[Event]:
        """Every event that was received so far, also after close()."""
        return self._seen()

    def write_events(self, path: Path) -> None:
        """Write all events that were received as JSON lines."""
        lines = [
            json.dumps({"seq": e.seq, "time_ns": e.time_ns, "type": e.type, **e.fields})
            for e in self._seen()
        ]
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")

    def _catch_up(self) -> None:
        """Receive every event that has happened by now: they come in order with the replies."""
        if self._connection.lost is None:
            self.call("stats")

    def _seen(self, since: int = 0) -> list[Event]:
        with self._connection.changed:
            return self._events[since:]

    def _receive(self, message: dict[str, Any]) -> None:
        if message.get("method") == "event":
            params = dict(message["params"])
            self._events.append(
                Event(
                    seq=params.pop("seq"),
                    time_ns=params.pop("time_ns"),
                    type=params.pop("type"),
                    fields=params,
                )
            )
        elif isinstance(message.get("id"), int):
            self._replies[message["id"]] = message
        else:
            raise ValueError(f"neither an event nor a reply: {str(message)[:120]}")


def _as_told(event: Event) -> Event:
    """An event as a case gets to see it: as it was, unless the case is lied to."""
    if lies.told is None:
        return event
    return replace(event, fields=lies.event(event.type, event.fields))


class Simulator:
    """One running rpmsg-sim, with its sockets in ``folder`` and its log in ``log``."""

    def __init__(
        self,
        program: Path,
        folder: Path,
        log: Path,
        services: Sequence[str] = (),
        options: Sequence[str] = (),
        timeout_factor: float = 1.0,
    ) -> None:
        self.socket_path = folder / "vhost.sock"
        self.log = log
        control_path = folder / "control.sock"
        read_end, write_end = os.pipe()
        argv = [str(program), "--socket-path", str(self.socket_path)]
        argv += ["--control-path", str(control_path), "--ready-fd", str(write_end)]
        for service in services:
            argv += ["--service", service]
        argv += options
        try:
            with log.open("wb") as log_file:
                self._child = processes.spawn(
                    argv,
                    name="rpmsg-sim",
                    stdout=log_file,
                    stderr=log_file,
                    pass_fds=(write_end,),
                    death_signal=signal.SIGTERM,
                )
        except OSError as error:
            os.close(read_end)
            raise SimulatorError(f"cannot start {program}: {error.strerror}") from error
        finally:
            os.close(write_end)
        try:
            self._await_ready(read_end, START_SECONDS * timeout_factor)
            self.control = SimulatorClient(control_path, timeout_factor)
            self.control.subscribe()
        except BaseException:
            self._child.stop()
            raise
        finally:
            os.close(read_end)

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._child.running

    @property
    def pid(self) -> int:
        """Process ID."""
        return self._child.pid

    def describe_end(self) -> str:
        """How the process ended, with the last lines of its log."""
        return f"{self._child.describe_end()}; {self.log_tail()}"

    def log_tail(self, lines: int = 5) -> str:
        """The last lines of the log."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return " | ".join(text.splitlines()[-lines:]) or "its log is empty"

    def stop(self) -> int | None:
        """End it and close the control connection; its exit status, None when a signal ended it."""
        self.control.close()
        self._child.stop()
        status = self._child.process.returncode
        return status if status >= 0 else None

    def _await_ready(self, descriptor: int, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        received = b""
        while not received.endswith(b"\n"):
            ready = processes.wait_readable(
                descriptor, self._child, deadline - time.monotonic()
            )
            data = os.read(descriptor, 64) if ready else b""
            if not data:
                # The pipe's end of file can be seen a moment before the process can be reaped.
                self._child.wait(1.0)
                raise SimulatorError(
                    f"rpmsg-sim did not get ready within {timeout:g} s: {self.describe_end()}"
                )
            received += data
        if received != b"ready\n":
            raise SimulatorError(f"rpmsg-sim wrote {received!r} to --ready-fd, not 'ready'")


def decode_header(header: bytes) -> dict[str, int]:
    """Fields of a 16-byte message header in little-endian order (protocol, section 1.2)."""
    names = ("src", "dst", "reserved", "len", "flags")
    return dict(zip(names, struct.unpack("<IIIHH", header), strict=True))
