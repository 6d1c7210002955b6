# SPDX-License-Identifier: BSD-2-Clause
"""
scripts/bench --growth: how rates and processor time change with payload, endpoints, remotes and ring
size, each beside the limit of the same rounds, as pictures and as text.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from growth_plot import draw, need_matplotlib
from programs import Machine, ProgramError, Sim, beside, bench, host, host_command, one_way_service, sim
from rows import Context, rate
from run import machine_words, short

ROUNDS = 5
SECONDS = 0.2
QUICK_SECONDS = 0.02

#: Payloads that fit buffers of 512 bytes, and some that take larger ones.
SMALL_PAYLOADS = (8, 16, 64, 128, 256, 496)
LARGE_PAYLOADS = (1024, 4096, 16384, 65519)
#: So many times as long is looked at those.
LARGE_TIMES = 3
ENDPOINTS = (1, 10, 100, 1000, 10000, 65536)
REMOTES = (1, 2, 4, 8, 16, 32, 64)
RINGS = (1, 4, 16, 64, 256, 1024, 4096, 32768)

#: Of each scale only so many points are taken for a quick look, from both ends.
QUICK_POINTS = 2

#: As many messages on their way as keep both sides busy.
BUSY = ("--batch", "32", "--window", "128")

#: One sample of every series of a chart at one point; series without a value at that point are left out.
Point = dict[str, float]


@dataclass
class Series:
    """A line: its points, with all samples of each."""

    label: str
    limit: bool = False
    samples: dict[int, list[float]] = field(default_factory=dict)

    def medians(self) -> list[tuple[int, float]]:
        """The points in order."""
        return [(x, statistics.median(values)) for x, values in sorted(self.samples.items())]

    def spread(self, x: int) -> tuple[float, float]:
        """Lowest and highest sample of a point."""
        return min(self.samples[x]), max(self.samples[x])


@dataclass
class Panel:
    """One diagram: lines over one scale."""

    title: str
    unit: str
    series: list[Series]


@dataclass
class Chart:
    """All diagrams over one scale, from the same runs."""

    name: str
    scale: str
    points: Sequence[int]
    panels: list[Panel]
    measure: Callable[[Context, int], Point]
    """Samples of ours, by the series' labels."""
    limits: Callable[[Context, int], Point]
    errors: list[str] = field(default_factory=list)

    def take(self, context: Context, x: int, first_limits: bool) -> None:
        """One round of one point."""
        parts = [self.measure, self.limits]
        for part in reversed(parts) if first_limits else parts:
            try:
                point = part(context, x)
            except ProgramError as error:
                self.errors.append(f"{self.scale} {x}: {error}")
                continue
            for panel in self.panels:
                for series in panel.series:
                    # None at all came of a run that was too short for it.
                    if point.get(series.label, 0) > 0:
                        series.samples.setdefault(x, []).append(point[series.label])


# ---- how much processor time a program took --------------------------------------------------


def processor_ns(pid: int) -> int:
    """Nanoseconds that a process has run so far."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0])


def one_way(
    context: Context, mode: str, size: int, remote_options: Sequence[str], host_options: Sequence[str]
) -> tuple[float, float]:
    """Messages a second one way, and nanoseconds of the remote's processor time for each."""
    machine = context.machine
    cores = machine.two_cores
    with sim(machine, cores[1], "--service", one_way_service(mode, size), *remote_options) as remote:
        before = processor_ns(remote.process.pid)
        answer = host(
            machine, remote.socket, context.seconds, cores[0], mode, "--mode", mode, "--size", str(size),
            *host_options,
        )
        taken = processor_ns(remote.process.pid) - before
    return answer["per_second"], taken / max(1, answer["messages"])


def echoes(
    context: Context, size: int, remote_options: Sequence[str], *options: str
) -> tuple[float, float]:
    """Round trips a second, and nanoseconds of the remote's processor time for each message of them."""
    machine = context.machine
    cores = machine.two_cores
    with sim(machine, cores[1], "--service", "echo", *remote_options) as remote:
        before = processor_ns(remote.process.pid)
        answer = host(
            machine, remote.socket, context.seconds, cores[0], "echo", "--size", str(size), *options
        )
        taken = processor_ns(remote.process.pid) - before
    return answer["per_second"], taken / max(1, 2 * answer["messages"])


