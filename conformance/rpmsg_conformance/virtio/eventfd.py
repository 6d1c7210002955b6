# SPDX-License-Identifier: BSD-2-Clause
"""A notification counter of the kernel, as kick, call and err descriptors are."""

from __future__ import annotations

import os
from typing import Any, Final

# Python has had these functions since 3.10; the type stubs of Debian's mypy do not know them.
_os: Final[Any] = os


class EventFd:
    """One eventfd, non-blocking and closed on exec."""

    def __init__(self) -> None:
        self.fd: int = _os.eventfd(0, _os.EFD_CLOEXEC | _os.EFD_NONBLOCK)

    def signal(self) -> None:
        """Add one."""
        _os.eventfd_write(self.fd, 1)

    def take(self) -> int:
        """The count since the last time, which becomes 0."""
        try:
            count: int = _os.eventfd_read(self.fd)
        except BlockingIOError:
            return 0
        return count

    def close(self) -> None:
        """Close it."""
        os.close(self.fd)
