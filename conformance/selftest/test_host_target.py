# SPDX-License-Identifier: BSD-2-Clause
"""The target of the host suite, as far as it can be tested without a guest."""

from __future__ import annotations

import pytest

from rpmsg_conformance.host_target import MOST_PATIENCE, patience


@pytest.mark.parametrize(
    ("load", "processors", "factor"),
    [(0.0, 2, 1.0), (1.0, 2, 1.0), (3.0, 2, 2.0), (3.0, 8, 1.0), (50.0, 2, MOST_PATIENCE)],
)
def test_host_target_deadlines_grow_with_the_load(
    load: float, processors: int, factor: float
) -> None:
    assert patience(load, processors) == factor