def limit(context: Context, name: str, *arguments: str) -> float:
    """Nanoseconds that rpmsg-bench says a unit takes."""
    answer = bench(context.machine, context.seconds, context.machine.two_cores, name, *arguments)
    return float(answer["ns"])


# ---- payload --------------------------------------------------------------------------------------


def large(size: int) -> tuple[list[str], list[str]]:
    """Options of the remote and of the host for a payload of this size."""
    if size <= max(SMALL_PAYLOADS):
        return [], []
    options = ["--buffer-size", str(size + 16)]
    return options, options


def payload(context: Context, size: int) -> Point:
    """Between two processes."""
    of_remote, of_host = large(size)
    if of_host:
        # Few messages: their memory has to be touched for the first time before it counts.
        context = replace(context, seconds=LARGE_TIMES * context.seconds)
    one, _ = echoes(context, size, of_remote, *of_host)
    many, echo_ns = echoes(context, size, of_remote, *BUSY, *of_host)
    sink, sink_ns = one_way(context, "sink", size, of_remote, of_host)
    source, source_ns = one_way(context, "source", size, of_remote, of_host)
    return {
        "one on its way": one,
        "128 on their way": many,
        "host to remote": sink,
        "remote to host": source,
        "of an echo": echo_ns,
        "host to remote, the remote's": sink_ns,
        "remote to host, the remote's": source_ns,
    }


def payload_limits(context: Context, size: int) -> Point:
    """What has to happen at least."""
    bare = limit(context, "bare", "--size", str(size))
    point = {
        "eventfd ping-pong": rate(limit(context, "eventfd")),
        "bare split ring, echo in one thread": rate(bare),
        "bare split ring, one thread": 2 * rate(bare),
        "bare split ring, checked by nobody": bare / 2,
    }
    if size <= max(SMALL_PAYLOADS):
        point["one-way ring of 512-byte slots"] = rate(limit(context, "ring", "--size", str(size)))
    return point


# ---- ring size ------------------------------------------------------------------------------------


def ring(context: Context, entries: int) -> Point:
    """Device side alone for the echoes, two processes for one way."""
    size = str(entries)
    echo_ns = limit(context, "device", "--ring", size)
    window = ["--batch", str(min(32, entries)), "--queue-size", size]
    sink, sink_ns = one_way(context, "sink", 496, [], window)
    source, source_ns = one_way(context, "source", 496, [], ["--queue-size", size])
    return {
        "echo 496 B, device side": rate(echo_ns),
        "host to remote": sink,
        "remote to host": source,
        "echo, device side": echo_ns / 2,
        "host to remote, the remote's": sink_ns,
        "remote to host, the remote's": source_ns,
    }


def ring_limits(context: Context, entries: int) -> Point:
    """A bare ring of the same size; slots in shared memory."""
    bare = limit(context, "bare", "--ring", str(entries))
    return {
        "bare split ring": rate(bare),
        "one-way ring of 256 slots": rate(limit(context, "ring")),
        "bare split ring, a message": bare / 2,
    }


# ---- endpoints ------------------------------------------------------------------------------------


def endpoints(context: Context, count: int) -> Point:
    """All of them addressed alike, device side alone."""
    echo_ns = limit(context, "device", "--endpoints", str(count))
    sink_ns = limit(context, "sink", "--endpoints", str(count))
    return {
        "echo 496 B": rate(echo_ns),
        "496 B into a sink": rate(sink_ns),
        "of an echo": echo_ns / 2,
        "into a sink": sink_ns,
    }


def endpoints_limits(context: Context, count: int) -> Point:
    """A ring that knows no endpoints."""
    bare = limit(context, "bare")
    return {
        "bare split ring": rate(bare),
        "bare split ring, two messages an echo": 2 * rate(bare),
        "bare split ring, a message": bare / 2,
    }


# ---- remotes --------------------------------------------------------------------------------------


