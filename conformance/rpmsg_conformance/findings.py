# SPDX-License-Identifier: BSD-2-Clause
"""What the suite found in real kernels: a page made of the baselines, conformance/FINDINGS.md.

    python3 -m rpmsg_conformance.findings            # prints it
    python3 -m rpmsg_conformance.findings --write    # puts it in its place
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rpmsg_conformance import baseline, catalogue, coverage
from rpmsg_conformance.baseline import Deviation
from rpmsg_conformance.catalogue import Catalogue, Side
from rpmsg_conformance.files import write_whole

BASELINES = coverage.CONFORMANCE.parent / "fixtures" / "baselines"
PAGE = coverage.CONFORMANCE / "FINDINGS.md"

_HEAD = """\
# What the suite found in real kernels

Made of the baselines in [fixtures/baselines](../fixtures/baselines/README.md) by `python3 -m
rpmsg_conformance.findings --write`: each entry was seen on the guests named, and each run sees it again
or fails. A guest's name is that of `scripts/guest`; `-mmio` is the same over virtio-mmio.
"""


def collect(
    folder: Path, known: Catalogue, cases: Mapping[str, Iterable[str]]
) -> list[tuple[Deviation, list[str]]]:
    """Each deviation once, and the guests that have it, in the order of requirements.

    Raises BaselineError.
    """
    found: dict[tuple[str, str], tuple[Deviation, list[str]]] = {}
    for path in sorted(folder.glob("*.toml")):
        for deviation in baseline.load(path, known, cases).deviations:
            _, guests = found.setdefault(
                (deviation.requirement, " ".join(deviation.reason.split())), (deviation, [])
            )
            if path.stem not in guests:
                guests.append(path.stem)
    return [found[key] for key in sorted(found)]


def page(folder: Path) -> str:
    """The page as text. Raises BaselineError or CatalogueError."""
    known, citations, _ = coverage.read(coverage.CONFORMANCE)
    cases: dict[str, set[str]] = {}
    for citation in citations:
        if citation.suite is Side.HOST:
            cases.setdefault(citation.requirement, set()).add(citation.case)
    lines = [_HEAD]
    for deviation, guests in collect(folder, known, cases):
        requirement = known[deviation.requirement]
        shown = [deviation.case] if deviation.case else sorted(cases[deviation.requirement])
        lines.append(f"## {deviation.requirement} ({requirement.level.value}): {requirement.text}\n")
        lines.append(" ".join(deviation.reason.split()) + "\n")
        lines.append(f"- guests: {', '.join(sorted(guests))}")
        if deviation.function:
            lines.append(f"- where: {deviation.function}")
        lines.append(f"- shown by: {', '.join(f'`{case}`' for case in shown)}")
        if deviation.link:
            lines.append(f"- see: <{deviation.link}>")
        lines.append("")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the page, or put it in its place."""
    parser = argparse.ArgumentParser(prog="findings", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args(arguments)
    try:
        text = page(BASELINES)
    except (baseline.BaselineError, catalogue.CatalogueError) as error:
        print(f"findings: {error}", file=sys.stderr)
        return 1
    if options.write:
        write_whole(PAGE, text.encode())
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
