# SPDX-License-Identifier: BSD-2-Clause
"""What a run tells: a line every few seconds, and a table and JSON at the end."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rpmsg_conformance.soak.counts import Stream, Totals
from rpmsg_conformance.soak.resources import Life

COUNTS = ("sent", "received", "lost", "doubled", "reordered", "damaged", "late", "in_flight")


def machine() -> dict[str, Any]:
    """Where and when."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "load": round(os.getloadavg()[0], 2),
    }


@dataclass
class Outcome:
    """A run that has ended."""

    path: str
    seed: int
    seconds: float
    late: float
    totals: Totals
    lives: Sequence[Life]
    events: Mapping[str, int]
    problems: list[str] = field(default_factory=list)
    notes: Mapping[str, object] = field(default_factory=dict)

    def all_problems(self) -> list[str]:
        """Everything that is wrong; nothing of it in a run that passed."""
        grown = [text for life in self.lives for text in life.problems()]
        silent = [] if self.totals.messages else ["no message was exchanged"]
        return [*self.totals.problems(), *self.problems, *grown, *silent]

    def as_json(self) -> dict[str, Any]:
        """The run for programs."""
        streams = self.totals.streams.items()
        return {
            "path": self.path,
            "machine": machine(),
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            "late_limit_seconds": self.late,
            "messages": self.totals.messages,
            "messages_per_second": round(self.totals.messages / max(self.seconds, 1e-9)),
            "streams": {name: asdict(stream) for name, stream in streams},
            "events": dict(self.events),
            "processes": [_life_json(life) for life in self.lives],
            **self.notes,
            "problems": self.all_problems(),
            "passed": not self.all_problems(),
        }

    def table(self) -> str:
        """The run for people."""
        about = machine()
        problems = self.all_problems()
        lines = [
            f"soak of {self.path}: {self.seconds:.1f} s, seed {self.seed}, {about['date']}, "
            f"{about['processor']}, {about['cores']} cores",
            f"{self.totals.messages} messages, "
            f"{self.totals.messages / max(self.seconds, 1e-9):.0f} a second",
            "",
            _row("", [name.replace("_", " ") for name in COUNTS]),
        ]
        lines += [_row(name, _counts(stream)) for name, stream in self.totals.streams.items()]
        lines += [
            f"late: above {self.late:g} s; in flight: on the way when the plan broke the link off",
            "",
            "done to it: " + ", ".join(f"{name} {count}" for name, count in self.events.items()),
            *[f"{name}: {value}" for name, value in self.notes.items()],
            "",
            *_life_table(self.lives),
            "",
            *[f"WRONG: {text}" for text in problems],
            f"soak of {self.path}: " + (f"failed, {len(problems)} things wrong" if problems else "passed"),
        ]
        return "\n".join(lines)


def progress_line(seconds: float, totals: Totals, events: Mapping[str, int]) -> str:
    """How far a run has come."""
    counted = ", ".join(
        f"{what.replace('_', ' ')} {totals.sum(what)}" for what in COUNTS if what not in ("sent", "received")
    )
    return (
        f"{seconds:7.1f} s  {totals.messages} messages, {totals.messages / max(seconds, 1e-9):.0f} a second; "
        f"{counted}; {sum(events.values())} events"
    )


def _counts(stream: Stream) -> list[str]:
    return [str(getattr(stream, name)) for name in COUNTS]


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:8}" + "".join(f"{cell:>13}" for cell in cells)


def _life_json(life: Life) -> dict[str, Any]:
    return {
        "role": life.role,
        "pid": life.pid,
        "seconds": round(life.seconds, 1),
        "looks": life.looks,
        "first": asdict(life.first) if life.first else None,
        "last": asdict(life.last) if life.last else None,
        "growth": life.growth(),
        "limits": asdict(life.limits),
    }


def _life_table(lives: Sequence[Life]) -> list[str]:
    """The longest life of each role in full, the others in one line."""
    heading = f"{'process':12} {'seconds':>8} {'resident KiB':>20} {'private KiB':>20} {'descriptors':>14} {'mappings':>14}"
    lines = [heading]
    for role in dict.fromkeys(life.role for life in lives):
        those = [life for life in lives if life.role == role]
        longest = max(those, key=lambda life: life.seconds)
        if longest.first is None or longest.last is None:
            continue
        first, last = longest.first, longest.last
        lines.append(
            f"{role:12} {longest.seconds:8.1f} {f'{first.rss} -> {last.rss}':>20} "
            f"{f'{first.private} -> {last.private}':>20} "
            f"{f'{first.descriptors} -> {last.descriptors}':>14} "
            f"{f'{first.mappings} -> {last.mappings}':>14}"
        )
        if len(those) > 1:
            most = max(life.growth().get("private", 0) for life in those)
            lines.append(f"{'':12} and {len(those) - 1} that ended before; the most that one grew: {most} KiB")
    return lines
