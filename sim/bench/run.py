# SPDX-License-Identifier: BSD-2-Clause
"""scripts/bench: measure, compare with limits of the same rounds, print one table."""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
import statistics
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import readme
import rows_elsewhere
from programs import Machine, ProgramError
from rows import ALL as OWN
from rows import Context, Measurement, Sample

ALL = [*OWN, *rows_elsewhere.ELSEWHERE]
CHECKOUT = Path(__file__).resolve().parents[2]

ROUNDS = 7
SECONDS = 0.3
QUICK_SECONDS = 0.02


@dataclass
class Figure:
    """One line of the table."""

    name: str
    title: str
    unit: str
    group: str
    limit_title: str
    ours: list[float] = field(default_factory=list)
    limit: list[float] = field(default_factory=list)
    error: str = ""

    @property
    def ratios(self) -> list[float]:
        """Ours / limit, round by round."""
        return [ours / limit for ours, limit in zip(self.ours, self.limit) if limit]


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """First quartile, median, third quartile."""
    if len(values) < 2:
        return (values[0],) * 3
    first, median, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, median, third


def take(figures: dict[str, Figure], sample: Sample, limit: bool) -> None:
    """Put the samples of a round where they belong."""
    for name, value in sample.items():
        if value is not None:
            (figures[name].limit if limit else figures[name].ours).append(value)


def measure(measurement: Measurement, context: Context, rounds: int) -> list[Figure]:
    """All rounds of a measurement: ours and its limit in turn, either one first."""
    figures = {
        name: Figure(
            name, title, unit, measurement.group,
            measurement.limit_titles.get(name, measurement.limit_title),
        )
        for name, (title, unit) in measurement.figures.items()
    }
    if rounds > 1:
        rounds *= measurement.times
    try:
        for number in range(rounds if measurement.rounds else 1):
            for limit in (number % 2 == 1, number % 2 == 0):
                if not limit:
                    take(figures, measurement.ours(context), limit=False)
                elif measurement.limit is not None:
                    take(figures, measurement.limit(context), limit=True)
    except ProgramError as error:
        if measurement.group in rows_elsewhere.SLOW_GROUPS:
            # One line says it for all.
            figures = dict(list(figures.items())[:1])
        for figure in figures.values():
            figure.error = str(error)
    # Of the suites' groups some have no cases.
    return [
        figure
        for figure in figures.values()
        if figure.ours or figure.error or measurement.group not in rows_elsewhere.SLOW_GROUPS
    ]


def verdict(figure: Figure, bound: dict[str, float]) -> tuple[str, bool | None]:
    """The bound in words, and whether it holds; None: there is none, or nothing was measured."""
    words = [
        f"ratio >= {bound['at_least']:g}" if "at_least" in bound else "",
        f"ratio <= {bound['at_most']:g}" if "at_most" in bound else "",
        f"<= {bound['most']:g}" if "most" in bound else "",
        f">= {bound['least']:g}" if "least" in bound else "",
    ]
    text = ", ".join(word for word in words if word)
    if not bound:
        return text, None
    if figure.error or not figure.ours:
        return text, False if figure.error else None
    holds = True
    value = statistics.median(figure.ours)
    if "at_least" in bound or "at_most" in bound:
        ratio = statistics.median(figure.ratios) if figure.ratios else math.nan
        holds = ratio >= bound.get("at_least", 0) and ratio <= bound.get("at_most", math.inf)
    holds = holds and value <= bound.get("most", math.inf) and value >= bound.get("least", 0)
    return text, holds


