# SPDX-License-Identifier: BSD-2-Clause
"""The whole table: importing this has every module of mistakes enter its own."""

from __future__ import annotations

from host_mutants import rings, traffic, vhost_user
from host_mutants.table import MUTANTS, WITHOUT_MUTANT

__all__ = ["MUTANTS", "WITHOUT_MUTANT", "rings", "traffic", "vhost_user"]
