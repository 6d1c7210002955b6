# SPDX-License-Identifier: BSD-2-Clause
"""Replies of the kernel module, and what its lies have to be noticed by."""

from __future__ import annotations

import pytest

from rpmsg_conformance import catalogue
from rpmsg_conformance.catalogue import Level
from rpmsg_conformance.expect import Unmet
from rpmsg_conformance.kernel_api import Result
from rpmsg_conformance.kernel_lies import LIES
from rpmsg_conformance.suite_run import SUITES

#: What no lie of a module can break: Linux's own sample, and what stops the host.
NOT_A_LIE = {"KA-001", "KA-067", "KA-068"}


def test_result_has_the_value_the_duration_and_the_words() -> None:
    result = Result("rpmsg_send", "ret=0 ns=2500000000 endpoint=7 name=a-name\n")
    assert (result.ret, result.seconds, result.errno) == (0, 2.5, None)
    assert result.number("endpoint") == 7
    assert result["name"] == "a-name"
    assert result.expect_success() is result


def test_result_has_lines_after_the_first() -> None:
    result = Result("rpmsg_events", "ret=0 ns=1 last=9\nnumber=8 what=probe\nnumber=9 what=remove\n")
    assert [line["what"] for line in result.lines] == ["probe", "remove"]


@pytest.mark.parametrize(
    ("ret", "name"),
    [(-12, "ENOMEM"), (-512, "ERESTARTSYS"), (-95, "EOPNOTSUPP"), (-4000, "4000"), (5, None)],
)
def test_result_names_the_errno(ret: int, name: str | None) -> None:
    assert Result("rpmsg_send", f"ret={ret} ns=1\n").errno == name


def test_result_that_is_not_the_expected_errno_says_both() -> None:
    with pytest.raises(Unmet, match="returns -EINVAL; observed .* returned -12 .-ENOMEM."):
        Result("rpmsg_send", "ret=-12 ns=1\n").expect_errno("EINVAL")


def test_result_that_is_no_success_is_unmet() -> None:
    with pytest.raises(Unmet, match="succeeds; observed .* .-ENOMEM."):
        Result("rpmsg_send", "ret=-12 ns=1\n").expect_success()


def test_lies_have_names_of_their_own() -> None:
    names = [lie.name for lie in LIES]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) < 32, "the module's parameter holds 31 characters"


def test_lies_are_those_of_the_module() -> None:
    text = (SUITES / "kmod/lies.c").read_text(encoding="utf-8")
    assert {lie.name for lie in LIES} == {
        part.split('"')[0] for part in text.split('lies("')[1:]
    }


def test_lies_break_or_repair_every_rule_of_the_in_kernel_api() -> None:
    rules = {
        name
        for name, requirement in catalogue.load(SUITES / "requirements.toml").items()
        if name.startswith("KA-") and requirement.level in (Level.MUST, Level.SHOULD)
    }
    met = {name for lie in LIES for name in (*lie.broken, *lie.repaired)}
    assert rules - met == NOT_A_LIE