def as_json(figure: Figure, bound: dict[str, float]) -> dict[str, Any]:
    """A figure for programs."""
    text, holds = verdict(figure, bound)
    result: dict[str, Any] = {
        "figure": figure.name,
        "title": figure.title.strip(),
        "belongs_to_previous": figure.title.startswith(" "),
        "unit": figure.unit,
        "group": figure.group,
        "ours": figure.ours,
        "limit": figure.limit,
        "limit_title": figure.limit_title if figure.limit else None,
        "bound": bound or None,
        "bound_text": text or None,
        "holds": holds,
        "error": figure.error or None,
    }
    if figure.ours:
        result["ours_quartiles"] = quartiles(figure.ours)
    if figure.limit:
        result["limit_quartiles"] = quartiles(figure.limit)
    if figure.ratios:
        result["ratio_quartiles"] = quartiles(figure.ratios)
    return result


def from_json(entry: dict[str, Any]) -> Figure:
    """What as_json() wrote, without its verdict."""
    return Figure(
        entry["figure"],
        ("  " if entry["belongs_to_previous"] else "") + entry["title"],
        entry["unit"],
        entry["group"],
        entry["limit_title"] or "",
        entry["ours"],
        entry["limit"],
        entry["error"] or "",
    )


def short(value: float) -> str:
    """A number of at most three or four digits that count."""
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    if value >= 1e4:
        return f"{value / 1e3:.0f} k"
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.3g}"


def spread(values: list[float]) -> str:
    """Median, and quartiles in brackets."""
    first, median, third = quartiles(values)
    if len(values) < 2:
        return short(median)
    return f"{short(median)} [{short(first)}..{short(third)}]"


HEADINGS = ("figure", "unit", "ours", "limit", "ratio", "bound", "")


def line(figure: Figure, bound: dict[str, float]) -> tuple[str, ...]:
    """The cells of a figure."""
    text, holds = verdict(figure, bound)
    if figure.error:
        return (figure.title, figure.unit, "failed", figure.error, "", text, "MISSED" if bound else "")
    ratio = ""
    if figure.ratios:
        first, median, third = quartiles(figure.ratios)
        ratio = f"{median:.2f} [{first:.2f}..{third:.2f}]" if len(figure.ratios) > 1 else f"{median:.2f}"
    limit = f"{spread(figure.limit)} {figure.limit_title}" if figure.limit else ""
    mark = "" if holds is None else "holds" if holds else "MISSED"
    ours = spread(figure.ours) if figure.ours else "not measured"
    return (figure.title, figure.unit, ours, limit, ratio, text, mark)


