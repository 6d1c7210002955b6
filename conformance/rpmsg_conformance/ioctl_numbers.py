# SPDX-License-Identifier: BSD-2-Clause
"""Numbers of ioctls as a machine of another architecture encodes them.

The cases have them in Linux's usual encoding: from the top 2 bits of direction (1 to the kernel, 2
from it), 14 of size, 8 each of type and number. A few architectures have 3 bits of direction, 13 of
size, and another code for "neither". Source: asm-generic/ioctl.h and powerpc's asm/ioctl.h of Linux.
"""

from __future__ import annotations

from typing import Final

#: What uname(2) begins with on a machine of the other encoding.
_OTHERS: Final = ("ppc", "mips", "sparc", "alpha")

_DIRECTION: Final = 30
_OTHER_DIRECTION: Final = 29
_REST: Final = 0x1FFFFFFF

#: Usual direction to the other one: none, to the kernel, from it, both.
_OTHER_CODE: Final = {0: 1, 1: 4, 2: 2, 3: 6}


def on_machine(number: int, machine: str) -> int:
    """The ioctl ``number`` of the usual encoding, as ``machine`` (of uname(2)) has it."""
    if not machine.startswith(_OTHERS):
        return number
    return _OTHER_CODE[number >> _DIRECTION] << _OTHER_DIRECTION | number & _REST
