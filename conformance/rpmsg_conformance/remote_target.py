# SPDX-License-Identifier: BSD-2-Clause
"""The target of ``rpmsg-conform remote``: a back-end behind a socket, started by us or running.

It opens connections for cases, finds out which service echoes, notices when the remote ended or
stopped serving, and starts it again if it was started from here.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

import pytest

from rpmsg_conformance import capture, processes
from rpmsg_conformance.expect import (
    Blocked,
    TargetDied,
    TargetUnreachable,
    TargetWedged,
    Unmet,
)
from rpmsg_conformance.processes import Child
from rpmsg_conformance.remote_host import EchoService, RemoteHost
from rpmsg_conformance.results import CAPTURE, Evidence
from rpmsg_conformance.verdicts import Outcome
from rpmsg_conformance.virtio import trace_text
from rpmsg_conformance.virtio.config import Config
from rpmsg_conformance.virtio.host import LOCAL_ADDR
from rpmsg_conformance.virtio.errors import (
    NotOffered,
    PeerClosed,
    PeerError,
    PeerTimeout,
    Refused,
    ReplyMalformed,
    RingBroken,
    Unreachable,
)
from rpmsg_conformance.virtio.trace import Trace

#: Seconds a remote may take from its start to its socket, and to leave once it broke a connection.
START_SECONDS: Final = 10.0
_LEAVE_SECONDS: Final = 1.0

#: Seconds in which a service has to be announced, and to answer the probe.
DISCOVERY_SECONDS: Final = 2.0

#: What sanitizers write before they say what they have found.
_SANITIZER: Final = re.compile(
    rb"ERROR: (Address|Thread|Memory|Leak)Sanitizer|WARNING: (Thread|Memory)Sanitizer|"
    rb": runtime error: |SUMMARY: \w+Sanitizer"
)

_CONSOLE_LINES: Final = 30

#: Of an exchange that failed before the first case, or after the last one, so many are told.
_SANITY_LINES: Final = 12

#: The host of the exchange that shows that a remote serves. Filling rings of the usual size would
#: take longer than all the rest of it.
_EXCHANGE: Final = Config(ring_sizes=(16, 16))

#: What a case rests on, for the message when the peer ends it in this way.
_EXPECTED: Final[tuple[tuple[type[PeerError], str], ...]] = (
    (PeerClosed, "the connection to stay open"),
    (Refused, "the request to be accepted"),
    (ReplyMalformed, "a well-formed reply"),
    (RingBroken, "a used ring that can be followed"),
    (PeerTimeout, "an answer in time"),
)


class LaunchError(Exception):
    """The command of --launch cannot be used."""


def parse_launch(command: str) -> list[str]:
    """The words of --launch. Raises LaunchError."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise LaunchError(f"--launch '{command}': {error}") from error
    if not words:
        raise LaunchError("--launch: the command is empty")
    if not any("{socket}" in word for word in words):
        raise LaunchError(f"--launch '{command}': write {{socket}} where the socket's path goes")
    if shutil.which(words[0]) is None:
        raise LaunchError(f"--launch '{command}': there is no program '{words[0]}'")
    return words