def print_table(figures: list[Figure], bounds: dict[str, dict[str, float]]) -> None:
    """The table for people."""
    rows = [HEADINGS] + [line(figure, bounds.get(figure.name, {})) for figure in figures]
    widths = [min(70, max(len(row[column]) for row in rows)) for column in range(len(HEADINGS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def machine_words() -> dict[str, Any]:
    """Where and when, for whoever reads the table later."""
    model = platform.processor() or "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for text in file:
            if text.startswith("model name"):
                model = text.split(":", 1)[1].strip()
                break
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "load": round(os.getloadavg()[0], 2),
    }


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure the simulator beside the limits of this machine, in the same minutes.",
        epilog="Exit status: 0; with --check 1 when a bound is missed; 2 wrong usage.",
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="a row or a group of --list; default: all")
    parser.add_argument("--list", action="store_true", help="name the rows and their groups, and exit")
    parser.add_argument("--check", action="store_true", help="exit 1 when a bound of bounds.toml is missed")
    parser.add_argument("--quick", action="store_true", help="one short round each: only to see that it works")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of each run; default {SECONDS}")
    parser.add_argument("--json", metavar="FILE", help="write all samples there too; - is standard output, alone")
    parser.add_argument(
        "--readme", action="store_true", help="write the table into README.md, with date and machine"
    )
    parser.add_argument(
        "--from", dest="source", metavar="FILE", type=Path, help="measure nothing: take what --json wrote"
    )
    parser.add_argument(
        "--fuzz-rates", metavar="FILE", type=Path,
        help="take rates.json of scripts/fuzz rate instead of running it (build/fuzz-work/rates.json)",
    )
    parser.add_argument(
        "--remote-report", metavar="FILE", type=Path, help="report.json of rpmsg-conform remote, the same"
    )
    parser.add_argument(
        "--host-report", metavar="FILE", type=Path, help="report.json of scripts/conform, the same"
    )
    parser.add_argument("--programs", required=True, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds have to be above 0")
    known = {row.name for row in ALL} | {row.group for row in ALL}
    for name in options.rows:
        if name not in known:
            parser.error(f"there is no row or group {name}; see --list")
    return options


def choose(options: argparse.Namespace) -> list[Measurement]:
    """The rows that were asked for; --check by itself leaves out those that have no bound and take long."""
    if options.rows:
        return [row for row in ALL if {row.name, row.group} & set(options.rows)]
    return [row for row in ALL if not options.check or row.group not in rows_elsewhere.SLOW_GROUPS]


def measure_all(options: argparse.Namespace) -> tuple[dict[str, Any], list[Figure]]:
    """Machine and date, and all figures."""
    seconds = QUICK_SECONDS if options.quick else options.seconds
    context = Context(Machine(options.programs), seconds, options.quick)
    rounds = 1 if options.quick else options.rounds
    chosen = choose(options)
    about = machine_words()
    figures: list[Figure] = []
    for number, row in enumerate(chosen, 1):
        if sys.stderr.isatty():
            print(f"\r{number}/{len(chosen)} {row.name:30}", end="", file=sys.stderr, flush=True)
        figures += measure(row, context, rounds)
    if sys.stderr.isatty():
        print("\r" + " " * 50, end="\r", file=sys.stderr)
    about["load_after"] = round(os.getloadavg()[0], 2)
    about["rounds"] = rounds
    about["seconds"] = seconds
    return about, figures


def recall(path: Path) -> tuple[dict[str, Any], list[Figure]]:
    """What an earlier run has written with --json."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        return report["machine"], [from_json(entry) for entry in report["figures"]]
    except (OSError, ValueError, KeyError) as error:
        raise SystemExit(f"scripts/bench: --from {path}: no table of --json: {error}") from error


def main(arguments: list[str]) -> int:
    """Return the exit status."""
    options = parse(arguments)
    if options.list:
        for row in ALL:
            print(f"{row.name:20} {row.group:10} {next(iter(row.figures.values()))[0]}")
        return 0
    bounds = tomllib.loads(Path(__file__).with_name("bounds.toml").read_text(encoding="utf-8"))
    rows_elsewhere.files.update(
        fuzz=options.fuzz_rates, remote=options.remote_report, host=options.host_report
    )
    about, figures = recall(options.source) if options.source else measure_all(options)
    if options.json:
        report = {"machine": about, "rounds": about["rounds"], "seconds": about["seconds"]}
        report["figures"] = [as_json(figure, bounds.get(figure.name, {})) for figure in figures]
        text = json.dumps(report, indent=1) + "\n"
        if options.json == "-":
            sys.stdout.write(text)
        else:
            Path(options.json).write_text(text, encoding="utf-8")
    if options.json != "-":
        print(", ".join(f"{key} {value}" for key, value in about.items()))
        print_table(figures, bounds)
    if options.readme:
        rows = [line(figure, bounds.get(figure.name, {})) for figure in figures]
        try:
            readme.put(CHECKOUT / "README.md", readme.markdown(about, (*HEADINGS[:-1], "holds"), rows))
        except readme.ReadmeError as error:
            print(f"scripts/bench: {error}", file=sys.stderr)
            return 1
    failed = [figure.name for figure in figures if figure.error]
    missed = [f.name for f in figures if verdict(f, bounds.get(f.name, {}))[1] is False]
    if options.quick:
        # Of so short a run only whether it works means anything.
        return 1 if failed else 0
    if missed and options.json != "-":
        print(f"{len(missed)} bounds missed: {' '.join(missed)}")
    return 1 if options.check and (missed or failed) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
