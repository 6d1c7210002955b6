# SPDX-License-Identifier: BSD-2-Clause
"""Findings as folders: input, decoded.txt, console.txt, repro.txt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzz.tools import oplist
from fuzz.tools.host.signature import slug
from fuzz.tools.oplist import Schema


@dataclass(frozen=True)
class Finding:
    """Something that a guest did wrong."""

    signature: str
    data: bytes  #: the shortest list that shows it
    console: Sequence[str]  #: what the kernel said
    detail: str
    shown: str  #: how sure it is that the list shows it
    others: Sequence[bytes] = ()  #: lists that were carried out before or beside it, and are needed


def folder_of(folder: Path, signature: str) -> Path:
    """Where a finding of this signature is kept."""
    return folder / slug(signature)


def claim(folder: Path, signature: str) -> Path | None:
    """Make a finding's folder; None when somebody has found it before."""
    path = folder_of(folder, signature)
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        return None
    return path


def write(path: Path, schema: Schema, finding: Finding, guest: str) -> None:
    """Write a finding into its folder."""
    (path / "input").write_bytes(finding.data)
    inputs = [path / "input"]
    for number, data in enumerate(finding.others, 1):
        inputs.append(path / f"input-{number}")
        inputs[-1].write_bytes(data)
    text = []
    for file, data in zip(inputs, [finding.data, *finding.others], strict=True):
        text.append(f"# {file.name}\n" if len(inputs) > 1 else "")
        text += [oplist.show(item) + "\n" for item in oplist.decode(schema, data)]
    (path / "decoded.txt").write_text("".join(text), encoding="utf-8")
    console = "\n".join(finding.console) + "\n"
    (path / "console.txt").write_text(console, encoding="utf-8", errors="replace")
    together = "" if len(inputs) == 1 else "   # all of them are needed\n"
    (path / "repro.txt").write_text(
        f"# {finding.signature}\n"
        f"# {finding.detail or 'see console.txt'}\n"
        f"# {finding.shown}\n"
        f"{together}"
        f"rpmsg-fuzz host --guest {guest} --replay {' '.join(str(file) for file in inputs)}\n",
        encoding="utf-8",
    )
