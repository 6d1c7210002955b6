# SPDX-License-Identifier: BSD-2-Clause
"""Messages of unmet expectations say what was expected and what was seen."""

from __future__ import annotations

import pytest

from rpmsg_conformance.expect import Unmet, expect, expect_equal, shorten


def unmet(what: str, observed: object, expected: object) -> tuple[str, str]:
    with pytest.raises(Unmet) as caught:
        expect_equal(what, observed, expected)
    return caught.value.expected, caught.value.observed


def test_expect_met_says_nothing() -> None:
    expect(True, expected="x", observed="y")
    expect_equal("x", [1], [1])


def test_expect_unmet_is_an_assertion() -> None:
    with pytest.raises(AssertionError, match="expected EAGAIN; observed 5"):
        expect(False, expected="EAGAIN", observed=5)


def test_expect_equal_names_both_values() -> None:
    assert unmet("len", 3, 4) == ("len = 4", "len = 3")
    assert unmet("queues", [0], [0, 1]) == ("queues = [0, 1]", "queues = [0]")
    assert unmet("data", b"\x01", b"") == ("data = 0 bytes ", "data = 1 bytes 01")


def test_expect_equal_of_long_lists_shows_the_first_difference() -> None:
    swapped = [0, 1, 2, 3, 4, 6, 5, 7, 8, 9]
    assert unmet("n", swapped, list(range(10))) == ("n, number 5 of 10 = 5", "n, number 5 of 10 = 6")
    assert unmet("n", [0, 1], list(range(10))) == ("n: 10", "2, equal as far as both go")


def test_expect_long_values_are_cut() -> None:
    assert len(shorten("x" * 1000)) == 160
    assert shorten(bytes(500)).startswith("500 bytes 0000")