def together(context: Context, count: int, mode: str) -> tuple[float, float]:
    """Messages a second of as many hosts as remotes, and the remotes' processor time for each."""
    machine = context.machine
    cores = machine.two_cores
    with contextlib.ExitStack() as stack:
        remote: Sim = stack.enter_context(
            sim(machine, cores[1], "--service", f"{mode}={mode}", remotes=count)
        )
        for socket in remote.sockets:
            command = host_command(
                machine, socket, 3600, mode, "--mode", mode, "--size", "496", *BUSY
            )
            stack.enter_context(beside(command, None))
        remote.wait_all_busy()
        before, begun = remote.received(), time.monotonic()
        spent = processor_ns(remote.process.pid)
        time.sleep(context.seconds)
        done, taken = remote.received() - before, time.monotonic() - begun
        spent = processor_ns(remote.process.pid) - spent
    return done / taken, spent / max(1, done)


def remotes(context: Context, count: int) -> Point:
    """All in one process, each with a host that is busy."""
    echo, echo_ns = together(context, count, "echo")
    sink, sink_ns = together(context, count, "sink")
    return {
        "all together, echoes": echo,
        "all together, into sinks": sink,
        "of an echo": echo_ns / 2,
        "into a sink": sink_ns,
    }


def remotes_limits(context: Context, count: int) -> Point:
    """One remote and one host, in the same round."""
    echo, echo_ns = together(context, 1, "echo")
    sink, _ = together(context, 1, "sink")
    return {
        "one remote, echoes": echo,
        "one remote, into a sink": sink,
        "one remote, of an echo": echo_ns / 2,
    }


# ---- all of them ----------------------------------------------------------------------------------

TIME = "ns of processor time a message"


def charts() -> list[Chart]:
    """What is drawn; of each scale one picture."""
    return [
        Chart(
            "payload",
            "payload, bytes",
            (*SMALL_PAYLOADS, *LARGE_PAYLOADS),
            [
                Panel(
                    "echo, two processes",
                    "round trips/s",
                    [
                        Series("one on its way"),
                        Series("128 on their way"),
                        Series("eventfd ping-pong", True),
                        Series("bare split ring, echo in one thread", True),
                    ],
                ),
                Panel(
                    "one way, two processes",
                    "messages/s",
                    [
                        Series("host to remote"),
                        Series("remote to host"),
                        Series("one-way ring of 512-byte slots", True),
                        Series("bare split ring, one thread", True),
                    ],
                ),
                Panel(
                    "processor time of the remote",
                    TIME,
                    [
                        Series("of an echo"),
                        Series("host to remote, the remote's"),
                        Series("remote to host, the remote's"),
                        Series("bare split ring, checked by nobody", True),
                    ],
                ),
            ],
            payload,
            payload_limits,
        ),
        Chart(
            "ring",
            "ring size, entries",
            RINGS,
            [
                Panel(
                    "echo, one thread",
                    "round trips/s",
                    [Series("echo 496 B, device side"), Series("bare split ring", True)],
                ),
                Panel(
                    "one way 496 B, two processes",
                    "messages/s",
                    [
                        Series("host to remote"),
                        Series("remote to host"),
                        Series("one-way ring of 256 slots", True),
                    ],
                ),
                Panel(
                    "processor time",
                    TIME,
                    [
                        Series("echo, device side"),
                        Series("host to remote, the remote's"),
                        Series("remote to host, the remote's"),
                        Series("bare split ring, a message", True),
                    ],
                ),
            ],
            ring,
            ring_limits,
        ),
        Chart(
            "endpoints",
            "endpoints",
            ENDPOINTS,
            [
                Panel(
                    "echo, one thread",
                    "round trips/s",
                    [Series("echo 496 B"), Series("bare split ring", True)],
                ),
                Panel(
                    "one way, one thread",
                    "messages/s",
                    [
                        Series("496 B into a sink"),
                        Series("bare split ring, two messages an echo", True),
                    ],
                ),
                Panel(
                    "processor time",
                    TIME,
                    [
                        Series("of an echo"),
                        Series("into a sink"),
                        Series("bare split ring, a message", True),
                    ],
                ),
            ],
            endpoints,
            endpoints_limits,
        ),
        Chart(
            "remotes",
            "remotes in one process",
            REMOTES,
            [
                Panel(
                    "echo 496 B, a host for each remote",
                    "round trips/s",
                    [Series("all together, echoes"), Series("one remote, echoes", True)],
                ),
                Panel(
                    "one way 496 B",
                    "messages/s",
                    [Series("all together, into sinks"), Series("one remote, into a sink", True)],
                ),
                Panel(
                    "processor time of the remotes",
                    TIME,
                    [
                        Series("of an echo"),
                        Series("into a sink"),
                        Series("one remote, of an echo", True),
                    ],
                ),
            ],
            remotes,
            remotes_limits,
        ),
    ]


