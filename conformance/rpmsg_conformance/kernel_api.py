# SPDX-License-Identifier: BSD-2-Clause
"""The in-kernel rpmsg API of a guest, called through the module of conformance/kmod.

A command is one line written to /dev/rpmsg-kapi, its reply the line that is read next from the same
open file. Each worker of the agent has a file of its own, so that a call that blocks stops no other.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rpmsg_conformance.agent import REPLY_SECONDS, AgentClient, Pending, Reply
from rpmsg_conformance.expect import Blocked, Unmet, shorten

DEVICE = "/dev/rpmsg-kapi"

#: Where the module's file is put in a guest.
MODULE_PATH = "/tmp/rpmsg_kapi.ko"

#: Bytes of a file that go into one request of the agent, which is JSON and at most 1 MiB.
_CHUNK = 256 * 1024

#: Longest reply of the module, and more.
_REPLY_MAX = 32 * 1024

#: Names that errno.errorcode does not have, or has others for: some Linux keeps to itself.
_KERNEL_ERRNO = {95: "EOPNOTSUPP", 512: "ERESTARTSYS", 517: "EPROBE_DEFER", 524: "ENOTSUPP"}

#: Seconds that a guest gets for what takes it milliseconds.
SETTLE_SECONDS = 5.0

#: Seconds for remove(): it waits for senders, who may wait for a buffer for 15 s.
REMOVE_SECONDS = 40.0


class KernelApiError(Exception):
    """The module refused a command: the suite's own fault."""


class Result:
    """What a function of the API returned."""

    def __init__(self, command: str, text: str) -> None:
        lines = text.rstrip("\n").split("\n")
        self.command = command
        self.fields = _words(lines[0])
        self.lines = [_words(line) for line in lines[1:]]
        self.ret = int(self.fields["ret"])

    def __getitem__(self, name: str) -> str:
        return self.fields[name]

    def number(self, name: str) -> int:
        """A field that is a number."""
        return int(self.fields[name])

    @property
    def seconds(self) -> float:
        """Duration of the function in the guest."""
        return self.number("ns") / 1e9

    @property
    def errno(self) -> str | None:
        """Name of the negative errno that was returned; None for anything else."""
        if self.ret >= 0:
            return None
        return _KERNEL_ERRNO.get(-self.ret) or errno.errorcode.get(-self.ret, str(-self.ret))

    def describe(self) -> str:
        """The outcome in words."""
        name = f" (-{self.errno})" if self.errno else ""
        return f"{self.command} returned {self.ret}{name} after {self.seconds:.6f} s"

    def expect_success(self) -> Result:
        """This result, if it is 0 or more. Raises Unmet."""
        if self.ret < 0:
            raise Unmet(f"{self.command} succeeds", self.describe())
        return self

    def expect_errno(self, *names: str) -> Result:
        """This result, if it is one of these negative errno. Raises Unmet."""
        if self.errno not in names:
            raise Unmet(f"{self.command} returns -{' or -'.join(names)}", self.describe())
        return self


def _words(line: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in line.split(" ") if "=" in word)


class PendingResult:
    """A command that was sent and may take long."""

    def __init__(self, command: str, written: Pending, read: Pending) -> None:
        self._command = command
        self._written = written
        self._read = read
        self._early: Reply | None = None

    def poll(self) -> bool:
        """Whether the function has returned."""
        if self._early is None:
            self._early = self._read.poll()
        return self._early is not None

    def wait(self, timeout: float = REPLY_SECONDS) -> Result:
        """Its result. Raises GuestWedged when it has not returned within ``timeout`` seconds."""
        reply = self._early or self._read.wait(timeout)
        written = self._written.wait(timeout)
        if written.errno == "ENOENT":
            raise Unmet(f"{self._command}: the object still exists", "it is gone")
        if not written.ok or not reply.ok:
            raise KernelApiError(f"{self._command}: {(reply if written.ok else written).describe()}")
        return Result(self._command, bytes.fromhex(reply["data"]).decode())


