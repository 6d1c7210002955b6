# SPDX-License-Identifier: BSD-2-Clause
"""Child processes and temporary files, of which nothing may be left behind.

Every child gets a session of its own (a Ctrl-C at the terminal reaches only this program, which
then ends its children in order) and a parent-death signal (so that a child goes even when this
program is killed). Everything is registered here and removed by clean_up(), which runs on every way
out: normal end, exception, Ctrl-C, SIGTERM and SIGHUP.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

#: Seconds a child gets between SIGTERM and SIGKILL.
GRACE_SECONDS = 3.0

#: sun_path holds 108 bytes with its NUL; the longest name put into the folder has less than 30.
_LONGEST_FOLDER = 70


class Interrupted(KeyboardInterrupt):
    """A signal asked the program to end. A KeyboardInterrupt, so that pytest stops cleanly."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Child:
    """One child process in its own session."""

    def __init__(self, process: subprocess.Popen[bytes], name: str) -> None:
        self.name = name
        self.process = process
        self._pidfd = os.pidfd_open(process.pid)

    @property
    def pid(self) -> int:
        """Process ID, also the ID of the session and process group."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self.process.poll() is None

    def fileno(self) -> int:
        """A descriptor that polls readable once the process has ended."""
        return self._pidfd

    def wait(self, timeout: float) -> int | None:
        """Exit status, or None when the process still runs after ``timeout`` seconds."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def describe_end(self) -> str:
        """How the process ended, in words."""
        status = self.process.poll()
        if status is None:
            return f"{self.name} still runs"
        if status < 0:
            return f"{self.name} was ended by {signal.Signals(-status).name}"
        return f"{self.name} exited with status {status}"

    def stop(self) -> None:
        """End the process and all of its group: SIGTERM first, SIGKILL after GRACE_SECONDS."""
        if self.running:
            self._signal_group(signal.SIGTERM)
            self.wait(GRACE_SECONDS)
        self._signal_group(signal.SIGKILL)
        self.process.wait()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        _children.discard(self)

    def _signal_group(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            # The group consists of a zombie only: nothing is left to signal.
            pass


_children: set[Child] = set()
_folders: set[Path] = set()
_outliving: set[tuple[int, str]] = set()

#: Whether something is being made that clean_up() does not know of yet, and the signal that came
#: meanwhile. A mask would not do: another thread may take the signal.
_making = False
_came: int | None = None


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A block in which no Interrupted is raised: it comes at its end."""
    global _making, _came
    _making = True
    try:
        yield
    finally:
        _making = False
        number, _came = _came, None
    if number is not None:
        raise Interrupted(number)


def strays() -> list[int]:
    """Process IDs of children that were not started by spawn(): somebody has left them behind."""
    known = {child.pid for child in _children}
    found = []
    for task in Path("/proc/self/task").iterdir():
        try:
            listed = (task / "children").read_text(encoding="ascii").split()
        except OSError:
            continue  # the thread has ended, or the kernel does not tell
        found += [int(pid) for pid in listed if int(pid) not in known]
    return found


def end_stray(pid: int) -> str:
    """End such a child; returns its command line."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").strip()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (OSError, ChildProcessError):
        return f"process {pid}"
    return command.decode("utf-8", "replace") or f"process {pid}"


def spawn(
    argv: Sequence[str],
    *,
    name: str,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
    death_signal: int = signal.SIGKILL,
) -> Child:
    """Start ``argv`` as a registered child, without standard input by default. Raises OSError.

    ``death_signal`` is what it gets when this program is gone. Only the main thread may call this:
    the kernel takes the end of the thread that started the child for the end of its parent.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("children are started from the main thread only")
    parent = os.getpid()

    def in_child() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    with _uninterrupted():
        process = subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=pass_fds,
            start_new_session=True,
            preexec_fn=in_child,
        )
        child = Child(process, name)
        _children.add(child)
    return child


def temporary_folder() -> Path:
    """A new private folder for sockets, removed at the end; its path is short enough for them."""
    with _uninterrupted():
        folder = Path(tempfile.mkdtemp(prefix="rpmsg-conform-"))
        if len(os.fsencode(folder)) > _LONGEST_FOLDER:
            folder.rmdir()
            folder = Path(tempfile.mkdtemp(prefix="rpmsg-conform-", dir="/tmp"))
        _folders.add(folder)
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a folder made by temporary_folder() before the program's end."""
    shutil.rmtree(folder, ignore_errors=True)
    _folders.discard(folder)


def open_descriptors() -> set[tuple[int, str]]:
    """This process's open descriptors: number, and what it is of."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add((int(name), os.readlink(f"/proc/self/fd/{name}")))
        except OSError:
            continue  # the one for looking
    return found


@contextmanager
def outliving() -> Iterator[None]:
    """A block that opens descriptors for longer than the case in which it happens to run."""
    before = open_descriptors()
    try:
        yield
    finally:
        _outliving.update(open_descriptors() - before)


def meant_to_outlive(descriptor: tuple[int, str]) -> bool:
    """Whether an open descriptor is one of outliving()."""
    return descriptor in _outliving


def clean_up() -> None:
    """End all children and remove all temporary folders. May be called any number of times."""
    for child in list(_children):
        child.stop()
    for folder in list(_folders):
        remove_folder(folder)


@contextmanager
def guarded() -> Iterator[None]:
    """Run a block after which no child and no temporary folder is left, however it ends.

    SIGINT, SIGTERM and SIGHUP raise Interrupted in the main thread, once; a second one during the
    cleaning up is not obeyed, since the cleaning up is what the first one asked for.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def on_signal(number: int, frame: FrameType | None) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        global _came
        if _making:
            _came = number
        else:
            raise Interrupted(number)

    previous = [(number, signal.signal(number, on_signal)) for number in numbers]
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        clean_up()
        for number, handler in previous:
            signal.signal(number, handler)


def wait_readable(descriptor: int, child: Child, timeout: float) -> bool:
    """Wait until ``descriptor`` is readable or ``child`` has ended.

    Returns True when the descriptor is readable, False on the child's end and after ``timeout``
    seconds; ``child.running`` tells the two apart.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.register(child.fileno(), select.POLLIN)
    ready = {fd for fd, _ in poll.poll(max(0.0, timeout) * 1000)}
    return descriptor in ready
