# SPDX-License-Identifier: BSD-2-Clause
"""The programs that are measured: how they are started, on which cores, and ended."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket as socketlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

#: Seconds that a program may take beyond the time it was asked to measure for.
PATIENCE = 60.0


class ProgramError(Exception):
    """A program did not do what it was started for; the text says which and why."""


class Machine:
    """Where the programs lie, and the cores that they may run on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cores = sorted(os.sched_getaffinity(0))

    @property
    def two_cores(self) -> tuple[int, int]:
        """Cores of the host (or first process) and of the remote; the same one if there is only one."""
        return self.cores[0], self.cores[-1]

    @property
    def one_core(self) -> tuple[int, int]:
        """Both on one core."""
        return self.cores[0], self.cores[0]

    def path(self, program: str) -> str:
        """A program of the build tree."""
        return str(self.folder / program)


def pin(core: int | None) -> Callable[[], None]:
    """What a child does before it becomes its program: stay on a core, where that is allowed."""

    def stay() -> None:
        if core is not None:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, {core})

    return stay


def run(command: list[str], seconds: float, core: int | None = None) -> str:
    """Standard output of a program that is to end by itself with status 0."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds + PATIENCE,
            preexec_fn=pin(core),
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ProgramError(f"{' '.join(command)}: not done after {seconds + PATIENCE:.0f} s") from None
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or done.stdout.strip().splitlines()[-1:]
        raise ProgramError(f"{' '.join(command)}: status {done.returncode}: {' '.join(reason)}")
    return done.stdout


def bench(machine: Machine, seconds: float, cores: tuple[int, int], *arguments: str) -> dict[str, Any]:
    """One run of rpmsg-bench; its line of JSON."""
    command = [machine.path("rpmsg-bench"), *arguments, "--seconds", str(seconds)]
    command += ["--cpus", f"{cores[0]},{cores[1]}"]
    answer: dict[str, Any] = json.loads(run(command, seconds))
    return answer


def one_way_service(mode: str, size: int) -> str:
    """The --service of rpmsg-sim at the other end of a `bench --mode sink` or `source`."""
    return "sink=sink" if mode == "sink" else f"source=source,size={size},rate={2**32 - 1}"


def host_command(machine: Machine, socket: Path, seconds: float, *arguments: str) -> list[str]:
    """rpmsg-host bench with a summary in JSON."""
    command = [machine.path("rpmsg-host"), "--json", "--socket-path", str(socket), "bench"]
    return command + [*arguments, "--seconds", str(seconds)]


def summary(text: str) -> dict[str, Any]:
    """The last line that rpmsg-host --json printed."""
    answer: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    if answer["lost"] or answer["duplicated"] or answer["damaged"]:
        raise ProgramError(f"messages were lost, doubled or damaged: {answer}")
    if answer["answered"]:
        raise ProgramError(f"what should be a sink answers: {answer}")
    return answer


def host(
    machine: Machine, socket: Path, seconds: float, core: int | None, *arguments: str
) -> dict[str, Any]:
    """One run of rpmsg-host bench; its summary."""
    return summary(run(host_command(machine, socket, seconds, *arguments), seconds, core))


class Sim:
    """A running rpmsg-sim."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, sockets: list[Path], ready: float) -> None:
        self.process = process
        self.folder = folder
        self.sockets = sockets
        #: seconds from the start of the process until its sockets listened
        self.ready = ready

    @property
    def socket(self) -> Path:
        """Socket of the first remote."""
        return self.sockets[0]

    @property
    def control(self) -> Path:
        """The control socket."""
        return self.folder / "control"

    def stats(self, remote: int) -> dict[str, Any]:
        """Statistics of one remote, by number."""
        with socketlib.socket(socketlib.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(self.control))
            request = {"jsonrpc": "2.0", "id": 1, "method": "stats", "params": {"remote": f"r{remote}"}}
            client.sendall(json.dumps(request).encode() + b"\n")
            answer: dict[str, Any] = json.loads(client.makefile("rb").readline())
        result: dict[str, Any] = answer["result"]
        return result

    def received(self) -> int:
        """Messages out of all hosts so far."""
        return sum(self.stats(number)["messages"]["received"] for number in range(len(self.sockets)))

    def wait_all_busy(self) -> None:
        """Wait until every host has sent something."""
        end = time.monotonic() + PATIENCE
        for number in range(len(self.sockets)):
            while not self.stats(number)["messages"]["received"]:
                if time.monotonic() > end:
                    raise ProgramError(f"the host of remote {number} sends nothing")
                time.sleep(0.01)

    def wakeups(self) -> int:
        """How often it went to sleep so far, which is how often it was woken."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.MULTILINE)
        assert found
        return int(found[1])

    def private_kib(self) -> int:
        """Memory of its own that it uses, guest memory not counted."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"^RssAnon:\s*(\d+) kB", text, re.MULTILINE)
        assert found
        return int(found[1])


