# SPDX-License-Identifier: BSD-2-Clause
"""Memory, descriptors and mappings of processes, from a while after their start to their end."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

#: Looks at a process before one counts as its first: by then it has done everything once.
WARM_LOOKS = 4


@dataclass(frozen=True)
class Usage:
    """What one process has, memory in KiB."""

    rss: int
    private: int
    """Resident memory that belongs to it alone (RssAnon); guest memory is not in it."""
    descriptors: int
    mappings: int


#: How much more each of them may be at the end. A leak of one of them with each session is above
#: that after a few seconds; what malloc keeps for later is below.
LIMITS = Usage(rss=0, private=1024, descriptors=2, mappings=4)

#: Judged are these; the resident set also holds guest memory that was touched.
JUDGED = ("private", "descriptors", "mappings")


def usage(pid: int) -> Usage | None:
    """What a process has now; None when it has ended."""
    folder = Path(f"/proc/{pid}")
    try:
        status = (folder / "status").read_text(encoding="utf-8")
        descriptors = len(os.listdir(folder / "fd"))
        mappings = (folder / "maps").read_bytes().count(b"\n")
    except OSError:
        return None
    memory = dict(re.findall(r"^(VmRSS|RssAnon):\s*(\d+) kB", status, re.MULTILINE))
    if len(memory) != 2:
        return None
    return Usage(int(memory["VmRSS"]), int(memory["RssAnon"]), descriptors, mappings)


@dataclass
class Life:
    """One process from its start to its end."""

    role: str
    pid: int
    limits: Usage = LIMITS
    started: float = field(default_factory=time.monotonic)
    looked: float = 0.0
    looks: int = 0
    first: Usage | None = None
    last: Usage | None = None

    def look(self) -> None:
        """Take down what it has now; to be called while the link is up and quiet things are done."""
        seen = usage(self.pid)
        if seen is None:
            return
        self.looks += 1
        self.looked = time.monotonic()
        if self.looks <= WARM_LOOKS:
            self.first = seen
        self.last = seen

    @property
    def seconds(self) -> float:
        """How long it was looked at."""
        return max(0.0, self.looked - self.started)

    def growth(self) -> dict[str, int]:
        """How much more it had at the end, by name."""
        if self.first is None or self.last is None:
            return {}
        first, last = asdict(self.first), asdict(self.last)
        return {name: last[name] - first[name] for name in first}

    def problems(self) -> list[str]:
        """What has grown above its limit, in words."""
        limits: Mapping[str, int] = asdict(self.limits)
        return [
            f"{self.role} (process {self.pid}): {name} grew by {more}, at most {limits[name]} is allowed"
            for name, more in self.growth().items()
            if name in JUDGED and more > limits[name]
        ]