def text_of(chart: Chart) -> list[str]:
    """The numbers of a picture, a table for each diagram."""
    lines = []
    for panel in chart.panels:
        labels = [series.label + (" (limit)" if series.limit else "") for series in panel.series]
        width = max(len(label) for label in labels) + 2
        lines += ["", f"{panel.title}: {panel.unit}"]
        lines.append(f"{chart.scale:>24}" + "".join(f"{label:>{width}}" for label in labels))
        for x in sorted({x for series in panel.series for x in series.samples}):
            cells = [
                short(statistics.median(series.samples[x])) if x in series.samples else "-"
                for series in panel.series
            ]
            lines.append(f"{x:>24}" + "".join(f"{cell:>{width}}" for cell in cells))
    return lines + [f"FAILED: {error}" for error in chart.errors]


def as_json(chart: Chart) -> dict[str, Any]:
    """All samples of a picture."""
    panels = [
        {
            "title": panel.title,
            "unit": panel.unit,
            "series": [
                {"label": series.label, "limit": series.limit, "samples": series.samples}
                for series in panel.series
            ],
        }
        for panel in chart.panels
    ]
    return {"name": chart.name, "scale": chart.scale, "panels": panels, "errors": chart.errors}


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    names = [chart.name for chart in charts()]
    parser = argparse.ArgumentParser(
        prog="scripts/bench --growth",
        description="Draw how rates and processor time change with payload, ring, endpoints and remotes.",
        epilog="Exit status: 0; 1 when something could not be measured; 2 wrong usage.",
    )
    parser.add_argument("charts", nargs="*", metavar="CHART", help=f"of {', '.join(names)}; default: all")
    parser.add_argument("--growth", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="two points each, once: only to see that it works")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of each run; default {SECONDS}")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="default: build/growth")
    parser.add_argument("--programs", required=True, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds have to be above 0")
    for name in options.charts:
        if name not in names:
            parser.error(f"there is no chart {name}: {', '.join(names)} are")
    return options


def tell(text: str) -> None:
    """How far it has come, for whoever sits before it."""
    if sys.stderr.isatty():
        print(f"\r{text:60}\r{text}", end="", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Return the exit status."""
    options = parse(arguments)
    chosen = [chart for chart in charts() if not options.charts or chart.name in options.charts]
    seconds = QUICK_SECONDS if options.quick else options.seconds
    rounds = 1 if options.quick else options.rounds
    context = Context(Machine(options.programs), seconds, options.quick)
    # Rather now than after minutes of measuring.
    try:
        need_matplotlib()
    except ImportError as error:
        print(f"scripts/bench: {error}", file=sys.stderr)
        return 1
    about = machine_words()
    folder: Path = options.output
    folder.mkdir(parents=True, exist_ok=True)
    failed = False
    for chart in chosen:
        points = [*chart.points[:QUICK_POINTS - 1], chart.points[-1]] if options.quick else chart.points
        for number in range(rounds):
            for x in points:
                tell(f"{chart.name}: round {number + 1}/{rounds}, {x}")
                chart.take(context, x, first_limits=number % 2 == 1)
        tell("")
        draw(chart.panels, chart.scale, about, folder / f"{chart.name}.png")
        lines = [", ".join(f"{key} {value}" for key, value in about.items()), *text_of(chart)]
        (folder / f"{chart.name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print("\n".join(text_of(chart)))
        failed = failed or bool(chart.errors)
    about["load_after"] = machine_words()["load"]
    report = {"machine": about, "rounds": rounds, "seconds": seconds, "charts": [as_json(c) for c in chosen]}
    (folder / "growth.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"\npictures and tables: {folder}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (KeyboardInterrupt, subprocess.SubprocessError) as stopped:
        sys.exit(f"scripts/bench: {stopped or 'interrupted'}")
