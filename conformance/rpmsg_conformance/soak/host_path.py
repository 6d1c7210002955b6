# SPDX-License-Identifier: BSD-2-Clause
"""rpmsg-host against rpmsg-sim: two processes and a socket."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rpmsg_conformance import processes
from rpmsg_conformance.jsonlines import ConnectionLost, JsonLineConnection
from rpmsg_conformance.sim import RpcError, Simulator, SimulatorError
from rpmsg_conformance.soak.counts import Totals
from rpmsg_conformance.soak.path import LinkPath, SoakFailure
from rpmsg_conformance.soak.plan import Event, Kind

#: The service that echoes, and the one that sends by itself as fast as it finds buffers.
SERVICES = ("echo", "flow=source,rate=4294967295,size=200")

#: Seconds that rpmsg-host waits for something before it gives up.
PATIENCE = 10

#: Seconds within which traffic has to go on after a break.
RESUME_SECONDS = 20.0

#: What is done to the link. Holds and pauses are shorter than any sensible limit for late echoes.
KINDS = (
    Kind("hold", 4, queue=True, milliseconds=(5, 200)),
    Kind("pause", 3, milliseconds=(5, 200)),
    Kind("reconnect", 4),
    Kind("reset", 4),
    Kind("drop", 4),
    Kind("crash", 4, milliseconds=(0, 100)),
    Kind("restart-remote", 2, ends_process=True),
    Kind("kill-remote", 2, ends_process=True),
    Kind("kill-host", 2, ends_process=True),
)

#: How rpmsg-host says that a session ended which it was told to end so.
ASKED = {"reconnect": "reconnect", "reset": "reset", "drop": "drop"}


class Host:
    """One running ``rpmsg-host soak``; its commands are lines on its standard input."""

    def __init__(self, argv: Sequence[str], log: Path) -> None:
        ours, theirs = socket.socketpair()
        read_end, self._input = os.pipe()
        self.latest: dict[str, Any] = {}
        self.summary: dict[str, Any] | None = None
        self.begun = 0
        self.ended: list[str] = []
        try:
            with log.open("ab") as log_file:
                self._child = processes.spawn(
                    argv, name="rpmsg-host", stdin=read_end, stdout=theirs.fileno(), stderr=log_file
                )
        finally:
            os.close(read_end)
            theirs.close()
        self._connection = JsonLineConnection(ours, "rpmsg-host", self._receive)

    @property
    def pid(self) -> int:
        """Process ID."""
        return self._child.pid

    def tell(self, command: str) -> None:
        """Give it a command. Raises SoakFailure when it has ended."""
        try:
            os.write(self._input, command.encode() + b"\n")
        except OSError as error:
            raise SoakFailure(f"rpmsg-host has ended: {self._child.describe_end()}") from error

    def await_begun(self, count: int) -> None:
        """Wait until so many sessions have begun. Raises SoakFailure."""
        self._await(lambda: self.begun >= count or None, "traffic goes on")

    def await_summary(self) -> int:
        """Wait for its end; returns its exit status. Raises SoakFailure."""
        self._await(lambda: self.summary, "rpmsg-host ends")
        status = self._child.wait(PATIENCE)
        if status is None:
            raise SoakFailure("rpmsg-host did not end")
        return status

    def idle(self, until: float) -> None:
        """Wait until this time (monotonic). Raises SoakFailure when it ends."""
        try:
            self._connection.wait_for(lambda: None, max(0.0, until - time.monotonic()))
        except ConnectionLost as error:
            raise self._gone() from error

    def kill(self) -> None:
        """End it as a power failure would."""
        os.kill(self.pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """End it and let go of everything."""
        self._child.stop()
        self._connection.close()
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def _await(self, condition: Any, what: str) -> None:
        try:
            if self._connection.wait_for(condition, RESUME_SECONDS) is None:
                raise SoakFailure(f"waited {RESUME_SECONDS:g} s in vain until {what}")
        except ConnectionLost as error:
            raise self._gone() from error

    def _gone(self) -> SoakFailure:
        self._child.wait(1.0)
        return SoakFailure(f"rpmsg-host has ended: {self._child.describe_end()}")

    def _receive(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "begin":
            self.begun += 1
        elif kind == "session":
            self.ended.append(str(message["end"]))
        elif kind in ("progress", "summary"):
            self.latest = message
            if kind == "summary":
                self.summary = message


class HostPath(LinkPath):
    """The path through rpmsg-host."""

    name = "rpmsg-host"
    kinds = KINDS
    gap = (0.4, 5.0)

    def __init__(
        self,
        programs: Path,
        folder: Path,
        seed: int,
        late: float,
        sim_options: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._programs = programs
        self._folder = folder
        self._seed = seed
        self._late = late
        self._sim_options = tuple(sim_options)
        self._sockets = processes.temporary_folder()
        self._simulator: Simulator | None = None
        self._host: Host | None = None
        self._hosts = 0
        self._ended_hosts = Totals()
        self._sessions = 0
        self.notes = {"sessions": 0, "findings": {}}

    @property
    def simulator(self) -> Simulator:
        """The remote that runs."""
        assert self._simulator is not None
        return self._simulator

    @property
    def host(self) -> Host:
        """The host that runs."""
        assert self._host is not None
        return self._host

    def start(self) -> None:
        """Start both programs and wait for the first session."""
        self._start_remote()
        self._start_host()

    def wait(self, until: float) -> None:
        """The two programs need nobody for it."""
        self.host.idle(until)
        self._judge_ends([])

    def totals(self) -> Totals:
        """Those of hosts that have ended, and the last that the present one has told."""
        totals = self._ended_hosts.copy()
        totals.add({name: self.host.latest.get(name, {}) for name in ("echo", "source")})
        return totals

    def do(self, event: Event) -> None:
        """See LinkPath."""
        name, seconds = event.kind.name, event.milliseconds / 1e3
        try:
            if name == "hold":
                self.simulator.control.hold(event.queue)
                self.host.idle(time.monotonic() + seconds)
                self.simulator.control.release(event.queue)
            elif name == "pause":
                self.host.tell(f"pause {event.milliseconds}")
                self.host.idle(time.monotonic() + seconds)
            elif name == "kill-host":
                self._replace_host()
            else:
                self._break_off(name, event.milliseconds)
        except (SimulatorError, RpcError) as error:
            raise SoakFailure(f"{name}: {error}; {self.simulator.describe_end()}") from error

    def finish(self) -> None:
        """Have the host wait for all answers, and end both."""
        self.host.tell("end")
        status = self.host.await_summary()
        self._sessions += self.host.begun
        self._judge_ends(["finished"])
        assert self.host.summary is not None
        self.notes["latency_us"] = self.host.summary["latency_us"]
        self._note_findings(self.host.summary)
        if status != 0:
            self.problems.append(f"rpmsg-host exited with status {status}: see {self._log}")
        self._end_remote()

    def close(self) -> None:
        """See LinkPath."""
        if self._host is not None:
            self._host.close()
        if self._simulator is not None:
            self._simulator.stop()
        processes.remove_folder(self._sockets)
        self.notes["sessions"] = self._sessions

    @property
    def _log(self) -> Path:
        return self._folder / "rpmsg-host.log"

    def _start_remote(self) -> None:
        options = ["--log-level", "error", "--seed", str(self._seed % 2**32), *self._sim_options]
        self._simulator = Simulator(
            self._programs / "rpmsg-sim",
            self._sockets,
            self._folder / "rpmsg-sim.log",
            SERVICES,
            options,
        )
        # Millions of messages a second are more than a control socket has to tell.
        self._simulator.control.subscribe_to_little()
        self.born("rpmsg-sim", self._simulator.pid)

    def _end_remote(self) -> None:
        status = self.simulator.stop()
        self._simulator = None
        if status != 0:
            self.problems.append(f"rpmsg-sim ended with status {status}")

    def _start_host(self) -> None:
        argv = [str(self._programs / "rpmsg-host"), "--json"]
        argv += ["--socket-path", str(self.simulator.socket_path), "--timeout", str(PATIENCE)]
        argv += ["soak", "echo", "--source", "flow", "--late", str(self._late)]
        argv += ["--seed", str((self._seed + self._hosts) % 2**63)]
        self._hosts += 1
        self._host = Host(argv, self._log)
        self.born("rpmsg-host", self._host.pid)
        self._host.await_begun(1)

    def _replace_host(self) -> None:
        host = self.host
        host.kill()
        # What it did since it told the last time, a second at the most, is counted nowhere; what
        # was on its way then nobody can tell any more.
        self._sessions += host.begun
        self._ended_hosts.add({name: host.latest.get(name, {}) for name in ("echo", "source")})
        echo = self._ended_hosts.stream("echo")
        echo.in_flight += echo.unaccounted
        self._start_host()

    def _break_off(self, name: str, milliseconds: int) -> None:
        before = self.host.begun
        if name in ASKED:
            self.host.tell(name)
        elif name == "crash":
            self.simulator.control.call("crash", down_ms=milliseconds)
        elif name == "restart-remote":
            self._end_remote()
            self._start_remote()
        else:
            os.kill(self.simulator.pid, signal.SIGKILL)
            self.simulator.stop()
            self._start_remote()
        self.host.await_begun(before + 1)
        self._judge_ends([ASKED.get(name, "lost")])

    def _judge_ends(self, expected: Sequence[str]) -> None:
        """Sessions have to have ended just so since the last look."""
        ended, self.host.ended = self.host.ended, []
        if ended != list(expected):
            self.problems.append(
                f"sessions ended as {ended or 'none'} where the plan had {list(expected) or 'none'}"
            )

    def _note_findings(self, summary: dict[str, Any]) -> None:
        findings = dict(summary.get("findings", {}))
        self.notes["findings"] = findings
        if findings:
            self.problems.append(f"rpmsg-host found: {findings}; see {self._log}")