@contextlib.contextmanager
def sim(
    machine: Machine, core: int | None, *arguments: str, remotes: int = 1, shared: tuple[str, ...] = ()
) -> Iterator[Sim]:
    """rpmsg-sim with so many remotes, each with the same options, and shared ones; ended on the way out."""
    folder = Path(tempfile.mkdtemp(prefix="rpmsg-bench."))
    sockets = [folder / f"s{number}" for number in range(remotes)]
    ready_read, ready_write = os.pipe()
    command = [machine.path("rpmsg-sim"), "--control-path", str(folder / "control")]
    command += ["--log-level", "error", "--ready-fd", str(ready_write), *shared]
    for number, socket in enumerate(sockets):
        command += ["--remote", f"r{number}", "--socket-path", str(socket)]
        command += [argument.replace("{folder}", str(folder)) for argument in arguments]
    process = None
    try:
        begun = time.monotonic()
        process = subprocess.Popen(
            command, pass_fds=[ready_write], preexec_fn=pin(core), stdin=subprocess.DEVNULL
        )
        os.close(ready_write)
        ready_write = -1
        if os.read(ready_read, 16) != b"ready\n":
            raise ProgramError(f"{' '.join(command[:6])} ...: did not start (status {process.wait()})")
        yield Sim(process, folder, sockets, time.monotonic() - begun)
    finally:
        if ready_write >= 0:
            os.close(ready_write)
        os.close(ready_read)
        if process is not None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def beside(
    command: list[str], core: int | None, speaks: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """
    A program that runs while something else is measured; ended on the way out. One that speaks has
    said its first line by then: its start is not measured.
    """
    process = subprocess.Popen(
        command,
        preexec_fn=pin(core),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if speaks else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        if process.stdout and not process.stdout.readline():
            raise ProgramError(f"{' '.join(command)}: ended before it said anything")
        yield process
    finally:
        process.terminate()
        process.wait()
        if process.stdout:
            process.stdout.close()


def instructions(machine: Machine, quick: bool, *arguments: str) -> float | None:
    """
    Instructions that the device side takes for a unit of rpmsg-bench, by valgrind's callgrind: the
    difference of two run lengths. None without valgrind.
    """
    if shutil.which("valgrind") is None:
        return None
    counts = (640, 1280) if quick else (3200, 19200)
    totals = []
    with tempfile.TemporaryDirectory(prefix="rpmsg-bench.") as folder:
        for count in counts:
            command = ["valgrind", "--tool=callgrind", "--collect-atstart=no"]
            command += ["--toggle-collect=bench_device_turn", f"--callgrind-out-file={folder}/out"]
            command += [machine.path("rpmsg-bench"), *arguments, "--count", str(count)]
            run(command, 300)
            text = Path(folder, "out").read_text(encoding="utf-8", errors="replace")
            found = re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE)
            if not found:
                raise ProgramError("callgrind counted nothing")
            totals.append(int(found[1]))
    return (totals[1] - totals[0]) / (counts[1] - counts[0])
