# SPDX-License-Identifier: BSD-2-Clause
"""Client of rpmsg-fuzz-device (fuzz/device): several hostile devices in one process."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rpmsg_conformance import processes

from fuzz.tools.oplist import Schema, schema_from
from fuzz.tools.project import Problem

T = TypeVar("T")

#: Seconds within which the process has to answer what no guest is needed for.
ANSWER_SECONDS = 20.0


class DeviceError(Exception):
    """The process of the devices has ended, or says something that is not in its protocol."""


def schema_of(program: Path) -> Schema:
    """What an operation list for these devices may hold."""
    try:
        done = subprocess.run([program, "--describe"], capture_output=True, text=True, check=True)
        schema = schema_from(json.loads(done.stdout))
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        raise Problem(f"{program}: {error}") from None
    assert schema is not None
    return schema


class Devices:
    """The process, and what it has said of each device and was not asked for yet."""

    def __init__(self, program: Path, count: int, log: Path) -> None:
        self.folder = processes.temporary_folder()
        self._told: list[deque[list[str]]] = [deque() for _ in range(count)]
        self._inputs: deque[bytes] = deque()
        self._pending = b""
        self._listening = False
        ours, theirs = socket.socketpair()
        with log.open("ab") as errors, theirs:
            self._child = processes.spawn(
                [str(program), str(self.folder), str(count)],
                name=program.name,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=errors,
            )
        self._socket = ours
        self._until(lambda: self._listening or None, ANSWER_SECONDS)

    def path(self, number: int) -> Path:
        """Socket that a device listens at."""
        return self.folder / str(number)

    def ask(self, *words: object) -> None:
        """Send a request."""
        try:
            self._socket.sendall((" ".join(map(str, words)) + "\n").encode())
        except OSError as error:
            raise DeviceError(f"rpmsg-fuzz-device: {error.strerror}") from error

    def told(self, number: int, seconds: float) -> list[str] | None:
        """What a device says next, as words without its number; None when it is silent."""
        queue = self._told[number]
        return self._until(lambda: queue.popleft() if queue else None, seconds)

    def await_word(self, number: int, word: str, seconds: float) -> bool:
        """Whether a device says a word in time; what it says before is dropped."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            words = self.told(number, left)
            if words is not None and words[0] == word:
                return True
        return False

    def forget(self, number: int) -> None:
        """Drop what a device has said."""
        self._told[number].clear()

    def mutated(self, data: bytes, seed: int, room: int) -> bytes:
        """An operation list, changed a little."""
        return self._made("mutate", seed, room, data.hex())

    def crossed(self, one: bytes, two: bytes, seed: int, room: int) -> bytes:
        """A list made of two; empty when either is none."""
        return self._made("cross", seed, room, one.hex(), two.hex())

    def stop(self) -> None:
        """End the process."""
        self._socket.close()
        self._child.stop()
        processes.remove_folder(self.folder)

    def _made(self, *words: object) -> bytes:
        self.ask(*words)
        made = self._until(lambda: self._inputs.popleft() if self._inputs else None, ANSWER_SECONDS)
        if made is None:
            raise DeviceError("rpmsg-fuzz-device does not answer")
        return made

    def _until(self, ready: Callable[[], T | None], seconds: float) -> T | None:
        deadline = time.monotonic() + seconds
        while (result := ready()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                return None
            except OSError as error:
                raise DeviceError(f"rpmsg-fuzz-device: {error.strerror}") from error
            if not data:
                self._child.wait(1.0)
                raise DeviceError(self._child.describe_end())
            *lines, self._pending = (self._pending + data).split(b"\n")
            for line in lines:
                self._take(line.decode())
        return result

    def _take(self, line: str) -> None:
        word, *rest = line.split(" ")
        if word == "listening":
            self._listening = True
        elif word == "input":
            self._inputs.append(bytes.fromhex(rest[0]))
        elif word == "error" or not rest or not rest[0].isdecimal():
            raise DeviceError(f"rpmsg-fuzz-device: {line}")
        else:
            self._told[int(rest[0])].append([word, *rest[1:]])