class RemoteTarget:
    """One remote. Either ``socket`` or ``launch`` (the words of a command) is given.

    ``echo_name`` or ``echo_addr`` say which service echoes; otherwise it is looked for. Files go
    into ``folder``; ``say`` tells the user what happens outside of the cases.
    """

    def __init__(
        self,
        *,
        socket: Path | None,
        launch: Sequence[str] | None,
        echo_name: str | None,
        echo_addr: int | None,
        folder: Path | None,
        timeout_factor: float = 1.0,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.launch = list(launch) if launch is not None else None
        self.timeout_factor = timeout_factor
        self.say = say
        self.folder = folder
        self.echo: EchoService | None = None
        self.no_echo = "no service was looked for yet"
        self.starts = 0
        self.offered = 0
        self.protocol_offered = 0
        #: Set when a case has already said that the remote ended or no longer serves.
        self.damaged = False
        self._echo_name = echo_name
        self._echo_addr = echo_addr
        self._socket_folder: Path | None = None
        self._given = socket
        self._child: Child | None = None
        self._log: IO[bytes] | None = None
        self.log_path: Path | None = None
        self._log_seen = 0
        self.hosts: list[RemoteHost] = []
        #: What passed since the present case began.
        self.trace = Trace()
        self._last_words: list[str] = []

    # --- the process --------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """The socket."""
        if self._given is not None:
            return self._given
        if self._socket_folder is None:
            self._socket_folder = processes.temporary_folder()
        return self._socket_folder / "remote.sock"

    @property
    def pid(self) -> int | None:
        """Process ID of a remote that was started from here."""
        return None if self._child is None else self._child.pid

    def _start(self) -> None:
        assert self.launch is not None
        self.starts += 1
        self.path.unlink(missing_ok=True)
        folder = self.folder if self.folder is not None else self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        self.log_path = folder / f"remote-{self.starts}.log"
        self.log_path.unlink(missing_ok=True)
        self._log = self.log_path.open("ab")
        self._log_seen = 0
        argv = [word.replace("{socket}", str(self.path)) for word in self.launch]
        try:
            self._child = processes.spawn(
                argv, name=Path(argv[0]).name, stdout=self._log, stderr=self._log
            )
        except OSError as error:
            raise TargetUnreachable(f"{argv[0]} cannot be started: {error.strerror}") from error
        if self.starts > 1:
            self.say(f"started the remote again (number {self.starts})")

    def _ended(self, wait: float = 0.0) -> str | None:
        """How the remote ended, in words, if it was started from here and did."""
        child = self._child
        if child is None:
            return None
        if wait and child.running:
            child.wait(wait * max(1.0, self.timeout_factor))
        if child.running:
            return None
        report = self.sanitizer_report()
        said = f"; {report}" if report is not None else ""
        return f"the remote ended: {child.describe_end()}{said}"

    def _stop(self) -> None:
        self._last_words = self.console_tail()
        if self._child is not None:
            self._child.stop()
            self._child = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def sanitizer_report(self) -> str | None:
        """The line with which a sanitizer began a report since the last call."""
        if self.log_path is None:
            return None
        with self.log_path.open("rb") as file:
            file.seek(self._log_seen)
            text = file.read()
        self._log_seen += len(text)
        for line in text.splitlines():
            if _SANITIZER.search(line):
                return line.decode("utf-8", "replace").strip()
        return None

    # --- connections --------------------------------------------------------------------------

    def open(self, config: Config | None = None) -> RemoteHost:
        """A host on a connection, nothing said yet. Starts the remote when it does not run.

        Raises TargetUnreachable, and TargetDied when it ends before it listens.
        """
        ended = self._ended()
        if ended is not None:
            # Nobody has said so yet: it must not be hidden by a new start.
            self.damage()
            raise TargetDied(ended)
        started_here = self.launch is not None and self._child is None
        if started_here:
            self._start()
        config = config if config is not None else Config()
        config = replace(config, timeout=config.timeout * self.timeout_factor)
        waited = 0.0
        while True:
            try:
                host = RemoteHost(self.path, config, self.echo, self.trace)
                break
            except Unreachable as error:
                ended = self._ended()
                if ended is not None and not started_here:
                    # It was on its way out when this was called.
                    self.damage()
                    raise TargetDied(ended) from error
                if ended is not None:
                    raise TargetUnreachable(
                        f"{ended} before it listened at {self.path}{self._tail()}"
                    ) from error
                if waited >= START_SECONDS * self.timeout_factor or self._child is None:
                    raise TargetUnreachable(f"no remote listens: {error}{self._tail()}") from error
                self._child.wait(0.005)
                waited += 0.005
        self.hosts.append(host)
        return host

    def connect(self, config: Config | None = None) -> RemoteHost:
        """A host whose device runs, and whose echo service, if there is one, was announced."""
        host = self.open(config)
        host.start()
        host.await_echo()
        return host

    def close_hosts(self) -> None:
        """Close the connections of a case."""
        while self.hosts:
            self.hosts.pop().close()

    def need_echo(self) -> EchoService:
        """The service that echoes. Raises Blocked when there is none."""
        if self.echo is None:
            raise Blocked(self.no_echo)
        return self.echo

    # --- judging ------------------------------------------------------------------------------

    @contextmanager
    def judging(self) -> Iterator[None]:
        """Turn what the peer did to the block into a statement about the remote.

        NotOffered skips the case; everything else becomes TargetDied when the remote has ended,
        TargetWedged when it does not serve any more, and Unmet when it still does.
        """
        try:
            yield
        except NotOffered as error:
            pytest.skip(str(error))
        except PeerError as error:
            raise self._judge(error) from error

    def _judge(self, error: PeerError) -> Exception:
        wait = _LEAVE_SECONDS if isinstance(error, (PeerClosed, Unreachable)) else 0.0
        ended = self._ended(wait)
        report = self.sanitizer_report()
        if ended is not None or report is not None:
            self.damage()
            found = "; ".join(part for part in (ended, report) if part)
            return TargetDied(f"{found}; the case saw: {error}")
        try:
            self.check_alive()
        except (TargetDied, TargetWedged) as after:
            return type(after)(f"{error}; then {after}")
        for kind, expected in _EXPECTED:
            if isinstance(error, kind):
                return Unmet(expected, str(error))
        return Unmet("the exchange to go on", str(error))

    def damage(self) -> None:
        """The remote is not to be used any more; one that was started from here is replaced."""
        self.damaged = True
        self.close_hosts()
        if self.launch is not None:
            self._stop()

    def check_alive(self) -> None:
        """One exchange on a new connection. Raises TargetDied and TargetWedged.

        All connections of the case are closed before.
        """
        self.close_hosts()
        report = self.sanitizer_report()
        ended = self._ended()
        if ended is not None or report is not None:
            self.damage()
            raise TargetDied("; ".join(part for part in (ended, report) if part))
        try:
            self._exchange()
        except PeerError as error:
            ended = self._ended(_LEAVE_SECONDS)
            self.damage()
            if ended is not None:
                raise TargetDied(f"{ended} when the next host came ({error})") from error
            if self.launch is None and not self._listens():
                raise TargetDied(f"the remote cannot be reached any more: {error}") from error
            raise TargetWedged(
                f"the remote lives, but a well-formed exchange fails: {error}"
            ) from error
        except Unmet as error:
            self.damage()
            raise TargetWedged(f"a well-formed exchange goes wrong: {error}") from error
        except TargetUnreachable as error:
            self.damage()
            if self.launch is not None:
                raise
            raise TargetDied(f"the remote cannot be reached any more: {error}") from error

    def _listens(self) -> bool:
        """Whether a remote that was not started from here takes connections."""
        try:
            self.open().close()
        except TargetUnreachable:
            return False
        return True

    def _exchange(self) -> None:
        host = self.open(_EXCHANGE)
        host.start()
        host.await_echo()
        host.check()
        self.close_hosts()

    # --- the protocol of targets --------------------------------------------------------------

    def sanity(self) -> str | None:
        """One exchange; the first time it looks for a service that echoes.

        Returns None, or what went wrong. Raises TargetUnreachable.
        """
        self.trace.clear()
        try:
            if not self.offered:
                self._discover()
            self.check_alive()
        except (PeerError, Unmet, TargetDied, TargetWedged) as error:
            ended = self._ended(_LEAVE_SECONDS)
            text = f"{error}" + (f" ({ended})" if ended else "")
            messages = trace_text.lines(self.trace.kept())
            self.damage()
            return text + self._tail() + _passed(messages)
        finally:
            self.close_hosts()
        return None

    def _discover(self) -> None:
        host = self.open()
        host.start()
        self.offered = host.session.offered
        self.protocol_offered = host.session.protocol_offered
        seconds = DISCOVERY_SECONDS * self.timeout_factor
        if self._echo_addr is not None:
            self.echo = EchoService(self._echo_name, self._echo_addr)
        elif self._echo_name is not None:
            try:
                channel = host.wait_for_channel(self._echo_name, timeout=seconds)
                self.echo = EchoService(channel.name, channel.addr)
            except PeerTimeout:
                self.no_echo = (
                    f"no service '{self._echo_name}' was announced ({_announced(host)}); "
                    "--echo has to name one that is and that sends back what it gets"
                )
        else:
            try:
                channel = host.find_echo(seconds)
                self.echo = EchoService(channel.name, channel.addr)
            except PeerTimeout:
                self.echo = _probe(host)
                self.no_echo = (
                    f"no announced service echoes ({_announced(host)}); "
                    "--echo NAME or --echo-addr N names one"
                )
        self.close_hosts()
        if self.echo is not None:
            self.say(f"echo service: {self.echo}")
        else:
            self.say(self.no_echo)

    def evidence(self, outcome: Outcome, folder: Path | None) -> Evidence:
        """See pytest_plugin.Target. After an unmet expectation what came later says nothing."""
        trace = self.trace
        entries = trace.kept(whole=outcome is not Outcome.UNMET)
        messages = trace_text.lines(entries, trace.total - len(trace.entries))
        if not messages or folder is None:
            return Evidence(messages)
        capture.write(folder / CAPTURE, list(capture.of_trace(entries)))
        return Evidence(messages, CAPTURE)

    def console_tail(self) -> list[str]:
        """The last lines that a remote started from here wrote, also when it has ended."""
        if self.log_path is None or self._child is None:
            return self._last_words
        try:
            text = self.log_path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return self._last_words
        lines = text.splitlines()
        for number, line in enumerate(lines):
            if _SANITIZER.search(line.encode("utf-8", "replace")):
                # A report begins with what matters, and ends with a legend.
                report = lines[number : number + _CONSOLE_LINES]
                summary = [n for n, text in enumerate(report) if text.startswith("SUMMARY: ")]
                return report[: summary[0] + 1] if summary else report
        return lines[-_CONSOLE_LINES:]

    def _tail(self) -> str:
        lines = self.console_tail()[-8:]
        shown = "".join(f"\n    {line}" for line in lines)
        return f"\n  its last lines of output:{shown}" if lines else ""

    def describe(self) -> dict[str, str]:
        """What was tested, for the report."""
        described = {"remote": shlex.join(self.launch) if self.launch else str(self.path)}
        if self.echo is not None:
            described["echo"] = str(self.echo)
        if self.offered:
            described["features"] = f"{self.offered:#x}"
            described["protocol_features"] = f"{self.protocol_offered:#x}"
        if self.launch is not None:
            described["starts"] = str(self.starts)
        return described

    def close(self) -> None:
        """Close connections, and end a remote that was started from here."""
        self.close_hosts()
        if self.launch is not None:
            self._stop()


def _passed(messages: Sequence[str]) -> str:
    """The last messages of an exchange that failed, to stand below what went wrong."""
    if not messages:
        return ""
    shown = "".join(f"\n    {line}" for line in messages[-_SANITY_LINES:])
    return f"\n  the last messages (-> from the suite, <- from the remote):{shown}"


def _probe(host: RemoteHost) -> EchoService | None:
    """The announced service that gives back a message, whatever source it states."""
    for channel in host.channels.open:
        payload = b"rpmsg-conform asks %d" % channel.addr
        host.send(LOCAL_ADDR, channel.addr, payload, timeout=0)
        try:
            host.receive(host.config.timeout / 8, dst=LOCAL_ADDR, where=lambda m: m.payload == payload)
        except PeerTimeout:
            continue
        return EchoService(channel.name, channel.addr)
    return None


def _announced(host: RemoteHost) -> str:
    names = ", ".join(f"'{channel.name}' at {channel.addr}" for channel in host.channels.open)
    return f"announced: {names}" if names else "none was announced"
