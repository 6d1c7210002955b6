# SPDX-License-Identifier: BSD-2-Clause
"""What a round shows: signatures of what went wrong, each with the lists that may have done it."""

from __future__ import annotations

from collections.abc import Sequence

from fuzz.tools.host import signature
from fuzz.tools.host.known import has
from fuzz.tools.host.rig import Round
from fuzz.tools.oplist import Item

#: Why a link may be deaf without anything being wrong: the device itself spoilt it.
OWN_FAULT = ("ring-lie", "no-name-service", "withdraws-rpmsg_ns")

#: What makes a kernel lose receive buffers or an interrupt: HD-019, HD-020, HD-032, HD-035.
REJECTED = ("malformed-message", "rewritten-message")


DEAF_MALFORMED = "deaf link after a malformed message"
DEAF = "deaf link after well-formed messages"
LEAK = "leak of memory to a reader"
REFUSED = "driver refused the device"

#: What is wrong with one link and not with the guest.
OF_A_LINK = (DEAF_MALFORMED, DEAF, LEAK, REFUSED)


def deafness(items: Sequence[Item]) -> str | None:
    """The signature of a link that a list has left deaf; None when that is the device's own doing."""
    if any(has(items, shape) for shape in OWN_FAULT):
        return None
    if any(has(items, shape) for shape in REJECTED):
        return DEAF_MALFORMED
    return DEAF


def findings(seen: Round, lists: Sequence[Sequence[Item]]) -> dict[str, list[int]]:
    """Signatures of a round, and the numbers of the lists that each may come from."""
    everybody = list(range(len(lists)))
    found: dict[str, list[int]] = {name: everybody for name in signature.all_of(seen.log)}
    if seen.lost is not None and not any(name.startswith(signature.FATAL) for name in found):
        found[seen.lost] = everybody
    for number, what in enumerate(seen.seen):
        if what.leaked:
            found.setdefault(LEAK, []).append(number)
        if seen.lost is not None:
            continue
        name = deafness(lists[number]) if what.deaf else None
        if what.refused:
            # A driver may refuse a device that does not offer all.
            name = None if has(lists[number], "offers") else REFUSED
        if name is not None:
            found.setdefault(name, []).append(number)
    return found
