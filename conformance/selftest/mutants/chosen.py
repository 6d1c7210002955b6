# SPDX-License-Identifier: BSD-2-Clause
"""Which requirement this run of the remote breaks, if any: the name of one mutant of table.py."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

_chosen: str | None = None


def choose(name: str | None) -> None:
    """Break this requirement from now on; None breaks none."""
    global _chosen
    _chosen = name


def mutant(name: str) -> bool:
    """Whether the mistake of this name is to be made."""
    return _chosen == name


def die(text: str) -> NoReturn:
    """End as a program that crashed does."""
    print(f"remote: dies: {text}", file=sys.stderr, flush=True)
    os._exit(1)
