# SPDX-License-Identifier: BSD-2-Clause
"""The pictures of scripts/bench --growth."""

from __future__ import annotations

import importlib
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol


class Line(Protocol):
    """A line of a diagram."""

    label: str
    limit: bool
    samples: dict[int, list[float]]


class Diagram(Protocol):
    """What stands in one of a picture's diagrams."""

    title: str
    unit: str

    @property
    def series(self) -> Sequence[Line]:
        """Its lines."""


#: Told apart without colours, too.
COLOURS = ("#1f5fa8", "#d2691e", "#2e8b57")
MARKERS = ("o", "s", "^")
LIMIT_COLOUR = "#202020"
LIMIT_STYLES = ("--", ":")

#: From this ratio of the highest to the lowest on, labels would stand too close.
MANY_DECADES = 2e4


def _module(name: str) -> Any:
    """A part of matplotlib, which has no types. Raises ImportError with what to do."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{error}: python3-matplotlib is missing, scripts/setup installs it") from error


def need_matplotlib() -> None:
    """Raises ImportError, with what to do, when pictures cannot be drawn."""
    _module("matplotlib")


def short_number(value: float, _position: object = None) -> str:
    """A number on an axis: 500, 20 k, 3 M."""
    for bound, letter in ((1e6, " M"), (1e3, " k")):
        if value >= bound:
            return f"{value / bound:g}{letter}"
    return f"{value:g}"


def _draw_line(axes: Any, line: Line, number: int) -> None:
    points = sorted(line.samples)
    if not points:
        return
    medians = [statistics.median(line.samples[x]) for x in points]
    if line.limit:
        style = LIMIT_STYLES[number % len(LIMIT_STYLES)]
        axes.plot(points, medians, color=LIMIT_COLOUR, linestyle=style, linewidth=2, label=f"limit: {line.label}")
        return
    colour = COLOURS[number % len(COLOURS)]
    axes.plot(points, medians, color=colour, marker=MARKERS[number % len(MARKERS)], label=line.label)
    lowest = [min(line.samples[x]) for x in points]
    highest = [max(line.samples[x]) for x in points]
    axes.fill_between(points, lowest, highest, color=colour, alpha=0.15, linewidth=0)


def _draw_diagram(axes: Any, diagram: Diagram, scale: str, ticks: Sequence[int]) -> None:
    for limit in (False, True):
        for number, line in enumerate(line for line in diagram.series if line.limit == limit):
            _draw_line(axes, line, number)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(ticks)
    axes.set_xticklabels([str(x) for x in ticks], rotation=45, ha="right", fontsize=9)
    axes.minorticks_off()
    axes.set_xlabel(scale)
    axes.set_ylabel(diagram.unit)
    axes.set_title(diagram.title)
    _label_y(axes)
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.27), frameon=False)


def _label_y(axes: Any) -> None:
    """Labels at 1, 2 and 5 of each decade, of many decades at 1 only."""
    ticker = _module("matplotlib.ticker")
    low, high = axes.get_ylim()
    axes.set_ylim(low * 0.8, high * 1.25)
    parts = (1.0,) if high / low > MANY_DECADES else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(ticker.LogLocator(base=10, subs=parts))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(short_number))


def draw(
    diagrams: Sequence[Diagram], scale: str, machine: Mapping[str, Any], path: Path
) -> None:
    """One picture with the diagrams side by side; bands reach from the lowest to the highest sample."""
    _module("matplotlib").use("Agg")
    pyplot = _module("matplotlib.pyplot")
    figure, row = pyplot.subplots(1, len(diagrams), figsize=(5.6 * len(diagrams), 6.3), squeeze=False)
    for axes, diagram in zip(row[0], diagrams):
        ticks = sorted({x for line in diagram.series for x in line.samples})
        _draw_diagram(axes, diagram, scale, ticks)
    about = f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}"
    figure.suptitle(f"rpmsg-sim over {scale}\n{about}, load {machine['load']}", fontsize=11)
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