@dataclass(frozen=True)
class Message:
    """A message that a callback got, and in which context."""

    number: int
    """Place in the order of all messages and events of the module."""
    src: int
    data: bytes
    answer: int
    """What the function returned that the callback called."""
    hardirq: bool
    atomic: bool
    irqs_off: bool
    task: str
    channel_ok: bool
    """Whether the callback was given the channel that its endpoint belongs to."""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint in the guest's kernel."""

    id: int
    addr: int
    channel: int
    """Identifier of the channel it was created on."""


@dataclass(frozen=True)
class KernelChannel:
    """A channel that a driver of the module is bound to."""

    id: int
    device: str
    src: int
    dst: int
    driver: int
    ept: Endpoint | None
    """Its own endpoint; a driver without a callback has none."""


class KernelApi:
    """Calls into one guest's kernel. ``device`` is the virtio device whose channels are meant."""

    def __init__(self, agent: AgentClient, device: str) -> None:
        self._agent = agent
        self._device = device
        self._files: dict[int | None, int] = {}
        self._drivers: list[int] = []
        self._last_event = 0

    # --- commands -----------------------------------------------------------------------------

    def submit(self, verb: str, worker: int | None = None, **words: Any) -> PendingResult:
        """Start a command in a worker of the agent, or in its main thread."""
        if worker not in self._files:
            self._files[worker] = self._agent.open(DEVICE, "rdwr")
        fd = self._files[worker]
        line = " ".join([verb, *(f"{name}={_word(value)}" for name, value in words.items())])
        written = self._agent.submit("write", worker=worker, fd=fd, data=line.encode().hex())
        read = self._agent.submit("read", worker=worker, fd=fd, len=_REPLY_MAX)
        return PendingResult(f"rpmsg_{shorten(line, 80)}", written, read)

    def call(self, verb: str, **words: Any) -> Result:
        """Run a command that does not block."""
        return self.submit(verb, **words).wait()

    def features(self) -> dict[str, int]:
        """What the guest's API has: offchannel, flow_control; whether it is PREEMPT_RT."""
        fields = self.call("features").fields
        return {name: int(value) for name, value in fields.items()}

    # --- drivers and channels -----------------------------------------------------------------

    def new_driver(self, *names: str, register: bool = True, **options: int) -> int:
        """Make a driver for channels of these names; registered unless said otherwise."""
        driver = self.call("driver_new", names=",".join(names), **options).number("driver")
        self._drivers.append(driver)
        if register:
            self.register(driver).expect_success()
        return driver

    def register(self, driver: int) -> Result:
        """register_rpmsg_driver()"""
        return self.call("driver_register", driver=driver)

    def unregister(self, driver: int) -> Result:
        """unregister_rpmsg_driver()"""
        return self.submit("driver_unregister", driver=driver).wait(REMOVE_SECONDS)

    def find_channel(
        self, driver: int, name: str, dst: int | None = None, timeout: float = 0.0
    ) -> KernelChannel | None:
        """The bound channel of this driver, name and remote address; waits for it."""
        words: dict[str, Any] = {"driver": driver, "name": name, "device": f"{self._device}."}
        if dst is not None:
            words["dst"] = dst
        found = self.submit("channel", timeout_ms=int(timeout * 1000), **words).wait(
            timeout + REPLY_SECONDS
        )
        if found.errno == "ETIMEDOUT":
            return None
        number = found.expect_success().number("channel")
        own = found.number("endpoint")
        return KernelChannel(
            id=number,
            device=found["device"],
            src=found.number("src"),
            dst=found.number("dst"),
            driver=driver,
            ept=Endpoint(own, found.number("src"), number) if own else None,
        )

    def channel(self, driver: int, name: str, dst: int | None = None) -> KernelChannel:
        """The channel, once the driver is bound to it. Raises Unmet."""
        found = self.find_channel(driver, name, dst, SETTLE_SECONDS)
        if found is None:
            raise Unmet(f"the driver is probed for the channel '{name}'", "it is not")
        return found

    # --- endpoints and messages ---------------------------------------------------------------

    def create(self, channel: KernelChannel, addr: int | str = "any", **settings: Any) -> Endpoint:
        """rpmsg_create_ept(), which has to succeed. Raises Unmet."""
        made = self.try_create(channel, addr, **settings)
        if made is None:
            raise Unmet(f"rpmsg_create_ept() with address {addr} succeeds", "it returned NULL")
        return made

    def try_create(
        self, channel: KernelChannel, addr: int | str = "any", **settings: Any
    ) -> Endpoint | None:
        """rpmsg_create_ept(); None when it returned NULL."""
        made = self.call("endpoint_create", channel=channel.id, addr=addr, **settings)
        number = made.number("endpoint")
        return Endpoint(number, made.number("addr"), channel.id) if number else None

    def destroy(self, endpoint: Endpoint) -> Result:
        """rpmsg_destroy_ept()"""
        return self.call("endpoint_destroy", endpoint=endpoint.id)

    def state(self, endpoint: Endpoint) -> dict[str, int]:
        """Counters of an endpoint, also of one that is destroyed: called, kept, lost, late."""
        fields = self.call("endpoint", endpoint=endpoint.id).fields
        return {name: int(value) for name, value in fields.items()}

    def set_action(self, endpoint: Endpoint, action: str, **settings: int) -> None:
        """What the endpoint's callback does from now on."""
        self.call("endpoint_set", endpoint=endpoint.id, action=action, **settings)

    def try_receive(self, endpoint: Endpoint, timeout: float = 0.0) -> Message | None:
        """The oldest message of an endpoint; None when none comes within ``timeout`` seconds."""
        got = self.submit(
            "receive", endpoint=endpoint.id, timeout_ms=int(timeout * 1000)
        ).wait(timeout + REPLY_SECONDS)
        if got.errno == "EAGAIN":
            return None
        got.expect_success()
        return Message(
            number=got.number("number"),
            src=got.number("src"),
            data=bytes.fromhex(got["data"]),
            answer=got.number("answer"),
            hardirq=got["hardirq"] == "1",
            atomic=got["atomic"] == "1",
            irqs_off=got["irqs_off"] == "1",
            task=got["task"],
            channel_ok=got["channel"] == "1",
        )

    def receive(self, endpoint: Endpoint) -> Message:
        """The oldest message of an endpoint. Raises Unmet when none comes."""
        message = self.try_receive(endpoint, SETTLE_SECONDS)
        if message is None:
            raise Unmet(
                f"the callback of the endpoint at address {endpoint.addr} gets a message",
                "it was not called",
            )
        return message

    def events(self, **fields: Any) -> list[dict[str, str]]:
        """What happened since the case began, in order, where all ``fields`` have these values."""
        reply = self.call("events", since=self._last_event)
        wanted = {name: str(value) for name, value in fields.items()}
        return [line for line in reply.lines if wanted.items() <= line.items()]

    def begin(self) -> None:
        """Forget events of before."""
        self._last_event = self.call("events", since=(1 << 62)).number("last")

    def end(self) -> None:
        """Unregister and forget what was made, and close the files."""
        for driver in self._drivers:
            self.submit("driver_free", driver=driver).wait(REMOVE_SECONDS)
        self._drivers.clear()
        for fd in self._files.values():
            self._agent.try_call("close", fd=fd)
        self._files.clear()


def _word(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def load_module(agent: AgentClient, module: Path, parameters: str = "") -> None:
    """Put the module into the guest and load it, unless it is there. Raises Blocked."""
    if agent.exists(DEVICE):
        return
    content = module.read_bytes()
    fd = agent.open(MODULE_PATH, "wronly", "creat", "trunc")
    for begin in range(0, len(content), _CHUNK):
        agent.write(fd, content[begin : begin + _CHUNK]).expect_success()
    agent.close_fd(fd)
    loaded = agent.try_call("insmod", path=MODULE_PATH, params=parameters)
    if not loaded.ok:
        raise Blocked(f"the guest refuses {module.name}: {loaded.describe()}")
    agent.expect_path(DEVICE)


def worker_state(agent: AgentClient, worker: int) -> dict[str, Any]:
    """What the agent says of one of its workers: in_call, state, and more."""
    workers = agent.call("workers")["workers"]
    return next((dict(w) for w in workers if w["worker"] == worker), {})


def wait_until_asleep(agent: AgentClient, worker: int) -> None:
    """Wait until a worker's call sleeps in the kernel, as long as that may take; it need not."""
    for _ in range(500):
        state = worker_state(agent, worker)
        if state.get("in_call") and state.get("state") == "S":
            break
