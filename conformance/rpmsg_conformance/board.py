# SPDX-License-Identifier: BSD-2-Clause
"""The target of ``rpmsg-conform chardev``: a machine where rpmsg-agent runs, and an echo service.

There is no simulator and no guest of ours: what is judged is the user space of a kernel over channels
that the firmware of the machine offers. A case leaves nothing behind there.
"""

from __future__ import annotations

import shlex
import shutil
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Final, NoReturn

from rpmsg_conformance import processes
from rpmsg_conformance.agent import AgentClient, AgentProtocolError
from rpmsg_conformance.expect import GuestDied, GuestWedged, NotApplicable, TargetUnreachable, Unmet
from rpmsg_conformance.link import ADDRESS_ANY, CHAR_CHANNEL, RPMSG_CLASS, RPMSG_DEVICES
from rpmsg_conformance.link import Channel, Link
from rpmsg_conformance.results import Evidence
from rpmsg_conformance.verdicts import Outcome

#: Seconds within which the agent has to say hello. A connection may take a while to be made.
HELLO_SECONDS: Final = 30.0

#: Seconds within which the command ends whose output has ended.
_END_SECONDS: Final = 1.0

#: Why a case is skipped, in the words that the report shows.
NEEDS: Final = "needs the simulator"


class ExecError(Exception):
    """The command of --exec cannot be used."""


