# SPDX-License-Identifier: BSD-2-Clause
"""Which rule an input broke is read from what the target prints."""

from __future__ import annotations

import signal

import pytest

from fuzz.tools.project import ROOT
from fuzz.tools.verdict import reading

ASAN = f"""\
=================================================================
==1==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602000000011
READ of size 1 at 0x602000000011 thread T0
    #0 0x55d4 in __asan_memcpy (/build/fuzz_remote+0x1)
    #1 0x55d5 in rpmsg_hdr_decode {ROOT}/sim/wire/rpmsg.c:20:3
    #2 0x55d6 in run {ROOT}/fuzz/targets/wire.c:70:2
"""


@pytest.mark.parametrize(
    ("output", "status", "rule"),
    [
        ("a.c:1: oracle balance: 3 messages\n", -signal.SIGABRT, "balance"),
        (ASAN, 1, "heap-buffer-overflow-rpmsg-hdr-decode"),
        ("==9==ERROR: LeakSanitizer: detected memory leaks\n", 1, "leak"),
        ("/x/sim/remote/emit.c:12:7: runtime error: shift exponent\n", 1, "undefined-emit-12"),
        ("", -signal.SIGSEGV, "sigsegv"),
        ("", 3, "status-3"),
    ],
)
def test_verdict_names_the_rule(output: str, status: int, rule: str) -> None:
    assert reading(output, status).rule == rule
