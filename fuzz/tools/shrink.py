# SPDX-License-Identifier: BSD-2-Clause
"""Makes an input smaller that breaks a rule, by operations where it has some, and by bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from fuzz.tools import oplist
from fuzz.tools.oplist import Item, Schema
from fuzz.tools.verdict import judge

Part = TypeVar("Part")


def fewest(parts: Sequence[Part], fails: Callable[[list[Part]], bool]) -> list[Part]:
    """Leave out as many parts as possible: halves first, single ones last.

    fails() says whether what is left still shows the fault; it does for all of them.
    """
    kept = list(parts)
    size = max(len(kept) // 2, 1)
    while kept:
        at, removed = 0, False
        while at < len(kept):
            shorter = kept[:at] + kept[at + size :]
            if fails(shorter):
                kept, removed = shorter, True
            else:
                at += size
        if size > 1:
            size //= 2
        elif not removed:
            break
    return kept


def plainer(item: Item) -> list[Item]:
    """The same operation with one field smaller."""
    variants = []
    for number, value in enumerate(item.values):
        for simple in (0, 1):
            if value > simple:
                values = (*item.values[:number], simple, *item.values[number + 1 :])
                variants.append(replace(item, values=values))
                break
    return variants


def shrink_list(schema: Schema, data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """Fewer operations, then plainer ones."""
    items = oplist.decode(schema, data)
    if not fails(oplist.encode(schema, items)):
        return data
    items = fewest(items, lambda left: fails(oplist.encode(schema, left)))
    for number in range(len(items)):
        changed = True
        while changed:
            changed = False
            for variant in plainer(items[number]):
                trial = [*items[:number], variant, *items[number + 1 :]]
                if fails(oplist.encode(schema, trial)):
                    items, changed = trial, True
                    break

        def with_tail(tail: list[int], number: int = number) -> list[Item]:
            return [*items[:number], replace(items[number], tail=bytes(tail)), *items[number + 1 :]]

        if items[number].tail:
            tail = fewest(items[number].tail, lambda left: fails(oplist.encode(schema, with_tail(left))))
            items = with_tail(tail)
    return oplist.encode(schema, items)


def shrink(replay: Path, schema: Schema | None, data: bytes) -> tuple[bytes, str]:
    """A smaller input with the same fault, and the rule that it breaks.

    Raises ValueError when the input breaks no rule.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "input"

        def rule(trial: bytes) -> str | None:
            file.write_bytes(trial)
            verdict = judge(replay, file)
            return verdict.rule if verdict is not None else None

        wanted = rule(data)
        if wanted is None:
            raise ValueError("breaks no rule in this build")

        def fails(trial: bytes) -> bool:
            return rule(trial) == wanted

        if schema is not None:
            try:
                return shrink_list(schema, data, fails), wanted
            except ValueError:
                pass  # no list: bytes
        return bytes(fewest(data, lambda left: fails(bytes(left)))), wanted