def parse_exec(command: str) -> list[str]:
    """The words of --exec. Raises ExecError."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ExecError(f"--exec '{command}': {error}") from error
    if not words:
        raise ExecError("--exec: the command is empty")
    if shutil.which(words[0]) is None:
        raise ExecError(f"--exec '{command}': there is no program '{words[0]}'")
    return words


class Board:
    """One machine, reached by a command whose standard input and output are an agent's.

    ``echo`` is the name of the channels whose other end sends back what it gets.
    """

    #: Every case has the same channels, and there is no guest to boot beside it.
    cold: Final = True

    def __init__(
        self,
        command: Sequence[str],
        echo: str,
        folder: Path,
        timeout_factor: float,
        say: Callable[[str], None],
    ) -> None:
        self.command = list(command)
        self.echo = echo
        self.folder = folder
        self.timeout_factor = timeout_factor
        self.say = say
        self.known_complaints: list[tuple[str, str, str]] = []
        self._client: AgentClient | None = None
        self._child: processes.Child | None = None
        self._errors: IO[bytes] | None = None
        self._described: dict[str, str] = {}
        self._mark: int | None = None
        self._has_log = True

    # --- the agent ----------------------------------------------------------------------------

    @property
    def errors_path(self) -> Path:
        """Where the command's standard error goes."""
        return self.folder / "exec.stderr"

    def agent(self) -> AgentClient:
        """The agent there; started when first asked for. Raises TargetUnreachable.

        It is not started again: whatever took it away may have taken the board along.
        """
        if self._client is None:
            self._client = self._connect()
        if self._client.lost is not None:
            raise self._unreachable(f"the agent was lost in mid-run: {self._client.lost}")
        return self._client

    def _connect(self) -> AgentClient:
        self.folder.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair()
        self._errors = self.errors_path.open("wb")
        try:
            self._child = processes.spawn(
                self.command,
                name=f"'{self.command[0]}'",
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors,
            )
        except OSError as error:
            ours.close()
            raise TargetUnreachable(
                f"--exec: cannot start '{self.command[0]}': {error.strerror}"
            ) from error
        finally:
            theirs.close()
        client = AgentClient(ours, self.folder / "agent.log", self.timeout_factor)
        try:
            hello = client.wait_hello(HELLO_SECONDS)
            if hello is None:
                seconds = HELLO_SECONDS * self.timeout_factor
                raise self._unreachable(f"the agent said nothing within {seconds:g} s")
        except GuestDied as error:
            client.close()
            raise self._unreachable(f"no agent answers: {error}") from error
        except AgentProtocolError as error:
            client.close()
            raise TargetUnreachable(f"--exec: {error}") from error
        except BaseException:
            client.close()
            raise
        self._described = {
            "board": shlex.join(self.command),
            "kernel": str(hello.get("kernel", "unknown")),
            "arch": str(hello.get("machine", "unknown")),
            "echo": self.echo,
        }
        self.say(
            f"Linux {self._described['kernel']} ({self._described['arch']}), "
            f"reached by {self._described['board']}"
        )
        return client

    def _unreachable(self, what: str) -> TargetUnreachable:
        """``what`` with how the command ended, and the last that it said about it."""
        parts = [f"--exec: {what}"]
        if self._child is not None:
            if self._client is None or self._client.lost is not None:
                self._child.wait(_END_SECONDS)
            if not self._child.running:
                parts.append(self._child.describe_end())
        said = self.console_tail()
        if said:
            parts.append(f"its last words: {said[-1]}")
        return TargetUnreachable("; ".join(parts))

    # --- channels -----------------------------------------------------------------------------

    def channels(self) -> list[dict[str, object]]:
        """All channels that there are, as the agent lists them, without what Linux adds itself."""
        found = self.agent().call("channels")["channels"]
        return [c for c in found if c["name"] not in ("rpmsg_ctrl", "rpmsg_ns")]

    def echo_channels(self) -> list[dict[str, object]]:
        """Those of the echo service. Raises TargetUnreachable when there is none."""
        every = self.channels()
        found = [c for c in every if c["name"] == self.echo]
        if not found:
            names = sorted({str(c["name"]) for c in every})
            raise TargetUnreachable(
                f"--echo: no channel named '{self.echo}' on the board; it has: "
                f"{', '.join(names) or 'none at all (is the firmware running?)'}"
            )
        return found

    def new_link(self, *_: object, **__: object) -> NoReturn:
        """What a guest's target does: not to be had."""
        raise NotApplicable(NEEDS)

    # --- for the plug-in ----------------------------------------------------------------------

    def kernel_log(self) -> list[str]:
        """Lines of the kernel log since the last call; none the first time, or without the right."""
        if not self._has_log:
            return []
        first = self._mark is None
        try:
            lines, self._mark = self.agent().dmesg(self._mark)
        except Unmet as error:
            self._has_log = False
            self.say(f"complaints of the board's kernel are not seen: {error.observed}")
            return []
        return [] if first else lines

    def sanity(self) -> str | None:
        """One echo. See pytest_plugin.Target."""
        try:
            link = BoardLink(self)
            try:
                link.check_alive()
            finally:
                link.end()
        except (Unmet, GuestWedged, GuestDied) as error:
            return str(error)
        except NotApplicable as error:
            return f"the echo service cannot be used: {error}"
        return None

    def console_tail(self) -> list[str]:
        """The last lines of the command's standard error."""
        try:
            text = self.errors_path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return text.splitlines()[-30:]

    def evidence(self, outcome: Outcome, folder: Path | None) -> Evidence:
        """Nothing is seen of the messages but what the agent reads."""
        return Evidence([])

    def describe(self) -> dict[str, str]:
        """What was tested, for the report."""
        return self._described or {"board": shlex.join(self.command)}

    def close(self) -> None:
        """End the agent: its input ends, and with it the command."""
        if self._client is not None:
            self._client.close()
        if self._child is not None:
            self._child.wait(_END_SECONDS)
            self._child.stop()
            self._child = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None


class BoardLink(Link):
    """The link of a case: channels of the board's firmware, as they are.

    What only a simulator or a guest of ours could do raises NotApplicable.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._open: list[int] = []
        self._given: set[str] = set()
        self._prefix: str | None = None
        self._nodes = set(self.agent.entries(RPMSG_CLASS))
        self._devices = set(self.agent.entries(RPMSG_DEVICES))

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotApplicable(NEEDS)

    @property
    def agent(self) -> AgentClient:
        """The board's agent."""
        return self._board.agent()

    @property
    def device(self) -> str:
        """The device on which the echo service is: what stands before its name on the rpmsg bus."""
        if self._prefix is None:
            self._prefix = self._prefix_of(self._board.echo_channels()[0])
        return self._prefix

    def _prefix_of(self, channel: dict[str, object]) -> str:
        return str(channel["device"]).partition(f".{channel['name']}.")[0]

    def plug(self, guest: object = None) -> None:
        """Not to be had."""
        raise NotApplicable(NEEDS)

    def announce(
        self, name: str = CHAR_CHANNEL, kind: str = "echo", addr: int | None = None
    ) -> Channel:
        """A channel to the echo service that this case has not got yet, with a character device.

        If Linux made none, an endpoint with the service as its destination.
        """
        if name != CHAR_CHANNEL or kind != "echo" or addr is not None:
            raise NotApplicable(f"{NEEDS}: a service {name} of kind {kind}")
        for channel in self._board.echo_channels():
            device = str(channel["device"])
            if device not in self._given and self._prefix_of(channel) == self.device:
                self._given.add(device)
                return self._with_file(device, channel)
        raise NotApplicable(
            f"{NEEDS}, or {len(self._given) + 1} channels named {self._board.echo} on the board"
        )

    def _with_file(self, device: str, channel: dict[str, object]) -> Channel:
        remote, local = int(str(channel["dst"])), int(str(channel["src"]))
        if self.agent.exists(f"{RPMSG_DEVICES}/{device}/rpmsg"):
            node = self.only_entry(f"{RPMSG_DEVICES}/{device}/rpmsg")
        else:
            node = self.create_endpoint("rpmsg-conform", ADDRESS_ANY, remote)
            local = ADDRESS_ANY
        self.agent.expect_path(f"/dev/{node}")
        return Channel(self._board.echo, remote, local, device, f"/dev/{node}")

    def check_alive(self) -> None:
        """A ping, and one echo. Raises GuestWedged, GuestDied."""
        self._tidy()
        self._given.clear()
        self.agent.call("ping")
        try:
            channel = self.announce()
            fd = self.open(channel.path)
            self.agent.write(fd, b"alive?").expect_success()
            echo = self.agent.receive(fd)
            self.close(fd)
            if echo != b"alive?":
                raise Unmet("the echo of 'alive?'", repr(echo))
        except Unmet as error:
            raise GuestWedged(f"channel {self._board.echo} does not echo: {error}") from error

    def end(self) -> None:
        """Leave the board as it was: no file open, no endpoint and no channel of ours."""
        self._tidy()

    def _tidy(self) -> None:
        agent = self.agent
        for worker in agent.call("workers")["workers"]:
            if worker.get("in_call"):
                agent.try_call("signal", worker=worker["worker"])
        self.close_all()
        for node in agent.entries(RPMSG_CLASS):
            if node not in self._nodes and not node.startswith("rpmsg_ctrl"):
                opened = agent.try_call("open", path=f"/dev/{node}", flags=["rdwr"])
                if opened.ok:
                    agent.try_call("rpmsg_destroy_ept", fd=opened["fd"])
                    agent.try_call("close", fd=opened["fd"])
        made = [c for c in self._board.channels() if c["device"] not in self._devices]
        if made:
            fd = self.open(self.control_path(), "rdwr")
            for channel in made:
                if channel["src"] == ADDRESS_ANY:
                    # By its name and destination alone it might be one of the firmware's.
                    self._board.say(f"{channel['device']} stays: it has no address of its own")
                    continue
                agent.try_call(
                    "rpmsg_release_dev",
                    fd=fd,
                    name=channel["name"],
                    src=channel["src"],
                    dst=channel["dst"],
                )
            self.close(fd)
